//! What is written, where, by whom and when: the plan of every message, without its text.

use std::collections::HashSet;

use chatvault_support::Random;

use super::changes::{self, Change};
use super::people::People;
use super::places::{Conversation, Kind, Places};
use super::types::{DAY_MS, Ms, Setup};

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Text,
    Html,
    Mention,
    Everyone,
    Emoji,
    CustomEmoji,
    Image,
    Code,
    Card,
    PictureCard,
    File,
    Tab,
    Meeting,
    /// Answers [`Message::other`] with a `messageReference`.
    Reference,
    /// The same as clients of old times wrote it.
    OldReply,
    Forwarded,
    /// With keys and enum values that nobody knows.
    Future,
    /// Number of a system event.
    Event(u8),
}

/// One message and what became of it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) conversation: u32,
    pub(super) author: u32,
    /// Its id, too.
    pub(super) created: Ms,
    /// `lastModifiedDateTime` of the first version.
    pub(super) first: Ms,
    /// Id of the root it replies to.
    pub(super) root: Option<Ms>,
    /// The message it quotes.
    pub(super) other: Option<u32>,
    pub(super) what: What,
    pub(super) seed: u64,
    /// Each makes a version; in order of time, no two at one time.
    pub(super) changes: Vec<(Ms, Change)>,
    /// Number of its first version among all versions.
    pub(super) version: u32,
}

impl Message {
    /// `lastModifiedDateTime` after so many changes.
    pub(super) fn modified(&self, step: usize) -> Ms {
        let change = step.checked_sub(1).and_then(|last| self.changes.get(last));
        change.map_or(self.first, |(at, _)| *at)
    }

    /// Versions there are in the end.
    pub(super) fn steps(&self) -> usize {
        self.changes.len() + 1
    }

    /// A stream of chance of its own for one purpose.
    pub(super) fn random(&self, purpose: u64) -> Random {
        Random::new(self.seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

/// How many in a thousand messages are of a kind; the rest is plain HTML.
const KINDS: [(u64, What); 16] = [
    (300, What::Text),
    (90, What::Mention),
    (15, What::Everyone),
    (50, What::Emoji),
    (15, What::CustomEmoji),
    (50, What::Image),
    (15, What::Code),
    (25, What::Card),
    (10, What::PictureCard),
    (50, What::File),
    (8, What::Tab),
    (6, What::Meeting),
    (50, What::Reference),
    (8, What::OldReply),
    (20, What::Forwarded),
    (15, What::Future),
];
const EVENTS_PERCENT: u64 = 10;
/// Events of chats, and of channels; numbers of [`super::events::NAMES`].
const CHAT_EVENTS: [u8; 17] = [0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 27, 28, 29];
const CHANNEL_EVENTS: [u8; 22] =
    [4, 5, 6, 7, 8, 9, 20, 21, 22, 23, 24, 25, 26, 0, 1, 2, 13, 14, 11, 19, 27, 28];

/// Writes messages in the order of time.
pub(super) struct Life<'a> {
    people: &'a People,
    places: &'a Places,
    random: Random,
    /// Running sums of the conversations' weights.
    weights: Vec<u64>,
    /// Latest messages (of channels: root posts) of each conversation.
    recent: Vec<Vec<u32>>,
    /// Ids in use: unique in a chat, among a channel's roots, among a root's replies.
    taken: HashSet<(usize, Ms, Ms)>,
    events: [usize; 2],
    messages: Vec<Message>,
}

impl<'a> Life<'a> {
    /// Everything that is written in the days of the set-up.
    pub(super) fn messages(
        setup: &Setup,
        people: &'a People,
        places: &'a Places,
        mut random: Random,
    ) -> Vec<Message> {
        let mut sum = 0;
        let weigh = |one: &Conversation| {
            sum += one.weight;
            sum
        };
        let weights = places.conversations.iter().map(weigh).collect();
        let times = times(setup, &mut random);
        let mut life = Self {
            people,
            places,
            random,
            weights,
            recent: vec![Vec::new(); places.conversations.len()],
            taken: HashSet::with_capacity(times.len()),
            events: [0; 2],
            messages: Vec::with_capacity(times.len()),
        };
        for at in times {
            life.write(at);
        }
        life.messages
    }

    fn write(&mut self, at: Ms) {
        // Some messages have the id of another message elsewhere: ids are unique in their place only.
        let same = self.random.chance(3).then(|| self.messages.last().map(|last| last.created));
        let at = same.flatten().unwrap_or(at);
        for _ in 0..8 {
            let sum = self.weights.last().copied().unwrap_or(0);
            let ticket = self.random.below(sum);
            let place = self.weights.partition_point(|weight| *weight <= ticket);
            if let Some(author) = self.author(place, at) {
                return self.put(place, author, at);
            }
        }
    }

    /// Somebody who may write there then.
    fn author(&mut self, place: usize, at: Ms) -> Option<usize> {
        let conversation = self.places.conversations.get(place)?;
        let programs = !matches!(conversation.kind, Kind::Direct);
        if at >= conversation.ends || conversation.members.is_empty() {
            return None;
        }
        let start = self.random.index(conversation.members.len());
        let around =
            conversation.members.iter().cycle().skip(start).take(conversation.members.len());
        let member = around
            .copied()
            .find(|one| one.from <= at && at < one.until && self.people.active(one.author, at))?;
        if programs && self.random.chance(6) {
            return self.random.pick(&self.people.programs).copied();
        }
        Some(member.author)
    }

    fn put(&mut self, place: usize, author: usize, at: Ms) {
        let Some(conversation) = self.places.conversations.get(place) else { return };
        let channel = conversation.kind == Kind::Channel;
        let recent = self.recent.get(place).and_then(|recent| self.random.pick(recent)).copied();
        let event = self.random.chance(EVENTS_PERCENT);
        let reply = channel && !event && self.random.chance(55);
        let root = recent.filter(|_| reply).and_then(|root| self.messages.get(root as usize));
        let root = root.map(|root| root.created);
        let mut created = at;
        while !self.taken.insert((place, root.unwrap_or(0), created)) {
            created += 1;
        }
        let what = if event { self.event(channel) } else { self.kind(channel, recent) };
        let first = self.first(what, created);
        let seed = self.random.next_u64();
        let mut message = Message {
            conversation: u32::try_from(place).unwrap_or(0),
            author: u32::try_from(author).unwrap_or(0),
            created,
            first,
            root,
            other: recent,
            what,
            seed,
            changes: Vec::new(),
            version: 0,
        };
        message.changes = changes::plan(&message, conversation, self.people);
        let number = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        self.messages.push(message);
        if root.is_none() && !event {
            self.remember(place, number);
        }
    }

    /// The service touches some events once more right after they were written.
    fn first(&mut self, what: What, created: Ms) -> Ms {
        let touched = matches!(what, What::Event(_)) && self.random.chance(30);
        created + if touched { 1_077 } else { 0 }
    }

    fn remember(&mut self, place: usize, number: u32) {
        let Some(recent) = self.recent.get_mut(place) else { return };
        if recent.len() == 6 {
            let _ = recent.remove(0);
        }
        recent.push(number);
    }

    /// Events take turns, so that every kind of them occurs.
    fn event(&mut self, channel: bool) -> What {
        let (list, turn): (&[u8], _) = if channel {
            (&CHANNEL_EVENTS, &mut self.events[1])
        } else {
            (&CHAT_EVENTS, &mut self.events[0])
        };
        let number = list.get(*turn % list.len()).copied().unwrap_or(0);
        *turn += 1;
        What::Event(number)
    }

    fn kind(&mut self, channel: bool, other: Option<u32>) -> What {
        let mut ticket = self.random.below(1000);
        for (share, what) in KINDS {
            if ticket < share {
                let quotes = matches!(what, What::Reference | What::OldReply | What::Forwarded);
                let fits = if quotes {
                    other.is_some() && !channel
                } else {
                    channel || what != What::Meeting
                };
                return if fits { what } else { What::Html };
            }
            ticket -= share;
        }
        What::Html
    }
}

/// When messages are written: in working hours mostly, some in the same second.
fn times(setup: &Setup, random: &mut Random) -> Vec<Ms> {
    let hours = [0, 6, 8, 9, 9, 10, 10, 11, 12, 13, 13, 14, 14, 15, 15, 16, 17, 19, 22];
    let mut times = Vec::new();
    for day in 0..Ms::from(setup.days) {
        for _ in 0..setup.messages_per_day {
            let hour = random.pick(&hours).copied().unwrap_or(0);
            let within = Ms::try_from(random.below(3_600_000)).unwrap_or(0);
            let within = if random.chance(3) { within / 1000 * 1000 } else { within };
            times.push(setup.from + day * DAY_MS + hour * 3_600_000 + within);
        }
    }
    times.sort_unstable();
    times
}
