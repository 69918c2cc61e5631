//! The tables of a study.

use crate::effect::{self, Baseline, TaskScores};
use crate::number::{MISSING, grouped, percent_gain, plus_minus, significant, steps, with_interval};
use crate::results::{
    Comparison, FinalScore, Lies, final_scores, in_words, is_of, median, same_task, sources_of_scores,
};
use crate::study::{ArmRuns, Study, TaskRuns};
use crate::table::{Align, Cell, Table};
use crate::verdicts::{Answer, ReadingAnswer, Verdict};
use experiment::{Claim, Metric, Reading, Run, Score, Window};

/// How a study's scores are written.
fn score_format(study: &Study) -> impl Fn(f64) -> String + Copy {
    let decimals = study.decimals();
    move |x| grouped(x, decimals)
}

/// Final scores, the experts with their cost, and published numbers for the same task beside them.
#[must_use]
pub fn scores(study: &Study) -> Table {
    let measure = study.measure().to_lowercase();
    let mut table = Table::new([
        ("task", Align::Left),
        ("what", Align::Left),
        ("steps", Align::Right),
        ("runs", Align::Right),
        (if study.decimals() == 0 { "return" } else { &measure }, Align::Right),
        ("protocol", Align::Left),
    ]);
    let scores = final_scores(study);
    for task in &study.tasks {
        for score in scores.iter().filter(|score| score.task == task.task.id) {
            table.push(arm_row(study, score));
        }
        if let Some((_, expert)) = task.expert() {
            table.push([
                task.task.id.clone(),
                "expert".to_owned(),
                steps(expert.step),
                "1".to_owned(),
                plus_minus(expert.score, expert.score_std, score_format(study)),
                format!("mean of {} episodes ± their population standard deviation", expert.episodes),
            ]);
        }
        for source in sources_of_scores(study) {
            let is_beside = |score: &&Score| {
                let is_named = task.task.beside.contains(&score.task)
                    && task.arms.iter().any(|arm| is_of(source, &arm.arm));
                is_named || same_task(&score.task, &task.task.id)
            };
            for score in source.scores.iter().filter(is_beside) {
                let value = match score.spread {
                    Some(spread) => plus_minus(score.value, spread, score_format(study)),
                    None => score_format(study)(score.value),
                };
                table.push([
                    score.task.clone(),
                    format!("{}, {}", source.algorithm, source.id),
                    steps(source.steps_of(score)),
                    runs_of(source.seeds),
                    value,
                    match score.spread {
                        Some(_) => format!("{} ± {}", source.protocol, source.spread),
                        None => source.protocol.clone(),
                    },
                ]);
            }
        }
    }
    table
}

/// A median with its interval, where it has one.
fn measured(median: Option<f64>, interval: Option<[f64; 2]>, number: impl Fn(f64) -> String) -> String {
    match (median, interval) {
        (Some(median), Some([low, high])) => with_interval(median, low, high, number),
        (Some(median), None) => number(median),
        _ => MISSING.to_owned(),
    }
}

/// A source's runs.
fn runs_of(seeds: Option<u32>) -> String {
    seeds.map_or_else(|| "not stated".to_owned(), |seeds| seeds.to_string())
}

fn arm_row(study: &Study, score: &FinalScore) -> [Cell; 6] {
    let statistics = &study.experiment.protocol.statistics;
    let value = measured(score.median, score.interval, score_format(study));
    let protocol = format!(
        "median over runs of each run's mean over {} [{} % bootstrap]",
        in_words(statistics.final_window()),
        100.0 * statistics.confidence
    );
    [
        score.task.as_str().into(),
        score.label.as_str().into(),
        steps(score.steps).into(),
        format!("{}/{}", score.runs.len(), score.planned).into(),
        Cell::new(value, score.best),
        protocol.into(),
    ]
}

/// Our scores beside published ones of the same algorithm after as many steps. The difference is bold where its
/// interval does not hold 0.
#[must_use]
pub fn references(comparisons: &[Comparison]) -> Table {
    let round = |x: f64| grouped(x, 0);
    let mut table = Table::new([
        ("task", Align::Left),
        ("what", Align::Left),
        ("steps", Align::Right),
        ("ours", Align::Right),
        ("runs", Align::Right),
        ("reference", Align::Right),
        ("its runs", Align::Right),
        ("difference", Align::Right),
        ("our interval", Align::Left),
        ("reference is", Align::Left),
    ]);
    for row in comparisons {
        let reference = match row.spread {
            Some(spread) => plus_minus(row.reference, spread, round),
            None => round(row.reference),
        };
        let apart = row.difference_interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0);
        let lies = match row.lies {
            None if row.interval.is_none() => "one run has none".to_owned(),
            None => "no spread is known".to_owned(),
            Some(Lies::Overlaps) => "overlaps the reference ± spread".to_owned(),
            Some(lies) => format!("{} the reference ± spread", lies.name()),
        };
        let difference = measured(Some(row.difference), row.difference_interval, round);
        table.push([
            Cell::from(row.task.as_str()),
            row.label.as_str().into(),
            steps(row.steps).into(),
            measured(Some(row.ours), row.interval, round).into(),
            row.runs.to_string().into(),
            reference.into(),
            runs_of(row.reference_runs).into(),
            Cell::new(difference, apart),
            lies.into(),
            format!("{} ({}): {}", row.source, row.reference_task, row.protocol).into(),
        ]);
    }
    table
}

/// What every reading of the claims compares, by task: the numbers behind the verdicts.
#[must_use]
pub fn windows(study: &Study) -> Table {
    let mut table = Table::new([
        ("task", Align::Left),
        ("reading", Align::Left),
        ("arm", Align::Left),
        ("its median", Align::Right),
        ("baseline", Align::Left),
        ("its median", Align::Right),
        ("difference", Align::Right),
        ("relative gain", Align::Right),
    ]);
    // What several claims compare stands once.
    let mut seen: Vec<(&Claim, &Reading)> = Vec::new();
    let claims = study.experiment.claims.claim.iter();
    for (claim, reading) in claims.flat_map(|claim| claim.reading.iter().map(move |reading| (claim, reading)))
    {
        let is_same = |(other, another): &(&Claim, &Reading)| {
            (&other.arm, &other.baseline, another) == (&claim.arm, &claim.baseline, &reading)
        };
        if seen.iter().any(is_same) {
            continue;
        }
        seen.push((claim, reading));
        for task in &study.tasks {
            if let Some(row) = compared_row(study, task, claim, reading) {
                table.push(row);
            }
        }
    }
    table
}

/// What one reading compares on one task; nothing where runs are missing.
fn compared_row(study: &Study, task: &TaskRuns, claim: &Claim, reading: &Reading) -> Option<Vec<String>> {
    let scores = effect::scores(&study.experiment.reference, claim, reading, &[task]).ok()?;
    let [TaskScores { arm, baseline }] = scores.as_slice() else { return None };
    let purpose = |what: &str| {
        format!("windows/{}/{}/{}/{}/{what}", task.task.id, claim.arm, claim.baseline, reading.id)
    };
    // Columns of logs have scales of their own.
    let number = |x: f64| if reading.of.is_some() { significant(x) } else { score_format(study)(x) };
    let of_runs = |runs: &[f64], what: &str| {
        let (median, interval) = median(study, runs, &purpose(what));
        measured(median, interval, number)
    };
    let theirs = match baseline {
        Baseline::Runs(runs) => of_runs(runs, "baseline"),
        Baseline::Mean(mean, _) => number(mean.mean()),
    };
    let compared = |metric: Metric, what: &str, format: &dyn Fn(f64) -> String| {
        let estimate =
            effect::estimate(metric, &scores, &study.experiment.protocol.statistics, &purpose(what));
        match (estimate.point, estimate.interval) {
            (Some(point), Some([low, high])) if arm.len() > 1 => with_interval(point, low, high, format),
            (Some(point), Some(_)) => format(point),
            _ => "undefined".to_owned(),
        }
    };
    Some(vec![
        task.task.id.clone(),
        named(&reading.id, reading.of.as_ref()),
        claim.arm.clone(),
        of_runs(arm, "arm"),
        claim.baseline.clone(),
        theirs,
        compared(Metric::LeastDifference, "difference", &number),
        compared(Metric::RelativeGain, "gain", &percent_gain),
    ])
}

/// The experts, and what they cost.
#[must_use]
pub fn experts(study: &Study) -> Table {
    let mut columns = vec![
        ("task".to_owned(), Align::Left),
        ("goal".to_owned(), Align::Right),
        ("chosen at".to_owned(), Align::Right),
        ("score".to_owned(), Align::Right),
        ("episodes".to_owned(), Align::Right),
        ("kept after".to_owned(), Align::Right),
        ("steps trained".to_owned(), Align::Right),
        ("of the budget".to_owned(), Align::Right),
    ];
    let arms = study.experiment.arms(&study.profile);
    columns.extend(arms.map(|arm| (format!("{} reaches the goal", arm.label), Align::Right)));
    columns.extend([
        ("seed".to_owned(), Align::Right),
        ("configuration".to_owned(), Align::Left),
        ("SHA-256 of its weights".to_owned(), Align::Left),
    ]);
    let mut table = Table::new(columns.iter().map(|(name, align)| (name.as_str(), *align)));
    for task in &study.tasks {
        let Some((run, expert)) = task.expert() else { continue };
        let goal = run.config.expert.as_ref().map_or(f64::NAN, |goal| goal.goal);
        let mut row = vec![
            task.task.id.clone(),
            score_format(study)(goal),
            score_format(study)(expert.chosen_return),
            plus_minus(expert.score, expert.score_std, score_format(study)),
            expert.episodes.to_string(),
            steps(expert.step),
            steps(run.status.steps),
            format!("{} %", grouped(100.0 * run.status.steps as f64 / task.steps as f64, 0)),
        ];
        row.extend(task.arms.iter().map(|arm| reaches(arm, goal)));
        row.extend([run.config.seed.to_string(), run.config.id().to_string(), expert.weights_sha256.clone()]);
        table.push(row);
    }
    table
}

/// How many of an arm's runs have an evaluation at or above `goal`, and the steps until the first one of the first and of
/// the last run to have one.
fn reaches(arm: &ArmRuns, goal: f64) -> String {
    let first = |run: &Run| run.evaluations.learned().find(|(_, score)| *score >= goal).map(|(step, _)| step);
    if arm.runs().next().is_none() {
        return MISSING.to_owned();
    }
    let reached: Vec<u64> = arm.runs().filter_map(first).collect();
    let of = format!("{} of {}", reached.len(), arm.runs().count());
    match (reached.iter().min(), reached.iter().max()) {
        (Some(first), Some(last)) if first < last => format!("{of}: {} to {}", steps(*first), steps(*last)),
        (Some(first), _) => format!("{of}: {}", steps(*first)),
        _ => of,
    }
}

/// What each arm that comes after another ends with, beside what that one left and what it began with itself.
#[must_use]
pub fn online(study: &Study) -> Table {
    let end =
        format!("online, last {} %", grouped(100.0 * study.experiment.protocol.statistics.final_share, 0));
    let mut table = Table::new([
        ("task", Align::Left),
        ("arm", Align::Left),
        ("runs", Align::Right),
        ("offline, at the end", Align::Right),
        ("online, before the first step", Align::Right),
        (&end, Align::Right),
    ]);
    for task in &study.tasks {
        for arm in &task.arms {
            let before = task.arms.iter().find(|before| Some(&before.arm.id) == arm.arm.after.as_ref());
            let Some(before) = before else { continue };
            let score = |runs: &ArmRuns, name: &str, window| {
                let scores = runs.window_means(window, None, 0).unwrap_or_default();
                let purpose = format!("online/{}/{}/{name}", task.task.id, runs.arm.id);
                let (median, interval) = median(study, &scores, &purpose);
                measured(median, interval, score_format(study))
            };
            table.push([
                task.task.id.clone(),
                arm.arm.label.clone(),
                arm.runs().count().to_string(),
                score(before, "end", Window::At(1.0)),
                score(arm, "begin", Window::At(0.0)),
                score(arm, "end", study.experiment.protocol.statistics.final_window()),
            ]);
        }
    }
    table
}

/// Every claim's readings with the number behind each verdict: bold where the whole interval lies on one side of the
/// threshold.
#[must_use]
pub fn verdicts(answers: &[Answer]) -> Table {
    let mut table = Table::new([
        ("claim", Align::Left),
        ("reading", Align::Left),
        ("threshold", Align::Right),
        ("measured", Align::Right),
        ("difference", Align::Right),
        ("verdict", Align::Left),
        ("note", Align::Left),
    ]);
    for answer in answers {
        for reading in &answer.readings {
            let format = |x: f64| number((answer.compares, reading), x);
            let measured = match (reading.point, reading.interval) {
                (Some(point), Some([low, high])) => with_interval(point, low, high, format),
                _ => MISSING.to_owned(),
            };
            let decided = matches!(reading.verdict, Verdict::Reproduced | Verdict::NotReproduced);
            let difference = reading
                .point
                .map_or_else(|| MISSING.to_owned(), |point| format(point - answer.threshold.value()));
            table.push([
                Cell::from(answer.claim.as_str()),
                named(&reading.reading, reading.of.as_ref()).into(),
                format!("{} {}", answer.threshold.sign(), format(answer.threshold.value())).into(),
                Cell::new(measured, decided),
                difference.into(),
                reading.verdict.name().into(),
                reading.reason().into(),
            ]);
        }
    }
    table
}

/// Each claim in words with its verdict, and what it is a verdict on.
#[must_use]
pub fn claims(study: &Study, answers: &[Answer]) -> Table {
    let mut table = Table::new([
        ("claim", Align::Left),
        ("verdict", Align::Left),
        ("tasks", Align::Right),
        ("runs", Align::Right),
        ("length", Align::Left),
        ("profile", Align::Left),
        ("note", Align::Left),
    ]);
    for answer in answers {
        let runs = answer.readings.iter().map(|reading| reading.runs).max().unwrap_or(0);
        table.push([
            answer.statement.clone(),
            answer.verdict.name().to_owned(),
            answer.tasks.len().to_string(),
            runs.to_string(),
            study.length(),
            study.profile.name.clone(),
            answer.verdict.reason(),
        ]);
    }
    table
}

/// A reading's name, with the column of the logs that it compares.
pub(crate) fn named(reading: &str, of: Option<&String>) -> String {
    of.map_or_else(|| reading.to_owned(), |column| format!("{reading}, {column}"))
}

/// A number of a reading's metric.
pub(crate) fn number((metric, reading): (Metric, &ReadingAnswer), x: f64) -> String {
    match (metric, reading.decimals) {
        (Metric::RelativeGain, _) => percent_gain(x),
        (Metric::Ratio, _) => grouped(x, 2) + "×",
        (Metric::Difference | Metric::LeastDifference, Some(decimals)) => grouped(x, decimals),
        (Metric::Difference | Metric::LeastDifference, None) => significant(x),
    }
}

/// Every planned run: what became of it.
#[must_use]
pub fn runs(study: &Study) -> Table {
    let mut table = Table::new([
        ("task", Align::Left),
        ("arm", Align::Left),
        ("seed", Align::Right),
        ("state", Align::Left),
    ]);
    for (config, state) in study.planned() {
        table.push([config.task.clone(), config.arm.clone(), config.seed.to_string(), state.words()]);
    }
    table
}
