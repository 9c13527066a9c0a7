//! Archives in memory: sound ones, and the same with one thing wrong.

use chatvault_base::go_on;

use super::super::accounts::book::Counts;
use super::super::accounts::ledger::tests as ledger;
use super::super::accounts::ranges::Ranges;
use super::super::tests::{
    Place, bytes, document, documents, offer, offer_the_rest, options, paths, place, replace,
};
use super::arrivals::Arrivals;
use super::deep::{GroupRead, Reader};
use super::files::Readable;
use super::*;
use crate::cache::Cache;
use crate::options::Host;
use crate::scan::Scan;
use crate::segment::{Effort, NewRow, Segment, Source, Visit, build};
use crate::types::{ContentAddress, MessageKind, RecordKind, Sequence, Timestamp};

/// Segment, ledger, quarantine, pack and journal, all with something in them.
fn full(place: &Place) -> Archive {
    let archive = Archive::create(Host::new(Arc::clone(place)), options()).unwrap();
    let _ = offer(&archive, "anna", &documents(3, 40));
    offer_the_rest(&archive);
    archive.seal().unwrap();
    let _ = offer(&archive, "ben", &documents(4, 20));
    let _ = offer(&archive, "carl", &[String::from("{}")]);
    archive
}

fn verify(archive: &Archive, depth: Depth) -> VerifyReport {
    archive.verify(depth, &mut go_on).unwrap()
}

fn files(place: &Place) -> Vec<String> {
    let all = paths(place, &FOLDERS).into_iter();
    all.filter(|path| path != "LOCK").collect()
}

#[test]
fn a_sound_archive_has_no_damage_for_its_writer_and_its_readers() {
    let place = place();
    let writer = full(&place);
    let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
    for (archive, depth) in [
        (&writer, Depth::Structure),
        (&writer, Depth::Deep),
        (&reader, Depth::Structure),
        (&reader, Depth::Deep),
    ] {
        let report = verify(archive, depth);
        assert_eq!((report.damages, report.strangers), (Vec::new(), Vec::new()));
        assert_eq!((report.finished, report.rows), (true, 140));
        let counts =
            Counts { offered: 203, stored: 140, variants: 0, duplicates: 60, quarantined: 3 };
        assert_eq!((report.counts, report.custodians), (counts, 3));
    }
    writer.close().unwrap();
    let report = verify(&reader, Depth::Deep);
    assert_eq!((report.damages, report.rows), (Vec::new(), 140));
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_the_file_is_named() {
    let place = place();
    let archive = full(&place);
    for path in files(&place) {
        let sound = bytes(&place, &path);
        let end = sound.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        // What is reserved for frames to come is no part of the journal yet.
        for at in (0..end).step_by(end.div_ceil(60)).chain([end - 1]) {
            let mut wrong = sound.clone();
            wrong[at] ^= 1 << (at % 8);
            replace(&place, &path, &wrong);
            let damages = verify(&archive, Depth::Structure).damages;
            let named = damages.iter().any(|damage| damage.file == path);
            assert!(named, "{path}, byte {at} of {end}: {damages:?}");
            assert!(damages.iter().all(|damage| !damage.message.contains('\n')));
        }
        replace(&place, &path, &sound);
    }
    assert_eq!(verify(&archive, Depth::Deep).damages, Vec::new());
}

/// The file of the only segment of [`of_one_segment`].
const SEGMENT: &str = "segments/0000000000000001.seg";

/// An archive of a segment with 36 row groups, and the bytes of that.
fn of_one_segment() -> (Place, Archive, Vec<u8>) {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let _ = offer(&archive, "anna", &documents(10, 900));
    archive.seal().unwrap();
    let sound = bytes(&place, SEGMENT);
    (place, archive, sound)
}

#[test]
fn damage_names_the_conversations_it_touches_and_hides_no_other() {
    let (place, archive, sound) = of_one_segment();
    let state = archive.shared.state();
    let groups = &state.segments[0].segment().unwrap().meta.groups;
    assert_eq!(groups.len(), 36);
    let mut wrong = sound.clone();
    for offset in [groups[3].columns.offset, groups[35].text] {
        wrong[usize::try_from(offset).unwrap() + 20] ^= 1;
    }
    replace(&place, SEGMENT, &wrong);
    for depth in [Depth::Structure, Depth::Deep] {
        let report = verify(&archive, depth);
        let found: Vec<(Option<u64>, usize)> = report
            .damages
            .iter()
            .map(|damage| (damage.offset, damage.conversations.len()))
            .collect();
        // Chats 0 and 1 have rows from 768 to 1,023, chat 9 those from 8,960 on.
        assert_eq!(found, [(Some(groups[3].columns.offset), 2), (Some(groups[35].text), 1)]);
        assert_eq!(report.damages[1].conversations, ["19:chat0009@thread.v2"]);
        assert!(report.finished);
    }
}

#[test]
fn an_answer_that_meets_damage_names_the_conversations_it_touches() {
    let (place, archive, sound) = of_one_segment();
    let state = archive.shared.state();
    let group = &state.segments[0].segment().unwrap().meta.groups[3];
    for offset in [group.keys.offset, group.columns.offset, group.text] {
        let mut wrong = sound.clone();
        wrong[usize::try_from(offset).unwrap() + 20] ^= 1;
        replace(&place, SEGMENT, &wrong);
        let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
        let mut rows = reader.snapshot().unwrap().scan(&Scan::default()).unwrap();
        let error = loop {
            match rows.next() {
                Ok(row) => assert!(row.is_some(), "the damage was not met"),
                Err(error) => break error,
            }
        };
        assert_eq!((error.file(), error.offset()), (Some(SEGMENT), Some(offset)));
        assert_eq!(error.touched().conversations.len(), 2, "{error}");
        assert!(error.to_string().contains("19:chat0001@thread.v2"), "{error}");
    }
}

#[test]
fn what_is_missing_or_foreign_is_reported() {
    let place = place();
    let archive = full(&place);
    let foreign = ["objects/notes.txt", "segments/0000000000000099.seg", "journal/x.log.tmp"];
    for path in foreign {
        drop(place.create(path).unwrap());
    }
    let report = verify(&archive, Depth::Deep);
    let mut strangers = report.strangers;
    strangers.sort_unstable();
    assert_eq!((report.damages, strangers.len()), (Vec::new(), 3));
    assert!(foreign.iter().all(|path| strangers.iter().any(|stranger| stranger == path)));
    for path in files(&place) {
        if foreign.contains(&&*path) || path.starts_with("manifest") {
            continue;
        }
        let sound = bytes(&place, &path);
        place.remove(&path).unwrap();
        let damages = verify(&archive, Depth::Structure).damages;
        assert!(damages.iter().any(|damage| damage.file == path), "{path}: {damages:?}");
        place.create(&path).unwrap().write_at(0, &sound).unwrap();
    }
}

#[test]
fn it_stops_when_told_to_and_says_so() {
    let place = place();
    let archive = full(&place);
    for depth in [Depth::Structure, Depth::Deep] {
        let mut calls = 0;
        let report = archive.verify(depth, &mut |progress| {
            assert!(progress.done <= 120 && progress.of == Some(120));
            calls += 1;
            continue_if(calls < 3)
        });
        let report = report.unwrap();
        assert_eq!((report.finished, report.damages, calls), (false, Vec::new(), 3));
    }
}

#[test]
fn counters_that_do_not_add_up_are_damage() {
    let broken = |change: &dyn Fn(&mut Counts)| {
        let place = place();
        let archive = full(&place);
        let state = archive.shared.state();
        let mut files = state.manifest.files.iter();
        let entry = files.find(|file| file.kind == manifest::FileKind::Ledger).unwrap();
        let named = (state.manifest.archive, entry.number);
        let forged = ledger::rewrite(&*place, named, |book, _| {
            book.counts.values_mut().take(1).for_each(change);
        });
        replace(&place, &entry.path(), &forged);
        let named = (&*state.manifest, state.manifest_hash);
        let accounts = Accounts::read(&*place, named, Sequence(0), Depth::Structure);
        let mut findings = Findings::default();
        accounts.check(&state.manifest, &mut findings);
        findings.damages.len()
    };
    assert_eq!(broken(&|_| ()), 0);
    assert_eq!(broken(&|counts| counts.offered += 1), 2);
    assert_eq!(broken(&|counts| (counts.offered, counts.stored) = (121, 121)), 1);
    assert_eq!(broken(&|counts| (counts.stored, counts.duplicates) = (119, 1)), 1);
    assert_eq!(broken(&|counts| (counts.stored, counts.quarantined) = (119, 1)), 2);
}

#[test]
fn a_busy_writer_is_not_taken_for_damage() {
    let place = place();
    let archive = full(&place);
    let reader = Archive::open_read_only(Host::new(Arc::clone(&place)), options()).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 0..40 {
                let documents: Vec<String> =
                    (0..50).map(|number| document(round % 5, round as u64 * 10 + number)).collect();
                let _ = offer(&archive, "dora", &documents);
                let _ = archive.put_object(&mut &(round as u64).to_le_bytes()[..]).unwrap();
                if round % 4 == 3 {
                    archive.seal().unwrap();
                }
                if round % 10 == 9 {
                    assert!(archive.compact(&mut go_on).unwrap().finished);
                }
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let mut looks = 0;
        while looks < 4 || !stop.load(std::sync::atomic::Ordering::SeqCst) {
            let archive = if looks % 2 == 0 { &archive } else { &reader };
            let depth = if looks % 4 < 2 { Depth::Structure } else { Depth::Deep };
            let report = verify(archive, depth);
            assert_eq!(report.damages, Vec::new(), "look {looks}");
            assert!(report.finished);
            looks += 1;
        }
        writing.join().unwrap();
    });
}

/// What verification says once a ledger has one more sighting of a segment's row.
fn with_sighting(at: (u32, u32, u64), depth: Depth) -> Vec<String> {
    let place = place();
    let archive = Archive::create(Host::new(Arc::clone(&place)), options()).unwrap();
    let _ = offer(&archive, "anna", &documents(1, 5));
    let _ = offer(&archive, "ben", &documents(2, 5));
    archive.seal().unwrap();
    let manifest = Arc::clone(&archive.shared.state().manifest);
    let of_kind = |kind| manifest.files.iter().find(|file| file.kind == kind).unwrap();
    let entry = of_kind(manifest::FileKind::Ledger);
    let path = entry.path();
    let segment = of_kind(manifest::FileKind::Segment).number;
    let bytes = ledger::rewrite(&*place, (manifest.archive, entry.number), |_, ranges| {
        drop(ranges.insert(segment, Ranges::of(vec![at])));
    });
    replace(&place, &path, &bytes);
    let damages = verify(&archive, depth).damages.into_iter();
    let hash = |message: &String| message.contains("BLAKE3") || message.contains("file has");
    damages.map(|damage| damage.message).filter(|message| !hash(message)).collect()
}

#[test]
fn a_sighting_in_a_commit_that_is_unknown_or_before_its_row_is_damage() {
    let told = |at, depth, expected: &str| {
        let messages = with_sighting(at, depth);
        assert!(messages.iter().any(|one| one.contains(expected)), "{expected}: {messages:?}");
    };
    // Rows 5 to 9 came with commit 2, for ben.
    assert_eq!(with_sighting((0, 7, 2), Depth::Deep), Vec::<String>::new());
    told((0, 7, 9), Depth::Structure, "delivered in commit 9, which nothing knows");
    told((0, 7, 0), Depth::Structure, "rows 7..8 of segment 1 were delivered in commit 0");
    assert_eq!(with_sighting((0, 7, 1), Depth::Structure), Vec::<String>::new());
    told((0, 7, 1), Depth::Deep, "row 7 was delivered in commit 1, before it was stored");
}

/// Rows with one key changed.
struct Forged {
    rows: Vec<(String, ContentAddress)>,
    change: Change,
}

type Change = fn(&mut NewRow<'_>);

impl Source for Forged {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        for (number, (document, address)) in self.rows.iter().enumerate() {
            let id = (1_700_000_000_000 + number as u64 * 1000).to_string();
            let time = Timestamp::from_ms(id.parse().unwrap());
            let sender = format!("sender-{}", number % 7);
            let mut row = NewRow {
                document: document.as_bytes(),
                record: RecordKind::Message,
                conversation: "19:chat0000@thread.v2",
                reply_to: None,
                id: &id,
                version: time.ms().cast_unsigned(),
                created: time,
                modified: time,
                sender: Some(&sender),
                kind: MessageKind::Message,
                sequence: Sequence(1),
                address: Some(*address),
                sightings: &[(0, 1)],
                sibling: false,
                beside: false,
            };
            if number == 5 {
                (self.change)(&mut row);
            }
            each(&row)?;
        }
        Ok(())
    }
}

fn read_forged(change: Change) -> GroupRead {
    let mut compare = super::super::commit::committing::Compare::default();
    let mut row = |number| {
        let document = document(0, number);
        let (address, _) = compare.document(document.as_bytes()).unwrap();
        (document, address)
    };
    let mut forged = Forged { rows: (0..20).map(&mut row).collect(), change };
    let built = build([1; 16], 1, (Effort::FRESH, None), &mut forged).unwrap();
    let place = place();
    place.make_folder("").unwrap();
    place.create("1.seg").unwrap().write_at(0, &built.file).unwrap();
    let cache = Arc::new(Cache::new(1 << 20));
    let segment = Segment::open(&*place, [1; 16], 1, "1.seg", cache).unwrap();
    let mut arrivals = Arrivals::default();
    arrivals.know([1]);
    let (segment, arrivals) = (Arc::new(segment), Arc::new(arrivals));
    let readable = Readable { segment, damaged: std::iter::empty().collect(), arrivals };
    Reader::default().read(&readable, 0, 0)
}

#[test]
fn a_row_under_a_wrong_key_is_found_though_every_checksum_fits() {
    let sound = read_forged(|_| ());
    assert!(sound.damage.is_none() && sound.whole && sound.addresses.len() == 20);
    let early = read_forged(|row| (row.sequence, row.sightings) = (Sequence(9), &[(0, 9)]));
    let early = early.damage.unwrap();
    assert!(
        early.to_string().contains("row 5 was delivered in commit 9, which nothing"),
        "{early}"
    );
    let cases: [(&str, Change); 8] = [
        ("tag", |row| row.address.as_mut().unwrap().0[0] ^= 1),
        ("reply_to", |row| row.reply_to = Some("1699999999999")),
        ("version", |row| row.version += 1),
        ("modified time", |row| row.modified = Timestamp::from_ticks(row.modified.ticks() + 1)),
        ("sender", |row| row.sender = None),
        ("kind", |row| row.kind = MessageKind::System),
        ("created time", |row| row.created = Timestamp::from_ticks(row.created.ticks() + 1)),
        ("id", |row| row.id = "1700000005001"),
    ];
    for (key, change) in cases {
        let error = read_forged(change).damage.unwrap();
        let expected = format!("{key} of row 5 is not that of its document (0 rows more)");
        assert!(error.to_string().contains(&expected), "{key}: {error}");
        assert_eq!(error.touched().conversations, ["19:chat0000@thread.v2"]);
    }
}
