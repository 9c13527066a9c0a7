//! The exports: everything that was delivered for a user or team, as the service's own feeds give it.
//!
//! | feed | rows |
//! |---|---|
//! | `getAllMessages`, its delta | the newest version of each message that this account's exports delivered |
//! | `getAllRetainedMessages`, targeted, Copilot | every version, and each content that one came with |
//! | recordings and transcripts, their deltas | the newest entry |

use chatvault_engine::{Custodian, Document, Path, Row, Snapshot, Value};
use chatvault_query::{Query, Record, Versions};

use super::Call;
use super::link::{Question, Size};
use super::refusal::{Refusal, Result};
use super::rows::Listing;
use axum::response::Response;

const USUAL: Size = Size { usual: 100, most: 999, is_strict: false };
const DELTA: Size = Size { usual: 50, most: 50, is_strict: false };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Current,
    Retained,
    Targeted,
    Recordings,
    AdhocRecordings,
    Transcripts,
    AdhocTranscripts,
    Copilot,
}

impl Feed {
    /// The feed of an address, whose it is (at which step), and is it its delta?
    pub(super) fn of(words: &[&str]) -> Option<(Self, usize, bool)> {
        let (words, is_delta) = match words {
            [all @ .., "delta"] => (all, true),
            all => (all, false),
        };
        let (feed, at) = match words {
            ["users" | "teams", _, "chats" | "channels", "getallmessages" | "allmessages"] => {
                (Self::Current, 1)
            }
            ["users" | "teams", _, "chats" | "channels", "getallretainedmessages"] => {
                (Self::Retained, 1)
            }
            ["users", _, "teamwork", name] if name.ends_with("targetedmessages") => {
                (Self::Targeted, 1)
            }
            ["users", _, "onlinemeetings", "getallrecordings"] => (Self::Recordings, 1),
            ["users", _, "onlinemeetings", "getalltranscripts"] => (Self::Transcripts, 1),
            ["users", _, "adhoccalls", "getallrecordings"] => (Self::AdhocRecordings, 1),
            ["users", _, "adhoccalls", "getalltranscripts"] => (Self::AdhocTranscripts, 1),
            ["copilot", "users", _, "interactionhistory", "getallenterpriseinteractions"] => {
                (Self::Copilot, 2)
            }
            _ => return None,
        };
        let has_delta = matches!(feed, Self::Current | Self::Recordings | Self::Transcripts);
        (has_delta || !is_delta).then_some((feed, at, is_delta))
    }

    fn record(self) -> Record {
        match self {
            Self::Current | Self::Retained | Self::Targeted => Record::Message,
            Self::Recordings | Self::AdhocRecordings => Record::Recording,
            Self::Transcripts | Self::AdhocTranscripts => Record::Transcript,
            Self::Copilot => Record::Copilot,
        }
    }

    fn versions(self) -> Versions {
        match self {
            Self::Retained | Self::Targeted | Self::Copilot => Versions::Variants,
            _ => Versions::Latest,
        }
    }

    fn context(self) -> &'static str {
        match self.record() {
            Record::Recording => "Collection(callRecording)",
            Record::Transcript => "Collection(callTranscript)",
            Record::Copilot => "Collection(aiInteraction)",
            _ if self == Self::Targeted => "Collection(targetedChatMessage)",
            _ => "Collection(chatMessage)",
        }
    }

    /// A page of it.
    pub(super) fn page(self, call: &Call, (at, is_delta): (usize, bool)) -> Result<Response> {
        let snapshot = call.known.snapshot()?;
        let owner = owner(call, &snapshot, at)?;
        let size = if is_delta { DELTA } else { USUAL };
        let mut question = Question::of(call, &snapshot, size)?;
        let text = question.filter.clone().unwrap_or_default();
        let filter = match self.record() {
            Record::Message | Record::Copilot => text,
            _ => of_meetings(&text, &owner)?,
        };
        // What the service took once and ignores.
        question.order = None;
        let query = Query {
            record: self.record(),
            custodians: vec![owner.as_str().to_owned()],
            versions: self.versions(),
            filter: Some(filter).filter(|filter| !filter.is_empty()),
            created_from: call.address.argument("startDateTime").map(str::to_owned),
            created_to: call.address.argument("endDateTime").map(str::to_owned),
            ..Query::default()
        };
        let fits = |row: &Row<'_>| self.has(row);
        let keep: Option<super::rows::Keep<'_>> =
            if self.needs_look(&owner) { Some(&fits) } else { None };
        let context = self.context().to_owned();
        Listing { context, question, query, keep, is_delta }.page(call, &snapshot)
    }

    fn needs_look(self, owner: &Custodian) -> bool {
        match self {
            Self::Copilot => false,
            Self::Current | Self::Retained => owner.as_str().starts_with("user:"),
            _ => true,
        }
    }

    /// Is a row of the record one of this feed?
    fn has(self, row: &Row<'_>) -> Result<bool> {
        let document = row.document()?;
        let text = |path: &str| document.get(&Path::new(path)).and_then(Value::text);
        // As the client that reads them sees it: by the address, or by having no meeting.
        let is_call = || {
            let url = text("recordingContentUrl").or_else(|| text("transcriptContentUrl"));
            url.is_some_and(|url| url.contains("/adhocCalls/"))
                || text("meetingId").is_none_or(|id| id.is_empty())
        };
        Ok(match self {
            Self::Current | Self::Retained => !is_targeted(&document),
            Self::Targeted => is_targeted(&document),
            Self::Recordings | Self::Transcripts => !is_call(),
            Self::AdhocRecordings | Self::AdhocTranscripts => is_call(),
            Self::Copilot => true,
        })
    }
}

/// Whose feed it is: an account of the archive.
fn owner(call: &Call, snapshot: &Snapshot, at: usize) -> Result<Custodian> {
    let directory = call.known.directory(snapshot)?;
    let (text, is_team) = (call.address.step(at), call.address.words().first() == Some(&"teams"));
    let owner = if is_team { directory.team(text) } else { directory.user(text) };
    let owner = owner.ok_or_else(|| Refusal::missing(if is_team { "team" } else { "user" }))?;
    let asked = ["meetingOrganizerUserId", "userId"];
    let mut others = asked.iter().filter_map(|name| call.address.argument(name));
    if others.any(|other| directory.user(other).as_ref() != Some(&owner)) {
        return Err(Refusal::bad("The organizer and the user of the address differ."));
    }
    Ok(owner)
}

/// Was it shown to one member of its chat only?
fn is_targeted(document: &Document<'_>) -> bool {
    document.get(&Path::new("recipient/id")).is_some_and(|id| !id.is_null())
}

/// Of meetings the filter can only name their organizer, whose feed it is.
fn of_meetings(text: &str, owner: &Custodian) -> Result<String> {
    let id = owner.as_str().strip_prefix("user:").unwrap_or_default();
    let own = format!("meetingOrganizer/user/id eq '{id}'");
    let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || spaced.eq_ignore_ascii_case(&own) {
        return Ok(String::new());
    }
    Err(Refusal::bad("Invalid filter clause"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_feeds_in_every_spelling() {
        for (words, feed) in [
            ("users/1/chats/getallmessages", Some((Feed::Current, 1, false))),
            ("teams/1/channels/getallretainedmessages", Some((Feed::Retained, 1, false))),
            ("users/1/chats/getallmessages/delta", Some((Feed::Current, 1, true))),
            ("users/1/chats/getallretainedmessages/delta", None),
            (
                "copilot/users/1/interactionhistory/getallenterpriseinteractions",
                Some((Feed::Copilot, 2, false)),
            ),
            ("users/1/chats", None),
        ] {
            assert_eq!(Feed::of(&words.split('/').collect::<Vec<_>>()), feed, "{words}");
        }
    }
}
