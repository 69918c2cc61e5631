//! `results/<paper>/`: recorded runs, and the place where runs are made.

use crate::{Run, RunConfig, Status, check_schema};
use anyhow::{Context, Result};
use diagnostics::{BadInput, parse_toml};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The results directory of one paper.
///
/// A run that lies at [`RunConfig::directory`] is whole: it got there by one rename. What is being made lies under
/// `.work/`, by the run's name:
///
/// | | |
/// | --- | --- |
/// | `<id>.toml` | the run's configuration, for its worker |
/// | `<id>.lock` | locked by the worker that is at it |
/// | `<id>/checkpoints/` | what it goes on from |
/// | `<id>/run/` | its record, while that is written |
/// | `<id>/progress.toml` | how far it is |
/// | `<id>/status.toml` | how the last try failed |
/// | `<id>.replaced/` | the record of before, while a new one takes its place |
/// | `batches/` | the program and the plans that other machines go by, and what their jobs print |
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// How far a run is, as its worker says and, for whoever else watches, notes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Environment steps taken.
    pub step: u64,
    /// Environment steps at most.
    pub steps: u64,
    /// The mean return of the last evaluation.
    pub last_return: f64,
    /// Environment steps a second since the last report, evaluations left out.
    pub steps_per_second: f64,
}

/// Where a run is between missing and recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// It is recorded.
    Recorded,
    /// A worker is at it.
    Running(Option<Progress>),
    /// The last try failed, and nobody is at it.
    Failed(Status),
    /// It was begun, and stopped or killed.
    Stopped(Option<Progress>),
    /// Nothing was done yet.
    Missing,
}

impl RunState {
    /// In a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Running(_) => "running",
            Self::Failed(_) => "failed",
            Self::Stopped(_) => "stopped",
            Self::Missing => "missing",
        }
    }
}

/// Another program has what only one may have. Exit code 3.
#[derive(Debug)]
pub struct Locked {
    /// What that is.
    pub what: &'static str,
    /// The lock's file, and who holds it.
    pub holder: String,
}

impl std::fmt::Display for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "another {}: {}", self.what, self.holder)
    }
}

impl std::error::Error for Locked {}

const MARKER: &str = "reprise.toml";
const BATCHES: &str = "batches";

/// What there may be without a marker yet.
const BEFORE_MARKER: [&str; 3] = [".work", ".lock", "reprise.toml.new"];

/// How long a runner waits for another one's lock: a process that one was just starting when it was killed may have it
/// for an instant longer.
const LOCK: Duration = Duration::from_secs(1);

/// How long a worker waits for a run that another one holds.
const CLAIM: Duration = Duration::from_secs(5);

impl Store {
    /// The results of `paper` below `results`, to read from. Nothing is created.
    ///
    /// # Errors
    /// [`BadInput`] if the directory holds something else.
    pub fn open(results: &Path, paper: &str) -> Result<Self> {
        let root = results.join(paper);
        let marker = root.join(MARKER);
        // What a runner that is just beginning makes before the marker says nothing.
        let says_something = |entry: std::io::Result<fs::DirEntry>| {
            let name = entry.map(|entry| entry.file_name()).unwrap_or_default();
            !BEFORE_MARKER.iter().any(|before| name == *before)
        };
        let occupied =
            root.is_file() || fs::read_dir(&root).is_ok_and(|mut entries| entries.any(says_something));
        let found = fs::read_to_string(&marker).ok();
        if occupied && found.as_deref() != Some(&marker_text(paper)) {
            check_schema(&marker.display().to_string(), found.as_deref().unwrap_or_default())?;
            return Err(BadInput::new(format!(
                "{} is not a results directory of `{paper}`: it is not empty and has no fitting {MARKER}",
                root.display()
            ))
            .help("name another directory with --results, or move what lies there")
            .into());
        }
        Ok(Self { root })
    }

    /// Makes the directory ready for new runs, and keeps other runners out while the file lives.
    ///
    /// # Errors
    /// [`Locked`] if another runner is at work, [`BadInput`] if the directory cannot be written.
    pub fn lock(&self, paper: &str) -> Result<File> {
        let unwritable = |error: std::io::Error| {
            BadInput::new(format!("cannot write to {}: {error}", self.root.display()))
                .help("make it writable, or name another directory with --results")
        };
        fs::create_dir_all(self.root.join(".work")).map_err(unwritable)?;
        let taken = take(&self.root.join(".lock"), LOCK, "runner is at work in these results");
        let lock = taken.map_err(unwritable)??;
        let marker = self.root.join(MARKER);
        if !marker.exists() {
            disk::replace(&marker, marker_text(paper).as_bytes())?;
        }
        self.put_back()?;
        Ok(lock)
    }

    /// A record that was moved aside for a new one, which then did not come, goes back to its place.
    fn put_back(&self) -> Result<()> {
        for entry in fs::read_dir(self.root.join(".work"))?.filter_map(Result::ok) {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "replaced") {
                continue;
            }
            let file = path.join("config.toml");
            let text = fs::read_to_string(&file).unwrap_or_default();
            match RunConfig::parse(&file.display().to_string(), &text) {
                Ok(config) if self.is_held(&config) => {}
                Ok(config) if !self.has(&config) => {
                    let to = self.directory(&config);
                    disk::create_folder(to.parent().unwrap_or(&self.root))?;
                    disk::rename(&path, &to)?;
                }
                Ok(_) => disk::remove(&path)?,
                // It may be the only copy of what another version wrote.
                Err(_) if file.exists() => {}
                Err(_) => disk::remove(&path)?,
            }
        }
        Ok(())
    }

    /// Where a recorded run lies.
    #[must_use]
    pub fn directory(&self, config: &RunConfig) -> PathBuf {
        self.root.join(config.directory())
    }

    /// Whether a run is recorded.
    #[must_use]
    pub fn has(&self, config: &RunConfig) -> bool {
        self.directory(config).join("status.toml").is_file()
    }

    /// What tells one record of a run from another that took its place; nothing where there is none. It is the same
    /// on every machine that sees the directory.
    #[must_use]
    pub fn stamp(&self, config: &RunConfig) -> Option<String> {
        use std::os::unix::fs::MetadataExt as _;
        let file = fs::metadata(self.directory(config).join("status.toml")).ok()?;
        Some(format!("{}-{}.{}", file.ino(), file.mtime(), file.mtime_nsec()))
    }

    /// Whether a worker is at a run.
    #[must_use]
    pub fn is_held(&self, config: &RunConfig) -> bool {
        is_locked(&self.work_path(config, ".lock"))
    }

    /// A recorded run, if it is there.
    ///
    /// # Errors
    /// [`BadInput`] if it is damaged.
    pub fn run(&self, config: &RunConfig) -> Result<Option<Run>, BadInput> {
        if !self.has(config) {
            return Ok(None);
        }
        let run = Run::read(&self.directory(config))?;
        if run.config == *config {
            return Ok(Some(run));
        }
        Err(BadInput::new(format!(
            "{} holds another configuration than its name says",
            run.directory.display()
        ))
        .help("restore it with git, or delete the directory and run again"))
    }

    /// At most `count` recorded runs of each arm of `task`. One that cannot be read is left out.
    pub fn sample(&self, task: &str, count: usize) -> Vec<Run> {
        let folders = |path: &Path| {
            let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            paths.sort();
            paths
        };
        let arms = folders(&self.root.join(task)).into_iter();
        arms.flat_map(|arm| folders(&arm).into_iter().filter_map(|run| Run::read(&run).ok()).take(count))
            .collect()
    }

    /// Whether runs were ever made here.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.root.join(".work").is_dir()
    }

    /// Writes a run's configuration where a worker reads it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn request(&self, config: &RunConfig) -> Result<PathBuf> {
        let path = self.work_path(config, ".toml");
        disk::scratch(&path, config.to_toml().as_bytes())?;
        Ok(path)
    }

    /// Takes a run to work on: nobody else does while the file lives. A worker whose runner was killed may hold it for
    /// a moment longer.
    ///
    /// # Errors
    /// [`Locked`] if another worker holds it for longer than a moment; or if the lock cannot be made.
    pub fn claim(&self, config: &RunConfig) -> Result<File> {
        let path = self.work_path(config, ".lock");
        let taken = take(&path, CLAIM, "worker is at this run");
        let lock = taken.with_context(|| format!("failed to lock {}", path.display()))??;
        disk::remove(&self.work_path(config, "").join("status.toml"))?;
        Ok(lock)
    }

    /// Where a run's checkpoints lie while it is made.
    #[must_use]
    pub fn checkpoints(&self, config: &RunConfig) -> PathBuf {
        self.work_path(config, "").join("checkpoints")
    }

    /// Where a run's record is written before it is published.
    #[must_use]
    pub fn record(&self, config: &RunConfig) -> PathBuf {
        self.work_path(config, "").join("run")
    }

    fn work_path(&self, config: &RunConfig, suffix: &str) -> PathBuf {
        self.root.join(".work").join(format!("{}{suffix}", config.id()))
    }

    /// Gives up what is left of a run that was not finished.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn start_over(&self, config: &RunConfig) -> Result<()> {
        let _lock = self.claim(config)?;
        Ok(disk::remove(&self.work_path(config, ""))?)
    }

    /// Publishes a finished run by one rename. A run of the same name that was there is replaced.
    ///
    /// # Errors
    /// If the rename fails; what was there then is still there, or comes back at the next [`Self::lock`].
    pub fn publish(&self, config: &RunConfig) -> Result<()> {
        let (from, to) = (self.record(config), self.directory(config));
        disk::create_folder(to.parent().unwrap_or(&self.root))?;
        let aside = self.work_path(config, ".replaced");
        if to.exists() {
            disk::rename(&to, &aside)?;
        }
        disk::rename(&from, &to)?;
        // The run is safe now: what cannot be removed is only in the way.
        let _ = disk::remove(&aside);
        let _ = disk::remove(&self.work_path(config, ""));
        Ok(())
    }

    /// Removes what a published run's worker no longer needs. No worker is at it.
    pub fn tidy(&self, config: &RunConfig) {
        // What cannot be removed is only in the way, and `clean` tells of it.
        let _ = disk::remove(&self.work_path(config, ".toml"));
        let _ = disk::remove(&self.work_path(config, ".lock"));
    }

    /// Notes that a run failed, where [`Self::failure`] finds it.
    ///
    /// # Errors
    /// If the note cannot be written.
    pub fn note_failure(&self, config: &RunConfig, status: &Status) -> Result<()> {
        let folder = self.work_path(config, "");
        disk::create_folder(&folder)?;
        Ok(disk::replace(&folder.join("status.toml"), toml::to_string(status)?.as_bytes())?)
    }

    /// Removes that note.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn forget_failure(&self, config: &RunConfig) -> Result<()> {
        Ok(disk::remove(&self.work_path(config, "").join("status.toml"))?)
    }

    /// Where what other machines go by lies that make runs.
    #[must_use]
    pub fn batches(&self) -> PathBuf {
        self.root.join(".work").join(BATCHES)
    }

    /// Notes how far a run is, for [`Self::state`]. It is lost with the power, and nothing depends on it.
    ///
    /// # Errors
    /// If the note cannot be written.
    pub fn note_progress(&self, config: &RunConfig, progress: &Progress) -> Result<()> {
        let path = self.work_path(config, "").join("progress.toml");
        Ok(disk::scratch(&path, toml::to_string(progress)?.as_bytes())?)
    }

    /// Where a run is between missing and recorded. Looks at a few files and reads at most two small ones.
    #[must_use]
    pub fn state(&self, config: &RunConfig) -> RunState {
        if self.has(config) {
            return RunState::Recorded;
        }
        let folder = self.work_path(config, "");
        let progress = || {
            let path = folder.join("progress.toml");
            parse_toml(&path.display().to_string(), &fs::read_to_string(&path).ok()?).ok()
        };
        if self.is_held(config) {
            return RunState::Running(progress());
        }
        if let Some(failure) = self.failure(config) {
            return RunState::Failed(failure);
        }
        if folder.join("checkpoints").is_dir() {
            return RunState::Stopped(progress());
        }
        RunState::Missing
    }

    /// What lies under `.work/` and no run needs any more, or, with `unfinished`, whatever lies there, but for what a
    /// worker is at, which may be one without a runner; `wanted` are the runs that may still be made. Call it under
    /// [`Self::lock`].
    #[must_use]
    pub fn leftovers(&self, wanted: &[&RunConfig], unfinished: bool) -> Vec<PathBuf> {
        let mut needed: BTreeSet<String> = match unfinished {
            true => BTreeSet::new(),
            false => wanted.iter().filter(|c| !self.has(c)).map(|c| c.id().to_string()).collect(),
        };
        let entries = fs::read_dir(self.root.join(".work")).into_iter().flatten().filter_map(Result::ok);
        let entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let held = entries.iter().filter(|path| is_locked(path));
        needed.extend(held.filter_map(|path| Some(name(path)?.strip_suffix(".lock")?.to_owned())));
        let is_needed = |path: &PathBuf| {
            let name = name(path).unwrap_or_default();
            let is_needed = match name.as_str() {
                BATCHES => !needed.is_empty(),
                name => needed.contains(name.split('.').next().unwrap_or_default()),
            };
            is_needed && !name.ends_with(".new")
        };
        let mut left: Vec<PathBuf> = entries.into_iter().filter(|path| !is_needed(path)).collect();
        left.sort();
        left
    }

    /// How the last try at a run failed, if it did and there is no record of it since.
    #[must_use]
    pub fn failure(&self, config: &RunConfig) -> Option<Status> {
        let path = self.work_path(config, "").join("status.toml");
        let text = fs::read_to_string(&path).ok()?;
        parse_toml(&path.display().to_string(), &text).ok()
    }
}

/// Whether a process holds the lock that the file at `path` is.
fn is_locked(path: &Path) -> bool {
    let lock = File::open(path);
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Locks the file at `path` and writes into it who holds it, unless another process, which is `what`, does for longer than
/// `patience`.
fn take(path: &Path, patience: Duration, what: &'static str) -> std::io::Result<Result<File, Locked>> {
    let open = || File::options().read(true).write(true).create(true).truncate(false).open(path);
    let mut lock = open()?;
    let deadline = Instant::now() + patience;
    loop {
        match lock.try_lock() {
            Ok(()) if is_at(&lock, path)? => break,
            // Whoever held it removed it in between: a file without a name keeps nobody away.
            Ok(()) => lock = open()?,
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let holder = fs::read_to_string(path).unwrap_or_default();
                let holder = format!("{} ({})", holder.trim(), path.display());
                return Ok(Err(Locked { what, holder }));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "unknown".to_owned());
    lock.set_len(0)?;
    lock.write_all(format!("process {} on {}\n", std::process::id(), host.trim()).as_bytes())?;
    Ok(Ok(lock))
}

/// Whether `file` is the one at `path`.
fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match fs::metadata(path) {
        Ok(there) => Ok(of(there) == of(file.metadata()?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn marker_text(paper: &str) -> String {
    format!("# Recorded runs; see METHODOLOGY.md.\nschema = {}\npaper = \"{paper}\"\n", crate::SCHEMA)
}
