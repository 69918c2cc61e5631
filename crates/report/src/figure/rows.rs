//! Estimates in rows: a bar for the interval, a line across it for the estimate, a disc a run.

use super::Row;
use super::canvas::{Canvas, DARK, Ink};
use super::layout::Place;

/// Half of a bar's height, and of the estimate's line.
const HALF_BAR: f64 = 3.6;
const HALF_LINE: f64 = 5.2;
const LINE_WIDTH: f64 = 1.8;
const BAR_OPACITY: f64 = 0.35;
const RUN_RADIUS: f64 = 1.1;

/// Draws all rows. Whether there was anything to draw.
pub(super) fn draw(canvas: &Canvas<'_>, rows: &[Row], place: &Place) -> bool {
    let mut drawn = false;
    for (i, row) in rows.iter().enumerate() {
        let Some(y) = place.down((rows.len() - 1 - i) as f64) else { continue };
        let interval = row.interval.and_then(|[low, high]| Some((place.across(low)?, place.across(high)?)));
        if let Some((low, high)) = interval {
            let (top, bottom) = (y - HALF_BAR, y + HALF_BAR);
            let bar = [(low, top), (high, top), (high, bottom), (low, bottom)];
            canvas.area(&bar, Ink(row.color.rgb(), BAR_OPACITY));
        }
        if let Some(x) = place.across(row.center) {
            canvas.path(&[(x, y - HALF_LINE), (x, y + HALF_LINE)], row.color.into(), LINE_WIDTH);
            drawn = true;
        }
        for x in row.runs.iter().filter_map(|run| place.across(*run)) {
            canvas.disc((x, y), RUN_RADIUS, Ink(DARK.0, 0.55));
        }
    }
    drawn
}
