//! Take a hammer and drive a nail into a board.
//!
//! The goal's numbers are where the board hangs; only its height is drawn.

use super::{Hand, at, body, minus, norm, site};
use crate::Action;
use crate::simulated::{Outcome, Rules, concatenate};
use anyhow::Result;
use mujoco::Data;
use streams::Stream;

pub(super) struct Hammer {
    hand: Hand,
    object: usize,
    board: usize,
    /// The board's place in the model.
    board_place: [f64; 3],
    palm: usize,
    tool: usize,
    nail: usize,
    /// Where the nail should be.
    goal: usize,
}

impl Hammer {
    pub(super) fn new(hand: Hand, data: &Data) -> Result<Self> {
        let board = body(data, "nail_board")?;
        Ok(Self {
            hand,
            object: body(data, "Object")?,
            board,
            // It hangs on the world, so its place there is that in the model.
            board_place: at(data.xpos(), board),
            palm: site(data, "S_grasp")?,
            tool: site(data, "tool")?,
            nail: site(data, "S_target")?,
            goal: site(data, "nail_goal")?,
        })
    }
}

impl Rules for Hammer {
    fn begin(&mut self, _: &mut Data, stream: &mut Stream, goal: &mut [f64]) {
        let [x, y, _] = self.board_place;
        goal.copy_from_slice(&[x, y, stream.uniform_in(0.1, 0.25)]);
    }

    fn set_goal(&mut self, data: &mut Data, goal: &[f64]) {
        let board = self.board;
        data.model_mut().body_pos_mut()[3 * board..3 * (board + 1)].copy_from_slice(goal);
    }

    fn step(&mut self, data: &mut Data, action: Action<'_>, _: &[f64]) -> Outcome {
        self.hand.step(data, action);
        let sites = data.site_xpos();
        let object = at(data.xpos(), self.object);
        let (tool, nail) = (at(sites, self.tool), at(sites, self.nail));
        let gap = norm(minus(nail, at(sites, self.goal)));
        let mut reward = -0.1 * norm(minus(at(sites, self.palm), object));
        reward -= norm(minus(tool, nail));
        reward -= 10.0 * gap;
        reward -= 1e-2 * data.qvel().iter().map(|v| v * v).sum::<f64>().sqrt();
        if object[2] > 0.04 && tool[2] > 0.04 {
            reward += 2.0;
        }
        if gap < 0.020 {
            reward += 25.0;
        }
        if gap < 0.010 {
            reward += 75.0;
        }
        Outcome { reward, terminated: false, success: Some(gap < 0.010) }
    }

    fn observe(&mut self, data: &Data, observation: &mut [f64]) {
        let (qpos, qvel) = (data.qpos(), data.qvel());
        let object = &data.xquat()[4 * self.object..4 * (self.object + 1)];
        let velocity: Vec<f64> = qvel[qvel.len() - 6..].iter().map(|v| v.clamp(-1.0, 1.0)).collect();
        // The touch on the nail is the model's first sensor.
        let impact = data.sensordata().first().map_or(0.0, |touch| touch.clamp(-1.0, 1.0));
        concatenate(
            observation,
            &[
                &qpos[..qpos.len() - 6],
                &velocity,
                &at(data.site_xpos(), self.palm),
                &at(data.xpos(), self.object),
                &euler_angles([object[0], object[1], object[2], object[3]]),
                &at(data.site_xpos(), self.nail),
                &[impact],
            ],
        );
    }
}

/// `quat2euler`.
fn euler_angles([w, x, y, z]: [f64; 4]) -> [f64; 3] {
    let scale = 2.0 / (w * w + x * x + y * y + z * z);
    let (xs, ys, zs) = (x * scale, y * scale, z * scale);
    let m00 = 1.0 - (y * ys + z * zs);
    let m01 = x * ys - w * zs;
    let m02 = x * zs + w * ys;
    let m10 = x * ys + w * zs;
    let m11 = 1.0 - (x * xs + z * zs);
    let m12 = y * zs - w * xs;
    let m22 = 1.0 - (x * xs + y * ys);
    let cosine = (m22 * m22 + m12 * m12).sqrt();
    let second = -(-m02).atan2(cosine);
    if cosine > 4.0 * f64::EPSILON {
        [-m12.atan2(m22), second, -m01.atan2(m00)]
    } else {
        [0.0, second, -(-m10).atan2(m11)]
    }
}
