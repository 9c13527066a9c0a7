//! A search as a tree, and its text.
//!
//! Invariants: no list is empty, a phrase has at least one term, and the parser bounds the depth,
//! so every walk over a tree may recurse.

use std::fmt;

use super::content::Part;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Phrase(Phrase),
}

/// A position and what stands there.
pub(super) type Term = (u32, String);

/// Terms at distances from each other, in one part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    /// Counts the phrases of a tree in the order in which they stand.
    pub(super) number: usize,
    /// In this part only.
    pub(super) part: Option<Part>,
    /// The terms with their positions, from 0.
    pub(super) terms: Vec<Term>,
    /// The last term is the start of a word.
    pub(super) is_prefix: bool,
    /// As it was written.
    pub(super) text: String,
}

impl Phrase {
    /// The terms that are whole, and the start of a word, if the last one is that.
    pub(super) fn split(&self) -> (&[Term], Option<&Term>) {
        match self.terms.split_last() {
            Some((last, whole)) if self.is_prefix => (whole, Some(last)),
            _ => (&self.terms, None),
        }
    }
}

impl Tree {
    /// Calls `on` for each phrase, in the order in which they stand.
    pub(super) fn each_phrase<'t>(&'t self, on: &mut dyn FnMut(&'t Phrase)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_phrase(on);
                }
            }
            Self::Not(inside) => inside.each_phrase(on),
            Self::Phrase(phrase) => on(phrase),
        }
    }

    /// Calls `on` for each phrase that stands behind a `NOT`.
    pub(super) fn each_unwanted<'t>(&'t self, on: &mut dyn FnMut(&'t Phrase)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_unwanted(on);
                }
            }
            Self::Not(inside) => inside.each_phrase(on),
            Self::Phrase(_) => {}
        }
    }

    /// Does it name a part anywhere?
    pub(super) fn names(&self, part: Part) -> bool {
        let mut is_named = false;
        self.each_phrase(&mut |phrase| is_named |= phrase.part == Some(part));
        is_named
    }

    /// Does it hold, if these phrases are there, by their numbers?
    pub(super) fn holds(&self, found: &[bool]) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(found)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(found)),
            Self::Not(inside) => !inside.holds(found),
            Self::Phrase(phrase) => found.get(phrase.number).copied().unwrap_or(false),
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(f, parts, " "),
            Self::Any(parts) => joined(f, parts, " OR "),
            Self::Not(inside) => match &**inside {
                Self::Phrase(phrase) => write!(f, "-{phrase}"),
                other => write!(f, "-({other})"),
            },
            Self::Phrase(phrase) => fmt::Display::fmt(phrase, f),
        }
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(part) = self.part {
            write!(f, "{}:", part.name())?;
        }
        f.write_str(&self.text)
    }
}

/// Lists inside lists stand in brackets, so that the text has the tree's shape.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[Tree], between: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        match part {
            Tree::All(_) | Tree::Any(_) => write!(f, "({part})")?,
            Tree::Not(_) | Tree::Phrase(_) => write!(f, "{part}")?,
        }
    }
    Ok(())
}
