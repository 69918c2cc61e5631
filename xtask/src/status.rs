//! `status` and `explain`: where a profile's runs are, and all about one.

use crate::args::{Chosen, ExplainArgs, SurveyArgs, Which};
use crate::plan::and_untold;
use crate::progress::duration;
use crate::speed::Speeds;
use crate::{exit, say, say_json};
use anyhow::Result;
use diagnostics::{BadInput, quoted};
use experiment::{Device, Plan, Profile, Run, RunConfig, RunState, Timing};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// One run.
#[derive(Serialize)]
struct Line<'a> {
    task: &'a str,
    arm: &'a str,
    seed: u64,
    id: String,
    state: &'static str,
    /// Environment steps taken, where a worker has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<u64>,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_return: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What runs this run and no other again.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    paper: &'a str,
    profile: &'a str,
    counts: BTreeMap<&'static str, usize>,
    /// Seconds until all are recorded whose speed is known, on as many workers as now run, or as there are cores.
    eta_seconds: Option<f64>,
    /// Runs whose speed is not: none of their kind is recorded yet.
    without_eta: usize,
    runs: Vec<Line<'a>>,
}

const STATES: [&str; 5] = ["recorded", "running", "stopped", "failed", "missing"];

pub(crate) fn status(args: &SurveyArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let plan = chosen.plan(&args.filters)?;
    let runs: Vec<Line<'_>> = plan
        .cells
        .iter()
        .map(|cell| line(&args.which, &cell.config, chosen.store.state(&cell.config)))
        .collect();
    let mut counts: BTreeMap<&str, usize> = STATES.iter().map(|state| (*state, 0)).collect();
    runs.iter().for_each(|run| *counts.entry(run.state).or_default() += 1);
    let (eta_seconds, without_eta) = eta(&chosen, &plan, &runs);
    let is_complete = counts["recorded"] == runs.len();
    let status = Status {
        paper: &args.which.paper,
        profile: &args.which.profile,
        counts,
        eta_seconds,
        without_eta,
        runs,
    };
    if args.json {
        say_json(&status)?;
    } else {
        print(&status);
    }
    Ok(if is_complete { exit::FINE } else { exit::INCOMPLETE })
}

fn line<'a>(which: &Which, config: &'a RunConfig, state: RunState) -> Line<'a> {
    let name = state.name();
    let (progress, failure) = match state {
        RunState::Running(progress) | RunState::Stopped(progress) => (progress, None),
        RunState::Failed(failure) => (None, Some(failure)),
        RunState::Recorded | RunState::Missing => (None, None),
    };
    let step = progress.as_ref().map(|progress| progress.step).or(failure.as_ref().map(|f| f.steps));
    Line {
        task: &config.task,
        arm: &config.arm,
        seed: config.seed,
        id: config.id().to_string(),
        state: name,
        step,
        steps: config.steps,
        last_return: progress.as_ref().map(|progress| progress.last_return).filter(|x| x.is_finite()),
        steps_per_second: progress.as_ref().filter(|_| name == "running").map(|p| p.steps_per_second),
        command: failure.is_some().then(|| command(which, config)),
        error: failure.and_then(|failure| failure.error),
    }
}

/// What runs `config` alone.
fn command(which: &Which, config: &RunConfig) -> String {
    let Which { paper, profile, results, .. } = which;
    let results =
        results.as_ref().map(|folder| format!(" --results {}", quoted(&folder.display().to_string())));
    let device = if config.device == Device::Cuda { " --device cuda" } else { "" };
    let results = results.unwrap_or_default() + device;
    let (paper, profile) = (quoted(paper), quoted(profile));
    let (task, arm, seed) = (&config.task, &config.arm, config.seed);
    if config.expert.is_some() {
        // An expert is trained with whatever it guides.
        return format!(
            "cargo xtask reproduce --paper {paper} --profile {profile} --only task={}{results}",
            quoted(task)
        );
    }
    format!(
        "cargo xtask train --paper {paper} --profile {profile} --task {} --arm {} --seed {seed}{results}",
        quoted(task),
        quoted(arm)
    )
}

/// Seconds until everything is recorded; nothing where nothing is left, or no speed is known.
fn eta(chosen: &Chosen, plan: &Plan, runs: &[Line<'_>]) -> (Option<f64>, usize) {
    let open: Vec<(&RunConfig, &Line<'_>)> = plan
        .cells
        .iter()
        .map(|cell| &cell.config)
        .zip(runs)
        .filter(|(_, run)| run.state != "recorded")
        .collect();
    let speeds = Speeds::read(chosen, plan);
    let left = |(config, run): &(&RunConfig, &Line<'_>)| {
        let steps = run.steps.saturating_sub(run.step.unwrap_or(0)) as f64;
        match run.steps_per_second {
            Some(speed) if speed > 0.0 => Some(steps / speed),
            _ => Some(speeds.seconds_a_step(config)? * steps),
        }
    };
    let (seconds, untold) = crate::plan::known(open.iter().map(left));
    let running = runs.iter().filter(|run| run.state == "running").count();
    let workers = if running > 0 { running } else { crate::plan::cores() };
    let workers = workers.min(open.len() - untold).max(1);
    (seconds.map(|seconds| seconds / workers as f64), untold)
}

fn print(status: &Status<'_>) {
    type Counts<'a> = BTreeMap<&'a str, usize>;
    let mut arms: Vec<((&str, &str), Counts<'_>)> = Vec::new();
    for run in &status.runs {
        let key = (run.task, run.arm);
        let place = arms.iter().position(|(arm, _)| *arm == key).unwrap_or(arms.len());
        if place == arms.len() {
            arms.push((key, Counts::new()));
        }
        *arms[place].1.entry(run.state).or_default() += 1;
    }
    let [recorded, running, stopped, failed, missing] = STATES;
    say(format!(
        "{:20} {:10} {recorded:>9} {running:>8} {stopped:>8} {failed:>7} {missing:>8}",
        "task", "arm"
    ));
    for ((task, arm), counts) in &arms {
        let n = |state| counts.get(state).copied().unwrap_or(0);
        say(format!(
            "{task:20} {arm:10} {:>9} {:>8} {:>8} {:>7} {:>8}",
            n(recorded),
            n(running),
            n(stopped),
            n(failed),
            n(missing)
        ));
    }
    for run in status.runs.iter().filter(|run| run.state == "running" || run.state == "stopped") {
        let step =
            run.step.map_or("not heard of yet".to_owned(), |step| format!("step {step}/{}", run.steps));
        let speed = run.steps_per_second.map_or(String::new(), |speed| format!("  {speed:.0} steps/s"));
        let last = run.last_return.map_or(String::new(), |last| format!("  return {last:.1}"));
        say(format!("{} {} seed {}  {}  {step}{speed}{last}", run.task, run.arm, run.seed, run.state));
    }
    for run in status.runs.iter().filter(|run| run.state == "failed") {
        say(format!(
            "{} {} seed {}  failed: {}",
            run.task,
            run.arm,
            run.seed,
            run.error.as_deref().unwrap_or("?")
        ));
        say(format!("  again: {}", run.command.as_deref().unwrap_or_default()));
    }
    let open = status.runs.len() - status.counts["recorded"];
    match status.eta_seconds {
        _ if open == 0 => say("all runs are recorded"),
        Some(seconds) => {
            let told = open - status.without_eta;
            let of = if told == open { String::new() } else { format!("{told} of them in ") };
            let more = and_untold(status.without_eta);
            say(format!("{open} to go, {of}about {}{more}", duration(seconds)));
        }
        None => say(format!(
            "{open} to go; no run of this kind is recorded yet that would tell how long they take"
        )),
    }
}

/// All about one run.
#[derive(Serialize)]
struct Explanation<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    profile: &'a str,
    /// Where its record lies, or will.
    directory: String,
    /// The command that compares a record with what the other command makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    compare: Option<String>,
    config: &'a RunConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Timing>,
    /// The learned policy's last evaluations: step and mean return.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evaluations: Vec<(u64, f64)>,
}

const EVALUATIONS: usize = 5;

pub(crate) fn explain(args: &ExplainArgs) -> Result<u8> {
    let (paper, results) = (args.paper.clone(), args.results.clone());
    let which = Which { paper, profile: String::new(), results, device: None };
    let (chosen, which, config) = find(args, which)?;
    let directory = chosen.store.directory(&config);
    let mut line = line(&which, &config, chosen.store.state(&config));
    let is_recorded = line.state == "recorded";
    line.command.get_or_insert_with(|| {
        if is_recorded { again(&chosen, &which, &config) } else { command(&which, &config) }
    });
    let run = is_recorded.then(|| Run::read(&directory)).transpose()?;
    let last = |run: &Run| {
        let all: Vec<(u64, f64)> = run.evaluations.learned().collect();
        all[all.len().saturating_sub(EVALUATIONS)..].to_vec()
    };
    let explanation = Explanation {
        line,
        profile: &which.profile,
        directory: directory.display().to_string(),
        compare: (is_recorded && args.results.as_deref() != Some(Path::new(AGAIN)))
            .then(|| compare(&directory)),
        config: &config,
        provenance: std::fs::read_to_string(directory.join("provenance.toml")).ok(),
        timing: run.as_ref().map(|run| run.timing.clone()),
        evaluations: run.as_ref().map(last).unwrap_or_default(),
    };
    if args.json {
        say_json(&explanation)?;
    } else {
        print_explanation(&explanation);
    }
    Ok(exit::FINE)
}

/// Where a record is made again, beside it.
const AGAIN: &str = "again";

/// What makes a recorded run again: an expert with the first run that it guides.
fn again(chosen: &Chosen, which: &Which, config: &RunConfig) -> String {
    let mut config = config.clone();
    let profile = chosen.experiment.profile(&which.profile);
    let guided = |profile: &Profile| chosen.experiment.arms(profile).find(|arm| arm.dai.is_some()).cloned();
    if config.expert.is_some()
        && let Ok(profile) = profile
        && let Some(arm) = guided(profile)
    {
        (config.expert, config.arm, config.seed) = (None, arm.id, profile.seeds.get_ref()[0]);
    }
    let (paper, profile, results) = (which.paper.clone(), which.profile.clone(), Some(PathBuf::from(AGAIN)));
    command(&Which { paper, profile, results, device: None }, &config)
}

/// The command that compares a record with one made again: the clock's file and the program's may differ.
fn compare(record: &Path) -> String {
    // Paper, task, arm and run.
    let parts: Vec<_> = record.iter().collect();
    let again: PathBuf = [OsStr::new(AGAIN)].iter().chain(&parts[parts.len() - 4..]).collect();
    let [record, again] = [record, &again].map(|folder| quoted(&folder.display().to_string()));
    format!("diff -r -x timing.toml -x provenance.toml {record} {again}")
}

/// The run of the paper whose name begins as given, and the first profile that has it.
fn find(args: &ExplainArgs, mut which: Which) -> Result<(Chosen, Which, RunConfig)> {
    let wanted = args.run.rsplit('/').find(|part| !part.is_empty()).unwrap_or_default();
    let wanted = wanted.rsplit('-').next().unwrap_or_default();
    let experiment = experiment::Experiment::read(&crate::args::root()?, &args.paper)?;
    let mut found: Vec<(Device, String, RunConfig)> = Vec::new();
    for (device, name, plan) in Plan::all(&experiment)? {
        for cell in plan.cells {
            let is_new = !found.iter().any(|(.., config)| *config == cell.config);
            if !wanted.is_empty() && is_new && cell.config.id().to_string().starts_with(wanted) {
                found.push((device, name.clone(), cell.config));
            }
        }
    }
    let (device, profile, config) = match &found[..] {
        [one] => one.clone(),
        [] => {
            return Err(BadInput::new(format!("no profile of `{}` has a run `{}`", args.paper, args.run))
                .help("`cargo xtask plan` and `status --json` give the names of runs; a beginning is enough")
                .into());
        }
        [(.., a), (.., b), ..] => {
            return Err(BadInput::new(format!(
                "`{}` may be run {} or {}, or another",
                args.run,
                a.id(),
                b.id()
            ))
            .help("give more of the name")
            .into());
        }
    };
    which = Which { profile, device: Some(device), ..which };
    Ok((which.read()?, which, config))
}

fn print_explanation(explanation: &Explanation<'_>) {
    let Explanation { line, profile, directory, config, timing, .. } = explanation;
    say(format!("run          {} (profile {profile})", line.id));
    say(format!("what         {} {} seed {}, {} steps", line.task, line.arm, line.seed, line.steps));
    say(format!("state        {}", line.state));
    say(format!("directory    {directory}"));
    if let Some(step) = line.step {
        say(format!("step         {step}"));
    }
    if let Some(timing) = timing {
        let Timing { seconds, update_seconds, evaluation_seconds, checkpoint_seconds, resumptions, .. } =
            timing;
        let share = |part: &f64| 100.0 * part / seconds.max(1e-9);
        say(format!(
            "time         {}: updates {:.1} %, evaluations {:.1} %, checkpoints {:.2} %; resumed {resumptions} times",
            duration(*seconds),
            share(update_seconds),
            share(evaluation_seconds),
            share(checkpoint_seconds)
        ));
    }
    for (step, mean) in &explanation.evaluations {
        say(format!("evaluation   step {step}: {mean:.1}"));
    }
    for line in explanation.provenance.iter().flat_map(|text| text.lines()) {
        say(format!("trained by   {line}"));
    }
    if let Some(error) = &line.error {
        say(format!("error        {}", error.replace('\n', "\n             ")));
    }
    say(format!("again        {}", line.command.as_deref().unwrap_or_default()));
    if let Some(compare) = &explanation.compare {
        say(format!("compare      {compare}"));
    }
    say("configuration");
    config.to_toml().lines().for_each(|line| say(format!("  {line}")));
}
