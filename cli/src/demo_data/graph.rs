//! The JSON of a Graph export, field by field in the order in which the service writes it.

#![expect(clippy::struct_field_names, reason = "the service chose the names")]

use serde::Serialize;

/// One page of `getAllMessages`.
#[derive(Serialize)]
pub(super) struct Page<'a> {
    #[serde(rename = "@odata.context")]
    pub(super) context: &'static str,
    #[serde(rename = "@odata.count")]
    pub(super) count: usize,
    #[serde(rename = "@odata.nextLink", skip_serializing_if = "Option::is_none")]
    pub(super) next_link: Option<String>,
    pub(super) value: Vec<&'a Message>,
}

/// One state of one message.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    #[serde(rename = "@odata.type")]
    pub(super) odata_type: &'static str,
    pub(super) id: String,
    pub(super) reply_to_id: Option<String>,
    pub(super) etag: String,
    pub(super) message_type: &'static str,
    pub(super) created_date_time: String,
    pub(super) last_modified_date_time: String,
    pub(super) last_edited_date_time: Option<String>,
    pub(super) deleted_date_time: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) chat_id: Option<String>,
    pub(super) importance: &'static str,
    pub(super) locale: &'static str,
    pub(super) web_url: Option<String>,
    pub(super) channel_identity: Option<ChannelIdentity>,
    pub(super) policy_violation: Option<()>,
    pub(super) event_detail: Option<Event>,
    pub(super) from: Option<IdentitySet>,
    pub(super) body: Body,
    pub(super) attachments: Vec<Attachment>,
    pub(super) mentions: Vec<Mention>,
    pub(super) reactions: Vec<Reaction>,
    pub(super) message_history: Vec<HistoryItem>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelIdentity {
    pub(super) team_id: String,
    pub(super) channel_id: String,
}

#[derive(Clone, Serialize)]
pub(super) struct IdentitySet {
    pub(super) application: Option<Application>,
    pub(super) device: Option<()>,
    pub(super) user: Option<User>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Application {
    #[serde(rename = "@odata.type")]
    pub(super) odata_type: &'static str,
    pub(super) id: String,
    pub(super) display_name: &'static str,
    pub(super) application_identity_type: &'static str,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(rename = "@odata.type")]
    pub(super) odata_type: &'static str,
    pub(super) id: String,
    pub(super) display_name: Option<String>,
    pub(super) user_identity_type: &'static str,
    pub(super) tenant_id: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) content: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    pub(super) id: String,
    pub(super) content_type: &'static str,
    pub(super) content_url: Option<String>,
    pub(super) content: Option<String>,
    pub(super) name: Option<String>,
    pub(super) thumbnail_url: Option<String>,
    pub(super) teams_app_id: Option<String>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mention {
    pub(super) id: u32,
    pub(super) mention_text: String,
    pub(super) mentioned: IdentitySet,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reaction {
    pub(super) reaction_type: &'static str,
    pub(super) display_name: Option<&'static str>,
    pub(super) reaction_content_url: Option<String>,
    pub(super) created_date_time: String,
    pub(super) user: IdentitySet,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryItem {
    pub(super) modified_date_time: String,
    pub(super) actions: &'static str,
    pub(super) reaction: Reaction,
}

/// What the service reports about a conversation.
#[derive(Clone, Serialize)]
#[serde(tag = "@odata.type", rename_all_fields = "camelCase")]
pub(super) enum Event {
    #[serde(rename = "#microsoft.graph.membersAddedEventMessageDetail")]
    MembersAdded {
        visible_history_start_date_time: &'static str,
        members: Vec<User>,
        initiator: IdentitySet,
    },
    #[serde(rename = "#microsoft.graph.membersLeftEventMessageDetail")]
    MembersLeft { members: Vec<User>, initiator: IdentitySet },
    #[serde(rename = "#microsoft.graph.chatRenamedEventMessageDetail")]
    ChatRenamed { chat_id: String, chat_display_name: &'static str, initiator: IdentitySet },
    #[serde(rename = "#microsoft.graph.callStartedEventMessageDetail")]
    CallStarted { call_id: String, call_event_type: &'static str, initiator: IdentitySet },
    #[serde(rename = "#microsoft.graph.callEndedEventMessageDetail")]
    CallEnded {
        call_id: String,
        call_duration: String,
        call_event_type: &'static str,
        call_participants: Vec<Participant>,
        initiator: IdentitySet,
    },
}

#[derive(Clone, Serialize)]
pub(super) struct Participant {
    pub(super) participant: IdentitySet,
}
