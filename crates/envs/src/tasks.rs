//! The table of the tasks.

use crate::simulated::Rules;
use crate::{Spec, d4rl, gymnasium, ogbench};
use anyhow::Result;
use diagnostics::BadInput;
use mujoco::Model;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// A row of the table.
pub(crate) struct Task {
    pub(crate) spec: Spec,
    pub(crate) make: Make,
}

/// Compiles a task's model, which no other simulation shares, and gives its rules.
pub(crate) type Make = Box<dyn Fn(&Spec) -> Result<(Arc<Model>, Box<dyn Rules>)> + Send + Sync>;

/// The tasks by id.
pub(crate) static TASKS: LazyLock<Vec<Task>> = LazyLock::new(|| {
    let mut tasks: Vec<Task> = gymnasium::tasks().collect();
    tasks.extend(d4rl::tasks());
    tasks.extend(ogbench::tasks());
    tasks.sort_by_key(|task| task.spec.id);
    tasks
});

/// The task with this id, or of the OGBench data set with this name.
pub(crate) fn find(id: &str) -> Result<&'static Task, BadInput> {
    let known = |id: &str| TASKS.iter().find(|task| task.spec.id == id);
    let of_dataset = || ogbench::without_collection(id).and_then(|id| known(&id));
    known(id).or_else(of_dataset).ok_or_else(|| unknown(id))
}

/// There are too many to list; the nearest is enough, or where they are listed.
fn unknown(id: &str) -> BadInput {
    let known = TASKS.iter().map(|task| task.spec.id);
    let input = BadInput::new(format!(
        "unknown environment `{id}`: expected one of those that `cargo xtask env list` prints"
    ));
    match diagnostics::nearest(id, known) {
        Some(name) => input.help(format!("did you mean `{name}`?")),
        None => input,
    }
}

/// The user may have given other model files: the model must have nq, nv and nu as the task lays them out.
pub(crate) fn check_sizes(
    model: &Model,
    expected: (usize, usize, usize),
    source: &Path,
) -> Result<(), BadInput> {
    let found = (model.nq(), model.nv(), model.nu());
    if found == expected {
        return Ok(());
    }
    let source = source.display();
    let message =
        format!("the model made of parts in {source} has nq, nv, nu = {found:?}: expected {expected:?}");
    Err(BadInput::new(message).help("see REPRISE_D4RL and REPRISE_OGBENCH"))
}

/// A name that lives as long as the table.
pub(crate) fn leak(id: String) -> &'static str {
    id.leak()
}
