//! Humanoid: run on two legs without falling.

use super::Locomotion;
use super::tasks::Version;
use crate::simulated::concatenate;
use crate::{Action, numpy};
use mujoco::{Data, Model};

const FORWARD_REWARD_WEIGHT: f64 = 1.25;
const CTRL_COST_WEIGHT: f64 = 0.1;
const CONTACT_COST_WEIGHT: f64 = 5e-7;
const MAX_CONTACT_COST: f64 = 10.0;
const HEALTHY_REWARD: f64 = 5.0;

pub(crate) struct Humanoid {
    version: Version,
    total_mass: f64,
}

impl Humanoid {
    pub(crate) fn new(model: &Model, version: Version) -> Self {
        let mass = model.body_mass();
        Self { version, total_mass: numpy::sum(mass.len(), |i| mass[i]) }
    }
}

impl Locomotion for Humanoid {
    /// Of the centre of mass: `numpy.einsum`'s plain sum, in order, by NumPy's pairwise sum of the masses.
    fn x(&self, data: &Data) -> f64 {
        let mass = data.model().body_mass();
        let weighted = mass.iter().zip(data.xipos().chunks_exact(3)).fold(0.0, |sum, (m, x)| sum + m * x[0]);
        weighted / self.total_mass
    }

    fn outcome(&self, x_velocity: f64, _: Action<'_>, data: &Data) -> (f64, bool) {
        let is_healthy = 1.0 < data.qpos()[2] && data.qpos()[2] < 2.0;
        let rewards =
            FORWARD_REWARD_WEIGHT * x_velocity + self.version.healthy_reward(HEALTHY_REWARD, is_healthy);
        // Unlike the other tasks', this one's cost is that of the simulator's controls, in double precision.
        let mut costs = CTRL_COST_WEIGHT * numpy::sum_of_squares(data.ctrl());
        if self.version == Version::V5 {
            let contact = CONTACT_COST_WEIGHT * numpy::sum_of_squares(data.cfrc_ext());
            // `f64::min` would turn a NaN into the maximum; NumPy's clip keeps it.
            costs += contact.clamp(f64::NEG_INFINITY, MAX_CONTACT_COST);
        }
        (rewards - costs, !is_healthy)
    }

    fn observe(&self, data: &Data, observation: &mut [f64]) {
        // Version 5 leaves out what is always 0: the world's entries and the root's six.
        let (world, root) = match self.version {
            Version::V4 => (0, 0),
            Version::V5 => (1, 6),
        };
        concatenate(
            observation,
            &[
                &data.qpos()[2..],
                data.qvel(),
                &data.cinert()[10 * world..],
                &data.cvel()[6 * world..],
                &data.qfrc_actuator()[root..],
                &data.cfrc_ext()[6 * world..],
            ],
        );
    }
}
