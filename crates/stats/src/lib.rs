//! Estimators and intervals for a handful of training runs.
//!
//! Everything here takes plain numbers. One number stands for one **run** (one seed), never for one episode: episodes
//! of a run are averaged before they come here, because they are not independent of each other.

mod bootstrap;
mod estimate;
mod interval;
mod outliers;

pub use bootstrap::{CHUNK, Replicates, bootstrap, bootstrap_sample, from_indices};
pub use estimate::{
    mean, median, median_in_place, population_std, quantile_of_sorted, quantile_type7, sample_std,
};
pub use interval::{Interval, percentile_interval, runs_needed, t_interval};
pub use outliers::{IqrFilter, TUKEY_K, iqr_filter};
