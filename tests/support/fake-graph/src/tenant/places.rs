//! Where people write: teams with their channels, and chats with the members of each time.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chatvault_support::{Random, quoted, stamp};

use super::people::People;
use super::types::{DAY_MS, Ms, Place, Setup};
use super::words;

/// A team.
#[derive(Clone, Debug)]
pub struct Team {
    /// Group id, a GUID.
    pub id: String,
    /// `displayName`.
    pub name: String,
    /// From when the team exists.
    pub created: Ms,
    /// When it was deleted; it can be exported as a deleted team for
    /// [`super::RECYCLE_BIN_MS`] more.
    pub deleted: Option<Ms>,
}

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Direct,
    Group,
    Meeting,
    Channel,
}

/// Somebody's time in a conversation. Copies of chat messages go to the members of the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) author: usize,
    pub(super) from: Ms,
    pub(super) until: Ms,
}

/// A chat or a channel.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The team that hosts a channel.
    pub(super) team: Option<usize>,
    pub(super) members: Vec<Membership>,
    /// Nothing is written from here on.
    pub(super) ends: Ms,
    /// How much is written here compared with elsewhere.
    pub(super) weight: u64,
}

/// All teams and conversations.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) teams: Vec<Team>,
    pub(super) conversations: Vec<Conversation>,
}

impl Team {
    /// As `/groups` lists it.
    pub fn to_json(&self) -> String {
        format!(
            r#"{{"id":"{}","displayName":{},"description":null,"mailNickname":"team{}","visibility":"Private","groupTypes":["Unified"],"resourceProvisioningOptions":["Team"],"createdDateTime":"{}"}}"#,
            self.id,
            quoted(&self.name),
            self.id.get(..8).unwrap_or_default(),
            stamp(self.created),
        )
    }

    /// As `/teamwork/deletedTeams` lists it.
    pub fn deleted_json(&self) -> String {
        format!(r#"{{"id":"{}"}}"#, self.id)
    }

    pub(super) fn active(&self, at: Ms) -> bool {
        self.created <= at && self.deleted.is_none_or(|deleted| at < deleted)
    }

    fn new(number: usize, setup: &Setup, random: &mut Random) -> Self {
        let last = setup.teams > 1 && number + 1 == setup.teams as usize;
        let late = Ms::from(setup.days) * DAY_MS * 3 / 5 + 7_654_321;
        Self {
            id: random.guid(),
            name: format!("{} {number}", random.word(&words::TOPICS)),
            created: setup.from - 200 * DAY_MS,
            deleted: (last || number % 8 == 6).then_some(setup.from + late),
        }
    }
}

impl Conversation {
    /// As paths name it.
    pub(super) fn place(&self, teams: &[Team], reply_to: Option<Ms>) -> Place {
        match self.team.and_then(|team| teams.get(team)) {
            None => Place::Chat(self.id.clone()),
            Some(team) => Place::Channel {
                team: team.id.clone(),
                channel: self.id.clone(),
                reply_to: reply_to.map(|root| root.to_string()),
            },
        }
    }

    pub(super) fn member(&self, author: usize, at: Ms) -> bool {
        self.members.iter().any(|one| one.author == author && one.from <= at && at < one.until)
    }
}

/// Makes places; holds what all of them need.
struct Builder<'a> {
    setup: &'a Setup,
    people: &'a People,
    random: &'a mut Random,
    conversations: Vec<Conversation>,
}

impl Places {
    pub(super) fn new(setup: &Setup, people: &People, random: &mut Random) -> Self {
        let teams: Vec<Team> =
            (0..setup.teams as usize).map(|number| Team::new(number, setup, random)).collect();
        let mut builder = Builder { setup, people, random, conversations: Vec::new() };
        for (number, team) in teams.iter().enumerate() {
            builder.channels(number, team);
        }
        let users = people.users.len();
        for number in 0..users * 3 / 2 {
            builder.direct(number);
        }
        for number in 0..users / 2 + 2 {
            builder.many(Kind::Group, number);
        }
        for number in 0..(users / 4 + 1).max(setup.recordings as usize) {
            builder.many(Kind::Meeting, number);
        }
        Self { teams, conversations: builder.conversations }
    }
}

impl Builder<'_> {
    fn chance(&mut self, bound: Ms) -> Ms {
        Ms::try_from(self.random.below(bound.unsigned_abs())).unwrap_or(0)
    }

    /// Some users, each once.
    fn some(&mut self, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = Vec::new();
        for _ in 0..count * 2 {
            let user = self.random.index(self.people.users.len());
            if all.len() < count && !all.contains(&user) && !self.people.users.is_empty() {
                all.push(user);
            }
        }
        all
    }

    /// A user is a member while the account exists.
    fn always(&self, author: usize) -> Membership {
        let user = self.people.users.get(author);
        let from = user.map_or(0, |user| user.created);
        let until = user.and_then(|user| user.deleted).unwrap_or(Ms::MAX);
        Membership { author, from, until }
    }

    /// Some join late, some leave early.
    fn at_times(&mut self, author: usize) -> Membership {
        let length = Ms::from(self.setup.days) * DAY_MS;
        let mut one = self.always(author);
        if self.random.chance(25) {
            one.from = one.from.max(self.setup.from + self.chance(length / 2));
        }
        if self.random.chance(15) {
            one.until = one.until.min(self.setup.from + length / 2 + self.chance(length / 2));
        }
        one
    }

    fn channels(&mut self, number: usize, team: &Team) {
        let size = (self.people.users.len() / 2).clamp(3, 40);
        let staff = self.some(size);
        // The last is shared with people of other teams; its messages are this team's all the same.
        for (index, name) in
            ["General", "Ideas", "Leads (private)", "Partners (shared)"].iter().enumerate()
        {
            let mut authors = staff.clone();
            match index {
                2 => authors.truncate(size / 2 + 1),
                3 => authors
                    .extend(self.some(3).into_iter().chain(self.people.outsiders.first().copied())),
                _ => {}
            }
            let id = match (number + index) % 3 {
                0 => format!("19:{}@thread.skype", words::hex(self.random)),
                1 => format!("19:{}@thread.tacv2", words::hex(self.random)),
                _ => format!("19:{}1@thread.tacv2", self.mixed()),
            };
            self.conversations.push(Conversation {
                id,
                kind: Kind::Channel,
                name: (*name).to_owned(),
                team: Some(number),
                members: authors.into_iter().map(|author| self.always(author)).collect(),
                ends: team.deleted.unwrap_or(Ms::MAX),
                weight: if index == 0 { 12 } else { 6 },
            });
        }
    }

    /// 43 letters and digits of both cases.
    fn mixed(&mut self) -> String {
        let words = [
            self.random.next_u64(),
            self.random.next_u64(),
            self.random.next_u64(),
            self.random.next_u64(),
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn direct(&mut self, number: usize) {
        let mut pair = self.some(2);
        if number % 12 == 2 {
            let _ = pair.pop();
            pair.extend(self.people.outsiders.first());
        }
        let mut ids: Vec<&str> = pair
            .iter()
            .filter_map(|one| self.people.authors.get(*one))
            .map(super::people::Author::id)
            .collect();
        ids.sort_unstable();
        let id = format!("19:{}@unq.gbl.spaces", ids.join("_"));
        if ids.len() < 2 || self.conversations.iter().any(|other| other.id == id) {
            return;
        }
        let members = pair.into_iter().map(|author| self.always(author)).collect();
        self.chat(Kind::Direct, id, members);
    }

    fn many(&mut self, kind: Kind, number: usize) {
        let size = 3 + self.random.index(if kind == Kind::Meeting { 8 } else { 5 });
        let mut authors = self.some(size);
        let organizer = authors.first().copied();
        if number % 3 == 1 || kind == Kind::Meeting {
            authors.extend(self.random.pick(&self.people.outsiders).copied());
        }
        if number.is_multiple_of(4) {
            authors.extend(self.people.outsiders.get(1));
        }
        let mut members: Vec<Membership> = Vec::new();
        for author in authors {
            let fixed = Some(author) == organizer;
            members.push(if fixed { self.always(author) } else { self.at_times(author) });
        }
        let hex = words::hex(self.random);
        let id = match kind {
            Kind::Meeting => {
                format!("19:meeting_{}@thread.v2", STANDARD.encode(&hex).trim_end_matches('='))
            }
            _ => format!("19:{hex}@thread.v2"),
        };
        self.chat(kind, id, members);
    }

    fn chat(&mut self, kind: Kind, id: String, members: Vec<Membership>) {
        let weight = if kind == Kind::Direct { 2 } else { 5 };
        let name = self.random.word(&words::TOPICS).to_owned();
        self.conversations.push(Conversation {
            id,
            kind,
            name,
            team: None,
            members,
            ends: Ms::MAX,
            weight,
        });
    }
}
