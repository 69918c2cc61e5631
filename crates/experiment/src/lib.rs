//! An experiment is data: a protocol, reference numbers and claims in TOML, and run directories on disk.
//!
//! This crate reads and checks the former, lays out the plan, and reads and writes the latter. It trains nothing and
//! links neither candle nor MuJoCo, so that anyone can re-analyse recorded runs in a second.

mod check;
mod claims;
mod config;
mod generate;
mod offline;
mod plan;
mod protocol;
mod records;
mod reference;
mod scene;
mod settings;
mod store;

pub use claims::{Claim, Claims, Metric, Reading, Threshold, Window};
pub use config::{
    Algorithm, DaiSettings, Device, ErrorScale, Evaluation, ExpertGoal, Measure, Mixing, MockFault,
    MockSettings, ModelSettings, MpdpSettings, NoisePlacement, ReplaySettings, RunConfig, RunId, SacSettings,
    ScheduleShape, StopRule, Td3Settings,
};
pub use generate::{Behaviour, Collect, Collection, Generate, Join, Joined, Recipe, Rows, STAND_IN};
pub use offline::{
    Aggregate, DataSettings, DataUsage, DrolSettings, FqlSettings, IqlSettings, OfflineSettings, PexSettings,
    PolicyActions, RebracSettings, Rewards, Units,
};
pub use plan::{Cell, Plan, Selection};
pub use protocol::{Arm, Experiment, Points, Profile, Protocol, Statistics, Sweep, Task, TaskData};
pub use records::{
    EPISODE_COLUMNS, Evaluations, Expert, Policy, Provenance, Row, Run, State, Status, Timing,
};
pub use reference::{Reference, Score, Source, SpreadKind};
pub use scene::{Scene, Spot};
pub use settings::Settings;
pub use store::{Locked, Progress, RunState, Store};

use diagnostics::BadInput;
use serde::Deserialize;

/// The version of every file that this crate writes or reads. A file of another version is refused, not guessed at.
pub const SCHEMA: u32 = 1;

/// Refuses `text`, which came from `file`, if it names another version. Nothing else in it is looked at: what another
/// version has beside that is not known here.
///
/// # Errors
/// [`BadInput`] with both versions.
pub fn check_schema(file: &str, text: &str) -> Result<(), BadInput> {
    #[derive(Deserialize)]
    struct Versioned {
        schema: i64,
    }
    let Ok(Versioned { schema }) = toml::from_str(text) else { return Ok(()) };
    let age = match schema.cmp(&i64::from(SCHEMA)) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Greater => "a newer",
        std::cmp::Ordering::Less => "an older",
    };
    Err(BadInput::new(format!("{file} is of schema {schema}, and this program reads schema {SCHEMA}"))
        .help(format!("it was written for {age} version of this program: check that one out to read it")))
}

/// Refuses a name that could not be a folder's, as a run lies below those of its task and arm and nowhere else, or that
/// `--only` could not name.
fn check_name(what: &str, name: &str) -> Result<(), BadInput> {
    let is_fine = !name.starts_with('.')
        && (1..=100).contains(&name.len())
        && name.trim() == name
        && !name.contains(|c: char| c == '/' || c == ',' || c.is_control());
    if is_fine {
        return Ok(());
    }
    Err(BadInput::new(format!(
        "{what} `{}` cannot be a folder's name, or a filter's: expected 1 to 100 bytes without slashes, commas and control \
         characters, no dot first and no blank at an end",
        name.escape_debug()
    )))
}
