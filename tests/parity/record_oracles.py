#!/usr/bin/env python3
"""What OGBench's oracles do, step by step, for `collectors` to be held against.

    python3 -m venv /tmp/parity
    /tmp/parity/bin/pip install ogbench==1.2.2 mujoco==3.2.7 numpy==2.3.5 scipy==1.17.1
    /tmp/parity/bin/python tests/parity/record_oracles.py

Each case is an episode's first target: the state that it starts from, the target, where the gripper is to rest, and the
oracle's action in every state on the way, executed as it is. `crates/collectors/src/manipulation/mod.rs` goes the same way
and asks its own oracle for each. A plan has no noise here, and whatever it draws between two numbers is their middle.
NumPy's global generator is seeded, so that a second call records the same.
"""

import json
import pathlib
import warnings

import gymnasium
import numpy as np
from record_collected import PLANS, REACTIONS

CASES = {
    "cube-single": ["cube"],
    "cube-double": ["cube"],
    "scene": ["cube", "button", "drawer", "window"],
    "puzzle-3x3": ["button"],
    "puzzle-4x4": ["button"],
}


def oracle(env, name, style, thing):
    closed = {"gripper_always_closed": True} if name.startswith("puzzle") else {}
    if style == "play":
        return PLANS[thing](env=env, noise=0.0, **closed)
    return REACTIONS[thing](env=env, min_norm=0.4, **closed)


def reset(agent, observation, info):
    """Resets an oracle. Returns where the gripper is to rest: the middle of where it may, and a yaw of 0, for a plan."""
    if hasattr(agent, "_min_norm"):
        agent.reset(observation, info)
        return [*agent._final_pos.tolist(), float(agent._final_yaw)]
    uniform, np.random.uniform = np.random.uniform, lambda low, high: (np.asarray(low) + np.asarray(high)) / 2
    agent.reset(observation, info)
    np.random.uniform = uniform
    return [*np.mean(agent._env.unwrapped._arm_sampling_bounds, axis=0).tolist(), 0.0]


def target(thing, info):
    told = lambda key: np.atleast_1d(info[f"privileged/target_{key}"]).astype(float).tolist()
    if thing == "cube":
        return [float(info["privileged/target_block"])] + told("block_pos") + told("block_yaw")
    if thing == "button":
        return [float(info["privileged/target_button"])] + told("button_state")
    return told(f"{thing}_pos")


def case(env, name, style, thing):
    agent = oracle(env, name, style, thing)
    while True:
        observation, info = env.reset()
        if info["privileged/target_task"] == thing:
            break
    rest = reset(agent, observation, info)
    inner = env.unwrapped
    buttons = getattr(inner, "_cur_button_states", [])
    found = {
        "set": f"{name}-{style}-v0",
        "thing": thing,
        "qpos": inner._data.qpos.tolist(),
        "qvel": inner._data.qvel.tolist(),
        "buttons": [float(state) for state in buttons],
        "target": target(thing, info),
        "rest": rest,
        "actions": [],
    }
    while not agent.done:
        action = np.array(agent.select_action(observation, info))
        found["actions"].append([float(f"{x:.12g}") for x in action])
        observation, _, _, _, info = env.step(action)
    return found


def main():
    cases = []
    for name, things in CASES.items():
        np.random.seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(f"{name}-v0", terminate_at_goal=False, mode="data_collection", max_episode_steps=1002)
        env.reset(seed=0)
        for style in ["play", "noisy"]:
            for thing in things:
                cases.append(case(env, name, style, thing))
                print(name, style, thing, len(cases[-1]["actions"]), "steps", flush=True)
    path = pathlib.Path(__file__).parent / "golden" / "oracles.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
