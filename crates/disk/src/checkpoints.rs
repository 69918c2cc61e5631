//! The last two checkpoints of a run.

use crate::{Result, replace, there};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Two files in a folder, written in turn, so that the one before is there until the next is whole.
#[derive(Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// The number of the last good one, and its file.
    last: Option<(u64, usize)>,
}

/// What was found of the two.
#[derive(Debug, Default)]
pub struct Found {
    /// Good ones, the newest first: number and content.
    pub good: Vec<(u64, Vec<u8>)>,
    /// Those that are not.
    pub damaged: Vec<Damaged>,
}

/// A file that is no whole checkpoint.
#[derive(Debug)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: &'static str,
}

const NAMES: [&str; 2] = ["a.checkpoint", "b.checkpoint"];
const MAGIC: &[u8; 8] = b"REPRISE1";
/// What a file is that begins as a checkpoint of another version does.
const OTHER_VERSION: &str = "it is of another version of this program, which alone can go on from it";
/// Magic, number, length, SHA-256.
const HEADER: usize = 8 + 8 + 8 + 32;

impl Checkpoints {
    /// Those of `folder`, which need not exist.
    ///
    /// # Errors
    /// If the disk does not hand out one that is there.
    pub fn open(folder: &Path) -> Result<(Self, Found)> {
        let mut found = Found::default();
        let mut last = None;
        for (slot, name) in NAMES.iter().enumerate() {
            let path = folder.join(name);
            let Some(bytes) = there("read", &path, fs::read(&path))? else { continue };
            match parse(&bytes) {
                Ok((number, body)) => {
                    last = last.max(Some((number, slot)));
                    found.good.push((number, body.to_vec()));
                }
                Err(what) => found.damaged.push(Damaged { path, what }),
            }
        }
        found.good.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        Ok((Self { folder: folder.to_owned(), last }, found))
    }

    /// Takes the one with `number` for the last: the next is written over the other.
    pub fn go_on_from(&mut self, number: u64) {
        if let Some((last, slot)) = self.last
            && last != number
        {
            self.last = Some((number, 1 - slot));
        }
    }

    /// Writes the next one.
    ///
    /// # Errors
    /// If the disk does not take it; those that were there are still there.
    pub fn write(&mut self, body: &[u8]) -> Result<()> {
        let (number, slot) = self.last.map_or((0, 0), |(number, slot)| (number + 1, 1 - slot));
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&digest(number, body));
        bytes.extend_from_slice(body);
        replace(&self.folder.join(NAMES[slot]), &bytes)?;
        self.last = Some((number, slot));
        Ok(())
    }
}

fn digest(number: u64, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(number.to_le_bytes());
    hasher.update((body.len() as u64).to_le_bytes());
    hasher.update(body);
    hasher.finalize().into()
}

fn parse(bytes: &[u8]) -> std::result::Result<(u64, &[u8]), &'static str> {
    let (header, body) = bytes.split_at_checked(HEADER).ok_or("it is cut off")?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    if &header[..8] != MAGIC {
        let is_ours = header.starts_with(&MAGIC[..7]);
        return Err(if is_ours { OTHER_VERSION } else { "it does not begin as a checkpoint does" });
    }
    if number(16) != body.len() as u64 {
        return Err("its length is not the one it names");
    }
    if header[24..] != digest(number(8), body) {
        return Err("its checksum is wrong");
    }
    Ok((number(8), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(found: &Found) -> Vec<u64> {
        found.good.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn the_last_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mut checkpoints, found) = Checkpoints::open(folder.path()).unwrap();
        assert!(found.good.is_empty() && found.damaged.is_empty());
        for i in 0..5u8 {
            checkpoints.write(&[i; 100]).unwrap();
        }
        let (mut checkpoints, found) = Checkpoints::open(folder.path()).unwrap();
        assert_eq!(found.good, [(4, vec![4; 100]), (3, vec![3; 100])]);
        // Whoever goes on from the older one writes over the newer.
        checkpoints.go_on_from(3);
        checkpoints.write(b"other").unwrap();
        let (_, found) = Checkpoints::open(folder.path()).unwrap();
        assert_eq!(found.good, [(4, b"other".to_vec()), (3, vec![3; 100])]);
    }

    /// Every byte is flipped, and every length is tried.
    #[test]
    fn no_damage_goes_unseen() {
        let folder = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(folder.path()).unwrap();
        (0..2u8).for_each(|i| checkpoints.write(&[i; 300]).unwrap());
        let newest = folder.path().join(NAMES[1]);
        let whole = fs::read(&newest).unwrap();
        let check = |bytes: &[u8]| {
            fs::write(&newest, bytes).unwrap();
            let (_, found) = Checkpoints::open(folder.path()).unwrap();
            assert_eq!((numbers(&found), found.damaged.len()), (vec![0], 1));
        };
        for i in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[i] ^= 1 << (i % 8);
            check(&bytes);
            check(&whole[..i]);
        }
        check(&[&whole[..], &[0]].concat());
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(folder.path()).unwrap();
        checkpoints.write(b"body").unwrap();
        let path = folder.path().join(NAMES[0]);
        let whole = fs::read(&path).unwrap();
        for (at, expected) in [(7, OTHER_VERSION), (0, "it does not begin as a checkpoint does")] {
            let mut bytes = whole.clone();
            bytes[at] ^= 3;
            fs::write(&path, bytes).unwrap();
            assert_eq!(Checkpoints::open(folder.path()).unwrap().1.damaged[0].what, expected);
        }
    }

    /// The number says which one is newer, whatever a clock says.
    #[test]
    fn a_clock_that_was_set_back_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut checkpoints, _) = Checkpoints::open(folder.path()).unwrap();
        (0..4u8).for_each(|i| checkpoints.write(&[i]).unwrap());
        let date = |name: &str, days: u64| {
            let file = fs::File::options().write(true).open(folder.path().join(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400 * days)).unwrap();
        };
        for (a, b) in [(1, 40_000), (40_000, 1)] {
            date(NAMES[0], a);
            date(NAMES[1], b);
            assert_eq!(numbers(&Checkpoints::open(folder.path()).unwrap().1), [3, 2]);
        }
    }
}
