//! System events: what the service reports about a conversation, and words for it.

mod detail;
mod duration;
mod names;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use chatvault_engine::Value;

use crate::message::{Fill, Identity, identity, list, texts};

pub use detail::Detail;
pub use duration::humanized;
pub(crate) use names::one_line;
pub use names::{Names, NoNames, who};
pub use words::{PLACEHOLDER, words};

/// A system event: its type, who caused it, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The type, such as `membersAdded`; `unknown` if the message does not tell.
    pub name: Cow<'a, str>,
    /// Who caused it.
    pub initiator: Option<Identity<'a>>,
    /// What belongs to the type.
    pub detail: Detail<'a>,
}

impl Default for Event<'_> {
    fn default() -> Self {
        Self { name: Cow::Borrowed("unknown"), initiator: None, detail: Detail::Other }
    }
}

impl<'a> Event<'a> {
    pub(crate) fn of(fields: Option<EventFields<'a>>) -> Option<Self> {
        let mut fields = fields?;
        let name = type_name(fields.odata_type.take());
        let initiator = fields.initiator.take();
        let detail = Detail::of(&name, fields);
        Some(Self { name, initiator, detail })
    }

    /// The people whom it adds, removes, or names as having been there.
    pub fn members(&self) -> &[Identity<'a>] {
        match &self.detail {
            Detail::MembersAdded { members, .. }
            | Detail::MembersDeleted { members }
            | Detail::MembersJoined { members }
            | Detail::MembersLeft { members }
            | Detail::CallEnded { participants: members, .. } => members,
            _ => &[],
        }
    }
}

/// `#microsoft.graph.membersAddedEventMessageDetail` is `membersAdded`. The name space is not
/// looked at: it has changed before.
fn type_name(odata_type: Option<Cow<'_, str>>) -> Cow<'_, str> {
    fn short(name: &str) -> &str {
        let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
        let name = name.trim_start_matches('#');
        name.strip_suffix("EventMessageDetail").unwrap_or(name)
    }
    let name = match odata_type {
        Some(Cow::Borrowed(name)) => Cow::Borrowed(short(name)),
        Some(Cow::Owned(name)) => Cow::Owned(short(&name).to_owned()),
        None => Cow::Borrowed(""),
    };
    if name.trim().is_empty() { Cow::Borrowed("unknown") } else { name }
}

/// Every field that some type of event has: the type may come after them.
#[derive(Default)]
pub(crate) struct EventFields<'a> {
    odata_type: Option<Cow<'a, str>>,
    initiator: Option<Identity<'a>>,
    organizer: Option<Identity<'a>>,
    member: Option<Identity<'a>>,
    members: Vec<Identity<'a>>,
    participants: Vec<Identity<'a>>,
    roles: Vec<Cow<'a, str>>,
    call: Option<Cow<'a, str>>,
    call_type: Option<Cow<'a, str>>,
    duration: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    calendar_id: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    display_name: Option<Cow<'a, str>>,
    description: Option<Cow<'a, str>>,
    owner_team: Option<Cow<'a, str>>,
    owner_tenant: Option<Cow<'a, str>>,
    enabled: Option<bool>,
    at: Option<chatvault_engine::Timestamp>,
}

impl<'a> Fill<'a> for EventFields<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "@odata.type" => self.odata_type = value.text(),
            "initiator" => self.initiator = identity(value),
            "meetingOrganizer" => self.organizer = identity(value),
            "members" => self.members = people(value),
            "callParticipants" => self.participants = people(value),
            "conversationMemberUser" => self.member = identity(value),
            "conversationMemberRoles" => self.roles = texts(value),
            "callId" => self.call = value.text(),
            "callEventType" => self.call_type = value.text(),
            "callDuration" | "callRecordingDuration" => self.duration = value.text(),
            "callRecordingStatus" => self.status = value.text(),
            "callRecordingUrl" => self.url = value.text(),
            "callTranscriptICalUid" => self.calendar_id = value.text(),
            "channelId" | "sharedChannelId" | "chatId" | "meetingChatId" | "tabId" | "teamId"
            | "teamsAppId" => self.id = value.text(),
            "callRecordingDisplayName"
            | "channelDisplayName"
            | "chatDisplayName"
            | "teamDisplayName"
            | "teamsAppDisplayName" => self.display_name = value.text(),
            "channelDescription" | "teamDescription" => self.description = value.text(),
            "ownerTeamId" => self.owner_team = value.text(),
            "ownerTenantId" => self.owner_tenant = value.text(),
            "meetingChatEnabled" => self.enabled = value.boolean(),
            "visibleHistoryStartDateTime" | "eventDateTime" => self.at = value.time(),
            _ => {}
        }
    }
}

fn people(value: Value<'_>) -> Vec<Identity<'_>> {
    list::<Person<'_>>(value).into_iter().filter_map(Person::identity).collect()
}

/// A member, or a participant, which has the identity set one level deeper.
#[derive(Default)]
struct Person<'a> {
    set: crate::message::IdentitySet<'a>,
    participant: Option<Identity<'a>>,
}

impl<'a> Person<'a> {
    fn identity(self) -> Option<Identity<'a>> {
        self.participant.or_else(|| self.set.chosen())
    }
}

impl<'a> Fill<'a> for Person<'a> {
    fn fill(&mut self, name: &str, value: Value<'a>) {
        match name {
            "participant" => self.participant = identity(value),
            _ => self.set.fill(name, value),
        }
    }
}
