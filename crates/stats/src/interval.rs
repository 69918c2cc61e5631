//! Intervals, and how many runs would make one narrow enough.

use crate::{mean, quantile_of_sorted, sample_std};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// An interval with the confidence that it claims.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Nominal confidence, such as 0.95. What a percentile interval of six runs truly covers is less.
    pub level: f64,
}

impl Interval {
    /// Half of the distance between the ends.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// Whether `value` lies in the interval, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The percentile bootstrap interval (Efron 1979): the type-7 quantiles at (1 ± `level`) / 2 of the replicates.
/// `None` of no replicates or with a NaN among them.
///
/// # Panics
/// If `level` is not between 0 and 1.
#[must_use]
pub fn percentile_interval(replicates: &[f64], level: f64) -> Option<Interval> {
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some(Interval {
        low: quantile_of_sorted(&sorted, tail)?,
        high: quantile_of_sorted(&sorted, 1.0 - tail)?,
        level,
    })
}

/// How a bootstrap interval is made of replicates (Efron and Tibshirani 1993), each as `arch.bootstrap` defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// [`percentile_interval`].
    Percentile,
    /// The percentile interval mirrored at the estimate.
    Basic,
    /// Percentiles moved by the bias: how many replicates lie strictly below the estimate.
    BiasCorrected,
    /// Percentiles moved by bias and by the acceleration, from estimates that leave one run out each.
    BiasCorrectedAccelerated,
}

/// The interval of `method` around `estimate`. `jackknife` holds the estimates that leave one run out each; only
/// [`Method::BiasCorrectedAccelerated`] looks at it. `None` of no replicates, with a NaN among the input, where all
/// replicates lie on one side of the estimate (there the bias has no value), and where leaving runs out changes
/// nothing.
///
/// # Panics
/// If `level` is not between 0 and 1.
#[must_use]
pub fn bootstrap_interval(
    method: Method,
    replicates: &[f64],
    estimate: f64,
    jackknife: &[f64],
    level: f64,
) -> Option<Interval> {
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let ends = |low, high| Some(Interval { low, high, level });
    let quantile = |q| quantile_of_sorted(&sorted, q);
    let acceleration = match method {
        Method::Percentile => return ends(quantile(tail)?, quantile(1.0 - tail)?),
        Method::Basic if estimate.is_nan() => return None,
        Method::Basic => {
            return ends(2.0 * estimate - quantile(1.0 - tail)?, 2.0 * estimate - quantile(tail)?);
        }
        Method::BiasCorrected => 0.0,
        Method::BiasCorrectedAccelerated => acceleration(jackknife)?,
    };
    let below = sorted.iter().filter(|x| **x < estimate).count() as f64 / sorted.len() as f64;
    if !(below > 0.0 && below < 1.0) {
        return None;
    }
    let normal = Normal::standard();
    let bias = normal.inverse_cdf(below);
    let moved = |q: f64| {
        let z = bias + normal.inverse_cdf(q);
        normal.cdf(bias + z / (1.0 - acceleration * z))
    };
    ends(quantile(moved(tail))?, quantile(moved(1.0 - tail))?)
}

/// Σ d³ / 6 (Σ d²)^1.5, where d is how far the mean lies above each estimate.
fn acceleration(jackknife: &[f64]) -> Option<f64> {
    let mean = mean(jackknife)?;
    let sum = |power: i32| jackknife.iter().map(|x| (mean - x).powi(power)).sum::<f64>();
    let acceleration = sum(3) / (6.0 * sum(2).powf(1.5));
    acceleration.is_finite().then_some(acceleration)
}

/// Student's interval of the mean: mean ± t · s / √n with n − 1 degrees of freedom. `None` of fewer than two values.
///
/// # Panics
/// If `level` is not between 0 and 1.
#[must_use]
pub fn t_interval(values: &[f64], level: f64) -> Option<Interval> {
    assert!(level > 0.0 && level < 1.0, "a level of confidence lies between 0 and 1, not at {level}");
    let (mean, std) = (mean(values)?, sample_std(values)?);
    let n = values.len() as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, level));
    let half = t * std / n.sqrt();
    Some(Interval { low: mean - half, high: mean + half, level })
}

/// About how many runs would decide: the number at which an interval of `half_width` from `runs` runs would end just
/// short of a threshold that lies `distance` from the estimate. `None` where no number would do (a distance of 0) or
/// where the input is not finite.
///
/// A rough guide. It supposes that the estimate stays where it is and that the half-width falls as 1/√n; both are
/// themselves uncertain after a handful of runs.
#[must_use]
pub fn runs_needed(runs: usize, half_width: f64, distance: f64) -> Option<usize> {
    let needed = runs as f64 * (half_width / distance).powi(2);
    // Beyond a billion runs the number says nothing but "no".
    (distance != 0.0 && needed.is_finite() && needed < 1e9).then(|| (needed.ceil() as usize).max(1))
}

/// How many runs make Student's interval of a mean no wider than ± `half_width`, if the runs' standard deviation is
/// `std`: the least n of at least 2 at which t · s / √n reaches it. `None` where no number below a billion does, or
/// where the input is no positive number.
///
/// As rough a guide as `std` is known.
///
/// # Panics
/// If `level` is not between 0 and 1.
#[must_use]
pub fn runs_for_half_width(std: f64, half_width: f64, level: f64) -> Option<usize> {
    assert!(level > 0.0 && level < 1.0, "a level of confidence lies between 0 and 1, not at {level}");
    if !(std >= 0.0 && half_width > 0.0) {
        return None;
    }
    // Normal quantiles are the least that t can be: no fewer runs will do.
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, level));
    let fewest = (z * std / half_width).powi(2).ceil();
    let narrow = |n: &usize| {
        let t = StudentsT::new(0.0, 1.0, (n - 1) as f64).map(|t| t.inverse_cdf(f64::midpoint(1.0, level)));
        t.is_ok_and(|t| t * std / (*n as f64).sqrt() <= half_width)
    };
    (fewest < 1e9).then(|| (fewest as usize).max(2)).and_then(|fewest| (fewest..).take(10_000).find(narrow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_ends_are_type_7_quantiles() {
        let replicates: Vec<f64> = (0..=1000).rev().map(f64::from).collect();
        let interval = percentile_interval(&replicates, 0.95).unwrap();
        assert!((interval.low - 25.0).abs() < 1e-9 && (interval.high - 975.0).abs() < 1e-9, "{interval:?}");
        assert!((interval.half_width() - 475.0).abs() < 1e-9);
        assert!(interval.contains(25.1) && interval.contains(974.9));
        assert!(!interval.contains(24.9) && !interval.contains(975.1));
        assert_eq!(percentile_interval(&[], 0.95), None);
    }

    #[test]
    fn student_intervals_use_tabled_quantiles() {
        // t at 0.975 with n − 1 degrees of freedom, from the printed tables.
        for (n, t) in [(2, 12.706), (3, 4.303), (5, 2.776), (6, 2.571), (10, 2.262), (31, 2.042)] {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let half = t_interval(&values, 0.95).unwrap().half_width();
            let found = half * f64::from(n).sqrt() / sample_std(&values).unwrap();
            assert!((found - t).abs() < 6e-4, "n = {n}: {found} against {t}");
        }
        assert_eq!(t_interval(&[1.0], 0.95), None);
    }

    #[test]
    fn runs_for_a_half_width_are_the_fewest_that_reach_it() {
        for (std, half_width) in [(1.0, 1.0), (3.0, 0.5), (1.0, 0.01), (0.2, 5.0), (0.0, 1.0)] {
            let n = runs_for_half_width(std, half_width, 0.95).unwrap();
            let reached = |n: usize| {
                let t = StudentsT::new(0.0, 1.0, (n - 1) as f64).unwrap().inverse_cdf(0.975);
                t * std / (n as f64).sqrt() <= half_width
            };
            assert!(reached(n) && (n == 2 || !reached(n - 1)), "{std}, {half_width}: {n}");
        }
        assert_eq!(runs_for_half_width(1.0, 0.0, 0.95), None);
        assert_eq!(runs_for_half_width(f64::NAN, 1.0, 0.95), None);
        assert_eq!(runs_for_half_width(1e9, 1e-9, 0.95), None);
    }

    #[test]
    fn a_quarter_of_the_distance_takes_sixteen_times_the_runs() {
        let check = |half_width, distance, expect| assert_eq!(runs_needed(6, half_width, distance), expect);
        check(1.0, 1.0, Some(6));
        check(1.0, 0.25, Some(96));
        check(1.0, -0.25, Some(96));
        check(1.0, 0.9, Some(8));
        check(0.0, 0.5, Some(1));
        check(1.0, 0.0, None);
        check(f64::NAN, 1.0, None);
        check(1.0, 1e-9, None);
    }
}
