"""Opens the three exports of the same records with other people's readers, and compares every value.

    python3 -m venv venv && venv/bin/pip install -r tests/export/requirements.txt
    venv/bin/python tests/export/compare.py evaluations.csv evaluations.parquet events

Exit code 0 where they agree, 1 where they do not, 3 where a package is missing.
"""

import pathlib
import sys

try:
    import numpy as np
    import pandas as pd
    import pyarrow.parquet
    from tensorboard.backend.event_processing import event_accumulator
except ImportError as error:
    print(error)
    sys.exit(3)

COLUMNS = ["algorithm", "task", "seed", "step", "score"]


def events(folder):
    """Every run's points, by the path `<task>/<arm>/seed<seed>/`."""
    rows = []
    for file in sorted(pathlib.Path(folder).rglob("*tfevents*")):
        task, algorithm, seed = file.relative_to(folder).parts[:3]
        reader = event_accumulator.EventAccumulator(str(file), size_guidance={event_accumulator.SCALARS: 0})
        reader.Reload()
        assert reader.Tags()["scalars"] == ["eval/return"], reader.Tags()
        for event in reader.Scalars("eval/return"):
            assert event.wall_time == event.step, event
            rows.append((algorithm, task, int(seed.removeprefix("seed")), event.step, event.value))
    return pd.DataFrame(rows, columns=COLUMNS)


def main():
    csv, parquet, folder = sys.argv[1:]
    # pandas' own parser of numbers may miss the last bit.
    plain = pd.read_csv(csv, float_precision="round_trip")
    assert list(plain.columns) == COLUMNS and len(plain) > 0
    assert np.isfinite(plain["score"]).all()
    pd.testing.assert_frame_equal(pd.read_parquet(parquet), plain, check_exact=True)
    table = pyarrow.parquet.read_table(parquet)
    kinds = [str(field.type) for field in table.schema]
    assert kinds == ["string", "string", "int64", "int64", "double"], kinds
    assert table.column("score").to_pylist() == plain["score"].tolist()
    order = COLUMNS[:4]
    found = events(folder).sort_values(order, ignore_index=True)
    rounded = plain.assign(score=plain["score"].astype("float32").astype("float64"))
    rounded = rounded.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found, rounded, check_exact=True)
    print(f"{len(plain)} evaluations agree")


if __name__ == "__main__":
    main()
