//! Drawing in points. The backend knows only whole pixels, so it gets a canvas of [`UNITS`] pixels a point, and the
//! document's header maps that back to points.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Backend pixels a point: 0.05 pt is finer than a pixel at 300 dpi.
const UNITS: f64 = 20.0;
/// Fallbacks are for viewers that lack the first.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// The backend puts the baseline of text with a top anchor this many ems below the anchor…
const TOP_TO_BASELINE: f64 = 0.76;
/// …and writes font sizes divided by this.
const SIZE_DIVISOR: f64 = 1.24;

/// A position in points, from the upper left corner.
pub(super) type Point = (f64, f64);

/// A colour with opacity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink(pub(super) [u8; 3], pub(super) f64);

/// Axes and their labels.
pub(super) const DARK: Ink = Ink([38, 38, 38], 1.0);
/// Notes.
pub(super) const MUTED: Ink = Ink([110, 110, 110], 1.0);
/// Grid lines.
pub(super) const FAINT: Ink = Ink([235, 235, 235], 1.0);

impl From<super::Color> for Ink {
    fn from(color: super::Color) -> Self {
        Self(color.rgb(), 1.0)
    }
}

impl Ink {
    fn rgba(self) -> RGBAColor {
        RGBAColor(self.0[0], self.0[1], self.0[2], self.1)
    }
}

/// Where a text's anchor is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

const INFALLIBLE: &str = "drawing into a string cannot fail";

/// An SVG document of the given size in points, drawn by `content` on white.
pub(super) fn draw(width: f64, height: f64, content: impl FnOnce(&Canvas<'_>)) -> String {
    let (across, down) = (to_units(width), to_units(height));
    let mut document = String::new();
    {
        let backend = SVGBackend::with_string(&mut document, (across as u32, down as u32));
        let canvas = Canvas(backend.into_drawing_area());
        canvas.0.fill(&WHITE).expect(INFALLIBLE);
        content(&canvas);
        canvas.0.present().expect(INFALLIBLE);
    }
    let body = document.split_once('>').map_or("", |(_, body)| body);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.2}pt\" height=\"{height:.2}pt\" \
         viewBox=\"0 0 {across} {down}\" stroke-linejoin=\"round\">{body}"
    )
}

impl Canvas<'_> {
    /// A line through `points`.
    pub(super) fn path(&self, points: &[Point], ink: Ink, width: f64) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        self.0.draw(&PathElement::new(points, stroke(ink, width))).expect(INFALLIBLE);
    }

    /// A line through `points` in dashes of the given length and distance.
    pub(super) fn dashed(&self, points: &[Point], ink: Ink, width: f64, [dash, gap]: [f64; 2]) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        let dashes = DashedPathElement::new(points, to_units(dash), to_units(gap), stroke(ink, width));
        self.0.draw(&dashes).expect(INFALLIBLE);
    }

    /// A filled polygon.
    pub(super) fn area(&self, points: &[Point], ink: Ink) {
        let points: Vec<_> = points.iter().copied().map(place).collect();
        self.0.draw(&Polygon::new(points, ink.rgba())).expect(INFALLIBLE);
    }

    /// A filled disc.
    pub(super) fn disc(&self, center: Point, radius: f64, ink: Ink) {
        self.0.draw(&Circle::new(place(center), to_units(radius), ink.rgba().filled())).expect(INFALLIBLE);
    }

    /// Text whose baseline goes through `at`.
    pub(super) fn text(&self, text: &str, at: Point, size: f64, ink: Ink, anchor: Anchor) {
        self.set(text, (at.0, at.1 - TOP_TO_BASELINE * size), size, ink, anchor, FontTransform::None);
    }

    /// Text that reads upwards, centred on `at`, its baseline through `at`.
    pub(super) fn text_upwards(&self, text: &str, at: Point, size: f64, ink: Ink) {
        let at = (at.0 - TOP_TO_BASELINE * size, at.1);
        self.set(text, at, size, ink, Anchor::Middle, FontTransform::Rotate270);
    }

    fn set(&self, text: &str, at: Point, size: f64, ink: Ink, anchor: Anchor, turn: FontTransform) {
        let anchor = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * UNITS * SIZE_DIVISOR, FontStyle::Normal);
        let ink = ink.rgba();
        let style = TextStyle::from(font.transform(turn)).color(&ink).pos(Pos::new(anchor, VPos::Top));
        self.0.draw_text(&super::text::clean(text), &style, place(at)).expect(INFALLIBLE);
    }
}

fn stroke(ink: Ink, width: f64) -> ShapeStyle {
    ink.rgba().stroke_width(to_units(width) as u32)
}

fn place((x, y): Point) -> (i32, i32) {
    (to_units(x), to_units(y))
}

fn to_units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}
