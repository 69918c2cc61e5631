//! Where things are in `qpos` and in what is seen, and what an action holds.

/// Entries of an action: x, y, z, yaw, opening.
pub const ACTION: usize = 5;

/// Numbers of an observation that are of the arm.
pub const SEEN_OF_ARM: usize = 19;
/// Of each cube, after the arm's.
pub const SEEN_OF_CUBE: usize = 9;
/// Of each button, after the cubes'.
pub const SEEN_OF_BUTTON: usize = 4;

/// The first cube in `qpos`, after the arm's and the gripper's joints: x, y, z and its rotation; further ones follow.
pub const CUBE: usize = 14;
/// A scene's drawer in `qpos`; in `qvel` it is one less.
pub const DRAWER: usize = 23;
/// A scene's window in `qpos`, likewise.
pub const WINDOW: usize = 24;
/// Buttons of a scene.
pub const BUTTONS_OF_SCENE: usize = 2;
