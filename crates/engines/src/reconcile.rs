//! Wanted − recorded − alive = submit.

use crate::{Engine, How, News};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a job has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its record.
    Recorded,
    /// Nothing yet: someone is at it, who need not be the engine.
    Held,
    /// A note of how it failed, which is no reason to do it again.
    Failed(String),
    /// Nothing that counts.
    Open,
}

/// What is to be done.
pub struct Wanted<'a> {
    /// For each job, the one whose record must be there before it can begin.
    pub needs: Vec<Option<usize>>,
    /// Looks what a job has left behind.
    pub look: &'a dyn Fn(usize) -> Standing,
    /// How often a job is submitted at most, when it fails in a way that may pass; see [`How::may_pass`].
    pub tries: u32,
}

/// What happens, as it happens.
pub enum Event<'a> {
    /// The engine has heard something.
    News(&'a News),
    /// Someone else is at a job, who is waited for.
    Held {
        /// Which job.
        job: usize,
    },
    /// A job failed and will be submitted again.
    Again {
        /// Which job.
        job: usize,
        /// How it failed.
        how: &'a How,
        /// The end of what it printed on standard error.
        stderr: &'a str,
        /// When it is submitted again.
        after: Duration,
    },
    /// A job ended or was given up.
    Ended {
        /// Which job.
        job: usize,
        /// How.
        outcome: &'a Outcome,
    },
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With its record.
    Done,
    /// Otherwise, and not because it was told to stop.
    Failed {
        /// What went wrong, the last time.
        what: String,
        /// How often it was submitted.
        tries: u32,
    },
    /// It was told to stop, or never begun because of that.
    Stopped,
    /// The job that it needs did not end well.
    Skipped,
}

/// How often a job that someone else is at is looked at.
const HELD: Duration = Duration::from_secs(1);

enum State {
    Waiting { not_before: Instant, is_held: bool },
    Submitted,
    Ended(Outcome),
}

struct Table<'a, F> {
    wanted: &'a Wanted<'a>,
    observe: F,
    states: Vec<State>,
    tries: Vec<u32>,
}

/// Has `engine` do what is wanted, until every job has ended or `stop` is set. The outcomes are in the order of the
/// jobs.
///
/// # Errors
/// If the engine fails.
pub fn reconcile(
    engine: &mut dyn Engine,
    wanted: &Wanted<'_>,
    stop: &AtomicBool,
    observe: impl FnMut(Event<'_>),
) -> Result<Vec<Outcome>> {
    let count = wanted.needs.len();
    let begin = || State::Waiting { not_before: Instant::now(), is_held: false };
    let states = (0..count).map(|_| begin()).collect();
    let mut table = Table { wanted, observe, states, tries: vec![0; count] };
    while !table.has_ended() {
        if stop.load(Ordering::Relaxed) {
            engine.cancel()?.iter().for_each(|news| (table.observe)(Event::News(news)));
            break;
        }
        let batch = table.batch();
        if !batch.is_empty() {
            engine.submit(&batch)?;
        }
        for news in engine.poll()? {
            (table.observe)(Event::News(&news));
            if let News::Ended { job, how, stderr } = news {
                table.conclude(job, &how, &stderr);
            }
        }
    }
    let outcome = |state| match state {
        State::Ended(outcome) => outcome,
        State::Waiting { .. } | State::Submitted => Outcome::Stopped,
    };
    Ok(table.states.into_iter().map(outcome).collect())
}

impl<F: FnMut(Event<'_>)> Table<'_, F> {
    fn has_ended(&self) -> bool {
        self.states.iter().all(|state| matches!(state, State::Ended(_)))
    }

    /// The jobs to submit now.
    fn batch(&mut self) -> Vec<usize> {
        let mut batch = Vec::new();
        let now = Instant::now();
        for job in 0..self.states.len() {
            let State::Waiting { not_before, is_held } = self.states[job] else { continue };
            match self.wanted.needs[job].map(|needed| &self.states[needed]) {
                None | Some(State::Ended(Outcome::Done)) if not_before <= now => {}
                Some(State::Ended(outcome)) if *outcome != Outcome::Done => {
                    self.end(job, Outcome::Skipped);
                    continue;
                }
                _ => continue,
            }
            match (self.wanted.look)(job) {
                Standing::Recorded => self.end(job, Outcome::Done),
                Standing::Held => self.put_off(job, is_held),
                // A note from before is no reason not to try.
                Standing::Failed(_) | Standing::Open => {
                    self.states[job] = State::Submitted;
                    self.tries[job] += 1;
                    batch.push(job);
                }
            }
        }
        batch
    }

    /// What becomes of a job that the engine no longer has.
    fn conclude(&mut self, job: usize, how: &How, stderr: &str) {
        let tries = self.tries[job];
        match (self.wanted.look)(job) {
            Standing::Recorded => self.end(job, Outcome::Done),
            Standing::Held => self.put_off(job, false),
            Standing::Failed(what) => self.end(job, Outcome::Failed { what, tries }),
            Standing::Open if how.may_pass() && tries < self.wanted.tries => {
                let after = how.wait(tries);
                (self.observe)(Event::Again { job, how, stderr, after });
                self.states[job] = State::Waiting { not_before: Instant::now() + after, is_held: false };
            }
            Standing::Open => {
                let tried = if tries > 1 { format!(", the last of {tries} tries") } else { String::new() };
                let why = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
                self.end(job, Outcome::Failed { what: format!("{how}{tried}{why}"), tries });
            }
        }
    }

    fn put_off(&mut self, job: usize, is_told: bool) {
        if !is_told {
            (self.observe)(Event::Held { job });
        }
        self.states[job] = State::Waiting { not_before: Instant::now() + HELD, is_held: true };
    }

    fn end(&mut self, job: usize, outcome: Outcome) {
        (self.observe)(Event::Ended { job, outcome: &outcome });
        self.states[job] = State::Ended(outcome);
    }
}
