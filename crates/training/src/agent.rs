//! From a run's configuration to its agent.

use crate::expert::read_weights;
use crate::mock::Mock;
use agents::{Actor, Agent, Dai, DaiConfig, Sac, SacConfig, Schedule, Td3, Td3Config};
use anyhow::{Context, Result};
use candle_core::Device;
use envs::Spec;
use experiment::{
    Algorithm, DaiSettings, NoisePlacement, RunConfig, SacSettings, ScheduleShape, Td3Settings,
};
use std::path::Path;

/// The agent of `config`, fresh. `expert` is the directory of the expert's recorded run, where one guides.
pub(crate) fn make(config: &RunConfig, spec: &Spec, expert: Option<&Path>) -> Result<Box<dyn Agent>> {
    let dims = (spec.observation_dim, spec.action_dim);
    let device = device(config.device)?;
    if let Some(mock) = &config.mock {
        return Ok(Box::new(Mock::new(mock.clone(), spec, config.seed)));
    }
    let td3 = || {
        let settings = config.td3.as_ref().context("the configuration has no `[td3]`")?;
        Td3::new(td3_config(settings), dims, spec.action_limit, config.seed, &device)
    };
    match config.algorithm {
        Algorithm::Td3 => Ok(Box::new(td3()?)),
        Algorithm::Sac => {
            let settings = config.sac.as_ref().context("the configuration has no `[sac]`")?;
            let limit = spec.action_limit;
            Ok(Box::new(Sac::new(sac_config(settings), dims, limit, config.seed, &device)?))
        }
        Algorithm::Td3Dai => {
            let dai = config.dai.as_ref().context("the configuration has no `[dai]`")?;
            let directory = expert.context("a run of td3-dai was given no expert")?;
            let weights = read_weights(directory)?;
            let expert = Actor::from_weights(&weights, dims, spec.action_limit, &device)?;
            Ok(Box::new(Dai::new(td3()?, expert, dai_config(dai))))
        }
    }
}

/// The device that runs compute on.
///
/// # Errors
/// [`diagnostics::BadInput`] if this program was built without it, and otherwise if there is none.
pub fn device(wanted: experiment::Device) -> Result<Device> {
    match wanted {
        experiment::Device::Cpu => Ok(Device::Cpu),
        #[cfg(feature = "cuda")]
        experiment::Device::Cuda => Device::new_cuda(0).context("there is no NVIDIA GPU to compute on"),
        #[cfg(not(feature = "cuda"))]
        experiment::Device::Cuda => Err(diagnostics::BadInput::new("this program was built without CUDA")
            .help("`scripts/build-cuda.sh` builds one that has it")
            .into()),
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

fn sac_config(settings: &SacSettings) -> SacConfig {
    SacConfig {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        discount: settings.discount,
        polyak: settings.polyak,
        temperature: settings.temperature,
        target_entropy: settings.target_entropy,
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
