//! The Python packages' own trajectories, replayed to the last bit. The scripts of `tests/parity` record them, and
//! `parity.py` says what is in the files. These need libmujoco: the first run fetches it, and without a network they fail with the message that
//! says what to put where.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]

use datasets::npz::{Reader, Values};
use envs::{Actions, Env, MujocoEnv, Rollout};
use mujoco::Data;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn golden(id: &str, dtype: &str) -> PathBuf {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/golden"));
    folder.join(format!("{id}.{dtype}.npz"))
}

fn doubles(file: &mut Reader, name: &str) -> Vec<f64> {
    match file.array(name).unwrap().values {
        Values::F64(values) => values,
        other => panic!("`{name}` holds {other:?}"),
    }
}

/// The first 8 bytes of the SHA-256 of what step `t` gave.
fn fingerprint(r: &Rollout, t: usize) -> [u8; 8] {
    let steps = r.rewards.len();
    let row = |values: &[f64], rows: usize, t: usize| {
        let width = values.len() / rows;
        values[t * width..(t + 1) * width].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()
    };
    let mut bytes = row(&r.observations, steps + 1, t);
    if t > 0 {
        bytes.extend(r.rewards[t - 1].to_le_bytes());
        bytes.extend([u8::from(r.terminated[t - 1]), u8::from(r.truncated[t - 1])]);
        bytes.extend(row(&r.qpos, steps, t - 1));
        bytes.extend(row(&r.qvel, steps, t - 1));
    }
    Sha256::digest(&bytes)[..8].try_into().unwrap()
}

/// Replays the files of a task, in single precision, in double precision or in both.
fn check(id: &str) {
    let recorded = ["f32", "f64"].into_iter().filter(|dtype| golden(id, dtype).exists());
    let n = recorded.inspect(|dtype| check_file(id, dtype)).count();
    assert!(n > 0, "{id}");
}

fn check_file(id: &str, dtype: &str) {
    let mut file = Reader::open(&golden(id, dtype)).unwrap();
    let (qpos, qvel) = (doubles(&mut file, "qpos"), doubles(&mut file, "qvel"));
    let actions = match (dtype, file.array("actions").unwrap().values) {
        ("f32", Values::F32(actions)) => Actions::F32(actions),
        ("f64", Values::F64(actions)) => Actions::F64(actions),
        (_, other) => panic!("actions of {id}.{dtype} are {other:?}"),
    };
    let mut env = MujocoEnv::new(id).unwrap();
    if env.spec().goal_dim > 0 {
        env.set_goal(&doubles(&mut file, "goal"));
    }
    let found = envs::rollout(&mut env, &qpos, &qvel, &actions).unwrap();
    if file.names().iter().any(|name| name == "rewards") {
        return check_nearly(&mut file, &found, id);
    }
    let Values::U8(fingerprints) = file.array("fingerprints").unwrap().values else { panic!("{id}.{dtype}") };
    let (fingerprints, _) = fingerprints.as_chunks::<8>();
    let steps = found.rewards.len();
    assert_eq!(steps, env.spec().max_episode_steps as usize + 5);
    assert_eq!(fingerprints.len(), steps + 1);
    if let Some(t) = (0..=steps).find(|&t| fingerprint(&found, t) != fingerprints[t]) {
        panic!(
            "{id} with {dtype} actions: the first step that differs is {t} (0 is the reset).\n{}\n\
             Where all differences begin near 1e-16, this machine's sin and cos round differently: see what \
             `record --check` of the scripts in `tests/parity` says of your own Python packages.",
            in_numbers(&mut file, &found)
        );
    }
}

/// Where the package's arithmetic is a linear algebra library's, a trajectory is met within 1e-9.
fn check_nearly(file: &mut Reader, found: &Rollout, id: &str) {
    for (name, found) in [("observations", &found.observations), ("rewards", &found.rewards)] {
        let expected = doubles(file, name);
        assert_eq!(expected.len(), found.len(), "{id} {name}");
        for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
            let off = (expected - found).abs();
            assert!(off <= 1e-9, "{id}: {found} instead of {expected} at entry {i} of {name}");
        }
    }
    for (name, found) in [("terminated", &found.terminated), ("truncated", &found.truncated)] {
        let Values::Bool(expected) = file.array(name).unwrap().values else { panic!("{id} {name}") };
        assert_eq!(&expected, found, "{id} {name}");
    }
}

/// The first entry that differs among the observations that are kept in full.
fn in_numbers(file: &mut Reader, found: &Rollout) -> String {
    let Values::I64(steps) = file.array("steps").unwrap().values else { panic!("steps") };
    let expected = doubles(file, "observations");
    let width = expected.len() / steps.len();
    for (expected, &t) in expected.chunks(width).zip(&steps) {
        let found = &found.observations[t as usize * width..][..width];
        if let Some(i) = (0..width).find(|&i| expected[i].to_bits() != found[i].to_bits()) {
            let (e, f) = (expected[i], found[i]);
            return format!("observation[{i}] at step {t}: expected {e:?}, found {f:?}, off by {:e}", f - e);
        }
    }
    "the observations that are kept in full are the same: a reward, a flag or the state differs".to_owned()
}

macro_rules! tasks {
    ($($name:ident $id:literal)*) => {
        $(
            #[test]
            fn $name() {
                check($id);
            }
        )*

        #[test]
        fn every_task_is_replayed() {
            let ids: BTreeSet<_> = envs::list().iter().map(|spec| stands_for(spec.id)).collect();
            assert_eq!(Vec::from_iter(ids), [$($id),*]);
        }
    };
}

/// The simulation alone, from joint targets that the package's own inverse kinematics gave.
#[test]
fn the_dynamics_of_manipulation_are_the_packages() {
    check_dynamics("cube-single");
    check_dynamics("puzzle-3x3");
}

fn check_dynamics(family: &str) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/golden"));
    let mut file = Reader::open(&folder.join(format!("{family}.dynamics.npz"))).unwrap();
    let env = MujocoEnv::new(&format!("{family}-singletask-task1-v0")).unwrap();
    let mut data = Data::new(env.data().model()).unwrap();
    data.qpos_mut().copy_from_slice(&doubles(&mut file, "qpos"));
    data.qvel_mut().copy_from_slice(&doubles(&mut file, "qvel"));
    data.forward();
    let Values::U8(fingerprints) = file.array("fingerprints").unwrap().values else { panic!("fingerprints") };
    let controls = doubles(&mut file, "controls");
    assert_eq!(controls.len(), 400 * 7);
    for (t, (controls, expected)) in controls.chunks(7).zip(fingerprints.chunks(8)).enumerate() {
        data.ctrl_mut().copy_from_slice(controls);
        data.step(env.spec().frame_skip);
        let state = data.qpos().iter().chain(data.qvel());
        let bytes: Vec<u8> = state.flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(&Sha256::digest(&bytes)[..8], expected, "{family}, step {t}");
    }
}

/// The task that stands for all those that differ from it in their data, or in their starts and goals.
fn stands_for(id: &str) -> String {
    let d4rl =
        [("umaze-diverse", "umaze"), ("medium-play", "medium-diverse"), ("large-diverse", "large-play")];
    for (others, recorded) in d4rl {
        if id == format!("antmaze-{others}-v2") {
            return format!("antmaze-{recorded}-v2");
        }
    }
    let adroit = ["door", "hammer", "pen", "relocate"];
    if let Some(family) = adroit.iter().find(|&family| id.starts_with(family)) {
        return format!("{family}-human-v1");
    }
    if let Some((family, _)) = id.split_once("-singletask") {
        return format!("{family}-singletask-task1-v0");
    }
    match id.split('-').next() {
        Some(family @ ("halfcheetah" | "hopper" | "walker2d")) => format!("{family}-medium-v2"),
        _ => id.to_owned(),
    }
}

#[test]
fn success_before_the_step_is_replayed_too() {
    check("antmaze-large-singletask-task1-pre-v0");
}

tasks! {
    ant_v4 "Ant-v4"
    ant_v5 "Ant-v5"
    half_cheetah_v4 "HalfCheetah-v4"
    half_cheetah_v5 "HalfCheetah-v5"
    hopper_v4 "Hopper-v4"
    hopper_v5 "Hopper-v5"
    humanoid_v4 "Humanoid-v4"
    humanoid_v5 "Humanoid-v5"
    inverted_pendulum_v4 "InvertedPendulum-v4"
    inverted_pendulum_v5 "InvertedPendulum-v5"
    walker2d_v4 "Walker2d-v4"
    walker2d_v5 "Walker2d-v5"
    antmaze_giant_singletask "antmaze-giant-singletask-task1-v0"
    antmaze_large_d4rl "antmaze-large-play-v2"
    antmaze_large_singletask "antmaze-large-singletask-task1-v0"
    antmaze_medium_d4rl "antmaze-medium-diverse-v2"
    antmaze_medium_singletask "antmaze-medium-singletask-task1-v0"
    antmaze_umaze_d4rl "antmaze-umaze-v2"
    antsoccer_arena "antsoccer-arena-singletask-task1-v0"
    antsoccer_medium "antsoccer-medium-singletask-task1-v0"
    cube_double "cube-double-singletask-task1-v0"
    cube_single "cube-single-singletask-task1-v0"
    door "door-human-v1"
    halfcheetah_d4rl "halfcheetah-medium-v2"
    hammer "hammer-human-v1"
    hopper_d4rl "hopper-medium-v2"
    humanoidmaze_giant "humanoidmaze-giant-singletask-task1-v0"
    humanoidmaze_large "humanoidmaze-large-singletask-task1-v0"
    humanoidmaze_medium "humanoidmaze-medium-singletask-task1-v0"
    online_ant_xy "online-ant-xy-v0"
    pen "pen-human-v1"
    pointmaze_giant_singletask "pointmaze-giant-singletask-task1-v0"
    pointmaze_large_singletask "pointmaze-large-singletask-task1-v0"
    pointmaze_medium_singletask "pointmaze-medium-singletask-task1-v0"
    puzzle_3x3 "puzzle-3x3-singletask-task1-v0"
    puzzle_4x4 "puzzle-4x4-singletask-task1-v0"
    relocate "relocate-human-v1"
    scene "scene-singletask-task1-v0"
    walker2d_d4rl "walker2d-medium-v2"
}
