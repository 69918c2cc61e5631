//! Environments: the simulators that agents act in.
//!
//! Gymnasium's MuJoCo tasks, D4RL's and OGBench's, on MuJoCo 3.2.7, to the last bit of observations, rewards and
//! terminations where the Python packages' arithmetic can be followed (`tests/parity` records and compares,
//! `docs/environments.md` says what differs). [`make`] makes one by the id that its package gave it.

mod d4rl;
mod gymnasium;
mod maze;
mod mjcf;
mod mock;
mod numpy;
mod ogbench;
mod rollout;
mod simulated;
mod tasks;

pub use gymnasium::{Termination, termination};
pub use maze::{Cell, Maze};
pub use ogbench::{Labels, layout as manipulation};
pub use rollout::{Actions, Rollout, Summary, rollout, rollout_files};
pub use simulated::MujocoEnv;

use anyhow::Result;
use diagnostics::BadInput;
use serde::Serialize;
use state::Archive;
use streams::Stream;

/// What an agent does in one step, `[action_dim]`.
///
/// The type of the numbers matters: Gymnasium squares and sums a control cost in the action's own precision.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// In single precision, as policies give it.
    F32(&'a [f32]),
    /// In double precision.
    F64(&'a [f64]),
}

impl Action<'_> {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Action::F32(action) => action.len(),
            Action::F64(action) => action.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What came of a step, beside the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The reward.
    pub reward: f64,
    /// The task ended: its value after this is 0.
    pub terminated: bool,
    /// The time limit was reached: the value after this is the usual one.
    pub truncated: bool,
}

/// What is fixed about a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// The id that the task's package gave it, `HalfCheetah-v5`.
    pub id: &'static str,
    /// The package and its version.
    pub package: &'static str,
    /// Length of an observation.
    pub observation_dim: usize,
    /// Length of an action.
    pub action_dim: usize,
    /// How many numbers say what an episode is about beside its start state. They need not be in the observation.
    pub goal_dim: usize,
    /// Each entry of an action is within plus and minus this. More is allowed: the simulator clamps it, a control cost
    /// does not.
    pub action_limit: f64,
    /// Steps after which an episode is truncated.
    pub max_episode_steps: u32,
    /// `mj_step`s in a step.
    pub frame_skip: u32,
    /// Simulated seconds of a step.
    pub dt: f64,
    /// The returns that count as 0 and as 1, where the package says so: D4RL's `REF_MIN_SCORE` and `REF_MAX_SCORE`.
    pub reference_returns: Option<[f64; 2]>,
    /// Where and how the task ends early, in a few words.
    pub ends: &'static str,
    /// The model file.
    pub model: &'static str,
}

/// An environment.
pub trait Env: Send {
    /// What is fixed about it.
    fn spec(&self) -> &Spec;

    /// Begins an episode at a start state drawn from `stream`: Gymnasium's distributions, our own generator.
    fn reset(&mut self, stream: &mut Stream);

    /// Advances by one step. After a termination or truncation it goes on, as Gymnasium's tasks do.
    ///
    /// # Panics
    /// If the action has not `action_dim` entries.
    fn step(&mut self, action: Action<'_>) -> Step;

    /// What the agent sees now, `[observation_dim]`.
    fn observation(&self) -> &[f64];

    /// Whether the last step left the task's goal reached, in tasks that have one.
    fn success(&self) -> Option<bool> {
        None
    }

    /// Saves or loads everything that decides what comes next, to the last bit.
    ///
    /// # Errors
    /// If what is loaded does not fit the task.
    fn state(&mut self, archive: &mut Archive) -> Result<()>;
}

/// Makes the environment with this id. The first call finds or fetches the simulator.
///
/// # Errors
/// [`BadInput`] when there is no such id, or the simulator cannot be had.
pub fn make(id: &str) -> Result<Box<dyn Env>> {
    if id == mock::SPEC.id {
        return Ok(Box::new(mock::Mock::new()));
    }
    Ok(Box::new(MujocoEnv::new(id)?))
}

/// The maze that the task with this id is in, if in one.
#[must_use]
pub fn maze(id: &str) -> Option<Maze> {
    d4rl::maze(id).or_else(|| ogbench::maze(id))
}

/// All tasks but OGBench's with success judged before a step (`-pre-v0`); needs no simulator.
#[must_use]
pub fn list() -> Vec<&'static Spec> {
    tasks::TASKS.iter().map(|task| &task.spec).filter(|spec| !spec.id.ends_with("-pre-v0")).collect()
}

/// What is fixed about the task with this id; needs no simulator.
///
/// # Errors
/// [`BadInput`] when there is no such id.
pub fn info(id: &str) -> Result<&'static Spec, BadInput> {
    tasks::find(id).map(|task| &task.spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_gets_the_nearest() {
        let error = make("Walker-v5").map(drop).unwrap_err();
        assert!(error.is::<BadInput>());
        assert!(error.to_string().starts_with("unknown environment `Walker-v5`: expected one of"));
        let check = |id: &str, near: &str| {
            let error = make(id).map(drop).unwrap_err().to_string();
            assert!(error.ends_with(&format!("did you mean `{near}`?")), "{error}");
        };
        check("Walker-v5", "Walker2d-v5");
        check("antmaze-umaze-v3", "antmaze-umaze-v2");
        check("antmaze-medium-dive-v2", "antmaze-medium-diverse-v2");
        check("hopper-medium-v1", "hopper-medium-v2");
    }

    #[test]
    fn ids_are_sorted_and_unique() {
        let ids: Vec<_> = list().iter().map(|spec| spec.id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
}
