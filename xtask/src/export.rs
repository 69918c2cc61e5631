//! `export`: recorded evaluations for other programs.

use crate::args::{ExportArgs, ExportFormat};
use crate::{exit, say};
use anyhow::Result;
use diagnostics::BadInput;
use report::export::{csv, evaluations, parquet, tensorboard};
use report::study::Study;
use std::path::{Path, PathBuf};

pub(crate) fn export(args: &ExportArgs) -> Result<u8> {
    let chosen = args.which.read()?;
    let study = Study::load(&chosen.experiment, &args.which.profile, &chosen.store)?;
    let evaluations = evaluations(&study);
    let runs: usize = study.tasks.iter().flat_map(|task| &task.arms).map(|arm| arm.runs().count()).sum();
    if runs == 0 {
        return Err(BadInput::new(format!("no run of profile `{}` is recorded", args.which.profile))
            .help(format!("`{}` trains them", args.which.command("reproduce", None)))
            .into());
    }
    let files: Vec<(PathBuf, Vec<u8>)> = match args.format {
        ExportFormat::Csv => vec![(args.output.clone(), csv(&evaluations))],
        ExportFormat::Parquet => vec![(args.output.clone(), parquet(&evaluations)?)],
        ExportFormat::Tensorboard => tensorboard(&evaluations)
            .into_iter()
            .map(|(path, content)| (args.output.join(path), content))
            .collect(),
    };
    for (path, content) in &files {
        write(path, content).map_err(|error| {
            BadInput::new(error.to_string())
                .help("name another place with --output; csv and parquet are a file, tensorboard is a folder")
        })?;
    }
    say(format!(
        "{} evaluations of {runs} runs in {} file(s): {}",
        evaluations.len(),
        files.len(),
        args.output.display()
    ));
    if study.is_complete() {
        return Ok(exit::FINE);
    }
    eprintln!("{runs} of {} runs of this profile are recorded", study.planned().count());
    Ok(exit::INCOMPLETE)
}

fn write(path: &Path, content: &[u8]) -> disk::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        disk::create_folder(folder)?;
    }
    disk::scratch(path, content)
}
