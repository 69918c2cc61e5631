//! Where tasks, profiles and arms depart from the protocol's settings, and in which order; what a task's data are of.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use experiment::{Algorithm, Experiment, Plan, Selection};
use std::fs;
use std::path::Path;

const PROTOCOL: &str = r#"
schema = 1
title = "Departures"
cite = "nowhere"
mujoco = "3.2.7"

[sac]
hidden = [8, 8]
learning_rate = 0.1
discount = 0.9
polyak = 0.1
temperature = 1.0
start_steps = 10

[replay]
capacity = 100
batch_size = 2

[evaluation]
every = 5
episodes = 2

[statistics]
iqr_factor = 1.5
confidence = 0.95
resamples = 100
seed = 0

[[arm]]
id = "plain"
label = "plain"
algorithm = "sac"

[[arm]]
id = "busy"
label = "busy"
algorithm = "sac"
set = { replay.updates_per_step = 20, sac.temperature = 0.5 }

[[task]]
id = "Hopper-v5"
title = "Hopper"
steps = 40
set = { sac = { temperature = 0.2, hidden = [4], start_steps = 20 } }
set_of_arm = { busy.sac = { temperature = 0.7, start_steps = 5 } }

[[task]]
id = "Ant-v5"
title = "Ant"
steps = 60

[profile.short]
about = "Both."
tasks = ["Hopper-v5", "Ant-v5"]
seeds = [0]
set = { sac.start_steps = 3, evaluation.every = 10 }

[profile.shorter]
about = "Of its own length."
tasks = ["Ant-v5"]
seeds = [0]
steps = 20
"#;

/// What is said of drol's protocol with the first `from` in it replaced.
fn said(from: &str, to: &str) -> String {
    said_of("drol", from, to)
}

fn said_of(paper: &str, from: &str, to: &str) -> String {
    let (root, real) = (
        tempfile::tempdir().unwrap(),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments").join(paper),
    );
    let folder = root.path().join("experiments").join(paper);
    fs::create_dir_all(&folder).unwrap();
    for file in ["protocol.toml", "reference.toml", "claims.toml"] {
        let text = fs::read_to_string(real.join(file)).unwrap();
        fs::write(folder.join(file), text.replacen(from, to, 1)).unwrap();
    }
    Experiment::read(root.path(), paper).err().map_or_else(String::new, |error| error.to_string())
}

#[test]
fn single_tasks_and_their_data_are_of_one_family() {
    let check =
        |from: &str, to: &str, expect: &str| assert_eq!(said(from, to).split('\n').next(), Some(expect));
    check("nothing", "of it", "");
    check("large-navigate-v0", "large-stitch-v0", "");
    check(
        "large-navigate-v0",
        "giant-navigate-v0",
        "experiments/drol/protocol.toml: task `antmaze-large-task1`: data set `antmaze-giant-navigate-v0` is of \
         `antmaze-giant`: expected one of `antmaze-large`, as `antmaze-large-singletask-task1-v0` is",
    );
    check(
        "script = \"cube-single",
        "script = \"cube-double",
        "experiments/drol/protocol.toml: task `gen-cube-single`: data set `gen/cube-single-play-v0`, made as \
         `cube-double-play-v0`, is of `cube-double`: expected one of `cube-single`, as \
         `cube-single-singletask-task2-v0` is",
    );
    check(
        "{ drol-star.drol",
        "{ drol-stra.drol",
        "unknown arm in `set_of_arm` of task `antmaze-large-play-v2` in experiments/drol/protocol.toml: `drol-stra`: \
         expected one of `fql`, `rebrac`, `iql`, `drol-1`, `drol-4`, `drol-64`, `drol-star`, `drol`",
    );
}

/// What would train, but not what its name says.
#[test]
fn an_arm_that_its_data_would_make_another_is_refused() {
    let check = |paper: &str, from: &str, to: &str, expect: &str| {
        let (found, all) =
            (said_of(paper, from, to), format!("experiments/{paper}/protocol.toml: arm `{expect}"));
        assert!(found.contains(&all), "{found}");
    };
    check(
        "pex",
        "algorithm = \"pex\"\n",
        "algorithm = \"pex\"\nset = { iql.units = \"gelu\" }\n",
        "pex` starts from the networks of `offline`: `iql.hidden`, `iql.units` and `iql.layer_norm` must be the same",
    );
    check(
        "drol",
        "algorithm = \"rebrac\"\ndata = \"alone\"",
        "algorithm = \"rebrac\"",
        "rebrac`: ReBRAC learns from a data set alone",
    );
    check(
        "pex",
        "label = \"IQL, online with the data\"\nalgorithm = \"iql\"",
        "label = \"MPDP\"\nalgorithm = \"mpdp\"",
        "buffer`: MPDP fits its model to what it does itself",
    );
    check(
        "dai",
        "label = \"TD3-DAI\"\nalgorithm = \"td3-dai\"",
        "label = \"TD3-DAI\"\nalgorithm = \"td3-dai\"\ndata = \"alone\"",
        "td3-dai`: TD3-DAI is a way to act, and with `data = \"alone\"` nothing acts",
    );
}

#[test]
fn an_arm_departs_after_a_profile_and_that_from_what_the_task_leaves_but_for_the_arm() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("experiments/departures");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("protocol.toml"), PROTOCOL).unwrap();
    fs::write(folder.join("reference.toml"), "schema = 1\nsource = []\n").unwrap();
    fs::write(folder.join("claims.toml"), "schema = 1\nclaim = []\n").unwrap();
    let experiment = Experiment::read(root.path(), "departures").unwrap();

    let of = |profile: &str| {
        let plan =
            Plan::new(&experiment, experiment.profile(profile).unwrap(), &Selection::default()).unwrap();
        assert!(plan.cells.iter().all(|cell| cell.needs.is_none()), "nothing here has an expert");
        plan.cells.into_iter().map(|cell| cell.config).collect::<Vec<_>>()
    };
    let short = of("short");
    let facts: Vec<_> = short
        .iter()
        .map(|config| {
            assert!(config.algorithm == Algorithm::Sac && config.td3.is_none());
            let sac = config.sac.as_ref().unwrap();
            let place = (config.task.as_str(), config.arm.as_str(), config.steps);
            let replay = (config.replay.capacity, config.replay.updates_per_step);
            (place, sac.hidden.clone(), sac.temperature, sac.start_steps, replay, config.evaluation.every)
        })
        .collect();
    assert_eq!(
        facts,
        [
            (("Hopper-v5", "plain", 40), vec![4], 0.2, 3, (100, 1), 10),
            (("Hopper-v5", "busy", 40), vec![4], 0.7, 5, (100, 20), 10),
            (("Ant-v5", "plain", 60), vec![8, 8], 1.0, 3, (100, 1), 10),
            (("Ant-v5", "busy", 60), vec![8, 8], 0.5, 3, (100, 20), 10),
        ]
    );
    let shorter = of("shorter");
    assert_eq!(shorter.iter().map(|config| config.steps).collect::<Vec<_>>(), [20, 20]);
    assert!(!shorter[0].to_toml().contains("updates_per_step"), "what everybody does is not said");
}
