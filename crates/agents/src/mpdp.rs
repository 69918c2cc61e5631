//! MPDP on SAC: Li et al. 2023, "Theoretically Guaranteed Policy Improvement Distilled from Model-Based Planning"
//! (arXiv 2307.12933), Algorithm 2.

use crate::actor::{theta_from_weights, weights_from_theta};
use crate::dynamics::{Dynamics, DynamicsConfig, Fitted, Prediction};
use crate::plan::{Fate, Imagined, PlanConfig, Stop, World, plan};
use crate::tensors::{Transitions, normals, scalar};
use crate::{Agent, Batch, Metrics, Sac, SacConfig, Weights};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, Gradient, backward};
use state::Archive;
use streams::Stream;

/// Everything that MPDP leaves to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct MpdpConfig {
    /// The critics, the policies' networks, the temperature.
    pub sac: SacConfig,
    /// The model.
    pub dynamics: DynamicsConfig,
    /// Horizon, penalty, and what a last step adds.
    pub plan: PlanConfig,
    /// Environment steps between two trainings of the model.
    pub fit_every: u64,
    /// u_T: a trajectory stops where the model's error reaches it.
    pub error_threshold: f64,
    /// The scale on which it does.
    pub threshold_scale: ErrorScale,
    /// The scale of the error that β multiplies.
    pub penalty_scale: ErrorScale,
    /// Whether disagreement about the reward counts as error too.
    pub error_of_reward: bool,
    /// How far beyond all seen states a prediction may lie, in shares of their range; farther is uncertain.
    pub range_margin: f64,
    /// Whether all steps share one policy.
    pub shared_policy: bool,
    /// Whether π_t starts as a copy of π_0 when a plan first reaches step t, and not from the first π_0.
    pub copy_when_reached: bool,
    /// Whether policies of steps that no trajectory reached take an optimiser step all the same, without gradient.
    pub step_unreached: bool,
    /// The longest gradient that a policy's step takes.
    pub longest_gradient: Option<f64>,
    /// Whether the model's mean stands for a draw.
    pub mean_prediction: bool,
    /// Whether plans end in the values of the target critics.
    pub target_values: bool,
    /// Whether β u is taken off the critics' rewards too.
    pub critic_penalty: bool,
}

/// What an error is counted in: Σ_i KL(p_i ‖ p_rest) over members i and dimensions, in nats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScale {
    /// As it is, the paper's equation 8.
    Sum,
    /// A member's mean.
    Mean,
    /// A member's and a dimension's mean.
    MeanPerDimension,
}

/// Where a plan's randomness comes from. Normal draws are `[live, dims]`.
pub trait Draws {
    /// For the actions of step `t`.
    fn actions(&mut self, t: usize, rows: &[u32], dims: usize) -> Vec<f32>;
    /// For reward and next state.
    fn transitions(&mut self, t: usize, rows: &[u32], dims: usize) -> Vec<f32>;
    /// The model's member for each row, one of `elites`.
    fn members(&mut self, t: usize, rows: &[u32], elites: &[u64]) -> Vec<u32>;
    /// For the actions in the state after step `t`, where a value is taken.
    fn values(&mut self, t: usize, rows: &[u32], dims: usize) -> Vec<f32>;
}

/// An MPDP learner. π_0 is the SAC's actor.
pub struct Mpdp {
    config: MpdpConfig,
    /// Whether the task ends in a state.
    ends: fn(&[f32]) -> bool,
    sac: Sac,
    dynamics: Dynamics,
    /// π_1, π_2, ….
    later: Vec<Policy>,
    /// How many steps any plan has reached.
    reached: usize,
    streams: Streams,
}

/// One of the later policies.
struct Policy {
    phi: Var,
    optimiser: Adam,
}

impl Mpdp {
    /// A learner with fresh networks for observations and actions of these sizes; actions lie within ±`action_limit`,
    /// and the task ends in the states for which `ends` holds.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(
        config: MpdpConfig,
        dims: (usize, usize),
        action_limit: f64,
        ends: fn(&[f32]) -> bool,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let sac = Sac::new(config.sac.clone(), dims, action_limit, seed, device)?;
        let count = if config.shared_policy { 0 } else { config.plan.horizon - 1 };
        let policy = |_| -> Result<Policy> {
            let phi = Var::from_tensor(&sac.phi.copy()?)?;
            Ok(Policy { optimiser: Adam::new(&phi, config.sac.learning_rate)?, phi })
        };
        Ok(Self {
            ends,
            dynamics: Dynamics::new(config.dynamics.clone(), dims, seed, device)?,
            later: (0..count).map(policy).collect::<Result<_>>()?,
            config,
            sac,
            reached: 1,
            streams: Streams::new(seed),
        })
    }

    /// One update with `next_noise` for the actions in s′ that the critics learn from, `[size, action]`, and a plan
    /// whose randomness is `draws`.
    ///
    /// # Errors
    /// If the shapes do not fit or a loss is not finite.
    pub fn update_with_draws(
        &mut self,
        batch: &Batch<'_>,
        next_noise: &[f32],
        draws: &mut dyn Draws,
    ) -> Result<Metrics> {
        let Self { config, ends, sac, dynamics, later, reached, .. } = self;
        let mut transitions = Transitions::new(batch, &sac.device)?;
        let alpha = sac.temperature()?;
        if config.critic_penalty {
            transitions.r = penalised(config, dynamics, &transitions)?;
        }
        let critic_loss = sac.update_critics(&transitions, next_noise)?;

        // π_0, …, π_{H−1} ← argmax mean J, through the model
        let theta = if config.target_values { &sac.theta_target } else { &sac.theta };
        let theta = theta.as_detached_tensor();
        let mut world = Imagination {
            config,
            ends: *ends,
            sac,
            dynamics,
            later,
            reached,
            theta,
            draws,
            alpha,
            first_density: None,
        };
        // A model that has seen nothing is uncertain everywhere.
        let rules = match world.dynamics.fitted() {
            Some(_) => config.plan,
            None => PlanConfig { horizon: 1, stop: Stop::Q, ..config.plan },
        };
        let plan = plan(&mut world, &transitions.s, &rules, config.sac.discount, alpha)?;
        let density = world.first_density.take().expect("a plan has a first step");
        let actor_loss = plan.objective.mean_all()?.neg()?;
        let loss = scalar("actor loss", sac.updates, &actor_loss)?;
        let gradients = backward(&actor_loss)?;
        let first = (&sac.phi, &mut sac.actor_optimiser);
        let all = later.iter_mut().map(|policy| (&policy.phi, &mut policy.optimiser));
        for (phi, optimiser) in std::iter::once(first).chain(all) {
            match (gradients.of(phi), config.longest_gradient) {
                (Some(gradient), None) => optimiser.step(phi, gradient)?,
                (Some(gradient), Some(longest)) => {
                    let gradient = gradient.clipped(longest)?;
                    let is_finite = gradient.iter().all(|g| g.is_finite());
                    ensure!(is_finite, "the gradient of a plan is not finite at update {}", sac.updates);
                    optimiser.step(phi, gradient.as_slice())?;
                }
                (None, _) if config.step_unreached => {
                    optimiser.step(phi, Gradient::Slice(&vec![0.0; phi.elem_count()]))?;
                }
                (None, _) => {}
            }
        }

        let mut metrics =
            vec![("critic_loss", critic_loss), ("actor_loss", loss), ("mean_horizon", plan.mean_horizon)];
        metrics.extend(sac.update_temperature(alpha, &density)?);
        sac.update_targets()?;
        Ok(metrics)
    }

    /// All parameters by name: SAC's, `policy1.0.weight`, … of the later policies, and the model's.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = self.sac.weights()?;
        for (i, policy) in self.later.iter().enumerate() {
            let name = |_, name: &str| format!("policy{}.{name}", i + 1);
            weights.extend(weights_from_theta(&self.sac.actor, name, &policy.phi)?);
        }
        weights.extend(self.dynamics.weights()?);
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them, with a model that knows `fitted`. Policies that
    /// are given count as reached.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load_weights(&mut self, weights: &Weights, fitted: Fitted) -> Result<()> {
        self.sac.load_weights(weights)?;
        self.dynamics.load(weights, fitted)?;
        for (i, policy) in self.later.iter().enumerate() {
            let name = |_, name: &str| format!("policy{}.{name}", i + 1);
            let phi = theta_from_weights(&self.sac.actor, name, weights)?;
            policy.phi.set(&Tensor::from_slice(&phi, phi.len(), &self.sac.device)?)?;
        }
        self.reached = 1 + self.later.len();
        Ok(())
    }
}

/// r − β u(s, a) of real transitions; where the model predicts nothing, r.
fn penalised(config: &MpdpConfig, dynamics: &Dynamics, transitions: &Transitions) -> Result<Tensor> {
    let Transitions { s, a, r, .. } = transitions;
    if dynamics.fitted().is_none() {
        return Ok(r.clone());
    }
    let (size, seen) = s.dims2()?;
    let noise = Tensor::zeros((size, 1 + seen), s.dtype(), s.device())?;
    let prediction = dynamics.predict(s, a, &vec![0; size], &noise, config.error_of_reward)?;
    let factor = config.penalty_scale.factor(config, seen) * config.plan.penalty;
    let penalty = prediction.disagreement.to_vec1::<f32>()?.into_iter().map(|u| {
        let penalty = (f64::from(u) * factor) as f32;
        if penalty.is_finite() { penalty } else { 0.0 }
    });
    Ok((r - Tensor::from_vec(penalty.collect::<Vec<f32>>(), (size, 1), s.device())?)?)
}

impl ErrorScale {
    /// What the sum over members and dimensions is multiplied by.
    fn factor(self, config: &MpdpConfig, observation_dim: usize) -> f64 {
        let members = config.dynamics.members as f64;
        let dims = observation_dim + usize::from(config.error_of_reward);
        match self {
            Self::Sum => 1.0,
            Self::Mean => 1.0 / members,
            Self::MeanPerDimension => 1.0 / (members * dims as f64),
        }
    }
}

/// The learned model, the policies, and the old policy's values. Actions are in units of the action limit.
struct Imagination<'a> {
    config: &'a MpdpConfig,
    ends: fn(&[f32]) -> bool,
    sac: &'a Sac,
    dynamics: &'a Dynamics,
    later: &'a [Policy],
    reached: &'a mut usize,
    /// Of the critics in whose values plans end.
    theta: Tensor,
    draws: &'a mut dyn Draws,
    alpha: f64,
    /// ln π_0 of the first step.
    first_density: Option<Tensor>,
}

impl Imagination<'_> {
    fn phi(&mut self, t: usize) -> Result<&Var> {
        let Some(later) = t.checked_sub(1).and_then(|i| self.later.get(i)) else { return Ok(&self.sac.phi) };
        if t >= *self.reached {
            *self.reached = t + 1;
            if self.config.copy_when_reached {
                later.phi.set(&self.sac.phi)?;
            }
        }
        Ok(&later.phi)
    }

    fn predict(&self, s: &Tensor, a: &Tensor, members: &[u32], noise: &Tensor) -> Result<Prediction> {
        let a = a.affine(self.sac.action_limit, 0.0)?;
        self.dynamics.predict(s, &a, members, noise, self.config.error_of_reward)
    }

    /// What becomes of a trajectory by reward, next state and Σ KL; the error may be of any size.
    fn fate(&self, fitted: &Fitted, reward: f32, next: &[f32], disagreement: f32) -> Fate {
        if !(reward.is_finite() && disagreement.is_finite() && next.iter().all(|x| x.is_finite())) {
            return Fate::Broken;
        }
        let scale = self.config.threshold_scale.factor(self.config, next.len());
        // What never varied has no range to be beyond of, and every draw would be: a body's mass, of Humanoid's states.
        let is_far = |(x, (low, high)): (&f32, (&f32, &f32))| {
            let margin = (self.config.range_margin * f64::from(high - low)) as f32;
            low < high && (*x < low - margin || *x > high + margin)
        };
        let mut entries = next.iter().zip(fitted.lowest.iter().zip(&fitted.highest));
        if f64::from(disagreement) * scale >= self.config.error_threshold || entries.any(is_far) {
            return Fate::Uncertain;
        }
        if (self.ends)(next) { Fate::Ends } else { Fate::GoesOn }
    }

    fn fates(&self, prediction: &Prediction) -> Result<Vec<Fate>> {
        let fitted = self.dynamics.fitted().expect("no plan is made with a model that has seen nothing");
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (reward, next) = (values(&prediction.reward)?, values(&prediction.next)?);
        let rows = reward.iter().zip(next.chunks_exact(prediction.next.dim(1)?));
        let rows = rows.zip(values(&prediction.disagreement)?);
        Ok(rows.map(|((reward, next), u)| self.fate(fitted, *reward, next, u)).collect())
    }
}

impl World for Imagination<'_> {
    fn act(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let dims = self.sac.action_dim;
        let noise = Tensor::from_vec(self.draws.actions(t, rows, dims), (rows.len(), dims), s.device())?;
        let phi = self.phi(t)?.as_tensor().clone();
        let (a, density) = self.sac.gaussian.sample(&self.sac.actor.forward(s, &phi)?, &noise)?;
        if t == 0 {
            self.first_density = Some(density.detach());
        }
        Ok((a, density))
    }

    fn imagine(&mut self, t: usize, s: &Tensor, a: &Tensor, rows: &[u32]) -> Result<Imagined> {
        let (live, seen) = s.dims2()?;
        let fitted = self.dynamics.fitted().expect("no plan is made with a model that has seen nothing");
        let members = self.draws.members(t, rows, &fitted.elites);
        let noise = if self.config.mean_prediction {
            Tensor::zeros((live, 1 + seen), s.dtype(), s.device())?
        } else {
            Tensor::from_vec(self.draws.transitions(t, rows, 1 + seen), (live, 1 + seen), s.device())?
        };
        let mut prediction = self.predict(s, a, &members, &noise)?;
        let fate = self.fates(&prediction)?;
        if fate.contains(&Fate::Broken) {
            // What is no number must not meet a gradient, not even one of 0: only the other rows are predicted.
            let whole: Vec<u32> = (0..live as u32).filter(|i| fate[*i as usize] != Fate::Broken).collect();
            let zeros = |shape: &[usize]| Tensor::zeros(shape, s.dtype(), s.device());
            let (reward, next, disagreement) = (zeros(&[live])?, zeros(&[live, seen])?, zeros(&[live])?);
            if whole.is_empty() {
                prediction = Prediction { reward, next, disagreement };
            } else {
                let index = Tensor::from_slice(&whole, whole.len(), s.device())?;
                let some = |x: &Tensor| x.contiguous()?.index_select(&index, 0);
                let members: Vec<u32> = whole.iter().map(|i| members[*i as usize]).collect();
                let found = self.predict(&some(s)?, &some(a)?, &members, &some(&noise)?)?;
                prediction = Prediction {
                    reward: reward.index_add(&index, &found.reward.contiguous()?, 0)?,
                    next: next.index_add(&index, &found.next, 0)?,
                    disagreement: disagreement.index_add(&index, &found.disagreement.contiguous()?, 0)?,
                };
            }
        }
        let Prediction { reward, next, disagreement } = prediction;
        let error = disagreement.affine(self.config.penalty_scale.factor(self.config, seen), 0.0)?;
        Ok(Imagined { reward, next, error, fate })
    }

    fn q(&mut self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        let a = a.affine(self.sac.action_limit, 0.0)?;
        Ok(self.sac.critics.forward_beside(s, &a, &self.theta)?.min(0)?.squeeze(1)?)
    }

    fn v(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let dims = self.sac.action_dim;
        let noise = Tensor::from_vec(self.draws.values(t, rows, dims), (rows.len(), dims), s.device())?;
        let outputs = self.sac.actor.forward(s, &self.sac.phi.as_detached_tensor())?;
        let (a, density) = self.sac.gaussian.sample(&outputs, &noise)?;
        Ok((self.q(s, &a)? - density.affine(self.alpha, 0.0)?)?)
    }
}

/// The streams that plans draw from. The actions of a first step are SAC's own draws.
struct Streams {
    actions: Stream,
    transitions: Stream,
    members: Stream,
    values: Stream,
}

/// [`Streams`] in one update.
struct FromStreams<'a> {
    streams: &'a mut Streams,
    first_actions: Vec<f32>,
}

impl Streams {
    fn new(seed: u64) -> Self {
        Self {
            actions: Stream::new(seed, "plan-actions"),
            transitions: Stream::new(seed, "plan-transitions"),
            members: Stream::new(seed, "plan-members"),
            values: Stream::new(seed, "plan-values"),
        }
    }
}

impl Draws for FromStreams<'_> {
    fn actions(&mut self, t: usize, rows: &[u32], dims: usize) -> Vec<f32> {
        if t == 0 {
            return std::mem::take(&mut self.first_actions);
        }
        normals(&mut self.streams.actions, rows.len() * dims)
    }

    fn transitions(&mut self, _t: usize, rows: &[u32], dims: usize) -> Vec<f32> {
        normals(&mut self.streams.transitions, rows.len() * dims)
    }

    fn members(&mut self, _t: usize, rows: &[u32], elites: &[u64]) -> Vec<u32> {
        rows.iter().map(|_| elites[self.streams.members.index(elites.len())] as u32).collect()
    }

    fn values(&mut self, _t: usize, rows: &[u32], dims: usize) -> Vec<f32> {
        normals(&mut self.streams.values, rows.len() * dims)
    }
}

impl Agent for Mpdp {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.sac.act(observation, action)
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.sac.explore(t, observation, action)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        let (next_noise, first_actions) = self.sac.draw_noise(batch.rewards.len());
        // Whatever comes of the update, the streams are the learner's again.
        let mut streams = std::mem::replace(&mut self.streams, Streams::new(0));
        let mut draws = FromStreams { streams: &mut streams, first_actions };
        let metrics = self.update_with_draws(batch, &next_noise, &mut draws);
        self.streams = streams;
        metrics
    }

    fn fits_at(&self, t: u64) -> bool {
        let start = self.config.sac.start_steps;
        t >= start && (t - start).is_multiple_of(self.config.fit_every)
    }

    /// `model_error` is of the model before it is fitted, on what came since it was fitted last.
    fn fit(&mut self, replay: &Batch<'_>) -> Result<Metrics> {
        let error = self.dynamics.error(&replay.last(self.config.fit_every as usize))?;
        self.dynamics.fit(replay)?;
        Ok(error.into_iter().map(|error| ("model_error", error)).collect())
    }

    fn policy_weights(&self) -> Result<Weights> {
        self.sac.policy_weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.group("sac", |archive| self.sac.state(archive))?;
        archive.group("dynamics", |archive| self.dynamics.state(archive))?;
        for (i, policy) in self.later.iter_mut().enumerate() {
            archive.group(&format!("policy{}", i + 1), |archive| {
                nn::state(archive, "phi", &policy.phi)?;
                policy.optimiser.state(archive)
            })?;
        }
        archive.item("reached", &mut self.reached)?;
        archive.item("plan_actions", &mut self.streams.actions)?;
        archive.item("plan_transitions", &mut self.streams.transitions)?;
        archive.item("plan_members", &mut self.streams.members)?;
        archive.item("plan_values", &mut self.streams.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::tests::{Data, config as dynamics_config};

    const DIMS: (usize, usize) = (3, 2);
    const LIMIT: f64 = 0.5;

    fn sac_config() -> SacConfig {
        SacConfig {
            hidden: vec![16, 16],
            learning_rate: 1e-3,
            discount: 0.99,
            polyak: 0.005,
            temperature: 0.2,
            target_entropy: Some(-1.0),
            start_steps: 100,
        }
    }

    fn config() -> MpdpConfig {
        MpdpConfig {
            sac: sac_config(),
            dynamics: dynamics_config(),
            plan: PlanConfig { horizon: 5, penalty: 0.5, stop: Stop::Q },
            fit_every: 50,
            error_threshold: 0.16,
            threshold_scale: ErrorScale::MeanPerDimension,
            penalty_scale: ErrorScale::Mean,
            error_of_reward: false,
            range_margin: 1.0,
            shared_policy: false,
            copy_when_reached: true,
            step_unreached: false,
            longest_gradient: Some(100.0),
            mean_prediction: false,
            target_values: false,
            critic_penalty: false,
        }
    }

    fn mpdp(config: MpdpConfig) -> Mpdp {
        Mpdp::new(config, DIMS, LIMIT, |s| s[0].abs() > 3.0, 0, &Device::Cpu).unwrap()
    }

    fn horizon(metrics: &Metrics) -> f64 {
        metrics.iter().find(|(name, _)| *name == "mean_horizon").unwrap().1
    }

    /// Plans of one step: by the horizon, by a threshold that every error reaches, by a model that has seen nothing, and
    /// by one that predicts no number.
    #[test]
    fn plans_of_one_step_are_sac_bit_for_bit() {
        let data = Data::new(64, 0);
        let mut sac = Sac::new(sac_config(), DIMS, LIMIT, 0, &Device::Cpu).unwrap();
        for _ in 0..20 {
            sac.update(&data.batch()).unwrap();
        }
        let expected = sac.weights().unwrap();
        let one = PlanConfig { horizon: 1, ..config().plan };
        let fit = |mpdp: &mut Mpdp| drop(mpdp.fit(&data.batch()).unwrap());
        let broken = |mpdp: &mut Mpdp| {
            fit(mpdp);
            let mut weights = mpdp.weights().unwrap();
            weights.get_mut("model2.0.weight").unwrap().1[0] = f32::NAN;
            let fitted = mpdp.dynamics.fitted().unwrap().clone();
            mpdp.dynamics.load(&weights, fitted).unwrap();
        };
        type Change<'a> = &'a dyn Fn(&mut Mpdp);
        let cases: [(MpdpConfig, Change<'_>); 5] = [
            (MpdpConfig { plan: one, ..config() }, &fit),
            (MpdpConfig { error_threshold: 0.0, ..config() }, &fit),
            (MpdpConfig { error_threshold: -5.0, threshold_scale: ErrorScale::Sum, ..config() }, &fit),
            (config(), &|_| {}),
            (config(), &broken),
        ];
        for (i, (config, prepare)) in cases.into_iter().enumerate() {
            let mut mpdp = mpdp(config);
            prepare(&mut mpdp);
            for _ in 0..20 {
                assert_eq!(horizon(&mpdp.update(&data.batch()).unwrap()), 1.0, "case {i}");
            }
            let found = mpdp.weights().unwrap();
            assert!(expected.iter().all(|(name, array)| found[name] == *array), "case {i}");
        }
    }

    #[test]
    fn a_plan_moves_the_policies_that_it_reaches_and_nothing_else() {
        let data = Data::new(500, 0);
        let few = Data::new(32, 1);
        let mut sac = Sac::new(sac_config(), DIMS, LIMIT, 0, &Device::Cpu).unwrap();
        for (shared_policy, expected) in [(false, 5.0), (true, 5.0)] {
            // No error is too large: all trajectories go the whole way, but for those that leave the task.
            let mut mpdp =
                mpdp(MpdpConfig { error_threshold: 1e9, range_margin: 1e9, shared_policy, ..config() });
            mpdp.fit(&data.batch()).unwrap();
            let model = mpdp.dynamics.weights().unwrap();
            let before = mpdp.weights().unwrap();
            let found = horizon(&mpdp.update(&few.batch()).unwrap());
            assert!(found > 4.0 && found <= expected, "{found}");
            let after = mpdp.weights().unwrap();
            assert_eq!(mpdp.dynamics.weights().unwrap(), model);
            // The critics are SAC's after the same step: the plan does not touch them.
            if !shared_policy {
                sac.update(&few.batch()).unwrap();
            }
            for (name, array) in
                sac.weights().unwrap().into_iter().filter(|(name, _)| name.contains("critic"))
            {
                assert_eq!(after[&name], array, "{name}");
            }
            for t in 1..5 {
                let name = format!("policy{t}.2.weight");
                assert_eq!(after.contains_key(&name), !shared_policy);
                assert!(shared_policy || after[&name] != before[&name], "{name}");
            }
        }
        // An error that some pairs reach at once and others never: later policies are not reached.
        let mut mpdp = mpdp(MpdpConfig { error_threshold: 1e9, ..config() });
        mpdp.fit(&data.batch()).unwrap();
        mpdp.ends = |_| true;
        let before = mpdp.weights().unwrap();
        assert_eq!(horizon(&mpdp.update(&few.batch()).unwrap()), 1.0);
        let after = mpdp.weights().unwrap();
        assert!(
            before
                .iter()
                .filter(|(name, _)| name.starts_with("policy"))
                .all(|(name, array)| after[name] == *array)
        );
        assert_ne!(before["actor.0.weight"], after["actor.0.weight"]);
    }

    /// Half of the rows get predictions that are no numbers: they count as uncertain, and nothing that trains is NaN.
    #[test]
    fn predictions_that_are_no_numbers_stop_their_trajectories_only() {
        let data = Data::new(500, 0);
        for stop in [Stop::Q, Stop::V, Stop::Printed] {
            let plan = PlanConfig { stop, ..config().plan };
            let mut mpdp = mpdp(MpdpConfig { error_threshold: 1e9, range_margin: 1e9, plan, ..config() });
            mpdp.fit(&data.batch()).unwrap();
            let mut weights = mpdp.weights().unwrap();
            // Beyond float32 after two layers where s₁ is above its mean, and next to nothing elsewhere.
            weights.get_mut("model1.0.weight").unwrap().1[0] = 1e15;
            weights.get_mut("model1.1.weight").unwrap().1[0] = 1e10;
            let fitted = mpdp.dynamics.fitted().unwrap().clone();
            mpdp.dynamics.load(&weights, fitted).unwrap();
            for _ in 0..5 {
                let found = horizon(&mpdp.update(&Data::new(64, 2).batch()).unwrap());
                assert!(found > 1.2 && found < 4.0, "{found}");
            }
            assert!(mpdp.weights().unwrap().values().all(|(_, values)| values.iter().all(|x| x.is_finite())));
        }
    }

    /// An entry that never varies is predicted a little beside its one value, and ends no plan.
    #[test]
    fn a_constant_entry_of_the_state_ends_no_plan() {
        let data = Data::new(500, 0).with_a_constant();
        let mut mpdp = mpdp(MpdpConfig { error_threshold: 1e9, range_margin: 1e9, ..config() });
        mpdp.fit(&data.batch()).unwrap();
        let fitted = mpdp.dynamics.fitted().unwrap();
        assert_eq!((fitted.deviation[1], fitted.lowest[1]), (1.0, fitted.highest[1]));
        let found = horizon(&mpdp.update(&data.batch().last(32)).unwrap());
        assert!(found > 4.0, "{found}");
    }

    #[test]
    fn a_policy_starts_from_the_first_when_it_is_reached() {
        let data = Data::new(500, 0);
        for copy_when_reached in [true, false] {
            let mut mpdp = mpdp(MpdpConfig { error_threshold: 1e9, copy_when_reached, ..config() });
            let fresh = mpdp.weights().unwrap();
            mpdp.update(&data.batch().last(32)).unwrap();
            assert_eq!(
                (mpdp.reached, &mpdp.weights().unwrap()["policy1.0.bias"]),
                (1, &fresh["actor.0.bias"])
            );
            mpdp.fit(&data.batch()).unwrap();
            let first = mpdp.weights().unwrap();
            mpdp.update(&data.batch().last(32)).unwrap();
            assert!(mpdp.reached > 1);
            // One Adam step moves a parameter by the learning rate at most.
            let base = if copy_when_reached { &first } else { &fresh };
            let moved = &mpdp.weights().unwrap()["policy1.0.weight"].1;
            let far =
                moved.iter().zip(&base["actor.0.weight"].1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far > 0.0 && far < 1.1e-3, "{far}");
        }
    }
}
