//! Tensors as learners take and give them.

use crate::Batch;
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor, Var};
use streams::Stream;

/// A batch of transitions as matrices, one row each.
pub(crate) struct Transitions {
    pub(crate) s: Tensor,
    pub(crate) a: Tensor,
    /// `[size, 1]`, and so is `not_terminal`.
    pub(crate) r: Tensor,
    pub(crate) next_s: Tensor,
    pub(crate) not_terminal: Tensor,
}

impl Transitions {
    pub(crate) fn new(batch: &Batch<'_>, device: &Device) -> Result<Self> {
        let size = batch.rewards.len();
        let matrix = |data: &[f32]| Tensor::from_slice(data, (size, data.len() / size), device);
        Ok(Self {
            s: matrix(batch.observations)?,
            a: matrix(batch.actions)?,
            r: matrix(batch.rewards)?,
            next_s: matrix(batch.next_observations)?,
            not_terminal: matrix(batch.not_terminal)?,
        })
    }

    /// r + γ v′, without the second term where the task ended, for values v′ `[size, 1]` of s′.
    pub(crate) fn discounted(&self, next_value: &Tensor, discount: f64) -> Result<Tensor> {
        Ok((&self.r + (&self.not_terminal * next_value.affine(discount, 0.0)?)?)?)
    }
}

/// A variable that starts as `theta`.
pub(crate) fn var(theta: &[f32], device: &Device) -> Result<Var> {
    Ok(Var::from_tensor(&Tensor::from_slice(theta, theta.len(), device)?)?)
}

/// `count` standard normal draws.
pub(crate) fn normals(stream: &mut Stream, count: usize) -> Vec<f32> {
    (0..count).map(|_| stream.normal() as f32).collect()
}

/// A loss as a number.
///
/// # Errors
/// If it is not finite.
pub(crate) fn scalar(what: &str, update: u64, loss: &Tensor) -> Result<f64> {
    let value = f64::from(loss.to_scalar::<f32>()?);
    ensure!(value.is_finite(), "the {what} is {value} at update {update}");
    Ok(value)
}
