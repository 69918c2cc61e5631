//! InvertedPendulum: keep the pole up.

use super::Locomotion;
use super::tasks::Version;
use crate::Action;
use crate::simulated::concatenate;
use mujoco::Data;

pub(crate) struct InvertedPendulum(pub(crate) Version);

impl Locomotion for InvertedPendulum {
    fn x(&self, data: &Data) -> f64 {
        data.qpos()[0]
    }

    fn outcome(&self, _: f64, _: Action<'_>, data: &Data) -> (f64, bool) {
        let is_finite = data.qpos().iter().chain(data.qvel()).all(|x| x.is_finite());
        let terminated = !is_finite || data.qpos()[1].abs() > 0.2;
        (self.0.healthy_reward(1.0, !terminated), terminated)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        concatenate(observation, &[data.qpos(), data.qvel()]);
    }
}
