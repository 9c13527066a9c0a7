//! Copies that could not be keyed. Equal bytes are kept once, with where they came from first;
//! every copy is counted, by custodian and run.
//!
//! Invariants: bytes are addressed by their BLAKE3; the bytes of a counted copy are in a record
//! of the same file or of an earlier one. A damaged file may have bytes kept once more.
//!
//! Bytes: FORMAT.md, "Quarantine".

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::{Reader, put_block, put_varint};
use crate::format::frame::{self, Codec};
use crate::format::limits::{self, decoded, list};
use crate::format::multiset::Multiset;
use crate::format::unpack;
use crate::manifest::FileEntry;
use crate::storage::{ReadFile, Storage};
use crate::types::ContentAddress;

const MAGIC: [u8; 8] = *b"CVQUAR01";
const HEADER_BYTES: usize = 32;
const LEVEL: i32 = 12;
/// A frame of copies takes more until it holds this.
const FRAME_BYTES: usize = 1 << 20;

/// Kinds of frames.
const INDEX: u8 = 1;
const COPIES: u8 = 2;

/// Copies of the same bytes that one custodian's exports delivered in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) address: ContentAddress,
    pub(crate) custodian: u32,
    pub(crate) run: u32,
    pub(crate) copies: u64,
    /// The first copy of these bytes is kept.
    pub(crate) kept: Option<Kept>,
    /// Its bytes; empty in a record that was read from a file's index.
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
        self.put_record(out);
        out.extend_from_slice(&self.bytes);
    }

    fn put_record(&self, out: &mut Vec<u8>) {
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
            put_varint(out, kept.length);
        }
    }

    /// Reads a record with its bytes, which must be what they are addressed by.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut refused = Self::read_record(reader)?;
        if let Some(kept) = &refused.kept {
            refused.bytes = reader.take(usize::try_from(kept.length).ok()?)?.to_vec();
            let address = blake3::hash(&refused.bytes);
            return (*address.as_bytes() == refused.address.0).then_some(refused);
        }
        Some(refused)
    }

    fn read_record(reader: &mut Reader<'_>) -> Option<Self> {
        let address = ContentAddress(reader.array()?);
        let (custodian, run) = (reader.varint32()?, reader.varint32()?);
        let copies = reader.varint()?;
        let copies = Some(copies).filter(|copies| (1..=limits::COUNTER).contains(copies))?;
        let kept = match reader.u8()? {
            0 => None,
            1 => Some(Kept {
                sequence: reader.varint()?,
                reason: reader.text()?.to_owned(),
                source: reader.text()?.to_owned(),
                offset: reader.varint()?,
                length: reader.varint()?,
            }),
            _ => return None,
        };
        Some(Self { address, custodian, run, copies, kept, bytes: Vec::new() })
    }

    /// What stands for these copies in a multiset: one of them as many times as there are.
    pub(crate) fn multiset(&self) -> Multiset {
        let place = [self.custodian.to_le_bytes(), self.run.to_le_bytes()].concat();
        let one = blake3::hash(&[&self.address.0[..], &place].concat());
        Multiset(*one.as_bytes()).times(self.copies)
    }

    /// Bytes in memory, about.
    pub(crate) fn memory(&self) -> usize {
        let said = self.kept.as_ref().map_or(0, |kept| kept.reason.len() + kept.source.len());
        self.bytes.len() + said + 192
    }
}

/// How many copies there are, and which.
pub(crate) fn tally(records: &[Refused]) -> (u64, Multiset) {
    let copies = records.iter().map(|refused| refused.copies).sum();
    (copies, records.iter().map(Refused::multiset).sum())
}

/// The same copies in as few records as possible: those with bytes in their order, then counts.
fn sum_up(records: impl IntoIterator<Item = Refused>) -> Vec<Refused> {
    let (mut kept, mut counts) = (Vec::new(), BTreeMap::new());
    for refused in records {
        let place = (refused.address, refused.custodian, refused.run);
        if refused.kept.is_some() {
            kept.push(refused);
        } else {
            *counts.entry(place).or_default() += refused.copies;
        }
    }
    for refused in &mut kept {
        let place = (refused.address, refused.custodian, refused.run);
        refused.copies += counts.remove(&place).unwrap_or(0);
    }
    let count = |((address, custodian, run), copies)| Refused {
        address,
        custodian,
        run,
        copies,
        kept: None,
        bytes: Vec::new(),
    };
    kept.extend(counts.into_iter().map(count));
    kept
}

/// A file that is about to be written, and what the manifest says of it.
pub(crate) struct Encoded {
    pub(crate) file: Vec<u8>,
    pub(crate) copies: u64,
    pub(crate) multiset: Multiset,
}

/// Encodes what commits brought.
pub(crate) fn encode<'a>(
    archive: [u8; 16],
    number: u64,
    refused: impl Iterator<Item = &'a Refused>,
) -> Result<Encoded> {
    let records = sum_up(refused.cloned());
    let mut frames = Vec::new();
    let mut raw = Vec::new();
    for record in records.iter().filter(|record| record.kept.is_some()) {
        raw.extend_from_slice(&record.bytes);
        if raw.len() >= FRAME_BYTES {
            put_frame(&mut frames, COPIES, &raw)?;
            raw.clear();
        }
    }
    if !raw.is_empty() {
        put_frame(&mut frames, COPIES, &raw)?;
    }
    wrap(archive, number, &records, &frames)
}

/// Encodes what several files hold; their frames of copies are taken as they are.
pub(crate) fn merge(archive: [u8; 16], number: u64, files: &[Arc<Outcasts>]) -> Result<Encoded> {
    let (mut records, mut frames) = (Vec::new(), Vec::new());
    for file in files {
        let (index, mut next) = file.index()?;
        records.extend(index);
        while let Some((bytes, behind)) = file.frame_bytes(next)? {
            drop(file.open_frame(&bytes, next, COPIES)?);
            frames.extend_from_slice(&bytes);
            next = behind;
        }
    }
    wrap(archive, number, &sum_up(records), &frames)
}

fn wrap(archive: [u8; 16], number: u64, records: &[Refused], frames: &[u8]) -> Result<Encoded> {
    let mut index = Vec::new();
    put_varint(&mut index, records.len() as u64);
    for refused in records {
        refused.put_record(&mut index);
    }
    let mut file = header(archive, number);
    put_frame(&mut file, INDEX, &index)?;
    file.extend_from_slice(frames);
    let (copies, multiset) = tally(records);
    Ok(Encoded { file, copies, multiset })
}

fn header(archive: [u8; 16], number: u64) -> Vec<u8> {
    [&MAGIC[..], &archive, &number.to_le_bytes()].concat()
}

fn put_frame(out: &mut Vec<u8>, kind: u8, raw: &[u8]) -> Result<()> {
    if raw.len() > decoded::FRAME {
        let message = format!("{} bytes at once are over the limit of a frame", raw.len());
        return Err(Error::invalid(message));
    }
    let mut packed = zstd::bulk::compress(raw, LEVEL)
        .map_err(|cause| Error::new(ErrorKind::Io, "compression failed").caused_by(cause))?;
    limits::pad(&mut packed, raw.len());
    frame::put(out, kind, Codec::Zstd, raw.len(), &packed);
    Ok(())
}

/// A quarantine file of a state. It stays readable when a merge replaces it.
#[derive(Clone, Debug)]
pub(crate) struct Outcasts {
    pub(crate) entry: FileEntry,
    archive: [u8; 16],
    path: String,
    /// Why it cannot be opened is told to whoever reads it, and to nobody else.
    file: Result<Arc<dyn ReadFile>>,
}

impl Outcasts {
    pub(crate) fn open(storage: &dyn Storage, archive: [u8; 16], entry: &FileEntry) -> Self {
        Self::open_at(storage, archive, entry, entry.path())
    }

    /// The same of a file that is somewhere else.
    pub(crate) fn open_at(
        storage: &dyn Storage,
        archive: [u8; 16],
        entry: &FileEntry,
        path: String,
    ) -> Self {
        let file = storage.open(&path).map_err(|cause| Error::opening(&path, cause));
        Self { entry: entry.clone(), archive, path, file }
    }

    /// Could it be opened?
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_ok()
    }

    /// The records in order, without bytes, and where the copies' frames begin.
    pub(crate) fn index(&self) -> Result<(Vec<Refused>, u64)> {
        let mut found = vec![0; HEADER_BYTES];
        self.read_at(0, &mut found)?;
        if found != header(self.archive, self.entry.number) {
            return Err(self.damaged("header is not that of this file", 0));
        }
        let at = HEADER_BYTES as u64;
        let (bytes, next) =
            self.frame_bytes(at)?.ok_or_else(|| self.damaged("file ends before its index", at))?;
        let raw = self.open_frame(&bytes, at, INDEX)?;
        let reader = &mut Reader::new(&raw);
        let records = reader.list(list::REFUSED, Refused::read_record);
        let records = records.filter(|_| reader.is_empty());
        let damaged = || self.damaged("index is damaged or over its limit", at);
        Ok((records.ok_or_else(damaged)?, next))
    }

    /// A frame as it is stored, and where the next one begins; `None` at the end of the file.
    fn frame_bytes(&self, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        let file = self.file()?;
        let end = file.bytes().map_err(|cause| Error::io("measure", &self.path, cause))?;
        if at == end {
            return Ok(None);
        }
        let mut bytes = vec![0; frame::HEADER_BYTES];
        self.read_at(at, &mut bytes)?;
        let stored = Reader::new(&bytes).u32().unwrap_or(u32::MAX);
        let next = at + frame::HEADER_BYTES as u64 + u64::from(stored);
        if next > end {
            return Err(self.damaged("frame is cut short", at));
        }
        bytes.resize(frame::HEADER_BYTES + stored as usize, 0);
        self.read_at(at, &mut bytes)?;
        Ok(Some((bytes, next)))
    }

    fn open_frame(&self, bytes: &[u8], at: u64, kind: u8) -> Result<Vec<u8>> {
        let place = |error: Error| error.in_file(&*self.path).at(at);
        let (frame, rest) = frame::split(bytes).map_err(place)?;
        if !rest.is_empty() || frame.kind != kind || frame.codec != Codec::Zstd {
            return Err(self.damaged("frame is of another kind", at));
        }
        unpack::unpack(frame.payload, frame.raw_bytes, None, "frame").map_err(place)
    }

    fn file(&self) -> Result<&Arc<dyn ReadFile>> {
        self.file.as_ref().map_err(Error::clone)
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> Result<()> {
        let read = self.file()?.read_at(at, out);
        read.map_err(|cause| Error::io("read", &self.path, cause).at(at))
    }

    fn damaged(&self, message: &str, at: u64) -> Error {
        Error::corrupt(message).in_file(&*self.path).at(at)
    }
}

/// Every record of a file in order, with the bytes that are kept; one frame of them is in memory.
#[derive(Debug)]
pub(crate) struct Records {
    file: Arc<Outcasts>,
    index: std::vec::IntoIter<Refused>,
    next: u64,
    raw: Vec<u8>,
    used: usize,
    /// At the end, or behind an error.
    ended: bool,
}

impl Records {
    pub(crate) fn of(file: Arc<Outcasts>) -> Result<Self> {
        let (index, next) = file.index()?;
        let index = index.into_iter();
        Ok(Self { file, index, next, raw: Vec::new(), used: 0, ended: false })
    }

    fn fill(&mut self, mut refused: Refused) -> Result<Refused> {
        let Some(kept) = &refused.kept else { return Ok(refused) };
        let at = self.next;
        if self.used == self.raw.len() && kept.length > 0 {
            let ended = || self.file.damaged("copies end before the index does", at);
            let (bytes, next) = self.file.frame_bytes(at)?.ok_or_else(ended)?;
            (self.raw, self.used) = (self.file.open_frame(&bytes, at, COPIES)?, 0);
            self.next = next;
        }
        let rest = self.raw.get(self.used..).unwrap_or_default();
        let bytes = usize::try_from(kept.length).ok().and_then(|length| rest.get(..length));
        let bytes = bytes.ok_or_else(|| self.file.damaged("copy is cut short", at))?;
        if *blake3::hash(bytes).as_bytes() != refused.address.0 {
            let message = format!("copy does not hash to {}", refused.address);
            return Err(self.file.damaged(&message, at));
        }
        refused.bytes = bytes.to_vec();
        self.used += refused.bytes.len();
        Ok(refused)
    }

    /// Nothing may be behind the last record.
    fn end(&self) -> Result<()> {
        let whole = self.used == self.raw.len() && self.file.frame_bytes(self.next)?.is_none();
        let more = || self.file.damaged("copies go on behind the index", self.next);
        if whole { Ok(()) } else { Err(more()) }
    }
}

impl Iterator for Records {
    type Item = Result<Refused>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.index.next() {
            Some(refused) => Some(self.fill(refused)),
            None => self.end().err().map(Err),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The addresses whose bytes are kept. A file that is damaged has none: its bytes are kept again.
pub(crate) fn addresses<'a>(
    files: &[Arc<Outcasts>],
    commits: impl Iterator<Item = &'a Refused>,
) -> Result<HashSet<ContentAddress>> {
    let mut known: HashSet<ContentAddress> =
        commits.filter(|refused| refused.kept.is_some()).map(|refused| refused.address).collect();
    for file in files {
        match file.index() {
            Ok((records, _)) => {
                let kept = records.into_iter().filter(|refused| refused.kept.is_some());
                known.extend(kept.map(|refused| refused.address));
            }
            Err(error) if error.kind().is_of_storage() => return Err(error),
            Err(_damaged) => {}
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::document::{ARCHIVE, check_shown};
    use crate::format::names::FileKind;
    use crate::storage::{Memory, whole};
    use crate::types::Sequence;

    fn refused(custodian: u32, copies: u64, bytes: &[u8], is_kept: bool) -> Refused {
        let address = ContentAddress(*blake3::hash(bytes).as_bytes());
        let (reason, source, length) = ("no id".into(), "p.json".into(), bytes.len() as u64);
        let kept = Kept { sequence: 1, reason, source, offset: 25, length };
        let bytes = if is_kept { bytes.to_vec() } else { Vec::new() };
        Refused { address, custodian, run: 1, copies, kept: is_kept.then_some(kept), bytes }
    }

    fn stored(storage: &Memory, number: u64, encoded: &Encoded) -> Arc<Outcasts> {
        let path = FileKind::Quarantine.path(number);
        storage.make_folder("").unwrap();
        storage.make_folder("segments").unwrap();
        whole::write_new(storage, &path, &encoded.file).unwrap();
        let entry = FileEntry {
            kind: FileKind::Quarantine,
            number,
            level: 0,
            bytes: encoded.file.len() as u64,
            hash: *blake3::hash(&encoded.file).as_bytes(),
            rows: encoded.copies,
            multiset: encoded.multiset,
            first: Sequence(0),
            last: Sequence(0),
        };
        Arc::new(Outcasts::open(storage, ARCHIVE, &entry))
    }

    fn read(file: &Arc<Outcasts>) -> Result<Vec<Refused>> {
        Records::of(Arc::clone(file))?.collect()
    }

    #[test]
    fn the_index_is_as_the_format_document_shows_it() {
        let list = [refused(0, 1, b"{}", true)];
        let encoded = encode(ARCHIVE, 8, list.iter()).unwrap();
        check_shown(&encoded.file[..HEADER_BYTES]);
        let mut index = vec![1];
        list[0].put_record(&mut index);
        check_shown(&index);
    }

    #[test]
    fn equal_copies_are_counted_and_a_merge_keeps_bytes_and_counts() {
        let storage = Memory::default();
        let large = vec![7; 700_000];
        let first = [
            refused(0, 1, b"{}", true),
            refused(0, 2, b"{}", false),
            refused(1, 1, b"{}", false),
            refused(0, 1, &large, true),
            refused(0, 1, b"", true),
            refused(0, 1, &[&large[..], b"8"].concat(), true),
        ];
        let second = [refused(1, 4, b"{}", false), refused(1, 1, b"[", true)];
        let one = encode(ARCHIVE, 1, first.iter()).unwrap();
        let two = encode(ARCHIVE, 2, second.iter()).unwrap();
        assert_eq!((one.copies, two.copies), (7, 5));
        let files = [stored(&storage, 1, &one), stored(&storage, 2, &two)];
        let both = merge(ARCHIVE, 3, &files).unwrap();
        let mut sum = one.multiset;
        sum += two.multiset;
        assert_eq!((both.copies, both.multiset), (12, sum));
        let records = read(&stored(&storage, 3, &both)).unwrap();
        let expected = [
            refused(0, 3, b"{}", true),
            refused(0, 1, &large, true),
            refused(0, 1, b"", true),
            refused(0, 1, &[&large[..], b"8"].concat(), true),
            refused(1, 1, b"[", true),
            refused(1, 5, b"{}", false),
        ];
        assert!(records == expected, "records differ");
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_damage() {
        let list = [refused(0, 1, b"{}", true), refused(3, 9, b"x", false)];
        let encoded = encode(ARCHIVE, 8, list.iter()).unwrap();
        let read_back = |file: Vec<u8>| {
            let encoded = Encoded { file, copies: 1, multiset: Multiset::default() };
            read(&stored(&Memory::default(), 8, &encoded))
        };
        assert_eq!(read_back(encoded.file.clone()).unwrap(), list);
        for bit in 0..encoded.file.len() * 8 {
            let mut damaged = encoded.file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_back(damaged).is_err(), "bit {bit}");
        }
        for end in 0..encoded.file.len() {
            assert!(read_back(encoded.file[..end].to_vec()).is_err(), "cut at {end}");
        }
        let copies = encode(ARCHIVE, 8, [refused(0, 1, b"y", true)].iter()).unwrap();
        let more = [&encoded.file[..], &copies.file[HEADER_BYTES..]].concat();
        assert!(read_back(more).is_err(), "something behind the copies");
    }
}
