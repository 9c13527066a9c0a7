//! One selected message with everything a renderer may say about it, and what a renderer gives back.
//!
//! Renderers are pure: the same [`Entry`], [`Context`] and options give the same bytes on any thread
//! and at any time. No clock, no random number, no disk; contents of attachments come through
//! [`Objects`] and leave as [`Content`], whose length is known before a byte of it is read.

use std::fmt;
use std::io;
use std::sync::Arc;

use chatvault_engine::{ContentAddress, MessageKey, Timestamp};
use chatvault_query::event::Names;
use chatvault_query::people::ConversationKind;
use serde::{Deserialize, Serialize};

pub use crate::content::{Content, LineEnd, Objects, Piece, Span, Stretch};
pub use crate::zone::Zone;

/// A conversation as it stands at the end of the exported window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// The `chatId`, or the channel's id.
    pub id: String,
    /// What sort of conversation it is.
    pub kind: ConversationKind,
    /// Its topic at the window's end.
    pub topic: Option<String>,
    /// The team that a channel belongs to.
    pub team: Option<String>,
    /// When it began: its creation if known, else its first message in the archive.
    pub started: Option<Timestamp>,
    /// Who takes part or took part, sorted by id.
    pub participants: Vec<Person>,
    /// Its folder name, safe on every system.
    pub slug: String,
}

/// Somebody who takes part in a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The directory id, or whatever the service writes in its place.
    pub id: String,
    /// The name in force at the window's end.
    pub name: Option<String>,
    /// The e-mail address or user principal name.
    pub address: Option<String>,
    /// Every other name that was seen.
    pub other_names: Vec<String>,
    /// When they came, if the archive saw it.
    pub joined: Option<Timestamp>,
    /// When they left, if the archive saw it.
    pub left: Option<Timestamp>,
}

/// One archived state of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The stored bytes, exactly as they arrived.
    pub json: Vec<u8>,
    /// The content address of `json`.
    pub address: ContentAddress,
    /// The version's number: its `etag`, or its time of modification.
    pub version: u64,
    /// The commit that stored it.
    pub sequence: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which message.
    pub key: MessageKey,
    /// When it was sent.
    pub created: Timestamp,
    /// When its latest version was made.
    pub modified: Timestamp,
    /// Every archived version, ascending, whatever the mode: at least one, the last is the latest.
    pub versions: Vec<Version>,
    /// In the order of the latest version's attachments, then of its inline contents.
    pub attached: Vec<Attached>,
    /// What it answers, by [`answered`](crate::answered); `None`: nothing.
    pub parent: Option<Answered>,
    /// Whose exports delivered it, sorted; shared by its neighbours.
    pub custodians: Arc<[String]>,
    /// Only here because another entry needs it.
    pub is_context: bool,
}

/// The message that another one answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its id, in the same conversation.
    pub id: String,
    /// Its latest exported version; `None`: the archive does not have it.
    pub version: Option<u64>,
}

/// A file, or an inline content, that belongs to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The name of its link in the archive: `file:ID` or `hosted:ID`.
    pub attachment: String,
    /// Which of the message's attachments it is; `None`: an inline content of the body.
    pub index: Option<usize>,
    /// The file's name as the service has it; not safe for a disk.
    pub name: String,
    /// By its name, else `application/octet-stream`.
    pub media_type: String,
    /// Whether its bytes are here.
    pub state: AttachedState,
}

/// Whether the bytes of an [`Attached`] are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachedState {
    /// The archive has them.
    Stored {
        /// Where [`Objects`] finds them.
        address: ContentAddress,
        /// How many they are.
        size: u64,
        /// Their SHA-256.
        sha256: [u8; 32],
        /// Their file in the part, such as `Attachments/0003_report.pdf`; `None`: they are not a
        /// file of the part.
        path: Option<String>,
    },
    /// The archive does not have them.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
    /// They were not asked for.
    Omitted,
}

/// The half-open time range that one set of files covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant in it.
    pub start: Timestamp,
    /// The first instant behind it.
    pub end: Timestamp,
    /// Which window of the export it is, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// What all renderers need besides the entry.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The tenant's id.
    pub tenant: &'a str,
    /// The conversation that is rendered.
    pub chat: &'a Chat,
    /// How people are called.
    pub names: &'a dyn Names,
    /// What was asked for.
    pub options: &'a RenderOptions,
    /// The bytes of attachments.
    pub objects: &'a dyn Objects,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub struct RenderOptions {
    /// The time of the export; renderers have no other clock.
    pub as_of: Timestamp,
    /// In which zone people read times; fields that machines read stay in UTC.
    pub zone: Zone,
    /// Every version, not only the latest with its history.
    pub versions: bool,
    /// What becomes of system events.
    pub system_events: SystemEvents,
    /// No attachments, only their list.
    pub text_only: bool,
    /// The stored JSON goes along where the format has a place for it.
    pub raw_json: bool,
    /// A byte order mark at the start of files that spreadsheets open.
    pub bom: bool,
    /// One mail per conversation and day, not one per message.
    pub chat_day: bool,
    /// How cells that look like formulas are made harmless.
    pub guard: Guard,
    /// Identifies the export: derived from its inputs.
    pub export_id: String,
}

/// What becomes of system events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SystemEvents {
    /// Readable words.
    #[default]
    Text,
    /// [`chatvault_query::event::PLACEHOLDER`].
    Placeholder,
    /// They are left out.
    Omit,
}

/// How cells that look like formulas are made harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// An apostrophe in front.
    #[default]
    Quote,
    /// A tab in front.
    Tab,
    /// Not at all.
    None,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            as_of: Timestamp::from_ms(0),
            zone: Zone::Utc,
            versions: false,
            system_events: SystemEvents::Text,
            text_only: false,
            raw_json: false,
            bom: true,
            chat_day: false,
            guard: Guard::Quote,
            export_id: String::new(),
        }
    }
}

impl Chat {
    /// Who took part at a time: nobody who came later or had left.
    pub fn members_at(&self, at: Timestamp) -> impl Iterator<Item = &Person> {
        self.participants.iter().filter(move |person| person.is_there(at))
    }

    /// The person with this id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        let found = self.participants.binary_search_by(|person| person.id.as_str().cmp(id)).ok();
        found.and_then(|index| self.participants.get(index))
    }

    /// What people call it: its topic, else `Chat: A, B, C +2`, else its id.
    pub fn title(&self) -> String {
        const NAMED: usize = 3;
        if let Some(topic) = self.topic.as_deref().filter(|topic| !topic.trim().is_empty()) {
            return topic.to_owned();
        }
        if self.participants.is_empty() {
            return format!("Chat: {}", self.id);
        }
        let named: Vec<&str> = self.participants.iter().take(NAMED).map(Person::label).collect();
        match self.participants.len().saturating_sub(NAMED) {
            0 => format!("Chat: {}", named.join(", ")),
            more => format!("Chat: {} +{more}", named.join(", ")),
        }
    }
}

impl Person {
    /// Their name, else their address, else their id.
    pub fn label(&self) -> &str {
        self.name.as_deref().or(self.address.as_deref()).unwrap_or(&self.id)
    }

    /// Whether they took part at a time, as far as the archive saw.
    pub fn is_there(&self, at: Timestamp) -> bool {
        self.joined.is_none_or(|joined| joined <= at) && self.left.is_none_or(|left| at < left)
    }
}

impl Entry {
    /// The newest version; `None` only for an entry that breaks its promise to have one.
    pub fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// The file behind `attachments[index]` of the latest version.
    pub fn file(&self, index: usize) -> Option<&Attached> {
        self.attached.iter().find(|attached| attached.index == Some(index))
    }

    /// The inline content with this hosted id.
    pub fn hosted(&self, id: &str) -> Option<&Attached> {
        let is_it = |attached: &&Attached| attached.attachment.strip_prefix("hosted:") == Some(id);
        self.attached.iter().find(is_it)
    }
}

impl AttachedState {
    /// How it is said in lists: `stored`, `unavailable: …`, `omitted`.
    pub fn words(&self) -> String {
        match self {
            Self::Stored { .. } => "stored".to_owned(),
            Self::Unavailable { reason } => format!("unavailable: {reason}"),
            Self::Omitted => "omitted".to_owned(),
        }
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Context");
        let _shown = shown.field("tenant", &self.tenant).field("chat", &self.chat.id);
        shown.finish_non_exhaustive()
    }
}

/// [`Objects`] for exports without attachments: has nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObjects;

impl Objects for NoObjects {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn io::Read + Send>> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no object {address} here")))
    }
}
