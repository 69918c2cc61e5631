//! Experts: which policy of a run is kept, how it is scored, and how its weights lie on disk.

use crate::episodes;
use agents::{Actor, Weights};
use anyhow::{Context, Result, anyhow};
use candle_core::Device;
use diagnostics::BadInput;
use envs::Env;
use experiment::{Expert, ExpertGoal, Measure, Run};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use state::Archive;
use std::fs;
use std::path::Path;
use streams::Stream;

/// The policy whose evaluation lies nearest to the goal so far.
pub(crate) struct Candidate {
    pub(crate) step: u64,
    pub(crate) mean: f64,
    pub(crate) weights: Weights,
}

impl Candidate {
    /// Whether an evaluation of `mean` lies nearer to the goal than this. The earlier policy keeps a tie.
    pub(crate) fn is_further_than(&self, mean: f64, goal: &ExpertGoal) -> bool {
        (mean - goal.goal).abs() < (self.mean - goal.goal).abs()
    }

    /// The policy's weights as a safetensors file, and its score by `goal.score_episodes` episodes.
    pub(crate) fn score(&self, env: &mut dyn Env, goal: &ExpertGoal, seed: u64) -> Result<(Vec<u8>, Expert)> {
        let spec = env.spec();
        let dims = (spec.observation_dim, spec.action_dim);
        let policy = Actor::from_weights(&self.weights, dims, spec.action_limit, &Device::Cpu)?;
        let starts = Stream::new(seed, "expert-score");
        let episodes =
            episodes::play(env, (goal.score_episodes, Measure::Return), starts, |s, a| policy.act(s, a))?;
        let count = episodes.returns.len() as f64;
        let score = episodes.returns.iter().sum::<f64>() / count;
        let variance = episodes.returns.iter().map(|x| (x - score).powi(2)).sum::<f64>() / count;
        let bytes = serialise(&self.weights)?;
        let expert = Expert {
            step: self.step,
            chosen_return: self.mean,
            score,
            score_std: variance.sqrt(),
            episodes: goal.score_episodes,
            weights_sha256: sha256(&bytes),
        };
        Ok((bytes, expert))
    }

    /// Saves or loads the policy, if there is one.
    pub(crate) fn state(kept: &mut Option<Self>, archive: &mut Archive) -> Result<()> {
        let (mut step, mut mean, mut weights) = match kept {
            Some(kept) => (kept.step, kept.mean, serialise(&kept.weights)?),
            None => (0, 0.0, Vec::new()),
        };
        archive.item("step", &mut step)?;
        archive.item("mean", &mut mean)?;
        archive.item("weights", &mut weights)?;
        if archive.is_loading() && !weights.is_empty() {
            let weights = parse_weights(&weights).map_err(|what| anyhow!("{what}"))?;
            *kept = Some(Self { step, mean, weights });
        }
        Ok(())
    }
}

pub(crate) fn serialise(weights: &Weights) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        weights.values().map(|(_, values)| values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views: Vec<(&String, TensorView<'_>)> = weights
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, _)), data)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<_>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// The weights of the expert whose recorded run lies in `directory`.
pub(crate) fn read_expert(directory: &Path) -> Result<Weights> {
    let sha256 = Run::read(directory)?.expert.context("an expert's run has no `expert.toml`")?.weights_sha256;
    read_weights(&directory.join("policy.safetensors"), &sha256)
}

/// All networks of the recorded run in `directory`, which left them.
///
/// # Errors
/// [`BadInput`] if they are not there or not as they were recorded.
pub fn read_networks(directory: &Path) -> Result<Weights> {
    let sha256 = Run::read(directory)?.status.networks_sha256.context("the run left no networks")?;
    read_weights(&directory.join("networks.safetensors"), &sha256)
}

fn read_weights(path: &Path, recorded: &str) -> Result<Weights> {
    let damaged = |what: String| {
        BadInput::new(format!("cannot read the weights in {}: {what}", path.display()))
            .help("restore the file with git, or delete its directory and train that run again")
    };
    let bytes = fs::read(path).map_err(|error| damaged(error.to_string()))?;
    let weights = parse_weights(&bytes).map_err(damaged)?;
    if recorded != sha256(&bytes) {
        return Err(damaged("their checksum is not the recorded one".to_owned()).into());
    }
    Ok(weights)
}

/// Named float32 arrays from the bytes of a safetensors file.
///
/// # Errors
/// If the bytes are not those of such a file, in words.
pub fn parse_weights(bytes: &[u8]) -> Result<Weights, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut weights = Weights::new();
    for (name, tensor) in tensors.tensors() {
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("array `{name}` is {:?} instead of F32", tensor.dtype()));
        }
        let values = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        weights.insert(name, (tensor.shape().to_vec(), values));
    }
    Ok(weights)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    fetch::hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let (_, hash) = fetch::digest(path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(hash)
}
