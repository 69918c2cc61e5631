//! Learning curves: at each evaluation the median over runs after the IQR rule, and its bootstrap interval.

use crate::figure::{Color, Curve, Figure, HorizontalLine, Panel, Pattern, default_columns};
use crate::number::{grouped, steps};
use crate::study::{ArmRuns, State, Study, TaskRuns};
use experiment::Statistics;
use std::fmt::Write as _;

/// An arm's curve on one task.
struct Reduced {
    curve: Curve,
    /// How many values the IQR rule dropped, over all evaluations.
    dropped: usize,
    values: usize,
}

/// The figure of a study: a panel a task.
#[must_use]
pub fn figure(study: &Study) -> Figure {
    let panels: Vec<Panel> = study.tasks.iter().map(|task| panel(study, task)).collect();
    Figure {
        columns: default_columns(panels.len()),
        panels,
        x_label: "Environment steps".to_owned(),
        y_label: "Evaluation return".to_owned(),
        companion_label: "median of all runs".to_owned(),
    }
}

fn panel(study: &Study, task: &TaskRuns) -> Panel {
    let statistics = &study.experiment.protocol.statistics;
    let curves =
        task.arms.iter().zip(colors(task)).map(|(arm, color)| reduce(task, arm, color, statistics).curve);
    let expert = task.expert.as_ref().and_then(|run| run.expert.as_ref());
    let lines = expert.map(|expert| HorizontalLine {
        label: "expert".to_owned(),
        color: Color::Orange,
        pattern: Pattern::Dashed,
        value: expert.score,
    });
    let planned: usize = task.arms.iter().map(|arm| arm.planned.len()).sum();
    let recorded: usize = task.arms.iter().map(|arm| arm.runs().count()).sum();
    Panel {
        title: task.task.title.clone(),
        note: (recorded < planned).then(|| format!("{recorded}/{planned} runs")),
        curves: curves.collect(),
        lines: lines.into_iter().collect(),
        x_end: Some(study.profile.steps as f64),
    }
}

/// The last arm, which is the paper's, is blue and on top.
fn colors(task: &TaskRuns) -> impl Iterator<Item = Color> {
    let baselines = task.arms.len() - 1;
    Color::ALL.into_iter().skip(1).take(baselines).chain([Color::ALL[0]])
}

fn reduce(task: &TaskRuns, arm: &ArmRuns, color: Color, statistics: &Statistics) -> Reduced {
    let label = arm.arm.label.clone();
    let mut curve =
        Curve { label, color, steps: vec![], center: vec![], low: vec![], high: vec![], companion: None };
    let runs: Vec<Vec<(u64, f64)>> = arm.runs().map(|run| run.evaluations.learned().collect()).collect();
    let (mut companion, mut dropped, mut count) = (Vec::new(), 0, 0);
    for i in 0..runs.iter().map(Vec::len).min().unwrap_or(0) {
        let values: Vec<f64> = runs.iter().map(|run| run[i].1).collect();
        let Some(filter) = stats::iqr_filter(&values, statistics.iqr_factor) else { continue };
        let purpose = format!("{}/{}/{}", task.task.id, arm.arm.id, runs[0][i].0);
        let replicates = stats::bootstrap_sample(
            &filter.kept,
            statistics.resamples,
            statistics.seed,
            &purpose,
            stats::median_in_place,
        );
        let interval = replicates.interval(statistics.confidence);
        curve.steps.push(runs[0][i].0 as f64);
        curve.center.push(stats::median(&filter.kept).unwrap_or(f64::NAN));
        curve.low.push(interval.map_or(f64::NAN, |interval| interval.low));
        curve.high.push(interval.map_or(f64::NAN, |interval| interval.high));
        companion.push(stats::median(&values).unwrap_or(f64::NAN));
        dropped += filter.dropped.len();
        count += values.len();
    }
    // Where nothing was dropped the two medians are the same line.
    curve.companion = (dropped > 0).then_some(companion);
    Reduced { curve, dropped, values: count }
}

/// The figure's caption, from the data.
#[must_use]
pub fn caption(study: &Study) -> String {
    let protocol = &study.experiment.protocol;
    let statistics = &protocol.statistics;
    let mut text = format!(
        "**Learning curves, profile `{}`** ({} steps). Return of the learner's own policy over {} episodes without \
         noise, from the same start states every time. Line: median over runs after the IQR rule (type-7 quartiles, \
         k = {}). Band: nominal {} % percentile bootstrap interval of that median ({} resamples); with few runs it \
         covers less, about 85 % at six runs after the rule. ",
        study.profile_name,
        steps(study.profile.steps),
        protocol.evaluation.episodes,
        statistics.iqr_factor,
        100.0 * statistics.confidence,
        grouped(statistics.resamples as f64, 0),
    );
    for task in &study.tasks {
        let arms: Vec<String> = task
            .arms
            .iter()
            .zip(colors(task))
            .map(|(arm, color)| {
                let reduced = reduce(task, arm, color, statistics);
                let recorded = arm.runs().count();
                let drops = match reduced.dropped {
                    0 if recorded <= 3 => "the IQR rule cannot drop any of so few".to_owned(),
                    0 => "none dropped".to_owned(),
                    n => format!("{n} of {} values dropped, thin dashes: median of all runs", reduced.values),
                };
                format!("{} {recorded}/{} runs ({drops})", arm.arm.label, arm.planned.len())
            })
            .collect();
        let _ = write!(
            text,
            "{}, evaluated every {} steps: {}",
            task.task.id,
            steps(task.every),
            arms.join("; ")
        );
        if let Some((run, expert)) = task.expert.as_ref().and_then(|run| Some((run, run.expert.as_ref()?))) {
            let _ = write!(
                text,
                "; expert {} (mean of {} episodes), a TD3 policy after {} steps of its own run (seed {}), which the \
                 step axis does not count",
                grouped(expert.score, 0),
                expert.episodes,
                steps(expert.step),
                run.config.seed
            );
        }
        text.push_str(". ");
    }
    let lost: Vec<String> = study
        .planned()
        .filter(|(_, state)| !matches!(state, State::Recorded(_)))
        .map(|(config, state)| {
            let why = if let State::Failed(_) = state { "failed" } else { "missing" };
            format!("{} {} seed {} ({why})", config.task, config.arm, config.seed)
        })
        .collect();
    if !lost.is_empty() {
        let _ = write!(text, "Not in the figure: {}. ", lost.join(", "));
    }
    text.trim_end().to_owned() + "\n"
}
