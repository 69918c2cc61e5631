//! `stats`: aggregates with intervals of anybody's scores.

mod plot;

use crate::args::StatsArgs;
use crate::{exit, say, say_json};
use anyhow::Result;
use clap::ValueEnum;
use diagnostics::BadInput;
use report::number::{MISSING, grouped, plus_minus, with_interval};
use report::scores::{Normalisation, ScoreFile, progress, read, read_curves};
use report::table::{Align, Table};
use serde::Serialize;
use stats::{
    Aggregate, Method, Replicates, Resample, Scores, bootstrap_interval, probability_of_improvement,
};
use std::collections::BTreeMap;

/// An aggregate, by the name it has here.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Interquartile mean of all runs on all tasks
    Iqm,
    /// Mean over tasks of the mean over runs
    Mean,
    /// Median over tasks of the mean over runs
    Median,
    /// How far runs stay below a score of 1, on average
    OptimalityGap,
}

impl Metric {
    fn aggregate(self) -> Aggregate {
        match self {
            Self::Iqm => Aggregate::Iqm,
            Self::Mean => Aggregate::Mean,
            Self::Median => Aggregate::Median,
            Self::OptimalityGap => Aggregate::OptimalityGap { gamma: 1.0 },
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How an interval is made of the resamples.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Interval {
    /// Their quantiles
    Percentile,
    /// Their quantiles mirrored at the estimate
    Basic,
    /// Quantiles moved by the bias
    Bc,
    /// Quantiles moved by bias and acceleration
    Bca,
}

impl Interval {
    fn method(self) -> Method {
        match self {
            Self::Percentile => Method::Percentile,
            Self::Basic => Method::Basic,
            Self::Bc => Method::BiasCorrected,
            Self::Bca => Method::BiasCorrectedAccelerated,
        }
    }
}

/// A number with its bootstrap interval; none where there are too few runs for one.
#[derive(Serialize)]
struct Estimate {
    point: Option<f64>,
    ci: Option<[f64; 2]>,
    /// About how many runs a task would make the interval as narrow as was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_for_width: Option<usize>,
}

#[derive(Serialize)]
struct Profile {
    thresholds: Vec<f64>,
    /// The share of runs on all tasks above each threshold.
    shares: Vec<Estimate>,
    /// The share of tasks whose mean over runs is above each.
    task_shares: Vec<Estimate>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    aggregates: BTreeMap<String, Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability_of_improvement: Option<Estimate>,
    /// The mean over tasks of the mean difference of runs of the same seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    paired_difference: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

/// Aggregates at every step.
#[derive(Serialize)]
struct Curve {
    steps: Vec<u64>,
    #[serde(flatten)]
    aggregates: BTreeMap<String, Vec<Estimate>>,
}

/// An algorithm's best evaluation on a task.
#[derive(Serialize)]
struct Best {
    algorithm: String,
    task: String,
    runs: usize,
    step: u64,
    mean: f64,
    /// The population's, over runs.
    std: f64,
}

/// Each task's best evaluation, as the TD3 paper's table 1 gives it.
fn best(args: &StatsArgs, curves: Vec<report::scores::Curve>) -> Result<u8> {
    let of = |curve: report::scores::Curve| {
        let (step, mean, std) = curve.best()?;
        let runs = curve.evaluations[&step].len();
        Some(Best { algorithm: curve.algorithm, task: curve.task, runs, step, mean, std })
    };
    let best: Vec<Best> = curves.into_iter().filter_map(of).collect();
    if args.json {
        say_json(&best)?;
        return Ok(exit::FINE);
    }
    let mut table = Table::new([
        ("algorithm", Align::Left),
        ("task", Align::Left),
        ("runs", Align::Right),
        ("step", Align::Right),
        ("highest mean ± population std", Align::Right),
    ]);
    for best in best {
        let score = plus_minus(best.mean, best.std, |x| grouped(x, 2));
        let (runs, step) = (best.runs.to_string(), grouped(best.step as f64, 0));
        table.push([best.algorithm, best.task, runs, step, score]);
    }
    say(table.plain(100));
    Ok(exit::FINE)
}

pub(crate) fn stats(args: &StatsArgs) -> Result<u8> {
    let normalisation = args.normalise.as_deref().map(Normalisation::named).transpose()?;
    if args.best || args.curve {
        let mut curves = read_curves(&args.file)?;
        if let Some(normalisation) = &normalisation {
            curves = normalisation.curves(curves)?;
        }
        return if args.best { best(args, curves) } else { curve(args, &curves) };
    }
    let mut file = read(&args.file)?;
    if let Some(normalisation) = &normalisation {
        file = normalisation.scores(&file)?;
    }
    let baseline = args.vs.as_ref().map(|name| baseline(&file, name)).transpose()?;
    if baseline.is_some() && args.method == Interval::Bca {
        return Err(BadInput::new(
            "`--method bca` leaves out one run at a time, and `--vs` compares two samples of them",
        )
        .help("take `--method bc`, or leave one of them out")
        .into());
    }
    let answers: BTreeMap<&String, Answer> = file
        .algorithms
        .iter()
        .map(|(name, scores)| (name, answer(args, &file, name, scores, baseline)))
        .collect();
    for (name, scores) in &file.algorithms {
        notes(name, scores).iter().for_each(|note| eprintln!("note: {note}"));
    }
    for (name, answer) in &answers {
        answer.notes(args, &file, name).iter().for_each(|note| eprintln!("note: {note}"));
    }
    if args.json {
        say_json(&answers)?;
    } else {
        print(args, &file, &answers, normalisation.as_ref());
    }
    if let Some(folder) = &args.plot {
        plot::scores(args, folder, &file)?;
    }
    Ok(exit::FINE)
}

/// The sample-efficiency curve: the aggregates at every step, each step resampled on its own.
fn curve(args: &StatsArgs, curves: &[report::scores::Curve]) -> Result<u8> {
    let progress = progress(&args.file.display().to_string(), curves)?;
    if let Some(folder) = &args.plot {
        plot::curves(args, folder, curves, &progress)?;
    }
    let metrics = if args.metric.is_empty() { vec![Metric::Iqm] } else { args.metric.clone() };
    let mut answers: BTreeMap<&String, Curve> = BTreeMap::new();
    for (name, progress) in &progress {
        notes(name, &progress.frames[0]).iter().for_each(|note| eprintln!("note: {note}"));
        let frame = |metric: Metric, (frame, scores): (usize, &Scores)| {
            estimate(args, scores, &format!("scores/frame {frame}"), &of_aggregate(metric))
        };
        let of = |metric: &Metric| {
            (metric.name(), progress.frames.iter().enumerate().map(|each| frame(*metric, each)).collect())
        };
        let aggregates = metrics.iter().map(of).collect();
        answers.insert(name, Curve { steps: progress.steps.clone(), aggregates });
    }
    if args.json {
        say_json(&answers)?;
        return Ok(exit::FINE);
    }
    let names: Vec<String> = metrics.iter().map(|metric| metric.name()).collect();
    let mut columns = vec![("algorithm", Align::Left), ("runs", Align::Right), ("step", Align::Right)];
    columns.extend(names.iter().map(|name| (name.as_str(), Align::Right)));
    let mut table = Table::new(columns);
    for (name, curve) in &answers {
        for (i, step) in curve.steps.iter().enumerate() {
            let mut row = vec![(*name).clone(), runs(&progress[*name].frames[i]), grouped(*step as f64, 0)];
            row.extend(names.iter().map(|metric| cell(&curve.aggregates[metric][i])));
            table.push(row);
        }
    }
    say(table.plain(100));
    say(footer(args) + "; every step resampled on its own, so an interval is one step's");
    Ok(exit::FINE)
}

fn baseline<'a>(file: &'a ScoreFile, name: &String) -> Result<(&'a String, &'a Scores), BadInput> {
    let known = file.algorithms.keys().map(String::as_str);
    file.algorithms.get_key_value(name).ok_or_else(|| BadInput::unknown("algorithm", name, known))
}

/// What a reader must know of an algorithm's scores before the intervals.
fn notes(name: &str, scores: &Scores) -> Vec<String> {
    let mut notes = Vec::new();
    let runs = scores.runs();
    if runs.contains(&1) {
        notes.push(format!("`{name}` has a task with one run only: no interval can be given"));
    } else if scores.tasks().iter().all(|runs| runs.iter().all(|score| *score == runs[0])) {
        notes.push(format!(
            "on every task all runs of `{name}` score the same: its intervals have no width and say nothing of other \
             seeds"
        ));
    }
    if runs.iter().any(|n| *n != runs[0]) {
        notes.push(format!(
            "`{name}` has {} runs by task: each task is resampled on its own, and tasks with more runs weigh more in \
             what pools runs (IQM, optimality gap, profiles of runs)",
            list(&runs)
        ));
    }
    notes
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

impl Answer {
    /// What could not be said of an algorithm, and why.
    fn notes(&self, args: &StatsArgs, file: &ScoreFile, name: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let lost = |estimate: &&Estimate| estimate.point.is_some() && estimate.ci.is_none();
        if !file.algorithms[name].runs().contains(&1) && self.aggregates.values().any(|e| lost(&e)) {
            let runs = file.algorithms[name].runs();
            let why = match args.method {
                Interval::Bca if runs.windows(2).any(|pair| pair[0] != pair[1]) => {
                    "its tasks have unequal runs, of which none can be left out of all"
                }
                Interval::Bca => {
                    "all resamples lie on one side of the estimate, or leaving out a run changes nothing"
                }
                _ => "all resamples lie on one side of the estimate",
            };
            notes.push(format!("`{name}` has a number without an interval of this method: {why}"));
        }
        if self.probability_of_improvement.is_some() && self.paired_difference.is_none() {
            let baseline = args.vs.as_deref().unwrap_or_default();
            notes.push(if file.seeds.is_empty() {
                "the file names no seeds: runs are not paired".to_owned()
            } else {
                format!("`{name}` and `{baseline}` did not run the same seeds: no paired difference")
            });
        }
        if self.aggregates.values().any(|estimate| estimate.point.is_none()) {
            notes.push(format!("`{name}` has scores too large to be averaged"));
        }
        notes
    }
}

type Statistic<'a> = dyn Fn(&Scores, &Resample) -> Option<f64> + Sync + 'a;

fn of_aggregate(metric: Metric) -> impl Fn(&Scores, &Resample) -> Option<f64> + Sync {
    move |scores, draw| scores.aggregate(metric.aggregate(), draw)
}

fn answer(
    args: &StatsArgs,
    file: &ScoreFile,
    name: &String,
    scores: &Scores,
    baseline: Option<(&String, &Scores)>,
) -> Answer {
    // The same resamples for every metric, and for every algorithm of as many runs.
    let of = |statistic: &Statistic<'_>| estimate(args, scores, "scores", statistic);
    let mut metrics = args.metric.clone();
    if metrics.is_empty() {
        metrics = Metric::value_variants().to_vec();
    }
    let aggregates = metrics.iter().map(|metric| (metric.name(), of(&of_aggregate(*metric)))).collect();
    let other = baseline.filter(|(other, _)| *other != name);
    let profile = (!args.profile.is_empty()).then(|| Profile {
        thresholds: args.profile.clone(),
        shares: args.profile.iter().map(|t| of(&|scores, draw| Some(scores.share_above(*t, draw)))).collect(),
        task_shares: args
            .profile
            .iter()
            .map(|t| of(&|scores, draw| Some(scores.tasks_above(*t, draw))))
            .collect(),
    });
    Answer {
        aggregates,
        probability_of_improvement: other.map(|(_, other)| improvement(args, scores, other)),
        paired_difference: other.and_then(|(other, _)| {
            let differences = file.paired(name, other)?;
            Some(estimate(args, &differences, "differences", &of_aggregate(Metric::Mean)))
        }),
        profile,
    }
}

/// A statistic with its interval. A task of one run has no spread to resample: no interval then.
fn estimate(args: &StatsArgs, scores: &Scores, purpose: &str, statistic: &Statistic<'_>) -> Estimate {
    let point = statistic(scores, &scores.all());
    let (runs, reps) = (scores.runs(), args.reps as usize);
    if runs.contains(&1) {
        return Estimate { point, ci: None, runs_for_width: None };
    }
    let replicates = if args.task_bootstrap {
        let of = |tasks: &[usize], draw: &Resample| statistic(&scores.of_tasks(tasks), draw);
        stats::bootstrap_tasks(&runs, reps, args.seed, purpose, of)
    } else {
        stats::bootstrap(&runs, reps, args.seed, purpose, |draw| statistic(scores, draw))
    };
    let jackknife = match args.method {
        Interval::Bca => scores.jackknife(|others| statistic(scores, others)),
        _ => Some(Vec::new()),
    };
    let ci = jackknife.and_then(|jackknife| interval(args, &replicates, point, &jackknife));
    Estimate { point, ci, runs_for_width: for_width(args, &runs, ci) }
}

/// P(X > Y), each side's runs resampled on their own; tasks are not, as in rliable.
fn improvement(args: &StatsArgs, scores: &Scores, other: &Scores) -> Estimate {
    let tasks = scores.tasks().len();
    let of = |draw: &Resample| probability_of_improvement((scores, &draw[..tasks]), (other, &draw[tasks..]));
    let runs = [scores.runs(), other.runs()].concat();
    let point = of(&[scores.all(), other.all()].concat());
    if runs.contains(&1) {
        return Estimate { point, ci: None, runs_for_width: None };
    }
    let replicates = stats::bootstrap(&runs, args.reps as usize, args.seed, "improvement", of);
    let ci = interval(args, &replicates, point, &[]);
    Estimate { point, ci, runs_for_width: for_width(args, &runs, ci) }
}

fn interval(
    args: &StatsArgs,
    replicates: &Replicates,
    point: Option<f64>,
    jackknife: &[f64],
) -> Option<[f64; 2]> {
    let found = bootstrap_interval(args.method.method(), &replicates.values, point?, jackknife, args.ci)?;
    Some([found.low, found.high])
}

fn for_width(args: &StatsArgs, runs: &[usize], ci: Option<[f64; 2]>) -> Option<usize> {
    let [low, high] = ci?;
    stats::runs_needed(*runs.iter().min()?, (high - low) / 2.0, args.half_width?)
}

fn cell(estimate: &Estimate) -> String {
    match (estimate.point, estimate.ci) {
        (Some(point), Some([low, high])) => with_interval(point, low, high, |x| grouped(x, 3)),
        (Some(point), None) => format!("{} [no interval]", grouped(point, 3)),
        (None, _) => MISSING.to_owned(),
    }
}

fn runs(scores: &Scores) -> String {
    let runs = scores.runs();
    let (least, most) = (runs.iter().min().unwrap_or(&0), runs.iter().max().unwrap_or(&0));
    if least == most { least.to_string() } else { format!("{least}–{most}") }
}

fn print(
    args: &StatsArgs,
    file: &ScoreFile,
    answers: &BTreeMap<&String, Answer>,
    normalisation: Option<&Normalisation>,
) {
    let first = answers.values().next();
    let names: Vec<&String> = first.map_or_else(Vec::new, |answer| answer.aggregates.keys().collect());
    let versus = args.vs.iter().flat_map(|other| [format!("P(X > {other})"), format!("paired X − {other}")]);
    let versus: Vec<String> = versus.collect();
    let shares = args.profile.iter().map(|x| format!("runs > {x}"));
    let shares: Vec<String> = shares.chain(args.profile.iter().map(|x| format!("tasks > {x}"))).collect();
    let mut columns = vec![("algorithm", Align::Left), ("runs", Align::Right)];
    let headings = names.iter().copied().chain(&versus).chain(&shares);
    columns.extend(headings.map(|name| (name.as_str(), Align::Right)));
    let of = |what: &dyn Fn(&Estimate) -> String| {
        let mut table = Table::new(columns.clone());
        for (name, answer) in answers {
            let mut row = vec![(*name).clone(), runs(&file.algorithms[*name])];
            row.extend(answer.aggregates.values().map(what));
            if !versus.is_empty() {
                let compared = [&answer.probability_of_improvement, &answer.paired_difference];
                row.extend(compared.map(|estimate| estimate.as_ref().map_or_else(String::new, what)));
            }
            let profile =
                answer.profile.iter().flat_map(|profile| profile.shares.iter().chain(&profile.task_shares));
            row.extend(profile.map(what));
            table.push(row);
        }
        table.plain(100)
    };
    say(of(&cell));
    if let Some(normalisation) = normalisation {
        say(format!("normalised by `{}`: {}", normalisation.name, normalisation.meaning));
    }
    say(format!("{} task(s); {}", file.tasks.len(), footer(args)));
    if let Some(half_width) = args.half_width {
        say(format!("\nabout how many runs a task would give ± {half_width} (widths shrink as 1/√n):"));
        let needed = |e: &Estimate| e.runs_for_width.map_or_else(|| MISSING.to_owned(), |n| n.to_string());
        say(of(&needed));
    }
}

fn footer(args: &StatsArgs) -> String {
    let method = args.method.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    format!(
        "[{} % {method} intervals, stratified bootstrap over runs{}, {} resamples, seed {}]",
        100.0 * args.ci,
        if args.task_bootstrap { " and tasks" } else { "" },
        grouped(f64::from(args.reps), 0),
        args.seed
    )
}
