//! From recorded runs to figures, tables and verdicts. Nothing here trains or links a simulator.
//!
//! [`figure`], [`table`] and [`number`] know plain data only, and [`pictures`] draws any arms' scores; [`study`] gathers a
//! profile's runs, [`curves`], [`results`], `effect` and [`verdicts`] reduce them, [`html`] is the page, and [`files`] all
//! that is written. [`sensitivity`] asks what a verdict hangs on, [`recorded`] whether it is still the one on record.
//! [`scores`] reads anybody's scores, and [`export`] writes ours for others.

pub mod curves;
mod effect;
pub mod export;
pub mod figure;
pub mod figures;
pub mod files;
pub mod html;
pub mod number;
pub mod pictures;
pub mod recorded;
pub mod results;
pub mod scores;
pub mod sensitivity;
pub mod study;
pub mod table;
pub mod tables;
pub mod verdicts;
