#!/usr/bin/env python3
"""Our D4RL environments against D4RL's own classes.

    python3 -m venv /tmp/parity && /tmp/parity/bin/pip install -r tests/parity/requirements.txt
    /tmp/parity/bin/pip install --no-deps d4rl==1.1
    /tmp/parity/bin/python tests/parity/record_d4rl.py compare          # bit for bit
    /tmp/parity/bin/python tests/parity/record_d4rl.py record           # writes tests/parity/golden/*.npz
    /tmp/parity/bin/python tests/parity/record_d4rl.py record --check   # are the committed ones what D4RL gives?

D4RL's code runs on MuJoCo 3.2.7 through `mujoco_py_stand_in.py`. Its locomotion tasks take Gymnasium's version 4 for gym's
version 2. A trajectory begins at D4RL's reset, with actions as in `record.py`; in AntMaze the ant is put beside the goal
where actions are doubles, so that some steps are there and some are not. One id stands for all that differ in data or in
their time limit only.
"""

import contextlib
import importlib
import io
import sys
import warnings

import gymnasium
import numpy as np

import mujoco_py_stand_in as stand_in
import parity

BOTH = ["f32", "f64"]
IDS = {
    "antmaze-umaze-v2": BOTH,
    "antmaze-medium-diverse-v2": BOTH,
    "antmaze-large-play-v2": BOTH,
    "halfcheetah-medium-v2": ["f32"],
    "hopper-medium-v2": BOTH,
    "walker2d-medium-v2": ["f64"],
    "door-human-v1": ["f64"],
    "hammer-human-v1": ["f32"],
    "pen-human-v1": BOTH,
    "relocate-human-v1": ["f32"],
}
# Its reward has a norm of 33 numbers, and its observation arctangents.
NEAR = {"hammer-human-v1"}


ADROIT = ("door", "hammer", "pen", "relocate")


def gymnasiums(env_id):
    """A class of Gymnasium's in the manners of gym's."""

    class GymEnv(stand_in.Env):
        def __init__(self):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.env = gymnasium.make(env_id).unwrapped
            bounds = self.env.model.actuator_ctrlrange.copy().astype(np.float32)
            self.action_space, self.observation_space = stand_in.Box(*bounds.T), None
            self.data = self.env.data

        def reset(self):
            return self.env.reset(seed=0)[0]

        def step(self, action):
            observation, reward, terminated, _, info = self.env.step(action)
            return observation, reward, terminated, info

    return GymEnv


stand_in.install(
    HalfCheetahEnv=gymnasiums("HalfCheetah-v4"),
    HopperEnv=gymnasiums("Hopper-v4"),
    Walker2dEnv=gymnasiums("Walker2d-v4"),
    AntEnv=gymnasiums("Ant-v4"),
)
for suite in ("locomotion", "gym_mujoco", "hand_manipulation_suite"):
    importlib.import_module(f"d4rl.{suite}")


def make(env_id, seed):
    """D4RL's environment after a reset, and what it was registered with."""
    row = stand_in.REGISTERED[env_id]
    module, name = row["entry_point"].split(":")
    np.random.seed(seed)
    # It prints its goals.
    with contextlib.redirect_stdout(io.StringIO()):
        env = getattr(importlib.import_module(module), name)(**row["kwargs"])
        env.seed(seed)
        env.reset()
    return env, row


def family(env_id):
    return env_id.split("-")[0]


def places(env):
    """The parts of Adroit's model that a reset draws, as arrays to read and to write."""
    model, name = env.model, type(env).__name__
    if name == "PenEnvV0":
        return [model.body_quat[model.body_name2id("target")]]
    if name == "DoorEnvV0":
        return [model.body_pos[model.body_name2id("frame")]]
    if name == "HammerEnvV0":
        return [model.body_pos[model.body_name2id("nail_board")]]
    return [model.body_pos[model.body_name2id("Object")], model.site_pos[model.site_name2id("target")]]


def inputs(env_id, dtype, seed):
    env, row = make(env_id, seed)
    qpos, given, steps = env.data.qpos.copy(), {}, row["max_episode_steps"] + 5
    if family(env_id) == "antmaze":
        given["goal"] = np.array(env.target_goal)
        if dtype == "f64":
            qpos[:2] = given["goal"] - 0.3
    elif family(env_id) in ADROIT:
        given["goal"] = np.concatenate(places(env))
    actions = parity.random_actions(1.0, env.action_space.shape[0], dtype, seed, steps)
    return {"qpos": qpos, "qvel": env.data.qvel.copy(), **given, "actions": actions}


def replay(env_id, seed, given):
    env, row = make(env_id, seed)
    if family(env_id) in ADROIT:
        env.sim.reset()
        first = 0
        for place in places(env):
            place[:] = given["goal"][first : first + len(place)]
            first += len(place)
        env.set_state(given["qpos"], given["qvel"])
        observation = env.get_obs()
    elif "goal" in given:
        env.sim.reset()
        with contextlib.redirect_stdout(io.StringIO()):
            env.set_target_goal(given["goal"])
        env.set_state(given["qpos"], given["qvel"])
        observation = env._get_obs()
    else:
        observation = env.reset()
    columns = parity.Columns(observation)
    for t, action in enumerate(given["actions"]):
        observation, reward, done, _ = env.step(action)
        truncated = t + 1 >= row["max_episode_steps"]
        columns.add(observation, reward, done, truncated, env.data.qpos, env.data.qvel)
    return columns.arrays()


def registered():
    """What D4RL registers, and the mean of a thousand goals."""
    lines = ["# id, max_episode_steps, ref_min_score, ref_max_score, mean of 1000 goals: x, y"]
    for env_id, row in sorted(stand_in.REGISTERED.items()):
        if not env_id.endswith("-v1" if family(env_id) in ADROIT else "-v2") or family(env_id) == "ant":
            continue
        columns = [env_id, row["max_episode_steps"], row["kwargs"]["ref_min_score"], row["kwargs"]["ref_max_score"]]
        if family(env_id) == "antmaze":
            env, _ = make(env_id, 0)
            with contextlib.redirect_stdout(io.StringIO()):
                goals = [(env.set_target(), env.target_goal)[1] for _ in range(1000)]
            columns += [f"{x:.3f}" for x in np.mean(goals, axis=0)]
        lines.append(",".join(str(column) for column in columns))
    return "\n".join(lines) + "\n"


TABLES = {"d4rl.csv": registered}

if __name__ == "__main__":
    parity.main(sys.modules[__name__])
