//! Runs what is missing of a plan, in worker processes.

use crate::args::{Chosen, How};
use crate::progress::{self, Display};
use anyhow::{Context, Result};
use engines::{Event, Job, Limits, Outcome};
use experiment::{Cell, Plan, State, Status};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, atomic::Ordering};
use std::time::Duration;

/// What became of the runs of a plan that were missing.
pub(crate) struct Summary {
    pub(crate) failed: usize,
    pub(crate) stopped: usize,
}

/// Trains the missing runs of `plan` (all of them, if `how.fresh`).
pub(crate) fn run(chosen: &Chosen, plan: &Plan, how: &How) -> Result<Summary> {
    let missing: Vec<&Cell> =
        plan.cells.iter().filter(|cell| how.fresh || !chosen.store.has(&cell.config)).collect();
    if missing.is_empty() {
        return Ok(Summary { failed: 0, stopped: 0 });
    }
    let _lock = chosen.store.lock(&chosen.experiment.paper)?;
    training::device(missing[0].config.device)?;
    if how.fresh {
        missing.iter().try_for_each(|cell| chosen.store.start_over(&cell.config))?;
    }
    // Fetched once here, not by every worker at a time; and where it cannot be had, nothing is started.
    envs::make(&missing[0].config.task)?;

    let known_hashes = training::known_hashes()?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("failed to watch for Ctrl-C")?;

    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = how.jobs.map_or(cores, usize::from).min(missing.len());
    let memory = how.memory.map_or_else(|| memory_of(workers), |gib| gib << 30);
    let jobs = missing.iter().map(|cell| {
        let mut job = job(chosen, cell, &missing, how)?;
        job.command.arg("--memory").arg(memory.to_string()).env(known_hashes.0, &known_hashes.1);
        Ok(job)
    });
    let jobs = jobs.collect::<Result<Vec<_>>>()?;
    let limits = Limits { workers, patience: Duration::from_secs(how.patience), tries: how.tries };
    let mut display = Display::new(&missing, workers);
    let outcomes = engines::run(jobs, limits, &stop, |event| {
        if let Event::Ended { job, outcome: Outcome::Failed { how, stderr, tries } } = &event {
            let status = Status {
                state: State::Failed,
                steps: display.step_of(*job),
                updates: 0,
                tries: Some(*tries),
                error: Some(progress::failure(how, stderr, *tries)),
            };
            if let Err(error) = chosen.store.note_failure(&missing[*job].config, &status) {
                display.tell(&format!("{error:#}"));
            }
        }
        if let Event::Ended { job, outcome: Outcome::Done } = &event {
            chosen.store.tidy(&missing[*job].config);
        }
        display.show(&event);
    })?;
    display.end();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    Ok(Summary {
        failed: count(|outcome| matches!(outcome, Outcome::Failed { .. } | Outcome::Skipped)),
        stopped: count(|outcome| matches!(outcome, Outcome::Stopped)),
    })
}

/// Bytes of memory that each of `workers` may ask for: a share of what is available, but no less than a run of the
/// largest task may take.
fn memory_of(workers: usize) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(0, |kib| (kib << 10) / workers as u64).max(4 << 30)
}

fn job(chosen: &Chosen, cell: &Cell, missing: &[&Cell], how: &How) -> Result<Job> {
    // This very program, even where its file has been built anew since.
    let mut command = Command::new("/proc/self/exe");
    command.arg("worker").args(["--paper", &chosen.experiment.paper]).arg("--results").arg(&chosen.results);
    command.arg("--config").arg(chosen.store.request(&cell.config)?);
    command.arg("--checkpoint-every").arg(how.checkpoint_every.to_string());
    if how.fresh {
        command.arg("--replace");
    }
    if let Some(expert) = &cell.needs {
        command.arg("--expert").arg(chosen.store.directory(expert));
    }
    // One learner a core and one thread a learner: without these, candle reads /proc/cpuinfo at every product and
    // spins a pool of its own, and glibc returns every large activation to the system and faults it in again.
    command.env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
    command.env("MALLOC_TRIM_THRESHOLD_", "1000000000").env("MALLOC_MMAP_THRESHOLD_", "33554432");
    let needs = cell.needs.as_ref().and_then(|expert| missing.iter().position(|cell| cell.config == *expert));
    Ok(Job { command, needs })
}
