//! Ranges, ticks and their labels.

use super::Panel;

const MOST_TICKS: usize = 6;

/// A range with its ticks, each with the text beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Where `value` lies, 0 at the low end and 1 at the high end.
    pub(super) fn position(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The unit that a horizontal axis counts steps in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepUnit {
    One,
    Thousand,
    Million,
}

impl StepUnit {
    fn fit(last: f64) -> Self {
        match last {
            x if x >= 800_000.0 => Self::Million,
            x if x >= 2_000.0 => Self::Thousand,
            _ => Self::One,
        }
    }

    fn size(self) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Thousand => 1e3,
            Self::Million => 1e6,
        }
    }

    /// The label with the unit.
    pub(super) fn label(self, label: &str) -> String {
        match self {
            Self::One => label.to_owned(),
            Self::Thousand => format!("{label} (×10³)"),
            Self::Million => format!("{label} (×10⁶)"),
        }
    }
}

/// Steps: from the first point (or 0 if that is near) to the last, or to the panel's own end. `None` without a point
/// and without an end.
pub(super) fn steps(panel: &Panel) -> Option<(Axis, StepUnit)> {
    let all = panel.curves.iter().flat_map(|curve| &curve.steps).copied();
    let (first, last) = extent(all.chain(panel.x_end)).filter(|&(_, last)| last > 0.0)?;
    let low = if first < 0.3 * last || first == last { 0.0 } else { first };
    let unit = StepUnit::fit(last);
    let ticks = nice_ticks(low / unit.size(), last / unit.size(), MOST_TICKS);
    let ticks = ticks.values.iter().map(|&t| (t * unit.size(), decimal(t, ticks.decimals))).collect();
    Some((Axis { low, high: last, ticks }, unit))
}

/// Returns: all that is drawn, with a little room, and from 0 where that is near. `None` without a finite value.
pub(super) fn returns(panel: &Panel) -> Option<Axis> {
    let mut values: Vec<f64> = panel.lines.iter().map(|line| line.value).collect();
    for curve in &panel.curves {
        values.extend(curve.center.iter().chain(&curve.low).chain(&curve.high));
        values.extend(curve.companion.iter().flatten());
    }
    let (mut low, mut high) = extent(values)?;
    if panel.curves.is_empty() {
        // Levels alone: as far as 0, because nothing else gives a scale.
        (low, high) = (low.min(0.0), high.max(0.0));
    }
    if low == high {
        let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
        (low, high) = (low - room, high + room);
    }
    let room = 0.04 * (high - low);
    // A range that starts near 0 starts at 0, so that heights can be compared.
    let from_zero = low >= 0.0 && low < 0.35 * high;
    let to_zero = high <= 0.0 && high > 0.35 * low;
    let low = if from_zero { 0.0 } else { low - room };
    let high = if to_zero { 0.0 } else { high + room };
    let ticks = nice_ticks(low, high, MOST_TICKS);
    let largest = ticks.values.iter().fold(0.0, |most: f64, t| most.max(t.abs()));
    let labels = ticks.values.iter().map(|&t| (t, return_label(t, largest, &ticks))).collect();
    Some(Axis { low, high, ticks: labels })
}

/// `2k`, `2.5k`, `−1M`, `0.25`; thousands only where the ticks are at least 100 apart.
fn return_label(tick: f64, largest: f64, ticks: &Ticks) -> String {
    for (unit, letter, digits) in [(1e6, "M", 6), (1e3, "k", 3)] {
        if largest >= unit && ticks.step >= unit / 10.0 {
            let decimals = (ticks.trailing_decimals + digits).max(0) as usize;
            let text = decimal(tick / unit, decimals);
            return if text == "0" { text } else { text + letter };
        }
    }
    decimal(tick, ticks.decimals)
}

/// The least and the greatest of the finite values.
fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|x| x.is_finite()).fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((x.min(low), x.max(high))),
    })
}

struct Ticks {
    values: Vec<f64>,
    step: f64,
    /// Digits after the point that the step needs.
    decimals: usize,
    /// The same without the floor at 0: −2 for a step of 500.
    trailing_decimals: i32,
}

/// At most `most` ticks within `low` and `high`, as close as that allows: multiples of 1, 2, 2.5 or 5 times a power of
/// ten. Only products of exact powers, no logarithm, so that every machine finds the same.
fn nice_ticks(low: f64, high: f64, most: usize) -> Ticks {
    let slack = 1e-9 * (high - low);
    // Each step with the digits after the point that its leading factor needs in units of its power of ten.
    let steps = (-9i32..16).flat_map(|power| {
        [(1.0, 0), (2.0, 0), (2.5, 1), (5.0, 0)].map(|(lead, digits)| (power, lead, digits))
    });
    for (power, lead, digits) in steps {
        // A division by an exact power is rounded once: 2 / 10 is the number nearest to 0.2.
        let scale = 10f64.powi(power.abs());
        let at = |i: f64| if power < 0 { i * lead / scale } else { i * lead * scale };
        let (first, last) = (((low - slack) / at(1.0)).ceil(), ((high + slack) / at(1.0)).floor());
        if last - first < most as f64 {
            let values = (0..=(last - first).max(0.0) as usize).map(|i| at(first + i as f64)).collect();
            let trailing_decimals = digits - power;
            return Ticks {
                values,
                step: at(1.0),
                decimals: trailing_decimals.max(0) as usize,
                trailing_decimals,
            };
        }
    }
    Ticks { values: vec![low, high], step: high - low, decimals: 0, trailing_decimals: 0 }
}

/// With a true minus sign, and a bare 0.
fn decimal(value: f64, decimals: usize) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:.decimals$}").replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::super::{Color, Curve, HorizontalLine, Pattern};
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn returns_are_labelled_as_in_papers() {
        let check = |range: [f64; 2], expect: &[&str]| {
            let [steps, center, low, high] = [vec![0.0, 1.0], range.to_vec(), range.to_vec(), range.to_vec()];
            let curve =
                Curve { label: String::new(), color: Color::Blue, steps, center, low, high, companion: None };
            let panel = Panel { curves: vec![curve], ..Panel::default() };
            assert_eq!(labels(&returns(&panel).unwrap()), expect, "{range:?}");
        };
        check([0.0, 5_200.0], &["0", "1k", "2k", "3k", "4k", "5k"]);
        check([0.0, 9_900.0], &["0", "2k", "4k", "6k", "8k", "10k"]);
        check([-300.0, 12_000.0], &["0", "2.5k", "5.0k", "7.5k", "10.0k"]);
        check([-900.0, -20.0], &["−800", "−600", "−400", "−200", "0"]);
        check([-1_500.0, 1_400.0], &["−1k", "0", "1k"]);
        check([0.0, 0.95], &["0", "0.2", "0.4", "0.6", "0.8"]);
        check([5_000.0, 5_080.0], &["5000", "5020", "5040", "5060", "5080"]);
        check([0.0, 4e6], &["0", "1M", "2M", "3M", "4M"]);
        check([7.0, 7.0], &["6.5", "7.0", "7.5"]);
    }

    #[test]
    fn levels_alone_are_shown_above_zero() {
        let line = |value| HorizontalLine {
            label: String::new(),
            color: Color::Blue,
            pattern: Pattern::Dashed,
            value,
        };
        let panel = Panel { lines: vec![line(5_000.0)], ..Panel::default() };
        assert_eq!(labels(&returns(&panel).unwrap()), ["0", "1k", "2k", "3k", "4k", "5k"]);
        assert_eq!(returns(&Panel { lines: vec![line(f64::NAN)], ..Panel::default() }), None);
    }

    #[test]
    fn steps_are_counted_in_a_fitting_unit() {
        let check = |end: f64, unit, expect: &[&str]| {
            let panel = Panel { x_end: Some(end), ..Panel::default() };
            let (axis, found) = steps(&panel).unwrap();
            assert_eq!((axis.low, axis.high), (0.0, end));
            assert_eq!((found, labels(&axis)), (unit, expect.to_vec()), "{end}");
        };
        check(1e6, StepUnit::Million, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(3e6, StepUnit::Million, &["0", "1", "2", "3"]);
        check(300_000.0, StepUnit::Thousand, &["0", "100", "200", "300"]);
        check(20_000.0, StepUnit::Thousand, &["0", "5", "10", "15", "20"]);
        check(1_500.0, StepUnit::One, &["0", "500", "1000", "1500"]);
        assert_eq!(steps(&Panel::default()), None);
    }
}
