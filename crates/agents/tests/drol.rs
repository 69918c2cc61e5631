//! What DROL's theory says that numbers can check: its prior's moments, routing that leaves no mode out, the pull that
//! passes on, coverage. And what FQL, DROL and ReBRAC promise as agents.

#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use agents::{
    Agent, Aggregate, Batch, Drol, DrolConfig, Fql, FqlConfig, Metrics, Rebrac, RebracConfig, latent, route,
};
use candle_core::Device;
use state::Archive;
use streams::Stream;

const DIMS: (usize, usize) = (3, 2);

fn drol(candidates: usize, bc_coef: f64, dims: (usize, usize)) -> Drol {
    let config = DrolConfig {
        hidden: vec![32, 32],
        learning_rate: 1e-3,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Mean,
        candidates,
        bc_coef,
    };
    Drol::new(config, dims, 1.0, 1, &Device::Cpu).unwrap()
}

fn fql() -> Fql {
    let config = FqlConfig {
        hidden: vec![32, 32],
        learning_rate: 1e-3,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Min,
        flow_steps: 10,
        alpha: 10.0,
        normalise_q: true,
    };
    Fql::new(config, DIMS, 1.0, 1, &Device::Cpu).unwrap()
}

fn rebrac() -> Rebrac {
    let config = RebracConfig {
        hidden: vec![32, 32],
        learning_rate: 1e-3,
        discount: 0.99,
        polyak: 0.005,
        alpha_actor: 0.1,
        alpha_critic: 0.01,
        noise: 0.2,
        noise_clip: 0.5,
        policy_delay: 2,
    };
    Rebrac::new(config, DIMS, 1.0, 1, &Device::Cpu).unwrap()
}

fn update(agent: &mut dyn Agent, observations: &[f32], actions: &[f32], rewards: &[f32]) -> Metrics {
    let not_terminal = vec![0.0; rewards.len()];
    let batch = Batch {
        observations,
        actions,
        rewards,
        next_observations: observations,
        not_terminal: &not_terminal,
        next_actions: actions,
    };
    agent.update(&batch).unwrap()
}

fn metric(metrics: &Metrics, name: &str) -> f64 {
    metrics.iter().find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn latents_have_the_moments_of_a_ball() {
    for dims in [1, 5, 8, 21, 24] {
        let count = 200_000 / dims;
        let mut stream = Stream::new(dims as u64, "test");
        let mut z = vec![0f32; dims];
        let d = dims as f64;
        // Sums of |z|, |z|² and of their squares; the first coordinate's, too.
        let mut sums = [0.0; 6];
        for _ in 0..count {
            latent(&mut stream, &mut z);
            let square: f64 = z.iter().map(|x| f64::from(x * x)).sum();
            assert!(square <= d * (1.0 + 1e-6));
            let x = f64::from(z[0]);
            for (sum, value) in
                sums.iter_mut().zip([square.sqrt(), square, square * square, x, x * x, x.powi(4)])
            {
                *sum += value / count as f64;
            }
        }
        let [radius, square, fourth, x, x2, x4] = sums;
        let error = |mean: f64, second: f64| 5.0 * ((second - mean * mean) / count as f64).sqrt();
        let close = |found: f64, expected: f64, second: f64| {
            assert!((found - expected).abs() < error(found, second), "{dims}: {found} instead of {expected}");
        };
        close(radius, d.sqrt() * d / (d + 1.0), square);
        close(square, d * d / (d + 2.0), fourth);
        close(x, 0.0, x2);
        close(x2, d / (d + 2.0), x4);
    }
}

/// Four intervals of half-width 0.05 around ±0.25 and ±0.75.
const CENTRES: [f32; 4] = [-0.75, -0.25, 0.25, 0.75];
const HALF_WIDTH: f32 = 0.05;

fn draw_of_intervals(stream: &mut Stream) -> f32 {
    CENTRES[stream.index(4)] + stream.uniform_in(-0.05, 0.05) as f32
}

/// Prototypes as candidates of one action.
fn winner(prototypes: &[f32], action: f32) -> usize {
    let candidates: Vec<Vec<f32>> = prototypes.iter().map(|x| vec![*x]).collect();
    route(&candidates, &[action], 1).winners[0]
}

/// The mean squared distance of the intervals from their nearest prototypes.
fn energy(prototypes: &[f32]) -> f64 {
    let points = 400;
    let at = |i: usize| -HALF_WIDTH + 2.0 * HALF_WIDTH * (i as f32 + 0.5) / points as f32;
    let sum: f64 = CENTRES
        .iter()
        .flat_map(|centre| (0..points).map(move |i| centre + at(i)))
        .map(|x| f64::from(x - prototypes[winner(prototypes, x)]).powi(2))
        .sum();
    sum / (4 * points) as f64
}

#[test]
fn separated_intervals_have_a_prototype_each_where_the_distance_is_least() {
    let h = f64::from(HALF_WIDTH);
    assert!((energy(&CENTRES) - h * h / 3.0).abs() < 1e-6);
    // Two intervals that share one prototype, whatever the other three do, are far worse.
    let mut least = f64::INFINITY;
    for shared in [-0.5, 0.0, 0.5f32] {
        for i in -20..=20 {
            let moved = shared + 0.005 * i as f32;
            let rest: Vec<f32> = CENTRES.iter().copied().filter(|c| (c - shared).abs() > 0.3).collect();
            for double in &rest {
                least = least.min(energy(&[rest[0], rest[1], double + 0.025, moved]));
                least = least.min(energy(&[rest[0], rest[1], double - 0.025, moved]));
            }
        }
    }
    assert!((least - 0.0319).abs() < 1e-3, "{least}");
}

#[test]
fn routing_from_random_starts_covers_all_modes_once_there_are_enough_candidates() {
    let covered = |k: usize| {
        let runs = 60;
        let covered = (0..runs).filter(|run| {
            let mut stream = Stream::new(*run, "test");
            let mut prototypes: Vec<f32> = (0..k).map(|_| stream.uniform_in(-1.0, 1.0) as f32).collect();
            for _ in 0..6000 {
                let a = draw_of_intervals(&mut stream);
                let k = winner(&prototypes, a);
                prototypes[k] += 0.05 * (a - prototypes[k]);
            }
            CENTRES.iter().all(|centre| prototypes.iter().any(|x| (x - centre).abs() < 2.0 * HALF_WIDTH))
        });
        covered.count() as f64 / runs as f64
    };
    let shares = [2, 4, 8, 16].map(covered);
    // 0, 55, 99 and 100 % in a separate simulation; five standard errors of 60 runs at 55 % are 32 %.
    assert!(shares.is_sorted() && shares[0] == 0.0 && (shares[1] - 0.55).abs() < 0.32, "{shares:?}");
    assert!(shares[2] > 0.9 && shares[3] == 1.0, "{shares:?}");
}

#[test]
fn the_pull_to_the_data_passes_to_another_candidate() {
    // Values rise with slope g: the one pulled settles where −2 (x − a) + α g = 0.
    let (a, pull, rate) = (0.0f32, 0.6f32, 0.01f32);
    let step = |x: f32| x - rate * (2.0 * (x - a) - pull);
    let fixed = (0..5000).fold(a, |x, _| step(x));
    assert!((fixed - (a + pull / 2.0)).abs() < 1e-4);
    // With a second candidate 0.1 below, the first is pulled on until it is the further one, and then stands still.
    let mut candidates = [0.0, -0.1f32];
    let mut history = Vec::new();
    for _ in 0..40 {
        let k = winner(&candidates, a);
        let (loser, before) = (1 - k, candidates);
        assert!((candidates[k] - a).abs() <= (candidates[loser] - a).abs());
        candidates[k] = step(candidates[k]);
        assert_eq!(candidates[loser], before[loser]);
        history.push(k);
    }
    let passed = history.iter().position(|k| *k == 1).unwrap();
    assert!(history[..passed].iter().all(|k| *k == 0) && passed > 5);
    assert!((candidates[0] - 0.1).abs() < 0.01, "the first was pulled on after it lost: {candidates:?}");
    assert!(candidates[1] > -0.1, "the second was not pulled: {candidates:?}");
}

#[test]
fn coverage_of_modes_has_its_bound() {
    let p = [0.4, 0.3, 0.2, 0.1];
    for (k, bound, simulated) in [(8, 0.327, 0.411), (16, 0.783, 0.784), (32, 0.965, 0.966)] {
        let found = 1.0 - p.iter().map(|p| (1.0f64 - p).powi(k)).sum::<f64>();
        assert!((found - bound).abs() < 5e-4, "{k}: {found}");
        let mut stream = Stream::new(k as u64, "test");
        let runs = 20_000;
        // Candidates lie on modes, and each mode's action is routed to one. A mode without any takes the winner of a
        // neighbour, as ties go to the first.
        let covered = (0..runs).filter(|_| {
            let candidate = |_| {
                let u = stream.uniform();
                vec![CENTRES[usize::from(u >= 0.4) + usize::from(u >= 0.7) + usize::from(u >= 0.9)]; 4]
            };
            let candidates: Vec<Vec<f32>> = (0..k).map(candidate).collect();
            let mut winners = route(&candidates, &CENTRES, 1).winners;
            winners.sort_unstable();
            winners.dedup();
            winners.len() == CENTRES.len()
        });
        let share = covered.count() as f64 / runs as f64;
        let error = 5.0 * (share * (1.0 - share) / runs as f64).sqrt();
        assert!(share > bound - error && (share - simulated).abs() < error + 1e-3, "{k}: {share}");
    }
}

#[test]
fn the_actor_covers_four_modes_where_one_candidate_finds_their_mean() {
    let train = |k: usize| {
        let mut drol = drol(k, 100.0, (1, 1));
        let mut stream = Stream::new(5, "data");
        let observations = [0.5f32; 64];
        let mut last = Vec::new();
        for i in 0..1500 {
            let actions: Vec<f32> = observations.iter().map(|_| draw_of_intervals(&mut stream)).collect();
            let metrics = update(&mut drol, &observations, &actions, &[0.0; 64]);
            if i >= 1400 {
                last.push(metrics);
            }
        }
        let mean = |name| last.iter().map(|metrics| metric(metrics, name)).sum::<f64>() / last.len() as f64;
        let mut modes = [0; 4];
        for _ in 0..400 {
            let mut action = [0.0];
            drol.act(&[0.5], &mut action).unwrap();
            for (mode, centre) in modes.iter_mut().zip(CENTRES) {
                *mode += u32::from((action[0] - centre).abs() < 2.0 * HALF_WIDTH);
            }
        }
        (mean("bc_loss"), mean("candidate_divergence"), modes)
    };
    let (alone, routed) = (train(1), train(16));
    // The variance of the data, 5/16 + h²/3, is what one candidate cannot get below.
    assert!((alone.0 - 0.3133).abs() < 0.03 && alone.1 == 0.0, "{alone:?}");
    assert!(routed.0 < 0.1 * alone.0 && routed.1 > 0.05, "{routed:?}");
    assert!(routed.2.iter().all(|count| *count > 10), "{routed:?}");
}

#[test]
fn runs_are_taken_up_again_to_the_bit_and_actions_stay_within_the_limit() {
    let makes: [&dyn Fn() -> Box<dyn Agent>; 3] =
        [&|| Box::new(fql()), &|| Box::new(drol(4, 3.0, DIMS)), &|| Box::new(rebrac())];
    for make in makes {
        let step = |agent: &mut dyn Agent, t: u64| {
            let mut stream = Stream::new(t, "batch");
            let mut draw = |count| (0..count).map(|_| stream.normal() as f32).collect::<Vec<f32>>();
            let observations = draw(8 * DIMS.0);
            update(agent, &observations, &draw(8 * DIMS.1), &draw(8));
            let mut actions = [0.0; 2 * DIMS.1];
            let (act, explore) = actions.split_at_mut(DIMS.1);
            agent.act(&observations[..DIMS.0], act).unwrap();
            agent.explore(t, &observations[..DIMS.0], explore).unwrap();
            assert!(actions.iter().all(|a| a.abs() <= 1.0));
            actions
        };
        let mut agent = make();
        (0..10).for_each(|t| _ = step(&mut *agent, t));
        let bytes = Archive::save(|archive| agent.state(archive)).unwrap();
        let mut again = make();
        Archive::load(&bytes, |archive| again.state(archive)).unwrap();
        for t in 10..20 {
            assert_eq!(step(&mut *agent, t), step(&mut *again, t));
        }
        assert_eq!(agent.publish().unwrap(), again.publish().unwrap());
    }
}

#[test]
fn rebrac_starts_near_0() {
    let mut action = [0.0; DIMS.1];
    rebrac().act(&[1.0, -1.0, 0.5], &mut action).unwrap();
    assert!(action.iter().all(|a| a.abs() < 0.2 && *a != 0.0), "{action:?}");
}

#[test]
fn no_candidate_is_an_error() {
    let config = DrolConfig {
        hidden: vec![4],
        learning_rate: 1e-3,
        discount: 0.99,
        polyak: 0.005,
        target: Aggregate::Mean,
        candidates: 0,
        bc_coef: 1.0,
    };
    let error = Drol::new(config, DIMS, 1.0, 1, &Device::Cpu).err().unwrap().to_string();
    assert_eq!(error, "DROL routes among at least one candidate, not 0");
}
