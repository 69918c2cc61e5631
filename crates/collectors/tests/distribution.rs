//! What scripts collect against what OGBench's own oracles do (`tests/parity/record_collected.py`): the means over episodes of
//! a few numbers of each, by Welch's test. Both are samples, and neither's random numbers are the other's.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use collectors::Order;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Episodes of ours.
const EPISODES: usize = 8;
/// A difference of more standard errors than this is none of chance: by a normal distribution once in a million, and with so
/// few episodes once in some ten thousand.
const STANDARD_ERRORS: f64 = 5.5;

/// Of each number, its value in each episode.
type Numbers = BTreeMap<String, Vec<f64>>;

fn numbers(set: &str) -> Numbers {
    let script = collectors::find(set).unwrap();
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let order = Order { episodes: EPISODES, seed: 1, threads };
    let rows = script.collect(&order, None, &AtomicBool::new(false), &|_| ()).unwrap().unwrap().rows;
    let length = rows.len() / EPISODES;
    let mut numbers = Numbers::new();
    let mut put = |name: String, value: f64| numbers.entry(name).or_default().push(value);
    let places: Vec<&[f64]> = rows.extra(0).collect();
    let actions: Vec<&[f32]> = rows.actions().collect();
    for (actions, places) in actions.chunks_exact(length).zip(places.chunks_exact(length)) {
        for i in 0..actions[0].len() {
            let column: Vec<f64> = actions.iter().map(|action| f64::from(action[i])).collect();
            let (mean, variance) = moments(&column);
            put(format!("mean {i}"), mean);
            put(format!("deviation {i}"), variance.sqrt());
        }
        let entries = actions.concat();
        let at_the_limit = entries.iter().filter(|a| a.abs() >= 0.999).count();
        put("at the limit".to_owned(), at_the_limit as f64 / entries.len() as f64);
        for i in 14..places[0].len() {
            let moved = places.windows(2).map(|pair| (pair[1][i] - pair[0][i]).abs()).sum();
            put(format!("moved {i}"), moved);
        }
    }
    numbers
}

fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
}

fn assert_alike(set: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden/collected");
    let text = std::fs::read_to_string(golden.join(format!("{set}.json"))).unwrap();
    let theirs: Numbers = serde_json::from_str(&text).unwrap();
    let ours = numbers(set);
    assert!(ours.keys().eq(theirs.keys()), "{:?}\n{:?}", ours.keys(), theirs.keys());
    let mut wrong = Vec::new();
    for (name, ours) in &ours {
        let theirs = &theirs[name];
        let ((a, va), (b, vb)) = (moments(ours), moments(theirs));
        let error = (va / (ours.len() - 1) as f64 + vb / (theirs.len() - 1) as f64).sqrt();
        // What hardly moves in either is the simulator's business.
        if (a - b).abs() > STANDARD_ERRORS * error + 1e-3 {
            wrong.push(format!("{name}: {a:.4} instead of {b:.4}, standard error {error:.4}"));
        }
    }
    assert!(wrong.is_empty(), "{set}\n{}", wrong.join("\n"));
}

#[test]
fn cubes_are_moved_as_by_the_package() {
    assert_alike("cube-single-play-v0");
    assert_alike("cube-single-noisy-v0");
    assert_alike("cube-double-play-v0");
}

#[test]
fn scenes_are_changed_as_by_the_package() {
    assert_alike("scene-play-v0");
    assert_alike("scene-noisy-v0");
}

#[test]
fn buttons_are_pressed_as_by_the_package() {
    assert_alike("puzzle-3x3-play-v0");
    assert_alike("puzzle-4x4-noisy-v0");
}
