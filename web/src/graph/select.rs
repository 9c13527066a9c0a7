//! `$select`: of a document the members that are named, each as the bytes that came in first.
//!
//! What the service says about a document or a member, `@odata.…`, stays with it. A document of which
//! nothing is left out is given as it came.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::refusal::{Refusal, Result};

/// The members that are wanted; of all of them there is no selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Select(Option<Vec<String>>);

impl Select {
    /// Members inside of members cannot be selected, as little as in the service.
    pub(super) fn of(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self(None)) };
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        let is_name = |name: &&str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@.".contains(&byte);
            !name.is_empty() && name.bytes().all(is_plain)
        };
        if names.contains(&"*") {
            return Ok(Self(None));
        }
        if !names.iter().all(is_name) {
            let message = "Invalid $select: names of members with commas between are expected.";
            return Err(Refusal::bad(message));
        }
        Ok(Self(Some(names.into_iter().map(str::to_owned).collect())))
    }

    fn has(&self, member: &str) -> bool {
        let Some(names) = &self.0 else { return true };
        let bare = member.split_once("@odata.").map_or(member, |(of, _)| of);
        bare.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(bare))
    }

    /// What is wanted of a document.
    pub(super) fn cut<'j>(&self, json: &'j [u8]) -> Cow<'j, [u8]> {
        if self.0.is_none() {
            return Cow::Borrowed(json);
        }
        // Whatever is no object has no members to be left out.
        let Ok(Members(members)) = serde_json::from_slice::<Members<'_>>(json) else {
            return Cow::Borrowed(json);
        };
        if members.iter().all(|(name, _)| self.has(name)) {
            return Cow::Borrowed(json);
        }
        let mut cut = b"{".to_vec();
        for (name, value) in members.iter().filter(|(name, _)| self.has(name)) {
            if cut.len() > 1 {
                cut.push(b',');
            }
            // A text always has a JSON form.
            cut.extend(serde_json::to_vec(name).unwrap_or_default());
            cut.push(b':');
            cut.extend_from_slice(value.get().as_bytes());
        }
        cut.push(b'}');
        Cow::Owned(cut)
    }
}

/// The members of an object, in order.
struct Members<'j>(Vec<(String, &'j RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(names: &str, json: &str) -> String {
        let select = Select::of(Some(names)).unwrap();
        String::from_utf8(select.cut(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn members_are_given_as_they_came_and_annotations_stay() {
        let json =
            r##"{ "@odata.etag":"1", "id" : "a", "x@odata.type":"#T","x":{ "b" :1.50 },"y":[ ] }"##;
        for (names, expected) in [
            ("id", r#"{"@odata.etag":"1","id":"a"}"#),
            ("X, id", r##"{"@odata.etag":"1","id":"a","x@odata.type":"#T","x":{ "b" :1.50 }}"##),
            ("unknown", r#"{"@odata.etag":"1"}"#),
            ("id,x,y", json),
            ("*", json),
        ] {
            assert_eq!(cut(names, json), expected, "{names}");
        }
        assert_eq!(cut("id", "[1]"), "[1]");
        assert_eq!(cut("id", r#"{"é":1,"id":2}"#), r#"{"id":2}"#);
    }

    #[test]
    fn what_is_no_list_of_names_is_refused() {
        for text in ["from/user", "a,,b", "$count", "a b"] {
            assert!(Select::of(Some(text)).is_err(), "{text}");
        }
    }
}
