//! `train`: one run of a profile.

use crate::args::{Filters, TrainArgs};
use crate::{exit, runner, say};
use anyhow::Result;

pub(crate) fn train(args: &TrainArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let only =
        vec![format!("task={}", args.task), format!("arm={}", args.arm), format!("seed={}", args.seed)];
    let plan = chosen.plan(&Filters { only, except: Vec::new() })?;
    let report = args.which.words("report", None);
    let summary = runner::run(&chosen, &plan, &args.how, &report)?;
    for cell in plan.cells.iter().filter(|cell| chosen.store.has(&cell.config)) {
        say(chosen.store.directory(&cell.config).display().to_string());
    }
    if summary.is_left_to_others {
        return Ok(exit::FINE);
    }
    Ok(if summary.is_complete() { exit::FINE } else { exit::INCOMPLETE })
}
