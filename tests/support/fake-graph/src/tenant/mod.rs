//! A tenant with a life of messages in it, and what the export endpoints say about it at a time.
//!
//! Pure: no clock, no network. A seed decides every byte; time is an argument of every question.
//! `people` and `places` say who and where, `life` and `changes` what happens, `mailbox` who has a
//! copy of it and when, `render` how it reads, and `truth` what an archive can know of it all.

mod changes;
mod copilot;
mod events;
mod extra;
mod life;
mod mailbox;
mod media;
mod meetings;
mod objects;
mod people;
mod places;
mod render;
mod rosters;
mod rows;
mod targeted;
#[cfg(test)]
mod tests;
mod truth;
mod types;
mod words;

use std::collections::HashMap;

use chatvault_support::Random;

pub use media::fill;
pub use people::User;
pub use places::Team;
pub use types::{
    CLOUD_ORIGIN, Collection, Content, ContentPath, DAY_MS, DELETED_VISIBLE_MS, Feed, Form, Item,
    LONGEST_LAG_MS, Ms, Place, RECYCLE_BIN_MS, RETAINED_VISIBLE_MS, Sender, Setup, Sighting, Truth,
    TruthObject, Window,
};

use self::extra::{Extra, Maker};
use self::life::Life;
use self::mailbox::Mailboxes;
use self::objects::Objects;
use self::people::People;
use self::places::Places;
use self::render::Story;
use self::rows::Version;

/// A made-up tenant.
#[derive(Debug)]
pub struct Tenant {
    /// The tenant's GUID.
    pub id: String,
    story: Story,
    versions: Vec<Version>,
    mailboxes: Mailboxes,
    /// Sorted by feed, user and time.
    extras: Vec<Extra>,
    objects: Objects,
    /// User numbers by object id and by UPN.
    accounts: HashMap<String, usize>,
    /// Team numbers by id.
    teams: HashMap<String, usize>,
    retention: bool,
}

impl Tenant {
    /// The tenant of a set-up: equal set-ups give equal bytes.
    pub fn new(setup: &Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let id = random.guid();
        let people = People::new(setup, &id, &mut random);
        let places = Places::new(setup, &people, &mut random);
        let mut messages = Life::messages(setup, &people, &places, random.split());
        let versions = rows::number(&mut messages);
        let mailboxes = Mailboxes::new(setup, &people, &places, &messages);
        let maker = Maker {
            setup,
            tenant: &id,
            people: &people,
            places: &places,
            random: random.split(),
            rows: Vec::new(),
            objects: Vec::new(),
        };
        let (extras, artefacts) = maker.make();
        let story = Story { tenant: id.clone(), people, places, messages };
        let objects = Objects::new(&story, artefacts);
        let (accounts, teams) = (accounts(&story.people), team_numbers(&story.places));
        let retention = setup.retention;
        Self { id, story, versions, mailboxes, extras, objects, accounts, teams, retention }
    }

    /// The users of the directory (`/users`): guests and rooms come first.
    pub fn users(&self, now: Ms) -> Vec<&User> {
        let users = self.story.people.users.iter().filter(|user| user.active(now));
        let mut users: Vec<&User> = users.collect();
        users.sort_by_key(|user| (!user.guest, user.mailbox));
        users
    }

    /// Deleted users who can still be exported (`/directory/deletedItems/microsoft.graph.user`).
    pub fn deleted_users(&self, now: Ms) -> Vec<&User> {
        self.story.people.users.iter().filter(|user| binned(user.deleted, now)).collect()
    }

    /// A user, or deleted user who can still be exported, by object id or UPN. `None` is a 404.
    pub fn user(&self, id_or_upn: &str, now: Ms) -> Option<&User> {
        let user = self.story.people.users.get(self.user_number(id_or_upn)?)?;
        (user.active(now) || binned(user.deleted, now)).then_some(user)
    }

    /// The teams that are not deleted.
    pub fn teams(&self, now: Ms) -> Vec<&Team> {
        self.story.places.teams.iter().filter(|team| team.active(now)).collect()
    }

    /// Deleted teams that can still be exported.
    pub fn deleted_teams(&self, now: Ms) -> Vec<&Team> {
        self.story.places.teams.iter().filter(|team| binned(team.deleted, now)).collect()
    }

    /// A team that is not deleted, by id. `None` is a 404.
    pub fn team(&self, id: &str, now: Ms) -> Option<&Team> {
        self.any_team(id).filter(|team| team.active(now))
    }

    /// A deleted team that can still be exported, by id. `None` is a 404.
    pub fn deleted_team(&self, id: &str, now: Ms) -> Option<&Team> {
        self.any_team(id).filter(|team| binned(team.deleted, now))
    }

    fn any_team(&self, id: &str) -> Option<&Team> {
        self.teams.get(id).and_then(|number| self.story.places.teams.get(*number))
    }

    fn user_number(&self, id_or_upn: &str) -> Option<usize> {
        self.accounts.get(id_or_upn).copied()
    }

    fn team_number(&self, id: &str) -> Option<usize> {
        self.teams.get(id).copied()
    }
}

/// Deleted, and not yet for good.
fn binned(deleted: Option<Ms>, now: Ms) -> bool {
    deleted.is_some_and(|at| at <= now && now < at + RECYCLE_BIN_MS)
}

fn accounts(people: &People) -> HashMap<String, usize> {
    let both =
        |(number, user): (usize, &User)| [(user.id.clone(), number), (user.upn.clone(), number)];
    people.users.iter().enumerate().flat_map(both).collect()
}

fn team_numbers(places: &Places) -> HashMap<String, usize> {
    places.teams.iter().enumerate().map(|(number, team)| (team.id.clone(), number)).collect()
}
