//! `export`: recorded evaluations for other programs.

use crate::args::{ExportArgs, ExportFormat};
use crate::{exit, say};
use anyhow::Result;
use diagnostics::BadInput;
use report::export::{csv, evaluations, parquet, tensorboard};
use report::study::Study;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn export(args: &ExportArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let study = Study::load(&chosen.experiment, &args.which.profile, &chosen.store)?;
    let evaluations = evaluations(&study);
    let runs: usize = study.tasks.iter().flat_map(|task| &task.arms).map(|arm| arm.runs().count()).sum();
    if runs == 0 {
        return Err(BadInput::new(format!("no run of profile `{}` is recorded", args.which.profile))
            .help(format!("`{}` trains them", args.which.command("reproduce", None)))
            .into());
    }
    let files: Vec<(PathBuf, Vec<u8>)> = match args.format {
        ExportFormat::Csv => vec![(args.output.clone(), csv(&evaluations))],
        ExportFormat::Parquet => vec![(args.output.clone(), parquet(&evaluations)?)],
        ExportFormat::Tensorboard => tensorboard(&evaluations)
            .into_iter()
            .map(|(path, content)| (args.output.join(path), content))
            .collect(),
    };
    for (path, content) in &files {
        write(path, content).map_err(|error| {
            BadInput::new(format!("cannot write {}: {error}", path.display()))
                .help("name another place with --output; csv and parquet are a file, tensorboard is a folder")
        })?;
    }
    say(format!(
        "{} evaluations of {runs} runs in {} file(s): {}",
        evaluations.len(),
        files.len(),
        args.output.display()
    ));
    if study.is_complete() {
        return Ok(exit::FINE);
    }
    eprintln!("{runs} of {} runs of this profile are recorded", study.planned().count());
    Ok(exit::INCOMPLETE)
}

/// Writes aside, then renames: what was there stays whole until the new file is.
fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, content)?;
    fs::rename(&aside, path).inspect_err(|_| drop(fs::remove_file(&aside)))
}
