//! The manifest: which published data sets there are, of which files, and how one knows that a file is the published one.

use anyhow::Result;
use diagnostics::{BadInput, nearest, parse_toml};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The published data sets.
#[derive(Clone, Debug)]
pub struct Manifest {
    files: Vec<Published>,
}

/// A file of a published data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The data set: `d4rl/hopper-medium-v2`. OGBench's have two files, for training and for validation.
    pub set: String,
    /// The file's name.
    pub file: String,
    /// Its bytes, where they are known.
    pub size: Option<u64>,
    /// Its SHA-256, where it is known.
    pub sha256: Option<String>,
    /// Where it is, the origin first, then mirrors.
    pub urls: Vec<String>,
    /// The family's name.
    pub family: String,
    /// What there is to know about the family.
    pub about: String,
    /// The data's licence.
    pub licence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    schema: u32,
    family: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    name: String,
    about: String,
    licence: String,
    /// Addresses, with `{file}` for a file's name.
    urls: Vec<String>,
    files: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    set: String,
    file: String,
    size: Option<u64>,
    sha256: Option<String>,
}

impl Manifest {
    /// That of D4RL's and OGBench's data sets.
    ///
    /// # Errors
    /// Never: it is part of the program.
    pub fn built_in() -> Result<Self> {
        Self::parse("manifest.toml", include_str!("manifest.toml"))
    }

    /// Reads a manifest from `text`, which came from `file`.
    ///
    /// # Errors
    /// [`BadInput`] when it is no TOML, or names a file, an address or a hash that can be none.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let page: Page = parse_toml(file, text)?;
        if page.schema != 1 {
            let message = format!("{file}: schema is {}: expected 1", page.schema);
            return Err(BadInput::new(message).into());
        }
        let files: Vec<Published> = page.family.into_iter().flat_map(Family::files).collect();
        let mut names = BTreeSet::new();
        for published in &files {
            let problem = published.problem().or_else(|| {
                let again = !names.insert(&published.file);
                again.then(|| format!("the file `{}` is there twice", published.file))
            });
            if let Some(problem) = problem {
                return Err(BadInput::new(format!("{file}: set `{}`: {problem}", published.set)).into());
            }
        }
        Ok(Self { files })
    }

    /// All files, in the manifest's order.
    #[must_use]
    pub fn files(&self) -> &[Published] {
        &self.files
    }

    /// The files of the set `name`, which may leave out what comes before the slash.
    ///
    /// # Errors
    /// [`BadInput`] with the nearest name, when there is no such set.
    pub fn set(&self, name: &str) -> Result<Vec<&Published>, BadInput> {
        let is = |published: &&Published| {
            published.set == name || published.set.split_once('/').is_some_and(|(_, short)| short == name)
        };
        let found: Vec<&Published> = self.files.iter().filter(is).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let short = |published: &'_ Published| match published.set.split_once('/') {
            Some((_, short)) if !name.contains('/') => short.to_owned(),
            _ => published.set.clone(),
        };
        let names: Vec<String> = self.files.iter().map(short).collect();
        let near = nearest(name, names.iter().map(String::as_str));
        let mean = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        Err(BadInput::new(format!("unknown data set `{name}`"))
            .help(format!("{mean}`cargo xtask data list` shows what there is")))
    }

    /// The file of this length and SHA-256.
    #[must_use]
    pub fn by_content(&self, size: u64, sha256: &str) -> Option<&Published> {
        let is = |published: &&Published| {
            published.sha256.as_deref() == Some(sha256) && published.size.is_none_or(|known| known == size)
        };
        self.files.iter().find(is)
    }
}

impl Family {
    fn files(self) -> Vec<Published> {
        let Family { name, about, licence, urls, files } = self;
        let publish = |line: Line| Published {
            urls: urls.iter().map(|url| url.replace("{file}", &line.file)).collect(),
            family: name.clone(),
            about: about.clone(),
            licence: licence.clone(),
            set: line.set,
            file: line.file,
            size: line.size,
            sha256: line.sha256,
        };
        files.into_iter().map(publish).collect()
    }
}

impl Published {
    /// What of it cannot be.
    fn problem(&self) -> Option<String> {
        let plain = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(allowed)
        };
        let hash =
            |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !self.set.split('/').all(plain) {
            return Some(
                "expected a name of letters, digits, dots and dashes, with slashes between".to_owned(),
            );
        }
        if !plain(&self.file) {
            return Some(format!("file is `{}`: expected a name, without folders", self.file));
        }
        if let Some(sha256) = self.sha256.as_deref().filter(|sha256| !hash(sha256)) {
            return Some(format!("sha256 is `{sha256}`: expected 64 hexadecimal digits"));
        }
        if self.size == Some(0) {
            return Some("size is 0: expected the file's bytes".to_owned());
        }
        let wrong = |url: &&String| {
            let begins = url.starts_with("http://") || url.starts_with("https://");
            !begins || url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\'')
        };
        if self.urls.is_empty() {
            return Some("urls is empty: expected an address".to_owned());
        }
        self.urls.iter().find(wrong).map(|url| format!("an address is `{url}`: expected http:// or https://"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_holds_all_that_is_published() {
        let manifest = Manifest::built_in().unwrap();
        let sets = |family: &str| {
            let of = manifest.files().iter().filter(|published| published.family.starts_with(family));
            of.map(|published| &published.set).collect::<BTreeSet<_>>().len()
        };
        // Three environments and ant, six sets each; six mazes; four hands, three sets each; OGBench's 85.
        assert_eq!(sets("d4rl-locomotion-v2"), 24);
        assert_eq!(sets("d4rl-antmaze-v2"), 6);
        assert_eq!(sets("d4rl-adroit-v1"), 12);
        assert_eq!(sets("ogbench"), 85);
        let large = &manifest.set("antmaze-large-play-v2").unwrap()[0];
        assert_eq!(large.size, Some(230_880_653));
        assert_eq!(manifest.by_content(230_880_653, large.sha256.as_deref().unwrap()), Some(*large));
        assert_eq!(manifest.set("ogbench/cube-double-play-v0").unwrap().len(), 2);
    }

    #[test]
    fn a_wrong_manifest_is_told() {
        let file = "{ set = \"a/b-v1\", file = \"b.npz\" }";
        let page = |url: &str, file: &str| {
            format!(
                "schema = 1\n[[family]]\nname = \"a\"\nabout = \"\"\nlicence = \"MIT\"\nurls = [\"{url}\"]\n\
                 files = [{file}]\n"
            )
        };
        let url = "http://localhost/{file}";
        assert!(Manifest::parse("m", &page(url, file)).is_ok());
        let check = |text: &str, expect: &str| {
            let error = Manifest::parse("m", text).unwrap_err();
            assert!(error.is::<BadInput>() && error.to_string().contains(expect), "{error}");
        };
        check("schema = 2\nfamily = []\n", "schema is 2: expected 1");
        check(&page("file:///etc/passwd", file), "expected http:// or https://");
        check(&page(url, &format!("{file}, {file}")), "`b.npz` is there twice");
        check(&page(url, "{ set = \"a\", file = \"../b\" }"), "file is `../b`");
        check(&page(url, "{ set = \"a\", file = \"b\", sha256 = \"12\" }"), "expected 64 hexadecimal digits");
        check(&page(url, "{ set = \"a\", file = \"b\", size = -1 }"), "m:7: ");
        check(&page(url, "{ set = \"a\", file = \"b\", sise = 1 }"), "did you mean `size`?");
    }

    /// 500 manifests with some characters changed, from a seed: read, or refused with a message.
    #[test]
    fn a_changed_manifest_is_read_or_refused() {
        let whole = include_str!("manifest.toml");
        // One family is enough, and quicker.
        let page = &whole[..whole.match_indices("[[family]]").nth(1).unwrap().0];
        let stream = &mut streams::Stream::new(3, "manifest");
        let mut refused = 0;
        for case in 0..500 {
            let mut bytes = page.as_bytes().to_vec();
            for _ in 0..1 + stream.index(3) {
                let (place, with) = (stream.index(bytes.len()), stream.index(bytes.len()));
                match stream.index(3) {
                    0 => bytes[place] = b"\"\n[]{}=,-/.0\\"[stream.index(13)],
                    1 => drop(bytes.drain(place..(place + stream.index(40)).min(bytes.len()))),
                    _ => {
                        let with = with.min(bytes.len() - 1);
                        bytes.swap(place.min(with), with);
                    }
                }
            }
            if let Err(error) = Manifest::parse("m", &String::from_utf8_lossy(&bytes)) {
                refused += 1;
                assert!(error.is::<BadInput>(), "case {case}: {error:#}");
                assert!(error.to_string().starts_with("m:"), "case {case}: {error}");
            }
        }
        assert!(refused > 50, "{refused} refusals: do the changes reach anything?");
    }
}
