"""Records `golden.json`: what rliable, arch and SciPy make of small score matrices.

    python3 -m venv venv && venv/bin/pip install -r tests/goldens/stats/requirements.txt
    venv/bin/python tests/goldens/stats/record.py

Bootstrap intervals are recorded with the very indices that the bootstrap drew, so that another implementation can be
held to them exactly, without its random numbers.
"""

import json
import pathlib

import numpy as np
from rliable import library as rly
from rliable import metrics
from scipy import stats

METRICS = {
    "iqm": metrics.aggregate_iqm,
    "mean": metrics.aggregate_mean,
    "median": metrics.aggregate_median,
    "optimality_gap": metrics.aggregate_optimality_gap,
}
TAUS = [-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5]


class Recorded(rly.StratifiedBootstrap):
    """rliable's bootstrap, keeping what it draws."""

    drawn = None

    def update_indices(self):
        indices = super().update_indices()
        if self.drawn is not None:
            # `(rows [runs, tasks], columns)`: the row that each cell takes.
            rows = np.broadcast_to(indices[0], self._args[0].shape)
            self.drawn.append(rows.T.tolist())
        return indices


def matrices():
    random = np.random.default_rng(0)
    return {
        "ten runs of six tasks": random.normal(0.6, 0.3, (10, 6)),
        "five runs of three tasks": random.gamma(2.0, 0.3, (5, 3)),
        "seven runs of one task": random.normal(0.0, 1.0, (7, 1)),
        "ties": random.integers(0, 4, (6, 4)) / 4.0,
        "one run of one task": np.array([[0.3]]),
        "three runs of two tasks": np.array([[0.1, 0.9], [0.5, 1.5], [0.2, -0.4]]),
    }


def points(scores):
    return {name: float(metric(scores)) for name, metric in METRICS.items()}


def intervals(scores, reps=120):
    found = []
    for name, metric in METRICS.items():
        for method in ("percentile", "basic", "bc", "bca"):
            for size in (0.9, 0.95):
                np.random.seed(7)  # rliable draws from NumPy's global generator
                bootstrap = Recorded(scores)
                bootstrap.drawn = []
                statistic = lambda x, metric=metric: np.array([metric(x)])
                try:
                    ends = bootstrap.conf_int(statistic, reps, method=method, size=size)
                except (RuntimeError, ValueError):
                    continue
                draws = bootstrap.drawn[-reps:]
                found.append({
                    "metric": name, "method": method, "level": size,
                    "low": float(ends[0, 0]), "high": float(ends[1, 0]), "draws": draws,
                })
    # The same draws serve all of them: kept once.
    draws = found[0]["draws"]
    for entry in found:
        assert entry.pop("draws") == draws
    return {"draws": draws, "intervals": found}


def monte_carlo(scores, reps=2000, repeats=40):
    np.random.seed(8)
    statistic = lambda x: np.array([metrics.aggregate_iqm(x)])
    interval = lambda: Recorded(scores).conf_int(statistic, reps, method="percentile", size=0.95)[:, 0]
    ends = np.array([interval() for _ in range(repeats)])
    return {"reps": reps, "mean": ends.mean(0).tolist(), "sd": ends.std(0, ddof=1).tolist()}


def main():
    cases = {}
    for name, scores in matrices().items():
        cases[name] = {
            "scores": scores.tolist(),
            "points": points(scores),
            "taus": TAUS,
            "run_profile": [float(rly.run_score_deviation(scores, tau)) for tau in TAUS],
            "task_profile": [float(rly.mean_score_deviation(scores, tau)) for tau in TAUS],
        }
        if scores.shape[0] >= 3:
            cases[name] |= intervals(scores)
            cases[name]["monte_carlo_iqm"] = monte_carlo(scores)
    random = np.random.default_rng(1)
    improvements = []
    for nx, ny, tasks, decimals in ((10, 10, 6, 6), (5, 8, 3, 6), (6, 6, 4, 1), (1, 1, 1, 6)):
        x = np.round(random.normal(0.6, 0.3, (nx, tasks)), decimals)
        y = np.round(random.normal(0.5, 0.3, (ny, tasks)), decimals)
        improvements.append({
            "x": x.tolist(), "y": y.tolist(), "p": float(metrics.probability_of_improvement(x, y)),
        })
    differences = []
    for nx, ny, decimals in ((5, 5, 6), (10, 7, 6), (3, 9, 6), (6, 6, 1), (14, 12, 6), (25, 30, 0)):
        x = np.round(random.normal(1.0, 1.0, nx), decimals)
        y = np.round(random.normal(0.3, 2.0, ny), decimals)
        exact = len(set(x) | set(y)) == nx + ny and nx + ny <= 20
        u = stats.mannwhitneyu(x, y, method="exact" if exact else "asymptotic")
        t = stats.ttest_ind(x, y, equal_var=False)
        differences.append({
            "x": x.tolist(), "y": y.tolist(),
            "u": float(u.statistic), "u_p": float(u.pvalue), "t": float(t.statistic), "t_p": float(t.pvalue),
        })
    golden = {"cases": cases, "improvements": improvements, "differences": differences}
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
