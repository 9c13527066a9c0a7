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

use std::marker::PhantomData;

use super::tree::{Comparison, Field, Operand, Operator, Tree, Type};
use crate::reader::{Reader, Rules, Unexpected, one_or};
use crate::time::{Timestamp, parse_time};

/// What errors about filters begin with.
pub const LANGUAGE: &str = "filter";

/// White space, and the `+` that stands for it in a link, lie between words.
const RULES: Rules = Rules {
    language: LANGUAGE,
    is_space: |c| c.is_whitespace() || c == '+',
    ends_word: |rest, at, c| match c {
        '(' | ')' | '\'' | ',' => true,
        '+' => !is_offset(rest, at),
        c => c.is_whitespace(),
    },
};

/// Brackets inside brackets; documented forms have two.
const DEEPEST: u32 = 32;
/// Longest text: room for ten thousand senders.
const MAX_BYTES: usize = 1 << 20;

const OPERATOR: &str = "eq, ne, gt, ge, lt or le (in lower case)";
const TEXT: &str = "a value in single quotes, such as 'text', or null";
const TIME: &str = "a time without quotes, such as 2020-06-04T18:03:11.591Z, or null";

type Result<T> = std::result::Result<T, Unexpected>;

/// The tree of a text of at most a MiB.
///
/// # Errors
///
/// Names the first character that cannot stand where it does.
pub fn read<F: Field>(text: &str) -> Result<Tree<F>> {
    let mut reader = Parser { text: Reader::new(text, RULES), fields: PhantomData };
    if text.len() > MAX_BYTES {
        return Err(reader.text.expected("at most 1 MiB of text"));
    }
    let tree = reader.any(DEEPEST)?;
    reader.text.skip_space();
    let is_end = reader.text.rest().is_empty();
    if is_end { Ok(tree) } else { Err(reader.text.expected("and, or, or the end")) }
}

struct Parser<'t, F> {
    text: Reader<'t>,
    fields: PhantomData<F>,
}

impl<F: Field> Parser<'_, F> {
    fn any(&mut self, depth: u32) -> Result<Tree<F>> {
        let mut parts = vec![self.all(depth)?];
        while self.text.eat("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Tree::Any))
    }

    fn all(&mut self, depth: u32) -> Result<Tree<F>> {
        let mut parts = vec![self.unit(depth)?];
        while self.text.eat("and") {
            parts.push(self.unit(depth)?);
        }
        Ok(one_or(parts, Tree::All))
    }

    fn unit(&mut self, depth: u32) -> Result<Tree<F>> {
        self.text.skip_space();
        let start = self.text.at;
        if self.text.rest().starts_with('(') {
            return self.brackets(depth);
        }
        if !self.text.eat("not") {
            return self.comparison().map(Tree::Compare);
        }
        self.text.skip_space();
        let inside = if self.text.rest().starts_with('(') {
            self.brackets(depth)?
        } else if self.text.word() == "not" {
            let Some(depth) = depth.checked_sub(1) else { return Err(self.too_deep(start)) };
            self.unit(depth)?
        } else {
            return Err(self.text.expected("an opening bracket behind not"));
        };
        Ok(Tree::Not(Box::new(inside)))
    }

    fn brackets(&mut self, depth: u32) -> Result<Tree<F>> {
        let Some(depth) = depth.checked_sub(1) else { return Err(self.too_deep(self.text.at)) };
        self.text.at += 1;
        let inside = self.any(depth)?;
        self.text.skip_space();
        if !self.text.rest().starts_with(')') {
            return Err(self.text.expected("and, or, or a closing bracket"));
        }
        self.text.at += 1;
        Ok(inside)
    }

    fn comparison(&mut self) -> Result<Comparison<F>> {
        let at = self.text.at;
        let left = self.operand(None)?;
        let value_type = value_type(&left);
        let operator = self.operator()?;
        self.text.skip_space();
        let middle = self.text.at;
        let right = self.operand(Some(&left))?;
        let is_field = |side: &Operand<F>| matches!(side, Operand::Field(_));
        if !is_field(&left) && !is_field(&right) {
            self.text.at = middle;
            return Err(self.text.expected(F::EXPECTED));
        }
        match (value_type, self::value_type(&right)) {
            (Some(left), Some(right)) if left != right => {
                self.text.at = middle;
                Err(self.text.expected("two values of one kind: texts or times"))
            }
            _ => Ok(Comparison { at, left, operator, right }),
        }
    }

    fn operator(&mut self) -> Result<Operator> {
        self.text.skip_space();
        let word = self.text.word();
        let operator = Operator::named(word).ok_or_else(|| self.text.expected(OPERATOR))?;
        self.text.at += word.len();
        Ok(operator)
    }

    /// `beside` is the left side, if this is the right one.
    fn operand(&mut self, beside: Option<&Operand<F>>) -> Result<Operand<F>> {
        self.text.skip_space();
        let expected = match beside {
            Some(Operand::Field(field)) if field.value_type() == Type::Time => TIME,
            Some(Operand::Field(_)) => TEXT,
            _ => F::EXPECTED,
        };
        if self.text.rest().starts_with('\'') {
            if expected == TIME {
                return Err(self.text.expected(TIME));
            }
            return self.quoted().map(Operand::Text);
        }
        let word = self.text.word();
        let operand = match F::named(word) {
            Some(field) => Some(Operand::Field(field)),
            None if word == "null" => Some(Operand::Null),
            None if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let time = if expected == TEXT { None } else { time(word) };
                Some(Operand::Time(time.ok_or_else(|| {
                    self.text.expected(if expected == TEXT { TEXT } else { TIME })
                })?))
            }
            None => None,
        };
        let operand = operand.ok_or_else(|| self.text.expected(expected))?;
        self.text.at += word.len();
        Ok(operand)
    }

    /// A text in single quotes; two of them inside stand for one.
    fn quoted(&mut self) -> Result<String> {
        let start = self.text.at;
        let mut text = String::new();
        let mut rest = self.text.rest().get(1..).unwrap_or_default();
        while let Some((part, behind)) = rest.split_once('\'') {
            text.push_str(part);
            let Some(more) = behind.strip_prefix('\'') else {
                self.text.at = self.text.text.len() - behind.len();
                return Ok(text);
            };
            text.push('\'');
            rest = more;
        }
        self.text.at = start;
        Err(self.text.expected("a closing single quote (one inside a text is written twice)"))
    }

    fn too_deep(&mut self, at: usize) -> Unexpected {
        self.text.at = at;
        self.text.expected("at most 32 brackets inside each other")
    }
}

/// Is this `+` the offset of a time, as in `2020-06-04T18:00:00+02:00`?
fn is_offset(word: &str, plus: usize) -> bool {
    let hours = word.get(plus + 1..plus + 4).unwrap_or_default();
    let starts_as_time = word.starts_with(|c: char| c.is_ascii_digit());
    let digits = hours.bytes().take(2).all(|byte| byte.is_ascii_digit());
    starts_as_time && hours.ends_with(':') && digits
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
