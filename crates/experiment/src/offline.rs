//! Settings of what learns from a data set, alone or beside an environment.

use crate::RunId;
use serde::{Deserialize, Serialize};

/// How long an arm that learns from a data set alone learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfflineSettings {
    /// Updates.
    pub steps: u64,
    /// Updates between evaluations; there is one before the first.
    pub every: u64,
}

/// The data set of a run, and what it has from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// The data set's id.
    pub set: String,
    /// What tells how it is made from other ways, if it is a stand-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<RunId>,
    /// How it is used.
    pub usage: DataUsage,
    /// What is done to rewards, the environment's too.
    #[serde(default, skip_serializing_if = "Rewards::is_as_stored")]
    pub rewards: Rewards,
}

/// How a run uses a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataUsage {
    /// It is all there is: steps are updates, and the environment only evaluates.
    Alone,
    /// Half of each batch is of the data set, half of the replay buffer.
    Half,
    /// Nothing is learned from it; rewards are changed as they are for those that do, and are as large.
    Rewards,
}

/// What is done to rewards before anything learns from them. Evaluations have them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rewards {
    /// Nothing.
    #[default]
    AsStored,
    /// One less: a step costs 1, the goal nothing (AntMaze).
    MinusOne,
    /// Times 1000 over the difference between the best return in the data set and the worst (IQL on locomotion).
    ByReturns,
}

impl Rewards {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    fn is_as_stored(&self) -> bool {
        *self == Self::AsStored
    }
}

/// IQL's settings, by the names of its paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IqlSettings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate. From a data set alone, the policy's falls to 0 along a cosine.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// τ.
    pub expectile: f64,
    /// β, what advantages are multiplied by before they weigh actions.
    pub beta: f64,
    /// What these weights are clipped to.
    pub weight_limit: f64,
    /// Share of the policy's hidden units that an update leaves out.
    #[serde(default)]
    pub dropout: f64,
    /// The hidden units of all networks.
    #[serde(default, skip_serializing_if = "Units::is_relu")]
    pub units: Units,
    /// Whether hidden layers of critics and value network are normalised.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub layer_norm: bool,
    /// Environment steps before updates begin.
    pub start_steps: u64,
}

/// Hidden units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// max(x, 0).
    #[default]
    Relu,
    /// x · Φ(x), by its approximation with tanh.
    Gelu,
}

impl Units {
    fn is_relu(&self) -> bool {
        *self == Self::Relu
    }
}

/// What PEX adds to IQL online.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PexSettings {
    /// 1/α, what values are multiplied by before their softmax.
    pub inverse_temperature: f64,
    /// The share of evaluation steps that explore, by each of two draws.
    pub evaluation_epsilon: f64,
    /// What the new policy learns from.
    pub policy_actions: PolicyActions,
}

/// See `agents::PolicyActions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyActions {
    /// Fresh actions of the composite policy.
    Composite,
    /// The batch's own actions.
    Batch,
}

/// What a critic's target is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The mean of two values.
    Mean,
    /// The lesser one.
    Min,
}

/// FQL's settings, by the names of its paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FqlSettings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// What the critics' target is made of.
    pub target: Aggregate,
    /// Euler steps of the flow.
    pub flow_steps: usize,
    /// α, the weight of distillation.
    pub alpha: f64,
    /// Whether values in the actor's loss are divided by their mean size.
    pub normalise_q: bool,
}

/// ReBRAC's settings, by the names of its paper. Noise is in units of the action limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RebracSettings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online networks in each Polyak step.
    pub polyak: f64,
    /// β₁, the weight of the squared distance to the data's action in the actor's loss.
    pub alpha_actor: f64,
    /// β₂, what the squared distance to the data's next action takes from the next value.
    pub alpha_critic: f64,
    /// Standard deviation of the target policy's noise.
    pub target_policy_noise: f64,
    /// Clip of the target policy's noise.
    pub target_noise_clip: f64,
    /// Updates for each one with a loss of the actor, in which targets move too.
    pub policy_delay: u64,
}

/// DROL's settings, by the names of its paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrolSettings {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// What the critics' target is made of.
    pub target: Aggregate,
    /// K.
    pub candidates: usize,
    /// The weight of the squared distance to the data's action.
    pub bc_coef: f64,
}
