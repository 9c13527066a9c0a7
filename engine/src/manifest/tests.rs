//! What manifests promise.

use super::{
    Change, Disposed, FileEntry, FileKind, Manifest, Record, Replaced, Why, check, codec, load,
    numbers, prune, read, store, successor,
};
use crate::error::{ErrorKind, Result};
use crate::format::multiset::Multiset;
use crate::format::names;
use crate::storage::{Memory, Storage};
use crate::types::{Sequence, Timestamp};

const ARCHIVE: [u8; 16] = [1; 16];

fn place() -> Memory {
    let memory = Memory::new();
    memory.make_folder(names::MANIFEST).unwrap();
    memory
}

fn bag(rows: std::ops::Range<u64>) -> Multiset {
    let mut bag = Multiset::default();
    rows.for_each(|row| bag.insert(blake3::hash(&row.to_le_bytes()).as_bytes()));
    bag
}

/// A segment with rows that are told apart by numbers.
fn segment(number: u64, rows: std::ops::Range<u64>) -> FileEntry {
    FileEntry {
        kind: FileKind::Segment,
        number,
        level: 1,
        bytes: 1 << 20,
        hash: [5; 32],
        rows: rows.end - rows.start,
        multiset: bag(rows),
        first: Sequence(1),
        last: Sequence(4),
    }
}

fn first() -> Manifest {
    Manifest::first(ARCHIVE, Timestamp::from_ms(-5), 1)
}

fn change(current: &Manifest) -> Change {
    Change { sequence: Sequence(9), ..Change::none(current, Timestamp::from_ms(7)) }
}

/// Segments 1 (rows 0..10) and 2 (rows 10..30).
fn second() -> Manifest {
    let added = vec![segment(1, 0..10), segment(2, 10..30)];
    successor(&first(), [2; 32], Change { added, ..change(&first()) }).unwrap()
}

fn merge(added: Vec<FileEntry>, disposed: Vec<Disposed>) -> Result<Manifest> {
    let records = vec![Record { kind: 2, bytes: b"retention".to_vec() }];
    let removed = vec![1, 2];
    let change = Change { added, removed, disposed, records, ..change(&second()) };
    successor(&second(), [3; 32], change)
}

fn disposed(rows: std::ops::Range<u64>) -> Disposed {
    let count = rows.end - rows.start;
    Disposed { kind: FileKind::Segment, rows: count, multiset: bag(rows), record: 0 }
}

#[test]
fn a_manifest_comes_back_and_any_flipped_bit_or_cut_is_noticed() {
    let mut manifest = merge(vec![segment(3, 5..30)], vec![disposed(0..5)]).unwrap();
    manifest.optional_features = vec!["x".into()];
    let (bytes, hash) = codec::encode(&manifest).unwrap();
    assert_eq!(codec::decode(&bytes).unwrap(), (manifest, hash));
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(codec::decode(&damaged).unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
    }
    for end in 0..bytes.len() {
        assert_eq!(codec::decode(&bytes[..end]).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_body_that_is_wrong_under_a_good_hash_is_refused() {
    let (bytes, _) = codec::encode(&second()).unwrap();
    let body = bytes.len() - 32;
    for byte in 8..body {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes[..body].to_vec();
            changed[byte] = value;
            let hash = *blake3::hash(&changed).as_bytes();
            changed.extend_from_slice(&hash);
            // Another value may be a good one; then it must come back as itself.
            if let Ok((manifest, _)) = codec::decode(&changed) {
                let again = codec::encode(&manifest).map(|(bytes, _)| bytes).unwrap();
                assert!(again == changed || again.len() < changed.len(), "byte {byte}");
            }
        }
    }
}

#[test]
fn the_newest_is_loaded_the_last_eight_are_kept_and_their_chain_is_sound() {
    let storage = place();
    let mut manifest = first();
    for _ in 0..11 {
        let hash = store(&storage, &manifest).unwrap();
        assert_eq!(load(&storage, ARCHIVE).unwrap(), (manifest.clone(), hash));
        let next = Change::none(&manifest, Timestamp::from_ms(3));
        manifest = successor(&manifest, hash, next).unwrap();
    }
    assert_eq!(prune(&storage).unwrap(), 3);
    assert_eq!(numbers(&storage).unwrap(), (4..=11).collect::<Vec<u64>>());
    assert_eq!(prune(&storage).unwrap(), 0);
    assert_eq!(read(&storage, ARCHIVE, 3).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(check(&storage, ARCHIVE).is_empty());
    assert_eq!(load(&storage, [9; 16]).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_gap_is_damage_among_the_newest_eight_and_a_cut_off_removal_behind_them() {
    let missing = |gone: &[u64]| {
        let storage = place();
        let mut manifest = first();
        for _ in 0..12 {
            let hash = store(&storage, &manifest).unwrap();
            let next = Change::none(&manifest, Timestamp::from_ms(3));
            manifest = successor(&manifest, hash, next).unwrap();
        }
        for number in gone {
            storage.remove(&names::manifest(*number)).unwrap();
        }
        check(&storage, ARCHIVE).iter().map(|e| e.file().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for back in [&[1, 3][..], &[2], &[4], &[1, 4], &[2, 3, 4], &[]] {
        let gone: Vec<u64> = (1..=4).filter(|number| !back.contains(number)).collect();
        assert_eq!(missing(&gone), [""; 0], "{back:?} are back");
    }
    for gone in 5..=11 {
        assert_eq!(missing(&[gone]), [names::manifest(gone + 1)], "{gone} is gone");
    }
}

#[test]
fn a_manifest_is_never_written_twice() {
    let storage = place();
    let _hash = store(&storage, &first()).unwrap();
    assert_eq!(store(&storage, &first()).unwrap_err().kind(), ErrorKind::Exists);
}

#[test]
fn a_damaged_newest_manifest_is_an_error_and_never_the_one_before() {
    let storage = place();
    let hash = store(&storage, &first()).unwrap();
    let next = successor(&first(), hash, change(&first())).unwrap();
    let _hash = store(&storage, &next).unwrap();
    let path = names::manifest(2);
    storage.remove(&path).unwrap();
    storage.create(&path).unwrap().write_at(0, b"CVLTMNFS").unwrap();
    let error = load(&storage, ARCHIVE).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::Corrupt, Some(&*path)));
    let damages = check(&storage, ARCHIVE);
    assert_eq!(damages.iter().map(|error| error.file()).collect::<Vec<_>>(), [Some(&*path)]);
}

#[test]
fn a_chain_with_a_strange_link_is_reported() {
    let storage = place();
    let _hash = store(&storage, &first()).unwrap();
    let _hash = store(&storage, &second()).unwrap();
    let damages = check(&storage, ARCHIVE);
    let found: Vec<_> = damages.iter().map(|error| (error.kind(), error.file())).collect();
    assert_eq!(found, [(ErrorKind::Corrupt, Some(&*names::manifest(2)))]);
}

#[test]
fn an_empty_folder_and_an_unknown_feature_say_so() {
    let storage = place();
    assert_eq!(load(&storage, ARCHIVE).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut manifest = first();
    manifest.required_features = vec!["sealed-boxes".into()];
    let _hash = store(&storage, &manifest).unwrap();
    let error = load(&storage, ARCHIVE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("sealed-boxes"), "{error}");
}

#[test]
fn merged_files_leave_when_all_their_rows_arrive_however_split() {
    for added in [vec![segment(3, 0..30)], vec![segment(4, 0..7), segment(3, 7..30)]] {
        let next = merge(added.clone(), vec![]).unwrap();
        let mut into: Vec<u64> = added.iter().map(|file| file.number).collect();
        assert_eq!(next.replaced.len(), 2);
        assert_eq!(next.replaced[0].why, Why::Merged(into.clone()));
        into.sort_unstable();
        let numbers: Vec<u64> = next.files.iter().map(|file| file.number).collect();
        assert_eq!((numbers, next.next_file), (into.clone(), into.last().unwrap() + 1));
    }
}

#[test]
fn disposed_rows_may_leave_with_a_record_that_says_why() {
    let next = merge(vec![segment(3, 5..30)], vec![disposed(0..5)]).unwrap();
    assert_eq!((next.files.len(), next.records.len()), (1, 1));
    let all = merge(vec![], vec![disposed(0..30)]).unwrap();
    let gone = segment(1, 0..10);
    let (kind, rows, multiset) = (gone.kind, gone.rows, gone.multiset);
    let expected = Replaced { kind, number: 1, rows, multiset, why: Why::Disposed(0) };
    assert_eq!(all.replaced[0], expected);
    let later = successor(&all, [4; 32], change(&all)).unwrap();
    assert_eq!((later.records, later.replaced.len()), (all.records, 0));
}

#[test]
fn rows_that_would_be_lost_stop_the_manifest() {
    let mut other_record = disposed(0..5);
    other_record.record = 1;
    let mut same_count = segment(3, 0..30);
    same_count.multiset = bag(1..31);
    let attempts = [
        ("nothing arrives", merge(vec![], vec![])),
        ("one row less", merge(vec![segment(3, 0..29)], vec![])),
        ("one row more", merge(vec![segment(3, 0..31)], vec![])),
        ("another row", merge(vec![same_count], vec![])),
        ("a row twice", merge(vec![segment(3, 0..29), segment(4, 0..1)], vec![])),
        ("disposed and still there", merge(vec![segment(3, 0..30)], vec![disposed(0..5)])),
        ("disposed without a record", merge(vec![segment(3, 5..30)], vec![other_record])),
        ("a used number", merge(vec![segment(2, 0..30)], vec![])),
        ("commits from the future", {
            let late = FileEntry { last: Sequence(10), ..segment(3, 0..30) };
            merge(vec![late], vec![])
        }),
    ];
    for (name, attempt) in attempts {
        assert_eq!(attempt.unwrap_err().kind(), ErrorKind::Corrupt, "{name}");
    }
}

#[test]
fn a_step_never_goes_back_and_drops_only_what_is_there() {
    let current = second();
    let steps = [
        Change { sequence: Sequence(8), ..change(&current) },
        Change { journal_from: 0, ..change(&current) },
        Change { journal_to: 0, ..change(&current) },
        Change { removed: vec![7], ..change(&current) },
        Change { disposed: vec![disposed(0..5)], ..change(&current) },
    ];
    for step in steps {
        let error = successor(&current, [3; 32], step.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{step:?}");
    }
}

#[test]
fn a_file_that_was_begun_early_may_be_named_late_but_no_number_comes_back() {
    let later = merge(vec![segment(5, 0..30)], vec![]).unwrap();
    let added = |number| {
        let change = Change { added: vec![segment(number, 30..40)], ..change(&later) };
        successor(&later, [4; 32], change)
    };
    let next = added(4).unwrap();
    assert_eq!((next.files.len(), next.next_file), (2, later.next_file));
    for used in [1, 2, 5] {
        assert_eq!(added(used).unwrap_err().kind(), ErrorKind::Corrupt, "{used}");
    }
}
