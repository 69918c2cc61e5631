//! Pictures of arms over several tasks, each with its caption: aggregates, performance profiles, probability of
//! improvement, sample efficiency, sweeps. The statistics are those of Agarwal et al. 2021 ([`stats::Scores`]); every
//! interval is a percentile interval of a stratified bootstrap over runs.

use crate::figure::{Color, Curve, Figure, Level, Marks, Panel, Pattern, Row, Scale, ScaleKind, Shape};
use crate::number::grouped;
use experiment::Statistics;
use stats::{Aggregate, Resample, Scores, probability_of_improvement};

/// A figure with the words that belong below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The files' name, without extension.
    pub name: String,
    /// What is drawn.
    pub figure: Figure,
    /// What it shows.
    pub caption: Caption,
}

/// What stands below a figure: written from the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// A few words.
    pub title: String,
    /// What is drawn, of how many runs, with which interval, and what is missing.
    pub text: String,
}

impl Caption {
    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        format!("**{}.** {}\n", self.title, self.text)
    }
}

/// What the pictures of one comparison share.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Stands above every figure, and begins every caption.
    pub title: Option<&'a str>,
    /// The tasks' names.
    pub tasks: &'a [String],
    /// What a score is, such as `return ÷ published return`.
    pub score: &'a str,
    /// Of the intervals.
    pub statistics: &'a Statistics,
}

/// One arm's scores on all tasks, all on one scale.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name.
    pub label: String,
    /// Its colour in every figure.
    pub color: Color,
    /// A score a run.
    pub scores: Scores,
    /// How many runs were planned, over all tasks.
    pub planned: usize,
}

/// One arm's scores at every point of a curve: after so many steps, or at such a setting.
#[derive(Debug, Clone)]
pub struct Course {
    /// Its name.
    pub label: String,
    /// Its colour.
    pub color: Color,
    /// By position on the horizontal axis, ascending.
    pub points: Vec<(f64, Scores)>,
    /// How many runs were planned at each point, over all tasks.
    pub planned: usize,
}

/// Median, IQM, mean and optimality gap of each arm.
#[must_use]
pub fn aggregates(setting: &Setting<'_>, arms: &[Arm]) -> Picture {
    let metrics = [
        ("Median", Aggregate::Median),
        ("IQM", Aggregate::Iqm),
        ("Mean", Aggregate::Mean),
        ("Optimality gap", Aggregate::OptimalityGap { gamma: 1.0 }),
    ];
    let panels = metrics.map(|(title, aggregate)| {
        let row = |arm: &Arm| {
            let of = |draw: &Resample| arm.scores.aggregate(aggregate, draw);
            let [center, low, high] = setting.estimate(&arm.scores, &of);
            let interval = low.is_finite().then_some([low, high]);
            Row { label: arm.label.clone(), color: arm.color, center, interval, runs: Vec::new() }
        };
        let marks = Marks::Rows(arms.iter().map(row).collect());
        Panel { title: title.to_owned(), marks, ..Panel::default() }
    });
    let figure = Figure {
        columns: panels.len(),
        x: Scale::new("Score", ScaleKind::Value),
        y: Scale::new("", ScaleKind::Value),
        ..setting.figure(panels.to_vec())
    };
    let what = "Median and mean over tasks of each task's mean over runs; IQM of all runs on all tasks (a quarter cut \
                off at each end); optimality gap, how far runs stay below 1 on average: there less is better.";
    setting.picture(("aggregates", "Aggregates"), what, "Bar", figure, &counts(arms))
}

/// The share of runs on all tasks above each score.
#[must_use]
pub fn profiles(setting: &Setting<'_>, arms: &[Arm]) -> Picture {
    let scores = || arms.iter().flat_map(|arm| arm.scores.tasks()).flatten().copied();
    let (low, high) = (scores().fold(0.0, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
    let curve = |arm: &Arm| {
        // A profile falls at the arm's own scores and is level between them.
        let mut x: Vec<f64> = arm.scores.tasks().iter().flatten().copied().chain([low, high]).collect();
        x.sort_by(f64::total_cmp);
        x.dedup();
        let at = |tau: &f64| setting.estimate(&arm.scores, &|draw| Some(arm.scores.share_above(*tau, draw)));
        let points: Vec<[f64; 3]> = x.iter().map(at).collect();
        curve(&arm.label, arm.color, Shape::Stairs, x, &points)
    };
    let marks = Marks::Curves(arms.iter().map(curve).collect());
    let panel = Panel { marks, ..Panel::default() };
    let figure = Figure {
        x: Scale::new("Score τ", ScaleKind::Tight),
        y: Scale::new("Share of runs above τ", ScaleKind::Share),
        ..setting.figure(vec![panel])
    };
    let what = "The share of runs on all tasks whose score is greater than τ. Where one line lies above another at \
                every τ, its arm is the better one.";
    setting.picture(
        ("profiles", "Performance profiles"),
        what,
        "Band, at each τ on its own",
        figure,
        &counts(arms),
    )
}

/// The probability that a run of each pair's first arm beats one of its second on a task.
///
/// # Panics
/// If the arms of a pair have different tasks.
#[must_use]
pub fn improvement(setting: &Setting<'_>, pairs: &[(&Arm, &Arm)]) -> Picture {
    let row = |(x, y): &(&Arm, &Arm)| {
        let tasks = x.scores.tasks().len();
        let of = |draw: &Resample| {
            probability_of_improvement((&x.scores, &draw[..tasks]), (&y.scores, &draw[tasks..]))
        };
        let center =
            of(&[x.scores.all(), y.scores.all()].concat()).expect("the arms of a pair share their tasks");
        let interval = setting.interval(&[x.scores.runs(), y.scores.runs()].concat(), "improvement", &of);
        let label = format!("{} > {}", x.label, y.label);
        Row { label, color: x.color, center, interval, runs: Vec::new() }
    };
    let panel = Panel {
        marks: Marks::Rows(pairs.iter().map(row).collect()),
        levels: vec![Level {
            label: String::new(),
            color: Color::Black,
            pattern: Pattern::Dashed,
            value: 0.5,
        }],
        ..Panel::default()
    };
    let figure = Figure {
        x: Scale::new("P(X > Y)", ScaleKind::Share),
        y: Scale::new("", ScaleKind::Value),
        ..setting.figure(vec![panel])
    };
    let what = "The probability that a run of the first arm scores higher than a run of the second on the same task, \
                averaged over tasks; a tie counts one half, and the dashed line is at one half. It does not say by how \
                much.";
    let counts = counts(pairs.iter().flat_map(|(x, y)| [*x, *y]));
    setting.picture(("improvement", "Probability of improvement"), what, "Bar", figure, &counts)
}

/// The IQM over tasks after so many steps.
#[must_use]
pub fn sample_efficiency(setting: &Setting<'_>, courses: &[Course]) -> Picture {
    let figure = Figure {
        x: Scale::new("Environment steps", ScaleKind::Steps),
        ..course_figure(setting, courses, Shape::Line)
    };
    let what = "The interquartile mean of all runs on all tasks at each evaluation.";
    let counts = course_counts(courses);
    setting.picture(
        ("sample-efficiency", "Sample efficiency"),
        what,
        "Band, at each evaluation on its own",
        figure,
        &counts,
    )
}

/// The IQM at each value of the setting `name`, an axis of doublings. The picture has a name, says something on its
/// vertical axis, and shows something, such as `The interquartile mean of all runs on all tasks`.
#[must_use]
pub fn sweep(
    setting: &Setting<'_>,
    name: &str,
    (file, axis, what): (&str, &str, &str),
    courses: &[Course],
) -> Picture {
    let figure = Figure {
        x: Scale::new(name, ScaleKind::Doubling),
        y: Scale::new(axis, ScaleKind::Value),
        ..course_figure(setting, courses, Shape::Points)
    };
    let what = format!("{what} at each {name}; what shares one {name} stands side by side.");
    setting.picture((file, &format!("{axis} over {name}")), &what, "Bar", figure, &course_counts(courses))
}

fn course_figure(setting: &Setting<'_>, courses: &[Course], shape: Shape) -> Figure {
    let of = |course: &Course| {
        let iqm = |(_, scores): &(f64, Scores)| {
            setting.estimate(scores, &|draw| scores.aggregate(Aggregate::Iqm, draw))
        };
        let points: Vec<[f64; 3]> = course.points.iter().map(iqm).collect();
        let x = course.points.iter().map(|(x, _)| *x).collect();
        curve(&course.label, course.color, shape, x, &points)
    };
    let panel = Panel { marks: Marks::Curves(courses.iter().map(of).collect()), ..Panel::default() };
    Figure { y: Scale::new("IQM of scores", ScaleKind::Value), ..setting.figure(vec![panel]) }
}

/// A curve through `points`: estimate, low and high end.
fn curve(label: &str, color: Color, shape: Shape, x: Vec<f64>, points: &[[f64; 3]]) -> Curve {
    let part = |i: usize| points.iter().map(|point| point[i]).collect();
    let (center, low, high) = (part(0), part(1), part(2));
    Curve { label: label.to_owned(), color, shape, x, center, low, high, companion: None }
}

impl Setting<'_> {
    /// A statistic of `scores` with its interval's ends; NaN where there is none.
    pub(crate) fn estimate(
        &self,
        scores: &Scores,
        statistic: &(dyn Fn(&Resample) -> Option<f64> + Sync),
    ) -> [f64; 3] {
        let [low, high] = self.interval(&scores.runs(), "scores", statistic).unwrap_or([f64::NAN; 2]);
        [statistic(&scores.all()).unwrap_or(f64::NAN), low, high]
    }

    /// The percentile interval. A task of one run has no spread to resample: no interval then.
    fn interval(
        &self,
        runs: &[usize],
        purpose: &str,
        statistic: &(dyn Fn(&Resample) -> Option<f64> + Sync),
    ) -> Option<[f64; 2]> {
        if runs.contains(&1) {
            return None;
        }
        let Statistics { resamples, seed, confidence, .. } = *self.statistics;
        let replicates = stats::bootstrap(runs, resamples, seed, purpose, |draw| statistic(draw));
        replicates.interval(confidence).map(|interval| [interval.low, interval.high])
    }

    fn figure(&self, panels: Vec<Panel>) -> Figure {
        let scale = || Scale::new("", ScaleKind::Value);
        Figure { title: self.title.map(str::to_owned), ..Figure::new(panels, scale(), scale()) }
    }

    fn picture(
        &self,
        (name, title): (&str, &str),
        what: &str,
        band: &str,
        mut figure: Figure,
        counts: &[Count],
    ) -> Picture {
        if let Some(first) = figure.panels.first_mut() {
            first.note = missing(counts);
        }
        let counts: Vec<String> = counts.iter().map(Count::to_string).collect();
        let title = self.title.map_or_else(|| title.to_owned(), |over| format!("{over}: {}", lower(title)));
        let text = format!(
            "{what} A score is {}. {} task{}: {}. {band}: {} % percentile interval of a stratified bootstrap over runs \
             ({} resamples), none where a task has one run only. Runs recorded: {}.",
            self.score,
            self.tasks.len(),
            if self.tasks.len() == 1 { "" } else { "s" },
            self.tasks.join(", "),
            grouped(100.0 * self.statistics.confidence, 0),
            grouped(self.statistics.resamples as f64, 0),
            counts.join("; "),
        );
        Picture { name: name.to_owned(), figure, caption: Caption { title, text } }
    }
}

/// `Performance profiles` as it stands within a sentence; `IQM` stays as it is.
fn lower(title: &str) -> String {
    let mut letters = title.chars();
    match letters.next() {
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().collect::<String>() + letters.as_str()
        }
        _ => title.to_owned(),
    }
}

/// An arm's runs, for notes and captions.
struct Count {
    label: String,
    /// By task.
    runs: Vec<usize>,
    planned: usize,
}

impl Count {
    fn recorded(&self) -> usize {
        self.runs.iter().sum()
    }
}

impl std::fmt::Display for Count {
    /// `TD3 30/30 (5 a task)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = (self.runs.iter().min().unwrap_or(&0), self.runs.iter().max().unwrap_or(&0));
        let each = if least == most { least.to_string() } else { format!("{least} to {most}") };
        write!(f, "{} {}/{} ({each} a task)", self.label, self.recorded(), self.planned)
    }
}

/// `29/30 runs`, where fewer are recorded than planned.
fn missing(counts: &[Count]) -> Option<String> {
    let recorded: usize = counts.iter().map(Count::recorded).sum();
    let planned: usize = counts.iter().map(|count| count.planned).sum();
    (recorded < planned).then(|| format!("{recorded}/{planned} runs"))
}

/// Of each arm once.
fn counts<'a>(arms: impl IntoIterator<Item = &'a Arm>) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    for arm in arms {
        if counts.iter().all(|count| count.label != arm.label) {
            counts.push(Count { label: arm.label.clone(), runs: arm.scores.runs(), planned: arm.planned });
        }
    }
    counts
}

/// Of each course at the point where runs are fewest.
fn course_counts(courses: &[Course]) -> Vec<Count> {
    let count = |course: &Course| {
        let runs = course.points.iter().map(|(_, scores)| scores.runs());
        let runs = runs.min_by_key(|runs| runs.iter().sum::<usize>()).unwrap_or_default();
        Count { label: course.label.clone(), runs, planned: course.planned }
    };
    courses.iter().map(count).collect()
}
