//! Downloads: which there are, and what each gives at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chatvault_support::quoted;

use super::Tenant;
use super::life::{Message, What};
use super::media::{self, Hosted};
use super::places::Kind;
use super::render::{Layout, Story};
use super::types::{Content, ContentPath, Form, Ms, Place, TruthObject};

/// What can be downloaded, found by its path.
#[derive(Debug)]
pub(super) struct Objects {
    /// Conversation numbers by id.
    conversations: HashMap<String, u32>,
    /// Conversation, root (0 for none), id, and the message's number: sorted.
    messages: Vec<(u32, Ms, Ms, u32)>,
    /// The first message that shares a file, by the file's address.
    files: HashMap<String, u32>,
    /// Recordings and transcripts.
    artefacts: HashMap<ContentPath, TruthObject>,
}

impl Objects {
    pub(super) fn new(story: &Story, artefacts: Vec<TruthObject>) -> Self {
        let ids = story.places.conversations.iter().map(|place| place.id.clone());
        let mut messages: Vec<_> = (0..)
            .zip(&story.messages)
            .map(|(number, one)| (one.conversation, one.root.unwrap_or(0), one.created, number))
            .collect();
        messages.sort_unstable();
        let mut files = HashMap::new();
        for (number, message) in (0..).zip(&story.messages) {
            if message.what == What::File
                && let Some(file) = story.file(message)
            {
                let _ = files.entry(file.url).or_insert(number);
            }
        }
        let artefacts = artefacts.into_iter().map(|one| (one.path.clone(), one)).collect();
        Self { conversations: ids.zip(0..).collect(), messages, files, artefacts }
    }

    fn message<'a>(&self, story: &'a Story, place: &Place, id: &str) -> Option<&'a Message> {
        let (conversation, root) = match place {
            Place::Chat(chat) => (chat, 0),
            Place::Channel { channel, reply_to, .. } => {
                (channel, reply_to.as_ref().map_or(Some(0), |root| root.parse().ok())?)
            }
        };
        let number = *self.conversations.get(conversation)?;
        let found = story.places.conversations.get(number as usize)?;
        // The whole path must be right: a chat is no channel, and a team has its own channels.
        let fits = match place {
            Place::Chat(_) => found.kind != Kind::Channel,
            Place::Channel { team, .. } => {
                found.team.and_then(|team| story.places.teams.get(team)).map(|team| &team.id)
                    == Some(team)
            }
        };
        let key = (number, root, id.parse::<Ms>().ok()?);
        let at = self.messages.partition_point(|one| (one.0, one.1, one.2) < key);
        let one = self.messages.get(at).filter(|one| fits && (one.0, one.1, one.2) == key)?;
        story.messages.get(one.3 as usize)
    }
}

impl Tenant {
    /// What a download gives at `now`; `None` if there never was such a thing, or it is gone.
    pub fn content(&self, path: &ContentPath, now: Ms) -> Option<Content> {
        match path {
            ContentPath::Hosted { place, message, id } => {
                let hosted = self.hosted(place, message, now)?;
                hosted.into_iter().find(|one| one.id == *id).map(|one| one.content)
            }
            ContentPath::HostedList { place, message } => {
                let items: Vec<String> = self
                    .hosted(place, message, now)?
                    .iter()
                    .map(|one| {
                        format!(
                            r#"{{"id":{},"contentBytes":null,"contentType":null}}"#,
                            quoted(&one.id)
                        )
                    })
                    .collect();
                Some(Content::List(format!("[{}]", items.join(","))))
            }
            ContentPath::File { content_url } => {
                let message =
                    self.story.messages.get(*self.objects.files.get(content_url)? as usize)?;
                let file = self.story.file(message)?;
                (message.created <= now).then_some(file.content)
            }
            _ => {
                let artefact = self.objects.artefacts.get(path)?;
                let there = artefact.from <= now && artefact.until.is_none_or(|until| now < until);
                there.then(|| artefact.content.clone())
            }
        }
    }

    /// A message's hosted contents while they are there.
    fn hosted(&self, place: &Place, message: &str, now: Ms) -> Option<Vec<Hosted>> {
        let message = self.objects.message(&self.story, place, message)?;
        let there = message.created <= now && media::gone(message).is_none_or(|gone| now < gone);
        there.then(|| media::hosted(message))
    }

    /// Everything to download that some export named by `until`, in a fixed order.
    pub fn objects(&self, until: Ms) -> Vec<TruthObject> {
        let mut all: Vec<TruthObject> = Vec::new();
        for (number, versions) in self.shown_with_objects(until) {
            let Some(message) = self.story.messages.get(number as usize) else { continue };
            let form = Form::default();
            let texts: Vec<Arc<str>> = versions
                .into_iter()
                .map(|version| self.text((version, false), Layout::Current, form))
                .collect();
            self.objects_of(message, &texts.concat(), &mut all);
        }
        all.extend(self.objects.artefacts.values().cloned());
        all.retain(|one| one.from <= until);
        all.sort_by(|a, b| (a.from, &a.path, &a.message).cmp(&(b.from, &b.path, &b.message)));
        all
    }

    /// Messages with something to download, and their versions that some export showed.
    fn shown_with_objects(&self, until: Ms) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut shown: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        let mailboxes = self.mailboxes.users.iter().chain(&self.mailboxes.teams);
        for entry in mailboxes.flatten().filter(|entry| entry.from <= until) {
            let message = self.story.messages.get(entry.message as usize);
            let end = entry.ends(self.retention).max(entry.until);
            if entry.from < end && message.is_some_and(media::has_objects) {
                let _ = shown.entry(entry.message).or_default().insert(entry.version);
            }
        }
        shown
    }

    /// What of a message's objects its shown documents name: an edit, a block or a deletion may
    /// have come before any export.
    fn objects_of(&self, message: &Message, shown: &str, all: &mut Vec<TruthObject>) {
        let places = &self.story.places;
        let Some(place) = places.conversations.get(message.conversation as usize) else { return };
        let object = |path, content, until| TruthObject {
            path,
            content,
            conversation: place.id.clone(),
            message: message.created.to_string(),
            from: message.created,
            until,
        };
        for one in media::hosted(message).into_iter().filter(|one| shown.contains(&one.id)) {
            let path = ContentPath::Hosted {
                place: place.place(&places.teams, message.root),
                message: message.created.to_string(),
                id: one.id,
            };
            all.push(object(path, one.content, media::gone(message)));
        }
        if let Some(file) = self.story.file(message).filter(|file| shown.contains(&file.url)) {
            all.push(object(ContentPath::File { content_url: file.url }, file.content, None));
        }
    }
}
