//! The percentile bootstrap, seeded and parallel.
//!
//! Resamples are index lists, because a run is often a whole curve: the statistic looks up whatever it needs of the
//! runs that it is given. Replicates come in chunks of a fixed size, each with a named stream of its own, so that the
//! same bits come out at any number of threads, and more replicates begin with the same ones as fewer.

use crate::{Interval, Resample, Scores, percentile_interval};
use rayon::prelude::*;
use streams::Stream;

/// Replicates that share one stream. A part of the definition: another size gives other numbers.
pub const CHUNK: usize = 256;

/// The statistic in each resample.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    /// The statistic wherever it was defined, in the order of the resamples.
    pub values: Vec<f64>,
    /// How many resamples left the statistic undefined (a ratio over a baseline of 0 or less, say). Say so wherever
    /// the interval stands: it speaks for the others only.
    pub undefined: usize,
}

impl Replicates {
    /// The percentile interval of the replicates in which the statistic was defined. `None` if there are none.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        percentile_interval(&self.values, level)
    }

    /// The share of all resamples in which the statistic was undefined, 0 to 1.
    #[must_use]
    pub fn undefined_share(&self) -> f64 {
        self.undefined as f64 / (self.values.len() + self.undefined).max(1) as f64
    }

    fn collect(results: impl IntoIterator<Item = Option<f64>>) -> Self {
        let mut replicates = Self { values: Vec::new(), undefined: 0 };
        for result in results {
            match result.filter(|value| !value.is_nan()) {
                Some(value) => replicates.values.push(value),
                None => replicates.undefined += 1,
            }
        }
        replicates
    }
}

/// The stratified bootstrap: in each replicate, group g's run indices `0..group_sizes[g]` are drawn with replacement,
/// as many as there are, independently of the other groups. `statistic` gets one index list a group.
///
/// A group is whatever is resampled as one: a task's arm as a rule, or a task alone where the arms' seeds are paired.
/// `seed` and `purpose` name the random stream. A statistic of `None` or NaN is counted as undefined.
///
/// # Panics
/// If a group has no runs.
pub fn bootstrap(
    group_sizes: &[usize],
    replicates: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&[Vec<usize>]) -> Option<f64> + Sync,
) -> Replicates {
    assert!(!group_sizes.contains(&0), "a group without runs cannot be resampled");
    bootstrap_drawing(group_sizes, replicates, seed, purpose, |resample, _| statistic(resample))
}

/// [`bootstrap`] of a statistic that has a chance of its own, such as [`crate::Published::draw`]: it draws from the
/// replicate's stream, after the resample was. A group without runs has nothing to draw and stays empty.
pub fn bootstrap_drawing(
    group_sizes: &[usize],
    replicates: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&[Vec<usize>], &mut Stream) -> Option<f64> + Sync,
) -> Replicates {
    in_chunks(replicates, seed, purpose, |stream, count| {
        let mut resample: Vec<Vec<usize>> = group_sizes.iter().map(|&n| vec![0; n]).collect();
        let draw = |_| {
            for group in &mut resample {
                let n = group.len();
                group.fill_with(|| stream.index(n));
            }
            statistic(&resample, stream)
        };
        (0..count).map(draw).collect()
    })
}

/// The bootstrap over runs and tasks (rliable's `task_bootstrap`): in each replicate as many tasks as there are are drawn
/// with replacement, and then, for each of them on its own, as many of its runs as it has. `statistic` gets the tasks
/// and one list of run indices for each; [`Scores::of_tasks`] takes the former. It tells how much the number hangs on
/// the choice of tasks, where [`bootstrap`] takes the tasks for given.
///
/// # Panics
/// If there is no task, or one without runs.
pub fn bootstrap_tasks(
    runs: &[usize],
    replicates: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&[usize], &Resample) -> Option<f64> + Sync,
) -> Replicates {
    assert!(!runs.is_empty(), "no tasks cannot be resampled");
    in_chunks(replicates, seed, &format!("tasks/{purpose}"), |stream, count| {
        let draw = |_| {
            let tasks: Vec<usize> = runs.iter().map(|_| stream.index(runs.len())).collect();
            let draw = |&task: &usize| (0..runs[task]).map(|_| stream.index(runs[task])).collect();
            let resample: Vec<Vec<usize>> = tasks.iter().map(draw).collect();
            statistic(&tasks, &resample)
        };
        (0..count).map(draw).collect()
    })
}

/// The bootstrap of a curve: `frames` holds the scores at each step in turn, and every frame is resampled on its own, as
/// rliable does of an array of runs × tasks × frames. So an interval is one frame's and no band around the whole curve.
#[must_use]
pub fn bootstrap_curve(
    frames: &[Scores],
    replicates: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&Scores, &Resample) -> Option<f64> + Sync,
) -> Vec<Replicates> {
    let of_frame = |(frame, scores): (usize, &Scores)| {
        let purpose = format!("{purpose}/frame {frame}");
        bootstrap(&scores.runs(), replicates, seed, &purpose, |draw| statistic(scores, draw))
    };
    frames.iter().enumerate().map(of_frame).collect()
}

/// The bootstrap of one sample of plain numbers (one a run). `statistic` may reorder what it is given, which spares
/// an allocation a replicate. Draws the same resamples as [`bootstrap`] does of one group.
///
/// # Panics
/// If `sample` is empty.
pub fn bootstrap_sample(
    sample: &[f64],
    replicates: usize,
    seed: u64,
    purpose: &str,
    statistic: impl Fn(&mut [f64]) -> Option<f64> + Sync,
) -> Replicates {
    assert!(!sample.is_empty(), "a sample without runs cannot be resampled");
    in_chunks(replicates, seed, purpose, |stream, count| {
        let mut resample = vec![0.0; sample.len()];
        let draw = |_| {
            resample.fill_with(|| sample[stream.index(sample.len())]);
            statistic(&mut resample)
        };
        (0..count).map(draw).collect()
    })
}

/// The statistic in resamples that are given, each with one index list a group: for exact checks against another
/// implementation, or over every resample that there is.
pub fn from_indices(
    resamples: impl IntoIterator<Item = Vec<Vec<usize>>>,
    statistic: impl Fn(&[Vec<usize>]) -> Option<f64>,
) -> Replicates {
    Replicates::collect(resamples.into_iter().map(|resample| statistic(&resample)))
}

fn in_chunks(
    replicates: usize,
    seed: u64,
    purpose: &str,
    draw: impl Fn(&mut Stream, usize) -> Vec<Option<f64>> + Sync,
) -> Replicates {
    let chunks: Vec<Vec<Option<f64>>> = (0..replicates.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut stream = Stream::new(seed, &format!("bootstrap/{purpose}/{chunk}"));
            draw(&mut stream, CHUNK.min(replicates - chunk * CHUNK))
        })
        .collect();
    Replicates::collect(chunks.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Aggregate, RunScore, mean, median, median_in_place};

    /// Every resample of `n` runs: n^n index lists, one group each.
    fn every_resample(n: usize) -> impl Iterator<Item = Vec<Vec<usize>>> {
        (0..n.pow(n as u32))
            .map(move |code| vec![(0..n).map(|place| code / n.pow(place as u32) % n).collect()])
    }

    #[test]
    fn the_medians_interval_has_a_closed_form() {
        // Sorted x1 to xn. n = 4: [x1, x4]; n = 5: [x1, x5]; n = 6: [(x1 + x2) / 2, (x5 + x6) / 2].
        let check = |values: &[f64], expect: [f64; 2]| {
            let of_runs =
                |runs: &[Vec<usize>]| median(&runs[0].iter().map(|&i| values[i]).collect::<Vec<_>>());
            let exact = from_indices(every_resample(values.len()), of_runs);
            assert_eq!(exact.values.len(), values.len().pow(values.len() as u32));
            let drawn = bootstrap(&[values.len()], 10_000, 1, "median", of_runs);
            for replicates in [exact, drawn] {
                let interval = replicates.interval(0.95).unwrap();
                assert_eq!([interval.low, interval.high], expect, "{values:?}");
            }
        };
        check(&[7.0, -1.0, 4.0, 2.0], [-1.0, 7.0]);
        check(&[7.0, -1.0, 4.0, 2.0, 32.0], [-1.0, 32.0]);
        check(&[7.0, -1.0, 4.0, 2.0, 32.0, 16.0], [0.5, 24.0]);
    }

    #[test]
    fn thread_counts_give_the_same_bits() {
        let scores = [[3.0, 1.0, 4.0, 1.5, 9.0, 2.6], [5.0, 3.5, 8.0, 9.7, 9.3, 2.3]];
        let gain = |runs: &[Vec<usize>]| {
            let center = |arm: usize| mean(&runs[arm].iter().map(|&i| scores[arm][i]).collect::<Vec<_>>());
            Some(center(1)? / center(0)?)
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(&[6, 6], 3 * CHUNK + 7, 5, "gain", gain))
        };
        let one = on(1);
        assert_eq!(one.values.len(), 3 * CHUNK + 7);
        assert_eq!(one, on(2));
        assert_eq!(one, on(5));
        let fewer = bootstrap(&[6, 6], CHUNK + 1, 5, "gain", gain);
        assert_eq!(fewer.values, one.values[..=CHUNK], "more replicates begin with the same ones");
        assert_ne!(bootstrap(&[6, 6], 10, 6, "gain", gain).values, one.values[..10], "another seed");
        assert_ne!(bootstrap(&[6, 6], 10, 5, "loss", gain).values, one.values[..10], "another purpose");
    }

    #[test]
    fn thread_counts_give_the_same_bits_of_tasks_and_of_curves() {
        let task = |scores: &[f64]| scores.iter().map(|x| RunScore::new(*x).unwrap()).collect();
        let frame = |shift: f64| {
            Scores::new(vec![task(&[1.0, 2.0 + shift, 4.0]), task(&[3.0, 5.0]), task(&[2.5, shift])]).unwrap()
        };
        let frames = [frame(0.0), frame(1.0)];
        let iqm = |scores: &Scores, draw: &Resample| scores.aggregate(Aggregate::Iqm, draw);
        let of_tasks = |tasks: &[usize], draw: &Resample| iqm(&frames[0].of_tasks(tasks), draw);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let tasks = bootstrap_tasks(&frames[0].runs(), 2 * CHUNK + 1, 0, "x", of_tasks);
                (tasks, bootstrap_curve(&frames, 2 * CHUNK + 1, 0, "x", iqm))
            })
        };
        let (tasks, curve) = on(1);
        assert_eq!((tasks.clone(), curve.clone()), on(2));
        assert_eq!((tasks.clone(), curve.clone()), on(7));
        assert_eq!(tasks.values.len(), 2 * CHUNK + 1);
        let same_draws = bootstrap_curve(&[frame(0.0), frame(0.0)], CHUNK, 0, "x", iqm);
        assert_ne!(same_draws[0], same_draws[1], "every frame has draws of its own");
        assert_eq!(same_draws[0].values, curve[0].values[..CHUNK]);
    }

    #[test]
    fn a_sample_is_one_group() {
        let values = [3.0, 1.0, 4.0, 1.5, 9.0];
        let of_runs = |runs: &[Vec<usize>]| median(&runs[0].iter().map(|&i| values[i]).collect::<Vec<_>>());
        assert_eq!(
            bootstrap_sample(&values, 999, 2, "x", median_in_place),
            bootstrap(&[5], 999, 2, "x", of_runs)
        );
    }

    #[test]
    fn groups_are_drawn_apart_and_every_run_equally_often() {
        let counts = std::sync::Mutex::new(([0u32; 3], [0u32; 2], 0u32));
        let reps = 20_000;
        let none = bootstrap(&[3, 2], reps, 0, "counts", |runs| {
            assert_eq!((runs[0].len(), runs[1].len()), (3, 2));
            let mut counts = counts.lock().unwrap();
            runs[0].iter().for_each(|&i| counts.0[i] += 1);
            runs[1].iter().for_each(|&i| counts.1[i] += 1);
            counts.2 += u32::from(runs[0][0] == 0 && runs[1][0] == 0);
            None
        });
        assert_eq!((none.values.len(), none.undefined, none.undefined_share()), (0, reps, 1.0));
        assert_eq!(none.interval(0.95), None);
        let counts = counts.into_inner().unwrap();
        // Five standard deviations of a binomial count.
        let near = |count: u32, trials: f64, p: f64| {
            assert!((f64::from(count) - trials * p).abs() < 5.0 * (trials * p * (1.0 - p)).sqrt(), "{count}");
        };
        counts.0.iter().for_each(|&count| near(count, 3.0 * reps as f64, 1.0 / 3.0));
        counts.1.iter().for_each(|&count| near(count, 2.0 * reps as f64, 0.5));
        near(counts.2, reps as f64, 1.0 / 6.0);
    }

    #[test]
    fn undefined_replicates_are_counted() {
        let positive = |sample: &mut [f64]| Some(sample[0].ln()).filter(|x| x.is_finite());
        let replicates = bootstrap_sample(&[0.0, 1.0], 4_000, 0, "log", positive);
        assert_eq!(replicates.values.len() + replicates.undefined, 4_000);
        assert!((replicates.undefined_share() - 0.5).abs() < 5.0 * 0.5 / 4_000f64.sqrt());
        assert_eq!(from_indices([vec![vec![0]], vec![vec![1]]], |_| Some(f64::NAN)).undefined, 2);
    }
}
