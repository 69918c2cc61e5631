use super::*;
use resvg::usvg;

fn curve(label: &str, color: Color, values: &[f64], last_step: f64) -> Curve {
    let interval = last_step / (values.len() - 1) as f64;
    let shifted = |by: f64| values.iter().map(|x| x + by).collect::<Vec<_>>();
    Curve {
        label: label.to_owned(),
        color,
        steps: (0..values.len()).map(|i| interval * i as f64).collect(),
        center: values.to_vec(),
        low: shifted(-700.0),
        high: shifted(600.0),
        companion: Some(shifted(-90.0)),
    }
}

fn expert(value: f64) -> HorizontalLine {
    HorizontalLine { label: "expert".to_owned(), color: Color::Orange, pattern: Pattern::Dashed, value }
}

/// Panels of different ranges, with gaps, a long title, notes, and none of all that.
fn panel(i: usize) -> Panel {
    let (td3, dai) = ([-300.0, 900.0, 2_500.0, 4_000.0], [200.0, f64::NAN, f64::NAN, 4_900.0]);
    let last_step = [1e6, 300_000.0, 900.0][i % 3];
    let curves = vec![
        curve("TD3 & others", Color::Vermillion, &td3, last_step),
        curve("TD3-DAI <ours>", Color::Blue, &dai, last_step),
    ];
    match i % 4 {
        0 => Panel {
            title: "Humanoid-v5".to_owned(),
            curves,
            lines: vec![expert(3_000.0)],
            ..Panel::default()
        },
        1 => Panel {
            title: "a task with a name too long for the panel below it".to_owned(),
            note: Some("5/6 seeds".to_owned()),
            curves,
            ..Panel::default()
        },
        2 => Panel { title: "Ant-v5".to_owned(), x_end: Some(1e6), ..Panel::default() },
        _ => Panel { title: "Hopper-v5".to_owned(), note: Some("0/6 seeds".to_owned()), ..Panel::default() },
    }
}

fn figure(panels: Vec<Panel>) -> Figure {
    Figure {
        columns: default_columns(panels.len()),
        panels,
        x_label: "Environment steps".to_owned(),
        y_label: "Evaluation return".to_owned(),
        companion_label: "median of all runs".to_owned(),
    }
}

/// All texts with their boxes on the page: left, top, right, bottom.
fn texts(tree: &usvg::Tree) -> Vec<(String, [f32; 4])> {
    let text = |node: &usvg::Node| match node {
        usvg::Node::Text(text) => {
            let letters = text.chunks().iter().map(usvg::TextChunk::text).collect::<String>();
            let ink = node.abs_bounding_box();
            Some((letters, [ink.left(), ink.top(), ink.right(), ink.bottom()]))
        }
        _ => None,
    };
    leaves(tree.root()).into_iter().filter_map(text).collect()
}

fn leaves(group: &usvg::Group) -> Vec<&usvg::Node> {
    let mut found = Vec::new();
    for node in group.children() {
        match node {
            usvg::Node::Group(group) => found.extend(leaves(group)),
            leaf => found.push(leaf),
        }
    }
    found
}

#[test]
fn nothing_leaves_the_page_and_no_text_covers_another() {
    for count in 0..=9 {
        let document = svg(&figure((0..count).map(panel).collect()));
        assert!(!document.contains("NaN") && !document.contains("inf"), "{count} panels");
        let tree = usvg::Tree::from_str(&document, &text::options()).unwrap();
        let (width, height) = (tree.size().width(), tree.size().height());
        for node in leaves(tree.root()) {
            let ink = node.abs_bounding_box();
            // The white ground ends on the page's edge, give or take a rounding.
            let slack = 0.01;
            let inside = ink.left() >= -slack
                && ink.top() >= -slack
                && ink.right() <= width + slack
                && ink.bottom() <= height + slack;
            assert!(inside, "{count} panels: {ink:?} on a page of {width} × {height}");
        }
        let texts = texts(&tree);
        for (i, (one, a)) in texts.iter().enumerate() {
            for (other, b) in &texts[..i] {
                let apart = a[0] > b[2] || b[0] > a[2] || a[1] > b[3] || b[1] > a[3];
                assert!(apart, "{count} panels: `{one}` covers `{other}`");
            }
        }
    }
}

#[test]
fn the_legend_names_everything_once() {
    let tree = usvg::Tree::from_str(&svg(&figure((0..5).map(panel).collect())), &text::options()).unwrap();
    let texts: Vec<String> = texts(&tree).into_iter().map(|(text, _)| text.trim().to_owned()).collect();
    let count = |text: &str| texts.iter().filter(|t| *t == text).count();
    for label in ["TD3 & others", "TD3-DAI <ours>", "expert", "median of all runs"] {
        assert_eq!(count(label), 1, "{label} in {texts:?}");
    }
    assert_eq!(count("no runs recorded"), 2);
    assert_eq!((count("Environment steps (×10⁶)"), count("Environment steps (×10³)")), (2, 2), "mixed units");
}

#[test]
fn pictures_repeat_byte_for_byte() {
    let draw = || svg(&figure((0..3).map(panel).collect()));
    let document = draw();
    assert!(document == draw());
    assert!(png(&document, 150.0).unwrap() == png(&document, 150.0).unwrap());
}

#[test]
fn an_inch_has_300_pixels() {
    let document = svg(&figure(vec![panel(0)]));
    assert!(document.contains("width=\"260.00pt\""), "{}", &document[..200]);
    let image = png(&document, 300.0).unwrap();
    // The width is the big-endian word at byte 16 of every PNG file.
    assert_eq!(image[16..20], ((260.0f64 / 72.0 * 300.0).ceil() as u32).to_be_bytes());
    assert!(png("no document", 300.0).is_err());
}

#[test]
#[should_panic(expected = "unequal length")]
fn lists_must_be_of_one_length() {
    let mut panel = panel(0);
    panel.curves[0].low.pop();
    let _ = svg(&figure(vec![panel]));
}
