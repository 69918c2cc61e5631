//! Getting files from elsewhere through the user's own programs, which know their mirrors, proxies and certificates.

mod download;

pub use download::{Failure, Wanted, download};

use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The cache of this process: `REPRISE_CACHE`, else `XDG_CACHE_HOME/reprise`, else `~/.cache/reprise`.
#[must_use]
pub fn cache() -> Option<PathBuf> {
    // An empty variable means an unset one, as for the shell's `${X:-}`.
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    variable("REPRISE_CACHE").map(PathBuf::from).or_else(|| {
        // The XDG specification asks for relative paths to be ignored.
        let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
        xdg.or_else(home).map(|folder| folder.join("reprise"))
    })
}

/// The first executable `name` on `path`, as the shell finds it.
#[must_use]
pub fn program(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// The last lines of a program's output, indented.
#[must_use]
pub fn tail(bytes: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let all: Vec<&str> = text.lines().collect();
    let last = &all[all.len().saturating_sub(lines)..];
    last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Length and SHA-256 of the file at `path`.
///
/// # Errors
/// If it cannot be read.
pub fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut length, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((length, hex(&hash.finalize())));
        }
        hash.update(&buffer[..count]);
        length += count as u64;
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
