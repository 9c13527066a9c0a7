//! From text to a tree, by recursive descent.
//!
//! ```text
//! any     := all { "or" all }
//! all     := unit { "and" unit }
//! unit    := "(" any ")" | "not" ( "(" any ")" | "not" … ) | operand operator operand
//! operand := field | 'text' | time | null
//! ```
//!
//! Recursion is bounded by [`DEEPEST`], the rest by the length of the text. `not` takes brackets:
//! without them OData reads `not a eq b` as `(not a) eq b`, which nobody means.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::tree::{Comparison, Field, Operand, Operator, Tree, Type};
use crate::time::{Timestamp, parse_time};

/// Brackets inside brackets; documented forms have two.
const DEEPEST: u32 = 32;
/// Longest text: room for ten thousand senders.
const MAX_BYTES: usize = 1 << 20;

const OPERATOR: &str = "eq, ne, gt, ge, lt or le (in lower case)";
const TEXT: &str = "a value in single quotes, such as 'text', or null";
const TIME: &str = "a time without quotes, such as 2020-06-04T18:03:11.591Z, or null";

type Result<T> = std::result::Result<T, Unexpected>;

/// Where a text is no filter, and what could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// Which character, from 1.
    pub at: usize,
    /// What could stand there.
    pub expected: Cow<'static, str>,
    /// What stands there, shortened.
    pub found: String,
}

impl Unexpected {
    /// What stands at a byte of a text, where something else should.
    pub fn at_byte(text: &str, byte: usize, expected: impl Into<Cow<'static, str>>) -> Self {
        /// Enough to find the place.
        const SHOWN_CHARS: usize = 24;
        let (before, rest) = text.split_at_checked(byte).unwrap_or((text, ""));
        let found: String = rest.chars().take(SHOWN_CHARS).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        Self { at: before.chars().count() + 1, expected: expected.into(), found }
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, expected, found } = self;
        write!(f, "filter: character {at}: expected {expected}, found {found}")
    }
}

impl std::error::Error for Unexpected {}

/// The tree of a text of at most a MiB.
///
/// # Errors
///
/// Names the first character that cannot stand where it does.
pub fn read<F: Field>(text: &str) -> Result<Tree<F>> {
    let mut reader = Reader { text, at: 0, fields: PhantomData };
    if text.len() > MAX_BYTES {
        return Err(reader.expected("at most 1 MiB of text"));
    }
    let tree = reader.any(DEEPEST)?;
    reader.skip_space();
    if reader.rest().is_empty() { Ok(tree) } else { Err(reader.expected("and, or, or the end")) }
}

struct Reader<'t, F> {
    text: &'t str,
    at: usize,
    fields: PhantomData<F>,
}

impl<'t, F: Field> Reader<'t, F> {
    fn any(&mut self, depth: u32) -> Result<Tree<F>> {
        let mut parts = vec![self.all(depth)?];
        while self.eat("or") {
            parts.push(self.all(depth)?);
        }
        Ok(single_or(parts, Tree::Any))
    }

    fn all(&mut self, depth: u32) -> Result<Tree<F>> {
        let mut parts = vec![self.unit(depth)?];
        while self.eat("and") {
            parts.push(self.unit(depth)?);
        }
        Ok(single_or(parts, Tree::All))
    }

    fn unit(&mut self, depth: u32) -> Result<Tree<F>> {
        self.skip_space();
        let start = self.at;
        if self.rest().starts_with('(') {
            return self.brackets(depth);
        }
        if !self.eat("not") {
            return self.comparison().map(Tree::Compare);
        }
        self.skip_space();
        let inside = if self.rest().starts_with('(') {
            self.brackets(depth)?
        } else if self.peek_word() == "not" {
            let Some(depth) = depth.checked_sub(1) else { return Err(self.too_deep(start)) };
            self.unit(depth)?
        } else {
            return Err(self.expected("an opening bracket behind not"));
        };
        Ok(Tree::Not(Box::new(inside)))
    }

    fn brackets(&mut self, depth: u32) -> Result<Tree<F>> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.too_deep(self.at)) };
        self.at += 1;
        let inside = self.any(depth)?;
        self.skip_space();
        if !self.rest().starts_with(')') {
            return Err(self.expected("and, or, or a closing bracket"));
        }
        self.at += 1;
        Ok(inside)
    }

    fn comparison(&mut self) -> Result<Comparison<F>> {
        let at = self.at;
        let left = self.operand(None)?;
        let value_type = value_type(&left);
        let operator = self.operator()?;
        self.skip_space();
        let middle = self.at;
        let right = self.operand(Some(&left))?;
        let is_field = |side: &Operand<F>| matches!(side, Operand::Field(_));
        if !is_field(&left) && !is_field(&right) {
            self.at = middle;
            return Err(self.expected(F::EXPECTED));
        }
        match (value_type, self::value_type(&right)) {
            (Some(left), Some(right)) if left != right => {
                self.at = middle;
                Err(self.expected("two values of one kind: texts or times"))
            }
            _ => Ok(Comparison { at, left, operator, right }),
        }
    }

    fn operator(&mut self) -> Result<Operator> {
        self.skip_space();
        let word = self.peek_word();
        let operator = Operator::named(word).ok_or_else(|| self.expected(OPERATOR))?;
        self.at += word.len();
        Ok(operator)
    }

    /// `beside` is the left side, if this is the right one.
    fn operand(&mut self, beside: Option<&Operand<F>>) -> Result<Operand<F>> {
        self.skip_space();
        let expected = match beside {
            Some(Operand::Field(field)) if field.value_type() == Type::Time => TIME,
            Some(Operand::Field(_)) => TEXT,
            _ => F::EXPECTED,
        };
        if self.rest().starts_with('\'') {
            if expected == TIME {
                return Err(self.expected(TIME));
            }
            return self.quoted().map(Operand::Text);
        }
        let word = self.peek_word();
        let operand = match F::named(word) {
            Some(field) => Some(Operand::Field(field)),
            None if word == "null" => Some(Operand::Null),
            None if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let time = if expected == TEXT { None } else { time(word) };
                Some(Operand::Time(
                    time.ok_or_else(|| self.expected(if expected == TEXT { TEXT } else { TIME }))?,
                ))
            }
            None => None,
        };
        let operand = operand.ok_or_else(|| self.expected(expected))?;
        self.at += word.len();
        Ok(operand)
    }

    /// A text in single quotes; two of them inside stand for one.
    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let mut text = String::new();
        let mut rest = self.rest().get(1..).unwrap_or_default();
        while let Some((part, behind)) = rest.split_once('\'') {
            text.push_str(part);
            let Some(more) = behind.strip_prefix('\'') else {
                self.at = self.text.len() - behind.len();
                return Ok(text);
            };
            text.push('\'');
            rest = more;
        }
        self.at = start;
        Err(self.expected("a closing single quote (one inside a text is written twice)"))
    }

    /// Takes a word if it is the next one.
    fn eat(&mut self, word: &str) -> bool {
        self.skip_space();
        let is_next = self.peek_word() == word;
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// White space, and the `+` that stands for it in a link.
    fn skip_space(&mut self) {
        let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == '+');
        self.at = self.text.len() - rest.len();
    }

    /// Up to white space, a bracket, a quote or a comma.
    fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let ends = |(at, c): &(usize, char)| match c {
            '(' | ')' | '\'' | ',' => true,
            '+' => !is_offset(rest, *at),
            c => c.is_whitespace(),
        };
        let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
        rest.get(..end).unwrap_or_default()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn too_deep(&mut self, at: usize) -> Unexpected {
        self.at = at;
        self.expected("at most 32 brackets inside each other")
    }

    /// The error that names the character where the reader is.
    fn expected(&self, expected: &'static str) -> Unexpected {
        Unexpected::at_byte(self.text, self.at, expected)
    }
}

/// Is this `+` the offset of a time, as in `2020-06-04T18:00:00+02:00`?
fn is_offset(word: &str, plus: usize) -> bool {
    let hours = word.get(plus + 1..plus + 4).unwrap_or_default();
    let starts_as_time = word.starts_with(|c: char| c.is_ascii_digit());
    let digits = hours.bytes().take(2).all(|byte| byte.is_ascii_digit());
    starts_as_time && hours.ends_with(':') && digits
}

fn single_or<F>(mut parts: Vec<Tree<F>>, list: fn(Vec<Tree<F>>) -> Tree<F>) -> Tree<F> {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        popped => {
            parts.extend(popped);
            list(parts)
        }
    }
}

fn value_type<F: Field>(operand: &Operand<F>) -> Option<Type> {
    match operand {
        Operand::Field(field) => Some(field.value_type()),
        Operand::Null => None,
        Operand::Text(_) => Some(Type::Text),
        Operand::Time(_) => Some(Type::Time),
    }
}

/// A time as OData writes it: seconds may be left out, a zone may not. A date is its midnight UTC.
fn time(word: &str) -> Option<Timestamp> {
    /// `2020-06-04T18:03` without what follows.
    const TO_MINUTES: usize = 16;
    if word.len() == "2020-06".len() {
        return None;
    }
    let (minutes, rest) = word.split_at_checked(TO_MINUTES).unwrap_or((word, ""));
    if rest.starts_with(['Z', 'z', '+', '-']) {
        return parse_time(&format!("{minutes}:00{rest}"));
    }
    parse_time(word)
}
