//! Tests whether two groups of runs differ, and the correction for many tests.

use crate::{mean, sample_std};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// A test's statistic and two-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// t, or U of the first group.
    pub statistic: f64,
    /// The probability of a statistic at least as far from what is expected where there is no difference.
    pub p: f64,
}

/// Welch's t-test of equal means, for groups of unequal variance (Welch 1947). `None` of fewer than two runs in a group
/// or without any variance.
#[must_use]
pub fn welch(x: &[f64], y: &[f64]) -> Option<Test> {
    let of_mean = |values: &[f64]| Some(sample_std(values)?.powi(2) / values.len() as f64);
    let (vx, vy) = (of_mean(x)?, of_mean(y)?);
    let t = (mean(x)? - mean(y)?) / (vx + vy).sqrt();
    let (nx, ny) = (x.len() as f64, y.len() as f64);
    let freedom = (vx + vy).powi(2) / (vx.powi(2) / (nx - 1.0) + vy.powi(2) / (ny - 1.0));
    if !t.is_finite() {
        return None;
    }
    let p = 2.0 * StudentsT::new(0.0, 1.0, freedom).ok()?.sf(t.abs());
    Some(Test { statistic: t, p })
}

/// The Mann-Whitney U test (1947): exact where there are no ties and at most twenty runs in all, else by the normal
/// approximation with the corrections for ties and continuity, as `scipy.stats.mannwhitneyu` computes it. `None` of an
/// empty group, of values that are no numbers, and where all values are equal.
#[must_use]
pub fn mann_whitney(x: &[f64], y: &[f64]) -> Option<Test> {
    let (nx, ny) = (x.len(), y.len());
    let mut all: Vec<f64> = x.iter().chain(y).copied().collect();
    if nx == 0 || ny == 0 || all.iter().any(|x| x.is_nan()) {
        return None;
    }
    all.sort_by(f64::total_cmp);
    let groups: Vec<usize> = all.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
    let wins = |x: &f64| {
        y.iter()
            .map(|y| {
                if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    let u = x.iter().map(wins).sum::<f64>();
    let (nx, ny, n) = (nx as f64, ny as f64, (nx + ny) as f64);
    let larger = u.max(nx * ny - u);
    let p = if groups.len() == all.len() && all.len() <= 20 {
        2.0 * exact_tail(x.len(), y.len(), larger as usize)
    } else {
        let ties = groups.iter().map(|&t| (t as f64).powi(3) - t as f64).sum::<f64>();
        let variance = nx * ny / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
        if variance <= 0.0 {
            return None;
        }
        let z = (larger - nx * ny / 2.0 - 0.5) / variance.sqrt();
        2.0 * Normal::standard().sf(z)
    };
    Some(Test { statistic: u, p: p.min(1.0) })
}

/// P(U ≥ u) where every order of the runs is equally likely (the recurrence of Mann and Whitney 1947).
fn exact_tail(nx: usize, ny: usize, u: usize) -> f64 {
    // ways[i][w]: orders of i runs of x and as many of y as were taken so far in which x wins w times. The highest of
    // all is a run of y, and changes nothing, or a run of x, and wins against every y.
    let mut ways = vec![vec![0.0; nx * ny + 1]; nx + 1];
    ways.iter_mut().for_each(|ways| ways[0] = 1.0);
    for taken in 1..=ny {
        for i in 1..=nx {
            let fewer = ways[i - 1].clone();
            ways[i][taken..].iter_mut().zip(&fewer).for_each(|(ways, fewer)| *ways += fewer);
        }
    }
    ways[nx][u..].iter().sum::<f64>() / ways[nx].iter().sum::<f64>()
}

/// Holm's step-down correction (1979): p-values that may be compared with one level together, in the order given.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut highest = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        highest = highest.max((p[i] * (p.len() - rank) as f64).min(1.0));
        corrected[i] = highest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_tails_count_orders() {
        // Two and two: six orders, with 0 1 2 2 3 4 wins.
        let tails: Vec<f64> = (0..=4).map(|u| exact_tail(2, 2, u) * 6.0).collect();
        assert_eq!(tails, [6.0, 5.0, 4.0, 2.0, 1.0]);
    }

    #[test]
    fn holm_never_falls_as_p_rises() {
        assert_eq!(holm(&[0.01, 0.5, 0.02, 0.015]), [0.04, 0.5, 0.045, 0.045]);
        assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn what_cannot_be_tested_has_no_answer() {
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), None);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[1.0, 1.0], &[1.0]), None);
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
    }
}
