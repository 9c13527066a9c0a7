//! Which rows a scan gives, and in which order, decided by looking at every row.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use chatvault_engine::{MessageKey, Order, Scan, TimeRange, Timestamp, Versions};

use super::{Model, Row};

impl Model {
    /// All rows of a scan in order, its cursor and limit aside.
    pub fn scan(&self, scan: &Scan) -> Vec<&Row> {
        let mut by_key: BTreeMap<&MessageKey, Vec<&Row>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| is_candidate(row, scan)) {
            by_key.entry(row.key()).or_default().push(row);
        }
        let mut chosen: Vec<&Row> = by_key
            .into_values()
            .flat_map(|rows| choose(rows, scan.versions))
            .filter(|row| matches(row, scan))
            .collect();
        chosen.sort_by(|left, right| compare(left, right, scan.order));
        if scan.backwards {
            chosen.reverse();
        }
        chosen
    }
}

/// What is looked at before a version is chosen: what the archive, and the custodian, held.
fn is_candidate(row: &Row, scan: &Scan) -> bool {
    let until = |arrival| scan.as_of_sequence.is_none_or(|sequence| arrival <= sequence);
    row.key().record == scan.record && row.arrival(&scan.custodians).is_some_and(until)
}

/// The chosen rows among one message's.
fn choose(mut rows: Vec<&Row>, versions: Versions) -> Vec<&Row> {
    match versions {
        Versions::EveryVariant => rows,
        Versions::All => shown(&rows),
        Versions::Latest => newest(&shown(&rows)),
        Versions::AsOf(time) => {
            rows.retain(|row| row.identity.modified <= time);
            newest(&shown(&rows))
        }
    }
}

/// Of each version the variant that readers get: the longest, ties by the smallest address.
fn shown<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    let mut best: BTreeMap<u64, &Row> = BTreeMap::new();
    for &row in rows {
        let rank = |row: &Row| (row.canonical_bytes, Reverse(row.address));
        let held = best.entry(row.identity.version).or_insert(row);
        if rank(row) > rank(held) {
            *held = row;
        }
    }
    best.into_values().collect()
}

fn newest<'a>(rows: &[&'a Row]) -> Vec<&'a Row> {
    rows.iter().copied().max_by_key(|row| row.version_order()).into_iter().collect()
}

/// What is asked of the chosen row.
fn matches(row: &Row, scan: &Scan) -> bool {
    let identity = &row.identity;
    let one_of = |wanted: &[String], is: Option<&String>| {
        wanted.is_empty() || is.is_some_and(|is| wanted.contains(is))
    };
    one_of(&scan.conversations, Some(&identity.key.conversation))
        && one_of(&scan.senders, identity.sender.as_ref())
        && (scan.kinds.is_empty() || scan.kinds.contains(&identity.kind))
        && inside(identity.created, scan.created)
        && inside(identity.modified, scan.modified)
        && scan.since.is_none_or(|since| row.arrival(&scan.custodians) > Some(since))
}

fn inside(time: Timestamp, range: TimeRange) -> bool {
    range.from.is_none_or(|from| from <= time) && range.to.is_none_or(|to| time < to)
}

fn compare(left: &Row, right: &Row, order: Order) -> Ordering {
    let (a, b) = (&left.identity, &right.identity);
    let conversation = a.key.conversation.cmp(&b.key.conversation);
    let first = match order {
        Order::Conversation => conversation.then(a.created.cmp(&b.created)),
        Order::Created => a.created.cmp(&b.created).then(conversation),
        Order::Modified => a.modified.cmp(&b.modified).then(conversation),
    };
    let rest = (&a.key.id, a.version, left.address).cmp(&(&b.key.id, b.version, right.address));
    first.then(rest)
}
