//! D4RL 1.1's tasks, by the names of its data sets.
//!
//! D4RL ran them on MuJoCo 2 through mujoco-py; here they run on 3.2.7, so its states follow other trajectories than
//! D4RL's own, by small differences at each step (`docs/environments.md`).

mod adroit;
mod antmaze;
mod locomotion;

pub(crate) use antmaze::maze;

use crate::tasks::Task;

pub(crate) const PACKAGE: &str = "d4rl 1.1";

/// All of them.
pub(crate) fn tasks() -> impl Iterator<Item = Task> {
    antmaze::tasks().chain(locomotion::tasks()).chain(adroit::tasks())
}

/// `NormalizedBoxEnv`: an action on ±1 to one on ±`limit`, clipped, rounded as NumPy does.
pub(crate) fn scaled(action: f64, limit: f64) -> f64 {
    (-limit + (action + 1.0) * 0.5 * (limit - -limit)).clamp(-limit, limit)
}

/// [`scaled`] in single precision, which is what it is computed in for a policy's action.
pub(crate) fn scaled_f32(action: f32, limit: f32) -> f32 {
    (-limit + (action + 1.0) * 0.5 * (limit - -limit)).clamp(-limit, limit)
}

/// `REF_MIN_SCORE` and `REF_MAX_SCORE` of `d4rl/infos.py` for a task whose name begins with `family`: the mean return of
/// a uniform random policy, and of an expert. They are the same for every data set of a family.
pub(crate) fn reference_returns(family: &str) -> Option<[f64; 2]> {
    Some(match family {
        "antmaze" => [0.0, 1.0],
        "halfcheetah" => [-280.178953, 12135.0],
        "hopper" => [-20.272305, 3234.3],
        "walker2d" => [1.629008, 4592.3],
        "pen" => [96.262799, 3076.8331017826877],
        "hammer" => [-274.856578, 12794.134825156867],
        "door" => [-56.512833, 2880.5693087298737],
        "relocate" => [-6.425911, 4233.877797728884],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `report` has these numbers too, for anybody's scores, and cannot take them from here: it links no simulator.
    #[test]
    fn reference_returns_are_those_that_scores_are_normalised_by() {
        let text = include_str!("../../../report/src/scores/normalise.toml");
        for task in tasks() {
            let family = task.spec.id.split('-').next().unwrap_or_default();
            let Some([min, max]) = task.spec.reference_returns else { panic!("{}", task.spec.id) };
            let line = format!("{{ name = \"{family}\", family = true, min = {min:?}, max = {max:?} }}");
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn actions_are_clipped_after_they_are_scaled() {
        assert_eq!(
            [-2.0, -1.0, 0.0, 0.5, 1.0, 9.0].map(|a| scaled(a, 30.0)),
            [-30.0, -30.0, 0.0, 15.0, 30.0, 30.0]
        );
        // What is tiny beside 1 is lost in single precision.
        assert_eq!(scaled_f32(1e-9, 1.0), 0.0);
    }
}
