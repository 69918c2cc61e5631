//! Figures, tables and the page stand for the recorded runs: when a byte of these changes, `report --check` fails.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::fs;
use std::path::Path;
use std::process::Command;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && !name.to_str().unwrap().starts_with('.') {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_flipped_digit_in_a_record_makes_the_report_stale() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("results");
    copy(&root.join("results"), &results);
    let figures = folder.path().join("figures");
    copy(&root.join("figures/dai/quick"), &figures.join("dai/quick"));
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["report", "--paper", "dai", "--profile", "quick", "--check", "--results"])
            .arg(&results)
            .arg("--figures")
            .arg(&figures)
            .current_dir(root)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check().0, Some(0), "{}", check().1);

    let runs = results.join("dai/HalfCheetah-v5/td3");
    let seed = |name: &Path| name.file_name().unwrap().to_str().unwrap().starts_with("seed0-30k-");
    let run = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).find(|path| seed(path)).unwrap();
    // The first digit after the last of these words.
    for (file, word, stale) in [
        ("evals.csv", "learned,", "learning-curves.png"),
        ("train.csv", "\n", "report.html"),
        ("timing.toml", "ended = ", "report.html"),
        ("provenance.toml", "version = ", "report.html"),
    ] {
        let path = run.join(file);
        let before = fs::read_to_string(&path).unwrap();
        let place = before.trim_end().rfind(word).unwrap() + word.len();
        let (place, digit) = before[place..]
            .char_indices()
            .find(|(_, c)| c.is_ascii_digit())
            .map(|(i, c)| (place + i, c))
            .unwrap();
        let other = if digit == '1' { "2" } else { "1" };
        let after = format!("{}{other}{}", &before[..place], &before[place + 1..]);
        fs::write(&path, after).unwrap();
        let (code, told) = check();
        assert!(code == Some(4) && told.contains(stale), "{file}: {code:?}: {told}");
        fs::write(&path, before).unwrap();
    }
    assert_eq!(check().0, Some(0), "restored");

    // Such as an earlier protocol would have left.
    fs::write(figures.join("dai/quick/sweep.svg"), "<svg/>").unwrap();
    let (code, told) = check();
    assert!(code == Some(4) && told.contains("drawn by nothing") && told.contains("sweep.svg"), "{told}");
}
