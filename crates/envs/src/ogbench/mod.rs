//! OGBench 1.2.2's tasks with a reward, and the ant that its experts are trained on.
//!
//! Ids are the package's: `antmaze-large-singletask-task1-v0`; without `-task1` it is the default task. The name of a
//! data set, `antmaze-large-navigate-singletask-task1-v0`, finds the same. Success is judged by the state after a step, as
//! up to version 1.1, which the papers' scores are from; `antmaze-large-singletask-task1-pre-v0` judges it by the state
//! before, as the package does by default from 1.2 on.

mod direction;
mod labels;
mod manipulation;
mod mazes;

use crate::tasks::Task;
pub use labels::Labels;
pub use manipulation::layout;
pub(crate) use mazes::maze;

pub(crate) const PACKAGE: &str = "ogbench 1.2.2";

/// All of them.
pub(crate) fn tasks() -> impl Iterator<Item = Task> {
    mazes::tasks().chain(direction::tasks()).chain(manipulation::tasks())
}

/// Which state of a step decides whether the goal is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SuccessTiming {
    /// The one before it.
    Pre,
    /// The one after it.
    Post,
}

/// The id of a data set's task without the word for how its data were collected; `None` if there is none.
pub(crate) fn without_collection(id: &str) -> Option<String> {
    let (before, after) = id.split_once("-singletask")?;
    let (family, collection) = before.rsplit_once('-')?;
    let known = ["navigate", "stitch", "explore", "play", "noisy"];
    known.contains(&collection).then(|| format!("{family}-singletask{after}"))
}

/// The ids of a family's default task and of its five tasks, each with both timings, and the number of the task.
pub(crate) fn ids(family: &str, default_task: usize) -> Vec<(String, usize, SuccessTiming)> {
    let mut ids = vec![];
    for (timing, infix) in [(SuccessTiming::Post, ""), (SuccessTiming::Pre, "-pre")] {
        ids.push((format!("{family}-singletask{infix}-v0"), default_task, timing));
        let task_ids =
            (1..=5).map(|task| (format!("{family}-singletask-task{task}{infix}-v0"), task, timing));
        ids.extend(task_ids);
    }
    ids
}
