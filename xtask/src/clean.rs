//! `clean`: what unfinished and finished runs left behind.

use crate::args::CleanArgs;
use crate::{exit, say, say_json};
use anyhow::Result;
use experiment::{Experiment, Plan, RunConfig};
use serde::Serialize;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

#[derive(Serialize)]
struct Left {
    path: PathBuf,
    bytes: u64,
}

pub(crate) fn clean(args: &CleanArgs) -> Result<u8> {
    let root = crate::args::root()?;
    let experiment = Experiment::read(&root, &args.paper)?;
    let results = std::path::absolute(args.results.clone().unwrap_or_else(|| root.join("results")))?;
    let store = experiment::Store::open(&results, &args.paper)?;
    if !store.has_work() {
        return report(args, &[]);
    }
    // While a runner is at work, nothing of it is left over.
    let _lock = store.lock(&args.paper)?;
    let mut wanted: Vec<RunConfig> = Vec::new();
    for (.., plan) in Plan::all(&experiment)? {
        wanted.extend(plan.cells.into_iter().map(|cell| cell.config));
    }
    let wanted: Vec<&RunConfig> = wanted.iter().collect();
    let size = |path: PathBuf| Left { bytes: bytes(&path), path };
    let left: Vec<Left> = store.leftovers(&wanted, args.unfinished).into_iter().map(size).collect();
    if !args.dry_run {
        left.iter().try_for_each(|left| disk::remove(&left.path))?;
    }
    report(args, &left)
}

fn report(args: &CleanArgs, left: &[Left]) -> Result<u8> {
    if args.json {
        say_json(&left)?;
        return Ok(exit::FINE);
    }
    left.iter().for_each(|left| say(format!("{:>12}  {}", size(left.bytes), left.path.display())));
    let done = if args.dry_run { "would be removed" } else { "removed" };
    say(format!("{} in {} places {done}", size(left.iter().map(|left| left.bytes).sum()), left.len()));
    Ok(exit::FINE)
}

fn bytes(path: &Path) -> u64 {
    let files =
        WalkDir::new(path).into_iter().filter_map(Result::ok).filter_map(|entry| entry.metadata().ok());
    files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 => format!("{:.1} GiB", b as f64 / f64::from(1 << 30)),
        b if b >= 1 << 20 => format!("{:.1} MiB", b as f64 / f64::from(1 << 20)),
        b => format!("{:.1} KiB", b as f64 / 1024.0),
    }
}
