//! What a run is set to, and where a task, a profile or an arm departs from it.

use crate::offline::{DrolSettings, FqlSettings, IqlSettings, OfflineSettings, PexSettings, RebracSettings};
use crate::{Algorithm, Evaluation, MpdpSettings, Protocol, ReplaySettings, SacSettings, Td3Settings};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// The settings of a run that tasks, profiles and arms may depart from, by the tables of the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// TD3's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub td3: Option<Td3Settings>,
    /// SAC's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sac: Option<SacSettings>,
    /// MPDP's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mpdp: Option<MpdpSettings>,
    /// IQL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iql: Option<IqlSettings>,
    /// PEX's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pex: Option<PexSettings>,
    /// FQL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fql: Option<FqlSettings>,
    /// ReBRAC's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebrac: Option<RebracSettings>,
    /// DROL's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drol: Option<DrolSettings>,
    /// How long arms that learn from a data set alone learn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineSettings>,
    /// The replay buffer's.
    pub replay: ReplaySettings,
    /// When and how the policy is evaluated.
    pub evaluation: Evaluation,
}

impl Settings {
    pub(crate) fn of(protocol: &Protocol) -> Self {
        Self {
            td3: protocol.td3.clone(),
            sac: protocol.sac.clone(),
            mpdp: protocol.mpdp.clone(),
            iql: protocol.iql.clone(),
            pex: protocol.pex.clone(),
            fql: protocol.fql.clone(),
            rebrac: protocol.rebrac.clone(),
            drol: protocol.drol.clone(),
            offline: protocol.offline.clone(),
            replay: protocol.replay.clone(),
            evaluation: protocol.evaluation.clone(),
        }
    }

    /// These settings with `departures` in place of what they name.
    pub(crate) fn with(&self, departures: &Table) -> Result<Self, String> {
        if departures.is_empty() {
            return Ok(self.clone());
        }
        let mut all = Table::try_from(self).map_err(|error| error.to_string())?;
        replace(&mut all, departures);
        all.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// The first table that `algorithm` needs and that is not there.
    pub(crate) fn missing(&self, algorithm: Algorithm) -> Option<&'static str> {
        let is_there = |table: &&str| match *table {
            "td3" => self.td3.is_some(),
            "mpdp" => self.mpdp.is_some(),
            "iql" => self.iql.is_some(),
            "pex" => self.pex.is_some(),
            "fql" => self.fql.is_some(),
            "rebrac" => self.rebrac.is_some(),
            "drol" => self.drol.is_some(),
            _ => self.sac.is_some(),
        };
        algorithm.tables().iter().copied().find(|table| !is_there(table))
    }

    /// Without the tables of other algorithms than `algorithm`.
    pub(crate) fn only(self, algorithm: Algorithm) -> Self {
        let takes = |table| algorithm.tables().contains(&table);
        Self {
            td3: self.td3.filter(|_| takes("td3")),
            sac: self.sac.filter(|_| takes("sac")),
            mpdp: self.mpdp.filter(|_| takes("mpdp")),
            iql: self.iql.filter(|_| takes("iql")),
            pex: self.pex.filter(|_| takes("pex")),
            fql: self.fql.filter(|_| takes("fql")),
            rebrac: self.rebrac.filter(|_| takes("rebrac")),
            drol: self.drol.filter(|_| takes("drol")),
            ..self
        }
    }

    /// Says which setting has no meaning, if one has none.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(td3) = &self.td3 {
            within("td3.discount", td3.discount, 0.0, 1.0)?;
            within("td3.polyak", td3.polyak, 0.0, 1.0)?;
            within("td3.learning_rate", td3.learning_rate, 0.0, 1.0)?;
            within("td3.exploration_noise", td3.exploration_noise, 0.0, 10.0)?;
            within("td3.target_policy_noise", td3.target_policy_noise, 0.0, 10.0)?;
            within("td3.target_noise_clip", td3.target_noise_clip, 0.0, 10.0)?;
            count("td3.policy_delay", td3.policy_delay, u64::MAX)?;
            count("td3.start_steps", td3.start_steps, u64::MAX)?;
            layers("td3.hidden", &td3.hidden)?;
        }
        if let Some(sac) = &self.sac {
            within("sac.discount", sac.discount, 0.0, 1.0)?;
            within("sac.polyak", sac.polyak, 0.0, 1.0)?;
            within("sac.learning_rate", sac.learning_rate, 0.0, 1.0)?;
            within("sac.temperature", sac.temperature, 1e-6, 1e6)?;
            within("sac.target_entropy", sac.target_entropy.unwrap_or(-1.0), -100.0, 100.0)?;
            count("sac.start_steps", sac.start_steps, u64::MAX)?;
            layers("sac.hidden", &sac.hidden)?;
        }
        if let Some(iql) = &self.iql {
            within("iql.discount", iql.discount, 0.0, 1.0)?;
            within("iql.polyak", iql.polyak, 0.0, 1.0)?;
            within("iql.learning_rate", iql.learning_rate, 0.0, 1.0)?;
            within("iql.expectile", iql.expectile, 0.0, 1.0)?;
            within("iql.beta", iql.beta, 0.0, 1e6)?;
            within("iql.weight_limit", iql.weight_limit, 0.0, 1e9)?;
            within("iql.dropout", iql.dropout, 0.0, 0.99)?;
            count("iql.start_steps", iql.start_steps, u64::MAX)?;
            layers("iql.hidden", &iql.hidden)?;
        }
        if let Some(pex) = &self.pex {
            within("pex.inverse_temperature", pex.inverse_temperature, 0.0, 1e9)?;
            within("pex.evaluation_epsilon", pex.evaluation_epsilon, 0.0, 1.0)?;
        }
        if let Some(fql) = &self.fql {
            within("fql.discount", fql.discount, 0.0, 1.0)?;
            within("fql.polyak", fql.polyak, 0.0, 1.0)?;
            within("fql.learning_rate", fql.learning_rate, 0.0, 1.0)?;
            within("fql.alpha", fql.alpha, 0.0, 1e9)?;
            count("fql.flow_steps", fql.flow_steps as u64, 65_536)?;
            layers("fql.hidden", &fql.hidden)?;
        }
        if let Some(rebrac) = &self.rebrac {
            within("rebrac.discount", rebrac.discount, 0.0, 1.0)?;
            within("rebrac.polyak", rebrac.polyak, 0.0, 1.0)?;
            within("rebrac.learning_rate", rebrac.learning_rate, 0.0, 1.0)?;
            within("rebrac.alpha_actor", rebrac.alpha_actor, 0.0, 1e9)?;
            within("rebrac.alpha_critic", rebrac.alpha_critic, 0.0, 1e9)?;
            within("rebrac.target_policy_noise", rebrac.target_policy_noise, 0.0, 10.0)?;
            within("rebrac.target_noise_clip", rebrac.target_noise_clip, 0.0, 10.0)?;
            count("rebrac.policy_delay", rebrac.policy_delay, u64::MAX)?;
            layers("rebrac.hidden", &rebrac.hidden)?;
        }
        if let Some(drol) = &self.drol {
            within("drol.discount", drol.discount, 0.0, 1.0)?;
            within("drol.polyak", drol.polyak, 0.0, 1.0)?;
            within("drol.learning_rate", drol.learning_rate, 0.0, 1.0)?;
            within("drol.bc_coef", drol.bc_coef, 0.0, 1e9)?;
            count("drol.candidates", drol.candidates as u64, 65_536)?;
            layers("drol.hidden", &drol.hidden)?;
        }
        if let Some(offline) = &self.offline {
            count("offline.steps", offline.steps, u64::MAX)?;
            count("offline.every", offline.every, u64::MAX)?;
            if !offline.steps.is_multiple_of(offline.every) {
                return Err(format!(
                    "`offline.steps` is {}, and must be a whole number of `offline.every`, {}",
                    offline.steps, offline.every
                ));
            }
        }
        self.mpdp.as_ref().map_or(Ok(()), check_mpdp)?;
        count("replay.capacity", self.replay.capacity as u64, 1_000_000_000)?;
        count("replay.batch_size", self.replay.batch_size as u64, 1_000_000)?;
        count("replay.updates_per_step", self.replay.updates_per_step, u64::MAX)?;
        count("evaluation.episodes", self.evaluation.episodes as u64, 10_000)
    }
}

fn check_mpdp(mpdp: &MpdpSettings) -> Result<(), String> {
    let model = &mpdp.model;
    count("mpdp.horizon", mpdp.horizon, 10_000)?;
    within("mpdp.penalty", mpdp.penalty, 0.0, 1e6)?;
    within("mpdp.error_threshold", mpdp.error_threshold, -1e9, 1e9)?;
    within("mpdp.range_margin", mpdp.range_margin, 0.0, 1e9)?;
    within("mpdp.longest_gradient", mpdp.longest_gradient.unwrap_or(1.0), 1e-9, 1e9)?;
    count("mpdp.fit_every", mpdp.fit_every, u64::MAX)?;
    if model.members < 2 {
        return Err(format!(
            "`mpdp.model.members` is {}, and must be at least 2: a model's error is how much its members disagree",
            model.members
        ));
    }
    if model.elites == 0 || model.elites > model.members {
        return Err(format!(
            "`mpdp.model.elites` is {}, and must lie within 1 and the number of members, {}",
            model.elites, model.members
        ));
    }
    layers("mpdp.model.hidden", &model.hidden)?;
    within("mpdp.model.learning_rate", model.learning_rate, 0.0, 1.0)?;
    if model.weight_decay.len() != model.hidden.len() + 1 {
        return Err(format!(
            "`mpdp.model.weight_decay` has {} numbers, and must have one a layer: {}",
            model.weight_decay.len(),
            model.hidden.len() + 1
        ));
    }
    for decay in &model.weight_decay {
        within("mpdp.model.weight_decay", *decay, 0.0, 1e6)?;
    }
    count("mpdp.model.batch_size", model.batch_size as u64, u64::MAX)?;
    within("mpdp.model.holdout", model.holdout, 0.0, 0.9)?;
    count("mpdp.model.most_held_out", model.most_held_out as u64, u64::MAX)?;
    count("mpdp.model.epochs", model.epochs, u64::MAX)?;
    let [low, high] = model.log_variance;
    within("mpdp.model.log_variance", high, -60.0, 60.0)?;
    within("mpdp.model.log_variance", low, -60.0, high)
}

/// Puts every value of `departures` in place of the one of its name in `all`, table by table.
fn replace(all: &mut Table, departures: &Table) {
    for (name, value) in departures {
        match (all.get_mut(name), value) {
            (Some(Value::Table(all)), Value::Table(departures)) => replace(all, departures),
            _ => drop(all.insert(name.clone(), value.clone())),
        }
    }
}

/// That `value` lies within `low` and `high`.
pub(crate) fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(format!("`{name}` is {value}, and must lie within {low} and {high}"))
    }
}

/// That `value` is from 1 to `most`: what no machine holds is refused here, where it can be told, and not by the machine.
pub(crate) fn count(name: &str, value: u64, most: u64) -> Result<(), String> {
    match value {
        0 => Err(format!("`{name}` must be at least 1")),
        value if value > most => Err(format!("`{name}` is {value}, and must be at most {most}")),
        _ => Ok(()),
    }
}

/// That hidden layers have from 1 to 65,536 units.
pub(crate) fn layers(name: &str, hidden: &[usize]) -> Result<(), String> {
    count(name, hidden.iter().min().map_or(0, |&width| width as u64), u64::MAX)?;
    count(name, hidden.iter().max().map_or(0, |&width| width as u64), 65_536)
}
