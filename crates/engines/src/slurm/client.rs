//! Slurm's own programs.

use anyhow::{Context, Result, bail};
use diagnostics::BadInput;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// What the names of our arrays begin with.
pub(super) const OURS: &str = "reprise-";

pub(super) struct Client {
    pub(super) cluster: String,
    /// Tasks that an array has at most.
    pub(super) max_array_size: usize,
}

/// A task that is in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Of its array.
    pub(super) name: String,
    pub(super) index: usize,
    /// `12_3`.
    pub(super) id: String,
    pub(super) state: String,
    pub(super) reason: String,
}

/// What is to be submitted.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    pub(super) folder: &'a Path,
    /// The name of its log in the folder, as a pattern of Slurm's.
    pub(super) log: &'a str,
    pub(super) array: Option<&'a str>,
    /// The ids of jobs that must have ended before.
    pub(super) after: &'a [String],
}

impl Client {
    pub(super) fn new() -> Result<Self> {
        call("sbatch", &["--version".to_owned()], "")?;
        let config = call("scontrol", &["show".to_owned(), "config".to_owned()], "")?;
        let value = |key: &str| {
            let line =
                config.lines().find(|line| line.split('=').next().unwrap_or_default().trim() == key)?;
            Some(line.split_once('=')?.1.trim().to_owned())
        };
        let size = value("MaxArraySize").and_then(|size| size.parse().ok()).unwrap_or(1001);
        if size < 2 {
            return Err(BadInput::new("this cluster takes no job arrays (its MaxArraySize is below 2)")
                .help("`--engine commands` prints one command a run, to submit as you like")
                .into());
        }
        Ok(Self { cluster: value("ClusterName").unwrap_or_default(), max_array_size: size })
    }

    /// Our tasks in the queue.
    pub(super) fn tasks(&self) -> Result<Vec<Task>> {
        let user = rustix::process::getuid().as_raw();
        let format = "--format=%j|%K|%i|%T|%r";
        let arguments = ["--noheader", "--array", &format!("--user={user}"), format].map(str::to_owned);
        Ok(call("squeue", &arguments, "")?.lines().filter_map(task).collect())
    }

    /// The id of the job of this name, if it is in the queue, as far as Slurm answers.
    pub(super) fn id_of(&self, name: &str) -> Option<String> {
        let task = self.tasks().ok()?.into_iter().find(|task| task.name == name)?;
        // A task's is the array's and its index.
        Some(task.id.split('_').next().unwrap_or_default().to_owned())
    }

    /// Submits it; returns its id.
    pub(super) fn submit(&self, request: &Request<'_>, script: &str) -> Result<String> {
        let Request { name, folder, log, array, after } = request;
        let folder = folder.to_str().filter(|folder| !folder.contains('\\')).ok_or_else(|| {
            BadInput::new(format!("Slurm cannot write logs into {}", folder.display()))
                .help("name a results directory without a backslash in its path")
        })?;
        let mut arguments = vec![
            "--parsable".to_owned(),
            format!("--job-name={name}"),
            format!("--chdir={folder}"),
            format!("--output={}/{log}", folder.replace('%', "%%")),
            "--open-mode=append".to_owned(),
        ];
        arguments.extend(array.map(|array| format!("--array={array}")));
        if !after.is_empty() {
            arguments.push(format!("--dependency=afterany:{}", after.join(":")));
        }
        let answer = call("sbatch", &arguments, script).map_err(|error| {
            let help = "the job's own lines are those of `--sbatch FILE`: partition, time, account; `sinfo` lists \
                        partitions";
            anyhow::Error::from(BadInput::new(format!("{error:#}")).help(help))
        })?;
        Ok(answer.lines().last().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned())
    }

    /// Ends tasks. A name beside its id spares a job that was given the same id since.
    pub(super) fn cancel(&self, tasks: &[Task]) -> Result<()> {
        for same in tasks.chunk_by(|a, b| a.name == b.name) {
            let mut arguments = vec![format!("--name={}", same[0].name)];
            arguments.extend(same.iter().map(|task| task.id.clone()));
            match call("scancel", &arguments, "") {
                Err(error) if !is_of_ended_tasks(&error.to_string()) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether all that `scancel` complains of is that tasks have ended in the meantime: the others it has cancelled.
fn is_of_ended_tasks(complaint: &str) -> bool {
    let (all, ended) = ("scancel: error:", "Invalid job id specified");
    complaint.contains(all) && complaint.matches(all).count() == complaint.matches(ended).count()
}

/// The task of Slurm's that this process is, if it is one.
#[must_use]
pub fn this_task() -> Option<String> {
    let variable = |name| std::env::var(name).ok();
    let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
    array.map(|(job, task)| format!("{job}_{task}")).or_else(|| variable("SLURM_JOB_ID"))
}

/// Has Slurm end a task and run it again from its beginning. Where it is [`this_task`], nothing may be left to do: its
/// end may come before this returns.
///
/// # Errors
/// If Slurm will not, or has ended the task before it could say so.
pub fn requeue(task: &str) -> Result<()> {
    call("scontrol", &["requeue".to_owned(), task.to_owned()], "").map(drop)
}

fn task(line: &str) -> Option<Task> {
    let mut fields = line.trim().splitn(5, '|').map(str::to_owned);
    let mut next = || fields.next();
    let (name, index) = (next()?, next()?);
    let (id, state, reason) = (next()?, next()?, next()?);
    name.starts_with(OURS).then_some(())?;
    // A job that is no array has no index; its name is enough.
    Some(Task { name, index: index.parse().unwrap_or(usize::MAX), id, state, reason })
}

/// What one of Slurm's programs prints.
fn call(program: &str, arguments: &[String], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What a user likes to see of the queue is not what is asked for here.
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("SQUEUE_"))
        .for_each(|name| {
            command.env_remove(name);
        });
    let mut child = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BadInput::new(format!("there is no `{program}` in PATH"))
                .help("run this where jobs are submitted to Slurm, or take another `--engine`")
                .into());
        }
        child => child.with_context(|| format!("failed to start {program}"))?,
    };
    // One that reads no input is no error.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().with_context(|| format!("failed to hear {program}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    bail!("{program} failed ({}): {}", output.status, told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_read_and_others_jobs_are_not_ours() {
        let ours = task("reprise-1f-2|3|12_3|PENDING|JobArrayTaskLimit").unwrap();
        assert_eq!((ours.name.as_str(), ours.index, ours.id.as_str()), ("reprise-1f-2", 3, "12_3"));
        assert_eq!((ours.state.as_str(), ours.reason.as_str()), ("PENDING", "JobArrayTaskLimit"));
        assert_eq!(task("reprise-1f-2|N/A|13|RUNNING|None").unwrap().index, usize::MAX);
        for line in ["", "reprise", "train|0|12_0|RUNNING|None", "reprise-1f|0|12_0"] {
            assert_eq!(task(line), None, "{line}");
        }
    }

    #[test]
    fn a_task_that_ended_before_it_was_cancelled_is_no_failure() {
        let ended = "scancel: error: Kill job error on job id 32_1: Invalid job id specified";
        let denied = "scancel: error: Kill job error on job id 32_2: Access/permission denied";
        assert!(is_of_ended_tasks(&format!("scancel failed (exit status: 1): {ended}; {ended}")));
        assert!(!is_of_ended_tasks(&format!("scancel failed (exit status: 1): {ended}; {denied}")));
        assert!(!is_of_ended_tasks("scancel failed (signal: 9)"));
    }
}
