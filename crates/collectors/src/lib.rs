//! Data by script: what the authors of D4RL and OGBench drive through their environments to collect data.
//!
//! A [`Script`] is named by the published data set that was collected so. Episodes are independent of each other, each
//! with its own random stream, so any number of threads makes the same rows.

mod d4rl_mazes;
mod policy;

pub use policy::Networks;

use crate::policy::Policy;

use anyhow::Result;
use datasets::Recorder;
use diagnostics::BadInput;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::Serialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use streams::Stream;

/// How a published data set was collected.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The data set's id.
    pub id: &'static str,
    /// The environment that it was collected in.
    pub environment: &'static str,
    /// The episodes of the published set.
    pub episodes: usize,
    /// Who acts.
    pub actor: Actor,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An ant that was trained to walk in a given direction (`online-ant-xy-v0`), steered from cell to cell.
    Walker,
}

/// Plays episodes in an environment of its own, one after the other.
trait Play {
    /// An episode, all of whose draws are from `stream`.
    fn episode(&mut self, stream: &mut Stream) -> Result<Recorder>;
}

/// All scripts.
#[must_use]
pub fn scripts() -> Vec<Script> {
    d4rl_mazes::scripts().collect()
}

/// The script of the published data set `id`.
///
/// # Errors
/// [`BadInput`] if there is none.
pub fn find(id: &str) -> Result<Script, BadInput> {
    let scripts = scripts();
    let known = scripts.iter().find(|script| script.id == id).copied();
    known.ok_or_else(|| BadInput::unknown("script for a data set", id, scripts.iter().map(|script| script.id)))
}

/// What to collect.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// How many episodes.
    pub episodes: usize,
    /// The seed of all random streams.
    pub seed: u64,
    /// How many threads play them.
    pub threads: usize,
}

impl Script {
    /// How the file's name ends.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        "hdf5"
    }

    /// Collects the episodes of `order`. `networks` are those of who acts, where [`Script::actor`] asks for some. `tell`
    /// hears how many episodes there are. Nothing if `stop` was set on the way.
    ///
    /// # Errors
    /// [`BadInput`] if the networks are missing or of another body; if the simulator cannot be had.
    pub fn collect(
        &self,
        order: &Order,
        networks: Option<&Networks>,
        stop: &AtomicBool,
        tell: &(dyn Fn(usize) + Sync),
    ) -> Result<Option<Recorder>> {
        let &Order { episodes, seed, threads } = order;
        let make = || self.player(seed, networks);
        // What is wrong is said once, and the simulator fetched once.
        make()?;
        let done = AtomicUsize::new(0);
        let play = |player: &mut Result<Box<dyn Play>>, episode: usize| {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let player = player.as_mut().map_err(|error| anyhow::anyhow!("{error:#}"))?;
            let recorder = player.episode(&mut Stream::new(seed, &format!("episode {episode}")))?;
            tell(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(Some(recorder))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let played: Vec<Option<Recorder>> = pool
            .install(|| (0..episodes).into_par_iter().map_init(make, play).collect::<Result<_>>())?;
        let mut played = played.into_iter();
        let Some(mut all) = played.next().flatten() else { return Ok(None) };
        for episode in played {
            let Some(episode) = episode else { return Ok(None) };
            all.append(episode);
        }
        Ok(Some(all))
    }

    /// Writes what was collected to `path`, in the layout of the published set, with a side-car.
    ///
    /// # Errors
    /// [`BadInput`] when the place cannot be written to.
    pub fn write(&self, recorder: &Recorder, path: &Path, provenance: &impl Serialize) -> Result<()> {
        recorder.write_d4rl(path, false, provenance)
    }

    fn player(&self, seed: u64, networks: Option<&Networks>) -> Result<Box<dyn Play>> {
        match self.actor {
            Actor::Walker => {
                let networks = networks.ok_or_else(|| {
                    let what = format!("{} takes an ant that was trained to walk, and none was named", self.id);
                    BadInput::new(what).help("name the profile that trains one: `walker = …`")
                })?;
                let walker = Policy::new(networks, (29, 8))?;
                Ok(Box::new(d4rl_mazes::Walk::new(self, seed, walker)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_script_gets_the_nearest() {
        let error = find("antmaze-umaze-v3").unwrap_err().to_string();
        assert!(error.contains("antmaze-umaze-v2"), "{error}");
    }
}
