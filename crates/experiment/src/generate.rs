//! `[[generate]]`: how a stand-in for a data set is made where the published one cannot be had.

use crate::{Algorithm, Experiment, RunConfig, RunId, Settings};
use diagnostics::BadInput;
use serde::{Deserialize, Serialize};

/// What the names of stand-ins begin with, so that none is taken for what is published.
pub const STAND_IN: &str = "gen/";

/// A stand-in: what an agent does that was trained in the environment itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// The data set's id: `gen/…`, with the version last. What is made otherwise needs another version.
    pub id: String,
    /// The environment's id.
    pub environment: String,
    /// What is recorded.
    pub rows: Rows,
    /// The environment steps that the agent is trained for; none where it is an arm's.
    #[serde(default)]
    pub steps: u64,
    /// The seed of all random streams.
    #[serde(default)]
    pub seed: u64,
    /// What differs from the protocol's settings.
    #[serde(default)]
    pub set: toml::Table,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The data set's id.
    pub id: String,
    /// What is recorded.
    pub rows: Rows,
    /// The run that trains the agent.
    pub behaviour: RunConfig,
}

impl Recipe {
    /// What tells it from every other.
    #[must_use]
    pub fn digest(&self) -> RunId {
        RunId::of(&toml::to_string(self).expect("a recipe is a table"))
    }

    /// Its file's name.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.hdf5", self.id)
    }
}

impl Experiment {
    /// How `set` is made, if it is a stand-in.
    ///
    /// # Errors
    /// [`BadInput`] if it should be one and the protocol does not say how it is made, or its settings have no meaning.
    pub fn recipe(&self, set: &str) -> Result<Option<Recipe>, BadInput> {
        let Some(name) = set.strip_prefix(STAND_IN) else { return Ok(None) };
        let known = &self.protocol.generate;
        let Some(generate) = known.iter().find(|generate| generate.id == set) else {
            let kind = format!("stand-in in experiments/{}/protocol.toml:", self.paper);
            return Err(BadInput::unknown(&kind, set, known.iter().map(|generate| generate.id.as_str())));
        };
        let bad = |what: String| {
            BadInput::new(format!("experiments/{}/protocol.toml: stand-in `{set}`: {what}", self.paper))
        };
        crate::check_name(&format!("experiments/{}/protocol.toml: stand-in", self.paper), name)?;
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
        Ok(Some(Recipe { id: set.to_owned(), rows: generate.rows, behaviour }))
    }
}
