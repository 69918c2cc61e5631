//! Pictures as a paper prints them: a grid of panels over one legend, as SVG and as PNG.
//!
//! A panel holds curves (learning curves, performance profiles, sweeps), rows (estimates with their intervals) or a plane
//! (values over a square, and points in it). Both files repeat byte for byte. Text is set in DejaVu Sans (Bitstream Vera licence), which the program carries; an SVG
//! viewer that lacks it falls back to Verdana, whose widths are nearly the same. Sizes are in points (1/72 inch).

mod axis;
mod canvas;
mod curves;
mod layout;
mod legend;
mod panel;
mod plane;
mod rows;
mod text;

use layout::Layout;
pub(crate) use text::clean;

/// A grid of panels with one legend below.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Stands above all panels, where their own titles do not say enough.
    pub title: Option<String>,
    /// Row by row.
    pub panels: Vec<Panel>,
    /// Panels side by side; [`default_columns`] suits most figures.
    pub columns: usize,
    /// The horizontal axes.
    pub x: Scale,
    /// The vertical axes. Panels of rows have none: their rows' names stand there.
    pub y: Scale,
    /// What the companion curves are, for the legend, such as `median of all runs`.
    pub companion_label: String,
}

impl Figure {
    /// Panels in as many columns as suit them, without a title.
    #[must_use]
    pub fn new(panels: Vec<Panel>, x: Scale, y: Scale) -> Self {
        let columns = default_columns(panels.len());
        Self { title: None, panels, columns, x, y, companion_label: "median of all runs".to_owned() }
    }
}

/// What an axis shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// What it says, such as `Environment steps`. A unit is added where there is one.
    pub label: String,
    /// How values lie on it.
    pub kind: ScaleKind,
}

impl Scale {
    /// A scale of `kind` that says `label`.
    #[must_use]
    pub fn new(label: &str, kind: ScaleKind) -> Self {
        Self { label: label.to_owned(), kind }
    }
}

/// How values lie on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleKind {
    /// Environment steps, in thousands or millions where there are many.
    Steps,
    /// Any number, with a little room about it; upwards from 0 where that is near.
    Value,
    /// Any number, from the least to the greatest.
    Tight,
    /// From 0 to 1.
    Share,
    /// Each power of two as far from the last. Nothing that is not above 0 is drawn.
    Doubling,
}

/// One task, or one metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// The task's or the metric's name.
    pub title: String,
    /// A word of warning that belongs into the picture, such as `5/6 seeds`.
    pub note: Option<String>,
    /// What is drawn. Without any finite point the panel says `no runs recorded`.
    pub marks: Marks,
    /// Levels to compare with.
    pub levels: Vec<Level>,
    /// Where the horizontal axis ends, if not at the last point: the protocol's budget of steps.
    pub x_end: Option<f64>,
    /// What this panel's horizontal axis says instead of the figure's label.
    pub x_label: Option<String>,
}

/// What a panel holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    /// Curves over the horizontal axis; the last one is drawn on top.
    Curves(Vec<Curve>),
    /// Estimates along the horizontal axis, one below the other, from the top.
    Rows(Vec<Row>),
    /// Values over a square.
    Plane(Plane),
}

impl Default for Marks {
    fn default() -> Self {
        Self::Curves(Vec::new())
    }
}

impl Panel {
    /// The curves; none where the panel holds something else.
    fn curves(&self) -> &[Curve] {
        match &self.marks {
            Marks::Curves(curves) => curves,
            Marks::Rows(_) | Marks::Plane(_) => &[],
        }
    }

    /// The rows; none where the panel holds something else.
    fn rows(&self) -> &[Row] {
        match &self.marks {
            Marks::Rows(rows) => rows,
            Marks::Curves(_) | Marks::Plane(_) => &[],
        }
    }

    /// The points in a plane; none where the panel holds something else.
    fn dots(&self) -> &[Dots] {
        match &self.marks {
            Marks::Plane(plane) => &plane.dots,
            Marks::Curves(_) | Marks::Rows(_) => &[],
        }
    }
}

/// Values over a square about 0, in shades, and points in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// How far both axes go on either side of 0.
    pub limit: f64,
    /// Grid points on a side.
    pub side: usize,
    /// A value at each grid point: row by row from the lower left.
    pub values: Vec<f64>,
    /// Points; the last are drawn on top.
    pub dots: Vec<Dots>,
    /// Lines from point to point, below them.
    pub links: Vec<[[f64; 2]; 2]>,
}

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Dots {
    /// What they are, for the legend.
    pub label: String,
    /// Their colour.
    pub color: Color,
    /// Whether they are large, or many.
    pub large: bool,
    /// Where they are.
    pub at: Vec<[f64; 2]>,
}

impl Dots {
    fn radius(&self) -> f64 {
        if self.large { 2.6 } else { 1.1 }
    }
}

/// One arm's curve with its band. All lists have one entry a point; NaN leaves a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The arm's name. Curves of one label share one entry in the legend.
    pub label: String,
    /// Of line, band and companion.
    pub color: Color,
    /// How points are joined.
    pub shape: Shape,
    /// Where the points lie on the horizontal axis, ascending.
    pub x: Vec<f64>,
    /// The line.
    pub center: Vec<f64>,
    /// The band's lower edge.
    pub low: Vec<f64>,
    /// The band's upper edge.
    pub high: Vec<f64>,
    /// A thin dashed line beside the curve, such as the median without the removal of outliers.
    pub companion: Option<Vec<f64>>,
}

impl Curve {
    /// A curve without points.
    #[must_use]
    pub fn new(label: &str, color: Color, shape: Shape) -> Self {
        Self {
            label: label.to_owned(),
            color,
            shape,
            x: vec![],
            center: vec![],
            low: vec![],
            high: vec![],
            companion: None,
        }
    }
}

/// How a curve's points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// By straight lines.
    Line,
    /// Each value holds until the next point.
    Stairs,
    /// By straight lines, with a mark and an interval's bar at each instead of a band.
    Points,
    /// The same with hollow marks, where colours come a second time.
    Rings,
    /// By straight dotted lines.
    Dotted,
}

impl Shape {
    /// Whether each value has its own mark and bar.
    fn is_marked(self) -> bool {
        matches!(self, Self::Points | Self::Rings)
    }
}

/// One estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The arm's name, on the left.
    pub label: String,
    /// Of the mark and its interval.
    pub color: Color,
    /// The estimate.
    pub center: f64,
    /// Its interval, where there is one.
    pub interval: Option<[f64; 2]>,
    /// What went in, one a run: small discs.
    pub runs: Vec<f64>,
}

/// A level to compare with: across a panel of curves, up a panel of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Name in the legend; none there if it is empty.
    pub label: String,
    /// Colour of the line.
    pub color: Color,
    /// Dashes or dots.
    pub pattern: Pattern,
    /// The level.
    pub value: f64,
}

/// How a [`Level`] is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// The expert, a threshold.
    Dashed,
    /// A published number.
    Dotted,
}

/// The palette of Okabe and Ito (2008), which readers of any colour vision can tell apart. Yellow is left out: it is
/// too faint for a line on white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "colours")]
pub enum Color {
    Blue,
    Vermillion,
    Green,
    Purple,
    SkyBlue,
    Black,
    Orange,
}

impl Color {
    /// In the order in which arms should take them; orange comes last because the expert's line has it.
    pub const ALL: [Self; 7] =
        [Self::Blue, Self::Vermillion, Self::Green, Self::Purple, Self::SkyBlue, Self::Black, Self::Orange];

    /// Red, green and blue.
    #[must_use]
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Self::Blue => [0, 114, 178],
            Self::Vermillion => [213, 94, 0],
            Self::Green => [0, 158, 115],
            Self::Purple => [204, 121, 167],
            Self::SkyBlue => [86, 180, 233],
            Self::Black => [0, 0, 0],
            Self::Orange => [230, 159, 0],
        }
    }
}

/// How many columns suit a number of panels.
#[must_use]
pub fn default_columns(panels: usize) -> usize {
    match panels {
        0 | 1 => 1,
        2 | 4 => 2,
        _ => 3,
    }
}

/// The figure as an SVG document. Text stays text.
///
/// # Panics
/// If a curve's lists differ in length.
#[must_use]
pub fn svg(figure: &Figure) -> String {
    for curve in figure.panels.iter().flat_map(Panel::curves) {
        let n = curve.x.len();
        let lists = [Some(&curve.center), Some(&curve.low), Some(&curve.high), curve.companion.as_ref()];
        assert!(
            lists.into_iter().flatten().all(|list| list.len() == n),
            "lists of unequal length: {}",
            curve.label
        );
    }
    let entries = legend::entries(figure);
    let layout = Layout::new(figure, &entries);
    canvas::draw(layout.width, layout.height, |canvas| {
        if let (Some(title), Some(baseline)) = (&figure.title, layout.title) {
            panel::draw_title(canvas, title, layout.width, baseline);
        }
        for (panel, place) in figure.panels.iter().zip(&layout.panels) {
            panel::draw(canvas, panel, place, figure);
        }
        legend::draw(canvas, &entries, &layout.legend);
    })
}

/// An SVG document of [`svg`] as a PNG image with `dpi` pixels an inch (300 for print).
///
/// # Errors
/// If `svg` is not an SVG document or makes too large an image.
pub fn png(svg: &str, dpi: f32) -> anyhow::Result<Vec<u8>> {
    text::rasterise(svg, dpi)
}

#[cfg(test)]
mod tests;
