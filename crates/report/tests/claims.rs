//! Claims against published numbers, judged by the recorded runs of profile `anchor`: TD3 on HalfCheetah-v5 after 100k
//! steps, three runs about 4,600.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use experiment::{Experiment, Store};
use report::study::Study;
use report::verdicts::{Answer, answers};
use std::path::Path;

const REFERENCE: &str = r#"
schema = 1
[[source]]
id = "theirs"
algorithm = "TD3"
steps = 100_000
seeds = 10
protocol = "made up"
spread = "standard deviation over runs"
spread_kind = "sample-std"
cite = "made up"
scores = [{ task = "HalfCheetah-v5", value = 4600.0, spread = 1000.0 }]

[[source]]
id = "one-number"
algorithm = "TD3"
steps = 100_000
seeds = 1
protocol = "made up"
spread = "none"
cite = "made up"
scores = [{ task = "HalfCheetah-v5", value = 3000.0 }]

[[source]]
id = "elsewhere"
algorithm = "TD3"
steps = 100_000
seeds = 10
protocol = "made up"
spread = "none"
cite = "made up"
scores = [{ task = "HalfCheetah-v1", value = 3000.0 }]

[[source]]
id = "of-another-task"
algorithm = "TD3"
steps = 100_000
seeds = 10
protocol = "made up"
spread = "none"
cite = "made up"
scores = [{ task = "Hopper-v5", value = 3000.0 }]
"#;

fn anchor() -> Study {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let experiment = Experiment::read(&root, "dai").unwrap();
    let store = Store::open(&root.join("results"), "dai").unwrap();
    let mut study = Study::load(&experiment, "anchor", &store).unwrap();
    study.experiment.reference = toml::from_str(REFERENCE).unwrap();
    study
}

fn answer(study: &mut Study, metric: &str, baseline: &str, threshold: &str) -> Answer {
    answer_of(study, metric, baseline, threshold, "")
}

/// The same with what its reading is `of`.
fn answer_of(study: &mut Study, metric: &str, baseline: &str, threshold: &str, of: &str) -> Answer {
    let claim = format!(
        "schema = 1\n[[claim]]\nid = \"x\"\nstatement = \"\"\ncite = \"\"\nmetric = \"{metric}\"\narm = \"td3\"\n\
         baseline = \"{baseline}\"\n{threshold}\nreading = [{{ id = \"end\", {of}window = {{ at = 1.0 }} }}]\n"
    );
    study.experiment.claims = toml::from_str(&claim).unwrap();
    answers(study).swap_remove(0)
}

#[test]
fn a_published_number_is_a_baseline_with_a_spread_of_its_own() {
    let mut study = anchor();
    let mut check = |metric: &str, baseline: &str, threshold: &str, expected: &str| {
        let answer = answer(&mut study, metric, baseline, threshold);
        assert_eq!(answer.verdict.name(), expected, "{metric} of {baseline}, {threshold}: {answer:?}");
        answer
    };
    // ± 1,000 over ten runs: Student's interval is ± 715.
    check("least-difference", "theirs", "above = -1500.0", "reproduced");
    check("least-difference", "theirs", "below = 1500.0", "reproduced");
    check("least-difference", "theirs", "above = 1500.0", "not reproduced");
    check("ratio", "theirs", "above = 0.5", "reproduced");
    let open = check("least-difference", "theirs", "above = -400.0", "inconclusive");
    assert!(open.verdict.reason().contains("no number of runs would decide"), "{open:?}");
    let [low, high] = open.readings[0].interval.unwrap();
    assert!(high - low > 2.0 * 715.0, "{open:?}");
    let json = serde_json::to_value(check("ratio", "theirs", "below = 2.0", "reproduced")).unwrap();
    assert_eq!((&json["below"], json.get("above")), (&serde_json::json!(2.0), None));

    let exact = check("relative-gain", "one-number", "above = 0.0", "reproduced");
    assert!(exact.readings[0].reason().contains("its number is taken as exact"), "{exact:?}");
    let another = check("ratio", "elsewhere", "above = 0.0", "reproduced");
    assert!(another.readings[0].reason().contains("is of HalfCheetah-v1"), "{another:?}");
    let missing = check("ratio", "of-another-task", "above = 0.0", "missing");
    assert_eq!(missing.verdict.reason(), "of-another-task has no number for HalfCheetah-v5");
}

/// The median over runs of the last line of a column.
#[test]
fn a_claim_may_be_of_what_training_logged() {
    let mut study = anchor();
    let runs: Vec<f64> =
        study.tasks[0].arms[0].runs().map(|run| run.logged("critic_loss").pop().unwrap().1).collect();
    let answer =
        answer_of(&mut study, "least-difference", "one-number", "above = -1e6", "of = \"critic_loss\", ");
    let median = {
        let mut runs = runs;
        runs.sort_by(f64::total_cmp);
        runs[1]
    };
    assert!((answer.readings[0].point.unwrap() - (median - 3000.0)).abs() < 1e-9, "{answer:?}");
    assert_eq!(answer.readings[0].of.as_deref(), Some("critic_loss"));
    let nothing = answer_of(&mut study, "ratio", "one-number", "above = 0.0", "of = \"elsewhere\", ");
    assert_eq!(nothing.verdict.name(), "missing");
}

#[test]
fn one_run_decides_nothing() {
    let mut study = anchor();
    for arm in &mut study.tasks[0].arms {
        arm.planned.truncate(1);
    }
    let answer = answer(&mut study, "ratio", "one-number", "above = 0.1");
    assert_eq!(answer.verdict.reason(), "an arm has one run only, which leaves no interval");
    assert!(answer.readings[0].point.is_some() && answer.readings[0].interval.is_none(), "{answer:?}");
}
