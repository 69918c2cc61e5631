//! The manifest of published data sets.
#![no_main]

use datasets::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Manifest::parse("manifest.toml", text);
});
