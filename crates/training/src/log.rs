//! What becomes `evals.csv` and `train.csv`, as the run goes.

use agents::Metrics;
use anyhow::Result;
use experiment::{Evaluations, Policy, Row, RunConfig};
use state::Archive;

pub(crate) struct Log {
    pub(crate) evaluations: String,
    pub(crate) training: String,
    /// Returns of training episodes that ended since the last line.
    pub(crate) episodes: Vec<f64>,
    /// Sum and count of each loss since the last line.
    losses: [(f64, u64); 2],
    pub(crate) last_return: f64,
}

const LOSSES: [&str; 2] = ["critic_loss", "actor_loss"];

impl Log {
    pub(crate) fn new(config: &RunConfig) -> Self {
        Self {
            evaluations: Evaluations::header(config.evaluation.episodes),
            training: "step,critic_loss,actor_loss,episodes,episode_return\n".to_owned(),
            episodes: Vec::new(),
            losses: Default::default(),
            last_return: f64::NAN,
        }
    }

    pub(crate) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("evaluations", &mut self.evaluations)?;
        archive.item("training", &mut self.training)?;
        archive.item("episodes", &mut self.episodes)?;
        for (name, (sum, count)) in LOSSES.iter().zip(&mut self.losses) {
            archive.item(&format!("{name}_sum"), sum)?;
            archive.item(&format!("{name}_count"), count)?;
        }
        archive.item("last_return", &mut self.last_return)
    }

    pub(crate) fn add(&mut self, metrics: &Metrics) {
        for (name, value) in metrics {
            if let Some(i) = LOSSES.iter().position(|known| known == name) {
                self.losses[i].0 += value;
                self.losses[i].1 += 1;
            }
        }
    }

    /// Writes an evaluation, and what training did since the last one.
    pub(crate) fn write(&mut self, row: &Row) {
        self.evaluations += &Evaluations::line(row);
        if row.policy == Policy::Guided || row.step == 0 {
            return;
        }
        let mean =
            |sum: f64, count: u64| if count == 0 { String::new() } else { format!("{}", sum / count as f64) };
        let [critic, actor] = self.losses.map(|(sum, count)| mean(sum, count));
        let returns = mean(self.episodes.iter().sum(), self.episodes.len() as u64);
        self.training += &format!("{},{critic},{actor},{},{returns}\n", row.step, self.episodes.len());
        self.losses = Default::default();
        self.episodes.clear();
    }
}
