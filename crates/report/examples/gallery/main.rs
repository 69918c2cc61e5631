//! Draws `figures/gallery/`: every kind of figure, with the data behind it. `cargo run --release -p report --example
//! gallery` writes it; a folder may be named instead.

mod files;

fn main() -> anyhow::Result<()> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::args().nth(1).map_or_else(|| root.join("figures/gallery"), Into::into);
    report::files::write(&folder, &files::files(&root)?)
}
