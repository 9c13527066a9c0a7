//! Lenient reading of stored JSON: what is of an unexpected type counts as absent.
//!
//! Values are borrowed where they stand, and skipped without recursion: a document as deep as the
//! archive takes costs no more than a flat one. Of members with equal names the last one counts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What is called for each member of an object.
pub(crate) type OnMember<'f, 'a> = &'f mut dyn FnMut(&[u8], &'a RawValue);
/// What is called for each element of an array.
pub(crate) type OnElement<'f, 'a> = &'f mut dyn FnMut(&'a RawValue);

/// Calls `on` for each member of an object, in order; what is no object has none.
pub(crate) fn members<'a>(json: &'a [u8], on: OnMember<'_, 'a>) {
    let mut reader = serde_json::Deserializer::from_slice(json);
    // Stored documents are valid JSON: only a value that is no object ends here early.
    drop(reader.deserialize_map(Members(on)));
}

/// The members of a value inside a document.
pub(crate) fn members_of<'a>(value: &'a RawValue, on: OnMember<'_, 'a>) {
    if value.get() == "null" {
        return;
    }
    members(value.get().as_bytes(), on);
}

/// Calls `on` for each element of an array; what is no array has none.
pub(crate) fn elements<'a>(value: &'a RawValue, on: OnElement<'_, 'a>) {
    // What most messages have, and what a reader would take its time for.
    if matches!(value.get(), "[]" | "null") {
        return;
    }
    let mut reader = serde_json::Deserializer::from_str(value.get());
    drop(reader.deserialize_seq(Elements(on)));
}

/// The text of a string; a half of a surrogate pair becomes the replacement character.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = value.get();
    let bare = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if memchr_backslash(bare) {
        let mut reader = serde_json::Deserializer::from_str(quoted);
        let Bytes(bytes) = Bytes::deserialize(&mut reader).ok()?;
        return Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()));
    }
    Some(Cow::Borrowed(bare))
}

/// A member of an object as text.
pub(crate) fn member_text<'a>(value: &'a RawValue, name: &str) -> Option<Cow<'a, str>> {
    let mut found = None;
    members_of(value, &mut |key, value| {
        if key == name.as_bytes() {
            found = text(value);
        }
    });
    found
}

/// Is there nothing: `null`, an empty text, an empty list or an empty object?
pub(crate) fn is_empty(value: &RawValue) -> bool {
    let text = value.get();
    let inside = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let blank = |text: &str| text.trim_ascii().is_empty();
    matches!(text, "null" | "\"\"")
        || inside('[', ']').is_some_and(blank)
        || inside('{', '}').is_some_and(blank)
}

fn memchr_backslash(text: &str) -> bool {
    text.as_bytes().contains(&b'\\')
}

struct Members<'f, 'a>(OnMember<'f, 'a>);

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Bytes(key)) = map.next_key::<Bytes<'a>>()? {
            (self.0)(&key, map.next_value()?);
        }
        Ok(())
    }
}

struct Elements<'f, 'a>(OnElement<'f, 'a>);

impl<'a> Visitor<'a> for Elements<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// A string's bytes: half a surrogate pair is no error, as it would be in a text.
struct Bytes<'a>(Cow<'a, [u8]>);

impl<'a> Deserialize<'a> for Bytes<'a> {
    fn deserialize<D: Deserializer<'a>>(reader: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'a> Visitor<'a> for Any {
            type Value = Bytes<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'a [u8]) -> Result<Bytes<'a>, E> {
                Ok(Bytes(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes<'a>, E> {
                Ok(Bytes(Cow::Owned(bytes.to_vec())))
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
            all.push((String::from_utf8_lossy(key).into_owned(), value.get().to_owned()));
        });
        all
    }

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
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
}
