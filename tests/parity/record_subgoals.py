#!/usr/bin/env python3
"""Where OGBench steers to in its mazes: the next point on the way from one random point to another.

    /tmp/parity/bin/python tests/parity/record_subgoals.py     # with the packages of record_collected.py

Writes tests/parity/golden/subgoals.json, which a test in `crates/envs/src/maze.rs` holds `Maze::next_cell` against.
"""

import json
import pathlib
import warnings

import gymnasium
import numpy as np
import ogbench  # noqa: F401: registers its environments

POINTS = 150


def main():
    random = np.random.default_rng(0)
    found = {}
    for size in ["medium", "large", "giant"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = gymnasium.make(f"pointmaze-{size}-v0").unwrapped
        free = np.argwhere(env.maze_map == 0)
        found[size] = []
        for _ in range(POINTS):
            (start, goal) = (
                [float(x) for x in np.array(env.ij_to_xy(tuple(free[random.integers(len(free))]))) + random.uniform(-1.9, 1.9, 2)]
                for _ in range(2)
            )
            subgoal, _ = env.get_oracle_subgoal(start, goal)
            found[size].append([start, goal, [float(x) for x in subgoal]])
    path = pathlib.Path(__file__).parent / "golden" / "subgoals.json"
    path.write_text(json.dumps({size: [[[round(x, 6) for x in p] for p in row] for row in rows] for size, rows in found.items()}) + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
