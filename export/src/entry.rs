//! One selected message with everything a renderer may say about it, and what a renderer gives back.
//!
//! Renderers are pure: the same [`Entry`], [`Context`] and options give the same bytes on any thread
//! and at any time. No clock, no random number, no disk; contents of attachments come through
//! [`Objects`] and leave as contents whose length is known before a byte of it is read.

use std::fmt;
use std::io;
use std::sync::Arc;

use chatvault_engine::{ContentAddress, Document, MessageKey, RecordKind, Timestamp};
use chatvault_query::body::with_lines;
use chatvault_query::event::{Names, NoNames};
use chatvault_query::message::{Flags, Message};
use chatvault_query::people::ConversationKind;
use chatvault_query::record::{self, Text};
use serde::{Deserialize, Serialize};

pub(crate) use crate::content::{Content, LineEnd, Piece, Span};

pub use crate::content::Objects;
pub use crate::job::{Reasons, Viewer};
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
    /// What its topic became, and when, ascending; empty: it has always been that one.
    pub topics: Vec<(Timestamp, Option<String>)>,
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
#[non_exhaustive]
pub struct Version {
    /// What is stored, parsed; its bytes are exactly those that arrived.
    pub document: Document<'static>,
    /// The content address of the document.
    pub address: ContentAddress,
    /// The version's number: its `etag`, or its time of modification.
    pub version: u64,
    /// The commit that stored it.
    pub sequence: u64,
    /// The lines of code snippets that the archive has as contents, by the places of their
    /// attachments.
    pub snippets: Vec<(usize, Arc<str>)>,
    /// What it is a version of.
    pub record: RecordKind,
    /// The text of a transcript.
    pub text: Text,
    /// Of how many different contents under one version it is which, from 1. The last is the one
    /// that readers get.
    pub variant: (u32, u32),
}

impl Version {
    /// The message that it is, with the lines of its code snippets.
    ///
    /// What is stored beside messages is one, too: see [`chatvault_query::record`].
    pub fn message(&self) -> Message<'_> {
        let mut message = record::message(self.record, &self.document, &self.text);
        for (index, lines) in &self.snippets {
            if let Some(attachment) = message.attachments.get_mut(*index) {
                let content = attachment.content.as_deref().unwrap_or_default();
                attachment.content = Some(with_lines(content, lines).into());
            }
        }
        message
    }

    /// Is it an event, edited, deleted? Only messages are.
    pub(crate) fn flags(&self) -> Flags {
        let is_message = self.record == RecordKind::Message;
        if is_message { Flags::of(&self.document) } else { Flags::default() }
    }

    /// `variant 1 of 2`; `None` for the content that readers get.
    pub(crate) fn variant_words(&self) -> Option<String> {
        let (number, of) = self.variant;
        (number < of).then(|| format!("variant {number} of {of}"))
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Which message.
    pub key: MessageKey,
    /// When it was sent, as far as its place in the export is concerned: see [`Entry::sent`].
    pub created: Timestamp,
    /// When its latest version was made.
    pub modified: Timestamp,
    /// Every archived version, ascending, whatever the mode: at least one, the last is the latest.
    pub versions: Vec<Version>,
    /// What any archived version names: in the order of the latest version's attachments, then of its
    /// inline contents, then those of the versions before it.
    pub attached: Vec<Attached>,
    /// The message that it answers; `None`: nothing.
    pub parent: Option<Answered>,
    /// Whose exports delivered it, sorted; shared by its neighbours.
    pub custodians: Arc<[String]>,
    /// Only here because another entry needs it.
    pub is_context: bool,
}

/// The message that another one answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// Its id, in the same conversation.
    pub id: String,
    /// Its latest exported version; `None`: the archive does not have it.
    pub version: Option<u64>,
    /// Its subject line, if it has one.
    pub subject: Option<Arc<str>>,
    /// Who sent it, by the name that it says; not told of a message that stands near.
    pub sender: Option<String>,
}

/// A file, or an inline content, that belongs to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// The name of its link in the archive: `file:ID` or `hosted:ID`.
    pub attachment: String,
    /// Which of the latest version's attachments it is; `None`: an inline content of the body, or a
    /// file of earlier versions only.
    pub index: Option<usize>,
    /// The archived versions that name it, ascending, as their places among all; none: only the
    /// archive's link does.
    pub versions: Vec<usize>,
    /// The file's name as the service has it; not safe for a disk.
    pub name: String,
    /// By its name, else `application/octet-stream`.
    pub media_type: String,
    /// Whether its bytes are here.
    pub state: AttachedState,
}

/// In place of a SHA-256: the bytes were not read for it.
pub const NOT_READ: [u8; 32] = [0; 32];

/// Whether the bytes of an [`Attached`] are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachedState {
    /// The archive has them.
    Stored {
        /// Where [`Objects`] finds them.
        address: ContentAddress,
        /// How many they are.
        size: u64,
        /// Their SHA-256, or [`NOT_READ`].
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
    pub names: &'a dyn History,
    /// What was asked for.
    pub options: &'a RenderOptions,
    /// The bytes of attachments.
    pub objects: &'a dyn Objects,
}

/// How people were called over time; as [`Names`] at the window's end.
pub trait History: Names {
    /// The name at a time.
    fn name_at(&self, id: &str, _at: Timestamp) -> Option<&str> {
        self.name(id)
    }

    /// The address at a time.
    fn address_at(&self, id: &str, _at: Timestamp) -> Option<&str> {
        self.address(id)
    }
}

impl History for NoNames {}

/// How people were called at a time.
#[derive(Clone, Copy)]
pub struct Then<'a> {
    names: &'a dyn History,
    at: Timestamp,
}

impl fmt::Debug for Then<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Names for Then<'_> {
    fn name(&self, id: &str) -> Option<&str> {
        self.names.name_at(id, self.at)
    }

    fn address(&self, id: &str) -> Option<&str> {
        self.names.address_at(id, self.at)
    }
}

impl History for Then<'_> {}

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
    /// Whose exports it was asked for, as typed ids such as `user:ID`; none: anybody's.
    pub custodians: Vec<String>,
    /// What the export is of, in words: labels and what they say.
    pub told: Vec<(&'static str, String)>,
    /// Stands on every page of a transcript that may lack messages.
    pub mark: Option<&'static str>,
    /// The program and its version, for people.
    pub made_with: String,
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
            custodians: Vec::new(),
            told: Vec::new(),
            mark: None,
            made_with: String::new(),
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

    /// Its topic at a time; what it was before the archive saw it change is not known.
    pub fn topic_at(&self, at: Timestamp) -> Option<&str> {
        if self.topics.is_empty() {
            return self.topic.as_deref();
        }
        let behind = self.topics.partition_point(|(since, _)| *since <= at);
        self.topics.get(behind.checked_sub(1)?)?.1.as_deref()
    }

    /// What people call it at the window's end: its topic, else `Chat: A, B, C +2`, else its id.
    pub fn title(&self) -> String {
        self.titled(self.topic.as_deref())
    }

    /// What people called it, since when, ascending: the first since ever.
    pub fn titles(&self) -> Vec<(Timestamp, String)> {
        if self.topics.is_empty() {
            return vec![(Timestamp::MIN, self.title())];
        }
        let since =
            |(at, topic): &(Timestamp, Option<String>)| (*at, self.titled(topic.as_deref()));
        let first = (Timestamp::MIN, self.titled(None));
        std::iter::once(first).chain(self.topics.iter().map(since)).collect()
    }

    fn titled(&self, topic: Option<&str>) -> String {
        const NAMED: usize = 3;
        if let Some(topic) = topic.filter(|topic| !topic.trim().is_empty()) {
            return topic.to_owned();
        }
        let word = if self.kind == ConversationKind::Channel { "Channel" } else { "Chat" };
        if self.participants.is_empty() {
            return format!("{word}: {}", self.id);
        }
        let named: Vec<&str> = self.participants.iter().take(NAMED).map(Person::label).collect();
        match self.participants.len().saturating_sub(NAMED) {
            0 => format!("{word}: {}", named.join(", ")),
            more => format!("{word}: {} +{more}", named.join(", ")),
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

impl Window {
    /// From when to when, for people. The end of all time is inside: nothing comes behind it.
    pub(crate) fn words(&self, zone: Zone) -> String {
        let start = zone.show(self.start);
        let last = Timestamp::from_ms(self.end.ms().saturating_sub(1));
        format!("from {start} to {}, both included", zone.show_ms(last))
    }
}

impl RenderOptions {
    /// Of those who delivered a message, whom it is about: the first who was asked for, else the
    /// first.
    pub fn custodian_of<'e>(&self, entry: &'e Entry) -> Option<&'e str> {
        let delivered = |asked: &String| entry.custodians.iter().find(|one| *one == asked);
        let asked = self.custodians.iter().find_map(delivered);
        asked.or_else(|| entry.custodians.first()).map(String::as_str)
    }
}

impl Context<'_> {
    /// How people were called when a message was sent.
    pub fn names_at(&self, entry: &Entry) -> Then<'_> {
        Then { names: self.names, at: entry.created }
    }

    /// What a custodian is called: a user's name or address, else the id.
    pub fn custodian_name<'n>(&'n self, custodian: &'n str) -> &'n str {
        let Some(user) = custodian.strip_prefix("user:") else { return custodian };
        self.names.name(user).or_else(|| self.names.address(user)).unwrap_or(user)
    }
}

impl Entry {
    /// Gives its versions the text of the transcript that it is.
    pub(crate) fn say(&mut self, text: &Text) {
        self.versions.iter_mut().for_each(|version| version.text = text.clone());
    }

    /// What it is, in the words of options.
    pub(crate) fn kind_word(&self) -> &'static str {
        match self.key.record {
            RecordKind::CopilotInteraction => "copilot",
            RecordKind::CallRecording => "recording",
            RecordKind::CallTranscript => "transcript",
            _ => "message",
        }
    }

    /// The newest version; `None` only for an entry that breaks its promise to have one.
    pub fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// When it was sent; `None` if it does not say, and its id is no time either.
    pub fn sent(&self) -> Option<Timestamp> {
        if self.created != Timestamp::default() {
            return Some(self.created);
        }
        self.latest()?.document.root().get("createdDateTime")?.time()
    }

    /// The file behind `attachments[index]` of the latest version.
    pub fn file(&self, index: usize) -> Option<&Attached> {
        self.attached.iter().find(|attached| attached.index == Some(index))
    }

    /// What goes with a version where each has a document of its own: with the newest that names it,
    /// and with the latest what none names.
    pub fn files_of(&self, version: usize) -> impl Iterator<Item = &Attached> {
        let latest = self.versions.len().saturating_sub(1);
        let newest = move |one: &Attached| one.versions.last().copied().unwrap_or(latest);
        self.attached.iter().filter(move |one| newest(one) == version)
    }

    /// The inline content with this hosted id.
    pub fn hosted(&self, id: &str) -> Option<&Attached> {
        let is_it = |attached: &&Attached| attached.attachment.strip_prefix("hosted:") == Some(id);
        self.attached.iter().find(is_it)
    }
}

impl Attached {
    /// Is it a picture or the like of the body? Code is a file.
    pub fn is_inline(&self) -> bool {
        let kind = self.media_type.as_str();
        let is_shown = kind.starts_with("image/") || kind == "application/octet-stream";
        self.attachment.starts_with("hosted:") && is_shown
    }

    /// Does the version at this place, of so many, say that it is there?
    pub fn is_named_by(&self, version: usize, of: usize) -> bool {
        let is_latest = version + 1 == of;
        self.versions.contains(&version) || (is_latest && self.versions.is_empty())
    }

    /// Was it taken away, by an edit or a deletion? Then only earlier versions name it.
    pub fn is_earlier(&self, of: usize) -> bool {
        self.versions.last().is_some_and(|last| last + 1 < of)
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

/// The one of some values, each since a time, that holds at a time.
pub(crate) fn holding<T>(since: &[(Timestamp, T)], at: Timestamp) -> Option<&T> {
    let behind = since.partition_point(|(since, _)| *since <= at);
    since.get(behind.saturating_sub(1)).map(|(_, value)| value)
}

/// [`Objects`] for exports without attachments: has nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObjects;

impl Objects for NoObjects {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn io::Read + Send>> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no object {address} here")))
    }
}
