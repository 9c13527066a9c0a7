//! Going on after damage: what is whole is read, verified, written on and named; the rest is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use chatvault_engine::{
    Archive, Depth, ErrorKind, MessageKey, Origin, RecordKind, Scan, Sequence, Storage, TimeRange,
    Timestamp, VerifyReport, verify,
};
use chatvault_support::Draft;
use chatvault_support::storage::{Volatile, files_in, flip_bit, read_whole, write_whole};

use crate::kit::{ada, ben, commit, everything, go_on, host, rows, small};

const CHATS: [&str; 3] = ["19:one", "19:two", "19:three"];
const PER_CHAT: i64 = 200;

/// A message of a chat; each chat has times of its own.
fn message(chat: usize, at: i64) -> String {
    let at = i64::try_from(chat).unwrap() * 1_000_000 + at;
    Draft::chat(CHATS[chat], at).text(&format!("{at} words of a message")).json()
}

fn key(chat: usize, at: i64) -> MessageKey {
    let text = message(chat, at);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    MessageKey {
        record: RecordKind::Message,
        conversation: CHATS[chat].to_owned(),
        reply_to: None,
        id: value["id"].as_str().unwrap().to_owned(),
    }
}

/// A segment a chat, then ledgers with sightings of them, a quarantine, a pack, and a journal.
fn specimen() -> Volatile {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    for chat in 0..CHATS.len() {
        let texts: Vec<String> = (1..=PER_CHAT).map(|at| message(chat, at)).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        commit(&archive, &ada(), &texts);
        archive.seal().unwrap();
    }
    let object = archive.put_object(&mut &b"a picture"[..]).unwrap();
    let mut batch = archive.batch(archive.begin_run("second").unwrap());
    batch.offer(&ben(), RecordKind::Message, message(0, 1).as_bytes(), ORIGIN);
    batch.quarantine(&ben(), b"no document", "not JSON", ORIGIN);
    batch.link(&key(0, 1), "attachment", object);
    batch.checkpoint("position", b"17");
    drop(batch.commit().unwrap());
    archive.seal().unwrap();
    commit(&archive, &ben(), &[message(1, 2).as_bytes()]);
    drop(archive);
    disk.fork()
}

const ORIGIN: Origin<'static> = Origin { source: "test.json", offset: 7 };

fn sealed(storage: &dyn Storage, suffix: &str) -> Vec<String> {
    let folders = ["segments", "objects"].map(|folder| files_in(storage, folder).unwrap());
    let paths = folders.into_iter().flatten().map(|(path, _)| path);
    paths.filter(|path| path.ends_with(suffix)).collect()
}

/// Nothing of the file can be read any more, though its length is right.
fn wipe(storage: &dyn Storage, path: &str) {
    let bytes = vec![0x55; read_whole(storage, path).unwrap().len()];
    write_whole(storage, path, &bytes).unwrap();
}

fn check(storage: &Arc<dyn Storage>) -> VerifyReport {
    verify(&host(storage), &small(), Depth::Deep, &mut go_on).unwrap()
}

fn count(archive: &Archive, scan: &Scan) -> Result<u64, ErrorKind> {
    let count = archive.snapshot().and_then(|snapshot| snapshot.count(scan));
    count.map_err(|error| error.kind())
}

fn of_chat(chat: usize) -> Scan {
    Scan { conversations: vec![CHATS[chat].to_owned()], ..Scan::default() }
}

#[test]
fn no_damaged_or_missing_file_prevents_opening_and_verify_lists_each() {
    let disk = specimen();
    let paths = sealed(&disk, "");
    assert!(paths.len() >= 8, "the specimen is too plain: {paths:?}");
    for path in paths {
        for gone in [true, false] {
            let storage = disk.fork().storage();
            if gone {
                storage.remove(&path).unwrap();
            } else {
                wipe(&*storage, &path);
            }
            let report = check(&storage);
            let damage = report.damages.iter().find(|damage| damage.file == path);
            let damage = damage.unwrap_or_else(|| panic!("{path}: {:?}", report.damages));
            assert_eq!(damage.kind, ErrorKind::Corrupt, "{damage:?}");
            if path.strip_suffix(".seg").is_some() {
                assert_eq!(damage.rows, Some(u64::try_from(PER_CHAT).unwrap()), "{damage:?}");
            }
            drop(Archive::open_read_only(host(&storage), small()).unwrap());
            let archive = Archive::open(host(&storage), small()).unwrap();
            commit(&archive, &ada(), &[message(2, 999).as_bytes()]);
            archive.seal().unwrap();
            assert!(archive.compact(&mut go_on).unwrap().finished);
            let after = Scan { since: Some(Sequence(5)), ..everything() };
            let newest = archive.snapshot().unwrap().sequence();
            assert!(newest > Sequence(5), "{path}: {newest:?}");
            let counted = count(&archive, &after);
            assert!(matches!(counted, Ok(_) | Err(ErrorKind::Corrupt)), "{path}: {counted:?}");
            archive.close().unwrap();
            let again = check(&storage);
            assert!(again.damages.iter().any(|damage| damage.file == path), "{path} is left alone");
        }
    }
}

#[test]
fn verify_lists_every_damage_of_an_archive_that_does_not_open() {
    let disk = specimen();
    let storage = disk.storage();
    let mut broken = vec!["FORMAT".to_owned()];
    broken.extend(sealed(&*storage, ".seg").into_iter().take(2));
    broken.extend(sealed(&*storage, ".led").into_iter().take(2));
    broken.extend(sealed(&*storage, ".qtn"));
    broken.extend(sealed(&*storage, ".pack"));
    for path in &broken {
        wipe(&*storage, path);
    }
    assert!(Archive::open(host(&storage), small()).is_err());
    let told = || -> BTreeSet<String> {
        check(&storage).damages.into_iter().map(|damage| damage.file).collect()
    };
    let found = told();
    let silent: Vec<&String> = broken.iter().filter(|path| !found.contains(*path)).collect();
    assert_eq!(silent, Vec::<&String>::new(), "told: {found:?}");
    // What only the newest manifest names is not known without it.
    let (newest, _) = files_in(&*storage, "manifest").unwrap().pop().unwrap();
    wipe(&*storage, &newest);
    let found = told();
    assert!(["FORMAT", &newest].iter().all(|path| found.contains(*path)), "told: {found:?}");
}

#[test]
fn a_link_to_an_object_that_no_pack_has_is_damage() {
    let disk = specimen();
    let storage = disk.storage();
    let pack = sealed(&*storage, ".pack").remove(0);
    storage.remove(&pack).unwrap();
    let damages = check(&storage).damages;
    let linked = damages.iter().find(|damage| damage.message.contains("link to"));
    assert_eq!(linked.unwrap().conversations, [CHATS[0]], "{damages:?}");
}

/// Damages the first row group's text of a segment: the byte behind header, keys and columns.
fn hurt(storage: &Arc<dyn Storage>, chat: usize) -> String {
    let path = sealed(&**storage, ".seg").remove(chat);
    flip_bit(storage, &path, (32 + 16 + 5) * 8).unwrap();
    path
}

#[test]
fn a_question_meets_only_the_damage_that_it_touches() {
    let disk = specimen();
    let storage = disk.storage();
    drop(hurt(&storage, 0));
    let gone = sealed(&*storage, ".seg").remove(1);
    storage.remove(&gone).unwrap();
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    let corrupt = Err(ErrorKind::Corrupt);
    let all = u64::try_from(PER_CHAT).unwrap();
    // Chat 0 came with commit 1, chat 1 with commit 2, chat 2 with commit 3.
    let late = |scan: Scan| Scan { since: Some(Sequence(2)), ..scan };
    let first = |scan: Scan| Scan { as_of_sequence: Some(Sequence(1)), ..scan };
    let from = Timestamp::from_ms(i64::MAX / 20_000);
    let never = TimeRange { from: Some(from), to: None };
    for (what, scan, expected) in [
        ("everything", everything(), corrupt),
        ("the damaged chat", of_chat(0), corrupt),
        ("a chat that may be in the lost segment", of_chat(2), corrupt),
        ("what came after the lost commits", late(everything()), Ok(all)),
        ("a chat after the lost commits", late(of_chat(2)), Ok(all)),
        ("another chat as of before", first(of_chat(2)), Ok(0)),
        ("the damaged chat as of before", first(of_chat(0)), corrupt),
        ("no time at all", Scan { created: never, ..first(everything()) }, Ok(0)),
    ] {
        assert_eq!(count(&archive, &scan), expected, "{what}");
    }
    let snapshot = archive.snapshot().unwrap();
    let error = snapshot.latest(&key(1, 5)).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*gone)));
    assert_eq!(archive.checkpoint("position").unwrap(), Some(b"17".to_vec()));
}

#[test]
fn a_lost_ledger_touches_custodians_and_counters_and_nothing_else() {
    let disk = specimen();
    let storage = disk.fork().storage();
    let ledger = sealed(&*storage, ".led").pop().unwrap();
    wipe(&*storage, &ledger);
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    let snapshot = archive.snapshot().unwrap();
    assert_eq!(count(&archive, &everything()), Ok(3 * u64::try_from(PER_CHAT).unwrap()));
    let by_ada = Scan { custodians: vec![ada()], ..Scan::default() };
    assert_eq!(count(&archive, &by_ada), Err(ErrorKind::Corrupt));
    let errors = [
        snapshot.custodians().map(drop),
        snapshot.links(&key(0, 1)).map(drop),
        archive.checkpoint("position").map(drop),
        archive.runs().map(drop),
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().file(), Some(&*ledger));
    }
    // A custodian that the lost ledger named keeps clear of a new one.
    drop((snapshot, archive));
    let archive = Archive::open(host(&storage), small()).unwrap();
    commit(&archive, &chatvault_engine::Custodian::user("eve"), &[message(2, 998).as_bytes()]);
    archive.close().unwrap();
    write_whole(&*storage, &ledger, &read_whole(&disk, &ledger).unwrap()).unwrap();
    assert_eq!(check(&storage).damages, [], "the ledger came back from a copy");
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    assert_eq!(archive.snapshot().unwrap().custodians().unwrap().len(), 3);
}

#[test]
fn a_copy_that_cannot_be_compared_is_stored_again_marked_and_counted() {
    let disk = specimen();
    let storage = disk.storage();
    let path = hurt(&storage, 0);
    let archive = Archive::open(host(&storage), small()).unwrap();
    let mut batch = archive.batch(archive.begin_run("again").unwrap());
    for at in [1, 2, 3] {
        batch.offer(&ada(), RecordKind::Message, message(0, at).as_bytes(), ORIGIN);
        batch.offer(&ada(), RecordKind::Message, message(2, at).as_bytes(), ORIGIN);
    }
    let report = batch.commit().unwrap();
    assert_eq!((report.stored_beside, report.counts.stored, report.counts.duplicates), (3, 3, 3));
    archive.seal().unwrap();
    assert!(archive.compact(&mut go_on).unwrap().segments_unreadable > 0);
    archive.close().unwrap();
    let report = check(&storage);
    assert_eq!(report.stored_beside, 3);
    assert!(report.damages.iter().all(|damage| damage.file == path), "{:?}", report.damages);
    // Copies of them are known again, and both are there when the damage is mended.
    let archive = Archive::open(host(&storage), small()).unwrap();
    let mut batch = archive.batch(archive.begin_run("once more").unwrap());
    batch.offer(&ben(), RecordKind::Message, message(0, 2).as_bytes(), ORIGIN);
    assert_eq!(batch.commit().unwrap().counts.duplicates, 1);
    archive.close().unwrap();
    flip_bit(&storage, &path, (32 + 16 + 5) * 8).unwrap();
    assert_eq!(check(&storage).damages, []);
    let archive = Archive::open_read_only(host(&storage), small()).unwrap();
    assert_eq!(archive.stat().unwrap().stored_beside, 3);
    let twice = rows(&archive.snapshot().unwrap(), &of_chat(0)).unwrap();
    assert_eq!(twice.len(), usize::try_from(PER_CHAT).unwrap(), "readers get one of each");
}

#[test]
fn salvage_serves_what_is_whole_and_names_the_rest_once() {
    let disk = specimen();
    let options = || {
        let mut options = small();
        options.salvage = true;
        options
    };
    let refused = Archive::open(host(&disk.storage()), options()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    let all = 3 * PER_CHAT;
    for (path, left) in [
        (sealed(&disk, ".seg").remove(0), all - PER_CHAT),
        (sealed(&disk, ".led").remove(0), all),
        (sealed(&disk, ".qtn").remove(0), all),
        (sealed(&disk, ".pack").remove(0), all),
        ("FORMAT".to_owned(), all),
    ] {
        let storage = disk.fork().storage();
        wipe(&*storage, &path);
        let archive = Archive::open_read_only(host(&storage), options()).unwrap();
        let snapshot = archive.snapshot().unwrap();
        for _ in 0..2 {
            let found = rows(&snapshot, &everything()).unwrap();
            assert_eq!(i64::try_from(found.len()).unwrap(), left, "{path}");
            assert_eq!(snapshot.count(&everything()).unwrap(), found.len() as u64, "{path}");
            drop((snapshot.custodians().unwrap(), snapshot.quarantine().unwrap()));
            drop(archive.stat().unwrap());
        }
        let missing = snapshot.look_for_damage().unwrap();
        let files: Vec<&str> = missing.iter().map(|damage| &*damage.file).collect();
        assert_eq!(files, [&*path], "{missing:?}");
    }
}

/// What the newest manifest is about when it is lost.
#[derive(Clone, Copy, Debug)]
enum Last {
    Seal,
    Object,
    Merge,
}

#[test]
fn salvage_takes_in_the_files_that_only_a_lost_manifest_named() {
    for last in [Last::Seal, Last::Object, Last::Merge] {
        let disk = specimen();
        let archive = Archive::open(host(&disk.storage()), small()).unwrap();
        let mut batch = archive.batch(archive.begin_run("last").unwrap());
        batch.offer(&ben(), RecordKind::Message, message(2, 900).as_bytes(), ORIGIN);
        batch.offer(&ben(), RecordKind::Message, message(2, 3).as_bytes(), ORIGIN);
        batch.quarantine(&ben(), b"nor this", "not JSON", ORIGIN);
        drop(batch.commit().unwrap());
        match last {
            Last::Seal => archive.seal().unwrap(),
            Last::Object => {
                let _ = archive.put_object(&mut &b"another picture"[..]).unwrap();
                archive.seal().unwrap();
            }
            Last::Merge => assert!(archive.compact(&mut go_on).unwrap().finished),
        }
        let snapshot = archive.snapshot().unwrap();
        let expected = rows(&snapshot, &everything()).unwrap();
        let custodians = snapshot.custodians().unwrap();
        let objects = archive.stat().unwrap().objects;
        drop((snapshot, archive));
        for gone in [true, false] {
            let storage = disk.fork().storage();
            let (newest, _) = files_in(&*storage, "manifest").unwrap().pop().unwrap();
            if gone {
                storage.remove(&newest).unwrap();
            } else {
                wipe(&*storage, &newest);
            }
            assert!(Archive::open_read_only(host(&storage), small()).is_err());
            let mut options = small();
            options.salvage = true;
            let archive = Archive::open_read_only(host(&storage), options).unwrap();
            let snapshot = archive.snapshot().unwrap();
            assert!(rows(&snapshot, &everything()).unwrap() == expected, "{last:?}");
            assert_eq!(snapshot.custodians().unwrap(), custodians, "{last:?}");
            assert_eq!(snapshot.quarantine().unwrap().count(), 2, "{last:?}");
            assert_eq!(archive.stat().unwrap().objects, objects, "{last:?}");
            let missing = snapshot.look_for_damage().unwrap();
            let files: Vec<&str> = missing.iter().map(|damage| &*damage.file).collect();
            assert_eq!(files, [&*newest], "{last:?}: {missing:?}");
        }
    }
}

#[test]
fn what_only_a_lost_manifest_named_and_nothing_proves_is_named_as_lost() {
    let disk = specimen();
    let archive = Archive::open(host(&disk.storage()), small()).unwrap();
    commit(&archive, &ben(), &[message(2, 900).as_bytes()]);
    archive.seal().unwrap();
    drop(archive);
    let storage = disk.fork().storage();
    let (newest, _) = files_in(&*storage, "manifest").unwrap().pop().unwrap();
    let ledger = sealed(&*storage, ".led").pop().unwrap();
    wipe(&*storage, &newest);
    wipe(&*storage, &ledger);
    let mut options = small();
    options.salvage = true;
    let archive = Archive::open_read_only(host(&storage), options).unwrap();
    let all = 3 * u64::try_from(PER_CHAT).unwrap();
    assert_eq!(count(&archive, &everything()), Ok(all), "all but the last commit");
    let missing = archive.missing();
    let told = |file: &String| missing.iter().any(|damage| damage.file == *file);
    let segment = sealed(&*storage, ".seg").pop().unwrap();
    assert!([&newest, &ledger, &segment].into_iter().all(told), "{missing:?}");
}

#[test]
fn salvage_reads_on_behind_a_damaged_journal_frame() {
    let disk = Volatile::new();
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    let newest = || files_in(&disk, "journal").unwrap().pop().unwrap().0;
    let mut ends = Vec::new();
    for at in 1..=5 {
        commit(&archive, &ada(), &[message(0, at).as_bytes()]);
        let bytes = read_whole(&disk, &newest()).unwrap();
        ends.push(bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64);
    }
    let storage = disk.fork().storage();
    flip_bit(&storage, &newest(), (ends[1] + 80) * 8).unwrap();
    let mut options = small();
    options.salvage = true;
    let reader = Archive::open_read_only(host(&storage), options).unwrap();
    assert_eq!(count(&reader, &everything()), Ok(4));
    let [lost] = &reader.missing()[..] else { panic!("{:?}", reader.missing()) };
    assert_eq!((&*lost.file, lost.commits), (&*newest(), Some((Sequence(3), Sequence(3)))));
}
