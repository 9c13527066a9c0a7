//! Somebody, or an app: names over time, and addresses.

use std::collections::BTreeSet;

use chatvault_engine::{Fact, Said, Timestamp};

use super::record::Told;
use crate::resolve::{Called, Candidate};

/// Names of one id that are told apart; who has more is counted under those.
const MOST_NAMES: usize = 256;
/// Addresses of one id.
const MOST_ADDRESSES: usize = 64;

/// Somebody, or an app, as messages and records name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id that the service gives them.
    pub id: String,
    /// The service's word for what they are, such as `aadUser` or `bot`; the last one seen.
    pub kind: Option<String>,
    /// When that was seen.
    kind_at: Timestamp,
    /// E-mail addresses: of their own fields, ids and names that are addresses.
    pub addresses: BTreeSet<String>,
    /// When they were seen first.
    pub first: Timestamp,
    /// When they were seen last.
    pub last: Timestamp,
    names: Uses,
    /// The addresses that mail goes to.
    used: Uses,
}

/// Names, or addresses, by the time that they were seen first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Uses(Vec<KnownName>);

/// From when until when, and how often.
type Use = (Timestamp, Timestamp, u64);

/// A name, and when it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownName {
    /// The display name.
    pub name: String,
    /// When it was seen first.
    pub first: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// How often it was seen.
    pub times: u64,
}

impl Uses {
    /// Of those that are over `most` only the known ones are counted; true if it is a new one.
    fn add(&mut self, text: &str, (first, last, times): Use, most: usize) -> bool {
        let Self(all) = self;
        let is_new = !all.iter().any(|known| known.name == text);
        if let Some(known) = all.iter_mut().find(|known| known.name == text) {
            known.last = known.last.max(last);
            known.times += times;
            if first >= known.first {
                return false;
            }
            known.first = first;
        } else if all.len() < most {
            all.push(KnownName { name: text.to_owned(), first, last, times });
        }
        self.sort();
        is_new
    }

    fn sort(&mut self) {
        self.0.sort_by(|left, right| {
            left.first.cmp(&right.first).then_with(|| left.name.cmp(&right.name))
        });
    }

    /// The one seen last; of two at one time the newer one.
    fn last(&self) -> Option<&str> {
        let last = self.0.iter().max_by_key(|name| (name.last, name.first));
        last.map(|name| name.name.as_str())
    }

    /// The one in use at a time. Of several the one that came last; between two uses and outside of
    /// all, the one whose use is nearest.
    fn at(&self, at: Timestamp) -> Option<&str> {
        let distance = |name: &KnownName| {
            let before = name.first.ticks().saturating_sub(at.ticks()).max(0);
            before.max(at.ticks().saturating_sub(name.last.ticks()))
        };
        let nearest = self.0.iter().rev().min_by_key(|name| distance(name));
        nearest.map(|name| name.name.as_str())
    }
}

/// Does something that is said name somebody?
pub(super) fn is_of_somebody(said: &Said<'_>) -> bool {
    matches!(said, Said::Seen | Said::Name(_) | Said::Address(_) | Said::Kind(_))
}

impl Person {
    pub(super) fn new(fact: &Fact<'_>) -> Self {
        let mut person = Self::called(fact.id, fact.first);
        person.add(fact);
        person
    }

    /// Somebody of whom only the id is known.
    pub(super) fn called(id: &str, at: Timestamp) -> Self {
        let mut person = Self {
            id: id.to_owned(),
            kind: None,
            kind_at: Timestamp::MIN,
            addresses: BTreeSet::new(),
            first: at,
            last: at,
            names: Uses::default(),
            used: Uses::default(),
        };
        person.add_address(id);
        person
    }

    /// Adds what messages say of them.
    pub(super) fn add(&mut self, fact: &Fact<'_>) {
        self.first = self.first.min(fact.first);
        self.last = self.last.max(fact.last);
        let when = (fact.first, fact.last, fact.times);
        match fact.said {
            Said::Name(name) => self.add_name(name, when),
            Said::Address(address) => self.use_address(address, when),
            Said::Kind(kind) if fact.last >= self.kind_at => {
                (self.kind, self.kind_at) = (Some(kind.to_owned()), fact.last);
            }
            _ => {}
        }
    }

    /// Adds what a record says of them for a time.
    pub(super) fn tell(&mut self, told: &Told, (since, until): (Timestamp, Timestamp)) {
        self.first = self.first.min(since);
        self.last = self.last.max(until);
        if let Some(name) = &told.name {
            self.add_name(name, (since, until, 1));
        }
        if let Some(address) = told.addresses.iter().find(|address| is_address(address)) {
            self.use_address(address, (since, until, 1));
        }
        told.addresses.iter().for_each(|address| self.add_address(address));
    }

    /// Gives back the room that lists have left: most people have one name.
    pub(super) fn shrink(&mut self) {
        self.names.0.shrink_to_fit();
        self.used.0.shrink_to_fit();
    }

    fn add_address(&mut self, text: &str) {
        let has_room = self.addresses.len() < MOST_ADDRESSES;
        if has_room && is_address(text) && !self.addresses.contains(text) {
            let _ = self.addresses.insert(text.to_owned());
        }
    }

    fn use_address(&mut self, text: &str, when: Use) {
        self.add_address(text);
        if is_address(text) {
            let _is_new = self.used.add(text, when, MOST_ADDRESSES);
        }
    }

    fn add_name(&mut self, name: &str, when: Use) {
        if self.names.add(name, when, MOST_NAMES) {
            self.add_address(name);
        }
    }

    /// Every name, by the time that it was seen first.
    pub fn names(&self) -> &[KnownName] {
        &self.names.0
    }

    /// The name seen last; of two at one time the newer one.
    pub fn name(&self) -> Option<&str> {
        self.names.last()
    }

    /// The name in use at a time. Of several the one that came last; between two uses and outside
    /// of all, the one whose use is nearest.
    pub fn name_at(&self, at: Timestamp) -> Option<&str> {
        self.names.at(at)
    }

    /// The address seen last, else the first of those that are a name or an id.
    pub fn address(&self) -> Option<&str> {
        self.used.last().or_else(|| self.addresses.first().map(String::as_str))
    }

    /// The address in use at a time, as [`Person::name_at`].
    pub fn address_at(&self, at: Timestamp) -> Option<&str> {
        self.used.at(at).or_else(|| self.addresses.first().map(String::as_str))
    }

    /// How well they fit a text in lower case: 3 whole, 2 the start of a word, 1 somewhere.
    pub(super) fn rank(&self, text: &str) -> Option<u8> {
        let names = self.names.0.iter().map(|name| name.name.as_str());
        let texts = names.chain(self.addresses.iter().map(String::as_str)).chain([&*self.id]);
        texts.filter_map(|own| rank(&own.to_lowercase(), text)).max()
    }
}

impl Called for Person {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_any_address(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        self.address().is_some_and(is_meant)
    }

    fn is_any_name(&self, is_meant: &mut dyn FnMut(&str) -> bool) -> bool {
        self.names().iter().any(|known| is_meant(&known.name))
    }

    fn to_candidate(&self) -> Candidate {
        Candidate {
            id: self.id.clone(),
            addresses: self.address().map(str::to_owned).into_iter().collect(),
            names: self.names().iter().map(|known| known.name.clone()).collect(),
        }
    }
}

fn rank(own: &str, text: &str) -> Option<u8> {
    if own == text {
        return Some(3);
    }
    let mut found = own.match_indices(text).peekable();
    let _ = found.peek()?;
    let starts_word = |(at, _): (usize, &str)| {
        own.get(..at)
            .and_then(|before| before.chars().next_back())
            .is_none_or(|c| !c.is_alphanumeric())
    };
    Some(if found.any(starts_word) { 2 } else { 1 })
}

/// Is a text an e-mail address? Strict enough that no id of a conversation is one.
fn is_address(text: &str) -> bool {
    /// What mail servers take.
    const MOST_BYTES: usize = 254;
    let Some((local, domain)) = text.split_once('@') else { return false };
    let fits = |c: char| {
        !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ':' | '/' | '<' | '>' | ',')
    };
    text.len() <= MOST_BYTES
        && !local.is_empty()
        && text.matches('@').count() == 1
        && local.chars().chain(domain.chars()).all(fits)
        && domain.split('.').count() > 1
        && domain.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names_and_ids() {
        for text in ["ann@contoso.com", "ann.o'hara+x@mail.contoso.co.uk", "zoë@münchen.example"]
        {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "",
            "ann",
            "@contoso.com",
            "ann@contoso",
            "ann@.com",
            "a b@contoso.com",
            "19:abc@thread.v2",
            "a@b@c.de",
            "Ann <ann@contoso.com>",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }

    #[test]
    fn a_text_fits_whole_at_a_words_start_or_somewhere() {
        for (own, text, fits) in [
            ("ann lee", "ann lee", Some(3)),
            ("ann lee", "lee", Some(2)),
            ("joann ann", "ann", Some(2)),
            ("joann", "ann", Some(1)),
            ("ann", "bob", None),
            ("", "x", None),
        ] {
            assert_eq!(rank(own, text), fits, "{own} {text}");
        }
    }
}
