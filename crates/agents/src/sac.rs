//! SAC: Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications" (arXiv 1812.05905), Algorithm 1.

use crate::actor::{critic_name, load, theta_from_weights, weights_from_theta};
use crate::tensors::{Transitions, normals, scalar, var};
use crate::{Agent, Batch, Metrics, Weights};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, SquashedGaussian, backward, polyak};
use state::Archive;
use streams::Stream;

/// Everything that SAC leaves to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct SacConfig {
    /// Width of each hidden layer, of actor and critics alike.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for actor, critics and temperature.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// τ, the share of the online critics in each Polyak step.
    pub polyak: f64,
    /// α, or what it starts from where it is learned.
    pub temperature: f64,
    /// The entropy that α is learned for, an action dimension, of actions within ±1 (the paper takes −1); α stays as it
    /// is where there is none.
    pub target_entropy: Option<f64>,
    /// Environment steps with uniform random actions, before updates begin.
    pub start_steps: u64,
}

/// What the actor's ln σ is clipped to.
const LOG_STD: (f64, f64) = (-20.0, 2.0);

/// A SAC learner. Densities are those of actions in units of the action limit.
pub struct Sac {
    config: SacConfig,
    action_dim: usize,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    critics: Mlp,
    gaussian: SquashedGaussian,
    /// φ, the actor's parameters.
    phi: Var,
    /// θ₁ and θ₂, the critics' parameters in one vector, and θ₁′, θ₂′, their targets'.
    theta: Var,
    theta_target: Var,
    /// ln α.
    log_alpha: Var,
    actor_optimiser: Adam,
    critic_optimiser: Adam,
    alpha_optimiser: Adam,
    updates: u64,
    random_actions: Stream,
    exploration: Stream,
    action_noise: Stream,
}

impl Sac {
    /// A learner with fresh networks for observations and actions of these sizes; actions lie within ±`action_limit`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: SacConfig,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let sizes = |input, output| [&[input], config.hidden.as_slice(), &[output]].concat();
        let actor = Mlp::new(&sizes(observation_dim, 2 * action_dim), Head::Linear);
        let critics = Mlp::new(&sizes(observation_dim + action_dim, 1), Head::Linear).ensemble(2);
        let mut init = Stream::new(seed, "init");
        let (phi, theta) = (actor.init(&mut init), critics.init(&mut init));
        let (phi, theta_target) = (var(&phi, device)?, var(&theta, device)?);
        let theta = var(&theta, device)?;
        let log_alpha = var(&[libm::log(config.temperature) as f32], device)?;
        Ok(Self {
            actor_optimiser: Adam::new(&phi, config.learning_rate)?,
            critic_optimiser: Adam::new(&theta, config.learning_rate)?,
            alpha_optimiser: Adam::new(&log_alpha, config.learning_rate)?,
            config,
            action_dim,
            action_limit,
            device: device.clone(),
            actor,
            critics,
            gaussian: SquashedGaussian { log_std: LOG_STD },
            phi,
            theta,
            theta_target,
            log_alpha,
            updates: 0,
            random_actions: Stream::new(seed, "random-actions"),
            exploration: Stream::new(seed, "exploration"),
            action_noise: Stream::new(seed, "action-noise"),
        })
    }

    /// α.
    ///
    /// # Errors
    /// If the device fails to hand it out.
    pub fn temperature(&self) -> Result<f64> {
        Ok(libm::exp(f64::from(self.log_alpha.get(0)?.to_scalar::<f32>()?)))
    }

    /// One update with `next_noise` for the actions in s′ and `noise` for those in s, standard normal draws
    /// `[size, action]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a loss is not finite.
    pub fn update_with_noise(
        &mut self,
        batch: &Batch<'_>,
        next_noise: &[f32],
        noise: &[f32],
    ) -> Result<Metrics> {
        let config = &self.config;
        let (limit, alpha) = (self.action_limit, self.temperature()?);
        let Transitions { s, a, r, next_s, not_terminal } = Transitions::new(batch, &self.device)?;
        let size = batch.rewards.len();
        let draws = |noise: &[f32]| Tensor::from_slice(noise, (size, self.action_dim), &self.device);
        self.updates += 1;

        // a' ~ π_φ(·|s′),  y ← r + γ (min_i Q_θ′i(s′, a') − α ln π_φ(a'|s′)), without the second term where the task ended
        let next_outputs = self.actor.forward(&next_s, &self.phi.as_detached_tensor())?;
        let (next_a, next_density) = self.gaussian.sample(&next_outputs, &draws(next_noise)?)?;
        let theta_target = self.theta_target.as_detached_tensor();
        let next_q = self.critics.forward_beside(&next_s, &next_a.affine(limit, 0.0)?, &theta_target)?;
        let next_value = (next_q.min(0)?.squeeze(1)? - next_density.affine(alpha, 0.0)?)?.unsqueeze(1)?;
        let y = (r + (not_terminal * next_value.affine(config.discount, 0.0)?)?)?;

        // θ_i ← argmin Σ_i mean (y − Q_θi(s, a))²
        let q = self.critics.forward_beside(&s, &a, &self.theta)?;
        let critic_loss = q.broadcast_sub(&y)?.sqr()?.sum_all()?.affine(1.0 / size as f64, 0.0)?;
        let gradients = backward(&critic_loss)?;
        let gradient = gradients.of(&self.theta).expect("the critic loss depends on θ");
        self.critic_optimiser.step(&self.theta, gradient)?;

        // φ ← argmin mean α ln π_φ(a|s) − min_i Q_θi(s, a),  a ~ π_φ(·|s)
        let outputs = self.actor.forward(&s, &self.phi)?;
        let (action, density) = self.gaussian.sample(&outputs, &draws(noise)?)?;
        let theta = self.theta.as_detached_tensor();
        let q = self.critics.forward_beside(&s, &action.affine(limit, 0.0)?, &theta)?.min(0)?;
        let actor_loss = (density.affine(alpha, 0.0)? - q.squeeze(1)?)?.mean_all()?;
        let gradients = backward(&actor_loss)?;
        let gradient = gradients.of(&self.phi).expect("the actor loss depends on φ");
        self.actor_optimiser.step(&self.phi, gradient)?;

        let mut metrics = vec![
            ("critic_loss", scalar("critic loss", self.updates, &critic_loss)?),
            ("actor_loss", scalar("actor loss", self.updates, &actor_loss)?),
        ];
        if let Some(target) = config.target_entropy {
            // α ← argmin mean −α (ln π_φ(a|s) + H̄), whose gradient with respect to ln α is the loss itself
            let target = target * self.action_dim as f64;
            let loss = density.detach().mean_all()?.affine(-alpha, -alpha * target)?;
            self.alpha_optimiser.step(&self.log_alpha, &loss.reshape(1)?)?;
            metrics.push(("temperature_loss", scalar("temperature loss", self.updates, &loss)?));
        }

        // θ_i′ ← τ θ_i + (1 − τ) θ_i′
        polyak(&self.theta_target, &self.theta, config.polyak)?;
        Ok(metrics)
    }

    /// All parameters by name: `actor.0.weight`, `critic1.0.weight`, `target_critic1.0.weight`, …, `log_alpha`.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = weights_from_theta(&self.actor, |_, name| format!("actor.{name}"), &self.phi)?;
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            weights.extend(weights_from_theta(&self.critics, |i, name| critic_name(prefix, i, name), theta)?);
        }
        weights.insert("log_alpha".to_owned(), (vec![1], self.log_alpha.to_vec1()?));
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        let name = |_, name: &str| format!("actor.{name}");
        load(&self.phi, &theta_from_weights(&self.actor, name, weights)?)?;
        self.load_values(weights)?;
        let (_, log_alpha) = weights.get("log_alpha").context("there is no array `log_alpha`")?;
        ensure!(log_alpha.len() == 1, "array `log_alpha` has {} numbers instead of 1", log_alpha.len());
        load(&self.log_alpha, log_alpha)
    }

    /// Critics and their targets from `weights`, named as [`Self::weights`] names them: an online run's start from an
    /// offline run's values.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_values(&mut self, weights: &Weights) -> Result<()> {
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            let name = |i: usize, name: &str| critic_name(prefix, i, name);
            load(theta, &theta_from_weights(&self.critics, name, weights)?)?;
        }
        Ok(())
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// min_i Q_θi(s, a), `[batch, 1]`.
    pub(crate) fn q(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok(self.critics.forward_beside(s, a, &self.theta.as_detached_tensor())?.min(0)?)
    }

    /// The policy's action with standard normal `noise`.
    pub(crate) fn sample(&self, observation: &[f32], noise: &[f32], action: &mut [f32]) -> Result<()> {
        let noise = Tensor::from_slice(noise, (1, action.len()), &self.device)?;
        let (a, _) = self.gaussian.sample(&self.outputs(observation)?, &noise)?;
        action.copy_from_slice(&a.affine(self.action_limit, 0.0)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    /// The actor's outputs in one state, μ before ln σ, as `[1, 2 · action]`.
    fn outputs(&self, observation: &[f32]) -> Result<Tensor> {
        let s = Tensor::from_slice(observation, (1, observation.len()), &self.device)?;
        Ok(self.actor.forward(&s, &self.phi.as_detached_tensor())?)
    }
}

impl Agent for Sac {
    /// The mode of the Gaussian, squashed.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let outputs = self.outputs(observation)?.flatten_all()?.to_vec1::<f32>()?;
        for (a, mean) in action.iter_mut().zip(outputs) {
            *a = (f64::from(libm::tanhf(mean)) * self.action_limit) as f32;
        }
        Ok(())
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let limit = self.action_limit;
        if t < self.config.start_steps {
            action.fill_with(|| self.random_actions.uniform_in(-limit, limit) as f32);
            return Ok(());
        }
        let noise = normals(&mut self.exploration, action.len());
        self.sample(observation, &noise, action)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let count = batch.rewards.len() * self.action_dim;
        let mut draw = || normals(&mut self.action_noise, count);
        let (next_noise, noise) = (draw(), draw());
        self.update_with_noise(batch, &next_noise, &noise)
    }

    /// Those of μ alone: with tanh behind it, the policy of [`Self::act`].
    fn policy_weights(&self) -> Result<Weights> {
        let mut weights = weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.phi)?;
        let last = self.config.hidden.len();
        for name in [format!("{last}.weight"), format!("{last}.bias")] {
            if let Some((shape, values)) = weights.get_mut(&name) {
                shape[0] = self.action_dim;
                values.truncate(shape.iter().product());
            }
        }
        Ok(weights)
    }

    /// All parameters, as [`Self::weights`] names them.
    fn publish(&self) -> Result<Weights> {
        self.weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "phi", &self.phi)?;
        nn::state(archive, "theta", &self.theta)?;
        nn::state(archive, "theta_target", &self.theta_target)?;
        nn::state(archive, "log_alpha", &self.log_alpha)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.group("critic_optimiser", |archive| self.critic_optimiser.state(archive))?;
        archive.group("alpha_optimiser", |archive| self.alpha_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("random_actions", &mut self.random_actions)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("action_noise", &mut self.action_noise)
    }
}
