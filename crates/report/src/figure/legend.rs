//! One legend for all panels: every label once, in the order of its first appearance.

use super::canvas::{Anchor, Canvas, DARK, Ink, MUTED};
use super::layout::FONT;
use super::{Color, Dots, Figure, Panel, Pattern, Shape, curves, panel, plane, text};

const SWATCH: f64 = 17.0;
const SWATCH_GAP: f64 = 4.0;
const ENTRY_GAP: f64 = 13.0;
/// A label's width at most: with its swatch it fits into the narrowest figure.
const WIDEST: f64 = 225.0;
/// From one row of the legend to the next.
pub(super) const ROW: f64 = 13.0;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Swatch {
    Curve(Color),
    Points(Color, Shape),
    Dots(Color, bool),
    Line(Color, Pattern),
    Companion,
}

pub(super) struct Entry {
    label: String,
    swatch: Swatch,
    /// Of the label.
    size: f64,
    width: f64,
}

/// A row of entries: their indices with their left edges.
pub(super) struct Row {
    baseline: f64,
    entries: Vec<(usize, f64)>,
}

/// Curves first, then points, then levels, then the companion's line. Rows have their names beside them.
pub(super) fn entries(figure: &Figure) -> Vec<Entry> {
    let curves = figure.panels.iter().flat_map(Panel::curves);
    let levels = figure.panels.iter().flat_map(|panel| &panel.levels);
    let companion = curves.clone().any(|curve| curve.companion.is_some());

    let mut entries: Vec<Entry> = Vec::new();
    let mut add = |label: &str, swatch| {
        let known = entries.iter().any(|entry| entry.label == label && entry.swatch == swatch);
        if !known && !label.is_empty() {
            let size = text::fitting(label, FONT, WIDEST);
            let width = SWATCH + SWATCH_GAP + text::width(label, size);
            entries.push(Entry { label: label.to_owned(), swatch, size, width });
        }
    };
    for curve in curves {
        let swatch = match curve.shape {
            Shape::Points | Shape::Rings => Swatch::Points(curve.color, curve.shape),
            Shape::Dotted => Swatch::Line(curve.color, Pattern::Dotted),
            Shape::Line | Shape::Stairs => Swatch::Curve(curve.color),
        };
        add(&curve.label, swatch);
    }
    for dots in figure.panels.iter().flat_map(Panel::dots).filter(|dots| !dots.at.is_empty()) {
        add(&dots.label, Swatch::Dots(dots.color, dots.large));
    }
    levels.for_each(|level| add(&level.label, Swatch::Line(level.color, level.pattern)));
    if companion {
        add(&figure.companion_label, Swatch::Companion);
    }
    entries
}

/// Sets the entries in centred rows from `left` on, no wider than `width`, the first baseline at `top`.
pub(super) fn rows(entries: &[Entry], left: f64, width: f64, top: f64) -> Vec<Row> {
    // As few rows as there can be, and these as narrow as they can be, so that no single entry is left for the last.
    let fewest = groups(entries, width).len();
    let narrower = (1..20).map(|i| width * f64::from(i) / 20.0).map(|width| groups(entries, width));
    let fits = |(_, used): &(Vec<usize>, f64)| *used <= width;
    let even = narrower.into_iter().find(|groups| groups.len() == fewest && groups.iter().all(fits));
    let groups = even.unwrap_or_else(|| groups(entries, width));
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

/// The entries row by row, each row with its width: as many in each as `width` holds.
fn groups(entries: &[Entry], width: f64) -> Vec<(Vec<usize>, f64)> {
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
    groups
}

pub(super) fn draw(canvas: &Canvas<'_>, entries: &[Entry], rows: &[Row]) {
    for row in rows {
        for &(i, left) in &row.entries {
            let entry = &entries[i];
            draw_swatch(canvas, entry.swatch, left, row.baseline - 0.33 * FONT);
            let at = (left + SWATCH + SWATCH_GAP, row.baseline);
            canvas.text(&entry.label, at, entry.size, DARK, Anchor::Start);
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
            canvas.path(&line, color.into(), curves::CURVE_WIDTH);
        }
        Swatch::Points(color, shape) => {
            let center = left + SWATCH / 2.0;
            canvas.path(&line, color.into(), curves::CURVE_WIDTH);
            curves::draw_bar(canvas, (center, middle + 4.0), (center, middle - 4.0), color.into());
            curves::draw_mark(canvas, (center, middle), color, shape);
        }
        Swatch::Dots(color, large) => {
            let dots = Dots { label: String::new(), color, large, at: Vec::new() };
            plane::draw_dot(canvas, &dots, (left + SWATCH / 2.0, middle));
        }
        Swatch::Line(color, pattern) => panel::draw_level(canvas, &line, color, pattern),
        Swatch::Companion => canvas.dashed(&line, MUTED, curves::COMPANION_WIDTH, curves::COMPANION_DASH),
    }
}
