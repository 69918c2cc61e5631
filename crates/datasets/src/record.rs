//! Writing new data sets in the layouts of the published ones, with a side-car that says where they come from.
//!
//! Same steps, same bytes. A file is written aside and renamed; the side-car, `FILE.toml`, holds its length, its SHA-256
//! and what the writer tells of its provenance.

use crate::array::{Array, Dtype, Values};
use crate::inspect::Spread;
use crate::npz;
use crate::source::Source;
use anyhow::{Context, Result, ensure};
use diagnostics::BadInput;
use rust_hdf5::{H5File, H5Group, H5Type, HBool, LibverBound};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Rows of a chunk: whole rows, which readers of rows like better than h5py's column strips.
const CHUNK: usize = 4096;

/// Steps, episode by episode, until they are written.
#[derive(Clone, Debug)]
pub struct Recorder {
    observation_dim: usize,
    action_dim: usize,
    extras: Vec<Extra>,
    observations: Vec<f32>,
    actions: Vec<f32>,
    rewards: Vec<f32>,
    terminals: Vec<bool>,
    timeouts: Vec<bool>,
    /// Numbers of the extras, in their order.
    values: Vec<Vec<f64>>,
    /// s′ of the rows that end an episode, and of the last row.
    finals: Vec<(usize, Vec<f32>)>,
}

/// An array beside the usual ones: `infos/qpos`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Its name in the file, with its groups.
    pub name: String,
    /// Numbers of a row; of a row of one, the array has one axis.
    pub width: usize,
    /// The type of its elements.
    pub dtype: Dtype,
}

/// One step, or of OGBench's layout one state.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// s.
    pub observation: &'a [f32],
    /// a.
    pub action: &'a [f32],
    /// r.
    pub reward: f32,
    /// What goes into `terminals`: the task ended in s′, or of OGBench's layout, the episode ends with this state.
    pub terminal: bool,
    /// What goes into `timeouts`: time ended the episode after this step.
    pub timeout: bool,
    /// s′.
    pub next_observation: &'a [f32],
    /// A row of each extra, in their order.
    pub extras: &'a [&'a [f64]],
}

/// What Minari wants to know of a data set.
#[derive(Clone, Debug)]
pub struct MinariAbout<'a> {
    /// Its id: `gen/hopper-medium-v0`.
    pub id: &'a str,
    /// What made the actions.
    pub algorithm: &'a str,
    /// A sentence about it.
    pub description: &'a str,
    /// The greatest absolute value of an action's number.
    pub action_limit: f32,
}

/// The side-car of a file.
#[derive(Serialize)]
struct SideCar<'a, P: Serialize> {
    schema: u32,
    file: String,
    size: u64,
    sha256: String,
    rows: usize,
    episodes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<Spread>,
    provenance: &'a P,
}

impl Recorder {
    /// Nothing yet.
    #[must_use]
    pub fn new((observation_dim, action_dim): (usize, usize), extras: Vec<Extra>) -> Self {
        Self {
            observation_dim,
            action_dim,
            values: vec![Vec::new(); extras.len()],
            extras,
            observations: Vec::new(),
            actions: Vec::new(),
            rewards: Vec::new(),
            terminals: Vec::new(),
            timeouts: Vec::new(),
            finals: Vec::new(),
        }
    }

    /// What [`Self::write_d4rl`] wrote to `path` with `next_observations` and without extras.
    ///
    /// # Errors
    /// [`BadInput`] with file and array where it is damaged or no such file.
    pub fn read_d4rl(path: &Path) -> Result<Self> {
        let mut source = Source::open(path)?;
        let (observations, actions) = (source.info("observations")?, source.info("actions")?);
        let (rows, dims) = (observations.rows(), (observations.width(), actions.width()));
        let mut recorder = Self::new(dims, Vec::new());
        let mut s = source.column("observations", rows, dims.0)?;
        let mut a = source.column("actions", rows, dims.1)?;
        let mut next_s = source.column("next_observations", rows, dims.0)?;
        let [mut rewards, mut terminals, mut timeouts] = [
            source.column("rewards", rows, 1)?,
            source.column("terminals", rows, 1)?,
            source.column("timeouts", rows, 1)?,
        ];
        for _ in 0..rows {
            recorder.push(&Step {
                observation: s.next()?,
                action: a.next()?,
                reward: rewards.next()?[0],
                terminal: terminals.next()?[0] != 0.0,
                timeout: timeouts.next()?[0] != 0.0,
                next_observation: next_s.next()?,
                extras: &[],
            });
        }
        Ok(recorder)
    }

    /// Rows recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Records a step. Where it ends no episode, the next one begins in its s′.
    ///
    /// # Panics
    /// If its sizes are not those of the recorder.
    pub fn push(&mut self, step: &Step<'_>) {
        assert_eq!(
            (step.observation.len(), step.action.len(), step.next_observation.len(), step.extras.len()),
            (self.observation_dim, self.action_dim, self.observation_dim, self.extras.len())
        );
        let row = self.len();
        self.observations.extend_from_slice(step.observation);
        self.actions.extend_from_slice(step.action);
        self.rewards.push(step.reward);
        self.terminals.push(step.terminal);
        self.timeouts.push(step.timeout);
        for ((values, extra), row) in self.values.iter_mut().zip(&self.extras).zip(step.extras) {
            assert_eq!(row.len(), extra.width, "a row of {}", extra.name);
            values.extend_from_slice(row);
        }
        // s′ of a row that goes on is the next row's s.
        if self.finals.last().is_some_and(|(last, _)| last + 1 == row && !self.ends(*last)) {
            self.finals.pop();
        }
        self.finals.push((row, step.next_observation.to_vec()));
    }

    /// Appends what another recorder of the same arrays holds, such as the next episode, recorded elsewhere meanwhile.
    ///
    /// # Panics
    /// If its arrays are others.
    pub fn append(&mut self, other: Recorder) {
        assert_eq!(
            (self.observation_dim, self.action_dim, &self.extras),
            (other.observation_dim, other.action_dim, &other.extras)
        );
        let rows = self.len();
        self.observations.extend(other.observations);
        self.actions.extend(other.actions);
        self.rewards.extend(other.rewards);
        self.terminals.extend(other.terminals);
        self.timeouts.extend(other.timeouts);
        self.values.iter_mut().zip(other.values).for_each(|(mine, more)| mine.extend(more));
        self.finals.extend(other.finals.into_iter().map(|(row, state)| (rows + row, state)));
    }

    /// The action of each row.
    pub fn actions(&self) -> impl Iterator<Item = &[f32]> {
        self.actions.chunks_exact(self.action_dim)
    }

    /// The rows of an extra, by its number.
    ///
    /// # Panics
    /// If there is none of this number.
    pub fn extra(&self, number: usize) -> impl Iterator<Item = &[f64]> {
        self.values[number].chunks_exact(self.extras[number].width)
    }

    /// Whether an episode ends with this row: where there is `infos/goal`, as in AntMaze, a terminal ends none.
    fn ends(&self, row: usize) -> bool {
        let goal = self.extras.iter().any(|extra| extra.name == "infos/goal");
        self.timeouts[row] || (self.terminals[row] && !goal)
    }

    fn observation(&self, row: usize) -> &[f32] {
        &self.observations[row * self.observation_dim..][..self.observation_dim]
    }

    /// s′ of every row.
    fn next_observations(&self) -> Vec<f32> {
        let mut finals = self.finals.iter().peekable();
        let mut next = Vec::with_capacity(self.observations.len());
        for row in 0..self.len() {
            match finals.next_if(|(last, _)| *last == row) {
                Some((_, state)) => next.extend_from_slice(state),
                None => next.extend_from_slice(self.observation(row + 1)),
            }
        }
        next
    }

    /// Rows of each episode. What is after the last end is an episode too.
    fn episodes(&self) -> Vec<std::ops::Range<usize>> {
        let (mut episodes, mut begin) = (Vec::new(), 0);
        for row in 0..self.len() {
            if self.ends(row) || row + 1 == self.len() {
                episodes.push(begin..row + 1);
                begin = row + 1;
            }
        }
        episodes
    }

    fn returns(&self) -> Vec<f64> {
        let sum = |rows: std::ops::Range<usize>| self.rewards[rows].iter().map(|&r| f64::from(r)).sum();
        self.episodes().into_iter().map(sum).collect()
    }

    /// Writes the steps to `path` in D4RL's layout, `next_observations` too if wanted: its locomotion sets have them,
    /// its AntMaze and Adroit sets do not.
    ///
    /// # Errors
    /// [`disk::Error`] when the place cannot be written to, [`BadInput`] when there is nothing to write.
    pub fn write_d4rl(
        &self,
        path: &Path,
        next_observations: bool,
        provenance: &impl Serialize,
    ) -> Result<()> {
        self.publish(path, provenance, |aside| {
            let file = create(aside)?;
            let root = file.root_group();
            let next = next_observations.then(|| self.next_observations());
            let (rows, observation, action) = (self.len(), self.observation_dim, self.action_dim);
            chunked(&root, "observations", &[rows, observation], &self.observations)?;
            chunked(&root, "actions", &[rows, action], &self.actions)?;
            chunked(&root, "rewards", &[rows], &self.rewards)?;
            chunked(&root, "terminals", &[rows], &flags(&self.terminals))?;
            chunked(&root, "timeouts", &[rows], &flags(&self.timeouts))?;
            if let Some(next) = next {
                chunked(&root, "next_observations", &[rows, observation], &next)?;
            }
            let mut groups: Vec<(String, H5Group)> = Vec::new();
            for (extra, values) in self.extras.iter().zip(&self.values) {
                let (group, name) = extra.name.rsplit_once('/').unwrap_or(("", &extra.name));
                if !group.is_empty() && groups.iter().all(|(known, _)| known != group) {
                    groups.push((group.to_owned(), root.create_group(group)?));
                }
                let group = groups.iter().find(|(known, _)| known == group).map_or(&root, |(_, group)| group);
                let array = extra.array(rows, values);
                match &array.values {
                    Values::F32(values) => chunked(group, name, &array.shape, values)?,
                    Values::F64(values) => chunked(group, name, &array.shape, values)?,
                    Values::I64(values) => chunked(group, name, &array.shape, values)?,
                    Values::I32(values) => chunked(group, name, &array.shape, values)?,
                    Values::U8(values) => chunked(group, name, &array.shape, values)?,
                    Values::Bool(values) => chunked(group, name, &array.shape, &flags(values))?,
                }
            }
            Ok(file.close_no_sync()?)
        })
    }

    /// Writes the rows to `path` in OGBench's layout: one row a state, the last of each episode marked in `terminals`.
    /// Rewards and timeouts are not part of it.
    ///
    /// # Errors
    /// [`disk::Error`] when the place cannot be written to, [`BadInput`] when there is nothing to write.
    pub fn write_ogbench(&self, path: &Path, provenance: &impl Serialize) -> Result<()> {
        let rows = self.len();
        let mut arrays = vec![
            ("observations", Array::f32(&[rows, self.observation_dim], self.observations.clone())),
            ("actions", Array::f32(&[rows, self.action_dim], self.actions.clone())),
            ("terminals", Array::bool(&[rows], self.terminals.clone())),
        ];
        let more = self.extras.iter().zip(&self.values);
        arrays.extend(more.map(|(extra, values)| (&extra.name[..], extra.array(rows, values))));
        let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (*name, array)).collect();
        self.publish(path, provenance, |aside| npz::write_compressed(aside, &arrays))
    }

    /// Writes the steps into the folder `folder` in Minari's layout: `folder/data/main_data.hdf5` and its
    /// `metadata.json`. Minari finds it where `folder` is the data set's id below its own folder.
    ///
    /// # Errors
    /// [`disk::Error`] when the place cannot be written to, [`BadInput`] when there is nothing to write.
    pub fn write_minari(
        &self,
        folder: &Path,
        about: &MinariAbout<'_>,
        provenance: &impl Serialize,
    ) -> Result<()> {
        let data = folder.join("data");
        disk::create_folder(&data)?;
        let metadata = serde_json::to_vec(&self.minari_metadata(about))?;
        disk::replace(&data.join("metadata.json"), &metadata)?;
        self.publish(&data.join("main_data.hdf5"), provenance, |aside| {
            let file = create(aside)?;
            for (number, rows) in self.episodes().into_iter().enumerate() {
                self.minari_episode(&file.create_group(&format!("episode_{number}"))?, number, rows)?;
            }
            Ok(file.close_no_sync()?)
        })
    }

    fn minari_episode(&self, group: &H5Group, number: usize, rows: std::ops::Range<usize>) -> Result<()> {
        let (count, observation, action) = (rows.len(), self.observation_dim, self.action_dim);
        let rewards: Vec<f64> = self.rewards[rows.clone()].iter().map(|&r| f64::from(r)).collect();
        group.set_attr_numeric("id", &(number as i64))?;
        group.set_attr_numeric("total_steps", &(count as i64))?;
        if let Some(Spread { mean, std, min, max }) = Spread::of(&rewards) {
            let sum = rewards.iter().sum();
            let told = [("max", max), ("mean", mean), ("min", min), ("std", std), ("sum", sum)];
            for (name, value) in told {
                group.set_attr_numeric(&format!("rewards_{name}"), &value)?;
            }
        }
        let mut observations = self.observations[rows.start * observation..rows.end * observation].to_vec();
        let last = self.finals.binary_search_by_key(&(rows.end - 1), |(row, _)| *row);
        let last = last.ok().context("an episode has no last state")?;
        observations.extend_from_slice(&self.finals[last].1);
        chunked(group, "observations", &[count + 1, observation], &observations)?;
        chunked(group, "actions", &[count, action], &self.actions[rows.start * action..rows.end * action])?;
        chunked(group, "rewards", &[count], &rewards)?;
        chunked(group, "terminations", &[count], &flags(&self.terminals[rows.clone()]))?;
        chunked(group, "truncations", &[count], &flags(&self.timeouts[rows]))?;
        group.create_group("infos")?;
        Ok(())
    }

    fn minari_metadata(&self, about: &MinariAbout<'_>) -> serde_json::Value {
        // Python's JSON, which knows infinity.
        let space = |width: usize, low: &str, high: &str| {
            let all = |bound: &str| vec![bound; width].join(", ");
            format!(
                "{{\"type\": \"Box\", \"dtype\": \"float32\", \"shape\": [{width}], \"low\": [{}], \"high\": [{}]}}",
                all(low),
                all(high)
            )
        };
        let limit = format!("{:?}", about.action_limit);
        serde_json::json!({
            "total_episodes": self.episodes().len(),
            "total_steps": self.len(),
            "data_format": "hdf5",
            "observation_space": space(self.observation_dim, "-Infinity", "Infinity"),
            "action_space": space(self.action_dim, &format!("-{limit}"), &limit),
            "dataset_id": about.id,
            "algorithm_name": about.algorithm,
            "description": about.description,
            "minari_version": "0.5.4",
        })
    }

    /// Has `write` fill a file aside, renames it to `path`, and puts the side-car beside it.
    fn publish(
        &self,
        path: &Path,
        provenance: &impl Serialize,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        if self.is_empty() {
            return Err(BadInput::new(format!("{}: there is nothing to write", path.display()))
                .help("ask for at least one episode")
                .into());
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let written = write(&aside).and_then(|()| {
            let (size, sha256) = fetch::digest(&aside)?;
            std::fs::File::open(&aside)?.sync_all()?;
            Ok((size, sha256))
        });
        let (size, sha256) = written.map_err(|error| {
            let _ = std::fs::remove_file(&aside);
            disk::Error::new("write", path, std::io::Error::other(format!("{error:#}")))
        })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let side_car = SideCar {
            schema: 1,
            file,
            size,
            sha256,
            rows: self.len(),
            episodes: self.episodes().len(),
            returns: Spread::of(&self.returns()),
            provenance,
        };
        disk::replace(&side_car_of(path), toml::to_string(&side_car)?.as_bytes())?;
        Ok(disk::rename(&aside, path)?)
    }
}

impl Extra {
    /// An array beside the usual ones.
    #[must_use]
    pub fn new(name: &str, width: usize, dtype: Dtype) -> Self {
        Self { name: name.to_owned(), width, dtype }
    }

    fn array(&self, rows: usize, values: &[f64]) -> Array {
        let numbers = values.iter();
        let values = match self.dtype {
            Dtype::Bool => Values::Bool(numbers.map(|&x| x != 0.0).collect()),
            Dtype::U8 => Values::U8(numbers.map(|&x| x as u8).collect()),
            Dtype::I32 => Values::I32(numbers.map(|&x| x as i32).collect()),
            Dtype::I64 => Values::I64(numbers.map(|&x| x as i64).collect()),
            Dtype::F32 => Values::F32(numbers.map(|&x| x as f32).collect()),
            Dtype::F64 => Values::F64(values.to_vec()),
        };
        Array { shape: if self.width == 1 { vec![rows] } else { vec![rows, self.width] }, values }
    }
}

/// An HDF5 file as D4RL's are: the oldest version of the format, which every reader knows.
fn create(path: &Path) -> Result<H5File> {
    Ok(H5File::options().libver(LibverBound::Earliest).create(path)?)
}

fn chunked<T: H5Type>(group: &H5Group, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
    ensure!(shape.iter().product::<usize>() == values.len(), "`{name}` has another shape");
    let mut chunk = shape.to_vec();
    chunk[0] = chunk[0].min(CHUNK);
    let dataset = group.new_dataset::<T>().shape(shape).chunk(&chunk).deflate(4).create(name)?;
    Ok(dataset.write_raw(values)?)
}

fn flags(flags: &[bool]) -> Vec<HBool> {
    flags.iter().map(|&flag| flag.into()).collect()
}

/// The file beside a data set that is made here, which says how.
#[must_use]
pub fn side_car_of(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".toml");
    PathBuf::from(beside)
}
