//! What is in a data set: counts, returns, and of each array its range and a hash that others can compute.

use crate::array::Values;
use crate::minari::Episodes;
use crate::source::{Layout, Source};
use anyhow::{Context, Result};
use diagnostics::BadInput;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What is in a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The file that holds the arrays.
    pub file: PathBuf,
    /// How it lays them out.
    pub layout: Layout,
    /// Bytes of the file.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Rows of the file: steps, or of OGBench's layout states.
    pub rows: usize,
    /// Transitions that learners draw from; none where that hangs on the task's time limit.
    pub transitions: Option<usize>,
    /// Episodes that end. An episode ends where `timeouts` or, but for sets with `infos/goal` (AntMaze and Maze2D),
    /// `terminals` say so; of OGBench's layout where `terminals` say so; of Minari's with each group.
    pub episodes: usize,
    /// Rows after the last end.
    pub unfinished_rows: usize,
    /// Rows marked in `terminals` (`terminations`).
    pub terminals: usize,
    /// Rows marked in `timeouts` (`truncations`), where there is such an array.
    pub timeouts: Option<usize>,
    /// Sums of rewards over the episodes that end, where there are rewards.
    pub returns: Option<Spread>,
    /// Rows of those episodes.
    pub lengths: Option<Spread>,
    /// The arrays, sorted by name.
    pub arrays: Vec<ArrayReport>,
}

/// What is in an array. Of text only the shape is told; a range with a NaN in it is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrayReport {
    /// Its name, with its groups.
    pub name: String,
    /// The type of its elements, as NumPy names it; `string` for text.
    pub dtype: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// The least element.
    pub min: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// SHA-256 over the elements as little-endian float32 in C order.
    pub sha256_f32: Option<String>,
}

/// How numbers are spread; the standard deviation is that of a population.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Spread {
    pub mean: f64,
    pub std: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// That of `numbers`, or none of no numbers.
    #[must_use]
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let std = (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        let min = numbers.iter().copied().reduce(f64::min)?;
        let max = numbers.iter().copied().reduce(f64::max)?;
        Some(Self { mean, std, min, max })
    }
}

/// Reads all of a data set and says what is in it.
///
/// # Errors
/// [`BadInput`] with file and array when it is damaged, arrays do not fit together, observations, actions or rewards
/// hold a number that is not finite, or no episode ends.
pub fn inspect(path: &Path) -> Result<Report> {
    let mut source = Source::open(path)?;
    let file = source.path().to_owned();
    let (size, sha256) = fetch::digest(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let counts = Counts::of(&mut source)?;
    let arrays = source.arrays().iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let arrays = arrays.iter().map(|name| describe(&mut source, name)).collect::<Result<_>>()?;
    Ok(Report {
        file,
        layout: source.layout(),
        size,
        sha256,
        rows: counts.rows,
        transitions: counts.transitions,
        episodes: counts.lengths.len(),
        unfinished_rows: counts.unfinished,
        terminals: counts.terminals,
        timeouts: counts.timeouts,
        returns: Spread::of(&counts.returns),
        lengths: Spread::of(&counts.lengths),
        arrays,
    })
}

/// What a walk over the rows finds.
#[derive(Default)]
struct Counts {
    rows: usize,
    transitions: Option<usize>,
    unfinished: usize,
    terminals: usize,
    timeouts: Option<usize>,
    returns: Vec<f64>,
    lengths: Vec<f64>,
}

impl Counts {
    fn of(source: &mut Source) -> Result<Self> {
        let minari = source.layout() == Layout::Minari;
        let (terminals, timeouts) =
            if minari { ("terminations", "truncations") } else { ("terminals", "timeouts") };
        let rows = source.info("actions")?.rows();
        check_observations(source, rows)?;
        let optional = |source: &mut Source, name: &str| match source.find(name) {
            Some(_) => source.column(name, rows, 1).map(Some),
            None => Ok(None),
        };
        let mut rewards = optional(source, "rewards")?;
        let mut timed = optional(source, timeouts)?;
        if source.layout() != Layout::Ogbench {
            source.info("rewards")?;
        }
        let mut ended = source.column(terminals, rows, 1)?;
        let ends_at_terminals = source.find("infos/goal").is_none();
        // An episode of Minari's may be without actions.
        let lengths =
            |of: &Episodes| of.lengths().iter().copied().filter(|length| *length > 0).collect::<Vec<_>>();
        let mut lasts = source.episodes().map(|episodes| lengths(episodes).into_iter());

        let mut counts = Self { rows, timeouts: timed.is_some().then_some(0), ..Self::default() };
        let (mut steps, mut sum, mut dropped) = (0_usize, 0.0, 0);
        let mut length = lasts.as_mut().and_then(Iterator::next);
        for row in 0..rows {
            let terminal = ended.next()?[0] != 0.0;
            let timeout = timed.as_mut().map(|timed| timed.next().map(|row| row[0] != 0.0)).transpose()?;
            sum += rewards.as_mut().map_or(Ok(0.0), |rewards| rewards.next().map(|row| f64::from(row[0])))?;
            steps += 1;
            counts.terminals += usize::from(terminal);
            if timeout == Some(true) {
                counts.timeouts = counts.timeouts.map(|count| count + 1);
            }
            let drops = timeout == Some(true) || row + 1 == rows;
            dropped += usize::from(if source.layout() == Layout::D4rl { drops } else { terminal && !minari });
            let ends = match length {
                Some(length) => steps == length,
                None => timeout == Some(true) || (terminal && (ends_at_terminals || timeout.is_none())),
            };
            if ends {
                counts.lengths.push(steps as f64);
                counts.returns.extend(rewards.is_some().then_some(sum));
                (steps, sum) = (0, 0.0);
                length = lasts.as_mut().and_then(Iterator::next);
            }
        }
        counts.unfinished = steps;
        let known = source.layout() != Layout::D4rl || timed.is_some();
        counts.transitions = known.then_some(rows - dropped);
        if counts.lengths.is_empty() {
            let message =
                format!("{} holds no whole episode: no row of {rows} ends one", source.path().display());
            let help = format!("expected rows that are marked in `{terminals}` or `{timeouts}`");
            return Err(BadInput::new(message).help(help).into());
        }
        Ok(counts)
    }
}

/// The other layouts have an observation a row, Minari's one more an episode.
fn check_observations(source: &Source, rows: usize) -> Result<()> {
    let episodes = source.episodes().map_or(0, |episodes| episodes.lengths().len());
    let Some(info) = source.find("observations") else {
        // Observations of several parts are several arrays.
        let parts = source.arrays().iter().any(|info| info.name.starts_with("observations/"));
        return if parts { Ok(()) } else { source.info("observations").map(drop) };
    };
    for info in [info, source.info("actions")?] {
        if info.numbers.is_none() || info.shape.len() < 2 && source.layout() != Layout::Minari {
            let why = format!("it is {} of shape {:?}: expected rows of numbers", info.dtype, info.shape);
            return Err(source.wrong(&info.name, &why));
        }
    }
    if info.rows() != rows + episodes {
        let why = format!("it has {} rows: expected {}, from `actions`", info.rows(), rows + episodes);
        return Err(source.wrong("observations", &why));
    }
    Ok(())
}

fn describe(source: &mut Source, name: &str) -> Result<ArrayReport> {
    let info = source.info(name)?.clone();
    let mut report = ArrayReport {
        name: info.name,
        dtype: info.dtype,
        shape: info.shape,
        min: None,
        max: None,
        mean: None,
        sha256_f32: None,
    };
    if info.numbers.is_none() {
        return Ok(report);
    }
    let mut found = Sum::default();
    let mut blocks = source.blocks(name)?;
    while let Some(values) = blocks.next()? {
        found.add(&values);
    }
    let finite = found.sum.is_finite();
    if !finite && ["observations", "actions", "rewards"].contains(&name) {
        let why = "it holds a number that is not finite: expected none";
        return Err(source.wrong(name, why));
    }
    if found.count > 0 {
        // JSON knows no NaN.
        let told = |x: f64| finite.then_some(x);
        (report.min, report.max) = (told(found.min), told(found.max));
        report.mean = told(found.sum / found.count as f64);
    }
    report.sha256_f32 = Some(fetch::hex(&found.hash.finalize()));
    Ok(report)
}

/// What is summed up over an array.
struct Sum {
    min: f64,
    max: f64,
    sum: f64,
    count: usize,
    hash: Sha256,
    floats: Vec<f32>,
    bytes: Vec<u8>,
}

impl Default for Sum {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { min, max, sum: 0.0, count: 0, hash: Sha256::new(), floats: Vec::new(), bytes: Vec::new() }
    }
}

impl Sum {
    fn add(&mut self, values: &Values) {
        values.for_each(|x| {
            self.min = self.min.min(x);
            self.max = self.max.max(x);
            self.sum += x;
        });
        self.count += values.len();
        self.floats.clear();
        values.append_to(&mut self.floats);
        self.bytes.clear();
        self.floats.iter().for_each(|x| self.bytes.extend_from_slice(&x.to_le_bytes()));
        self.hash.update(&self.bytes);
    }
}
