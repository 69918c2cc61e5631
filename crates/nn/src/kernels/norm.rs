//! Layer normalisation (Ba, Kiros and Hinton 2016) of a panel `[features, samples]`: each sample's features by
//! themselves. Sums run over the features in order, a sample a lane.

use super::elementwise::{add_products, tree, wide};
use super::panels::{LANES, Panels, WIDTH};

/// What is added to the variance, as Flax has it.
pub(crate) const EPSILON: f32 = 1e-6;

/// What a normalisation leaves for its gradient.
pub(crate) struct Normalised {
    /// The features, centred and divided by their standard deviation.
    x: Panels,
    /// 1 / √(variance + ε) of each sample, and of what fills up the last lanes.
    rstd: Vec<f32>,
}

/// `scale · (x − mean) / √(variance + ε) + shift` of each sample's features.
pub(crate) fn normalise(mut x: Panels, scale: &[f32], shift: &[f32]) -> (Panels, Normalised) {
    assert!(scale.len() == x.rows() && shift.len() == x.rows());
    let mut y = Panels::take(x.rows(), x.samples());
    let mut rstd = vec![0.0; x.samples().next_multiple_of(LANES)];
    let samples = x.cut();
    for ((x, y), samples) in x.panels_mut().zip(y.panels_mut()).zip(samples) {
        normalise_panel(x, y, scale, shift, &mut rstd[samples]);
    }
    (y, Normalised { x, rstd })
}

/// [`normalise`] of a single sample.
pub(crate) fn normalise_one(x: &[f32], scale: &[f32], shift: &[f32]) -> Vec<f32> {
    let (mut x, mut y) = (x.to_vec(), vec![0.0; x.len()]);
    normalise_panel(&mut x, &mut y, scale, shift, &mut [0.0]);
    y
}

impl Normalised {
    /// Turns the gradient `g` of what came out, in place, into that of what came in, and multiplies that by `slopes`:
    /// the gradient of what came into the units before.
    pub(crate) fn backward(&self, g: &mut Panels, scale: &[f32], slopes: &Panels) {
        let samples = g.cut();
        for (((g, x), slopes), samples) in
            g.panels_mut().zip(self.x.panels()).zip(slopes.panels()).zip(samples)
        {
            normalise_panel_backward(g, x, slopes, scale, &self.rstd[samples]);
        }
    }

    /// The gradients of scale and shift from that of what came out, which is 0 where columns fill up the last lanes.
    pub(crate) fn backward_parameters(&self, g: &Panels, dscale: &mut [f32], dshift: &mut [f32]) {
        g.row_sums(dshift);
        let mut lanes = vec![[0f32; LANES]; dscale.len()];
        for ((g, x), samples) in g.panels().zip(self.x.panels()).zip(g.cut()) {
            add_products(g, x, samples.len(), &mut lanes);
        }
        dscale.iter_mut().zip(lanes).for_each(|(dscale, lanes)| *dscale = tree(lanes));
    }
}

wide! {
    /// `x ← (x − mean) · rstd` and `y ← scale · x + shift`; `rstd[width]` is kept, 1 / √(variance + ε).
    fn normalise_panel(x: &mut [f32], y: &mut [f32], scale: &[f32], shift: &[f32], rstd: &mut [f32]) {
        let width = rstd.len();
        let share = 1.0 / scale.len() as f32;
        let (mut mean, mut variance) = ([0f32; WIDTH], [0f32; WIDTH]);
        for row in x.chunks_exact(width) {
            for (mean, x) in mean.iter_mut().zip(row) {
                *mean += x;
            }
        }
        mean.iter_mut().for_each(|mean| *mean *= share);
        for row in x.chunks_exact(width) {
            for ((variance, mean), x) in variance.iter_mut().zip(&mean).zip(row) {
                let centred = x - mean;
                *variance = centred.mul_add(centred, *variance);
            }
        }
        for (rstd, variance) in rstd.iter_mut().zip(variance) {
            *rstd = 1.0 / (variance * share + EPSILON).sqrt();
        }
        let rows = x.chunks_exact_mut(width).zip(y.chunks_exact_mut(width));
        for ((x, y), (scale, shift)) in rows.zip(scale.iter().zip(shift)) {
            for (((x, y), mean), rstd) in x.iter_mut().zip(y).zip(&mean).zip(&*rstd) {
                *x = (*x - mean) * rstd;
                *y = scale.mul_add(*x, *shift);
            }
        }
    }
}

wide! {
    /// From the gradient of y to that of what came in, times `slopes`, in place:
    /// `g ← slope · rstd · (s − mean s − x · mean(s · x))` with `s = scale · g` and `x` as [`normalise_panel`] left it.
    fn normalise_panel_backward(g: &mut [f32], x: &[f32], slopes: &[f32], scale: &[f32], rstd: &[f32]) {
        let width = rstd.len();
        let (mut sums, mut dots) = ([0f32; WIDTH], [0f32; WIDTH]);
        for ((g, x), scale) in g.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(scale) {
            for (((g, x), sum), dot) in g.iter_mut().zip(x).zip(&mut sums).zip(&mut dots) {
                *g *= scale;
                *sum += *g;
                *dot = g.mul_add(*x, *dot);
            }
        }
        let share = 1.0 / scale.len() as f32;
        sums.iter_mut().chain(&mut dots).for_each(|sum| *sum *= share);
        let rows = g.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(slopes.chunks_exact(width));
        for ((g, x), slopes) in rows {
            let columns = g.iter_mut().zip(x).zip(slopes).zip(&sums).zip(&dots).zip(rstd);
            for (((((g, x), slope), sum), dot), rstd) in columns {
                *g = slope * rstd * (*g - sum - x * dot);
            }
        }
    }
}
