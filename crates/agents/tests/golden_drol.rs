//! DROL's update against PyTorch's, from the same weights, batches and latents. There all candidates have a tape, here the
//! winners alone. The goldens and the distances from which the tolerances here were set are in `tests/goldens/drol/`; they
//! were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Aggregate, Drol, DrolConfig};
use candle_core::Device;
use golden::Golden;

fn check(case: &str, hidden: &[usize], target: Aggregate, candidates: usize, bc_coef: f64) {
    let golden = Golden::read("drol", case);
    let config = DrolConfig {
        hidden: hidden.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        target,
        candidates,
        bc_coef,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut drol = Drol::new(config, dims, 1.0, 0, &Device::Cpu).unwrap();
    drol.load_weights(&golden.below("initial.")).unwrap();

    // No winner's lead is so short that rounding could take it.
    let updates = golden.shape("batch.reward")[0];
    assert!(golden.row("loss.margin", updates - 1)[0] > 1e-5);
    for i in 0..updates {
        let (next, latents) = (golden.row("latent.next", i), golden.row("latent.candidates", i));
        let mut metrics = drol.update_with_latents(&golden.batch(i), next, latents).unwrap();
        metrics.retain(|(name, _)| *name != "saturated_share");
        golden.check_losses(i, &metrics, 1e-5);
        golden.check_weights(case, i + 1, &drol.weights().unwrap(), 3e-7, 2e-7);
    }
}

#[test]
fn an_update_is_pytorchs_with_a_tape_of_all_candidates() {
    check("routed", &[32, 32, 32], Aggregate::Mean, 5, 3.0);
}

#[test]
fn an_update_is_pytorchs_with_one_candidate() {
    check("single", &[48, 16], Aggregate::Min, 1, 0.3);
}
