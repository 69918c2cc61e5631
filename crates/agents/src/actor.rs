//! The deterministic policy of TD3: μ(s) = `action_limit` · tanh(network(s)).

use crate::Weights;
use anyhow::{Context, Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Head, Mlp, Unit};

/// A frozen deterministic policy.
#[derive(Clone, Debug)]
pub struct Actor {
    mlp: Mlp,
    theta: Tensor,
    action_limit: f64,
}

impl Actor {
    pub(crate) fn new(mlp: Mlp, theta: Tensor, action_limit: f64) -> Self {
        Self { mlp, theta, action_limit }
    }

    /// The policy whose weights [`crate::Agent::policy_weights`] gave out.
    ///
    /// # Errors
    /// If the arrays are not those of one perceptron from `observation_dim` to `action_dim`.
    pub fn from_weights(
        weights: &Weights,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        device: &Device,
    ) -> Result<Self> {
        let mut sizes = vec![observation_dim];
        while let Some((shape, _)) = weights.get(&format!("{}.bias", sizes.len() - 1)) {
            sizes.extend(shape);
        }
        ensure!(
            sizes.len() > 1 && sizes.last() == Some(&action_dim),
            "the weights are those of a network of sizes {sizes:?}, not of a policy from {observation_dim} \
             observations to {action_dim} actions"
        );
        let mlp = Mlp::new(&sizes, Head::Tanh);
        let theta = theta_from_weights(&mlp, |_, name| name.to_owned(), weights)?;
        let theta = Tensor::from_vec(theta.clone(), theta.len(), device)?;
        Ok(Self { mlp, theta, action_limit })
    }

    /// The same weights with another hidden unit than ReLU: what unit they were trained with, they do not say.
    #[must_use]
    pub fn units(self, unit: Unit) -> Self {
        Self { mlp: self.mlp.units(unit), ..self }
    }

    /// The policy of what an agent published ([`crate::Agent::publish`]): its arrays `actor.…`.
    ///
    /// # Errors
    /// If these are not those of one perceptron from `observation_dim` to `action_dim`.
    pub fn from_published(
        published: &Weights,
        dims: (usize, usize),
        action_limit: f64,
        device: &Device,
    ) -> Result<Self> {
        let own = |(name, array): (&String, &_)| {
            Some((name.strip_prefix("actor.")?.to_owned(), Clone::clone(array)))
        };
        Self::from_weights(&published.iter().filter_map(own).collect(), dims, action_limit, device)
    }

    /// The action in `observation`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn act(&self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let x = Tensor::from_slice(observation, (1, observation.len()), self.theta.device())?;
        action.copy_from_slice(&self.actions(&x)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    /// The action in each state of `s [batch, observation]`.
    pub(crate) fn actions(&self, s: &Tensor) -> Result<Tensor> {
        Ok(self.mlp.forward(s, &self.theta)?.affine(self.action_limit, 0.0)?)
    }
}

/// Cuts θ into named arrays; `name` makes a name of a member and a parameter's own name.
pub(crate) fn weights_from_theta(
    mlp: &Mlp,
    name: impl Fn(usize, &str) -> String,
    theta: &Tensor,
) -> Result<Weights> {
    let theta = theta.flatten_all()?.to_vec1::<f32>()?;
    let cut = |p: nn::Parameter| {
        let count = p.shape.iter().product::<usize>();
        (name(p.member, &p.name), (p.shape, theta[p.offset..][..count].to_vec()))
    };
    Ok(mlp.parameters().into_iter().map(cut).collect())
}

/// The reverse of [`weights_from_theta`].
pub(crate) fn theta_from_weights(
    mlp: &Mlp,
    name: impl Fn(usize, &str) -> String,
    weights: &Weights,
) -> Result<Vec<f32>> {
    let mut theta = Vec::new();
    for p in mlp.parameters() {
        let name = name(p.member, &p.name);
        let (shape, values) = weights.get(&name).with_context(|| format!("there is no array `{name}`"))?;
        ensure!(*shape == p.shape, "array `{name}` has shape {shape:?} instead of {:?}", p.shape);
        theta.extend(values);
    }
    Ok(theta)
}

/// Sets all of `variable`.
pub(crate) fn load(variable: &Var, values: &[f32]) -> Result<()> {
    Ok(variable.set(&Tensor::from_slice(values, variable.shape(), variable.device())?)?)
}

/// The name of one of a critic's parameters: `critic1.0.weight`.
pub(crate) fn critic_name(prefix: &str, member: usize, name: &str) -> String {
    format!("{prefix}critic{}.{name}", member + 1)
}
