//! Estimators and intervals for a handful of training runs.
//!
//! Everything here takes plain numbers. One number stands for one **run** (one seed), never for one episode: episodes
//! of a run are averaged before they come here, because they are not independent of each other.

mod bootstrap;
mod coverage;
mod difference;
mod estimate;
mod interval;
mod outliers;
mod published;
mod scores;

pub use bootstrap::{
    CHUNK, Replicates, bootstrap, bootstrap_curve, bootstrap_drawing, bootstrap_sample, bootstrap_tasks,
    from_indices,
};
pub use coverage::{COVERAGE, Coverage};
pub use difference::{Test, holm, mann_whitney, welch};
pub use estimate::{
    mean, median, median_in_place, population_std, quantile_of_sorted, quantile_type7, sample_std,
};
pub use interval::{
    Interval, Method, bootstrap_interval, percentile_interval, runs_for_half_width, runs_needed, t_interval,
};
pub use outliers::{IqrFilter, TUKEY_K, iqr_filter};
pub use published::{Published, Spread};
pub use scores::{Aggregate, Episodes, Resample, RunScore, Scores, probability_of_improvement};
