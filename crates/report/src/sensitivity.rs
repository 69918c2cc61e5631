//! Would a verdict be another if what the paper leaves open were defined another way?

use crate::effect::{Definition, RECORDED};
use crate::number::MISSING;
use crate::study::Study;
use crate::table::{Align, Table};
use crate::tables::named;
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
    columns.push(("a task less", Align::Left));
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
    let others = OTHERS.map(|(name, definition)| (name.to_owned(), verdict(definition)));
    let without = |i: usize| {
        let (task, mut others) = (tasks[i].task.id.as_str(), tasks.clone());
        others.remove(i);
        (format!("without {task}"), read(study, claim, reading, &others, RECORDED).verdict.name())
    };
    let fewer: Vec<(String, &str)> =
        if tasks.len() > 1 { (0..tasks.len()).map(without).collect() } else { Vec::new() };
    let is_other = |(_, verdict): &&(String, &str)| *verdict != recorded;
    let told: Vec<String> =
        fewer.iter().filter(is_other).map(|(name, verdict)| format!("{verdict} {name}")).collect();
    let fewer_told = match (fewer.is_empty(), told.is_empty()) {
        (true, _) => MISSING.to_owned(),
        (false, true) => recorded.to_owned(),
        (false, false) => told.join(", "),
    };
    let changing: Vec<&str> =
        others.iter().chain(&fewer).filter(is_other).map(|(name, _)| name.as_str()).collect();
    let changing = if changing.is_empty() { "none".to_owned() } else { changing.join(", ") };
    let cells = [claim.id.clone(), named(&reading.id, reading.of.as_ref()), recorded.to_owned()].into_iter();
    let cells = cells.chain(others.iter().map(|(_, other)| (*other).to_owned()));
    Some(cells.chain([fewer_told, changing]).collect())
}
