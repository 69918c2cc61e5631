//! Cubes to be moved to places (`ogbench/manipspace/envs/cube_env.py`). The reward is minus the number of cubes that are
//! not there; the episode ends when all are.
//!
//! The goal's numbers are x, y and z of each cube's place.

use super::arm::{Arm, scaled};
use super::layout::{ACTION, CUBE, SEEN_OF_ARM, SEEN_OF_CUBE};
use super::model::Parts;
use super::pose::Rotation;
use crate::mjcf::Element;
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
const START: [[f64; 3]; 2] = [[0.25, -0.35, 0.20], [0.6, 0.35, 0.35]];
/// How near its place a cube counts as there.
const RADIUS: f64 = 0.04;

type Places = &'static [[f64; 3]];

/// Name, default task, time limit, and the start and the goal of tasks 1 to 5.
const FAMILIES: [(&str, usize, u32, [[Places; 2]; 5]); 2] = [
    (
        "cube-single",
        2,
        200,
        [
            [&[[0.425, 0.1, 0.02]], &[[0.425, -0.1, 0.02]]],
            [&[[0.35, 0.0, 0.02]], &[[0.50, 0.0, 0.02]]],
            [&[[0.50, 0.0, 0.02]], &[[0.35, 0.0, 0.02]]],
            [&[[0.35, -0.2, 0.02]], &[[0.50, 0.2, 0.02]]],
            [&[[0.35, 0.2, 0.02]], &[[0.50, -0.2, 0.02]]],
        ],
    ),
    (
        "cube-double",
        2,
        500,
        [
            [&[[0.425, 0.0, 0.02], [0.425, -0.1, 0.02]], &[[0.425, 0.0, 0.02], [0.425, 0.1, 0.02]]],
            [&[[0.35, -0.1, 0.02], [0.50, -0.1, 0.02]], &[[0.35, 0.1, 0.02], [0.50, 0.1, 0.02]]],
            [&[[0.35, 0.0, 0.02], [0.50, 0.0, 0.02]], &[[0.425, -0.2, 0.02], [0.425, 0.2, 0.02]]],
            [&[[0.425, -0.1, 0.02], [0.425, 0.1, 0.02]], &[[0.425, 0.1, 0.02], [0.425, -0.1, 0.02]]],
            [&[[0.425, -0.2, 0.02], [0.425, 0.2, 0.02]], &[[0.425, 0.0, 0.02], [0.425, 0.0, 0.06]]],
        ],
    ),
];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    FAMILIES.into_iter().flat_map(|(family, default_task, max_episode_steps, tasks)| {
        ids(family, default_task).into_iter().map(move |(id, task, timing)| {
            let [start, goal] = tasks[task - 1];
            Task { spec: spec(leak(id), start.len(), max_episode_steps), make: make(start, goal, timing) }
        })
    })
}

fn spec(id: &'static str, cubes: usize, max_episode_steps: u32) -> Spec {
    Spec {
        id,
        package: PACKAGE,
        observation_dim: SEEN_OF_ARM + SEEN_OF_CUBE * cubes,
        action_dim: ACTION,
        goal_dim: 3 * cubes,
        action_limit: 1.0,
        max_episode_steps,
        frame_skip: 25,
        dt: 0.05,
        reference_returns: None,
        ends: "all cubes within 0.04 of their places",
        model: "manipspace/descriptions/cube_inner.xml",
    }
}

fn make(start: Places, goal: Places, timing: SuccessTiming) -> Make {
    Box::new(move |spec| {
        let folder = install::ogbench(&Setup::from_process())?;
        let parts = Parts::new(&folder);
        let defaults = parts.read("cube_outer.xml")?.child("default")?.children.clone();
        let mut objects = vec![];
        for cube in 0..start.len() {
            objects.append(&mut numbered(parts.read("cube_inner.xml")?, cube)?);
        }
        let mut model = parts.compile(defaults, vec![], objects)?;
        check_sizes(&model, (CUBE + 7 * start.len(), CUBE + 6 * start.len(), 7), &folder)?;
        let arm = Arm::new(&mut model, &parts)?;
        let rules = Cubes { arm, start, goal, timing, frame_skip: spec.frame_skip };
        Ok((model, Box::new(rules)))
    })
}

/// The bodies of the package's one cube and its target, with this cube's number.
pub(super) fn numbered(mut one: Element, cube: usize) -> Result<Vec<Element>> {
    one.walk(&mut |element| {
        if let Some(stem) = element.get("name").and_then(|name| name.strip_suffix("_0")) {
            element.set("name", &format!("{stem}_{cube}"));
        }
    });
    Ok(std::mem::take(&mut one.child("worldbody")?.children))
}

/// Whether a cube, by its coordinates, is near its place.
pub(super) fn is_there(cube: &[f64], place: &[f64], radius: f64) -> bool {
    cube.iter().zip(place).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt() <= radius
}

/// How many cubes are at their places.
pub(in crate::ogbench) fn successes(qpos: &[f64], goal: &[f64]) -> usize {
    let cubes = qpos[CUBE..].chunks_exact(7);
    cubes.zip(goal.chunks_exact(3)).filter(|(cube, place)| is_there(cube, place, RADIUS)).count()
}

/// Fills in what is seen of a cube, by its coordinates.
pub(super) fn see_cube(qpos: &[f64], seen: &mut [f64]) {
    let quat = [qpos[3], qpos[4], qpos[5], qpos[6]];
    let yaw = Rotation(quat).yaw();
    seen[..3].copy_from_slice(&scaled([qpos[0], qpos[1], qpos[2]]));
    seen[3..7].copy_from_slice(&quat);
    seen[7..].copy_from_slice(&[yaw.cos(), yaw.sin()]);
}

struct Cubes {
    arm: Arm,
    start: Places,
    goal: Places,
    timing: SuccessTiming,
    frame_skip: u32,
}

impl Rules for Cubes {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        goal.copy_from_slice(self.goal.as_flattened());
        self.arm.begin(data, stream, &START);
        for (cube, &[x, y, z]) in self.start.iter().enumerate() {
            let qpos = &mut data.qpos_mut()[CUBE + 7 * cube..][..7];
            qpos[..3].copy_from_slice(&[
                x + stream.uniform_in(-0.01, 0.01),
                y + stream.uniform_in(-0.01, 0.01),
                z,
            ]);
            qpos[3..].copy_from_slice(&Rotation::about_z(stream.uniform_in(0.0, TAU)).0);
        }
    }

    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        data.mocap_pos_mut().copy_from_slice(goal);
        data.mocap_quat_mut().as_chunks_mut().0.fill(Rotation::IDENTITY.0);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome {
        let before = successes(data.qpos(), goal);
        self.arm.control(data, action);
        data.step(self.frame_skip);
        data.rne_post_constraint();
        let there = match self.timing {
            SuccessTiming::Pre => before,
            SuccessTiming::Post => successes(data.qpos(), goal),
        };
        let (cubes, is_done) = (self.start.len(), there == self.start.len());
        Outcome { reward: there as f64 - cubes as f64, terminated: is_done, success: Some(is_done) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let (arm, cubes) = observation.split_at_mut(SEEN_OF_ARM);
        self.arm.observe(data, arm);
        for (cube, seen) in cubes.chunks_exact_mut(SEEN_OF_CUBE).enumerate() {
            see_cube(&data.qpos()[CUBE + 7 * cube..], seen);
        }
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.arm.state(archive)
    }
}
