//! What one message says about people and about its conversation.

use std::borrow::Cow;

use chatvault_engine::{Document, Value};

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
pub(super) fn identities<'d>(message: &'d Document<'_>, on: OnIdentity<'_, 'd>) {
    for (name, value) in message.root().members() {
        match name {
            "from" | "onBehalfOf" => of_set(value, Role::Sent, on),
            "mentions" => of_elements(value, "mentioned", Role::Mentioned, on),
            "reactions" => of_elements(value, "user", Role::Reacted, on),
            "messageHistory" => {
                let reactions = value.elements().filter_map(|item| item.get("reaction"));
                reactions.for_each(|reaction| of_member(reaction, "user", Role::Reacted, on));
            }
            "eventDetail" => of_event(value, on),
            _ => {}
        }
    }
}

fn of_event<'d>(event: Value<'d>, on: OnIdentity<'_, 'd>) {
    for (name, value) in event.members() {
        match name {
            "initiator" | "meetingOrganizer" => of_set(value, Role::Event, on),
            "conversationMemberUser" => of_one(value, Role::Event, on),
            "members" => value.elements().for_each(|member| of_one(member, Role::Event, on)),
            "callParticipants" => of_elements(value, "participant", Role::Event, on),
            _ => {}
        }
    }
}

/// The identity set under a name in each element of a list.
fn of_elements<'d>(list: Value<'d>, name: &str, role: Role, on: OnIdentity<'_, 'd>) {
    list.elements().for_each(|element| of_member(element, name, role, on));
}

fn of_member<'d>(object: Value<'d>, name: &str, role: Role, on: OnIdentity<'_, 'd>) {
    if let Some(set) = object.get(name) {
        of_set(set, role, on);
    }
}

/// A set of who did something: conversations and tags are nobody.
fn of_set<'d>(set: Value<'d>, role: Role, on: OnIdentity<'_, 'd>) {
    for (name, value) in set.members() {
        if matches!(name, "user" | "application" | "device") {
            of_one(value, role, on);
        }
    }
}

fn of_one<'d>(identity: Value<'d>, role: Role, on: OnIdentity<'_, 'd>) {
    let (mut id, mut name, mut address, mut kind) = (None, None, None, None);
    for (key, value) in identity.members() {
        match key {
            "id" => id = some_text(value),
            "displayName" => name = some_text(value),
            "email" | "mail" | "userPrincipalName" => address = some_text(value).or(address.take()),
            "userIdentityType" | "applicationIdentityType" => kind = some_text(value),
            _ => {}
        }
    }
    if let Some(id) = id {
        on(role, Identity { id, name, address, kind });
    }
}

/// A text that says something.
pub(super) fn some_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    value.text().filter(|text| !text.trim().is_empty())
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
pub(super) fn event<'d>(message: &'d Document<'_>) -> (Option<Event<'d>>, Option<Cow<'d, str>>) {
    let root = message.root();
    let team = root.get("channelIdentity").and_then(|place| place.get("teamId")?.text());
    (root.get("eventDetail").and_then(read_event), team.filter(|team| !team.is_empty()))
}

fn read_event(detail: Value<'_>) -> Option<Event<'_>> {
    let mut event = Event::default();
    for (name, value) in detail.members() {
        match name {
            "@odata.type" => event.name = short_name(value.text().unwrap_or_default()),
            "members" => {
                let ids = value.elements().filter_map(|member| member.get("id")?.text());
                event.members.extend(ids.filter(|id| !id.is_empty()));
            }
            "chatDisplayName" | "channelDisplayName" => {
                event.topic = Some(value.text().unwrap_or_default());
            }
            "channelId" => event.channel = some_text(value),
            _ => {}
        }
    }
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
