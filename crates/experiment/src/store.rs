//! `results/<paper>/`: recorded runs, and the place where runs are made.

use crate::{Run, RunConfig, Status};
use anyhow::{Context, Result};
use diagnostics::{BadInput, parse_toml};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The results directory of one paper.
///
/// A run that lies at [`RunConfig::directory`] is whole: it got there by one rename. What is being made lies under
/// `.work/`, by the run's name, and is worth nothing until then, but for the `status.toml` of a run that failed.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// Another program is making runs in the same directory. Exit code 3.
#[derive(Debug)]
pub struct Locked {
    /// The lock's file, and who holds it.
    pub holder: String,
}

impl std::fmt::Display for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "another runner is at work in these results: {}", self.holder)
    }
}

impl std::error::Error for Locked {}

const MARKER: &str = "reprise.toml";

impl Store {
    /// The results of `paper` below `results`, to read from. Nothing is created.
    ///
    /// # Errors
    /// [`BadInput`] if the directory holds something else.
    pub fn open(results: &Path, paper: &str) -> Result<Self> {
        let root = results.join(paper);
        let marker = root.join(MARKER);
        let occupied =
            root.is_file() || fs::read_dir(&root).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && fs::read_to_string(&marker).ok().as_deref() != Some(&marker_text(paper)) {
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
        let path = self.root.join(".lock");
        let mut options = File::options();
        let mut lock =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                return Err(Locked { holder: format!("{} ({})", holder.trim(), path.display()) }.into());
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(error).into()),
        }
        lock.set_len(0).map_err(unwritable)?;
        lock.write_all(format!("process {}\n", std::process::id()).as_bytes()).map_err(unwritable)?;
        let marker = self.root.join(MARKER);
        if !marker.exists() {
            fs::write(&marker, marker_text(paper)).map_err(unwritable)?;
        }
        Ok(lock)
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

    /// Every recorded run, by path.
    ///
    /// # Errors
    /// [`BadInput`] if one is damaged.
    pub fn runs(&self) -> Result<Vec<Run>, BadInput> {
        let visible = |entry: &walkdir::DirEntry| {
            entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.')
        };
        let walk = WalkDir::new(&self.root).min_depth(3).max_depth(3).sort_by_file_name();
        let entries = walk.into_iter().filter_entry(visible).filter_map(Result::ok);
        entries
            .filter(|entry| entry.path().join("config.toml").is_file())
            .map(|entry| Run::read(entry.path()))
            .collect()
    }

    /// Writes a run's configuration where a worker reads it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn request(&self, config: &RunConfig) -> Result<PathBuf> {
        let path = self.root.join(".work").join(format!("{}.toml", config.id()));
        fs::write(&path, config.to_toml()).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    /// Where a run is made: an empty directory that only this run uses.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn work(&self, config: &RunConfig) -> Result<PathBuf> {
        let path = self.work_path(config);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("failed to clear {}", path.display()))?;
        }
        fs::create_dir_all(&path).with_context(|| format!("failed to create {}", path.display()))?;
        Ok(path)
    }

    fn work_path(&self, config: &RunConfig) -> PathBuf {
        self.root.join(".work").join(config.id().to_string())
    }

    /// Publishes a finished run by one rename. A run of the same name that was there is replaced.
    ///
    /// # Errors
    /// If the rename fails; what was there then is still there.
    pub fn publish(&self, config: &RunConfig) -> Result<()> {
        let (from, to) = (self.work_path(config), self.directory(config));
        let failed = || format!("failed to move {} to {}", from.display(), to.display());
        fs::create_dir_all(to.parent().unwrap_or(&self.root)).with_context(failed)?;
        if to.exists() {
            let aside = self.root.join(".work").join(format!("{}.replaced", config.id()));
            fs::rename(&to, &aside).with_context(failed)?;
            fs::rename(&from, &to).with_context(failed)?;
            return fs::remove_dir_all(&aside)
                .with_context(|| format!("failed to remove {}", aside.display()));
        }
        fs::rename(&from, &to).with_context(failed)
    }

    /// Notes that a run failed, where [`Self::failure`] finds it.
    ///
    /// # Errors
    /// If the note cannot be written.
    pub fn note_failure(&self, config: &RunConfig, status: &Status) -> Result<()> {
        let path = self.work_path(config);
        fs::create_dir_all(&path)?;
        let path = path.join("status.toml");
        fs::write(&path, toml::to_string(status)?)
            .with_context(|| format!("failed to write {}", path.display()))
    }

    /// How the last try at a run failed, if it did and there is no record of it since.
    #[must_use]
    pub fn failure(&self, config: &RunConfig) -> Option<Status> {
        let path = self.work_path(config).join("status.toml");
        let text = fs::read_to_string(&path).ok()?;
        parse_toml(&path.display().to_string(), &text).ok()
    }
}

fn marker_text(paper: &str) -> String {
    format!("# Recorded runs; see METHODOLOGY.md.\nschema = {}\npaper = \"{paper}\"\n", crate::SCHEMA)
}
