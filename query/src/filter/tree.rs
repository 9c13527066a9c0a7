//! A filter as a tree, and its text.
//!
//! Invariants: no list is empty; a comparison has a field on at least one side, and both sides are
//! of one type. The parser bounds the depth, so every walk over a tree may recurse.

use std::cmp::Ordering;
use std::fmt;

use chatvault_engine::Timestamp;

use super::field::Field;
use crate::time::format_time;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Compare(Comparison),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Field(Field),
    Null,
    Text(String),
    Time(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    pub(super) const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    pub(super) fn name(self) -> &'static str {
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
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
        }
    }

    /// The same with the sides changed.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            same => same,
        }
    }

    /// What holds where this does not, between two values that are there.
    pub(super) fn inverted(self) -> Self {
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

impl Comparison {
    /// With the field at the left, if one side is a value.
    pub(super) fn of_field(&self) -> Option<(Field, Operator, &Operand)> {
        match (&self.left, &self.right) {
            (Operand::Field(_), Operand::Field(_)) => None,
            (Operand::Field(field), value) => Some((*field, self.operator, value)),
            (value, Operand::Field(field)) => Some((*field, self.operator.mirrored(), value)),
            _ => None,
        }
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        [&self.left, &self.right].into_iter().filter_map(|side| match side {
            Operand::Field(field) => Some(*field),
            _ => None,
        })
    }
}

impl Tree {
    /// Calls `on` for each field that the tree names.
    pub(super) fn each_field(&self, on: &mut dyn FnMut(Field)) {
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

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, "and"),
            Self::Any(parts) => joined(f, parts, "or"),
            Self::Not(inside) => write!(f, "not ({inside})"),
            Self::Compare(Comparison { left, operator, right }) => {
                write!(f, "{left} {} {right}", operator.name())
            }
        }
    }
}

/// Lists inside lists stand in brackets, so that the text has the tree's shape.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[Tree], word: &str) -> fmt::Result {
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

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.path()),
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Time(time) => f.write_str(&format_time(*time)),
        }
    }
}
