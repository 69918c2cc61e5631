//! A profile's recorded runs, by task and arm.

use crate::number::steps;
use anyhow::Result;
use diagnostics::BadInput;
use experiment::{Arm, Experiment, Plan, Profile, Run, RunConfig, Selection, Store, Task, Window};

/// All that is recorded of one profile.
#[derive(Debug)]
pub struct Study {
    /// The paper's files.
    pub experiment: Experiment,
    /// The profile's name.
    pub profile_name: String,
    /// The profile.
    pub profile: Profile,
    /// By task, in the protocol's order.
    pub tasks: Vec<TaskRuns>,
}

/// One task's runs.
#[derive(Debug)]
pub struct TaskRuns {
    /// The task.
    pub task: Task,
    /// Environment steps of a run.
    pub steps: u64,
    /// Steps between evaluations.
    pub every: u64,
    /// By arm, in the protocol's order.
    pub arms: Vec<ArmRuns>,
    /// The expert's run, if one is needed and recorded.
    pub expert: Option<Run>,
}

/// One arm's runs on one task.
#[derive(Debug)]
pub struct ArmRuns {
    /// The arm.
    pub arm: Arm,
    /// What was planned and what became of it, by seed.
    pub planned: Vec<(RunConfig, State)>,
}

/// What became of a planned run.
#[derive(Debug)]
pub enum State {
    /// It is recorded.
    Recorded(Box<Run>),
    /// The last try failed, and why.
    Failed(String),
    /// It was not run.
    Missing,
}

impl ArmRuns {
    /// The recorded runs.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.planned.iter().filter_map(|(_, state)| match state {
            State::Recorded(run) => Some(&**run),
            _ => None,
        })
    }

    /// Each run's mean over its evaluations in `window`; `None` where a run has none there.
    #[must_use]
    pub fn window_means(&self, window: Window) -> Option<Vec<f64>> {
        self.runs().map(|run| window_mean(run, window)).collect()
    }
}

/// A run's mean over the learned policy's evaluations in `window`.
fn window_mean(run: &Run, window: Window) -> Option<f64> {
    let (steps, every) = (run.config.steps, run.config.evaluation.every);
    let inside = run.evaluations.learned().filter(|(step, _)| window.contains(*step, steps, every));
    stats::mean(&inside.map(|(_, mean)| mean).collect::<Vec<_>>())
}

impl Study {
    /// Reads what is recorded of `profile`.
    ///
    /// # Errors
    /// [`BadInput`] if a record is damaged.
    pub fn load(experiment: &Experiment, profile_name: &str, store: &Store) -> Result<Self> {
        let profile = experiment.profile(profile_name)?.clone();
        let plan = Plan::new(experiment, &profile, &Selection::default())?;
        let mut tasks = Vec::new();
        for task in experiment.tasks(&profile) {
            let cells = || plan.cells.iter().map(|cell| &cell.config).filter(|config| config.task == task.id);
            let mut arms = Vec::new();
            for arm in experiment.arms(&profile) {
                let planned = cells().filter(|config| config.expert.is_none() && config.arm == arm.id);
                let planned = planned
                    .map(|config| Ok((config.clone(), state(store, config)?)))
                    .collect::<Result<Vec<_>, BadInput>>()?;
                arms.push(ArmRuns { arm: arm.clone(), planned });
            }
            let expert = match cells().find(|config| config.expert.is_some()) {
                Some(config) => store.run(config)?,
                None => None,
            };
            let every = experiment.settings(task, Some(&profile), None)?.evaluation.every;
            let steps = experiment.steps(task, &profile).unwrap_or(0);
            tasks.push(TaskRuns { task: task.clone(), steps, every, arms, expert });
        }
        Ok(Self { experiment: experiment.clone(), profile_name: profile_name.to_owned(), profile, tasks })
    }

    /// Environment steps of a run: `300k`, or `15k to 200k` where tasks differ.
    #[must_use]
    pub fn steps(&self) -> String {
        let all = || self.tasks.iter().map(|task| task.steps);
        let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        if least == most { steps(most) } else { format!("{} to {}", steps(least), steps(most)) }
    }

    /// Every planned run of an arm.
    pub fn planned(&self) -> impl Iterator<Item = &(RunConfig, State)> {
        self.tasks.iter().flat_map(|task| &task.arms).flat_map(|arm| &arm.planned)
    }

    /// Whether every planned run is recorded.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.planned().all(|(_, state)| matches!(state, State::Recorded(_)))
    }
}

fn state(store: &Store, config: &RunConfig) -> Result<State, BadInput> {
    Ok(match store.run(config)? {
        Some(run) => State::Recorded(Box::new(run)),
        None => match store.failure(config) {
            Some(status) => State::Failed(status.error.unwrap_or_else(|| "failed".to_owned())),
            None => State::Missing,
        },
    })
}
