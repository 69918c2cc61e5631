//! Adam and Polyak averaging over flat parameter vectors.

use crate::gradients::Gradient;
use crate::kernels::{self, AdamConstants};
use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, bail};
use state::Archive;
use std::cell::RefCell;

/// Adam (Kingma and Ba 2015) with PyTorch's arithmetic and defaults but for `lr`: β = (0.9, 0.999), ε = 1e-8, no
/// weight decay.
#[derive(Debug)]
pub struct Adam {
    lr: f64,
    /// Steps taken.
    steps: u64,
    moments: Moments,
}

/// First and second moments of each parameter.
#[derive(Debug)]
enum Moments {
    /// In float32 on the CPU, where a step is one pass over all.
    Fused(Vec<f32>, Vec<f32>),
    Plain(Tensor, Tensor),
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// An optimiser for `theta [parameters]`, its moments zero.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(theta: &Var, lr: f64) -> Result<Self> {
        let moments = if theta.device().is_cpu() && theta.dtype() == DType::F32 {
            let zeros = vec![0.0; theta.elem_count()];
            Moments::Fused(zeros.clone(), zeros)
        } else {
            Moments::Plain(theta.zeros_like()?, theta.zeros_like()?)
        };
        Ok(Self { lr, steps: 0, moments })
    }

    /// Takes further steps with another learning rate.
    pub fn set_learning_rate(&mut self, lr: f64) {
        self.lr = lr;
    }

    /// Moves `theta` by one step against `gradient`.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn step<'a>(&mut self, theta: &Var, gradient: impl Into<Gradient<'a>>) -> Result<()> {
        let gradient = gradient.into();
        self.steps += 1;
        let power = |beta: f64| libm::pow(beta, self.steps as f64);
        let step_size = self.lr / (1.0 - power(BETA1));
        let root_correction = 1.0 / libm::sqrt(1.0 - power(BETA2));
        let (first, second) = match &mut self.moments {
            Moments::Fused(first, second) => {
                let constants = AdamConstants {
                    beta1: BETA1 as f32,
                    beta2: BETA2 as f32,
                    one_minus_beta1: (1.0 - BETA1) as f32,
                    one_minus_beta2: (1.0 - BETA2) as f32,
                    step_size: step_size as f32,
                    root_correction: root_correction as f32,
                    epsilon: EPSILON as f32,
                };
                let copy;
                let gradient = match gradient {
                    Gradient::Slice(gradient) => gradient,
                    Gradient::Tensor(gradient) => {
                        copy = gradient.flatten_all()?.to_vec1::<f32>()?;
                        &copy
                    }
                };
                let moments = RefCell::new((first.as_mut_slice(), second.as_mut_slice()));
                return theta.inplace_op1(&Step { moments, gradient, constants });
            }
            Moments::Plain(first, second) => (first, second),
        };
        let gradient = match gradient {
            Gradient::Slice(values) => &Tensor::from_slice(values, theta.shape(), theta.device())?,
            Gradient::Tensor(tensor) => tensor,
        };
        *first = (first.affine(BETA1, 0.0)? + gradient.affine(1.0 - BETA1, 0.0)?)?;
        *second = (second.affine(BETA2, 0.0)? + gradient.sqr()?.affine(1.0 - BETA2, 0.0)?)?;
        let denominator = second.sqrt()?.affine(root_correction, EPSILON)?;
        theta.set(&(theta.as_tensor() - (&*first / denominator)?.affine(step_size, 0.0)?)?)
    }

    /// Saves or loads the steps taken and the moments.
    ///
    /// # Errors
    /// If what is loaded is of another number of parameters.
    pub fn state(&mut self, archive: &mut Archive) -> anyhow::Result<()> {
        archive.item("steps", &mut self.steps)?;
        match &mut self.moments {
            Moments::Fused(first, second) => {
                archive.item("first", &mut first[..])?;
                archive.item("second", &mut second[..])
            }
            Moments::Plain(first, second) => {
                for (name, moments) in [("first", first), ("second", second)] {
                    if let Some(loaded) = pass(archive, name, moments)? {
                        *moments = loaded;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Saves or loads the parameters `theta`, as float32.
///
/// # Errors
/// If what is loaded is of another number of parameters.
pub fn state(archive: &mut Archive, name: &str, theta: &Var) -> anyhow::Result<()> {
    match pass(archive, name, theta)? {
        Some(loaded) => Ok(theta.set(&loaded)?),
        None => Ok(()),
    }
}

/// Saves `tensor`, or returns the one that is loaded in its place.
fn pass(archive: &mut Archive, name: &str, tensor: &Tensor) -> anyhow::Result<Option<Tensor>> {
    let mut values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
    archive.item(name, &mut values[..])?;
    if !archive.is_loading() {
        return Ok(None);
    }
    let loaded = Tensor::from_vec(values, tensor.shape(), tensor.device())?;
    Ok(Some(loaded.to_dtype(tensor.dtype())?))
}

/// `target ← (1 − τ) target + τ online` (Polyak averaging; "soft update").
///
/// # Errors
/// If the lengths differ.
pub fn polyak(target: &Var, online: &Var, tau: f64) -> Result<()> {
    if target.device().is_cpu() && target.dtype() == DType::F32 {
        return target.inplace_op2(online, &Polyak { one_minus_tau: (1.0 - tau) as f32, tau: tau as f32 });
    }
    target.set(&(target.affine(1.0 - tau, 0.0)? + online.affine(tau, 0.0)?)?)
}

struct Step<'a> {
    moments: RefCell<(&'a mut [f32], &'a mut [f32])>,
    gradient: &'a [f32],
    constants: AdamConstants,
}
struct Polyak {
    one_minus_tau: f32,
    tau: f32,
}

fn pair<'a>(
    (left, left_layout): (&'a mut CpuStorage, &Layout),
    (right, right_layout): (&'a CpuStorage, &Layout),
) -> Result<(&'a mut [f32], &'a [f32])> {
    let offsets = (left_layout.contiguous_offsets(), right_layout.contiguous_offsets());
    match (left, right, offsets) {
        (CpuStorage::F32(left), CpuStorage::F32(right), (Some(l), Some(r))) => {
            Ok((&mut left[l.0..l.1], &right[r.0..r.1]))
        }
        _ => bail!("a fused step takes contiguous float32 tensors"),
    }
}

fn same_length(name: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { bail!("{name} over {expected} parameters was given {found}") }
}

impl InplaceOp1 for Step<'_> {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn cpu_fwd(&self, theta: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let theta = match (theta, layout.contiguous_offsets()) {
            (CpuStorage::F32(theta), Some((start, end))) => &mut theta[start..end],
            _ => bail!("a fused step takes contiguous float32 tensors"),
        };
        let (first, second) = &mut *self.moments.borrow_mut();
        same_length("Adam", theta.len(), self.gradient.len())?;
        same_length("Adam", theta.len(), first.len())?;
        kernels::adam(theta, first, second, self.gradient, self.constants);
        Ok(())
    }
}

impl InplaceOp2 for Polyak {
    fn name(&self) -> &'static str {
        "polyak"
    }

    fn cpu_fwd(&self, t: &mut CpuStorage, tl: &Layout, o: &CpuStorage, ol: &Layout) -> Result<()> {
        let (target, online) = pair((t, tl), (o, ol))?;
        same_length("Polyak averaging", target.len(), online.len())?;
        kernels::polyak(target, online, self.one_minus_tau, self.tau);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use streams::Stream;

    fn var(data: &[f64], dtype: DType) -> Var {
        let tensor = Tensor::from_slice(data, data.len(), &Device::Cpu).unwrap();
        Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
    }

    #[test]
    fn fused_adam_and_polyak_are_candles_in_float64() {
        let mut stream = Stream::new(0, "test");
        let mut draw =
            |scale: f64| (0..37).map(|_| f64::from((scale * stream.normal()) as f32)).collect::<Vec<_>>();
        let start = draw(1.0);
        let run = |dtype, gradients: &[Vec<f64>]| {
            let (theta, target) = (var(&start, dtype), var(&start, dtype));
            let mut adam = Adam::new(&theta, 3e-4).unwrap();
            for gradient in gradients {
                adam.step(&theta, var(gradient, dtype).as_tensor()).unwrap();
                polyak(&target, &theta, 0.005).unwrap();
            }
            let moments = match &adam.moments {
                Moments::Fused(first, second) => {
                    [first.as_slice(), second].concat().into_iter().map(f64::from).collect()
                }
                Moments::Plain(first, second) => [values(first), values(second)].concat(),
            };
            (values(&theta), values(&target), moments)
        };
        let gradients: Vec<Vec<f64>> = (0..50).map(|_| draw(1e-3)).collect();
        let (fused, exact) = (run(DType::F32, &gradients), run(DType::F64, &gradients));
        let close = |a: &[f64], b: &[f64], tolerance: f64| {
            a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < tolerance, "{a} instead of {b}"));
        };
        // Each of the 50 steps rounds a parameter of magnitude below 4 once, by half a unit in the last place.
        let rounding = 50.0 * f64::from(f32::EPSILON);
        close(&fused.0, &exact.0, rounding);
        close(&fused.1, &exact.1, rounding);
        close(&fused.2, &exact.2, 1e-9);
    }

    #[test]
    fn the_first_step_is_lr_against_the_sign() {
        let theta = var(&[1.0, -2.0], DType::F32);
        Adam::new(&theta, 0.5).unwrap().step(&theta, var(&[3.0, -0.1], DType::F32).as_tensor()).unwrap();
        assert_eq!(values(&theta), [0.5, -1.5]);
    }
}
