//! Does a claim hold? From a bootstrap over runs, for each reading of the claim.

use crate::effect::{Baseline, Definition, Estimate, RECORDED, TaskScores, estimate_by, scores};
use crate::study::{Study, TaskRuns};
use experiment::{Claim, Metric, Reading, Threshold};
use serde::Serialize;

/// The answer to a claim, or to one reading of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The whole interval lies on the claimed side of the threshold.
    Reproduced,
    /// The whole interval lies at the threshold or on its other side.
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
    /// Inconclusive, with no number of runs that would decide.
    fn open(why: impl Into<String>) -> Self {
        Self::Inconclusive { why: why.into(), runs_needed: None }
    }

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
            Self::Inconclusive { why, runs_needed: Some(1_001..) } => {
                format!("{why}; no number of runs up to 1,000 would decide")
            }
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
    /// What is compared, in words.
    pub metric: String,
    /// The same for the program.
    #[serde(skip)]
    pub compares: Metric,
    /// Where the metric is claimed to lie: `above` or `below` a number.
    #[serde(flatten)]
    pub threshold: Threshold,
    /// The tasks that took part.
    pub tasks: Vec<String>,
    /// Environment steps of a run on each of them.
    pub steps: Vec<u64>,
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
    /// The column of the logs that it compares; returns of evaluations where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Decimals of its numbers where those are differences of scores; columns of logs have scales of their own.
    #[serde(skip)]
    pub decimals: Option<usize>,
    /// The metric.
    pub point: Option<f64>,
    /// Its bootstrap interval.
    pub interval: Option<[f64; 2]>,
    /// Runs of the arm on the task where they are fewest.
    pub runs: usize,
    /// What of a published number could not be reckoned with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl ReadingAnswer {
    /// What stands behind the verdict: its reason, and what could not be reckoned with.
    #[must_use]
    pub fn reason(&self) -> String {
        let parts = [self.verdict.reason(), self.note.clone().unwrap_or_default()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

/// Answers all claims from a study.
#[must_use]
pub fn answers(study: &Study) -> Vec<Answer> {
    study.experiment.claims.claim.iter().map(|claim| answer(study, claim)).collect()
}

/// The profile's tasks that a claim is about.
pub(crate) fn tasks_of<'a>(study: &'a Study, claim: &Claim) -> Vec<&'a TaskRuns> {
    let wanted = |task: &&TaskRuns| claim.tasks.as_ref().is_none_or(|tasks| tasks.contains(&task.task.id));
    study.tasks.iter().filter(wanted).collect()
}

fn answer(study: &Study, claim: &Claim) -> Answer {
    let tasks = tasks_of(study, claim);
    let readings: Vec<ReadingAnswer> =
        claim.reading.iter().map(|reading| read(study, claim, reading, &tasks, RECORDED)).collect();
    let verdict = common(&readings, threshold(claim));
    Answer {
        claim: claim.id.clone(),
        statement: claim.statement.clone(),
        cite: claim.cite.clone(),
        metric: format!("{} of {} over {}", claim.metric.name(), claim.arm, claim.baseline),
        compares: claim.metric,
        threshold: threshold(claim),
        tasks: tasks.iter().map(|task| task.task.id.clone()).collect(),
        steps: tasks.iter().map(|task| task.steps).collect(),
        verdict,
        readings,
    }
}

/// The verdict of a claim: that of its readings, where those that can be answered agree.
fn common(readings: &[ReadingAnswer], threshold: Threshold) -> Verdict {
    let answered: Vec<&ReadingAnswer> =
        readings.iter().filter(|reading| !matches!(reading.verdict, Verdict::Missing { .. })).collect();
    let Some(first) = answered.first() else { return readings[0].verdict.clone() };
    let verdict = if answered.iter().all(|reading| reading.verdict.name() == first.verdict.name()) {
        answered.iter().skip(1).fold(first.verdict.clone(), |all, one| both(all, &one.verdict))
    } else {
        let told: Vec<String> = answered
            .iter()
            .map(|reading| format!("{}: {}", reading.reading, reading.verdict.name()))
            .collect();
        let open = answered.iter().filter_map(|reading| match reading.verdict {
            Verdict::Inconclusive { runs_needed, .. } => Some(runs_needed),
            _ => None,
        });
        Verdict::Inconclusive {
            why: format!("depends on the reading: {}", told.join(", ")),
            runs_needed: open.collect::<Option<Vec<usize>>>().and_then(|needed| needed.into_iter().max()),
        }
    };
    // More runs may decide each open reading for the side on which its estimate lies, and bring no two sides together.
    let sides: Vec<Option<bool>> = answered.iter().map(|reading| is_claimed(reading, threshold)).collect();
    match verdict {
        Verdict::Inconclusive { why, .. } if sides.iter().any(|side| *side != sides[0]) => Verdict::open(why),
        verdict => verdict,
    }
}

/// Whether a reading's estimate lies on the claimed side.
fn is_claimed(reading: &ReadingAnswer, threshold: Threshold) -> Option<bool> {
    match (&reading.verdict, threshold) {
        (Verdict::Reproduced, _) => Some(true),
        (Verdict::NotReproduced, _) => Some(false),
        (_, Threshold::Above(value)) => reading.point.map(|point| point > value),
        (_, Threshold::Below(value)) => reading.point.map(|point| point < value),
    }
}

/// Of two verdicts of one name the one that says what both do.
fn both(one: Verdict, other: &Verdict) -> Verdict {
    match (one, other) {
        (
            Verdict::Inconclusive { why, runs_needed },
            Verdict::Inconclusive { why: other_why, runs_needed: other_needed },
        ) => Verdict::Inconclusive {
            why: if why.contains(other_why) { why } else { format!("{why}; {other_why}") },
            runs_needed: runs_needed.zip(*other_needed).map(|(one, other)| one.max(other)),
        },
        (one, _) => one,
    }
}

fn threshold(claim: &Claim) -> Threshold {
    claim.threshold().expect("an experiment that was read has claims of one threshold")
}

/// The answer to one reading of a claim, by one definition.
pub(crate) fn read(
    study: &Study,
    claim: &Claim,
    reading: &Reading,
    tasks: &[&TaskRuns],
    definition: Definition,
) -> ReadingAnswer {
    let mut answer = ReadingAnswer {
        reading: reading.id.clone(),
        of: reading.of.clone(),
        decimals: reading.of.is_none().then(|| study.decimals()),
        point: None,
        interval: None,
        runs: 0,
        note: None,
        verdict: Verdict::Missing { what: String::new() },
    };
    let scores = match scores(&study.experiment.reference, claim, reading, tasks) {
        Ok(scores) => scores,
        Err(what) => {
            answer.verdict = Verdict::Missing { what };
            return answer;
        }
    };
    answer.runs = scores.iter().map(|task| task.arm.len()).min().unwrap_or(0);
    answer.note = scores.iter().find_map(|task| task.baseline.note());
    let statistics = &study.experiment.protocol.statistics;
    let purpose = format!("{}/{}", claim.id, reading.id);
    let estimate = estimate_by(definition, claim.metric, &scores, statistics, &purpose);
    answer.point = estimate.point;
    let of_one = |task: &TaskScores| task.arm.len() < 2 || task.baseline.runs().len() == 1;
    if scores.iter().any(of_one) {
        answer.verdict = Verdict::open("an arm has one run only, which leaves no interval");
        return answer;
    }
    answer.interval = estimate.interval;
    if is_of_nothing(&scores) {
        answer.verdict = Verdict::open("every run of both is exactly 0: nothing tells them apart");
        return answer;
    }
    let those = |is: &dyn Fn(usize) -> bool| {
        let named = (0..tasks.len()).filter(|i| is(*i)).map(|i| tasks[i].task.id.as_str());
        named.collect::<Vec<_>>().join(", ")
    };
    let cut_short = those(&|i| is_cut_short(tasks[i], reading));
    let baseline = &claim.baseline;
    answer.verdict = match judge(&estimate, threshold(claim), answer.runs) {
        Some(Verdict::Reproduced) if is_within_the_margin(claim, &scores) => {
            Verdict::open(format!("{baseline} itself is no further above 0 than the claim's margin"))
        }
        Some(verdict) if is_for_the_arm(&verdict, threshold(claim)) && !cut_short.is_empty() => {
            Verdict::open(format!(
                "runs of {baseline} end before the expert's steps are counted, on {cut_short}"
            ))
        }
        Some(verdict) => verdict,
        None => {
            let is_undefined = |i: usize| {
                estimate_by(definition, claim.metric, &scores[i..=i], statistics, &purpose).interval.is_none()
            };
            let alone = those(&is_undefined);
            // Each may be defined often enough by itself, and not all at once.
            let named = if alone.is_empty() { those(&|_| true) } else { alone };
            Verdict::open(format!("undefined: {baseline} is not surely above 0 on {named}"))
        }
    };
    answer
}

/// Whether a verdict says that the arm scores high.
fn is_for_the_arm(verdict: &Verdict, threshold: Threshold) -> bool {
    match threshold {
        Threshold::Above(_) => *verdict == Verdict::Reproduced,
        Threshold::Below(_) => *verdict == Verdict::NotReproduced,
    }
}

/// Whether the baseline's runs on a task are shorter than the steps that a reading counts: those of the window and the
/// expert's. The last evaluation then stands for later ones, which favours the arm.
fn is_cut_short(task: &TaskRuns, reading: &Reading) -> bool {
    let (steps, every) = (task.steps, task.evaluation.every);
    let evaluated = (0..=steps / every).rev().map(|i| i * every);
    let mut counted = evaluated.filter(|step| reading.baseline_window().contains(*step, steps, every));
    let ahead = task.expert().map_or(0, |(run, _)| run.status.steps);
    reading.counts_expert && counted.next().is_some_and(|step| step + ahead > steps)
}

/// Whether a claim that an arm loses no more than a margin is about baselines that have no more to lose.
fn is_within_the_margin(claim: &Claim, scores: &[TaskScores]) -> bool {
    let margin = -threshold(claim).value();
    if margin <= 0.0 {
        return false;
    }
    let of = |task: &TaskScores| match &task.baseline {
        Baseline::Runs(runs) => stats::median(runs).unwrap_or(0.0),
        Baseline::Mean(mean, _) => mean.mean(),
    };
    let baselines: Vec<f64> = scores.iter().map(of).collect();
    match (claim.metric, threshold(claim)) {
        (Metric::Difference, Threshold::Above(_)) => {
            stats::mean(&baselines).is_some_and(|mean| mean <= margin)
        }
        (Metric::LeastDifference, Threshold::Above(_)) => baselines.iter().any(|score| *score <= margin),
        _ => false,
    }
}

/// Whether all runs that are compared scored exactly 0, as those do that never succeed.
fn is_of_nothing(scores: &[TaskScores]) -> bool {
    scores.iter().all(|task| match &task.baseline {
        Baseline::Runs(runs) => runs.iter().chain(&task.arm).all(|score| *score == 0.0),
        Baseline::Mean(..) => false,
    })
}

/// `None` where the metric is not defined.
fn judge(estimate: &Estimate, threshold: Threshold, runs: usize) -> Option<Verdict> {
    let (point, [low, high]) = estimate.point.zip(estimate.interval)?;
    let (holds, fails) = match threshold {
        Threshold::Above(value) => (low > value, high <= value),
        Threshold::Below(value) => (high < value, low >= value),
    };
    if holds {
        return Some(Verdict::Reproduced);
    }
    if fails {
        return Some(Verdict::NotReproduced);
    }
    // How far the interval reaches towards the threshold, and how far it would with endlessly many runs.
    let value = threshold.value();
    let reach = |[low, high]: [f64; 2]| if point > value { point - low } else { high - point };
    let (distance, floor) = ((point - value).abs(), estimate.floor.map_or(0.0, reach));
    if floor > 0.0 && floor >= distance {
        let why = "the baseline's own interval holds the threshold: no number of runs would decide";
        return Some(Verdict::open(why));
    }
    let ours = |reach: f64| (reach * reach - floor * floor).max(0.0).sqrt();
    let needed = stats::runs_needed(runs, ours(reach([low, high])), ours(distance));
    Some(Verdict::Inconclusive {
        why: "the interval holds the threshold".to_owned(),
        // An end that lies at the threshold reaches as far as it is away.
        runs_needed: needed.map(|needed| needed.max(runs + 1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{estimate, tests::STATISTICS};
    use stats::{Published, Spread};

    const UNDEFINED: Verdict = Verdict::Missing { what: String::new() };

    fn verdict(metric: Metric, tasks: &[(&[f64], &[f64])], above: f64) -> Verdict {
        let statistics = STATISTICS;
        let scores: Vec<TaskScores> = tasks
            .iter()
            .map(|(arm, baseline)| TaskScores {
                arm: arm.to_vec(),
                baseline: Baseline::Runs(baseline.to_vec()),
            })
            .collect();
        let estimate = estimate(metric, &scores, &statistics, "test");
        judge(&estimate, Threshold::Above(above), tasks[0].0.len()).unwrap_or(UNDEFINED)
    }

    /// The verdict on `arm` − `mean` ± `spread` of `seeds` runs, by a threshold.
    fn against(arm: &[f64], (mean, spread, seeds): (f64, f64, usize), threshold: Threshold) -> Verdict {
        let published = Published::new(mean, spread, Spread::SampleStd, seeds).unwrap();
        let scores = TaskScores { arm: arm.to_vec(), baseline: Baseline::Mean(published, None) };
        let estimate = estimate(Metric::LeastDifference, &[scores], &STATISTICS, "test");
        judge(&estimate, threshold, arm.len()).unwrap()
    }

    const HIGH: &[f64] = &[19.0, 20.0, 21.0];
    const LOW: &[f64] = &[9.0, 10.0, 11.0];

    #[test]
    fn arms_that_never_score_are_not_compared() {
        let task = |arm: &[f64], baseline: &[f64]| TaskScores {
            arm: arm.to_vec(),
            baseline: Baseline::Runs(baseline.to_vec()),
        };
        assert!(is_of_nothing(&[task(&[0.0, 0.0], &[0.0, -0.0])]));
        assert!(!is_of_nothing(&[task(&[0.0, 0.0], &[0.0, 0.0]), task(&[0.0, 0.1], &[0.0, 0.0])]));
        assert!(!is_of_nothing(&[task(&[5.0, 5.0], &[5.0, 5.0])]), "both may be as good as can be");
    }

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
        let (arm, baseline): (&[f64], &[f64]) = (&[3.0, 3.0], &[1.0, 1.0]);
        assert_eq!(verdict(Metric::LeastDifference, &[(arm, baseline)], 2.0), Verdict::NotReproduced);
        assert_eq!(verdict(Metric::LeastDifference, &[(arm, baseline)], 1.9), Verdict::Reproduced);
    }

    #[test]
    fn a_claim_may_point_down() {
        let below = |value| {
            let scores = TaskScores { arm: LOW.to_vec(), baseline: Baseline::Runs(HIGH.to_vec()) };
            let estimate = estimate(Metric::Ratio, &[scores], &STATISTICS, "test");
            judge(&estimate, Threshold::Below(value), 3).unwrap().name()
        };
        // 10 against 20: a ratio of 0.5, between 9/21 and 11/19.
        assert_eq!([below(0.6), below(0.5), below(0.4)], ["reproduced", "inconclusive", "not reproduced"]);
    }

    #[test]
    fn a_published_numbers_own_spread_counts() {
        // Ours are 20 and no other; theirs 10 ± 4 of 5 runs, a standard error of 1.79: t gives ± 4.97.
        let ours = [20.0; 3];
        let above = |theirs, value| against(&ours, theirs, Threshold::Above(value));
        assert_eq!(above((10.0, 4.0, 5), 4.0), Verdict::Reproduced);
        assert_eq!(above((10.0, 4.0, 5), 16.0), Verdict::NotReproduced);
        assert_eq!(above((10.0, 0.1, 5), 9.0), Verdict::Reproduced);
        let open = above((10.0, 4.0, 5), 9.0);
        assert!(open.reason().contains("no number of runs would decide"), "{open:?}");
        // Ours vary by more than theirs: more of ours would do.
        let open = against(&[17.0, 20.0, 23.0], (10.0, 0.1, 5), Threshold::Above(9.0));
        let Verdict::Inconclusive { runs_needed: Some(needed), .. } = open else { panic!("{open:?}") };
        assert!((27..40).contains(&needed), "{needed}");
    }

    #[test]
    fn runs_that_would_decide_are_more_than_there_are() {
        // The interval reaches from the estimate further down than up.
        let skewed = verdict(Metric::LeastDifference, &[(&[1.0, 19.0, 20.0], &[0.0, 0.0, 0.0])], 10.0);
        let Verdict::Inconclusive { runs_needed: Some(needed), .. } = skewed else { panic!("{skewed:?}") };
        // It reaches 18 down from 19, and the threshold is 9 away: four times the runs.
        assert_eq!(needed, 12);
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
    fn the_worst_of_many_noisy_tasks_refutes_nothing_that_none_of_them_refutes() {
        // Each median may be −3, 1 or 4. Of four tasks one is −3 in nearly every resample, and none surely below 2.
        let noisy: (&[f64], &[f64]) = (&[-3.0, 1.0, 4.0], &[0.0, 0.0, 0.0]);
        assert_eq!(verdict(Metric::LeastDifference, &[noisy; 4], 2.0).name(), "inconclusive");
        assert_eq!(
            verdict(Metric::LeastDifference, &[noisy, noisy, (LOW, HIGH)], 2.0),
            Verdict::NotReproduced
        );
        assert_eq!(verdict(Metric::LeastDifference, &[noisy, (HIGH, LOW)], -3.5), Verdict::Reproduced);
    }

    #[test]
    fn an_end_at_the_threshold_asks_for_another_run() {
        let found = verdict(Metric::LeastDifference, &[(&[0.0, 2.0], &[0.0, 0.0])], 0.0);
        let Verdict::Inconclusive { runs_needed: Some(needed), .. } = found else { panic!("{found:?}") };
        assert_eq!(needed, 3);
    }

    #[test]
    fn a_margin_says_nothing_of_baselines_within_it() {
        let claim = |metric: &str, above: f64| -> Claim {
            toml::from_str(&format!(
                "id = \"a\"\nstatement = \"\"\ncite = \"\"\nmetric = \"{metric}\"\narm = \"b\"\nbaseline = \"c\"\n\
                 above = {above:.1}\nreading = []"
            ))
            .unwrap()
        };
        let task = |baseline: f64| TaskScores { arm: vec![0.0], baseline: Baseline::Runs(vec![baseline]) };
        let low = &[task(2.0), task(6.0)];
        assert!(is_within_the_margin(&claim("difference", -5.0), low));
        assert!(is_within_the_margin(&claim("least-difference", -5.0), low));
        assert!(!is_within_the_margin(&claim("difference", -3.0), low));
        assert!(!is_within_the_margin(&claim("difference", 5.0), low));
        let lost = &[task(-2.0), task(0.0)];
        for no_margin in [0.0, 5.0] {
            assert!(!is_within_the_margin(&claim("difference", no_margin), lost));
            assert!(!is_within_the_margin(&claim("least-difference", no_margin), lost));
        }
    }

    #[test]
    fn verdicts_of_one_name_tell_all_their_reasons() {
        let open = |why: &str, runs_needed| Verdict::Inconclusive { why: why.to_owned(), runs_needed };
        assert_eq!(both(open("a", Some(3)), &open("a", Some(7))), open("a", Some(7)));
        assert_eq!(both(open("a", Some(3)), &open("b", None)), open("a; b", None));
        assert_eq!(both(Verdict::Reproduced, &Verdict::Reproduced), Verdict::Reproduced);
    }

    #[test]
    fn a_baseline_that_may_not_be_positive_leaves_a_ratio_undefined() {
        for baseline in [&[-1.0, 0.0, 0.5][..], &[-1.0, 5.0, 6.0]] {
            assert_eq!(verdict(Metric::RelativeGain, &[(HIGH, baseline)], 0.0), UNDEFINED);
        }
    }

    #[test]
    fn readings_that_differ_leave_a_claim_open_and_missing_ones_do_not_count() {
        let reading = |verdict: Verdict, point: Option<f64>| ReadingAnswer {
            reading: verdict.name().to_owned(),
            of: None,
            decimals: None,
            point,
            interval: None,
            runs: 3,
            note: None,
            verdict,
        };
        let common = |readings: &[ReadingAnswer]| common(readings, Threshold::Above(1.0));
        let missing = || reading(Verdict::Missing { what: "all".to_owned() }, None);
        let yes = || reading(Verdict::Reproduced, Some(2.0));
        let no = || reading(Verdict::NotReproduced, Some(1.0));
        assert_eq!(common(&[missing(), yes(), yes()]), Verdict::Reproduced);
        assert_eq!(common(&[missing(), missing()]).name(), "missing");
        let open = |runs_needed, point| {
            reading(Verdict::Inconclusive { why: "open".to_owned(), runs_needed }, Some(point))
        };
        let told = common(&[yes(), no(), open(Some(9), 1.5)]).reason();
        let depends = "depends on the reading: reproduced: reproduced, ";
        assert_eq!(told, format!("{depends}not reproduced: not reproduced, inconclusive: inconclusive"));
        let two_open = format!("{depends}inconclusive: inconclusive, inconclusive: inconclusive");
        assert_eq!(
            common(&[yes(), open(Some(9), 1.5), open(Some(7), 1.2)]).reason(),
            format!("{two_open}; about 9 runs would decide")
        );
        assert_eq!(common(&[yes(), open(Some(9), 1.5), open(Some(7), 0.9)]).reason(), two_open);
        assert_eq!(
            common(&[no(), open(Some(9), 1.5)]).reason(),
            "depends on the reading: not reproduced: not reproduced, inconclusive: inconclusive"
        );
        assert_eq!(common(&[open(Some(9), 1.5), open(Some(7), 1.2)]), open(Some(9), 0.0).verdict);
        assert_eq!(common(&[open(Some(9), 1.5), open(Some(7), 0.9)]), open(None, 0.0).verdict);
        assert_eq!(
            common(&[yes(), open(None, 1.5)]).reason(),
            format!("{depends}inconclusive: inconclusive")
        );
    }
}
