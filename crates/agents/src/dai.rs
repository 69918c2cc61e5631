//! TD3-DAI: Cao 2025, "Dynamic Action Interpolation" (arXiv 2504.18766), with TD3 inside.
//!
//! The executed action is (1 − α(t)) · expert + α(t) · TD3's; nothing else of TD3 changes, so this file holds the
//! blend and its schedule and nothing more. What the paper's public text leaves open, and what we chose, is in
//! `experiments/dai/notes.md`.

use crate::{Actor, Agent, Batch, Metrics, Td3, Weights};
use anyhow::Result;

/// How α runs from its start to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleShape {
    /// In proportion to t.
    Linear,
    /// (1 − cos(π·t/length)) / 2: slow at both ends.
    Cosine,
    /// The start value until `length`, then 1: expert first, then TD3.
    Step,
    /// The start value throughout.
    Constant,
}

/// α(t), the learner's share of the executed action at environment step t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The shape between t = 0 and t = `length`.
    pub shape: ScheduleShape,
    /// α(0), in `[0, 1]`.
    pub start: f64,
    /// From this step on α = 1 (but for [`ScheduleShape::Constant`]).
    pub length: u64,
}

impl Schedule {
    /// α(t).
    #[must_use]
    pub fn alpha(&self, t: u64) -> f64 {
        let progress = if t >= self.length { 1.0 } else { t as f64 / self.length as f64 };
        let risen = match self.shape {
            ScheduleShape::Linear => progress,
            ScheduleShape::Cosine if progress < 1.0 => {
                (1.0 - libm::cos(std::f64::consts::PI * progress)) / 2.0
            }
            ScheduleShape::Cosine => 1.0,
            ScheduleShape::Step => f64::from(u8::from(t >= self.length)),
            ScheduleShape::Constant => 0.0,
        };
        self.start + (1.0 - self.start) * risen
    }
}

/// TD3 whose executed actions are blended with those of a frozen expert.
pub struct Dai {
    td3: Td3,
    expert: Actor,
    schedule: Schedule,
    expert_action: Vec<f32>,
}

impl Dai {
    /// `td3`, guided by `expert` as `schedule` says.
    #[must_use]
    pub fn new(td3: Td3, expert: Actor, schedule: Schedule) -> Self {
        Self { td3, expert, schedule, expert_action: Vec::new() }
    }

    /// `action ← (1 − α) · expert(s) + α · action`. At α = 1 the expert is not asked and `action` stays as it is.
    fn blend(&mut self, alpha: f64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        if alpha >= 1.0 {
            return Ok(());
        }
        self.expert_action.resize(action.len(), 0.0);
        self.expert.act(observation, &mut self.expert_action)?;
        for (a, expert) in action.iter_mut().zip(&self.expert_action) {
            *a = ((1.0 - alpha) * f64::from(*expert) + alpha * f64::from(*a)) as f32;
        }
        Ok(())
    }
}

impl Agent for Dai {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.td3.act(observation, action)
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.td3.explore(t, observation, action)?;
        self.blend(self.schedule.alpha(t), observation, action)
    }

    fn act_guided(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<bool> {
        let alpha = self.schedule.alpha(t);
        if alpha >= 1.0 {
            return Ok(false);
        }
        self.td3.act(observation, action)?;
        self.blend(alpha, observation, action)?;
        Ok(true)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        self.td3.update(batch)
    }

    fn policy_weights(&self) -> Result<Weights> {
        self.td3.policy_weights()
    }
}
