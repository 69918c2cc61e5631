//! Has what is missing of a plan made, by the engine that was asked for.

use crate::args::{Chosen, EngineKind, How};
use crate::campaign::Campaign;
use crate::exit;
use crate::layout::Layout;
use crate::progress::Display;
use crate::say;
use crate::sets;
use anyhow::{Context, Result};
use diagnostics::{BadInput, quoted};
use engines::{Engine, Event, Outcome, Pool, Slurm};
use experiment::{Cell, Plan, RunConfig, State, Status, Store};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What became of the runs of a plan that were missing.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) failed: usize,
    pub(crate) stopped: usize,
    /// Nothing was waited for: someone else makes them.
    pub(crate) is_left_to_others: bool,
}

impl Summary {
    /// Whether all were made.
    pub(crate) fn is_complete(&self) -> bool {
        self.failed + self.stopped == 0
    }
}

/// Has the missing runs of `plan` made (all of them, if `how.fresh`). Where nobody waits for them, `report` is executed
/// when they are.
pub(crate) fn run(chosen: &Chosen, plan: &Plan, how: &How, report: &[String]) -> Result<Summary> {
    let missing: Vec<&Cell> =
        plan.cells.iter().filter(|cell| how.fresh || !chosen.store.has(&cell.config)).collect();
    let lines = how.sbatch_lines()?;
    if missing.is_empty() {
        return Ok(Summary::default());
    }
    if how.engine == EngineKind::Local {
        training::device(missing[0].config.device)?;
    }
    fetch_environments(missing.iter().map(|cell| &cell.config))?;
    // Before the lock: what stand-ins are made with may be a run of this paper.
    let (files, made) = sets::files(chosen, &missing, &how.workers)?;
    if !made.is_complete() {
        return Ok(made);
    }
    let store = &chosen.store;
    let _lock = store.lock(&chosen.experiment.paper)?;
    for cell in &missing {
        if how.fresh {
            store.start_over(&cell.config)?;
        }
        store.forget_failure(&cell.config)?;
    }
    let campaign = Campaign::new(chosen, &missing, how, &files)?;
    match how.engine {
        EngineKind::Local => locally(&campaign, store, how.workers.count(), &*stop_on_signals()?),
        EngineKind::Slurm => with_slurm(&campaign, store, how, lines, report),
        EngineKind::Commands => print_commands(&campaign, store),
    }
}

/// Has what the environments of `runs` are made of fetched: once here, not by every worker at a time; and where it cannot
/// be had, nothing is started.
pub(crate) fn fetch_environments<'a>(runs: impl Iterator<Item = &'a RunConfig>) -> Result<()> {
    let environments: BTreeSet<&str> = runs.map(RunConfig::environment).collect();
    environments.into_iter().try_for_each(|environment| envs::make(environment).map(drop))
}

/// A flag that Ctrl-C and SIGTERM set. A second Ctrl-C ends the program at once: whatever moment that is, nothing on disk
/// is half written, and workers leave when their runner has.
pub(crate) fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    use signal_hook::flag::{register, register_conditional_shutdown};
    let (stop, is_told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // In this order: the first sets the flag that the second sees.
    register_conditional_shutdown(SIGINT, exit::STOPPED.into(), Arc::clone(&is_told))
        .and_then(|_| register(SIGINT, is_told))
        .and_then(|_| register(SIGINT, Arc::clone(&stop)))
        .and_then(|_| register(SIGTERM, Arc::clone(&stop)))
        .context("failed to watch for signals")?;
    Ok(stop)
}

/// Makes the runs of `campaign` in worker processes on this machine.
pub(crate) fn locally(
    campaign: &Campaign,
    store: &Store,
    workers: usize,
    stop: &AtomicBool,
) -> Result<Summary> {
    let workers = workers.min(campaign.runs.len());
    let commands = campaign.workers(store, memory_of(workers))?;
    let mut pool = Pool::new(commands, workers, Duration::from_secs(campaign.patience));
    make(campaign, store, &mut pool, workers, stop)
}

fn with_slurm(
    campaign: &Campaign,
    store: &Store,
    how: &How,
    mut lines: Vec<String>,
    report: &[String],
) -> Result<Summary> {
    // Before the user's own lines, which overrule it.
    lines.splice(..0, how.workers.memory.map(|gib| format!("#SBATCH --mem={gib}G")));
    let layout = Layout::new(campaign, store)?;
    let lay_out = |runs: &[usize]| layout.batch(runs);
    let mut slurm = Slurm::new(lines, how.workers.jobs, layout.known()?, &lay_out)?;
    if how.detach {
        let last = layout.last(report)?;
        slurm.leave(&campaign.groups(), &last, &mut |line| eprintln!("{line}"))?;
        eprintln!("nobody waits for them; the same command without --detach does");
        return Ok(Summary { is_left_to_others: true, ..Summary::default() });
    }
    let summary = make(campaign, store, &mut slurm, 0, &*stop_on_signals()?)?;
    if summary.is_complete() {
        slurm.folders_left().unwrap_or_default().iter().try_for_each(|folder| disk::remove(folder))?;
    }
    Ok(summary)
}

/// Prints one command a run: those that others need first, then an empty line, then those others.
fn print_commands(campaign: &Campaign, store: &Store) -> Result<Summary> {
    let layout = Layout::new(campaign, store)?;
    let command = layout.commands()?;
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    let line = words.join(" ");
    if line.contains('\n') {
        let help = "name a results directory without one, or take another `--engine`";
        return Err(BadInput::new(format!("a path with a line break is no part of a line: {line}"))
            .help(help)
            .into());
    }
    let groups = campaign.groups();
    for (i, group) in groups.iter().enumerate() {
        if i > 0 {
            say("");
        }
        group.iter().for_each(|run| say(format!("{line} {run}")));
    }
    let runs = |count: usize| if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
    if let [first, second] = &groups[..] {
        eprintln!(
            "{}, then, when those are recorded, the {} below the empty line",
            runs(first.len()),
            runs(second.len())
        );
    } else {
        eprintln!("{}, in any order", runs(campaign.runs.len()));
    }
    Ok(Summary { is_left_to_others: true, ..Summary::default() })
}

/// Has `engine` make the runs of `campaign`.
fn make(
    campaign: &Campaign,
    store: &Store,
    engine: &mut dyn Engine,
    workers: usize,
    stop: &AtomicBool,
) -> Result<Summary> {
    let configs: Vec<&RunConfig> = campaign.runs.iter().map(|run| &run.config).collect();
    let look = |run| campaign.standing(store, run);
    let wanted = engines::Wanted { needs: campaign.needs(), look: &look, tries: campaign.tries };
    let mut display = Display::new(&configs, workers);
    let outcomes = engines::reconcile(engine, &wanted, stop, |event| {
        if let Event::Ended { job, outcome } = &event
            && let Err(error) = put_on_record(store, configs[*job], display.step_of(*job), outcome)
        {
            display.tell(&format!("{error:#}"));
        }
        display.show(&event);
    })?;
    display.end();
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    Ok(Summary {
        failed: count(|outcome| matches!(outcome, Outcome::Failed { .. } | Outcome::Skipped)),
        stopped: count(|outcome| matches!(outcome, Outcome::Stopped)),
        is_left_to_others: false,
    })
}

/// Notes a failure, if whoever made the run has not, or clears up after a run that is recorded.
fn put_on_record(store: &Store, config: &RunConfig, steps: u64, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Done => store.tidy(config),
        Outcome::Failed { what, tries } if store.failure(config).is_none() => {
            let (tries, error) = (Some(*tries), Some(what.clone()));
            store.note_failure(
                config,
                &Status { state: State::Failed, steps, updates: 0, tries, networks_sha256: None, error },
            )?;
        }
        _ => {}
    }
    Ok(())
}

/// Bytes of memory that each of `workers` may ask for: a share of what is available, but no less than a run of the
/// largest task may take.
fn memory_of(workers: usize) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(0, |kib| (kib << 10) / workers as u64).max(4 << 30)
}
