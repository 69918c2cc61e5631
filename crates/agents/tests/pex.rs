//! What PEX promises: the softmax over values and its limits, a frozen π_β, arms that are settings of the same types,
//! runs that are taken up again to the bit.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use agents::{
    Actor, Agent, Batch, Iql, IqlConfig, Online, Pex, PexConfig, PexPolicy, PolicyActions, Sac, SacConfig,
    Weights, selection,
};
use candle_core::Device;
use nn::Unit;
use proptest::prelude::*;
use state::Archive;
use streams::Stream;

const DIMS: (usize, usize) = (3, 2);

fn iql(seed: u64) -> Iql {
    iql_of(Unit::Relu, seed)
}

fn iql_of(unit: Unit, seed: u64) -> Iql {
    let config = IqlConfig {
        hidden: vec![16, 16],
        unit,
        layer_norm: false,
        learning_rate: 3e-3,
        policy_decay: None,
        discount: 0.99,
        polyak: 0.005,
        expectile: 0.7,
        beta: 3.0,
        weight_limit: 100.0,
        dropout: 0.0,
    };
    Iql::new(config, DIMS, 1.0, seed, &Device::Cpu).unwrap()
}

fn sac(seed: u64) -> Sac {
    let config = SacConfig {
        hidden: vec![16, 16],
        learning_rate: 3e-3,
        discount: 0.99,
        polyak: 0.005,
        temperature: 0.2,
        target_entropy: None,
        start_steps: 1000,
    };
    Sac::new(config, DIMS, 1.0, seed, &Device::Cpu).unwrap()
}

fn config(inverse_temperature: f64) -> PexConfig {
    PexConfig { inverse_temperature, evaluation_epsilon: 0.1, policy_actions: PolicyActions::Composite }
}

/// What an offline run of ten updates published.
fn published() -> Weights {
    let mut offline = iql(9);
    (0..10).for_each(|i| drop(update(&mut offline, i)));
    offline.publish().unwrap()
}

fn offline(published: &Weights) -> Actor {
    Actor::from_published(published, DIMS, 1.0, &Device::Cpu).unwrap()
}

#[test]
fn the_frozen_policy_is_the_offline_one_whatever_its_units() {
    for unit in [Unit::Relu, Unit::Gelu, Unit::Swish] {
        let mut iql = iql_of(unit, 9);
        let frozen = offline(&iql.publish().unwrap()).units(iql.unit());
        let s = [0.5, -1.0, 2.0];
        let (mut ours, mut theirs) = ([0.0; 2], [0.0; 2]);
        frozen.act(&s, &mut ours).unwrap();
        iql.act(&s, &mut theirs).unwrap();
        assert_eq!(ours, theirs, "{unit:?}");
    }
}

/// PEX as it starts after an offline run.
fn pex(inverse_temperature: f64) -> Pex {
    let published = published();
    let mut online = iql(1);
    online.load_values(&published).unwrap();
    Pex::new(Online::Iql(Box::new(online)), offline(&published), config(inverse_temperature), 1)
}

fn update(agent: &mut dyn Agent, i: u64) -> agents::Metrics {
    let mut stream = Stream::new(i, "batch");
    let mut draw = |count| (0..count).map(|_| stream.normal() as f32).collect::<Vec<f32>>();
    let (observations, next_observations) = (draw(8 * DIMS.0), draw(8 * DIMS.0));
    let (actions, rewards) = (draw(8 * DIMS.1), draw(8));
    let not_terminal: Vec<f32> = (0..8).map(|i| f32::from(i != 3u8)).collect();
    let batch = Batch {
        observations: &observations,
        actions: &actions,
        rewards: &rewards,
        next_observations: &next_observations,
        not_terminal: &not_terminal,
        next_actions: &[],
    };
    agent.update(&batch).unwrap()
}

fn observation(t: u64) -> [f32; DIMS.0] {
    [0.1 * t as f32, -1.0, (t % 7) as f32]
}

fn act(agent: &mut Pex, policy: PexPolicy, t: u64) -> [f32; DIMS.1] {
    let mut action = [0.0; DIMS.1];
    agent.act_by(policy, &observation(t), &mut action).unwrap();
    action
}

fn explore(agent: &mut dyn Agent, t: u64) -> [f32; DIMS.1] {
    let mut action = [0.0; DIMS.1];
    agent.explore(t, &observation(t), &mut action).unwrap();
    action
}

fn values() -> impl Strategy<Value = Vec<f32>> {
    proptest::collection::vec(-300f32..300.0, 1..6)
}

proptest! {
    #[test]
    fn selection_is_a_distribution_in_the_order_of_values(q in values(), inverse_temperature in 0f64..100.0) {
        let p = selection(&q, inverse_temperature);
        prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12 && p.iter().all(|p| (0.0..=1.0).contains(p)));
        for (i, j) in (0..q.len()).flat_map(|i| (0..q.len()).map(move |j| (i, j))) {
            prop_assert!(q[i] < q[j] || p[i] >= p[j]);
        }
    }

    #[test]
    fn selection_moves_with_a_permutation_and_not_with_a_shift(
        q in values(), by in 0usize..6, shift in -100i8..100, inverse_temperature in 0f64..20.0,
    ) {
        let p = selection(&q, inverse_temperature);
        let turn = |values: &[f64]| { let mut v = values.to_vec(); v.rotate_left(by % q.len()); v };
        let mut turned = q.clone();
        turned.rotate_left(by % q.len());
        for (found, expected) in selection(&turned, inverse_temperature).iter().zip(turn(&p)) {
            prop_assert!((found - expected).abs() < 1e-12);
        }
        let whole: Vec<f32> = q.iter().map(|q| q.round()).collect();
        let shifted: Vec<f32> = whole.iter().map(|q| q + f32::from(shift)).collect();
        prop_assert_eq!(selection(&whole, inverse_temperature), selection(&shifted, inverse_temperature));
    }

    #[test]
    fn selection_is_uniform_at_0_and_the_greatest_without_bound(q in values()) {
        prop_assert!(selection(&q, 0.0).iter().all(|p| (p - 1.0 / q.len() as f64).abs() < 1e-12));
        let max = q.iter().copied().fold(f32::MIN, f32::max);
        let ties = q.iter().filter(|q| **q == max).count() as f64;
        for (q, p) in q.iter().zip(selection(&q, f64::INFINITY)) {
            prop_assert_eq!(p, if *q == max { 1.0 / ties } else { 0.0 });
        }
    }
}

#[test]
fn selection_is_a_logistic_function_of_the_gap() {
    for (gap, inverse_temperature, expected) in
        [(0.1, 10.0, 0.7311), (0.1, 3.0, 0.5744), (0.5, 10.0, 0.9933), (0.5, 3.0, 0.8176), (1.0, 3.0, 0.9526)]
    {
        let p = selection(&[gap, 0.0], inverse_temperature);
        assert!((p[0] - expected).abs() < 5e-5, "{gap}, {inverse_temperature}: {p:?}");
    }
}

#[test]
fn the_frozen_policy_keeps_its_bits_and_the_new_one_moves() {
    let mut pex = pex(10.0);
    let frozen = offline(&published());
    let all = |pex: &mut Pex, policy| (0..20).map(|t| act(pex, policy, t)).collect::<Vec<_>>();
    let before = (all(&mut pex, PexPolicy::Offline), all(&mut pex, PexPolicy::Online));
    (0..20).for_each(|i| drop(update(&mut pex, i)));
    let after = (all(&mut pex, PexPolicy::Offline), all(&mut pex, PexPolicy::Online));
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
    for (t, found) in after.0.iter().enumerate() {
        let mut action = [0.0; DIMS.1];
        frozen.act(&observation(t as u64), &mut action).unwrap();
        assert_eq!(*found, action);
    }
}

#[test]
fn the_composite_policy_executes_what_the_softmax_says() {
    // Uniform at 0: each proposal about every second time. All values alike, π_β's share is a coin's.
    let mut uniform = pex(0.0);
    let is_offline = |pex: &mut Pex, t| explore(pex, t) == act(pex, PexPolicy::Offline, t);
    let count = (0..2000).filter(|&t| is_offline(&mut uniform, t % 50)).count();
    assert!((count as f64 - 1000.0).abs() < 5.0 * 500f64.sqrt(), "{count}");
    let metrics = update(&mut uniform, 0);
    assert!(metrics.contains(&("offline_share", count as f64 / 2000.0)), "{metrics:?}");
    // Nothing executed since: no share.
    assert!(update(&mut uniform, 1).iter().all(|(name, _)| *name != "offline_share"));

    // Without bound: the greedy composite is one of the two modes, and without draws it is what is evaluated.
    let mut sharp = pex(f64::INFINITY);
    let mut offline = 0;
    for t in 0..200 {
        let greedy = act(&mut sharp, PexPolicy::Greedy, t);
        let modes = [PexPolicy::Offline, PexPolicy::Online].map(|policy| act(&mut sharp, policy, t));
        assert!(modes.contains(&greedy));
        offline += usize::from(greedy == modes[0]);
    }
    assert!(0 < offline && offline < 200, "{offline}");
}

#[test]
fn evaluation_draws_from_no_stream_of_training() {
    let (mut left, mut right) = (pex(3.0), pex(3.0));
    for t in 0..50 {
        let mut action = [0.0; DIMS.1];
        left.act(&observation(t), &mut action).unwrap();
        assert!(action.iter().all(|a| a.abs() <= 1.0));
        assert_eq!(explore(&mut left, t), explore(&mut right, t));
        update(&mut left, t);
        update(&mut right, t);
    }
    assert_eq!(left.publish().unwrap(), right.publish().unwrap());
}

#[test]
fn arms_start_as_they_should() {
    let published = published();
    let part = |weights: &Weights, prefix: &str| -> Weights {
        weights
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(n, a)| (n.clone(), a.clone()))
            .collect()
    };
    // PEX: the offline run's values, targets included, and a fresh policy.
    let start = pex(3.0).publish().unwrap();
    for prefix in ["critic", "target_critic", "value"] {
        assert_eq!(part(&start, prefix), part(&published, prefix));
    }
    assert_eq!(part(&start, "actor"), part(&iql(1).publish().unwrap(), "actor"));
    // Direct: its policy too, and targets that are copies of the critics.
    let mut direct = iql(1);
    direct.fine_tune(&published).unwrap();
    let start = direct.publish().unwrap();
    for prefix in ["actor", "critic", "value"] {
        assert_eq!(part(&start, prefix), part(&published, prefix));
    }
    for (name, array) in part(&published, "critic") {
        assert_eq!(start[&format!("target_{name}")], array);
    }
    // An array that is missing is named.
    let mut less = published;
    less.remove("value.1.bias");
    let error = iql(1).fine_tune(&less).unwrap_err().to_string();
    assert_eq!(error, "there is no array `value.1.bias`");
}

#[test]
fn with_sac_the_update_is_sacs() {
    let published = published();
    let start = || {
        let mut sac = sac(1);
        sac.load_values(&published).unwrap();
        sac
    };
    let mut pex = Pex::new(Online::Sac(Box::new(start())), offline(&published), config(3.0), 1);
    let mut sac = start();
    for i in 0..20 {
        assert!(explore(&mut pex, i).iter().all(|a| a.abs() <= 1.0));
        update(&mut pex, i);
        update(&mut sac, i);
    }
    assert_eq!(pex.policy_weights().unwrap(), sac.policy_weights().unwrap());
    assert_eq!(pex.publish().unwrap(), sac.weights().unwrap());
}

#[test]
fn a_run_is_taken_up_again_to_the_bit() {
    let step = |agent: &mut dyn Agent, t: u64| {
        let action = explore(agent, t);
        update(agent, t);
        action
    };
    let dropped = || {
        let config = IqlConfig { dropout: 0.1, policy_decay: Some(30), ..iql(1).config().clone() };
        Iql::new(config, DIMS, 1.0, 1, &Device::Cpu).unwrap()
    };
    let agents: [&dyn Fn() -> Box<dyn Agent>; 2] = [&|| Box::new(dropped()), &|| Box::new(pex(3.0))];
    for make in agents {
        let mut agent = make();
        (0..10).for_each(|t| _ = step(&mut *agent, t));
        explore(&mut *agent, 10);
        let bytes = Archive::save(|archive| agent.state(archive)).unwrap();
        let mut again = make();
        Archive::load(&bytes, |archive| again.state(archive)).unwrap();
        for t in 11..30 {
            assert_eq!(step(&mut *agent, t), step(&mut *again, t));
        }
        assert_eq!(agent.publish().unwrap(), again.publish().unwrap());
    }
}

#[test]
fn dropout_is_the_updates_alone() {
    let with = |dropout| {
        Iql::new(IqlConfig { dropout, ..iql(1).config().clone() }, DIMS, 1.0, 1, &Device::Cpu).unwrap()
    };
    let (mut left, mut right) = (with(0.0), with(0.3));
    assert_eq!(explore(&mut left, 3), explore(&mut right, 3));
    update(&mut left, 0);
    update(&mut right, 0);
    let (left, right) = (left.publish().unwrap(), right.publish().unwrap());
    assert_ne!(left["actor.0.weight"], right["actor.0.weight"]);
    assert_eq!(left["critic1.0.weight"], right["critic1.0.weight"]);
}
