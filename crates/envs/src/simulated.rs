//! An environment on the simulator: what the tasks of all suites share.

use crate::tasks::{self, Task};
use crate::{Action, Env, Spec, Step};
use anyhow::{Result, ensure};
use mujoco::{Data, Model};
use state::Archive;
use std::sync::Arc;
use streams::Stream;

/// What a task makes of the simulation.
///
/// `goal` is what an episode is about beside its start state: where to go, where the door is. A task without one has an
/// empty slice there.
pub(crate) trait Rules: Send {
    /// Draws the goal, and writes the start state over the reference pose at rest.
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]);

    /// Makes the simulation one about this goal. `mj_forward` follows.
    fn set_goal(&mut self, _data: &mut Data, _goal: &[f64]) {}

    /// One step of the task.
    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome;

    /// Fills in all of the observation.
    fn observe(&mut self, data: &Data, observation: &mut [f64]);

    /// Computes what a step begins with, where that is more than the simulation's state.
    fn resume(&mut self, _data: &mut Data) {}

    /// Saves or loads what the rules remember of the last step.
    fn state(&mut self, _archive: &mut Archive) -> Result<()> {
        Ok(())
    }
}

/// What came of a step.
pub(crate) struct Outcome {
    pub(crate) reward: f64,
    pub(crate) terminated: bool,
    /// Whether the goal is reached, in tasks that have one.
    pub(crate) success: Option<bool>,
}

/// A task on MuJoCo.
pub struct MujocoEnv {
    spec: &'static Spec,
    rules: Box<dyn Rules>,
    data: Data,
    observation: Vec<f64>,
    goal: Vec<f64>,
    success: Option<bool>,
    elapsed_steps: u32,
}

impl MujocoEnv {
    /// The task with this `id`, at its reference pose.
    ///
    /// # Errors
    /// [`BadInput`](diagnostics::BadInput) when there is no such id, or the simulator or the model files cannot be had.
    pub fn new(id: &str) -> Result<Self> {
        let Task { spec, make } = tasks::find(id)?;
        let (model, rules) = make(spec)?;
        Self::of(spec, &model, rules)
    }

    fn of(spec: &'static Spec, model: &Arc<Model>, rules: Box<dyn Rules>) -> Result<Self> {
        let mut env = Self {
            spec,
            rules,
            data: Data::new(model)?,
            observation: vec![0.0; spec.observation_dim],
            goal: vec![0.0; spec.goal_dim],
            success: None,
            elapsed_steps: 0,
        };
        env.rules.observe(&env.data, &mut env.observation);
        Ok(env)
    }

    /// Gymnasium's `set_state`: writes the state and computes what follows from it. Neither the time limit's count nor
    /// the solver's memory of the last step (which is where its next search starts) begins anew; for that see
    /// [`MujocoEnv::start_from`].
    ///
    /// # Panics
    /// If the lengths are not those of [`MujocoEnv::qpos`] and [`MujocoEnv::qvel`].
    pub fn set_state(&mut self, qpos: &[f64], qvel: &[f64]) {
        self.data.qpos_mut().copy_from_slice(qpos);
        self.data.qvel_mut().copy_from_slice(qvel);
        self.look();
    }

    /// Begins an episode at the given state, with the goal as it is: a `reset` with these values for its draws.
    ///
    /// # Panics
    /// As [`MujocoEnv::set_state`].
    pub fn start_from(&mut self, qpos: &[f64], qvel: &[f64]) {
        self.data.reset();
        (self.elapsed_steps, self.success) = (0, None);
        self.rules.set_goal(&mut self.data, &self.goal);
        self.set_state(qpos, qvel);
    }

    /// Makes the episode one about this goal, [`Spec::goal_dim`] numbers as the suite's page in `docs/` lists them.
    ///
    /// # Panics
    /// If the length is another.
    pub fn set_goal(&mut self, goal: &[f64]) {
        self.goal.copy_from_slice(goal);
        self.rules.set_goal(&mut self.data, &self.goal);
        self.look();
    }

    /// What the episode is about, `[goal_dim]`.
    #[must_use]
    pub fn goal(&self) -> &[f64] {
        &self.goal
    }

    /// Generalised coordinates, `[nq]`.
    #[must_use]
    pub fn qpos(&self) -> &[f64] {
        self.data.qpos()
    }

    /// Generalised velocities, `[nv]`.
    #[must_use]
    pub fn qvel(&self) -> &[f64] {
        self.data.qvel()
    }

    /// The simulation.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    fn look(&mut self) {
        self.data.forward();
        self.rules.observe(&self.data, &mut self.observation);
    }
}

impl Env for MujocoEnv {
    fn spec(&self) -> &Spec {
        self.spec
    }

    fn reset(&mut self, stream: &mut Stream) {
        self.data.reset();
        (self.elapsed_steps, self.success) = (0, None);
        self.rules.begin(&mut self.data, stream, &mut self.goal);
        self.rules.set_goal(&mut self.data, &self.goal);
        self.look();
    }

    fn step(&mut self, action: Action<'_>) -> Step {
        assert_eq!(action.len(), self.spec.action_dim, "length of an action of {}", self.spec.id);
        let Outcome { reward, terminated, success } = self.rules.step(&mut self.data, action, &self.goal);
        self.rules.observe(&self.data, &mut self.observation);
        self.success = success;
        self.elapsed_steps = self.elapsed_steps.saturating_add(1);
        Step { reward, terminated, truncated: self.elapsed_steps >= self.spec.max_episode_steps }
    }

    fn observation(&self) -> &[f64] {
        &self.observation
    }

    fn success(&self) -> Option<bool> {
        self.success
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        let mut simulation = self.data.state();
        archive.item("simulation", &mut simulation[..])?;
        archive.item("goal", &mut self.goal[..])?;
        if archive.is_loading() {
            // The simulator would begin anew by itself, and say so in a file of its own.
            ensure!(simulation.iter().all(|x| x.abs() < 1e10), "the simulator's state is beyond all bounds");
            // The goal may be in the model, which the simulation's state does not hold.
            self.rules.set_goal(&mut self.data, &self.goal);
            self.data.set_state(&simulation);
            self.rules.resume(&mut self.data);
        }
        archive.item("observation", &mut self.observation[..])?;
        archive.group("rules", |archive| self.rules.state(archive))?;
        let mut success = self.success.map_or(0, |success| 1 + u32::from(success));
        archive.item("success", &mut success)?;
        self.success = success.checked_sub(1).map(|success| success == 1);
        archive.item("elapsed_steps", &mut self.elapsed_steps)
    }
}

/// Noise on each entry of the reference pose.
#[derive(Clone, Copy)]
pub(crate) enum Noise {
    /// Uniform on plus and minus this.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

impl Noise {
    fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Noise::Uniform(scale) => stream.uniform_in(-scale, scale),
            Noise::Normal(scale) => scale * stream.normal(),
        }
    }
}

/// Adds noise to the state after a reset, all positions before all velocities. The quaternion of a free joint is not
/// normalised: the Python packages do not either, and MuJoCo takes it so.
pub(crate) fn add_noise(data: &mut Data, stream: &mut Stream, (position, velocity): (Noise, Noise)) {
    data.qpos_mut().iter_mut().for_each(|q| *q += position.draw(stream));
    data.qvel_mut().iter_mut().for_each(|v| *v += velocity.draw(stream));
}

/// Writes an action to the controls as it is.
pub(crate) fn write_controls(data: &mut Data, action: Action<'_>) {
    match action {
        Action::F32(action) => {
            data.ctrl_mut().iter_mut().zip(action).for_each(|(ctrl, &a)| *ctrl = f64::from(a));
        }
        Action::F64(action) => data.ctrl_mut().copy_from_slice(action),
    }
}

/// Copies `parts` one after the other; together they fill `observation`.
pub(crate) fn concatenate(observation: &mut [f64], parts: &[&[f64]]) {
    let mut rest = observation;
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        head.copy_from_slice(part);
        rest = tail;
    }
    debug_assert!(rest.is_empty());
}
