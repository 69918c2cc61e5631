//! Stand-ins for data sets: what an agent does that was trained in the environment itself.

use crate::episodes::observe;
use crate::run::{Ending, News, Order, Place, record, to_the_end};
use crate::session::Session;
use anyhow::Result;
use datasets::{MinariAbout, Recorder, Step};
use envs::Action;
use experiment::{Behaviour, Provenance, Recipe, Rows};
use serde::Serialize;
use std::path::Path;
use streams::Stream;

/// What the side-car says of where a stand-in comes from.
#[derive(Serialize)]
struct Origin<'a> {
    /// See [`Recipe::digest`].
    digest: String,
    /// The mean return of the agent's last evaluation.
    last_return: f64,
    recipe: &'a Behaviour,
    trained_by: Provenance,
}

/// Where a stand-in is written.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The file in D4RL's layout, `…/gen/NAME.hdf5`.
    pub d4rl: &'a Path,
    /// Whether the folder `…/gen/NAME` gets it in Minari's layout too.
    pub minari: bool,
}

/// Makes the stand-in of `recipe`: trains its agent as [`crate::train`] does, from the last checkpoint at `place` if there
/// is one, and writes what `recipe` wants of its steps to `files`, with a side-car, and the run's record. The same program
/// makes the same bytes.
///
/// # Errors
/// As [`crate::train`], and if the file cannot be written.
pub fn generate(
    recipe: &Behaviour,
    files: &Files<'_>,
    place: &Place<'_>,
    tell: impl FnMut(News),
    order: impl FnMut(u64) -> Order,
) -> Result<Ending> {
    let Some((mut session, resumptions)) = to_the_end(&recipe.behaviour, place, tell, order)? else {
        return Ok(Ending::Stopped);
    };
    let recorder = match recipe.rows {
        Rows::Replay => replayed(&session),
        Rows::Trained(rows) => played(&mut session, rows)?,
    };
    let origin = Origin {
        digest: Recipe::Behaviour(recipe.clone()).digest().to_string(),
        last_return: session.log.last_return,
        recipe,
        trained_by: toml::from_str(&session.provenance)?,
    };
    if let Some(folder) = files.d4rl.parent() {
        disk::create_folder(folder)?;
    }
    if files.minari {
        let about = MinariAbout {
            id: &recipe.id,
            algorithm: "SAC",
            description: "A stand-in: what an agent does that was trained in this environment. Not a published data set.",
            action_limit: session.test_env.spec().action_limit as f32,
        };
        recorder.write_minari(&files.d4rl.with_extension(""), &about, &origin)?;
    }
    recorder.write_d4rl(files.d4rl, true, &origin)?;
    record(&mut session, place.record, resumptions)?;
    Ok(Ending::Finished)
}

/// The steps of training.
fn replayed(session: &Session<'_>) -> Recorder {
    let (replay, spec) = (&session.replay, session.test_env.spec());
    let mut recorder = Recorder::new((spec.observation_dim, spec.action_dim), Vec::new());
    for i in 0..replay.len() {
        let step = replay.transition(i);
        let terminal = step.not_terminal == 0.0;
        recorder.push(&Step {
            observation: step.observation,
            action: step.action,
            reward: step.reward,
            terminal,
            timeout: !terminal && !replay.is_followed(i),
            next_observation: step.next_observation,
            extras: &[],
        });
    }
    recorder
}

/// `rows` steps of the trained agent, exploring, from fresh starts.
fn played(session: &mut Session<'_>, rows: usize) -> Result<Recorder> {
    let (env, agent) = (&mut *session.test_env, &mut *session.agent);
    let (observation_dim, action_dim) = (env.spec().observation_dim, env.spec().action_dim);
    let mut recorder = Recorder::new((observation_dim, action_dim), Vec::new());
    let mut starts = Stream::new(session.config.seed, "generate");
    let (mut s, mut next_s, mut a) = (Vec::new(), Vec::new(), vec![0.0; action_dim]);
    env.reset(&mut starts);
    observe(env, &mut s);
    while recorder.len() < rows {
        agent.explore(session.config.steps, &s, &mut a)?;
        let step = env.step(Action::F32(&a));
        observe(env, &mut next_s);
        let is_last = recorder.len() + 1 == rows;
        let terminal = step.terminated && !step.truncated;
        recorder.push(&Step {
            observation: &s,
            action: &a,
            reward: step.reward as f32,
            terminal,
            timeout: !terminal && (step.truncated || is_last),
            next_observation: &next_s,
            extras: &[],
        });
        if step.terminated || step.truncated {
            env.reset(&mut starts);
            observe(env, &mut s);
        } else {
            std::mem::swap(&mut s, &mut next_s);
        }
    }
    Ok(recorder)
}
