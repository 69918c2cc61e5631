//! Who executes a plan: a pool of worker processes on this machine, or Slurm.
//!
//! An [`Engine`] is told which jobs to execute and tells what it hears of them. What it tells is a hint: the truth is
//! what the jobs leave behind, and [`reconcile`] looks there. This crate knows nothing of what a job does.

mod failure;
mod pool;
mod process;
mod reconcile;
mod slurm;

pub use failure::How;
pub use pool::Pool;
pub use reconcile::{Event, Outcome, Standing, Wanted, reconcile};
pub use slurm::{Batch, Slurm, requeue, this_task, user_lines};

use anyhow::Result;

/// Executes jobs, each known by its index. Nothing waits in here for longer than a moment.
pub trait Engine {
    /// Takes jobs to execute, each once.
    ///
    /// # Errors
    /// If it can take none at all.
    fn submit(&mut self, jobs: &[usize]) -> Result<()>;

    /// What was heard since the last call. That a job has ended is told once.
    ///
    /// # Errors
    /// If it cannot go on.
    fn poll(&mut self) -> Result<Vec<News>>;

    /// Stops every job that was taken and has not ended; each has a moment to put its work away.
    ///
    /// # Errors
    /// If it cannot.
    fn cancel(&mut self) -> Result<Vec<News>>;
}

/// What an engine hears.
pub enum News {
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
        line: String,
    },
    /// Something about the engine itself.
    Note(String),
    /// A job is not executed any more.
    Ended {
        /// Which job.
        job: usize,
        /// How its process ended.
        how: How,
        /// The end of what it printed on standard error.
        stderr: String,
    },
}
