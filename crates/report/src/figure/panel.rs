//! One panel: titles, axes, levels, and what it holds.

use super::canvas::{Anchor, Canvas, DARK, FAINT, MUTED, Point};
use super::layout::{FONT, NOTE_FONT, Place, TICK, TICK_GAP, TITLE_FONT};
use super::{Color, Figure, Marks, Panel, Pattern, curves, plane, rows, text};

pub(super) const BAND_OPACITY: f64 = 0.18;
pub(super) const LEVEL_WIDTH: f64 = 1.1;
const SPINE_WIDTH: f64 = 0.7;
const GRID_WIDTH: f64 = 0.6;

pub(super) fn draw(canvas: &Canvas<'_>, panel: &Panel, place: &Place, figure: &Figure) {
    draw_titles(canvas, panel, place);
    let of_rows = matches!(panel.marks, Marks::Rows(_));
    draw_axes(canvas, place, figure, &panel.marks);
    for level in &panel.levels {
        let (right, bottom) = (place.left + place.width, place.top + place.height);
        let line = if of_rows {
            place.across(level.value).map(|x| [(x, bottom), (x, place.top)])
        } else {
            place.down(level.value).map(|y| [(place.left, y), (right, y)])
        };
        line.iter().for_each(|line| draw_level(canvas, line, level.color, level.pattern));
    }
    let drawn = match &panel.marks {
        Marks::Curves(all) => curves::draw(canvas, all, place),
        Marks::Rows(all) => rows::draw(canvas, all, place),
        Marks::Plane(plane) => plane::draw(canvas, plane, place),
    };
    if !drawn {
        let middle = (place.left + place.width / 2.0, place.top + place.height / 2.0);
        canvas.text("no runs recorded", middle, FONT, MUTED, Anchor::Middle);
    }
}

/// The title of a whole figure, within its `width`.
pub(super) fn draw_title(canvas: &Canvas<'_>, title: &str, width: f64, baseline: f64) {
    let size = text::fitting(title, TITLE_FONT, width - 10.0);
    canvas.text(title, (width / 2.0, baseline), size, DARK, Anchor::Middle);
}

fn draw_titles(canvas: &Canvas<'_>, panel: &Panel, place: &Place) {
    let baseline = place.top - 5.0;
    let size = text::fitting(&panel.title, TITLE_FONT, place.width);
    canvas.text(&panel.title, (place.left, baseline), size, DARK, Anchor::Start);
    if let Some(note) = &panel.note {
        let both = text::width(&panel.title, TITLE_FONT) + text::width(note, NOTE_FONT) + 6.0;
        // Below the title's line, within the axes, where the line is too short for both.
        let y = if both <= place.width { baseline } else { place.top + NOTE_FONT };
        canvas.text(note, (place.left + place.width, y), NOTE_FONT, MUTED, Anchor::End);
    }
}

fn draw_axes(canvas: &Canvas<'_>, place: &Place, figure: &Figure, marks: &Marks) {
    let (of_rows, of_curves) = (matches!(marks, Marks::Rows(_)), matches!(marks, Marks::Curves(_)));
    let (left, bottom, right) = (place.left, place.top + place.height, place.left + place.width);
    for (value, label) in place.y.iter().flat_map(|axis| &axis.ticks) {
        let Some(y) = place.down(*value) else { continue };
        if !of_rows {
            canvas.path(&[(left, y), (right, y)], FAINT, GRID_WIDTH);
        }
        canvas.path(&[(left - TICK, y), (left, y)], DARK, SPINE_WIDTH);
        if place.y_labels {
            let size = text::fitting(label, FONT, place.label_room);
            // Digits are 0.73 em high.
            canvas.text(label, (left - TICK - TICK_GAP, y + 0.365 * size), size, DARK, Anchor::End);
        }
    }
    for (value, label) in place.x.iter().flat_map(|axis| &axis.ticks) {
        let Some(x) = place.across(*value) else { continue };
        if of_rows {
            canvas.path(&[(x, place.top), (x, bottom)], FAINT, GRID_WIDTH);
        }
        canvas.path(&[(x, bottom), (x, bottom + TICK)], DARK, SPINE_WIDTH);
        canvas.text(label, (x, bottom + TICK + TICK_GAP + 0.73 * FONT), FONT, DARK, Anchor::Middle);
    }
    canvas.path(&[(left, place.top), (left, bottom), (right, bottom)], DARK, SPINE_WIDTH);
    // Where something begins at 0 that came after something else.
    if let Some(x) = place.across(0.0).filter(|x| of_curves && *x > left) {
        canvas.dashed(&[(x, bottom), (x, place.top)], MUTED, SPINE_WIDTH, [2.4, 1.8]);
    }
    if let Some(label) = &place.x_label {
        let at = (left + place.width / 2.0, bottom + TICK + TICK_GAP + 2.3 * FONT);
        canvas.text(label, at, text::fitting(label, FONT, place.width + 8.0), DARK, Anchor::Middle);
    }
    if let Some(x) = place.y_label_at {
        let size = text::fitting(&figure.y.label, FONT, place.height + 12.0);
        canvas.text_upwards(&figure.y.label, (x, place.top + place.height / 2.0), size, DARK);
    }
}

/// The lengths of a dash and of the gap after it.
pub(super) fn dash(pattern: Pattern) -> [f64; 2] {
    match pattern {
        Pattern::Dashed => [4.2, 2.4],
        Pattern::Dotted => [1.2, 1.8],
    }
}

/// A straight line in its pattern.
pub(super) fn draw_level(canvas: &Canvas<'_>, line: &[Point; 2], color: Color, pattern: Pattern) {
    canvas.dashed(line, color.into(), LEVEL_WIDTH, dash(pattern));
}
