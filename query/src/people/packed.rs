//! A conversation as bytes: what is kept of each of very many, a hundred bytes instead of a thousand.
//!
//! ```text
//! packed := flags, messages, events, first, last, [ team ], [ original ],
//!           count, { time, topic }, count, { member }
//! member := number, steps * 2 + has it written, [ first, last written ], { time * 2 + has it come }
//! ```
//!
//! Numbers take seven bits a byte; times are differences to the time before, in the order of zigzag.
//! People and teams are numbers of [`Ids`]. Its own id is kept beside it.
//!
//! Invariant: what comes back equals what was packed. The bytes never leave the process.

use std::sync::Arc;

use chatvault_engine::Timestamp;

use super::conversation::{Conversation, Presence, Step};
use super::ids::Ids;
use super::kind::ConversationKind;

const IS_CHANNEL: u64 = 1;
const HAS_TEAM: u64 = 2;
const HAS_ORIGINAL: u64 = 4;

/// What is left of an id or a count that does not fit: there are no such many.
const NONE: u64 = u32::MAX as u64;

pub(super) fn pack(one: &Conversation, people: &mut Ids, teams: &mut Ids) -> Box<[u8]> {
    let mut out = Packer { bytes: Vec::with_capacity(256), time: 0 };
    let is_channel = one.kind != ConversationKind::of(&one.id);
    let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
    out.number(
        flag(is_channel, IS_CHANNEL)
            | flag(one.team.is_some(), HAS_TEAM)
            | flag(one.original.is_some(), HAS_ORIGINAL),
    );
    out.number(one.messages);
    out.number(one.events);
    out.time(one.first);
    out.time(one.last);
    if let Some(team) = &one.team {
        let _kept = teams.keep(team);
        out.number(teams.number(team).map_or(NONE, u64::from));
    }
    if let Some(original) = &one.original {
        out.text(original);
    }
    out.number(one.topics.len() as u64);
    for (at, topic) in one.topics.iter() {
        out.time(*at);
        out.text(topic);
    }
    out.number(one.members.len() as u64);
    for (id, presence) in one.members.iter() {
        // The two of a chat of two may not have been kept: they are in its id.
        let _kept = people.keep(id);
        out.number(people.number(id).map_or(NONE, u64::from));
        out.presence(presence);
    }
    out.bytes.into_boxed_slice()
}

struct Packer {
    bytes: Vec<u8>,
    /// The last one.
    time: i64,
}

impl Packer {
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(low_bits(number) | 0x80);
            number >>= 7;
        }
        self.bytes.push(low_bits(number));
    }

    fn time(&mut self, at: Timestamp) {
        let step = self.step(at);
        self.number(step);
    }

    /// The zigzag of the difference to the time before.
    fn step(&mut self, at: Timestamp) -> u64 {
        let difference = at.ticks().wrapping_sub(self.time);
        self.time = at.ticks();
        ((difference << 1) ^ (difference >> 63)).cast_unsigned()
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn presence(&mut self, presence: &Presence) {
        self.number(presence.steps.len() as u64 * 2 + u64::from(presence.sent.is_some()));
        if let Some((first, last)) = presence.sent {
            self.time(first);
            self.time(last);
        }
        for (at, step) in presence.steps.iter() {
            self.number(u64::from(*step == Step::Came));
            self.time(*at);
        }
    }
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or(0)
}

/// The conversation of an id; its team's names are added by the caller.
pub(super) fn unpack(id: &str, bytes: &[u8], people: &Ids, teams: &Ids) -> Conversation {
    let mut from = Unpacker { bytes, time: 0 };
    let mut one = Conversation::new(id);
    let flags = from.number();
    if flags & IS_CHANNEL != 0 {
        one.kind = ConversationKind::Channel;
    }
    (one.messages, one.events) = (from.number(), from.number());
    (one.first, one.last) = (from.time(), from.time());
    if flags & HAS_TEAM != 0 {
        one.team = named(teams, from.number()).map(|team| String::from(&**team));
    }
    if flags & HAS_ORIGINAL != 0 {
        one.original = Some(from.text());
    }
    one.topics = (0..from.number()).map(|_| (from.time(), from.text())).collect();
    let members = from.number();
    one.members = (0..members)
        .filter_map(|_| {
            let (number, presence) = (from.number(), from.presence());
            Some((Arc::clone(named(people, number)?), presence))
        })
        .collect();
    one
}

fn named(ids: &Ids, number: u64) -> Option<&Arc<str>> {
    ids.get(u32::try_from(number).ok()?)
}

struct Unpacker<'b> {
    bytes: &'b [u8],
    time: i64,
}

impl Unpacker<'_> {
    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            shift = (shift + 7).min(63);
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    fn time(&mut self) -> Timestamp {
        let step = self.number();
        let difference = (step >> 1).cast_signed() ^ -((step & 1).cast_signed());
        self.time = self.time.wrapping_add(difference);
        Timestamp::from_ticks(self.time)
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.number()).unwrap_or(0);
        let (text, rest) = self.bytes.split_at_checked(length).unwrap_or((self.bytes, &[]));
        self.bytes = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn presence(&mut self) -> Presence {
        let head = self.number();
        let sent = (head & 1 == 1).then(|| (self.time(), self.time()));
        let step = |from: &mut Self| {
            let step = if from.number() == 1 { Step::Came } else { Step::Left };
            (from.time(), step)
        };
        Presence { steps: (0..head / 2).map(|_| step(self)).collect(), sent }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: [&str; 3] =
        ["19:chat@thread.v2", "19:ann_ben@unq.gbl.spaces", "19:general@thread.tacv2"];

    fn presence() -> impl Strategy<Value = (u8, i64, bool)> {
        (0_u8..6, any::<i64>(), any::<bool>())
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(
            id in 0_usize..3,
            numbers in any::<(u64, u64, i64, i64)>(),
            team in any::<Option<String>>(),
            original in any::<Option<String>>(),
            topics in prop::collection::vec(any::<(i64, String)>(), 0..4),
            members in prop::collection::vec(presence(), 0..9),
        ) {
            let (mut people, mut teams) = (Ids::default(), Ids::default());
            let mut one = Conversation::new(IDS[id]);
            (one.messages, one.events) = (numbers.0, numbers.1);
            one.first = Timestamp::from_ticks(numbers.2);
            one.last = Timestamp::from_ticks(numbers.3);
            if let Some(team) = &team {
                one.add_team(team);
            }
            one.original = original;
            for (at, topic) in topics {
                one.add_topic(&topic, Timestamp::from_ticks(at));
            }
            for (who, at, came) in members {
                let step = if came { Step::Came } else { Step::Left };
                let (who, at) = (format!("p{who}"), Timestamp::from_ticks(at));
                one.change(&who, &mut |id| people.keep(id), |presence| {
                    presence.steps.insert(at, step);
                    if at.ticks() % 2 == 0 {
                        presence.sent = Some((at, at));
                    }
                });
            }
            let bytes = pack(&one, &mut people, &mut teams);
            prop_assert_eq!(unpack(IDS[id], &bytes, &people, &teams), one);
        }
    }
}
