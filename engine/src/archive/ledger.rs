//! Ledger files: a book's additions and sightings of rows in segments, sealed.
//!
//! Invariant: ranges count for a segment only as long as the manifest names it.
//!
//! Bytes: FORMAT.md, "Ledger".

use std::collections::BTreeMap;

use super::book::{Book, Part, SegmentRanges};
use super::ranges::Ranges;
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::{Reader, put_varint};
use crate::format::frame::{self, Codec};
use crate::format::limits::{self, decoded, list};
use crate::format::unpack;
use crate::storage::{Storage, whole};

const MAGIC: [u8; 8] = *b"CVLEDG01";
const LEVEL: i32 = 12;
/// Where the frame begins.
const HEADER_BYTES: u64 = 32;

/// What a ledger holds.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) book: Book,
    pub(crate) ranges: SegmentRanges,
}

/// Encodes a ledger file.
pub(crate) fn encode(archive: [u8; 16], number: u64, ledger: &Ledger) -> Result<Vec<u8>> {
    wrap(archive, number, &payload(ledger))
}

/// Is there room for it in one file?
pub(crate) fn fits(ledger: &Ledger) -> bool {
    payload(ledger).len() <= decoded::FRAME
}

fn payload(ledger: &Ledger) -> Vec<u8> {
    let mut payload = Vec::new();
    ledger.book.put(&mut payload, Part::Ledger);
    // A reader refuses a segment of which nothing is said: a small file could say it of a million.
    let segments = ledger.ranges.iter().filter(|(_, ranges)| !ranges.is_empty());
    put_varint(&mut payload, segments.clone().count() as u64);
    let mut before = 0;
    for (segment, ranges) in segments {
        put_varint(&mut payload, segment - std::mem::replace(&mut before, *segment));
        ranges.put(&mut payload);
    }
    payload
}

/// Reads a ledger file.
pub(crate) fn read(
    storage: &dyn Storage,
    archive: [u8; 16],
    number: u64,
    path: &str,
) -> Result<Ledger> {
    let payload = unwrap(storage, archive, number, path)?;
    let reader = &mut Reader::new(&payload);
    let ledger = Book::read(reader, Part::Ledger).and_then(|book| {
        let ranges = read_ranges(reader).filter(|_| reader.is_empty());
        ranges
            .map(|ranges| Ledger { book, ranges })
            .ok_or_else(|| Error::corrupt("ledger's ranges are damaged or over their limit"))
    });
    ledger.map_err(|error| error.in_file(path).at(HEADER_BYTES))
}

fn read_ranges(reader: &mut Reader<'_>) -> Option<SegmentRanges> {
    let mut segments = BTreeMap::new();
    let mut number = 0_u64;
    for _ in 0..reader.count(list::LEDGER_SEGMENTS)? {
        number = number.checked_add(reader.varint()?)?;
        let ranges = Ranges::read(reader)?;
        drop(segments.insert(number, Some(ranges).filter(|ranges| !ranges.is_empty())?));
    }
    Some(segments)
}

fn wrap(archive: [u8; 16], number: u64, payload: &[u8]) -> Result<Vec<u8>> {
    if payload.len() > decoded::FRAME {
        let message = format!("{} bytes at once are over the limit of a frame", payload.len());
        return Err(Error::invalid(message));
    }
    let mut packed = zstd::bulk::compress(payload, LEVEL)
        .map_err(|cause| Error::new(ErrorKind::Io, "compression failed").caused_by(cause))?;
    limits::pad(&mut packed, payload.len());
    let mut file = [&MAGIC[..], &archive, &number.to_le_bytes()].concat();
    frame::put(&mut file, 1, Codec::Zstd, payload.len(), &packed);
    Ok(file)
}

fn unwrap(storage: &dyn Storage, archive: [u8; 16], number: u64, path: &str) -> Result<Vec<u8>> {
    let bytes =
        whole::read(storage, path, decoded::FRAME as u64).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::corrupt("file is missing").in_file(path),
            _ => error,
        })?;
    let header = [&MAGIC[..], &archive, &number.to_le_bytes()].concat();
    let damaged = |message: &str| Error::corrupt(message).in_file(path).at(0);
    let body = bytes
        .strip_prefix(&header[..])
        .ok_or_else(|| damaged("header is not that of this file"))?;
    let (frame, rest) = frame::split(body).map_err(|error| error.in_file(path).at(HEADER_BYTES))?;
    if !rest.is_empty() || frame.kind != 1 || frame.codec != Codec::Zstd {
        return Err(damaged("file does not end with its frame"));
    }
    unpack::unpack(frame.payload, frame.raw_bytes, None, "frame")
        .map_err(|error| error.in_file(path).at(HEADER_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Counts;
    use crate::archive::book::Committed;
    use crate::format::document::{ARCHIVE, check_shown};
    use crate::format::names::FileKind;
    use crate::storage::Memory;
    use crate::types::Custodian;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        drop(ledger.book.custodians.insert(0, Custodian::user("ada")));
        let counts = Counts { offered: 9, duplicates: 9, ..Counts::default() };
        let _ = ledger.book.counts.insert((1, 0), counts);
        ledger.book.commits = vec![Committed { sequence: 6, run: 1, chain: [0xab; 8] }];
        let sightings = (100..108).chain([110]).map(|row| (0, row, 6)).collect();
        drop(ledger.ranges.insert(7, Ranges::of(sightings)));
        ledger
    }

    fn stored(bytes: &[u8], kind: FileKind) -> (Memory, String) {
        let (storage, path) = (Memory::default(), kind.path(8));
        storage.make_folder("").unwrap();
        storage.make_folder(kind.folder()).unwrap();
        whole::write_new(&storage, &path, bytes).unwrap();
        (storage, path)
    }

    #[test]
    fn the_file_is_as_the_format_document_shows_it() {
        let file = encode(ARCHIVE, 8, &ledger()).unwrap();
        check_shown(&file[..32]);
        let (storage, path) = stored(&file, FileKind::Ledger);
        check_shown(&unwrap(&storage, ARCHIVE, 8, &path).unwrap());
    }

    #[test]
    fn a_ledger_comes_back_and_any_flipped_bit_is_damage() {
        let file = encode(ARCHIVE, 8, &ledger()).unwrap();
        let read_back = |bytes: &[u8]| {
            let (storage, path) = stored(bytes, FileKind::Ledger);
            read(&storage, ARCHIVE, 8, &path)
        };
        let back = read_back(&file).unwrap();
        assert_eq!((back.book, back.ranges), (ledger().book, ledger().ranges));
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read_back(&damaged).is_err(), "bit {bit}");
        }
        assert!(read_back(&[&file[..], &[0]].concat()).is_err(), "something behind the frame");
    }
}
