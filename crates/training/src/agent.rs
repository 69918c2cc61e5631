//! From a run's configuration to its agent.

use crate::expert::read_weights;
use crate::mock::Mock;
use agents::{Actor, Agent, Dai, DaiConfig, Schedule, Td3, Td3Config};
use anyhow::{Context, Result};
use candle_core::Device;
use envs::Spec;
use experiment::{Algorithm, DaiSettings, NoisePlacement, RunConfig, ScheduleShape, Td3Settings};
use std::path::Path;

/// The agent of `config`, fresh. `expert` is the directory of the expert's recorded run, where one guides.
pub(crate) fn make(config: &RunConfig, spec: &Spec, expert: Option<&Path>) -> Result<Box<dyn Agent>> {
    let dims = (spec.observation_dim, spec.action_dim);
    let device = Device::Cpu;
    if let Some(mock) = &config.mock {
        return Ok(Box::new(Mock::new(mock.clone(), spec, config.seed)));
    }
    let td3 = Td3::new(td3_config(&config.td3), dims, spec.action_limit, config.seed, &device)?;
    match (config.algorithm, &config.dai) {
        (Algorithm::Td3, _) => Ok(Box::new(td3)),
        (Algorithm::Td3Dai, dai) => {
            let dai = dai.as_ref().context("a run of td3-dai has no `[dai]` in its configuration")?;
            let directory = expert.context("a run of td3-dai was given no expert")?;
            let weights = read_weights(&directory.join("policy.safetensors"))?;
            let expert = Actor::from_weights(&weights, dims, spec.action_limit, &device)?;
            Ok(Box::new(Dai::new(td3, expert, dai_config(dai))))
        }
    }
}

fn td3_config(settings: &Td3Settings) -> Td3Config {
    Td3Config {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        discount: settings.discount,
        polyak: settings.polyak,
        exploration_noise: settings.exploration_noise,
        target_policy_noise: settings.target_policy_noise,
        target_noise_clip: settings.target_noise_clip,
        policy_delay: settings.policy_delay,
        start_steps: settings.start_steps,
    }
}

fn dai_config(settings: &DaiSettings) -> DaiConfig {
    let shape = match settings.shape {
        ScheduleShape::Linear => agents::ScheduleShape::Linear,
        ScheduleShape::Cosine => agents::ScheduleShape::Cosine,
        ScheduleShape::Step => agents::ScheduleShape::Step,
        ScheduleShape::Constant => agents::ScheduleShape::Constant,
    };
    DaiConfig {
        schedule: Schedule { shape, start: settings.start, length: settings.length },
        noise_after_blend: settings.noise == NoisePlacement::AfterBlend,
        random_start: settings.random_start,
    }
}
