//! The files of data sets that runs learn from: those that are published are looked for, stand-ins are made.

use crate::args::{Chosen, How};
use crate::campaign::{Campaign, StandIn};
use crate::data::Open;
use crate::runner;
use anyhow::Result;
use datasets::{Known, Manifest, Places};
use diagnostics::BadInput;
use experiment::{Cell, Recipe, Store};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Files by the ids of data sets.
pub(crate) type Files = BTreeMap<String, PathBuf>;

/// The files that `cells` learn from. Stand-ins that are not there are made.
pub(crate) fn files(chosen: &Chosen, cells: &[&Cell], how: &How) -> Result<Files> {
    let sets: BTreeSet<&str> =
        cells.iter().filter_map(|cell| cell.config.data.as_ref()).map(|data| data.set.as_str()).collect();
    if sets.is_empty() {
        return Ok(Files::new());
    }
    let Open { manifest, places } = Open::new(&how.places)?;
    let (mut files, mut recipes) = (Files::new(), Vec::new());
    for set in sets {
        let file = match chosen.experiment.recipe(set)? {
            Some(recipe) => {
                let file = place(&recipe, &places);
                recipes.push(recipe);
                file
            }
            None => published(set, &manifest, &places)?,
        };
        files.insert(set.to_owned(), std::path::absolute(file)?);
    }
    make(&recipes, &chosen.experiment.paper, &places, how, false)?;
    Ok(files)
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

/// Where a stand-in lies.
pub(crate) fn place(recipe: &Recipe, places: &Places) -> PathBuf {
    places.data.join(recipe.file())
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

/// Whether a stand-in is there and was made by this recipe.
pub(crate) fn is_made(recipe: &Recipe, places: &Places) -> bool {
    let file = place(recipe, places);
    let mut beside = file.clone().into_os_string();
    beside.push(".toml");
    let side_car =
        std::fs::read_to_string(beside).ok().and_then(|text| toml::from_str::<SideCar>(&text).ok());
    side_car.is_some_and(|side_car| {
        side_car.provenance.digest == recipe.digest().to_string()
            && file.metadata().is_ok_and(|found| found.len() == side_car.size)
    })
}

/// Makes those stand-ins that are not there, in worker processes.
pub(crate) fn make(recipes: &[Recipe], paper: &str, places: &Places, how: &How, minari: bool) -> Result<()> {
    let is_here = |recipe: &&Recipe| {
        let folder = place(recipe, places).with_extension("");
        is_made(recipe, places) && (!minari || folder.join("data/main_data.hdf5").is_file())
    };
    let missing: Vec<&Recipe> = recipes.iter().filter(|recipe| !is_here(recipe)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|recipe| recipe.id.as_str()).collect();
    eprintln!("making {}: an agent each is trained in the environment first", names.join(", "));
    let work = std::path::absolute(places.data.join("gen/.work"))?;
    let store = Store::open(&work, paper)?;
    let _lock = store.lock(paper)?;
    let stand_ins = missing.into_iter().map(|recipe| {
        let file = std::path::absolute(place(recipe, places))?;
        store.forget_failure(&recipe.behaviour)?;
        Ok(StandIn { recipe: recipe.clone(), file, minari })
    });
    let campaign = Campaign::of_stand_ins(stand_ins.collect::<Result<_>>()?, (paper, &work), &store, how)?;
    envs::make(campaign.runs[0].config.environment())?;
    let workers = how.jobs.map_or_else(crate::plan::cores, usize::from);
    let summary = runner::locally(&campaign, &store, workers, &*runner::stop_on_signals()?)?;
    if summary.failed + summary.stopped == 0 {
        return Ok(());
    }
    Err(BadInput::new("not all stand-ins were made")
        .help("the same command goes on where it was stopped; what failed is said above")
        .into())
}
