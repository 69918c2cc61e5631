//! One run: an agent, an environment, replay, evaluations, and the records of it all.
//!
//! There is one training loop, [`train`], for every algorithm and for experts.

mod agent;
mod clock;
mod data;
mod episodes;
mod expert;
mod generate;
mod keeper;
mod log;
mod mock;
mod provenance;
mod rig;
mod run;
mod scene;
mod session;

pub use agent::device;
pub use expert::{parse_weights, read_networks};
pub use generate::{Files, generate};
pub use keeper::Every;
pub(crate) use provenance::provenance;
pub use provenance::{COMMIT, cpu, known_hashes, of_this_process};
pub use rig::{Part, Rig, train_on};
pub use run::{Ending, News, Order, Place, train};
