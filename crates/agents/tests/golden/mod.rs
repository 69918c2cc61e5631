//! Golden files, and how far from them.
#![allow(dead_code, reason = "no test uses all of it")]

use agents::{Batch, Weights};
use safetensors::SafeTensors;

/// The arrays of one case.
pub(crate) struct Golden(Weights);

impl Golden {
    pub(crate) fn read(algorithm: &str, case: &str) -> Self {
        let path =
            format!("{}/../../tests/goldens/{algorithm}/{case}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = |data: &[u8]| data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Self(
            tensors
                .iter()
                .map(|(name, t)| (name.to_owned(), (t.shape().to_vec(), values(t.data()))))
                .collect(),
        )
    }

    pub(crate) fn below(&self, prefix: &str) -> Weights {
        let cut = |name: &str| name.strip_prefix(prefix).map(str::to_owned);
        self.0.iter().filter_map(|(name, array)| Some((cut(name)?, array.clone()))).collect()
    }

    pub(crate) fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].0
    }

    /// Batch `i`.
    pub(crate) fn batch(&self, i: usize) -> Batch<'_> {
        Batch {
            observations: self.row("batch.state", i),
            actions: self.row("batch.action", i),
            rewards: self.row("batch.reward", i),
            next_observations: self.row("batch.next_state", i),
            not_terminal: self.row("batch.not_done", i),
            next_actions: if self.0.contains_key("batch.next_action") {
                self.row("batch.next_action", i)
            } else {
                &[]
            },
        }
    }

    /// That the losses of update `i`, counted from 0, are within `tolerance` of the golden ones, or of them times it.
    pub(crate) fn check_losses(&self, i: usize, metrics: &[(&str, f64)], tolerance: f64) {
        assert!(!metrics.is_empty(), "no losses at update {i}");
        for (name, found) in metrics {
            let golden = format!("loss.{}", name.trim_end_matches("_loss"));
            let expected = f64::from(self.row(&golden, i)[0]);
            let distance = (found - expected).abs() / expected.abs().max(1.0);
            assert!(distance < tolerance, "{name} {found} instead of {expected} at update {i}");
        }
    }

    /// That the weights after `update`, counted from 1, are the golden ones, where there are any: within `max` in each
    /// after one and two updates, and with a root mean square distance below `rms` after a hundred.
    pub(crate) fn check_weights(&self, case: &str, update: usize, weights: &Weights, max: f64, rms: f64) {
        let golden = self.below(&format!("after_{update}."));
        if golden.is_empty() {
            return;
        }
        let found = distances(weights, &golden);
        println!("{case}, after update {update}: max {:.1e}, RMS {:.1e}", found.0, found.1);
        assert!(if update <= 2 { found.0 < max } else { found.1 < rms }, "after update {update}: {found:?}");
    }

    /// Row `i` of an array whose first axis is the update.
    pub(crate) fn row(&self, name: &str, i: usize) -> &[f32] {
        let (shape, values) = &self.0[name];
        let width = values.len() / shape[0];
        &values[i * width..][..width]
    }
}

/// The largest distance and the root of the mean square.
pub(crate) fn distances(ours: &Weights, golden: &Weights) -> (f64, f64) {
    assert!(!golden.is_empty());
    let mut count = 0.0;
    let (mut max, mut sum) = (0f64, 0f64);
    for (name, (shape, expected)) in golden {
        assert_eq!(&ours[name].0, shape, "{name}");
        for (a, b) in ours[name].1.iter().zip(expected) {
            let difference = f64::from(a - b).abs();
            assert!(difference.is_finite(), "{name}: {a} beside {b}");
            max = max.max(difference);
            sum += difference * difference;
            count += 1.0;
        }
    }
    (max, (sum / count).sqrt())
}
