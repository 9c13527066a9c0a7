//! Making, opening and closing archives, and who may.

use std::sync::Arc;

use chatvault_engine::{Archive, ErrorKind, Host, Memory, Scan, Storage};
use chatvault_support::Draft;
use chatvault_support::storage::{files_in, read_whole, write_whole};

use crate::kit::child::{self, Other};
use crate::kit::{ada, commit, go_on, host, small, texts};

fn memory() -> Arc<dyn Storage> {
    Arc::new(Memory::new())
}

fn kind<T: std::fmt::Debug>(result: chatvault_engine::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn nothing_is_opened_where_no_archive_is() {
    let storage = memory();
    assert_eq!(kind(Archive::open(host(&storage), small())), ErrorKind::NotFound);
    assert_eq!(kind(Archive::open_read_only(host(&storage), small())), ErrorKind::NotFound);
    assert_eq!(files_in(storage.as_ref(), "").unwrap(), [], "looking must leave nothing behind");
}

#[test]
fn an_archive_is_not_made_over_another() {
    let storage = memory();
    let archive = Archive::create(host(&storage), small()).unwrap();
    commit(&archive, &ada(), &[Draft::chat("19:a", 1).json().as_bytes()]);
    archive.close().unwrap();
    assert_eq!(kind(Archive::create(host(&storage), small())), ErrorKind::Exists);
    let archive = Archive::open(host(&storage), small()).unwrap();
    assert_eq!(texts(&archive.snapshot().unwrap(), &Scan::default()).len(), 1);
}

#[test]
fn one_writer_at_a_time() {
    let storage = memory();
    let archive = Archive::create(host(&storage), small()).unwrap();
    assert_eq!(kind(Archive::open(host(&storage), small())), ErrorKind::Locked);
    let kind_of_create = kind(Archive::create(host(&storage), small()));
    assert!([ErrorKind::Locked, ErrorKind::Exists].contains(&kind_of_create));
    archive.close().unwrap();
    drop(Archive::open(host(&storage), small()).unwrap());
    drop(Archive::open(host(&storage), small()).unwrap());
}

#[test]
fn a_writer_keeps_writers_of_other_processes_out() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::create(Host::disk(folder.path()), small()).unwrap();
    assert!(Other::start("open::another_process_finds_it_locked", folder.path(), 1).has_passed());
    archive.close().unwrap();
    assert!(Other::start("open::another_process_finds_it_locked", folder.path(), 0).has_passed());
}

#[test]
#[ignore = "started by a test in another process"]
fn another_process_finds_it_locked() {
    let opened = Archive::open(Host::disk(child::folder()), small());
    match child::number() {
        0 => assert!(opened.is_ok()),
        _ => assert_eq!(kind(opened), ErrorKind::Locked),
    }
}

#[test]
fn a_reader_neither_writes_nor_keeps_the_writer_out() {
    let storage = memory();
    Archive::create(host(&storage), small()).unwrap().close().unwrap();
    let reader = Archive::open_read_only(host(&storage), small()).unwrap();
    let files = || {
        ["", "journal", "manifest", "segments"].map(|at| files_in(storage.as_ref(), at).unwrap())
    };
    let before = files();
    assert_eq!(kind(reader.begin_run("no")), ErrorKind::InvalidInput);
    assert_eq!(kind(reader.seal()), ErrorKind::InvalidInput);
    assert_eq!(kind(reader.put_object(&mut &b"no"[..])), ErrorKind::InvalidInput);
    assert_eq!(kind(reader.compact(&mut go_on)), ErrorKind::InvalidInput);
    assert_eq!(files(), before);
    let writer = Archive::open(host(&storage), small()).unwrap();
    commit(&writer, &ada(), &[Draft::chat("19:a", 1).json().as_bytes()]);
    reader.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn an_archive_can_be_opened_again_and_again_without_growing() {
    let storage = memory();
    let archive = Archive::create(host(&storage), small()).unwrap();
    commit(&archive, &ada(), &[Draft::chat("19:a", 1).json().as_bytes()]);
    archive.close().unwrap();
    let bytes = || -> u64 {
        let folders = ["", "journal", "manifest", "segments", "catalog", "trash", "quarantine"];
        let files = folders.iter().flat_map(|at| files_in(storage.as_ref(), at).unwrap());
        files.map(|(_, bytes)| bytes).sum()
    };
    let reopen = || Archive::open(host(&storage), small()).unwrap().close().unwrap();
    (0..10).for_each(|_| reopen());
    let after_ten = bytes();
    (0..20).for_each(|_| reopen());
    assert!(bytes() <= after_ten * 2, "{} bytes grew to {}", after_ten, bytes());
}

#[test]
fn a_dropped_archive_gives_its_lock_back_and_loses_nothing() {
    let storage = memory();
    let text = Draft::chat("19:a", 1).json();
    {
        let archive = Archive::create(host(&storage), small()).unwrap();
        commit(&archive, &ada(), &[text.as_bytes()]);
    }
    let archive = Archive::open(host(&storage), small()).unwrap();
    assert_eq!(texts(&archive.snapshot().unwrap(), &Scan::default()), [text]);
}

#[test]
fn a_snapshot_outlives_its_archive() {
    let storage = memory();
    let archive = Archive::create(host(&storage), small()).unwrap();
    let text = Draft::chat("19:a", 1).json();
    commit(&archive, &ada(), &[text.as_bytes()]);
    let snapshot = archive.snapshot().unwrap();
    archive.close().unwrap();
    let archive = Archive::open(host(&storage), small()).unwrap();
    assert!(archive.compact(&mut go_on).unwrap().finished);
    assert_eq!(texts(&snapshot, &Scan::default()), [text]);
}

#[test]
fn background_compaction_changes_no_answer() {
    let storage = memory();
    let mut options = small();
    options.background_compaction = true;
    options.memtable_bytes = 64 << 10;
    let archive = Archive::create(host(&storage), options.clone()).unwrap();
    let text =
        |at: i64| Draft::chat(&format!("19:{}", at % 7), at).text(&"word ".repeat(40)).json();
    for batch in 0..60 {
        let texts: Vec<_> = (0..20).map(|at| text(batch * 20 + at + 1)).collect();
        let documents: Vec<_> = texts.iter().map(String::as_bytes).collect();
        commit(&archive, &ada(), &documents);
    }
    assert_eq!(archive.snapshot().unwrap().count(&Scan::default()).unwrap(), 1_200);
    archive.close().unwrap();
    let archive = Archive::open(host(&storage), options).unwrap();
    let found = texts(&archive.snapshot().unwrap(), &Scan::default());
    let expected: std::collections::BTreeSet<_> = (1..=1_200).map(text).collect();
    assert_eq!(found.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
}

#[test]
fn what_is_no_archive_is_refused_and_left_alone() {
    for text in ["", "hello", "\0\0\0\0", "chatvault"] {
        let storage = memory();
        storage.make_folder("").unwrap();
        write_whole(storage.as_ref(), "FORMAT", text.as_bytes()).unwrap();
        for result in [
            Archive::open(host(&storage), small()),
            Archive::open_read_only(host(&storage), small()),
        ] {
            let error = result.unwrap_err();
            let told = [ErrorKind::Corrupt, ErrorKind::Unsupported, ErrorKind::NotFound];
            assert!(told.contains(&error.kind()), "{error}");
        }
        assert_eq!(read_whole(storage.as_ref(), "FORMAT").unwrap(), text.as_bytes());
    }
}
