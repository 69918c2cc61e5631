//! A whole perceptron as one custom operation under candle's autograd, float32 on the CPU.

use crate::kernels;
use crate::mlp::{Head, Mlp};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::Mutex;

/// The operation `(x, θ) → y`. One value serves one forward pass; it keeps that pass's hidden activations.
pub(crate) struct FusedMlp {
    mlp: Mlp,
    /// Whether a backward pass may follow.
    tape: bool,
    /// The activations that enter each layer but the first, by member and then layer.
    hidden: Mutex<Vec<Vec<f32>>>,
}

impl FusedMlp {
    pub(crate) fn new(mlp: Mlp, tape: bool) -> Self {
        Self { mlp, tape, hidden: Mutex::new(Vec::new()) }
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
        let mut hidden = Vec::new();
        let mut out = Vec::with_capacity(mlp.members() * batch * mlp.outputs());
        for theta in theta.chunks_exact(mlp.member_parameters()) {
            let mut activation: Option<Vec<f32>> = None;
            for (i, layer) in mlp.layers().enumerate() {
                let input = activation.as_deref().unwrap_or(x);
                let mut y = kernels::linear(input, layer.weight(theta), layer.bias(theta));
                if i + 1 < mlp.depth() {
                    kernels::relu(&mut y);
                }
                let input = activation.replace(y);
                if self.tape {
                    hidden.extend(input);
                }
            }
            out.extend(activation.into_iter().flatten());
        }
        if mlp.head() == Head::Tanh {
            out.iter_mut().for_each(|y| *y = libm::tanhf(*y));
        }
        *self.hidden.lock().expect("no pass panics while it holds the lock") = hidden;
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
        let (x_storage, x_layout) = x.storage_and_layout();
        let (theta_storage, theta_layout) = theta.storage_and_layout();
        let (gradient_storage, gradient_layout) = gradient.storage_and_layout();
        let xs = slice(on_cpu(&x_storage)?, x_layout)?;
        let thetas = slice(on_cpu(&theta_storage)?, theta_layout)?;
        let gradients = slice(on_cpu(&gradient_storage)?, gradient_layout)?;
        let hidden = self.hidden.lock().expect("no pass panics while it holds the lock");

        let mut dx = vec![0f32; if need_x { xs.len() } else { 0 }];
        let mut dtheta = vec![0f32; if need_theta { thetas.len() } else { 0 }];
        let members = gradients.chunks_exact(gradients.len() / mlp.members());
        for (member, (theta, gradient)) in
            thetas.chunks_exact(mlp.member_parameters()).zip(members).enumerate()
        {
            let hidden = &hidden[member * (mlp.depth() - 1)..(member + 1) * (mlp.depth() - 1)];
            let mut gradient = gradient.to_vec();
            for (i, layer) in mlp.layers().enumerate().rev() {
                let input = if i == 0 { xs } else { &hidden[i - 1] };
                if need_theta {
                    let dtheta = &mut dtheta[member * mlp.member_parameters()..][..mlp.member_parameters()];
                    let (dw, db) = layer.split_mut(dtheta);
                    kernels::linear_backward_parameters(&gradient, input, dw, db);
                }
                if i > 0 {
                    let mut dinput = vec![0f32; input.len()];
                    let w = layer.weight(theta);
                    kernels::linear_backward_input(&gradient, w, layer.outputs, &mut dinput, false);
                    kernels::relu_backward(&mut dinput, input);
                    gradient = dinput;
                } else if need_x {
                    let w = layer.weight(theta);
                    kernels::linear_backward_input(&gradient, w, layer.outputs, &mut dx, member > 0);
                }
            }
        }
        let dx = need_x.then(|| Tensor::from_vec(dx, x.shape(), x.device())).transpose()?;
        let dtheta =
            need_theta.then(|| Tensor::from_vec(dtheta, theta.shape(), theta.device())).transpose()?;
        Ok((dx, dtheta))
    }
}
