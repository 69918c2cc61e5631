//! `check` against a record that is not what the runs say: it fails, and names the claim, what it was and what it is.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Exit code, standard output and standard error of `check` against the record of the checkout after `spoil`.
fn check(more: &[&str], spoil: impl FnOnce(&str) -> Option<String>) -> (i32, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("dai/quick/verdicts.json");
    fs::create_dir_all(record.parent().unwrap()).unwrap();
    let text = fs::read_to_string(root.join("figures/dai/quick/verdicts.json")).unwrap();
    if let Some(text) = spoil(&text) {
        fs::write(record, text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["check", "--paper", "dai", "--figures", folder.path().to_str().unwrap()]).args(more);
    let output = command.current_dir(root).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap(), stdout, stderr)
}

/// The record as it would be if `above-expert` had held.
fn held(text: &str) -> Option<String> {
    let (before, after) = text.split_at(text.find("\"claim\": \"above-expert\"").unwrap());
    Some(
        before.to_owned()
            + &after.replacen("\"verdict\": \"not-reproduced\"", "\"verdict\": \"reproduced\"", 1),
    )
}

#[test]
fn a_verdict_that_changed_fails_and_is_named() {
    let (code, _, stderr) = check(&[], |text| Some(text.to_owned()));
    assert_eq!((code, stderr.as_str()), (0, ""));

    let (code, _, stderr) = check(&[], held);
    assert_eq!(code, 4, "{stderr}");
    let told: Vec<&str> = stderr.lines().filter(|line| line.starts_with("  claim")).collect();
    assert_eq!(told, ["  claim `above-expert` was reproduced, and is now not reproduced"], "{stderr}");

    let (code, _, stderr) = check(&[], |_| None);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.starts_with("no verdicts are on record in "), "{stderr}");
}

#[test]
fn annotations_stand_at_the_claim_and_are_escaped() {
    let (code, stdout, _) = check(&["--format", "github"], held);
    assert_eq!(code, 4);
    let claims = include_str!("../experiments/dai/claims.toml");
    let place = |claim: &str| {
        let line = claims.lines().position(|line| line == format!("id = \"{claim}\"")).unwrap() + 1;
        format!("file=experiments/dai/claims.toml,line={line},title=")
    };
    let at_gain = place("final-gain");
    let gain = stdout.lines().find(|annotation| annotation.contains(&at_gain)).unwrap();
    assert!(gain.contains("more than 50 %25 above"), "{gain}");
    let place = place("above-expert");
    let found: Vec<&str> = stdout.lines().filter(|annotation| annotation.contains(&place)).collect();
    assert_eq!(found.len(), 2, "{stdout}");
    assert!(found[0].starts_with(&format!("::warning {place}not reproduced%2C profile quick::")), "{stdout}");
    assert!(found[1].starts_with("::error "), "{stdout}");
    assert!(stdout.lines().all(|annotation| annotation.starts_with("::")), "{stdout}");
}
