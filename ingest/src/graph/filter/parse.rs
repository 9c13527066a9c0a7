//! The OData expression of a filter: clauses joined by `and`, `or` and brackets.
//!
//! Recursion is bounded by the depth of brackets, time by the length of the text.

use chatvault_engine::Timestamp;
use chrono::DateTime;

use super::forms;
use super::{ApplicationKind, Filter, FilterError, Sender, TimeField, UserKind};

/// Brackets inside brackets: documented forms have two.
const DEEPEST: u32 = 32;

const TICKS_PER_SECOND: i64 = 10_000_000;
const NANOS_PER_TICK: u32 = 100;

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let mut reader = Reader { text, at: 0 };
    if reader.skip_space().is_empty() {
        return Ok(Filter::default());
    }
    let tree = reader.any(DEEPEST)?;
    let rest = reader.skip_space();
    if !rest.is_empty() {
        return Err(reader.expected("`and`, `or` or the end"));
    }
    forms::recognise(tree)
}

/// An expression, with the place of each clause. No list is empty.
pub(super) enum Tree {
    Leaf(usize, Clause),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

pub(super) enum Clause {
    Sender(Sender),
    AppClass(String),
    /// A lower or upper bound, exclusive.
    Bound(TimeField, Side, Timestamp),
}

/// Which end of a range.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Lower,
    Upper,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn any(&mut self, depth: u32) -> Result<Tree, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.eat_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(single_or(parts, Tree::Any))
    }

    fn all(&mut self, depth: u32) -> Result<Tree, FilterError> {
        let mut parts = vec![self.unit(depth)?];
        while self.eat_word("and") {
            parts.push(self.unit(depth)?);
        }
        Ok(single_or(parts, Tree::All))
    }

    fn unit(&mut self, depth: u32) -> Result<Tree, FilterError> {
        if !self.skip_space().starts_with('(') {
            let at = self.at;
            return Ok(Tree::Leaf(at, self.clause()?));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.expected("fewer brackets inside brackets"));
        };
        self.at += 1;
        let inside = self.any(depth)?;
        if !self.skip_space().starts_with(')') {
            return Err(self.expected("`and`, `or` or a closing bracket"));
        }
        self.at += 1;
        Ok(inside)
    }

    fn clause(&mut self) -> Result<Clause, FilterError> {
        let start = self.at;
        let field = self.word();
        let sender: fn(String) -> Sender = match field {
            "from/user/id" => Sender::User,
            "from/user/userIdentityType" => |name| Sender::UserKind(UserKind(name.into())),
            "from/application/id" => Sender::ApplicationId,
            "from/application/applicationIdentityType" => {
                |name| Sender::Application(ApplicationKind(name.into()))
            }
            "messageType" => return self.message_type().map(Clause::Sender),
            "appClass" => return self.equal_to().map(Clause::AppClass),
            "lastModifiedDateTime" => return self.bound(TimeField::Modified),
            "createdDateTime" => return self.bound(TimeField::Created),
            _ => {
                self.at = start;
                return Err(self.expected(FIELDS));
            }
        };
        self.equal_to().map(sender).map(Clause::Sender)
    }

    fn message_type(&mut self) -> Result<Sender, FilterError> {
        let sender = match self.operator(&["eq", "ne"])? {
            "eq" => Sender::SystemEvents,
            _ => Sender::NotSystemEvents,
        };
        let start = self.skip_to();
        if self.string()? == "systemEventMessage" {
            return Ok(sender);
        }
        self.at = start;
        Err(self.expected("'systemEventMessage', the only type that filters document"))
    }

    fn equal_to(&mut self) -> Result<String, FilterError> {
        self.operator(&["eq"]).and_then(|_eq| self.string())
    }

    fn bound(&mut self, field: TimeField) -> Result<Clause, FilterError> {
        let operator = self.operator(&["gt", "ge", "lt", "le"])?;
        let at = self.time()?;
        // The service's own bounds are `gt` and `lt`; the others are the next tick's.
        let (side, ticks) = match operator {
            "gt" => (Side::Lower, 0),
            "ge" => (Side::Lower, -1),
            "lt" => (Side::Upper, 0),
            _ => (Side::Upper, 1),
        };
        let at = Timestamp::from_ticks(at.ticks().saturating_add(ticks));
        Ok(Clause::Bound(field, side, at))
    }

    fn operator(&mut self, allowed: &[&'static str]) -> Result<&'static str, FilterError> {
        let start = self.skip_to();
        let word = self.word();
        if let Some(operator) = allowed.iter().find(|operator| **operator == word) {
            return Ok(operator);
        }
        self.at = start;
        Err(self.expected(&format!("`{}`", allowed.join("`, `"))))
    }

    /// A string literal; quotes inside are doubled.
    fn string(&mut self) -> Result<String, FilterError> {
        let start = self.skip_to();
        let mut rest = self.rest().strip_prefix('\'').ok_or_else(|| self.expected(STRING))?;
        let mut value = String::new();
        loop {
            let Some((part, behind)) = rest.split_once('\'') else {
                self.at = start;
                return Err(self.expected("a closing quote of the text"));
            };
            value.push_str(part);
            let Some(more) = behind.strip_prefix('\'') else {
                self.at = self.text.len() - behind.len();
                return Ok(value);
            };
            value.push('\'');
            rest = more;
        }
    }

    fn time(&mut self) -> Result<Timestamp, FilterError> {
        let start = self.skip_to();
        let word = self.word();
        ticks(word).ok_or_else(|| {
            self.at = start;
            self.expected("a time without quotes, such as 2020-06-04T18:03:11.591Z")
        })
    }

    fn eat_word(&mut self, wanted: &str) -> bool {
        let start = self.skip_to();
        let there = self.word() == wanted;
        if !there {
            self.at = start;
        }
        there
    }

    /// A name, operator or time; empty if none is here.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let part = |c: char| c.is_ascii_alphanumeric() || "/_.:+-".contains(c);
        let (word, behind) = rest.split_at(rest.find(|c| !part(c)).unwrap_or(rest.len()));
        self.at = self.text.len() - behind.len();
        word
    }

    fn skip_space(&mut self) -> &'t str {
        let _ = self.skip_to();
        self.rest()
    }

    /// Where the next token is.
    fn skip_to(&mut self) -> usize {
        let rest = self.rest().trim_ascii_start();
        self.at = self.text.len() - rest.len();
        self.at
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &str) -> FilterError {
        let found: String = self.rest().chars().take(24).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        FilterError { at: self.at, message: format!("expected {what}, found {found}") }
    }
}

const FIELDS: &str = "from/user/id, from/user/userIdentityType, from/application/id, \
    from/application/applicationIdentityType, messageType, appClass, lastModifiedDateTime, \
    createdDateTime or an opening bracket";
const STRING: &str = "a text in single quotes";

/// RFC 3339 as OData writes it: `T` and a zone, both in either case.
fn ticks(word: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(word).ok()?;
    let seconds = at.timestamp().checked_mul(TICKS_PER_SECOND)?;
    let fraction = i64::from(at.timestamp_subsec_nanos() / NANOS_PER_TICK);
    seconds.checked_add(fraction).map(Timestamp::from_ticks)
}

fn single_or(mut parts: Vec<Tree>, join: fn(Vec<Tree>) -> Tree) -> Tree {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}
