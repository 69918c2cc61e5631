//! A data set's file, in whatever layout its first bytes say.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("dataset-{}", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        let _ = datasets::inspect(&path);
    }
});
