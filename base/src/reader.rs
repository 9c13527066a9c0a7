//! A text in a small language on its way to a tree: where the reader is, the next word, and an error
//! that names the character at which something else should stand.
//!
//! The languages decide what a word is and what stands where; see [`filter`](crate::filter).

use std::borrow::Cow;
use std::fmt;

/// What tells words apart in a language.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What its errors begin with.
    pub language: &'static str,
    /// Stands between words, and means nothing.
    pub is_space: fn(char) -> bool,
    /// Does a character at a byte of the rest end the word that the rest begins with?
    pub ends_word: fn(&str, usize, char) -> bool,
}

/// A text, read from the left to the right.
#[derive(Clone, Debug)]
pub struct Reader<'t> {
    /// All of it.
    pub text: &'t str,
    /// The byte where the reader is.
    pub at: usize,
    rules: Rules,
}

impl<'t> Reader<'t> {
    /// At its start.
    pub fn new(text: &'t str, rules: Rules) -> Self {
        Self { text, at: 0, rules }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on to what is no space.
    pub fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(self.rules.is_space).len();
    }

    /// The next word, which stays next; empty if something else follows.
    pub fn word(&self) -> &'t str {
        let rest = self.rest();
        let is_end = |(at, c): &(usize, char)| (self.rules.ends_word)(rest, *at, *c);
        let end = rest.char_indices().find(is_end).map_or(rest.len(), |(at, _)| at);
        rest.get(..end).unwrap_or_default()
    }

    /// Takes a word if it is the next one.
    pub fn eat(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_next = self.word() == word;
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// The error at the character where the reader is.
    pub fn expected(&self, expected: impl Into<Cow<'static, str>>) -> Unexpected {
        Unexpected::at_byte(self.rules.language, (self.text, self.at), expected)
    }
}

/// Where a text is none of its language, and what could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// What the text should be in: `filter`, `search`.
    pub language: &'static str,
    /// Which character, from 1.
    pub at: usize,
    /// What could stand there.
    pub expected: Cow<'static, str>,
    /// What stands there, shortened.
    pub found: String,
}

impl Unexpected {
    /// What stands at a byte of a text, where something else should.
    pub fn at_byte(
        language: &'static str,
        (text, byte): (&str, usize),
        expected: impl Into<Cow<'static, str>>,
    ) -> Self {
        /// Enough to find the place.
        const SHOWN_CHARS: usize = 24;
        let (before, rest) = text.split_at_checked(byte).unwrap_or((text, ""));
        let found: String = rest.chars().take(SHOWN_CHARS).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        Self { language, at: before.chars().count() + 1, expected: expected.into(), found }
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { language, at, expected, found } = self;
        write!(f, "{language}: character {at}: expected {expected}, found {found}")
    }
}

impl std::error::Error for Unexpected {}

/// A list of parts, or the only one.
pub fn one_or<T>(mut parts: Vec<T>, join: impl FnOnce(Vec<T>) -> T) -> T {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}
