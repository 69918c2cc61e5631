//! A whole perceptron as one custom operation under candle's autograd, float32 on the CPU.

use crate::kernels::{self, Panels};
use crate::mlp::{Head, Mlp};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::Mutex;

/// The operation `(x, θ) → y`. One value serves one forward pass; it keeps that pass's hidden activations.
pub(crate) struct FusedMlp {
    mlp: Mlp,
    /// Whether a backward pass may follow.
    tape: bool,
    saved: Mutex<Option<Saved>>,
}

/// What a forward pass leaves for the backward pass.
struct Saved {
    x: Panels,
    /// The activations that enter each layer but the first, by member and then layer.
    hidden: Vec<Vec<Panels>>,
}

impl FusedMlp {
    pub(crate) fn new(mlp: Mlp, tape: bool) -> Self {
        Self { mlp, tape, saved: Mutex::new(None) }
    }

    /// The outputs `[members, batch, outputs]` before the head.
    fn pass(&self, x: &[f32], theta: &[f32]) -> Vec<f32> {
        let mlp = &self.mlp;
        let x = Panels::from_rows(x, mlp.inputs());
        let mut out = vec![0.0; mlp.members() * x.rows() * mlp.outputs()];
        let mut hidden = Vec::with_capacity(mlp.members());
        let outs = out.chunks_exact_mut(x.rows() * mlp.outputs());
        for (theta, out) in theta.chunks_exact(mlp.member_parameters()).zip(outs) {
            let mut entering: Vec<Panels> = Vec::with_capacity(mlp.depth());
            for (i, layer) in mlp.layers().enumerate() {
                let input = entering.last().unwrap_or(&x);
                let relu = i + 1 < mlp.depth();
                entering.push(kernels::linear(input, layer.weight(theta), layer.bias(theta), relu));
            }
            if let Some(last) = entering.pop() {
                last.write_rows(out);
            }
            hidden.push(entering);
        }
        if self.tape {
            *self.saved.lock().expect("no pass panics while it holds the lock") = Some(Saved { x, hidden });
        }
        out
    }

    /// The same for a single sample, without a tape: the cost of panels does not pay.
    fn pass_one(&self, x: &[f32], theta: &[f32]) -> Vec<f32> {
        let member = |theta: &[f32]| {
            let mut activation = x.to_vec();
            for (i, layer) in self.mlp.layers().enumerate() {
                activation = kernels::linear_of_one(&activation, layer.weight(theta), layer.bias(theta));
                if i + 1 < self.mlp.depth() {
                    activation.iter_mut().for_each(|x| *x = x.max(0.0));
                }
            }
            activation
        };
        theta.chunks_exact(self.mlp.member_parameters()).flat_map(member).collect()
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
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
        let (x, theta) = (slice(x, x_layout)?, slice(theta, theta_layout)?);
        let mlp = &self.mlp;
        let batch = x.len() / mlp.inputs();
        let mut out = if batch == 1 && !self.tape { self.pass_one(x, theta) } else { self.pass(x, theta) };
        if mlp.head() == Head::Tanh {
            out.iter_mut().for_each(|y| *y = libm::tanhf(*y));
        }
        Ok((CpuStorage::F32(out), mlp.output_shape(batch)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        theta: &Tensor,
        y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mlp = &self.mlp;
        let (need_x, need_theta) = (x.track_op(), theta.track_op());
        let gradient = match mlp.head() {
            Head::Linear => gradient.contiguous()?,
            Head::Tanh => (gradient * y.sqr()?.affine(-1.0, 1.0)?)?.contiguous()?,
        };
        let (theta_storage, theta_layout) = theta.storage_and_layout();
        let (gradient_storage, gradient_layout) = gradient.storage_and_layout();
        let thetas = slice(on_cpu(&theta_storage)?, theta_layout)?;
        let gradients = slice(on_cpu(&gradient_storage)?, gradient_layout)?;
        let saved = self.saved.lock().expect("no pass panics while it holds the lock");
        let Some(Saved { x: input, hidden }) = &*saved else {
            bail!("a pass without a tape has no gradient")
        };

        let mut dx = vec![0f32; if need_x { x.elem_count() } else { 0 }];
        let mut dtheta = vec![0f32; if need_theta { thetas.len() } else { 0 }];
        let members = gradients.chunks_exact(gradients.len() / mlp.members());
        for (member, (theta, gradient)) in
            thetas.chunks_exact(mlp.member_parameters()).zip(members).enumerate()
        {
            let mut gradient = Panels::from_rows(gradient, mlp.outputs());
            for (i, layer) in mlp.layers().enumerate().rev() {
                let hidden = i.checked_sub(1).map(|i| &hidden[member][i]);
                if need_theta {
                    let dtheta = &mut dtheta[member * mlp.member_parameters()..][..mlp.member_parameters()];
                    let (dw, db) = layer.split_mut(dtheta);
                    kernels::linear_backward_parameters(&gradient, hidden.unwrap_or(input), dw, db);
                }
                if i > 0 || need_x {
                    gradient = kernels::linear_backward_input(&gradient, layer.weight(theta), hidden);
                }
            }
            if need_x {
                gradient.add_rows_to(&mut dx);
            }
        }
        let dx = need_x.then(|| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?;
        let dtheta =
            need_theta.then(|| Tensor::from_vec(dtheta, theta.shape(), theta.device())).transpose()?;
        Ok((dx, dtheta))
    }
}
