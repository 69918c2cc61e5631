//! `reproduce`: run what is missing, then draw figures, tables and verdicts.

use crate::args::ReproduceArgs;
use crate::{exit, plan, report, runner};
use anyhow::Result;

pub(crate) fn reproduce(args: &ReproduceArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let plan = chosen.plan(&args.filters)?;
    eprintln!(
        "{}, profile {}: {}",
        chosen.experiment.protocol.title,
        args.which.profile,
        chosen.profile.about.trim()
    );
    eprintln!("{}", plan::summary(&chosen, &plan, args.how.workers.jobs));
    let summary = runner::run(&chosen, &plan, &args.how, &args.which.words("report", args.figures.as_ref()))?;
    if summary.is_left_to_others {
        return Ok(exit::FINE);
    }
    let complete = report::publish(&args.which, &chosen, args.figures.as_ref())?;
    if summary.stopped > 0 {
        eprintln!("stopped; the same command goes on with what is missing");
    }
    Ok(if complete { exit::FINE } else { exit::INCOMPLETE })
}
