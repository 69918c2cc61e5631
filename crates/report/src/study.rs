//! A profile's recorded runs, by task and arm.

use crate::number::steps;
use anyhow::Result;
use diagnostics::BadInput;
use experiment::{
    Arm, DataUsage, Evaluation, Experiment, Expert, Measure, Plan, Profile, Run, RunConfig, Selection, Store,
    Task, Window,
};

/// All that is recorded of one profile.
#[derive(Debug)]
pub struct Study {
    /// The paper's files.
    pub experiment: Experiment,
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
    /// Environment steps of such a run.
    pub steps: u64,
    /// How the runs of its last arm, which is the paper's, are evaluated.
    pub evaluation: Evaluation,
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

impl State {
    /// In words: `failed: ` with the first line of why.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Recorded(_) => "recorded".to_owned(),
            Self::Failed(why) => format!("failed: {}", why.lines().next().unwrap_or_default()),
            Self::Missing => "missing".to_owned(),
        }
    }
}

impl ArmRuns {
    /// The recorded runs.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.planned.iter().filter_map(|(_, state)| match state {
            State::Recorded(run) => Some(&**run),
            _ => None,
        })
    }

    /// Each run's mean over its evaluations in `window`, or over what it logged there of a column of `train.csv`; `None`
    /// where a run has none there. `ahead` takes for each of them the one that so many steps later is the latest.
    #[must_use]
    pub fn window_means(&self, window: Window, logged: Option<&str>, ahead: u64) -> Option<Vec<f64>> {
        self.runs().map(|run| window_mean(run, window, logged, ahead)).collect()
    }
}

/// A run's mean over the learned policy's evaluations in `window`, or over a column of its log.
fn window_mean(run: &Run, window: Window, logged: Option<&str>, ahead: u64) -> Option<f64> {
    let (steps, every) = (run.config.steps, run.config.evaluation.every);
    let values: Vec<(u64, f64)> =
        logged.map_or_else(|| run.evaluations.learned().collect(), |column| run.logged(column));
    mean_within(&values, |step| window.contains(step, steps, every), ahead)
}

/// The mean of what the latest of `values`, which are in the order of steps, is `ahead` steps after each that counts.
fn mean_within(values: &[(u64, f64)], counts: impl Fn(u64) -> bool, ahead: u64) -> Option<f64> {
    let latest = |at: u64| values[..values.partition_point(|(step, _)| *step <= at)].last();
    let inside = values.iter().filter(|(step, _)| counts(*step));
    stats::mean(&inside.filter_map(|(step, _)| Some(latest(step + ahead)?.1)).collect::<Vec<_>>())
}

impl TaskRuns {
    /// The expert's run and its score, if one is recorded.
    #[must_use]
    pub fn expert(&self) -> Option<(&Run, &Expert)> {
        self.expert.as_ref().and_then(|run| Some((run, run.expert.as_ref()?)))
    }
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
                    .map(|config| Ok((config.clone(), in_points(state(store, config)?, task))))
                    .collect::<Result<Vec<_>, BadInput>>()?;
                arms.push(ArmRuns { arm: arm.clone(), planned });
            }
            let expert = match cells().find(|config| config.expert.is_some()) {
                Some(config) => store.run(config)?,
                None => None,
            };
            let last = arms.last().and_then(|arm: &ArmRuns| arm.planned.first());
            let (steps, evaluation) = match last {
                Some((config, _)) => (config.steps, config.evaluation.clone()),
                None => (0, experiment.settings(task, Some(&profile), None)?.evaluation),
            };
            tasks.push(TaskRuns { task: task.clone(), steps, evaluation, arms, expert });
        }
        Ok(Self { experiment: experiment.clone(), profile, tasks })
    }

    /// Environment steps of a run: `300k`, or `15k to 200k` where tasks differ.
    #[must_use]
    pub fn steps(&self) -> String {
        let all = || self.tasks.iter().map(|task| task.steps);
        let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        if least == most { steps(most) } else { format!("{} to {}", steps(least), steps(most)) }
    }

    /// How long runs are: `300k steps`, `25k steps (on data alone 50k updates)`, or `100k updates`.
    #[must_use]
    pub fn length(&self) -> String {
        if self.is_offline() {
            return format!("{} updates", self.steps());
        }
        let mut offline = self.planned().map(|(config, _)| config).filter(|config| config.is_offline());
        let before = offline.next().map(|config| format!(" (on data alone {} updates)", steps(config.steps)));
        format!("{} steps{}", self.steps(), before.unwrap_or_default())
    }

    /// What evaluations measure, for axes.
    #[must_use]
    pub fn measure(&self) -> &'static str {
        if self.tasks.iter().all(|task| task.evaluation.measure == Measure::Success) {
            return "Success rate, %";
        }
        match self.tasks.first().and_then(|task| task.task.points) {
            Some(_) => "Normalised score",
            None => "Evaluation return",
        }
    }

    /// Decimals that a score is shown with.
    pub(crate) fn decimals(&self) -> usize {
        usize::from(self.tasks.iter().any(|task| task.task.points.is_some()))
    }

    /// Whether an arm's steps are updates on a data set that come before another arm's first step.
    #[must_use]
    pub fn is_before_others(&self, arm: &Arm) -> bool {
        let others = self.experiment.arms(&self.profile);
        arm.data == Some(DataUsage::Alone)
            && others.into_iter().any(|other| other.after.as_ref() == Some(&arm.id))
    }

    /// Whether every arm learns from a data set alone.
    pub(crate) fn is_offline(&self) -> bool {
        self.experiment.arms(&self.profile).all(|arm| arm.data == Some(DataUsage::Alone))
    }

    /// What steps are, for axes.
    #[must_use]
    pub fn steps_axis(&self) -> &'static str {
        let mut arms = self.experiment.arms(&self.profile);
        if self.is_offline() {
            "Updates"
        } else if arms.any(|arm| self.is_before_others(arm)) {
            "Updates on the data set, then, from 0, environment steps"
        } else {
            "Environment steps"
        }
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

/// A recorded run with its returns in the task's points, where it has such.
fn in_points(mut state: State, task: &Task) -> State {
    if let (State::Recorded(run), Some(points)) = (&mut state, task.points) {
        let returns = run.evaluations.rows.iter_mut().flat_map(|row| &mut row.returns);
        returns.for_each(|value| *value = points.of(*value));
    }
    state
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

#[cfg(test)]
mod tests {
    use super::mean_within;

    #[test]
    fn a_look_ahead_takes_the_latest_value_and_at_the_end_the_last() {
        let values = [(0, 1.0), (10, 2.0), (20, 4.0), (30, 8.0)];
        let first_two = |step| (10..=20).contains(&step);
        let check = |ahead, expected| assert_eq!(mean_within(&values, first_two, ahead), expected, "{ahead}");
        check(0, Some(3.0));
        check(10, Some(6.0));
        check(15, Some(6.0));
        check(1000, Some(8.0));
        assert_eq!(mean_within(&values, |step| step > 30, 0), None);
    }
}
