//! Learning curves as a paper prints them: a grid of panels over one legend, as SVG and as PNG.
//!
//! Both repeat byte for byte. Text is set in DejaVu Sans (Bitstream Vera licence), which the program carries; an SVG
//! viewer that lacks it falls back to Verdana, whose widths are nearly the same. Sizes are in points (1/72 inch).

mod axis;
mod canvas;
mod layout;
mod legend;
mod panel;
mod text;

use layout::Layout;

/// A grid of panels with one legend below.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Row by row.
    pub panels: Vec<Panel>,
    /// Panels side by side; [`default_columns`] suits most figures.
    pub columns: usize,
    /// What the horizontal axes show, such as `Environment steps`. The unit is added.
    pub x_label: String,
    /// What the vertical axes show, such as `Evaluation return`.
    pub y_label: String,
    /// What the companion curves are, for the legend, such as `median of all runs`.
    pub companion_label: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// The task's name.
    pub title: String,
    /// A word of warning that belongs into the picture, such as `5/6 seeds`.
    pub note: Option<String>,
    /// The curves; the last one is drawn on top. Without any finite point the panel says `no runs recorded`.
    pub curves: Vec<Curve>,
    /// Levels to compare with.
    pub lines: Vec<HorizontalLine>,
    /// Where the horizontal axis ends, if not at the last point: the protocol's budget of steps.
    pub x_end: Option<f64>,
}

/// One arm's curve with its band. All lists have one entry an evaluation; NaN leaves a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The arm's name. Curves of one label share one entry in the legend.
    pub label: String,
    /// Of line, band and companion.
    pub color: Color,
    /// Environment steps at each evaluation, ascending.
    pub steps: Vec<f64>,
    /// The line.
    pub center: Vec<f64>,
    /// The band's lower edge.
    pub low: Vec<f64>,
    /// The band's upper edge.
    pub high: Vec<f64>,
    /// A thin dashed line beside the curve, such as the median without the removal of outliers.
    pub companion: Option<Vec<f64>>,
}

/// A level across a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct HorizontalLine {
    /// Name in the legend.
    pub label: String,
    /// Colour of the line.
    pub color: Color,
    /// Dashes or dots.
    pub pattern: Pattern,
    /// The level.
    pub value: f64,
}

/// How a [`HorizontalLine`] is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// The expert.
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
        3 | 5 | 6 | 9 => 3,
        _ => 4,
    }
}

/// The figure as an SVG document. Text stays text.
///
/// # Panics
/// If a curve's lists differ in length.
#[must_use]
pub fn svg(figure: &Figure) -> String {
    for curve in figure.panels.iter().flat_map(|panel| &panel.curves) {
        let n = curve.steps.len();
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
