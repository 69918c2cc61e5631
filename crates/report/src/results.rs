//! What arms scored, and published numbers beside it.

use crate::effect::{Baseline, TaskScores, difference, estimate, uncertain};
use crate::number::{grouped, steps};
use crate::study::{ArmRuns, Study, TaskRuns};
use experiment::{Arm, Metric, Source, Window};
use serde::Serialize;

/// One arm's final score on one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FinalScore {
    /// The environment's id.
    pub task: String,
    /// The arm's id.
    pub arm: String,
    /// The arm's name in figures and tables.
    pub label: String,
    /// Environment steps of each run.
    pub steps: u64,
    /// Runs that were planned.
    pub planned: usize,
    /// Each recorded run's mean over the evaluations of a final score.
    pub runs: Vec<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// Its bootstrap interval.
    pub interval: Option<[f64; 2]>,
    /// Whether the intervals of its differences from every other arm on the task lie above 0, and all runs are there.
    pub best: bool,
}

/// A published number of the same algorithm after as many steps, beside ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The environment's id.
    pub task: String,
    /// The arm's name.
    pub label: String,
    /// Environment steps until the score.
    pub steps: u64,
    /// Our score after as many: the median over runs.
    pub ours: f64,
    /// Its bootstrap interval; none of one run.
    pub interval: Option<[f64; 2]>,
    /// Our runs.
    pub runs: usize,
    /// Where the number is from: a source's id in `reference.toml`.
    pub source: String,
    /// The environment's id there.
    pub reference_task: String,
    /// The number.
    pub reference: f64,
    /// Its spread, of the kind that the source says.
    pub spread: Option<f64>,
    /// Its runs.
    pub reference_runs: Option<u32>,
    /// What the number is.
    pub protocol: String,
    /// Ours less the reference.
    pub difference: f64,
    /// Its interval: with the reference's uncertainty where its spread and runs are known, else of our runs alone.
    pub difference_interval: Option<[f64; 2]>,
    /// How our interval lies to the reference and its spread.
    pub lies: Option<Lies>,
}

/// How our interval lies to a reference ± its spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lies {
    /// Wholly above.
    Above,
    /// Wholly below.
    Below,
    /// They overlap.
    Overlaps,
}

impl Lies {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::Overlaps => "overlaps",
        }
    }
}

/// Which evaluations a window takes.
pub(crate) fn in_words(window: Window) -> String {
    in_words_of(window, "evaluation")
}

/// Which of something a window takes.
pub(crate) fn in_words_of(window: Window, what: &str) -> String {
    let percent = |share: f64| grouped(100.0 * share, 0);
    match window {
        Window::First(share) => format!("{what}s in the first {} % of the steps", percent(share)),
        Window::Last(share) => format!("{what}s in the last {} % of the steps", percent(share)),
        Window::At(share) if share >= 1.0 => format!("the last {what}"),
        Window::At(share) => format!("the {what} at {} % of the steps", percent(share)),
        Window::AtStep(step) => format!("the {what} at {} steps", steps(step)),
    }
}

/// Every arm's final score on every task.
#[must_use]
pub fn final_scores(study: &Study) -> Vec<FinalScore> {
    let cells = study.tasks.iter().flat_map(|task| task.arms.iter().map(move |arm| (task, arm)));
    cells.map(|(task, arm)| final_score(study, task, arm)).collect()
}

/// The median of `runs` and, where there are two at least, its percentile bootstrap interval; `purpose` names the random stream.
pub(crate) fn median(study: &Study, runs: &[f64], purpose: &str) -> (Option<f64>, Option<[f64; 2]>) {
    let statistics = &study.experiment.protocol.statistics;
    let interval = (runs.len() > 1).then(|| {
        let (resamples, seed) = (statistics.resamples, statistics.seed);
        let replicates = stats::bootstrap_sample(runs, resamples, seed, purpose, stats::median_in_place);
        replicates.interval(statistics.confidence)
    });
    (stats::median(runs), interval.flatten().map(|interval| [interval.low, interval.high]))
}

fn final_score(study: &Study, task: &TaskRuns, arm: &ArmRuns) -> FinalScore {
    let window = study.experiment.protocol.statistics.final_window();
    let runs = arm.window_means(window, None, 0).unwrap_or_default();
    let (median, interval) = median(study, &runs, &format!("final/{}/{}", task.task.id, arm.arm.id));
    let others = || task.arms.iter().filter(|other| other.arm.id != arm.arm.id);
    let beats = |other: &ArmRuns| {
        difference(study, task, (&arm.arm.id, &other.arm.id), window).is_some_and(|[low, _]| low > 0.0)
    };
    FinalScore {
        task: task.task.id.clone(),
        arm: arm.arm.id.clone(),
        label: arm.arm.label.clone(),
        steps: arm.planned.first().map_or(task.steps, |(config, _)| config.steps),
        planned: arm.planned.len(),
        median,
        interval,
        best: others().next().is_some() && others().all(beats),
        runs,
    }
}

/// Our scores beside published ones of the same algorithm, task (of any version) and number of steps: the final score
/// beside numbers of our whole budget, and the evaluation after as many steps beside those of fewer. Numbers of more steps
/// are not compared.
#[must_use]
pub fn comparisons(study: &Study) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (last, arm) in final_scores(study).iter().zip(study.tasks.iter().flat_map(|task| &task.arms)) {
        for source in sources_of_scores(study).filter(|source| is_of(source, &arm.arm)) {
            for score in source.scores.iter().filter(|score| same_task(&score.task, &last.task)) {
                let steps = source.steps_of(score);
                if steps > last.steps {
                    continue;
                }
                let (runs, (ours, interval)) = if steps == last.steps {
                    (last.runs.clone(), (last.median, last.interval))
                } else {
                    let runs = arm.window_means(Window::AtStep(steps), None, 0).unwrap_or_default();
                    let ours = median(study, &runs, &format!("at-{steps}/{}/{}", last.task, last.arm));
                    (runs, ours)
                };
                let Some(ours) = ours else { continue };
                let shifted = || interval.map(|ends| ends.map(|end| end - score.value));
                let difference_interval = match uncertain(source, score) {
                    Some(published) if runs.len() > 1 => {
                        let purpose = format!("{}-at-{steps}/{}/{}", source.id, last.task, last.arm);
                        let scores = TaskScores { arm: runs, baseline: Baseline::Mean(published, None) };
                        let statistics = &study.experiment.protocol.statistics;
                        estimate(Metric::LeastDifference, &[scores], statistics, &purpose).interval
                    }
                    _ => shifted(),
                };
                found.push(Comparison {
                    task: last.task.clone(),
                    label: last.label.clone(),
                    steps,
                    ours,
                    interval,
                    runs: last.runs.len(),
                    source: source.id.clone(),
                    reference_task: score.task.clone(),
                    reference: score.value,
                    spread: score.spread,
                    reference_runs: source.seeds,
                    protocol: source.protocol.clone(),
                    difference: ours - score.value,
                    difference_interval,
                    lies: interval
                        .zip(score.spread)
                        .map(|(interval, spread)| lies(interval, score.value, spread)),
                });
            }
        }
    }
    found
}

/// Published scores: what columns of the log are held against is none.
pub(crate) fn sources_of_scores(study: &Study) -> impl Iterator<Item = &Source> {
    let claims = &study.experiment.claims.claim;
    let is_logged = |source: &&Source| {
        let mut of_it = claims.iter().filter(|claim| claim.baseline == source.id);
        of_it.any(|claim| claim.reading.iter().any(|reading| reading.of.is_some()))
    };
    study.experiment.reference.source.iter().filter(move |source| !is_logged(source))
}

/// Whether a source is of what an arm does: of its algorithm, or of the arm's very variant.
pub(crate) fn is_of(source: &Source, arm: &Arm) -> bool {
    [&arm.label[..], arm.algorithm.name()].contains(&&*source.algorithm)
}

/// Whether two ids name one environment but for the version.
pub(crate) fn same_task(a: &str, b: &str) -> bool {
    a.split("-v").next() == b.split("-v").next()
}

fn lies([low, high]: [f64; 2], reference: f64, spread: f64) -> Lies {
    if low > reference + spread {
        Lies::Above
    } else if high < reference - spread {
        Lies::Below
    } else {
        Lies::Overlaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_held_against_the_reference_and_its_spread() {
        let check = |interval, expect| assert_eq!(lies(interval, 100.0, 10.0), expect, "{interval:?}");
        check([111.0, 120.0], Lies::Above);
        check([110.0, 120.0], Lies::Overlaps);
        check([95.0, 96.0], Lies::Overlaps);
        check([50.0, 90.0], Lies::Overlaps);
        check([50.0, 89.0], Lies::Below);
    }

    #[test]
    fn versions_of_a_task_are_the_same_task() {
        assert!(same_task("Ant-v5", "Ant-v1") && !same_task("Ant-v5", "Antmaze-v5"));
    }
}
