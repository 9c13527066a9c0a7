//! Sightings of a segment's rows that came later than the segment: ranges in ledgers.
//!
//! Ranges are cut at blocks of rows, so who delivered a row is in the items of its block. Blocks say
//! where a custodian has ranges at all, so that his rows are found without a look at anybody else's.
//!
//! Bytes: FORMAT.md, "Ledger".

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::book::SegmentRanges;
use super::ledger::{Ledger, List};
use super::ranges::{Ranges, Sighted};
use crate::archive::held::Missing;
use crate::error::Result;
use crate::format::bytes::{Reader, put_signed, put_varint};
use crate::format::limits::list;
use crate::table::{Cursor, ordered32, ordered64, take32, take64};

/// Rows of a block.
pub(crate) const BLOCK_ROWS: u32 = 1024;

/// What ledgers say of one segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Late {
    segment: u64,
    /// Those with ranges of it, older ones first.
    files: Vec<Arc<Ledger>>,
    missing: Arc<Missing>,
}

/// A block in which a custodian has ranges, and the commits they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) number: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Block {
    /// Has it rows of `start..end`?
    fn meets(&self, (start, end): (u32, u32)) -> bool {
        let first = self.number * BLOCK_ROWS;
        first < end && start < first.saturating_add(BLOCK_ROWS)
    }

    /// Can rows of `start..end` have been delivered in these commits there?
    pub(crate) fn may_have(&self, rows: (u32, u32), commits: &RangeInclusive<u64>) -> bool {
        self.meets(rows) && self.first <= *commits.end() && *commits.start() <= self.last
    }
}

impl Late {
    pub(crate) fn of(segment: u64, ledgers: &[Arc<Ledger>], missing: &Arc<Missing>) -> Self {
        let named = |ledger: &&Arc<Ledger>| ledger.meta.segments.binary_search(&segment).is_ok();
        let files = ledgers.iter().filter(named).cloned().collect();
        Self { segment, files, missing: Arc::clone(missing) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Does it know the same ledgers?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<Ledger>, &Arc<Ledger>)| Arc::ptr_eq(a, b);
        self.files.len() == other.files.len() && self.files.iter().zip(&other.files).all(same)
    }

    /// What only these ledgers can know, not those of `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let known = |ledger: &Arc<Ledger>| before.files.iter().any(|it| Arc::ptr_eq(it, ledger));
        let files = self.files.iter().filter(|ledger| !known(ledger)).cloned().collect();
        Self { files, ..self.clone() }
    }

    /// Every range of a block of rows.
    pub(crate) fn block(&self, number: u32) -> Result<Vec<Sighted>> {
        let prefix = [&ordered64(self.segment)[..], &ordered32(number)].concat();
        let mut found = Vec::new();
        for ledger in &self.files {
            let mut cursor = Cursor::kept(&ledger.table, List::Ranges as u8, &prefix);
            loop {
                match self.missing.pass(cursor.next_with(&prefix))? {
                    Some(Some(item)) => {
                        let ranges = self.missing.pass(ledger.said(&item, read_ranges))?;
                        found.extend(ranges.into_iter().flat_map(|(_, ranges)| ranges));
                    }
                    Some(None) => break,
                    None => {}
                }
            }
        }
        Ok(found)
    }

    /// Puts (custodian, sequence) of every range that holds a row into `out`, in no particular order.
    pub(crate) fn of_row(&self, row: u32, out: &mut Vec<(u32, u64)>) -> Result<()> {
        if !self.is_empty() {
            let ranges = self.block(row / BLOCK_ROWS)?.into_iter();
            let holds = ranges.filter(|range| (range.start..range.end).contains(&row));
            out.extend(holds.map(|range| (range.custodian, range.sequence)));
        }
        Ok(())
    }

    /// The commit in which a custodian's export delivered a row first.
    pub(crate) fn first(&self, custodian: u32, row: u32) -> Result<Option<u64>> {
        let ranges = self.in_block(custodian, row / BLOCK_ROWS)?.into_iter();
        let holds = ranges.filter(|range| (range.start..range.end).contains(&row));
        Ok(holds.map(|range| range.sequence).min())
    }

    /// The ranges of one custodian that hold rows of `start..end`.
    pub(crate) fn within(&self, custodian: u32, (start, end): (u32, u32)) -> Result<Vec<Sighted>> {
        let mut found = Vec::new();
        for ledger in &self.files {
            for block in self.blocks(ledger, custodian, (start, end))? {
                found.extend(self.ranges(ledger, custodian, block.number)?);
            }
        }
        found.retain(|range| range.start < end && start < range.end);
        Ok(found)
    }

    /// The blocks in which one of these custodians has ranges of commits up to `until`.
    pub(crate) fn blocks_of(&self, custodians: &[u32], until: u64) -> Result<Vec<Block>> {
        let mut found = Vec::new();
        for ledger in &self.files {
            for custodian in custodians {
                found.extend(self.blocks(ledger, *custodian, (0, u32::MAX))?);
            }
        }
        found.retain(|block| block.first <= until);
        found.sort_unstable_by_key(|block| block.number);
        Ok(found)
    }

    fn in_block(&self, custodian: u32, number: u32) -> Result<Vec<Sighted>> {
        let mut found = Vec::new();
        for ledger in &self.files {
            found.extend(self.ranges(ledger, custodian, number)?);
        }
        Ok(found)
    }

    /// The blocks with rows of `start..end` in which a custodian has ranges.
    fn blocks(
        &self,
        ledger: &Ledger,
        custodian: u32,
        (start, end): (u32, u32),
    ) -> Result<Vec<Block>> {
        let key = [&ordered32(custodian)[..], &ordered64(self.segment)].concat();
        let found = self.missing.pass(ledger.find(List::Blocks, &key, read_blocks))?.flatten();
        let mut blocks = found.map(|(_, blocks)| blocks).unwrap_or_default();
        blocks.retain(|block| block.meets((start, end)));
        Ok(blocks)
    }

    fn ranges(&self, ledger: &Ledger, custodian: u32, block: u32) -> Result<Vec<Sighted>> {
        let key = range_key(self.segment, block, custodian);
        let found = self.missing.pass(ledger.find(List::Ranges, &key, read_ranges))?.flatten();
        Ok(found.map(|(_, ranges)| ranges).unwrap_or_default())
    }
}

/// The ranges of a block of rows at a time, for rows that are asked for in order.
#[derive(Debug)]
pub(crate) struct InOrder<'l> {
    late: &'l Late,
    block: Option<(u32, Ranges)>,
}

impl<'l> InOrder<'l> {
    pub(crate) fn of(late: &'l Late) -> Self {
        Self { late, block: None }
    }

    /// The ranges of a row's block.
    pub(crate) fn at(&mut self, row: u32) -> Result<&Ranges> {
        let number = row / BLOCK_ROWS;
        let there = self.block.take().filter(|(there, _)| *there == number);
        let block = match there {
            Some(block) => block,
            None if self.late.is_empty() => (number, Ranges::default()),
            None => (number, Ranges::of_all(self.late.block(number)?)),
        };
        Ok(&self.block.insert(block).1)
    }
}

fn range_key(segment: u64, block: u32, custodian: u32) -> Vec<u8> {
    [&ordered64(segment)[..], &ordered32(block), &ordered32(custodian)].concat()
}

/// Ranges as the items of their list.
pub(crate) fn range_items(segments: &SegmentRanges) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut items = Vec::new();
    for (segment, ranges) in segments {
        let mut cut: Vec<Sighted> = ranges.all().iter().flat_map(in_blocks).collect();
        let place = |range: &Sighted| (range.start / BLOCK_ROWS, range.custodian);
        cut.sort_unstable_by_key(|range| (place(range), range.start));
        for ranges in cut.chunk_by(|a, b| place(a) == place(b)) {
            let (block, custodian) = ranges.first().map_or((0, 0), place);
            let mut value = Vec::new();
            put_ranges(&mut value, ranges);
            items.push((range_key(*segment, block, custodian), value));
        }
    }
    items
}

/// The same for the list of blocks.
pub(crate) fn block_items(segments: &SegmentRanges) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: BTreeMap<(u32, u64), Vec<Block>> = BTreeMap::new();
    for (segment, ranges) in segments {
        for range in ranges.all().iter().flat_map(in_blocks) {
            let blocks = all.entry((range.custodian, *segment)).or_default();
            let (first, last) = (range.sequence, range.sequence);
            blocks.push(Block { number: range.start / BLOCK_ROWS, first, last });
        }
    }
    let item = |((custodian, segment), blocks): ((u32, u64), Vec<Block>)| {
        let mut value = Vec::new();
        put_blocks(&mut value, blocks);
        ([&ordered32(custodian)[..], &ordered64(segment)].concat(), value)
    };
    all.into_iter().map(item).collect()
}

/// A range, cut where blocks end.
fn in_blocks(range: &Sighted) -> impl Iterator<Item = Sighted> {
    let range = *range;
    let blocks = range.start / BLOCK_ROWS..=(range.end - 1) / BLOCK_ROWS;
    blocks.map(move |block| Sighted {
        start: range.start.max(block * BLOCK_ROWS),
        end: range.end.min((block + 1).saturating_mul(BLOCK_ROWS)),
        ..range
    })
}

/// Ranges of one custodian in one block, in order.
fn put_ranges(out: &mut Vec<u8>, ranges: &[Sighted]) {
    put_varint(out, ranges.len() as u64);
    let mut end = ranges.first().map_or(0, |range| range.start / BLOCK_ROWS * BLOCK_ROWS);
    let mut sequence = 0;
    for range in ranges {
        put_varint(out, u64::from(range.start - end));
        put_varint(out, u64::from(range.end - range.start));
        put_signed(out, range.sequence.wrapping_sub(sequence).cast_signed());
        (end, sequence) = (range.end, range.sequence);
    }
}

/// A segment, and one custodian's ranges in one of its blocks.
pub(crate) fn read_ranges(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Option<(u64, Vec<Sighted>)> {
    let (segment, block, custodian) = (take64(key)?, take32(key)?, take32(key)?);
    let (mut end, mut sequence) = (block.checked_mul(BLOCK_ROWS)?, 0_u64);
    let last = end.saturating_add(BLOCK_ROWS);
    let ranges = value.list(list::RANGES, |reader| {
        let start = end.checked_add(reader.varint32()?)?;
        let rows = reader.varint32().filter(|rows| *rows > 0)?;
        end = start.checked_add(rows).filter(|end| *end <= last)?;
        sequence = sequence.checked_add_signed(reader.signed()?)?;
        Some(Sighted { custodian, start, end, sequence })
    })?;
    (!ranges.is_empty()).then_some((segment, ranges))
}

/// Blocks in any order; of one that is there twice all commits count.
fn put_blocks(out: &mut Vec<u8>, mut blocks: Vec<Block>) {
    blocks.sort_unstable_by_key(|block| block.number);
    blocks.dedup_by(|next, block| {
        let same = next.number == block.number;
        if same {
            (block.first, block.last) = (block.first.min(next.first), block.last.max(next.last));
        }
        same
    });
    put_varint(out, blocks.len() as u64);
    let mut before = 0;
    for block in blocks {
        put_varint(out, u64::from(block.number - std::mem::replace(&mut before, block.number)));
        put_varint(out, block.first);
        put_varint(out, block.last - block.first);
    }
}

/// A custodian with a segment, and the blocks in which he has ranges.
pub(crate) fn read_blocks(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Option<((u32, u64), Vec<Block>)> {
    let (custodian, segment) = (take32(key)?, take64(key)?);
    let (mut number, mut is_first) = (0_u32, true);
    let blocks = value.list(list::BLOCKS, |reader| {
        let more = reader.varint32().filter(|more| std::mem::take(&mut is_first) || *more > 0)?;
        number = number.checked_add(more).filter(|number| *number <= u32::MAX / BLOCK_ROWS)?;
        let (first, more) = (reader.varint()?, reader.varint()?);
        Some(Block { number, first, last: first.checked_add(more)? })
    })?;
    (!blocks.is_empty()).then_some(((custodian, segment), blocks))
}

/// The value of ranges that several ledgers have of one custodian in one block.
pub(crate) fn join_ranges(ranges: Vec<Sighted>) -> Vec<u8> {
    let mut value = Vec::new();
    put_ranges(&mut value, Ranges::of_all(ranges).all());
    value
}

pub(crate) fn join_blocks(blocks: Vec<Block>) -> Vec<u8> {
    let mut value = Vec::new();
    put_blocks(&mut value, blocks);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::accounts::book::Book;
    use crate::archive::accounts::ledger::{self, tests::memory, tests::open};
    use crate::archive::accounts::sightings::Sweep;
    use crate::archive::maintain::sum_up::Sum;
    use crate::manifest::{FileEntry, Manifest};
    use crate::storage::Memory;
    use crate::types::Timestamp;

    const ARCHIVE: [u8; 16] = [1; 16];
    const ROWS: u32 = 5_000;
    const CUSTODIANS: u32 = 9;

    /// (custodian, row, commit), each pair once, dealt out to as many ledgers.
    fn dealt(ledgers: usize) -> Vec<Vec<(u32, u32, u64)>> {
        let mut dealt = vec![Vec::new(); ledgers];
        let mut chance = 7_u32;
        let mut next = |below: u32| {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (chance >> 8) % below
        };
        for custodian in 0..CUSTODIANS {
            let (mut row, mut file) = (next(900), 0);
            while row < ROWS {
                for _ in 0..=next(if custodian < 3 { 3 } else { 700 }) {
                    dealt[file].push((custodian, row, u64::from(row / 300) + 1));
                    row += 1;
                }
                (row, file) =
                    (row + next(if custodian == 8 { 2_500 } else { 90 }), next(3) as usize);
            }
        }
        for list in &mut dealt {
            list.retain(|(_, row, _)| *row < ROWS);
        }
        dealt
    }

    fn stored(storage: &Memory, number: u64, sightings: Vec<(u32, u32, u64)>) -> Arc<Ledger> {
        let other = Ranges::of(vec![(2, 4_000, 1)]);
        let ranges =
            SegmentRanges::from([(6, other.clone()), (7, Ranges::of(sightings)), (8, other)]);
        let written = (&Book::default(), &ranges);
        let _ = ledger::write(storage, (ARCHIVE, number), written).unwrap();
        Arc::new(open(storage, (ARCHIVE, number)).unwrap())
    }

    fn check(late: &Late, all: &[(u32, u32, u64)]) {
        let of = |row: u32| {
            let holds = all.iter().filter(|(_, there, _)| *there == row);
            let mut of: Vec<(u32, u64)> = holds.map(|(who, _, at)| (*who, *at)).collect();
            of.sort_unstable();
            of
        };
        let (mut sweep, mut in_order) = (Sweep::new(late), InOrder::of(late));
        for row in 0..ROWS + 10 {
            let (expected, mut set) = (of(row), Vec::new());
            sweep.add(row, &mut set).unwrap();
            assert_eq!(set, expected, "swept row {row}");
            let mut found = Vec::new();
            in_order.at(row).unwrap().of_row(row, &mut found);
            found.sort_unstable();
            assert_eq!(found, expected, "row {row} in order");
            if row % 17 == 0 {
                found.clear();
                late.of_row(row, &mut found).unwrap();
                found.sort_unstable();
                assert_eq!(found, expected, "row {row}");
                let first = |who| late.first(who, row).unwrap();
                let all = (0..CUSTODIANS).filter_map(|who| Some((who, first(who)?)));
                assert_eq!(all.collect::<Vec<_>>(), expected, "each of row {row}");
            }
        }
        for (custodian, rows) in [(0, (0, u32::MAX)), (4, (1_000, 1_030)), (8, (2_000, 4_100))] {
            let ranges = late.within(custodian, rows).unwrap();
            let mut found: Vec<u32> = ranges.iter().flat_map(|it| it.start..it.end).collect();
            found.retain(|row| (rows.0..rows.1).contains(row));
            found.sort_unstable();
            let there = all.iter().filter(|(who, ..)| *who == custodian).map(|(_, row, _)| *row);
            let mut there: Vec<u32> = there.filter(|row| (rows.0..rows.1).contains(row)).collect();
            there.sort_unstable();
            assert_eq!(found, there, "custodian {custodian} in {rows:?}");
            let blocks = late.blocks_of(&[custodian], u64::MAX).unwrap();
            let mut may = there.iter().map(|row| (*row, u64::from(row / 300) + 1));
            assert!(may.all(|(row, at)| {
                blocks.iter().any(|block| block.may_have((row, row + 1), &(at..=at)))
            }));
        }
        assert!(late.blocks_of(&[CUSTODIANS], u64::MAX).unwrap().is_empty());
    }

    #[test]
    fn ledgers_and_their_sum_say_who_delivered_each_row() {
        let storage = memory();
        let dealt = dealt(3);
        let numbered = (10..).zip(dealt.clone());
        let ledgers: Vec<Arc<Ledger>> =
            numbered.map(|(number, list)| stored(&storage, number, list)).collect();
        let missing = Arc::new(Missing::default());
        let all = dealt.concat();
        check(&Late::of(7, &ledgers, &missing), &all);

        let mut manifest = Manifest::first(ARCHIVE, Timestamp::from_ticks(0), 1);
        let entry = FileEntry {
            kind: crate::format::names::FileKind::Segment,
            number: 7,
            level: 0,
            bytes: 0,
            hash: [0; 32],
            rows: ROWS.into(),
            multiset: crate::format::multiset::Multiset::default(),
            first: crate::types::Sequence(1),
            last: crate::types::Sequence(1),
        };
        manifest.files = vec![entry.clone(), FileEntry { number: 8, ..entry }];
        let sum = Sum { ledgers: &ledgers, manifest: &manifest, missing: &missing };
        let files = sum.write(&storage, true, &mut || Ok((ARCHIVE, 20))).unwrap();
        assert_eq!(files.len(), 1);
        let summed = [Arc::new(open(&storage, (ARCHIVE, 20)).unwrap())];
        assert_eq!(summed[0].meta.segments, [7, 8], "segment 6 is gone");
        check(&Late::of(7, &summed, &missing), &all);
        assert!(Late::of(6, &summed, &missing).is_empty());
        assert_eq!(Late::of(8, &summed, &missing).first(2, 4_000).unwrap(), Some(1));
    }
}
