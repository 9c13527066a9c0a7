//! A value of a document, and where one is.

use std::borrow::Cow;
use std::fmt;

use super::{Document, Node, Slot};
use crate::row::{Form, Item, Span, escape};
use crate::types::Timestamp;

/// A value of a [`Document`]. What is of another type than asked for is as if it were not there.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    node: Option<&'d Node>,
    item: usize,
}

/// Where a value is in a document: names of members, read once and used for many documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Box<[Box<str>]>);

impl Path {
    /// Reads a path such as `from/user/id`.
    pub fn new(path: &str) -> Self {
        Self(path.split('/').map(Into::into).collect())
    }

    /// The names on it.
    pub(crate) fn names(&self) -> &[Box<str>] {
        &self.0
    }
}

impl<'d> Value<'d> {
    pub(super) fn of(document: &'d Document<'_>, node: Option<&'d Node>) -> Self {
        Self { document, node, item: 0 }
    }

    /// The member of an object with this name.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// What is at a path below an object.
    pub fn at(self, path: &Path) -> Option<Self> {
        path.0.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The members of an object, in the order in which they came; of equal names the last one only.
    pub fn members(self) -> Members<'d> {
        let item = self.item().filter(|item| item.form == Form::Object);
        let end = item.map_or(0, |item| item.end as usize);
        Members { of: Self { item: self.item + 1, ..self }, end }
    }

    /// The elements of a list.
    pub fn elements(self) -> Elements<'d> {
        let slot = match self.form() {
            Some(Form::Array(hole)) => self.slot(hole),
            _ => None,
        };
        let (first, left) = match slot {
            Some(Slot::Elements(first, count)) => (first as usize, count),
            _ => (0, 0),
        };
        Elements { document: self.document, next: first, left }
    }

    /// A text.
    pub fn text(self) -> Option<Cow<'d, str>> {
        match self.form()? {
            Form::Text(hole) => self.scalar(hole).map(escape::read),
            _ => None,
        }
    }

    /// A number, as it is written.
    pub fn number(self) -> Option<&'d str> {
        match self.form()? {
            Form::Number(hole) => self.scalar(hole),
            _ => None,
        }
    }

    /// A whole number, or a text that is one.
    pub fn integer(self) -> Option<i64> {
        match self.number() {
            Some(number) => number.parse().ok(),
            None => self.text()?.parse().ok(),
        }
    }

    /// A text that is a time.
    pub fn time(self) -> Option<Timestamp> {
        self.text()?.parse().ok()
    }

    /// True or false.
    pub fn boolean(self) -> Option<bool> {
        match self.form()? {
            Form::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// Is it `null`?
    pub fn is_null(self) -> bool {
        self.form() == Some(Form::Null)
    }

    /// Is it a list?
    pub fn is_list(self) -> bool {
        matches!(self.form(), Some(Form::Array(_) | Form::Empty))
    }

    /// Is it an object?
    pub fn is_object(self) -> bool {
        self.form() == Some(Form::Object)
    }

    /// Is it nothing: `null`, an empty text, an empty list or an empty object?
    pub fn is_empty(self) -> bool {
        match self.form() {
            None | Some(Form::Null | Form::Empty) => true,
            Some(Form::Text(hole)) => self.scalar(hole).is_none_or(str::is_empty),
            Some(Form::Object) => self.members().next().is_none(),
            Some(_) => false,
        }
    }

    /// Do both say the same? White space, escapes and the order of members do not matter.
    pub fn says_as(self, other: Value<'_>) -> bool {
        match (self.form(), other.form()) {
            (Some(Form::Text(own)), Some(Form::Text(others))) => {
                same_text(self.scalar(own), other.scalar(others))
            }
            (Some(Form::Number(own)), Some(Form::Number(others))) => {
                same_number(self.scalar(own), other.scalar(others))
            }
            (Some(Form::Array(_)), Some(Form::Array(_))) => {
                let (own, others) = (self.elements(), other.elements());
                own.left == others.left && own.zip(others).all(|(own, other)| own.says_as(other))
            }
            (Some(Form::Object), Some(Form::Object)) => {
                let (own, others) = (sorted(self.members()), sorted(other.members()));
                let same = |(own, other): (&(&str, Value<'_>), &(&str, Value<'_>))| {
                    own.0 == other.0 && own.1.says_as(other.1)
                };
                own.len() == others.len() && own.iter().zip(&others).all(same)
            }
            (own, other) => own == other,
        }
    }

    fn item(self) -> Option<&'d Item> {
        self.node?.template.items.get(self.item)
    }

    fn form(self) -> Option<Form> {
        self.item().map(|item| item.form)
    }

    fn slot(self, hole: u32) -> Option<Slot> {
        self.document.parts.slots.get(self.node?.slots + hole as usize).copied()
    }

    fn scalar(self, hole: u32) -> Option<&'d str> {
        match self.slot(hole)? {
            Slot::Scalar(Span { start, end }) => {
                self.document.text.get(start as usize..end as usize)
            }
            Slot::Elements(..) => None,
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form() {
            Some(Form::Object) => f.debug_map().entries(self.members()).finish(),
            Some(Form::Array(_) | Form::Empty) => f.debug_list().entries(self.elements()).finish(),
            Some(Form::Text(_)) => self.text().unwrap_or_default().fmt(f),
            Some(Form::Number(_)) => f.write_str(self.number().unwrap_or_default()),
            Some(Form::Boolean(value)) => value.fmt(f),
            Some(Form::Null) | None => f.write_str("null"),
        }
    }
}

fn sorted(members: Members<'_>) -> Vec<(&str, Value<'_>)> {
    let mut all: Vec<_> = members.collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all
}

/// By their shortest spelling: two halves of surrogate pairs are not the same.
fn same_text(one: Option<&str>, other: Option<&str>) -> bool {
    let spelled = |text: Option<&str>| {
        let mut out = Vec::new();
        escape::canonical(text.unwrap_or_default().as_bytes(), &mut out);
        out
    };
    let escapes = |text: Option<&str>| text.is_some_and(|text| text.contains('\\'));
    one == other || ((escapes(one) || escapes(other)) && spelled(one) == spelled(other))
}

/// A whole number is not the same as one with a fraction or an exponent.
fn same_number(one: Option<&str>, other: Option<&str>) -> bool {
    let float = |number: Option<&str>| {
        let number = number.filter(|number| number.contains(['.', 'e', 'E']))?;
        number.parse::<f64>().ok().filter(|number| number.is_finite())
    };
    one == other || float(one).is_some_and(|one| float(other) == Some(one))
}

/// The members of an object.
#[derive(Clone, Debug)]
pub struct Members<'d> {
    of: Value<'d>,
    end: usize,
}

impl<'d> Iterator for Members<'d> {
    type Item = (&'d str, Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let value = Some(self.of).filter(|value| value.item < self.end)?;
        let item = value.item()?;
        self.of.item = item.end as usize;
        Some((&item.name, value))
    }
}

/// The elements of a list.
#[derive(Clone, Debug)]
pub struct Elements<'d> {
    document: &'d Document<'d>,
    next: usize,
    left: u32,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        self.left = self.left.checked_sub(1)?;
        let node = self.document.parts.nodes.get(self.next)?;
        self.next = node.next;
        Some(Value::of(self.document, Some(node)))
    }
}
