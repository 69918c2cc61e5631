//! What needs the typeface: widths of texts, and pixels.

use anyhow::Context;
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, LazyLock};

static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    Arc::new(fonts)
});

pub(super) fn options() -> usvg::Options<'static> {
    usvg::Options {
        fontdb: Arc::clone(&FONTS),
        font_family: "DejaVu Sans".to_owned(),
        ..usvg::Options::default()
    }
}

/// `text` as a document can hold it and a reader can read it: the replacement character stands for what XML has no place
/// for, and for the characters that would turn around what follows a name in a sentence.
pub(crate) fn clean(text: &str) -> String {
    let unfit = |c: char| {
        c.is_control() && !"\t\n\r".contains(c)
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(unfit, "\u{fffd}")
}

/// Width of the ink of `text` at `size`, both in points.
pub(super) fn width(text: &str, size: f64) -> f64 {
    // Measured at 100 and scaled: the typeface has no hinting here.
    let escaped = clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let document = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"10\" height=\"10\">\
         <text font-family=\"DejaVu Sans\" font-size=\"100\">{escaped}</text></svg>"
    );
    let tree = usvg::Tree::from_str(&document, &options()).expect("a text is a document");
    let extent = tree.root().children().first().map_or(0.0, |node| node.bounding_box().width());
    f64::from(extent) / 100.0 * size
}

/// `size`, or what less makes `text` as narrow as `room`, lest it runs into what is beside it.
pub(super) fn fitting(text: &str, size: f64, room: f64) -> f64 {
    let natural = width(text, size);
    if natural > room { size * room / natural } else { size }
}

pub(super) fn rasterise(svg: &str, dpi: f32) -> anyhow::Result<Vec<u8>> {
    let tree = usvg::Tree::from_str(svg, &options()).context("failed to read the figure's SVG")?;
    // usvg's own unit is 1/96 inch.
    let scale = dpi / 96.0;
    let size = tree.size();
    let pixels = |extent: f32| (extent * scale).ceil() as u32;
    let mut image = tiny_skia::Pixmap::new(pixels(size.width()), pixels(size.height()))
        .context("failed to make an image of this size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut image.as_mut());
    image.encode_png().context("failed to write the image as PNG")
}
