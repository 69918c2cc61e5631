//! ReBRAC: Tarasov et al. 2023, "Revisiting the Minimalist Approach to Offline Reinforcement Learning" (arXiv
//! 2305.09836), as FQL's code has it for OGBench.

use crate::actor::{load, theta_from_weights, weights_from_theta};
use crate::critics::{Aggregate, Critics, scale_of};
use crate::tensors::{Transitions, normals, scalar, var};
use crate::{Actor, Agent, Batch, Metrics, Weights};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, Unit, backward, polyak};
use state::Archive;
use streams::Stream;

/// Everything that ReBRAC leaves to be chosen. Noise is in units of the action limit.
#[derive(Clone, Debug, PartialEq)]
pub struct RebracConfig {
    /// Width of each hidden layer, of actor and critics alike.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for actor and critics.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// τ, the share of the online network in each Polyak step.
    pub polyak: f64,
    /// β₁, the weight of the squared distance to the data's action in the actor's loss.
    pub alpha_actor: f64,
    /// β₂, what the squared distance to the data's next action takes from the next value.
    pub alpha_critic: f64,
    /// Standard deviation of the Gaussian added to target actions, and to actions of exploration.
    pub noise: f64,
    /// Where that noise is clipped.
    pub noise_clip: f64,
    /// Updates for each one with a loss of the actor, in which targets move too.
    pub policy_delay: u64,
}

/// What the actor's last layer starts from is divided by this: its variance is a hundredth of Glorot's.
const HEAD_DIVISOR: f32 = 10.0;

/// A ReBRAC learner. Actions lie within ±`action_limit`.
pub struct Rebrac {
    config: RebracConfig,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    /// φ, the actor's parameters, and φ′, its target's.
    phi: Var,
    phi_target: Var,
    critics: Critics,
    actor_optimiser: Adam,
    updates: u64,
    exploration: Stream,
    target_noise: Stream,
}

impl Rebrac {
    /// A learner with fresh networks for observations and actions of these sizes.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: RebracConfig,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let sizes = [&[observation_dim], config.hidden.as_slice(), &[action_dim]].concat();
        let actor = Mlp::new(&sizes, Head::Tanh).units(Unit::Gelu);
        let mut init = Stream::new(seed, "init");
        let mut phi = actor.init_glorot(&mut init);
        let head = actor.parameters().iter().rev().find(|p| p.shape.len() == 2).map_or(0, |p| p.offset);
        phi[head..].iter_mut().for_each(|weight| *weight /= HEAD_DIVISOR);
        let (phi, phi_target) = (var(&phi, device)?, var(&phi, device)?);
        let dims = (observation_dim, action_dim);
        let critics = Critics::new(dims, &config.hidden, config.learning_rate, &mut init, device)?;
        Ok(Self {
            actor_optimiser: Adam::new(&phi, config.learning_rate)?,
            config,
            action_limit,
            device: device.clone(),
            actor,
            phi,
            phi_target,
            critics,
            updates: 0,
            exploration: Stream::new(seed, "exploration"),
            target_noise: Stream::new(seed, "target-noise"),
        })
    }

    /// One update with `noise [size, action]`, standard normal draws for target actions.
    ///
    /// # Errors
    /// If the shapes do not fit, the data's next actions are missing, or a loss is not finite.
    pub fn update_with_noise(&mut self, batch: &Batch<'_>, noise: &[f32]) -> Result<Metrics> {
        let config = &self.config;
        let limit = self.action_limit;
        let next_actions = batch.next_actions;
        ensure!(
            config.alpha_critic == 0.0 || next_actions.len() == batch.actions.len(),
            "ReBRAC's critics ask for {} numbers of the data's next actions, not {}",
            batch.actions.len(),
            next_actions.len()
        );
        let batch = Transitions::new(batch, &self.device)?;
        let Transitions { s, a, next_s, .. } = &batch;
        self.updates += 1;

        // a′ ← clip(μ_φ′(s′) + clip(ε, −c, c), ±limit),  ε ~ N(0, σ)
        let clip = config.noise_clip * limit;
        let epsilon = Tensor::from_slice(noise, a.shape(), &self.device)?;
        let epsilon = epsilon.affine(config.noise * limit, 0.0)?.clamp(-clip, clip)?;
        let next_a = Actor::new(self.actor.clone(), self.phi_target.as_detached_tensor(), limit);
        let next_a = (next_a.actions(next_s)? + epsilon)?.clamp(-limit, limit)?;

        // y ← r + γ (min_i Q_θ′i(s′, a′) − β₂ |a′ − the data's|²), without the second term where the task ended
        let mut next_q = self.critics.target_q(next_s, &next_a, Aggregate::Min)?;
        if config.alpha_critic != 0.0 {
            let datas = Tensor::from_slice(next_actions, a.shape(), &self.device)?;
            let distance = (next_a - datas)?.sqr()?.sum_keepdim(1)?;
            next_q = (next_q - distance.affine(config.alpha_critic, 0.0)?)?;
        }
        let y = batch.discounted(&next_q, config.discount)?;

        let mut metrics = Metrics::new();
        if self.updates.is_multiple_of(config.policy_delay) {
            // φ ← argmin β₁ mean |μ_φ(s) − a|² − λ mean min_i Q_θi(s, μ_φ(s)), the critics as they were; targets likewise
            let action = self.actor.forward(s, &self.phi)?.affine(limit, 0.0)?;
            let bc = (&action - a)?.sqr()?.sum(1)?.mean_all()?;
            let q = Aggregate::Min.of(&self.critics.q(s, &action)?)?;
            let lambda = scale_of(&q)?;
            let q = q.mean_all()?;
            let loss = (bc.affine(config.alpha_actor, 0.0)? - q.affine(lambda, 0.0)?)?;
            let gradients = backward(&loss)?;
            polyak(&self.phi_target, &self.phi, config.polyak)?;
            let gradient = gradients.of(&self.phi).expect("the actor loss depends on φ");
            self.actor_optimiser.step(&self.phi, gradient)?;
            self.critics.update_targets(config.polyak)?;
            metrics.push(("actor_loss", scalar("actor loss", self.updates, &loss)?));
            metrics.push(("bc_loss", scalar("distance to the data", self.updates, &bc)?));
            metrics.push(("q", scalar("mean value", self.updates, &q)?));
        } else {
            // One Adam moves all networks at every update in the code: without a loss the actor goes on by momentum.
            self.actor_optimiser.step(&self.phi, &self.phi.zeros_like()?)?;
        }
        let critic_loss = self.critics.update(&batch, &y)?;
        metrics.push(("critic_loss", scalar("critic loss", self.updates, &critic_loss)?));
        Ok(metrics)
    }

    /// All parameters by name: `actor.0.weight`, `critic1.0.weight`, `critic1.0.norm.weight`, …, and the same with
    /// `target_` before.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = self.critics.weights()?;
        for (prefix, phi) in [("", &self.phi), ("target_", &self.phi_target)] {
            let name = |_, name: &str| format!("{prefix}actor.{name}");
            weights.extend(weights_from_theta(&self.actor, name, phi)?);
        }
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        for (prefix, phi) in [("", &self.phi), ("target_", &self.phi_target)] {
            let name = |_, name: &str| format!("{prefix}actor.{name}");
            load(phi, &theta_from_weights(&self.actor, name, weights)?)?;
        }
        self.critics.load_weights(weights)
    }
}

impl Agent for Rebrac {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        Actor::new(self.actor.clone(), self.phi.as_detached_tensor(), self.action_limit)
            .act(observation, action)
    }

    /// The actor's action and the clipped noise of target actions.
    fn explore(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.act(observation, action)?;
        let (limit, noise, clip) = (self.action_limit, self.config.noise, self.config.noise_clip);
        for a in action {
            let epsilon = (noise * self.exploration.normal()).clamp(-clip, clip);
            *a = (f64::from(*a) + limit * epsilon).clamp(-limit, limit) as f32;
        }
        Ok(())
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let noise = normals(&mut self.target_noise, batch.actions.len());
        self.update_with_noise(batch, &noise)
    }

    fn policy_weights(&self) -> Result<Weights> {
        weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.phi)
    }

    /// All parameters, as [`Self::weights`] names them.
    fn publish(&self) -> Result<Weights> {
        self.weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "phi", &self.phi)?;
        nn::state(archive, "phi_target", &self.phi_target)?;
        self.critics.state(archive)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("target_noise", &mut self.target_noise)
    }
}
