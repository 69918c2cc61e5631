//! Does a claim hold? From a bootstrap over runs, for each reading of the claim.

use crate::study::{ArmRuns, Study, TaskRuns};
use experiment::{Claim, Metric, Reading, Window};
use serde::Serialize;

/// The answer to a claim, or to one reading of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The whole interval lies above the threshold.
    Reproduced,
    /// The whole interval lies at or below the threshold.
    NotReproduced,
    /// The interval holds the threshold, or the number is not defined.
    Inconclusive {
        /// Why.
        why: String,
        /// Runs an arm that would probably decide, as a rough guide.
        #[serde(skip_serializing_if = "Option::is_none")]
        runs_needed: Option<usize>,
    },
    /// There is nothing to answer from.
    Missing {
        /// What is missing.
        what: String,
    },
}

impl Verdict {
    /// The verdict in a word or two.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::NotReproduced => "not reproduced",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Missing { .. } => "missing",
        }
    }

    /// What stands behind it, if it is no plain yes or no.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Reproduced | Self::NotReproduced => String::new(),
            Self::Inconclusive { why, runs_needed: None } => why.clone(),
            Self::Inconclusive { why, runs_needed: Some(runs) } => {
                format!("{why}; about {runs} runs would decide")
            }
            Self::Missing { what } => what.clone(),
        }
    }
}

/// One claim's answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The claim's id.
    pub claim: String,
    /// The claim in words.
    pub statement: String,
    /// Where the paper makes it.
    pub cite: String,
    /// What is compared.
    pub metric: String,
    /// What the metric must exceed.
    pub above: f64,
    /// The tasks that took part.
    pub tasks: Vec<String>,
    /// Environment steps of each run.
    pub steps: u64,
    /// The readings' common verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Each reading's.
    pub readings: Vec<ReadingAnswer>,
}

/// One reading's answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadingAnswer {
    /// The reading's id.
    pub reading: String,
    /// The metric.
    pub point: Option<f64>,
    /// Its bootstrap interval.
    pub interval: Option<[f64; 2]>,
    /// Runs of the arm on the task where they are fewest.
    pub runs: usize,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Answers all claims from a study.
#[must_use]
pub fn answers(study: &Study) -> Vec<Answer> {
    study.experiment.claims.claim.iter().map(|claim| answer(study, claim)).collect()
}

fn answer(study: &Study, claim: &Claim) -> Answer {
    let wanted = |task: &&TaskRuns| claim.tasks.as_ref().is_none_or(|tasks| tasks.contains(&task.task.id));
    let tasks: Vec<&TaskRuns> = study.tasks.iter().filter(wanted).collect();
    let readings: Vec<ReadingAnswer> =
        claim.reading.iter().map(|reading| read(study, claim, reading, &tasks)).collect();
    let verdict = common(&readings);
    let metric = match claim.metric {
        Metric::RelativeGain => "relative gain",
        Metric::Ratio => "ratio",
        Metric::LeastDifference => "least difference",
    };
    Answer {
        claim: claim.id.clone(),
        statement: claim.statement.clone(),
        cite: claim.cite.clone(),
        metric: format!("{metric} of {} over {}", claim.arm, claim.baseline),
        above: claim.above,
        tasks: tasks.iter().map(|task| task.task.id.clone()).collect(),
        steps: study.profile.steps,
        verdict,
        readings,
    }
}

/// The verdict of a claim: that of its readings, where those that can be answered agree.
fn common(readings: &[ReadingAnswer]) -> Verdict {
    let answered: Vec<&ReadingAnswer> =
        readings.iter().filter(|reading| !matches!(reading.verdict, Verdict::Missing { .. })).collect();
    let Some(first) = answered.first() else { return readings[0].verdict.clone() };
    if answered.iter().all(|reading| reading.verdict.name() == first.verdict.name()) {
        return first.verdict.clone();
    }
    let told: Vec<String> =
        answered.iter().map(|reading| format!("{}: {}", reading.reading, reading.verdict.name())).collect();
    Verdict::Inconclusive { why: format!("depends on the reading: {}", told.join(", ")), runs_needed: None }
}

fn read(study: &Study, claim: &Claim, reading: &Reading, tasks: &[&TaskRuns]) -> ReadingAnswer {
    let mut answer = ReadingAnswer {
        reading: reading.id.clone(),
        point: None,
        interval: None,
        runs: 0,
        verdict: Verdict::Missing { what: String::new() },
    };
    let scores = match scores(claim, reading.window, tasks) {
        Ok(scores) => scores,
        Err(what) => {
            answer.verdict = Verdict::Missing { what };
            return answer;
        }
    };
    answer.runs = scores.iter().map(|task| task.arm.len()).min().unwrap_or(0);
    let statistics = &study.experiment.protocol.statistics;
    let estimate = estimate(claim.metric, &scores, statistics, &format!("{}/{}", claim.id, reading.id));
    answer.point = estimate.point;
    answer.interval = estimate.interval;
    answer.verdict = judge(&estimate, claim.above, answer.runs, 1.0 - statistics.confidence);
    answer
}

/// One task's runs, each as its mean in the window.
pub(crate) struct TaskScores {
    arm: Vec<f64>,
    /// Runs of the baseline, or the expert's one score.
    baseline: Vec<f64>,
}

fn scores(claim: &Claim, window: Window, tasks: &[&TaskRuns]) -> Result<Vec<TaskScores>, String> {
    if tasks.is_empty() {
        let wanted = claim.tasks.clone().unwrap_or_default().join(", ");
        return Err(format!("{wanted} is not in this profile"));
    }
    tasks
        .iter()
        .map(|task| {
            let baseline = if claim.baseline == "expert" {
                let expert = task.expert.as_ref().and_then(|run| run.expert.as_ref());
                vec![expert.ok_or_else(|| format!("no expert is recorded on {}", task.task.id))?.score]
            } else {
                window_scores(task, &claim.baseline, window)?
            };
            Ok(TaskScores { arm: window_scores(task, &claim.arm, window)?, baseline })
        })
        .collect()
}

fn window_scores(task: &TaskRuns, arm: &str, window: Window) -> Result<Vec<f64>, String> {
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
    let scores = runs.window_means(window);
    scores.ok_or_else(|| format!("no evaluation on {} lies in this window", task.task.id))
}

/// A metric with its interval.
pub(crate) struct Estimate {
    pub(crate) point: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    undefined_share: f64,
}

/// The metric of `scores` and its bootstrap interval: each task's arm and baseline are resampled on their own.
pub(crate) fn estimate(
    metric: Metric,
    scores: &[TaskScores],
    statistics: &experiment::Statistics,
    purpose: &str,
) -> Estimate {
    let sizes: Vec<usize> = scores.iter().flat_map(|task| [task.arm.len(), task.baseline.len()]).collect();
    let of = |indices: &[Vec<usize>]| {
        let medians = scores.iter().zip(indices.chunks_exact(2)).map(|(task, indices)| {
            let median = |values: &[f64], indices: &[usize]| {
                stats::median(&indices.iter().map(|&i| values[i]).collect::<Vec<_>>())
            };
            Some((median(&task.arm, &indices[0])?, median(&task.baseline, &indices[1])?))
        });
        compare(metric, &medians.collect::<Option<Vec<_>>>()?)
    };
    let replicates = stats::bootstrap(&sizes, statistics.resamples, statistics.seed, purpose, of);
    let all: Vec<Vec<usize>> = sizes.iter().map(|&size| (0..size).collect()).collect();
    Estimate {
        point: of(&all),
        interval: replicates.interval(statistics.confidence).map(|interval| [interval.low, interval.high]),
        undefined_share: replicates.undefined_share(),
    }
}

/// The metric from each task's pair of arm and baseline. `None` where a baseline that divides is not positive.
fn compare(metric: Metric, pairs: &[(f64, f64)]) -> Option<f64> {
    let divided = |shift: f64| {
        let ratio = |&(arm, baseline): &(f64, f64)| (baseline > 0.0).then(|| arm / baseline - shift);
        stats::mean(&pairs.iter().map(ratio).collect::<Option<Vec<_>>>()?)
    };
    match metric {
        Metric::RelativeGain => divided(1.0),
        Metric::Ratio => divided(0.0),
        Metric::LeastDifference => pairs.iter().map(|(arm, baseline)| arm - baseline).min_by(f64::total_cmp),
    }
}

fn judge(estimate: &Estimate, above: f64, runs: usize, alpha: f64) -> Verdict {
    let (Some(point), Some([low, high])) = (estimate.point, estimate.interval) else {
        return undefined();
    };
    if estimate.undefined_share > alpha / 2.0 {
        return undefined();
    }
    if low > above {
        return Verdict::Reproduced;
    }
    if high <= above {
        return Verdict::NotReproduced;
    }
    Verdict::Inconclusive {
        why: "the interval holds the threshold".to_owned(),
        runs_needed: stats::runs_needed(runs, (high - low) / 2.0, (point - above).abs()),
    }
}

fn undefined() -> Verdict {
    Verdict::Inconclusive { why: "undefined: the baseline is not above 0".to_owned(), runs_needed: None }
}

/// One task's relative gain of `arm` over `baseline` in `window`, for tables; `None` where runs are missing.
#[must_use]
pub fn task_gain(
    study: &Study,
    task: &TaskRuns,
    (arm, baseline): (&str, &str),
    window: Window,
) -> Option<Gain> {
    let scores = window_scores(task, arm, window)
        .and_then(|arm| Ok(TaskScores { arm, baseline: window_scores(task, baseline, window)? }));
    let scores = scores.ok()?;
    let purpose = format!("gain/{}/{arm}/{baseline}", task.task.id);
    let estimate = estimate(Metric::RelativeGain, &[scores], &study.experiment.protocol.statistics, &purpose);
    Some(Gain { point: estimate.point, interval: estimate.interval })
}

/// The interval of how far `arm` lies above `baseline` on one task in `window`; `None` where runs are missing.
pub(crate) fn difference(
    study: &Study,
    task: &TaskRuns,
    (arm, baseline): (&str, &str),
    window: Window,
) -> Option<[f64; 2]> {
    let (arm_scores, baseline_scores) =
        (window_scores(task, arm, window).ok()?, window_scores(task, baseline, window).ok()?);
    let scores = TaskScores { arm: arm_scores, baseline: baseline_scores };
    let purpose = format!("difference/{}/{arm}/{baseline}", task.task.id);
    let statistics = &study.experiment.protocol.statistics;
    estimate(Metric::LeastDifference, &[scores], statistics, &purpose).interval
}

/// A relative gain, where it is defined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The gain.
    pub point: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use experiment::Statistics;

    fn verdict(metric: Metric, tasks: &[(&[f64], &[f64])], above: f64) -> Verdict {
        let statistics = Statistics { iqr_factor: 1.5, confidence: 0.95, resamples: 2000, seed: 0 };
        let scores: Vec<TaskScores> = tasks
            .iter()
            .map(|(arm, baseline)| TaskScores { arm: arm.to_vec(), baseline: baseline.to_vec() })
            .collect();
        let estimate = estimate(metric, &scores, &statistics, "test");
        judge(&estimate, above, tasks[0].0.len(), 1.0 - statistics.confidence)
    }

    const HIGH: &[f64] = &[19.0, 20.0, 21.0];
    const LOW: &[f64] = &[9.0, 10.0, 11.0];

    #[test]
    fn a_verdict_follows_from_the_interval() {
        let check = |metric, above, expected: &str| {
            assert_eq!(verdict(metric, &[(HIGH, LOW)], above).name(), expected, "{metric:?} > {above}");
        };
        // 20 against 10: a gain of 100 %, between 19/11 and 21/9.
        check(Metric::RelativeGain, 0.5, "reproduced");
        check(Metric::RelativeGain, 1.0, "inconclusive");
        check(Metric::RelativeGain, 1.5, "not reproduced");
        check(Metric::Ratio, 1.5, "reproduced");
        check(Metric::Ratio, 2.5, "not reproduced");
        check(Metric::LeastDifference, 5.0, "reproduced");
        check(Metric::LeastDifference, 15.0, "not reproduced");
    }

    #[test]
    fn an_interval_at_the_threshold_does_not_exceed_it() {
        assert_eq!(verdict(Metric::LeastDifference, &[(&[3.0], &[1.0])], 2.0), Verdict::NotReproduced);
        assert_eq!(verdict(Metric::LeastDifference, &[(&[3.0], &[1.0])], 1.9), Verdict::Reproduced);
    }

    #[test]
    fn the_worst_task_decides_a_least_difference_and_all_share_an_average() {
        let tasks = [(HIGH, LOW), (LOW, HIGH)];
        assert_eq!(verdict(Metric::LeastDifference, &tasks, 0.0), Verdict::NotReproduced);
        // +100 % and −50 %: +25 % on average.
        assert_eq!(
            verdict(Metric::RelativeGain, &[(&[20.0], &[10.0]), (&[10.0], &[20.0])], 0.24).name(),
            "reproduced"
        );
        assert_eq!(
            verdict(Metric::RelativeGain, &[(&[20.0], &[10.0]), (&[10.0], &[20.0])], 0.26).name(),
            "not reproduced"
        );
    }

    #[test]
    fn a_baseline_that_may_not_be_positive_leaves_a_ratio_undefined() {
        for baseline in [&[-1.0, 0.0, 0.5][..], &[-1.0, 5.0, 6.0]] {
            let found = verdict(Metric::RelativeGain, &[(HIGH, baseline)], 0.0);
            assert!(found.reason().starts_with("undefined"), "{found:?}");
        }
    }

    #[test]
    fn readings_that_differ_leave_a_claim_open_and_missing_ones_do_not_count() {
        let reading = |verdict: Verdict| ReadingAnswer {
            reading: verdict.name().to_owned(),
            point: None,
            interval: None,
            runs: 3,
            verdict,
        };
        let missing = || reading(Verdict::Missing { what: "all".to_owned() });
        let yes = || reading(Verdict::Reproduced);
        assert_eq!(common(&[missing(), yes(), yes()]), Verdict::Reproduced);
        assert_eq!(common(&[missing(), missing()]).name(), "missing");
        let told = common(&[yes(), reading(Verdict::NotReproduced)]).reason();
        assert_eq!(told, "depends on the reading: reproduced: reproduced, not reproduced: not reproduced");
    }
}
