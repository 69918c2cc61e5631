#!/usr/bin/env python3
"""Our environments against Gymnasium's own.

    python3 -m venv /tmp/parity && /tmp/parity/bin/pip install -r tests/parity/requirements.txt
    /tmp/parity/bin/python tests/parity/record.py compare          # bit for bit, with your own Gymnasium
    /tmp/parity/bin/python tests/parity/record.py record           # writes tests/parity/golden/*.npz
    /tmp/parity/bin/python tests/parity/record.py record --check   # are the committed ones what your Gymnasium gives?
    /tmp/parity/bin/python tests/parity/record.py speed            # steps/s; ours: cargo run --release -p envs --example steps

A trajectory begins at Gymnasium's `reset(seed=...)` and takes random actions that go 20 % beyond the limits, for five
steps more than the time limit, past every termination.

A golden file holds what a rollout takes (`qpos`, `qvel`, `actions`: it can be given to `env rollout` as it is), and what
must come of it: `fingerprints[t]`, the first 8 bytes of the SHA-256 of step t's little-endian bytes in the order
observation, reward, terminated, truncated, qpos, qvel (t = 0: the observation alone); and `observations` at `steps`, the
first ten and every hundredth, so that a difference can be seen in numbers too.
"""

import argparse
import hashlib
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import warnings

import gymnasium
import numpy as np

TASKS = ["Ant", "HalfCheetah", "Hopper", "Humanoid", "InvertedPendulum", "Walker2d"]
IDS = [f"{task}-v{version}" for task in TASKS for version in (4, 5)]
DTYPES = {"f32": np.float32, "f64": np.float64}
GOLDEN = pathlib.Path(__file__).parent / "golden"
COMMAND = "cargo xtask env rollout --env {id} --input {input} --output {output}"
STEPS = 1005
# The seeds of the golden trajectories: another one for each precision.
GOLDEN_SEED = {"f32": 0, "f64": 1}


def make(env_id):
    with warnings.catch_warnings():
        # Version 4 is said to be out of date.
        warnings.simplefilter("ignore")
        return gymnasium.make(env_id)


def inputs(env_id, dtype, seed):
    """A start state and random actions. The actions lie on a grid, so that the golden files stay small."""
    env = make(env_id)
    env.reset(seed=seed)
    data = env.unwrapped.data
    limit = float(env.action_space.high[0])
    grid = np.random.default_rng([seed, 1]).integers(-60, 61, size=(STEPS, env.action_space.shape[0]))
    # Gymnasium's own limit of Humanoid is float32(0.4).
    actions = (round(limit, 6) * grid / 50).astype(DTYPES[dtype])
    return {"qpos": data.qpos.copy(), "qvel": data.qvel.copy(), "actions": actions}


def replay(env_id, seed, actions):
    """Gymnasium's trajectory, in the arrays that `env rollout` writes."""
    env = make(env_id)
    observation, _ = env.reset(seed=seed)
    data = env.unwrapped.data
    columns = {name: [] for name in ("observations", "rewards", "terminated", "truncated", "qpos", "qvel")}
    columns["observations"].append(observation.copy())
    with warnings.catch_warnings():
        # It is not usual to go on after a termination.
        warnings.simplefilter("ignore")
        for action in actions:
            observation, reward, terminated, truncated, _ = env.step(action)
            row = (observation, reward, terminated, truncated, data.qpos, data.qvel)
            for column, value in zip(columns.values(), row):
                column.append(np.copy(value))
    out = {name: np.array(column) for name, column in columns.items()}
    out["rewards"] = out["rewards"].astype(np.float64)
    return out


def fingerprints(trajectory):
    out = np.zeros((len(trajectory["observations"]), 8), np.uint8)
    for t in range(len(out)):
        raw = trajectory["observations"][t].tobytes()
        if t > 0:
            rest = ("rewards", "terminated", "truncated", "qpos", "qvel")
            raw += b"".join(trajectory[name][t - 1].tobytes() for name in rest)
        out[t] = np.frombuffer(hashlib.sha256(raw).digest()[:8], np.uint8)
    return out


def golden(env_id, dtype):
    seed = GOLDEN_SEED[dtype]
    given = inputs(env_id, dtype, seed)
    trajectory = replay(env_id, seed, given["actions"])
    steps = np.array([*range(11), *range(100, STEPS, 100)], np.int64)
    return {
        **given,
        "fingerprints": fingerprints(trajectory),
        "steps": steps,
        "observations": trajectory["observations"][steps],
    }


def record(arguments):
    stale = []
    for env_id in arguments.only:
        for dtype in DTYPES:
            path = GOLDEN / f"{env_id}.{dtype}.npz"
            new = golden(env_id, dtype)
            if not arguments.check:
                GOLDEN.mkdir(exist_ok=True)
                np.savez_compressed(path, **new)
                print(path.name)
                continue
            old = np.load(path)
            different = [name for name in new if name not in old or new[name].tobytes() != old[name].tobytes()]
            print(f"{path.name:28} {'same' if not different else 'differs in ' + ', '.join(different)}")
            stale += different
    sys.exit(4 if stale else 0)


def first_difference(name, expected, found):
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return f"{name}: Gymnasium {expected.dtype} {expected.shape}, ours {found.dtype} {found.shape}"
    if expected.tobytes() == found.tobytes():
        return None
    width = expected.dtype.itemsize
    bits = [np.frombuffer(array.tobytes(), f"V{width}").reshape(array.shape) for array in (expected, found)]
    index = tuple(int(i) for i in np.argwhere(bits[0] != bits[1])[0])
    return f"{name}{list(index)}: Gymnasium {expected[index]!r}, ours {found[index]!r}"


def compare(arguments):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        files = {"input": f"{folder}/in.npz", "output": f"{folder}/out.npz"}
        for env_id in arguments.only:
            for dtype in DTYPES:
                for seed in range(arguments.seeds):
                    given = inputs(env_id, dtype, seed)
                    np.savez(files["input"], **given)
                    command = [part.format(id=env_id, **files) for part in shlex.split(arguments.rollout)]
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                    expected, found = replay(env_id, seed, given["actions"]), np.load(files["output"])
                    differences = [first_difference(name, expected[name], found[name]) for name in expected]
                    differences = [difference for difference in differences if difference]
                    verdict = "; ".join(differences) or f"{STEPS} steps, every bit the same"
                    print(f"{env_id:20} {dtype} seed {seed}: {verdict}", flush=True)
                    failed += bool(differences)
    sys.exit(4 if failed else 0)


def speed(arguments):
    for env_id in arguments.only:
        env = make(env_id)
        rng = np.random.default_rng(0)
        limit, shape = env.action_space.high[0], env.action_space.shape
        env.reset(seed=0)
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < arguments.seconds:
            for _ in range(100):
                action = rng.uniform(-limit, limit, shape).astype(np.float32)
                _, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    env.reset()
            steps += 100
        print(f"{env_id:22} {steps / (time.perf_counter() - start):8.0f} steps/s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("record", help="write the golden files")
    verb.add_argument("--check", action="store_true", help="compare with the committed ones instead; exit code 4")
    verb.set_defaults(run=record)
    verb = verbs.add_parser("compare", help="our rollout against Gymnasium's, bit for bit; exit code 4")
    verb.add_argument("--rollout", default=COMMAND, help=f"the command to call; default: {COMMAND}")
    verb.add_argument("--seeds", type=int, default=1, help="how many, from 0")
    verb.set_defaults(run=compare)
    verb = verbs.add_parser("speed", help="Gymnasium's steps per second")
    verb.add_argument("--seconds", type=float, default=2.0)
    verb.set_defaults(run=speed)
    for verb in verbs.choices.values():
        verb.add_argument("--only", nargs="+", choices=IDS, default=IDS, metavar="ID")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
