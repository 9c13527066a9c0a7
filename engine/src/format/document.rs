//! FORMAT.md and the writers agree: what is shown there in hex is what they write.

use std::sync::Arc;

use super::frame::{self, Codec};
use super::head::Head;
use super::unpack;
use crate::document::Document;
use crate::error::Result;
use crate::facts::{self, Gathering, Saying};
use crate::manifest::{self, Manifest};
use crate::objects::PackWriter;
use crate::segment::{self, Built, Effort, List, NewRow, Source, Visit};
use crate::storage::{Memory, Storage};
use crate::types::{ContentAddress, MessageKind, RecordKind, Sequence, Timestamp};

pub(crate) const DOCUMENT: &str = include_str!("../../FORMAT.md");
/// The archive of all examples.
pub(crate) const ARCHIVE: [u8; 16] = [
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
];

/// Fails unless the document shows exactly these bytes between two quotation marks.
pub(crate) fn check_shown(bytes: &[u8]) {
    let is_pair = |word: &str| word.len() == 2;
    let shown = DOCUMENT.split('"').map(|text| text.split_whitespace().collect::<Vec<_>>());
    let mut shown = shown.filter(|words| words.iter().all(|word| is_pair(word)));
    let written: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(shown.any(|words| words == written), "FORMAT.md should show: {}", written.join(" "));
}

fn memory() -> Arc<dyn Storage> {
    let storage = Arc::new(Memory::default());
    for folder in ["", "manifest", "objects"] {
        storage.make_folder(folder).unwrap();
    }
    storage
}

fn file(storage: &dyn Storage, path: &str) -> Vec<u8> {
    let file = storage.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_frame_is_shown() {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, 7, Codec::None, 5, b"hello");
    check_shown(&bytes);
}

#[test]
fn the_facts_of_a_conversation_are_shown() {
    let mut facts = Gathering::default();
    for (ticks, sender) in [(5, "ada"), (11, "ada"), (8, "ada")] {
        let at = Timestamp::from_ticks(ticks);
        let kind = MessageKind::Message;
        let saying = Saying { sender: Some(sender), created: at, modified: at, kind };
        let json = br#"{"from":{"user":{"id":"ada","displayName":"Ada"}}}"#;
        facts.add(&saying, &Document::parse(json).unwrap());
    }
    let mut item = Vec::new();
    assert!(facts::put(&facts.finish(), &mut item));
    check_shown(&item);
}

#[test]
fn the_head_is_shown() {
    let head = Head::new(ARCHIVE).encode();
    assert!(DOCUMENT.contains(&head), "FORMAT.md should show: {head}");
}

#[test]
fn the_first_manifest_is_shown() {
    let storage = memory();
    let written = Timestamp::from_ms(1_772_409_600_000);
    let _hash = manifest::store(&*storage, &Manifest::first(ARCHIVE, written, 1)).unwrap();
    check_shown(&file(&*storage, "manifest/0000000000000001.mft"));
}

#[test]
fn the_pack_is_shown() {
    let storage = memory();
    let mut pack = PackWriter::start(Arc::clone(&storage), 3, ARCHIVE).unwrap();
    let _address = pack.put(&mut &b"hello"[..]).unwrap();
    let _summary = pack.finish().unwrap();
    check_shown(&file(&*storage, "objects/0000000000000003.pack"));
}

/// The row of the example of a segment.
const MESSAGE: &str = r#"{"id":"1772438400000","chatId":"19:a@thread.v2","createdDateTime":"2026-03-02T08:00:00Z","body":{"content":"hi"},"reactions":[{"n":3},{"n":3}]}"#;

const MESSAGE_MS: i64 = 1_772_438_400_000;

struct OneRow;

impl Source for OneRow {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        each(&row(MESSAGE, "19:a@thread.v2", MESSAGE_MS, None))
    }
}

fn row<'d>(
    document: &'d str,
    conversation: &'d str,
    modified_ms: i64,
    sender: Option<&'d str>,
) -> NewRow<'d> {
    NewRow {
        document: document.as_bytes(),
        record: RecordKind::Message,
        conversation,
        reply_to: None,
        id: "1772438400000",
        version: 1_772_438_400_000,
        created: Timestamp::from_ms(MESSAGE_MS),
        modified: Timestamp::from_ms(modified_ms),
        sender,
        kind: MessageKind::Other,
        sequence: Sequence(1),
        address: Some(ContentAddress([0xab; 32])),
        sightings: &[(0, 1)],
        sibling: false,
        beside: false,
    }
}

/// The rows of the example of times and names.
const NAMED: [&str; 4] = [
    r#"{"chatId":"c","createdDateTime":"2026-03-02T08:00:00Z","lastModifiedDateTime":"2026-03-02T08:00:00.25Z","editedDateTime":"2026-03-02T07:59:59Z","from":{"user":{"id":"ada","displayName":"Ada"}}}"#,
    r#"{"chatId":"c","createdDateTime":"2026-03-02T08:00:00.000Z","lastModifiedDateTime":"2026-03-02T08:00:00.250Z","editedDateTime":"2026-03-02T08:00:00.120Z","from":{"user":{"id":"ada","displayName":"Ada"}}}"#,
    r#"{"chatId":"c","createdDateTime":"2026-03-02T08:00:00.0000000Z","lastModifiedDateTime":"2026-03-02T08:00:00.2500000Z","editedDateTime":"2026-03-02T08:00:00.1200000Z","from":{"user":{"id":"ada","displayName":"A."}}}"#,
    r#"{"chatId":"c","createdDateTime":"2026-03-02T08:00:00Z","lastModifiedDateTime":"2026-03-02T08:00:00.25Z","editedDateTime":"2026-03-02T08:00:00Z","from":{"user":{"id":"ada","displayName":"A."}}}"#,
];

struct Named;

impl Source for Named {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        NAMED.iter().try_for_each(|text| each(&row(text, "c", MESSAGE_MS + 250, Some("ada"))))
    }
}

#[test]
fn the_segment_is_shown() {
    assert!(DOCUMENT.contains(MESSAGE), "FORMAT.md should show the document");
    let built = segment::build(ARCHIVE, 7, (Effort::FRESH, None), &mut OneRow).unwrap();
    let group = &built.meta.groups[0];
    check_shown(&built.file[..usize::try_from(group.text).unwrap()]);
    assert_eq!(payload(&built, group.text), b"hi\0");
    check_sections_shown(
        &built,
        &[List::Conversations, List::Sets, List::Custodians, List::Entries],
    );
}

/// What renders rows, and pages of lists.
fn check_sections_shown(built: &Built, lists: &[List]) {
    let [templates, tables, ..] = built.meta.sections;
    check_shown(&payload(built, templates.offset));
    check_shown(&payload(built, tables.offset));
    for list in lists {
        check_shown(&payload(built, built.meta.list(*list).pages[0].place.offset));
    }
}

/// How zstd packs is no part of the format: what is packed is shown unpacked.
fn payload(built: &Built, offset: u64) -> Vec<u8> {
    let (frame, _) = frame::split(&built.file[usize::try_from(offset).unwrap()..]).unwrap();
    match frame.codec {
        Codec::None => frame.payload.to_vec(),
        _ => unpack::unpack(frame.payload, frame.raw_bytes, None, "frame").unwrap(),
    }
}

#[test]
fn times_and_names_of_an_author_are_shown() {
    assert!(DOCUMENT.contains(NAMED[1]), "FORMAT.md should show the document");
    let built = segment::build(ARCHIVE, 8, (Effort::FRESH, None), &mut Named).unwrap();
    check_shown(&payload(&built, built.meta.groups[0].columns.offset));
    check_sections_shown(&built, &[List::Senders, List::Entries, List::Predictions]);
}
