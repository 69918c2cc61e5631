//! Dropout (Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting").

use crate::Mlp;
use candle_core::{Device, Result, Tensor, bail};
use streams::Stream;

/// Which hidden units a pass keeps.
#[derive(Clone, Debug)]
pub struct Dropout(Vec<Tensor>);

impl Dropout {
    /// One matrix `[batch, units]` a hidden layer, 0 where a unit is left out and 1 / (1 − rate) where it stays. An
    /// ensemble's members leave out the same units.
    #[must_use]
    pub fn new(layers: Vec<Tensor>) -> Self {
        Self(layers)
    }

    /// Leaves out each unit of `mlp` in each of `batch` samples with probability `rate`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn draw(mlp: &Mlp, rate: f64, batch: usize, stream: &mut Stream, device: &Device) -> Result<Self> {
        let stays = (1.0 / (1.0 - rate)) as f32;
        let mut unit = || if stream.uniform() < rate { 0.0 } else { stays };
        let layers = mlp.hidden().iter().map(|&width| {
            let kept: Vec<f32> = (0..batch * width).map(|_| unit()).collect();
            Tensor::from_vec(kept, (batch, width), device)
        });
        Ok(Self(layers.collect::<Result<_>>()?))
    }

    pub(crate) fn layers(&self) -> &[Tensor] {
        &self.0
    }

    pub(crate) fn check(&self, hidden: &[usize], batch: usize) -> Result<()> {
        let found: Vec<&[usize]> = self.0.iter().map(Tensor::dims).collect();
        if found.len() == hidden.len()
            && found.iter().zip(hidden).all(|(found, &width)| *found == [batch, width])
        {
            return Ok(());
        }
        bail!("hidden layers of {hidden:?} units and {batch} samples do not fit dropout of {found:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Unit};
    use candle_core::{DType, Var};

    /// y and the gradients of Σ y² with respect to x and θ.
    fn evaluate(mlp: &Mlp, x: &Tensor, theta: &Tensor, dropout: &Dropout, dtype: DType) -> [Vec<f64>; 3] {
        let var = |tensor: &Tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap();
        let (x, theta) = (var(x), var(theta));
        let layers = dropout.layers().iter().map(|layer| layer.to_dtype(dtype).unwrap()).collect();
        let y = mlp.forward_dropped(&x, &theta, &Dropout::new(layers)).unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        [&y, gradients.get(&x).unwrap(), gradients.get(&theta).unwrap()]
            .map(|t| t.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap())
    }

    #[test]
    fn the_fused_network_is_candles_in_float64() {
        let mut stream = Stream::new(0, "test");
        for (unit, norm) in [(Unit::Relu, false), (Unit::Relu, true), (Unit::Gelu, false), (Unit::Gelu, true)]
        {
            let mlp = Mlp::new(&[5, 40, 30, 2], Head::Tanh).units(unit);
            let mlp = if norm { mlp.layer_norm() } else { mlp };
            let theta = mlp.init(&mut stream);
            let theta = Tensor::from_slice(&theta, theta.len(), &Device::Cpu).unwrap();
            for batch in [1, 7, 70] {
                let x: Vec<f32> = (0..batch * 5).map(|_| stream.normal() as f32).collect();
                let x = Tensor::from_vec(x, (batch, 5), &Device::Cpu).unwrap();
                let dropout = Dropout::draw(&mlp, 0.3, batch, &mut stream, &Device::Cpu).unwrap();
                let [fused, exact] =
                    [DType::F32, DType::F64].map(|dtype| evaluate(&mlp, &x, &theta, &dropout, dtype));
                for (fused, exact) in fused.iter().flatten().zip(exact.iter().flatten()) {
                    assert!((fused - exact).abs() < 2e-5 * exact.abs().max(1.0), "{fused}, {exact}");
                }
                // What a pass without a tape gives is the same.
                let y = mlp.forward_dropped(&x, &theta, &dropout).unwrap();
                let y: Vec<f32> = y.flatten_all().unwrap().to_vec1().unwrap();
                assert_eq!(y.into_iter().map(f64::from).collect::<Vec<_>>(), fused[0]);
            }
        }
    }

    #[test]
    fn the_share_and_the_mean_are_kept() {
        let mlp = Mlp::new(&[1, 1000, 1], Head::Linear);
        let dropout = Dropout::draw(&mlp, 0.1, 100, &mut Stream::new(0, "test"), &Device::Cpu).unwrap();
        let kept: Vec<f32> = dropout.layers()[0].flatten_all().unwrap().to_vec1().unwrap();
        let left_out = kept.iter().filter(|x| **x == 0.0).count() as f64 / kept.len() as f64;
        assert!((left_out - 0.1).abs() < 5.0 * (0.1f64 * 0.9 / kept.len() as f64).sqrt(), "{left_out}");
        assert!(kept.iter().all(|x| *x == 0.0 || *x == 1.0 / 0.9f32));
    }

    #[test]
    fn other_shapes_are_an_error() {
        let mlp = Mlp::new(&[1, 4, 1], Head::Linear);
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let dropout = Dropout::new(vec![zeros(&[2, 3])]);
        let error = mlp.forward_dropped(&zeros(&[2, 1]), &zeros(&[13]), &dropout).unwrap_err().to_string();
        assert!(error.contains("hidden layers of [4] units and 2 samples"), "{error}");
    }
}
