//! What is there and what is missing, without fetching anything.

use crate::install::{Setup, is_complete, own_assets, own_folder, own_library, package_folder};
use crate::library::Library;
use crate::packages::{D4RL, GYMNASIUM, MUJOCO, OGBENCH, Package};
use diagnostics::BadInput;
use fetch::program;
use serde::Serialize;
use std::path::PathBuf;

/// What was found of one thing that the simulations need.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Finding {
    /// A package, or `python3`.
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// The version that is expected.
    pub expected: &'static str,
    /// The version that was found.
    pub found: Option<String>,
    /// Where it was looked for: the variable or the cache, and the path.
    pub looked_in: String,
    /// Why it cannot be used, if it can't.
    pub problem: Option<String>,
    /// What to do then.
    pub remedy: Option<String>,
}

impl Finding {
    /// Whether the thing is there and usable.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.problem.is_none()
    }
}

/// Looks for the simulator, the model files and the Python that would fetch them.
#[must_use]
pub fn doctor(setup: &Setup) -> Vec<Finding> {
    let library =
        look(setup, &MUJOCO, setup.library.as_ref().map(|path| (path, own_library(path))), |path| {
            Library::open(path).map(Library::version_name).map_err(|error| format!("{error:#}"))
        });
    let assets = look(setup, &GYMNASIUM, setup.assets.as_ref().map(|path| (path, own_assets(path))), |_| {
        Ok(GYMNASIUM.version.to_owned())
    });
    let d4rl = look_for_suite(setup, &D4RL, setup.d4rl.as_ref());
    let ogbench = look_for_suite(setup, &OGBENCH, setup.ogbench.as_ref());
    let mut findings = vec![library, assets, d4rl, ogbench];
    let mut python = python(setup);
    if findings.iter().all(|finding| finding.found.is_some()) {
        // There is nothing left to fetch.
        (python.problem, python.remedy) = (None, None);
    }
    findings.push(python);
    findings
}

/// A package that only the tasks of one suite need: that it is not there yet is no problem.
fn look_for_suite(setup: &Setup, package: &Package, own: Option<&PathBuf>) -> Finding {
    let own = own.map(|path| (path, own_folder(path, package)));
    let is_own = own.is_some();
    let mut finding = look(setup, package, own, |_| Ok(package.version.to_owned()));
    if !is_own && finding.problem.is_some() && setup.cache.is_some() {
        (finding.problem, finding.remedy) = (None, None);
        finding.looked_in.push_str(": not there yet, its first task fetches it with pip");
    }
    finding
}

fn look(
    setup: &Setup,
    package: &Package,
    own: Option<(&PathBuf, Result<PathBuf, BadInput>)>,
    version: impl Fn(&std::path::Path) -> Result<String, String>,
) -> Finding {
    let (looked_in, path) = match own {
        Some((given, checked)) => (
            format!("{}={}", package.variable, given.display()),
            checked.map_err(|error| (error.to_string(), None)),
        ),
        None => match setup.cache() {
            Err(error) => ("the cache".to_owned(), Err((error.to_string(), None))),
            Ok(cache) => {
                let folder = package_folder(cache, package);
                let file =
                    if package.name == MUJOCO.name { folder.join(package.key_file) } else { folder.clone() };
                let path = if is_complete(&folder, package) {
                    Ok(file)
                } else {
                    let remedy = format!(
                        "nothing, the first run fetches it with pip; without a network: {}",
                        package.remedy(&setup.arch)
                    );
                    Err(("not there yet".to_owned(), Some(remedy)))
                };
                (format!("the cache, {}", folder.display()), path)
            }
        },
    };
    let result = path.and_then(|path| version(&path).map_err(|error| (error, None)));
    let (found, problem, remedy) = match result {
        Ok(version) => (Some(version), None, None),
        // A message without a remedy of its own carries it in its last line.
        Err((problem, remedy)) => (None, Some(problem), remedy),
    };
    Finding {
        name: package.name,
        purpose: package.purpose,
        expected: package.version,
        found,
        looked_in,
        problem,
        remedy,
    }
}

fn python(setup: &Setup) -> Finding {
    let output = program(&setup.path, "python3").map(|python| {
        let output = std::process::Command::new(&python)
            .args(["-m", "pip", "--version"])
            .env("PATH", &setup.path)
            .stdin(std::process::Stdio::null())
            .output();
        (python, output)
    });
    let (looked_in, found, problem) = match output {
        None => ("PATH".to_owned(), None, Some("no `python3` on PATH".to_owned())),
        Some((python, Ok(output))) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let version = text.split_whitespace().nth(1).unwrap_or("of unknown version");
            (python.display().to_string(), Some(format!("pip {version}")), None)
        }
        Some((python, _)) => {
            (python.display().to_string(), None, Some("`python3 -m pip` does not run".to_owned()))
        }
    };
    Finding {
        name: "python3",
        purpose: "fetching what is above; nothing else",
        expected: "any version, with pip",
        found,
        looked_in,
        remedy: problem.is_some().then(|| "install Python 3 and pip, unless all above is there".to_owned()),
        problem,
    }
}
