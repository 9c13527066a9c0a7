//! Copies that could not be keyed. Equal bytes are kept once, with where they came from first;
//! every copy is counted, by custodian and run.
//!
//! Invariants: bytes are addressed by their BLAKE3; the bytes of a counted copy are kept in the same file
//! or in an earlier one. A damaged file may have bytes kept once more. Files are tables, read by page.
//!
//! Bytes: FORMAT.md, "Quarantine".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::held::Missing;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::limits;
use crate::format::multiset::Multiset;
use crate::format::names::FileKind;
use crate::manifest::FileEntry;
use crate::storage::Storage;
use crate::table::{Cursor, Form, Item, MAX_LISTS, Merge, PAGE_BYTES, Table, TableWriter};
use crate::table::{ordered32, ordered64, take32, take64};
use crate::types::ContentAddress;

const FORM: Form = Form {
    kind: FileKind::Quarantine,
    magic: *b"CVQUAR01",
    lists: 2,
    page_bytes: {
        let mut bytes = [PAGE_BYTES; MAX_LISTS];
        // They are read one after the other, and pack better together.
        bytes[KEPT as usize - 1] = 256 << 10;
        bytes
    },
};

/// How many copies, by address, run and custodian.
const COPIES: u8 = 1;
/// What is kept, by commit and place in there.
const KEPT: u8 = 2;

/// Copies of the same bytes that one custodian's exports delivered in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) address: ContentAddress,
    pub(crate) custodian: u32,
    pub(crate) run: u32,
    pub(crate) copies: u64,
    /// The first copy of these bytes is kept.
    pub(crate) kept: Option<Kept>,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What is known of the copy whose bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) sequence: u64,
    pub(crate) reason: String,
    pub(crate) source: String,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Refused {
    /// The record as a commit has it, with the bytes.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.address.0);
        put_varint(out, u64::from(self.custodian));
        put_varint(out, u64::from(self.run));
        put_varint(out, self.copies);
        out.push(u8::from(self.kept.is_some()));
        if let Some(kept) = &self.kept {
            put_varint(out, kept.sequence);
            put_block(out, kept.reason.as_bytes());
            put_block(out, kept.source.as_bytes());
            put_varint(out, kept.offset);
            put_block(out, &self.bytes);
        }
    }

    /// Reads a record with its bytes, which must be what they are addressed by.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let address = ContentAddress(reader.array()?);
        let (custodian, run) = (reader.varint32()?, reader.varint32()?);
        let copies = read_count(reader)?;
        let mut refused = Self { address, custodian, run, copies, kept: None, bytes: Vec::new() };
        if reader.u8()? == 0 {
            return Some(refused);
        }
        let sequence = reader.varint()?;
        refused.keep(sequence, reader)?;
        Some(refused)
    }

    /// Reads what is kept.
    fn keep(&mut self, sequence: u64, reader: &mut Reader<'_>) -> Option<()> {
        let (reason, source) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let (offset, bytes) = (reader.varint()?, reader.block()?);
        let length = bytes.len() as u64;
        self.kept = Some(Kept { sequence, reason, source, offset, length });
        self.bytes = bytes.to_vec();
        (*blake3::hash(bytes).as_bytes() == self.address.0).then_some(())
    }

    /// What is kept, as the value of an item.
    fn value(&self, kept: &Kept) -> Vec<u8> {
        let mut value = self.address.0.to_vec();
        put_varint(&mut value, u64::from(self.custodian));
        put_varint(&mut value, u64::from(self.run));
        put_block(&mut value, kept.reason.as_bytes());
        put_block(&mut value, kept.source.as_bytes());
        put_varint(&mut value, kept.offset);
        put_block(&mut value, &self.bytes);
        value
    }

    /// Reads an item of what is kept; its copies are counted elsewhere.
    fn read_kept(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<Self> {
        let (sequence, _place) = (take64(key)?, take32(key)?);
        let address = ContentAddress(value.array()?);
        let (custodian, run) = (value.varint32()?, value.varint32()?);
        let bytes = Vec::new();
        let mut refused = Self { address, custodian, run, copies: 0, kept: None, bytes };
        refused.keep(sequence, value)?;
        Some(refused)
    }

    /// Bytes in memory, about.
    pub(crate) fn memory(&self) -> usize {
        let said = self.kept.as_ref().map_or(0, |kept| kept.reason.len() + kept.source.len());
        self.bytes.len() + said + 192
    }
}

fn read_count(reader: &mut Reader<'_>) -> Option<u64> {
    reader.varint().filter(|copies| (1..=limits::COUNTER).contains(copies))
}

/// How many copies of some bytes a custodian's exports delivered in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    pub(crate) address: ContentAddress,
    pub(crate) run: u32,
    pub(crate) custodian: u32,
    pub(crate) count: u64,
    /// The commit that brought the one of them that is kept; 0 if none is.
    pub(crate) kept: u64,
}

impl Copies {
    pub(crate) fn of(refused: &Refused) -> Self {
        let Refused { address, run, custodian, copies, kept, .. } = refused;
        let kept = kept.as_ref().map_or(0, |kept| kept.sequence);
        Self { address: *address, run: *run, custodian: *custodian, count: *copies, kept }
    }

    fn key(&self) -> Vec<u8> {
        [&self.address.0[..], &ordered32(self.run), &ordered32(self.custodian)].concat()
    }

    fn value(&self) -> Vec<u8> {
        let mut value = Vec::new();
        put_varint(&mut value, self.count);
        put_varint(&mut value, self.kept);
        value
    }

    fn read(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<Self> {
        let address = ContentAddress(key.array()?);
        let (run, custodian) = (take32(key)?, take32(key)?);
        let (count, kept) = (read_count(value)?, value.varint()?);
        Some(Self { address, run, custodian, count, kept })
    }

    /// Both together.
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.kept = first(self.kept, other.kept);
    }

    /// What stands for these copies in a multiset: one of them as many times as there are.
    pub(crate) fn multiset(&self) -> Multiset {
        let place = [self.custodian.to_le_bytes(), self.run.to_le_bytes()].concat();
        let one = blake3::hash(&[&self.address.0[..], &place].concat());
        Multiset(*one.as_bytes()).times(self.count)
    }
}

/// The lower of two commits, 0 being none.
fn first(one: u64, other: u64) -> u64 {
    [one, other].into_iter().filter(|commit| *commit > 0).min().unwrap_or(0)
}

/// A quarantine file that is being written, and what a manifest says of it.
struct Writing<'s> {
    table: TableWriter<'s>,
    copies: u64,
    multiset: Multiset,
}

impl<'s> Writing<'s> {
    fn start(storage: &'s dyn Storage, place: ([u8; 16], u64)) -> Result<Self> {
        let table = TableWriter::start(storage, &FORM, place)?;
        Ok(Self { table, copies: 0, multiset: Multiset::default() })
    }

    fn put(&mut self, copies: &Copies) -> Result<()> {
        self.copies += copies.count;
        self.multiset += copies.multiset();
        self.table.put(COPIES, &copies.key(), &copies.value())
    }

    fn finish(self) -> Result<FileEntry> {
        self.table.finish(b"", (self.copies, self.multiset))
    }
}

/// Writes what commits brought, under its name, durably.
pub(crate) fn write<'a>(
    storage: &dyn Storage,
    place: ([u8; 16], u64),
    refused: impl Iterator<Item = &'a Refused> + Clone,
) -> Result<FileEntry> {
    let mut counted: BTreeMap<Vec<u8>, Copies> = BTreeMap::new();
    for copies in refused.clone().map(Copies::of) {
        let key = copies.key();
        match counted.get_mut(&key) {
            Some(there) => there.add(&copies),
            None => drop(counted.insert(key, copies)),
        }
    }
    let mut writing = Writing::start(storage, place)?;
    counted.values().try_for_each(|copies| writing.put(copies))?;
    let numbered = (0_u32..).zip(refused);
    let kept = numbered.filter_map(|(place, it)| Some((it.kept.as_ref()?, place, it)));
    let mut kept: Vec<_> = kept.collect();
    kept.sort_by_key(|(kept, place, _)| (kept.sequence, *place));
    for (kept, place, refused) in kept {
        let key = [&ordered64(kept.sequence)[..], &ordered32(place)].concat();
        writing.table.put(KEPT, &key, &refused.value(kept))?;
    }
    writing.finish()
}

/// Writes what several files hold together; a page of each is in memory.
pub(crate) fn merge(
    storage: &dyn Storage,
    place: ([u8; 16], u64),
    files: &[Arc<Outcasts>],
) -> Result<FileEntry> {
    let tables: Vec<&Arc<Table>> = files.iter().map(|file| file.table()).collect::<Result<_>>()?;
    let (mut writing, mut items) = (Writing::start(storage, place)?, Vec::new());
    let mut merge = Merge::of(tables.iter().copied(), COPIES);
    loop {
        merge.next(&mut items)?;
        let Some(item) = items.first() else { break };
        let mut sum = said(tables[0], item, Copies::read)?;
        for item in &items[1..] {
            sum.add(&said(tables[0], item, Copies::read)?);
        }
        writing.put(&sum)?;
    }
    let mut merge = Merge::of(tables.iter().copied(), KEPT);
    loop {
        merge.next(&mut items)?;
        let Some(item) = items.first() else { break };
        writing.table.put(KEPT, item.key(), item.value())?;
    }
    writing.finish()
}

fn said<T>(
    table: &Table,
    item: &Item,
    read: impl FnOnce(&mut Reader<'_>, &mut Reader<'_>) -> Option<T>,
) -> Result<T> {
    let (key, value) = (&mut Reader::new(item.key()), &mut Reader::new(item.value()));
    let said = read(key, value).filter(|_| key.is_empty() && value.is_empty());
    let damaged = || Error::corrupt("record of refused copies is damaged or over a limit");
    said.ok_or_else(|| damaged().in_file(table.path()))
}

/// A quarantine file of a state. It stays readable when a merge replaces it.
#[derive(Clone, Debug)]
pub(crate) struct Outcasts {
    pub(crate) entry: FileEntry,
    /// Why it cannot be opened is told to whoever reads it, and to nobody else.
    table: Result<Arc<Table>>,
}

impl Outcasts {
    /// Opens the file of an entry, which may be somewhere else.
    pub(crate) fn open(
        storage: &dyn Storage,
        archive: [u8; 16],
        (entry, path): (&FileEntry, &str),
        cache: &Arc<Cache>,
    ) -> Self {
        let table = Table::open(storage, &FORM, (archive, entry.number), path, cache);
        Self { entry: entry.clone(), table: table.map(Arc::new) }
    }

    /// Could it be opened?
    pub(crate) fn is_open(&self) -> bool {
        self.table.is_ok()
    }

    fn table(&self) -> Result<&Arc<Table>> {
        self.table.as_ref().map_err(Error::clone)
    }

    /// The copies of some bytes.
    pub(crate) fn of(&self, address: &ContentAddress) -> Result<Vec<Copies>> {
        let table = self.table()?;
        let (mut cursor, mut found) = (Cursor::kept(table, COPIES, &address.0), Vec::new());
        while let Some(item) = cursor.next_with(&address.0)? {
            found.push(said(table, &item, Copies::read)?);
        }
        Ok(found)
    }

    /// All copies by address, run and custodian. What is left out as `missing` is damaged.
    pub(crate) fn copies(&self, missing: &Missing, each: &mut dyn FnMut(&Copies)) -> Result<()> {
        let Some(table) = missing.pass(self.table().cloned())? else { return Ok(()) };
        let mut cursor = Cursor::once(&table, COPIES);
        loop {
            let next = cursor
                .next()
                .and_then(|item| item.map(|item| said(&table, &item, Copies::read)).transpose());
            match missing.pass(next)? {
                Some(Some(copies)) => each(&copies),
                Some(None) => return Ok(()),
                None => {}
            }
        }
    }
}

/// What a file keeps, oldest first; a page of it is in memory. An error is not the end.
#[derive(Debug)]
pub(crate) struct Records {
    table: Arc<Table>,
    cursor: Cursor,
}

impl Records {
    pub(crate) fn of(file: &Outcasts) -> Result<Self> {
        let table = Arc::clone(file.table()?);
        let cursor = Cursor::once(&table, KEPT);
        Ok(Self { table, cursor })
    }
}

impl Iterator for Records {
    type Item = Result<Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.cursor.next().transpose()?;
        Some(item.and_then(|item| said(&self.table, &item, Refused::read_kept)))
    }
}

/// Are the bytes of an address kept? A file that is damaged keeps none: they are kept again.
pub(crate) fn is_kept(files: &[Arc<Outcasts>], address: &ContentAddress) -> Result<bool> {
    for file in files {
        match file.of(address) {
            Ok(copies) if copies.iter().any(|copies| copies.kept > 0) => return Ok(true),
            Err(error) if error.kind().is_of_storage() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(false)
}

/// Reads a file through: how many copies it has, and which. Each that is kept must be counted.
pub(crate) fn read_through(
    file: &Outcasts,
    each: &mut dyn FnMut(&Copies),
) -> Result<(u64, Multiset)> {
    let (mut copies, mut multiset) = (0, Multiset::default());
    // Copies with bytes, and those whose bytes are there.
    let mut kept = [0_u64; 2];
    file.copies(&Missing::default(), &mut |found| {
        copies += found.count;
        multiset += found.multiset();
        kept[0] += u64::from(found.kept > 0);
        each(found);
    })?;
    for refused in Records::of(file)? {
        let refused = refused?;
        let sequence = refused.kept.as_ref().map_or(0, |kept| kept.sequence);
        let counted = file.of(&refused.address)?;
        let its = counted
            .iter()
            .filter(|it| (it.run, it.custodian) == (refused.run, refused.custodian) && it.kept > 0);
        let its: Vec<u64> = its.map(|copies| copies.kept).collect();
        kept[1] += u64::from(its.contains(&sequence));
        if !its.iter().any(|first| *first <= sequence) {
            let message = format!("keeps a copy of {} that is not counted", refused.address);
            return Err(Error::corrupt(message).in_file(file.entry.path()));
        }
    }
    if kept[0] == kept[1] {
        return Ok((copies, multiset));
    }
    let message = format!("has {} copies whose bytes it does not keep", kept[0].abs_diff(kept[1]));
    Err(Error::corrupt(message).in_file(file.entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::document::{ARCHIVE, check_shown};
    use crate::storage::{Memory, whole};

    fn refused(custodian: u32, copies: u64, bytes: &[u8], sequence: u64) -> Refused {
        let address = ContentAddress(*blake3::hash(bytes).as_bytes());
        let (reason, source, length) = ("no id".into(), "p.json".into(), bytes.len() as u64);
        let kept = Kept { sequence, reason, source, offset: 25, length };
        let bytes = if sequence > 0 { bytes.to_vec() } else { Vec::new() };
        let kept = (sequence > 0).then_some(kept);
        Refused { address, custodian, run: 1, copies, kept, bytes }
    }

    fn storage() -> Memory {
        crate::archive::accounts::ledger::tests::memory()
    }

    fn open(storage: &Memory, entry: &FileEntry) -> Arc<Outcasts> {
        let cache = Arc::new(Cache::new(1 << 20));
        Arc::new(Outcasts::open(storage, ARCHIVE, (entry, &entry.path()), &cache))
    }

    fn stored(storage: &Memory, number: u64, list: &[Refused]) -> Arc<Outcasts> {
        open(storage, &write(storage, (ARCHIVE, number), list.iter()).unwrap())
    }

    fn read(file: &Outcasts) -> Result<Vec<Refused>> {
        Records::of(file)?.collect()
    }

    fn counted(file: &Outcasts) -> Vec<(u32, u64, u64)> {
        let mut all = Vec::new();
        let mut add = |it: &Copies| all.push((it.custodian, it.count, it.kept));
        file.copies(&Missing::default(), &mut add).unwrap();
        all.sort_unstable();
        all
    }

    #[test]
    fn the_file_is_as_the_format_document_shows_it() {
        let storage = storage();
        let file = stored(&storage, 8, &[refused(0, 1, b"{}", 1)]);
        check_shown(&whole::read(&storage, &file.entry.path(), u64::MAX).unwrap());
    }

    #[test]
    fn equal_copies_are_counted_and_a_merge_keeps_bytes_and_counts() {
        let storage = storage();
        let large = vec![7; 700_000];
        let more = [&large[..], b"8"].concat();
        let first = [
            refused(0, 1, b"{}", 1),
            refused(0, 2, b"{}", 0),
            refused(1, 1, b"{}", 0),
            refused(0, 1, &large, 1),
            refused(0, 1, b"", 1),
            refused(0, 1, &more, 1),
        ];
        let second = [refused(1, 4, b"{}", 0), refused(1, 1, b"[", 2)];
        let files = [stored(&storage, 1, &first), stored(&storage, 2, &second)];
        assert_eq!(files.each_ref().map(|file| file.entry.rows), [7, 5]);
        let both = open(&storage, &merge(&storage, (ARCHIVE, 3), &files).unwrap());
        let mut sum = files[0].entry.multiset;
        sum += files[1].entry.multiset;
        assert_eq!((both.entry.rows, both.entry.multiset), (12, sum));
        let said = read_through(&both, &mut |_| ()).unwrap();
        assert_eq!(said, (12, sum));
        let kept = [(&b"{}"[..], 0, 1), (&large, 0, 1), (b"", 0, 1), (&more, 0, 1), (b"[", 1, 2)];
        let kept = kept.map(|(bytes, custodian, at)| refused(custodian, 0, bytes, at));
        assert!(read(&both).unwrap() == kept, "what is kept differs");
        let expected = [(0, 1, 1), (0, 1, 1), (0, 1, 1), (0, 3, 1), (1, 1, 2), (1, 5, 0)];
        assert_eq!(counted(&both), expected);
    }

    #[test]
    fn any_flipped_bit_is_damage() {
        let storage = storage();
        let entry = stored(&storage, 8, &[refused(0, 1, b"{}", 1), refused(3, 9, b"x", 0)]);
        let path = entry.entry.path();
        let file = whole::read(&storage, &path, u64::MAX).unwrap();
        let sound = (entry.entry.rows, entry.entry.multiset);
        assert_eq!(read_through(&entry, &mut |_| ()).unwrap(), sound);
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            storage.remove(&path).unwrap();
            storage.create(&path).unwrap().write_at(0, &damaged).unwrap();
            let read = read_through(&open(&storage, &entry.entry), &mut |_| ());
            assert!(read.is_err(), "bit {bit}");
        }
    }
}
