//! One readable English sentence for each event.

use std::borrow::Cow;

use chatvault_base::time::format_time;
use chatvault_engine::Timestamp;

use super::names::one_line;
use super::{Detail, Event, Names, humanized, who};
use crate::message::Identity;

/// What stands for an event where its words are not wanted.
pub const PLACEHOLDER: &str = "System Event Message can't be previewed";

/// One readable English sentence; for a type that is not known, its name.
pub fn words(event: &Event<'_>, names: &dyn Names) -> String {
    let by = event.initiator.as_ref().map_or_else(|| "Someone".to_owned(), |one| who(one, names));
    let by = by.as_str();
    match &event.detail {
        Detail::CallStarted { call_type, .. } => format!("{by} started a {}", call(call_type)),
        Detail::CallEnded { call_type, duration, participants, .. } => {
            call_ended(call_type, duration, participants, names)
        }
        Detail::CallRecording { name, url, status, .. } => recording(status, name, url),
        Detail::CallTranscript { .. } => "Transcript available".to_owned(),
        Detail::ConversationMemberRoleUpdated { member, roles } => {
            let member = member.as_ref().map_or("someone".into(), |one| who(one, names));
            let roles: Vec<String> = roles.iter().map(|role| one_line(role)).collect();
            let roles = if roles.is_empty() { "member".to_owned() } else { listed(&roles) };
            format!("{by} made {member} {roles}")
        }
        Detail::MeetingPolicyUpdated { enabled, .. } => match enabled {
            Some(true) => format!("{by} changed the meeting: chat enabled"),
            Some(false) => format!("{by} changed the meeting: chat disabled"),
            None => format!("{by} changed the meeting's policy"),
        },
        Detail::MembersAdded { members, history_from } => {
            format!("{by} added {}{}", people(members, names), shared(*history_from))
        }
        Detail::MembersDeleted { members } => match (members.as_slice(), &event.initiator) {
            ([member], Some(initiator)) if is_same(member, initiator) => format!("{by} left"),
            _ => format!("{by} removed {}", people(members, names)),
        },
        Detail::MembersJoined { members } => format!("{} joined", people(members, names)),
        Detail::MembersLeft { members } => format!("{} left", people(members, names)),
        Detail::MessagePinned { .. } => format!("{by} pinned a message"),
        Detail::MessageUnpinned { .. } => format!("{by} unpinned a message"),
        Detail::TabUpdated { .. } => format!("{by} updated a tab"),
        Detail::TeamsAppInstalled { name, .. } => format!("{by} installed {}", app(name)),
        Detail::TeamsAppRemoved { name, .. } => format!("{by} removed {}", app(name)),
        Detail::TeamsAppUpgraded { name, .. } => format!("{by} upgraded {}", app(name)),
        Detail::Other => format!("System event: {}", one_line(&event.name)),
        about_place => place(by, about_place),
    }
}

/// Events about a chat, a channel or a team itself.
fn place(by: &str, detail: &Detail<'_>) -> String {
    match detail {
        Detail::ChatRenamed { name, .. } => match named(name) {
            Some(name) => format!("{by} renamed the chat to {name}"),
            None => format!("{by} removed the name of the chat"),
        },
        Detail::ChannelAdded { name, .. } => format!("{by} added the {}", thing("channel", name)),
        Detail::ChannelDeleted { name, .. } => {
            format!("{by} deleted the {}", thing("channel", name))
        }
        Detail::ChannelRenamed { name, .. } => renamed(by, "channel", name),
        Detail::ChannelDescriptionUpdated { description, .. } => {
            described(by, "channel", description)
        }
        Detail::ChannelSetAsFavoriteByDefault { .. } => {
            format!("{by} set the channel as a favorite by default")
        }
        Detail::ChannelUnsetAsFavoriteByDefault { .. } => {
            format!("{by} unset the channel as a favorite by default")
        }
        Detail::ChannelSharingUpdated { .. } => format!("{by} updated the sharing of the channel"),
        Detail::TeamCreated { name, .. } => format!("{by} created the {}", thing("team", name)),
        Detail::TeamRenamed { name, .. } => renamed(by, "team", name),
        Detail::TeamDescriptionUpdated { description, .. } => described(by, "team", description),
        Detail::TeamArchived { .. } => format!("{by} archived the team"),
        Detail::TeamUnarchived { .. } => format!("{by} unarchived the team"),
        Detail::TeamJoiningEnabled { .. } => format!("{by} enabled joining the team"),
        Detail::TeamJoiningDisabled { .. } => format!("{by} disabled joining the team"),
        _ => format!("{by} changed the conversation"),
    }
}

type Text<'a> = Option<Cow<'a, str>>;

fn named(name: &Text<'_>) -> Option<String> {
    name.as_deref().map(one_line).filter(|name| !name.is_empty())
}

fn thing(kind: &str, name: &Text<'_>) -> String {
    named(name).map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
}

fn renamed(by: &str, kind: &str, name: &Text<'_>) -> String {
    match named(name) {
        Some(name) => format!("{by} renamed the {kind} to {name}"),
        None => format!("{by} renamed the {kind}"),
    }
}

fn described(by: &str, kind: &str, description: &Text<'_>) -> String {
    match named(description) {
        Some(description) => {
            format!("{by} changed the description of the {kind} to: {description}")
        }
        None => format!("{by} removed the description of the {kind}"),
    }
}

fn app(name: &Text<'_>) -> String {
    named(name).unwrap_or_else(|| "an app".to_owned())
}

fn call(call_type: &Text<'_>) -> String {
    match call_type.as_deref() {
        None | Some("" | "unknownFutureValue") => "call".to_owned(),
        Some("screenShare") => "screen share".to_owned(),
        Some(other) => one_line(other),
    }
}

fn call_ended(
    call_type: &Text<'_>,
    duration: &Text<'_>,
    participants: &[Identity<'_>],
    names: &dyn Names,
) -> String {
    let call = capitalized(&call(call_type));
    let lasted = named(duration).map(|duration| humanized(&duration).unwrap_or(duration));
    let lasted = lasted.map(|duration| format!(" ({duration})")).unwrap_or_default();
    let all: Vec<String> = participants.iter().map(|one| who(one, names)).collect();
    let there =
        if all.is_empty() { String::new() } else { format!("; participants: {}", all.join(", ")) };
    format!("{call} ended{lasted}{there}")
}

fn recording(status: &Text<'_>, name: &Text<'_>, url: &Text<'_>) -> String {
    let status = match status.as_deref() {
        None | Some("" | "unknownFutureValue") => None,
        Some("chunkFinished") => Some("chunk finished".to_owned()),
        Some(other) => Some(one_line(other)),
    };
    let head =
        status.map_or_else(|| "Recording".to_owned(), |status| format!("Recording {status}"));
    let rest: Vec<String> = [name, url].into_iter().filter_map(named).collect();
    if rest.is_empty() { head } else { format!("{head}: {}", rest.join(" ")) }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn people(members: &[Identity<'_>], names: &dyn Names) -> String {
    let members: Vec<String> = members.iter().map(|member| who(member, names)).collect();
    if members.is_empty() { "someone".to_owned() } else { listed(&members) }
}

fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

fn is_same(one: &Identity<'_>, other: &Identity<'_>) -> bool {
    !one.id.is_empty() && one.id.eq_ignore_ascii_case(&other.id)
}

/// 0001-01-01T00:00:00Z, which the service writes for all of the history.
const START_OF_CALENDAR_MS: i64 = -62_135_596_800_000;

fn shared(history_from: Option<Timestamp>) -> String {
    match history_from {
        None => String::new(),
        Some(at) if at.ms() <= START_OF_CALENDAR_MS => " and shared all chat history".to_owned(),
        Some(at) => format!(" and shared history from {}", format_time(at)),
    }
}
