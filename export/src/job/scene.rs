//! A conversation as renderers see it in one window: what it was called, who took part, who is who.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;

use chatvault_base::Progress;
use chatvault_engine::{ContentAddress, Snapshot, Timestamp};
use chatvault_query::Record;
use chatvault_query::event::Names;
use chatvault_query::people::{Conversation, ConversationKind, Conversations, People};

use super::Watch;
use super::beside::Beside;
use super::plan::Survey;
use super::window::named;
use crate::entry::{Chat, Context, History, Objects, Person, RenderOptions, Window};
use crate::error::Result;
use crate::name::slug;
use crate::request::{Request, wrong};

/// Everything that is known about people and conversations of an export.
#[derive(Debug, Default)]
pub(super) struct Known {
    people: People,
    conversations: Conversations,
    beside: Beside,
}

impl Known {
    /// Looks up what messages say about people; nothing for a format that does not say it. `None` if
    /// it was stopped.
    pub(super) fn collect(
        snapshot: &Snapshot,
        request: &Request,
        survey: &Survey,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Self>> {
        if !request.format.nature().names_people {
            return Ok(Some(Self::default()));
        }
        let (chats, beside) = (survey.chats(), Beside::collect(snapshot, survey)?);
        if chats.is_empty() {
            return Ok(Some(Self { beside, ..Self::default() }));
        }
        let mut on = |_: &Progress| watch.reading();
        let both = Conversations::with_people(snapshot, chats, &mut on).map_err(wrong)?;
        let Some((conversations, mut people)) = both else { return Ok(None) };
        let named = request.custodians.iter().chain(&request.senders);
        let users = named.map(|id| id.strip_prefix("user:").unwrap_or(id).to_owned());
        people.look_up(snapshot, users.collect()).map_err(wrong)?;
        Ok(Some(Self { people, conversations, beside }))
    }

    /// A conversation at a time; its folder has no name yet.
    fn chat(&self, id: &str, at: Timestamp) -> Chat {
        let known = self.conversations.get(id);
        let known = known.as_ref();
        let topic = known.and_then(|chat| chat.title_at(at)).map(Cow::into_owned);
        Chat {
            id: id.to_owned(),
            kind: known.map_or_else(|| ConversationKind::of(id), |chat| chat.kind),
            topic,
            topics: known.map(|chat| topics(chat, at)).unwrap_or_default(),
            team: known.and_then(|chat| chat.team.clone()),
            started: known.map(|chat| chat.first),
            participants: known.map(|chat| self.participants(chat, at)).unwrap_or_default(),
            slug: String::new(),
        }
    }

    fn participants(&self, chat: &Conversation, at: Timestamp) -> Vec<Person> {
        let person = |one: chatvault_query::people::Participant<'_>| {
            let name = self.people.name_at(one.id, at).map(str::to_owned);
            let others = self.people.known_names(one.id).map(|(other, ..)| other);
            Person {
                id: one.id.to_owned(),
                other_names: others
                    .filter(|other| Some(*other) != name.as_deref())
                    .map(str::to_owned)
                    .collect(),
                name,
                address: self
                    .people
                    .get(one.id)
                    .and_then(|person| person.address_at(at).map(str::to_owned)),
                joined: one.joined,
                left: one.left,
            }
        };
        chat.participants().map(person).collect()
    }
}

/// How a conversation was called, up to a time.
fn topics(chat: &Conversation, until: Timestamp) -> Vec<(Timestamp, Option<String>)> {
    let mut known = chat.titles();
    known.retain(|(since, _)| *since <= until);
    if known.len() > 1 { known } else { Vec::new() }
}

/// What all renderers of one conversation and window need. Shared by the threads that render.
#[derive(Debug)]
pub(super) struct Scene {
    tenant: Arc<str>,
    /// Its id in the archive.
    pub(super) conversation: String,
    pub(super) chat: Chat,
    names: NamesAt,
    pub(super) options: Arc<RenderOptions>,
    pub(super) objects: Arc<Stored>,
}

impl Scene {
    pub(super) fn new(
        stage: &Stage,
        known: &Arc<Known>,
        (record, id): (Record, &str),
        window: Window,
    ) -> Self {
        // The last moment of the window: its end is not in it.
        let at = Timestamp::from_ticks(window.end.ticks().saturating_sub(1));
        let names = NamesAt::new(known, at);
        let chat = match record {
            Record::Message => known.chat(id, at),
            _ => known.beside.chat((record, id), &names),
        };
        let slug = slug(&chat.title(), id);
        let slug = if stage.parts_windows { named(&slug, window) } else { slug };
        Self {
            tenant: Arc::clone(&stage.tenant),
            conversation: id.to_owned(),
            chat: Chat { slug, ..chat },
            names,
            options: Arc::clone(&stage.options),
            objects: Arc::clone(&stage.objects),
        }
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            tenant: &self.tenant,
            chat: &self.chat,
            names: &self.names,
            options: &self.options,
            objects: &*self.objects,
        }
    }
}

/// What all conversations of an export share.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) tenant: Arc<str>,
    pub(super) options: Arc<RenderOptions>,
    pub(super) objects: Arc<Stored>,
    pub(super) parts_windows: bool,
}

/// How people were called at a time.
#[derive(Debug)]
pub(super) struct NamesAt {
    known: Arc<Known>,
    at: Timestamp,
}

impl NamesAt {
    pub(super) fn new(known: &Arc<Known>, at: Timestamp) -> Self {
        Self { known: Arc::clone(known), at }
    }
}

impl Names for NamesAt {
    fn name(&self, id: &str) -> Option<&str> {
        self.known.people.name_at(id, self.at)
    }

    fn address(&self, id: &str) -> Option<&str> {
        self.known.people.get(id)?.address_at(self.at)
    }
}

impl History for NamesAt {
    fn name_at(&self, id: &str, at: Timestamp) -> Option<&str> {
        self.known.people.name_at(id, at)
    }

    fn address_at(&self, id: &str, at: Timestamp) -> Option<&str> {
        self.known.people.get(id)?.address_at(at)
    }
}

/// The objects of a snapshot.
#[derive(Debug)]
pub(super) struct Stored(pub(super) Snapshot);

impl Objects for Stored {
    fn read(&self, address: &ContentAddress) -> io::Result<Box<dyn Read + Send>> {
        let missing = || {
            let what = format!("the archive has no object {address}");
            io::Error::new(io::ErrorKind::NotFound, what)
        };
        self.0.object(address).map_err(io::Error::other)?.ok_or_else(missing)
    }
}
