//! From text to a tree, by recursive descent.
//!
//! ```text
//! any    := all { "OR" all }
//! all    := unit { [ "AND" ] unit }
//! unit   := ( "NOT" | "-" ) unit | [ part ":" ] ( "(" any ")" | word | '"' words '"' )
//! part   := body | subject | attachment | card | event
//! word   := characters up to white space, a bracket or a quote; a star may end it
//! ```
//!
//! Recursion is bounded by [`DEEPEST`], the rest by the length of the text.

use chatvault_base::reader::{Reader, Rules, one_or};

use super::content::Part;
use super::token::{Form, tokens};
use super::tree::{Phrase, Term, Tree};
use crate::error::{Error, Result};

/// Brackets inside brackets.
const DEEPEST: u32 = 32;
/// Longest text: a long list of names, not a data set.
const MAX_BYTES: usize = 64 << 10;

const RULES: Rules = Rules {
    language: "search",
    is_space: char::is_whitespace,
    ends_word: |_, _, c| c.is_whitespace() || matches!(c, '(' | ')') || is_quote(c),
};

const UNIT: &str = "a word, a phrase in double quotes, a bracket, NOT or -";
const WORD: &str = "a word with a letter, a digit or an emoji in it";
const PART: &str = "body, subject, attachment, card or event before a colon \
                    (a text with a colon in it stands in double quotes)";

pub(super) fn parse(text: &str) -> Result<Tree> {
    let mut reader = Parser { text: Reader::new(text, RULES), phrases: 0 };
    if text.len() > MAX_BYTES {
        return Err(reader.expected("at most 64 KiB of text"));
    }
    let tree = reader.any(None, DEEPEST)?;
    if reader.text.rest().is_empty() { Ok(tree) } else { Err(reader.expected(UNIT)) }
}

struct Parser<'t> {
    text: Reader<'t>,
    /// How many were read.
    phrases: usize,
}

impl Parser<'_> {
    fn any(&mut self, part: Option<Part>, depth: u32) -> Result<Tree> {
        let mut lists = vec![self.all(part, depth)?];
        while self.text.eat("OR") {
            lists.push(self.all(part, depth)?);
        }
        Ok(one_or(lists, Tree::Any))
    }

    fn all(&mut self, part: Option<Part>, depth: u32) -> Result<Tree> {
        let mut units = vec![self.unit(part, depth)?];
        loop {
            self.text.skip_space();
            let is_end = self.text.rest().is_empty() || self.text.rest().starts_with(')');
            if is_end || self.text.word() == "OR" {
                return Ok(one_or(units, Tree::All));
            }
            let _ = self.text.eat("AND");
            units.push(self.unit(part, depth)?);
        }
    }

    fn unit(&mut self, part: Option<Part>, depth: u32) -> Result<Tree> {
        self.text.skip_space();
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.expected("at most 32 brackets and NOTs inside each other"));
        };
        if self.text.eat("NOT") || self.eat_minus() {
            return Ok(Tree::Not(Box::new(self.unit(part, depth)?)));
        }
        let part = self.part()?.or(part);
        match self.text.rest().chars().next() {
            Some('(') => self.brackets(part, depth),
            Some(c) if is_quote(c) => self.quoted(part),
            _ => self.word(part),
        }
    }

    fn brackets(&mut self, part: Option<Part>, depth: u32) -> Result<Tree> {
        self.text.at += 1;
        let inside = self.any(part, depth)?;
        self.text.skip_space();
        if !self.text.rest().starts_with(')') {
            return Err(self.expected("a closing bracket"));
        }
        self.text.at += 1;
        Ok(inside)
    }

    /// The part that is named before a colon, and the colon.
    fn part(&mut self) -> Result<Option<Part>> {
        let word = self.text.word();
        let Some((name, behind)) = word.split_once(':') else { return Ok(None) };
        if let Some(part) = Part::named(name) {
            self.text.at += name.len() + 1;
            return Ok(Some(part));
        }
        // `10:30` and `https://…` are words; `sbject:offer` is a mistake.
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_word = behind.starts_with('/') || (behind.is_empty() && !self.is_before_value(word));
        if is_name && !is_word { Err(self.expected(PART)) } else { Ok(None) }
    }

    /// Does a quote or bracket follow without a space?
    fn is_before_value(&self, word: &str) -> bool {
        let behind = self.text.rest().get(word.len()..).unwrap_or_default();
        behind.starts_with(|c| c == '(' || is_quote(c))
    }

    fn word(&mut self, part: Option<Part>) -> Result<Tree> {
        let word = self.text.word();
        if matches!(word, "AND" | "OR" | "") {
            return Err(self.expected(UNIT));
        }
        let at = self.text.at;
        self.text.at += word.len();
        let (text, is_prefix) = match word.strip_suffix('*') {
            Some(text) => (text, true),
            None => (word, false),
        };
        self.phrase(part, (at, text, is_prefix))
    }

    /// Up to the closing quote.
    fn quoted(&mut self, part: Option<Part>) -> Result<Tree> {
        let open = self.text.at;
        let quote = self.text.rest().chars().next().map_or(0, char::len_utf8);
        let inside = self.text.rest().get(quote..).unwrap_or_default();
        let Some(end) = inside.find(is_quote) else {
            return Err(self.expected("a closing double quote for this one"));
        };
        let text = inside.get(..end).unwrap_or_default();
        let closing = inside.get(end..).and_then(|rest| rest.chars().next());
        self.text.at = open + quote + end + closing.map_or(0, char::len_utf8);
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(text) if text.ends_with(|c: char| !c.is_whitespace()) => (text, true),
            _ => (text, false),
        };
        self.phrase(part, (open + quote, text, is_prefix))
    }

    /// `at` is where `text` begins.
    fn phrase(
        &mut self,
        part: Option<Part>,
        (at, text, is_prefix): (usize, &str, bool),
    ) -> Result<Tree> {
        if let Some(star) = misplaced_star(text) {
            self.text.at = at + star;
            return Err(self.expected("a star only at the end of a word or phrase"));
        }
        let (terms, ends_in_word) = terms(text);
        if terms.is_empty() {
            self.text.at = at;
            return Err(self.expected(WORD));
        }
        let star = if is_prefix { "*" } else { "" };
        let text = format!("\"{text}{star}\"");
        // A run of letters without spaces is found inside longer ones anyway.
        let is_prefix = is_prefix && ends_in_word;
        let number = self.phrases;
        self.phrases += 1;
        Ok(Tree::Phrase(Phrase { number, part, terms, is_prefix, text }))
    }

    /// Takes a minus that stands before something.
    fn eat_minus(&mut self) -> bool {
        let mut rest = self.text.rest().chars();
        let is_minus =
            rest.next() == Some('-') && rest.next().is_some_and(|next| !next.is_whitespace());
        self.text.at += usize::from(is_minus);
        is_minus
    }

    /// The error that names the character where the reader is.
    fn expected(&self, expected: &'static str) -> Error {
        Error::Search(self.text.expected(expected))
    }
}

/// Word processors replace the quotes that people type.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')
}

/// A star behind a letter or digit means something only at the end; one by itself is a character
/// like any other.
fn misplaced_star(text: &str) -> Option<usize> {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '*' && before.is_alphanumeric() {
            return Some(at);
        }
        before = c;
    }
    None
}

/// The terms that a text has to have in a row, and whether it ends in a word.
///
/// Of a run of letters without spaces these are its pairs, or its only letter.
fn terms(text: &str) -> (Vec<Term>, bool) {
    let mut all: Vec<(u32, String, Form)> = Vec::new();
    tokens(text, &mut |term, position, form| {
        if form != Form::Plain {
            all.push((position, term.to_owned(), form));
        }
    });
    let has_pair = |at: Option<u32>| {
        at.is_some_and(|at| all.iter().any(|(pair, _, form)| *pair == at && *form == Form::Pair))
    };
    let is_needed = |(position, _, form): &&(u32, String, Form)| {
        *form != Form::Letter || !(has_pair(Some(*position)) || has_pair(position.checked_sub(1)))
    };
    let needed: Vec<_> = all.iter().filter(is_needed).collect();
    let first = needed.iter().map(|(position, ..)| *position).min().unwrap_or(0);
    let ends_in_word = needed.last().is_some_and(|(_, term, form)| {
        *form == Form::Exact && term.ends_with(char::is_alphanumeric)
    });
    let terms = needed.into_iter().map(|(position, term, _)| (position - first, term.clone()));
    (terms.collect(), ends_in_word)
}
