//! Where everything goes, in points.

use super::axis::{self, Axis, StepUnit};
use super::legend::{self, Entry, Row};
use super::{Figure, text};

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
const Y_LABEL_WIDTH: f64 = 13.0;
const X_TICKS_HEIGHT: f64 = TICK + TICK_GAP + FONT;
const X_LABEL_HEIGHT: f64 = 12.0;
const COLUMN_GAP: f64 = 12.0;
const ROW_GAP: f64 = 10.0;

/// The rectangle of one panel's axes, and what its axes are.
pub(super) struct Place {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) steps: Option<Axis>,
    pub(super) returns: Option<Axis>,
    /// The label below, on the lowest panel of a column or wherever units differ.
    pub(super) x_label: Option<String>,
    /// Where the baseline of the label on the left goes, on the first panel of a row.
    pub(super) y_label_at: Option<f64>,
}

pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) panels: Vec<Place>,
    pub(super) legend: Vec<Row>,
}

impl Layout {
    pub(super) fn new(figure: &Figure, entries: &[Entry]) -> Self {
        let count = figure.panels.len();
        let columns = figure.columns.clamp(1, count.max(1));
        let axes: Vec<_> =
            figure.panels.iter().map(|panel| (axis::steps(panel), axis::returns(panel))).collect();
        let units: Vec<StepUnit> = axes.iter().filter_map(|(steps, _)| steps.as_ref().map(|s| s.1)).collect();
        let mixed = units.windows(2).any(|pair| pair[0] != pair[1]);

        let (width, aspect) = shape(columns);
        // Room for the widest tick label of each column.
        let labels: Vec<f64> =
            (0..columns).map(|c| tick_label_width(axes.iter().skip(c).step_by(columns))).collect();
        let fixed = MARGIN
            + RIGHT_MARGIN
            + Y_LABEL_WIDTH
            + labels.iter().sum::<f64>()
            + COLUMN_GAP * (columns - 1) as f64;
        let panel_width = (width - fixed) / columns as f64;
        let panel_height = panel_width * aspect;

        let mut top = MARGIN;
        let mut panels = Vec::new();
        for (row, chunk) in axes.chunks(columns).enumerate() {
            let mut left = MARGIN + Y_LABEL_WIDTH;
            let lowest = |c: usize| (row + 1) * columns + c >= count;
            for (c, (steps, returns)) in chunk.iter().enumerate() {
                left += labels[c];
                let unit = steps.as_ref().map_or(StepUnit::One, |s| s.1);
                panels.push(Place {
                    left,
                    top: top + TITLE_HEIGHT,
                    width: panel_width,
                    height: panel_height,
                    steps: steps.as_ref().map(|s| s.0.clone()),
                    returns: returns.clone(),
                    x_label: (mixed || lowest(c)).then(|| unit.label(&figure.x_label)),
                    y_label_at: (c == 0).then_some(MARGIN + FONT),
                });
                left += panel_width + COLUMN_GAP;
            }
            let any_label = mixed || (0..chunk.len()).any(lowest);
            let x_label = if any_label { X_LABEL_HEIGHT } else { 0.0 };
            top += TITLE_HEIGHT + panel_height + X_TICKS_HEIGHT + x_label + ROW_GAP;
        }
        let legend = legend::rows(entries, MARGIN, width - 2.0 * MARGIN, top + FONT);
        let height =
            top + legend::ROW * legend.len() as f64 + if legend.is_empty() { 0.0 } else { MARGIN - 2.0 };
        Self { width, height, panels, legend }
    }
}

/// Width of a figure, and height by width of its panels: a column of a paper for one panel, the width of its text for
/// two or three.
fn shape(columns: usize) -> (f64, f64) {
    match columns {
        1 => (260.0, 0.62),
        2 => (396.0, 0.66),
        3 => (504.0, 0.72),
        n => (160.0 * n as f64, 0.75),
    }
}

fn tick_label_width<'a>(axes: impl Iterator<Item = &'a (Option<(Axis, StepUnit)>, Option<Axis>)>) -> f64 {
    let labels = axes.filter_map(|(_, returns)| returns.as_ref()).flat_map(|axis| &axis.ticks);
    let widest = labels.map(|(_, label)| text::width(label, FONT)).fold(0.0, f64::max);
    widest + TICK + TICK_GAP
}
