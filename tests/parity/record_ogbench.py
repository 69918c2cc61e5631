#!/usr/bin/env python3
"""Our OGBench environments against the package's own.

    python3 -m venv /tmp/parity && /tmp/parity/bin/pip install -r tests/parity/requirements.txt
    /tmp/parity/bin/pip install ogbench==1.2.2 mujoco==3.2.7 numpy==2.3.5
    /tmp/parity/bin/python tests/parity/record_ogbench.py compare          # bit for bit
    /tmp/parity/bin/python tests/parity/record_ogbench.py record           # writes tests/parity/golden/*.npz
    /tmp/parity/bin/python tests/parity/record_ogbench.py record --check   # are the committed ones what OGBench gives?

A trajectory begins at the package's reset, with actions as in `record.py`; in a maze the agent is put beside the goal
where actions are doubles, so that some steps are there and some are not. One task stands for all of its maze: they differ
in start and goal, which a rollout is given. Cubes are carried to their places, and buttons pressed.
"""

import hashlib
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
    "antsoccer-arena-singletask-task1-v0": BOTH,
    "antsoccer-medium-singletask-task1-v0": ["f64"],
    "humanoidmaze-medium-singletask-task1-v0": ["f64"],
    "humanoidmaze-large-singletask-task1-v0": ["f32"],
    "humanoidmaze-giant-singletask-task1-v0": ["f64"],
    "pointmaze-medium-singletask-task1-v0": BOTH,
    "pointmaze-large-singletask-task1-v0": ["f64"],
    "pointmaze-giant-singletask-task1-v0": ["f64"],
    "cube-single-singletask-task1-v0": BOTH,
    "cube-double-singletask-task1-v0": ["f64"],
    "puzzle-3x3-singletask-task1-v0": ["f32"],
    "puzzle-4x4-singletask-task1-v0": ["f64"],
    "scene-singletask-task1-v0": ["f32"],
}
# They solve linear systems.
NEAR = {env_id for env_id in IDS if env_id.startswith(("cube", "puzzle", "scene"))}


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


def carry(env, steps):
    """Actions that take the first cube to its place, so that fingers touch, and the task is done at last."""
    actions = np.zeros((steps, 5))
    cube, place = slice(14, 17), env.data.mocap_pos[0].copy()
    for t in range(steps):
        data = env.data
        # Over the cube, down to it, shut; up, over its place, down, open, up.
        phases = [(25, cube, 0.1, -1), (45, cube, 0.0, -1), (55, cube, 0.0, 1), (75, None, 0.15, 1)]
        phases += [(105, place, 0.15, 1), (130, place, 0.0, 1), (140, place, 0.0, -1), (steps, place, 0.15, -1)]
        _, target, height, gripper = next(phase for phase in phases if t < phase[0])
        at = env._data.site_xpos[env._pinch_site_id]
        if target is None:
            target = at * [1, 1, 0] + [0, 0, 0.02]
        elif isinstance(target, slice):
            target = data.qpos[target]
        actions[t, :3] = np.clip((target + [0, 0, height] - at) / 0.05, -1, 1)
        actions[t, 4] = gripper
        # On a grid, as random ones.
        actions[t] = np.round(50 * actions[t]) / 50
        env.step(actions[t])
    return actions


def press(env, steps):
    """Actions that press one button after the other."""
    actions = np.zeros((steps, 5))
    for t in range(steps):
        button, phase = t // 30 % env._num_buttons, t % 30
        top, at = env._data.site_xpos[env._button_site_ids[button]], env._data.site_xpos[env._pinch_site_id]
        height = 0.1 if phase < 15 or phase > 24 else -0.05
        actions[t, :3] = np.clip((top + [0, 0, height] - at) / 0.05, -1, 1)
        # The fingers are near each other and do not touch: where they do, a difference in the last bit becomes large.
        actions[t, 4] = 0.8 - env._data.qpos[env._gripper_opening_joint_id] / 0.8
        actions[t] = np.round(50 * actions[t]) / 50
        env.step(actions[t])
    return actions


def inputs(env_id, dtype, seed):
    env, limit = make(env_id, seed)
    data = env.unwrapped.data
    qpos = data.qpos.copy()
    if env_id == ANT:
        raw = np.random.RandomState(seed).randn(11, 2)
        goal = np.array([direction / np.linalg.norm(direction) for direction in raw]).ravel()
    elif env_id.startswith("puzzle"):
        goal = np.concatenate([env._cur_button_states, env._target_button_states]).astype(np.float64)
    elif env_id.startswith("scene"):
        buttons = [env._cur_button_states, env._target_button_states]
        goal = np.concatenate([*buttons, data.mocap_pos[0], [env._target_drawer_pos, env._target_window_pos]])
    elif env_id in NEAR:
        goal = data.mocap_pos.ravel().copy()
    else:
        goal = np.array(env.cur_goal_xy)
        if dtype == "f64" and env_id.startswith("antsoccer"):
            # A ball beside the goal, and an ant that kicks it.
            qpos[15:17], qpos[:2] = goal - 0.3, goal - 0.9
        elif dtype == "f64":
            qpos[:2] = goal - 0.3
    qvel = data.qvel.copy()
    if env_id in NEAR:
        # Random actions slam the gripper shut, which makes a difference in the last bit a large one.
        if env_id.startswith("cube"):
            actions = carry(env, limit + 5)
        else:
            # Until the first button is down: where fingers press on it, a difference in the last bit becomes large.
            actions = press(env, 30 if env_id.startswith("scene") else 20)
        actions = actions.astype(parity.DTYPES[dtype])
    else:
        actions = parity.random_actions(1.0, env.action_space.shape[0], dtype, seed, limit + 5)
    return {"qpos": qpos, "qvel": qvel, "goal": goal, "actions": actions}


def replay(env_id, seed, given):
    env, limit = make(env_id, seed)
    inner = env.unwrapped
    mujoco.mj_resetData(inner.model, inner.data)
    if env_id in NEAR:
        if not env_id.startswith("puzzle"):
            places = given["goal"][4:7] if env_id.startswith("scene") else given["goal"]
            inner.data.mocap_pos[:] = places.reshape(-1, 3)
            inner.data.mocap_quat[:] = [1, 0, 0, 0]
        inner.data.qpos[:], inner.data.qvel[:] = given["qpos"], given["qvel"]
        mujoco.mj_forward(inner.model, inner.data)
        inner.pre_step()
        observation = inner.compute_observation()
    elif env_id == ANT:
        inner.set_state(given["qpos"], given["qvel"])
        observation = np.concatenate([inner._get_obs(), env.z])
    else:
        inner.set_state(given["qpos"], given["qvel"])
        env.set_goal(goal_xy=given["goal"])
        observation = env.get_ob()
    columns = parity.Columns(observation)
    for t, action in enumerate(given["actions"]):
        observation, reward, terminated, _, _ = env.step(action)
        columns.add(observation, reward, bool(terminated), t + 1 >= limit, inner.data.qpos, inner.data.qvel)
    return columns.arrays()


def registered():
    """What OGBench registers: starts and goals of its tasks."""
    lines = ["# id, max_episode_steps, start: x, y (and z) of each thing or its state, goal: the same"]
    for env_id in sorted(gymnasium.registry):
        family = env_id.split("-singletask")[0]
        if f"{family}-singletask-task1-v0" in IDS:
            env, limit = make(env_id, 0)
            task = env.cur_task_info
            if family.startswith("puzzle"):
                columns = (*task["init_button_states"], *task["goal_button_states"])
            elif family == "scene":
                start, goal = task["init"], task["goal"]
                columns = (*start["button_states"], *goal["button_states"], *goal["block_xyzs"].ravel())
                columns += (goal["drawer_pos"], goal["window_pos"])
                columns += (*start["block_xyzs"].ravel(), start["drawer_pos"], start["window_pos"])
            elif family.startswith("cube"):
                columns = (*task["init_xyzs"].ravel(), *task["goal_xyzs"].ravel())
            elif family.startswith("antsoccer"):
                columns = (*task["agent_init_xy"], *task["ball_init_xy"], *task["goal_xy"])
            else:
                columns = (*task["init_xy"], *task["goal_xy"])
            lines.append(",".join(str(column) for column in (env_id, limit, *columns)))
    return "\n".join(lines) + "\n"


def dynamics(env_id):
    """What the simulation alone makes of joint targets that random actions gave: bit for bit, whatever solves for them.
    `fingerprints[t]` are of qpos and qvel after 25 simulator steps with `controls[t]`."""
    env, _ = make(env_id, 2)
    data, controls, trajectory = env.data, [], {"qpos": [], "qvel": []}
    qpos, qvel = data.qpos.copy(), data.qvel.copy()
    for action in parity.random_actions(1.0, 5, "f64", 2, 400):
        env.step(action)
        controls.append(data.ctrl.copy())
    mujoco.mj_resetData(env.model, data)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(env.model, data)
    prints = np.zeros((len(controls), 8), np.uint8)
    for t, control in enumerate(controls):
        data.ctrl[:] = control
        mujoco.mj_step(env.model, data, nstep=25)
        digest = hashlib.sha256(data.qpos.tobytes() + data.qvel.tobytes()).digest()
        prints[t] = np.frombuffer(digest[:8], np.uint8)
    return {"qpos": qpos, "qvel": qvel, "controls": np.array(controls), "fingerprints": prints}


EXTRAS = {
    "cube-single.dynamics.npz": lambda: dynamics("cube-single-singletask-task1-v0"),
    "puzzle-3x3.dynamics.npz": lambda: dynamics("puzzle-3x3-singletask-task1-v0"),
}
TABLES = {"ogbench.csv": registered}

if __name__ == "__main__":
    parity.main(sys.modules[__name__])
