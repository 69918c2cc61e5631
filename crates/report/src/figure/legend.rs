//! One legend for all panels: every label once, in the order of its first appearance.

use super::canvas::{Anchor, Canvas, DARK, Ink, MUTED};
use super::layout::FONT;
use super::{Color, Figure, Pattern, panel, text};

const SWATCH: f64 = 17.0;
const SWATCH_GAP: f64 = 4.0;
const ENTRY_GAP: f64 = 13.0;
/// From one row of the legend to the next.
pub(super) const ROW: f64 = 13.0;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Swatch {
    Curve(Color),
    Line(Color, Pattern),
    Companion,
}

pub(super) struct Entry {
    label: String,
    swatch: Swatch,
    width: f64,
}

/// A row of entries: their indices with their left edges.
pub(super) struct Row {
    baseline: f64,
    entries: Vec<(usize, f64)>,
}

/// Curves first, then levels, then the companion's line.
pub(super) fn entries(figure: &Figure) -> Vec<Entry> {
    let curves = figure.panels.iter().flat_map(|panel| &panel.curves);
    let lines = figure.panels.iter().flat_map(|panel| &panel.lines);
    let companion = curves.clone().any(|curve| curve.companion.is_some());

    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |label: &str, swatch| {
        if !entries.iter().any(|entry| entry.label == label && entry.swatch == swatch) {
            let width = SWATCH + SWATCH_GAP + text::width(label, FONT);
            entries.push(Entry { label: label.to_owned(), swatch, width });
        }
    };
    curves.for_each(|curve| add(&curve.label, Swatch::Curve(curve.color)));
    lines.for_each(|line| add(&line.label, Swatch::Line(line.color, line.pattern)));
    if companion {
        add(&figure.companion_label, Swatch::Companion);
    }
    entries
}

/// Sets the entries in centred rows from `left` on, no wider than `width`, the first baseline at `top`.
pub(super) fn rows(entries: &[Entry], left: f64, width: f64, top: f64) -> Vec<Row> {
    let mut groups: Vec<(Vec<usize>, f64)> = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        match groups.last_mut() {
            Some((group, used)) if *used + ENTRY_GAP + entry.width <= width => {
                group.push(i);
                *used += ENTRY_GAP + entry.width;
            }
            _ => groups.push((vec![i], entry.width)),
        }
    }
    let row = |(r, (group, used)): (usize, (Vec<usize>, f64))| {
        let mut next = left + (width - used) / 2.0;
        let place = |i: usize| {
            let at = next;
            next += entries[i].width + ENTRY_GAP;
            (i, at)
        };
        Row { baseline: top + ROW * r as f64, entries: group.into_iter().map(place).collect() }
    };
    groups.into_iter().enumerate().map(row).collect()
}

pub(super) fn draw(canvas: &Canvas<'_>, entries: &[Entry], rows: &[Row]) {
    for row in rows {
        for &(i, left) in &row.entries {
            let entry = &entries[i];
            draw_swatch(canvas, entry.swatch, left, row.baseline - 0.33 * FONT);
            let at = (left + SWATCH + SWATCH_GAP, row.baseline);
            canvas.text(&entry.label, at, FONT, DARK, Anchor::Start);
        }
    }
}

fn draw_swatch(canvas: &Canvas<'_>, swatch: Swatch, left: f64, middle: f64) {
    let right = left + SWATCH;
    let line = [(left, middle), (right, middle)];
    match swatch {
        Swatch::Curve(color) => {
            let (top, bottom) = (middle - 3.5, middle + 3.5);
            let band = [(left, top), (right, top), (right, bottom), (left, bottom)];
            canvas.area(&band, Ink(color.rgb(), panel::BAND_OPACITY));
            canvas.path(&line, color.into(), panel::CURVE_WIDTH);
        }
        Swatch::Line(color, pattern) => panel::draw_level(canvas, &line, color, pattern),
        Swatch::Companion => canvas.dashed(&line, MUTED, panel::COMPANION_WIDTH, panel::COMPANION_DASH),
    }
}
