//! `online-ant-xy-v0` (`ogbench/online_locomotion`): walk in a given direction, which changes every 100 steps. OGBench
//! trains the ant that collects its maze data here, 400,000 steps of SAC.
//!
//! The ant is that of D4RL's and OGBench's AntMaze. It sees its pose but for x and y, its velocities and the direction.
//! The goal's numbers are the directions of an episode, x and y of each, one more than it needs.

use super::PACKAGE;
use crate::simulated::{Noise, Outcome, Rules, add_noise, concatenate, write_controls};
use crate::tasks::{Task, check_sizes};
use crate::{Action, Spec, numpy};
use anyhow::Result;
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use state::Archive;
use streams::Stream;

/// Steps until the direction changes.
const INTERVAL: u32 = 100;
const DIRECTIONS: usize = 11;

static SPEC: Spec = Spec {
    id: "online-ant-xy-v0",
    package: PACKAGE,
    observation_dim: 29,
    action_dim: 8,
    goal_dim: 2 * DIRECTIONS,
    action_limit: 1.0,
    max_episode_steps: 1000,
    frame_skip: 5,
    dt: 0.02 * 5.0,
    reference_returns: None,
    ends: "torso outside 0.2 <= z <= 1.0, or a state that is not finite",
    model: "online_locomotion/assets/ant.xml",
};

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    std::iter::once(Task {
        spec: SPEC.clone(),
        make: Box::new(|spec| {
            let folder = install::ogbench(&Setup::from_process())?;
            let model = Model::load_xml(&folder.join(spec.model))?;
            check_sizes(&model, (15, 14, 8), &folder)?;
            Ok((model, Box::new(DirectionAnt { directions: [[0.0; 2]; DIRECTIONS], steps: 0 })))
        }),
    })
}

struct DirectionAnt {
    directions: [[f64; 2]; DIRECTIONS],
    /// Since the episode began.
    steps: u32,
}

impl DirectionAnt {
    fn direction(&self) -> [f64; 2] {
        self.directions[((self.steps / INTERVAL) as usize).min(DIRECTIONS - 1)]
    }
}

impl Rules for DirectionAnt {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        add_noise(data, stream, (Noise::Uniform(0.1), Noise::Normal(0.1)));
        for direction in goal.chunks_exact_mut(2) {
            direction.fill_with(|| stream.normal());
            let norm = crate::maze::distance(direction, &[0.0; 2]);
            direction.iter_mut().for_each(|x| *x /= norm);
        }
    }

    /// Begins with the first direction.
    fn set_goal(&mut self, _: &mut Data, goal: &[f64]) {
        self.directions.as_flattened_mut().copy_from_slice(goal);
        self.steps = 0;
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        let before = [data.qpos()[0], data.qpos()[1]];
        write_controls(data, action);
        data.step(SPEC.frame_skip);
        let walked = [data.qpos()[0] - before[0], data.qpos()[1] - before[1]];
        let reward = numpy::dot(walked, self.direction());
        self.steps += 1;
        let is_finite = data.qpos().iter().chain(data.qvel()).all(|x| x.is_finite());
        let is_healthy = is_finite && (0.2..=1.0).contains(&data.qpos()[2]);
        Outcome { reward, terminated: !is_healthy, success: None }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        concatenate(observation, &[&data.qpos()[2..], data.qvel(), &self.direction()]);
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("steps", &mut self.steps)
    }
}
