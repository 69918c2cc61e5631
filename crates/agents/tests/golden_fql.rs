//! FQL's update against PyTorch's, from the same weights, batches and noise. The goldens and the distances from which the
//! tolerances here were set are in `tests/goldens/fql/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Aggregate, Fql, FqlConfig, FqlNoise};
use candle_core::Device;
use golden::Golden;

fn check(case: &str, hidden: &[usize], target: Aggregate, alpha: f64, normalise_q: bool) {
    let golden = Golden::read("fql", case);
    let config = FqlConfig {
        hidden: hidden.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target,
        flow_steps: 10,
        alpha,
        normalise_q,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut fql = Fql::new(config, dims, 1.0, 0, &Device::Cpu).unwrap();
    fql.load_weights(&golden.below("initial.")).unwrap();
    for i in 0..golden.shape("batch.reward")[0] {
        let noise = FqlNoise {
            next: golden.row("noise.next", i),
            start: golden.row("noise.start", i),
            time: golden.row("noise.time", i),
            action: golden.row("noise.action", i),
        };
        let metrics = fql.update_with_noise(&golden.batch(i), &noise).unwrap();
        golden.check_losses(i, &metrics, 1e-5);
        golden.check_weights(case, i + 1, &fql.weights().unwrap(), 3e-7, 2e-7);
    }
}

#[test]
fn an_update_is_pytorchs_with_the_mean_of_the_targets() {
    check("mean", &[32, 32, 32], Aggregate::Mean, 10.0, false);
}

#[test]
fn an_update_is_pytorchs_with_the_lesser_target_and_normalised_values() {
    check("min", &[48, 16], Aggregate::Min, 0.3, true);
}
