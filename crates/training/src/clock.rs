//! Where a run's time goes, over all the processes that worked on it.

use anyhow::Result;
use experiment::Timing;
use state::Archive;
use std::time::{Duration, Instant, SystemTime};

pub(crate) struct Clock {
    began: Instant,
    /// What processes before this one took, up to the checkpoint that this one went on from.
    before: Duration,
    pub(crate) update: Duration,
    pub(crate) evaluation: Duration,
    pub(crate) checkpoint: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let zero = Duration::ZERO;
        Self { began: Instant::now(), before: zero, update: zero, evaluation: zero, checkpoint: zero }
    }

    pub(crate) fn total(&self) -> Duration {
        self.before + self.began.elapsed()
    }

    pub(crate) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        let mut total = self.total();
        archive.item("total", &mut total)?;
        if archive.is_loading() {
            self.before = total;
        }
        archive.item("update", &mut self.update)?;
        archive.item("evaluation", &mut self.evaluation)?;
        archive.item("checkpoint", &mut self.checkpoint)
    }

    pub(crate) fn timing(&self, resumptions: u64) -> Timing {
        let ended = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Milliseconds are enough, and read well.
        let seconds = |duration: Duration| duration.as_millis() as f64 / 1e3;
        Timing {
            ended: ended.as_secs(),
            seconds: seconds(self.total()),
            update_seconds: seconds(self.update),
            evaluation_seconds: seconds(self.evaluation),
            checkpoint_seconds: seconds(self.checkpoint),
            resumptions,
        }
    }
}
