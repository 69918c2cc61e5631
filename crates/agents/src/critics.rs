//! The critics that FQL, DROL and ReBRAC share, those of OGBench's reference code: two networks of GELU units, each hidden layer
//! normalised, and a target of each.

use crate::Weights;
use crate::actor::{critic_name, load, theta_from_weights, weights_from_theta};
use crate::tensors::{Transitions, var};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, Unit, backward, polyak};
use state::Archive;
use streams::Stream;

/// What is made of two critics' values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// The lesser one.
    Min,
}

impl Aggregate {
    /// `q [2, batch, 1]` → `[batch, 1]`.
    pub(crate) fn of(self, q: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Mean => q.mean(0)?,
            Self::Min => q.min(0)?,
        })
    }
}

pub(crate) struct Critics {
    mlp: Mlp,
    /// θ₁ and θ₂ in one vector, and θ₁′, θ₂′.
    theta: Var,
    theta_target: Var,
    optimiser: Adam,
}

impl Critics {
    pub(crate) fn new(
        (observation_dim, action_dim): (usize, usize),
        hidden: &[usize],
        learning_rate: f64,
        init: &mut Stream,
        device: &Device,
    ) -> Result<Self> {
        let sizes = [&[observation_dim + action_dim], hidden, &[1]].concat();
        let mlp = Mlp::new(&sizes, Head::Linear).units(Unit::Gelu).layer_norm().ensemble(2);
        let theta = mlp.init_glorot(init);
        let (theta, theta_target) = (var(&theta, device)?, var(&theta, device)?);
        Ok(Self { optimiser: Adam::new(&theta, learning_rate)?, mlp, theta, theta_target })
    }

    /// Q_θi(s, a) `[2, batch, 1]`, whose gradient is that of `a` alone.
    pub(crate) fn q(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok(self.mlp.forward_beside(s, a, &self.theta.as_detached_tensor())?)
    }

    /// agg_i Q_θ′i(s, a) `[batch, 1]`.
    pub(crate) fn target_q(&self, s: &Tensor, a: &Tensor, aggregate: Aggregate) -> Result<Tensor> {
        aggregate.of(&self.mlp.forward_beside(s, a, &self.theta_target.as_detached_tensor())?)
    }

    /// min_i Q_θi(s, a) of each of `actions [count, action]` in one state.
    pub(crate) fn min_q(&self, observation: &[f32], actions: &[f32], count: usize) -> Result<Vec<f32>> {
        let (s, a) = rows(observation, actions, count, self.theta.device())?;
        Ok(Aggregate::Min.of(&self.q(&s, &a)?)?.flatten_all()?.to_vec1()?)
    }

    /// θ_i′ ← τ θ_i + (1 − τ) θ_i′. In the reference code this comes before [`Self::update`].
    pub(crate) fn update_targets(&mut self, tau: f64) -> Result<()> {
        Ok(polyak(&self.theta_target, &self.theta, tau)?)
    }

    /// θ_i ← argmin ½ Σ_i mean (y − Q_θi(s, a))². Returns the loss.
    pub(crate) fn update(&mut self, batch: &Transitions, y: &Tensor) -> Result<Tensor> {
        let q = self.mlp.forward_beside(&batch.s, &batch.a, &self.theta)?;
        let loss = q.broadcast_sub(y)?.sqr()?.mean_all()?;
        let gradients = backward(&loss)?;
        let gradient = gradients.of(&self.theta).expect("the critic loss depends on θ");
        self.optimiser.step(&self.theta, gradient)?;
        Ok(loss)
    }

    /// `critic1.0.weight`, …, and the same with `target_` before.
    pub(crate) fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            weights.extend(weights_from_theta(&self.mlp, |i, name| critic_name(prefix, i, name), theta)?);
        }
        Ok(weights)
    }

    pub(crate) fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        for (prefix, theta) in [("", &self.theta), ("target_", &self.theta_target)] {
            let name = |i: usize, name: &str| critic_name(prefix, i, name);
            load(theta, &theta_from_weights(&self.mlp, name, weights)?)?;
        }
        Ok(())
    }

    pub(crate) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "theta", &self.theta)?;
        nn::state(archive, "theta_target", &self.theta_target)?;
        archive.group("critic_optimiser", |archive| self.optimiser.state(archive))
    }
}

/// One state `count` times, and `values`, which are so many rows.
pub(crate) fn rows(
    observation: &[f32],
    values: &[f32],
    count: usize,
    device: &Device,
) -> Result<(Tensor, Tensor)> {
    ensure!(count > 0 && values.len().is_multiple_of(count), "{} numbers are not {count} rows", values.len());
    Ok((
        Tensor::from_vec(observation.repeat(count), (count, observation.len()), device)?,
        Tensor::from_slice(values, (count, values.len() / count), device)?,
    ))
}

/// λ = 1 / max(mean |q|, 1e-6), which makes a term of values independent of their scale.
pub(crate) fn scale_of(q: &Tensor) -> Result<f64> {
    let mean = f64::from(q.detach().abs()?.mean_all()?.to_scalar::<f32>()?);
    Ok(1.0 / mean.max(1e-6))
}
