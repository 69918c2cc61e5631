//! Learning curves: at each evaluation the median over runs after the IQR rule, and its bootstrap interval.

use crate::figure::{Color, Curve, Figure, Level, Marks, Panel, Pattern, Scale, ScaleKind, Shape};
use crate::number::{grouped, steps};
use crate::pictures::{Caption, Picture};
use crate::study::{ArmRuns, State, Study, TaskRuns};
use experiment::Statistics;
use stats::Coverage;
use std::fmt::Write as _;

/// The IQR rule cannot drop any of so many runs or fewer.
const FEW: usize = 3;

/// The picture of a study: a panel a task.
#[must_use]
pub fn picture(study: &Study) -> Picture {
    let panels: Vec<Panel> = study.tasks.iter().map(|task| panel(study, task)).collect();
    let figure = Figure::new(
        panels,
        Scale::new(study.steps_axis(), ScaleKind::Steps),
        Scale::new(study.measure(), ScaleKind::Value),
    );
    Picture { name: "learning-curves".to_owned(), figure, caption: caption(study) }
}

fn panel(study: &Study, task: &TaskRuns) -> Panel {
    let arms = task.arms.iter().zip(colors(task.arms.len()));
    let curves = arms.flat_map(|(arm, color)| {
        let guided = guided(arm, color);
        [of_arm(study, task, arm, color)].into_iter().chain(guided)
    });
    Panel {
        title: task.task.title.clone(),
        note: missing(task),
        marks: Marks::Curves(curves.collect()),
        levels: expert_levels(task),
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

/// The expert's score, where any of the task's runs is there to compare with it.
pub(crate) fn expert_levels(task: &TaskRuns) -> Vec<Level> {
    let has_runs = task.arms.iter().any(|arm| arm.runs().next().is_some());
    let level =
        |value| Level { label: "expert".to_owned(), color: Color::Orange, pattern: Pattern::Dashed, value };
    task.expert().filter(|_| has_runs).map(|(_, expert)| level(expert.score)).into_iter().collect()
}

/// The last of so many arms, which is the paper's, is blue and on top. Where there are more than colours, others share one.
pub(crate) fn colors(arms: usize) -> impl Iterator<Item = Color> {
    Color::ALL[1..].iter().copied().cycle().take(arms.saturating_sub(1)).chain([Color::ALL[0]])
}

/// Each run's evaluations.
fn evaluations(arm: &ArmRuns) -> Vec<Vec<(u64, f64)>> {
    arm.runs().map(|run| run.evaluations.learned().collect()).collect()
}

/// An arm's curve on one task.
pub(crate) fn of_arm(study: &Study, task: &TaskRuns, arm: &ArmRuns, color: Color) -> Curve {
    let runs = evaluations(arm);
    let purpose = format!("{}/{}", task.task.id, arm.arm.id);
    let mut curve = reduce((&arm.arm.label, color), &runs, &study.experiment.protocol.statistics, &purpose);
    if study.is_before_others(&arm.arm) {
        let end = arm.planned.first().map_or(0, |(config, _)| config.steps);
        curve.x.iter_mut().for_each(|x| *x -= end as f64);
    }
    curve
}

/// What acts while an expert guides an arm, the median over all runs; nothing where none does.
fn guided(arm: &ArmRuns, color: Color) -> Option<Curve> {
    arm.arm.dai.as_ref()?;
    let runs: Vec<Vec<(u64, f64)>> = arm.runs().map(|run| run.evaluations.guided().collect()).collect();
    let mut curve = Curve::new(&format!("{} with its expert", arm.arm.label), color, Shape::Dotted);
    for (step, values) in at_each(&runs) {
        curve.x.push(step as f64);
        curve.center.push(stats::median(&values).unwrap_or(f64::NAN));
    }
    (curve.low, curve.high) = (vec![f64::NAN; curve.x.len()], vec![f64::NAN; curve.x.len()]);
    (!curve.x.is_empty()).then_some(curve)
}

/// The steps of evaluations that all runs have, and each run's score at them.
fn at_each(runs: &[Vec<(u64, f64)>]) -> impl Iterator<Item = (u64, Vec<f64>)> {
    let common = runs.iter().map(Vec::len).min().unwrap_or(0);
    (0..common).map(|i| (runs[0][i].0, runs.iter().map(|run| run[i].1).collect()))
}

/// How many of the scores that a curve is made of the IQR rule drops, and how many there are.
fn dropped(runs: &[Vec<(u64, f64)>], statistics: &Statistics) -> (usize, usize) {
    at_each(runs).fold((0, 0), |(dropped, all), (_, values)| {
        let filter = stats::iqr_filter(&values, statistics.iqr_factor);
        (dropped + filter.map_or(0, |filter| filter.dropped.len()), all + values.len())
    })
}

/// The curve of `runs`, each a list of steps and scores, as far as all of them go; its companion is the median of all runs,
/// where the IQR rule dropped any. `purpose` names the random stream.
#[must_use]
pub fn reduce(
    (label, color): (&str, Color),
    runs: &[Vec<(u64, f64)>],
    statistics: &Statistics,
    purpose: &str,
) -> Curve {
    let mut curve = Curve::new(label, color, Shape::Line);
    let (mut companion, mut dropped) = (Vec::new(), false);
    for (step, values) in at_each(runs) {
        let Some(filter) = stats::iqr_filter(&values, statistics.iqr_factor) else { continue };
        let replicates = stats::bootstrap_sample(
            &filter.kept,
            statistics.resamples,
            statistics.seed,
            &format!("{purpose}/{step}"),
            stats::median_in_place,
        );
        let interval = replicates.interval(statistics.confidence);
        curve.x.push(step as f64);
        curve.center.push(stats::median(&filter.kept).unwrap_or(f64::NAN));
        curve.low.push(interval.map_or(f64::NAN, |interval| interval.low));
        curve.high.push(interval.map_or(f64::NAN, |interval| interval.high));
        companion.push(stats::median(&values).unwrap_or(f64::NAN));
        dropped |= !filter.dropped.is_empty();
    }
    // Where nothing was dropped the two medians are the same line.
    curve.companion = dropped.then_some(companion);
    curve
}

fn caption(study: &Study) -> Caption {
    let statistics = &study.experiment.protocol.statistics;
    let of_tasks: Vec<String> = study.tasks.iter().map(|task| of_task(study, task)).collect();
    let expert = study.tasks.iter().any(|task| task.expert().is_some());
    let arms = study.experiment.arms(&study.profile);
    let drawn: Vec<&str> =
        arms.filter(|arm| arm.algorithm.draws_when_evaluated()).map(|arm| arm.label.as_str()).collect();
    let mut text = format!(
        "{} steps, {} runs each. {} of the learner's own policy without noise{}, from the same start states every time. \
         Line: median over runs after the IQR rule (type-7 quartiles, k = {}), {}. Band: nominal {} % percentile \
         bootstrap interval of that median ({} resamples){}.{} {} ",
        study.steps(),
        study.profile.seeds.get_ref().len(),
        study.measure().trim_end_matches(", %"),
        if drawn.is_empty() {
            String::new()
        } else {
            format!(", but with the draws of its algorithm's evaluation ({})", drawn.join("; "))
        },
        statistics.iqr_factor,
        if study.profile.seeds.get_ref().len() <= FEW {
            "which can drop none of so few"
        } else {
            "and where that dropped any, in thin dashes, of all runs"
        },
        100.0 * statistics.confidence,
        grouped(statistics.resamples as f64, 0),
        covers(study.profile.seeds.get_ref().len()),
        if expert {
            " Dotted: the median over all runs of what acts while an expert guides, the blend of the two. Experts are TD3 policies \
             of runs of their own, which the step axis does not count."
        } else {
            ""
        },
        of_tasks.join(" "),
    );
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
    let title = format!("Learning curves, profile {}", study.profile.name);
    Caption { title, text: text.trim_end().to_owned() }
}

/// What a caption says of how much the band of so few runs covers.
fn covers(runs: usize) -> String {
    let words = |known: Coverage| {
        format!(
            "; of {} runs of normal data it holds the true one in about {} %",
            known.runs, known.after_iqr_rule
        )
    };
    Coverage::of(runs).map(words).unwrap_or_default()
}

/// What a caption says of a task: how it is evaluated, what is particular to an arm, and the expert.
fn of_task(study: &Study, task: &TaskRuns) -> String {
    let every = task.evaluation.every;
    let particular = |arm: &ArmRuns| {
        let (recorded, planned) = (arm.runs().count(), arm.planned.len());
        let own = arm.planned.first().map_or(every, |(config, _)| config.evaluation.every);
        let mut words = Vec::new();
        if recorded < planned {
            words.push(format!("{recorded} of {planned} runs"));
        }
        if own != every {
            words.push(format!("every {} steps", steps(own)));
        }
        if recorded > FEW {
            let (dropped, all) = dropped(&evaluations(arm), &study.experiment.protocol.statistics);
            words.push(format!("{dropped} of {all} values dropped"));
        }
        (!words.is_empty()).then(|| format!("{}: {}", arm.arm.label, words.join(", ")))
    };
    let mut words =
        vec![format!("{}, {} episodes every {} steps", task.task.id, task.evaluation.episodes, steps(every))];
    words.extend(task.arms.iter().filter_map(particular));
    if let Some((run, expert)) = task.expert() {
        let trained = run.status.steps;
        let longer = if trained > expert.step { format!(" of {}", steps(trained)) } else { String::new() };
        words.push(format!(
            "expert: {} (mean of {} episodes) after {}{longer} steps, seed {}",
            grouped(expert.score, 0),
            expert.episodes,
            steps(expert.step),
            run.config.seed
        ));
    }
    words.join("; ") + "."
}
