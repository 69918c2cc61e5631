//! The arithmetic: slices in, slices out, no candle. Matrices are row-major or, within a network, in [`Panels`].
#![allow(unsafe_code)]

mod elementwise;
mod flush;
mod heads;
mod lanes;
mod norm;
mod panels;
mod smooth;
mod squashed;
mod transpose;

pub(crate) use elementwise::{AdamConstants, adam, linear_of_one, polyak};
pub(crate) use heads::{Heads, LEAST_VARIANCE};
pub use lanes::simd;
pub(crate) use norm::{EPSILON, Normalised, normalise, normalise_one};
pub(crate) use panels::{
    Panels, Slopes, keep_spare, linear, linear_backward_input, linear_backward_parameters, take_spare,
};
pub(crate) use smooth::{GELU, Gated, SWISH, gate, tanh};
pub(crate) use squashed::{LN_SQRT_2_PI, squash, squash_backward};
