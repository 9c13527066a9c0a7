//! Answers to export questions: the copies of a mailbox that fit a window and a time.
//!
//! A document is written when it is first asked for, once for each key order, and kept.

use std::sync::{Arc, OnceLock};

use super::life::Message;
use super::mailbox::Entry;
use super::render::{self, Layout};
use super::types::{CLOUD_ORIGIN, Collection, Feed, Form, Item, Ms, Window};
use super::{Extra, Tenant};

/// One version of one message, with its documents.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) message: u32,
    pub(super) step: u32,
    /// For each layout, the full look and the bare one.
    texts: [OnceLock<Text>; 6],
}

/// A document with links on the real host, under v1.0, and system events named as such.
#[derive(Debug)]
struct Text {
    json: Arc<str>,
    linked: bool,
}

const EVENT: &str = r#""messageType":"systemEventMessage""#;
const HIDDEN_EVENT: &str = r#""messageType":"unknownFutureValue""#;

/// Numbers all versions of all messages.
pub(super) fn number(messages: &mut [Message]) -> Vec<Version> {
    let mut versions = Vec::with_capacity(messages.len() * 3 / 2);
    for (message, number) in messages.iter_mut().zip(0..) {
        message.version = u32::try_from(versions.len()).unwrap_or(u32::MAX);
        for step in (0..).take(message.steps()) {
            versions.push(Version { message: number, step, texts: Default::default() });
        }
    }
    versions
}

/// Which rows of which list a collection means.
enum Source {
    User(usize, Layout),
    Team(usize, Layout),
    Extra(Feed, usize),
}

impl Tenant {
    /// The rows of a collection that an export shows at `now`, shuffled in an order that is the
    /// same for all windows of a collection; empty if its user or team cannot be asked about.
    pub fn rows(
        &self,
        collection: &Collection,
        window: Window,
        now: Ms,
        form: Form<'_>,
    ) -> Vec<Item<'_>> {
        match self.source(collection, now) {
            None => Vec::new(),
            Some(Source::Extra(feed, user)) => self.extra_rows((feed, user), window, now, form),
            Some(Source::User(user, layout)) => {
                self.mailbox_rows(self.mailboxes.users.get(user), (window, now), layout, form)
            }
            Some(Source::Team(team, layout)) => {
                self.mailbox_rows(self.mailboxes.teams.get(team), (window, now), layout, form)
            }
        }
    }

    fn source(&self, collection: &Collection, now: Ms) -> Option<Source> {
        use Collection as C;
        let user = |id: &str| self.user(id, now).and_then(|_| self.user_number(id));
        let team = |id: &str| self.team(id, now).and_then(|_| self.team_number(id));
        let deleted = |id: &str| self.deleted_team(id, now).and_then(|_| self.team_number(id));
        Some(match collection {
            C::Chats(id) => Source::User(user(id)?, Layout::Current),
            C::ChatsDelta(id) => Source::User(user(id)?, Layout::Delta),
            C::RetainedChats(id) => Source::User(user(id)?, Layout::Retained),
            C::Channels(id) => Source::Team(team(id)?, Layout::Current),
            C::RetainedChannels(id) => Source::Team(team(id)?, Layout::Retained),
            C::DeletedTeamChannels(id) => Source::Team(deleted(id)?, Layout::Current),
            C::DeletedTeamRetained(id) => Source::Team(deleted(id)?, Layout::Retained),
            C::Targeted(id) => Source::Extra(Feed::Targeted, user(id)?),
            C::Recordings(id) => Source::Extra(Feed::Recordings, user(id)?),
            C::Transcripts(id) => Source::Extra(Feed::Transcripts, user(id)?),
            C::AdhocRecordings(id) => Source::Extra(Feed::AdhocRecordings, user(id)?),
            C::AdhocTranscripts(id) => Source::Extra(Feed::AdhocTranscripts, user(id)?),
            C::Copilot(id) => Source::Extra(Feed::Copilot, user(id)?),
        })
    }

    fn mailbox_rows(
        &self,
        mailbox: Option<&Vec<Entry>>,
        (window, now): (Window, Ms),
        layout: Layout,
        form: Form<'_>,
    ) -> Vec<Item<'_>> {
        let retained = layout == Layout::Retained;
        if retained && !self.retention {
            return Vec::new();
        }
        let all = mailbox.map_or(&[][..], Vec::as_slice);
        let inside = within(all, window, |entry| entry.modified);
        let mut shown: Vec<&Entry> =
            inside.iter().filter(|entry| entry.shown(retained, now)).collect();
        shown.sort_unstable_by_key(|entry| (entry.order, entry.version));
        shown.into_iter().filter_map(|entry| self.item(entry, layout, form)).collect()
    }

    fn item(&self, entry: &Entry, layout: Layout, form: Form<'_>) -> Option<Item<'_>> {
        let message = self.story.messages.get(entry.message as usize)?;
        let message_type = render::message_type(message.what);
        Some(Item {
            modified: entry.modified,
            created: message.created,
            sender: self.story.sender(message),
            message_type,
            app_class: None,
            json: self.text((entry.version, entry.bare), layout, form),
        })
    }

    /// The document of a version in one look and key order, as a request shows it.
    pub(super) fn text(
        &self,
        (version, bare): (u32, bool),
        layout: Layout,
        form: Form<'_>,
    ) -> Arc<str> {
        let Some(version) = self.versions.get(version as usize) else { return Arc::from("{}") };
        let Some(message) = self.story.messages.get(version.message as usize) else {
            return Arc::from("{}");
        };
        let slot = layout as usize * 2 + usize::from(bare);
        let write = || {
            let json = self.story.document(message, version.step as usize, layout, bare);
            Text { linked: json.contains(CLOUD_ORIGIN), json: json.into() }
        };
        let Some(text) = version.texts.get(slot).map(|slot| slot.get_or_init(write)) else {
            return Arc::from("{}");
        };
        let event = render::message_type(message.what) == "systemEventMessage";
        shown(&text.json, (text.linked, event), form)
    }

    fn extra_rows(
        &self,
        (feed, user): (Feed, usize),
        window: Window,
        now: Ms,
        form: Form<'_>,
    ) -> Vec<Item<'_>> {
        let from = self.extras.partition_point(|row| (row.feed, row.user) < (feed, user));
        let to = self.extras.partition_point(|row| (row.feed, row.user) <= (feed, user));
        let own = self.extras.get(from..to).unwrap_or_default();
        let inside = within(own, window, |row| row.modified);
        let mut rows: Vec<&Extra> =
            inside.iter().filter(|row| row.from <= now && now < row.until).collect();
        rows.sort_unstable_by_key(|row| (row.order, row.modified));
        let item = |row: &'_ Extra| row.json(form);
        rows.into_iter()
            .map(|row| Item {
                modified: row.modified,
                created: row.created,
                sender: &row.sender,
                message_type: row.message_type,
                app_class: row.app_class,
                json: item(row),
            })
            .collect()
    }
}

impl Extra {
    /// The document as a request shows it.
    pub(super) fn json(&self, form: Form<'_>) -> Arc<str> {
        let linked = !matches!(self.feed, Feed::Targeted | Feed::Copilot);
        let form = Form { beta: form.beta && linked, ..form };
        shown(&self.json, (linked, false), form)
    }
}

/// What lies between the bounds, of a list in the order of time.
fn within<T>(all: &[T], window: Window, time: impl Fn(&T) -> Ms) -> &[T] {
    let from = window.after.map_or(0, |after| all.partition_point(|one| time(one) <= after));
    let to =
        window.before.map_or(all.len(), |before| all.partition_point(|one| time(one) < before));
    all.get(from..to).unwrap_or_default()
}

/// A document changed to what a request shows. The keys that are looked for cannot stand inside a
/// JSON string, where quotes are escaped.
fn shown(json: &Arc<str>, (linked, event): (bool, bool), form: Form<'_>) -> Arc<str> {
    let hide = event && !form.unknown_members;
    let move_links = linked && (form.beta || form.origin != CLOUD_ORIGIN);
    if !hide && !move_links && !form.beta {
        return Arc::clone(json);
    }
    let mut text = json.to_string();
    if hide {
        text = text.replacen(EVENT, HIDDEN_EVENT, 1);
    }
    if move_links {
        let version = if form.beta { "beta" } else { "v1.0" };
        text =
            text.replace(&format!("{CLOUD_ORIGIN}/v1.0/"), &format!("{}/{version}/", form.origin));
    }
    if form.beta {
        let policy = r#""policyViolation":"#;
        text = text.replacen(policy, &format!(r#""onBehalfOf":null,{policy}"#), 1);
    }
    text.into()
}
