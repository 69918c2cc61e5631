//! Exports of the recorded runs: the same bytes every time, and the same values to other people's readers.
//!
//! `REPRISE_PYTHON` names a Python that has the packages of `tests/export/requirements.txt`, as `.ci/run` does: then a
//! comparison that cannot be made is a failure. Else the system's is tried, and the test says if it skipped.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).current_dir(root()).output().unwrap()
}

fn export(profile: &str, format: &str, output: &Path) -> Output {
    let output = output.to_str().unwrap();
    xtask(&["export", "--paper", "dai", "--profile", profile, "--format", format, "--output", output])
}

/// All three exports of a profile below `folder`.
fn export_all(profile: &str, folder: &Path) -> [PathBuf; 3] {
    ["csv", "parquet", "tensorboard"].map(|format| {
        let path = folder.join(format!("evaluations.{format}"));
        let output = export(profile, format, &path);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    })
}

fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn exports_repeat_and_stats_reads_them() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [csv, ..] = export_all("quick", one.path());
    export_all("quick", two.path());
    // Again over what is there: replaced, and nothing left aside.
    export_all("quick", one.path());
    let files = bytes(one.path());
    // Two arms of three runs.
    assert_eq!(files.len(), 2 + 6);
    assert_eq!(files, bytes(two.path()));

    let stats = xtask(&[
        "stats",
        csv.to_str().unwrap(),
        "--metric",
        "mean",
        "--reps",
        "100",
        "--vs",
        "td3",
        "--json",
    ]);
    let answer: serde_json::Value = serde_json::from_slice(&stats.stdout).unwrap();
    assert!(answer["td3-dai"]["mean"]["ci"].is_array(), "{answer}");
    assert!(answer["td3-dai"]["paired_difference"]["point"].is_number(), "{answer}");
    // By hand: the mean over the three runs' last lines.
    let text = fs::read_to_string(&csv).unwrap();
    let last: Vec<f64> = text
        .lines()
        .filter(|line| line.starts_with("td3,") && line.contains(",30000,"))
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(last.len(), 3);
    let mean = last.iter().sum::<f64>() / 3.0;
    assert!((answer["td3"]["mean"]["point"].as_f64().unwrap() - mean).abs() < 1e-9);
}

#[test]
fn statistics_do_not_hang_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("evaluations.csv");
    assert!(export("quick", "csv", &csv).status.success());
    let on = |threads: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["stats", csv.to_str().unwrap(), "--reps", "3000", "--json"]).args(more);
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let ways: [&[&str]; 3] =
        [&["--vs", "td3", "--profile", "0,100"], &["--curve"], &["--task-bootstrap", "--method", "bca"]];
    for more in ways {
        let one = on("1", more);
        assert_eq!(one, on("2", more), "{more:?}");
        assert_eq!(one, on("5", more), "{more:?}");
    }
}

#[test]
fn other_programs_read_the_same_values() {
    let folder = tempfile::tempdir().unwrap();
    let paths = export_all("anchor", folder.path());
    let required = std::env::var_os("REPRISE_PYTHON");
    let python = required.clone().unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg(root().join("tests/export/compare.py")).args(&paths);
    let output = command.output();
    let skipped = match &output {
        Ok(output) => output.status.code() == Some(3),
        Err(_) => true,
    };
    if skipped && required.is_none() {
        // Past the test harness, which would swallow it.
        writeln!(std::io::stderr(), "SKIPPED: no Python with the packages of tests/export/requirements.txt")
            .unwrap();
        return;
    }
    let output = output.unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", told.concat());
    // Three runs of 101 evaluations.
    assert!(told[0].contains(" evaluations agree"), "{}", told.concat());
}
