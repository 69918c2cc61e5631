//! Manipulation (`ogbench/manipspace`): a UR5e arm with a Robotiq 2F-85 gripper over a table.
//!
//! An action moves the gripper relative to where it is: x, y, z, yaw and opening. The pose that it asks for is kept
//! within the workspace, turned into joint angles by inverse kinematics, and held by the joints' servos for 0.05 s.

mod arm;
pub(super) mod cube;
mod ik;
pub mod layout;
mod model;
mod pose;
pub(super) mod puzzle;
pub(super) mod scene;

use crate::tasks::Task;

pub(crate) fn tasks() -> impl Iterator<Item = Task> {
    cube::tasks().chain(puzzle::tasks()).chain(scene::tasks())
}
