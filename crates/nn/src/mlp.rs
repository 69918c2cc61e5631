//! Multi-layer perceptrons over one flat parameter vector.

use crate::dropout::Dropout;
use crate::fused::{FusedMlp, Tape};
use crate::kernels;
use candle_core::{DType, Result, Shape, Tensor};
use std::sync::Arc;
use streams::Stream;

/// What follows the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing.
    Linear,
    /// The hyperbolic tangent.
    Tanh,
}

/// What follows each layer but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// max(x, 0).
    Relu,
    /// x · Φ(x) (Hendrycks and Gimpel 2016), by its approximation with tanh.
    Gelu,
    /// x · σ(x) (Ramachandran, Zoph and Le 2017).
    Swish,
}

/// The shape of a perceptron, or of several with the same shape that read the same input (twin critics).
///
/// It holds no parameters: those are one vector θ, member after member, layer after layer, weight `[out, in]` before
/// bias `[out]`, and where hidden layers are normalised, scale `[out]` and shift `[out]` after that. One vector means one
/// optimiser step and one Polyak step a network group.
#[derive(Clone, Debug)]
pub struct Mlp {
    members: usize,
    sizes: Arc<[usize]>,
    unit: Unit,
    layer_norm: bool,
    head: Head,
}

/// One layer's place in a member's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) offset: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Whether a normalisation follows.
    pub(crate) norm: bool,
}

impl Layer {
    fn weights(self) -> usize {
        self.inputs * self.outputs
    }

    fn parameters(self) -> usize {
        self.weights() + self.outputs * if self.norm { 3 } else { 1 }
    }

    pub(crate) fn weight(self, theta: &[f32]) -> &[f32] {
        &theta[self.offset..][..self.weights()]
    }

    pub(crate) fn bias(self, theta: &[f32]) -> &[f32] {
        &theta[self.offset + self.weights()..][..self.outputs]
    }

    /// Scale and shift of the normalisation that follows.
    pub(crate) fn norm(self, theta: &[f32]) -> (&[f32], &[f32]) {
        theta[self.offset..][self.weights() + self.outputs..self.parameters()].split_at(self.outputs)
    }

    /// Weight and bias.
    pub(crate) fn split_mut(self, theta: &mut [f32]) -> (&mut [f32], &mut [f32]) {
        theta[self.offset..][..self.weights() + self.outputs].split_at_mut(self.weights())
    }

    /// [`Self::norm`], to write.
    pub(crate) fn norm_mut(self, theta: &mut [f32]) -> (&mut [f32], &mut [f32]) {
        theta[self.offset..][self.weights() + self.outputs..self.parameters()].split_at_mut(self.outputs)
    }
}

/// One weight or bias within θ, for checkpoints.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Which member it belongs to.
    pub member: usize,
    /// PyTorch's name within a `Sequential` of linear layers only: `0.weight`, `0.bias`, `1.weight`, …, and
    /// `0.norm.weight`, `0.norm.bias` of the normalisation after a layer.
    pub name: String,
    /// Where it starts in θ.
    pub offset: usize,
    /// `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
}

impl Mlp {
    /// A perceptron with ReLU between layers of `sizes` (input, hidden…, output).
    ///
    /// # Panics
    /// If there are fewer than two sizes or a size is zero.
    #[must_use]
    pub fn new(sizes: &[usize], head: Head) -> Self {
        assert!(sizes.len() >= 2 && sizes.iter().all(|&size| size > 0), "sizes {sizes:?} make no network");
        Self { members: 1, sizes: sizes.into(), unit: Unit::Relu, layer_norm: false, head }
    }

    /// The same with other units.
    #[must_use]
    pub fn units(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// The same with each hidden layer's units normalised (Ba, Kiros and Hinton 2016; after the unit, ε = 1e-6), as
    /// OGBench's reference networks are.
    #[must_use]
    pub fn layer_norm(self) -> Self {
        Self { layer_norm: true, ..self }
    }

    /// `members` such perceptrons on one input.
    #[must_use]
    pub fn ensemble(self, members: usize) -> Self {
        Self { members, ..self }
    }

    pub(crate) fn members(&self) -> usize {
        self.members
    }

    pub(crate) fn head(&self) -> Head {
        self.head
    }

    pub(crate) fn unit(&self) -> Unit {
        self.unit
    }

    /// The width of each hidden layer.
    pub(crate) fn hidden(&self) -> &[usize] {
        &self.sizes[1..self.depth()]
    }

    pub(crate) fn inputs(&self) -> usize {
        self.sizes[0]
    }

    pub(crate) fn outputs(&self) -> usize {
        self.sizes[self.depth()]
    }

    /// How many linear layers.
    pub(crate) fn depth(&self) -> usize {
        self.sizes.len() - 1
    }

    pub(crate) fn layers(&self) -> impl DoubleEndedIterator<Item = Layer> + ExactSizeIterator {
        let mut offset = 0;
        let layers: Vec<Layer> = self
            .sizes
            .windows(2)
            .enumerate()
            .map(|(i, size)| {
                let norm = self.layer_norm && i + 1 < self.depth();
                let layer = Layer { offset, inputs: size[0], outputs: size[1], norm };
                offset += layer.parameters();
                layer
            })
            .collect();
        layers.into_iter()
    }

    pub(crate) fn member_parameters(&self) -> usize {
        self.layers().map(Layer::parameters).sum()
    }

    pub(crate) fn output_shape(&self, batch: usize) -> Shape {
        match self.members {
            1 => (batch, self.outputs()).into(),
            members => (members, batch, self.outputs()).into(),
        }
    }

    /// Fresh parameters, weights and biases uniform on ±1/√inputs as PyTorch's `Linear` draws them; a normalisation
    /// starts with scale 1 and shift 0.
    pub fn init(&self, stream: &mut Stream) -> Vec<f32> {
        self.init_by(|layer, theta| {
            let bound = 1.0 / libm::sqrt(layer.inputs as f64);
            let count = layer.weights() + layer.outputs;
            theta.extend((0..count).map(|_| stream.uniform_in(-bound, bound) as f32));
        })
    }

    /// Fresh parameters by Glorot and Bengio 2010: weights uniform on ±√(6 / (inputs + outputs)), biases 0; a
    /// normalisation as [`Self::init`] has it.
    pub fn init_glorot(&self, stream: &mut Stream) -> Vec<f32> {
        self.init_by(|layer, theta| {
            let bound = libm::sqrt(6.0 / (layer.inputs + layer.outputs) as f64);
            theta.extend((0..layer.weights()).map(|_| stream.uniform_in(-bound, bound) as f32));
            theta.extend(std::iter::repeat_n(0.0, layer.outputs));
        })
    }

    /// Fresh parameters, of which `linear` appends a layer's weight and bias.
    fn init_by(&self, mut linear: impl FnMut(Layer, &mut Vec<f32>)) -> Vec<f32> {
        let mut theta = Vec::with_capacity(self.members * self.member_parameters());
        for _ in 0..self.members {
            for layer in self.layers() {
                linear(layer, &mut theta);
                if layer.norm {
                    theta.extend(std::iter::repeat_n(1.0, layer.outputs));
                    theta.extend(std::iter::repeat_n(0.0, layer.outputs));
                }
            }
        }
        theta
    }

    /// Where each weight and bias lies in θ, in order.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let member_parameters = self.member_parameters();
        let mut parameters = Vec::new();
        for member in 0..self.members {
            for (i, layer) in self.layers().enumerate() {
                let mut offset = member * member_parameters + layer.offset;
                let outputs = layer.outputs;
                let mut add = |name: &str, shape: Vec<usize>| {
                    let count = shape.iter().product::<usize>();
                    parameters.push(Parameter { member, name: format!("{i}.{name}"), offset, shape });
                    offset += count;
                };
                add("weight", vec![outputs, layer.inputs]);
                add("bias", vec![outputs]);
                if layer.norm {
                    add("norm.weight", vec![outputs]);
                    add("norm.bias", vec![outputs]);
                }
            }
        }
        parameters
    }

    /// One member alone, with its part of `theta`.
    ///
    /// # Errors
    /// If `theta` has not this ensemble's length.
    pub fn member(&self, theta: &Tensor, member: usize) -> Result<(Self, Tensor)> {
        let count = self.member_parameters();
        Ok((self.clone().ensemble(1), theta.narrow(0, member * count, count)?))
    }

    /// `x [batch, in]`, `theta [parameters]` → `[batch, out]`, or `[members, batch, out]` for an ensemble.
    ///
    /// The members of an ensemble may each read an input of their own, `[members, batch, in]`. Gradients that nothing
    /// asks for are not computed: pass `x` or `theta` detached. In float32 on the CPU this is one fused operation,
    /// elsewhere candle's own.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, theta: &Tensor) -> Result<Tensor> {
        self.forward_with(x, theta, None)
    }

    /// [`Self::forward`] with hidden units left out, after the unit and before any normalisation.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward_dropped(&self, x: &Tensor, theta: &Tensor, dropout: &Dropout) -> Result<Tensor> {
        dropout.check(self.hidden(), x.dims2()?.0)?;
        self.forward_with(x, theta, Some(dropout))
    }

    fn forward_with(&self, x: &Tensor, theta: &Tensor, dropout: Option<&Dropout>) -> Result<Tensor> {
        self.check(x.dims(), theta)?;
        let (x, theta) = (x.contiguous()?, theta.contiguous()?);
        if !is_fused(&x) {
            return self.forward_plain(&x, &theta, dropout);
        }
        let tape = tape(&[&x], &theta);
        let op = FusedMlp::new(self.clone(), x.rank() == 3, tape);
        let op = match dropout {
            Some(dropout) => op.dropped(dropout)?,
            None => op,
        };
        if tape == Tape::Nothing { x.apply_op2_no_bwd(&theta, &op) } else { x.apply_op2(&theta, op) }
    }

    /// [`Self::forward`] of two inputs side by side, `[x₁ | x₂]`: a critic's Q(s, a). Only the gradients of those that
    /// are tracked are computed.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward_beside(&self, x1: &Tensor, x2: &Tensor, theta: &Tensor) -> Result<Tensor> {
        if !is_fused(x1) {
            return self.forward(&Tensor::cat(&[x1, x2], 1)?, theta);
        }
        self.check(&[x1.dims2()?.0, x1.dims2()?.1 + x2.dims2()?.1], theta)?;
        let (x1, x2, theta) = (x1.contiguous()?, x2.contiguous()?, theta.contiguous()?);
        let tape = tape(&[&x1, &x2], &theta);
        let op = FusedMlp::new(self.clone(), false, tape);
        if tape == Tape::Nothing {
            x1.apply_op3_no_bwd(&x2, &theta, &op)
        } else {
            x1.apply_op3(&x2, &theta, op)
        }
    }

    fn check(&self, x: &[usize], theta: &Tensor) -> Result<()> {
        let parameters = self.members * self.member_parameters();
        let fits = match *x {
            [_, inputs] => inputs == self.inputs(),
            [members, _, inputs] => members == self.members && inputs == self.inputs(),
            _ => false,
        };
        if fits && theta.dims1()? == parameters {
            return Ok(());
        }
        candle_core::bail!(
            "a network of {:?} with {} members takes x [batch, {}] and θ [{parameters}], not {x:?} and {:?}",
            self.sizes,
            self.members,
            self.inputs(),
            theta.dims()
        )
    }

    /// [`Self::forward`] in candle's own operations, for other devices and other precisions.
    fn forward_plain(&self, x: &Tensor, theta: &Tensor, dropout: Option<&Dropout>) -> Result<Tensor> {
        let mut outputs = Vec::with_capacity(self.members);
        for member in 0..self.members {
            let (_, theta) = self.member(theta, member)?;
            let mut y = if x.rank() == 3 { x.get(member)? } else { x.clone() };
            for (i, layer) in self.layers().enumerate() {
                let w =
                    theta.narrow(0, layer.offset, layer.weights())?.reshape((layer.outputs, layer.inputs))?;
                let b = theta.narrow(0, layer.offset + layer.weights(), layer.outputs)?;
                y = y.matmul(&w.t()?)?.broadcast_add(&b)?;
                if i + 1 < self.depth() {
                    y = match self.unit {
                        Unit::Relu => y.relu()?,
                        Unit::Gelu => y.gelu()?,
                        Unit::Swish => y.silu()?,
                    };
                    if let Some(dropout) = dropout {
                        y = (y * &dropout.layers()[i])?;
                    }
                }
                if layer.norm {
                    let [scale, shift] = [1, 2].map(|i| {
                        theta.narrow(0, layer.offset + layer.weights() + i * layer.outputs, layer.outputs)
                    });
                    let centred = y.broadcast_sub(&y.mean_keepdim(1)?)?;
                    let variance =
                        centred.sqr()?.mean_keepdim(1)?.affine(1.0, f64::from(kernels::EPSILON))?;
                    let normalised = centred.broadcast_div(&variance.sqrt()?)?;
                    y = normalised.broadcast_mul(&scale?)?.broadcast_add(&shift?)?;
                }
            }
            outputs.push(if self.head == Head::Tanh { y.tanh()? } else { y });
        }
        if self.members == 1 { Ok(outputs.remove(0)) } else { Tensor::stack(&outputs, 0) }
    }
}

/// What a fused operation keeps for its gradient: all where the parameters want one, else only what the inputs do.
fn tape(inputs: &[&Tensor], theta: &Tensor) -> Tape {
    if theta.track_op() {
        Tape::All
    } else if inputs.iter().any(|input| input.track_op()) {
        Tape::Inputs
    } else {
        Tape::Nothing
    }
}

pub(crate) fn is_fused(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::{Gradient, backward};
    use candle_core::{Device, Var};
    use proptest::prelude::*;

    fn units() -> impl Strategy<Value = Unit> {
        prop_oneof![Just(Unit::Relu), Just(Unit::Gelu), Just(Unit::Swish)]
    }

    /// Forward, dx and dθ of Σ y·c, in float32 through [`Mlp::forward`] or in float64 through candle's operations.
    fn evaluate(
        mlp: &Mlp,
        apart: bool,
        dtype: DType,
        x: &[f32],
        theta: &[f32],
        c: &[f32],
    ) -> Result<[Vec<f64>; 3]> {
        let tensor = |data: &[f32]| Tensor::from_slice(data, data.len(), &Device::Cpu)?.to_dtype(dtype);
        let x = tensor(x)?.reshape(((), mlp.inputs()))?;
        let x = if apart { x.reshape((mlp.members, (), mlp.inputs()))? } else { x };
        let x = Var::from_tensor(&x)?;
        let theta = Var::from_tensor(&tensor(theta)?)?;
        let y = mlp.forward(&x, &theta)?.flatten_all()?;
        let gradients = (&y * tensor(c)?)?.sum_all()?.backward()?;
        let of = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        let gradient = |var: &Var| of(gradients.get(var).expect("the variable takes part"));
        Ok([of(&y)?, gradient(&x)?, gradient(&theta)?])
    }

    /// The largest difference, none of which is NaN.
    fn worst(fused: &[f64], exact: &[f64]) -> f64 {
        assert_eq!(fused.len(), exact.len());
        let differences = fused.iter().zip(exact).map(|(f, e)| (f - e).abs());
        differences.inspect(|off| assert!(off.is_finite(), "off by {off}")).fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn the_fused_network_is_candles_in_float64(
            batch in 1usize..40, mut sizes in proptest::collection::vec(1usize..40, 2..5),
            members in 1usize..4, apart: bool, tanh: bool, unit in units(), layer_norm: bool, seed: u64,
        ) {
            let hidden = 1..sizes.len() - 1;
            if layer_norm {
                // Of very few units all may be alike, and what divides by their deviation magnifies every rounding.
                sizes[hidden].iter_mut().for_each(|size| *size += 16);
            }
            let mlp = Mlp::new(&sizes, if tanh { Head::Tanh } else { Head::Linear }).ensemble(members).units(unit);
            let mlp = if layer_norm { mlp.layer_norm() } else { mlp };
            let mut stream = Stream::new(seed, "test");
            let mut theta = mlp.init(&mut stream);
            // Scales and shifts other than 1 and 0.
            theta.iter_mut().for_each(|x| *x += 0.1 * stream.normal() as f32);
            let mut draw = |n| (0..n).map(|_| stream.normal() as f32).collect::<Vec<_>>();
            let x = draw(batch * sizes[0] * if apart { members } else { 1 });
            let c = draw(members * batch * mlp.outputs());
            let fused = evaluate(&mlp, apart, DType::F32, &x, &theta, &c).unwrap();
            let exact = evaluate(&mlp, apart, DType::F64, &x, &theta, &c).unwrap();
            for (what, (fused, exact)) in ["y", "dx", "dθ"].iter().zip(fused.iter().zip(&exact)) {
                let scale = exact.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                for (f, e) in fused.iter().zip(exact) {
                    prop_assert!((f - e).abs() < 2e-5 * scale, "{what}: {f} instead of {e}");
                }
            }
        }
    }

    /// Several panels of samples, whole ones and one that is not, and layers wider than a block.
    #[test]
    fn the_fused_network_is_candles_in_float64_at_the_sizes_of_training() {
        for (sizes, head, members, batch) in [
            (&[23, 256, 256, 1][..], Head::Linear, 2, 256),
            (&[17, 256, 256, 6], Head::Tanh, 1, 256),
            (&[23, 400, 300, 1], Head::Linear, 2, 100),
            (&[17, 400, 300, 6], Head::Tanh, 1, 100),
            (&[17, 400, 300, 6], Head::Tanh, 1, 1),
            (&[17, 256, 256, 6], Head::Tanh, 1, 1),
            (&[365, 256, 256, 1], Head::Linear, 2, 256),
        ] {
            let mlp = Mlp::new(sizes, head).ensemble(members);
            let mut stream = Stream::new(0, "test");
            let theta = mlp.init(&mut stream);
            let mut draw = |n| (0..n).map(|_| stream.normal() as f32).collect::<Vec<_>>();
            let (x, c) = (draw(batch * sizes[0]), draw(members * batch * mlp.outputs()));
            let fused = evaluate(&mlp, false, DType::F32, &x, &theta, &c).unwrap();
            let exact = evaluate(&mlp, false, DType::F64, &x, &theta, &c).unwrap();
            for (what, (fused, exact)) in ["y", "dx", "dθ"].iter().zip(fused.iter().zip(&exact)) {
                let scale = exact.iter().fold(0.0f64, |a, b| a.max(b.abs()));
                let worst = worst(fused, exact);
                assert!(worst < 2e-5 * scale, "{sizes:?}, {what}: off by {worst} of {scale}");
            }
        }
    }

    /// The deterministic policy gradient: through a critic's second input into the actor.
    #[test]
    fn a_gradient_through_a_critic_is_candles_in_float64_at_the_sizes_of_training() {
        for (hidden, batch) in [(&[256, 256][..], 256), (&[400, 300], 100)] {
            let sizes = |inputs, outputs| [&[inputs], hidden, &[outputs]].concat();
            let actor = Mlp::new(&sizes(17, 6), Head::Tanh);
            let critic = Mlp::new(&sizes(23, 1), Head::Linear);
            let mut stream = Stream::new(0, "test");
            let (phi, theta) = (actor.init(&mut stream), critic.init(&mut stream));
            let s: Vec<f32> = (0..batch * 17).map(|_| stream.normal() as f32).collect();
            let gradient = |dtype| -> Result<Vec<f64>> {
                let tensor =
                    |data: &[f32]| Tensor::from_slice(data, data.len(), &Device::Cpu)?.to_dtype(dtype);
                let s = tensor(&s)?.reshape((batch, 17))?;
                let phi = Var::from_tensor(&tensor(&phi)?)?;
                let action = actor.forward(&s, &phi)?;
                let loss = critic.forward_beside(&s, &action, &tensor(&theta)?)?.mean_all()?.neg()?;
                let gradients = backward(&loss)?;
                match gradients.of(&phi).expect("the loss depends on φ") {
                    Gradient::Slice(values) => Ok(values.iter().map(|x| f64::from(*x)).collect()),
                    Gradient::Tensor(tensor) => tensor.to_dtype(DType::F64)?.to_vec1(),
                }
            };
            let (fused, exact) = (gradient(DType::F32).unwrap(), gradient(DType::F64).unwrap());
            let scale = exact.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            let worst = worst(&fused, &exact);
            assert!(scale > 0.0 && worst < 2e-5 * scale, "{hidden:?}: off by {worst} of {scale}");
        }
    }

    #[test]
    fn two_inputs_side_by_side_are_one() {
        let mlp = Mlp::new(&[70, 33, 2], Head::Tanh).ensemble(2);
        let mut stream = Stream::new(0, "test");
        let var = |shape: &[usize], values: Vec<f32>| {
            Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
        };
        let theta = mlp.init(&mut stream);
        let theta = var(&[theta.len()], theta);
        let mut draw =
            |columns: usize| var(&[5, columns], (0..5 * columns).map(|_| stream.normal() as f32).collect());
        let (s, a) = (draw(66), draw(4));
        let x = Var::from_tensor(&Tensor::cat(&[s.as_tensor(), a.as_tensor()], 1).unwrap()).unwrap();
        let one = mlp.forward(&x, &theta).unwrap();
        let two = mlp.forward_beside(&s, &a, &theta).unwrap();
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(&one), values(&two));
        let (of_one, of_two) =
            (one.sqr().unwrap().backward().unwrap(), two.sqr().unwrap().backward().unwrap());
        assert_eq!(values(of_one.get(&theta).unwrap()), values(of_two.get(&theta).unwrap()));
        let dx = Tensor::cat(&[of_two.get(&s).unwrap(), of_two.get(&a).unwrap()], 1).unwrap();
        assert_eq!(values(of_one.get(&x).unwrap()), values(&dx));
    }

    #[test]
    fn a_member_alone_is_its_row_of_the_ensemble() {
        let mlp = Mlp::new(&[5, 16, 1], Head::Linear).ensemble(2);
        let theta = mlp.init(&mut Stream::new(0, "init"));
        let theta = Tensor::from_vec(theta, mlp.members * mlp.member_parameters(), &Device::Cpu).unwrap();
        let x = Tensor::arange(0f32, 15.0, &Device::Cpu).unwrap().reshape((3, 5)).unwrap();
        let both = mlp.forward(&x, &theta).unwrap().to_vec3::<f32>().unwrap();
        for (member, expected) in both.iter().enumerate() {
            let (alone, theta) = mlp.member(&theta, member).unwrap();
            assert_eq!(&alone.forward(&x, &theta).unwrap().to_vec2::<f32>().unwrap(), expected);
        }
    }

    #[test]
    fn a_wrong_shape_is_an_error_that_says_the_right_one() {
        let mlp = Mlp::new(&[3, 2], Head::Linear);
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let error = mlp.forward(&zeros(&[1, 4]), &zeros(&[8])).unwrap_err().to_string();
        assert!(error.contains("x [batch, 3] and θ [8], not [1, 4] and [8]"), "{error}");
    }
}
