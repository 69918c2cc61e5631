//! A pool of processes on this machine.

use crate::process::{self, Line, Running};
use crate::{Engine, How, News};
use anyhow::Result;
use std::collections::VecDeque;
use std::process::Command;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// A pool of processes. A job is a command; it may abort, hang up or eat memory, and its neighbours go on. Its standard
/// input is a pipe that closes when it must stop.
pub struct Pool {
    commands: Vec<Command>,
    /// A job that prints nothing for so long hangs, and is killed.
    patience: Duration,
    queue: VecDeque<usize>,
    workers: Vec<Option<Running>>,
    sender: SyncSender<Line>,
    lines: Receiver<Line>,
}

/// How long a job may take to stop by itself.
const GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);
/// Lines that wait to be handed on; a job that prints faster waits.
const LINES: usize = 1024;

impl Pool {
    /// A pool that runs at most `workers` of `commands` at a time. One that prints nothing for as long as `patience`
    /// hangs, and is killed.
    #[must_use]
    pub fn new(commands: Vec<Command>, workers: usize, patience: Duration) -> Self {
        let (sender, lines) = sync_channel(LINES);
        let workers = (0..workers.max(1)).map(|_| None).collect();
        Self { commands, patience, queue: VecDeque::new(), workers, sender, lines }
    }

    /// How a worker's job ended, if it has.
    fn ended(running: &mut Running, patience: Duration) -> Option<How> {
        if running.heard.elapsed() >= patience {
            running.kill();
            return Some(How::Hung(patience));
        }
        running.exited().map(How::from)
    }

    /// Closes every job's standard input, waits for [`GRACE`], then kills those that still run.
    fn halt(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        let mut running: Vec<Running> = self.workers.iter_mut().filter_map(Option::take).collect();
        running.iter_mut().for_each(Running::close_input);
        let deadline = Instant::now() + GRACE;
        while !running.is_empty() && Instant::now() < deadline {
            hand_on(&self.lines, &mut [], &mut news);
            running.retain_mut(|running| running.exited().is_none());
        }
        running.iter_mut().for_each(Running::kill);
        news
    }
}

impl Engine for Pool {
    fn submit(&mut self, jobs: &[usize]) -> Result<()> {
        self.queue.extend(jobs);
        Ok(())
    }

    fn poll(&mut self) -> Result<Vec<News>> {
        let mut news = Vec::new();
        for (worker, slot) in self.workers.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let Some(job) = self.queue.pop_front() else { break };
            *slot = Some(process::start(&mut self.commands[job], job, worker, &self.sender)?);
            news.push(News::Started { worker, job });
        }
        hand_on(&self.lines, &mut self.workers, &mut news);
        for slot in &mut self.workers {
            let Some(how) = slot.as_mut().and_then(|running| Self::ended(running, self.patience)) else {
                continue;
            };
            let running = slot.take().expect("it is there");
            let job = running.job;
            let stderr = running.conclude(|| hand_on(&self.lines, &mut [], &mut news));
            hand_on(&self.lines, &mut [], &mut news);
            news.push(News::Ended { job, how, stderr });
        }
        Ok(news)
    }

    fn cancel(&mut self) -> Result<Vec<News>> {
        self.queue.clear();
        Ok(self.halt())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Hands lines on for [`POLL`].
fn hand_on(lines: &Receiver<Line>, workers: &mut [Option<Running>], news: &mut Vec<News>) {
    let deadline = Instant::now() + POLL;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((worker, job, line)) = lines.recv_timeout(left) else { return };
        if let Some(Some(running)) = workers.get_mut(worker) {
            running.heard = Instant::now();
        }
        news.push(News::Line { worker, job, line });
        if left.is_zero() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Outcome, Standing, Wanted, reconcile};
    use std::fs;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Jobs of a folder: one that ends well leaves a file of its number there, which is its record.
    struct Jobs {
        folder: tempfile::TempDir,
        commands: Vec<Command>,
        needs: Vec<Option<usize>>,
    }

    impl Jobs {
        fn new(scripts: &[(&str, Option<usize>)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let command = |(job, (script, _)): (usize, &(&str, Option<usize>))| {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{script}\ntouch {job}")]).current_dir(&folder);
                command
            };
            let commands = scripts.iter().enumerate().map(command).collect();
            Self { commands, needs: scripts.iter().map(|(_, needs)| *needs).collect(), folder }
        }

        fn run(
            self,
            workers: usize,
            patience: Duration,
            tries: u32,
            stop: &AtomicBool,
            observe: impl FnMut(Event<'_>),
        ) -> Result<Vec<Outcome>> {
            let look = |job| look(self.folder.path(), job);
            let wanted = Wanted { needs: self.needs, look: &look, tries };
            reconcile(&mut Pool::new(self.commands, workers, patience), &wanted, stop, observe)
        }

        fn outcomes(self, workers: usize, patience: Duration, tries: u32) -> (Vec<Outcome>, Vec<String>) {
            let mut lines = Vec::new();
            let outcomes = self.run(workers, patience, tries, &AtomicBool::new(false), |event| {
                if let Event::News(News::Line { line, .. }) = event {
                    lines.push(line.clone());
                }
            });
            (outcomes.unwrap(), lines)
        }
    }

    fn look(folder: &Path, job: usize) -> Standing {
        let is_there = |name: String| folder.join(name).exists();
        match () {
            () if is_there(job.to_string()) => Standing::Recorded,
            () if is_there(format!("{job}.held")) => Standing::Held,
            () if is_there(format!("{job}.failed")) => Standing::Failed("noted".to_owned()),
            () => Standing::Open,
        }
    }

    fn failed(what: &str, tries: u32) -> Outcome {
        Outcome::Failed { what: what.to_owned(), tries }
    }

    #[test]
    fn jobs_end_each_in_its_own_way() {
        let jobs = Jobs::new(&[
            ("echo a", None),
            ("echo why >&2; exit 3", None),
            ("echo again; kill -9 $$", None),
            ("echo never", Some(1)),
            ("echo after", Some(0)),
            ("yes flood | head -n 200000 >&2", None),
            ("ulimit -c 0; echo once; kill -ABRT $$", None),
            ("head -c 200000 /dev/zero | tr '\\0' x", None),
            ("exit 0", None),
            ("touch 9.failed; kill -9 $$", None),
        ]);
        let (outcomes, mut lines) = jobs.outcomes(2, PATIENCE, 3);
        let expected = [
            Outcome::Done,
            failed("exit code 3: why", 1),
            failed("killed by signal 9, the last of 3 tries", 3),
            Outcome::Skipped,
            Outcome::Done,
            Outcome::Done,
            failed("killed by signal 6", 1),
            Outcome::Done,
            failed("exit code 0, but it left no record", 1),
            failed("noted", 1),
        ];
        assert_eq!(outcomes, expected);
        lines.sort();
        let long = lines.split_off(6);
        assert_eq!(lines, ["a", "after", "again", "again", "again", "once"]);
        assert_eq!(long.concat().len(), 200_000, "a line without an end comes in pieces");
    }

    #[test]
    fn what_may_pass_is_tried_again_until_it_has() {
        let jobs = Jobs::new(&[("echo x >> tries; test $(wc -l < tries) = 3 || kill -9 $$", None)]);
        let mut again = 0;
        let outcomes = jobs.run(1, PATIENCE, 3, &AtomicBool::new(false), |event| {
            again += usize::from(matches!(event, Event::Again { how: How::Killed(9), .. }));
        });
        assert_eq!((outcomes.unwrap(), again), (vec![Outcome::Done], 2));
    }

    #[test]
    fn what_is_there_is_not_done_again_and_what_someone_is_at_is_waited_for() {
        let jobs = Jobs::new(&[("echo never", None), ("echo later", None), ("echo after", Some(0))]);
        let folder = jobs.folder.path().to_owned();
        fs::write(folder.join("0"), "").unwrap();
        fs::write(folder.join("1.held"), "").unwrap();
        let (mut held, mut lines) = (0, Vec::new());
        let outcomes = jobs.run(2, PATIENCE, 1, &AtomicBool::new(false), |event| match event {
            Event::Held { job } => {
                held += 1;
                fs::remove_file(folder.join(format!("{job}.held"))).unwrap();
            }
            Event::News(News::Line { line, .. }) => lines.push(line.clone()),
            _ => {}
        });
        assert_eq!(outcomes.unwrap(), [Outcome::Done, Outcome::Done, Outcome::Done]);
        assert_eq!((held, lines), (1, vec!["after".to_owned(), "later".to_owned()]));
    }

    #[test]
    fn a_silent_job_is_killed_with_all_that_it_started_and_a_slow_one_is_not() {
        let jobs = Jobs::new(&[
            ("sleep 1000 & echo pid $!; sleep 1001", None),
            ("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done", None),
        ]);
        let (outcomes, lines) = jobs.outcomes(2, Duration::from_millis(600), 2);
        let hung = failed("killed after 0 s without a word, the last of 2 tries", 2);
        assert_eq!(outcomes, [hung, Outcome::Done]);
        let started: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("pid ")).collect();
        assert_eq!((lines.len(), started.len()), (8, 2));
        for pid in started {
            // Nobody may have asked yet how it ended.
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            assert!(state.is_empty() || state.contains(") Z "), "{state}");
        }
    }

    #[test]
    fn what_a_job_leaves_behind_does_not_hold_the_others_up() {
        let began = Instant::now();
        let (outcomes, _) = Jobs::new(&[("sleep 5 &", None)]).outcomes(1, PATIENCE, 1);
        assert_eq!(outcomes, [Outcome::Done]);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[test]
    fn a_stop_ends_the_willing_and_the_unwilling() {
        let stop = AtomicBool::new(false);
        let jobs = Jobs::new(&[
            ("echo up; cat > /dev/null; exit 1", None),
            ("trap '' TERM; echo up; while :; do sleep 1; done", None),
            ("echo never", None),
        ]);
        let began = Instant::now();
        let mut up = 0;
        let outcomes = jobs.run(2, PATIENCE, 1, &stop, |event| {
            if let Event::News(News::Line { line, .. }) = event {
                assert_eq!(line, "up");
                up += 1;
                stop.store(up == 2, Ordering::Relaxed);
            }
        });
        assert_eq!(outcomes.unwrap(), [Outcome::Stopped, Outcome::Stopped, Outcome::Stopped]);
        assert!(began.elapsed() < GRACE + Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let mut jobs = Jobs::new(&[("", None)]);
        jobs.commands = vec![Command::new("/nowhere/at-all")];
        let error = jobs.run(1, PATIENCE, 1, &AtomicBool::new(false), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "failed to start /nowhere/at-all");
    }
}
