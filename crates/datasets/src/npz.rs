//! NumPy's `.npz`: a zip archive of `.npy` arrays.
//!
//! Format: `numpy.lib.format`, versions 1.0 to 3.0. Arrays are little-endian and in C order; the rest is refused with
//! a message that says how to convert. What is written has the same bytes for the same arrays.

mod header;
mod read;
mod write;

pub use crate::array::{Array, Dtype, Values};
pub(crate) use read::Blocks;
pub use read::Reader;
pub use write::{write, write_compressed};

#[cfg(test)]
mod tests;
