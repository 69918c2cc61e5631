//! Everything that is parsed, damaged at random: each file is read, or refused with a message that names it; nothing
//! panics, hangs, or takes a file's word for how much memory it needs. The files to begin with are the corpus of the
//! fuzzers in `fuzz/`, and what is done with them is what the fuzzers do.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use datasets::npz::{self, Array};
use disk::{Checkpoints, Journal};
use experiment::{Experiment, RunConfig, Store};
use rustix::process::{Resource, Rlimit, setrlimit};
use state::Archive;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};
use streams::Stream;

/// Damaged files of each kind.
const COUNT: usize = 600;

fn corpus_of(fuzzer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(fuzzer)
}

/// Files of one of the fuzzers, by name.
fn corpus(fuzzer: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(corpus_of(fuzzer)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One or two damages: a byte flipped, dropped or doubled, a piece moved or cut, a word that parsers trip over put in, a
/// number made another, a length made huge.
fn damage(random: &mut Stream, bytes: &[u8]) -> Vec<u8> {
    const WORDS: [&str; 14] = [
        "\"",
        ",",
        "\n",
        "\r",
        "nan",
        "-inf",
        "1e999",
        "-0",
        "\u{feff}",
        "\u{e9}",
        "\0",
        "[[",
        "{",
        "18446744073709551616",
    ];
    const NUMBERS: [&str; 12] = [
        "0",
        "1",
        "3",
        "0.5",
        "-1",
        "nan",
        "inf",
        "1e308",
        "-1e308",
        "1e-320",
        "9223372036854775807",
        "18446744073709551615",
    ];
    let mut bytes = bytes.to_vec();
    // Half of them lightly: one byte or one number.
    let is_light = random.index(2) == 0;
    for _ in 0..=random.index(2) {
        let at = random.index(bytes.len() + 1);
        let to = at + random.index(bytes.len() + 1 - at);
        match if is_light { [0, 4, 5, 6][random.index(4)] } else { random.index(9) } {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.index(8),
            1 => drop(bytes.drain(at..to)),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..to].to_vec();
                let place = random.index(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            4 if at < bytes.len() => bytes[at] = random.index(256) as u8,
            5 | 6 => {
                let numbers = numbers(&bytes);
                if !numbers.is_empty() {
                    let place = numbers[random.index(numbers.len())].clone();
                    bytes.splice(place, NUMBERS[random.index(NUMBERS.len())].bytes());
                }
            }
            7 => {
                let size = [2, 4, 8][random.index(3)];
                let number = [u64::MAX, i64::MAX as u64, 1 << 40, 0x0001_0000_0001, 0][random.index(5)];
                let to = bytes.len().min(at + size);
                bytes[at..to].copy_from_slice(&number.to_le_bytes()[..to - at]);
            }
            _ => drop(bytes.splice(at..at, WORDS[random.index(WORDS.len())].bytes())),
        }
    }
    bytes
}

/// Where a text has numbers.
fn numbers(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, byte) in bytes.iter().enumerate() {
        let is_part = byte.is_ascii_digit() || b".-_".contains(byte);
        match found.last_mut() {
            Some(last) if is_part && last.end == i => last.end += 1,
            _ if byte.is_ascii_digit() => found.push(i..i + 1),
            _ => {}
        }
    }
    found
}

/// From now on this process gets a gibibyte more of memory and no other: whoever asks for more is aborted.
fn limit_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let kib: u64 = size.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        let limit = (kib << 10) + (1 << 30);
        setrlimit(Resource::As, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
    });
}

/// Reads every file of the corpus and `count` damaged ones, of which the first line is `kept`; returns how many of the
/// latter could be read.
fn survive(fuzzer: &str, count: usize, kept: bool, read: impl Fn(&[u8]) -> bool) -> usize {
    limit_memory();
    let corpus = corpus(fuzzer);
    assert!(corpus.len() >= 3, "a corpus of {} files", corpus.len());
    let timed = |bytes: &[u8]| {
        let began = Instant::now();
        let read = read(bytes);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?} for {:?}", String::from_utf8_lossy(bytes));
        read
    };
    let began = Instant::now();
    // What is refused as it is gets no better.
    let good: Vec<&Vec<u8>> = corpus.iter().filter(|file| timed(file)).collect();
    let mut random = Stream::new(0, fuzzer);
    let mut whole = 0;
    for i in 0..count {
        let file = good[i % good.len()];
        let head = if kept { file.iter().position(|byte| *byte == b'\n').unwrap() + 1 } else { 0 };
        let bytes = [&file[..head], &damage(&mut random, &file[head..])].concat();
        whole += usize::from(timed(&bytes) && bytes != *file);
    }
    println!("{fuzzer}: {whole} of {count} damaged files could be read; {:.1?}", began.elapsed());
    whole
}

/// As [`survive`]; some of the damaged files can be read, and some cannot, or the damage is of one kind only.
fn read_or_refused(fuzzer: &str, count: usize, read: impl Fn(&[u8]) -> bool) {
    let whole = survive(fuzzer, count, false, read);
    assert!((count / 100..count - count / 100).contains(&whole), "{whole} of {count} could be read");
}

#[test]
fn csv_is_read_or_refused() {
    read_or_refused("scores_csv", 1500, fuzz::scores_csv);
}

#[test]
fn json_is_read_or_refused() {
    read_or_refused("scores_json", 1500, fuzz::scores_json);
}

#[test]
fn experiments_are_read_or_refused() {
    read_or_refused("protocol", COUNT, fuzz::protocol);
    read_or_refused("reference", COUNT, fuzz::reference);
    read_or_refused("claims", COUNT, fuzz::claims);
}

#[test]
fn records_are_read_or_refused() {
    let whole = survive("record", 2 * COUNT, true, fuzz::record);
    assert!((COUNT / 10..2 * COUNT - COUNT / 10).contains(&whole), "{whole} could be read");
}

#[test]
fn no_damaged_checkpoint_is_read() {
    assert_eq!(survive("checkpoint", COUNT, false, fuzz::checkpoint), 0);
}

/// Behind the checksum, too.
#[test]
fn what_a_checkpoint_holds_is_read_or_refused() {
    read_or_refused("archive", 2 * COUNT, fuzz::archive);
    read_or_refused("journal", 2 * COUNT, fuzz::journal);
}

#[test]
fn arrays_are_read_or_refused() {
    read_or_refused("npz", COUNT, fuzz::npz);
    read_or_refused("expert", COUNT, fuzz::expert);
}

/// The part of the corpus that no hand can write is what the product writes. `UPDATE_CORPUS=1` writes it anew.
#[test]
fn the_corpus_is_what_is_written() {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    let plain: &[(&str, &Array)] = &[
        ("a", &Array::f64(&[2, 2], vec![0.5, -1.0, f64::NAN, 1e300])),
        ("b", &Array::bool(&[3], vec![true, false, true])),
        ("c", &Array::f32(&[0, 7], vec![])),
    ];
    let elsewhere: &[(&str, &Array)] = &[
        ("../../x", &Array::f64(&[1], vec![1.0])),
        ("/tmp/reprise-x", &Array::f64(&[1], vec![1.0])),
        ("..\\x", &Array::f64(&[1], vec![1.0])),
    ];
    for (name, arrays) in [("plain", plain), ("elsewhere", elsewhere), ("empty", &[])] {
        npz::write(&at("x.npz"), arrays).unwrap();
        files.insert(format!("npz/{name}.npz"), fs::read(at("x.npz")).unwrap());
    }

    let mut things = fuzz::Things::new();
    let body = Archive::save(|archive| things.state(archive)).unwrap();
    let nothing = Archive::save(|_| Ok(())).unwrap();
    let other = Archive::save(|archive| archive.item("weights", &mut vec![f64::NAN])).unwrap();
    let bodies = [("things", &body), ("nothing", &nothing), ("other", &other)];
    for (name, body) in bodies {
        files.insert(format!("archive/{name}.safetensors"), body.clone());
    }
    let (mut checkpoints, _) = Checkpoints::open(folder.path()).unwrap();
    for ((name, body), file) in bodies.into_iter().zip(["a", "b", "a"]) {
        checkpoints.write(body).unwrap();
        let written = fs::read(at(&format!("{file}.checkpoint"))).unwrap();
        files.insert(format!("checkpoint/{name}.checkpoint"), written);
    }

    let mut journal = Journal::new(folder.path(), 8);
    let goes_on = [1.0, 2.0, 0.5, -1.0, 1.0, 1.0];
    let left = [1.0, 2.0, 0.5, -1.0, 0.0, 0.0, 3.0, 4.0];
    for (name, first, count, values) in
        [("one", 0, 1, &goes_on[..]), ("two", 1, 2, &[&goes_on[..], &left[..]].concat())]
    {
        journal.append(first, count, values).unwrap();
        files.insert(format!("journal/{name}.journal"), fs::read(at("0.journal")).unwrap());
    }
    // Read as numbers, these are rows that go on or are left, and what a checkpoint holds of the last.
    let last = [1.0, 2.0, 0.5, -1.0, 1.0, 0.0, 3.0, 4.0];
    for (name, count, values) in
        [("left", 1u64, [left, last].concat()), ("on", 2, [&goes_on[..], &left, &last].concat())]
    {
        let numbers = [0, count].into_iter().flat_map(u64::to_le_bytes);
        let values = values.iter().flat_map(|x: &f32| x.to_le_bytes());
        files.insert(format!("journal/{name}.rows"), numbers.chain(values).collect());
    }

    for (name, dtype, (observations, hidden)) in
        [("right", "F32", (4, 3)), ("wide", "F32", (17, 3)), ("double", "F64", (4, 3))]
    {
        let arrays =
            [("0.bias", vec![hidden]), ("0.weight", vec![hidden, observations]), ("1.bias", vec![1])];
        let arrays = [&arrays[..], &[("1.weight", vec![1, hidden])]].concat();
        files.insert(format!("expert/{name}.safetensors"), safetensors(dtype, &arrays));
    }
    for (name, content) in fuzz::files_of_a_record() {
        files.insert(format!("record/{name}"), content);
    }

    for (name, bytes) in files {
        let path = corpus_of("").join(&name);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        assert!(fs::read(&path).ok() == Some(bytes), "{name} is not what is written now");
    }
}

/// A safetensors file of halves.
fn safetensors(dtype: &str, arrays: &[(&str, Vec<usize>)]) -> Vec<u8> {
    let size = if dtype == "F64" { 8 } else { 4 };
    let (mut entries, mut end) = (Vec::new(), 0);
    for (name, shape) in arrays {
        let begin = end;
        end += size * shape.iter().product::<usize>();
        entries.push(format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}"
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(0.5f32.to_le_bytes().repeat(end / 4));
    bytes
}

/// Names from files are names: none leads out of the folder that it belongs to.
#[test]
fn no_name_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let paper = folder.path().join("experiments/p");
    fs::create_dir_all(&paper).unwrap();
    for name in ["protocol", "reference", "claims"] {
        let from = corpus_of(name).join("plain.toml");
        fs::copy(from, paper.join(format!("{name}.toml"))).unwrap();
    }
    let plain = fs::read_to_string(paper.join("protocol.toml")).unwrap();
    for name in ["../../../x", "/x", "..", ".x", "", "a\\nb", &"x".repeat(300)] {
        for (from, to) in [
            ("id = \"td3\"", format!("id = \"{name}\"")),
            ("id = \"InvertedPendulum-v5\"", format!("id = \"{name}\"")),
            ("[profile.one]", format!("[profile.\"{name}\"]")),
        ] {
            fs::write(paper.join("protocol.toml"), plain.replacen(from, &to, 1)).unwrap();
            let told = Experiment::read(folder.path(), "p").unwrap_err().to_string();
            assert!(told.contains("cannot be a folder's name"), "{to}: {told}");
        }
    }
    fs::write(paper.join("protocol.toml"), &plain).unwrap();

    // A record that was moved aside says where it goes back to; one that was half removed goes.
    let store = Store::open(&folder.path().join("results"), "p").unwrap();
    drop(store.lock("p").unwrap());
    let record = corpus("record").into_iter().find(|file| file.starts_with(b"config.toml\n")).unwrap();
    let config = String::from_utf8(record).unwrap().replacen("config.toml\n", "", 1);
    let aside = folder.path().join("results/p/.work/0.replaced");
    for (arm, goes_back) in [("td3", true), ("../../../../elsewhere", false)] {
        let text = config.replace("arm = \"td3\"", &format!("arm = \"{arm}\""));
        assert_eq!(RunConfig::parse("config.toml", &text).is_ok(), goes_back);
        fs::create_dir_all(&aside).unwrap();
        fs::write(aside.join("config.toml"), text).unwrap();
        drop(store.lock("p").unwrap());
        // What cannot be read may be another version's only copy: it stays where it is.
        assert_eq!(aside.exists(), !goes_back);
    }
    fs::remove_file(aside.join("config.toml")).unwrap();
    fs::write(aside.join("evals.csv"), "").unwrap();
    drop(store.lock("p").unwrap());
    assert!(!aside.exists());
    assert!(folder.path().join("results/p/InvertedPendulum-v5/td3").is_dir());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "experiments and results");
}
