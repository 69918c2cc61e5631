//! `protocol.toml`: what is trained and how it is measured, in the paper's terms.

use crate::{
    Algorithm, Claims, DaiSettings, Device, Evaluation, NoisePlacement, Reference, ReplaySettings, RunId,
};
use crate::{MockSettings, SacSettings, ScheduleShape, Td3Settings, check_name, check_schema};
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
    pub td3: Td3Settings,
    /// SAC's settings, for every arm of the algorithm `sac`.
    #[serde(default)]
    pub sac: Option<SacSettings>,
    /// The replay buffer, for every arm.
    pub replay: ReplaySettings,
    /// Evaluation, for every arm.
    pub evaluation: Evaluation,
    /// The experts that guide.
    pub expert: ExpertPlan,
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
    /// What DAI adds, for `td3-dai`.
    #[serde(default)]
    pub dai: Option<ArmDai>,
    /// A stand-in for the agent, in tests.
    #[serde(default)]
    pub mock: Option<MockSettings>,
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
            noise: self.noise,
            random_start: self.random_start,
            expert,
        }
    }
}

/// An environment, and where it departs from the protocol's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Gymnasium's id.
    pub id: String,
    /// Its name in figures and tables.
    pub title: String,
    /// The published score that its expert's goal is a share of.
    pub expert: ScoreOf,
    /// In place of the algorithm's `start_steps`.
    #[serde(default)]
    pub start_steps: Option<u64>,
    /// In place of `evaluation.every`.
    #[serde(default)]
    pub evaluate_every: Option<u64>,
}

/// A number in `reference.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreOf {
    /// The source's id.
    pub source: String,
    /// The task's id there.
    pub task: String,
    /// In place of `expert.fraction`.
    #[serde(default)]
    pub fraction: Option<f64>,
}

/// How much of the protocol to run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is for and where it departs from the paper.
    pub about: String,
    /// Tasks by id.
    pub tasks: Spanned<Vec<String>>,
    /// Arms by id; all where absent.
    #[serde(default)]
    pub arms: Option<Spanned<Vec<String>>>,
    /// Seeds, the same for every arm.
    pub seeds: Spanned<Vec<u64>>,
    /// Environment steps.
    pub steps: u64,
    /// In place of the algorithm's `start_steps`, where a budget is too short for it.
    #[serde(default)]
    pub start_steps: Option<u64>,
    /// In place of `evaluation.every`.
    #[serde(default)]
    pub evaluate_every: Option<u64>,
}

impl Experiment {
    /// Reads `experiments/<paper>/` below `root`.
    ///
    /// # Errors
    /// [`BadInput`] if there is no such paper or a file is not as it must be.
    pub fn read(root: &Path, paper: &str) -> Result<Self> {
        let folder = root.join("experiments");
        let papers = papers(&folder)?;
        if !papers.iter().any(|p| p == paper) {
            return Err(BadInput::unknown("paper", paper, papers.iter().map(String::as_str)).into());
        }
        let protocol: Protocol = read_toml(root, &folder.join(paper).join("protocol.toml"))?;
        let reference: Reference = read_toml(root, &folder.join(paper).join("reference.toml"))?;
        let claims: Claims = read_toml(root, &folder.join(paper).join("claims.toml"))?;
        let notes = notes(&folder.join(paper).join("notes.md"))?;
        let experiment = Self { paper: paper.to_owned(), protocol, reference, claims, notes };
        experiment.check(root)?;
        Ok(experiment)
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

    /// The evaluation interval of `task` in `profile`.
    #[must_use]
    pub fn evaluate_every(&self, profile: &Profile, task: &Task) -> u64 {
        profile.evaluate_every.or(task.evaluate_every).unwrap_or(self.protocol.evaluation.every)
    }

    fn check(&self, root: &Path) -> Result<(), BadInput> {
        let protocol = &self.protocol;
        let file = format!("experiments/{}/protocol.toml", self.paper);
        let bad = |message: String| Err(BadInput::new(format!("{file}: {message}")));
        check_settings(protocol).or_else(bad)?;
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
            if arm.algorithm == Algorithm::Sac && protocol.sac.is_none() {
                return bad(format!(
                    "arm `{}`: the algorithm `sac` takes its settings from `[sac]`: add it",
                    arm.id
                ));
            }
            if (arm.algorithm == Algorithm::Td3Dai) != arm.dai.is_some() {
                return bad(format!(
                    "arm `{}`: `dai = {{ … }}` goes with the algorithm `td3-dai` and with no other",
                    arm.id
                ));
            }
        }
        for task in &protocol.task {
            if self.reference.score(&task.expert.source, &task.expert.task).is_none() {
                return bad(format!(
                    "task `{}`: reference.toml has no score of source `{}` for task `{}`",
                    task.id, task.expert.source, task.expert.task
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
            for task in self.tasks(profile) {
                let every = self.evaluate_every(profile, task);
                if every == 0 || profile.steps == 0 || !profile.steps.is_multiple_of(every) {
                    return bad(format!(
                        "profile `{name}`: {} steps are not a whole number of evaluation intervals of {every} steps ({})",
                        profile.steps, task.id
                    ));
                }
            }
        }
        for claim in &self.claims.claim {
            if claim.reading.is_empty() {
                return Err(BadInput::new(format!(
                    "experiments/{}/claims.toml: claim `{}` has no reading: expected at least one",
                    self.paper, claim.id
                )));
            }
            if let Some(reading) = claim.reading.iter().find(|reading| !reading.window.is_within_a_run()) {
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
}

fn notes(path: &Path) -> Result<Option<String>, BadInput> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BadInput::new(format!("cannot read {}: {error}", path.display()))
            .help("make it a readable text in UTF-8, or remove it")),
    }
}

fn check_settings(protocol: &Protocol) -> Result<(), String> {
    let td3 = &protocol.td3;
    within("td3.discount", td3.discount, 0.0, 1.0)?;
    within("td3.polyak", td3.polyak, 0.0, 1.0)?;
    within("td3.learning_rate", td3.learning_rate, 0.0, 1.0)?;
    within("td3.exploration_noise", td3.exploration_noise, 0.0, 10.0)?;
    within("td3.target_policy_noise", td3.target_policy_noise, 0.0, 10.0)?;
    within("td3.target_noise_clip", td3.target_noise_clip, 0.0, 10.0)?;
    if let Some(sac) = &protocol.sac {
        within("sac.discount", sac.discount, 0.0, 1.0)?;
        within("sac.polyak", sac.polyak, 0.0, 1.0)?;
        within("sac.learning_rate", sac.learning_rate, 0.0, 1.0)?;
        within("sac.temperature", sac.temperature, 1e-6, 1e6)?;
        within("sac.target_entropy", sac.target_entropy.unwrap_or(-1.0), -100.0, 100.0)?;
    }
    within("expert.fraction", protocol.expert.fraction, 0.0, 10.0)?;
    within("statistics.confidence", protocol.statistics.confidence, 0.5, 0.999)?;
    within("statistics.iqr_factor", protocol.statistics.iqr_factor, 0.0, 100.0)?;
    for arm in &protocol.arm {
        if let Some(dai) = &arm.dai {
            within(&format!("start` of arm `{}", arm.id), dai.start, 0.0, 1.0)?;
            within(&format!("length` of arm `{}", arm.id), dai.length, 0.0, 1.0)?;
        }
    }
    for task in &protocol.task {
        let fraction = task.expert.fraction.unwrap_or(1.0);
        within(&format!("expert.fraction` of task `{}", task.id), fraction, 0.0, 10.0)?;
    }
    let sac: &[usize] = protocol.sac.as_ref().map_or(&[1], |sac| &sac.hidden);
    // What no machine holds is refused here, where it can be told, and not by the machine.
    let counts = [
        ("td3.policy_delay", td3.policy_delay, u64::MAX),
        ("td3.start_steps", td3.start_steps, u64::MAX),
        ("td3.hidden", narrowest(&td3.hidden), WIDEST),
        ("td3.hidden", widest(&td3.hidden), WIDEST),
        ("sac.start_steps", protocol.sac.as_ref().map_or(1, |sac| sac.start_steps), u64::MAX),
        ("sac.hidden", narrowest(sac), WIDEST),
        ("sac.hidden", widest(sac), WIDEST),
        ("replay.capacity", protocol.replay.capacity as u64, 1_000_000_000),
        ("replay.batch_size", protocol.replay.batch_size as u64, 1_000_000),
        ("evaluation.episodes", protocol.evaluation.episodes as u64, 10_000),
        ("expert.score_episodes", protocol.expert.score_episodes as u64, 1_000_000),
        ("statistics.resamples", protocol.statistics.resamples as u64, 10_000_000),
    ];
    match counts.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
        Some((name, 0, _)) => Err(format!("`{name}` must be at least 1")),
        Some((name, value, most)) => Err(format!("`{name}` is {value}, and must be at most {most}")),
        None => Ok(()),
    }
}

/// The most units of a hidden layer.
const WIDEST: u64 = 65_536;

fn widest(hidden: &[usize]) -> u64 {
    hidden.iter().max().map_or(0, |&width| width as u64)
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
            let of = format!("of source `{}` for task `{}", source.id, score.task);
            within(&format!("value` {of}"), score.value, -1e15, 1e15)?;
            within(&format!("spread` {of}"), score.spread.unwrap_or(0.0), 0.0, 1e15)?;
        }
    }
    Ok(())
}

fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(format!("`{name}` is {value}, and must lie within {low} and {high}"))
    }
}

fn narrowest(hidden: &[usize]) -> u64 {
    hidden.iter().min().map_or(0, |&width| width as u64)
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

fn papers(folder: &Path) -> Result<Vec<String>, BadInput> {
    let missing = |error: std::io::Error| {
        BadInput::new(format!("cannot read {}: {error}", folder.display()))
            .help("run from within a checkout of the project")
    };
    let entries = std::fs::read_dir(folder).map_err(missing)?;
    let mut papers: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("protocol.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    papers.sort();
    Ok(papers)
}

fn read_toml<T: serde::de::DeserializeOwned>(root: &Path, path: &PathBuf) -> Result<T, BadInput> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| BadInput::new(format!("cannot read {name}: {error}")))?;
    check_schema(&name, &text)?;
    parse_toml(&name, &text)
}
