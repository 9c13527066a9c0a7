//! Who talks where: twelve people of a maker of cargo bikes, their chats and their channel.

use std::sync::LazyLock;

use super::chance::Chance;
use super::graph::{IdentitySet, User};
use super::voice::{
    ENGLISH, FRENCH, GERMAN, JAPANESE, POLISH, PORTUGUESE, SPANISH, TURKISH, Voice,
};

/// The tenant that everybody belongs to.
const TENANT: &str = "5d2f6f3e-4a86-4f0b-9a37-0c1be7d2a941";

/// Somebody who writes.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: &'static str,
}

impl Person {
    pub(super) fn user(&self) -> User {
        self.named(Some(self.name.to_owned()))
    }

    /// As system events and reactions have it: without the name.
    pub(super) fn nameless(&self) -> User {
        self.named(None)
    }

    fn named(&self, display_name: Option<String>) -> User {
        User {
            odata_type: "#microsoft.graph.teamworkUserIdentity",
            id: self.id.clone(),
            display_name,
            user_identity_type: "aadUser",
            tenant_id: TENANT.to_owned(),
        }
    }
}

/// The user alone in an identity set.
pub(super) fn only(user: User) -> IdentitySet {
    IdentitySet { application: None, device: None, user: Some(user) }
}

pub(super) fn people(chance: &mut Chance) -> Vec<Person> {
    let names = [
        "Ada Brandt",
        "Tomás Herrera",
        "Yuki Tanaka",
        "Claire Dubois",
        "Piotr Zieliński",
        "Elif Demir",
        "Samuel Okafor",
        "Niamh Byrne",
        "Priya Nair",
        "Jonas Weber",
        "Lucía Ferrer",
        "Mateus Oliveira",
    ];
    names.map(|name| Person { id: chance.guid(), name }).into()
}

/// Where a conversation takes place.
#[derive(Clone, Debug)]
pub(super) enum Venue {
    Chat { id: String },
    Meeting { id: String },
    Channel { team: String, channel: String },
}

/// A conversation before anything was said in it.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) place: Venue,
    pub(super) members: Vec<usize>,
    pub(super) voice: &'static Voice,
    pub(super) title: Option<&'static str>,
    pub(super) messages: usize,
}

pub(super) fn conversations(people: &[Person], chance: &mut Chance) -> Vec<Conversation> {
    let mut all: Vec<_> = one_to_one(people, chance).collect();
    all.extend(groups(chance));
    all.extend(meetings(chance));
    all.push(channel(people.len(), chance));
    all
}

/// Pairs by their places in [`people`], and the language they share.
const PAIRS: [(usize, usize, &LazyLock<Voice>); 10] = [
    (0, 9, &GERMAN),
    (1, 10, &SPANISH),
    (2, 6, &ENGLISH),
    (3, 6, &FRENCH),
    (4, 7, &ENGLISH),
    (5, 8, &ENGLISH),
    (6, 7, &ENGLISH),
    (0, 8, &ENGLISH),
    (10, 11, &PORTUGUESE),
    (2, 3, &JAPANESE),
];

fn one_to_one<'a>(
    people: &'a [Person],
    chance: &'a mut Chance,
) -> impl Iterator<Item = Conversation> + 'a {
    PAIRS.into_iter().map(|(a, b, voice)| {
        let (first, second) = (&people[a].id, &people[b].id);
        Conversation {
            place: Venue::Chat { id: format!("19:{first}_{second}@unq.gbl.spaces") },
            members: vec![a, b],
            voice,
            title: None,
            messages: 60 + chance.index(90),
        }
    })
}

const GROUPS: [(&str, &[usize], &LazyLock<Voice>); 9] = [
    ("Workshop Lisbon", &[1, 4, 6, 8, 10, 11], &ENGLISH),
    ("Brakes and batteries 🔋", &[0, 2, 4, 6, 8, 9, 11], &ENGLISH),
    ("Werkstatt Kiel", &[0, 3, 7, 9], &GERMAN),
    ("Ventas y ferias", &[1, 3, 8, 10, 11], &SPANISH),
    ("Salon de Lyon", &[2, 3, 5, 6, 10], &FRENCH),
    ("Serwis Gdańsk", &[4, 7, 9, 0], &POLISH),
    ("İstanbul ofisi", &[5, 1, 8, 6], &TURKISH),
    ("Lunch?", &[0, 1, 2, 3, 4, 5, 6, 7, 8], &ENGLISH),
    ("Launch week 🚲", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &ENGLISH),
];

fn groups(chance: &mut Chance) -> impl Iterator<Item = Conversation> {
    GROUPS.into_iter().map(|(title, members, voice)| Conversation {
        place: Venue::Chat { id: format!("19:{}@thread.v2", chance.hex()) },
        members: members.to_vec(),
        voice,
        title: Some(title),
        messages: 110 + chance.index(80),
    })
}

const MEETINGS: [(&str, &[usize]); 6] = [
    ("Monday stand-up", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    ("Frame review", &[0, 2, 4, 6, 9, 11]),
    ("Pricing round", &[1, 3, 5, 7, 8, 10]),
    ("Safety board", &[0, 4, 5, 6, 8, 9]),
    ("Supplier call", &[2, 4, 6, 8, 11]),
    ("Retro", &[0, 1, 3, 5, 7, 8, 9, 10]),
];

fn meetings(chance: &mut Chance) -> impl Iterator<Item = Conversation> {
    MEETINGS.into_iter().map(|(title, members)| Conversation {
        place: Venue::Meeting { id: format!("19:meeting_{}@thread.v2", chance.hex()) },
        members: members.to_vec(),
        voice: &ENGLISH,
        title: Some(title),
        messages: 50 + chance.index(50),
    })
}

fn channel(everybody: usize, chance: &mut Chance) -> Conversation {
    let channel = format!("19:{}@thread.tacv2", chance.hex());
    Conversation {
        place: Venue::Channel { team: chance.guid(), channel },
        members: (0..everybody).collect(),
        voice: &ENGLISH,
        title: Some("General"),
        messages: 260,
    }
}
