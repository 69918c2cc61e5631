//! Where the simulator and the model files are: the user's own copies, else the cache, else they are fetched.

use crate::fetching;
use crate::packages::{D4RL, GYMNASIUM, MUJOCO, OGBENCH, Package};
use anyhow::Result;
use diagnostics::BadInput;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What of the process's surroundings decides where things are, read once at the edge.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// `REPRISE_MUJOCO_LIB`: the user's own libmujoco.
    pub library: Option<PathBuf>,
    /// `REPRISE_ASSETS`: the user's own folder of Gymnasium's model files.
    pub assets: Option<PathBuf>,
    /// `REPRISE_D4RL`: the user's own folder of the package `d4rl`.
    pub d4rl: Option<PathBuf>,
    /// `REPRISE_OGBENCH`: the user's own folder of the package `ogbench`.
    pub ogbench: Option<PathBuf>,
    /// The cache: `REPRISE_CACHE`, else `XDG_CACHE_HOME/reprise`, else `~/.cache/reprise`.
    pub cache: Option<PathBuf>,
    /// `PATH`, on which `python3` is looked for.
    pub path: OsString,
    /// The operating system and the processor, as in [`std::env::consts`].
    pub os: String,
    /// The processor.
    pub arch: String,
}

impl Setup {
    /// That of this process.
    #[must_use]
    pub fn from_process() -> Self {
        // An empty variable means an unset one, as for the shell's `${X:-}`.
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            library: variable("REPRISE_MUJOCO_LIB").map(PathBuf::from),
            assets: variable("REPRISE_ASSETS").map(PathBuf::from),
            d4rl: variable("REPRISE_D4RL").map(PathBuf::from),
            ogbench: variable("REPRISE_OGBENCH").map(PathBuf::from),
            cache: fetch::cache(),
            path: variable("PATH").unwrap_or_default(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
        }
    }

    pub(crate) fn cache(&self) -> Result<&Path, BadInput> {
        self.cache.as_deref().ok_or_else(|| {
            BadInput::new("no folder for the cache: none of REPRISE_CACHE, XDG_CACHE_HOME and HOME is set")
                .help("set REPRISE_CACHE to a folder that can be written")
        })
    }
}

/// The simulator and the model files, both there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The shared library.
    pub library: PathBuf,
    /// The folder that holds `half_cheetah.xml` and its like.
    pub assets: PathBuf,
}

/// Finds the simulator and the model files, and fetches what is missing. Several processes may do so at once.
///
/// # Errors
/// [`BadInput`] with the remedy, when an override is wrong or something is missing and cannot be fetched.
pub fn ensure(setup: &Setup) -> Result<Installed> {
    Ok(Installed { library: library(setup)?, assets: assets(setup)? })
}

/// The path of libmujoco, fetched if need be.
///
/// # Errors
/// As [`ensure`].
pub fn library(setup: &Setup) -> Result<PathBuf> {
    if let Some(path) = &setup.library {
        return Ok(own_library(path)?);
    }
    if setup.os != "linux" {
        let message = format!("{} is not available for {}: expected linux", MUJOCO.title(), setup.os);
        return Err(BadInput::new(message)
            .help("build libmujoco 3.2.7 for this system and set REPRISE_MUJOCO_LIB to its path")
            .into());
    }
    Ok(folder(setup, &MUJOCO)?.join(MUJOCO.key_file))
}

/// The folder of Gymnasium's model files, fetched if need be.
///
/// # Errors
/// As [`ensure`].
pub fn assets(setup: &Setup) -> Result<PathBuf> {
    match &setup.assets {
        Some(path) => Ok(own_assets(path)?),
        None => folder(setup, &GYMNASIUM),
    }
}

/// The folder of D4RL's model files, laid out as its package is, fetched if need be.
///
/// # Errors
/// As [`ensure`].
pub fn d4rl(setup: &Setup) -> Result<PathBuf> {
    match &setup.d4rl {
        Some(path) => Ok(own_folder(path, &D4RL)?),
        None => folder(setup, &D4RL),
    }
}

/// The folder of OGBench's model files, laid out as its package is, fetched if need be.
///
/// # Errors
/// As [`ensure`].
pub fn ogbench(setup: &Setup) -> Result<PathBuf> {
    match &setup.ogbench {
        Some(path) => Ok(own_folder(path, &OGBENCH)?),
        None => folder(setup, &OGBENCH),
    }
}

fn folder(setup: &Setup, package: &Package) -> Result<PathBuf> {
    let folder = package_folder(setup.cache()?, package);
    if is_complete(&folder, package) {
        return Ok(folder);
    }
    fetching::fetch(setup, package, &folder)?;
    Ok(folder)
}

pub(crate) fn package_folder(cache: &Path, package: &Package) -> PathBuf {
    // An absolute path, because without a slash the dynamic loader would search the system's folders.
    let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
    cache.join(format!("{}-{}", package.name, package.version))
}

/// A folder is renamed into place whole; the marker is the last file written in it.
pub(crate) fn is_complete(folder: &Path, package: &Package) -> bool {
    folder.join("complete").is_file() && folder.join(package.key_file).is_file()
}

pub(crate) fn own_library(path: &Path) -> Result<PathBuf, BadInput> {
    if !path.is_file() {
        let found = if path.is_dir() { "is a folder" } else { "does not exist" };
        return Err(BadInput::new(format!(
            "REPRISE_MUJOCO_LIB={} {found}: expected a libmujoco 3.2.7",
            path.display()
        ))
        .help("set it to the path of `libmujoco.so.3.2.7`, or unset it to have the library fetched"));
    }
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

pub(crate) fn own_folder(path: &Path, package: &Package) -> Result<PathBuf, BadInput> {
    let (variable, name) = (package.variable, package.name);
    if !path.join(package.key_file).is_file() {
        let found = if path.is_dir() {
            format!("holds no `{}`", package.key_file)
        } else {
            "is not a folder".to_owned()
        };
        let message =
            format!("{variable}={} {found}: expected the folder of {}", path.display(), package.title());
        return Err(BadInput::new(message).help(format!(
            "set it to the folder `{name}` of an unzipped wheel, or unset it to have the files fetched"
        )));
    }
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

pub(crate) fn own_assets(path: &Path) -> Result<PathBuf, BadInput> {
    if !path.join(GYMNASIUM.key_file).is_file() {
        let found = if path.is_dir() { "holds no `half_cheetah.xml`" } else { "is not a folder" };
        return Err(BadInput::new(format!(
            "REPRISE_ASSETS={} {found}: expected the folder of Gymnasium's MuJoCo model files",
            path.display()
        ))
        .help(
            "set it to `gymnasium/envs/mujoco/assets` of a Gymnasium 1.4.0, \
             or unset it to have the files fetched",
        ));
    }
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}
