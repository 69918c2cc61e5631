//! `worker`: one run in a process of its own.

use crate::args::WorkerArgs;
use crate::campaign::StandIn;
use crate::{exit, say};
use anyhow::{Context, Result};
use experiment::{Device, Locked, RunConfig, Store};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use training::{Ending, Every, Files, News, Order, Place};

/// How long a worker that was told to stop may take for a last checkpoint. The runner's own patience is longer.
const GRACE: Duration = Duration::from_millis(1500);

/// How often progress is noted on disk.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);

pub(crate) fn worker(args: &WorkerArgs) -> Result<u8> {
    disk::fault::arm("worker");
    let stop = when_stdin_closes();
    let file = args.config.display().to_string();
    let text = std::fs::read_to_string(&args.config).with_context(|| format!("failed to read {file}"))?;
    let config = RunConfig::parse(&file, &text)?;
    // CUDA reserves more addresses than any machine has memory.
    if config.device == Device::Cpu {
        let limit = Rlimit { current: Some(args.memory), maximum: Some(args.memory) };
        setrlimit(Resource::As, limit).context("failed to limit this worker's memory")?;
    }
    let store = Store::open(&args.results, &args.paper)?;
    let result = train(args, &config, &store, &stop);
    match result {
        // Space may come back, and who is at the run will leave it.
        Err(error) if error.is::<disk::Error>() || error.is::<Locked>() => {
            eprintln!("error: {error:#}");
            Ok(exit::TRY_AGAIN)
        }
        result => result,
    }
}

fn train(args: &WorkerArgs, config: &RunConfig, store: &Store, stop: &AtomicBool) -> Result<u8> {
    let _claim = store.claim(config)?;
    let stamp = store.stamp(config);
    if stamp.is_some() && stamp != args.replaces {
        return Ok(exit::FINE);
    }
    let (record, checkpoints) = (store.record(config), store.checkpoints(config));
    let every = every(args.checkpoint_every);
    let place = Place {
        record: &record,
        checkpoints: Some((&checkpoints, every)),
        needed: args.needed.as_deref(),
        data: args.data.as_deref(),
    };
    let mut noted = Instant::now();
    let tell = |news| match news {
        News::Progress(progress) => {
            say(serde_json::to_string(&progress).unwrap_or_default());
            if noted.elapsed() >= NOTE_INTERVAL {
                noted = Instant::now();
                // For `status`, which can do without.
                let _ = store.note_progress(config, &progress);
            }
        }
        News::Note(note) => say(note),
    };
    let order = |_| if stop.load(Ordering::Relaxed) { Order::Stop } else { Order::GoOn };
    let ending = match &args.stand_in {
        None => training::train(config, &place, tell, order)?,
        Some(json) => {
            let StandIn { recipe, file, minari } = serde_json::from_str(json)?;
            let files = Files { d4rl: &file, minari };
            training::generate(&recipe, &files, &place, tell, order)?
        }
    };
    match ending {
        Ending::Finished => store.publish(config).map(|()| exit::FINE),
        Ending::Stopped => Ok(exit::STOPPED),
    }
}

/// When checkpoints are due, by the seconds of `--checkpoint-every`.
pub(crate) fn every(seconds: f64) -> Every {
    if seconds == 0.0 { Every::Steps(1) } else { Every::Time(Duration::from_secs_f64(seconds)) }
}

/// A flag that is set when standard input closes: the runner holds the other end, and wants us gone or is gone itself.
/// A run that does not stop by itself soon after is ended.
fn when_stdin_closes() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
        flag.store(true, Ordering::Relaxed);
        std::thread::sleep(GRACE);
        std::process::exit(i32::from(exit::STOPPED));
    });
    stop
}
