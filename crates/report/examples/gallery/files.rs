//! The gallery's files: figures of a recorded study, and figures of data that are invented for illustration.

use anyhow::{Context, Result};
use experiment::{Experiment, Statistics, Store};
use report::curves::reduce;
use report::figure::{Color, Figure, Marks, Panel, Scale, ScaleKind, default_columns};
use report::figures;
use report::files::{File, picture_files};
use report::pictures::{
    Arm, Caption, Course, Picture, Setting, aggregates, improvement, profiles, sample_efficiency, sweep,
};
use report::study::Study;
use report::verdicts::answers;
use stats::{RunScore, Scores};
use std::fmt::Write as _;
use std::path::Path;
use streams::Stream;

/// Stands above every figure of data that nobody measured, and begins its caption.
const INVENTED: &str = "Invented data";
const STATISTICS: Statistics =
    Statistics { iqr_factor: 1.5, confidence: 0.95, resamples: 2_000, seed: 0, final_share: 0.05 };
/// Of recorded studies, the pictures that are shown.
const RECORDED: [(&str, &str, &[&str]); 3] = [
    ("dai", "quick", &["learning-curves", "final-scores", "readings"]),
    ("dai", "anchor", &["published"]),
    ("drol", "early", &["routing"]),
];

/// Everything in `figures/gallery/`, from the records in the checkout at `root`.
pub(crate) fn files(root: &Path) -> Result<Vec<File>> {
    let mut files = invented()?;
    for (paper, profile, names) in RECORDED {
        files.extend(recorded(root, (paper, profile), names)?);
    }
    Ok(files)
}

/// Pictures of a recorded study, with its evaluations.
fn recorded(root: &Path, (paper, profile): (&str, &str), names: &[&str]) -> Result<Vec<File>> {
    let experiment = Experiment::read(root, paper)?;
    let study = Study::load(&experiment, profile, &Store::open(&root.join("results"), paper)?)?;
    let mut files = Vec::new();
    for mut picture in figures::pictures(&study, &answers(&study)) {
        if names.contains(&picture.name.as_str()) {
            picture.name = format!("{}-{paper}-{profile}", picture.name);
            files.extend(picture_files(&picture)?);
        }
    }
    let mut csv = "algorithm,task,seed,step,score\n".to_owned();
    for arm in study.tasks.iter().flat_map(|task| &task.arms) {
        for run in arm.runs() {
            for (step, score) in run.evaluations.learned() {
                writeln!(csv, "{},{},{},{step},{score}", arm.arm.id, run.config.task, run.config.seed)?;
            }
        }
    }
    files.push((format!("{paper}-{profile}.csv"), csv.into_bytes()));
    Ok(files)
}

/// One evaluation that never took place.
struct Score {
    arm: usize,
    task: usize,
    seed: u64,
    /// Environment steps, or the value of K.
    at: u64,
    score: f64,
}

const ARMS: [&str; 4] = ["Method A", "Method B", "Method C", "Ours"];
const COLORS: [Color; 4] = [Color::Vermillion, Color::Green, Color::Purple, Color::Blue];
const TASKS: [&str; 6] = ["Task 1", "Task 2", "Task 3", "Task 4", "Task 5", "Task 6"];
const SEEDS: u64 = 5;
const STEPS: u64 = 1_000_000;
const EVALUATIONS: u64 = 20;

fn invented() -> Result<Vec<File>> {
    let tasks = TASKS.map(str::to_owned);
    let setting = Setting {
        title: Some(INVENTED),
        tasks: &tasks,
        score: "a number that was made up for illustration",
        statistics: &STATISTICS,
    };
    let curves = invented_curves();
    let courses: Vec<Course> =
        (0..ARMS.len()).map(|arm| course(&curves, arm)).collect::<Option<_>>().context("a score")?;
    let at_end = |course: &Course| {
        let (_, scores) = course.points.last()?;
        let (label, color, planned) = (course.label.clone(), course.color, course.planned);
        Some(Arm { label, color, scores: scores.clone(), planned })
    };
    let arms: Vec<Arm> = courses.iter().map(at_end).collect::<Option<_>>().context("an evaluation")?;
    let ours = &arms[ARMS.len() - 1];
    let pairs: Vec<(&Arm, &Arm)> = arms[..ARMS.len() - 1].iter().map(|other| (ours, other)).collect();
    let swept = invented_sweep();
    let sweep_tasks = &tasks[..2];
    let sweeps: Vec<Course> =
        [0, 3].map(|arm| course(&swept, arm)).into_iter().collect::<Option<_>>().context("a score")?;
    let pictures = [
        learning_curves(&curves),
        aggregates(&setting, &arms),
        profiles(&setting, &arms),
        improvement(&setting, &pairs),
        sample_efficiency(&setting, &courses),
        sweep(
            &Setting { tasks: sweep_tasks, ..setting },
            "K",
            ("sweep", "IQM of scores", "The interquartile mean of all runs on all tasks"),
            &sweeps,
        ),
    ];
    let mut files = vec![
        ("invented.csv".to_owned(), csv(&curves, "step")),
        ("sweep-invented.csv".to_owned(), csv(&swept, "K")),
    ];
    for mut picture in pictures {
        picture.name += "-invented";
        files.extend(picture_files(&picture)?);
    }
    Ok(files)
}

/// A panel a task, with the note that two of six runs are missing on the last one.
fn learning_curves(scores: &[Score]) -> Picture {
    let panel = |task: usize| {
        let curve = |arm: usize| {
            let of = |seed: u64| -> Vec<(u64, f64)> {
                let run = scores.iter().filter(|s| (s.arm, s.task, s.seed) == (arm, task, seed));
                run.map(|s| (s.at, s.score)).collect()
            };
            let runs: Vec<_> = (0..SEEDS).map(of).filter(|run| !run.is_empty()).collect();
            reduce((ARMS[arm], COLORS[arm]), &runs, &STATISTICS, &format!("{task}/{arm}"))
        };
        let recorded = scores.iter().filter(|s| s.task == task && s.at == STEPS).count();
        let planned = ARMS.len() * SEEDS as usize;
        Panel {
            title: TASKS[task].to_owned(),
            note: (recorded < planned).then(|| format!("{recorded}/{planned} runs")),
            marks: Marks::Curves((0..ARMS.len()).map(curve).collect()),
            ..Panel::default()
        }
    };
    let panels: Vec<Panel> = (0..TASKS.len()).map(panel).collect();
    let text = "Scores that were made up for illustration. Line: median over 5 runs after the IQR rule, at each \
                evaluation; band: 95 % percentile bootstrap interval of that median (2,000 resamples); thin dashes: \
                median of all runs. Task 6 lacks 2 runs of Method C.";
    Picture {
        name: "learning-curves".to_owned(),
        figure: Figure {
            title: Some(INVENTED.to_owned()),
            columns: default_columns(panels.len()),
            panels,
            x: Scale::new("Environment steps", ScaleKind::Steps),
            y: Scale::new("Score", ScaleKind::Value),
            companion_label: "median of all runs".to_owned(),
        },
        caption: Caption { title: format!("{INVENTED}: learning curves"), text: text.to_owned() },
    }
}

/// Curves that rise to a plateau, with noise of the run and of the evaluation. Four decimals, so that no machine's last
/// bit shows.
fn invented_curves() -> Vec<Score> {
    let mut scores = Vec::new();
    for (arm, (plateau, half)) in
        [(0.62, 0.22), (0.78, 0.3), (0.85, 0.16), (1.02, 0.1)].into_iter().enumerate()
    {
        for (task, ease) in [1.15, 0.95, 0.8, 1.05, 0.7, 0.9].into_iter().enumerate() {
            for seed in 0..SEEDS {
                if arm == 2 && task == 5 && seed >= 3 {
                    continue;
                }
                let mut stream = Stream::new(seed, &format!("invented/{arm}/{task}"));
                let talent = 1.0 + 0.13 * stream.normal();
                for evaluation in 0..=EVALUATIONS {
                    let share = evaluation as f64 / EVALUATIONS as f64;
                    let level = plateau * ease * talent * share / (share + half) * (1.0 + half);
                    let score = level + 0.03 * (share + 0.1) * stream.normal();
                    scores.push(Score {
                        arm,
                        task,
                        seed,
                        at: evaluation * STEPS / EVALUATIONS,
                        score: round(score),
                    });
                }
            }
        }
    }
    scores
}

/// Scores that grow with every doubling of K, the less the larger it is.
fn invented_sweep() -> Vec<Score> {
    let mut scores = Vec::new();
    for (arm, base, gain) in [(0, 0.52, 0.02), (3, 0.55, 0.19)] {
        for (doublings, k) in [1, 2, 4, 8, 16, 32, 64].into_iter().enumerate() {
            for task in 0..2 {
                for seed in 0..SEEDS {
                    let mut stream = Stream::new(seed, &format!("invented-sweep/{arm}/{task}/{k}"));
                    let doublings = doublings as f64;
                    let level = base + gain * doublings / (1.0 + 0.35 * doublings) - 0.06 * task as f64;
                    scores.push(Score {
                        arm,
                        task,
                        seed,
                        at: k,
                        score: round(level + 0.05 * stream.normal()),
                    });
                }
            }
        }
    }
    scores
}

fn round(score: f64) -> f64 {
    (score * 1e4).round() / 1e4
}

/// An arm's scores at each position. `None` if there are none.
fn course(scores: &[Score], arm: usize) -> Option<Course> {
    let of_arm: Vec<&Score> = scores.iter().filter(|score| score.arm == arm).collect();
    let tasks = of_arm.iter().map(|score| score.task).max()? + 1;
    let mut positions: Vec<u64> = of_arm.iter().map(|score| score.at).collect();
    positions.sort_unstable();
    positions.dedup();
    let point = |&at: &u64| {
        let of_task = |task| {
            let runs = of_arm.iter().filter(|score| (score.task, score.at) == (task, at));
            runs.map(|score| RunScore::new(score.score)).collect::<Option<Vec<_>>>()
        };
        Some((at as f64, Scores::new((0..tasks).map(of_task).collect::<Option<_>>()?)?))
    };
    Some(Course {
        label: ARMS[arm].to_owned(),
        color: COLORS[arm],
        points: positions.iter().map(point).collect::<Option<_>>()?,
        planned: tasks * SEEDS as usize,
    })
}

fn csv(scores: &[Score], at: &str) -> Vec<u8> {
    let line = |s: &Score| format!("{},{},{},{},{}\n", ARMS[s.arm], TASKS[s.task], s.seed, s.at, s.score);
    let lines: String = scores.iter().map(line).collect();
    format!("algorithm,task,seed,{at},score\n{lines}").into_bytes()
}
