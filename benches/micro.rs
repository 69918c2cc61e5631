//! The parts that training and statistics spend their time in, each by itself: `cargo bench`.
//!
//! Seconds differ from machine to machine and from hour to hour; compare within one run. What is compared with other
//! programs is in `cargo xtask bench`.
#![expect(clippy::unwrap_used, reason = "a benchmark says what fails by failing there")]

use candle_core::{Device, Tensor, Var};
use datasets::{Drawn, Replay};
use divan::{Bencher, black_box};
use envs::Action;
use nn::{Adam, Head, Mlp, Unit, backward, polyak};
use streams::Stream;

fn main() {
    divan::main();
}

const BATCH: usize = 256;

/// Sizes of networks: HalfCheetah's critic, Humanoid's, and a wide one.
const NETWORKS: [&[usize]; 3] = [&[23, 256, 256, 1], &[365, 256, 256, 1], &[64, 512, 512, 512, 512, 1]];

fn parameters(mlp: &Mlp) -> Var {
    let theta = mlp.init(&mut Stream::new(0, "init"));
    Var::from_tensor(&Tensor::from_slice(&theta, theta.len(), &Device::Cpu).unwrap()).unwrap()
}

fn network(sizes: &[usize]) -> (Mlp, Var, Tensor) {
    let mlp = Mlp::new(sizes, Head::Linear);
    let theta = parameters(&mlp);
    let stream = &mut Stream::new(0, "bench");
    let x: Vec<f32> = (0..BATCH * sizes[0]).map(|_| stream.normal() as f32).collect();
    (mlp, theta, Tensor::from_vec(x, (BATCH, sizes[0]), &Device::Cpu).unwrap())
}

#[divan::bench(args = NETWORKS)]
fn forward(bencher: Bencher<'_, '_>, sizes: &[usize]) {
    let (mlp, theta, x) = network(sizes);
    let theta = theta.as_detached_tensor();
    bencher.bench_local(|| mlp.forward(&x, &theta).unwrap());
}

#[divan::bench(args = NETWORKS)]
fn forward_and_backward(bencher: Bencher<'_, '_>, sizes: &[usize]) {
    let (mlp, theta, x) = network(sizes);
    bencher.bench_local(|| backward(&mlp.forward(&x, &theta).unwrap()).unwrap());
}

/// The wide network with normalised GELU units, as offline agents have it.
#[divan::bench]
fn forward_and_backward_normalised(bencher: Bencher<'_, '_>) {
    let mlp = Mlp::new(NETWORKS[2], Head::Linear).units(Unit::Gelu).layer_norm();
    let (theta, x) = (parameters(&mlp), network(NETWORKS[2]).2);
    bencher.bench_local(|| backward(&mlp.forward(&x, &theta).unwrap()).unwrap());
}

#[divan::bench(args = NETWORKS)]
fn adam(bencher: Bencher<'_, '_>, sizes: &[usize]) {
    let (_, theta, _) = network(sizes);
    let gradient = theta.as_detached_tensor().copy().unwrap();
    let mut adam = Adam::new(&theta, 3e-4).unwrap();
    bencher.bench_local(|| adam.step(&theta, &gradient).unwrap());
}

#[divan::bench(args = NETWORKS)]
fn polyak_averaging(bencher: Bencher<'_, '_>, sizes: &[usize]) {
    let ((_, online, _), (_, target, _)) = (network(sizes), network(sizes));
    bencher.bench_local(|| polyak(&target, &online, 0.005).unwrap());
}

/// A hundred thousand transitions of HalfCheetah's and of Humanoid's size.
#[divan::bench(args = [(17, 6), (348, 17)])]
fn draw(bencher: Bencher<'_, '_>, dims: (usize, usize)) {
    let mut replay = Replay::new(dims, 100_000);
    let (mut s, a) = (vec![0.0; dims.0], vec![0.0; dims.1]);
    for i in 0..100_000 {
        let next = vec![i as f32; dims.0];
        replay.push(&s, &a, 0.0, false, &next);
        s = next;
    }
    let (mut stream, mut drawn) = (Stream::new(0, "replay"), Drawn::default());
    bencher.bench_local(|| {
        replay.draw(BATCH, &mut stream, &mut drawn);
        black_box(&drawn);
    });
}

#[divan::bench(args = ["HalfCheetah-v5", "Hopper-v5", "Humanoid-v5"])]
fn environment_step(bencher: Bencher<'_, '_>, id: &str) {
    let mut env = envs::make(id).unwrap();
    let (mut starts, mut actions) = (Stream::new(0, "env"), Stream::new(0, "actions"));
    env.reset(&mut starts);
    let limit = env.spec().action_limit;
    let mut action = vec![0f32; env.spec().action_dim];
    bencher.bench_local(|| {
        action.fill_with(|| actions.uniform_in(-limit, limit) as f32);
        let step = env.step(Action::F32(&action));
        if step.terminated || step.truncated {
            env.reset(&mut starts);
        }
        step
    });
}

/// Ten thousand resamples of the median of ten runs.
#[divan::bench]
fn bootstrap_of_a_median(bencher: Bencher<'_, '_>) {
    let sample: Vec<f64> = (0..10).map(f64::from).collect();
    bencher.bench_local(|| stats::bootstrap_sample(&sample, 10_000, 0, "bench", stats::median_in_place));
}
