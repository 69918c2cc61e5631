//! Scores by named reference scores: (score − min) / (max − min).

use super::{Curve, ScoreFile};
use diagnostics::{BadInput, parse_toml};
use serde::Deserialize;
use stats::{RunScore, Scores};
use std::collections::BTreeMap;

/// Where each number comes from stands beside it there.
const TABLE: &str = include_str!("normalise.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    normalisation: Vec<Normalisation>,
}

/// A table of reference scores.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// Its name.
    pub name: String,
    /// What 0 and 1 stand for.
    pub meaning: String,
    /// Where the numbers come from.
    pub source: String,
    task: Vec<Task>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Task {
    /// A task's name, or the start of it up to a `-` where `family`.
    name: String,
    #[serde(default)]
    family: bool,
    min: f64,
    max: f64,
}

impl Task {
    fn is(&self, name: &str) -> bool {
        name.strip_prefix(&self.name)
            .is_some_and(|rest| rest.is_empty() || self.family && rest.starts_with('-'))
    }

    fn pattern(&self) -> String {
        if self.family { format!("{}-*", self.name) } else { self.name.clone() }
    }
}

/// All that there are.
///
/// # Panics
/// Never: the table is part of the program, and a test reads it.
#[must_use]
pub fn normalisations() -> Vec<Normalisation> {
    let file: File = parse_toml("normalise.toml", TABLE).expect("a test reads this table");
    file.normalisation
}

impl Normalisation {
    /// The one of this name.
    ///
    /// # Errors
    /// [`BadInput`] if there is none.
    pub fn named(name: &str) -> Result<Self, BadInput> {
        let all = normalisations();
        let known = all.iter().find(|normalisation| normalisation.name == name).cloned();
        known.ok_or_else(|| BadInput::unknown("normalisation", name, all.iter().map(|n| n.name.as_str())))
    }

    /// The score of `task` in this table's terms.
    ///
    /// # Errors
    /// [`BadInput`] if the table does not have the task.
    pub fn apply(&self, task: &str, score: f64) -> Result<f64, BadInput> {
        let known = self.task.iter().find(|known| known.is(task)).ok_or_else(|| {
            let patterns: Vec<String> = self.task.iter().map(Task::pattern).collect();
            BadInput::unknown(
                &format!("task under the normalisation `{}`:", self.name),
                task,
                patterns.iter().map(String::as_str),
            )
        })?;
        Ok((score - known.min) / (known.max - known.min))
    }

    /// All scores of a file, normalised.
    ///
    /// # Errors
    /// [`BadInput`] if the table lacks a task.
    pub fn scores(&self, file: &ScoreFile) -> Result<ScoreFile, BadInput> {
        let of_algorithm = |(name, scores): (&String, &Scores)| {
            let of_task = |(task, runs): (&String, &Vec<f64>)| {
                let score = |score: &f64| self.finite(task, *score);
                runs.iter().map(score).collect::<Result<Vec<RunScore>, BadInput>>()
            };
            let tasks =
                file.tasks.iter().zip(scores.tasks()).map(of_task).collect::<Result<Vec<_>, BadInput>>()?;
            Ok((name.clone(), Scores::new(tasks).expect("as many tasks and runs as before")))
        };
        let algorithms =
            file.algorithms.iter().map(of_algorithm).collect::<Result<BTreeMap<_, _>, BadInput>>()?;
        Ok(ScoreFile { algorithms, ..file.clone() })
    }

    /// Curves, normalised.
    ///
    /// # Errors
    /// [`BadInput`] if the table lacks a task.
    pub fn curves(&self, mut curves: Vec<Curve>) -> Result<Vec<Curve>, BadInput> {
        for curve in &mut curves {
            for score in curve.evaluations.values_mut().flatten() {
                *score = self.finite(&curve.task, *score)?.get();
            }
        }
        Ok(curves)
    }

    fn finite(&self, task: &str, score: f64) -> Result<RunScore, BadInput> {
        RunScore::new(self.apply(task, score)?)
            .ok_or_else(|| BadInput::new(format!("a score of {score} on `{task}` is too large to normalise")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::parse_csv;

    #[test]
    fn reference_scores_become_0_and_1() {
        let all = normalisations();
        assert!(all.len() >= 4);
        for normalisation in all {
            for task in &normalisation.task {
                let name = task.name.clone() + if task.family { "-medium-v2" } else { "" };
                assert_eq!(normalisation.apply(&name, task.min).unwrap(), 0.0, "{name}");
                assert_eq!(normalisation.apply(&name, task.max).unwrap(), 1.0, "{name}");
            }
        }
    }

    #[test]
    fn families_are_those_of_the_data_sets() {
        let d4rl = Normalisation::named("d4rl").unwrap();
        for name in
            ["halfcheetah-medium-replay-v2", "hopper-random-v0", "antmaze-large-play-v2", "pen-human-v1"]
        {
            assert!(d4rl.apply(name, 1.0).is_ok(), "{name}");
        }
        // Gymnasium's tasks are no data sets.
        for name in ["maze2d-umaze-v2", "HalfCheetah-v5", "halfcheetahs-medium-v2", ""] {
            let error = d4rl.apply(name, 1.0).unwrap_err().to_string();
            assert!(error.contains("expected one of `halfcheetah-*`"), "{error}");
        }
        assert!(Normalisation::named("d4r1").unwrap_err().to_string().contains("did you mean `d4rl`?"));
    }

    #[test]
    fn files_are_normalised_task_by_task() {
        let text =
            "task,seed,score\nhopper-medium-v2,0,-20.272305\nantmaze-umaze-v2,0,0.25\nantmaze-umaze-v2,1,1\n";
        let file = parse_csv("s.csv", text.as_bytes()).unwrap();
        let normalised = Normalisation::named("d4rl").unwrap().scores(&file).unwrap();
        assert_eq!(normalised.algorithms["all"].tasks(), [vec![0.25, 1.0], vec![0.0]]);
        assert_eq!(normalised.seeds, file.seeds);
    }
}
