//! Who executes a plan: a pool of worker processes on this machine.
//!
//! A job is a process; it may abort, hang up or eat memory, and its neighbours go on. This crate knows nothing of
//! what a job does: a job is a command, and what it prints on its standard output is handed on line by line.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One process to run.
pub struct Job {
    /// What to start. Its standard input is a pipe that closes when the job must stop.
    pub command: Command,
    /// The index of the job that must end well before this one starts.
    pub needs: Option<usize>,
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
        /// `exit code 101`, `killed by signal 9`.
        how: String,
        /// The end of what it printed on standard error.
        stderr: String,
    },
    /// It was told to stop, or never started because of that.
    Stopped,
    /// The job that it needs did not end well.
    Skipped,
}

/// How long a job may take to stop by itself.
const GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// How much of a job's standard error is kept.
const STDERR_TAIL: usize = 4096;

struct Running {
    job: usize,
    child: Child,
    readers: Vec<JoinHandle<()>>,
    stderr: JoinHandle<String>,
}

/// Runs `jobs`, at most `workers` at a time, until all have ended or `stop` is set. The outcomes are in the order of
/// the jobs.
///
/// # Errors
/// If a process cannot be started at all; those that run are stopped first.
pub fn run(
    jobs: Vec<Job>,
    workers: usize,
    stop: &AtomicBool,
    mut observe: impl FnMut(Event<'_>),
) -> Result<Vec<Outcome>> {
    let needs: Vec<Option<usize>> = jobs.iter().map(|job| job.needs).collect();
    let mut waiting: Vec<Option<Command>> = jobs.into_iter().map(|job| Some(job.command)).collect();
    let mut outcomes: Vec<Option<Outcome>> = vec![None; waiting.len()];
    let mut slots: Vec<Option<Running>> = (0..workers.max(1)).map(|_| None).collect();
    let (sender, lines) = channel();
    loop {
        for job in 0..waiting.len() {
            let lost = needs[job].is_some_and(|n| outcomes[n].as_ref().is_some_and(|o| *o != Outcome::Done));
            if waiting[job].is_some() && lost {
                waiting[job] = None;
                end(job, Outcome::Skipped, &mut outcomes, &mut observe);
            }
        }
        for (worker, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let ready = |job: &usize| needs[*job].is_none_or(|n| outcomes[n] == Some(Outcome::Done));
            let Some(job) = (0..waiting.len()).filter(|job| waiting[*job].is_some()).find(ready) else {
                break;
            };
            let command = waiting[job].take().expect("it was waiting");
            match start(command, job, worker, &sender) {
                Ok(running) => *slot = Some(running),
                Err(error) => {
                    halt(&mut slots);
                    return Err(error);
                }
            }
            observe(Event::Started { worker, job });
        }
        if slots.iter().all(Option::is_none) && waiting.iter().all(Option::is_none) {
            break;
        }
        drain(&lines, &mut observe);
        for slot in &mut slots {
            let exited = slot.as_mut().and_then(|running| running.child.try_wait().ok().flatten());
            if let (Some(status), Some(_)) = (exited, &slot) {
                let running = slot.take().expect("it is there");
                let job = running.job;
                let outcome = conclude(running, status);
                drain(&lines, &mut observe);
                end(job, outcome, &mut outcomes, &mut observe);
            }
        }
        if stop.load(Ordering::Relaxed) {
            halt(&mut slots);
            break;
        }
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Stopped)).collect())
}

fn end(job: usize, outcome: Outcome, outcomes: &mut [Option<Outcome>], observe: &mut impl FnMut(Event<'_>)) {
    observe(Event::Ended { job, outcome: &outcome });
    outcomes[job] = Some(outcome);
}

type Line = (usize, usize, String);

fn start(mut command: Command, job: usize, worker: usize, sender: &Sender<Line>) -> Result<Running> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().with_context(|| format!("failed to start {}", command.get_program().display()))?;
    let stdout = child.stdout.take().context("a job has no standard output")?;
    let stderr = child.stderr.take().context("a job has no standard error")?;
    let sender = sender.clone();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send((worker, job, line)).is_err() {
                break;
            }
        }
    });
    Ok(Running { job, child, readers: vec![reader], stderr: std::thread::spawn(move || tail(stderr)) })
}

/// Reads to the end and keeps the last [`STDERR_TAIL`] bytes.
fn tail(mut stream: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let excess = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

fn drain(lines: &Receiver<Line>, observe: &mut impl FnMut(Event<'_>)) {
    let deadline = Instant::now() + POLL;
    while let Ok((worker, job, line)) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        observe(Event::Line { worker, job, line: &line });
    }
}

fn conclude(running: Running, status: ExitStatus) -> Outcome {
    running.readers.into_iter().for_each(|reader| drop(reader.join()));
    let stderr = running.stderr.join().unwrap_or_default();
    if status.success() {
        return Outcome::Done;
    }
    Outcome::Failed { how: describe(status), stderr }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status.code().map_or_else(|| "ended by something unknown".to_owned(), |code| format!("exit code {code}"))
}

/// Closes every job's standard input, waits for [`GRACE`], then kills those that still run.
fn halt(slots: &mut [Option<Running>]) {
    let mut running: Vec<Running> = slots.iter_mut().filter_map(Option::take).collect();
    running.iter_mut().for_each(|running| drop(running.child.stdin.take()));
    let deadline = Instant::now() + GRACE;
    running.retain_mut(|running| {
        while Instant::now() < deadline {
            if let Ok(Some(_)) = running.child.try_wait() {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    });
    for mut running in running {
        // A job that cannot be killed has ended already.
        let _ = running.child.kill();
        let _ = running.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, needs: Option<usize>) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { command, needs }
    }

    fn outcomes(jobs: Vec<Job>, workers: usize) -> (Vec<Outcome>, Vec<String>) {
        let mut lines = Vec::new();
        let observe = |event: Event<'_>| {
            if let Event::Line { line, .. } = event {
                lines.push(line.to_owned());
            }
        };
        (run(jobs, workers, &AtomicBool::new(false), observe).unwrap(), lines)
    }

    #[test]
    fn jobs_end_each_in_its_own_way() {
        let jobs = vec![
            shell("echo a", None),
            shell("echo why >&2; exit 3", None),
            shell("kill -9 $$", None),
            shell("echo never", Some(1)),
            shell("echo after", Some(0)),
            shell("yes flood | head -n 200000 >&2", None),
        ];
        let (outcomes, mut lines) = outcomes(jobs, 2);
        let failed =
            |how: &str, stderr: &str| Outcome::Failed { how: how.to_owned(), stderr: stderr.to_owned() };
        let expected = [
            Outcome::Done,
            failed("exit code 3", "why"),
            failed("killed by signal 9", ""),
            Outcome::Skipped,
            Outcome::Done,
            Outcome::Done,
        ];
        assert_eq!(outcomes, expected);
        lines.sort();
        assert_eq!(lines, ["a", "after"]);
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
        let outcomes = run(jobs, 2, &stop, |event| {
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
        let error = run(jobs, 1, &AtomicBool::new(false), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "failed to start /nowhere/at-all");
    }
}
