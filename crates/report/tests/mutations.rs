//! Files of scores, damaged at random: each is read, or refused with a message; nothing panics and nothing hangs. The
//! files to begin with are the corpus of the fuzzers in `fuzz/`, made by hand.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use report::scores::{Curve, ScoreFile, parse_csv, parse_curves, parse_json, progress};
use stats::Aggregate;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use streams::Stream;

/// Files of one of the fuzzers, by name.
fn corpus(fuzzer: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(fuzzer);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One or two damages: a byte flipped, dropped or doubled, a piece moved or cut, a word that parsers trip over put in.
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
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.index(2) {
        let at = random.index(bytes.len() + 1);
        let to = at + random.index(bytes.len() + 1 - at);
        match random.index(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.index(8),
            1 => drop(bytes.drain(at..to)),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..to].to_vec();
                let place = random.index(bytes.len() + 1);
                bytes.splice(place..place, piece);
            }
            4 if at < bytes.len() => bytes[at] = random.index(256) as u8,
            _ => drop(bytes.splice(at..at, WORDS[random.index(WORDS.len())].bytes())),
        }
    }
    bytes
}

/// What can be asked of scores that were read.
fn use_scores(file: &ScoreFile) {
    for scores in file.algorithms.values() {
        assert_eq!(scores.tasks().len(), file.tasks.len());
        for aggregate in [Aggregate::Iqm, Aggregate::Median, Aggregate::OptimalityGap { gamma: 1.0 }] {
            let of = |draw: &[Vec<usize>]| scores.aggregate(aggregate, draw);
            stats::bootstrap(&scores.runs(), 3, 0, "mutations", of);
            assert!(of(&scores.all()).is_none_or(f64::is_finite));
        }
    }
}

fn use_curves(curves: &[Curve]) {
    assert!(curves.iter().all(|curve| curve.evaluations.values().flatten().all(|score| score.is_finite())));
    assert!(curves.iter().all(|curve| curve.best().is_some() || curve.evaluations.is_empty()));
    drop(progress("curves.csv", curves));
}

/// Reads every file of the corpus and `count` damaged ones; returns how many of the latter could be read.
fn survive(fuzzer: &str, count: usize, read: impl Fn(&[u8]) -> bool) -> usize {
    let corpus = corpus(fuzzer);
    assert!(corpus.len() >= 5, "a corpus of {} files", corpus.len());
    let mut random = Stream::new(0, fuzzer);
    let mut whole = 0;
    for i in 0..corpus.len() + count {
        let bytes = match corpus.get(i) {
            Some(bytes) => bytes.clone(),
            None => damage(&mut random, &corpus[i % corpus.len()]),
        };
        let began = Instant::now();
        let read = read(&bytes);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?} for {:?}", String::from_utf8_lossy(&bytes));
        whole += usize::from(read && i >= corpus.len());
    }
    whole
}

#[test]
fn csv_is_read_or_refused() {
    let whole = survive("scores_csv", 1500, |bytes| {
        let scores = parse_csv("scores.csv", bytes).inspect(use_scores).is_ok();
        let curves = parse_curves("scores.csv", bytes).inspect(|curves| use_curves(curves)).is_ok();
        scores || curves
    });
    assert!(
        (50..1450).contains(&whole),
        "{whole} damaged files could be read: the damage is of one kind only"
    );
}

#[test]
fn json_is_read_or_refused() {
    let whole = survive("scores_json", 1500, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        parse_json("scores.json", &text).inspect(use_scores).is_ok()
    });
    assert!(
        (50..1450).contains(&whole),
        "{whole} damaged files could be read: the damage is of one kind only"
    );
}
