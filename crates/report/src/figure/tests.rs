use super::*;
use resvg::usvg;

fn curve(label: &str, color: Color, values: &[f64], last_step: f64) -> Curve {
    let interval = last_step / (values.len() - 1) as f64;
    let shifted = |by: f64| values.iter().map(|x| x + by).collect::<Vec<_>>();
    Curve {
        label: label.to_owned(),
        color,
        shape: Shape::Line,
        x: (0..values.len()).map(|i| interval * i as f64).collect(),
        center: values.to_vec(),
        low: shifted(-700.0),
        high: shifted(600.0),
        companion: Some(shifted(-90.0)),
    }
}

fn expert(value: f64) -> Level {
    Level { label: "expert".to_owned(), color: Color::Orange, pattern: Pattern::Dashed, value }
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
            marks: Marks::Curves(curves),
            levels: vec![expert(3_000.0)],
            ..Panel::default()
        },
        1 => Panel {
            title: "a task with a name too long for the panel below it".to_owned(),
            note: Some("5/6 seeds".to_owned()),
            marks: Marks::Curves(curves),
            ..Panel::default()
        },
        2 => Panel { title: "Ant-v5".to_owned(), x_end: Some(1e6), ..Panel::default() },
        _ => Panel { title: "Hopper-v5".to_owned(), note: Some("0/6 seeds".to_owned()), ..Panel::default() },
    }
}

fn figure(panels: Vec<Panel>) -> Figure {
    Figure {
        title: None,
        columns: default_columns(panels.len()),
        panels,
        x: Scale::new("Environment steps", ScaleKind::Steps),
        y: Scale::new("Evaluation return", ScaleKind::Value),
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

/// Asserts that nothing leaves the page and no text covers another. The texts.
fn check_apart(what: &str, document: &str) -> Vec<String> {
    assert!(!document.contains("NaN") && !document.contains("inf"), "{what}");
    let tree = usvg::Tree::from_str(document, &text::options()).unwrap();
    let (width, height) = (tree.size().width(), tree.size().height());
    for node in leaves(tree.root()) {
        let ink = node.abs_bounding_box();
        // The white ground ends on the page's edge, give or take a rounding.
        let slack = 0.01;
        let inside = ink.left() >= -slack
            && ink.top() >= -slack
            && ink.right() <= width + slack
            && ink.bottom() <= height + slack;
        assert!(inside, "{what}: {ink:?} on a page of {width} × {height}");
    }
    let texts = texts(&tree);
    for (i, (one, a)) in texts.iter().enumerate() {
        for (other, b) in &texts[..i] {
            let apart = a[0] > b[2] || b[0] > a[2] || a[1] > b[3] || b[1] > a[3];
            assert!(apart, "{what}: `{one}` covers `{other}`");
        }
    }
    texts.into_iter().map(|(text, _)| text.trim().to_owned()).collect()
}

#[test]
fn nothing_leaves_the_page_and_no_text_covers_another() {
    for count in 0..=9 {
        check_apart(&format!("{count} panels"), &svg(&figure((0..count).map(panel).collect())));
    }
}

#[test]
fn the_legend_names_everything_once() {
    let texts = check_apart("five panels", &svg(&figure((0..5).map(panel).collect())));
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

/// Three rows of each kind: with and without an interval, and without any number.
fn rows_panel(title: &str, names: [&str; 3]) -> Panel {
    let row = |label: &str, center, interval| Row {
        label: label.to_owned(),
        color: Color::Green,
        center,
        interval,
        runs: vec![0.2, 0.9],
    };
    let rows = vec![
        row(names[0], 0.4, Some([0.31, 0.62])),
        row(names[1], 0.8, None),
        row(names[2], f64::NAN, Some([0.1, 0.2])),
    ];
    Panel { title: title.to_owned(), marks: Marks::Rows(rows), ..Panel::default() }
}

fn rows_figure(panels: Vec<Panel>, kind: ScaleKind) -> Figure {
    Figure {
        title: Some("Invented & awkward <title>".to_owned()),
        columns: panels.len(),
        x: Scale::new("Normalised score", kind),
        y: Scale::new("", ScaleKind::Value),
        ..figure(panels)
    }
}

#[test]
fn rows_stand_apart_and_name_themselves_once() {
    let names = ["TD3", "TD3-DAI <ours>", "a rather long name of an arm"];
    let same = rows_figure(
        ["Median", "IQM", "Mean", "Optimality gap"].map(|title| rows_panel(title, names)).to_vec(),
        ScaleKind::Value,
    );
    let texts = check_apart("same rows", &svg(&same));
    assert_eq!(texts.iter().filter(|text| *text == "TD3").count(), 1, "{texts:?}");
    let mut other = rows_panel("other", ["A", "B", "C"]);
    other.levels.push(expert(0.5));
    let different = rows_figure(vec![rows_panel("one", names), other], ScaleKind::Share);
    let texts = check_apart("different rows", &svg(&different));
    assert!(texts.contains(&"A".to_owned()) && texts.contains(&"TD3".to_owned()), "{texts:?}");
    let long = "a name that nobody would give and somebody will ".repeat(5);
    let long_names = rows_figure(vec![rows_panel(&long, [&long, "B", "C"])], ScaleKind::Value);
    check_apart("long names", &svg(&long_names));
    let nothing = Panel { marks: Marks::Rows(vec![]), ..Panel::default() };
    let texts = check_apart("no rows", &svg(&rows_figure(vec![nothing], ScaleKind::Value)));
    assert!(texts.contains(&"no runs recorded".to_owned()), "{texts:?}");
}

#[test]
fn stairs_have_corners_and_points_have_bars() {
    let with = |shape| {
        let mut panel = panel(0);
        let Marks::Curves(curves) = &mut panel.marks else { panic!("a panel of curves") };
        for curve in curves {
            (curve.shape, curve.companion) = (shape, None);
        }
        let kind = if shape.is_marked() { ScaleKind::Doubling } else { ScaleKind::Tight };
        let document = svg(&Figure { x: Scale::new("K", kind), ..figure(vec![panel]) });
        check_apart(&format!("{shape:?}"), &document);
        document
    };
    let corners = |document: &str| document.matches("<polyline").count();
    let [line, stairs, points, rings] = [Shape::Line, Shape::Stairs, Shape::Points, Shape::Rings].map(with);
    assert_eq!(corners(&line), corners(&stairs), "as many lines");
    assert!(corners(&points) > corners(&line), "a bar a point");
    assert_eq!(corners(&rings), corners(&points), "the same bars");
    let discs = |document: &str| document.matches("<circle").count();
    assert_eq!(discs(&rings), 2 * discs(&points), "a hole a mark, in the legend too");
    let places = |document: &str| document.matches(',').count();
    assert!(places(&stairs) > places(&line), "the same lines, by way of corners");
}

#[test]
fn names_of_any_characters_are_drawn() {
    let mut panel = panel(0);
    panel.title =
        "nul \u{0} bell \u{7} \u{202e}turned\u{202c} \u{ffff} <script>alert(1)</script> ]]> --> \"'&"
            .to_owned();
    let document = svg(&figure(vec![panel]));
    check_apart("any characters", &document);
    assert!(!document.contains("<script") && !document.contains('\u{0}'), "{document}");
    assert!(png(&document, 72.0).is_ok());
}

#[test]
#[should_panic(expected = "unequal length")]
fn lists_must_be_of_one_length() {
    let mut panel = panel(0);
    let Marks::Curves(curves) = &mut panel.marks else { panic!("a panel of curves") };
    curves[0].low.pop();
    let _ = svg(&figure(vec![panel]));
}
