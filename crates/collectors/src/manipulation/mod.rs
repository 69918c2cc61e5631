//! How OGBench collected its manipulation sets (`data_gen_scripts/generate_manipspace.py`): a script picks a thing and where
//! it should be, an oracle moves it there, and so on for 1001 steps.
//!
//! `play` follows a plan of key frames with noise on it, `noisy` reacts to what it sees, with noise on its actions and
//! some of them at random. Nothing ends an episode but its length.

mod markov;
mod plan;
mod seen;

use crate::{Actor, Layout, Play, Script, as_f32};
use anyhow::{Context, Result};
use datasets::{Dtype, Extra, Recorder, Step};
use envs::manipulation::{ACTION, BUTTONS_OF_SCENE, CUBE, DRAWER, WINDOW};
use envs::{Action, Env as _, MujocoEnv};
use markov::MarkovOracle;
use plan::PlanOracle;
use seen::{Pose, Seen, apart, wrapped};
use std::f64::consts::{PI, TAU};
use streams::Stream;

/// Rows of an episode.
const ROWS: usize = 1001;

/// What there is to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// So many cubes.
    Cubes(usize),
    /// A cube, two buttons, a drawer and a window.
    Scene,
    /// So many buttons, each of which turns its neighbours too.
    Puzzle(usize),
}

/// How an oracle acts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    Play,
    Noisy {
        /// The share of actions at random.
        random: f64,
    },
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// Bring this cube there.
    Cube(usize, Pose),
    /// Press this button until it is in this state.
    Button(usize, f64),
    /// Move the drawer there.
    Drawer(f64),
    /// Move the window there.
    Window(f64),
}

/// Brings a target about.
trait Oracle {
    /// The action, in the units of the environment's, not yet clipped.
    fn act(&mut self, seen: &Seen<'_>) -> [f64; ACTION];

    /// Whether it is through, with or without success.
    fn is_done(&self) -> bool;
}

/// The data set, the default task of its environment, and how it was collected.
const SETS: [(&str, &str, Family, Style); 10] = [
    ("cube-single-play-v0", "cube-single-singletask-v0", Family::Cubes(1), Style::Play),
    ("cube-single-noisy-v0", "cube-single-singletask-v0", Family::Cubes(1), Style::Noisy { random: 0.1 }),
    ("cube-double-play-v0", "cube-double-singletask-v0", Family::Cubes(2), Style::Play),
    ("cube-double-noisy-v0", "cube-double-singletask-v0", Family::Cubes(2), Style::Noisy { random: 0.1 }),
    ("scene-play-v0", "scene-singletask-v0", Family::Scene, Style::Play),
    ("scene-noisy-v0", "scene-singletask-v0", Family::Scene, Style::Noisy { random: 0.1 }),
    ("puzzle-3x3-play-v0", "puzzle-3x3-singletask-v0", Family::Puzzle(9), Style::Play),
    ("puzzle-3x3-noisy-v0", "puzzle-3x3-singletask-v0", Family::Puzzle(9), Style::Noisy { random: 0.2 }),
    ("puzzle-4x4-play-v0", "puzzle-4x4-singletask-v0", Family::Puzzle(16), Style::Play),
    ("puzzle-4x4-noisy-v0", "puzzle-4x4-singletask-v0", Family::Puzzle(16), Style::Noisy { random: 0.2 }),
];

pub(crate) fn scripts() -> impl Iterator<Item = Script> {
    SETS.into_iter().map(|(id, environment, ..)| Script {
        id,
        environment,
        episodes: 1000,
        actor: Actor::Arm,
        layout: Layout::Ogbench,
    })
}

/// The arm in its scene.
pub(crate) struct Arm {
    env: MujocoEnv,
    family: Family,
    style: Style,
}

impl Family {
    /// Where the gripper begins and comes to rest.
    fn rest(self) -> [[f64; 3]; 2] {
        match self {
            Self::Cubes(_) => [[0.25, -0.35, 0.20], [0.6, 0.35, 0.35]],
            Self::Scene => [[0.25, -0.2, 0.20], [0.6, 0.2, 0.35]],
            Self::Puzzle(_) => [[0.25, -0.2, 0.20], [0.6, 0.2, 0.25]],
        }
    }

    /// Where cubes lie, and where they are brought.
    fn table(self) -> [[f64; 2]; 2] {
        match self {
            Self::Scene => [[0.3, -0.07], [0.45, 0.18]],
            _ => [[0.3, -0.3], [0.55, 0.3]],
        }
    }

    fn cubes(self) -> usize {
        match self {
            Self::Cubes(cubes) => cubes,
            Self::Scene => 1,
            Self::Puzzle(_) => 0,
        }
    }

    fn buttons(self) -> usize {
        match self {
            Self::Cubes(_) => 0,
            Self::Scene => BUTTONS_OF_SCENE,
            Self::Puzzle(buttons) => buttons,
        }
    }
}

impl Arm {
    pub(crate) fn new(script: &Script) -> Result<Self> {
        let set = SETS.into_iter().find(|(id, ..)| *id == script.id);
        let (_, _, family, style) = set.context("no manipulation set of OGBench's")?;
        Ok(Self { env: MujocoEnv::new(script.environment)?, family, style })
    }

    fn seen(&self) -> Seen<'_> {
        Seen { env: &self.env, cubes: self.family.cubes() }
    }

    /// Puts everything anywhere.
    fn begin(&mut self, stream: &mut Stream) {
        let family = self.family;
        self.env.reset(stream);
        let (mut qpos, qvel) = (self.env.qpos().to_vec(), self.env.qvel().to_vec());
        for cube in 0..family.cubes() {
            let qpos = &mut qpos[CUBE + 7 * cube..][..7];
            let Pose { position, yaw } = on_table(family, stream);
            qpos[..3].copy_from_slice(&position);
            let half = 0.5 * yaw;
            qpos[3..].copy_from_slice(&[libm::cos(half), 0.0, 0.0, libm::sin(half)]);
        }
        if family == Family::Scene {
            qpos[DRAWER] = stream.uniform_in(-0.16, 0.0);
            qpos[WINDOW] = stream.uniform_in(0.0, 0.2);
        }
        let mut goal = self.env.goal().to_vec();
        goal[..family.buttons()].fill_with(|| stream.index(2) as f64);
        if family.buttons() > 0 {
            self.env.set_goal(&goal);
        }
        self.env.start_from(&qpos, &qvel);
    }

    /// A thing to move, and where to. `p_stack` is how often a cube goes on top of another where there are two.
    fn target(&self, p_stack: f64, stream: &mut Stream) -> Target {
        let seen = self.seen();
        match self.family {
            Family::Cubes(_) => self.cube_target(p_stack, stream),
            Family::Puzzle(buttons) => {
                let button = stream.index(buttons);
                Target::Button(button, 1.0 - seen.button_state(button))
            }
            Family::Scene => {
                let is_available = !seen.is_in_drawer(seen.cube(0).position);
                let locked = |button: usize| if seen.button_state(button) == 0.0 { 0.25 } else { 1.0 };
                let weights = [f64::from(u8::from(is_available)), 1.0, locked(0), locked(1)];
                match weighted(weights, stream) {
                    0 => self.cube_target(p_stack, stream),
                    1 => {
                        let button = stream.index(BUTTONS_OF_SCENE);
                        Target::Button(button, 1.0 - seen.button_state(button))
                    }
                    2 => Target::Drawer(if seen.drawer() >= -0.08 { -0.16 } else { 0.0 }),
                    _ => Target::Window(if seen.window() <= 0.1 { 0.2 } else { 0.0 }),
                }
            }
        }
    }

    /// A cube with none on top of it, and a place for it.
    fn cube_target(&self, p_stack: f64, stream: &mut Stream) -> Target {
        let seen = self.seen();
        let cubes: Vec<[f64; 3]> = (0..self.family.cubes()).map(|cube| seen.cube(cube).position).collect();
        let is_below =
            |a: &[f64; 3], b: &[f64; 3]| b[2] > a[2] && libm::hypot(a[0] - b[0], a[1] - b[1]) < 0.02;
        let is_free = |&cube: &usize| !cubes.iter().any(|other| is_below(&cubes[cube], other));
        let free: Vec<usize> = (0..cubes.len()).filter(is_free).collect();
        let cube = free[stream.index(free.len())];
        let others: Vec<usize> = free.into_iter().filter(|&other| other != cube).collect();
        let mut pose = on_table(self.family, stream);
        if self.family == Family::Scene && seen.drawer() < -0.12 && stream.uniform() < 0.3 {
            // Into the drawer.
            let near = |centre: f64, stream: &mut Stream| centre + stream.uniform_in(-0.005, 0.005);
            pose.position = [near(0.33, stream), near(-0.24, stream), 0.066];
        } else if !others.is_empty() && stream.uniform() < p_stack {
            let [x, y, z] = cubes[others[stream.index(others.len())]];
            pose.position = [x, y, z + 0.04];
        }
        Target::Cube(cube, pose)
    }

    fn oracle(&self, target: Target, stream: &mut Stream) -> Box<dyn Oracle> {
        let rest = self.rest(target, stream);
        let always_closed = matches!(self.family, Family::Puzzle(_));
        match self.style {
            Style::Play => Box::new(PlanOracle::new(&self.seen(), target, rest, always_closed, stream)),
            Style::Noisy { .. } => Box::new(MarkovOracle::new(target, rest, always_closed)),
        }
    }

    /// Where the gripper goes when it is through.
    fn rest(&self, target: Target, stream: &mut Stream) -> Pose {
        let [mut low, high] = self.family.rest();
        if matches!((target, self.style), (Target::Window(_), Style::Noisy { .. })) {
            low[2] = f64::max(low[2], 0.3);
        }
        let position = std::array::from_fn(|i| stream.uniform_in(low[i], high[i]));
        Pose { position, yaw: stream.uniform_in(-PI, PI) }
    }

    fn play(&mut self, stream: &mut Stream) -> Recorder {
        let (family, style) = (self.family, self.style);
        self.begin(stream);
        let p_stack = if family == Family::Cubes(2) { stream.uniform_in(0.0, 0.25) } else { 0.0 };
        let noise = stream.uniform_in(0.0, 0.1);
        let (nq, nv) = (self.env.qpos().len(), self.env.qvel().len());
        let mut extras = vec![Extra::new("qpos", nq, Dtype::F32), Extra::new("qvel", nv, Dtype::F32)];
        if family.buttons() > 0 {
            extras.push(Extra::new("button_states", family.buttons(), Dtype::I64));
        }
        let mut recorder = Recorder::new((self.env.observation().len(), ACTION), extras);
        // The package draws the first target before the episode's own probability, with its default.
        let target = self.target(0.5, stream);
        let mut oracle = self.oracle(target, stream);
        for row in 0..ROWS {
            let mut action: [f64; ACTION] = match style {
                Style::Noisy { random } if stream.uniform() < random => {
                    std::array::from_fn(|_| stream.uniform_in(-1.0, 1.0))
                }
                Style::Noisy { .. } => {
                    let action = oracle.act(&self.seen());
                    let scale = [1.0, 1.0, 1.0, 3.0, 10.0];
                    std::array::from_fn(|i| action[i].clamp(-1.0, 1.0) + noise * scale[i] * stream.normal())
                }
                Style::Play => oracle.act(&self.seen()),
            };
            action.iter_mut().for_each(|a| *a = a.clamp(-1.0, 1.0));
            let s = as_f32(self.env.observation());
            let (qpos, qvel) = (self.env.qpos().to_vec(), self.env.qvel().to_vec());
            let states: Vec<f64> =
                (0..family.buttons()).map(|button| self.seen().button_state(button)).collect();
            self.env.step(Action::F64(&action));
            if oracle.is_done() {
                let target = self.target(p_stack, stream);
                oracle = self.oracle(target, stream);
            }
            let extras = [&qpos[..], &qvel[..], &states[..]];
            recorder.push(&Step {
                observation: &s,
                action: &as_f32(&action),
                reward: 0.0,
                terminal: row + 1 == ROWS,
                timeout: false,
                next_observation: &as_f32(self.env.observation()),
                extras: &extras[..if states.is_empty() { 2 } else { 3 }],
            });
        }
        recorder
    }
}

impl Play for Arm {
    fn episode(&mut self, stream: &mut Stream) -> Result<Recorder> {
        loop {
            let episode = self.play(stream);
            if self.family != Family::Scene || !is_lost(&episode) {
                return Ok(episode);
            }
        }
    }
}

/// Whether a scene's cube went out of sight, other than into the drawer, or was thrown so far in one step that the
/// environment put it back.
fn is_lost(episode: &Recorder) -> bool {
    let places: Vec<&[f64]> = episode.extra(0).map(|qpos| &qpos[CUBE..CUBE + 3]).collect();
    let is_away = |place: &&[f64]| {
        let (y, z) = (place[1], place[2]);
        y >= 0.29 || (y <= -0.3 && !(0.06..=0.08).contains(&z))
    };
    places.iter().any(is_away) || places.windows(2).any(|pair| apart(pair[0], pair[1]) > 0.2)
}

/// Anywhere that cubes lie.
fn on_table(family: Family, stream: &mut Stream) -> Pose {
    let [low, high] = family.table();
    let (x, y) = (stream.uniform_in(low[0], high[0]), stream.uniform_in(low[1], high[1]));
    Pose { position: [x, y, 0.02], yaw: wrapped(stream.uniform_in(0.0, TAU)) }
}

/// An index, drawn by weights.
fn weighted(weights: [f64; 4], stream: &mut Stream) -> usize {
    let mut at = stream.uniform() * weights.iter().sum::<f64>();
    for (index, weight) in weights.into_iter().enumerate() {
        if at < weight {
            return index;
        }
        at -= weight;
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::path::Path;

    /// Of an action's entries, which lie within ±1. A touch makes much of the last bits in which both simulations differ:
    /// the farthest seen is 8e-5. Another phase of the way is another action altogether.
    const TOLERANCE: f64 = 1e-3;

    /// One target of `tests/parity/record_oracles.py`.
    #[derive(Deserialize)]
    struct Case {
        set: String,
        thing: String,
        qpos: Vec<f64>,
        qvel: Vec<f64>,
        buttons: Vec<f64>,
        target: Vec<f64>,
        rest: [f64; 4],
        actions: Vec<[f64; ACTION]>,
    }

    impl Case {
        fn target(&self) -> Target {
            match (&self.thing[..], &self.target[..]) {
                ("cube", &[cube, x, y, z, yaw]) => {
                    Target::Cube(cube as usize, Pose { position: [x, y, z], yaw })
                }
                ("button", &[button, state]) => Target::Button(button as usize, state),
                ("drawer", &[to]) => Target::Drawer(to),
                ("window", &[to]) => Target::Window(to),
                other => panic!("{other:?} is no target"),
            }
        }
    }

    /// The package's oracle and ours want the same in every state on the way, and are through at the same step.
    #[test]
    fn oracles_want_what_the_package_s_do() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden/oracles.json");
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(golden).unwrap()).unwrap();
        for case in cases {
            let name = format!("{}, {}", case.set, case.thing);
            let mut arm = Arm::new(&crate::find(&case.set).unwrap()).unwrap();
            arm.env.reset(&mut Stream::new(0, "test"));
            let mut goal = arm.env.goal().to_vec();
            goal[..case.buttons.len()].copy_from_slice(&case.buttons);
            arm.env.set_goal(&goal);
            arm.env.start_from(&case.qpos, &case.qvel);
            let [x, y, z, yaw] = case.rest;
            let rest = Pose { position: [x, y, z], yaw };
            let (target, always_closed) = (case.target(), matches!(arm.family, Family::Puzzle(_)));
            let middle = &mut |low, high| 0.5 * (low + high);
            let mut oracle: Box<dyn Oracle> = match arm.style {
                Style::Play => {
                    Box::new(PlanOracle::without_noise(&arm.seen(), target, rest, always_closed, middle))
                }
                Style::Noisy { .. } => Box::new(MarkovOracle::new(target, rest, always_closed)),
            };
            for (t, expected) in case.actions.iter().enumerate() {
                assert!(!oracle.is_done(), "{name}: step {t}");
                let action = oracle.act(&arm.seen()).map(|a| a.clamp(-1.0, 1.0));
                let is_near = action.iter().zip(expected).all(|(a, b)| (a - b).abs() < TOLERANCE);
                assert!(is_near, "{name}: step {t}: {action:?} instead of {expected:?}");
                arm.env.step(Action::F64(expected));
            }
            assert!(oracle.is_done(), "{name}");
        }
    }
}
