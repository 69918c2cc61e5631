//! Studies read back from records that are made up, so that every number in the report is known beforehand.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use experiment::{
    Evaluations, Experiment, Expert, Plan, Policy, Provenance, Row, RunConfig, Scene, Selection, Spot, Store,
};
use report::files::render;
use report::study::Study;
use std::fs;
use std::path::Path;

/// A name that would be markup, end an attribute and turn what follows it, if it could.
const HOSTILE: &str = "<script>alert(1)</script> \"'& \u{202e}x <img src=x onerror=alert(2)>";

/// Writes the record of `config` whose every evaluation is `value`.
fn record(store: &Store, config: &RunConfig, value: f64) {
    let directory = store.directory(config);
    fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, text: String| fs::write(directory.join(name), text).unwrap();
    let episodes = config.evaluation.episodes;
    let row = |step, policy, value| Row {
        step,
        policy,
        returns: vec![value; episodes],
        lengths: vec![1000; episodes],
    };
    let steps = (0..=config.steps / config.evaluation.every).map(|i| i * config.evaluation.every);
    // With an expert, what acts scores five halves of the learner, as it does while training.
    let acting = if config.dai.is_some() { 2.5 * value } else { value };
    // PEX's runs have such rows too, and no expert.
    let is_guided = |step| config.pex.is_some() || config.dai.as_ref().is_some_and(|dai| step < dai.length);
    let lines = steps.flat_map(|step| {
        let guided = is_guided(step).then(|| row(step, Policy::Guided, acting));
        [row(step, Policy::Learned, value)].into_iter().chain(guided)
    });
    write("config.toml", config.to_toml());
    write(
        "evals.csv",
        Evaluations::header(episodes) + &lines.map(|row| Evaluations::line(&row)).collect::<String>(),
    );
    // What is logged beside returns: a column that grows from one run to the next.
    let logged = |i| format!("{},,{},0,{acting}\n", i * config.evaluation.every, value / 10.0);
    let logged = (1..=config.steps / config.evaluation.every).map(logged).collect::<String>();
    let names = "step,critic_loss,actor_loss,episodes,episode_return";
    // Of DROL, how far candidates are from each other: K / 10.
    let (names, logged) = match &config.drol {
        None => (names.to_owned(), logged),
        Some(drol) => {
            let spread = format!(",{}\n", drol.candidates as f64 / 10.0);
            (format!("{names},pairwise_distance"), logged.replace('\n', &spread))
        }
    };
    write("train.csv", format!("{names}\n{logged}"));
    // An expert trains for 200 steps a point.
    let trained = if config.expert.is_some() { 200 * value as u64 } else { config.steps };
    write("status.toml", format!("state = \"finished\"\nsteps = {trained}\nupdates = 0\n"));
    write(
        "timing.toml",
        "ended = 0\nseconds = 0.0\nupdate_seconds = 0.0\nevaluation_seconds = 0.0\n".to_owned(),
    );
    let provenance = Provenance {
        version: "0.1.0".to_owned(),
        commit: "0123456789ab".to_owned(),
        binary_sha256: "b".repeat(64),
        mujoco_sha256: "c".repeat(64),
        cpu: HOSTILE.to_owned(),
        simd: "avx512".to_owned(),
        platform: "linux-x86_64".to_owned(),
        // Another for each run.
        expert_sha256: Some(config.id().to_string()),
        networks_sha256: Some(config.id().to_string()),
        data_sha256: Some(config.id().to_string()),
    };
    write("provenance.toml", toml::to_string(&provenance).unwrap());
    if config.drol.is_some() && config.seed == 1 {
        let spot = |x: f32, y: f32| Spot { at: [x, y], value: x * y };
        let grid = (0..9).map(|i| spot((i % 3) as f32 - 1.0, (i / 3) as f32 - 1.0)).collect();
        let (data, winner) = (spot(0.0, 0.5), Some(spot(0.1, 0.4)));
        let scene =
            Scene { plane: [2, 5], data, winner, candidates: vec![spot(-0.5, 0.0)], draws: vec![], grid };
        write("scene.csv", scene.to_csv());
    }
    if config.expert.is_some() {
        let expert = Expert {
            step: 5000,
            chosen_return: value,
            score: value,
            score_std: value / 3.0,
            episodes: 100,
            weights_sha256: String::new(),
        };
        write("expert.toml", toml::to_string(&expert).unwrap());
    }
}

/// The files of profile `early` with a record for each run that `value` gives one.
fn report(value: impl Fn(&RunConfig) -> Option<f64>) -> impl Fn(&str) -> String {
    edited_report(value, |_| {})
}

/// The same of an experiment that `edit` changed.
fn edited_report(
    value: impl Fn(&RunConfig) -> Option<f64>,
    edit: impl FnOnce(&mut Experiment),
) -> impl Fn(&str) -> String {
    report_of(("dai", "early"), value, edit)
}

/// The files of a profile of a paper.
fn report_of(
    (paper, profile): (&str, &str),
    value: impl Fn(&RunConfig) -> Option<f64>,
    edit: impl FnOnce(&mut Experiment),
) -> impl Fn(&str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut experiment = Experiment::read(&root, paper).unwrap();
    experiment.protocol.statistics.resamples = 200;
    edit(&mut experiment);
    let store = Store::open(folder.path(), paper).unwrap();
    drop(store.lock(paper).unwrap());
    let plan = Plan::new(&experiment, experiment.profile(profile).unwrap(), &Selection::default()).unwrap();
    for config in plan.cells.iter().map(|cell| &cell.config) {
        if let Some(value) = value(config) {
            record(&store, config, value);
        }
    }
    let study = Study::load(&experiment, profile, &store).unwrap();
    let files = render(&study).unwrap();
    assert!(files == render(&study).unwrap(), "the same bytes again");
    let mut names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    names.sort();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two files of one name: {names:?}");
    move |name| {
        let (_, content) = files.iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8_lossy(content).into_owned()
    }
}

/// TD3 ends between 100 and 105 by seed, TD3-DAI at twice that, experts at 150.
fn plain(config: &RunConfig) -> f64 {
    let td3 = 100.0 + config.seed as f64;
    match config.arm.as_str() {
        "td3" => td3,
        "td3-dai" => 2.0 * td3,
        _ => 150.0,
    }
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start:?} in {text}"))
}

#[test]
fn a_whole_study_says_what_went_in() {
    let file = report(|config| Some(plain(config)));
    // The median of 100 … 105 is 102.5, of 200 … 210 it is 205: exactly +100 %.
    let windows = file("windows.csv");
    assert!(line(&windows, "Humanoid-v5,first-quarter,td3-dai,").contains("+100 % ["), "{windows}");
    assert!(line(&file("experts.csv"), "Ant-v5,").contains(",150 ± "), "{}", file("experts.csv"));
    let claims = file("claims.csv");
    let rows = file("claims.md");
    let verdicts: Vec<&str> =
        rows.lines().skip(2).map(|row| row.split(" | ").nth(1).unwrap().trim()).collect();
    let expected = [
        "reproduced",     // early direction: +100 %, above 0
        "inconclusive",   // early gain: +100 %, not above 160 %, but of what acts five times as much
        "reproduced",     // final gain: above 50 %
        "not reproduced", // over Tianshou: returns of some hundreds against thousands
        "inconclusive",   // Humanoid early: twice, not four times, but of what acts five times
        "missing",        // Humanoid at convergence: that takes a million steps
        "inconclusive",   // Humanoid final: exactly twice
        "reproduced",     // above TD3 everywhere
        "reproduced",     // above the expert everywhere
        "reproduced",     // early, with the expert's cost: TD3 never changes
        "missing",        // the controls
        "missing",
        "missing",
        "missing",
    ];
    assert_eq!(verdicts, expected, "{claims}");
    let early = line(&claims, "\"On Humanoid, TD3-DAI's early").to_owned();
    assert!(early.contains("at-100k: not reproduced, first-quarter-acting: reproduced"), "{early}");
    assert!(file("learning-curves.svg").contains("TD3-DAI with its expert"));
    let caption = file("learning-curves.md");
    assert!(
        caption.contains("6 runs each") && caption.contains("TD3-DAI: 0 of 366 values dropped"),
        "{caption}"
    );
    assert!(caption.contains("expert: 150 (mean of 100 episodes) after 5k of 30k steps"), "{caption}");
    assert!(
        line(&file("scores.csv"), "Ant-v5,TD3-DAI,300k,6/6,").contains("205 [20"),
        "{}",
        file("scores.csv")
    );
}

#[test]
fn what_hangs_on_one_task_is_told_and_who_reaches_the_experts_goal() {
    // On Humanoid ten times TD3, elsewhere as much: +225 % on average, and nothing without it.
    let file = report(|config| {
        let factor = if config.task == "Humanoid-v5" { 10.0 } else { 1.0 };
        let guided = config.arm == "td3-dai";
        Some(if guided { factor * (100.0 + config.seed as f64) } else { plain(config) })
    });
    let sensitivity = file("sensitivity.csv");
    let gain = line(&sensitivity, "final-gain,end,reproduced,");
    assert!(gain.contains(",not reproduced without Humanoid-v5,"), "{gain}");
    assert!(gain.ends_with("median over tasks, without Humanoid-v5\""), "{gain}");
    assert!(line(&sensitivity, "humanoid-final,end,").contains(",n/a,"), "{sensitivity}");
    let experts = edited_report(
        |config| Some(plain(config)),
        |experiment| experiment.protocol.expert.as_mut().unwrap().fraction = 105.0 / 4325.44,
    )("experts.csv");
    assert!(line(&experts, "Ant-v5,105,").contains(",1 of 6: 0,6 of 6: 0,"), "{experts}");
}

#[test]
fn a_run_that_the_iqr_rule_drops_is_told_and_counts_in_the_verdict() {
    let file = report(|config| {
        let outlier = config.task == "Ant-v5" && config.arm == "td3" && config.seed == 5;
        Some(if outlier { 10_000.0 } else { plain(config) })
    });
    let caption = file("learning-curves.md");
    let ant = caption.split("Ant-v5, 10 episodes").nth(1).unwrap();
    // 61 evaluations of six runs, one dropped at each.
    assert!(ant.starts_with(" every 5k steps; TD3: 61 of 366 values dropped"), "{caption}");
    assert_eq!(caption.matches(": 0 of 366 values dropped").count(), 7, "{caption}");
    // Tables and verdicts take all six: the median of 100 … 104 and 10,000 is 102.5 still.
    assert!(line(&file("scores.csv"), "Ant-v5,TD3,").contains("102 [10"), "{}", file("scores.csv"));
}

#[test]
fn an_experts_cost_that_outlasts_the_baseline_is_not_counted_in_full() {
    // Humanoid's expert trains for 280k steps of 300k: TD3's later evaluations are none that were made.
    let file = report(|config| {
        let costly = config.task == "Humanoid-v5" && config.expert.is_some();
        Some(if costly { 1400.0 } else { plain(config) })
    });
    let claims = file("claims.csv");
    let why = ",inconclusive,4,6,300k steps,early,\"runs of td3 end before the expert's steps are counted, on Humanoid-v5\"";
    assert!(line(&claims, "TD3-DAI learns faster than TD3 early in training even").contains(why), "{claims}");
    assert!(line(&file("experts.csv"), "Humanoid-v5,").contains(",5k,280k,93 %,"), "{}", file("experts.csv"));
}

#[test]
fn an_experts_score_is_as_uncertain_as_its_episodes_leave_it() {
    // Every run of TD3-DAI scores 200 or more, the expert 195 ± 65 over 100 episodes.
    let file = report(|config| Some(if config.expert.is_some() { 195.0 } else { plain(config) }));
    let claims = file("claims.csv");
    let why = ",inconclusive,4,6,300k steps,early,the baseline's own interval holds the threshold";
    assert!(line(&claims, "At the end TD3-DAI is above its expert").contains(why), "{claims}");
}

#[test]
fn a_ratio_that_is_undefined_names_the_tasks_where_it_is() {
    let file = report(|config| {
        Some(match (config.task.as_str(), config.arm.as_str(), config.seed) {
            ("HalfCheetah-v5", "td3", _) | ("Walker2d-v5", "td3", 0) => -5.0,
            _ => plain(config),
        })
    });
    let claims = file("claims.csv");
    assert!(claims.contains("undefined: td3 is not surely above 0 on HalfCheetah-v5"), "{claims}");
    assert!(!claims.contains("on HalfCheetah-v5, Walker2d-v5"), "{claims}");
}

#[test]
fn a_task_with_a_run_missing_gives_no_average_and_its_claims_are_missing() {
    let file = report(|config| {
        let missing = config.task == "Humanoid-v5" && config.arm == "td3-dai" && config.seed == 3;
        (!missing).then(|| plain(config))
    });
    let what = "5 of 6 runs of td3-dai on Humanoid-v5 recorded";
    let claims = file("claims.csv");
    assert_eq!(claims.lines().skip(1).filter(|line| line.contains(",missing,")).count(), 14, "{claims}");
    assert!(claims.contains(what), "{claims}");
    assert!(
        line(&file("windows.csv"), "Ant-v5,end,td3-dai,").contains("+100 % ["),
        "{}",
        file("windows.csv")
    );
    assert!(!file("windows.csv").contains("Humanoid-v5,end,td3-dai,"), "{}", file("windows.csv"));
    assert!(file("learning-curves.md").contains("Not in the figure: Humanoid-v5 td3-dai seed 3 (missing)"));
    assert!(line(&file("scores.csv"), "Humanoid-v5,TD3-DAI,").contains(",5/6,"));
    assert!(file("runs.csv").contains("Humanoid-v5,td3-dai,3,missing"));
}

#[test]
fn nothing_recorded_is_a_report_too() {
    let file = report(|_| None);
    assert!(line(&file("scores.csv"), "Ant-v5,TD3,").contains(",0/6,n/a,"), "{}", file("scores.csv"));
    assert!(file("claims.csv").contains("0 of 6 runs of td3 on HalfCheetah-v5"));
}

#[test]
fn several_tasks_are_joined_and_a_missing_run_is_told() {
    let whole = report(|config| Some(plain(config)));
    for name in [
        "aggregates",
        "profiles",
        "improvement",
        "sample-efficiency",
        "final-scores",
        "readings",
        "published",
    ] {
        assert!(whole(&format!("{name}.png")).contains("PNG"), "{name}");
        assert!(!whole(&format!("{name}.svg")).contains(" runs<"), "{name} warns of nothing");
    }
    assert!(whole("aggregates.md").contains("TD3 24/24 (6 a task); TD3-DAI 24/24 (6 a task)"));
    let lacking = report(|config| {
        let missing = config.task == "Humanoid-v5" && config.arm == "td3-dai" && config.seed == 3;
        (!missing).then(|| plain(config))
    });
    assert!(lacking("aggregates.svg").contains("47/48 runs"));
    assert!(lacking("profiles.md").contains("TD3-DAI 23/24 (5 to 6 a task)"));
    assert!(lacking("final-scores.svg").contains("11/12 runs"));
    let page = lacking("report.html");
    assert!(page.contains("47 of 48 runs are recorded."));
    assert!(
        page.contains("id=\"program-1\"") && !page.contains("id=\"program-2\""),
        "one program trained all"
    );
}

#[test]
fn groups_of_tasks_and_what_a_policy_does_in_a_state_are_drawn() {
    // Scores from 0.90 to 0.97 by seed; FQL 0.05 below.
    let success =
        |config: &RunConfig| 0.9 + config.seed as f64 / 100.0 - if config.arm == "fql" { 0.05 } else { 0.0 };
    let file = report_of(
        ("drol", "paper"),
        |config| Some(success(config)),
        |experiment| {
            let tasks = experiment.protocol.profile.get_mut("paper").unwrap().tasks.get_mut();
            tasks.retain(|task| task.starts_with("cube-single") || task == "scene-task2");
        },
    );
    let svg = file("groups.svg");
    assert!(svg.contains("cube-single") && svg.contains("1 of 5 tasks"), "{svg}");
    let caption = file("groups.md");
    assert!(caption.contains("evaluations in the last 30 % of the steps"), "{caption}");
    let routing = file("routing.svg");
    assert!(routing.contains("Coordinate 2 of the action") && routing.contains("seed 1"), "{routing}");
    assert!(file("scores.csv").contains("cube-single-task1,FQL,1M,8/8,\"88.5 ["), "{}", file("scores.csv"));
}

#[test]
fn published_numbers_stand_below_a_stand_in_and_the_log_is_drawn_against_k() {
    let file = report_of(("drol", "early"), |config| Some(config.seed as f64 / 10.0), |_| ());
    let scores = file("scores.csv");
    for start in
        ["gen-cube-single,FQL,100k,3/3,", "cube-single-task2,\"FQL, table-3-fql\",1M,8,", "cube-single,"]
    {
        assert!(line(&scores, start).len() > start.len());
    }
    assert!(!scores.contains("table-3-srpo"), "algorithms that are not in the profile: {scores}");
    // The made-up log of K candidates says K / 10.
    let spread = file("sweep-spread.md");
    assert!(spread.contains("column pairwise_distance") && spread.contains("cube-single"), "{spread}");
}

#[test]
fn bold_is_what_beats_every_other_arm() {
    let file = report(|config| Some(plain(config)));
    let text = file("scores.md");
    assert!(line(&text, "| Ant-v5         | TD3-DAI").contains("**205 [20"), "{text}");
    assert!(!line(&text, "| Ant-v5         | TD3 ").contains("**"), "{text}");
    // Arms that score the same: neither.
    let even = report(|config| Some(100.0 + config.seed as f64));
    assert!(!even("scores.md").contains("**"));
}

#[test]
fn a_reference_of_the_same_budget_is_held_against_ours() {
    let file = report(|config| Some(if config.task == "Ant-v5" { 1953.0 } else { plain(config) }));
    let rows = file("references.csv");
    assert!(line(&rows, "Ant-v5,TD3,300k").contains(",overlaps the reference"), "{rows}");
    assert!(line(&rows, "HalfCheetah-v5,TD3,300k").contains(",below the reference"), "{rows}");
    assert!(!rows.contains("1M"), "other budgets are not compared: {rows}");
    assert!(file("references.json").contains("\"difference\": 0.0"));
}

#[test]
fn names_from_files_stay_text_in_the_page() {
    let page = edited_report(
        |config| (config.seed != 5).then(|| plain(config)),
        |experiment| {
            let hostile = || HOSTILE.to_owned();
            let protocol = &mut experiment.protocol;
            (protocol.title, protocol.cite) = (hostile(), hostile());
            protocol.arm.iter_mut().for_each(|arm| arm.label = hostile());
            protocol.task.iter_mut().for_each(|task| task.title = hostile());
            protocol.profile.get_mut("early").unwrap().about = hostile();
            for claim in &mut experiment.claims.claim {
                (claim.statement, claim.cite) = (hostile(), hostile());
                claim.reading.iter_mut().for_each(|reading| reading.id = hostile());
            }
            for source in &mut experiment.reference.source {
                (source.cite, source.protocol, source.spread) = (hostile(), hostile(), hostile());
            }
            experiment.notes = Some(format!("## {HOSTILE}\n\n{HOSTILE}\n\n[a](javascript:alert(3))\n"));
        },
    )("report.html");
    for markup in ["<script", "<img", "onerror=alert(2)>", "javascript:", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup} in {page}");
    }
    assert!(page.matches("&lt;script&gt;").count() > 50);
}

#[test]
fn only_an_arm_with_an_expert_is_drawn_with_it() {
    let file = report_of(("pex", "quick"), |config| Some(config.seed as f64), |_| ());
    let (curves, caption) = (file("learning-curves.svg"), file("learning-curves.md"));
    assert!(curves.contains("PEX") && !curves.contains("with its expert"), "{curves}");
    assert!(!caption.contains("xpert"), "{caption}");
}
