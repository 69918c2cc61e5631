//! `worker`: one run in a process of its own.

use crate::args::WorkerArgs;
use crate::exit;
use anyhow::{Context, Result};
use experiment::{RunConfig, Store};
use std::io::Read;

/// Exit code of a worker that was told to stop.
const STOPPED: i32 = 130;

pub(crate) fn worker(args: &WorkerArgs) -> Result<u8> {
    // The runner holds the other end of standard input. When that closes, the runner wants us gone or is gone itself.
    std::thread::spawn(|| {
        let mut ignored = [0; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        std::process::exit(STOPPED);
    });
    let file = args.config.display().to_string();
    let text = std::fs::read_to_string(&args.config).with_context(|| format!("failed to read {file}"))?;
    let config = RunConfig::parse(&file, &text)?;
    let store = Store::open(&args.results, &args.paper)?;
    let directory = store.work(&config)?;
    training::train(&config, &directory, args.expert.as_deref(), |progress| {
        crate::say(serde_json::to_string(&progress).unwrap_or_default());
    })?;
    store.publish(&config)?;
    Ok(exit::FINE)
}
