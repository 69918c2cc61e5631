//! Slurm: jobs as the tasks of arrays.
//!
//! An array is known by its name, which nothing else bears: job ids are lost and given out again when a controller
//! loses its memory, so they are kept for people alone. Whether a task is there is what `squeue` says of that name.

mod client;
mod script;

pub use client::{requeue, this_task};
pub use script::user_lines;

use crate::{Engine, How, News};
use anyhow::Result;
use client::{Client, Request, Task};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Jobs that are one array.
pub struct Batch {
    /// A name of its own, [`Batch::name`].
    pub name: String,
    /// A folder that every node sees. What the task `i` prints comes into `i.log`.
    pub folder: PathBuf,
    /// What a task executes, before its index.
    pub command: Vec<String>,
    /// What the tasks are, by index; `None` where nobody wants it any more.
    pub jobs: Vec<Option<usize>>,
}

impl Batch {
    /// A name that nothing else bears.
    #[must_use]
    pub fn name() -> String {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}{:x}-{:x}", client::OURS, at.as_nanos(), std::process::id())
    }
}

/// Jobs as the tasks of arrays.
pub struct Slurm<'a> {
    client: Client,
    /// `#SBATCH` lines.
    lines: Vec<String>,
    /// Tasks of an array at a time.
    throttle: Option<u16>,
    lay_out: &'a dyn Fn(&[usize]) -> Result<Batch>,
    batches: Vec<Batch>,
    /// Jobs that are to become tasks.
    queue: Vec<usize>,
    /// Jobs that are tasks, as far as is known.
    tasks: BTreeSet<usize>,
    /// Those of them that the last answer did not have: one that is requeued is out of sight for an instant.
    missing: BTreeSet<usize>,
    /// Whether anything was submitted yet. Before, what goes wrong is the user's to mend.
    has_submitted: bool,
    next: Instant,
    pause: Duration,
    told: (String, Option<Instant>),
}

/// How long the queue is let alone; longer and longer while nothing happens.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What the caller waits at most.
const POLL: Duration = Duration::from_millis(50);
/// How often the same kind of thing is told.
const TELL: Duration = Duration::from_secs(30);
/// How much of a log is told.
const TAIL: u64 = 4096;

impl<'a> Slurm<'a> {
    /// Slurm, as this machine reaches it. `known` are the arrays of before, some of which may still be there; `lay_out`
    /// makes the folder of a new one, with all that its tasks need to know.
    ///
    /// # Errors
    /// If there is no Slurm.
    pub fn new(
        lines: Vec<String>,
        throttle: Option<u16>,
        known: Vec<Batch>,
        lay_out: &'a dyn Fn(&[usize]) -> Result<Batch>,
    ) -> Result<Self> {
        Ok(Self {
            client: Client::new()?,
            lines,
            throttle,
            lay_out,
            batches: known,
            queue: Vec::new(),
            tasks: BTreeSet::new(),
            missing: BTreeSet::new(),
            has_submitted: false,
            next: Instant::now(),
            pause: PAUSE,
            told: (String::new(), None),
        })
    }

    /// Submits `groups`, each to begin when all jobs of those before it have ended, and `last`, one job, to begin when
    /// all have. Nobody needs to wait for them. `tell` hears of each in words, once it is there.
    ///
    /// # Errors
    /// If Slurm does not take them.
    pub fn leave(&mut self, groups: &[Vec<usize>], last: &Batch, tell: &mut dyn FnMut(String)) -> Result<()> {
        let tasks = self.ask()?;
        let mut after: Vec<String> = Vec::new();
        for group in groups {
            let (there, new): (Vec<usize>, Vec<usize>) =
                group.iter().copied().partition(|job| tasks.contains_key(job));
            already(there.len()).into_iter().for_each(&mut *tell);
            let mut ids = Vec::new();
            for chunk in new.chunks(self.client.max_array_size) {
                ids.push(self.send(chunk, &after, ids.last(), tell)?);
            }
            after.extend(ids);
            after.extend(there.iter().map(|job| tasks[job].id.clone()));
        }
        if self.has_submitted {
            let script = script::of(&self.lines, &last.command, None);
            let request =
                Request { name: &last.name, folder: &last.folder, log: "log", array: None, after: &after };
            let id = self.client.submit(&request, &script)?;
            tell(format!("Slurm job {id} follows them"));
        }
        Ok(())
    }

    /// The folders of arrays of which no task is left.
    ///
    /// # Errors
    /// If Slurm does not answer.
    pub fn folders_left(&self) -> Result<Vec<PathBuf>> {
        let names: BTreeSet<String> = self.client.tasks()?.into_iter().map(|task| task.name).collect();
        let left = self.batches.iter().filter(|batch| !names.contains(&batch.name));
        Ok(left.map(|batch| batch.folder.clone()).collect())
    }

    /// Which jobs are tasks now.
    fn ask(&self) -> Result<BTreeMap<usize, Task>> {
        let tasks = self.client.tasks()?;
        let job = |task: &Task| {
            let batch = self.batches.iter().find(|batch| batch.name == task.name)?;
            *batch.jobs.get(task.index)?
        };
        Ok(tasks.into_iter().filter_map(|task| Some((job(&task)?, task))).collect())
    }

    /// Submits jobs as one array, to begin after jobs that ended and, where there is a throttle, after the array
    /// `before`, so that it holds for both together. Returns its id.
    fn send(
        &mut self,
        jobs: &[usize],
        after: &[String],
        before: Option<&String>,
        tell: &mut dyn FnMut(String),
    ) -> Result<String> {
        let batch = (self.lay_out)(jobs)?;
        let script = script::of(&self.lines, &batch.command, Some("SLURM_ARRAY_TASK_ID"));
        let after: Vec<String> =
            after.iter().chain(before.filter(|_| self.throttle.is_some())).cloned().collect();
        let throttle = self.throttle.map_or(String::new(), |most| format!("%{most}"));
        let array = format!("0-{}{throttle}", jobs.len() - 1);
        let request = Request {
            name: &batch.name,
            folder: &batch.folder,
            log: "%a.log",
            array: Some(&array),
            after: &after,
        };
        let submitted = self.client.submit(&request, &script);
        // An answer that got lost is no reason to submit it twice.
        let id =
            submitted.or_else(|error| self.client.id_of(&batch.name).ok_or(error)).inspect_err(|_| {
                let _ = disk::remove(&batch.folder);
            })?;
        tell(format!("Slurm job {id}: {} runs; what they print: {}", jobs.len(), batch.folder.display()));
        // Nothing but people reads it.
        if let Err(error) = self.note(&batch.folder, &id) {
            tell(error.to_string());
        }
        self.batches.push(batch);
        self.has_submitted = true;
        Ok(id)
    }

    /// Notes for people which job it became.
    fn note(&self, folder: &Path, id: &str) -> disk::Result<()> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = format!(
            "# Hints: a controller may lose ids, and give them out again.\njob = {id:?}\ncluster = {:?}\nsubmitted = {at}\n",
            self.client.cluster
        );
        disk::replace(&folder.join("submitted.toml"), text.as_bytes())
    }

    /// Compares what is there with what should be.
    fn look(&mut self, news: &mut Vec<News>) -> Result<()> {
        let now = self.ask()?;
        let missing = self.tasks.iter().copied().filter(|job| !now.contains_key(job));
        let (gone, missing): (BTreeSet<usize>, BTreeSet<usize>) =
            missing.partition(|job| self.missing.contains(job));
        self.missing = missing;
        for job in gone {
            self.tasks.remove(&job);
            news.push(News::Ended { job, how: How::Gone, stderr: self.log(job) });
        }
        let (there, new): (Vec<usize>, Vec<usize>) =
            std::mem::take(&mut self.queue).into_iter().partition(|job| now.contains_key(job));
        self.tasks.extend(&there);
        news.extend(already(there.len()).map(News::Note));
        self.queue = new;
        let mut before = None;
        while !self.queue.is_empty() {
            let chunk: Vec<usize> = self.queue.iter().copied().take(self.client.max_array_size).collect();
            before = Some(self.send(&chunk, &[], before.as_ref(), &mut |line| news.push(News::Note(line)))?);
            self.queue.drain(..chunk.len());
            self.tasks.extend(chunk);
        }
        let mine = now.iter().filter(|(job, _)| self.tasks.contains(job)).map(|(_, task)| task);
        let counts = counts(mine);
        if !counts.is_empty() {
            self.tell(counts, news);
        }
        Ok(())
    }

    /// Tells it, unless it was the last thing told, or too much is told.
    fn tell(&mut self, text: String, news: &mut Vec<News>) {
        let (last, at) = &self.told;
        if *last == text || at.is_some_and(|at| at.elapsed() < TELL) {
            return;
        }
        self.told = (text.clone(), Some(Instant::now()));
        news.push(News::Note(text));
    }

    /// The end of what a job's last task printed.
    fn log(&self, job: usize) -> String {
        let path = self.batches.iter().rev().find_map(|batch| {
            let index = batch.jobs.iter().position(|other| *other == Some(job))?;
            Some(batch.folder.join(format!("{index}.log")))
        });
        let Some(path) = path else { return String::new() };
        match tail(&path) {
            Ok(text) if !text.is_empty() => text,
            _ => format!(
                "there is nothing in {}: did it start, and is that folder one that every node sees?",
                path.display()
            ),
        }
    }
}

impl Engine for Slurm<'_> {
    fn submit(&mut self, jobs: &[usize]) -> Result<()> {
        self.queue.extend(jobs);
        self.next = Instant::now();
        Ok(())
    }

    fn poll(&mut self) -> Result<Vec<News>> {
        let mut news = Vec::new();
        let left = self.next.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            std::thread::sleep(left.min(POLL));
            return Ok(news);
        }
        let before = (self.tasks.len(), self.queue.len());
        match self.look(&mut news) {
            Err(error) if !self.has_submitted => return Err(error),
            Err(error) => {
                self.tell(format!("asking again, jobs go on meanwhile: {error:#}"), &mut news);
            }
            Ok(()) => {}
        }
        let has_changed = before != (self.tasks.len(), self.queue.len()) || !self.missing.is_empty();
        self.pause = if has_changed { PAUSE } else { (self.pause * 3 / 2).min(LONGEST_PAUSE) };
        self.next = Instant::now() + self.pause;
        Ok(news)
    }

    fn cancel(&mut self) -> Result<Vec<News>> {
        self.queue.clear();
        let cancelled = self.ask().and_then(|now| {
            let mine = now.into_iter().filter(|(job, _)| self.tasks.contains(job)).map(|(_, task)| task);
            let mine: Vec<Task> = mine.collect();
            self.client.cancel(&mine).map(|()| mine.len())
        });
        Ok(vec![News::Note(match cancelled {
            Ok(0) => "no run was with Slurm".to_owned(),
            Ok(count) => format!("{count} Slurm tasks are cancelled; each puts a last checkpoint away"),
            Err(error) => format!(
                "{} Slurm tasks could not be cancelled and go on; the same command finds them again: {error:#}",
                self.tasks.len()
            ),
        })])
    }
}

fn already(count: usize) -> Option<String> {
    (count > 0).then(|| format!("{count} runs are with Slurm already"))
}

/// How many tasks run, and how many wait for what.
fn counts<'a>(tasks: impl Iterator<Item = &'a Task>) -> String {
    let (mut running, mut waiting, mut reasons) = (0, 0, BTreeSet::new());
    for task in tasks {
        if task.state == "PENDING" {
            waiting += 1;
            reasons.insert(task.reason.as_str());
        } else {
            running += 1;
        }
    }
    reasons.remove("None");
    let reasons: Vec<&str> = reasons.into_iter().collect();
    match (running, waiting) {
        (0, 0) => String::new(),
        (_, 0) => format!("Slurm: {running} running"),
        _ if reasons.is_empty() => format!("Slurm: {running} running, {waiting} waiting"),
        _ => format!("Slurm: {running} running, {waiting} waiting ({})", reasons.join(", ")),
    }
}

fn tail(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
