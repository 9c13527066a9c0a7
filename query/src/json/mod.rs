//! Reading of stored JSON in one pass, without checking again what the archive has checked.
//!
//! Values are borrowed where they stand, and skipped without recursion: a document as deep as the
//! archive takes costs no more than a flat one. What is of an unexpected type counts as absent; of
//! members with equal names the last one counts. What is no JSON is read as far as it looks like it,
//! and never panics.

mod reader;

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, Visitor};

pub(crate) use reader::Reader;

/// A value as it stands in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl<'a> Raw<'a> {
    pub(crate) fn get(self) -> &'a [u8] {
        self.0
    }
}

/// What is called for each member of an object.
pub(crate) type OnMember<'f, 'a> = &'f mut dyn FnMut(&[u8], Raw<'a>);
/// What is called for each element of an array.
pub(crate) type OnElement<'f, 'a> = &'f mut dyn FnMut(Raw<'a>);

/// Calls `on` for each member of an object, in order; what is no object has none.
pub(crate) fn members<'a>(json: &'a [u8], on: OnMember<'_, 'a>) {
    let Some(mut at) = inside(json, b'{') else { return };
    while json.get(at) == Some(&b'"') {
        let key_end = string_end(json, at);
        let key = json.get(at + 1..key_end - 1).unwrap_or_default();
        let colon = blank(json, key_end);
        if json.get(colon) != Some(&b':') {
            return;
        }
        let start = blank(json, colon + 1);
        let end = value_end(json, start);
        let value = Raw(json.get(start..end).unwrap_or_default());
        match escaped(json.get(at..key_end).unwrap_or_default()) {
            Some(key) => on(&key, value),
            None => on(key, value),
        }
        let Some(next) = behind_comma(json, end) else { return };
        at = next;
    }
}

/// The members of a value inside a document.
pub(crate) fn members_of<'a>(value: Raw<'a>, on: OnMember<'_, 'a>) {
    members(value.0, on);
}

/// Calls `on` for each element of an array; what is no array has none.
pub(crate) fn elements<'a>(value: Raw<'a>, on: OnElement<'_, 'a>) {
    let json = value.0;
    let Some(mut at) = inside(json, b'[') else { return };
    while json.get(at).is_some_and(|byte| *byte != b']') {
        let end = value_end(json, at);
        on(Raw(json.get(at..end).unwrap_or_default()));
        let Some(next) = behind_comma(json, end) else { return };
        at = next;
    }
}

/// The text of a string; a half of a surrogate pair becomes the replacement character.
pub(crate) fn text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    let bare = value.0.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if let Some(bytes) = escaped(value.0) {
        return Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Some(String::from_utf8_lossy(bare))
}

/// A member of an object as text.
pub(crate) fn member_text<'a>(value: Raw<'a>, name: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    members_of(value, &mut |key, value| {
        if key == name.as_bytes() {
            found = text(value);
        }
    });
    found
}

/// Is there nothing: `null`, an empty text, an empty list or an empty object?
pub(crate) fn is_empty(value: Raw<'_>) -> bool {
    let inside = |open: &[u8], close: &[u8]| {
        value.0.strip_prefix(open).and_then(|rest| rest.strip_suffix(close))
    };
    let blank = |text: &[u8]| text.trim_ascii().is_empty();
    matches!(value.0, b"null" | b"\"\"")
        || inside(b"[", b"]").is_some_and(blank)
        || inside(b"{", b"}").is_some_and(blank)
}

/// The place behind white space.
fn blank(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// The first thing in an object or array.
fn inside(json: &[u8], open: u8) -> Option<usize> {
    let at = blank(json, 0);
    (json.get(at) == Some(&open)).then(|| blank(json, at + 1))
}

fn behind_comma(json: &[u8], at: usize) -> Option<usize> {
    let at = blank(json, at);
    (json.get(at) == Some(&b',')).then(|| blank(json, at + 1))
}

/// The place behind the string whose quote is at `at`.
fn string_end(json: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if json.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    json.len().max(at)
}

/// The place behind the value at `at`.
fn value_end(json: &[u8], at: usize) -> usize {
    match json.get(at) {
        Some(b'"') => string_end(json, at).min(json.len()),
        Some(b'{' | b'[') => nested_end(json, at),
        _ => {
            let rest = json.get(at..).unwrap_or_default();
            let ends = |byte: &u8| {
                matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t')
            };
            at + rest.iter().position(ends).unwrap_or(rest.len()).max(1)
        }
    }
}

fn nested_end(json: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    json.len()
}

/// The bytes of a quoted text that has escapes.
fn escaped(quoted: &[u8]) -> Option<Vec<u8>> {
    let _escape = memchr::memchr(b'\\', quoted)?;
    let mut reader = serde_json::Deserializer::from_slice(quoted);
    Bytes::deserialize(&mut reader).ok().map(|Bytes(bytes)| bytes)
}

/// A string's bytes: half a surrogate pair is no error, as it would be in a text.
struct Bytes(Vec<u8>);

impl<'a> Deserialize<'a> for Bytes {
    fn deserialize<D: Deserializer<'a>>(reader: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        reader.deserialize_bytes(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        members(json.as_bytes(), &mut |key, value| {
            let value = String::from_utf8_lossy(value.get()).into_owned();
            all.push((String::from_utf8_lossy(key).into_owned(), value));
        });
        all
    }

    fn raw(json: &str) -> Raw<'_> {
        Raw(json.as_bytes())
    }

    #[test]
    fn members_are_given_as_they_stand() {
        let all = read(r#"{ "a" : [1, {"b":2}], "c\u0041": "x", "\ud800": null }"#);
        let keys: Vec<_> = all.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((&keys[..2], keys.len()), (&["a", "cA"][..], 3));
        assert_eq!(all[0].1, r#"[1, {"b":2}]"#);
        assert_eq!((read("[1]"), read("7"), read("")), (vec![], vec![], vec![]));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(&deep).len(), 1);
        assert_eq!(text(raw(r#""x""#)).as_deref(), Some("x"));
    }

    #[test]
    fn a_text_is_read_whatever_its_escapes() {
        assert_eq!(text(raw(r#""a\n\u00e9\ud83d\ude00""#)).as_deref(), Some("a\né😀"));
        assert!(text(raw(r#""a\ud83d""#)).is_some_and(|text| text.starts_with("a\u{fffd}")));
        assert_eq!(text(raw("7")), None);
        assert_eq!(text(raw("null")), None);
        assert_eq!(member_text(raw(r#"{"a":"x","a":"y"}"#), "a").as_deref(), Some("y"));
        assert_eq!(member_text(raw(r#"{"a":"x","a":1}"#), "a"), None);
    }

    #[test]
    fn nothing_has_several_forms() {
        for empty in ["null", "\"\"", "[]", "[ ]", "{}", "{\n}"] {
            assert!(is_empty(raw(empty)), "{empty}");
        }
        for full in ["0", "\" \"", "[0]", "{\"a\":null}", "false"] {
            assert!(!is_empty(raw(full)), "{full}");
        }
    }

    /// What serde finds, in the same order.
    fn found(json: &[u8]) -> Option<Vec<(String, serde_json::Value)>> {
        struct Members;
        impl<'a> Visitor<'a> for Members {
            type Value = Vec<(String, serde_json::Value)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'a>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(all)
            }
        }
        serde_json::Deserializer::from_slice(json).deserialize_map(Members).ok()
    }

    proptest::proptest! {
        #[test]
        fn any_object_is_read_as_others_read_it(
            texts in proptest::collection::vec((".{0,8}", ".{0,12}"), 0..6),
            space in "[ \n\r\t]{0,2}",
            number in proptest::num::f64::NORMAL,
        ) {
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            let values = |text: &str| [
                quoted(text),
                format!("[{0}{1}{0},{0}{{}}{0}]", space, quoted(text)),
                format!("{{{0}{1}{0}:{0}[{2},null,true]{0}}}", space, quoted(text), number),
                number.to_string(),
            ];
            let members: Vec<String> = texts
                .iter()
                .flat_map(|(key, text)| values(text).map(|value| (key, value)))
                .map(|(key, value)| format!("{space}{}{space}:{space}{value}{space}", quoted(key)))
                .collect();
            let json = format!("{space}{{{}}}", members.join(","));
            let json = if members.is_empty() { "{}".to_owned() } else { json };
            let own: Vec<_> = read(&json)
                .into_iter()
                .map(|(key, value)| (key, serde_json::from_str(&value).unwrap()))
                .collect();
            proptest::prop_assert_eq!(Some(own), found(json.as_bytes()));
        }

        #[test]
        fn rubbish_ends_and_never_panics(json in "[\\[\\]{}:,\"\\\\ a1n]{0,40}") {
            members(json.as_bytes(), &mut |_, value| {
                elements(value, &mut |element| drop(text(element)));
                let _empty = is_empty(value);
            });
            let before = json.len();
            proptest::prop_assert_eq!(before, json.len());
        }
    }
}
