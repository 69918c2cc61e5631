//! Runs that are to be made, resolved: all that a machine needs to know which sees the results directory.

use crate::args::{Chosen, How, Workers};
use crate::sets::Files;
use anyhow::{Context, Result};
use diagnostics::{BadInput, parse_toml};
use engines::Standing;
use experiment::{Behaviour, Cell, RunConfig, SCHEMA, Store, check_schema};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs and how to make them. As a file, it is what Slurm's tasks and printed commands go by: what was asked for, even
/// where the protocol has changed since.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Campaign {
    schema: u32,
    pub(crate) paper: String,
    pub(crate) results: PathBuf,
    /// The commit of the checkout that the program was built from.
    commit: String,
    checkpoint_every: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    pub(crate) patience: u64,
    pub(crate) tries: u32,
    #[serde(rename = "run")]
    pub(crate) runs: Vec<Wanted>,
}

/// One run.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// The record whose place the run is to take, by its stamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    /// Where the run that it needs lies below the paper's results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs: Option<String>,
    /// The file of the data set that it learns from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// The data set that is made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stand_in: Option<StandIn>,
    pub(crate) config: RunConfig,
}

/// A data set that is made of a run.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StandIn {
    pub(crate) recipe: Behaviour,
    pub(crate) file: PathBuf,
    /// Whether it is written in Minari's layout too.
    pub(crate) minari: bool,
}

impl Campaign {
    pub(crate) fn new(chosen: &Chosen, cells: &[&Cell], how: &How, files: &Files) -> Result<Self> {
        let wanted = |cell: &&Cell| Wanted {
            replaces: chosen.store.stamp(&cell.config).filter(|_| how.fresh),
            needs: cell.needs.as_ref().map(RunConfig::directory),
            data: cell.config.data.as_ref().and_then(|data| files.get(&data.set)).cloned(),
            stand_in: None,
            config: cell.config.clone(),
        };
        let runs = cells.iter().map(wanted).collect();
        Self::of(runs, (&chosen.experiment.paper, &chosen.results), &how.workers)
    }

    /// The runs that data sets are made of. What is recorded of one whose data set is not there is made again.
    pub(crate) fn of_stand_ins(
        stand_ins: Vec<StandIn>,
        place: (&str, &Path),
        store: &Store,
        workers: &Workers,
    ) -> Result<Self> {
        let wanted = |stand_in: StandIn| Wanted {
            replaces: store.stamp(&stand_in.recipe.behaviour),
            needs: None,
            data: None,
            config: stand_in.recipe.behaviour.clone(),
            stand_in: Some(stand_in),
        };
        Self::of(stand_ins.into_iter().map(wanted).collect(), place, workers)
    }

    fn of(runs: Vec<Wanted>, (paper, results): (&str, &Path), workers: &Workers) -> Result<Self> {
        Ok(Self {
            schema: SCHEMA,
            paper: paper.to_owned(),
            results: results.to_owned(),
            commit: training::of_this_process()?.commit,
            checkpoint_every: workers.checkpoint_every,
            memory: workers.memory,
            patience: workers.patience,
            tries: workers.tries,
            runs,
        })
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            BadInput::new(format!("cannot read the plan {file}: {error}")).help(
                "it lies in the results directory, which every machine must see that makes runs; if it was cleaned \
                 away, lay the runs out again",
            )
        })?;
        check_schema(&file, &text)?;
        Ok(parse_toml(&file, &text)?)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(disk::replace(path, self.to_toml()?.as_bytes())?)
    }

    pub(crate) fn to_toml(&self) -> Result<String> {
        let utf8 = || {
            BadInput::new(format!("{} is no UTF-8", self.results.display()))
                .help("name another results directory: a plan file cannot say this one")
        };
        self.results.to_str().ok_or_else(utf8)?;
        toml::to_string(self).context("failed to write a plan")
    }

    /// Some of the runs.
    pub(crate) fn only(&self, runs: &[usize]) -> Self {
        Self { runs: runs.iter().map(|&run| self.runs[run].clone()).collect(), ..self.clone() }
    }

    /// For each run, the one here whose record it needs.
    pub(crate) fn needs(&self) -> Vec<Option<usize>> {
        let needed = |wanted: &Wanted| {
            let needed = wanted.needs.as_ref()?;
            self.runs.iter().position(|other| other.config.directory() == *needed)
        };
        self.runs.iter().map(needed).collect()
    }

    /// The runs that need none of the others, then those that do.
    pub(crate) fn groups(&self) -> Vec<Vec<usize>> {
        let needs = self.needs();
        let (first, second): (Vec<usize>, Vec<usize>) =
            (0..self.runs.len()).partition(|&run| needs[run].is_none());
        [first, second].into_iter().filter(|group| !group.is_empty()).collect()
    }

    /// What a run has left behind.
    pub(crate) fn standing(&self, store: &Store, run: usize) -> Standing {
        let Wanted { replaces, config, .. } = &self.runs[run];
        match store.stamp(config) {
            stamp @ Some(_) if stamp != *replaces => Standing::Recorded,
            _ if store.is_held(config) => Standing::Held,
            _ => match store.failure(config) {
                Some(failure) => Standing::Failed(failure.error.unwrap_or_default()),
                None => Standing::Open,
            },
        }
    }

    /// The directory of the run that another needs, where it is not recorded.
    pub(crate) fn missing(&self, run: usize) -> Option<PathBuf> {
        let needed = self.results.join(&self.paper).join(self.runs[run].needs.as_ref()?);
        (!needed.join("status.toml").is_file()).then_some(needed)
    }

    /// Each run's worker process. `memory` is what it may ask for, in bytes, unless the campaign says.
    pub(crate) fn workers(&self, store: &Store, memory: u64) -> Result<Vec<Command>> {
        let known_hashes = training::known_hashes()?;
        let memory = self.memory.map_or(memory, |gib| gib.saturating_mul(1 << 30)).to_string();
        let worker = |wanted: &Wanted| {
            // This very program, even where its file has been built anew since.
            let mut command = Command::new("/proc/self/exe");
            command.arg("worker").args(["--paper", &self.paper]).arg("--results").arg(&self.results);
            command.arg("--config").arg(store.request(&wanted.config)?);
            command.args(["--checkpoint-every", &self.checkpoint_every.to_string(), "--memory", &memory]);
            if let Some(stamp) = &wanted.replaces {
                command.args(["--replaces", stamp]);
            }
            if let Some(needed) = &wanted.needs {
                command.arg("--needed").arg(self.results.join(&self.paper).join(needed));
            }
            if let Some(data) = &wanted.data {
                command.arg("--data").arg(data);
            }
            if let Some(stand_in) = &wanted.stand_in {
                command.arg("--stand-in").arg(serde_json::to_string(stand_in)?);
            }
            // One learner a core and one thread a learner: without these, candle reads /proc/cpuinfo at every product
            // and spins a pool of its own, and glibc returns every large activation to the system and faults it in
            // again.
            command.env("RAYON_NUM_THREADS", "1").env("RUST_BACKTRACE", "0");
            command.env("MALLOC_TRIM_THRESHOLD_", "1000000000").env("MALLOC_MMAP_THRESHOLD_", "33554432");
            command.env(known_hashes.0, &known_hashes.1).env(training::COMMIT, &self.commit);
            Ok(command)
        };
        self.runs.iter().map(worker).collect()
    }
}
