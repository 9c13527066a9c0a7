//! Why contents are not in the archive, for people.

use std::collections::HashMap;
use std::sync::OnceLock;

use chatvault_engine::{Archive, MessageKey};

use super::missing::{Missing, missing};

/// Why contents are missing. Looked up when the first one is: most exports lack none.
#[derive(Debug)]
pub struct Why<'a> {
    archive: &'a Archive,
    /// By conversation, message and link.
    all: OnceLock<HashMap<(String, String, String), String>>,
}

impl<'a> Why<'a> {
    /// Of the contents that an archive's messages name.
    pub fn of(archive: &'a Archive) -> Self {
        Self { archive, all: OnceLock::new() }
    }

    /// Why a content of a message is missing. Where nobody knows, or the list cannot be read, an
    /// export says that it was never fetched.
    pub fn reason(&self, key: &MessageKey, content: &str) -> Option<String> {
        let place = (key.conversation.clone(), key.id.clone(), content.to_owned());
        self.all.get_or_init(|| reasons(self.archive)).get(&place).cloned()
    }
}

fn reasons(archive: &Archive) -> HashMap<(String, String, String), String> {
    let missing = missing(archive, None).unwrap_or_default();
    let entry = |one: Missing| {
        let reason = words(&one);
        ((one.conversation, one.message, one.content), reason)
    };
    missing.into_iter().map(entry).collect()
}

/// The reason in words: what a service answered is for whoever runs a sync (`account missing`).
fn words(missing: &Missing) -> String {
    match missing.status {
        Some(404 | 410) => "the service no longer had it".to_owned(),
        Some(401 | 403) => "the service refused access to it".to_owned(),
        Some(402) => "the service asks for a licence for it".to_owned(),
        Some(status) => format!("the service could not hand it out (status {status})"),
        None => missing.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use chatvault_engine::{Custodian, RecordKind};

    use super::*;

    #[test]
    fn readers_are_told_in_words_and_without_addresses() {
        let missing = |status, reason: &str| Missing {
            title: None,
            custodian: Custodian::user("ann"),
            record: RecordKind::Message,
            conversation: "c".to_owned(),
            reply_to: None,
            message: "m".to_owned(),
            content: "f".to_owned(),
            reason: reason.to_owned(),
            status,
            first_ms: 0,
            last_ms: 0,
            tries: 1,
            given_up: false,
        };
        let raw = "https://graph.microsoft.com/v1.0/x: status 404, code itemNotFound";
        for (status, words_of_it) in [
            (Some(404), "the service no longer had it"),
            (Some(403), "the service refused access to it"),
            (Some(503), "the service could not hand it out (status 503)"),
        ] {
            assert_eq!(words(&missing(status, raw)), words_of_it);
        }
        assert_eq!(
            words(&missing(None, "it is a link to a web page")),
            "it is a link to a web page"
        );
    }
}
