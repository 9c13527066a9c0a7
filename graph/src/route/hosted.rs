//! Hosted contents that a text refers to: the `$value` URLs of its images, code and emoji.
//!
//! Only ids are taken from a URL, never the URL: it may have any Graph host and version, and the
//! text is anybody's. Time is linear in the text: each byte is looked at once for the left part of
//! a URL and once for the right part.

use super::encode::decode;
use crate::cloud::Cloud;

/// A hosted content, by its ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostedContent {
    /// Where its message is.
    pub place: HostedPlace,
    /// The message.
    pub message: String,
    /// Its own id.
    pub id: String,
}

/// Where its message is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostedPlace {
    /// In a chat.
    Chat(String),
    /// In a channel, maybe as the reply to a message.
    Channel {
        /// The team.
        team: String,
        /// Its channel.
        channel: String,
        /// The message that it answers.
        reply_to: Option<String>,
    },
}

impl HostedPlace {
    /// The chat or channel.
    pub fn conversation(&self) -> &str {
        match self {
            Self::Chat(conversation) | Self::Channel { channel: conversation, .. } => conversation,
        }
    }
}

/// Hosts that the service writes into messages, whichever cloud they are read from.
const HOSTS: [&str; 4] = [
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];

const MARK: &str = "/hostedContents/";

/// Every hosted content that a text refers to, in its order, as often as it does.
pub fn hosted_in(cloud: &Cloud, text: &str) -> Vec<HostedContent> {
    let mut found = Vec::new();
    let mut floor = 0;
    for at in memchr::memmem::find_iter(text.as_bytes(), MARK) {
        // Both ends are next to an ASCII byte, so they are character boundaries.
        let (before, behind) = (text.get(floor..at), text.get(at + MARK.len()..));
        floor = at + MARK.len();
        found.extend(before.zip(behind).and_then(|(left, right)| content(cloud, left, right)));
    }
    found
}

fn content(cloud: &Cloud, left: &str, right: &str) -> Option<HostedContent> {
    let end = right.find(|c| c == '/' || ends_url(c))?;
    let (id, behind) = right.split_at_checked(end)?;
    if id.is_empty() || !behind.starts_with("/$value") {
        return None;
    }
    let url = left.rsplit(ends_url).next()?;
    let (scheme, address) = url.rsplit_once("://")?;
    let (host, path) = address.split_once('/')?;
    if !(scheme.ends_with("http") || scheme.ends_with("https")) || !is_graph(cloud, host) {
        return None;
    }
    let (place, message) = place(path)?;
    Some(HostedContent { place, message, id: decode(id)? })
}

fn place(path: &str) -> Option<(HostedPlace, String)> {
    let parts: Vec<&str> = path.split('/').collect();
    let parts = match &parts[..] {
        ["v1.0" | "beta", rest @ ..] => rest,
        all => all,
    };
    let parts = match parts {
        ["teamwork", "deletedTeams", ..] => parts.get(1..).unwrap_or_default(),
        all => all,
    };
    let (place, message) = match parts {
        ["chats", chat, "messages", message] | ["users", _, "chats", chat, "messages", message] => {
            (HostedPlace::Chat(decode(chat)?), message)
        }
        ["teams" | "deletedTeams", team, "channels", channel, "messages", rest @ ..] => {
            let (reply_to, message) = match rest {
                [message] => (None, message),
                [root, "replies", message] => (Some(decode(root)?), message),
                _ => return None,
            };
            let (team, channel) = (decode(team)?, decode(channel)?);
            (HostedPlace::Channel { team, channel, reply_to }, message)
        }
        _ => return None,
    };
    Some((place, decode(message)?))
}

fn is_graph(cloud: &Cloud, host: &str) -> bool {
    let own = cloud.graph().split_once("://").map(|(_, authority)| authority);
    HOSTS.into_iter().chain(own).any(|known| host.eq_ignore_ascii_case(known))
}

/// Does a URL in running text or markup end here?
fn ends_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'<>\\`".contains(c)
}
