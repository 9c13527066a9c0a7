//! The rows of an entry: its latest version, or all of them, and its attachments if they are wanted.
//!
//! Every version that was asked for becomes a row, also one whose bytes are no readable message: what
//! the archive knows about it without reading it is there, and the text says so.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use chatvault_engine::Timestamp;
use chatvault_query::event::{Names, who};
use chatvault_query::message::Message;

use super::Row;
use super::lists::{mentions, person_words, reactions};
use super::text::{
    NOT_CAPTURED, Parsed, body_text, chat_type, importance, is_event, last_text, sender_type,
};
use crate::entry::{Attached, AttachedState, Context, Entry, SystemEvents};

/// Makes the rows of one conversation's entries.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    context: Context<'a>,
    /// Everybody who takes or took part, in words, in the order of the participants.
    people: Vec<String>,
    /// When somebody came or left, ascending.
    changes: Vec<Timestamp>,
    /// Those who are there since the last change that was looked at.
    present: RefCell<Option<(usize, Arc<[String]>)>>,
    with_attachments: bool,
}

impl<'a> Rows<'a> {
    /// For the entries of one conversation.
    pub(crate) fn new(context: Context<'a>) -> Self {
        let participants = &context.chat.participants;
        let people = participants.iter().map(person_words).collect();
        let times = participants.iter().flat_map(|person| [person.joined, person.left]);
        let mut changes: Vec<Timestamp> = times.flatten().collect();
        changes.sort_unstable();
        changes.dedup();
        Self { context, people, changes, present: RefCell::default(), with_attachments: false }
    }

    /// Attachments get rows of their own, behind the message that has them.
    pub(crate) fn with_attachments(mut self) -> Self {
        self.with_attachments = true;
        self
    }

    /// Who takes part at a time. Nearly always it is who did at the time before.
    fn participants(&self, at: Timestamp) -> Arc<[String]> {
        let change = self.changes.partition_point(|change| *change <= at);
        let mut present = self.present.borrow_mut();
        if let Some((_, there)) = present.as_ref().filter(|(before, _)| *before == change) {
            return Arc::clone(there);
        }
        let all = self.context.chat.participants.iter().zip(&self.people);
        let there = all.filter(|(person, _)| person.is_there(at)).map(|(_, words)| words.clone());
        let there: Arc<[String]> = there.collect();
        *present = Some((change, Arc::clone(&there)));
        there
    }

    /// Gives each row of an entry, earlier versions first.
    pub(crate) fn each(&self, entry: &Entry, give: &mut dyn FnMut(&Row<'_>)) {
        let versions = Parsed::all(entry);
        let Some(latest) = versions.last() else { return };
        if latest.is_event() && self.context.options.system_events == SystemEvents::Omit {
            return;
        }
        if self.context.options.versions {
            for until in 1..versions.len() {
                give(&self.row(entry, versions.get(..until).unwrap_or_default()));
            }
        }
        give(&self.row(entry, &versions));
        if self.with_attachments {
            entry.attached.iter().for_each(|one| give(&self.attachment(entry, latest, one)));
        }
    }

    /// The row of the last of these versions.
    fn row<'r>(&'r self, entry: &'r Entry, versions: &'r [Parsed<'r>]) -> Row<'r> {
        let Some((parsed, before)) = versions.split_last() else { return Row::default() };
        let mut row = self.known(entry, parsed);
        row.record = match (row.is_latest, parsed.is_event()) {
            (false, _) if parsed.version.variant_words().is_some() => "variant",
            (false, _) => "version",
            (true, true) => "event",
            (true, false) => entry.kind_word(),
        };
        row.custodians = &entry.custodians;
        row.participants = self.participants(entry.created);
        row.update = update(parsed, before.last());
        self.fill(&mut row, entry, &parsed.message);
        row.text = self.text(entry, versions);
        self.attachments(&mut row, entry);
        row
    }

    /// What is known about a version without reading it.
    fn known<'r>(&'r self, entry: &'r Entry, parsed: &'r Parsed<'r>) -> Row<'r> {
        let chat = self.context.chat;
        let count = entry.versions.len() as u64;
        let is_latest = parsed.number == count;
        Row {
            sequence: parsed.version.sequence,
            tenant: self.context.tenant,
            chat: &entry.key.conversation,
            chat_type: chat_type(chat.kind),
            topic: chat.topic_at(entry.created).unwrap_or_default(),
            team: chat.team.as_deref().unwrap_or_default().into(),
            message: &entry.key.id,
            etag: parsed.version.version.to_string().into(),
            number: parsed.number,
            count,
            is_latest,
            created: entry.sent(),
            modified: is_latest.then_some(entry.modified),
            reply_to: entry.key.reply_to.as_deref().unwrap_or_default().into(),
            address: parsed.version.address.to_string(),
            ..Row::default()
        }
    }

    fn fill<'r>(&'r self, row: &mut Row<'r>, entry: &Entry, message: &'r Message<'r>) {
        let names = &self.context.names_at(entry);
        if let Some(channel) = &message.channel {
            row.team = channel.team.as_deref().unwrap_or(&row.team).to_owned().into();
            row.channel = Cow::Borrowed(&channel.channel);
        }
        if let Some(etag) = message.etag.as_deref() {
            row.etag = Cow::Borrowed(etag);
        }
        row.message_type = Cow::Borrowed(message.message_type.name());
        row.event = message.event.as_ref().map_or("", |event| &event.name).into();
        row.modified = message.modified.or(row.modified);
        row.edited = message.edited;
        row.deleted = message.deleted;
        if let Some(from) = &message.from {
            row.sender = Cow::Borrowed(&from.id);
            row.sender_name = Cow::Owned(who(from, names));
            row.sender_email = Cow::Owned(names.address(&from.id).unwrap_or_default().to_owned());
            row.sender_type = Cow::Borrowed(sender_type(from));
        }
        row.subject = message.subject.as_deref().unwrap_or_default().into();
        row.body_type = message.body.kind.name();
        row.importance = importance(message).into();
        row.mentions = mentions(message, names);
        row.reactions = reactions(message, names);
    }

    /// With all versions in the table each row shows its own text; else the one row of a deleted
    /// message has the last text that was archived.
    fn text<'r>(&self, entry: &Entry, versions: &'r [Parsed<'r>]) -> Cow<'r, str> {
        let last_text = last_text(versions, |one| self.own_text(entry, one));
        match versions.last() {
            Some(own) if self.context.options.versions && last_text != NOT_CAPTURED => {
                self.own_text(entry, own)
            }
            _ => last_text,
        }
    }

    fn own_text<'r>(&self, entry: &Entry, parsed: &'r Parsed<'r>) -> Cow<'r, str> {
        let (options, names) = (self.context.options, &self.context.names_at(entry));
        body_text(&parsed.message, options.system_events, names)
    }

    /// The row of an attachment: which message it belongs to, and the file itself.
    fn attachment<'r>(
        &'r self,
        entry: &'r Entry,
        latest: &'r Parsed<'r>,
        attached: &'r Attached,
    ) -> Row<'r> {
        let mut row = self.known(entry, latest);
        self.fill(&mut row, entry, &latest.message);
        row.record = "attachment";
        (row.mentions, row.reactions) = (Vec::new(), Vec::new());
        (row.custodians, row.participants) = (&entry.custodians, self.participants(entry.created));
        row.address = match &attached.state {
            AttachedState::Stored { address, .. } => address.to_string(),
            AttachedState::Unavailable { .. } | AttachedState::Omitted => String::new(),
        };
        list(&mut row, entry, attached);
        row
    }

    /// The one row of a message has all of its files; a row for each version those that it names.
    fn attachments<'r>(&self, row: &mut Row<'r>, entry: &'r Entry) {
        let (of, all) = (entry.versions.len(), !self.context.options.versions);
        let place = usize::try_from(row.number).unwrap_or(usize::MAX).saturating_sub(1);
        let is_listed = |one: &&Attached| all || one.is_named_by(place, of);
        entry.attached.iter().filter(is_listed).for_each(|one| list(row, entry, one));
    }
}

/// The three lists have one value for each attachment, so that the n-th of each belong together.
fn list<'r>(row: &mut Row<'r>, entry: &Entry, attached: &'r Attached) {
    row.attachment_names.push(Cow::Borrowed(&attached.name));
    row.attachment_files.push(Cow::Borrowed(path(attached)));
    let is_earlier = row.is_latest && attached.is_earlier(entry.versions.len());
    let words = attached.state.words();
    let words = if is_earlier { format!("{words}, of an earlier version") } else { words };
    row.attachment_status.push(Cow::Owned(words));
}

fn path(attached: &Attached) -> &str {
    match &attached.state {
        AttachedState::Stored { path: Some(path), .. } => path,
        _ => "",
    }
}

/// What a version changed. The first one that the archive has need not be the first that was.
fn update(parsed: &Parsed<'_>, before: Option<&Parsed<'_>>) -> &'static str {
    let message = &parsed.message;
    let Some(Parsed { message: earlier, .. }) = before else { return first_update(message) };
    if message.is_deleted() && !earlier.is_deleted() {
        return "deleted";
    }
    if !is_event(message) && differs(message, earlier) {
        return "edited";
    }
    if message.reactions == earlier.reactions { "updated" } else { "reaction" }
}

fn first_update(message: &Message<'_>) -> &'static str {
    if message.is_deleted() {
        "deleted"
    } else if message.is_edited() {
        "edited"
    } else {
        "created"
    }
}

fn differs(message: &Message<'_>, earlier: &Message<'_>) -> bool {
    message.body.content != earlier.body.content || message.subject != earlier.subject
}
