//! Random archives, scanned in random ways, against the plainest possible reading of the rules.

mod check;

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_base::go_on;
use chatvault_base::time::text::{Fraction, parse, rendered};

use check::{check, paged};

use super::*;
use crate::archive::{Archive, Compare, Origin};
use crate::environment::{Environment, EnvironmentOptions};
use crate::options::{Host, Options};
use crate::snapshot::{Snapshot, Stored};
use crate::storage::Memory;
use crate::types::{ContentAddress, MessageKey, RunId, Sighting};

/// A repeatable source of choices.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[usize::try_from(self.roll(all.len() as u64)).unwrap()]
    }
}

#[derive(Clone, Debug)]
struct ModelRow {
    stored: Stored,
    /// Who delivered it by which commit.
    delivered: Vec<(Custodian, RunId, Sequence)>,
    canonical_bytes: usize,
}

impl ModelRow {
    /// The commit that brought it: to the archive, or by one of the scan's custodians.
    fn arrival(&self, scan: &Scan) -> Option<Sequence> {
        if scan.custodians.is_empty() {
            return Some(self.stored.sequence);
        }
        let theirs = self.delivered.iter().filter(|(name, ..)| scan.custodians.contains(name));
        theirs.map(|(.., at)| *at).min()
    }
}

struct World {
    archive: Archive,
    rows: Vec<ModelRow>,
    dice: Dice,
    run: RunId,
}

const CONVERSATIONS: [&str; 6] = ["19:a@thread.v2", "19:b", "19:bb", "19:c@x", "19:d", "20:e"];
const SENDERS: [&str; 3] = ["s-one", "s-two", "s-three"];
const BASE_MS: i64 = 1_700_000_000_000;

fn custodian(number: u64) -> Custodian {
    Custodian::user(&format!("u{number}"))
}

impl World {
    fn new(seed: u64) -> Self {
        let bounds = EnvironmentOptions { worker_threads: 4, ..EnvironmentOptions::default() };
        let environment = Some(Environment::new(bounds));
        let scan = Limits::small();
        let options =
            Options { environment, scan, background_compaction: false, ..Options::default() };
        let archive = Archive::create(Host::new(Arc::new(Memory::default())), options).unwrap();
        let run = archive.begin_run("test").unwrap();
        Self { archive, rows: Vec::new(), dice: Dice(seed), run }
    }

    /// Some message, at times one that is there already with another version or variant.
    fn document(&mut self) -> (RecordKind, String) {
        let dice = &mut self.dice;
        if !self.rows.is_empty() && dice.one_in(3) {
            let known = dice.pick(&self.rows).stored.clone();
            if dice.one_in(3) {
                return (known.key.record, String::from_utf8(known.json).unwrap());
            }
            let edit = if dice.one_in(2) { 0 } else { 1 + i64::try_from(dice.roll(50)).unwrap() };
            let modified = Timestamp::from_ms(known.modified.ms() + edit);
            let created = if dice.one_in(9) { modified } else { known.created };
            return (known.key.record, self.json(&known.key, (created, modified)));
        }
        let ms = BASE_MS + i64::try_from(dice.roll(300)).unwrap();
        let id = match dice.roll(12) {
            0 => format!("x{ms}"),
            1 => (ms + 7).to_string(),
            2 => dice.roll(20).to_string(),
            _ => ms.to_string(),
        };
        let conversation = (*dice.pick(&CONVERSATIONS)).to_owned();
        let reply_to = (conversation == "19:d" && dice.one_in(2))
            .then(|| (BASE_MS + i64::try_from(dice.roll(3)).unwrap()).to_string());
        let record = if dice.one_in(9) { RecordKind::Member } else { RecordKind::Message };
        let key = MessageKey { record, conversation, reply_to, id };
        let created = Timestamp::from_ms(ms);
        (record, self.json(&key, (created, created)))
    }

    fn json(&mut self, key: &MessageKey, (created, modified): (Timestamp, Timestamp)) -> String {
        let dice = &mut self.dice;
        let time = |at: Timestamp| rendered(at, Fraction::Three);
        let place = if key.conversation == "19:d" && key.record == RecordKind::Message {
            let reply_to = key.reply_to.as_ref().map_or("null".into(), |id| format!("\"{id}\""));
            let channel = &key.conversation;
            format!(r#""replyToId":{reply_to},"channelIdentity":{{"channelId":"{channel}"}}"#)
        } else {
            format!(r#""chatId":"{}""#, key.conversation)
        };
        let kind = dice.pick(&["message", "systemEventMessage", "typing"]);
        let from = match dice.roll(4) {
            0 => "null".to_owned(),
            _ => format!(r#"{{"user":{{"id":"{}"}}}}"#, dice.pick(&SENDERS)),
        };
        let body = "ab".repeat(usize::try_from(dice.roll(4)).unwrap());
        let (id, etag) = (&key.id, modified.ms());
        let (created, modified) = (time(created), time(modified));
        format!(
            r#"{{"id":"{id}","etag":"{etag}","messageType":"{kind}","createdDateTime":"{created}","lastModifiedDateTime":"{modified}",{place},"from":{from},"body":{{"content":"{body}"}}}}"#
        )
    }

    /// Commits some copies, and remembers what must be there now.
    fn commit(&mut self, copies: u64) {
        let mut batch = self.archive.batch(self.run);
        let mut offered = Vec::new();
        for _ in 0..copies {
            let (record, json) = self.document();
            let custodian = custodian(self.dice.roll(4));
            let origin = Origin { source: "test", offset: 0 };
            batch.offer(&custodian, record, json.as_bytes(), origin);
            offered.push((record, json, custodian));
        }
        let report = batch.commit().unwrap();
        let mut compare = Compare::default();
        for (record, json, custodian) in offered {
            let (address, canonical_bytes) = compare.document(json.as_bytes()).unwrap();
            let sighting = (custodian, self.run, report.sequence);
            let same = |row: &&mut ModelRow| {
                row.stored.address == address && row.stored.key.record == record
            };
            if let Some(row) = self.rows.iter_mut().find(same) {
                row.delivered.push(sighting);
            } else {
                let stored = read(record, &json, address, report.sequence);
                self.rows.push(ModelRow { stored, delivered: vec![sighting], canonical_bytes });
            }
        }
    }

    fn scan(&mut self) -> Scan {
        let dice = &mut self.dice;
        let range = |dice: &mut Dice| TimeRange {
            from: dice.one_in(5).then(|| some_time(dice)),
            to: dice.one_in(5).then(|| some_time(dice)),
        };
        let (created, modified) = (range(dice), range(dice));
        let sequence = |dice: &mut Dice| dice.one_in(5).then(|| Sequence(dice.roll(20)));
        let some = |dice: &mut Dice, all: &[&str]| -> Vec<String> {
            let count = if dice.one_in(3) { 1 + dice.roll(2) } else { 0 };
            (0..count).map(|_| (*dice.pick(all)).to_owned()).collect()
        };
        Scan {
            record: if dice.one_in(6) { RecordKind::Member } else { RecordKind::Message },
            stretch: Stretch::default(),
            conversations: some(dice, &["19:a@thread.v2", "19:bb", "19:d", "nowhere"]),
            senders: some(dice, &["s-one", "s-two", "nobody"]),
            custodians: (0..dice.roll(6).saturating_sub(3))
                .map(|_| custodian(dice.roll(5)))
                .collect(),
            kinds: if dice.one_in(4) { vec![MessageKind::System] } else { Vec::new() },
            created,
            modified,
            versions: match dice.roll(4) {
                0 => Versions::Latest,
                1 => Versions::All,
                2 => Versions::AsOf(some_time(dice)),
                _ => Versions::EveryVariant,
            },
            as_of_sequence: sequence(dice),
            since: sequence(dice),
            order: *dice.pick(&[Order::Conversation, Order::Created, Order::Modified]),
            backwards: dice.one_in(2),
            limit: dice.one_in(4).then(|| dice.roll(40)),
            cursor: None,
            paths: Vec::new(),
        }
    }

    /// The addresses that a scan must give.
    fn wanted(&self, scan: &Scan, snapshot: Sequence) -> Vec<ContentAddress> {
        let last = scan.as_of_sequence.map_or(snapshot, |last| last.min(snapshot));
        let in_universe = |row: &&ModelRow| {
            let as_of = match scan.versions {
                Versions::AsOf(time) => row.stored.modified <= time,
                _ => true,
            };
            row.stored.key.record == scan.record
                && as_of
                && row.arrival(scan).is_some_and(|arrival| arrival <= last)
        };
        let mut messages: BTreeMap<&MessageKey, Vec<&ModelRow>> = BTreeMap::new();
        for row in self.rows.iter().filter(in_universe) {
            messages.entry(&row.stored.key).or_default().push(row);
        }
        let mut rows: Vec<&ModelRow> = Vec::new();
        for mut all in messages.into_values() {
            all.sort_by_key(|row| {
                let address = row.stored.address;
                (row.stored.version, row.canonical_bytes, std::cmp::Reverse(address))
            });
            match scan.versions {
                Versions::EveryVariant => rows.extend(all),
                Versions::All => {
                    let versions = all.chunk_by(|a, b| a.stored.version == b.stored.version);
                    rows.extend(versions.filter_map(|variants| variants.last()));
                }
                Versions::Latest | Versions::AsOf(_) => rows.extend(all.last()),
            }
        }
        let arrived =
            |row: &ModelRow| scan.since.is_none_or(|since| row.arrival(scan) > Some(since));
        rows.retain(|row| arrived(row) && is_wanted(scan, &row.stored));
        rows.sort_by_key(|row| order_key(scan.order, &row.stored));
        if scan.backwards {
            rows.reverse();
        }
        let limit = scan.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        rows.into_iter().take(limit).map(|row| row.stored.address).collect()
    }
}

fn some_time(dice: &mut Dice) -> Timestamp {
    Timestamp::from_ms(BASE_MS + i64::try_from(dice.roll(350)).unwrap())
}

fn is_wanted(scan: &Scan, row: &Stored) -> bool {
    let within = |range: TimeRange, time: Timestamp| {
        range.from.is_none_or(|from| from <= time) && range.to.is_none_or(|to| time < to)
    };
    (scan.conversations.is_empty() || scan.conversations.contains(&row.key.conversation))
        && (scan.senders.is_empty()
            || row.sender.as_ref().is_some_and(|s| scan.senders.contains(s)))
        && (scan.kinds.is_empty() || scan.kinds.contains(&row.kind))
        && within(scan.created, row.created)
        && within(scan.modified, row.modified)
}

type OrderKey = (i64, String, i64, String, u64, ContentAddress);

fn order_key(order: Order, row: &Stored) -> OrderKey {
    let (conversation, id) = (row.key.conversation.clone(), row.key.id.clone());
    let (first, second) = match order {
        Order::Conversation => (0, row.created.ticks()),
        Order::Created => (row.created.ticks(), 0),
        Order::Modified => (row.modified.ticks(), 0),
    };
    (first, conversation, second, id, row.version, row.address)
}

/// What the document says, read with another parser.
fn read(record: RecordKind, json: &str, address: ContentAddress, sequence: Sequence) -> Stored {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    let text = |place: &str| value.pointer(place).and_then(|text| text.as_str()).map(str::to_owned);
    let time = |place: &str| parse(text(place).unwrap().as_bytes()).unwrap();
    Stored {
        key: MessageKey {
            record,
            conversation: text("/chatId").or_else(|| text("/channelIdentity/channelId")).unwrap(),
            reply_to: text("/replyToId"),
            id: text("/id").unwrap(),
        },
        version: text("/etag").unwrap().parse().unwrap(),
        created: time("/createdDateTime"),
        modified: time("/lastModifiedDateTime"),
        sender: text("/from/user/id"),
        kind: match &*text("/messageType").unwrap() {
            "message" => MessageKind::Message,
            "systemEventMessage" => MessageKind::System,
            _ => MessageKind::Other,
        },
        sequence,
        address,
        json: json.as_bytes().to_vec(),
        sightings: Vec::new(),
    }
}

fn all(snapshot: &Snapshot, scan: &Scan) -> Vec<ContentAddress> {
    addresses(snapshot.scan(scan).unwrap())
}

fn addresses(mut rows: Rows) -> Vec<ContentAddress> {
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        found.push(Compare::default().document(row.json()).unwrap().0);
    }
    found
}

fn check_rows(world: &World, snapshot: &Snapshot) {
    for row in world.rows.iter().filter(|row| row.stored.sequence <= snapshot.sequence()) {
        let mut wanted = row.stored.clone();
        let mut sightings: BTreeMap<Custodian, Sighting> = BTreeMap::new();
        for (name, run, at) in row.delivered.iter().filter(|(.., at)| *at <= snapshot.sequence()) {
            let sighting = Sighting { custodian: name.clone(), run: *run, sequence: *at };
            let _ = sightings.entry(name.clone()).or_insert(sighting);
        }
        let mut stored = snapshot.get(&row.stored.address).unwrap().unwrap();
        wanted.sightings = sightings.into_values().collect();
        stored.sightings.sort();
        if stored.key.record == wanted.key.record {
            assert_eq!(stored, wanted);
        }
        let history = snapshot.history(&row.stored.key).unwrap();
        assert!(history.iter().any(|one| one.address == row.stored.address));
        assert!(history.is_sorted_by_key(|one| (one.version, one.modified, one.address)));
        let scan = Scan { record: row.stored.key.record, ..Scan::default() };
        let latest = snapshot.latest(&row.stored.key).unwrap().unwrap();
        assert!(world.wanted(&scan, snapshot.sequence()).contains(&latest.address));
        assert_eq!(latest.key, row.stored.key);
    }
    assert_eq!(snapshot.get(&ContentAddress([9; 32])).unwrap(), None);
}

#[test]
fn scans_give_what_the_rules_say_whatever_is_sealed_or_merged() {
    for seed in 1..=4 {
        let mut world = World::new(seed);
        let mut snapshots = vec![world.archive.snapshot().unwrap()];
        for round in 0..16 {
            let copies = 1 + world.dice.roll(60);
            world.commit(copies);
            match world.dice.roll(4) {
                0 => world.archive.seal().unwrap(),
                1 if round > 8 => {
                    let _ = world.archive.compact(&mut go_on).unwrap();
                }
                _ => {}
            }
            if world.dice.one_in(3) {
                snapshots.push(world.archive.snapshot().unwrap());
            }
        }
        for snapshot in &snapshots {
            check(&mut world, snapshot, 30);
        }
        let newest = world.archive.snapshot().unwrap();
        check(&mut world, &newest, 150);
        check_rows(&world, &newest);
        check_rows(&world, &snapshots[snapshots.len() / 2]);
        world.archive.seal().unwrap();
        let _ = world.archive.compact(&mut go_on).unwrap();
        let merged = world.archive.snapshot().unwrap();
        check(&mut world, &merged, 80);
        check(&mut world, &newest, 30);
        check_rows(&world, &merged);
        check_rows(&world, &newest);
    }
}

#[test]
fn a_scan_on_threads_may_be_dropped_at_any_row() {
    let mut world = World::new(7);
    (0..4).for_each(|_| {
        world.commit(60);
        world.archive.seal().unwrap();
    });
    let snapshot = world.archive.snapshot().unwrap();
    let scan = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    let whole = all(&snapshot, &scan);
    for read in 0..whole.len() {
        let mut rows = snapshot.scan_on(&scan, 3.try_into().unwrap()).unwrap();
        (0..read).for_each(|_| assert!(rows.next().unwrap().is_some()));
        if read > 0 {
            let cursor = rows.cursor();
            let rest = snapshot.scan(&Scan { cursor, ..scan.clone() }).unwrap();
            assert_eq!(addresses(rest), whole[read..]);
        }
    }
}

#[test]
fn a_cursor_stays_good_over_compaction_and_new_rows() {
    let mut world = World::new(99);
    (0..6).for_each(|_| {
        world.commit(60);
        world.archive.seal().unwrap();
    });
    let first = world.archive.snapshot().unwrap();
    for order in [Order::Conversation, Order::Created, Order::Modified] {
        for backwards in [false, true] {
            let versions = Versions::EveryVariant;
            let scan = Scan { versions, order, backwards, ..Scan::default() };
            let whole = all(&first, &scan);
            let mut rows = first.scan(&scan).unwrap();
            let half = whole.len() / 2;
            (0..half).for_each(|_| assert!(rows.next().unwrap().is_some()));
            let cursor = rows.cursor();
            let known = world.rows.len();
            world.commit(20);
            let _ = world.archive.compact(&mut go_on).unwrap();
            let later = world.archive.snapshot().unwrap();
            let rest = all(&later, &Scan { cursor: cursor.clone(), ..scan.clone() });
            let is_old = |at: &&ContentAddress| {
                world.rows[..known].iter().any(|row| row.stored.address == **at)
            };
            let rest: Vec<_> = rest.iter().filter(is_old).filter(|at| whole.contains(at)).collect();
            assert_eq!(rest, whole[half..].iter().collect::<Vec<_>>(), "{order:?} {backwards}");
            let other = Scan { backwards: !backwards, cursor, ..scan };
            let error = later.scan(&other).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::InvalidInput);
        }
    }
}

#[test]
fn conversations_of_many_row_groups_are_read_in_part() {
    let mut world = World::new(7);
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: "19:a@thread.v2".into(),
        reply_to: None,
        id: String::new(),
    };
    for part in 0..2 {
        let mut batch = world.archive.batch(world.run);
        for number in 0..5000_i64 {
            let at = Timestamp::from_ms(BASE_MS + number * 10 + part);
            let key = MessageKey { id: at.ms().to_string(), ..key.clone() };
            let json = world.json(&key, (at, at));
            let origin = Origin { source: "test", offset: 0 };
            batch.offer(&custodian(0), RecordKind::Message, json.as_bytes(), origin);
        }
        assert_eq!(batch.commit().unwrap().counts.offered, 5000);
        world.commit(50);
        world.archive.seal().unwrap();
    }
    let snapshot = world.archive.snapshot().unwrap();
    let at = |number: i64| Timestamp::from_ms(BASE_MS + number * 10);
    for backwards in [false, true] {
        let created = TimeRange { from: Some(at(4000)), to: Some(at(4200)) };
        let scan = Scan { backwards, created, versions: Versions::All, ..Scan::default() };
        let mut whole = Vec::new();
        let mut rows = snapshot.scan(&scan).unwrap();
        while let Some(row) = rows.next().unwrap() {
            whole.push(row.created());
        }
        assert_eq!(whole.len(), 400);
        assert!(if backwards { whole.is_sorted_by(|a, b| a > b) } else { whole.is_sorted() });
        assert_eq!(paged(&snapshot, &scan, 33).len(), 400);
        let explain = snapshot.explain(&scan).unwrap();
        assert!(explain.groups_touched <= 6 && explain.groups >= 40, "{explain:?}");
        let by_time = Scan { order: Order::Created, ..scan };
        assert_eq!(snapshot.count(&by_time).unwrap(), 400);
        assert_eq!(paged(&snapshot, &by_time, 99).len(), 400);
    }
}

#[test]
fn messages_and_rows_are_counted_as_the_rules_say() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        for round in 0..6 {
            world.commit(30);
            if world.dice.one_in(2) || round == 4 {
                world.archive.seal().unwrap();
            }
            let snapshot = world.archive.snapshot().unwrap();
            let limit = world.dice.one_in(4).then_some(9);
            for scan in plain_scans(limit) {
                let wanted = world.wanted(&scan, snapshot.sequence()).len() as u64;
                assert_eq!(snapshot.count(&scan).unwrap(), wanted, "{seed} {scan:?}");
                let before = Sequence(snapshot.sequence().0 / 2);
                let wanted = world.wanted(&scan, before).len() as u64;
                assert_eq!(snapshot.as_of(before).count(&scan).unwrap(), wanted);
            }
        }
    }
}

/// Scans with no condition, or on conversations alone.
fn plain_scans(limit: Option<u64>) -> Vec<Scan> {
    let mut scans = Vec::new();
    for record in [RecordKind::Message, RecordKind::Member] {
        for versions in [Versions::Latest, Versions::EveryVariant] {
            for conversations in [vec![], vec!["19:bb".to_owned(), "19:d".to_owned()]] {
                scans.push(Scan { record, conversations, versions, limit, ..Scan::default() });
            }
        }
    }
    scans
}

#[test]
fn what_footers_say_is_counted_without_a_look_at_rows() {
    let mut world = World::new(3);
    let key = MessageKey {
        record: RecordKind::Message,
        conversation: "19:a@thread.v2".into(),
        reply_to: None,
        id: String::new(),
    };
    for edit in 0..2 {
        let mut batch = world.archive.batch(world.run);
        for number in 0..2500_i64 {
            if edit == 1 && number % 10 > 0 {
                continue;
            }
            let at = |later: i64| Timestamp::from_ms(BASE_MS + number * 10 + later);
            let key = MessageKey { id: at(0).ms().to_string(), ..key.clone() };
            let json = world.json(&key, (at(0), at(edit)));
            let origin = Origin { source: "test", offset: 0 };
            batch.offer(&custodian(0), RecordKind::Message, json.as_bytes(), origin);
        }
        drop(batch.commit().unwrap());
        world.archive.seal().unwrap();
    }
    let snapshot = world.archive.snapshot().unwrap();
    let counted = |scan: &Scan| {
        let asked = || snapshot.cache_use().hits + snapshot.cache_use().misses;
        let (before, count) = (asked(), snapshot.count(scan).unwrap());
        (count, asked() - before)
    };
    let every = Scan { versions: Versions::EveryVariant, ..Scan::default() };
    assert_eq!(counted(&every), (2750, 0));
    assert_eq!(counted(&Scan::default()), (2500, 0));
    // A time that cuts one row group leaves the others to their footers.
    let from = Timestamp::from_ms(BASE_MS + 15);
    let created = TimeRange { from: Some(from), to: None };
    assert_eq!(counted(&Scan { created, ..every }), (2750 - 3, 2));
}

#[test]
fn a_day_is_looked_for_in_row_groups_that_have_rows_of_it() {
    const DAY_MS: i64 = 86_400_000;
    let mut world = World::new(3);
    let mut batch = world.archive.batch(world.run);
    // Each chat has a day to itself, and each of four row groups has chats from all over the year.
    for number in 0..1024_i64 {
        let (chat, day) = (number / 8, number / 8 * 37 % 128);
        let at = Timestamp::from_ms(BASE_MS + day * DAY_MS + number % 8);
        let (conversation, id) = (format!("19:{chat:03}"), at.ms().to_string());
        let record = RecordKind::Message;
        let key = MessageKey { record, conversation, reply_to: None, id };
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&custodian(0), record, world.json(&key, (at, at)).as_bytes(), origin);
    }
    drop(batch.commit().unwrap());
    world.archive.seal().unwrap();
    let snapshot = world.archive.snapshot().unwrap();
    let misses = || snapshot.cache_use().misses;
    for day in 0..128 {
        let [from, to] = [day, day + 1].map(|day| Some(Timestamp::from_ms(BASE_MS + day * DAY_MS)));
        for is_created in [true, false] {
            let (here, all) = (TimeRange { from, to }, TimeRange::default());
            let (created, modified) = if is_created { (here, all) } else { (all, here) };
            let before = misses();
            assert_eq!(snapshot.count(&Scan { created, modified, ..Scan::default() }).unwrap(), 8);
            // Of two days that share a slice of a group's time it may have one.
            assert!(misses() - before <= 2, "day {day}");
        }
    }
}

#[test]
fn snapshots_and_scans_go_to_other_threads() {
    let world = World::new(1);
    let snapshot = world.archive.snapshot().unwrap();
    let rows = snapshot.scan(&Scan::default()).unwrap();
    let shared = &snapshot;
    std::thread::scope(|scope| {
        let count = scope.spawn(|| shared.count(&Scan::default()).unwrap());
        let first = scope.spawn(|| {
            let mut rows = rows;
            rows.next().unwrap().is_none()
        });
        assert_eq!(count.join().unwrap(), 0);
        assert!(first.join().unwrap());
    });
}
