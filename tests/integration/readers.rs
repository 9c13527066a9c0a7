//! Readers beside a writer: each sees whole commits, and a snapshot never changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chatvault_engine::{Archive, Host, Memory, Order, Scan, Storage};
use chatvault_support::Draft;

use crate::kit::child::{self, Other};
use crate::kit::{self, Vault, ada, commit, everything, host, rows, small};

const PER_COMMIT: u64 = 10;

/// Ten messages of a chat of their own.
fn write_one(archive: &Archive, number: u64) {
    let at = |nth: u64| i64::try_from(number * 100 + nth + 1).unwrap();
    let texts: Vec<_> = (0..PER_COMMIT)
        .map(|nth| Draft::chat(&format!("19:c{number}"), at(nth)).text("hello").json())
        .collect();
    let documents: Vec<_> = texts.iter().map(String::as_bytes).collect();
    commit(archive, &ada(), &documents);
}

/// Whole commits and nothing else; how many.
fn whole_commits(archive: &Archive) -> u64 {
    let snapshot = archive.snapshot().unwrap();
    let found = rows(&snapshot, &Scan { order: Order::Modified, ..everything() }).unwrap();
    let mut per_chat = std::collections::BTreeMap::new();
    for row in &found {
        *per_chat.entry(row.key.conversation.clone()).or_insert(0) += 1;
    }
    assert!(per_chat.values().all(|count| *count == PER_COMMIT), "a commit was seen in part");
    assert_eq!(snapshot.count(&everything()).unwrap(), found.len() as u64);
    per_chat.len() as u64
}

#[test]
fn a_reader_in_this_process_follows_the_writer() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let writer = Archive::create(host(&storage), small()).unwrap();
    let reader = Archive::open_read_only(host(&storage), small()).unwrap();
    for number in 0..30 {
        write_one(&writer, number);
        assert_eq!(whole_commits(&reader), number + 1);
        if number % 7 == 6 {
            writer.seal().unwrap();
            assert_eq!(whole_commits(&reader), number + 1, "after sealing");
        }
        if number % 13 == 12 {
            assert!(writer.compact(&mut kit::go_on).unwrap().finished);
            assert_eq!(whole_commits(&reader), number + 1, "after compaction");
        }
    }
}

#[test]
fn snapshots_taken_on_the_way_never_change() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let mut held = Vec::new();
    for number in 0..24_i64 {
        let draft = Draft::chat("19:a", 1_000 + number % 6);
        drop(vault.put(&ada(), &draft.modified(2_000 + number).json()));
        held.push((vault.archive().snapshot().unwrap(), vault.model.clone()));
        match number % 5 {
            1 => vault.archive().seal().unwrap(),
            3 => vault.compact(),
            _ => {}
        }
    }
    for (snapshot, model) in held {
        for scan in [Scan::default(), everything()] {
            let expected: Vec<_> = model.scan(&scan).into_iter().map(kit::expected).collect();
            kit::assert_rows(&rows(&snapshot, &scan).unwrap(), &expected, "an old snapshot");
        }
        assert_eq!(snapshot.custodians().unwrap(), model.by_custodian);
    }
}

#[test]
fn readers_on_other_threads_see_whole_commits_only() {
    let storage: Arc<dyn Storage> = Arc::new(Memory::new());
    let writer = Archive::create(host(&storage), small()).unwrap();
    let elsewhere = Archive::open_read_only(host(&storage), small()).unwrap();
    let done = AtomicBool::new(false);
    let watch = |archive: &Archive| {
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let now = whole_commits(archive);
            assert!(now >= last, "a commit went away: {last} became {now}");
            last = now;
        }
    };
    std::thread::scope(|scope| {
        drop(scope.spawn(|| watch(&writer)));
        drop(scope.spawn(|| watch(&elsewhere)));
        for number in 0..60 {
            write_one(&writer, number);
            if number % 10 == 9 {
                writer.seal().unwrap();
            }
            if number % 20 == 19 {
                assert!(writer.compact(&mut kit::go_on).unwrap().finished);
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(whole_commits(&writer), 60);
    assert_eq!(whole_commits(&elsewhere), 60);
}

#[test]
fn a_reader_in_another_process_follows_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Archive::create(Host::disk(folder.path()), small()).unwrap();
    write_one(&writer, 0);
    let total = 40;
    let mut reader = Other::start("readers::another_process_reads", folder.path(), total);
    assert_eq!(reader.listen(), Some(1), "it reads what was there before it came");
    for number in 1..total {
        write_one(&writer, number);
        if number % 9 == 8 {
            writer.seal().unwrap();
        }
        if number == 25 {
            assert!(writer.compact(&mut kit::go_on).unwrap().finished);
        }
    }
    assert!(reader.has_passed(), "the other process did not see all commits whole");
    writer.close().unwrap();
}

#[test]
#[ignore = "started by a test in another process"]
fn another_process_reads() {
    let archive = Archive::open_read_only(Host::disk(child::folder()), small()).unwrap();
    let mut last = 0;
    for _ in 0..2_000 {
        let fresh = Archive::open_read_only(Host::disk(child::folder()), small()).unwrap();
        let (held, anew) = (whole_commits(&archive), whole_commits(&fresh));
        assert!(held >= last && anew >= last, "a commit went away");
        last = held.min(anew);
        child::tell(last);
        if last == child::number() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(last, child::number());
}
