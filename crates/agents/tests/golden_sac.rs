//! SAC's update against PyTorch's, from the same weights, batches and noise. The goldens and the distances from which the
//! tolerances here were set are in `tests/goldens/sac/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Sac, SacConfig};
use candle_core::Device;
use golden::{Golden, distances};

fn check(case: &str, hidden: [usize; 2], temperature: f64, target_entropy: Option<f64>) {
    let golden = Golden::read("sac", case);
    let limit = f64::from(golden.row("constant.max_action", 0)[0]);
    let config = SacConfig {
        hidden: hidden.to_vec(),
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        temperature,
        target_entropy,
        start_steps: 0,
    };
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut sac = Sac::new(config, dims, limit, 0, &Device::Cpu).unwrap();
    let mut start = golden.below("initial.");
    for (name, array) in golden.below("initial.").into_iter().filter(|(name, _)| name.starts_with("critic")) {
        start.insert(format!("target_{name}"), array);
    }
    start.insert("log_alpha".to_owned(), (vec![1], vec![temperature.ln() as f32]));
    sac.load_weights(&start).unwrap();

    for i in 0..golden.shape("batch.reward")[0] {
        let (next_noise, noise) = (golden.row("noise.next", i), golden.row("noise.actor", i));
        let metrics = sac.update_with_noise(&golden.batch(i), next_noise, noise).unwrap();
        for (name, found) in &metrics[..2] {
            let expected = f64::from(golden.row(&format!("loss.{}", name.trim_end_matches("_loss")), i)[0]);
            let distance = (found - expected).abs() / expected.abs().max(1.0);
            assert!(distance < 4e-6, "{name} {found} instead of {expected} at update {i}");
        }
        let (max, rms) = match i + 1 {
            update @ (1 | 2 | 100) => {
                distances(&sac.weights().unwrap(), &golden.below(&format!("after_{update}.")))
            }
            _ => continue,
        };
        println!("{case}, after update {}: max {max:.1e}, RMS {rms:.1e}", i + 1);
        assert!(if i < 2 { max < 3e-7 } else { rms < 4e-7 }, "after update {}: max {max}, RMS {rms}", i + 1);
    }
    let moved = (sac.temperature().unwrap() - temperature).abs() > 1e-3;
    assert_eq!(moved, target_entropy.is_some());
}

#[test]
fn an_update_is_pytorchs_where_the_temperature_is_learned() {
    check("automatic", [32, 32], 0.5, Some(-1.0));
}

#[test]
fn an_update_is_pytorchs_where_the_temperature_is_fixed() {
    check("fixed", [48, 16], 0.2, None);
}
