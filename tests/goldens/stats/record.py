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
from statsmodels.stats.multitest import multipletests

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
    drawn_tasks = None

    def update_indices(self):
        indices = super().update_indices()
        if self.drawn is not None:
            # `(rows [runs, tasks], columns)`: the row that each cell takes.
            rows = np.broadcast_to(indices[0], self._args[0].shape)
            self.drawn.append(rows.T.tolist())
            self.drawn_tasks.append(np.ravel(indices[1]).tolist())
        return indices


class RecordedPair(rly.StratifiedIndependentBootstrap):
    """The same of two algorithms, each resampled on its own."""

    drawn = None

    def update_indices(self):
        positions, named = super().update_indices()
        if self.drawn is not None:
            self.drawn.append([rows.T.tolist() for rows, *_ in positions])
        return positions, named


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
                bootstrap.drawn, bootstrap.drawn_tasks = [], []
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


def from_draws(bootstrap, statistic, reps=60):
    """Percentile intervals of everything that `statistic` returns, and what was drawn for them."""
    np.random.seed(9)
    bootstrap.drawn, bootstrap.drawn_tasks = [], []
    low, high = bootstrap.conf_int(statistic, reps, method="percentile", size=0.95)
    found = {"draws": bootstrap.drawn[-reps:], "low": low.tolist(), "high": high.tolist()}
    return found | ({"tasks": bootstrap.drawn_tasks[-reps:]} if bootstrap.drawn_tasks else {})


def monte_carlo(bootstrap, statistic, reps=1000, repeats=20):
    """The ends of percentile intervals: their mean and their standard deviation over repetitions."""
    np.random.seed(8)
    ends = np.array([
        bootstrap().conf_int(statistic, reps, method="percentile", size=0.95) for _ in range(repeats)
    ])
    return {"reps": reps, "mean": ends.mean(0).tolist(), "sd": ends.std(0, ddof=1).tolist()}


def aggregates(scores):
    return np.array([metric(scores) for metric in METRICS.values()])


def run_profile(scores):
    return rly.score_distributions(scores, TAUS)


def task_profile(scores):
    return rly.average_score_distributions(scores, TAUS)


def curve(scores):
    return np.array([metrics.aggregate_iqm(scores[..., frame]) for frame in range(scores.shape[2])])


def bootstraps(scores):
    """What every case of enough runs has beside its intervals."""
    of_runs = lambda: Recorded(scores)
    of_tasks = lambda: Recorded(scores, task_bootstrap=True)
    return {
        "profiles": {
            "run": from_draws(of_runs(), run_profile), "task": from_draws(of_runs(), task_profile),
            "monte_carlo_run": monte_carlo(of_runs, run_profile),
            "monte_carlo_task": monte_carlo(of_runs, task_profile),
        },
        "task_bootstrap": from_draws(of_tasks(), aggregates) | {"monte_carlo": monte_carlo(of_tasks, aggregates)},
        "monte_carlo": monte_carlo(of_runs, aggregates),
    }


def small_tools():
    """Of single samples: Student's interval, quartiles and fences, Holm's correction, runs for a width."""
    random = np.random.default_rng(3)
    samples = []
    for n, decimals in ((2, 6), (3, 6), (5, 6), (6, 1), (10, 6), (25, 0)):
        x = np.round(random.standard_t(2, n) * 3.0 + 1.0, decimals)
        q1, q3 = np.quantile(x, [0.25, 0.75])
        keep = (x >= q1 - 1.5 * (q3 - q1)) & (x <= q3 + 1.5 * (q3 - q1))
        samples.append({
            "x": x.tolist(), "q1": q1, "q3": q3, "kept": x[keep].tolist(),
            "population_std": x.std(), "sample_std": x.std(ddof=1),
            "t": {str(level): list(stats.t.interval(level, n - 1, x.mean(), stats.sem(x))) for level in (0.9, 0.95)},
        })
    corrections = []
    for p in ([0.01, 0.04, 0.03], [0.5], [0.02, 0.02, 0.9, 0.001, 0.05], [0.4, 0.6]):
        corrections.append({"p": p, "holm": multipletests(p, method="holm")[1].tolist()})
    widths = []
    for std, half_width, level in ((1.0, 0.5, 0.95), (820.0, 500.0, 0.95), (820.0, 50.0, 0.9), (1.0, 9.0, 0.95)):
        n = 2
        while stats.t.ppf((1 + level) / 2, n - 1) * std / np.sqrt(n) > half_width:
            n += 1
        widths.append({"std": std, "half_width": half_width, "level": level, "runs": n})
    return {"samples": samples, "corrections": corrections, "widths": widths}


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
            cases[name] |= bootstraps(scores)
    random = np.random.default_rng(1)
    improvements = []
    for nx, ny, tasks, decimals in ((10, 10, 6, 6), (5, 8, 3, 6), (6, 6, 4, 1), (1, 1, 1, 6)):
        x = np.round(random.normal(0.6, 0.3, (nx, tasks)), decimals)
        y = np.round(random.normal(0.5, 0.3, (ny, tasks)), decimals)
        improvements.append({
            "x": x.tolist(), "y": y.tolist(), "p": float(metrics.probability_of_improvement(x, y)),
        })
        pair = lambda x=x, y=y: RecordedPair(x, y)
        statistic = lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
        if nx > 1:
            improvements[-1] |= {"interval": from_draws(pair(), statistic), "monte_carlo": monte_carlo(pair, statistic, 400)}
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
    # Scores that rise over four evaluations: runs × tasks × frames.
    random = np.random.default_rng(2)
    scores = np.cumsum(random.gamma(1.0, 0.2, (6, 3, 4)), axis=2)
    curves = {
        "scores": scores.tolist(), "iqm": curve(scores).tolist(), "interval": from_draws(Recorded(scores), curve),
        "monte_carlo": monte_carlo(lambda: Recorded(scores), curve),
    }
    golden = {"cases": cases, "improvements": improvements, "differences": differences, "curve": curves}
    golden |= small_tools()
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
