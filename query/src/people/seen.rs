//! What one message says about people and about its conversation.

use std::borrow::Cow;

use crate::json::{self, Raw};

/// Somebody as a message names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) address: Option<Cow<'a, str>>,
    pub(super) kind: Option<Cow<'a, str>>,
}

/// Where they are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Sent,
    Mentioned,
    Reacted,
    /// In an event: who did it, and whom it was done to.
    Event,
}

type OnIdentity<'f, 'a> = &'f mut dyn FnMut(Role, Identity<'a>);

/// Calls `on` for each identity of a message that has an id.
pub(super) fn identities<'a>(message: &'a [u8], on: OnIdentity<'_, 'a>) {
    json::members(message, &mut |key, value| match key {
        b"from" | b"onBehalfOf" => of_set(value, Role::Sent, on),
        b"mentions" => of_elements(value, b"mentioned", Role::Mentioned, on),
        b"reactions" => of_elements(value, b"user", Role::Reacted, on),
        b"messageHistory" => json::elements(value, &mut |item| {
            json::members_of(item, &mut |key, reaction| {
                if key == b"reaction" {
                    of_member(reaction, b"user", Role::Reacted, on);
                }
            });
        }),
        b"eventDetail" => of_event(value, on),
        _ => {}
    });
}

fn of_event<'a>(event: Raw<'a>, on: OnIdentity<'_, 'a>) {
    json::members_of(event, &mut |key, value| match key {
        b"initiator" | b"meetingOrganizer" => of_set(value, Role::Event, on),
        b"conversationMemberUser" => of_one(value, Role::Event, on),
        b"members" => json::elements(value, &mut |member| of_one(member, Role::Event, on)),
        b"callParticipants" => of_elements(value, b"participant", Role::Event, on),
        _ => {}
    });
}

/// The identity set under a name in each element of a list.
fn of_elements<'a>(list: Raw<'a>, name: &[u8], role: Role, on: OnIdentity<'_, 'a>) {
    json::elements(list, &mut |element| of_member(element, name, role, on));
}

fn of_member<'a>(object: Raw<'a>, name: &[u8], role: Role, on: OnIdentity<'_, 'a>) {
    json::members_of(object, &mut |key, value| {
        if key == name {
            of_set(value, role, on);
        }
    });
}

/// A set of who did something: conversations and tags are nobody.
fn of_set<'a>(set: Raw<'a>, role: Role, on: OnIdentity<'_, 'a>) {
    json::members_of(set, &mut |key, value| {
        if matches!(key, b"user" | b"application" | b"device") {
            of_one(value, role, on);
        }
    });
}

fn of_one<'a>(identity: Raw<'a>, role: Role, on: OnIdentity<'_, 'a>) {
    let (mut id, mut name, mut address, mut kind) = (None, None, None, None);
    json::members_of(identity, &mut |key, value| match key {
        b"id" => id = some_text(value),
        b"displayName" => name = some_text(value),
        b"email" | b"mail" | b"userPrincipalName" => address = some_text(value).or(address.take()),
        b"userIdentityType" | b"applicationIdentityType" => kind = some_text(value),
        _ => {}
    });
    if let Some(id) = id {
        on(role, Identity { id, name, address, kind });
    }
}

fn some_text(value: Raw<'_>) -> Option<Cow<'_, str>> {
    json::text(value).filter(|text| !text.trim().is_empty())
}

/// What an event says about its conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Without what all names have in common, such as `membersAdded`.
    pub(super) name: Cow<'a, str>,
    pub(super) members: Vec<Cow<'a, str>>,
    /// The chat's or channel's new name; empty if it has none any more.
    pub(super) topic: Option<Cow<'a, str>>,
    /// Which channel it is about, if not the one that it stands in.
    pub(super) channel: Option<Cow<'a, str>>,
}

/// The event that a message reports, and the team that it stands in.
pub(super) fn event(message: &[u8]) -> (Option<Event<'_>>, Option<Cow<'_, str>>) {
    let (mut event, mut team) = (None, None);
    json::members(message, &mut |key, value| match key {
        b"eventDetail" => event = read_event(value),
        b"channelIdentity" => team = json::member_text(value, "teamId"),
        _ => {}
    });
    (event, team.filter(|team| !team.is_empty()))
}

fn read_event(detail: Raw<'_>) -> Option<Event<'_>> {
    let mut event = Event::default();
    json::members_of(detail, &mut |key, value| match key {
        b"@odata.type" => event.name = short_name(json::text(value).unwrap_or_default()),
        b"members" => json::elements(value, &mut |member| {
            event.members.extend(json::member_text(member, "id").filter(|id| !id.is_empty()));
        }),
        b"chatDisplayName" | b"channelDisplayName" => {
            event.topic = Some(json::text(value).unwrap_or_default());
        }
        b"channelId" => event.channel = some_text(value),
        _ => {}
    });
    (!event.name.is_empty()).then_some(event)
}

/// `#microsoft.graph.membersAddedEventMessageDetail` is `membersAdded`.
fn short_name(name: Cow<'_, str>) -> Cow<'_, str> {
    fn short(name: &str) -> &str {
        let last = name.rsplit('.').next().unwrap_or_default();
        last.strip_suffix("EventMessageDetail").unwrap_or(last)
    }
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(short(name)),
        Cow::Owned(name) => Cow::Owned(short(&name).to_owned()),
    }
}
