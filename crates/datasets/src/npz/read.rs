//! Reading, one array at a time or some rows at a time: a data set's file may be larger than memory.

use super::header::{self, Header, PREAMBLE};
use super::{Array, Dtype, Values};
use anyhow::Result;
use diagnostics::BadInput;
use flate2::{Crc, bufread::DeflateDecoder};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use zip::CompressionMethod;

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
        let (header, mut member) = self.begin(name)?;
        read_array(header, &mut member).map_err(|why| self.wrong(name, &why))
    }

    /// The type and the shape of the array `name`.
    pub(crate) fn shape(&mut self, name: &str) -> Result<(Dtype, Vec<usize>)> {
        let (header, _) = self.begin(name)?;
        Ok((header.dtype, header.shape))
    }

    /// The array `name`, some rows at a time. The file is opened once more: several arrays may be read in step.
    pub(crate) fn blocks(&mut self, name: &str) -> Result<Blocks> {
        let (header, member) = self.begin(name)?;
        let bytes = header::payload(&header).ok_or_else(|| self.wrong(name, "its shape is too large"))?;
        let axes = header.shape.iter().skip(1);
        let row = axes.fold(1, |row: usize, &axis| row.saturating_mul(axis)).max(1);
        let block = row.saturating_mul(((1 << 16) / row).max(1));
        let prefix = format!("array `{name}` of {}", self.path.display());
        let left = bytes / header.dtype.size();
        Ok(Blocks { dtype: header.dtype, member, left, block, prefix, bytes: Vec::new() })
    }

    /// Reads the header of the array `name`; its elements follow.
    fn begin(&mut self, name: &str) -> Result<(Header, Member)> {
        let Some(index) = self.archive.index_for_name(&format!("{name}.npy")) else {
            let names = self.names();
            let found = if names.is_empty() { "no arrays".to_owned() } else { names.join(", ") };
            let message = format!("{} has no array `{name}`: it holds {found}", self.path.display());
            return Err(BadInput::new(message).into());
        };
        let mut member = self.member(index).map_err(|why| self.wrong(name, &why))?;
        let header = read_header(&mut member).map_err(|why| self.wrong(name, &why))?;
        Ok((header, member))
    }

    fn member(&mut self, index: usize) -> Result<Member, String> {
        let damaged = |why: &dyn std::fmt::Display| format!("it is damaged ({why})");
        let entry = self.archive.by_index(index).map_err(|error| damaged(&error))?;
        let start = entry.data_start().ok_or_else(|| damaged(&"its place is unknown"))?;
        let mut file = File::open(&self.path).map_err(|error| damaged(&error))?;
        file.seek(SeekFrom::Start(start)).map_err(|error| damaged(&error))?;
        let stored = BufReader::with_capacity(1 << 16, file.take(entry.compressed_size()));
        let elements: Box<dyn Read> = match entry.compression() {
            CompressionMethod::Stored => Box::new(stored),
            CompressionMethod::Deflated => Box::new(DeflateDecoder::new(stored)),
            method => return Err(format!("it is compressed by {method}: expected deflate or none")),
        };
        Ok(Member { elements, sum: Crc::new(), expected: entry.crc32() })
    }

    fn wrong(&self, name: &str, why: &str) -> anyhow::Error {
        BadInput::new(format!("array `{name}` of {}: {why}", self.path.display())).into()
    }
}

/// The bytes of one member, whose checksum is compared at its end.
struct Member {
    elements: Box<dyn Read>,
    sum: Crc,
    expected: u32,
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.elements.read(buffer)?;
        self.sum.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() && self.sum.sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is another"));
        }
        Ok(count)
    }
}

/// An array of a file, some rows at a time.
pub(crate) struct Blocks {
    dtype: Dtype,
    member: Member,
    /// Elements not read yet.
    left: usize,
    /// Elements of a block: whole rows.
    block: usize,
    /// How messages begin.
    prefix: String,
    bytes: Vec<u8>,
}

impl Blocks {
    /// The next rows, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Values>> {
        let wrong = |why: String| anyhow::Error::from(BadInput::new(format!("{}: {why}", self.prefix)));
        if self.left == 0 {
            at_end(&mut self.member).map_err(wrong)?;
            return Ok(None);
        }
        let count = self.block.min(self.left);
        self.bytes.clear();
        take(&mut self.member, count * self.dtype.size(), &mut self.bytes).map_err(wrong)?;
        self.left -= count;
        Ok(Some(decode(self.dtype, &self.bytes)))
    }
}

fn read_header(member: &mut impl Read) -> Result<Header, String> {
    let mut start = Vec::new();
    take(member, PREAMBLE, &mut start)?;
    let (begin, length) = header::extent(&start)?;
    // In version 1 two bytes of the dictionary are here already, and a dictionary is longer.
    let missing = (begin + length).checked_sub(PREAMBLE).ok_or("its header is cut short")?;
    take(member, missing, &mut start)?;
    header::parse(&String::from_utf8_lossy(&start[begin..]))
}

fn read_array(header: Header, member: &mut impl Read) -> Result<Array, String> {
    let size = header::payload(&header).ok_or("its shape is too large")?;
    let mut bytes = Vec::new();
    take(member, size, &mut bytes)?;
    at_end(member)?;
    Ok(Array { values: decode(header.dtype, &bytes), shape: header.shape })
}

/// Reads on after the last element, which is what compares the checksum.
fn at_end(member: &mut impl Read) -> Result<(), String> {
    match member.read(&mut [0; 1]) {
        Ok(0) => Ok(()),
        Ok(_) => Err("it has more bytes than its shape".to_owned()),
        Err(error) => Err(format!("it is damaged ({error})")),
    }
}

/// Appends exactly `count` bytes. The count comes from the file, so memory is claimed as bytes arrive, not before.
fn take(member: &mut impl Read, count: usize, into: &mut Vec<u8>) -> Result<(), String> {
    let found =
        member.take(count as u64).read_to_end(into).map_err(|error| format!("it is damaged ({error})"))?;
    if found == count { Ok(()) } else { Err(format!("it is cut short: found {found} bytes of {count}")) }
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Values {
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
