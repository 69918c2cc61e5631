//! Data by script: what the authors of D4RL and OGBench drive through their environments to collect data.
//!
//! A [`Script`] is named by the published data set that was collected so. Episodes are independent of each other, each
//! with its own random stream, so any number of threads makes the same rows.

mod d4rl_mazes;
mod manipulation;
mod ogbench_mazes;
mod policy;

pub use policy::Networks;

use crate::policy::Policy;

use anyhow::Result;
use datasets::Recorder;
use diagnostics::BadInput;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde::Serialize;
use std::path::{Path, PathBuf};
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
    /// The layout of its file.
    layout: Layout,
}

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The script alone.
    Nobody,
    /// An arm that the script moves.
    Arm,
    /// An ant that was trained to walk in a given direction (`online-ant-xy-v0`), steered from cell to cell.
    Walker,
}

/// The layout of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// HDF5, with rewards.
    D4rl,
    /// `npz`, without; a second file beside it holds a tenth as many episodes to validate on.
    Ogbench,
}

/// Plays episodes in an environment of its own, one after the other.
trait Play {
    /// An episode, all of whose draws are from `stream`.
    fn episode(&mut self, stream: &mut Stream) -> Result<Recorder>;
}

/// All scripts.
fn scripts() -> Vec<Script> {
    d4rl_mazes::scripts().chain(ogbench_mazes::scripts()).chain(manipulation::scripts()).collect()
}

/// The script of the published data set `id`.
///
/// # Errors
/// [`BadInput`] if there is none.
pub fn find(id: &str) -> Result<Script, BadInput> {
    let scripts = scripts();
    if let Some(script) = scripts.iter().find(|script| script.id == id) {
        return Ok(*script);
    }
    let input = BadInput::new(format!(
        "there is no script for `{id}`: expected one of D4RL's AntMaze sets, or of OGBench's mazes, cubes, scenes and puzzles"
    ));
    Err(match diagnostics::nearest(id, scripts.iter().map(|script| script.id)) {
        Some(name) => input.help(format!("did you mean `{name}`?")),
        None => input.help("docs/datasets.md lists them"),
    })
}

/// What was collected.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The rows of the set.
    pub rows: Recorder,
    /// Those to validate on, where the layout has some.
    pub validation: Option<Recorder>,
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
    /// Whose set it is: `d4rl` or `ogbench`.
    #[must_use]
    pub fn suite(&self) -> &'static str {
        match self.layout {
            Layout::D4rl => "d4rl",
            Layout::Ogbench => "ogbench",
        }
    }

    /// How the file's name ends.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        match self.layout {
            Layout::D4rl => "hdf5",
            Layout::Ogbench => "npz",
        }
    }

    /// How many episodes come after `episodes`, to validate on.
    #[must_use]
    pub fn validation(&self, episodes: usize) -> usize {
        match self.layout {
            Layout::D4rl => 0,
            Layout::Ogbench => episodes / 10,
        }
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
    ) -> Result<Option<Collected>> {
        let &Order { episodes, seed, threads } = order;
        let all = episodes + self.validation(episodes);
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
        let played: Vec<Option<Recorder>> =
            pool.install(|| (0..all).into_par_iter().map_init(make, play).collect::<Result<_>>())?;
        let Some(mut played) = played.into_iter().collect::<Option<Vec<Recorder>>>() else {
            return Ok(None);
        };
        let validation = joined(played.split_off(episodes));
        Ok(joined(played).map(|rows| Collected { rows, validation }))
    }

    /// Writes what was collected to `path`, in the layout of the published set, with a side-car.
    ///
    /// # Errors
    /// [`BadInput`] when the place cannot be written to.
    pub fn write(&self, collected: &Collected, path: &Path, provenance: &impl Serialize) -> Result<()> {
        match self.layout {
            Layout::D4rl => collected.rows.write_d4rl(path, false, provenance),
            Layout::Ogbench => {
                let beside = validation_file(path);
                // Which nobody named: what others put there stays.
                let ours = datasets::side_car_of(&beside);
                if beside.exists() && !ours.exists() {
                    let what = format!(
                        "{} is there, and nothing beside it says that it was made here",
                        beside.display()
                    );
                    return Err(BadInput::new(what)
                        .help("remove it, or write to a file of another name")
                        .into());
                }
                match &collected.validation {
                    Some(validation) => validation.write_ogbench(&beside, provenance)?,
                    // One of an earlier, larger set.
                    None => [&beside, &ours].into_iter().try_for_each(|path| disk::remove(path))?,
                }
                // Last, as it is what others look for.
                collected.rows.write_ogbench(path, provenance)
            }
        }
    }

    fn player(&self, seed: u64, networks: Option<&Networks>) -> Result<Box<dyn Play>> {
        match (self.actor, self.layout) {
            (Actor::Arm, _) => Ok(Box::new(manipulation::Arm::new(self)?)),
            (Actor::Nobody, _) => Ok(Box::new(ogbench_mazes::Steered::new(self, None)?)),
            (Actor::Walker, layout) => {
                let networks = networks.ok_or_else(|| {
                    let what =
                        format!("{} takes an ant that was trained to walk, and none was named", self.id);
                    BadInput::new(what).help("name the profile that trains one: `walker = …`")
                })?;
                let walker = Policy::new(networks, (29, 8))?;
                match layout {
                    Layout::D4rl => Ok(Box::new(d4rl_mazes::Walk::new(self, seed, walker)?)),
                    Layout::Ogbench => Ok(Box::new(ogbench_mazes::Steered::new(self, Some(walker))?)),
                }
            }
        }
    }
}

/// The file beside `path` that holds what to validate on: `…-val.npz`.
#[must_use]
pub fn validation_file(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-val.npz"))
}

fn as_f32(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

/// Episodes, one after the other.
fn joined(episodes: Vec<Recorder>) -> Option<Recorder> {
    episodes.into_iter().reduce(|mut all, episode| {
        all.append(episode);
        all
    })
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
