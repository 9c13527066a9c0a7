//! Exactly the selected messages, and nothing else.

use std::ops::ControlFlow;
use std::sync::Arc;

use chatvault_engine::{Custodian, Memory, Storage};
use chatvault_export::entry::SystemEvents;
use chatvault_export::request::TimeField;
use chatvault_export::{Format, Request, Run};
use chatvault_query::{Order, Query, Versions, format_time};
use chatvault_support::ask::{self, Ask};
use chatvault_support::{Draft, Random};

use super::{
    AT, CHATS, DAY, PEOPLE, check, export, files, is_part, joined, request, rows, run, vault,
};
use crate::kit::{Vault, seeds};

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

fn time(ms: i64) -> String {
    format_time(chatvault_engine::Timestamp::from_ms(ms))
}

#[test]
fn json_lines_are_what_the_query_gives() {
    let vault = vault(90);
    let snapshot = vault.archive().snapshot().unwrap();
    for seed in seeds(25) {
        let random = &mut Random::new(seed.0);
        let some = |random: &mut Random, list: &[&str]| {
            if random.chance(60) { Vec::new() } else { vec![random.word(list).to_owned()] }
        };
        let all_versions = random.chance(40);
        let from = AT + i64::try_from(random.below(200)).unwrap() * DAY;
        let to = from + i64::try_from(1 + random.below(200)).unwrap() * DAY;
        let asked = Request {
            chats: some(random, &CHATS),
            custodians: some(random, &PEOPLE),
            senders: some(random, &PEOPLE),
            filter: random.chance(20).then(|| "messageType eq 'message'".to_owned()),
            as_of: random.chance(20).then(|| "2024-04".to_owned()),
            since: random.chance(20).then_some(1.into()),
            from: Some(time(from)),
            to: Some(time(to)),
            all_time: false,
            window_days: *random.pick(&[0, 1, 30]).unwrap(),
            all_versions,
            ..request(Format::Jsonl)
        };
        let question = Query {
            chats: asked.chats.clone(),
            custodians: asked.custodians.clone(),
            senders: asked.senders.clone(),
            filter: asked.filter.clone(),
            as_of: asked.as_of.clone(),
            since: asked.since,
            created_from: asked.from.clone(),
            created_to: asked.to.clone(),
            ..Query::default()
        };
        let (folder, index) = run(&export(&vault, asked.clone()), 2);
        let mut found = lines(&joined(&*folder, ".jsonl"));
        found.retain(|line| line.starts_with(b"{\"@odata") || line.starts_with(b"{\"id\""));
        let mut latest = rows(&snapshot, &question);
        assert_eq!(index.counts.messages + index.counts.events, latest.len() as u64, "{asked:?}");
        found.sort();
        latest.sort();
        if all_versions {
            let is_there = |row: &Vec<u8>| found.binary_search(row).is_ok();
            assert!(latest.iter().all(is_there), "{asked:?}");
            assert_eq!(index.counts.versions, found.len() as u64);
        } else {
            assert!(found == latest, "{asked:?}: {} and {}", found.len(), latest.len());
        }
    }
}

#[test]
fn every_version_is_handed_out_on_request() {
    let vault = vault(60);
    let snapshot = vault.archive().snapshot().unwrap();
    let asked = Request { all_versions: true, ..request(Format::Jsonl) };
    let (folder, index) = run(&export(&vault, asked), 2);
    let every = Query { versions: Versions::All, order: Order::Conversation, ..Query::default() };
    let expected = rows(&snapshot, &every);
    let mut found = lines(&joined(&*folder, ".jsonl"));
    found.retain(|line| !line.starts_with(b"{\"attachment\""));
    assert!(found == expected, "{} and {}", found.len(), expected.len());
    assert_eq!(index.counts.versions, expected.len() as u64);
}

#[test]
fn windows_are_exact_to_the_millisecond_at_both_ends() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let times = [-1, 0, 1, 90 * DAY - 1, 90 * DAY, 90 * DAY + 1, 180 * DAY - 1, 180 * DAY];
    for at in times {
        drop(vault.put(&Custodian::user("ann"), &Draft::chat("19:a", AT + at).json()));
    }
    let asked = |from: i64, to: i64| Request {
        from: Some(time(AT + from)),
        to: Some(time(AT + to)),
        all_time: false,
        window_days: 90,
        ..request(Format::Csv)
    };
    for (from, to, expected) in [
        (0, 180 * DAY, vec![3, 3]),
        (0, 180 * DAY + 1, vec![3, 3, 1]),
        (1, 90 * DAY, vec![2]),
        (-1, 90 * DAY - 1, vec![3]),
        (2, 90 * DAY - 1, vec![0]),
        (180 * DAY + 1, 181 * DAY, vec![0]),
    ] {
        let (folder, index) = run(&export(&vault, asked(from, to)), 1);
        let counts: Vec<u64> = index.windows.iter().map(|window| window.counts.messages).collect();
        assert_eq!(counts, expected, "{from} {to}");
        let parts = expected.iter().filter(|count| **count > 0).count();
        assert_eq!((index.parts.len(), index.windows.len()), (parts, expected.len()));
        let zips = folder.list("").unwrap().into_iter().filter(|file| is_part(&file.name));
        assert_eq!(zips.count(), parts);
    }
}

#[test]
fn the_range_is_the_last_ninety_days_unless_it_is_given() {
    let vault = vault(90);
    let now = AT + 400 * DAY;
    let asked = Request { all_time: false, ..request(Format::Jsonl) };
    let export = export(&vault, asked);
    let window = export.windows().unwrap()[0];
    assert_eq!((window.start.ms(), window.end.ms()), (now - 90 * DAY, now));
    let plan = export.plan().unwrap();
    let (_, index) = run(&export, 1);
    assert!(plan.messages > 0 && plan.is_exact);
    assert_eq!((plan.messages, plan.events), (index.counts.messages, index.counts.events));
}

#[test]
fn a_plan_counts_what_will_be_there_and_is_near_in_size() {
    let vault = vault(600);
    for format in [Format::Eml, Format::Csv, Format::Jsonl, Format::Html] {
        let asked = Request { window_days: 90, ..request(format) };
        let export = export(&vault, asked);
        let plan = export.plan().unwrap();
        let (_, index) = run(&export, 2);
        assert_eq!(plan.conversations, 3);
        assert_eq!((plan.messages, plan.events), (index.counts.messages, index.counts.events));
        assert_eq!(plan.attachments, index.counts.attachments);
        let bytes: u64 = index.parts.iter().map(|part| part.bytes).sum();
        let is_near = plan.estimated_bytes / 3 < bytes && bytes < plan.estimated_bytes * 3;
        assert!(is_near, "{format:?}: {} planned, {bytes} written", plan.estimated_bytes);
        assert_eq!(plan.estimated_parts, index.parts.len() as u64);
    }
}

/// Many small chats and one large, of which a plan looks at a part.
#[test]
fn a_plan_of_many_rows_looks_at_a_bounded_number_and_says_so() {
    let mut vault = Vault::create(Arc::new(Memory::default()));
    let mut copies = Vec::new();
    for number in 0..12_000_i64 {
        let chat = if number % 6 == 0 { 9_999 } else { number / 20 };
        let at = AT + number * 1_000;
        let draft = Draft::chat(&format!("19:{chat:05}"), at).text("some words");
        copies.push((Custodian::user("ann"), draft.json().into_bytes()));
    }
    drop(vault.commit(&copies));
    vault.archive().seal().unwrap();
    let export = export(&vault, Request { window_days: 90, ..request(Format::Csv) });
    let exact = export.plan_within(20_000).unwrap();
    assert_eq!((exact.sampled, exact.messages, exact.is_exact), (None, 12_000, true));
    assert_eq!(exact, export.plan().unwrap());
    // Its stretches take as many as may be looked at: all were.
    assert_eq!(exact, export.plan_within(11_900).unwrap());
    let plan = export.plan_within(4_096).unwrap();
    let (looked_at, of) = plan.sampled.unwrap();
    assert!(!plan.is_exact && of == 12_000 && looked_at <= 4_096 + 2_048, "{plan:?}");
    let is_near = |told: u64, counted: u64| counted / 2 <= told && told <= counted * 2;
    assert!(is_near(plan.messages, 12_000), "{plan:?}");
    assert!(is_near(plan.conversations, exact.conversations), "{plan:?}");
    assert!(is_near(plan.estimated_bytes, exact.estimated_bytes), "{plan:?}");
}

#[test]
fn events_are_words_a_placeholder_or_counted_only() {
    let vault = vault(40);
    let text = |system_events| {
        let asked = Request { system_events, ..request(Format::Csv) };
        let (folder, index) = run(&export(&vault, asked), 2);
        (String::from_utf8(joined(&*folder, ".csv")).unwrap(), index.counts)
    };
    let (words, counts) = text(SystemEvents::Text);
    assert!(words.contains("renamed the chat to Tea & <Biscuits>"), "{words}");
    assert_eq!((counts.events, counts.omitted), (4, 0));
    let (placeholder, counts) = text(SystemEvents::Placeholder);
    assert_eq!(placeholder.matches("System Event Message can't be previewed").count(), 4);
    assert_eq!(counts.events, 4);
    let (omitted, counts) = text(SystemEvents::Omit);
    assert!(!omitted.contains("chatRenamed"));
    assert_eq!((counts.events, counts.omitted), (0, 4));
}

#[test]
fn nothing_new_since_the_last_commit_is_an_empty_export() {
    let vault = vault(30);
    let newest = vault.archive().snapshot().unwrap().sequence().0;
    let asked = Request { since: Some(newest.into()), ..request(Format::Eml) };
    let (folder, index) = run(&export(&vault, asked), 1);
    assert!(index.finished && index.parts.is_empty());
    assert_eq!(super::members(&*folder).len(), 0);
}

#[test]
fn a_range_can_be_about_when_messages_were_modified() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    let ann = Custodian::user("ann");
    let old = Draft::chat("19:a", AT).text("old");
    drop(vault.put(&ann, &old.json()));
    drop(vault.put(&ann, &old.clone().edited(AT + 50 * DAY, "late edit").json()));
    drop(vault.put(&ann, &Draft::chat("19:a", AT + DAY).text("young").json()));
    let asked = |time_field| Request {
        from: Some(time(AT + 40 * DAY)),
        to: Some(time(AT + 60 * DAY)),
        all_time: false,
        all_versions: true,
        time_field,
        ..request(Format::Jsonl)
    };
    let (_, created) = run(&export(&vault, asked(TimeField::Created)), 1);
    assert_eq!(created.counts.messages, 0, "an edit does not move a message to its own day");
    let (folder, modified) = run(&export(&vault, asked(TimeField::Modified)), 1);
    assert_eq!((modified.counts.messages, modified.counts.versions), (1, 2));
    let text = String::from_utf8(joined(&*folder, ".jsonl")).unwrap();
    assert!(text.contains("late edit") && text.contains("old") && !text.contains("young"));
}

#[test]
fn a_request_that_cannot_be_is_refused_by_its_field() {
    let vault = vault(3);
    for (wrong, start) in [
        (
            Request { all_time: false, from: Some("noon".to_owned()), ..request(Format::Csv) },
            "from: ",
        ),
        (
            Request {
                all_time: false,
                from: Some("2024-02".to_owned()),
                to: Some("2024-01".to_owned()),
                ..request(Format::Csv)
            },
            "range: ",
        ),
        (Request { zone: "Mars".to_owned(), ..request(Format::Csv) }, "zone: "),
        (Request { filter: Some("subject".to_owned()), ..request(Format::Csv) }, "filter: "),
        (Request { chats: vec![String::new()], ..request(Format::Csv) }, "chats: "),
    ] {
        let snapshot = vault.archive().snapshot().unwrap();
        let now = chatvault_engine::Timestamp::from_ms(AT);
        let error = chatvault_export::Export::new(&snapshot, wrong, now).unwrap_err();
        assert!(error.is_wrong_request() && error.to_string().starts_with(start), "{error}");
    }
}

#[test]
fn a_random_question_is_exported_as_it_is_answered() {
    for seed in seeds(4) {
        let random = &mut Random::new(seed.0);
        let mut vault = Vault::create(Arc::new(Memory::new()));
        for round in 0..3 {
            let copies: Vec<_> = (0..60).map(|_| ask::copy(random)).collect();
            drop(vault.commit(&copies));
            if round == 1 {
                vault.archive().seal().unwrap();
            }
        }
        let snapshot = vault.archive().snapshot().unwrap();
        for _ in 0..12 {
            let ask = Ask::random(random, snapshot.sequence()).for_export();
            let question = ask.query();
            let asked = Request {
                chats: question.chats,
                custodians: question.custodians,
                senders: question.senders,
                filter: question.filter,
                as_of: question.as_of,
                as_of_sequence: question.as_of_sequence,
                since: question.since,
                ..request(Format::Jsonl)
            };
            let (folder, index) = run(&export(&vault, asked), 2);
            let mut found = lines(&joined(&*folder, ".jsonl"));
            let mut wanted: Vec<Vec<u8>> =
                ask.rows(&vault.model).into_iter().map(|row| row.json.clone()).collect();
            assert_eq!(index.counts.messages + index.counts.events, wanted.len() as u64, "{ask:?}");
            found.sort();
            wanted.sort();
            assert!(found == wanted, "{ask:?}: {} and {}", found.len(), wanted.len());
        }
    }
}

#[test]
fn a_second_export_into_a_folder_leaves_the_parts_of_the_first_alone() {
    let vault = vault(60);
    let folder: Arc<dyn Storage> = Arc::new(Memory::new());
    let go_on = &mut |_: &chatvault_export::Progress| ControlFlow::Continue(());
    let whole = Request { name: "full".to_owned(), ..request(Format::Csv) };
    let some = Request { senders: vec!["ann".to_owned()], name: String::new(), ..whole.clone() };
    let again = Request { text_only: true, name: "text".to_owned(), ..whole.clone() };
    let mut names = Vec::new();
    for asked in [whole, some, again] {
        let before = files(&*folder);
        let export = export(&vault, asked.clone());
        let index = export.run(Arc::clone(&folder), Run::default(), go_on).unwrap();
        let after = files(&*folder);
        assert!(before.iter().all(|(name, bytes)| after[name] == *bytes), "{asked:?}");
        let word = if asked.name.is_empty() { "archive" } else { &asked.name };
        let expected = format!("{word}-{}_", &export.id()[..8]);
        assert!(index.parts[0].name.starts_with(&expected), "{}", index.parts[0].name);
        names.push(index.parts[0].name.clone());
        assert!(check(&export, &folder).is_good());
    }
    assert!(names[0] != names[1] && names[1] != names[2]);
}

#[test]
fn a_part_that_no_index_lists_is_not_written_over() {
    let vault = vault(20);
    let export = export(&vault, request(Format::Csv));
    let (folder, index) = run(&export, 1);
    folder.remove("test.index.json").unwrap();
    let before = files(&*folder);
    let go_on = &mut |_: &chatvault_export::Progress| ControlFlow::Continue(());
    for resume in [false, true] {
        let how = Run { resume, ..Run::default() };
        let error = export.run(Arc::clone(&folder), how, go_on).unwrap_err();
        let expected = format!("{} is there already, and no index lists it", index.parts[0].name);
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
    assert!(files(&*folder) == before);
}

#[test]
fn parts_carry_the_days_that_people_read() {
    let vault = vault(20);
    let zone = "Asia/Tokyo".to_owned();
    let (from, to) =
        (Some("2023-11-14T15:00:00Z".to_owned()), Some("2024-11-30T15:00:00Z".to_owned()));
    let asked = Request { from, to, zone, all_time: false, ..request(Format::Csv) };
    let (_, index) = run(&export(&vault, asked), 1);
    assert!(index.parts[0].name.contains("_20231115-20241201_csv_"), "{}", index.parts[0].name);
}
