//! A whole perceptron as one custom operation under candle's autograd, float32 on the CPU.

use crate::dropout::Dropout;
use crate::gradients;
use crate::kernels::{self, Gated, Normalised, Panels, Slopes};
use crate::mlp::{Head, Layer, Mlp, Unit};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::Mutex;

/// The operation `(x, θ) → y`, or `(x₁, x₂, θ) → y` where two inputs are read side by side. One value serves one forward
/// pass; it keeps that pass's activations.
pub(crate) struct FusedMlp {
    mlp: Mlp,
    /// Whether each member reads an input of its own.
    apart: bool,
    tape: Tape,
    /// By hidden layer, what its units are multiplied by; nothing where all stay.
    dropped: Vec<Panels>,
    saved: Mutex<Option<Saved>>,
}

/// Which gradients a backward pass may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tape {
    Nothing,
    /// Those of the inputs: activations need not be kept where slopes are.
    Inputs,
    /// Those of θ too.
    All,
}

/// What a forward pass leaves for the backward pass.
struct Saved {
    /// One for all members, or one each.
    x: Vec<Panels>,
    /// By member and then layer.
    hidden: Vec<Vec<Hidden>>,
}

/// What follows a layer but the last.
struct Hidden {
    /// The activations that enter the next layer; empty once they have, if that was all they were for.
    y: Panels,
    /// The units' slopes, where the activations do not tell them.
    slopes: Option<Panels>,
    normalised: Option<Normalised>,
}

impl Hidden {
    /// A hidden layer of `x`, without its slopes if nothing is to be differentiated.
    fn new(
        x: &Panels,
        layer: Layer,
        unit: Unit,
        dropped: Option<&Panels>,
        theta: &[f32],
        tape: bool,
    ) -> Self {
        let mut y = kernels::linear(x, layer.weight(theta), layer.bias(theta), unit == Unit::Relu);
        let mut slopes = match gated(unit) {
            Some(unit) => y.gate(unit, tape),
            None if tape && (layer.norm || dropped.is_some()) => Some(y.positive()),
            None => None,
        };
        if let Some(dropped) = dropped {
            y.multiply(dropped);
            slopes.iter_mut().for_each(|slopes| slopes.multiply(dropped));
        }
        if !layer.norm {
            return Self { y, slopes, normalised: None };
        }
        let (scale, shift) = layer.norm(theta);
        let (y, normalised) = kernels::normalise(y, scale, shift);
        Self { y, slopes, normalised: tape.then_some(normalised) }
    }

    /// From the gradient of the activations, that of the linear layer's outputs; `dtheta` takes the gradients of the
    /// normalisation's parameters. [`Self::slopes`] have been applied already.
    fn backward(&self, g: &mut Panels, layer: Layer, theta: &[f32], dtheta: Option<&mut [f32]>) {
        if let Some(normalised) = &self.normalised {
            if let Some(dtheta) = dtheta {
                let (dscale, dshift) = layer.norm_mut(dtheta);
                normalised.backward_parameters(g, dscale, dshift);
            }
            let slopes = self.slopes.as_ref().expect("a tape keeps the slopes before a normalisation");
            normalised.backward(g, layer.norm(theta).0, slopes);
        }
    }

    /// The slopes of the activations, if they are not followed by a normalisation.
    fn slopes(&self) -> Slopes<'_> {
        match &self.slopes {
            _ if self.normalised.is_some() => Slopes::None,
            Some(slopes) => Slopes::Given(slopes),
            None => Slopes::OfRelu(&self.y),
        }
    }

    /// Lets the activations go unless a backward pass needs them.
    fn enter_next(&mut self, tape: Tape) {
        if tape == Tape::Nothing || tape == Tape::Inputs && self.slopes.is_some() {
            self.y = Panels::default();
        }
    }
}

fn gated(unit: Unit) -> Option<Gated> {
    match unit {
        Unit::Relu => None,
        Unit::Gelu => Some(kernels::GELU),
        Unit::Swish => Some(kernels::SWISH),
    }
}

impl FusedMlp {
    pub(crate) fn new(mlp: Mlp, apart: bool, tape: Tape) -> Self {
        Self { mlp, apart, tape, dropped: Vec::new(), saved: Mutex::new(None) }
    }

    /// The same with hidden units left out.
    pub(crate) fn dropped(self, dropout: &Dropout) -> Result<Self> {
        let panels = |layer: &Tensor| {
            Ok(Panels::of_samples(&[&layer.flatten_all()?.to_vec1::<f32>()?], layer.dims2()?.0))
        };
        Ok(Self { dropped: dropout.layers().iter().map(panels).collect::<Result<_>>()?, ..self })
    }

    /// How many samples each member reads.
    fn batch(&self, inputs: &[&[f32]]) -> usize {
        let readers = if self.apart { self.mlp.members() } else { 1 };
        inputs.iter().map(|x| x.len()).sum::<usize>() / (self.mlp.inputs() * readers)
    }

    /// The outputs `[members, batch, outputs]` before the head.
    fn pass(&self, inputs: &[&[f32]], batch: usize, theta: &[f32]) -> Vec<f32> {
        let mlp = &self.mlp;
        let xs: Vec<Panels> = if self.apart {
            inputs[0].chunks_exact(batch * mlp.inputs()).map(|x| Panels::of_samples(&[x], batch)).collect()
        } else {
            vec![Panels::of_samples(inputs, batch)]
        };
        let mut out = vec![0.0; mlp.members() * batch * mlp.outputs()];
        let mut hidden = Vec::with_capacity(mlp.members());
        let outs = out.chunks_exact_mut(batch * mlp.outputs());
        let thetas = theta.chunks_exact(mlp.member_parameters());
        for ((theta, out), x) in thetas.zip(outs).zip(xs.iter().cycle()) {
            let mut passed: Vec<Hidden> = Vec::with_capacity(mlp.depth());
            for (i, layer) in mlp.layers().enumerate() {
                let input = passed.last().map_or(x, |hidden| &hidden.y);
                let next = (i + 1 < mlp.depth()).then(|| {
                    let tape = self.tape != Tape::Nothing;
                    Hidden::new(input, layer, mlp.unit(), self.dropped.get(i), theta, tape)
                });
                if next.is_none() {
                    let y = kernels::linear(input, layer.weight(theta), layer.bias(theta), false);
                    y.each_of_samples(out, |to, from| *to = from);
                }
                if let Some(entered) = passed.last_mut() {
                    entered.enter_next(self.tape);
                }
                passed.extend(next);
            }
            hidden.push(passed);
        }
        if self.tape != Tape::Nothing {
            *self.saved.lock().expect("no pass panics while it holds the lock") =
                Some(Saved { x: xs, hidden });
        }
        out
    }

    /// The same for a single sample, without a tape: the cost of panels does not pay.
    fn pass_one(&self, inputs: &[&[f32]], theta: &[f32]) -> Vec<f32> {
        let member = |theta: &[f32]| {
            let mut activation = inputs.concat();
            for (i, layer) in self.mlp.layers().enumerate() {
                activation = kernels::linear_of_one(&activation, layer.weight(theta), layer.bias(theta));
                if i + 1 == self.mlp.depth() {
                    break;
                }
                match gated(self.mlp.unit()) {
                    None => activation.iter_mut().for_each(|x| *x = x.max(0.0)),
                    Some(unit) => kernels::gate(&mut activation, unit),
                }
                if layer.norm {
                    let (scale, shift) = layer.norm(theta);
                    activation = kernels::normalise_one(&activation, scale, shift);
                }
            }
            activation
        };
        theta.chunks_exact(self.mlp.member_parameters()).flat_map(member).collect()
    }

    fn forward(&self, inputs: &[&[f32]], theta: &[f32]) -> (CpuStorage, Shape) {
        let mlp = &self.mlp;
        let batch = self.batch(inputs);
        let mut out = if batch == 1 && self.tape == Tape::Nothing && !self.apart && self.dropped.is_empty() {
            self.pass_one(inputs, theta)
        } else {
            self.pass(inputs, batch, theta)
        };
        if mlp.head() == Head::Tanh {
            kernels::tanh(&mut out);
        }
        (CpuStorage::F32(out), mlp.output_shape(batch))
    }

    /// The gradients of each input and of θ, where they are tracked.
    fn backward<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        theta: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<([Option<Tensor>; N], Option<Tensor>)> {
        let mlp = &self.mlp;
        let gradient = match mlp.head() {
            Head::Linear => gradient.contiguous()?,
            Head::Tanh => (gradient * y.sqr()?.affine(-1.0, 1.0)?)?.contiguous()?,
        };
        let (theta_storage, theta_layout) = theta.storage_and_layout();
        let (gradient_storage, gradient_layout) = gradient.storage_and_layout();
        let thetas = slice(on_cpu(&theta_storage)?, theta_layout)?;
        let gradients = slice(on_cpu(&gradient_storage)?, gradient_layout)?;
        let saved = self.saved.lock().expect("no pass panics while it holds the lock");
        let Some(Saved { x: xs, hidden }) = &*saved else { bail!("a pass without a tape has no gradient") };
        let samples = xs[0].samples();

        // Every layer writes its own part.
        let mut dtheta = theta.track_op().then(|| kernels::take_spare(thetas.len()));
        // Each input's gradient, with the input's first column and its number of columns.
        let mut columns = 0;
        let mut dinputs = inputs.map(|input| {
            let (first, count) = (columns, input.elem_count() / (samples * xs.len()));
            columns += count;
            input.track_op().then(|| (vec![0f32; input.elem_count()], first, count))
        });
        // An input that all members read is turned once.
        let mut turned_x = None;
        let members = gradients.chunks_exact(gradients.len() / mlp.members());
        for (member, (theta, gradient)) in
            thetas.chunks_exact(mlp.member_parameters()).zip(members).enumerate()
        {
            let x = xs.get(member).unwrap_or(&xs[0]);
            if self.apart {
                turned_x = None;
            }
            let mut gradient = Panels::of_samples(&[gradient], samples);
            for (i, layer) in mlp.layers().enumerate().rev() {
                let mut dtheta = dtheta
                    .as_mut()
                    .map(|dtheta| &mut dtheta[member * mlp.member_parameters()..][..mlp.member_parameters()]);
                if let Some(hidden) = hidden[member].get(i) {
                    hidden.backward(&mut gradient, layer, theta, dtheta.as_deref_mut());
                }
                let hidden = i.checked_sub(1).map(|i| &hidden[member][i]);
                if let Some(dtheta) = dtheta {
                    let (dw, db) = layer.split_mut(dtheta);
                    let (x, turned) = match hidden {
                        None => (x, &mut turned_x),
                        Some(hidden) => (&hidden.y, &mut None),
                    };
                    kernels::linear_backward_parameters(&gradient, x, turned, dw, db);
                }
                let w = layer.weight(theta);
                if let Some(hidden) = hidden {
                    let slopes = hidden.slopes();
                    gradient = kernels::linear_backward_input(&gradient, w, 0..layer.inputs, slopes);
                    continue;
                }
                for (dinput, first, count) in dinputs.iter_mut().flatten() {
                    let range = *first..*first + *count;
                    let dx = kernels::linear_backward_input(&gradient, w, range, Slopes::None);
                    let own = if self.apart { member * samples * *count } else { 0 };
                    dx.each_of_samples(&mut dinput[own..], |to, from| *to += from);
                }
            }
        }
        let device = theta.device();
        let mut tensors = inputs.map(|_| None);
        for ((tensor, input), dinput) in tensors.iter_mut().zip(inputs).zip(dinputs) {
            *tensor =
                dinput.map(|(values, ..)| Tensor::from_vec(values, input.shape(), device)).transpose()?;
        }
        let Some(dtheta) = dtheta else { return Ok((tensors, None)) };
        Ok((tensors, gradients::hand_over(theta, dtheta)?))
    }
}

impl CustomOp2 for FusedMlp {
    fn name(&self) -> &'static str {
        "fused-mlp"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        theta: &CpuStorage,
        theta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward(&[slice(x, x_layout)?], slice(theta, theta_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        theta: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ([dx], dtheta) = self.backward([x], theta, y, gradient)?;
        Ok((dx, dtheta))
    }
}

impl CustomOp3 for FusedMlp {
    fn name(&self) -> &'static str {
        "fused-mlp"
    }

    fn cpu_fwd(
        &self,
        x1: &CpuStorage,
        x1_layout: &Layout,
        x2: &CpuStorage,
        x2_layout: &Layout,
        theta: &CpuStorage,
        theta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [slice(x1, x1_layout)?, slice(x2, x2_layout)?];
        Ok(self.forward(&inputs, slice(theta, theta_layout)?))
    }

    fn bwd(
        &self,
        x1: &Tensor,
        x2: &Tensor,
        theta: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ([dx1, dx2], dtheta) = self.backward([x1, x2], theta, y, gradient)?;
        Ok((dx1, dx2, dtheta))
    }
}

pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (layout.contiguous_offsets(), storage) {
        (Some((start, end)), CpuStorage::F32(data)) => Ok(&data[start..end]),
        _ => bail!("a fused network takes contiguous float32 tensors"),
    }
}

fn on_cpu(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(storage) => Ok(storage),
        _ => bail!("a fused network runs on the CPU"),
    }
}
