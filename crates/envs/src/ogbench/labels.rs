//! What a single task says of the states of a data set (`ogbench/relabel_utils.py`): rewards, and where it is done. Files hold
//! neither, as one set serves all tasks.

use super::manipulation::{BUTTONS_OF_SCENE, CUBE, DRAWER, WINDOW};
use super::mazes::BALL;
use crate::{Env as _, MujocoEnv};
use anyhow::Result;
use streams::Stream;

/// How near counts as there: an ant and its ball, a point.
const RADIUS_OF_ANT: f64 = 0.5;
const RADIUS_OF_POINT: f64 = 1.0;
/// The same of a cube, a drawer and a window.
const RADIUS: f64 = 0.04;

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
    Point,
    Ant,
    Soccer,
    Cubes,
    Scene,
    Puzzle,
}

const FAMILIES: [(&str, Family); 7] = [
    ("pointmaze-", Family::Point),
    ("antmaze-", Family::Ant),
    ("antsoccer-", Family::Soccer),
    // It is judged as an ant is.
    ("humanoidmaze-", Family::Ant),
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
            Family::Point | Family::Ant | Family::Soccer | Family::Cubes => vec![(qpos, self.nq)],
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
        let count = |wanted: &mut dyn Iterator<Item = bool>| wanted.filter(|&is_there| is_there).count();
        let equal = |states: &[f32], wanted: &[f64]| {
            count(&mut states.iter().zip(wanted).map(|(&state, &wanted)| f64::from(state) == wanted))
        };
        match self.family {
            Family::Point => (usize::from(apart(&arrays[0][..2], goal) <= RADIUS_OF_POINT), 1),
            Family::Ant => (usize::from(apart(&arrays[0][..2], goal) <= RADIUS_OF_ANT), 1),
            Family::Soccer => (usize::from(apart(&arrays[0][BALL], goal) <= RADIUS_OF_ANT), 1),
            Family::Cubes => {
                let cubes = arrays[0][CUBE..].chunks_exact(7).zip(goal.chunks_exact(3));
                (count(&mut cubes.map(|(cube, place)| apart(&cube[..3], place) <= RADIUS)), goal.len() / 3)
            }
            Family::Scene => {
                let (qpos, buttons) = (arrays[0], arrays[1]);
                let mut things = [
                    apart(&qpos[CUBE..CUBE + 3], &goal[4..7]) <= RADIUS,
                    (f64::from(qpos[DRAWER]) - goal[7]).abs() <= RADIUS,
                    (f64::from(qpos[WINDOW]) - goal[8]).abs() <= RADIUS,
                ]
                .into_iter();
                (count(&mut things) + equal(buttons, &goal[BUTTONS_OF_SCENE..4]), 3 + BUTTONS_OF_SCENE)
            }
            Family::Puzzle => {
                let wanted = &goal[goal.len() / 2..];
                (equal(arrays[0], wanted), wanted.len())
            }
        }
    }
}

fn apart(at: &[f32], place: &[f64]) -> f64 {
    at.iter().zip(place).map(|(&a, b)| (f64::from(a) - b) * (f64::from(a) - b)).sum::<f64>().sqrt()
}
