//! What a segment of the index has in columns, read once: they are of the size of the archive, and a
//! question looks at a few places of them.
//!
//! Invariant: the documents of a segment are in order of time, the latest first. Damage is
//! noticed when a column is read.

use std::ops::Range;

use chatvault_engine::TimeRange;
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::schema::{CONVERSATION, CREATED, ROW};
use super::{failed, unreadable};
use crate::error::Result;

/// The columns of a segment.
pub(super) struct Columns {
    numbers: Column<u64>,
    created: Column<i64>,
    conversations: Option<StrColumn>,
    docs: DocId,
}

impl Columns {
    pub(super) fn read(reader: &SegmentReader) -> Result<Self> {
        let fast = reader.fast_fields();
        Ok(Self {
            numbers: fast.u64(ROW).map_err(failed)?,
            created: fast.i64(CREATED).map_err(failed)?,
            conversations: fast.str(CONVERSATION).map_err(failed)?,
            docs: reader.max_doc(),
        })
    }

    /// What tells a row apart.
    pub(super) fn number(&self, doc: DocId) -> u64 {
        self.numbers.first(doc).unwrap_or(0)
    }

    /// When it was created.
    pub(super) fn time(&self, doc: DocId) -> i64 {
        self.created.first(doc).unwrap_or(0)
    }

    /// The number of its conversation in this segment.
    pub(super) fn conversation(&self, doc: DocId) -> Option<u64> {
        self.conversations.as_ref()?.term_ords(doc).next()
    }

    /// The name of a conversation.
    pub(super) fn name(&self, number: u64) -> Result<String> {
        let mut name = String::new();
        if let Some(conversations) = &self.conversations {
            let _is_there = conversations.ord_to_str(number, &mut name).map_err(unreadable)?;
        }
        Ok(name)
    }

    /// The documents of a range of time.
    pub(super) fn docs_in(&self, range: TimeRange) -> Range<DocId> {
        let start = range.to.map_or(0, |to| self.first_before(to.ticks()));
        let end = range.from.map_or(self.docs, |from| self.first_before(from.ticks()));
        start..end.max(start)
    }

    /// The first document of an earlier time.
    fn first_before(&self, time: i64) -> DocId {
        let (mut low, mut high) = (0, self.docs);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time(middle) >= time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
