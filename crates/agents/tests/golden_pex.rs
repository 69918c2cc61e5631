//! PEX's online update against PyTorch's, from the same weights, batches and draws. The goldens and the distances from
//! which the tolerances here were set are in `tests/goldens/pex/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Actor, Agent, Iql, IqlConfig, Online, Pex, PexConfig, PolicyActions};
use candle_core::Device;
use golden::Golden;
use nn::Unit;

fn check(case: &str, hidden: [usize; 2], expectile: f64, beta: f64, inverse_temperature: f64) {
    let golden = Golden::read("pex", case);
    let limit = f64::from(golden.row("constant.max_action", 0)[0]);
    let config = IqlConfig {
        hidden: hidden.to_vec(),
        unit: Unit::Relu,
        layer_norm: false,
        learning_rate: 3e-4,
        policy_decay: None,
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
    let offline = golden.below("initial.offline.");
    let offline = Actor::from_weights(&offline, dims, limit, &Device::Cpu).unwrap();
    let config =
        PexConfig { inverse_temperature, evaluation_epsilon: 0.1, policy_actions: PolicyActions::Composite };
    let mut pex = Pex::new(Online::Iql(Box::new(iql)), offline, config, 0);

    // No draw lies so near to its threshold that rounding could select otherwise.
    let updates = golden.shape("batch.reward")[0];
    assert!(golden.row("loss.margin", updates - 1)[0] > 1e-5);
    for i in 0..updates {
        let choice: Vec<f64> = golden.row("noise.choice", i).iter().copied().map(f64::from).collect();
        let metrics =
            pex.update_with_noise(&golden.batch(i), golden.row("noise.online", i), &choice).unwrap();
        golden.check_losses(i, &metrics[..3], 4e-6);
        let share = f64::from(golden.row("loss.offline_share", i)[0]);
        assert_eq!(metrics[3], ("offline_share_in_update", share), "at update {i}");
        golden.check_weights(case, i + 1, &pex.publish().unwrap(), 2e-7, 2e-7);
    }
}

#[test]
fn an_update_is_pytorchs_where_the_softmax_is_sharp() {
    check("sharp", [32, 32], 0.9, 10.0, 10.0);
}

#[test]
fn an_update_is_pytorchs_where_the_softmax_is_flat() {
    check("flat", [48, 16], 0.7, 3.0, 3.0);
}
