#!/usr/bin/env python3
"""What OGBench's relabelling says of states around its tasks' goals, for `envs::Labels` to say the same.

    /tmp/parity/bin/python tests/parity/record_labels.py     # with the packages of record_collected.py

Writes tests/parity/golden/labels.npz: of each task `ID/qpos`, `ID/button_states` where there are buttons, `ID/rewards` and
`ID/masks`. Half of the states have all as wanted but for noise about as large as the tolerance; the others are anything.
"""

import pathlib
import warnings

import gymnasium
import numpy as np
import ogbench  # noqa: F401: registers its environments
from ogbench.relabel_utils import relabel_dataset

ROWS = 60
FAMILIES = ["pointmaze-medium", "antmaze-large", "antmaze-giant", "antsoccer-arena", "humanoidmaze-large", "cube-single", "cube-double", "scene", "puzzle-3x3", "puzzle-4x4"]


def states(env, random):
    env = env.unwrapped
    model = getattr(env, "_model", None) or env.model
    arrays = {"qpos": random.normal(0, 1, (ROWS, model.nq)).astype(np.float32)}
    near = arrays["qpos"][: ROWS // 2]
    if hasattr(env, "cur_goal_xy"):
        mover = 15 if model.nq == 22 else 0
        near[:, mover : mover + 2] = env.cur_goal_xy + random.normal(0, 0.5, (len(near), 2))
        return arrays
    if hasattr(env, "_num_cubes"):
        for cube, place in enumerate(env._data.mocap_pos):
            near[:, 14 + 7 * cube : 17 + 7 * cube] = place + random.normal(0, 0.025, (len(near), 3))
    if hasattr(env, "_target_button_states"):
        wanted = np.array(env._target_button_states)
        arrays["button_states"] = random.integers(0, 2, (ROWS, len(wanted)))
        flipped = random.random((len(near), len(wanted))) < 0.1
        arrays["button_states"][: len(near)] = np.where(flipped, 1 - wanted, wanted)
    if hasattr(env, "_target_drawer_pos"):
        near[:, 23] = env._target_drawer_pos + random.normal(0, 0.03, len(near))
        near[:, 24] = env._target_window_pos + random.normal(0, 0.03, len(near))
    return arrays


def main():
    random = np.random.default_rng(0)
    found = {}
    for family in FAMILIES:
        for task in range(1, 6):
            name = f"{family}-singletask-task{task}-v0"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                env = gymnasium.make(name)
            env.reset(seed=0)
            arrays = states(env, random)
            relabel_dataset(name, env, arrays)
            found |= {f"{name}/{key}": value for key, value in arrays.items()}
            done = int((arrays["masks"] == 0).sum())
            assert 0 < done < ROWS, (name, done)
    path = pathlib.Path(__file__).parent / "golden" / "labels.npz"
    np.savez_compressed(path, **found)
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
