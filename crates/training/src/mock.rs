//! A learner of a few numbers that fails as it is told to, for tests of all that is around learners. No paper has it.

use agents::{Agent, Batch, Metrics, Weights};
use anyhow::{Result, bail};
use envs::Spec;
use experiment::{MockFault, MockSettings};
use state::Archive;
use std::io::Write as _;
use std::time::Duration;
use streams::Stream;

pub(crate) struct Mock {
    settings: MockSettings,
    limit: f32,
    /// `[action, observation]`.
    weights: Vec<f32>,
    updates: u64,
    exploration: Stream,
}

impl Mock {
    pub(crate) fn new(settings: MockSettings, spec: &Spec, seed: u64) -> Self {
        let mut init = Stream::new(seed, "init");
        let weights = (0..spec.action_dim * spec.observation_dim).map(|_| init.normal() as f32).collect();
        let exploration = Stream::new(seed, "exploration");
        Self { settings, limit: spec.action_limit as f32, weights, updates: 0, exploration }
    }
}

impl Agent for Mock {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        for (a, weights) in action.iter_mut().zip(self.weights.chunks(observation.len())) {
            let sum: f32 = weights.iter().zip(observation).map(|(w, x)| w * x).sum();
            *a = self.limit * sum / (1.0 + sum.abs());
        }
        Ok(())
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        std::thread::sleep(Duration::from_micros(self.settings.pace));
        if let Some(fault) = self.settings.fault.filter(|_| t == self.settings.at) {
            fail(fault)?;
        }
        self.act(observation, action)?;
        for a in action {
            *a = (*a + 0.1 * self.exploration.normal() as f32).clamp(-self.limit, self.limit);
        }
        Ok(())
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        self.updates += 1;
        let loss = batch.rewards.iter().sum::<f32>() / batch.rewards.len() as f32;
        for (i, weight) in self.weights.iter_mut().enumerate() {
            *weight = 0.999 * *weight + 1e-3 * loss * batch.observations[i];
        }
        Ok(vec![("critic_loss", f64::from(loss))])
    }

    fn policy_weights(&self) -> Result<Weights> {
        Ok([("0.weight".to_owned(), (vec![self.weights.len()], self.weights.clone()))].into())
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("weights", &mut self.weights[..])?;
        archive.item("updates", &mut self.updates)?;
        archive.item("exploration", &mut self.exploration)
    }
}

fn fail(fault: MockFault) -> Result<()> {
    match fault {
        MockFault::Error => bail!("the mock was told to fail"),
        MockFault::Abort => std::process::abort(),
        MockFault::Kill => disk::fault::die(),
        MockFault::Overflow => {
            std::hint::black_box(overflow(u64::MAX, &[0; 4096]));
        }
        MockFault::Hang => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        MockFault::Memory => {
            // Not written to: what is limited is what is asked for.
            let mut eaten: Vec<Vec<u8>> = Vec::new();
            for _ in 0..1 << 20 {
                eaten.push(std::hint::black_box(Vec::with_capacity(1 << 26)));
            }
        }
        MockFault::Flood => {
            let line = [b'x'; 1023];
            for _ in 0..20_000 {
                let _ = std::io::stderr().write_all(&line).and_then(|()| std::io::stderr().write_all(b"\n"));
            }
        }
    }
    Ok(())
}

/// Deeper than any stack.
fn overflow(depth: u64, frame: &[u8; 4096]) -> u8 {
    if depth == 0 {
        return frame[0];
    }
    let mut next = [1; 4096];
    next[0] = frame[0].wrapping_add(1);
    overflow(depth - 1, std::hint::black_box(&next)) ^ std::hint::black_box(next)[1]
}
