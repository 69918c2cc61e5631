//! AntMaze, version 2 (`d4rl/locomotion/ant.py`, `maze_env.py`, `goal_reaching_env.py`): walk to a goal that is not seen.
//!
//! Its ant is not Gymnasium's: steps of 0.1 s, motors of ±30 with gear 1, softer contacts. Falling over does not end an
//! episode, reaching the goal does. The goal is drawn anew at every reset, by up to 1.5 beside the centre of its cell.
//! The goal's two numbers are its x and y.

use super::{PACKAGE, reference_returns, scaled, scaled_f32};
use crate::maze::{Cell, Maze};
use crate::mjcf::Element;
use crate::simulated::{Noise, Outcome, Rules, add_noise, concatenate};
use crate::tasks::{Make, Task};
use crate::{Action, Spec};
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use streams::Stream;

/// Of the motors' controls.
const CONTROL_LIMIT: f64 = 30.0;
/// How near the goal counts as there.
const RADIUS: f64 = 0.5;

/// Ids, the maze, its goal's cell, and the time limit.
const MAZES: [(&[&str], Maze, Cell, u32); 3] = [
    (&["antmaze-umaze-v2", "antmaze-umaze-diverse-v2"], Maze::UMAZE, Cell { row: 3, column: 1 }, 700),
    (
        &["antmaze-medium-play-v2", "antmaze-medium-diverse-v2"],
        Maze::MEDIUM,
        Cell { row: 6, column: 6 },
        1000,
    ),
    (&["antmaze-large-play-v2", "antmaze-large-diverse-v2"], Maze::LARGE, Cell { row: 7, column: 9 }, 1000),
];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    MAZES.into_iter().flat_map(|(ids, maze, goal_cell, max_episode_steps)| {
        ids.iter().map(move |&id| Task { spec: spec(id, max_episode_steps), make: make(maze, goal_cell) })
    })
}

/// The maze of the task with this id, if it is one of these.
pub(crate) fn maze(id: &str) -> Option<Maze> {
    MAZES.iter().find(|(ids, ..)| ids.contains(&id)).map(|(_, maze, ..)| *maze)
}

fn spec(id: &'static str, max_episode_steps: u32) -> Spec {
    Spec {
        id,
        package: PACKAGE,
        observation_dim: 29,
        action_dim: 8,
        goal_dim: 2,
        action_limit: 1.0,
        max_episode_steps,
        frame_skip: 5,
        dt: 0.02 * 5.0,
        reference_returns: reference_returns("antmaze"),
        ends: "within 0.5 of the goal",
        model: "locomotion/assets/ant.xml",
    }
}

fn make(maze: Maze, goal_cell: Cell) -> Make {
    Box::new(move |spec| {
        let folder = install::d4rl(&Setup::from_process())?;
        let mut xml = Element::read(&folder.join(spec.model))?;
        maze.build(xml.child("worldbody")?);
        let model = Model::from_xml(&xml.to_xml(), &folder)?;
        crate::tasks::check_sizes(&model, (15, 14, 8), &folder)?;
        Ok((model, Box::new(AntMaze { centre: maze.centre(goal_cell), frame_skip: spec.frame_skip })))
    })
}

struct AntMaze {
    /// Of the goal's cell.
    centre: [f64; 2],
    frame_skip: u32,
}

impl Rules for AntMaze {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        // Two noises that are never negative, as in D4RL: the goal lies off the centre, to one side.
        goal.copy_from_slice(&self.centre);
        goal.iter_mut().for_each(|x| *x += stream.uniform_in(0.0, 1.0));
        goal.iter_mut().for_each(|x| *x = (*x + stream.uniform_in(0.0, 0.5)).max(0.0));
        add_noise(data, stream, (Noise::Uniform(0.1), Noise::Normal(0.1)));
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome {
        let ctrl = data.ctrl_mut().iter_mut();
        match action {
            Action::F32(action) => {
                let limit = CONTROL_LIMIT as f32;
                ctrl.zip(action).for_each(|(ctrl, &a)| *ctrl = f64::from(scaled_f32(a, limit)));
            }
            Action::F64(action) => ctrl.zip(action).for_each(|(ctrl, &a)| *ctrl = scaled(a, CONTROL_LIMIT)),
        }
        data.step(self.frame_skip);
        let is_there = crate::maze::distance(data.qpos(), goal) <= RADIUS;
        Outcome { reward: f64::from(is_there), terminated: is_there, success: Some(is_there) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        concatenate(observation, &[data.qpos(), data.qvel()]);
    }
}
