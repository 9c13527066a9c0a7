//! What a message says about itself: its key, version, times, sender and kind.

use chatvault_engine::{MessageKey, MessageKind, RecordKind, Timestamp};

use crate::json::Value;
use crate::parse_time;

/// The fields that the archive reads out of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which message.
    pub key: MessageKey,
    /// Which state of it.
    pub version: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When this state came to be.
    pub modified: Timestamp,
    /// Who wrote it.
    pub sender: Option<String>,
    /// What it is.
    pub kind: MessageKind,
}

/// Reads a document; `None` if it cannot be keyed.
pub fn identify(document: &Value) -> Option<Identity> {
    let key = key(document)?;
    let etag = text(document, "etag").and_then(|etag| decimal(&etag));
    let modified = time(document, "lastModifiedDateTime");
    let version = etag.unwrap_or_else(|| modified.map_or(0, epoch_ms));
    let created = time(document, "createdDateTime")
        .or_else(|| decimal(&key.id).map(from_epoch_ms))
        .unwrap_or_default();
    let modified = modified.or_else(|| etag.map(from_epoch_ms)).unwrap_or(created);
    let (sender, kind) = (sender(document), kind(document));
    Some(Identity { key, version, created, modified, sender, kind })
}

fn key(document: &Value) -> Option<MessageKey> {
    let id = text(document, "id")?;
    let channel = || text(document.member("channelIdentity")?, "channelId");
    let (conversation, reply_to) = match text(document, "chatId") {
        Some(chat) => (chat, None),
        None => (channel()?, text(document, "replyToId")),
    };
    Some(MessageKey { record: RecordKind::Message, conversation, reply_to, id })
}

/// A string that is there and not empty.
fn text(object: &Value, key: &str) -> Option<String> {
    object.member(key)?.text().filter(|text| !text.is_empty())
}

fn decimal(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn time(document: &Value, key: &str) -> Option<Timestamp> {
    parse_time(&text(document, key)?)
}

fn epoch_ms(time: Timestamp) -> u64 {
    u64::try_from(time.ms()).unwrap_or(0)
}

fn from_epoch_ms(ms: u64) -> Timestamp {
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

fn sender(document: &Value) -> Option<String> {
    let from = document.member("from")?;
    ["user", "application", "device"].iter().find_map(|who| text(from.member(who)?, "id"))
}

fn kind(document: &Value) -> MessageKind {
    let event = document.member("eventDetail").is_some_and(|detail| !is_null(detail));
    match text(document, "messageType").as_deref() {
        Some("message") => MessageKind::Message,
        Some("systemEventMessage") => MessageKind::System,
        Some("unknownFutureValue" | "chatEvent") if event => MessageKind::System,
        _ => MessageKind::Other,
    }
}

fn is_null(value: &Value) -> bool {
    *value == Value::Token("null".to_owned())
}
