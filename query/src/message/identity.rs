//! Who somebody is: a person, an app, a device, a conversation or a tag.

use std::borrow::Cow;

use chatvault_engine::Value;

use super::{Fill, object};

/// Who somebody is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity<'a> {
    /// What it is.
    pub kind: IdentityKind,
    /// The id; its form depends on the kind and type. May be empty.
    pub id: Cow<'a, str>,
    /// The name that the message gives, never empty.
    pub name: Option<Cow<'a, str>>,
    /// The tenant it belongs to.
    pub tenant: Option<Cow<'a, str>>,
    /// The type inside the kind: `aadUser`, `emailUser`, `bot`, `channel`, …
    pub identity_type: Option<Cow<'a, str>>,
}

/// What an [`Identity`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A person.
    #[default]
    User,
    /// An app, a bot or a connector.
    Application,
    /// A device.
    Device,
    /// A team, a channel or a chat: everyone in it.
    Conversation,
    /// A tag: everyone who has it.
    Tag,
}

impl<'a> Fill<'a> for Identity<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "id" => self.id = value.text().unwrap_or_default(),
            "displayName" => self.name = value.text().filter(|name| !name.trim().is_empty()),
            "tenantId" => self.tenant = value.text(),
            "userIdentityType" | "applicationIdentityType" | "conversationIdentityType" => {
                self.identity_type = value.text();
            }
            _ => {}
        }
    }
}

impl Identity<'_> {
    fn is_empty(&self) -> bool {
        self.id.is_empty() && self.name.is_none()
    }
}

/// Who is meant by an identity set, or by a single identity.
pub(crate) fn identity(value: Value<'_>) -> Option<Identity<'_>> {
    object::<IdentitySet<'_>>(value)?.chosen()
}

/// A set of identities, of which at most one is there; or one identity where a set is expected.
#[derive(Default)]
pub(crate) struct IdentitySet<'a> {
    chosen: Option<Identity<'a>>,
    alone: Identity<'a>,
}

impl<'a> IdentitySet<'a> {
    /// The one that is meant: a person before an app, an app before anything else.
    pub(crate) fn chosen(self) -> Option<Identity<'a>> {
        self.chosen.or(Some(self.alone)).filter(|one| !one.is_empty())
    }

    fn offer(&mut self, offered: Identity<'a>) {
        let is_better = self.chosen.as_ref().is_none_or(|chosen| offered.kind < chosen.kind);
        if is_better && !offered.is_empty() {
            self.chosen = Some(offered);
        }
    }
}

impl<'a> Fill<'a> for IdentitySet<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        let kind = match name {
            "user" | "phone" | "guest" | "azureCommunicationServicesUser" => IdentityKind::User,
            "application" | "applicationInstance" => IdentityKind::Application,
            "device" => IdentityKind::Device,
            "conversation" => IdentityKind::Conversation,
            "tag" => IdentityKind::Tag,
            _ => return self.alone.fill(name, value),
        };
        if let Some(identity) = object::<Identity<'a>>(value) {
            self.offer(Identity { kind, ..identity });
        }
    }
}
