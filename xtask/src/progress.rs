//! What the user sees while runs go on: a line a worker on a terminal, plain lines elsewhere.

use engines::{Event, News, Outcome};
use experiment::{Progress, RunConfig};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// How often a run says where it is when the output is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) struct Display {
    names: Vec<String>,
    steps: Vec<u64>,
    done: Vec<u64>,
    /// The step at which each was first heard of: what came before is nobody's work here.
    first: Vec<Option<u64>>,
    speed: Vec<f64>,
    spoken: Vec<Instant>,
    ended: usize,
    began: Instant,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    workers: Vec<ProgressBar>,
    total: ProgressBar,
}

impl Display {
    pub(crate) fn new(runs: &[&RunConfig], workers: usize) -> Self {
        let name = |run: &&RunConfig| format!("{} {} seed {}", run.task, run.arm, run.seed);
        let names: Vec<String> = runs.iter().map(name).collect();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        Self {
            names: names.into_iter().map(|name| format!("{name:width$}")).collect(),
            steps: runs.iter().map(|run| run.steps).collect(),
            done: vec![0; runs.len()],
            first: vec![None; runs.len()],
            speed: vec![0.0; runs.len()],
            spoken: vec![Instant::now(); runs.len()],
            ended: 0,
            began: Instant::now(),
            bars: std::io::stderr().is_terminal().then(|| Bars::new(workers)),
        }
    }

    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::News(News::Started { worker, job }) => {
                self.spoken[*job] = Instant::now();
                match &self.bars {
                    Some(bars) => {
                        let bar = &bars.workers[*worker];
                        bar.reset();
                        bar.set_length(self.steps[*job]);
                        bar.set_prefix(self.names[*job].clone());
                        bar.set_message("starting");
                    }
                    None => self.tell(&format!("{}  started", self.names[*job])),
                }
            }
            Event::News(News::Line { worker, job, line }) => match serde_json::from_str::<Progress>(line) {
                Ok(progress) => self.advance(*worker, *job, &progress),
                Err(_) => self.tell(&format!("{}  {line}", self.names[*job])),
            },
            Event::News(News::Note(note)) => self.tell(note),
            // What that means is told next.
            Event::News(News::Ended { .. }) => {}
            Event::Held { job } => {
                self.tell(&format!("{}  another worker is at it: waiting for that", self.names[*job]));
            }
            Event::Again { job, how, stderr, after } => {
                let wait = if after.is_zero() { String::new() } else { format!(" in {} s", after.as_secs()) };
                let why = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
                self.tell(&format!("{}  {how}{why}; trying again{wait}", self.names[*job]));
            }
            Event::Ended { job, outcome } => {
                self.ended += 1;
                // What did not finish is no work that was done.
                let (left, finished) = (self.steps[*job] - self.done[*job], matches!(outcome, Outcome::Done));
                let first = self.first[*job].get_or_insert(self.done[*job]);
                *first += if finished { 0 } else { left };
                self.done[*job] = self.steps[*job];
                self.tell(&format!("{}  {}", self.names[*job], describe(outcome)));
                self.total();
            }
        }
    }

    fn advance(&mut self, worker: usize, job: usize, progress: &Progress) {
        self.done[job] = progress.step;
        self.first[job].get_or_insert(progress.step);
        // Smoothed: evaluations come in bursts.
        let before = if self.speed[job] == 0.0 { progress.steps_per_second } else { self.speed[job] };
        self.speed[job] = 0.9 * before + 0.1 * progress.steps_per_second;
        let left = (progress.steps - progress.step) as f64 / self.speed[job].max(1e-9);
        let message = format!(
            "return {:>8.1}  {:>6.0} steps/s  ETA {}",
            progress.last_return,
            self.speed[job],
            duration(left)
        );
        match &self.bars {
            Some(bars) => {
                bars.workers[worker].set_position(progress.step);
                bars.workers[worker].set_message(message);
                self.total();
            }
            None if self.spoken[job].elapsed() >= PLAIN_INTERVAL => {
                self.spoken[job] = Instant::now();
                self.tell(&format!(
                    "{}  step {}/{}  {message}",
                    self.names[job], progress.step, progress.steps
                ));
            }
            None => {}
        }
    }

    fn total(&self) {
        let Some(bars) = &self.bars else { return };
        let (done, all) = (self.done.iter().sum::<u64>(), self.steps.iter().sum::<u64>());
        let before =
            self.first.iter().zip(&self.done).map(|(first, done)| first.unwrap_or(*done)).sum::<u64>();
        let speed = done.saturating_sub(before) as f64 / self.began.elapsed().as_secs_f64();
        bars.total.set_length(all);
        bars.total.set_position(done);
        let left = if speed == 0.0 { "?".to_owned() } else { duration((all - done) as f64 / speed) };
        bars.total.set_message(format!("{}/{} runs  ETA {left}", self.ended, self.names.len()));
    }

    /// How far a run was when it was last heard of.
    pub(crate) fn step_of(&self, job: usize) -> u64 {
        self.done[job]
    }

    /// Prints a line that stays.
    pub(crate) fn tell(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.workers.iter().chain([&bars.total]).for_each(ProgressBar::finish_and_clear);
        }
    }
}

impl Bars {
    fn new(workers: usize) -> Self {
        let all = MultiProgress::new();
        let style = |template: &str| ProgressStyle::with_template(template).expect("the template is fixed");
        let bar = |template: &str| {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(style(template).progress_chars("━╸ "));
            bar
        };
        let workers = (0..workers).map(|_| bar("{prefix} {bar:16} {human_pos:>9} {msg}")).collect();
        let total = bar("{bar:30} {percent:>3} %  {msg}");
        Self { all, workers, total }
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "finished".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
        Outcome::Skipped => "not started: the run that it needs failed".to_owned(),
        Outcome::Failed { what, .. } => format!("failed: {what}"),
    }
}

/// Seconds as people say them.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) if m < 10 => format!("{m} min {s:02} s"),
        (0, m, _) => format!("{m} min"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}
