//! Random questions over all fields at once, held against the model: rows, counts, groups and pages,
//! with an index and without one, at the newest commit and at older ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::{Memory, Snapshot, Stored};
use chatvault_query::search::Index;
use chatvault_query::statistics::{By, Statistics};
use chatvault_query::{Plan, Query};
use chatvault_support::Random;
use chatvault_support::ask::{self, Ask};
use chatvault_support::model::Model;

use crate::kit::{self, Vault, assert_rows, expected, go_on, seeds};

const QUESTIONS: usize = 200;

/// A moment of an archive's life, and the index as it was then.
struct Moment {
    snapshot: Snapshot,
    model: Model,
    index: Option<Index>,
}

/// Imports, edits, late deliveries, seals, a merge, and an index that falls behind.
fn life(random: &mut Random) -> Vec<Moment> {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let pool: Vec<_> = (0..160).map(|_| ask::copy(random)).collect();
    let mut moments = Vec::new();
    for round in 0..6 {
        let some: Vec<_> = (0..45).filter_map(|_| random.pick(&pool).cloned()).collect();
        drop(vault.commit(&some));
        match round {
            1 | 3 => vault.archive().seal().unwrap(),
            4 => vault.compact(),
            _ => {}
        }
        let snapshot = vault.archive().snapshot().unwrap();
        if round == 2 || round == 4 {
            assert!(Index::update(&vault.storage, &snapshot, &mut go_on).unwrap().finished);
        }
        let index = Index::open(&vault.storage, vault.archive()).unwrap();
        moments.push(Moment { snapshot, model: vault.model.clone(), index });
    }
    moments
}

fn rows(question: &Query, snapshot: &Snapshot, index: Option<&Index>) -> Vec<Stored> {
    let mut answer = question.run_with(snapshot, index).unwrap();
    let mut all = Vec::new();
    while let Some(row) = answer.next().unwrap() {
        let mut stored = row.to_stored().unwrap();
        stored.sightings.sort();
        all.push(stored);
    }
    all
}

/// Pages of five, joined by their cursors.
fn pages(question: &Query, snapshot: &Snapshot, index: Option<&Index>) -> Vec<Stored> {
    let mut page = Query { limit: Some(5), ..question.clone() };
    let mut all: Vec<Stored> = Vec::new();
    loop {
        let before = all.len();
        let mut answer = page.run_with(snapshot, index).unwrap();
        while let Some(row) = answer.next().unwrap() {
            let mut stored = row.to_stored().unwrap();
            stored.sightings.sort();
            all.push(stored);
        }
        let cursor = answer.cursor().map(|cursor| cursor.to_text());
        page.cursor = cursor.or(page.cursor);
        if all.len() < before + 5 {
            return all;
        }
    }
}

/// What each group should have, by looking at the rows.
fn groups(by: By, rows: &[Stored]) -> BTreeMap<Option<String>, u64> {
    let mut groups = BTreeMap::new();
    for row in rows {
        let key = match by {
            By::Sender => row.sender.clone(),
            By::Kind => Some(chatvault_query::Kind::name_of(row.kind).to_owned()),
            _ => Some(row.key.conversation.clone()),
        };
        *groups.entry(key).or_default() += 1;
    }
    groups
}

/// Every way to ask gives the model's answer; how many rows it has.
fn check(ask: &Ask, random: &mut Random, moment: &Moment) -> usize {
    let Moment { snapshot, model, index } = moment;
    let index = if random.chance(70) { index.as_ref() } else { None };
    let (question, name) = (ask.query(), format!("{ask:?}, as {:?}", ask.query()));
    let wanted: Vec<Stored> = ask.rows(model).into_iter().map(expected).collect();
    assert_rows(&rows(&question, snapshot, index), &wanted, &name);
    assert_eq!(question.count_with(snapshot, index).unwrap(), wanted.len() as u64, "{name}");
    let explain = question.explain_with(snapshot, index).unwrap();
    if matches!(question.plan().unwrap(), Plan::Nothing(_)) {
        assert_eq!((explain.rows_touched, wanted.len()), (0, 0), "{name}");
        assert!(explain.lines[0].starts_with("filter: no row meets"), "{:?}", explain.lines);
    }

    let whole = ask.without_limit();
    let (question, name) = (whole.query(), format!("whole, {name}"));
    let all: Vec<Stored> = whole.rows(model).into_iter().map(expected).collect();
    let by = *random.pick(&[By::Conversation, By::Sender, By::Kind]).unwrap();
    let statistics = Statistics::count_with(&question, by, (snapshot, index)).unwrap();
    let found = statistics.groups.into_iter().map(|group| (group.key, group.count)).collect();
    assert_eq!((statistics.total, groups(by, &all)), (all.len() as u64, found), "{name}");
    assert_rows(&pages(&question, snapshot, index), &all, &format!("in pages, {name}"));
    wanted.len()
}

#[test]
fn every_combination_of_conditions_gives_what_a_look_at_every_row_gives() {
    for seed in seeds(6) {
        let random = &mut Random::new(seed.0);
        let moments = life(random);
        let (mut empty, mut full) = (0, 0);
        for _ in 0..QUESTIONS {
            let moment = random.pick(&moments).unwrap();
            let ask = Ask::random(random, moment.snapshot.sequence());
            match check(&ask, random, moment) {
                0 => empty += 1,
                _ => full += 1,
            }
        }
        assert!(empty > QUESTIONS / 10 && full > QUESTIONS / 10, "{empty} and {full}");
    }
}

#[test]
fn conditions_that_contradict_each_other_give_nothing_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("a.cvault").to_str().unwrap().to_owned();
    let file = folder.path().join("m.jsonl");
    let random = &mut Random::new(3);
    let documents: Vec<Vec<u8>> = (0..80).map(|_| ask::copy(random).1).collect();
    let lines = chatvault_support::generate::JsonLines::of(documents.iter().map(Vec::as_slice));
    kit::files::write(&file, lines.bytes());
    let ran = |line: &[&str]| {
        let ran = kit::command::chatvault(line);
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran.out
    };
    let _made = ran(&["init", &archive]);
    let _told = ran(&["import", &archive, "--custodian", "ann", file.to_str().unwrap()]);
    let _built = ran(&["index", &archive]);
    let search = ["--search", "tea*"];
    assert!(ran(&[&["query", &archive][..], &search].concat()).lines().count() > 10);
    for conditions in [
        &["--chat", "19:a", "--filter", "chatId eq '19:b@thread.v2'"][..],
        &["--sender", "cyd", "--filter", "from/user/id eq 'ben'"],
        &["--filter", "chatId eq '19:a' and chatId eq '19:b@thread.v2'"],
        &["--kind", "system", "--filter", "messageType eq 'message'"],
        &["--created-from", "2023-11-16", "--filter", "createdDateTime lt 2023-11-15"],
        &["--filter", "createdDateTime eq null"],
    ] {
        for search in [&search[..], &[]] {
            let asked = [&["query", &archive][..], conditions, search].concat();
            assert_eq!(ran(&asked), "", "{asked:?}");
            assert_eq!(ran(&[&asked[..], &["--limit", "5"]].concat()), "", "{asked:?}");
            assert_eq!(ran(&[&asked[..], &["--count"]].concat()).trim(), "0", "{asked:?}");
            let groups = ran(&[&asked[..], &["--count-by", "sender", "--json"]].concat());
            assert!(groups.contains("\"total\":0"), "{asked:?}: {groups}");
            let why = ran(&[&asked[..], &["--explain"]].concat());
            assert!(why.contains("filter: no row meets"), "{asked:?}: {why}");
        }
    }
}
