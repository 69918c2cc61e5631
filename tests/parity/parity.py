"""What the scripts of this folder share: golden files, and our rollouts against another implementation's, bit for bit.

A golden file holds what a rollout takes (`qpos`, `qvel`, `goal` where the task has one, `actions`: it can be given to
`env rollout` as it is), and what must come of it: `fingerprints[t]`, the first 8 bytes of the SHA-256 of step t's
little-endian bytes in the order observation, reward, terminated, truncated, qpos, qvel (t = 0: the observation alone);
and `observations` at `steps`, the first ten and every hundredth, so that a difference can be seen in numbers too.

Where a package's arithmetic is that of a linear algebra library, which rounds differently from processor to processor, a
file holds the trajectory instead: `observations`, `rewards`, `terminated` and `truncated`, to be met within 1e-9.
"""

import argparse
import hashlib
import pathlib
import shlex
import subprocess
import sys
import tempfile

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64}
GOLDEN = pathlib.Path(__file__).parent / "golden"
COMMAND = "cargo xtask env rollout --env {id} --input {input} --output {output}"
STEPS = 1005
# The seeds of the golden trajectories: another one for each precision.
GOLDEN_SEED = {"f32": 0, "f64": 1}


# What is met within this is no difference, in tasks that are in a suite's `NEAR`.
TOLERANCE = 1e-9


def random_actions(limit, dim, dtype, seed, steps=STEPS):
    """Random actions that go 20 % beyond the limits. They lie on a grid, so that the golden files stay small."""
    grid = np.random.default_rng([seed, 1]).integers(-60, 61, size=(steps, dim))
    return (limit * grid / 50).astype(DTYPES[dtype])


class Columns:
    """A trajectory in the arrays that `env rollout` writes."""

    def __init__(self, observation):
        names = ("observations", "rewards", "terminated", "truncated", "qpos", "qvel")
        self.columns = {name: [] for name in names}
        self.columns["observations"].append(np.array(observation))

    def add(self, *row):
        for column, value in zip(self.columns.values(), row):
            column.append(np.copy(value))

    def arrays(self):
        out = {name: np.array(column) for name, column in self.columns.items()}
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


NEAR_COLUMNS = ("observations", "rewards", "terminated", "truncated")


def is_near(suite, env_id):
    return env_id in getattr(suite, "NEAR", ())


def golden(suite, env_id, dtype):
    seed = GOLDEN_SEED[dtype]
    given = suite.inputs(env_id, dtype, seed)
    trajectory = suite.replay(env_id, seed, given)
    if is_near(suite, env_id):
        return {**given, **{name: trajectory[name] for name in NEAR_COLUMNS}}
    steps = np.array([*range(11), *range(100, len(given["actions"]), 100)], np.int64)
    return {
        **given,
        "fingerprints": fingerprints(trajectory),
        "steps": steps,
        "observations": trajectory["observations"][steps],
    }


def record(suite, arguments):
    stale = []
    for name, table in getattr(suite, "TABLES", {}).items():
        path, new = GOLDEN / name, table()
        if not arguments.check:
            path.write_text(new)
        elif path.read_text() != new:
            stale.append(name)
            print(f"{name:28} differs")
    files = dict(getattr(suite, "EXTRAS", {}))
    for env_id in arguments.only:
        for dtype in suite.IDS[env_id]:
            files[f"{env_id}.{dtype}.npz"] = lambda env_id=env_id, dtype=dtype: golden(suite, env_id, dtype)
    for name, make in files.items():
        path, new = GOLDEN / name, make()
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


def first_difference(name, expected, found, tolerance):
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return f"{name}: theirs {expected.dtype} {expected.shape}, ours {found.dtype} {found.shape}"
    if expected.tobytes() == found.tobytes():
        return None
    if tolerance and np.abs(expected.astype(float) - found.astype(float)).max() <= tolerance:
        return None
    width = expected.dtype.itemsize
    bits = [np.frombuffer(array.tobytes(), f"V{width}").reshape(array.shape) for array in (expected, found)]
    index = tuple(int(i) for i in np.argwhere(bits[0] != bits[1])[0])
    return f"{name}{list(index)}: theirs {expected[index]!r}, ours {found[index]!r}"


def compare(suite, arguments):
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        files = {"input": f"{folder}/in.npz", "output": f"{folder}/out.npz"}
        for env_id in arguments.only:
            for dtype in DTYPES:
                for seed in range(arguments.seeds):
                    given = suite.inputs(env_id, dtype, seed)
                    np.savez(files["input"], **given)
                    command = [part.format(id=env_id, **files) for part in shlex.split(arguments.rollout)]
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                    expected, found = suite.replay(env_id, seed, given), np.load(files["output"])
                    tolerance = TOLERANCE if is_near(suite, env_id) else 0
                    differences = [first_difference(name, expected[name], found[name], tolerance) for name in expected]
                    differences = [difference for difference in differences if difference]
                    same = f"the same within {tolerance}" if tolerance else "every bit the same"
                    verdict = "; ".join(differences) or f"{len(given['actions'])} steps, {same}"
                    print(f"{env_id:20} {dtype} seed {seed}: {verdict}", flush=True)
                    failed += bool(differences)
    sys.exit(4 if failed else 0)


def main(suite):
    """`suite` is a module: `IDS` are its tasks and the precisions of their golden files; `inputs(id, dtype, seed)` gives
    what a rollout takes and `replay(id, seed, given)` the package's own trajectory from there. It may have more: `NEAR`,
    `TABLES` and `EXTRAS` (golden files of other kinds, by name), and `speed`, which prints the package's steps per
    second."""
    parser = argparse.ArgumentParser(
        description=suite.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("record", help="write the golden files")
    verb.add_argument("--check", action="store_true", help="compare with the committed ones instead; exit code 4")
    verb.set_defaults(run=lambda arguments: record(suite, arguments))
    verb = verbs.add_parser("compare", help="our rollout against the package's, bit for bit; exit code 4")
    verb.add_argument("--rollout", default=COMMAND, help=f"the command to call; default: {COMMAND}")
    verb.add_argument("--seeds", type=int, default=1, help="how many, from 0")
    verb.set_defaults(run=lambda arguments: compare(suite, arguments))
    if hasattr(suite, "speed"):
        verb = verbs.add_parser("speed", help="the package's steps per second")
        verb.add_argument("--seconds", type=float, default=2.0)
        verb.set_defaults(run=suite.speed)
    ids = list(suite.IDS)
    for verb in verbs.choices.values():
        verb.add_argument("--only", nargs="+", choices=ids, default=ids, metavar="ID")
    arguments = parser.parse_args()
    arguments.run(arguments)
