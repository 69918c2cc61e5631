//! One panel: axes, band, curve, levels.

use super::canvas::{Anchor, Canvas, DARK, FAINT, Ink, MUTED, Point};
use super::layout::{FONT, NOTE_FONT, Place, TICK, TICK_GAP, TITLE_FONT};
use super::{Color, Curve, Figure, Panel, Pattern, text};

pub(super) const BAND_OPACITY: f64 = 0.18;
pub(super) const CURVE_WIDTH: f64 = 1.25;
pub(super) const COMPANION_WIDTH: f64 = 0.75;
pub(super) const COMPANION_DASH: [f64; 2] = [2.4, 1.6];
const LEVEL_WIDTH: f64 = 1.1;
const SPINE_WIDTH: f64 = 0.7;
const GRID_WIDTH: f64 = 0.6;
/// Curves of so few points get a mark at each.
const FEW_POINTS: usize = 12;

pub(super) fn draw(canvas: &Canvas<'_>, panel: &Panel, place: &Place, figure: &Figure) {
    draw_titles(canvas, panel, place);
    draw_axes(canvas, place, figure);
    let drawn = panel.curves.iter().any(|curve| curve.center.iter().any(|x| x.is_finite()));
    if let Some(returns) = &place.returns {
        for line in panel.lines.iter().filter(|line| line.value.is_finite()) {
            let y = place.top + place.height * (1.0 - returns.position(line.value));
            draw_level(canvas, &[(place.left, y), (place.left + place.width, y)], line.color, line.pattern);
        }
    }
    if !drawn {
        let middle = (place.left + place.width / 2.0, place.top + place.height / 2.0);
        canvas.text("no runs recorded", middle, FONT, MUTED, Anchor::Middle);
        return;
    }
    panel.curves.iter().for_each(|curve| draw_band(canvas, curve, place));
    panel.curves.iter().for_each(|curve| draw_companion(canvas, curve, place));
    panel.curves.iter().for_each(|curve| draw_curve(canvas, curve, place));
}

fn draw_titles(canvas: &Canvas<'_>, panel: &Panel, place: &Place) {
    let baseline = place.top - 5.0;
    let natural = text::width(&panel.title, TITLE_FONT);
    // A title that is wider than its panel is set smaller, lest it runs into the next one.
    let size = TITLE_FONT * (place.width / natural).min(1.0);
    canvas.text(&panel.title, (place.left, baseline), size, DARK, Anchor::Start);
    if let Some(note) = &panel.note {
        let both = natural + text::width(note, NOTE_FONT) + 6.0;
        // Below the title's line, within the axes, where the line is too short for both.
        let y = if both <= place.width { baseline } else { place.top + NOTE_FONT };
        canvas.text(note, (place.left + place.width, y), NOTE_FONT, MUTED, Anchor::End);
    }
}

fn draw_axes(canvas: &Canvas<'_>, place: &Place, figure: &Figure) {
    let (left, bottom, right) = (place.left, place.top + place.height, place.left + place.width);
    for (value, label) in place.returns.iter().flat_map(|axis| &axis.ticks) {
        let y = bottom - place.height * place.returns.as_ref().map_or(0.0, |axis| axis.position(*value));
        canvas.path(&[(left, y), (right, y)], FAINT, GRID_WIDTH);
        canvas.path(&[(left - TICK, y), (left, y)], DARK, SPINE_WIDTH);
        // Digits are 0.73 em high.
        canvas.text(label, (left - TICK - TICK_GAP, y + 0.365 * FONT), FONT, DARK, Anchor::End);
    }
    for (value, label) in place.steps.iter().flat_map(|axis| &axis.ticks) {
        let x = left + place.width * place.steps.as_ref().map_or(0.0, |axis| axis.position(*value));
        canvas.path(&[(x, bottom), (x, bottom + TICK)], DARK, SPINE_WIDTH);
        canvas.text(label, (x, bottom + TICK + TICK_GAP + 0.73 * FONT), FONT, DARK, Anchor::Middle);
    }
    canvas.path(&[(left, place.top), (left, bottom), (right, bottom)], DARK, SPINE_WIDTH);
    if let Some(label) = &place.x_label {
        let at = (left + place.width / 2.0, bottom + TICK + TICK_GAP + 2.3 * FONT);
        canvas.text(label, at, FONT, DARK, Anchor::Middle);
    }
    if let Some(x) = place.y_label_at {
        canvas.text_upwards(&figure.y_label, (x, place.top + place.height / 2.0), FONT, DARK);
    }
}

/// A horizontal line in its pattern.
pub(super) fn draw_level(canvas: &Canvas<'_>, line: &[Point; 2], color: Color, pattern: Pattern) {
    let dash = match pattern {
        Pattern::Dashed => [4.2, 2.4],
        Pattern::Dotted => [1.2, 1.8],
    };
    canvas.dashed(line, color.into(), LEVEL_WIDTH, dash);
}

fn draw_band(canvas: &Canvas<'_>, curve: &Curve, place: &Place) {
    let ink = Ink(curve.color.rgb(), BAND_OPACITY);
    let (low, high) = (points(curve, &curve.low, place), points(curve, &curve.high, place));
    let both: Vec<Option<(Point, Point)>> = low.iter().zip(&high).map(|(l, h)| (*l).zip(*h)).collect();
    for run in finite_runs(&both) {
        let (low, high): (Vec<Point>, Vec<Point>) = run.iter().copied().unzip();
        if let [(x, bottom)] = low[..] {
            // An interval alone: a bar.
            canvas.path(&[(x, bottom), (x, high[0].1)], Ink(curve.color.rgb(), 0.5), CURVE_WIDTH);
            continue;
        }
        let outline: Vec<Point> = low.into_iter().chain(high.into_iter().rev()).collect();
        canvas.area(&outline, ink);
    }
}

fn draw_companion(canvas: &Canvas<'_>, curve: &Curve, place: &Place) {
    let Some(companion) = &curve.companion else { return };
    for run in finite_runs(&points(curve, companion, place)) {
        canvas.dashed(&run, curve.color.into(), COMPANION_WIDTH, COMPANION_DASH);
    }
}

fn draw_curve(canvas: &Canvas<'_>, curve: &Curve, place: &Place) {
    let few = curve.steps.len() <= FEW_POINTS;
    for run in finite_runs(&points(curve, &curve.center, place)) {
        canvas.path(&run, curve.color.into(), CURVE_WIDTH);
        if few || run.len() == 1 {
            run.iter().for_each(|&point| canvas.disc(point, 1.8, curve.color.into()));
        }
    }
}

/// The curve's steps against `values` on the page; `None` where a value is not finite.
fn points(curve: &Curve, values: &[f64], place: &Place) -> Vec<Option<Point>> {
    let (Some(steps), Some(returns)) = (&place.steps, &place.returns) else { return Vec::new() };
    let point = |(&x, &y): (&f64, &f64)| {
        let at = (
            place.left + place.width * steps.position(x),
            place.top + place.height * (1.0 - returns.position(y)),
        );
        (x.is_finite() && y.is_finite()).then_some(at)
    };
    curve.steps.iter().zip(values).map(point).collect()
}

/// The stretches without a gap.
fn finite_runs<T: Copy>(points: &[Option<T>]) -> Vec<Vec<T>> {
    points
        .split(Option::is_none)
        .map(|run| run.iter().copied().flatten().collect())
        .filter(|run: &Vec<T>| !run.is_empty())
        .collect()
}
