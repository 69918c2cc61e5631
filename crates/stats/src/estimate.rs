//! Point estimates. Each is `None` where it has no meaning: of no values, or of values among which one is not a
//! number.

/// The arithmetic mean.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (!mean.is_nan()).then_some(mean)
}

/// The median: the middle value, or the mean of the two middle ones.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    median_in_place(&mut values.to_vec())
}

/// [`median`] without a copy, for inner loops. Leaves `values` sorted.
pub fn median_in_place(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    if n == 0 || has_nan(values) {
        return None;
    }
    // Halved before they are added, so that two large values do not overflow.
    Some(if n % 2 == 1 { values[n / 2] } else { values[n / 2 - 1] / 2.0 + values[n / 2] / 2.0 })
}

/// The quantile at `q` (0 to 1) by linear interpolation between order statistics: type 7 of Hyndman and Fan (1996),
/// which is NumPy's and R's default. `values` may come in any order.
///
/// # Panics
/// If `q` is outside 0 to 1.
#[must_use]
pub fn quantile_type7(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// [`quantile_type7`] of values that are already in ascending order ([`f64::total_cmp`]).
///
/// # Panics
/// If `q` is outside 0 to 1.
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "a quantile lies between 0 and 1, not at {q}");
    let last = sorted.len().checked_sub(1)?;
    if has_nan(sorted) {
        return None;
    }
    let rank = q * last as f64;
    let below = sorted[rank.floor() as usize];
    let above = sorted[rank.ceil() as usize];
    // Equal neighbours are returned as they are: their difference is 0 unless they are infinite.
    Some(if below == above { below } else { below + (above - below) * rank.fract() })
}

/// The standard deviation of the population, dividing by n (NumPy's default, and the ± of the TD3 paper).
#[must_use]
pub fn population_std(values: &[f64]) -> Option<f64> {
    Some((squared_deviations(values)? / values.len() as f64).sqrt())
}

/// The standard deviation as estimated from a sample, dividing by n − 1. Needs two values.
#[must_use]
pub fn sample_std(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    Some((squared_deviations(values)? / (values.len() - 1) as f64).sqrt())
}

fn squared_deviations(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    Some(values.iter().map(|x| (x - mean) * (x - mean)).sum())
}

/// Whether a sorted slice holds a NaN: `total_cmp` puts them at the ends.
fn has_nan(sorted: &[f64]) -> bool {
    sorted.first().is_some_and(|x| x.is_nan()) || sorted.last().is_some_and(|x| x.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([4, 1, 3, 2], q), and of five values.
        let check =
            |values: &[f64], q, expect| assert_eq!(quantile_type7(values, q), expect, "{values:?} {q}");
        check(&[4.0, 1.0, 3.0, 2.0], 0.0, Some(1.0));
        check(&[4.0, 1.0, 3.0, 2.0], 0.25, Some(1.75));
        check(&[4.0, 1.0, 3.0, 2.0], 0.5, Some(2.5));
        check(&[4.0, 1.0, 3.0, 2.0], 1.0, Some(4.0));
        check(&[5.0, 1.0, 2.0, 9.0, 7.0], 0.75, Some(7.0));
        check(&[-3.0], 0.9, Some(-3.0));
        check(&[], 0.5, None);
        check(&[1.0, f64::NAN], 0.5, None);
        check(&[1.0, -f64::NAN], 0.5, None);
    }

    #[test]
    fn means_and_medians() {
        let check = |values: &[f64], expect| assert_eq!((mean(values), median(values)), expect, "{values:?}");
        check(&[3.0, 1.0, 8.0], (Some(4.0), Some(3.0)));
        check(&[3.0, 1.0, 8.0, 4.0], (Some(4.0), Some(3.5)));
        check(&[f64::MAX, f64::MAX], (Some(f64::INFINITY), Some(f64::MAX)));
        check(&[], (None, None));
        check(&[1.0, f64::NAN, 2.0], (None, None));
    }

    #[test]
    fn the_two_standard_deviations_differ_in_their_divisor() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(population_std(&values), Some(2.0));
        assert_eq!(sample_std(&values), Some((32.0f64 / 7.0).sqrt()));
        assert_eq!((population_std(&[3.0]), sample_std(&[3.0])), (Some(0.0), None));
    }
}
