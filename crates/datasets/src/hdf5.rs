//! HDF5 files: which arrays there are, and reading them some rows at a time.
//!
//! Every layout that h5py writes is read, and converted: chunks of one column each, big-endian numbers, truth values as
//! an enumeration. HDF5 has no checksum over its older structures: only the SHA-256 of the whole file tells that no byte
//! of it changed.

use crate::array::{Dtype, Values};
use crate::source::Info;
use anyhow::Result;
use diagnostics::BadInput;
use rust_hdf5::{DatatypeMessage, FileLocking, H5Dataset, H5File, H5Type};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An open HDF5 file.
pub(crate) struct Hdf5 {
    path: PathBuf,
    file: H5File,
    /// Length of the file.
    length: u64,
}

impl Hdf5 {
    /// Opens the file at `path`, which begins as HDF5 does.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let broken = |error: &dyn std::fmt::Display| {
            BadInput::new(format!("{} is not a whole HDF5 file: {error}", path.display()))
                .help("fetch it again (`cargo xtask data get`); a truncated file looks like this")
        };
        let length = path.metadata().map_err(|error| broken(&error))?.len();
        let end = end(path).map_err(|error| broken(&error))?;
        if length < end {
            return Err(broken(&format!("{length} of {end} bytes are there")).into());
        }
        // A file that nobody writes to needs no lock, which some network file systems do not have.
        let options = H5File::options().locking(FileLocking::Disabled);
        let file = options.open(path).map_err(|error| broken(&error))?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// The arrays, sorted by name.
    pub(crate) fn arrays(&self) -> Result<Vec<Info>> {
        let mut names = self.file.dataset_names();
        names.sort();
        names.iter().map(|name| self.info(name)).collect()
    }

    /// The names of the groups at the top.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.file.root_group().group_names().unwrap_or_default()
    }

    fn info(&self, name: &str) -> Result<Info> {
        let dataset = self.dataset(name)?;
        let datatype = dataset.datatype().map_err(|error| self.wrong(name, &error))?;
        let numbers = dtype(&datatype);
        let dtype = numbers.map_or_else(|| text(&datatype), |dtype| dtype.to_string());
        Ok(Info { name: name.to_owned(), dtype, numbers, shape: dataset.shape() })
    }

    fn dataset(&self, name: &str) -> Result<H5Dataset> {
        self.file.dataset(name).map_err(|error| self.wrong(name, &error))
    }

    /// The array `name`, some rows at a time.
    pub(crate) fn blocks(&self, name: &str) -> Result<Blocks> {
        let dataset = self.dataset(name)?;
        let info = self.info(name)?;
        let Some(dtype) = info.numbers else {
            let known = Dtype::ALL.map(|row| row.2).join(", ");
            let why = format!("its elements are {}: expected one of {known}", info.dtype);
            return Err(self.wrong(name, &why));
        };
        let shape = info.shape;
        // Deflate makes at most 1,032 bytes of one: what claims to hold more is damaged.
        let most = self.length.saturating_mul(1032);
        let bytes = |axes: &[usize]| {
            let bytes = axes.iter().try_fold(dtype.size(), |bytes, &axis| bytes.checked_mul(axis));
            bytes.filter(|&bytes| bytes as u64 <= most)
        };
        let chunk = dataset.chunk_dims();
        let (Some(size), Some(_)) = (bytes(&shape), bytes(chunk.as_deref().unwrap_or_default())) else {
            let chunks = chunk.map(|chunk| format!(" in chunks of {chunk:?}")).unwrap_or_default();
            let why = format!(
                "its shape is {shape:?}{chunks}: a file of {} bytes does not hold that much",
                self.length
            );
            return Err(self.wrong(name, &why));
        };
        let rows = shape.first().copied().unwrap_or(1);
        // Each chunk is read once; where there are none, some 256 KiB at a time.
        let some = || (1 << 18) / (size / rows.max(1)).max(1);
        let block = chunk.and_then(|chunk| chunk.first().copied()).unwrap_or_else(some).clamp(1, rows.max(1));
        let prefix = format!("`{name}` of {}", self.path.display());
        Ok(Blocks { dataset, dtype, shape, block, next: 0, prefix })
    }

    fn wrong(&self, name: &str, why: &dyn std::fmt::Display) -> anyhow::Error {
        BadInput::new(format!("`{name}` of {}: {why}", self.path.display())).into()
    }
}

/// An array of a file, some rows at a time.
pub(crate) struct Blocks {
    dataset: H5Dataset,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Rows of a block.
    block: usize,
    /// The next row.
    next: usize,
    prefix: String,
}

impl Blocks {
    /// The next rows, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Values>> {
        let rows = self.shape.first().copied().unwrap_or(1);
        if self.next >= rows {
            return Ok(None);
        }
        let begin = self.next;
        self.next += self.block;
        let values = self.values(begin, self.block.min(rows - begin));
        let wrong = |error| BadInput::new(format!("{}: it is damaged ({error})", self.prefix));
        Ok(Some(values.map_err(wrong)?))
    }

    fn values(&self, begin: usize, rows: usize) -> rust_hdf5::Result<Values> {
        let bools = |bytes: Vec<u8>| Values::Bool(bytes.into_iter().map(|byte| byte != 0).collect());
        Ok(match self.dtype {
            Dtype::Bool => bools(self.read(begin, rows)?),
            Dtype::U8 => Values::U8(self.read(begin, rows)?),
            Dtype::I32 => Values::I32(self.read(begin, rows)?),
            Dtype::I64 => Values::I64(self.read(begin, rows)?),
            Dtype::F32 => Values::F32(self.read(begin, rows)?),
            Dtype::F64 => Values::F64(self.read(begin, rows)?),
        })
    }

    fn read<T: H5Type>(&self, begin: usize, rows: usize) -> rust_hdf5::Result<Vec<T>> {
        let (mut starts, mut counts) = (vec![0; self.shape.len()], self.shape.clone());
        match (starts.first_mut(), counts.first_mut()) {
            (Some(start), Some(count)) => (*start, *count) = (begin, rows),
            _ => return self.dataset.read_raw(),
        }
        self.dataset.read_slice(&starts, &counts)
    }
}

/// Where the file says that it ends.
fn end(path: &Path) -> std::io::Result<u64> {
    let mut start = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut start)?;
    // The superblock's versions, and where each keeps the address of the end, in eight bytes nearly always.
    let (width, place) = match start.get(8) {
        Some(0) => (13, 40),
        Some(1) => (13, 44),
        _ => (9, 28),
    };
    let bytes = start.get(place..place + 8).and_then(|bytes| bytes.try_into().ok());
    let known = start.get(width) == Some(&8);
    Ok(bytes.filter(|_| known).map_or(0, u64::from_le_bytes))
}

/// The elements' type, where they are numbers or truth values that we know.
fn dtype(datatype: &DatatypeMessage) -> Option<Dtype> {
    match datatype {
        DatatypeMessage::FixedPoint { size: 1, signed: false, .. } => Some(Dtype::U8),
        DatatypeMessage::FixedPoint { size: 4, signed: true, .. } => Some(Dtype::I32),
        DatatypeMessage::FixedPoint { size: 8, signed: true, .. } => Some(Dtype::I64),
        DatatypeMessage::FloatingPoint { size, .. } => match (size, datatype.ieee_format()?) {
            (4, _) => Some(Dtype::F32),
            (8, _) => Some(Dtype::F64),
            _ => None,
        },
        // As h5py writes truth values.
        DatatypeMessage::Enum { members, .. } if datatype.element_size() == 1 => {
            let names = [&members.first()?.name[..], &members.get(1)?.name[..]];
            (members.len() == 2 && names == ["FALSE", "TRUE"]).then_some(Dtype::Bool)
        }
        _ => None,
    }
}

/// What else there is, in words.
fn text(datatype: &DatatypeMessage) -> String {
    match datatype {
        DatatypeMessage::FixedString { .. } | DatatypeMessage::VarLenString { .. } => "string".to_owned(),
        other => other.to_string(),
    }
}
