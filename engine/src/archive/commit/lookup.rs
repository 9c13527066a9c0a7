//! What a copy is to the rows that are there: a copy of one of them, or a new row.
//!
//! Invariant: it is called a duplicate only of a row whose bytes or whole content address were compared.

use std::sync::Arc;

use super::committing::{Committing, Compare};
use super::recall::Fingerprint;
use super::slab::{Key, RowRef, SlabRow};
use super::summary::Probe;
use crate::archive::Shared;
use crate::archive::held::Missing;
use crate::archive::state::{Live, find_in_segment};
use crate::error::Result;
use crate::segment::Keys;
use crate::types::{RunId, Timestamp};

/// What a fresh copy turned out to be.
pub(crate) enum Found {
    Duplicate(RowRef),
    New(Standing),
}

/// How a new row stands to those that are there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) sibling: bool,
    pub(crate) variant: bool,
    /// What it may equal could not be read.
    pub(crate) beside: bool,
}

impl Shared {
    /// The row that has these bytes, if it is in a segment from before the process. What stands in the way
    /// of an answer meets the commit.
    pub(crate) fn stored_before(
        &self,
        (key, version): (&Key<'_>, u64),
        document: &[u8],
        compare: &mut Compare,
    ) -> Option<RowRef> {
        let state = self.state();
        let is_old = |live: &&Arc<Live>| live.generation < self.opened_at;
        if !state.segments.iter().any(|live| is_old(&live)) {
            return None;
        }
        self.summarize(&state);
        let conversation = Probe::of(key.conversation.as_bytes());
        let mut old =
            state.segments.iter().filter(is_old).filter(|live| live.may_have(conversation));
        old.find_map(|live| {
            let rows = rows_in(live, key).ok()?.flatten();
            let mut rows = rows.filter(|(_, keys, local)| keys.version(*local) == version);
            let mut is_it = |index| compare.has_bytes((live, index), document).unwrap_or(false);
            let (index, ..) = rows.find(|(index, ..)| is_it(*index))?;
            Some(RowRef { generation: live.generation, index })
        })
    }
}

impl Committing<'_> {
    /// Does the archive have this row, of this document?
    pub(crate) fn look_up(&mut self, row: &SlabRow, document: &[u8]) -> Result<Found> {
        let key = row.key();
        let mut standing = Standing::default();
        for (place, there) in self.writer.index.find(&key) {
            standing.sibling = true;
            if there.version == row.version {
                if there.address == row.address {
                    return Ok(Found::Duplicate(place));
                }
                standing.variant = true;
            }
        }
        let conversation = Probe::of(row.conversation.as_bytes());
        for live in &self.state.segments {
            if !live.may_have(conversation) {
                continue;
            }
            match look_up_in(live, (row, document), (&mut self.compare, &mut standing)) {
                Ok(Some(place)) => return Ok(Found::Duplicate(place)),
                Ok(None) => {}
                Err(_) if planted!("call what cannot be read a duplicate") => {
                    return Ok(Found::Duplicate(RowRef { generation: live.generation, index: 0 }));
                }
                // What cannot be compared is stored again: damage never stops a backup.
                Err(error) if error.is_unreadable() => standing.beside = true,
                Err(error) => return Err(error),
            }
        }
        Ok(Found::New(standing))
    }

    /// The same for a row whose document states no version. It is a copy of the newest of its key or
    /// newer: its version is when the run began that saw it, and more than any before it.
    pub(crate) fn look_up_stamped(
        &mut self,
        (row, document): (&mut SlabRow, &[u8]),
        (run, newest): (RunId, Option<u64>),
    ) -> Result<Found> {
        let in_archive = self.newest_version(&row.key());
        if let (Some(version), None) = (in_archive, newest) {
            row.stamp(version);
            if let Found::Duplicate(place) = self.look_up(row, document)? {
                return Ok(Found::Duplicate(place));
            }
        }
        let begun = u64::try_from(self.begun(run).ms()).unwrap_or(0);
        let behind = in_archive.max(newest).map_or(0, |version| version.saturating_add(1));
        row.stamp(begun.max(behind));
        self.look_up(row, document)
    }

    /// The newest version of a message, as far as it can be read.
    fn newest_version(&self, key: &Key<'_>) -> Option<u64> {
        let in_slabs = self.writer.index.find(key).into_iter().map(|(_, row)| row.version).max();
        let conversation = Probe::of(key.conversation.as_bytes());
        let segments = self.state.segments.iter().filter(|live| live.may_have(conversation));
        let versions = segments.filter_map(|live| newest_in(live, key).ok().flatten());
        versions.max().max(in_slabs)
    }

    /// When a run began.
    fn begun(&self, run: RunId) -> Timestamp {
        let new = self.writer.new_runs.get(&run.0).map(|run| run.started);
        // Where damage hides it now will do, as for a run of a ledger that is lost.
        let known = || self.state.run(run.0).ok().flatten().map(|run| run.started);
        new.or_else(known).unwrap_or_else(|| self.shared.host.clock.now())
    }
}

/// Of the rows of a commit with the same key, the one that a further row is a copy of.
pub(crate) fn twin(
    row: &SlabRow,
    same: &[u32],
    new: &[(SlabRow, Vec<Fingerprint>)],
) -> Option<u32> {
    let newest = same.iter().map(|at| new[*at as usize].0.version).max();
    let version = if row.stamped { newest? } else { row.version };
    let is_it = |there: &SlabRow| there.version == version && there.address == row.address;
    same.iter().copied().find(|at| is_it(&new[*at as usize].0))
}

/// The rows of a message in a segment, each with its group's keys and its place in the group.
fn rows_in<'l>(
    live: &'l Live,
    key: &Key<'_>,
) -> Result<impl Iterator<Item = Result<(u32, Arc<Keys>, usize)>> + use<'l>> {
    let segment = live.segment()?;
    let found = find_in_segment(segment, key, &Missing::default())?;
    Ok(found.into_iter().map(move |index| {
        let group = segment.group_of(index);
        let local = (index - segment.group(group)?.first_row) as usize;
        Ok((index, segment.keys(group)?, local))
    }))
}

/// The newest version of a message in a segment.
fn newest_in(live: &Live, key: &Key<'_>) -> Result<Option<u64>> {
    let mut newest = None;
    for row in rows_in(live, key)? {
        let (_, keys, local) = row?;
        newest = newest.max(Some(keys.version(local)));
    }
    Ok(newest)
}

/// Looks for a row in a segment, and takes down how it stands to the rows of its message there.
fn look_up_in(
    live: &Live,
    (row, document): (&SlabRow, &[u8]),
    (compare, standing): (&mut Compare, &mut Standing),
) -> Result<Option<RowRef>> {
    for found in rows_in(live, &row.key())? {
        standing.sibling = true;
        let (index, keys, local) = found?;
        if keys.version(local) != row.version {
            continue;
        }
        standing.variant = true;
        if planted!("call a variant a duplicate") {
            return Ok(Some(RowRef { generation: live.generation, index }));
        }
        if keys.tag(local) == &row.address.0[..keys.tag(local).len()]
            && compare.is_copy((live, index), document, &row.address)?
        {
            return Ok(Some(RowRef { generation: live.generation, index }));
        }
    }
    Ok(None)
}
