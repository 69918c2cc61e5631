//! The training loop.

use crate::expert::sha256;
use crate::keeper::{Every, Keeper};
use crate::log::Log;
use crate::session::Session;
use anyhow::{Context, Result};
use experiment::{Progress, RunConfig, State, Status};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a run has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// How far it is.
    Progress(Progress),
    /// That it goes on from a checkpoint, or cannot.
    Note(String),
}

/// What a run is to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next step.
    GoOn,
    /// A last checkpoint, then stop.
    Stop,
    /// Stop as a kill would, for tests.
    Drop,
}

/// How a run that met no error ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As planned, its record written.
    Finished,
    /// By order.
    Stopped,
}

/// Where a run finds and leaves things.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder of its record, made at the end.
    pub record: &'a Path,
    /// The folder of its checkpoints and when to make them; without one, a run that is stopped is lost.
    pub checkpoints: Option<(&'a Path, Every)>,
    /// The directory of the recorded run that this one needs, if one: the expert's, or the one whose networks it starts
    /// from.
    pub needed: Option<&'a Path>,
    /// The file of the data set that it learns from, if from one.
    pub data: Option<&'a Path>,
}

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Trains the run `config`, from its last checkpoint if there is one that this program made, and writes its record.
/// The record's bytes do not depend on how often the run was stopped or killed on the way.
///
/// # Errors
/// If the simulator or the expert cannot be had, a loss or an observation is not finite, or the record cannot be
/// written. A checkpoint that cannot be written is a note; the run goes on.
pub fn train(
    config: &RunConfig,
    place: &Place<'_>,
    tell: impl FnMut(News),
    order: impl FnMut(u64) -> Order,
) -> Result<Ending> {
    let Some((mut session, resumptions)) = to_the_end(config, place, tell, order)? else {
        return Ok(Ending::Stopped);
    };
    record(&mut session, place.record, resumptions)?;
    Ok(Ending::Finished)
}

/// Trains the run `config` as [`train`] does: the trained session, and how often it was taken up again; nothing if it was
/// stopped.
pub(crate) fn to_the_end<'a>(
    config: &'a RunConfig,
    place: &Place<'_>,
    mut tell: impl FnMut(News),
    mut order: impl FnMut(u64) -> Order,
) -> Result<Option<(Session<'a>, u64)>> {
    let make = || Session::new(config, place);
    let warned_before = mujoco::warnings().count;
    let (mut keeper, mut session) = match place.checkpoints {
        Some((folder, every)) => {
            let (keeper, session) = Keeper::open(folder, every, &make, &mut |note| tell(News::Note(note)))?;
            (Some(keeper), session)
        }
        None => (None, make()?),
    };
    let mut told = (Instant::now(), session.t);
    loop {
        if session.t.is_multiple_of(config.evaluation.every) {
            let evaluation = Instant::now();
            let has_reached_its_goal = session.evaluate()?;
            // The speed that is told is training's: a pause to evaluate is none of its slowness.
            told.0 += evaluation.elapsed();
            if has_reached_its_goal {
                break;
            }
        }
        if session.t == config.steps {
            break;
        }
        session.step()?;
        if told.0.elapsed() >= PROGRESS_INTERVAL {
            tell(News::Progress(Progress {
                step: session.t,
                steps: config.steps,
                last_return: session.log.last_return,
                steps_per_second: (session.t - told.1) as f64 / told.0.elapsed().as_secs_f64(),
            }));
            told = (Instant::now(), session.t);
        }
        let order = order(session.t);
        if let Some(keeper) =
            keeper.as_mut().filter(|keeper| order == Order::Stop || keeper.is_due(session.t))
        {
            keeper.save(&mut session, &mut |note| tell(News::Note(note)))?;
        }
        if order != Order::GoOn {
            return Ok(None);
        }
    }
    let mujoco::Warnings { count, last } = mujoco::warnings();
    if count > warned_before {
        // As with Gymnasium, which has it in a log of its own: what the simulator sets back goes on.
        let last = last.unwrap_or_default();
        tell(News::Note(format!("MuJoCo warned {} times, last: {last}", count - warned_before)));
    }
    Ok(Some((session, keeper.map_or(0, |keeper| keeper.starts_before()))))
}

/// Writes the run's record into `directory`, `status.toml` last.
pub(crate) fn record(session: &mut Session<'_>, directory: &Path, resumptions: u64) -> Result<()> {
    disk::remove(directory)?;
    disk::create_folder(directory)?;
    let write = |name: &str, bytes: &[u8]| disk::replace(&directory.join(name), bytes);
    write("config.toml", session.config.to_toml().as_bytes())?;
    write("provenance.toml", session.provenance.as_bytes())?;
    let Log { evaluations, training, .. } = &session.log;
    write("evals.csv", evaluations.as_bytes())?;
    write("train.csv", training.as_bytes())?;
    let networks = session.config.leaves_networks.then(|| session.networks()).transpose()?;
    if let Some(networks) = &networks {
        write("networks.safetensors", networks)?;
    }
    if let Some(scene) = session.scene()? {
        write("scene.csv", scene.to_csv().as_bytes())?;
    }
    if let Some(goal) = &session.config.expert {
        let kept = session.kept.as_ref().context("no policy was kept of an expert's run")?;
        let (weights, score) = kept.score(&mut *session.test_env, goal, session.config.seed)?;
        write("policy.safetensors", &weights)?;
        write("expert.toml", toml::to_string(&score)?.as_bytes())?;
    }
    write("timing.toml", toml::to_string(&session.clock.timing(resumptions))?.as_bytes())?;
    let status = Status {
        state: State::Finished,
        steps: session.t,
        updates: session.updates,
        networks_sha256: networks.as_deref().map(sha256),
        tries: None,
        error: None,
    };
    Ok(write("status.toml", toml::to_string(&status)?.as_bytes())?)
}
