#!/usr/bin/env python3
"""Our OGBench environments against the package's own.

    python3 -m venv /tmp/parity && /tmp/parity/bin/pip install -r tests/parity/requirements.txt
    /tmp/parity/bin/pip install ogbench==1.2.2 mujoco==3.2.7 numpy==2.3.5
    /tmp/parity/bin/python tests/parity/record_ogbench.py compare          # bit for bit
    /tmp/parity/bin/python tests/parity/record_ogbench.py record           # writes tests/parity/golden/*.npz
    /tmp/parity/bin/python tests/parity/record_ogbench.py record --check   # are the committed ones what OGBench gives?

A trajectory begins at the package's reset, with actions as in `record.py`; in a maze the agent is put beside the goal
where actions are doubles, so that some steps are there and some are not. One task stands for all of its maze: they differ
in start and goal, which a rollout is given.
"""

import sys
import warnings

import gymnasium
import mujoco
import numpy as np
import ogbench  # noqa: F401: registers its environments
import ogbench.online_locomotion  # noqa: F401
from ogbench.online_locomotion.wrappers import GymXYWrapper

import parity

ANT = "online-ant-xy-v0"
BOTH = ["f32", "f64"]
IDS = {
    ANT: BOTH,
    "antmaze-medium-singletask-task1-v0": ["f64"],
    "antmaze-large-singletask-task1-v0": ["f32"],
    "antmaze-large-singletask-task1-pre-v0": ["f64"],
    "antmaze-giant-singletask-task1-v0": ["f64"],
    "pointmaze-medium-singletask-task1-v0": BOTH,
    "pointmaze-large-singletask-task1-v0": ["f64"],
    "pointmaze-giant-singletask-task1-v0": ["f64"],
}


def make(env_id, seed):
    """The package's environment after a reset."""
    np.random.seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if env_id == ANT:
            env = GymXYWrapper(gymnasium.make("online-ant-v0").unwrapped)
            limit = 1000
        else:
            timing = "pre" if "-pre-" in env_id else "post"
            env = gymnasium.make(env_id.replace("-pre-", "-"), success_timing=timing)
            limit = env.spec.max_episode_steps
            env = env.unwrapped
    # The wrapper has drawn a direction.
    np.random.seed(seed)
    env.reset(seed=seed)
    return env, limit


def inputs(env_id, dtype, seed):
    env, _ = make(env_id, seed)
    data = env.unwrapped.data
    qpos = data.qpos.copy()
    if env_id == ANT:
        raw = np.random.RandomState(seed).randn(11, 2)
        goal = np.array([direction / np.linalg.norm(direction) for direction in raw]).ravel()
    else:
        goal = np.array(env.cur_goal_xy)
        if dtype == "f64":
            qpos[:2] = goal - 0.3
    actions = parity.random_actions(1.0, env.action_space.shape[0], dtype, seed)
    return {"qpos": qpos, "qvel": data.qvel.copy(), "goal": goal, "actions": actions}


def replay(env_id, seed, given):
    env, limit = make(env_id, seed)
    inner = env.unwrapped
    mujoco.mj_resetData(inner.model, inner.data)
    inner.set_state(given["qpos"], given["qvel"])
    if env_id == ANT:
        observation = np.concatenate([inner._get_obs(), env.z])
    else:
        env.set_goal(goal_xy=given["goal"])
        observation = env.get_ob()
    columns = parity.Columns(observation)
    for t, action in enumerate(given["actions"]):
        observation, reward, terminated, _, _ = env.step(action)
        columns.add(observation, reward, bool(terminated), t + 1 >= limit, inner.data.qpos, inner.data.qvel)
    return columns.arrays()


def registered():
    """What OGBench registers: starts and goals of its mazes' tasks."""
    lines = ["# id, max_episode_steps, start: x, y, goal: x, y"]
    for env_id in sorted(gymnasium.registry):
        family = env_id.split("-singletask")[0]
        if f"{family}-singletask-task1-v0" in IDS:
            env, limit = make(env_id, 0)
            task = env.cur_task_info
            lines.append(",".join(str(column) for column in (env_id, limit, *task["init_xy"], *task["goal_xy"])))
    return "\n".join(lines) + "\n"


TABLES = {"ogbench.csv": registered}

if __name__ == "__main__":
    parity.main(sys.modules[__name__])
