//! Networks on candle: multi-layer perceptrons whose parameters lie in one flat variable, Adam and Polyak averaging
//! over it, parameters by PyTorch's names.
//!
//! On the CPU a whole network is one custom operation under candle's autograd ([`Mlp::forward`]); on any other device,
//! and in float64, the same network is plain candle operations on views of the same variable, which is also what the
//! tests hold the fused operation against.

mod dropout;
mod fused;
mod gaussian;
mod gradients;
mod kernels;
mod mlp;
mod optim;
mod squashed;

pub use dropout::Dropout;
pub use gaussian::Gaussian;
pub use gradients::{Gradient, Gradients, backward};
pub use kernels::simd;
pub use mlp::{Head, Mlp, Parameter, Unit};
pub use optim::{Adam, polyak, state};
pub use squashed::SquashedGaussian;
