//! What one message says of people and of its conversation.

use std::borrow::Cow;

use super::code;
use crate::document::{Document, Value};

/// The id, the code and the text of something that is said.
type Noted<'n> = (&'n str, u8, &'n str);
/// Takes whether it is of the last change, too.
type OnNote<'f> = &'f mut dyn FnMut(bool, Noted<'_>);

/// Members of a message that [`names`] and [`steps`] look at.
pub(super) const PLACES: [&str; 6] =
    ["from", "onBehalfOf", "mentions", "reactions", "messageHistory", "eventDetail"];

/// Calls `on` for everybody whom a message names. Of the last change is whoever reacted.
pub(super) fn names(message: &Document<'_>, on: OnNote<'_>) {
    for (name, value) in message.root().members() {
        match name {
            "from" | "onBehalfOf" => of_set(value, false, on),
            "mentions" => of_elements(value, "mentioned", false, on),
            "reactions" => of_elements(value, "user", true, on),
            "messageHistory" => {
                let reactions = value.elements().filter_map(|item| item.get("reaction"));
                reactions.for_each(|reaction| of_member(reaction, "user", true, on));
            }
            "eventDetail" => of_event(value, on),
            _ => {}
        }
    }
}

/// Calls `on` for who came and left by an event, and for what it says that something is called.
pub(super) fn steps(message: &Document<'_>, on: &mut dyn FnMut(Noted<'_>)) {
    if let Some(event) = message.root().get("eventDetail") {
        of_steps(event, on);
    }
}

fn of_event(event: Value<'_>, on: OnNote<'_>) {
    for (name, value) in event.members() {
        match name {
            "initiator" | "meetingOrganizer" => of_set(value, false, on),
            "conversationMemberUser" => of_one(value, false, on),
            "members" => value.elements().for_each(|member| of_one(member, false, on)),
            "callParticipants" => of_elements(value, "participant", false, on),
            _ => {}
        }
    }
}

/// The identity set under a name in each element of a list.
fn of_elements(list: Value<'_>, name: &str, is_of_change: bool, on: OnNote<'_>) {
    list.elements().for_each(|element| of_member(element, name, is_of_change, on));
}

fn of_member(object: Value<'_>, name: &str, is_of_change: bool, on: OnNote<'_>) {
    if let Some(set) = object.get(name) {
        of_set(set, is_of_change, on);
    }
}

/// A set of who did something: conversations and tags are nobody.
fn of_set(set: Value<'_>, is_of_change: bool, on: OnNote<'_>) {
    for (name, value) in set.members() {
        if matches!(name, "user" | "application" | "device") {
            of_one(value, is_of_change, on);
        }
    }
}

fn of_one(identity: Value<'_>, is_of_change: bool, on: OnNote<'_>) {
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
    let Some(id) = id else { return };
    let is_bare = name.is_none() && address.is_none() && kind.is_none();
    let seen = is_bare.then_some(Cow::Borrowed(""));
    let said =
        [(code::NAME, name), (code::ADDRESS, address), (code::KIND, kind), (code::SEEN, seen)];
    for (code, text) in said {
        if let Some(text) = text {
            on(is_of_change, (&id, code, &text));
        }
    }
}

fn of_steps(event: Value<'_>, on: &mut dyn FnMut(Noted<'_>)) {
    let named = event.get("@odata.type").and_then(Value::text).unwrap_or_default();
    let step = match short_name(&named) {
        "" => return,
        "membersAdded" | "membersJoined" => Some(code::CAME),
        "membersDeleted" | "membersLeft" => Some(code::LEFT),
        _ => None,
    };
    let members = event.get("members").filter(|_| step.is_some());
    for member in members.into_iter().flat_map(Value::elements) {
        let id = member.get("id").and_then(Value::text).filter(|id| !id.is_empty());
        if let Some((step, id)) = step.zip(id) {
            on((&id, step, ""));
        }
    }
    let mut topic = None;
    for (name, value) in event.members() {
        if matches!(name, "chatDisplayName" | "channelDisplayName") {
            topic = Some(value.text().unwrap_or_default());
        }
    }
    if let Some(topic) = topic {
        let channel = event.get("channelId").and_then(some_text);
        on((channel.as_deref().unwrap_or_default(), code::TOPIC, topic.trim()));
    }
}

/// A text that says something.
fn some_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    value.text().filter(|text| !text.trim().is_empty())
}

/// `#microsoft.graph.membersAddedEventMessageDetail` is `membersAdded`.
fn short_name(name: &str) -> &str {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.strip_suffix("EventMessageDetail").unwrap_or(last)
}
