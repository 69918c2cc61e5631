//! `run`: one run of a plan file, for whoever starts it: a task of Slurm's, or a printed command.

use crate::args::RunArgs;
use crate::campaign::Campaign;
use crate::{exit, runner};
use anyhow::{Context, Result};
use diagnostics::BadInput;
use engines::Standing;
use experiment::Store;
use signal_hook::consts::SIGUSR1;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let plan = Campaign::read(&args.plan)?;
    let count = plan.runs.len();
    if args.index >= count {
        let found = format!("{} has no run {}: it has {count}, from 0 on", args.plan.display(), args.index);
        return Err(BadInput::new(found).into());
    }
    let campaign = plan.only(&[args.index]);
    let store = Store::open(&campaign.results, &campaign.paper)?;
    if campaign.standing(&store, 0) == Standing::Recorded {
        return Ok(exit::FINE);
    }
    if let Some(needed) = campaign.missing(0) {
        eprintln!("the run that this one needs is not recorded yet: {}", needed.display());
        eprintln!("  help: make that run first; it is one of those before the empty line");
        return Ok(exit::INCOMPLETE);
    }
    training::device(campaign.runs[0].config.device)?;
    envs::make(campaign.runs[0].config.environment())?;
    let stop = runner::stop_on_signals()?;
    // Of Slurm's: the time is nearly over.
    let is_late = Arc::new(AtomicBool::new(false));
    for flag in [&stop, &is_late] {
        signal_hook::flag::register(SIGUSR1, Arc::clone(flag)).context("failed to watch for signals")?;
    }
    let summary = runner::locally(&campaign, &store, 1, &stop)?;
    if summary.stopped == 0 {
        return Ok(if summary.failed == 0 { exit::FINE } else { exit::INCOMPLETE });
    }
    match engines::this_task().filter(|_| is_late.load(Ordering::Relaxed)) {
        Some(task) => {
            eprintln!("the time limit is near: Slurm runs this task again, from its last checkpoint");
            engines::requeue(&task)?;
        }
        None => eprintln!("stopped; the same command goes on from its last checkpoint"),
    }
    Ok(exit::INCOMPLETE)
}
