//! `rollout_files` with files that are right, and with everything that can be wrong about them.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]

use datasets::npz::{self, Array, Reader};
use diagnostics::BadInput;
use envs::rollout_files;
use std::fs;
use std::path::Path;

const ID: &str = "InvertedPendulum-v5";

fn qpos() -> Array {
    Array::f64(&[2], vec![0.0, 0.01])
}

fn actions(value: f32) -> Array {
    Array::f32(&[3, 1], vec![0.5, value, -0.5])
}

fn write(path: &Path, qpos: &Array, actions: &Array) {
    npz::write(path, &[("qpos", qpos), ("qvel", &Array::f64(&[2], vec![0.0; 2])), ("actions", actions)])
        .unwrap();
}

#[track_caller]
fn refused(id: &str, input: &Path, output: &Path, expect: &[&str]) {
    let error = rollout_files(id, input, output).unwrap_err();
    assert!(error.is::<BadInput>(), "{error:#}");
    for part in expect {
        assert!(error.to_string().contains(part), "expected `{part}` in: {error}");
    }
}

#[test]
fn a_rollout_is_written_with_its_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    write(&input, &qpos(), &actions(0.25));
    let summary = rollout_files(ID, &input, &output).unwrap();
    assert_eq!((summary.steps, summary.episode_length, summary.episode_return), (3, 3, 3.0));
    let mut reader = Reader::open(&output).unwrap();
    let mut shape = |name| {
        let array = reader.array(name).unwrap();
        format!("{} {:?}", array.dtype(), array.shape)
    };
    assert_eq!(shape("observations"), "float64 [4, 4]");
    assert_eq!(shape("rewards"), "float64 [3]");
    assert_eq!(shape("terminated"), "bool [3]");
    assert_eq!(shape("truncated"), "bool [3]");
    assert_eq!(shape("qpos"), "float64 [3, 2]");
    assert_eq!(shape("qvel"), "float64 [3, 2]");

    // The same again gives the same bytes, in place of the old file.
    let first = fs::read(&output).unwrap();
    rollout_files(ID, &input, &output).unwrap();
    assert_eq!(fs::read(&output).unwrap(), first);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn no_steps_are_a_rollout_too() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    write(&input, &qpos(), &Array::f32(&[0, 1], vec![]));
    assert_eq!(rollout_files(ID, &input, &output).unwrap().steps, 0);
    assert_eq!(Reader::open(&output).unwrap().array("observations").unwrap().shape, [1, 4]);
}

#[test]
fn files_that_are_not_whole_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    refused(ID, &input, &output, &["cannot open ", "in.npz"]);
    write(&input, &qpos(), &actions(0.0));
    refused("InvertedPendulum-v3", &input, &output, &["did you mean `InvertedPendulum-v"]);
    let whole = fs::read(&input).unwrap();
    fs::write(&input, &whole[..whole.len() - 30]).unwrap();
    refused(ID, &input, &output, &["in.npz is not a whole .npz file"]);
    npz::write(&input, &[("qpos", &qpos())]).unwrap();
    refused(ID, &input, &output, &["has no array `qvel`: it holds qpos"]);
    assert!(!output.exists());
}

#[test]
fn arrays_that_do_not_fit_are_refused_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.npz"), folder.path().join("out.npz"));
    let check = |qpos: &Array, actions: &Array, expect: &[&str]| {
        write(&input, qpos, actions);
        refused(ID, &input, &output, expect);
        assert!(!output.exists());
    };
    let expected = "expected float32 or float64 of shape [steps, 1]";
    check(&qpos(), &Array::f32(&[3], vec![0.0; 3]), &["`actions`", "found float32 of shape [3]", expected]);
    check(&qpos(), &Array::f64(&[2, 2], vec![0.0; 4]), &["found float64 of shape [2, 2]", expected]);
    check(&qpos(), &Array::bool(&[2, 1], vec![true; 2]), &["found bool of shape [2, 1]", expected]);
    let single = Array::f32(&[2], vec![0.0; 2]);
    check(&single, &actions(0.0), &["`qpos`", "found float32 of shape [2], expected float64 with one axis"]);
    let long = Array::f64(&[3], vec![0.0; 3]);
    check(&long, &actions(0.0), &["in.npz: qpos of InvertedPendulum-v5: found 3 numbers, expected 2"]);
    check(&Array::f64(&[2], vec![0.0, f64::INFINITY]), &actions(0.0), &["qpos[1] is inf"]);
    check(&qpos(), &actions(f32::NAN), &["in.npz: actions[1, 0] is not a finite number"]);
    check(&qpos(), &actions(f32::NEG_INFINITY), &["actions[1, 0] is not a finite number"]);
}

#[test]
fn an_output_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.npz");
    write(&input, &qpos(), &actions(0.0));
    refused(ID, &input, &folder.path().join("no/out.npz"), &["cannot write ", "no/out.npz"]);
    refused(ID, &input, folder.path(), &["cannot write ", "it is a folder"]);
}
