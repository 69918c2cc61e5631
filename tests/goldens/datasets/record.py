"""Writes a small data set in each layout with h5py, numpy and minari, and golden.json, which says what is in them.

    python3 -m venv venv && venv/bin/pip install -r tests/goldens/datasets/requirements.txt
    venv/bin/python tests/goldens/datasets/record.py

The numbers are random; what matters is how they are stored, which follows D4RL's own files: column strips, float64
replay, truth values as enumerations, rewards of shape (N, 1), flags as floats. `qlearning` re-tells D4RL's
`qlearning_dataset`, and `ogbench` OGBench's loader, each a row at a time.
"""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import h5py
import minari
import numpy as np
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

# Minari would like to know the authors.
warnings.filterwarnings("ignore", module="minari")
HERE = Path(__file__).parent
golden = {}


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).astype("<f4").tobytes()).hexdigest()


def describe(array):
    if array.dtype.kind in "SO":
        return {"dtype": "string", "shape": list(array.shape)}
    wide = array.astype(np.float64)
    return {
        "dtype": str(array.dtype.newbyteorder("=")),
        "shape": list(array.shape),
        "min": float(wide.min()),
        "max": float(wide.max()),
        "mean": float(wide.mean()),
        "sha256_f32": sha(array),
    }


def transitions(rows):
    names = ["observations", "actions", "rewards", "terminals", "next_observations", "next_actions"][: len(rows[0])]
    columns = {name: np.array([row[i] for row in rows], dtype=np.float32) for i, name in enumerate(names)}
    return {"count": len(rows)} | {name: sha(column) for name, column in columns.items()}


def qlearning(arrays, limit):
    kept, episode_step = [], 0
    rewards, terminals = arrays["rewards"].reshape(-1), arrays["terminals"].reshape(-1)
    for i in range(len(rewards) - 1):
        done = bool(terminals[i])
        last = bool(arrays["timeouts"][i]) if "timeouts" in arrays else episode_step == limit - 1
        if last:
            episode_step = 0
            continue
        if done:
            episode_step = 0
        states, actions = arrays["observations"], arrays["actions"]
        kept.append([states[i], actions[i], rewards[i], done, states[i + 1], actions[i + 1]])
        episode_step += 1
    return transitions(kept)


def record(name, summary, arrays, expected, learner):
    described = {key: describe(np.asarray(array)) for key, array in sorted(arrays.items())}
    golden[name] = {"summary": summary, "arrays": described, "expected": expected, "transitions": learner}


def flat(file):
    arrays = {}
    file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def returns(rewards, ends):
    sums, total = [], 0.0
    for reward, end in zip(np.asarray(rewards, dtype=np.float32).reshape(-1).astype(np.float64), ends):
        total += reward
        if end:
            sums.append(total)
            total = 0.0
    if not sums:
        return None
    return {"mean": float(np.mean(sums)), "std": float(np.std(sums)), "min": min(sums), "max": max(sums)}


def d4rl(name, write, limit=1000, libver=None, goal_directed=False):
    with h5py.File(HERE / name, "w", libver=libver) as file:
        write(file)
    with h5py.File(HERE / name, "r") as file:
        arrays = flat(file)
    terminals = arrays["terminals"].reshape(-1) != 0
    timeouts = arrays["timeouts"] != 0 if "timeouts" in arrays else None
    if timeouts is None:
        ends = terminals
    else:
        ends = timeouts if goal_directed else timeouts | terminals
    learner = qlearning(arrays, limit)
    last = np.flatnonzero(ends)[-1]
    summary = {
        "layout": "d4rl",
        "rows": len(terminals),
        "transitions": learner["count"] if timeouts is not None else None,
        "episodes": int(ends.sum()),
        "unfinished_rows": int(len(ends) - 1 - last),
        "terminals": int(terminals.sum()),
        "timeouts": int(timeouts.sum()) if timeouts is not None else None,
        "returns": returns(arrays["rewards"], ends),
    }
    sizes = [arrays["observations"].shape[1], arrays["actions"].shape[1], limit]
    record(name, summary, arrays, sizes, learner)


def locomotion(file):
    rng, n = np.random.default_rng(0), 300
    zipped = dict(compression="gzip", compression_opts=4)
    observations = rng.normal(size=(n + 1, 11)).astype(np.float32)
    file.create_dataset("observations", data=observations[:-1], chunks=(40, 1), **zipped)
    file.create_dataset("next_observations", data=observations[1:], **zipped)
    file.create_dataset("actions", data=rng.uniform(-1, 1, (n, 3)).astype(np.float32), chunks=(75, 2), **zipped)
    file.create_dataset("rewards", data=rng.normal(size=n).astype(np.float32), **zipped)
    steps = np.arange(n)
    file.create_dataset("terminals", data=(steps % 47 == 31), **zipped)
    file.create_dataset("timeouts", data=(steps % 90 == 89), **zipped)
    file.create_dataset("infos/action_log_probs", data=rng.normal(size=n).astype(np.float32), **zipped)
    file.create_dataset("infos/qpos", data=rng.normal(size=(n, 6)), **zipped)
    file.create_dataset("infos/qvel", data=rng.normal(size=(n, 6)), **zipped)
    file["metadata/algorithm"] = np.bytes_("SAC")
    file["metadata/iteration"] = np.int32(303)
    file["metadata/policy/fc0/weight"] = rng.normal(size=(8, 11)).astype(np.float32)
    file["metadata/policy/nonlinearity"] = np.bytes_("relu")


def replay(file):
    rng, n = np.random.default_rng(1), 120
    for name, array in {
        "observations": rng.normal(size=(n, 17)),
        "actions": rng.uniform(-1, 1, (n, 6)),
        "rewards": rng.normal(size=(n, 1)),
        "terminals": np.zeros((n, 1), dtype=bool),
        "timeouts": np.arange(n) % 40 == 39,
    }.items():
        file.create_dataset(name, data=array, compression="gzip")


def antmaze(file):
    rng, n = np.random.default_rng(2), 160
    at_goal = np.isin(np.arange(n), [30, 31, 32, 90, 140]).astype(np.float64)
    for name, array in {
        "observations": rng.normal(size=(n, 29)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (n, 8)).astype(np.float32),
        "rewards": at_goal,
        "terminals": at_goal,
        "timeouts": np.arange(n) % 51 == 50,
        "infos/goal": rng.normal(size=(n, 2)),
        "infos/qpos": rng.normal(size=(n, 15)),
        "infos/qvel": rng.normal(size=(n, 14)),
    }.items():
        file.create_dataset(name, data=array, compression="gzip")


def old(file):
    rng, n = np.random.default_rng(3), 100
    file["observations"] = rng.normal(size=(n, 11)).astype(">f4")
    file["actions"] = rng.uniform(-1, 1, (n, 3)).astype(np.float32)
    file["rewards"] = rng.integers(-3, 3, (n, 1))
    file["terminals"] = (np.arange(n) % 37 == 36).astype(np.uint8)


def latest(file):
    rng, n = np.random.default_rng(4), 90
    zipped = dict(compression="gzip", shuffle=True, fletcher32=True)
    file.create_dataset("observations", data=rng.normal(size=(n, 11)).astype(np.float32), chunks=(32, 11), **zipped)
    file.create_dataset("actions", data=rng.uniform(-1, 1, (n, 3)).astype(np.float32), maxshape=(None, 3), **zipped)
    file.create_dataset("rewards", data=rng.normal(size=n).astype(np.float32), chunks=(90,), **zipped)
    file["terminals"] = np.arange(n) % 30 == 29
    file["timeouts"] = np.zeros(n, dtype=bool)


def ogbench(name):
    rng, episodes, length = np.random.default_rng(5), 6, 21
    n = episodes * length
    arrays = {
        "observations": rng.normal(size=(n, 40)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (n, 5)).astype(np.float32),
        "terminals": np.arange(n) % length == length - 1,
        "qpos": rng.normal(size=(n, 25)).astype(np.float32),
        "qvel": rng.normal(size=(n, 24)).astype(np.float32),
        "button_states": rng.integers(0, 2, (n, 2)),
    }
    np.savez_compressed(HERE / name, **arrays)
    # A made-up task: the first button down is the goal, and each button up costs one.
    rows = []
    for i in range(n - 1):
        if not arrays["terminals"][i]:
            buttons = arrays["button_states"][i]
            reward, done = float(buttons.sum() - 2), buttons[0] == 1
            states, actions = arrays["observations"], arrays["actions"]
            rows.append([states[i], actions[i], reward, done, states[i + 1], actions[i + 1]])
    summary = {
        "layout": "ogbench",
        "rows": n,
        "transitions": len(rows),
        "episodes": episodes,
        "unfinished_rows": 0,
        "terminals": episodes,
        "timeouts": None,
        "returns": None,
    }
    record(name, summary, arrays, [40, 5, length - 1], transitions(rows))


def minari_set(name):
    rng, rows, buffers = np.random.default_rng(6), [], []
    for episode in range(12):
        length = 5 + episode
        observations = rng.normal(size=(length + 1, 4))
        actions = rng.uniform(-1, 1, (length, 2)).astype(np.float32)
        rewards = rng.normal(size=length)
        ended = episode % 3 == 0
        terminations = np.arange(length) == (length - 1 if ended else length)
        truncations = np.arange(length) == (length if ended else length - 1)
        buffers.append(
            EpisodeBuffer(
                id=episode,
                observations=list(observations),
                actions=list(actions),
                rewards=[float(x) for x in rewards],
                terminations=[bool(x) for x in terminations],
                truncations=[bool(x) for x in truncations],
                infos={},
            )
        )
        for i in range(length):
            rows.append([observations[i], actions[i], rewards[i], terminations[i], observations[i + 1]])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        dataset = minari.create_dataset_from_buffers(
            "small/test-v0",
            buffers,
            observation_space=spaces.Box(-np.inf, np.inf, (4,), np.float64),
            action_space=spaces.Box(-1, 1, (2,), np.float32),
        )
        shutil.copy(Path(folder) / "small/test-v0/data/main_data.hdf5", HERE / name)
        assert dataset.total_steps == len(rows)
    with h5py.File(HERE / name, "r") as file:
        groups = [flat(file[f"episode_{i}"]) for i in range(12)]
    arrays = {key: np.concatenate([group[key] for group in groups]) for key in groups[0]}
    ends = arrays["terminations"] | arrays["truncations"]
    summary = {
        "layout": "minari",
        "rows": len(rows),
        "transitions": len(rows),
        "episodes": 12,
        "unfinished_rows": 0,
        "terminals": int(arrays["terminations"].sum()),
        "timeouts": int(arrays["truncations"].sum()),
        "returns": returns(arrays["rewards"], ends),
    }
    record(name, summary, arrays, [4, 2, 1000], transitions(rows))


d4rl("d4rl-locomotion.hdf5", locomotion)
d4rl("d4rl-replay.hdf5", replay)
d4rl("d4rl-antmaze.hdf5", antmaze, goal_directed=True)
d4rl("d4rl-old.hdf5", old, limit=20)
d4rl("d4rl-latest.hdf5", latest, libver="latest")
ogbench("ogbench.npz")
minari_set("minari.hdf5")
(HERE / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
