//! One document: its canonical form, and what it is found by. Peers do by it what chatvault's own parser
//! does, and the check of what was returned uses it too.

use chatvault_engine::Timestamp;
use chatvault_support::parse_time;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::peer::{Key, Result};

/// What a document is found by.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The message that it is a version of.
    pub key: Key,
    /// Its etag as a number.
    pub version: u64,
    /// `createdDateTime` in ticks of 100 ns.
    pub created: i64,
    /// `lastModifiedDateTime` in ticks of 100 ns.
    pub modified: i64,
    /// Who sent it.
    pub sender: Option<String>,
    /// BLAKE3 of the canonical form: members sorted, no white space, fewest escapes.
    pub address: [u8; 32],
    /// The canonical form's length.
    pub canonical_bytes: u32,
}

impl Facts {
    /// Reads a document; `scratch` is for the canonical form.
    pub fn of(document: &[u8], scratch: &mut Vec<u8>) -> Result<Self> {
        let value: Value = serde_json::from_slice(document)?;
        // `Value` keeps members in a sorted map.
        scratch.clear();
        serde_json::to_writer(&mut *scratch, &value)?;
        let text = |path: &str| {
            value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let time = |path| text(path).and_then(parse_time).map(Timestamp::ticks);
        let id = text("/id").ok_or("a document without an id")?;
        let etag: Option<u64> = text("/etag").and_then(|etag| etag.parse().ok());
        let created = time("/createdDateTime").or_else(|| ticks(id.parse().ok()?)).unwrap_or(0);
        let modified = time("/lastModifiedDateTime").or_else(|| ticks(etag?)).unwrap_or(created);
        let (conversation, reply_to) = match text("/chatId") {
            Some(chat) => (chat, None),
            None => (
                text("/channelIdentity/channelId").ok_or("a document without a conversation")?,
                text("/replyToId"),
            ),
        };
        let senders = ["/from/user/id", "/from/application/id", "/from/device/id"];
        Ok(Self {
            key: Key {
                conversation: conversation.to_owned(),
                reply_to: reply_to.map(str::to_owned),
                id: id.to_owned(),
            },
            version: etag.unwrap_or_else(|| u64::try_from(modified / 10_000).unwrap_or(0)),
            created,
            modified,
            sender: senders.into_iter().find_map(text).map(str::to_owned),
            address: *blake3::hash(scratch).as_bytes(),
            canonical_bytes: u32::try_from(scratch.len())?,
        })
    }
}

fn ticks(epoch_ms: u64) -> Option<i64> {
    i64::try_from(epoch_ms).ok()?.checked_mul(10_000)
}

/// A page as the service returns it.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

/// The documents of a page file, unparsed: `{"value":[…]}` or a bare array.
pub fn split(page: &[u8]) -> Result<Vec<&[u8]>> {
    let bare = page.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let documents: Vec<&RawValue> = if bare {
        serde_json::from_slice(page)?
    } else {
        serde_json::from_slice::<Page<'_>>(page)?.value
    };
    Ok(documents.into_iter().map(|document| document.get().as_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_dress_has_the_same_address() {
        let plain = br#"{"chatId":"c","id":"5","etag":"6","body":{"a":"/","b":1}}"#;
        let dressed = br#"{ "etag":"6", "body" : {"b":1,"a":"\/"},"id":"5","chatId":"\u0063"}"#;
        let facts = |bytes: &[u8]| Facts::of(bytes, &mut Vec::new()).unwrap();
        assert_eq!(facts(plain).address, facts(dressed).address);
        assert_eq!((facts(plain).created, facts(plain).modified), (50_000, 60_000));
    }

    #[test]
    fn pages_are_split_in_both_forms() {
        let items = [br#"{"a":1}"#.as_slice(), br#"{"b":[2]}"#];
        assert_eq!(split(br#"{"@odata.count":2,"value":[{"a":1}, {"b":[2]}]}"#).unwrap(), items);
        assert_eq!(split(b" [{\"a\":1},{\"b\":[2]}]").unwrap(), items);
    }
}
