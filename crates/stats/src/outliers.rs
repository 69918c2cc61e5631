//! Tukey's rule for outliers.

use crate::quantile_type7;

/// Tukey's multiplier of the interquartile range.
pub const TUKEY_K: f64 = 1.5;

/// What the rule made of a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct IqrFilter {
    /// First quartile, type 7.
    pub q1: f64,
    /// Third quartile, type 7.
    pub q3: f64,
    /// Q1 − k · IQR. A value strictly below it is dropped.
    pub low_fence: f64,
    /// Q3 + k · IQR. A value strictly above it is dropped.
    pub high_fence: f64,
    /// The values that stay, in the order given.
    pub kept: Vec<f64>,
    /// Where the values that stay stood.
    pub kept_indices: Vec<usize>,
    /// Where the dropped values stood.
    pub dropped: Vec<usize>,
}

/// Splits `values` (one a run) at the fences Q1 − k · IQR and Q3 + k · IQR, with type-7 quartiles and strict
/// comparison (Tukey 1977; `k` is [`TUKEY_K`] as a rule). `None` of no values or with a NaN among them.
///
/// With three values or fewer nothing can be dropped; with six, at most one on each side. The rule removes failed
/// runs, not noise: show what it dropped and the estimate without it. It also narrows what follows: see
/// [`crate::COVERAGE`].
#[must_use]
pub fn iqr_filter(values: &[f64], k: f64) -> Option<IqrFilter> {
    let (q1, q3) = (quantile_type7(values, 0.25)?, quantile_type7(values, 0.75)?);
    let (low_fence, high_fence) = (q1 - k * (q3 - q1), q3 + k * (q3 - q1));
    let (dropped, kept_indices): (Vec<usize>, Vec<usize>) =
        (0..values.len()).partition(|&i| values[i] < low_fence || values[i] > high_fence);
    let kept = kept_indices.iter().map(|&i| values[i]).collect();
    Some(IqrFilter { q1, q3, low_fence, high_fence, kept, kept_indices, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bootstrap_sample, median, median_in_place, percentile_interval};

    /// Runs 0 to 5 of the TD3 authors' published curves; quartiles, fences and intervals computed apart from this
    /// code.
    #[test]
    fn the_td3_papers_runs() {
        struct Expect {
            quartiles: [f64; 2],
            fences: [f64; 2],
            dropped: usize,
            median: f64,
            interval: [f64; 2],
        }
        let check = |name: &str, values: [f64; 6], expect: Expect| {
            let filter = iqr_filter(&values, TUKEY_K).unwrap();
            // The expected numbers carry three decimals.
            let near = |a: f64, b: f64| assert!((a - b).abs() < 6e-4, "{name}: {a} against {b}");
            near(filter.q1, expect.quartiles[0]);
            near(filter.q3, expect.quartiles[1]);
            near(filter.low_fence, expect.fences[0]);
            near(filter.high_fence, expect.fences[1]);
            assert_eq!(filter.dropped, [expect.dropped], "{name}");
            assert_eq!(filter.kept.len(), 5, "{name}");
            assert_eq!(median(&filter.kept), Some(expect.median), "{name}");
            let replicates = bootstrap_sample(&filter.kept, 10_000, 0, name, median_in_place);
            let interval = percentile_interval(&replicates.values, 0.95).unwrap();
            assert_eq!([interval.low, interval.high], expect.interval, "{name}");
        };
        check(
            "Walker2d 1M",
            [5647.31, 4789.82, 4301.27, 4095.66, 1614.95, 4818.11],
            Expect {
                quartiles: [4147.0625, 4811.0375],
                fences: [3151.100, 5807.000],
                dropped: 4,
                median: 4789.82,
                interval: [4095.66, 5647.31],
            },
        );
        check(
            "Hopper 1M",
            [3470.21, 3318.66, 3545.19, 3352.73, 2324.75, 3758.53],
            Expect {
                quartiles: [3327.1775, 3526.445],
                fences: [3028.276, 3825.346],
                dropped: 4,
                median: 3470.21,
                interval: [3318.66, 3758.53],
            },
        );
        check(
            "Ant 250k",
            [711.90, 2356.89, 1472.62, 1411.85, 1612.40, 1985.47],
            Expect {
                quartiles: [1427.0425, 1892.2025],
                fences: [729.303, 2589.943],
                dropped: 0,
                median: 1612.40,
                interval: [1411.85, 2356.89],
            },
        );
        check(
            "HalfCheetah 300k",
            [7548.21, 6196.47, 7691.52, 7395.51, 8453.87, 8135.97],
            Expect {
                quartiles: [7433.685, 8024.8575],
                fences: [6546.926, 8911.616],
                dropped: 1,
                median: 7691.52,
                interval: [7395.51, 8453.87],
            },
        );
    }

    #[test]
    fn what_lies_on_a_fence_stays() {
        let check = |values: &[f64], dropped: &[usize]| {
            assert_eq!(iqr_filter(values, TUKEY_K).unwrap().dropped, dropped, "{values:?}");
        };
        // Q1 = 1, Q3 = 3: the fences are −2 and 6.
        check(&[0.0, 1.0, 2.0, 3.0, 6.0], &[]);
        check(&[0.0, 1.0, 2.0, 3.0, 6.001], &[4]);
        check(&[-2.001, 1.0, 2.0, 3.0, 4.0], &[0]);
        // Both sides, and all but one equal: an IQR of 0 drops whatever differs.
        check(&[-90.0, 1.0, 2.0, 2.0, 3.0, 90.0], &[0, 5]);
        check(&[5.0, 5.0, 5.0, 5.0, 5.1], &[4]);
        // Three values can never be split, however far one lies.
        check(&[0.0, 1.0, 1e9], &[]);
        assert_eq!(iqr_filter(&[], TUKEY_K), None);
        assert_eq!(iqr_filter(&[1.0, f64::NAN], TUKEY_K), None);
    }
}
