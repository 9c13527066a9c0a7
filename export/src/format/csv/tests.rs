//! Lines as a spreadsheet reads them back.

use proptest::prelude::*;
use serde_json::json;

use super::cell::is_formula;
use super::*;
use crate::entry::Guard;
use crate::format::table::WIDTH;
use crate::format::table::fixture::{HOSTILE, World, entry, said};

fn csv(world: &World, texts: &[&str]) -> Vec<u8> {
    let records = Records::new(world.context());
    let mut out = header(&world.options);
    for (text, at) in texts.iter().zip(0..) {
        let _long = records.record(&entry(&[said(at, text)]), &mut out);
    }
    out
}

/// What an independent reader finds: the lines as the cells by name.
fn read(bytes: &[u8]) -> Vec<Vec<(String, String)>> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = ::csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let names = reader.headers().unwrap().clone();
    let line = |line: ::csv::StringRecord| {
        names.iter().map(str::to_owned).zip(line.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| line(record.unwrap())).collect()
}

fn cell<'c>(line: &'c [(String, String)], name: &str) -> &'c str {
    &line.iter().find(|(column, _)| column == name).unwrap().1
}

#[test]
fn the_header_is_fixed() {
    let mut options = RenderOptions::default();
    let with_mark = header(&options);
    options.bom = false;
    let without = header(&options);
    assert_eq!(with_mark, [BYTE_ORDER_MARK, &without].concat());
    assert_eq!(
        String::from_utf8(without).unwrap(),
        "commit,record_type,tenant_id,chat_id,chat_type,chat_topic,team_id,channel_id,message_id,\
         etag,version_no,version_count,is_latest,message_type,event_type,created_utc,\
         last_modified_utc,last_edited_utc,deleted_utc,sender_id,sender_name,sender_email,\
         sender_type,reply_to_id,subject,body_text,body_content_type,importance,mentions,\
         reactions,attachment_names,attachment_files,attachment_status,participants,\
         update_type,custodians,content_address,guarded\r\n"
    );
}

#[test]
fn cells_that_excel_cannot_hold_are_counted() {
    let world = World::new();
    let records = Records::new(world.context());
    let most = MOST_UNITS;
    for (text, is_long) in [
        ("a".repeat(most), false),
        ("a".repeat(most + 1), true),
        ("\"".repeat(most), false),
        ("\"".repeat(most + 1), true),
        ("ü".repeat(most), false),
        ("👍".repeat(most / 2), false),
        ("👍".repeat(most / 2 + 1), true),
    ] {
        let mut out = Vec::new();
        let long = records.record(&entry(&[said(0, &text)]), &mut out);
        let start: String = text.chars().take(3).collect();
        assert_eq!(long, u64::from(is_long), "{start} {}", text.len());
    }
}

#[test]
fn hostile_texts_come_back_and_are_no_formulas() {
    let world = World::new();
    let lines = read(&csv(&world, &HOSTILE));
    assert_eq!(lines.len(), HOSTILE.len());
    for (line, text) in lines.iter().zip(HOSTILE) {
        let body = cell(line, "body_text");
        assert!(!is_formula(body), "{text:?} became {body:?}");
        let is_guarded = cell(line, "guarded") == "body_text";
        let unguarded = if is_guarded { &body[1..] } else { body };
        // The text of a body has no blanks at the ends of its lines.
        let is_bare = |c: &char| !c.is_control() && *c != ' ';
        let bare = |text: &str| text.chars().filter(is_bare).collect::<String>();
        assert_eq!(bare(unguarded), bare(text), "{text:?}");
        assert!(!body.contains(['\r', '\0', '\u{7}', '\u{1b}']), "{body:?}");
    }
}

#[test]
fn every_column_of_words_is_guarded() {
    let mut world = World::new();
    world.chat.topic = Some("=topic".to_owned());
    world.chat.participants[0].name = Some("@ann".to_owned());
    let mut message = said(0, "fine");
    for name in ["subject", "etag"] {
        message[name] = format!("={name}").into();
    }
    message["from"]["user"] = json!({"id": "+id", "displayName": "-name"});
    message["reactions"] = json!([{"reactionType": "=x", "user": {"user": {"id": "cy"}}}]);
    let mut out = header(&world.options);
    let _lines = Records::new(world.context()).record(&entry(&[message]), &mut out);
    let lines = read(&out);
    assert_eq!(
        cell(&lines[0], "guarded"),
        "chat_topic; etag; sender_id; sender_name; subject; reactions; participants"
    );
    assert_eq!(cell(&lines[0], "subject"), "'=subject");
    assert_eq!(cell(&lines[0], "etag"), "'=etag");
}

#[test]
fn the_guard_can_be_a_tab_or_nothing() {
    let mut world = World::new();
    world.options.guard = Guard::Tab;
    assert_eq!(cell(&read(&csv(&world, &["=1+1"]))[0], "body_text"), "\t=1+1");
    world.options.guard = Guard::None;
    let line = &read(&csv(&world, &["=1+1"]))[0];
    assert_eq!((cell(line, "body_text"), cell(line, "guarded")), ("=1+1", ""));
}

#[test]
fn what_is_a_formula() {
    for text in ["=1", "+a", "-a", "@a", " =1", "\u{A0}=1", "\u{FEFF}=1", "\ta", "\na", "\u{FF20}a"]
    {
        assert!(is_formula(text), "{text:?}");
    }
    for text in ["", "a=1", "1", "-1", "+1.5", " -12 ", "a", "'=1", "👍"] {
        assert!(!is_formula(text), "{text:?}");
    }
    for text in ["-1+1", "+", "-", "+1.", "-.5", "=-1", "+1e5", "--1", "+٣"] {
        assert!(is_formula(text), "{text:?}");
    }
}

#[test]
fn a_semicolon_does_not_split_a_list() {
    let mut world = World::new();
    world.chat.participants[0].name = Some("Ann; Bob".to_owned());
    let line = &read(&csv(&world, &["x"]))[0];
    let participants = cell(line, "participants");
    assert_eq!(participants.split("; ").count(), 3, "{participants}");
}

proptest! {
    #[test]
    fn any_texts_are_lines_of_the_same_width(texts in prop::collection::vec("\\PC*|[=+@,\"\r\n\t ';a-]{0,12}", 1..4)) {
        let world = World::new();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let bytes = csv(&world, &texts);
        prop_assert_eq!(&bytes, &csv(&world, &texts));
        let lines = read(&bytes);
        prop_assert_eq!(lines.len(), texts.len());
        for line in lines {
            prop_assert_eq!(line.len(), WIDTH + 1);
            prop_assert!(line.iter().all(|(_, cell)| !is_formula(cell) || cell.is_empty()));
        }
    }
}
