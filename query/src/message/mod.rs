//! A chat message as it is read: a typed, tolerant view that borrows from its document.
//!
//! Nothing is required and nothing is refused: a field that is absent, or of a type that it should
//! not have, counts as absent, and unknown fields are skipped. Texts without escapes are not copied.

mod flags;
mod identity;
mod read;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use chatvault_engine::{Document, Timestamp, Value};

use crate::event::Event;
pub use flags::Flags;
pub use identity::{Identity, IdentityKind};
pub(crate) use identity::{IdentitySet, identity};
pub(crate) use read::{Fill, list, object, texts};

/// A message, an event or anything else that is archived as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message<'a> {
    /// Milliseconds of its creation as a decimal number; unique in its conversation only.
    pub id: Cow<'a, str>,
    /// The version: milliseconds of its last change as a decimal number.
    pub etag: Option<Cow<'a, str>>,
    /// The first message of the thread, for replies in channels.
    pub reply_to: Option<Cow<'a, str>>,
    /// What it is.
    pub message_type: MessageType<'a>,
    /// When it was sent.
    pub created: Option<Timestamp>,
    /// When anything of it changed last, reactions included.
    pub modified: Option<Timestamp>,
    /// When its sender edited it last.
    pub edited: Option<Timestamp>,
    /// When it was deleted; `None` for a live one.
    pub deleted: Option<Timestamp>,
    /// The subject line.
    pub subject: Option<Cow<'a, str>>,
    /// The summary that clients show in notifications.
    pub summary: Option<Cow<'a, str>>,
    /// The chat it was sent in.
    pub chat: Option<Cow<'a, str>>,
    /// The channel it was posted in.
    pub channel: Option<Channel<'a>>,
    /// How urgent its sender made it.
    pub importance: Importance,
    /// The language that the service notes.
    pub locale: Option<Cow<'a, str>>,
    /// Where a browser shows it.
    pub web_url: Option<Cow<'a, str>>,
    /// Its sender; `None` for system events.
    pub from: Option<Identity<'a>>,
    /// Whom a bot spoke for.
    pub on_behalf_of: Option<Identity<'a>>,
    /// What was written.
    pub body: Body<'a>,
    /// Files, cards, quoted messages. In the order of the JSON, so that an index means the same.
    pub attachments: Vec<Attachment<'a>>,
    /// Who is named in the body.
    pub mentions: Vec<Mention<'a>>,
    /// The reactions at that version.
    pub reactions: Vec<Reaction<'a>>,
    /// What happened, for system events.
    pub event: Option<Event<'a>>,
    /// What a data-loss rule did with it.
    pub policy: Option<PolicyViolation<'a>>,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageType<'a> {
    /// Somebody, or an app, wrote it.
    Message,
    /// The service reports an event.
    System,
    /// Any other type, by its name; empty if it has none.
    Other(Cow<'a, str>),
}

impl Default for MessageType<'_> {
    fn default() -> Self {
        Self::Other(Cow::Borrowed(""))
    }
}

impl MessageType<'_> {
    /// The name that the service uses.
    pub fn name(&self) -> &str {
        match self {
            Self::Message => "message",
            Self::System => "systemEventMessage",
            Self::Other(name) => name,
        }
    }
}

/// How urgent a sender made a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Importance {
    /// As most are.
    #[default]
    Normal,
    /// Marked as important.
    High,
    /// Repeated until it is read.
    Urgent,
    /// A level that this program does not know.
    Other,
}

impl Importance {
    fn of(name: Option<&str>) -> Self {
        match name {
            None | Some("normal") => Self::Normal,
            Some("high") => Self::High,
            Some("urgent") => Self::Urgent,
            Some(_) => Self::Other,
        }
    }
}

/// Where a channel's message was posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel<'a> {
    /// The team's id.
    pub team: Option<Cow<'a, str>>,
    /// The channel's id.
    pub channel: Cow<'a, str>,
}

/// What was written, as it came: see [`crate::body`] for what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Body<'a> {
    /// How `content` is to be read.
    pub kind: BodyKind,
    /// The source text.
    pub content: Cow<'a, str>,
}

/// How a body's content is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// Plain text.
    #[default]
    Text,
    /// HTML with the service's own tags.
    Html,
    /// Markdown.
    Markdown,
}

impl BodyKind {
    /// The name that the service uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::Markdown => "markdown",
        }
    }
}

/// Something attached to a message: a file, a card, a quoted message, a tab or a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment<'a> {
    /// What `<attachment id="…">` in a body refers to.
    pub id: Option<Cow<'a, str>>,
    /// `reference` for a file, `messageReference` for a quoted message, a card's media type.
    pub content_type: Option<Cow<'a, str>>,
    /// Where a browser shows it.
    pub url: Option<Cow<'a, str>>,
    /// A card's or quoted message's own JSON.
    pub content: Option<Cow<'a, str>>,
    /// The file's name.
    pub name: Option<Cow<'a, str>>,
    /// A small picture of it.
    pub thumbnail_url: Option<Cow<'a, str>>,
    /// The app that made it.
    pub teams_app: Option<Cow<'a, str>>,
}

/// Somebody named in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention<'a> {
    /// What `<at id="…">` in a body refers to.
    pub id: Option<i64>,
    /// How the mention reads.
    pub text: Option<Cow<'a, str>>,
    /// Who it is; a channel, a team or everyone, too.
    pub who: Option<Identity<'a>>,
}

/// A reaction to a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaction<'a> {
    /// An emoji, an old name such as `like`, or `custom`.
    pub kind: Cow<'a, str>,
    /// How clients call it.
    pub display_name: Option<Cow<'a, str>>,
    /// The picture of a custom one.
    pub content_url: Option<Cow<'a, str>>,
    /// When it was given.
    pub at: Option<Timestamp>,
    /// Who gave it.
    pub who: Option<Identity<'a>>,
}

/// What a data-loss rule did with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyViolation<'a> {
    /// Such as `blockAccess`.
    pub action: Option<Cow<'a, str>>,
    /// What the sender did about it, such as `override`.
    pub user_action: Option<Cow<'a, str>>,
    /// What the rule lets the sender do about it.
    pub verdict: Option<Cow<'a, str>>,
    /// Why the sender overrode it.
    pub justification: Option<Cow<'a, str>>,
    /// What the sender was told.
    pub tip: Option<PolicyTip<'a>>,
}

/// What a sender was told about a data-loss rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyTip<'a> {
    /// The explanation.
    pub text: Option<Cow<'a, str>>,
    /// Where the rule is described.
    pub url: Option<Cow<'a, str>>,
    /// What matched.
    pub conditions: Vec<Cow<'a, str>>,
}

/// What the body of a system event is, instead of a text.
const EVENT_MARK: &str = "<systemEventMessage/>";

impl<'a> Message<'a> {
    /// What a document says as a message.
    pub fn of(document: &'a Document<'_>) -> Self {
        let mut message: Self = object(document.root()).unwrap_or_default();
        message.settle();
        message
    }

    /// The id of its chat, else of its channel.
    pub fn conversation(&self) -> Option<&str> {
        let channel = self.channel.as_ref().map(|place| place.channel.as_ref());
        self.chat.as_deref().or(channel).filter(|id| !id.is_empty())
    }

    /// Is it a system event?
    pub fn is_system(&self) -> bool {
        self.message_type == MessageType::System
    }

    /// Was it deleted?
    pub fn is_deleted(&self) -> bool {
        self.deleted.is_some()
    }

    /// Did its sender edit it?
    pub fn is_edited(&self) -> bool {
        self.edited.is_some()
    }

    /// What only the whole tells: whether it is an event, and how a body without a type reads.
    fn settle(&mut self) {
        let name = self.message_type.name();
        let is_event = self.event.is_some() || self.body.content.trim() == EVENT_MARK;
        if name == "message" {
            self.message_type = MessageType::Message;
        } else if name == "systemEventMessage" || is_event {
            self.message_type = MessageType::System;
            self.event = self.event.take().or_else(|| Some(Event::default()));
        }
    }
}

impl<'a> Fill<'a> for Message<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "id" => self.id = value.text().unwrap_or_default(),
            "etag" => self.etag = value.text(),
            "replyToId" => self.reply_to = value.text(),
            "messageType" => {
                self.message_type = MessageType::Other(value.text().unwrap_or_default());
            }
            "createdDateTime" => self.created = value.time(),
            "lastModifiedDateTime" => self.modified = value.time(),
            "lastEditedDateTime" => self.edited = value.time(),
            "deletedDateTime" => self.deleted = value.time(),
            "subject" => self.subject = value.text(),
            "summary" => self.summary = value.text(),
            "chatId" => self.chat = value.text(),
            "channelIdentity" => self.channel = object(value),
            "importance" => self.importance = Importance::of(value.text().as_deref()),
            "locale" => self.locale = value.text(),
            "webUrl" => self.web_url = value.text(),
            "from" => self.from = identity(value),
            "onBehalfOf" => self.on_behalf_of = identity(value),
            "body" => self.body = object(value).unwrap_or_default(),
            "attachments" => self.attachments = list(value),
            "mentions" => self.mentions = list(value),
            "reactions" => self.reactions = list(value),
            "eventDetail" => self.event = Event::of(object(value)),
            "policyViolation" => self.policy = object(value),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Channel<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "teamId" => self.team = value.text(),
            "channelId" => self.channel = value.text().unwrap_or_default(),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Body<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "contentType" => {
                self.kind = match value.text().as_deref() {
                    Some("html") => BodyKind::Html,
                    Some("markdown") => BodyKind::Markdown,
                    _ => BodyKind::Text,
                }
            }
            "content" => self.content = value.text().unwrap_or_default(),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Attachment<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            // Interactions with an assistant say `attachmentId`.
            "id" | "attachmentId" => self.id = value.text(),
            "contentType" => self.content_type = value.text(),
            "contentUrl" => self.url = value.text(),
            "content" => self.content = value.text(),
            "name" => self.name = value.text(),
            "thumbnailUrl" => self.thumbnail_url = value.text(),
            "teamsAppId" => self.teams_app = value.text(),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Mention<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "id" | "mentionId" => self.id = value.integer(),
            "mentionText" => self.text = value.text(),
            "mentioned" => self.who = identity(value),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for Reaction<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "reactionType" => self.kind = value.text().unwrap_or_default(),
            "displayName" => self.display_name = value.text(),
            "reactionContentUrl" => self.content_url = value.text(),
            "createdDateTime" => self.at = value.time(),
            "user" => self.who = identity(value),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for PolicyViolation<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "dlpAction" => self.action = value.text(),
            "userAction" => self.user_action = value.text(),
            "verdictDetails" => self.verdict = value.text(),
            "justificationText" => self.justification = value.text(),
            "policyTip" => self.tip = object(value),
            _ => {}
        }
    }
}

impl<'a> Fill<'a> for PolicyTip<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "generalText" => self.text = value.text(),
            "complianceUrl" => self.url = value.text(),
            "matchedConditionDescriptions" => self.conditions = texts(value),
            _ => {}
        }
    }
}
