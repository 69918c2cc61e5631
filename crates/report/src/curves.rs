//! Learning curves: at each evaluation the median over runs after the IQR rule, and its bootstrap interval.

use crate::figure::{
    Color, Curve, Figure, Level, Marks, Panel, Pattern, Scale, ScaleKind, Shape, default_columns,
};
use crate::number::{grouped, steps};
use crate::pictures::{Caption, Picture};
use crate::study::{ArmRuns, State, Study, TaskRuns};
use experiment::Statistics;
use std::fmt::Write as _;

/// An arm's curve on one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduced {
    /// The curve; its companion is the median of all runs, where the rule dropped any.
    pub curve: Curve,
    /// How many values the IQR rule dropped, over all evaluations.
    pub dropped: usize,
    /// How many values there were.
    pub values: usize,
}

/// The picture of a study: a panel a task.
#[must_use]
pub fn picture(study: &Study) -> Picture {
    let panels: Vec<Panel> = study.tasks.iter().map(|task| panel(study, task)).collect();
    let figure = Figure {
        title: None,
        columns: default_columns(panels.len()),
        panels,
        x: Scale::new(study.steps_axis(), ScaleKind::Steps),
        y: Scale::new(study.measure(), ScaleKind::Value),
        companion_label: "median of all runs".to_owned(),
    };
    Picture { name: "learning-curves".to_owned(), figure, caption: caption(study) }
}

fn panel(study: &Study, task: &TaskRuns) -> Panel {
    let arms = task.arms.iter().zip(colors(task.arms.len()));
    let expert = task.expert.as_ref().and_then(|run| run.expert.as_ref());
    Panel {
        title: task.task.title.clone(),
        note: missing(task),
        marks: Marks::Curves(arms.map(|(arm, color)| of_arm(study, task, arm, color).curve).collect()),
        levels: expert.map(|expert| expert_level(expert.score)).into_iter().collect(),
        x_end: (!study.is_offline()).then_some(task.steps as f64),
        x_label: None,
    }
}

/// `5/6 runs`, where fewer are recorded than planned.
pub(crate) fn missing(task: &TaskRuns) -> Option<String> {
    let planned: usize = task.arms.iter().map(|arm| arm.planned.len()).sum();
    let recorded: usize = task.arms.iter().map(|arm| arm.runs().count()).sum();
    (recorded < planned).then(|| format!("{recorded}/{planned} runs"))
}

pub(crate) fn expert_level(value: f64) -> Level {
    Level { label: "expert".to_owned(), color: Color::Orange, pattern: Pattern::Dashed, value }
}

/// The last of so many arms, which is the paper's, is blue and on top. Where there are more than colours, others share one.
pub(crate) fn colors(arms: usize) -> impl Iterator<Item = Color> {
    Color::ALL[1..].iter().copied().cycle().take(arms.saturating_sub(1)).chain([Color::ALL[0]])
}

fn of_arm(study: &Study, task: &TaskRuns, arm: &ArmRuns, color: Color) -> Reduced {
    let runs: Vec<Vec<(u64, f64)>> = arm.runs().map(|run| run.evaluations.learned().collect()).collect();
    let purpose = format!("{}/{}", task.task.id, arm.arm.id);
    let mut reduced = reduce((&arm.arm.label, color), &runs, &study.experiment.protocol.statistics, &purpose);
    if study.is_before_others(&arm.arm) {
        let end = arm.planned.first().map_or(0, |(config, _)| config.steps);
        reduced.curve.x.iter_mut().for_each(|x| *x -= end as f64);
    }
    reduced
}

/// The curve of `runs`, each a list of steps and scores, as far as all of them go. `purpose` names the random stream.
#[must_use]
pub fn reduce(
    (label, color): (&str, Color),
    runs: &[Vec<(u64, f64)>],
    statistics: &Statistics,
    purpose: &str,
) -> Reduced {
    let mut curve = Curve {
        label: label.to_owned(),
        color,
        shape: Shape::Line,
        x: vec![],
        center: vec![],
        low: vec![],
        high: vec![],
        companion: None,
    };
    let (mut companion, mut dropped, mut count) = (Vec::new(), 0, 0);
    for i in 0..runs.iter().map(Vec::len).min().unwrap_or(0) {
        let values: Vec<f64> = runs.iter().map(|run| run[i].1).collect();
        let Some(filter) = stats::iqr_filter(&values, statistics.iqr_factor) else { continue };
        let replicates = stats::bootstrap_sample(
            &filter.kept,
            statistics.resamples,
            statistics.seed,
            &format!("{purpose}/{}", runs[0][i].0),
            stats::median_in_place,
        );
        let interval = replicates.interval(statistics.confidence);
        curve.x.push(runs[0][i].0 as f64);
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

fn caption(study: &Study) -> Caption {
    let statistics = &study.experiment.protocol.statistics;
    let mut text = format!(
        "{} steps. {} of the learner's own policy without noise, from the same start states every time. \
         Line: median over runs after the IQR rule (type-7 quartiles, k = {}). Band: nominal {} % percentile bootstrap interval of that median ({} resamples); with few runs it \
         covers less, about 85 % at six runs after the rule. ",
        study.steps(),
        study.measure().trim_end_matches(", %"),
        statistics.iqr_factor,
        100.0 * statistics.confidence,
        grouped(statistics.resamples as f64, 0),
    );
    for task in &study.tasks {
        let arms: Vec<String> = task
            .arms
            .iter()
            .zip(colors(task.arms.len()))
            .map(|(arm, color)| {
                let reduced = of_arm(study, task, arm, color);
                let recorded = arm.runs().count();
                let drops = match reduced.dropped {
                    0 if recorded <= 3 => "the IQR rule cannot drop any of so few".to_owned(),
                    0 => "none dropped".to_owned(),
                    n => format!("{n} of {} values dropped, thin dashes: median of all runs", reduced.values),
                };
                let own = arm.planned.first().map(|(config, _)| config.evaluation.every);
                let interval = match own.filter(|own| *own != task.evaluation.every) {
                    Some(own) => format!(", every {} steps", steps(own)),
                    None => String::new(),
                };
                format!("{} {recorded}/{} runs{interval} ({drops})", arm.arm.label, arm.planned.len())
            })
            .collect();
        let _ = write!(
            text,
            "{}, {} episodes every {} steps: {}",
            task.task.id,
            task.evaluation.episodes,
            steps(task.evaluation.every),
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
    let title = format!("Learning curves, profile {}", study.profile_name);
    Caption { title, text: text.trim_end().to_owned() }
}
