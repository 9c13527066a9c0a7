//! Rows have what their columns say.

use serde_json::{Value, json};

use super::fixture::{World, attached, changed, entry, event, said};
use super::*;
use crate::entry::{AttachedState, Entry, SystemEvents};

/// The cells of all rows as text, by the columns' names.
fn rows(world: &World, entry: &Entry) -> Vec<Value> {
    let mut rows = Vec::new();
    Rows::new(world.context()).with_attachments().each(entry, &mut |row| {
        let cells = COLUMNS.iter().zip(row.cells()).map(|(column, cell)| {
            let value = match cell {
                Cell::Words(text) | Cell::Fixed(text) => json!(text),
                Cell::List(items) => json!(items.iter().collect::<Vec<_>>()),
                Cell::Time(time) => json!(time.map(crate::zone::rfc3339)),
                Cell::Number(number) => json!(number),
                Cell::Flag(flag) => json!(flag),
            };
            (column.name.to_owned(), value)
        });
        rows.push(Value::Object(cells.collect()));
    });
    rows
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

#[test]
fn every_column_gets_a_value_of_its_kind() {
    let row = Row::default();
    for (column, cell) in COLUMNS.iter().zip(row.cells()) {
        let fits = matches!(
            (column.kind, cell),
            (Kind::Words, Cell::Words(_))
                | (Kind::Fixed, Cell::Fixed(_))
                | (Kind::List, Cell::List(_))
                | (Kind::Time, Cell::Time(_))
                | (Kind::Number, Cell::Number(_))
                | (Kind::Flag, Cell::Flag(_))
        );
        assert!(fits, "{}: {cell:?}", column.name);
    }
    assert_eq!(COLUMNS[PARTICIPANTS].name, "participants");
}

#[test]
fn a_message_fills_its_columns() {
    let mut message = said(0, "hello");
    message["importance"] = "urgent".into();
    message["subject"] = "Plan".into();
    message["mentions"] = json!([{"id": 0, "mentionText": "Bob",
        "mentioned": {"user": {"id": "bob", "displayName": "Bob"}}}]);
    message["reactions"] = json!([
        {"reactionType": "like", "user": {"user": {"id": "bob"}}},
        {"reactionType": "like", "user": {"user": {"id": "cy"}}},
        {"reactionType": "custom", "displayName": "parrot", "user": {"user": {"id": "cy"}}}]);
    let rows = rows(&World::new(), &entry(&[message]));
    let expected = json!({
        "commit": 101, "record_type": "message", "tenant_id": "tenant",
        "chat_id": "19:chat@thread.v2", "chat_type": "group", "chat_topic": "Budget",
        "team_id": "", "channel_id": "", "message_id": "1622462400000", "etag": "1622462400000",
        "version_no": 1, "version_count": 1, "is_latest": true, "message_type": "message",
        "event_type": "", "created_utc": "2021-05-31T12:00:00.000Z",
        "last_modified_utc": "2021-05-31T12:00:00.000Z", "last_edited_utc": null,
        "deleted_utc": null, "sender_id": "ann", "sender_name": "Ann",
        "sender_email": "ann@example.org", "sender_type": "aadUser", "reply_to_id": "",
        "subject": "Plan", "body_text": "hello", "body_content_type": "text",
        "importance": "urgent", "mentions": ["Bob <bob>"],
        "reactions": ["like=2 (Bob, Cy)", "parrot=1 (Cy)"], "attachment_names": [],
        "attachment_files": [], "attachment_status": [],
        "participants": ["Ann <ann@example.org>", "Bob <bob@example.org>", "Cy <cy@example.org>"],
        "update_type": "created", "custodians": ["user:ann", "user:bob"],
        "content_address": rows[0]["content_address"],
    });
    assert_eq!(rows, [expected]);
    assert_eq!(rows[0]["content_address"].as_str().unwrap().len(), 64);
}

#[test]
fn versions_come_before_the_latest_and_say_what_changed() {
    let mut world = World::new();
    let first = said(0, "one");
    let liked = json!({"reactions": [{"reactionType": "like", "user": {"user": {"id": "cy"}}}]});
    let second = changed(&first, 5, liked);
    let body = json!({"body": {"contentType": "text", "content": "two"},
        "lastEditedDateTime": "2021-05-31T12:00:00.009Z"});
    let third = changed(&second, 9, body);
    let fourth = changed(&third, 20, json!({"locale": "de-de"}));
    let gone = json!({"deletedDateTime": "2021-05-31T12:01:00Z", "body": {"content": ""}});
    let fifth = changed(&fourth, 60_000, gone);
    let entry = entry(&[first, second, third, fourth, fifth]);

    assert_eq!(column(&rows(&world, &entry), "body_text"), ["two"]);
    world.options.versions = true;
    let rows = rows(&world, &entry);
    let updates = column(&rows, "update_type");
    assert_eq!(updates, ["created", "reaction", "edited", "updated", "deleted"]);
    assert_eq!(column(&rows, "body_text"), ["one", "one", "two", "two", ""]);
    let kinds = ["version", "version", "version", "version", "message"];
    assert_eq!(column(&rows, "record_type"), kinds);
    assert_eq!(column(&rows, "version_no"), [1, 2, 3, 4, 5]);
}

#[test]
fn a_message_that_was_never_seen_undeleted_says_so() {
    let gone = json!({"deletedDateTime": "2021-05-31T12:01:00Z", "body": {"content": ""}});
    let entry = entry(&[changed(&said(0, "x"), 60_000, gone)]);
    assert_eq!(rows(&World::new(), &entry)[0]["body_text"], text::NOT_CAPTURED);
}

#[test]
fn system_events_are_said_hidden_or_left_out() {
    let mut world = World::new();
    let renamed = json!({"chatDisplayName": "New", "initiator": {"user": {"id": "ann"}}});
    let entry = entry(&[event(0, "chatRenamed", renamed)]);
    let said = rows(&world, &entry);
    assert_eq!(said[0]["record_type"], "event");
    assert_eq!(said[0]["event_type"], "chatRenamed");
    assert!(said[0]["body_text"].as_str().unwrap().contains("New"), "{}", said[0]["body_text"]);
    world.options.system_events = SystemEvents::Placeholder;
    assert_eq!(rows(&world, &entry)[0]["body_text"], chatvault_query::event::PLACEHOLDER);
    world.options.system_events = SystemEvents::Omit;
    assert_eq!(rows(&world, &entry), [] as [Value; 0]);
}

#[test]
fn the_lists_of_attachments_have_a_value_for_each() {
    let mut world = World::new();
    world.options.versions = true;
    let mut first = said(0, "x");
    first["attachments"] = json!([{"id": "old", "contentType": "reference", "name": "old.txt"},
        {"id": "a.pdf", "contentType": "reference", "name": "a.pdf"}]);
    let second = changed(&first, 5, json!({"attachments": []}));
    let mut entry = entry(&[first, second]);
    let reason = "403 forbidden".to_owned();
    entry.attached = vec![
        world.stored("a.pdf", b"pdf"),
        attached("b", AttachedState::Unavailable { reason }),
        attached("c", AttachedState::Omitted),
    ];
    entry.attached[0].versions = vec![0];
    let latest = World::new();
    let one = &rows(&latest, &entry)[0];
    assert_eq!(one["attachment_files"], json!(["Attachments/0001_a.pdf", "", ""]));
    let status = ["stored, of an earlier version", "unavailable: 403 forbidden", "omitted"];
    assert_eq!(one["attachment_status"], json!(status));
    let rows = rows(&world, &entry);
    assert_eq!(rows[0]["attachment_names"], json!(["a.pdf"]), "each version has what it names");
    assert_eq!(rows[0]["attachment_status"], json!(["stored"]));
    assert_eq!(rows[1]["attachment_status"], json!(status[1..]));
    let kinds = ["version", "message", "attachment", "attachment", "attachment"];
    assert_eq!(column(&rows, "record_type"), kinds);
    assert_eq!(rows[3]["attachment_names"], json!(["b"]));
}
