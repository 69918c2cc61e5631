//! How a process ended.

use std::process::ExitStatus;
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was silent for so long, and was killed.
    Hung(Duration),
    /// It is no longer where it was given to, and nothing else is known.
    Gone,
}

/// The exit code of a job that met a condition that may pass, such as a full disk (`EX_TEMPFAIL`).
const TRY_AGAIN: i32 = 75;

/// Signals that a program brings upon itself, and would again: an illegal instruction, a trap, an abort, an access out
/// of its memory, a division by zero, a file too large, a system call that does not exist.
const ITS_OWN_FAULT: [i32; 9] = [4, 5, 6, 7, 8, 11, 24, 25, 31];

impl How {
    /// Whether another try may do better: what came from outside may pass, and what the program did itself it would do
    /// again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Exited(code) => *code == TRY_AGAIN,
            Self::Killed(signal) => !ITS_OWN_FAULT.contains(signal),
            Self::Hung(_) | Self::Gone => true,
        }
    }

    /// How long to wait before the next try, after `tries`.
    pub(crate) fn wait(&self, tries: u32) -> Duration {
        match self {
            Self::Exited(_) | Self::Gone => Duration::from_secs(1 << tries.min(6)),
            Self::Killed(_) | Self::Hung(_) => Duration::ZERO,
        }
    }
}

impl From<ExitStatus> for How {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, signal) => Self::Killed(signal.unwrap_or(0)),
        }
    }
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(0) => f.write_str("exit code 0, but it left no record"),
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::Hung(patience) => write!(f, "killed after {} s without a word", patience.as_secs()),
            Self::Gone => f.write_str("it is gone from the queue without a record"),
        }
    }
}
