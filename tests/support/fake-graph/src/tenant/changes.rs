//! What happens to a message after it was written: edits, reactions, deletion, a policy.

use chatvault_support::Random;

use super::life::{Message, What};
use super::people::People;
use super::places::Conversation;
use super::types::{DAY_MS, Ms};

/// One change; each makes a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Edit,
    React { author: u32, kind: u8 },
    Unreact { author: u32, kind: u8 },
    Delete,
    Undelete,
    Block,
    Unblock,
}

/// A message after some of its changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// How often the text was replaced.
    pub(super) edits: u64,
    pub(super) edited: Option<Ms>,
    pub(super) deleted: Option<Ms>,
    pub(super) blocked: bool,
    /// A policy had blocked it before.
    pub(super) lifted: bool,
    pub(super) reactions: Vec<Reaction>,
    /// All reactions ever, and whether each was added.
    pub(super) history: Vec<(bool, Reaction)>,
}

/// Who reacted how and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reaction {
    pub(super) author: u32,
    pub(super) kind: u8,
    pub(super) at: Ms,
}

/// Kinds of reactions: what `reactionType` says and what it is called. The last is custom.
pub(super) const REACTIONS: [(&str, Option<&str>); 8] = [
    ("👍", Some("Like")),
    ("like", None),
    ("heart", None),
    ("😆", Some("Laugh")),
    ("surprised", None),
    ("🎉", Some("Party")),
    ("👩‍🚀", Some("Astronaut")),
    ("custom", Some("team_mascot")),
];
/// Index of the custom reaction, which has a picture.
pub(super) const CUSTOM: u8 = 7;

/// What happens to a message.
pub(super) fn plan(message: &Message, place: &Conversation, people: &People) -> Vec<(Ms, Change)> {
    if matches!(message.what, What::Event(_)) {
        return Vec::new();
    }
    let mut random = message.random(1);
    let mut all = Vec::new();
    edits(message, &mut random, &mut all);
    reactions(message, (place, people), &mut random, &mut all);
    policy(message, &mut random, &mut all);
    all.sort_by_key(|(at, _)| *at);
    apart(message.first, &mut all);
    deletion(message, &mut random, &mut all);
    all.retain(|(at, _)| *at < place.ends);
    all
}

fn within(random: &mut Random, from: Ms, to: Ms) -> Ms {
    from + Ms::try_from(random.below(to.saturating_sub(from).unsigned_abs())).unwrap_or(0)
}

/// Between two edits: seconds, hours or days.
fn pause(random: &mut Random) -> Ms {
    match random.below(10) {
        0..4 => within(random, 1_500, 50_000),
        4..8 => within(random, 60_000, 5 * 3_600_000),
        _ => within(random, DAY_MS, 12 * DAY_MS),
    }
}

fn edits(message: &Message, random: &mut Random, all: &mut Vec<(Ms, Change)>) {
    let count = if random.chance(14) { 1 + random.below(4) } else { 0 };
    let mut at = message.first;
    for _ in 0..count {
        at += pause(random);
        all.push((at, Change::Edit));
    }
}

fn reactions(
    message: &Message,
    (place, people): (&Conversation, &People),
    random: &mut Random,
    all: &mut Vec<(Ms, Change)>,
) {
    let count = if random.chance(22) { 1 + random.below(3) } else { 0 };
    for _ in 0..count {
        let at = message.first + within(random, 2_000, DAY_MS);
        let Some(author) = random.pick(&place.members).map(|one| one.author) else { continue };
        let twice = all.iter().any(|(_, other)| matches!(other, Change::React { author: by, .. } if *by as usize == author));
        if twice || !place.member(author, at) || !people.active(author, at) {
            continue;
        }
        let author = u32::try_from(author).unwrap_or(0);
        let kind = u8::try_from(random.index(REACTIONS.len())).unwrap_or(0);
        all.push((at, Change::React { author, kind }));
        if random.chance(25) {
            all.push((at + within(random, 1_000, 2 * DAY_MS), Change::Unreact { author, kind }));
        }
    }
}

/// A policy blocks few messages, soon; some block is lifted later.
fn policy(message: &Message, random: &mut Random, all: &mut Vec<(Ms, Change)>) {
    if random.below(1000) < 12 {
        let at = message.first + within(random, 2_000, 60_000);
        all.push((at, Change::Block));
        if random.chance(40) {
            all.push((at + within(random, 3_600_000, 30 * 3_600_000), Change::Unblock));
        }
    }
}

/// No two changes at one time.
fn apart(first: Ms, all: &mut [(Ms, Change)]) {
    let mut last = first;
    for (at, _) in all {
        *at = (*at).max(last + 150);
        last = *at;
    }
}

/// Deletes some messages: nothing happens to them afterwards, but that it may be undone.
fn deletion(message: &Message, random: &mut Random, all: &mut Vec<(Ms, Change)>) {
    if !random.chance(7) {
        return;
    }
    let soon = random.chance(50);
    let at = message.first + within(random, 3_000, if soon { 3_600_000 } else { 15 * DAY_MS });
    all.retain(|(other, _)| *other + 150 < at);
    all.push((at, Change::Delete));
    if random.chance(25) {
        let undone = at + within(random, 4_000, 600_000);
        all.push((undone, Change::Undelete));
        if random.chance(30) {
            all.push((undone + within(random, 3_000, 900_000), Change::Edit));
        }
    }
}

impl State {
    /// A message after so many changes.
    pub(super) fn after(message: &Message, step: usize) -> Self {
        let mut state = Self::default();
        for (at, change) in message.changes.iter().take(step) {
            state.apply(*at, *change, message.seed);
        }
        state
    }

    fn apply(&mut self, at: Ms, change: Change, seed: u64) {
        // The author's client is a little ahead of the store, reactions a little behind.
        let early = Ms::try_from(60 + seed % 80).unwrap_or(0);
        match change {
            Change::Edit => (self.edits, self.edited) = (self.edits + 1, Some(at - early)),
            Change::Delete => self.deleted = Some(at - early / 3),
            Change::Undelete => self.deleted = None,
            Change::Block => self.blocked = true,
            Change::Unblock => (self.blocked, self.lifted) = (false, true),
            Change::React { author, kind } => {
                let one = Reaction { author, kind, at: at + early / 3 };
                self.reactions.push(one);
                self.history.push((true, one));
            }
            Change::Unreact { author, kind } => {
                self.reactions.retain(|one| one.author != author);
                self.history.push((false, Reaction { author, kind, at }));
            }
        }
    }
}

/// When a message was deleted for good.
pub(super) fn deleted_for_good(message: &Message) -> Option<Ms> {
    let gone = State::after(message, message.changes.len()).deleted.is_some();
    let at = message.changes.iter().rev().find(|(_, change)| *change == Change::Delete);
    at.filter(|_| gone).map(|(at, _)| *at)
}
