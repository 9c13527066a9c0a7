//! What a message says, in words, and the fixed words for what it is.

use std::borrow::Cow;

use chatvault_query::body;
use chatvault_query::event::{self, Names};
use chatvault_query::message::{Identity, IdentityKind, Importance, Message};
use chatvault_query::people::ConversationKind;

use crate::entry::{Entry, SystemEvents, Version};

/// Stands for the text of a message that was deleted before any export saw it.
pub(crate) const NOT_CAPTURED: &str = "[message deleted; content not captured]";

/// One version, read.
pub(crate) struct Parsed<'a> {
    /// The stored version.
    pub(crate) version: &'a Version,
    /// What it says.
    pub(crate) message: Message<'a>,
    /// Its place among the entry's versions, from 1.
    pub(crate) number: u64,
}

impl<'a> Parsed<'a> {
    /// Reads every version of an entry, ascending.
    pub(crate) fn all(entry: &'a Entry) -> Vec<Self> {
        let numbered = entry.versions.iter().zip(1..);
        numbered.map(|(version, number)| Self::one(version, number)).collect()
    }

    /// Reads one version.
    pub(crate) fn one(version: &'a Version, number: u64) -> Self {
        Self { version, message: version.message(), number }
    }

    /// Whether it is a system event.
    pub(crate) fn is_event(&self) -> bool {
        self.message.is_system()
    }

    /// Whether it is marked as deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.message.is_deleted()
    }
}

/// The text of the last version, for people: a deleted message keeps its last archived text, and one
/// that was already deleted when it was first seen says so. `text` gives a version's own words.
pub(crate) fn last_text<'v>(
    versions: &'v [Parsed<'v>],
    text: impl Fn(&'v Parsed<'v>) -> Cow<'v, str>,
) -> Cow<'v, str> {
    let Some((last, before)) = versions.split_last() else { return Cow::Borrowed("") };
    let own = text(last);
    if !last.is_deleted() || !own.trim().is_empty() {
        return own;
    }
    if let Some(earlier) = before.iter().rev().map(&text).find(|text| !text.trim().is_empty()) {
        return earlier;
    }
    if before.iter().all(Parsed::is_deleted) { Cow::Borrowed(NOT_CAPTURED) } else { own }
}

/// Whether a message is a system event.
pub(crate) fn is_event(message: &Message<'_>) -> bool {
    message.is_system()
}

/// The words of a message: its body as plain text, or what its event says.
pub(crate) fn body_text<'m>(
    message: &'m Message<'_>,
    mode: SystemEvents,
    names: &dyn Names,
) -> Cow<'m, str> {
    if !is_event(message) {
        return body::plain_text(message);
    }
    match (&message.event, mode) {
        (Some(event), SystemEvents::Text) => Cow::Owned(event::words(event, names)),
        _ => Cow::Borrowed(event::PLACEHOLDER),
    }
}

/// As the service calls it.
pub(crate) fn importance(message: &Message<'_>) -> &'static str {
    match message.importance {
        Importance::Normal => "normal",
        Importance::High => "high",
        Importance::Urgent => "urgent",
        Importance::Other => "other",
    }
}

/// The service's word for the kind of user or application; else what sort of thing it is.
pub(crate) fn sender_type<'m>(identity: &'m Identity<'_>) -> &'m str {
    identity.identity_type.as_deref().unwrap_or(match identity.kind {
        IdentityKind::User => "user",
        IdentityKind::Application => "application",
        IdentityKind::Device => "device",
        IdentityKind::Conversation => "conversation",
        IdentityKind::Tag => "tag",
    })
}

/// As the service calls it, as far as it has a word.
pub(crate) fn chat_type(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::OneOnOne => "oneOnOne",
        ConversationKind::Group => "group",
        ConversationKind::Meeting => "meeting",
        ConversationKind::Channel => "channel",
        ConversationKind::Copilot => "copilot",
        ConversationKind::Other => "other",
    }
}
