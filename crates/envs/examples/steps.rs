//! `cargo run --release -p envs --example steps [SECONDS] [ID …]`: environment steps per second on one thread with random
//! actions, and their share of what a bare loop of `mj_step` reaches with the same controls from the same states, in
//! turns. `tests/parity/record.py speed` prints the steps per second of Gymnasium.

use anyhow::Result;
use envs::{Action, Env, MujocoEnv};
use mujoco::Data;
use std::time::{Duration, Instant};
use streams::Stream;

/// Steps in a turn, at most: a termination ends it.
const TURN: usize = 200;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    let seconds = arguments.peek().and_then(|argument| argument.parse::<f64>().ok());
    if seconds.is_some() {
        arguments.next();
    }
    let mut ids: Vec<String> = arguments.collect();
    if ids.is_empty() {
        ids = envs::list().iter().map(|spec| spec.id.to_owned()).collect();
    }
    for id in ids {
        let (rate, share) = measure(&id, Duration::from_secs_f64(seconds.unwrap_or(2.0)))?;
        println!("{id:38} {rate:8.0} steps/s  {share:5.2} of the bare loop");
    }
    Ok(())
}

/// Steps per second, and the median over turns of the share.
fn measure(id: &str, limit: Duration) -> Result<(f64, f64)> {
    let mut env = MujocoEnv::new(id)?;
    // A task may write to its model, so the bare loop has another one.
    let twin = MujocoEnv::new(id)?;
    let mut bare = Data::new(twin.data().model())?;
    let spec = envs::info(id)?;
    let mut stream = Stream::new(0, "speed");
    let (mut spent, mut steps, mut shares) = (Duration::ZERO, 0.0, vec![]);
    while spent < limit {
        let mut draw = || stream.uniform_in(-spec.action_limit, spec.action_limit) as f32;
        let actions: Vec<f32> = (0..TURN * spec.action_dim).map(|_| draw()).collect();
        env.reset(&mut stream);
        let state = env.data().state();
        let mut controls = Vec::with_capacity(TURN * env.data().ctrl().len());
        let mut taken = 0.0;
        let start = Instant::now();
        for action in actions.chunks_exact(spec.action_dim) {
            let step = env.step(Action::F32(action));
            controls.extend_from_slice(env.data().ctrl());
            taken += 1.0;
            if step.terminated || step.truncated {
                break;
            }
        }
        let of_env = start.elapsed();
        bare.set_state(&state);
        let start = Instant::now();
        for control in controls.chunks_exact(bare.ctrl().len()) {
            bare.ctrl_mut().copy_from_slice(control);
            bare.step(spec.frame_skip);
        }
        shares.push(start.elapsed().as_secs_f64() / of_env.as_secs_f64());
        spent += of_env;
        steps += taken;
    }
    shares.sort_by(f64::total_cmp);
    Ok((steps / spent.as_secs_f64(), shares[shares.len() / 2]))
}
