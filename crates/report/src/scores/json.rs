//! `{"algorithm": [[score of run 0 on each task], …], …}`.

use super::{ByRun, Name, ScoreFile, gather, slot, unreadable};
use diagnostics::BadInput;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeSet;

/// The object's entries in order. A map would drop all but the last of two with one name.
struct Matrices(Vec<(String, Vec<Vec<f64>>)>);

impl<'de> Deserialize<'de> for Matrices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Matrices;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of one matrix of scores an algorithm")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Matrices, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Matrices(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads `text`, which came from the file `shown`. JSON names neither tasks nor seeds: tasks are called by their
/// numbers, and runs of two algorithms are not paired.
///
/// # Errors
/// [`BadInput`] if the text is damaged, has two matrices of one name, a matrix of unequal rows, or no scores.
pub fn parse_json(shown: &str, text: &str) -> Result<ScoreFile, BadInput> {
    // Some editors begin a file with the mark of its byte order.
    let text = text.trim_start_matches('\u{feff}');
    let Matrices(matrices) = serde_json::from_str(text).map_err(|error| {
        let not_finite = ["NaN", "Infinity"].iter().any(|word| text.contains(word));
        let hint = if not_finite {
            "; `NaN` and `Infinity` are no JSON: a diverged run needs a number too"
        } else {
            ""
        };
        unreadable(shown, &format!("{error}{hint}"))
    })?;
    let mut known = BTreeSet::new();
    let mut runs = ByRun::new();
    for (algorithm, rows) in &matrices {
        if !known.insert(algorithm) {
            return Err(BadInput::new(format!("{shown}: `{algorithm}` stands there twice"))
                .help("give every algorithm one matrix and a name of its own"));
        }
        let tasks = rows.first().map_or(0, Vec::len);
        let of_algorithm = slot(&mut runs, algorithm);
        for (run, row) in rows.iter().enumerate() {
            if row.len() != tasks {
                return Err(BadInput::new(format!(
                    "{shown}: run {run} of `{algorithm}` has {} scores, and run 0 has {tasks}",
                    row.len()
                ))
                .help("give every run one score a task; where runs are missing, use CSV"));
            }
            for (task, score) in row.iter().enumerate() {
                let of_task = of_algorithm.entry(Name::number(task)).or_default();
                of_task.insert(Name::number(run), *score);
            }
        }
    }
    let mut file = gather(shown, runs)?;
    file.seeds.clear();
    Ok(file)
}
