//! `stats`: aggregates with intervals of anybody's scores.

use crate::args::StatsArgs;
use crate::{exit, say, say_json};
use anyhow::Result;
use clap::ValueEnum;
use diagnostics::BadInput;
use report::number::{grouped, plus_minus, with_interval};
use report::scores::{ScoreFile, read, read_curves};
use report::table::{Align, Table};
use serde::Serialize;
use stats::{Aggregate, Replicates, Resample, Scores, probability_of_improvement};
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

/// A number with its bootstrap interval; none where there are too few runs for one.
#[derive(Serialize)]
struct Estimate {
    point: Option<f64>,
    ci: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct Profile {
    thresholds: Vec<f64>,
    /// The share of runs on all tasks above each threshold.
    shares: Vec<Estimate>,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    aggregates: BTreeMap<String, Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability_of_improvement: Option<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
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
fn best(args: &StatsArgs) -> Result<u8> {
    let best: Vec<Best> = read_curves(&args.file)?
        .into_iter()
        .filter_map(|curve| {
            let (step, mean, std) = curve.best()?;
            let runs = curve.evaluations[&step].len();
            Some(Best { algorithm: curve.algorithm, task: curve.task, runs, step, mean, std })
        })
        .collect();
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
    if args.best {
        return best(args);
    }
    let file = read(&args.file)?;
    let baseline = args.vs.as_ref().map(|name| baseline(&file, name)).transpose()?;
    let answers: BTreeMap<&String, Answer> =
        file.algorithms.iter().map(|(name, scores)| (name, answer(args, name, scores, baseline))).collect();
    for (name, scores) in &file.algorithms {
        if scores.runs().contains(&1) {
            eprintln!("`{name}` has a task with one run only: no interval can be given");
        }
    }
    if args.json {
        say_json(&answers)?;
    } else {
        print(args, &file, &answers);
    }
    Ok(exit::FINE)
}

fn baseline<'a>(file: &'a ScoreFile, name: &String) -> Result<(&'a String, &'a Scores), BadInput> {
    let known = file.algorithms.keys().map(String::as_str);
    file.algorithms.get_key_value(name).ok_or_else(|| BadInput::unknown("algorithm", name, known))
}

fn answer(args: &StatsArgs, name: &String, scores: &Scores, baseline: Option<(&String, &Scores)>) -> Answer {
    let all = scores.all();
    // The same resamples for every metric, and for every algorithm of as many runs.
    let estimate = |statistic: &(dyn Fn(&Resample) -> Option<f64> + Sync)| Estimate {
        point: statistic(&all),
        ci: interval(args, &scores.runs(), "scores", statistic),
    };
    let mut metrics = args.metric.clone();
    if metrics.is_empty() {
        metrics = Metric::value_variants().to_vec();
    }
    let aggregates = metrics
        .iter()
        .map(|metric| (metric.name(), estimate(&|draw| scores.aggregate(metric.aggregate(), draw))))
        .collect();
    let improvement = baseline.filter(|(other, _)| *other != name).map(|(_, other)| {
        let tasks = scores.tasks().len();
        let of =
            |draw: &Resample| probability_of_improvement((scores, &draw[..tasks]), (other, &draw[tasks..]));
        let runs = [scores.runs(), other.runs()].concat();
        let point = of(&[scores.all(), other.all()].concat());
        Estimate { point, ci: interval(args, &runs, "improvement", &of) }
    });
    let profile = (!args.profile.is_empty()).then(|| Profile {
        thresholds: args.profile.clone(),
        shares: args
            .profile
            .iter()
            .map(|threshold| estimate(&|draw| Some(scores.share_above(*threshold, draw))))
            .collect(),
    });
    Answer { aggregates, probability_of_improvement: improvement, profile }
}

/// The percentile interval. A group of one run has no spread to resample: no interval then.
fn interval(
    args: &StatsArgs,
    runs: &[usize],
    purpose: &str,
    statistic: &(dyn Fn(&Resample) -> Option<f64> + Sync),
) -> Option<[f64; 2]> {
    if runs.contains(&1) {
        return None;
    }
    let replicates: Replicates =
        stats::bootstrap(runs, args.reps as usize, args.seed, purpose, |draw| statistic(draw));
    replicates.interval(args.ci).map(|interval| [interval.low, interval.high])
}

fn print(args: &StatsArgs, file: &ScoreFile, answers: &BTreeMap<&String, Answer>) {
    let cell = |estimate: &Estimate| match (estimate.point, estimate.ci) {
        (Some(point), Some([low, high])) => with_interval(point, low, high, |x| grouped(x, 3)),
        (Some(point), None) => grouped(point, 3),
        (None, _) => "n/a".to_owned(),
    };
    let first = answers.values().next();
    let names: Vec<&String> = first.map_or_else(Vec::new, |answer| answer.aggregates.keys().collect());
    let improvement = args.vs.as_ref().map(|baseline| format!("P(X > {baseline})"));
    let thresholds: Vec<String> = args.profile.iter().map(|x| format!("share > {x}")).collect();
    let mut columns = vec![("algorithm", Align::Left), ("runs", Align::Right)];
    let headings = names.into_iter().chain(&improvement).chain(&thresholds);
    columns.extend(headings.map(|name| (name.as_str(), Align::Right)));
    let mut table = Table::new(columns);
    for (name, answer) in answers {
        let runs = file.algorithms[*name].runs();
        let (least, most) = (runs.iter().min().unwrap_or(&0), runs.iter().max().unwrap_or(&0));
        let runs = if least == most { least.to_string() } else { format!("{least}–{most}") };
        let mut row = vec![(*name).clone(), runs];
        row.extend(answer.aggregates.values().map(cell));
        if improvement.is_some() {
            row.push(answer.probability_of_improvement.as_ref().map_or_else(String::new, cell));
        }
        row.extend(answer.profile.iter().flat_map(|profile| profile.shares.iter().map(cell)));
        table.push(row);
    }
    say(table.plain(100));
    say(format!(
        "{} task(s); [{} % percentile intervals, stratified bootstrap over runs, {} resamples, seed {}]",
        file.tasks.len(),
        100.0 * args.ci,
        grouped(f64::from(args.reps), 0),
        args.seed
    ));
}
