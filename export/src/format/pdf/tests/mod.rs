//! Whole transcripts, read back with another reader of PDF.

mod archive;
mod pages;
mod structure;
mod words;

use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use chatvault_engine::{MessageKey, RecordKind, Timestamp};
use chatvault_query::event::NoNames;
use chatvault_query::people::ConversationKind;
use serde_json::{Value, json};

use super::*;
use crate::entry::{
    Attached, AttachedState, Chat, Content, Objects, Person, Piece, RenderOptions, Version,
};

/// 3 June 2021, 22:00:00 UTC.
const START_MS: i64 = 1_622_757_600_000;

/// Contents by their address.
#[derive(Default)]
pub(super) struct Store(HashMap<[u8; 32], Vec<u8>>);

impl Objects for Store {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(&address.0).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// A chat and what is asked of it.
pub(super) struct Scene {
    pub(super) chat: Chat,
    pub(super) options: RenderOptions,
    pub(super) store: Store,
    pub(super) limits: Limits,
}

impl Scene {
    pub(super) fn new() -> Self {
        let person = |id: &str, name: &str| Person {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            address: Some(format!("{id}@example.com")),
            ..Person::default()
        };
        let chat = Chat {
            id: "19:chat@thread.v2".to_owned(),
            kind: ConversationKind::Group,
            topic: Some("Budget 2021".to_owned()),
            topics: Vec::new(),
            team: None,
            started: None,
            participants: vec![person("ann", "Ann Lee"), person("bob", "Bob Ray")],
            slug: "Budget_2021_abcd".to_owned(),
        };
        let as_of = Timestamp::from_ms(START_MS + 86_400_000);
        let options =
            RenderOptions { as_of, export_id: "ex-1".to_owned(), ..RenderOptions::default() };
        Self {
            chat,
            options,
            store: Store::default(),
            limits: Limits { threads: 2, ..Limits::default() },
        }
    }

    pub(super) fn make(&self, entries: Vec<Entry>) -> (Vec<Piece>, Summary) {
        let fonts = Fonts::builtin().unwrap();
        let names = NoNames;
        let context = Context {
            tenant: "tenant-1",
            chat: &self.chat,
            names: &names,
            options: &self.options,
            objects: &self.store,
        };
        let day = 86_400_000;
        let (start, end) =
            (Timestamp::from_ms(START_MS - day), Timestamp::from_ms(START_MS + 90 * day));
        let window = Window { start, end, number: 1, of: 1 };
        let mut pieces = Vec::new();
        let mut sink = |piece: Piece| {
            pieces.push(piece);
            Ok(())
        };
        let mut transcript = Transcript::new(&fonts, context, window, self.limits);
        for entry in entries {
            transcript.push(entry, &mut sink).unwrap();
        }
        let summary = transcript.finish(&mut sink).unwrap();
        (pieces, summary)
    }

    /// The one file that these entries make.
    pub(super) fn file(&self, entries: Vec<Entry>) -> Vec<u8> {
        let (pieces, summary) = self.make(entries);
        assert_eq!((pieces.len(), summary.files), (1, 1));
        bytes(&pieces[0])
    }
}

pub(super) fn bytes(piece: &Piece) -> Vec<u8> {
    match &piece.content {
        Content::Bytes(bytes) => bytes.clone(),
        other => panic!("not in memory: {} bytes", other.size()),
    }
}

/// A message `seconds` after the start.
pub(super) fn message(seconds: i64, fields: &Value) -> Value {
    let at = START_MS + seconds * 1_000;
    let time = crate::zone::rfc3339(Timestamp::from_ms(at));
    let mut message = json!({
        "id": at.to_string(), "etag": at.to_string(), "messageType": "message",
        "createdDateTime": time, "lastModifiedDateTime": time, "chatId": "19:chat@thread.v2",
        "from": {"user": {"id": "ann", "displayName": "Ann Lee", "userIdentityType": "aadUser"}},
        "body": {"contentType": "text", "content": ""}, "attachments": [], "mentions": [], "reactions": []
    });
    for (key, value) in fields.as_object().unwrap() {
        message[key] = value.clone();
    }
    message
}

pub(super) fn text(seconds: i64, content: &str) -> Entry {
    entry(&[message(seconds, &json!({"body": {"contentType": "text", "content": content}}))])
}

pub(super) fn html(seconds: i64, content: &str) -> Entry {
    entry(&[message(seconds, &json!({"body": {"contentType": "html", "content": content}}))])
}

/// An entry of these versions.
pub(super) fn entry(versions: &[Value]) -> Entry {
    let id = versions[0]["id"].as_str().unwrap().to_owned();
    let created = Timestamp::from_ms(id.parse().unwrap());
    let version = |(index, value): (usize, &Value)| Version {
        document: chatvault_engine::Document::parse(value.to_string().as_bytes())
            .unwrap()
            .into_owned(),
        address: ContentAddress([u8::try_from(index).unwrap(); 32]),
        version: index as u64,
        sequence: 1,
        snippets: Vec::new(),
        record: RecordKind::Message,
        text: chatvault_query::record::Text::None,
        variant: (1, 1),
    };
    Entry {
        key: MessageKey {
            record: RecordKind::Message,
            conversation: "19:chat@thread.v2".to_owned(),
            reply_to: None,
            id,
        },
        created,
        modified: created,
        versions: versions.iter().enumerate().map(version).collect(),
        attached: Vec::new(),
        parent: None,
        custodians: Arc::default(),
        is_context: false,
    }
}

pub(super) fn stored(
    store: &mut Store,
    attachment: &str,
    index: Option<usize>,
    bytes: Vec<u8>,
) -> Attached {
    let address = ContentAddress(crate::digest::sha256(&bytes));
    let size = bytes.len() as u64;
    let sha256 = address.0;
    drop(store.0.insert(address.0, bytes));
    Attached {
        attachment: attachment.to_owned(),
        index,
        versions: Vec::new(),
        name: "report (final).pdf".to_owned(),
        media_type: if index.is_some() { "application/pdf" } else { "image/png" }.to_owned(),
        state: AttachedState::Stored {
            address,
            size,
            sha256,
            path: Some("Attachments/0001_report.pdf".to_owned()),
        },
    }
}

pub(super) fn open(bytes: &[u8]) -> lopdf::Document {
    lopdf::Document::load_mem(bytes).unwrap()
}

/// All objects and streams of a file as text, those that are packed, too.
pub(super) fn unpacked(file: &[u8]) -> String {
    let document = open(file);
    let told = document.objects.values().map(|object| match object.as_stream() {
        Ok(stream) => {
            let content = stream.decompressed_content().unwrap_or_default();
            format!("{:?} {}", stream.dict, String::from_utf8_lossy(&content))
        }
        Err(_) => format!("{object:?}"),
    });
    told.chain([format!("{:?}", document.trailer)]).collect::<Vec<_>>().join("\n")
}

/// The text of a page, in the order of its commands.
pub(super) fn page_text(document: &lopdf::Document, page: u32) -> String {
    let text = document.extract_text(&[page]).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn all_text(bytes: &[u8]) -> String {
    let document = open(bytes);
    let pages: Vec<String> =
        document.get_pages().keys().map(|page| page_text(&document, *page)).collect();
    pages.join(" ")
}

/// Fails unless the needles stand in the text one behind the other.
pub(super) fn assert_order(text: &str, needles: &[&str]) {
    let mut rest = text;
    for needle in needles {
        let Some(at) = rest.find(needle) else { panic!("{needle:?} is not in order in {text}") };
        rest = &rest[at + needle.len()..];
    }
}
