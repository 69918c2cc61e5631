//! What goes wrong around a run: workers that die in every way, a disk that fails at every write, kills at any moment.
//! The runs are those of a mock paper, so that they take milliseconds; everything else is the product.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod mock;

use mock::{Checkout, Runner, bytes, children, outcome, signal, stderr};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use streams::Stream;

#[test]
fn a_workers_fault_is_its_own() {
    let checkout = Checkout::new();
    let limits = ["--jobs", "4", "--patience", "2", "--memory", "4", "--tries", "2"];
    let output = checkout.call("reproduce", "faults", &limits);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(5), "{told}");
    let rows = fs::read_to_string(checkout.path("figures/mock/faults/runs.csv")).unwrap();
    let row = |arm: &str| rows.lines().find(|row| row.contains(&format!(",{arm},"))).unwrap_or_default();
    for (arm, expected) in [
        ("fine", "recorded"),
        ("slow", "recorded"),
        ("flood", "recorded"),
        ("error", "exit code 1: error: the mock was told to fail"),
        ("abort", "killed by signal 6"),
        ("overflow", "has overflowed its stack"),
        ("memory", "memory allocation of"),
        ("kill", "killed by signal 9, the last of 2 tries"),
        ("hang", "killed after 2 s without a word, the last of 2 tries"),
    ] {
        assert!(row(arm).contains(expected), "{arm}: {rows}\n{told}");
    }
    // What came from outside was tried again, what the program did itself was not.
    for (arm, again) in [("kill", 1), ("hang", 1), ("error", 0), ("abort", 0), ("overflow", 0), ("memory", 0)]
    {
        let lines =
            told.lines().filter(|line| line.contains(&format!(" {arm} ")) && line.contains("trying again"));
        assert_eq!(lines.count(), again, "{arm}: {told}");
    }
}

/// The disk fails once, is full from then on, or the process is killed, at the k-th operation, for every k until there
/// are no more: the same command then ends with the same bytes. With a record from before, that one or the new one is
/// there.
#[test]
fn no_failure_of_the_disk_loses_anything() {
    const RUN: [&str; 6] = ["--task", "Mock-v0", "--arm", "fine", "--seed", "0"];
    const TIGHT: [&str; 4] = ["--tries", "1", "--checkpoint-every", "0"];
    let train = |checkout: &Checkout, more: &[&str]| {
        checkout.command("train", "brief", &[&RUN[..], &TIGHT, more].concat())
    };
    let expected = {
        let checkout = Checkout::new();
        assert_eq!(train(&checkout, &[]).status().unwrap().code(), Some(0));
        outcome(&checkout)
    };
    for (who, what, is_recorded, least) in [
        ("worker", "fail", false, 30),
        ("worker", "full", false, 30),
        ("worker", "kill", false, 30),
        ("worker", "kill", true, 30),
        ("runner", "fail", false, 5),
        ("runner", "kill", true, 5),
    ] {
        let checkout = Checkout::new();
        let mut reached = 0;
        for k in 1.. {
            let fault = format!("{who} {what} {k}");
            let how: &[&str] = if is_recorded {
                assert_eq!(train(&checkout, &[]).output().unwrap().status.code(), Some(0));
                &["--fresh"]
            } else {
                let _ = fs::remove_dir_all(checkout.path("results"));
                &[]
            };
            let output = train(&checkout, how).env("REPRISE_FAULT", &fault).output().unwrap();
            let (told, code) = (stderr(&output), output.status.code());
            if !told.contains("REPRISE_FAULT") {
                assert_eq!((code, outcome(&checkout)), (Some(0), expected.clone()), "{fault}: {told}");
                break;
            }
            reached = k;
            let is_said = ["no storage space", "killed by signal 9"].iter().any(|words| told.contains(words));
            assert!(code.is_none_or(|code| code == 0 || is_said), "{fault}: {code:?}: {told}");
            let output = train(&checkout, &[]).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{fault}: {}", stderr(&output));
            assert!(outcome(&checkout) == expected, "{fault}: {told}");
        }
        assert!(reached >= least, "{who} {what}: {reached} operations");
    }
}

/// SIGKILL to the runner, to a worker, or to both, at 200 moments.
#[test]
fn no_kill_loses_a_finished_run_or_changes_a_byte() {
    let expected = {
        let checkout = Checkout::new();
        assert_eq!(checkout.call("reproduce", "campaign", &[]).status.code(), Some(0));
        outcome(&checkout)
    };
    let stream = &mut Stream::new(0, "kills");
    let (mut kills, mut workers, mut campaigns) = (0, 0, 0);
    while kills < 200 {
        let checkout = Checkout::new();
        let mut published = BTreeMap::new();
        loop {
            let arguments = ["--jobs", "2", "--checkpoint-every", "0.02"];
            let mut runner = checkout.command("reproduce", "campaign", &arguments);
            let mut runner = Runner::start(runner.stdout(Stdio::null()).stderr(Stdio::piped()));
            let mut pause = || std::thread::sleep(Duration::from_micros(stream.index(250_000) as u64));
            pause();
            // Half of them when it has begun: a machine may be slow.
            let process = runner.id();
            while kills % 2 == 0 && children(process).is_empty() && runner.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            // The runner, a worker and the runner, or a worker and the runner later; one in ten is left to finish.
            let victims = kills % 3;
            let is_killed = kills % 10 != 7;
            if (victims > 0 || !is_killed)
                && let Some(worker) = children(runner.id()).first()
            {
                signal(*worker, Signal::KILL);
                workers += 1;
            }
            if is_killed {
                if victims == 2 {
                    pause();
                }
                runner.kill().unwrap();
            }
            kills += 1;
            let output = runner.output();
            // No run that was there is gone or was made again.
            let now = records(&checkout.path("results/mock"));
            for (path, record) in &published {
                assert_eq!(now.get(path), Some(record), "{}", stderr(&output));
            }
            published = now;
            if output.status.code() == Some(0) {
                break;
            }
            assert!(is_killed, "{}", stderr(&output));
        }
        campaigns += 1;
        assert!(outcome(&checkout) == expected);
    }
    println!("{kills} kills, {workers} of workers, in {campaigns} campaigns");
    assert!(workers >= 50, "{workers} workers were at work when they were to be killed");
}

/// The published records, each with its inode: a record that is made again has another.
fn records(results: &Path) -> BTreeMap<PathBuf, u64> {
    let files = bytes(results).into_keys().filter(|path| path.ends_with("status.toml"));
    files.map(|path| (path.clone(), fs::metadata(results.join(path)).unwrap().ino())).collect()
}

fn is_alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|text| text.contains("worker"))
}

#[test]
fn nothing_outlives_a_runner() {
    for (name, profile, ends) in [
        (Signal::TERM, "long", Some(5)),
        (Signal::INT, "long", Some(5)),
        (Signal::KILL, "long", None),
        (Signal::KILL, "hang", None),
    ] {
        let checkout = Checkout::new();
        let mut runner = Runner::start(checkout.command("reproduce", profile, &[]).stderr(Stdio::null()));
        let checkpoints = || {
            fs::read_dir(checkout.work()).is_ok_and(|mut entries| {
                entries.any(|e| e.unwrap().path().join("checkpoints/starts").exists())
            })
        };
        wait("a worker to start", checkpoints);
        let workers = children(runner.id());
        assert_eq!(workers.len(), 1);
        let began = Instant::now();
        signal(runner.id(), name);
        let status = runner.wait().unwrap();
        assert_eq!(status.code(), ends, "{name:?}");
        wait("the worker to leave", || !is_alive(workers[0]));
        assert!(began.elapsed() < Duration::from_secs(4), "{name:?}: {:?}", began.elapsed());
        if profile == "long" {
            // It stopped with a checkpoint, long before the first that was due.
            let output = checkout.command("reproduce", profile, &["--checkpoint-every", "1000"]);
            let told = until_told(output, "goes on from its checkpoint at step");
            assert!(told, "{name:?}");
        }
    }
}

#[test]
fn a_second_ctrl_c_waits_for_nobody() {
    let checkout = Checkout::new();
    let arguments = ["--patience", "1000"];
    let mut runner = Runner::start(checkout.command("reproduce", "hang", &arguments).stderr(Stdio::null()));
    // Not any child: the runner asks git for the commit before it listens to signals.
    wait("a worker to start", || children(runner.id()).into_iter().any(is_alive));
    let workers = children(runner.id());
    let began = Instant::now();
    let status = loop {
        signal(runner.id(), Signal::INT);
        if let Some(status) = runner.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it waits");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(130));
    wait("the worker to leave", || !workers.iter().any(|worker| is_alive(*worker)));
}

/// SIGTERM, Ctrl-C and SIGKILL to the runner, 30 of them at any moment of a campaign: the runner is gone within its
/// grace, every worker within two seconds of it, and the same command goes on to the same bytes.
#[test]
fn no_signal_leaves_a_process_or_loses_a_byte() {
    let expected = {
        let checkout = Checkout::new();
        assert_eq!(checkout.call("reproduce", "campaign", &[]).status.code(), Some(0));
        outcome(&checkout)
    };
    let stream = &mut Stream::new(0, "signals");
    let (mut signals, mut caught, mut workers) = (0, 0, 0);
    let mut slowest = [Duration::ZERO; 2];
    while signals < 30 {
        let checkout = Checkout::new();
        loop {
            let arguments = ["--jobs", "2", "--checkpoint-every", "0.02"];
            let mut runner = checkout.command("reproduce", "campaign", &arguments);
            let mut runner = Runner::start(runner.stdout(Stdio::null()).stderr(Stdio::null()));
            std::thread::sleep(Duration::from_micros(stream.index(250_000) as u64));
            // Half of them when it has begun: a machine may be slow.
            let process = runner.id();
            while signals % 2 == 0 && children(process).is_empty() && runner.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let name = [Signal::TERM, Signal::INT, Signal::KILL][signals % 3];
            workers += processes_of(&checkout).len();
            let began = Instant::now();
            signal(runner.id(), name);
            let status = runner.wait().unwrap();
            let ended = Instant::now();
            wait("the workers to leave", || processes_of(&checkout).is_empty());
            slowest = [slowest[0].max(ended - began), slowest[1].max(ended.elapsed())];
            if status.code() == Some(0) {
                break;
            }
            signals += 1;
            // A signal that comes before the runner listens ends it as any process.
            caught += usize::from(status.code() == Some(5));
            assert!(matches!(status.code(), None | Some(5)), "{name:?}: {status}");
        }
        assert!(outcome(&checkout) == expected);
    }
    println!(
        "{signals} signals, {caught} caught, {workers} workers; at most {slowest:?} for runner and workers"
    );
    assert!(caught >= 10 && workers >= 20, "{caught} signals were caught, {workers} workers at work");
    assert!(slowest[0] < Duration::from_secs(10) && slowest[1] < Duration::from_secs(10), "{slowest:?}");
}

/// The workers at work in a checkout.
fn processes_of(checkout: &Checkout) -> Vec<u32> {
    let folder = checkout.path("");
    let folder = folder.to_str().unwrap();
    let ids = fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    let is_there = |id: &u32| {
        fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(folder))
    };
    ids.filter(is_there).collect()
}

#[test]
fn a_test_that_fails_leaves_nothing_behind() {
    let checkout = Checkout::new();
    let mut processes = Vec::new();
    let test = std::panic::AssertUnwindSafe(|| {
        let more = ["--patience", "1000"];
        let runner = Runner::start(checkout.command("reproduce", "hang", &more).stderr(Stdio::null()));
        wait("a worker to start", || !children(runner.id()).is_empty());
        processes = [vec![runner.id()], children(runner.id())].concat();
        // As a failed assertion does, but in silence.
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(std::panic::catch_unwind(test).is_err());
    assert!(processes.len() >= 2, "{processes:?}");
    let began = Instant::now();
    wait("all to be gone", || {
        !processes.iter().any(|id| is_alive(*id)) && processes_of(&checkout).is_empty()
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Starts `command` and ends it when it has said `expected`; says whether it did.
fn until_told(mut command: Command, expected: &str) -> bool {
    use std::io::BufRead as _;
    let mut runner = Runner::start(command.stderr(Stdio::piped()));
    let lines = std::io::BufReader::new(runner.stderr.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).any(|line| line.contains(expected));
    runner.kill().unwrap();
    runner.wait().unwrap();
    told
}

#[test]
fn a_lock_outlives_nobody() {
    let checkout = Checkout::new();
    let mut first = Runner::start(checkout.command("reproduce", "long", &[]).stderr(Stdio::null()));
    wait("the lock", || {
        fs::read_to_string(checkout.path("results/mock/.lock")).is_ok_and(|text| !text.is_empty())
    });
    let second = checkout.call("reproduce", "brief", &[]);
    assert_eq!(second.status.code(), Some(3), "{}", stderr(&second));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let holder = format!("process {} on {}", first.id(), host.trim());
    assert!(stderr(&second).contains(&holder), "{}", stderr(&second));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(checkout.call("reproduce", "brief", &[]).status.code(), Some(0));
}

/// Polls until `done`, for at most a minute.
fn wait(what: &str, done: impl Fn() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for {what}");
}
