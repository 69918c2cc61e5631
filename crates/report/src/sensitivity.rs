//! Would a verdict be another if what the paper leaves open were defined another way?

use crate::effect::{Definition, RECORDED};
use crate::study::Study;
use crate::table::{Align, Table};
use crate::verdicts::{read, tasks_of};
use experiment::{Claim, Reading};

/// The definitions beside the one that verdicts are given by, each with one thing changed.
const OTHERS: [(&str, Definition); 3] = [
    ("mean over runs", Definition { mean_of_runs: true, ..RECORDED }),
    ("IQR rule first", Definition { drop_outliers: true, ..RECORDED }),
    ("median over tasks", Definition { median_of_tasks: true, ..RECORDED }),
];

/// Each reading of each claim by each definition, and which of them would change its verdict. A reading of which runs
/// or evaluations are missing is left out.
#[must_use]
pub fn sensitivity(study: &Study) -> Table {
    let mut columns = vec![("claim", Align::Left), ("reading", Align::Left), ("as recorded", Align::Left)];
    columns.extend(OTHERS.map(|(name, _)| (name, Align::Left)));
    columns.push(("changes with", Align::Left));
    let mut table = Table::new(columns);
    for claim in &study.experiment.claims.claim {
        for reading in &claim.reading {
            table_row(study, claim, reading).into_iter().for_each(|row| table.push(row));
        }
    }
    table
}

fn table_row(study: &Study, claim: &Claim, reading: &Reading) -> Option<Vec<String>> {
    let tasks = tasks_of(study, claim);
    let verdict = |definition| read(study, claim, reading, &tasks, definition).verdict.name();
    let recorded = verdict(RECORDED);
    if recorded == "missing" {
        return None;
    }
    let others = OTHERS.map(|(name, definition)| (name, verdict(definition)));
    let changing: Vec<&str> =
        others.iter().filter(|(_, other)| *other != recorded).map(|(name, _)| *name).collect();
    let changing = if changing.is_empty() { "none".to_owned() } else { changing.join(", ") };
    let cells = [claim.id.as_str(), &reading.id, recorded].into_iter().chain(others.map(|(_, other)| other));
    Some(cells.map(str::to_owned).chain([changing]).collect())
}
