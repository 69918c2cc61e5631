//! IQL's update against PyTorch's, from the same weights and batches. The goldens and the distances from which the
//! tolerances here were set are in `tests/goldens/iql/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Agent, Iql, IqlConfig};
use candle_core::Device;
use golden::Golden;
use nn::Unit;

fn check(case: &str, hidden: [usize; 2], expectile: f64, beta: f64, decay: Option<u64>) {
    let golden = Golden::read("iql", case);
    let limit = f64::from(golden.row("constant.max_action", 0)[0]);
    let config = IqlConfig {
        hidden: hidden.to_vec(),
        unit: Unit::Relu,
        layer_norm: false,
        learning_rate: 3e-4,
        policy_decay: decay,
        discount: 0.99,
        polyak: 0.005,
        expectile,
        beta,
        weight_limit: 100.0,
        dropout: 0.0,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut iql = Iql::new(config, dims, limit, 0, &Device::Cpu).unwrap();
    let mut start = golden.below("initial.");
    start.insert("actor.log_std".to_owned(), (vec![dims.1], vec![0.0; dims.1]));
    iql.load_weights(&start).unwrap();
    let updates = golden.shape("batch.reward")[0];
    let limited = (0..updates).any(|i| golden.row("loss.limited", i)[0] > 0.0);
    assert_eq!(limited, beta == 10.0);
    for i in 0..updates {
        let metrics = iql.update(&golden.batch(i)).unwrap();
        golden.check_losses(i, &metrics, 4e-6);
        golden.check_weights(case, i + 1, &iql.weights().unwrap(), 2e-7, 2e-7);
    }
}

#[test]
fn an_update_is_pytorchs_where_the_policys_rate_falls() {
    check("locomotion", [32, 32], 0.7, 3.0, Some(120));
}

#[test]
fn an_update_is_pytorchs_where_weights_meet_their_limit() {
    check("antmaze", [48, 16], 0.9, 10.0, None);
}
