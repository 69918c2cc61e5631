//! Held against rliable, arch and SciPy: `tests/goldens/stats/record.py` recorded what they say.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use serde_json::Value;
use stats::{
    Aggregate, Interval, Method, Replicates, Resample, RunScore, Scores, bootstrap_interval, from_indices,
    probability_of_improvement,
};

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

fn draws(value: &Value) -> Vec<Vec<Vec<usize>>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// That entry `i` of the ends that were recorded of a statistic is `found`.
#[track_caller]
fn ends_are(found: &Replicates, recorded: &Value, i: usize, what: &str) {
    let Interval { low, high, .. } = found.interval(0.95).unwrap();
    close(low, numbers(&recorded["low"])[i], &format!("{what}, low"));
    close(high, numbers(&recorded["high"])[i], &format!("{what}, high"));
}

/// That our own draws end where theirs do: within five standard deviations of what repeating theirs gives. Ours are
/// many more, so that what is left of chance is theirs.
#[track_caller]
fn ends_near(recorded: &Value, i: usize, what: &str, draw: impl FnOnce(usize) -> Replicates) {
    let found = draw(20 * recorded["reps"].as_u64().unwrap() as usize).interval(0.95).unwrap();
    for (end, found) in [found.low, found.high].into_iter().enumerate() {
        let (mean, sd) = (numbers(&recorded["mean"][end])[i], numbers(&recorded["sd"][end])[i]);
        // Of few runs, an end is often one and the same value: its spread is 0, and rounding is left.
        assert!((found - mean).abs() < 5.0 * sd + 1e-9, "{what}: {found} instead of {mean} ± {sd}");
    }
}

/// The cases of enough runs for a bootstrap.
fn resampled(golden: &Value) -> impl Iterator<Item = (&String, &Value, Scores)> {
    let cases = golden["cases"].as_object().unwrap().iter();
    cases
        .filter(|(_, case)| case.get("draws").is_some())
        .map(|(name, case)| (name, case, scores(&case["scores"])))
}

#[test]
fn aggregates_of_our_own_draws_end_where_rliables_do() {
    for (name, case, scores) in resampled(&golden()) {
        for (i, (metric, aggregate)) in AGGREGATES.into_iter().enumerate() {
            ends_near(&case["monte_carlo"], i, &format!("{name}, {metric}"), |reps| {
                stats::bootstrap(&scores.runs(), reps, 3, "golden", |draw| scores.aggregate(aggregate, draw))
            });
        }
    }
}

#[test]
fn intervals_of_profiles_are_rliables() {
    type Share = fn(&Scores, f64, &Resample) -> f64;
    let of_runs: Share = Scores::share_above;
    let of_tasks: Share = Scores::tasks_above;
    for (name, case, scores) in resampled(&golden()) {
        for (kind, share) in [("run", of_runs), ("task", of_tasks)] {
            let recorded = &case["profiles"][kind];
            let near = &case["profiles"][format!("monte_carlo_{kind}")];
            for (i, tau) in numbers(&case["taus"]).into_iter().enumerate() {
                let what = format!("{name}, {kind} profile at {tau}");
                let of = |draw: &Resample| Some(share(&scores, tau, draw));
                ends_are(&from_indices(draws(&recorded["draws"]), of), recorded, i, &what);
                ends_near(near, i, &what, |reps| stats::bootstrap(&scores.runs(), reps, 3, "golden", of));
            }
        }
    }
}

#[test]
fn a_bootstrap_over_tasks_is_rliables() {
    for (name, case, scores) in resampled(&golden()) {
        let recorded = &case["task_bootstrap"];
        let tasks: Vec<Vec<usize>> = serde_json::from_value(recorded["tasks"].clone()).unwrap();
        for (i, (metric, aggregate)) in AGGREGATES.into_iter().enumerate() {
            let what = format!("{name}, {metric} over tasks");
            let of = |tasks: &[usize], draw: &Resample| scores.of_tasks(tasks).aggregate(aggregate, draw);
            let mut drawn = tasks.iter();
            let given = draws(&recorded["draws"]).into_iter().map(|draw| of(drawn.next().unwrap(), &draw));
            let given = Replicates { values: given.collect::<Option<_>>().unwrap(), undefined: 0 };
            ends_are(&given, recorded, i, &what);
            ends_near(&recorded["monte_carlo"], i, &what, |reps| {
                stats::bootstrap_tasks(&scores.runs(), reps, 3, "golden", of)
            });
        }
    }
}

#[test]
fn a_sample_efficiency_curve_is_rliables() {
    let golden = golden();
    let recorded = &golden["curve"];
    // From [run][task][frame] to one matrix a frame.
    let runs: Vec<Vec<Vec<f64>>> = serde_json::from_value(recorded["scores"].clone()).unwrap();
    let frame = |frame: usize| {
        let task =
            |task: usize| runs.iter().map(|run| RunScore::new(run[task][frame]).unwrap()).collect::<Vec<_>>();
        Scores::new((0..runs[0].len()).map(task).collect()).unwrap()
    };
    let frames: Vec<Scores> = (0..runs[0][0].len()).map(frame).collect();
    let iqm = |scores: &Scores, draw: &Resample| scores.aggregate(Aggregate::Iqm, draw);
    let draws: Vec<Vec<Vec<Vec<usize>>>> =
        serde_json::from_value(recorded["interval"]["draws"].clone()).unwrap();
    for (i, scores) in frames.iter().enumerate() {
        let what = format!("frame {i}");
        close(iqm(scores, &scores.all()).unwrap(), numbers(&recorded["iqm"])[i], &what);
        let given = from_indices(draws.iter().map(|draw| draw[i].clone()), |draw| iqm(scores, draw));
        ends_are(&given, &recorded["interval"], i, &what);
        ends_near(&recorded["monte_carlo"], i, &what, |reps| {
            stats::bootstrap_curve(&frames, reps, 3, "golden", iqm).swap_remove(i)
        });
    }
}

#[test]
fn probabilities_of_improvement_are_rliables() {
    for case in golden()["improvements"].as_array().unwrap() {
        let (x, y) = (scores(&case["x"]), scores(&case["y"]));
        let found = probability_of_improvement((&x, &x.all()), (&y, &y.all())).unwrap();
        close(found, case["p"].as_f64().unwrap(), "P(X > Y)");
        let Some(interval) = case.get("interval") else { continue };
        let tasks = x.tasks().len();
        let of = |draw: &Resample| probability_of_improvement((&x, &draw[..tasks]), (&y, &draw[tasks..]));
        let pairs: Vec<Vec<Vec<Vec<usize>>>> = serde_json::from_value(interval["draws"].clone()).unwrap();
        ends_are(&from_indices(pairs.iter().map(|pair| pair.concat()), of), interval, 0, "P(X > Y)");
        ends_near(&case["monte_carlo"], 0, "P(X > Y)", |reps| {
            stats::bootstrap(&[x.runs(), y.runs()].concat(), reps, 3, "golden", of)
        });
    }
}

#[test]
fn single_samples_are_scipys_and_numpys() {
    for case in golden()["samples"].as_array().unwrap() {
        let x = numbers(&case["x"]);
        let what = format!("{x:?}");
        let filter = stats::iqr_filter(&x, stats::TUKEY_K).unwrap();
        close(filter.q1, case["q1"].as_f64().unwrap(), &what);
        close(filter.q3, case["q3"].as_f64().unwrap(), &what);
        assert_eq!(filter.kept, numbers(&case["kept"]), "{what}");
        close(stats::population_std(&x).unwrap(), case["population_std"].as_f64().unwrap(), &what);
        close(stats::sample_std(&x).unwrap(), case["sample_std"].as_f64().unwrap(), &what);
        for (level, ends) in case["t"].as_object().unwrap() {
            let found = stats::t_interval(&x, level.parse().unwrap()).unwrap();
            // Student's quantile comes from another library.
            for (found, expected) in [found.low, found.high].into_iter().zip(numbers(ends)) {
                let tolerance = 1e-9 * expected.abs().max(1.0);
                assert!((found - expected).abs() < tolerance, "{what}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn corrections_and_numbers_of_runs_are_statsmodels_and_scipys() {
    for case in golden()["corrections"].as_array().unwrap() {
        let found = stats::holm(&numbers(&case["p"]));
        found
            .iter()
            .zip(numbers(&case["holm"]))
            .for_each(|(found, expected)| close(*found, expected, "Holm"));
    }
    for case in golden()["widths"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let found = stats::runs_for_half_width(number("std"), number("half_width"), number("level"));
        assert_eq!(found.map(|n| n as u64), case["runs"].as_u64(), "{case}");
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
