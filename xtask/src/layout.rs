//! What lies in the results directory for machines that make runs: the program, and the plan that a task goes by.

use crate::campaign::Campaign;
use anyhow::{Context, Result};
use engines::Batch;
use experiment::Store;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const PLAN: &str = "plan.toml";

pub(crate) struct Layout<'a> {
    campaign: &'a Campaign,
    folder: PathBuf,
    program: String,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(campaign: &'a Campaign, store: &Store) -> Result<Self> {
        // Says so if the path cannot be told to others.
        campaign.to_toml()?;
        let folder = store.batches();
        disk::create_folder(&folder)?;
        let program = program(&folder)?.display().to_string();
        Ok(Self { campaign, folder, program })
    }

    /// The folder of an array of some of the runs.
    pub(crate) fn batch(&self, runs: &[usize]) -> Result<Batch> {
        let name = Batch::name();
        let folder = self.folder.join(&name);
        let command = self.plan(&folder, &self.campaign.only(runs))?;
        Ok(Batch { name, folder, command, jobs: runs.iter().map(|&run| Some(run)).collect() })
    }

    /// The command of all runs, before the run's number.
    pub(crate) fn commands(&self) -> Result<Vec<String>> {
        self.plan(&self.folder.join(format!("commands-{}", Batch::name())), self.campaign)
    }

    /// What is done when all runs have been.
    pub(crate) fn last(&self, report: &[String]) -> Result<Batch> {
        let name = Batch::name();
        let folder = self.folder.join(&name);
        disk::create_folder(&folder)?;
        let root = crate::args::root()?.display().to_string();
        let begin = ["env", "-C", &root, &self.program].map(str::to_owned);
        let command = begin.into_iter().chain(report.iter().cloned()).collect();
        Ok(Batch { name, folder, command, jobs: Vec::new() })
    }

    fn plan(&self, folder: &Path, campaign: &Campaign) -> Result<Vec<String>> {
        disk::create_folder(folder)?;
        let plan = folder.join(PLAN);
        campaign.write(&plan)?;
        Ok(vec![self.program.clone(), "run".to_owned(), plan.display().to_string()])
    }

    /// The arrays of before, with those of their runs that are wanted.
    pub(crate) fn known(&self) -> Result<Vec<Batch>> {
        let mut batches = Vec::new();
        for entry in fs::read_dir(&self.folder)?.filter_map(Result::ok) {
            let (name, folder) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            if name.starts_with("commands-") {
                continue;
            }
            // What is no plan, or is damaged, has no runs that could be told.
            let Ok(then) = Campaign::read(&folder.join(PLAN)) else { continue };
            let wanted = &self.campaign.runs;
            let place = |config| wanted.iter().position(|run| run.config == config);
            let jobs = then.runs.into_iter().map(|run| place(run.config)).collect();
            batches.push(Batch { name, folder, command: Vec::new(), jobs });
        }
        Ok(batches)
    }
}

/// A copy of this program where every machine sees it, and no build replaces it.
fn program(folder: &Path) -> Result<PathBuf> {
    let sha256 = training::of_this_process()?.binary_sha256;
    let program = folder.join(format!("xtask-{}", &sha256[..sha256.len().min(12)]));
    if !program.is_file() {
        let aside = folder.join(format!("xtask-{}.new", std::process::id()));
        let copy = || {
            fs::copy("/proc/self/exe", &aside)?;
            fs::set_permissions(&aside, fs::Permissions::from_mode(0o755))
        };
        copy().with_context(|| format!("failed to copy this program to {}", aside.display()))?;
        disk::rename(&aside, &program)?;
    }
    Ok(program)
}
