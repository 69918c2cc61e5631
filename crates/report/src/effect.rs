//! How far an arm lies above what it is compared with: one number over tasks and runs, with its interval.

use crate::number::grouped;
use crate::results::same_task;
use crate::study::{ArmRuns, Study, TaskRuns};
use experiment::{Claim, Expert, Metric, Reading, Reference, Score, Source, SpreadKind, Window};
use stats::{Published, Spread};
use streams::Stream;

/// How runs and tasks are joined into one number: what a paper seldom says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// A task's score is the mean over runs instead of the median.
    pub(crate) mean_of_runs: bool,
    /// Runs are dropped by the IQR rule first.
    pub(crate) drop_outliers: bool,
    /// Tasks are joined by their median instead of their mean.
    pub(crate) median_of_tasks: bool,
}

/// The one that verdicts are given by.
pub(crate) const RECORDED: Definition =
    Definition { mean_of_runs: false, drop_outliers: false, median_of_tasks: false };

/// One task's runs, each as its mean in the window.
#[derive(Clone)]
pub(crate) struct TaskScores {
    pub(crate) arm: Vec<f64>,
    pub(crate) baseline: Baseline,
}

/// What a task's runs are compared with.
#[derive(Clone)]
pub(crate) enum Baseline {
    /// Runs of another arm.
    Runs(Vec<f64>),
    /// A mean with an uncertainty of its own, and what could not be reckoned with: a number from elsewhere over its runs, or
    /// the expert's score over its episodes.
    Mean(Published, Option<String>),
}

impl Baseline {
    pub(crate) fn runs(&self) -> &[f64] {
        match self {
            Self::Runs(runs) => runs,
            Self::Mean(..) => &[],
        }
    }

    pub(crate) fn note(&self) -> Option<String> {
        match self {
            Self::Runs(_) => None,
            Self::Mean(_, note) => note.clone(),
        }
    }
}

/// What `reading` compares on each of `tasks`.
///
/// # Errors
/// With what is missing, in words.
pub(crate) fn scores(
    reference: &Reference,
    claim: &Claim,
    reading: &Reading,
    tasks: &[&TaskRuns],
) -> Result<Vec<TaskScores>, String> {
    let logged = reading.of.as_deref();
    if tasks.is_empty() {
        let wanted = claim.tasks.as_deref().unwrap_or_default();
        let are = if wanted.len() == 1 { "is" } else { "are" };
        return Err(format!("{} {are} not in this profile", wanted.join(", ")));
    }
    tasks
        .iter()
        .map(|task| {
            let expert = || task.expert().ok_or_else(|| format!("no expert is recorded on {}", task.task.id));
            let baseline = if claim.baseline == "expert" {
                let Expert { score, score_std, episodes, .. } = *expert()?.1;
                let mean = Published::new(score, score_std, Spread::PopulationStd, episodes);
                let note = || "the expert's score is of one episode and taken as exact".to_owned();
                Baseline::Mean(mean.unwrap_or_else(|| Published::exact(score)), mean.is_none().then(note))
            } else if reference.source.iter().any(|source| source.id == claim.baseline) {
                published(reference, &claim.baseline, (&task.task.id, task.steps))?
            } else {
                let ahead = if reading.counts_expert { expert()?.0.status.steps } else { 0 };
                let window = (reading.baseline_window(), ahead);
                Baseline::Runs(window_scores(task, &claim.baseline, window, logged)?)
            };
            Ok(TaskScores { arm: window_scores(task, &claim.arm, (reading.window, 0), logged)?, baseline })
        })
        .collect()
}

/// A source's number with its uncertainty, where the source gives one. A standard deviation of no stated kind is taken for
/// a population's, which gives the wider interval.
pub(crate) fn uncertain(source: &Source, score: &Score) -> Option<Published> {
    let kind = match source.spread_kind {
        Some(SpreadKind::SampleStd) => Spread::SampleStd,
        Some(SpreadKind::StandardError) => Spread::StandardError,
        Some(SpreadKind::PopulationStd) | None => Spread::PopulationStd,
    };
    let (spread, seeds) = score.spread.zip(source.seeds)?;
    Published::new(score.value, spread, kind, seeds as usize)
}

/// The number that source `id` has for `task`: of this version of it before others, and of several the one after as many
/// steps. A note says what is not as it should be.
fn published(reference: &Reference, id: &str, (task, steps): (&str, u64)) -> Result<Baseline, String> {
    let none = || format!("{id} has no number for {task}");
    let source = reference.source.iter().find(|source| source.id == id).ok_or_else(none)?;
    let mut scores: Vec<&Score> = source.scores.iter().filter(|score| same_task(&score.task, task)).collect();
    if scores.iter().any(|score| score.task == task) {
        scores.retain(|score| score.task == task);
    }
    let score = match &scores[..] {
        [] => return Err(none()),
        [one] => one,
        several => several
            .iter()
            .find(|score| source.steps_of(score) == steps)
            .ok_or_else(|| format!("{} after {} steps", none(), grouped(steps as f64, 0)))?,
    };
    let known = uncertain(source, score);
    let version = (score.task != task).then(|| format!("{id}'s number for {task} is of {}", score.task));
    let exact = known.is_none().then(|| {
        format!("{id} gives no spread over a number of runs for {task}: its number is taken as exact")
    });
    let notes: Vec<String> = version.into_iter().chain(exact).collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Baseline::Mean(known.unwrap_or_else(|| Published::exact(score.value)), note))
}

fn window_scores(
    task: &TaskRuns,
    arm: &str,
    (window, ahead): (Window, u64),
    logged: Option<&str>,
) -> Result<Vec<f64>, String> {
    let named = |runs: &&ArmRuns| runs.arm.id == arm;
    let runs = task.arms.iter().find(named).ok_or_else(|| format!("{arm} is not in this profile"))?;
    let recorded = runs.runs().count();
    if recorded < runs.planned.len() {
        return Err(format!(
            "{recorded} of {} runs of {arm} on {} recorded",
            runs.planned.len(),
            task.task.id
        ));
    }
    let scores = runs.window_means(window, logged, ahead);
    scores.ok_or_else(|| format!("no evaluation on {} lies in this window", task.task.id))
}

/// A metric with its interval.
pub(crate) struct Estimate {
    pub(crate) point: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    /// The interval that would be left if the runs were endlessly many: what a baseline that is a mean leaves open.
    pub(crate) floor: Option<[f64; 2]>,
}

/// The metric of `scores` and its bootstrap interval, by the definition that verdicts are given by.
pub(crate) fn estimate(
    metric: Metric,
    scores: &[TaskScores],
    statistics: &experiment::Statistics,
    purpose: &str,
) -> Estimate {
    estimate_by(RECORDED, metric, scores, statistics, purpose)
}

/// The same by any definition. Each task's arm and baseline are resampled on their own; a mean is drawn from Student's
/// distribution around it.
pub(crate) fn estimate_by(
    definition: Definition,
    metric: Metric,
    scores: &[TaskScores],
    statistics: &experiment::Statistics,
    purpose: &str,
) -> Estimate {
    let compared: Vec<TaskScores> = scores.iter().map(|task| kept(task, definition, statistics)).collect();
    let sizes: Vec<usize> =
        compared.iter().flat_map(|task| [task.arm.len(), task.baseline.runs().len()]).collect();
    let center = |values: &[f64], indices: &[usize]| {
        let values: Vec<f64> = indices.iter().map(|&i| values[i]).collect();
        if definition.mean_of_runs { stats::mean(&values) } else { stats::median(&values) }
    };
    let of = |indices: &[Vec<usize>], number: &mut dyn FnMut(&Published) -> f64| {
        let pairs = compared.iter().zip(indices.chunks_exact(2)).map(|(task, indices)| {
            let baseline = match &task.baseline {
                Baseline::Runs(runs) => center(runs, &indices[1])?,
                Baseline::Mean(mean, _) => number(mean),
            };
            Some((center(&task.arm, &indices[0])?, baseline))
        });
        compare(metric, definition, &pairs.collect::<Option<Vec<_>>>()?)
    };
    let (reps, seed) = (statistics.resamples, statistics.seed);
    let drawing =
        |indices: &[Vec<usize>], stream: &mut Stream| of(indices, &mut |mean: &Published| mean.draw(stream));
    let all: Vec<Vec<usize>> = sizes.iter().map(|&size| (0..size).collect()).collect();
    let replicates = stats::bootstrap_drawing(&sizes, reps, seed, purpose, drawing);
    // One that leaves out more than it may leave out on a side says nothing.
    let ends = |replicates: &stats::Replicates| {
        let is_defined = replicates.undefined_share() <= (1.0 - statistics.confidence) / 2.0;
        let interval = replicates.interval(statistics.confidence).filter(|_| is_defined);
        interval.map(|interval| [interval.low, interval.high])
    };
    let is_mean = |task: &TaskScores| matches!(task.baseline, Baseline::Mean(..));
    let floor = scores.iter().any(is_mean).then(|| {
        let purpose = format!("{purpose}/published");
        ends(&stats::bootstrap_drawing(&[], reps, seed, &purpose, |_, stream| drawing(&all, stream)))
    });
    let mut interval = ends(&replicates);
    if metric == Metric::LeastDifference && scores.len() > 1 {
        // The least of several resampled numbers lies below the least of the true ones, the more so the more there are:
        // what it surely does not exceed is what one task does not, at a share of the error for each.
        let each = experiment::Statistics {
            confidence: 1.0 - (1.0 - statistics.confidence) / scores.len() as f64,
            ..statistics.clone()
        };
        let high = |(i, task): (usize, &TaskScores)| {
            let purpose = format!("{purpose}/task {i}");
            let alone = estimate_by(definition, metric, std::slice::from_ref(task), &each, &purpose);
            alone.interval.map(|[_, high]| high)
        };
        let least = scores.iter().enumerate().filter_map(high).min_by(f64::total_cmp);
        interval = interval.zip(least).map(|([low, _], high)| [low, high.max(low)]);
    }
    Estimate { point: of(&all, &mut Published::mean), interval, floor: floor.flatten() }
}

/// A task's runs without those that the definition drops.
fn kept(task: &TaskScores, definition: Definition, statistics: &experiment::Statistics) -> TaskScores {
    let keep = |runs: &[f64]| match stats::iqr_filter(runs, statistics.iqr_factor) {
        Some(filter) if definition.drop_outliers => filter.kept,
        _ => runs.to_vec(),
    };
    let baseline = match &task.baseline {
        Baseline::Runs(runs) => Baseline::Runs(keep(runs)),
        mean @ Baseline::Mean(..) => mean.clone(),
    };
    TaskScores { arm: keep(&task.arm), baseline }
}

/// The metric from each task's pair of arm and baseline. `None` where a baseline that divides is not positive.
fn compare(metric: Metric, definition: Definition, pairs: &[(f64, f64)]) -> Option<f64> {
    let divided = |shift: f64| {
        let ratio = |&(arm, baseline): &(f64, f64)| (baseline > 0.0).then(|| arm / baseline - shift);
        let ratios = pairs.iter().map(ratio).collect::<Option<Vec<_>>>()?;
        if definition.median_of_tasks { stats::median(&ratios) } else { stats::mean(&ratios) }
    };
    let differences = || pairs.iter().map(|(arm, baseline)| arm - baseline);
    match metric {
        Metric::RelativeGain => divided(1.0),
        Metric::Ratio => divided(0.0),
        Metric::Difference => {
            let differences: Vec<f64> = differences().collect();
            if definition.median_of_tasks { stats::median(&differences) } else { stats::mean(&differences) }
        }
        Metric::LeastDifference => differences().min_by(f64::total_cmp),
    }
}

/// The interval of how far `arm` lies above `baseline` on one task in `window`; `None` where runs are missing, or there is
/// one only.
pub(crate) fn difference(
    study: &Study,
    task: &TaskRuns,
    (arm, baseline): (&str, &str),
    window: Window,
) -> Option<[f64; 2]> {
    let of = |arm: &str| window_scores(task, arm, (window, 0), None).ok();
    let scores = TaskScores { arm: of(arm)?, baseline: Baseline::Runs(of(baseline)?) };
    if scores.arm.len() < 2 || scores.baseline.runs().len() < 2 {
        return None;
    }
    let purpose = format!("difference/{}/{arm}/{baseline}", task.task.id);
    let statistics = &study.experiment.protocol.statistics;
    estimate(Metric::LeastDifference, &[scores], statistics, &purpose).interval
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use experiment::Statistics;

    pub(crate) const STATISTICS: Statistics =
        Statistics { iqr_factor: 1.5, confidence: 0.95, resamples: 2000, seed: 0, final_share: 0.05 };

    #[test]
    fn a_published_spread_is_of_the_kind_that_its_source_says() {
        let text = |kind: &str, seeds: u32| {
            format!(
                "schema = 1\n[[source]]\nid = \"theirs\"\nalgorithm = \"TD3\"\nsteps = 1\nseeds = {seeds}\nprotocol = \"\"\n\
                 spread = \"\"\n{kind}\ncite = \"\"\nscores = [{{ task = \"Ant-v5\", value = 10.0, spread = 4.0 }}, \
                 {{ task = \"Ant-v3\", value = 7.0 }}, {{ task = \"Hopper-v5\", value = 5.0 }}, \
                 {{ task = \"Walker2d-v3\", value = 2.0, spread = 1.0, steps = 2000 }}, \
                 {{ task = \"Walker2d-v3\", value = 3.0 }}]\n"
            )
        };
        let after = |kind: &str, seeds, of: (&str, u64)| {
            let reference: Reference = toml::from_str(&text(kind, seeds)).unwrap();
            published(&reference, "theirs", of).map(|baseline| match baseline {
                Baseline::Mean(published, note) => (published, note),
                Baseline::Runs(runs) => panic!("{runs:?}"),
            })
        };
        // One number is taken whatever its steps.
        let of = |kind: &str, seeds, task: &str| after(kind, seeds, (task, 2000));
        let known = |kind, seeds| Published::new(10.0, 4.0, kind, seeds).unwrap();
        let check =
            |kind: &str, expected| assert_eq!(of(kind, 5, "Ant-v5").unwrap(), (known(expected, 5), None));
        check("spread_kind = \"sample-std\"", Spread::SampleStd);
        check("spread_kind = \"standard-error\"", Spread::StandardError);
        check("spread_kind = \"population-std\"", Spread::PopulationStd);
        check("", Spread::PopulationStd);
        for (seeds, task, mean) in [(1, "Ant-v5", 10.0), (5, "Hopper-v5", 5.0)] {
            let (published, note) = of("", seeds, task).unwrap();
            assert_eq!(published, Published::exact(mean));
            assert!(note.unwrap().contains("its number is taken as exact"));
        }
        let (published, note) = of("", 5, "Walker2d-v5").unwrap();
        assert_eq!(published, Published::new(2.0, 1.0, Spread::PopulationStd, 5).unwrap());
        assert_eq!(note.unwrap(), "theirs's number for Walker2d-v5 is of Walker2d-v3");
        assert_eq!(after("", 5, ("Walker2d-v5", 1)).unwrap().0, Published::exact(3.0));
        let error = |of| after("", 5, of).unwrap_err();
        assert_eq!(error(("Walker2d-v5", 3000)), "theirs has no number for Walker2d-v5 after 3,000 steps");
        assert_eq!(error(("Humanoid-v5", 1)), "theirs has no number for Humanoid-v5");
    }

    #[test]
    fn the_iqr_rule_is_applied_once() {
        // It drops 3792, and would drop 3268 of what is left.
        let runs = vec![2564.0, 2800.0, 2840.0, 2964.0, 3268.0, 3792.0];
        let task = |arm: &[f64]| TaskScores { arm: arm.to_vec(), baseline: Baseline::Runs(vec![0.0; 6]) };
        let estimate_of = |definition, arm: &[f64]| {
            estimate_by(definition, Metric::LeastDifference, &[task(arm), task(arm)], &STATISTICS, "test")
                .interval
        };
        let dropping = estimate_of(Definition { drop_outliers: true, ..RECORDED }, &runs);
        assert_eq!(dropping, estimate_of(RECORDED, &runs[..5]));
    }
}
