//! What we write: the same bytes every time, read back as it was, and opened by h5py, numpy and minari.
//!
//! `REPRISE_PYTHON` names a Python that has the packages of `tests/goldens/datasets/requirements.txt`, as `.ci/run` does:
//! then a comparison that cannot be made is a failure. Else the system's is tried, and the test says if it skipped.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use datasets::offline::{Expected, load, load_labelled};
use datasets::{Dtype, Extra, MinariAbout, Recorder, Replay, Step, inspect};
use diagnostics::BadInput;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use streams::Stream;

/// Three episodes, of which one ends by its task and two by time.
const LENGTHS: [usize; 3] = [7, 12, 5000];
const SIZES: (usize, usize) = (3, 2);

struct Made {
    recorder: Recorder,
    columns: BTreeMap<&'static str, Vec<Vec<f64>>>,
}

fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&x| f64::from(x)).collect()
}

/// One episode in a recorder of its own, as a worker makes it.
fn episode(number: usize, columns: &mut BTreeMap<&'static str, Vec<Vec<f64>>>) -> Recorder {
    let extras = vec![Extra::new("infos/qpos", 2, Dtype::F64), Extra::new("infos/qvel", 2, Dtype::F32)];
    let mut recorder = Recorder::new(SIZES, extras);
    let stream = &mut Stream::new(number as u64, "record");
    let mut draw = |width: usize| -> Vec<f32> { (0..width).map(|_| stream.uniform() as f32).collect() };
    let mut s = draw(3);
    for step in 0..LENGTHS[number] {
        let (a, next, qpos, goal) = (draw(2), draw(3), wide(&draw(2)), wide(&draw(2)));
        let reward = draw(1)[0];
        let last = step + 1 == LENGTHS[number];
        let (terminal, timeout) = (last && number == 0, last && number != 0);
        recorder.push(&Step {
            observation: &s,
            action: &a,
            reward,
            terminal,
            timeout,
            next_observation: &next,
            extras: &[&qpos, &goal],
        });
        for (name, row) in [
            ("observations", wide(&s)),
            ("actions", wide(&a)),
            ("rewards", vec![f64::from(reward)]),
            ("terminals", vec![f64::from(u8::from(terminal))]),
            ("timeouts", vec![f64::from(u8::from(timeout))]),
            ("next_observations", wide(&next)),
            ("infos/qpos", qpos),
            ("infos/qvel", goal),
        ] {
            columns.entry(name).or_default().push(row);
        }
        s = next;
    }
    recorder
}

fn made() -> Made {
    let mut columns = BTreeMap::new();
    let mut episodes =
        (0..LENGTHS.len()).map(|number| episode(number, &mut columns)).collect::<Vec<_>>().into_iter();
    let mut recorder = episodes.next().unwrap();
    episodes.for_each(|episode| recorder.append(episode));
    Made { recorder, columns }
}

/// The rows of OGBench's layout, a state each.
fn states(columns: &BTreeMap<&'static str, Vec<Vec<f64>>>) -> Recorder {
    let extras = vec![Extra::new("qpos", 2, Dtype::F32), Extra::new("button_states", 1, Dtype::I64)];
    let mut states = Recorder::new(SIZES, extras);
    let narrow = |row: &[f64]| row.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    for (row, s) in columns["observations"].iter().enumerate() {
        let s = narrow(s);
        let ends = columns["terminals"][row][0] + columns["timeouts"][row][0] > 0.0;
        states.push(&Step {
            observation: &s,
            action: &narrow(&columns["actions"][row]),
            reward: 0.0,
            terminal: ends,
            timeout: false,
            next_observation: &s,
            extras: &[&columns["infos/qpos"][row], &[(row % 2) as f64]],
        });
    }
    states
}

/// All three layouts below `folder`; what it returns are the files.
fn write_all(folder: &Path, made: &Made) -> [PathBuf; 3] {
    let provenance = BTreeMap::from([("policy", "random"), ("seed", "0")]);
    let paths = ["d4rl.hdf5", "ogbench.npz", "minari/gen/small-v0"].map(|name| folder.join(name));
    made.recorder.write_d4rl(&paths[0], true, &provenance).unwrap();
    states(&made.columns).write_ogbench(&paths[1], &provenance).unwrap();
    let about =
        MinariAbout { id: "gen/small-v0", algorithm: "random", description: "a test", action_limit: 1.0 };
    made.recorder.write_minari(&paths[2], &about, &provenance).unwrap();
    paths
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let below = self::files(&path).into_iter();
            files.extend(below.map(|(name, bytes)| (Path::new(path.file_name().unwrap()).join(name), bytes)));
        } else {
            files.insert(path.file_name().unwrap().into(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn the_same_steps_are_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_all(one.path(), &made());
    // Over what is there, too.
    for _ in 0..2 {
        write_all(two.path(), &made());
    }
    let files = files(one.path());
    let names: Vec<&str> = files.keys().map(|name| name.to_str().unwrap()).collect();
    let minari = "minari/gen/small-v0/data";
    let expected = [
        "d4rl.hdf5",
        "d4rl.hdf5.toml",
        &format!("{minari}/main_data.hdf5"),
        &format!("{minari}/main_data.hdf5.toml"),
        &format!("{minari}/metadata.json"),
        "ogbench.npz",
        "ogbench.npz.toml",
    ];
    assert_eq!(names, expected);
    assert_eq!(files, self::files(two.path()));
    let side_car = String::from_utf8(files[Path::new("d4rl.hdf5.toml")].clone()).unwrap();
    let (size, sha256) = fetch::digest(&one.path().join("d4rl.hdf5")).unwrap();
    for expect in [
        format!("size = {size}\nsha256 = \"{sha256}\""),
        "rows = 5019\nepisodes = 3\n".to_owned(),
        "[provenance]\npolicy = \"random\"".to_owned(),
    ] {
        assert!(side_car.contains(&expect), "{side_car}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let made = made();
    let [d4rl, ogbench, minari] = write_all(folder.path(), &made);
    let expected = Expected { observation_dim: 3, action_dim: 2, max_episode_steps: 1000 };

    let report = inspect(&d4rl).unwrap();
    assert_eq!((report.rows, report.episodes, report.terminals, report.timeouts), (5019, 3, 1, Some(2)));
    // D4RL's rows at a time limit are left out, and so is the last.
    let kept = |row: usize| row != 18 && row != 5018;
    compare(&load(&d4rl, &expected).unwrap(), &made, kept, |row| {
        // Of a terminal row, s′ is the next row's s.
        if row == 6 { "observations" } else { "next_observations" }
    });
    let report = inspect(&minari).unwrap();
    assert_eq!((report.rows, report.episodes, report.terminals, report.timeouts), (5019, 3, 1, Some(2)));
    compare(&load(&minari, &expected).unwrap(), &made, |_| true, |_| "next_observations");
    // Of OGBench's, the last state of an episode is only the s′ of the one before.
    let replay =
        load_labelled(&ogbench, &expected, &[("button_states", 1)], &mut |state| (state.arrays[0][0], false));
    let replay = replay.unwrap();
    assert_eq!(replay.len(), 5019 - 3);
    assert!((0..6).all(|i| replay.transition(i).reward == (i % 2) as f32));
}

/// Compares the rows of `replay` with those of `made` that are kept; `next` names the column that s′ is of, of which
/// `observations` means the next row's.
fn compare(replay: &Replay, made: &Made, kept: impl Fn(usize) -> bool, next: impl Fn(usize) -> &'static str) {
    let rows: Vec<usize> = (0..LENGTHS.iter().sum()).filter(|&row| kept(row)).collect();
    assert_eq!(replay.len(), rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        let found = replay.transition(index);
        let column = |name: &str, row: usize| &made.columns[name][row];
        let next = if next(row) == "observations" { row + 1 } else { row };
        let name = if next == row { "next_observations" } else { "observations" };
        assert_eq!(&wide(found.observation), column("observations", row), "row {row}");
        assert_eq!(&wide(found.action), column("actions", row), "row {row}");
        assert_eq!(&wide(&[found.reward, 1.0 - found.not_terminal])[..1], &column("rewards", row)[..]);
        assert_eq!(f64::from(1.0 - found.not_terminal), column("terminals", row)[0], "row {row}");
        assert_eq!(&wide(found.next_observation), column(name, next), "row {row}");
    }
}

/// As D4RL relabels AntMaze: at the goal a row is terminal, and its episode goes on.
#[test]
fn a_goal_that_is_reached_ends_no_episode() {
    let mut recorder = Recorder::new((1, 1), vec![Extra::new("infos/goal", 2, Dtype::F32)]);
    for row in 0..20 {
        let at_goal = [3, 4, 13].contains(&row);
        recorder.push(&Step {
            observation: &[row as f32],
            action: &[0.0],
            reward: f32::from(u8::from(at_goal)),
            terminal: at_goal,
            timeout: row % 10 == 9,
            next_observation: &[row as f32 + 1.0],
            extras: &[&[1.0, 2.0]],
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    recorder.write_d4rl(&path, false, &BTreeMap::<String, String>::new()).unwrap();
    let report = inspect(&path).unwrap();
    assert_eq!((report.episodes, report.terminals, report.timeouts), (2, 3, Some(2)));
    assert_eq!(report.returns.map(|returns| (returns.min, returns.max)), Some((1.0, 2.0)));
    let side_car = fs::read_to_string(folder.path().join("x.hdf5.toml")).unwrap();
    assert!(side_car.contains("episodes = 2\n") && side_car.contains("mean = 1.5\n"), "{side_car}");
}

#[test]
fn a_place_that_cannot_be_written_to_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = BTreeMap::<String, String>::new();
    let path = folder.path().join("no/such/x.hdf5");
    // Of the kind that is tried again, as a disk may be full.
    for result in
        [made().recorder.write_d4rl(&path, false, &nothing), made().recorder.write_ogbench(&path, &nothing)]
    {
        let error = result.unwrap_err();
        assert!(error.is::<disk::Error>() && error.to_string().contains("cannot write "), "{error:#}");
    }
    let error = Recorder::new(SIZES, vec![]).write_d4rl(&path, false, &nothing).unwrap_err();
    assert!(error.is::<BadInput>() && error.to_string().contains("nothing to write"), "{error:#}");
}

#[test]
fn other_programs_open_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let made = made();
    write_all(folder.path(), &made);
    // A row of one number is a number, as in the files.
    let flat = |name: &&str, rows: &[Vec<f64>]| match *name {
        "rewards" | "terminals" | "timeouts" => serde_json::json!(rows.concat()),
        _ => serde_json::json!(rows),
    };
    let columns: BTreeMap<&str, serde_json::Value> =
        made.columns.iter().map(|(name, rows)| (*name, flat(name, rows))).collect();
    let mut episodes = Vec::new();
    for length in LENGTHS {
        let begin = episodes.last().map_or(0, |(_, end)| *end);
        episodes.push((begin, begin + length));
    }
    let expected = serde_json::json!({ "rows": 5019, "episodes": episodes, "columns": columns });
    fs::write(folder.path().join("expected.json"), expected.to_string()).unwrap();
    let required = std::env::var_os("REPRISE_PYTHON");
    let python = required.clone().unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/datasets/open.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output();
    let skipped = output.as_ref().map_or(true, |output| output.status.code() == Some(3));
    if skipped && required.is_none() {
        // Past the test harness, which would swallow it.
        let packages = "tests/goldens/datasets/requirements.txt";
        writeln!(std::io::stderr(), "SKIPPED: no Python with the packages of {packages}").unwrap();
        return;
    }
    let output = output.unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", told.concat());
    assert!(told[0].contains("5019 rows agree in three layouts"), "{}", told.concat());
}
