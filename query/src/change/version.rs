//! A version of a message as its members, to be compared with another.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::json::{self, Raw};

/// The members of a version.
#[derive(Debug, Default)]
pub(super) struct Version<'a> {
    members: BTreeMap<String, Raw<'a>>,
}

impl<'a> Version<'a> {
    pub(super) fn read(message: &'a [u8]) -> Self {
        let mut members = BTreeMap::new();
        json::members(message, &mut |key, value| {
            let _ = members.insert(String::from_utf8_lossy(key).into_owned(), value);
        });
        Self { members }
    }

    pub(super) fn member(&self, name: &str) -> Option<Raw<'a>> {
        self.members.get(name).copied()
    }

    /// Is there something under this name?
    pub(super) fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| !json::is_empty(value))
    }

    /// The names of both.
    pub(super) fn names_with(&self, other: &Self) -> Vec<String> {
        let mut names: Vec<String> =
            self.members.keys().chain(other.members.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The body as it was written.
    pub(super) fn content(&self) -> Cow<'a, str> {
        let body = self.member("body");
        body.and_then(|body| json::member_text(body, "content")).unwrap_or_default()
    }

    /// Did the service take the body away, for a deletion or a policy?
    pub(super) fn blanked(&self) -> bool {
        let content = self.content();
        let is_blank = content.trim().is_empty() || content == "<systemEventMessage/>";
        is_blank && (self.has("deletedDateTime") || self.has("policyViolation"))
    }
}

/// Do two values say different things? Spelling does not matter, nor does which nothing it is.
pub(super) fn differ(before: Option<Raw<'_>>, after: Option<Raw<'_>>) -> bool {
    let some = |value: Option<Raw<'_>>| value.is_some_and(|value| !json::is_empty(value));
    let (Some(before), Some(after)) = (before, after) else { return some(before) || some(after) };
    if before.get() == after.get() || (json::is_empty(before) && json::is_empty(after)) {
        return false;
    }
    let read = |value: Raw<'_>| serde_json::from_slice::<Value>(value.get());
    match (read(before), read(after)) {
        (Ok(before), Ok(after)) => before != after,
        // Too deep or with half a character: then the spelling has to do.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Raw<'_> {
        Raw(json.as_bytes())
    }

    #[test]
    fn spelling_and_kinds_of_nothing_do_not_matter() {
        for (left, right) in [
            ("{\"a\":1,\"b\":\"x\"}", "{ \"b\": \"\\u0078\", \"a\": 1 }"),
            ("null", "[]"),
            ("\"\"", "{}"),
        ] {
            assert!(!differ(Some(raw(left)), Some(raw(right))), "{left} {right}");
        }
        assert!(!differ(None, Some(raw("null"))) && !differ(Some(raw("[]")), None));
        assert!(differ(None, Some(raw("0"))) && differ(Some(raw("[1,2]")), Some(raw("[2,1]"))));
        assert!(differ(Some(raw(r#""\ud800a""#)), Some(raw(r#""\ud800b""#))));
    }
}
