//! Files that h5py, numpy and minari wrote, read with equal hashes. `tests/goldens/datasets/record.py` wrote them.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use datasets::offline::{Expected, load, load_labelled};
use datasets::{ArrayReport, Drawn, Replay, inspect};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/datasets")
}

fn golden() -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(folder().join("golden.json")).unwrap();
    let Value::Object(files) = serde_json::from_str(&text).unwrap() else {
        panic!("golden.json is no object")
    };
    files.into_iter().collect()
}

fn near(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        // JSON's readers round the last digit in their own way.
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        _ => found == expected,
    }
}

#[test]
fn inspect_says_what_h5py_and_numpy_say() {
    for (name, golden) in golden() {
        let report = inspect(&folder().join(&name)).unwrap();
        let found = serde_json::to_value(&report).unwrap();
        for (key, expected) in golden["summary"].as_object().unwrap() {
            if key == "returns" && !expected.is_null() {
                for (key, expected) in expected.as_object().unwrap() {
                    let found = &found["returns"][key];
                    assert!(near(found, expected), "{name}: return {key}: {found}, expected {expected}");
                }
            } else {
                assert_eq!(&found[key], expected, "{name}: {key}");
            }
        }
        let arrays = golden["arrays"].as_object().unwrap();
        let names: Vec<&str> = report.arrays.iter().map(|array| &array.name[..]).collect();
        assert_eq!(names, arrays.keys().map(String::as_str).collect::<Vec<_>>(), "{name}");
        for array in &report.arrays {
            check_array(&name, array, &arrays[&array.name]);
        }
    }
}

fn check_array(name: &str, array: &ArrayReport, expected: &Value) {
    let found = serde_json::to_value(array).unwrap();
    for key in ["dtype", "shape", "min", "max", "mean", "sha256_f32"] {
        // Of text there is no more than the shape.
        let expected = expected.get(key).unwrap_or(&Value::Null);
        assert!(
            near(&found[key], expected),
            "{name}: {key} of {}: {}, expected {expected}",
            array.name,
            found[key]
        );
    }
}

#[test]
fn transitions_are_those_of_the_reference_loaders() {
    for (name, golden) in golden() {
        let sizes: Vec<usize> = serde_json::from_value(golden["expected"].clone()).unwrap();
        let expected =
            Expected { observation_dim: sizes[0], action_dim: sizes[1], max_episode_steps: sizes[2] };
        let path = folder().join(&name);
        let replay = if name.starts_with("ogbench") {
            // The task that the script makes up.
            load_labelled(&path, &expected, &[("button_states", 2)], &mut |state| {
                (state.arrays[0].iter().sum::<f32>() - 2.0, state.arrays[0][0] == 1.0)
            })
        } else {
            load(&path, &expected)
        };
        let replay = replay.unwrap();
        let (summary, golden) = (&golden["summary"], &golden["transitions"]);
        assert_eq!(replay.len() as u64, golden["count"].as_u64().unwrap(), "{name}");
        for (key, found) in hashes(&replay) {
            assert_eq!(found, golden[key].as_str().unwrap(), "{name}: {key}");
        }
        let truncated = summary["timeouts"].as_u64();
        let unknown = if golden.get("next_actions").is_some() { Some(0) } else { truncated };
        assert_eq!(Some(replay.without_next_action() as u64), unknown, "{name}");
        if let Some(expected) = golden.get("next_actions") {
            let mut all = Drawn::with_next_actions();
            replay.all(&mut all);
            let bytes: Vec<u8> = all.next_actions.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
            assert_eq!(
                fetch::hex(&Sha256::digest(&bytes)),
                expected.as_str().unwrap(),
                "{name}: next_actions"
            );
        }
    }
}

/// SHA-256 of each column of the transitions, as little-endian float32.
fn hashes(replay: &Replay) -> [(&'static str, String); 5] {
    let mut columns: [(&str, Vec<u8>); 5] =
        ["observations", "actions", "rewards", "terminals", "next_observations"].map(|key| (key, Vec::new()));
    for index in 0..replay.len() {
        let row = replay.transition(index);
        let parts =
            [row.observation, row.action, &[row.reward], &[1.0 - row.not_terminal], row.next_observation];
        for ((_, column), part) in columns.iter_mut().zip(parts) {
            part.iter().for_each(|x| column.extend(x.to_le_bytes()));
        }
    }
    columns.map(|(key, bytes)| (key, fetch::hex(&Sha256::digest(&bytes))))
}

#[test]
fn each_state_is_held_once() {
    let expected = Expected { observation_dim: 11, action_dim: 3, max_episode_steps: 1000 };
    let mut replay = load(&folder().join("d4rl-locomotion.hdf5"), &expected).unwrap();
    let before: Vec<f32> = (0..replay.len()).map(|i| replay.transition(i).reward).collect();
    replay.map_rewards(|reward| reward * 2.0 - 1.0);
    let after: Vec<f32> = (0..replay.len()).map(|i| replay.transition(i).reward).collect();
    assert_eq!(after, before.iter().map(|reward| reward * 2.0 - 1.0).collect::<Vec<_>>());
    let shared = (1..replay.len()).filter(|&i| {
        std::ptr::eq(replay.transition(i - 1).next_observation, replay.transition(i).observation)
    });
    // All but the three that a time limit follows.
    assert_eq!(shared.count(), replay.len() - 1 - 3);
}
