//! `report` and `check`: figures, tables and verdicts of recorded runs.

use crate::args::{CheckArgs, Chosen, Format, ReportArgs, Which};
use crate::{exit, say, say_json};
use anyhow::Result;
use report::study::Study;
use report::table::Table;
use report::verdicts::{Answer, Verdict, answers};
use report::{files, tables};
use std::path::PathBuf;

/// Writes a profile's figures, tables and page and prints its verdicts. Whether every planned run is recorded.
pub(crate) fn publish(which: &Which, chosen: &Chosen, figures: Option<&PathBuf>) -> Result<bool> {
    let study = Study::load(&chosen.experiment, &which.profile, &chosen.store)?;
    let folder = which.figures(figures)?;
    files::write(&folder, &files::render(&study)?)?;
    print(&study, &answers(&study));
    say(format!("\nfigures, tables and report.html: {}", folder.display()));
    Ok(study.is_complete())
}

pub(crate) fn report(args: &ReportArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    if !args.check {
        let complete = publish(&args.which, &chosen, args.figures.as_ref())?;
        return Ok(if complete { exit::FINE } else { exit::INCOMPLETE });
    }
    let study = Study::load(&chosen.experiment, &args.which.profile, &chosen.store)?;
    let folder = args.which.figures(args.figures.as_ref())?;
    let files = files::render(&study)?;
    let stale = files::stale(&folder, &files);
    if stale.is_empty() {
        say(format!("{} files in {} are fresh", files.len(), folder.display()));
        return Ok(exit::FINE);
    }
    eprintln!("stale in {}: {}", folder.display(), stale.join(", "));
    eprintln!("  help: `cargo xtask report --paper {} --profile {}`", args.which.paper, args.which.profile);
    Ok(exit::CHECK_FAILED)
}

pub(crate) fn check(args: &CheckArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let study = Study::load(&chosen.experiment, &args.which.profile, &chosen.store)?;
    let answers = answers(&study);
    match (args.json, args.format) {
        (true, _) => say_json(&answers)?,
        (false, Format::Github) => answers.iter().for_each(|answer| say(annotation(answer))),
        (false, Format::Text) => print(&study, &answers),
    }
    let on_record = args.which.figures(args.figures.as_ref())?.join("verdicts.json");
    let now = serde_json::to_string_pretty(&answers)? + "\n";
    match std::fs::read_to_string(&on_record) {
        Ok(then) if then != now => {
            eprintln!("these are not the verdicts on record in {}", on_record.display());
            Ok(exit::CHECK_FAILED)
        }
        _ if !study.is_complete() => Ok(exit::INCOMPLETE),
        _ => Ok(exit::FINE),
    }
}

fn annotation(answer: &Answer) -> String {
    let level = match answer.verdict {
        Verdict::Reproduced => "notice",
        _ => "warning",
    };
    format!("::{level} title={}::{} {}", answer.verdict.name(), answer.statement, answer.verdict.reason())
}

fn print(study: &Study, answers: &[Answer]) {
    let width = 100;
    let show = |table: &Table| say(format!("\n{}", table.plain(width)));
    if !study.is_complete() {
        show(&tables::runs(study));
    }
    show(&tables::gains(study));
    show(&tables::verdicts(answers).without("note"));
    for answer in answers {
        say(format!("{:15} {}", answer.verdict.name(), answer.statement));
        let reason = answer.verdict.reason();
        if !reason.is_empty() {
            say(format!("{:15} ({reason})", ""));
        }
    }
    let runs = study.profile.seeds.get_ref().len();
    say(format!(
        "\nscope: {} task(s), {runs} runs an arm, {} steps (profile {})",
        study.tasks.len(),
        study.profile.steps,
        study.profile_name
    ));
}
