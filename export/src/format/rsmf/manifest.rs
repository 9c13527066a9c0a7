//! `rsmf_manifest.json`, as the schema 2.0.0 has it.
//!
//! Fields stand in alphabetical order, so what serde writes is canonical JSON. What is empty is left
//! out: the schema has no null, and no custom property without a value. Nothing that the schema does
//! not name is added; whatever more there is to say is a custom property.

use serde::Serialize;

/// The version of the schema.
pub(super) const VERSION: &str = "2.0.0";

/// The whole manifest.
#[derive(Debug, Serialize)]
pub(super) struct Manifest<'m> {
    pub(super) conversations: [Conversation; 1],
    pub(super) eventcollectionid: &'m str,
    pub(super) events: Vec<Event>,
    pub(super) participants: Vec<Participant>,
    pub(super) version: &'static str,
}

/// What the schema has no field for.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub(super) struct Custom {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// Somebody.
#[derive(Debug, Serialize)]
pub(super) struct Participant {
    pub(super) account_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) custom: Vec<Custom>,
    pub(super) display: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    pub(super) id: String,
}

/// The conversation.
#[derive(Debug, Serialize)]
pub(super) struct Conversation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custodian: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) custom: Vec<Custom>,
    pub(super) display: String,
    pub(super) id: String,
    pub(super) participants: Vec<String>,
    pub(super) platform: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// A message, or whatever else happened.
#[derive(Debug, Default, Serialize)]
pub(super) struct Event {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attachments: Vec<Attachment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    pub(super) conversation: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) custom: Vec<Custom>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) edits: Vec<Edit>,
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) importance: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) participant: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reactions: Vec<Reaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// A file of the event.
#[derive(Debug, Default, Serialize)]
pub(super) struct Attachment {
    pub(super) display: String,
    pub(super) id: String,
    pub(super) size: u64,
}

/// What an edit changed.
#[derive(Debug, Serialize)]
pub(super) struct Edit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<String>,
    pub(super) participant: String,
    pub(super) previous: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<String>,
}

/// Reactions of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Reaction {
    pub(super) count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) participants: Vec<String>,
    pub(super) value: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Event {
    /// Adds a custom property, if it has a value.
    pub(super) fn note(&mut self, name: &'static str, value: impl Into<String>) {
        note(&mut self.custom, name, value);
    }

    /// The value of a custom property.
    pub(super) fn custom(&self, name: &str) -> Option<&str> {
        self.custom.iter().find(|one| one.name == name).map(|one| one.value.as_str())
    }

    /// About how much memory and manifest it takes.
    pub(super) fn weight(&self) -> usize {
        const FIELDS: usize = 512;
        let edits = self
            .edits
            .iter()
            .map(|edit| FIELDS / 4 + edit.previous.len() + edit.new.as_deref().map_or(0, str::len));
        let custom = self.custom.iter().map(|one| 64 + one.value.len());
        let reactions = self.reactions.iter().map(|one| 64 + 48 * one.participants.len());
        let body = self.body.as_deref().map_or(0, str::len);
        FIELDS + body + edits.sum::<usize>() + custom.sum::<usize>() + reactions.sum::<usize>()
    }
}

/// Adds a custom property, if it has a value: the schema refuses empty ones.
pub(super) fn note(custom: &mut Vec<Custom>, name: &'static str, value: impl Into<String>) {
    let value = value.into();
    if !value.is_empty() {
        custom.push(Custom { name, value });
    }
}
