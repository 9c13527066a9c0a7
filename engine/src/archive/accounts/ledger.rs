//! Ledger files: what commits added beside rows and who delivered rows of segments, sealed as tables.
//!
//! Invariants: an open ledger is its footer, everything else is read by page when it is asked for.
//! Ranges count for a segment only as long as the manifest names it.
//!
//! Bytes: FORMAT.md, "Ledger".

use std::sync::Arc;

use super::book::{self, Book, Committed, Counts, Link, SegmentRanges};
use super::late;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::format::limits::{self, list};
use crate::format::multiset::Multiset;
use crate::format::names::FileKind;
use crate::manifest::FileEntry;
use crate::storage::Storage;
use crate::table::{Form, Item, MAX_LISTS, PAGE_BYTES, Table, TableWriter};
use crate::table::{ordered32, ordered64, take32, take64};
use crate::types::MessageKey;

const FORM: Form = Form {
    kind: FileKind::Ledger,
    magic: *b"CVLEDG01",
    lists: 9,
    page_bytes: [PAGE_BYTES; MAX_LISTS],
};

/// A list of a ledger, and what its keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Names by number.
    Custodians = 1,
    /// Numbers by name.
    Names = 2,
    /// By number.
    Runs = 3,
    /// By run and custodian.
    Counters = 4,
    /// By name.
    Checkpoints = 5,
    /// By message.
    Links = 6,
    /// By sequence.
    Commits = 7,
    /// Ranges by segment, block of rows and custodian.
    Ranges = 8,
    /// The blocks in which a custodian has ranges, by custodian and segment.
    Blocks = 9,
}

pub(crate) const LISTS: [List; 9] = [
    List::Custodians,
    List::Names,
    List::Runs,
    List::Counters,
    List::Checkpoints,
    List::Links,
    List::Commits,
    List::Ranges,
    List::Blocks,
];

/// What a ledger's footer says of its lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The number behind the highest custodian's, and behind the highest run's.
    pub(crate) next_custodian: u32,
    pub(crate) next_run: u32,
    /// All runs and custodians together.
    pub(crate) total: Counts,
    /// The first commit that added a link; 0 for none.
    pub(crate) first_link: u64,
    /// The sequence of the first commit, and the last one.
    pub(crate) commits: Option<(u64, Committed)>,
    /// Segments with ranges, ascending.
    pub(crate) segments: Vec<u64>,
}

impl Meta {
    /// Takes an item into account; `None` if it is damaged.
    pub(crate) fn take(&mut self, list: List, key: &[u8], value: &[u8]) -> Option<()> {
        let (key, value) = (&mut Reader::new(key), &mut Reader::new(value));
        match list {
            List::Custodians => self.next_custodian = take32(key)?.checked_add(1)?,
            List::Runs => self.next_run = take32(key)?.checked_add(1)?,
            List::Counters => self.total += Counts::read(value)?,
            List::Links => {
                let links = read_links(value)?;
                let all = links.iter().map(|link| link.sequence).chain([self.first_link]);
                self.first_link = all.filter(|sequence| *sequence > 0).min().unwrap_or(0);
            }
            List::Commits => {
                let commit = read_commit(key, value)?;
                let first = self.commits.map_or(commit.sequence, |(first, _)| first);
                self.commits = Some((first, commit));
            }
            List::Ranges => {
                let segment = take64(key)?;
                if self.segments.last() != Some(&segment) {
                    self.segments.push(segment);
                }
            }
            List::Names | List::Checkpoints | List::Blocks => {}
        }
        Some(())
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.next_custodian));
        put_varint(out, u64::from(self.next_run));
        self.total.put(out);
        put_varint(out, self.first_link);
        out.push(u8::from(self.commits.is_some()));
        if let Some((first, last)) = &self.commits {
            put_varint(out, *first);
            put_varint(out, last.sequence);
            put_commit(out, last);
        }
        put_varint(out, self.segments.len() as u64);
        let mut before = 0;
        for segment in &self.segments {
            put_varint(out, segment - std::mem::replace(&mut before, *segment));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let next_custodian = reader.varint32().filter(|next| *next <= limits::CUSTODIAN)?;
        let next_run = reader.varint32().filter(|next| *next <= limits::RUN + 1)?;
        let (total, first_link) = (Counts::read_sum(reader)?, reader.varint()?);
        let mut commits = None;
        if reader.u8()? > 0 {
            let (first, sequence) = (reader.varint()?, reader.varint()?);
            let last = Some(sequence).filter(|last| *last <= limits::SEQUENCE)?;
            commits = Some((first, read_run(last, reader)?));
        }
        let mut number = 0_u64;
        let segments = reader.list(list::LEDGER_SEGMENTS, |reader| {
            number = number.checked_add(reader.varint().filter(|more| *more > 0)?)?;
            Some(number)
        })?;
        let meta = Self { next_custodian, next_run, total, first_link, commits, segments };
        reader.is_empty().then_some(meta)
    }
}

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) table: Arc<Table>,
    pub(crate) meta: Meta,
}

impl Ledger {
    pub(crate) fn open(
        storage: &dyn Storage,
        place: ([u8; 16], u64),
        path: &str,
        cache: &Arc<Cache>,
    ) -> Result<Self> {
        let table = Table::open(storage, &FORM, place, path, cache)?;
        let damaged = || Error::corrupt("footer is damaged or over a limit").in_file(path);
        let meta = Meta::read(&mut Reader::new(&table.more)).ok_or_else(damaged)?;
        Ok(Self { table: Arc::new(table), meta })
    }

    /// What an item says; `read` takes its key and value.
    pub(crate) fn said<T>(
        &self,
        item: &Item,
        read: impl FnOnce(&mut Reader<'_>, &mut Reader<'_>) -> Option<T>,
    ) -> Result<T> {
        let (key, value) = (&mut Reader::new(item.key()), &mut Reader::new(item.value()));
        let said = read(key, value).filter(|_| key.is_empty() && value.is_empty());
        let damaged = || Error::corrupt("item is damaged or over a limit");
        said.ok_or_else(|| damaged().in_file(self.table.path()))
    }

    /// What the item with a key says.
    pub(crate) fn find<T>(
        &self,
        list: List,
        key: &[u8],
        read: impl FnOnce(&mut Reader<'_>, &mut Reader<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        let item = self.table.get(list as u8, key)?;
        item.map(|item| self.said(&item, read)).transpose()
    }

    /// The last commit up to a number.
    pub(crate) fn commit_at(&self, at: u64) -> Result<Option<Committed>> {
        match &self.meta.commits {
            Some((_, last)) if last.sequence <= at => Ok(Some(*last)),
            Some((first, _)) if *first <= at => {
                let item = self.table.floor(List::Commits as u8, &ordered64(at))?;
                item.map(|item| self.said(&item, read_commit)).transpose()
            }
            _ => Ok(None),
        }
    }
}

/// A ledger that is being written: items come list by list, in order of their keys.
pub(crate) struct LedgerWriter<'s> {
    pub(crate) table: TableWriter<'s>,
    meta: Meta,
}

impl<'s> LedgerWriter<'s> {
    pub(crate) fn start(storage: &'s dyn Storage, place: ([u8; 16], u64)) -> Result<Self> {
        let table = TableWriter::start(storage, &FORM, place)?;
        Ok(Self { table, meta: Meta::default() })
    }

    pub(crate) fn put(&mut self, list: List, key: &[u8], value: &[u8]) -> Result<()> {
        // Sums of what a hostile journal says can be over a limit: whoever reads them is told.
        let _known = self.meta.take(list, key, value);
        self.table.put(list as u8, key, value)
    }

    pub(crate) fn finish(self) -> Result<FileEntry> {
        let mut more = Vec::new();
        self.meta.put(&mut more);
        self.table.finish(&more, (0, Multiset::default()))
    }
}

/// Writes a ledger of what commits added, under its name, durably.
pub(crate) fn write(
    storage: &dyn Storage,
    place: ([u8; 16], u64),
    (book, ranges): (&Book, &SegmentRanges),
) -> Result<FileEntry> {
    let mut writer = LedgerWriter::start(storage, place)?;
    for list in LISTS {
        let mut items = items(list, book, ranges);
        items.sort_unstable();
        for (key, value) in items {
            writer.put(list, &key, &value)?;
        }
    }
    writer.finish()
}

type Pair = (Vec<u8>, Vec<u8>);

/// What a book and ranges say in a list.
fn items(list: List, book: &Book, ranges: &SegmentRanges) -> Vec<Pair> {
    let with = |key: Vec<u8>, put: &dyn Fn(&mut Vec<u8>)| {
        let mut value = Vec::new();
        put(&mut value);
        (key, value)
    };
    match list {
        List::Custodians => {
            let names = book.custodians.iter();
            let text = |name: &crate::types::Custodian| name.as_str().as_bytes().to_vec();
            names.map(|(number, name)| (ordered32(*number).to_vec(), text(name))).collect()
        }
        List::Names => {
            let names = book.custodians.iter();
            let key = |number, name: &str| [name_start(name), ordered32(number).to_vec()].concat();
            names.map(|(number, name)| (key(*number, name.as_str()), Vec::new())).collect()
        }
        List::Runs => {
            let runs = book.runs.iter();
            runs.map(|(number, run)| {
                with(ordered32(*number).to_vec(), &|out| {
                    put_block(out, run.label.as_bytes());
                    put_signed(out, run.started.ticks());
                })
            })
            .collect()
        }
        List::Counters => {
            let counts = book.counts.iter();
            counts.map(|(place, counts)| with(place_key(*place), &|out| counts.put(out))).collect()
        }
        List::Checkpoints => {
            let values = book.checkpoints.iter();
            values.map(|(name, value)| (name.as_bytes().to_vec(), value.clone())).collect()
        }
        List::Links => {
            let links = book.links.iter();
            links.map(|(key, links)| with(link_key(key), &|out| put_links(out, links))).collect()
        }
        List::Commits => {
            let commits = book.commits.iter();
            let key = |commit: &Committed| ordered64(commit.sequence).to_vec();
            commits.map(|commit| with(key(commit), &|out| put_commit(out, commit))).collect()
        }
        List::Ranges => late::range_items(ranges),
        List::Blocks => late::block_items(ranges),
    }
}

/// How keys of a name start, whatever its number.
pub(crate) fn name_start(name: &str) -> Vec<u8> {
    let mut key = Vec::new();
    put_block(&mut key, name.as_bytes());
    key
}

pub(crate) fn place_key((run, custodian): (u32, u32)) -> Vec<u8> {
    [ordered32(run), ordered32(custodian)].concat()
}

pub(crate) fn link_key(key: &MessageKey) -> Vec<u8> {
    let mut out = Vec::new();
    book::put_key(&mut out, key);
    out
}

pub(crate) fn read_counts(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Option<((u32, u32), Counts)> {
    Some(((take32(key)?, take32(key)?), Counts::read(value)?))
}

pub(crate) fn read_commit(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<Committed> {
    let sequence = take64(key).filter(|number| *number <= limits::SEQUENCE)?;
    read_run(sequence, value)
}

fn read_run(sequence: u64, value: &mut Reader<'_>) -> Option<Committed> {
    Some(Committed { sequence, run: value.varint32()?, chain: value.array()? })
}

fn put_commit(out: &mut Vec<u8>, commit: &Committed) {
    put_varint(out, u64::from(commit.run));
    out.extend_from_slice(&commit.chain);
}

pub(crate) fn read_links(value: &mut Reader<'_>) -> Option<Vec<Link>> {
    value.list(list::LINKS, |reader| book::read_link(reader, Reader::varint))
}

pub(crate) fn put_links(out: &mut Vec<u8>, links: &[Link]) {
    put_varint(out, links.len() as u64);
    for link in links {
        book::put_link(out, link);
        put_varint(out, link.sequence);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::archive::accounts::known::{read_checkpoint, read_name, read_run};
    use crate::archive::accounts::ranges::Ranges;
    use crate::format::document::{ARCHIVE, check_shown};
    use crate::storage::Memory;
    use crate::table::Cursor;
    use crate::types::{ContentAddress, Custodian, RecordKind};
    use std::collections::BTreeMap;

    /// Everything that a ledger says.
    pub(crate) fn contents(ledger: &Ledger) -> Result<(Book, SegmentRanges)> {
        let (mut book, mut ranges) = (Book::default(), BTreeMap::new());
        for list in LISTS {
            let mut cursor = Cursor::once(&ledger.table, list as u8);
            while let Some(item) = cursor.next()? {
                match list {
                    List::Custodians => {
                        let number = take32(&mut Reader::new(item.key())).unwrap();
                        drop(book.custodians.insert(number, ledger.said(&item, read_name)?));
                    }
                    List::Runs => book.runs.extend([ledger.said(&item, read_run)?]),
                    List::Counters => book.counts.extend([ledger.said(&item, read_counts)?]),
                    List::Checkpoints => {
                        book.checkpoints.extend([ledger.said(&item, read_checkpoint)?]);
                    }
                    List::Links => book.links.extend([ledger
                        .said(&item, |key, value| book::read_key(key).zip(read_links(value)))?]),
                    List::Commits => book.commits.push(ledger.said(&item, read_commit)?),
                    List::Ranges => {
                        let (segment, more) = ledger.said(&item, late::read_ranges)?;
                        ranges.entry(segment).or_insert_with(Vec::new).extend(more);
                    }
                    List::Names | List::Blocks => {}
                }
            }
        }
        let ranges = ranges.into_iter().map(|(segment, list)| (segment, Ranges::of_all(list)));
        Ok((book, ranges.collect()))
    }

    /// A place with the folders that tables are in.
    pub(crate) fn memory() -> Memory {
        let storage = Memory::default();
        for folder in ["", "segments"] {
            storage.make_folder(folder).unwrap();
        }
        storage
    }

    pub(crate) fn open(storage: &dyn Storage, place: ([u8; 16], u64)) -> Result<Ledger> {
        let path = FileKind::Ledger.path(place.1);
        Ledger::open(storage, place, &path, &Arc::new(Cache::new(1 << 20)))
    }

    /// Changes what a ledger says, and gives its file.
    pub(crate) fn rewrite(
        storage: &dyn Storage,
        place: ([u8; 16], u64),
        change: impl FnOnce(&mut Book, &mut SegmentRanges),
    ) -> Vec<u8> {
        let (mut book, mut ranges) = contents(&open(storage, place).unwrap()).unwrap();
        change(&mut book, &mut ranges);
        file(place, &book, &ranges)
    }

    fn file(place: ([u8; 16], u64), book: &Book, ranges: &SegmentRanges) -> Vec<u8> {
        let storage = memory();
        let entry = write(&storage, place, (book, ranges)).unwrap();
        crate::storage::whole::read(&storage, &entry.path(), u64::MAX).unwrap()
    }

    fn stored(bytes: &[u8]) -> Memory {
        let storage = memory();
        storage.create("segments/0000000000000008.led").unwrap().write_at(0, bytes).unwrap();
        storage
    }

    fn shown() -> (Book, SegmentRanges) {
        let (mut book, mut ranges) = (Book::default(), SegmentRanges::new());
        drop(book.custodians.insert(0, Custodian::user("ada")));
        let counts = Counts { offered: 9, duplicates: 9, ..Counts::default() };
        let _ = book.counts.insert((1, 0), counts);
        book.commits = vec![Committed { sequence: 6, run: 1, chain: [0xab; 8] }];
        let sightings = (100..108).chain([110]).map(|row| (0, row, 6)).collect();
        drop(ranges.insert(7, Ranges::of(sightings)));
        (book, ranges)
    }

    #[test]
    fn the_file_is_as_the_format_document_shows_it() {
        let (book, ranges) = shown();
        let file = file((ARCHIVE, 8), &book, &ranges);
        check_shown(&file);
    }

    #[test]
    fn a_ledger_comes_back_and_any_flipped_bit_is_damage() {
        let (mut book, ranges) = shown();
        drop(book.checkpoints.insert("position".to_owned(), b"17".to_vec()));
        let key = MessageKey {
            record: RecordKind::Message,
            conversation: "19:a@thread.v2".to_owned(),
            reply_to: None,
            id: "1700000000000".to_owned(),
        };
        let link = |sequence| Link {
            attachment: format!("file {sequence}"),
            object: ContentAddress([7; 32]),
            sequence,
        };
        drop(book.links.insert(key, vec![link(6), link(5)]));
        let file = file((ARCHIVE, 8), &book, &ranges);
        let read_back = |bytes: &[u8]| contents(&open(&stored(bytes), (ARCHIVE, 8))?);
        assert_eq!(read_back(&file).unwrap(), (book, ranges));
        let ledger = open(&stored(&file), (ARCHIVE, 8)).unwrap();
        assert_eq!((ledger.meta.first_link, &*ledger.meta.segments), (5, &[7][..]));
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let all = LISTS.iter().try_for_each(|list| {
                let ledger = open(&stored(&damaged), (ARCHIVE, 8))?;
                let mut cursor = Cursor::once(&ledger.table, *list as u8);
                while cursor.next()?.is_some() {}
                Ok::<_, Error>(())
            });
            assert!(all.is_err(), "bit {bit}");
        }
        assert!(read_back(&[&file[..], &[0]].concat()).is_err(), "something behind the trailer");
    }

    #[test]
    fn the_last_commit_up_to_a_number_is_found() {
        let mut book = Book::default();
        let commit = |sequence| Committed { sequence, run: 1, chain: [1; 8] };
        book.commits = (1..5_000).map(|at| commit(at * 3)).collect();
        let file = file((ARCHIVE, 8), &book, &SegmentRanges::new());
        let ledger = open(&stored(&file), (ARCHIVE, 8)).unwrap();
        for at in [0, 1, 2, 3, 4, 5, 6, 3_000, 7_001, 7_002, 14_996, 14_997, 20_000, u64::MAX] {
            let expected = book.commits.iter().rev().find(|commit| commit.sequence <= at);
            assert_eq!(ledger.commit_at(at).unwrap(), expected.copied(), "{at}");
        }
        let all = (0..15_000).all(|at| {
            let found = ledger.commit_at(at).unwrap().map_or(0, |commit| commit.sequence);
            found == at / 3 * 3
        });
        assert!(all, "some commit is not found");
    }
}
