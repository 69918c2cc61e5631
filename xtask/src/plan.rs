//! `plan`: a profile's runs, and how long what is missing would take.

use crate::args::{Chosen, SurveyArgs};
use crate::progress::duration;
use crate::speed::Speeds;
use crate::{exit, say, say_json};
use anyhow::Result;
use experiment::{Plan, RunConfig, RunState};
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    task: &'a str,
    arm: &'a str,
    seed: u64,
    /// At most, of an expert that is not recorded.
    steps: u64,
    #[serde(skip)]
    is_expert: bool,
    id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Seconds of one worker: what the recorded run took, or may take by runs of the same task and sizes; absent where
    /// there is none.
    seconds: Option<f64>,
}

pub(crate) fn plan(args: &SurveyArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let plan = chosen.plan(&args.filters)?;
    let lines = lines(&chosen, &plan);
    if args.json {
        say_json(&lines)?;
        return Ok(exit::FINE);
    }
    for line in &lines {
        let seconds = line.seconds.map_or_else(|| "?".to_owned(), duration);
        say(format!(
            "{:20} {:10} seed {:<5} {:>10} steps  {:>12}  {}",
            line.task,
            line.arm,
            line.seed,
            // An expert's run ends where it reaches its goal.
            if line.is_expert && line.state != "recorded" {
                format!("≤ {}", line.steps)
            } else {
                line.steps.to_string()
            },
            seconds,
            line.state
        ));
    }
    say(summary(&chosen, &plan, None));
    Ok(exit::FINE)
}

fn lines<'a>(chosen: &Chosen, plan: &'a Plan) -> Vec<Line<'a>> {
    let speeds = Speeds::read(chosen, plan);
    let line = |config: &'a RunConfig| {
        let state = chosen.store.state(config);
        let run = chosen.store.run(config).ok().flatten();
        Line {
            task: &config.task,
            arm: &config.arm,
            seed: config.seed,
            steps: run.as_ref().map_or(config.steps, |run| run.status.steps),
            is_expert: config.expert.is_some(),
            id: config.id().to_string(),
            state: state.name(),
            error: if let RunState::Failed(failure) = state { failure.error } else { None },
            seconds: run.map(|run| run.timing.seconds).or_else(|| seconds(&speeds, config)),
        }
    };
    plan.cells.iter().map(|cell| line(&cell.config)).collect()
}

/// One line: how many runs, how long the recorded ones took, how many are missing, how long those would take on `workers`
/// workers.
pub(crate) fn summary(chosen: &Chosen, plan: &Plan, workers: Option<u16>) -> String {
    let (there, missing): (Vec<&RunConfig>, Vec<&RunConfig>) =
        plan.cells.iter().map(|cell| &cell.config).partition(|config| chosen.store.has(config));
    let took = there.iter().filter_map(|config| took(chosen, config)).reduce(|all, one| all + one);
    let took = took.map_or_else(String::new, |seconds| format!(" ({} of one worker)", duration(seconds)));
    let recorded = format!("{} runs, {} of them recorded{took}", plan.cells.len(), there.len());
    if missing.is_empty() {
        return recorded;
    }
    let speeds = Speeds::read(chosen, plan);
    let (seconds, untold) = known(missing.iter().map(|config| seconds(&speeds, config)));
    let workers = workers.map_or_else(cores, usize::from).min(missing.len() - untold).max(1);
    let eta = match seconds {
        Some(seconds) => format!(
            "{}about {} on {workers} workers, at the speed of the recorded runs (experts at most){}",
            if untold == 0 { String::new() } else { format!("{} of them ", missing.len() - untold) },
            duration(seconds / workers as f64),
            and_untold(untold)
        ),
        None => "no run of this kind is recorded yet that would tell how long it takes".to_owned(),
    };
    let disk = crate::clean::size(disk(&missing));
    format!("{recorded}, {} to train: {eta}; checkpoints take up to {disk} a worker", missing.len())
}

/// The sum of those that are known, if any is, and how many are not.
pub(crate) fn known(seconds: impl Iterator<Item = Option<f64>>) -> (Option<f64>, usize) {
    let (told, untold): (Vec<Option<f64>>, Vec<Option<f64>>) = seconds.partition(Option::is_some);
    (told.into_iter().flatten().reduce(|all, one| all + one), untold.len())
}

/// What is added to a time that leaves out some runs.
pub(crate) fn and_untold(runs: usize) -> String {
    match runs {
        0 => String::new(),
        1 => "; 1 is of a kind of which none is recorded yet, so that nothing tells how long it takes"
            .to_owned(),
        runs => format!(
            "; {runs} are of kinds of which none is recorded yet, so that nothing tells how long they take"
        ),
    }
}

/// Seconds that a recorded run took.
fn took(chosen: &Chosen, config: &RunConfig) -> Option<f64> {
    Some(chosen.store.run(config).ok()??.timing.seconds)
}

fn seconds(speeds: &Speeds, config: &RunConfig) -> Option<f64> {
    Some(speeds.seconds_a_step(config)? * config.steps as f64)
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Bytes of checkpoints that the largest of the runs `missing` may have.
fn disk(missing: &[&RunConfig]) -> u64 {
    let of = |config: &&RunConfig| {
        if config.is_offline() {
            return Some(PARAMETERS);
        }
        let spec = envs::info(config.environment()).ok()?;
        let row = 4 * (spec.observation_dim + spec.action_dim + 3) as u64;
        // Old rows are forgotten file by file, so there may be twice as many as are held, and those of the file at hand.
        let rows = config.steps.min(3 * config.replay.capacity as u64);
        Some(row * rows + PARAMETERS)
    };
    missing.iter().filter_map(of).max().unwrap_or(PARAMETERS)
}

/// Bytes of two checkpoints beside replay, roughly.
const PARAMETERS: u64 = 16 << 20;
