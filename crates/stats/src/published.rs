//! A mean that somebody published, of which the runs are not at hand.

use crate::Interval;
use statrs::distribution::{ContinuousCDF, StudentsT};
use streams::Stream;

/// What the ± beside a published mean is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// The standard deviation of the runs themselves, dividing by n.
    PopulationStd,
    /// The standard deviation estimated from the runs, dividing by n − 1.
    SampleStd,
    /// The standard error of the mean.
    StandardError,
}

/// A published mean over runs, with what is known of its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    mean: f64,
    standard_error: f64,
    /// Runs less one; 0 where the number must be taken as exact.
    freedom: usize,
}

impl Published {
    /// A mean of `runs` runs. Its standard error is s / √n of a sample's standard deviation, s / √(n − 1) of a
    /// population's. `None` where it cannot be known: of fewer than two runs, or of a spread that is no number of at
    /// least 0.
    #[must_use]
    pub fn new(mean: f64, spread: f64, kind: Spread, runs: usize) -> Option<Self> {
        if runs < 2 || !(spread >= 0.0 && spread.is_finite() && mean.is_finite()) {
            return None;
        }
        let standard_error = match kind {
            Spread::PopulationStd => spread / (runs as f64 - 1.0).sqrt(),
            Spread::SampleStd => spread / (runs as f64).sqrt(),
            Spread::StandardError => spread,
        };
        Some(Self { mean, standard_error, freedom: runs - 1 })
    }

    /// A number that is taken as it stands.
    #[must_use]
    pub fn exact(mean: f64) -> Self {
        Self { mean, standard_error: 0.0, freedom: 0 }
    }

    /// The number.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Student's interval of the mean, as its authors could have given it; the number itself where it is exact.
    ///
    /// # Panics
    /// If `level` is not between 0 and 1.
    #[must_use]
    pub fn interval(&self, level: f64) -> Interval {
        assert!(level > 0.0 && level < 1.0, "a level of confidence lies between 0 and 1, not at {level}");
        let t = StudentsT::new(0.0, 1.0, self.freedom as f64);
        let half = t.map_or(0.0, |t| t.inverse_cdf(f64::midpoint(1.0, level)) * self.standard_error);
        Interval { low: self.mean - half, high: self.mean + half, level }
    }

    /// One draw of where the mean may lie: mean + t · standard error, where t is Student's with n − 1 degrees of
    /// freedom. The quantiles of many draws are the ends of [`Self::interval`], as the replicates of a bootstrap are
    /// those of its.
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        if self.freedom == 0 {
            return self.mean;
        }
        let normal = stream.normal();
        let squares: f64 = (0..self.freedom).map(|_| stream.normal().powi(2)).sum();
        self.mean + self.standard_error * normal * (self.freedom as f64 / squares).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bootstrap_drawing, mean, percentile_interval, population_std, sample_std, t_interval, welch,
    };

    const RUNS: [f64; 5] = [4.0, 7.0, 5.5, 9.0, 6.0];

    #[test]
    fn its_interval_is_students_of_the_runs_behind_it() {
        let expected = t_interval(&RUNS, 0.95).unwrap();
        let check = |spread: f64, kind| {
            let published = Published::new(mean(&RUNS).unwrap(), spread, kind, RUNS.len()).unwrap();
            let found = published.interval(0.95);
            assert!((found.low - expected.low).abs() < 1e-9 && (found.high - expected.high).abs() < 1e-9);
            let mut stream = Stream::new(0, "published");
            let draws: Vec<f64> = (0..200_000).map(|_| published.draw(&mut stream)).collect();
            let drawn = percentile_interval(&draws, 0.95).unwrap();
            assert!(
                (drawn.low - expected.low).abs() < 0.05 && (drawn.high - expected.high).abs() < 0.05,
                "{drawn:?}"
            );
        };
        let sample = sample_std(&RUNS).unwrap();
        check(sample, Spread::SampleStd);
        check(population_std(&RUNS).unwrap(), Spread::PopulationStd);
        check(sample / 5f64.sqrt(), Spread::StandardError);
    }

    /// Where runs are many, the bootstrap over ours and draws of theirs is Welch's interval of the difference.
    #[test]
    fn a_difference_from_it_is_welchs() {
        let mut stream = Stream::new(1, "runs");
        let mut runs = |n: usize, shift: f64, scale: f64| -> Vec<f64> {
            (0..n).map(|_| shift + scale * stream.normal()).collect()
        };
        let (ours, theirs) = (runs(60, 5.0, 1.0), runs(12, 4.0, 2.0));
        let published =
            Published::new(mean(&theirs).unwrap(), sample_std(&theirs).unwrap(), Spread::SampleStd, 12)
                .unwrap();
        let of = |draw: &[Vec<usize>], stream: &mut Stream| {
            let ours: Vec<f64> = draw[0].iter().map(|&i| ours[i]).collect();
            Some(mean(&ours)? - published.draw(stream))
        };
        let found = bootstrap_drawing(&[ours.len()], 40_000, 0, "difference", of).interval(0.95).unwrap();
        // Welch's standard error and degrees of freedom, from the test's own statistic.
        let variance = |x: &[f64]| sample_std(x).unwrap().powi(2) / x.len() as f64;
        let (vx, vy) = (variance(&ours), variance(&theirs));
        let freedom = (vx + vy).powi(2) / (vx.powi(2) / 59.0 + vy.powi(2) / 11.0);
        let difference = mean(&ours).unwrap() - mean(&theirs).unwrap();
        assert!((welch(&ours, &theirs).unwrap().statistic - difference / (vx + vy).sqrt()).abs() < 1e-12);
        let half = StudentsT::new(0.0, 1.0, freedom).unwrap().inverse_cdf(0.975) * (vx + vy).sqrt();
        assert!((found.low - (difference - half)).abs() < 0.03 * half, "{found:?}, {difference} ± {half}");
        assert!((found.high - (difference + half)).abs() < 0.03 * half, "{found:?}, {difference} ± {half}");
        // Without their uncertainty it is much narrower: theirs are few, and spread twice as far.
        assert!(half > 2.0 * t_interval(&ours, 0.95).unwrap().half_width());
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        assert_eq!(Published::new(1.0, 0.5, Spread::SampleStd, 1), None);
        assert_eq!(Published::new(1.0, f64::NAN, Spread::SampleStd, 5), None);
        let exact = Published::exact(3.0);
        assert_eq!((exact.interval(0.95).low, exact.draw(&mut Stream::new(0, "x"))), (3.0, 3.0));
    }
}
