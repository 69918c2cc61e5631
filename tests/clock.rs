//! A clock that is set back, during runs and between them: nothing waits for it, and no byte depends on it.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod mock;

use mock::{Checkout, Runner, outcome, stderr};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use streams::Stream;

/// A library that sets the clock back by an hour whenever a program looks at it.
fn backwards(folder: &Path) -> PathBuf {
    let library = folder.join("back.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clock/back.c");
    let cc = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(cc.unwrap().success(), "cc, which links every Rust program, builds it");
    library
}

/// Dates every file below `folder` anywhere from 1970 to 2100.
fn date(folder: &Path, stream: &mut Stream) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += date(&path, stream);
        } else if let Ok(file) = File::options().write(true).open(&path) {
            let seconds = Duration::from_secs(stream.index(4_100_000_000) as u64);
            file.set_modified(SystemTime::UNIX_EPOCH + seconds).unwrap();
            count += 1;
        }
    }
    count
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let expected = {
        let checkout = Checkout::new();
        assert_eq!(checkout.call("reproduce", "campaign", &[]).status.code(), Some(0));
        outcome(&checkout)
    };
    let checkout = Checkout::new();
    let clock = backwards(&checkout.path(""));
    let command = |verb: &str, profile: &str, more: &[&str]| {
        let mut command = checkout.command(verb, profile, more);
        command.env("LD_PRELOAD", &clock).stdout(Stdio::null());
        command
    };
    let stream = &mut Stream::new(0, "clock");
    let often = ["--jobs", "2", "--checkpoint-every", "0.02"];
    let (mut kills, mut dated) = (0, 0);
    while kills < 8 {
        let profile = if kills == 0 { "long" } else { "campaign" };
        let mut runner = Runner::start(command("reproduce", profile, &often).stderr(Stdio::null()));
        let lock = checkout.path("results/mock/.lock");
        let holder = format!("process {} ", runner.id());
        let has_lock = || fs::read_to_string(&lock).is_ok_and(|text| text.contains(&holder));
        while !has_lock() && runner.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if kills == 0 {
            // Another one waits for its lock, but not for ever.
            let began = Instant::now();
            let code = command("reproduce", "long", &[]).output().unwrap().status.code();
            assert_eq!(code, Some(3));
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        } else {
            std::thread::sleep(Duration::from_micros(stream.index(150_000) as u64));
        }
        if runner.try_wait().unwrap().is_some() {
            break;
        }
        runner.kill().unwrap();
        runner.wait().unwrap();
        kills += 1;
        dated += date(&checkout.path("results"), stream);
        let status = command("status", "campaign", &["--json"]).stdout(Stdio::piped()).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        let eta = &status["eta_seconds"];
        assert!(eta.is_null() || eta.as_f64().is_some_and(|eta| (0.0..600.0).contains(&eta)), "{eta}");
    }
    assert!(kills > 2 && dated > 20, "{kills} kills, {dated} files with a date of their own");
    let output = command("reproduce", "campaign", &often).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(outcome(&checkout) == expected);
    // The clock did go back.
    let timing = expected[0].keys().find(|path| path.ends_with("status.toml")).unwrap();
    let timing =
        fs::read_to_string(checkout.path("results").join(timing.with_file_name("timing.toml"))).unwrap();
    let ended = timing.lines().find_map(|line| line.strip_prefix("ended = ")).unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - Duration::from_secs(ended).as_secs() >= 3600, "{timing}");
}

/// Patience is counted, not looked up: what hangs is killed when it is due, and what is slow is not.
#[test]
fn a_clock_that_goes_back_stays_no_watchdog() {
    let checkout = Checkout::new();
    let clock = backwards(&checkout.path(""));
    let began = Instant::now();
    let more = ["--only", "arm=hang,slow", "--patience", "2", "--tries", "2", "--jobs", "2"];
    let output = checkout.command("reproduce", "faults", &more).env("LD_PRELOAD", &clock).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("killed after 2 s without a word, the last of 2 tries"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(told.lines().any(|line| line.contains(" slow ") && line.ends_with("finished")), "{told}");
}
