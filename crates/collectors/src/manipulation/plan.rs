//! Oracles that follow a plan (`ogbench/manipspace/oracles/plan`): key frames, straight lines between them, and noise that
//! lasts over a few steps.

use super::seen::{Pose, Seen, difference, nearest_yaw, norm, positive, wrapped};
use super::{ACTION, Oracle, Target};
use streams::Stream;

/// Seconds between key frames, roughly, and of a control step.
const SEGMENT: f64 = 0.4;
const STEP: f64 = 0.05;
/// What an action's entries of ±1 mean.
const RANGE: [f64; ACTION] = [0.05, 0.05, 0.05, 0.3, 1.0];
/// Noise, in units of an action's range, and over how many steps it is smoothed.
const NOISE: f64 = 0.1;
const SMOOTHING: f64 = 0.5;

/// Gives a number between two.
type Draw<'a> = &'a mut dyn FnMut(f64, f64) -> f64;

/// Where the gripper is to be at a time, and how far closed.
#[derive(Clone, Copy, Debug)]
struct Key {
    time: f64,
    pose: Pose,
    grasp: f64,
}

pub(super) struct PlanOracle {
    /// x, y, z, yaw and opening at each control step.
    plan: Vec<[f64; ACTION]>,
    step: usize,
    is_done: bool,
}

impl PlanOracle {
    pub(super) fn new(
        seen: &Seen<'_>,
        target: Target,
        rest: Pose,
        always_closed: bool,
        stream: &mut Stream,
    ) -> Self {
        let draw = &mut |low, high| stream.uniform_in(low, high);
        let mut planned = Self::without_noise(seen, target, rest, always_closed, draw);
        add_noise(&mut planned.plan, stream);
        planned
    }

    /// The same without noise; `draw` gives a number between two.
    pub(super) fn without_noise(
        seen: &Seen<'_>,
        target: Target,
        rest: Pose,
        always_closed: bool,
        draw: Draw<'_>,
    ) -> Self {
        let keys = match target {
            Target::Cube(cube, goal) => cube_keys(seen, seen.cube(cube), goal, rest, draw),
            Target::Button(button, _) => button_keys(seen, seen.button(button), rest, always_closed, draw),
            Target::Drawer(to) => {
                handle_keys(seen, seen.drawer_handle(), seen.drawer_handle_at(to), 0.12, rest, draw)
            }
            Target::Window(to) => {
                handle_keys(seen, seen.window_handle(), seen.window_handle_at(to), 0.06, rest, draw)
            }
        };
        Self { plan: interpolated(&keys), step: 0, is_done: false }
    }
}

impl Oracle for PlanOracle {
    fn act(&mut self, seen: &Seen<'_>) -> [f64; ACTION] {
        let last = self.plan.len() - 1;
        self.is_done |= self.step >= last;
        let wanted = self.plan[self.step.min(last)];
        self.step += 1;
        let Pose { position: [x, y, z], yaw } = seen.gripper();
        let is = [x, y, z, yaw, seen.opening()];
        std::array::from_fn(|i| (wanted[i] - is[i]) / RANGE[i])
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Gives key frames their times: each lasts so many segments, and each time is moved by up to `jitter` segments.
fn timed(frames: &[(f64, Pose, f64)], jitter: f64, draw: Draw<'_>) -> Vec<Key> {
    let mut end = 0.0;
    let mut keys = Vec::new();
    for (number, &(segments, pose, grasp)) in frames.iter().enumerate() {
        end += SEGMENT * segments;
        let moved = if number == 0 { 0.0 } else { draw(-1.0, 1.0) * SEGMENT * jitter };
        keys.push(Key { time: end + moved, pose, grasp });
    }
    keys
}

fn cube_keys(seen: &Seen<'_>, cube: Pose, goal: Pose, rest: Pose, draw: Draw<'_>) -> Vec<Key> {
    let from = seen.gripper();
    let pick = Pose { yaw: nearest_yaw(positive(from.yaw), positive(cube.yaw), 4), ..cube };
    let over_pick = pick.above(0.1 + draw(0.0, 0.1));
    let place = Pose { yaw: nearest_yaw(positive(wrapped(pick.yaw)), positive(goal.yaw), 4), ..goal };
    let over_place = place.above(0.1 + draw(0.0, 0.1));
    let mut between = halfway(over_pick, over_place);
    between.position[2] = from.position[2];
    for (x, [low, high]) in between.position.iter_mut().zip([[-0.1, 0.1], [-0.1, 0.1], [0.0, 0.2]]) {
        *x += draw(low, high);
    }
    timed(
        &[
            (0.0, from, 0.0),
            (1.0, over_pick, 0.0),
            (1.5, pick, 0.0),
            (1.0, pick, 1.0),
            (1.0, over_pick, 1.0),
            (1.0, between, 1.0),
            (1.0, over_place, 1.0),
            (1.5, place, 1.0),
            (1.0, place, 0.0),
            (1.0, over_place, 0.0),
            (1.0, rest, 0.0),
        ],
        0.2,
        draw,
    )
}

fn button_keys(seen: &Seen<'_>, button: Pose, rest: Pose, always_closed: bool, draw: Draw<'_>) -> Vec<Key> {
    let from = seen.gripper();
    let (over, pressed) = (button.above(0.06), button.above(-0.025));
    let distance = norm(&difference(from.position, over.position));
    let open = if always_closed { 1.0 } else { 0.0 };
    timed(
        &[
            (0.0, from, open),
            (0.5 + 4.0 * distance, over, 1.0),
            (0.8, pressed, 1.0),
            (0.8, over, 1.0),
            (1.25, rest, open),
        ],
        0.1,
        draw,
    )
}

/// Of a drawer or a window, whose handle is grasped from so far above.
fn handle_keys(
    seen: &Seen<'_>,
    handle: Pose,
    to: [f64; 3],
    above: f64,
    rest: Pose,
    draw: Draw<'_>,
) -> Vec<Key> {
    let from = seen.gripper();
    let grasped = Pose { yaw: nearest_yaw(positive(from.yaw), positive(handle.yaw), 2), ..handle };
    let moved = Pose { position: to, ..grasped };
    timed(
        &[
            (0.0, from, 0.0),
            (1.0, grasped.above(above), 0.0),
            (0.5, grasped, 0.0),
            (0.5, grasped, 1.0),
            (0.5, moved, 1.0),
            (0.5, moved, 0.0),
            (0.5, moved.above(above), 0.0),
            (1.0, rest, 0.0),
        ],
        0.1,
        draw,
    )
}

/// The middle of the screw motion from `a` to `b`, as the package interpolates poses: an arc, where the yaw changes.
fn halfway(a: Pose, b: Pose) -> Pose {
    let angle = wrapped(b.yaw - a.yaw);
    let [dx, dy, dz] = difference(b.position, a.position);
    // The half way p of an arc that turns by θ and goes to d: p (1 + e^{iθ/2}) = d, in the frame of its start, whose
    // rotation commutes.
    let (re, im) = (1.0 + libm::cos(0.5 * angle), libm::sin(0.5 * angle));
    let square = re * re + im * im;
    let (px, py) = ((dx * re + dy * im) / square, (dy * re - dx * im) / square);
    let [x, y, z] = a.position;
    Pose { position: [x + px, y + py, z + 0.5 * dz], yaw: wrapped(a.yaw + 0.5 * angle) }
}

/// The plan at every control step.
fn interpolated(keys: &[Key]) -> Vec<[f64; ACTION]> {
    let end = keys.last().map_or(0.0, |key| key.time);
    let (mut plan, mut t, mut segment) = (Vec::new(), 0.0, 0);
    while t < end {
        while keys[segment + 1].time <= t {
            segment += 1;
        }
        let (a, b) = (keys[segment], keys[segment + 1]);
        let share = (t - a.time) / (b.time - a.time);
        let between = |a: f64, b: f64| a + share * (b - a);
        let [x, y, z] = std::array::from_fn(|i| between(a.pose.position[i], b.pose.position[i]));
        let yaw = wrapped(a.pose.yaw + share * wrapped(b.pose.yaw - a.pose.yaw));
        plan.push([x, y, z, yaw, between(a.grasp, b.grasp)]);
        t += STEP;
    }
    plan
}

/// Normal noise, smoothed over time by a Gaussian that is cut after two steps and mirrored at the ends (SciPy's
/// `gaussian_filter1d`).
fn add_noise(plan: &mut [[f64; ACTION]], stream: &mut Stream) {
    let raw: Vec<[f64; ACTION]> =
        plan.iter().map(|_| std::array::from_fn(|i| NOISE * RANGE[i] * stream.normal())).collect();
    let n = raw.len() as isize;
    let radius = (4.0 * SMOOTHING + 0.5) as isize;
    let weight = |offset: isize| libm::exp(-0.5 * (offset * offset) as f64 / (SMOOTHING * SMOOTHING));
    let sum: f64 = (-radius..=radius).map(weight).sum();
    for (t, wanted) in (0..n).zip(plan) {
        for offset in -radius..=radius {
            let at = (t + offset).rem_euclid(2 * n);
            let at = if at < n { at } else { 2 * n - 1 - at };
            let noise = &raw[at as usize];
            wanted.iter_mut().zip(noise).for_each(|(wanted, noise)| *wanted += weight(offset) / sum * noise);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn pose(position: [f64; 3], yaw: f64) -> Pose {
        Pose { position, yaw }
    }

    #[test]
    fn halfway_is_what_the_package_s_interpolation_gives() {
        // ogbench 1.2.2: lie.interpolate of two SE3 with rotations about z of 0.3 and 1.9.
        let half = halfway(pose([0.4, -0.1, 0.2], 0.3), pose([0.5, 0.25, 0.1], 1.9));
        let expected = [0.523_988_813_279_178_3, 0.053_860_339_063_091_93, 0.15];
        for (found, expected) in half.position.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{half:?}");
        }
        assert!((half.yaw - 1.1).abs() < 1e-12);
        // Without a turn it is the middle.
        let half = halfway(pose([0.0; 3], 0.5), pose([0.2, 0.4, 0.6], 0.5));
        assert_eq!(half.position, [0.1, 0.2, 0.3]);
    }

    #[test]
    fn a_plan_goes_through_its_keys_the_short_way_round() {
        let keys = [
            Key { time: 0.0, pose: pose([0.0; 3], PI - 0.1), grasp: 0.0 },
            Key { time: 0.2, pose: pose([0.4, 0.0, 0.0], -PI + 0.1), grasp: 1.0 },
        ];
        let plan = interpolated(&keys);
        assert_eq!(plan.len(), 4);
        assert!((plan[2][0] - 0.2).abs() < 1e-12 && (plan[2][4] - 0.5).abs() < 1e-12);
        assert!((plan[2][3].abs() - PI).abs() < 1e-9, "{plan:?}");
    }
}
