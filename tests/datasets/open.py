"""Opens the data sets that `crates/datasets/tests/record.rs` wrote, with h5py, numpy and minari, and compares.

Called by that test with the folder that holds them and `expected.json`. Exit code 3: a package is missing.
"""

import json
import os
import sys
from pathlib import Path

try:
    import h5py
    import minari
    import numpy as np
except ImportError as error:
    print(error)
    sys.exit(3)

folder = Path(sys.argv[1])
expected = json.loads((folder / "expected.json").read_text())
rows, episodes = expected["rows"], expected["episodes"]
column = {name: np.array(values) for name, values in expected["columns"].items()}


def same(found, name, dtype):
    found = np.asarray(found)
    assert found.dtype == np.dtype(dtype), f"{name} is {found.dtype}"
    assert found.shape == column[name].shape, f"{name} has shape {found.shape}"
    assert np.array_equal(found.astype(np.float64), column[name].astype(np.float64)), name


# D4RL's reader: every key by name, as `visititems` walks them.
with h5py.File(folder / "d4rl.hdf5", "r") as file:
    assert open(folder / "d4rl.hdf5", "rb").read(9)[8] == 0, "superblock"
    found = {}
    file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    assert sorted(found) == sorted(["observations", "next_observations", "actions", "rewards", "terminals", "timeouts",
                                    "infos/qpos", "infos/qvel"]), sorted(found)
    for name, dtype in [("observations", "f4"), ("next_observations", "f4"), ("actions", "f4"), ("rewards", "f4"),
                        ("terminals", "?"), ("timeouts", "?"), ("infos/qpos", "f8"), ("infos/qvel", "f4")]:
        same(found[name], name, dtype)
    assert file["observations"].compression == "gzip"

# OGBench's reader.
file = np.load(folder / "ogbench.npz")
assert file.files == ["observations", "actions", "terminals", "qpos", "button_states"], file.files
for name, dtype in [("observations", "f4"), ("actions", "f4")]:
    same(file[name], name, dtype)
# There, whatever ends an episode is marked.
assert np.array_equal(file["terminals"], column["terminals"] + column["timeouts"] > 0)
assert file["button_states"].dtype == np.int64 and file["qpos"].dtype == np.float32

os.environ["MINARI_DATASETS_PATH"] = str(folder / "minari")
dataset = minari.load_dataset("gen/small-v0")
assert (dataset.total_steps, dataset.total_episodes) == (rows, len(episodes))
assert dataset.observation_space.shape == column["observations"].shape[1:]
for episode, (begin, end) in zip(dataset.iterate_episodes(), episodes):
    assert np.array_equal(episode.observations[:-1], column["observations"][begin:end].astype(np.float32))
    assert np.array_equal(episode.observations[-1], column["next_observations"][end - 1].astype(np.float32))
    assert np.array_equal(episode.actions, column["actions"][begin:end].astype(np.float32))
    assert np.array_equal(episode.rewards, column["rewards"][begin:end])
    assert np.array_equal(episode.terminations, column["terminals"][begin:end])
    assert np.array_equal(episode.truncations, column["timeouts"][begin:end])
print(f"{rows} rows agree in three layouts")
