//! From recorded runs to figures, tables and verdicts. Nothing here trains or links a simulator.
//!
//! [`figure`], [`table`] and [`number`] know plain data only; [`study`] gathers a profile's runs, [`curves`] and
//! [`verdicts`] reduce them, and [`files`] is all that is written. [`scores`] reads anybody's.

pub mod curves;
pub mod figure;
pub mod files;
pub mod number;
pub mod scores;
pub mod study;
pub mod table;
pub mod tables;
pub mod verdicts;
