//! Every format is read back by code that others wrote, and has every message in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatvault_engine::Memory;
use chatvault_export::entry::Guard;
use chatvault_export::{Format, Request};
use chatvault_support::Draft;
use mail_parser::{MessageParser, MimeHeaders};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use super::{AT, PICTURE, export, joined, members, request, run, vault};
use crate::kit::{Vault, ada};

const MESSAGES: usize = 60;

/// The members of an export of a small archive.
fn made(asked: Request) -> Vec<(String, Vec<u8>)> {
    let vault = vault(MESSAGES as u64);
    let (folder, _) = run(&export(&vault, asked), 2);
    members(&*folder)
}

fn with_ending(members: &[(String, Vec<u8>)], ending: &str) -> Vec<(String, Vec<u8>)> {
    members.iter().filter(|(name, _)| name.ends_with(ending)).cloned().collect()
}

#[test]
fn every_message_is_a_mail_that_a_mail_reader_understands() {
    let mails = with_ending(&made(request(Format::Eml)), ".eml");
    assert_eq!(mails.len(), MESSAGES);
    let mut ids = BTreeMap::new();
    let mut attachments = 0;
    for (name, bytes) in &mails {
        let mail = MessageParser::default().parse(bytes).unwrap();
        assert!(
            mail.from().is_some() && mail.date().is_some() && mail.subject().is_some(),
            "{name}"
        );
        assert!(mail.body_text(0).is_some_and(|text| !text.trim().is_empty()), "{name}");
        let id = mail.message_id().unwrap().to_owned();
        assert_eq!(ids.insert(id, name.clone()), None, "an id is given once");
        for attachment in mail.attachments() {
            assert_eq!(attachment.attachment_name(), Some("a_b_ report_.pdf"));
            assert_eq!(attachment.contents(), PICTURE);
            attachments += 1;
        }
        assert!(
            bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() < 999)
        );
    }
    assert_eq!(attachments, 3);
}

#[test]
fn two_threads_can_have_messages_of_one_id_and_moment() {
    let mut vault = Vault::create(Arc::new(Memory::new()));
    for root in ["1", "2", "3"] {
        let reply = Draft::channel("team", "19:c@thread.tacv2", AT, Some(root)).text(root);
        drop(vault.put(&ada(), &reply.json()));
    }
    for format in super::FORMATS {
        let asked = Request { all_versions: true, ..request(format) };
        let (folder, index) = run(&export(&vault, asked), 1);
        assert_eq!(index.counts.messages, 3, "{format:?}");
        if format == Format::Eml {
            assert_eq!(with_ending(&members(&*folder), ".eml").len(), 3);
        }
    }
}

#[test]
fn a_mailbox_has_every_mail() {
    let boxes = with_ending(&made(request(Format::Mbox)), ".mbox");
    assert_eq!(boxes.len(), 3, "one for each chat");
    let mails: usize = boxes
        .iter()
        .map(|(_, bytes)| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            text.lines().filter(|line| line.starts_with("From teams-archive ")).count()
        })
        .sum();
    assert_eq!(mails, MESSAGES);
}

#[test]
fn a_table_has_a_row_for_each_message_and_no_formula() {
    let vault = vault(MESSAGES as u64);
    let asked = Request { attachment_rows: true, ..request(Format::Csv) };
    let (folder, _) = run(&export(&vault, asked), 2);
    let bytes = joined(&*folder, ".csv");
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap();
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text);
    let headers = reader.headers().unwrap().clone();
    let place = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let (kind, body) = (place("record_type"), place("body_text"));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        *kinds.entry(row[kind].to_owned()).or_default() += 1;
        let is_formula = |cell: &str| cell.trim_start().starts_with(['=', '+', '@']);
        assert!(!row.iter().any(is_formula), "{row:?}");
        assert!(row[kind] != *"message" || !row[body].is_empty(), "{row:?}");
    }
    assert_eq!((kinds["message"], kinds["event"], kinds["attachment"]), (54, 6, 6));
    let unguarded = Request { guard: Guard::None, bom: false, ..request(Format::Csv) };
    let (folder, _) = run(&export(&vault, unguarded), 1);
    assert!(joined(&*folder, ".csv").starts_with(b"commit,record_type,"));
}

#[test]
fn a_typed_table_has_the_same_rows() {
    let files = with_ending(&made(request(Format::Parquet)), ".parquet");
    let rows: i64 = files
        .into_iter()
        .map(|(_, bytes)| {
            let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
            assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), 37);
            reader.metadata().file_metadata().num_rows()
        })
        .sum();
    assert_eq!(usize::try_from(rows).unwrap(), MESSAGES);
}

#[test]
fn json_lines_name_the_files_of_their_messages() {
    let members = made(request(Format::Jsonl));
    let lines = with_ending(&members, "attachments.jsonl");
    let lines = String::from_utf8(lines[0].1.clone()).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    let stored: Vec<&Value> = lines.iter().filter(|line| line["path"].is_string()).collect();
    assert_eq!(stored.len(), 3);
    for line in stored {
        let path = line["path"].as_str().unwrap();
        let (_, bytes) = members.iter().find(|(name, _)| name == path).unwrap();
        assert_eq!(bytes, PICTURE);
        assert_eq!(line["status"], "stored");
    }
}

#[test]
fn a_load_file_has_a_record_for_each_message_and_attachment() {
    let vault = vault(MESSAGES as u64);
    let (folder, _) = run(&export(&vault, request(Format::Dat)), 1);
    let text = String::from_utf8(joined(&*folder, ".dat")).unwrap();
    let records: Vec<&str> = text.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(records.len(), 1 + MESSAGES + 6);
    let fields = |line: &str| line.split('\u{14}').count();
    assert!(records.iter().all(|line| fields(line) == fields(records[0])));
}

#[test]
fn a_transcript_of_pages_has_every_text() {
    let mut files = with_ending(&made(request(Format::Pdf)), ".pdf");
    files.retain(|(name, _)| !name.starts_with("Attachments/"));
    assert_eq!(files.len(), 3, "one for each chat");
    let mut text = String::new();
    for (_, bytes) in files {
        let document = lopdf::Document::load_mem(&bytes).unwrap();
        let pages: Vec<u32> = document.get_pages().keys().copied().collect();
        text += &document.extract_text(&pages).unwrap();
    }
    for number in (0..MESSAGES).filter(|number| matches!(number % 10, 1 | 2 | 4 | 6 | 8 | 9)) {
        assert!(text.contains(&format!("message {number} of ")), "{number}");
    }
}

#[test]
fn a_transcript_for_browsers_has_every_message_and_nothing_that_loads() {
    let pages = with_ending(&made(request(Format::Html)), ".html");
    let text: String =
        pages.iter().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap()).collect();
    assert_eq!(text.matches("<article").count(), MESSAGES);
    assert!(pages.iter().any(|(name, _)| name == "index.html"));
    for loads in ["<script", "src=\"http", "javascript:", "<iframe", "@import"] {
        assert!(!text.contains(loads), "{loads}");
    }
    assert!(text.contains("edited since") && text.contains("default-src 'none'"));
}

#[test]
fn short_message_files_hold_every_event_once() {
    let files = with_ending(&made(request(Format::Rsmf)), ".rsmf");
    assert!(files.len() > 3, "one for each chat and day");
    let mut events = 0;
    for (name, bytes) in files {
        let mail = MessageParser::default().parse(&bytes).unwrap();
        let attachments: Vec<_> = mail.attachments().collect();
        assert_eq!(attachments.len(), 1, "{name}");
        assert_eq!(attachments[0].attachment_name(), Some("rsmf.zip"));
        let bytes = attachments[0].contents().to_vec();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let manifest = zip.by_name("rsmf_manifest.json").unwrap();
        let manifest: Value = serde_json::from_reader(manifest).unwrap();
        events += manifest["events"].as_array().unwrap().len();
    }
    assert_eq!(events, MESSAGES);
}
