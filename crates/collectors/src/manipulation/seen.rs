//! What an oracle sees of the scene.

use envs::manipulation::{CUBE, DRAWER, SEEN_OF_ARM, SEEN_OF_BUTTON, SEEN_OF_CUBE, WINDOW};
use envs::{Env as _, MujocoEnv};
use std::f64::consts::{PI, TAU};

/// How far the package's marks of where handles should be lie above the handles.
const ABOVE_HANDLE: f64 = 1e-4;

/// A place, and a rotation about the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    pub(super) position: [f64; 3],
    pub(super) yaw: f64,
}

impl Pose {
    /// So far above it.
    pub(super) fn above(self, z: f64) -> Self {
        let [x, y, own] = self.position;
        Self { position: [x, y, own + z], ..self }
    }
}

/// The scene as it is.
pub(super) struct Seen<'a> {
    pub(super) env: &'a MujocoEnv,
    pub(super) cubes: usize,
}

impl Seen<'_> {
    /// The gripper: between its fingers.
    pub(super) fn gripper(&self) -> Pose {
        let seen = self.env.observation();
        let position = [0.1 * seen[12] + 0.425, 0.1 * seen[13], 0.1 * seen[14]];
        Pose { position, yaw: libm::atan2(seen[16], seen[15]) }
    }

    /// How far it is closed, 0 to 1: the package calls it opening.
    pub(super) fn opening(&self) -> f64 {
        self.env.observation()[17] / 3.0
    }

    /// How hard a finger presses on something, 0 to 1.
    pub(super) fn contact(&self) -> f64 {
        self.env.observation()[18]
    }

    pub(super) fn cube(&self, cube: usize) -> Pose {
        let qpos = &self.env.qpos()[CUBE + 7 * cube..];
        let seen = &self.env.observation()[SEEN_OF_ARM + SEEN_OF_CUBE * cube..];
        Pose { position: [qpos[0], qpos[1], qpos[2]], yaw: libm::atan2(seen[8], seen[7]) }
    }

    /// 0 or 1.
    pub(super) fn button_state(&self, button: usize) -> f64 {
        self.env.observation()[SEEN_OF_ARM + SEEN_OF_CUBE * self.cubes + SEEN_OF_BUTTON * button + 1]
    }

    /// The top of a button. The package turns the gripper by as many radians as the button's x is metres; so do we.
    pub(super) fn button(&self, button: usize) -> Pose {
        let position = self.site(&format!("btntop_{button}"));
        Pose { position, yaw: position[0] }
    }

    pub(super) fn drawer(&self) -> f64 {
        self.env.qpos()[DRAWER]
    }

    pub(super) fn window(&self) -> f64 {
        self.env.qpos()[WINDOW]
    }

    pub(super) fn drawer_handle(&self) -> Pose {
        self.handle("drawer_handle_center")
    }

    pub(super) fn window_handle(&self) -> Pose {
        self.handle("window_handle_center")
    }

    /// The drawer's handle where the drawer is at `target`: it slides along its own y, which is nearly −y of the room.
    pub(super) fn drawer_handle_at(&self, target: f64) -> [f64; 3] {
        let [x, y, z] = self.drawer_handle().position;
        let matrix = self.site_matrix("drawer_handle_center");
        let way = target - self.drawer();
        [x + way * matrix[1], y + way * matrix[4], z + ABOVE_HANDLE]
    }

    /// The window's handle where the window is at `target`: it slides along x.
    pub(super) fn window_handle_at(&self, target: f64) -> [f64; 3] {
        let [x, y, z] = self.window_handle().position;
        [x + target - self.window(), y, z + ABOVE_HANDLE]
    }

    pub(super) fn is_in_drawer(&self, place: [f64; 3]) -> bool {
        let y = self.drawer_handle().position[1];
        let (low, high) = ([0.21, y - 0.27, 0.0], [0.45, y - 0.07, 0.15]);
        (0..3).all(|i| low[i] <= place[i] && place[i] <= high[i])
    }

    fn handle(&self, name: &str) -> Pose {
        let matrix = self.site_matrix(name);
        Pose { position: self.site(name), yaw: libm::atan2(matrix[3], matrix[0]) }
    }

    fn site(&self, name: &str) -> [f64; 3] {
        let places = &self.env.data().site_xpos()[3 * self.site_id(name)..];
        [places[0], places[1], places[2]]
    }

    /// Its rotation, row by row.
    fn site_matrix(&self, name: &str) -> &[f64] {
        &self.env.data().site_xmat()[9 * self.site_id(name)..][..9]
    }

    fn site_id(&self, name: &str) -> usize {
        self.env.data().model().site_id(name).unwrap_or_else(|| panic!("the scene has no site `{name}`"))
    }
}

/// The nearest to `yaw` of `object` and what looks like it, `n` to a turn. `object` is taken from 0 to 2π, as the
/// package does where it plans.
pub(super) fn nearest_yaw(yaw: f64, object: f64, n: i32) -> f64 {
    let candidates = (-n..=n).map(|i| f64::from(i) * TAU / f64::from(n) + object);
    let distance = |candidate: f64| (yaw - candidate).abs();
    candidates.min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap_or(object)
}

/// From 0 to 2π.
pub(super) fn positive(yaw: f64) -> f64 {
    if yaw < 0.0 { yaw + TAU } else { yaw }
}

/// From −π to π.
pub(super) fn wrapped(yaw: f64) -> f64 {
    yaw - TAU * libm::floor((yaw + PI) / TAU)
}

pub(super) fn difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

pub(super) fn norm(a: &[f64]) -> f64 {
    libm::sqrt(a.iter().map(|x| x * x).sum())
}

pub(super) fn apart(a: &[f64], b: &[f64]) -> f64 {
    libm::sqrt(a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the package's oracles, with the goal's yaw as it tells it: from −π to π.
    #[test]
    fn the_nearest_of_four_looks_is_taken() {
        let near = |yaw: f64, object: f64, n: i32| nearest_yaw(yaw * PI, wrapped(object * PI), n) / PI;
        assert!((near(-0.8, 1.9, 4) - -0.6).abs() < 1e-12);
        assert!((near(0.9, -0.9, 4) - 1.1).abs() < 1e-12);
        assert!((near(0.3, 0.9, 2) - -0.1).abs() < 1e-12);
        assert_eq!(positive(-0.5), TAU - 0.5);
    }
}
