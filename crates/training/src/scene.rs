//! What a policy from state and latent does in one state of its data.

use agents::{OneStep, route};
use anyhow::Result;
use datasets::Replay;
use experiment::{Scene, Spot};
use streams::Stream;

/// Draws of the policy.
const DRAWS: usize = 64;
/// Grid points on a side.
const SIDE: usize = 33;
/// The state is the same for every run on a data set.
const SEED: u64 = 0;

/// A picture's worth of `agent`: in a state of `data`, in the plane of the two coordinates in which the data's actions vary
/// most. The first `candidates` draws are those among which training would choose. Nothing where actions are of one
/// number.
pub(crate) fn scene(
    agent: &dyn OneStep,
    data: &Replay,
    candidates: usize,
    limit: f64,
) -> Result<Option<Scene>> {
    let mut stream = Stream::new(SEED, "scene");
    let state = data.transition(stream.index(data.len()));
    let Some(plane) = plane(data) else { return Ok(None) };
    let spots = |actions: &[f32]| -> Result<Vec<Spot>> {
        let values = agent.values(state.observation, actions)?;
        let actions = actions.chunks_exact(state.action.len());
        Ok(actions.zip(values).map(|(a, value)| Spot { at: plane.map(|i| a[i]), value }).collect())
    };
    let at = |i: usize| (limit * (2.0 * i as f64 / (SIDE - 1) as f64 - 1.0)) as f32;
    let mut grid = state.action.repeat(SIDE * SIDE);
    for (i, action) in grid.chunks_exact_mut(state.action.len()).enumerate() {
        (action[plane[0]], action[plane[1]]) = (at(i % SIDE), at(i / SIDE));
    }
    let actions = agent.draws(state.observation, DRAWS.max(candidates), &mut stream)?;
    let dims = state.action.len();
    let competing: Vec<Vec<f32>> = actions.chunks_exact(dims).take(candidates).map(<[f32]>::to_vec).collect();
    let mut draws = spots(&actions)?;
    let mut candidates: Vec<Spot> = draws.drain(..candidates).collect();
    let winner = (!candidates.is_empty()).then(|| {
        let winner = route(&competing, state.action, dims).winners[0];
        candidates.remove(winner)
    });
    Ok(Some(Scene {
        plane: plane.map(|i| i + 1),
        data: spots(state.action)?[0],
        winner,
        candidates,
        draws,
        grid: spots(&grid)?,
    }))
}

/// The two coordinates in which actions vary most, in their order.
fn plane(data: &Replay) -> Option<[usize; 2]> {
    let dims = data.transition(0).action.len();
    let variance = |i: usize| {
        let all = || (0..data.len()).map(|row| f64::from(data.transition(row).action[i]));
        let mean = all().sum::<f64>() / data.len() as f64;
        all().map(|a| (a - mean).powi(2)).sum::<f64>()
    };
    let mut order: Vec<(f64, usize)> = (0..dims).map(|i| (variance(i), i)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut plane = [order.first()?.1, order.get(1)?.1];
    plane.sort_unstable();
    Some(plane)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws are uniform, and an action is worth its first number.
    struct Fake(usize);

    impl OneStep for Fake {
        fn draws(&self, _observation: &[f32], count: usize, stream: &mut Stream) -> Result<Vec<f32>> {
            Ok((0..count * self.0).map(|_| stream.uniform_in(-1.0, 1.0) as f32).collect())
        }

        fn values(&self, _observation: &[f32], actions: &[f32]) -> Result<Vec<f32>> {
            Ok(actions.chunks_exact(self.0).map(|a| a[0]).collect())
        }
    }

    /// Actions vary most in the third number, then in the first.
    fn data(dims: usize) -> Replay {
        let mut replay = Replay::new((1, dims), 50);
        for i in 0..50 {
            let wave = if i % 2 == 0 { 1.0 } else { -1.0 };
            let action: Vec<f32> = [0.5, 0.1, 0.9].iter().take(dims).map(|scale| scale * wave).collect();
            replay.push(&[i as f32], &action, 0.0, false, &[i as f32 + 1.0]);
        }
        replay
    }

    #[test]
    fn a_scene_has_all_candidates_and_a_grid_over_the_limits() {
        for candidates in [0, 1, 16, 64, 80] {
            let scene = scene(&Fake(3), &data(3), candidates, 2.0).unwrap().unwrap();
            assert_eq!(scene.plane, [1, 3]);
            assert_eq!(scene.winner.is_some(), candidates > 0);
            assert_eq!(scene.candidates.len(), candidates.saturating_sub(1));
            assert_eq!(scene.draws.len(), DRAWS.max(candidates) - candidates);
            assert_eq!((scene.side(), scene.grid[0].at), (SIDE, [-2.0, -2.0]));
            let last = scene.grid[SIDE * SIDE - 1];
            assert_eq!((last.at, last.value), ([2.0, 2.0], 2.0));
            assert_eq!(Scene::parse("scene.csv", &scene.to_csv()).unwrap(), scene);
        }
        assert_eq!(scene(&Fake(1), &data(1), 4, 1.0).unwrap(), None);
    }
}
