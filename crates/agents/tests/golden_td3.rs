//! TD3's update against PyTorch's, from the same weights, batches and noise. The goldens and the distances from which
//! the tolerances here were set are in `tests/goldens/td3/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::{Agent as _, Td3, Td3Config, Weights};
use candle_core::Device;
use golden::{Golden, distances};

fn check(case: &str, hidden: [usize; 2]) {
    let golden = Golden::read("td3", case);
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
        let metrics = td3.update_with_noise(&golden.batch(i), golden.row("noise.target", i)).unwrap();
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
        if i + 1 == 2 {
            check_moments(&mut td3, &golden);
        }
        println!("{case}, after update {}: max {max:.1e}, RMS {rms:.1e}", i + 1);
        assert!(if i < 2 { max < 2e-7 } else { rms < 2e-7 }, "after update {}: max {max}, RMS {rms}", i + 1);
    }
    assert_eq!(actor_losses, 50);
}

/// That Adam's moments have the golden size: a gradient of half the size moves no weight, and shows here alone.
fn check_moments(td3: &mut Td3, golden: &Golden) {
    let bytes = state::Archive::save(|archive| td3.state(archive)).unwrap();
    let ours = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let size =
        |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    for (optimiser, network) in [("actor_optimiser", "actor."), ("critic_optimiser", "critic")] {
        for moment in ["first", "second"] {
            let found = ours.tensor(&format!("{optimiser}.{moment}")).unwrap();
            let found = size(&mut found.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
            let golden = golden.below(&format!("adam_2.{moment}.{network}"));
            let expected = size(&mut golden.into_values().flat_map(|(_, values)| values));
            assert!((found / expected - 1.0).abs() < 1e-5, "{optimiser}.{moment}: {found}, not {expected}");
        }
    }
}

#[test]
fn an_update_is_pytorchs() {
    check("unit_actions", [32, 32]);
}

#[test]
fn an_update_is_pytorchs_where_the_action_limit_is_a_fraction() {
    check("fractional_limit", [48, 16]);
}
