//! Whole runs against PyTorch's on Gymnasium by the same draws, as `tests/goldens/run/record.py` recorded them: that steps,
//! draws, updates, starts and evaluations come in the order that a run's record says. These need libmujoco, as
//! `envs/tests/parity.rs` says.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use experiment::{
    Algorithm, DaiSettings, Device, Evaluation, ExpertGoal, Measure, Mixing, NoisePlacement, ReplaySettings,
    RunConfig, ScheduleShape, Td3Settings,
};
use std::fs;
use std::path::{Path, PathBuf};
use training::{Ending, Order, Place, train};

fn config(task: &str, (steps, start_steps, every): (u64, u64, u64)) -> RunConfig {
    RunConfig {
        schema: 1,
        paper: "test".to_owned(),
        task: task.to_owned(),
        environment: None,
        arm: "td3".to_owned(),
        seed: 7,
        steps,
        mujoco: "3.2.7".to_owned(),
        device: Device::Cpu,
        algorithm: Algorithm::Td3,
        td3: Some(Td3Settings {
            hidden: vec![32, 32],
            learning_rate: 1e-3,
            discount: 0.99,
            polyak: 0.005,
            exploration_noise: 0.1,
            target_policy_noise: 0.2,
            target_noise_clip: 0.5,
            policy_delay: 2,
            start_steps,
        }),
        sac: None,
        mpdp: None,
        iql: None,
        pex: None,
        fql: None,
        rebrac: None,
        drol: None,
        replay: ReplaySettings { capacity: 300, batch_size: 32, updates_per_step: 1 },
        evaluation: Evaluation { every, episodes: 2, measure: Measure::Return },
        data: None,
        after: None,
        leaves_networks: false,
        dai: None,
        expert: None,
        mock: None,
    }
}

/// The numbers of a table without its columns of words; nothing where a cell is empty.
fn numbers(text: &str) -> Vec<Vec<Option<f64>>> {
    let row = |line: &str| {
        line.split(',')
            .filter(|cell| !["learned", "guided"].contains(cell))
            .map(|cell| cell.parse().ok().filter(|x: &f64| x.is_finite()))
            .collect()
    };
    text.lines().filter(|line| !line.starts_with("step")).map(row).collect()
}

/// The largest relative distance between two tables of the same form.
fn distance(ours: &str, golden: &str) -> f64 {
    let (ours, golden) = (numbers(ours), numbers(golden));
    assert_eq!(ours.len(), golden.len(), "rows");
    let of = |(x, y): (&Option<f64>, &Option<f64>)| match (x, y) {
        (None, None) => 0.0,
        (Some(x), Some(y)) => (x - y).abs() / y.abs().max(1.0),
        _ => panic!("{x:?} instead of {y:?}"),
    };
    let rows = ours.iter().zip(&golden).flat_map(|(row, expected)| {
        assert_eq!(row.len(), expected.len(), "{row:?} instead of {expected:?}");
        row.iter().zip(expected).map(of)
    });
    rows.fold(0.0, f64::max)
}

/// Trains in `folder`, beside the run that it needs, if one.
fn run(config: &RunConfig, folder: &Path, needed: Option<&Path>) -> PathBuf {
    let record = folder.join(&config.arm);
    let place = Place { record: &record, checkpoints: None, needed, data: None };
    assert_eq!(train(config, &place, |_| {}, |_| Order::GoOn).unwrap(), Ending::Finished);
    record
}

/// Holds evaluations and training of `record` against the golden ones: no further away than `tolerances`, which are some
/// times what rounding does to PyTorch's own run.
fn check(name: &str, record: &Path, tolerances: [f64; 2]) {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/run");
    let tables = [("evals.csv", "evaluations"), ("train.csv", "training")];
    for ((file, golden), tolerance) in tables.into_iter().zip(tolerances) {
        let ours = fs::read_to_string(record.join(file)).unwrap();
        let golden = fs::read_to_string(goldens.join(format!("{name}_{golden}.csv"))).unwrap();
        let found = distance(&ours, &golden);
        println!("{name}, {file}: {found:.1e}");
        assert!(found <= tolerance, "{name}'s {file} lies {found:.1e} away:\n{ours}");
    }
}

/// Episodes that end by their limit and episodes that fail, 1,800 updates, and a buffer that is overwritten six times.
#[test]
fn a_points_run_is_pytorchs() {
    let folder = tempfile::tempdir().unwrap();
    check("point", &run(&config("Mock-v0", (2000, 200, 100)), folder.path(), None), [5e-3, 5e-3]);
}

/// The expert is the first policy of another run that reaches its goal, and its share of the action falls to nothing.
#[test]
fn a_guided_points_run_is_pytorchs() {
    let folder = tempfile::tempdir().unwrap();
    let expert = RunConfig {
        arm: "expert".to_owned(),
        seed: 1008,
        expert: Some(ExpertGoal { goal: 20.0, score_episodes: 1 }),
        ..config("Mock-v0", (3000, 200, 50))
    };
    let needed = run(&expert, folder.path(), None);
    let dai = DaiSettings {
        shape: ScheduleShape::Linear,
        start: 0.0,
        length: 450,
        mixing: Mixing::Interpolate,
        noise: NoisePlacement::BeforeBlend,
        random_start: true,
        expert: expert.id(),
    };
    let guided = RunConfig {
        arm: "td3-dai".to_owned(),
        algorithm: Algorithm::Td3Dai,
        dai: Some(dai),
        ..config("Mock-v0", (600, 200, 50))
    };
    check("guided_point", &run(&guided, folder.path(), Some(&needed)), [2e-3, 2e-3]);
}

/// Episodes that end by falling, and actions that reach to 0.4.
#[test]
fn humanoids_run_is_pytorchs() {
    let folder = tempfile::tempdir().unwrap();
    check("humanoid", &run(&config("Humanoid-v5", (500, 250, 50)), folder.path(), None), [1e-3, 5e-3]);
}

/// Starts with normal velocities.
#[test]
fn half_cheetahs_run_is_pytorchs() {
    let folder = tempfile::tempdir().unwrap();
    check("half_cheetah", &run(&config("HalfCheetah-v5", (100, 50, 25)), folder.path(), None), [1e-4, 1e-5]);
}
