//! A version of a message as its members, to be compared with another.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chatvault_engine::{Document, Value};

/// The members of a version, by name.
#[derive(Debug)]
pub(super) struct Version<'d> {
    members: BTreeMap<&'d str, Value<'d>>,
}

impl<'d> Version<'d> {
    pub(super) fn of(message: &'d Document<'_>) -> Self {
        Self { members: message.root().members().collect() }
    }

    pub(super) fn member(&self, name: &str) -> Option<Value<'d>> {
        self.members.get(name).copied()
    }

    /// Is there something under this name?
    pub(super) fn has(&self, name: &str) -> bool {
        self.member(name).is_some_and(|value| !value.is_empty())
    }

    /// The names of both.
    pub(super) fn names_with(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&str> =
            self.members.keys().chain(other.members.keys()).copied().collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The body as it was written.
    pub(super) fn content(&self) -> Cow<'d, str> {
        let body = self.member("body");
        body.and_then(|body| body.get("content")?.text()).unwrap_or_default()
    }

    /// Did the service take the body away, for a deletion or a policy?
    pub(super) fn blanked(&self) -> bool {
        let content = self.content();
        let is_blank = content.trim().is_empty() || content == "<systemEventMessage/>";
        is_blank && (self.has("deletedDateTime") || self.has("policyViolation"))
    }
}

/// Do two values say different things? Spelling does not matter, nor does which nothing it is.
pub(super) fn differ(before: Option<Value<'_>>, after: Option<Value<'_>>) -> bool {
    let some = |value: Option<Value<'_>>| value.is_some_and(|value| !value.is_empty());
    match (before, after) {
        (Some(before), Some(after)) if some(Some(before)) || some(Some(after)) => {
            !before.says_as(after)
        }
        _ => some(before) || some(after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_kinds_of_nothing_do_not_matter() {
        let differ = |left: Option<&str>, right: Option<&str>| {
            let json = |value: Option<&str>| format!("{{\"x\":{}}}", value.unwrap_or("0"));
            let (one, other) = (json(left), json(right));
            let documents = [&one, &other].map(|json| Document::parse(json.as_bytes()).unwrap());
            let value = |at: usize| documents[at].root().get("x");
            differ(left.and_then(|_| value(0)), right.and_then(|_| value(1)))
        };
        for (left, right) in [
            ("{\"a\":1,\"b\":\"x\"}", "{ \"b\": \"\\u0078\", \"a\": 1 }"),
            ("null", "[]"),
            ("\"\"", "{}"),
        ] {
            assert!(!differ(Some(left), Some(right)), "{left} {right}");
        }
        assert!(!differ(None, Some("null")) && !differ(Some("[]"), None));
        assert!(differ(None, Some("0")) && differ(Some("[1,2]"), Some("[2,1]")));
        assert!(differ(Some(r#""\ud800a""#), Some(r#""\ud800b""#)));
    }
}
