//! The files of a study, as bytes that depend on the recorded runs and on nothing else.

use crate::pictures::Picture;
use crate::study::Study;
use crate::table::Table;
use crate::{figure, figures, html, results, sensitivity, tables, verdicts};
use anyhow::{Context, Result};
use diagnostics::BadInput;
use std::fs;
use std::path::Path;

/// A file's name and content.
pub type File = (String, Vec<u8>);

/// Dots per inch of the raster picture.
const DPI: f32 = 300.0;

/// Everything that is written of a study.
///
/// # Errors
/// If the picture cannot be rasterised.
pub fn render(study: &Study) -> Result<Vec<File>> {
    let answers = verdicts::answers(study);
    let mut files = vec![
        ("verdicts.json".to_owned(), json(&answers)?),
        ("scores.json".to_owned(), json(&results::final_scores(study))?),
    ];
    let comparisons = results::comparisons(study);
    if !comparisons.is_empty() {
        files.push(("references.json".to_owned(), json(&comparisons)?));
        files.extend(formats("references", &tables::references(&comparisons)));
    }
    let pictures = figures::pictures(study, &answers);
    for picture in &pictures {
        files.extend(picture_files(picture)?);
    }
    files.push(("report.html".to_owned(), html::page(study, &answers, &pictures)?.into_bytes()));
    for (name, table) in [
        ("scores", tables::scores(study)),
        ("online", tables::online(study)),
        ("experts", tables::experts(study)),
        ("windows", tables::windows(study)),
        ("verdicts", tables::verdicts(&answers)),
        ("claims", tables::claims(study, &answers)),
        ("sensitivity", sensitivity::sensitivity(study)),
        ("runs", tables::runs(study)),
    ] {
        if !table.rows().is_empty() {
            files.extend(formats(name, &table));
        }
    }
    Ok(files)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    Ok((serde_json::to_string_pretty(value)? + "\n").into_bytes())
}

/// A picture as SVG and PNG, and its caption.
///
/// # Errors
/// If it cannot be rasterised.
pub fn picture_files(picture: &Picture) -> Result<[File; 3]> {
    let svg = figure::svg(&picture.figure);
    let png = figure::png(&svg, DPI)?;
    let name = |extension| format!("{}.{extension}", picture.name);
    let caption = picture.caption.markdown();
    Ok([(name("svg"), svg.into_bytes()), (name("png"), png), (name("md"), caption.into_bytes())])
}

fn formats(name: &str, table: &Table) -> [File; 3] {
    [("md", table.markdown()), ("tex", table.latex()), ("csv", table.csv())]
        .map(|(extension, text)| (format!("{name}.{extension}"), text.into_bytes()))
}

/// Writes `files` into `folder`: each aside, then renamed. A file whose bytes are there already is left alone.
///
/// # Errors
/// [`BadInput`] if the folder cannot be written.
pub fn write(folder: &Path, files: &[File]) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        BadInput::new(format!("cannot write to {}: {error}", folder.display()))
            .help("make it writable, or name another directory with --figures")
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    for (name, content) in files {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|old| old == *content) {
            continue;
        }
        let aside = folder.join(format!(".{name}.new"));
        fs::write(&aside, content).map_err(unwritable)?;
        fs::rename(&aside, &path).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

/// The names of `files` that `folder` lacks or holds with other bytes.
#[must_use]
pub fn stale(folder: &Path, files: &[File]) -> Vec<String> {
    let fresh = |(name, content): &&File| fs::read(folder.join(name)).is_ok_and(|old| old == *content);
    files.iter().filter(|file| !fresh(file)).map(|(name, _)| name.clone()).collect()
}

/// The names of what lies in `folder` and is none of `files`: drawn once, and by nothing now.
#[must_use]
pub fn left_over(folder: &Path, files: &[File]) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| files.iter().all(|(drawn, _)| drawn != name)).collect();
    names.sort();
    names
}
