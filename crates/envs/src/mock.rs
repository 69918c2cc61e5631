//! An environment of a few numbers, for tests of all that is around environments. It is in no list.

use crate::{Action, Env, Spec, Step};
use anyhow::Result;
use state::Archive;
use streams::Stream;

pub(crate) static SPEC: Spec = Spec {
    id: "Mock-v0",
    package: "",
    observation_dim: 2,
    action_dim: 1,
    goal_dim: 0,
    action_limit: 0.5,
    max_episode_steps: 25,
    frame_skip: 1,
    dt: 1.0,
    reference_returns: None,
    ends: "when it is far from 0",
    model: "",
};

/// A point that drifts outwards and can be pushed.
pub(crate) struct Mock {
    observation: [f64; 2],
    elapsed_steps: u32,
}

impl Mock {
    pub(crate) fn new() -> Self {
        Self { observation: [0.0; 2], elapsed_steps: 0 }
    }
}

impl Env for Mock {
    fn spec(&self) -> &Spec {
        &SPEC
    }

    fn reset(&mut self, stream: &mut Stream) {
        self.observation = [stream.uniform_in(-0.5, 0.5), 0.0];
        self.elapsed_steps = 0;
    }

    fn step(&mut self, action: Action<'_>) -> Step {
        let push = match action {
            Action::F32(action) => f64::from(action[0]),
            Action::F64(action) => action[0],
        };
        let [x, v] = self.observation;
        let v = 0.9 * v + 0.1 * push;
        let x = 1.05 * x + v;
        self.observation = [x, v];
        self.elapsed_steps = self.elapsed_steps.saturating_add(1);
        let truncated = self.elapsed_steps >= SPEC.max_episode_steps;
        Step { reward: 1.0 - x * x, terminated: x.abs() > 1.0, truncated }
    }

    fn observation(&self) -> &[f64] {
        &self.observation
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        archive.item("observation", &mut self.observation[..])?;
        archive.item("elapsed_steps", &mut self.elapsed_steps)
    }
}
