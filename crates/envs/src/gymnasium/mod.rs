//! Gymnasium 1.4.0's MuJoCo tasks.
//!
//! Each file reads like the Gymnasium class of its task (`gymnasium/envs/mujoco/*_v4.py`, `*_v5.py`, default
//! arguments); this one is `MujocoEnv`. From version 4 to 5: the healthy reward is paid only when
//! healthy (version 4 pays it on the terminating step too); Ant observes and pays for contacts; Humanoid pays for them
//! and drops entries that are always 0; Walker2d has equal friction on both feet; InvertedPendulum gives no reward on
//! the terminating step; HalfCheetah is the same.

mod ant;
mod half_cheetah;
mod humanoid;
mod inverted_pendulum;
mod tasks;
mod terminations;
mod walkers;

pub(crate) use tasks::{ROWS, Row};
pub use terminations::{Termination, termination};

use crate::simulated::{Outcome, Rules, add_noise, write_controls};
use crate::tasks::Task;
use crate::{Action, Spec};
use anyhow::Result;
use diagnostics::BadInput;
use mujoco::install::{self, Setup};
use mujoco::{Data, Model};
use state::Archive;
use std::path::Path;
use std::sync::Arc;
use streams::Stream;

/// What a locomotion task makes of the simulation.
pub(crate) trait Locomotion: Send {
    /// The x coordinate whose change over a step, by its time, is the forward velocity.
    fn x(&self, data: &Data) -> f64;

    /// The reward and whether the task ended, after a step.
    fn outcome(&self, x_velocity: f64, action: Action<'_>, data: &Data) -> (f64, bool);

    /// Fills in all of the observation.
    fn observe(&self, data: &Data, observation: &mut [f64]);
}

/// Gymnasium's tasks.
pub(crate) fn tasks() -> impl Iterator<Item = Task> {
    ROWS.iter()
        .map(|row| Task { spec: row.spec.clone(), make: Box::new(|spec| make(row, spec, Clipping::None)) })
}

/// What becomes of an action before the simulator gets it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clipping {
    /// Nothing.
    None,
    /// D4RL's `NormalizedBoxEnv`; the control cost is that of the clipped action.
    D4rl,
}

/// The model and the rules of the task of `row`, under the name in `spec`.
pub(crate) fn make(
    row: &'static Row,
    spec: &Spec,
    clipping: Clipping,
) -> Result<(Arc<Model>, Box<dyn Rules>)> {
    let path = install::assets(&Setup::from_process())?.join(spec.model);
    let model = Model::load_xml(&path)?;
    check(row, &model, &path)?;
    let locomotion = (row.locomotion)(&model)?;
    Ok((model, Box::new(MujocoTask { row, locomotion, clipping, x: 0.0 })))
}

/// The user may have given another model file under the same name: what is laid out by the table must fit it.
fn check(row: &Row, model: &Model, path: &Path) -> Result<(), BadInput> {
    let spec = &row.spec;
    let limit = spec.action_limit;
    let dt = model.timestep() * f64::from(spec.frame_skip);
    let fits = (model.nq(), model.nv(), model.nu(), model.nbody()) == row.sizes
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
        row.sizes,
        spec.dt,
    ))
    .help("see REPRISE_ASSETS"))
}

/// Gymnasium's class `MujocoEnv`.
struct MujocoTask {
    row: &'static Row,
    locomotion: Box<dyn Locomotion>,
    clipping: Clipping,
    /// Where it is along x, as of the last observation.
    x: f64,
}

impl MujocoTask {
    fn advance(&mut self, data: &mut Data, action: Action<'_>) -> (f64, bool) {
        let spec = &self.row.spec;
        write_controls(data, action);
        data.step(spec.frame_skip);
        // The contact forces; a reset does not compute them, so those of a first observation are 0.
        data.rne_post_constraint();
        let x_velocity = (self.locomotion.x(data) - self.x) / spec.dt;
        self.locomotion.outcome(x_velocity, action, data)
    }
}

impl Rules for MujocoTask {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, _: &mut [f64]) {
        add_noise(data, stream, self.row.reset_noise);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        let limit = self.row.spec.action_limit;
        let (reward, terminated) = match (self.clipping, action) {
            (Clipping::None, action) => self.advance(data, action),
            (Clipping::D4rl, Action::F32(action)) => {
                let scaled: Vec<f32> =
                    action.iter().map(|&a| crate::d4rl::scaled_f32(a, limit as f32)).collect();
                self.advance(data, Action::F32(&scaled))
            }
            (Clipping::D4rl, Action::F64(action)) => {
                let scaled: Vec<f64> = action.iter().map(|&a| crate::d4rl::scaled(a, limit)).collect();
                self.advance(data, Action::F64(&scaled))
            }
        };
        Outcome { reward, terminated, success: None }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        self.x = self.locomotion.x(data);
        self.locomotion.observe(data, observation);
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("x", &mut self.x)
    }
}
