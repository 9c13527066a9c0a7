//! Rows that are no ordinary messages: made whole at the start, few, each of one user.

use std::sync::Arc;

use chatvault_support::Random;

use super::people::People;
use super::places::Places;
use super::types::{DAY_MS, Feed, LONGEST_LAG_MS, Ms, RECYCLE_BIN_MS, Sender, Setup, TruthObject};
use super::{copilot, meetings, targeted};

/// One row of one user's export.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) feed: Feed,
    pub(super) user: usize,
    pub(super) id: String,
    pub(super) etag: String,
    pub(super) conversation: String,
    pub(super) created: Ms,
    pub(super) modified: Ms,
    /// Shown from here on, until before the other.
    pub(super) from: Ms,
    pub(super) until: Ms,
    pub(super) sender: Sender,
    pub(super) message_type: &'static str,
    pub(super) app_class: Option<&'static str>,
    pub(super) json: Arc<str>,
    /// The place in the order of answers.
    pub(super) order: u32,
}

/// What the makers of rows share.
pub(super) struct Maker<'a> {
    pub(super) setup: &'a Setup,
    pub(super) tenant: &'a str,
    pub(super) people: &'a People,
    pub(super) places: &'a Places,
    pub(super) random: Random,
    pub(super) rows: Vec<Extra>,
    pub(super) objects: Vec<TruthObject>,
}

impl Maker<'_> {
    /// All rows, by feed, user and time; and what is to be downloaded with them.
    pub(super) fn make(mut self) -> (Vec<Extra>, Vec<TruthObject>) {
        copilot::make(&mut self);
        targeted::make(&mut self);
        meetings::make(&mut self);
        self.rows.sort_by_key(|row| (row.feed, row.user, row.modified));
        (self.rows, self.objects)
    }

    /// Some time in the days of the set-up.
    pub(super) fn time(&mut self) -> Ms {
        self.setup.from + self.up_to(Ms::from(self.setup.days) * DAY_MS)
    }

    pub(super) fn up_to(&mut self, bound: Ms) -> Ms {
        Ms::try_from(self.random.below(bound.unsigned_abs())).unwrap_or(0)
    }

    /// When an export begins to show what happened then.
    pub(super) fn shown_from(&mut self, at: Ms) -> Ms {
        let bound = if self.random.chance(80) { 60_000 } else { LONGEST_LAG_MS };
        let late = self.up_to(bound);
        if self.setup.lag { at + late } else { at }
    }

    /// Until when the export of a user can be asked for.
    pub(super) fn shown_until(&self, user: usize) -> Ms {
        let deleted = self.people.users.get(user).and_then(|user| user.deleted);
        deleted.map_or(Ms::MAX, |at| at + RECYCLE_BIN_MS)
    }

    pub(super) fn order(&mut self) -> u32 {
        u32::try_from(self.random.next_u64() >> 32).unwrap_or(0)
    }

    /// A user with a mailbox who is there then; more of them than not fit `also`.
    pub(super) fn user(&mut self, at: Ms, also: impl Fn(&super::User) -> bool) -> Option<usize> {
        let start = self.random.index(self.people.users.len());
        let numbers = 0..self.people.users.len();
        let mut around = numbers.cycle().skip(start).take(self.people.users.len());
        around.find(|number| {
            let user = self.people.users.get(*number);
            user.is_some_and(|user| user.mailbox && user.active(at) && also(user))
        })
    }
}
