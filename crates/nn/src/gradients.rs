//! Backward passes whose networks hand over the gradient of their parameters as it is.
//!
//! candle adds every gradient to a tensor of zeros of its own. For a network's θ, whose gradient comes in one piece from
//! one fused operation, that would be three more passes over the parameters.

use crate::kernels::keep_spare;
#[cfg(doc)]
use crate::kernels::take_spare;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, TensorId, Var};
use std::cell::RefCell;
use std::collections::HashMap;

/// The gradients of a loss.
pub struct Gradients {
    store: GradStore,
    handed_over: HandedOver,
}

/// The gradient of one variable.
#[derive(Clone, Copy, Debug)]
pub enum Gradient<'a> {
    /// As a fused network handed it over.
    Slice(&'a [f32]),
    /// As candle has it.
    Tensor(&'a Tensor),
}

impl Gradient<'_> {
    /// Its values, scaled down to the Euclidean length `longest` where they are longer.
    ///
    /// # Errors
    /// If the device fails to hand them out.
    pub fn clipped(&self, longest: f64) -> Result<Vec<f32>> {
        let mut values = match self {
            Self::Slice(values) => values.to_vec(),
            Self::Tensor(tensor) => tensor.flatten_all()?.to_vec1()?,
        };
        let length = libm::sqrt(values.iter().map(|g| f64::from(*g) * f64::from(*g)).sum());
        if length > longest {
            let factor = longest / length;
            values.iter_mut().for_each(|g| *g = (f64::from(*g) * factor) as f32);
        }
        Ok(values)
    }
}

impl<'a> From<&'a [f32]> for Gradient<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Slice(values)
    }
}

impl<'a> From<&'a Tensor> for Gradient<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl Gradients {
    /// The gradient of `variable`, if the loss depends on it.
    #[must_use]
    pub fn of(&self, variable: &Var) -> Option<Gradient<'_>> {
        let handed_over = self.handed_over.0.get(&variable.id()).map(|values| Gradient::Slice(values));
        handed_over.or_else(|| self.store.get(variable).map(Gradient::Tensor))
    }
}

/// Gradients by variable, whose memory serves the next ones.
#[derive(Default)]
struct HandedOver(HashMap<TensorId, Vec<f32>>);

impl Drop for HandedOver {
    fn drop(&mut self) {
        self.0.drain().for_each(|(_, values)| keep_spare(values));
    }
}

thread_local! {
    /// What fused operations hand over while [`backward`] runs on this thread.
    static HANDED_OVER: RefCell<Option<HandedOver>> = const { RefCell::new(None) };
}

/// The gradients of `loss` with respect to all variables that it depends on.
///
/// # Errors
/// If an operation has no gradient.
pub fn backward(loss: &Tensor) -> Result<Gradients> {
    HANDED_OVER.set(Some(HandedOver::default()));
    let store = loss.backward();
    let handed_over = HANDED_OVER.take().unwrap_or_default();
    Ok(Gradients { store: store?, handed_over })
}

/// Hands over the gradient of `theta`, in memory of [`take_spare`], if it is a variable and [`backward`] runs; gives it
/// back for candle otherwise.
pub(crate) fn hand_over(theta: &Tensor, gradient: Vec<f32>) -> Result<Option<Tensor>> {
    let kept = HANDED_OVER.with_borrow_mut(|handed_over| match handed_over {
        Some(handed_over) if theta.is_variable() => {
            if let Some(sum) = handed_over.0.get_mut(&theta.id()) {
                sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += g);
                keep_spare(gradient);
            } else {
                handed_over.0.insert(theta.id(), gradient);
            }
            None
        }
        _ => Some(gradient),
    });
    kept.map(|gradient| Tensor::from_vec(gradient, theta.shape(), &Device::Cpu)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Mlp};
    use candle_core::Device;
    use streams::Stream;

    #[test]
    fn what_is_handed_over_is_candles_gradient() {
        let mlp = Mlp::new(&[3, 20, 2], Head::Linear);
        let theta = mlp.init(&mut Stream::new(0, "init"));
        let count = theta.len();
        let theta = Var::from_tensor(&Tensor::from_vec(theta, count, &Device::Cpu).unwrap()).unwrap();
        let x =
            Var::from_tensor(&Tensor::new(&[[0.5f32, -1.0, 2.0], [1.0, 0.0, 3.0]], &Device::Cpu).unwrap());
        let x = x.unwrap();
        let values = |gradient: Gradient<'_>| match gradient {
            Gradient::Slice(values) => values.to_vec(),
            Gradient::Tensor(tensor) => tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
        };
        // Used twice, both parts are summed; behind another operation, candle takes it on.
        let twice = (theta.as_tensor() * 2.0).unwrap();
        let once = |theta: &Tensor| mlp.forward(&x, theta).unwrap().sqr().unwrap().sum_all().unwrap();
        let loss = (once(&theta) + once(&theta)).unwrap();
        let (ours, candles) = (backward(&loss).unwrap(), loss.backward().unwrap());
        assert_eq!(values(ours.of(&theta).unwrap()), values(candles.get(&theta).unwrap().into()));
        assert_eq!(values(ours.of(&x).unwrap()), values(candles.get(&x).unwrap().into()));
        let loss = once(&twice);
        let (ours, candles) = (backward(&loss).unwrap(), loss.backward().unwrap());
        assert_eq!(values(ours.of(&theta).unwrap()), values(candles.get(&theta).unwrap().into()));
    }
}
