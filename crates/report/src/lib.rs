//! Figures and tables. Plain data in, text and pictures out: nothing here reads a run or links a simulator.

pub mod figure;
pub mod number;
pub mod table;
