//! Long CSV, as scores and as learning curves.
#![no_main]

use libfuzzer_sys::fuzz_target;
use report::scores::{parse_csv, parse_curves, progress};

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_csv("scores.csv", bytes);
    if let Ok(curves) = parse_curves("scores.csv", bytes) {
        let _ = progress("scores.csv", &curves);
    }
});
