//! TD3's update against PyTorch's, from the same weights, batches and noise. The goldens and the distances from which
//! the tolerances here were set are in `tests/goldens/td3/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use agents::{Batch, Td3, Td3Config, Weights};
use candle_core::Device;
use safetensors::SafeTensors;

struct Golden(Weights);

impl Golden {
    fn read(case: &str) -> Self {
        let path = format!("{}/../../tests/goldens/td3/{case}.safetensors", env!("CARGO_MANIFEST_DIR"));
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

    fn below(&self, prefix: &str) -> Weights {
        let cut = |name: &str| name.strip_prefix(prefix).map(str::to_owned);
        self.0.iter().filter_map(|(name, array)| Some((cut(name)?, array.clone()))).collect()
    }

    fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].0
    }

    /// Row `i` of an array whose first axis is the update.
    fn row(&self, name: &str, i: usize) -> &[f32] {
        let (shape, values) = &self.0[name];
        let width = values.len() / shape[0];
        &values[i * width..][..width]
    }
}

fn distances(ours: &Weights, golden: &Weights) -> (f64, f64) {
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

fn check(case: &str, hidden: [usize; 2]) {
    let golden = Golden::read(case);
    let limit = f64::from(golden.row("constant.max_action", 0)[0]);
    let config = Td3Config {
        hidden: hidden.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        exploration_noise: 0.1,
        target_policy_noise: 0.2,
        target_noise_clip: 0.5,
        policy_delay: 2,
        start_steps: 0,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut td3 = Td3::new(config, dims, limit, 0, &Device::Cpu).unwrap();
    let mut start = golden.below("initial.");
    let targets: Weights =
        start.iter().map(|(name, array)| (format!("target_{name}"), array.clone())).collect();
    start.extend(targets);
    td3.load_weights(&start).unwrap();

    let mut actor_losses = 0;
    for i in 0..golden.shape("batch.reward")[0] {
        let batch = Batch {
            observations: golden.row("batch.state", i),
            actions: golden.row("batch.action", i),
            rewards: golden.row("batch.reward", i),
            next_observations: golden.row("batch.next_state", i),
            not_terminal: golden.row("batch.not_done", i),
        };
        let metrics = td3.update_with_noise(&batch, golden.row("noise.target", i)).unwrap();
        let expected = f64::from(golden.row("loss.critic", i)[0]);
        let found = metrics[0].1;
        assert!(
            (found / expected - 1.0).abs() < 2e-6,
            "critic loss {found} instead of {expected} at update {i}"
        );
        if let Some((_, found)) = metrics.get(1) {
            let expected = f64::from(golden.row("loss.actor", actor_losses)[0]);
            assert!(
                (found - expected).abs() < 2e-6,
                "actor loss {found} instead of {expected} at update {i}"
            );
            actor_losses += 1;
        }
        let (max, rms) = match i + 1 {
            update @ (1 | 2 | 100) => {
                distances(&td3.weights().unwrap(), &golden.below(&format!("after_{update}.")))
            }
            _ => continue,
        };
        println!("{case}, after update {}: max {max:.1e}, RMS {rms:.1e}", i + 1);
        assert!(if i < 2 { max < 2e-7 } else { rms < 2e-7 }, "after update {}: max {max}, RMS {rms}", i + 1);
    }
    assert_eq!(actor_losses, 50);
}

#[test]
fn an_update_is_pytorchs() {
    check("unit_actions", [32, 32]);
}

#[test]
fn an_update_is_pytorchs_where_the_action_limit_is_a_fraction() {
    check("fractional_limit", [48, 16]);
}
