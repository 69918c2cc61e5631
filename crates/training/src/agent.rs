//! From a run's configuration to its agent.

use crate::expert::read_weights;
use crate::mock::Mock;
use agents::plan::{PlanConfig, Stop};
use agents::{
    Actor, Agent, Dai, DaiConfig, DynamicsConfig, Mpdp, MpdpConfig, Sac, SacConfig, Schedule, Td3, Td3Config,
};
use anyhow::{Context, Result};
use candle_core::Device;
use envs::Spec;
use experiment::{
    Algorithm, DaiSettings, ErrorScale, ModelSettings, MpdpSettings, NoisePlacement, RunConfig, SacSettings,
    ScheduleShape, StopRule, Td3Settings,
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
    let sac = || config.sac.as_ref().map(sac_config).context("the configuration has no `[sac]`");
    match config.algorithm {
        Algorithm::Td3 => Ok(Box::new(td3()?)),
        Algorithm::Sac => Ok(Box::new(Sac::new(sac()?, dims, spec.action_limit, config.seed, &device)?)),
        Algorithm::Mpdp => {
            let settings = config.mpdp.as_ref().context("the configuration has no `[mpdp]`")?;
            let (config_of_mpdp, ends) = (mpdp_config(settings, sac()?), envs::termination(&config.task)?);
            Ok(Box::new(Mpdp::new(config_of_mpdp, dims, spec.action_limit, ends, config.seed, &device)?))
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

fn mpdp_config(settings: &MpdpSettings, sac: SacConfig) -> MpdpConfig {
    let scale = |scale| match scale {
        ErrorScale::Sum => agents::ErrorScale::Sum,
        ErrorScale::Mean => agents::ErrorScale::Mean,
        ErrorScale::MeanPerDimension => agents::ErrorScale::MeanPerDimension,
    };
    let stop = match settings.stop {
        StopRule::Q => Stop::Q,
        StopRule::V => Stop::V,
        StopRule::Printed => Stop::Printed,
    };
    MpdpConfig {
        sac,
        dynamics: dynamics_config(&settings.model),
        plan: PlanConfig { horizon: settings.horizon as usize, penalty: settings.penalty, stop },
        fit_every: settings.fit_every,
        error_threshold: settings.error_threshold,
        threshold_scale: scale(settings.threshold_scale),
        penalty_scale: scale(settings.penalty_scale),
        error_of_reward: settings.error_of_reward,
        range_margin: settings.range_margin,
        shared_policy: settings.shared_policy,
        copy_when_reached: settings.copy_when_reached,
        step_unreached: settings.step_unreached,
        longest_gradient: settings.longest_gradient,
        mean_prediction: settings.mean_prediction,
        target_values: settings.target_values,
        critic_penalty: settings.critic_penalty,
    }
}

fn dynamics_config(settings: &ModelSettings) -> DynamicsConfig {
    DynamicsConfig {
        members: settings.members,
        elites: settings.elites,
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        weight_decay: settings.weight_decay.clone(),
        batch_size: settings.batch_size,
        holdout: settings.holdout,
        most_held_out: settings.most_held_out,
        patience: settings.patience,
        epochs: settings.epochs,
        log_variance: settings.log_variance.into(),
        learned_bounds: settings.learned_bounds,
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
