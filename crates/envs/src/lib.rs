//! Environments: the simulators that agents act in.
//!
//! Gymnasium's MuJoCo tasks in the semantics of Gymnasium 1.4.0 and MuJoCo 3.2.7, to the last bit of observations,
//! rewards and terminations (`tests/parity` records and compares). [`make`] makes one by its Gymnasium id.

mod gymnasium;
mod mock;
mod numpy;
mod rollout;

pub use gymnasium::{MujocoEnv, Termination, termination};
pub use rollout::{Actions, Rollout, Summary, rollout, rollout_files};

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
    /// Gymnasium's id, `HalfCheetah-v5`.
    pub id: &'static str,
    /// Length of an observation.
    pub observation_dim: usize,
    /// Length of an action.
    pub action_dim: usize,
    /// Each entry of an action is within plus and minus this. More is allowed: the simulator clamps it, a control cost
    /// does not.
    pub action_limit: f64,
    /// Steps after which an episode is truncated.
    pub max_episode_steps: u32,
    /// `mj_step`s in a step.
    pub frame_skip: u32,
    /// Simulated seconds of a step.
    pub dt: f64,
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

/// All tasks; needs no simulator.
#[must_use]
pub fn list() -> Vec<&'static Spec> {
    gymnasium::TASKS.iter().map(|task| &task.spec).collect()
}

/// What is fixed about the task with this id; needs no simulator.
///
/// # Errors
/// [`BadInput`] when there is no such id.
pub fn info(id: &str) -> Result<&'static Spec, BadInput> {
    gymnasium::find(id).map(|task| &task.spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_gets_the_nearest() {
        let error = make("Walker-v5").map(drop).unwrap_err();
        assert!(error.is::<BadInput>());
        assert!(error.to_string().starts_with("unknown environment `Walker-v5`: expected one of `Ant-v4`"));
        assert!(error.to_string().ends_with("did you mean `Walker2d-v5`?"), "{error}");
    }

    #[test]
    fn ids_are_sorted_and_unique() {
        let ids: Vec<_> = list().iter().map(|spec| spec.id).collect();
        assert_eq!(ids.len(), 12);
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
}
