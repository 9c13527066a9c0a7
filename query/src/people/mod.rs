//! Who people are and what they were called, and conversations with their topics and participants
//! over time: gathered from records of users, members, chats, channels and teams, as far as an archive
//! has them, and from what messages say, because it may have nothing else.
//!
//! Names stand in senders, mentions, reactions, members and events: the archive gives what messages of a
//! conversation say as [`Facts`], and reads no long history for them. Memory is bounded by people and
//! their names. What a version of a record says holds until the next one, what the first says before it, too.

mod conversation;
mod conversations;
mod ids;
mod kind;
mod packed;
mod person;
mod record;
mod session;
mod sorted;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::thread::available_parallelism;

use chatvault_base::{OnProgress, Progress, Unit, threads};
use chatvault_engine::{Facts, RecordKind, RowKeys, Scan, Snapshot, Timestamp, Wanted};
use foldhash::fast::RandomState;

use crate::error::{Error, Result};

pub use conversation::{Conversation, Participant};
pub use conversations::Conversations;
pub use kind::ConversationKind;
pub use person::{KnownName, Person};
pub use session::{About, Session};

/// Conversations between two calls for progress.
const PROGRESS_STEP: usize = 64;
/// Threads that read what conversations say, at most.
const MOST_THREADS: usize = 4;

/// Everybody whom messages and records name.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// Looked up for every name of every message.
    people: HashMap<String, Person, RandomState>,
}

impl People {
    /// What every version of every message of some conversations says, or of all if none is named, and
    /// the records of their members and of everybody found. `None` if it was stopped.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn collect(
        snapshot: &Snapshot,
        conversations: &[String],
        on_progress: OnProgress<'_>,
    ) -> Result<Option<Self>> {
        let mut people = Self::default();
        let is_whole =
            each(snapshot, (conversations, Wanted::Everything), on_progress, &mut |_, facts| {
                people.add(facts);
            })?;
        if !is_whole {
            return Ok(None);
        }
        people.finish(snapshot, conversations)?;
        Ok(Some(people))
    }

    /// Adds what records say of members, and of everybody found.
    fn finish(&mut self, snapshot: &Snapshot, conversations: &[String]) -> Result<()> {
        self.add_members(snapshot, conversations)?;
        let mut ids: Vec<String> = Vec::new();
        if !conversations.is_empty() {
            let pairs = conversations.iter().filter_map(|id| ConversationKind::pair(id));
            ids.extend(pairs.flat_map(|(left, right)| [left.to_owned(), right.to_owned()]));
            ids.extend(self.people.keys().cloned());
            ids.sort_unstable();
            ids.dedup();
        }
        if conversations.is_empty() || !ids.is_empty() {
            self.add_users(snapshot, ids)?;
        }
        self.people.values_mut().for_each(Person::shrink);
        Ok(())
    }

    /// Adds what the records of users say who may be in no conversation that was read.
    ///
    /// `Archive` if the archive cannot be read.
    pub fn look_up(&mut self, snapshot: &Snapshot, mut users: Vec<String>) -> Result<()> {
        users.retain(|id| !self.people.contains_key(id));
        if users.is_empty() { Ok(()) } else { self.add_users(snapshot, users) }
    }

    fn add_members(&mut self, snapshot: &Snapshot, chats: &[String]) -> Result<()> {
        let conversations = chats.to_vec();
        let scan = Scan { record: RecordKind::Member, conversations, ..Scan::default() };
        record::each(snapshot, scan, &mut |_, document, since, next| {
            self.tell(record::member(document), since, next);
        })
    }

    /// The conversation of a user's record is the user's id.
    fn add_users(&mut self, snapshot: &Snapshot, conversations: Vec<String>) -> Result<()> {
        let scan = Scan { record: RecordKind::User, conversations, ..Scan::default() };
        record::each(snapshot, scan, &mut |_, document, since, next| {
            self.tell(record::user(document), since, next);
        })
    }

    /// Adds what a version of a record says, which holds until the next one.
    fn tell(&mut self, told: Option<record::Told>, since: Timestamp, next: Option<Timestamp>) {
        let Some(told) = told else { return };
        let until = next.map_or(since, |next| Timestamp::from_ticks(next.ticks() - 1).max(since));
        let person = self.people.entry(told.id.clone());
        person.or_insert_with(|| Person::called(&told.id, since)).tell(&told, (since, until));
    }

    /// Adds what the messages of a conversation say.
    fn add(&mut self, facts: &Facts) {
        for fact in facts.iter().filter(|fact| person::is_of_somebody(&fact.said)) {
            if let Some(person) = self.people.get_mut(fact.id) {
                person.add(&fact);
            } else {
                drop(self.people.insert(fact.id.to_owned(), Person::new(&fact)));
            }
        }
    }

    /// Somebody by id.
    pub fn get(&self, id: &str) -> Option<&Person> {
        self.people.get(id)
    }

    /// Everybody, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Person> {
        let mut all: Vec<&Person> = self.people.values().collect();
        all.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        all.into_iter()
    }

    /// Everybody, in no order.
    pub fn each(&self) -> impl Iterator<Item = &Person> + Clone {
        self.people.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Is there nobody?
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// What somebody was called at a time: see [`Person::name_at`].
    pub fn name_at(&self, id: &str, at: Timestamp) -> Option<&str> {
        self.get(id)?.name_at(at)
    }

    /// Every name of somebody with the first and the last time that it was seen, oldest first.
    pub fn known_names(&self, id: &str) -> impl Iterator<Item = (&str, Timestamp, Timestamp)> {
        let names = self.get(id).map(Person::names).unwrap_or_default();
        names.iter().map(|name| (name.name.as_str(), name.first, name.last))
    }

    /// Everybody with a name, an address or an id that has this text in it, in upper or lower case:
    /// whole ones first, then those where a word starts with it. No text finds everybody.
    pub fn search(&self, text: &str) -> Vec<&Person> {
        let text = text.trim().to_lowercase();
        let ranked = self.iter().filter_map(|person| Some((person.rank(&text)?, person)));
        let mut found: Vec<(u8, &Person)> = ranked.collect();
        let name = |person: &Person| person.name().map(str::to_lowercase);
        found.sort_by_cached_key(|(rank, person)| {
            let name = name(person);
            (Reverse(*rank), name.is_none(), name, person.id.clone())
        });
        found.into_iter().map(|(_, person)| person).collect()
    }
}

/// Calls `on` with what the messages of each conversation say, or of all if none is named; false if it
/// was stopped.
fn each(
    snapshot: &Snapshot,
    (conversations, wanted): (&[String], Wanted),
    on_progress: OnProgress<'_>,
    on: &mut dyn FnMut(&str, &Facts),
) -> Result<bool> {
    let mut all: Vec<String> = Vec::new();
    if conversations.is_empty() {
        let mut add = |row: RowKeys<'_>| {
            if all.last().is_none_or(|last| last != row.conversation()) {
                all.push(row.conversation().to_owned());
            }
        };
        let _rows = snapshot.keys(&Scan::default(), &mut add).map_err(Error::Archive)?;
    }
    let named = if all.is_empty() { conversations } else { &all };
    let slices = named.chunks(PROGRESS_STEP);
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    let mut workers = vec![(); slices.len().clamp(1, cores.min(MOST_THREADS))];
    let read = |(): &mut (), slice: &[String]| snapshot.facts(slice, wanted);
    let (mut done, mut ids) = (0, named.iter());
    let take = |facts: chatvault_engine::Result<Vec<Facts>>| {
        let facts = match facts {
            Ok(facts) => facts,
            Err(cause) => return ControlFlow::Break(Err(Error::Archive(cause))),
        };
        done += facts.len();
        // In this order: at the end of the facts no id is taken.
        facts.iter().zip(ids.by_ref()).for_each(|(facts, id)| on(id, facts));
        let progress = Progress::new(done as u64, None, Unit::Conversations);
        let is_told = done.is_multiple_of(PROGRESS_STEP);
        if is_told && on_progress(&progress).is_break() {
            return ControlFlow::Break(Ok(false));
        }
        ControlFlow::Continue(())
    };
    match threads::in_order("chatvault-names", &mut workers, slices, read, take) {
        ControlFlow::Continue(()) => Ok(true),
        ControlFlow::Break(ended) => ended,
    }
}
