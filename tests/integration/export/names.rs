//! Who is who in an export is known without its chats' whole history, and is the same whatever became of
//! the files that know it.

use std::sync::Arc;

use chatvault_engine::{Memory, Sequence, Wanted, go_on};
use chatvault_export::{Format, Request};
use chatvault_query::people::{Conversations, People};
use chatvault_support::{Draft, Random};

use super::moments::live_on;
use super::{AT, CHATS, DAY, FORMATS, HOUR, export, request, run};
use crate::kit::{Vault, ada, seeds};

/// A chat of so many days, a hundred messages each, and somebody who came, wrote once and left on its
/// first day.
fn long(days: i64) -> Vault {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    for day in 0..days {
        let message = |number: i64| {
            let at = AT + day * DAY + number * 60_000;
            let who = if number % 2 == 0 { "ann" } else { "ben" };
            let (id, name) = match (day, number) {
                (0, 7) => ("old", "Olive Old"),
                _ => (who, who),
            };
            let text = format!("number {number} of day {day}: {}", "so much to say. ".repeat(12));
            let draft = Draft::chat(CHATS[0], at).from_user(id, name).text(&text);
            let draft = match (day, number) {
                (0, 0) => draft.event("chatRenamed", "\"chatDisplayName\":\"The long one\""),
                (0, 9) => draft.event("membersLeft", "\"members\":[{\"id\":\"old\"}]"),
                _ => draft,
            };
            (ada(), draft.json().into_bytes())
        };
        let copies: Vec<_> = (0..100).map(message).collect();
        drop(vault.commit(&copies));
    }
    vault.archive().seal().unwrap();
    vault.compact();
    vault
}

/// Blocks that an export of the last day decodes, and the export's text.
fn last_day(vault: &mut Vault, format: Format, days: i64) -> (u64, Vec<u8>) {
    vault.reopen();
    let day = |number: i64| {
        let at = chatvault_engine::Timestamp::from_ms(AT + number * DAY - HOUR);
        Some(chatvault_query::format_time(at))
    };
    let (from, to) = (day(days - 1), day(days));
    let request = Request { from, to, all_time: false, ..request(format) };
    let before = vault.archive().snapshot().unwrap().cache_use().misses;
    let (folder, index) = run(&export(vault, request), 2);
    assert_eq!(index.counts.messages, 100);
    let blocks = vault.archive().snapshot().unwrap().cache_use().misses - before;
    (blocks, super::joined(&*folder, ""))
}

#[test]
fn an_export_of_one_day_costs_its_day_however_long_the_chat_is() {
    let (mut short, mut long) = ((long(20), 20), (long(320), 320));
    for format in FORMATS {
        let (few, _) = last_day(&mut short.0, format, short.1);
        let (many, text) = last_day(&mut long.0, format, long.1);
        assert!(many <= few + 12, "{format:?}: {many} blocks, {few} of a short chat");
        let finds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|own| own == part);
        if matches!(format, Format::Csv | Format::Html) {
            assert!(finds(&text, b"The long one"), "{format:?}");
            assert_eq!(finds(&text, b"Olive Old"), format == Format::Html, "who had left");
        }
    }
}

/// Everything that is said of some conversations as of a commit.
fn said(vault: &Vault, commit: Sequence) -> String {
    let snapshot = vault.archive().snapshot().unwrap().as_of(commit);
    let chats = CHATS.map(str::to_owned);
    let facts = snapshot.facts(&chats, Wanted::Everything).unwrap();
    let facts: Vec<Vec<_>> = facts.iter().map(|facts| facts.iter().collect()).collect();
    let people = People::collect(&snapshot, &chats, &mut go_on).unwrap().unwrap();
    let people: Vec<_> = people.iter().collect();
    let both = Conversations::with_people(&snapshot, &chats, &mut go_on).unwrap().unwrap();
    let again: Vec<_> = both.1.iter().collect();
    assert_eq!(format!("{again:?}"), format!("{people:?}"));
    let all: Vec<_> = both.0.iter().collect();
    format!("{facts:#?} {people:#?} {all:#?}")
}

#[test]
fn what_is_said_as_of_a_commit_stays_the_same() {
    for seed in seeds(12) {
        let random = &mut Random::new(seed.0);
        let mut vault = Vault::create(Arc::new(Memory::new()));
        let mut moments: Vec<(Sequence, String)> = Vec::new();
        for _ in 0..12 {
            live_on(random, &mut vault);
            let commit = vault.archive().snapshot().unwrap().sequence();
            moments.push((commit, said(&vault, commit)));
            for (commit, expected) in &moments {
                assert_eq!(&said(&vault, *commit), expected, "commit {}", commit.0);
            }
        }
        assert!(moments.iter().any(|(_, said)| said.contains("Name(")));
    }
}
