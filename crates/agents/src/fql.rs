//! FQL: Park, Li and Levine 2025, "Flow Q-Learning" (arXiv 2502.02538), Algorithm 1, with the settings of the authors'
//! code.

use crate::actor::{load, theta_from_weights, weights_from_theta};
use crate::critics::{Aggregate, Critics, rows, scale_of};
use crate::tensors::{Transitions, normals, scalar, var};
use crate::{Agent, Batch, Metrics, OneStep, Weights};
use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, Unit, backward};
use state::Archive;
use streams::Stream;

/// Everything that FQL leaves to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct FqlConfig {
    /// Width of each hidden layer, of both policies and the critics alike.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for all networks.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// What the critics' target is made of.
    pub target: Aggregate,
    /// Euler steps from noise to the flow policy's action.
    pub flow_steps: usize,
    /// α, the weight of distillation.
    pub alpha: f64,
    /// Whether values in the actor's loss are divided by their mean size.
    pub normalise_q: bool,
}

/// Draws of one update, standard normal `[size, action]` but for the times.
#[derive(Clone, Copy, Debug)]
pub struct FqlNoise<'a> {
    /// Of the actions in s′.
    pub next: &'a [f32],
    /// x₀, where flows start.
    pub start: &'a [f32],
    /// t, uniform on `[0, 1)`, `[size]`.
    pub time: &'a [f32],
    /// z, of the actions in s.
    pub action: &'a [f32],
}

/// An FQL learner. Actions lie within ±`action_limit`.
pub struct Fql {
    config: FqlConfig,
    action_dim: usize,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    flow: Mlp,
    /// ω, the parameters of the one-step policy μ_ω(s, z).
    omega: Var,
    /// ξ, those of the flow policy's velocity v_ξ(s, x, t).
    xi: Var,
    critics: Critics,
    actor_optimiser: Adam,
    flow_optimiser: Adam,
    updates: u64,
    exploration: Stream,
    evaluation: Stream,
    update_noise: Stream,
}

impl Fql {
    /// A learner with fresh networks for observations and actions of these sizes.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: FqlConfig,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let network = |inputs: usize| {
            let sizes = [&[inputs], config.hidden.as_slice(), &[action_dim]].concat();
            Mlp::new(&sizes, Head::Linear).units(Unit::Gelu)
        };
        let (actor, flow) =
            (network(observation_dim + action_dim), network(observation_dim + action_dim + 1));
        let mut init = Stream::new(seed, "init");
        let omega = var(&actor.init_glorot(&mut init), device)?;
        let xi = var(&flow.init_glorot(&mut init), device)?;
        let dims = (observation_dim, action_dim);
        let critics = Critics::new(dims, &config.hidden, config.learning_rate, &mut init, device)?;
        Ok(Self {
            actor_optimiser: Adam::new(&omega, config.learning_rate)?,
            flow_optimiser: Adam::new(&xi, config.learning_rate)?,
            config,
            action_dim,
            action_limit,
            device: device.clone(),
            actor,
            flow,
            omega,
            xi,
            critics,
            updates: 0,
            exploration: Stream::new(seed, "exploration"),
            evaluation: Stream::new(seed, "evaluation"),
            update_noise: Stream::new(seed, "update-noise"),
        })
    }

    /// One update with given draws.
    ///
    /// # Errors
    /// If the shapes do not fit or a loss is not finite.
    pub fn update_with_noise(&mut self, batch: &Batch<'_>, noise: &FqlNoise<'_>) -> Result<Metrics> {
        let config = &self.config;
        let limit = self.action_limit;
        let batch = Transitions::new(batch, &self.device)?;
        let Transitions { s, a, next_s, .. } = &batch;
        let draws = |noise: &[f32]| Tensor::from_slice(noise, a.shape(), &self.device);
        self.updates += 1;

        // a′ = clip(μ_ω(s′, z′)),  y ← r + γ agg_i Q_θ′i(s′, a′); nothing has moved yet
        let omega = self.omega.as_detached_tensor();
        let next_a = self.actor.forward_beside(next_s, &draws(noise.next)?, &omega)?.clamp(-limit, limit)?;
        let next_q = self.critics.target_q(next_s, &next_a, config.target)?;
        let y = batch.discounted(&next_q, config.discount)?;

        // z ~ N(0, I),  the teacher's action: x ← z,  x ← x + v_ξ(s, x, i/M) / M for i = 0 … M − 1,  clipped at the end
        let z = draws(noise.action)?;
        let xi = self.xi.as_detached_tensor();
        let mut x = z.clone();
        for i in 0..config.flow_steps {
            let step = 1.0 / config.flow_steps as f64;
            let t = Tensor::full((i as f64 * step) as f32, (x.dim(0)?, 1), &self.device)?;
            let velocity = self.flow.forward_beside(s, &Tensor::cat(&[&x, &t], 1)?, &xi)?;
            x = (x + velocity.affine(step, 0.0)?)?;
        }
        let teacher = x.clamp(-limit, limit)?;

        // ω ← argmin α mean (μ_ω(s, z) − teacher)² − λ mean ½ Σ_i Q_θi(s, clip(μ_ω(s, z)))
        let action = self.actor.forward_beside(s, &z, &self.omega)?;
        let distillation = (&action - teacher)?.sqr()?.mean_all()?;
        let q = Aggregate::Mean.of(&self.critics.q(s, &action.clamp(-limit, limit)?)?)?;
        let lambda = if config.normalise_q { scale_of(&q)? } else { 1.0 };
        let q = q.mean_all()?;
        let actor_loss = (distillation.affine(config.alpha, 0.0)? - q.affine(lambda, 0.0)?)?;
        let gradients = backward(&actor_loss)?;
        let gradient = gradients.of(&self.omega).expect("the actor loss depends on ω");
        self.actor_optimiser.step(&self.omega, gradient)?;

        // ξ ← argmin mean (v_ξ(s, x_t, t) − (a − x₀))²,  x_t = (1 − t) x₀ + t a
        let start = draws(noise.start)?;
        let t = Tensor::from_slice(noise.time, (noise.time.len(), 1), &self.device)?;
        let velocity = (a - &start)?;
        let x_t = (&start + velocity.broadcast_mul(&t)?)?;
        let found = self.flow.forward_beside(s, &Tensor::cat(&[&x_t, &t], 1)?, &self.xi)?;
        let flow_loss = (found - velocity)?.sqr()?.mean_all()?;
        let gradients = backward(&flow_loss)?;
        let gradient = gradients.of(&self.xi).expect("the flow loss depends on ξ");
        self.flow_optimiser.step(&self.xi, gradient)?;

        self.critics.update_targets(config.polyak)?;
        let critic_loss = self.critics.update(&batch, &y)?;
        Ok(vec![
            ("critic_loss", scalar("critic loss", self.updates, &critic_loss)?),
            ("actor_loss", scalar("actor loss", self.updates, &actor_loss)?),
            ("bc_flow_loss", scalar("flow loss", self.updates, &flow_loss)?),
            ("distill_loss", scalar("distillation loss", self.updates, &distillation)?),
            ("q", scalar("mean value", self.updates, &q)?),
        ])
    }

    /// All parameters by name: `actor.0.weight` (the one-step policy), `flow.0.weight`, `critic1.0.weight`,
    /// `critic1.0.norm.weight`, `target_critic1.0.weight`, ….
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = self.critics.weights()?;
        weights.extend(weights_from_theta(&self.actor, |_, name| format!("actor.{name}"), &self.omega)?);
        weights.extend(weights_from_theta(&self.flow, |_, name| format!("flow.{name}"), &self.xi)?);
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        load(&self.omega, &theta_from_weights(&self.actor, |_, name| format!("actor.{name}"), weights)?)?;
        load(&self.xi, &theta_from_weights(&self.flow, |_, name| format!("flow.{name}"), weights)?)?;
        self.critics.load_weights(weights)
    }

    fn act_with(&self, observation: &[f32], noise: &[f32], count: usize) -> Result<Vec<f32>> {
        act_with((&self.actor, &self.omega), self.action_limit, observation, noise, count)
    }
}

/// clip(network(s, z)) in one state, of each of `latents [count, action]`.
pub(crate) fn act_with(
    (actor, theta): (&Mlp, &Var),
    action_limit: f64,
    observation: &[f32],
    latents: &[f32],
    count: usize,
) -> Result<Vec<f32>> {
    let (s, z) = rows(observation, latents, count, theta.device())?;
    let a = actor.forward_beside(&s, &z, &theta.as_detached_tensor())?;
    Ok(a.clamp(-action_limit, action_limit)?.flatten_all()?.to_vec1()?)
}

impl OneStep for Fql {
    fn draws(&self, observation: &[f32], count: usize, stream: &mut Stream) -> Result<Vec<f32>> {
        self.act_with(observation, &normals(stream, count * self.action_dim), count)
    }

    fn values(&self, observation: &[f32], actions: &[f32]) -> Result<Vec<f32>> {
        self.critics.min_q(observation, actions, actions.len() / self.action_dim)
    }
}

impl Agent for Fql {
    /// A draw from the one-step policy: it has no action without noise.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let noise = normals(&mut self.evaluation, action.len());
        action.copy_from_slice(&self.act_with(observation, &noise, 1)?);
        Ok(())
    }

    fn explore(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let noise = normals(&mut self.exploration, action.len());
        action.copy_from_slice(&self.act_with(observation, &noise, 1)?);
        Ok(())
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let size = batch.rewards.len();
        let stream = &mut self.update_noise;
        let [next, start, action] = [(); 3].map(|()| normals(stream, size * self.action_dim));
        let time: Vec<f32> = (0..size).map(|_| stream.uniform() as f32).collect();
        self.update_with_noise(batch, &FqlNoise { next: &next, start: &start, time: &time, action: &action })
    }

    fn one_step(&self) -> Option<&dyn OneStep> {
        Some(self)
    }

    /// Those of the one-step policy's network from state and noise.
    fn policy_weights(&self) -> Result<Weights> {
        weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.omega)
    }

    /// All parameters, as [`Self::weights`] names them.
    fn publish(&self) -> Result<Weights> {
        self.weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "omega", &self.omega)?;
        nn::state(archive, "xi", &self.xi)?;
        self.critics.state(archive)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.group("flow_optimiser", |archive| self.flow_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("evaluation", &mut self.evaluation)?;
        archive.item("update_noise", &mut self.update_noise)
    }
}
