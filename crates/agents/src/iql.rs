//! IQL: Kostrikov, Nair and Levine 2021, "Offline Reinforcement Learning with Implicit Q-Learning" (arXiv 2110.06169),
//! in the order and with the policy of PEX's code, which trains it offline and goes on with it online.

use crate::actor::{critic_name, load, theta_from_weights, weights_from_theta};
use crate::tensors::{Transitions, normals, scalar, var};
use crate::{Actor, Agent, Batch, Metrics, Weights};
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Dropout, Gaussian, Head, Mlp, Unit, backward, polyak};
use state::Archive;
use streams::Stream;

/// Everything that IQL leaves to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct IqlConfig {
    /// Width of each hidden layer, of policy, critics and value network alike.
    pub hidden: Vec<usize>,
    /// The hidden units of all networks.
    pub unit: Unit,
    /// Whether hidden layers of critics and value network are normalised.
    pub layer_norm: bool,
    /// Adam's learning rate for all networks.
    pub learning_rate: f64,
    /// Updates over which the policy's learning rate falls to 0 along a cosine; it stays as it is where there is none.
    pub policy_decay: Option<u64>,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// τ, the expectile.
    pub expectile: f64,
    /// β, what advantages are multiplied by before they weigh actions.
    pub beta: f64,
    /// What these weights exp(β A) are clipped to.
    pub weight_limit: f64,
    /// Share of the policy's hidden units that an update leaves out.
    pub dropout: f64,
}

/// What ln σ is clipped to.
const LOG_STD: (f64, f64) = (-5.0, 2.0);

/// An IQL learner, offline or online. Its policy is a Gaussian around `action_limit` · tanh(network(s)).
pub struct Iql {
    config: IqlConfig,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    critics: Mlp,
    value: Mlp,
    gaussian: Gaussian,
    /// φ, the parameters of the policy's mean, and ln σ `[action]`.
    phi: Var,
    log_std: Var,
    /// ψ, the value network's parameters.
    psi: Var,
    /// θ₁ and θ₂, the critics' parameters in one vector, and θ₁′, θ₂′, their targets'.
    theta: Var,
    theta_target: Var,
    actor_optimiser: Adam,
    log_std_optimiser: Adam,
    value_optimiser: Adam,
    critic_optimiser: Adam,
    updates: u64,
    exploration: Stream,
    dropout: Stream,
}

impl Iql {
    /// A learner with fresh networks for observations and actions of these sizes; means lie within ±`action_limit`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: IqlConfig,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let sizes = |input, output| [&[input], config.hidden.as_slice(), &[output]].concat();
        let values = |inputs| {
            let mlp = Mlp::new(&sizes(inputs, 1), Head::Linear).units(config.unit);
            if config.layer_norm { mlp.layer_norm() } else { mlp }
        };
        let actor = Mlp::new(&sizes(observation_dim, action_dim), Head::Tanh).units(config.unit);
        let critics = values(observation_dim + action_dim).ensemble(2);
        let value = values(observation_dim);
        let mut init = Stream::new(seed, "init");
        let phi = var(&actor.init_glorot(&mut init), device)?;
        let log_std = var(&vec![0.0; action_dim], device)?;
        let theta = critics.init(&mut init);
        let (theta, theta_target) = (var(&theta, device)?, var(&theta, device)?);
        let psi = var(&value.init(&mut init), device)?;
        Ok(Self {
            actor_optimiser: Adam::new(&phi, config.learning_rate)?,
            log_std_optimiser: Adam::new(&log_std, config.learning_rate)?,
            value_optimiser: Adam::new(&psi, config.learning_rate)?,
            critic_optimiser: Adam::new(&theta, config.learning_rate)?,
            config,
            action_limit,
            device: device.clone(),
            actor,
            critics,
            value,
            gaussian: Gaussian { log_std: LOG_STD },
            phi,
            log_std,
            psi,
            theta,
            theta_target,
            updates: 0,
            exploration: Stream::new(seed, "exploration"),
            dropout: Stream::new(seed, "dropout"),
        })
    }

    /// Goes on from what an offline run published: its policy, its critics, whose targets start as their copies, and its
    /// value network. This is direct fine-tuning; optimisers and streams start afresh.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn fine_tune(&mut self, published: &Weights) -> Result<()> {
        self.load_policy(published)?;
        self.load_values(published)?;
        Ok(self.theta_target.set(&self.theta)?)
    }

    fn load_policy(&mut self, weights: &Weights) -> Result<()> {
        load(&self.phi, &theta_from_weights(&self.actor, |_, name| format!("actor.{name}"), weights)?)?;
        let (shape, log_std) = weights.get("actor.log_std").context("there is no array `actor.log_std`")?;
        ensure!(
            *shape == self.log_std.dims(),
            "array `actor.log_std` has shape {shape:?} instead of {:?}",
            self.log_std.dims()
        );
        load(&self.log_std, log_std)
    }

    /// Critics, their targets and the value network from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_values(&mut self, weights: &Weights) -> Result<()> {
        load(&self.psi, &theta_from_weights(&self.value, |_, name| format!("value.{name}"), weights)?)?;
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            let name = |i: usize, name: &str| critic_name(prefix, i, name);
            load(theta, &theta_from_weights(&self.critics, name, weights)?)?;
        }
        Ok(())
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        self.load_policy(weights)?;
        self.load_values(weights)
    }

    /// All parameters by name: `actor.0.weight`, …, `actor.log_std`, `critic1.0.weight`, `target_critic1.0.weight`, …,
    /// `value.0.weight`, ….
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = weights_from_theta(&self.actor, |_, name| format!("actor.{name}"), &self.phi)?;
        let log_std = self.log_std.to_vec1()?;
        weights.insert("actor.log_std".to_owned(), (vec![log_std.len()], log_std));
        weights.extend(weights_from_theta(&self.value, |_, name| format!("value.{name}"), &self.psi)?);
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            weights.extend(weights_from_theta(&self.critics, |i, name| critic_name(prefix, i, name), theta)?);
        }
        Ok(weights)
    }

    /// The settings that this learner was made with.
    #[must_use]
    pub fn config(&self) -> &IqlConfig {
        &self.config
    }

    /// The hidden unit of all its networks.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.config.unit
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The policy's mode as it stands, sharing this learner's parameters.
    pub(crate) fn policy(&self) -> Actor {
        Actor::new(self.actor.clone(), self.phi.as_detached_tensor(), self.action_limit)
    }

    /// The policy's action with standard normal `noise`, as it is.
    pub(crate) fn sample(&self, observation: &[f32], noise: &[f32], action: &mut [f32]) -> Result<()> {
        self.policy().act(observation, action)?;
        for ((a, std), noise) in action.iter_mut().zip(self.gaussian.std(&self.log_std)?).zip(noise) {
            *a += std * noise;
        }
        Ok(())
    }

    /// The mean of the policy in each state, for an update of the policy.
    pub(crate) fn means(&mut self, s: &Tensor) -> Result<Tensor> {
        let rate = self.config.dropout;
        let mean = if rate > 0.0 {
            let dropout = Dropout::draw(&self.actor, rate, s.dim(0)?, &mut self.dropout, &self.device)?;
            self.actor.forward_dropped(s, &self.phi, &dropout)?
        } else {
            self.actor.forward(s, &self.phi)?
        };
        Ok(mean.affine(self.action_limit, 0.0)?)
    }

    /// Draws around `mean` with standard normal `noise`, both `[batch, action]`.
    pub(crate) fn draws(&self, mean: &Tensor, noise: &Tensor) -> Result<Tensor> {
        Ok(self.gaussian.sample(mean, &self.log_std, noise)?)
    }

    /// min_i Q_θi(s, a), `[batch, 1]`.
    pub(crate) fn q(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok(self.critics.forward_beside(s, a, &self.theta.as_detached_tensor())?.min(0)?)
    }

    /// min_i Q_θ′i(s, a) − V_ψ(s), `[batch, 1]`.
    pub(crate) fn advantage(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok((self.q_target(s, a)? - self.value.forward(s, &self.psi.as_detached_tensor())?)?)
    }

    fn q_target(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok(self.critics.forward_beside(s, a, &self.theta_target.as_detached_tensor())?.min(0)?)
    }

    /// One step of value network, critics and targets. Returns the advantages of the batch's actions before it,
    /// `[batch, 1]`.
    pub(crate) fn update_values(&mut self, batch: &Transitions) -> Result<(Metrics, Tensor)> {
        let config = &self.config;
        let Transitions { s, a, next_s, .. } = batch;
        self.updates += 1;

        // v′ ← V_ψ(s′),  u ← min_i Q_θ′i(s, a) − V_ψ(s)
        let next_v = self.value.forward(next_s, &self.psi.as_detached_tensor())?;
        let u = (self.q_target(s, a)? - self.value.forward(s, &self.psi)?)?;

        // ψ ← argmin mean |τ − 1(u ≤ 0)| u²
        let above = u.detach().gt(0.0)?.to_dtype(u.dtype())?;
        let weight = above.affine(2.0 * config.expectile - 1.0, 1.0 - config.expectile)?;
        let value_loss = (weight * u.sqr()?)?.mean_all()?;
        let gradients = backward(&value_loss)?;
        let gradient = gradients.of(&self.psi).expect("the value loss depends on ψ");
        self.value_optimiser.step(&self.psi, gradient)?;

        // y ← r + γ v′, without the second term where the task ended;  θ_i ← argmin ½ Σ_i mean (y − Q_θi(s, a))²
        let y = batch.discounted(&next_v, config.discount)?;
        let q = self.critics.forward_beside(s, a, &self.theta)?;
        let critic_loss = q.broadcast_sub(&y)?.sqr()?.mean_all()?;
        let gradients = backward(&critic_loss)?;
        let gradient = gradients.of(&self.theta).expect("the critic loss depends on θ");
        self.critic_optimiser.step(&self.theta, gradient)?;

        polyak(&self.theta_target, &self.theta, config.polyak)?;
        let metrics = vec![
            ("value_loss", scalar("value loss", self.updates, &value_loss)?),
            ("critic_loss", scalar("critic loss", self.updates, &critic_loss)?),
        ];
        Ok((metrics, u.detach()))
    }

    /// One step of the policy, whose `mean` is that of [`Self::means`], towards actions `a` in proportion to
    /// exp(β `advantage`).
    pub(crate) fn update_policy(&mut self, mean: &Tensor, a: &Tensor, advantage: &Tensor) -> Result<Metrics> {
        let config = &self.config;
        // φ, σ ← argmin mean −min(exp(β A), limit) ln π(a|s)
        let weights =
            advantage.flatten_all()?.to_vec1::<f32>()?.into_iter().map(|advantage| {
                libm::exp(config.beta * f64::from(advantage)).min(config.weight_limit) as f32
            });
        let weights = Tensor::from_iter(weights, &self.device)?;
        let density = self.gaussian.log_density(mean, &self.log_std, a)?;
        let loss = (weights * density)?.mean_all()?.neg()?;
        let gradients = backward(&loss)?;
        let rate = decayed(config.learning_rate, self.updates - 1, config.policy_decay);
        for (variable, optimiser) in
            [(&self.phi, &mut self.actor_optimiser), (&self.log_std, &mut self.log_std_optimiser)]
        {
            optimiser.set_learning_rate(rate);
            optimiser.step(variable, gradients.of(variable).expect("the actor loss depends on φ and σ"))?;
        }
        Ok(vec![("actor_loss", scalar("actor loss", self.updates, &loss)?)])
    }
}

/// The learning rate after `steps` of its schedule: half a cosine from `rate` to 0, and 0 from there on.
fn decayed(rate: f64, steps: u64, decay: Option<u64>) -> f64 {
    match decay {
        None => rate,
        Some(length) if steps < length => {
            rate * (1.0 + libm::cos(std::f64::consts::PI * steps as f64 / length as f64)) / 2.0
        }
        Some(_) => 0.0,
    }
}

impl Agent for Iql {
    /// The mean.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.policy().act(observation, action)
    }

    /// A draw from the policy, which may leave the limit.
    fn explore(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let noise = normals(&mut self.exploration, action.len());
        self.sample(observation, &noise, action)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let batch = Transitions::new(batch, &self.device)?;
        let (mut metrics, advantage) = self.update_values(&batch)?;
        let mean = self.means(&batch.s)?;
        metrics.extend(self.update_policy(&mean, &batch.a, &advantage)?);
        Ok(metrics)
    }

    /// Those of the mean: the policy of [`Self::act`].
    fn policy_weights(&self) -> Result<Weights> {
        weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.phi)
    }

    /// All parameters, as [`Self::weights`] names them.
    fn publish(&self) -> Result<Weights> {
        self.weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "phi", &self.phi)?;
        nn::state(archive, "log_std", &self.log_std)?;
        nn::state(archive, "psi", &self.psi)?;
        nn::state(archive, "theta", &self.theta)?;
        nn::state(archive, "theta_target", &self.theta_target)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.group("log_std_optimiser", |archive| self.log_std_optimiser.state(archive))?;
        archive.group("value_optimiser", |archive| self.value_optimiser.state(archive))?;
        archive.group("critic_optimiser", |archive| self.critic_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("dropout", &mut self.dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policys_rate_falls_along_a_cosine_and_stays_at_0() {
        let rate = |steps| decayed(3e-4, steps, Some(1000));
        assert_eq!((rate(0), rate(1000), rate(5000)), (3e-4, 0.0, 0.0));
        assert!((rate(500) - 1.5e-4).abs() < 1e-18 && (rate(250) + rate(750) - 3e-4).abs() < 1e-18);
        assert_eq!(decayed(3e-4, 10_000_000, None), 3e-4);
    }
}
