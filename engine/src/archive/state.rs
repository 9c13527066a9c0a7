//! What an archive consists of at one moment: immutable, shared by the writer and its snapshots.

use std::sync::{Arc, OnceLock};

use super::accounts::late::Late;
use super::accounts::ledger::Ledger;
use super::accounts::quarantine::Outcasts;
use super::commit::slab::{Key, Slab};
use super::held::{Held, Missing, in_gap};
use super::repair::repaired::Repaired;
use crate::catalog::Summary;
use crate::count::narrow;
use crate::error::{Error, Result};
use crate::journal::Recorded;
use crate::manifest::{FileEntry, Manifest};
use crate::objects::Pack;
use crate::segment::{Group, Keys, Segment};
use crate::types::{Sequence, TICKS_PER_MS};

/// A segment that the manifest names, with the sightings that ledgers add to it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) generation: u32,
    pub(crate) entry: FileEntry,
    pub(crate) file: Held<Segment>,
    pub(crate) late: Late,
    /// See the module `summary`; `None` inside once it was tried and could not be had.
    pub(crate) summary: Arc<OnceLock<Option<Summary>>>,
}

impl Live {
    /// The segment, or why it cannot be read.
    pub(crate) fn segment(&self) -> Result<&Arc<Segment>> {
        self.file.get()
    }
}

/// The files and slabs of one moment.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) manifest_hash: [u8; 32],
    pub(crate) segments: Vec<Arc<Live>>,
    /// What is known beside rows up to the manifest's sequence, by ascending file number.
    pub(crate) ledgers: Vec<Arc<Ledger>>,
    /// In order of sequence.
    pub(crate) slabs: Vec<Arc<Slab>>,
    pub(crate) packs: Vec<Held<Pack>>,
    /// Quarantine files by ascending number.
    pub(crate) outcasts: Vec<Arc<Outcasts>>,
    /// Ledgers that cannot be read: file number and error.
    pub(crate) lost_ledgers: Vec<(u64, Error)>,
    pub(crate) missing: Arc<Missing>,
    /// Commits up to this one are in here.
    pub(crate) sequence: Sequence,
}

/// A row of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowId {
    /// Segments first, then slabs.
    pub(crate) source: u32,
    pub(crate) row: u32,
}

impl State {
    /// The same without commits in memory, for work that is long: once they are sealed it does not hold
    /// them back.
    pub(crate) fn of_files(&self) -> Arc<Self> {
        let (slabs, sequence) = (Vec::new(), self.manifest.sequence);
        Arc::new(Self { slabs, sequence, ..self.clone() })
    }

    /// The manifest as the journal records it.
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { number: self.manifest.number, hash: self.manifest_hash }
    }

    /// This state without the commits behind `sequence`.
    pub(crate) fn until(&self, sequence: Sequence) -> Self {
        let mut state = self.clone();
        let slabs = self.slabs.partition_point(|slab| slab.sequence <= sequence);
        state.slabs.truncate(slabs);
        state.sequence = sequence;
        state
    }

    /// Are its files those of this manifest, each opened and to be kept?
    pub(crate) fn is_of(&self, manifest_hash: [u8; 32]) -> bool {
        let outcasts = || self.outcasts.iter().all(|file| file.is_open());
        let whole = !self.missing.salvage() && self.is_whole() && outcasts();
        self.manifest_hash == manifest_hash && whole
    }

    /// What sealed files hold.
    pub(crate) fn without_slabs(&self) -> Self {
        self.until(self.manifest.sequence)
    }

    /// Other ledgers than before: has segments find their sightings there.
    pub(crate) fn settle_ledgers(&mut self) {
        self.ledgers.sort_unstable_by_key(|ledger| ledger.table.number);
        for live in &mut self.segments {
            let late = Late::of(live.entry.number, &self.ledgers, &self.missing);
            if !late.is_same(&live.late) {
                *live = Arc::new(Live { late, ..(**live).clone() });
            }
        }
    }

    /// Could every file be opened?
    pub(crate) fn is_whole(&self) -> bool {
        self.segments.iter().all(|live| live.file.is_readable())
            && self.packs.iter().all(Held::is_readable)
            && self.lost_ledgers.is_empty()
    }

    /// Is it what a repair left of another archive?
    pub(crate) fn is_repaired(&self) -> bool {
        !Repaired::of(&self.manifest).is_empty()
    }

    /// Is there, or was there before a repair, a ledger that cannot be read, and the runs of its
    /// commits with it?
    pub(crate) fn lost_runs(&self) -> bool {
        !self.lost_ledgers.is_empty() || self.is_repaired()
    }

    /// Fails if a ledger cannot be read: then custodians, counters, checkpoints and links are not
    /// all there. For salvage what is there will do.
    pub(crate) fn need_ledgers(&self) -> Result<()> {
        match self.lost_ledgers.first() {
            Some((_, error)) => self.missing.pass(Err(error.clone())).map(|_: Option<()>| ()),
            None => Ok(()),
        }
    }

    /// Every row of a message that came with a commit up to `last`, perhaps later ones.
    pub(crate) fn rows_of(&self, key: &Key<'_>, last: Sequence) -> Result<Vec<RowId>> {
        let mut found = Vec::new();
        for (source, live) in self.segments.iter().enumerate() {
            if live.entry.first > last {
                continue;
            }
            let rows =
                live.segment().and_then(|segment| find_in_segment(segment, key, &self.missing));
            let rows = self.missing.pass(rows)?.unwrap_or_default();
            found.extend(rows.into_iter().map(|row| RowId { source: narrow(source), row }));
        }
        self.add_slab_rows(key, &mut found);
        Ok(found)
    }

    /// The same where the conversation's rows in each segment are known: (source, start, end).
    pub(crate) fn rows_among(
        &self,
        key: &Key<'_>,
        last: Sequence,
        places: &[(u32, u32, u32)],
    ) -> Result<Vec<RowId>> {
        let mut found = Vec::new();
        for (source, start, end) in places {
            let live = &self.segments[*source as usize];
            if live.entry.first <= last {
                let rows = find_in_rows(live.segment()?, key, (*start, *end), &self.missing)?;
                found.extend(rows.into_iter().map(|row| RowId { source: *source, row }));
            }
        }
        self.add_slab_rows(key, &mut found);
        Ok(found)
    }

    /// Did all rows of a row's source come with a commit up to this one?
    pub(crate) fn came_by(&self, at: RowId, commit: Sequence) -> bool {
        let source = at.source as usize;
        let slab = || self.slabs.get(source.checked_sub(self.segments.len())?);
        let last = self.segments.get(source).map(|live| live.entry.last);
        last.or_else(|| slab().map(|slab| slab.sequence)).is_some_and(|last| last <= commit)
    }

    fn add_slab_rows(&self, key: &Key<'_>, found: &mut Vec<RowId>) {
        let first = self.segments.len();
        for (number, slab) in self.slabs.iter().enumerate() {
            let range = slab.rows_of(key.conversation);
            let rows = slab.rows.get(range.clone()).unwrap_or_default();
            let matches = rows.iter().enumerate().filter(|(_, row)| row.is_of(key));
            found.extend(matches.map(|(at, _)| RowId {
                source: narrow(first + number),
                row: narrow(range.start + at),
            }));
        }
    }
}

/// The rows of a message in one segment. What cannot be read is an error only if one of them can
/// be there.
pub(crate) fn find_in_segment(
    segment: &Segment,
    key: &Key<'_>,
    missing: &Missing,
) -> Result<Vec<u32>> {
    let number = crate::segment::numeric(key.id);
    // A page of names is read only where the row can be.
    let Some((page, rows)) = segment.page_with(key.conversation) else { return Ok(Vec::new()) };
    if !groups_of(segment, rows).any(|group| can_be_in(group, number)) {
        return Ok(Vec::new());
    }
    match segment.rows_on(page, key.conversation)? {
        Some(rows) => find_in_rows(segment, key, rows, missing),
        None => Ok(Vec::new()),
    }
}

fn groups_of(segment: &Segment, (start, end): (u32, u32)) -> impl Iterator<Item = &Group> {
    let groups = segment.meta.groups.get(segment.group_of(start)..).unwrap_or_default();
    groups.iter().take_while(move |group| group.first_row < end)
}

/// Ids are creation times, nearly always: then the row is where its time is.
fn can_be_in(group: &Group, number: Option<i64>) -> bool {
    if group.odd_ids {
        return true;
    }
    number.is_some_and(|ms| {
        let from = ms.saturating_mul(TICKS_PER_MS);
        let to = from.saturating_add(TICKS_PER_MS);
        group.created.meets(from, to) && group.may_have((from, to - 1))
    })
}

/// The rows of a message among those of its conversation in one segment.
fn find_in_rows(
    segment: &Segment,
    key: &Key<'_>,
    (start, end): (u32, u32),
    missing: &Missing,
) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    let number = crate::segment::numeric(key.id);
    let mut search = Search { key, number, found: &mut found, scratch: Vec::new() };
    let (first, last) = (segment.group_of(start), segment.group_of(end.saturating_sub(1)));
    for index in first..=last {
        let group = segment.group(index)?;
        if !can_be_in(group, number) {
            continue;
        }
        let gaps = missing.gaps(segment, index);
        let Some(keys) = missing.pass(segment.keys(index))? else { continue };
        let before = search.found.len();
        let rows = (start.max(group.first_row), end.min(group.end_row()));
        search.group(group, &keys, rows);
        let fresh = search.found.split_off(before);
        search.found.extend(fresh.into_iter().filter(|row| !in_gap(&gaps, *row)));
    }
    Ok(found)
}

struct Search<'s, 'k> {
    key: &'s Key<'k>,
    number: Option<i64>,
    found: &'s mut Vec<u32>,
    scratch: Vec<u8>,
}

impl Search<'_, '_> {
    fn group(&mut self, group: &Group, keys: &Keys, (start, end): (u32, u32)) {
        let local = |row: u32| (row - group.first_row) as usize;
        let (mut low, mut high) = (local(start), local(end));
        if !group.odd_ids {
            let Some(ms) = self.number else { return };
            let from = ms.saturating_mul(TICKS_PER_MS);
            let to = from.saturating_add(TICKS_PER_MS);
            let rows = &keys.created[low..high];
            high = low + rows.partition_point(|created| *created < to);
            low += rows.partition_point(|created| *created < from);
        }
        for row in low..high {
            if self.is_row(keys, row) {
                self.found.push(group.first_row + narrow(row));
            }
        }
    }

    fn is_row(&mut self, keys: &Keys, row: usize) -> bool {
        if keys.numeric_id(row) != self.number || keys.kind(row).0 != self.key.record {
            return false;
        }
        let scratch = &mut self.scratch;
        let mut same_id = self.number.is_some();
        if !same_id {
            scratch.clear();
            keys.put_id(row, scratch);
            same_id = scratch == self.key.id.as_bytes();
        }
        scratch.clear();
        let is_reply = keys.put_reply_to(row, scratch);
        let reply_to = is_reply.then_some(&scratch[..]);
        same_id && reply_to == self.key.reply_to.map(str::as_bytes)
    }
}
