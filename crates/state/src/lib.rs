//! Everything that a thing is, by name, so that it can be put away and taken up again to the last bit.
//!
//! One function lists what a thing holds, and serves both ways: what it saves and what it loads cannot differ.
//!
//! ```
//! # use state::Archive;
//! # use streams::Stream;
//! struct Walk {
//!     at: f64,
//!     steps: u64,
//!     draws: Stream,
//! }
//!
//! impl Walk {
//!     fn state(&mut self, archive: &mut Archive) -> anyhow::Result<()> {
//!         archive.item("at", &mut self.at)?;
//!         archive.item("steps", &mut self.steps)?;
//!         archive.item("draws", &mut self.draws)
//!     }
//! }
//!
//! let mut walk = Walk { at: 0.1, steps: 7, draws: Stream::new(0, "walk") };
//! walk.draws.uniform();
//! let bytes = Archive::save(|archive| walk.state(archive))?;
//! let mut again = Walk { at: 0.0, steps: 0, draws: Stream::new(0, "walk") };
//! Archive::load(&bytes, |archive| again.state(archive))?;
//! assert_eq!((again.at, again.steps), (0.1, 7));
//! assert_eq!(again.draws.uniform(), walk.draws.uniform());
//! # Ok::<(), anyhow::Error>(())
//! ```

mod stored;

pub use stored::{Stored, Values};

use anyhow::{Context, Result, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;

/// Named values on their way out of a thing, or into it.
#[derive(Debug)]
pub struct Archive {
    is_loading: bool,
    /// What stands before every name, with a dot at its end.
    prefix: String,
    values: BTreeMap<String, Values>,
}

impl Archive {
    /// What `visit` lists, as the bytes of a safetensors file.
    ///
    /// # Errors
    /// If `visit` fails, or lists a name twice.
    pub fn save(visit: impl FnOnce(&mut Self) -> Result<()>) -> Result<Vec<u8>> {
        let mut archive = Self { is_loading: false, prefix: String::new(), values: BTreeMap::new() };
        visit(&mut archive)?;
        let arrays: Vec<(&String, Dtype, usize, Vec<u8>)> = archive
            .values
            .iter()
            .map(|(name, values)| (name, values.dtype(), values.len(), values.to_bytes()))
            .collect();
        let views: Vec<(&String, TensorView<'_>)> = arrays
            .iter()
            .map(|(name, dtype, len, bytes)| Ok((*name, TensorView::new(*dtype, vec![*len], bytes)?)))
            .collect::<Result<_>>()?;
        Ok(safetensors::serialize(views, None)?)
    }

    /// Hands the values in `bytes` to whom `visit` lists.
    ///
    /// # Errors
    /// If the bytes are not those of [`Self::save`], or hold more or other than what `visit` lists.
    pub fn load(bytes: &[u8], visit: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let values = tensors.iter().map(|(name, tensor)| {
            let values = Values::from_bytes(tensor.dtype(), tensor.data());
            Ok((name.to_owned(), values.with_context(|| format!("`{name}` is of an unknown type"))?))
        });
        let values = values.collect::<Result<_>>()?;
        let mut archive = Self { is_loading: true, prefix: String::new(), values };
        visit(&mut archive)?;
        ensure!(archive.values.is_empty(), "nobody takes {:?}", archive.values.keys());
        Ok(())
    }

    /// Whether values go into things. Else they come out.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.is_loading
    }

    /// One thing.
    ///
    /// # Errors
    /// When saving, if the name is taken. When loading, if there is none of that name, or it does not fit.
    pub fn item(&mut self, name: &str, item: &mut (impl Stored + ?Sized)) -> Result<()> {
        let name = format!("{}{name}", self.prefix);
        if !self.is_loading {
            let old = self.values.insert(name.clone(), item.values());
            ensure!(old.is_none(), "`{name}` is listed twice");
            return Ok(());
        }
        let values = self.values.remove(&name).with_context(|| format!("there is no `{name}`"))?;
        item.set(values).with_context(|| format!("`{name}` does not fit"))
    }

    /// What `visit` lists, with `name` and a dot before each name.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn group(&mut self, name: &str, visit: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let outer = self.prefix.len();
        self.prefix.push_str(name);
        self.prefix.push('.');
        let result = visit(self);
        self.prefix.truncate(outer);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use streams::Stream;

    #[test]
    fn every_type_comes_back_to_the_same_bits() {
        let mut stream = Stream::new(3, "test");
        let _: Vec<f64> = (0..1001).map(|_| stream.normal()).collect();
        let mut things = (
            vec![-0.0f32, f32::MIN_POSITIVE, 1.5],
            vec![f64::NAN, -1e-300],
            vec![u64::MAX, 0],
            "αβγ\n".to_owned(),
            stream,
            f64::NAN,
            (7u64, 8u32, 9usize),
        );
        type Things = (Vec<f32>, Vec<f64>, Vec<u64>, String, Stream, f64, (u64, u32, usize));
        let visit = |things: &mut Things, archive: &mut Archive| {
            archive.item("f32", &mut things.0)?;
            archive.item("f64", &mut things.1)?;
            archive.item("u64", &mut things.2)?;
            archive.item("text", &mut things.3)?;
            archive.group("more", |archive| {
                archive.item("stream", &mut things.4)?;
                archive.item("nan", &mut things.5)?;
                archive.item("steps", &mut things.6.0)?;
                archive.item("elapsed", &mut things.6.1)?;
                archive.item("index", &mut things.6.2)
            })
        };
        let bytes = Archive::save(|archive| visit(&mut things, archive)).unwrap();
        let mut again =
            (vec![], vec![], vec![], String::new(), Stream::new(3, "test"), 0.0, (0u64, 0u32, 0usize));
        Archive::load(&bytes, |archive| visit(&mut again, archive)).unwrap();
        assert_eq!(again.4.next_u64(), things.4.next_u64());
        assert_eq!(Archive::save(|archive| visit(&mut again, archive)).unwrap().len(), bytes.len());
        assert_eq!((again.0[0].to_bits(), &again.2, &again.3), (things.0[0].to_bits(), &things.2, &things.3));
        assert_eq!(again.1[0].to_bits(), things.1[0].to_bits());
        assert_eq!((again.5.to_bits(), again.6), (things.5.to_bits(), things.6));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let bytes = Archive::save(|archive| {
            archive.group("a", |archive| archive.item("steps", &mut 3u64))?;
            archive.item("weights", &mut vec![1f32, 2.0])
        })
        .unwrap();
        let check = |visit: &dyn Fn(&mut Archive) -> Result<()>, expected: &str| {
            let error = Archive::load(&bytes, visit).unwrap_err();
            assert_eq!(format!("{error:#}"), expected);
        };
        check(&|archive| archive.item("steps", &mut 0u64), "there is no `steps`");
        check(
            &|archive| archive.group("a", |archive| archive.item("steps", &mut String::new())),
            "`a.steps` does not fit: found 1 U64 instead of text",
        );
        check(&|archive| archive.item("weights", &mut Vec::<f32>::new()), "nobody takes [\"a.steps\"]");
        check(
            &|archive| archive.item("weights", &mut [0f32; 3][..]),
            "`weights` does not fit: found 2 numbers instead of 3",
        );
        let twice = Archive::save(|archive| {
            archive.item("t", &mut 1u64)?;
            archive.item("t", &mut 2u64)
        });
        assert_eq!(twice.unwrap_err().to_string(), "`t` is listed twice");
    }
}
