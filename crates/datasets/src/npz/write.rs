//! Writing: aside first, then renamed, so that a reader never sees half a file.

use super::{Array, Values, header};
use anyhow::{Context, Result};
use diagnostics::BadInput;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Writes `arrays` to `path`, stored like `numpy.savez` does, with fixed time stamps: same arrays, same bytes.
///
/// # Errors
/// [`BadInput`] when the place cannot be written to.
pub fn write(path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    write_by(CompressionMethod::Stored, path, arrays)
}

/// As [`write()`], compressed like `numpy.savez_compressed` does.
///
/// # Errors
/// As [`write()`].
pub fn write_compressed(path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    write_by(CompressionMethod::Deflated, path, arrays)
}

fn write_by(method: CompressionMethod, path: &Path, arrays: &[(&str, &Array)]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unwritable = |error: std::io::Error| {
        BadInput::new(format!("cannot write {}: {error}", path.display()))
            .help("expected a file in a folder that exists and can be written")
    };
    if path.is_dir() {
        return Err(BadInput::new(format!("cannot write {}: it is a folder", path.display())).into());
    }
    let mut aside = tempfile::Builder::new();
    aside.prefix(".npz-");
    // The mode that any new file gets (less the umask); a temporary file would be its owner's alone.
    #[cfg(unix)]
    aside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut aside = aside.tempfile_in(folder).map_err(unwritable)?;
    write_to(&mut aside, method, arrays).with_context(|| format!("cannot write {}", path.display()))?;
    aside.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn write_to(file: impl Write + Seek, method: CompressionMethod, arrays: &[(&str, &Array)]) -> Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        // Without it an array of 4 GiB or more cannot be written.
        .large_file(true);
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&header::bytes(array.dtype(), &array.shape))?;
        encode(&array.values, &mut archive)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

fn encode(values: &Values, out: &mut impl Write) -> std::io::Result<()> {
    macro_rules! numbers {
        ($values:expr) => {
            $values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
        };
    }
    match values {
        Values::Bool(v) => v.iter().try_for_each(|&value| out.write_all(&[u8::from(value)])),
        Values::U8(v) => out.write_all(v),
        Values::I32(v) => numbers!(v),
        Values::I64(v) => numbers!(v),
        Values::F32(v) => numbers!(v),
        Values::F64(v) => numbers!(v),
    }
}
