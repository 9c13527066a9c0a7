//! Every address that is not a link of the service: first pages, lists of the directory, contents.
//!
//! Ids come from outside. They are encoded so that they are one path segment, whatever they hold;
//! an id that cannot be one (nothing, or only dots) gives an error instead of another address.

mod content;
mod encode;
mod feed;
mod hosted;
#[cfg(test)]
mod tests;

use super::cloud::Cloud;
use super::failure::Failure;
use super::filter::{Filter, SentRange, one_sided};
use super::link::Link;
use encode::{query, quoted, segment};

pub use content::{
    Event, Recorded, hosted_content, recording_content, share_content, share_item,
    transcript_content, transcript_metadata,
};
pub use feed::{Feed, Items, Model};
pub use hosted::{HostedContent, HostedPlace, hosted_in};

/// What to ask of one account.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Of what.
    pub feed: Feed,
    /// The object id of the user or team.
    pub id: &'a str,
    /// A team that was deleted: its feeds are somewhere else.
    pub deleted_team: bool,
    /// The time range. A delta of chats takes its lower bound; other deltas take none.
    pub window: Option<SentRange>,
    /// Narrows the window; parts that a feed does not know are left out, so that the feed gives
    /// more then, never less.
    pub filter: &'a Filter,
    /// Items of a page, cut to what the feed takes.
    pub top: Option<u32>,
    /// Only for feeds that were metered once.
    pub model: Option<Model>,
}

/// The first page of a feed; the others are links of the service.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn first_page(cloud: &Cloud, export: &Export<'_>) -> Result<Link, Failure> {
    let mut address = path(cloud, export)?;
    let top = export.feed.max_top().and_then(|most| Some(export.top?.clamp(1, most)));
    let options = [
        ("$top", top.map(|top| top.to_string())),
        ("$filter", Some(filter(export)).filter(|text| !text.is_empty())),
        (
            "model",
            export.model.filter(|_| export.feed.takes_model()).map(|model| model.to_string()),
        ),
    ];
    let mut mark = '?';
    for (name, value) in options {
        let Some(value) = value else { continue };
        address.extend([mark.to_string().as_str(), name, "=", &query(&value)]);
        mark = '&';
    }
    Link::own(cloud, &address)
}

fn path(cloud: &Cloud, export: &Export<'_>) -> Result<String, Failure> {
    let id = segment(cloud, export.id)?;
    let team = place_of_teams(export.deleted_team);
    Ok(match export.feed {
        Feed::Chats => format!("/users/{id}/chats/getAllMessages"),
        Feed::ChatsDelta => format!("/users/{id}/chats/getAllMessages/delta"),
        Feed::RetainedChats => format!("/users/{id}/chats/getAllRetainedMessages"),
        Feed::Targeted => format!("/users/{id}/teamwork/getAllRetainedTargetedMessages"),
        Feed::Channels => format!("/{team}/{id}/channels/getAllMessages"),
        Feed::RetainedChannels => format!("/{team}/{id}/channels/getAllRetainedMessages"),
        Feed::Copilot => {
            format!("/copilot/users/{id}/interactionHistory/getAllEnterpriseInteractions")
        }
        Feed::Recordings | Feed::AdhocRecordings => meetings(&id, export, "getAllRecordings", ""),
        Feed::RecordingsDelta => meetings(&id, export, "getAllRecordings", "/delta"),
        Feed::Transcripts | Feed::AdhocTranscripts => {
            meetings(&id, export, "getAllTranscripts", "")
        }
        Feed::TranscriptsDelta => meetings(&id, export, "getAllTranscripts", "/delta"),
    })
}

/// Where teams are, and what is left of those that were deleted.
fn place_of_teams(deleted: bool) -> &'static str {
    if deleted { "teamwork/deletedTeams" } else { "teams" }
}

/// What was recorded is listed by a function, which fails without a user.
fn meetings(id: &str, export: &Export<'_>, function: &str, delta: &str) -> String {
    let (events, organizer) = match export.feed {
        Feed::AdhocRecordings | Feed::AdhocTranscripts => ("adhocCalls", "userId"),
        _ => ("onlineMeetings", "meetingOrganizerUserId"),
    };
    let organizer = format!("{organizer}={}", quoted(export.id));
    let range = export.window.filter(|_| delta.is_empty()).map(SentRange::whole).map(|window| {
        let [start, end] = [window.from, window.to].map(super::filter::time);
        format!(",startDateTime={start},endDateTime={end}")
    });
    let range = range.unwrap_or_default();
    format!("/users/{id}/{events}/{function}({organizer}{range}){delta}")
}

/// What is sent as `$filter`; empty for none.
fn filter(export: &Export<'_>) -> String {
    let feed = export.feed;
    let Some(field) = feed.time_field() else { return String::new() };
    let own = export.filter.window(field);
    let window = match (export.window, own) {
        (Some(asked), Some(own)) => Some(asked.and(own)),
        (asked, own) => asked.or(own),
    };
    if feed == Feed::ChatsDelta {
        return window.map(|window| one_sided(field, window.whole().from)).unwrap_or_default();
    }
    let known = feed.part_of(export.filter);
    match window {
        Some(window) => known.over(field, window).to_string(),
        None => known.to_string(),
    }
}

const USER_FIELDS: &str =
    "$select=id,displayName,userPrincipalName,mail,userType,accountEnabled,assignedLicenses";

/// The directory's users.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn users(cloud: &Cloud, rows: u32) -> Result<Link, Failure> {
    Link::own(cloud, &format!("/users?{USER_FIELDS}&$top={rows}"))
}

/// Users that were deleted in the last 30 days.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn deleted_users(cloud: &Cloud, rows: u32) -> Result<Link, Failure> {
    let path = "/directory/deletedItems/microsoft.graph.user";
    Link::own(cloud, &format!("{path}?{USER_FIELDS}&$top={rows}"))
}

/// The directory's teams, which are groups.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn teams(cloud: &Cloud, rows: u32) -> Result<Link, Failure> {
    let filter = query("resourceProvisioningOptions/Any(x:x eq 'Team')");
    Link::own(cloud, &format!("/groups?$filter={filter}&$select=id,displayName,mail&$top={rows}"))
}

/// The app registration's own secrets: when each ends, and how it begins.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn application(cloud: &Cloud, client_id: &str) -> Result<Link, Failure> {
    let id = quoted(client_id);
    Link::own(cloud, &format!("/applications(appId={id})?$select=passwordCredentials"))
}

/// A chat's own properties.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn chat(cloud: &Cloud, id: &str) -> Result<Link, Failure> {
    Link::own(cloud, &format!("/chats/{}", segment(cloud, id)?))
}

/// Who is in a chat.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn chat_members(cloud: &Cloud, id: &str) -> Result<Link, Failure> {
    Link::own(cloud, &format!("/chats/{}/members", segment(cloud, id)?))
}

/// A team's channels with their names.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn channels(cloud: &Cloud, team: &str) -> Result<Link, Failure> {
    Link::own(cloud, &format!("/teams/{}/channels", segment(cloud, team)?))
}

/// Teams that were deleted; this list takes no options.
///
/// A [`Failure`] if the cloud, or an id, makes no link on its own Graph.
pub fn deleted_teams(cloud: &Cloud) -> Result<Link, Failure> {
    Link::own(cloud, "/teamwork/deletedTeams")
}
