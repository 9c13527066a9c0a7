//! What each type of event says.

use std::borrow::Cow;

use chatvault_engine::Timestamp;

use super::EventFields;
use crate::message::Identity;

type Text<'a> = Option<Cow<'a, str>>;

/// What an event says, by its type. Every field can be absent.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "a field is what its name says: `id` is of the thing named")]
pub enum Detail<'a> {
    /// A call or meeting began. `call_type` is `call`, `meeting` or `screenShare`.
    CallStarted { call: Text<'a>, call_type: Text<'a> },
    /// A call or meeting ended. The duration is as in ISO 8601.
    CallEnded {
        call: Text<'a>,
        call_type: Text<'a>,
        duration: Text<'a>,
        participants: Vec<Identity<'a>>,
    },
    /// A recording began, failed or is there.
    CallRecording {
        call: Text<'a>,
        name: Text<'a>,
        url: Text<'a>,
        duration: Text<'a>,
        status: Text<'a>,
        organizer: Option<Identity<'a>>,
    },
    /// A transcript is there.
    CallTranscript { call: Text<'a>, calendar_id: Text<'a>, organizer: Option<Identity<'a>> },
    /// A channel was made.
    ChannelAdded { id: Text<'a>, name: Text<'a> },
    /// A channel was deleted.
    ChannelDeleted { id: Text<'a>, name: Text<'a> },
    /// A channel has another name now.
    ChannelRenamed { id: Text<'a>, name: Text<'a> },
    /// A channel has another description now.
    ChannelDescriptionUpdated { id: Text<'a>, description: Text<'a> },
    /// A channel is shown to all members of its team.
    ChannelSetAsFavoriteByDefault { id: Text<'a> },
    /// A channel is no longer shown to all members of its team.
    ChannelUnsetAsFavoriteByDefault { id: Text<'a> },
    /// A channel is shared with another team, or no longer.
    ChannelSharingUpdated { id: Text<'a>, owner_team: Text<'a>, owner_tenant: Text<'a> },
    /// A chat has another name now, or none.
    ChatRenamed { id: Text<'a>, name: Text<'a> },
    /// A member has other roles now; none for a plain member.
    ConversationMemberRoleUpdated { member: Option<Identity<'a>>, roles: Vec<Cow<'a, str>> },
    /// The chat of a meeting was switched on or off.
    MeetingPolicyUpdated { id: Text<'a>, enabled: Option<bool> },
    /// Members were added, and see the history from a time on.
    MembersAdded { members: Vec<Identity<'a>>, history_from: Option<Timestamp> },
    /// Members were removed, or left by themselves.
    MembersDeleted { members: Vec<Identity<'a>> },
    /// Members joined a meeting.
    MembersJoined { members: Vec<Identity<'a>> },
    /// Members left a meeting.
    MembersLeft { members: Vec<Identity<'a>> },
    /// A message was pinned.
    MessagePinned { at: Option<Timestamp> },
    /// A message is no longer pinned.
    MessageUnpinned { at: Option<Timestamp> },
    /// A tab was changed.
    TabUpdated { id: Text<'a> },
    /// A team became read-only.
    TeamArchived { id: Text<'a> },
    /// A team was made.
    TeamCreated { id: Text<'a>, name: Text<'a>, description: Text<'a> },
    /// A team has another description now.
    TeamDescriptionUpdated { id: Text<'a>, description: Text<'a> },
    /// A team can no longer be joined with a code.
    TeamJoiningDisabled { id: Text<'a> },
    /// A team can be joined with a code.
    TeamJoiningEnabled { id: Text<'a> },
    /// A team has another name now.
    TeamRenamed { id: Text<'a>, name: Text<'a> },
    /// A team is writable again.
    TeamUnarchived { id: Text<'a> },
    /// An app was added.
    TeamsAppInstalled { id: Text<'a>, name: Text<'a> },
    /// An app was removed.
    TeamsAppRemoved { id: Text<'a>, name: Text<'a> },
    /// An app has a newer version now.
    TeamsAppUpgraded { id: Text<'a>, name: Text<'a> },
    /// A type that this program does not know.
    Other,
}

impl<'a> Detail<'a> {
    pub(super) fn of(name: &str, fields: EventFields<'a>) -> Self {
        let EventFields { id, at, call, call_type, duration, organizer, members, .. } = fields;
        match name {
            "callStarted" => Self::CallStarted { call, call_type },
            "callEnded" => {
                Self::CallEnded { call, call_type, duration, participants: fields.participants }
            }
            "callRecording" => Self::CallRecording {
                call,
                name: fields.display_name,
                url: fields.url,
                duration,
                status: fields.status,
                organizer,
            },
            "callTranscript" => {
                Self::CallTranscript { call, calendar_id: fields.calendar_id, organizer }
            }
            "conversationMemberRoleUpdated" => {
                Self::ConversationMemberRoleUpdated { member: fields.member, roles: fields.roles }
            }
            "meetingPolicyUpdated" => Self::MeetingPolicyUpdated { id, enabled: fields.enabled },
            "membersAdded" => Self::MembersAdded { members, history_from: at },
            "membersDeleted" => Self::MembersDeleted { members },
            "membersJoined" => Self::MembersJoined { members },
            "membersLeft" => Self::MembersLeft { members },
            "messagePinned" => Self::MessagePinned { at },
            "messageUnpinned" => Self::MessageUnpinned { at },
            "channelSharingUpdated" => Self::ChannelSharingUpdated {
                id,
                owner_team: fields.owner_team,
                owner_tenant: fields.owner_tenant,
            },
            _ => Self::of_thing(name, id, fields.display_name, fields.description),
        }
    }

    /// The types that are about one thing with an id, and maybe a name or a description.
    fn of_thing(event: &str, id: Text<'a>, name: Text<'a>, description: Text<'a>) -> Self {
        match event {
            "channelAdded" => Self::ChannelAdded { id, name },
            "channelDeleted" => Self::ChannelDeleted { id, name },
            "channelRenamed" => Self::ChannelRenamed { id, name },
            "channelDescriptionUpdated" => Self::ChannelDescriptionUpdated { id, description },
            "channelSetAsFavoriteByDefault" => Self::ChannelSetAsFavoriteByDefault { id },
            "channelUnsetAsFavoriteByDefault" => Self::ChannelUnsetAsFavoriteByDefault { id },
            "chatRenamed" => Self::ChatRenamed { id, name },
            "tabUpdated" => Self::TabUpdated { id },
            "teamArchived" => Self::TeamArchived { id },
            "teamCreated" => Self::TeamCreated { id, name, description },
            "teamDescriptionUpdated" => Self::TeamDescriptionUpdated { id, description },
            "teamJoiningDisabled" => Self::TeamJoiningDisabled { id },
            "teamJoiningEnabled" => Self::TeamJoiningEnabled { id },
            "teamRenamed" => Self::TeamRenamed { id, name },
            "teamUnarchived" => Self::TeamUnarchived { id },
            "teamsAppInstalled" => Self::TeamsAppInstalled { id, name },
            "teamsAppRemoved" => Self::TeamsAppRemoved { id, name },
            "teamsAppUpgraded" => Self::TeamsAppUpgraded { id, name },
            _ => Self::Other,
        }
    }
}
