//! JSON matrices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use report::scores::parse_json;

fuzz_target!(|text: &str| {
    let _ = parse_json("scores.json", text);
});
