//! `cargo run --release -p envs --example rollout -- ID INPUT.npz OUTPUT.npz`: see `envs::rollout_files`.

use anyhow::{Result, bail};
use std::path::Path;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [id, input, output] = arguments.as_slice() else { bail!("expected ID INPUT.npz OUTPUT.npz") };
    let summary = envs::rollout_files(id, Path::new(input), Path::new(output))?;
    println!("{} steps, return {}", summary.steps, summary.episode_return);
    Ok(())
}
