//! How fast runs are, by those that are recorded.

use crate::args::Chosen;
use experiment::{Plan, Run, RunConfig};
use std::collections::BTreeSet;

/// Seconds a step of recorded runs.
pub(crate) struct Speeds(Vec<(RunConfig, f64)>);

/// How many recorded runs of a task and arm are looked at.
const SAMPLE: usize = 5;

impl Speeds {
    /// Of a few recorded runs of each task in `plan`, whatever their profile. One that cannot be read tells nothing.
    pub(crate) fn read(chosen: &Chosen, plan: &Plan) -> Self {
        let tasks: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.config.task.as_str()).collect();
        let runs = tasks.iter().flat_map(|task| chosen.store.sample(task, SAMPLE));
        let speed = |run: Run| {
            let per_step = run.timing.seconds / run.status.steps.max(1) as f64;
            (run.config, per_step)
        };
        Self(runs.map(speed).collect())
    }

    /// Seconds of one core that a step of `config` takes, by runs of its arm or, where there are none, of any.
    pub(crate) fn seconds_a_step(&self, config: &RunConfig) -> Option<f64> {
        let alike = |other: &RunConfig| {
            other.task == config.task
                && other.device == config.device
                && other.hidden() == config.hidden()
                && other.mock == config.mock
        };
        let mean = |is_one: &dyn Fn(&RunConfig) -> bool| {
            let of = self.0.iter().filter(|(other, _)| alike(other) && is_one(other));
            let speeds: Vec<f64> = of.map(|(_, speed)| *speed).collect();
            (!speeds.is_empty()).then(|| speeds.iter().sum::<f64>() / speeds.len() as f64)
        };
        mean(&|other| other.arm == config.arm).or_else(|| mean(&|_| true))
    }
}
