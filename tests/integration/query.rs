//! Questions as plain data, and the plans that answer them without reading everything.

use std::sync::Arc;

use chatvault_engine::{Custodian, Explain, Memory, Scan, Snapshot, Stored, TimeRange, Timestamp};
use chatvault_query::{Kind, Order, Query, Versions};
use chatvault_support::Draft;

use crate::kit::{self, Vault, everything, rows};

const AT: i64 = 1_700_000_000_000;
const DAY: i64 = 86_400_000;
const CHATS: i64 = 40;

/// Forty chats over a hundred days, sealed day by day, then merged.
fn vault() -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    for day in 0..100 {
        let message = |chat: i64| {
            let at = AT + day * DAY + chat;
            let who = format!("user{}", chat % 7);
            let draft = Draft::chat(&format!("19:{chat:02}"), at).from_user(&who, &who);
            (Custodian::user(&who), draft.text(&format!("{at}")).json().into_bytes())
        };
        drop(vault.commit(&(0..CHATS).map(message).collect::<Vec<_>>()));
        if day % 25 == 24 {
            vault.archive().seal().unwrap();
        }
    }
    vault
}

fn run(query: &Query, snapshot: &Snapshot) -> Vec<Stored> {
    let mut rows = query.run(snapshot).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    all
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_query_gives_what_its_scan_gives() {
    let vault = vault();
    let snapshot = vault.archive().snapshot().unwrap();
    let some = |text: &str| Some(text.to_owned());
    let table = [
        Query::default(),
        Query { chats: texts(&["19:03", "19:07"]), order: Order::Modified, ..Query::default() },
        Query { senders: texts(&["user3"]), reverse: true, ..Query::default() },
        Query { custodians: texts(&["user3", "user:user4"]), ..Query::default() },
        Query { kinds: vec![Kind::System], ..Query::default() },
        Query { created_from: some("2023-12"), created_to: some("2024-01"), ..Query::default() },
        Query { modified_from: some("2024-01-01"), order: Order::Modified, ..Query::default() },
        Query { versions: Versions::Variants, order: Order::Created, ..Query::default() },
        Query { as_of: some("2023-12-24T12:00:00Z"), ..Query::default() },
        Query { since: Some((snapshot.sequence().0 / 2).into()), ..Query::default() },
    ];
    for query in table {
        let scan = query.scan().unwrap().unwrap();
        let expected = vault.expect(&scan);
        kit::assert_rows(&run(&query, &snapshot), &expected, &format!("{query:?}"));
        assert_eq!(query.count(&snapshot).unwrap(), expected.len() as u64);
        let page = Query { limit: Some(10), ..query };
        let first = &expected[..expected.len().min(10)];
        kit::assert_rows(&run(&page, &snapshot), first, "limited");
    }
}

/// What must be true of every plan.
fn check_plan(plan: &Explain, found: usize) {
    assert!(plan.segments_touched <= plan.segments && plan.groups_touched <= plan.groups);
    assert!(plan.rows_touched <= plan.rows + plan.journal_rows, "{plan:?}");
    assert!(plan.rows_touched >= found as u64, "{plan:?} gave {found} rows");
    assert!(plan.lines.iter().all(|line| !line.is_empty() && !line.contains('\n')));
}

#[test]
fn a_plan_touches_what_it_needs_and_says_why() {
    let mut vault = vault();
    let time = |day: i64| Some(Timestamp::from_ms(AT + day * DAY));
    let day = TimeRange { from: time(30), to: time(31) };
    let narrow = [
        Scan { conversations: vec!["19:03".to_owned()], ..Scan::default() },
        Scan { modified: day, order: chatvault_engine::Order::Modified, ..Scan::default() },
        Scan { created: day, ..Scan::default() },
        Scan { senders: vec!["user3".to_owned()], ..Scan::default() },
        Scan { custodians: vec![Custodian::user("user3")], ..Scan::default() },
        everything(),
    ];
    for _ in 0..2 {
        let snapshot = vault.archive().snapshot().unwrap();
        for scan in &narrow {
            let plan = snapshot.explain(scan).unwrap();
            check_plan(&plan, rows(&snapshot, scan).unwrap().len());
            assert_eq!(plan.segments, vault.archive().stat().unwrap().segments);
        }
        let unknown = Scan { conversations: vec!["19:none".to_owned()], ..Scan::default() };
        assert_eq!(snapshot.explain(&unknown).unwrap().rows_touched, 0);
        vault.compact();
        vault.reopen();
    }
    // Day by day the old segments are left alone.
    let plan = vault.archive().snapshot().unwrap().explain(&narrow[0]).unwrap();
    assert!(plan.rows_touched < plan.rows, "a conversation is an interval of rows: {plan:?}");
}

#[test]
fn old_segments_are_left_alone_when_new_ones_have_the_answer() {
    let vault = vault();
    let late = TimeRange { from: Some(Timestamp::from_ms(AT + 90 * DAY)), to: None };
    let scan = Scan { modified: late, ..everything() };
    let snapshot = vault.archive().snapshot().unwrap();
    let plan = snapshot.explain(&scan).unwrap();
    assert_eq!(plan.segments, 4);
    assert!(plan.segments_touched < plan.segments, "{plan:?}");
    assert_eq!(rows(&snapshot, &scan).unwrap().len(), vault.expect(&scan).len());
    assert!(rows(&snapshot, &scan).unwrap().len() >= 400);
}
