//! MuJoCo 3.2.7, loaded at run time.
//!
//! The simulator is no build dependency: [`install`] finds or fetches the library and Gymnasium's model files when a
//! program first needs them, [`Library`] opens it, [`Model`] and [`Data`] are what it computes with. Beside the
//! kernels of `nn`, nothing else in this workspace is unsafe.
//!
//! Why 3.2.7 and no newer: from 3.5.0 on the contact margins of two geoms add up, which is other physics than that of
//! every paper until 2025; 3.3.6 and 4.0.0 alter the Runge-Kutta integrator.

// The one crate that speaks to C. Each unsafe block says why it is sound.
#![allow(unsafe_code)]

mod data;
mod doctor;
mod fetching;
pub mod install;
mod library;
mod model;
mod offsets;
mod packages;

pub use data::Data;
pub use doctor::{Finding, doctor};
pub use library::{Library, Warnings, warnings};
pub use model::Model;
