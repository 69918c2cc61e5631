//! The pictures of a study: those that say something at its size.

use crate::curves;
use crate::figure::{
    Color, Curve, Dots, Figure, Level, Marks, Panel, Pattern, Plane, Row, Scale, ScaleKind, Shape,
};
use crate::number::grouped;
use crate::pictures::{
    Arm, Caption, Course, Picture, Setting, aggregates, improvement, profiles, sample_efficiency,
};
use crate::results::{Comparison, FinalScore, comparisons, final_scores, in_words};
use crate::study::{ArmRuns, Study, TaskRuns};
use crate::verdicts::{Answer, ReadingAnswer};
use experiment::{Scene, Spot, Threshold};
use stats::{RunScore, Scores};
use std::collections::BTreeMap;

/// Learning curves always; final scores and verdicts where there is something to compare; what speaks of several tasks
/// where there are several.
#[must_use]
pub fn pictures(study: &Study, answers: &[Answer]) -> Vec<Picture> {
    let mut all = vec![curves::picture(study)];
    all.extend(logged(study));
    all.extend(scores(study));
    all.extend(references(study));
    all.extend(claims(study, answers));
    all.extend(over_tasks(study));
    all.extend(groups(study));
    all.extend(sweeps(study));
    all.extend(scene(study));
    all
}

/// What arms log beside losses and returns: a picture a column, over training.
fn logged(study: &Study) -> impl Iterator<Item = Picture> {
    let columns = [
        ("mean_horizon", "mean-horizon", "Steps of a plan", "How far plans go"),
        ("model_error", "model-error", "Distance of the next state", "What the model is off by"),
        ("offline_share", "offline-share", "Share of steps", "How often the offline policy acts"),
        ("bc_loss", "bc-loss", "Squared distance, a dimension", "How far actions are from the data's"),
        (
            "pairwise_distance",
            "candidates",
            "Distance, a dimension",
            "How far candidates are from each other",
        ),
    ];
    let steps = if study.is_offline() { "Updates" } else { "Environment steps" };
    let picture = move |(column, name, label, title): (&str, &str, &str, &str)| {
        let panel = |task: &TaskRuns| {
            let curve = |(arm, color): (&ArmRuns, Color)| {
                let runs: Vec<Vec<(u64, f64)>> = arm.runs().map(|run| run.logged(column)).collect();
                let purpose = format!("{column}/{}/{}", task.task.id, arm.arm.id);
                let statistics = &study.experiment.protocol.statistics;
                curves::reduce((&arm.arm.label, color), &runs, statistics, &purpose)
            };
            let arms = task.arms.iter().zip(curves::colors(task.arms.len()));
            let drawn = arms.map(curve).filter(|curve| !curve.x.is_empty());
            Panel {
                title: task.task.title.clone(),
                note: curves::missing(task),
                marks: Marks::Curves(drawn.collect()),
                x_end: Some(task.steps as f64),
                ..Panel::default()
            }
        };
        let panels: Vec<Panel> = study.tasks.iter().map(panel).collect();
        let is_empty = |panel: &Panel| matches!(&panel.marks, Marks::Curves(curves) if curves.is_empty());
        if panels.iter().all(is_empty) {
            return None;
        }
        let figure =
            Figure::new(panels, Scale::new(steps, ScaleKind::Steps), Scale::new(label, ScaleKind::Value));
        let text = format!(
            "Column {column} of train.csv: the mean since the last evaluation. Median over runs after the IQR rule, and a \
             {} % percentile bootstrap interval of that median, as learning curves have them.",
            grouped(100.0 * study.experiment.protocol.statistics.confidence, 0)
        );
        let title = format!("{title}, profile {}", study.profile.name);
        Some(Picture { name: name.to_owned(), figure, caption: Caption { title, text } })
    };
    columns.into_iter().filter_map(picture)
}

/// Each arm's final score, run by run: a panel a task. `None` with fewer than two arms.
fn scores(study: &Study) -> Option<Picture> {
    let arms = study.tasks.first()?.arms.len();
    let scores = final_scores(study);
    if arms < 2 || scores.iter().all(|score| score.runs.is_empty()) {
        return None;
    }
    let panel = |(task, scores): (&TaskRuns, &[FinalScore])| {
        let row = |(score, color): (&FinalScore, Color)| Row {
            label: score.label.clone(),
            color,
            center: score.median.unwrap_or(f64::NAN),
            interval: score.interval,
            runs: score.runs.clone(),
        };
        Panel {
            title: task.task.title.clone(),
            note: curves::missing(task),
            marks: Marks::Rows(scores.iter().zip(curves::colors(arms)).map(row).collect()),
            levels: curves::expert_levels(task),
            ..Panel::default()
        }
    };
    let panels: Vec<Panel> = study.tasks.iter().zip(scores.chunks(arms)).map(panel).collect();
    let figure =
        Figure::new(panels, Scale::new(study.measure(), ScaleKind::Value), Scale::new("", ScaleKind::Value));
    let statistics = &study.experiment.protocol.statistics;
    let short: Vec<String> = scores
        .iter()
        .filter(|score| score.runs.len() < score.planned)
        .map(|score| format!(" {} {}: {} of them.", score.task, score.label, score.runs.len()))
        .collect();
    let text = format!(
        "Line: median over runs of each run's mean over {}; discs: the runs; bar: {} % percentile bootstrap interval of that \
         median ({} resamples), which at so few runs covers less than it says. {} runs each.{}",
        in_words(statistics.final_window()),
        grouped(100.0 * statistics.confidence, 0),
        grouped(statistics.resamples as f64, 0),
        study.profile.seeds.get_ref().len(),
        short.concat()
    );
    let title = format!("Final scores, profile {}", study.profile.name);
    Some(Picture { name: "final-scores".to_owned(), figure, caption: Caption { title, text } })
}

/// Learning curves beside published scores of the same algorithm after as many steps: a panel a task that has such.
fn references(study: &Study) -> Option<Picture> {
    let comparisons = comparisons(study);
    let mut sources: Vec<&str> = Vec::new();
    for one in &comparisons {
        if !sources.contains(&&*one.source) {
            sources.push(&one.source);
        }
    }
    let panel = |task: &TaskRuns| {
        let here = || comparisons.iter().filter(|one| one.task == task.task.id);
        let arms: Vec<(&ArmRuns, Color)> = task
            .arms
            .iter()
            .zip(curves::colors(task.arms.len()))
            .filter(|(arm, _)| here().any(|one| one.label == arm.arm.label))
            .collect();
        let taken: Vec<Color> = arms.iter().map(|(_, color)| *color).collect();
        let free: Vec<Color> = Color::ALL.into_iter().filter(|color| !taken.contains(color)).collect();
        let looks = [Shape::Points, Shape::Rings].into_iter();
        let looks = looks.flat_map(|shape| free.iter().map(move |&color| (color, shape))).cycle();
        let ours = arms.into_iter().map(|(arm, color)| curves::of_arm(study, task, arm, color));
        let published = sources.iter().zip(looks).map(|(source, (color, shape))| {
            let mut curve = Curve::new(source, color, shape);
            // Several arms of one algorithm have the same published scores.
            let scores: BTreeMap<u64, &Comparison> =
                here().filter(|one| one.source == **source).map(|one| (one.steps, one)).collect();
            for (steps, one) in scores {
                let spread = one.spread.unwrap_or(f64::NAN);
                curve.x.push(steps as f64);
                curve.center.push(one.reference);
                curve.low.push(one.reference - spread);
                curve.high.push(one.reference + spread);
            }
            curve
        });
        here().next().is_some().then(|| Panel {
            title: task.task.title.clone(),
            note: curves::missing(task),
            marks: Marks::Curves(ours.chain(published.filter(|curve| !curve.x.is_empty())).collect()),
            x_end: Some(task.steps as f64),
            ..Panel::default()
        })
    };
    let panels: Vec<Panel> = study.tasks.iter().filter_map(panel).collect();
    if panels.is_empty() {
        return None;
    }
    let figure = Figure::new(
        panels,
        Scale::new(study.steps_axis(), ScaleKind::Steps),
        Scale::new(study.measure(), ScaleKind::Value),
    );
    let text = "Line and band: as in the learning curves. Marks: what others published of the same algorithm after as many \
                steps, ± the spread that they give, joined by lines. Their settings and versions of tasks may differ: \
                the table of references has them."
        .to_owned();
    let title = format!("Published scores beside ours, profile {}", study.profile.name);
    Some(Picture { name: "published".to_owned(), figure, caption: Caption { title, text } })
}

/// The interval of every reading that has one, and the claim's threshold: a panel a claim.
fn claims(study: &Study, answers: &[Answer]) -> Option<Picture> {
    let panel = |answer: &Answer| {
        let row = |reading: &ReadingAnswer| {
            let interval = reading.interval?;
            let color = match reading.verdict.name() {
                "reproduced" => Color::Green,
                "not reproduced" => Color::Vermillion,
                _ => Color::SkyBlue,
            };
            let (label, center) = (reading.reading.clone(), reading.point?);
            Some(Row { label, color, center, interval: Some(interval), runs: Vec::new() })
        };
        let rows: Vec<Row> = answer.readings.iter().filter_map(row).collect();
        let level = Level {
            label: match answer.threshold {
                Threshold::Above(_) => "claimed: more than this".to_owned(),
                Threshold::Below(_) => "claimed: less than this".to_owned(),
            },
            color: Color::Black,
            pattern: Pattern::Dashed,
            value: answer.threshold.value(),
        };
        (!rows.is_empty()).then(|| Panel {
            title: answer.claim.clone(),
            note: None,
            marks: Marks::Rows(rows),
            levels: vec![level],
            x_label: Some(upper(answer.compares.name())),
            x_end: None,
        })
    };
    let panels: Vec<Panel> = answers.iter().filter_map(panel).collect();
    if panels.is_empty() {
        return None;
    }
    let shown = panels.len();
    let figure = Figure::new(panels, Scale::new("", ScaleKind::Value), Scale::new("", ScaleKind::Value));
    let text = format!(
        "Each reading of a claim: line and bar, the metric and its {} % bootstrap interval over runs (of a least difference \
         over several tasks the upper end is the least of the tasks', each at its share of the error); dashed, the threshold. Green: reproduced; vermillion: not reproduced; sky blue: inconclusive. Metrics are relative gains \
         (1 is +100 %), ratios, or differences. {shown} of {} claims have an interval in \
         this profile.",
        grouped(100.0 * study.experiment.protocol.statistics.confidence, 0),
        answers.len(),
    );
    let title = format!("Claims and what was measured, profile {}", study.profile.name);
    Some(Picture { name: "readings".to_owned(), figure, caption: Caption { title, text } })
}

/// With a capital letter, as axes have it.
fn upper(label: &str) -> String {
    let mut letters = label.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// What is normalised and joined over tasks. Nothing with fewer than two tasks or arms, where an arm has no run, or where
/// a published score is not above 0.
fn over_tasks(study: &Study) -> Vec<Picture> {
    let arm_count = study.tasks.first().map_or(0, |task| task.arms.len());
    if study.tasks.len() < 2 || arm_count < 2 {
        return Vec::new();
    }
    let tasks: Vec<String> = study.tasks.iter().map(|task| task.task.id.clone()).collect();
    let arms: Option<Vec<Arm>> = (0..arm_count).map(|i| arm(study, i)).collect();
    let Some(arms) = arms else { return Vec::new() };
    let (of, divided_by) = units(study);
    let window = in_words(study.experiment.protocol.statistics.final_window());
    let score = format!("a run's {of} over {window}, divided by {divided_by}");
    let at_end = Setting {
        title: None,
        tasks: &tasks,
        score: &score,
        statistics: &study.experiment.protocol.statistics,
    };
    // The paper's arm is the last one.
    let pairs: Vec<(&Arm, &Arm)> =
        arms[..arm_count - 1].iter().map(|other| (&arms[arm_count - 1], other)).collect();
    let mut pictures =
        vec![aggregates(&at_end, &arms), profiles(&at_end, &arms), improvement(&at_end, &pairs)];
    let courses: Option<Vec<Course>> = (0..arm_count).map(|i| course(study, i)).collect();
    let score = format!("an evaluation's {of}, divided by {divided_by}");
    let along = Setting { score: &score, ..at_end };
    pictures.extend(courses.map(|courses| {
        let mut picture = sample_efficiency(&along, &courses);
        picture.figure.x = Scale::new(study.steps_axis(), ScaleKind::Steps);
        picture
    }));
    if study.tasks.iter().any(|task| task.expert().is_some()) {
        let texts = pictures.iter_mut().map(|picture| &mut picture.caption.text);
        texts.for_each(|text| text.push_str(" The steps that trained experts are not counted."));
    }
    pictures
}

/// Each arm's mean over a group of tasks, a panel a group, with the published means of arms that have one.
fn groups(study: &Study) -> Option<Picture> {
    let mut names: Vec<&str> = Vec::new();
    for name in study.tasks.iter().filter_map(|task| task.task.group.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let panels: Vec<Panel> = names.into_iter().filter_map(|name| group(study, name)).collect();
    let arms = study.tasks.first()?.arms.len();
    if panels.is_empty() || arms < 2 {
        return None;
    }
    let figure =
        Figure::new(panels, Scale::new(study.measure(), ScaleKind::Value), Scale::new("", ScaleKind::Value));
    let statistics = &study.experiment.protocol.statistics;
    let text = format!(
        "Line: mean over a group's tasks of each task's mean over runs, a run's score being its mean over {}; bar: {} % \
         percentile interval of a stratified bootstrap over runs ({} resamples), none where a task has one run only. \
         Dotted, in the arm's colour: the published mean of the whole group, where there is one of as many steps; its \
         spread, runs and protocol are in reference.toml, and intervals here are of our runs alone. A group that lacks \
         tasks has none.",
        in_words(statistics.final_window()),
        grouped(100.0 * statistics.confidence, 0),
        grouped(statistics.resamples as f64, 0),
    );
    let title = format!("Groups of tasks, profile {}", study.profile.name);
    Some(Picture { name: "groups".to_owned(), figure, caption: Caption { title, text } })
}

/// The panel of one group; nothing where an arm lacks runs on one of its tasks.
fn group(study: &Study, name: &str) -> Option<Panel> {
    let is_member = |task: &&TaskRuns| task.task.group.as_deref() == Some(name);
    let members: Vec<&TaskRuns> = study.tasks.iter().filter(is_member).collect();
    let all =
        study.experiment.protocol.task.iter().filter(|task| task.group.as_deref() == Some(name)).count();
    let is_whole = members.len() == all;
    let arms = || members[0].arms.iter().zip(curves::colors(members[0].arms.len())).enumerate();
    let row = |(i, (arm, color)): (usize, (&ArmRuns, Color))| {
        let scores = final_of(study, members.iter().map(|task| (&task.arms[i], 1.0)))?;
        let [center, low, high] = estimate(study, &scores);
        let interval = low.is_finite().then_some([low, high]);
        Some(Row { label: arm.arm.label.clone(), color, center, interval, runs: Vec::new() })
    };
    let level = |(_, (arm, color)): (usize, (&ArmRuns, Color))| {
        let steps = members[0].steps;
        let of = |source: &&experiment::Source| source.algorithm == arm.arm.label;
        let sources = study.experiment.reference.source.iter().filter(of);
        let mut scores = sources.flat_map(|source| source.scores.iter().map(move |score| (source, score)));
        let is_it = |(source, score): &(&experiment::Source, &experiment::Score)| {
            score.task == name && source.steps_of(score) == steps
        };
        let value = scores.find(is_it)?.1.value;
        Some(Level { label: String::new(), color, pattern: Pattern::Dotted, value })
    };
    let cells = || members.iter().flat_map(|task| &task.arms);
    let recorded = cells().map(|arm| arm.runs().count()).sum::<usize>();
    let planned = cells().map(|arm| arm.planned.len()).sum::<usize>();
    let missing = (recorded < planned).then(|| format!("{recorded}/{planned} runs"));
    Some(Panel {
        title: name.to_owned(),
        note: if is_whole { missing } else { Some(format!("{} of {all} tasks", members.len())) },
        marks: Marks::Rows(arms().map(row).collect::<Option<_>>()?),
        levels: arms().filter(|_| is_whole).filter_map(level).collect(),
        ..Panel::default()
    })
}

/// The mean over tasks, with its interval's ends; these are NaN where there is none.
fn estimate(study: &Study, scores: &Scores) -> [f64; 3] {
    let statistics = &study.experiment.protocol.statistics;
    let setting = Setting { title: None, tasks: &[], score: "", statistics };
    setting.estimate(scores, &|draw| scores.aggregate(stats::Aggregate::Mean, draw))
}

/// What is divided by what, so that tasks can be joined.
fn units(study: &Study) -> (&'static str, &'static str) {
    match study.tasks.first().and_then(|task| task.task.points) {
        Some(_) => ("mean normalised score", "100"),
        None => ("mean return", "the published score that the expert's goal is a share of (reference.toml)"),
    }
}

/// The arm's members: a task's runs with the score that they are divided by.
fn members(study: &Study, i: usize) -> impl Iterator<Item = (&ArmRuns, f64)> {
    study.tasks.iter().map(move |task| {
        let of = task.task.published.as_ref();
        let published = of.and_then(|of| study.experiment.reference.score(&of.source, &of.task));
        let unit = task.task.points.map(|_| 100.0).or(published.map(|score| score.value));
        (&task.arms[i], unit.unwrap_or(f64::NAN))
    })
}

fn arm(study: &Study, i: usize) -> Option<Arm> {
    let (label, color, planned) = identity(study, i)?;
    Some(Arm { label, color, scores: final_of(study, members(study, i))?, planned })
}

/// What runs scored at their end, each in its task's unit.
fn final_of<'a>(study: &Study, members: impl Iterator<Item = (&'a ArmRuns, f64)>) -> Option<Scores> {
    let window = study.experiment.protocol.statistics.final_window();
    let runs = |(arm, unit): (&ArmRuns, f64)| -> Option<Vec<RunScore>> {
        if unit.is_nan() || unit <= 0.0 {
            return None;
        }
        arm.window_means(window, None, 0)?.into_iter().map(|score| RunScore::new(score / unit)).collect()
    };
    Scores::new(members.map(runs).collect::<Option<Vec<_>>>()?)
}

fn identity(study: &Study, i: usize) -> Option<(String, Color, usize)> {
    let first = study.tasks.first()?;
    let planned = members(study, i).map(|(arm, _)| arm.planned.len()).sum();
    Some((first.arms[i].arm.label.clone(), curves::colors(first.arms.len()).nth(i)?, planned))
}

/// The arm's scores at every step at which all tasks were evaluated. What comes before others is left of 0.
fn course(study: &Study, i: usize) -> Option<Course> {
    let runs = |(arm, unit): (&ArmRuns, f64)| -> Vec<Vec<(u64, f64)>> {
        let of = |run: &experiment::Run| {
            run.evaluations.learned().map(|(step, score)| (step, score / unit)).collect()
        };
        arm.runs().map(of).collect()
    };
    let tasks: Vec<Vec<Vec<(u64, f64)>>> = members(study, i).map(runs).collect();
    let first = &study.tasks.first()?.arms[i];
    let shift = if study.is_before_others(&first.arm) { first.planned.first()?.0.steps } else { 0 };
    let at = |step: u64| {
        let of_run = |run: &Vec<(u64, f64)>| {
            RunScore::new(run.iter().find(|(other, _)| *other == step).map(|(_, score)| *score)?)
        };
        let of_task = |runs: &Vec<Vec<(u64, f64)>>| runs.iter().map(of_run).collect::<Option<Vec<_>>>();
        let scores = Scores::new(tasks.iter().map(of_task).collect::<Option<Vec<_>>>()?)?;
        Some((step as f64 - shift as f64, scores))
    };
    let steps = tasks.first()?.first()?.iter().map(|(step, _)| *step);
    let points = steps.filter_map(at).collect();
    let (label, color, planned) = identity(study, i)?;
    Some(Course { label, color, points, planned })
}

/// Final scores against the setting that the profile sweeps over, and columns of the log that depend on it.
fn sweeps(study: &Study) -> Vec<Picture> {
    let Some(sweep) = &study.profile.sweep else { return Vec::new() };
    let tasks: Vec<String> = study.tasks.iter().map(|task| task.task.id.clone()).collect();
    let (of, divided_by) = units(study);
    let window = in_words(study.experiment.protocol.statistics.final_window());
    let score = format!("a run's {of} over {window}, divided by {divided_by}");
    let statistics = &study.experiment.protocol.statistics;
    let setting = Setting { title: None, tasks: &tasks, score: &score, statistics };
    let label = study.tasks.first().and_then(|task| task.arms.last()).map(|arm| arm.arm.algorithm.name());
    let scores =
        swept(study, &sweep.setting, &|i| final_of(study, members(study, i))).map(|(points, planned)| {
            let label = label.unwrap_or_default().to_uppercase();
            let what = "The interquartile mean of all runs on all tasks";
            let course = Course { label, color: Color::ALL[0], points, planned };
            crate::pictures::sweep(&setting, &sweep.name, ("sweep", "IQM of scores", what), &[course])
        });
    let columns = [
        ("bc_loss", "sweep-bc-loss", "Squared distance from the data's action"),
        ("pairwise_distance", "sweep-spread", "Distance between candidates"),
    ];
    let logged = columns.into_iter().filter_map(|(column, name, axis)| {
        // Tasks have no common scale here: each has its own course.
        let of_task = |(t, task): (usize, &TaskRuns)| {
            let (points, planned) = swept(study, &sweep.setting, &|i| logged_of(study, &task.arms[i], column))?;
            let color = Color::ALL[t % Color::ALL.len()];
            Some(Course { label: task.task.title.clone(), color, points, planned: planned / tasks.len() })
        };
        let courses: Vec<Course> = study.tasks.iter().enumerate().filter_map(of_task).collect();
        let score = format!(
            "the mean of column {column} of train.csv, a dimension, over its rows at {window}, each the mean since the \
             evaluation before"
        );
        let what = "The interquartile mean of a task's runs";
        let setting = Setting { title: None, tasks: &tasks, score: &score, statistics };
        let picture = || crate::pictures::sweep(&setting, &sweep.name, (name, axis, what), &courses);
        (!courses.is_empty()).then(picture)
    });
    scores.into_iter().chain(logged).collect()
}

/// What `scores` gives for the arms of the paper's algorithm that differ in `setting` and have one value of it on all tasks;
/// nothing for fewer than two. With how many runs were planned at each.
fn swept(
    study: &Study,
    setting: &str,
    scores: &dyn Fn(usize) -> Option<Scores>,
) -> Option<(Vec<(f64, Scores)>, usize)> {
    let arms = &study.tasks.first()?.arms;
    let algorithm = arms.last()?.arm.algorithm;
    let mut points: Vec<(f64, Scores)> = Vec::new();
    let mut planned = 0;
    for i in (0..arms.len()).filter(|&i| arms[i].arm.algorithm == algorithm) {
        let runs = || members(study, i).flat_map(|(arm, _)| &arm.planned).map(|(config, _)| config);
        let mut values: Vec<f64> = runs().filter_map(|config| config.number(setting)).collect();
        values.dedup();
        let [value] = values[..] else { continue };
        if let Some(scores) = scores(i).filter(|_| points.iter().all(|(known, _)| *known != value)) {
            planned = planned.max(runs().count());
            points.push((value, scores));
        }
    }
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    (points.len() > 1).then_some((points, planned))
}

/// A column of the log at its end, a number a run of one task.
fn logged_of(study: &Study, arm: &ArmRuns, column: &str) -> Option<Scores> {
    let window = study.experiment.protocol.statistics.final_window();
    let runs = arm.window_means(window, Some(column), 0)?.into_iter().map(RunScore::new);
    Scores::new(vec![runs.collect::<Option<_>>()?])
}

/// What each arm's policy does in one state of its data: of the first task that has such records, each arm's first run.
fn scene(study: &Study) -> Option<Picture> {
    let of_arm =
        |arm: &'_ ArmRuns| arm.runs().find_map(|run| run.scene.clone().map(|scene| (scene, run.config.seed)));
    let of_task = |task: &'_ TaskRuns| {
        let arms = task.arms.iter().filter_map(|arm| Some((arm.arm.label.clone(), of_arm(arm)?)));
        let arms: Vec<(String, (Scene, u64))> = arms.collect();
        (!arms.is_empty()).then(|| (task.task.title.clone(), arms))
    };
    let (task, arms) = study.tasks.iter().find_map(of_task)?;
    let [x, y] = arms.first()?.1.0.plane;
    let panel = |(label, (scene, seed)): &(String, (Scene, u64))| Panel {
        title: label.clone(),
        note: Some(format!("seed {seed}")),
        marks: Marks::Plane(plane(scene)),
        ..Panel::default()
    };
    let figure = Figure::new(
        arms.iter().map(panel).collect(),
        Scale::new(&format!("Coordinate {x} of the action"), ScaleKind::Value),
        Scale::new(&format!("Coordinate {y} of the action"), ScaleKind::Value),
    );
    let text = format!(
        "{task}: one state of the data, drawn once at random and the same for all, at the end of training. Shades: the \
         lesser of both critics' values, darker is greater, from each panel's least to its greatest; coordinates that are \
         not shown are the data's. Dots are projections: their other coordinates differ, so that the shade below one is \
         not its value. Candidates are the draws among which training would choose, and the line goes from the data's \
         action to the one that it would: the nearest in all coordinates."
    );
    let title = format!("What policies do in one state, profile {}", study.profile.name);
    Some(Picture { name: "routing".to_owned(), figure, caption: Caption { title, text } })
}

fn plane(scene: &Scene) -> Plane {
    let at = |spot: &Spot| spot.at.map(f64::from);
    let dots = |label: &str, color, large, spots: &[Spot]| Dots {
        label: label.to_owned(),
        color,
        large,
        at: spots.iter().map(at).collect(),
    };
    let target = at(&scene.data);
    Plane {
        limit: scene.grid.iter().map(|spot| f64::from(spot.at[0])).fold(0.0, f64::max),
        side: scene.side(),
        values: scene.grid.iter().map(|spot| f64::from(spot.value)).collect(),
        dots: vec![
            dots("draws of the policy", Color::Black, false, &scene.draws),
            dots("candidates", Color::Vermillion, true, &scene.candidates),
            dots("the candidate that learns", Color::Orange, true, scene.winner.as_slice()),
            dots("the data's action", Color::Green, true, std::slice::from_ref(&scene.data)),
        ],
        links: scene.winner.as_ref().map(|winner| [target, at(winner)]).into_iter().collect(),
    }
}
