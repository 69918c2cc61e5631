//! Whether an experiment's files fit each other: what a schema cannot say.

use crate::generate::STAND_IN;
use crate::protocol::{Profile, Protocol, Sweep, Task};
use crate::settings::{count, within};
use crate::{
    Algorithm, DataUsage, EPISODE_COLUMNS, Experiment, Plan, Reference, Selection, Settings, check_name,
};
use anyhow::Result;
use diagnostics::BadInput;
use std::collections::BTreeSet;
use std::path::Path;
use toml::Spanned;

/// What a claim calls the expert of a task.
const EXPERT: &str = "expert";

impl Experiment {
    pub(crate) fn check(&self, root: &Path) -> Result<(), BadInput> {
        let protocol = &self.protocol;
        let file = format!("experiments/{}/protocol.toml", self.paper);
        let bad = |message: String| Err(BadInput::new(format!("{file}: {message}")));
        check_protocol(protocol).or_else(bad)?;
        Settings::of(protocol).check().or_else(bad)?;
        let arms: Vec<&str> = protocol.arm.iter().map(|arm| arm.id.as_str()).collect();
        let tasks: Vec<&str> = protocol.task.iter().map(|task| task.id.as_str()).collect();
        check_names(&format!("{file}: arm"), &arms)?;
        check_names(&format!("{file}: task"), &tasks)?;
        for profile in protocol.profile.keys() {
            check_name(&format!("{file}: profile"), profile)?;
        }
        let sources: Vec<&str> = self.reference.source.iter().map(|source| source.id.as_str()).collect();
        check_distinct(&format!("experiments/{}/reference.toml: source", self.paper), &sources)?;
        if let Some(arm) = arms.iter().find(|arm| **arm == EXPERT || sources.contains(arm)) {
            return bad(format!(
                "arm `{arm}`: claims take this name for the expert or for a source of reference.toml: give the arm another"
            ));
        }
        check_scores(&self.reference)
            .map_err(|what| BadInput::new(format!("experiments/{}/reference.toml: {what}", self.paper)))?;
        for arm in &protocol.arm {
            if (arm.algorithm == Algorithm::Td3Dai) != arm.dai.is_some() {
                return bad(format!(
                    "arm `{}`: `dai = {{ … }}` goes with the algorithm `td3-dai` and with no other",
                    arm.id
                ));
            }
            if arm.dai.is_some() && protocol.expert.is_none() {
                return bad(format!(
                    "arm `{}` is guided by an expert, and `[expert]` does not say how one is made: add it",
                    arm.id
                ));
            }
        }
        for arm in &protocol.arm {
            let other = |id: &String| protocol.arm.iter().find(|other| other.id == *id);
            match (&arm.after, arm.after.as_ref().and_then(other)) {
                (Some(id), None) => {
                    let what = format!("`after` of arm `{}` in {file}:", arm.id);
                    return Err(BadInput::unknown(&what, id, arms.iter().copied()));
                }
                (Some(id), Some(first))
                    if !matches!(arm.algorithm, Algorithm::Iql | Algorithm::Pex)
                        || first.algorithm != Algorithm::Iql =>
                {
                    return bad(format!(
                        "arm `{}` comes after `{id}`: expected an arm of IQL or PEX after one of IQL: others take up \
                         no networks, or leave none",
                        arm.id
                    ));
                }
                (Some(id), Some(first)) if first.after.is_some() || first.dai.is_some() => {
                    return bad(format!(
                        "arm `{}` comes after `{id}`, which needs another run itself: one may come after one that needs none",
                        arm.id
                    ));
                }
                (None, _) if arm.algorithm == Algorithm::Pex => {
                    return bad(format!(
                        "arm `{}`: PEX joins the policy of a run: name that run's arm by `after = …`",
                        arm.id
                    ));
                }
                _ => {}
            }
        }
        let stand_ins: Vec<&str> = self.stand_ins().collect();
        for (i, id) in stand_ins.iter().enumerate() {
            if !id.starts_with(STAND_IN) || stand_ins[..i].contains(id) {
                return bad(format!(
                    "stand-in `{id}`: expected a name of its own that begins with `{STAND_IN}`: nobody must take it for \
                     what is published"
                ));
            }
            self.recipe(id)?;
        }
        for profile in protocol.profile.values() {
            if let Some(Sweep { setting, .. }) = &profile.sweep
                && let Ok(plan) = Plan::new(self, profile, &Selection::default())
                && !plan.cells.iter().any(|cell| cell.config.number(setting).is_some())
            {
                return bad(format!(
                    "`sweep` of profile `{}`: no run of it has a number at `{setting}`: expected a path such as \
                     `drol.candidates`",
                    profile.name
                ));
            }
        }
        for task in &protocol.task {
            if let Some(data) = &task.data {
                self.check_data(task, &data.set)?;
            }
            if let Some(arm) = task.set_of_arm.keys().find(|arm| !arms.contains(&arm.as_str())) {
                let what = format!("arm in `set_of_arm` of task `{}` in {file}:", task.id);
                return Err(BadInput::unknown(&what, arm, arms.iter().copied()));
            }
            if let Some(points) = &task.points
                && !(points.low.is_finite() && points.high.is_finite() && points.low < points.high)
            {
                return bad(format!(
                    "`points` of task `{}` are {} and {}: expected two numbers, the lower one first",
                    task.id, points.low, points.high
                ));
            }
            if protocol.expert.is_some() && task.points.is_some() {
                return bad(format!(
                    "task `{}`: `points` and `[expert]`: an expert's score is a return, which points are not compared \
                     with: remove one of the two",
                    task.id
                ));
            }
            if let Some(of) = &task.published
                && self.reference.score(&of.source, &of.task).is_none()
            {
                return bad(format!(
                    "task `{}`: reference.toml has no score of source `{}` for task `{}`",
                    task.id, of.source, of.task
                ));
            }
            let published = || self.reference.source.iter().flat_map(|source| &source.scores);
            for name in task.beside.iter().chain(&task.group) {
                if !published().any(|score| score.task == *name) {
                    return bad(format!(
                        "task `{}`: reference.toml has no score for `{name}`, which `beside` or `group` names",
                        task.id
                    ));
                }
            }
            if protocol.expert.is_some() && task.published.is_none() {
                return bad(format!(
                    "task `{}`: an expert's goal is a share of a published score: add `published = {{ source = …, task = … }}`",
                    task.id
                ));
            }
            if let Some(expert) = &protocol.expert {
                let every = self.settings(task, None, None)?.evaluation.every;
                if every == 0 || expert.steps == 0 || !expert.steps.is_multiple_of(every) {
                    return bad(format!(
                        "`expert.steps`: {} steps are not a whole number of evaluation intervals of {every} steps ({})",
                        expert.steps, task.id
                    ));
                }
            }
        }
        let text = std::fs::read_to_string(root.join(&file)).unwrap_or_default();
        let at = |span: std::ops::Range<usize>, error: BadInput| error.at(&file, &text, span.start);
        for (name, profile) in &protocol.profile {
            for task in profile.tasks.get_ref() {
                if !tasks.contains(&task.as_str()) {
                    let error =
                        BadInput::unknown(&format!("task in profile `{name}`:"), task, tasks.iter().copied());
                    return Err(at(profile.tasks.span(), error));
                }
            }
            for arm in profile.arms.iter().flat_map(Spanned::get_ref) {
                if !arms.contains(&arm.as_str()) {
                    let span = profile.arms.as_ref().map_or(0..0, Spanned::span);
                    return Err(at(
                        span,
                        BadInput::unknown(&format!("arm in profile `{name}`:"), arm, arms.iter().copied()),
                    ));
                }
            }
            distinct_seeds(profile.seeds.get_ref()).map_err(|error| at(profile.seeds.span(), error))?;
            for (what, names) in [("task", Some(&profile.tasks)), ("arm", profile.arms.as_ref())] {
                if let Some(names) = names {
                    let ids: Vec<&str> = names.get_ref().iter().map(String::as_str).collect();
                    check_distinct(&format!("profile `{name}`: {what}"), &ids)
                        .map_err(|error| at(names.span(), error))?;
                }
            }
            let in_points = self.tasks(profile).filter(|task| task.points.is_some()).count();
            if in_points != 0 && in_points != profile.tasks.get_ref().len() {
                let what = format!("some tasks of profile `{name}` have `points` and others have not");
                return Err(at(
                    profile.tasks.span(),
                    BadInput::new(what).help("give them to all or to none"),
                ));
            }
            for task in self.tasks(profile) {
                self.check_runs(profile, task)?;
            }
        }
        self.check_claims(&arms, &tasks)
    }

    /// Checks that claims name what there is, and ask what can be answered.
    fn check_claims(&self, arms: &[&str], tasks: &[&str]) -> Result<(), BadInput> {
        let file = format!("experiments/{}/claims.toml", self.paper);
        let sources: Vec<&str> = self.reference.source.iter().map(|source| source.id.as_str()).collect();
        let ids = self.claims.claim.iter().map(|claim| claim.id.as_str()).collect::<Vec<_>>();
        check_distinct(&format!("{file}: claim"), &ids)?;
        for claim in &self.claims.claim {
            let of = format!("of claim `{}`", claim.id);
            let bad = |what: String| Err(BadInput::new(format!("{file}: {what}")));
            let readings: Vec<&str> = claim.reading.iter().map(|reading| reading.id.as_str()).collect();
            check_distinct(&format!("{file}: claim `{}`: reading", claim.id), &readings)?;
            if readings.is_empty() {
                return bad(format!("claim `{}` has no reading: expected at least one", claim.id));
            }
            if !claim.threshold().is_some_and(|threshold| threshold.value().is_finite()) {
                return bad(format!(
                    "claim `{}` needs one threshold, a number: `above` or `below`",
                    claim.id
                ));
            }
            let known = |kind: &str, found: &String, known: &[&str]| match known.contains(&found.as_str()) {
                true => Ok(()),
                false => {
                    Err(BadInput::unknown(&format!("{kind} {of} in {file}:"), found, known.iter().copied()))
                }
            };
            known("arm", &claim.arm, arms)?;
            known("baseline", &claim.baseline, &[arms, &[EXPERT], &sources].concat())?;
            for task in claim.tasks.iter().flatten() {
                known("task", task, tasks)?;
            }
            let is_arm = arms.contains(&claim.baseline.as_str());
            for reading in &claim.reading {
                let of = format!("reading `{}` {of}", reading.id);
                if let Some(column) = &reading.of {
                    if claim.baseline == EXPERT {
                        return bad(format!(
                            "{of}: `of` takes a column of training, and an expert has a score only: remove one of the two"
                        ));
                    }
                    let compared = [&claim.arm, &claim.baseline];
                    for arm in self.protocol.arm.iter().filter(|arm| compared.contains(&&arm.id)) {
                        let columns = [arm.algorithm.losses(), &EPISODE_COLUMNS].concat();
                        if !columns.contains(&column.as_str()) {
                            let what = format!("column of the log of `{}` in {of} in {file}:", arm.id);
                            return Err(BadInput::unknown(&what, column, columns.iter().copied()));
                        }
                    }
                }
                if !reading.window.is_within_a_run() || !reading.baseline_window().is_within_a_run() {
                    return bad(format!("the window of {of} is no share within 0 and 1"));
                }
                if !is_arm && (reading.counts_expert || reading.has_baseline_window()) {
                    return bad(format!(
                        "{of}: `counts_expert` and `baseline_window` say which evaluations of an arm count, and \
                         `{}` is none: remove them",
                        claim.baseline
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks that the data set `set` is known, and that it is of `task`'s environment, where that is one of OGBench's
    /// single tasks: their sets have no rewards, and one of another maze fits in every size.
    fn check_data(&self, task: &Task, set: &str) -> Result<(), BadInput> {
        let recipe = self.recipe(set)?;
        let environment = task.environment.as_deref().unwrap_or(&task.id);
        let Some(expected) = family_of_single_task(environment) else { return Ok(()) };
        let (source, made) = match &recipe {
            None => (set, String::new()),
            Some(recipe) => (recipe.source(), format!(", made as `{}`,", recipe.source())),
        };
        let found = family_of_single_task(source).unwrap_or_else(|| family_of_set(source));
        if found == expected {
            return Ok(());
        }
        let message = format!(
            "experiments/{}/protocol.toml: task `{}`: data set `{set}`{made} is of `{found}`: expected one of \
             `{expected}`, as `{environment}` is",
            self.paper, task.id
        );
        let help = format!(
            "take a set of `{expected}`, or an environment of `{found}`; `cargo xtask data list` has the sets"
        );
        Err(BadInput::new(message).help(help))
    }

    /// Checks what every arm of `profile` would do on `task`.
    fn check_runs(&self, profile: &Profile, task: &Task) -> Result<(), BadInput> {
        let bad = |message: String| {
            Err(BadInput::new(format!("experiments/{}/protocol.toml: {message}", self.paper)))
        };
        let Some(steps) = self.steps(task, profile) else {
            return bad(format!(
                "neither profile `{}` nor task `{}` has `steps`: add them to one of the two",
                profile.name, task.id
            ));
        };
        let common = self.settings(task, Some(profile), None)?;
        let every = common.evaluation.every;
        if every == 0 || steps == 0 || !steps.is_multiple_of(every) {
            return bad(format!(
                "profile `{}`: {steps} steps are not a whole number of evaluation intervals of {every} steps ({})",
                profile.name, task.id
            ));
        }
        for arm in self.arms(profile) {
            let settings = self.settings(task, Some(profile), Some(arm))?;
            if settings.evaluation != common.evaluation {
                return bad(format!(
                    "`set` of arm `{}`: all arms are evaluated alike: remove `evaluation`",
                    arm.id
                ));
            }
            if arm.algorithm == Algorithm::Mpdp && arm.data.is_some_and(|usage| usage != DataUsage::Rewards) {
                return bad(format!(
                    "arm `{}`: MPDP fits its model to what it does itself: take `data` away from the arm",
                    arm.id
                ));
            }
            let acts = matches!(arm.algorithm, Algorithm::Td3Dai | Algorithm::Pex);
            if acts && arm.data == Some(DataUsage::Alone) {
                return bad(format!(
                    "arm `{}`: {} is a way to act, and with `data = \"alone\"` nothing acts: take that away from the arm",
                    arm.id,
                    arm.algorithm.name()
                ));
            }
            if arm.data.is_some() && task.data.is_none() {
                return bad(format!(
                    "arm `{}` uses a data set, and task `{}` has none: add `data = {{ set = … }}`",
                    arm.id, task.id
                ));
            }
            if arm.data == Some(DataUsage::Alone) && settings.offline.is_none() {
                return bad(format!(
                    "arm `{}` learns from a data set alone, and `[offline]` does not say how long: add it",
                    arm.id
                ));
            }
            if arm.algorithm == Algorithm::Rebrac && arm.data != Some(DataUsage::Alone) {
                return bad(format!(
                    "arm `{}`: ReBRAC learns from a data set alone: give the arm `data = \"alone\"`",
                    arm.id
                ));
            }
            let first = self.protocol.arm.iter().find(|other| arm.after.as_ref() == Some(&other.id));
            if let Some(first) = first {
                let of = |settings: &Settings| {
                    settings.iql.as_ref().map(|iql| (iql.hidden.clone(), iql.units, iql.layer_norm))
                };
                if of(&self.settings(task, Some(profile), Some(first))?) != of(&settings) {
                    return bad(format!(
                        "arm `{}` starts from the networks of `{}`: `iql.hidden`, `iql.units` and `iql.layer_norm` must be the same",
                        arm.id, first.id
                    ));
                }
            }
            if let Some(table) = settings.missing(arm.algorithm) {
                return bad(format!(
                    "arm `{}`: the algorithm `{}` takes its settings from `[{table}]`: add it",
                    arm.id,
                    arm.algorithm.id()
                ));
            }
        }
        Ok(())
    }
}

/// `antmaze-large` of `antmaze-large-singletask-task1-v0` and of `antmaze-large-navigate-singletask-v0`; `None` if it
/// is none of OGBench's single tasks.
fn family_of_single_task(environment: &str) -> Option<&str> {
    let (family, _) = environment.split_once("-singletask")?;
    Some(without_collection(family))
}

/// `antmaze-large` of `antmaze-large-navigate-v0` and of `ogbench/antmaze-large-navigate-v0`.
fn family_of_set(set: &str) -> &str {
    let name = set.rsplit_once('/').map_or(set, |(_, name)| name);
    without_collection(name.rsplit_once("-v").map_or(name, |(name, _)| name))
}

/// A name without OGBench's word for how data were collected.
fn without_collection(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((family, "navigate" | "stitch" | "explore" | "play" | "noisy")) => family,
        _ => name,
    }
}

fn check_protocol(protocol: &Protocol) -> Result<(), String> {
    if let Some(expert) = &protocol.expert {
        within("expert.fraction", expert.fraction, 0.0, 10.0)?;
        count("expert.score_episodes", expert.score_episodes as u64, 1_000_000)?;
        if protocol.td3.is_none() {
            return Err("experts are TD3's, and there is no `[td3]`: add it".to_owned());
        }
    }
    within("statistics.confidence", protocol.statistics.confidence, 0.5, 0.999)?;
    within("statistics.iqr_factor", protocol.statistics.iqr_factor, 0.0, 100.0)?;
    within("statistics.final_share", protocol.statistics.final_share, 0.0, 1.0)?;
    if protocol.statistics.final_share == 0.0 {
        return Err("`statistics.final_share` must be above 0".to_owned());
    }
    count("statistics.resamples", protocol.statistics.resamples as u64, 10_000_000)?;
    for arm in &protocol.arm {
        if let Some(dai) = &arm.dai {
            within(&format!("start` of arm `{}", arm.id), dai.start, 0.0, 1.0)?;
            within(&format!("length` of arm `{}", arm.id), dai.length, 0.0, 1.0)?;
        }
    }
    for task in &protocol.task {
        within(
            &format!("expert_fraction` of task `{}", task.id),
            task.expert_fraction.unwrap_or(1.0),
            0.0,
            10.0,
        )?;
    }
    Ok(())
}

/// Names that are folders', none twice.
fn check_names(what: &str, names: &[&str]) -> Result<(), BadInput> {
    names.iter().try_for_each(|name| check_name(what, name))?;
    check_distinct(what, names)
}

/// None twice.
fn check_distinct(what: &str, names: &[&str]) -> Result<(), BadInput> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(**name)) {
        Some(name) => Err(BadInput::new(format!("{what} `{name}` stands twice: expected every one once"))),
        None => Ok(()),
    }
}

fn check_scores(reference: &Reference) -> Result<(), String> {
    for source in &reference.source {
        for score in &source.scores {
            let of = format!("of source `{}` for task `{}`", source.id, score.task);
            within(&format!("value` {of}"), score.value, -1e15, 1e15)?;
            within(&format!("spread` {of}"), score.spread.unwrap_or(0.0), 0.0, 1e15)?;
        }
    }
    Ok(())
}

/// Seeds, none twice.
pub(crate) fn distinct_seeds(seeds: &[u64]) -> Result<(), BadInput> {
    let mut seen = BTreeSet::new();
    match seeds.iter().find(|seed| !seen.insert(**seed)) {
        _ if seeds.is_empty() => Err(BadInput::new("the list of seeds is empty: expected at least one seed")),
        Some(seed) => Err(BadInput::new(format!("seed {seed} stands twice in the list of seeds"))
            .help("two runs of one seed are the same run: give each seed once")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_and_sets_of_one_family_have_its_name() {
        let check = |environment: &str, set: &str, is_one: bool| {
            let same = family_of_single_task(environment).map(|family| family == family_of_set(set));
            assert_eq!(same, Some(is_one), "{environment}, {set}");
        };
        check("antmaze-large-singletask-task1-v0", "antmaze-large-navigate-v0", true);
        check("antmaze-large-singletask-task1-pre-v0", "ogbench/antmaze-large-stitch-v0", true);
        check("antmaze-large-stitch-singletask-v0", "antmaze-large-explore-v0", true);
        check("cube-single-singletask-task2-v0", "cube-single-noisy-v0", true);
        check("antmaze-large-singletask-task1-v0", "antmaze-giant-navigate-v0", false);
        check("puzzle-3x3-singletask-v0", "puzzle-4x4-play-v0", false);
        check("cube-single-singletask-v0", "visual-cube-single-play-v0", false);
        assert_eq!(family_of_single_task("antmaze-large-play-v2"), None);
    }
}
