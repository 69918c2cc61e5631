//! Pictures of anybody's scores.

use crate::args::StatsArgs;
use anyhow::Result;
use experiment::Statistics;
use report::figure::Color;
use report::files;
use report::pictures::{Arm, Course, Picture, Setting, aggregates, improvement, profiles, sample_efficiency};
use report::scores::{Curve, Progress, ScoreFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A profile is an interval at every score: for that many, fewer resamples do (rliable's own default).
const PROFILE_RESAMPLES: usize = 2000;

fn statistics(args: &StatsArgs) -> Statistics {
    Statistics {
        iqr_factor: 1.5,
        confidence: args.ci,
        resamples: args.reps as usize,
        seed: args.seed,
        final_share: 0.05,
    }
}

fn score(args: &StatsArgs) -> String {
    let normalised = args.normalise.iter().map(|name| format!(", normalised by `{name}`"));
    format!("what the file says{}", normalised.collect::<String>())
}

fn colors() -> impl Iterator<Item = Color> {
    Color::ALL.into_iter().cycle()
}

/// Aggregates, profiles and, of a comparison, probabilities of improvement.
pub(super) fn scores(args: &StatsArgs, folder: &Path, file: &ScoreFile) -> Result<()> {
    let arms: Vec<Arm> = file
        .algorithms
        .iter()
        .zip(colors())
        .map(|((name, scores), color)| {
            let planned = scores.runs().iter().sum();
            Arm { label: name.clone(), color, scores: scores.clone(), planned }
        })
        .collect();
    let (statistics, score) = (statistics(args), score(args));
    let setting = Setting { title: None, tasks: &file.tasks, score: &score, statistics: &statistics };
    let fewer = Statistics { resamples: statistics.resamples.min(PROFILE_RESAMPLES), ..statistics.clone() };
    let mut pictures = vec![
        aggregates(&setting, &arms),
        profiles(&Setting { statistics: &fewer, ..setting.clone() }, &arms),
    ];
    if let Some(baseline) = arms.iter().find(|arm| args.vs.as_ref() == Some(&arm.label)) {
        let others = arms.iter().filter(|arm| arm.label != baseline.label);
        let pairs: Vec<(&Arm, &Arm)> = others.map(|arm| (arm, baseline)).collect();
        pictures.push(improvement(&setting, &pairs));
    }
    write(folder, &pictures)
}

/// Sample efficiency.
pub(super) fn curves(
    args: &StatsArgs,
    folder: &Path,
    curves: &[Curve],
    progress: &BTreeMap<String, Progress>,
) -> Result<()> {
    let courses: Vec<Course> = progress
        .iter()
        .zip(colors())
        .map(|((name, progress), color)| {
            let steps = progress.steps.iter().map(|step| *step as f64);
            let points: Vec<_> = steps.zip(progress.frames.iter().cloned()).collect();
            let planned = points.first().map_or(0, |(_, scores)| scores.runs().iter().sum());
            Course { label: name.clone(), color, points, planned }
        })
        .collect();
    let tasks: BTreeSet<String> = curves.iter().map(|curve| curve.task.clone()).collect();
    let tasks: Vec<String> = tasks.into_iter().collect();
    let (statistics, score) = (statistics(args), score(args));
    let setting = Setting { title: None, tasks: &tasks, score: &score, statistics: &statistics };
    write(folder, &[sample_efficiency(&setting, &courses)])
}

fn write(folder: &Path, pictures: &[Picture]) -> Result<()> {
    let rendered = pictures.iter().map(files::picture_files).collect::<Result<Vec<_>>>()?;
    files::write(folder, &rendered.concat())?;
    let names: Vec<String> = pictures.iter().map(|picture| picture.name.clone()).collect();
    eprintln!("pictures in {}: {}", folder.display(), names.join(", "));
    Ok(())
}
