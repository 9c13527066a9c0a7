//! A Concordance load file: one record a message and one for each of its attachments, as a family.
//!
//! - UTF-8 with a byte order mark; fields apart by U+0014, each in U+00FE, a line break inside a value
//!   is U+00AE, records end with CRLF. Programs must be told UTF-8, or `þ` is two characters.
//! - A value that has one of these characters would break its record. `þ` is written `th`, `®` is
//!   written `(R)`, and [`Records::record`] tells how often; U+0014 goes with the other controls.
//! - A record is a message, not a day of a chat: so the records are countable against the manifest,
//!   and a message stays in one part with its attachments. RSMF has the days for review.
//! - `BEGDOC` is the time, and 16 hexadecimal digits that stand for conversation, root and id: the same
//!   message has the same number in every export, and numbers sort by time. Attachments add `.0001`,
//!   earlier versions `.V0001`. Every family is its message, its attachments, its earlier versions.
//! - The text is in the record, `EXTRACTEDTEXT`, behind the usual fields: a file for each message
//!   would be most of the export. So `TEXTPATH` is empty. `NATIVEPATH` is an attachment's file. The
//!   native of a message is its stored JSON: it is named and described where it is delivered
//!   ([`RenderOptions::raw_json`](crate::entry::RenderOptions::raw_json)), in `NATIVES/`, and not elsewhere.
//! - `TO` are the members at the time, without the sender. Dates and times are UTC.

mod line;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use chatvault_base::time::calendar::{parts, write_date, write_digits};
use chatvault_engine::{MessageKey, RecordKind, Timestamp};
use chatvault_query::event::{Names, who};
use chatvault_query::message::Message;

use self::line::{Line, Values};
use crate::digest::{hex, sha256};
use crate::entry::{
    Attached, AttachedState, Context, Entry, Person, SystemEvents, Then, Version, holding,
};
use crate::format::table::{Parsed, body_text, chat_type, last_text, person_words};
use crate::zone::rfc3339;

pub(crate) use self::line::{Dates, Written, header};

/// The text of an attachment is not known here, and its size says whether there is a file.
const ATTACHMENT: &str = "Attachment";

/// Writes the records of one conversation's messages.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    context: Context<'a>,
    dates: Dates,
    titles: Vec<(Timestamp, String)>,
}

/// What all records of a message and its attachments share.
struct Family<'e> {
    entry: &'e Entry,
    /// The number of its first record, and of the family.
    first: String,
    /// The number of its last record.
    last: String,
    /// Whose message it is, by name.
    custodian: String,
    custodians: String,
    participants: String,
    title: &'e str,
    names: Then<'e>,
    contains_edited: bool,
    contains_deleted: bool,
}

impl<'a> Records<'a> {
    /// For the messages of one conversation.
    pub(crate) fn new(context: Context<'a>, dates: Dates) -> Self {
        let titles = context.chat.titles();
        Self { context, dates, titles }
    }

    /// Appends the records of a message: a family that is never parted by a new file.
    /// Appends nothing for a system event that is to be left out.
    pub(crate) fn record(&self, entry: &Entry, out: &mut Vec<u8>) -> Written {
        let versions = Parsed::all(entry);
        let Some((latest, earlier)) = versions.split_last() else { return Written::default() };
        if latest.is_event() && self.context.options.system_events == SystemEvents::Omit {
            return Written::default();
        }
        let earlier = if self.context.options.versions { earlier } else { &[] };
        let family = self.family(entry, (&versions, earlier.len()));
        let mut line = Line::new(out);
        let kind = match entry.key.record {
            RecordKind::CopilotInteraction => "Copilot interaction",
            RecordKind::CallRecording => "Recording",
            RecordKind::CallTranscript => "Transcript",
            _ if latest.is_event() => "System event",
            _ => "Message",
        };
        let text = self.text(&family.names, &versions);
        line.write(&self.message(&family, &family.first, latest, (kind, text)));
        for (attached, at) in entry.attached.iter().zip(1..) {
            let number = format!("{}.{at:04}", family.first);
            line.write(&self.attachment(&family, &number, attached, &latest.message));
        }
        for parsed in earlier {
            let number = format!("{}.V{:04}", family.first, parsed.number);
            let text = self.own_text(&family.names, parsed);
            let is_variant = parsed.version.variant_words().is_some();
            let kind = if is_variant { "Message variant" } else { "Message version" };
            line.write(&self.message(&family, &number, parsed, (kind, text)));
        }
        line.written()
    }

    /// The natives that the records of a message name: paths and versions.
    pub(crate) fn natives<'e>(&self, entry: &'e Entry) -> Vec<(String, &'e Version)> {
        if !self.context.options.raw_json {
            return Vec::new();
        }
        let first = number(&entry.key, entry.created);
        let Some((latest, earlier)) = entry.versions.split_last() else { return Vec::new() };
        let earlier = earlier.iter().zip(1..).filter(|_| self.context.options.versions);
        let earlier =
            earlier.map(|(version, at)| (native_path(&format!("{first}.V{at:04}")), version));
        std::iter::once((native_path(&first), latest)).chain(earlier).collect()
    }

    fn family<'e>(
        &'e self,
        entry: &'e Entry,
        (versions, earlier): (&[Parsed<'_>], usize),
    ) -> Family<'e> {
        let context = &self.context;
        let members = context.chat.members_at(entry.created).map(person_words);
        let first = number(&entry.key, entry.created);
        let last = match (entry.attached.len(), earlier) {
            (0, 0) => first.clone(),
            (files, 0) => format!("{first}.{files:04}"),
            (_, earlier) => format!("{first}.V{earlier:04}"),
        };
        let read = || versions.iter().map(|one| &one.message);
        Family {
            entry,
            first,
            last,
            custodian: named(context, context.options.custodian_of(entry).as_slice()),
            custodians: named(context, &entry.custodians),
            participants: members.collect::<Vec<_>>().join("; "),
            title: holding(&self.titles, entry.created).map_or("", String::as_str),
            names: context.names_at(entry),
            contains_edited: read().any(Message::is_edited),
            contains_deleted: read().any(Message::is_deleted),
        }
    }

    /// The record of one version.
    fn message<'v>(
        &'v self,
        family: &'v Family<'_>,
        number: &'v str,
        parsed: &'v Parsed<'_>,
        text: (&'static str, Cow<'v, str>),
    ) -> Values<'v> {
        let json = parsed.version.document.json();
        let mut values = self.shared(family, number, &parsed.message);
        values.document_type = text.0;
        values.message_count = "1";
        if self.context.options.raw_json {
            values.file_name = format!("{number}.json").into();
            values.file_extension = "json".into();
            values.file_size = json.len().to_string();
            values.sha256 = hex(&sha256(json));
            values.native_path = native_path(number).into();
        }
        values.text = text.1;
        values
    }

    fn attachment<'v>(
        &'v self,
        family: &'v Family<'_>,
        number: &'v str,
        attached: &'v Attached,
        message: &'v Message<'_>,
    ) -> Values<'v> {
        let mut values = self.shared(family, number, message);
        values.document_type = ATTACHMENT;
        values.file_name = Cow::Borrowed(&attached.name);
        values.file_extension = extension(&attached.name).into();
        match &attached.state {
            AttachedState::Stored { size, sha256, path, .. } => {
                values.file_size = size.to_string();
                values.sha256 = hex(sha256);
                values.native_path = path.as_deref().unwrap_or_default().into();
            }
            state => values.text = format!("[{}: {}]", attached.name, state.words()).into(),
        }
        values
    }

    /// What a record has from its family, its conversation and its message.
    fn shared<'v>(
        &'v self,
        family: &'v Family<'_>,
        number: &'v str,
        message: &'v Message<'_>,
    ) -> Values<'v> {
        let entry = family.entry;
        let modified = message.modified.unwrap_or(entry.modified);
        Values {
            number,
            family: &family.first,
            family_end: &family.last,
            custodian: &family.custodian,
            custodians: &family.custodians,
            conversation: &entry.key.conversation,
            conversation_name: family.title,
            conversation_type: chat_type(self.context.chat.kind),
            date_sent: entry.sent().map(|sent| self.date(sent)).unwrap_or_default(),
            time_sent: entry.sent().map(time_of_day).unwrap_or_default(),
            date_modified: self.date(modified),
            from: from(&family.names, message),
            to: self.to(entry, message),
            subject: subject(message).unwrap_or(family.title),
            participants: &family.participants,
            contains_edited: family.contains_edited,
            contains_deleted: family.contains_deleted,
            ..Values::default()
        }
    }
}

impl Records<'_> {
    /// The text of the latest version; for a deleted message the last one that was archived.
    fn text<'v>(&self, names: &Then<'_>, versions: &'v [Parsed<'v>]) -> Cow<'v, str> {
        last_text(versions, |one| self.own_text(names, one))
    }

    fn own_text<'v>(&self, names: &Then<'_>, parsed: &'v Parsed<'_>) -> Cow<'v, str> {
        body_text(&parsed.message, self.context.options.system_events, names)
    }

    /// Who could read it then: the members at that time, without the sender.
    fn to(&self, entry: &Entry, message: &Message<'_>) -> String {
        let from = message.from.as_ref();
        let is_sender = |person: &Person| from.is_some_and(|from| from.id == person.id);
        let members = self.context.chat.members_at(entry.created);
        let others: Vec<String> =
            members.filter(|person| !is_sender(person)).map(person_words).collect();
        others.join("; ")
    }

    fn date(&self, time: Timestamp) -> String {
        let Some(parts) = parts(time) else { return String::new() };
        let mut text = Vec::with_capacity(10);
        let between: &[u8] = if self.dates == Dates::Iso { b"-" } else { b"" };
        write_date(parts.date, between, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

fn from(names: &Then<'_>, message: &Message<'_>) -> String {
    let Some(from) = &message.from else { return String::new() };
    let name = who(from, names);
    let address = names.address(&from.id).unwrap_or(&from.id);
    if name == address { name } else { format!("{name} <{address}>") }
}

fn subject<'v>(message: &'v Message<'_>) -> Option<&'v str> {
    message.subject.as_deref().filter(|subject| !subject.is_empty())
}

/// The names of custodians.
fn named(context: &Context<'_>, custodians: &[impl AsRef<str>]) -> String {
    let names = custodians.iter().map(|one| context.custodian_name(one.as_ref()));
    names.collect::<Vec<_>>().join("; ")
}

/// `HH:MM:SS`.
fn time_of_day(time: Timestamp) -> String {
    rfc3339(time).get(11..19).unwrap_or_default().to_owned()
}

/// Where the native of a record is.
fn native_path(number: &str) -> String {
    format!("NATIVES/{number}.json")
}

/// The control number of a message: its time, then what stands for its key.
fn number(key: &MessageKey, created: Timestamp) -> String {
    let mut text = b"TM".to_vec();
    if let Some(parts) = parts(created) {
        write_date(parts.date, b"", &mut text);
        write_digits(parts.ms_of_day / 3_600_000, 2, &mut text);
        write_digits(parts.ms_of_day / 60_000 % 60, 2, &mut text);
        write_digits(parts.ms_of_day / 1_000 % 60, 2, &mut text);
        write_digits(parts.ms_of_day % 1_000, 3, &mut text);
    }
    let mut whole = Vec::new();
    for part in [&key.conversation, key.reply_to.as_deref().unwrap_or_default(), &key.id] {
        // Lengths in front: no two keys give the same bytes.
        whole.extend_from_slice(&(part.len() as u64).to_le_bytes());
        whole.extend_from_slice(part.as_bytes());
    }
    let key = hex(&sha256(&whole));
    format!("{}-{}", String::from_utf8_lossy(&text), key.get(..16).unwrap_or_default())
}

/// The end of a file name behind its last dot, in small letters; empty if it has none.
fn extension(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() && end.chars().all(char::is_alphanumeric) => {
            end.to_lowercase()
        }
        _ => String::new(),
    }
}
