//! Arrays as NumPy knows them: elements of one type in C order.

use std::fmt;

/// An array with its shape, in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, the last axis running fastest.
    pub values: Values,
}

/// The elements of an array, in their own type.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Values {
    Bool(Vec<bool>),
    U8(Vec<u8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The types of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dtype {
    Bool,
    U8,
    I32,
    I64,
    F32,
    F64,
}

impl Array {
    /// An array of doubles.
    ///
    /// # Panics
    /// If the shape is not that of `values`; so do the others.
    #[must_use]
    pub fn f64(shape: &[usize], values: Vec<f64>) -> Self {
        Self::of(shape, Values::F64(values))
    }

    /// An array of single-precision numbers.
    #[must_use]
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Self {
        Self::of(shape, Values::F32(values))
    }

    /// An array of truth values.
    #[must_use]
    pub fn bool(shape: &[usize], values: Vec<bool>) -> Self {
        Self::of(shape, Values::Bool(values))
    }

    fn of(shape: &[usize], values: Values) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape {shape:?}");
        Self { shape: shape.to_vec(), values }
    }

    /// The type of the elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        match self.values {
            Values::Bool(_) => Dtype::Bool,
            Values::U8(_) => Dtype::U8,
            Values::I32(_) => Dtype::I32,
            Values::I64(_) => Dtype::I64,
            Values::F32(_) => Dtype::F32,
            Values::F64(_) => Dtype::F64,
        }
    }
}

impl Values {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Values::Bool(v) => v.len(),
            Values::U8(v) => v.len(),
            Values::I32(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        }
    }

    /// Appends the elements as float32: 1 for true, and rounded to the nearest where they do not fit.
    pub(crate) fn append_to(&self, floats: &mut Vec<f32>) {
        macro_rules! each {
            ($values:expr, $convert:expr) => {
                floats.extend($values.iter().map($convert))
            };
        }
        match self {
            Values::Bool(v) => each!(v, |&x| f32::from(u8::from(x))),
            Values::U8(v) => each!(v, |&x| f32::from(x)),
            Values::I32(v) => each!(v, |&x| x as f32),
            Values::I64(v) => each!(v, |&x| x as f32),
            Values::F32(v) => floats.extend_from_slice(v),
            Values::F64(v) => each!(v, |&x| x as f32),
        }
    }

    /// Calls `take` with each element.
    pub(crate) fn for_each(&self, mut take: impl FnMut(f64)) {
        match self {
            Values::Bool(v) => v.iter().for_each(|&x| take(f64::from(u8::from(x)))),
            Values::U8(v) => v.iter().for_each(|&x| take(f64::from(x))),
            Values::I32(v) => v.iter().for_each(|&x| take(f64::from(x))),
            Values::I64(v) => v.iter().for_each(|&x| take(x as f64)),
            Values::F32(v) => v.iter().for_each(|&x| take(f64::from(x))),
            Values::F64(v) => v.iter().for_each(|&x| take(x)),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Dtype {
    pub(crate) const ALL: [(Dtype, &'static str, &'static str, usize); 6] = [
        (Dtype::Bool, "|b1", "bool", 1),
        (Dtype::U8, "|u1", "uint8", 1),
        (Dtype::I32, "<i4", "int32", 4),
        (Dtype::I64, "<i8", "int64", 8),
        (Dtype::F32, "<f4", "float32", 4),
        (Dtype::F64, "<f8", "float64", 8),
    ];

    /// NumPy's array-interface string: `<f8`.
    pub(crate) fn descr(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    pub(crate) fn from_descr(descr: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == descr).map(|row| row.0)
    }

    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        Self::ALL[self as usize].3
    }
}

/// NumPy's name of the type: `float64`.
impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL[*self as usize].2)
    }
}
