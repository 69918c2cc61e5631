//! Reading, one array at a time: a data set's file may be larger than memory.

use super::header::{self, PREAMBLE};
use super::{Array, Values};
use anyhow::Result;
use diagnostics::BadInput;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// An open `.npz` file.
pub struct Reader {
    path: PathBuf,
    archive: zip::ZipArchive<BufReader<File>>,
}

impl Reader {
    /// Opens the file at `path` and reads its table of contents.
    ///
    /// # Errors
    /// [`BadInput`] when there is no such file or it is no zip archive (as when a download broke off).
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).map_err(|error| {
            BadInput::new(format!("cannot open {shown}: {error}"))
                .help("name a file that `numpy.savez` wrote")
        })?;
        let archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| {
            BadInput::new(format!("{shown} is not a whole .npz file: {error}"))
                .help("write it again, for example with `numpy.savez`; a truncated file looks like this")
        })?;
        Ok(Self { path: path.to_owned(), archive })
    }

    /// The names of the arrays, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .archive
            .file_names()
            .filter_map(|name| name.ok()?.strip_suffix(".npy").map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// Whether there is an array `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// Reads the array `name`.
    ///
    /// # Errors
    /// [`BadInput`] when it is missing, damaged, or of a type or order that is not supported.
    pub fn array(&mut self, name: &str) -> Result<Array> {
        let Some(index) = self.archive.index_for_name(&format!("{name}.npy")) else {
            let names = self.names();
            let found = if names.is_empty() { "no arrays".to_owned() } else { names.join(", ") };
            let message = format!("{} has no array `{name}`: it holds {found}", self.path.display());
            return Err(BadInput::new(message).into());
        };
        let wrong = |why: String| {
            anyhow::Error::from(BadInput::new(format!("array `{name}` of {}: {why}", self.path.display())))
        };
        let mut member = self.archive.by_index(index).map_err(|e| wrong(format!("it is damaged ({e})")))?;
        read_array(&mut member).map_err(wrong)
    }
}

fn read_array(member: &mut impl Read) -> Result<Array, String> {
    let mut start = Vec::new();
    take(member, PREAMBLE, &mut start)?;
    let (begin, length) = header::extent(&start)?;
    take(member, (begin + length).saturating_sub(PREAMBLE), &mut start)?;
    let text = start.get(begin..begin + length).ok_or("its header is cut short")?;
    let header = header::parse(&String::from_utf8_lossy(text))?;
    let size = header::payload(&header).ok_or("its shape is too large")?;
    let mut bytes = Vec::new();
    take(member, size, &mut bytes)?;
    // Reading to the end is what makes the archive compare its checksum.
    let mut rest = [0; 1];
    if member.read(&mut rest).map_err(|error| format!("it is damaged ({error})"))? != 0 {
        return Err(format!("it has more bytes than its shape {:?} of {}", header.shape, header.dtype));
    }
    Ok(Array { values: decode(header.dtype, &bytes), shape: header.shape })
}

/// Appends exactly `count` bytes. The count comes from the file, so memory is claimed as bytes arrive, not before.
fn take(member: &mut impl Read, count: usize, into: &mut Vec<u8>) -> Result<(), String> {
    let found =
        member.take(count as u64).read_to_end(into).map_err(|error| format!("it is damaged ({error})"))?;
    if found == count { Ok(()) } else { Err(format!("it is cut short: found {found} bytes of {count}")) }
}

fn decode(dtype: super::Dtype, bytes: &[u8]) -> Values {
    use super::Dtype;
    macro_rules! numbers {
        ($type:ty) => {
            bytes.as_chunks().0.iter().map(|&chunk| <$type>::from_le_bytes(chunk)).collect()
        };
    }
    match dtype {
        Dtype::Bool => Values::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        Dtype::U8 => Values::U8(bytes.to_vec()),
        Dtype::I32 => Values::I32(numbers!(i32)),
        Dtype::I64 => Values::I64(numbers!(i64)),
        Dtype::F32 => Values::F32(numbers!(f32)),
        Dtype::F64 => Values::F64(numbers!(f64)),
    }
}
