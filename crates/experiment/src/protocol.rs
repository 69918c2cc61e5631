//! `protocol.toml`: what is trained and how it is measured, in the paper's terms.

use crate::generate::{Collect, Generate, Join};
use crate::offline::{
    DataUsage, DrolSettings, FqlSettings, IqlSettings, OfflineSettings, PexSettings, RebracSettings, Rewards,
};
use crate::{
    Algorithm, Claims, DaiSettings, Device, Evaluation, Mixing, MockSettings, MpdpSettings, NoisePlacement,
    Reference, ReplaySettings, RunId, SacSettings, ScheduleShape, Settings, Td3Settings, Window,
    check_schema,
};
use anyhow::Result;
use diagnostics::{BadInput, parse_toml};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A paper's files, read and checked.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The folder's name under `experiments/`.
    pub paper: String,
    /// What is trained and how it is measured.
    pub protocol: Protocol,
    /// Numbers from elsewhere.
    pub reference: Reference,
    /// What the paper says.
    pub claims: Claims,
    /// `notes.md`, where there is one: what is known of the paper, and where we depart from it. Markdown.
    pub notes: Option<String>,
}

/// What is trained and how it is measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// The version of this format.
    pub schema: u32,
    /// The paper's title.
    pub title: String,
    /// Where the paper stands.
    pub cite: String,
    /// The version of libmujoco.
    pub mujoco: String,
    /// What computes: chosen for all runs at once, by no file.
    #[serde(skip)]
    pub device: Device,
    /// TD3's settings, for every arm of the algorithms `td3` and `td3-dai`, and for experts.
    #[serde(default)]
    pub td3: Option<Td3Settings>,
    /// SAC's settings, for every arm of the algorithms `sac` and `mpdp`.
    #[serde(default)]
    pub sac: Option<SacSettings>,
    /// What MPDP adds, for every arm of the algorithm `mpdp`.
    #[serde(default)]
    pub mpdp: Option<MpdpSettings>,
    /// IQL's settings, for every arm of the algorithms `iql` and `pex`.
    #[serde(default)]
    pub iql: Option<IqlSettings>,
    /// What PEX adds, for every arm of the algorithm `pex`.
    #[serde(default)]
    pub pex: Option<PexSettings>,
    /// FQL's settings, for every arm of the algorithm `fql`.
    #[serde(default)]
    pub fql: Option<FqlSettings>,
    /// ReBRAC's settings, for every arm of the algorithm `rebrac`.
    #[serde(default)]
    pub rebrac: Option<RebracSettings>,
    /// DROL's settings, for every arm of the algorithm `drol`.
    #[serde(default)]
    pub drol: Option<DrolSettings>,
    /// How long arms that learn from a data set alone learn.
    #[serde(default)]
    pub offline: Option<OfflineSettings>,
    /// How stand-ins for data sets are made of what agents do.
    #[serde(default)]
    pub generate: Vec<Generate>,
    /// How stand-ins for data sets are made by script.
    #[serde(default)]
    pub collect: Vec<Collect>,
    /// How stand-ins for data sets are made of other stand-ins.
    #[serde(default)]
    pub join: Vec<Join>,
    /// The replay buffer, for every arm.
    pub replay: ReplaySettings,
    /// Evaluation, for every arm.
    pub evaluation: Evaluation,
    /// The experts that guide, where an arm has one.
    #[serde(default)]
    pub expert: Option<ExpertPlan>,
    /// Estimators of figures, tables and verdicts.
    pub statistics: Statistics,
    /// The arms, in the order in which figures show them.
    pub arm: Vec<Arm>,
    /// The tasks, in the order in which figures show them.
    pub task: Vec<Task>,
    /// How much of it to run.
    pub profile: BTreeMap<String, Profile>,
}

/// How each task's expert is made: a TD3 run that ends at a share of a published score.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertPlan {
    /// The share of the score.
    pub fraction: f64,
    /// The seed, apart from all arms' seeds.
    pub seed: u64,
    /// Environment steps at most.
    pub steps: u64,
    /// Episodes by which the chosen policy is scored.
    pub score_episodes: usize,
}

/// How runs become numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// k of the IQR rule: runs beyond the quartiles by more than k times their distance are dropped from the curve.
    pub iqr_factor: f64,
    /// The share of bootstrap replicates within an interval.
    pub confidence: f64,
    /// Bootstrap replicates.
    pub resamples: usize,
    /// The seed of the bootstrap.
    pub seed: u64,
    /// A run's final score is its mean over the evaluations within this share of its steps, from the end, at least the
    /// last one.
    #[serde(default = "Statistics::last_twentieth")]
    pub final_share: f64,
}

impl Statistics {
    /// Ten evaluations of a million steps, with one every 5,000.
    fn last_twentieth() -> f64 {
        0.05
    }

    /// The evaluations of a final score.
    #[must_use]
    pub fn final_window(&self) -> Window {
        Window::Last(self.final_share)
    }
}

/// One line of every panel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Its name in paths and filters.
    pub id: String,
    /// Its name in figures and tables.
    pub label: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// How it uses the task's data set, if it does.
    #[serde(default)]
    pub data: Option<DataUsage>,
    /// The arm whose run of the same task and seed it starts from, if from one.
    #[serde(default)]
    pub after: Option<String>,
    /// Whether its runs leave their networks, as those do anyway that another arm comes after.
    #[serde(default)]
    pub leaves_networks: bool,
    /// What DAI adds, for `td3-dai`.
    #[serde(default)]
    pub dai: Option<ArmDai>,
    /// A stand-in for the agent, in tests.
    #[serde(default)]
    pub mock: Option<MockSettings>,
    /// Where it departs from the settings that tasks and profile leave.
    #[serde(default)]
    pub set: toml::Table,
}

/// What DAI adds, with the schedule in shares of the budget.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArmDai {
    /// The shape of α(t).
    pub shape: ScheduleShape,
    /// α(0).
    pub start: f64,
    /// The share of the budget from which on α = 1.
    pub length: f64,
    /// How α shares the action.
    #[serde(default)]
    pub mixing: Mixing,
    /// Where exploration noise enters.
    pub noise: NoisePlacement,
    /// Whether the learner's share of the first actions is uniform random, as TD3's is.
    pub random_start: bool,
}

impl ArmDai {
    /// The settings of a run of `steps` steps.
    pub(crate) fn resolve(&self, steps: u64, expert: RunId) -> DaiSettings {
        DaiSettings {
            shape: self.shape,
            start: self.start,
            length: (self.length * steps as f64).round() as u64,
            mixing: self.mixing,
            noise: self.noise,
            random_start: self.random_start,
            expert,
        }
    }
}

/// A task's data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskData {
    /// Its id.
    pub set: String,
    /// What is done to rewards, the environment's too.
    #[serde(default)]
    pub rewards: Rewards,
}

/// An environment, and where it departs from the protocol's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The environment's id, or its data set's.
    pub id: String,
    /// Its name in figures and tables.
    pub title: String,
    /// The environment's id, where `id` is another.
    #[serde(default)]
    pub environment: Option<String>,
    /// The group of tasks whose mean the paper gives, if it is in one.
    #[serde(default)]
    pub group: Option<String>,
    /// Published tasks, or groups of them, whose numbers of the arms' algorithms stand below its own in tables: what a
    /// stand-in stands in for.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Its data set, where an arm uses one.
    #[serde(default)]
    pub data: Option<TaskData>,
    /// The published score that figures over several tasks divide by, and that an expert's goal is a share of.
    #[serde(default)]
    pub published: Option<ScoreOf>,
    /// Which returns are 0 and 100 points, where results are shown in points.
    #[serde(default)]
    pub points: Option<Points>,
    /// In place of `expert.fraction`.
    #[serde(default)]
    pub expert_fraction: Option<f64>,
    /// Environment steps, where a profile does not say.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Where it departs from the protocol's settings.
    #[serde(default)]
    pub set: toml::Table,
    /// Where it departs, for one arm alone, from all else.
    #[serde(default)]
    pub set_of_arm: BTreeMap<String, toml::Table>,
}

/// A task's own scale, as D4RL has one: 100 (return − low) / (high − low).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// The return that is 0 points: a random policy's.
    pub low: f64,
    /// The return that is 100 points: an expert's.
    pub high: f64,
}

impl Points {
    /// A return in points.
    #[must_use]
    pub fn of(self, value: f64) -> f64 {
        100.0 * (value - self.low) / (self.high - self.low)
    }
}

/// A number in `reference.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreOf {
    /// The source's id.
    pub source: String,
    /// The task's id there.
    pub task: String,
}

/// How much of the protocol to run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// What it is for and where it departs from the paper.
    pub about: String,
    /// Tasks by id.
    pub tasks: Spanned<Vec<String>>,
    /// Arms by id; all where absent.
    #[serde(default)]
    pub arms: Option<Spanned<Vec<String>>>,
    /// Seeds, the same for every arm.
    pub seeds: Spanned<Vec<u64>>,
    /// Environment steps; each task's own where absent.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Where it departs from the settings that tasks leave.
    #[serde(default)]
    pub set: toml::Table,
    /// The setting that its arms differ in, for a picture of scores against it.
    #[serde(default)]
    pub sweep: Option<Sweep>,
}

/// A setting that arms differ in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Its name in figures: `K`.
    pub name: String,
    /// Where it stands in a run's configuration: `drol.candidates`.
    pub setting: String,
}

impl Experiment {
    /// Reads `experiments/<paper>/` below `root`.
    ///
    /// # Errors
    /// [`BadInput`] if there is no such paper or a file is not as it must be.
    pub fn read(root: &Path, paper: &str) -> Result<Self> {
        let folder = root.join("experiments");
        let papers = Self::papers(root)?;
        if !papers.iter().any(|p| p == paper) {
            return Err(BadInput::unknown("paper", paper, papers.iter().map(String::as_str)).into());
        }
        let mut protocol: Protocol = read_toml(root, &folder.join(paper).join("protocol.toml"))?;
        for (name, profile) in &mut protocol.profile {
            profile.name.clone_from(name);
        }
        let reference: Reference = read_toml(root, &folder.join(paper).join("reference.toml"))?;
        let claims: Claims = read_toml(root, &folder.join(paper).join("claims.toml"))?;
        let notes = notes(&folder.join(paper).join("notes.md"))?;
        let experiment = Self { paper: paper.to_owned(), protocol, reference, claims, notes };
        experiment.check(root)?;
        Ok(experiment)
    }

    /// The papers below `experiments/`, by name.
    ///
    /// # Errors
    /// [`BadInput`] if there is no such folder.
    pub fn papers(root: &Path) -> Result<Vec<String>, BadInput> {
        let folder = root.join("experiments");
        let missing = |error: std::io::Error| {
            BadInput::new(format!("cannot read {}: {error}", folder.display()))
                .help("run from within a checkout of the project")
        };
        let entries = std::fs::read_dir(&folder).map_err(missing)?;
        let mut papers: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join("protocol.toml").is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        papers.sort();
        Ok(papers)
    }

    /// A profile by name.
    ///
    /// # Errors
    /// [`BadInput`] if there is none of that name.
    pub fn profile(&self, name: &str) -> Result<&Profile, BadInput> {
        let known = &self.protocol.profile;
        known.get(name).ok_or_else(|| BadInput::unknown("profile", name, known.keys().map(String::as_str)))
    }

    /// The arms of a profile, in the protocol's order.
    pub fn arms<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a Arm> {
        let taken = |arm: &&Arm| profile.arms.as_ref().is_none_or(|arms| arms.get_ref().contains(&arm.id));
        self.protocol.arm.iter().filter(taken)
    }

    /// The tasks of a profile, in the protocol's order.
    pub fn tasks<'a>(&'a self, profile: &'a Profile) -> impl Iterator<Item = &'a Task> {
        self.protocol.task.iter().filter(|task| profile.tasks.get_ref().contains(&task.id))
    }

    /// The settings of a run: the protocol's, with the departures of its task, its profile, its arm, and its task for
    /// that arm alone, in this order.
    ///
    /// # Errors
    /// [`BadInput`] if a departure names what there is not, or a setting has no meaning.
    pub fn settings(
        &self,
        task: &Task,
        profile: Option<&Profile>,
        arm: Option<&Arm>,
    ) -> Result<Settings, BadInput> {
        let departures = [
            Some((format!("task `{}`", task.id), &task.set)),
            profile.map(|profile| (format!("profile `{}`", profile.name), &profile.set)),
            arm.map(|arm| (format!("arm `{}`", arm.id), &arm.set)),
            arm.and_then(|arm| {
                let departure = task.set_of_arm.get(&arm.id)?;
                Some((format!("task `{}` for arm `{}`", task.id, arm.id), departure))
            }),
        ];
        let bad = |what: String| BadInput::new(format!("experiments/{}/protocol.toml: {what}", self.paper));
        let mut settings = Settings::of(&self.protocol);
        for (whose, departure) in departures.into_iter().flatten() {
            settings = settings.with(departure).map_err(|error| bad(format!("`set` of {whose}: {error}")))?;
        }
        settings.check().map_err(bad)?;
        Ok(settings)
    }

    /// The environment steps of a run on `task`; none if neither says.
    #[must_use]
    pub fn steps(&self, task: &Task, profile: &Profile) -> Option<u64> {
        profile.steps.or(task.steps)
    }
}

fn notes(path: &Path) -> Result<Option<String>, BadInput> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BadInput::new(format!("cannot read {}: {error}", path.display()))
            .help("make it a readable text in UTF-8, or remove it")),
    }
}

fn read_toml<T: serde::de::DeserializeOwned>(root: &Path, path: &PathBuf) -> Result<T, BadInput> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| BadInput::new(format!("cannot read {name}: {error}")))?;
    check_schema(&name, &text)?;
    parse_toml(&name, &text)
}
