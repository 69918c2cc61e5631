//! `report` and `check`: figures, tables and verdicts of recorded runs.

use crate::args::{CheckArgs, Chosen, Format, ReportArgs, Which, root};
use crate::{exit, say, say_json};
use anyhow::Result;
use report::recorded::{Change, changes, github};
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
    let (stale, left_over) = (files::stale(&folder, &files), files::left_over(&folder, &files));
    if stale.is_empty() && left_over.is_empty() {
        say(format!("{} files in {} are fresh", files.len(), folder.display()));
        return Ok(exit::FINE);
    }
    if !stale.is_empty() {
        eprintln!("stale in {}: {}", folder.display(), stale.join(", "));
        eprintln!("  help: `{}`", args.which.command("report", args.figures.as_ref()));
    }
    if !left_over.is_empty() {
        eprintln!("drawn by nothing in {}: {}", folder.display(), left_over.join(", "));
        eprintln!("  help: remove what is left from an earlier protocol");
    }
    Ok(exit::CHECK_FAILED)
}

pub(crate) fn check(args: &CheckArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let study = Study::load(&chosen.experiment, &args.which.profile, &chosen.store)?;
    let answers = answers(&study);
    let on_record = args.which.figures(args.figures.as_ref())?.join("verdicts.json");
    let shown = on_record.display().to_string();
    let changes = match std::fs::read_to_string(&on_record) {
        Ok(then) => Some(changes(&shown, &then, &answers)?),
        Err(_) => None,
    };
    match (args.json, args.format) {
        (true, _) => say_json(&answers)?,
        (false, Format::Github) => {
            annotations(&args.which, &answers, changes.as_deref().unwrap_or_default())?;
        }
        (false, Format::Text) => print(&study, &answers),
    }
    match changes {
        Some(changes) if !changes.is_empty() => {
            eprintln!("these are not the verdicts on record in {shown}:");
            changes.iter().for_each(|change| eprintln!("  claim `{}` {}", change.claim, change.what));
            eprintln!(
                "  help: if the records changed on purpose, `{}` puts the new ones on record",
                args.which.command("report", args.figures.as_ref())
            );
            return Ok(exit::CHECK_FAILED);
        }
        Some(_) => {}
        None => {
            if args.format == Format::Github && !args.json {
                say(github(
                    "error",
                    &[("title", "no verdicts on record")],
                    &format!("there are none in {shown}"),
                ));
            }
            eprintln!("no verdicts are on record in {shown}: nothing to compare with");
            eprintln!(
                "  help: `{}` puts them on record",
                args.which.command("report", args.figures.as_ref())
            );
            return Ok(exit::CHECK_FAILED);
        }
    }
    Ok(if study.is_complete() { exit::FINE } else { exit::INCOMPLETE })
}

/// One annotation a claim, at its place in `claims.toml`, and an error for each that is not the one on record.
fn annotations(which: &Which, answers: &[Answer], changes: &[Change]) -> Result<()> {
    let file = format!("experiments/{}/claims.toml", which.paper);
    let text = std::fs::read_to_string(root()?.join(&file))?;
    let say_of = |level: &str, claim: &str, title: &str, message: &str| {
        let id = format!("id = \"{claim}\"");
        let line = text.lines().position(|line| line.trim() == id).map_or(1, |line| line + 1).to_string();
        say(github(level, &[("file", &file), ("line", &line), ("title", title)], message));
    };
    for answer in answers {
        let level = match answer.verdict {
            Verdict::Reproduced => "notice",
            _ => "warning",
        };
        let reason = answer.verdict.reason();
        let message = if reason.is_empty() {
            answer.statement.clone()
        } else {
            format!("{} ({reason})", answer.statement)
        };
        let title = format!("{}, profile {}", answer.verdict.name(), which.profile);
        say_of(level, &answer.claim, &title, &message);
    }
    for change in changes {
        let title = format!("not the verdict on record, profile {}", which.profile);
        say_of("error", &change.claim, &title, &format!("claim `{}` {}", change.claim, change.what));
    }
    Ok(())
}

fn print(study: &Study, answers: &[Answer]) {
    let width = 100;
    let show = |table: &Table| {
        if !table.rows().is_empty() {
            say(format!("\n{}", table.plain(width)));
        }
    };
    if !study.is_complete() {
        show(&tables::runs(study));
    }
    show(&tables::online(study));
    show(&tables::experts(study));
    let answered: Vec<Answer> =
        answers.iter().filter(|answer| !matches!(answer.verdict, Verdict::Missing { .. })).cloned().collect();
    show(&tables::verdicts(&answered).without("note"));
    for answer in answers {
        say(format!("{:15} {}", answer.verdict.name(), answer.statement));
        let reason = answer.verdict.reason();
        if !reason.is_empty() {
            say(format!("{:15} ({reason})", ""));
        }
    }
    let runs = study.profile.seeds.get_ref().len();
    say(format!(
        "\nscope: {} task(s), {runs} runs an arm, {} (profile {})",
        study.tasks.len(),
        study.length(),
        study.profile.name
    ));
}
