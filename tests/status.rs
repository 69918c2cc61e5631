//! `status`, `explain`, `plan` and `clean` on the runs of a mock paper, and how fast `status` is on thousands.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod mock;

use mock::{Checkout, Runner, stderr};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

fn explain(checkout: &Checkout, run: &str) -> Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["explain", run, "--paper", "mock", "--json"]).current_dir(checkout.path(""));
    json(&command.output().unwrap())
}

fn clean(checkout: &Checkout, more: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["clean", "--paper", "mock", "--json"]).args(more).current_dir(checkout.path(""));
    command.output().unwrap()
}

#[test]
fn a_failed_run_is_told_with_what_runs_it_again() {
    let checkout = Checkout::new();
    let only =
        ["--only", "arm=fine,error,hang", "--patience", "5", "--tries", "1", "--checkpoint-every", "0"];
    assert_eq!(checkout.call("reproduce", "faults", &only).status.code(), Some(5));

    let output = checkout.call("status", "faults", &["--json"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let status = json(&output);
    let runs = status["runs"].as_array().unwrap();
    let run = |arm: &str| runs.iter().find(|run| run["arm"] == arm).unwrap();
    let counts = &status["counts"];
    assert_eq!(
        (&counts["recorded"], &counts["failed"], &counts["missing"]),
        (&1.into(), &2.into(), &6.into())
    );
    assert_eq!(run("fine")["state"], "recorded");
    let error = run("error")["error"].as_str().unwrap();
    assert!(error.contains("exit code 1: error: the mock was told to fail"), "{error}");
    let command = "cargo xtask train --paper mock --profile faults --task Mock-v0 --arm error --seed 0";
    assert_eq!(run("error")["command"], command);
    assert!(status["eta_seconds"].is_null(), "no recorded run is like the mocks that are missing");

    // The command does just that, and nothing else.
    let arguments: Vec<&str> = command.split(' ').skip(7).collect();
    let output = checkout.call("train", "faults", &arguments);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("the mock was told to fail"), "{}", stderr(&output));

    // By the beginning of its name, or its directory.
    for name in [&run("hang")["id"].as_str().unwrap()[..8], run("hang")["id"].as_str().unwrap()] {
        let told = explain(&checkout, name);
        assert_eq!((&told["state"], &told["arm"]), (&"failed".into(), &"hang".into()));
        assert!(told["error"].as_str().unwrap().contains("without a word"), "{told}");
    }
    let told = explain(
        &checkout,
        explain(&checkout, run("fine")["id"].as_str().unwrap())["directory"].as_str().unwrap(),
    );
    assert_eq!((&told["state"], &told["timing"]["resumptions"]), (&"recorded".into(), &0.into()));
    // The two commands of a record do what they say.
    let words = |key: &str| told[key].as_str().unwrap().split(' ').map(str::to_owned).collect::<Vec<_>>();
    let again: Vec<String> = words("command").split_off(2);
    let output =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(again).current_dir(checkout.path("")).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    let compare = words("compare");
    let same = Command::new(&compare[0]).args(&compare[1..]).current_dir(checkout.path("")).output().unwrap();
    assert!(same.status.success() && checkout.path("again/mock").is_dir(), "{same:?}");

    // What failed has left things behind, which a further try may need.
    let would = json(&clean(&checkout, &["--dry-run"]));
    let all = json(&clean(&checkout, &["--dry-run", "--unfinished"]));
    assert!(would.as_array().unwrap().len() < all.as_array().unwrap().len(), "{would} {all}");
    assert_eq!(json(&clean(&checkout, &["--unfinished"])), all);
    assert_eq!(json(&clean(&checkout, &["--unfinished", "--dry-run"])), Value::Array(vec![]));
    let counts = json(&checkout.call("status", "faults", &["--json"]))["counts"].clone();
    assert_eq!((&counts["recorded"], &counts["missing"]), (&1.into(), &8.into()));
}

#[test]
fn a_stopped_run_is_not_a_missing_one() {
    let checkout = Checkout::new();
    let mut runner = checkout.command("reproduce", "long", &["--checkpoint-every", "0"]);
    let mut runner = Runner::start(runner.stderr(std::process::Stdio::null()));
    let state = || json(&checkout.call("status", "long", &["--json"]))["runs"][0].clone();
    let wait = |wanted: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while state()["state"] != wanted || (wanted == "running" && state()["step"].is_null()) {
            assert!(Instant::now() < deadline, "{wanted}: {}", state());
        }
    };
    wait("running");
    let status = json(&checkout.call("status", "long", &["--json"]));
    assert!(
        status["eta_seconds"].as_f64().unwrap() > 1.0 && status["runs"][0]["steps_per_second"].is_number()
    );
    let kept_out = clean(&checkout, &["--dry-run"]);
    assert_eq!(kept_out.status.code(), Some(3), "{}", stderr(&kept_out));
    runner.kill().unwrap();
    runner.wait().unwrap();
    wait("stopped");
}

/// A worker may have no runner: a task of Slurm's, or a printed command.
#[test]
fn what_a_worker_is_at_is_not_cleaned_away() {
    let checkout = Checkout::new();
    let printed = checkout.call("reproduce", "long", &["--engine", "commands"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    let line = format!("exec {}", printed.lines().next().unwrap());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).current_dir(checkout.path("")).stderr(std::process::Stdio::null());
    let mut worker = Runner::start(shell.stdout(std::process::Stdio::null()));
    let state = || json(&checkout.call("status", "long", &["--json"]))["runs"][0].clone();
    let deadline = Instant::now() + Duration::from_secs(60);
    while state()["state"] != "running" {
        assert!(Instant::now() < deadline, "{}", state());
    }
    let id = state()["id"].as_str().unwrap().to_owned();
    let left = clean(&checkout, &["--unfinished"]);
    let named = |left: &Output| String::from_utf8_lossy(&left.stdout).contains(&id);
    assert!(left.status.success() && !named(&left), "{}", stderr(&left));
    assert_eq!(state()["state"], "running");
    worker.kill().unwrap();
    worker.wait().unwrap();
    while state()["state"] == "running" {
        assert!(Instant::now() < deadline, "{}", state());
    }
    assert!(named(&clean(&checkout, &["--unfinished"])));
}

/// Nine of ten runs recorded, some failed, the others missing: made-up records, read as real ones are.
#[test]
fn thousands_of_runs_are_told_at_once() {
    let mut seconds = Vec::new();
    for count in [1000, 10_000] {
        let seeds: Vec<String> = (0..count / 2).map(|seed| seed.to_string()).collect();
        let profile = format!(
            "[profile.many]\nabout = \"Many.\"\ntasks = [\"Mock-v0\"]\narms = [\"fine\", \"slow\"]\nseeds = [{}]\nsteps = 10\n",
            seeds.join(",")
        );
        let checkout = Checkout::with(&profile);
        assert_eq!(checkout.call("reproduce", "brief", &[]).status.code(), Some(0));
        let plan = json(&checkout.call("plan", "many", &["--json"]));
        for (i, run) in plan.as_array().unwrap().iter().enumerate() {
            let (arm, seed, id) = (run["arm"].as_str().unwrap(), &run["seed"], run["id"].as_str().unwrap());
            let (folder, status) = match i % 20 {
                0 => continue,
                1 => (
                    checkout.work().join(id),
                    "state = \"failed\"\nsteps = 4\nupdates = 0\nerror = \"made up\"\n",
                ),
                _ => {
                    let name = format!("results/mock/Mock-v0/{arm}/seed{seed}-10-{id}");
                    (checkout.path(&name), "state = \"finished\"\nsteps = 10\nupdates = 8\n")
                }
            };
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("status.toml"), status).unwrap();
        }
        let once = || {
            let began = Instant::now();
            let status = json(&checkout.call("status", "many", &["--json"]));
            let counts = &status["counts"];
            assert_eq!(counts["failed"], count / 20);
            assert_eq!(
                counts["recorded"].as_u64().unwrap() + counts["missing"].as_u64().unwrap(),
                count * 19 / 20
            );
            began.elapsed().as_secs_f64()
        };
        seconds.push((0..3).map(|_| once()).fold(f64::MAX, f64::min));
    }
    println!("status: {:.0} ms on 1,000 runs, {:.0} ms on 10,000", 1e3 * seconds[0], 1e3 * seconds[1]);
    // Ten times the runs take not much more than ten times as long: nothing is looked at once for each pair.
    assert!(seconds[1] < 30.0 * seconds[0], "{seconds:?}");
}
