//! What bad input gets: each case's whole message, held in `tests/snapshots/bad_input.txt`. Exit code 2 every time.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --release -p xtask --test bad_input` writes the file anew.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A little checkout in a temporary folder, with the real experiments, to spoil as a case likes.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for experiment in ["experiments/dai", "experiments/drol", "experiments/mpdp", "experiments/pex"] {
            fs::create_dir_all(folder.path().join(experiment)).unwrap();
            for file in ["protocol.toml", "reference.toml", "claims.toml"] {
                let file = Path::new(experiment).join(file);
                fs::copy(root().join(&file), folder.path().join(&file)).unwrap();
            }
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn spoil(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} no longer has {from:?}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// The exit code and standard error of a call, with the folder's own path taken out.
    fn call(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(self.0.path());
        for variable in ["D4RL_DATASET_DIR", "MINARI_DATASETS_PATH", "REPRISE_MUJOCO_LIB", "REPRISE_ASSETS"] {
            command.env_remove(variable);
        }
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let here = self.0.path().canonicalize().unwrap();
        let stderr = stderr.replace(here.to_str().unwrap(), "<checkout>");
        (output.status.code().unwrap(), stderr.replace(self.0.path().to_str().unwrap(), "<checkout>"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

const PLAN: [&str; 3] = ["plan", "--paper", "dai"];

#[test]
fn every_message_is_the_one_on_record() {
    let mut found = String::new();
    let mut check =
        |title: &str, arguments: &[&str], prepare: &dyn Fn(&Checkout), variables: &[(&str, &str)]| {
            let checkout = Checkout::new();
            prepare(&checkout);
            let variables: Vec<(&str, PathBuf)> =
                variables.iter().map(|(name, value)| (*name, checkout.path(value))).collect();
            let variables: Vec<(&str, &Path)> =
                variables.iter().map(|(name, path)| (*name, path.as_path())).collect();
            let (code, stderr) = checkout.call(arguments, &variables);
            assert_eq!(code, 2, "{title}: {stderr}");
            writeln!(found, "# {title}\n{}\n", stderr.trim_end()).unwrap();
        };
    let nothing = |_: &Checkout| {};
    let protocol = "experiments/dai/protocol.toml";

    let smoke = ["reproduce", "--paper", "dai", "--profile", "smoke", "--results", "r"];
    check("an unknown paper", &["reproduce", "--paper", "dia"], &nothing, &[]);
    check("an unknown profile", &["reproduce", "--paper", "dai", "--profile", "quik"], &nothing, &[]);
    check("an unknown verb", &["reprodcue"], &nothing, &[]);
    check("an unknown flag", &["plan", "--papr", "dai"], &nothing, &[]);
    check("no jobs", &["reproduce", "--paper", "dai", "--jobs", "0"], &nothing, &[]);
    let slurm = [&smoke[..], &["--engine", "slurm", "--sbatch", "lines"]].concat();
    let lines = |text: &'static str| move |c: &Checkout| fs::write(c.path("lines"), text).unwrap();
    check("Slurm's lines without Slurm", &[&smoke[..], &["--sbatch", "lines"]].concat(), &nothing, &[]);
    check("no file of lines for Slurm", &slurm, &nothing, &[]);
    check("a line that is none of Slurm's", &slurm, &lines("#SBATCH --time=60\nmodule load cuda\n"), &[]);
    check("a line that is ours to write", &slurm, &lines("#SBATCH --array=0-5\n"), &[]);
    check("no Slurm", &slurm[..9], &nothing, &[("PATH", "nowhere")]);
    check("no plan", &["run", "plan.toml", "0"], &nothing, &[]);
    check("a plan that is none", &["run", "lines", "0"], &lines("schema = 1\nrun = []\n"), &[]);
    check("an unknown device", &[&PLAN[..], &["--device", "gpu"]].concat(), &nothing, &[]);
    check("a device that was not built for", &[&smoke[..], &["--device", "cuda"]].concat(), &nothing, &[]);
    check("an unknown task", &[&PLAN[..], &["--only", "task=HalfChetah-v5"]].concat(), &nothing, &[]);
    check("an unknown arm", &[&PLAN[..], &["--only", "arm=td3dai"]].concat(), &nothing, &[]);
    check("an unknown filter key", &[&PLAN[..], &["--only", "sed=1"]].concat(), &nothing, &[]);
    check("a seed twice in a filter", &[&PLAN[..], &["--only", "seed=0,1,0"]].concat(), &nothing, &[]);
    check("filters that leave nothing", &[&PLAN[..], &["--only", "seed=99"]].concat(), &nothing, &[]);
    check("a misspelt key", &PLAN, &|c| c.spoil(protocol, "discount", "discuont"), &[]);
    check("no TOML", &PLAN, &|c| c.spoil(protocol, "schema = 1", "schema = = 1"), &[]);
    check("a newer schema", &PLAN, &|c| c.spoil(protocol, "schema = 1", "schema = 7\nnew = true"), &[]);
    let claims = "experiments/dai/claims.toml";
    check("an older schema", &PLAN, &|c| c.spoil(claims, "schema = 1", "schema = 0"), &[]);
    let newer = |c: &Checkout| {
        fs::create_dir_all(c.path("r/dai")).unwrap();
        fs::write(c.path("r/dai/reprise.toml"), "schema = 2\npaper = \"dai\"\n").unwrap();
    };
    check("results of a newer schema", &[&PLAN[..], &["--results", "r"]].concat(), &newer, &[]);
    check(
        "an arm that leads elsewhere",
        &PLAN,
        &|c| c.spoil(protocol, "id = \"td3\"", "id = \"../../td3\""),
        &[],
    );
    check(
        "a buffer beyond any memory",
        &PLAN,
        &|c| c.spoil(protocol, "capacity = ", "capacity = 1000000"),
        &[],
    );
    let comma = |c: &Checkout| c.spoil(protocol, "id = \"td3\"", "id = \"td3,fast\"");
    check("an arm that no filter could name", &PLAN, &comma, &[]);
    check("a seed twice", &PLAN, &|c| c.spoil(protocol, "seeds = [0, 1, 2]", "seeds = [0, 1, 1]"), &[]);
    let twice = |c: &Checkout| {
        c.spoil(protocol, "[\"HalfCheetah-v5\"]", "[\"HalfCheetah-v5\", \"HalfCheetah-v5\"]");
    };
    check("a task twice", &PLAN, &twice, &[]);
    let expert = |c: &Checkout| c.spoil(protocol, "steps = 1_000_000\nscore", "steps = 1_002_500\nscore");
    check("an expert's uneven budget", &PLAN, &expert, &[]);
    check(
        "a task of no definition",
        &PLAN,
        &|c| c.spoil(protocol, "[\"HalfCheetah-v5\"]", "[\"HalfCheeta-v5\"]"),
        &[],
    );
    check(
        "an arm without its settings",
        &PLAN,
        &|c| c.spoil(protocol, "algorithm = \"td3\"", "algorithm = \"sac\""),
        &[],
    );
    check("a number out of range", &PLAN, &|c| c.spoil(protocol, "discount = 0.99", "discount = 1.99"), &[]);
    check("an uneven budget", &PLAN, &|c| c.spoil(protocol, "steps = 30_000", "steps = 30_001"), &[]);
    check(
        "a departure that names nothing",
        &PLAN,
        &|c| c.spoil(protocol, "td3.start_steps = 3_000", "td3.strat_steps = 3_000"),
        &[],
    );
    check(
        "an algorithm without its settings",
        &PLAN,
        &|c| c.spoil(protocol, "algorithm = \"td3\"", "algorithm = \"sac\""),
        &[],
    );
    let (plan, pex) = (["plan", "--paper", "pex", "--profile", "smoke"], "experiments/pex/protocol.toml");
    let generate = ["data", "generate", "gen/hoppr-smoke-v0"];
    check("a stand-in that there is not", &generate, &nothing, &[("REPRISE_CACHE", "c")]);
    let generate = ["data", "generate", "ogbench/cube-single-play-v1"];
    check("a script that there is not", &generate, &nothing, &[("REPRISE_CACHE", "c")]);
    let generate = ["data", "generate", "gen/hopper-smoke-v0", "--episodes", "3"];
    check("episodes of what is no script's", &generate, &nothing, &[("REPRISE_CACHE", "c")]);
    let generate = ["data", "generate", "gen/hopper-smoke-v0", "--manifest", "list.toml"];
    check("a list of what is published for what is made", &generate, &nothing, &[("REPRISE_CACHE", "c")]);
    let script = |checkout: &Checkout| {
        checkout.spoil(
            "experiments/drol/protocol.toml",
            "script = \"cube-single-play-v0\"",
            "script = \"cube-single-play-v1\"",
        );
    };
    let generate = ["data", "generate", "gen/cube-single-play-v0"];
    check("a protocol's script that there is not", &generate, &script, &[("REPRISE_CACHE", "c")]);
    let walker = |checkout: &Checkout| {
        checkout.spoil("experiments/pex/protocol.toml", "walker = \"walker\"", "walker = \"quick\"");
    };
    check("a walker that is none", &["plan", "--paper", "pex"], &walker, &[]);
    let candidates = |checkout: &Checkout| {
        checkout.spoil("experiments/drol/protocol.toml", "candidates = 1 }", "candidates = 0 }");
    };
    let (plan_drol, drol) = (["plan", "--paper", "drol"], "experiments/drol/protocol.toml");
    check("no candidates", &plan_drol, &candidates, &[]);
    check(
        "data of another maze",
        &plan_drol,
        &|c| c.spoil(drol, "large-navigate-v0", "giant-navigate-v0"),
        &[],
    );
    let script = |c: &Checkout| c.spoil(drol, "script = \"cube-single", "script = \"cube-double");
    check("a stand-in of another task's script", &plan_drol, &script, &[]);
    let arm = |c: &Checkout| c.spoil(drol, "{ drol-star.drol", "{ drol-stra.drol");
    check("a task's departure for no arm", &plan_drol, &arm, &[]);
    for (title, from, to) in [
        ("an arm after none", "after = \"offline\"", "after = \"ofline\""),
        ("PEX after nothing", "algorithm = \"pex\"\nafter = \"offline\"", "algorithm = \"pex\""),
        (
            "an arm after one that comes after another",
            "id = \"pex\"\nlabel = \"PEX\"\nalgorithm = \"pex\"\nafter = \"offline\"",
            "id = \"pex\"\nlabel = \"PEX\"\nalgorithm = \"pex\"\nafter = \"direct\"",
        ),
        ("no updates on the data", "[offline]\nsteps = 1_000_000\nevery = 10_000\n", ""),
        (
            "a task without a data set",
            "data = { set = \"gen/hopper-smoke-v0\", rewards = \"by-returns\" }\n",
            "",
        ),
        (
            "a data set that nobody makes",
            "set = \"gen/hopper-smoke-v0\", rewards",
            "set = \"gen/hopper-smok-v0\", rewards",
        ),
        (
            "a stand-in that goes by a published name",
            "id = \"gen/hopper-smoke-v0\"",
            "id = \"hopper-medium-v2\"",
        ),
        ("a stand-in of nothing", "steps = 2_000", "steps = 0"),
        ("a stand-in that forgets", "capacity = 1_000_000", "capacity = 1_000"),
        ("points upside down", "points = { low = 0.0, high = 1.0 }", "points = { low = 1.0, high = 0.0 }"),
        ("an expectile of 2", "expectile = 0.7", "expectile = 2.0"),
    ] {
        check(title, &plan, &|c| c.spoil(pex, from, to), &[]);
    }

    let (plan, planning) = (["plan", "--paper", "mpdp"], "experiments/mpdp/protocol.toml");
    check("a plan of no steps", &plan, &|c| c.spoil(planning, "horizon = 25", "horizon = 0"), &[]);
    check("an ensemble of one", &plan, &|c| c.spoil(planning, "members = 7", "members = 1"), &[]);
    check("more elites than members", &plan, &|c| c.spoil(planning, "elites = 5", "elites = 8"), &[]);
    check(
        "weight decay of other layers",
        &plan,
        &|c| c.spoil(planning, "hidden = [64, 64, 64],", "hidden = [64, 64],"),
        &[],
    );
    check(
        "a task without a termination function",
        &plan,
        &|c| {
            let task = "id = \"InvertedPendulum-v5\"";
            c.spoil(planning, task, &format!("{task}\nenvironment = \"Mock-v0\""));
        },
        &[],
    );
    check("a profile without a length", &PLAN, &|c| c.spoil(protocol, "steps = 30_000\n", ""), &[]);
    check(
        "an arm that is evaluated by itself",
        &PLAN,
        &|c| {
            c.spoil(
                protocol,
                "algorithm = \"td3\"",
                "algorithm = \"td3\"\nset = { evaluation.episodes = 1 }",
            );
        },
        &[],
    );
    check(
        "experts without a goal",
        &PLAN,
        &|c| c.spoil(protocol, "published = { source = \"raphaelsenn\", task = \"Hopper-v5\" }", ""),
        &[],
    );
    check(
        "a claim about no arm",
        &PLAN,
        &|c| c.spoil("experiments/dai/claims.toml", "\"td3-dai\"", "\"td3-dia\""),
        &[],
    );
    let claims = "experiments/dai/claims.toml";
    check("a claim without a threshold", &PLAN, &|c| c.spoil(claims, "above = 0.0\n", ""), &[]);
    check(
        "a claim of two thresholds",
        &PLAN,
        &|c| c.spoil(claims, "above = 0.0", "above = 0.0\nbelow = 1.0"),
        &[],
    );
    let spoil = |from: &'static str, to: &'static str| move |c: &Checkout| c.spoil(claims, from, to);
    check("a claim about no task", &PLAN, &spoil("[\"Humanoid-v5\"]", "[\"Humanoid-5\"]"), &[]);
    check("a claim of an expert", &PLAN, &spoil("arm = \"td3-dai\"", "arm = \"expert\""), &[]);
    check("two claims of one name", &PLAN, &spoil("id = \"early-gain\"", "id = \"final-gain\""), &[]);
    check("a column that nothing logs", &PLAN, &spoil("\"episode_return\"", "\"episode_returns\""), &[]);
    check("two readings of one name", &PLAN, &spoil("id = \"first-half\"", "id = \"first-quarter\""), &[]);
    check(
        "a window of what has none",
        &PLAN,
        &spoil(
            "baseline = \"td3\"\nabove = 0.0\nreading = [\n",
            "baseline = \"expert\"\nabove = 0.0\nreading = [\n    { id = \"all\", window = { first = 1.0 }, counts_expert = true },\n",
        ),
        &[],
    );
    let pex = "experiments/pex/protocol.toml";
    check(
        "an arm after one that leaves no policy",
        &["plan", "--paper", "pex"],
        &|c| c.spoil(pex, "algorithm = \"pex\"", "algorithm = \"sac\""),
        &[],
    );
    check(
        "an expert where scores are points",
        &PLAN,
        &|c| {
            c.spoil(
                protocol,
                "title = \"HalfCheetah\"",
                "title = \"HalfCheetah\"\npoints = { low = 0.0, high = 1.0 }",
            );
        },
        &[],
    );
    check(
        "an arm with an expert's name",
        &PLAN,
        &|c| c.spoil(protocol, "id = \"td3\"", "id = \"expert\""),
        &[],
    );
    check(
        "a claim against no arm and no source",
        &PLAN,
        &|c| c.spoil(claims, "baseline = \"td3\"", "baseline = \"sfujim-bets\""),
        &[],
    );
    check(
        "an export of nothing",
        &["export", "--paper", "dai", "--format", "csv", "--output", "e.csv"],
        &nothing,
        &[],
    );
    check(
        "verdicts on record that are none",
        &["check", "--paper", "dai", "--figures", "f"],
        &|c| {
            fs::create_dir_all(c.path("f/dai/quick")).unwrap();
            fs::write(c.path("f/dai/quick/verdicts.json"), "[{}]").unwrap();
        },
        &[],
    );
    check(
        "results that are not ours",
        &["reproduce", "--paper", "dai", "--results", "mine"],
        &|c| {
            fs::create_dir_all(c.path("mine/dai")).unwrap();
            fs::write(c.path("mine/dai/thesis.tex"), "").unwrap();
        },
        &[],
    );
    check(
        "results below a file",
        &["reproduce", "--paper", "dai", "--results", "mine"],
        &|c| {
            fs::write(c.path("mine"), "").unwrap();
        },
        &[],
    );
    check("a damaged record", &["report", "--paper", "dai", "--results", "mine"], &damaged_record, &[]);

    let rollout = ["env", "rollout", "--env", "Hopper-v5", "--input", "in.npz", "--output", "out.npz"];
    check("an unknown environment", &["env", "info", "Hoper-v5"], &nothing, &[]);
    check("no input file", &rollout, &nothing, &[]);
    check(
        "a truncated input file",
        &rollout,
        &|c| fs::write(c.path("in.npz"), b"PK\x03\x04\x14\x00").unwrap(),
        &[],
    );
    let scores = |text: &'static str| move |c: &Checkout| fs::write(c.path("scores.csv"), text).unwrap();
    let stats = ["stats", "scores.csv"];
    check("a slice of no time", &["bench", "--slice", "0"], &nothing, &[]);
    check(
        "a limit on what is not measured",
        &["bench", "--only", "steps", "--at-least", "0.5"],
        &nothing,
        &[],
    );
    check("certainty", &[&stats[..], &["--ci", "1"]].concat(), &nothing, &[]);
    check("no scores", &stats, &nothing, &[]);
    check("scores without seeds", &stats, &scores("task,score\nHopper,1\n"), &[]);
    check("a run twice", &stats, &scores("task,seed,score\nHopper,0,1\nHopper,0,2\n"), &[]);
    check("a score that is no number", &stats, &scores("task,seed,score\nHopper,0,inf\n"), &[]);
    check(
        "an algorithm without a task",
        &stats,
        &scores("algorithm,task,seed,score\ntd3,Ant,0,1\ntd3,Hopper,0,1\nsac,Ant,0,1\n"),
        &[],
    );
    check(
        "an unknown baseline",
        &[&stats[..], &["--vs", "td4"]].concat(),
        &scores("algorithm,task,seed,score\ntd3,Ant,0,1\n"),
        &[],
    );
    let matrices = |text: &'static str| move |c: &Checkout| fs::write(c.path("scores.json"), text).unwrap();
    let json = ["stats", "scores.json"];
    check("an empty file of scores", &stats, &scores(""), &[]);
    check("a header alone", &stats, &scores("task,seed,score\n"), &[]);
    check("an empty JSON file", &json, &matrices(""), &[]);
    check("ragged runs in JSON", &json, &matrices(r#"{"td3": [[1, 2], [3]]}"#), &[]);
    check("a score of NaN in JSON", &json, &matrices(r#"{"td3": [[1, NaN]]}"#), &[]);
    check("an algorithm twice in JSON", &json, &matrices(r#"{"td3": [[1]], "td3": [[2]]}"#), &[]);
    check(
        "runs that end at different steps",
        &stats,
        &scores("task,seed,step,score\nAnt,0,5,1\nAnt,1,10,2\n"),
        &[],
    );
    check("a step that is no whole number", &stats, &scores("task,seed,step,score\nAnt,0,1.5,1\n"), &[]);
    check("a line without a seed", &stats, &scores("task,seed,score\nAnt,,1\n"), &[]);
    check("a line that is cut short", &stats, &scores("task,seed,score\nAnt,0,1\nAnt,1\n"), &[]);
    check("two columns of one name", &stats, &scores("task,seed,score,score\nAnt,0,1,2\n"), &[]);
    let curve = [&stats[..], &["--curve"]].concat();
    check("a curve of unequal steps", &curve, &scores("task,seed,step,score\nAnt,0,5,1\nAnt,1,6,2\n"), &[]);
    check("a curve of JSON", &["stats", "scores.json", "--curve"], &matrices("{}"), &[]);
    let normalise = |name: &'static str| [&stats[..], &["--normalise", name]].concat();
    check("an unknown normalisation", &normalise("d4r1"), &scores("task,seed,score\nAnt-v5,0,1\n"), &[]);
    check(
        "a task without reference scores",
        &normalise("d4rl"),
        &scores("task,seed,score\nAnt-v5,0,1\n"),
        &[],
    );
    check(
        "an interval that a comparison does not have",
        &[&stats[..], &["--vs", "td3", "--method", "bca"]].concat(),
        &scores("algorithm,task,seed,score\ntd3,Ant,0,1\n"),
        &[],
    );
    check("a profile at no number", &[&stats[..], &["--profile", "0,nan"]].concat(), &nothing, &[]);
    check("a width of nothing", &[&stats[..], &["--half-width", "0"]].concat(), &nothing, &[]);
    let inspect = ["data", "inspect", "x.hdf5"];
    let hdf5 = |change: fn(&mut Vec<u8>)| {
        move |c: &Checkout| {
            let mut bytes = fs::read(root().join("tests/goldens/datasets/d4rl-old.hdf5")).unwrap();
            change(&mut bytes);
            fs::write(c.path("x.hdf5"), bytes).unwrap();
        }
    };
    check("no data set", &inspect, &nothing, &[]);
    check("a data set cut short", &inspect, &hdf5(|bytes| bytes.truncate(4096)), &[]);
    check("a web page for a data set", &inspect, &hdf5(|bytes| *bytes = b"<!DOCTYPE html>".to_vec()), &[]);
    check("a reward of NaN", &inspect, &nan_reward, &[]);
    check("a data set under another kind's name", &["data", "inspect", "x.npz"], &misnamed, &[]);
    let home = [("HOME", "home"), ("REPRISE_CACHE", "cache")];
    check("an unknown data set", &["data", "get", "antmaze-umase-v2"], &nothing, &home);
    check("a word of no data set", &["data", "list", "pendulum"], &nothing, &home);
    check(
        "nothing to fetch with",
        &["data", "get", "antmaze-large-play-v2"],
        &|c| fs::create_dir(c.path("bin")).unwrap(),
        &[("PATH", "bin"), ("HOME", "home"), ("REPRISE_CACHE", "cache")],
    );
    check(
        "a data set of another name",
        &["data", "verify", "--data-dir", "data"],
        &|c| {
            fs::create_dir(c.path("data")).unwrap();
            fs::write(c.path("data/hopper_medium-v2.hdf5"), "another").unwrap();
        },
        &home,
    );
    check(
        "a manifest with a wrong key",
        &["data", "list", "--manifest", "m.toml"],
        &|c| fs::write(c.path("m.toml"), "schema = 1\n[[famly]]\nname = \"a\"\n").unwrap(),
        &home,
    );
    let smoke = ["reproduce", "--paper", "dai", "--profile", "smoke", "--results", "r"];
    check("a library that is not there", &smoke, &nothing, &[("REPRISE_MUJOCO_LIB", "libmujoco.so")]);
    check(
        "no Python to fetch with",
        &smoke,
        &|c| fs::create_dir(c.path("bin")).unwrap(),
        &[("PATH", "bin"), ("REPRISE_CACHE", "cache")],
    );
    check("a wheel with a wrong hash", &smoke, &fake_pip, &[("PATH", "bin"), ("REPRISE_CACHE", "cache")]);

    let snapshot = root().join("tests/snapshots/bad_input.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
        fs::write(&snapshot, &found).unwrap();
    }
    assert_eq!(
        found,
        fs::read_to_string(&snapshot).unwrap(),
        "messages differ from tests/snapshots/bad_input.txt"
    );
}

/// A data set one of whose rewards is no number.
fn nan_reward(checkout: &Checkout) {
    use datasets::{Dtype, Extra, Recorder, Step};
    let mut recorder = Recorder::new((1, 1), vec![Extra::new("infos/qpos", 1, Dtype::F64)]);
    for row in 0..4 {
        recorder.push(&Step {
            observation: &[row as f32],
            action: &[0.0],
            reward: if row == 2 { f32::NAN } else { 1.0 },
            terminal: row == 3,
            timeout: false,
            next_observation: &[row as f32 + 1.0],
            extras: &[&[0.0]],
        });
    }
    let provenance = std::collections::BTreeMap::<String, String>::new();
    recorder.write_d4rl(&checkout.path("x.hdf5"), false, &provenance).unwrap();
}

/// An HDF5 file whose name ends in `.npz`.
fn misnamed(checkout: &Checkout) {
    fs::copy(root().join("tests/goldens/datasets/d4rl-old.hdf5"), checkout.path("x.npz")).unwrap();
}

/// A `python3` whose pip delivers something that is not the wheel.
fn fake_pip(checkout: &Checkout) {
    use std::os::unix::fs::PermissionsExt as _;
    let script = "#!/bin/sh\nwhile [ $# -gt 0 ]; do\n  case $1 in -d|--dest) d=$2;; esac\n  shift\ndone\n\
                  /bin/mkdir -p \"$d\"\n/bin/echo nonsense > \"$d/gymnasium-1.4.0-py3-none-any.whl\"\n";
    fs::create_dir(checkout.path("bin")).unwrap();
    let python = checkout.path("bin/python3");
    fs::write(&python, script).unwrap();
    fs::set_permissions(python, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A record of the quick profile's first run, its table of evaluations cut short.
fn damaged_record(checkout: &Checkout) {
    let arguments = ["plan", "--paper", "dai", "--only", "arm=td3", "--only", "seed=0", "--json"];
    let output =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).current_dir(checkout.0.path()).output();
    let json = String::from_utf8(output.unwrap().stdout).unwrap();
    let id = json.split("\"id\": \"").nth(1).unwrap().split('"').next().unwrap();
    let run = checkout.path(&format!("mine/dai/HalfCheetah-v5/td3/seed0-30k-{id}"));
    fs::create_dir_all(&run).unwrap();
    fs::write(
        checkout.path("mine/dai/reprise.toml"),
        "# Recorded runs; see METHODOLOGY.md.\nschema = 1\npaper = \"dai\"\n",
    )
    .unwrap();
    fs::write(run.join("status.toml"), "state = \"finished\"\nsteps = 30000\nupdates = 27000\n").unwrap();
    fs::write(run.join("config.toml"), "schema = 1\npaper = \"dai\"\n").unwrap();
}

/// What `stats` says of scores that it can read and that do not hold all it is asked for: standard output and error.
#[test]
fn scores_that_say_little_are_answered_with_what_they_do_not_say() {
    let mut found = String::new();
    let mut check = |title: &str, more: &[&str], text: &str| {
        let checkout = Checkout::new();
        fs::write(checkout.path("scores.csv"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["stats", "scores.csv", "--reps", "500"]).args(more).current_dir(checkout.0.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{title}");
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        writeln!(found, "# {title}\n{}\n{}\n", stderr.trim_end(), stdout.trim_end()).unwrap();
    };
    let columns = "algorithm,task,seed,score\n";
    check("one run", &[], &format!("{columns}td3,Ant,0,1\n"));
    check("one run, as JSON", &["--metric", "iqm", "--json"], &format!("{columns}td3,Ant,0,1\n"));
    check("no variance", &["--metric", "iqm"], &format!("{columns}td3,Ant,0,1\ntd3,Ant,1,1\ntd3,Ant,2,1\n"));
    check(
        "no variance, and a method that needs some",
        &["--metric", "iqm", "--method", "bca"],
        &format!("{columns}td3,Ant,0,1\ntd3,Ant,1,1\ntd3,Ant,2,1\n"),
    );
    check(
        "tasks of unequal runs",
        &["--metric", "mean"],
        &format!("{columns}td3,Ant,0,1\ntd3,Ant,1,2\ntd3,Hopper,0,5\ntd3,Hopper,1,6\ntd3,Hopper,2,7\n"),
    );
    check(
        "seeds that do not pair",
        &["--metric", "mean", "--vs", "sac"],
        &format!("{columns}td3,Ant,0,1\ntd3,Ant,1,2\nsac,Ant,2,1\nsac,Ant,3,3\n"),
    );
    check(
        "scores that overflow",
        &["--metric", "mean"],
        &format!("{columns}td3,Ant,0,1e308\ntd3,Ant,1,1e308\ntd3,Ant,2,1e308\n"),
    );

    let snapshot = root().join("tests/snapshots/scores_that_say_little.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &found).unwrap();
    }
    assert_eq!(found, fs::read_to_string(&snapshot).unwrap(), "answers differ from {}", snapshot.display());
}
