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
                "{:38} {:>11} {:>6} {:>6} {:>6}",
                "environment", "observation", "action", "limit", "dt"
            ));
            for spec in envs::list() {
                let Spec { id, observation_dim, action_dim, action_limit, dt, .. } = spec;
                say(format!("{id:38} {observation_dim:>11} {action_dim:>6} {action_limit:>6} {dt:>6}"));
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
    let goal = match spec.goal_dim {
        0 => String::new(),
        n => format!("\n  goal           {n} numbers, drawn at a reset"),
    };
    let scores = spec.reference_returns.map_or_else(String::new, |[zero, one]| {
        format!("\n  score          0 is a return of {zero}, 1 one of {one}")
    });
    format!(
        "{}\n  package        {}\n  observation    {} numbers\n  action         {} numbers within ±{}{goal}\n  episode        {} steps of {} s \
         ({} simulator steps each)\n  ends early     {}{scores}\n  model          {}",
        spec.id,
        spec.package,
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
