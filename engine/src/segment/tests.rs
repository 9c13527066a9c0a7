//! Forged segments: whatever the bytes say, reading ends with rows or with an error.

use std::sync::Arc;

use super::columns::read_tables;
use super::layout::{HEADER_BYTES, Kind};
use super::open::{read_conversations, unpack};
use super::{Effort, NewRow, RowReader, Segment, Source, Visit, build};
use crate::cache::Cache;
use crate::error::Result;
use crate::format::frame::{self, Codec};
use crate::storage::{Memory, whole};
use crate::types::{ContentAddress, MessageKind, RecordKind, Sequence, Timestamp};

const ARCHIVE: [u8; 16] = [7; 16];
const PATH: &str = "one.seg";

struct Rows(Vec<String>);

impl Source for Rows {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        for (number, document) in self.0.iter().enumerate() {
            let at = Timestamp::from_ms(1_700_000_000_000 + i64::try_from(number).unwrap());
            let id = at.ms().to_string();
            each(&NewRow {
                document: document.as_bytes(),
                record: RecordKind::Message,
                conversation: if number < 4 { "a" } else { "b" },
                reply_to: (number % 3 == 1).then_some("root"),
                id: if number % 3 == 2 { "odd" } else { &id },
                version: at.ms().cast_unsigned(),
                created: at,
                modified: at,
                sender: Some(if number % 2 == 0 { "ada" } else { "bob" }),
                kind: MessageKind::Message,
                sequence: Sequence(number as u64),
                address: ContentAddress([u8::try_from(number).unwrap(); 32]),
                sightings: &[(0, 1)],
                sibling: number == 3,
                beside: false,
            })?;
        }
        Ok(())
    }
}

fn rows() -> Vec<String> {
    let one = |n: usize| {
        let name = if n.is_multiple_of(2) { "Ada" } else { "Bob" };
        format!(
            r#"{{"id":"{n}","from":"{name}","n":{n},"list":[{{"x":"u{n}"}},{{"x":"u"}}],"body":"text {n}"}}"#
        )
    };
    (0..8).map(one).collect()
}

fn file() -> Vec<u8> {
    build(ARCHIVE, 1, Effort::FRESH, &mut Rows(rows())).unwrap().file
}

fn read(file: &[u8]) -> Result<Vec<String>> {
    let storage = Memory::default();
    storage_folder(&storage);
    whole::write_new(&storage, PATH, file)?;
    let segment =
        Arc::new(Segment::open(&storage, ARCHIVE, 1, PATH, Arc::new(Cache::new(1 << 20)))?);
    let mut reader = RowReader::new(Arc::clone(&segment))?;
    let mut read = Vec::new();
    for row in 0..segment.meta.rows {
        let mut out = Vec::new();
        reader.render(row, &mut out)?;
        read.push(String::from_utf8_lossy(&out).into_owned());
    }
    Ok(read)
}

fn storage_folder(storage: &Memory) {
    use crate::storage::Storage;
    storage.make_folder("").unwrap();
}

/// Kind, start and payload of every frame.
fn frames(file: &[u8]) -> Vec<(u8, usize, Vec<u8>)> {
    let (mut at, mut frames) = (HEADER_BYTES, Vec::new());
    while let Ok((frame, rest)) = frame::split(&file[at..]) {
        let payload = match frame.codec {
            Codec::None | Codec::Zstd => unpack(&frame).unwrap(),
            Codec::ZstdDictionary => Vec::new(),
        };
        frames.push((frame.kind, at, payload));
        at = file.len() - rest.len();
    }
    frames
}

fn section(file: &[u8], kind: Kind) -> Vec<u8> {
    let frames = frames(file);
    frames.into_iter().find(|frame| frame.0 == kind as u8).unwrap().2
}

fn forgeries(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let places = 0..bytes.len() * 4;
    places.map(|at| {
        let mut forged = bytes.to_vec();
        forged[at / 4] ^= [1, 2, 0x80, 0xff][at % 4];
        forged
    })
}

#[test]
fn a_flipped_byte_gives_an_error_or_the_same_rows() {
    let file = file();
    assert_eq!(read(&file).unwrap(), rows());
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0xff;
        if let Ok(read) = read(&damaged) {
            assert_eq!(read, rows(), "byte {at}");
        }
    }
}

#[test]
fn a_forged_group_with_right_checksums_never_panics() {
    let file = file();
    let mut refused = 0;
    for (kind, at, payload) in frames(&file) {
        if kind != Kind::Keys as u8 && kind != Kind::Columns as u8 {
            continue;
        }
        for forged in forgeries(&payload) {
            let mut frame = Vec::new();
            frame::put(&mut frame, kind, Codec::None, forged.len(), &forged);
            let mut damaged = file.clone();
            damaged[at..at + frame.len()].copy_from_slice(&frame);
            refused += usize::from(read(&damaged).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn forged_tables_never_panic_and_what_hangs_behind_them_is_damage() {
    let file = file();
    let strings = section(&file, Kind::Strings);
    assert!(read_tables(&strings, 2).is_ok());
    assert!(read_tables(&[&strings[..], &[0]].concat(), 2).is_err());
    let refused = forgeries(&strings).filter(|forged| read_tables(forged, 2).is_err()).count();
    assert!(refused > 0);
    let names = section(&file, Kind::Conversations);
    assert!(read_conversations(&names, 8).is_some());
    assert!(read_conversations(&names, 4).is_none(), "the second starts at row 4");
    assert!(read_conversations(&[&names[..], &[0]].concat(), 8).is_none());
    for list in
        [&[2, 1, b'b', 1, b'a', 2, 0, 4][..], &[2, 1, b'a', 1, b'b', 2, 1, 3], &[1, 1, 0xff, 1, 0]]
    {
        assert!(read_conversations(list, 8).is_none(), "{list:?}");
    }
}

#[test]
fn predictions_without_a_context_are_refused_before_memory_is_taken() {
    // One text column, no context, no entries, 2^28 predictions that are all 2.
    let forged = [1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 1, 0, 2];
    assert!(read_tables(&forged, 2).is_err());
    let sender = [1, 0, 1, 0, 0x80, 0x80, 0x80, 0x80, 1, 0, 2];
    assert!(read_tables(&sender, 2).is_err());
}
