//! The agents. Each file reads like its paper.
//!
//! An agent acts, updates, and hands out its weights. It knows no file, no configuration format, no clock and no
//! environment by name: observations and actions are vectors, and every random draw comes from the agent's own named
//! streams.

mod actor;
mod critics;
mod dai;
mod drol;
mod dynamics;
mod fql;
mod iql;
mod mpdp;
mod pex;
pub mod plan;
mod rebrac;
mod sac;
mod td3;
mod tensors;

pub use actor::Actor;
pub use critics::Aggregate;
pub use dai::{Dai, DaiConfig, Mixing, Schedule, ScheduleShape};
pub use drol::{Drol, DrolConfig, Routing, latent, route};
pub use dynamics::{Dynamics, DynamicsConfig, Fitted};
pub use fql::{Fql, FqlConfig, FqlNoise};
pub use iql::{Iql, IqlConfig};
pub use mpdp::{Draws, ErrorScale, Mpdp, MpdpConfig};
pub use pex::{Online, Pex, PexConfig, PexPolicy, PolicyActions, selection};
pub use rebrac::{Rebrac, RebracConfig};
pub use sac::{Sac, SacConfig};
pub use td3::{Td3, Td3Config};

use anyhow::Result;
use state::Archive;
use std::collections::BTreeMap;
use streams::Stream;

/// What the training loop asks of an agent.
pub trait Agent {
    /// The learned policy's action in `observation`, without noise.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()>;

    /// The action to execute at environment step `t` of training. It may leave the limit: it is executed clipped, and
    /// replay has what was drawn.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()>;

    /// The policy that acts at step `t` when all of its noise is taken away, where that is not the learned policy:
    /// false, and `action` untouched, where it is.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn act_guided(&mut self, _t: u64, _observation: &[f32], _action: &mut [f32]) -> Result<bool> {
        Ok(false)
    }

    /// One update from `batch`.
    ///
    /// # Errors
    /// If a loss is not finite.
    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics>;

    /// Whether [`Self::fit`] is to be called before the updates of environment step `t`.
    fn fits_at(&self, _t: u64) -> bool {
        false
    }

    /// This agent as a policy from state and latent with its critics, if it is one: for a picture.
    fn one_step(&self) -> Option<&dyn OneStep> {
        None
    }

    /// Learns what it learns from all of replay at once, the oldest transition first: a model.
    ///
    /// # Errors
    /// If a loss is not finite.
    fn fit(&mut self, _replay: &Batch<'_>) -> Result<Metrics> {
        Ok(Metrics::new())
    }

    /// The learned policy's weights by name.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    fn policy_weights(&self) -> Result<Weights>;

    /// What an offline run leaves for an online run to start from: weights by name. An agent that leaves more than its
    /// policy says what.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    fn publish(&self) -> Result<Weights> {
        self.policy_weights()
    }

    /// Saves or loads everything that an action or an update changes: parameters, optimisers, counts, streams.
    ///
    /// # Errors
    /// If what is loaded does not fit the agent.
    fn state(&mut self, archive: &mut Archive) -> Result<()>;
}

/// A policy that is one network from state and latent, and its critics.
pub trait OneStep {
    /// `count` actions in one state, a draw of `stream` each, `[count, action]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn draws(&self, observation: &[f32], count: usize, stream: &mut Stream) -> Result<Vec<f32>>;

    /// What `actions [count, action]` are worth in one state: the lesser of both critics' values, `[count]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    fn values(&self, observation: &[f32], actions: &[f32]) -> Result<Vec<f32>>;
}

/// Transitions drawn from replay, row-major: `[size, observation]`, `[size, action]`, `[size]`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// s, `[size, observation]`.
    pub observations: &'a [f32],
    /// a, `[size, action]`: as drawn, which the environment may have clipped.
    pub actions: &'a [f32],
    /// r, `[size]`.
    pub rewards: &'a [f32],
    /// s′, `[size, observation]`.
    pub next_observations: &'a [f32],
    /// 0 where the task ended in s′, 1 elsewhere (a time limit is no end), `[size]`.
    pub not_terminal: &'a [f32],
    /// a′, the data's action in s′, `[size, action]`, where the agent asks for it; else empty.
    pub next_actions: &'a [f32],
}

impl<'a> Batch<'a> {
    /// The last `size` transitions, or all if there are fewer.
    #[must_use]
    pub fn last(self, size: usize) -> Self {
        let all = self.rewards.len();
        let last = |rows: &'a [f32]| &rows[rows.len() - rows.len() / all.max(1) * size.min(all)..];
        Self {
            observations: last(self.observations),
            actions: last(self.actions),
            rewards: last(self.rewards),
            next_observations: last(self.next_observations),
            not_terminal: last(self.not_terminal),
            next_actions: last(self.next_actions),
        }
    }
}

/// Named numbers of one update, for the training log.
pub type Metrics = Vec<(&'static str, f64)>;

/// Named arrays: shape and row-major values.
pub type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;
