//! Draws figures of made-up data, the ordinary and the awkward, into the folder given: for a look at every change of
//! the drawing. `cargo run --release -p report --example gallery -- /some/folder`

use report::figure::{Color, Curve, Figure, HorizontalLine, Panel, Pattern, default_columns, png, svg};

fn main() -> anyhow::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let tasks = ["HalfCheetah-v5", "Walker2d-v5", "Ant-v5", "Humanoid-v5", "Hopper-v5"];
    let ends = [9_800.0, 4_300.0, 4_100.0, 5_100.0, 3_400.0];
    let task = |i: usize| {
        task_panel(tasks[i % 5], ends[i % 5], if i == 2 { -400.0 } else { 0.0 }, 1e6, 201, i as f64)
    };
    let figures = [
        ("one", vec![task(3)]),
        ("two", vec![task(0), task(3)]),
        ("three", (0..3).map(task).collect()),
        ("four", (0..4).map(task).collect()),
        ("five", (0..5).map(task).collect()),
        ("eight", (0..8).map(task).collect()),
        ("awkward", awkward()),
    ];
    for (name, panels) in figures {
        let mut figure = Figure {
            columns: default_columns(panels.len()),
            panels,
            x_label: "Environment steps".to_owned(),
            y_label: "Evaluation return".to_owned(),
            companion_label: "median of all runs".to_owned(),
        };
        if name == "five" {
            figure.panels[4].note = Some("5/6 seeds".to_owned());
        }
        let document = svg(&figure);
        std::fs::write(folder.join(format!("{name}.png")), png(&document, 300.0)?)?;
        std::fs::write(folder.join(format!("{name}.svg")), document)?;
    }
    Ok(())
}

fn awkward() -> Vec<Panel> {
    let few = task_panel("Pendulum-v1", 900.0, -1_500.0, 3_000.0, 3, 0.3);
    let mut gap = task_panel("A task with a rather long name", 5e6, -2e5, 3e5, 61, 1.0);
    gap.curves[0].center[20..30].fill(f64::NAN);
    gap.curves[0].low[19..30].fill(f64::NAN);
    gap.curves[1].center[41] = f64::NAN;
    gap.curves[1].center[43] = f64::NAN;
    gap.note = Some("4/6 seeds, 1 failed".to_owned());
    gap.x_end = Some(1e6);
    gap.curves.push(Curve {
        label: "TD3-DAI, cosine schedule over 500k steps".to_owned(),
        color: Color::Purple,
        ..task_panel("", 2e6, 0.0, 3e5, 40, 2.0).curves.remove(1)
    });
    let empty = Panel {
        title: "Humanoid-v5".to_owned(),
        lines: vec![HorizontalLine {
            label: "expert".to_owned(),
            color: Color::Orange,
            pattern: Pattern::Dashed,
            value: 5_000.0,
        }],
        x_end: Some(1e6),
        ..Panel::default()
    };
    let nothing = Panel { title: "Ant-v5".to_owned(), ..Panel::default() };
    let negative = task_panel("Pusher-v5", -22.0, -120.0, 500_000.0, 101, 4.0);
    let mut single = task_panel("Reacher-v5", -4.0, -40.0, 10_000.0, 1, 1.0);
    single.curves.iter_mut().for_each(|curve| curve.companion = None);
    single.lines.push(HorizontalLine {
        label: "published, mean of 10 seeds".to_owned(),
        color: Color::Black,
        pattern: Pattern::Dotted,
        value: -3.6,
    });
    vec![few, gap, empty, nothing, negative, single]
}

/// Two arms that rise from `start` to `end`, with an expert between.
fn task_panel(title: &str, end: f64, start: f64, steps: f64, points: usize, phase: f64) -> Panel {
    let arm = |label: &str, color, speed: f64, height: f64| {
        let at = |i: usize| if points == 1 { 1.0 } else { i as f64 / (points - 1) as f64 };
        let center = |i: usize| {
            let wobble = 0.03 * (7.3 * i as f64 + phase).sin() * (0.31 * i as f64).cos();
            start + (end - start) * height * (1.0 - (-speed * at(i)).exp() + wobble * at(i).sqrt())
        };
        let spread = |i: usize| (end - start).abs() * (0.02 + 0.13 * at(i) * (1.2 - at(i)));
        let list = |f: &dyn Fn(usize) -> f64| (0..points).map(f).collect::<Vec<_>>();
        Curve {
            label: label.to_owned(),
            color,
            steps: list(&|i| steps * at(i)),
            center: list(&center),
            low: list(&|i| center(i) - spread(i) * (1.3 + (0.7 * i as f64).sin())),
            high: list(&|i| center(i) + spread(i)),
            companion: Some(list(&|i| center(i) - 0.6 * spread(i) * (0.2 * i as f64 + phase).sin().max(0.0))),
        }
    };
    Panel {
        title: title.to_owned(),
        note: None,
        curves: vec![arm("TD3", Color::Vermillion, 2.5, 1.0), arm("TD3-DAI", Color::Blue, 5.5, 1.06)],
        lines: vec![HorizontalLine {
            label: "expert".to_owned(),
            color: Color::Orange,
            pattern: Pattern::Dashed,
            value: start + 0.6 * (end - start),
        }],
        x_end: None,
    }
}
