//! What one commit stored: rows that are in the journal and not yet in a segment.
//!
//! Invariants: a slab never changes; its rows are in segment order; it is in the journal frame of
//! its sequence. A row is known by its generation (a slab or a segment file of this process) and
//! its index there; [`Moves`](super::moves::Moves) says where the rows of a generation went.

use std::cmp::Ordering;

use super::moves::Holder;
use crate::archive::accounts::book::Book;
use crate::archive::accounts::quarantine::Refused;
use crate::row::{Identity, stamped_modified};
use crate::segment::NewRow;
use crate::types::{ContentAddress, MessageKind, RecordKind, Sequence, Timestamp};

/// A row of this process's slabs and segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowRef {
    pub(crate) generation: u32,
    pub(crate) index: u32,
}

/// A row that waits for its segment.
#[derive(Clone, Debug)]
pub(crate) struct SlabRow {
    pub(crate) document: std::ops::Range<usize>,
    pub(crate) record: RecordKind,
    pub(crate) conversation: Box<str>,
    pub(crate) reply_to: Option<Box<str>>,
    pub(crate) id: Box<str>,
    pub(crate) version: u64,
    /// The version is not the document's own.
    pub(crate) stamped: bool,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) sender: Option<Box<str>>,
    pub(crate) kind: MessageKind,
    pub(crate) address: ContentAddress,
    pub(crate) canonical_bytes: u32,
    pub(crate) sibling: bool,
    /// It may equal a row that could not be read.
    pub(crate) beside: bool,
    /// Custodians that delivered it in the commit that stored it, in order.
    pub(crate) custodians: Vec<u32>,
}

impl SlabRow {
    pub(crate) fn new(
        identity: Identity<'_>,
        document: std::ops::Range<usize>,
        (address, canonical_bytes): (ContentAddress, usize),
    ) -> Self {
        let own = |text: std::borrow::Cow<'_, str>| text.into_owned().into_boxed_str();
        Self {
            document,
            record: identity.record,
            conversation: own(identity.conversation),
            reply_to: identity.reply_to.map(own),
            id: own(identity.id),
            version: identity.version,
            stamped: identity.stamped,
            created: identity.created,
            modified: identity.modified,
            sender: identity.sender.map(own),
            kind: identity.kind,
            address,
            canonical_bytes: u32::try_from(canonical_bytes).unwrap_or(u32::MAX),
            sibling: false,
            beside: false,
            custodians: Vec::new(),
        }
    }

    /// Gives it a version, if its document states none.
    pub(crate) fn stamp(&mut self, version: u64) {
        self.version = version;
        self.modified = stamped_modified(self.record, version, self.created);
    }

    /// Segment order.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let key = |row: &Self| (row.created, row.version, row.address);
        let (created, version, address) = key(self);
        let theirs = key(other);
        self.conversation
            .cmp(&other.conversation)
            .then(created.cmp(&theirs.0))
            .then_with(|| self.id.cmp(&other.id))
            .then(version.cmp(&theirs.1))
            .then(address.cmp(&theirs.2))
    }

    /// Is it a row of this message?
    pub(crate) fn is_of(&self, key: &Key<'_>) -> bool {
        self.record == key.record
            && *self.conversation == *key.conversation
            && *self.id == *key.id
            && self.reply_to.as_deref() == key.reply_to
    }

    pub(crate) fn key(&self) -> Key<'_> {
        Key {
            record: self.record,
            conversation: &self.conversation,
            reply_to: self.reply_to.as_deref(),
            id: &self.id,
        }
    }
}

impl Identity<'_> {
    pub(crate) fn key(&self) -> Key<'_> {
        Key {
            record: self.record,
            conversation: &self.conversation,
            reply_to: self.reply_to.as_deref(),
            id: &self.id,
        }
    }
}

/// A message's key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    pub(crate) record: RecordKind,
    pub(crate) conversation: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) id: &'a str,
}

/// Sightings by the commit that delivered them first: the slab's own, unless it wrote earlier ones
/// again because their rows had moved.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) sequence: u64,
    /// (row, custodian).
    pub(crate) pairs: Vec<(RowRef, u32)>,
}

/// Everything that one commit added.
#[derive(Debug)]
pub(crate) struct Slab {
    pub(crate) generation: u32,
    pub(crate) sequence: Sequence,
    pub(crate) documents: Box<[u8]>,
    pub(crate) rows: Box<[SlabRow]>,
    /// Copies of rows that were there.
    pub(crate) sightings: Vec<Seen>,
    /// Copies that could not be keyed.
    pub(crate) refused: Vec<Refused>,
    pub(crate) book: Book,
    /// For the places in `sightings`.
    #[expect(dead_code, reason = "it holds by living")]
    pub(crate) holder: Holder,
}

impl Slab {
    pub(crate) fn document(&self, row: &SlabRow) -> &[u8] {
        self.documents.get(row.document.clone()).unwrap_or_default()
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let refused = self.refused.iter().map(Refused::memory);
        self.documents.len()
            + self.rows.len() * 400
            + self.sightings.iter().map(|seen| seen.pairs.len() * 12).sum::<usize>()
            + refused.sum::<usize>()
            + self.book.bytes()
    }

    /// Rows of a conversation, as a range of indexes.
    pub(crate) fn rows_of(&self, conversation: &str) -> std::ops::Range<usize> {
        let start = self.rows.partition_point(|row| *row.conversation < *conversation);
        let rest = self.rows.get(start..).unwrap_or_default();
        start..start + rest.partition_point(|row| *row.conversation == *conversation)
    }

    pub(crate) fn new_row<'a>(
        &'a self,
        row: &'a SlabRow,
        sightings: &'a [(u32, u64)],
    ) -> NewRow<'a> {
        NewRow {
            document: self.document(row),
            record: row.record,
            conversation: &row.conversation,
            reply_to: row.reply_to.as_deref(),
            id: &row.id,
            version: row.version,
            created: row.created,
            modified: row.modified,
            sender: row.sender.as_deref(),
            kind: row.kind,
            sequence: self.sequence,
            address: Some(row.address),
            sightings,
            sibling: row.sibling,
            beside: row.beside,
        }
    }
}
