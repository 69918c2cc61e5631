//! The plan: every run that a profile asks for.

use crate::protocol::distinct_seeds;
use crate::{Algorithm, Experiment, ExpertGoal, Profile, RunConfig, SCHEMA, Settings, Task};
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
            let steps =
                experiment.steps(task, profile).ok_or_else(|| BadInput::new("a task has no `steps`"))?;
            let expert = expert(experiment, task)?;
            let mut arms = Vec::new();
            for arm in experiment.arms(profile) {
                let settings = experiment.settings(task, Some(profile), Some(arm))?.only(arm.algorithm);
                for &seed in profile.seeds.get_ref() {
                    let mut config = base(experiment, task, settings.clone());
                    config.arm.clone_from(&arm.id);
                    config.seed = seed;
                    config.steps = steps;
                    config.algorithm = arm.algorithm;
                    config.mock.clone_from(&arm.mock);
                    let guided = arm.dai.as_ref().zip(expert.as_ref());
                    config.dai = guided.map(|(dai, expert)| dai.resolve(steps, expert.id()));
                    if selection.takes(&config) {
                        let needs = guided.map(|(_, expert)| expert.clone());
                        arms.push(Cell { config, needs });
                    }
                }
            }
            let needed = arms.iter().find_map(|cell: &Cell| cell.needs.clone());
            cells.extend(needed.map(|config| Cell { config, needs: None }));
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

/// The run that makes a task's expert, where the protocol has experts. It is the same in every profile.
fn expert(experiment: &Experiment, task: &Task) -> Result<Option<RunConfig>, BadInput> {
    let (Some(plan), Some(of)) = (&experiment.protocol.expert, &task.published) else { return Ok(None) };
    let Some(score) = experiment.reference.score(&of.source, &of.task) else { return Ok(None) };
    let goal = task.expert_fraction.unwrap_or(plan.fraction) * score.value;
    let expert = ExpertGoal { goal: (goal * 100.0).round() / 100.0, score_episodes: plan.score_episodes };
    let settings = experiment.settings(task, None, None)?.only(Algorithm::Td3);
    let base = base(experiment, task, settings);
    Ok(Some(RunConfig { seed: plan.seed, steps: plan.steps, expert: Some(expert), ..base }))
}

fn base(experiment: &Experiment, task: &Task, settings: Settings) -> RunConfig {
    let protocol = &experiment.protocol;
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
        td3: settings.td3,
        sac: settings.sac,
        replay: settings.replay,
        evaluation: settings.evaluation,
        dai: None,
        expert: None,
        mock: None,
    }
}
