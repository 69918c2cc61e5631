//! The plan: every run that a profile asks for.

use crate::protocol::distinct_seeds;
use crate::{Algorithm, Evaluation, Experiment, ExpertGoal, Profile, RunConfig, SCHEMA, Task};
use anyhow::Result;
use diagnostics::BadInput;

/// The runs of one profile of one experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runs: experts before those they guide.
    pub cells: Vec<Cell>,
}

/// One run of a plan.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The run, resolved.
    pub config: RunConfig,
    /// The expert's run that must be recorded first.
    pub needs: Option<RunConfig>,
}

/// What of a plan to take: `--only arm=td3`, `--except seed=3,4`.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    only: Vec<Filter>,
    except: Vec<Filter>,
}

#[derive(Clone, Debug)]
struct Filter {
    key: Key,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Arm,
    Task,
    Seed,
}

impl Selection {
    /// Parses filters of the form `arm=…`, `task=…` or `seed=…`, values apart by commas.
    ///
    /// # Errors
    /// [`BadInput`] if a filter has another form or names what `experiment` does not have.
    pub fn parse(experiment: &Experiment, only: &[String], except: &[String]) -> Result<Self, BadInput> {
        let parse = |filters: &[String]| -> Result<Vec<Filter>, BadInput> {
            filters.iter().map(|f| parse_filter(experiment, f)).collect()
        };
        Ok(Self { only: parse(only)?, except: parse(except)? })
    }

    fn takes(&self, config: &RunConfig) -> bool {
        let seed = config.seed.to_string();
        let matches = |filter: &Filter| {
            let value = match filter.key {
                Key::Arm => &config.arm,
                Key::Task => &config.task,
                Key::Seed => &seed,
            };
            filter.values.contains(value)
        };
        self.only.iter().all(matches) && !self.except.iter().any(matches)
    }
}

fn parse_filter(experiment: &Experiment, filter: &str) -> Result<Filter, BadInput> {
    let expected = "expected `arm=…`, `task=…` or `seed=…`, values apart by commas";
    let Some((key, values)) = filter.split_once('=') else {
        return Err(BadInput::new(format!("`{filter}` is no filter: {expected}")));
    };
    let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
    let protocol = &experiment.protocol;
    let (key, known): (Key, Vec<&str>) = match key {
        "arm" => (Key::Arm, protocol.arm.iter().map(|arm| arm.id.as_str()).collect()),
        "task" => (Key::Task, protocol.task.iter().map(|task| task.id.as_str()).collect()),
        "seed" => {
            let seeds: Result<Vec<u64>, _> = values.iter().map(|value| value.parse()).collect();
            let Ok(seeds) = seeds else {
                return Err(BadInput::new(format!(
                    "`{filter}` is no filter: a seed is a whole number from 0"
                )));
            };
            distinct_seeds(&seeds)?;
            return Ok(Filter { key: Key::Seed, values });
        }
        _ => return Err(BadInput::unknown("filter key", key, ["arm", "task", "seed"])),
    };
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        Some(value) => Err(BadInput::unknown(if key == Key::Arm { "arm" } else { "task" }, value, known)),
        None => Ok(Filter { key, values }),
    }
}

impl Plan {
    /// Every run of `profile` that `selection` takes, and the experts that those need.
    ///
    /// # Errors
    /// [`BadInput`] if the selection leaves nothing.
    pub fn new(experiment: &Experiment, profile: &Profile, selection: &Selection) -> Result<Self, BadInput> {
        let mut cells = Vec::new();
        for task in experiment.tasks(profile) {
            let expert = expert(experiment, task);
            let mut arms = Vec::new();
            for arm in experiment.arms(profile) {
                for &seed in profile.seeds.get_ref() {
                    let every = experiment.evaluate_every(profile, task);
                    let mut config = base(experiment, task, every);
                    config.arm.clone_from(&arm.id);
                    config.seed = seed;
                    config.steps = profile.steps;
                    config.algorithm = arm.algorithm;
                    if arm.algorithm == Algorithm::Sac {
                        config.sac.clone_from(&experiment.protocol.sac);
                        config.td3 = None;
                    }
                    let start_steps = profile.start_steps.or(task.start_steps);
                    config.set_start_steps(start_steps.unwrap_or(config.start_steps()));
                    config.mock.clone_from(&arm.mock);
                    config.dai = arm.dai.as_ref().map(|dai| dai.resolve(profile.steps, expert.id()));
                    if selection.takes(&config) {
                        let needs = config.dai.is_some().then(|| expert.clone());
                        arms.push(Cell { config, needs });
                    }
                }
            }
            if arms.iter().any(|cell| cell.needs.is_some()) {
                cells.push(Cell { config: expert, needs: None });
            }
            cells.append(&mut arms);
        }
        if cells.is_empty() {
            return Err(BadInput::new("the filters leave no run of this profile")
                .help("`cargo xtask plan` without filters lists its runs"));
        }
        // Experts first: others wait for them.
        cells.sort_by_key(|cell| cell.config.expert.is_none());
        Ok(Self { cells })
    }
}

/// The run that makes a task's expert. It is the same in every profile.
fn expert(experiment: &Experiment, task: &Task) -> RunConfig {
    let plan = &experiment.protocol.expert;
    let every = task.evaluate_every.unwrap_or(experiment.protocol.evaluation.every);
    let score = experiment.reference.score(&task.expert.source, &task.expert.task);
    let goal = task.expert.fraction.unwrap_or(plan.fraction)
        * score.expect("the experiment was checked to have it").value;
    let expert = ExpertGoal { goal: (goal * 100.0).round() / 100.0, score_episodes: plan.score_episodes };
    RunConfig { seed: plan.seed, steps: plan.steps, expert: Some(expert), ..base(experiment, task, every) }
}

fn base(experiment: &Experiment, task: &Task, every: u64) -> RunConfig {
    let protocol = &experiment.protocol;
    let mut td3 = protocol.td3.clone();
    td3.start_steps = task.start_steps.unwrap_or(td3.start_steps);
    RunConfig {
        schema: SCHEMA,
        paper: experiment.paper.clone(),
        task: task.id.clone(),
        arm: "expert".to_owned(),
        seed: 0,
        steps: 0,
        mujoco: protocol.mujoco.clone(),
        device: protocol.device,
        algorithm: Algorithm::Td3,
        td3: Some(td3),
        sac: None,
        replay: protocol.replay.clone(),
        evaluation: Evaluation { every, episodes: protocol.evaluation.episodes },
        dai: None,
        expert: None,
        mock: None,
    }
}
