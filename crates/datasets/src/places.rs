//! Where data sets are on this machine, and how one that is not is fetched.

use crate::manifest::Published;
use crate::source::Source;
use anyhow::{Context, Result};
use diagnostics::BadInput;
use fetch::{Wanted, digest, download};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders that data sets are looked for in.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where they are put, and looked for first.
    pub data: PathBuf,
    /// What messages call the folders of other programs, and where they are, if anywhere.
    pub others: Vec<(&'static str, Option<PathBuf>)>,
    /// `PATH`, on which curl and wget are looked for.
    pub path: OsString,
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Whether it is the published file.
    pub known: Known,
}

/// How it is known that a file is the published one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// Its hash is that of the manifest.
    Published,
    /// The manifest has no hash: it is the same as when it was fetched.
    SameAsFetched,
    /// Nobody knows a hash: its name is all there is.
    ByName,
    /// It has the name, and other bytes.
    Another,
}

impl Places {
    /// Those of this process: `data`, else `data/` in the cache; D4RL's, OGBench's and Minari's own folders.
    ///
    /// # Errors
    /// [`BadInput`] when there is no folder to put data sets into.
    pub fn from_process(data: Option<PathBuf>) -> Result<Self, BadInput> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let data = data.or_else(|| Some(fetch::cache()?.join("data"))).ok_or_else(|| {
            BadInput::new("no folder for data sets: none of REPRISE_CACHE, XDG_CACHE_HOME and HOME is set")
                .help("name one with --data-dir")
        })?;
        let home = variable("HOME").map(PathBuf::from);
        let others = vec![
            ("$D4RL_DATASET_DIR", variable("D4RL_DATASET_DIR").map(PathBuf::from)),
            ("~/.d4rl/datasets", home.as_ref().map(|home| home.join(".d4rl/datasets"))),
            ("~/.ogbench/data", home.as_ref().map(|home| home.join(".ogbench/data"))),
            ("$MINARI_DATASETS_PATH", variable("MINARI_DATASETS_PATH").map(PathBuf::from)),
            ("~/.minari/datasets", home.as_ref().map(|home| home.join(".minari/datasets"))),
        ];
        Ok(Self { data, others, path: variable("PATH").unwrap_or_default() })
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.data)
            .chain(self.others.iter().filter_map(|(_, folder)| folder.as_ref()))
            .map(PathBuf::as_path)
    }

    /// A file of the right name and, where it is known, the right length: not looked into.
    #[must_use]
    pub fn glance(&self, wanted: &Published) -> Option<PathBuf> {
        let fits = |path: &PathBuf| {
            path.metadata()
                .is_ok_and(|found| found.is_file() && wanted.size.is_none_or(|size| size == found.len()))
        };
        self.folders().map(|folder| folder.join(&wanted.file)).find(fits)
    }

    /// Looks for `wanted` by its name, and by its content under any name.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn find(&self, wanted: &Published) -> Result<Option<Found>> {
        let mut another = None;
        for path in self.folders().map(|folder| folder.join(&wanted.file)).filter(|path| path.is_file()) {
            let found = judge(path, wanted)?;
            if found.known != Known::Another {
                return Ok(Some(found));
            }
            another = another.or(Some(found));
        }
        if let (Some(size), Some(_)) = (wanted.size, &wanted.sha256) {
            for folder in self.folders() {
                for path in of_length(folder, size, 6) {
                    let found = judge(path, wanted)?;
                    if found.known == Known::Published {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(another)
    }

    /// Fetches `wanted` into the folder for data sets, unless it is somewhere already. `progress` is told the bytes.
    ///
    /// # Errors
    /// [`BadInput`] with every attempt and what to do, when it cannot be fetched or another file is in its place.
    pub fn get(&self, wanted: &Published, progress: &mut dyn FnMut(u64)) -> Result<(Found, bool)> {
        let file = self.data.join(&wanted.file);
        match self.find(wanted)? {
            Some(found) if found.known != Known::Another => return Ok((found, false)),
            _ if file.exists() => {
                let message = format!("{} is not the published file of {}", file.display(), wanted.set);
                let help = "move it away, or name another folder with --data-dir";
                return Err(BadInput::new(message).help(help).into());
            }
            _ => {}
        }
        let check = |path: &Path| match wanted.sha256 {
            Some(_) => Ok(()),
            None => Source::open(path).map(drop).map_err(|error| error.to_string()),
        };
        let how =
            Wanted { urls: &wanted.urls, size: wanted.size, sha256: wanted.sha256.as_deref(), check: &check };
        let sha256 = download(&self.path, &how, &file, progress)
            .map_err(|failure| self.missing(wanted, &format!("could not be fetched:\n{failure}")))?;
        let known = if wanted.sha256.is_some() { Known::Published } else { Known::SameAsFetched };
        if known == Known::SameAsFetched {
            let line = format!("{sha256}  {}\n", wanted.file);
            let note = note(&file);
            disk::replace(&note, line.as_bytes()).map_err(|error| BadInput::new(error.to_string()))?;
        }
        Ok((Found { path: file, sha256, known }, true))
    }

    /// What a user is told when `wanted` is not here: what was looked for, where, and what to do. `why` says what was
    /// done about it.
    #[must_use]
    pub fn missing(&self, wanted: &Published, why: &str) -> BadInput {
        let mut looked = vec![self.data.display().to_string()];
        for (name, folder) in &self.others {
            looked.push(if folder.is_some() { (*name).to_owned() } else { format!("{name} (unset)") });
        }
        let size = wanted.size.map_or_else(|| "of unknown length".to_owned(), |size| format!("{size} bytes"));
        let hash = wanted
            .sha256
            .as_ref()
            .map_or_else(|| "of unknown SHA-256".to_owned(), |hash| format!("SHA-256 {hash}"));
        let file = &wanted.file;
        let mut help = format!(
            "fetch it where there is a way, and put it into {}:\n    curl -fL -C - -o {file}.part {} && mv {file}.part {file}",
            self.data.display(),
            wanted.urls[0]
        );
        for mirror in &wanted.urls[1..] {
            help += &format!("\n    or from {mirror}");
        }
        help += &format!("\n    cargo xtask data verify {} --data-dir {}", wanted.set, self.data.display());
        BadInput::new(format!(
            "data set {} {why}\n  looked in  {}\n  looked for {file}, {size}, {hash}",
            wanted.set,
            looked.join(", ")
        ))
        .help(help)
    }
}

/// Where the hash of a file is noted that nobody publishes one of: as `sha256sum --check` reads it.
fn note(file: &Path) -> PathBuf {
    let mut note = file.as_os_str().to_owned();
    note.push(".sha256");
    note.into()
}

/// Whether the file at `path` is `wanted`.
fn judge(path: PathBuf, wanted: &Published) -> Result<Found> {
    let (size, sha256) = digest(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let noted = fs::read_to_string(note(&path)).ok();
    let noted = noted.as_deref().and_then(|line| line.split_whitespace().next());
    let fits = wanted.size.is_none_or(|expected| expected == size);
    let known = match (&wanted.sha256, noted) {
        _ if !fits => Known::Another,
        (Some(expected), _) if *expected == sha256 => Known::Published,
        (Some(_), _) => Known::Another,
        (None, Some(noted)) if noted == sha256 => Known::SameAsFetched,
        (None, Some(_)) => Known::Another,
        (None, None) => Known::ByName,
    };
    Ok(Found { path, sha256, known })
}

/// The files of this length in a folder and those below it, so deep.
fn of_length(folder: &Path, size: u64, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 => found.extend(of_length(&path, size, depth - 1)),
            // What a transfer has not published yet is not there.
            Ok(metadata) if metadata.len() == size && path.extension() != Some("part".as_ref()) => {
                found.push(path);
            }
            _ => {}
        }
    }
    found
}
