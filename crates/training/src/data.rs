//! Data sets to learn from.

use anyhow::Result;
use datasets::Replay;
use datasets::offline::{self, Expected};
use envs::Spec;
use experiment::DataSettings;
use std::path::Path;

/// The transitions in `file`, as a run of `settings` in an environment of `spec` learns from them.
pub(crate) fn load(file: &Path, settings: &DataSettings, spec: &Spec) -> Result<Replay> {
    let expected = Expected {
        observation_dim: spec.observation_dim,
        action_dim: spec.action_dim,
        max_episode_steps: spec.max_episode_steps as usize,
    };
    let mut data = offline::load(file, &expected)?;
    data.map_rewards(|reward| settings.rewards.of(reward));
    Ok(data)
}
