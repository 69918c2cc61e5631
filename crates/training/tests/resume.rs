//! A run that is stopped and killed at any step and taken up again leaves the same bytes as one left alone, and a
//! damaged checkpoint is never taken up. These need libmujoco, as `envs/tests/parity.rs` says.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use experiment::{
    Aggregate, Algorithm, DaiSettings, DataSettings, DataUsage, Device, DrolSettings, ErrorScale, Evaluation,
    ExpertGoal, FqlSettings, IqlSettings, Measure, Mixing, ModelSettings, MpdpSettings, NoisePlacement,
    PexSettings, PolicyActions, RebracSettings, ReplaySettings, Rewards, RunConfig, SacSettings,
    ScheduleShape, StopRule, Td3Settings, Units,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use streams::Stream;
use training::{Ending, Every, News, Order, Place, train};

/// Small networks, and a small buffer that is overwritten more than once.
fn config(task: &str, seed: u64) -> RunConfig {
    RunConfig {
        schema: 1,
        paper: "test".to_owned(),
        task: task.to_owned(),
        environment: None,
        arm: "td3".to_owned(),
        seed,
        steps: 400,
        mujoco: "3.2.7".to_owned(),
        device: Device::Cpu,
        algorithm: Algorithm::Td3,
        td3: Some(Td3Settings {
            hidden: vec![16, 16],
            learning_rate: 3e-4,
            discount: 0.99,
            polyak: 0.005,
            exploration_noise: 0.1,
            target_policy_noise: 0.2,
            target_noise_clip: 0.5,
            policy_delay: 2,
            start_steps: 50,
        }),
        sac: None,
        mpdp: None,
        iql: None,
        pex: None,
        fql: None,
        rebrac: None,
        drol: None,
        replay: ReplaySettings { capacity: 130, batch_size: 16, updates_per_step: 1 },
        evaluation: Evaluation { every: 200, episodes: 1, measure: Measure::Return },
        data: None,
        after: None,
        leaves_networks: false,
        dai: None,
        expert: None,
        mock: None,
    }
}

/// An expert's run whose goal is out of reach: the policy nearest to it is kept.
fn expert_of(task: &str) -> RunConfig {
    let expert = Some(ExpertGoal { goal: 1e9, score_episodes: 1 });
    RunConfig { arm: "expert".to_owned(), expert, ..config(task, 1000) }
}

fn guided(task: &str) -> RunConfig {
    let dai = DaiSettings {
        shape: ScheduleShape::Linear,
        start: 0.0,
        length: 200,
        mixing: Mixing::Interpolate,
        noise: NoisePlacement::BeforeBlend,
        random_start: true,
        expert: expert_of(task).id(),
    };
    RunConfig { arm: "td3-dai".to_owned(), algorithm: Algorithm::Td3Dai, dai: Some(dai), ..config(task, 0) }
}

/// Guided by an expert that acts whole, at random.
fn mixed(task: &str) -> RunConfig {
    let guided = guided(task);
    let dai = guided.dai.clone().map(|dai| DaiSettings { mixing: Mixing::Choose, ..dai });
    RunConfig { dai, ..guided }
}

fn soft(task: &str) -> RunConfig {
    let sac = SacSettings {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        temperature: 1.0,
        target_entropy: Some(-1.0),
        start_steps: 50,
    };
    RunConfig {
        arm: "sac".to_owned(),
        algorithm: Algorithm::Sac,
        td3: None,
        sac: Some(sac),
        replay: ReplaySettings { updates_per_step: 2, ..config(task, 0).replay },
        ..config(task, 0)
    }
}

fn planned(task: &str) -> RunConfig {
    let model = ModelSettings {
        members: 3,
        elites: 2,
        hidden: vec![16],
        learning_rate: 1e-3,
        weight_decay: vec![1e-5, 1e-4],
        batch_size: 32,
        holdout: 0.2,
        most_held_out: 50,
        patience: 1,
        epochs: 5,
        log_variance: [-10.0, 0.5],
        learned_bounds: true,
    };
    let mpdp = MpdpSettings {
        horizon: 4,
        penalty: 0.5,
        penalty_scale: ErrorScale::Mean,
        error_threshold: 1.0,
        threshold_scale: ErrorScale::MeanPerDimension,
        error_of_reward: false,
        stop: StopRule::V,
        range_margin: 1.0,
        shared_policy: false,
        copy_when_reached: true,
        step_unreached: false,
        longest_gradient: Some(100.0),
        mean_prediction: false,
        target_values: false,
        critic_penalty: false,
        fit_every: 70,
        model,
    };
    RunConfig { arm: "mpdp".to_owned(), algorithm: Algorithm::Mpdp, mpdp: Some(mpdp), ..soft(task) }
}

/// IQL on the data set of [`data`] alone.
fn offline() -> RunConfig {
    let iql = IqlSettings {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        expectile: 0.7,
        beta: 3.0,
        weight_limit: 100.0,
        dropout: 0.1,
        units: Units::Relu,
        layer_norm: false,
        start_steps: 50,
    };
    let data = DataSettings {
        set: "d4rl-locomotion".to_owned(),
        recipe: None,
        usage: DataUsage::Alone,
        rewards: Rewards::ByReturns,
    };
    RunConfig {
        arm: "offline".to_owned(),
        algorithm: Algorithm::Iql,
        td3: None,
        iql: Some(iql),
        data: Some(data),
        leaves_networks: true,
        ..config("Hopper-v5", 0)
    }
}

/// IQL that goes on from [`offline`] in the environment, with the data set beside.
fn fine_tuned() -> RunConfig {
    let offline = offline();
    let data = DataSettings { usage: DataUsage::Half, ..offline.data.clone().unwrap() };
    let after = Some(offline.id());
    RunConfig { arm: "direct".to_owned(), data: Some(data), after, leaves_networks: false, ..offline }
}

/// IQL in the environment alone, with rewards as of those that learn from the data.
fn alone() -> RunConfig {
    let fine_tuned = fine_tuned();
    let data = DataSettings { usage: DataUsage::Rewards, ..fine_tuned.data.clone().unwrap() };
    RunConfig { arm: "scratch".to_owned(), data: Some(data), after: None, ..fine_tuned }
}

/// PEX on [`offline`].
fn expanded() -> RunConfig {
    let pex = PexSettings {
        inverse_temperature: 3.0,
        evaluation_epsilon: 0.1,
        policy_actions: PolicyActions::Composite,
    };
    RunConfig { arm: "pex".to_owned(), algorithm: Algorithm::Pex, pex: Some(pex), ..fine_tuned() }
}

/// FQL, ReBRAC and DROL on the data set alone.
fn one_step() -> [RunConfig; 3] {
    let fql = FqlSettings {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Mean,
        flow_steps: 3,
        alpha: 1.0,
        normalise_q: false,
    };
    let rebrac = RebracSettings {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        alpha_actor: 0.1,
        alpha_critic: 0.05,
        target_policy_noise: 0.2,
        target_noise_clip: 0.5,
        policy_delay: 2,
    };
    let drol = DrolSettings {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Min,
        candidates: 4,
        bc_coef: 1.0,
    };
    let offline = RunConfig { iql: None, leaves_networks: false, ..offline() };
    [
        RunConfig { algorithm: Algorithm::Fql, fql: Some(fql), ..offline.clone() },
        RunConfig { algorithm: Algorithm::Rebrac, rebrac: Some(rebrac), ..offline.clone() },
        RunConfig { algorithm: Algorithm::Drol, drol: Some(drol), ..offline },
    ]
}

/// 300 rows of made-up numbers in the shape of Hopper's.
fn data() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap();
    root.join("tests/goldens/datasets/d4rl-locomotion.hdf5")
}

struct Folder {
    folder: tempfile::TempDir,
    needed: Option<PathBuf>,
}

impl Folder {
    fn new(needed: Option<&Path>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), needed: needed.map(Path::to_owned) }
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    /// Trains, with a checkpoint every `every` steps, until `order` says otherwise; returns what was noted.
    fn train(
        &self,
        config: &RunConfig,
        every: u64,
        order: impl FnMut(u64) -> Order,
    ) -> (Ending, Vec<String>) {
        let (record, checkpoints) = (self.record(), self.checkpoints());
        let data = config.data.as_ref().map(|_| data());
        let place = Place {
            record: &record,
            checkpoints: Some((&checkpoints, Every::Steps(every))),
            needed: self.needed.as_deref(),
            data: data.as_deref(),
        };
        let mut notes = Vec::new();
        let tell = |news| {
            if let News::Note(note) = news {
                notes.push(note);
            }
        };
        (train(config, &place, tell, order).unwrap(), notes)
    }

    /// The record's files, but for the clock's.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.record()).unwrap().map(Result::unwrap);
        let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
        let kept = named.filter(|(name, _)| name != "timing.toml");
        kept.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
    }
}

fn undisturbed(config: &RunConfig, expert: Option<&Path>) -> (Folder, BTreeMap<String, Vec<u8>>) {
    let folder = Folder::new(expert);
    assert_eq!(folder.train(config, u64::MAX, |_| Order::GoOn).0, Ending::Finished);
    let files = folder.files();
    (folder, files)
}

/// Trains with interruptions at steps drawn from `stream`: kills, which lose what came after the last checkpoint, and
/// stops, which make one. Every checkpoint is taken up.
fn interrupted(config: &RunConfig, expert: Option<&Path>, stream: &mut Stream) -> BTreeMap<String, Vec<u8>> {
    let folder = Folder::new(expert);
    let every = 1 + stream.index(90) as u64;
    let mut all = Vec::new();
    for _ in 0..5 {
        let (at, how) = (stream.index(400) as u64, [Order::Drop, Order::Stop][stream.index(2)]);
        all.extend(folder.train(config, every, |t| if t >= at { how } else { Order::GoOn }).1);
    }
    let (ending, notes) = folder.train(config, every, |_| Order::GoOn);
    assert_eq!(ending, Ending::Finished);
    all.extend(notes);
    let went_on = all.iter().filter(|note| note.starts_with("goes on from its checkpoint at step ")).count();
    let is_other = |note: &&String| !note.starts_with("goes on from") && !note.starts_with("MuJoCo warned");
    assert!(
        went_on > 0 && all.iter().find(is_other).is_none(),
        "{} {:?}: {all:?}",
        config.arm,
        config.algorithm
    );
    folder.files()
}

#[test]
fn a_run_that_is_interrupted_anywhere_leaves_the_same_bytes() {
    let stream = &mut Stream::new(0, "interruptions");
    for task in ["Hopper-v5", "Ant-v5", "InvertedPendulum-v5"] {
        let (expert, files) = undisturbed(&expert_of(task), None);
        assert!(files.contains_key("policy.safetensors"));
        let kept = expert.record();
        for (config, expert) in [
            (expert_of(task), None),
            (config(task, 0), None),
            (guided(task), Some(kept.as_path())),
            (mixed(task), Some(kept.as_path())),
            (soft(task), None),
            (planned(task), None),
        ] {
            let expected = undisturbed(&config, expert).1;
            for _ in 0..3 {
                assert!(interrupted(&config, expert, stream) == expected, "{task} {}", config.arm);
            }
        }
    }
}

#[test]
fn a_run_that_learns_from_data_leaves_the_same_bytes_too() {
    let stream = &mut Stream::new(3, "interruptions");
    let (first, files) = undisturbed(&offline(), None);
    assert!(files.contains_key("networks.safetensors"));
    let kept = first.record();
    let [fql, rebrac, drol] = one_step();
    for (config, needed) in [
        (offline(), None),
        (fine_tuned(), Some(kept.as_path())),
        (expanded(), Some(kept.as_path())),
        (RunConfig { after: None, ..fine_tuned() }, None),
        (alone(), None),
        (fql, None),
        (rebrac, None),
        (drol, None),
    ] {
        let expected = undisturbed(&config, needed).1;
        let is_one_step = matches!(config.algorithm, Algorithm::Fql | Algorithm::Drol);
        assert_eq!(expected.contains_key("scene.csv"), is_one_step, "{:?}", config.algorithm);
        for _ in 0..3 {
            assert!(interrupted(&config, needed, stream) == expected, "{:?}", config.algorithm);
        }
    }
}

/// What each algorithm's run leaves, on every set of vector instructions, has the bytes of tests/bytes.txt. Where it has
/// others, and `envs/tests/parity.rs` passes, no run on record comes back as it is: `UPDATE_BYTES=1` writes the file anew, and
/// `results/` is to be trained anew. Where that fails too, it is the C library's sine and cosine that differ.
#[test]
#[cfg_attr(
    not(target_arch = "x86_64"),
    ignore = "recorded on x86-64; the simulator is another program elsewhere"
)]
fn the_bytes_are_those_of_every_commit_before() {
    use std::fmt::Write as _;
    const TASK: &str = "Hopper-v5";
    let (expert, offline_run) = (undisturbed(&expert_of(TASK), None).0, undisturbed(&offline(), None).0);
    let (expert, offline_run) = (expert.record(), offline_run.record());
    let [fql, rebrac, drol] = one_step();
    let runs = [
        ("expert", expert_of(TASK), None),
        ("td3", config(TASK, 0), None),
        ("td3-dai", guided(TASK), Some(&expert)),
        ("random mixing", mixed(TASK), Some(&expert)),
        ("sac", soft(TASK), None),
        ("mpdp", planned(TASK), None),
        ("iql", offline(), None),
        ("iql, then online", fine_tuned(), Some(&offline_run)),
        ("pex", expanded(), Some(&offline_run)),
        ("iql, with the data's scale of rewards", alone(), None),
        ("fql", fql, None),
        ("rebrac", rebrac, None),
        ("drol", drol, None),
    ];
    let mut found = String::new();
    for (name, config, needed) in runs {
        let (_, files) = undisturbed(&config, needed.map(PathBuf::as_path));
        let is_told = |name: &&String| name.ends_with(".csv") || name.ends_with(".safetensors");
        let names: Vec<_> = files.keys().filter(is_told).collect();
        assert!(names.len() >= 2, "{names:?}");
        for file in names {
            writeln!(found, "{}  {name}: {file}", fetch::hex(&Sha256::digest(&files[file]))).unwrap();
        }
    }
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bytes.txt");
    if std::env::var_os("UPDATE_BYTES").is_some() {
        fs::write(&snapshot, &found).unwrap();
    }
    let known = fs::read_to_string(&snapshot).unwrap();
    let other: Vec<&str> = found.lines().filter(|line| !known.lines().any(|known| known == *line)).collect();
    assert!(
        other.is_empty() && found.len() == known.len(),
        "with {} instructions these are others: {other:#?}\nsee what `cargo test --release -p envs --test parity` says of \
         this machine",
        nn::simd()
    );
    if std::env::var_os("REPRISE_SIMD").is_none() {
        for simd in ["avx2", "portable"] {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", "the_bytes_are_those_of_every_commit_before"]).env("REPRISE_SIMD", simd);
            again.env_remove("UPDATE_BYTES");
            assert!(again.status().unwrap().success(), "with {simd} instructions");
        }
    }
}

/// Of a data set of which an arm takes the scale of rewards, it takes that and nothing else.
#[test]
fn the_scale_of_rewards_is_the_datas_and_rows_are_not() {
    let learned = |config: &RunConfig| undisturbed(config, None).1.remove("train.csv").unwrap();
    let as_stored = |config: RunConfig| {
        let data = config.data.clone().map(|data| DataSettings { rewards: Rewards::AsStored, ..data });
        RunConfig { data, ..config }
    };
    let without = learned(&RunConfig { data: None, ..alone() });
    assert_eq!(learned(&as_stored(alone())), without);
    assert_ne!(learned(&alone()), without);
}

/// The networks that a run starts from are those it was planned with.
#[test]
fn a_fine_tuned_policy_begins_where_the_offline_one_ended() {
    let (first, files) = undisturbed(&offline(), None);
    let line = |files: &BTreeMap<String, Vec<u8>>, first: bool| {
        let text = String::from_utf8(files["evals.csv"].clone()).unwrap();
        let line = if first { text.lines().nth(1) } else { text.lines().last() };
        line.unwrap().split_once(',').unwrap().1.to_owned()
    };
    let then = undisturbed(&fine_tuned(), Some(&first.record())).1;
    assert_eq!(line(&files, false), line(&then, true));
    // A byte of the networks that is another is not taken for them.
    let networks = first.record().join("networks.safetensors");
    let mut bytes = fs::read(&networks).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&networks, bytes).unwrap();
    let folder = Folder::new(Some(&first.record()));
    let (record, data) = (folder.record(), data());
    let place =
        Place { record: &record, checkpoints: None, needed: folder.needed.as_deref(), data: Some(&data) };
    let error = train(&fine_tuned(), &place, |_| (), |_| Order::GoOn).unwrap_err().to_string();
    assert!(error.contains("their checksum is not the recorded one"), "{error}");
}

/// 1,000 flipped bits and 200 cuts, anywhere in the files that a kill at step 330 left.
#[test]
fn a_damaged_checkpoint_is_never_taken_up() {
    let config = config("InvertedPendulum-v5", 0);
    let expected = undisturbed(&config, None).1;
    let folder = Folder::new(None);
    folder.train(&config, 60, |t| if t == 330 { Order::Drop } else { Order::GoOn });
    // Checkpoints at steps 240 (b) and 300 (a), and rows from 130 on and from 260 on: the latter are the newer one's.
    let files = ["a.checkpoint", "b.checkpoint", "1.journal", "2.journal", "0.journal"];
    let whole: Vec<Vec<u8>> =
        files.iter().map(|name| fs::read(folder.checkpoints().join(name)).unwrap()).collect();
    let put = |which: usize, bytes: &[u8]| fs::write(folder.checkpoints().join(files[which]), bytes).unwrap();
    let stream = &mut Stream::new(1, "damage");
    let mut counts = BTreeMap::new();
    for case in 0..1200 {
        let which = stream.index(files.len() - 1);
        let mut bytes = whole[which].clone();
        let at = stream.index(bytes.len());
        if case < 1000 {
            bytes[at] ^= 1 << stream.index(8);
        } else {
            bytes.truncate(at);
        }
        whole.iter().enumerate().for_each(|(i, bytes)| put(i, bytes));
        put(which, &bytes);
        let is_finished = case % 100 == 0;
        let (_, notes) =
            folder.train(&config, u64::MAX, |_| if is_finished { Order::GoOn } else { Order::Drop });
        let went_on = notes.last().unwrap().clone();
        let older = "goes on from its checkpoint at step 240";
        match files[which] {
            "a.checkpoint" | "2.journal" => assert_eq!(went_on, older, "{notes:?}"),
            "b.checkpoint" => assert_eq!(went_on, "goes on from its checkpoint at step 300", "{notes:?}"),
            // Both need the most of what lies there.
            _ => assert!(went_on == "starts afresh" || went_on == older, "{notes:?}"),
        }
        assert!(notes.iter().any(|note| note.contains("is damaged") || note.contains("cannot be used")));
        *counts.entry(went_on).or_insert(0) += 1;
        if is_finished {
            for (name, bytes) in folder.files() {
                assert!(
                    bytes == expected[&name],
                    "{name}: {notes:?}\n{}\n{}",
                    String::from_utf8_lossy(&bytes),
                    String::from_utf8_lossy(&expected[&name])
                );
            }
        }
    }
    assert!(counts.len() == 3 && counts.values().all(|count| *count > 150), "{counts:?}");
}

/// 600 checkpoints of right checksums whose values, types, names and lengths are others than they were: each is refused,
/// or the run goes on from it, and nothing panics or is endless.
#[test]
fn whatever_stands_behind_a_right_checksum_is_refused_or_used() {
    let config = config("InvertedPendulum-v5", 0);
    let folder = Folder::new(None);
    folder.train(&config, 60, |t| if t == 130 { Order::Drop } else { Order::GoOn });
    let (_, mut found) = disk::Checkpoints::open(&folder.checkpoints()).unwrap();
    let body = found.good.swap_remove(0).1;
    let journal = fs::read(folder.checkpoints().join("0.journal")).unwrap();
    let stream = &mut Stream::new(2, "behind");
    let mut counts = [0; 3];
    for case in 0..600 {
        fs::remove_dir_all(folder.checkpoints()).unwrap();
        fs::create_dir(folder.checkpoints()).unwrap();
        fs::write(folder.checkpoints().join("0.journal"), &journal).unwrap();
        disk::Checkpoints::open(&folder.checkpoints()).unwrap().0.write(&other(&body, stream)).unwrap();

        let (record, checkpoints) = (folder.record(), folder.checkpoints());
        let checkpointed = Some((checkpoints.as_path(), Every::Steps(2)));
        let place = Place { record: &record, checkpoints: checkpointed, needed: None, data: None };
        let mut notes = Vec::new();
        let mut steps = 0;
        let began = Instant::now();
        let result = train(
            &config,
            &place,
            |news| {
                if let News::Note(note) = news {
                    notes.push(note);
                }
            },
            |t| {
                assert!(t <= config.steps);
                steps += 1;
                if steps == 5 { Order::Drop } else { Order::GoOn }
            },
        );
        assert!(began.elapsed() < Duration::from_secs(5), "case {case}: {:?}: {notes:?}", began.elapsed());
        let is_afresh = notes.last().is_some_and(|note| note == "starts afresh");
        assert!(is_afresh || notes.last().is_some_and(|note| note.contains("goes on from")), "{notes:?}");
        counts[if result.is_err() { 2 } else { usize::from(is_afresh) }] += 1;
        assert!(!(is_afresh && result.is_err()), "case {case}: {result:?}");
    }
    println!("{} went on, {} started afresh, {} failed in a step", counts[0], counts[1], counts[2]);
    assert!(counts[0] > 50 && counts[1] > 200, "{counts:?}");
}

/// The checkpoint `body` with one of its arrays changed, or its bytes.
fn other(body: &[u8], stream: &mut Stream) -> Vec<u8> {
    use safetensors::tensor::{Dtype, SafeTensors, TensorView};
    const NUMBERS: [u64; 7] = [
        0,
        u64::MAX,
        i64::MAX as u64,
        1 << 40,
        f64::NAN.to_bits(),
        1e308f64.to_bits(),
        // Two numbers of float32.
        0x7f7f_ffff_ff80_0000,
    ];
    let mut body = body.to_vec();
    if stream.index(5) == 0 {
        // Most of it is the header.
        let at = stream.index(body.len().min(4000));
        body[at] ^= 1 << stream.index(8);
        return body;
    }
    let tensors = SafeTensors::deserialize(&body).unwrap();
    let mut arrays: Vec<(String, Dtype, Vec<u8>)> =
        tensors.iter().map(|(name, of)| (name.to_owned(), of.dtype(), of.data().to_vec())).collect();
    arrays.sort_by(|a, b| a.0.cmp(&b.0));
    let which = stream.index(arrays.len());
    let (name, dtype, bytes) = &mut arrays[which];
    let number = NUMBERS[stream.index(NUMBERS.len())].to_le_bytes();
    match stream.index(6) {
        0 => name.push('x'),
        1 => *dtype = [Dtype::U8, Dtype::I64, Dtype::F16][stream.index(3)],
        2 => bytes.truncate(bytes.len() / 16 * 8),
        3 => bytes.extend(number),
        4 => bytes.chunks_mut(8).for_each(|piece| piece.copy_from_slice(&number[..piece.len()])),
        _ => {
            let at = stream.index(bytes.len().div_ceil(8).max(1)) * 8;
            if let Some(piece) = bytes.get_mut(at..) {
                let size = piece.len().min(8);
                piece[..size].copy_from_slice(&number[..size]);
            }
        }
    }
    let size = |dtype: Dtype| dtype.bitsize() / 8;
    let views = arrays.iter().map(|(name, dtype, bytes)| {
        let whole = bytes.len() / size(*dtype) * size(*dtype);
        (name, TensorView::new(*dtype, vec![whole / size(*dtype)], &bytes[..whole]).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn missing_rows_are_missed() {
    let config = config("InvertedPendulum-v5", 0);
    for (file, expected) in
        [("2.journal", "goes on from its checkpoint at step 240"), ("1.journal", "starts afresh")]
    {
        let folder = Folder::new(None);
        folder.train(&config, 60, |t| if t == 330 { Order::Drop } else { Order::GoOn });
        fs::remove_file(folder.checkpoints().join(file)).unwrap();
        let (_, notes) = folder.train(&config, 60, |_| Order::Drop);
        assert_eq!(notes.last().unwrap(), expected, "{notes:?}");
    }
}

#[test]
fn a_checkpoint_of_another_program_is_refused() {
    let config = config("InvertedPendulum-v5", 0);
    let expected = undisturbed(&config, None).1;
    let folder = Folder::new(None);
    folder.train(&config, 60, |t| if t == 130 { Order::Drop } else { Order::GoOn });
    // The same bytes with another program's hash, and the checksum of that.
    let (mut checkpoints, found) = disk::Checkpoints::open(&folder.checkpoints()).unwrap();
    let needle = b"binary_sha256 = \"";
    for (_, body) in found.good.iter().rev() {
        let mut body = body.clone();
        let at = body.windows(needle.len()).position(|window| window == needle).unwrap() + needle.len();
        body[at..at + 12].copy_from_slice(b"otherprogram");
        checkpoints.write(&body).unwrap();
    }
    let (_, notes) = folder.train(&config, 60, |_| Order::GoOn);
    assert!(notes[0].contains("it was made with another program (otherprogram instead of "), "{notes:?}");
    assert_eq!(notes.last().unwrap(), "starts afresh");
    assert!(folder.files() == expected);
}

/// What the disk does not hand out for a moment is not lost: the run fails as one to try again, and goes on later.
#[test]
fn a_checkpoint_that_cannot_be_read_is_kept() {
    let config = config("InvertedPendulum-v5", 0);
    let expected = undisturbed(&config, None).1;
    let folder = Folder::new(None);
    folder.train(&config, 60, |t| if t == 130 { Order::Drop } else { Order::GoOn });
    for name in ["a.checkpoint", "b.checkpoint", "0.journal"] {
        // A folder in the file's place cannot be read as one.
        let (file, kept) = (folder.checkpoints().join(name), folder.checkpoints().join("kept"));
        fs::rename(&file, &kept).unwrap();
        fs::create_dir(&file).unwrap();
        let (record, checkpoints) = (folder.record(), folder.checkpoints());
        let checkpointed = Some((checkpoints.as_path(), Every::Steps(60)));
        let place = Place { record: &record, checkpoints: checkpointed, needed: None, data: None };
        let error = train(&config, &place, |_| {}, |_| Order::GoOn).unwrap_err();
        assert!(error.is::<disk::Error>() && error.to_string().contains(name), "{error:#}");
        fs::remove_dir(&file).unwrap();
        fs::rename(&kept, &file).unwrap();
    }
    let (_, notes) = folder.train(&config, 60, |_| Order::GoOn);
    assert_eq!(notes, ["goes on from its checkpoint at step 120"]);
    assert!(folder.files() == expected);
}
