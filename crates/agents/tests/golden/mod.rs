//! Golden files, and how far from them.

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
        }
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
            max = max.max(difference);
            sum += difference * difference;
            count += 1.0;
        }
    }
    (max, (sum / count).sqrt())
}
