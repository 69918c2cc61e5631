//! The whole pipeline on the real simulator: the same bytes for any number of workers, no training the second time,
//! and a failed run as a row.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn xtask(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).arg("--results").arg(folder.join("results"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    command
}

fn reproduce(folder: &Path, more: &[&str], simd: Option<&str>) -> Output {
    let arguments = [&["reproduce", "--paper", "dai", "--profile", "smoke"], more].concat();
    let mut command = xtask(folder, &arguments);
    command.arg("--figures").arg(folder.join("figures"));
    command.envs(simd.map(|simd| ("REPRISE_SIMD", simd))).output().unwrap()
}

/// Every file below `folder` that no clock touched, but for hidden ones and the line that names vector instructions.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') {
                folders.push(path);
            } else if path.is_file() && !name.starts_with('.') && name != "timing.toml" {
                let mut bytes = fs::read(&path).unwrap();
                if name == "provenance.toml" {
                    let text = String::from_utf8(bytes).unwrap();
                    bytes =
                        text.lines().filter(|line| !line.starts_with("simd = ")).collect::<String>().into();
                }
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn runs_repeat_byte_for_byte_and_failures_are_rows() {
    let one = tempfile::tempdir().unwrap();
    let two = tempfile::tempdir().unwrap();

    // One worker and two workers, the second pair on narrower vector instructions (where the processor has wider
    // ones): the same bytes in every record but for the line that names the instructions.
    let output = reproduce(one.path(), &["--jobs", "1", "--only", "seed=0"], None);
    assert_eq!(output.status.code(), Some(5), "seed 1 is missing: {}", stderr(&output));
    let output = reproduce(two.path(), &["--jobs", "2", "--only", "seed=0"], Some("avx2"));
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let recorded = bytes(&one.path().join("results"));
    assert_eq!(recorded.keys().filter(|path| path.ends_with("evals.csv")).count(), 3, "expert, td3, td3-dai");
    assert_eq!(recorded, bytes(&two.path().join("results")));
    let instructions = |folder: &Path| {
        let provenance = recorded.keys().find(|path| path.ends_with("provenance.toml")).unwrap();
        let text = fs::read_to_string(folder.join("results").join(provenance)).unwrap();
        text.lines().find(|line| line.starts_with("simd = ")).unwrap().to_owned()
    };
    let (widest, asked) = (instructions(one.path()), instructions(two.path()));
    assert!(asked == "simd = \"avx2\"" || widest == "simd = \"portable\"", "{asked} instead of avx2");
    let figures = bytes(&one.path().join("figures"));
    assert!(figures.keys().any(|path| path.ends_with("learning-curves.png")));
    let without_page = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
        // The page says how long each run took, and on which instructions.
        files.retain(|path, _| !path.ends_with("report.html"));
        files
    };
    assert_eq!(without_page(figures.clone()), without_page(bytes(&two.path().join("figures"))));

    // The second call trains nothing and writes the same bytes.
    let output = reproduce(one.path(), &["--only", "seed=0"], None);
    assert!(!stderr(&output).contains("started"), "{}", stderr(&output));
    assert_eq!((recorded, figures), (bytes(&one.path().join("results")), bytes(&one.path().join("figures"))));

    // The report is fresh, until a record changes.
    let report = |more: &[&str]| {
        let arguments = [&["report", "--paper", "dai", "--profile", "smoke"], more].concat();
        let output = xtask(one.path(), &arguments).arg("--figures").arg(one.path().join("figures")).output();
        output.unwrap().status.code()
    };
    assert_eq!(report(&["--check"]), Some(0));
    fs::write(one.path().join("figures/dai/smoke/scores.csv"), "").unwrap();
    assert_eq!(report(&["--check"]), Some(4));

    // An expert whose weights are damaged fails the runs that it guides, and nothing else; the row says so.
    let expert = one.path().join("results/dai/InvertedPendulum-v5/expert");
    let expert = fs::read_dir(expert).unwrap().next().unwrap().unwrap().path();
    fs::write(expert.join("policy.safetensors"), "nonsense").unwrap();
    let output = reproduce(one.path(), &["--only", "seed=1", "--only", "arm=td3-dai"], None);
    assert_eq!(output.status.code(), Some(5));
    let told = stderr(&output);
    assert!(told.contains("failed: exit code 2") && told.contains("cannot read the weights in"), "{told}");
    let rows = fs::read_to_string(one.path().join("figures/dai/smoke/runs.csv")).unwrap();
    assert!(rows.contains("InvertedPendulum-v5,td3-dai,1,") && rows.contains("failed: "), "{rows}");
    assert!(rows.contains("InvertedPendulum-v5,td3,1,missing"), "{rows}");
}
