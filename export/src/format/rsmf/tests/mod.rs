//! Slices of conversations, read back by other programs.

mod reader;

use chatvault_query::people::ConversationKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use self::reader::Document;
use super::*;
use crate::content::Piece;
use crate::entry::{Answered, AttachedState, SystemEvents};
use crate::format::table::fixture::{HOSTILE, NOON, World, attached, changed, entry, event, said};

const HOUR: i64 = HOUR_MS;

/// The files of these messages: their names and bytes.
fn files(world: &World, entries: &[Entry], limits: Limits) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut sink = |piece: Piece| {
        let bytes = piece.content.to_vec(world)?;
        assert_eq!(bytes.len() as u64, piece.content.size());
        files.push((piece.name, bytes));
        Ok(())
    };
    let mut builder = Builder::new(world.context(), limits);
    for entry in entries {
        builder.push(entry, &mut sink).unwrap();
    }
    builder.finish(&mut sink).unwrap();
    files
}

fn one(world: &World, entries: &[Entry]) -> Document {
    let files = files(world, entries, Limits::default());
    assert_eq!(files.len(), 1);
    Document::read(&files[0].1)
}

fn custom<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    let custom = value.get("custom")?.as_array()?.iter();
    custom.into_iter().find(|one| one["name"] == name)?["value"].as_str()
}

#[test]
fn a_day_is_one_file_with_everything_that_was_said() {
    let world = World::new();
    let mut reply = entry(&[said(2, "second")]);
    reply.parent = Some(Answered { id: NOON.to_string(), ..Answered::default() });
    let mut lost = entry(&[said(3, "third")]);
    lost.parent = Some(Answered { id: "17".to_owned(), ..Answered::default() });
    let files = files(&world, &[entry(&[said(0, "first")]), reply, lost], Limits::default());
    assert_eq!(files[0].0, "Budget_0a1b2c3d/20210531.rsmf");
    let document = Document::read(&files[0].1);
    let bodies: Vec<&Value> = document.events().iter().map(|event| &event["body"]).collect();
    assert_eq!(bodies, ["first", "second", "third"]);
    assert_eq!(document.events()[1]["parent"], NOON.to_string());
    assert_eq!(custom(&document.events()[2], "parent_not_rendered"), Some("17"));
    for (name, value) in [
        ("X-RSMF-Version", "2.0.0"),
        ("X-RSMF-EventCount", "3"),
        ("X-RSMF-BeginDate", "2021-05-31T12:00:00.000Z"),
        ("X-RSMF-EndDate", "2021-05-31T12:00:00.003Z"),
        ("Date", "Mon, 31 May 2021 12:00:00 +0000"),
        ("Subject", "Budget 2021-05-31"),
        ("From", "Ann <ann@example.org>"),
        ("X-RSMF-Custodian", "Ann"),
    ] {
        assert_eq!(document.headers[name], value, "{name}");
    }
    let text = "Ann 2021-05-31T12:00:00.000Z\r\n\r\nfirst\r\n";
    assert!(document.text.replace("\r\n", "\n").starts_with(&text.replace("\r\n", "\n")));
    let conversation = &document.manifest["conversations"][0];
    assert_eq!(conversation["type"], "channel");
    assert_eq!(conversation["participants"], json!(["ann", "bob", "cy"]));
    assert_eq!(conversation["custodian"], "ann");
    assert_eq!(custom(conversation, "tenantId"), Some("tenant"));
    assert_eq!(document.events()[0]["direction"], "outgoing");
}

#[test]
fn a_chat_of_two_is_direct() {
    let mut world = World::new();
    world.chat.kind = ConversationKind::OneOnOne;
    let document = one(&world, &[entry(&[said(0, "x")])]);
    assert_eq!(document.manifest["conversations"][0]["type"], "direct");
}

#[test]
fn edits_and_a_deletion_keep_every_text() {
    let first = said(0, "one");
    let edited = |after, text: &str| {
        json!({"lastEditedDateTime": crate::format::table::fixture::time(NOON + after),
            "body": {"contentType": "text", "content": text}})
    };
    let second = changed(&first, 5, edited(5, "two"));
    let liked = json!({"reactions": [{"reactionType": "👍", "user": {"user": {"id": "cy"}}}]});
    let third = changed(&second, 7, liked);
    let gone = json!({"deletedDateTime": "2021-05-31T12:01:00Z",
        "body": {"contentType": "text", "content": ""}});
    let fourth = changed(&third, 60_000, gone);
    let world = World::new();
    let alive = one(&world, &[entry(&[first.clone(), second.clone(), third.clone()])]);
    assert_eq!(alive.events()[0]["body"], "two");
    let edit = json!([{"participant": "ann", "previous": "one", "new": "two",
        "timestamp": "2021-05-31T12:00:00.005Z"}]);
    assert_eq!(alive.events()[0]["edits"], edit);
    let reactions = json!([{"value": "👍", "count": 1, "participants": ["cy"]}]);
    assert_eq!(alive.events()[0]["reactions"], reactions);

    let dead = one(&world, &[entry(&[first, second, third, fourth])]);
    let event = &dead.events()[0];
    assert_eq!((event.get("body"), &event["deleted"]), (None, &json!(true)));
    let edits = json!([edit[0], {"participant": "ann", "previous": "two",
        "timestamp": "2021-05-31T12:01:00.000Z"}]);
    assert_eq!(event["edits"], edits);
    assert!(dead.text.contains("two"), "deleted text is found by searching");
}

#[test]
fn members_come_and_go_one_by_one() {
    let world = World::new();
    let by = json!({"user": {"id": "ann", "displayName": "Ann"}});
    let two = json!([{"id": "dee", "displayName": "Dee"}, {"id": "eve", "displayName": "Eve"}]);
    let document = one(
        &world,
        &[
            entry(&[event(0, "membersAdded", json!({"initiator": by, "members": two}))]),
            entry(&[event(1, "membersDeleted", json!({"initiator": by, "members": two}))]),
            entry(&[event(2, "chatRenamed", json!({"initiator": by, "chatDisplayName": "New"}))]),
        ],
    );
    let kinds: Vec<&Value> = document.events().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["join", "join", "leave", "leave", "unknown"]);
    let who: Vec<&Value> = document.events().iter().map(|event| &event["participant"]).collect();
    assert_eq!(who, ["dee", "eve", "dee", "eve", "ann"]);
    assert_eq!(custom(&document.events()[1], "initiator"), Some("ann"));
    assert_eq!(custom(&document.events()[4], "event_type"), Some("chatRenamed"));
    let there = &document.manifest["conversations"][0]["participants"];
    assert_eq!(there, &json!(["ann", "bob", "cy"]), "who came later was not there at the start");
}

#[test]
fn apps_guests_and_new_names_are_told_apart() {
    let mut world = World::new();
    world.chat.participants[0].other_names = vec!["Ann Old".to_owned()];
    let from = |identity: Value| json!({"from": identity});
    let bot =
        json!({"application": {"id": "b", "displayName": "Bot", "applicationIdentityType": "bot"}});
    let guest =
        json!({"user": {"id": "g", "displayName": "Guest", "userIdentityType": "anonymousGuest"}});
    let renamed = json!({"user": {"id": "ann", "displayName": "Ann Married"}});
    let say = |after, who: Value| entry(&[changed(&said(after, "x"), after, from(who))]);
    let entries =
        [entry(&[said(0, "x")]), say(1, bot), say(2, guest), say(3, renamed), say(4, Value::Null)];
    let document = one(&world, &entries);
    let people = document.manifest["participants"].as_array().unwrap();
    let ids: Vec<&Value> = people.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["ann", "anon:g", "app:b", "bob", "cy", "unknown"]);
    assert_eq!(people[0]["display"], "Ann Married");
    let names =
        json!([{"name": "known_name", "value": "Ann"}, {"name": "known_name", "value": "Ann Old"}]);
    assert_eq!(people[0]["custom"], names);
    assert_eq!(people[2]["account_id"], "b");
}

#[test]
fn files_are_inside_or_say_why_not() {
    let mut world = World::new();
    let mut entry = entry(&[said(0, "see")]);
    let big = vec![9; 9_000];
    entry.attached = vec![
        world.stored("a:b.txt", b"inside"),
        attached("lost.doc", AttachedState::Unavailable { reason: "403 forbidden".to_owned() }),
        world.stored("big.bin", &big),
        attached("skipped", AttachedState::Omitted),
    ];
    let limits = Limits { file_bytes: 16 << 10, ..Limits::default() };
    let files = files(&world, &[entry], limits);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let beside = "Budget_0a1b2c3d/20210531_0003_big.bin";
    assert_eq!(names, [beside, "Budget_0a1b2c3d/20210531.rsmf"]);
    assert_eq!(files[0].1, big);
    let document = Document::read(&files[1].1);
    assert_eq!(document.files["0001_a_b.txt"], b"inside");
    let text = |name: &str| String::from_utf8_lossy(&document.files[name]).into_owned();
    assert!(text("0002_lost.doc.UNAVAILABLE.txt").contains("403 forbidden"));
    assert!(text("0003_big.bin.UNAVAILABLE.txt").contains(beside));
    assert_eq!(custom(&document.events()[0], "attachment_omitted"), Some("skipped"));
    assert_eq!(document.events()[0]["attachments"][0]["display"], "a:b.txt");
}

#[test]
fn hostile_texts_and_names_stay_inside() {
    let mut world = World::new();
    for (text, at) in HOSTILE.into_iter().zip(0..) {
        world.chat.topic = Some(text.to_owned());
        world.chat.participants[1].name = Some(text.to_owned());
        world.chat.participants[1].address = Some(format!("{text}@x"));
        let mut entry = entry(&[changed(&said(at, text), at, json!({"subject": text}))]);
        entry.attached = vec![world.stored(text, text.as_bytes())];
        let document = one(&world, &[entry]);
        assert_eq!(document.files.values().next().unwrap(), text.as_bytes());
    }
}

#[test]
fn dense_days_are_cut_at_noon_at_thirds_or_by_count() {
    let world = World::new();
    let limits = Limits { events: 10, ..Limits::default() };
    let at = |hours: &[(i64, i64)]| -> Vec<String> {
        let times =
            hours.iter().flat_map(|(hour, count)| (0..*count).map(move |n| hour * HOUR + n));
        let entries: Vec<Entry> = times.map(|time| entry(&[said(time - 12 * HOUR, "x")])).collect();
        let files = files(&world, &entries, limits);
        let events: usize = files.iter().map(|(_, file)| Document::read(file).events().len()).sum();
        assert_eq!(events, entries.len());
        let name =
            |(name, _): &(String, Vec<u8>)| name.split(['/', '.']).nth(1).unwrap().to_owned();
        files.iter().map(name).collect()
    };
    assert_eq!(at(&[(0, 5), (23, 5), (24, 1)]), ["20210531", "20210601"]);
    assert_eq!(at(&[(1, 9), (13, 9)]), ["20210531T00", "20210531T12"]);
    assert_eq!(at(&[(1, 9), (9, 9), (17, 9)]), ["20210531T00", "20210531T08", "20210531T16"]);
    assert_eq!(at(&[(1, 25)]), ["20210531_p001", "20210531_p002", "20210531_p003"]);
    assert_eq!(at(&[(13, 12), (25, 1)]), ["20210531T12_p001", "20210531T12_p002", "20210601"]);
}

#[test]
fn system_events_can_be_hidden_or_left_out() {
    let mut world = World::new();
    let entries = [entry(&[event(0, "tabUpdated", json!({"tabId": "t"}))])];
    world.options.system_events = SystemEvents::Placeholder;
    let document = one(&world, &entries);
    assert_eq!(document.events()[0]["body"], chatvault_query::event::PLACEHOLDER);
    world.options.system_events = SystemEvents::Omit;
    assert_eq!(files(&world, &entries, Limits::default()), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_messages_are_valid_files_and_the_same_twice(
        messages in prop::collection::vec((0..50_i64, "\\PC{0,40}|[\r\n\"=?<>]{0,9}"), 1..30),
        events in 1..12_usize,
    ) {
        let mut messages = messages;
        messages.sort();
        let mut world = World::new();
        let mut entries = Vec::new();
        for (hour, text) in messages {
            let mut entry = entry(&[said(hour * HOUR, &text)]);
            entry.attached = vec![world.stored(&text, text.as_bytes())];
            entries.push(entry);
        }
        let limits = Limits { events, ..Limits::default() };
        let written = files(&world, &entries, limits);
        prop_assert_eq!(&written, &files(&world, &entries, limits));
        let mut total = 0;
        for (_, file) in &written {
            let document = Document::read(file);
            prop_assert!(document.events().len() <= events);
            total += document.events().len();
        }
        prop_assert_eq!(total, entries.len());
    }
}
