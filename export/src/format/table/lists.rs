//! Cells with several values: who is mentioned, who reacted, what is attached.

use std::borrow::Cow;
use std::slice;

use chatvault_query::event::{Names, who};
use chatvault_query::message::{Identity, Mention, Message, Reaction};

use crate::entry::Person;

/// The values of a list, wherever they are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Items<'r> {
    /// Made for this row.
    Row(&'r [Cow<'r, str>]),
    /// The same for many rows.
    Shared(&'r [String]),
}

/// Steps through [`Items`].
pub(crate) enum Iter<'r> {
    /// See [`Items::Row`].
    Row(slice::Iter<'r, Cow<'r, str>>),
    /// See [`Items::Shared`].
    Shared(slice::Iter<'r, String>),
}

impl<'r> Items<'r> {
    /// The values.
    pub(crate) fn iter(self) -> Iter<'r> {
        match self {
            Self::Row(items) => Iter::Row(items.iter()),
            Self::Shared(items) => Iter::Shared(items.iter()),
        }
    }
}

impl<'r> Iterator for Iter<'r> {
    type Item = &'r str;

    fn next(&mut self) -> Option<&'r str> {
        match self {
            Self::Row(items) => items.next().map(AsRef::as_ref),
            Self::Shared(items) => items.next().map(String::as_str),
        }
    }
}

/// `Name <address>`, `Name <id>` or just the id.
pub(crate) fn person_words(person: &Person) -> String {
    let address = person.address.as_deref().unwrap_or(&person.id);
    match person.name.as_deref() {
        Some(name) if name != address => format!("{name} <{address}>"),
        _ => address.to_owned(),
    }
}

/// Who is mentioned: `Name <id>`, or the words in the text if nobody stands behind them.
pub(crate) fn mentions<'a>(message: &Message<'_>, names: &dyn Names) -> Vec<Cow<'a, str>> {
    let words = |mention: &Mention<'_>| match &mention.who {
        Some(identity) => identity_words(identity, names),
        None => mention.text.as_deref().unwrap_or_default().to_owned(),
    };
    message.mentions.iter().map(|mention| Cow::Owned(words(mention))).collect()
}

/// `Name <id>`, or the id alone when no name is known.
fn identity_words(identity: &Identity<'_>, names: &dyn Names) -> String {
    let name = who(identity, names);
    if name == identity.id { name } else { format!("{name} <{}>", identity.id) }
}

/// Reactions of one kind: what they are called and which they are.
pub(crate) type Kindred<'m, 'a> = (&'m str, Vec<&'m Reaction<'a>>);

/// Reactions grouped by kind, in the order in which the kinds first appear.
pub(crate) fn reactions_by_kind<'m, 'a>(message: &'m Message<'a>) -> Vec<Kindred<'m, 'a>> {
    let mut kinds: Vec<Kindred<'m, 'a>> = Vec::new();
    for reaction in &message.reactions {
        let kind = reaction_name(reaction);
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, alike)) => alike.push(reaction),
            None => kinds.push((kind, vec![reaction])),
        }
    }
    kinds
}

/// A custom reaction is told by its display name; the service calls them all `custom`.
fn reaction_name<'m>(reaction: &'m Reaction<'_>) -> &'m str {
    match reaction.display_name.as_deref() {
        Some(name) if reaction.kind == "custom" && !name.is_empty() => name,
        _ => &reaction.kind,
    }
}

/// `like=2 (Ann, Bob)`.
pub(crate) fn reactions<'a>(message: &Message<'_>, names: &dyn Names) -> Vec<Cow<'a, str>> {
    let words = |(kind, alike): Kindred<'_, '_>| {
        let people: Vec<String> =
            alike.iter().filter_map(|one| one.who.as_ref()).map(|by| who(by, names)).collect();
        let count = alike.len();
        if people.is_empty() {
            format!("{kind}={count}")
        } else {
            format!("{kind}={count} ({})", people.join(", "))
        }
    };
    reactions_by_kind(message).into_iter().map(words).map(Cow::Owned).collect()
}
