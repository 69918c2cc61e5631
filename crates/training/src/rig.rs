//! The parts of training, each to be run by itself for as long as a benchmark likes.

use crate::episodes::observe;
use crate::session::batch;
use crate::{News, Order, Place, agent, train};
use agents::Agent;
use anyhow::Result;
use datasets::{Drawn, Replay};
use envs::{Action, Env};
use experiment::{Progress, RunConfig};
use std::path::Path;
use streams::Stream;

/// Transitions of a random policy that replay is filled with: enough that a draw misses the caches, as in training.
const REPLAY: usize = 100_000;

/// Of these, how many come from the simulator; they repeat.
const PLAYED: usize = 5_000;

/// A part of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One update from one batch, drawing included.
    Update,
    /// Drawing one batch.
    Draw,
    /// One action of the policy with its exploration.
    Act,
    /// One environment step with given actions, resets included.
    Environment,
}

/// An agent, an environment and a full replay buffer.
pub struct Rig {
    config: RunConfig,
    env: Box<dyn Env>,
    agent: Box<dyn Agent>,
    replay: Replay,
    draws: Stream,
    drawn: Drawn,
    starts: Stream,
    actions: Stream,
    observation: Vec<f32>,
    action: Vec<f32>,
}

impl Rig {
    /// What a run of `config` trains with, but with its replay full.
    ///
    /// # Errors
    /// If the simulator cannot be had, or the run is guided by an expert.
    pub fn new(config: &RunConfig) -> Result<Self> {
        let env = envs::make(config.environment())?;
        let spec = env.spec().clone();
        let agent = agent::make(config, &spec, None)?;
        let mut rig = Self {
            config: config.clone(),
            env,
            agent,
            replay: Replay::new((spec.observation_dim, spec.action_dim), REPLAY),
            draws: Stream::new(config.seed, "replay"),
            drawn: Drawn::default(),
            starts: Stream::new(config.seed, "env"),
            actions: Stream::new(config.seed, "random-actions"),
            observation: Vec::new(),
            action: vec![0.0; spec.action_dim],
        };
        rig.fill()?;
        Ok(rig)
    }

    fn fill(&mut self) -> Result<()> {
        let mut played = Vec::with_capacity(PLAYED);
        self.env.reset(&mut self.starts);
        for _ in 0..PLAYED {
            observe(&*self.env, &mut self.observation);
            let s = self.observation.clone();
            let (reward, terminal) = self.step();
            observe(&*self.env, &mut self.observation);
            played.push((s, self.action.clone(), reward, terminal, self.observation.clone()));
        }
        for (s, a, reward, terminal, next_s) in played.iter().cycle().take(REPLAY) {
            self.replay.push(s, a, *reward, *terminal, next_s);
        }
        if self.agent.fits_at(self.config.start_steps()) {
            let mut all = Drawn::default();
            self.replay.all(&mut all);
            self.agent.fit(&batch(&all).last(PLAYED))?;
        }
        // The first update takes what memory there is to take.
        self.run(Part::Update)
    }

    /// One step of the environment with a random action; returns reward and termination.
    fn step(&mut self) -> (f32, bool) {
        let limit = self.env.spec().action_limit;
        self.action.fill_with(|| self.actions.uniform_in(-limit, limit) as f32);
        let step = self.env.step(Action::F32(&self.action));
        if step.terminated || step.truncated {
            self.env.reset(&mut self.starts);
        }
        (step.reward as f32, step.terminated)
    }

    /// Does `part` once.
    ///
    /// # Errors
    /// If the agent's arithmetic fails.
    pub fn run(&mut self, part: Part) -> Result<()> {
        match part {
            Part::Update => {
                self.run(Part::Draw)?;
                self.agent.update(&batch(&self.drawn))?;
            }
            Part::Draw => self.replay.draw(self.config.replay.batch_size, &mut self.draws, &mut self.drawn),
            Part::Act => {
                self.agent.explore(self.config.start_steps(), &self.observation, &mut self.action)?;
            }
            Part::Environment => drop(self.step()),
        }
        Ok(())
    }
}

/// Trains `config` without end and without evaluations after the first, in `directory`; `watch` hears of progress
/// and may take its time.
///
/// # Errors
/// As [`train`].
pub fn train_on(config: &RunConfig, directory: &Path, mut watch: impl FnMut(Progress)) -> Result<()> {
    let mut config = config.clone();
    config.steps = u64::MAX;
    config.set_start_steps(1000);
    config.evaluation.every = u64::MAX;
    let tell = |news| {
        if let News::Progress(progress) = news {
            watch(progress);
        }
    };
    let place = Place { record: directory, checkpoints: None, needed: None, data: None };
    train(&config, &place, tell, |_| Order::GoOn).map(drop)
}
