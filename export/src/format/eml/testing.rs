//! A chat of three, its messages, and their mails read back.

use std::collections::HashMap;
use std::io::{self, Read};

use chatvault_engine::{ContentAddress, MessageKey, RecordKind, Timestamp};
use chatvault_query::event::NoNames;
use chatvault_query::people::ConversationKind;
use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};

use crate::digest::sha256;
use crate::entry::{
    Attached, AttachedState, Chat, Context, Entry, Objects, Person, Piece, RenderOptions, Version,
};
use crate::format::eml::Mails;

#[derive(Default)]
pub(in crate::format) struct Stored(HashMap<ContentAddress, Vec<u8>>);

impl Objects for Stored {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(address).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }
}

/// One message with all that is needed to render it.
pub(in crate::format) struct Case {
    pub(in crate::format) chat: Chat,
    pub(in crate::format) entry: Entry,
    pub(in crate::format) options: RenderOptions,
    pub(in crate::format) objects: Stored,
}

pub(in crate::format) const CREATED_MS: i64 = 1_622_762_567_000;

fn person(id: &str, name: &str, address: Option<&str>) -> Person {
    Person {
        id: id.to_owned(),
        name: Some(name.to_owned()),
        address: address.map(str::to_owned),
        ..Person::default()
    }
}

pub(in crate::format) fn chat() -> Chat {
    Chat {
        id: "19:abc@thread.v2".to_owned(),
        kind: ConversationKind::Group,
        topic: Some("Töpic".to_owned()),
        topics: Vec::new(),
        team: None,
        started: Some(Timestamp::from_ms(CREATED_MS)),
        participants: vec![
            person("ann", "Ann Lee", Some("ann@example.com")),
            person("bob", "Böb", None),
            person("eve", "Eve", Some("eve@example.com")),
        ],
        slug: "Topic_12345678".to_owned(),
    }
}

pub(in crate::format) fn entry(id: &str, at: Timestamp, versions: &[Value]) -> Entry {
    let versions = versions.iter().enumerate().map(|(at, version)| {
        let json = version.to_string().into_bytes();
        let etag = version["etag"].as_str().and_then(|etag| etag.parse().ok());
        let address = ContentAddress(sha256(&json));
        Version {
            address,
            document: chatvault_engine::Document::parse(&json).unwrap().into_owned(),
            version: etag.unwrap_or(at as u64),
            sequence: 1,
            snippets: Vec::new(),
            record: RecordKind::Message,
            text: chatvault_query::record::Text::None,
            variant: (1, 1),
        }
    });
    Entry {
        key: MessageKey {
            record: RecordKind::Message,
            conversation: "19:abc@thread.v2".to_owned(),
            reply_to: None,
            id: id.to_owned(),
        },
        created: at,
        modified: at,
        versions: versions.collect(),
        attached: Vec::new(),
        parent: None,
        custodians: ["user:ann".to_owned(), "user:bob".to_owned()].into(),
        is_context: false,
    }
}

pub(in crate::format) fn stored(
    link: &str,
    index: Option<usize>,
    name: &str,
    media_type: &str,
) -> Attached {
    Attached {
        attachment: link.to_owned(),
        index,
        versions: Vec::new(),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        state: AttachedState::Omitted,
    }
}

pub(in crate::format) fn message(content: &str, kind: &str) -> Value {
    json!({
        "id": "1000", "etag": "1000", "messageType": "message",
        "from": {"user": {"id": "ann", "displayName": "Ann"}},
        "body": {"contentType": kind, "content": content}
    })
}

impl Case {
    pub(in crate::format) fn of(versions: &[Value]) -> Self {
        let id = versions[0]["id"].as_str().unwrap_or_default();
        Self {
            chat: chat(),
            entry: entry(id, Timestamp::from_ms(CREATED_MS), versions),
            options: RenderOptions::default(),
            objects: Stored::default(),
        }
    }

    pub(in crate::format) fn text(content: &str) -> Self {
        Self::of(&[message(content, "text")])
    }

    pub(in crate::format) fn html(content: &str) -> Self {
        Self::of(&[message(content, "html")])
    }

    pub(in crate::format) fn attach(&mut self, mut attached: Attached, bytes: &[u8]) {
        let sha256 = sha256(bytes);
        let address = ContentAddress(sha256);
        let size = bytes.len() as u64;
        attached.state = AttachedState::Stored { address, size, sha256, path: None };
        drop(self.objects.0.insert(address, bytes.to_vec()));
        self.entry.attached.push(attached);
    }

    pub(in crate::format) fn context(&self) -> Context<'_> {
        Context {
            tenant: "t-1",
            chat: &self.chat,
            names: &NoNames,
            options: &self.options,
            objects: &self.objects,
        }
    }

    pub(in crate::format) fn pieces(&self) -> Vec<Piece> {
        Mails::new(self.context()).pieces(&self.entry)
    }

    /// Its one mail.
    pub(in crate::format) fn only(&self) -> Vec<u8> {
        let pieces = self.pieces();
        let [piece] = pieces.as_slice() else { panic!("{} mails", pieces.len()) };
        let bytes = piece.content.to_vec(&self.objects).unwrap();
        assert_eq!(bytes.len() as u64, piece.content.size());
        bytes
    }
}

pub(in crate::format) fn text(mail: &[u8]) -> String {
    String::from_utf8(mail.to_vec()).unwrap()
}

pub(in crate::format) fn parsed(mail: &[u8]) -> Message<'_> {
    MessageParser::default().parse(mail).unwrap()
}

/// A field's value, unfolded but not decoded.
pub(in crate::format) fn header(mail: &Message<'_>, name: &'static str) -> String {
    let raw = mail.header_raw(name).unwrap_or_else(|| panic!("no {name}"));
    raw.replace("\r\n", "").trim().to_owned()
}

/// The text of a mail with LF, without the line end of the last line.
pub(in crate::format) fn lines(mail: &Message<'_>) -> String {
    mail.body_text(0).unwrap().replace("\r\n", "\n").trim_end().to_owned()
}
