//! Differential inverse kinematics (`ogbench/manipspace/controllers/diff_ik.py`): damped least squares.

use super::pose::{Pose, Rotation};
use anyhow::{Context, Result};
use mujoco::{Data, Model};
use std::sync::Arc;

/// Joints of the arm.
pub(super) const JOINTS: usize = 6;

const DAMPING: f64 = 1e-12;
const MAX_ANGLE_CHANGE: f64 = std::f64::consts::FRAC_PI_4;
const MAX_ITERATIONS: u32 = 20;
/// Of the position in metres, and of the rotation in radians.
const TOLERANCE: f64 = 1e-4;

/// The arm alone, whose flange is to be moved somewhere.
pub(super) struct InverseKinematics {
    data: Data,
    flange: usize,
}

impl InverseKinematics {
    pub(super) fn new(arm: &Arc<Model>) -> Result<Self> {
        let flange =
            arm.site_id("attachment_site").context("the arm's model has no site `attachment_site`")?;
        Ok(Self { data: Data::new(arm)?, flange })
    }

    /// Joint angles near `start` that bring the flange to `target`.
    pub(super) fn solve(&mut self, target: &Pose, start: &[f64]) -> [f64; JOINTS] {
        self.data.qpos_mut().copy_from_slice(start);
        for _ in 0..MAX_ITERATIONS {
            self.data.kinematics();
            self.data.com_pos();
            let error = self.error(target);
            let (position, rotation) = error.split_at(3);
            if norm(position) <= TOLERANCE && norm(rotation) <= TOLERANCE {
                break;
            }
            let mut update = damped_least_squares(&self.data.jac_site(self.flange), error);
            let largest = update.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            if largest > MAX_ANGLE_CHANGE {
                update.iter_mut().for_each(|x| *x *= MAX_ANGLE_CHANGE / largest);
            }
            self.data.integrate_pos(&update, 1.0);
        }
        std::array::from_fn(|joint| self.data.qpos()[joint])
    }

    /// How far the flange is off, in position and in rotation.
    fn error(&self, target: &Pose) -> [f64; 6] {
        let position = &self.data.site_xpos()[3 * self.flange..];
        let rotation =
            target.rotation.after(Rotation(self.data.site_quat(self.flange)).inverse()).to_vector();
        std::array::from_fn(|i| if i < 3 { target.translation[i] - position[i] } else { rotation[i - 3] })
    }
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Jᵀ (J Jᵀ + damping)⁻¹ `error`; `jacobian` is J row by row.
fn damped_least_squares(jacobian: &[f64], error: [f64; 6]) -> [f64; JOINTS] {
    let entry = |row: usize, joint: usize| jacobian[row * JOINTS + joint];
    let mut normal = [[0.0; 6]; 6];
    for (i, row) in normal.iter_mut().enumerate() {
        for (j, x) in row.iter_mut().enumerate() {
            *x = (0..JOINTS).map(|joint| entry(i, joint) * entry(j, joint)).sum();
        }
        row[i] += DAMPING;
    }
    let y = solve(normal, error);
    std::array::from_fn(|joint| (0..6).map(|row| entry(row, joint) * y[row]).sum())
}

/// Solves `a x = b` by Gaussian elimination with partial pivoting.
fn solve(mut a: [[f64; 6]; 6], mut b: [f64; 6]) -> [f64; 6] {
    for column in 0..6 {
        let largest = |&i: &usize, &j: &usize| a[i][column].abs().total_cmp(&a[j][column].abs());
        let pivot = (column..6).max_by(largest).unwrap_or(column);
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in column + 1..6 {
            let factor = a[row][column] / a[column][column];
            let pivot = a[column];
            a[row].iter_mut().zip(pivot).for_each(|(x, p)| *x -= factor * p);
            b[row] -= factor * b[column];
        }
    }
    for row in (0..6).rev() {
        let known: f64 = (row + 1..6).map(|k| a[row][k] * b[k]).sum();
        b[row] = (b[row] - known) / a[row][row];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_whatever_its_order() {
        // Rows of a permuted, well-conditioned matrix.
        let a: [[f64; 6]; 6] = std::array::from_fn(|i| {
            std::array::from_fn(|j| f64::from((i + 2) % 6 == j) + 0.1 * ((i * j) as f64).sin())
        });
        let x = [1.0, -2.0, 3.0, 0.5, 0.0, 7.0];
        let b = std::array::from_fn(|i| (0..6).map(|j| a[i][j] * x[j]).sum());
        let found = solve(a, b);
        assert!(found.iter().zip(x).all(|(found, x)| (found - x).abs() < 1e-13), "{found:?}");
    }
}
