//! HalfCheetah: run fast with little effort. Both versions are the same.

use super::Locomotion;
use crate::simulated::concatenate;
use crate::{Action, numpy};
use mujoco::Data;

pub(crate) struct HalfCheetah;

impl Locomotion for HalfCheetah {
    fn x(&self, data: &Data) -> f64 {
        data.qpos()[0]
    }

    fn outcome(&self, x_velocity: f64, action: Action<'_>, _: &Data) -> (f64, bool) {
        (x_velocity - numpy::control_cost(0.1, action), false)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        concatenate(observation, &[&data.qpos()[1..], data.qvel()]);
    }
}
