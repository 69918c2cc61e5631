//! `env list|info|rollout`.

use crate::args::EnvVerb;
use crate::{exit, say, say_json};
use anyhow::Result;
use envs::Spec;

pub(crate) fn env(verb: &EnvVerb) -> Result<u8> {
    match verb {
        EnvVerb::List(args) if args.json => say_json(&envs::list())?,
        EnvVerb::List(_) => {
            say(format!(
                "{:20} {:>11} {:>6} {:>6} {:>6}",
                "environment", "observation", "action", "limit", "dt"
            ));
            for spec in envs::list() {
                let Spec { id, observation_dim, action_dim, action_limit, dt, .. } = spec;
                say(format!("{id:20} {observation_dim:>11} {action_dim:>6} {action_limit:>6} {dt:>6}"));
            }
        }
        EnvVerb::Info { id, json } => {
            let spec = envs::info(id)?;
            if json.json {
                say_json(spec)?;
            } else {
                say(describe(spec));
            }
        }
        EnvVerb::Rollout { env, input, output } => {
            let summary = envs::rollout_files(env, input, output)?;
            let envs::Summary { steps, episode_return, episode_length } = summary;
            say(format!(
                "{steps} steps written to {}; the first episode: {episode_length} steps, return {episode_return}",
                output.display()
            ));
        }
    }
    Ok(exit::FINE)
}

fn describe(spec: &Spec) -> String {
    format!(
        "{}\n  observation    {} numbers\n  action         {} numbers within ±{}\n  episode        {} steps of {} s \
         ({} simulator steps each)\n  ends early     {}\n  model          {}",
        spec.id,
        spec.observation_dim,
        spec.action_dim,
        spec.action_limit,
        spec.max_episode_steps,
        spec.dt,
        spec.frame_skip,
        spec.ends,
        spec.model
    )
}
