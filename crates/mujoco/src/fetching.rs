//! Fetching a pinned wheel through the user's own pip, which knows their mirror, proxy and certificates.

use crate::install::{Setup, is_complete};
use crate::packages::{Package, Wheel};
use anyhow::{Context, Result};
use diagnostics::BadInput;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Downloads `package`, checks its hash, and puts the kept members into `folder` by one rename.
pub(crate) fn fetch(setup: &Setup, package: &Package, folder: &Path) -> Result<()> {
    let title = package.title();
    let Some(wheel) = package.wheel(&setup.arch) else {
        let known: Vec<_> = package.wheels.iter().filter_map(|wheel| wheel.arch).collect();
        let message = format!(
            "{title} is not available for {} processors: expected {}",
            setup.arch,
            known.join(" or ")
        );
        let help = format!("build libmujoco {} for it and set {}", package.version, package.variable);
        return Err(BadInput::new(message).help(help).into());
    };
    let Some(python) = fetch::program(&setup.path, "python3") else {
        let message = format!(
            "{title} ({}) is neither in {} nor can it be fetched: no `python3` on PATH",
            package.purpose,
            folder.display()
        );
        return Err(BadInput::new(message).help(package.remedy(&setup.arch)).into());
    };
    let cache = folder.parent().unwrap_or(folder);
    let scratch = fs::create_dir_all(cache)
        .and_then(|()| tempfile::Builder::new().prefix(".fetch-").tempdir_in(cache))
        .map_err(|error| {
            BadInput::new(format!("cannot write to the cache {}: {error}", cache.display()))
                .help("set REPRISE_CACHE to a folder that can be written")
        })?;
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "fetching {title} ({}) with pip \u{2026}", wheel.size);
    let download = download(setup, package, &python, scratch.path())?;
    verify(package, wheel, &download)?;
    let staged = scratch.path().join("staged");
    unpack(package, &download, &staged)
        .with_context(|| format!("cannot unpack {} in {}", package.name, cache.display()))?;
    publish(package, &staged, folder, scratch.path())
}

fn download(setup: &Setup, package: &Package, python: &Path, scratch: &Path) -> Result<PathBuf> {
    let into = scratch.join("download");
    let output = Command::new(python)
        .args(package.pip_arguments(&setup.arch, &into.to_string_lossy()))
        .env("PATH", &setup.path)
        // A `pip` folder in the working directory must not be taken for the program.
        .current_dir(scratch)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            BadInput::new(format!("cannot run {}: {error}", python.display()))
                .help(package.remedy(&setup.arch))
        })?;
    let remedy = || package.remedy(&setup.arch);
    if !output.status.success() {
        let message = format!(
            "pip could not download {} ({} of {}):\n{}",
            package.title(),
            output.status,
            python.display(),
            fetch::tail(&output.stderr, 8)
        );
        return Err(BadInput::new(message).help(remedy()).into());
    }
    let wheel = fs::read_dir(&into).ok().and_then(|entries| {
        entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"))
    });
    wheel.ok_or_else(|| {
        let message = format!("pip reported success but left no wheel of {}", package.title());
        BadInput::new(message).help(remedy()).into()
    })
}

fn verify(package: &Package, wheel: &Wheel, download: &Path) -> Result<()> {
    let (_, found) =
        fetch::digest(download).with_context(|| format!("cannot read {}", download.display()))?;
    if found == wheel.sha256 {
        return Ok(());
    }
    let name = download.file_name().unwrap_or_default().to_string_lossy();
    let message = format!(
        "the downloaded {name} is not the pinned {}: SHA-256\n    found    {found}\n    expected {}",
        package.title(),
        wheel.sha256
    );
    Err(BadInput::new(message)
        .help(format!(
            "look which index or mirror pip uses (`python3 -m pip config list`), or {}",
            package.by_hand.replace("that wheel", "a wheel with the expected hash")
        ))
        .into())
}

fn unpack(package: &Package, wheel: &Path, staged: &Path) -> Result<()> {
    fs::create_dir(staged)?;
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index)?;
        let Some(name) = package.kept(&member.name()?) else { continue };
        let path = staged.join(name);
        fs::create_dir_all(path.parent().unwrap_or(staged))?;
        let mut file = File::create(path)?;
        std::io::copy(&mut member, &mut file)?;
        file.sync_all()?;
    }
    // Whoever finds this finds all of it, after a power failure too.
    let mut complete = File::create(staged.join("complete"))?;
    writeln!(complete, "{}", package.title())?;
    complete.sync_all()?;
    anyhow::ensure!(is_complete(staged, package), "{} lacks {}", package.title(), package.key_file);
    Ok(())
}

/// Renames `staged` to `folder`. Another process may have been first, which is as good; a folder that is there but
/// not complete was damaged by someone and makes way.
fn publish(package: &Package, staged: &Path, folder: &Path, scratch: &Path) -> Result<()> {
    for attempt in 0..2 {
        match fs::rename(staged, folder) {
            Ok(()) => return Ok(()),
            Err(_) if is_complete(folder, package) => return Ok(()),
            Err(error) if attempt == 1 => {
                return Err(error).with_context(|| format!("cannot put {} in place", folder.display()));
            }
            // The damaged folder goes away with the scratch folder.
            Err(_) => drop(fs::rename(folder, scratch.join("damaged"))),
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::packages::Member;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Mutex, PoisonError};

    /// Held by each test: while one writes its script, another one's fork would hold it open for writing, and Linux
    /// refuses to run such a file.
    static ONE: Mutex<()> = Mutex::new(());

    /// A place whose `python3` delivers a small wheel, and the package that pins it.
    fn place() -> (tempfile::TempDir, Setup, Package) {
        let place = tempfile::tempdir().unwrap();
        let wheel = place.path().join("small-1.0-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(File::create(&wheel).unwrap());
        for (name, text) in
            [("small/key.xml", "<key/>"), ("small/other.py", "x"), ("small-1.0/LICENSE", "free")]
        {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
        let (_, sha256) = fetch::digest(&wheel).unwrap();
        let python = place.path().join("python3");
        let script = "#!/bin/sh\nwhile [ \"$1\" != -d ]; do shift; done\nmkdir -p \"$2\" && cp";
        fs::write(&python, format!("{script} '{}' \"$2\"\n", wheel.display())).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", place.path().display()).into();
        let setup = Setup { path, arch: "x86_64".to_owned(), ..Setup::default() };
        let package = Package {
            name: "small",
            version: "1.0",
            purpose: "a test",
            wheels: Box::leak(Box::new([Wheel { arch: None, sha256: sha256.leak(), size: "1 kB" }])),
            members: &[
                Member { folder: "small/", suffix: ".xml", into: "" },
                Member { folder: "small-1.0/", suffix: "LICENSE", into: "" },
            ],
            key_file: "key.xml",
            variable: "REPRISE_SMALL",
            by_hand: "",
        };
        (place, setup, package)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn first_runs_at_the_same_time_leave_one_whole_folder() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, setup, package) = place();
        let folder = place.path().join("cache/small-1.0");
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| fetch(&setup, &package, &folder))).collect();
            runs.into_iter().for_each(|run| run.join().unwrap().unwrap());
        });
        assert_eq!(names(&folder), ["LICENSE", "complete", "key.xml"]);
        assert_eq!(names(&place.path().join("cache")), ["small-1.0"]);
    }

    #[test]
    fn a_damaged_folder_makes_way() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, setup, package) = place();
        let folder = place.path().join("cache/small-1.0");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("key.xml"), "half").unwrap();
        assert!(!is_complete(&folder, &package));
        fetch(&setup, &package, &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("key.xml")).unwrap(), "<key/>");
        assert_eq!(names(&place.path().join("cache")), ["small-1.0"]);
    }
}
