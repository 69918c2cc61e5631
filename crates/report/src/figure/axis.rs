//! Ranges, ticks and their labels.

use super::{Marks, Panel, ScaleKind};

pub(super) const MOST_TICKS: usize = 6;
/// What a range has beyond the least and the greatest value, by its length.
const ROOM: f64 = 0.04;

/// A range with its ticks, each with the text beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
    doubling: bool,
}

impl Axis {
    /// Where `value` lies, 0 at the low end and 1 at the high end; not finite where it cannot lie anywhere.
    pub(super) fn position(&self, value: f64) -> f64 {
        let at = |x: f64| if self.doubling { libm::log2(x) } else { x };
        (at(value) - at(self.low)) / (at(self.high) - at(self.low))
    }

    fn linear(low: f64, high: f64, ticks: Vec<(f64, String)>) -> Self {
        Self { low, high, ticks, doubling: false }
    }
}

/// The unit that an axis of steps counts in.
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

/// The horizontal axis of a panel, with at most `most` ticks. `None` where there is nothing to span it.
pub(super) fn horizontal(panel: &Panel, kind: ScaleKind, most: usize) -> Option<(Axis, StepUnit)> {
    let axis = match kind {
        ScaleKind::Steps => return steps(panel, most),
        ScaleKind::Share => share(most),
        ScaleKind::Tight => tight(across(panel), most)?,
        ScaleKind::Value => roomy(across(panel), most)?,
        ScaleKind::Doubling => doubling(across(panel), most)?,
    };
    Some((axis, StepUnit::One))
}

/// The vertical axis of a panel of curves or of a plane, as [`horizontal`].
pub(super) fn vertical(panel: &Panel, kind: ScaleKind, most: usize) -> Option<Axis> {
    let mut values: Vec<f64> = panel.levels.iter().map(|level| level.value).collect();
    for curve in panel.curves() {
        values.extend(curve.center.iter().chain(&curve.low).chain(&curve.high));
        values.extend(curve.companion.iter().flatten());
    }
    values.extend(plane(panel));
    match kind {
        ScaleKind::Share => Some(share(most)),
        ScaleKind::Tight => tight(values, most),
        ScaleKind::Doubling => doubling(values, most),
        ScaleKind::Value | ScaleKind::Steps => {
            if panel.curves().is_empty() {
                // Levels alone: as far as 0, because nothing else gives a scale.
                values.extend((!values.is_empty()).then_some(0.0));
            }
            value(values, most)
        }
    }
}

/// The names of a panel's rows, from the top.
pub(super) fn names(panel: &Panel) -> Axis {
    let rows = panel.rows();
    let count = rows.len() as f64;
    let ticks = rows.iter().enumerate().map(|(i, row)| (count - 1.0 - i as f64, row.label.clone()));
    Axis::linear(-0.5, count - 0.5, ticks.collect())
}

/// All that lies along the horizontal axis.
fn across(panel: &Panel) -> Vec<f64> {
    let mut values: Vec<f64> = panel.curves().iter().flat_map(|curve| &curve.x).copied().collect();
    for row in panel.rows() {
        values.push(row.center);
        values.extend(row.interval.iter().flatten().chain(&row.runs));
    }
    if !panel.rows().is_empty() {
        values.extend(panel.levels.iter().map(|level| level.value));
    }
    values.extend(panel.x_end);
    values.extend(plane(panel));
    values
}

/// Both ends of a plane's axes.
fn plane(panel: &Panel) -> impl Iterator<Item = f64> {
    let limit = match &panel.marks {
        Marks::Plane(plane) => Some(plane.limit),
        Marks::Curves(_) | Marks::Rows(_) => None,
    };
    limit.into_iter().flat_map(|limit| [-limit, limit])
}

/// From the first point (or 0 if that is near, or beyond) to the last, or to the panel's own end.
fn steps(panel: &Panel, most: usize) -> Option<(Axis, StepUnit)> {
    let (first, last) = extent(across(panel)).filter(|&(_, last)| last > 0.0)?;
    let is_near = (0.0..0.3 * last).contains(&first) || first == last;
    let low = if is_near { 0.0 } else { first };
    let unit = StepUnit::fit(last.max(-low));
    let ticks = nice_ticks(low / unit.size(), last / unit.size(), most);
    let ticks = ticks.values.iter().map(|&t| (t * unit.size(), decimal(t, ticks.decimals))).collect();
    Some((Axis::linear(low, last, ticks), unit))
}

fn share(most: usize) -> Axis {
    let ticks = nice_ticks(0.0, 1.0, most);
    Axis::linear(0.0, 1.0, ticks.values.iter().map(|&t| (t, decimal(t, ticks.decimals))).collect())
}

fn tight(values: Vec<f64>, most: usize) -> Option<Axis> {
    let (low, high) = extent(values).map(apart)?;
    Some(Axis::linear(low, high, labelled(&nice_ticks(low, high, most))))
}

/// All values, with a little room.
fn roomy(values: Vec<f64>, most: usize) -> Option<Axis> {
    let (low, high) = extent(values).map(apart)?;
    let room = ROOM * (high - low);
    tight(vec![low - room, high + room], most)
}

/// All values, with a little room, and from 0 where that is near.
fn value(values: Vec<f64>, most: usize) -> Option<Axis> {
    let (low, high) = extent(values).map(apart)?;
    let room = ROOM * (high - low);
    // A range that starts near 0 starts at 0, so that heights can be compared.
    let from_zero = low >= 0.0 && low < 0.35 * high;
    let to_zero = high <= 0.0 && high > 0.35 * low;
    let low = if from_zero { 0.0 } else { low - room };
    let high = if to_zero { 0.0 } else { high + room };
    Some(Axis::linear(low, high, labelled(&nice_ticks(low, high, most))))
}

/// Powers of two, every second one, third one … where there are more than `most`.
fn doubling(values: Vec<f64>, most: usize) -> Option<Axis> {
    let (low, high) = extent(values.into_iter().filter(|x| *x > 0.0))?;
    // A third of a doubling on either side.
    let (low, high) = (low / 1.26, high * 1.26);
    let powers: Vec<f64> = (-60..60).map(|power| 2f64.powi(power)).collect();
    let inside: Vec<f64> = powers.into_iter().filter(|power| (low..=high).contains(power)).collect();
    let stride = inside.len().div_ceil(most.max(1)).max(1);
    let ticks = inside.into_iter().step_by(stride).map(|tick| (tick, format!("{tick}"))).collect();
    Some(Axis { low, high, ticks, doubling: true })
}

/// A range of some length about a single value.
fn apart((low, high): (f64, f64)) -> (f64, f64) {
    if low < high {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { 0.1 * low.abs() };
    (low - room, high + room)
}

fn labelled(ticks: &Ticks) -> Vec<(f64, String)> {
    let largest = ticks.values.iter().fold(0.0, |most: f64, t| most.max(t.abs()));
    ticks.values.iter().map(|&t| (t, value_label(t, largest, ticks))).collect()
}

/// `2k`, `2.5k`, `−1M`, `0.25`; thousands only where the ticks are at least 100 apart.
fn value_label(tick: f64, largest: f64, ticks: &Ticks) -> String {
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
    use super::super::{Color, Curve, Level, Marks, Pattern, Row, Shape};
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    fn curve(x: Vec<f64>, y: Vec<f64>) -> Panel {
        let (low, high) = (y.clone(), y.clone());
        let (label, color, shape) = (String::new(), Color::Blue, Shape::Line);
        let curve = Curve { label, color, shape, x, center: y, low, high, companion: None };
        Panel { marks: Marks::Curves(vec![curve]), ..Panel::default() }
    }

    fn level(value: f64) -> Level {
        Level { label: String::new(), color: Color::Blue, pattern: Pattern::Dashed, value }
    }

    #[test]
    fn returns_are_labelled_as_in_papers() {
        let check = |range: [f64; 2], expect: &[&str]| {
            let axis = vertical(&curve(vec![0.0, 1.0], range.to_vec()), ScaleKind::Value, 6).unwrap();
            assert_eq!(labels(&axis), expect, "{range:?}");
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
        let panel = |value| Panel { levels: vec![level(value)], ..Panel::default() };
        let axis = vertical(&panel(5_000.0), ScaleKind::Value, 6).unwrap();
        assert_eq!(labels(&axis), ["0", "1k", "2k", "3k", "4k", "5k"]);
        assert_eq!(vertical(&Panel::default(), ScaleKind::Value, 6), None);
    }

    #[test]
    fn steps_are_counted_in_a_fitting_unit() {
        let check = |end: f64, unit, expect: &[&str]| {
            let panel = Panel { x_end: Some(end), ..Panel::default() };
            let (axis, found) = horizontal(&panel, ScaleKind::Steps, 6).unwrap();
            assert_eq!((axis.low, axis.high), (0.0, end));
            assert_eq!((found, labels(&axis)), (unit, expect.to_vec()), "{end}");
        };
        check(1e6, StepUnit::Million, &["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        check(3e6, StepUnit::Million, &["0", "1", "2", "3"]);
        check(300_000.0, StepUnit::Thousand, &["0", "100", "200", "300"]);
        check(20_000.0, StepUnit::Thousand, &["0", "5", "10", "15", "20"]);
        check(1_500.0, StepUnit::One, &["0", "500", "1000", "1500"]);
        let (axis, _) = horizontal(&curve(vec![-2000.0, 1000.0], vec![0.0; 2]), ScaleKind::Steps, 6).unwrap();
        assert_eq!((axis.low, labels(&axis)), (-2000.0, vec!["−2", "−1", "0", "1"]));
        assert_eq!(horizontal(&Panel::default(), ScaleKind::Steps, 6), None);
    }

    #[test]
    fn doublings_are_as_far_from_each_other() {
        let (axis, _) = horizontal(&curve(vec![1.0, 64.0], vec![0.0; 2]), ScaleKind::Doubling, 9).unwrap();
        assert_eq!(labels(&axis), ["1", "2", "4", "8", "16", "32", "64"]);
        let step = axis.position(2.0) - axis.position(1.0);
        assert!((axis.position(64.0) - axis.position(32.0) - step).abs() < 1e-12);
        assert!(axis.position(1.0) > 0.0 && axis.position(64.0) < 1.0);
        let (axis, _) =
            horizontal(&curve(vec![0.0, 0.5, 64.0], vec![0.0; 3]), ScaleKind::Doubling, 4).unwrap();
        assert_eq!(labels(&axis), ["0.5", "2", "8", "32"]);
        assert_eq!(horizontal(&curve(vec![0.0], vec![0.0]), ScaleKind::Doubling, 4), None);
    }

    #[test]
    fn rows_span_their_intervals_and_levels() {
        let row = |center, interval| Row {
            label: format!("{center}"),
            color: Color::Blue,
            center,
            interval,
            runs: vec![],
        };
        let rows = vec![row(0.9, Some([0.8, 0.95])), row(0.7, None)];
        let panel = Panel { marks: Marks::Rows(rows), levels: vec![level(0.5)], ..Panel::default() };
        let (axis, _) = horizontal(&panel, ScaleKind::Value, 6).unwrap();
        assert_eq!(labels(&axis), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert_eq!(names(&panel).ticks, [(1.0, "0.9".to_owned()), (0.0, "0.7".to_owned())]);
    }
}
