//! `claims.toml`: what a paper says that can be true or false, as data.

use serde::{Deserialize, Serialize};

/// All of a paper's claims.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The version of this format.
    pub schema: u32,
    /// The claims, in the order in which tables show them.
    pub claim: Vec<Claim>,
}

/// One claim: `metric` of `arm` against `baseline` lies above, or below, a threshold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// A short name.
    pub id: String,
    /// The claim in our words.
    pub statement: String,
    /// Where the paper makes it; begins with `ours` where it does not, and then counts apart.
    pub cite: String,
    /// What is compared.
    pub metric: Metric,
    /// The arm of which something is claimed.
    pub arm: String,
    /// What it is compared with: another arm, `expert`, or the id of a source in `reference.toml`.
    pub baseline: String,
    /// The tasks it is claimed for; all of the profile's where absent.
    #[serde(default)]
    pub tasks: Option<Vec<String>>,
    /// The threshold that the metric must exceed; or else `below`.
    #[serde(default)]
    above: Option<f64>,
    /// The threshold that the metric must stay below; or else `above`.
    #[serde(default)]
    below: Option<f64>,
    /// What the text may mean: each is tested.
    pub reading: Vec<Reading>,
}

/// Which side of which number a metric is claimed to lie on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// Above it.
    Above(f64),
    /// Below it.
    Below(f64),
}

impl Threshold {
    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Above(value) | Self::Below(value) => value,
        }
    }

    /// `>` or `<`.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Above(_) => ">",
            Self::Below(_) => "<",
        }
    }
}

impl Claim {
    /// The threshold; `None` unless exactly one is given. A claim of an [`crate::Experiment`] has one.
    #[must_use]
    pub fn threshold(&self) -> Option<Threshold> {
        match (self.above, self.below) {
            (Some(value), None) => Some(Threshold::Above(value)),
            (None, Some(value)) => Some(Threshold::Below(value)),
            _ => None,
        }
    }
}

/// What is compared. Every task's score is the median over runs of the run's mean in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// (arm − baseline) / baseline, averaged over tasks. Undefined where a baseline is not positive.
    RelativeGain,
    /// arm / baseline, averaged over tasks. Undefined where a baseline is not positive.
    Ratio,
    /// arm − baseline, averaged over tasks: for scores on one scale, such as normalised ones.
    Difference,
    /// arm − baseline on the task where that is least.
    LeastDifference,
}

impl Metric {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RelativeGain => "relative gain",
            Self::Ratio => "ratio",
            Self::Difference => "difference",
            Self::LeastDifference => "least difference",
        }
    }
}

/// One way to read a claim.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// A short name, for tables.
    pub id: String,
    /// The column of `train.csv` that is compared; returns of evaluations where absent.
    #[serde(default)]
    pub of: Option<String>,
    /// Which evaluations count.
    pub window: Window,
    /// Which evaluations of the baseline count, where those are others.
    #[serde(default)]
    baseline_window: Option<Window>,
    /// Whether the steps that trained the task's expert count: the baseline is taken as many steps later, or at its end.
    #[serde(default)]
    pub counts_expert: bool,
}

impl Reading {
    /// Whether other evaluations of the baseline count than of the arm.
    pub(crate) fn has_baseline_window(&self) -> bool {
        self.baseline_window.is_some()
    }

    /// Which evaluations of the baseline count.
    #[must_use]
    pub fn baseline_window(&self) -> Window {
        self.baseline_window.unwrap_or(self.window)
    }
}

/// Which evaluations of a run count. The one before the first step does `at` 0 only.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// Those within this share of the budget from its start.
    First(f64),
    /// Those within this share of the budget up to its end, at least the last one.
    Last(f64),
    /// The one at this share of the budget.
    At(f64),
    /// The one after this many steps.
    AtStep(u64),
}

impl Window {
    /// Whether a share is one.
    pub(crate) fn is_within_a_run(self) -> bool {
        match self {
            Self::First(share) | Self::Last(share) | Self::At(share) => (0.0..=1.0).contains(&share),
            Self::AtStep(_) => true,
        }
    }

    /// Whether the evaluation after `step` steps of a budget of `steps`, with one every `every`, counts.
    #[must_use]
    pub fn contains(self, step: u64, steps: u64, every: u64) -> bool {
        // 0.29 of 100,000 steps are 29,000, and not the 28,999.999… that the product is.
        let share = |share: f64| {
            let product = share * steps as f64;
            if (product - product.round()).abs() < 1e-6 { product.round() } else { product }
        };
        // The evaluation nearest below a share that falls between two.
        let at = |share: f64| step <= share as u64 && share as u64 - step < every;
        (step > 0 || self == Self::At(0.0))
            && match self {
                Self::First(first) => step as f64 <= share(first),
                Self::Last(last) => step as f64 > steps as f64 - share(last) || step + every > steps,
                Self::At(position) => at(share(position)),
                Self::AtStep(position) => position <= steps && at(position as f64),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_the_evaluations_they_say() {
        let check = |window: Window, (steps, every), expected: &[u64]| {
            let found: Vec<u64> = (0..=steps / every)
                .map(|i| i * every)
                .filter(|&s| window.contains(s, steps, every))
                .collect();
            assert_eq!(found, expected, "{window:?} of {steps} every {every}");
        };
        check(Window::First(0.25), (40, 5), &[5, 10]);
        check(Window::Last(0.25), (40, 5), &[35, 40]);
        check(Window::Last(0.01), (40, 5), &[40]);
        check(Window::At(0.25), (40, 5), &[10]);
        check(Window::At(0.2), (40, 5), &[5]);
        check(Window::At(0.0), (40, 5), &[0]);
        check(Window::At(0.29), (100_000, 1_000), &[29_000]);
        check(Window::First(0.57), (300_000, 171_000), &[171_000]);
        check(Window::Last(0.55), (100_000, 45_000), &[90_000]);
        check(Window::AtStep(20), (40, 5), &[20]);
        check(Window::AtStep(50), (40, 5), &[]);
        check(Window::Last(0.05), (1_000, 5), &(0..10).map(|i| 955 + 5 * i).collect::<Vec<_>>());
    }
}
