//! One JSON document taken apart: skeleton and values, canonical form, content address, identity.
//!
//! A document is split into *nodes*: the root, and one for each element of a non-empty array. A
//! node is a *template* (its bytes with the values cut out) and the values that fill the holes.
//! Putting the values back gives the exact bytes; putting them back in the order of the sorted
//! keys gives the canonical JSON. Neither needs a second parse.

mod canonical;
pub(crate) mod escape;
mod identity;
mod parse;
mod reduce;
mod template;

pub(crate) use canonical::Canonical;
pub(crate) use identity::{Identity, identify, stamped_modified};
pub(crate) use parse::{Limits, Parser, Shape, Span};
pub(crate) use reduce::{Piece, reduce};
pub(crate) use template::{
    Form, Hole, HoleKind, Item, PathId, Role, Step, Template, TemplateId, Templates,
};

#[cfg(test)]
mod tests;
