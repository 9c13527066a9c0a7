//! The payload of a journal frame: everything that one commit adds.
//!
//! Invariant: a sighting of a row in a slab or segment that is not there (any more) is void:
//! whoever moved the row wrote the sighting again, with its new place, before the move.
//!
//! Bytes: FORMAT.md, "Payload of a commit".

use super::slab::SlabRow;
use crate::archive::accounts::book::Book;
use crate::archive::accounts::quarantine::Refused;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_block, put_signed, put_varint};
use crate::format::limits::{decoded, list};
use crate::row::{Limits, Parser, Shape, identify};
use crate::types::{ContentAddress, Custodian, RecordKind, RunId, Sequence};

/// A row's place by names that outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Home {
    /// The slab of this sequence.
    Slab(u64),
    /// The segment of this file number.
    Segment(u64),
}

/// A sighting by durable names: (home, sequence of the commit that delivered it first, row, custodian).
pub(crate) type HomeSighting = (Home, u64, u32, u32);

/// What a commit adds, decoded.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) run: RunId,
    pub(crate) book: Book,
    pub(crate) documents: Vec<u8>,
    pub(crate) rows: Vec<SlabRow>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) sightings: Vec<HomeSighting>,
}

/// Another row of the message was there.
const SIBLING: u8 = 1;
/// It may equal a row that could not be read.
const BESIDE: u8 = 2;
/// Its version is not in its document, but behind it.
const STAMPED: u8 = 4;

/// Encodes a commit; sorts the sightings.
pub(crate) fn put(
    (sequence, run): (Sequence, RunId),
    book: &Book,
    (documents, rows): (&[u8], &[SlabRow]),
    refused: &[Refused],
    sightings: &mut Vec<HomeSighting>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(documents.len() + rows.len() * 48 + 256);
    put_varint(&mut out, u64::from(run.0));
    book.put(&mut out);
    put_varint(&mut out, rows.len() as u64);
    for row in rows {
        let flags = u8::from(row.sibling) * SIBLING
            + u8::from(row.beside) * BESIDE
            + u8::from(row.stamped) * STAMPED;
        out.extend_from_slice(&[row.record.code(), flags]);
        put_varint(&mut out, u64::from(row.canonical_bytes));
        out.extend_from_slice(&row.address.0);
        put_varint(&mut out, row.custodians.len() as u64);
        row.custodians.iter().for_each(|number| put_varint(&mut out, u64::from(*number)));
        put_block(&mut out, documents.get(row.document.clone()).unwrap_or_default());
        if row.record.is_keyed_outside() {
            put_block(&mut out, row.conversation.as_bytes());
        }
        if row.stamped {
            put_varint(&mut out, row.version);
        }
    }
    put_varint(&mut out, refused.len() as u64);
    for refused in refused {
        refused.put(&mut out);
    }
    put_sightings(&mut out, sequence, sightings);
    out
}

fn put_sightings(out: &mut Vec<u8>, sequence: Sequence, sightings: &mut Vec<HomeSighting>) {
    sightings.sort_unstable();
    sightings.dedup();
    let groups = || sightings.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
    put_varint(out, groups().count() as u64);
    for group in groups() {
        let Some((home, first, ..)) = group.first() else { continue };
        let (kind, number) = match home {
            Home::Slab(sequence) => (0, *sequence),
            Home::Segment(number) => (1, *number),
        };
        out.push(kind);
        put_varint(out, number);
        put_varint(out, sequence.0.saturating_sub(*first));
        put_varint(out, group.len() as u64);
        let mut before = (0, 0);
        for (.., row, custodian) in group {
            let (row, custodian) = (i64::from(*row), i64::from(*custodian));
            put_signed(out, row - before.0);
            put_signed(out, custodian - before.1);
            before = (row, custodian);
        }
    }
}

/// Decodes a commit; documents are taken apart again for their keys.
pub(crate) fn read(sequence: Sequence, payload: &[u8], parser: &mut Parser) -> Result<Commit> {
    let damaged = || Error::corrupt("commit is damaged or over a limit");
    let reader = &mut Reader::new(payload);
    let run = RunId(reader.varint32().ok_or_else(damaged)?);
    let book = Book::read(reader)?;
    let count = reader.count(list::ROWS).ok_or_else(damaged)?;
    let mut commit = Commit {
        run,
        book,
        documents: Vec::with_capacity(payload.len()),
        rows: Vec::new(),
        refused: Vec::new(),
        sightings: Vec::new(),
    };
    let mut shape = Shape::default();
    for _ in 0..count {
        let stored = read_row(reader).ok_or_else(damaged)?;
        let row = revive(&stored, &commit, parser, &mut shape)?;
        commit.documents.extend_from_slice(stored.document);
        commit.rows.push(row);
    }
    commit.refused = reader.list(list::REFUSED, Refused::read).ok_or_else(damaged)?;
    commit.sightings =
        read_sightings(reader, sequence).filter(|_| reader.is_empty()).ok_or_else(damaged)?;
    commit.book.added_by(sequence);
    Ok(commit)
}

struct StoredRow<'a> {
    record: RecordKind,
    sibling: bool,
    beside: bool,
    canonical_bytes: u32,
    address: ContentAddress,
    custodians: Vec<u32>,
    document: &'a [u8],
    conversation: Option<&'a str>,
    version: Option<u64>,
}

fn read_row<'a>(reader: &mut Reader<'a>) -> Option<StoredRow<'a>> {
    let record = RecordKind::from_code(reader.u8()?)?;
    let flags = reader.u8().filter(|flags| flags & !(SIBLING | BESIDE | STAMPED) == 0)?;
    let (sibling, beside) = (flags & SIBLING != 0, flags & BESIDE != 0);
    let canonical_bytes = reader.varint32()?;
    let address = ContentAddress(reader.array()?);
    let custodians = reader.list(list::ROW_CUSTODIANS, Reader::varint32)?;
    let document = reader.block()?;
    let conversation = if record.is_keyed_outside() { Some(reader.text()?) } else { None };
    let version = if flags & STAMPED != 0 { Some(reader.varint()?) } else { None };
    Some(StoredRow {
        record,
        sibling,
        beside,
        canonical_bytes,
        address,
        custodians,
        document,
        conversation,
        version,
    })
}

fn revive(
    stored: &StoredRow<'_>,
    commit: &Commit,
    parser: &mut Parser,
    shape: &mut Shape,
) -> Result<SlabRow> {
    parser.relax();
    let unkeyed = |reason| Error::corrupt(format!("row of a commit has no key any more: {reason}"));
    parser.parse(stored.document, Limits::of(decoded::DOCUMENT), shape).map_err(unkeyed)?;
    let document = stored.document;
    // The custodian matters to a conversation that names its user, and that is stored.
    let nobody = Custodian::user("");
    let identity = identify(&parser.templates, document, shape, stored.record, &nobody);
    let identity = identity.map_err(unkeyed)?;
    let start = commit.documents.len();
    let place = start..start + stored.document.len();
    let canonical = usize::try_from(stored.canonical_bytes).unwrap_or(usize::MAX);
    let mut row = SlabRow::new(identity, place, (stored.address, canonical));
    if let Some(conversation) = stored.conversation {
        row.conversation = conversation.into();
    }
    if row.stamped != stored.version.is_some() {
        return Err(Error::corrupt("row of a commit has a version and states one, or has none"));
    }
    if let Some(version) = stored.version {
        row.stamp(version);
    }
    (row.sibling, row.beside) = (stored.sibling, stored.beside);
    row.custodians.clone_from(&stored.custodians);
    Ok(row)
}

fn read_sightings(reader: &mut Reader<'_>, sequence: Sequence) -> Option<Vec<HomeSighting>> {
    let mut sightings = Vec::new();
    for _ in 0..reader.count(list::HOMES)? {
        let kind = reader.u8()?;
        let number = reader.varint()?;
        let home = if kind == 0 { Home::Slab(number) } else { Home::Segment(number) };
        let first = sequence.0.checked_sub(reader.varint()?)?;
        let (mut row, mut custodian) = (0_i64, 0_i64);
        for _ in 0..reader.count(list::SIGHTINGS)? {
            row = row.checked_add(reader.signed()?)?;
            custodian = custodian.checked_add(reader.signed()?)?;
            sightings.push((home, first, u32::try_from(row).ok()?, u32::try_from(custodian).ok()?));
        }
    }
    Some(sightings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Counts;
    use crate::archive::accounts::book::{Link, Run};
    use crate::archive::accounts::quarantine::Kept;
    use crate::format::document::check_shown;
    use crate::row::Canonical;
    use crate::types::{MessageKey, Timestamp};

    const DOCUMENT: &[u8] = br#"{"id":"1","chatId":"c"}"#;
    const AT: Sequence = Sequence(6);

    fn row(parser: &mut Parser) -> SlabRow {
        let mut shape = Shape::default();
        parser.parse(DOCUMENT, Limits::of(usize::MAX), &mut shape).unwrap();
        let address = Canonical::default().address(&parser.templates, DOCUMENT, &shape);
        let ada = Custodian::user("ada");
        let record = RecordKind::Message;
        let identity = identify(&parser.templates, DOCUMENT, &shape, record, &ada).unwrap();
        let mut row = SlabRow::new(identity, 0..DOCUMENT.len(), address);
        row.custodians = vec![0];
        row
    }

    fn book() -> Book {
        let mut book = Book::default();
        drop(book.custodians.insert(0, Custodian::user("ada")));
        let started = Timestamp::from_ms(1_772_438_400_000);
        drop(book.runs.insert(1, Run { label: "march".to_owned(), started }));
        let counts = Counts { offered: 3, stored: 1, variants: 0, duplicates: 1, quarantined: 1 };
        let _ = book.counts.insert((1, 0), counts);
        book
    }

    fn refused() -> Refused {
        let (reason, source) = ("no id".to_owned(), "p.json".to_owned());
        let kept = Kept { sequence: 1, reason, source, offset: 25, length: 2 };
        let address = ContentAddress(*blake3::hash(b"{}").as_bytes());
        let bytes = b"{}".to_vec();
        Refused { address, custodian: 0, run: 1, copies: 1, kept: Some(kept), bytes }
    }

    fn payload(parser: &mut Parser) -> Vec<u8> {
        let mut sightings = vec![(Home::Segment(7), AT.0, 5, 0)];
        put((AT, RunId(1)), &book(), (DOCUMENT, &[row(parser)]), &[refused()], &mut sightings)
    }

    #[test]
    fn a_commit_is_as_the_format_document_shows_it() {
        check_shown(&payload(&mut Parser::default()));
    }

    #[test]
    fn a_commit_comes_back_and_a_part_of_it_is_damage() {
        let mut parser = Parser::default();
        let bytes = payload(&mut parser);
        let commit = read(AT, &bytes, &mut parser).unwrap();
        assert_eq!((commit.run, commit.book), (RunId(1), book()));
        assert_eq!(commit.documents, DOCUMENT);
        let [there] = &commit.rows[..] else { panic!("one row") };
        let stored = row(&mut parser);
        assert_eq!((there.address, &there.custodians), (stored.address, &stored.custodians));
        assert_eq!(there.key(), stored.key());
        assert_eq!(commit.refused, [refused()]);
        assert_eq!(commit.sightings, [(Home::Segment(7), AT.0, 5, 0)]);
        for cut in 0..bytes.len() {
            assert!(read(AT, &bytes[..cut], &mut parser).is_err(), "cut at {cut}");
        }
        assert!(
            read(AT, &[&bytes[..], &[0]].concat(), &mut parser).is_err(),
            "something behind it"
        );
    }

    #[test]
    fn links_checkpoints_and_every_home_come_back() {
        let mut book = book();
        drop(book.checkpoints.insert("delta".to_owned(), b"token".to_vec()));
        for reply_to in [None, Some("7".to_owned())] {
            let record = RecordKind::Message;
            let key = MessageKey { record, conversation: "c".into(), reply_to, id: "1".into() };
            let (attachment, object) = ("a1".to_owned(), ContentAddress([3; 32]));
            drop(book.links.insert(key, vec![Link { attachment, object, sequence: AT.0 }]));
        }
        let segment = Home::Segment(7);
        let mut sightings = vec![
            (segment, 6, 9, 0),
            (Home::Slab(3), 6, 1, 2),
            (segment, 4, 9, 4),
            (segment, 6, 5, 4),
        ];
        let bytes = put((AT, RunId(2)), &book, (b"", &[]), &[], &mut sightings);
        let commit = read(AT, &bytes, &mut Parser::default()).unwrap();
        assert_eq!(commit.book, book);
        sightings.sort_unstable();
        assert_eq!(commit.sightings, sightings);
    }
}
