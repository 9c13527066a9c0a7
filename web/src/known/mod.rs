//! Who is who in an archive, read once in the background and again when there is more.
//!
//! A page never waits for it: it shows what was known before, and says that more is being read.

mod list;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use chatvault_base::{go_on, threads};
use chatvault_engine::{Clock, Order, Scan, Snapshot, SystemClock, Timestamp};
use chatvault_export::entry::{Chat, History, Person};
use chatvault_query::event::Names;
use chatvault_query::people::{Conversation, ConversationKind, Conversations, People};
use chatvault_query::resolve::{Unresolved, resolve};

use crate::failure::{Failure, Result};
use list::List;
pub(crate) use list::{Listed, Wanted};

/// What was read of an archive.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) people: People,
    pub(crate) conversations: Arc<Conversations>,
    list: List,
    /// Names that a browser offers for a person, in order.
    pub(crate) offered: Vec<String>,
    /// The same of those whose exports there are.
    pub(crate) custodians: Vec<String>,
    /// The commit up to which it was read; 0: nothing was.
    pub(crate) sequence: u64,
    /// Why it could not be read.
    pub(crate) problem: Option<String>,
}

/// Names that a browser offers.
const OFFERED: usize = 500;
/// Messages whose conversations are listed before all are known.
const LATEST_ROWS: u64 = 500;

/// What was read last, and whether more is being read.
#[derive(Debug, Default)]
pub(crate) struct Cache(Arc<State>);

#[derive(Debug, Default)]
struct State {
    known: Mutex<Arc<Known>>,
    reading: Mutex<Reading>,
    /// Told when a reading ends.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Reading {
    is_busy: bool,
    /// It is not read again before this time, in milliseconds since 1970.
    not_before_ms: i64,
}

/// Reading takes so small a share of the time, however often commits come; and it is not put off longer.
const SHARE: i64 = 10;
const MOST_WAIT_MS: i64 = 60_000;
/// A small archive is read before its first page is answered.
const PATIENCE: Duration = Duration::from_millis(15);

impl Cache {
    /// What is known of a snapshot, or of an earlier one while that is read.
    pub(crate) fn of(&self, snapshot: &Snapshot) -> Arc<Known> {
        let wanted = snapshot.sequence().0;
        let known = self.0.now();
        if known.sequence == wanted {
            return known;
        }
        // Of an archive that was empty, as before its first backup, nothing is known either.
        let is_early = known.is_early(wanted);
        if self.0.begin(is_early) {
            let (state, snapshot) = (Arc::clone(&self.0), snapshot.clone());
            if threads::start("chatvault-names", move || state.read(&snapshot)).is_err() {
                self.0.end(Reading::default());
            }
        }
        if is_early {
            self.0.wait();
        }
        self.0.now()
    }
}

impl State {
    fn now(&self) -> Arc<Known> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shall this caller read it? One at a time does.
    fn begin(&self, is_early: bool) -> bool {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = is_early || SystemClock.now().ms() >= reading.not_before_ms;
        let is_due = is_time && !reading.is_busy;
        reading.is_busy |= is_due;
        is_due
    }

    /// The latest conversations first, where nothing was known, then all: names take longer.
    fn read(&self, snapshot: &Snapshot) {
        let began_ms = SystemClock.now().ms();
        if let (0, Ok(latest)) = (self.now().sequence, latest(snapshot)) {
            self.publish(Known::of(People::default(), Arc::new(latest), 0));
        }
        let conversations = Conversations::collect(snapshot, &[], &mut go_on);
        let conversations = conversations.map(Option::unwrap_or_default).map(Arc::new);
        if let (Ok(conversations), 0) = (&conversations, self.now().sequence) {
            self.publish(Known::of(People::default(), Arc::clone(conversations), 0));
        }
        let people = People::collect(snapshot, &[], &mut go_on);
        let sequence = snapshot.sequence().0;
        self.publish(match (conversations, people) {
            (Ok(conversations), Ok(people)) => {
                let known = Known::of(people.unwrap_or_default(), conversations, sequence);
                let custodians = snapshot.custodians().unwrap_or_default();
                let names = custodians.keys().map(|one| known.name(one.as_str()));
                Known { custodians: names.take(OFFERED).collect(), ..known }
            }
            (Err(error), _) | (_, Err(error)) => {
                let problem = Some(Failure::from(error).line);
                Known { sequence, problem, ..Known::default() }
            }
        });
        let now_ms = SystemClock.now().ms();
        let wait = ((now_ms - began_ms) * SHARE).clamp(0, MOST_WAIT_MS);
        let reading = Reading { is_busy: false, not_before_ms: now_ms + wait };
        self.end(reading);
    }

    fn end(&self, reading: Reading) {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = reading;
        self.ended.notify_all();
    }

    /// Waits a moment for whoever reads.
    fn wait(&self) {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_timeout_while(reading, PATIENCE, |reading| reading.is_busy));
    }

    fn publish(&self, known: Known) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

/// The conversations of the latest messages: what the first page of the list has, and maybe more.
fn latest(snapshot: &Snapshot) -> Result<Conversations> {
    let limit = Some(LATEST_ROWS);
    let scan = Scan { order: Order::Created, backwards: true, limit, ..Scan::default() };
    let mut rows = snapshot.scan(&scan)?;
    let mut ids = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let _is_new = ids.insert(row.conversation().to_owned());
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let latest =
        if ids.is_empty() { None } else { Conversations::collect(snapshot, &ids, &mut go_on)? };
    Ok(latest.unwrap_or_default())
}

impl Known {
    fn of(people: People, conversations: Arc<Conversations>, sequence: u64) -> Self {
        let mut known = Self { people, conversations, sequence, ..Self::default() };
        let title = |one: &Conversation| known.chat(one).title();
        known.list = List::of(&known.conversations, title, |id| known.label(id));
        let called = known.people.iter().filter_map(|one| one.name().or_else(|| one.address()));
        known.offered = called.take(OFFERED).map(str::to_owned).collect();
        known.offered.sort_unstable();
        known.offered.dedup();
        known
    }

    /// The rows of the list in which something is found, in its order.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Vec<u32> {
        self.list.find(&self.conversations, wanted)
    }

    /// A row of the list.
    pub(crate) fn listed(&self, row: u32) -> Option<Listed<'_>> {
        self.list.at(&self.conversations, row)
    }

    /// Whom people mean: an id, which links have, or what somebody is or was called.
    pub(crate) fn person_meant(&self, text: &str) -> Result<String> {
        if let Some(known) = self.people.get(text) {
            return Ok(known.id.clone());
        }
        let meant = resolve("person", text, self.people.each());
        Ok(meant.map_err(|error| self.unresolved(error))?.id.clone())
    }

    /// Which conversation people mean: an id, or a title.
    pub(crate) fn chat_meant(&self, text: &str) -> Result<String> {
        if self.conversations.has(text) {
            return Ok(text.to_owned());
        }
        let rows = 0..u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let meant = resolve("chat", text, rows.filter_map(|row| self.listed(row)));
        Ok(meant.map_err(|error| self.unresolved(error))?.id.to_owned())
    }

    /// Are names of an archive, as of a commit, still being read for the first time?
    pub(crate) fn is_early(&self, sequence: u64) -> bool {
        let is_bare = self.sequence == 0 || self.list.len() == 0;
        is_bare && self.sequence < sequence
    }

    fn unresolved(&self, error: Unresolved) -> Failure {
        if self.sequence == 0 {
            let line = "The names of people and chats are being read";
            return Failure::first(
                line,
                "This page looks again by itself; an id is found at once.",
            );
        }
        error.into()
    }

    /// What a conversation is called.
    pub(crate) fn title(&self, id: &str) -> String {
        self.conversations.get(id).map_or_else(|| id.to_owned(), |one| self.chat(&one).title())
    }

    /// What somebody is called.
    pub(crate) fn name(&self, id: &str) -> String {
        let bare = id.strip_prefix("user:").unwrap_or(id);
        self.called(bare).unwrap_or(id).to_owned()
    }

    fn label(&self, id: &str) -> String {
        self.called(id).unwrap_or(id).to_owned()
    }

    /// Their name, else their address.
    fn called(&self, id: &str) -> Option<&str> {
        let person = self.people.get(id)?;
        person.name().or_else(|| person.address())
    }

    /// A conversation as renderers see it.
    pub(crate) fn chat(&self, one: &Conversation) -> Chat {
        let at = Timestamp::MAX;
        let person = |member: chatvault_query::people::Participant<'_>| {
            let known = self.people.get(member.id);
            Person {
                id: member.id.to_owned(),
                name: known.and_then(|known| known.name()).map(str::to_owned),
                address: known.and_then(|known| known.address()).map(str::to_owned),
                other_names: Vec::new(),
                joined: member.joined,
                left: member.left,
            }
        };
        Chat {
            topic: one.title_at(at).map(std::borrow::Cow::into_owned),
            team: one.team.clone(),
            started: Some(one.first),
            participants: one.participants().map(person).collect(),
            ..unknown_chat(&one.id, one.kind)
        }
    }

    /// A conversation by its id, known or not.
    pub(crate) fn chat_of(&self, id: &str) -> Chat {
        let known = self.conversations.get(id).map(|one| self.chat(&one));
        known.unwrap_or_else(|| unknown_chat(id, ConversationKind::of(id)))
    }
}

fn unknown_chat(id: &str, kind: ConversationKind) -> Chat {
    Chat {
        id: id.to_owned(),
        kind,
        topic: None,
        topics: Vec::new(),
        team: None,
        started: None,
        participants: Vec::new(),
        slug: "c".to_owned(),
    }
}

impl Names for Known {
    fn name(&self, id: &str) -> Option<&str> {
        self.people.get(id)?.name()
    }

    fn address(&self, id: &str) -> Option<&str> {
        self.people.get(id)?.address()
    }
}

impl History for Known {
    fn name_at(&self, id: &str, at: Timestamp) -> Option<&str> {
        self.people.name_at(id, at)
    }

    fn address_at(&self, id: &str, at: Timestamp) -> Option<&str> {
        self.people.get(id)?.address_at(at)
    }
}
