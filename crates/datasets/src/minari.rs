//! Minari's HDF5: a group an episode, with one observation more than actions.
//!
//! The episodes' arrays are read one after another, as if each were one long array.

use crate::array::Values;
use crate::hdf5::{self, Hdf5};
use crate::source::Info;
use anyhow::Result;
use diagnostics::BadInput;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The file that holds the arrays, where `path` is the folder of a data set; else `path` itself.
pub(crate) fn main_file(path: &Path) -> PathBuf {
    let candidates = ["data/main_data.hdf5", "main_data.hdf5"].map(|name| path.join(name));
    candidates.into_iter().find(|file| file.is_file()).unwrap_or_else(|| path.to_owned())
}

/// The number of an episode, from the name of its group: `episode_17`.
pub(crate) fn episode_number(group: &str) -> Option<u64> {
    group.strip_prefix("episode_")?.parse().ok()
}

/// The episodes of a file.
pub(crate) struct Episodes {
    file: Rc<Hdf5>,
    groups: Vec<String>,
    arrays: Vec<Info>,
    lengths: Vec<usize>,
}

impl Episodes {
    pub(crate) fn new(path: &Path, file: Hdf5) -> Result<Self> {
        let mut groups: Vec<(u64, String)> =
            file.groups().into_iter().filter_map(|group| Some((episode_number(&group)?, group))).collect();
        groups.sort();
        let groups: Vec<String> = groups.into_iter().map(|(_, group)| group).collect();
        let wrong = |group: &str, why: &str| {
            anyhow::Error::from(BadInput::new(format!("`{group}` of {}: {why}", path.display())))
        };

        let all = file.arrays()?;
        let of = |group: &str| {
            let begin = all.partition_point(|info| info.name.as_str() < format!("{group}/").as_str());
            let prefix = format!("{group}/");
            all[begin..].iter().map_while(move |info| {
                let name = info.name.strip_prefix(&prefix)?.to_owned();
                Some(Info { name, ..info.clone() })
            })
        };
        // Each array's rows add up; all else is the first episode's.
        let mut arrays: Vec<Info> = of(&groups[0]).filter(|info| !info.shape.is_empty()).collect();
        let rows_of =
            |infos: &[Info], name: &str| infos.iter().find(|info| info.name == name).map(Info::rows);
        let mut lengths = Vec::new();
        arrays.iter_mut().for_each(|info| info.shape[0] = 0);
        for group in &groups {
            let infos: Vec<Info> = of(group).filter(|info| !info.shape.is_empty()).collect();
            let same = |(a, b): (&Info, &Info)| {
                a.name == b.name && a.dtype == b.dtype && a.shape[1..] == b.shape[1..]
            };
            if infos.len() != arrays.len() || !infos.iter().zip(&arrays).all(same) {
                return Err(wrong(group, &format!("its arrays are not those of `{}`", groups[0])));
            }
            let length = rows_of(&infos, "actions")
                .ok_or_else(|| wrong(group, "it has no `actions`: expected Minari's arrays"))?;
            if rows_of(&infos, "observations").is_some_and(|rows| rows != length + 1) {
                return Err(wrong(group, "it lacks the observation after its last action"));
            }
            lengths.push(length);
            arrays.iter_mut().zip(&infos).for_each(|(sum, info)| sum.shape[0] += info.shape[0]);
        }
        Ok(Self { file: Rc::new(file), groups, arrays, lengths })
    }

    /// The arrays of the episodes, each as if they were one.
    pub(crate) fn arrays(&self) -> &[Info] {
        &self.arrays
    }

    /// Steps of each episode.
    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The array `name` of all episodes, some rows at a time.
    pub(crate) fn blocks(&self, name: &str) -> Blocks {
        let names = self.groups.iter().rev().map(|group| format!("{group}/{name}")).collect();
        Blocks { file: Rc::clone(&self.file), names, current: None }
    }
}

/// An array of all episodes, some rows at a time.
pub(crate) struct Blocks {
    file: Rc<Hdf5>,
    /// What is still to be read, the next one last.
    names: Vec<String>,
    current: Option<hdf5::Blocks>,
}

impl Blocks {
    /// The next rows, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Values>> {
        loop {
            if let Some(current) = &mut self.current
                && let Some(values) = current.next()?
            {
                return Ok(Some(values));
            }
            let Some(name) = self.names.pop() else { return Ok(None) };
            self.current = Some(self.file.blocks(&name)?);
        }
    }
}
