//! Curves: line, band, companion; or marks with an interval each.

use super::canvas::{Canvas, Ink, Point};
use super::layout::Place;
use super::panel::{BAND_OPACITY, LEVEL_WIDTH, dash};
use super::{Color, Curve, Pattern, Shape};

pub(super) const CURVE_WIDTH: f64 = 1.25;
pub(super) const COMPANION_WIDTH: f64 = 0.75;
pub(super) const COMPANION_DASH: [f64; 2] = [2.4, 1.6];
/// Curves of so few points get a mark at each.
const FEW_POINTS: usize = 12;
pub(super) const MARK_RADIUS: f64 = 1.8;
/// From one curve's marks to the next one's, so that their bars stand side by side.
const DODGE: f64 = 3.4;

/// Draws all curves. Whether there was anything to draw.
pub(super) fn draw(canvas: &Canvas<'_>, curves: &[Curve], place: &Place) -> bool {
    let has_bars = |curve: &Curve| curve.shape.is_marked();
    let beside = curves.iter().filter(|curve| has_bars(curve)).count();
    let mut next = -(beside as f64 - 1.0) / 2.0 * DODGE;
    let pen = |curve| {
        let mut dodge = 0.0;
        if has_bars(curve) {
            dodge = next;
            next += DODGE;
        }
        Pen { curve, place, dodge }
    };
    let pens: Vec<Pen<'_>> = curves.iter().map(pen).collect();
    pens.iter().for_each(|pen| pen.draw_band(canvas));
    pens.iter().for_each(|pen| pen.draw_companion(canvas));
    pens.iter().for_each(|pen| pen.draw_line(canvas));
    pens.iter().any(|pen| !pen.runs(&pen.curve.center).is_empty())
}

/// What draws one curve.
struct Pen<'a> {
    curve: &'a Curve,
    place: &'a Place,
    /// How far to the right.
    dodge: f64,
}

impl Pen<'_> {
    fn draw_band(&self, canvas: &Canvas<'_>) {
        let (low, high) = (self.points(&self.curve.low), self.points(&self.curve.high));
        let both: Vec<Option<(Point, Point)>> = low.iter().zip(&high).map(|(l, h)| (*l).zip(*h)).collect();
        for run in finite_runs(&both) {
            if self.curve.shape.is_marked() {
                run.iter().for_each(|&(low, high)| draw_bar(canvas, low, high, self.curve.color.into()));
                continue;
            }
            let (low, high): (Vec<Point>, Vec<Point>) = run.into_iter().unzip();
            if let [(x, bottom)] = low[..] {
                // An interval alone: a bar.
                canvas.path(&[(x, bottom), (x, high[0].1)], Ink(self.curve.color.rgb(), 0.5), CURVE_WIDTH);
                continue;
            }
            let outline = self.shaped(&low).into_iter().chain(self.shaped(&high).into_iter().rev());
            canvas.area(&outline.collect::<Vec<_>>(), Ink(self.curve.color.rgb(), BAND_OPACITY));
        }
    }

    fn draw_companion(&self, canvas: &Canvas<'_>) {
        let companion = self.curve.companion.as_deref().unwrap_or_default();
        for run in self.runs(companion) {
            canvas.dashed(&self.shaped(&run), self.curve.color.into(), COMPANION_WIDTH, COMPANION_DASH);
        }
    }

    fn draw_line(&self, canvas: &Canvas<'_>) {
        let few = self.curve.x.len() <= FEW_POINTS && self.curve.shape != Shape::Stairs;
        for run in self.runs(&self.curve.center) {
            if self.curve.shape == Shape::Dotted {
                canvas.dashed(&run, self.curve.color.into(), LEVEL_WIDTH, dash(Pattern::Dotted));
                continue;
            }
            canvas.path(&self.shaped(&run), self.curve.color.into(), CURVE_WIDTH);
            if few || self.curve.shape.is_marked() || run.len() == 1 {
                run.iter().for_each(|&point| draw_mark(canvas, point, self.curve.color, self.curve.shape));
            }
        }
    }

    /// The path through `points`: for stairs with a corner before each but the first.
    fn shaped(&self, points: &[Point]) -> Vec<Point> {
        if self.curve.shape != Shape::Stairs {
            return points.to_vec();
        }
        let corners = points.windows(2).flat_map(|pair| [(pair[1].0, pair[0].1), pair[1]]);
        points.first().copied().into_iter().chain(corners).collect()
    }

    /// The stretches of `values` without a gap, on the page.
    fn runs(&self, values: &[f64]) -> Vec<Vec<Point>> {
        finite_runs(&self.points(values))
    }

    /// `values` on the page; `None` where one has no place there.
    fn points(&self, values: &[f64]) -> Vec<Option<Point>> {
        let place = |(&x, &y): (&f64, &f64)| Some((self.place.across(x)? + self.dodge, self.place.down(y)?));
        self.curve.x.iter().zip(values).map(place).collect()
    }
}

/// A value's mark: full or hollow.
pub(super) fn draw_mark(canvas: &Canvas<'_>, at: Point, color: Color, shape: Shape) {
    canvas.disc(at, MARK_RADIUS, color.into());
    if shape == Shape::Rings {
        canvas.disc(at, 0.6 * MARK_RADIUS, Ink([255, 255, 255], 1.0));
    }
}

/// An interval's bar with short ends.
pub(super) fn draw_bar(canvas: &Canvas<'_>, low: Point, high: Point, ink: Ink) {
    canvas.path(&[low, high], ink, 0.9);
    for (x, y) in [low, high] {
        canvas.path(&[(x - 1.6, y), (x + 1.6, y)], ink, 0.9);
    }
}

fn finite_runs<T: Copy>(points: &[Option<T>]) -> Vec<Vec<T>> {
    points
        .split(Option::is_none)
        .map(|run| run.iter().copied().flatten().collect())
        .filter(|run: &Vec<T>| !run.is_empty())
        .collect()
}
