//! `[[generate]]`, `[[collect]]` and `[[join]]`: how a stand-in for a data set is made where the published one cannot be had.

use crate::{Algorithm, Experiment, Plan, RunConfig, RunId, Selection, Settings};
use diagnostics::BadInput;
use serde::{Deserialize, Serialize};

/// What the names of stand-ins begin with, so that none is taken for what is published.
pub const STAND_IN: &str = "gen/";

/// A stand-in: what an agent of SAC does that was trained in the environment itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// The data set's id: `gen/…`, with the version last. What is made otherwise needs another version.
    pub id: String,
    /// The environment's id.
    pub environment: String,
    /// What is recorded.
    pub rows: Rows,
    /// The environment steps that the agent is trained for.
    pub steps: u64,
    /// The seed of all random streams.
    #[serde(default)]
    pub seed: u64,
    /// What differs from the protocol's settings.
    #[serde(default)]
    pub set: toml::Table,
}

/// A stand-in: episodes by the script that the published data set was collected by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// As [`Generate::id`].
    pub id: String,
    /// The id of the published set whose script it is.
    pub script: String,
    /// How many episodes.
    pub episodes: usize,
    /// The seed of all random streams.
    #[serde(default)]
    pub seed: u64,
    /// The profile whose only run leaves the networks that act, where the script asks for some.
    #[serde(default)]
    pub walker: Option<String>,
}

/// A stand-in: the rows of others, one after the other, as D4RL's medium-expert sets are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// As [`Generate::id`].
    pub id: String,
    /// The ids of the others, which agents make.
    pub of: Vec<String>,
}

/// Which of an agent's steps a data set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rows {
    /// All of its training, as the replay buffer has it at the end (D4RL's `medium-replay`; `random` where updates begin
    /// after the last step).
    Replay,
    /// So many that it takes when it is trained, exploring (D4RL's `medium` and `expert`).
    Trained(usize),
}

/// A stand-in, resolved: everything that decides its bytes but the program.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Recipe {
    /// What an agent does.
    Behaviour(Behaviour),
    /// What a script does.
    Collection(Collection),
    /// What others hold.
    Joined(Joined),
}

/// A stand-in that is what an agent does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The data set's id.
    pub id: String,
    /// What is recorded.
    pub rows: Rows,
    /// The run that trains the agent.
    pub behaviour: RunConfig,
}

/// A stand-in that is what a script does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Collection {
    /// The data set's id.
    pub id: String,
    /// The id of the published set whose script it is.
    pub script: String,
    /// How many episodes.
    pub episodes: usize,
    /// The seed of all random streams.
    pub seed: u64,
    /// The run whose networks act, if any do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walker: Option<RunConfig>,
    /// The profile whose run that is: a way to it, and no part of what it is.
    #[serde(skip)]
    pub profile: Option<String>,
}

/// A stand-in that is what others hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Joined {
    /// The data set's id.
    pub id: String,
    /// The others.
    pub of: Vec<Behaviour>,
}

impl Recipe {
    /// The data set's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Behaviour(behaviour) => &behaviour.id,
            Self::Collection(collection) => &collection.id,
            Self::Joined(joined) => &joined.id,
        }
    }

    /// What its rows are of: the published set whose script it is, or the agent's environment.
    pub(crate) fn source(&self) -> &str {
        match self {
            Self::Behaviour(behaviour) => behaviour.behaviour.environment(),
            Self::Collection(collection) => &collection.script,
            // All are of one environment.
            Self::Joined(joined) => joined.of[0].behaviour.environment(),
        }
    }

    /// What tells it from every other.
    #[must_use]
    pub fn digest(&self) -> RunId {
        RunId::of(&toml::to_string(self).expect("a recipe is a table"))
    }
}

impl Experiment {
    /// The ids of all stand-ins that the protocol describes.
    pub fn stand_ins(&self) -> impl Iterator<Item = &str> {
        let of_agents = self.protocol.generate.iter().map(|generate| generate.id.as_str());
        let by_script = self.protocol.collect.iter().map(|collect| collect.id.as_str());
        of_agents.chain(by_script).chain(self.protocol.join.iter().map(|join| join.id.as_str()))
    }

    /// How `set` is made, if it is a stand-in.
    ///
    /// # Errors
    /// [`BadInput`] if it should be one and the protocol does not say how it is made, or what it says has no meaning.
    pub fn recipe(&self, set: &str) -> Result<Option<Recipe>, BadInput> {
        let Some(name) = set.strip_prefix(STAND_IN) else { return Ok(None) };
        crate::check_name(&format!("experiments/{}/protocol.toml: stand-in", self.paper), name)?;
        let generate = self.protocol.generate.iter().find(|generate| generate.id == set);
        let collect = self.protocol.collect.iter().find(|collect| collect.id == set);
        let join = self.protocol.join.iter().find(|join| join.id == set);
        if let Some(generate) = generate {
            return Ok(Some(Recipe::Behaviour(self.behaviour(generate, name)?)));
        }
        if let Some(collect) = collect {
            return Ok(Some(Recipe::Collection(self.collection(collect)?)));
        }
        if let Some(join) = join {
            return Ok(Some(Recipe::Joined(self.joined(join)?)));
        }
        let kind = format!("stand-in in experiments/{}/protocol.toml:", self.paper);
        Err(BadInput::unknown(&kind, set, self.stand_ins()))
    }

    fn joined(&self, join: &Join) -> Result<Joined, BadInput> {
        if join.of.len() < 2 {
            return Err(self.bad_stand_in(&join.id, "expected at least two others to join"));
        }
        let of = |id: &String| {
            let made = self.protocol.generate.iter().find(|generate| generate.id == *id);
            let (Some(made), Some(name)) = (made, id.strip_prefix(STAND_IN)) else {
                let known = self.protocol.generate.iter().map(|generate| generate.id.as_str());
                return Err(self.bad_stand_in(&join.id, BadInput::unknown("agent's stand-in", id, known)));
            };
            self.behaviour(made, name)
        };
        let of = join.of.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if of.iter().any(|other| other.behaviour.environment() != of[0].behaviour.environment()) {
            return Err(self.bad_stand_in(&join.id, "what it joins is of different environments"));
        }
        Ok(Joined { id: join.id.clone(), of })
    }

    fn bad_stand_in(&self, set: &str, what: impl std::fmt::Display) -> BadInput {
        BadInput::new(format!("experiments/{}/protocol.toml: stand-in `{set}`: {what}", self.paper))
    }

    fn collection(&self, collect: &Collect) -> Result<Collection, BadInput> {
        let Collect { id, script, episodes, seed, walker } = collect;
        if *episodes == 0 {
            return Err(self.bad_stand_in(id, "no episodes: expected at least one"));
        }
        let run = walker.as_ref().map(|profile| self.walker(profile)).transpose();
        let run = run.map_err(|error| self.bad_stand_in(id, format!("`walker`: {error}")))?;
        let (id, script, profile) = (id.clone(), script.clone(), walker.clone());
        Ok(Collection { id, script, episodes: *episodes, seed: *seed, walker: run, profile })
    }

    /// The only run of `profile`, which learns by itself and leaves its networks.
    fn walker(&self, profile: &str) -> Result<RunConfig, BadInput> {
        let bad = || {
            BadInput::new(format!(
                "profile `{profile}` is not of one run that learns from no data and leaves its networks"
            ))
        };
        let profile = self.profile(profile)?;
        if self.arms(profile).any(|arm| arm.data.is_some() || arm.after.is_some()) {
            return Err(bad());
        }
        let mut cells = Plan::new(self, profile, &Selection::default())?.cells;
        match (cells.pop(), cells.is_empty()) {
            (Some(cell), true) if cell.config.leaves_networks => Ok(cell.config),
            _ => Err(bad()),
        }
    }

    fn behaviour(&self, generate: &Generate, name: &str) -> Result<Behaviour, BadInput> {
        let bad = |what: String| self.bad_stand_in(&generate.id, what);
        let settings = Settings::of(&self.protocol)
            .with(&generate.set)
            .map_err(|error| bad(format!("`set`: {error}")))?
            .only(Algorithm::Sac);
        settings.check().map_err(bad)?;
        if let Some(table) = settings.missing(Algorithm::Sac) {
            return Err(bad(format!("SAC makes it, which takes its settings from `[{table}]`: add it")));
        }
        if generate.rows == Rows::Trained(0) {
            return Err(bad("no rows: expected at least one".to_owned()));
        }
        let every = settings.evaluation.every;
        if generate.steps == 0 || !generate.steps.is_multiple_of(every) {
            return Err(bad(format!(
                "{} steps are not a whole number of evaluation intervals of {every} steps",
                generate.steps
            )));
        }
        let steps = usize::try_from(generate.steps).unwrap_or(usize::MAX);
        if settings.replay.capacity < steps {
            return Err(bad(format!(
                "the replay buffer holds {} of {steps} steps: raise `replay.capacity`",
                settings.replay.capacity
            )));
        }
        let behaviour = RunConfig {
            arm: "behaviour".to_owned(),
            seed: generate.seed,
            steps: generate.steps,
            algorithm: Algorithm::Sac,
            ..crate::plan::base(self, (name, Some(&generate.environment)), settings)
        };
        Ok(Behaviour { id: generate.id.clone(), rows: generate.rows, behaviour })
    }
}
