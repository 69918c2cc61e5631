//! ReBRAC's update against PyTorch's, from the same weights, batches and noise. The goldens and the distances from which
//! the tolerances here were set are in `tests/goldens/rebrac/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Batch, Rebrac, RebracConfig};
use candle_core::Device;
use golden::Golden;

fn rebrac(golden: &Golden, hidden: &[usize], alpha_actor: f64, alpha_critic: f64) -> Rebrac {
    let config = RebracConfig {
        hidden: hidden.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        alpha_actor,
        alpha_critic,
        noise: 0.2,
        noise_clip: 0.5,
        policy_delay: 2,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    Rebrac::new(config, dims, 1.0, 0, &Device::Cpu).unwrap()
}

fn check(case: &str, hidden: &[usize], alpha_actor: f64, alpha_critic: f64) {
    let golden = Golden::read("rebrac", case);
    let mut rebrac = rebrac(&golden, hidden, alpha_actor, alpha_critic);
    rebrac.load_weights(&golden.below("initial.")).unwrap();
    for i in 0..golden.shape("batch.reward")[0] {
        let metrics = rebrac.update_with_noise(&golden.batch(i), golden.row("noise.target", i)).unwrap();
        assert_eq!(metrics.len(), if i % 2 == 0 { 1 } else { 4 });
        golden.check_losses(i, &metrics, 1e-5);
        golden.check_weights(case, i + 1, &rebrac.weights().unwrap(), 3e-7, 2e-7);
    }
}

#[test]
fn an_update_is_pytorchs_with_both_penalties() {
    check("both", &[32, 32, 32], 0.1, 0.05);
}

#[test]
fn an_update_is_pytorchs_with_the_actors_penalty_alone() {
    check("actor", &[48, 16], 1.0, 0.0);
}

#[test]
fn next_actions_are_asked_for() {
    let golden = Golden::read("rebrac", "both");
    let mut rebrac = rebrac(&golden, &[8], 0.1, 0.05);
    let batch = Batch { next_actions: &[], ..golden.batch(0) };
    let error = rebrac.update_with_noise(&batch, golden.row("noise.target", 0)).unwrap_err().to_string();
    assert_eq!(error, "ReBRAC's critics ask for 48 numbers of the data's next actions, not 0");
}
