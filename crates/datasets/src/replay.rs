//! The replay buffer of online learners.

use anyhow::{Result, ensure};
use diagnostics::BadInput;
use state::Archive;
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
    /// The row from which on all are here: after [`Self::take_settled`] of a buffer whose first rows are gone.
    complete_from: usize,
    /// Rows of `[s | a | r | not terminal | whether s′ is the next row's s]`: one draw touches one place in memory.
    rows: Vec<f32>,
    /// s′ of the row that was pushed last.
    last: Vec<f32>,
    /// s′ of the rows after which an episode was left, by row.
    left: HashMap<usize, Vec<f32>>,
    /// What was done in the s′ of the row that was pushed last, where a data set has it; else empty.
    last_action: Vec<f32>,
    /// The same of the rows after which an episode was left, by row.
    left_actions: HashMap<usize, Vec<f32>>,
}

/// A transition as replay holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition<'a> {
    /// s.
    pub observation: &'a [f32],
    /// a.
    pub action: &'a [f32],
    /// r.
    pub reward: f32,
    /// 0 where the task ended in s′, 1 elsewhere.
    pub not_terminal: f32,
    /// s′.
    pub next_observation: &'a [f32],
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
    /// a′, the data's action in s′, `[size, action]`, for learners that ask for it: see [`Self::with_next_actions`].
    pub next_actions: Option<Vec<f32>>,
}

impl Drawn {
    /// Empty, and for draws of next actions too.
    #[must_use]
    pub fn with_next_actions() -> Self {
        Self { next_actions: Some(Vec::new()), ..Self::default() }
    }

    /// Puts the transitions of `other` after these.
    pub fn append(&mut self, other: &Self) {
        self.observations.extend_from_slice(&other.observations);
        self.actions.extend_from_slice(&other.actions);
        self.rewards.extend_from_slice(&other.rewards);
        self.not_terminal.extend_from_slice(&other.not_terminal);
        self.next_observations.extend_from_slice(&other.next_observations);
        if let (Some(these), Some(those)) = (&mut self.next_actions, &other.next_actions) {
            these.extend_from_slice(those);
        }
    }
}

impl Replay {
    /// An empty buffer for `capacity` transitions.
    #[must_use]
    pub fn new((observation_dim, action_dim): (usize, usize), capacity: usize) -> Self {
        Self {
            observation_dim,
            action_dim,
            capacity,
            pushed: 0,
            complete_from: 0,
            rows: Vec::new(),
            last: Vec::new(),
            left: HashMap::new(),
            last_action: Vec::new(),
            left_actions: HashMap::new(),
        }
    }

    /// Claims the memory of all `capacity` transitions now.
    ///
    /// # Errors
    /// [`BadInput`] when the machine does not give it.
    pub fn reserve(&mut self) -> Result<()> {
        let numbers = self.capacity.saturating_mul(self.width()) - self.rows.len();
        self.rows.try_reserve_exact(numbers).map_err(|_| {
            let message = format!("no memory for {} transitions of {} numbers", self.capacity, self.width());
            BadInput::new(message).help("close other programs, or take a smaller data set").into()
        })
    }

    fn width(&self) -> usize {
        self.observation_dim + self.action_dim + 3
    }

    /// Transitions kept at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The number of the oldest row that is held, numbered from the first push.
    #[must_use]
    pub fn first_held(&self) -> u64 {
        (self.pushed - self.len()) as u64
    }

    /// Rows that will not change until they are overwritten: all but the last. They are numbered from the first push.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.pushed.saturating_sub(1) as u64
    }

    /// The settled rows `rows` as float32 values, for [`Self::take_settled`].
    ///
    /// # Panics
    /// If one of them is overwritten or not settled.
    #[must_use]
    pub fn settled_rows(&self, rows: std::ops::Range<u64>) -> Vec<f32> {
        assert!(rows.end <= self.settled() && rows.start >= self.first_held());
        let mut values = Vec::new();
        for row in rows {
            let index = (row % self.capacity as u64) as usize;
            values.extend_from_slice(self.row(index));
            values.extend(self.left.get(&index).into_iter().flatten());
        }
        values
    }

    /// Takes what [`Self::settled_rows`] gave for `count` rows from `first` on.
    ///
    /// # Errors
    /// If the values are not those of so many rows.
    pub fn take_settled(&mut self, first: u64, count: u64, mut values: &[f32]) -> Result<()> {
        let (width, seen) = (self.width(), self.observation_dim);
        ensure!(first >= self.pushed as u64, "row {first} comes after row {}", self.pushed);
        ensure!(first.checked_add(count).is_some(), "{count} rows from row {first} on are too many");
        self.begin_at(first);
        for _ in 0..count {
            ensure!(values.len() >= width, "rows of {width} numbers end early");
            let (row, rest) = values.split_at(width);
            let goes_on = row[width - 1] > 0.0;
            ensure!(goes_on || rest.len() >= seen, "rows of {width} numbers end early");
            let (left, rest) = rest.split_at(if goes_on { 0 } else { seen });
            let index = self.place(row.iter().copied());
            if !goes_on {
                self.left.insert(index, left.to_vec());
            }
            values = rest;
        }
        ensure!(values.is_empty(), "{} numbers are left over", values.len());
        Ok(())
    }

    /// Takes rows from `row` on, where those before it are gone: they would have been overwritten.
    fn begin_at(&mut self, row: u64) {
        if row > self.pushed as u64 {
            self.rows.resize(self.capacity * self.width(), 0.0);
            self.pushed = row as usize;
            self.complete_from = self.pushed;
        }
    }

    /// Saves or loads what is not settled; before it is loaded, the settled rows have been taken.
    ///
    /// # Errors
    /// If what is loaded does not fit.
    pub fn state(&mut self, archive: &mut Archive) -> Result<()> {
        let mut settled = self.settled();
        archive.item("settled", &mut settled)?;
        let mut row = Vec::new();
        if let Some(last) = self.pushed.checked_sub(1).filter(|_| !archive.is_loading()) {
            row.extend_from_slice(self.row(last % self.capacity));
        }
        archive.item("row", &mut row)?;
        archive.item("last", &mut self.last)?;
        if archive.is_loading() { self.take_last(settled, &row) } else { Ok(()) }
    }

    /// Takes the row that is not settled, after `settled` that are.
    fn take_last(&mut self, settled: u64, row: &[f32]) -> Result<()> {
        if row.is_empty() {
            let is_new = self.pushed == 0 && settled == 0 && self.last.is_empty();
            ensure!(is_new, "the last of {} rows is missing", self.pushed);
            return Ok(());
        }
        if self.capacity == 1 {
            // The last row is all there is.
            self.begin_at(settled);
        }
        let (found, width) = (self.pushed, self.width());
        ensure!(found as u64 == settled && found < usize::MAX, "there are {found} rows instead of {settled}");
        ensure!(row.len() == width && self.last.len() == self.observation_dim, "a row has another width");
        ensure!(row[width - 1] == 0.0, "the last row goes on in one after it");
        self.place(row.iter().copied());
        let held = self.pushed - self.len();
        ensure!(self.complete_from <= held, "rows {held} to {} are missing", self.complete_from);
        Ok(())
    }

    /// Puts a row where it goes, over the oldest if need be, and returns where that is.
    fn place(&mut self, row: impl Iterator<Item = f32>) -> usize {
        let (index, width) = (self.pushed % self.capacity, self.width());
        self.left.remove(&index);
        self.left_actions.remove(&index);
        if self.rows.len() < self.capacity * width {
            self.rows.extend(row);
        } else {
            self.rows[index * width..].iter_mut().zip(row).for_each(|(old, new)| *old = new);
        }
        self.pushed += 1;
        index
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
                if !self.last_action.is_empty() {
                    self.left_actions.insert(previous, self.last_action.clone());
                }
            }
            self.last_action.clear();
        }
        let not_terminal = if terminal { 0.0 } else { 1.0 };
        self.place(s.iter().chain(a).copied().chain([r, not_terminal, 0.0]));
        self.last.clear();
        self.last.extend_from_slice(next_s);
    }

    /// Keeps a′ of the row that was pushed last: what was done in its s′, for where no row of its own follows. It is not
    /// put away by [`Self::state`]: a data set is read anew.
    pub fn end_with(&mut self, a: &[f32]) {
        debug_assert_eq!(a.len(), self.action_dim);
        self.last_action.clear();
        self.last_action.extend_from_slice(a);
    }

    /// Whether the row after this one begins in its s′.
    #[must_use]
    pub fn is_followed(&self, index: usize) -> bool {
        self.row(index)[self.width() - 1] > 0.0
    }

    /// s′ of a row that is held.
    fn next_observation(&self, index: usize) -> &[f32] {
        if self.is_followed(index) {
            return &self.row((index + 1) % self.capacity)[..self.observation_dim];
        }
        self.left.get(&index).unwrap_or(&self.last)
    }

    /// a′ of a row that is held, if it is known.
    fn next_action(&self, index: usize) -> Option<&[f32]> {
        if self.is_followed(index) {
            let next = self.row((index + 1) % self.capacity);
            return Some(&next[self.observation_dim..][..self.action_dim]);
        }
        let was_left = self.left.contains_key(&index);
        let action = if was_left { self.left_actions.get(&index) } else { Some(&self.last_action) };
        action.map(Vec::as_slice).filter(|a| !a.is_empty())
    }

    /// Transitions that go on, and of which a′ is not known.
    #[must_use]
    pub fn without_next_action(&self) -> usize {
        let goes_on = |index: &usize| self.transition(*index).not_terminal > 0.0;
        (0..self.len()).filter(goes_on).filter(|index| self.next_action(*index).is_none()).count()
    }

    /// Draws `size` transitions into `drawn`.
    ///
    /// # Panics
    /// If nothing is held.
    pub fn draw(&self, size: usize, stream: &mut Stream, drawn: &mut Drawn) {
        self.take((0..size).map(|_| stream.index(self.len())), drawn);
    }

    /// Puts all transitions that are held into `drawn`, the oldest first.
    pub fn all(&self, drawn: &mut Drawn) {
        self.take((self.pushed - self.len()..self.pushed).map(|row| row % self.capacity), drawn);
    }

    fn take(&self, indices: impl Iterator<Item = usize>, drawn: &mut Drawn) {
        let Drawn { observations, actions, rewards, not_terminal, next_observations, next_actions } = drawn;
        for buffer in [&mut *observations, actions, rewards, not_terminal, next_observations] {
            buffer.clear();
        }
        next_actions.iter_mut().for_each(Vec::clear);
        for index in indices {
            let transition = self.transition(index);
            observations.extend_from_slice(transition.observation);
            actions.extend_from_slice(transition.action);
            rewards.push(transition.reward);
            not_terminal.push(transition.not_terminal);
            next_observations.extend_from_slice(transition.next_observation);
            if let Some(next_actions) = next_actions {
                // Where the task ended none counts, and any will do; see `without_next_action`.
                next_actions.extend_from_slice(self.next_action(index).unwrap_or(transition.action));
            }
        }
    }

    /// A transition that is held; they are in the order of pushes until the first is overwritten.
    ///
    /// # Panics
    /// If `index` is not below [`Self::len`].
    #[must_use]
    pub fn transition(&self, index: usize) -> Transition<'_> {
        let (observation, row) = self.row(index).split_at(self.observation_dim);
        let (action, row) = row.split_at(self.action_dim);
        let next_observation = self.next_observation(index);
        Transition { observation, action, reward: row[0], not_terminal: row[1], next_observation }
    }

    /// The return of each trajectory, as IQL's authors cut them: after a terminal step, and where the next row does not
    /// begin in s′. The last one may be unfinished.
    #[must_use]
    pub fn returns(&self) -> Vec<f64> {
        let (mut returns, mut sum) = (Vec::new(), 0.0);
        for i in 0..self.len() {
            let step = self.transition(i);
            sum += f64::from(step.reward);
            if step.not_terminal == 0.0 || !self.is_followed(i) {
                returns.push(std::mem::take(&mut sum));
            }
        }
        returns
    }

    /// Puts `change` of each number of the actions in its place.
    pub fn map_actions(&mut self, change: impl Fn(f32) -> f32) {
        let (width, place, count) = (self.width(), self.observation_dim, self.action_dim);
        let actions = self.rows.chunks_exact_mut(width).flat_map(|row| &mut row[place..place + count]);
        actions
            .chain(self.left_actions.values_mut().flatten())
            .chain(&mut self.last_action)
            .for_each(|a| *a = change(*a));
    }

    /// Puts `change` of each reward in its place.
    pub fn map_rewards(&mut self, change: impl Fn(f32) -> f32) {
        let (width, place) = (self.width(), self.observation_dim + self.action_dim);
        self.rows.chunks_exact_mut(width).for_each(|row| row[place] = change(row[place]));
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

    /// At any moment, rows put away as they settle and the rest put away at once make the same buffer again: the same
    /// draws, now and after more pushes.
    #[test]
    fn a_buffer_that_is_put_away_in_pieces_comes_back_whole() {
        for (capacity, seed) in [(1, 0), (2, 1), (5, 2), (7, 3), (64, 4)] {
            let stream = &mut Stream::new(seed, "test");
            let mut replay = Replay::new((2, 1), capacity);
            let mut journal: Vec<(u64, u64, Vec<f32>)> = Vec::new();
            let mut s = [0.0, 0.5];
            for i in 0..120 {
                if stream.index(3) == 0 {
                    let held = replay.first_held();
                    let from = journal.last().map_or(0, |(first, count, _)| first + count).max(held);
                    let rows = replay.settled_rows(from..replay.settled());
                    journal.push((from, replay.settled() - from, rows));
                    let rest = Archive::save(|archive| replay.state(archive)).unwrap();

                    let mut again = Replay::new((2, 1), capacity);
                    // Old rows may have been forgotten, segment by segment.
                    let forgotten = |(first, count, _): &&(u64, u64, Vec<f32>)| first + count <= held;
                    for (first, count, rows) in journal.iter().skip_while(forgotten) {
                        again.take_settled(*first, *count, rows).unwrap();
                    }
                    Archive::load(&rest, |archive| again.state(archive)).unwrap();
                    assert_eq!((again.pushed, &again.last), (replay.pushed, &replay.last));
                    let draw = |replay: &Replay| {
                        let mut drawn = Drawn::default();
                        if !replay.is_empty() {
                            replay.draw(20, &mut Stream::new(i, "replay"), &mut drawn);
                        }
                        drawn
                    };
                    let (found, expected) = (draw(&again), draw(&replay));
                    assert_eq!(found.observations, expected.observations);
                    assert_eq!(found.next_observations, expected.next_observations);
                    assert_eq!(found.not_terminal, expected.not_terminal);
                    replay = again;
                }
                let next = [i as f32 + 1.0, stream.uniform() as f32];
                replay.push(&s, &[0.0], 0.0, stream.index(4) == 0, &next);
                s = if stream.index(3) == 0 { [-(i as f32), 0.25] } else { next };
            }
        }
    }

    /// a′ is the next row's action where that begins in s′, else the one that an episode was said to end with.
    #[test]
    fn next_actions_are_the_datas() {
        let mut replay = Replay::new((1, 1), 8);
        replay.push(&[0.0], &[0.1], 0.0, false, &[1.0]);
        replay.push(&[1.0], &[0.2], 0.0, false, &[2.0]);
        assert_eq!(replay.without_next_action(), 1);
        replay.end_with(&[0.3]);
        assert_eq!(replay.without_next_action(), 0);
        replay.push(&[5.0], &[0.4], 0.0, true, &[6.0]);
        assert_eq!(replay.without_next_action(), 0, "where the task ended none counts");
        replay.map_actions(|a| 10.0 * a);
        let mut drawn = Drawn::with_next_actions();
        replay.all(&mut drawn);
        assert_eq!(drawn.actions, [1.0, 2.0, 4.0]);
        assert_eq!(drawn.next_actions.unwrap(), [2.0, 3.0, 4.0]);
    }

    #[test]
    fn draws_are_uniform_over_what_is_held() {
        let mut replay = Replay::new((1, 1), 5);
        let mut drawn = Drawn::default();
        for i in 0..12 {
            replay.push(&[i as f32], &[0.0], 0.0, false, &[i as f32 + 1.0]);
            replay.all(&mut drawn);
            let held: Vec<f32> = ((i - 4).max(0)..=i).map(|i| i as f32).collect();
            assert_eq!(drawn.observations, held);
            assert!(drawn.next_observations.iter().zip(held).all(|(next, s)| *next == s + 1.0));
        }
        replay.draw(500, &mut Stream::new(0, "replay"), &mut drawn);
        let mut seen = [0; 12];
        drawn.observations.iter().for_each(|x| seen[*x as usize] += 1);
        assert!(seen[..7].iter().all(|&n| n == 0) && seen[7..].iter().all(|&n| n > 60), "{seen:?}");
    }
}
