//! Values over a square in shades, and points in it.

use super::canvas::{Canvas, DARK, Ink, Point};
use super::layout::Place;
use super::{Dots, Plane};

/// Steps from the least value to the greatest.
const SHADES: usize = 12;
/// Of the least value and of the greatest.
const LIGHT: [f64; 3] = [250.0, 250.0, 250.0];
const DEEP: [f64; 3] = [120.0, 146.0, 178.0];
/// How far a rectangle reaches into those that are drawn after it: no seam between them.
const OVERLAP: f64 = 0.4;
const LINK_WIDTH: f64 = 0.9;
/// The rim of a large disc.
const RIM: f64 = 0.6;

/// Draws the plane. Whether there was anything to draw.
pub(super) fn draw(canvas: &Canvas<'_>, plane: &Plane, place: &Place) -> bool {
    let cells = plane.side.saturating_sub(1);
    let range = range(plane);
    let at = |i: usize| plane.limit * (2.0 * i as f64 / cells.max(1) as f64 - 1.0);
    for row in 0..cells {
        let shades: Vec<Option<usize>> = (0..cells).map(|column| shade(plane, range, column, row)).collect();
        let mut from = 0;
        // Neighbours of one shade are one rectangle.
        for run in shades.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            if let Some(shade) = run[0] {
                rectangle(canvas, place, [at(from), at(to)], [at(row), at(row + 1)], ink(shade));
            }
            from = to;
        }
    }
    let spot = |[x, y]: [f64; 2]| Some((place.across(x)?, place.down(y)?));
    for [from, to] in &plane.links {
        let line: Vec<Point> = [spot(*from), spot(*to)].into_iter().flatten().collect();
        canvas.path(&line, DARK, LINK_WIDTH);
    }
    for dots in &plane.dots {
        dots.at.iter().filter_map(|at| spot(*at)).for_each(|at| draw_dot(canvas, dots, at));
    }
    cells > 0
}

/// One of `dots`, a large one with a rim.
pub(super) fn draw_dot(canvas: &Canvas<'_>, dots: &Dots, at: Point) {
    if dots.large {
        canvas.disc(at, dots.radius() + RIM, Ink([255, 255, 255], 1.0));
        canvas.disc(at, dots.radius(), dots.color.into());
    } else {
        canvas.disc(at, dots.radius(), Ink(dots.color.rgb(), 0.6));
    }
}

/// Which step the mean of a cell's corners falls into, from the least value to the greatest, `[low, high]`.
fn shade(plane: &Plane, [low, high]: [f64; 2], column: usize, row: usize) -> Option<usize> {
    let value = |i: usize, j: usize| plane.values.get(j * plane.side + i).copied().unwrap_or(f64::NAN);
    let corners = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| value(column + i, row + j));
    let mean = corners.iter().sum::<f64>() / 4.0;
    let share = if high > low { (mean - low) / (high - low) } else { 0.0 * mean };
    share.is_finite().then_some(((share * SHADES as f64) as usize).min(SHADES - 1))
}

/// The least and the greatest value.
fn range(plane: &Plane) -> [f64; 2] {
    let finite = || plane.values.iter().copied().filter(|x| x.is_finite());
    [finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max)]
}

fn ink(shade: usize) -> Ink {
    let share = shade as f64 / (SHADES - 1) as f64;
    let mut rgb = [0; 3];
    for (out, (light, deep)) in rgb.iter_mut().zip(LIGHT.into_iter().zip(DEEP)) {
        *out = (light + share * (deep - light)).round() as u8;
    }
    Ink(rgb, 1.0)
}

fn rectangle(canvas: &Canvas<'_>, place: &Place, [x0, x1]: [f64; 2], [y0, y1]: [f64; 2], ink: Ink) {
    let ends = (place.across(x0), place.across(x1), place.down(y0), place.down(y1));
    let (Some(left), Some(right), Some(bottom), Some(top)) = ends else { return };
    let (right, top) = (right + OVERLAP, top - OVERLAP);
    canvas.area(&[(left, bottom), (right, bottom), (right, top), (left, top)], ink);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(side: usize, values: &[f64]) -> Plane {
        Plane { limit: 1.0, side, values: values.to_vec(), dots: Vec::new(), links: Vec::new() }
    }

    #[test]
    fn shades_go_from_the_least_to_the_greatest() {
        let steep = plane(3, &[0.0, 0.0, 12.0, 0.0, 0.0, 12.0, 0.0, 0.0, 12.0]);
        assert_eq!(range(&steep), [0.0, 12.0]);
        assert_eq!(shade(&steep, range(&steep), 0, 0), Some(0));
        assert_eq!(shade(&steep, range(&steep), 1, 1), Some(SHADES / 2));
        let level = plane(2, &[5.0; 4]);
        assert_eq!(shade(&level, range(&level), 0, 0), Some(0));
        let hole = plane(2, &[0.0, 1.0, f64::NAN, 2.0]);
        assert_eq!(shade(&hole, range(&hole), 0, 0), None);
        let short = plane(2, &[0.0, 1.0]);
        assert_eq!(shade(&short, range(&short), 0, 0), None, "values are missing");
    }
}
