//! Finding and fetching, with everything that can be wrong about it. No test here uses the network: `python3` is a
//! shell script that stands in for the user's.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]
#![cfg(unix)]

use diagnostics::BadInput;
use mujoco::doctor;
use mujoco::install::{self, Setup};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// A temporary folder, one at a time: where one test writes its script while another one starts a program, the
/// program's fork would hold the script open for writing, and Linux refuses to run such a file.
struct Place {
    folder: TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Place {
    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A place with an empty cache and a `python3` that runs `script`; `"$into"` is the folder that pip was given.
fn place(script: Option<&str>) -> (Place, Setup) {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    if let Some(script) = script {
        let prelude = "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -d ] && into=$2; shift; done\n";
        let python = bin.join("python3");
        fs::write(&python, format!("{prelude}{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let setup = Setup {
        cache: Some(folder.path().join("cache")),
        // /bin for the script's own mkdir; behind ours, and without any python3 where ours is absent.
        path: if script.is_some() { format!("{}:/usr/bin:/bin", bin.display()).into() } else { bin.into() },
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        ..Setup::default()
    };
    (Place { folder, _one: one }, setup)
}

#[track_caller]
fn check(setup: &Setup, expect: &[&str]) {
    let error = install::ensure(setup).unwrap_err();
    assert!(error.is::<BadInput>(), "{error:#}");
    let error = error.to_string();
    for part in expect {
        assert!(error.contains(part), "expected `{part}` in: {error}");
    }
}

fn left_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map_or_else(|_| vec![], |entries| entries.flatten().collect());
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_wrong_wheel_is_refused_with_both_hashes() {
    let (folder, setup) = place(Some("mkdir -p \"$into\" && echo evil > \"$into/mujoco-3.2.7-cp311.whl\""));
    let found = "886b67480dbe73b406ad83a1dd6d9596f93089d90c220ccfc91944c95f1c68c4";
    let pinned = "43c1cba5cb44d36840721166feb74600c193452f8510c0b249c4208cb534a171";
    check(
        &setup,
        &["mujoco-3.2.7-cp311.whl is not the pinned mujoco 3.2.7", found, pinned, "pip config list"],
    );
    assert_eq!(left_in(&folder.path().join("cache")), Vec::<String>::new());
}

#[test]
fn without_python_the_remedy_is_the_very_command() {
    let (_folder, setup) = place(None);
    check(
        &setup,
        &[
            "mujoco 3.2.7 (the simulator) is neither in ",
            "no `python3` on PATH",
            "python3 -m pip download --no-deps --only-binary=:all: --python-version 3.11",
            "--platform manylinux2014_x86_64 -d . mujoco==3.2.7",
            "set REPRISE_MUJOCO_LIB to the path of the file",
        ],
    );
}

#[test]
fn pips_own_last_words_are_shown() {
    let (_folder, setup) =
        place(Some("i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i >&2; done; exit 3"));
    check(&setup, &["pip could not download mujoco 3.2.7 (exit status: 3", "    line 23\n", "    line 30\n"]);
    assert!(!install::ensure(&setup).unwrap_err().to_string().contains("line 22"));
}

#[test]
fn a_pip_that_leaves_nothing_is_told() {
    let (_folder, setup) = place(Some("exit 0"));
    check(&setup, &["left no wheel of mujoco 3.2.7"]);
}

#[test]
fn an_unknown_processor_or_system_is_told() {
    let (_folder, mut setup) = place(Some("exit 0"));
    setup.arch = "riscv64".to_owned();
    check(
        &setup,
        &["not available for riscv64 processors: expected x86_64 or aarch64", "REPRISE_MUJOCO_LIB"],
    );
    setup.os = "macos".to_owned();
    check(&setup, &["not available for macos: expected linux", "REPRISE_MUJOCO_LIB"]);
}

#[test]
fn a_cache_that_cannot_be_had_is_told() {
    let (folder, mut setup) = place(Some("exit 0"));
    fs::write(folder.path().join("cache"), "a file").unwrap();
    check(&setup, &["cannot write to the cache ", "REPRISE_CACHE"]);
    setup.cache = None;
    check(&setup, &["none of REPRISE_CACHE, XDG_CACHE_HOME and HOME is set"]);
}

#[test]
fn wrong_overrides_are_told() {
    let (folder, mut setup) = place(Some("exit 0"));
    setup.library = Some(folder.path().join("nowhere.so"));
    check(&setup, &["REPRISE_MUJOCO_LIB=", "nowhere.so does not exist", "unset it"]);
    setup.library = Some(folder.path().to_owned());
    check(&setup, &["is a folder: expected a libmujoco 3.2.7"]);
    setup.library = Some(folder.path().join("bin/python3"));
    setup.assets = Some(folder.path().to_owned());
    check(&setup, &["REPRISE_ASSETS=", "holds no `half_cheetah.xml`", "Gymnasium 1.4.0"]);
    setup.d4rl = Some(folder.path().to_owned());
    let error = install::d4rl(&setup).unwrap_err().to_string();
    assert!(error.contains("REPRISE_D4RL=") && error.contains("locomotion/assets/ant.xml"), "{error}");
    assert!(!doctor(&setup)[2].is_fine());
    fs::write(folder.path().join("half_cheetah.xml"), "").unwrap();
    let installed = install::ensure(&setup).unwrap();
    assert_eq!((Some(installed.library), Some(installed.assets)), (setup.library, setup.assets));
}

#[test]
fn the_doctor_looks_and_fetches_nothing() {
    let (folder, mut setup) = place(Some("echo pip 23.2.1 from somewhere"));
    let findings = doctor(&setup);
    let names: Vec<_> = findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names, ["mujoco", "gymnasium", "d4rl", "ogbench", "python3"]);
    assert_eq!(findings[0].problem.as_deref(), Some("not there yet"));
    assert!(findings[1].remedy.as_ref().unwrap().contains("gymnasium==1.4.0"));
    assert_eq!(findings[4].found.as_deref(), Some("pip 23.2.1"));
    // What one suite needs is not missing before a task of it is asked for.
    assert!(findings[2].is_fine() && findings[2].found.is_none() && findings[3].is_fine());
    assert_eq!(left_in(folder.path()), ["bin"]);

    // A file that is no library at all.
    setup.library = Some(folder.path().join("bin/python3"));
    let library = &doctor(&setup)[0];
    assert!(!library.is_fine() && library.looked_in.starts_with("REPRISE_MUJOCO_LIB="), "{library:?}");
    assert!(library.problem.as_ref().unwrap().contains("is not a usable libmujoco"), "{library:?}");
}

#[test]
fn without_python_the_doctor_says_so() {
    let (_folder, setup) = place(None);
    let python = &doctor(&setup)[4];
    assert_eq!(python.problem.as_deref(), Some("no `python3` on PATH"));
    assert!(python.remedy.is_some());
}
