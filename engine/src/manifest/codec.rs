//! A manifest as bytes: FORMAT.md, "Manifest".

use super::{Disposed, FileEntry, FileKind, Manifest, Record, Replaced, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::format::limits::{self, list};
use crate::format::multiset::Multiset;
use crate::types::{Sequence, Timestamp};

const MAGIC: [u8; 8] = *b"CVLTMNFS";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;
/// Room for some 600,000 files.
pub(crate) const MAX_BYTES: u64 = 64 << 20;

/// The file's bytes and hash.
pub(super) fn encode(manifest: &Manifest) -> Result<(Vec<u8>, [u8; HASH_BYTES])> {
    let body = encode_body(manifest);
    let mut out = Vec::with_capacity(body.len() + 64);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    out.extend_from_slice(&body);
    let hash = *blake3::hash(&out).as_bytes();
    out.extend_from_slice(&hash);
    if out.len() as u64 > MAX_BYTES {
        let message = format!("a manifest of {} bytes is over {MAX_BYTES}: compact", out.len());
        return Err(Error::invalid(message));
    }
    Ok((out, hash))
}

/// Reads a file's bytes back; gives its hash too.
pub(super) fn decode(bytes: &[u8]) -> Result<(Manifest, [u8; HASH_BYTES])> {
    let short = || Error::corrupt("manifest is cut short");
    let (covered, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or_else(short)?;
    if blake3::hash(covered) != *hash {
        return Err(Error::corrupt("manifest's hash does not hold").at(covered.len() as u64));
    }
    let mut reader = Reader::new(covered);
    if reader.array() != Some(MAGIC) {
        return Err(Error::corrupt("is no manifest").at(0));
    }
    let version = reader.u32().ok_or_else(short)?;
    if version != VERSION {
        let message = format!("manifest version {version}, this program knows {VERSION}");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let damaged = || Error::corrupt("manifest's body is damaged").at(24);
    let (reserved, length) = reader.u32().zip(reader.u64()).ok_or_else(short)?;
    if reserved != 0 || length != reader.rest().len() as u64 {
        return Err(damaged());
    }
    let manifest = decode_body(&mut reader).filter(|_| reader.is_empty()).ok_or_else(damaged)?;
    if is_orderly(&manifest) { Ok((manifest, *hash)) } else { Err(damaged()) }
}

/// The conditions that hold between fields.
pub(super) fn is_orderly(manifest: &Manifest) -> bool {
    let sane = |file: &FileEntry| {
        file.number < manifest.next_file
            && file.rows <= limits::FILE_ROWS
            && file.bytes <= limits::FILE_BYTES
            && file.first <= file.last
            && file.last <= manifest.sequence
    };
    manifest.journal_from <= manifest.journal_to
        && manifest.files.iter().all(sane)
        && manifest.files.is_sorted_by(|a, b| a.number < b.number)
        && manifest.replaced.is_sorted_by(|a, b| a.number < b.number)
        && manifest.sequence.0 <= limits::SEQUENCE
        && [manifest.number, manifest.next_file, manifest.journal_from]
            .iter()
            .all(|number| *number <= limits::FILE_NUMBER)
}

fn encode_body(manifest: &Manifest) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&manifest.archive);
    out.extend_from_slice(&manifest.previous);
    put_varint(&mut out, manifest.number);
    put_signed(&mut out, manifest.written.ticks());
    put_varint(&mut out, manifest.sequence.0);
    put_varint(&mut out, manifest.journal_from);
    put_varint(&mut out, manifest.journal_to);
    put_varint(&mut out, manifest.next_file);
    put_varint(&mut out, manifest.bytes_written);
    put_list(&mut out, &manifest.required_features, put_feature);
    put_list(&mut out, &manifest.optional_features, put_feature);
    put_list(&mut out, &manifest.files, put_file);
    put_list(&mut out, &manifest.replaced, put_replaced);
    put_list(&mut out, &manifest.disposed, put_disposed);
    put_list(&mut out, &manifest.records, put_record);
    out
}

fn decode_body(reader: &mut Reader<'_>) -> Option<Manifest> {
    Some(Manifest {
        archive: reader.array()?,
        previous: reader.array()?,
        number: reader.varint()?,
        written: Timestamp::from_ticks(reader.signed()?),
        sequence: Sequence(reader.varint()?),
        journal_from: reader.varint()?,
        journal_to: reader.varint()?,
        next_file: reader.varint()?,
        bytes_written: reader.varint()?,
        required_features: reader.list(list::FEATURES, feature)?,
        optional_features: reader.list(list::FEATURES, feature)?,
        files: reader.list(list::FILES, file)?,
        replaced: reader.list(list::REPLACED, replaced)?,
        disposed: reader.list(list::DISPOSED, disposed)?,
        records: reader.list(list::RECORDS, record)?,
    })
}

fn put_list<T>(out: &mut Vec<u8>, items: &[T], put: fn(&mut Vec<u8>, &T)) {
    put_varint(out, items.len() as u64);
    for item in items {
        put(out, item);
    }
}

fn put_feature(out: &mut Vec<u8>, name: &String) {
    put_block(out, name.as_bytes());
}

fn feature(reader: &mut Reader<'_>) -> Option<String> {
    reader.text().map(str::to_owned)
}

fn put_file(out: &mut Vec<u8>, file: &FileEntry) {
    out.extend_from_slice(&[kind_id(file.kind), file.level]);
    for number in [file.number, file.bytes, file.rows, file.first.0, file.last.0] {
        put_varint(out, number);
    }
    out.extend_from_slice(&file.hash);
    out.extend_from_slice(&file.multiset.0);
}

fn file(reader: &mut Reader<'_>) -> Option<FileEntry> {
    let (kind, level) = (kind(reader)?, reader.u8()?);
    let (number, bytes, rows) = (reader.varint()?, reader.varint()?, reader.varint()?);
    let (first, last) = (Sequence(reader.varint()?), Sequence(reader.varint()?));
    let (hash, multiset) = (reader.array()?, Multiset(reader.array()?));
    Some(FileEntry { kind, number, level, bytes, hash, rows, multiset, first, last })
}

fn put_replaced(out: &mut Vec<u8>, replaced: &Replaced) {
    out.push(kind_id(replaced.kind));
    put_varint(out, replaced.number);
    put_varint(out, replaced.rows);
    out.extend_from_slice(&replaced.multiset.0);
    match &replaced.why {
        Why::Merged(into) => {
            out.push(1);
            put_list(out, into, |out, number| put_varint(out, *number));
        }
        Why::Disposed(record) => {
            out.push(2);
            put_varint(out, *record);
        }
    }
}

fn replaced(reader: &mut Reader<'_>) -> Option<Replaced> {
    let (kind, number, rows) = (kind(reader)?, reader.varint()?, reader.varint()?);
    let multiset = Multiset(reader.array()?);
    let why = match reader.u8()? {
        1 => Why::Merged(reader.list(list::REPLACEMENTS, Reader::varint)?),
        2 => Why::Disposed(reader.varint()?),
        _ => return None,
    };
    Some(Replaced { kind, number, rows, multiset, why })
}

fn put_disposed(out: &mut Vec<u8>, disposed: &Disposed) {
    out.push(kind_id(disposed.kind));
    put_varint(out, disposed.rows);
    out.extend_from_slice(&disposed.multiset.0);
    put_varint(out, disposed.record);
}

fn disposed(reader: &mut Reader<'_>) -> Option<Disposed> {
    let (kind, rows) = (kind(reader)?, reader.varint()?);
    let (multiset, record) = (Multiset(reader.array()?), reader.varint()?);
    Some(Disposed { kind, rows, multiset, record })
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    out.push(record.kind);
    put_block(out, &record.bytes);
}

fn record(reader: &mut Reader<'_>) -> Option<Record> {
    Some(Record { kind: reader.u8()?, bytes: reader.block()?.to_vec() })
}

fn kind_id(kind: FileKind) -> u8 {
    match kind {
        FileKind::Segment => 1,
        FileKind::Ledger => 2,
        FileKind::Pack => 3,
        FileKind::Quarantine => 4,
        FileKind::Dictionary => 5,
    }
}

fn kind(reader: &mut Reader<'_>) -> Option<FileKind> {
    let id = reader.u8()?;
    FileKind::ALL.into_iter().find(|kind| kind_id(*kind) == id)
}
