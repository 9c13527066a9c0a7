//! Whole archives, small ones: objects, counts, the catalog. Also helps other tests.

#![expect(clippy::disallowed_methods, reason = "the test looks at a folder on disk")]

use std::io::Read;
use std::sync::Arc;

use chatvault_base::go_on;
use chatvault_base::threads::Urgency;

use super::commit::summary::Probe;
use super::maintain::merge::SMALL;
use super::*;
use crate::environment::{Environment, EnvironmentOptions};
use crate::error::ErrorKind;
use crate::format::names::FileKind;
use crate::options::{Host, Options};
use crate::scan::Scan;
use crate::storage::bent::Bend;
use crate::storage::{Disk, Memory, Storage, WriteFile};
use crate::types::{ContentAddress, Custodian, MessageKey, RecordKind, Timestamp};

pub(super) type Place = Arc<dyn Storage>;

pub(super) fn place() -> Place {
    Arc::new(Memory::default())
}

pub(super) fn options() -> Options {
    Options { background_compaction: false, merge: SMALL, ..Options::default() }
}

pub(super) fn document(chat: usize, number: u64) -> String {
    let id = 1_700_000_000_000 + number * 1000;
    let time = Timestamp::from_ms(id.cast_signed());
    let text = blake3::hash(&number.to_le_bytes()).to_hex();
    format!(
        r#"{{"id":"{id}","etag":"{id}","messageType":"message","createdDateTime":"{0}","lastModifiedDateTime":"{0}","chatId":"19:chat{chat:04}@thread.v2","from":{{"user":{{"id":"sender-{1}"}}}},"body":{{"contentType":"text","content":"{text}"}}}}"#,
        iso(time),
        number % 7,
    )
}

fn iso(time: Timestamp) -> String {
    chatvault_base::time::text::rendered(time, chatvault_base::time::text::Fraction::Three)
}

pub(super) fn offer(archive: &Archive, custodian: &str, documents: &[String]) -> u64 {
    let run = archive.begin_run("test").unwrap();
    let mut batch = archive.batch(run);
    let origin = Origin { source: "test", offset: 0 };
    for document in documents {
        let custodian = Custodian::user(custodian);
        batch.offer(&custodian, RecordKind::Message, document.as_bytes(), origin);
    }
    batch.commit().unwrap().sequence.0
}

pub(super) fn documents(chats: usize, each: u64) -> Vec<String> {
    let of_chat = |chat| (0..each).map(move |number| document(chat, number));
    (0..chats).flat_map(of_chat).collect()
}

pub(super) fn bytes(place: &Place, path: &str) -> Vec<u8> {
    let file = place.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

pub(super) fn replace(place: &Place, path: &str, bytes: &[u8]) {
    place.remove(path).unwrap();
    place.create(path).unwrap().write_at(0, bytes).unwrap();
}

/// Paths of the archive's own files in these folders.
pub(super) fn paths(place: &Place, folders: &[&str]) -> Vec<String> {
    let list = |folder: &&str| {
        let files = place.list(folder).unwrap().into_iter();
        let path = |name: String| match *folder {
            "" => name,
            folder => format!("{folder}/{name}"),
        };
        files.map(|file| path(file.name)).collect::<Vec<String>>()
    };
    folders.iter().flat_map(list).collect()
}

/// A commit of what is no message: two refused copies, an object and a link to it, a checkpoint.
pub(super) fn offer_the_rest(archive: &Archive) {
    let object = archive.put_object(&mut &b"a picture"[..]).unwrap();
    let mut batch = archive.batch(archive.begin_run("second").unwrap());
    for (custodian, bytes) in [("anna", &b"no document"[..]), ("ben", b"nor this")] {
        let origin = Origin { source: "x", offset: 7 };
        batch.quarantine(&Custodian::user(custodian), bytes, "not JSON", origin);
    }
    batch.link(&key(), "attachment", object);
    batch.checkpoint("position", b"17");
    drop(batch.commit().unwrap());
}

fn key() -> MessageKey {
    let conversation = "19:chat0000@thread.v2".to_owned();
    let id = "1700000000000".to_owned();
    MessageKey { record: RecordKind::Message, conversation, reply_to: None, id }
}

fn link(archive: &Archive, object: ContentAddress) -> Result<CommitReport> {
    let mut batch = archive.batch(archive.begin_run("links").unwrap());
    batch.link(&key(), "attachment", object);
    batch.commit()
}

fn open_again(place: &Place) -> Archive {
    Archive::open(Host::new(Arc::clone(place)), options()).unwrap()
}

fn packs(place: &Place) -> usize {
    let files = place.list("objects").unwrap();
    files.iter().filter(|file| !file.name.ends_with("tmp")).count()
}

#[test]
fn objects_are_kept_once_and_a_commit_that_links_makes_them_durable() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let address = archive.put_object(&mut &b"a picture"[..]).unwrap();
    assert_eq!(address.0, *blake3::hash(b"a picture").as_bytes());
    assert_eq!(archive.put_object(&mut &b"a picture"[..]).unwrap(), address);
    assert_eq!((packs(&place), archive.stat().unwrap().objects), (0, 1));
    drop(link(&archive, address).unwrap());
    assert_eq!(archive.put_object(&mut &b"a picture"[..]).unwrap(), address);
    let unlinked = archive.put_object(&mut &b"another"[..]).unwrap();
    assert_eq!((packs(&place), archive.stat().unwrap().objects), (1, 2));
    // Dropped like a crash: what no commit linked to is gone.
    drop(archive);
    let archive = open_again(&place);
    assert_eq!((packs(&place), archive.stat().unwrap().objects), (1, 1));
    assert_eq!(link(&archive, unlinked).unwrap_err().kind(), ErrorKind::InvalidInput);
    let _ = archive.put_object(&mut &b"another"[..]).unwrap();
    archive.close().unwrap();
    let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
    assert_eq!((packs(&place), reader.stat().unwrap().objects), (2, 2));
    let refused = reader.put_object(&mut &b"x"[..]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}

#[test]
fn large_objects_have_packs_of_their_own_and_full_packs_are_sealed() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let large = |seed: u8, bytes: u64| {
        let mut noise = blake3::Hasher::new().update(&[seed]).finalize_xof();
        let mut out = vec![0; usize::try_from(bytes).unwrap()];
        noise.fill(&mut out);
        out
    };
    let (first, second) = (large(1, 20 << 20), large(2, 50 << 20));
    let _ = archive.put_object(&mut &b"small"[..]).unwrap();
    let address = archive.put_object(&mut &first[..]).unwrap();
    assert_eq!(archive.put_object(&mut &first[..]).unwrap(), address);
    assert_eq!(packs(&place), 0);
    let _ = archive.put_object(&mut &second[..]).unwrap();
    assert_eq!(packs(&place), 3);
    let _ = archive.put_object(&mut &b"small too"[..]).unwrap();
    archive.seal().unwrap();
    assert_eq!(packs(&place), 4);
    let report = archive.verify(Depth::Deep, &mut go_on).unwrap();
    assert_eq!((report.damages, report.strangers), (Vec::new(), Vec::new()));
    let state = archive.shared.state();
    let mut found = state.packs.iter().filter_map(|pack| pack.get().unwrap().find(&address));
    assert_eq!(found.next().map(|entry| entry.bytes), Some(20 << 20));
    assert!(found.next().is_none());
}

/// Fails in the middle.
struct Breaks(u64);

impl Read for Breaks {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let bytes = usize::try_from(self.0).unwrap().min(out.len());
        self.0 -= bytes as u64;
        if bytes == 0 { Err(std::io::Error::other("connection lost")) } else { Ok(bytes) }
    }
}

#[test]
fn an_object_that_cannot_be_read_to_its_end_is_not_stored() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    for bytes in [10, 9 << 20] {
        let error = archive.put_object(&mut Breaks(bytes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(archive.stat().unwrap().objects, 0);
    }
    assert_eq!(place.list("objects").unwrap(), []);
    let _ = archive.put_object(&mut &b"fine"[..]).unwrap();
    assert_eq!(archive.stat().unwrap().objects, 1);
}

/// Commits until the archive is closed; gives the numbers of the documents acknowledged.
fn commit_until_closed(archive: &Archive, thread: u64) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for number in (thread * 100_000).. {
        let committed = archive.begin_run("beside").and_then(|run| {
            let mut batch = archive.batch(run);
            let origin = Origin { source: "test", offset: 0 };
            let json = document(0, number);
            batch.offer(&Custodian::user("anna"), RecordKind::Message, json.as_bytes(), origin);
            batch.commit()
        });
        match committed {
            Ok(_) => acknowledged.push(number),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                return acknowledged;
            }
        }
    }
    acknowledged
}

#[test]
fn a_commit_beside_close_is_durable_or_closed() {
    for round in 0_u64..60 {
        let place = place();
        // Some rounds seal in between, and have commits wait for room.
        let options = Options {
            memtable_bytes: if round % 2 == 0 { 4 << 10 } else { 64 << 20 },
            ..options()
        };
        let archive = Archive::create(Host::new(Arc::clone(&place)), options).unwrap();
        let _ = offer(&archive, "anna", &documents(1, round));
        let acknowledged: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=3)
                .map(|thread| {
                    let archive = archive.clone();
                    scope.spawn(move || commit_until_closed(&archive, thread))
                })
                .collect();
            for _ in 0..round % 7 {
                std::thread::yield_now();
            }
            archive.clone().close().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let late = archive.clone().seal().unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Closed);
        drop(archive);
        let snapshot = open_again(&place).snapshot().unwrap();
        for number in acknowledged {
            let id = (1_700_000_000_000 + number * 1000).to_string();
            let there = snapshot.latest(&MessageKey { id, ..key() }).unwrap();
            assert!(there.is_some(), "round {round}: {number} was acknowledged");
        }
    }
}

#[test]
fn what_waits_for_its_segment_is_bounded_together_with_what_is_being_sealed() {
    let one = EnvironmentOptions { background_threads: 1, ..EnvironmentOptions::default() };
    let environment = Environment::new(one);
    // The only thread is kept, so that commits seal themselves once they need room.
    let (let_go, kept) = std::sync::mpsc::channel::<()>();
    let jobs = environment.jobs();
    assert!(jobs.run(Urgency::Soon, move || assert!(kept.recv().is_err())));
    let limit = 256 << 10;
    let options = Options { environment: Some(environment), memtable_bytes: limit, ..options() };
    let archive = Archive::create(Host::new(place()), options).unwrap();
    let rows = documents(60, 20);
    let (mut most, mut largest) = (0, 0);
    for commit in rows.chunks(20) {
        let _ = offer(&archive, "anna", commit);
        let state = archive.shared.state();
        let waiting: Vec<usize> = state.slabs.iter().map(|slab| slab.bytes()).collect();
        largest = largest.max(waiting.last().copied().unwrap_or(0));
        most = most.max(waiting.iter().sum());
    }
    assert!(segments(&archive).len() > 2, "sealed on the way");
    assert!(
        most > limit / 2 && most <= limit + 2 * largest,
        "{most} of {limit}, commits of {largest}"
    );
    drop(let_go);
    archive.close().unwrap();
}

fn segments(archive: &Archive) -> Vec<u64> {
    archive.shared.state().segments.iter().map(|live| live.entry.number).collect()
}

/// Looks until it is so; the test program's own limit ends a wait for what never comes.
fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn sealed(archive: &Archive, numbers: std::ops::Range<usize>) {
    for chat in numbers {
        let _ = offer(archive, "anna", &[document(chat, 1), document(chat, 2)]);
        archive.seal().unwrap();
    }
}

#[test]
fn a_merge_that_meets_damage_is_told_until_it_succeeds_and_others_go_on() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    sealed(&archive, 0..8);
    archive.close().unwrap();
    let damaged = "segments/0000000000000004.seg";
    let whole = bytes(&place, damaged);
    let mut wrong = whole.clone();
    wrong[60] ^= 1;
    replace(&place, damaged, &wrong);
    let merging = || {
        let options = Options { background_compaction: true, ..options() };
        Archive::open(Host::new(Arc::clone(&place)), options).unwrap()
    };
    let archive = merging();
    wait_until(|| !archive.health().troubles.is_empty());
    let told = archive.health();
    assert!(told.troubles[0].message.contains(damaged), "{told:?}");
    assert_eq!((told.troubles.len(), told.troubles[0].work), (1, Work::Merge));
    let before = segments(&archive);
    sealed(&archive, 8..9);
    wait_until(|| segments(&archive).len() < 8);
    let kept: Vec<u64> = segments(&archive).into_iter().filter(|n| before.contains(n)).collect();
    assert_eq!(kept, [4], "only the damaged one is left alone");
    assert_eq!(archive.health(), told);
    archive.close().unwrap();
    let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
    assert_eq!((reader.health(), reader.stat().unwrap().health), (told.clone(), told.clone()));
    replace(&place, damaged, &whole);
    let archive = merging();
    assert_eq!(archive.health(), told);
    sealed(&archive, 9..16);
    wait_until(|| archive.health() == Health::default());
    assert_eq!(reader.health(), Health::default());
    assert!(!place.list("").unwrap().iter().any(|file| file.name == "HEALTH"));
}

#[test]
fn segments_are_merged_while_commits_go_on() {
    let place = place();
    let options = Options { background_compaction: true, ..options() };
    let archive = Archive::create(Host::new(place), options).unwrap();
    let mut number = 0;
    // There is never a moment without a commit before.
    while archive.shared.state().segments.iter().all(|live| live.entry.level == 0) {
        number += 1;
        sealed(&archive, number..number + 1);
    }
    assert!(number >= 8, "merged {number} segments");
}

/// Panics when the files of segments are made.
#[derive(Debug)]
struct Panics(Place);

impl Bend for Panics {
    fn below(&self) -> &dyn Storage {
        &*self.0
    }

    fn created(&self, path: &str) -> std::io::Result<Box<dyn WriteFile>> {
        assert!(!path.ends_with(".seg.tmp"), "no pen for {path}");
        self.0.create(path)
    }
}

#[test]
fn background_work_that_panics_is_told_and_nobody_waits_for_it() {
    let place = place();
    let panics: Place = Arc::new(Panics(Arc::clone(&place)));
    let archive = Archive::create(Host::new(panics), options()).unwrap();
    let _ = offer(&archive, "anna", &documents(1, 2));
    assert_eq!(archive.seal().unwrap_err().kind(), ErrorKind::Stopped);
    let told = archive.health().troubles;
    assert!(told[0].message.contains("it panicked: no pen for segments/"), "{told:?}");
    assert!(archive.close().is_err());
    let archive = open_again(&place);
    assert_eq!(archive.health().troubles, told);
    archive.seal().unwrap();
    assert_eq!(segments(&archive).len(), 1);
    wait_until(|| archive.health() == Health::default());
}

#[test]
fn counts_and_sizes_are_those_of_the_files() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let all = documents(5, 20);
    let _ = offer(&archive, "anna", &all);
    archive.seal().unwrap();
    let _ = offer(&archive, "ben", &documents(6, 10));
    let edited =
        document(0, 0).replacen(r#""etag":"1700000000000""#, r#""etag":"1700000000001""#, 1);
    let variant = document(0, 0).replacen(r#""content":""#, r#""content":"v"#, 1);
    let _ = offer(&archive, "ben", &[edited.clone(), variant.clone()]);
    let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
    for archive in [&archive, &reader] {
        let stat = archive.stat().unwrap();
        let raw: usize = all.iter().chain(&documents(6, 10)[50..]).map(String::len).sum();
        assert_eq!(stat.raw_bytes, (raw + edited.len() + variant.len()) as u64);
        assert_eq!((stat.versions, stat.variants, stat.messages), (111, 1, 110));
        assert_eq!((stat.conversations, stat.senders, stat.custodians), (6, 7, 2));
        assert_eq!((stat.segments, stat.runs, stat.journal_rows, stat.raw_rows), (1, 3, 12, 0));
        let total: u64 = stat.bytes_by_part.values().sum();
        let there: u64 = ["", "manifest", "journal", "segments", "objects"]
            .iter()
            .flat_map(|folder| place.list(folder).unwrap())
            .map(|file| file.bytes)
            .sum();
        assert_eq!(total, there);
        let segment = place.list("segments").unwrap()[0].bytes;
        assert_eq!(stat.bytes_by_part["segments"], segment);
    }
}

#[test]
fn summaries_say_no_only_where_no_row_is_and_come_back_from_the_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let place: Place = Arc::new(Disk::new(folder.path().join("archive")));
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let _ = offer(&archive, "anna", &documents(200, 3));
    archive.seal().unwrap();
    sealed(&archive, 300..315);
    let ask = |archive: &Archive| {
        let live = Arc::clone(&archive.shared.state().segments[0]);
        archive.shared.summarize(&archive.shared.state());
        assert!(live.summary.get().is_some_and(Option::is_some));
        let chat = |number| format!("19:chat{number:04}@thread.v2");
        let may_have = |number| live.may_have(Probe::of(chat(number).as_bytes()));
        assert!((0..200).all(may_have), "what is there is never denied");
        let wrong = (400..10_400).filter(|number| may_have(*number)).count();
        assert!(wrong < 20, "200 of a million hashes, 10,000 questions: {wrong}");
        live.summary.get().cloned()
    };
    let made = ask(&archive);
    archive.close().unwrap();
    let archive = open_again(&place);
    assert_eq!(ask(&archive), made);
    assert_eq!(archive.rebuild_catalog().unwrap(), 16);
    assert!(archive.stat().unwrap().bytes_by_part["catalog"] > 0);
    drop(archive);
    std::fs::remove_dir_all(folder.path().join("archive/catalog")).unwrap();
    let archive = open_again(&place);
    assert_eq!(ask(&archive), made);
    let _ = offer(&archive, "ben", &documents(200, 3));
    let counts = archive.stat().unwrap().counts;
    assert_eq!((counts.stored, counts.duplicates), (630, 600));
}

#[test]
fn an_archive_of_few_segments_needs_no_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let place: Place = Arc::new(Disk::new(folder.path().join("archive")));
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    sealed(&archive, 0..15);
    archive.close().unwrap();
    let archive = open_again(&place);
    let _ = offer(&archive, "ben", &[document(3, 1)]);
    assert!(archive.shared.state().segments.iter().all(|live| live.summary.get().is_some()));
    archive.close().unwrap();
    assert!(!std::fs::exists(folder.path().join("archive/catalog")).unwrap());
    let archive = open_again(&place);
    sealed(&archive, 15..17);
    let _ = offer(&archive, "ben", &[document(4, 1)]);
    assert!(archive.stat().unwrap().bytes_by_part["catalog"] > 0);
}

#[test]
fn a_reader_reads_sealed_files_once_for_a_manifest() {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    sealed(&archive, 0..2);
    let reader = Archive::open_read_only(Host::new(place), options()).unwrap();
    let base = |reader: &Archive| {
        let ledgers = reader.shared.newest().unwrap().ledgers.clone();
        ledgers.iter().map(Arc::as_ptr).collect::<Vec<_>>()
    };
    let before = base(&reader);
    let _ = offer(&archive, "ben", &[document(3, 1)]);
    assert_eq!(reader.stat().unwrap().journal_rows, 1);
    assert_eq!(base(&reader), before, "the journal alone was looked at again");
    archive.seal().unwrap();
    assert_ne!(base(&reader), before);
}

/// Puts a number into the header of the newest journal file, with a checksum that fits.
fn forge_journal(place: &Place, offset: usize, number: u64) {
    let path = format!("journal/{}", place.list("journal").unwrap().pop().unwrap().name);
    let mut file = bytes(place, &path);
    file[offset..offset + 8].copy_from_slice(&number.to_le_bytes());
    let sum = crc32fast::hash(&file[..4092]);
    file[4092..4096].copy_from_slice(&sum.to_le_bytes());
    replace(place, &path, &file);
}

/// What opening for writing and a commit say about an archive.
fn write_on(place: &Place) -> Result<CommitReport> {
    let archive = Archive::open(Host::new(Arc::clone(place)), options())?;
    let mut batch = archive.batch(archive.begin_run("more")?);
    let origin = Origin { source: "test", offset: 0 };
    batch.offer(&Custodian::user("eve"), RecordKind::Message, document(9, 9).as_bytes(), origin);
    batch.commit()
}

#[test]
fn sequences_that_are_spent_in_a_journal_are_an_error_and_never_begin_anew() {
    let (last, base) = (56, 80);
    for (offset, number, expected) in [
        (base, u64::MAX, ErrorKind::Corrupt),
        (base, u64::MAX - 1_000, ErrorKind::Corrupt),
        (base, 1 << 56, ErrorKind::InvalidInput),
        (last, u64::MAX, ErrorKind::Corrupt),
    ] {
        let place = place();
        let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
        let _ = offer(&archive, "anna", &documents(1, 2));
        drop(archive);
        forge_journal(&place, offset, number);
        assert_eq!(write_on(&place).unwrap_err().kind(), expected, "{number} at {offset}");
    }
}

#[test]
fn an_opening_and_a_look_up_read_as_much_of_a_large_ledger_as_of_a_small_one() {
    let read = |count: usize| {
        let place = place();
        let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
        let _ = offer(&archive, "anna", &documents(1, 2));
        archive.seal().unwrap();
        let mut batch = archive.batch(archive.begin_run("many").unwrap());
        let origin = Origin { source: "test", offset: 0 };
        for number in 0..count {
            let custodian = Custodian::user(&format!("user{number:06}"));
            let row = document(1, number as u64 % 2);
            batch.offer(&custodian, RecordKind::Message, row.as_bytes(), origin);
            batch.checkpoint(&format!("position {number}"), &number.to_le_bytes());
        }
        drop(batch.commit().unwrap());
        archive.close().unwrap();
        let reader = Archive::open_read_only(Host::new(place), options()).unwrap();
        let read = || reader.shared.environment.cache_use().read_bytes;
        let opened = read();
        let value = reader.checkpoint("position 777").unwrap();
        assert_eq!(value, Some(777_usize.to_le_bytes().to_vec()));
        let looked_up = read() - opened;
        let custodians = vec![Custodian::user("user000777")];
        let scan = Scan { custodians, ..Scan::default() };
        assert_eq!(reader.snapshot().unwrap().count(&scan).unwrap(), 1);
        [opened, looked_up, read() - opened - looked_up]
    };
    let (small, large) = (read(1_000), read(30_000));
    let more = [500, 8 << 10, 64 << 10];
    let fits = (0..3).all(|at| large[at] <= small[at] + more[at]);
    assert!(fits, "{small:?} bytes of a small one, {large:?} of a large one");
}

#[test]
fn runs_that_are_spent_in_a_ledger_are_an_error_and_never_begin_anew() {
    for (run, expected) in [(1 << 31, ErrorKind::InvalidInput), ((1 << 31) + 1, ErrorKind::Corrupt)]
    {
        let place = place();
        let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
        let _ = offer(&archive, "anna", &documents(1, 2));
        archive.seal().unwrap();
        let manifest = Arc::clone(&archive.shared.state().manifest);
        archive.close().unwrap();
        let mut entries = manifest.files.iter();
        let entry = entries.find(|entry| entry.kind == FileKind::Ledger).unwrap();
        let file = accounts::ledger::tests::rewrite(
            &*place,
            (manifest.archive, entry.number),
            |book, _| {
                let one = book.runs.values().next().unwrap().clone();
                drop(book.runs.insert(run, one));
            },
        );
        replace(&place, &entry.path(), &file);
        let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
        let told = reader.runs().and_then(|_| write_on(&place)).unwrap_err();
        assert_eq!(told.kind(), expected, "run {run}: {told}");
    }
}
