//! Data sets to learn from.

use anyhow::Result;
use datasets::Replay;
use datasets::offline::{self, Expected, State};
use diagnostics::BadInput;
use envs::{Labels, Spec};
use experiment::{Algorithm, DataSettings, DataUsage, Rewards, RunConfig};
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

/// How far from the limit FQL's code, and DROL's after it, keeps the data's actions, whichever agent learns. IQL here
/// is PEX's, whose code takes them as they are.
const MARGIN: f32 = 1e-5;

/// The transitions in `file`, as the run `config` learns from them by `settings` in an environment of `spec`.
pub(crate) fn load(file: &Path, settings: &DataSettings, config: &RunConfig, spec: &Spec) -> Result<Data> {
    let expected = Expected {
        observation_dim: spec.observation_dim,
        action_dim: spec.action_dim,
        max_episode_steps: spec.max_episode_steps as usize,
    };
    let mut transitions = match Labels::of_task(config.environment())? {
        None => offline::load(file, &expected)?,
        Some(labels) => {
            let mut label = |state: &State<'_>| labels.of(state.arrays);
            offline::load_labelled(file, &expected, &labels.arrays(), &mut label)?
        }
    };
    if config.rebrac.as_ref().is_some_and(|rebrac| rebrac.alpha_critic > 0.0) {
        let missing = transitions.without_next_action();
        if missing > 0 {
            let message = format!(
                "{}: of {missing} transitions that go on there is no next action, and ReBRAC's critics learn from it",
                file.display()
            );
            return Err(BadInput::new(message)
                .help("expected D4RL's layout, or OGBench's; or take `rebrac.alpha_critic = 0`")
                .into());
        }
    }
    if matches!(config.algorithm, Algorithm::Fql | Algorithm::Rebrac | Algorithm::Drol) {
        let limit = spec.action_limit as f32 - MARGIN;
        transitions.map_actions(|a| a.clamp(-limit, limit));
    }
    let change = Change::new(settings.rewards, &transitions).ok_or_else(|| {
        BadInput::new(format!(
            "{}: all returns are the same, and rewards cannot be scaled by them",
            file.display()
        ))
        .help("take `rewards = \"as-stored\"`, or a data set with more than one return")
    })?;
    if settings.usage == DataUsage::Rewards {
        // It has told all that is wanted of it.
        transitions = Replay::new((spec.observation_dim, spec.action_dim), 0);
    }
    transitions.map_rewards(|reward| change.of(reward));
    Ok(Data { transitions, change })
}
