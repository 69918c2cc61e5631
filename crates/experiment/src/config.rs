//! One run, resolved: everything that decides its bytes, and nothing else.

use crate::offline::{
    DataSettings, DataUsage, DrolSettings, FqlSettings, IqlSettings, PexSettings, RebracSettings,
};
use crate::{check_name, check_schema};
use diagnostics::BadInput;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a run is. Two runs with equal configurations are the same run; the hash of this is its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The version of this format.
    pub schema: u32,
    /// The paper's folder name under `experiments/`.
    pub paper: String,
    /// The task's id: its environment's, as Gymnasium names it, or its data set's.
    pub task: String,
    /// The environment's id, where the task's is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The arm's id in the protocol, or `expert`.
    pub arm: String,
    /// The seed of all of the run's random streams; one that comes after another derives theirs from it.
    pub seed: u64,
    /// Environment steps at most; updates, of a run that learns from a data set alone.
    pub steps: u64,
    /// The version of libmujoco.
    pub mujoco: String,
    /// What computes: it decides the last bits.
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    pub device: Device,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// TD3's own settings, for the algorithms `td3` and `td3-dai`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub td3: Option<Td3Settings>,
    /// SAC's own settings, for the algorithms `sac` and `mpdp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sac: Option<SacSettings>,
    /// What MPDP adds to SAC's, for the algorithm `mpdp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mpdp: Option<MpdpSettings>,
    /// IQL's own settings, for the algorithms `iql` and `pex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iql: Option<IqlSettings>,
    /// What PEX adds to IQL's, for the algorithm `pex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pex: Option<PexSettings>,
    /// FQL's own settings, for the algorithm `fql`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fql: Option<FqlSettings>,
    /// ReBRAC's own settings, for the algorithm `rebrac`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebrac: Option<RebracSettings>,
    /// DROL's own settings, for the algorithm `drol`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drol: Option<DrolSettings>,
    /// The replay buffer.
    pub replay: ReplaySettings,
    /// When and how the policy is evaluated.
    pub evaluation: Evaluation,
    /// The data set that it learns from, if from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSettings>,
    /// The run whose networks it starts from, if from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RunId>,
    /// Whether it leaves its networks for another run to start from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_networks: bool,
    /// What DAI adds, for the algorithm `td3-dai`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dai: Option<DaiSettings>,
    /// What makes this run an expert's, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<ExpertGoal>,
    /// A stand-in for the agent, in tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mock: Option<MockSettings>,
}

/// What a learner computes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// One core.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, in a program that was built for it.
    Cuda,
}

impl Device {
    fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }
}

impl std::str::FromStr for Device {
    type Err = BadInput;

    fn from_str(name: &str) -> Result<Self, BadInput> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => Err(BadInput::unknown("device", name, ["cpu", "cuda"])),
        }
    }
}

/// The algorithms that can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Fujimoto, van Hoof and Meger 2018.
    Td3,
    /// Cao 2025, on TD3.
    Td3Dai,
    /// Haarnoja et al. 2018.
    Sac,
    /// Li et al. 2023, on SAC.
    Mpdp,
    /// Kostrikov, Nair and Levine 2021.
    Iql,
    /// Zhang, Xu and Yu 2023, on IQL.
    Pex,
    /// Park, Li and Levine 2025.
    Fql,
    /// Tarasov et al. 2023.
    Rebrac,
    /// Mu et al. 2026.
    Drol,
}

impl Algorithm {
    /// The tables of settings that it takes.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Td3 | Self::Td3Dai => &["td3"],
            Self::Sac => &["sac"],
            Self::Mpdp => &["sac", "mpdp"],
            Self::Iql => &["iql"],
            Self::Pex => &["iql", "pex"],
            Self::Fql => &["fql"],
            Self::Rebrac => &["rebrac"],
            Self::Drol => &["drol"],
        }
    }

    /// Its name in files.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Td3 => "td3",
            Self::Td3Dai => "td3-dai",
            Self::Sac => "sac",
            Self::Mpdp => "mpdp",
            Self::Iql => "iql",
            Self::Pex => "pex",
            Self::Fql => "fql",
            Self::Rebrac => "rebrac",
            Self::Drol => "drol",
        }
    }

    /// Its name in papers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Td3 => "TD3",
            Self::Td3Dai => "TD3-DAI",
            Self::Sac => "SAC",
            Self::Mpdp => "MPDP",
            Self::Iql => "IQL",
            Self::Pex => "PEX",
            Self::Fql => "FQL",
            Self::Rebrac => "ReBRAC",
            Self::Drol => "DROL",
        }
    }

    /// The columns of `train.csv` that its updates fill, each a mean since the line before.
    #[must_use]
    pub fn losses(self) -> &'static [&'static str] {
        match self {
            Self::Td3 | Self::Td3Dai | Self::Sac | Self::Rebrac => &["critic_loss", "actor_loss"],
            Self::Mpdp => &["critic_loss", "actor_loss", "mean_horizon", "model_error"],
            Self::Iql => &["critic_loss", "actor_loss", "value_loss"],
            Self::Pex => &[
                "critic_loss",
                "actor_loss",
                "value_loss",
                "offline_share",
                "offline_share_in_update",
                "offline_q",
                "online_q",
            ],
            Self::Fql => &["critic_loss", "actor_loss", "bc_flow_loss", "distill_loss"],
            Self::Drol => &[
                "critic_loss",
                "actor_loss",
                "bc_loss",
                "saturated_share",
                "candidate_divergence",
                "pairwise_distance",
            ],
        }
    }

    /// Whether its policy draws when it is evaluated, as its authors evaluate it, and not only in training.
    #[must_use]
    pub fn draws_when_evaluated(self) -> bool {
        matches!(self, Self::Pex | Self::Fql | Self::Drol)
    }
}

/// TD3's settings, by the names of its paper. Noise is in units of the action limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Td3Settings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate, actor and critics.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// τ.
    pub polyak: f64,
    /// Standard deviation of the exploration noise.
    pub exploration_noise: f64,
    /// Standard deviation of the target policy's noise.
    pub target_policy_noise: f64,
    /// Clip of the target policy's noise.
    pub target_noise_clip: f64,
    /// Critic updates for each actor update.
    pub policy_delay: u64,
    /// Steps with uniform random actions, before updates begin.
    pub start_steps: u64,
}

/// SAC's settings, by the names of its paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SacSettings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate: actor, critics and temperature.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// τ.
    pub polyak: f64,
    /// α, or what it starts from where it is learned.
    pub temperature: f64,
    /// The entropy, an action dimension, that α is learned for; α stays as it is where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_entropy: Option<f64>,
    /// Steps with uniform random actions, before updates begin.
    pub start_steps: u64,
}

/// What MPDP adds to SAC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MpdpSettings {
    /// H, steps of a plan at most.
    pub horizon: u64,
    /// β, what a unit of model error costs in a plan.
    pub penalty: f64,
    /// The scale of the error that β multiplies.
    pub penalty_scale: ErrorScale,
    /// u_T: a plan stops where the model's error reaches it.
    pub error_threshold: f64,
    /// The scale on which it does.
    pub threshold_scale: ErrorScale,
    /// Whether disagreement about the reward counts as error too.
    pub error_of_reward: bool,
    /// What the last step of a plan adds.
    pub stop: StopRule,
    /// How far beyond all seen states a prediction may lie, in shares of their range; farther is uncertain.
    pub range_margin: f64,
    /// Whether all steps of a plan share one policy.
    pub shared_policy: bool,
    /// Whether a step's policy starts as a copy of the first when a plan first reaches it.
    pub copy_when_reached: bool,
    /// Whether policies that no plan of an update reached take an optimiser step all the same.
    pub step_unreached: bool,
    /// The longest gradient of a policy; any length where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gradient: Option<f64>,
    /// Whether the model's mean stands for a draw.
    pub mean_prediction: bool,
    /// Whether plans end in the values of the target critics.
    pub target_values: bool,
    /// Whether the penalty is taken off the critics' rewards too.
    pub critic_penalty: bool,
    /// Environment steps between two trainings of the model.
    pub fit_every: u64,
    /// The model.
    pub model: ModelSettings,
}

/// An ensemble of Gaussian networks that predict reward and next state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// Networks.
    pub members: usize,
    /// Those of them that predict.
    pub elites: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The coefficient of ½ ‖w‖² of each layer.
    pub weight_decay: Vec<f64>,
    /// Transitions a member sees in each step.
    pub batch_size: usize,
    /// The share of the data that is held out.
    pub holdout: f64,
    /// Transitions held out at most.
    pub most_held_out: usize,
    /// Training ends after more than so many epochs in a row that made no member better.
    pub patience: u64,
    /// Epochs at most.
    pub epochs: u64,
    /// The bounds of the log-variance, low before high.
    pub log_variance: [f64; 2],
    /// Whether the bounds are learned from there.
    pub learned_bounds: bool,
}

/// What a model's error is counted in; see `agents::ErrorScale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorScale {
    /// Summed over members and dimensions.
    Sum,
    /// A member's mean.
    Mean,
    /// A member's and a dimension's mean.
    MeanPerDimension,
}

/// What the last step of a plan adds; see `agents::plan::Stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopRule {
    /// The action's value.
    Q,
    /// The model's reward and the next state's value.
    V,
    /// What the paper's listing has.
    Printed,
}

/// The replay buffer: uniform draws with replacement, the oldest row overwritten when full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaySettings {
    /// Transitions kept.
    pub capacity: usize,
    /// Transitions drawn for each update.
    pub batch_size: usize,
    /// Updates an environment step.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub updates_per_step: u64,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

/// Evaluation without noise, from the same start states every time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Steps between evaluations, of the environment or, on data alone, updates; there is one before the first.
    pub every: u64,
    /// Episodes an evaluation.
    pub episodes: usize,
    /// What is measured of an episode.
    #[serde(default, skip_serializing_if = "Measure::is_return")]
    pub measure: Measure,
}

/// What is measured of an evaluation's episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The sum of its rewards.
    #[default]
    Return,
    /// 1 if it ended with success, else 0.
    Success,
}

impl Measure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_return(&self) -> bool {
        *self == Self::Return
    }
}

/// How α rises; see `agents::ScheduleShape`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleShape {
    /// In proportion to t.
    Linear,
    /// Slow at both ends.
    Cosine,
    /// All expert, then all learner.
    Step,
    /// The start value throughout.
    Constant,
}

/// How expert and learner share the executed action; see `agents::Mixing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mixing {
    /// In the proportion of α: what is meant where nothing is said.
    #[default]
    Interpolate,
    /// One of them whole, the learner with probability α.
    Choose,
}

impl Mixing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_interpolate(&self) -> bool {
        *self == Self::Interpolate
    }
}

/// Where exploration noise enters the executed action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoisePlacement {
    /// In the learner's action, so that it shrinks with α.
    BeforeBlend,
    /// On the blended action.
    AfterBlend,
}

/// What DAI adds to TD3, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaiSettings {
    /// The shape of α(t).
    pub shape: ScheduleShape,
    /// α(0).
    pub start: f64,
    /// The step from which on α = 1.
    pub length: u64,
    /// How α shares the action.
    #[serde(default, skip_serializing_if = "Mixing::is_interpolate")]
    pub mixing: Mixing,
    /// Where exploration noise enters.
    pub noise: NoisePlacement,
    /// Whether the learner's share of the first `start_steps` actions is uniform random, as TD3's is.
    pub random_start: bool,
    /// The run that trained the expert.
    pub expert: RunId,
}

/// A stand-in for the agent, for tests of all that is around agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MockSettings {
    /// Microseconds that a step takes at least.
    pub pace: u64,
    /// What goes wrong, if something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<MockFault>,
    /// The step at which it does.
    #[serde(default)]
    pub at: u64,
}

/// How a mock fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MockFault {
    /// It returns an error.
    Error,
    /// It aborts.
    Abort,
    /// It is killed.
    Kill,
    /// It overflows its stack.
    Overflow,
    /// It does nothing any more.
    Hang,
    /// It asks for all the memory there is.
    Memory,
    /// It writes 20 MB to its standard error, and goes on.
    Flood,
}

/// What turns a TD3 run into an expert's: it ends at its goal and keeps the policy nearest to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertGoal {
    /// The mean return that the expert is meant to have.
    pub goal: f64,
    /// Episodes by which the chosen policy is scored.
    pub score_episodes: usize,
}

/// The name of a run: the first 12 hexadecimal digits of the SHA-256 of its configuration as TOML.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RunConfig {
    /// The configuration as it is written and hashed.
    ///
    /// # Panics
    /// Never: every field has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field of a configuration has a TOML form")
    }

    /// This run's name.
    #[must_use]
    pub fn id(&self) -> RunId {
        RunId::of(&self.to_toml())
    }

    /// Where the run lies below `results/<paper>/`: for people first, then the hash.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("{}/{}/seed{}-{}-{}", self.task, self.arm, self.seed, steps_label(self.steps), self.id())
    }

    /// Widths of the hidden layers.
    #[must_use]
    pub fn hidden(&self) -> &[usize] {
        let td3 = self.td3.as_ref().map(|td3| &td3.hidden);
        let sac = self.sac.as_ref().map(|sac| &sac.hidden);
        let iql = self.iql.as_ref().map(|iql| &iql.hidden);
        let fql = self.fql.as_ref().map(|fql| &fql.hidden);
        let rebrac = self.rebrac.as_ref().map(|rebrac| &rebrac.hidden);
        let drol = self.drol.as_ref().map(|drol| &drol.hidden);
        td3.or(sac).or(iql).or(fql).or(rebrac).or(drol).map_or(&[], Vec::as_slice)
    }

    /// The number at `setting`, such as `drol.candidates`, if there is one.
    #[must_use]
    pub fn number(&self, setting: &str) -> Option<f64> {
        let table = toml::Table::try_from(self).ok()?;
        let (parts, name) = setting.rsplit_once('.')?;
        let mut at = &table;
        for part in parts.split('.') {
            at = at.get(part)?.as_table()?;
        }
        let value = at.get(name)?;
        value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64))
    }

    /// Environment steps before updates begin; TD3's and SAC's actions are uniform random until then.
    #[must_use]
    pub fn start_steps(&self) -> u64 {
        let td3 = self.td3.as_ref().map(|td3| td3.start_steps);
        let sac = self.sac.as_ref().map(|sac| sac.start_steps);
        td3.or(sac).or(self.iql.as_ref().map(|iql| iql.start_steps)).unwrap_or(0)
    }

    /// The environment's id.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.environment.as_deref().unwrap_or(&self.task)
    }

    /// Whether it learns from a data set alone.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.data_usage() == Some(DataUsage::Alone)
    }

    /// How it uses a data set, if it does.
    #[must_use]
    pub fn data_usage(&self) -> Option<DataUsage> {
        self.data.as_ref().map(|data| data.usage)
    }

    /// Sets [`Self::start_steps`] of TD3 and SAC.
    pub fn set_start_steps(&mut self, steps: u64) {
        let td3 = self.td3.as_mut().map(|td3| &mut td3.start_steps);
        for start_steps in td3.into_iter().chain(self.sac.as_mut().map(|sac| &mut sac.start_steps)) {
            *start_steps = steps;
        }
    }

    /// A configuration that was written by [`Self::to_toml`].
    ///
    /// # Errors
    /// If the text is of another version or not a configuration.
    pub fn parse(file: &str, text: &str) -> Result<Self, BadInput> {
        check_schema(file, text)?;
        let config: Self = diagnostics::parse_toml(file, text)?;
        for (what, name) in [("paper", &config.paper), ("task", &config.task), ("arm", &config.arm)] {
            check_name(&format!("{file}: the {what}"), name)?;
        }
        Ok(config)
    }
}

/// 300,000 as `300k`.
fn steps_label(steps: u64) -> String {
    match steps {
        s if s > 0 && s % 1_000_000 == 0 => format!("{}M", s / 1_000_000),
        s if s > 0 && s % 1_000 == 0 => format!("{}k", s / 1_000),
        s => s.to_string(),
    }
}
