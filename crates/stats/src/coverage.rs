//! How often the intervals of a few runs hold what they are intervals of.

/// In per cent of samples of normal data, how often a nominal 95 % percentile bootstrap interval holds the true value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Runs, on each side where there are two.
    pub runs: usize,
    /// Of the median of runs.
    pub median: u8,
    /// Of the difference between the medians of two arms.
    pub difference: u8,
    /// Of the median of the runs that the IQR rule leaves.
    pub after_iqr_rule: u8,
}

/// By simulation, which this module's test repeats. Up to five runs the interval of a median reaches over all of them, and
/// the true median lies outside all of n runs in 2 of 2ⁿ cases.
pub const COVERAGE: [Coverage; 6] = [
    Coverage { runs: 2, median: 50, difference: 67, after_iqr_rule: 50 },
    Coverage { runs: 3, median: 75, difference: 90, after_iqr_rule: 75 },
    Coverage { runs: 4, median: 87, difference: 93, after_iqr_rule: 74 },
    Coverage { runs: 5, median: 93, difference: 97, after_iqr_rule: 77 },
    Coverage { runs: 6, median: 94, difference: 96, after_iqr_rule: 86 },
    Coverage { runs: 10, median: 93, difference: 96, after_iqr_rule: 89 },
];

impl Coverage {
    /// That of as many runs, or of the next fewer that are known.
    #[must_use]
    pub fn of(runs: usize) -> Option<Self> {
        COVERAGE.into_iter().rev().find(|known| known.runs <= runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TUKEY_K, bootstrap, bootstrap_sample, iqr_filter, mean, median, median_in_place};
    use streams::Stream;

    const SAMPLES: usize = 3000;
    const RESAMPLES: usize = 400;

    #[test]
    fn intervals_hold_the_truth_as_often_as_is_told() {
        let mut stream = Stream::new(0, "coverage");
        for told in COVERAGE {
            let mut draw = || (0..told.runs).map(|_| stream.normal()).collect::<Vec<f64>>();
            let (mut of_median, mut of_difference, mut after) = (Vec::new(), Vec::new(), Vec::new());
            for i in 0..SAMPLES {
                let (x, y) = (draw(), draw());
                let holds = |replicates: crate::Replicates| {
                    let interval = replicates.interval(0.95).unwrap();
                    f64::from(u8::from(interval.low <= 0.0 && interval.high >= 0.0))
                };
                let alone = |sample: &[f64]| {
                    holds(bootstrap_sample(sample, RESAMPLES, i as u64, "alone", median_in_place))
                };
                of_median.push(alone(&x));
                after.push(alone(&iqr_filter(&x, TUKEY_K).unwrap().kept));
                let at = |values: &[f64], indices: &[usize]| {
                    median(&indices.iter().map(|&i| values[i]).collect::<Vec<f64>>())
                };
                let sizes = [told.runs; 2];
                of_difference.push(holds(bootstrap(&sizes, RESAMPLES, i as u64, "both", |drawn| {
                    Some(at(&x, &drawn[0])? - at(&y, &drawn[1])?)
                })));
            }
            for (told_here, found, what) in [
                (told.median, of_median, "median"),
                (told.difference, of_difference, "difference"),
                (told.after_iqr_rule, after, "after the rule"),
            ] {
                let found = 100.0 * mean(&found).unwrap();
                // Three standard errors and the rounding.
                let share = f64::from(told_here) / 100.0;
                let error = 3.0 * 100.0 * (share * (1.0 - share) / SAMPLES as f64).sqrt();
                println!("{} runs, {what}: {found:.1} %", told.runs);
                assert!(
                    (found - f64::from(told_here)).abs() < error + 0.5,
                    "{} runs, {what}: {found}",
                    told.runs
                );
            }
        }
    }

    #[test]
    fn the_methodology_tells_the_same() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../METHODOLOGY.md")).unwrap();
        for Coverage { runs, median, difference, after_iqr_rule } in COVERAGE {
            let row = format!("| {runs} | {median} % | {difference} % | {after_iqr_rule} % |");
            assert!(text.contains(&row), "METHODOLOGY.md lacks the row {row}");
        }
    }
}
