//! Data sets on disk, and the transitions that learners draw from.
//!
//! A [`Source`] is a file in D4RL's, OGBench's or Minari's layout; [`offline`] makes of it what the papers' Q-learning
//! draws from, a [`Replay`]; [`inspect`] says what is in it. The [`Manifest`] lists what is published, and [`Places`]
//! finds it or fetches it. A [`Recorder`] writes new ones. [`npz`] reads and writes NumPy's archives.

mod array;
mod hdf5;
mod inspect;
mod manifest;
mod minari;
pub mod npz;
pub mod offline;
mod places;
mod record;
mod replay;
mod source;

pub use array::{Array, Dtype, Values};
pub use inspect::{ArrayReport, Report, Spread, inspect};
pub use manifest::{Manifest, Published};
pub use places::{Found, Known, Places};
pub use record::{Extra, MinariAbout, Recorder, Step, side_car_of};
pub use replay::{Drawn, Replay, Transition};
pub use source::{Info, Layout, Source};
