//! The index gives what a look at every row gives, or says that it is of no use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatvault_base::{continue_if, go_on};
use chatvault_engine::{
    Archive, Custodian, Host, Memory, Options, Origin, RecordKind, Snapshot, Storage, Stored,
};

use super::folder::{FOLDER, LOCK};
use super::limits::Limits;
use super::{Builder, Index};
use crate::names::{Kind, Order, Versions};
use crate::query::Query;
use crate::statistics::{By, Statistics};

pub(super) const AT: u64 = 1_700_000_000_000;

/// Numbers that look random and are the same each time.
pub(super) struct Chance(pub(super) AtomicU64);

impl Chance {
    pub(super) fn below(&self, bound: usize) -> usize {
        let next = |seed: u64| Some(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let seed = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, next);
        usize::try_from(seed.unwrap_or(0) >> 33).unwrap_or(0) % bound
    }

    pub(super) fn pick<'a>(&self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const WORDS: [&str; 16] = [
    "offer",
    "letter",
    "offers",
    "Résumé",
    "resume",
    "会议室",
    "预算",
    "👍🏽",
    "👍",
    "q3_report.pdf",
    "ประชุม",
    "بيانات",
    "Straße",
    "tea",
    "team",
    "let",
];
const CHATS: [&str; 6] = ["19:a", "19:b", "19:c", "19:d", "19:e", "19:f"];
const FILES: [&str; 2] = ["reference", "messageReference"];
const PEOPLE: [&str; 3] = ["ann", "ben", "cyd"];

pub(super) struct Sample {
    storage: Arc<dyn Storage>,
    archive: Archive,
    chance: Chance,
}

impl Sample {
    pub(super) fn new(seed: u64) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(Memory::new());
        let archive = Self::create(&storage);
        Self { storage, archive, chance: Chance(AtomicU64::new(seed)) }
    }

    fn create(storage: &Arc<dyn Storage>) -> Archive {
        let mut options = Options::default();
        options.background_compaction = false;
        Archive::create(Host::new(Arc::clone(storage)), options).unwrap()
    }

    /// Messages, new versions of some, and different content under one version.
    pub(super) fn commit(&self, rows: usize) {
        let mut batch = self.archive.batch(self.archive.begin_run("test").unwrap());
        for _ in 0..rows {
            let (chance, id) = (&self.chance, AT + self.chance.below(60) as u64 * 1_000);
            let version = id + chance.below(3) as u64 * 7;
            let mut words: Vec<&str> = (0..chance.below(7)).map(|_| chance.pick(&WORDS)).collect();
            let body = words.join(" ");
            words.truncate(2);
            let subject = if chance.below(3) == 0 { words.join(" ") } else { String::new() };
            let time = |ms: u64| {
                let minute = (ms - AT) / 60_000;
                format!("2023-11-14T22:{minute:02}:{:02}.{:03}Z", ms / 1000 % 60, ms % 1000)
            };
            let json = serde_json::json!({
                "id": id.to_string(), "etag": version.to_string(), "chatId": chance.pick(&CHATS),
                "messageType": chance.pick(&["message", "message", "typing"]), "createdDateTime": time(id),
                "lastModifiedDateTime": time(version), "subject": subject,
                "from": {"user": {"id": chance.pick(&PEOPLE)}},
                "body": {"contentType": "text", "content": body},
                "attachments": [{"id": "1", "contentType": chance.pick(&FILES), "name": chance.pick(&WORDS)}],
            });
            let origin = Origin { source: "test", offset: 0 };
            let custodian = Custodian::user(chance.pick(&PEOPLE));
            batch.offer(&custodian, RecordKind::Message, json.to_string().as_bytes(), origin);
        }
        assert_eq!(batch.commit().unwrap().counts.quarantined, 0);
    }

    /// A message of one word, in a commit of its own.
    pub(super) fn put(&self, word: &str) {
        self.put_at(AT, word);
    }

    pub(super) fn put_at(&self, id: u64, word: &str) {
        let mut batch = self.archive.batch(self.archive.begin_run("test").unwrap());
        let json = format!(
            r#"{{"id":"{id}","chatId":"19:z","messageType":"message","body":{{"content":"{word}"}}}}"#
        );
        let origin = Origin { source: "test", offset: 0 };
        batch.offer(&Custodian::user("ann"), RecordKind::Message, json.as_bytes(), origin);
        assert_eq!(batch.commit().unwrap().counts.stored, 1);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.archive.snapshot().unwrap()
    }

    pub(super) fn update(&self) -> super::Update {
        Index::update_within(&self.storage, &self.snapshot(), Limits::small(), &mut go_on).unwrap()
    }

    pub(super) fn index(&self) -> Index {
        Index::open_within(&self.storage, &self.archive, Limits::small()).unwrap().unwrap()
    }

    fn question(&self, search: &str) -> Query {
        let chance = &self.chance;
        let some = |list: &[&str]| match chance.below(4) {
            0 => vec![chance.pick(list).to_owned()],
            _ => Vec::new(),
        };
        Query {
            search: (chance.below(6) > 0).then(|| search.to_owned()),
            has_file: chance.below(5) == 0,
            kinds: (chance.below(5) == 0).then_some(Kind::Message).into_iter().collect(),
            chats: some(&CHATS),
            senders: some(&PEOPLE),
            custodians: some(&PEOPLE),
            created_from: (chance.below(4) == 0).then(|| "2023-11-14T22:20:00Z".to_owned()),
            filter: (chance.below(4) == 0).then(|| "subject ne null".to_owned()),
            versions: [Versions::Latest, Versions::All, Versions::Variants][chance.below(3)],
            order: [Order::Conversation, Order::Created, Order::Modified][chance.below(3)],
            reverse: chance.below(2) == 0,
            ..Query::default()
        }
    }

    /// With the index and without it the answer is the same, whole or in pages.
    pub(super) fn check(&self, searches: &[&str]) -> usize {
        let (snapshot, index) = (self.snapshot(), self.index());
        let mut found = 0;
        for search in searches {
            for _ in 0..4 {
                let question = self.question(search);
                let expected = rows(&question, &snapshot, None);
                assert_eq!(rows(&question, &snapshot, Some(&index)), expected, "{question:?}");
                assert_eq!(pages(&question, &snapshot, &index), expected, "{question:?}");
                let count = question.count_with(&snapshot, Some(&index)).unwrap();
                assert_eq!(count, expected.len() as u64, "{question:?}");
                let groups = |index| {
                    Statistics::count_with(&question, By::Custodian, (&snapshot, index)).unwrap()
                };
                assert_eq!(groups(Some(&index)), groups(None), "{question:?}");
                found += expected.len();
            }
        }
        found
    }
}

pub(super) fn rows(question: &Query, snapshot: &Snapshot, index: Option<&Index>) -> Vec<Stored> {
    let mut answer = question.run_with(snapshot, index).unwrap();
    let mut all = Vec::new();
    while let Some(row) = answer.next().unwrap() {
        all.push(row.to_stored().unwrap());
    }
    all
}

pub(super) fn pages(question: &Query, snapshot: &Snapshot, index: &Index) -> Vec<Stored> {
    let mut page = Query { limit: Some(3), ..question.clone() };
    let mut all = Vec::new();
    loop {
        let mut answer = page.run_with(snapshot, Some(index)).unwrap();
        let before = all.len();
        while let Some(row) = answer.next().unwrap() {
            all.push(row.to_stored().unwrap());
        }
        if all.len() < before + 3 {
            return all;
        }
        page.cursor = answer.cursor().map(|cursor| cursor.to_text());
    }
}

const SEARCHES: [&str; 24] = [
    "offer",
    "off*",
    "\"offer letter\"",
    "\"offer let*\"",
    "resume",
    "résumé",
    "会议",
    "议室",
    "👍",
    "q3_report",
    "report.pdf",
    "strasse",
    "بيانات",
    "ชุม",
    "offer -letter",
    "offer -\"tea let*\"",
    "-offer",
    "tea OR team",
    "(tea OR offer) -(letter AND let)",
    "subject:offer",
    "attachment:pdf",
    "attachment:let* tea",
    "body:offer -subject:offer",
    "nowhere",
];

#[test]
fn an_index_changes_no_answer_up_to_date_or_behind_merged_or_not() {
    for seed in 0..3 {
        let sample = Sample::new(seed);
        sample.commit(30);
        assert_eq!(sample.update().rebuilt, None);
        assert!(sample.check(&SEARCHES) > 50);
        for round in 0..3 {
            sample.commit(40);
            if round == 1 {
                sample.archive.seal().unwrap();
            }
            assert!(sample.index().sequence() < sample.snapshot().sequence());
            assert!(sample.check(&SEARCHES) > 50, "behind");
            let update = sample.update();
            assert!(update.finished && update.added > 0 && update.rebuilt.is_none(), "{update:?}");
            assert_eq!(sample.index().sequence(), sample.snapshot().sequence());
            assert!(sample.check(&SEARCHES) > 50, "up to date");
        }
        assert!(sample.archive.compact(&mut go_on).unwrap().finished);
        let update = sample.update();
        assert_eq!((update.added, update.rebuilt), (0, None), "merging changes no row");
        assert!(sample.check(&SEARCHES) > 50, "merged");
    }
}

#[test]
fn an_index_leaves_rows_alone_that_cannot_answer() {
    let sample = Sample::new(7);
    sample.commit(200);
    drop(sample.update());
    let (snapshot, index) = (sample.snapshot(), sample.index());
    let question = |search: &str| Query {
        search: Some(search.to_owned()),
        versions: Versions::All,
        ..Query::default()
    };
    let none = question("nowhere").explain_with(&snapshot, Some(&index)).unwrap();
    let line = none.lines.last().unwrap();
    assert!(line.contains("0 rows of its index"), "{line}");
    let all = question("-offer").explain_with(&snapshot, Some(&index)).unwrap();
    assert!(all.lines.last().unwrap().contains("all rows of its index"), "more than are held");
    assert!(question("tea").explain(&snapshot).unwrap().lines.last().unwrap().contains("each row"));
}

#[test]
fn an_update_that_is_stopped_goes_on_later() {
    let sample = Sample::new(3);
    (0..6).for_each(|_| sample.commit(15));
    let mut calls = 0;
    let stopped = Index::update_within(
        &sample.storage,
        &sample.snapshot(),
        Limits::small(),
        &mut |progress| {
            calls += 1;
            assert!(Some(progress.done) <= progress.of);
            continue_if(calls < 2)
        },
    );
    let stopped = stopped.unwrap();
    assert!(!stopped.finished && stopped.rows > 0, "{stopped:?}");
    assert!(sample.index().sequence() < sample.snapshot().sequence());
    assert!(sample.check(&SEARCHES[..6]) > 0);
    let finished = sample.update();
    assert!(finished.finished && finished.rebuilt.is_none(), "{finished:?}");
    assert_eq!(finished.rows, stopped.rows + finished.added);
    assert!(sample.check(&SEARCHES[..6]) > 0);
}

#[test]
fn a_builder_works_on_its_own_thread_and_only_one_at_a_time() {
    let sample = Sample::new(4);
    sample.commit(50);
    assert!(
        Index::open_within(&sample.storage, &sample.archive, Limits::small()).unwrap().is_none()
    );
    let builder = Builder::start(Arc::clone(&sample.storage), sample.snapshot()).unwrap();
    sample.commit(50);
    let update = builder.wait().unwrap();
    assert!(update.finished && update.sequence < sample.snapshot().sequence().0);
    assert!(sample.check(&SEARCHES[..6]) > 0);

    let held = sample.storage.try_lock(&format!("{FOLDER}/{LOCK}"), "test").unwrap();
    let error = Index::update(&sample.storage, &sample.snapshot(), &mut go_on).unwrap_err();
    assert!(error.to_string().contains("another process") && !error.is_wrong_query(), "{error}");
    drop(held);
    drop(Builder::start(Arc::clone(&sample.storage), sample.snapshot()).unwrap());
    assert!(sample.update().finished && sample.check(&SEARCHES[..6]) > 0);

    assert!(Index::remove(&sample.storage).unwrap() && !Index::remove(&sample.storage).unwrap());
    assert!(
        Index::open_within(&sample.storage, &sample.archive, Limits::small()).unwrap().is_none()
    );
}

#[test]
fn the_index_of_another_archive_or_of_another_time_is_refused_and_replaced() {
    let sample = Sample::new(5);
    sample.commit(30);
    drop(sample.update());
    let other = Sample::new(6);
    other.commit(30);
    other.commit(30);
    for file in sample.storage.list(FOLDER).unwrap() {
        copy(&sample.storage, &other.storage, &file.name);
    }
    check_replaced(&other, "another archive");

    // The archive is restored from an older copy, the index is not.
    let memory = Memory::new();
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let archive = Sample::create(&storage);
    let sample = Sample { storage, archive, chance: Chance(AtomicU64::new(8)) };
    sample.commit(20);
    let fork: Arc<dyn Storage> = Arc::new(memory.fork());
    sample.commit(20);
    drop(sample.update());
    fork.make_folder(FOLDER).unwrap();
    for file in sample.storage.list(FOLDER).unwrap() {
        copy(&sample.storage, &fork, &file.name);
    }
    let mut options = Options::default();
    options.background_compaction = false;
    let archive = Archive::open(Host::new(Arc::clone(&fork)), options).unwrap();
    let restored = Sample { storage: fork, archive, chance: Chance(AtomicU64::new(1)) };
    let error = Index::open(&restored.storage, &restored.archive).unwrap_err();
    assert!(error.to_string().contains("does not have"), "{error}");
    let of_lost = sample.index();
    // Other rows take the numbers of the lost commits: as many of them, or more.
    restored.commit(33);
    check_past(&restored);
    let question = Query { search: Some("tea".to_owned()), ..Query::default() };
    let error = question.count_with(&restored.snapshot(), Some(&of_lost)).unwrap_err();
    assert!(error.to_string().contains("another past"), "asked later: {error}");
    check_replaced(&restored, "another past");
}

#[track_caller]
fn check_past(sample: &Sample) {
    let error = Index::open_within(&sample.storage, &sample.archive, Limits::small()).unwrap_err();
    let text = "the search index is of another past of this archive";
    assert!(error.to_string() == text && !error.is_wrong_query(), "{error}");
}

/// One message more in each of two archives that were one: the numbers of rows and commits are equal.
#[test]
fn the_index_of_another_past_is_refused_however_equal_the_numbers_are() {
    for behind in [0, 1, 7] {
        let memory = Memory::new();
        let storage: Arc<dyn Storage> = Arc::new(memory.clone());
        let archive = Sample::create(&storage);
        let sample = Sample { storage, archive, chance: Chance(AtomicU64::new(8)) };
        sample.commit(20);
        drop(sample.update());
        // Closed in order, so that both go on with the same numbers.
        sample.archive.clone().close().unwrap();
        let fork: Arc<dyn Storage> = Arc::new(memory.fork());
        let mut options = Options::default();
        options.background_compaction = false;
        let open = |storage| Archive::open(Host::new(storage), options.clone()).unwrap();
        let sample = Sample { archive: open(Arc::clone(&sample.storage)), ..sample };
        sample.put("zebraone");
        drop(sample.update());
        for file in sample.storage.list(FOLDER).unwrap() {
            copy(&sample.storage, &fork, &file.name);
        }
        let (archive, chance) = (open(Arc::clone(&fork)), Chance(AtomicU64::new(1)));
        let restored = Sample { storage: fork, archive, chance };
        restored.put("zebratwo");
        assert_eq!(restored.snapshot().sequence(), sample.snapshot().sequence());
        (0..behind).for_each(|_| restored.commit(3));
        check_past(&restored);
        restored.archive.seal().unwrap();
        check_past(&restored);
        check_replaced(&restored, "another past");
        let question = Query { search: Some("zebratwo".to_owned()), ..Query::default() };
        let (snapshot, index) = (restored.snapshot(), restored.index());
        assert_eq!(question.count_with(&snapshot, Some(&index)).unwrap(), 1);
    }
}

fn copy(from: &Arc<dyn Storage>, to: &Arc<dyn Storage>, name: &str) {
    let path = format!("{FOLDER}/{name}");
    to.make_folder(FOLDER).unwrap();
    let file = from.open(&path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    drop(to.remove(&path));
    to.create(&path).unwrap().write_at(0, &bytes).unwrap();
}

#[track_caller]
fn check_replaced(sample: &Sample, why: &str) {
    let update = sample.update();
    assert!(update.rebuilt.as_ref().is_some_and(|reason| reason.contains(why)), "{update:?}");
    let counts = sample.archive.stat().unwrap().counts;
    let rows = counts.stored + counts.variants;
    assert_eq!((update.added, update.rows), (rows, rows));
    assert!(sample.check(&SEARCHES[..8]) > 0);
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_and_an_update_replaces_the_index() {
    let sample = Sample::new(9);
    sample.commit(80);
    drop(sample.update());
    let mut refused = 0;
    let names: Vec<_> = sample.storage.list(FOLDER).unwrap();
    for file in names.iter().filter(|file| file.name != LOCK) {
        for place in [0, file.bytes / 2, file.bytes - 1] {
            let path = format!("{FOLDER}/{}", file.name);
            flip(&sample.storage, &path, place);
            refused += usize::from(!answers(&sample));
            flip(&sample.storage, &path, place);
        }
        assert!(answers(&sample), "{} was put back", file.name);
    }
    assert!(refused > names.len(), "{refused} of {}", names.len() * 3);
    let largest = names.iter().max_by_key(|file| file.bytes).unwrap();
    flip(&sample.storage, &format!("{FOLDER}/{}", largest.name), largest.bytes / 2);
    let update = sample.update();
    assert!(update.rebuilt.is_some() && answers(&sample), "{update:?}");
}

fn flip(storage: &Arc<dyn Storage>, path: &str, place: u64) {
    let file = storage.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.bytes().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes[usize::try_from(place).unwrap()] ^= 0x40;
    storage.remove(path).unwrap();
    storage.create(path).unwrap().write_at(0, &bytes).unwrap();
}

/// Are all answers right? Otherwise there was an error; a wrong answer fails the test.
fn answers(sample: &Sample) -> bool {
    let Ok(Some(index)) = Index::open_within(&sample.storage, &sample.archive, Limits::small())
    else {
        return false;
    };
    let snapshot = sample.snapshot();
    SEARCHES.iter().all(|search| {
        let question = Query { search: Some((*search).to_owned()), ..Query::default() };
        let expected = question.count(&snapshot).unwrap();
        match question.count_with(&snapshot, Some(&index)) {
            Ok(found) => {
                assert_eq!(found, expected, "{search}");
                true
            }
            Err(error) => {
                assert!(!error.is_wrong_query(), "{error}");
                false
            }
        }
    })
}
