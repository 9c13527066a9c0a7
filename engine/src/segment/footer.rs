//! Finding a segment's footer, also where header, trailer or one of the footers is damaged.
//!
//! Invariant: a footer counts only if its checksum holds and the frames that it tells of fill the
//! file up to the place where it was found.

use super::layout::{self, HEADER_BYTES, Kind, Meta, Place, TRAILER_BYTES};
use super::open::{read_at, unpack};
use crate::error::{Error, Result};
use crate::format::bytes::Reader;
use crate::format::frame;
use crate::format::limits::decoded;
use crate::storage::ReadFile;

/// How far from its end a file is searched when its trailer is damaged; a footer takes some 60
/// bytes for each row group.
const SEARCH_BYTES: u64 = 16 << 20;
/// So many bytes are summed up for it: chance makes few frames, and a forger no more than these.
const SUMMED_BYTES: usize = 64 << 20;

/// A footer, and what is wrong around it.
pub(super) struct Found {
    pub(super) meta: Meta,
    pub(super) edges: Vec<Error>,
}

/// Finds the footer of segment `number` of `archive`.
pub(super) fn find(file: &dyn ReadFile, archive: [u8; 16], number: u64) -> Result<Found> {
    let size = file.bytes().map_err(|cause| Error::io("measure", "", cause))?;
    let mut edges = Vec::new();
    let _ = note(check_header(file, archive, number), &mut edges)?;
    let trailer_at = size.checked_sub(TRAILER_BYTES as u64);
    let trailer_at = trailer_at.ok_or_else(|| Error::corrupt("segment is cut short").at(size))?;
    let by_trailer = match note(read_trailer(file, trailer_at), &mut edges)? {
        Some(bytes) => read_copies(file, (trailer_at, bytes), number),
        None => Err(Error::corrupt("trailer is damaged").at(trailer_at)),
    };
    let meta = by_trailer.or_else(|error| match search(file, size, number)? {
        Some(meta) => Ok(meta),
        None => Err(error),
    })?;
    Ok(Found { meta, edges })
}

/// Takes damage down; what cannot be read at all ends the search.
fn note<T>(checked: Result<T>, edges: &mut Vec<Error>) -> Result<Option<T>> {
    match checked {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_storage_failure() => Err(error),
        Err(error) => {
            edges.push(error);
            Ok(None)
        }
    }
}

fn check_header(file: &dyn ReadFile, archive: [u8; 16], number: u64) -> Result<()> {
    let header = read_at(file, Place { offset: 0, bytes: narrow(HEADER_BYTES) })?;
    let expected = [&layout::MAGIC[..], &archive, &number.to_le_bytes()].concat();
    if header == expected {
        return Ok(());
    }
    Err(Error::corrupt("header is not that of this segment").at(0))
}

/// The length of a footer frame.
fn read_trailer(file: &dyn ReadFile, trailer_at: u64) -> Result<u32> {
    let damaged = || Error::corrupt("trailer is damaged").at(trailer_at);
    let trailer = read_at(file, Place { offset: trailer_at, bytes: narrow(TRAILER_BYTES) })?;
    let reader = &mut Reader::new(&trailer);
    let (bytes, sum) = reader.u32().zip(reader.u32()).ok_or_else(damaged)?;
    let right = sum == crc32fast::hash(&bytes.to_le_bytes()) && reader.rest() == layout::END_MAGIC;
    right.then_some(bytes).ok_or_else(damaged)
}

/// Reads the footer at one of the two places that the trailer says.
fn read_copies(file: &dyn ReadFile, (end, bytes): (u64, u32), number: u64) -> Result<Meta> {
    let places = [2, 1].map(|copy| end.checked_sub(copy * u64::from(bytes)));
    let read = |offset: Option<u64>| {
        let offset = offset.ok_or_else(|| Error::corrupt("segment is cut short").at(end))?;
        let frame = read_at(file, Place { offset, bytes })?;
        parse(&frame, offset)
    };
    // The other copy is asked for only where the last is damaged. With a read that failed nobody
    // knows whether both are.
    let meta = read(places[1]).or_else(|error| {
        read(places[0]).map_err(|other| if other.is_storage_failure() { other } else { error })
    })?;
    let start = places[0].unwrap_or(0);
    if fits(&meta, number, start) {
        return Ok(meta);
    }
    Err(Error::corrupt("footer does not fit the file").at(start))
}

fn parse(bytes: &[u8], offset: u64) -> Result<Meta> {
    let (frame, rest) = frame::split(bytes).map_err(|error| error.at(offset))?;
    if frame.kind != Kind::Footer as u8 || !rest.is_empty() {
        return Err(Error::corrupt("frame is no Footer frame").at(offset));
    }
    frame.check_decoded(decoded::FOOTER).map_err(|error| error.at(offset))?;
    let meta = unpack(&frame).and_then(|footer| Meta::read(&footer));
    meta.map_err(|error| error.at(offset))
}

/// Do the frames that a footer tells of end at the first of the two footers?
fn fits(meta: &Meta, number: u64, footers_at: u64) -> bool {
    meta.number == number && meta.end() == footers_at
}

/// Looks for a whole footer in the last part of a file.
fn search(file: &dyn ReadFile, size: u64, number: u64) -> Result<Option<Meta>> {
    let offset = size.saturating_sub(SEARCH_BYTES);
    let bytes = read_at(file, Place { offset, bytes: narrow64(size - offset) })?;
    let candidates = (0..bytes.len()).rev().filter_map(|at| {
        let frame = bytes.get(at..)?;
        let stored = usize::try_from(Reader::new(frame).u32()?).ok()?;
        let whole = frame.get(..stored.checked_add(frame::HEADER_BYTES)?)?;
        (whole[8] == Kind::Footer as u8 && whole[11] == 0).then_some((at, whole))
    });
    let mut summed = 0_usize;
    for (at, frame) in candidates {
        summed = summed.saturating_add(frame.len());
        if summed > SUMMED_BYTES {
            break;
        }
        let at = offset + at as u64;
        let Ok(meta) = parse(frame, at) else { continue };
        if fits(&meta, number, at) || fits(&meta, number, at.saturating_sub(frame.len() as u64)) {
            return Ok(Some(meta));
        }
    }
    Ok(None)
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn narrow64(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
