//! TD3: Fujimoto, van Hoof and Meger 2018, "Addressing Function Approximation Error in Actor-Critic Methods"
//! (arXiv 1802.09477), Algorithm 1, with the authors' later settings (256-256, batch 256, Adam 3e-4).

use crate::actor::{critic_name, theta_from_weights, weights_from_theta};
use crate::tensors::{Transitions, scalar, var};
use crate::{Actor, Agent, Batch, Metrics, Weights};
use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, backward, polyak};
use state::Archive;
use streams::Stream;

/// Everything that TD3 leaves to be chosen. Noise is in units of the action limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Td3Config {
    /// Width of each hidden layer, of actor and critics alike.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for actor and critics.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// τ, the share of the online network in each Polyak step.
    pub polyak: f64,
    /// Standard deviation of the Gaussian added to actions while training.
    pub exploration_noise: f64,
    /// Standard deviation of the Gaussian added to target actions (target policy smoothing).
    pub target_policy_noise: f64,
    /// Where that noise is clipped.
    pub target_noise_clip: f64,
    /// Critic updates for each update of actor and targets.
    pub policy_delay: u64,
    /// Environment steps with uniform random actions, before updates begin.
    pub start_steps: u64,
}

/// A TD3 learner.
pub struct Td3 {
    config: Td3Config,
    action_dim: usize,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    critics: Mlp,
    /// φ, the actor's parameters, and φ′, its target's.
    phi: Var,
    phi_target: Var,
    /// θ₁ and θ₂, the critics' parameters in one vector, and θ₁′, θ₂′.
    theta: Var,
    theta_target: Var,
    actor_optimiser: Adam,
    critic_optimiser: Adam,
    updates: u64,
    random_actions: Stream,
    exploration: Stream,
    target_noise: Stream,
}

impl Td3 {
    /// A learner with fresh networks for observations and actions of these sizes; actions lie within ±`action_limit`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: Td3Config,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let sizes = |input, output| [&[input], config.hidden.as_slice(), &[output]].concat();
        let actor = Mlp::new(&sizes(observation_dim, action_dim), Head::Tanh);
        let critics = Mlp::new(&sizes(observation_dim + action_dim, 1), Head::Linear).ensemble(2);
        let mut init = Stream::new(seed, "init");
        let (phi, theta) = (actor.init(&mut init), critics.init(&mut init));
        let (phi, phi_target) = (var(&phi, device)?, var(&phi, device)?);
        let (theta, theta_target) = (var(&theta, device)?, var(&theta, device)?);
        Ok(Self {
            actor_optimiser: Adam::new(&phi, config.learning_rate)?,
            critic_optimiser: Adam::new(&theta, config.learning_rate)?,
            config,
            action_dim,
            action_limit,
            device: device.clone(),
            actor,
            critics,
            phi,
            phi_target,
            theta,
            theta_target,
            updates: 0,
            random_actions: Stream::new(seed, "random-actions"),
            exploration: Stream::new(seed, "exploration"),
            target_noise: Stream::new(seed, "target-noise"),
        })
    }

    /// The actor as it stands, sharing this learner's parameters.
    fn policy(&self) -> Actor {
        Actor::new(self.actor.clone(), self.phi.as_detached_tensor(), self.action_limit)
    }

    /// Whether step `t` is one of the first, with uniform random actions.
    pub(crate) fn starts_at(&self, t: u64) -> bool {
        t < self.config.start_steps
    }

    /// A uniform random action.
    pub(crate) fn random_action(&mut self, action: &mut [f32]) {
        let limit = self.action_limit;
        action.fill_with(|| self.random_actions.uniform_in(-limit, limit) as f32);
    }

    /// Adds exploration noise and clips to the limit.
    pub(crate) fn add_noise(&mut self, action: &mut [f32]) {
        let (limit, sigma) = (self.action_limit as f32, self.config.exploration_noise * self.action_limit);
        for a in action {
            *a = (*a + (sigma * self.exploration.normal()) as f32).clamp(-limit, limit);
        }
    }

    /// One update with `noise [size, action]`, standard normal draws for target policy smoothing.
    ///
    /// # Errors
    /// If the shapes do not fit or a loss is not finite.
    pub fn update_with_noise(&mut self, batch: &Batch<'_>, noise: &[f32]) -> Result<Metrics> {
        let config = &self.config;
        let limit = self.action_limit;
        let size = batch.rewards.len();
        let Transitions { s, a, r, next_s, not_terminal } = Transitions::new(batch, &self.device)?;
        self.updates += 1;

        // ã ← clip(μ_φ′(s′) + clip(ε, −c, c), ±limit),  ε ~ N(0, σ̃)
        let clip = config.target_noise_clip * limit;
        let epsilon = Tensor::from_slice(noise, a.shape(), &self.device)?;
        let epsilon = epsilon.affine(config.target_policy_noise * limit, 0.0)?.clamp(-clip, clip)?;
        let next_a =
            self.actor.forward(&next_s, &self.phi_target.as_detached_tensor())?.affine(limit, 0.0)?;
        let next_a = (next_a + epsilon)?.clamp(-limit, limit)?;

        // y ← r + γ min_i Q_θ′i(s′, ã), without the second term where the task ended
        let next_q =
            self.critics.forward_beside(&next_s, &next_a, &self.theta_target.as_detached_tensor())?.min(0)?;
        let y = (r + (not_terminal * next_q.affine(config.discount, 0.0)?)?)?;

        // θ_i ← argmin Σ_i mean (y − Q_θi(s, a))²
        let q = self.critics.forward_beside(&s, &a, &self.theta)?;
        let critic_loss = q.broadcast_sub(&y)?.sqr()?.sum_all()?.affine(1.0 / size as f64, 0.0)?;
        let gradients = backward(&critic_loss)?;
        let gradient = gradients.of(&self.theta).expect("the critic loss depends on θ");
        self.critic_optimiser.step(&self.theta, gradient)?;
        let mut metrics = vec![("critic_loss", scalar("critic loss", self.updates, &critic_loss)?)];

        if self.updates.is_multiple_of(config.policy_delay) {
            // φ by the deterministic policy gradient: ∇_φ mean Q_θ1(s, μ_φ(s))
            let action = self.actor.forward(&s, &self.phi)?.affine(limit, 0.0)?;
            let (critic, theta_1) = self.critics.member(&self.theta.as_detached_tensor(), 0)?;
            let q = critic.forward_beside(&s, &action, &theta_1)?;
            let actor_loss = q.mean_all()?.neg()?;
            let gradients = backward(&actor_loss)?;
            let gradient = gradients.of(&self.phi).expect("the actor loss depends on φ");
            self.actor_optimiser.step(&self.phi, gradient)?;
            metrics.push(("actor_loss", scalar("actor loss", self.updates, &actor_loss)?));

            // θ_i′ ← τ θ_i + (1 − τ) θ_i′,  φ′ ← τ φ + (1 − τ) φ′
            polyak(&self.theta_target, &self.theta, config.polyak)?;
            polyak(&self.phi_target, &self.phi, config.polyak)?;
        }
        Ok(metrics)
    }

    /// All parameters by name: `actor.0.weight`, `critic1.0.weight`, …, and the same with `target_` before.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for (prefix, phi, theta) in
            [("", &self.phi, &self.theta), ("target_", &self.phi_target, &self.theta_target)]
        {
            weights.extend(weights_from_theta(&self.actor, |_, name| actor_name(prefix, name), phi)?);
            weights.extend(weights_from_theta(&self.critics, |i, name| critic_name(prefix, i, name), theta)?);
        }
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        let set =
            |var: &Var, theta: Vec<f32>| var.set(&Tensor::from_slice(&theta, theta.len(), &self.device)?);
        for (prefix, phi, theta) in
            [("", &self.phi, &self.theta), ("target_", &self.phi_target, &self.theta_target)]
        {
            set(phi, theta_from_weights(&self.actor, |_, name| actor_name(prefix, name), weights)?)?;
            set(theta, theta_from_weights(&self.critics, |i, name| critic_name(prefix, i, name), weights)?)?;
        }
        Ok(())
    }
}

fn actor_name(prefix: &str, name: &str) -> String {
    format!("{prefix}actor.{name}")
}

impl Agent for Td3 {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.policy().act(observation, action)
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        if self.starts_at(t) {
            self.random_action(action);
        } else {
            self.act(observation, action)?;
            self.add_noise(action);
        }
        Ok(())
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let count = batch.rewards.len() * self.action_dim;
        let noise: Vec<f32> = (0..count).map(|_| self.target_noise.normal() as f32).collect();
        self.update_with_noise(batch, &noise)
    }

    fn policy_weights(&self) -> Result<Weights> {
        weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.phi)
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "phi", &self.phi)?;
        nn::state(archive, "phi_target", &self.phi_target)?;
        nn::state(archive, "theta", &self.theta)?;
        nn::state(archive, "theta_target", &self.theta_target)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.group("critic_optimiser", |archive| self.critic_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("random_actions", &mut self.random_actions)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("target_noise", &mut self.target_noise)
    }
}
