//! What a user is told when something they gave, or something on their machine, is not as it must be.
//!
//! A [`BadInput`] says what was found, where, what was expected and what to do. Any error chain that holds one ends
//! the program with exit code 2. Whatever else fails is our own fault or the system's, and ends it with 1.

mod shell;

pub use shell::quoted;

use std::fmt;

/// Something that the user can mend: a file, a flag, a missing program. Exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadInput {
    message: String,
    help: Option<String>,
}

impl BadInput {
    /// `message` names the thing and says what was found and what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds the remedy: what to do, or the command that mends it.
    #[must_use]
    pub fn help(mut self, remedy: impl Into<String>) -> Self {
        self.help = Some(remedy.into());
        self
    }

    /// Puts file and line before the message; `offset` is the place in `text`.
    #[must_use]
    pub fn at(mut self, file: &str, text: &str, offset: usize) -> Self {
        self.message = format!("{file}:{}: {}", line_of(text, offset), self.message);
        self
    }

    /// An unknown name among known ones, with the nearest as a suggestion.
    pub fn unknown<'a>(kind: &str, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let expected = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        let input = Self::new(format!("unknown {kind} `{found}`: expected one of {expected}"));
        match nearest(found, known) {
            Some(name) => input.help(format!("did you mean `{name}`?")),
            None => input,
        }
    }
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BadInput {}

/// The known name that `found` was probably meant to be, if one is near.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&found.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Parses TOML from `text`, which came from `file`. An error shows the place with a caret and, where a key is
/// unknown, the nearest known one.
///
/// # Errors
/// [`BadInput`] when the text is not TOML or does not fit `T`.
pub fn parse_toml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, BadInput> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
        let input = BadInput::new(format!("{place}: {}", error.to_string().trim_end()));
        match suggestion(error.message()) {
            Some(name) => input.help(format!("did you mean `{name}`?")),
            None => input,
        }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// Reads "unknown field `a`, expected one of `b`, `c`" and picks the nearest.
fn suggestion(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ").or_else(|| message.strip_prefix("unknown variant "))?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let found = quoted.next()?;
    nearest(found, quoted).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest_known_one() {
        let error = BadInput::unknown("task", "HalfChetah-v5", ["HalfCheetah-v5", "Hopper-v5"]);
        assert_eq!(
            error.to_string(),
            "unknown task `HalfChetah-v5`: expected one of `HalfCheetah-v5`, `Hopper-v5`\n  \
             help: did you mean `HalfCheetah-v5`?"
        );
    }

    #[test]
    fn a_toml_typo_gets_line_caret_and_suggestion() {
        #[derive(serde::Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its field names are read")]
        struct Protocol {
            seeds: Vec<u64>,
            steps: u64,
        }
        let error =
            parse_toml::<Protocol>("protocol.toml", "steps = 3\nsedes = [1]\n").unwrap_err().to_string();
        assert!(error.starts_with("protocol.toml:2: "), "{error}");
        assert!(error.contains("^^^^^"), "{error}");
        assert!(error.ends_with("help: did you mean `seeds`?"), "{error}");
    }
}
