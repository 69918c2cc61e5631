//! Held against rliable, arch and SciPy: `tests/goldens/stats/record.py` recorded what they say.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use serde_json::Value;
use stats::{Aggregate, Method, RunScore, Scores, bootstrap_interval, probability_of_improvement};

const AGGREGATES: [(&str, Aggregate); 4] = [
    ("iqm", Aggregate::Iqm),
    ("mean", Aggregate::Mean),
    ("median", Aggregate::Median),
    ("optimality_gap", Aggregate::OptimalityGap { gamma: 1.0 }),
];

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/stats/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// From rows of runs to columns of tasks.
fn scores(rows: &Value) -> Scores {
    let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(numbers).collect();
    let task = |task: usize| rows.iter().map(|row| RunScore::new(row[task]).unwrap()).collect();
    Scores::new((0..rows[0].len()).map(task).collect()).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    let tolerance = 1e-12 * expected.abs().max(1.0);
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

#[test]
fn point_estimates_and_profiles_are_rliables() {
    for (name, case) in golden()["cases"].as_object().unwrap() {
        let scores = scores(&case["scores"]);
        let all = scores.all();
        for (metric, aggregate) in AGGREGATES {
            let expected = case["points"][metric].as_f64().unwrap();
            close(scores.aggregate(aggregate, &all).unwrap(), expected, &format!("{name}, {metric}"));
        }
        for (i, tau) in numbers(&case["taus"]).into_iter().enumerate() {
            let what = format!("{name}, above {tau}");
            close(scores.share_above(tau, &all), numbers(&case["run_profile"])[i], &what);
            close(scores.tasks_above(tau, &all), numbers(&case["task_profile"])[i], &what);
        }
    }
}

#[test]
fn intervals_from_given_draws_are_archs() {
    let mut checked = 0;
    for (name, case) in golden()["cases"].as_object().unwrap() {
        let Some(intervals) = case.get("intervals") else { continue };
        let scores = scores(&case["scores"]);
        let draws: Vec<Vec<Vec<usize>>> = serde_json::from_value(case["draws"].clone()).unwrap();
        for interval in intervals.as_array().unwrap() {
            let metric = interval["metric"].as_str().unwrap();
            let (_, aggregate) = *AGGREGATES.iter().find(|(name, _)| *name == metric).unwrap();
            let replicates: Vec<f64> =
                draws.iter().map(|draw| scores.aggregate(aggregate, draw).unwrap()).collect();
            let method = match interval["method"].as_str().unwrap() {
                "percentile" => Method::Percentile,
                "basic" => Method::Basic,
                "bc" => Method::BiasCorrected,
                _ => Method::BiasCorrectedAccelerated,
            };
            let estimate = scores.aggregate(aggregate, &scores.all()).unwrap();
            let jackknife = scores.jackknife(|others| scores.aggregate(aggregate, others)).unwrap();
            let level = interval["level"].as_f64().unwrap();
            let found = bootstrap_interval(method, &replicates, estimate, &jackknife, level).unwrap();
            let what = format!("{name}, {metric}, {method:?}, {level}");
            // The normal quantile of the bias comes from another library: a little further off.
            let tolerance = if matches!(method, Method::Percentile | Method::Basic) { 1e-12 } else { 1e-9 };
            for (found, end) in [(found.low, "low"), (found.high, "high")] {
                let expected = interval[end].as_f64().unwrap();
                assert!((found - expected).abs() < tolerance, "{what}, {end}: {found} instead of {expected}");
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} intervals were compared");
}

#[test]
fn our_own_draws_end_where_rliables_do() {
    for (name, case) in golden()["cases"].as_object().unwrap() {
        let Some(expected) = case.get("monte_carlo_iqm") else { continue };
        let scores = scores(&case["scores"]);
        let reps = expected["reps"].as_u64().unwrap() as usize;
        let statistic = |draw: &[Vec<usize>]| scores.aggregate(Aggregate::Iqm, draw);
        let replicates = stats::bootstrap(&scores.runs(), reps, 3, "golden", statistic);
        let found = replicates.interval(0.95).unwrap();
        let (mean, sd) = (numbers(&expected["mean"]), numbers(&expected["sd"]));
        for (i, found) in [found.low, found.high].into_iter().enumerate() {
            // Of few runs, an end is often one and the same value: its spread is 0, and rounding is left.
            let tolerance = 5.0 * sd[i] + 1e-9;
            assert!(
                (found - mean[i]).abs() < tolerance,
                "{name}: {found} instead of {} ± {}",
                mean[i],
                sd[i]
            );
        }
    }
}

#[test]
fn probabilities_of_improvement_are_rliables() {
    for case in golden()["improvements"].as_array().unwrap() {
        let (x, y) = (scores(&case["x"]), scores(&case["y"]));
        let found = probability_of_improvement((&x, &x.all()), (&y, &y.all())).unwrap();
        close(found, case["p"].as_f64().unwrap(), "P(X > Y)");
    }
}

#[test]
fn tests_of_difference_are_scipys() {
    for case in golden()["differences"].as_array().unwrap() {
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        let (u, t) = (stats::mann_whitney(&x, &y).unwrap(), stats::welch(&x, &y).unwrap());
        let what = format!("{x:?} against {y:?}");
        close(u.statistic, case["u"].as_f64().unwrap(), &what);
        close(t.statistic, case["t"].as_f64().unwrap(), &what);
        // Tails come from another library.
        for (found, expected) in [(u.p, &case["u_p"]), (t.p, &case["t_p"])] {
            let expected = expected.as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-9 * expected.max(1e-3),
                "{what}: {found} instead of {expected}"
            );
        }
    }
}
