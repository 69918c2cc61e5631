//! Checkpoints: when one is due, what is in it, and which one a run goes on from.

use crate::session::Session;
use anyhow::Result;
use disk::{Checkpoints, Journal, Mark};
use state::Archive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// When a checkpoint is made. A run's record does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// After so much time, and not before a hundred times what the last one took: they cost at most 1 % of a run.
    Time(Duration),
    /// After so many steps.
    Steps(u64),
}

pub(crate) struct Keeper {
    folder: PathBuf,
    every: Every,
    checkpoints: Checkpoints,
    /// The rows of replay that are settled.
    journal: Journal,
    /// Rows that are in the journal.
    written: u64,
    /// Settled rows as of the last checkpoint, which is kept beside the next.
    last_settled: u64,
    last: Instant,
    cost: Duration,
    starts_before: u64,
}

impl Keeper {
    /// The keeper of the checkpoints in `folder`, and the run as of the newest of them that can be used; where there
    /// is none, the run that `make` makes.
    pub(crate) fn open<'a>(
        folder: &Path,
        every: Every,
        make: &dyn Fn() -> Result<Session<'a>>,
        note: &mut dyn FnMut(String),
    ) -> Result<(Self, Session<'a>)> {
        let mut session = make()?;
        let (checkpoints, found) = Checkpoints::open(folder)?;
        let mut keeper = Self {
            folder: folder.to_owned(),
            every,
            checkpoints,
            journal: Journal::new(folder, session.replay.capacity() as u64),
            written: 0,
            last_settled: 0,
            last: Instant::now(),
            cost: Duration::ZERO,
            starts_before: 0,
        };
        let is_new = found.good.is_empty() && found.damaged.is_empty();
        for damaged in found.damaged {
            note(format!("the checkpoint {} is damaged: {}", damaged.path.display(), damaged.what));
        }
        for (number, body) in found.good {
            match keeper.take_up(&mut session, &body) {
                Ok(()) => {
                    keeper.checkpoints.go_on_from(number);
                    keeper.journal.cut()?;
                    keeper.count_start(note);
                    note(format!("goes on from its checkpoint at step {}", session.t));
                    return Ok((keeper, session));
                }
                // It may be a whole one that the disk does not hand out now.
                Err(error) if error.is::<disk::Error>() => return Err(error),
                Err(error) => {
                    note(format!("checkpoint {number} cannot be used: {error:#}"));
                    session = make()?;
                    keeper.journal = Journal::new(folder, session.replay.capacity() as u64);
                }
            }
        }
        if !is_new {
            note("starts afresh".to_owned());
            disk::remove(folder)?;
            keeper.checkpoints = Checkpoints::open(folder)?.0;
        }
        keeper.count_start(note);
        Ok((keeper, session))
    }

    fn take_up(&mut self, session: &mut Session<'_>, body: &[u8]) -> Result<()> {
        Archive::load(body, |archive| {
            session.state(archive)?;
            let mut mark = Mark::default();
            mark_state(&mut mark, archive)?;
            let replay = &mut session.replay;
            self.journal.read(mark, |first, count, values| replay.take_settled(first, count, values))?;
            archive.group("replay", |archive| replay.state(archive))
        })?;
        (self.written, self.last_settled) = (session.replay.settled(), session.replay.settled());
        Ok(())
    }

    /// Counts the processes that worked on this run, for `timing.toml`.
    fn count_start(&mut self, note: &mut dyn FnMut(String)) {
        let path = self.folder.join("starts");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        self.starts_before = text.trim().parse().unwrap_or(0);
        let text = format!("{}\n", self.starts_before + 1);
        let count = || {
            disk::create_folder(&self.folder)?;
            disk::replace(&path, text.as_bytes())
        };
        if let Err(error) = count() {
            note(error.to_string());
        }
    }

    /// How many processes worked on this run before this one.
    pub(crate) fn starts_before(&self) -> u64 {
        self.starts_before
    }

    /// Whether it is time for a checkpoint at step `t`.
    pub(crate) fn is_due(&self, t: u64) -> bool {
        match self.every {
            Every::Time(interval) => self.last.elapsed() >= interval.max(100 * self.cost),
            Every::Steps(steps) => t.is_multiple_of(steps),
        }
    }

    /// Makes a checkpoint. A disk that does not take it is no reason to lose the run: that is a note, and the last one
    /// stays.
    pub(crate) fn save(&mut self, session: &mut Session<'_>, note: &mut dyn FnMut(String)) -> Result<()> {
        let began = Instant::now();
        let result = self.write(session);
        self.last = Instant::now();
        self.cost = began.elapsed();
        session.clock.checkpoint += self.cost;
        match result {
            Err(error) if error.is::<disk::Error>() => {
                note(format!("no checkpoint at step {}: {error}", session.t));
                Ok(())
            }
            result => result,
        }
    }

    fn write(&mut self, session: &mut Session<'_>) -> Result<()> {
        disk::create_folder(&self.folder)?;
        let replay = &session.replay;
        let settled = replay.settled();
        let mut from = self.written.max(replay.first_held());
        while from < settled {
            let end = self.journal.end_of_file(from).min(settled);
            self.journal.append(from, end - from, &replay.settled_rows(from..end))?;
            (from, self.written) = (end, end);
        }
        let mut mark = self.journal.mark();
        let body = Archive::save(|archive| {
            session.state(archive)?;
            mark_state(&mut mark, archive)?;
            archive.group("replay", |archive| session.replay.state(archive))
        })?;
        self.checkpoints.write(&body)?;
        // The one before this still needs the rows that were held then.
        let held = (self.last_settled + 1).saturating_sub(session.replay.capacity() as u64);
        self.last_settled = settled;
        Ok(self.journal.forget(held)?)
    }
}

fn mark_state(mark: &mut Mark, archive: &mut Archive) -> Result<()> {
    archive.item("journal_file", &mut mark.file)?;
    archive.item("journal_bytes", &mut mark.bytes)
}
