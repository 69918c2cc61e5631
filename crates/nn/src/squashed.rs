//! The tanh-squashed Gaussian policy of SAC (Haarnoja et al. 2018, arXiv 1812.05905, appendix C).

use crate::kernels::{self, LN_SQRT_2_PI};
use crate::mlp::is_fused;
use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor, bail};

/// y = tanh(u), u = μ + σ ε, for a network's outputs μ and ln σ, and standard normal ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquashedGaussian {
    /// ln σ is clipped to these.
    pub log_std: (f64, f64),
}

impl SquashedGaussian {
    /// `outputs [batch, 2 · dims]`, μ before ln σ, and `noise [batch, dims]` → y `[batch, dims]` within ±1, and the
    /// logarithm of its density `[batch]`:
    /// Σ −ε²/2 − ln σ − ln √(2π) − ln(1 − y²).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn sample(&self, outputs: &Tensor, noise: &Tensor) -> Result<(Tensor, Tensor)> {
        let (batch, dims) = noise.dims2()?;
        if outputs.dims() != [batch, 2 * dims] {
            bail!("{dims} actions take outputs [{batch}, {}], not {:?}", 2 * dims, outputs.dims());
        }
        if !is_fused(outputs) {
            return self.sample_plain(outputs, noise);
        }
        let (outputs, noise) = (outputs.contiguous()?, noise.contiguous()?);
        let both = if outputs.track_op() {
            outputs.apply_op2(&noise, *self)
        } else {
            outputs.apply_op2_no_bwd(&noise, self)
        }?;
        Ok((both.narrow(1, 0, dims)?, both.get_on_dim(1, dims)?))
    }

    /// [`Self::sample`] in candle's own operations, for other devices and other precisions.
    fn sample_plain(&self, outputs: &Tensor, noise: &Tensor) -> Result<(Tensor, Tensor)> {
        let dims = noise.dims2()?.1;
        let log_std = outputs.narrow(1, dims, dims)?.clamp(self.log_std.0, self.log_std.1)?;
        let u = (outputs.narrow(1, 0, dims)? + (log_std.exp()? * noise)?)?;
        let size = u.abs()?;
        let ln_slope = (size.affine(-2.0, 0.0)?.exp()?.affine(1.0, 1.0)?.log()? + &size)?;
        let ln_slope = ln_slope.affine(-2.0, 2.0 * std::f64::consts::LN_2)?;
        let density = ((noise.sqr()?.affine(-0.5, -LN_SQRT_2_PI)? - log_std)? - ln_slope)?;
        Ok((u.tanh()?, density.sum(D::Minus1)?))
    }

    fn clip(&self) -> (f32, f32) {
        (self.log_std.0 as f32, self.log_std.1 as f32)
    }
}

/// One custom operation, `[batch, dims + 1]`: y and then the logarithm of the density.
impl CustomOp2 for SquashedGaussian {
    fn name(&self) -> &'static str {
        "squashed-gaussian"
    }

    fn cpu_fwd(
        &self,
        outputs: &CpuStorage,
        outputs_layout: &Layout,
        noise: &CpuStorage,
        noise_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (outputs, noise) =
            (crate::fused::slice(outputs, outputs_layout)?, crate::fused::slice(noise, noise_layout)?);
        let (batch, dims) = noise_layout.shape().dims2()?;
        let mut both = vec![0.0; batch * (dims + 1)];
        kernels::squash(outputs, noise, &mut both, dims, self.clip());
        Ok((CpuStorage::F32(both), (batch, dims + 1).into()))
    }

    fn bwd(
        &self,
        outputs: &Tensor,
        noise: &Tensor,
        both: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dims = noise.dims2()?.1;
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (values_of_outputs, noise) = (values(outputs)?, values(noise)?);
        let mut d = vec![0f32; values_of_outputs.len()];
        let (both, gradient) = (values(both)?, values(gradient)?);
        kernels::squash_backward(&mut d, &values_of_outputs, &noise, &both, &gradient, dims, self.clip());
        Ok((Some(Tensor::from_vec(d, outputs.shape(), outputs.device())?), None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};
    use proptest::prelude::*;
    use streams::Stream;

    const POLICY: SquashedGaussian = SquashedGaussian { log_std: (-20.0, 2.0) };

    /// y, the density, and the gradient of Σ c · (y | density).
    fn evaluate(
        dtype: DType,
        dims: usize,
        outputs: &[f32],
        noise: &[f32],
        c: &[f32],
    ) -> Result<[Vec<f64>; 3]> {
        let tensor = |data: &[f32], columns: usize| {
            Tensor::from_slice(data, (data.len() / columns, columns), &Device::Cpu)?.to_dtype(dtype)
        };
        let outputs = Var::from_tensor(&tensor(outputs, 2 * dims)?)?;
        let (y, density) = POLICY.sample(&outputs, &tensor(noise, dims)?)?;
        let both = Tensor::cat(&[&y, &density.unsqueeze(1)?], 1)?;
        let gradients = (both * tensor(c, dims + 1)?)?.sum_all()?.backward()?;
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        Ok([values(&y)?, values(&density)?, values(gradients.get(&outputs).expect("they take part"))?])
    }

    proptest! {
        #[test]
        fn the_fused_policy_is_candles_in_float64(batch in 1usize..20, dims in 1usize..20, seed: u64) {
            let mut stream = Stream::new(seed, "test");
            let mut draw = |n: usize, scale: f64| (0..n).map(|_| (scale * stream.normal()) as f32).collect::<Vec<_>>();
            // Wide enough for ln σ to be clipped now and then.
            let (outputs, noise) = (draw(batch * 2 * dims, 1.5), draw(batch * dims, 1.0));
            let c = draw(batch * (dims + 1), 1.0);
            let fused = evaluate(DType::F32, dims, &outputs, &noise, &c).unwrap();
            let exact = evaluate(DType::F64, dims, &outputs, &noise, &c).unwrap();
            for (what, (fused, exact)) in ["y", "density", "gradient"].iter().zip(fused.iter().zip(&exact)) {
                for (f, e) in fused.iter().zip(exact) {
                    prop_assert!((f - e).abs() < 3e-6 * (1.0 + e.abs()) * dims as f64, "{what}: {f} instead of {e}");
                }
            }
        }
    }

    #[test]
    fn the_density_integrates_to_one() {
        // One dimension, μ = 0.3 and ln σ = −0.5: the integral over y is one over u with dy = (1 − y²) du.
        let (mean, log_std) = (0.3f32, -0.5f32);
        let step = 1e-3;
        let noise: Vec<f32> = (-8000..8000).map(|i| i as f32 * step).collect();
        let outputs: Vec<f32> = noise.iter().flat_map(|_| [mean, log_std]).collect();
        let [y, density, _] = evaluate(DType::F32, 1, &outputs, &noise, &vec![1.0; 2 * noise.len()]).unwrap();
        let du = f64::from(step) * libm::exp(f64::from(log_std));
        let integral: f64 = y.iter().zip(density).map(|(y, d)| libm::exp(d) * (1.0 - y * y) * du).sum();
        assert!((integral - 1.0).abs() < 1e-4, "{integral}");
    }
}
