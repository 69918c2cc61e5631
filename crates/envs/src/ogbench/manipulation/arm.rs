//! The arm and the gripper: how an action moves them, and what is seen of them
//! (`ogbench/manipspace/envs/manipspace_env.py`).

use super::ik::{InverseKinematics, JOINTS};
use super::layout::ACTION;
use super::model::Parts;
use super::pose::{Pose, Rotation};
use crate::Action;
use anyhow::{Context, Result};
use mujoco::{Data, Model};
use state::Archive;
use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::Arc;
use streams::Stream;

/// What is seen of places is from here, and scaled.
const CENTRE: [f64; 3] = [0.425, 0.0, 0.0];
const SCALE: f64 = 10.0;

const ACTION_RANGE: [f64; ACTION] = [0.05, 0.05, 0.05, 0.3, 1.0];
const WORKSPACE: [[f64; 3]; 2] = [[0.25, -0.35, 0.02], [0.6, 0.35, 0.35]];
const HOME: [f64; JOINTS] = [-FRAC_PI_2, -FRAC_PI_2, FRAC_PI_2, -FRAC_PI_2, -FRAC_PI_2, 0.0];
/// Of the gripper when it points downwards.
const DOWN: Rotation = Rotation([0.0, 1.0, 0.0, 0.0]);
/// The gripper's joint angle when it is shut.
const SHUT: f64 = 0.8;
/// Stiffness and damping of the joints' servos. The package writes the damping to the gain, where it does nothing, and
/// leaves the model's own; so do we.
const STIFFNESS: [f64; JOINTS] = [4500.0, 4500.0, 4500.0, 2000.0, 2000.0, 500.0];
const DAMPING: [f64; JOINTS] = [450.0, 450.0, 450.0, 200.0, 200.0, 50.0];
/// The gripper's actuator comes after those of the joints, and its first joint too.
const GRIPPER: usize = JOINTS;

pub(super) struct Arm {
    inverse_kinematics: InverseKinematics,
    pinch: usize,
    right_pad: usize,
    /// The flange as seen from the pinch site.
    flange: Pose,
    /// Where the gripper is as of the last step's kinematics, which an action is relative to: x, y, z and yaw.
    effector: [f64; 4],
}

impl Arm {
    /// Sets the servos of `model`, which no simulation has yet.
    pub(super) fn new(model: &mut Arc<Model>, parts: &Parts) -> Result<Self> {
        let inverse_kinematics = InverseKinematics::new(&parts.compile_arm()?)?;
        let servos = Arc::get_mut(model).context("the model is shared")?;
        for joint in 0..JOINTS {
            servos.actuator_gain_mut(joint)[0] = STIFFNESS[joint];
            servos.actuator_gain_mut(joint)[2] = -DAMPING[joint];
            servos.actuator_bias_mut(joint)[1] = -STIFFNESS[joint];
        }
        let site =
            |name: &str| model.site_id(name).with_context(|| format!("the scene has no site `{name}`"));
        let (pinch, flange) = (site("ur5e/robotiq/pinch")?, site("ur5e/attachment_site")?);
        let right_pad = model.body_id("ur5e/robotiq/right_pad").context("the scene has no right pad")?;
        let mut data = Data::new(model)?;
        data.forward();
        let flange = pose(&data, pinch).inverse().times(pose(&data, flange));
        Ok(Self { inverse_kinematics, pinch, right_pad, flange, effector: [0.0; 4] })
    }

    /// Places the gripper at random between two corners, open and pointing downwards.
    pub(super) fn begin(&mut self, data: &mut Data, stream: &mut Stream, [low, high]: &[[f64; 3]; 2]) {
        let translation = std::array::from_fn(|i| stream.uniform_in(low[i], high[i]));
        let rotation = Rotation::about_z(stream.uniform_in(-PI, PI)).after(DOWN);
        let target = Pose { rotation, translation }.times(self.flange);
        let joints = self.inverse_kinematics.solve(&target, &HOME);
        data.qpos_mut()[..JOINTS].copy_from_slice(&joints);
    }

    /// Sets the servos' targets.
    pub(super) fn control(&mut self, data: &mut Data, action: Action<'_>) {
        let action: [f64; ACTION] = std::array::from_fn(|i| {
            let on_unit = match action {
                Action::F32(action) => f64::from(0.5 * (action[i] + 1.0)),
                Action::F64(action) => 0.5 * (action[i] + 1.0),
            };
            on_unit * (ACTION_RANGE[i] - -ACTION_RANGE[i]) + -ACTION_RANGE[i]
        });
        let [x, y, z, yaw] = self.effector;
        let position = [x, y, z];
        let translation =
            std::array::from_fn(|i| (position[i] + action[i]).clamp(WORKSPACE[0][i], WORKSPACE[1][i]));
        let asked = Rotation::about_z(action[3]).after(Rotation::about_z(yaw)).after(DOWN.inverse());
        let rotation = Rotation::about_z(asked.yaw().clamp(-PI, PI)).after(DOWN);
        let opening = opening(data);
        let target = Pose { rotation, translation }.times(self.flange);
        let joints = self.inverse_kinematics.solve(&target, &data.qpos()[..JOINTS]);
        data.ctrl_mut()[..JOINTS].copy_from_slice(&joints);
        data.ctrl_mut()[GRIPPER] = 255.0 * (opening + action[4]).clamp(0.0, 1.0);
    }

    /// Fills in [`super::layout::SEEN_OF_ARM`] numbers.
    pub(super) fn observe(&mut self, data: &Data, seen: &mut [f64]) {
        let Pose { rotation, translation: [x, y, z] } = pose(data, self.pinch);
        let yaw = rotation.yaw();
        self.effector = [x, y, z, yaw];
        seen[..6].copy_from_slice(&data.qpos()[..JOINTS]);
        seen[6..12].copy_from_slice(&data.qvel()[..JOINTS]);
        seen[12..15].copy_from_slice(&scaled([x, y, z]));
        seen[15..17].copy_from_slice(&[yaw.cos(), yaw.sin()]);
        seen[17] = 3.0 * opening(data);
        let force = &data.cfrc_ext()[6 * self.right_pad..6 * (self.right_pad + 1)];
        seen[18] = (force.iter().map(|x| x * x).sum::<f64>().sqrt() / 50.0).clamp(0.0, 1.0);
    }

    pub(super) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("effector", &mut self.effector[..])
    }
}

/// A place as it is seen.
pub(super) fn scaled(place: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| (place[i] - CENTRE[i]) * SCALE)
}

fn opening(data: &Data) -> f64 {
    (data.qpos()[GRIPPER] / SHUT).clamp(0.0, 1.0)
}

fn pose(data: &Data, site: usize) -> Pose {
    let translation = std::array::from_fn(|i| data.site_xpos()[3 * site + i]);
    Pose { rotation: Rotation(data.site_quat(site)), translation }
}
