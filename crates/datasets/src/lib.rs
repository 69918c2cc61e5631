//! Data sets on disk. For now: NumPy's `.npz`.

pub mod npz;
