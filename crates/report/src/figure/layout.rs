//! Where everything goes, in points.

use super::axis::{self, Axis, MOST_TICKS, StepUnit};
use super::legend::{self, Entry};
use super::{Figure, Marks, Panel, text};

/// Size of all text but titles and notes.
pub(super) const FONT: f64 = 8.0;
pub(super) const TITLE_FONT: f64 = 9.0;
pub(super) const NOTE_FONT: f64 = 7.0;
/// Length of a tick mark, and its distance from its label.
pub(super) const TICK: f64 = 2.5;
pub(super) const TICK_GAP: f64 = 2.5;

const MARGIN: f64 = 5.0;
/// Half of a tick label stands beyond the right end of an axis.
const RIGHT_MARGIN: f64 = 10.0;
const TITLE_HEIGHT: f64 = 15.0;
/// Half of the uppermost tick's label stands above its axis.
const UNTITLED_HEIGHT: f64 = 5.0;
const Y_LABEL_WIDTH: f64 = 13.0;
const X_TICKS_HEIGHT: f64 = TICK + TICK_GAP + FONT;
const X_LABEL_HEIGHT: f64 = 12.0;
const COLUMN_GAP: f64 = 12.0;
const ROW_GAP: f64 = 10.0;
/// From one estimate of a panel to the next.
const ESTIMATE_HEIGHT: f64 = 15.0;
/// What labels of vertical axes may take of a figure's width, and the widest of them.
const MOST_OF_LABELS: f64 = 0.4;
const WIDEST_LABEL: f64 = 120.0;
/// Between the labels of two ticks.
const LABEL_GAP: f64 = 4.0;

/// The rectangle of one panel's axes, and what its axes are.
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: Option<Axis>,
    pub(super) y: Option<Axis>,
    /// Whether the vertical axis has its labels: rows of the same names have them once.
    pub(super) y_labels: bool,
    /// How wide one of them may be.
    pub(super) label_room: f64,
    /// The label below, on the lowest panel of a column or wherever units differ.
    pub(super) x_label: Option<String>,
    /// Where the baseline of the label on the left goes, on the first panel of a row.
    pub(super) y_label_at: Option<f64>,
}

impl Place {
    /// Where `value` of the horizontal axis lies on the page.
    pub(super) fn across(&self, value: f64) -> Option<f64> {
        let at = self.left + self.width * self.x.as_ref()?.position(value);
        at.is_finite().then_some(at)
    }

    /// Where `value` of the vertical axis lies on the page.
    pub(super) fn down(&self, value: f64) -> Option<f64> {
        let at = self.top + self.height * (1.0 - self.y.as_ref()?.position(value));
        at.is_finite().then_some(at)
    }
}

pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The baseline of the figure's title.
    pub(super) title: Option<f64>,
    pub(super) panels: Vec<Place>,
    pub(super) legend: Vec<legend::Row>,
}

impl Layout {
    pub(super) fn new(figure: &Figure, entries: &[Entry]) -> Self {
        let count = figure.panels.len();
        let columns = figure.columns.clamp(1, count.max(1));
        let (width, aspect) = shape(columns);
        let verticals: Vec<(Option<Axis>, bool)> =
            (0..count).map(|i| vertical(figure, i, i % columns == 0)).collect();
        // Room for the widest tick label of each column. Names of any length leave most of the width to the panels.
        let natural: Vec<f64> =
            (0..columns).map(|c| tick_label_width(verticals.iter().skip(c).step_by(columns))).collect();
        let labelled = natural.iter().filter(|width| **width > 0.0).count().max(1);
        let label_room = (MOST_OF_LABELS * width / labelled as f64).min(WIDEST_LABEL);
        let labels: Vec<f64> =
            natural.iter().map(|natural| natural.min(label_room) + TICK + TICK_GAP).collect();
        let y_label = if figure.y.label.is_empty() { 0.0 } else { Y_LABEL_WIDTH };
        let fixed =
            MARGIN + RIGHT_MARGIN + y_label + labels.iter().sum::<f64>() + COLUMN_GAP * (columns - 1) as f64;
        let panel_width = (width - fixed) / columns as f64;

        let horizontals: Vec<_> =
            figure.panels.iter().map(|panel| horizontal(figure, panel, panel_width)).collect();
        let units: Vec<StepUnit> = horizontals.iter().flatten().map(|(_, unit)| *unit).collect();
        // Every panel tells its own label where they differ.
        let mixed = units.windows(2).any(|pair| pair[0] != pair[1])
            || figure.panels.iter().any(|panel| panel.x_label.is_some());

        let title = figure.title.as_ref().map(|_| MARGIN + TITLE_FONT);
        let mut top = MARGIN + title.map_or(0.0, |_| TITLE_HEIGHT);
        let mut panels = Vec::new();
        for row in 0..count.div_ceil(columns) {
            let members = row * columns..count.min((row + 1) * columns);
            let panel_height = members
                .clone()
                .map(|i| panel_height(&figure.panels[i], panel_width, panel_width * aspect))
                .fold(0.0, f64::max);
            let titled = figure.panels[members.clone()].iter().any(is_titled);
            let title_height = if titled { TITLE_HEIGHT } else { UNTITLED_HEIGHT };
            let mut left = MARGIN + y_label;
            for i in members.clone() {
                let c = i - members.start;
                left += labels[c];
                let unit = horizontals[i].as_ref().map_or(StepUnit::One, |(_, unit)| *unit);
                let label = figure.panels[i].x_label.as_ref().unwrap_or(&figure.x.label);
                panels.push(Place {
                    left,
                    top: top + title_height,
                    width: panel_width,
                    height: panel_height,
                    x: horizontals[i].as_ref().map(|(axis, _)| axis.clone()),
                    y: verticals[i].0.clone(),
                    y_labels: verticals[i].1,
                    label_room,
                    x_label: (mixed || i + columns >= count).then(|| unit.label(label)),
                    y_label_at: (c == 0 && y_label > 0.0).then_some(MARGIN + FONT),
                });
                left += panel_width + COLUMN_GAP;
            }
            let any_label = mixed || members.end + columns > count;
            let x_label = if any_label { X_LABEL_HEIGHT } else { 0.0 };
            top += title_height + panel_height + X_TICKS_HEIGHT + x_label + ROW_GAP;
        }
        let legend = legend::rows(entries, MARGIN, width - 2.0 * MARGIN, top + FONT);
        let height =
            top + legend::ROW * legend.len() as f64 + if legend.is_empty() { 0.0 } else { MARGIN - 2.0 };
        Self { width, height, title, panels, legend }
    }
}

/// Width of a figure, and height by width of its panels of curves: a column of a paper for one panel, the width of its
/// text for three.
fn shape(columns: usize) -> (f64, f64) {
    match columns {
        1 => (260.0, 0.62),
        2 => (396.0, 0.66),
        _ => (504.0, 0.72),
    }
}

fn panel_height(panel: &Panel, width: f64, of_curves: f64) -> f64 {
    match &panel.marks {
        Marks::Curves(_) => of_curves,
        Marks::Plane(_) => width,
        Marks::Rows(rows) => ESTIMATE_HEIGHT * rows.len().max(1) as f64 + 3.0,
    }
}

fn is_titled(panel: &Panel) -> bool {
    !panel.title.is_empty() || panel.note.is_some()
}

/// The vertical axis of panel `i`, and whether it is labelled.
fn vertical(figure: &Figure, i: usize, first: bool) -> (Option<Axis>, bool) {
    let panel = &figure.panels[i];
    match &panel.marks {
        Marks::Curves(_) => (axis::vertical(panel, figure.y.kind, MOST_TICKS), true),
        Marks::Plane(_) => (axis::vertical(panel, figure.y.kind, MOST_TICKS), first),
        Marks::Rows(_) => {
            let names = axis::names(panel);
            let told = !first && axis::names(&figure.panels[i - 1]) == names;
            (Some(names), !told)
        }
    }
}

/// The horizontal axis of a panel, with as many ticks as have room for their labels.
fn horizontal(figure: &Figure, panel: &Panel, width: f64) -> Option<(Axis, StepUnit)> {
    let fits = |axis: &Axis| {
        let labels: Vec<(f64, f64)> = axis
            .ticks
            .iter()
            .map(|(value, label)| (width * axis.position(*value), text::width(label, FONT)))
            .collect();
        labels.windows(2).all(|pair| pair[1].0 - pair[0].0 >= (pair[0].1 + pair[1].1) / 2.0 + LABEL_GAP)
    };
    let most = if figure.x.kind == super::ScaleKind::Doubling { 2 * MOST_TICKS } else { MOST_TICKS };
    let tries = (2..=most).rev().map(|most| axis::horizontal(panel, figure.x.kind, most));
    let mut last = None;
    for axis in tries {
        if axis.as_ref().is_none_or(|(axis, _)| fits(axis)) {
            return axis;
        }
        last = axis;
    }
    last
}

fn tick_label_width<'a>(axes: impl Iterator<Item = &'a (Option<Axis>, bool)>) -> f64 {
    let labels = axes.filter(|(_, labelled)| *labelled).filter_map(|(axis, _)| axis.as_ref());
    let widths = labels.flat_map(|axis| &axis.ticks).map(|(_, label)| text::width(label, FONT));
    widths.fold(0.0, f64::max)
}
