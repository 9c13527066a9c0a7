//! One list of manners, shown by every storage.

use std::io::ErrorKind;
use std::sync::Arc;

use super::{Disk, FileName, Memory, Storage, whole};

type Manner = fn(&dyn Storage);

const MANNERS: [(&str, Manner); 12] = [
    ("a missing archive has no files, locks or names to sync", nothing_is_there_before_its_folder),
    ("create makes a new name", create_never_replaces),
    ("writes go to their offset and fill gaps with zeros", writes_go_to_their_offset),
    ("reads past the end are refused whole", reads_past_the_end_are_refused),
    ("rename replaces and keeps open files", rename_replaces_and_keeps_open_files),
    ("publishing takes a free name only", publishing_takes_a_free_name_only),
    ("removal keeps open files", removal_keeps_open_files),
    ("a listing has the files of one folder in order", a_listing_is_one_folder_in_order),
    ("a lock excludes everybody until it is dropped", a_lock_excludes_until_dropped),
    ("who reads sees whether somebody writes", who_reads_sees_whether_somebody_writes),
    ("a removed or replaced lock is held no more", a_replaced_lock_is_held_no_more),
    ("a whole file replaces what a crash left", a_whole_file_replaces_a_leftover),
];

#[test]
fn a_folder_on_disk_has_manners() {
    for (name, manner) in MANNERS {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("archive");
        let disk = Disk::new(&place);
        assert_eq!(disk.local_folder("catalog"), Some(place.join("catalog")), "{name}");
        manner(&disk);
    }
}

#[test]
fn memory_has_the_same_manners() {
    for (name, manner) in MANNERS {
        let memory = Memory::new();
        assert_eq!(memory.local_folder("catalog"), None, "{name}");
        manner(&memory);
    }
}

#[test]
fn clones_share_and_forks_do_not() {
    let memory = Memory::new();
    memory.make_folder("").unwrap();
    let file = memory.create("a").unwrap();
    file.write_at(0, b"before").unwrap();
    let lock = memory.try_lock("LOCK", "me").unwrap();
    let (clone, fork) = (memory.clone(), memory.fork());
    file.write_at(0, b"after!").unwrap();
    assert_eq!((text(&clone, "a"), text(&fork, "a")), ("after!".into(), "before".into()));
    assert!(clone.try_lock("LOCK", "you").unwrap().is_none(), "a clone sees the lock");
    assert!(fork.try_lock("LOCK", "you").unwrap().is_some(), "a fork has no holder");
    drop(lock);
}

#[test]
fn the_lock_is_seen_through_another_handle_of_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Disk::new(folder.path()), Disk::new(folder.path()));
    let lock = one.try_lock("LOCK", "pid 1").unwrap();
    assert!(lock.is_some());
    assert!(two.try_lock("LOCK", "pid 2").unwrap().is_none());
    assert_eq!(text(&two, "LOCK"), "pid 1", "who failed to lock leaves the holder's name");
    drop(lock);
    assert!(two.try_lock("LOCK", "2").unwrap().is_some());
    assert_eq!(text(&one, "LOCK"), "2", "the old text is gone");
}

fn nothing_is_there_before_its_folder(storage: &dyn Storage) {
    assert_eq!(storage.list("").unwrap(), vec![]);
    assert_eq!(storage.list("journal").unwrap(), vec![]);
    let failures = [
        storage.create("a").map(drop),
        storage.open("a").map(drop),
        storage.remove("a"),
        storage.rename("a", "b"),
        storage.sync_folder(""),
        storage.try_lock("LOCK", "me").map(drop),
    ];
    let kinds = failures.map(|failure| failure.unwrap_err().kind());
    assert_eq!(kinds, [ErrorKind::NotFound; 6]);
}

fn create_never_replaces(storage: &dyn Storage) {
    put(storage, "journal/a", b"first");
    let again = storage.create("journal/a").map(drop);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(text(storage, "journal/a"), "first");
    let nowhere = storage.create("segments/a").map(drop);
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
}

fn writes_go_to_their_offset(storage: &dyn Storage) {
    storage.make_folder("").unwrap();
    let file = storage.create("a").unwrap();
    let reader = storage.open("a").unwrap();
    file.write_at(4, b"tail").unwrap();
    file.write_at(1, b"!").unwrap();
    file.sync().unwrap();
    assert_eq!(text(storage, "a"), "\0!\0\0tail");
    assert_eq!(reader.bytes().unwrap(), 8, "a reader sees the file grow");
}

fn reads_past_the_end_are_refused(storage: &dyn Storage) {
    put(storage, "a", b"12345");
    let file = storage.open("a").unwrap();
    let mut out = [0; 3];
    file.read_at(2, &mut out).unwrap();
    assert_eq!(&out, b"345");
    for offset in [3, 5, 6, u64::from(u32::MAX)] {
        let kind = file.read_at(offset, &mut out).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::UnexpectedEof, "offset {offset}");
    }
}

fn rename_replaces_and_keeps_open_files(storage: &dyn Storage) {
    put(storage, "a", b"new");
    put(storage, "trash/b", b"old");
    let (a, b) = (storage.open("a").unwrap(), storage.open("trash/b").unwrap());
    storage.rename("a", "trash/b").unwrap();
    storage.sync_folder("").unwrap();
    storage.sync_folder("trash").unwrap();
    assert_eq!(storage.open("a").map(drop).unwrap_err().kind(), ErrorKind::NotFound);
    let seen = [text(storage, "trash/b"), content(&*a), content(&*b)];
    assert_eq!(seen, ["new", "new", "old"]);
}

fn publishing_takes_a_free_name_only(storage: &dyn Storage) {
    put(storage, "journal/a.tmp", b"first");
    put(storage, "journal/b.tmp", b"second");
    storage.publish("journal/a.tmp", "journal/a").unwrap();
    let taken = storage.publish("journal/b.tmp", "journal/a").unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert_eq!(text(storage, "journal/a"), "first");
    let left: Vec<_> = storage.list("journal").unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(left, ["a", "b.tmp"]);
    let missing = storage.publish("journal/c.tmp", "journal/c").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

fn removal_keeps_open_files(storage: &dyn Storage) {
    put(storage, "a", b"bytes");
    let file = storage.open("a").unwrap();
    storage.remove("a").unwrap();
    assert_eq!(storage.remove("a").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(content(&*file), "bytes");
    put(storage, "a", b"other");
    assert_eq!((content(&*file), text(storage, "a")), ("bytes".into(), "other".into()));
}

fn a_listing_is_one_folder_in_order(storage: &dyn Storage) {
    for path in ["journal/2.log", "journal/1.log", "journal/10.log", "FORMAT"] {
        put(storage, path, b"123");
    }
    let names = |folder| -> Vec<(String, u64)> {
        let pair = |file: FileName| (file.name, file.bytes);
        storage.list(folder).unwrap().into_iter().map(pair).collect()
    };
    let expected = ["1.log", "10.log", "2.log"].map(|name| (name.to_owned(), 3));
    assert_eq!(names("journal"), expected);
    assert_eq!(names(""), [("FORMAT".to_owned(), 3)], "folders are no files");
}

fn a_lock_excludes_until_dropped(storage: &dyn Storage) {
    storage.make_folder("").unwrap();
    let lock = storage.try_lock("LOCK", "a long name of the holder").unwrap();
    assert!(lock.is_some());
    assert!(storage.try_lock("LOCK", "2").unwrap().is_none());
    assert_eq!(text(storage, "LOCK"), "a long name of the holder");
    drop(lock);
    assert!(storage.try_lock("LOCK", "2").unwrap().is_some());
    assert_eq!(text(storage, "LOCK"), "2");
}

fn who_reads_sees_whether_somebody_writes(storage: &dyn Storage) {
    storage.make_folder("").unwrap();
    assert!(!storage.is_locked("LOCK").unwrap());
    assert!(storage.list("").unwrap().is_empty(), "looking writes nothing");
    let lock = storage.try_lock("LOCK", "me").unwrap();
    assert!(storage.is_locked("LOCK").unwrap());
    drop(lock);
    assert!(!storage.is_locked("LOCK").unwrap());
    put(storage, "a", b"bytes");
    storage.sync_file("a").unwrap();
    assert_eq!(storage.sync_file("b").unwrap_err().kind(), ErrorKind::NotFound);
}

fn a_replaced_lock_is_held_no_more(storage: &dyn Storage) {
    storage.make_folder("").unwrap();
    let lock = storage.try_lock("LOCK", "1").unwrap().unwrap();
    assert!(lock.still_held().unwrap());
    storage.remove("LOCK").unwrap();
    assert!(!lock.still_held().unwrap());
    let other = storage.try_lock("LOCK", "2").unwrap().unwrap();
    assert_eq!((lock.still_held().unwrap(), other.still_held().unwrap()), (false, true));
}

fn a_whole_file_replaces_a_leftover(storage: &dyn Storage) {
    put(storage, "manifest/1.tmp", b"half of something longer");
    whole::write_new(storage, "manifest/1", b"whole").unwrap();
    let again = whole::write_new(storage, "manifest/1", b"other").unwrap_err();
    assert_eq!(again.kind(), crate::ErrorKind::Exists);
    assert_eq!(whole::read(storage, "manifest/1", 5).unwrap(), b"whole");
    assert_eq!(storage.list("manifest").unwrap().len(), 1);
    let kind = |limit, path| whole::read(storage, path, limit).unwrap_err().kind();
    assert_eq!(kind(4, "manifest/1"), crate::ErrorKind::Corrupt);
    assert_eq!(kind(4, "manifest/2"), crate::ErrorKind::NotFound);
}

fn put(storage: &dyn Storage, path: &str, bytes: &[u8]) {
    storage.make_folder("").unwrap();
    storage.make_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder)).unwrap();
    storage.create(path).unwrap().write_at(0, bytes).unwrap();
}

fn text(storage: &dyn Storage, path: &str) -> String {
    content(&*storage.open(path).unwrap())
}

fn content(file: &dyn super::ReadFile) -> String {
    let mut out = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn storages_can_be_shared_between_threads() {
    let shared: Arc<dyn Storage> = Arc::new(Memory::new());
    shared.make_folder("").unwrap();
    let file: Arc<dyn super::WriteFile> = Arc::from(shared.create("a").unwrap());
    std::thread::scope(|scope| {
        for turn in 0..4_u8 {
            let file = Arc::clone(&file);
            let write = move || file.write_at(u64::from(turn), &[b'0' + turn]).unwrap();
            drop(scope.spawn(write));
        }
    });
    assert_eq!(text(&*shared, "a"), "0123");
}
