//! From a run's configuration to its agent.

use crate::expert::{read_expert, read_networks};
use crate::mock::Mock;
use agents::plan::{PlanConfig, Stop};
use agents::{
    Actor, Agent, Dai, DaiConfig, Drol, DrolConfig, DynamicsConfig, Fql, FqlConfig, Iql, IqlConfig, Mpdp,
    MpdpConfig, Online, Pex, PexConfig, Rebrac, RebracConfig, Sac, SacConfig, Schedule, Td3, Td3Config,
    Weights,
};
use anyhow::{Context, Result};
use candle_core::Device;
use envs::Spec;
use experiment::{
    Aggregate, Algorithm, DaiSettings, DrolSettings, ErrorScale, FqlSettings, IqlSettings, Mixing,
    ModelSettings, MpdpSettings, NoisePlacement, PexSettings, PolicyActions, RebracSettings, RunConfig,
    SacSettings, ScheduleShape, StopRule, Td3Settings, Units,
};
use nn::Unit;
use std::path::Path;
use streams::Stream;

/// The agent of `config`, fresh. `needed` is the directory of the recorded run that it needs, if one: the expert's, or
/// the one whose networks it starts from.
pub(crate) fn make(config: &RunConfig, spec: &Spec, needed: Option<&Path>) -> Result<Box<dyn Agent>> {
    let dims = (spec.observation_dim, spec.action_dim);
    let limit = spec.action_limit;
    let device = device(config.device)?;
    let seed = stream_seed(config);
    if let Some(mock) = &config.mock {
        return Ok(Box::new(Mock::new(mock.clone(), spec, seed)));
    }
    let td3 = || {
        let settings = config.td3.as_ref().context("the configuration has no `[td3]`")?;
        Td3::new(td3_config(settings), dims, limit, seed, &device)
    };
    let iql = || {
        let settings = config.iql.as_ref().context("the configuration has no `[iql]`")?;
        let decay = config.is_offline().then_some(config.steps);
        Iql::new(iql_config(settings, decay), dims, limit, seed, &device)
    };
    let networks = || -> Result<Weights> {
        let directory = needed.context("a run that starts from another's networks was given none")?;
        read_networks(directory)
    };
    let sac = || config.sac.as_ref().map(sac_config).context("the configuration has no `[sac]`");
    match config.algorithm {
        Algorithm::Td3 => Ok(Box::new(td3()?)),
        Algorithm::Sac => Ok(Box::new(Sac::new(sac()?, dims, limit, seed, &device)?)),
        Algorithm::Mpdp => {
            let settings = config.mpdp.as_ref().context("the configuration has no `[mpdp]`")?;
            let (config_of_mpdp, ends) =
                (mpdp_config(settings, sac()?), envs::termination(config.environment())?);
            Ok(Box::new(Mpdp::new(config_of_mpdp, dims, limit, ends, seed, &device)?))
        }
        Algorithm::Td3Dai => {
            let dai = config.dai.as_ref().context("the configuration has no `[dai]`")?;
            let directory = needed.context("a run of td3-dai was given no expert")?;
            let weights = read_expert(directory)?;
            let expert = Actor::from_weights(&weights, dims, limit, &device)?;
            Ok(Box::new(Dai::new(td3()?, expert, dai_config(dai), seed)))
        }
        Algorithm::Iql => {
            let mut iql = iql()?;
            if config.after.is_some() {
                iql.fine_tune(&networks()?)?;
            }
            Ok(Box::new(iql))
        }
        Algorithm::Pex => {
            let settings = config.pex.as_ref().context("the configuration has no `[pex]`")?;
            let (mut online, networks) = (iql()?, networks()?);
            online.load_values(&networks)?;
            // Both runs have the same `[iql]`.
            let offline = Actor::from_published(&networks, dims, limit, &device)?.units(online.unit());
            let online = Online::Iql(Box::new(online));
            Ok(Box::new(Pex::new(online, offline, pex_config(settings), seed)))
        }
        Algorithm::Fql => {
            let settings = config.fql.as_ref().context("the configuration has no `[fql]`")?;
            Ok(Box::new(Fql::new(fql_config(settings), dims, limit, seed, &device)?))
        }
        Algorithm::Rebrac => {
            let settings = config.rebrac.as_ref().context("the configuration has no `[rebrac]`")?;
            Ok(Box::new(Rebrac::new(rebrac_config(settings), dims, limit, seed, &device)?))
        }
        Algorithm::Drol => {
            let settings = config.drol.as_ref().context("the configuration has no `[drol]`")?;
            Ok(Box::new(Drol::new(drol_config(settings), dims, limit, seed, &device)?))
        }
    }
}

/// The seed of a run's streams: its own, but where it starts from another run's networks, which has the same. The two share
/// no draw: a policy that is new would else begin as the other one did.
pub(crate) fn stream_seed(config: &RunConfig) -> u64 {
    match config.after {
        None => config.seed,
        Some(_) => Stream::new(config.seed, "after").next_u64(),
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

fn iql_config(settings: &IqlSettings, policy_decay: Option<u64>) -> IqlConfig {
    IqlConfig {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        policy_decay,
        discount: settings.discount,
        polyak: settings.polyak,
        expectile: settings.expectile,
        beta: settings.beta,
        weight_limit: settings.weight_limit,
        dropout: settings.dropout,
        unit: match settings.units {
            Units::Relu => Unit::Relu,
            Units::Gelu => Unit::Gelu,
        },
        layer_norm: settings.layer_norm,
    }
}

fn pex_config(settings: &PexSettings) -> PexConfig {
    PexConfig {
        inverse_temperature: settings.inverse_temperature,
        evaluation_epsilon: settings.evaluation_epsilon,
        policy_actions: match settings.policy_actions {
            PolicyActions::Composite => agents::PolicyActions::Composite,
            PolicyActions::Batch => agents::PolicyActions::Batch,
        },
    }
}

fn aggregate(of: Aggregate) -> agents::Aggregate {
    match of {
        Aggregate::Mean => agents::Aggregate::Mean,
        Aggregate::Min => agents::Aggregate::Min,
    }
}

fn fql_config(settings: &FqlSettings) -> FqlConfig {
    FqlConfig {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        discount: settings.discount,
        polyak: settings.polyak,
        target: aggregate(settings.target),
        flow_steps: settings.flow_steps,
        alpha: settings.alpha,
        normalise_q: settings.normalise_q,
    }
}

fn rebrac_config(settings: &RebracSettings) -> RebracConfig {
    RebracConfig {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        discount: settings.discount,
        polyak: settings.polyak,
        alpha_actor: settings.alpha_actor,
        alpha_critic: settings.alpha_critic,
        noise: settings.target_policy_noise,
        noise_clip: settings.target_noise_clip,
        policy_delay: settings.policy_delay,
    }
}

fn drol_config(settings: &DrolSettings) -> DrolConfig {
    DrolConfig {
        hidden: settings.hidden.clone(),
        learning_rate: settings.learning_rate,
        discount: settings.discount,
        polyak: settings.polyak,
        target: aggregate(settings.target),
        candidates: settings.candidates,
        bc_coef: settings.bc_coef,
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
        mixing: match settings.mixing {
            Mixing::Interpolate => agents::Mixing::Interpolate,
            Mixing::Choose => agents::Mixing::Choose,
        },
        noise_after_blend: settings.noise == NoisePlacement::AfterBlend,
        random_start: settings.random_start,
    }
}
