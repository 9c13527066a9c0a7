//! The footer of a segment file, and lists that its sections are made of.
//!
//! Invariants: no offset is stored, a frame begins where the one before ends, so places cannot
//! overlap; the footer is there twice, so one can be damaged.
//!
//! Bytes: FORMAT.md, "Segment".

use super::pages::{Directory, LISTS, List};
use crate::error::{Error, Result, Touched};
use crate::format::bytes::{Reader, put_signed, put_varint};
use crate::format::frame;
use crate::format::limits::{self, Limit, decoded, list};
use crate::types::{Sequence, Timestamp};

pub(crate) const MAGIC: &[u8; 8] = b"CVSEGM01";
pub(crate) const END_MAGIC: &[u8; 8] = b"CVSEGEND";
/// Rows of a group at most. Larger groups pack better, smaller ones are opened faster.
pub(crate) const GROUP_ROWS: u32 = 4096;
pub(crate) const HEADER_BYTES: usize = 32;
pub(crate) const TRAILER_BYTES: usize = 16;

/// What a frame of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Keys = 1,
    Columns = 2,
    Text = 3,
    Templates = 4,
    Tables = 5,
    Conversations = 6,
    Senders = 7,
    Sets = 8,
    Footer = 10,
    Custodians = 11,
    Entries = 12,
    Predictions = 13,
    Facts = 14,
}

impl Kind {
    /// Bytes that a frame of this kind decodes to at most.
    pub(crate) fn decoded_bytes(self) -> usize {
        match self {
            Self::Keys => decoded::KEYS,
            Self::Templates => decoded::TEMPLATES,
            Self::Footer => decoded::FOOTER,
            Self::Columns
            | Self::Text
            | Self::Tables
            | Self::Conversations
            | Self::Senders
            | Self::Sets
            | Self::Custodians
            | Self::Entries
            | Self::Predictions
            | Self::Facts => decoded::FRAME,
        }
    }
}

/// Lowest and highest of something, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Bounds {
    pub(crate) const EMPTY: Self = Self { low: i64::MAX, high: i64::MIN };

    pub(crate) fn add(&mut self, value: i64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }

    /// Anything in the half-open range `from..to`?
    pub(crate) fn meets(self, from: i64, to: i64) -> bool {
        self.low < to && self.high >= from
    }

    fn put(self, out: &mut Vec<u8>) {
        put_signed(out, self.low);
        put_varint(out, self.high.wrapping_sub(self.low).cast_unsigned());
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let low = reader.signed()?;
        Some(Self { low, high: low.wrapping_add(reader.varint()?.cast_signed()) })
    }
}

/// When rows of a group were created or modified: a bit for each 512th of the time from the first of all
/// that to the last. A group of several conversations goes over years, and has rows of few days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times([u64; TIME_WORDS]);

const TIME_WORDS: usize = 8;
const SLICES: u64 = TIME_WORDS as u64 * 64;

impl Times {
    pub(crate) fn add(&mut self, within: Bounds, time: i64) {
        let at = slice(within, time);
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Can a row have a time of `first..=last`?
    pub(crate) fn may_have(self, within: Bounds, (first, last): (i64, i64)) -> bool {
        let (first, last) = (first.max(within.low), last.min(within.high));
        if first > last {
            return false;
        }
        let (from, to) = (slice(within, first), slice(within, last));
        (from / 64..=to / 64).any(|word| {
            let low = if word == from / 64 { u64::MAX << (from % 64) } else { u64::MAX };
            let high = if word == to / 64 { u64::MAX >> (63 - to % 64) } else { u64::MAX };
            self.0[word] & low & high != 0
        })
    }

    fn put(self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut words = [0; TIME_WORDS];
        for word in &mut words {
            *word = u64::from_le_bytes(reader.array()?);
        }
        Some(Self(words))
    }
}

/// The slice of a time; of one that is not within, one that there is.
fn slice(within: Bounds, time: i64) -> usize {
    let behind = |time: i64| time.wrapping_sub(within.low).cast_unsigned();
    let length = behind(within.high) / SLICES + 1;
    usize::try_from((behind(time) / length).min(SLICES - 1)).unwrap_or(0)
}

/// A frame's place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
}

/// Some rows' own text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) rows: u32,
    pub(crate) bytes: u32,
}

/// A row group: where it is and what can be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) first_row: u32,
    pub(crate) rows: u32,
    pub(crate) keys: Place,
    pub(crate) columns: Place,
    pub(crate) text: u64,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) created: Bounds,
    pub(crate) modified: Bounds,
    pub(crate) sequence: Bounds,
    pub(crate) times: Times,
    /// Some id is not its row's creation time in milliseconds.
    pub(crate) odd_ids: bool,
    /// One bit per record and message kind code.
    pub(crate) kinds: u32,
    /// Codes of the senders, in order.
    pub(crate) senders: Vec<u32>,
    /// Numbers of the custodian sets, in order.
    pub(crate) sets: Vec<u32>,
    /// The lowest and the highest of them, beside the rest: a question goes over all groups.
    pub(crate) set_bounds: (u32, u32),
}

impl Group {
    /// What [`Group::times`] goes over.
    pub(crate) fn all_times(created: Bounds, modified: Bounds) -> Bounds {
        let mut all = created;
        all.join(modified);
        all
    }

    /// Can a row have been created, or modified, at a time of `first..=last`?
    pub(crate) fn may_have(&self, times: (i64, i64)) -> bool {
        self.times.may_have(Self::all_times(self.created, self.modified), times)
    }

    pub(crate) fn end_row(&self) -> u32 {
        self.first_row + self.rows
    }

    /// Where the group's last frame ends.
    pub(crate) fn end(&self) -> u64 {
        self.text + self.chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum::<u64>()
    }

    /// What is lost with the group.
    pub(crate) fn touched(&self, conversations: Vec<String>) -> Touched {
        let time = Timestamp::from_ticks;
        let commit = |ticks: i64| Sequence(ticks.cast_unsigned());
        Touched {
            conversations,
            rows: Some(u64::from(self.rows)),
            created: Some((time(self.created.low), time(self.created.high))),
            commits: Some((commit(self.sequence.low), commit(self.sequence.high))),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.rows));
        put_varint(out, u64::from(self.keys.bytes));
        put_varint(out, u64::from(self.columns.bytes));
        put_varint(out, self.chunks.len() as u64);
        for chunk in &self.chunks {
            put_varint(out, u64::from(chunk.rows));
            put_varint(out, u64::from(chunk.bytes));
        }
        for bounds in [self.created, self.modified, self.sequence] {
            bounds.put(out);
        }
        self.times.put(out);
        out.push(u8::from(self.odd_ids));
        put_varint(out, u64::from(self.kinds));
        put_rising(out, &self.senders);
        put_rising(out, &self.sets);
    }

    fn read(reader: &mut Reader<'_>, first_row: u32, offset: u64) -> Option<Self> {
        let rows = reader.varint32().filter(|rows| (1..=GROUP_ROWS).contains(rows))?;
        let (keys, columns) = (frame_bytes(reader)?, frame_bytes(reader)?);
        let in_group = |limit: Limit| limit.within(rows as usize);
        let chunks = reader.list(in_group(list::CHUNKS), |reader| {
            let rows = reader.varint32().filter(|rows| *rows > 0)?;
            Some(Chunk { rows, bytes: frame_bytes(reader)? })
        })?;
        let in_chunks: u64 = chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
        let columns_at = offset + u64::from(keys);
        let mut group = Self {
            first_row,
            rows,
            keys: Place { offset, bytes: keys },
            columns: Place { offset: columns_at, bytes: columns },
            text: columns_at + u64::from(columns),
            chunks,
            created: Bounds::read(reader)?,
            modified: Bounds::read(reader)?,
            sequence: Bounds::read(reader)?,
            times: Times::read(reader)?,
            odd_ids: reader.u8()? != 0,
            kinds: reader.varint32()?,
            senders: read_rising(reader, in_group(list::GROUP_CODES))?,
            sets: read_rising(reader, in_group(list::GROUP_CODES))?,
            set_bounds: (0, 0),
        };
        group.set_bounds = bounds_of(&group.sets);
        (in_chunks == u64::from(rows) && first_row.checked_add(rows).is_some()).then_some(group)
    }
}

/// The lowest and the highest of ascending numbers; of none, bounds that nothing is in.
pub(crate) fn bounds_of(numbers: &[u32]) -> (u32, u32) {
    numbers.first().copied().zip(numbers.last().copied()).unwrap_or((u32::MAX, 0))
}

/// A segment's footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) number: u64,
    /// The number of the dictionary's file; 0 for none.
    pub(crate) dictionary: u64,
    pub(crate) rows: u32,
    /// Rows that came first of their message.
    pub(crate) messages: u32,
    /// Rows that may equal one that could not be read when they arrived.
    pub(crate) beside: u32,
    /// Rows kept whole because no template rendered them back.
    pub(crate) whole_rows: u32,
    /// Bytes of all documents.
    pub(crate) raw_bytes: u64,
    /// Sum of the rows' content addresses.
    pub(crate) multiset: [u8; 32],
    /// Merkle root of the rows' content addresses in row order.
    pub(crate) root: [u8; 32],
    pub(crate) created: Bounds,
    pub(crate) modified: Bounds,
    pub(crate) sequence: Bounds,
    pub(crate) groups: Vec<Group>,
    /// By [`List`].
    pub(crate) lists: [Directory; LISTS.len()],
    /// Templates, the columns' tables.
    pub(crate) sections: [Place; SECTIONS.len()],
}

pub(crate) const SECTIONS: [Kind; 2] = [Kind::Templates, Kind::Tables];

impl Meta {
    pub(crate) fn empty(number: u64) -> Self {
        Self {
            number,
            dictionary: 0,
            rows: 0,
            messages: 0,
            beside: 0,
            whole_rows: 0,
            raw_bytes: 0,
            multiset: [0; 32],
            root: [0; 32],
            created: Bounds::EMPTY,
            modified: Bounds::EMPTY,
            sequence: Bounds::EMPTY,
            groups: Vec::new(),
            lists: Default::default(),
            sections: [Place { offset: 0, bytes: 0 }; SECTIONS.len()],
        }
    }

    /// Where the last section ends.
    pub(crate) fn end(&self) -> u64 {
        self.sections.last().map_or(0, |last| last.offset + u64::from(last.bytes))
    }

    pub(crate) fn list(&self, list: List) -> &Directory {
        &self.lists[list as usize]
    }

    pub(crate) fn section(&self, kind: Kind) -> Place {
        let index = SECTIONS.iter().position(|section| *section == kind).unwrap_or(0);
        self.sections[index]
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.number);
        put_varint(out, self.dictionary);
        for number in [self.rows, self.messages, self.beside, self.whole_rows] {
            put_varint(out, u64::from(number));
        }
        put_varint(out, self.raw_bytes);
        out.extend_from_slice(&self.multiset);
        out.extend_from_slice(&self.root);
        for bounds in [self.created, self.modified, self.sequence] {
            bounds.put(out);
        }
        put_varint(out, self.groups.len() as u64);
        self.groups.iter().for_each(|group| group.put(out));
        for list in LISTS {
            self.list(list).put(list, out);
        }
        self.sections.iter().for_each(|place| put_varint(out, u64::from(place.bytes)));
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let reader = &mut Reader::new(bytes);
        Self::try_read(reader)
            .filter(|_| reader.is_empty())
            .ok_or_else(|| Error::corrupt("footer is damaged"))
    }

    fn try_read(reader: &mut Reader<'_>) -> Option<Self> {
        let (number, dictionary) = (reader.varint()?, reader.varint()?);
        let (rows, messages) = (reader.varint32()?, reader.varint32()?);
        let beside = reader.varint32()?;
        let (whole_rows, raw_bytes) = (reader.varint32()?, reader.varint()?);
        let possible = messages <= rows && whole_rows <= rows && raw_bytes <= limits::FILE_BYTES;
        let (multiset, root) = (reader.array()?, reader.array()?);
        let (created, modified) = (Bounds::read(reader)?, Bounds::read(reader)?);
        let sequence = Bounds::read(reader)?;
        let (mut row, mut offset) = (0, HEADER_BYTES as u64);
        let groups = reader.list(list::GROUPS, |reader| {
            let group = Group::read(reader, row, offset)?;
            (row, offset) = (group.end_row(), group.end());
            Some(group)
        })?;
        let mut lists: [Directory; LISTS.len()] = Default::default();
        for (directory, list) in lists.iter_mut().zip(LISTS) {
            *directory = Directory::read(list, reader, &mut offset, rows)?;
        }
        let mut sections = [Place { offset: 0, bytes: 0 }; SECTIONS.len()];
        for section in &mut sections {
            *section = Place { offset, bytes: frame_bytes(reader)? };
            offset += u64::from(section.bytes);
        }
        (possible && row == rows).then_some(Self {
            number,
            dictionary,
            rows,
            messages,
            beside,
            whole_rows,
            raw_bytes,
            multiset,
            root,
            created,
            modified,
            sequence,
            groups,
            lists,
            sections,
        })
    }
}

/// The bytes of a frame: a group of nothing but numbers cannot be.
pub(super) fn frame_bytes(reader: &mut Reader<'_>) -> Option<u32> {
    reader.varint32().filter(|bytes| *bytes as usize >= frame::HEADER_BYTES)
}

/// Appends numbers that rise: count, then gaps.
pub(crate) fn put_rising(out: &mut Vec<u8>, numbers: &[u32]) {
    put_varint(out, numbers.len() as u64);
    let mut before = 0;
    for number in numbers {
        put_varint(out, u64::from(number - std::mem::replace(&mut before, *number)));
    }
}

pub(crate) fn read_rising(reader: &mut Reader<'_>, limit: Limit) -> Option<Vec<u32>> {
    let mut before = 0_u32;
    reader.list(limit, |reader| {
        before = before.checked_add(reader.varint32()?)?;
        Some(before)
    })
}

/// A list of texts in one allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    blob: Vec<u8>,
    ends: Vec<u32>,
}

impl Strings {
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.blob.extend_from_slice(text);
        self.ends.push(u32::try_from(self.blob.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.blob.get(start..end)
    }

    pub(crate) fn text(&self, index: usize) -> &str {
        self.get(index).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The index of the text that compares equal in a sorted list, or where it would be.
    pub(crate) fn search_by(
        &self,
        compare: impl Fn(&[u8]) -> std::cmp::Ordering,
    ) -> std::result::Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match compare(self.get(middle).unwrap_or_default()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.blob.len() + self.ends.len() * 4
    }

    /// Reads a list of texts that are valid for `fits`, given the text before.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        limit: Limit,
        fits: impl Fn(Option<&[u8]>, &[u8]) -> bool,
    ) -> Option<Self> {
        let mut strings = Self::default();
        for _ in 0..reader.count(limit)? {
            let text = reader.block()?;
            let before = strings.len().checked_sub(1).and_then(|last| strings.get(last));
            if !fits(before, text) {
                return None;
            }
            strings.push(text);
        }
        Some(strings)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn times_have_every_time_that_was_added(
            times in prop::collection::vec(prop_oneof![any::<i64>(), -200_i64..200], 1..20),
            (from, to) in (any::<i64>(), any::<i64>()),
        ) {
            let (mut within, mut all) = (Bounds::EMPTY, Times::default());
            for time in &times {
                within.add(*time);
            }
            for time in &times {
                all.add(within, *time);
            }
            let (first, last) = (from.min(to), from.max(to));
            let there = times.iter().any(|time| (first..=last).contains(time));
            prop_assert!(!there || all.may_have(within, (first, last)));
            prop_assert!(times.iter().all(|time| all.may_have(within, (*time, *time))));
            prop_assert!(!all.may_have(within, (last, first.saturating_sub(1))));
        }
    }

    #[test]
    fn times_between_others_are_told_from_them() {
        let within = Bounds { low: 0, high: 511_999 };
        let mut times = Times::default();
        for time in [0, 5_000, 400_000, 511_999] {
            times.add(within, time);
        }
        for there in [(4_000, 5_000), (6_000, 400_000), (511_999, i64::MAX)] {
            assert!(times.may_have(within, there), "{there:?}");
        }
        let others = [(6_000, 399_000), (1_001, 4_000), (401_001, 510_000)];
        for other in others.into_iter().chain([(512_000, i64::MAX), (i64::MIN, -1)]) {
            assert!(!times.may_have(within, other), "{other:?}");
        }
    }
}
