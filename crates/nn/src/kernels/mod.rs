//! The arithmetic: slices in, slices out, no candle. Matrices are row-major or, within a network, in [`Panels`].
#![allow(unsafe_code)]

mod elementwise;
mod lanes;
mod panels;
mod transpose;

pub(crate) use elementwise::{AdamConstants, adam_moments, adam_step, linear_of_one, polyak};
pub use lanes::simd;
pub(crate) use panels::{Panels, linear, linear_backward_input, linear_backward_parameters};
