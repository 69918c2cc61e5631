//! `reference.toml`: numbers from elsewhere, each with what it is and where it stands.

use serde::Deserialize;

/// All of a paper's reference numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The version of this format.
    pub schema: u32,
    /// The sources, in the order in which tables show them.
    pub source: Vec<Source>,
}

/// Numbers of one origin and one protocol.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A short name.
    pub id: String,
    /// The algorithm that was measured.
    pub algorithm: String,
    /// Steps of training, or updates where it learns from data alone.
    pub steps: u64,
    /// Runs, where that is stated.
    #[serde(default)]
    pub seeds: Option<u32>,
    /// What the number is: which evaluations, which average.
    pub protocol: String,
    /// What the spread is, where there is one.
    pub spread: String,
    /// The same as one of the kinds that can be reckoned with; absent where the source does not say.
    #[serde(default)]
    pub spread_kind: Option<SpreadKind>,
    /// Where it stands.
    pub cite: String,
    /// The numbers.
    pub scores: Vec<Score>,
}

/// What a published spread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpreadKind {
    /// Standard deviation over runs, dividing by their number.
    PopulationStd,
    /// Standard deviation over runs, dividing by their number less one.
    SampleStd,
    /// Standard error of the mean over runs.
    StandardError,
}

/// One published number.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The environment's id, version included.
    pub task: String,
    /// The number.
    pub value: f64,
    /// Its spread, of the source's kind.
    #[serde(default)]
    pub spread: Option<f64>,
    /// Steps of training, where those are not the source's.
    #[serde(default)]
    steps: Option<u64>,
}

impl Source {
    /// Steps of training behind one of its scores.
    #[must_use]
    pub fn steps_of(&self, score: &Score) -> u64 {
        score.steps.unwrap_or(self.steps)
    }
}

impl Reference {
    /// The number that source `id` gives for `task`; of several, the one after the most steps.
    #[must_use]
    pub fn score(&self, id: &str, task: &str) -> Option<&Score> {
        let source = self.source.iter().find(|source| source.id == id)?;
        let of_task = source.scores.iter().filter(|score| score.task == task);
        of_task.max_by_key(|score| source.steps_of(score))
    }
}
