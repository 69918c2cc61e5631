//! What offline learners draw from, made of a file: (s, a, r, s′) and whether the task ended. In D4RL's and Minari's
//! layouts it ended in s′; of OGBench's a task's label judges s, for reward and end alike.
//!
//! Of D4RL's layout the rules are those of its `qlearning_dataset`: s′ is the next row's s whatever
//! `next_observations` says, a row that time ended has none and is left out, and so is the last row; a terminal row
//! keeps the s′ that it happens to have. In AntMaze `terminals` mark rows at the goal, which end no episode.
//! Of OGBench's layout the last row of each episode is only the s′ of the row before it. What was done in an s′ that has
//! no transition of its own is kept too.

use crate::replay::Replay;
use crate::source::{Layout, Rows, Source};
use anyhow::Result;
use diagnostics::BadInput;
use std::path::Path;

/// What the task at hand expects of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Numbers of an observation.
    pub observation_dim: usize,
    /// Numbers of an action.
    pub action_dim: usize,
    /// Steps after which time ends an episode: what counts where a file has no `timeouts`, as the oldest.
    pub max_episode_steps: usize,
}

/// A state of a file in OGBench's layout, for a task to label.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// The observation.
    pub observation: &'a [f32],
    /// Its row of each array that was asked for, in that order.
    pub arrays: &'a [&'a [f32]],
}

/// Reads the transitions of a file in D4RL's or Minari's layout.
///
/// # Errors
/// [`BadInput`] with file and array when it is damaged, of another task's sizes, holds a number that is not finite, or
/// no transition.
pub fn load(path: &Path, expected: &Expected) -> Result<Replay> {
    let mut source = Source::open(path)?;
    match source.layout() {
        Layout::D4rl => d4rl(&mut source, expected),
        Layout::Minari => minari(&mut source, expected),
        Layout::Ogbench => Err(BadInput::new(format!(
            "{} has no rewards: it is {}",
            path.display(),
            Layout::Ogbench.title()
        ))
        .help("its rewards come from a task: name one of its single tasks")
        .into()),
    }
}

/// Reads the transitions of a file in OGBench's layout. `label` gives the reward of a state and whether the task is
/// done in it; `arrays` are what it needs beside the observation, such as `qpos`, and how many numbers a state has of each. A
/// task may be done in no state at all.
///
/// # Errors
/// As [`load`].
pub fn load_labelled(
    path: &Path,
    expected: &Expected,
    arrays: &[(&str, usize)],
    label: &mut dyn FnMut(&State<'_>) -> (f32, bool),
) -> Result<Replay> {
    let mut source = Source::open(path)?;
    if source.layout() != Layout::Ogbench {
        let found = source.layout().title();
        let message = format!("{} is {found}: expected {}", path.display(), Layout::Ogbench.title());
        return Err(BadInput::new(message).into());
    }
    let rows = source.info("observations")?.rows();
    let mut steps = Steps::open(&mut source, rows, expected)?;
    let mut ends = source.column("terminals", rows, 1)?;
    let mut more =
        arrays.iter().map(|(name, width)| source.column(name, rows, *width)).collect::<Result<Vec<_>>>()?;
    let mut replay = Replay::new((expected.observation_dim, expected.action_dim), rows);
    replay.reserve()?;
    let mut before: Option<Step> = None;
    let mut ended = true;
    for _ in 0..rows {
        let (s, a) = steps.next()?;
        if let Some(step) = before.take() {
            step.push(&mut replay, s, a);
        }
        ended = ends.next()?[0] != 0.0;
        let more = more.iter_mut().map(Rows::next).collect::<Result<Vec<_>>>()?;
        if !ended {
            let (reward, terminal) = label(&State { observation: s, arrays: &more });
            before = Some(Step { s: s.to_vec(), a: a.to_vec(), reward, terminal });
        }
    }
    if !ended {
        return Err(source.wrong("terminals", "the last row ends no episode: the file is cut short"));
    }
    filled(replay, &source)
}

fn d4rl(source: &mut Source, expected: &Expected) -> Result<Replay> {
    let rows = source.info("observations")?.rows();
    let mut steps = Steps::open(source, rows, expected)?;
    let mut rewards = source.column("rewards", rows, 1)?;
    let mut terminals = source.column("terminals", rows, 1)?;
    let mut timeouts =
        source.find("timeouts").is_some().then(|| source.column("timeouts", rows, 1)).transpose()?;
    let mut replay = Replay::new((expected.observation_dim, expected.action_dim), rows);
    replay.reserve()?;
    let mut before: Option<Step> = None;
    let mut steps_of_episode = 0;
    for _ in 0..rows {
        let (s, a) = steps.next()?;
        if let Some(step) = before.take() {
            step.push(&mut replay, s, a);
        }
        let reward = rewards.next()?[0];
        let terminal = terminals.next()?[0] != 0.0;
        let timeout = match &mut timeouts {
            Some(timeouts) => timeouts.next()?[0] != 0.0,
            None => steps_of_episode + 1 == expected.max_episode_steps,
        };
        if timeout {
            steps_of_episode = 0;
            continue;
        }
        before = Some(Step { s: s.to_vec(), a: a.to_vec(), reward, terminal });
        // After a terminal the original counts from 1, so that without `timeouts` the next episode loses its last row
        // but one instead of its last.
        steps_of_episode = if terminal { 1 } else { steps_of_episode + 1 };
    }
    filled(replay, source)
}

fn minari(source: &mut Source, expected: &Expected) -> Result<Replay> {
    let lengths = source.episodes().map(|episodes| episodes.lengths().to_vec()).unwrap_or_default();
    let rows = lengths.iter().sum();
    let mut observations = source.column("observations", rows + lengths.len(), expected.observation_dim)?;
    let mut actions = source.column("actions", rows, expected.action_dim)?;
    let mut rewards = source.column("rewards", rows, 1)?;
    let mut terminals = source.column("terminations", rows, 1)?;
    let mut replay = Replay::new((expected.observation_dim, expected.action_dim), rows);
    replay.reserve()?;
    for length in lengths {
        let mut s = observations.next()?.to_vec();
        for _ in 0..length {
            let next = observations.next()?;
            replay.push(&s, actions.next()?, rewards.next()?[0], terminals.next()?[0] != 0.0, next);
            s.copy_from_slice(next);
        }
    }
    filled(replay, source)
}

/// A row that waits for its s′.
struct Step {
    s: Vec<f32>,
    a: Vec<f32>,
    reward: f32,
    terminal: bool,
}

impl Step {
    /// Into `replay`, with s′ and a′, the next row's.
    fn push(self, replay: &mut Replay, next: &[f32], next_a: &[f32]) {
        replay.push(&self.s, &self.a, self.reward, self.terminal, next);
        replay.end_with(next_a);
    }
}

/// Observations and actions, in step.
struct Steps {
    observations: Rows,
    actions: Rows,
}

impl Steps {
    fn open(source: &mut Source, rows: usize, expected: &Expected) -> Result<Self> {
        let observations = source.column("observations", rows, expected.observation_dim)?;
        let actions = source.column("actions", rows, expected.action_dim)?;
        Ok(Self { observations, actions })
    }

    fn next(&mut self) -> Result<(&[f32], &[f32])> {
        Ok((self.observations.next()?, self.actions.next()?))
    }
}

fn filled(replay: Replay, source: &Source) -> Result<Replay> {
    if replay.is_empty() {
        let message = format!("{} holds no transition", source.path().display());
        return Err(BadInput::new(message).help("expected at least two rows of one episode").into());
    }
    Ok(replay)
}
