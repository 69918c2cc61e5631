//! Named random streams. Every draw of the project comes from one of these.
//!
//! A [`Stream`] is ChaCha8 keyed by a run's seed and a purpose (`"init"`, `"env"`, `"exploration"`, `"replay"`,
//! `"target-noise"`, `"eval"`, …), so that one part of a run can draw more or less without moving another part,
//! and so that a position can be saved and taken up again. Nothing here calls the system's mathematical library:
//! the same bytes come out on every machine.

mod ziggurat;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// One named stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
}

/// Where a [`Stream`] stands, in 32-bit words drawn since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub u128);

impl Stream {
    /// The stream of `purpose` for the run with `seed`, at its start.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"reprise stream v1\0");
        hasher.update(seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Self { rng: ChaCha8Rng::from_seed(hasher.finalize().into()) }
    }

    /// Where the stream stands now.
    #[must_use]
    pub fn position(&self) -> Position {
        Position(self.rng.get_word_pos())
    }

    /// Moves to `position`.
    pub fn seek(&mut self, position: Position) {
        self.rng.set_word_pos(position.0);
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform on `[0, 1)` with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform on `[low, high)`.
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        ziggurat::normal(self)
    }

    /// Uniform on `0..n`, unbiased (Lemire 2019, multiply and reject).
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn index(&mut self, n: usize) -> usize {
        assert!(n > 0, "an index below 0 does not exist");
        let n = n as u64;
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_seed_and_purpose() {
        let draw = |seed, purpose| Stream::new(seed, purpose).next_u64();
        assert_eq!(draw(0, "env"), draw(0, "env"));
        assert_ne!(draw(0, "env"), draw(0, "eval"));
        assert_ne!(draw(0, "env"), draw(1, "env"));
    }

    #[test]
    fn the_first_draws_never_change() {
        // Recorded results depend on these values: a change here is a change of every run.
        let mut stream = Stream::new(0, "env");
        let bits: Vec<u64> = (0..2).map(|_| stream.next_u64()).collect();
        let normals: Vec<u64> = (0..2).map(|_| stream.normal().to_bits()).collect();
        assert_eq!((bits, normals), (RECORDED_BITS.to_vec(), RECORDED_NORMALS.to_vec()));
    }

    const RECORDED_BITS: [u64; 2] = [15_699_315_758_031_238_050, 1_790_698_486_412_944_093];
    const RECORDED_NORMALS: [u64; 2] = [4_608_654_111_187_937_442, 13_821_625_649_511_833_374];

    #[test]
    fn a_position_is_taken_up_again() {
        let mut stream = Stream::new(3, "replay");
        for _ in 0..1001 {
            stream.normal();
        }
        let position = stream.position();
        let ahead: Vec<f64> = (0..50).map(|_| stream.normal()).collect();
        let mut again = Stream::new(3, "replay");
        again.seek(position);
        assert_eq!(ahead, (0..50).map(|_| again.normal()).collect::<Vec<_>>());
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 400_000;
        let mut stream = Stream::new(7, "moments");
        let sample: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let moment = |k| sample.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
        // Five standard errors of each moment's estimate.
        assert!(moment(1).abs() < 5.0 * (1.0 / f64::from(n)).sqrt());
        assert!((moment(2) - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt());
        assert!((moment(4) - 3.0).abs() < 5.0 * (96.0 / f64::from(n)).sqrt());
        let tail = sample.iter().filter(|x| x.abs() > 3.654_152_885_361_009).count() as f64 / f64::from(n);
        assert!((tail - 2.58e-4).abs() < 5.0 * (2.58e-4 / f64::from(n)).sqrt(), "tail mass {tail}");
        let mean = (0..n).map(|_| stream.uniform()).sum::<f64>() / f64::from(n);
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / f64::from(n)).sqrt());
        let mut counts = [0u32; 7];
        (0..70_000).for_each(|_| counts[stream.index(7)] += 1);
        assert!(
            counts.iter().all(|&c| (f64::from(c) - 10_000.0).abs() < 5.0 * 10_000f64.sqrt()),
            "{counts:?}"
        );
    }
}
