//! Data sets on disk. For now: NumPy's `.npz`.

pub mod npz;

mod replay;

pub use replay::{Drawn, Replay};
