//! What trained a run.

use crate::Place;
use crate::expert::sha256_of;
use anyhow::Result;
use experiment::{Provenance, RunConfig};
use mujoco::install::{Setup, library};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// What would train `config` now, in this process, with what `place` has for it.
///
/// # Errors
/// If a file that is to be hashed cannot be read.
pub(crate) fn provenance(config: &RunConfig, place: &Place<'_>) -> Result<Provenance> {
    let left = |name: &str, wanted: bool| {
        place.needed.filter(|_| wanted).map(|directory| sha256_of(&directory.join(name))).transpose()
    };
    Ok(Provenance {
        expert_sha256: left("policy.safetensors", config.dai.is_some())?,
        networks_sha256: left("networks.safetensors", config.after.is_some())?,
        data_sha256: place.data.map(known_or_hashed).transpose()?,
        ..of_this_process()?
    })
}

/// What this process would train any run with.
///
/// # Errors
/// If a file that is to be hashed cannot be read.
pub fn of_this_process() -> Result<Provenance> {
    // Hashed once: the files of a program that runs may be replaced.
    static PROCESS: OnceLock<Provenance> = OnceLock::new();
    let process = match PROCESS.get() {
        Some(process) => process,
        None => PROCESS.get_or_init({
            let process = read()?;
            || process
        }),
    };
    Ok(process.clone())
}

fn read() -> Result<Provenance> {
    Ok(Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: std::env::var(COMMIT).ok().or_else(commit).unwrap_or_else(|| "unknown".to_owned()),
        binary_sha256: known_or_hashed(Path::new(PROGRAM))?,
        mujoco_sha256: known_or_hashed(&library(&Setup::from_process())?)?,
        cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
        simd: nn::simd().to_owned(),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        expert_sha256: None,
        networks_sha256: None,
        data_sha256: None,
    })
}

/// The file of this process's program, even where another lies at its path by now.
const PROGRAM: &str = "/proc/self/exe";

/// The environment variable that tells a worker the commit as it was when its run was asked for.
pub const COMMIT: &str = "REPRISE_COMMIT";

/// The environment variable that spares workers the hashing of large files that their runner has hashed.
const KNOWN: &str = "REPRISE_KNOWN_HASHES";

/// What to set in a worker's environment, so that it need not hash again what this process has.
///
/// # Errors
/// If a file that is to be hashed cannot be read.
pub fn known_hashes() -> Result<(&'static str, String)> {
    let process = of_this_process()?;
    let program = identity(Path::new(PROGRAM))?;
    let simulator = identity(&library(&Setup::from_process())?)?;
    Ok((KNOWN, format!("{program}={} {simulator}={}", process.binary_sha256, process.mujoco_sha256)))
}

/// What tells whether a file is still the same: where it lies on the disk, its size, when it was written.
fn identity(path: &Path) -> Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let file = fs::metadata(path)?;
    Ok(format!("{}:{}:{}:{}.{}", file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

/// SHA-256 of a file that may have been hashed before.
fn known_or_hashed(path: &Path) -> Result<String> {
    let (known, identity) = (std::env::var(KNOWN).unwrap_or_default(), identity(path)?);
    let known = known.split(' ').find_map(|entry| entry.strip_prefix(&identity)?.strip_prefix('='));
    known.map_or_else(|| sha256_of(path), |sha| Ok(sha.to_owned()))
}

/// The commit of the checkout, with `+` where anything but results and figures has changed.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", ":/", ":!/results", ":!/figures"])?;
    Some(if changes.is_empty() { commit } else { commit + "+" })
}

/// The processor's name.
#[must_use]
pub fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
