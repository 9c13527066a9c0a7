//! A small world for the tests of all table formats: a chat, messages as the service writes them,
//! contents in memory.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use chatvault_engine::{ContentAddress, MessageKey, RecordKind, Timestamp};
use chatvault_query::event::Names;
use chatvault_query::parse_time;
use chatvault_query::people::ConversationKind;
use serde_json::{Value, json};

use crate::content::Objects;
use crate::digest::sha256;
use crate::entry::{
    Attached, AttachedState, Chat, Context, Entry, History, Person, RenderOptions, Version,
};

/// Noon of a Monday.
pub(crate) const NOON: i64 = 1_622_462_400_000;

/// Texts that have broken a format somewhere.
pub(crate) const HOSTILE: [&str; 16] = [
    "=HYPERLINK(\"http://x\",\"y\")",
    "  +1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\u{FF1D}1+1",
    "a,b;c \"quoted\" \"",
    "line\r\nline\rline\nline",
    "nul\u{0}bell\u{7}escape\u{1b}[31m",
    "þorn ® \u{14} þ",
    "שלום \u{202E}abc\u{202C} مرحبا",
    "👩‍👩‍👧‍👦 🇩🇪 👍🏽",
    " leading and trailing ",
    "<b>&amp;</b> ]]> \u{2028} \u{FEFF}",
    "--=_rsmf_ \r\n.\r\nFrom x",
    "",
];

pub(crate) struct World {
    pub(crate) chat: Chat,
    pub(crate) options: RenderOptions,
    pub(crate) objects: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Objects for World {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
        let found = self.objects.get(&address.0).cloned();
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        Ok(Box::new(Cursor::new(found.ok_or_else(missing)?)))
    }
}

impl History for World {}

impl Names for World {
    fn name(&self, id: &str) -> Option<&str> {
        self.chat.person(id)?.name.as_deref()
    }

    fn address(&self, id: &str) -> Option<&str> {
        self.chat.person(id)?.address.as_deref()
    }
}

pub(crate) fn person(id: &str, name: &str) -> Person {
    let address = Some(format!("{id}@example.org"));
    Person { id: id.to_owned(), name: Some(name.to_owned()), address, ..Person::default() }
}

impl World {
    pub(crate) fn new() -> Self {
        let chat = Chat {
            id: "19:chat@thread.v2".to_owned(),
            kind: ConversationKind::Group,
            topic: Some("Budget".to_owned()),
            topics: Vec::new(),
            team: None,
            started: None,
            participants: vec![person("ann", "Ann"), person("bob", "Bob"), person("cy", "Cy")],
            slug: "Budget_0a1b2c3d".to_owned(),
        };
        Self { chat, options: RenderOptions::default(), objects: BTreeMap::new() }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            tenant: "tenant",
            chat: &self.chat,
            names: self,
            options: &self.options,
            objects: self,
        }
    }

    /// Bytes that the archive has, as an attachment.
    pub(crate) fn stored(&mut self, name: &str, bytes: &[u8]) -> Attached {
        let hash = sha256(bytes);
        drop(self.objects.insert(hash, bytes.to_vec()));
        let path = Some(format!("Attachments/0001_{name}"));
        let (address, size) = (ContentAddress(hash), bytes.len() as u64);
        attached(name, AttachedState::Stored { address, size, sha256: hash, path })
    }
}

pub(crate) fn attached(name: &str, state: AttachedState) -> Attached {
    Attached {
        attachment: format!("file:{name}"),
        index: Some(0),
        versions: Vec::new(),
        name: name.to_owned(),
        media_type: "application/octet-stream".to_owned(),
        state,
    }
}

/// A message of Ann's, so many milliseconds after noon.
pub(crate) fn said(after: i64, text: &str) -> Value {
    json!({
        "id": (NOON + after).to_string(),
        "etag": (NOON + after).to_string(),
        "chatId": "19:chat@thread.v2",
        "messageType": "message",
        "createdDateTime": time(NOON + after),
        "lastModifiedDateTime": time(NOON + after),
        "importance": "normal",
        "from": {"user": {"id": "ann", "displayName": "Ann", "userIdentityType": "aadUser"}},
        "body": {"contentType": "text", "content": text},
        "attachments": [], "mentions": [], "reactions": [],
    })
}

/// A system event, so many milliseconds after noon.
pub(crate) fn event(after: i64, kind: &str, mut detail: Value) -> Value {
    detail["@odata.type"] = format!("#microsoft.graph.{kind}EventMessageDetail").into();
    let mut message = said(after, "<systemEventMessage/>");
    message["messageType"] = "systemEventMessage".into();
    message["from"] = Value::Null;
    message["eventDetail"] = detail;
    message
}

/// The same message with other values, modified so many milliseconds after noon.
pub(crate) fn changed(message: &Value, after: i64, values: Value) -> Value {
    let mut message = message.clone();
    message["etag"] = (NOON + after).to_string().into();
    message["lastModifiedDateTime"] = time(NOON + after).into();
    if let Value::Object(values) = values {
        values.into_iter().for_each(|(name, value)| message[name] = value);
    }
    message
}

pub(crate) fn time(ms: i64) -> String {
    crate::zone::rfc3339(Timestamp::from_ms(ms))
}

/// The entry of a message's versions.
pub(crate) fn entry(versions: &[Value]) -> Entry {
    raw_entry(versions[0]["id"].as_str().unwrap(), versions.iter().map(Value::to_string))
}

/// The entry of versions that are these bytes.
pub(crate) fn raw_entry(id: &str, versions: impl Iterator<Item = String>) -> Entry {
    let version = |(json, number): (String, u64)| Version {
        address: ContentAddress(sha256(json.as_bytes())),
        document: chatvault_engine::Document::parse(json.as_bytes()).unwrap().into_owned(),
        version: number,
        sequence: 100 + number,
        snippets: Vec::new(),
        record: RecordKind::Message,
        text: chatvault_query::record::Text::None,
        variant: (1, 1),
    };
    let created = id.parse().map_or(parse_time("id", "2021-05-31").unwrap(), Timestamp::from_ms);
    Entry {
        key: MessageKey {
            record: RecordKind::Message,
            conversation: "19:chat@thread.v2".to_owned(),
            reply_to: None,
            id: id.to_owned(),
        },
        created,
        modified: created,
        versions: versions.zip(1..).map(version).collect(),
        attached: Vec::new(),
        parent: None,
        custodians: ["user:ann".to_owned(), "user:bob".to_owned()].into(),
        is_context: false,
    }
}
