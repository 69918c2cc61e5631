//! Undo a latch and open a door.
//!
//! The goal's numbers are where the door's frame stands.

use super::{Hand, at, body, minus, norm, site};
use crate::simulated::{Outcome, Rules, concatenate};
use crate::{Action, numpy};
use anyhow::{Context, Result};
use mujoco::Data;
use streams::Stream;

pub(super) struct Door {
    hand: Hand,
    frame: usize,
    palm: usize,
    handle: usize,
    hinge: usize,
}

impl Door {
    pub(super) fn new(hand: Hand, data: &Data) -> Result<Self> {
        let hinge =
            data.model().joint_qpos("door_hinge").context("Adroit's door has no joint `door_hinge`")?;
        let (palm, handle) = (site(data, "S_grasp")?, site(data, "S_handle")?);
        Ok(Self { hand, frame: body(data, "frame")?, palm, handle, hinge })
    }
}

impl Rules for Door {
    fn begin(&mut self, _: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        let ranges = [(-0.3, -0.2), (0.25, 0.35), (0.252, 0.35)];
        goal.iter_mut().zip(ranges).for_each(|(x, (low, high))| *x = stream.uniform_in(low, high));
    }

    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        let frame = self.frame;
        data.model_mut().body_pos_mut()[3 * frame..3 * (frame + 1)].copy_from_slice(goal);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        self.hand.step(data, action);
        let door = data.qpos()[self.hinge];
        let mut reward =
            -0.1 * norm(minus(at(data.site_xpos(), self.palm), at(data.site_xpos(), self.handle)));
        reward += -0.1 * (door - 1.57) * (door - 1.57);
        reward += -1e-5 * numpy::sum_of_squares(data.qvel());
        for (angle, bonus) in [(0.2, 2.0), (1.0, 8.0), (1.35, 10.0)] {
            if door > angle {
                reward += bonus;
            }
        }
        Outcome { reward, terminated: false, success: Some(door >= 1.35) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let qpos = data.qpos();
        let (palm, handle) = (at(data.site_xpos(), self.palm), at(data.site_xpos(), self.handle));
        let (latch, door) = (qpos[qpos.len() - 1], qpos[self.hinge]);
        let is_open = if door > 1.0 { 1.0 } else { -1.0 };
        concatenate(
            observation,
            &[&qpos[1..qpos.len() - 2], &[latch, door], &palm, &handle, &minus(palm, handle), &[is_open]],
        );
    }
}
