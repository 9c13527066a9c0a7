//! What a message becomes: one event, or one for each member who came or went.
//!
//! A unit is all that comes of one message: its events, whom they name and its files. It is never
//! parted. Ids of files, parents and directions depend on what else is in the slice, so they are
//! settled when the slice is closed.

use std::sync::Arc;

use chatvault_engine::Timestamp;
use chatvault_query::event::Detail;
use chatvault_query::message::{Identity, Importance, Message};

use super::manifest::{Attachment, Edit, Event, Reaction, note};
use super::people::Mentioned;
use crate::entry::{Attached, AttachedState, Context, Entry, SystemEvents};
use crate::format::table::{Parsed, body_text, reactions_by_kind};
use crate::zone::rfc3339;

/// The longest value of a reaction that the schema's readers take, in characters.
const REACTION_CHARS: usize = 30;

/// All that comes of one message.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) time: Timestamp,
    pub(super) events: Vec<Event>,
    pub(super) people: Vec<Mentioned>,
    /// The files of the first event, in the order of its attachments.
    pub(super) files: Vec<Attached>,
    pub(super) custodians: Arc<[String]>,
    /// The message that this one answers.
    pub(super) answers: Option<String>,
    /// About how much memory it takes.
    pub(super) weight: usize,
}

impl Unit {
    /// The events of a message; `None` for a system event that is to be left out.
    pub(super) fn of(entry: &Entry, context: &Context<'_>) -> Option<Self> {
        let versions = Parsed::all(entry);
        let latest = versions.last()?;
        if latest.is_event() && context.options.system_events == SystemEvents::Omit {
            return None;
        }
        let names = context.names_at(entry);
        let context = &Context { names: &names, ..*context };
        let mut maker = Maker { entry, context, people: Vec::new() };
        let events = if latest.is_event() {
            maker.system(&latest.message)
        } else {
            vec![maker.message(&latest.message, &versions)]
        };
        let files = entry.attached.iter().filter(|one| one.state != AttachedState::Omitted);
        let weight = events.iter().map(Event::weight).sum::<usize>() + 256 * entry.attached.len();
        let answers = entry.parent.as_ref().map(|parent| parent.id.clone());
        Some(Self {
            time: entry.created,
            events,
            people: maker.people,
            files: files.cloned().collect(),
            custodians: Arc::clone(&entry.custodians),
            answers: answers.or_else(|| entry.key.reply_to.clone()),
            weight,
        })
    }

    /// About how many bytes its files take in the finished file.
    pub(super) fn file_bytes(&self) -> u64 {
        let size = |attached: &Attached| match attached.state {
            AttachedState::Stored { size, .. } => {
                crate::content::base64_size(size, crate::content::LineEnd::Crlf)
            }
            AttachedState::Unavailable { .. } | AttachedState::Omitted => 1_024,
        };
        self.files.iter().map(size).fold(0, u64::saturating_add)
    }
}

struct Maker<'m> {
    entry: &'m Entry,
    context: &'m Context<'m>,
    people: Vec<Mentioned>,
}

impl Maker<'_> {
    /// What every event of the message has.
    fn event(&self, kind: &'static str) -> Event {
        let entry = self.entry;
        let mut event = Event {
            conversation: self.context.chat.id.clone(),
            id: entry.key.id.clone(),
            timestamp: entry.sent().map(rfc3339),
            kind,
            ..Event::default()
        };
        event.note("message_id", entry.key.id.as_str());
        if let Some(latest) = entry.latest() {
            event.note("etag", latest.version.to_string());
            event.note("content_address", latest.address.to_string());
        }
        let variants = entry.versions.iter().filter(|version| version.variant_words().is_some());
        let variants: Vec<String> = variants
            .map(|one| format!("{} {}", one.version, one.variant_words().unwrap_or_default()))
            .collect();
        event.note("variants", variants.join("; "));
        event.note("custodians", entry.custodians.join("; "));
        if entry.is_context {
            event.note("context", "thread_root");
        }
        event
    }

    fn message(&mut self, message: &Message<'_>, versions: &[Parsed<'_>]) -> Event {
        let mut event = self.event("message");
        let sender = self.see(message.from.as_ref());
        event.participant = Some(sender.clone());
        event.deleted = message.is_deleted();
        let texts = self.texts(versions);
        if !event.deleted {
            event.body = texts.last().map(|(_, text)| text.clone()).filter(|text| !text.is_empty());
        }
        event.edits = edits(&texts, message.deleted, &sender);
        match message.importance {
            Importance::High => event.importance = Some("high"),
            Importance::Urgent => {
                event.importance = Some("high");
                event.note("urgent", "true");
            }
            Importance::Normal | Importance::Other => {}
        }
        event.note("subject", message.subject.as_deref().unwrap_or_default());
        event.note("web_url", message.web_url.as_deref().unwrap_or_default());
        event.reactions = self.reactions(message);
        self.attach(&mut event);
        event
    }

    /// Joining and leaving are events of the members; whatever else happens is told in words.
    fn system(&mut self, message: &Message<'_>) -> Vec<Event> {
        let names = self.context.names;
        let words = body_text(message, self.context.options.system_events, names).into_owned();
        let event = message.event.as_ref();
        let initiator = event.and_then(|event| event.initiator.as_ref());
        let (kind, members): (_, &[Identity<'_>]) = match event.map(|event| &event.detail) {
            Some(Detail::MembersAdded { members, .. } | Detail::MembersJoined { members }) => {
                ("join", members)
            }
            Some(Detail::MembersDeleted { members } | Detail::MembersLeft { members }) => {
                ("leave", members)
            }
            _ => ("unknown", &[]),
        };
        let by = initiator.map(|initiator| Mentioned::of(initiator, names));
        let mut first = self.event(if members.is_empty() { "unknown" } else { kind });
        first.note("event_type", event.map_or("", |event| &event.name));
        first.body = Some(words);
        self.people.extend(by.clone());
        if members.is_empty() {
            first.participant = by.map(|by| by.id);
            self.attach(&mut first);
            return vec![first];
        }
        first.note("initiator", by.map(|by| by.id).unwrap_or_default());
        self.per_member(first, members)
    }

    /// One event for each member; the first has the words.
    fn per_member(&mut self, mut first: Event, members: &[Identity<'_>]) -> Vec<Event> {
        let mut events = Vec::with_capacity(members.len());
        for (member, at) in members.iter().skip(1).zip(2..) {
            events.push(Event {
                conversation: first.conversation.clone(),
                custom: first.custom.clone(),
                id: format!("{}:{at}", first.id),
                participant: Some(self.see(Some(member))),
                timestamp: first.timestamp.clone(),
                kind: first.kind,
                ..Event::default()
            });
        }
        first.participant = Some(self.see(members.first()));
        self.attach(&mut first);
        events.insert(0, first);
        events
    }

    fn see(&mut self, identity: Option<&Identity<'_>>) -> String {
        let names = self.context.names;
        let one = identity.map_or_else(Mentioned::nobody, |who| Mentioned::of(who, names));
        let id = one.id.clone();
        self.people.push(one);
        id
    }

    /// When each version was made and what it says.
    fn texts(&self, versions: &[Parsed<'_>]) -> Vec<(Option<Timestamp>, String)> {
        let Context { options, names, .. } = self.context;
        let text = |Parsed { message, .. }: &Parsed<'_>| {
            let text = body_text(message, options.system_events, *names).into_owned();
            (message.edited.or(message.modified), text)
        };
        versions.iter().map(text).collect()
    }

    fn reactions(&mut self, message: &Message<'_>) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        for (kind, alike) in reactions_by_kind(message) {
            let people = alike.iter().filter_map(|reaction| reaction.who.as_ref());
            let participants = people.map(|who| self.see(Some(who))).collect();
            let value: String = kind.chars().take(REACTION_CHARS).collect();
            if !value.is_empty() {
                reactions.push(Reaction { count: alike.len() as u64, participants, value });
            }
        }
        reactions
    }

    /// Files get their names when the slice is closed; what was not asked for is only told.
    fn attach(&self, event: &mut Event) {
        for attached in &self.entry.attached {
            if attached.state == AttachedState::Omitted {
                note(&mut event.custom, "attachment_omitted", attached.name.as_str());
            } else {
                let display = attached.name.clone();
                event.attachments.push(Attachment { display, ..Attachment::default() });
            }
        }
    }
}

/// Each change of the text. Of a deleted message the last text is kept here: it has no body.
fn edits(
    texts: &[(Option<Timestamp>, String)],
    deleted: Option<Timestamp>,
    sender: &str,
) -> Vec<Edit> {
    let participant = || sender.to_owned();
    let is_blanked = |new: &str| deleted.is_some() && new.trim().is_empty();
    let mut edits = Vec::new();
    for pair in texts.windows(2) {
        let [(_, previous), (at, new)] = pair else { continue };
        if previous != new && !is_blanked(new) {
            edits.push(Edit {
                new: Some(new.clone()),
                participant: participant(),
                previous: previous.clone(),
                timestamp: at.map(rfc3339),
            });
        }
    }
    let last = texts.iter().rev().map(|(_, text)| text).find(|text| !text.trim().is_empty());
    if let (Some(deleted), Some(last)) = (deleted, last) {
        edits.push(Edit {
            new: None,
            participant: participant(),
            previous: last.clone(),
            timestamp: Some(rfc3339(deleted)),
        });
    }
    edits
}
