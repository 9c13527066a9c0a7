//! Facts: what messages say of people and of their conversations, joined over all rows.
//!
//! The facts of a row are a function of the row. Equal facts of many rows are one, with the first and
//! the last time that it was said, and how often: they can be joined in any order. A segment has those of
//! its long conversations, so that nobody reads a conversation's whole history to learn who is who in it;
//! of a short one its rows are read.
//!
//! Bytes: FORMAT.md, "Facts".

mod item;
mod note;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use item::{is_whole, put};
pub(crate) use read::of_conversations;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::document::Document;
use crate::format::bytes::{Reader, put_block};
use crate::format::limits::decoded;
use crate::table::ordered64;
use crate::types::{MessageKind, Timestamp};

/// A conversation of a segment has facts there from so many rows on. Fewer lie in a row group or two:
/// to read them costs little, and facts of all would take 17 bytes a row instead of 0.5.
pub(crate) const LONG_ROWS: u32 = 256;
/// A longer id and text together make no fact: keys stay small, whatever comes in.
const MOST_BYTES: usize = 4_096;
/// Bytes of a time in a key.
const TIME_BYTES: usize = 8;
/// What a fact takes in memory besides its key.
const WHEN_BYTES: usize = 32;

/// What a fact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Said<'f> {
    /// There are messages. Of nobody.
    Began,
    /// They sent messages.
    Sent,
    /// They are named by their id and nothing else.
    Seen,
    /// They are called so.
    Name(&'f str),
    /// They have this address.
    Address(&'f str),
    /// They are of this kind, in the service's word, such as `aadUser`.
    Kind(&'f str),
    /// They joined.
    Came,
    /// They left.
    Left,
    /// The conversation, or the channel whose id stands in the place of a person's, got this name; empty:
    /// it has none any more.
    Topic(&'f str),
}

impl Said<'_> {
    /// Does it say what somebody is called?
    fn is_name(&self) -> bool {
        matches!(self, Self::Seen | Self::Name(_) | Self::Address(_) | Self::Kind(_))
    }
}

/// Which facts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// All of them.
    Everything,
    /// [`Said::Began`], [`Said::Sent`], [`Said::Came`], [`Said::Left`] and [`Said::Topic`]: for these no
    /// message is read but events.
    Presence,
}

/// What messages of a conversation say of somebody, and when they said it first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact<'f> {
    /// Whom it is about; empty for nobody.
    pub id: &'f str,
    /// What is said.
    pub said: Said<'f>,
    /// When it was said first.
    pub first: Timestamp,
    /// When it was said last.
    pub last: Timestamp,
    /// How often it was said, in all stored rows.
    pub times: u64,
}

/// Everything that the messages of a conversation say: see [`Snapshot::facts`](crate::Snapshot::facts).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<(Box<[u8]>, When)>);

impl Facts {
    /// Each fact once, by id; of one id by what is said, and what happened at a time by that time.
    pub fn iter(&self) -> impl Iterator<Item = Fact<'_>> {
        self.0.iter().filter_map(|(key, when)| fact(key, *when))
    }

    fn retain(&mut self, wanted: Wanted) {
        if wanted == Wanted::Presence {
            self.0.retain(|(key, when)| fact(key, *when).is_some_and(|fact| !fact.said.is_name()));
        }
    }

    /// Bytes in memory, about.
    fn bytes(&self) -> usize {
        self.0.iter().map(|(key, _)| key.len() + WHEN_BYTES).sum()
    }
}

/// The first and the last time, in ticks, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct When {
    first: i64,
    last: i64,
    times: u64,
}

impl When {
    fn and(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            times: self.times.saturating_add(other.times),
        }
    }
}

/// Codes of what is said; steps have their time in the key.
mod code {
    pub(super) const BEGAN: u8 = 0;
    pub(super) const SENT: u8 = 1;
    pub(super) const SEEN: u8 = 2;
    pub(super) const NAME: u8 = 3;
    pub(super) const ADDRESS: u8 = 4;
    pub(super) const KIND: u8 = 5;
    pub(super) const CAME: u8 = 6;
    pub(super) const LEFT: u8 = 7;
    pub(super) const TOPIC: u8 = 8;

    pub(super) fn is_step(code: u8) -> bool {
        matches!(code, CAME | LEFT | TOPIC)
    }
}

/// A time as keys have it: bytes are in the order of times.
fn ordered(ticks: i64) -> [u8; TIME_BYTES] {
    ordered64(ticks.cast_unsigned() ^ 1 << 63)
}

/// Where the time of a step stands in its key.
fn step_place(key: &[u8]) -> Option<usize> {
    let reader = &mut Reader::new(key);
    let (_id, code) = (reader.block()?, reader.u8()?);
    code::is_step(code).then_some(key.len() - reader.rest().len())
}

/// A fact by its key and times; `None` if it is damaged.
fn fact(key: &[u8], When { first, last, times }: When) -> Option<Fact<'_>> {
    let reader = &mut Reader::new(key);
    let (id, code) = (reader.text()?, reader.u8()?);
    let mut is_right = first <= last;
    if code::is_step(code) {
        is_right = reader.array()? == ordered(first) && first == last;
    }
    let text = std::str::from_utf8(reader.rest()).ok()?;
    let alone = |said| text.is_empty().then_some(said);
    let said = match code {
        code::BEGAN => alone(Said::Began)?,
        code::SENT => alone(Said::Sent)?,
        code::SEEN => alone(Said::Seen)?,
        code::NAME => Said::Name(text),
        code::ADDRESS => Said::Address(text),
        code::KIND => Said::Kind(text),
        code::CAME => alone(Said::Came)?,
        code::LEFT => alone(Said::Left)?,
        code::TOPIC => Said::Topic(text),
        _ => return None,
    };
    let time = Timestamp::from_ticks;
    is_right.then_some(Fact { id, said, first: time(first), last: time(last), times })
}

/// What is known of a message without reading it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saying<'r> {
    pub(crate) sender: Option<&'r str>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) kind: MessageKind,
}

/// Joins the facts of rows of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    all: HashMap<Box<[u8]>, When, RandomState>,
    key: Vec<u8>,
    /// Of the keys, and of what stands beside each.
    bytes: usize,
}

impl Gathering {
    /// Adds what a message says, and that it was sent.
    pub(crate) fn add(&mut self, row: &Saying<'_>, message: &Document<'_>) {
        self.add_sent(row);
        let (created, modified) = (row.created.ticks(), row.modified.ticks());
        note::names(message, &mut |is_of_change, said| {
            self.put(said, if is_of_change { modified } else { created });
        });
        self.add_steps(row, message);
    }

    /// Adds that a message was sent.
    fn add_sent(&mut self, row: &Saying<'_>) {
        let created = row.created.ticks();
        self.put(("", code::BEGAN, ""), created);
        if let Some(sender) = row.sender {
            self.put((sender, code::SENT, ""), created);
        }
    }

    /// Adds what happened, if a message is an event.
    fn add_steps(&mut self, row: &Saying<'_>, message: &Document<'_>) {
        if row.kind == MessageKind::System {
            note::steps(message, &mut |said| self.put(said, row.created.ticks()));
        }
    }

    fn put(&mut self, (id, code, text): (&str, u8, &str), at: i64) {
        if id.len() + text.len() > MOST_BYTES {
            return;
        }
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        put_block(&mut key, id.as_bytes());
        key.push(code);
        if code::is_step(code) {
            key.extend_from_slice(&ordered(at));
        }
        key.extend_from_slice(text.as_bytes());
        self.join(&key, When { first: at, last: at, times: 1 });
        self.key = key;
    }

    fn join(&mut self, key: &[u8], when: When) {
        if let Some(known) = self.all.get_mut(key) {
            *known = known.and(when);
        } else {
            self.bytes += key.len() + WHEN_BYTES;
            let _new = self.all.insert(key.into(), when);
        }
    }

    /// Are they more than a segment has of a conversation?
    pub(crate) fn are_too_many(&self) -> bool {
        self.bytes > decoded::FACTS
    }

    /// Adds those of other rows.
    pub(crate) fn join_all(&mut self, facts: &Facts) {
        facts.0.iter().for_each(|(key, when)| self.join(key, *when));
    }

    /// Adds those of a segment; `None`, and some of them added, if they are damaged.
    pub(crate) fn add_item(&mut self, item: &[u8]) -> Option<()> {
        item::read(item, &mut |key, when| self.join(key, when))
    }

    /// All of them; starts anew.
    pub(crate) fn finish(&mut self) -> Facts {
        self.bytes = 0;
        let mut all: Vec<(Box<[u8]>, When)> = self.all.drain().collect();
        all.sort_unstable();
        Facts(all)
    }
}
