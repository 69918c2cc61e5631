//! The replay buffer of online learners.

use streams::Stream;

/// Transitions in float32, the oldest overwritten when full, drawn uniformly with replacement.
#[derive(Clone, Debug)]
pub struct Replay {
    observation_dim: usize,
    action_dim: usize,
    capacity: usize,
    /// Transitions pushed so far.
    pushed: usize,
    /// Rows of `[s | a | r | not terminal | s′]`: one draw touches one place in memory.
    rows: Vec<f32>,
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
        Self { observation_dim, action_dim, capacity, pushed: 0, rows: Vec::new() }
    }

    fn width(&self) -> usize {
        2 * self.observation_dim + self.action_dim + 2
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
        let not_terminal = if terminal { 0.0 } else { 1.0 };
        let row = s.iter().chain(a).copied().chain([r, not_terminal]).chain(next_s.iter().copied());
        if self.pushed < self.capacity {
            self.rows.extend(row);
        } else {
            let start = self.pushed % self.capacity * self.width();
            self.rows[start..].iter_mut().zip(row).for_each(|(old, new)| *old = new);
        }
        self.pushed += 1;
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
            let row = &self.rows[stream.index(self.len()) * self.width()..][..self.width()];
            let (s, row) = row.split_at(self.observation_dim);
            let (a, row) = row.split_at(self.action_dim);
            observations.extend_from_slice(s);
            actions.extend_from_slice(a);
            rewards.push(row[0]);
            not_terminal.push(row[1]);
            next_observations.extend_from_slice(&row[2..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_overwritten_and_rows_stay_whole() {
        let mut replay = Replay::new((2, 1), 5);
        for i in 0..12 {
            let x = i as f32;
            replay.push(&[x, x + 0.1], &[x + 0.2], x + 0.3, i % 3 == 0, &[x + 0.4, x + 0.5]);
        }
        assert_eq!(replay.len(), 5);
        let mut drawn = Drawn::default();
        replay.draw(400, &mut Stream::new(0, "replay"), &mut drawn);
        let mut seen = [0; 12];
        for k in 0..400 {
            let x = drawn.observations[2 * k];
            seen[x as usize] += 1;
            assert_eq!(drawn.observations[2 * k + 1], x + 0.1);
            assert_eq!((drawn.actions[k], drawn.rewards[k]), (x + 0.2, x + 0.3));
            assert_eq!(drawn.not_terminal[k], if (x as usize).is_multiple_of(3) { 0.0 } else { 1.0 });
            assert_eq!(drawn.next_observations[2 * k..2 * k + 2], [x + 0.4, x + 0.5]);
        }
        assert!(seen[..7].iter().all(|&n| n == 0) && seen[7..].iter().all(|&n| n > 40), "{seen:?}");
    }
}
