//! Oracles that react to what they see (`ogbench/manipspace/oracles/markov`): above it, down, grasp, lift, over there, down,
//! release, and to the side.

use super::seen::{Pose, Seen, apart, difference, nearest_yaw, norm};
use super::{ACTION, Oracle, Target};

/// A step's wish is at least so long, so that it does not creep.
const LEAST: f64 = 0.4;
const GAIN: f64 = 5.0;
const GAIN_OF_YAW: f64 = 3.0;
/// Closing and opening.
const CLOSE: f64 = 1.0;
const OPEN: f64 = -1.0;

pub(super) struct MarkovOracle {
    target: Target,
    rest: Pose,
    /// What the gripper does where it has nothing to hold.
    idle: f64,
    steps_left: u32,
    is_done: bool,
}

impl MarkovOracle {
    pub(super) fn new(target: Target, rest: Pose, always_closed: bool) -> Self {
        let steps_left = match target {
            Target::Cube(..) => 200,
            Target::Button(..) => 100,
            Target::Drawer(_) | Target::Window(_) => 75,
        };
        Self { target, rest, idle: if always_closed { CLOSE } else { OPEN }, steps_left, is_done: false }
    }

    fn cube(&self, seen: &Seen<'_>, cube: usize, goal: Pose) -> [f64; ACTION] {
        const OVER: f64 = 0.18;
        const AIR: f64 = 0.16;
        let gripper = seen.gripper();
        let place = seen.cube(cube).position;
        let yaw = nearest_yaw(gripper.yaw, seen.cube(cube).yaw, 4);
        let goal_yaw = nearest_yaw(gripper.yaw, goal.yaw, 4);
        let (is_closed, is_open) = (seen.contact() > 0.5, seen.contact() < 0.1);
        let is_high = gripper.position[2] > AIR;
        let is_over_goal = apart(&goal.position[..2], &place[..2]) <= 0.04;
        let is_held = apart(&place, &gripper.position) <= 0.02;
        let over = |[x, y, z]: [f64; 3]| [x, y, z + OVER];
        let to = |to: [f64; 3], turn: f64, grip: f64| towards(gripper, to, turn, grip);
        if apart(&goal.position, &place) > 0.02 {
            if apart(&place[..2], &gripper.position[..2]) > 0.04 {
                to(over(place), yaw - gripper.yaw, OPEN)
            } else if !is_held {
                to(place, yaw - gripper.yaw, OPEN)
            } else if !is_closed {
                to(place, yaw - gripper.yaw, CLOSE)
            } else if !is_high && !is_over_goal {
                to([place[0], place[1], 2.0 * OVER], goal_yaw - yaw, CLOSE)
            } else if !is_over_goal {
                to(over(goal.position), goal_yaw - yaw, CLOSE)
            } else {
                to(goal.position, goal_yaw - yaw, CLOSE)
            }
        } else if !is_open {
            to(goal.position, goal_yaw - yaw, OPEN)
        } else {
            self.leave(gripper, place, AIR)
        }
    }

    fn button(&self, seen: &Seen<'_>, button: usize, state: f64) -> [f64; ACTION] {
        let gripper = seen.gripper();
        let top = seen.button(button);
        let (over, below) = (top.above(0.06).position, top.above(-0.022).position);
        if seen.button_state(button) == state {
            return self.leave(gripper, over, 0.16);
        }
        let is_over = apart(&over[..2], &gripper.position[..2]) <= 0.04;
        towards(gripper, if is_over { below } else { over }, 0.0, CLOSE)
    }

    /// A drawer's or a window's handle, to be moved to `goal`; it is held by what `grip` says.
    fn handle(
        &self,
        gripper: Pose,
        handle: Pose,
        goal: [f64; 3],
        (over, air, grip): (f64, f64, f64),
    ) -> [f64; ACTION] {
        let turn = nearest_yaw(gripper.yaw, handle.yaw, 2) - gripper.yaw;
        if apart(&goal, &handle.position) <= 0.01 {
            self.leave(gripper, handle.position, air)
        } else if apart(&handle.position[..2], &gripper.position[..2]) > 0.04 {
            towards(gripper, handle.above(over).position, turn, OPEN)
        } else if apart(&handle.position, &gripper.position) > 0.03 {
            towards(gripper, handle.position, turn, OPEN)
        } else {
            towards(gripper, goal, turn, grip)
        }
    }

    /// Up from `place`, then to rest.
    fn leave(&self, gripper: Pose, place: [f64; 3], air: f64) -> [f64; ACTION] {
        let is_high = gripper.position[2] > air;
        let to = if is_high { self.rest.position } else { [place[0], place[1], 2.0 * air] };
        towards(gripper, to, self.rest.yaw - gripper.yaw, self.idle)
    }

    fn is_through(&self, seen: &Seen<'_>) -> bool {
        let is_there = match self.target {
            Target::Cube(cube, goal) => apart(&goal.position, &seen.cube(cube).position) <= 0.02,
            Target::Button(button, state) => seen.button_state(button) == state,
            Target::Drawer(to) => apart(&seen.drawer_handle_at(to), &seen.drawer_handle().position) <= 0.01,
            Target::Window(to) => apart(&seen.window_handle_at(to), &seen.window_handle().position) <= 0.01,
        };
        is_there && apart(&self.rest.position, &seen.gripper().position) <= 0.04
    }
}

impl Oracle for MarkovOracle {
    fn act(&mut self, seen: &Seen<'_>) -> [f64; ACTION] {
        self.steps_left -= 1;
        self.is_done = self.steps_left == 0 || self.is_through(seen);
        match self.target {
            Target::Cube(cube, goal) => self.cube(seen, cube, goal),
            Target::Button(button, state) => self.button(seen, button, state),
            Target::Drawer(to) => {
                let goal = seen.drawer_handle_at(to);
                self.handle(seen.gripper(), seen.drawer_handle(), goal, (0.12, 0.18, OPEN))
            }
            Target::Window(to) => {
                let goal = seen.window_handle_at(to);
                self.handle(seen.gripper(), seen.window_handle(), goal, (0.06, 0.28, CLOSE))
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

fn towards(gripper: Pose, to: [f64; 3], turn: f64, grip: f64) -> [f64; ACTION] {
    let wish = difference(to, gripper.position);
    let length = norm(&wish);
    let stretch = if length >= LEAST { 1.0 } else { LEAST / (length + 1e-6) };
    let [x, y, z] = wish.map(|x| GAIN * stretch * x);
    [x, y, z, GAIN_OF_YAW * turn, grip]
}
