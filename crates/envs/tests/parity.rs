//! Gymnasium's own trajectories, replayed to the last bit. `tests/parity/record.py` records them and says what is in
//! the files. These need libmujoco: the first run fetches it, and without a network they fail with the message that
//! says what to put where.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]

use datasets::npz::{Reader, Values};
use envs::{Actions, MujocoEnv, Rollout};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

fn golden(id: &str, dtype: &str) -> Reader {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/golden"));
    Reader::open(&folder.join(format!("{id}.{dtype}.npz"))).unwrap()
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

fn check(id: &str, dtype: &str) {
    let mut file = golden(id, dtype);
    let (qpos, qvel) = (doubles(&mut file, "qpos"), doubles(&mut file, "qvel"));
    let actions = match (dtype, file.array("actions").unwrap().values) {
        ("f32", Values::F32(actions)) => Actions::F32(actions),
        ("f64", Values::F64(actions)) => Actions::F64(actions),
        (_, other) => panic!("actions of {id}.{dtype} are {other:?}"),
    };
    let found = envs::rollout(&mut MujocoEnv::new(id).unwrap(), &qpos, &qvel, &actions).unwrap();

    let Values::U8(fingerprints) = file.array("fingerprints").unwrap().values else { panic!("{id}.{dtype}") };
    let (fingerprints, _) = fingerprints.as_chunks::<8>();
    assert_eq!(fingerprints.len(), 1006);
    assert_eq!(found.rewards.len(), 1005);
    if let Some(t) = (0..=1005).find(|&t| fingerprint(&found, t) != fingerprints[t]) {
        panic!(
            "{id} with {dtype} actions: the first step that differs is {t} (0 is the reset).\n{}\n\
             Where all differences begin near 1e-16, this machine's sin and cos round differently: see what \
             `tests/parity/record.py record --check` says of your own Gymnasium.",
            in_numbers(&mut file, &found)
        );
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
                check($id, "f32");
                check($id, "f64");
            }
        )*

        #[test]
        fn every_task_is_replayed() {
            let ids: Vec<_> = envs::list().iter().map(|spec| spec.id).collect();
            assert_eq!(ids, [$($id),*]);
        }
    };
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
}
