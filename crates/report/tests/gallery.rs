//! The committed gallery is what the program draws now.

use std::fs;
use std::path::Path;

#[path = "../examples/gallery/files.rs"]
mod files;

#[test]
fn the_gallery_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("figures/gallery");
    let drawn = files::files(&root).unwrap();
    let stale = report::files::stale(&folder, &drawn);
    assert!(
        stale.is_empty(),
        "stale: {stale:?}: `cargo run --release -p report --example gallery` draws them"
    );
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for (name, _) in drawn.iter().filter(|(name, _)| name.ends_with(".svg") || name.ends_with(".csv")) {
        assert!(readme.contains(&format!("({name})")), "README.md does not tell of {name}");
    }
    assert_eq!(
        report::files::left_over(&folder, &drawn),
        ["README.md"],
        "figures/gallery/: drawn by nothing"
    );
}
