//! Every byte that a run or its runner puts on disk goes through here.
//!
//! A file is whole or absent: it is written aside, synced and renamed ([`replace`]). [`Checkpoints`] and [`Journal`]
//! are checksummed, so that a damaged one is found and never taken for a good one. Each operation counts as one point
//! at which a test can make the disk full or kill the process ([`fault`]).

mod checkpoints;
pub mod fault;
mod journal;

pub use checkpoints::{Checkpoints, Damaged, Found};
pub use journal::{Journal, Mark};

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The disk did not do what it was asked to.
#[derive(Debug)]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)?;
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                f.write_str("\n  help: free some space; the same command then goes on")
            }
            _ => Ok(()),
        }
    }
}

// The cause is told by `Display` already.
impl std::error::Error for Error {}

impl Error {
    /// What another's writer failed with: `cannot <action> <path>: <source>`.
    #[must_use]
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }
}

/// What the functions here return.
pub type Result<T> = std::result::Result<T, Error>;

fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|source| Error { action, path: path.to_owned(), source })
}

/// What was read, if it is there.
fn there<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => at(action, path, result).map(Some),
    }
}

/// Puts `bytes` at `path`, in place of what was there: after a crash at any moment, one or the other is there whole.
///
/// # Errors
/// If the disk does not take it; what was there is still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = write_aside(path, bytes, ".new", true)?;
    rename(&aside, path).inspect_err(|_| drop(fs::remove_file(&aside)))
}

/// As [`replace`], for what can be made again, by any of several processes: a power failure may lose it.
///
/// # Errors
/// If the disk does not take it.
pub fn scratch(path: &Path, bytes: &[u8]) -> Result<()> {
    let aside = write_aside(path, bytes, &format!(".{}.new", std::process::id()), false)?;
    at("write", path, fallible(|| fs::rename(&aside, path))).inspect_err(|_| drop(fs::remove_file(&aside)))
}

fn write_aside(path: &Path, bytes: &[u8], suffix: &str, sync: bool) -> Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(suffix);
    let aside = PathBuf::from(aside);
    let write = || -> io::Result<()> {
        let mut file = File::create(&aside)?;
        write_all(&mut file, bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    };
    at("write", path, write())?;
    Ok(aside)
}

fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let Err(error) = fault::point() else { return file.write_all(bytes) };
    // As a full disk does it: some of it is there.
    file.write_all(&bytes[..bytes.len() / 2])?;
    fault::die_if_killed();
    Err(error)
}

/// Renames, and has the new name on disk before it returns.
///
/// # Errors
/// If the disk does not do it.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    at("write", to, fallible(|| fs::rename(from, to)))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

/// Has the names in `folder` on disk.
fn sync_folder(folder: &Path) -> Result<()> {
    at("sync", folder, File::open(folder).and_then(|folder| folder.sync_all()))
}

/// Makes `folder` and those above it, where they are missing.
///
/// # Errors
/// If the disk does not do it.
pub fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    at("create", folder, fallible(|| fs::create_dir_all(folder)))
}

/// Removes a file, or a folder with all that is in it; that there is none is fine.
///
/// # Errors
/// If the disk does not do it.
pub fn remove(path: &Path) -> Result<()> {
    let remove = || match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match fallible(remove) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => at("remove", path, result),
    }
}

fn fallible<T>(operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    fault::point().inspect_err(|_| fault::die_if_killed())?;
    operation()
}
