//! `cargo run --release -p envs --example steps [SECONDS] [ID …]`: environment steps per second on one thread, with
//! random actions and resets. `tests/parity/record.py speed` prints the same for Gymnasium.

use anyhow::Result;
use envs::Action;
use std::time::Instant;
use streams::Stream;

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
        println!("{id:22} {:8.0} steps/s", steps_per_second(&id, seconds.unwrap_or(2.0))?);
    }
    Ok(())
}

fn steps_per_second(id: &str, seconds: f64) -> Result<f64> {
    let mut env = envs::make(id)?;
    let (limit, dim) = (env.spec().action_limit, env.spec().action_dim);
    let mut stream = Stream::new(0, "speed");
    let mut action = vec![0.0f32; dim];
    env.reset(&mut stream);
    let start = Instant::now();
    let mut steps = 0u32;
    while start.elapsed().as_secs_f64() < seconds {
        for _ in 0..100 {
            action.iter_mut().for_each(|a| *a = stream.uniform_in(-limit, limit) as f32);
            let step = env.step(Action::F32(&action));
            if step.terminated || step.truncated {
                env.reset(&mut stream);
            }
        }
        steps += 100;
    }
    Ok(f64::from(steps) / start.elapsed().as_secs_f64())
}
