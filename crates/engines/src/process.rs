//! One process, and what it prints.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Worker, job, and what it printed.
pub(crate) type Line = (usize, usize, String);

pub(crate) struct Running {
    pub(crate) job: usize,
    /// When it last printed a line.
    pub(crate) heard: Instant,
    child: Child,
    input: Option<ChildStdin>,
    stdout: JoinHandle<()>,
    stderr: JoinHandle<String>,
}

/// How much of a job's standard error is kept.
const STDERR_TAIL: usize = 4096;
/// The longest line that is handed on.
const LINE: u64 = 64 * 1024;
/// How long the pipes of a process that ended may stay open, by something that it left behind.
const LEAK: Duration = Duration::from_millis(500);

/// Starts `command` in a process group of its own: Ctrl-C on the terminal is for the runner, which then tells its jobs.
pub(crate) fn start(
    command: &mut Command,
    job: usize,
    worker: usize,
    sender: &SyncSender<Line>,
) -> Result<Running> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child =
        command.spawn().with_context(|| format!("failed to start {}", command.get_program().display()))?;
    let input = child.stdin.take();
    let stdout = child.stdout.take().context("a job has no standard output")?;
    let stderr = child.stderr.take().context("a job has no standard error")?;
    let sender = sender.clone();
    let stdout = std::thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        while let Some(line) = next_line(&mut stdout) {
            if sender.send((worker, job, line)).is_err() {
                break;
            }
        }
    });
    let stderr = std::thread::spawn(move || tail(stderr));
    Ok(Running { job, heard: Instant::now(), child, input, stdout, stderr })
}

/// The next line, cut where it is longer than [`LINE`].
fn next_line(stream: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    match stream.take(LINE).read_until(b'\n', &mut line) {
        Ok(1..) => Some(String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned()),
        _ => None,
    }
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

impl Running {
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Kills it and whatever it started. One that cannot be killed has ended already.
    pub(crate) fn kill(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }

    /// The end of what an ended process printed on standard error. `meanwhile` takes the lines that are still on their
    /// way.
    pub(crate) fn conclude(self, mut meanwhile: impl FnMut()) -> String {
        let deadline = Instant::now() + LEAK;
        while !(self.stdout.is_finished() && self.stderr.is_finished()) && Instant::now() < deadline {
            meanwhile();
        }
        if self.stderr.is_finished() { self.stderr.join().unwrap_or_default() } else { String::new() }
    }
}
