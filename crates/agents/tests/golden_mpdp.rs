//! MPDP's update against PyTorch's, from the same weights, batches and draws. The goldens and the distances from which the
//! tolerances here were set are in `tests/goldens/mpdp/`; they were recorded in float64 by `record.py`.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

mod golden;

use agents::plan::{PlanConfig, Stop};
use agents::{Draws, DynamicsConfig, ErrorScale, Fitted, Mpdp, MpdpConfig, SacConfig};
use candle_core::Device;
use golden::{Golden, distances};

const HORIZON: usize = 4;
const BATCH: usize = 16;

/// The recorded draws of one update, of which a plan takes the rows that are live.
struct Recorded<'a>(&'a Golden, usize);

impl Recorded<'_> {
    fn rows(&self, name: &str, t: usize, rows: &[u32]) -> Vec<f32> {
        let all = self.0.row(name, self.1);
        let width = all.len() / (HORIZON * BATCH);
        let row = |row: &u32| &all[(t * BATCH + *row as usize) * width..][..width];
        rows.iter().flat_map(row).copied().collect()
    }
}

impl Draws for Recorded<'_> {
    fn actions(&mut self, t: usize, rows: &[u32], _: usize) -> Vec<f32> {
        self.rows("noise.actions", t, rows)
    }

    fn transitions(&mut self, t: usize, rows: &[u32], _: usize) -> Vec<f32> {
        self.rows("noise.transitions", t, rows)
    }

    fn members(&mut self, t: usize, rows: &[u32], elites: &[u64]) -> Vec<u32> {
        let members: Vec<u32> = self.rows("noise.members", t, rows).iter().map(|x| *x as u32).collect();
        assert!(members.iter().all(|member| elites.contains(&u64::from(*member))));
        members
    }

    fn values(&mut self, t: usize, rows: &[u32], _: usize) -> Vec<f32> {
        self.rows("noise.values", t, rows)
    }
}

/// What differs from case to case, over the settings that all share.
fn check(case: &str, (temperature, target_entropy): (f64, Option<f64>), differ: impl Fn(&mut MpdpConfig)) {
    let golden = Golden::read("mpdp", case);
    let limit = f64::from(golden.row("constant.max_action", 0)[0]);
    let sac = SacConfig {
        hidden: vec![16, 16],
        learning_rate: 3e-4,
        discount: 0.99,
        polyak: 0.005,
        temperature,
        target_entropy,
        start_steps: 0,
    };
    let dynamics = DynamicsConfig {
        members: 3,
        elites: 2,
        hidden: vec![12, 12],
        learning_rate: 1e-3,
        weight_decay: vec![0.0; 3],
        batch_size: 256,
        holdout: 0.2,
        most_held_out: 5000,
        patience: 5,
        epochs: 100,
        log_variance: (-10.0, 0.5),
        learned_bounds: false,
    };
    let mut config = MpdpConfig {
        sac,
        dynamics,
        plan: PlanConfig { horizon: HORIZON, penalty: 0.5, stop: Stop::Q },
        fit_every: 250,
        error_threshold: 0.0,
        threshold_scale: ErrorScale::MeanPerDimension,
        penalty_scale: ErrorScale::Mean,
        error_of_reward: false,
        range_margin: 0.25,
        shared_policy: false,
        copy_when_reached: true,
        step_unreached: false,
        longest_gradient: Some(100.0),
        mean_prediction: false,
        target_values: false,
        critic_penalty: false,
    };
    differ(&mut config);
    let dims = (golden.shape("batch.state")[2], golden.shape("batch.action")[2]);
    let mut mpdp = Mpdp::new(config, dims, limit, |s| s[0] > 1.5, 0, &Device::Cpu).unwrap();
    let mut start = golden.below("initial.");
    for (name, array) in golden.below("initial.").into_iter().filter(|(name, _)| name.starts_with("critic")) {
        start.insert(format!("target_{name}"), array);
    }
    start.insert("log_alpha".to_owned(), (vec![1], vec![temperature.ln() as f32]));
    let known = |name: &str| golden.below("model.")[name].1.clone();
    let fitted = Fitted {
        mean: known("mean"),
        deviation: known("deviation"),
        lowest: known("lowest"),
        highest: known("highest"),
        elites: known("elites").iter().map(|x| *x as u64).collect(),
    };
    mpdp.load_weights(&start, fitted).unwrap();

    for i in 0..golden.shape("batch.reward")[0] {
        let mut draws = Recorded(&golden, i);
        let next_noise = golden.row("noise.next", i);
        let metrics = mpdp.update_with_draws(&golden.batch(i), next_noise, &mut draws).unwrap();
        for (name, golden_name) in
            [("critic_loss", "loss.critic"), ("actor_loss", "loss.actor"), ("mean_horizon", "mean_horizon")]
        {
            let found = metrics.iter().find(|(known, _)| *known == name).unwrap().1;
            let expected = f64::from(golden.row(golden_name, i)[0]);
            let distance = (found - expected).abs() / expected.abs().max(1.0);
            assert!(distance < 4e-6, "{name} {found} instead of {expected} at update {i}");
        }
        let (max, rms) = match i + 1 {
            update @ (1 | 2 | 20) => {
                distances(&mpdp.weights().unwrap(), &golden.below(&format!("after_{update}.")))
            }
            _ => continue,
        };
        println!("{case}, after update {}: max {max:.1e}, RMS {rms:.1e}", i + 1);
        assert!(if i < 2 { max < 1e-6 } else { rms < 1e-7 }, "after update {}: max {max}, RMS {rms}", i + 1);
    }
    // Nothing reaches the model.
    let weights = mpdp.weights().unwrap();
    assert_eq!(weights["model1.0.weight"], start["model1.0.weight"]);
}

#[test]
fn an_update_is_pytorchs_with_the_recommended_choices() {
    check("q-stop", (0.2, None), |config| config.error_threshold = 0.2);
}

#[test]
fn an_update_is_pytorchs_with_the_other_choices() {
    check("v-stop", (0.3, Some(-1.0)), |config| {
        config.plan = PlanConfig { penalty: 0.02, stop: Stop::V, ..config.plan };
        config.error_threshold = 2.0;
        config.threshold_scale = ErrorScale::Mean;
        config.penalty_scale = ErrorScale::Sum;
        config.error_of_reward = true;
        config.mean_prediction = true;
        config.target_values = true;
        config.critic_penalty = true;
        config.longest_gradient = Some(0.5);
    });
}

#[test]
fn an_update_is_pytorchs_as_the_algorithm_is_printed() {
    check("printed", (0.1, None), |config| {
        config.plan.stop = Stop::Printed;
        config.error_threshold = 2.0;
        config.threshold_scale = ErrorScale::Sum;
        config.penalty_scale = ErrorScale::MeanPerDimension;
        config.shared_policy = true;
        config.longest_gradient = None;
    });
}
