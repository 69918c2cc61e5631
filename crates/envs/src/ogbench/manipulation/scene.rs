//! A cube, two buttons, a drawer and a window (`ogbench/manipspace/envs/scene_env.py`): the first button locks the drawer,
//! the second the window. The reward is minus how many of the five are not as wanted; the episode ends when all are.
//!
//! The goal's numbers are the buttons' states at the start, 0 or 1, those wanted, x, y and z of the cube's place, and where
//! drawer and window should be.

use super::arm::Arm;
use super::cube;
use super::layout::{ACTION, CUBE, DRAWER, SEEN_OF_ARM, SEEN_OF_BUTTON, SEEN_OF_CUBE, WINDOW};
use super::model::Parts;
use super::pose::Rotation;
use super::puzzle::{self, PRESSED, see_button, without_looks};
use crate::ogbench::{PACKAGE, SuccessTiming, ids};
use crate::simulated::{Outcome, Rules};
use crate::tasks::{Make, Task, check_sizes, leak};
use crate::{Action, Spec};
use anyhow::Result;
use mujoco::Data;
use mujoco::install::{self, Setup};
use state::Archive;
use std::f64::consts::TAU;
use streams::Stream;

/// Where the gripper begins.
const START: [[f64; 3]; 2] = [[0.25, -0.2, 0.20], [0.6, 0.2, 0.35]];
/// How near it counts as there: the cube, the drawer, the window.
const RADIUS: f64 = 0.04;
/// A cube that is farther out than this was thrown by the simulator.
const BOUNDS: [[f64; 3]; 2] = [[0.05, -0.55, -0.18], [0.8, 0.55, 0.55]];
/// Damping of drawer and window.
const LOCKED: f64 = 1e6;
const UNLOCKED: f64 = 2.0;

/// The first button in `qpos`.
const BUTTONS: usize = 21;
pub(in crate::ogbench) const THINGS: usize = 5;

/// How the things are.
#[derive(Clone, Copy)]
struct Things {
    cube: [f64; 3],
    buttons: [f64; 2],
    drawer: f64,
    window: f64,
}

const fn things(cube: [f64; 3], buttons: [f64; 2], drawer: f64, window: f64) -> Things {
    Things { cube, buttons, drawer, window }
}

/// In the drawer.
const INSIDE: [f64; 3] = [0.33, -0.356, 0.065986];

/// The start and the goal of tasks 1 to 5.
const TASKS: [[Things; 2]; 5] = [
    [things([0.35, 0.05, 0.02], [1.0, 1.0], 0.0, 0.0), things([0.35, 0.05, 0.02], [1.0, 1.0], -0.16, 0.2)],
    [things([0.35, -0.05, 0.02], [0.0, 0.0], -0.16, 0.2), things([0.35, -0.05, 0.02], [0.0, 0.0], 0.0, 0.0)],
    [things([0.4, -0.05, 0.02], [1.0, 0.0], 0.0, 0.2), things([0.4, 0.15, 0.02], [1.0, 1.0], -0.16, 0.0)],
    [things([0.35, 0.05, 0.02], [0.0, 0.0], 0.0, 0.0), things(INSIDE, [1.0, 0.0], 0.0, 0.0)],
    [things([0.35, 0.15, 0.02], [0.0, 0.0], 0.0, 0.0), things(INSIDE, [0.0, 0.0], 0.0, 0.2)],
];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    ids("scene", 2)
        .into_iter()
        .map(|(id, task, timing)| Task { spec: spec(leak(id)), make: make(task, timing) })
}

fn spec(id: &'static str) -> Spec {
    Spec {
        id,
        package: PACKAGE,
        observation_dim: SEEN_OF_ARM + SEEN_OF_CUBE + 2 * SEEN_OF_BUTTON + 4,
        action_dim: ACTION,
        goal_dim: 9,
        action_limit: 1.0,
        max_episode_steps: 750,
        frame_skip: 25,
        dt: 0.05,
        reference_returns: None,
        ends: "cube, buttons, drawer and window as wanted",
        model: "manipspace/descriptions/drawer.xml",
    }
}

fn make(task: usize, timing: SuccessTiming) -> Make {
    Box::new(move |spec| {
        let folder = install::ogbench(&Setup::from_process())?;
        let parts = Parts::new(&folder);
        let (mut defaults, mut meshes, mut objects) = (vec![], vec![], vec![]);
        let buttons = without_looks(parts.read("buttons.xml")?);
        for mut part in [
            parts.read("cube.xml")?,
            buttons,
            parts.with_meshes("drawer.xml")?,
            parts.with_meshes("window.xml")?,
        ] {
            defaults.append(&mut part.child("default")?.children);
            objects.append(&mut part.child("worldbody")?.children);
            if let Ok(asset) = part.child("asset") {
                meshes.append(&mut asset.children);
            }
        }
        let mut model = parts.compile(defaults, meshes, objects)?;
        check_sizes(&model, (25, 24, 7), &folder)?;
        let arm = Arm::new(&mut model, &parts)?;
        let [start, goal] = TASKS[task - 1];
        Ok((
            model,
            Box::new(Scene { arm, start, goal, states: [0.0; 2], timing, frame_skip: spec.frame_skip }),
        ))
    })
}

/// How many things are as wanted.
pub(in crate::ogbench) fn successes(qpos: &[f64], buttons: &[f64], goal: &[f64]) -> usize {
    let cube = usize::from(cube::is_there(&qpos[CUBE..], &goal[4..7], RADIUS));
    let drawer = usize::from((qpos[DRAWER] - goal[7]).abs() <= RADIUS);
    let window = usize::from((qpos[WINDOW] - goal[8]).abs() <= RADIUS);
    cube + puzzle::successes(buttons, &goal[..4]) + drawer + window
}

struct Scene {
    arm: Arm,
    start: Things,
    goal: Things,
    /// Of the buttons, 0 or 1: 0 locks.
    states: [f64; 2],
    timing: SuccessTiming,
    frame_skip: u32,
}

impl Scene {
    fn lock(&self, data: &mut Data) {
        let damping = data.model_mut().dof_damping_mut();
        for (joint, state) in [DRAWER, WINDOW].into_iter().zip(self.states) {
            damping[joint - 1] = if state == 0.0 { LOCKED } else { UNLOCKED };
        }
    }

    /// Puts a cube back that the simulator threw away, which is very rare. The package puts it anywhere at random.
    fn keep(&self, data: &mut Data) {
        let at = &data.qpos()[CUBE..CUBE + 3];
        if (0..3).all(|i| BOUNDS[0][i] < at[i] && at[i] < BOUNDS[1][i]) {
            return;
        }
        data.qpos_mut()[CUBE..CUBE + 3].copy_from_slice(&self.start.cube);
        data.qpos_mut()[CUBE + 3..CUBE + 7].copy_from_slice(&Rotation::IDENTITY.0);
        data.qvel_mut()[CUBE..CUBE + 6].fill(0.0);
    }
}

impl Rules for Scene {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        let Things { cube, buttons, drawer, window } = self.goal;
        goal[..2].copy_from_slice(&self.start.buttons);
        goal[2..4].copy_from_slice(&buttons);
        goal[4..7].copy_from_slice(&cube);
        goal[7..].copy_from_slice(&[drawer, window]);
        self.arm.begin(data, stream, &START);
        let [x, y, z] = self.start.cube;
        let qpos = data.qpos_mut();
        let mut near = |place: f64| place + stream.uniform_in(-0.01, 0.01);
        qpos[CUBE..CUBE + 3].copy_from_slice(&[near(x), near(y), z]);
        qpos[DRAWER] = near(self.start.drawer).clamp(-0.16, 0.0);
        qpos[WINDOW] = near(self.start.window).clamp(0.0, 0.2);
        qpos[CUBE + 3..CUBE + 7].copy_from_slice(&Rotation::about_z(stream.uniform_in(0.0, TAU)).0);
    }

    /// Puts the buttons back to their states at the start.
    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        self.states = [goal[0], goal[1]];
        self.lock(data);
        data.mocap_pos_mut().copy_from_slice(&goal[4..7]);
        data.mocap_quat_mut().copy_from_slice(&Rotation::IDENTITY.0);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome {
        let before = successes(data.qpos(), &self.states, goal);
        let was = [data.qpos()[BUTTONS], data.qpos()[BUTTONS + 1]];
        self.arm.control(data, action);
        // The state that was taken up may have other locks than the model.
        self.lock(data);
        data.step(self.frame_skip);
        data.rne_post_constraint();
        self.keep(data);
        for (button, was) in was.into_iter().enumerate() {
            if was > PRESSED && data.qpos()[BUTTONS + button] <= PRESSED {
                self.states[button] = 1.0 - self.states[button];
            }
        }
        self.lock(data);
        // As in a puzzle.
        data.forward();
        let there = match self.timing {
            SuccessTiming::Pre => before,
            SuccessTiming::Post => successes(data.qpos(), &self.states, goal),
        };
        let is_done = there == THINGS;
        Outcome { reward: there as f64 - THINGS as f64, terminated: is_done, success: Some(is_done) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let (arm, rest) = observation.split_at_mut(SEEN_OF_ARM);
        self.arm.observe(data, arm);
        let (qpos, qvel) = (data.qpos(), data.qvel());
        let (cube, rest) = rest.split_at_mut(SEEN_OF_CUBE);
        cube::see_cube(&qpos[CUBE..], cube);
        let (buttons, rest) = rest.split_at_mut(2 * SEEN_OF_BUTTON);
        for (button, seen) in buttons.chunks_exact_mut(SEEN_OF_BUTTON).enumerate() {
            see_button(self.states[button], qpos[BUTTONS + button], qvel[BUTTONS + button - 1], seen);
        }
        rest.copy_from_slice(&[18.0 * qpos[DRAWER], qvel[DRAWER - 1], 15.0 * qpos[WINDOW], qvel[WINDOW - 1]]);
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.arm.state(archive)?;
        archive.item("states", &mut self.states[..])
    }
}
