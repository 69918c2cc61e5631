//! An experiment is data: a protocol, reference numbers and claims in TOML, and run directories on disk.
//!
//! This crate reads and checks the former, lays out the plan, and reads and writes the latter. It trains nothing and
//! links neither candle nor MuJoCo, so that anyone can re-analyse recorded runs in a second.

mod claims;
mod config;
mod plan;
mod protocol;
mod records;
mod reference;
mod settings;
mod store;

pub use claims::{Claim, Claims, Metric, Reading, Threshold, Window};
pub use config::{
    Algorithm, DaiSettings, Device, Evaluation, ExpertGoal, MockFault, MockSettings, NoisePlacement,
    ReplaySettings, RunConfig, RunId, SacSettings, ScheduleShape, Td3Settings,
};
pub use plan::{Cell, Plan, Selection};
pub use protocol::{Arm, Experiment, Profile, Protocol, Statistics, Task};
pub use records::{Evaluations, Expert, Policy, Provenance, Row, Run, State, Status, Timing};
pub use reference::{Reference, Score, Source, SpreadKind};
pub use settings::Settings;
pub use store::{Locked, Progress, RunState, Store};

/// The version of every file that this crate writes or reads. A file of another version is refused, not guessed at.
pub const SCHEMA: u32 = 1;
