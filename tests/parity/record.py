#!/usr/bin/env python3
"""Our environments against Gymnasium's own.

    python3 -m venv /tmp/parity && /tmp/parity/bin/pip install -r tests/parity/requirements.txt
    /tmp/parity/bin/python tests/parity/record.py compare          # bit for bit, with your own Gymnasium
    /tmp/parity/bin/python tests/parity/record.py record           # writes tests/parity/golden/*.npz
    /tmp/parity/bin/python tests/parity/record.py record --check   # are the committed ones what your Gymnasium gives?
    /tmp/parity/bin/python tests/parity/record.py speed            # steps/s; ours: cargo run --release -p envs --example steps

A trajectory begins at Gymnasium's `reset(seed=...)` and takes random actions that go 20 % beyond the limits, for five
steps more than the time limit, past every termination. `record_d4rl.py` and `record_ogbench.py` do the same for D4RL's
and OGBench's tasks, and `parity.py` says what is in a golden file.
"""

import sys
import time
import warnings

import gymnasium
import numpy as np

import parity

TASKS = ["Ant", "HalfCheetah", "Hopper", "Humanoid", "InvertedPendulum", "Walker2d"]
IDS = {f"{task}-v{version}": ["f32", "f64"] for task in TASKS for version in (4, 5)}


def make(env_id):
    with warnings.catch_warnings():
        # Version 4 is said to be out of date.
        warnings.simplefilter("ignore")
        return gymnasium.make(env_id)


def inputs(env_id, dtype, seed):
    """A start state and random actions."""
    env = make(env_id)
    env.reset(seed=seed)
    data = env.unwrapped.data
    # Gymnasium's own limit of Humanoid is float32(0.4).
    limit = round(float(env.action_space.high[0]), 6)
    actions = parity.random_actions(limit, env.action_space.shape[0], dtype, seed)
    return {"qpos": data.qpos.copy(), "qvel": data.qvel.copy(), "actions": actions}


def replay(env_id, seed, given):
    """Gymnasium's trajectory, from where `inputs` left it."""
    env = make(env_id)
    observation, _ = env.reset(seed=seed)
    data = env.unwrapped.data
    columns = parity.Columns(observation)
    with warnings.catch_warnings():
        # It is not usual to go on after a termination.
        warnings.simplefilter("ignore")
        for action in given["actions"]:
            observation, reward, terminated, truncated, _ = env.step(action)
            columns.add(observation, reward, terminated, truncated, data.qpos, data.qvel)
    return columns.arrays()


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


if __name__ == "__main__":
    parity.main(sys.modules[__name__])
