//! Backward passes whose networks hand over the gradient of their parameters as it is.
//!
//! candle adds every gradient to a tensor of zeros of its own. For a network's θ, whose gradient comes in one piece from
//! one fused operation, that would be three more passes over the parameters.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, TensorId, Var};
use std::cell::RefCell;
use std::collections::HashMap;

/// The gradients of a loss.
pub struct Gradients {
    store: GradStore,
    handed_over: HashMap<TensorId, Tensor>,
}

impl Gradients {
    /// The gradient of `variable`, if the loss depends on it.
    #[must_use]
    pub fn of(&self, variable: &Var) -> Option<&Tensor> {
        self.handed_over.get(&variable.id()).or_else(|| self.store.get(variable))
    }
}

thread_local! {
    /// What fused operations hand over while [`backward`] runs on this thread.
    static HANDED_OVER: RefCell<Option<HashMap<TensorId, Tensor>>> = const { RefCell::new(None) };
}

/// The gradients of `loss` with respect to all variables that it depends on.
///
/// # Errors
/// If an operation has no gradient.
pub fn backward(loss: &Tensor) -> Result<Gradients> {
    HANDED_OVER.set(Some(HashMap::new()));
    let store = loss.backward();
    let handed_over = HANDED_OVER.take().unwrap_or_default();
    Ok(Gradients { store: store?, handed_over })
}

/// Hands over the gradient of `theta` if it is a variable and [`backward`] runs; gives it back for candle otherwise.
pub(crate) fn hand_over(theta: &Tensor, gradient: Tensor) -> Result<Option<Tensor>> {
    HANDED_OVER.with_borrow_mut(|handed_over| match handed_over {
        Some(handed_over) if theta.is_variable() => {
            let sum = match handed_over.remove(&theta.id()) {
                Some(earlier) => (earlier + gradient)?,
                None => gradient,
            };
            handed_over.insert(theta.id(), sum);
            Ok(None)
        }
        _ => Ok(Some(gradient)),
    })
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
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        // Used twice, both parts are summed; behind another operation, candle takes it on.
        let twice = (theta.as_tensor() * 2.0).unwrap();
        let once = |theta: &Tensor| mlp.forward(&x, theta).unwrap().sqr().unwrap().sum_all().unwrap();
        let loss = (once(&theta) + once(&theta)).unwrap();
        let (ours, candles) = (backward(&loss).unwrap(), loss.backward().unwrap());
        assert_eq!(values(ours.of(&theta).unwrap()), values(candles.get(&theta).unwrap()));
        assert_eq!(values(ours.of(&x).unwrap()), values(candles.get(&x).unwrap()));
        let loss = once(&twice);
        let (ours, candles) = (backward(&loss).unwrap(), loss.backward().unwrap());
        assert_eq!(values(ours.of(&theta).unwrap()), values(candles.get(&theta).unwrap()));
    }
}
