//! A run's directory: what is in each file.
//!
//! | file | content |
//! | --- | --- |
//! | `config.toml` | [`RunConfig`]: everything that decides the run's bytes |
//! | `evals.csv` | one row an evaluation: step, policy, each episode's return and length |
//! | `train.csv` | losses and training returns, decimated |
//! | `status.toml` | [`Status`] |
//! | `provenance.toml` | [`Provenance`]: what trained it |
//! | `timing.toml` | [`Timing`]: everything that a clock touched |
//! | `expert.toml`, `policy.safetensors` | of an expert: its score, its weights |
//! | `scene.csv` | [`Scene`]: of a policy from state and latent that learned from data alone |
//! | `networks.safetensors` | of a run that others start from: all its networks |

use crate::{RunConfig, Scene, check_schema};
use anyhow::Result;
use diagnostics::{BadInput, parse_toml};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The columns of `train.csv` after the losses: training episodes that ended since the line before, and their mean return.
pub const EPISODE_COLUMNS: [&str; 2] = ["episodes", "episode_return"];

/// Which policy was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The learner's own.
    Learned,
    /// Another that acts: the learner's and the expert's blend while α < 1, or PEX's policy without draws.
    Guided,
}

impl Policy {
    fn name(self) -> &'static str {
        match self {
            Self::Learned => "learned",
            Self::Guided => "guided",
        }
    }
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Environment steps of training before it.
    pub step: u64,
    /// Which policy.
    pub policy: Policy,
    /// Each episode's undiscounted return, or whether it succeeded, 0 or 1, where that is what is measured.
    pub returns: Vec<f64>,
    /// Each episode's length in steps.
    pub lengths: Vec<u64>,
}

impl Row {
    /// The mean over episodes.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len() as f64
    }
}

/// All evaluations of a run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluations {
    /// The rows.
    pub rows: Vec<Row>,
}

impl Evaluations {
    /// The evaluations of the learner's own policy: step and mean return.
    pub fn learned(&self) -> impl Iterator<Item = (u64, f64)> {
        self.of(Policy::Learned)
    }

    /// The evaluations of what acts, as long as that is another: step and mean return.
    pub fn guided(&self) -> impl Iterator<Item = (u64, f64)> {
        self.of(Policy::Guided)
    }

    fn of(&self, policy: Policy) -> impl Iterator<Item = (u64, f64)> {
        self.rows.iter().filter(move |row| row.policy == policy).map(|row| (row.step, row.mean()))
    }

    /// The first line of `evals.csv`.
    #[must_use]
    pub fn header(episodes: usize) -> String {
        let mut header = "step,policy".to_owned();
        for column in ["return", "length"] {
            (1..=episodes).for_each(|i| write!(header, ",{column}_{i}").expect("a string takes all"));
        }
        header + "\n"
    }

    /// One line of `evals.csv`. Floats are written so that they read back to the same bits.
    #[must_use]
    pub fn line(row: &Row) -> String {
        let mut line = format!("{},{}", row.step, row.policy.name());
        row.returns.iter().for_each(|x| write!(line, ",{x}").expect("a string takes all"));
        row.lengths.iter().for_each(|x| write!(line, ",{x}").expect("a string takes all"));
        line + "\n"
    }

    fn parse(file: &str, text: &str, episodes: usize) -> Result<Self, BadInput> {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        // Counted before it is compared: the header of as many episodes as a damaged configuration has may be endless.
        let is_as_long = header.split(',').skip(2).count().checked_div(2) == Some(episodes) && episodes > 0;
        if !is_as_long || header != Self::header(episodes).trim_end() {
            return Err(damaged(file, 1, &format!("the header is not that of {episodes} episodes")));
        }
        let mut rows: Vec<Row> = Vec::new();
        for (i, line) in lines.enumerate() {
            let row = parse_row(line, episodes).map_err(|what| damaged(file, i + 2, &what))?;
            if rows.last().is_some_and(|last| last.step > row.step) {
                return Err(damaged(file, i + 2, "steps do not ascend"));
            }
            rows.push(row);
        }
        Ok(Self { rows })
    }
}

fn parse_row(line: &str, episodes: usize) -> Result<Row, String> {
    let fields: Vec<&str> = line.split(',').collect();
    if fields.len() != 2 + 2 * episodes {
        return Err(format!("{} fields instead of {}", fields.len(), 2 + 2 * episodes));
    }
    let whole = |field: &str| field.parse::<u64>().map_err(|_| format!("`{field}` is no whole number"));
    let number = |field: &&str| match field.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("`{field}` is no finite number")),
    };
    let policy = match fields[1] {
        "learned" => Policy::Learned,
        "guided" => Policy::Guided,
        other => return Err(format!("`{other}` is no policy: expected `learned` or `guided`")),
    };
    let row = Row {
        step: whole(fields[0])?,
        policy,
        returns: fields[2..2 + episodes].iter().map(number).collect::<Result<_, _>>()?,
        lengths: fields[2 + episodes..].iter().map(|field| whole(field)).collect::<Result<_, _>>()?,
    };
    if row.mean().is_finite() {
        Ok(row)
    } else {
        Err("the mean of the returns is no finite number".to_owned())
    }
}

const RESTORE: &str = "the record is damaged: restore it with git, or delete its directory and run again";

pub(crate) fn damaged(file: &str, line: usize, what: &str) -> BadInput {
    BadInput::new(format!("{file}:{line}: {what}")).help(RESTORE)
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// How.
    pub state: State,
    /// Environment steps taken.
    pub steps: u64,
    /// Gradient updates taken.
    pub updates: u64,
    /// How often it was tried, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// SHA-256 of `networks.safetensors`, where it left its networks for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks_sha256: Option<String>,
    /// What went wrong, if something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As planned.
    Finished,
    /// By an error, a panic or a signal.
    Failed,
}

/// What trained a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program's version.
    pub version: String,
    /// The commit of the checkout when the run began, with `+` if the tree had changes.
    pub commit: String,
    /// SHA-256 of the executable.
    pub binary_sha256: String,
    /// SHA-256 of libmujoco.
    pub mujoco_sha256: String,
    /// The processor's name.
    pub cpu: String,
    /// The widest vector instructions that were used.
    pub simd: String,
    /// Operating system and architecture.
    pub platform: String,
    /// SHA-256 of the expert's weights, where one guided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert_sha256: Option<String>,
    /// SHA-256 of the networks that it started from, where it started from another run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks_sha256: Option<String>,
    /// SHA-256 of the data set, where it learned from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
}

/// Everything that a clock touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// When the run ended, seconds since 1970.
    pub ended: u64,
    /// Seconds it took, but for what a kill lost.
    pub seconds: f64,
    /// Of these, in updates.
    pub update_seconds: f64,
    /// Of these, in evaluations.
    pub evaluation_seconds: f64,
    /// Of these, in checkpoints.
    #[serde(default)]
    pub checkpoint_seconds: f64,
    /// How often it was taken up again by another process.
    #[serde(default)]
    pub resumptions: u64,
}

impl Timing {
    fn numbers(&self) -> [f64; 4] {
        [self.seconds, self.update_seconds, self.evaluation_seconds, self.checkpoint_seconds]
    }
}

/// An expert's choice and score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expert {
    /// The step at which the chosen policy stood: what it cost.
    pub step: u64,
    /// The mean return at the evaluation by which it was chosen.
    pub chosen_return: f64,
    /// The mean return over the episodes that score it.
    pub score: f64,
    /// The standard deviation over those episodes.
    pub score_std: f64,
    /// How many.
    pub episodes: usize,
    /// SHA-256 of `policy.safetensors`.
    pub weights_sha256: String,
}

/// A recorded run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its directory.
    pub directory: PathBuf,
    /// What it is.
    pub config: RunConfig,
    /// What it measured.
    pub evaluations: Evaluations,
    /// `train.csv` as it is.
    training: String,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub timing: Timing,
    /// Its score, if it is an expert's.
    pub expert: Option<Expert>,
    /// What it does in one state, where that was recorded.
    pub scene: Option<Scene>,
}

impl Run {
    /// Reads a finished run.
    ///
    /// # Errors
    /// [`BadInput`] if a file is missing, of another version, or damaged.
    pub fn read(directory: &Path) -> Result<Self, BadInput> {
        let (file, config) = read(&directory.join("config.toml"))?;
        check_schema(&file, &config)?;
        let config = RunConfig::parse(&file, &config).map_err(|error| error.help(RESTORE))?;
        let (file, evaluations) = read(&directory.join("evals.csv"))?;
        let evaluations = Evaluations::parse(&file, &evaluations, config.evaluation.episodes)?;
        let (_, training) = read(&directory.join("train.csv"))?;
        let status = parsed(directory, "status.toml")?;
        let timing: Timing = parsed(directory, "timing.toml")?;
        finite(directory, "timing.toml", &timing.numbers())?;
        let expert: Option<Expert> =
            config.expert.as_ref().map(|_| parsed(directory, "expert.toml")).transpose()?;
        if let Some(expert) = &expert {
            finite(directory, "expert.toml", &[expert.chosen_return, expert.score, expert.score_std])?;
        }
        let scene = directory.join("scene.csv");
        let scene = scene.exists().then(|| {
            let (file, text) = read(&scene)?;
            Scene::parse(&file, &text)
        });
        let run = Self {
            directory: directory.to_owned(),
            config,
            evaluations,
            training,
            status,
            timing,
            expert,
            scene: scene.transpose()?,
        };
        let ends = run.evaluations.rows.last().map(|row| row.step);
        if run.config.expert.is_none() && ends != Some(run.config.steps) {
            let file = directory.join("evals.csv").display().to_string();
            let lines = run.evaluations.rows.len() + 1;
            return Err(damaged(
                &file,
                lines,
                &format!("the last evaluation is not at step {}", run.config.steps),
            ));
        }
        Ok(run)
    }

    /// Step and value of a column of `train.csv`, where there is one.
    pub fn logged(&self, column: &str) -> Vec<(u64, f64)> {
        let mut lines = self.training.lines().map(|line| line.split(','));
        let Some(place) = lines.next().and_then(|mut names| names.position(|name| name == column)) else {
            return Vec::new();
        };
        let entry = |mut fields: std::str::Split<'_, char>| {
            let step = fields.clone().next()?.parse().ok()?;
            Some((step, fields.nth(place)?.parse().ok()?))
        };
        lines.filter_map(entry).collect()
    }

    /// SHA-256 of its files' names and contents, in the order of the names: no byte of the record changes without it.
    ///
    /// # Errors
    /// [`BadInput`] if a file cannot be read.
    pub fn digest(&self) -> Result<String, BadInput> {
        let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
            BadInput::new(format!("cannot read {}: {error}", path.display())).help(RESTORE)
        };
        let entries =
            std::fs::read_dir(&self.directory).map_err(|error| unreadable(&self.directory, &error))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.is_file());
        paths.sort();
        let mut digest = Sha256::new();
        for path in paths {
            let content = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            digest.update(format!("{name}\0{}\0", content.len()));
            digest.update(content);
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What trained it; `None` where that was not recorded.
    ///
    /// # Errors
    /// [`BadInput`] if the file is damaged.
    pub fn provenance(&self) -> Result<Option<Provenance>, BadInput> {
        let exists = self.directory.join("provenance.toml").exists();
        exists.then(|| parsed(&self.directory, "provenance.toml")).transpose()
    }
}

fn parsed<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<T, BadInput> {
    let (file, text) = read(&directory.join(name))?;
    parse_toml(&file, &text).map_err(|error| error.help(RESTORE))
}

fn finite(directory: &Path, name: &str, numbers: &[f64]) -> Result<(), BadInput> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => {
            let file = directory.join(name).display().to_string();
            Err(BadInput::new(format!("{file}: `{number}` is no finite number")).help(RESTORE))
        }
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<(String, String), BadInput> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| BadInput::new(format!("cannot read {file}: {error}")).help(RESTORE))?;
    Ok((file, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_read_back_to_the_same_bits() {
        let row = |step, policy, returns: [f64; 2]| Row {
            step,
            policy,
            returns: returns.to_vec(),
            lengths: vec![1000, 7],
        };
        let rows = vec![
            row(0, Policy::Learned, [-0.1 + 0.3, 1e-300]),
            row(5000, Policy::Learned, [f64::MAX, 1.0 / 3.0]),
            row(5000, Policy::Guided, [-0.0, 12345.678901234567]),
        ];
        let text = Evaluations::header(2) + &rows.iter().map(Evaluations::line).collect::<String>();
        assert_eq!(Evaluations::parse("evals.csv", &text, 2).unwrap(), Evaluations { rows });
    }

    #[test]
    fn a_damaged_line_is_named() {
        let check = |line: &str, expected: &str| {
            let text = Evaluations::header(1) + "0,learned,1.5,10\n" + line;
            let error = Evaluations::parse("evals.csv", &text, 1).unwrap_err().to_string();
            assert!(error.starts_with(&format!("evals.csv:3: {expected}")), "{error}");
        };
        check("5,learned,1.5", "3 fields instead of 4");
        check("5,learned,NaN,10", "`NaN` is no finite number");
        check("5,learnt,1.5,10", "`learnt` is no policy");
        check("x,learned,1.5,10", "`x` is no whole number");
    }

    #[test]
    fn a_record_of_another_schema_says_what_to_do() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        for (schema, age) in [(0, "an older"), (2, "a newer")] {
            let text = format!("schema = {schema}\nnot_known_here = true\n");
            std::fs::write(folder.join("config.toml"), text).unwrap();
            let error = Run::read(folder).unwrap_err().to_string();
            let expected = format!(
                "config.toml is of schema {schema}, and this program reads schema 1\n  help: it was written for {age} \
                 version of this program: check that one out to read it"
            );
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn a_lying_number_of_episodes_is_refused_before_it_is_believed() {
        let text = Evaluations::header(1) + "0,learned,1.5,10\n";
        for episodes in [0, 2, 1 << 40, usize::MAX] {
            let error = Evaluations::parse("evals.csv", &text, episodes).unwrap_err().to_string();
            assert!(error.starts_with("evals.csv:1: the header is not that of"), "{error}");
        }
        let text = Evaluations::header(2) + "0,learned,1e308,1e308,10,10\n";
        let error = Evaluations::parse("evals.csv", &text, 2).unwrap_err().to_string();
        assert!(error.starts_with("evals.csv:2: the mean of the returns is no finite number"), "{error}");
    }
}
