//! Replaying given actions from a given state: how anyone checks these environments against their own Gymnasium.

use crate::{Action, Env, MujocoEnv, Spec, info};
use anyhow::Result;
use datasets::npz::{self, Array, Dtype, Values};
use diagnostics::BadInput;
use std::path::Path;

/// Actions of a rollout, `[steps, action_dim]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Actions {
    /// In single precision.
    F32(Vec<f32>),
    /// In double precision.
    F64(Vec<f64>),
}

/// What a rollout gave. `qpos` and `qvel` are those after each step.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// `[steps + 1, observation_dim]`, the first before any step.
    pub observations: Vec<f64>,
    /// `[steps]`.
    pub rewards: Vec<f64>,
    /// `[steps]`.
    pub terminated: Vec<bool>,
    /// `[steps]`; true from the time limit on.
    pub truncated: Vec<bool>,
    /// `[steps, nq]`.
    pub qpos: Vec<f64>,
    /// `[steps, nv]`.
    pub qvel: Vec<f64>,
}

/// A rollout in a few numbers.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Number of steps.
    pub steps: usize,
    /// Sum of the rewards up to and with the first step that terminated or truncated.
    pub episode_return: f64,
    /// Number of those steps.
    pub episode_length: usize,
}

impl Actions {
    fn len(&self) -> usize {
        match self {
            Actions::F32(actions) => actions.len(),
            Actions::F64(actions) => actions.len(),
        }
    }

    /// The index of the first entry that is not a finite number.
    fn first_not_finite(&self) -> Option<usize> {
        match self {
            Actions::F32(actions) => actions.iter().position(|a| !a.is_finite()),
            Actions::F64(actions) => actions.iter().position(|a| !a.is_finite()),
        }
    }

    fn step(&self, dim: usize, step: usize) -> Action<'_> {
        let range = step * dim..(step + 1) * dim;
        match self {
            Actions::F32(actions) => Action::F32(&actions[range]),
            Actions::F64(actions) => Action::F64(&actions[range]),
        }
    }
}

/// Begins an episode of `env` at `qpos`, `qvel` with its goal as it is and takes all `actions`, past a termination or the
/// time limit.
///
/// # Errors
/// [`BadInput`] when a length does not fit or a number is not finite.
pub fn rollout(env: &mut MujocoEnv, qpos: &[f64], qvel: &[f64], actions: &Actions) -> Result<Rollout> {
    let spec = env.spec().clone();
    for (name, found, expected) in [("qpos", qpos, env.qpos().len()), ("qvel", qvel, env.qvel().len())] {
        if found.len() != expected {
            let found = found.len();
            let message = format!("{name} of {}: found {found} numbers, expected {expected}", spec.id);
            return Err(BadInput::new(message).into());
        }
        if let Some(i) = found.iter().position(|x| !x.is_finite()) {
            let message = format!("{name}[{i}] is {}: expected a finite number", found[i]);
            return Err(BadInput::new(message).into());
        }
    }
    let dim = spec.action_dim;
    if !actions.len().is_multiple_of(dim) {
        let message =
            format!("actions of {}: found {} numbers, expected a multiple of {dim}", spec.id, actions.len());
        return Err(BadInput::new(message).into());
    }
    if let Some(i) = actions.first_not_finite() {
        let message = format!("actions[{}, {}] is not a finite number", i / dim, i % dim);
        return Err(BadInput::new(message)
            .help("expected what a policy gave; look where it came from")
            .into());
    }

    let steps = actions.len() / dim;
    env.start_from(qpos, qvel);
    let mut out = Rollout {
        observations: env.observation().to_vec(),
        rewards: Vec::with_capacity(steps),
        terminated: Vec::with_capacity(steps),
        truncated: Vec::with_capacity(steps),
        qpos: Vec::with_capacity(steps * qpos.len()),
        qvel: Vec::with_capacity(steps * qvel.len()),
    };
    for step in 0..steps {
        let result = env.step(actions.step(dim, step));
        out.observations.extend(env.observation());
        out.rewards.push(result.reward);
        out.terminated.push(result.terminated);
        out.truncated.push(result.truncated);
        out.qpos.extend(env.qpos());
        out.qvel.extend(env.qvel());
    }
    Ok(out)
}

/// Reads `qpos` `[nq]`, `qvel` `[nv]` and, in tasks that have one, `goal` `[goal_dim]` (float64) and `actions` `[steps, action_dim]` (float32 or float64) from the
/// npz file `input`, replays them on the environment `id`, and writes `observations`, `rewards`, `terminated`,
/// `truncated`, `qpos` and `qvel` (those of [`Rollout`]) to the npz file `output`.
///
/// # Errors
/// [`BadInput`] when the id, a file, an array, its type, its shape or its numbers are not as they must be.
pub fn rollout_files(id: &str, input: &Path, output: &Path) -> Result<Summary> {
    // What can be wrong in a file is told before the simulator is fetched.
    let spec = info(id)?;
    let mut reader = npz::Reader::open(input)?;
    let qpos = state(&mut reader, input, "qpos")?;
    let qvel = state(&mut reader, input, "qvel")?;
    let goal = if spec.goal_dim > 0 { goal(&mut reader, input, spec)? } else { vec![] };
    let actions = actions(&mut reader, input, spec.action_dim)?;

    let mut env = MujocoEnv::new(id)?;
    env.set_goal(&goal);
    let rollout = rollout(&mut env, &qpos, &qvel, &actions).map_err(|error| in_file(error, input))?;
    let steps = rollout.rewards.len();
    let end = (0..steps).find(|&t| rollout.terminated[t] || rollout.truncated[t]).map_or(steps, |t| t + 1);
    let summary = Summary { steps, episode_return: rollout.rewards[..end].iter().sum(), episode_length: end };
    write(output, spec.observation_dim, (qpos.len(), qvel.len()), rollout)?;
    Ok(summary)
}

/// Names the file in an error about its numbers.
fn in_file(error: anyhow::Error, file: &Path) -> anyhow::Error {
    match error.downcast::<BadInput>() {
        Ok(error) => BadInput::new(format!("{}: {error}", file.display())).into(),
        Err(error) => error,
    }
}

fn state(reader: &mut npz::Reader, file: &Path, name: &str) -> Result<Vec<f64>> {
    let array = reader.array(name)?;
    match (array.shape.len(), array.dtype(), array.values) {
        (1, _, Values::F64(values)) => Ok(values),
        (_, dtype, _) => Err(unfit(file, name, dtype, &array.shape, "float64 with one axis", "np.float64")),
    }
}

fn goal(reader: &mut npz::Reader, file: &Path, spec: &Spec) -> Result<Vec<f64>> {
    let goal = state(reader, file, "goal")?;
    if goal.len() == spec.goal_dim && goal.iter().all(|x| x.is_finite()) {
        return Ok(goal);
    }
    let message = format!(
        "{}: goal of {}: found {goal:?}, expected {} finite numbers",
        file.display(),
        spec.id,
        spec.goal_dim
    );
    Err(BadInput::new(message).help("docs/environments.md says what they are").into())
}

fn actions(reader: &mut npz::Reader, file: &Path, dim: usize) -> Result<Actions> {
    let array = reader.array("actions")?;
    let fits = matches!(array.shape[..], [_, entries] if entries == dim);
    match (array.dtype(), array.values) {
        (_, Values::F32(actions)) if fits => Ok(Actions::F32(actions)),
        (_, Values::F64(actions)) if fits => Ok(Actions::F64(actions)),
        (dtype, _) => {
            let expected = format!("float32 or float64 of shape [steps, {dim}]");
            Err(unfit(file, "actions", dtype, &array.shape, &expected, "np.float32"))
        }
    }
}

fn unfit(
    file: &Path,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
    expected: &str,
    convert: &str,
) -> anyhow::Error {
    let file = file.display();
    BadInput::new(format!("array `{name}` of {file}: found {dtype} of shape {shape:?}, expected {expected}"))
        .help(format!("convert it with `.astype({convert})` and look at its axes"))
        .into()
}

fn write(output: &Path, observation_dim: usize, (nq, nv): (usize, usize), rollout: Rollout) -> Result<()> {
    let steps = rollout.rewards.len();
    npz::write(
        output,
        &[
            ("observations", &Array::f64(&[steps + 1, observation_dim], rollout.observations)),
            ("rewards", &Array::f64(&[steps], rollout.rewards)),
            ("terminated", &Array::bool(&[steps], rollout.terminated)),
            ("truncated", &Array::bool(&[steps], rollout.truncated)),
            ("qpos", &Array::f64(&[steps, nq], rollout.qpos)),
            ("qvel", &Array::f64(&[steps, nv], rollout.qvel)),
        ],
    )
}
