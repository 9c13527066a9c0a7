//! Who delivered which row: sets in segments, ranges from ledgers, and what is in the journal.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::book::SegmentRanges;
use super::late::{BLOCK_ROWS, Block, InOrder, Late};
use super::ranges::{Ranges, Sighted};
use crate::archive::commit::moves::Moves;
use crate::archive::commit::slab::{RowRef, Slab};
use crate::archive::state::{Live, RowId, State};
use crate::error::Result;
use crate::segment::Lists;

/// (custodian, row, sequence) by the generation where the row is now.
pub(crate) type Arrived = BTreeMap<u32, Vec<(u32, u32, u64)>>;

/// The sightings of slabs, by the present places of their rows.
pub(crate) fn arrived(moves: &Moves, slabs: &[Arc<Slab>]) -> Arrived {
    arrived_at(slabs, |sightings| moves.resolve_all(sightings))
}

fn arrived_at(slabs: &[Arc<Slab>], resolve: impl Fn(&mut [(RowRef, u32)])) -> Arrived {
    let mut arrived: Arrived = BTreeMap::new();
    for seen in slabs.iter().flat_map(|slab| &slab.sightings) {
        let mut pairs = seen.pairs.clone();
        resolve(&mut pairs);
        // Neighbours are mostly of one generation: look its list up once for a run of them.
        for run in pairs.chunk_by(|a, b| a.0.generation == b.0.generation) {
            let Some((RowRef { generation, .. }, _)) = run.first() else { continue };
            let list = arrived.entry(*generation).or_default();
            list.extend(run.iter().map(|(row, custodian)| (*custodian, row.index, seen.sequence)));
        }
    }
    arrived
}

/// What of these sightings segments do not know yet, as ranges by file number.
pub(crate) fn new_ranges(segments: &[Arc<Live>], arrived: &Arrived) -> SegmentRanges {
    let mut all = SegmentRanges::new();
    for live in segments {
        let Some(list) = arrived.get(&live.generation) else { continue };
        let mut fresh = Vec::new();
        let mut sorted = list.clone();
        sorted.sort_unstable_by_key(|(custodian, row, sequence)| (*row, *custodian, *sequence));
        sorted.dedup_by_key(|(custodian, row, _)| (*custodian, *row));
        // A set that cannot be read may have them; they are the same once more, and do no harm.
        let mut rows = SetReader::new(live).ok();
        let mut late = InOrder::of(&live.late);
        for (custodian, row, sequence) in sorted {
            let known = late.at(row).is_ok_and(|ranges| ranges.first(custodian, row).is_some())
                || rows.as_mut().is_some_and(|rows| rows.has(row, custodian).unwrap_or(false));
            if !known {
                fresh.push((custodian, row, sequence));
            }
        }
        if !fresh.is_empty() {
            drop(all.insert(live.entry.number, Ranges::of(fresh)));
        }
    }
    all
}

/// Reads the custodian sets of a segment's rows, best in row order.
#[derive(Debug)]
struct SetReader {
    lists: Lists,
    group: Option<(u32, u32, Arc<crate::segment::Keys>)>,
    /// The set read last, and its number.
    set: (Option<usize>, Vec<(u32, u64)>),
}

impl SetReader {
    fn new(live: &Live) -> Result<Self> {
        let lists = Lists::new(Arc::clone(live.segment()?));
        Ok(Self { lists, group: None, set: (None, Vec::new()) })
    }

    /// The set of a row, and the commit that its ages count from.
    fn set(&mut self, row: u32) -> Result<(&[(u32, u64)], u64)> {
        let there = self.group.as_ref().filter(|(first, end, _)| (*first..*end).contains(&row));
        if there.is_none() {
            let segment = self.lists.segment();
            let number = segment.group_of(row);
            let group = segment.group(number)?;
            let keys = segment.keys(number)?;
            self.group = Some((group.first_row, group.end_row(), keys));
        }
        let place = |(first, _, keys): &(u32, u32, Arc<crate::segment::Keys>)| {
            let local = (row - first) as usize;
            (keys.set(local), keys.sequence(local))
        };
        let (set, sequence) = self.group.as_ref().map_or((0, 0), place);
        if self.set.0 != Some(set) {
            self.set = (Some(set), self.lists.set(set)?);
        }
        Ok((&self.set.1, sequence))
    }

    fn has(&mut self, row: u32, custodian: u32) -> Result<bool> {
        let (set, _) = self.set(row)?;
        Ok(set.binary_search_by_key(&custodian, |(there, _)| *there).is_ok())
    }
}

/// Reads the sets of a question's rows, as of a commit.
#[derive(Debug)]
pub(crate) struct SetReaders {
    until: u64,
    /// By segment, the last one first.
    list: Mutex<VecDeque<(u64, SetReader)>>,
}

/// Segments whose reader is kept: rows of a conversation come from a few at a time.
const READERS: usize = 8;

impl SetReaders {
    pub(crate) fn new(until: u64) -> Self {
        Self { until, list: Mutex::default() }
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<(u64, SetReader)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `read` with a segment's reader, which nobody else has meanwhile.
    fn of<T>(&self, live: &Live, read: impl FnOnce(&mut SetReader) -> Result<T>) -> Result<T> {
        let (mut list, number) = (self.list(), live.entry.number);
        let known = list.iter().position(|(segment, _)| *segment == number);
        let known = known.and_then(|place| list.remove(place));
        drop(list);
        let mut reader = match known {
            Some((_, reader)) => reader,
            None => SetReader::new(live)?,
        };
        let found = read(&mut reader)?;
        let mut list = self.list();
        list.truncate(READERS - 1);
        list.push_front((number, reader));
        Ok(found)
    }
}

/// All sightings of a state, for questions about custodians.
#[derive(Debug)]
pub(crate) struct Delivered {
    arrived: BTreeMap<u32, Ranges>,
    /// The blocks of ledgers that were asked for last: rows mostly come in order.
    blocks: Mutex<VecDeque<(u64, u32, Arc<Ranges>)>>,
}

/// Blocks that are remembered: one for each thread of a scan, mostly.
const BLOCKS: usize = 4;

impl Delivered {
    pub(crate) fn of(state: &State, moves: &Moves) -> Self {
        let segments = state.segments.iter().map(|live| live.generation);
        let there = segments.chain(state.slabs.iter().map(|slab| slab.generation)).collect();
        let arrived = arrived_at(&state.slabs, |sightings| moves.resolve_within(sightings, &there));
        let arrived = arrived.into_iter().map(|(place, list)| (place, Ranges::of(list)));
        Self { arrived: arrived.collect(), blocks: Mutex::default() }
    }

    /// Who delivered a row up to the readers' commit, and in which one first; in order of custodian.
    pub(crate) fn of_row(
        &self,
        state: &State,
        at: RowId,
        readers: &SetReaders,
    ) -> Result<Vec<(u32, u64)>> {
        let mut all = Vec::new();
        let generation = if let Some(live) = state.segments.get(at.source as usize) {
            readers.of(live, |reader| {
                let (set, sequence) = reader.set(at.row)?;
                let ages = set.iter();
                all.extend(
                    ages.map(|(custodian, age)| (*custodian, sequence.saturating_add(*age))),
                );
                Ok(())
            })?;
            if !live.late.is_empty() {
                self.block(live, at.row / BLOCK_ROWS)?.of_row(at.row, &mut all);
            }
            live.generation
        } else {
            let slab = &state.slabs[at.source as usize - state.segments.len()];
            let custodians = &slab.rows[at.row as usize].custodians;
            all.extend(custodians.iter().map(|custodian| (*custodian, slab.sequence.0)));
            slab.generation
        };
        if let Some(ranges) = self.arrived.get(&generation) {
            ranges.of_row(at.row, &mut all);
        }
        all.retain(|(_, sequence)| *sequence <= readers.until || planted!("tell sightings of now"));
        all.sort_unstable();
        all.dedup_by_key(|(custodian, _)| *custodian);
        Ok(all)
    }

    /// What ledgers say of a block of a segment's rows.
    fn block(&self, live: &Live, number: u32) -> Result<Arc<Ranges>> {
        let blocks = || self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let segment = live.entry.number;
        let is_it = |(there, block, _): &&(u64, u32, _)| (*there, *block) == (segment, number);
        if let Some((.., ranges)) = blocks().iter().find(is_it) {
            return Ok(Arc::clone(ranges));
        }
        let ranges = Arc::new(Ranges::of_all(live.late.block(number)?));
        let mut blocks = blocks();
        blocks.truncate(BLOCKS - 1);
        blocks.push_front((segment, number, Arc::clone(&ranges)));
        Ok(ranges)
    }

    /// The rows of a segment that these custodians delivered beside the rows' sets.
    pub(crate) fn sweep(
        &self,
        live: &Live,
        rows: (u32, u32),
        custodians: &[u32],
    ) -> Result<Sweep<'static>> {
        let arrived = self.arrived.get(&live.generation);
        let mut theirs = Vec::new();
        for custodian in custodians {
            theirs.extend(live.late.within(*custodian, rows)?);
            theirs.extend(arrived.into_iter().flat_map(|ranges| ranges.within(*custodian, rows)));
        }
        Ok(Sweep::of(theirs))
    }

    /// The commit in which one of these custodians delivered a row of a segment first, beside the
    /// row's own set.
    pub(crate) fn beside(&self, live: &Live, row: u32, custodians: &[u32]) -> Result<Option<u64>> {
        let arrived = self.arrived.get(&live.generation);
        let mut first = None;
        for custodian in custodians {
            let own = arrived.and_then(|ranges| ranges.first(*custodian, row));
            let found = live.late.first(*custodian, row)?.into_iter().chain(own);
            first = first.into_iter().chain(found).min();
        }
        Ok(first)
    }

    /// Can any of these rows of a segment have been delivered by one of these in these commits, beside
    /// the rows' sets? `blocks` are those in which the custodians have ranges.
    pub(crate) fn may_be_beside(
        &self,
        (live, blocks): (&Live, &[Block]),
        rows: (u32, u32),
        (custodians, commits): (&[u32], &RangeInclusive<u64>),
    ) -> bool {
        let arrived = self.arrived.get(&live.generation).into_iter();
        let mut arrived = arrived.flat_map(|ranges| {
            custodians.iter().flat_map(move |custodian| ranges.within(*custodian, rows))
        });
        blocks.iter().any(|block| block.may_have(rows, commits))
            || arrived.any(|range| commits.contains(&range.sequence))
    }

    /// The commit in which one of these custodians delivered a row of a slab first.
    pub(crate) fn of_slab(&self, slab: &Slab, row: u32, custodians: &[u32]) -> Option<u64> {
        let own = &slab.rows[row as usize].custodians;
        if custodians.iter().any(|custodian| own.contains(custodian)) {
            return Some(slab.sequence.0);
        }
        let arrived = self.arrived.get(&slab.generation)?;
        custodians.iter().filter_map(|custodian| arrived.first(*custodian, row)).min()
    }
}

/// Follows a segment's rows in order and says who delivered each.
#[derive(Debug)]
pub(crate) struct Sweep<'l> {
    /// Where further ranges come from, block by block, and the block that is next.
    late: Option<(&'l Late, u32)>,
    ranges: Vec<Sighted>,
    next: usize,
    open: Vec<Sighted>,
}

impl<'l> Sweep<'l> {
    pub(crate) fn new(late: &'l Late) -> Self {
        Self { late: (!late.is_empty()).then_some((late, 0)), ..Self::of(Vec::new()) }
    }
}

impl Sweep<'_> {
    fn of(mut ranges: Vec<Sighted>) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        Self { late: None, ranges, next: 0, open: Vec::new() }
    }

    /// Adds to `set` who delivered `row`, and in which commit first; rows come in order.
    pub(crate) fn add(&mut self, row: u32, set: &mut Vec<(u32, u64)>) -> Result<()> {
        if let Some((late, block)) = self.late
            && row / BLOCK_ROWS >= block
        {
            let next = row / BLOCK_ROWS + 1;
            *self = Self { late: Some((late, next)), ..Self::of(late.block(next - 1)?) };
        }
        self.go_to(row);
        if !self.open.is_empty() {
            set.extend(self.open.iter().map(|range| (range.custodian, range.sequence)));
            set.sort_unstable();
            set.dedup_by_key(|(custodian, _)| *custodian);
        }
        Ok(())
    }

    /// The first commit that delivered `row`; rows come in order.
    pub(crate) fn first(&mut self, row: u32) -> Option<u64> {
        self.go_to(row);
        self.open.iter().map(|range| range.sequence).min()
    }

    /// Rows of a part of the segment outside of which nothing was delivered, ascending.
    pub(crate) fn stretches(&self, (start, end): (u32, u32)) -> Vec<(u32, u32)> {
        let mut stretches: Vec<(u32, u32)> = Vec::new();
        for range in &self.ranges {
            let (from, to) = (range.start.max(start), range.end.min(end));
            match stretches.last_mut().filter(|last| last.1 >= from) {
                Some(last) => last.1 = last.1.max(to),
                None if from < to => stretches.push((from, to)),
                None => {}
            }
        }
        stretches
    }

    fn go_to(&mut self, row: u32) {
        self.open.retain(|range| range.end > row);
        while let Some(range) = self.ranges.get(self.next).filter(|range| range.start <= row) {
            if range.end > row {
                self.open.push(*range);
            }
            self.next += 1;
        }
    }
}
