//! A segment that is merged: its rows in order, and all that is known of each.
//!
//! Everything that a merge asks of a segment's layout is asked here.

use std::cmp::Ordering;
use std::sync::Arc;

use super::choose::{Place, Span};
use super::{Entry, narrow};
use crate::archive::commit::committing::Compare;
use crate::archive::held::{Gaps, Missing, in_gap};
use crate::archive::state::Live;
use crate::error::{Error, Result};
use crate::segment::{Keys, Segment, Tables};
use crate::types::ContentAddress;

/// A segment that is merged, with what is needed all the time.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) live: Arc<Live>,
    pub(super) segment: Arc<Segment>,
    tables: Arc<Tables>,
}

impl Input {
    pub(super) fn of(live: &Arc<Live>) -> Result<Self> {
        let segment = Arc::clone(live.segment()?);
        Ok(Self { live: Arc::clone(live), tables: segment.tables()?, segment })
    }

    pub(super) fn rows(&self) -> u32 {
        self.segment.meta.rows
    }

    pub(super) fn conversation(&self, row: u32) -> &str {
        self.tables.conversation(row)
    }

    pub(super) fn sender(&self, keys: &Keys, local: usize) -> Option<&str> {
        let number = (keys.sender(local) as usize).checked_sub(1)?;
        Some(self.tables.senders.text(number))
    }

    /// Where a row stands in the order.
    pub(super) fn place(&self, row: u32) -> Result<Place> {
        let (keys, local) = self.keys(row)?;
        let conversation = self.conversation(row).as_bytes().to_vec();
        Ok(Place { conversation, created: keys.created[local] })
    }

    pub(super) fn span(&self) -> Result<Span> {
        let last = self.rows().saturating_sub(1);
        Ok(Span { first: self.place(0)?, last: self.place(last)?, rows: u64::from(self.rows()) })
    }

    /// The keys of a row's group, and its place in there.
    pub(super) fn keys(&self, row: u32) -> Result<(Arc<Keys>, usize)> {
        let number = self.segment.group_of(row);
        let first = self.segment.group(number)?.first_row;
        Ok((self.segment.keys(number)?, (row - first) as usize))
    }

    /// Adds who delivered a row, and in which commit first, in no order.
    pub(super) fn deliveries(&self, row: u32, out: &mut Vec<(u32, u64)>) -> Result<()> {
        let (keys, local) = self.keys(row)?;
        self.put_set(&keys, local, out);
        self.live.late.of_row(row, out)
    }

    pub(super) fn put_set(&self, keys: &Keys, local: usize, out: &mut Vec<(u32, u64)>) {
        let (own, sequence) = (self.tables.sets.get(keys.set(local)), keys.sequence(local));
        let absolute = |(custodian, age): &(u32, u64)| (*custodian, sequence.saturating_add(*age));
        out.extend(own.into_iter().flatten().map(absolute));
    }
}

/// The row of an input that comes next.
#[derive(Debug)]
pub(super) struct Head<'m> {
    pub(super) number: u32,
    input: &'m Input,
    row: u32,
    pub(super) conversation: &'m [u8],
    /// The conversation's number, and where it ends.
    at: (usize, u32),
    group: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    first: u32,
    end: u32,
    keys: Arc<Keys>,
    gaps: Gaps,
}

impl<'m> Head<'m> {
    /// The first row of an input that can be read; `None` if there is none.
    pub(super) fn of(number: usize, input: &'m Input, missing: &Missing) -> Result<Option<Self>> {
        let head = Self {
            number: narrow(number),
            input,
            row: 0,
            conversation: b"",
            at: (0, 0),
            group: None,
        };
        head.settle(missing)
    }

    /// The next one.
    pub(super) fn next(mut self, missing: &Missing) -> Result<Option<Self>> {
        self.row += 1;
        self.settle(missing)
    }

    /// Goes on to a row that can be read, this one if it can.
    fn settle(mut self, missing: &Missing) -> Result<Option<Self>> {
        let segment = &self.input.segment;
        while self.row < self.input.rows() {
            let loaded = self.group.take().filter(|group| self.row < group.end);
            let loaded = if let Some(loaded) = loaded {
                loaded
            } else {
                let number = segment.group_of(self.row);
                let (group, gaps) = (segment.group(number)?, missing.gaps(segment, number));
                let (first, end) = (group.first_row, group.end_row());
                let Some(keys) = missing.pass(segment.keys(number))? else {
                    self.row = end;
                    continue;
                };
                Loaded { first, end, keys, gaps }
            };
            let is_there = !in_gap(&loaded.gaps, self.row);
            self.group = Some(loaded);
            if is_there {
                self.name();
                return Ok(Some(self));
            }
            self.row += 1;
        }
        Ok(None)
    }

    /// Finds the row's conversation, mostly that of the row before.
    fn name(&mut self) {
        if self.row < self.at.1 {
            return;
        }
        let tables = &self.input.tables;
        let number = tables.number_of(self.row);
        let end = tables.starts.get(number + 1).copied().unwrap_or(self.input.rows());
        self.at = (number, end);
        self.conversation = tables.conversations.get(number).unwrap_or_default();
    }

    fn keys(&self) -> Result<(&Keys, usize)> {
        let group = self.group.as_ref();
        let group = group.ok_or_else(|| Error::corrupt("merge reads no row group"))?;
        Ok((&*group.keys, (self.row - group.first) as usize))
    }

    pub(super) fn created(&self) -> Result<i64> {
        self.keys().map(|(keys, local)| keys.created[local])
    }

    /// As it stands in an output; `conversation` counts from there.
    pub(super) fn entry(&self, conversation: u32) -> Result<Entry> {
        let (keys, local) = self.keys()?;
        Ok(Entry {
            conversation,
            created: keys.created[local],
            version: keys.version(local),
            input: self.number,
            row: self.row,
            beside: keys.is_beside(local),
            folded: false,
        })
    }

    /// Segment order, and of equal rows that of the first input before.
    pub(super) fn compare(&self, other: &Self, compare: &mut [Compare; 2]) -> Result<Ordering> {
        let (keys, local) = self.keys()?;
        let (theirs, at) = other.keys()?;
        let order = self.conversation.cmp(other.conversation);
        let order = order.then_with(|| keys.created[local].cmp(&theirs.created[at]));
        if order.is_ne() {
            return Ok(order);
        }
        let (mut id, mut other_id) = (Vec::new(), Vec::new());
        keys.put_id(local, &mut id);
        theirs.put_id(at, &mut other_id);
        let order = id.cmp(&other_id).then(keys.version(local).cmp(&theirs.version(at)));
        if order.is_ne() {
            return Ok(order);
        }
        let [own, other_one] = compare;
        let order = self.address(own)?.cmp(&other.address(other_one)?);
        Ok(order.then(self.number.cmp(&other.number)))
    }

    fn address(&self, compare: &mut Compare) -> Result<ContentAddress> {
        compare.row(&self.input.live, self.row).map(|(address, _)| address)
    }
}
