//! `plan`: a profile's runs, and how long what is missing would take.

use crate::args::{Chosen, PlanArgs};
use crate::progress::duration;
use crate::{exit, say, say_json};
use anyhow::Result;
use experiment::{Plan, RunConfig};
use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    task: &'a str,
    arm: &'a str,
    seed: u64,
    steps: u64,
    id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Seconds of one core, from recorded runs of the same task and sizes; absent where there is none.
    seconds: Option<f64>,
}

pub(crate) fn plan(args: &PlanArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let plan = chosen.plan(&args.filters)?;
    let lines = lines(&chosen, &plan)?;
    if args.json {
        say_json(&lines)?;
        return Ok(exit::FINE);
    }
    for line in &lines {
        let seconds = line.seconds.map_or_else(|| "?".to_owned(), duration);
        say(format!(
            "{:20} {:10} seed {:<5} {:>9} steps  {:>12}  {}",
            line.task, line.arm, line.seed, line.steps, seconds, line.state
        ));
    }
    say(summary(&chosen, &plan, None)?);
    Ok(exit::FINE)
}

fn lines<'a>(chosen: &Chosen, plan: &'a Plan) -> Result<Vec<Line<'a>>> {
    let speeds = Speeds::read(chosen)?;
    let line = |config: &'a RunConfig| {
        let failure = chosen.store.failure(config);
        let recorded = chosen.store.has(config);
        Line {
            task: &config.task,
            arm: &config.arm,
            seed: config.seed,
            steps: config.steps,
            id: config.id().to_string(),
            state: if recorded {
                "recorded"
            } else if failure.is_some() {
                "failed"
            } else {
                "missing"
            },
            error: failure.filter(|_| !recorded).and_then(|status| status.error),
            seconds: speeds.seconds(config),
        }
    };
    Ok(plan.cells.iter().map(|cell| line(&cell.config)).collect())
}

/// One line: how many runs, how many are missing, how long those would take on `workers` workers.
pub(crate) fn summary(chosen: &Chosen, plan: &Plan, workers: Option<u16>) -> Result<String> {
    let missing: Vec<&RunConfig> =
        plan.cells.iter().map(|cell| &cell.config).filter(|config| !chosen.store.has(config)).collect();
    let recorded =
        format!("{} runs, {} of them recorded", plan.cells.len(), plan.cells.len() - missing.len());
    if missing.is_empty() {
        return Ok(recorded);
    }
    let speeds = Speeds::read(chosen)?;
    let workers = workers.map_or_else(cores, usize::from).min(missing.len());
    let seconds: Option<f64> = missing.iter().map(|config| speeds.seconds(config)).sum();
    let eta = match seconds {
        Some(seconds) => format!(
            "about {} on {workers} workers, at the speed of the recorded runs (experts at most)",
            duration(seconds / workers as f64)
        ),
        None => "no run of this kind is recorded yet that would tell how long it takes".to_owned(),
    };
    Ok(format!("{recorded}, {} to train: {eta}", missing.len()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Seconds a step of recorded runs.
struct Speeds(Vec<(RunConfig, f64)>);

impl Speeds {
    fn read(chosen: &Chosen) -> Result<Self> {
        let speed = |run: experiment::Run| {
            let per_step = run.timing.seconds / run.status.steps.max(1) as f64;
            (run.config, per_step)
        };
        Ok(Self(chosen.store.runs()?.into_iter().map(speed).collect()))
    }

    fn seconds(&self, config: &RunConfig) -> Option<f64> {
        let alike = |other: &RunConfig| other.task == config.task && other.hidden() == config.hidden();
        let speeds: Vec<f64> =
            self.0.iter().filter(|(other, _)| alike(other)).map(|(_, speed)| *speed).collect();
        let mean = speeds.iter().sum::<f64>() / speeds.len() as f64;
        (!speeds.is_empty()).then_some(mean * config.steps as f64)
    }
}
