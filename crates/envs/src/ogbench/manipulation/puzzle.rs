//! Buttons to be pressed until all show what they should (`ogbench/manipspace/envs/puzzle_env.py`): pressing one turns it
//! and its neighbours. The reward is minus the number of buttons that do not; the episode ends when all do.
//!
//! The goal's numbers are the buttons' states at the start, 0 or 1 row by row, and then those wanted.

use super::arm::Arm;
use super::layout::{ACTION, SEEN_OF_ARM, SEEN_OF_BUTTON};
use super::model::Parts;
use crate::mjcf::Element;
use crate::ogbench::{PACKAGE, SuccessTiming, ids};
use crate::simulated::{Outcome, Rules};
use crate::tasks::{Make, Task, check_sizes, leak};
use crate::{Action, Spec};
use anyhow::Result;
use mujoco::Data;
use mujoco::install::{self, Setup};
use state::Archive;
use streams::Stream;

/// Where the gripper begins.
const START: [[f64; 3]; 2] = [[0.25, -0.2, 0.20], [0.6, 0.2, 0.25]];
/// A button that goes below this is pressed.
pub(super) const PRESSED: f64 = -0.02;
/// Half the distance of neighbours.
const DISTANCE: f64 = 0.05;
/// The first button's coordinate in `qpos` and `qvel`: after the arm's and the gripper's joints.
const FIRST: usize = 14;

/// Name, side, and the states at the start and those wanted of tasks 1 to 5.
const FAMILIES: [(&str, usize, [[&str; 2]; 5]); 2] = [
    (
        "puzzle-3x3",
        3,
        [
            ["000000000", "110101011"],
            ["111111111", "011111111"],
            ["010111010", "101010101"],
            ["010101010", "111111111"],
            ["111111111", "101101101"],
        ],
    ),
    (
        "puzzle-4x4",
        4,
        [
            ["0000000000000000", "1111111111111111"],
            ["1111111111111111", "1111100110011111"],
            ["1000000000000001", "0101101001011010"],
            ["1001100110011001", "0000000000000000"],
            ["0101001000011000", "0000000000000000"],
        ],
    ),
];

pub(super) fn tasks() -> impl Iterator<Item = Task> {
    FAMILIES.into_iter().flat_map(|(family, side, tasks)| {
        ids(family, 4).into_iter().map(move |(id, task, timing)| {
            let goal = states(&tasks[task - 1].concat());
            Task { spec: spec(leak(id), side), make: make(side, goal, timing) }
        })
    })
}

fn states(digits: &str) -> Vec<f64> {
    digits.bytes().map(|digit| f64::from(digit - b'0')).collect()
}

fn spec(id: &'static str, side: usize) -> Spec {
    let buttons = side * side;
    Spec {
        id,
        package: PACKAGE,
        observation_dim: SEEN_OF_ARM + SEEN_OF_BUTTON * buttons,
        action_dim: ACTION,
        goal_dim: 2 * buttons,
        action_limit: 1.0,
        max_episode_steps: 500,
        frame_skip: 25,
        dt: 0.05,
        reference_returns: None,
        ends: "all buttons as wanted",
        model: "manipspace/descriptions/button_inner.xml",
    }
}

fn make(side: usize, goal: Vec<f64>, timing: SuccessTiming) -> Make {
    Box::new(move |spec| {
        let folder = install::ogbench(&Setup::from_process())?;
        let parts = Parts::new(&folder);
        let defaults = without_looks(parts.read("button_outer.xml")?).child("default")?.children.clone();
        let mut objects = vec![];
        for button in 0..side * side {
            objects.append(&mut placed(without_looks(parts.read("button_inner.xml")?), button, side)?);
        }
        let mut model = parts.compile(defaults, vec![], objects)?;
        check_sizes(&model, (FIRST + side * side, FIRST + side * side, 7), &folder)?;
        let arm = Arm::new(&mut model, &parts)?;
        let rules = Puzzle {
            arm,
            side,
            goal: goal.clone(),
            states: vec![0.0; side * side],
            timing,
            frame_skip: spec.frame_skip,
        };
        Ok((model, Box::new(rules)))
    })
}

/// Without what is only seen: boxes stand still, and buttons have explicit inertias.
pub(super) fn without_looks(mut model: Element) -> Element {
    model.walk(&mut |element| {
        element.children.retain(|child| child.tag != "asset" && child.get("mesh").is_none());
        element.attributes.retain(|(name, _)| name != "material");
    });
    model
}

/// The package's one button, with this button's number and at its place.
fn placed(mut one: Element, button: usize, side: usize) -> Result<Vec<Element>> {
    let at = |i: usize, centre: f64| centre - DISTANCE * (side as f64 - 1.0) + 2.0 * DISTANCE * i as f64;
    let (x, y) = (at(button / side, 0.425), at(button % side, 0.0));
    one.named("body", "buttonbox_0")?.set("pos", &format!("{x} {y} 0.048"));
    super::cube::numbered(one, button)
}

/// Fills in what is seen of a button.
pub(super) fn see_button(state: f64, position: f64, velocity: f64, seen: &mut [f64]) {
    seen.copy_from_slice(&[1.0 - state, state, 120.0 * position, velocity]);
}

struct Puzzle {
    arm: Arm,
    side: usize,
    goal: Vec<f64>,
    /// 0 or 1 a button.
    states: Vec<f64>,
    timing: SuccessTiming,
    frame_skip: u32,
}

/// How many buttons are as wanted, which a goal says after how they are at the start.
pub(in crate::ogbench) fn successes(buttons: &[f64], goal: &[f64]) -> usize {
    let wanted = &goal[goal.len() / 2..];
    buttons.iter().zip(wanted).filter(|(state, wanted)| state == wanted).count()
}

impl Puzzle {
    fn turn_around(&mut self, button: usize) {
        let (row, column, side) = (button / self.side, button % self.side, self.side);
        let mut turn = |button: usize| self.states[button] = 1.0 - self.states[button];
        turn(button);
        if row + 1 < side {
            turn(button + side);
        }
        if row > 0 {
            turn(button - side);
        }
        if column + 1 < side {
            turn(button + 1);
        }
        if column > 0 {
            turn(button - 1);
        }
    }
}

impl Rules for Puzzle {
    fn begin(&mut self, data: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        goal.copy_from_slice(&self.goal);
        self.arm.begin(data, stream, &START);
    }

    /// Puts the buttons back to their states at the start.
    fn set_goal(&mut self, _: &mut Data, goal: &[f64]) {
        let buttons = self.states.len();
        self.states.copy_from_slice(&goal[..buttons]);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, goal: &[f64]) -> Outcome {
        let before = successes(&self.states, goal);
        let buttons = self.states.len();
        let was: Vec<f64> = data.qpos()[FIRST..].to_vec();
        self.arm.control(data, action);
        data.step(self.frame_skip);
        data.rne_post_constraint();
        for (button, was) in was.into_iter().enumerate() {
            if was > PRESSED && data.qpos()[FIRST + button] <= PRESSED {
                self.turn_around(button);
            }
        }
        // The package does so where it colours the buttons: the next action is relative to where the gripper is then.
        data.forward();
        let there = match self.timing {
            SuccessTiming::Pre => before,
            SuccessTiming::Post => successes(&self.states, goal),
        };
        let is_done = there == buttons;
        Outcome { reward: there as f64 - buttons as f64, terminated: is_done, success: Some(is_done) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let (arm, buttons) = observation.split_at_mut(SEEN_OF_ARM);
        self.arm.observe(data, arm);
        for (button, seen) in buttons.chunks_exact_mut(SEEN_OF_BUTTON).enumerate() {
            see_button(self.states[button], data.qpos()[FIRST + button], data.qvel()[FIRST + button], seen);
        }
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        self.arm.state(archive)?;
        archive.item("states", &mut self.states[..])
    }
}
