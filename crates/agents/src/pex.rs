//! PEX: Zhang, Xu and Yu 2023, "Policy Expansion for Bridging Offline-to-Online Reinforcement Learning" (arXiv
//! 2302.00935).
//!
//! The policy of an offline run, π_β, is frozen and joined by a new one, π_θ. Each proposes an action, and a softmax over
//! the critics' values of the two selects the one that is executed.

use crate::tensors::{Transitions, normals};
use crate::{Actor, Agent, Batch, Iql, Metrics, Sac, Weights};
use anyhow::Result;
use candle_core::{Device, Tensor};
use state::Archive;
use streams::Stream;

/// What IQL's policy update of π_θ learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyActions {
    /// Fresh actions of the composite policy in the batch's states.
    Composite,
    /// The batch's own actions, as IQL does.
    Batch,
}

/// Everything that PEX adds to what learns online.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PexConfig {
    /// 1/α, what values are multiplied by before their softmax.
    pub inverse_temperature: f64,
    /// The share of evaluation steps in which π_θ proposes a draw instead of its mode, and, apart from that, of those in
    /// which the softmax selects instead of the greater value.
    pub evaluation_epsilon: f64,
    /// What the policy update learns from.
    pub policy_actions: PolicyActions,
}

/// What learns π_θ and the critics online.
pub enum Online {
    /// As in the authors' code.
    Iql(Box<Iql>),
    /// SAC as it is, which only acts by the composite policy: our own design, for the authors' is unpublished.
    Sac(Box<Sac>),
}

/// The policies that an agent of PEX can be evaluated by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PexPolicy {
    /// The composite policy as the authors' code evaluates it, with [`PexConfig::evaluation_epsilon`].
    EpsilonGreedy,
    /// The mode of each policy, and the one with the greater value.
    Greedy,
    /// The mode of π_β alone.
    Offline,
    /// The mode of π_θ alone.
    Online,
}

/// An online learner that acts by a policy set.
pub struct Pex {
    online: Online,
    /// π_β.
    offline: Actor,
    config: PexConfig,
    /// Actions executed since the last update, and those of π_β among them.
    executed: u64,
    executed_offline: u64,
    exploration: Stream,
    evaluation: Stream,
    action_noise: Stream,
}

/// The probability of each of several actions of values `q`: P_w ∝ exp(Q / α).
#[must_use]
pub fn selection(q: &[f32], inverse_temperature: f64) -> Vec<f64> {
    let max = q.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |q: f32| if q == max { 1.0 } else { libm::exp(inverse_temperature * f64::from(q - max)) };
    let weights: Vec<f64> = q.iter().map(|q| weight(*q)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Where π_β and π_θ stand in the policy set.
const OFFLINE: usize = 0;
const ONLINE: usize = 1;

impl Pex {
    /// `online`, joined by the frozen policy `offline`. The new policy and the values that `online` starts from are the
    /// caller's choice: [`Iql::load_values`] takes the offline run's, as PEX does.
    #[must_use]
    pub fn new(online: Online, offline: Actor, config: PexConfig, seed: u64) -> Self {
        Self {
            online,
            offline,
            config,
            executed: 0,
            executed_offline: 0,
            exploration: Stream::new(seed, "exploration"),
            evaluation: Stream::new(seed, "evaluation"),
            action_noise: Stream::new(seed, "action-noise"),
        }
    }

    /// One update of [`Online::Iql`] with what composite actions are made of: `noise`, standard normal draws
    /// `[size, action]`, and `choice`, uniform draws on `[0, 1)`, `[size]`.
    ///
    /// # Errors
    /// If the shapes do not fit, a loss is not finite, or something else learns.
    pub fn update_with_noise(&mut self, batch: &Batch<'_>, noise: &[f32], choice: &[f64]) -> Result<Metrics> {
        let Online::Iql(iql) = &mut self.online else {
            anyhow::bail!("only IQL's policy learns from composite actions")
        };
        let batch = Transitions::new(batch, iql.device())?;
        let (mut metrics, advantage) = iql.update_values(&batch)?;
        let mean = iql.means(&batch.s)?;
        if self.config.policy_actions == PolicyActions::Batch {
            metrics.extend(iql.update_policy(&mean, &batch.a, &advantage)?);
            return Ok(metrics);
        }

        // a₁ = mode of π_β(·|s),  a₂ ~ π_θ(·|s),  ã ~ P_w over min_i Q_θi(s, a₁), min_i Q_θi(s, a₂)
        let size = choice.len();
        let noise = Tensor::from_slice(noise, batch.a.shape(), iql.device())?;
        let proposals = Tensor::cat(&[self.offline.actions(&batch.s)?, iql.draws(&mean, &noise)?], 0)?;
        let q = iql.q(&Tensor::cat(&[&batch.s, &batch.s], 0)?, &proposals)?;
        let q = q.flatten_all()?.to_vec1::<f32>()?;
        let rows: Vec<u32> = (0..size)
            .map(|i| {
                let p = selection(&[q[i], q[size + i]], self.config.inverse_temperature);
                if choice[i] < p[OFFLINE] { i as u32 } else { (size + i) as u32 }
            })
            .collect();
        let offline = rows.iter().filter(|row| **row < size as u32).count();
        let a = proposals.index_select(&Tensor::new(rows, iql.device())?, 0)?;

        // φ ← argmin mean −min(exp(β A(s, ã)), limit) ln π_θ(ã|s),  A = min_i Q_θ′i − V_ψ, all as just updated
        let advantage = iql.advantage(&batch.s, &a)?;
        metrics.extend(iql.update_policy(&mean, &a, &advantage)?);
        let mean = |q: &[f32]| q.iter().map(|q| f64::from(*q)).sum::<f64>() / size as f64;
        metrics.extend([
            ("offline_share_in_update", offline as f64 / size as f64),
            ("offline_q", mean(&q[..size])),
            ("online_q", mean(&q[size..])),
        ]);
        Ok(metrics)
    }

    /// The action of one of the policies. Only [`PexPolicy::EpsilonGreedy`] draws.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn act_by(&mut self, policy: PexPolicy, observation: &[f32], action: &mut [f32]) -> Result<()> {
        match policy {
            PexPolicy::Offline => return self.offline.act(observation, action),
            PexPolicy::Online => return self.online.agent_mut().act(observation, action),
            PexPolicy::EpsilonGreedy | PexPolicy::Greedy => {}
        }
        let mut explores = || {
            policy == PexPolicy::EpsilonGreedy && self.evaluation.uniform() < self.config.evaluation_epsilon
        };
        let (draws, softmax) = (explores(), explores());
        let mut proposals = [vec![0.0; action.len()], vec![0.0; action.len()]];
        self.offline.act(observation, &mut proposals[OFFLINE])?;
        if draws {
            let noise = normals(&mut self.evaluation, action.len());
            self.online.sample(observation, &noise, &mut proposals[ONLINE])?;
        } else {
            self.online.agent_mut().act(observation, &mut proposals[ONLINE])?;
        }
        let p = self.probabilities(observation, &proposals)?;
        let is_offline =
            if softmax { self.evaluation.uniform() < p[OFFLINE] } else { p[OFFLINE] >= p[ONLINE] };
        action.copy_from_slice(&proposals[if is_offline { OFFLINE } else { ONLINE }]);
        Ok(())
    }

    /// P_w of two actions in one state.
    fn probabilities(&self, observation: &[f32], proposals: &[Vec<f32>; 2]) -> Result<Vec<f64>> {
        let matrix = |row: usize, data: Vec<f32>| Tensor::from_vec(data, (2, row), self.online.device());
        let s = matrix(observation.len(), [observation, observation].concat())?;
        let a = matrix(proposals[OFFLINE].len(), proposals.concat())?;
        let q = self.online.q(&s, &a)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(selection(&q, self.config.inverse_temperature))
    }
}

impl Online {
    fn device(&self) -> &Device {
        match self {
            Self::Iql(iql) => iql.device(),
            Self::Sac(sac) => sac.device(),
        }
    }

    fn sample(&self, observation: &[f32], noise: &[f32], action: &mut [f32]) -> Result<()> {
        match self {
            Self::Iql(iql) => iql.sample(observation, noise, action),
            Self::Sac(sac) => sac.sample(observation, noise, action),
        }
    }

    /// min_i Q_θi(s, a).
    fn q(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        match self {
            Self::Iql(iql) => iql.q(s, a),
            Self::Sac(sac) => sac.q(s, a),
        }
    }

    fn agent(&self) -> &dyn Agent {
        match self {
            Self::Iql(iql) => &**iql,
            Self::Sac(sac) => &**sac,
        }
    }

    fn agent_mut(&mut self) -> &mut dyn Agent {
        match self {
            Self::Iql(iql) => &mut **iql,
            Self::Sac(sac) => &mut **sac,
        }
    }
}

impl Agent for Pex {
    /// The composite policy as the authors' code evaluates it.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.act_by(PexPolicy::EpsilonGreedy, observation, action)
    }

    /// The composite policy: the mode of π_β, or a draw from π_θ, which may leave the limit.
    fn explore(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let mut proposals = [vec![0.0; action.len()], vec![0.0; action.len()]];
        self.offline.act(observation, &mut proposals[OFFLINE])?;
        let noise = normals(&mut self.exploration, action.len());
        self.online.sample(observation, &noise, &mut proposals[ONLINE])?;
        let p = self.probabilities(observation, &proposals)?;
        let is_offline = self.exploration.uniform() < p[OFFLINE];
        self.executed += 1;
        self.executed_offline += u64::from(is_offline);
        action.copy_from_slice(&proposals[if is_offline { OFFLINE } else { ONLINE }]);
        Ok(())
    }

    /// The composite policy without any draw.
    fn act_guided(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<bool> {
        let draws = self.config.evaluation_epsilon > 0.0;
        if draws {
            self.act_by(PexPolicy::Greedy, observation, action)?;
        }
        Ok(draws)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let mut metrics = match &mut self.online {
            Online::Sac(sac) => sac.update(batch)?,
            Online::Iql(_) => {
                let noise = normals(&mut self.action_noise, batch.actions.len());
                let choice: Vec<f64> = batch.rewards.iter().map(|_| self.action_noise.uniform()).collect();
                self.update_with_noise(batch, &noise, &choice)?
            }
        };
        if self.executed > 0 {
            metrics.push(("offline_share", self.executed_offline as f64 / self.executed as f64));
            (self.executed, self.executed_offline) = (0, 0);
        }
        Ok(metrics)
    }

    /// Those of π_θ alone.
    fn policy_weights(&self) -> Result<Weights> {
        self.online.agent().policy_weights()
    }

    /// What the online learner publishes: π_θ and the values.
    fn publish(&self) -> Result<Weights> {
        self.online.agent().publish()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        // π_β is frozen.
        archive.group("online", |archive| self.online.agent_mut().state(archive))?;
        archive.item("executed", &mut self.executed)?;
        archive.item("executed_offline", &mut self.executed_offline)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("evaluation", &mut self.evaluation)?;
        archive.item("action_noise", &mut self.action_noise)
    }
}
