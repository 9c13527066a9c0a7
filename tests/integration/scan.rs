//! Orders, ranges, limits and cursors, where many rows share a moment.

use std::sync::Arc;

use chatvault_engine::{
    Cursor, ErrorKind, Memory, Order, Scan, Stored, TimeRange, Timestamp, Versions,
};
use chatvault_support::{Draft, Random};

use crate::kit::{self, Vault, ada, ben, everything};

const AT: i64 = 1_700_000_000_000;
const ORDERS: [Order; 3] = [Order::Conversation, Order::Created, Order::Modified];

/// A thousand messages of one millisecond over three chats, ids apart from their time.
fn ties() -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let message = |number: usize| {
        let chat = format!("19:tie{}@thread.v2", number % 3);
        Draft::chat(&chat, AT).set("id", &format!("\"{number}\"")).text(&number.to_string()).json()
    };
    let mut copies: Vec<_> = (0..1_000).map(|at| (ada(), message(at).into_bytes())).collect();
    Random::new(1).shuffle(&mut copies);
    for (at, batch) in copies.chunks(180).enumerate() {
        drop(vault.commit(batch));
        if at % 2 == 0 {
            vault.archive().seal().unwrap();
        }
    }
    vault
}

/// Reads a scan page by page, doing something between the pages; the cursor goes through text.
fn paged(
    vault: &mut Vault,
    scan: &Scan,
    size: u64,
    mut between: impl FnMut(&mut Vault),
) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut scan = Scan { limit: Some(size), ..scan.clone() };
    loop {
        let Some(cursor) = read_page(vault, &scan, &mut all) else { return all };
        scan.cursor = Some(Cursor::from_text(&cursor.to_text()).unwrap());
        between(vault);
    }
}

/// Reads one page and closes it; gives its end, if it had a row.
fn read_page(vault: &Vault, scan: &Scan, all: &mut Vec<Stored>) -> Option<Cursor> {
    let mut rows = vault.archive().snapshot().unwrap().scan(scan).unwrap();
    assert_eq!(rows.cursor(), None, "no row was given yet");
    let before = all.len();
    while let Some(row) = rows.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    let given = (all.len() - before) as u64;
    assert!(scan.limit.is_none_or(|limit| given <= limit));
    assert_eq!(rows.cursor().is_some(), given > 0);
    rows.cursor()
}

#[test]
fn pages_lose_and_repeat_nothing_among_equal_times() {
    let mut vault = ties();
    for order in ORDERS {
        for backwards in [false, true] {
            let scan = Scan { order, backwards, ..Scan::default() };
            let found = paged(&mut vault, &scan, 7, Vault::reopen);
            let expected = vault.expect(&scan);
            assert_eq!(expected.len(), 1_000);
            kit::assert_rows(&found, &expected, &format!("{order:?}, backwards: {backwards}"));
        }
    }
}

#[test]
fn a_cursor_survives_sealing_compaction_and_new_rows() {
    for order in ORDERS {
        let mut vault = ties();
        let scan = Scan { order, ..Scan::default() };
        let before = vault.expect(&scan);
        let mut page = 0;
        let found = paged(&mut vault, &scan, 90, |vault| {
            page += 1;
            // New rows sort before everything that was read: they must not be seen, nor disturb.
            let early = Draft::chat("19:aaa", AT - 1_000_000 + page).json();
            drop(vault.put(&ben(), &early));
            if page == 3 {
                vault.archive().seal().unwrap();
            }
            if page == 6 {
                vault.compact();
            }
        });
        kit::assert_rows(&found, &before, &format!("{order:?}"));
    }
}

#[test]
fn a_cursor_works_from_any_row_in_both_directions() {
    let vault = ties();
    let snapshot = vault.archive().snapshot().unwrap();
    for order in ORDERS {
        for backwards in [false, true] {
            let scan = Scan { order, backwards, ..Scan::default() };
            let all = vault.expect(&scan);
            let mut rows = snapshot.scan(&scan).unwrap();
            for at in 0..all.len() {
                assert!(rows.next().unwrap().is_some());
                if at % 97 == 0 {
                    let behind = Scan { cursor: rows.cursor(), ..scan.clone() };
                    let found = kit::rows(&snapshot, &behind).unwrap();
                    kit::assert_rows(&found, &all[at + 1..], &format!("{order:?} behind {at}"));
                    assert_eq!(snapshot.count(&behind).unwrap(), found.len() as u64);
                }
            }
            assert!(rows.next().unwrap().is_none());
        }
    }
}

#[test]
fn text_that_is_no_cursor_is_refused() {
    let vault = ties();
    let snapshot = vault.archive().snapshot().unwrap();
    let mut rows = snapshot.scan(&Scan { limit: Some(1), ..Scan::default() }).unwrap();
    let _ = rows.next().unwrap().map(|row| row.version());
    let text = rows.cursor().unwrap().to_text();
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    assert!(text.chars().all(safe), "not safe in a URL: {text}");
    let shorter = text.get(..text.len() - 1).unwrap();
    let mut swapped = text.clone().into_bytes();
    let middle = swapped.len() / 2;
    swapped[middle] = if swapped[middle] == b'A' { b'B' } else { b'A' };
    let swapped = String::from_utf8(swapped).unwrap();
    for wrong in ["", "x", "%%%", "🙂", shorter, &swapped, &"A".repeat(100_000)] {
        let error = Cursor::from_text(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn ranges_hold_their_start_and_not_their_end() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    for ms in 0..10 {
        let draft = Draft::chat("19:a", AT + ms);
        drop(vault.put(&ada(), &draft.json()));
        drop(vault.put(&ada(), &draft.modified(AT + 100 + ms).json()));
    }
    let at = |ms: Option<i64>| ms.map(|ms| Timestamp::from_ms(AT + ms));
    let table = [
        (None, None, 10),
        (Some(3), None, 7),
        (None, Some(3), 3),
        (Some(3), Some(4), 1),
        (Some(3), Some(3), 0),
        (Some(4), Some(3), 0),
        (Some(-5), Some(50), 10),
    ];
    for (from, to, count) in table {
        let range = TimeRange { from: at(from), to: at(to) };
        let created = Scan { created: range, ..Scan::default() };
        let late = |ms: Option<i64>| at(ms.map(|ms| ms + 100));
        let modified = TimeRange { from: late(from), to: late(to) };
        let modified = Scan { modified, order: Order::Modified, ..Scan::default() };
        for scan in [created, modified] {
            assert_eq!(vault.expect(&scan).len(), count, "{scan:?}");
            vault.check_scan(&scan);
        }
    }
    // The latest version is chosen first: a range over an older one finds nothing.
    let old = TimeRange { from: at(Some(0)), to: at(Some(50)) };
    let scan = Scan { modified: old, ..Scan::default() };
    assert_eq!(vault.expect(&scan).len(), 0);
    vault.check_scan(&scan);
    vault.check_scan(&Scan { versions: Versions::All, ..scan });
}

#[test]
fn a_limit_counts_rows_and_zero_gives_none() {
    let vault = ties();
    let snapshot = vault.archive().snapshot().unwrap();
    for (limit, count) in [(0, 0), (1, 1), (999, 999), (1_000, 1_000), (u64::MAX, 1_000)] {
        let scan = Scan { limit: Some(limit), ..everything() };
        assert_eq!(kit::rows(&snapshot, &scan).unwrap().len(), count);
        assert_eq!(snapshot.count(&scan).unwrap(), count as u64);
    }
}

#[test]
fn what_nobody_has_is_found_nowhere() {
    let vault = ties();
    let unknown = || vec!["nobody".to_owned()];
    let table = [
        Scan { conversations: unknown(), ..everything() },
        Scan { senders: unknown(), ..everything() },
        Scan { custodians: vec![ben()], ..everything() },
        Scan { conversations: vec![String::new()], ..everything() },
        Scan { kinds: vec![chatvault_engine::MessageKind::System], ..everything() },
        Scan { record: chatvault_engine::RecordKind::Chat, ..everything() },
    ];
    for scan in table {
        assert_eq!(vault.expect(&scan), [], "{scan:?}");
        vault.check_scan(&scan);
    }
}

#[test]
fn a_row_that_was_asked_for_twice_comes_once() {
    let vault = ties();
    let chat = "19:tie1@thread.v2".to_owned();
    let twice = Scan {
        conversations: vec![chat.clone(), chat.clone()],
        custodians: vec![ada(), ada(), ben()],
        ..Scan::default()
    };
    let once = Scan { conversations: vec![chat], ..Scan::default() };
    assert_eq!(vault.expect(&once).len(), 333);
    assert_eq!(vault.expect(&twice), vault.expect(&once));
    vault.check_scan(&twice);
}

#[test]
fn the_numbers_of_custodians_name_who_delivered_a_row() {
    let mut vault = ties();
    let copy = |at: usize| {
        let row = &vault.expect(&everything())[at];
        (ben(), row.json.clone())
    };
    let copies = [copy(3), copy(500)];
    drop(vault.commit(&copies));
    let snapshot = vault.archive().snapshot().unwrap();
    let mut rows = snapshot.scan(&everything()).unwrap();
    let mut shared = 0;
    while let Some(row) = rows.next().unwrap() {
        let numbers = row.custodians().unwrap();
        assert!(numbers.is_sorted());
        let mut names: Vec<_> =
            numbers.iter().map(|one| snapshot.custodian(*one).unwrap()).collect();
        names.sort_unstable();
        let sightings = row.sightings().unwrap();
        assert!(names.iter().eq(sightings.iter().map(|one| &one.custodian)));
        shared += usize::from(names.len() == 2);
    }
    assert_eq!(shared, 2);
    assert!(snapshot.custodian(u32::MAX).is_err());
}

#[test]
fn threads_and_parts_give_the_rows_of_a_scan_in_their_order() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let message = |number: i64| {
        let chat = format!("19:chat{:04}@thread.v2", number % 1_600);
        Draft::chat(&chat, AT + number).text(&number.to_string()).json().into_bytes()
    };
    for part in [0..2_000, 2_000..4_500, 4_500..6_400] {
        let copies: Vec<_> = part.map(|number| (ada(), message(number))).collect();
        drop(vault.commit(&copies));
        vault.archive().seal().unwrap();
    }
    let snapshot = vault.archive().snapshot().unwrap();
    let scan = everything();
    let mut wanted = Vec::new();
    let mut rows = snapshot.scan(&scan).unwrap();
    while let Some(row) = rows.next().unwrap() {
        wanted.push((row.conversation().to_owned(), row.json().to_vec()));
    }
    assert_eq!(wanted.len(), 6_400);
    for threads in 1..=4 {
        let mut rows = snapshot.scan_on(&scan, threads.try_into().unwrap()).unwrap();
        for (number, (conversation, json)) in wanted.iter().enumerate() {
            let row = rows.next().unwrap().unwrap();
            assert_eq!((row.conversation(), row.json()), (&**conversation, &**json), "{number}");
        }
        assert!(rows.next().unwrap().is_none(), "{threads} threads");
    }
    for rows in [100, 1_000, 100_000] {
        let parts = snapshot.split(&scan, rows).unwrap();
        assert_eq!(parts.len() > 1, rows < 6_400, "{rows}");
        let counts = parts.iter().map(|part| snapshot.count(part).unwrap());
        assert_eq!(counts.sum::<u64>(), 6_400);
        let mut found = Vec::new();
        for part in &parts {
            let again = snapshot.split(part, rows / 3).unwrap();
            for part in again {
                let mut rows = snapshot.scan(&part).unwrap();
                while let Some(row) = rows.next().unwrap() {
                    found.push((row.conversation().to_owned(), row.json().to_vec()));
                }
            }
        }
        assert!(found == wanted, "parts of {rows} rows");
    }
    let backwards = Scan { backwards: true, ..scan.clone() };
    let parts = snapshot.split(&backwards, 1_000).unwrap();
    let first = snapshot.scan(&parts[0]).unwrap().next().unwrap().map(|row| row.json().to_vec());
    assert_eq!(first.as_ref(), wanted.last().map(|(_, json)| json));
    let limited = Scan { limit: Some(5), ..scan };
    assert_eq!(snapshot.split(&limited, 10).unwrap_err().kind(), ErrorKind::InvalidInput);
}
