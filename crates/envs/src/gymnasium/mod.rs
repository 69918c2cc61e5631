//! Gymnasium 1.4.0's MuJoCo tasks.
//!
//! Each file reads like the Gymnasium class of its task (`gymnasium/envs/mujoco/*_v4.py`, `*_v5.py`, default
//! arguments); this one is `MujocoEnv` and the time limit. From version 4 to 5: the healthy reward is paid only when
//! healthy (version 4 pays it on the terminating step too); Ant observes and pays for contacts; Humanoid pays for them
//! and drops entries that are always 0; Walker2d has equal friction on both feet; InvertedPendulum gives no reward on
//! the terminating step; HalfCheetah is the same.

mod ant;
mod half_cheetah;
mod humanoid;
mod inverted_pendulum;
mod tasks;
mod walkers;

pub(crate) use tasks::{TASKS, find};

use crate::{Action, Env, Spec, Step};
use anyhow::{Result, ensure};
use diagnostics::BadInput;
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use state::Archive;
use streams::Stream;
use tasks::{Noise, Task};

/// What a task makes of the simulation.
pub(crate) trait Rules: Send {
    /// The x coordinate whose change over a step, by its time, is the forward velocity.
    fn x(&self, data: &Data) -> f64;

    /// The reward and whether the task ended, after a step.
    fn outcome(&self, x_velocity: f64, action: Action<'_>, data: &Data) -> (f64, bool);

    /// Fills in all of the observation.
    fn observe(&self, data: &Data, observation: &mut [f64]);
}

/// A Gymnasium task on MuJoCo.
pub struct MujocoEnv {
    task: &'static Task,
    rules: Box<dyn Rules>,
    data: Data,
    observation: Vec<f64>,
    /// Where it is along x, as of the last observation.
    x: f64,
    elapsed_steps: u32,
}

impl MujocoEnv {
    /// The task with Gymnasium's `id`, at its reference pose.
    ///
    /// # Errors
    /// [`BadInput`] when there is no such id, or the simulator or the model file cannot be had.
    pub fn new(id: &str) -> Result<Self> {
        let task = find(id)?;
        let path = install::assets(&Setup::from_process())?.join(task.spec.model);
        let model = Model::load_xml(&path)?;
        let rules = (task.rules)(&model)?;
        let mut env = Self {
            task,
            rules,
            data: Data::new(&model)?,
            observation: vec![0.0; task.spec.observation_dim],
            x: 0.0,
            elapsed_steps: 0,
        };
        env.check(&path)?;
        env.observe();
        Ok(env)
    }

    /// The user may have given another model file under the same name: what is laid out by the table must fit it.
    fn check(&self, path: &std::path::Path) -> Result<(), BadInput> {
        let (spec, model) = (&self.task.spec, self.data.model());
        let limit = spec.action_limit;
        let dt = model.timestep() * f64::from(spec.frame_skip);
        let fits = (model.nq(), model.nv(), model.nu(), model.nbody()) == self.task.sizes
            && model.actuator_ctrlrange().chunks_exact(2).all(|range| range == [-limit, limit])
            && dt == spec.dt;
        if fits {
            return Ok(());
        }
        Err(BadInput::new(format!(
            "{} is not Gymnasium 1.4.0's model of {}: found nq, nv, nu, nbody = {}, {}, {}, {} and dt = {dt}, \
             expected {:?}, dt = {} and controls within {limit}",
            path.display(),
            spec.id,
            model.nq(),
            model.nv(),
            model.nu(),
            model.nbody(),
            self.task.sizes,
            spec.dt,
        ))
        .help("see REPRISE_ASSETS"))
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
        self.data.forward();
        self.observe();
    }

    /// Begins an episode at the given state: Gymnasium's `reset` with these values for its draws.
    ///
    /// # Panics
    /// As [`MujocoEnv::set_state`].
    pub fn start_from(&mut self, qpos: &[f64], qvel: &[f64]) {
        self.data.reset();
        self.elapsed_steps = 0;
        self.set_state(qpos, qvel);
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

    fn observe(&mut self) {
        self.x = self.rules.x(&self.data);
        self.rules.observe(&self.data, &mut self.observation);
    }
}

impl Env for MujocoEnv {
    fn spec(&self) -> &Spec {
        &self.task.spec
    }

    fn reset(&mut self, stream: &mut Stream) {
        self.data.reset();
        self.elapsed_steps = 0;
        let (position, velocity) = self.task.reset_noise;
        // After a reset the state is the reference pose at rest. All positions are drawn before all velocities. The
        // quaternion of a free joint is not normalised: Gymnasium does not either, and MuJoCo takes it so.
        self.data.qpos_mut().iter_mut().for_each(|q| *q += position.draw(stream));
        self.data.qvel_mut().iter_mut().for_each(|v| *v += velocity.draw(stream));
        self.data.forward();
        self.observe();
    }

    fn step(&mut self, action: Action<'_>) -> Step {
        let ctrl = self.data.ctrl_mut();
        match action {
            Action::F32(action) => {
                assert_eq!(action.len(), ctrl.len(), "length of an action of {}", self.task.spec.id);
                ctrl.iter_mut().zip(action).for_each(|(ctrl, &a)| *ctrl = f64::from(a));
            }
            Action::F64(action) => ctrl.copy_from_slice(action),
        }
        self.data.step(self.task.spec.frame_skip);
        // The contact forces; a reset does not compute them, so those of a first observation are 0.
        self.data.rne_post_constraint();
        let x_velocity = (self.rules.x(&self.data) - self.x) / self.task.spec.dt;
        let (reward, terminated) = self.rules.outcome(x_velocity, action, &self.data);
        self.observe();
        self.elapsed_steps = self.elapsed_steps.saturating_add(1);
        Step { reward, terminated, truncated: self.elapsed_steps >= self.task.spec.max_episode_steps }
    }

    fn observation(&self) -> &[f64] {
        &self.observation
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        let mut simulation = self.data.state();
        archive.item("simulation", &mut simulation[..])?;
        if archive.is_loading() {
            // The simulator would begin anew by itself, and say so in a file of its own.
            ensure!(simulation.iter().all(|x| x.abs() < 1e10), "the simulator's state is beyond all bounds");
            self.data.set_state(&simulation);
        }
        archive.item("observation", &mut self.observation[..])?;
        archive.item("x", &mut self.x)?;
        archive.item("elapsed_steps", &mut self.elapsed_steps)
    }
}

impl Noise {
    fn draw(self, stream: &mut Stream) -> f64 {
        match self {
            Noise::Uniform(scale) => stream.uniform_in(-scale, scale),
            Noise::Normal(scale) => scale * stream.normal(),
        }
    }
}

/// Copies `parts` one after the other; together they fill `observation`.
fn concatenate(observation: &mut [f64], parts: &[&[f64]]) {
    let mut rest = observation;
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        head.copy_from_slice(part);
        rest = tail;
    }
    debug_assert!(rest.is_empty());
}
