use super::*;
use std::io::Write;
use std::path::{Path, PathBuf};

fn example() -> Vec<(&'static str, Array)> {
    vec![
        ("a", Array::f64(&[2, 3], vec![0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, 1e-300])),
        ("b", Array::f32(&[4], vec![1.0, 2.0, 3.0, 0.1])),
        ("c", Array::bool(&[3], vec![true, false, true])),
        ("d", Array { shape: vec![], values: Values::I64(vec![-5]) }),
        ("e", Array { shape: vec![0, 7], values: Values::I32(vec![]) }),
        ("f", Array { shape: vec![2], values: Values::U8(vec![0, 255]) }),
    ]
}

fn write_example(path: &Path) {
    let arrays = example();
    write(path, &arrays.iter().map(|(name, array)| (*name, array)).collect::<Vec<_>>()).unwrap();
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    write_example(&path);
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.names(), ["a", "b", "c", "d", "e", "f"]);
    for (name, expect) in example() {
        // Compared as text, for NaN's sake.
        assert_eq!(format!("{:?}", reader.array(name).unwrap()), format!("{expect:?}"));
    }
}

#[test]
fn same_arrays_same_bytes_and_nothing_left_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.npz"), folder.path().join("2.npz"));
    write_example(&one);
    write_example(&two);
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn numpys_own_files_are_read() {
    // numpy 2.3.5: savez and savez_compressed of x = arange(6, dtype="<f4").reshape(2, 3), y = array([True, False]).
    for file in ["numpy-stored.npz", "numpy-deflated.npz"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        let mut reader = Reader::open(&path).unwrap();
        let x = reader.array("x").unwrap();
        assert_eq!(x, Array::f32(&[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), "{file}");
        assert_eq!(reader.array("y").unwrap(), Array::bool(&[2], vec![true, false]), "{file}");
    }
}

#[test]
fn a_header_is_numpys() {
    let bytes = header::bytes(Dtype::F64, &[3]);
    assert_eq!(bytes.len() % 64, 0);
    assert!(
        bytes
            .starts_with(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } ")
    );
    assert_eq!(bytes.last(), Some(&b'\n'));
}

/// An archive with one member `x.npy` of these bytes.
fn archive(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("x.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    archive.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap();
    path
}

fn npy(dictionary: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((dictionary.len() as u16).to_le_bytes());
    bytes.extend(dictionary.as_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], expect: &str| {
        let path = archive(folder.path(), bytes);
        let error = Reader::open(&path).unwrap().array("x").unwrap_err();
        assert!(error.is::<diagnostics::BadInput>());
        let error = error.to_string();
        assert!(error.starts_with("array `x` of ") && error.contains(expect), "{error}");
    };
    let f8 = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    check(b"PNG", "cut short");
    check(b"not an array at all", "not an .npy array");
    check(b"\x93NUMPY\x09\x00v\x00abcdefgh", "version 9");
    check(&npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1,)}", &[0; 8]), "`>f8`: expected one of");
    check(&npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", &[0; 8]), "structured");
    check(&npy("{'descr': '<f8', 'fortran_order': True, 'shape': (1,)}", &[0; 8]), "Fortran order");
    check(&npy("{'descr': '<f8', 'shape': (1,)}", &[0; 8]), "expected descr, fortran_order and shape");
    check(&npy(&f8("(-1,)"), &[]), "expected descr, fortran_order and shape");
    check(&npy(&f8("(2,)"), &[0; 15]), "found 15 bytes of 16");
    check(&npy(&f8("(2,)"), &[0; 17]), "more bytes than its shape");
    check(&npy(&f8("(9000000000000000000, 9)"), &[]), "too large");
    check(&npy(&f8("(2000000000000000000,)"), &[0; 8]), "found 8 bytes of 16000000000000000000");
}

#[test]
fn a_damaged_file_is_told_from_a_missing_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npz");
    let open = || Reader::open(&path).map(drop).unwrap_err().to_string();
    assert!(open().starts_with("cannot open "));
    write_example(&path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(open().contains("is not a whole .npz file"), "{}", open());

    // One flipped bit in the elements of `a`: the archive's checksum finds it.
    let mut flipped = whole.clone();
    let element = whole.windows(8).position(|bytes| bytes == 1.5f64.to_le_bytes()).unwrap();
    flipped[element] ^= 1;
    std::fs::write(&path, &flipped).unwrap();
    let error = Reader::open(&path).unwrap().array("a").unwrap_err().to_string();
    assert!(error.contains("it is damaged"), "{error}");

    std::fs::write(&path, whole).unwrap();
    let error = Reader::open(&path).unwrap().array("z").unwrap_err().to_string();
    assert!(error.ends_with("has no array `z`: it holds a, b, c, d, e, f"), "{error}");
}

#[test]
fn an_unwritable_place_is_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path| {
        let error = write(path, &[]).unwrap_err();
        assert!(error.is::<diagnostics::BadInput>(), "{error:#}");
        assert!(error.to_string().starts_with("cannot write "), "{error}");
    };
    check(&folder.path().join("no/such/folder/x.npz"));
    check(folder.path());
}
