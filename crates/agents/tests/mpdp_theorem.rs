//! The theorems of MPDP's paper, by numbers: the plan that training uses, in worlds that are known exactly. In float64.
//!
//! With exact optimisation a plan decouples: V_0 = V_old, Q_j = r + γ E V_{j−1}, V_j = α ln Σ_a exp(Q_j / α), and the best
//! π_t is in proportion to exp(Q_{H−t} / α). The tables' numbers were computed independently, by NumPy.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use agents::plan::{Fate, Imagined, PlanConfig, Stop, World, plan};
use anyhow::Result;
use candle_core::{D, Device, Tensor, Var};
use nn::{Adam, backward};
use proptest::prelude::*;
use streams::Stream;

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn rules(horizon: usize, stop: Stop) -> PlanConfig {
    PlanConfig { horizon, penalty: 0.0, stop }
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance, "{found:?} instead of {expected:?}");
    }
}

/// A finite Markov decision process. Tables are `[state, action]`.
#[derive(Clone, Debug)]
struct Mdp {
    states: usize,
    actions: usize,
    discount: f64,
    alpha: f64,
    reward: Vec<f64>,
    /// `[state, action, next state]`.
    transition: Vec<f64>,
    /// Pairs after which the model is not trusted.
    stops: Vec<bool>,
}

/// A policy's or a value's table.
type Table = Vec<f64>;

impl Mdp {
    /// The three states and two actions whose numbers are known.
    fn known() -> Self {
        Self {
            states: 3,
            actions: 2,
            discount: 0.9,
            alpha: 0.2,
            reward: vec![0.0, -0.2, 0.1, -0.1, 1.0, 0.5],
            transition: vec![
                0.8, 0.2, 0.0, 0.1, 0.6, 0.3, 0.5, 0.5, 0.0, 0.0, 0.3, 0.7, 0.2, 0.3, 0.5, 0.9, 0.1, 0.0,
            ],
            stops: vec![false; 6],
        }
    }

    /// Transitions from Dirichlet(0.3), but for the Gamma's shape drawn as powers of uniforms; rewards within ±1.
    fn random(seed: u64) -> Self {
        let mut stream = Stream::new(seed, "mdp");
        let (states, actions) = (6, 3);
        let mut transition = Vec::new();
        for _ in 0..states * actions {
            let row: Vec<f64> = (0..states).map(|_| stream.uniform().powf(1.0 / 0.3) + 1e-9).collect();
            let sum: f64 = row.iter().sum();
            transition.extend(row.iter().map(|p| p / sum));
        }
        Self {
            states,
            actions,
            discount: 0.9,
            alpha: 0.2,
            reward: (0..states * actions).map(|_| stream.uniform_in(-1.0, 1.0)).collect(),
            transition,
            stops: (0..states * actions).map(|_| stream.uniform() < 0.3).collect(),
        }
    }

    /// r + γ E V.
    fn q(&self, v: &[f64]) -> Table {
        let next = self.transition.chunks(self.states);
        let mean = next.map(|p| p.iter().zip(v).map(|(p, v)| p * v).sum::<f64>());
        self.reward.iter().zip(mean).map(|(r, mean)| r + self.discount * mean).collect()
    }

    /// α ln Σ_a exp(Q / α), and the policy in proportion to exp(Q / α).
    fn softmax(&self, q: &[f64]) -> (Vec<f64>, Table) {
        let rows = q.chunks(self.actions).map(|q| {
            let most = q.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let weights: Vec<f64> = q.iter().map(|q| ((q - most) / self.alpha).exp()).collect();
            let sum: f64 = weights.iter().sum();
            (most + self.alpha * sum.ln(), weights.into_iter().map(|w| w / sum).collect::<Vec<_>>())
        });
        let (v, policy): (Vec<f64>, Vec<Vec<f64>>) = rows.unzip();
        (v, policy.concat())
    }

    /// V of `policy`: (I − γ P) V = r − α ln π, by elimination.
    fn evaluate(&self, policy: &[f64]) -> Vec<f64> {
        let n = self.states;
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for s in 0..n {
            let mut row = vec![0.0; n + 1];
            row[s] = 1.0;
            for a in 0..self.actions {
                let at = s * self.actions + a;
                let p = policy[at];
                for (x, next) in row.iter_mut().zip(&self.transition[at * n..][..n]) {
                    *x -= self.discount * p * next;
                }
                row[n] += p * (self.reward[at] - self.alpha * p.ln());
            }
            rows.push(row);
        }
        for i in 0..n {
            let pivot = (i..n).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs())).unwrap();
            rows.swap(i, pivot);
            for j in (0..n).filter(|j| *j != i) {
                let factor = rows[j][i] / rows[i][i];
                let row = rows[i].clone();
                rows[j].iter_mut().zip(row).for_each(|(x, y)| *x -= factor * y);
            }
        }
        (0..n).map(|i| rows[i][n] / rows[i][i]).collect()
    }

    /// V* and π*.
    fn optimum(&self) -> (Vec<f64>, Table) {
        let mut v = vec![0.0; self.states];
        for _ in 0..2000 {
            v = self.softmax(&self.q(&v)).0;
        }
        (v.clone(), self.softmax(&self.q(&v)).1)
    }

    /// The best plan of `horizon` steps that ends in `v_old`: its policies, the first step's first.
    fn best_plan(&self, v_old: &[f64], horizon: usize) -> Vec<Table> {
        let q_old = self.q(v_old);
        let mut v = v_old.to_vec();
        let mut policies = Vec::new();
        for _ in 0..horizon {
            let mut q = self.q(&v);
            for (at, q) in q.iter_mut().enumerate().filter(|(at, _)| self.stops[*at]) {
                *q = q_old[at];
            }
            let (better, policy) = self.softmax(&q);
            (v, policies) = (better, [vec![policy], policies].concat());
        }
        policies
    }

    fn uniform(&self) -> Table {
        vec![1.0 / self.actions as f64; self.states * self.actions]
    }
}

/// [`Mdp`] with distributions for states and joint distributions for actions: every expectation is exact, and one row
/// holds all trajectories from one start state. Logits are `[state, action]`, one table a step.
struct Expectation<'a> {
    mdp: &'a Mdp,
    logits: Vec<Var>,
    q_old: Tensor,
    v_old: Tensor,
}

impl<'a> Expectation<'a> {
    fn new(mdp: &'a Mdp, policies: &[Table], v_old: &[f64]) -> Self {
        let logits = policies.iter().map(|policy| {
            let logits: Vec<f64> = policy.iter().map(|p| p.ln()).collect();
            Var::from_tensor(&tensor(&logits, &[mdp.states, mdp.actions])).unwrap()
        });
        Self {
            logits: logits.collect(),
            mdp,
            q_old: tensor(&mdp.q(v_old), &[mdp.states * mdp.actions, 1]),
            v_old: tensor(v_old, &[mdp.states, 1]),
        }
    }

    /// J of each start state, and the gradient of their mean with respect to each step's logits.
    fn objective(&mut self, stop: Stop) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (horizon, discount, alpha) = (self.logits.len(), self.mdp.discount, self.mdp.alpha);
        let start = Tensor::eye(self.mdp.states, candle_core::DType::F64, &Device::Cpu).unwrap();
        let plan = plan(self, &start, &rules(horizon, stop), discount, alpha).unwrap();
        assert_eq!((plan.reached, plan.mean_horizon), (horizon, horizon as f64));
        let gradients = plan.objective.mean_all().unwrap().backward().unwrap();
        let gradients = self.logits.iter().map(|logits| values(gradients.get(logits).unwrap()));
        (values(&plan.objective), gradients.collect())
    }
}

impl World for Expectation<'_> {
    fn act(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let logits = self.logits[t].as_tensor();
        let sum = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let log = logits.broadcast_sub(&sum)?.unsqueeze(0)?;
        let joint = s.unsqueeze(2)?.broadcast_mul(&log.exp()?)?;
        let density = joint.broadcast_mul(&log)?.flatten_from(1)?.sum(1)?;
        Ok((joint.reshape((rows.len(), ()))?, density))
    }

    fn imagine(&mut self, _: usize, _: &Tensor, a: &Tensor, rows: &[u32]) -> Result<Imagined> {
        let (states, pairs) = (self.mdp.states, self.mdp.states * self.mdp.actions);
        Ok(Imagined {
            reward: a.matmul(&tensor(&self.mdp.reward, &[pairs, 1]))?.squeeze(1)?,
            next: a.matmul(&tensor(&self.mdp.transition, &[pairs, states]))?,
            error: Tensor::zeros(rows.len(), a.dtype(), a.device())?,
            fate: vec![Fate::GoesOn; rows.len()],
        })
    }

    fn q(&mut self, _: &Tensor, a: &Tensor) -> Result<Tensor> {
        Ok(a.matmul(&self.q_old)?.squeeze(1)?)
    }

    fn v(&mut self, _: usize, s: &Tensor, _: &[u32]) -> Result<Tensor> {
        Ok(s.matmul(&self.v_old)?.squeeze(1)?)
    }
}

/// One improvement by a plan of `horizon` steps: J and V of the new policy, with what the theorems say of them checked.
fn improve(mdp: &Mdp, policy: &mut Table, horizon: usize) -> (Vec<f64>, Vec<f64>) {
    const ROUNDING: f64 = 1e-10;
    let (best, _) = mdp.optimum();
    let v_old = mdp.evaluate(policy);
    let policies = mdp.best_plan(&v_old, horizon);
    let (j, gradients) = Expectation::new(mdp, &policies, &v_old).objective(Stop::Q);
    for gradient in gradients.iter().flatten() {
        assert!(gradient.abs() < ROUNDING, "the best plan has a gradient of {gradient}");
    }
    let (by_v, _) = Expectation::new(mdp, &policies, &v_old).objective(Stop::V);
    close(&by_v, &j, ROUNDING);
    let (longer, _) = Expectation::new(mdp, &mdp.best_plan(&v_old, horizon + 1), &v_old).objective(Stop::Q);

    *policy = policies.into_iter().next().unwrap();
    let v_new = mdp.evaluate(policy);
    let far = |v: &[f64]| best.iter().zip(v).map(|(best, v)| best - v).fold(f64::NEG_INFINITY, f64::max);
    let contraction = mdp.discount.powi(horizon as i32);
    for (s, best) in best.iter().enumerate() {
        assert!(
            v_old[s] <= j[s] + ROUNDING && j[s] <= v_new[s] + ROUNDING,
            "lemma 1: {v_old:?} {j:?} {v_new:?}"
        );
        assert!(longer[s] >= j[s] - ROUNDING, "lemma 3: {longer:?} {j:?}");
        assert!(j[s] >= best - contraction * far(&v_old) - ROUNDING, "theorem 4: {j:?}");
    }
    assert!(far(&v_new) <= contraction * far(&v_old) + 1e-11, "theorem 4: {v_new:?}");
    (j, v_new)
}

#[test]
fn improvement_has_the_known_numbers() {
    let mdp = Mdp::known();
    let (best, best_policy) = mdp.optimum();
    close(&best, &[4.118900412, 4.537800987, 5.394990946], 1e-9);
    let first_action = |policy: &[f64]| policy.iter().step_by(2).copied().collect::<Vec<_>>();
    close(&first_action(&best_policy), &[0.185919836, 0.066441941, 0.996821664], 1e-9);
    close(&mdp.evaluate(&mdp.uniform()), &[2.510233241, 2.769146653, 3.393085533], 1e-9);

    let mut policy = mdp.uniform();
    let (j, v) = improve(&mdp, &mut policy, 1);
    close(&j, &[2.520864186, 2.823880177, 3.728176194], 1e-9);
    close(&v, &[4.033898702, 4.457840544, 5.326548708], 1e-9);
    close(&improve(&mdp, &mut policy, 1).1, &[4.118818865, 4.537725523, 5.394926185], 1e-9);

    let mut policy = mdp.uniform();
    let (j, v) = improve(&mdp, &mut policy, 3);
    close(&j, &[2.762113144, 3.184257142, 4.040603994], 1e-9);
    close(&v, &[4.118888579, 4.537786331, 5.394979818], 1e-9);
    close(&first_action(&policy), &[0.185851834, 0.064947371, 0.996854269], 1e-9);
    close(&improve(&mdp, &mut policy, 3).1, &best, 1e-9);

    for (horizon, error) in [(1, 8.50e-2), (2, 4.23e-3), (3, 1.47e-5), (5, 1.07e-8)] {
        let v = improve(&mdp, &mut mdp.uniform(), horizon).1;
        let found = best.iter().zip(v).map(|(best, v)| best - v).fold(0.0, f64::max);
        assert!((found / error - 1.0).abs() < 5e-3, "{found} instead of {error} at horizon {horizon}");
    }
}

#[test]
fn the_best_policy_is_a_fixed_point() {
    let mdp = Mdp::known();
    let (best, best_policy) = mdp.optimum();
    for horizon in [1, 3, 5] {
        close(&mdp.best_plan(&best, horizon)[0], &best_policy, 1e-14);
        let policies = vec![best_policy.clone(); horizon];
        let (j, gradients) = Expectation::new(&mdp, &policies, &best).objective(Stop::Q);
        close(&j, &best, 1e-13);
        assert!(gradients.iter().flatten().all(|g| g.abs() < 1e-14), "{gradients:?}");
    }
}

#[test]
fn equal_policies_and_a_perfect_model_give_the_old_value() {
    let mdp = Mdp::random(0);
    let policy = mdp.best_plan(&vec![0.0; mdp.states], 1).remove(0);
    let v = mdp.evaluate(&policy);
    for horizon in 1..6 {
        let policies = vec![policy.clone(); horizon];
        close(&Expectation::new(&mdp, &policies, &v).objective(Stop::Q).0, &v, 1e-12);
    }
}

/// Gradient ascent from the old policy reaches the best plan, all steps at once.
#[test]
fn ascent_reaches_the_best_plan() {
    let mdp = Mdp::known();
    let v_old = mdp.evaluate(&mdp.uniform());
    let expected = mdp.best_plan(&v_old, 3);
    let mut world = Expectation::new(&mdp, &vec![mdp.uniform(); 3], &v_old);
    for lr in [0.1, 0.01, 0.001] {
        let mut optimisers: Vec<Adam> = world.logits.iter().map(|l| Adam::new(l, lr).unwrap()).collect();
        for _ in 0..600 {
            let (_, gradients) = world.objective(Stop::Q);
            for ((optimiser, logits), g) in optimisers.iter_mut().zip(&world.logits).zip(gradients) {
                let descent: Vec<f64> = g.iter().map(|g| -g).collect();
                optimiser.step(logits, &tensor(&descent, &[mdp.states, mdp.actions])).unwrap();
            }
        }
    }
    for (logits, expected) in world.logits.iter().zip(expected) {
        let rows: Vec<f64> = values(logits.as_tensor());
        let found: Vec<f64> = rows
            .chunks(mdp.actions)
            .flat_map(|row| row.iter().map(|l| l.exp() / row.iter().map(|l| l.exp()).sum::<f64>()))
            .collect();
        close(&found, &expected, 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_step_improves_every_state(seed in 0u64..100_000, horizon in prop_oneof![Just(1usize), Just(2), Just(3), Just(5), Just(10)]) {
        let mdp = Mdp { stops: vec![false; 18], ..Mdp::random(seed) };
        let mut policy = mdp.uniform();
        let mut v = Vec::new();
        for _ in 0..8 {
            v = improve(&mdp, &mut policy, horizon).1;
        }
        let best = mdp.optimum().0;
        prop_assert!(best.iter().zip(&v).all(|(best, v)| best - v < 1e-2), "{best:?} {v:?}");
    }

    /// Lemma 1 with a horizon that ends early at some pairs, fresh ones every time.
    #[test]
    fn an_adaptive_horizon_improves_every_state(seed in 0u64..100_000) {
        let mut mdp = Mdp::random(seed);
        let mut policy = mdp.uniform();
        for i in 0..4 {
            mdp.stops = Mdp::random(seed + i).stops;
            let v_old = mdp.evaluate(&policy);
            policy = mdp.best_plan(&v_old, 5).remove(0);
            let v_new = mdp.evaluate(&policy);
            prop_assert!(v_old.iter().zip(&v_new).all(|(old, new)| new > &(old - 1e-10)), "{v_old:?} {v_new:?}");
        }
    }
}

/// [`Mdp`] by all of its trajectories, one a row: what they do is given, and how likely they are is a weight.
struct Paths<'a> {
    inner: Expectation<'a>,
    /// Of each row, s_0, a_0, s_1, a_1, …, s_H.
    paths: Vec<Vec<usize>>,
}

impl<'a> Paths<'a> {
    fn new(inner: Expectation<'a>) -> Self {
        let (states, actions) = (inner.mdp.states, inner.mdp.actions);
        let mut paths: Vec<Vec<usize>> = (0..states).map(|s| vec![s]).collect();
        for _ in 0..inner.logits.len() {
            let longer = |path: &Vec<usize>| {
                let path = path.clone();
                (0..actions * states).map(move |i| [path.as_slice(), &[i / states, i % states]].concat())
            };
            paths = paths.iter().flat_map(longer).collect();
        }
        Self { inner, paths }
    }

    fn pair(&self, t: usize, row: u32) -> usize {
        let path = &self.paths[row as usize];
        path[2 * t] * self.inner.mdp.actions + path[2 * t + 1]
    }

    /// E[J] of each start state, with gradients as those of [`Expectation::objective`]; weights depend on the policies.
    fn objective(&mut self, stop: Stop) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mdp = self.inner.mdp;
        let horizon = self.inner.logits.len();
        let states: Vec<f64> = self.paths.iter().map(|path| path[0] as f64).collect();
        let start = tensor(&states, &[states.len(), 1]);
        let plan = plan(self, &start, &rules(horizon, stop), mdp.discount, mdp.alpha).unwrap();
        let rows: Vec<u32> = (0..self.paths.len() as u32).collect();
        let mut ln_weight = Tensor::zeros(rows.len(), start.dtype(), &Device::Cpu).unwrap();
        for t in 0..horizon {
            let (_, density) = self.act(t, &start, &rows).unwrap();
            let known: Vec<f64> = rows
                .iter()
                .map(|row| {
                    mdp.transition[self.pair(t, *row) * mdp.states + self.paths[*row as usize][2 * t + 2]]
                })
                .map(|p| p.max(1e-300).ln())
                .collect();
            ln_weight = ((ln_weight + density).unwrap() + tensor(&known, &[rows.len()])).unwrap();
        }
        let weighted = (ln_weight.exp().unwrap() * plan.objective).unwrap();
        let by_start = weighted.reshape((mdp.states, ())).unwrap().sum(1).unwrap();
        let gradients = by_start.mean_all().unwrap().backward().unwrap();
        let gradients = self.inner.logits.iter().map(|logits| values(gradients.get(logits).unwrap()));
        (values(&by_start), gradients.collect())
    }
}

impl World for Paths<'_> {
    fn act(&mut self, t: usize, _: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let logits = self.inner.logits[t].as_tensor();
        let sum = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let log = logits.broadcast_sub(&sum)?.flatten_all()?;
        let pairs: Vec<u32> = rows.iter().map(|row| self.pair(t, *row) as u32).collect();
        let pairs = Tensor::from_vec(pairs, rows.len(), &Device::Cpu)?;
        Ok((pairs.to_dtype(log.dtype())?.unsqueeze(1)?, log.index_select(&pairs, 0)?))
    }

    fn imagine(&mut self, t: usize, _: &Tensor, _: &Tensor, rows: &[u32]) -> Result<Imagined> {
        let pairs: Vec<usize> = rows.iter().map(|row| self.pair(t, *row)).collect();
        let mdp = self.inner.mdp;
        let rewards: Vec<f64> = pairs.iter().map(|pair| mdp.reward[*pair]).collect();
        let next: Vec<f64> = rows.iter().map(|row| self.paths[*row as usize][2 * t + 2] as f64).collect();
        Ok(Imagined {
            reward: tensor(&rewards, &[rows.len()]),
            next: tensor(&next, &[rows.len(), 1]),
            error: Tensor::zeros(rows.len(), candle_core::DType::F64, &Device::Cpu)?,
            fate: pairs
                .iter()
                .map(|pair| if mdp.stops[*pair] { Fate::Uncertain } else { Fate::GoesOn })
                .collect(),
        })
    }

    fn q(&mut self, _: &Tensor, a: &Tensor) -> Result<Tensor> {
        let pairs = a.squeeze(1)?.to_dtype(candle_core::DType::U32)?;
        Ok(self.inner.q_old.squeeze(1)?.index_select(&pairs, 0)?)
    }

    fn v(&mut self, _: usize, s: &Tensor, _: &[u32]) -> Result<Tensor> {
        let states = s.squeeze(1)?.to_dtype(candle_core::DType::U32)?;
        Ok(self.inner.v_old.squeeze(1)?.index_select(&states, 0)?)
    }
}

/// Trajectories that stop at (s0, a1) and (s2, a0), of at most four steps: dead ones leave the batch.
#[test]
fn a_plan_of_adaptive_horizon_has_the_known_numbers() {
    let mut mdp = Mdp::known();
    (mdp.stops[1], mdp.stops[4]) = (true, true);
    let mut v = mdp.evaluate(&mdp.uniform());
    let known = [
        ([2.551971, 3.101872, 3.728732], [4.012613, 4.474826, 5.326362]),
        ([4.058304, 4.480298, 5.328014], [4.118826, 4.537752, 5.394940]),
    ];
    for (j, v_new) in known {
        let policies = mdp.best_plan(&v, 4);
        for stop in [Stop::Q, Stop::V] {
            let (found, gradients) = Paths::new(Expectation::new(&mdp, &policies, &v)).objective(stop);
            close(&found, &j, 1e-6);
            assert!(gradients.iter().flatten().all(|g| g.abs() < 1e-10), "{gradients:?}");
        }
        v = mdp.evaluate(&policies[0]);
        close(&v, &v_new, 1e-6);
    }
    let third = mdp.best_plan(&v, 4).remove(0);
    close(&mdp.evaluate(&third), &mdp.optimum().0, 1e-6);
}

/// The numbers of one trajectory of three steps that is uncertain at the second, by each rule.
#[test]
fn a_last_step_adds_what_its_rule_says() {
    struct Script(Vec<Fate>);
    impl World for Script {
        fn act(&mut self, _: usize, s: &Tensor, _: &[u32]) -> Result<(Tensor, Tensor)> {
            Ok((s.clone(), tensor(&[0.5], &[1])))
        }
        fn imagine(&mut self, t: usize, s: &Tensor, _: &Tensor, _: &[u32]) -> Result<Imagined> {
            let (reward, error) = (tensor(&[1.0], &[1]), tensor(&[0.25], &[1]));
            Ok(Imagined { reward, next: s.clone(), error, fate: vec![self.0[t]] })
        }
        fn q(&mut self, _: &Tensor, _: &Tensor) -> Result<Tensor> {
            Ok(tensor(&[7.0], &[1]))
        }
        fn v(&mut self, _: usize, _: &Tensor, _: &[u32]) -> Result<Tensor> {
            Ok(tensor(&[5.0], &[1]))
        }
    }
    // A step pays 1 − 0.2 · 0.5 − 2 · 0.25 = 0.4, with the discount 0.5; a Q-stop 7 − 0.1.
    let (on, uncertain, ends, broken) = (Fate::GoesOn, Fate::Uncertain, Fate::Ends, Fate::Broken);
    for (stop, fates, expected, horizon) in [
        (Stop::Q, [on, uncertain, on], 0.4 + 0.5 * 6.9, 2.0),
        (Stop::Q, [on, ends, on], 0.4 + 0.5 * 6.9, 2.0),
        (Stop::Q, [on, on, on], 0.4 + 0.5 * 0.4 + 0.25 * 6.9, 3.0),
        (Stop::V, [on, uncertain, on], 0.4 + 0.5 * 0.4 + 0.25 * 5.0, 2.0),
        (Stop::V, [on, ends, on], 0.4 + 0.5 * 0.4, 2.0),
        (Stop::V, [on, on, on], 0.4 + 0.5 * 0.4 + 0.25 * 0.4 + 0.125 * 5.0, 3.0),
        (Stop::V, [on, broken, on], 0.4 + 0.5 * 6.9, 2.0),
        (Stop::Printed, [on, uncertain, on], 0.4 + 0.25 * 5.0, 2.0),
        (Stop::Printed, [on, ends, on], 0.4 + 0.25 * 5.0, 2.0),
        (Stop::Printed, [on, on, on], 0.4 + 0.5 * 0.4 + 0.25 * 0.4, 3.0),
    ] {
        let rules = PlanConfig { horizon: 3, penalty: 2.0, stop };
        let plan = plan(&mut Script(fates.to_vec()), &tensor(&[0.0], &[1, 1]), &rules, 0.5, 0.2).unwrap();
        close(&values(&plan.objective), &[expected], 1e-12);
        assert_eq!(plan.mean_horizon, horizon, "{stop:?} {fates:?}");
    }
}

/// s′ = 1.1 s + 0.5 a + w with w ~ N(0, 0.1²), r = −(s² + 0.1 a²), policies a ~ N(−k s, σ²), and V = −(P s² + c).
mod lqr {
    pub(super) const DISCOUNT: f64 = 0.95;
    pub(super) const ALPHA: f64 = 0.2;

    /// ½ ln(2πe σ²), a Gaussian's entropy.
    fn entropy(variance: f64) -> f64 {
        0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E * variance).ln()
    }

    /// (P, c) of the policy (k, σ²).
    pub(super) fn evaluate((k, variance): (f64, f64)) -> (f64, f64) {
        let p = (1.0 + 0.1 * k * k) / (1.0 - DISCOUNT * (1.1 - 0.5 * k).powi(2));
        let noise = DISCOUNT * p * (0.25 * variance + 0.01);
        (p, (0.1 * variance + noise - ALPHA * entropy(variance)) / (1.0 - DISCOUNT))
    }

    /// The policy that is best for one step before (P, c), and (P, c) before that step.
    pub(super) fn backup((p, c): (f64, f64)) -> ((f64, f64), (f64, f64)) {
        let g = 0.1 + 0.25 * DISCOUNT * p;
        let (k, variance) = (0.55 * DISCOUNT * p / g, ALPHA / (2.0 * g));
        let cost = DISCOUNT * (p * (0.25 * variance + 0.01) + c);
        let before = 1.0 + 1.21 * DISCOUNT * p - (0.55 * DISCOUNT * p).powi(2) / g;
        ((k, variance), (before, 0.1 * variance + cost - ALPHA * entropy(variance)))
    }
}

/// The linear world. J is a quadratic in the start state and each draw, so its mean over both signs of each is exact.
struct Linear {
    /// k and ln σ of each step.
    policies: Vec<(Var, Var)>,
    old: (f64, f64),
}

impl Linear {
    fn new(policies: &[(f64, f64)], old: (f64, f64)) -> Self {
        let var = |x: f64| Var::from_tensor(&tensor(&[x], &[1])).unwrap();
        Self {
            policies: policies.iter().map(|(k, variance)| (var(*k), var(0.5 * variance.ln()))).collect(),
            old,
        }
    }

    /// The sign of draw `which` in each row.
    fn signs(which: usize, rows: &[u32]) -> Tensor {
        let signs: Vec<f64> = rows.iter().map(|row| f64::from((row >> which) & 1) * 2.0 - 1.0).collect();
        tensor(&signs, &[rows.len(), 1])
    }

    /// E[J] with E[s₀²] = 1, and its gradient by (k, ln σ) of each step.
    fn objective(&mut self) -> (f64, Vec<(f64, f64)>) {
        let horizon = self.policies.len();
        let rows: Vec<u32> = (0..1 << (2 * horizon)).collect();
        let start = Self::signs(0, &rows);
        let plan = plan(self, &start, &rules(horizon, Stop::Q), lqr::DISCOUNT, lqr::ALPHA).unwrap();
        let mean = plan.objective.mean_all().unwrap();
        let gradients = backward(&mean).unwrap();
        let of = |var: &Var| match gradients.of(var).unwrap() {
            nn::Gradient::Tensor(tensor) => values(tensor)[0],
            nn::Gradient::Slice(_) => unreachable!("nothing is fused in float64"),
        };
        let gradients = self.policies.iter().map(|(k, ln_std)| (of(k), of(ln_std)));
        (mean.to_scalar().unwrap(), gradients.collect())
    }

    /// (k, σ²) of each step after ascent.
    fn ascend(&mut self) -> Vec<(f64, f64)> {
        for lr in [0.03, 3e-3, 3e-4, 3e-5] {
            let adam = |var: &Var| Adam::new(var, lr).unwrap();
            let mut optimisers: Vec<(Adam, Adam)> =
                self.policies.iter().map(|(k, ln_std)| (adam(k), adam(ln_std))).collect();
            for _ in 0..400 {
                let (_, gradients) = self.objective();
                for (((k, ln_std), (by_k, by_ln_std)), optimiser) in
                    self.policies.iter().zip(gradients).zip(&mut optimisers)
                {
                    optimiser.0.step(k, &tensor(&[-by_k], &[1])).unwrap();
                    optimiser.1.step(ln_std, &tensor(&[-by_ln_std], &[1])).unwrap();
                }
            }
        }
        let number = |var: &Var| values(var.as_tensor())[0];
        self.policies.iter().map(|(k, ln_std)| (number(k), (2.0 * number(ln_std)).exp())).collect()
    }
}

impl World for Linear {
    fn act(&mut self, t: usize, s: &Tensor, rows: &[u32]) -> Result<(Tensor, Tensor)> {
        let (k, ln_std) = &self.policies[t];
        let noise = Self::signs(1 + 2 * t, rows);
        let a = (noise.broadcast_mul(&ln_std.exp()?)? - s.broadcast_mul(k)?)?;
        let constant = -0.5 * (2.0 * std::f64::consts::PI).ln();
        let density = noise.sqr()?.affine(-0.5, constant)?.broadcast_sub(ln_std)?;
        Ok((a, density.squeeze(1)?))
    }

    fn imagine(&mut self, t: usize, s: &Tensor, a: &Tensor, rows: &[u32]) -> Result<Imagined> {
        let w = Self::signs(2 + 2 * t, rows).affine(0.1, 0.0)?;
        Ok(Imagined {
            reward: (s.sqr()? + a.sqr()?.affine(0.1, 0.0)?)?.neg()?.squeeze(1)?,
            next: ((s.affine(1.1, 0.0)? + a.affine(0.5, 0.0)?)? + w)?,
            error: Tensor::zeros(rows.len(), s.dtype(), s.device())?,
            fate: vec![Fate::GoesOn; rows.len()],
        })
    }

    fn q(&mut self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        let (p, c) = self.old;
        let next = (s.affine(1.1, 0.0)? + a.affine(0.5, 0.0)?)?;
        let value = next.sqr()?.affine(-lqr::DISCOUNT * p, -lqr::DISCOUNT * (0.01 * p + c))?;
        Ok((value - (s.sqr()? + a.sqr()?.affine(0.1, 0.0)?)?)?.squeeze(1)?)
    }

    fn v(&mut self, _: usize, s: &Tensor, _: &[u32]) -> Result<Tensor> {
        Ok(s.sqr()?.affine(-self.old.0, -self.old.1)?.squeeze(1)?)
    }
}

const START: (f64, f64) = (0.6, 0.5);
const BEST: (f64, f64) = (1.37023283235, -0.51954802292);

#[test]
fn the_joint_gradient_of_the_linear_world_is_known() {
    let old = lqr::evaluate(START);
    close(&[old.0, old.1], &[2.642857, 3.489469], 1e-6);
    let mut world = Linear::new(&[START; 3], old);
    let (j, gradients) = world.objective();
    // The old policy's own value, as its plan is itself.
    close(&[j], &[-(old.0 + old.1)], 1e-12);
    for ((k, ln_std), known) in
        gradients.iter().zip([(1.8886, -0.5277), (1.3905, -0.5013), (1.0755, -0.4762)])
    {
        close(&[*k, *ln_std], &[known.0, known.1], 5e-5);
    }
    let found = world.ascend();
    for (found, known) in found.iter().zip([(1.683719, 0.234673), (1.696168, 0.229015), (1.897669, 0.137423)])
    {
        close(&[found.0, found.1], &[known.0, known.1], 1e-6);
    }
    close(&[world.objective().0], &[-4.350545592], 1e-8);
}

#[test]
fn improvement_of_the_linear_world_has_the_known_numbers() {
    // Horizon; k and σ² after the step; P − P* and c − c*.
    for (horizon, policy, value) in [
        (1, (1.89766871, 0.13742331), (2.006e-2, 2.597e-1)),
        (3, (1.68371928, 0.23467306), (3.226e-7, 3.080e-6)),
    ] {
        let old = lqr::evaluate(START);
        let found = Linear::new(&vec![START; horizon], old).ascend()[0];
        close(&[found.0, found.1], &[policy.0, policy.1], 1e-6);
        let (mut exact, mut before) = (START, old);
        for _ in 0..horizon {
            (exact, before) = lqr::backup(before);
        }
        close(&[exact.0, exact.1], &[policy.0, policy.1], 1e-8);
        let new = lqr::evaluate(exact);
        assert!(((new.0 - BEST.0) / value.0 - 1.0).abs() < 1e-3, "{new:?}");
        assert!(((new.1 - BEST.1) / value.1 - 1.0).abs() < 1e-3, "{new:?}");
        // In every state: the old value, then J, then the new one.
        assert!(old.0 >= before.0 && before.0 >= new.0 && old.1 >= before.1 && before.1 >= new.1);
    }
    let again = lqr::backup(lqr::evaluate((1.89766871, 0.13742331))).0;
    close(&[again.0, again.1], &[1.68860433, 0.23245258], 1e-7);

    // At horizon 8 the best plan is the backups in reverse order: there the gradient is 0.
    let mut before = lqr::evaluate(START);
    let mut policies = Vec::new();
    for _ in 0..8 {
        let (policy, value) = lqr::backup(before);
        before = value;
        policies.insert(0, policy);
    }
    close(&[policies[0].0, policies[0].1], &[1.68287651, 0.23505613], 1e-8);
    let new = lqr::evaluate(policies[0]);
    close(&[new.0, new.1], &[BEST.0, BEST.1], 1e-10);
    let (j, gradients) = Linear::new(&policies, lqr::evaluate(START)).objective();
    close(&[j], &[-(before.0 + before.1)], 1e-11);
    assert!(gradients.iter().all(|(k, ln_std)| k.abs() < 1e-11 && ln_std.abs() < 1e-11), "{gradients:?}");
}
