//! A probabilistic ensemble that predicts reward and next state: Chua et al. 2018 (arXiv 1805.12114), as Janner et al.
//! 2019 (arXiv 1906.08253) train it.

use crate::actor::{theta_from_weights, weights_from_theta};
use crate::tensors::{scalar, var};
use crate::{Batch, Weights};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use nn::{Adam, GaussianHeads, Head, Mlp, Unit, WeightDecay, backward};
use state::Archive;
use streams::Stream;

/// Everything about the ensemble that is to be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicsConfig {
    /// Networks, at least two.
    pub members: usize,
    /// Those of them that predict: the ones with the least error on what is held out.
    pub elites: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The coefficient of ½ ‖w‖² of each layer.
    pub weight_decay: Vec<f64>,
    /// Transitions a member sees in each step.
    pub batch_size: usize,
    /// The share of the data that is held out.
    pub holdout: f64,
    /// How many are held out at most.
    pub most_held_out: usize,
    /// Training ends after more than so many epochs in a row in which no member got better by 1 %.
    pub patience: u64,
    /// It ends after so many epochs in any case.
    pub epochs: u64,
    /// The bounds of the log-variance, low before high.
    pub log_variance: (f64, f64),
    /// Whether the bounds are learned from there.
    pub learned_bounds: bool,
}

/// What a member's held-out error must fall by for its weights to be kept, as a share of it.
const IMPROVEMENT: f64 = 0.01;

/// The coefficient of the loss that draws learned bounds together.
const BOUNDS_LOSS: f64 = 0.01;

/// Smaller deviations divide by nothing useful.
const LEAST_DEVIATION: f64 = 1e-12;

/// The ensemble. Until data has been seen it predicts nothing.
pub struct Dynamics {
    config: DynamicsConfig,
    observation_dim: usize,
    device: Device,
    mlp: Mlp,
    heads: GaussianHeads,
    decay: WeightDecay,
    theta: Var,
    /// `[2, 1 + observation]`.
    bounds: Var,
    optimiser: Adam,
    bounds_optimiser: Adam,
    fitted: Option<Fitted>,
    data: Stream,
}

/// What is known from the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// Mean and standard deviation of each entry of (s, a).
    pub mean: Vec<f32>,
    /// As above.
    pub deviation: Vec<f32>,
    /// The least and the greatest value of each entry of s that was seen.
    pub lowest: Vec<f32>,
    /// As above.
    pub highest: Vec<f32>,
    /// The members that predict.
    pub elites: Vec<u64>,
}

/// What the ensemble says of some states and actions.
pub(crate) struct Prediction {
    /// r, `[batch]`.
    pub(crate) reward: Tensor,
    /// s′, `[batch, observation]`.
    pub(crate) next: Tensor,
    /// Σ_i KL(p_i ‖ p_rest), `[batch]`.
    pub(crate) disagreement: Tensor,
}

impl Dynamics {
    /// An ensemble with fresh networks.
    ///
    /// # Errors
    /// If the device has no room.
    ///
    /// # Panics
    /// If there are fewer than two members or not as many decays as layers.
    pub fn new(
        config: DynamicsConfig,
        (observation_dim, action_dim): (usize, usize),
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        assert!(config.members >= 2, "an ensemble of one has nobody to disagree with");
        let dims = 1 + observation_dim;
        let sizes = [&[observation_dim + action_dim], config.hidden.as_slice(), &[2 * dims]].concat();
        let mlp = Mlp::new(&sizes, Head::Linear).units(Unit::Swish).ensemble(config.members);
        let theta = var(&init(&mlp, &mut Stream::new(seed, "model-init")), device)?;
        let (low, high) = config.log_variance;
        let bounds = [vec![low as f32; dims], vec![high as f32; dims]].concat();
        let bounds = Var::from_tensor(&Tensor::from_vec(bounds, (2, dims), device)?)?;
        Ok(Self {
            heads: GaussianHeads { members: config.members, dims },
            decay: WeightDecay::new(&mlp, &config.weight_decay),
            optimiser: Adam::new(&theta, config.learning_rate)?,
            bounds_optimiser: Adam::new(&bounds, config.learning_rate)?,
            config,
            observation_dim,
            device: device.clone(),
            mlp,
            theta,
            bounds,
            fitted: None,
            data: Stream::new(seed, "model-data"),
        })
    }

    /// What is known from the data, if any was seen.
    #[must_use]
    pub fn fitted(&self) -> Option<&Fitted> {
        self.fitted.as_ref()
    }

    /// Trains all members on `data`, from the weights they have, until what is held out says stop. Less than two
    /// transitions teach nothing.
    ///
    /// # Errors
    /// If a loss is not finite.
    pub fn fit(&mut self, data: &Batch<'_>) -> Result<()> {
        let size = data.rewards.len();
        let held_out = (self.config.holdout * size as f64) as usize;
        let held_out = held_out.clamp(1, self.config.most_held_out.max(1));
        if size <= held_out {
            return Ok(());
        }
        let mut order: Vec<usize> = (0..size).collect();
        shuffle(&mut order, &mut self.data);
        let (held_out, train) = order.split_at(held_out);
        let (lowest, highest) = self.ranges(data);
        let (mean, deviation) = self.moments(data, train);
        self.fitted = Some(Fitted { mean, deviation, lowest, highest, elites: Vec::new() });
        let held_out = self.rows(data, held_out)?;

        // Each member learns from draws with replacement of its own.
        let members = self.config.members;
        let mut draws: Vec<Vec<usize>> = (0..members)
            .map(|_| train.iter().map(|_| train[self.data.index(train.len())]).collect())
            .collect();
        let mut best = vec![f64::INFINITY; members];
        let mut kept = self.theta.to_vec1::<f32>()?;
        let mut epochs_in_vain = 0;
        for _ in 0..self.config.epochs {
            draws.iter_mut().for_each(|draws| shuffle(draws, &mut self.data));
            for start in (0..train.len()).step_by(self.config.batch_size) {
                let end = (start + self.config.batch_size).min(train.len());
                let of_all: Vec<usize> = draws.iter().flat_map(|draws| &draws[start..end]).copied().collect();
                let (x, y) = self.rows(data, &of_all)?;
                self.step(&x.reshape((members, end - start, ()))?, &y.reshape((members, end - start, ()))?)?;
            }
            let errors = self.errors(&held_out)?;
            epochs_in_vain += 1;
            for (member, error) in errors.into_iter().enumerate() {
                if error < best[member] * (1.0 - IMPROVEMENT) {
                    best[member] = error;
                    epochs_in_vain = 0;
                    let (_, theta) = self.mlp.member(&self.theta, member)?;
                    let count = theta.elem_count();
                    kept[member * count..][..count].copy_from_slice(&theta.to_vec1::<f32>()?);
                }
            }
            if epochs_in_vain > self.config.patience {
                break;
            }
        }
        ensure!(best.iter().all(|error| error.is_finite()), "the model's error on held-out data is {best:?}");
        self.theta.set(&Tensor::from_slice(&kept, kept.len(), &self.device)?)?;
        let mut ranked: Vec<u64> = (0..members as u64).collect();
        ranked.sort_by(|a, b| best[*a as usize].total_cmp(&best[*b as usize]));
        ranked.truncate(self.config.elites);
        self.fitted.as_mut().expect("it was set above").elites = ranked;
        Ok(())
    }

    /// One step of all members, each on its own part of `x [members, batch, in]` and `y [members, batch, out]`.
    fn step(&mut self, x: &Tensor, y: &Tensor) -> Result<()> {
        // θ ← argmin Σ_k mean ((μ_k − y)² / σ_k² + ln σ_k²) + decay
        let bounds = if self.config.learned_bounds {
            self.bounds.as_tensor().clone()
        } else {
            self.bounds.as_detached_tensor()
        };
        let outputs = self.mlp.forward(x, &self.theta)?;
        let mut loss = (self.heads.loss(&outputs, y, &bounds)? + self.decay.loss(&self.theta)?)?;
        if self.config.learned_bounds {
            let apart = (bounds.get(1)?.sum_all()? - bounds.get(0)?.sum_all()?)?;
            loss = (loss + apart.affine(BOUNDS_LOSS, 0.0)?)?;
        }
        scalar("model loss", self.optimiser.steps() + 1, &loss)?;
        let gradients = backward(&loss)?;
        self.optimiser.step(&self.theta, gradients.of(&self.theta).expect("the loss depends on θ"))?;
        if let Some(gradient) = gradients.of(&self.bounds) {
            self.bounds_optimiser.step(&self.bounds, gradient)?;
        }
        Ok(())
    }

    /// Each member's mean squared error.
    fn errors(&self, (x, y): &(Tensor, Tensor)) -> Result<Vec<f64>> {
        let dims = self.heads.dims;
        let outputs =
            self.mlp.forward(x, &self.theta.as_detached_tensor())?.flatten_all()?.to_vec1::<f32>()?;
        let y = y.flatten_all()?.to_vec1::<f32>()?;
        let error = |outputs: &[f32]| {
            let means = outputs.chunks_exact(2 * dims).flat_map(|row| &row[..dims]);
            let squares = means.zip(&y).map(|(mean, y)| f64::from(mean - y) * f64::from(mean - y));
            squares.sum::<f64>() / y.len() as f64
        };
        Ok(outputs.chunks_exact(y.len() * 2).map(error).collect())
    }

    /// The transitions `indices` as scaled inputs (s, a) and targets (r, s′ − s).
    fn rows(&self, data: &Batch<'_>, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        let fitted = self.fitted.as_ref().expect("the scaler comes first");
        let (seen, acted) = (self.observation_dim, data.actions.len() / data.rewards.len());
        let mut x = Vec::with_capacity(indices.len() * (seen + acted));
        let mut y = Vec::with_capacity(indices.len() * (1 + seen));
        for &i in indices {
            let (s, next_s) =
                (&data.observations[i * seen..][..seen], &data.next_observations[i * seen..][..seen]);
            let entries = s.iter().chain(&data.actions[i * acted..][..acted]);
            let scale = fitted.mean.iter().zip(&fitted.deviation);
            x.extend(entries.zip(scale).map(|(x, (mean, deviation))| (x - mean) / deviation));
            y.push(data.rewards[i]);
            y.extend(next_s.iter().zip(s).map(|(next_s, s)| next_s - s));
        }
        let matrix = |data: Vec<f32>, width| Tensor::from_vec(data, (indices.len(), width), &self.device);
        Ok((matrix(x, seen + acted)?, matrix(y, 1 + seen)?))
    }

    /// Mean and standard deviation of the inputs of the transitions `indices`; 1 for the latter of what never varies.
    fn moments(&self, data: &Batch<'_>, indices: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let (seen, acted) = (self.observation_dim, data.actions.len() / data.rewards.len());
        let row = |i: usize| {
            data.observations[i * seen..][..seen].iter().chain(&data.actions[i * acted..][..acted])
        };
        let mut moments = vec![(0f64, 0f64); seen + acted];
        let mut varies = vec![false; seen + acted];
        let count = indices.len() as f64;
        for &i in indices {
            moments.iter_mut().zip(row(i)).for_each(|((sum, _), x)| *sum += f64::from(*x) / count);
        }
        for &i in indices {
            for ((mean, square), x) in moments.iter_mut().zip(row(i)) {
                let centred = f64::from(*x) - *mean;
                *square += centred * centred / count;
            }
            // By the values: the mean of many equal ones is not quite theirs.
            varies
                .iter_mut()
                .zip(row(i).zip(row(indices[0])))
                .for_each(|(varies, (x, first))| *varies |= x != first);
        }
        let deviation = |square: f64, varies: bool| {
            let deviation = libm::sqrt(square);
            if varies && deviation >= LEAST_DEVIATION { deviation as f32 } else { 1.0 }
        };
        let moments = moments.into_iter().zip(varies);
        moments.map(|((mean, square), varies)| (mean as f32, deviation(square, varies))).unzip()
    }

    /// The least and the greatest value of each entry of the states.
    fn ranges(&self, data: &Batch<'_>) -> (Vec<f32>, Vec<f32>) {
        let mut lowest = vec![f32::INFINITY; self.observation_dim];
        let mut highest = vec![f32::NEG_INFINITY; self.observation_dim];
        let states = data.observations.chunks_exact(self.observation_dim);
        for s in states.chain(data.next_observations.chunks_exact(self.observation_dim)) {
            for (x, (lowest, highest)) in s.iter().zip(lowest.iter_mut().zip(&mut highest)) {
                (*lowest, *highest) = (lowest.min(*x), highest.max(*x));
            }
        }
        (lowest, highest)
    }

    /// The outputs `[members, batch, 2 · (1 + observation)]` for states and executed actions, one row each.
    fn outputs(&self, s: &Tensor, a: &Tensor) -> Result<Tensor> {
        let fitted = self.fitted.as_ref().expect("nothing is predicted before data was seen");
        let scaled = |x: &Tensor, first: usize| -> Result<Tensor> {
            let width = x.dim(1)?;
            let row =
                |values: &[f32]| Tensor::from_slice(&values[first..][..width], (1, width), &self.device);
            Ok(x.broadcast_sub(&row(&fitted.mean)?)?.broadcast_div(&row(&fitted.deviation)?)?)
        };
        let theta = self.theta.as_detached_tensor();
        Ok(self.mlp.forward_beside(&scaled(s, 0)?, &scaled(a, self.observation_dim)?, &theta)?)
    }

    /// What comes of the executed actions `a [batch, action]` in `s [batch, observation]`: a draw of the member that
    /// `members` names for each row, with standard normal `noise [batch, 1 + observation]`, and how much all members
    /// disagree, about the reward too if `of_reward`. Gradients flow to `s` and `a` and to no parameter.
    pub(crate) fn predict(
        &self,
        s: &Tensor,
        a: &Tensor,
        members: &[u32],
        noise: &Tensor,
        of_reward: bool,
    ) -> Result<Prediction> {
        let bounds = self.bounds.as_detached_tensor();
        let (outputs, first) = (self.outputs(s, a)?, usize::from(!of_reward));
        let (draw, disagreement) = self.heads.imagine(&outputs, &bounds, members, noise, first)?;
        let next = (s + draw.narrow(1, 1, self.observation_dim)?)?;
        Ok(Prediction { reward: draw.get_on_dim(1, 0)?, next, disagreement })
    }

    /// The mean Euclidean distance between s′ and what the elites predict on average; `None` before data was seen.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn error(&self, data: &Batch<'_>) -> Result<Option<f64>> {
        let Some(fitted) = &self.fitted else { return Ok(None) };
        let (size, seen) = (data.rewards.len(), self.observation_dim);
        let matrix = |values: &[f32]| Tensor::from_slice(values, (size, values.len() / size), &self.device);
        let outputs = self.outputs(&matrix(data.observations)?, &matrix(data.actions)?)?;
        let outputs = outputs.flatten_all()?.to_vec1::<f32>()?;
        let width = 2 * self.heads.dims;
        let mut sum = 0.0;
        for i in 0..size {
            let mut square = 0.0;
            for j in 0..seen {
                let of_elite =
                    |member: &u64| f64::from(outputs[(*member as usize * size + i) * width + 1 + j]);
                let delta = fitted.elites.iter().map(of_elite).sum::<f64>() / fitted.elites.len() as f64;
                let at = i * seen + j;
                let truth = f64::from(data.next_observations[at]) - f64::from(data.observations[at]);
                square += (delta - truth) * (delta - truth);
            }
            sum += libm::sqrt(square);
        }
        Ok(Some(sum / size as f64))
    }

    /// All parameters by name: `model1.0.weight`, …, and `log_variance.low`, `log_variance.high`.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn weights(&self) -> Result<Weights> {
        let name = |i: usize, name: &str| format!("model{}.{name}", i + 1);
        let mut weights = weights_from_theta(&self.mlp, name, &self.theta)?;
        for (i, name) in ["log_variance.low", "log_variance.high"].into_iter().enumerate() {
            weights.insert(name.to_owned(), (vec![self.heads.dims], self.bounds.get(i)?.to_vec1()?));
        }
        Ok(weights)
    }

    /// Starts from `weights`, named as [`Self::weights`] names them but for the bounds, and from `fitted`.
    ///
    /// # Errors
    /// If an array is missing or has another shape.
    pub fn load(&mut self, weights: &Weights, fitted: Fitted) -> Result<()> {
        let name = |i: usize, name: &str| format!("model{}.{name}", i + 1);
        let theta = theta_from_weights(&self.mlp, name, weights)?;
        self.theta.set(&Tensor::from_slice(&theta, theta.len(), &self.device)?)?;
        self.fitted = Some(fitted);
        Ok(())
    }

    /// Saves or loads everything that [`Self::fit`] changes.
    ///
    /// # Errors
    /// If what is loaded does not fit.
    pub fn state(&mut self, archive: &mut Archive) -> Result<()> {
        nn::state(archive, "theta", &self.theta)?;
        nn::state(archive, "bounds", &self.bounds)?;
        archive.group("optimiser", |archive| self.optimiser.state(archive))?;
        archive.group("bounds_optimiser", |archive| self.bounds_optimiser.state(archive))?;
        let mut fitted = self.fitted.take().unwrap_or_default();
        archive.item("mean", &mut fitted.mean)?;
        archive.item("deviation", &mut fitted.deviation)?;
        archive.item("lowest", &mut fitted.lowest)?;
        archive.item("highest", &mut fitted.highest)?;
        archive.item("elites", &mut fitted.elites)?;
        self.fitted = Some(fitted).filter(|fitted| *fitted != Fitted::default());
        archive.item("data", &mut self.data)
    }
}

/// Weights from a normal distribution with standard deviation 1 / (2 √inputs), cut at two deviations; biases 0.
fn init(mlp: &Mlp, stream: &mut Stream) -> Vec<f32> {
    let mut theta = Vec::new();
    for parameter in mlp.parameters() {
        let count = parameter.shape.iter().product::<usize>();
        let [_, inputs] = parameter.shape[..] else {
            theta.extend(std::iter::repeat_n(0.0, count));
            continue;
        };
        let mut draw = || loop {
            let x = stream.normal();
            if x.abs() <= 2.0 {
                return (x / (2.0 * libm::sqrt(inputs as f64))) as f32;
            }
        };
        theta.extend((0..count).map(|_| draw()));
    }
    theta
}

/// Every order is as likely as any other (Fisher and Yates).
fn shuffle(items: &mut [usize], stream: &mut Stream) {
    for last in (1..items.len()).rev() {
        items.swap(last, stream.index(last + 1));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config() -> DynamicsConfig {
        DynamicsConfig {
            members: 4,
            elites: 2,
            hidden: vec![24, 24],
            learning_rate: 1e-3,
            weight_decay: vec![2.5e-5, 5e-5, 1e-4],
            batch_size: 32,
            holdout: 0.2,
            most_held_out: 5000,
            patience: 3,
            epochs: 40,
            log_variance: (-10.0, 0.5),
            learned_bounds: false,
        }
    }

    /// Transitions of s′ = s + 0.2 (a₁ − s) by rows, with a reward of s₁ − a₂².
    #[derive(Default)]
    pub(crate) struct Data([Vec<f32>; 5]);

    impl Data {
        pub(crate) fn new(size: usize, seed: u64) -> Self {
            let mut stream = Stream::new(seed, "data");
            let mut data = Self::default();
            for _ in 0..size {
                let s: Vec<f32> = (0..3).map(|_| stream.normal() as f32).collect();
                let a: Vec<f32> = (0..2).map(|_| stream.uniform_in(-0.5, 0.5) as f32).collect();
                data.0[2].push(s[0] - a[1] * a[1]);
                data.0[3].extend(s.iter().map(|x| x + 0.2 * (a[0] - x)));
                data.0[0].extend(s);
                data.0[1].extend(a);
                data.0[4].push(1.0);
            }
            data
        }

        /// With the second entry of every state the same.
        pub(crate) fn with_a_constant(mut self) -> Self {
            for states in [0, 3] {
                self.0[states].iter_mut().skip(1).step_by(3).for_each(|x| *x = 8.9);
            }
            self
        }

        pub(crate) fn batch(&self) -> Batch<'_> {
            let [observations, actions, rewards, next_observations, not_terminal] = &self.0;
            Batch { observations, actions, rewards, next_observations, not_terminal, next_actions: &[] }
        }
    }

    fn dynamics(config: DynamicsConfig) -> Dynamics {
        Dynamics::new(config, (3, 2), 0, &Device::Cpu).unwrap()
    }

    #[test]
    fn what_is_simple_is_learned() {
        let (seen, unseen) = (Data::new(1000, 0), Data::new(200, 1));
        for learned_bounds in [false, true] {
            let mut model = dynamics(DynamicsConfig { learned_bounds, ..config() });
            assert_eq!(model.error(&unseen.batch()).unwrap(), None);
            model.fit(&seen.batch()).unwrap();
            let first = model.error(&unseen.batch()).unwrap().unwrap();
            // Standing still is 0.2 ‖a₁ − s‖ off, which is 0.34 on average.
            assert!(first < 0.1, "{first}");
            let fitted = model.fitted().unwrap().clone();
            assert!(fitted.elites.len() == 2 && fitted.elites.iter().all(|member| *member < 4));
            assert!(fitted.mean.iter().all(|mean| mean.abs() < 0.15));
            assert!(fitted.lowest.iter().all(|x| (-5.0..-2.0).contains(x)));
            let bounds = model.bounds.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(bounds[0] != -10.0, learned_bounds);
            // What is known is kept.
            model.fit(&seen.batch()).unwrap();
            assert!(model.error(&unseen.batch()).unwrap().unwrap() < first);
        }
    }

    #[test]
    fn members_disagree_where_nothing_was_seen() {
        let mut model = dynamics(config());
        model.fit(&Data::new(1000, 0).batch()).unwrap();
        let disagreement = |scale: f32| {
            let s = Tensor::from_slice(&[scale, -scale, scale], (1, 3), &Device::Cpu).unwrap();
            let a = Tensor::from_slice(&[0.1f32, -0.1], (1, 2), &Device::Cpu).unwrap();
            let noise = Tensor::zeros((1, 4), s.dtype(), s.device()).unwrap();
            let prediction = model.predict(&s, &a, &[0], &noise, false).unwrap();
            prediction.disagreement.to_vec1::<f32>().unwrap()[0]
        };
        assert!(disagreement(0.5) > 0.0 && disagreement(20.0) > 5.0 * disagreement(0.5));
    }

    #[test]
    fn a_model_that_is_taken_up_learns_the_same_bits() {
        let data = Data::new(300, 0);
        let mut model = dynamics(DynamicsConfig { learned_bounds: true, ..config() });
        let mut fresh = dynamics(DynamicsConfig { learned_bounds: true, ..config() });
        let mut bytes = Archive::save(|archive| fresh.state(archive)).unwrap();
        for _ in 0..2 {
            let mut other = dynamics(DynamicsConfig { learned_bounds: true, ..config() });
            Archive::load(&bytes, |archive| other.state(archive)).unwrap();
            assert_eq!(other.fitted(), model.fitted());
            other.fit(&data.batch()).unwrap();
            model.fit(&data.batch()).unwrap();
            assert_eq!(other.weights().unwrap(), model.weights().unwrap());
            bytes = Archive::save(|archive| model.state(archive)).unwrap();
        }
    }

    #[test]
    fn next_to_nothing_teaches_nothing() {
        let mut model = dynamics(config());
        for size in [0, 1] {
            model.fit(&Data::new(size, 0).batch()).unwrap();
            assert_eq!(model.fitted(), None);
        }
        model.fit(&Data::new(2, 0).batch()).unwrap();
        assert!(model.fitted().is_some());
    }
}
