//! The commands that the documentation shows, run. What would train for long is planned instead, with the same flags;
//! `tests/pipeline.rs` trains the smoke profile. And the results it tells, held against the recorded ones.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The pages, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let papers = fs::read_dir(root().join("experiments")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = [root().to_owned(), root().join("docs")]
        .into_iter()
        .chain(papers.filter(|path| path.is_dir()))
        .collect();
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// What follows `cargo xtask` in a text: up to a backtick, the end of an indented line, or where its output goes.
fn commands(text: &str) -> Vec<Vec<String>> {
    let rests = text.split("cargo xtask ").skip(1);
    let commands = rests.map(|rest| rest.split(['`', '\n', '>']).next().unwrap_or_default());
    commands.map(|command| command.split_whitespace().map(str::to_owned).collect()).collect()
}

fn run(arguments: &[String], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).current_dir(folder).output().unwrap()
}

/// The `plan` of the runs that `reproduce` or `train` with these arguments would train.
fn plan(arguments: &[String]) -> Vec<String> {
    let mut plan = vec!["plan".to_owned()];
    let mut rest = arguments[1..].iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().unwrap().clone();
        match argument.as_str() {
            "--fresh" | "--detach" => {}
            "--jobs" | "--figures" | "--engine" | "--sbatch" => drop(value()),
            "--task" | "--arm" | "--seed" => {
                plan.extend(["--only".to_owned(), format!("{}={}", &argument[2..], value())]);
            }
            _ => plan.push(argument.clone()),
        }
    }
    plan
}

/// The same benchmark, but for how long it takes, and without peers, which are not installed here.
fn briefly(arguments: &[String]) -> Vec<String> {
    let mut brief: Vec<String> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--rounds" | "--peers" => drop(rest.next()),
            _ => brief.push(argument.clone()),
        }
    }
    if !brief.iter().any(|argument| argument == "--only") {
        brief.extend(["--only".to_owned(), "steps".to_owned()]);
    }
    brief.extend(["--rounds", "1", "--slice", "0.02"].map(str::to_owned));
    brief
}

/// The `data list` of the sets that `data get` or `data verify` names.
fn listed(arguments: &[String]) -> Vec<String> {
    let mut list = ["data", "list"].map(str::to_owned).to_vec();
    list.extend_from_slice(&arguments[2..]);
    list
}

/// The same data, but of one episode where a script is asked for some; what takes an agent long is listed instead.
fn generated(arguments: &[String]) -> Vec<String> {
    if let Some(set) = arguments.iter().find(|word| word.starts_with("gen/") && !word.contains("smoke")) {
        return ["data", "list", set].map(str::to_owned).to_vec();
    }
    let mut short = arguments.to_vec();
    if let Some(flag) = short.iter().position(|argument| argument == "--episodes") {
        "1".clone_into(&mut short[flag + 1]);
    }
    // The user's own folder of data is none of a test's.
    if !short.iter().any(|argument| argument == "--data-dir") {
        short.extend(["--data-dir", "datasets"].map(str::to_owned));
    }
    short
}

/// Runs a command of the documentation, from the root of a copy of the checkout's experiments, records and figures.
fn try_out(arguments: &[String], checkout: &Path) -> Result<(), String> {
    let arguments = match arguments[0].as_str() {
        "reproduce" | "train" => plan(arguments),
        // What would be fetched, or may not be here, is listed instead: `tests/data.rs` fetches and verifies.
        "data" if matches!(arguments[1].as_str(), "get" | "verify") => listed(arguments),
        "data" if arguments[1] == "generate" => generated(arguments),
        "bench" => briefly(arguments),
        _ => arguments.to_vec(),
    };
    let output = run(&arguments, checkout);
    // 5: there are figures, and some runs of the profile are missing.
    if matches!(output.status.code(), Some(0 | 5)) {
        return Ok(());
    }
    Err(format!("`cargo xtask {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && !name.to_str().unwrap().starts_with('.') {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// The files that a page shows, each under the name that its first line says, below `folder`.
fn write_shown_files(page: &str, folder: &Path) {
    let blocks: Vec<&str> = page.split("```toml\n# ").skip(1).collect();
    assert_eq!(blocks.len(), 3, "protocol, claims and reference");
    for block in blocks {
        let (name, rest) = block.split_once('\n').unwrap();
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, rest.split_once("```").unwrap().0).unwrap();
    }
}

#[test]
fn every_command_shown_works() {
    let checkout = tempfile::tempdir().unwrap();
    for folder in ["experiments", "results", "figures"] {
        copy(&root().join(folder), &checkout.path().join(folder));
    }
    fs::copy(root().join("tests/parity/golden/Hopper-v5.f32.npz"), checkout.path().join("in.npz")).unwrap();
    copy(&root().join("tests/goldens/datasets"), &checkout.path().join("tests/goldens/datasets"));
    fs::write(checkout.path().join("scores.json"), r#"{"td3": [[1, 2], [3, 4]], "sac": [[2, 2], [3, 5]]}"#)
        .unwrap();
    let scores =
        "algorithm,task,seed,step,score\ntd3,Hopper,0,5000,1.5\ntd3,Hopper,1,5000,2\nsac,Hopper,0,5000,3\n";
    fs::write(checkout.path().join("scores.csv"), scores).unwrap();
    let d4rl = "task,seed,score\nhopper-medium-v2,0,1500\nhopper-medium-v2,1,1600\nhopper-medium-v2,2,1900\n";
    fs::write(checkout.path().join("d4rl.csv"), d4rl).unwrap();

    write_shown_files(&fs::read_to_string(root().join("docs/papers.md")).unwrap(), checkout.path());
    let mut shown: Vec<(String, Vec<String>)> = Vec::new();
    for (path, text) in pages() {
        let page = path.strip_prefix(root()).unwrap().display().to_string();
        shown.extend(commands(&text).into_iter().map(|command| (page.clone(), command)));
    }
    let verbs = "reproduce, plan, status, explain, clean, train, report, check, export, stats, bench, env, env list, env info, env rollout, data, data list, data get, data generate, data verify, data inspect, doctor";
    for verb in verbs.split(", ") {
        let arguments: Vec<String> = verb.split(' ').chain(["--help"]).map(str::to_owned).collect();
        let help = String::from_utf8(run(&arguments, checkout.path()).stdout).unwrap();
        let examples =
            help.split("Example").nth(1).unwrap_or_else(|| panic!("`{verb} --help` has no example"));
        shown.extend(commands(examples).into_iter().map(|command| (format!("{verb} --help"), command)));
    }
    assert!(shown.len() > 20, "{shown:?}");

    let failures: Vec<String> = shown
        .iter()
        .filter(|(_, command)| command.first().is_some_and(|word| !word.starts_with('-')))
        .filter_map(|(page, command)| Some(format!("{page}: {}", try_out(command, checkout.path()).err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A number and its interval, the ends in one order.
fn interval(number: String, one: String, other: String) -> [String; 3] {
    if one <= other { [number, one, other] } else { [number, other, one] }
}

/// Each `1,234 [−5, 6 %]` of a text, as three numbers without signs, units and commas: what is lost is what is gained with
/// the signs turned.
fn intervals(text: &str) -> Vec<[String; 3]> {
    let number = |text: &str| {
        let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        digits.parse::<f64>().is_ok().then_some(digits)
    };
    let brackets = text.match_indices(" [").filter_map(|(at, _)| {
        let (inside, _) = text[at + 2..].split_once(']')?;
        let (low, high) = inside.split_once(", ")?;
        let is_number = |end: &str| end.chars().all(|c| c.is_ascii_digit() || ".,+-−×%k ".contains(c));
        let before = text[..at].trim_end_matches([' ', '%', '×', 'k']);
        let start = before.trim_end_matches(|c: char| c.is_ascii_digit() || ".,".contains(c)).len();
        if !is_number(low) || !is_number(high) {
            return None;
        }
        Some(interval(number(&before[start..])?, number(low)?, number(high)?))
    });
    brackets.collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn the_verdicts_in_the_readme_are_the_recorded_ones() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("| claim | verdict of profile `").unwrap();
    let (profile, table) = table.split_once('`').unwrap();
    let record = root().join("figures/dai").join(profile).join("verdicts.json");
    let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let answers = record.as_array().unwrap();
    assert_eq!(rows.len(), answers.len(), "a row for every claim, in their order: {rows:?}");
    for (row, answer) in rows.iter().zip(answers) {
        let told = row.split(" | ").nth(1).unwrap().split([':', ',', '|']).next().unwrap().trim();
        assert_eq!(told.replace(' ', "-"), answer["verdict"].as_str().unwrap(), "{row}");
    }
}

#[test]
fn every_interval_in_the_readme_and_the_notes_is_a_recorded_one() {
    let tables =
        files_below(&root().join("figures")).into_iter().filter(|path| path.extension().unwrap() == "md");
    let mut known: Vec<[String; 3]> =
        tables.flat_map(|path| intervals(&fs::read_to_string(path).unwrap())).collect();
    let bench = fs::read_to_string(root().join("benches/latest.json")).unwrap();
    let bench: serde_json::Value = serde_json::from_str(&bench).unwrap();
    let lines =
        bench["comparisons"].as_array().unwrap().iter().flat_map(|one| one["lines"].as_array().unwrap());
    known.extend(lines.map(|line| {
        let quartile = |i: usize| format!("{:.2}", line["first_over_this"][i].as_f64().unwrap());
        interval(quartile(1), quartile(0), quartile(2))
    }));
    let mut told = 0;
    for (path, text) in pages() {
        if path.ends_with("README.md") || path.ends_with("notes.md") {
            for interval in intervals(&text.split_whitespace().collect::<Vec<_>>().join(" ")) {
                assert!(
                    known.contains(&interval),
                    "{}: {interval:?} is in no table of figures/",
                    path.display()
                );
                told += 1;
            }
        }
    }
    assert!(told > 40, "{told}");
}
