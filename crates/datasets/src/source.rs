//! A file of any layout: its arrays, and reading them in step, some rows at a time.

use crate::array::{Dtype, Values};
use crate::hdf5::{self, Hdf5};
use crate::minari;
use crate::npz;
use anyhow::Result;
use diagnostics::BadInput;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a file lays out its transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// D4RL's HDF5: one row a step, beside it whether the task or the time ended there.
    D4rl,
    /// OGBench's npz: one row a state, the last of an episode marked in `terminals`; no rewards.
    Ogbench,
    /// Minari's HDF5: one group an episode, one observation more than actions.
    Minari,
}

impl Layout {
    /// How messages name it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Layout::D4rl => "D4RL's HDF5",
            Layout::Ogbench => "OGBench's npz",
            Layout::Minari => "Minari's HDF5",
        }
    }
}

/// What a file says of one of its arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its name, with its groups: `infos/qpos`.
    pub name: String,
    /// The type of its elements, as NumPy names it; `string` for text.
    pub dtype: String,
    /// The same, where it can be read as numbers.
    pub numbers: Option<Dtype>,
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<usize>,
}

impl Info {
    /// Numbers of a row.
    pub(crate) fn width(&self) -> usize {
        self.shape.iter().skip(1).fold(1, |width: usize, &axis| width.saturating_mul(axis))
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }
}

/// An open file.
pub struct Source {
    path: PathBuf,
    layout: Layout,
    arrays: Vec<Info>,
    kind: Kind,
}

enum Kind {
    Hdf5(Hdf5),
    Minari(minari::Episodes),
    Npz(Box<npz::Reader>),
}

impl Source {
    /// Opens the file at `path`, or the folder of a Minari data set, and reads what arrays there are.
    ///
    /// # Errors
    /// [`BadInput`] when there is none, it is damaged, or its name says that it is another kind of file.
    pub fn open(path: &Path) -> Result<Self> {
        let path = &minari::main_file(path);
        let (layout, kind) = match magic(path)? {
            Magic::Npz => (Layout::Ogbench, Kind::Npz(Box::new(npz::Reader::open(path)?))),
            Magic::Hdf5 => {
                let file = Hdf5::open(path)?;
                if file.groups().iter().any(|group| minari::episode_number(group).is_some()) {
                    (Layout::Minari, Kind::Minari(minari::Episodes::new(path, file)?))
                } else {
                    (Layout::D4rl, Kind::Hdf5(file))
                }
            }
        };
        let mut source = Self { path: path.clone(), layout, arrays: Vec::new(), kind };
        source.arrays = source.list()?;
        Ok(source)
    }

    fn list(&mut self) -> Result<Vec<Info>> {
        match &mut self.kind {
            Kind::Hdf5(file) => file.arrays(),
            Kind::Minari(episodes) => Ok(episodes.arrays().to_vec()),
            Kind::Npz(reader) => {
                let names = reader.names();
                let info = |name: String| {
                    let (dtype, shape) = reader.shape(&name)?;
                    Ok(Info { name, dtype: dtype.to_string(), numbers: Some(dtype), shape })
                };
                names.into_iter().map(info).collect()
            }
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it lays out its transitions.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its arrays, sorted by name.
    #[must_use]
    pub fn arrays(&self) -> &[Info] {
        &self.arrays
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Info> {
        self.arrays.iter().find(|info| info.name == name)
    }

    /// What the file says of the array `name`.
    pub(crate) fn info(&self, name: &str) -> Result<&Info> {
        self.find(name).ok_or_else(|| {
            let names: Vec<&str> = self.arrays.iter().map(|info| &info.name[..]).collect();
            let found = if names.is_empty() { "no arrays".to_owned() } else { names.join(", ") };
            let message = format!("{} has no `{name}`: it holds {found}", self.path.display());
            BadInput::new(message).help(format!("a file in {} has it", self.layout.title())).into()
        })
    }

    /// The array `name`, some rows at a time.
    pub(crate) fn blocks(&mut self, name: &str) -> Result<Blocks> {
        self.info(name)?;
        Ok(match &mut self.kind {
            Kind::Hdf5(file) => Blocks::Hdf5(file.blocks(name)?),
            Kind::Minari(episodes) => Blocks::Minari(episodes.blocks(name)),
            Kind::Npz(reader) => Blocks::Npz(reader.blocks(name)?),
        })
    }

    /// The array `name` of `rows` rows, row by row.
    pub(crate) fn rows(&mut self, name: &str, rows: usize) -> Result<Rows> {
        let info = self.info(name)?;
        let (found, width) = (info.rows(), info.width());
        if info.shape.is_empty() || width == 0 {
            return Err(self.wrong(name, &format!("its shape is {:?}: expected rows of numbers", info.shape)));
        }
        if found != rows {
            return Err(self.wrong(name, &format!("it has {found} rows: expected {rows}, as others have")));
        }
        let prefix = format!("`{name}` of {}", self.path.display());
        Ok(Rows { blocks: self.blocks(name)?, width, block: Vec::new(), at: 0, row: 0, prefix })
    }

    /// The array `name` of `rows` rows of `width` numbers, row by row.
    pub(crate) fn column(&mut self, name: &str, rows: usize, width: usize) -> Result<Rows> {
        let info = self.info(name)?;
        if info.width() != width {
            let found = format!("a row has {} numbers (its shape is {:?})", info.width(), info.shape);
            return Err(self.wrong(name, &format!("{found}: expected {width}")));
        }
        self.rows(name, rows)
    }

    pub(crate) fn wrong(&self, name: &str, why: &str) -> anyhow::Error {
        BadInput::new(format!("`{name}` of {}: {why}", self.path.display())).into()
    }

    /// Minari's episodes, where it is one of its files.
    pub(crate) fn episodes(&self) -> Option<&minari::Episodes> {
        match &self.kind {
            Kind::Minari(episodes) => Some(episodes),
            _ => None,
        }
    }
}

/// An array, some rows at a time.
pub(crate) enum Blocks {
    Hdf5(hdf5::Blocks),
    Minari(minari::Blocks),
    Npz(npz::Blocks),
}

impl Blocks {
    /// The next rows, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Values>> {
        match self {
            Blocks::Hdf5(blocks) => blocks.next(),
            Blocks::Minari(blocks) => blocks.next(),
            Blocks::Npz(blocks) => blocks.next(),
        }
    }
}

/// An array, row by row, as float32.
pub(crate) struct Rows {
    blocks: Blocks,
    width: usize,
    block: Vec<f32>,
    /// Where the next row begins in the block.
    at: usize,
    /// Number of the next row.
    row: usize,
    prefix: String,
}

impl Rows {
    /// The next row; the caller knows that there is one. Its numbers are finite.
    pub(crate) fn next(&mut self) -> Result<&[f32]> {
        if self.at == self.block.len() {
            self.block.clear();
            self.at = 0;
            match self.blocks.next()? {
                Some(values) => values.append_to(&mut self.block),
                None => return Err(self.wrong("it ends early")),
            }
            if let Some(place) = self.block.iter().position(|x| !x.is_finite()) {
                let row = self.row + place / self.width;
                return Err(
                    self.wrong(&format!("row {row} holds {}: expected finite numbers", self.block[place]))
                );
            }
        }
        let (start, end) = (self.at, self.at + self.width);
        if end > self.block.len() {
            return Err(self.wrong("it ends within a row"));
        }
        (self.at, self.row) = (end, self.row + 1);
        Ok(&self.block[start..end])
    }

    fn wrong(&self, why: &str) -> anyhow::Error {
        BadInput::new(format!("{}: {why}", self.prefix)).into()
    }
}

enum Magic {
    Hdf5,
    Npz,
}

/// What the file's first bytes say that it is, which its name must not contradict.
fn magic(path: &Path) -> Result<Magic> {
    let shown = path.display();
    let mut start = Vec::new();
    let file = File::open(path).and_then(|file| file.take(64).read_to_end(&mut start));
    file.map_err(|error| {
        BadInput::new(format!("cannot read {shown}: {error}"))
            .help("name a data set's file, or one that `cargo xtask data list` knows")
    })?;
    let (magic, kind, extension) = if start.starts_with(b"\x89HDF\r\n\x1a\n") {
        (Magic::Hdf5, "an HDF5 file", "hdf5")
    } else if start.starts_with(b"PK") {
        (Magic::Npz, "a zip archive", "npz")
    } else {
        let found: String = String::from_utf8_lossy(&start).chars().take(24).collect();
        let found =
            if start.is_empty() { "it is empty".to_owned() } else { format!("it begins with {found:?}") };
        let message = format!("{shown} is neither an HDF5 file nor an .npz file: {found}");
        let help = "fetch it again: a refused download leaves such a file";
        return Err(BadInput::new(message).help(help).into());
    };
    let found = path.extension().and_then(|found| found.to_str()).unwrap_or_default();
    if matches!((extension, found), ("hdf5", "npz") | ("npz", "hdf5" | "h5")) {
        let message = format!("{shown} is {kind}, but its name ends in .{found}");
        return Err(BadInput::new(message).help(format!("rename it so that it ends in .{extension}")).into());
    }
    Ok(magic)
}
