//! `$filter` as values: rendered exactly as the service documents it, read back from text.
//!
//! A [`Filter`] has at most three parts, joined by `and`: who sent a message (clauses joined by
//! `or`), which Copilot app it was in (joined by `or`), and a time range. Other combinations are
//! OData, but nothing that the export APIs document, and are refused where they are read.
//!
//! Always: `text.parse::<Filter>()` of a rendered filter is that filter; a range has both bounds,
//! because one alone is answered with 400; both are exclusive, whole milliseconds, and of one field.

mod forms;
mod render;
#[cfg(test)]
mod tests;
mod window;

use std::borrow::Cow;
use std::str::FromStr;

use chatvault_base::Timestamp;
pub use chatvault_base::filter::Unexpected as FilterError;

pub(crate) use render::one_sided;
pub use render::time;
pub use window::SentRange;

/// What of a user's or team's messages is asked for; everything, if it is empty.
///
/// ```
/// use chatvault_graph::{Filter, Sender, UserKind};
///
/// let filter = Filter::from_user("8b081ef6-4792-4def-b2c9-c363a1bf41d5")
///     .or(Sender::UserKind(UserKind::ANONYMOUS_GUEST))
///     .between("2020-06-04T18:00:00Z".parse()?, "2020-06-05T21:00:00Z".parse()?);
/// let text = "(from/user/id eq '8b081ef6-4792-4def-b2c9-c363a1bf41d5' \
///     or from/user/userIdentityType eq 'anonymousGuest') \
///     and (lastModifiedDateTime gt 2020-06-04T17:59:59.999Z \
///     and lastModifiedDateTime lt 2020-06-05T21:00:00.000Z)";
/// assert_eq!(filter.to_string(), text);
/// assert_eq!(text.parse::<Filter>()?, filter);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    any_of: Vec<Sender>,
    app_classes: Vec<String>,
    range: Option<Range>,
}

/// Who sent a message; one clause of a [`Filter`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sender {
    /// `from/user/id eq`: a user by object id, not by address.
    User(String),
    /// `from/user/userIdentityType eq`.
    UserKind(UserKind),
    /// `from/application/applicationIdentityType eq`.
    Application(ApplicationKind),
    /// `from/application/id eq`: of targeted messages only.
    ApplicationId(String),
    /// `messageType eq 'systemEventMessage'`: nobody sent it, the service reports an event.
    SystemEvents,
    /// `messageType ne 'systemEventMessage'`: somebody or an app sent it.
    NotSystemEvents,
}

/// A kind of user, by the service's name; names that are not known here are kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserKind(Cow<'static, str>);

impl UserKind {
    /// A directory user, of this tenant or, by external access, of another.
    pub const AAD: Self = Self(Cow::Borrowed("aadUser"));
    /// A directory user whose mailbox is on premises.
    pub const ON_PREMISE_AAD: Self = Self(Cow::Borrowed("onPremiseAadUser"));
    /// Somebody without an account, in a meeting.
    pub const ANONYMOUS_GUEST: Self = Self(Cow::Borrowed("anonymousGuest"));
    /// A user of another tenant.
    pub const FEDERATED: Self = Self(Cow::Borrowed("federatedUser"));
    /// A personal Microsoft account.
    pub const PERSONAL: Self = Self(Cow::Borrowed("personalMicrosoftAccountUser"));
    /// A Skype account.
    pub const SKYPE: Self = Self(Cow::Borrowed("skypeUser"));
    /// Somebody who called in.
    pub const PHONE: Self = Self(Cow::Borrowed("phoneUser"));

    /// The kind of this name.
    pub fn named(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Its name in the service.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A kind of app, by the service's name; names that are not known here are kept as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApplicationKind(Cow<'static, str>);

impl ApplicationKind {
    /// An app of the directory.
    pub const AAD: Self = Self(Cow::Borrowed("aadApplication"));
    /// A bot.
    pub const BOT: Self = Self(Cow::Borrowed("bot"));
    /// A bot of the tenant's own.
    pub const TENANT_BOT: Self = Self(Cow::Borrowed("tenantBot"));
    /// An Office 365 connector.
    pub const OFFICE_365_CONNECTOR: Self = Self(Cow::Borrowed("office365Connector"));
    /// An outgoing webhook.
    pub const OUTGOING_WEBHOOK: Self = Self(Cow::Borrowed("outgoingWebhook"));

    /// The kind of this name.
    pub fn named(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Its name in the service.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// A time range of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    field: TimeField,
    window: SentRange,
}

/// The field that a time range is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeField {
    /// Of messages.
    Modified,
    /// Of Copilot interactions.
    Created,
}

impl Filter {
    /// What a user wrote, by object id.
    pub fn from_user(id: &str) -> Self {
        Self::from_sender(Sender::User(id.to_owned()))
    }

    /// What a sender, or a kind of sender, wrote.
    pub fn from_sender(sender: Sender) -> Self {
        Self::default().or(sender)
    }

    /// What another sender wrote, too.
    #[must_use]
    pub fn or(mut self, sender: Sender) -> Self {
        self.any_of.push(sender);
        self
    }

    /// Copilot interactions in an app, such as `IPM.SkypeTeams.Message.Copilot.BizChat`; called
    /// again, of that app too. Means nothing to feeds of messages.
    #[must_use]
    pub fn or_app_class(mut self, app_class: &str) -> Self {
        self.app_classes.push(app_class.to_owned());
        self
    }

    /// Messages changed last at or after `start` and before `end`.
    #[must_use]
    pub fn between(self, start: Timestamp, end: Timestamp) -> Self {
        self.over(TimeField::Modified, SentRange::half_open(start, end))
    }

    /// Copilot interactions made at or after `start` and before `end`.
    #[must_use]
    pub fn created_between(self, start: Timestamp, end: Timestamp) -> Self {
        self.over(TimeField::Created, SentRange::half_open(start, end))
    }

    /// The clauses about senders.
    pub fn senders(&self) -> &[Sender] {
        &self.any_of
    }

    /// The classes of Copilot apps.
    pub fn app_classes(&self) -> &[String] {
        &self.app_classes
    }

    /// Does it let everything through?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Its time range and the field that it is about.
    pub fn range(&self) -> Option<(TimeField, SentRange)> {
        self.range.map(|range| (range.field, range.window))
    }

    /// Its other parts.
    #[must_use]
    pub fn without_range(&self) -> Self {
        Self { range: None, ..self.clone() }
    }

    /// With this range instead of its own.
    #[must_use]
    pub(crate) fn over(mut self, field: TimeField, window: SentRange) -> Self {
        self.range = Some(Range { field, window: window.whole() });
        self
    }

    /// Without its range, and without the groups that are not wanted: all senders, if there is one
    /// that `knows` refuses, because a part of an `or` would let less through than the whole.
    pub(crate) fn part(&self, knows: impl Fn(&Sender) -> bool, app_classes: bool) -> Self {
        let any_of = if self.any_of.iter().all(knows) { self.any_of.clone() } else { Vec::new() };
        let app_classes = if app_classes { self.app_classes.clone() } else { Vec::new() };
        Self { any_of, app_classes, range: None }
    }

    /// Its time range, if it is about `field`.
    pub(crate) fn window(&self, field: TimeField) -> Option<SentRange> {
        self.range.filter(|range| range.field == field).map(|range| range.window)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        forms::recognise(text)
    }
}

/// The senders' part of the *fetch-once plan* for one user, by object id: what they wrote, and
/// what no exported directory user can have written.
///
/// If every member of a chat is exported so, each message of a directory user comes in once, from
/// its author's export, instead of once per member; messages of all others still come in once per
/// member, because nobody's own export would have them. Listed are all kinds of sender that the
/// service documents for filters, but for `aadUser`. `onPremiseAadUser` is listed although such
/// users are in the directory: their mailbox is elsewhere, so their own export may have nothing.
///
/// It misses what the full export has, and a caller has to say so:
/// - senders who were deleted, or are not exported, or left the tenant: nobody asks for their id;
/// - changes to a message after its author has left the chat, whose mailbox follows it no longer;
/// - users of other tenants who come as `aadUser` instead of `federatedUser` (external access);
/// - kinds of sender that filters do not document: `emailUser`, `azureCommunicationServicesUser`,
///   devices, kinds to come, and messages without a sender that are no system events.
pub fn fetch_once(user: &str) -> Filter {
    let users = [
        UserKind::ON_PREMISE_AAD,
        UserKind::ANONYMOUS_GUEST,
        UserKind::FEDERATED,
        UserKind::PERSONAL,
        UserKind::SKYPE,
        UserKind::PHONE,
    ];
    let applications = [
        ApplicationKind::AAD,
        ApplicationKind::BOT,
        ApplicationKind::TENANT_BOT,
        ApplicationKind::OFFICE_365_CONNECTOR,
        ApplicationKind::OUTGOING_WEBHOOK,
    ];
    users
        .into_iter()
        .map(Sender::UserKind)
        .chain(applications.into_iter().map(Sender::Application))
        .chain([Sender::SystemEvents])
        .fold(Filter::from_user(user), Filter::or)
}
