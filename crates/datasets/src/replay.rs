//! The replay buffer of online learners.

use std::collections::HashMap;
use streams::Stream;

/// Transitions in float32, the oldest overwritten when full, drawn uniformly with replacement.
///
/// A state is held once: s′ is the next row's s, but for the last row and where an episode was left.
#[derive(Clone, Debug)]
pub struct Replay {
    observation_dim: usize,
    action_dim: usize,
    capacity: usize,
    /// Transitions pushed so far.
    pushed: usize,
    /// Rows of `[s | a | r | not terminal | whether s′ is the next row's s]`: one draw touches one place in memory.
    rows: Vec<f32>,
    /// s′ of the row that was pushed last.
    last: Vec<f32>,
    /// s′ of the rows after which an episode was left, by row.
    left: HashMap<usize, Vec<f32>>,
}

/// A batch drawn from replay, row-major. Its buffers serve again for the next draw.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// s, `[size, observation]`.
    pub observations: Vec<f32>,
    /// a, `[size, action]`.
    pub actions: Vec<f32>,
    /// r, `[size]`.
    pub rewards: Vec<f32>,
    /// 0 where the task ended in s′, 1 elsewhere, `[size]`.
    pub not_terminal: Vec<f32>,
    /// s′, `[size, observation]`.
    pub next_observations: Vec<f32>,
}

impl Replay {
    /// An empty buffer for `capacity` transitions.
    #[must_use]
    pub fn new((observation_dim, action_dim): (usize, usize), capacity: usize) -> Self {
        let (rows, last, left) = (Vec::new(), Vec::new(), HashMap::new());
        Self { observation_dim, action_dim, capacity, pushed: 0, rows, last, left }
    }

    fn width(&self) -> usize {
        self.observation_dim + self.action_dim + 3
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.width()..][..self.width()]
    }

    /// Transitions held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pushed.min(self.capacity)
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// Keeps (s, a, r, s′). `terminal` says that the task ended in s′; a time limit is no end.
    pub fn push(&mut self, s: &[f32], a: &[f32], r: f32, terminal: bool, next_s: &[f32]) {
        debug_assert_eq!((s.len(), a.len(), next_s.len()), (self.observation_dim, self.action_dim, s.len()));
        let width = self.width();
        if let Some(previous) = self.pushed.checked_sub(1) {
            let previous = previous % self.capacity;
            if self.last == s {
                self.rows[(previous + 1) * width - 1] = 1.0;
            } else {
                self.left.insert(previous, self.last.clone());
            }
        }
        let index = self.pushed % self.capacity;
        self.left.remove(&index);
        let not_terminal = if terminal { 0.0 } else { 1.0 };
        let row = s.iter().chain(a).copied().chain([r, not_terminal, 0.0]);
        if self.pushed < self.capacity {
            self.rows.extend(row);
        } else {
            self.rows[index * width..].iter_mut().zip(row).for_each(|(old, new)| *old = new);
        }
        self.last.clear();
        self.last.extend_from_slice(next_s);
        self.pushed += 1;
    }

    /// s′ of a row that is held.
    fn next_observation(&self, index: usize) -> &[f32] {
        if self.row(index)[self.width() - 1] > 0.0 {
            return &self.row((index + 1) % self.capacity)[..self.observation_dim];
        }
        self.left.get(&index).unwrap_or(&self.last)
    }

    /// Draws `size` transitions into `drawn`.
    ///
    /// # Panics
    /// If nothing is held.
    pub fn draw(&self, size: usize, stream: &mut Stream, drawn: &mut Drawn) {
        let Drawn { observations, actions, rewards, not_terminal, next_observations } = drawn;
        for buffer in [&mut *observations, actions, rewards, not_terminal, next_observations] {
            buffer.clear();
        }
        for _ in 0..size {
            let index = stream.index(self.len());
            let (s, row) = self.row(index).split_at(self.observation_dim);
            let (a, row) = row.split_at(self.action_dim);
            observations.extend_from_slice(s);
            actions.extend_from_slice(a);
            rewards.push(row[0]);
            not_terminal.push(row[1]);
            next_observations.extend_from_slice(self.next_observation(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// What is drawn is what was pushed, held against a plain queue of whole transitions, for any mixture of episodes
    /// that go on, end and start anew, and for a buffer of one.
    #[test]
    fn the_oldest_is_overwritten_and_transitions_stay_whole() {
        for (capacity, seed) in [(1, 0), (2, 1), (5, 2), (7, 3), (64, 4)] {
            let stream = &mut Stream::new(seed, "test");
            let mut replay = Replay::new((2, 1), capacity);
            let mut plain = VecDeque::new();
            let mut s = [0.0, 0.5];
            for i in 0..200 {
                let next = [i as f32 + 1.0, stream.uniform() as f32];
                let (a, r, terminal) =
                    (stream.uniform() as f32, stream.uniform() as f32, stream.index(4) == 0);
                replay.push(&s, &[a], r, terminal, &next);
                plain.push_back((s, a, r, if terminal { 0.0 } else { 1.0 }, next));
                if plain.len() > capacity {
                    plain.pop_front();
                }
                // An episode may be left without its end, too.
                s = if stream.index(3) == 0 { [-(i as f32), 0.25] } else { next };

                assert_eq!(replay.len(), plain.len());
                let mut drawn = Drawn::default();
                replay.draw(20, &mut Stream::new(i, "replay"), &mut drawn);
                for k in 0..20 {
                    let observation = [drawn.observations[2 * k], drawn.observations[2 * k + 1]];
                    let next = [drawn.next_observations[2 * k], drawn.next_observations[2 * k + 1]];
                    let found =
                        (observation, drawn.actions[k], drawn.rewards[k], drawn.not_terminal[k], next);
                    assert!(plain.contains(&found), "capacity {capacity}, push {i}: {found:?} of {plain:?}");
                }
            }
            assert!(replay.left.len() <= capacity, "what is overwritten is forgotten");
        }
    }

    #[test]
    fn draws_are_uniform_over_what_is_held() {
        let mut replay = Replay::new((1, 1), 5);
        for i in 0..12 {
            replay.push(&[i as f32], &[0.0], 0.0, false, &[i as f32 + 1.0]);
        }
        let mut drawn = Drawn::default();
        replay.draw(500, &mut Stream::new(0, "replay"), &mut drawn);
        let mut seen = [0; 12];
        drawn.observations.iter().for_each(|x| seen[*x as usize] += 1);
        assert!(seen[..7].iter().all(|&n| n == 0) && seen[7..].iter().all(|&n| n > 60), "{seen:?}");
    }
}
