//! Rows that only ever grow in number, appended as they come.

use crate::{Result, at, remove, there, write_all};
use anyhow::{anyhow, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Numbered rows of float32 values in files of a folder, each file for `rows_a_file` of them, so that old rows can be
/// forgotten. What is appended at once is a segment with a checksum of its own.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    rows_a_file: u64,
    mark: Mark,
}

/// How far a journal reaches: its last file and that file's length in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The number of the last file.
    pub file: u64,
    /// Its length.
    pub bytes: u64,
}

/// First row, number of rows, number of values, SHA-256.
const HEADER: usize = 8 + 8 + 8 + 32;

impl Journal {
    /// An empty one in `folder`, which exists.
    #[must_use]
    pub fn new(folder: &Path, rows_a_file: u64) -> Self {
        Self { folder: folder.to_owned(), rows_a_file: rows_a_file.max(1), mark: Mark::default() }
    }

    /// How far it reaches.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.mark
    }

    fn path(&self, file: u64) -> PathBuf {
        self.folder.join(format!("{file}.journal"))
    }

    /// The row with which the file of `row` ends, plus one: no segment may go beyond it.
    #[must_use]
    pub fn end_of_file(&self, row: u64) -> u64 {
        (row / self.rows_a_file + 1).saturating_mul(self.rows_a_file)
    }

    /// Appends the rows from `first`, `count` of them, and has them on disk before it returns.
    ///
    /// # Errors
    /// If the disk does not take them. They can then be appended again.
    pub fn append(&mut self, first: u64, count: u64, values: &[f32]) -> Result<()> {
        let file = first / self.rows_a_file;
        if file != self.mark.file {
            self.cut()?;
        }
        let start = if file == self.mark.file { self.mark.bytes } else { 0 };
        let numbers = [first, count, values.len() as u64];
        let mut segment = Vec::with_capacity(HEADER + 4 * values.len());
        numbers.iter().for_each(|n| segment.extend_from_slice(&n.to_le_bytes()));
        segment.extend_from_slice(&[0; 32]);
        values.iter().for_each(|x| segment.extend_from_slice(&x.to_le_bytes()));
        let digest = digest(&segment);
        segment[24..HEADER].copy_from_slice(&digest);
        let path = self.path(file);
        let append = || {
            let mut out = File::options().write(true).create(true).truncate(false).open(&path)?;
            // What a failed try may have left is cut off.
            out.set_len(start)?;
            out.seek(SeekFrom::Start(start))?;
            write_all(&mut out, &segment)?;
            out.sync_data()
        };
        at("write", &path, append())?;
        self.mark = Mark { file, bytes: start + segment.len() as u64 };
        Ok(())
    }

    /// Goes back to `mark` and hands over all rows up to there, segment by segment: first row, number of rows, values.
    ///
    /// # Errors
    /// [`crate::Error`] if the disk does not hand out what is there; another if a segment is damaged or missing; or as
    /// `take`.
    pub fn read(
        &mut self,
        mark: Mark,
        mut take: impl FnMut(u64, u64, &[f32]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let files = self.files()?;
        if mark.bytes > 0 && !files.contains(&mark.file) {
            bail!("{}: it is not there", self.path(mark.file).display());
        }
        for file in files.into_iter().filter(|file| *file <= mark.file) {
            let path = self.path(file);
            let named = |what: &str| anyhow!("{}: {what}", path.display());
            let mut bytes = Vec::new();
            let length = if file == mark.file { mark.bytes } else { u64::MAX };
            at(
                "read",
                &path,
                File::open(&path).and_then(|input| input.take(length).read_to_end(&mut bytes)),
            )?;
            if file == mark.file && (bytes.len() as u64) < length {
                return Err(named("it is cut off"));
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let segment = parse(rest).map_err(named)?;
                let ([first, count, _], values) = (segment.numbers, segment.values());
                take(first, count, &values).map_err(|what| named(&what.to_string()))?;
                rest = &rest[segment.length..];
            }
        }
        self.mark = mark;
        Ok(())
    }

    /// Removes what lies beyond the mark: rows that no checkpoint knows, and what a failed try left.
    ///
    /// # Errors
    /// If the disk does not do it.
    pub fn cut(&self) -> Result<()> {
        let beyond = self.files()?.into_iter().filter(|file| *file > self.mark.file);
        beyond.map(|file| self.path(file)).try_for_each(|path| remove(&path))?;
        let path = self.path(self.mark.file);
        let cut = File::options().write(true).open(&path).and_then(|file| file.set_len(self.mark.bytes));
        there("write", &path, cut).map(drop)
    }

    /// Removes the files whose rows are all before `row`.
    ///
    /// # Errors
    /// If the disk does not do it.
    pub fn forget(&self, row: u64) -> Result<()> {
        let old = |file: &u64| *file < row / self.rows_a_file;
        self.files()?.into_iter().filter(old).try_for_each(|file| remove(&self.path(file)))
    }

    /// The numbers of the files, in order.
    fn files(&self) -> Result<Vec<u64>> {
        let names = |entries: fs::ReadDir| {
            entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<OsString>>>()
        };
        let found = there("list", &self.folder, fs::read_dir(&self.folder).and_then(names))?;
        let number = |name: OsString| name.to_str()?.strip_suffix(".journal")?.parse().ok();
        let mut files: Vec<u64> = found.into_iter().flatten().filter_map(number).collect();
        files.sort_unstable();
        Ok(files)
    }
}

struct Segment<'a> {
    numbers: [u64; 3],
    payload: &'a [u8],
    length: usize,
}

impl Segment<'_> {
    fn values(&self) -> Vec<f32> {
        self.payload.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

/// The segment at the beginning of `bytes`.
fn parse(bytes: &[u8]) -> std::result::Result<Segment<'_>, &'static str> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or("it is cut off")?;
    let number = |i: usize| u64::from_le_bytes(header[8 * i..8 * i + 8].try_into().expect("eight bytes"));
    let numbers = [0, 1, 2].map(number);
    let size = usize::try_from(numbers[2]).ok().and_then(|n| n.checked_mul(4));
    let payload = size.and_then(|size| rest.get(..size)).ok_or("a segment is cut off")?;
    let length = HEADER + payload.len();
    if header[24..] != digest(&bytes[..length]) {
        return Err("the checksum of a segment is wrong");
    }
    Ok(Segment { numbers, payload, length })
}

/// Of a segment without its checksum.
fn digest(segment: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(&segment[..24]);
    hasher.update(&segment[HEADER..]);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(journal: &mut Journal, mark: Mark) -> anyhow::Result<Vec<(u64, Vec<f32>)>> {
        let mut rows = Vec::new();
        journal.read(mark, |first, _, values| {
            rows.push((first, values.to_vec()));
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn rows_come_back_up_to_a_mark_and_what_is_beyond_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path(), 4);
        journal.append(0, 3, &[0.0, 1.0, 2.0]).unwrap();
        let early = journal.mark();
        journal.append(3, 1, &[3.0]).unwrap();
        journal.append(4, 2, &[4.0, 5.0]).unwrap();
        let late = journal.mark();
        assert_eq!((early.file, late.file), (0, 1));

        let mut again = Journal::new(folder.path(), 4);
        let expected = [(0, vec![0.0, 1.0, 2.0]), (3, vec![3.0]), (4, vec![4.0, 5.0])];
        assert_eq!(rows(&mut again, late).unwrap(), expected);
        assert_eq!(rows(&mut again, early).unwrap(), expected[..1]);
        again.cut().unwrap();
        assert!(!again.path(1).exists());
        again.append(3, 1, &[-3.0]).unwrap();
        let mark = again.mark();
        assert_eq!(rows(&mut again, mark).unwrap(), [(0, vec![0.0, 1.0, 2.0]), (3, vec![-3.0])]);

        again.append(4, 4, &[4.0; 4]).unwrap();
        again.forget(5).unwrap();
        let mark = again.mark();
        assert_eq!(rows(&mut again, mark).unwrap(), [(4, vec![4.0; 4])]);
    }

    #[test]
    fn what_a_failed_try_left_is_gone_with_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path(), 4);
        journal.append(0, 3, &[0.0, 1.0, 2.0]).unwrap();
        // As a full disk leaves them: half a segment in the file of the last good one, and in the file after it.
        let good = fs::read(journal.path(0)).unwrap();
        fs::write(journal.path(0), [&good[..], &[7; 9]].concat()).unwrap();
        fs::write(journal.path(1), [7; 9]).unwrap();
        journal.append(12, 1, &[12.0]).unwrap();
        let mark = journal.mark();
        let expected = [(0, vec![0.0, 1.0, 2.0]), (12, vec![12.0])];
        assert_eq!(rows(&mut Journal::new(folder.path(), 4), mark).unwrap(), expected);
    }

    #[test]
    fn no_damage_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::new(folder.path(), 100);
        journal.append(0, 2, &[1.0, 2.0, 3.0]).unwrap();
        journal.append(2, 2, &[4.0, 5.0]).unwrap();
        let mark = journal.mark();
        let whole = fs::read(journal.path(0)).unwrap();
        let mut check = |bytes: &[u8]| {
            fs::write(folder.path().join("0.journal"), bytes).unwrap();
            rows(&mut journal, mark).unwrap_err();
        };
        for i in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[i] ^= 1 << (i % 8);
            check(&bytes);
            check(&whole[..i]);
        }
    }
}
