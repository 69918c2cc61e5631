//! What a single task says of the states of a data set (`ogbench/relabel_utils.py`): rewards, and where it is done. Files hold
//! neither, as one set serves all tasks.

use super::manipulation::layout::BUTTONS_OF_SCENE;
use super::manipulation::{cube, puzzle, scene};
use super::mazes::{self, Body};
use crate::{Env as _, MujocoEnv};
use anyhow::Result;
use streams::Stream;

/// The labels of one task.
#[derive(Clone, Debug)]
pub struct Labels {
    family: Family,
    /// As the task's environment has it.
    goal: Vec<f64>,
    /// Length of `qpos`.
    nq: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Maze(Body),
    Cubes,
    Scene,
    Puzzle,
}

const FAMILIES: [(&str, Family); 7] = [
    ("pointmaze-", Family::Maze(Body::Point)),
    ("antmaze-", Family::Maze(Body::Ant)),
    ("antsoccer-", Family::Maze(Body::Soccer)),
    ("humanoidmaze-", Family::Maze(Body::Humanoid)),
    ("cube-", Family::Cubes),
    ("scene-", Family::Scene),
    ("puzzle-", Family::Puzzle),
];

impl Labels {
    /// The labels of the task with this id; `None` where it is none of OGBench's single tasks.
    ///
    /// # Errors
    /// As [`MujocoEnv::new`].
    pub fn of_task(id: &str) -> Result<Option<Self>> {
        let family = FAMILIES.iter().find(|(prefix, _)| id.starts_with(prefix) && id.contains("-singletask"));
        let Some((_, family)) = family else { return Ok(None) };
        let mut env = MujocoEnv::new(id)?;
        // The goal of a single task is no matter of chance.
        env.reset(&mut Stream::new(0, "labels"));
        Ok(Some(Self { family: *family, goal: env.goal().to_vec(), nq: env.qpos().len() }))
    }

    /// The arrays of a file that decide, and how many numbers of each a state has.
    #[must_use]
    pub fn arrays(&self) -> Vec<(&'static str, usize)> {
        let (qpos, buttons) = ("qpos", "button_states");
        match self.family {
            Family::Maze(_) | Family::Cubes => vec![(qpos, self.nq)],
            Family::Scene => vec![(qpos, self.nq), (buttons, BUTTONS_OF_SCENE)],
            Family::Puzzle => vec![(buttons, self.goal.len() / 2)],
        }
    }

    /// The reward in a state, and whether the task is done in it. `arrays` are the state's rows of [`Self::arrays`].
    ///
    /// # Panics
    /// If they are shorter than the environment's own.
    #[must_use]
    pub fn of(&self, arrays: &[&[f32]]) -> (f32, bool) {
        let (there, all) = self.successes(arrays);
        (there as f32 - all as f32, there == all)
    }

    /// How many things are as wanted, and of how many.
    fn successes(&self, arrays: &[&[f32]]) -> (usize, usize) {
        let goal = &self.goal;
        let widened = |array: usize| -> Vec<f64> { arrays[array].iter().map(|&x| f64::from(x)).collect() };
        match self.family {
            Family::Maze(body) => (usize::from(mazes::is_there(body, &widened(0), goal)), 1),
            Family::Cubes => (cube::successes(&widened(0), goal), goal.len() / 3),
            Family::Scene => (scene::successes(&widened(0), &widened(1), goal), scene::THINGS),
            Family::Puzzle => (puzzle::successes(&widened(0), goal), goal.len() / 2),
        }
    }
}
