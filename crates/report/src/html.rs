//! A study as one web page that needs nothing beside it: verdicts first, then figures, tables, what trained each run and
//! how to train it again, and what differs from the paper.
//!
//! Names and texts come from anybody's files. The template escapes every one of them; what it takes as markup is our own
//! SVG and the notes, whose raw HTML is text.

mod notes;

use crate::figure;
use crate::number::{MISSING, steps};
use crate::pictures::Picture;
use crate::results::{comparisons, in_words, in_words_of, same_task};
use crate::study::{State, Study};
use crate::table::{Align, Table};
use crate::tables;
use crate::verdicts::{Answer, ReadingAnswer};
use anyhow::{Context, Result};
use diagnostics::quoted;
use experiment::{Device, Provenance, Run, RunConfig};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, escape_formatter};
use serde::Serialize;
use stats::Coverage;

#[derive(Serialize)]
struct Page {
    title: String,
    cite: String,
    paper: String,
    profile: String,
    about: String,
    tasks: Vec<String>,
    arms: Vec<String>,
    seeds: usize,
    length: String,
    recorded: usize,
    planned: usize,
    tallies: Vec<(&'static str, Vec<Tally>)>,
    coverage: String,
    claims: Vec<Claim>,
    figures: Vec<Picked>,
    tables: Vec<Grid>,
    sources: Vec<Source>,
    runs: Vec<Row>,
    programs: Vec<Program>,
    notes: Option<String>,
    command: String,
}

/// How many claims have a verdict.
#[derive(Serialize)]
struct Tally {
    verdict: &'static str,
    class: String,
    count: usize,
}

#[derive(Serialize)]
struct Claim {
    statement: String,
    cite: String,
    metric: String,
    tasks: String,
    verdict: &'static str,
    class: String,
    reason: String,
    readings: Vec<Reading>,
}

#[derive(Serialize)]
struct Reading {
    name: String,
    window: String,
    threshold: String,
    measured: String,
    interval: String,
    runs: usize,
    verdict: &'static str,
    class: String,
    reason: String,
    strip: Option<Strip>,
}

/// Places on a strip, in per cent of its width.
#[derive(Serialize)]
struct Strip {
    left: String,
    width: String,
    point: String,
    threshold: String,
}

#[derive(Serialize)]
struct Picked {
    name: String,
    svg: String,
    title: String,
    text: String,
}

#[derive(Serialize)]
struct Grid {
    name: &'static str,
    title: &'static str,
    about: String,
    columns: Vec<(String, &'static str)>,
    rows: Vec<Vec<Text>>,
}

#[derive(Serialize)]
struct Text {
    text: String,
    bold: bool,
    class: &'static str,
}

#[derive(Serialize)]
struct Source {
    id: String,
    algorithm: String,
    steps: String,
    seeds: Option<u32>,
    protocol: String,
    spread: String,
    cite: String,
}

/// A planned run.
#[derive(Serialize)]
struct Row {
    task: String,
    arm: String,
    seed: u64,
    steps: String,
    state: String,
    recorded: bool,
    name: String,
    /// The number of its program, from 1.
    program: Option<usize>,
    took: String,
    /// Of all its files; empty where it is not recorded.
    digest: String,
    command: Option<String>,
}

/// What trained some of the runs, and where.
#[derive(Serialize)]
struct Program {
    provenance: Provenance,
    runs: usize,
}

/// The page of `study`. It depends on its records, its pictures and the paper's files, and on nothing else.
///
/// # Errors
/// If a record cannot be read, or its `provenance.toml` is damaged.
pub fn page(study: &Study, answers: &[Answer], pictures: &[Picture]) -> Result<String> {
    let protocol = &study.experiment.protocol;
    let (runs, programs) = runs(study)?;
    let page = Page {
        title: protocol.title.clone(),
        cite: protocol.cite.clone(),
        paper: study.experiment.paper.clone(),
        profile: study.profile.name.clone(),
        about: study.profile.about.trim().to_owned(),
        tasks: study.tasks.iter().map(|task| task.task.id.clone()).collect(),
        arms: study.experiment.arms(&study.profile).map(|arm| arm.label.clone()).collect(),
        seeds: study.profile.seeds.get_ref().len(),
        length: study.length(),
        recorded: study.planned().filter(|(_, state)| matches!(state, State::Recorded(_))).count(),
        planned: study.planned().count(),
        tallies: tallies(answers),
        coverage: coverage(study.profile.seeds.get_ref().len()),
        claims: answers.iter().map(|answer| claim(study, answer)).collect(),
        figures: pictures.iter().map(picked).collect(),
        tables: grids(study),
        sources: sources(study),
        runs,
        programs,
        notes: study.experiment.notes.as_deref().map(|notes| notes::html(&figure::clean(notes))),
        command: format!(
            "cargo xtask report --paper {} --profile {}",
            quoted(&study.experiment.paper),
            quoted(&study.profile.name)
        ),
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.context("failed to set the template's syntax")?);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => escape_formatter(out, state, &figure::clean(text).into()),
        _ => escape_formatter(out, state, value),
    });
    environment.add_template("report", include_str!("html/report.html.jinja"))?;
    let html = environment.get_template("report")?.render(Serde(&page));
    html.context("failed to fill the page's template")
}

/// What intervals of so few runs are worth.
fn coverage(runs: usize) -> String {
    let words = |Coverage { runs, median, difference, .. }| {
        format!(
            "Of {runs} runs an arm, where they are normal, the nominal 95 % interval of one arm's median holds the true one \
             in about {median} % of cases, and that of two arms' difference on one task in about {difference} %."
        )
    };
    Coverage::of(runs).map(words).unwrap_or_default()
}

/// How many claims have which verdict: the paper's, and those that are ours.
fn tallies(answers: &[Answer]) -> Vec<(&'static str, Vec<Tally>)> {
    let (ours, theirs): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.cite.starts_with("ours"));
    let tally = |answers: &[&Answer]| {
        let verdicts = ["reproduced", "not reproduced", "inconclusive", "missing"];
        let count = |verdict| answers.iter().filter(|answer| answer.verdict.name() == verdict).count();
        let tally = |verdict| Tally { verdict, class: class(verdict), count: count(verdict) };
        verdicts.into_iter().map(tally).filter(|tally| tally.count > 0).collect()
    };
    let all = [("The paper's claims", tally(&theirs)), ("Claims of ours", tally(&ours))];
    all.into_iter().filter(|(_, tally): &(_, Vec<Tally>)| !tally.is_empty()).collect()
}

/// A verdict's class in the style sheet.
fn class(verdict: &str) -> String {
    verdict.replace(' ', "-")
}

fn claim(study: &Study, answer: &Answer) -> Claim {
    let claim = study.experiment.claims.claim.iter().find(|claim| claim.id == answer.claim);
    let window = |id: &str| {
        let reading = claim.into_iter().flat_map(|claim| &claim.reading).find(|reading| reading.id == id);
        let words = |reading: &experiment::Reading| {
            let what = if reading.of.is_some() { "logged value" } else { "evaluation" };
            let mut words = in_words_of(reading.window, what);
            if reading.baseline_window() != reading.window {
                words += &format!("; of the baseline {}", in_words_of(reading.baseline_window(), what));
            }
            if reading.counts_expert {
                words += "; of the baseline as many steps later as its expert was trained for";
            }
            words
        };
        reading.map_or_else(String::new, words)
    };
    Claim {
        statement: answer.statement.clone(),
        cite: answer.cite.clone(),
        metric: answer.metric.clone(),
        tasks: answer.tasks.join(", "),
        verdict: answer.verdict.name(),
        class: class(answer.verdict.name()),
        reason: answer.verdict.reason(),
        readings: answer.readings.iter().map(|of| reading(answer, of, window(&of.reading))).collect(),
    }
}

fn reading(answer: &Answer, reading: &ReadingAnswer, window: String) -> Reading {
    let format = |x: f64| tables::number((answer.compares, reading), x);
    let none = || MISSING.to_owned();
    let measured = reading.point.zip(reading.interval);
    Reading {
        name: tables::named(&reading.reading, reading.of.as_ref()),
        window,
        threshold: format!("{} {}", answer.threshold.sign(), format(answer.threshold.value())),
        measured: reading.point.map_or_else(none, format),
        // Of an undefined metric the interval speaks for some resamples only: it is not shown.
        interval: measured
            .map_or_else(none, |(_, [low, high])| format!("{} to {}", format(low), format(high))),
        runs: reading.runs,
        verdict: reading.verdict.name(),
        class: class(reading.verdict.name()),
        reason: reading.reason(),
        strip: measured.map(|(point, interval)| strip(point, interval, answer.threshold.value())),
    }
}

/// Point, interval and threshold on a strip that spans them all.
fn strip(point: f64, [low, high]: [f64; 2], threshold: f64) -> Strip {
    let (least, most) = (low.min(threshold).min(point), high.max(threshold).max(point));
    let room = if most > least { 0.06 * (most - least) } else { 1.0 };
    let (least, most) = (least - room, most + room);
    let at = |x: f64| 100.0 * (x - least) / (most - least);
    let text = |share: f64| format!("{share:.1}");
    Strip {
        left: text(at(low)),
        width: text(at(high) - at(low)),
        point: text(at(point)),
        threshold: text(at(threshold)),
    }
}

fn picked(picture: &Picture) -> Picked {
    Picked {
        name: picture.name.clone(),
        svg: figure::svg(&picture.figure),
        title: picture.caption.title.clone(),
        text: picture.caption.text.clone(),
    }
}

fn grids(study: &Study) -> Vec<Grid> {
    let final_window = in_words(study.experiment.protocol.statistics.final_window());
    let scores = format!(
        "Ours: the median over runs of each run's mean over {final_window}, with its bootstrap interval; bold where the \
         interval of its difference from every other arm lies above 0. Published numbers for the same task below, or for \
         what a stand-in stands in for: other versions, data, budgets and protocols, so read the first and the last column."
    );
    let all = [
        ("scores", "Final scores", scores, tables::scores(study)),
        (
            "references",
            "Beside published numbers of the same algorithm after as many steps",
            "Ours: the final score beside numbers of the whole budget, the evaluation at that step beside those of fewer \
             steps, with the interval of our runs. The difference's interval holds the reference's uncertainty too, where \
             its spread and runs are known; the difference is bold where that does not hold 0."
                .to_owned(),
            tables::references(&comparisons(study)),
        ),
        (
            "online",
            "From offline to online",
            "Medians over runs, with their intervals. The offline policy is scored by its mean action.".to_owned(),
            tables::online(study),
        ),
        (
            "experts",
            "Experts and what they cost",
            "The policy nearest to the goal, of a run of its own, which ends at the first evaluation that reaches that. An \
             evaluation that was chosen for being high is partly luck: the score is of fresh episodes. The run's steps are on \
             no axis; readings that end in -counted count them. All runs of a task share one expert, so no interval holds the \
             draw of it. How many runs reach the goal, and when first, says how lucky a draw it was, of arms that no expert \
             guides and whose runs are as long as its own."
                .to_owned(),
            tables::experts(study),
        ),
        (
            "windows",
            "What every reading compares",
            "Medians over runs of each run's mean in the window, their difference and relative gain, each with its \
             bootstrap interval; a gain is undefined where the baseline is not surely above 0."
                .to_owned(),
            tables::windows(study),
        ),
    ];
    let filled = all.into_iter().filter(|(.., table)| !table.rows().is_empty());
    filled.map(|(name, title, about, table)| grid(name, title, about, &table)).collect()
}

fn grid(name: &'static str, title: &'static str, about: String, table: &Table) -> Grid {
    let class = |align: Align| match align {
        Align::Left => "words",
        Align::Right => "number",
        Align::Center => "mark",
    };
    let columns = table.columns().iter().map(|column| (column.name.clone(), class(column.align))).collect();
    let row = |row: &Vec<crate::table::Cell>| {
        let cells = row.iter().zip(table.columns());
        cells
            .map(|(cell, column)| Text {
                text: cell.text.clone(),
                bold: cell.bold,
                class: class(column.align),
            })
            .collect()
    };
    Grid { name, title, about, columns, rows: table.rows().iter().map(row).collect() }
}

/// The sources of published numbers that some table shows.
fn sources(study: &Study) -> Vec<Source> {
    let shown = |source: &&experiment::Source| {
        let tasks = || study.tasks.iter().map(|task| &task.task.id);
        source.scores.iter().any(|score| tasks().any(|task| same_task(&score.task, task)))
    };
    let told = |source: &experiment::Source| Source {
        id: source.id.clone(),
        algorithm: source.algorithm.clone(),
        steps: steps(source.steps),
        seeds: source.seeds,
        protocol: source.protocol.clone(),
        spread: source.spread.clone(),
        cite: source.cite.clone(),
    };
    study.experiment.reference.source.iter().filter(shown).map(told).collect()
}

/// Every planned run, experts first, and the programs that trained them.
fn runs(study: &Study) -> Result<(Vec<Row>, Vec<Program>)> {
    let mut programs: Vec<Program> = Vec::new();
    let mut rows = Vec::new();
    let mut program = |run: &Run| -> Result<Option<usize>> {
        let Some(provenance) = run.provenance()? else { return Ok(None) };
        // What a run starts and learns from is its own; the rest is the program's and the machine's.
        let provenance =
            Provenance { expert_sha256: None, networks_sha256: None, data_sha256: None, ..provenance };
        let known = programs.iter().position(|program| program.provenance == provenance);
        let at = known.unwrap_or_else(|| {
            programs.push(Program { provenance, runs: 0 });
            programs.len() - 1
        });
        programs[at].runs += 1;
        Ok(Some(at + 1))
    };
    for run in study.tasks.iter().filter_map(|task| task.expert.as_ref()) {
        rows.push(Row { program: program(run)?, ..recorded(&run.config, run, None)? });
    }
    for (config, state) in study.planned() {
        let command = Some(train(study, config));
        rows.push(match state {
            State::Recorded(run) => Row { program: program(run)?, ..recorded(config, run, command)? },
            State::Failed(_) | State::Missing => unrecorded(config, state.words(), command),
        });
    }
    Ok((rows, programs))
}

fn recorded(config: &RunConfig, run: &Run, command: Option<String>) -> Result<Row> {
    Ok(Row {
        steps: steps(run.status.steps),
        took: duration(run.timing.seconds),
        recorded: true,
        digest: run.digest()?,
        ..unrecorded(config, "recorded".to_owned(), command)
    })
}

fn unrecorded(config: &RunConfig, state: String, command: Option<String>) -> Row {
    Row {
        task: config.task.clone(),
        arm: config.arm.clone(),
        seed: config.seed,
        steps: steps(config.steps),
        state,
        recorded: false,
        name: config.id().to_string(),
        program: None,
        took: String::new(),
        digest: String::new(),
        command,
    }
}

/// `41 min 3 s`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{minutes} min {rest} s"),
        _ => format!("{hours} h {minutes} min {rest} s"),
    }
}

/// The command that trains a run again, beside the record.
fn train(study: &Study, config: &RunConfig) -> String {
    format!(
        "cargo xtask train --paper {} --profile {} --task {} --arm {} --seed {}{} --results again",
        quoted(&study.experiment.paper),
        quoted(&study.profile.name),
        quoted(&config.task),
        quoted(&config.arm),
        config.seed,
        if config.device == Device::Cuda { " --device cuda" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_the_units_that_they_need() {
        let check = |seconds, expect: &str| assert_eq!(duration(seconds), expect);
        check(0.04, "0.0 s");
        check(12.34, "12.3 s");
        check(207.598, "3 min 28 s");
        check(7384.0, "2 h 3 min 4 s");
        check(360_000.0, "100 h 0 min 0 s");
    }

    #[test]
    fn a_strip_holds_interval_and_threshold() {
        let strip = strip(2.0, [1.0, 3.0], 9.0);
        assert_eq!([strip.left, strip.width, strip.point, strip.threshold], ["5.4", "22.3", "16.5", "94.6"]);
        let single = super::strip(1.0, [1.0, 1.0], 1.0);
        assert_eq!([single.left, single.width, single.point], ["50.0", "0.0", "50.0"]);
    }
}
