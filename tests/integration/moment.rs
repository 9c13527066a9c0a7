//! A snapshot is one moment in everything, and a commit's id tells it from any other past.

use std::sync::Arc;

use chatvault_engine::{
    Archive, Cursor, Custodian, ErrorKind, Memory, MessageKey, RecordKind, Scan, Sequence, Storage,
};
use chatvault_query::{Commit, Query};
use chatvault_support::Draft;
use chatvault_support::storage::{Faulty, Operation, Survival, Volatile};

use crate::kit::{self, ORIGIN, Vault, ada, ben, everything, host, rows, small};

const AT: i64 = 1_700_000_000_000;

fn key(number: i64) -> MessageKey {
    MessageKey {
        record: RecordKind::Message,
        conversation: "19:a".to_owned(),
        reply_to: None,
        id: (AT + number).to_string(),
    }
}

/// A commit with something of everything, by a custodian and under a run that nobody knew before.
fn write(archive: &Archive, number: i64) -> chatvault_engine::Result<Sequence> {
    let object = archive.put_object(&mut &number.to_le_bytes()[..])?;
    let custodian = Custodian::user(&format!("user {number}"));
    let mut batch = archive.batch(archive.begin_run(&format!("run {number}"))?);
    let text = Draft::chat("19:a", AT + number).json();
    batch.offer(&custodian, RecordKind::Message, text.as_bytes(), ORIGIN);
    batch.offer(&custodian, RecordKind::Message, b"{}", ORIGIN);
    batch.link(&key(number), "file", object);
    batch.checkpoint("place", &number.to_le_bytes());
    batch.checkpoint(&format!("list/{number}"), b"there");
    batch.commit().map(|report| report.sequence)
}

/// Everything that an archive says of commits 1 to `last`, and of no other.
fn check(archive: &Archive, last: i64) {
    let numbers: Vec<i64> = (1..=last).collect();
    let snapshot = archive.snapshot().unwrap();
    let count = numbers.len() as u64;
    assert_eq!(snapshot.count(&everything()).unwrap(), count);
    let counts = snapshot.custodians().unwrap();
    let names: Vec<_> = numbers.iter().map(|n| Custodian::user(&format!("user {n}"))).collect();
    assert_eq!(counts.len(), names.len());
    assert!(names.iter().all(|name| counts[name].offered == 2 && counts[name].balance()));
    let refused =
        snapshot.quarantine().unwrap().map(|one| one.unwrap().copies.values().sum::<u64>());
    assert_eq!(refused.sum::<u64>(), count);
    let linked = (1..=last + 1).filter(|n| !snapshot.links(&key(*n)).unwrap().is_empty());
    assert_eq!(linked.collect::<Vec<_>>(), numbers);
    assert_eq!(snapshot.has_links(), last > 0);
    let place = archive.checkpoint("place").unwrap();
    assert_eq!(place, (last > 0).then(|| last.to_le_bytes().to_vec()));
    assert_eq!(archive.checkpoints("list/").unwrap().len(), names.len());
    assert_eq!(archive.runs().unwrap().len(), names.len());
    let stat = archive.stat().unwrap();
    assert_eq!((stat.custodians, stat.runs, stat.counts.offered), (count, count, 2 * count));
    assert_eq!(stat.commit, snapshot.commit());
}

#[test]
fn a_commit_that_failed_is_seen_by_nobody() {
    for operation in [Operation::Sync, Operation::Write] {
        let disk: Arc<dyn Storage> = Arc::new(Memory::new());
        let faulty = Faulty::over(Arc::clone(&disk));
        let archive = Archive::create(host(&faulty.storage()), small()).unwrap();
        check(&archive, 0);
        for number in 1..=3 {
            let _ = write(&archive, number).unwrap();
        }
        let object = archive.put_object(&mut &b"ready"[..]).unwrap();
        archive.seal().unwrap();
        let mut batch = archive.batch(archive.begin_run("doomed").unwrap());
        batch.offer(&ada(), RecordKind::Message, Draft::chat("19:a", 5).json().as_bytes(), ORIGIN);
        batch.offer(&ada(), RecordKind::Message, b"[]", ORIGIN);
        batch.link(&key(4), "file", object);
        batch.checkpoint("place", b"doomed");
        batch.checkpoint("list/doomed", b"doomed");
        faulty.fail_after(operation, 0);
        assert!(batch.commit().is_err());
        assert!(faulty.has_failed(operation));
        check(&archive, 3);
    }
}

#[test]
fn a_snapshot_as_of_a_commit_is_what_the_archive_held_then() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let mut held = Vec::new();
    for number in 1..=8 {
        let sequence = write(vault.archive(), number).unwrap();
        held.push((sequence, vault.archive().snapshot().unwrap()));
        match number {
            3 => vault.archive().seal().unwrap(),
            6 => vault.compact(),
            _ => {}
        }
    }
    for stage in 0..2 {
        let newest = vault.archive().snapshot().unwrap();
        for (number, (sequence, then)) in (1..).zip(&held) {
            let now = newest.as_of(*sequence);
            let (all, before) = (rows(&now, &everything()), rows(then, &everything()));
            kit::assert_rows(&all.unwrap(), &before.unwrap(), "as of a commit");
            assert_eq!((now.sequence(), now.commit()), (*sequence, then.commit()), "{stage}");
            for other in 1..=8 {
                assert_eq!(now.links(&key(other)).unwrap(), then.links(&key(other)).unwrap());
                assert_eq!(now.links(&key(other)).unwrap().len(), usize::from(other <= number));
                assert_eq!(now.latest(&key(other)).unwrap().is_some(), other <= number);
                assert_eq!(now.history(&key(other)).unwrap().len(), usize::from(other <= number));
            }
            let last = number == 8;
            assert_eq!(now.custodians().is_ok(), last, "counters are not kept by commit");
            assert_eq!(now.quarantine().is_ok(), last, "nor those of the quarantine");
        }
        assert!(!newest.as_of(Sequence(0)).has_links());
        vault.compact();
        vault.reopen();
    }
}

#[test]
fn a_commit_keeps_its_id_however_the_archive_is_sealed_merged_and_reopened() {
    let disk = Volatile::new();
    let mut vault = Vault::create(disk.storage());
    assert_eq!(vault.archive().snapshot().unwrap().commit().to_string(), "0-0000000000000000");
    let (mut disk, mut ids) = (disk, Vec::new());
    for number in 1..=12 {
        let _ = write(vault.archive(), number).unwrap();
        ids.push(vault.archive().snapshot().unwrap().commit());
        match number {
            // A power cut after acknowledged commits that no later frame proves.
            2 | 7 => {
                disk = disk.after_power_cut(Survival::OnlySynced);
                vault.move_to(disk.storage());
            }
            4 => vault.archive().seal().unwrap(),
            5 | 10 => vault.reopen(),
            9 => vault.compact(),
            _ => {}
        }
        let snapshot = vault.archive().snapshot().unwrap();
        for id in &ids {
            snapshot.check_commit(id).unwrap();
            assert_eq!(snapshot.commit_id(id.sequence).unwrap(), Some(*id));
        }
    }
    let reader = Archive::open_read_only(host(&disk.storage()), small()).unwrap();
    assert_eq!(reader.snapshot().unwrap().commit(), ids[11]);
    assert_eq!(reader.snapshot().unwrap().commit_id(Sequence(u64::MAX)).unwrap(), None);
    let distinct: std::collections::BTreeSet<_> = ids.iter().map(|id| id.chain).collect();
    assert_eq!(distinct.len(), ids.len());
}

/// An archive, and one that was put back from a copy and went on in another way.
fn two_pasts() -> [Archive; 2] {
    let disk = Volatile::new();
    let put = |archive: &Archive, custodian: &Custodian, at: i64| {
        kit::commit(archive, custodian, &[Draft::chat("19:a", AT + at).json().as_bytes()]);
    };
    let archive = Archive::create(host(&disk.storage()), small()).unwrap();
    (0..6).for_each(|at| put(&archive, &ada(), at));
    archive.close().unwrap();
    let copy = disk.fork();
    let [first, second] =
        [disk, copy].map(|disk| Archive::open(host(&disk.storage()), small()).unwrap());
    put(&first, &ada(), 50);
    put(&second, &ben(), 60);
    [first, second]
}

#[test]
fn a_commit_of_another_past_is_refused_by_name() {
    let [first, second] = two_pasts();
    let lost = first.snapshot().unwrap().commit();
    let here = second.snapshot().unwrap();
    assert_eq!(here.commit().sequence, lost.sequence, "the number was given twice");
    let shared = here.commit_id(Sequence(3)).unwrap().unwrap();
    here.check_commit(&shared).unwrap();
    first.snapshot().unwrap().check_commit(&shared).unwrap();
    let error = here.check_commit(&lost).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.to_string();
    assert!(text.contains(&lost.to_string()) && text.contains("put back from a copy"), "{text}");
    let since = |commit| Query { since: Some(commit), ..Query::default() };
    let error = since(Commit::Exact(lost)).run(&here).map(drop).unwrap_err();
    assert!(error.is_wrong_query() && error.to_string().starts_with("since"), "{error}");
    let until = Query { as_of_sequence: Some(Commit::Exact(lost)), ..Query::default() };
    assert!(until.count(&here).unwrap_err().is_wrong_query());
    assert_eq!(since(Commit::Number(lost.sequence.0)).count(&here).unwrap(), 0);
    assert_eq!(since(Commit::Exact(shared)).count(&here).unwrap(), 4);
}

#[test]
fn a_cursor_of_another_past_or_archive_is_refused() {
    let [first, second] = two_pasts();
    let cursor = |archive: &Archive| {
        let snapshot = archive.snapshot().unwrap();
        let mut rows = snapshot.scan(&Scan::default()).unwrap();
        assert!(rows.next().unwrap().is_some());
        Cursor::from_text(&rows.cursor().unwrap().to_text()).unwrap()
    };
    let go_on = |archive: &Archive, cursor: Cursor| {
        let scan = Scan { cursor: Some(cursor), ..Scan::default() };
        archive.snapshot().unwrap().count(&scan)
    };
    assert_eq!(go_on(&first, cursor(&first)).unwrap(), 6);
    let error = go_on(&second, cursor(&first)).unwrap_err();
    assert!(error.to_string().contains("put back from a copy"), "{error}");
    let stranger = Archive::create(
        chatvault_engine::Host {
            storage: Arc::new(Memory::new()),
            clock: Arc::new(chatvault_support::SteppingClock::new(77)),
        },
        small(),
    )
    .unwrap();
    kit::commit(&stranger, &ada(), &[Draft::chat("19:a", AT).json().as_bytes()]);
    let scan = Scan { cursor: Some(cursor(&first)), ..Scan::default() };
    let error = stranger.snapshot().unwrap().count(&scan).unwrap_err();
    assert!(error.to_string().contains("another archive"), "{error}");
}
