//! How people are called.

use crate::message::{Identity, IdentityKind};

/// How people are called where words for an event or a person are made.
pub trait Names: Sync {
    /// The name of the person with an id; `None` if only the id is known.
    fn name(&self, id: &str) -> Option<&str>;

    /// An e-mail address of the person with an id.
    fn address(&self, id: &str) -> Option<&str>;
}

/// Nobody is known by anything but what a message itself says.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn name(&self, _id: &str) -> Option<&str> {
        None
    }

    fn address(&self, _id: &str) -> Option<&str> {
        None
    }
}

/// The name of an identity: its own, else what `names` knows, else its id. On one line.
pub fn who(identity: &Identity<'_>, names: &dyn Names) -> String {
    let own = identity.name.as_deref().map(one_line).filter(|name| !name.is_empty());
    let known = || names.name(&identity.id).map(one_line).filter(|name| !name.is_empty());
    let id = || Some(one_line(&identity.id)).filter(|id| !id.is_empty());
    own.or_else(known).or_else(id).unwrap_or_else(|| unnamed(identity.kind).to_owned())
}

fn unnamed(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::User => "an unknown person",
        IdentityKind::Application => "an unknown app",
        IdentityKind::Device => "an unknown device",
        IdentityKind::Conversation => "everyone",
        IdentityKind::Tag => "an unknown tag",
    }
}

/// A text without line breaks and other control characters, its white space single.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
}
