//! Where tasks end, told by what an agent sees: for models of their dynamics, which predict observations.

use super::ROWS;
use diagnostics::BadInput;

/// Whether a task has ended in a state with this observation, `[observation_dim]`. It is the task's own rule but for
/// what the observation does not hold: velocities that are clipped, and forces.
pub type Termination = fn(&[f32]) -> bool;

/// The termination of the task with this id; needs no simulator.
///
/// # Errors
/// [`BadInput`] when there is no task of Gymnasium's with this id.
pub fn termination(id: &str) -> Result<Termination, BadInput> {
    let row = ROWS.iter().find(|row| row.spec.id == id);
    row.map(|row| row.ends).ok_or_else(|| {
        BadInput::new(format!("task `{id}` has no termination function, which planning with a model needs"))
            .help("Gymnasium's tasks have one: `cargo xtask env list` lists them")
    })
}

pub(super) fn ant(s: &[f32]) -> bool {
    !(0.2..=1.0).contains(&s[0]) || !is_finite(s)
}

pub(super) fn half_cheetah(_: &[f32]) -> bool {
    false
}

pub(super) fn hopper(s: &[f32]) -> bool {
    !(s[0] > 0.7 && s[1].abs() < 0.2 && s[1..].iter().all(|x| x.abs() < 100.0) && is_finite(s))
}

pub(super) fn humanoid(s: &[f32]) -> bool {
    !(s[0] > 1.0 && s[0] < 2.0)
}

pub(super) fn inverted_pendulum(s: &[f32]) -> bool {
    s[1].abs() > 0.2 || !is_finite(s)
}

pub(super) fn walker2d(s: &[f32]) -> bool {
    !(s[0] > 0.8 && s[0] < 2.0 && s[1].abs() < 1.0)
}

fn is_finite(s: &[f32]) -> bool {
    s.iter().all(|x| x.is_finite())
}
