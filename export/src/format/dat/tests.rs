//! Records as a review platform cuts them.

use proptest::prelude::*;
use serde_json::json;

use super::line::FIELDS;
use super::*;
use crate::format::table::fixture::{HOSTILE, World, attached, changed, entry, event, said};

fn write(world: &World, entries: &[Entry]) -> (Vec<u8>, Written) {
    let records = Records::new(world.context(), Dates::Compact);
    let mut out = header();
    let mut all = Written::default();
    for entry in entries {
        let written = records.record(entry, &mut out);
        all.records += written.records;
        all.replaced += written.replaced;
    }
    (out, all)
}

/// As a review platform reads it: by its delimiters alone.
fn read(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap()).unwrap();
    let value = |field: &str| {
        let bare = field.strip_prefix('þ').and_then(|field| field.strip_suffix('þ')).unwrap();
        bare.replace('®', "\n")
    };
    let record = |line: &str| line.split('\u{14}').map(value).collect();
    text.strip_suffix("\r\n").unwrap().split("\r\n").map(record).collect()
}

fn field<'r>(record: &'r [String], name: &str) -> &'r str {
    &record[FIELDS.iter().position(|field| *field == name).unwrap()]
}

#[test]
fn a_message_and_its_attachments_are_a_family() {
    let mut world = World::new();
    world.options.versions = true;
    let first = said(0, "see both");
    let second = changed(&first, 5, json!({"lastEditedDateTime": "2021-05-31T12:00:00.005Z"}));
    let mut entry = entry(&[first, second]);
    let reason = "gone".to_owned();
    entry.attached = vec![
        world.stored("a.PDF", b"pdf"),
        attached("noext", AttachedState::Unavailable { reason }),
    ];
    let (bytes, written) = write(&world, std::slice::from_ref(&entry));
    assert_eq!(written, Written { records: 4, replaced: 0 });
    let records = read(&bytes);
    assert_eq!(records[0], FIELDS);
    let numbers: Vec<&str> = records[1..].iter().map(|one| field(one, "BEGDOC")).collect();
    let base = numbers[0];
    assert!(base.starts_with("TM20210531120000000-") && base.len() == 36, "{base}");
    let expected = ["", ".0001", ".0002", ".V0001"].map(|end| format!("{base}{end}"));
    assert_eq!(numbers, expected);
    assert!(numbers.is_sorted(), "a range of numbers is a family");
    for record in &records[1..] {
        assert_eq!(field(record, "ENDDOC"), field(record, "BEGDOC"));
        assert_eq!(field(record, "FAMILY_ID"), base);
        assert_eq!(field(record, "BEGATTACH"), base);
        assert_eq!(field(record, "ENDATTACH"), format!("{base}.V0001"));
        assert_eq!(field(record, "CONTAINS_EDITED"), "Y");
        assert_eq!(field(record, "CONTAINS_DELETED"), "N");
    }
    let types: Vec<&str> = records[1..].iter().map(|one| field(one, "DOCTYPE")).collect();
    assert_eq!(types, ["Message", "Attachment", "Attachment", "Message version"]);
    assert_eq!(field(&records[2], "NATIVEPATH"), "Attachments/0001_a.PDF");
    assert_eq!(field(&records[2], "FILEEXT"), "pdf");
    assert_eq!(field(&records[2], "FILESIZE"), "3");
    assert_eq!(field(&records[2], "SHA256HASH"), hex(&sha256(b"pdf")));
    assert_eq!(field(&records[3], "EXTRACTEDTEXT"), "[noext: unavailable: gone]");
}

#[test]
fn a_message_says_who_wrote_what_to_whom() {
    let world = World::new();
    let (bytes, _) = write(&world, &[entry(&[said(0, "one\ntwo")])]);
    let record = &read(&bytes)[1];
    for (name, value) in [
        ("CUSTODIAN", "Ann"),
        ("ALLCUSTODIANS", "Ann; Bob"),
        ("CONVERSATION_ID", "19:chat@thread.v2"),
        ("CONVERSATION_NAME", "Budget"),
        ("CONVERSATION_TYPE", "group"),
        ("DATESENT", "20210531"),
        ("TIMESENT", "12:00:00"),
        ("FROM", "Ann <ann@example.org>"),
        ("TO", "Bob <bob@example.org>; Cy <cy@example.org>"),
        ("SUBJECT", "Budget"),
        ("MESSAGE_COUNT", "1"),
        ("EXTRACTEDTEXT", "one\ntwo"),
    ] {
        assert_eq!(field(record, name), value, "{name}");
    }
}

#[test]
fn numbers_are_those_of_the_message_and_of_nothing_else() {
    let first = entry(&[said(0, "x")]);
    let other = |change: fn(&mut MessageKey)| {
        let mut key = first.key.clone();
        change(&mut key);
        number(&key, first.created)
    };
    let mut numbers = vec![
        number(&first.key, first.created),
        other(|key| key.id.push('1')),
        other(|key| key.conversation.push('1')),
        other(|key| key.reply_to = Some("1".to_owned())),
        other(|key| {
            let last = key.conversation.pop().unwrap();
            key.reply_to = Some(last.to_string());
        }),
    ];
    assert_eq!(numbers[0], other(|_| ()));
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
}

#[test]
fn delimiters_inside_values_are_replaced_and_counted() {
    let world = World::new();
    let entries: Vec<Entry> =
        HOSTILE.iter().zip(0..).map(|(text, at)| entry(&[said(at, text)])).collect();
    let (bytes, written) = write(&world, &entries);
    assert_eq!(written, Written { records: HOSTILE.len() as u64, replaced: 3 });
    let records = read(&bytes);
    assert!(records.iter().all(|record| record.len() == FIELDS.len()));
    assert!(records.iter().any(|one| field(one, "EXTRACTEDTEXT") == "thorn (R)  th"));
}

#[test]
fn events_are_told_by_their_type_and_left_out_on_request() {
    let mut world = World::new();
    let entry = entry(&[event(0, "tabUpdated", json!({"tabId": "t"}))]);
    let (bytes, _) = write(&world, std::slice::from_ref(&entry));
    assert_eq!(field(&read(&bytes)[1], "DOCTYPE"), "System event");
    world.options.system_events = SystemEvents::Omit;
    assert_eq!(write(&world, &[entry]), (header(), Written::default()));
}

proptest! {
    #[test]
    fn any_text_keeps_its_record_whole(text in "\\PC*|[þ®\u{14}\r\na ]{0,12}") {
        let mut world = World::new();
        world.chat.topic = Some(text.clone());
        let entries = [entry(&[said(0, &text)])];
        let (bytes, _) = write(&world, &entries);
        prop_assert_eq!(&bytes, &write(&world, &entries).0);
        let records = read(&bytes);
        prop_assert_eq!(records.len(), 2);
        prop_assert_eq!(records[1].len(), FIELDS.len());
    }
}

#[test]
fn a_native_is_named_where_it_is_delivered_and_nowhere_else() {
    let mut world = World::new();
    let entry = entry(&[said(0, "first"), said(0, "second")]);
    for (raw_json, versions) in [(false, true), (true, false), (true, true)] {
        (world.options.raw_json, world.options.versions) = (raw_json, versions);
        let natives = Records::new(world.context(), Dates::Compact).natives(&entry);
        assert_eq!(natives.len(), usize::from(raw_json) + usize::from(raw_json && versions));
        let (bytes, _) = write(&world, std::slice::from_ref(&entry));
        for record in &read(&bytes)[1..] {
            let path = field(record, "NATIVEPATH");
            let native = natives.iter().find(|(name, _)| name == path);
            assert_eq!(native.is_some(), raw_json, "{path}");
            let expected = native.map(|(_, version)| {
                let json = version.document.json();
                (json.len().to_string(), hex(&sha256(json)))
            });
            let (size, hash) = expected.unwrap_or_default();
            assert_eq!([field(record, "FILESIZE"), field(record, "SHA256HASH")], [size, hash]);
        }
    }
}
