//! The header of an `.npy` array: a magic string, a version, a length, and a Python dictionary of three keys.

use super::Dtype;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
}

/// Bytes before the dictionary: magic, version and length. The length has two bytes in version 1, else four.
pub(super) const PREAMBLE: usize = 12;

/// How many bytes the dictionary has and where it begins, from an array's first [`PREAMBLE`] bytes.
pub(super) fn extent(start: &[u8]) -> Result<(usize, usize), String> {
    if !start.starts_with(MAGIC) || start.len() < PREAMBLE {
        return Err("it is not an .npy array".to_owned());
    }
    match start[6] {
        1 => Ok((10, usize::from(u16::from_le_bytes([start[8], start[9]])))),
        2 | 3 => {
            let length = u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize;
            // NumPy itself refuses more than 10,000 characters, unless told to trust the file.
            if length > 1 << 16 {
                return Err(format!("its header is {length} bytes long: expected some hundred"));
            }
            Ok((12, length))
        }
        version => Err(format!("it has .npy version {version}: expected 1, 2 or 3")),
    }
}

/// Reads the dictionary, such as `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`.
pub(super) fn parse(text: &str) -> Result<Header, String> {
    let wrong = || format!("its header is `{}`: expected descr, fortran_order and shape", text.trim());
    let value = |key: &str| {
        let after = text.split_once(&format!("'{key}'"))?.1.trim_start().strip_prefix(':')?;
        Some(after.trim_start())
    };
    let descr = value("descr").ok_or_else(wrong)?;
    let Some(descr) = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(descr, _)| descr)
    else {
        return Err("it has structured elements: expected plain numbers".to_owned());
    };
    let dtype = Dtype::from_descr(descr).ok_or_else(|| {
        let known = Dtype::ALL.map(|row| row.2).join(", ");
        format!("its elements are `{descr}`: expected one of {known}, little-endian; convert with `.astype(\u{2026})`")
    })?;
    let order = value("fortran_order").ok_or_else(wrong)?;
    if order.starts_with("True") {
        return Err(
            "it is in Fortran order: expected C order; convert with `np.ascontiguousarray`".to_owned()
        );
    }
    if !order.starts_with("False") {
        return Err(wrong());
    }
    let axes = value("shape").and_then(|v| v.strip_prefix('(')).and_then(|v| v.split_once(')'));
    let (axes, _) = axes.ok_or_else(wrong)?;
    let axes = axes.split(',').map(str::trim).filter(|axis| !axis.is_empty());
    let shape = axes.map(str::parse).collect::<Result<Vec<usize>, _>>().map_err(|_| wrong())?;
    Ok(Header { dtype, shape })
}

/// The whole header of an array, padded as NumPy does so that the elements begin at a multiple of 64 bytes.
pub(super) fn bytes(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
    let axes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let trailing = if shape.len() == 1 { "," } else { "" };
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{trailing}), }}",
        dtype.descr(),
        axes.join(", ")
    );
    let padded = (10 + text.len() + 1).next_multiple_of(64) - 11;
    text = format!("{text:padded$}\n");
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// Bytes of the elements, or nothing when a shape is too large for the machine.
pub(super) fn payload(header: &Header) -> Option<usize> {
    header.shape.iter().try_fold(header.dtype.size(), |bytes, &axis| bytes.checked_mul(axis))
}
