//! Continuations: what a nextLink holds and how it is written, in the service's many ways.
//!
//! Every link keeps the whole question in its token, so that a client that rebuilds a link instead
//! of following it is noticed, not served.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::query::encode;
use super::request::Asked;
use super::route::{Export, Kind};
use crate::Ms;

/// A place in a chain of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// Rows before this page.
    pub(crate) skip: usize,
    /// Pages before this one.
    pub(crate) page: u32,
    /// The tenant's time when the chain began.
    pub(crate) at: Ms,
    /// The tenant's time when the link was written.
    pub(crate) issued: Ms,
    /// `$top` of the first request.
    pub(crate) top: Option<usize>,
    /// No more tricks at this place: the page was empty or came already.
    pub(crate) settled: bool,
    /// `$filter` of the first request.
    pub(crate) filter: String,
}

impl Continuation {
    fn token(&self, folder: &str) -> String {
        let top = self.top.map_or_else(String::new, |top| top.to_string());
        let text = format!(
            "SkipValue={}#MailboxFolder=MailFolders/{folder}#Page={}#At={}#Issued={}#Top={top}#\
             Settled={}#Filter={}",
            self.skip,
            self.page,
            self.at,
            self.issued,
            u8::from(self.settled),
            self.filter
        );
        encode(&STANDARD.encode(text))
    }

    /// Reads what [`Continuation::token`] wrote.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
        let (head, filter) = text.split_once("#Filter=")?;
        let field = |name: &str| {
            head.split('#').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            skip: field("SkipValue")?.parse().ok()?,
            page: field("Page")?.parse().ok()?,
            at: field("At")?.parse().ok()?,
            issued: field("Issued")?.parse().ok()?,
            top: field("Top")?.parse().ok(),
            settled: field("Settled")? == "1",
            filter: filter.to_owned(),
        })
    }
}

/// The path and query of the next page of an export: never what the client asked.
pub(crate) fn next(asked: &Asked, export: &Export, next: &Continuation) -> String {
    let (version, id) = (asked.version(), encode_id(&export.owner));
    let top = next.top.map_or_else(String::new, |top| format!("$top={top}&"));
    let filter = match next.filter.as_str() {
        "" => String::new(),
        filter => format!("$filter={}&", encode(filter)),
    };
    let mail = next.token("TeamsMessagesData");
    let chat = next.token("TeamChat");
    let skip = next.skip;
    let path = match export.kind {
        Kind::Chats => format!("users('{id}')/chats/getallMessages?{top}$skiptoken={mail}"),
        Kind::RetainedChats => format!(
            "users/{id}/chats/getAllRetainedMessages?{top}$skip={skip}&{filter}$skiptoken={mail}"
        ),
        Kind::Channels => {
            format!("teams('{id}')/channels/getallMessages?{top}{filter}$skiptoken={chat}")
        }
        Kind::RetainedChannels => format!(
            "teams/{id}/channels/getAllRetainedMessages?{top}$skip={skip}&{filter}$skiptoken={chat}"
        ),
        Kind::DeletedTeamChannels => {
            format!("teamwork/deletedTeams/{id}/channels/getAllMessages?{filter}$skiptoken={chat}")
        }
        Kind::DeletedTeamRetained => format!(
            "teamwork/deletedTeams/{id}/channels/getAllRetainedMessages?{filter}$skiptoken={chat}"
        ),
        Kind::Targeted => {
            format!("users/{id}/teamwork/getAllRetainedTargetedMessages?{top}$skiptoken={mail}")
        }
        Kind::Recordings | Kind::AdhocRecordings => {
            meetings(export, &id, "getAllRecordings", &filter, &mail)
        }
        Kind::Transcripts | Kind::AdhocTranscripts => {
            meetings(export, &id, "getAllTranscripts", &filter, &mail)
        }
        Kind::Copilot => format!(
            "copilot/users('{id}')/interactionHistory/getAllEnterpriseInteractions?{top}$skiptoken={mail}"
        ),
    };
    format!("/{version}/{path}")
}

fn meetings(export: &Export, id: &str, function: &str, filter: &str, token: &str) -> String {
    let events = if export.kind.is_adhoc() { "adhocCalls" } else { "onlineMeetings" };
    match &export.arguments {
        Some(arguments) => {
            format!("users('{id}')/{events}/{function}({arguments})?skipToken={token}")
        }
        None => format!("users('{id}')/{events}/{function}?{filter}$skiptoken={token}"),
    }
}

/// An id in a path: what a path cannot hold is escaped.
pub(crate) fn encode_id(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:~".contains(c);
    id.chars().map(|c| if plain(c) { c.to_string() } else { encode(&c.to_string()) }).collect()
}

/// The path and query of the next page of a list of the directory.
pub(crate) fn next_in_directory(asked: &Asked, next: &Continuation) -> String {
    let options: Vec<String> = ["top", "select", "filter"]
        .iter()
        .filter_map(|name| Some(format!("${name}={}&", encode(asked.query.get(name)?))))
        .collect();
    format!("{}?{}$skiptoken={}", asked.path(), options.concat(), next.token("Directory"))
}
