//! Forged segments: whatever the bytes say, reading ends with rows or with an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::columns::read_heads;
use super::layout::{HEADER_BYTES, Kind, Place};
use super::open::unpack;
use super::pages::{Directory, LISTS, List, ListPage, PageEntry};
use super::{Effort, NewRow, RowReader, Segment, Source, Visit, build, footer};
use crate::cache::Cache;
use crate::document::{Document, Path, Reducer};
use crate::error::{ErrorKind, Result};
use crate::format::bytes::{Reader, put_block};
use crate::format::frame::{self, Codec};
use crate::format::multiset::Multiset;
use crate::storage::bent::Bend;
use crate::storage::{Memory, ReadFile, Storage, whole};
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
                address: Some(ContentAddress([u8::try_from(number % 256).unwrap(); 32])),
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
    build(ARCHIVE, 1, (Effort::FRESH, None), &mut Rows(rows())).unwrap().file
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
fn forged_tables_and_pages_never_panic_and_what_hangs_behind_them_is_damage() {
    let file = file();
    let tables = section(&file, Kind::Tables);
    let opened = Counting::of(&file).open(PATH).unwrap();
    let meta = footer::find(&*opened, ARCHIVE, 1).unwrap().meta;
    let lists = [List::Entries, List::Predictions].map(|list| meta.list(list).items);
    let read = |tables: &[u8]| read_heads(tables, 2, lists.into());
    assert!(read(&tables).is_ok());
    assert!(read(&[&tables[..], &[0]].concat()).is_err());
    assert!(
        read_heads(&tables, 2, (lists[0] + 1, lists[1])).is_err(),
        "an entry that no column has"
    );
    assert!(forgeries(&tables).any(|forged| read(&forged).is_err()));
    for list in LISTS.into_iter().filter(|list| meta.list(*list).items > 0) {
        let payload = section(&file, list.kind());
        let read = |payload: &[u8]| {
            ListPage::read(list, meta.list(list), 0, (payload, 8)).map(|page| page.len())
        };
        assert_eq!(read(&payload).unwrap(), meta.list(list).items as usize, "{list:?}");
        assert!(read(&[&payload[..], &[0]].concat()).is_err(), "{list:?}");
        assert!(forgeries(&payload).any(|forged| read(&forged).is_err()), "{list:?}");
    }
    let is_page = |payload: &[u8], rows| {
        let list = List::Conversations;
        ListPage::read(list, meta.list(list), 0, (payload, rows)).is_ok()
    };
    assert!(!is_page(&section(&file, Kind::Conversations), 4), "the second starts at row 4");
    for forged in
        [&[2, 1, b'b', 1, b'a', 2, 0, 4][..], &[2, 1, b'a', 1, b'b', 2, 1, 3], &[1, 1, 0xff, 1, 0]]
    {
        assert!(!is_page(forged, 8), "{forged:?}");
    }
}

#[test]
fn a_page_has_what_an_item_of_its_list_can_be() {
    let is_page = |list: List, item: &[u8]| {
        let place = Place { offset: 0, bytes: 16 };
        let pages = vec![PageEntry { place, border: Box::default(), row: 0 }];
        let mut payload = vec![1];
        put_block(&mut payload, item);
        ListPage::read(list, &Directory { items: 1, pages }, 0, (&payload, 1)).is_ok()
    };
    for (list, most) in [(List::Entries, 512), (List::Predictions, 192)] {
        assert!(is_page(list, &vec![b'a'; most]) && !is_page(list, &vec![b'a'; most + 3]));
    }
    assert!(!is_page(List::Predictions, &[]) && !is_page(List::Predictions, &[0; 4]));
    assert!(is_page(List::Senders, b"ada") && !is_page(List::Senders, &[0xff]));
    assert!(is_page(List::Custodians, &[0, 0, 0, 1, 0]) && !is_page(List::Custodians, &[0; 4]));
}

#[test]
fn a_directory_has_no_more_items_than_there_can_be_and_borders_that_rise() {
    let read = |list: List, bytes: &[u8], rows: u32| {
        let reader = &mut Reader::new(bytes);
        Directory::read(list, reader, &mut 32, rows).is_some() && reader.is_empty()
    };
    let two = [0x81, 1, 16, 0, 16, 1, b'b'];
    assert!(read(List::Senders, &two, 129) && !read(List::Senders, &two, 128));
    assert!(!read(List::Senders, &[0x81, 1, 16, 1, b'b', 16, 1, b'b'], 129), "one border twice");
    assert!(!read(List::Senders, &[1, 15, 0], 129), "a frame without a header");
    assert!(read(List::Sets, &[1, 16], 1) && !read(List::Sets, &[1, 16], 0));
    assert!(read(List::Custodians, &[1, 16, 0], 0), "more custodians than rows");
    assert!(read(List::Conversations, &[0], 0) && !read(List::Conversations, &[0], 1));
    assert!(read(List::Conversations, &[1, 16, 0, 0], 1));
    assert!(!read(List::Conversations, &[1, 16, 0, 1], 2), "row 0 is in no conversation");
    let conversations = |row: u8| [0x81, 1, 16, 0, 0, 16, 1, b'b', row];
    assert!(read(List::Conversations, &conversations(0x7f), 129));
    assert!(!read(List::Conversations, &conversations(0), 129), "two begin at one row");
    assert!(!read(List::Conversations, &conversations(0x7f), 127), "behind the last row");
}

#[test]
fn predictions_without_a_context_are_refused() {
    // One text column, no context, no entries, 2^28 predictions.
    let forged = [1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 1];
    assert!(read_heads(&forged, 2, (0, 1 << 22)).is_err());
    let sender = [1, 0, 1, 0, 0x80, 0x80, 0x80, 0x80, 1];
    assert!(read_heads(&sender, 2, (0, 1 << 22)).is_err());
}

#[test]
fn a_count_that_is_the_number_of_a_template_elsewhere_keeps_no_row_whole() {
    // The template of the last rows, which has a time, is the third: as long as the lists before.
    let mut documents = vec![r#"{"list":[{"x":"u"},{"x":"u"},{"x":"u"}]}"#.to_owned(); 256];
    documents.extend(vec![r#"{"editedDateTime":"2026-03-02T08:00:00Z"}"#.to_owned(); 3]);
    let built = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Rows(documents.clone())).unwrap();
    assert_eq!((built.meta.groups.len(), built.meta.whole_rows), (2, 0));
    assert_eq!(read(&built.file).unwrap(), documents);
}

/// So many rows of conversations of one row each, with a sender and a custodian of its own.
struct Many(u32);

impl Source for Many {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        for number in 0..self.0 {
            let at = Timestamp::from_ms(1_700_000_000_000 + i64::from(number));
            let (name, id) = (format!("{number:08}"), at.ms().to_string());
            let document = format!(
                r#"{{"from":{{"user":{{"id":"{name}","displayName":"N{}"}}}}}}"#,
                number / 2
            );
            each(&NewRow {
                document: document.as_bytes(),
                record: RecordKind::Message,
                conversation: &name,
                reply_to: None,
                id: &id,
                version: at.ms().cast_unsigned(),
                created: at,
                modified: at,
                sender: Some(&name),
                kind: MessageKind::Message,
                sequence: Sequence(1),
                address: Some(ContentAddress([7; 32])),
                sightings: &[(number, 1)],
                sibling: false,
                beside: false,
            })?;
        }
        Ok(())
    }
}

#[test]
fn one_row_is_read_by_as_many_bytes_from_a_large_segment_as_from_a_small_one() {
    let read = |rows: u32| {
        let file = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Many(rows)).unwrap().file;
        let storage = Arc::new(Counting::of(&file));
        let segment = Segment::open(&*storage, ARCHIVE, 1, PATH, Arc::new(Cache::new(0))).unwrap();
        let segment = Arc::new(segment);
        storage.read.store(0, Ordering::Relaxed);
        let name = format!("{:08}", rows - 7);
        let (row, end) = segment.rows_of(&name).unwrap().unwrap();
        assert_eq!((row, end), (rows - 7, rows - 6));
        let mut reader = RowReader::new(Arc::clone(&segment)).unwrap();
        let mut document = Vec::new();
        reader.render(row, &mut document).unwrap();
        assert!(document.windows(8).any(|part| part == name.as_bytes()));
        assert_eq!(reader.lists().sets_of(row).unwrap().len(), 1);
        assert_eq!(reader.lists().code_of(&name).unwrap(), Some(row + 1));
        storage.read.load(Ordering::Relaxed)
    };
    let (small, large) = (read(2_048), read(20 * 2_048));
    assert!(large * 10 < small * 12, "{large} bytes of a large segment, {small} of a small one");
}

/// Rows of conversations and senders with names as long as documents can be.
struct Long(usize);

impl Source for Long {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        let long = "a".repeat(self.0);
        let visit = &mut |row: &NewRow<'_>| {
            let (conversation, sender) = match row.sequence.0 {
                0 => (&*long, "s"),
                number if number < 4 => ("b", &*long),
                _ => ("c", "s"),
            };
            let (id, sender) = (row.sequence.0.to_string(), Some(sender));
            each(&NewRow { conversation, sender, id: &id, reply_to: None, ..*row })
        };
        Rows(rows()).visit(visit)
    }
}

#[test]
fn names_as_long_as_documents_are_no_part_of_the_footer() {
    let built = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Long(15 << 20)).unwrap();
    let mut footer = Vec::new();
    built.meta.put(&mut footer);
    assert!(footer.len() < 1_000, "{} bytes", footer.len());
    assert_eq!(read(&built.file).unwrap(), rows());
}

#[test]
fn a_name_is_found_on_either_side_of_a_border() {
    let file = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Many(300)).unwrap().file;
    let storage = Counting::of(&file);
    let segment = Segment::open(&storage, ARCHIVE, 1, PATH, Arc::new(Cache::new(0))).unwrap();
    let borders = segment.meta.list(List::Conversations).pages.iter();
    let borders: Vec<&[u8]> = borders.map(|page| &*page.border).collect();
    assert_eq!(borders, [&b""[..], b"00000128", b"00000256"]);
    for number in 0..300 {
        let name = format!("{number:08}");
        assert_eq!(segment.rows_of(&name).unwrap(), Some((number, number + 1)));
        assert_eq!(segment.first_from(&format!("{name}a")).unwrap(), number + 1);
    }
    for gone in ["", "0", "00000127a", "00000300", "1"] {
        assert_eq!(segment.rows_of(gone).unwrap(), None, "{gone}");
    }
}

/// The file with another list of custodians.
fn with_custodians(file: &[u8], page: &[u8]) -> Vec<u8> {
    let frames = frames(file);
    let (kind, at, old) = frames.iter().find(|frame| frame.0 == Kind::Custodians as u8).unwrap();
    assert_eq!(old.len(), page.len());
    let (mut out, end) = (file[..*at].to_vec(), frames.iter().find(|next| next.1 > *at).unwrap().1);
    let room = end - at - frame::HEADER_BYTES;
    let mut packed = zstd::bulk::compress(page, 9).unwrap();
    // What is behind in the frame is skipped.
    let zeros = u32::try_from(room - packed.len()).unwrap();
    assert_eq!(zeros, 0);
    packed.resize(room, 0);
    frame::put(&mut out, *kind, Codec::Zstd, page.len(), &packed);
    out.extend_from_slice(&file[end..]);
    out
}

#[test]
fn custodians_that_are_in_other_sets_are_damage() {
    let file = file();
    let check = |file: &[u8]| {
        let storage = Counting::of(file);
        let cache = Arc::new(Cache::new(0));
        Segment::open(&storage, ARCHIVE, 1, PATH, cache)?.check_lists()
    };
    let page = section(&file, Kind::Custodians);
    check(&with_custodians(&file, &page)).unwrap();
    let mut wrong = 0;
    for forged in forgeries(&page) {
        wrong += usize::from(check(&with_custodians(&file, &forged)).is_err());
    }
    assert_eq!(wrong, page.len() * 4, "{page:?}");
}

/// Messages whose parts come and go: contexts, lists, own texts, one without an object's members.
fn odd(number: usize) -> String {
    let own = |part| blake3::hash(format!("{number} {part}").as_bytes()).to_string();
    let (person, text) = (number * 7 % 5, (0..number % 4).map(own).collect::<String>());
    let from = match number % 6 {
        0 => "null".to_owned(),
        1 => format!(r#"{{"user":{{"displayName":"P{person}","id":"p{person}"}}}}"#),
        _ => format!(r#"{{"user":{{"id":"p{person}","displayName":"P{person}"}},"x":{number}}}"#),
    };
    let list = match number % 5 {
        0 => "[]".to_owned(),
        1 => format!(
            r#"[ {{"id":"p{person}","name":"P{person}","t":"{text}{number}"}} , 7,[{number}]]"#
        ),
        _ => format!(r#"[{{"id":"{number}","name":"P{person}"}}]"#),
    };
    let more = if number.is_multiple_of(3) { r#","from":{"user":{"id":"later"}}"# } else { "" };
    format!(
        r#"{{"n":{number},"from":{from},"list":{list},"body":{{"content":"{text}{number}","kind":"html"}},"subject":"{}"{more}}}"#,
        number % 9
    )
}

#[test]
fn what_paths_name_is_read_alone_and_without_texts_that_nobody_wants() {
    let documents: Vec<String> = (0..700).map(odd).collect();
    let file = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Rows(documents.clone())).unwrap().file;
    let read = |paths: &[&str]| {
        let storage = Counting::of(&file);
        let segment = Segment::open(&storage, ARCHIVE, 1, PATH, Arc::new(Cache::new(0))).unwrap();
        let paths: Arc<[Path]> = paths.iter().map(|path| Path::new(path)).collect();
        let mut reader = RowReader::of_paths(Arc::new(segment), &paths).unwrap();
        let mut reducer = Reducer::new(paths);
        storage.read.store(0, Ordering::Relaxed);
        for row in (0..700).chain((0..700).rev().step_by(3)) {
            let (mut wanted, mut found) = (b"before".to_vec(), b"before".to_vec());
            reducer.reduce(documents[row].as_bytes(), &mut wanted).unwrap();
            reader.render(u32::try_from(row).unwrap(), &mut found).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&wanted));
        }
        storage.read.load(Ordering::Relaxed)
    };
    let small =
        ["from/user/displayName", "subject", "body/kind", "nowhere"].map(|one| read(&[one]));
    let large = read(&["body/content"]);
    assert!(small.iter().all(|bytes| bytes * 2 < large), "{small:?} bytes, with texts {large}");
    let _bytes = read(&["list", "n"]);
    let _bytes = read(&["list/name", "from", "subject"]);
    let _bytes = read(&["body", "from/user/id"]);
}

/// Counts the bytes that are read of a file.
#[derive(Debug)]
struct Counting {
    file: Memory,
    read: Arc<AtomicU64>,
}

impl Counting {
    fn of(bytes: &[u8]) -> Self {
        let file = Memory::default();
        storage_folder(&file);
        whole::write_new(&file, PATH, bytes).unwrap();
        Self { file, read: Arc::default() }
    }
}

impl Bend for Counting {
    fn below(&self) -> &dyn Storage {
        &self.file
    }

    fn opened(&self, path: &str) -> std::io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(CountedFile(self.file.open(path)?, Arc::clone(&self.read))))
    }
}

#[derive(Debug)]
struct CountedFile(Arc<dyn ReadFile>, Arc<AtomicU64>);

impl ReadFile for CountedFile {
    fn bytes(&self) -> std::io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        let _ = self.1.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, out)
    }
}

/// Rows as a merge gives them: their addresses are found while the segment is built.
struct Merged(Vec<String>);

impl Source for Merged {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        Rows(self.0.clone()).visit(&mut |row| each(&NewRow { address: None, ..*row }))
    }
}

#[test]
fn addresses_of_merged_rows_are_those_of_their_documents() {
    let mut sum = Multiset::default();
    for document in rows() {
        sum.insert(&Document::parse(document.as_bytes()).unwrap().address().0);
    }
    let built = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Merged(rows())).unwrap();
    assert_eq!(built.meta.multiset, sum.0);
    let broken = [rows(), vec![r#"{"id":"9","body":"#.to_owned()]].concat();
    let error = build(ARCHIVE, 1, (Effort::FRESH, None), &mut Merged(broken)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("is no document: "), "{error}");
}
