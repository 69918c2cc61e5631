//! Turn a pen in the hand to a given orientation.
//!
//! The goal's numbers are the target's quaternion.

use super::{Hand, at, body, minus, norm, site};
use crate::simulated::{Outcome, Rules, concatenate};
use crate::{Action, numpy};
use anyhow::Result;
use mujoco::Data;
use streams::Stream;

pub(super) struct Pen {
    hand: Hand,
    object: usize,
    target: usize,
    /// Where the pen should be.
    place: usize,
    /// Sites at the top and at the bottom of the pen, and their distance.
    pen: (usize, usize, f64),
    /// The same of the target.
    wanted: (usize, usize, f64),
}

/// What decides the reward.
struct Look {
    position: [f64; 3],
    off: [f64; 3],
    orientation: [f64; 3],
    wanted: [f64; 3],
}

impl Pen {
    pub(super) fn new(hand: Hand, data: &Data) -> Result<Self> {
        let ends = |of: &str| {
            let (top, bottom) = (site(data, &format!("{of}_top"))?, site(data, &format!("{of}_bottom"))?);
            let length = norm(minus(at(data.site_xpos(), top), at(data.site_xpos(), bottom)));
            Ok::<_, anyhow::Error>((top, bottom, length))
        };
        Ok(Self {
            hand,
            object: body(data, "Object")?,
            target: body(data, "target")?,
            place: site(data, "eps_ball")?,
            pen: ends("object")?,
            wanted: ends("target")?,
        })
    }

    fn look(&self, data: &Data) -> Look {
        let sites = data.site_xpos();
        let direction = |(top, bottom, length): (usize, usize, f64)| {
            minus(at(sites, top), at(sites, bottom)).map(|x| x / length)
        };
        let position = at(data.xpos(), self.object);
        let off = minus(position, at(sites, self.place));
        Look { position, off, orientation: direction(self.pen), wanted: direction(self.wanted) }
    }
}

impl Rules for Pen {
    fn begin(&mut self, _: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        let angles = [stream.uniform_in(-1.0, 1.0), stream.uniform_in(-1.0, 1.0)];
        goal.copy_from_slice(&tilted(angles));
    }

    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        let target = self.target;
        data.model_mut().body_quat_mut()[4 * target..4 * (target + 1)].copy_from_slice(goal);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        self.hand.step(data, action);
        let Look { position, off, orientation, wanted } = self.look(data);
        let distance = norm(off);
        let similarity = numpy::dot(orientation, wanted);
        let mut reward = -distance + similarity;
        if distance < 0.075 && similarity > 0.9 {
            reward += 10.0;
        }
        let success = distance < 0.075 && similarity > 0.95;
        if success {
            reward += 50.0;
        }
        let is_dropped = position[2] < 0.075;
        if is_dropped {
            reward -= 5.0;
        }
        Outcome { reward, terminated: is_dropped, success: Some(success) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let Look { position, off, orientation, wanted } = self.look(data);
        let (qpos, qvel) = (data.qpos(), data.qvel());
        concatenate(
            observation,
            &[
                &qpos[..qpos.len() - 6],
                &position,
                &qvel[qvel.len() - 6..],
                &orientation,
                &wanted,
                &off,
                &minus(orientation, wanted),
            ],
        );
    }
}

/// `euler2quat` of angles about x and y.
fn tilted([x, y]: [f64; 2]) -> [f64; 4] {
    let ((sx, cx), (sy, cy)) = ((x / 2.0).sin_cos(), (-y / 2.0).sin_cos());
    [cy * cx, cy * sx, -(sy * cx), -(sy * sx)]
}
