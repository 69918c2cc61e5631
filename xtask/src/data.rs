//! `data list|get|generate|verify|inspect`.

use crate::args::{DataVerb, PlacesArgs, ScriptArgs, Workers};
use crate::sets::{self, Workshop};
use crate::{exit, say, say_json};
use anyhow::{Context as _, Result};
use collectors::Actor;
use datasets::{Found, Known, Manifest, Places, Published, Report, Spread};
use diagnostics::BadInput;
use experiment::{Collection, Experiment, Recipe, STAND_IN};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};

pub(crate) fn data(verb: &DataVerb) -> Result<u8> {
    match verb {
        DataVerb::List { part, places, json } => list(part, &Open::new(places)?, json.json)?,
        DataVerb::Get { set, places } => get(set, &Open::new(places)?)?,
        DataVerb::Generate { set, minari, script, workers } => {
            return generate(set, *minari, script, workers);
        }
        DataVerb::Verify { set, places, json } => verify(set, &Open::new(places)?, json.json)?,
        DataVerb::Inspect { file, places, json } => inspect(file, places, json.json)?,
    }
    Ok(exit::FINE)
}

/// What there is, and where to look for it.
pub(crate) struct Open {
    pub(crate) manifest: Manifest,
    pub(crate) places: Places,
}

impl Open {
    pub(crate) fn new(args: &PlacesArgs) -> Result<Self> {
        let manifest = match &args.manifest {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    BadInput::new(format!("cannot read {}: {error}", path.display()))
                        .help("name a file laid out as crates/datasets/src/manifest.toml is")
                })?;
                Manifest::parse(&path.display().to_string(), &text)?
            }
            None => Manifest::built_in()?,
        };
        Ok(Self { manifest, places: Places::from_process(args.data_dir.clone())? })
    }

    /// The files of the named sets.
    fn chosen(&self, sets: &[String]) -> Result<Vec<&Published>, BadInput> {
        let files: Vec<Vec<&Published>> =
            sets.iter().map(|set| self.manifest.set(set)).collect::<Result<_, _>>()?;
        Ok(files.concat())
    }
}

/// A line of `list --json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Listed<'a> {
    Published {
        #[serde(flatten)]
        published: &'a Published,
        /// Where a file of this name and length is.
        path: Option<PathBuf>,
    },
    StandIn {
        set: String,
        /// The paper whose protocol says how it is made.
        paper: String,
        /// Where it is, if it was made that way.
        path: Option<PathBuf>,
    },
}

/// Every stand-in that a protocol describes and whose name `is_wanted`.
fn stand_ins(places: &Places, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Listed<'static>>> {
    let mut listed = Vec::new();
    // Published sets can be listed anywhere.
    let Ok(root) = crate::args::root() else { return Ok(listed) };
    for experiment in &experiments(&root)? {
        for set in experiment.stand_ins().filter(|set| is_wanted(set)) {
            let recipe = experiment.recipe(set)?.context("a stand-in has a recipe")?;
            // What no script makes is said when it is asked for.
            let path = sets::place(&recipe, places).ok().filter(|path| sets::has(&recipe, path));
            listed.push(Listed::StandIn { set: set.to_owned(), paper: experiment.paper.clone(), path });
        }
    }
    Ok(listed)
}

fn experiments(root: &Path) -> Result<Vec<Experiment>> {
    let papers = Experiment::papers(root)?;
    papers.iter().map(|paper| Experiment::read(root, paper)).collect()
}

fn list(parts: &[String], open: &Open, json: bool) -> Result<()> {
    let is_wanted = |set: &str| parts.is_empty() || parts.iter().any(|part| set.contains(&part[..]));
    let published = open.manifest.files().iter().filter(|file| is_wanted(&file.set));
    let published =
        published.map(|published| Listed::Published { published, path: open.places.glance(published) });
    let files: Vec<Listed<'_>> = published.chain(stand_ins(&open.places, is_wanted)?).collect();
    if files.is_empty() {
        return Err(open.manifest.set(&parts.join(" ")).map(drop).err().unwrap_or_else(nothing).into());
    }
    if json {
        return say_json(&files);
    }
    let set = |listed: &Listed<'_>| match listed {
        Listed::Published { published, .. } => published.set.len(),
        Listed::StandIn { set, .. } => set.len(),
    };
    let width = files.iter().map(set).max().unwrap_or(0);
    let mut family = String::new();
    for listed in &files {
        let (of, about, line, path) = match listed {
            Listed::Published { published, path } => {
                let size = published.size.map_or_else(|| "-".to_owned(), megabytes);
                let hash = published.sha256.as_deref().map_or("no hash known", |hash| &hash[..12]);
                let line = format!("{:width$}  {size:>9}  {hash:13}", published.set);
                (&published.family, format!("{} ({})", published.about, published.licence), line, path)
            }
            Listed::StandIn { set, paper, path } => {
                let about =
                    "stand-ins, which `cargo xtask data generate` makes; published nowhere".to_owned();
                (paper, about, format!("{set:width$}  {:>9}  {:13}", "-", "made here"), path)
            }
        };
        if family != *of {
            family.clone_from(of);
            say(format!("{family}: {about}"));
        }
        let place = path.as_ref().map_or_else(|| "not here".to_owned(), |path| path.display().to_string());
        say(format!("  {line}  {place}"));
    }
    Ok(())
}

fn nothing() -> BadInput {
    BadInput::new("no data set has these words in its name")
        .help("`cargo xtask data list` shows what there is")
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn get(sets: &[String], open: &Open) -> Result<()> {
    for published in open.chosen(sets)? {
        let bar = bar(published);
        let got = open.places.get(published, &mut |bytes| bar.set_position(bytes));
        bar.finish_and_clear();
        let (found, fetched) = got?;
        let how = if fetched { "fetched" } else { "is here" };
        say(format!("{} {how}: {} ({})", published.set, found.path.display(), known(&found)));
    }
    Ok(())
}

/// On a terminal, how much of a file is there.
fn bar(published: &Published) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix}  {bytes} of {total_bytes}  {bytes_per_sec}  {eta}");
    let bar = published.size.map_or_else(ProgressBar::no_length, ProgressBar::new);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(published.file.clone());
    bar
}

fn known(found: &Found) -> String {
    match found.known {
        Known::Published => "its SHA-256 is the published one".to_owned(),
        Known::SameAsFetched => format!("nobody publishes a hash; SHA-256 {} as fetched", found.sha256),
        Known::ByName => format!("nobody publishes a hash; SHA-256 {}", found.sha256),
        Known::Another => format!("another file: SHA-256 {}", found.sha256),
    }
}

/// Makes the named stand-ins, which any paper's protocol may describe, or what the script of a published set does.
fn generate(wanted: &[String], minari: bool, script: &ScriptArgs, workers: &Workers) -> Result<u8> {
    let root = crate::args::root()?;
    let experiments = experiments(&root)?;
    if wanted.len() > 1 && script.output.is_some() {
        let message = format!("--output names one file, and there are {} sets", wanted.len());
        return Err(BadInput::new(message).help("make them one by one").into());
    }
    if let Some(list) = &workers.places.manifest {
        let message =
            format!("--manifest {}: what is generated is on no list of published sets", list.display());
        return Err(BadInput::new(message).help("leave it out").into());
    }
    for set in wanted {
        let (experiment, recipe, file) = match set.split_once('/') {
            Some((suite @ ("ogbench" | "d4rl"), name)) => of_script((suite, name), script, &experiments)?,
            _ => described(set, script, &experiments)?,
        };
        let places = Places::from_process(workers.places.data_dir.clone())?;
        let workshop = Workshop { experiment, results: &root.join("results"), places, workers };
        let place = match file {
            Some(file) => std::path::absolute(file)?,
            None => sets::place(&recipe, &workshop.places)?,
        };
        let is_here = workshop.has(&recipe, &place, minari)?;
        if !is_here && !workshop.make(&[(recipe, place.clone())], minari)?.is_complete() {
            return Ok(exit::INCOMPLETE);
        }
        let how = if is_here { "is here" } else { "made" };
        say(format!("{set} {how}: {}", place.display()));
    }
    Ok(exit::FINE)
}

/// A stand-in, whose protocol it is in, and where it goes if not to its usual place.
type Wanted<'a> = (&'a Experiment, Recipe, Option<PathBuf>);

/// The stand-in `set` that a protocol describes.
fn described<'a>(set: &str, script: &ScriptArgs, experiments: &'a [Experiment]) -> Result<Wanted<'a>> {
    if *script != ScriptArgs::default() {
        let message = format!("`{set}` is made as its protocol says, without --episodes, --seed or --output");
        let help = "name a published set for what its script does: `ogbench/cube-single-play-v0`";
        return Err(BadInput::new(message).help(help).into());
    }
    let of = |experiment: &&Experiment| experiment.stand_ins().any(|id| id == set);
    let Some(experiment) = experiments.iter().find(of) else {
        let input = BadInput::new(format!(
            "unknown stand-in `{set}`: expected one of those that `cargo xtask data list gen/` prints"
        ));
        return Err(match diagnostics::nearest(set, experiments.iter().flat_map(Experiment::stand_ins)) {
            Some(name) => input.help(format!("did you mean `{name}`?")),
            None => input,
        }
        .into());
    };
    Ok((experiment, experiment.recipe(set)?.context("a stand-in has a recipe")?, None))
}

/// What the script of the published set `name` of a suite does.
fn of_script<'a>(
    (suite, name): (&str, &str),
    args: &ScriptArgs,
    experiments: &'a [Experiment],
) -> Result<Wanted<'a>> {
    let script = collectors::find(name)?;
    if suite != script.suite() {
        let message = format!("`{name}` is none of {suite}'s sets");
        return Err(BadInput::new(message).help(format!("did you mean `{}/{name}`?", script.suite())).into());
    }
    if let Some(file) =
        args.output.as_ref().filter(|file| file.extension() != Some(script.extension().as_ref()))
    {
        let message =
            format!("--output {}: expected a name that ends with .{}", file.display(), script.extension());
        return Err(BadInput::new(message).into());
    }
    let (mut experiment, mut walker, mut profile) = (experiments.first(), None, None);
    if script.actor == Actor::Walker {
        let known =
            experiments.iter().flat_map(|of| of.protocol.collect.iter().map(move |collect| (of, collect)));
        let (of, collect) = known
            .into_iter()
            .find(|(_, collect)| collect.walker.is_some())
            .ok_or_else(|| BadInput::new(format!("no protocol here trains an ant to walk for {name}")))?;
        if let Some(Recipe::Collection(collection)) = of.recipe(&collect.id)? {
            (experiment, walker, profile) = (Some(of), collection.walker, collection.profile);
        }
    }
    let collection = Collection {
        // Not the name of a protocol's own, which has another length.
        id: format!("{STAND_IN}{suite}/{name}"),
        script: name.to_owned(),
        episodes: args.episodes.map_or(script.episodes, |episodes| episodes as usize),
        seed: args.seed.unwrap_or(0),
        walker,
        profile,
    };
    let experiment = experiment.context("the checkout has no experiment")?;
    Ok((experiment, Recipe::Collection(collection), args.output.clone()))
}

/// A line of `verify --json`.
#[derive(Serialize)]
struct Verified {
    set: String,
    file: String,
    path: PathBuf,
    sha256: String,
    known: Known,
}

fn verify(sets: &[String], open: &Open, json: bool) -> Result<()> {
    let files = if sets.is_empty() { open.manifest.files().iter().collect() } else { open.chosen(sets)? };
    let mut verified = Vec::new();
    for published in files {
        match open.places.find(published)? {
            Some(found) => verified.push((published, found)),
            None if sets.is_empty() => {}
            None => return Err(open.places.missing(published, "is not here").into()),
        }
    }
    if json {
        let line = |(published, found): &(&Published, Found)| Verified {
            set: published.set.clone(),
            file: published.file.clone(),
            path: found.path.clone(),
            sha256: found.sha256.clone(),
            known: found.known,
        };
        say_json(&verified.iter().map(line).collect::<Vec<_>>())?;
    } else {
        for (published, found) in &verified {
            say(format!("{}: {}: {}", published.set, found.path.display(), known(found)));
        }
        if verified.is_empty() {
            say("no published data set is here; `cargo xtask data list` shows what there is");
        }
    }
    let wrong: Vec<String> = verified
        .iter()
        .filter(|(_, found)| found.known == Known::Another)
        .map(|(published, found)| wrong(published, found, &open.manifest))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(BadInput::new(wrong.join("\n"))
        .help("move it away; `cargo xtask data get` fetches the published one")
        .into())
}

/// A file that has the name of another.
fn wrong(published: &Published, found: &Found, manifest: &Manifest) -> String {
    let size = found.path.metadata().map_or(0, |metadata| metadata.len());
    let is = manifest.by_content(size, &found.sha256);
    let is = is.map(|is| format!("; it is {}", is.set)).unwrap_or_default();
    let expected = published.sha256.as_deref().unwrap_or("the one noted beside it");
    format!(
        "{} is not the file of {}: found {size} bytes of SHA-256 {}, expected {} of {expected}{is}",
        found.path.display(),
        published.set,
        found.sha256,
        published.size.map_or_else(|| "any number".to_owned(), |size| format!("{size} bytes")),
    )
}

/// What `inspect --json` says.
#[derive(Serialize)]
struct Inspected<'a> {
    /// The published data set that this file is, by its hash.
    set: Option<&'a str>,
    #[serde(flatten)]
    report: &'a Report,
}

fn inspect(file: &str, places: &PlacesArgs, json: bool) -> Result<()> {
    let open = Open::new(places)?;
    let reports =
        files(file, &open)?.iter().map(|path| datasets::inspect(path)).collect::<Result<Vec<_>, _>>()?;
    let set = |report: &Report| {
        open.manifest.by_content(report.size, &report.sha256).map(|published| &published.set[..])
    };
    let inspected: Vec<Inspected<'_>> =
        reports.iter().map(|report| Inspected { set: set(report), report }).collect();
    match &inspected[..] {
        [one] if json => return say_json(one),
        all if json => return say_json(&all),
        all => all.iter().for_each(|Inspected { set, report }| say(describe(report, *set))),
    }
    Ok(())
}

/// A file, or those of a data set that is here.
fn files(file: &str, open: &Open) -> Result<Vec<PathBuf>> {
    let looks_like_a_file = Path::new(file).exists() || Path::new(file).extension().is_some();
    if looks_like_a_file {
        return Ok(vec![PathBuf::from(file)]);
    }
    let of = |published| match open.places.find(published)? {
        Some(found) => Ok(found.path),
        None => Err(open.places.missing(published, "is not here").into()),
    };
    open.manifest.set(file)?.into_iter().map(of).collect()
}

fn describe(report: &Report, set: Option<&str>) -> String {
    let optional = |count: Option<usize>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let spread = |spread: Option<Spread>| match spread {
        Some(Spread { mean, std, min, max }) => format!("mean {mean:.3}, std {std:.3}, {min:.3} to {max:.3}"),
        None => "-".to_owned(),
    };
    let mut lines = vec![
        report.file.display().to_string(),
        format!("  published as  {}", set.unwrap_or("no data set whose hash is known")),
        format!("  layout        {}", report.layout.title()),
        format!("  sha256        {} ({} bytes)", report.sha256, report.size),
        format!("  rows          {}, {} transitions", report.rows, optional(report.transitions)),
        format!("  episodes      {}, {} rows after the last", report.episodes, report.unfinished_rows),
        format!("  terminals     {}", report.terminals),
        format!("  timeouts      {}", optional(report.timeouts)),
        format!("  returns       {}", spread(report.returns)),
        format!("  lengths       {}", spread(report.lengths)),
    ];
    let width = report.arrays.iter().map(|array| array.name.len()).max().unwrap_or(0);
    for array in &report.arrays {
        let shape = array.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
        let range = match (array.min, array.max, array.mean) {
            (Some(min), Some(max), Some(mean)) => format!("{min:.4} to {max:.4}, mean {mean:.4}"),
            _ => String::new(),
        };
        let hash = array.sha256_f32.as_deref().map_or("", |hash| &hash[..12]);
        lines.push(format!("  {:width$}  {:8} {shape:14} {hash:12}  {range}", array.name, array.dtype));
    }
    lines.join("\n")
}
