//! DROL: Mu, Zhao, Zhong and Zhang 2026, "Preserve Support, Not Correspondence: Dynamic Routing for Offline Reinforcement
//! Learning" (arXiv 2604.22229).
//!
//! A one-step actor f(s, z) makes K candidates of K latents. Only the one nearest to the dataset's action learns: to come
//! nearer, and to be worth more.

use crate::actor::{load, theta_from_weights, weights_from_theta};
use crate::critics::{Aggregate, Critics, scale_of};
use crate::fql::act_with;
use crate::tensors::{Transitions, scalar, var};
use crate::{Agent, Batch, Metrics, OneStep, Weights};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Head, Mlp, Unit, backward};
use state::Archive;
use streams::Stream;

/// Everything that DROL leaves to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct DrolConfig {
    /// Width of each hidden layer, of actor and critics alike.
    pub hidden: Vec<usize>,
    /// Adam's learning rate for actor and critics.
    pub learning_rate: f64,
    /// γ.
    pub discount: f64,
    /// Share of the online critics in each Polyak step.
    pub polyak: f64,
    /// What the critics' target is made of. The actor always ascends the lesser value.
    pub target: Aggregate,
    /// K.
    pub candidates: usize,
    /// Weight of the squared distance to the dataset's action.
    pub bc_coef: f64,
}

/// A DROL learner. Actions lie within ±`action_limit`.
pub struct Drol {
    config: DrolConfig,
    action_dim: usize,
    action_limit: f64,
    device: Device,
    actor: Mlp,
    /// φ, the actor's parameters.
    phi: Var,
    critics: Critics,
    actor_optimiser: Adam,
    updates: u64,
    exploration: Stream,
    evaluation: Stream,
    latents: Stream,
}

/// One latent: uniform in the solid ball of radius √d around 0.
pub fn latent(stream: &mut Stream, z: &mut [f32]) {
    let dims = z.len() as f64;
    let direction: Vec<f64> = z.iter().map(|_| stream.normal()).collect();
    let norm = libm::sqrt(direction.iter().map(|x| x * x).sum());
    let radius = libm::sqrt(dims) * libm::pow(stream.uniform(), 1.0 / dims);
    for (z, x) in z.iter_mut().zip(direction) {
        *z = (radius * x / norm) as f32;
    }
}

/// Which candidates win.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// Of each action, the candidate nearest to it, the first of those that tie.
    pub winners: Vec<usize>,
    /// Mean squared distance of an action's candidates from their centre, a dimension.
    pub divergence: f64,
}

/// Routes each of `actions [size, dims]` to one of its `candidates`, each `[size, dims]`.
#[must_use]
pub fn route(candidates: &[Vec<f32>], actions: &[f32], dims: usize) -> Routing {
    let mut winners = Vec::with_capacity(actions.len() / dims);
    let mut divergence = 0.0;
    let mut centre = vec![0f32; dims];
    for (i, action) in actions.chunks_exact(dims).enumerate() {
        let of = |k: usize| &candidates[k][i * dims..][..dims];
        let distance = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
        centre.fill(0.0);
        let mut nearest = (f32::INFINITY, 0);
        for k in 0..candidates.len() {
            let found = distance(of(k), action);
            if found < nearest.0 {
                nearest = (found, k);
            }
            centre.iter_mut().zip(of(k)).for_each(|(centre, x)| *centre += x / candidates.len() as f32);
        }
        winners.push(nearest.1);
        divergence += (0..candidates.len()).map(|k| f64::from(distance(of(k), &centre))).sum::<f64>();
    }
    divergence /= (candidates.len() * actions.len()) as f64;
    Routing { winners, divergence }
}

impl Drol {
    /// A learner with fresh networks for observations and actions of these sizes.
    ///
    /// # Errors
    /// If K is 0 or the device has no room.
    pub fn new(
        config: DrolConfig,
        (observation_dim, action_dim): (usize, usize),
        action_limit: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        ensure!(config.candidates > 0, "DROL routes among at least one candidate, not 0");
        let sizes = [&[observation_dim + action_dim], config.hidden.as_slice(), &[action_dim]].concat();
        let actor = Mlp::new(&sizes, Head::Linear).units(Unit::Gelu);
        let mut init = Stream::new(seed, "init");
        let phi = var(&actor.init_glorot(&mut init), device)?;
        let dims = (observation_dim, action_dim);
        let critics = Critics::new(dims, &config.hidden, config.learning_rate, &mut init, device)?;
        Ok(Self {
            actor_optimiser: Adam::new(&phi, config.learning_rate)?,
            config,
            action_dim,
            action_limit,
            device: device.clone(),
            actor,
            phi,
            critics,
            updates: 0,
            exploration: Stream::new(seed, "exploration"),
            evaluation: Stream::new(seed, "evaluation"),
            latents: Stream::new(seed, "latents"),
        })
    }

    /// One update with given latents: `next [size, action]` for the actions in s′ and `latents [K, size, action]` for the
    /// candidates in s.
    ///
    /// # Errors
    /// If the shapes do not fit or a loss is not finite.
    pub fn update_with_latents(
        &mut self,
        batch: &Batch<'_>,
        next: &[f32],
        latents: &[f32],
    ) -> Result<Metrics> {
        let config = &self.config;
        let limit = self.action_limit;
        let actions = batch.actions;
        ensure!(
            latents.len() == config.candidates * actions.len(),
            "{} candidates of {} numbers take {} latents, not {}",
            config.candidates,
            actions.len(),
            config.candidates * actions.len(),
            latents.len()
        );
        let batch = Transitions::new(batch, &self.device)?;
        self.updates += 1;

        // a′ = clip(f_φ(s′, z′)),  y ← r + γ agg_i Q_θ′i(s′, a′); nothing has moved yet
        let next = Tensor::from_slice(next, batch.a.shape(), &self.device)?;
        let phi = self.phi.as_detached_tensor();
        let next_a = self.actor.forward_beside(&batch.next_s, &next, &phi)?.clamp(-limit, limit)?;
        let next_q = self.critics.target_q(&batch.next_s, &next_a, config.target)?;
        let y = batch.discounted(&next_q, config.discount)?;

        // k* ← argmin_k |clip(f_φ(s, z_k)) − a|². Losers learn nothing, so no tape is kept of this.
        let routing = self.route(&batch, actions, latents)?;
        let z = winning(latents, &routing.winners, self.action_dim);

        // φ ← argmin bc_coef · mean |x − a|² / d − λ mean min_i Q_θi(s, x),  x = clip(f_φ(s, z_k*))
        let loss = self.actor_loss(&batch, &z)?;
        let gradients = backward(&loss.total)?;
        let gradient = gradients.of(&self.phi).expect("the actor loss depends on φ");
        self.actor_optimiser.step(&self.phi, gradient)?;

        self.critics.update_targets(config.polyak)?;
        let critic_loss = self.critics.update(&batch, &y)?;
        let k = config.candidates as f64;
        let mut metrics = vec![
            ("critic_loss", scalar("critic loss", self.updates, &critic_loss)?),
            ("actor_loss", scalar("actor loss", self.updates, &loss.total)?),
            ("bc_loss", scalar("distance to the data", self.updates, &loss.bc)?),
            ("q", scalar("mean value", self.updates, &loss.q)?),
            ("saturated_share", loss.saturated),
            ("candidate_divergence", routing.divergence),
        ];
        if config.candidates > 1 {
            metrics.push(("pairwise_distance", libm::sqrt(2.0 * k / (k - 1.0) * routing.divergence)));
        }
        Ok(metrics)
    }

    fn route(&self, batch: &Transitions, actions: &[f32], latents: &[f32]) -> Result<Routing> {
        if self.config.candidates == 1 {
            return Ok(Routing { winners: vec![0; actions.len() / self.action_dim], divergence: 0.0 });
        }
        let phi = self.phi.as_detached_tensor();
        // One candidate of all states at a time: its activations stay in the cache.
        let candidate = |z: &[f32]| {
            let z = Tensor::from_slice(z, batch.a.shape(), &self.device)?;
            let x = self.actor.forward_beside(&batch.s, &z, &phi)?;
            Ok(x.clamp(-self.action_limit, self.action_limit)?.flatten_all()?.to_vec1::<f32>()?)
        };
        let candidates =
            latents.chunks_exact(actions.len()).map(candidate).collect::<Result<Vec<Vec<f32>>>>()?;
        Ok(route(&candidates, actions, self.action_dim))
    }

    /// The actor's loss at the candidates of latents `z [size, action]`.
    fn actor_loss(&self, batch: &Transitions, z: &[f32]) -> Result<ActorLoss> {
        let Transitions { s, a, .. } = batch;
        let limit = self.action_limit;
        let z = Tensor::from_slice(z, a.shape(), &self.device)?;
        let x = self.actor.forward_beside(s, &z, &self.phi)?;
        let saturated = x.detach().abs()?.ge(limit)?.to_dtype(x.dtype())?.mean_all()?.to_scalar::<f32>()?;
        let x = x.clamp(-limit, limit)?;
        let bc = (&x - a)?.sqr()?.mean_all()?;
        let q = Aggregate::Min.of(&self.critics.q(s, &x)?)?;
        let lambda = scale_of(&q)?;
        let q = q.mean_all()?;
        let total = (bc.affine(self.config.bc_coef, 0.0)? - q.affine(lambda, 0.0)?)?;
        Ok(ActorLoss { total, bc, q, saturated: f64::from(saturated) })
    }

    /// All parameters by name: `actor.0.weight`, `critic1.0.weight`, `critic1.0.norm.weight`,
    /// `target_critic1.0.weight`, ….
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = self.critics.weights()?;
        weights.extend(weights_from_theta(&self.actor, |_, name| format!("actor.{name}"), &self.phi)?);
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights) -> Result<()> {
        load(&self.phi, &theta_from_weights(&self.actor, |_, name| format!("actor.{name}"), weights)?)?;
        self.critics.load_weights(weights)
    }

    fn act_with(&self, observation: &[f32], latents: &[f32], count: usize) -> Result<Vec<f32>> {
        act_with((&self.actor, &self.phi), self.action_limit, observation, latents, count)
    }
}

/// The actor's loss, and what of it is worth logging.
struct ActorLoss {
    total: Tensor,
    bc: Tensor,
    q: Tensor,
    /// The share of the winners' coordinates that lie beyond the limit, where no gradient reaches them.
    saturated: f64,
}

/// Of `latents [K, size, dims]`, those of the winners, `[size, dims]`.
fn winning(latents: &[f32], winners: &[usize], dims: usize) -> Vec<f32> {
    let size = winners.len();
    let of = |(i, k): (usize, &usize)| &latents[(k * size + i) * dims..][..dims];
    winners.iter().enumerate().flat_map(of).copied().collect()
}

/// `count` latents of `dims` numbers, one after the other.
fn draw(stream: &mut Stream, count: usize, dims: usize) -> Vec<f32> {
    let mut z = vec![0.0; count * dims];
    z.chunks_exact_mut(dims).for_each(|z| latent(stream, z));
    z
}

impl OneStep for Drol {
    fn draws(&self, observation: &[f32], count: usize, stream: &mut Stream) -> Result<Vec<f32>> {
        self.act_with(observation, &draw(stream, count, self.action_dim), count)
    }

    fn values(&self, observation: &[f32], actions: &[f32]) -> Result<Vec<f32>> {
        self.critics.min_q(observation, actions, actions.len() / self.action_dim)
    }
}

impl Agent for Drol {
    /// A draw from the actor, as the authors evaluate it: there is no action without a latent.
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let z = draw(&mut self.evaluation, 1, action.len());
        action.copy_from_slice(&self.act_with(observation, &z, 1)?);
        Ok(())
    }

    fn explore(&mut self, _t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let z = draw(&mut self.exploration, 1, action.len());
        action.copy_from_slice(&self.act_with(observation, &z, 1)?);
        Ok(())
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let size = batch.rewards.len();
        let next = draw(&mut self.latents, size, self.action_dim);
        let latents = draw(&mut self.latents, self.config.candidates * size, self.action_dim);
        self.update_with_latents(batch, &next, &latents)
    }

    fn one_step(&self) -> Option<&dyn OneStep> {
        Some(self)
    }

    /// Those of the network from state and latent.
    fn policy_weights(&self) -> Result<Weights> {
        weights_from_theta(&self.actor, |_, name| name.to_owned(), &self.phi)
    }

    /// All parameters, as [`Self::weights`] names them.
    fn publish(&self) -> Result<Weights> {
        self.weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "phi", &self.phi)?;
        self.critics.state(archive)?;
        archive.group("actor_optimiser", |archive| self.actor_optimiser.state(archive))?;
        archive.item("updates", &mut self.updates)?;
        archive.item("exploration", &mut self.exploration)?;
        archive.item("evaluation", &mut self.evaluation)?;
        archive.item("latents", &mut self.latents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn::Gradient;

    const DIMS: (usize, usize) = (4, 3);
    const SIZE: usize = 20;

    fn drol(candidates: usize) -> Drol {
        let config = DrolConfig {
            hidden: vec![24, 24],
            learning_rate: 1e-3,
            discount: 0.99,
            polyak: 0.005,
            target: Aggregate::Mean,
            candidates,
            bc_coef: 2.0,
        };
        Drol::new(config, DIMS, 1.0, 1, &Device::Cpu).unwrap()
    }

    fn batch() -> (Transitions, Vec<f32>) {
        let mut stream = Stream::new(0, "test");
        let mut draw = |count: usize| (0..count).map(|_| 0.6 * stream.normal() as f32).collect::<Vec<f32>>();
        let (observations, actions, rewards) = (draw(SIZE * DIMS.0), draw(SIZE * DIMS.1), draw(SIZE));
        let batch = Batch {
            observations: &observations,
            actions: &actions,
            rewards: &rewards,
            next_observations: &observations,
            not_terminal: &[1.0; SIZE],
            next_actions: &[],
        };
        (Transitions::new(&batch, &Device::Cpu).unwrap(), actions)
    }

    fn gradient(loss: &Tensor, drol: &Drol) -> Vec<f32> {
        match backward(loss).unwrap().of(&drol.phi).unwrap() {
            Gradient::Slice(values) => values.to_vec(),
            Gradient::Tensor(tensor) => tensor.to_vec1().unwrap(),
        }
    }

    #[test]
    fn the_winners_gradient_is_that_of_all_candidates() {
        let k = 6;
        let drol = drol(k);
        let (batch, actions) = batch();
        let latents = draw(&mut Stream::new(3, "latents"), k * SIZE, DIMS.1);
        let routing = drol.route(&batch, &actions, &latents).unwrap();
        assert!((1..k).any(|k| routing.winners.contains(&k)));
        let ours = drol.actor_loss(&batch, &winning(&latents, &routing.winners, DIMS.1)).unwrap();

        // Actor and critics over all K · size candidates, and a mask that leaves the winners.
        let z = Tensor::from_slice(&latents, (k * SIZE, DIMS.1), &Device::Cpu).unwrap();
        let many = |tensor: &Tensor| tensor.repeat((k, 1)).unwrap();
        let x = drol.actor.forward_beside(&many(&batch.s), &z, &drol.phi).unwrap().clamp(-1.0, 1.0).unwrap();
        let wins = (0..k * SIZE).map(|row| f32::from(u8::from(routing.winners[row % SIZE] == row / SIZE)));
        let wins = Tensor::from_iter(wins, &Device::Cpu).unwrap();
        let distances = (&x - many(&batch.a)).unwrap().sqr().unwrap().sum(1).unwrap();
        let q = drol.critics.q(&many(&batch.s), &x).unwrap().min(0).unwrap().squeeze(1).unwrap();
        let (distances, q) = ((distances * &wins).unwrap(), (q * &wins).unwrap());
        let mean = |values: Tensor| values.sum_all().unwrap().affine(1.0 / SIZE as f64, 0.0).unwrap();
        let lambda = 1.0 / f64::from(mean(q.abs().unwrap()).to_scalar::<f32>().unwrap());
        let bc = mean(distances).affine(2.0 / DIMS.1 as f64, 0.0).unwrap();
        let all = (bc - mean(q).affine(lambda, 0.0).unwrap()).unwrap();

        let (ours, all) = (gradient(&ours.total, &drol), gradient(&all, &drol));
        let size = all.iter().fold(0f32, |size, g| size.max(g.abs()));
        assert!(size > 1e-3);
        for (ours, all) in ours.iter().zip(&all) {
            assert!((ours - all).abs() < 1e-6 * size.max(1.0), "{ours} instead of {all}");
        }
    }

    #[test]
    fn with_one_candidate_it_is_ddpg_with_behaviour_cloning() {
        let drol = drol(1);
        let (batch, actions) = batch();
        let latents = draw(&mut Stream::new(3, "latents"), SIZE, DIMS.1);
        let routing = drol.route(&batch, &actions, &latents).unwrap();
        let ours = drol.actor_loss(&batch, &winning(&latents, &routing.winners, DIMS.1)).unwrap();

        let z = Tensor::from_slice(&latents, (SIZE, DIMS.1), &Device::Cpu).unwrap();
        let x = drol.actor.forward_beside(&batch.s, &z, &drol.phi).unwrap().clamp(-1.0, 1.0).unwrap();
        let q = drol.critics.q(&batch.s, &x).unwrap().min(0).unwrap();
        let lambda = 1.0 / f64::from(q.abs().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap());
        let cloning = (&x - &batch.a).unwrap().sqr().unwrap().mean_all().unwrap();
        let ascent = q.mean_all().unwrap().affine(-lambda, 0.0).unwrap();
        let ddpg = (cloning.affine(2.0, 0.0).unwrap() + ascent).unwrap();
        assert_eq!(gradient(&ours.total, &drol), gradient(&ddpg, &drol));
    }

    #[test]
    fn ties_go_to_the_first_and_pairs_are_as_far_apart_as_the_divergence_says() {
        let candidates = [vec![0.5, 0.0], vec![-0.5, 0.0], vec![0.5, 0.0], vec![2.0, 1.0]];
        let routing = route(&candidates, &[0.5, 0.1], 2);
        assert_eq!(routing.winners, [0]);
        let mut pairs = 0.0;
        for (i, x) in candidates.iter().enumerate() {
            for y in candidates.iter().skip(i + 1) {
                pairs +=
                    x.iter().zip(y).map(|(x, y): (&f32, &f32)| f64::from(x - y).powi(2)).sum::<f64>() / 2.0;
            }
        }
        // Of K (K − 1) / 2 pairs.
        assert!((pairs / 6.0 - 2.0 * 4.0 / 3.0 * routing.divergence).abs() < 1e-6);
        let equal = route(&[vec![1.0], vec![-1.0]], &[0.0], 1);
        assert_eq!(equal.winners, [0]);
    }
}
