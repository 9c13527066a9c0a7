//! The bytes of a pack's header, entries, directory and trailer. No file system here.

use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::Reader;
use crate::format::frame::{self, Codec};
use crate::format::limits;
use crate::types::ContentAddress;

use super::CHUNK_BYTES;

/// What a frame is to a pack.
pub(super) mod kind {
    pub(in super::super) const CHUNK: u8 = 1;
    pub(in super::super) const OBJECT: u8 = 2;
    pub(in super::super) const DIRECTORY: u8 = 3;
}

const HEADER_MAGIC: [u8; 8] = *b"CVOBJPK1";
const TRAILER_MAGIC: [u8; 8] = *b"CVOBJEND";
const VERSION: u32 = 1;
const HEADER_CHECKED_BYTES: usize = 8 + 4 + 4 + 4 + 16 + 8;
const TRAILER_CHECKED_BYTES: usize = 8 + 8 + 32 + 8;

pub(super) const HEADER_BYTES: usize = HEADER_CHECKED_BYTES + 4;
pub(super) const TRAILER_BYTES: usize = TRAILER_CHECKED_BYTES + 4;
pub(super) const ENTRY_BYTES: usize = 32 + 8 + 8;
/// A directory is one frame; this keeps it at a fifth of what a frame may hold.
pub(super) const MAX_OBJECTS: usize = 1 << 20;

const _: () = assert!(HEADER_BYTES == 48 && TRAILER_BYTES == 60 && ENTRY_BYTES == 48);
const _: () = assert!(MAX_OBJECTS * ENTRY_BYTES <= limits::decoded::FRAME);

/// Where an object is in its pack, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedObject {
    pub(crate) address: ContentAddress,
    pub(crate) bytes: u64,
    /// Offset of its first frame.
    pub(super) first: u64,
}

/// Where the directory is, and what it must hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) directory: u64,
    pub(super) directory_bytes: u64,
    pub(super) hash: [u8; 32],
}

pub(super) fn header(number: u64, archive: [u8; 16]) -> [u8; HEADER_BYTES] {
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.extend_from_slice(&HEADER_MAGIC);
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&archive);
    out.extend_from_slice(&number.to_le_bytes());
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    fixed(&out)
}

/// Checks that these bytes open pack `number` of `archive`.
pub(super) fn check_header(
    bytes: &[u8; HEADER_BYTES],
    number: u64,
    archive: [u8; 16],
) -> Result<()> {
    let wrong = |what: &str| Err(Error::corrupt(what.to_owned()).at(0));
    let (checked, sum) = bytes.split_at(HEADER_CHECKED_BYTES);
    let mut fields = Reader::new(checked);
    if fields.array() != Some(HEADER_MAGIC) {
        return wrong("this is no pack of objects");
    }
    check_sum(crc32fast::hash(checked), sum).map_err(|error| error.at(0))?;
    if let Some(features @ 1..) = fields.u32() {
        let message = format!("needs features {features:#x} of a newer version");
        return Err(Error::new(ErrorKind::Unsupported, message).at(8));
    }
    let (_optional, version) = (fields.u32(), fields.u32());
    if version != Some(VERSION) {
        let message = format!("pack format {} is newer than {VERSION}", version.unwrap_or(0));
        return Err(Error::new(ErrorKind::Unsupported, message).at(16));
    }
    if fields.array() != Some(archive) {
        return wrong("the pack belongs to another archive");
    }
    if fields.u64() != Some(number) {
        return wrong("the pack has another number than its name");
    }
    Ok(())
}

pub(super) fn trailer(trailer: &Trailer, header: &[u8; HEADER_BYTES]) -> [u8; TRAILER_BYTES] {
    let mut out = Vec::with_capacity(TRAILER_BYTES);
    out.extend_from_slice(&trailer.directory.to_le_bytes());
    out.extend_from_slice(&trailer.directory_bytes.to_le_bytes());
    out.extend_from_slice(&trailer.hash);
    out.extend_from_slice(&TRAILER_MAGIC);
    let sum = trailer_sum(&out, header);
    out.extend_from_slice(&sum.to_le_bytes());
    fixed(&out)
}

/// Reads the trailer that stands at offset `end`.
pub(super) fn parse_trailer(
    bytes: &[u8; TRAILER_BYTES],
    header: &[u8; HEADER_BYTES],
    end: u64,
) -> Result<Trailer> {
    let (checked, sum) = bytes.split_at(TRAILER_CHECKED_BYTES);
    check_sum(trailer_sum(checked, header), sum)?;
    let mut fields = Reader::new(checked);
    let parsed = (|| {
        let (directory, directory_bytes) = (fields.u64()?, fields.u64()?);
        let hash = fields.array()?;
        let fits = directory >= HEADER_BYTES as u64
            && directory.checked_add(directory_bytes) == Some(end)
            && fields.array() == Some(TRAILER_MAGIC);
        fits.then_some(Trailer { directory, directory_bytes, hash })
    })();
    parsed.ok_or_else(|| Error::corrupt("the trailer does not lead to a directory"))
}

fn trailer_sum(checked: &[u8], header: &[u8; HEADER_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(checked);
    hasher.update(&header[..HEADER_CHECKED_BYTES]);
    hasher.finalize()
}

fn check_sum(found: u32, stored: &[u8]) -> Result<()> {
    let stored = Reader::new(stored).u32().unwrap_or_default();
    if found == stored {
        return Ok(());
    }
    Err(Error::corrupt(format!("checksum is {found:08x}, should be {stored:08x}")))
}

pub(super) fn put_entry(out: &mut Vec<u8>, entry: &PackedObject) {
    out.extend_from_slice(&entry.address.0);
    out.extend_from_slice(&entry.bytes.to_le_bytes());
    out.extend_from_slice(&entry.first.to_le_bytes());
}

fn take_entry(reader: &mut Reader<'_>) -> Option<PackedObject> {
    let address = ContentAddress(reader.array()?);
    Some(PackedObject { address, bytes: reader.u64()?, first: reader.u64()? })
}

/// The entry of an object frame's payload.
pub(super) fn parse_entry(payload: &[u8]) -> Option<PackedObject> {
    let mut reader = Reader::new(payload);
    take_entry(&mut reader).filter(|_| reader.is_empty())
}

/// The payload of a directory.
pub(super) fn directory(entries: &[PackedObject]) -> Vec<u8> {
    assert!(entries.is_sorted_by(|a, b| a.address < b.address), "a directory is sorted");
    let mut out = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        put_entry(&mut out, entry);
    }
    out
}

/// The entries of a directory frame that starts at offset `place`.
pub(super) fn parse_directory(bytes: &[u8], trailer: &Trailer) -> Result<Vec<PackedObject>> {
    let (frame, rest) = frame::split(bytes)?;
    let plain = frame.codec == Codec::None && frame.raw_bytes == frame.payload.len();
    if frame.kind != kind::DIRECTORY || !plain || !rest.is_empty() {
        return Err(Error::corrupt("this is no directory"));
    }
    if trailer.hash != *blake3::hash(frame.payload).as_bytes() {
        return Err(Error::corrupt("the directory does not hash to what the trailer says"));
    }
    let mut reader = Reader::new(frame.payload);
    let mut entries = Vec::with_capacity(frame.payload.len() / ENTRY_BYTES);
    // Objects share no chunk, so their headers have room beside each other.
    let mut room = trailer.directory / frame::HEADER_BYTES as u64;
    while !reader.is_empty() {
        let entry = take_entry(&mut reader).filter(|entry| fits(entry, trailer.directory));
        let left =
            |entry: &PackedObject| room.checked_sub(entry.bytes.div_ceil(CHUNK_BYTES as u64));
        room = entry.as_ref().and_then(left).ok_or_else(out_of_bounds)?;
        entries.extend(entry);
    }
    if !entries.is_sorted_by(|a, b| a.address < b.address) {
        return Err(Error::corrupt("the directory is not in order"));
    }
    Ok(entries)
}

fn out_of_bounds() -> Error {
    Error::corrupt("a directory entry is out of bounds")
}

/// Is there room for the object's frames? Chunks of zeros compress to almost nothing, so only
/// their headers are sure to be there.
pub(super) fn fits(entry: &PackedObject, directory: u64) -> bool {
    let headers = entry.bytes.div_ceil(CHUNK_BYTES as u64).saturating_add(1);
    let room = directory.saturating_sub(entry.first);
    entry.first >= HEADER_BYTES as u64 && headers.saturating_mul(frame::HEADER_BYTES as u64) <= room
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    out
}
