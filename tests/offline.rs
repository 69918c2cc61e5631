//! Runs that learn from data sets, from a stand-in to the verdict, and from a file as it is published.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod mock;

use mock::{Runner, bytes};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SET: &str = "gen/hopper-smoke-v0";

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    command
}

fn reproduce(paper: &str, folder: &Path, data: &Path, more: &[&str]) -> Output {
    let mut command = xtask(&["reproduce", "--paper", paper, "--profile", "smoke"]);
    command.args(more).arg("--data-dir").arg(data);
    command.arg("--results").arg(folder.join("results")).arg("--figures").arg(folder.join("figures"));
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_same(mine: &BTreeMap<PathBuf, Vec<u8>>, others: &BTreeMap<PathBuf, Vec<u8>>) {
    assert!(mine.len() > 30 && mine.keys().eq(others.keys()), "{:?}\n{:?}", mine.keys(), others.keys());
    for (name, found) in mine {
        assert!(*found == others[name], "{}", name.display());
    }
}

fn assert_ok(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_stand_in_is_made_learned_from_and_judged_the_same_for_any_number_of_workers() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, other_data) = (one.path().join("data"), two.path().join("data"));
    // By itself, and by the runner that finds it missing. What the disk does not take is tried again, and by the same
    // command later.
    let generate = || {
        let mut command = xtask(&["data", "generate", SET, "--minari", "--tries", "2"]);
        command.arg("--data-dir").arg(&data).output().unwrap()
    };
    let in_the_way = data.join(format!("{SET}.hdf5.new"));
    fs::create_dir_all(&in_the_way).unwrap();
    let output = generate();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("cannot write ") && told.contains("the last of 2 tries"), "{told}");
    fs::remove_dir(&in_the_way).unwrap();
    assert_ok(&generate());
    let file = |data: &Path, end: &str| fs::read(data.join(format!("{SET}{end}"))).unwrap();
    let first = reproduce("pex", one.path(), &data, &["--jobs", "1"]);
    assert_ok(&first);
    assert!(!text(&first.stderr).contains(&format!("making {SET}")), "{}", text(&first.stderr));
    let second = reproduce("pex", two.path(), &other_data, &["--jobs", "2"]);
    assert_ok(&second);
    assert!(text(&second.stderr).contains(&format!("making {SET}")), "{}", text(&second.stderr));
    for end in [".hdf5", ".hdf5.toml"] {
        assert!(file(&data, end) == file(&other_data, end), "{end}");
    }
    let (mine, others) = (bytes(&one.path().join("results")), bytes(&two.path().join("results")));
    assert_same(&mine, &others);
    let (mine, others) = (bytes(&one.path().join("figures")), bytes(&two.path().join("figures")));
    assert_same(&mine, &others);
    let online = text(&mine[Path::new("pex/smoke/online.csv")]);
    assert_eq!(online.lines().count(), 3, "{online}");
    assert!(mine.contains_key(Path::new("pex/smoke/offline-share.svg")));

    // Both layouts hold the same steps.
    let inspect = |path: PathBuf| {
        let output = xtask(&["data", "inspect", "--json"]).arg(path).output().unwrap();
        assert_ok(&output);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (d4rl, minari) = (inspect(data.join(format!("{SET}.hdf5"))), inspect(data.join(SET)));
    assert_eq!((&d4rl["rows"], &d4rl["episodes"]), (&minari["rows"], &minari["episodes"]));
    assert_eq!(d4rl["rows"], 2000);
    assert_eq!(d4rl["returns"]["max"], minari["returns"]["max"]);

    // A stand-in that was made otherwise is made again, and what is there is left alone.
    let side_car = data.join(format!("{SET}.hdf5.toml"));
    let then = fs::read_to_string(&side_car).unwrap();
    let digest = then.lines().find(|line| line.starts_with("digest")).unwrap();
    fs::write(&side_car, then.replace(digest, "digest = \"another\"")).unwrap();
    for made in ["made", "is here"] {
        let output = xtask(&["data", "generate", SET]).arg("--data-dir").arg(&data).output().unwrap();
        assert_ok(&output);
        assert!(text(&output.stdout).starts_with(&format!("{SET} {made}")), "{}", text(&output.stdout));
        assert_eq!(fs::read_to_string(&side_car).unwrap(), then);
    }
}

/// A file in the layout, and under the name, of what is published: the profile of the paper starts with it.
#[test]
fn a_published_file_is_found_and_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let name = "hopper_medium-v2.hdf5";
    let run = |manifest: Option<&Path>| {
        let mut command = xtask(&["reproduce", "--paper", "pex", "--profile", "paper"]);
        command.args(["--only", "task=hopper-medium-v2", "--only", "arm=offline", "--only", "seed=0"]);
        command.arg("--results").arg(folder.path().join("results"));
        command.arg("--figures").arg(folder.path().join("figures")).arg("--data-dir").arg(&data);
        command.args(manifest.iter().flat_map(|path| [Path::new("--manifest"), *path]));
        // The cache of what is fetched stays the user's.
        command.env("REPRISE_CACHE", fetch::cache().unwrap());
        command.env("HOME", folder.path()).env_remove("D4RL_DATASET_DIR").env_remove("MINARI_DATASETS_PATH");
        command
    };
    // Nothing is there: what to do is said, and nothing is started.
    let output = run(None).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["data set d4rl/hopper-medium-v2 is not here", "cargo xtask data get hopper-medium-v2", name]
    {
        assert!(said.contains(part), "{said}");
    }
    assert!(!folder.path().join("results/pex/hopper-medium-v2").exists());
    // Another file under its name is not taken for it.
    fs::copy(root.join("tests/goldens/datasets/d4rl-locomotion.hdf5"), data.join(name)).unwrap();
    let output = run(None).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("is not the published file of hopper-medium-v2"));
    // A list that knows its hash.
    let manifest = folder.path().join("manifest.toml");
    let sha256 = {
        let output = xtask(&["data", "inspect", "--json"]).arg(data.join(name)).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (report["sha256"].as_str().unwrap().to_owned(), report["size"].as_u64().unwrap())
    };
    let text_of_manifest = fs::read_to_string(root.join("crates/datasets/src/manifest.toml")).unwrap();
    let known: Vec<String> = text_of_manifest
        .lines()
        .map(|line| {
            if line.contains("\"d4rl/hopper-medium-v2\"") {
                let (hash, size) = &sha256;
                format!(
                    "    {{ set = \"d4rl/hopper-medium-v2\", file = \"{name}\", size = {size}, sha256 = \"{hash}\" }},"
                )
            } else {
                line.to_owned()
            }
        })
        .collect();
    fs::write(&manifest, known.join("\n")).unwrap();
    let mut child = Runner::start(run(Some(&manifest)).stderr(Stdio::piped()).stdout(Stdio::null()));
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut seen = Vec::new();
    for line in lines {
        let is_training = line.contains(" step ");
        seen.push(line);
        if is_training {
            rustix::process::kill_process(
                rustix::process::Pid::from_child(&child),
                rustix::process::Signal::TERM,
            )
            .unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen.iter().any(|line| line.contains("hopper-medium-v2 offline seed 0")), "{seen:?}");
    assert!(seen.iter().any(|line| line.contains(" step ")), "{seen:?}");
}

/// Scores are normalised by the returns that the environments' own package has.
#[test]
fn points_are_those_of_the_environments() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let experiment = experiment::Experiment::read(root, "pex").unwrap();
    for task in &experiment.protocol.task {
        let id = task.environment.as_ref().unwrap_or(&task.id);
        let env = envs::make(id).unwrap();
        let points = task.points.map(|points| [points.low, points.high]);
        assert_eq!(env.spec().reference_returns, points, "{}", task.id);
        let is_stand_in = task.data.as_ref().is_some_and(|data| data.set.starts_with("gen/"));
        assert_eq!(task.title.contains("(generated)"), is_stand_in, "{}", task.id);
    }
}

#[test]
fn a_script_s_data_are_labelled_learned_from_and_judged_the_same_for_any_number_of_workers() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (folder, jobs) in [(&one, "1"), (&two, "3")] {
        let output = reproduce("drol", folder.path(), &folder.path().join("data"), &["--jobs", jobs]);
        assert_ok(&output);
        assert!(
            text(&output.stderr).contains("making gen/cube-smoke-v0 by script"),
            "{}",
            text(&output.stderr)
        );
    }
    for end in [".npz", ".npz.toml"] {
        let of = |folder: &Path| fs::read(folder.join(format!("data/gen/cube-smoke-v0{end}"))).unwrap();
        assert!(of(one.path()) == of(two.path()), "{end}");
    }
    for folder in ["results", "figures"] {
        assert_same(&bytes(&one.path().join(folder)), &bytes(&two.path().join(folder)));
    }
}

/// By hand: as many episodes as are asked for, and a tenth of them beside, the same for any number of threads.
#[test]
fn what_a_published_set_s_script_does_is_made_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let make = |jobs: &str| {
        let file = folder.path().join(format!("{jobs}.npz"));
        let arguments = ["ogbench/pointmaze-medium-navigate-v0", "--episodes", "10", "--jobs", jobs];
        let mut command = xtask(&["data", "generate"]);
        command.args(arguments).arg("--output").arg(&file);
        // The user's own folder of data is none of a test's.
        assert_ok(&command.arg("--data-dir").arg(folder.path().join("data")).output().unwrap());
        [file.clone(), folder.path().join(format!("{jobs}-val.npz"))]
    };
    let (one, three) = (make("1"), make("3"));
    for (one, three) in one.iter().zip(&three) {
        assert!(fs::read(one).unwrap() == fs::read(three).unwrap(), "{}", one.display());
    }
    let rows = |file: &Path| {
        let output = xtask(&["data", "inspect", "--json"]).arg(file).output().unwrap();
        assert_ok(&output);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (report["rows"].as_u64().unwrap(), report["episodes"].as_u64().unwrap())
    };
    assert_eq!(rows(&one[0]), (10_010, 10));
    assert_eq!(rows(&one[1]), (1001, 1));

    // The file beside, which nobody names, may be somebody's: so few episodes have none of their own.
    let theirs = folder.path().join("theirs-val.npz");
    fs::write(&theirs, "published").unwrap();
    let mut command = xtask(&["data", "generate", "ogbench/pointmaze-medium-navigate-v0", "--episodes", "1"]);
    command.arg("--output").arg(folder.path().join("theirs.npz"));
    let refused = command.arg("--data-dir").arg(folder.path().join("data")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(fs::read(&theirs).unwrap(), b"published");
}

/// A checkout of its own whose walker is trained for a moment.
fn checkout_of_a_hasty_walker(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (from, to) = (root.join("experiments/pex"), folder.join("experiments/pex"));
    fs::create_dir_all(&to).unwrap();
    for name in ["claims.toml", "notes.md", "reference.toml"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let mut protocol = fs::read_to_string(from.join("protocol.toml")).unwrap();
    for (published, hasty) in [
        ("steps = 400_000", "steps = 400"),
        ("episodes = 250\n", "episodes = 3\n"),
        ("start_steps = 5_000\n", "start_steps = 300\n"),
        ("every = 10_000\nepisodes = 10", "every = 200\nepisodes = 1"),
    ] {
        assert!(protocol.contains(published), "{published}");
        protocol = protocol.replace(published, hasty);
    }
    fs::write(to.join("protocol.toml"), protocol).unwrap();
}

#[test]
fn a_script_collects_the_same_for_any_number_of_threads() {
    let checkout = tempfile::tempdir().unwrap();
    checkout_of_a_hasty_walker(checkout.path());
    let set = "gen/antmaze-umaze-v0";
    let run = |data: &str, jobs: &str| {
        let arguments = ["data", "generate", set, "--minari", "--data-dir", data, "--jobs", jobs];
        let output = xtask(&arguments).current_dir(checkout.path()).output().unwrap();
        assert_ok(&output);
        let file = checkout.path().join(data).join(format!("{set}.hdf5"));
        (text(&output.stderr), file)
    };
    // Who walks is trained first, once.
    let (said, one) = run("one", "1");
    assert!(said.contains("what profile walker leaves, which is trained first"), "{said}");
    let (said, three) = run("three", "3");
    assert!(!said.contains("trained first"), "{said}");
    for end in ["", ".toml"] {
        let of = |file: &Path| fs::read(format!("{}{end}", file.display())).unwrap();
        assert!(of(&one) == of(&three), "{end}");
    }
    let inspect = |path: &Path| {
        let output = xtask(&["data", "inspect", "--json"]).arg(path).output().unwrap();
        assert_ok(&output);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (report, minari) = (inspect(&one), inspect(&one.with_extension("")));
    for (what, expected) in [("rows", 3003), ("episodes", 3), ("timeouts", 3), ("transitions", 3000)] {
        assert_eq!(report[what], expected, "{what}");
    }
    assert_eq!(minari["rows"], 3003);
    let names: Vec<&str> =
        report["arrays"].as_array().unwrap().iter().map(|array| array["name"].as_str().unwrap()).collect();
    for name in ["infos/goal", "infos/qpos", "infos/qvel"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let output = xtask(&["data", "list", set, "--json", "--data-dir", "one"])
        .current_dir(checkout.path())
        .output()
        .unwrap();
    assert_ok(&output);
    assert!(text(&output.stdout).contains("antmaze-umaze-v0.hdf5"), "{}", text(&output.stdout));
}

#[test]
fn stand_ins_are_joined() {
    let checkout = tempfile::tempdir().unwrap();
    checkout_of_a_hasty_walker(checkout.path());
    let protocol = checkout.path().join("experiments/pex/protocol.toml");
    let smoke = fs::read_to_string(&protocol).unwrap();
    let other =
        smoke.split("[[generate]]").find(|part| part.contains("id = \"gen/hopper-smoke-v0\"")).unwrap();
    let other = other.split("\n\n").next().unwrap().replace("hopper-smoke", "hopper-other");
    let seed = other.replace("steps = 2_000", "steps = 2_000\nseed = 1");
    let join = "id = \"gen/joined-v0\"\nof = [\"gen/hopper-smoke-v0\", \"gen/hopper-other-v0\"]";
    let at = smoke.find("[profile.smoke]").unwrap();
    let (before, after) = smoke.split_at(at);
    fs::write(&protocol, format!("{before}[[generate]]{seed}\n\n[[join]]\n{join}\n\n{after}")).unwrap();
    let arguments = ["data", "generate", "gen/joined-v0", "--data-dir", "data"];
    assert_ok(&xtask(&arguments).current_dir(checkout.path()).output().unwrap());
    let report = |name: &str| {
        let mut command = xtask(&["data", "inspect", "--json"]);
        let output = command.arg(checkout.path().join(format!("data/gen/{name}-v0.hdf5"))).output().unwrap();
        assert_ok(&output);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (first, second, all) = (report("hopper-smoke"), report("hopper-other"), report("joined"));
    for count in ["rows", "episodes", "terminals", "timeouts"] {
        let sum = first[count].as_u64().unwrap() + second[count].as_u64().unwrap();
        assert_eq!(all[count].as_u64().unwrap(), sum, "{count}");
    }
    assert_eq!(all["arrays"].as_array().unwrap().len(), first["arrays"].as_array().unwrap().len());
    let arrays = |name: &str| {
        let file = checkout.path().join(format!("data/gen/{name}-v0.hdf5"));
        let recorder = datasets::Recorder::read_d4rl(&file).unwrap();
        recorder.actions().flatten().copied().collect::<Vec<f32>>()
    };
    let (first, second) = (arrays("hopper-smoke"), arrays("hopper-other"));
    assert!(first != second);
    assert!(arrays("joined") == [first, second].concat());
}
