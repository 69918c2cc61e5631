//! The plan: every run that a profile asks for.

use crate::check::distinct_seeds;
use crate::offline::{DataSettings, DataUsage};
use crate::{Algorithm, Arm, Device, Experiment, ExpertGoal, Profile, RunConfig, SCHEMA, Settings, Task};
use anyhow::Result;
use diagnostics::BadInput;

/// The runs of one profile of one experiment.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runs, each after the one that it needs.
    pub cells: Vec<Cell>,
}

/// One run of a plan.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The run, resolved.
    pub config: RunConfig,
    /// The run that must be recorded first: the expert's, or the one whose networks it starts from.
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
            let values = seeds.iter().map(u64::to_string).collect();
            return Ok(Filter { key: Key::Seed, values });
        }
        _ => return Err(BadInput::unknown("filter key", key, ["arm", "task", "seed"])),
    };
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        Some(value) if value.contains('=') => Err(BadInput::new(format!("`{filter}` has two keys"))
            .help("one key a flag: repeat `--only` or `--except`")),
        Some(value) => Err(BadInput::unknown(if key == Key::Arm { "arm" } else { "task" }, value, known)),
        None => Ok(Filter { key, values }),
    }
}

impl Plan {
    /// Every profile's runs on every device, with the profile's name.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn all(experiment: &Experiment) -> Result<Vec<(Device, String, Self)>, BadInput> {
        let mut plans = Vec::new();
        for device in [Device::Cpu, Device::Cuda] {
            let mut experiment = experiment.clone();
            experiment.protocol.device = device;
            for (name, profile) in &experiment.protocol.profile {
                let plan = Self::new(&experiment, profile, &Selection::default())?;
                plans.push((device, name.clone(), plan));
            }
        }
        Ok(plans)
    }

    /// Every run of `profile` that `selection` takes, and the runs that those need.
    ///
    /// # Errors
    /// [`BadInput`] if the selection leaves nothing.
    pub fn new(experiment: &Experiment, profile: &Profile, selection: &Selection) -> Result<Self, BadInput> {
        let (mut first, mut then) = (Vec::new(), Vec::new());
        for task in experiment.tasks(profile) {
            let expert = expert(experiment, task)?;
            let mut needed: Vec<Cell> = Vec::new();
            let mut wanted = Vec::new();
            for arm in experiment.arms(profile) {
                for &seed in profile.seeds.get_ref() {
                    let cell = cell(experiment, profile, task, arm, seed, expert.as_ref())?;
                    if !selection.takes(&cell.config) {
                        continue;
                    }
                    if let Some(config) = cell.needs.clone()
                        && !needed.iter().any(|other| other.config == config)
                    {
                        needed.push(Cell { config, needs: None });
                    }
                    wanted.push(cell);
                }
            }
            wanted.retain(|cell| !needed.iter().any(|other| other.config == cell.config));
            first.append(&mut needed);
            then.append(&mut wanted);
        }
        // Others wait for them.
        let cells = [first, then].concat();
        if cells.is_empty() {
            return Err(BadInput::new("the filters leave no run of this profile")
                .help("`cargo xtask plan` without filters lists its runs"));
        }
        Ok(Self { cells })
    }
}

/// The run of `arm` on `task` with `seed`.
fn cell(
    experiment: &Experiment,
    profile: &Profile,
    task: &Task,
    arm: &Arm,
    seed: u64,
    expert: Option<&RunConfig>,
) -> Result<Cell, BadInput> {
    let steps = experiment.steps(task, profile).ok_or_else(|| BadInput::new("a task has no `steps`"))?;
    let settings = experiment.settings(task, Some(profile), Some(arm))?.only(arm.algorithm);
    let offline = settings.offline.clone().filter(|_| arm.data == Some(DataUsage::Alone));
    let mut config = base(experiment, (&task.id, task.environment.as_ref()), settings);
    config.arm.clone_from(&arm.id);
    config.seed = seed;
    config.steps = steps;
    if let Some(offline) = offline {
        config.steps = offline.steps;
        config.evaluation.every = offline.every;
    }
    config.algorithm = arm.algorithm;
    config.mock.clone_from(&arm.mock);
    if let Some((usage, data)) = arm.data.zip(task.data.as_ref()) {
        let recipe = experiment.recipe(&data.set)?.map(|recipe| recipe.digest());
        config.data = Some(DataSettings { set: data.set.clone(), recipe, usage, rewards: data.rewards });
    }
    let guided = arm.dai.as_ref().zip(expert);
    config.dai = guided.map(|(dai, expert)| dai.resolve(steps, expert.id()));
    let arms = &experiment.protocol.arm;
    config.leaves_networks =
        arm.leaves_networks || arms.iter().any(|other| other.after.as_ref() == Some(&arm.id));
    let first = arms.iter().find(|other| Some(&other.id) == arm.after.as_ref());
    let first = first
        .map(|first| cell(experiment, profile, task, first, seed, None))
        .transpose()?
        .map(|cell| cell.config);
    config.after = first.as_ref().map(RunConfig::id);
    Ok(Cell { config, needs: first.or(guided.map(|(_, expert)| expert.clone())) })
}

/// The run that makes a task's expert, where the protocol has experts. It is the same in every profile.
fn expert(experiment: &Experiment, task: &Task) -> Result<Option<RunConfig>, BadInput> {
    let (Some(plan), Some(of)) = (&experiment.protocol.expert, &task.published) else { return Ok(None) };
    let Some(score) = experiment.reference.score(&of.source, &of.task) else { return Ok(None) };
    let goal = task.expert_fraction.unwrap_or(plan.fraction) * score.value;
    let expert = ExpertGoal { goal: (goal * 100.0).round() / 100.0, score_episodes: plan.score_episodes };
    let settings = experiment.settings(task, None, None)?.only(Algorithm::Td3);
    let base = base(experiment, (&task.id, task.environment.as_ref()), settings);
    Ok(Some(RunConfig { seed: plan.seed, steps: plan.steps, expert: Some(expert), ..base }))
}

/// A run on a task, whose environment may have another id, before it is anybody's.
pub(crate) fn base(
    experiment: &Experiment,
    (task, environment): (&str, Option<&String>),
    settings: Settings,
) -> RunConfig {
    let protocol = &experiment.protocol;
    RunConfig {
        schema: SCHEMA,
        paper: experiment.paper.clone(),
        task: task.to_owned(),
        environment: environment.cloned(),
        arm: "expert".to_owned(),
        seed: 0,
        steps: 0,
        mujoco: protocol.mujoco.clone(),
        device: protocol.device,
        algorithm: Algorithm::Td3,
        td3: settings.td3,
        sac: settings.sac,
        mpdp: settings.mpdp,
        iql: settings.iql,
        pex: settings.pex,
        fql: settings.fql,
        rebrac: settings.rebrac,
        drol: settings.drol,
        replay: settings.replay,
        evaluation: settings.evaluation,
        data: None,
        after: None,
        leaves_networks: false,
        dai: None,
        expert: None,
        mock: None,
    }
}
