//! Damaged and wrong files: a message that names file and array, never a panic, never memory that a file only claims.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use datasets::npz::{self, Array};
use datasets::offline::{Expected, load};
use datasets::{inspect, npz::Values};
use diagnostics::BadInput;
use rust_hdf5::{H5File, HBool};
use std::fs;
use std::path::{Path, PathBuf};
use streams::Stream;

const FIXTURES: [(&str, usize, usize); 7] = [
    ("d4rl-locomotion.hdf5", 11, 3),
    ("d4rl-replay.hdf5", 17, 6),
    ("d4rl-antmaze.hdf5", 29, 8),
    ("d4rl-old.hdf5", 11, 3),
    ("d4rl-latest.hdf5", 11, 3),
    ("ogbench.npz", 40, 5),
    ("minari.hdf5", 4, 2),
];

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/datasets").join(name)).unwrap()
}

/// A program that asks for the memory that a damaged file claims is ended here, not by the machine.
fn limit_memory() {
    let most = rustix::process::Rlimit { current: Some(4 << 30), maximum: Some(4 << 30) };
    rustix::process::setrlimit(rustix::process::Resource::As, most).unwrap();
}

fn read(path: &Path, (observation_dim, action_dim): (usize, usize)) -> [anyhow::Result<()>; 2] {
    let expected = Expected { observation_dim, action_dim, max_episode_steps: 1000 };
    [inspect(path).map(drop), load(path, &expected).map(drop)]
}

fn assert_named(error: &anyhow::Error, path: &Path, context: &str) {
    assert!(error.is::<BadInput>(), "{context}: {error:#}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{context}: {error}");
}

#[test]
fn a_file_cut_short_anywhere_is_named() {
    limit_memory();
    let folder = tempfile::tempdir().unwrap();
    for (name, observation, action) in FIXTURES {
        let (whole, path) = (fixture(name), folder.path().join(name));
        // Every block of a disk, the first bytes, and all but the last.
        let lengths = (0..whole.len()).step_by(512).chain(1..64).chain([whole.len() - 1]);
        for length in lengths {
            fs::write(&path, &whole[..length]).unwrap();
            let context = format!("{name}, {length} of {} bytes", whole.len());
            for result in read(&path, (observation, action)) {
                assert_named(&result.expect_err(&context), &path, &context);
            }
        }
    }
}

/// 700 files with some bytes changed, from a seed. What a checksum does not guard may read as other numbers: what counts
/// is that nothing panics, and that what is told is a message.
#[test]
fn files_with_changed_bytes_are_read_or_refused() {
    limit_memory();
    let folder = tempfile::tempdir().unwrap();
    let mut refused = 0;
    for (name, observation, action) in FIXTURES {
        let (whole, path) = (fixture(name), folder.path().join(name));
        let stream = &mut Stream::new(7, name);
        for case in 0..100 {
            let mut bytes = whole.clone();
            for _ in 0..1 + stream.index(4) {
                // Structure is at the beginning and, of zip, at the end: half the changes go there.
                let place = match stream.index(4) {
                    0 => stream.index(4096.min(bytes.len())),
                    1 => bytes.len() - 1 - stream.index(2048.min(bytes.len())),
                    _ => stream.index(bytes.len()),
                };
                bytes[place] = match stream.index(3) {
                    0 => 0xff,
                    1 => bytes[place] ^ (1 << stream.index(8)),
                    _ => stream.index(256) as u8,
                };
            }
            fs::write(&path, &bytes).unwrap();
            for result in read(&path, (observation, action)) {
                let Err(error) = result else { continue };
                refused += 1;
                assert_named(&error, &path, &format!("{name}, case {case}"));
            }
        }
    }
    assert!(refused > 300, "{refused} refusals: do the changes reach anything?");
}

/// A file in D4RL's layout, spoilt by `spoil`.
struct File {
    observations: (Vec<usize>, Vec<f32>),
    actions: (Vec<usize>, Vec<f32>),
    rewards: (Vec<usize>, Vec<f32>),
    terminals: Vec<bool>,
    timeouts: Vec<bool>,
}

impl File {
    fn new() -> Self {
        let flags = |at: &[usize]| (0..10).map(|row| at.contains(&row)).collect();
        Self {
            observations: (vec![10, 3], (0..30).map(|x| x as f32).collect()),
            actions: (vec![10, 2], vec![0.5; 20]),
            rewards: (vec![10], vec![1.0; 10]),
            terminals: flags(&[2]),
            timeouts: flags(&[6]),
        }
    }

    fn write(&self, path: &Path) {
        let file = H5File::create(path).unwrap();
        for (name, (shape, values)) in
            [("observations", &self.observations), ("actions", &self.actions), ("rewards", &self.rewards)]
        {
            file.new_dataset::<f32>().shape(shape).create(name).unwrap().write_raw(values).unwrap();
        }
        for (name, flags) in [("terminals", &self.terminals), ("timeouts", &self.timeouts)] {
            let flags: Vec<HBool> = flags.iter().map(|&flag| flag.into()).collect();
            file.new_dataset::<HBool>().shape([flags.len()]).create(name).unwrap().write_raw(&flags).unwrap();
        }
        file.close().unwrap();
    }
}

fn told(name: &str, spoil: &dyn Fn(&mut File)) -> [String; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut file = File::new();
    spoil(&mut file);
    file.write(&path);
    read(&path, (3, 2)).map(|result| match result {
        Ok(()) => String::new(),
        Err(error) => {
            assert!(error.is::<BadInput>(), "{error:#}");
            error.to_string().replace(path.to_str().unwrap(), "FILE")
        }
    })
}

#[test]
fn what_is_wrong_with_an_array_is_told() {
    assert_eq!(told("x.hdf5", &|_| {}), ["", ""]);
    let check = |spoil: &dyn Fn(&mut File), inspected: &str, loaded: &str| {
        assert_eq!(told("x.hdf5", spoil), [inspected, loaded]);
    };
    let nan = "`rewards` of FILE: row 4 holds NaN: expected finite numbers";
    check(&|file| file.rewards.1[4] = f32::NAN, nan, nan);
    check(
        &|file| file.actions.1[3] = f32::INFINITY,
        "`actions` of FILE: it holds a number that is not finite: expected none",
        "`actions` of FILE: row 1 holds inf: expected finite numbers",
    );
    let two = "`rewards` of FILE: a row has 2 numbers (its shape is [5, 2]): expected 1";
    check(&|file| file.rewards.0 = vec![5, 2], two, two);
    let short = "`rewards` of FILE: it has 9 rows: expected 10, as others have";
    check(&|file| file.rewards = (vec![9], vec![0.0; 9]), short, short);
    check(
        &|file| file.observations.0 = vec![30],
        "`observations` of FILE: it is float32 of shape [30]: expected rows of numbers",
        "`observations` of FILE: a row has 1 numbers (its shape is [30]): expected 3",
    );
    check(
        &|file| {
            file.terminals = vec![false; 10];
            file.timeouts = vec![false; 10];
        },
        "FILE holds no whole episode: no row of 10 ends one\n  help: expected rows that are marked in `terminals` or \
         `timeouts`",
        "",
    );
    check(
        &|file| file.timeouts = vec![true; 10],
        "",
        "FILE holds no transition\n  help: expected at least two rows of one episode",
    );
    // Of another task.
    check(
        &|file| file.observations = (vec![10, 4], vec![0.0; 40]),
        "",
        "`observations` of FILE: a row has 4 numbers (its shape is [10, 4]): expected 3",
    );
}

#[test]
fn a_name_that_is_not_the_files_kind_is_told() {
    let [inspected, loaded] = told("x.npz", &|_| {});
    assert_eq!(
        inspected,
        "FILE is an HDF5 file, but its name ends in .npz\n  help: rename it so that it ends in .hdf5"
    );
    assert_eq!(inspected, loaded);
}

fn say(path: &Path) -> String {
    let error = inspect(path).unwrap_err();
    assert!(error.is::<BadInput>(), "{error:#}");
    error.to_string().replace(path.to_str().unwrap(), "FILE")
}

#[test]
fn what_is_no_data_set_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("x.hdf5");
    assert!(say(&path).starts_with("cannot read FILE: "), "{}", say(&path));
    fs::write(&path, "<!DOCTYPE html><html>").unwrap();
    assert_eq!(
        say(&path),
        "FILE is neither an HDF5 file nor an .npz file: it begins with \"<!DOCTYPE html><html>\"\n  \
         help: fetch it again: a refused download leaves such a file"
    );
    fs::write(&path, "").unwrap();
    assert!(say(&path).contains("it is empty"), "{}", say(&path));

    // Text where numbers belong, and an array that is missing.
    let file = H5File::create(&path).unwrap();
    file.write_vlen_strings("actions", &["left", "right"]).unwrap();
    file.close().unwrap();
    assert_eq!(
        say(&path),
        "FILE has no `observations`: it holds actions\n  help: a file in D4RL's HDF5 has it"
    );
    let path = folder.path().join("y.npz");
    let rows = Array { shape: vec![2, 1], values: Values::F32(vec![0.0; 2]) };
    npz::write(&path, &[("observations", &rows), ("actions", &rows)]).unwrap();
    assert_eq!(
        say(&path),
        "FILE has no `terminals`: it holds actions, observations\n  help: a file in OGBench's npz has it"
    );
}
