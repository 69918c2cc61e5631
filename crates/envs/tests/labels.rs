//! Rewards and ends of states in a data set against OGBench's relabelling (`tests/parity/record_labels.py`).

use datasets::npz::{Reader, Values};
use envs::Labels;
use std::path::Path;

const FAMILIES: [&str; 10] = [
    "pointmaze-medium",
    "antmaze-large",
    "antmaze-giant",
    "antsoccer-arena",
    "humanoidmaze-large",
    "cube-single",
    "cube-double",
    "scene",
    "puzzle-3x3",
    "puzzle-4x4",
];

fn numbers(values: &Values) -> Vec<f32> {
    match values {
        Values::F32(values) => values.clone(),
        Values::I64(values) => values.iter().map(|&x| x as f32).collect(),
        _ => panic!("another type"),
    }
}

#[test]
fn states_are_labelled_as_the_package_does() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/golden/labels.npz");
    let mut file = Reader::open(&golden).unwrap();
    let mut read = |name: &str| numbers(&file.array(name).unwrap().values);
    for family in FAMILIES {
        for task in 1..=5 {
            let id = format!("{family}-singletask-task{task}-v0");
            let labels = Labels::of_task(&id).unwrap().unwrap();
            let (rewards, masks) = (read(&format!("{id}/rewards")), read(&format!("{id}/masks")));
            let arrays: Vec<(Vec<f32>, usize)> = labels
                .arrays()
                .into_iter()
                .map(|(name, width)| (read(&format!("{id}/{name}")), width))
                .collect();
            for (row, (reward, mask)) in rewards.iter().zip(&masks).enumerate() {
                let of_row: Vec<&[f32]> =
                    arrays.iter().map(|(values, width)| &values[row * width..][..*width]).collect();
                assert_eq!(labels.of(&of_row), (*reward, *mask == 0.0), "{id}, state {row}");
            }
        }
    }
}

#[test]
fn only_single_tasks_have_labels() {
    for id in ["antmaze-umaze-v2", "Hopper-v5", "online-ant-xy-v0"] {
        assert!(Labels::of_task(id).unwrap().is_none(), "{id}");
    }
}
