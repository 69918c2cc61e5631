//! TD3-DAI: Cao 2025, "Dynamic Action Interpolation" (arXiv 2504.18766), with TD3 inside.
//!
//! The executed action is (1 − α(t)) · expert + α(t) · TD3's; nothing else of TD3 changes, so this file holds the
//! blend and its schedule and nothing more. What the paper's public text leaves open, and what we chose, is in
//! `experiments/dai/notes.md`.

use crate::{Actor, Agent, Batch, Metrics, Td3, Weights};
use anyhow::Result;
use state::Archive;
use streams::Stream;

/// How α runs from its start to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleShape {
    /// In proportion to t.
    Linear,
    /// (1 − cos(π·t/length)) / 2: slow at both ends.
    Cosine,
    /// The start value until `length`, then 1: expert first, then TD3.
    Step,
    /// The start value throughout.
    Constant,
}

/// α(t), the learner's share of the executed action at environment step t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The shape between t = 0 and t = `length`.
    pub shape: ScheduleShape,
    /// α(0), in `[0, 1]`.
    pub start: f64,
    /// From this step on α = 1 (but for [`ScheduleShape::Constant`]).
    pub length: u64,
}

impl Schedule {
    /// α(t).
    #[must_use]
    pub fn alpha(&self, t: u64) -> f64 {
        let progress = if t >= self.length { 1.0 } else { t as f64 / self.length as f64 };
        let risen = match self.shape {
            ScheduleShape::Linear => progress,
            ScheduleShape::Cosine if progress < 1.0 => {
                (1.0 - libm::cos(std::f64::consts::PI * progress)) / 2.0
            }
            ScheduleShape::Cosine => 1.0,
            ScheduleShape::Step => f64::from(u8::from(t >= self.length)),
            ScheduleShape::Constant => 0.0,
        };
        self.start + (1.0 - self.start) * risen
    }
}

/// How expert and learner share the executed action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixing {
    /// (1 − α) · expert + α · learner: the paper's.
    Interpolate,
    /// One of them whole, the learner with probability α: a control, with the expert's data and without interpolation.
    Choose,
}

/// What of DAI the paper's public text leaves open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DaiConfig {
    /// α(t).
    pub schedule: Schedule,
    /// How α shares the action.
    pub mixing: Mixing,
    /// Whether exploration noise is added to the blended action instead of to the learner's: to all but one that is
    /// random by itself.
    pub noise_after_blend: bool,
    /// Whether the learner's share of the first actions is uniform random, as TD3's is.
    pub random_start: bool,
}

/// TD3 whose executed actions are blended with those of a frozen expert.
pub struct Dai {
    td3: Td3,
    expert: Actor,
    config: DaiConfig,
    /// Who acts, under [`Mixing::Choose`].
    choices: Stream,
    expert_action: Vec<f32>,
}

impl Dai {
    /// `td3`, guided by `expert` as `config` says.
    #[must_use]
    pub fn new(td3: Td3, expert: Actor, config: DaiConfig, seed: u64) -> Self {
        Self {
            td3,
            expert,
            config,
            choices: Stream::new(seed, "expert-or-learner"),
            expert_action: Vec::new(),
        }
    }

    /// `action ← (1 − α) · expert(s) + α · action`, or one of them. Returns the learner's share. At α = 1 the expert is
    /// not asked and `action` stays as it is.
    fn blend(&mut self, alpha: f64, observation: &[f32], action: &mut [f32]) -> Result<f64> {
        if alpha >= 1.0 {
            return Ok(1.0);
        }
        self.expert_action.resize(action.len(), 0.0);
        self.expert.act(observation, &mut self.expert_action)?;
        let share = match self.config.mixing {
            Mixing::Interpolate => alpha,
            Mixing::Choose => f64::from(u8::from(self.choices.uniform() < alpha)),
        };
        for (a, expert) in action.iter_mut().zip(&self.expert_action) {
            *a = ((1.0 - share) * f64::from(*expert) + share * f64::from(*a)) as f32;
        }
        Ok(share)
    }
}

impl Agent for Dai {
    fn act(&mut self, observation: &[f32], action: &mut [f32]) -> Result<()> {
        self.td3.act(observation, action)
    }

    fn explore(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<()> {
        let random = self.config.random_start && self.td3.starts_at(t);
        if random {
            self.td3.random_action(action);
        } else {
            self.td3.act(observation, action)?;
        }
        if !random && !self.config.noise_after_blend {
            self.td3.add_noise(action);
        }
        let share = self.blend(self.config.schedule.alpha(t), observation, action)?;
        if self.config.noise_after_blend && !(random && share >= 1.0) {
            self.td3.add_noise(action);
        }
        Ok(())
    }

    fn act_guided(&mut self, t: u64, observation: &[f32], action: &mut [f32]) -> Result<bool> {
        let alpha = self.config.schedule.alpha(t);
        // A policy that is chosen at random at each step has no action of its own to show.
        if alpha >= 1.0 || self.config.mixing == Mixing::Choose {
            return Ok(false);
        }
        self.td3.act(observation, action)?;
        self.blend(alpha, observation, action)?;
        Ok(true)
    }

    fn update(&mut self, batch: &Batch<'_>) -> Result<Metrics> {
        self.td3.update(batch)
    }

    fn policy_weights(&self) -> Result<Weights> {
        self.td3.policy_weights()
    }

    fn state(&mut self, archive: &mut Archive) -> Result<()> {
        // The expert is frozen, and α is a function of t.
        self.td3.state(archive)?;
        archive.item("expert_or_learner", &mut self.choices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Td3Config;
    use candle_core::Device;

    const LIMIT: f64 = 0.4;

    fn td3(seed: u64) -> Td3 {
        let config = Td3Config {
            hidden: vec![16, 16],
            learning_rate: 3e-4,
            discount: 0.99,
            polyak: 0.005,
            exploration_noise: 0.1,
            target_policy_noise: 0.2,
            target_noise_clip: 0.5,
            policy_delay: 2,
            start_steps: 20,
        };
        Td3::new(config, (3, 2), LIMIT, seed, &Device::Cpu).unwrap()
    }

    fn dai(shape: ScheduleShape, start: f64, noise_after_blend: bool) -> Dai {
        let expert =
            Actor::from_weights(&td3(9).policy_weights().unwrap(), (3, 2), LIMIT, &Device::Cpu).unwrap();
        let schedule = Schedule { shape, start, length: 30 };
        let mixing = Mixing::Interpolate;
        Dai::new(td3(1), expert, DaiConfig { schedule, mixing, noise_after_blend, random_start: true }, 1)
    }

    fn observation(t: u64) -> [f32; 3] {
        [0.1 * t as f32, -1.0, (t % 7) as f32]
    }

    fn actions(agent: &mut dyn Agent) -> Vec<[f32; 2]> {
        let mut action = [0.0; 2];
        let mut explore = |t| agent.explore(t, &observation(t), &mut action).map(|()| action);
        (0..60).map(|t| explore(t).unwrap()).collect()
    }

    #[test]
    fn alpha_one_is_td3_bit_for_bit() {
        let expected = actions(&mut td3(1));
        for noise_after_blend in [false, true] {
            assert_eq!(actions(&mut dai(ScheduleShape::Constant, 1.0, noise_after_blend)), expected);
        }
    }

    #[test]
    fn alpha_zero_is_the_expert() {
        let mut expert = td3(9);
        let mut action = [0.0; 2];
        for (t, found) in actions(&mut dai(ScheduleShape::Constant, 0.0, false)).iter().enumerate() {
            expert.act(&observation(t as u64), &mut action).unwrap();
            assert_eq!(*found, action);
        }
    }

    #[test]
    fn the_fractional_limit_holds_and_the_end_is_td3() {
        for noise_after_blend in [false, true] {
            let found = actions(&mut dai(ScheduleShape::Linear, 0.0, noise_after_blend));
            assert!(found.iter().flatten().all(|a| a.abs() <= LIMIT as f32), "{found:?}");
            assert!(found.iter().flatten().any(|a| *a != 0.0), "the limit was cut to a whole number");
        }
        // From t = length on, nothing of the expert is left.
        assert_eq!(actions(&mut dai(ScheduleShape::Linear, 0.0, false))[30..], actions(&mut td3(1))[30..]);
    }

    #[test]
    fn a_chosen_action_is_the_experts_or_the_learners_and_the_learners_with_probability_alpha() {
        let mut mixed = dai(ScheduleShape::Constant, 0.3, false);
        mixed.config.mixing = Mixing::Choose;
        let (mut learner, mut expert) = (td3(1), td3(9));
        let (mut found, mut of_learner, mut of_expert) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        let mut learners = 0;
        for t in 0..4000 {
            mixed.explore(t, &observation(t), &mut found).unwrap();
            learner.explore(t, &observation(t), &mut of_learner).unwrap();
            expert.act(&observation(t), &mut of_expert).unwrap();
            assert!(found == of_learner || found == of_expert, "step {t}");
            learners += usize::from(found == of_learner);
        }
        // Binomial: 1200 expected, with a standard deviation of 29.
        assert!((1084..=1316).contains(&learners), "{learners}");
        assert!(!mixed.act_guided(0, &observation(0), &mut found).unwrap());
    }

    #[test]
    fn noise_after_the_blend_is_on_every_action_but_the_random_ones() {
        let mut action = [0.0; 2];
        for mixing in [Mixing::Choose, Mixing::Interpolate] {
            let (mut noisy, mut plain) = [true, false]
                .map(|noise_after_blend| {
                    let mut dai = dai(ScheduleShape::Constant, 0.5, noise_after_blend);
                    dai.config.mixing = mixing;
                    dai
                })
                .into();
            let (mut random, mut untouched) = (td3(1), 0);
            // All of these are within the random start.
            for t in 0..20 {
                let agents: [&mut dyn Agent; 3] = [&mut noisy, &mut plain, &mut random];
                let [noisy, plain, random] = agents.map(|agent| {
                    agent.explore(t, &observation(t), &mut action).unwrap();
                    action
                });
                assert_eq!(noisy == plain, mixing == Mixing::Choose && plain == random, "step {t}");
                untouched += usize::from(noisy == plain);
            }
            assert_eq!(untouched > 0, mixing == Mixing::Choose);
        }
    }

    #[test]
    fn without_random_first_actions_the_expert_acts_alone_then_the_learner() {
        let mut first = dai(ScheduleShape::Step, 0.0, true);
        first.config.random_start = false;
        let (mut expert, mut learner) = (td3(9), td3(1));
        let (mut found, mut expected) = ([0.0; 2], [0.0; 2]);
        for t in 0..60 {
            first.explore(t, &observation(t), &mut found).unwrap();
            let acts = if t < 30 { &mut expert } else { &mut learner };
            acts.act(&observation(t), &mut expected).unwrap();
            learner.add_noise(&mut expected);
            assert_eq!(found, expected, "step {t}");
        }
    }

    #[test]
    fn schedules_rise_to_one() {
        for (shape, middle) in [
            (ScheduleShape::Linear, 0.6),
            (ScheduleShape::Cosine, 0.6),
            (ScheduleShape::Step, 0.2),
            (ScheduleShape::Constant, 0.2),
        ] {
            let schedule = Schedule { shape, start: 0.2, length: 100 };
            let alpha: Vec<f64> = (0..150).map(|t| schedule.alpha(t)).collect();
            assert!(alpha.is_sorted() && alpha[0] == 0.2, "{shape:?}");
            assert!((alpha[50] - middle).abs() < 1e-12, "{shape:?}: {}", alpha[50]);
            let end = if shape == ScheduleShape::Constant { 0.2 } else { 1.0 };
            assert!(alpha[100..].iter().all(|a| *a == end), "{shape:?}");
        }
    }

    #[test]
    fn the_guided_policy_is_the_blend_without_noise_until_alpha_is_one() {
        let mut agent = dai(ScheduleShape::Step, 0.0, false);
        let (mut guided, mut expert) = ([0.0; 2], [0.0; 2]);
        assert!(agent.act_guided(10, &observation(10), &mut guided).unwrap());
        td3(9).act(&observation(10), &mut expert).unwrap();
        assert_eq!(guided, expert);
        assert!(!agent.act_guided(30, &observation(30), &mut guided).unwrap());
    }
}
