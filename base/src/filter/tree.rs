//! A filter as a tree, and its text.
//!
//! Invariants: no list is empty; a comparison has a field on at least one side, and both sides are
//! of one type. The parser bounds the depth, so every walk over a tree may recurse.

use std::cmp::Ordering;
use std::fmt;

use crate::time::{Timestamp, format_time};

/// A field that a filter can name.
pub trait Field: Copy {
    /// All fields, for errors.
    const EXPECTED: &'static str;

    /// The field of this path; case matters, as in OData.
    fn named(path: &str) -> Option<Self>;

    /// Its path.
    fn path(self) -> &'static str;

    /// What kind of value it has.
    fn value_type(self) -> Type;
}

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Written in single quotes.
    Text,
    /// Written without quotes.
    Time,
}

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree<F> {
    /// Joined by `and`.
    All(Vec<Self>),
    /// Joined by `or`.
    Any(Vec<Self>),
    /// What does not hold.
    Not(Box<Self>),
    /// A leaf.
    Compare(Comparison<F>),
}

/// Two sides and how they are compared. It stands somewhere in a text, which says nothing of what it
/// means: two that differ in their places are equal.
#[derive(Clone, Debug)]
pub struct Comparison<F> {
    /// The byte of the text at which it begins.
    pub at: usize,
    /// The left side.
    pub left: Operand<F>,
    /// How.
    pub operator: Operator,
    /// The right side.
    pub right: Operand<F>,
}

impl<F: PartialEq> PartialEq for Comparison<F> {
    fn eq(&self, other: &Self) -> bool {
        let sides = |one: &Self, other: &Self| one.left == other.left && one.right == other.right;
        self.operator == other.operator && sides(self, other)
    }
}

impl<F: Eq> Eq for Comparison<F> {}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand<F> {
    /// What a row has there.
    Field(F),
    /// No value.
    Null,
    /// A text in single quotes.
    Text(String),
    /// A time without quotes.
    Time(Timestamp),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The same.
    Eq,
    /// Not the same.
    Ne,
    /// Behind it.
    Gt,
    /// Not before it.
    Ge,
    /// Before it.
    Lt,
    /// Not behind it.
    Le,
}

impl Operator {
    const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.name() == name)
    }

    /// Does it hold between two values that compare like this?
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
        }
    }

    /// Does it ask whether two values are the same?
    pub fn is_equality(self) -> bool {
        matches!(self, Self::Eq | Self::Ne)
    }

    /// The same with the sides changed.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            same => same,
        }
    }

    /// What holds where this does not, between two values that are there.
    #[must_use]
    pub fn inverted(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
        }
    }
}

impl<F: Field> Comparison<F> {
    /// With the field at the left, if one side is a value.
    pub fn of_field(&self) -> Option<(F, Operator, &Operand<F>)> {
        match (&self.left, &self.right) {
            (Operand::Field(_), Operand::Field(_)) => None,
            (Operand::Field(field), value) => Some((*field, self.operator, value)),
            (value, Operand::Field(field)) => Some((*field, self.operator.mirrored(), value)),
            _ => None,
        }
    }

    fn fields(&self) -> impl Iterator<Item = F> {
        [&self.left, &self.right].into_iter().filter_map(|side| match side {
            Operand::Field(field) => Some(*field),
            _ => None,
        })
    }
}

impl<F: Field> Tree<F> {
    /// Calls `on` for each field that the tree names.
    pub fn each_field(&self, on: &mut dyn FnMut(F)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_field(on);
                }
            }
            Self::Not(inside) => inside.each_field(on),
            Self::Compare(comparison) => comparison.fields().for_each(on),
        }
    }
}

impl<F: Field> fmt::Display for Tree<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, "and"),
            Self::Any(parts) => joined(f, parts, "or"),
            Self::Not(inside) => write!(f, "not ({inside})"),
            Self::Compare(Comparison { left, operator, right, .. }) => {
                write!(f, "{left} {} {right}", operator.name())
            }
        }
    }
}

/// Lists inside lists stand in brackets, so that the text has the tree's shape.
fn joined<F: Field>(f: &mut fmt::Formatter<'_>, parts: &[Tree<F>], word: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            write!(f, " {word} ")?;
        }
        match part {
            Tree::All(_) | Tree::Any(_) => write!(f, "({part})")?,
            Tree::Not(_) | Tree::Compare(_) => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl<F: Field> fmt::Display for Operand<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.path()),
            Self::Null => f.write_str("null"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Time(time) => f.write_str(&format_time(*time)),
        }
    }
}

/// A text as a filter has it: in single quotes, of which one inside is written twice.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
