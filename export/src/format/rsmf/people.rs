//! Who appears in a slice: what they are called in it, and by which id RSMF knows them.

use std::collections::{BTreeMap, BTreeSet};

use chatvault_query::event::{Names, who};
use chatvault_query::message::{Identity, IdentityKind};

use super::manifest::{Participant, note};
use crate::entry::{Chat, Person};

/// Stands for a sender whom the message does not name.
const NOBODY: &str = "unknown";

/// Somebody as one message has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mentioned {
    /// The id in the manifest.
    pub(super) id: String,
    /// The id in the directory.
    pub(super) account: String,
    /// The name that was used.
    pub(super) name: String,
}

impl Mentioned {
    pub(super) fn of(identity: &Identity<'_>, names: &dyn Names) -> Self {
        let name = who(identity, names);
        if identity.id.is_empty() {
            return Self { id: format!("name:{name}"), account: name.clone(), name };
        }
        let is_guest = identity.identity_type.as_deref() == Some("anonymousGuest");
        let prefix = match identity.kind {
            IdentityKind::User if is_guest => "anon:",
            IdentityKind::Application => "app:",
            IdentityKind::Device => "device:",
            IdentityKind::User | IdentityKind::Conversation | IdentityKind::Tag => "",
        };
        Self { id: format!("{prefix}{}", identity.id), account: identity.id.to_string(), name }
    }

    /// For what nobody is known to have done.
    pub(super) fn nobody() -> Self {
        let text = || NOBODY.to_owned();
        Self { id: text(), account: text(), name: text() }
    }
}

/// The people of a slice by their ids in the manifest.
#[derive(Debug, Default)]
pub(super) struct People {
    known: BTreeMap<String, Seen>,
    /// Ids in the manifest by those in the directory.
    ids: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Seen {
    account: String,
    /// The last one that was used.
    name: String,
    names: BTreeSet<String>,
}

impl People {
    /// Somebody appears; later appearances say what they are called.
    pub(super) fn see(&mut self, one: Mentioned) {
        let is_name = one.name != one.account;
        let seen = self.known.entry(one.id.clone()).or_insert_with(|| Seen {
            account: one.account.clone(),
            name: one.name.clone(),
            names: BTreeSet::new(),
        });
        if is_name {
            let _is_new = seen.names.insert(one.name.clone());
            seen.name = one.name;
        }
        let _first = self.ids.entry(one.account).or_insert(one.id);
    }

    /// A member who may not have done anything.
    pub(super) fn see_member(&mut self, person: &Person) -> String {
        if let Some(id) = self.ids.get(&person.id) {
            return id.clone();
        }
        let name = person.label().to_owned();
        self.see(Mentioned { id: person.id.clone(), account: person.id.clone(), name });
        person.id.clone()
    }

    /// What somebody is called in the slice.
    pub(super) fn name(&self, id: &str) -> &str {
        self.known.get(id).map_or(NOBODY, |seen| &seen.name)
    }

    /// Everybody, by id.
    pub(super) fn participants(&self, chat: &Chat, names: &dyn Names) -> Vec<Participant> {
        self.known.iter().map(|(id, seen)| participant(id, seen, chat, names)).collect()
    }
}

fn participant(id: &str, seen: &Seen, chat: &Chat, names: &dyn Names) -> Participant {
    let person = chat.person(&seen.account);
    let address = person.and_then(|person| person.address.as_deref());
    let mut others = seen.names.clone();
    if let Some(person) = person {
        others.extend(person.name.iter().chain(&person.other_names).cloned());
    }
    let _in_force = others.remove(&seen.name);
    let mut custom = Vec::new();
    for name in others {
        note(&mut custom, "known_name", name);
    }
    Participant {
        account_id: seen.account.clone(),
        custom,
        display: seen.name.clone(),
        email: address
            .or_else(|| names.address(&seen.account))
            .filter(|address| is_address(address))
            .map(str::to_owned),
        id: id.to_owned(),
    }
}

/// Something, an at sign, something, and no white space: what a validator takes for an address.
pub(super) fn is_address(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_fine =
            |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c);
        !part.is_empty() && part.chars().all(is_fine)
    };
    text.split_once('@').is_some_and(|(local, domain)| is_part(local) && is_part(domain))
}
