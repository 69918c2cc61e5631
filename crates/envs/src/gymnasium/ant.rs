//! Ant: run on four legs without jumping or rolling over.

use super::Locomotion;
use super::tasks::Version;
use crate::simulated::concatenate;
use crate::{Action, numpy};
use anyhow::{Context, Result};
use mujoco::{Data, Model};

const CTRL_COST_WEIGHT: f64 = 0.5;
const CONTACT_COST_WEIGHT: f64 = 5e-4;
const HEALTHY_REWARD: f64 = 1.0;

pub(crate) struct Ant {
    version: Version,
    torso: usize,
}

impl Ant {
    pub(crate) fn new(model: &Model, version: Version) -> Result<Self> {
        let torso = model.body_id("torso").context("the model of Ant has no body `torso`")?;
        Ok(Self { version, torso })
    }
}

fn is_healthy(data: &Data) -> bool {
    let is_finite = data.qpos().iter().chain(data.qvel()).all(|x| x.is_finite());
    is_finite && (0.2..=1.0).contains(&data.qpos()[2])
}

fn clipped(force: f64) -> f64 {
    force.clamp(-1.0, 1.0)
}

impl Locomotion for Ant {
    /// Of the torso's frame, which is from before the last `mj_step`'s integration, unlike `qpos[0]`.
    fn x(&self, data: &Data) -> f64 {
        data.xpos()[3 * self.torso]
    }

    fn outcome(&self, x_velocity: f64, action: Action<'_>, data: &Data) -> (f64, bool) {
        let is_healthy = is_healthy(data);
        let rewards = x_velocity + self.version.healthy_reward(HEALTHY_REWARD, is_healthy);
        let mut costs = numpy::control_cost(CTRL_COST_WEIGHT, action);
        if self.version == Version::V5 {
            // With the world's entries, which the observation leaves out.
            let forces = data.cfrc_ext();
            let sum = numpy::sum(forces.len(), |i| clipped(forces[i]) * clipped(forces[i]));
            costs += CONTACT_COST_WEIGHT * sum;
        }
        (rewards - costs, !is_healthy)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        let (position, velocity) = (&data.qpos()[2..], data.qvel());
        let (state, contact) = observation.split_at_mut(position.len() + velocity.len());
        concatenate(state, &[position, velocity]);
        // Version 4 has no entries here.
        contact.iter_mut().zip(&data.cfrc_ext()[6..]).for_each(|(seen, &force)| *seen = clipped(force));
    }
}
