//! The archive against the reference: random work, random questions, reopening at random.

use std::sync::Arc;

use chatvault_engine::{
    Custodian, MessageKind, Order, Scan, Sequence, Snapshot, Storage, TimeRange, Timestamp,
    Versions,
};
use chatvault_support::generate::{Shape, Tenant, broken, odd_document};
use chatvault_support::model::{Model, Row};
use chatvault_support::storage::{Survival, Volatile};
use chatvault_support::{Random, fixtures};

use crate::kit::{self, Vault, assert_rows, rows, seeds};

const STEPS: usize = 60;

/// Copies to draw from, and the archive that they go into.
struct Round {
    random: Random,
    disk: Volatile,
    vault: Vault,
    pool: Vec<(Custodian, Vec<u8>)>,
    held: Vec<(Snapshot, Model)>,
}

/// Copies of several exports, odd and broken documents, samples; few enough to meet again.
fn pool(random: &mut Random) -> Vec<(Custodian, Vec<u8>)> {
    let shape = Shape { users: 4, conversations: 5, messages: 120, redressed_percent: 25 };
    let tenant = Tenant::new(random.next_u64(), &shape);
    let custodians = tenant.custodians();
    let mut pool: Vec<_> = tenant.copies().map(|copy| (copy.custodian, copy.json)).collect();
    let mut others: Vec<Vec<u8>> = (0..120).map(|_| odd_document(random)).collect();
    let small = |json: &Vec<u8>| json.len() < 20_000;
    let samples = fixtures::messages().into_iter().chain(fixtures::unkeyable());
    others.extend(samples.map(|sample| sample.json).filter(small));
    let cut = others.iter().map(|json| broken(random, json)).filter(|json| is_unkeyable(json));
    let cut: Vec<_> = cut.collect();
    others.extend(cut);
    for json in others {
        for custodian in custodians.iter().take(2) {
            pool.push((custodian.clone(), json.clone()));
        }
    }
    random.shuffle(&mut pool);
    pool
}

fn is_unkeyable(json: &[u8]) -> bool {
    let value = chatvault_support::json::parse(json);
    value.is_none_or(|value| chatvault_support::model::identify(&value).is_none())
}

impl Round {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let disk = Volatile::new();
        let vault = Vault::create(disk.storage());
        let pool = pool(&mut random);
        Self { random, disk, vault, pool, held: Vec::new() }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..55 => self.commit(),
            55..60 => self.vault.begin_run(),
            60..70 => self.vault.archive().seal().unwrap(),
            70..75 => self.vault.compact(),
            75..82 => self.vault.reopen(),
            82..86 => self.lose_power(),
            86..89 => {
                let _ = self.vault.archive().rebuild_catalog().unwrap();
            }
            89..95 => self.hold(),
            _ => self.vault.verify(),
        }
    }

    fn commit(&mut self) {
        let count = self.random.index(40);
        let copies: Vec<_> =
            (0..count).filter_map(|_| self.random.pick(&self.pool).cloned()).collect();
        drop(self.vault.commit(&copies));
    }

    /// All that was acknowledged must be there; nothing else was written meanwhile.
    fn lose_power(&mut self) {
        let survival = if self.random.chance(50) {
            Survival::OnlySynced
        } else {
            Survival::Some(self.random.split())
        };
        self.disk = self.disk.after_power_cut(survival);
        self.vault.move_to(self.disk.storage());
    }

    fn hold(&mut self) {
        self.held.push((self.vault.archive().snapshot().unwrap(), self.vault.model.clone()));
    }

    fn ask(&mut self) {
        let scan = question(&mut self.random, &self.vault.model);
        self.vault.check_scan(&scan);
        self.check_parts(&scan);
        self.check_pages(scan);
        self.check_message();
    }

    /// The parts of a scan give its rows once; in the order of conversations, in its order.
    fn check_parts(&mut self, scan: &Scan) {
        let snapshot = self.vault.archive().snapshot().unwrap();
        let mut expected = self.vault.expect(scan);
        let parts = snapshot.split(scan, 1 + self.random.below(300)).unwrap();
        let counts = parts.iter().map(|part| snapshot.count(part).unwrap());
        assert_eq!(counts.sum::<u64>(), expected.len() as u64, "in parts: {scan:?}");
        let all = parts.iter().flat_map(|part| rows(&snapshot, part).unwrap());
        let mut found: Vec<_> = all.collect();
        if scan.order != Order::Conversation {
            found.sort_by_key(|row| row.address);
            expected.sort_by_key(|row| row.address);
        }
        assert_rows(&found, &expected, &format!("in parts: {scan:?}"));
    }

    /// The same in pages gives the same.
    fn check_pages(&mut self, scan: Scan) {
        let snapshot = self.vault.archive().snapshot().unwrap();
        let (question, expected) = (format!("in pages: {scan:?}"), self.vault.expect(&scan));
        let size = 1 + self.random.below(60);
        let mut scan = Scan { limit: Some(size), ..scan };
        let mut found = Vec::new();
        loop {
            let mut page = snapshot.scan(&scan).unwrap();
            while let Some(row) = page.next().unwrap() {
                let mut stored = row.to_stored().unwrap();
                stored.sightings.sort();
                found.push(stored);
            }
            let Some(cursor) = page.cursor() else { break };
            scan.cursor = Some(cursor);
        }
        assert_rows(&found, &expected, &question);
    }

    fn check_message(&mut self) {
        let snapshot = self.vault.archive().snapshot().unwrap();
        let Some(row) = self.random.pick(&self.vault.model.rows) else { return };
        let sorted = |mut stored: chatvault_engine::Stored| {
            stored.sightings.sort();
            stored
        };
        let found = snapshot.get(&row.address).unwrap().map(sorted);
        assert_eq!(found, Some(kit::expected(row)));
        let history: Vec<_> =
            snapshot.history(row.key()).unwrap().into_iter().map(sorted).collect();
        let expected: Vec<_> =
            self.vault.model.history(row.key()).into_iter().map(kit::expected).collect();
        assert_rows(&history, &expected, "history");
        let one = Scan { conversations: vec![row.key().conversation.clone()], ..Scan::default() };
        let latest = self.vault.expect(&one).into_iter().find(|latest| latest.key == *row.key());
        assert_eq!(snapshot.latest(row.key()).unwrap().map(sorted), latest);
    }

    fn check_held(&self) {
        for (snapshot, model) in &self.held {
            let expected: Vec<_> =
                model.scan(&kit::everything()).into_iter().map(kit::expected).collect();
            assert_rows(&rows(snapshot, &kit::everything()).unwrap(), &expected, "held snapshot");
        }
    }
}

/// A random question about things that exist, mostly.
fn question(random: &mut Random, model: &Model) -> Scan {
    let mut scan = Scan {
        order: *random.pick(&[Order::Conversation, Order::Created, Order::Modified]).unwrap(),
        backwards: random.chance(40),
        versions: versions(random, model),
        ..Scan::default()
    };
    let mut row = || random.pick(&model.rows).cloned();
    let (Some(first), Some(second)) = (row(), row()) else { return scan };
    if random.chance(35) {
        scan.conversations =
            vec![first.key().conversation.clone(), second.key().conversation.clone()];
        scan.conversations.truncate(1 + random.index(2));
    }
    if random.chance(30) {
        scan.senders =
            [&first, &second].iter().filter_map(|row| row.identity.sender.clone()).collect();
    }
    if random.chance(25) {
        let kinds = [MessageKind::Message, MessageKind::System, MessageKind::Other];
        scan.kinds = random.pick(&kinds).copied().into_iter().collect();
    }
    if random.chance(30) {
        scan.created = range(random, first.identity.created, second.identity.created);
    }
    if random.chance(30) {
        scan.modified = range(random, first.identity.modified, second.identity.modified);
    }
    if random.chance(45) {
        scan.custodians = first.sightings.keys().take(1 + random.index(2)).cloned().collect();
    }
    if random.chance(45) {
        let commit = |random: &mut Random, row: &Row| {
            let commits: Vec<Sequence> = row.sightings.values().map(|(_, at)| *at).collect();
            random.pick(&commits).copied().unwrap_or(row.sequence)
        };
        let (one, other) = (commit(random, &first), commit(random, &second));
        (scan.since, scan.as_of_sequence) = arrival(random, one, other);
    }
    scan
}

fn versions(random: &mut Random, model: &Model) -> Versions {
    let time = random.pick(&model.rows).map_or(Timestamp::MAX, |row| row.identity.modified);
    let all = [Versions::Latest, Versions::All, Versions::EveryVariant, Versions::AsOf(time)];
    *random.pick(&all).unwrap()
}

fn range(random: &mut Random, one: Timestamp, other: Timestamp) -> TimeRange {
    let (from, to) = (one.min(other), one.max(other));
    let open = |random: &mut Random, time| (!random.chance(25)).then_some(time);
    TimeRange { from: open(random, from), to: open(random, to) }
}

fn arrival(
    random: &mut Random,
    one: Sequence,
    other: Sequence,
) -> (Option<Sequence>, Option<Sequence>) {
    let (since, until) = (one.min(other), one.max(other));
    match random.below(3) {
        0 => (Some(since), None),
        1 => (None, Some(until)),
        _ => (Some(since), Some(until)),
    }
}

#[test]
fn random_work_and_random_questions_agree_with_the_reference() {
    for seed in seeds(8) {
        let mut round = Round::new(seed.0);
        for _ in 0..STEPS {
            round.step();
            if round.random.chance(60) {
                round.ask();
            }
        }
        round.vault.check();
        round.check_held();
        round.vault.reopen();
        round.vault.check();
        round.vault.verify();
    }
}

#[test]
fn a_tenant_imported_export_by_export_is_stored_once() {
    let shape = Shape { users: 8, conversations: 12, messages: 1_500, redressed_percent: 10 };
    let tenant = Tenant::new(11, &shape);
    let storage: Arc<dyn Storage> = Arc::new(chatvault_engine::Memory::new());
    let mut vault = Vault::create(storage);
    let copies: Vec<_> = tenant.copies().map(|copy| (copy.custodian, copy.json)).collect();
    for (at, batch) in copies.chunks(400).enumerate() {
        drop(vault.commit(batch));
        if at % 4 == 3 {
            vault.archive().seal().unwrap();
        }
    }
    for _ in 0..2 {
        for custodian in tenant.custodians() {
            vault.check_scan(&Scan { custodians: vec![custodian], ..Scan::default() });
        }
        for conversation in tenant.conversation_ids() {
            let conversations = vec![conversation];
            vault.check_scan(&Scan { conversations, order: Order::Modified, ..Scan::default() });
        }
        vault.check();
        vault.compact();
    }
    vault.verify();
}
