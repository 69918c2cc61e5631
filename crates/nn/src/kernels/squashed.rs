//! The squashed Gaussian of [`crate::SquashedGaussian`], row by row.

use super::elementwise::wide;
use super::smooth::{exp, ln_slope_of_tanh, tanh_of};

/// ln √(2π).
pub(crate) const LN_SQRT_2_PI: f64 = 0.918_938_533_204_672_7;

wide! {
    /// From `outputs[batch, 2 · dims]` and `noise[batch, dims]`, `both[batch, dims + 1]`: y, and then its density's
    /// logarithm. ln σ is clipped to `clip`.
    fn squash(outputs: &[f32], noise: &[f32], both: &mut [f32], dims: usize, clip: (f32, f32)) {
        let rows = outputs.chunks_exact(2 * dims).zip(noise.chunks_exact(dims));
        for ((outputs, noise), both) in rows.zip(both.chunks_exact_mut(dims + 1)) {
            let mut density = 0.0;
            for i in 0..dims {
                let log_std = outputs[dims + i].clamp(clip.0, clip.1);
                let u = exp(log_std).mul_add(noise[i], outputs[i]);
                density += -0.5 * noise[i] * noise[i] - log_std - LN_SQRT_2_PI as f32 - ln_slope_of_tanh(u);
                both[i] = tanh_of(u);
            }
            both[dims] = density;
        }
    }
}

wide! {
    /// The gradient of `outputs`, from `gradient` of `both`; `d` is zero at first, and stays so where ln σ is clipped.
    fn squash_backward(
        d: &mut [f32],
        outputs: &[f32],
        noise: &[f32],
        both: &[f32],
        gradient: &[f32],
        dims: usize,
        clip: (f32, f32),
    ) {
        let rows = outputs.chunks_exact(2 * dims).zip(noise.chunks_exact(dims));
        let gradients = both.chunks_exact(dims + 1).zip(gradient.chunks_exact(dims + 1));
        for ((d, (outputs, noise)), (y, g)) in d.chunks_exact_mut(2 * dims).zip(rows).zip(gradients) {
            for i in 0..dims {
                let log_std = outputs[dims + i];
                // −ln(1 − tanh² u) has the slope 2 tanh u.
                let du = g[i] * (1.0 - y[i] * y[i]) + g[dims] * 2.0 * y[i];
                d[i] = du;
                if clip.0 <= log_std && log_std <= clip.1 {
                    d[dims + i] = du * exp(log_std) * noise[i] - g[dims];
                }
            }
        }
    }
}
