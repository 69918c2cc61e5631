//! One run: an agent, an environment, replay, evaluations, and the records of it all.
//!
//! There is one training loop, [`train`], for every algorithm and for experts.

mod agent;
mod episodes;
mod expert;
mod provenance;
mod run;

pub use provenance::provenance;
pub use run::{Progress, train};
