//! Evaluation: whole episodes of a policy without noise.

use anyhow::{Context as _, Result, ensure};
use envs::{Action, Env, Step};
use experiment::Measure;
use streams::Stream;

/// Returns, or what is measured in their place, and lengths of evaluation episodes.
#[derive(Debug, Default)]
pub(crate) struct Episodes {
    pub(crate) returns: Vec<f64>,
    pub(crate) lengths: Vec<u64>,
}

/// Plays `count` episodes of `policy`, their start states drawn from `starts`.
pub(crate) fn play(
    env: &mut dyn Env,
    (count, measure): (usize, Measure),
    mut starts: Stream,
    mut policy: impl FnMut(&[f32], &mut [f32]) -> Result<()>,
) -> Result<Episodes> {
    let mut observation = Vec::new();
    let mut action = vec![0f32; env.spec().action_dim];
    let mut executed = Vec::new();
    let mut episodes = Episodes::default();
    for _ in 0..count {
        env.reset(&mut starts);
        let (mut sum, mut length) = (0.0, 0);
        loop {
            observe(env, &mut observation);
            policy(&observation, &mut action)?;
            let step = execute(env, &action, &mut executed);
            ensure!(
                step.reward.is_finite(),
                "the simulator of {} gave a reward that is not finite in an evaluation",
                env.spec().id
            );
            sum += step.reward;
            length += 1;
            if step.terminated || step.truncated {
                break;
            }
        }
        episodes.returns.push(match measure {
            Measure::Return => sum,
            Measure::Success => {
                let success = env.success().with_context(|| format!("{} knows no success", env.spec().id))?;
                f64::from(u8::from(success))
            }
        });
        episodes.lengths.push(length);
    }
    Ok(episodes)
}

/// Takes a step with `action`, which may leave the limit (a draw of IQL's does), clipped to it: `executed`.
pub(crate) fn execute(env: &mut dyn Env, action: &[f32], executed: &mut Vec<f32>) -> Step {
    let limit = env.spec().action_limit as f32;
    executed.clear();
    executed.extend(action.iter().map(|a| a.clamp(-limit, limit)));
    env.step(Action::F32(executed))
}

/// The observation as networks take it.
pub(crate) fn observe(env: &dyn Env, observation: &mut Vec<f32>) {
    observation.clear();
    observation.extend(env.observation().iter().map(|x| *x as f32));
}

#[cfg(test)]
mod tests {
    use super::*;
    use envs::Spec;
    use state::Archive;

    /// The mock environment with rewards that are no numbers.
    struct Broken(Box<dyn Env>);

    impl Env for Broken {
        fn spec(&self) -> &Spec {
            self.0.spec()
        }

        fn reset(&mut self, stream: &mut Stream) {
            self.0.reset(stream);
        }

        fn step(&mut self, action: Action<'_>) -> Step {
            Step { reward: f64::NAN, ..self.0.step(action) }
        }

        fn observation(&self) -> &[f64] {
            self.0.observation()
        }

        fn state(&mut self, archive: &mut Archive) -> Result<()> {
            self.0.state(archive)
        }
    }

    #[test]
    fn a_return_that_is_no_number_is_an_error_and_not_recorded() {
        let played = |env: &mut dyn Env| {
            play(env, (1, Measure::Return), Stream::new(0, "starts"), |_, _| Ok(())).map(|all| all.returns)
        };
        let mut mock = envs::make("Mock-v0").unwrap();
        assert_eq!(played(&mut *mock).unwrap().len(), 1);
        let error = played(&mut Broken(mock)).unwrap_err().to_string();
        assert!(error.contains("Mock-v0 gave a reward that is not finite"), "{error}");
    }
}
