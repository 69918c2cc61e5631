//! Data sets to learn from.

use anyhow::Result;
use datasets::Replay;
use datasets::offline::{self, Expected};
use diagnostics::BadInput;
use envs::Spec;
use experiment::{DataSettings, Rewards};
use std::path::Path;

/// A data set as a run learns from it.
pub(crate) struct Data {
    /// Its transitions, their rewards changed.
    pub(crate) transitions: Replay,
    /// How rewards are changed, the environment's too.
    pub(crate) change: Change,
}

/// r is learned from as factor · r + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    factor: f32,
    shift: f32,
}

impl Change {
    const NONE: Self = Self { factor: 1.0, shift: 0.0 };

    pub(crate) fn of(self, reward: f32) -> f32 {
        reward * self.factor + self.shift
    }

    fn new(rewards: Rewards, data: &Replay) -> Option<Self> {
        match rewards {
            Rewards::AsStored => Some(Self::NONE),
            Rewards::MinusOne => Some(Self { shift: -1.0, ..Self::NONE }),
            Rewards::ByReturns => {
                let returns = data.returns();
                let best = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let worst = returns.iter().copied().fold(f64::INFINITY, f64::min);
                let factor = (1000.0 / (best - worst)) as f32;
                factor.is_finite().then_some(Self { factor, ..Self::NONE })
            }
        }
    }
}

/// The transitions in `file`, as a run of `settings` in an environment of `spec` learns from them.
pub(crate) fn load(file: &Path, settings: &DataSettings, spec: &Spec) -> Result<Data> {
    let expected = Expected {
        observation_dim: spec.observation_dim,
        action_dim: spec.action_dim,
        max_episode_steps: spec.max_episode_steps as usize,
    };
    let mut transitions = offline::load(file, &expected)?;
    let change = Change::new(settings.rewards, &transitions).ok_or_else(|| {
        BadInput::new(format!(
            "{}: all returns are the same, and rewards cannot be scaled by them",
            file.display()
        ))
        .help("take `rewards = \"as-stored\"`, or a data set with more than one return")
    })?;
    transitions.map_rewards(|reward| change.of(reward));
    Ok(Data { transitions, change })
}
