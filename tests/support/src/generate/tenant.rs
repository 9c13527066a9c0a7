//! A tenant: people, chats, channels and a life of messages in them, and the copies of it all that
//! the service hands out export by export.

use chatvault_engine::Custodian;

use crate::{Draft, Random, json, quoted};

/// How large a tenant to make.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// People.
    pub users: usize,
    /// Chats and channels; every fifth is a channel.
    pub conversations: usize,
    /// Messages, each with one version or more.
    pub messages: usize,
    /// How many in a hundred copies come with other key order, white space and escapes.
    pub redressed_percent: u64,
}

impl Shape {
    /// Enough for a test of a second.
    pub const SMALL: Self =
        Self { users: 6, conversations: 8, messages: 300, redressed_percent: 10 };
}

/// One document of one export.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Whose export.
    pub custodian: Custodian,
    /// The document.
    pub json: Vec<u8>,
}

/// A made-up tenant.
#[derive(Clone, Debug)]
pub struct Tenant {
    users: Vec<User>,
    conversations: Vec<Conversation>,
    versions: Vec<Version>,
    random: Random,
    redressed_percent: u64,
}

#[derive(Clone, Debug)]
struct User {
    id: String,
    name: String,
}

#[derive(Clone, Debug)]
struct Conversation {
    id: String,
    team: Option<String>,
    members: Vec<usize>,
    last_root: Option<String>,
}

#[derive(Clone, Debug)]
struct Version {
    conversation: usize,
    json: String,
}

const FIRST_NAMES: [&str; 8] = ["Ada", "Ben", "Çem", "Dörte", "Eun-ji", "Fátima", "Gil", "Hana"];
const LAST_NAMES: [&str; 6] = ["Okafor", "Müller", "O'Neil", "Sato", "van Dyk", "Łukasz"];
const WORDS: [&str; 24] = [
    "the",
    "plan",
    "is",
    "ready",
    "for",
    "review",
    "tomorrow",
    "can",
    "you",
    "check",
    "numbers",
    "thanks",
    "ok",
    "sure",
    "später",
    "déjà",
    "会議",
    "👍",
    "\"quoted\"",
    "a/b",
    "line\nbreak",
    "C:\\temp",
    "100%",
    "soon",
];
const START_MS: i64 = 1_690_000_000_000;

impl Tenant {
    /// The tenant of a seed.
    pub fn new(seed: u64, shape: &Shape) -> Self {
        let mut random = Random::new(seed);
        let users: Vec<User> = (0..shape.users).map(|_| User::new(&mut random)).collect();
        let conversations = (0..shape.conversations)
            .map(|number| Conversation::new(number, users.len(), &mut random))
            .collect();
        let redressed_percent = shape.redressed_percent;
        let mut tenant =
            Self { users, conversations, versions: Vec::new(), random, redressed_percent };
        let mut now = START_MS;
        for _ in 0..shape.messages {
            // Now and then two messages share their millisecond.
            now += i64::try_from(tenant.random.below(90_000)).unwrap_or(0) / 7 * 7;
            tenant.write(now);
        }
        tenant
    }

    /// Distinct message versions made.
    pub fn version_count(&self) -> usize {
        self.versions.len()
    }

    /// Every distinct version as one document, in the order of creation.
    pub fn documents(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().map(|version| version.json.as_str())
    }

    /// The custodians: a user each.
    pub fn custodians(&self) -> Vec<Custodian> {
        self.users.iter().map(|user| Custodian::user(&user.id)).collect()
    }

    /// The ids of all chats and channels.
    pub fn conversation_ids(&self) -> Vec<String> {
        self.conversations.iter().map(|conversation| conversation.id.clone()).collect()
    }

    /// Every export's copies, one export after the other, each in an order of its own.
    pub fn copies(&self) -> impl Iterator<Item = Copy> + '_ {
        (0..self.users.len()).flat_map(|user| self.export(user))
    }

    /// All copies that one user's export returns, in no order.
    pub fn export(&self, user: usize) -> Vec<Copy> {
        let mut random = Random::new(self.random.clone().next_u64() ^ user as u64);
        let Some(custodian) = self.users.get(user).map(|user| Custodian::user(&user.id)) else {
            return Vec::new();
        };
        let mut seen: Vec<&Version> =
            self.versions.iter().filter(|version| self.is_member(user, version)).collect();
        random.shuffle(&mut seen);
        let copy = |version: &Version| Copy {
            custodian: custodian.clone(),
            json: self.dress(&version.json, &mut random).into_bytes(),
        };
        seen.into_iter().map(copy).collect()
    }

    fn is_member(&self, user: usize, version: &Version) -> bool {
        let conversation = self.conversations.get(version.conversation);
        conversation.is_some_and(|conversation| conversation.members.contains(&user))
    }

    fn dress(&self, text: &str, random: &mut Random) -> String {
        let redress = random.chance(self.redressed_percent);
        let value = redress.then(|| json::parse(text.as_bytes())).flatten();
        value.map_or_else(|| text.to_owned(), |value| value.redressed(random))
    }

    /// One message and what becomes of it.
    fn write(&mut self, now: i64) {
        let at = self.random.index(self.conversations.len());
        let Some(conversation) = self.conversations.get_mut(at) else { return };
        let writer = self.random.pick(&conversation.members).and_then(|user| self.users.get(*user));
        let Some(writer) = writer else { return };
        let draft = conversation.draft(now, &mut self.random);
        let first = if self.random.chance(6) {
            draft.event("membersAdded", &format!("\"members\":[{{\"id\":{}}}]", quoted(&writer.id)))
        } else {
            draft.from_user(&writer.id, &writer.name).text(&sentence(&mut self.random))
        };
        let life = lifetime(&first, now, &mut self.random);
        let version = |draft: Draft| Version { conversation: at, json: draft.json() };
        self.versions.extend(life.into_iter().map(version));
    }
}

/// The versions of a message: edits, a reaction, the end.
fn lifetime(first: &Draft, created: i64, random: &mut Random) -> Vec<Draft> {
    let mut versions = vec![first.clone()];
    let mut at = created;
    let mut later = |random: &mut Random| {
        at += 1 + i64::try_from(random.below(3_600_000)).unwrap_or(0);
        at
    };
    while random.chance(12) {
        let text = sentence(random);
        versions.push(first.clone().edited(later(random), &text));
    }
    if random.chance(8) {
        let reaction = r#"[{"reactionType":"👍","displayName":"Like","user":{"user":{"id":"x","displayName":null}}}]"#;
        versions.push(first.clone().modified(later(random)).set("reactions", reaction));
    }
    if random.chance(4) {
        versions.push(first.clone().deleted(later(random)));
    }
    versions
}

fn sentence(random: &mut Random) -> String {
    let words: Vec<&str> = (0..=random.index(24)).map(|_| random.word(&WORDS)).collect();
    words.join(" ")
}

impl User {
    fn new(random: &mut Random) -> Self {
        let name = [random.word(&FIRST_NAMES), random.word(&LAST_NAMES)].join(" ");
        Self { id: random.guid(), name }
    }
}

impl Conversation {
    fn new(number: usize, users: usize, random: &mut Random) -> Self {
        let hex = random.guid().replace('-', "");
        let channel = number % 5 == 4;
        let tail = if channel { "tacv2" } else { "v2" };
        let mut members: Vec<usize> = (0..users).collect();
        random.shuffle(&mut members);
        members.truncate(2 + random.index(users));
        let team = channel.then(|| random.guid());
        Self { id: format!("19:{hex}@thread.{tail}"), team, members, last_root: None }
    }

    fn draft(&mut self, now: i64, random: &mut Random) -> Draft {
        let Some(team) = &self.team else { return Draft::chat(&self.id, now) };
        let reply = random.chance(60);
        let root = self.last_root.as_deref().filter(|_| reply);
        let draft = Draft::channel(team, &self.id, now, root);
        if root.is_none() {
            self.last_root = Some(now.to_string());
        }
        draft
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let copies = |seed| -> Vec<Vec<u8>> {
            Tenant::new(seed, &Shape::SMALL).copies().map(|copy| copy.json).collect()
        };
        assert_eq!(copies(1), copies(1));
        assert_ne!(copies(1), copies(2));
    }

    #[test]
    fn every_copy_is_one_of_the_versions_in_some_dress() {
        let tenant = Tenant::new(7, &Shape::SMALL);
        let canonical = |bytes: &[u8]| json::parse(bytes).map(|value| value.canonical());
        let versions: BTreeSet<_> =
            tenant.documents().map(|text| canonical(text.as_bytes())).collect();
        assert!(versions.len() > Shape::SMALL.messages && !versions.contains(&None));
        assert_eq!(versions.len(), tenant.version_count());
        let copies: BTreeSet<_> = tenant.copies().map(|copy| canonical(&copy.json)).collect();
        assert!(copies.is_subset(&versions) && !copies.is_empty());
    }
}
