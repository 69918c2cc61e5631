//! Everything that a run is between two steps.

use crate::clock::Clock;
use crate::data::{self, Data};
use crate::episodes::{execute, observe, play};
use crate::expert::{Candidate, serialise};
use crate::log::Log;
use crate::{Place, agent, provenance, scene};
use agents::{Agent, Batch};
use anyhow::{Result, bail, ensure};
use datasets::{Drawn, Replay};
use envs::Env;
use experiment::{Algorithm, DataUsage, Policy, Provenance, Row, RunConfig, Scene};
use state::Archive;
use std::time::Instant;
use streams::Stream;

pub(crate) struct Session<'a> {
    pub(crate) config: &'a RunConfig,
    /// What trains it, or trained it first, as `provenance.toml` has it.
    pub(crate) provenance: String,
    /// Environment steps taken.
    pub(crate) t: u64,
    pub(crate) updates: u64,
    env: Box<dyn Env>,
    starts: Stream,
    pub(crate) agent: Box<dyn Agent>,
    pub(crate) replay: Replay,
    /// The data set that it uses, if one.
    data: Option<Data>,
    draws: Stream,
    /// What the agent sees.
    s: Vec<f32>,
    episode_return: f64,
    /// Of an expert's run, the policy nearest to its goal.
    pub(crate) kept: Option<Candidate>,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    // What follows holds nothing from one step to the next.
    pub(crate) test_env: Box<dyn Env>,
    a: Vec<f32>,
    executed: Vec<f32>,
    next_s: Vec<f32>,
    drawn: Drawn,
    other_half: Drawn,
}

impl<'a> Session<'a> {
    /// The run before its first step.
    pub(crate) fn new(config: &'a RunConfig, place: &Place<'_>) -> Result<Self> {
        let clock = Clock::start();
        let mut env = envs::make(config.environment())?;
        let spec = env.spec().clone();
        let agent = agent::make(config, &spec, place.needed)?;
        let data = match (&config.data, place.data) {
            (Some(data), Some(file)) => Some(data::load(file, data, config, &spec)?),
            (Some(data), None) => bail!("a run that uses the data set {} was given none", data.set),
            (None, _) => None,
        };
        let steps = if config.is_offline() { 1 } else { usize::try_from(config.steps).unwrap_or(usize::MAX) };
        let dims = (spec.observation_dim, spec.action_dim);
        let drawn = match config.algorithm {
            Algorithm::Rebrac => Drawn::with_next_actions(),
            _ => Drawn::default(),
        };
        let seed = agent::stream_seed(config);
        let mut starts = Stream::new(seed, "env");
        let mut s = Vec::new();
        env.reset(&mut starts);
        observe(&*env, &mut s);
        Ok(Self {
            config,
            // Before the first step: by the end, the checkout and the program in it may have moved on.
            provenance: toml::to_string(&provenance(config, place)?)?,
            t: 0,
            updates: 0,
            env,
            starts,
            agent,
            replay: Replay::new(dims, config.replay.capacity.min(steps)),
            data,
            draws: Stream::new(seed, "replay"),
            s,
            episode_return: 0.0,
            kept: None,
            log: Log::new(config),
            clock,
            test_env: envs::make(config.environment())?,
            a: vec![0.0; spec.action_dim],
            executed: Vec::new(),
            next_s: Vec::new(),
            other_half: drawn.clone(),
            drawn,
        })
    }

    /// Saves or loads all but the replay buffer, which [`crate::keeper`] appends to a journal.
    pub(crate) fn state(&mut self, archive: &mut Archive) -> Result<()> {
        let now = self.provenance.clone();
        archive.item("provenance", &mut self.provenance)?;
        ensure_same_program(&now, &self.provenance)?;
        let mut config = self.config.to_toml();
        archive.item("config", &mut config)?;
        ensure!(config == self.config.to_toml(), "it is of another run");
        archive.item("t", &mut self.t)?;
        ensure!(self.t <= self.config.steps, "it is at step {} of {}", self.t, self.config.steps);
        archive.item("updates", &mut self.updates)?;
        archive.group("env", |archive| self.env.state(archive))?;
        archive.item("starts", &mut self.starts)?;
        archive.group("agent", |archive| self.agent.state(archive))?;
        archive.item("draws", &mut self.draws)?;
        archive.item("s", &mut self.s[..])?;
        archive.item("episode_return", &mut self.episode_return)?;
        archive.group("kept", |archive| Candidate::state(&mut self.kept, archive))?;
        archive.group("log", |archive| self.log.state(archive))?;
        archive.group("clock", |archive| self.clock.state(archive))
    }

    /// Evaluates the learned policy, and the guided one where it differs, from the same starts; says whether an
    /// expert's run has reached its goal.
    pub(crate) fn evaluate(&mut self) -> Result<bool> {
        let began = Instant::now();
        let (config, t) = (self.config, self.t);
        let (env, agent) = (&mut *self.test_env, &mut *self.agent);
        let starts = Stream::new(config.seed, "eval");
        let what = (config.evaluation.episodes, config.evaluation.measure);
        let learned = play(env, what, starts.clone(), |s, a| agent.act(s, a))?;
        let row =
            Row { step: t, policy: Policy::Learned, returns: learned.returns, lengths: learned.lengths };
        let mean = row.mean();
        self.log.write(&row);
        let dims = (env.spec().observation_dim, env.spec().action_dim);
        if agent.act_guided(t, &vec![0.0; dims.0], &mut vec![0.0; dims.1])? {
            let guided = play(env, what, starts, |s, a| agent.act_guided(t, s, a).map(drop))?;
            let (returns, lengths) = (guided.returns, guided.lengths);
            self.log.write(&Row { step: t, policy: Policy::Guided, returns, lengths });
        }
        self.clock.evaluation += began.elapsed();
        self.log.last_return = mean;
        let Some(goal) = &config.expert else { return Ok(false) };
        if self.kept.as_ref().is_none_or(|kept| kept.is_further_than(mean, goal)) {
            self.kept = Some(Candidate { step: t, mean, weights: self.agent.policy_weights()? });
        }
        Ok(mean >= goal.goal)
    }

    /// The agent's networks as a file for another run to start from.
    pub(crate) fn networks(&self) -> Result<Vec<u8>> {
        serialise(&self.agent.publish()?)
    }

    /// What its policy does in one state of the data that it learned from, if it is one from state and latent.
    pub(crate) fn scene(&self) -> Result<Option<Scene>> {
        let (Some(agent), Some(data), true) = (self.agent.one_step(), &self.data, self.config.is_offline())
        else {
            return Ok(None);
        };
        let candidates = self.config.drol.as_ref().map_or(0, |drol| drol.candidates);
        scene::scene(agent, &data.transitions, candidates, self.env.spec().action_limit)
    }

    /// One step: an update, of a run that learns from a data set alone; else a step of the environment, and its updates
    /// once those have begun.
    pub(crate) fn step(&mut self) -> Result<()> {
        if self.config.is_offline() {
            self.update()?;
        } else {
            self.interact()?;
        }
        self.t += 1;
        Ok(())
    }

    /// One update, from a batch of the data set, of the replay buffer, or of one half each.
    fn update(&mut self) -> Result<()> {
        let began = Instant::now();
        let size = self.config.replay.batch_size;
        match &self.data {
            Some(data) if self.config.is_offline() => {
                data.transitions.draw(size, &mut self.draws, &mut self.drawn);
            }
            Some(data) if self.config.data_usage() == Some(DataUsage::Half) => {
                data.transitions.draw(size / 2, &mut self.draws, &mut self.drawn);
                self.replay.draw(size - size / 2, &mut self.draws, &mut self.other_half);
                self.drawn.append(&self.other_half);
            }
            _ => self.replay.draw(size, &mut self.draws, &mut self.drawn),
        }
        let metrics = self.agent.update(&batch(&self.drawn))?;
        self.updates += 1;
        self.log.add(&metrics);
        self.clock.update += began.elapsed();
        Ok(())
    }

    fn interact(&mut self) -> Result<()> {
        let (config, t) = (self.config, self.t);
        self.agent.explore(t, &self.s, &mut self.a)?;
        ensure!(self.a.iter().all(|a| a.is_finite()), "the action at step {t} is {:?}", self.a);
        let step = execute(&mut *self.env, &self.a, &mut self.executed);
        observe(&*self.env, &mut self.next_s);
        ensure!(
            step.reward.is_finite() && self.next_s.iter().all(|x| x.is_finite()),
            "the simulator of {} gave a reward or observation that is not finite at step {t}",
            config.task
        );
        // As in the authors' code, an episode that reaches its limit does not count as ended, whatever else it did.
        let terminal = step.terminated && !step.truncated;
        let reward = step.reward as f32;
        let reward = self.data.as_ref().map_or(reward, |data| data.change.of(reward));
        // What was drawn, not what was executed: its value is what is asked for later.
        self.replay.push(&self.s, &self.a, reward, terminal, &self.next_s);
        std::mem::swap(&mut self.s, &mut self.next_s);
        self.episode_return += step.reward;

        if t >= config.start_steps() {
            let began = Instant::now();
            if self.agent.fits_at(t) {
                let mut all = Drawn::default();
                self.replay.all(&mut all);
                let metrics = self.agent.fit(&batch(&all))?;
                self.log.add(&metrics);
            }
            self.clock.update += began.elapsed();
            for _ in 0..config.replay.updates_per_step {
                self.update()?;
            }
        }
        if step.terminated || step.truncated {
            self.log.episodes.push(self.episode_return);
            self.episode_return = 0.0;
            self.env.reset(&mut self.starts);
            observe(&*self.env, &mut self.s);
        }
        Ok(())
    }
}

pub(crate) fn batch(drawn: &Drawn) -> Batch<'_> {
    Batch {
        observations: &drawn.observations,
        actions: &drawn.actions,
        rewards: &drawn.rewards,
        next_observations: &drawn.next_observations,
        not_terminal: &drawn.not_terminal,
        next_actions: drawn.next_actions.as_deref().unwrap_or_default(),
    }
}

/// A run's bytes are those of one program, one simulator and one expert, so no other may take it up.
fn ensure_same_program(now: &str, then: &str) -> Result<()> {
    let (now, then): (Provenance, Provenance) = (toml::from_str(now)?, toml::from_str(then)?);
    for (what, now, then) in [
        ("program", Some(now.binary_sha256), Some(then.binary_sha256)),
        ("simulator", Some(now.mujoco_sha256), Some(then.mujoco_sha256)),
        ("expert", now.expert_sha256, then.expert_sha256),
        ("run to start from", now.networks_sha256, then.networks_sha256),
        ("data set", now.data_sha256, then.data_sha256),
    ] {
        if now != then {
            let short =
                |sha: Option<String>| sha.map_or("none".to_owned(), |sha| sha.chars().take(12).collect());
            bail!("it was made with another {what} ({} instead of {})", short(then), short(now));
        }
    }
    Ok(())
}
