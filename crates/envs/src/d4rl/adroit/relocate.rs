//! Take a ball and bring it to a place in the air.
//!
//! The goal's numbers are where the ball lies in the model, and where it should go.

use super::{Hand, at, body, minus, norm, site};
use crate::Action;
use crate::simulated::{Outcome, Rules, concatenate};
use anyhow::Result;
use mujoco::Data;
use streams::Stream;

pub(super) struct Relocate {
    hand: Hand,
    object: usize,
    /// The ball's height in the model, which is not drawn.
    height: f64,
    palm: usize,
    target: usize,
}

impl Relocate {
    pub(super) fn new(hand: Hand, data: &Data) -> Result<Self> {
        let object = body(data, "Object")?;
        let [_, _, height] = at(data.xpos(), object);
        Ok(Self { hand, object, height, palm: site(data, "S_grasp")?, target: site(data, "target")? })
    }
}

impl Rules for Relocate {
    fn begin(&mut self, _: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        goal[..2].copy_from_slice(&[stream.uniform_in(-0.15, 0.15), stream.uniform_in(-0.15, 0.3)]);
        goal[2] = self.height;
        let ranges = [(-0.2, 0.2), (-0.2, 0.2), (0.15, 0.35)];
        goal[3..].iter_mut().zip(ranges).for_each(|(x, (low, high))| *x = stream.uniform_in(low, high));
    }

    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        let (object, target) = (self.object, self.target);
        let model = data.model_mut();
        model.body_pos_mut()[3 * object..3 * (object + 1)].copy_from_slice(&goal[..3]);
        model.site_pos_mut()[3 * target..3 * (target + 1)].copy_from_slice(&goal[3..]);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        self.hand.step(data, action);
        let (palm, target) = (at(data.site_xpos(), self.palm), at(data.site_xpos(), self.target));
        let object = at(data.xpos(), self.object);
        let mut reward = -0.1 * norm(minus(palm, object));
        let distance = norm(minus(object, target));
        if object[2] > 0.04 {
            reward += 1.0;
            reward += -0.5 * norm(minus(palm, target));
            reward += -0.5 * distance;
        }
        if distance < 0.1 {
            reward += 10.0;
        }
        if distance < 0.05 {
            reward += 20.0;
        }
        Outcome { reward, terminated: false, success: Some(distance < 0.1) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let qpos = data.qpos();
        let (palm, target) = (at(data.site_xpos(), self.palm), at(data.site_xpos(), self.target));
        let object = at(data.xpos(), self.object);
        concatenate(
            observation,
            &[&qpos[..qpos.len() - 6], &minus(palm, object), &minus(palm, target), &minus(object, target)],
        );
    }
}
