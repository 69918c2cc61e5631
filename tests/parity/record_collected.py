#!/usr/bin/env python3
"""What OGBench's own oracles collect, episode by episode, for `collectors` to be held against.

    python3 -m venv /tmp/parity
    /tmp/parity/bin/pip install ogbench==1.2.2 mujoco==3.2.7 numpy==2.3.5 scipy==1.17.1
    /tmp/parity/bin/python tests/parity/record_collected.py --episodes 12

The package has the oracles; the loop around them is in its repository (data_gen_scripts) and is written anew here. An episode
becomes a few numbers: of each entry of its actions the mean and the deviation, the share of entries at ±1, and of each
coordinate of `qpos` that is not the arm's how far it moved in all. `crates/collectors/tests/distribution.rs` compares the
means over episodes. NumPy's global generator is seeded, so that a second call records the same.
"""

import argparse
import json
import pathlib
import warnings

import gymnasium
import numpy as np
import ogbench  # noqa: F401: registers its environments
from ogbench.manipspace.oracles.markov.button_markov import ButtonMarkovOracle
from ogbench.manipspace.oracles.markov.cube_markov import CubeMarkovOracle
from ogbench.manipspace.oracles.markov.drawer_markov import DrawerMarkovOracle
from ogbench.manipspace.oracles.markov.window_markov import WindowMarkovOracle
from ogbench.manipspace.oracles.plan.button_plan import ButtonPlanOracle
from ogbench.manipspace.oracles.plan.cube_plan import CubePlanOracle
from ogbench.manipspace.oracles.plan.drawer_plan import DrawerPlanOracle
from ogbench.manipspace.oracles.plan.window_plan import WindowPlanOracle

ROWS = 1001
SETS = {
    "cube-single-play-v0": 0.0,
    "cube-single-noisy-v0": 0.1,
    "cube-double-play-v0": 0.0,
    "scene-play-v0": 0.0,
    "scene-noisy-v0": 0.1,
    "puzzle-3x3-play-v0": 0.0,
    "puzzle-4x4-noisy-v0": 0.2,
}
PLANS = {"cube": CubePlanOracle, "button": ButtonPlanOracle, "drawer": DrawerPlanOracle, "window": WindowPlanOracle}
REACTIONS = {
    "cube": CubeMarkovOracle, "button": ButtonMarkovOracle, "drawer": DrawerMarkovOracle, "window": WindowMarkovOracle,
}  # fmt: skip


def oracles(env, name):
    closed = {"gripper_always_closed": True} if name.startswith("puzzle") else {}
    things = ["button"] if closed else ["cube"] if name.startswith("cube") else list(PLANS)
    if "play" in name:
        return {thing: PLANS[thing](env=env, noise=0.1, noise_smoothing=0.5, **closed) for thing in things}
    return {thing: REACTIONS[thing](env=env, min_norm=0.4, **closed) for thing in things}


def play(env, name, share_random):
    """The actions of an episode, and qpos before each."""
    agents = oracles(env, name)
    observation, info = env.reset()
    p_stack = np.random.uniform(0, 0.25) if "double" in name else 0.0
    noise = np.random.uniform(0, 0.1)
    agent = agents[info["privileged/target_task"]]
    agent.reset(observation, info)
    actions, places = [], []
    for _ in range(ROWS):
        if np.random.rand() < share_random:
            action = env.action_space.sample()
        else:
            action = np.array(agent.select_action(observation, info))
            if "noisy" in name:
                action = action + np.random.normal(0, noise * np.array([1, 1, 1, 3, 10]))
        action = np.clip(action, -1, 1)
        observation, _, _, _, info = env.step(action)
        actions.append(action)
        places.append(info["prev_qpos"])
        if agent.done:
            seen, told = env.unwrapped.set_new_target(p_stack=p_stack)
            agent = agents[told["privileged/target_task"]]
            agent.reset(seen, told)
    return np.array(actions), np.array(places)


def is_in_sight(places):
    y, z = places[:, 15], places[:, 16]
    return not ((y >= 0.29) | ((y <= -0.3) & ((z < 0.06) | (z > 0.08)))).any()


def numbers(actions, places):
    numbers = {f"mean {i}": actions[:, i].mean() for i in range(5)}
    numbers |= {f"deviation {i}": actions[:, i].std() for i in range(5)}
    numbers["at the limit"] = (np.abs(actions) >= 0.999).mean()
    moved = np.abs(np.diff(places, axis=0)).sum(axis=0)
    return numbers | {f"moved {i}": moved[i] for i in range(14, places.shape[1])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=list(SETS))
    args = parser.parse_args()
    folder = pathlib.Path(__file__).parent / "golden" / "collected"
    folder.mkdir(exist_ok=True)
    for name in args.only:
        np.random.seed(0)
        env_id = "-".join(name.split("-")[:-2]) + "-v0"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(env_id, terminate_at_goal=False, mode="data_collection", max_episode_steps=ROWS + 1)
        env.reset(seed=0)
        env.action_space.seed(0)
        episodes = []
        while len(episodes) < args.episodes:
            actions, places = play(env, name, SETS[name])
            if not name.startswith("scene") or is_in_sight(places):
                episodes.append(numbers(actions, places))
        found = {key: [float(f"{episode[key]:.5g}") for episode in episodes] for key in episodes[0]}
        (folder / f"{name}.json").write_text(json.dumps(found, indent=0) + "\n")
        print(name, "recorded", flush=True)


if __name__ == "__main__":
    main()
