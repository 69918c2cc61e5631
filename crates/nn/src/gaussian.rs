//! The Gaussian policy of IQL's code: a network's mean, and one ln σ an action dimension that no state moves.

use crate::kernels::LN_SQRT_2_PI;
use crate::mlp::is_fused;
use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail};

/// y = μ + σ ε, for standard normal ε, with a diagonal covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// ln σ is clipped to these.
    pub log_std: (f64, f64),
}

impl Gaussian {
    /// σ `[dims]`.
    ///
    /// # Errors
    /// If the device fails to hand out `log_std [dims]`.
    pub fn std(&self, log_std: &Tensor) -> Result<Vec<f32>> {
        let log_std = log_std.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        Ok(log_std.into_iter().map(|x| libm::exp(self.clip(x)) as f32).collect())
    }

    /// `mean [batch, dims]`, `log_std [dims]` and `noise [batch, dims]` → y, without a gradient.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn sample(&self, mean: &Tensor, log_std: &Tensor, noise: &Tensor) -> Result<Tensor> {
        let std = Tensor::new(self.std(log_std)?, mean.device())?.to_dtype(mean.dtype())?;
        mean.detach() + noise.broadcast_mul(&std)?
    }

    /// The logarithm of the density of `y [batch, dims]`, `[batch]`: Σ −z²/2 − ln σ − ln √(2π) with z = (y − μ) / σ.
    /// There is no gradient with respect to `y`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn log_density(&self, mean: &Tensor, log_std: &Tensor, y: &Tensor) -> Result<Tensor> {
        let (_, dims) = mean.dims2()?;
        if y.dims() != mean.dims() || log_std.dims() != [dims] {
            bail!("a mean {:?} fits neither ln σ {:?} nor y {:?}", mean.dims(), log_std.dims(), y.dims());
        }
        if !is_fused(mean) {
            return self.log_density_plain(mean, log_std, y);
        }
        mean.contiguous()?.apply_op3(&log_std.contiguous()?, &y.contiguous()?, *self)
    }

    /// [`Self::log_density`] in candle's own operations, for other devices and other precisions.
    fn log_density_plain(&self, mean: &Tensor, log_std: &Tensor, y: &Tensor) -> Result<Tensor> {
        let log_std = log_std.clamp(self.log_std.0, self.log_std.1)?;
        let z = (y.detach() - mean)?.broadcast_div(&log_std.exp()?)?;
        z.sqr()?.affine(-0.5, -LN_SQRT_2_PI)?.broadcast_sub(&log_std)?.sum(D::Minus1)
    }

    fn clip(&self, log_std: f32) -> f64 {
        f64::from(log_std).clamp(self.log_std.0, self.log_std.1)
    }
}

/// `(μ, ln σ, y) → ln density`: the system's `exp` would decide bits.
impl CustomOp3 for Gaussian {
    fn name(&self) -> &'static str {
        "gaussian"
    }

    fn cpu_fwd(
        &self,
        mean: &CpuStorage,
        mean_layout: &Layout,
        log_std: &CpuStorage,
        log_std_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mean = crate::fused::slice(mean, mean_layout)?;
        let log_std = crate::fused::slice(log_std, log_std_layout)?;
        let y = crate::fused::slice(y, y_layout)?;
        let inverse: Vec<f32> = log_std.iter().map(|x| libm::exp(-self.clip(*x)) as f32).collect();
        let constant: f64 = log_std.iter().map(|x| self.clip(*x) + LN_SQRT_2_PI).sum();
        let rows = mean.chunks_exact(log_std.len()).zip(y.chunks_exact(log_std.len()));
        let density = rows.map(|(mean, y)| {
            let z = mean.iter().zip(y).zip(&inverse).map(|((mean, y), inverse)| (y - mean) * inverse);
            -0.5 * z.map(|z| z * z).sum::<f32>() - constant as f32
        });
        let density: Vec<f32> = density.collect();
        let batch = density.len();
        Ok((CpuStorage::F32(density), batch.into()))
    }

    fn bwd(
        &self,
        mean: &Tensor,
        log_std: &Tensor,
        y: &Tensor,
        _density: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (means, log_stds, ys) = (values(mean)?, values(log_std)?, values(y)?);
        let dims = log_stds.len();
        let inverse: Vec<f32> = log_stds.iter().map(|x| libm::exp(-self.clip(*x)) as f32).collect();
        let mut dmean = vec![0f32; means.len()];
        let mut dlog_std = vec![0f32; dims];
        let rows = means.chunks_exact(dims).zip(ys.chunks_exact(dims)).zip(dmean.chunks_exact_mut(dims));
        for (((mean, y), dmean), g) in rows.zip(values(gradient)?) {
            for i in 0..dims {
                let z = (y[i] - mean[i]) * inverse[i];
                dmean[i] = g * z * inverse[i];
                dlog_std[i] += g * (z * z - 1.0);
            }
        }
        for (d, log_std) in dlog_std.iter_mut().zip(&log_stds) {
            if self.clip(*log_std) != f64::from(*log_std) {
                *d = 0.0;
            }
        }
        let tensor = |values: Vec<f32>, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device());
        Ok((Some(tensor(dmean, mean)?), Some(tensor(dlog_std, log_std)?), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use streams::Stream;

    const POLICY: Gaussian = Gaussian { log_std: (-5.0, 2.0) };

    /// The density and the gradients of Σ c · density with respect to μ and ln σ.
    fn evaluate(dtype: DType, mean: &Tensor, log_std: &Tensor, y: &Tensor, c: &Tensor) -> [Vec<f64>; 3] {
        let cast = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
        let (mean, log_std) =
            (Var::from_tensor(&cast(mean)).unwrap(), Var::from_tensor(&cast(log_std)).unwrap());
        let density = POLICY.log_density(&mean, &log_std, &cast(y)).unwrap();
        let gradients = (&density * cast(c)).unwrap().sum_all().unwrap().backward().unwrap();
        [&density, gradients.get(&mean).unwrap(), gradients.get(&log_std).unwrap()]
            .map(|t| t.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap())
    }

    #[test]
    fn the_fused_density_is_candles_in_float64() {
        let mut stream = Stream::new(0, "test");
        for (batch, dims) in [(1, 1), (7, 3), (256, 8)] {
            let mut draw = |shape: &[usize], scale: f64| {
                let count = shape.iter().product::<usize>();
                let values: Vec<f32> = (0..count).map(|_| (scale * stream.normal()) as f32).collect();
                Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
            };
            // Wide enough for ln σ to be clipped now and then.
            let (mean, log_std) = (draw(&[batch, dims], 1.0), draw(&[dims], 1.8));
            let (y, c) = (draw(&[batch, dims], 1.0), draw(&[batch], 1.0));
            let fused = evaluate(DType::F32, &mean, &log_std, &y, &c);
            let exact = evaluate(DType::F64, &mean, &log_std, &y, &c);
            for (fused, exact) in fused.iter().zip(&exact) {
                let scale = exact.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                for (f, e) in fused.iter().zip(exact) {
                    assert!((f - e).abs() < 3e-6 * scale, "{f} instead of {e}");
                }
            }
        }
    }

    #[test]
    fn a_clipped_deviation_has_no_gradient_and_bounds_the_sample() {
        let tensor =
            |values: &[f32], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
        let (mean, log_std) = (tensor(&[0.0, 0.0], &[1, 2]), tensor(&[7.0, -9.0], &[2]));
        let y = tensor(&[1.0, 1e-3], &[1, 2]);
        let [_, _, dlog_std] = evaluate(DType::F32, &mean, &log_std, &y, &tensor(&[1.0], &[1]));
        assert_eq!(dlog_std, [0.0, 0.0]);
        let sample = POLICY.sample(&mean, &log_std, &tensor(&[1.0, 1.0], &[1, 2])).unwrap();
        assert_eq!(sample.to_vec2::<f32>().unwrap(), [[libm::exp(2.0) as f32, libm::exp(-5.0) as f32]]);
    }
}
