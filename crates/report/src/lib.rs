//! From recorded runs to figures, tables and verdicts. Nothing here trains or links a simulator.
//!
//! [`figure`], [`table`] and [`number`] know plain data only; [`study`] gathers a profile's runs, [`curves`] and
//! [`verdicts`] reduce them, and [`files`] is all that is written. [`sensitivity`] asks what a verdict hangs on,
//! [`recorded`] whether it is still the one on record. [`scores`] reads anybody's scores,
//! and [`export`] writes ours for others.

pub mod curves;
pub mod export;
pub mod figure;
pub mod files;
pub mod number;
pub mod recorded;
pub mod scores;
pub mod sensitivity;
pub mod study;
pub mod table;
pub mod tables;
pub mod verdicts;
