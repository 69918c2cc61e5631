//! Words of a command line.

/// `word` as a shell takes it for one word.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        let check = |word, expect: &str| assert_eq!(quoted(word), expect);
        check("HalfCheetah-v5", "HalfCheetah-v5");
        check("", "''");
        check("a b", "'a b'");
        check("$(rm)'s", "'$(rm)'\\''s'");
        check("a\nb\\", "'a\nb\\'");
    }
}
