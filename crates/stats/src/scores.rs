//! Scores of an algorithm's runs over several tasks, and the statistics of Agarwal et al. 2021, "Deep Reinforcement
//! Learning at the Edge of the Statistical Precipice" (arXiv 2108.13264), with the definitions of its library, rliable.

/// The returns of one run's evaluation episodes. They are not independent of each other, so nothing here takes them:
/// their mean is the run's score.
#[derive(Debug, Clone, PartialEq)]
pub struct Episodes(Vec<f64>);

impl Episodes {
    /// The returns, one an episode.
    #[must_use]
    pub fn new(returns: Vec<f64>) -> Self {
        Self(returns)
    }

    /// The run's score: the mean return. `None` of no episodes or where a return is not a number.
    #[must_use]
    pub fn score(&self) -> Option<RunScore> {
        crate::mean(&self.0).map(RunScore)
    }
}

/// What one run (one seed) scored on one task.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct RunScore(f64);

impl RunScore {
    /// A number that is known to stand for a whole run. `None` if it is not finite.
    #[must_use]
    pub fn new(score: f64) -> Option<Self> {
        score.is_finite().then_some(Self(score))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// An algorithm's scores: by task, one a run. Tasks may have different numbers of runs, but none has none.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Every score in ascending order, with its task and its run.
    sorted: Vec<(f64, usize, usize)>,
    tasks: Vec<Vec<f64>>,
}

/// An aggregate over runs and tasks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// The interquartile mean of all runs on all tasks: the mean of what is left when a quarter, rounded down, is cut
    /// off at each end (`scipy.stats.trim_mean`).
    Iqm,
    /// The mean over tasks of the mean over runs.
    Mean,
    /// The median over tasks of the mean over runs.
    Median,
    /// How far runs stay below a score of γ on average: γ − mean(min(score, γ)).
    OptimalityGap {
        /// γ, 1 for normalised scores.
        gamma: f64,
    },
}

/// Which runs of each task make up a resample: one list of run indices a task.
pub type Resample = [Vec<usize>];

impl Scores {
    /// Scores by task. `None` where there is no task, or a task without runs.
    #[must_use]
    pub fn new(tasks: Vec<Vec<RunScore>>) -> Option<Self> {
        if tasks.is_empty() || tasks.iter().any(Vec::is_empty) {
            return None;
        }
        let numbers = |runs: Vec<RunScore>| runs.into_iter().map(RunScore::get).collect();
        Some(Self::sort(tasks.into_iter().map(numbers).collect()))
    }

    fn sort(tasks: Vec<Vec<f64>>) -> Self {
        let mut sorted: Vec<(f64, usize, usize)> = Vec::new();
        for (task, runs) in tasks.iter().enumerate() {
            sorted.extend(runs.iter().enumerate().map(|(run, score)| (*score, task, run)));
        }
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { sorted, tasks }
    }

    /// The scores on these tasks, in this order; a task may come more than once. For a bootstrap over tasks.
    ///
    /// # Panics
    /// If there is no such task, or if `tasks` is empty.
    #[must_use]
    pub fn of_tasks(&self, tasks: &[usize]) -> Self {
        assert!(!tasks.is_empty(), "scores of no tasks");
        Self::sort(tasks.iter().map(|&task| self.tasks[task].clone()).collect())
    }

    /// The differences between the runs of `self` and of `other`, pair by pair in the order given. `None` where tasks
    /// or numbers of runs differ, or where a difference is not finite.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        if self.runs() != other.runs() {
            return None;
        }
        let of_task = |(x, y): (&Vec<f64>, &Vec<f64>)| {
            x.iter().zip(y).map(|(x, y)| RunScore::new(x - y)).collect::<Option<Vec<RunScore>>>()
        };
        Self::new(self.tasks.iter().zip(&other.tasks).map(of_task).collect::<Option<_>>()?)
    }

    /// The scores by task.
    #[must_use]
    pub fn tasks(&self) -> &[Vec<f64>] {
        &self.tasks
    }

    /// How many runs each task has: the sizes of the groups to resample.
    #[must_use]
    pub fn runs(&self) -> Vec<usize> {
        self.tasks.iter().map(Vec::len).collect()
    }

    /// The resample that takes every run once.
    #[must_use]
    pub fn all(&self) -> Vec<Vec<usize>> {
        self.tasks.iter().map(|runs| (0..runs.len()).collect()).collect()
    }

    /// The scores without run `left_out` of every task that has it, for the jackknife.
    fn all_but(&self, left_out: usize) -> Vec<Vec<usize>> {
        let others = |runs: &Vec<f64>| (0..runs.len()).filter(|run| *run != left_out).collect();
        self.tasks.iter().map(others).collect()
    }

    fn task_means<'a>(&'a self, resample: &'a Resample) -> impl Iterator<Item = f64> + 'a {
        self.tasks
            .iter()
            .zip(resample)
            .map(|(scores, runs)| runs.iter().map(|&run| scores[run]).sum::<f64>() / runs.len() as f64)
    }

    fn pooled<'a>(&'a self, resample: &'a Resample) -> impl Iterator<Item = f64> + 'a {
        self.tasks.iter().zip(resample).flat_map(|(scores, runs)| runs.iter().map(|&run| scores[run]))
    }

    /// `aggregate` of a resample.
    #[must_use]
    pub fn aggregate(&self, aggregate: Aggregate, resample: &Resample) -> Option<f64> {
        let count = resample.iter().map(Vec::len).sum::<usize>();
        match aggregate {
            Aggregate::Iqm => Some(self.iqm(resample, count)),
            Aggregate::Mean => {
                Some(self.task_means(resample).sum::<f64>() / self.tasks.len() as f64).filter(|x| !x.is_nan())
            }
            Aggregate::Median => crate::median_in_place(&mut self.task_means(resample).collect::<Vec<_>>()),
            Aggregate::OptimalityGap { gamma } => {
                let capped = self.pooled(resample).map(|score| score.min(gamma)).sum::<f64>();
                Some(gamma - capped / count as f64)
            }
        }
        .filter(|x| x.is_finite())
    }

    /// The interquartile mean, without sorting: how often each score was drawn, along the scores in order.
    fn iqm(&self, resample: &Resample, count: usize) -> f64 {
        let mut drawn: Vec<Vec<usize>> = self.tasks.iter().map(|runs| vec![0; runs.len()]).collect();
        for (drawn, runs) in drawn.iter_mut().zip(resample) {
            runs.iter().for_each(|&run| drawn[run] += 1);
        }
        let cut = count / 4;
        let (mut before, mut sum) = (0, 0.0);
        for &(score, task, run) in &self.sorted {
            let times = drawn[task][run];
            let inside = (before + times).min(count - cut).saturating_sub(before.max(cut));
            sum += inside as f64 * score;
            before += times;
        }
        sum / (count - 2 * cut) as f64
    }

    /// The share of runs on all tasks that score above `threshold`: a point of the run-score performance profile.
    #[must_use]
    pub fn share_above(&self, threshold: f64, resample: &Resample) -> f64 {
        let count = resample.iter().map(Vec::len).sum::<usize>();
        self.pooled(resample).filter(|score| *score > threshold).count() as f64 / count as f64
    }

    /// The share of tasks whose mean score lies above `threshold`: a point of the average-score profile.
    #[must_use]
    pub fn tasks_above(&self, threshold: f64, resample: &Resample) -> f64 {
        self.task_means(resample).filter(|score| *score > threshold).count() as f64 / self.tasks.len() as f64
    }

    /// The estimates that leave one run out each (of every task that has it), for BCa intervals. `None` where tasks
    /// have different numbers of runs, or only one.
    #[must_use]
    pub fn jackknife(&self, statistic: impl Fn(&Resample) -> Option<f64>) -> Option<Vec<f64>> {
        let runs = self.tasks[0].len();
        if runs < 2 || self.tasks.iter().any(|task| task.len() != runs) {
            return None;
        }
        (0..runs).map(|run| statistic(&self.all_but(run))).collect()
    }
}

/// P(X > Y), the probability that a run of `x` beats a run of `y` on a task, averaged over tasks; a tie counts one
/// half. `None` where they have different tasks.
#[must_use]
pub fn probability_of_improvement(
    (x, of_x): (&Scores, &Resample),
    (y, of_y): (&Scores, &Resample),
) -> Option<f64> {
    if x.tasks.len() != y.tasks.len() {
        return None;
    }
    let of_task = |task: usize| {
        let mut wins = 0.0;
        for &i in &of_x[task] {
            for &j in &of_y[task] {
                let (x, y) = (x.tasks[task][i], y.tasks[task][j]);
                wins += if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                };
            }
        }
        wins / (of_x[task].len() * of_y[task].len()) as f64
    };
    Some((0..x.tasks.len()).map(of_task).sum::<f64>() / x.tasks.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(tasks: &[&[f64]]) -> Scores {
        let runs = |task: &&[f64]| task.iter().map(|x| RunScore::new(*x).unwrap()).collect();
        Scores::new(tasks.iter().map(runs).collect()).unwrap()
    }

    #[test]
    fn an_iqm_cuts_a_quarter_rounded_down_at_each_end() {
        let check = |tasks: &[&[f64]], expect| {
            let scores = scores(tasks);
            assert_eq!(scores.aggregate(Aggregate::Iqm, &scores.all()), Some(expect), "{tasks:?}");
        };
        check(&[&[1.0, 2.0, 6.0]], 3.0);
        check(&[&[1.0, 2.0, 4.0, 100.0]], 3.0);
        check(&[&[4.0, 100.0], &[1.0, 2.0, 9.0]], 5.0);
        // Resamples repeat runs: 1 1 1 9 leaves 1 1.
        assert_eq!(
            scores(&[&[1.0, 9.0, 5.0, 5.0]]).aggregate(Aggregate::Iqm, &[vec![0, 1, 0, 0]]),
            Some(1.0)
        );
    }

    #[test]
    fn a_run_score_is_one_number_of_a_run() {
        assert_eq!(Episodes::new(vec![1.0, 2.0, 6.0]).score(), RunScore::new(3.0));
        assert_eq!((Episodes::new(vec![]).score(), RunScore::new(f64::NAN)), (None, None));
        assert_eq!(Scores::new(vec![]), None);
        assert_eq!(Scores::new(vec![vec![RunScore(1.0)], vec![]]), None);
    }

    #[test]
    fn differences_pair_runs_in_order() {
        let (x, y) = (scores(&[&[1.0, 5.0], &[2.0, 2.0]]), scores(&[&[0.0, 1.0], &[3.0, 1.5]]));
        assert_eq!(x.minus(&y).unwrap().tasks(), [[1.0, 4.0], [-1.0, 0.5]]);
        assert_eq!(x.minus(&scores(&[&[1.0, 2.0]])), None);
        assert_eq!(scores(&[&[f64::MAX]]).minus(&scores(&[&[-f64::MAX]])), None);
    }

    #[test]
    fn a_task_drawn_twice_counts_twice() {
        let drawn = scores(&[&[1.0, 5.0], &[2.0, 4.0], &[9.0]]).of_tasks(&[2, 0, 0]);
        assert_eq!(drawn.tasks(), [vec![9.0], vec![1.0, 5.0], vec![1.0, 5.0]]);
        let mean = drawn.aggregate(Aggregate::Mean, &[vec![0], vec![0, 0], vec![0, 1]]);
        assert_eq!(mean, Some((9.0 + 1.0 + 3.0) / 3.0));
    }

    #[test]
    fn ties_count_one_half() {
        let (x, y) = (scores(&[&[1.0, 2.0]]), scores(&[&[1.0, 1.0, 0.0]]));
        assert_eq!(probability_of_improvement((&x, &x.all()), (&y, &y.all())), Some(5.0 / 6.0));
        let other = scores(&[&[1.0], &[1.0]]);
        assert_eq!(probability_of_improvement((&x, &x.all()), (&other, &other.all())), None);
    }
}
