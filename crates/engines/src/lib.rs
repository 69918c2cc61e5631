//! Who executes a plan: a pool of worker processes on this machine.
//!
//! A job is a process; it may abort, hang up or eat memory, and its neighbours go on. This crate knows nothing of
//! what a job does: a job is a command, and what it prints on its standard output is handed on line by line.

mod failure;
mod process;

pub use failure::How;

use anyhow::Result;
use process::{Line, Running};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// One process to run.
pub struct Job {
    /// What to start. Its standard input is a pipe that closes when the job must stop.
    pub command: Command,
    /// The index of the job that must end well before this one starts.
    pub needs: Option<usize>,
}

/// How jobs are run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs at a time.
    pub workers: usize,
    /// A job that prints nothing for so long hangs, and is killed.
    pub patience: Duration,
    /// How often a job is started at most, when it fails in a way that may pass; see [`How::may_pass`].
    pub tries: u32,
}

/// What happens, as it happens.
pub enum Event<'a> {
    /// A worker took a job.
    Started {
        /// Which worker.
        worker: usize,
        /// Which job.
        job: usize,
    },
    /// A job printed a line.
    Line {
        /// Which worker.
        worker: usize,
        /// Which job.
        job: usize,
        /// The line, without its end.
        line: &'a str,
    },
    /// A job failed and will be started again.
    Again {
        /// Which job.
        job: usize,
        /// How it failed.
        how: &'a How,
        /// The end of what it printed on standard error.
        stderr: &'a str,
        /// When it is started again.
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
    /// With exit code 0.
    Done,
    /// Otherwise, and not because it was told to stop.
    Failed {
        /// How, the last time.
        how: How,
        /// The end of what it printed on standard error.
        stderr: String,
        /// How often it was started.
        tries: u32,
    },
    /// It was told to stop, or never started because of that.
    Stopped,
    /// The job that it needs did not end well.
    Skipped,
}

/// How long a job may take to stop by itself.
const GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// Lines that wait to be handed on; a job that prints faster waits.
const LINES: usize = 1024;

enum State {
    Waiting { not_before: Instant },
    Running,
    Ended(Outcome),
}

struct Table {
    needs: Vec<Option<usize>>,
    states: Vec<State>,
    tries: Vec<u32>,
}

impl Table {
    fn is_done(&self, job: usize) -> bool {
        matches!(self.states[job], State::Ended(Outcome::Done))
    }

    /// The first job that can start now.
    fn ready(&self) -> Option<usize> {
        let now = Instant::now();
        (0..self.states.len()).find(|&job| {
            matches!(self.states[job], State::Waiting { not_before } if not_before <= now)
                && self.needs[job].is_none_or(|needed| self.is_done(needed))
        })
    }

    /// Waiting jobs whose need ended otherwise than well.
    fn lost(&self) -> Vec<usize> {
        let is_lost = |needed: usize| matches!(&self.states[needed], State::Ended(o) if *o != Outcome::Done);
        (0..self.states.len())
            .filter(|&job| {
                matches!(self.states[job], State::Waiting { .. }) && self.needs[job].is_some_and(is_lost)
            })
            .collect()
    }

    fn all_ended(&self) -> bool {
        self.states.iter().all(|state| matches!(state, State::Ended(_)))
    }
}

/// Runs `jobs` until all have ended or `stop` is set. The outcomes are in the order of the jobs.
///
/// # Errors
/// If a process cannot be started at all; those that run are stopped first.
pub fn run(
    jobs: Vec<Job>,
    limits: Limits,
    stop: &AtomicBool,
    mut observe: impl FnMut(Event<'_>),
) -> Result<Vec<Outcome>> {
    let now = Instant::now();
    let mut table = Table {
        needs: jobs.iter().map(|job| job.needs).collect(),
        states: jobs.iter().map(|_| State::Waiting { not_before: now }).collect(),
        tries: vec![0; jobs.len()],
    };
    let mut commands: Vec<Command> = jobs.into_iter().map(|job| job.command).collect();
    let mut slots: Vec<Option<Running>> = (0..limits.workers.max(1)).map(|_| None).collect();
    let (sender, lines) = sync_channel(LINES);
    while !table.all_ended() {
        for job in table.lost() {
            end(job, Outcome::Skipped, &mut table, &mut observe);
        }
        for (worker, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let Some(job) = table.ready() else { break };
            match process::start(&mut commands[job], job, worker, &sender) {
                Ok(running) => *slot = Some(running),
                Err(error) => {
                    halt(&mut slots, &lines, &mut observe);
                    return Err(error);
                }
            }
            table.states[job] = State::Running;
            table.tries[job] += 1;
            observe(Event::Started { worker, job });
        }
        hand_on(&lines, &mut slots, &mut observe);
        for slot in &mut slots {
            let Some(running) = slot else { continue };
            let how = if running.heard.elapsed() >= limits.patience {
                running.kill();
                Some(How::Hung(limits.patience))
            } else {
                running.exited().map(How::from)
            };
            let Some(how) = how else { continue };
            let running = slot.take().expect("it is there");
            let job = running.job;
            let stderr = running.conclude(|| hand_on(&lines, &mut [], &mut observe));
            hand_on(&lines, &mut [], &mut observe);
            let tries = table.tries[job];
            if how == How::Exited(0) {
                end(job, Outcome::Done, &mut table, &mut observe);
            } else if how.may_pass() && tries < limits.tries {
                let after = how.wait(tries);
                observe(Event::Again { job, how: &how, stderr: &stderr, after });
                table.states[job] = State::Waiting { not_before: Instant::now() + after };
            } else {
                end(job, Outcome::Failed { how, stderr, tries }, &mut table, &mut observe);
            }
        }
        if stop.load(Ordering::Relaxed) {
            halt(&mut slots, &lines, &mut observe);
            break;
        }
    }
    let outcome = |state| match state {
        State::Ended(outcome) => outcome,
        State::Waiting { .. } | State::Running => Outcome::Stopped,
    };
    Ok(table.states.into_iter().map(outcome).collect())
}

fn end(job: usize, outcome: Outcome, table: &mut Table, observe: &mut impl FnMut(Event<'_>)) {
    observe(Event::Ended { job, outcome: &outcome });
    table.states[job] = State::Ended(outcome);
}

/// Hands lines on for [`POLL`].
fn hand_on(lines: &Receiver<Line>, slots: &mut [Option<Running>], observe: &mut impl FnMut(Event<'_>)) {
    let deadline = Instant::now() + POLL;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((worker, job, line)) = lines.recv_timeout(left) else { return };
        if let Some(Some(running)) = slots.get_mut(worker) {
            running.heard = Instant::now();
        }
        observe(Event::Line { worker, job, line: &line });
        if left.is_zero() {
            return;
        }
    }
}

/// Closes every job's standard input, waits for [`GRACE`], then kills those that still run.
fn halt(slots: &mut [Option<Running>], lines: &Receiver<Line>, observe: &mut impl FnMut(Event<'_>)) {
    let mut running: Vec<Running> = slots.iter_mut().filter_map(Option::take).collect();
    running.iter_mut().for_each(Running::close_input);
    let deadline = Instant::now() + GRACE;
    while !running.is_empty() && Instant::now() < deadline {
        hand_on(lines, &mut [], observe);
        running.retain_mut(|running| running.exited().is_none());
    }
    running.iter_mut().for_each(Running::kill);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, needs: Option<usize>) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { command, needs }
    }

    fn limits(workers: usize) -> Limits {
        Limits { workers, patience: Duration::from_secs(60), tries: 3 }
    }

    fn outcomes(jobs: Vec<Job>, limits: Limits) -> (Vec<Outcome>, Vec<String>) {
        let mut lines = Vec::new();
        let observe = |event: Event<'_>| {
            if let Event::Line { line, .. } = event {
                lines.push(line.to_owned());
            }
        };
        (run(jobs, limits, &AtomicBool::new(false), observe).unwrap(), lines)
    }

    fn failed(how: How, stderr: &str, tries: u32) -> Outcome {
        Outcome::Failed { how, stderr: stderr.to_owned(), tries }
    }

    #[test]
    fn jobs_end_each_in_its_own_way() {
        let jobs = vec![
            shell("echo a", None),
            shell("echo why >&2; exit 3", None),
            shell("echo again; kill -9 $$", None),
            shell("echo never", Some(1)),
            shell("echo after", Some(0)),
            shell("yes flood | head -n 200000 >&2", None),
            shell("ulimit -c 0; echo once; kill -ABRT $$", None),
            shell("head -c 200000 /dev/zero | tr '\\0' x", None),
        ];
        let (outcomes, mut lines) = outcomes(jobs, limits(2));
        let expected = [
            Outcome::Done,
            failed(How::Exited(3), "why", 1),
            failed(How::Killed(9), "", 3),
            Outcome::Skipped,
            Outcome::Done,
            Outcome::Done,
            failed(How::Killed(6), "", 1),
            Outcome::Done,
        ];
        assert_eq!(outcomes, expected);
        lines.sort();
        let long = lines.split_off(6);
        assert_eq!(lines, ["a", "after", "again", "again", "again", "once"]);
        assert_eq!(long.concat().len(), 200_000, "a line without an end comes in pieces");
    }

    #[test]
    fn what_may_pass_is_tried_again_until_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "cd {}; echo x >> tries; test $(wc -l < tries) = 3 || kill -9 $$",
            folder.path().display()
        );
        let mut again = 0;
        let outcomes = run(vec![shell(&script, None)], limits(1), &AtomicBool::new(false), |event| {
            again += usize::from(matches!(event, Event::Again { how: How::Killed(9), .. }));
        });
        assert_eq!((outcomes.unwrap(), again), (vec![Outcome::Done], 2));
    }

    #[test]
    fn a_silent_job_is_killed_with_all_that_it_started_and_a_slow_one_is_not() {
        let patience = Duration::from_millis(600);
        let jobs = vec![
            shell("sleep 1000 & sleep 1001", None),
            shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done", None),
        ];
        let (outcomes, lines) = outcomes(jobs, Limits { patience, tries: 2, ..limits(2) });
        assert_eq!(outcomes, [failed(How::Hung(patience), "", 2), Outcome::Done]);
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn what_a_job_leaves_behind_does_not_hold_the_others_up() {
        let began = Instant::now();
        let (outcomes, _) = outcomes(vec![shell("sleep 5 & exit 0", None)], limits(1));
        assert_eq!(outcomes, [Outcome::Done]);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[test]
    fn a_stop_ends_the_willing_and_the_unwilling() {
        let stop = AtomicBool::new(false);
        let jobs = vec![
            shell("echo up; cat > /dev/null", None),
            shell("trap '' TERM; echo up; while :; do sleep 1; done", None),
            shell("echo never", None),
        ];
        let began = Instant::now();
        let mut up = 0;
        let outcomes = run(jobs, limits(2), &stop, |event| {
            if let Event::Line { line, .. } = event {
                assert_eq!(line, "up");
                up += 1;
                stop.store(up == 2, Ordering::Relaxed);
            }
        });
        assert_eq!(outcomes.unwrap(), [Outcome::Stopped, Outcome::Stopped, Outcome::Stopped]);
        assert!(began.elapsed() < GRACE + Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let jobs = vec![Job { command: Command::new("/nowhere/at-all"), needs: None }];
        let error = run(jobs, limits(1), &AtomicBool::new(false), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "failed to start /nowhere/at-all");
    }
}
