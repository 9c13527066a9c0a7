//! A segment: an immutable file of many rows, columnar, found fast, rendered back exactly.
//!
//! Rows are sorted by (conversation, created, id, version, address) and cut into row groups. A
//! document is a template and values; values go to columns. Bytes: FORMAT.md, "Segment".
//!
//! Invariants: every row renders back to its exact bytes (proved when it is encoded; a row that
//! would not is kept whole and counted); nothing in a file changes after it was sealed.

mod bind;
mod block;
mod bound;
mod build;
mod check;
mod columns;
mod dictionary;
mod footer;
mod keys;
mod layout;
mod lists;
mod open;
mod pages;
mod program;
mod recent;
mod rows;
mod senders;
mod sets;
mod shapes;
mod stream;
mod tell;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use block::{Block, Spot, Text};
pub(crate) use build::{Built, Effort, build};
pub(crate) use dictionary::{Decoder, Dictionary, Samples, Trained, encode as encode_dictionary};
pub(crate) use keys::{Keys, kind_code, numeric};
pub(crate) use layout::{Bounds, Group, Times};
pub(crate) use lists::{Forms, Lists};
pub(crate) use open::{Segment, Tables, tag_number};
pub(crate) use pages::{List, ListPage, border};
pub(crate) use rows::RowReader;

use crate::error::Result;
use crate::types::{ContentAddress, MessageKind, RecordKind, Sequence, Timestamp};

/// A row on its way into a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRow<'a> {
    pub(crate) document: &'a [u8],
    pub(crate) record: RecordKind,
    pub(crate) conversation: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) id: &'a str,
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) sender: Option<&'a str>,
    pub(crate) kind: MessageKind,
    pub(crate) sequence: Sequence,
    /// If it is known: the document was checked.
    pub(crate) address: Option<ContentAddress>,
    /// (custodian number, sequence of the commit that delivered it first) in order.
    pub(crate) sightings: &'a [(u32, u64)],
    /// The archive had another row of this message when this one arrived.
    pub(crate) sibling: bool,
    /// It may equal a row that could not be read when it arrived.
    pub(crate) beside: bool,
}

/// Takes rows one after the other.
pub(crate) type Visit<'v> = dyn FnMut(&NewRow<'_>) -> Result<()> + 'v;

/// Rows in segment order; can be gone through again.
pub(crate) trait Source {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()>;
}

/// Bytes of a content address kept with a row: they tell variants of a version apart and find
/// the candidates for an address; the whole address is recomputed from the row.
pub(crate) const TAG_BYTES: usize = 2;
