//! What becomes `evals.csv` and `train.csv`, as the run goes.

use agents::Metrics;
use anyhow::Result;
use experiment::{EPISODE_COLUMNS, Evaluations, Policy, Row, RunConfig};
use state::Archive;

pub(crate) struct Log {
    pub(crate) evaluations: String,
    pub(crate) training: String,
    /// Returns of training episodes that ended since the last line.
    pub(crate) episodes: Vec<f64>,
    /// Each loss by name, with its sum and count since the last line.
    losses: Vec<(&'static str, f64, u64)>,
    pub(crate) last_return: f64,
}

impl Log {
    pub(crate) fn new(config: &RunConfig) -> Self {
        let losses = config.algorithm.losses();
        Self {
            evaluations: Evaluations::header(config.evaluation.episodes),
            training: format!("step,{},{}\n", losses.join(","), EPISODE_COLUMNS.join(",")),
            episodes: Vec::new(),
            losses: losses.iter().map(|name| (*name, 0.0, 0)).collect(),
            last_return: f64::NAN,
        }
    }

    pub(crate) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("evaluations", &mut self.evaluations)?;
        archive.item("training", &mut self.training)?;
        archive.item("episodes", &mut self.episodes)?;
        for (name, sum, count) in &mut self.losses {
            archive.item(&format!("{name}_sum"), sum)?;
            archive.item(&format!("{name}_count"), count)?;
        }
        archive.item("last_return", &mut self.last_return)
    }

    pub(crate) fn add(&mut self, metrics: &Metrics) {
        for (name, value) in metrics {
            if let Some((_, sum, count)) = self.losses.iter_mut().find(|(known, ..)| known == name) {
                *sum += value;
                *count += 1;
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
        let losses: Vec<String> = self.losses.iter().map(|(_, sum, count)| mean(*sum, *count)).collect();
        let returns = mean(self.episodes.iter().sum(), self.episodes.len() as u64);
        self.training += &format!("{},{},{},{returns}\n", row.step, losses.join(","), self.episodes.len());
        self.losses.iter_mut().for_each(|(_, sum, count)| (*sum, *count) = (0.0, 0));
        self.episodes.clear();
    }
}
