//! The files of data sets that runs learn from: those that are published are looked for, stand-ins are made.

use crate::args::{Chosen, Filters, How, Which, Workers};
use crate::campaign::{Campaign, StandIn};
use crate::data::Open;
use crate::runner::{self, Summary};
use anyhow::{Context as _, Result};
use collectors::{Actor, Collected, Order, Script};
use datasets::{Known, Manifest, MinariAbout, Places, Recorder};
use diagnostics::BadInput;
use experiment::{Behaviour, Cell, Collection, Experiment, Joined, Provenance, Recipe, Run, Store};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Files by the ids of data sets.
pub(crate) type Files = BTreeMap<String, PathBuf>;

/// The files that `cells` learn from. Stand-ins that are not there are made, and what became of that is told.
pub(crate) fn files(chosen: &Chosen, cells: &[&Cell], workers: &Workers) -> Result<(Files, Summary)> {
    let sets: BTreeSet<&str> =
        cells.iter().filter_map(|cell| cell.config.data.as_ref()).map(|data| data.set.as_str()).collect();
    if sets.is_empty() {
        return Ok((Files::new(), Summary::default()));
    }
    let Open { manifest, places } = Open::new(&workers.places)?;
    let workshop = Workshop { experiment: &chosen.experiment, results: &chosen.results, places, workers };
    let (mut files, mut recipes) = (Files::new(), Vec::new());
    for set in sets {
        let file = match chosen.experiment.recipe(set)? {
            Some(recipe) => {
                let file = place(&recipe, &workshop.places)?;
                recipes.push((recipe, file.clone()));
                file
            }
            None => published(set, &manifest, &workshop.places)?,
        };
        files.insert(set.to_owned(), file);
    }
    Ok((files, workshop.make(&recipes, false)?))
}

/// The file of a published set that learners draw from.
fn published(set: &str, manifest: &Manifest, places: &Places) -> Result<PathBuf> {
    let files = manifest.set(set)?;
    let wanted = files.iter().find(|file| !file.file.contains("-val")).unwrap_or(&files[0]);
    match places.find(wanted)? {
        Some(found) if found.known != Known::Another => Ok(found.path),
        Some(found) => Err(BadInput::new(format!(
            "{} is not the published file of {set}: its SHA-256 is {}",
            found.path.display(),
            found.sha256
        ))
        .help("move it away; `cargo xtask data get` fetches the published one")
        .into()),
        None => {
            let why = format!("is not here; `cargo xtask data get {set}` fetches it");
            Err(places.missing(wanted, &why).into())
        }
    }
}

/// Where stand-ins are made.
pub(crate) struct Workshop<'a> {
    pub(crate) experiment: &'a Experiment,
    /// Where runs lie that leave what stand-ins are made with.
    pub(crate) results: &'a Path,
    pub(crate) places: Places,
    pub(crate) workers: &'a Workers,
}

/// The part of a side-car that tells how a file was made.
#[derive(Deserialize)]
struct SideCar {
    size: u64,
    provenance: Origin,
}

#[derive(Deserialize)]
struct Origin {
    digest: String,
}

/// Where a stand-in lies.
pub(crate) fn place(recipe: &Recipe, places: &Places) -> Result<PathBuf> {
    let extension = match recipe {
        Recipe::Behaviour(_) | Recipe::Joined(_) => "hdf5",
        Recipe::Collection(collection) => script(collection)?.extension(),
    };
    Ok(std::path::absolute(places.data.join(format!("{}.{extension}", recipe.id())))?)
}

/// Whether a stand-in is there and was made by this recipe.
pub(crate) fn has(recipe: &Recipe, file: &Path) -> bool {
    let beside = datasets::side_car_of(file);
    let side_car =
        std::fs::read_to_string(beside).ok().and_then(|text| toml::from_str::<SideCar>(&text).ok());
    side_car.is_some_and(|side_car| {
        side_car.provenance.digest == recipe.digest().to_string()
            && file.metadata().is_ok_and(|found| found.len() == side_car.size)
    })
}

/// What the side-car of a stand-in says of where it comes from, where it is made in this process.
#[derive(Serialize)]
struct Source<'a, R: Serialize> {
    digest: String,
    recipe: &'a R,
    made_by: Provenance,
}

/// What Minari is told of a stand-in.
fn about<'a>(id: &'a str, algorithm: &'a str, environment: &str) -> Result<MinariAbout<'a>> {
    let description = "A stand-in, made in this environment. Not a published data set.";
    let action_limit = envs::info(environment)?.action_limit as f32;
    Ok(MinariAbout { id, algorithm, description, action_limit })
}

/// How often collecting says where it is when the output is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

impl Workshop<'_> {
    /// Whether a stand-in is there, whole and in all layouts that are wanted.
    pub(crate) fn has(&self, recipe: &Recipe, file: &Path, minari: bool) -> Result<bool> {
        let beside = match recipe {
            Recipe::Collection(collection) if script(collection)?.validation(collection.episodes) > 0 => {
                Some(collectors::validation_file(file))
            }
            _ => None,
        };
        let minari = minari.then(|| file.with_extension("").join("data/main_data.hdf5"));
        let files = [Some(file.to_owned()), beside, minari];
        Ok(files.into_iter().flatten().all(|file| has(recipe, &file)))
    }

    /// Makes those stand-ins that are not there, each at its place.
    pub(crate) fn make(&self, recipes: &[(Recipe, PathBuf)], minari: bool) -> Result<Summary> {
        let missing = self.missing(recipes, minari)?;
        if missing.is_empty() {
            return Ok(Summary::default());
        }
        let summary = self.all(&missing, minari, &*runner::stop_on_signals()?)?;
        if !summary.is_complete() {
            eprintln!("not all stand-ins were made; the same command goes on with those that are missing");
        }
        Ok(summary)
    }

    /// Those that are not there.
    fn missing(&self, recipes: &[(Recipe, PathBuf)], minari: bool) -> Result<Vec<(Recipe, PathBuf)>> {
        let mut missing = Vec::new();
        for (recipe, file) in recipes {
            if !self.has(recipe, file, minari)? {
                missing.push((recipe.clone(), file.clone()));
            }
        }
        Ok(missing)
    }

    fn all(&self, missing: &[(Recipe, PathBuf)], minari: bool, stop: &AtomicBool) -> Result<Summary> {
        let agents = |(recipe, file): &(Recipe, PathBuf)| match recipe {
            Recipe::Behaviour(behaviour) => Some((behaviour.clone(), file.clone())),
            _ => None,
        };
        let mut summary = self.train(&missing.iter().filter_map(agents).collect::<Vec<_>>(), minari, stop)?;
        for (recipe, file) in missing {
            if !summary.is_complete() {
                break;
            }
            match recipe {
                Recipe::Behaviour(_) => {}
                Recipe::Collection(collection) => summary = self.collect(collection, file, minari, stop)?,
                Recipe::Joined(joined) => summary = self.join(joined, file, minari, stop)?,
            }
        }
        Ok(summary)
    }

    /// Locks on the folder where stand-ins are made, whichever paper's, and the store of this paper's runs there.
    fn lock(&self) -> Result<(PathBuf, Store, [std::fs::File; 2])> {
        let work = std::path::absolute(self.places.data.join("gen/.work"))?;
        let paper = &self.experiment.paper;
        let (all, store) = (Store::open(&work, "all")?, Store::open(&work, paper)?);
        let locks = [all.lock("all")?, store.lock(paper)?];
        Ok((work, store, locks))
    }

    /// Makes stand-ins of what agents do, in worker processes.
    fn train(&self, behaviours: &[(Behaviour, PathBuf)], minari: bool, stop: &AtomicBool) -> Result<Summary> {
        if behaviours.is_empty() {
            return Ok(Summary::default());
        }
        let names: Vec<&str> = behaviours.iter().map(|(behaviour, _)| behaviour.id.as_str()).collect();
        eprintln!("making {}: an agent each is trained in the environment first", names.join(", "));
        let (work, store, _lock) = self.lock()?;
        let stand_in = |(behaviour, file): &(Behaviour, PathBuf)| {
            store.forget_failure(&behaviour.behaviour)?;
            Ok(StandIn { recipe: behaviour.clone(), file: file.clone(), minari })
        };
        let stand_ins = behaviours.iter().map(stand_in).collect::<Result<_>>()?;
        let place = (&self.experiment.paper[..], work.as_path());
        let campaign = Campaign::of_stand_ins(stand_ins, place, &store, self.workers)?;
        runner::fetch_environments(campaign.runs.iter().map(|run| &run.config))?;
        runner::locally(&campaign, &store, self.workers.count(), stop)
    }

    /// Makes a stand-in of others, which are made first where they are not there.
    fn join(&self, joined: &Joined, file: &Path, minari: bool, stop: &AtomicBool) -> Result<Summary> {
        let of = |behaviour: &Behaviour| {
            let recipe = Recipe::Behaviour(behaviour.clone());
            let file = place(&recipe, &self.places)?;
            Ok((recipe, file))
        };
        let others = joined.of.iter().map(of).collect::<Result<Vec<_>>>()?;
        let summary = self.all(&self.missing(&others, false)?, false, stop)?;
        if !summary.is_complete() {
            return Ok(summary);
        }
        eprintln!("making {} of {} others", joined.id, others.len());
        let (_, _, _lock) = self.lock()?;
        let parts = others.iter().map(|(_, file)| Recorder::read_d4rl(file)).collect::<Result<Vec<_>>>()?;
        let rows = parts.into_iter().reduce(|mut all, part| {
            all.append(part);
            all
        });
        let rows = rows.context("nothing was joined")?;
        let source = Source {
            digest: Recipe::Joined(joined.clone()).digest().to_string(),
            recipe: joined,
            made_by: training::of_this_process()?,
        };
        if minari {
            let about = about(&joined.id, "SAC", joined.of[0].behaviour.environment())?;
            rows.write_minari(&file.with_extension(""), &about, &source)?;
        }
        rows.write_d4rl(file, true, &source)?;
        Ok(summary)
    }

    /// Makes a stand-in by script, in this process.
    fn collect(
        &self,
        collection: &Collection,
        file: &Path,
        minari: bool,
        stop: &AtomicBool,
    ) -> Result<Summary> {
        let script = script(collection)?;
        let (walker, summary) = self.walker(collection)?;
        if !summary.is_complete() {
            return Ok(summary);
        }
        eprintln!("making {} by script: {} episodes", collection.id, collection.episodes);
        let (_, _, _lock) = self.lock()?;
        let networks = walker.as_deref().map(training::read_networks).transpose()?;
        let left = walker.as_deref().map(Run::read).transpose()?;
        let order =
            Order { episodes: collection.episodes, seed: collection.seed, threads: self.workers.count() };
        let collected = collect(&script, &order, networks.as_ref(), stop)?;
        let Some(collected) = collected else { return Ok(Summary { stopped: 1, ..Summary::default() }) };
        let source = Source {
            digest: Recipe::Collection(collection.clone()).digest().to_string(),
            recipe: collection,
            made_by: Provenance {
                networks_sha256: left.and_then(|run| run.status.networks_sha256),
                ..training::of_this_process()?
            },
        };
        disk::create_folder(file.parent().context("a file lies in a folder")?)?;
        if minari {
            let about = about(&collection.id, "script", script.environment)?;
            collected.rows.write_minari(&file.with_extension(""), &about, &source)?;
        }
        script.write(&collected, file, &source)?;
        Ok(Summary::default())
    }

    /// The directory of the run whose networks act, if any do. Where it is recorded neither here nor in the checkout, it
    /// is trained.
    fn walker(&self, collection: &Collection) -> Result<(Option<PathBuf>, Summary)> {
        let fine = Summary::default();
        let Some(config) = &collection.walker else { return Ok((None, fine)) };
        let paper = &self.experiment.paper;
        let own = crate::args::root()?.join("results");
        for results in [self.results, &own] {
            let store = Store::open(results, paper)?;
            if store.has(config) {
                return Ok((Some(store.directory(config)), fine));
            }
        }
        let profile = collection.profile.clone().context("the walker has no profile")?;
        eprintln!("{} is made with what profile {profile} leaves, which is trained first", collection.id);
        let results = Some(self.results.to_owned());
        let chosen = {
            let device = Some(self.experiment.protocol.device);
            Which { paper: paper.clone(), profile, results, device }.read()?
        };
        let plan = chosen.plan(&Filters::default())?;
        let summary = runner::run(&chosen, &plan, &How::here(self.workers.clone()), &[])?;
        Ok((Some(chosen.store.directory(config)), summary))
    }
}

fn script(collection: &Collection) -> Result<Script> {
    let bad = |what: String| BadInput::new(format!("stand-in `{}`: {what}", collection.id));
    let script = collectors::find(&collection.script).map_err(|error| bad(error.to_string()))?;
    match (script.actor == Actor::Walker, collection.walker.is_some()) {
        (true, false) => {
            Err(bad(format!("the script of {} takes an ant that was trained to walk", script.id))
                .help("name the profile that trains one: `walker = …`")
                .into())
        }
        (false, true) => {
            Err(bad(format!("nobody walks by the script of {}: leave `walker` out", script.id)).into())
        }
        _ => Ok(script),
    }
}

/// The episodes of `order`, and on the way how many there are.
fn collect(
    script: &Script,
    order: &Order,
    networks: Option<&collectors::Networks>,
    stop: &AtomicBool,
) -> Result<Option<Collected>> {
    let all = order.episodes + script.validation(order.episodes);
    let bar = ProgressBar::new(all as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} episodes  {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let spoken = Mutex::new(Instant::now());
    let tell = |done: usize| {
        bar.set_position(done as u64);
        if let Ok(mut spoken) = spoken.lock()
            && bar.is_hidden()
            && spoken.elapsed() >= PLAIN_INTERVAL
        {
            *spoken = Instant::now();
            eprintln!("{done} of {all} episodes");
        }
    };
    let collected = script.collect(order, networks, stop, &tell);
    bar.finish_and_clear();
    collected
}
