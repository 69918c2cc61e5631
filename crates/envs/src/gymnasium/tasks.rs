//! The table of the tasks.

use super::terminations::{self, Termination};
use super::{Locomotion, ant, half_cheetah, humanoid, inverted_pendulum, walkers};
use crate::Spec;
use crate::simulated::Noise;
use anyhow::Result;
use mujoco::Model;

/// A row of the table.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) spec: Spec,
    /// nq, nv, nu and nbody of the model.
    pub(crate) sizes: (usize, usize, usize, usize),
    /// Of positions and of velocities, at a reset.
    pub(crate) reset_noise: (Noise, Noise),
    pub(crate) locomotion: MakeLocomotion,
    /// `spec.ends`, by an observation.
    pub(crate) ends: Termination,
}

/// The versions of Gymnasium's tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V5,
}

impl Version {
    /// The healthy reward, which is 1 unit. Version 4 pays it on the terminating step too.
    pub(crate) fn healthy_reward(self, unit: f64, is_healthy: bool) -> f64 {
        if is_healthy || self == Version::V4 { unit } else { 0.0 }
    }
}

/// The tasks by id.
pub(crate) static ROWS: &[Row] = &[
    ant("Ant-v4", 27, |model| Ok(Box::new(ant::Ant::new(model, Version::V4)?))),
    ant("Ant-v5", 105, |model| Ok(Box::new(ant::Ant::new(model, Version::V5)?))),
    half_cheetah("HalfCheetah-v4"),
    half_cheetah("HalfCheetah-v5"),
    hopper("Hopper-v4", |_| Ok(Box::new(walkers::Hopper(Version::V4)))),
    hopper("Hopper-v5", |_| Ok(Box::new(walkers::Hopper(Version::V5)))),
    humanoid("Humanoid-v4", 376, |model| Ok(Box::new(humanoid::Humanoid::new(model, Version::V4)))),
    humanoid("Humanoid-v5", 348, |model| Ok(Box::new(humanoid::Humanoid::new(model, Version::V5)))),
    inverted_pendulum("InvertedPendulum-v4", |_| {
        Ok(Box::new(inverted_pendulum::InvertedPendulum(Version::V4)))
    }),
    inverted_pendulum("InvertedPendulum-v5", |_| {
        Ok(Box::new(inverted_pendulum::InvertedPendulum(Version::V5)))
    }),
    // Version 4 has 0.9 for the right foot's friction, version 5 has 1.9 for both: two model files.
    walker2d("Walker2d-v4", "walker2d.xml", |_| Ok(Box::new(walkers::Walker2d(Version::V4)))),
    walker2d("Walker2d-v5", "walker2d_v5.xml", |_| Ok(Box::new(walkers::Walker2d(Version::V5)))),
];

type MakeLocomotion = fn(&Model) -> Result<Box<dyn Locomotion>>;

const PACKAGE: &str = "gymnasium 1.4.0";

const fn ant(id: &'static str, observation_dim: usize, locomotion: MakeLocomotion) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim,
            action_dim: 8,
            goal_dim: 0,
            action_limit: 1.0,
            max_episode_steps: 1000,
            frame_skip: 5,
            dt: 0.01 * 5.0,
            reference_returns: None,
            ends: "torso outside 0.2 <= z <= 1.0, or a state that is not finite",
            model: "ant.xml",
        },
        sizes: (15, 14, 8, 14),
        reset_noise: (Noise::Uniform(0.1), Noise::Normal(0.1)),
        locomotion,
        ends: terminations::ant,
    }
}

const fn half_cheetah(id: &'static str) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim: 17,
            action_dim: 6,
            goal_dim: 0,
            action_limit: 1.0,
            max_episode_steps: 1000,
            frame_skip: 5,
            dt: 0.01 * 5.0,
            reference_returns: None,
            ends: "never",
            model: "half_cheetah.xml",
        },
        sizes: (9, 9, 6, 8),
        reset_noise: (Noise::Uniform(0.1), Noise::Normal(0.1)),
        locomotion: |_| Ok(Box::new(half_cheetah::HalfCheetah)),
        ends: terminations::half_cheetah,
    }
}

const fn hopper(id: &'static str, locomotion: MakeLocomotion) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim: 11,
            action_dim: 3,
            goal_dim: 0,
            action_limit: 1.0,
            max_episode_steps: 1000,
            frame_skip: 4,
            dt: 0.002 * 4.0,
            reference_returns: None,
            ends: "torso at z <= 0.7 or tilted by 0.2 rad, or a state beyond 100",
            model: "hopper.xml",
        },
        sizes: (6, 6, 3, 5),
        reset_noise: (Noise::Uniform(5e-3), Noise::Uniform(5e-3)),
        locomotion,
        ends: terminations::hopper,
    }
}

const fn humanoid(id: &'static str, observation_dim: usize, locomotion: MakeLocomotion) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim,
            action_dim: 17,
            goal_dim: 0,
            action_limit: 0.4,
            max_episode_steps: 1000,
            frame_skip: 5,
            dt: 0.003 * 5.0,
            reference_returns: None,
            ends: "torso outside 1.0 < z < 2.0",
            model: "humanoid.xml",
        },
        sizes: (24, 23, 17, 14),
        reset_noise: (Noise::Uniform(1e-2), Noise::Uniform(1e-2)),
        locomotion,
        ends: terminations::humanoid,
    }
}

const fn inverted_pendulum(id: &'static str, locomotion: MakeLocomotion) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim: 4,
            action_dim: 1,
            goal_dim: 0,
            action_limit: 3.0,
            max_episode_steps: 1000,
            frame_skip: 2,
            dt: 0.02 * 2.0,
            reference_returns: None,
            ends: "pole tilted by more than 0.2 rad",
            model: "inverted_pendulum.xml",
        },
        sizes: (2, 2, 1, 3),
        reset_noise: (Noise::Uniform(0.01), Noise::Uniform(0.01)),
        locomotion,
        ends: terminations::inverted_pendulum,
    }
}

const fn walker2d(id: &'static str, model: &'static str, locomotion: MakeLocomotion) -> Row {
    Row {
        spec: Spec {
            id,
            package: PACKAGE,
            observation_dim: 17,
            action_dim: 6,
            goal_dim: 0,
            action_limit: 1.0,
            max_episode_steps: 1000,
            frame_skip: 4,
            dt: 0.002 * 4.0,
            reference_returns: None,
            ends: "torso outside 0.8 < z < 2.0 or tilted by 1 rad",
            model,
        },
        sizes: (9, 9, 6, 8),
        reset_noise: (Noise::Uniform(5e-3), Noise::Uniform(5e-3)),
        locomotion,
        ends: terminations::walker2d,
    }
}
