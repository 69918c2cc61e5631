//! One run: an agent, an environment, replay, evaluations, and the records of it all.
//!
//! There is one training loop, [`train`], for every algorithm and for experts.

mod agent;
mod episodes;
mod expert;
mod provenance;
mod rig;
mod run;

pub use agent::device;
pub use provenance::{cpu, provenance};
pub use rig::{Part, Rig, train_on};
pub use run::{Progress, train};
