//! What each fuzzer does with its bytes, which `tests/mutations.rs` does too, with files damaged at random.
//!
//! A function says whether the bytes could be read. It panics where the product panics, where what was read cannot be
//! used, and where a refusal does not name the file.

#![allow(clippy::unwrap_used, reason = "a fuzzer says what fails by failing there")]
#![allow(
    clippy::new_without_default,
    missing_docs,
    unreachable_pub,
    reason = "nothing else takes it for a library"
)]

use agents::Actor;
use candle_core::Device;
use datasets::{Drawn, Replay, npz};
use disk::{Checkpoints, Journal, Mark};
use experiment::{
    Evaluations, Experiment, Expert, Plan, Policy, Provenance, Row, RunConfig, Selection, State, Status,
    Store, Timing,
};
use report::scores::{Curve, ScoreFile, parse_csv, parse_curves, parse_json, progress};
use report::study::Study;
use report::{figure, figures, html, results, sensitivity, tables, verdicts};
use state::Archive;
use stats::Aggregate;
use std::fmt::Display;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use streams::Stream;

/// The value, where there is one; a refusal names `file`.
fn named<T, E: Display>(file: &str, result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let told = format!("{error:#}");
            assert!(told.contains(file), "{file} is not named: {told}");
            None
        }
    }
}

/// Long CSV, as scores and as learning curves.
pub fn scores_csv(bytes: &[u8]) -> bool {
    let scores = named("scores.csv", parse_csv("scores.csv", bytes));
    let curves = named("scores.csv", parse_curves("scores.csv", bytes));
    scores.iter().for_each(use_scores);
    curves.iter().for_each(|curves| use_curves(curves));
    scores.is_some() || curves.is_some()
}

/// JSON matrices.
pub fn scores_json(bytes: &[u8]) -> bool {
    let scores = named("scores.json", parse_json("scores.json", &String::from_utf8_lossy(bytes)));
    scores.iter().for_each(use_scores);
    scores.is_some()
}

/// What can be asked of scores that were read.
fn use_scores(file: &ScoreFile) {
    for scores in file.algorithms.values() {
        assert_eq!(scores.tasks().len(), file.tasks.len());
        for aggregate in [Aggregate::Iqm, Aggregate::Median, Aggregate::OptimalityGap { gamma: 1.0 }] {
            let of = |draw: &[Vec<usize>]| scores.aggregate(aggregate, draw);
            stats::bootstrap(&scores.runs(), 3, 0, "mutations", of);
            assert!(of(&scores.all()).is_none_or(f64::is_finite));
        }
    }
}

fn use_curves(curves: &[Curve]) {
    assert!(curves.iter().all(|curve| curve.evaluations.values().flatten().all(|score| score.is_finite())));
    assert!(curves.iter().all(|curve| curve.best().is_some() || curve.evaluations.is_empty()));
    drop(progress("curves.csv", curves));
}

pub fn protocol(bytes: &[u8]) -> bool {
    PAPER.with(|paper| paper.experiment("protocol.toml", bytes))
}

pub fn reference(bytes: &[u8]) -> bool {
    PAPER.with(|paper| paper.experiment("reference.toml", bytes))
}

pub fn claims(bytes: &[u8]) -> bool {
    PAPER.with(|paper| paper.experiment("claims.toml", bytes))
}

/// A file of a run's record; its name is the first line.
pub fn record(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let (name, content) = (&bytes[..end], &bytes[end + 1..]);
    let Some(name) = RECORD.iter().find(|known| known.as_bytes() == name) else { return false };
    PAPER.with(|paper| paper.record(name, content))
}

/// The files of a record, and those below `.work/` while it is made.
const RECORD: [&str; 10] = [
    "config.toml",
    "evals.csv",
    "train.csv",
    "status.toml",
    "timing.toml",
    "provenance.toml",
    "expert.toml",
    "scene.csv",
    ".work/progress.toml",
    ".work/status.toml",
];

/// Each of these files as it should be, as [`record`] takes it.
pub fn files_of_a_record() -> Vec<(String, Vec<u8>)> {
    let of = |name: &&str| {
        let content = PAPER.with(|paper| match *name {
            ".work/progress.toml" => b"step = 10\nlast_return = 1.5\nsteps_per_second = 100.0\n".to_vec(),
            "scene.csv" => b"what,action_1,action_3,value\ndata,0.5,-0.25,1\nwinner,0.5,-0.5,0.5\ncandidate,0,0,0\ndraw,1,-1,2\n\
                grid,-1,-1,0\ngrid,1,-1,1\ngrid,-1,1,2\ngrid,1,1,3\n"
                .to_vec(),
            ".work/status.toml" => {
                b"state = \"failed\"\nsteps = 10\nupdates = 0\ntries = 3\nerror = \"why\"\n".to_vec()
            }
            "expert.toml" => fs::read(paper.store.directory(&paper.expert).join(name)).unwrap(),
            name => fs::read(paper.store.directory(&paper.run).join(name)).unwrap(),
        });
        (name.trim_start_matches('.').replace('/', "-"), [name.as_bytes(), b"\n", &content].concat())
    };
    RECORD.iter().map(of).collect()
}

/// A paper with a record of each of its runs.
struct Paper {
    folder: tempfile::TempDir,
    store: Store,
    /// The run of which a file is damaged, and the expert's.
    run: RunConfig,
    expert: RunConfig,
}

thread_local! {
    static PAPER: Paper = Paper::new();
}

impl Paper {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("experiments/p");
        fs::create_dir_all(&files).unwrap();
        fs::write(files.join("protocol.toml"), include_str!("../corpus/protocol/plain.toml")).unwrap();
        fs::write(files.join("reference.toml"), include_str!("../corpus/reference/plain.toml")).unwrap();
        fs::write(files.join("claims.toml"), include_str!("../corpus/claims/plain.toml")).unwrap();
        let experiment = Experiment::read(folder.path(), "p").unwrap();
        let plan =
            Plan::new(&experiment, &experiment.protocol.profile["all"], &Selection::default()).unwrap();
        let store = Store::open(&folder.path().join("results"), "p").unwrap();
        drop(store.lock("p").unwrap());
        let configs = || plan.cells.iter().map(|cell| &cell.config);
        configs().for_each(|config| write_record(&store, config));
        let run = configs().find(|config| config.arm == "td3").unwrap().clone();
        let expert = configs().find(|config| config.expert.is_some()).unwrap().clone();
        Self { folder, store, run, expert }
    }

    /// `read` with `bytes` in place of the file at `path`.
    fn with<T>(path: &Path, bytes: &[u8], read: impl FnOnce() -> T) -> T {
        let whole = fs::read(path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        let result = read();
        match whole {
            Some(whole) => fs::write(path, whole).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        result
    }

    fn experiment(&self, file: &str, bytes: &[u8]) -> bool {
        let path = self.folder.path().join("experiments/p").join(file);
        Self::with(&path, bytes, || {
            let read = Experiment::read(self.folder.path(), "p");
            // What stands in one file may be found wrong at another's place.
            let Some(mut experiment) = named(".toml", read) else { return false };
            experiment.protocol.statistics.resamples = 20;
            for (name, profile) in &experiment.protocol.profile {
                let Ok(plan) = Plan::new(&experiment, profile, &Selection::default()) else { continue };
                for config in plan.cells.iter().map(|cell| &cell.config).take(100) {
                    let again = RunConfig::parse("config.toml", &config.to_toml()).unwrap();
                    assert_eq!(again, *config);
                    let directory = config.directory();
                    let parts: Vec<Component<'_>> = Path::new(&directory).components().collect();
                    assert!(
                        parts.len() == 3 && parts.iter().all(|part| matches!(part, Component::Normal(_)))
                    );
                }
                if plan.cells.len() < 100
                    && let Some(study) = named("results", Study::load(&experiment, name, &self.store))
                {
                    use_study(&study);
                }
            }
            true
        })
    }

    fn record(&self, name: &str, bytes: &[u8]) -> bool {
        let config = if name == "expert.toml" { &self.expert } else { &self.run };
        if let Some(name) = name.strip_prefix(".work/") {
            let status = self.store.directory(config).join("status.toml");
            let path = self.store.checkpoints(config).with_file_name(name);
            fs::create_dir_all(self.store.checkpoints(config)).unwrap();
            fs::rename(&status, status.with_extension("away")).unwrap();
            let state = Self::with(&path, bytes, || self.store.state(config));
            fs::rename(status.with_extension("away"), &status).unwrap();
            drop(state);
            return self.store.has(config);
        }
        let path = self.store.directory(config).join(name);
        Self::with(&path, bytes, || {
            let directory = path.parent().unwrap().to_str().unwrap();
            drop(named(directory, self.store.run(config)));
            let mut experiment = Experiment::read(self.folder.path(), "p").unwrap();
            experiment.protocol.statistics.resamples = 20;
            let Some(study) = named(directory, Study::load(&experiment, "all", &self.store)) else {
                return false;
            };
            use_study(&study)
        })
    }
}

/// Whether a page could be made of it, and everything else that is.
fn use_study(study: &Study) -> bool {
    let answers = verdicts::answers(study);
    let tables = [
        tables::scores(study),
        tables::experts(study),
        tables::windows(study),
        tables::verdicts(&answers),
        tables::claims(study, &answers),
        tables::runs(study),
        tables::references(&results::comparisons(study)),
        sensitivity::sensitivity(study),
    ];
    tables.iter().for_each(|table| drop((table.markdown(), table.latex(), table.csv(), table.plain(100))));
    let pictures = figures::pictures(study, &answers);
    // Drawing takes the most of the time: one picture stands for all.
    pictures.first().map(|picture| figure::svg(&picture.figure));
    named("provenance.toml", html::page(study, &answers, &[])).is_some()
}

fn write_record(store: &Store, config: &RunConfig) {
    let directory = store.directory(config);
    fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, text: String| fs::write(directory.join(name), text).unwrap();
    let episodes = config.evaluation.episodes;
    let mut evaluations = Evaluations::header(episodes);
    for i in 0..=config.steps / config.evaluation.every {
        let value = (i * (config.seed + 2)) as f64;
        let (returns, lengths) = (vec![value, value + 1.0], vec![10; episodes]);
        let step = i * config.evaluation.every;
        evaluations += &Evaluations::line(&Row { step, policy: Policy::Learned, returns, lengths });
    }
    write("config.toml", config.to_toml());
    write("evals.csv", evaluations);
    write("train.csv", "step,critic_loss,actor_loss,episodes,episode_return\n".to_owned());
    let status = Status {
        state: State::Finished,
        steps: config.steps,
        updates: 1,
        tries: None,
        networks_sha256: None,
        error: None,
    };
    write("status.toml", toml::to_string(&status).unwrap());
    let timing = Timing {
        ended: 1,
        seconds: 1.0,
        update_seconds: 0.5,
        evaluation_seconds: 0.25,
        checkpoint_seconds: 0.0,
        resumptions: 0,
    };
    write("timing.toml", toml::to_string(&timing).unwrap());
    let provenance = Provenance {
        version: "0".to_owned(),
        commit: "0".to_owned(),
        binary_sha256: "0".to_owned(),
        mujoco_sha256: "0".to_owned(),
        cpu: "none".to_owned(),
        simd: "none".to_owned(),
        platform: "none".to_owned(),
        expert_sha256: None,
        networks_sha256: None,
        data_sha256: None,
    };
    write("provenance.toml", toml::to_string(&provenance).unwrap());
    let expert = Expert {
        step: 10,
        chosen_return: 5.0,
        score: 5.5,
        score_std: 1.0,
        episodes: 2,
        weights_sha256: "0".to_owned(),
    };
    if config.expert.is_some() {
        write("expert.toml", toml::to_string(&expert).unwrap());
    }
}

/// A checkpoint's file, and what is in it where the checksum is right.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.checkpoint"), bytes).unwrap();
    let (_, found) = Checkpoints::open(folder.path()).unwrap();
    assert_eq!(found.good.len() + found.damaged.len(), 1);
    for (_, body) in &found.good {
        let _ = archive(body);
    }
    !found.good.is_empty()
}

/// What a checkpoint holds, behind its checksum: something of every type that can be put away.
#[derive(Debug)]
pub struct Things {
    weights: Vec<f32>,
    moments: [f64; 3],
    rows: Vec<u64>,
    text: String,
    bytes: Vec<u8>,
    counts: (u32, usize, u64),
    mean: f32,
    took: Duration,
    draws: Stream,
}

impl Things {
    pub fn new() -> Self {
        Self {
            weights: vec![1.0, -0.5],
            moments: [0.0, 1.0, 2.0],
            rows: vec![1, 2, 3],
            text: "text".to_owned(),
            bytes: vec![0, 255],
            counts: (1, 2, 3),
            mean: 0.5,
            took: Duration::from_millis(1500),
            draws: Stream::new(0, "things"),
        }
    }

    pub fn state(&mut self, archive: &mut Archive) -> anyhow::Result<()> {
        archive.item("weights", &mut self.weights)?;
        archive.group("optimiser", |archive| {
            archive.item("moments", &mut self.moments[..])?;
            archive.item("rows", &mut self.rows)
        })?;
        archive.item("text", &mut self.text)?;
        archive.item("bytes", &mut self.bytes)?;
        archive.item("few", &mut self.counts.0)?;
        archive.item("index", &mut self.counts.1)?;
        archive.item("steps", &mut self.counts.2)?;
        archive.item("mean", &mut self.mean)?;
        archive.item("took", &mut self.took)?;
        archive.item("draws", &mut self.draws)
    }
}

pub fn archive(bytes: &[u8]) -> bool {
    let mut things = Things::new();
    let is_loaded = Archive::load(bytes, |archive| things.state(archive)).is_ok();
    // Whatever was loaded can be used.
    let _ = (things.took + things.took, things.draws.normal(), things.draws.position());
    is_loaded
}

/// A journal's file; and the same bytes as what lies behind right checksums: first row, number of rows, values.
pub fn journal(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("0.journal"), bytes).unwrap();
    let mark = Mark { file: 0, bytes: bytes.len() as u64 };
    let mut found = Journal::new(folder.path(), 8);
    let is_read = named("0.journal", found.read(mark, |_, _, _| Ok(()))).is_some();

    let Some((numbers, rest)) = bytes.split_at_checked(16) else { return is_read };
    let number = |at: usize| u64::from_le_bytes(numbers[at..at + 8].try_into().unwrap());
    let values: Vec<f32> = rest.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    // The last eight are the row that is not settled, as a checkpoint has it.
    let (rows, rest) = values.split_at(values.len().saturating_sub(8));
    let (row, last) = rest.split_at(rest.len().min(6));
    let mut replay = Replay::new((2, 1), 8);
    if replay.take_settled(number(0), number(8), rows).is_err() {
        return is_read;
    }
    let mut settled = replay.settled() + 1;
    let body = Archive::save(|archive| {
        archive.item("settled", &mut settled)?;
        archive.item("row", &mut row.to_vec())?;
        archive.item("last", &mut last.to_vec())
    });
    let is_loaded = Archive::load(&body.unwrap(), |archive| replay.state(archive)).is_ok();
    if is_loaded && !replay.is_empty() {
        let mut drawn = Drawn::default();
        replay.draw(20, &mut Stream::new(0, "journal"), &mut drawn);
        assert_eq!(drawn.next_observations.len(), 40);
    }
    is_read || is_loaded
}

/// NumPy's archives. Nothing is written, whatever their members are called.
pub fn npz(bytes: &[u8]) -> bool {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("inner");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("x.npz");
    fs::write(&path, bytes).unwrap();
    let mut whole = 0;
    if let Some(mut reader) = named("x.npz", npz::Reader::open(&path)) {
        for name in reader.names() {
            assert!(reader.has(&name));
            if let Some(array) = named("x.npz", reader.array(&name)) {
                assert_eq!(array.shape.iter().product::<usize>(), array.values.len());
                whole += 1;
            }
        }
        assert!(named("x.npz", reader.array("no such array")).is_none());
    }
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!((entries(outer.path()), entries(&folder)), (vec![folder.clone()], vec![path]));
    whole > 0
}

/// An expert's weights, for a policy from 4 observations to 1 action.
pub fn expert(bytes: &[u8]) -> bool {
    let Ok(weights) = training::parse_weights(bytes) else { return false };
    let Ok(actor) = Actor::from_weights(&weights, (4, 1), 1.0, &Device::Cpu) else { return false };
    let mut action = [0.0];
    actor.act(&[0.1, 0.2, 0.3, 0.4], &mut action).unwrap();
    true
}
