//! Manipulation (`ogbench/manipspace`): a UR5e arm with a Robotiq 2F-85 gripper over a table.
//!
//! An action moves the gripper relative to where it is: x, y, z, yaw and opening. The pose that it asks for is kept
//! within the workspace, turned into joint angles by inverse kinematics, and held by the joints' servos for 0.05 s.

mod arm;
mod cube;
mod ik;
mod model;
mod pose;
mod puzzle;
mod scene;

use crate::tasks::Task;
pub(super) use scene::{CUBE, DRAWER, WINDOW};

/// How many buttons a scene has.
pub(super) const BUTTONS_OF_SCENE: usize = 2;

pub(crate) fn tasks() -> impl Iterator<Item = Task> {
    cube::tasks().chain(puzzle::tasks()).chain(scene::tasks())
}
