//! The training loop.

use crate::episodes::{observe, play};
use crate::expert::Candidate;
use crate::{agent, provenance};
use agents::{Agent, Batch, Metrics};
use anyhow::{Context, Result, ensure};
use datasets::{Drawn, Replay};
use envs::{Action, Env};
use experiment::{Evaluations, Policy, Row, RunConfig, State, Status, Timing};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use streams::Stream;

/// How far a run is, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Environment steps taken.
    pub step: u64,
    /// Environment steps at most.
    pub steps: u64,
    /// The mean return of the last evaluation.
    pub last_return: f64,
    /// Environment steps a second since the last report, evaluations left out.
    pub steps_per_second: f64,
}

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// Trains the run `config` and writes its records into `directory`, which must be empty; `expert` is the directory of
/// the expert's recorded run, where one guides.
///
/// # Errors
/// If the simulator or the expert cannot be had, a loss or an observation is not finite, or a record cannot be
/// written.
pub fn train(
    config: &RunConfig,
    directory: &Path,
    expert: Option<&Path>,
    mut watch: impl FnMut(Progress),
) -> Result<()> {
    let began = Instant::now();
    let mut env = envs::make(&config.task)?;
    let spec = env.spec().clone();
    let mut agent = agent::make(config, &spec, expert)?;
    let write = |name: &str, text: String| {
        fs::write(directory.join(name), text).with_context(|| format!("failed to write {name}"))
    };
    write("config.toml", config.to_toml())?;
    // Before the first step: by the end, the checkout and the program in it may have moved on.
    write("provenance.toml", toml::to_string(&provenance(expert)?)?)?;
    let mut log = Log::new(config, directory)?;
    let mut clock = Clock::default();

    let steps = usize::try_from(config.steps).unwrap_or(usize::MAX);
    let dims = (spec.observation_dim, spec.action_dim);
    let mut replay = Replay::new(dims, config.replay.capacity.min(steps));
    let mut draws = Stream::new(config.seed, "replay");
    let mut drawn = Drawn::default();
    let mut starts = Stream::new(config.seed, "env");
    let mut test_env = envs::make(&config.task)?;

    let (mut s, mut next_s) = (Vec::new(), Vec::new());
    let mut a = vec![0f32; spec.action_dim];
    env.reset(&mut starts);
    observe(&*env, &mut s);
    let mut episode_return = 0.0;
    let mut updates = 0;
    let mut kept: Option<Candidate> = None;
    let mut told = (Instant::now(), 0);
    let mut t = 0;
    loop {
        if t % config.evaluation.every == 0 {
            let evaluation = Instant::now();
            let mean = evaluate(config, t, &mut *test_env, &mut *agent, &mut log)?;
            clock.evaluation += evaluation.elapsed();
            // The speed that is told is training's: a pause to evaluate is none of its slowness.
            told.0 += evaluation.elapsed();
            log.last_return = mean;
            if let Some(goal) = &config.expert {
                if kept.as_ref().is_none_or(|kept| kept.is_further_than(mean, goal)) {
                    kept = Some(Candidate { step: t, mean, weights: agent.policy_weights()? });
                }
                if mean >= goal.goal {
                    break;
                }
            }
        }
        if t == config.steps {
            break;
        }

        agent.explore(t, &s, &mut a)?;
        ensure!(
            a.iter().all(|a| a.abs() <= spec.action_limit as f32),
            "the action at step {t} is {a:?}, beyond ±{}",
            spec.action_limit
        );
        let step = env.step(Action::F32(&a));
        observe(&*env, &mut next_s);
        ensure!(
            step.reward.is_finite() && next_s.iter().all(|x| x.is_finite()),
            "the simulator of {} gave a reward or observation that is not finite at step {t}",
            config.task
        );
        // As in the authors' code, an episode that reaches its limit does not count as ended, whatever else it did.
        let terminal = step.terminated && !step.truncated;
        replay.push(&s, &a, step.reward as f32, terminal, &next_s);
        std::mem::swap(&mut s, &mut next_s);
        episode_return += step.reward;

        if t >= config.start_steps() {
            let update = Instant::now();
            replay.draw(config.replay.batch_size, &mut draws, &mut drawn);
            let metrics = agent.update(&batch(&drawn))?;
            clock.update += update.elapsed();
            updates += 1;
            log.add(&metrics);
        }
        if step.terminated || step.truncated {
            log.episodes.push(episode_return);
            episode_return = 0.0;
            env.reset(&mut starts);
            observe(&*env, &mut s);
        }
        t += 1;
        if told.0.elapsed() >= PROGRESS_INTERVAL {
            let steps_per_second = (t - told.1) as f64 / told.0.elapsed().as_secs_f64();
            watch(Progress { step: t, steps: config.steps, last_return: log.last_return, steps_per_second });
            told = (Instant::now(), t);
        }
    }

    if let (Some(goal), Some(kept)) = (&config.expert, kept) {
        kept.record(&mut *test_env, goal, config.seed, directory)?;
    }
    write("timing.toml", toml::to_string(&clock.stop(began))?)?;
    let status = Status { state: State::Finished, steps: t, updates, error: None };
    write("status.toml", toml::to_string(&status)?)
}

pub(crate) fn batch(drawn: &Drawn) -> Batch<'_> {
    Batch {
        observations: &drawn.observations,
        actions: &drawn.actions,
        rewards: &drawn.rewards,
        next_observations: &drawn.next_observations,
        not_terminal: &drawn.not_terminal,
    }
}

/// Evaluates the learned policy, and the guided one where it differs, from the same starts; returns the former's mean.
fn evaluate(
    config: &RunConfig,
    t: u64,
    env: &mut dyn Env,
    agent: &mut dyn Agent,
    log: &mut Log,
) -> Result<f64> {
    let starts = Stream::new(config.seed, "eval");
    let count = config.evaluation.episodes;
    let learned = play(env, count, starts.clone(), |s, a| agent.act(s, a))?;
    let row = Row { step: t, policy: Policy::Learned, returns: learned.returns, lengths: learned.lengths };
    let mean = row.mean();
    log.write(&row)?;
    let dims = (env.spec().observation_dim, env.spec().action_dim);
    if agent.act_guided(t, &vec![0.0; dims.0], &mut vec![0.0; dims.1])? {
        let guided = play(env, count, starts, |s, a| agent.act_guided(t, s, a).map(drop))?;
        log.write(&Row {
            step: t,
            policy: Policy::Guided,
            returns: guided.returns,
            lengths: guided.lengths,
        })?;
    }
    Ok(mean)
}

/// `evals.csv` and `train.csv`, written as the run goes.
struct Log {
    evaluations: File,
    training: File,
    /// Returns of training episodes that ended since the last line.
    episodes: Vec<f64>,
    /// Sum and count of each loss since the last line.
    losses: [(f64, u64); 2],
    last_return: f64,
}

const LOSSES: [&str; 2] = ["critic_loss", "actor_loss"];

impl Log {
    fn new(config: &RunConfig, directory: &Path) -> Result<Self> {
        let create = |name: &str, header: &str| -> Result<File> {
            let path = directory.join(name);
            let mut file =
                File::create(&path).with_context(|| format!("failed to create {}", path.display()))?;
            file.write_all(header.as_bytes())?;
            Ok(file)
        };
        Ok(Self {
            evaluations: create("evals.csv", &Evaluations::header(config.evaluation.episodes))?,
            training: create("train.csv", "step,critic_loss,actor_loss,episodes,episode_return\n")?,
            episodes: Vec::new(),
            losses: Default::default(),
            last_return: f64::NAN,
        })
    }

    fn add(&mut self, metrics: &Metrics) {
        for (name, value) in metrics {
            if let Some(i) = LOSSES.iter().position(|known| known == name) {
                self.losses[i].0 += value;
                self.losses[i].1 += 1;
            }
        }
    }

    /// Writes an evaluation, and what training did since the last one.
    fn write(&mut self, row: &Row) -> Result<()> {
        self.evaluations.write_all(Evaluations::line(row).as_bytes()).context("failed to write evals.csv")?;
        if row.policy == Policy::Guided || row.step == 0 {
            return Ok(());
        }
        let mean =
            |sum: f64, count: u64| if count == 0 { String::new() } else { format!("{}", sum / count as f64) };
        let [critic, actor] = self.losses.map(|(sum, count)| mean(sum, count));
        let returns = mean(self.episodes.iter().sum(), self.episodes.len() as u64);
        let line = format!("{},{critic},{actor},{},{returns}\n", row.step, self.episodes.len());
        self.losses = Default::default();
        self.episodes.clear();
        self.training.write_all(line.as_bytes()).context("failed to write train.csv")
    }
}

#[derive(Default)]
struct Clock {
    update: Duration,
    evaluation: Duration,
}

impl Clock {
    fn stop(&self, began: Instant) -> Timing {
        let ended = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Milliseconds are enough, and read well.
        let seconds = |duration: Duration| duration.as_millis() as f64 / 1e3;
        Timing {
            ended: ended.as_secs(),
            seconds: seconds(began.elapsed()),
            update_seconds: seconds(self.update),
            evaluation_seconds: seconds(self.evaluation),
        }
    }
}
