//! What an ensemble of Gaussian networks learns by and is asked for: their likelihood, draws, and how much they disagree.

use crate::fused::slice;
use crate::gradients;
use crate::kernels::{self, Heads};
use crate::mlp::{Mlp, is_fused};
use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Result, Shape, Tensor, bail};
use std::sync::{Arc, Mutex};

/// Diagonal Gaussians over `dims` numbers, one a member, from outputs `[members, batch, 2 · dims]`: means before raw
/// log-variances, which are clamped softly (Chua et al. 2018, arXiv 1805.12114, appendix A.1) to `bounds [2, dims]`, low
/// before high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaussianHeads {
    /// How many, at least two.
    pub members: usize,
    /// The length of what each predicts.
    pub dims: usize,
}

impl GaussianHeads {
    fn check(self, outputs: &Tensor, bounds: &Tensor) -> Result<()> {
        let (members, _, width) = outputs.dims3()?;
        if (members, width) != (self.members, 2 * self.dims) || bounds.dims() != [2, self.dims] {
            bail!("{self:?} takes no outputs {:?} with bounds {:?}", outputs.dims(), bounds.dims());
        }
        Ok(())
    }

    /// Σ over members of the mean over batch and dimensions of (μ − y)² / σ² + ln σ², for targets y
    /// `[members, batch, dims]`. The bounds take part in the gradient where they are tracked.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn loss(self, outputs: &Tensor, targets: &Tensor, bounds: &Tensor) -> Result<Tensor> {
        self.check(outputs, bounds)?;
        if !is_fused(outputs) {
            let (mean, log_variance) = self.plain(outputs, bounds)?;
            let square = ((mean - targets)?.sqr()? * log_variance.neg()?.exp()?)?;
            return (square + log_variance)?.mean_all()?.affine(self.members as f64, 0.0);
        }
        let op = Loss { heads: self, gradients: Mutex::new(None) };
        outputs.contiguous()?.apply_op3(&targets.contiguous()?, &bounds.contiguous()?, op)
    }

    /// For each row, a draw μ + σ ε of the member that `members` names, `[batch, dims]`, with standard normal ε from
    /// `noise [batch, dims]`; and how much the members disagree there, `[batch]`: Σ_i KL(p_i ‖ p_rest) over the dimensions
    /// from `first` on, where p_rest is the Gaussian with the mean and the variance of the other members' even mixture
    /// ("one versus rest", Pan et al. 2020, arXiv 2010.12893).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn imagine(
        self,
        outputs: &Tensor,
        bounds: &Tensor,
        members: &[u32],
        noise: &Tensor,
        first: usize,
    ) -> Result<(Tensor, Tensor)> {
        self.check(outputs, bounds)?;
        if self.members < 2 || noise.dims() != [members.len(), self.dims] || first >= self.dims {
            bail!("{self:?} draws nothing with noise {:?}", noise.dims());
        }
        if !is_fused(outputs) {
            return self.imagine_plain(outputs, bounds, members, noise, first);
        }
        let (outputs, noise, bounds) =
            (outputs.contiguous()?, noise.contiguous()?, bounds.detach().contiguous()?);
        let op = Imagine { heads: self, members: members.to_vec(), first };
        let both = if outputs.track_op() {
            outputs.apply_op3(&noise, &bounds, op)
        } else {
            outputs.apply_op3_no_bwd(&noise, &bounds, &op)
        }?;
        Ok((both.narrow(1, 0, self.dims)?, both.get_on_dim(1, self.dims)?))
    }

    /// Means and clamped log-variances in candle's own operations, for other devices and other precisions.
    fn plain(self, outputs: &Tensor, bounds: &Tensor) -> Result<(Tensor, Tensor)> {
        let softplus = |x: Tensor| x.relu()? + x.abs()?.neg()?.exp()?.affine(1.0, 1.0)?.log()?;
        let raw = outputs.narrow(2, self.dims, self.dims)?;
        let [low, high] = [0, 1].map(|i| bounds.get(i)?.broadcast_as(raw.shape()));
        let (low, high) = (low?, high?);
        let below = (&high - softplus((&high - raw)?)?)?;
        Ok((outputs.narrow(2, 0, self.dims)?, (&low + softplus((below - &low)?)?)?))
    }

    fn imagine_plain(
        self,
        outputs: &Tensor,
        bounds: &Tensor,
        members: &[u32],
        noise: &Tensor,
        first: usize,
    ) -> Result<(Tensor, Tensor)> {
        let (mean, log_variance) = self.plain(outputs, bounds)?;
        let variance = log_variance.exp()?;
        let index = Tensor::from_slice(members, (1, members.len(), 1), outputs.device())?;
        let index = index.broadcast_as((1, members.len(), self.dims))?.contiguous()?;
        let of_members = |x: &Tensor| x.contiguous()?.gather(&index, 0)?.squeeze(0);
        let draw = (of_members(&mean)? + (of_members(&variance)?.sqrt()? * noise)?)?;

        let others = self.members as f64 - 1.0;
        // From the centre nothing cancels.
        let mean = mean.broadcast_sub(&mean.detach().mean_keepdim(0)?)?;
        let square = (&variance + mean.sqr()?)?;
        let rest_mean = mean.sum_keepdim(0)?.broadcast_sub(&mean)?.affine(1.0 / others, 0.0)?;
        let rest_square = square.sum_keepdim(0)?.broadcast_sub(&square)?.affine(1.0 / others, 0.0)?;
        let rest_variance = (rest_square - rest_mean.sqr()?)?.maximum(f64::from(kernels::LEAST_VARIANCE))?;
        let ratio = ((variance + (mean - rest_mean)?.sqr()?)? / &rest_variance)?;
        let divergence = ((rest_variance.log()? - log_variance)? + ratio)?.affine(0.5, -0.5)?;
        let divergence = divergence.narrow(2, first, self.dims - first)?;
        Ok((draw, divergence.sum(D::Minus1)?.sum(0)?))
    }
}

/// The two bounds of `[2, dims]`.
fn bounds_of<'a>(bounds: &'a CpuStorage, layout: &Layout) -> Result<(&'a [f32], &'a [f32])> {
    let bounds = slice(bounds, layout)?;
    Ok(bounds.split_at(bounds.len() / 2))
}

/// [`GaussianHeads::loss`]. Its gradients fall off in the forward pass.
struct Loss {
    heads: GaussianHeads,
    gradients: Mutex<Option<(Vec<f32>, Vec<f32>)>>,
}

impl CustomOp3 for Loss {
    fn name(&self) -> &'static str {
        "gaussian-loss"
    }

    fn cpu_fwd(
        &self,
        outputs: &CpuStorage,
        outputs_layout: &Layout,
        targets: &CpuStorage,
        targets_layout: &Layout,
        bounds: &CpuStorage,
        bounds_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let bounds = bounds_of(bounds, bounds_layout)?;
        let heads = Heads::new(slice(outputs, outputs_layout)?, self.heads.members, bounds);
        let (loss, d_outputs, d_bounds) = heads.likelihood(slice(targets, targets_layout)?);
        *self.gradients.lock().expect("nothing panics that holds the lock") = Some((d_outputs, d_bounds));
        Ok((CpuStorage::F32(vec![loss]), ().into()))
    }

    fn bwd(
        &self,
        outputs: &Tensor,
        _targets: &Tensor,
        bounds: &Tensor,
        _loss: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let scale = gradient.to_scalar::<f32>()?;
        let taken = self.gradients.lock().expect("nothing panics that holds the lock").take();
        let Some((mut d_outputs, mut d_bounds)) = taken else { bail!("one forward pass, one backward pass") };
        d_outputs.iter_mut().chain(&mut d_bounds).for_each(|g| *g *= scale);
        let d_outputs = Tensor::from_vec(d_outputs, outputs.shape(), outputs.device())?;
        let d_bounds = bounds.track_op().then(|| Tensor::from_vec(d_bounds, bounds.shape(), bounds.device()));
        Ok((Some(d_outputs), None, d_bounds.transpose()?))
    }
}

/// [`GaussianHeads::imagine`] as `[batch, dims + 1]`: the draw and then the disagreement.
struct Imagine {
    heads: GaussianHeads,
    members: Vec<u32>,
    first: usize,
}

impl CustomOp3 for Imagine {
    fn name(&self) -> &'static str {
        "gaussian-imagine"
    }

    fn cpu_fwd(
        &self,
        outputs: &CpuStorage,
        outputs_layout: &Layout,
        noise: &CpuStorage,
        noise_layout: &Layout,
        bounds: &CpuStorage,
        bounds_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let bounds = bounds_of(bounds, bounds_layout)?;
        let heads = Heads::new(slice(outputs, outputs_layout)?, self.heads.members, bounds);
        let both = heads.imagine(&self.members, slice(noise, noise_layout)?, self.first);
        Ok((CpuStorage::F32(both), (self.members.len(), self.heads.dims + 1).into()))
    }

    fn bwd(
        &self,
        outputs: &Tensor,
        noise: &Tensor,
        bounds: &Tensor,
        _both: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let bounds = values(bounds)?;
        let heads = Heads::new(&values(outputs)?, self.heads.members, bounds.split_at(self.heads.dims));
        let d = heads.imagine_backward(&self.members, &values(noise)?, self.first, &values(gradient)?);
        Ok((Some(Tensor::from_vec(d, outputs.shape(), outputs.device())?), None, None))
    }
}

/// ½ Σ over layers of the layer's coefficient times the sum of its squared weights, over all members of a network; biases
/// take no part.
#[derive(Clone, Debug)]
pub struct WeightDecay {
    by_parameter: Arc<[f32]>,
}

impl WeightDecay {
    /// For `mlp`, with a coefficient a layer.
    ///
    /// # Panics
    /// If there is not one a layer.
    #[must_use]
    pub fn new(mlp: &Mlp, coefficients: &[f64]) -> Self {
        assert_eq!(coefficients.len(), mlp.depth(), "one coefficient of weight decay a layer");
        let parameters = mlp.parameters();
        let count = parameters.last().map_or(0, |last| last.offset + last.shape.iter().product::<usize>());
        let mut by_parameter = vec![0f32; count];
        let weights = parameters.iter().filter(|parameter| parameter.shape.len() == 2);
        for (weight, coefficient) in weights.zip(coefficients.iter().cycle()) {
            by_parameter[weight.offset..][..weight.shape.iter().product()].fill(*coefficient as f32);
        }
        Self { by_parameter: by_parameter.into() }
    }

    /// The decay at `theta`.
    ///
    /// # Errors
    /// If `theta` has another length.
    pub fn loss(&self, theta: &Tensor) -> Result<Tensor> {
        if is_fused(theta) {
            return theta.apply_op1(self.clone());
        }
        let by_parameter = Tensor::from_slice(&self.by_parameter, theta.shape(), theta.device())?;
        (theta.sqr()? * by_parameter.to_dtype(theta.dtype())?)?.sum_all()?.affine(0.5, 0.0)
    }
}

impl CustomOp1 for WeightDecay {
    fn name(&self) -> &'static str {
        "weight-decay"
    }

    fn cpu_fwd(&self, theta: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let theta = slice(theta, layout)?;
        if theta.len() != self.by_parameter.len() {
            bail!("weight decay of {} parameters was given {}", self.by_parameter.len(), theta.len());
        }
        let terms = theta.iter().zip(&*self.by_parameter).map(|(w, c)| f64::from(c * w * w));
        Ok((CpuStorage::F32(vec![(0.5 * terms.sum::<f64>()) as f32]), ().into()))
    }

    fn bwd(&self, theta: &Tensor, _decay: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let scale = gradient.to_scalar::<f32>()?;
        let mut d = theta.to_vec1::<f32>()?;
        d.iter_mut().zip(&*self.by_parameter).for_each(|(w, c)| *w *= scale * c);
        gradients::hand_over(theta, d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, backward};
    use candle_core::{DType, Device, Var};
    use proptest::prelude::*;
    use streams::Stream;

    fn tensor(dtype: DType, shape: impl Into<Shape>, data: &[f32]) -> Tensor {
        Tensor::from_slice(data, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
    }

    /// Three members, two dimensions, one row: the numbers of an independent computation.
    #[test]
    fn one_versus_rest_has_the_reference_numbers() {
        let (mean, variance) =
            ([[0.0, 1.0], [0.1, 1.0], [-0.1, 0.7]], [[0.01, 0.04], [0.02, 0.04], [0.04, 0.09]]);
        let heads = GaussianHeads { members: 3, dims: 2 };
        let bounds = [-60f32, -60.0, 60.0, 60.0];
        for (dtype, tolerance) in [(DType::F32, 3e-6), (DType::F64, 1e-6)] {
            let disagree = |mean: [[f64; 2]; 3], variance: [[f64; 2]; 3]| {
                let rows = mean
                    .iter()
                    .zip(variance)
                    .flat_map(|(m, v)| [m[0], m[1], libm::log(v[0]), libm::log(v[1])]);
                let outputs: Vec<f32> = rows.map(|x| x as f32).collect();
                let (noise, bounds) = (tensor(dtype, (1, 2), &[0.0; 2]), tensor(dtype, (2, 2), &bounds));
                let outputs = tensor(dtype, (3, 1, 4), &outputs);
                values(&heads.imagine(&outputs, &bounds, &[0], &noise, 0).unwrap().1)[0]
            };
            let found = disagree(mean, variance);
            assert!((found - 3.464_056_263).abs() < tolerance, "{found}");
            assert!((found / 3.0 - 1.154_685_421).abs() < tolerance, "{found}");
            assert!(disagree([mean[0]; 3], [variance[0]; 3]).abs() < tolerance);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn the_fused_heads_are_candles_in_float64(
            members in 2usize..8, batch in 1usize..30, dims in 1usize..6, whole: bool, seed: u64,
        ) {
            let first = if whole || dims == 1 { 0 } else { 1 };
            let heads = GaussianHeads { members, dims };
            let mut stream = Stream::new(seed, "test");
            let mut draw = |n: usize, scale: f64| (0..n).map(|_| (scale * stream.normal()) as f32).collect::<Vec<_>>();
            // Means far from 0 beside small variances, and log-variances on both sides of the bounds.
            let centre = draw(batch * dims, 10.0);
            let mut outputs = Vec::new();
            for _ in 0..members {
                for row in centre.chunks(dims) {
                    outputs.extend(row.iter().zip(draw(dims, 0.1)).map(|(c, d)| c + d));
                    outputs.extend(draw(dims, 2.0).iter().map(|x| x - 2.0));
                }
            }
            let bounds = [vec![-4f32; dims], vec![0.5; dims]].concat();
            let (noise, targets, c) = (draw(batch * dims, 1.0), draw(members * batch * dims, 1.0), draw(batch * (dims + 1), 1.0));
            let targets: Vec<f32> = targets.iter().zip(centre.iter().cycle()).map(|(t, c)| t + c).collect();
            let chosen: Vec<u32> = (0..batch).map(|i| ((i * 7 + 3) % members) as u32).collect();
            let evaluate = |dtype| {
                let outputs = Var::from_tensor(&tensor(dtype, (members, batch, 2 * dims), &outputs)).unwrap();
                let bounds = Var::from_tensor(&tensor(dtype, (2, dims), &bounds)).unwrap();
                let targets = tensor(dtype, (members, batch, dims), &targets);
                let loss = heads.loss(&outputs, &targets, &bounds).unwrap();
                let gradients = loss.backward().unwrap();
                let mut all = vec![values(&loss), values(gradients.get(&outputs).unwrap()), values(gradients.get(&bounds).unwrap())];
                let noise = tensor(dtype, (batch, dims), &noise);
                let (drawn, error) = heads.imagine(&outputs, &bounds, &chosen, &noise, first).unwrap();
                let both = Tensor::cat(&[&drawn, &error.unsqueeze(1).unwrap()], 1).unwrap();
                let sum = (&both * tensor(dtype, (batch, dims + 1), &c)).unwrap().sum_all().unwrap();
                all.extend([values(&both), values(sum.backward().unwrap().get(&outputs).unwrap())]);
                all
            };
            let names = ["loss", "its gradient", "that of the bounds", "draws", "their gradient"];
            for (what, (fused, exact)) in names.iter().zip(evaluate(DType::F32).iter().zip(evaluate(DType::F64))) {
                let scale = exact.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                for (f, e) in fused.iter().zip(exact) {
                    prop_assert!((f - e).abs() < 1e-4 * scale, "{what}: {f} instead of {e}");
                }
            }
        }
    }

    #[test]
    fn weights_decay_by_layer_and_biases_do_not() {
        let mlp = Mlp::new(&[2, 3, 1], Head::Linear).ensemble(2);
        let mut values = mlp.init(&mut Stream::new(0, "init"));
        values.iter_mut().for_each(|x| *x += 1.0);
        let theta = Var::from_tensor(&tensor(DType::F32, values.len(), &values)).unwrap();
        let loss = WeightDecay::new(&mlp, &[0.5, 0.25]).loss(&theta).unwrap();
        let gradients = backward(&loss).unwrap();
        let found = gradients.of(&theta).unwrap().clipped(f64::INFINITY).unwrap();
        let mut expected = 0.0;
        for parameter in mlp.parameters() {
            let layer = usize::from(parameter.name.starts_with('1'));
            let coefficient = if parameter.shape.len() == 2 { [0.5, 0.25][layer] } else { 0.0 };
            for at in parameter.offset..parameter.offset + parameter.shape.iter().product::<usize>() {
                assert_eq!(found[at], coefficient * values[at], "{}", parameter.name);
                expected += 0.5 * coefficient * values[at] * values[at];
            }
        }
        assert!((loss.to_scalar::<f32>().unwrap() - expected).abs() < 1e-5);
    }

    #[test]
    fn a_long_gradient_is_cut_to_length() {
        let gradient = crate::Gradient::Slice(&[3.0, -4.0]);
        assert_eq!(gradient.clipped(5.0).unwrap(), [3.0, -4.0]);
        assert_eq!(gradient.clipped(2.5).unwrap(), [1.5, -2.0]);
    }
}
