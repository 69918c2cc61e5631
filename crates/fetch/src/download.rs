//! Downloading a file by curl or wget: it goes on where it broke off, and appears under its name only when it is whole.

use crate::{digest, program, tail};
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A file that is somewhere else.
pub struct Wanted<'a> {
    /// Where it is, the origin first, then its mirrors.
    pub urls: &'a [String],
    /// Its length, if that is known.
    pub size: Option<u64>,
    /// Its SHA-256, if that is known.
    pub sha256: Option<&'a str>,
    /// What else must hold of it, for a file of unknown hash: an answer such as a log-in page is not taken for it.
    pub check: &'a dyn Fn(&Path) -> Result<(), String>,
}

/// Why nothing was fetched, an attempt a line.
#[derive(Debug)]
pub struct Failure(pub Vec<String>);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines: Vec<String> = self.0.iter().map(|why| format!("    {why}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl From<disk::Error> for Failure {
    fn from(error: disk::Error) -> Self {
        Self(vec![error.to_string()])
    }
}

/// How often one address is tried while each try brings more of the file.
const TRIES: usize = 5;

/// Fetches `wanted` to `file` with curl or wget from `path` (as the variable PATH), and tells `progress` the bytes that
/// are there. What a broken transfer leaves is kept as `file.part`. Returns the SHA-256.
///
/// # Errors
/// [`Failure`]; then there is no `file`.
pub fn download(
    path: &OsStr,
    wanted: &Wanted<'_>,
    file: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<String, Failure> {
    let only = |why: String| Failure(vec![why]);
    let Some(tool) = Tool::find(path) else {
        return Err(only("neither `curl` nor `wget` is on PATH".to_owned()));
    };
    disk::create_folder(file.parent().unwrap_or(file))?;
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let unwritable = |error: std::io::Error| only(format!("cannot write {}: {error}", part.display()));
    let held = File::options().create(true).append(true).open(&part).map_err(unwritable)?;
    match held.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(only(format!("another process is fetching {}", part.display())));
        }
        Err(TryLockError::Error(error)) => return Err(unwritable(error)),
    }

    let mut failures = Vec::new();
    for url in wanted.urls {
        for _ in 0..TRIES {
            let before = length(&part);
            let attempt = attempt(&tool, wanted, url, &part, progress);
            match attempt {
                Ok(sha256) => {
                    held.sync_all().map_err(unwritable)?;
                    disk::rename(&part, file)?;
                    return Ok(sha256);
                }
                Err(Attempt::Broken(why)) => {
                    failures.push(format!("{url}: {why}"));
                    if length(&part) <= before {
                        break;
                    }
                }
                // What was there may be the part of another file: once more from the beginning.
                Err(Attempt::Wrong(why)) => {
                    failures.push(format!("{url}: {why}"));
                    held.set_len(0).map_err(unwritable)?;
                    if before == 0 {
                        break;
                    }
                }
            }
        }
    }
    if length(&part) == 0 {
        disk::remove(&part)?;
    }
    Err(Failure(failures))
}

/// Why one transfer did not bring the file.
enum Attempt {
    /// It broke off: what is there may be gone on with.
    Broken(String),
    /// What is there is not the file, or the beginning of it.
    Wrong(String),
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

/// One transfer. What is there already is gone on with; if that is all of it, nothing is asked for.
fn attempt(
    tool: &Tool,
    wanted: &Wanted<'_>,
    url: &str,
    part: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<String, Attempt> {
    if wanted.size.is_none_or(|size| length(part) < size) {
        tool.run(url, part, progress)?;
    }
    progress(length(part));
    let unreadable = |error| Attempt::Broken(format!("cannot read {}: {error}", part.display()));
    let (size, sha256) = digest(part).map_err(unreadable)?;
    if let Some(expected) = wanted.size.filter(|&expected| expected != size) {
        return Err(Attempt::Wrong(format!("another file: it has {size} bytes, expected {expected}")));
    }
    if let Some(expected) = wanted.sha256.filter(|&expected| expected != sha256) {
        return Err(Attempt::Wrong(format!("another file: its SHA-256 is {sha256}, expected {expected}")));
    }
    (wanted.check)(part).map_err(|why| Attempt::Wrong(format!("another file: {why}")))?;
    Ok(sha256)
}

/// The program that transfers.
enum Tool {
    Curl(PathBuf),
    Wget(PathBuf),
}

impl Tool {
    fn find(path: &OsStr) -> Option<Self> {
        program(path, "curl").map(Tool::Curl).or_else(|| program(path, "wget").map(Tool::Wget))
    }

    /// Transfers what is missing of `part`.
    fn run(&self, url: &str, part: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), Attempt> {
        let broken = |error: std::io::Error| Attempt::Broken(format!("cannot run {}: {error}", self.name()));
        let mut child = self
            .command(url, part)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        // Read as it comes: a full pipe would stop it.
        let pipe = child.stderr.take();
        let reader = std::thread::spawn(move || {
            let mut stderr = Vec::new();
            let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut stderr));
            stderr
        });
        let status = loop {
            if let Some(status) = child.try_wait().map_err(broken)? {
                break status;
            }
            progress(length(part));
            std::thread::sleep(Duration::from_millis(50));
        };
        if status.success() {
            return Ok(());
        }
        let stderr = reader.join().unwrap_or_default();
        let why = format!("{} failed ({status})\n{}", self.name(), tail(&stderr, 3)).trim_end().to_owned();
        // It has nothing after what is there, or cannot begin there.
        let said = String::from_utf8_lossy(&stderr);
        let refused =
            ["error: 416", "ERROR 416"].iter().any(|no| said.contains(no)) || status.code() == Some(33);
        Err(if refused && length(part) > 0 { Attempt::Wrong(why) } else { Attempt::Broken(why) })
    }

    fn name(&self) -> &'static str {
        match self {
            Tool::Curl(_) => "curl",
            Tool::Wget(_) => "wget",
        }
    }

    fn command(&self, url: &str, part: &Path) -> Command {
        match self {
            Tool::Curl(path) => {
                let mut command = Command::new(path);
                let quiet = ["--fail", "--location", "--silent", "--show-error"];
                // A server that is silent for a minute has gone.
                let patience = ["--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "60"];
                command.args(quiet).args(patience).args(["--continue-at", "-", "--output"]).arg(part);
                command.args(["--url", url]);
                command
            }
            Tool::Wget(path) => {
                let mut command = Command::new(path);
                command.args([
                    "--no-verbose",
                    "--tries=1",
                    "--timeout=60",
                    "--continue",
                    "--output-document",
                ]);
                command.arg(part).arg(url);
                command
            }
        }
    }
}
