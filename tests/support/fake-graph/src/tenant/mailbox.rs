//! Who has a copy of which version, and when an export shows it.
//!
//! A chat message lies in the mailbox of everybody who was a member when it was written, a channel
//! message once with the team that hosts the channel. Copies follow changes with a delay of their
//! own, and no longer when their owner left the chat.

use chatvault_support::Random;

use super::changes::Change;
use super::life::Message;
use super::people::{People, User};
use super::places::{Conversation, Places};
use super::types::{
    DELETED_VISIBLE_MS, LONGEST_LAG_MS, Ms, RECYCLE_BIN_MS, RETAINED_VISIBLE_MS, Setup,
};

/// One version in one mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) version: u32,
    pub(super) message: u32,
    pub(super) modified: Ms,
    /// Shown from here on …
    pub(super) from: Ms,
    /// … until before this moment by `getAllMessages`; at or before `from`: never …
    pub(super) until: Ms,
    /// … and by the retained endpoint.
    pub(super) retained_until: Ms,
    /// Without the sender's name.
    pub(super) bare: bool,
    /// The place in the order of answers.
    pub(super) order: u32,
}

/// The copies of everybody, each sorted by `modified`.
#[derive(Debug)]
pub(super) struct Mailboxes {
    pub(super) users: Vec<Vec<Entry>>,
    pub(super) teams: Vec<Vec<Entry>>,
}

/// Whose copy it is, for its own delay, and how long changes reach it and exports show it.
#[derive(Clone, Copy, Debug)]
struct Owner {
    key: u64,
    follows_until: Ms,
    shown_until: Ms,
}

impl Mailboxes {
    pub(super) fn new(
        setup: &Setup,
        people: &People,
        places: &Places,
        messages: &[Message],
    ) -> Self {
        let mut all = Self {
            users: vec![Vec::new(); people.users.len()],
            teams: vec![Vec::new(); places.teams.len()],
        };
        for (number, message) in (0..).zip(messages) {
            let Some(place) = places.conversations.get(message.conversation as usize) else {
                continue;
            };
            match place.team {
                Some(team) => all.channel(setup, places, (team, number), message),
                None => all.chat(setup, people, (place, number), message),
            }
        }
        for mailbox in all.users.iter_mut().chain(&mut all.teams) {
            mailbox.sort_unstable_by_key(|entry| (entry.modified, entry.version));
        }
        all
    }

    fn channel(
        &mut self,
        setup: &Setup,
        places: &Places,
        (team, number): (usize, u32),
        message: &Message,
    ) {
        let deleted = places.teams.get(team).and_then(|team| team.deleted);
        let shown_until = deleted.map_or(Ms::MAX, |at| at + RECYCLE_BIN_MS);
        let owner = Owner { key: team as u64 ^ 0x7ea3, follows_until: Ms::MAX, shown_until };
        if let Some(mailbox) = self.teams.get_mut(team) {
            copy(setup, owner, (number, message), mailbox);
        }
    }

    fn chat(
        &mut self,
        setup: &Setup,
        people: &People,
        (place, number): (&Conversation, u32),
        message: &Message,
    ) {
        for (user, until) in recipients(people, place, message.created) {
            let account = people.users.get(user);
            let shown_until =
                account.and_then(|user| user.deleted).map_or(Ms::MAX, |at| at + RECYCLE_BIN_MS);
            let owner = Owner { key: user as u64, follows_until: until, shown_until };
            if let Some(mailbox) = self.users.get_mut(user) {
                copy(setup, owner, (number, message), mailbox);
            }
        }
    }
}

/// Users with a mailbox who are members at that time, and until when.
fn recipients<'a>(
    people: &'a People,
    place: &'a Conversation,
    at: Ms,
) -> impl Iterator<Item = (usize, Ms)> + 'a {
    let here = place.members.iter().filter(move |one| one.from <= at && at < one.until);
    here.filter(move |one| {
        let user: Option<&User> = people.users.get(one.author);
        user.is_some_and(|user| user.mailbox && user.active(at))
    })
    .map(|one| (one.author, one.until))
}

/// How long a copy takes to show a change.
fn lag(random: &mut Random) -> Ms {
    let bound = match random.below(100) {
        0..70 => 120_000,
        70..92 => 2 * 3_600_000,
        _ => LONGEST_LAG_MS,
    };
    Ms::try_from(random.below(bound.unsigned_abs())).unwrap_or(0)
}

/// Puts all versions of a message that reach a mailbox into it.
fn copy(setup: &Setup, owner: Owner, (number, message): (u32, &Message), mailbox: &mut Vec<Entry>) {
    let mut random = message.random(owner.key.wrapping_mul(2) + 3);
    let bare = setup.looks && random.below(100) < 3;
    let reached = message.changes.iter().take_while(|(at, _)| *at < owner.follows_until).count();
    let start = mailbox.len();
    let mut from = 0;
    for step in 0..=reached {
        let modified = message.modified(step);
        let late = if setup.lag { lag(&mut random) } else { 0 };
        from = (modified + late).max(from);
        mailbox.push(Entry {
            version: message.version + u32::try_from(step).unwrap_or(0),
            message: number,
            modified,
            from,
            until: owner.shown_until,
            retained_until: owner.shown_until,
            bare,
            order: u32::try_from(random.next_u64() >> 32).unwrap_or(0),
        });
    }
    close(message, mailbox.get_mut(start..).unwrap_or_default());
}

/// Ends what a later version replaces, and what is deleted.
fn close(message: &Message, entries: &mut [Entry]) {
    let mut next = Ms::MAX;
    for (step, entry) in entries.iter_mut().enumerate().rev() {
        let last = step.checked_sub(1).and_then(|last| message.changes.get(last));
        let deleted = last.is_some_and(|(_, change)| *change == Change::Delete);
        let aged = if deleted { entry.modified + DELETED_VISIBLE_MS } else { Ms::MAX };
        let held = if deleted { entry.modified + RETAINED_VISIBLE_MS } else { Ms::MAX };
        entry.until = entry.until.min(next).min(aged);
        let superseded = next.saturating_add(RETAINED_VISIBLE_MS);
        entry.retained_until = entry.retained_until.min(superseded).min(held);
        next = entry.from;
    }
}

impl Entry {
    /// A question about a kind of rows shows it at that time.
    pub(super) fn shown(&self, retained: bool, now: Ms) -> bool {
        self.from <= now && now < self.ends(retained)
    }

    pub(super) fn ends(&self, retained: bool) -> Ms {
        if retained { self.retained_until } else { self.until }
    }
}
