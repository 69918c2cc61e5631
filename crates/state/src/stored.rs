//! What can be put away.

use anyhow::{Result, bail, ensure};
use safetensors::tensor::Dtype;
use std::time::Duration;
use streams::{Position, Stream};

/// Values of one type, in order.
#[derive(Clone, Debug)]
pub enum Values {
    /// float32.
    F32(Vec<f32>),
    /// float64.
    F64(Vec<f64>),
    /// Whole numbers.
    U64(Vec<u64>),
    /// Bytes, those of text among them.
    Bytes(Vec<u8>),
}

impl Values {
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::U64(_) => Dtype::U64,
            Self::Bytes(_) => Dtype::U8,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::U64(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }

    pub(crate) fn from_bytes(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
        match dtype {
            Dtype::F32 => {
                Some(Self::F32(bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect()))
            }
            Dtype::F64 => {
                Some(Self::F64(bytes.as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect()))
            }
            Dtype::U64 => {
                Some(Self::U64(bytes.as_chunks().0.iter().map(|x| u64::from_le_bytes(*x)).collect()))
            }
            Dtype::U8 => Some(Self::Bytes(bytes.to_vec())),
            _ => None,
        }
    }
}

/// Something with a fixed form as [`Values`].
pub trait Stored {
    /// What it holds.
    fn values(&self) -> Values;

    /// Takes what [`Self::values`] gave.
    ///
    /// # Errors
    /// If the type or the number of values is another.
    fn set(&mut self, values: Values) -> Result<()>;
}

macro_rules! numbers {
    ($type:ty, $variant:ident) => {
        impl Stored for Vec<$type> {
            fn values(&self) -> Values {
                Values::$variant(self.clone())
            }

            fn set(&mut self, values: Values) -> Result<()> {
                let Values::$variant(values) = values else { return unfit(&values, stringify!($variant)) };
                *self = values;
                Ok(())
            }
        }

        /// As many as there were.
        impl Stored for [$type] {
            fn values(&self) -> Values {
                Values::$variant(self.to_vec())
            }

            fn set(&mut self, values: Values) -> Result<()> {
                let Values::$variant(values) = values else { return unfit(&values, stringify!($variant)) };
                ensure!(
                    values.len() == self.len(),
                    "found {} numbers instead of {}",
                    values.len(),
                    self.len()
                );
                self.copy_from_slice(&values);
                Ok(())
            }
        }
    };
}

numbers!(f32, F32);
numbers!(f64, F64);
numbers!(u64, U64);

macro_rules! number {
    ($type:ty, $as:ty) => {
        impl Stored for $type {
            fn values(&self) -> Values {
                [*self as $as].values()
            }

            fn set(&mut self, values: Values) -> Result<()> {
                let mut number = [<$as>::default()];
                number.set(values)?;
                *self = <$type>::try_from(number[0])?;
                Ok(())
            }
        }
    };
}

number!(f32, f32);
number!(f64, f64);
number!(u64, u64);
number!(u32, u64);
number!(usize, u64);

impl Stored for Vec<u8> {
    fn values(&self) -> Values {
        Values::Bytes(self.clone())
    }

    fn set(&mut self, values: Values) -> Result<()> {
        let Values::Bytes(bytes) = values else { return unfit(&values, "bytes") };
        *self = bytes;
        Ok(())
    }
}

impl Stored for String {
    fn values(&self) -> Values {
        Values::Bytes(self.clone().into_bytes())
    }

    fn set(&mut self, values: Values) -> Result<()> {
        let Values::Bytes(bytes) = values else { return unfit(&values, "text") };
        *self = Self::from_utf8(bytes)?;
        Ok(())
    }
}

impl Stored for Duration {
    fn values(&self) -> Values {
        [self.as_secs(), u64::from(self.subsec_nanos())].values()
    }

    fn set(&mut self, values: Values) -> Result<()> {
        let mut parts = [0u64; 2];
        parts.set(values)?;
        let [seconds, nanos] = parts;
        // So that no sum of a few is too long for its type; it is 136 years.
        ensure!(seconds <= u64::from(u32::MAX), "found {seconds} seconds, which is too long");
        ensure!(nanos < 1_000_000_000, "found {nanos} nanoseconds instead of part of a second");
        *self = Self::new(seconds, nanos as u32);
        Ok(())
    }
}

/// A stream's place is kept; its seed and purpose are its owner's to know.
impl Stored for Stream {
    fn values(&self) -> Values {
        let Position(words) = self.position();
        [words as u64, (words >> 64) as u64].values()
    }

    fn set(&mut self, values: Values) -> Result<()> {
        let mut words = [0u64; 2];
        words.set(values)?;
        self.seek(Position(u128::from(words[0]) | u128::from(words[1]) << 64));
        Ok(())
    }
}

fn unfit(found: &Values, expected: &str) -> Result<()> {
    bail!("found {} {:?} instead of {expected}", found.len(), found.dtype())
}
