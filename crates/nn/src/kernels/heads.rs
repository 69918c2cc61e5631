//! The heads of an ensemble of Gaussians: an output row holds a member's means and then its raw log-variances.

use super::elementwise::wide;
use super::panels::LANES;
use super::smooth::{exp, ln, sigmoid, softplus};

type Chunk = [f32; LANES];

/// The least variance of what the other members merge to.
pub(crate) const LEAST_VARIANCE: f32 = 1e-8;

/// Outputs `[members, rows, 2 · dims]` taken apart: one plane `[rows, dims]` a member, in whole lanes, and the raw
/// log-variances clamped softly between their bounds.
pub(crate) struct Heads {
    rows: usize,
    dims: usize,
    /// Lanes of a plane.
    chunks: usize,
    mean: Vec<Chunk>,
    log_variance: Vec<Chunk>,
    /// σ(high − raw) and σ(clamped from above − low): their product is the slope of the clamp.
    below_high: Vec<Chunk>,
    above_low: Vec<Chunk>,
}

wide! {
    /// From raw log-variances, `high − softplus(high − raw)`, and that again from below, with both slopes.
    fn soft_clamp(
        values: &mut [Chunk],
        low: &[Chunk],
        high: &[Chunk],
        below_high: &mut [Chunk],
        above_low: &mut [Chunk],
    ) {
        let bounds = low.iter().zip(high).cycle();
        let slopes = below_high.iter_mut().zip(above_low);
        for ((x, (low, high)), (below_high, above_low)) in values.iter_mut().zip(bounds).zip(slopes) {
            for i in 0..LANES {
                let clamped = high[i] - softplus(high[i] - x[i]);
                below_high[i] = sigmoid(high[i] - x[i]);
                above_low[i] = sigmoid(clamped - low[i]);
                x[i] = low[i] + softplus(clamped - low[i]);
            }
        }
    }
}

/// What all members sum to, their means taken from the centre, where nothing cancels.
struct Sums {
    centre: Chunk,
    /// Σ μ.
    first: Chunk,
    /// Σ (σ² + μ²).
    second: Chunk,
}

#[inline(always)]
fn sums(mean: &[Chunk], log_variance: &[Chunk], chunk: usize, chunks: usize) -> Sums {
    let members = mean.len() / chunks;
    let mut sums = Sums { centre: [0.0; LANES], first: [0.0; LANES], second: [0.0; LANES] };
    for k in 0..members {
        let mean = &mean[k * chunks + chunk];
        for (centre, mean) in sums.centre.iter_mut().zip(mean) {
            *centre += mean;
        }
    }
    for i in 0..LANES {
        sums.centre[i] /= members as f32;
    }
    for k in 0..members {
        let (mean, log_variance) = (&mean[k * chunks + chunk], &log_variance[k * chunks + chunk]);
        for i in 0..LANES {
            let mean = mean[i] - sums.centre[i];
            sums.first[i] += mean;
            sums.second[i] += mean.mul_add(mean, exp(log_variance[i]));
        }
    }
    sums
}

/// Mean and variance of the Gaussian that has the moments of all members but the one with `mean` and `variance`.
#[inline(always)]
fn rest(mean: f32, variance: f32, first: f32, second: f32, others: f32) -> (f32, f32) {
    let rest_mean = (first - mean) / others;
    let rest_second = (second - mean.mul_add(mean, variance)) / others;
    (rest_mean, (-rest_mean).mul_add(rest_mean, rest_second))
}

wide! {
    /// Σ_i KL(p_i ‖ p_rest) of each element of a plane.
    fn one_versus_rest(mean: &[Chunk], log_variance: &[Chunk], out: &mut [Chunk]) {
        let chunks = out.len();
        let members = mean.len() / chunks;
        let others = (members - 1) as f32;
        for (chunk, out) in out.iter_mut().enumerate() {
            let sums = sums(mean, log_variance, chunk, chunks);
            for k in 0..members {
                let (mean, log_variance) = (&mean[k * chunks + chunk], &log_variance[k * chunks + chunk]);
                for i in 0..LANES {
                    let log_variance = log_variance[i];
                    let (m, v) = (mean[i] - sums.centre[i], exp(log_variance));
                    let (rest_mean, rest_variance) = rest(m, v, sums.first[i], sums.second[i], others);
                    let rest_variance = rest_variance.max(LEAST_VARIANCE);
                    let delta = m - rest_mean;
                    let ratio = delta.mul_add(delta, v) / rest_variance;
                    out[i] += 0.5 * (ln(rest_variance) - log_variance + ratio - 1.0);
                }
            }
        }
    }
}

wide! {
    /// The gradients of [`one_versus_rest`], by `gradient` of its outputs.
    fn one_versus_rest_backward(
        mean: &[Chunk],
        log_variance: &[Chunk],
        gradient: &[Chunk],
        d_mean: &mut [Chunk],
        d_log_variance: &mut [Chunk],
    ) {
        let chunks = gradient.len();
        let members = mean.len() / chunks;
        let others = (members - 1) as f32;
        for (chunk, g) in gradient.iter().enumerate() {
            let all = sums(mean, log_variance, chunk, chunks);
            // With A = ∂KL/∂(rest's variance) and B = ∂KL/∂(rest's mean): Σ A, Σ B and Σ A · rest's mean.
            let (mut sum_a, mut sum_b, mut sum_am) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
            for k in 0..members {
                let (mean, log_variance) = (&mean[k * chunks + chunk], &log_variance[k * chunks + chunk]);
                for i in 0..LANES {
                    let (m, v) = (mean[i] - all.centre[i], exp(log_variance[i]));
                    let (rest_mean, raw) = rest(m, v, all.first[i], all.second[i], others);
                    let rest_variance = raw.max(LEAST_VARIANCE);
                    let delta = m - rest_mean;
                    let ratio = delta.mul_add(delta, v) / rest_variance;
                    let a = if raw > LEAST_VARIANCE { 0.5 * (1.0 - ratio) / rest_variance } else { 0.0 };
                    sum_a[i] += a;
                    sum_b[i] -= delta / rest_variance;
                    sum_am[i] = a.mul_add(rest_mean, sum_am[i]);
                }
            }
            for k in 0..members {
                let (mean, log_variance) = (&mean[k * chunks + chunk], &log_variance[k * chunks + chunk]);
                let (d_mean, d_log_variance) =
                    (&mut d_mean[k * chunks + chunk], &mut d_log_variance[k * chunks + chunk]);
                for i in 0..LANES {
                    let (m, v) = (mean[i] - all.centre[i], exp(log_variance[i]));
                    let (rest_mean, raw) = rest(m, v, all.first[i], all.second[i], others);
                    let rest_variance = raw.max(LEAST_VARIANCE);
                    let delta = m - rest_mean;
                    let ratio = delta.mul_add(delta, v) / rest_variance;
                    let a = if raw > LEAST_VARIANCE { 0.5 * (1.0 - ratio) / rest_variance } else { 0.0 };
                    let b = -delta / rest_variance;
                    let by_rest = (sum_b[i] - b) + 2.0 * (m * (sum_a[i] - a) - (sum_am[i] - a * rest_mean));
                    let by_variance = 0.5 / rest_variance + (sum_a[i] - a) / others;
                    d_mean[i] += g[i] * (by_rest / others - b);
                    d_log_variance[i] += g[i] * v.mul_add(by_variance, -0.5);
                }
            }
        }
    }
}

wide! {
    /// (μ − y)² e^(−ln σ²) + ln σ² of each element, and its slopes.
    fn likelihood(
        mean: &[Chunk],
        log_variance: &[Chunk],
        targets: &[Chunk],
        loss: &mut [Chunk],
        d_mean: &mut [Chunk],
        d_log_variance: &mut [Chunk],
    ) {
        for j in 0..loss.len() {
            for i in 0..LANES {
                let precision = exp(-log_variance[j][i]);
                let delta = mean[j][i] - targets[j][i];
                let square = delta * delta * precision;
                loss[j][i] = square + log_variance[j][i];
                d_mean[j][i] = 2.0 * delta * precision;
                d_log_variance[j][i] = 1.0 - square;
            }
        }
    }
}

wide! {
    /// Into `out[rows, width]`, μ + σ ε of each row's member; `members` are where their planes begin.
    fn draws(
        mean: &[f32],
        log_variance: &[f32],
        members: &[usize],
        noise: &[f32],
        width: usize,
        out: &mut [f32],
    ) {
        let dims = noise.len() / members.len();
        let rows = members.iter().zip(noise.chunks_exact(dims)).zip(out.chunks_exact_mut(width));
        for (row, ((member, noise), out)) in rows.enumerate() {
            let (mean, log_variance) =
                (&mean[member + row * dims..][..dims], &log_variance[member + row * dims..][..dims]);
            for i in 0..dims {
                out[i] = exp(0.5 * log_variance[i]).mul_add(noise[i], mean[i]);
            }
        }
    }
}

wide! {
    /// Adds to the slopes of means and log-variances those of [`draws`].
    fn draws_backward(
        log_variance: &[f32],
        members: &[usize],
        noise: &[f32],
        width: usize,
        gradient: &[f32],
        d_mean: &mut [f32],
        d_log_variance: &mut [f32],
    ) {
        let dims = noise.len() / members.len();
        let rows = members.iter().zip(noise.chunks_exact(dims)).zip(gradient.chunks_exact(width));
        for (row, ((member, noise), g)) in rows.enumerate() {
            let at = member + row * dims;
            let (d_mean, d_log_variance) = (&mut d_mean[at..][..dims], &mut d_log_variance[at..][..dims]);
            let log_variance = &log_variance[at..][..dims];
            for i in 0..dims {
                d_mean[i] += g[i];
                d_log_variance[i] += g[i] * 0.5 * exp(0.5 * log_variance[i]) * noise[i];
            }
        }
    }
}

/// `values` in whole lanes, filled up with zeros.
fn chunks_of(values: impl Iterator<Item = f32>, chunks: usize) -> Vec<Chunk> {
    let mut out = vec![[0.0; LANES]; chunks];
    out.as_flattened_mut().iter_mut().zip(values).for_each(|(out, value)| *out = value);
    out
}

impl Heads {
    /// Takes `outputs [members, rows, 2 · dims]` apart; `low` and `high` bound the log-variance of each dimension.
    pub(crate) fn new(outputs: &[f32], members: usize, (low, high): (&[f32], &[f32])) -> Self {
        let dims = low.len();
        let rows = outputs.len() / (members * 2 * dims);
        let chunks = (rows * dims).div_ceil(LANES);
        let part = |first: usize| {
            let mut planes = vec![[0.0; LANES]; members * chunks];
            let outputs = outputs.chunks_exact(rows * 2 * dims);
            for (plane, outputs) in planes.chunks_exact_mut(chunks).zip(outputs) {
                let to = plane.as_flattened_mut().chunks_exact_mut(dims);
                to.zip(outputs.chunks_exact(2 * dims))
                    .for_each(|(to, row)| to.copy_from_slice(&row[first..first + dims]));
            }
            planes
        };
        let tiled = |bound: &[f32]| chunks_of(bound.iter().copied().cycle(), chunks);
        let (mean, mut log_variance) = (part(0), part(dims));
        let mut below_high = vec![[0.0; LANES]; log_variance.len()];
        let mut above_low = below_high.clone();
        soft_clamp(&mut log_variance, &tiled(low), &tiled(high), &mut below_high, &mut above_low);
        Self { rows, dims, chunks, mean, log_variance, below_high, above_low }
    }

    fn zeros(&self) -> Vec<Chunk> {
        vec![[0.0; LANES]; self.mean.len()]
    }

    /// The gradient of the outputs from those of means and clamped log-variances.
    fn outputs_gradient(&self, d_mean: &[Chunk], d_log_variance: &[Chunk]) -> Vec<f32> {
        let (rows, dims, chunks) = (self.rows, self.dims, self.chunks);
        let members = self.mean.len() / chunks;
        let mut out = vec![0.0; members * rows * 2 * dims];
        for (k, out) in out.chunks_exact_mut(rows * 2 * dims).enumerate() {
            let plane = |chunked: &'_ [Chunk]| chunked[k * chunks..][..chunks].as_flattened().to_vec();
            let (mean, log_variance) = (plane(d_mean), plane(d_log_variance));
            let (below_high, above_low) = (plane(&self.below_high), plane(&self.above_low));
            for (row, out) in out.chunks_exact_mut(2 * dims).enumerate() {
                for i in 0..dims {
                    let at = row * dims + i;
                    out[i] = mean[at];
                    out[dims + i] = log_variance[at] * below_high[at] * above_low[at];
                }
            }
        }
        out
    }

    /// `[rows, dims + 1]`: in each row the draw μ + σ ε of its member, and then Σ_i KL(p_i ‖ p_rest), summed over the
    /// dimensions from `first` on.
    pub(crate) fn imagine(&self, members: &[u32], noise: &[f32], first: usize) -> Vec<f32> {
        let mut divergence = vec![[0.0; LANES]; self.chunks];
        one_versus_rest(&self.mean, &self.log_variance, &mut divergence);
        let (mean, log_variance) = (self.mean.as_flattened(), self.log_variance.as_flattened());
        let width = self.dims + 1;
        let mut out = vec![0.0; self.rows * width];
        draws(mean, log_variance, &self.planes(members), noise, width, &mut out);
        let divergence = divergence.as_flattened().chunks_exact(self.dims);
        out.chunks_exact_mut(width)
            .zip(divergence)
            .for_each(|(out, divergence)| out[self.dims] = divergence[first..].iter().sum());
        out
    }

    /// Where the planes of `members` begin.
    fn planes(&self, members: &[u32]) -> Vec<usize> {
        members.iter().map(|member| *member as usize * self.chunks * LANES).collect()
    }

    /// The gradient of the outputs from that of [`Self::imagine`].
    pub(crate) fn imagine_backward(
        &self,
        members: &[u32],
        noise: &[f32],
        first: usize,
        gradient: &[f32],
    ) -> Vec<f32> {
        let (mut d_mean, mut d_log_variance) = (self.zeros(), self.zeros());
        let dims = self.dims;
        let of_divergence = gradient
            .chunks_exact(dims + 1)
            .flat_map(|g| (0..dims).map(move |i| if i < first { 0.0 } else { g[dims] }));
        let of_divergence = chunks_of(of_divergence, self.chunks);
        if of_divergence.as_flattened().iter().any(|g| *g != 0.0) {
            one_versus_rest_backward(
                &self.mean,
                &self.log_variance,
                &of_divergence,
                &mut d_mean,
                &mut d_log_variance,
            );
        }
        draws_backward(
            self.log_variance.as_flattened(),
            &self.planes(members),
            noise,
            dims + 1,
            gradient,
            d_mean.as_flattened_mut(),
            d_log_variance.as_flattened_mut(),
        );
        self.outputs_gradient(&d_mean, &d_log_variance)
    }

    /// Σ over members of the mean over rows and dimensions of (μ − y)² / σ² + ln σ², for targets y
    /// `[members, rows, dims]`; its gradient with respect to the outputs, and to the bounds, low before high.
    pub(crate) fn likelihood(&self, targets: &[f32]) -> (f32, Vec<f32>, Vec<f32>) {
        let (rows, dims, chunks) = (self.rows, self.dims, self.chunks);
        let planes = targets.chunks_exact(rows * dims);
        let targets: Vec<Chunk> = planes.flat_map(|plane| chunks_of(plane.iter().copied(), chunks)).collect();
        let (mut loss, mut d_mean, mut d_log_variance) = (self.zeros(), self.zeros(), self.zeros());
        likelihood(&self.mean, &self.log_variance, &targets, &mut loss, &mut d_mean, &mut d_log_variance);
        let scale = 1.0 / (rows * dims) as f32;
        let mut sum = 0.0;
        let mut bounds = vec![0f64; 2 * dims];
        for plane in (0..loss.len()).step_by(chunks) {
            for at in plane * LANES..plane * LANES + rows * dims {
                sum += f64::from(loss.as_flattened()[at]);
                let g = f64::from(d_log_variance.as_flattened()[at]);
                let below_high = f64::from(self.below_high.as_flattened()[at]);
                let above_low = f64::from(self.above_low.as_flattened()[at]);
                let dim = (at - plane * LANES) % dims;
                bounds[dim] += g * (1.0 - above_low);
                bounds[dims + dim] += g * (1.0 - below_high) * above_low;
            }
        }
        let mut outputs = self.outputs_gradient(&d_mean, &d_log_variance);
        outputs.iter_mut().for_each(|g| *g *= scale);
        let bounds = bounds.iter().map(|g| (g * f64::from(scale)) as f32).collect();
        ((sum * f64::from(scale)) as f32, outputs, bounds)
    }
}
