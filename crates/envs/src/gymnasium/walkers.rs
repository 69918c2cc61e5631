//! Hopper and Walker2d: walk in the plane without falling.

use super::Locomotion;
use super::tasks::Version;
use crate::{Action, numpy};
use mujoco::Data;

const CTRL_COST_WEIGHT: f64 = 1e-3;
const HEALTHY_REWARD: f64 = 1.0;

/// On one leg.
pub(crate) struct Hopper(pub(crate) Version);

/// On two.
pub(crate) struct Walker2d(pub(crate) Version);

impl Hopper {
    fn is_healthy(data: &Data) -> bool {
        let (z, angle) = (data.qpos()[1], data.qpos()[2]);
        let is_bounded = |x: &f64| -100.0 < *x && *x < 100.0;
        // All of the state but x and z.
        let is_bounded = data.qpos()[2..].iter().chain(data.qvel()).all(is_bounded);
        is_bounded && z > 0.7 && z < f64::INFINITY && -0.2 < angle && angle < 0.2
    }
}

impl Walker2d {
    fn is_healthy(data: &Data) -> bool {
        let (z, angle) = (data.qpos()[1], data.qpos()[2]);
        0.8 < z && z < 2.0 && -1.0 < angle && angle < 1.0
    }
}

impl Locomotion for Hopper {
    fn x(&self, data: &Data) -> f64 {
        data.qpos()[0]
    }

    fn outcome(&self, x_velocity: f64, action: Action<'_>, data: &Data) -> (f64, bool) {
        outcome(self.0, Self::is_healthy(data), x_velocity, action)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        observe(data, observation);
    }
}

impl Locomotion for Walker2d {
    fn x(&self, data: &Data) -> f64 {
        data.qpos()[0]
    }

    fn outcome(&self, x_velocity: f64, action: Action<'_>, data: &Data) -> (f64, bool) {
        outcome(self.0, Self::is_healthy(data), x_velocity, action)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        observe(data, observation);
    }
}

fn outcome(version: Version, is_healthy: bool, x_velocity: f64, action: Action<'_>) -> (f64, bool) {
    let rewards = x_velocity + version.healthy_reward(HEALTHY_REWARD, is_healthy);
    (rewards - numpy::control_cost(CTRL_COST_WEIGHT, action), !is_healthy)
}

/// Velocities are clipped in what is seen, not in what is simulated.
fn observe(data: &Data, observation: &mut [f64]) {
    let (position, velocity) = observation.split_at_mut(data.qpos().len() - 1);
    position.copy_from_slice(&data.qpos()[1..]);
    velocity.iter_mut().zip(data.qvel()).for_each(|(seen, v)| *seen = v.clamp(-10.0, 10.0));
}
