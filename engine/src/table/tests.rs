//! Tables: what is put in comes out, in order, by key, and what is damaged costs what is in it.

use std::sync::Arc;

use super::*;
use crate::archive::memory;
use crate::storage::Memory;

const FORM: Form = Form {
    kind: FileKind::Ledger,
    magic: *b"CVTEST01",
    lists: 2,
    page_bytes: [PAGE_BYTES; MAX_LISTS],
};
const PLACE: ([u8; 16], u64) = ([3; 16], 8);

fn key(number: u32) -> Vec<u8> {
    format!("key {:08}", number * 2).into_bytes()
}

/// A table with so many items in its second list.
fn table(count: u32) -> (Memory, Arc<Table>) {
    let storage = memory();
    let mut writer = TableWriter::start(&storage, &FORM, PLACE).unwrap();
    for number in 0..count {
        let value = blake3::hash(&number.to_le_bytes());
        writer.put(2, &key(number), value.as_bytes()).unwrap();
    }
    let entry = writer.finish(b"more", (0, crate::format::multiset::Multiset::default())).unwrap();
    let bytes = crate::storage::whole::read(&storage, &entry.path(), u64::MAX).unwrap();
    assert_eq!((entry.bytes, entry.hash), (bytes.len() as u64, *blake3::hash(&bytes).as_bytes()));
    let table = open(&storage);
    (storage, table)
}

fn open(storage: &Memory) -> Arc<Table> {
    let cache = Arc::new(Cache::new(1 << 20));
    Arc::new(Table::open(storage, &FORM, PLACE, "segments/0000000000000008.led", &cache).unwrap())
}

/// Keys of the list, and how many parts of it could not be read.
fn walk(table: &Arc<Table>) -> (Vec<Vec<u8>>, usize) {
    let (mut cursor, mut keys, mut lost) = (Cursor::once(table, 2), Vec::new(), 0);
    loop {
        match cursor.next() {
            Ok(Some(item)) => keys.push(item.key().to_vec()),
            Ok(None) => return (keys, lost),
            Err(_) => lost += 1,
        }
    }
}

#[test]
fn items_come_back_in_order_and_by_key() {
    for count in [0, 1, 2, 500, 100_000] {
        let (_storage, table) = table(count);
        assert_eq!((table.items(1), table.items(2), &*table.more), (0, count.into(), &b"more"[..]));
        assert_eq!(walk(&table), ((0..count).map(key).collect(), 0));
        assert!(Cursor::once(&table, 1).next().unwrap().is_none());
        for number in (0..count).step_by(7).chain(count.checked_sub(1)) {
            let item = table.get(2, &key(number)).unwrap().unwrap();
            assert_eq!(item.value(), blake3::hash(&number.to_le_bytes()).as_bytes());
            let between = format!("key {:08}", number * 2 + 1);
            assert!(table.get(2, between.as_bytes()).unwrap().is_none());
            let floor = table.floor(2, between.as_bytes()).unwrap().unwrap();
            assert_eq!(floor.key(), key(number));
            let next = Cursor::kept(&table, 2, between.as_bytes()).next().unwrap();
            assert_eq!(
                next.map(|item| item.key().to_vec()),
                (number + 1 < count).then(|| key(number + 1))
            );
        }
        assert!(table.floor(2, b"a").unwrap().is_none());
    }
}

#[test]
fn opening_and_a_look_up_read_little_of_a_large_table() {
    let read = |count: u32| {
        let (storage, _) = table(count);
        let shared = Arc::new(crate::cache::SharedCache::new(1 << 20));
        let cache = Arc::new(Cache::within(&shared));
        let path = "segments/0000000000000008.led";
        let table = Arc::new(Table::open(&storage, &FORM, PLACE, path, &cache).unwrap());
        let opened = shared.usage().read_bytes;
        assert!(table.get(2, &key(count / 3)).unwrap().is_some());
        (opened, shared.usage().read_bytes - opened)
    };
    let (small, large) = (read(10_000), read(400_000));
    assert!(large.0 <= small.0 + 100, "opening: {small:?} and {large:?}");
    assert!(large.1 <= small.1 + (8 << 10), "a look-up: {small:?} and {large:?}");
}

#[test]
fn a_damaged_page_costs_what_is_in_it() {
    let (storage, sound) = table(20_000);
    let path = "segments/0000000000000008.led";
    let bytes = crate::storage::whole::read(&storage, path, u64::MAX).unwrap();
    let all = walk(&sound).0;
    for at in [40, bytes.len() / 2] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        storage.remove(path).unwrap();
        storage.create(path).unwrap().write_at(0, &damaged).unwrap();
        let (left, lost) = walk(&open(&storage));
        assert_eq!(lost, 1);
        assert!(left.len() > all.len() - 400 && left.len() < all.len(), "{} left", left.len());
        assert!(left.is_sorted());
    }
}

#[test]
fn a_merge_gives_equal_keys_together_older_ones_first() {
    let make = |numbers: &[u32]| {
        let storage = memory();
        let mut writer = TableWriter::start(&storage, &FORM, PLACE).unwrap();
        for number in numbers {
            writer.put(2, &key(*number), &key(numbers[0])).unwrap();
        }
        let _ = writer.finish(b"", (0, crate::format::multiset::Multiset::default())).unwrap();
        open(&storage)
    };
    let tables = [make(&[1, 2, 5]), make(&[2, 3]), make(&[3, 5, 7])];
    let (mut merge, mut items, mut seen) = (Merge::of(&tables, 2), Vec::new(), Vec::new());
    loop {
        merge.next(&mut items).unwrap();
        let Some(first) = items.first() else { break };
        let of: Vec<Vec<u8>> = items.iter().map(|item| item.value().to_vec()).collect();
        seen.push((first.key().to_vec(), of));
    }
    let expected = [(1, vec![1]), (2, vec![1, 2]), (3, vec![2, 3]), (5, vec![1, 3]), (7, vec![3])];
    let expected = expected.map(|(number, of)| (key(number), of.into_iter().map(key).collect()));
    assert_eq!(seen, expected);
}
