//! Which endpoint an address means, what it counts as and which permissions it asks for.

use super::request::Burden;
use super::seen::Class;
use crate::tenant::{Collection, ContentPath, Place};

/// An endpoint with what its path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Export(Export),
    Users,
    User(String),
    DeletedUsers,
    Groups,
    DeletedTeams,
    /// The app registration itself.
    Application,
    Chat(String),
    ChatMembers(String),
    TeamChannels(String),
    Content {
        path: ContentPath,
        /// Asked below `/teamwork/deletedTeams`.
        deleted_team: bool,
    },
    /// The item a share leads to, or its bytes.
    Share {
        id: String,
        bytes: bool,
    },
    /// Exports of a whole tenant: only for subscriptions.
    TenantWide,
    Unknown,
}

/// A bulk export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) kind: Kind,
    /// User or team, as the address names it.
    pub(crate) owner: String,
    pub(crate) delta: bool,
    /// What stood in the brackets of a function call.
    pub(crate) arguments: Option<String>,
}

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Chats,
    RetainedChats,
    Targeted,
    Channels,
    RetainedChannels,
    DeletedTeamChannels,
    DeletedTeamRetained,
    Recordings,
    Transcripts,
    AdhocRecordings,
    AdhocTranscripts,
    Copilot,
}

impl Kind {
    /// The collection of an owner whose id is known.
    pub(crate) fn collection(self, id: String) -> Collection {
        match self {
            Self::Chats => Collection::Chats(id),
            Self::RetainedChats => Collection::RetainedChats(id),
            Self::Targeted => Collection::Targeted(id),
            Self::Channels => Collection::Channels(id),
            Self::RetainedChannels => Collection::RetainedChannels(id),
            Self::DeletedTeamChannels => Collection::DeletedTeamChannels(id),
            Self::DeletedTeamRetained => Collection::DeletedTeamRetained(id),
            Self::Recordings => Collection::Recordings(id),
            Self::Transcripts => Collection::Transcripts(id),
            Self::AdhocRecordings => Collection::AdhocRecordings(id),
            Self::AdhocTranscripts => Collection::AdhocTranscripts(id),
            Self::Copilot => Collection::Copilot(id),
        }
    }

    /// The type of the items, as the context names it.
    pub(crate) fn item_type(self) -> Option<&'static str> {
        match self {
            Self::Targeted => Some("targetedChatMessage"),
            Self::Recordings | Self::AdhocRecordings => Some("callRecording"),
            Self::Transcripts | Self::AdhocTranscripts => Some("callTranscript"),
            Self::Copilot => None,
            _ => Some("chatMessage"),
        }
    }

    pub(crate) fn is_retained(self) -> bool {
        matches!(self, Self::RetainedChats | Self::RetainedChannels | Self::DeletedTeamRetained)
    }

    pub(crate) fn is_meeting(self) -> bool {
        matches!(self, Self::Recordings | Self::Transcripts) || self.is_adhoc()
    }

    pub(crate) fn is_adhoc(self) -> bool {
        matches!(self, Self::AdhocRecordings | Self::AdhocTranscripts)
    }

    fn class(self) -> Class {
        match self {
            Self::Chats => Class::Chats,
            Self::Channels | Self::DeletedTeamChannels => Class::Channels,
            Self::RetainedChats | Self::RetainedChannels | Self::DeletedTeamRetained => {
                Class::Retained
            }
            Self::Targeted => Class::Targeted,
            Self::Copilot => Class::Copilot,
            _ => Class::Meetings,
        }
    }

    fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Chats | Self::RetainedChats => CHAT_ROLES,
            Self::Targeted => &["TeamworkTargetedMessage.Read.All"],
            Self::Recordings => &["OnlineMeetingRecording.Read.All"],
            Self::Transcripts => &["OnlineMeetingTranscript.Read.All"],
            Self::AdhocRecordings => &["CallRecordings.Read.All"],
            Self::AdhocTranscripts => &["CallTranscripts.Read.All"],
            Self::Copilot => &["AiEnterpriseInteraction.Read.All"],
            _ => &["ChannelMessage.Read.All"],
        }
    }
}

const CHAT_ROLES: &[&str] = &["Chat.Read.All", "Chat.ReadWrite.All"];
const FILE_ROLES: &[&str] =
    &["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];

impl Endpoint {
    /// The endpoint of a path whose first segment is the version.
    pub(crate) fn of(segments: &[String]) -> Self {
        let Some((version, path)) = segments.split_first() else { return Self::Unknown };
        if version != "v1.0" && version != "beta" {
            return Self::Unknown;
        }
        let names: Vec<String> = path.iter().map(|segment| plain(segment)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = directory(&names, path).or_else(|| export(&names, path));
        found.or_else(|| content(&names, path)).unwrap_or(Self::Unknown)
    }

    /// What a request for it counts as.
    pub(crate) fn burden(&self) -> Burden {
        match self {
            Self::Export(export) => (export.kind.class(), None),
            Self::Users
            | Self::User(_)
            | Self::DeletedUsers
            | Self::Groups
            | Self::Application
            | Self::TeamChannels(_)
            | Self::DeletedTeams => (Class::Directory, None),
            Self::Chat(chat) | Self::ChatMembers(chat) => (Class::Chat, Some(chat.clone())),
            Self::Content { path, .. } => content_burden(path),
            Self::Share { .. } => (Class::Files, None),
            Self::TenantWide | Self::Unknown => (Class::Unknown, None),
        }
    }

    /// The permissions of which one is needed.
    pub(crate) fn roles(&self) -> &'static [&'static str] {
        match self {
            Self::Export(export) => export.kind.roles(),
            Self::Users | Self::User(_) | Self::DeletedUsers => {
                &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All"]
            }
            Self::Groups => &["Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"],
            Self::Application => &["Application.Read.All", "Application.ReadWrite.All"],
            Self::DeletedTeams => &["Team.ReadBasic.All", "TeamSettings.Read.All"],
            Self::Chat(_) => &["Chat.Read.All", "Chat.ReadBasic.All", "Chat.ReadWrite.All"],
            Self::ChatMembers(_) => &["ChatMember.Read.All", "Chat.Read.All"],
            Self::TeamChannels(_) => {
                &["Channel.ReadBasic.All", "ChannelSettings.Read.All", "Directory.Read.All"]
            }
            Self::Content { path, .. } => content_roles(path),
            Self::Share { .. } => FILE_ROLES,
            Self::TenantWide => CHAT_ROLES,
            Self::Unknown => &[],
        }
    }

    /// Whether the directory answers, and not Teams.
    pub(crate) fn is_of_directory(&self) -> bool {
        matches!(
            self,
            Self::Users | Self::User(_) | Self::DeletedUsers | Self::Groups | Self::Application
        )
    }

    /// Whether it gives bytes instead of a document.
    pub(crate) fn is_download(&self) -> bool {
        match self {
            Self::Content { path, .. } => !matches!(path, ContentPath::HostedList { .. }),
            Self::Share { bytes, .. } => *bytes,
            _ => false,
        }
    }
}

/// A segment as it is compared: lower case, without namespace and empty brackets.
fn plain(segment: &str) -> String {
    let name = segment.to_ascii_lowercase();
    let name = name.split_once('(').map_or(name.as_str(), |(before, _)| before);
    name.strip_prefix("microsoft.graph.").unwrap_or(name).to_owned()
}

fn directory(names: &[&str], path: &[String]) -> Option<Endpoint> {
    Some(match names {
        ["users"] => Endpoint::Users,
        ["users", _] => Endpoint::User(path.get(1)?.clone()),
        ["directory", "deleteditems", "user"] => Endpoint::DeletedUsers,
        ["groups"] => Endpoint::Groups,
        ["applications"] => Endpoint::Application,
        ["teamwork", "deletedteams"] => Endpoint::DeletedTeams,
        ["chats", "getallmessages" | "allmessages"] => Endpoint::TenantWide,
        ["chats", _] => Endpoint::Chat(path.get(1)?.clone()),
        ["teams", _, "channels"] => Endpoint::TeamChannels(path.get(1)?.clone()),
        ["chats", _, "members"] => Endpoint::ChatMembers(path.get(1)?.clone()),
        _ => return None,
    })
}

fn export(names: &[&str], path: &[String]) -> Option<Endpoint> {
    let (names, delta) = match names {
        [names @ .., "delta"] => (names, true),
        names => (names, false),
    };
    let (kind, at) = match names {
        ["users", _, "chats", "getallmessages" | "allmessages"] => (Kind::Chats, 1),
        ["users", _, "chats", "getallretainedmessages"] => (Kind::RetainedChats, 1),
        ["users", _, "teamwork", "getallretainedtargetedmessages"] => (Kind::Targeted, 1),
        ["users", _, "onlinemeetings", "getallrecordings"] => (Kind::Recordings, 1),
        ["users", _, "onlinemeetings", "getalltranscripts"] => (Kind::Transcripts, 1),
        ["users", _, "adhoccalls", "getallrecordings"] => (Kind::AdhocRecordings, 1),
        ["users", _, "adhoccalls", "getalltranscripts"] => (Kind::AdhocTranscripts, 1),
        ["teams", _, "channels", "getallmessages" | "allmessages"] => (Kind::Channels, 1),
        ["teams", _, "channels", "getallretainedmessages"] => (Kind::RetainedChannels, 1),
        ["teamwork", "deletedteams", _, "channels", "getallmessages" | "allmessages"] => {
            (Kind::DeletedTeamChannels, 2)
        }
        ["teamwork", "deletedteams", _, "channels", "getallretainedmessages"] => {
            (Kind::DeletedTeamRetained, 2)
        }
        ["copilot", "users", _, "interactionhistory", "getallenterpriseinteractions"] => {
            (Kind::Copilot, 2)
        }
        _ => return None,
    };
    if delta && kind != Kind::Chats && (!kind.is_meeting() || kind.is_adhoc()) {
        return None;
    }
    let call = path.get(names.len() - 1)?.split_once('(').map(|(_, rest)| rest);
    let arguments = call.map(|rest| rest.trim_end_matches(')').to_owned());
    Some(Endpoint::Export(Export { kind, owner: path.get(at)?.clone(), delta, arguments }))
}

/// What is not below a deleted team.
fn in_place(path: ContentPath) -> Endpoint {
    Endpoint::Content { path, deleted_team: false }
}

fn content(names: &[&str], path: &[String]) -> Option<Endpoint> {
    if let ["teamwork", "deletedteams", rest @ ..] = names {
        let names: Vec<&str> = ["teams"].into_iter().chain(rest.iter().copied()).collect();
        let found = content(&names, path.get(1..)?)?;
        let Endpoint::Content { path, .. } = found else { return None };
        return Some(Endpoint::Content { path, deleted_team: true });
    }
    let text = |at: usize| path.get(at).cloned().unwrap_or_default();
    Some(match names {
        ["shares", _, "driveitem"] => Endpoint::Share { id: text(1), bytes: false },
        ["shares", _, "driveitem", "content"] => Endpoint::Share { id: text(1), bytes: true },
        ["chats", _, "messages", _, rest @ ..] => {
            hosted(Place::Chat(text(1)), text(3), rest, path.get(4..)?)?
        }
        ["teams", _, "channels", _, "messages", _, "replies", _, rest @ ..] => {
            let place = Place::Channel { team: text(1), channel: text(3), reply_to: Some(text(5)) };
            hosted(place, text(7), rest, path.get(8..)?)?
        }
        ["teams", _, "channels", _, "messages", _, rest @ ..] => {
            let place = Place::Channel { team: text(1), channel: text(3), reply_to: None };
            hosted(place, text(5), rest, path.get(6..)?)?
        }
        ["users", _, events @ ("onlinemeetings" | "adhoccalls"), _, kind, _, what] => {
            let events = if *events == "adhoccalls" { "adhocCalls" } else { "onlineMeetings" };
            let (user, of, id) = (text(1), format!("{events}/{}", text(3)), text(5));
            in_place(match (*kind, *what) {
                ("recordings", "content") => ContentPath::Recording { user, of, id },
                ("transcripts", "content") => ContentPath::Transcript { user, of, id },
                ("transcripts", "metadatacontent") => {
                    ContentPath::TranscriptMetadata { user, of, id }
                }
                _ => return None,
            })
        }
        _ => return None,
    })
}

fn hosted(place: Place, message: String, names: &[&str], path: &[String]) -> Option<Endpoint> {
    let path = match names {
        ["hostedcontents"] => ContentPath::HostedList { place, message },
        ["hostedcontents", _, "$value"] => {
            ContentPath::Hosted { place, message, id: path.get(1)?.clone() }
        }
        _ => return None,
    };
    Some(in_place(path))
}

fn content_burden(path: &ContentPath) -> Burden {
    let (place, in_chat) = match path {
        ContentPath::Hosted { place, .. } => (place, Class::Hosted),
        ContentPath::HostedList { place, .. } => (place, Class::HostedList),
        _ => return (Class::MeetingContent, None),
    };
    match place {
        Place::Chat(chat) => (in_chat, Some(chat.clone())),
        Place::Channel { channel, .. } => (Class::ChannelHosted, Some(channel.clone())),
    }
}

fn content_roles(path: &ContentPath) -> &'static [&'static str] {
    match path {
        ContentPath::Hosted { place: Place::Chat(_), .. }
        | ContentPath::HostedList { place: Place::Chat(_), .. } => CHAT_ROLES,
        ContentPath::Hosted { .. } | ContentPath::HostedList { .. } => &["ChannelMessage.Read.All"],
        ContentPath::Recording { of, .. } if of.starts_with("adhoc") => {
            &["CallRecordings.Read.All"]
        }
        ContentPath::Recording { .. } => &["OnlineMeetingRecording.Read.All"],
        ContentPath::Transcript { of, .. } | ContentPath::TranscriptMetadata { of, .. } => {
            if of.starts_with("adhoc") {
                &["CallTranscripts.Read.All"]
            } else {
                &["OnlineMeetingTranscript.Read.All"]
            }
        }
        ContentPath::File { .. } => FILE_ROLES,
    }
}
