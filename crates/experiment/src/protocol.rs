//! `protocol.toml`: what is trained and how it is measured, in the paper's terms.

use crate::generate::{Collect, Generate, Join, STAND_IN};
use crate::offline::{
    DataUsage, DrolSettings, FqlSettings, IqlSettings, OfflineSettings, PexSettings, RebracSettings, Rewards,
};
use crate::settings::{count, within};
use crate::{
    Algorithm, Claims, DaiSettings, Device, Evaluation, NoisePlacement, Reference, ReplaySettings, RunId,
};
use crate::{
    Mixing, MockSettings, MpdpSettings, SacSettings, ScheduleShape, Settings, Td3Settings, check_name,
    check_schema,
};
use crate::{Plan, Selection, Window};
use anyhow::Result;
use diagnostics::{BadInput, parse_toml};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
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
    /// What computes.
    #[serde(default)]
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

    fn check(&self, root: &Path) -> Result<(), BadInput> {
        let protocol = &self.protocol;
        let file = format!("experiments/{}/protocol.toml", self.paper);
        let bad = |message: String| Err(BadInput::new(format!("{file}: {message}")));
        check_protocol(protocol).or_else(bad)?;
        Settings::of(protocol).check().or_else(bad)?;
        let arms: Vec<&str> = protocol.arm.iter().map(|arm| arm.id.as_str()).collect();
        let tasks: Vec<&str> = protocol.task.iter().map(|task| task.id.as_str()).collect();
        check_names(&format!("{file}: arm"), &arms)?;
        check_names(&format!("{file}: task"), &tasks)?;
        for profile in protocol.profile.keys() {
            check_name(&format!("{file}: profile"), profile)?;
        }
        check_scores(&self.reference)
            .map_err(|what| BadInput::new(format!("experiments/{}/reference.toml: {what}", self.paper)))?;
        for arm in &protocol.arm {
            if (arm.algorithm == Algorithm::Td3Dai) != arm.dai.is_some() {
                return bad(format!(
                    "arm `{}`: `dai = {{ … }}` goes with the algorithm `td3-dai` and with no other",
                    arm.id
                ));
            }
            if arm.dai.is_some() && protocol.expert.is_none() {
                return bad(format!(
                    "arm `{}` is guided by an expert, and `[expert]` does not say how one is made: add it",
                    arm.id
                ));
            }
        }
        for arm in &protocol.arm {
            let other = |id: &String| protocol.arm.iter().find(|other| other.id == *id);
            match (&arm.after, arm.after.as_ref().and_then(other)) {
                (Some(id), None) => {
                    let what = format!("`after` of arm `{}` in {file}:", arm.id);
                    return Err(BadInput::unknown(&what, id, arms.iter().copied()));
                }
                (Some(id), Some(first)) if first.after.is_some() || first.dai.is_some() => {
                    return bad(format!(
                        "arm `{}` comes after `{id}`, which needs another run itself: one may come after one that needs none",
                        arm.id
                    ));
                }
                (None, _) if arm.algorithm == Algorithm::Pex => {
                    return bad(format!(
                        "arm `{}`: PEX joins the policy of a run: name that run's arm by `after = …`",
                        arm.id
                    ));
                }
                _ => {}
            }
        }
        let stand_ins: Vec<&str> = self.stand_ins().collect();
        for (i, id) in stand_ins.iter().enumerate() {
            if !id.starts_with(STAND_IN) || stand_ins[..i].contains(id) {
                return bad(format!(
                    "stand-in `{id}`: expected a name of its own that begins with `{STAND_IN}`: nobody must take it for \
                     what is published"
                ));
            }
            self.recipe(id)?;
        }
        for profile in protocol.profile.values() {
            if let Some(Sweep { setting, .. }) = &profile.sweep
                && let Ok(plan) = Plan::new(self, profile, &Selection::default())
                && !plan.cells.iter().any(|cell| cell.config.number(setting).is_some())
            {
                return bad(format!(
                    "`sweep` of profile `{}`: no run of it has a number at `{setting}`: expected a path such as \
                     `drol.candidates`",
                    profile.name
                ));
            }
        }
        for task in &protocol.task {
            if let Some(data) = &task.data {
                self.check_data(task, &data.set)?;
            }
            if let Some(arm) = task.set_of_arm.keys().find(|arm| !arms.contains(&arm.as_str())) {
                let what = format!("arm in `set_of_arm` of task `{}` in {file}:", task.id);
                return Err(BadInput::unknown(&what, arm, arms.iter().copied()));
            }
            if let Some(points) = &task.points
                && !(points.low.is_finite() && points.high.is_finite() && points.low < points.high)
            {
                return bad(format!(
                    "`points` of task `{}` are {} and {}: expected two numbers, the lower one first",
                    task.id, points.low, points.high
                ));
            }
            if let Some(of) = &task.published
                && self.reference.score(&of.source, &of.task).is_none()
            {
                return bad(format!(
                    "task `{}`: reference.toml has no score of source `{}` for task `{}`",
                    task.id, of.source, of.task
                ));
            }
            let published = || self.reference.source.iter().flat_map(|source| &source.scores);
            for name in task.beside.iter().chain(&task.group) {
                if !published().any(|score| score.task == *name) {
                    return bad(format!(
                        "task `{}`: reference.toml has no score for `{name}`, which `beside` or `group` names",
                        task.id
                    ));
                }
            }
            if protocol.expert.is_some() && task.published.is_none() {
                return bad(format!(
                    "task `{}`: an expert's goal is a share of a published score: add `published = {{ source = …, task = … }}`",
                    task.id
                ));
            }
        }
        let text = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        let at = |span: std::ops::Range<usize>, error: BadInput| error.at(&file, &text, span.start);
        for (name, profile) in &protocol.profile {
            for task in profile.tasks.get_ref() {
                if !tasks.contains(&task.as_str()) {
                    let error =
                        BadInput::unknown(&format!("task in profile `{name}`:"), task, tasks.iter().copied());
                    return Err(at(profile.tasks.span(), error));
                }
            }
            for arm in profile.arms.iter().flat_map(Spanned::get_ref) {
                if !arms.contains(&arm.as_str()) {
                    let span = profile.arms.as_ref().map_or(0..0, Spanned::span);
                    return Err(at(
                        span,
                        BadInput::unknown(&format!("arm in profile `{name}`:"), arm, arms.iter().copied()),
                    ));
                }
            }
            distinct_seeds(profile.seeds.get_ref()).map_err(|error| at(profile.seeds.span(), error))?;
            let in_points = self.tasks(profile).filter(|task| task.points.is_some()).count();
            if in_points != 0 && in_points != profile.tasks.get_ref().len() {
                let what = format!("some tasks of profile `{name}` have `points` and others have not");
                return Err(at(
                    profile.tasks.span(),
                    BadInput::new(what).help("give them to all or to none"),
                ));
            }
            for task in self.tasks(profile) {
                self.check_runs(profile, task)?;
            }
        }
        for claim in &self.claims.claim {
            if claim.reading.is_empty() {
                return Err(BadInput::new(format!(
                    "experiments/{}/claims.toml: claim `{}` has no reading: expected at least one",
                    self.paper, claim.id
                )));
            }
            if let Some(reading) = claim.reading.iter().find(|reading| {
                !reading.window.is_within_a_run() || !reading.baseline_window().is_within_a_run()
            }) {
                return Err(BadInput::new(format!(
                    "experiments/{}/claims.toml: the window of reading `{}` of claim `{}` is no share within 0 and 1",
                    self.paper, reading.id, claim.id
                )));
            }
            if !claim.threshold().is_some_and(|threshold| threshold.value().is_finite()) {
                return Err(BadInput::new(format!(
                    "experiments/{}/claims.toml: claim `{}` needs one threshold, a number: `above` or `below`",
                    self.paper, claim.id
                )));
            }
            let known = |kind: &str, found: &String, known: &[&str]| {
                let kind =
                    format!("{kind} of claim `{}` in experiments/{}/claims.toml:", claim.id, self.paper);
                let is_known = known.contains(&found.as_str());
                if is_known { Ok(()) } else { Err(BadInput::unknown(&kind, found, known.iter().copied())) }
            };
            let sources = self.reference.source.iter().map(|source| source.id.as_str());
            let sides: Vec<&str> = arms.iter().copied().chain(["expert"]).collect();
            known("arm", &claim.arm, &sides)?;
            known("baseline", &claim.baseline, &sides.iter().copied().chain(sources).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Checks that the data set `set` is known, and that it is of `task`'s environment, where that is one of OGBench's
    /// single tasks: their sets have no rewards, and one of another maze fits in every size.
    fn check_data(&self, task: &Task, set: &str) -> Result<(), BadInput> {
        let recipe = self.recipe(set)?;
        let environment = task.environment.as_deref().unwrap_or(&task.id);
        let Some(expected) = family_of_single_task(environment) else { return Ok(()) };
        let (source, made) = match &recipe {
            None => (set, String::new()),
            Some(recipe) => (recipe.source(), format!(", made as `{}`,", recipe.source())),
        };
        let found = family_of_single_task(source).unwrap_or_else(|| family_of_set(source));
        if found == expected {
            return Ok(());
        }
        let message = format!(
            "experiments/{}/protocol.toml: task `{}`: data set `{set}`{made} is of `{found}`: expected one of \
             `{expected}`, as `{environment}` is",
            self.paper, task.id
        );
        let help = format!(
            "take a set of `{expected}`, or an environment of `{found}`; `cargo xtask data list` has the sets"
        );
        Err(BadInput::new(message).help(help))
    }

    /// Checks what every arm of `profile` would do on `task`.
    fn check_runs(&self, profile: &Profile, task: &Task) -> Result<(), BadInput> {
        let bad = |message: String| {
            Err(BadInput::new(format!("experiments/{}/protocol.toml: {message}", self.paper)))
        };
        let Some(steps) = self.steps(task, profile) else {
            return bad(format!(
                "neither profile `{}` nor task `{}` has `steps`: add them to one of the two",
                profile.name, task.id
            ));
        };
        let common = self.settings(task, Some(profile), None)?;
        let every = common.evaluation.every;
        if every == 0 || steps == 0 || !steps.is_multiple_of(every) {
            return bad(format!(
                "profile `{}`: {steps} steps are not a whole number of evaluation intervals of {every} steps ({})",
                profile.name, task.id
            ));
        }
        for arm in self.arms(profile) {
            let settings = self.settings(task, Some(profile), Some(arm))?;
            if settings.evaluation != common.evaluation {
                return bad(format!(
                    "`set` of arm `{}`: all arms are evaluated alike: remove `evaluation`",
                    arm.id
                ));
            }
            if arm.data.is_some() && task.data.is_none() {
                return bad(format!(
                    "arm `{}` learns from a data set, and task `{}` has none: add `data = {{ set = … }}`",
                    arm.id, task.id
                ));
            }
            if arm.data == Some(DataUsage::Alone) && settings.offline.is_none() {
                return bad(format!(
                    "arm `{}` learns from a data set alone, and `[offline]` does not say how long: add it",
                    arm.id
                ));
            }
            if arm.algorithm == Algorithm::Rebrac && arm.data != Some(DataUsage::Alone) {
                return bad(format!(
                    "arm `{}`: ReBRAC learns from a data set alone: give the arm `data = \"alone\"`",
                    arm.id
                ));
            }
            if let Some(table) = settings.missing(arm.algorithm) {
                return bad(format!(
                    "arm `{}`: the algorithm `{}` takes its settings from `[{table}]`: add it",
                    arm.id,
                    arm.algorithm.id()
                ));
            }
        }
        Ok(())
    }
}

/// `antmaze-large` of `antmaze-large-singletask-task1-v0` and of `antmaze-large-navigate-singletask-v0`; `None` if it
/// is none of OGBench's single tasks.
fn family_of_single_task(environment: &str) -> Option<&str> {
    let (family, _) = environment.split_once("-singletask")?;
    Some(without_collection(family))
}

/// `antmaze-large` of `antmaze-large-navigate-v0` and of `ogbench/antmaze-large-navigate-v0`.
fn family_of_set(set: &str) -> &str {
    let name = set.rsplit_once('/').map_or(set, |(_, name)| name);
    without_collection(name.rsplit_once("-v").map_or(name, |(name, _)| name))
}

/// A name without OGBench's word for how data were collected.
fn without_collection(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((family, "navigate" | "stitch" | "explore" | "play" | "noisy")) => family,
        _ => name,
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

fn check_protocol(protocol: &Protocol) -> Result<(), String> {
    if let Some(expert) = &protocol.expert {
        within("expert.fraction", expert.fraction, 0.0, 10.0)?;
        count("expert.score_episodes", expert.score_episodes as u64, 1_000_000)?;
        if protocol.td3.is_none() {
            return Err("experts are TD3's, and there is no `[td3]`: add it".to_owned());
        }
    }
    within("statistics.confidence", protocol.statistics.confidence, 0.5, 0.999)?;
    within("statistics.iqr_factor", protocol.statistics.iqr_factor, 0.0, 100.0)?;
    within("statistics.final_share", protocol.statistics.final_share, 0.0, 1.0)?;
    if protocol.statistics.final_share == 0.0 {
        return Err("`statistics.final_share` must be above 0".to_owned());
    }
    count("statistics.resamples", protocol.statistics.resamples as u64, 10_000_000)?;
    for arm in &protocol.arm {
        if let Some(dai) = &arm.dai {
            within(&format!("start` of arm `{}", arm.id), dai.start, 0.0, 1.0)?;
            within(&format!("length` of arm `{}", arm.id), dai.length, 0.0, 1.0)?;
        }
    }
    for task in &protocol.task {
        within(
            &format!("expert_fraction` of task `{}", task.id),
            task.expert_fraction.unwrap_or(1.0),
            0.0,
            10.0,
        )?;
    }
    Ok(())
}

/// Names that are folders', none twice.
fn check_names(what: &str, names: &[&str]) -> Result<(), BadInput> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_name(what, name)?;
        if !seen.insert(name) {
            return Err(BadInput::new(format!(
                "{what} `{name}` stands twice: give each one a name of its own"
            )));
        }
    }
    Ok(())
}

fn check_scores(reference: &Reference) -> Result<(), String> {
    for source in &reference.source {
        for score in &source.scores {
            let of = format!("of source `{}` for task `{}`", source.id, score.task);
            within(&format!("value` {of}"), score.value, -1e15, 1e15)?;
            within(&format!("spread` {of}"), score.spread.unwrap_or(0.0), 0.0, 1e15)?;
        }
    }
    Ok(())
}

/// Seeds, none twice.
pub(crate) fn distinct_seeds(seeds: &[u64]) -> Result<(), BadInput> {
    let mut seen = BTreeSet::new();
    match seeds.iter().find(|seed| !seen.insert(**seed)) {
        _ if seeds.is_empty() => Err(BadInput::new("the list of seeds is empty: expected at least one seed")),
        Some(seed) => Err(BadInput::new(format!("seed {seed} stands twice in the list of seeds"))
            .help("two runs of one seed are the same run: give each seed once")),
        None => Ok(()),
    }
}

fn read_toml<T: serde::de::DeserializeOwned>(root: &Path, path: &PathBuf) -> Result<T, BadInput> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| BadInput::new(format!("cannot read {name}: {error}")))?;
    check_schema(&name, &text)?;
    parse_toml(&name, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_and_sets_of_one_family_have_its_name() {
        let check = |environment: &str, set: &str, is_one: bool| {
            let same = family_of_single_task(environment).map(|family| family == family_of_set(set));
            assert_eq!(same, Some(is_one), "{environment}, {set}");
        };
        check("antmaze-large-singletask-task1-v0", "antmaze-large-navigate-v0", true);
        check("antmaze-large-singletask-task1-pre-v0", "ogbench/antmaze-large-stitch-v0", true);
        check("antmaze-large-stitch-singletask-v0", "antmaze-large-explore-v0", true);
        check("cube-single-singletask-task2-v0", "cube-single-noisy-v0", true);
        check("antmaze-large-singletask-task1-v0", "antmaze-giant-navigate-v0", false);
        check("puzzle-3x3-singletask-v0", "puzzle-4x4-play-v0", false);
        check("cube-single-singletask-v0", "visual-cube-single-play-v0", false);
        assert_eq!(family_of_single_task("antmaze-large-play-v2"), None);
    }
}
