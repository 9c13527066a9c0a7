//! The words of a query for records, kinds, versions and orders.

use std::str::FromStr;

use chatvault_engine::RecordKind;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody, or an app, wrote it.
    Message,
    /// The service reports an event: a member added, a call ended.
    System,
    /// Any other type.
    Other,
}

/// What was stored: messages, or what the service has beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A message of a chat or channel.
    #[default]
    Message,
    /// A prompt to Copilot or its answer.
    Copilot,
    /// A recording of a call; the film is its object.
    Recording,
    /// A transcript of a call; the text is its object.
    Transcript,
    /// A chat's own properties.
    Chat,
    /// A member of a chat, team or channel.
    Member,
    /// A user of the directory.
    User,
    /// A team's own properties.
    Team,
}

/// Which versions of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versions {
    /// The newest one.
    #[default]
    Latest,
    /// Every version, one row each.
    All,
    /// Every stored row: versions, and where one version came with different content, each content.
    Variants,
}

/// In which order rows come. Equal rows never change places: ties are broken by key and content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// By conversation, then created time: as the archive lies on disk, fastest.
    #[default]
    Conversation,
    /// By created time over all conversations.
    Created,
    /// By last modified time over all conversations.
    Modified,
}

impl Record {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Message,
        Self::Copilot,
        Self::Recording,
        Self::Transcript,
        Self::Chat,
        Self::Member,
        Self::User,
        Self::Team,
    ];

    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 8] =
        ["message", "copilot", "recording", "transcript", "chat", "member", "user", "team"];

    /// What people wrote, said or recorded, as opposed to what is known about them.
    pub const CONTENTS: [Self; 4] =
        [Self::Message, Self::Copilot, Self::Recording, Self::Transcript];

    /// Has the full-text index its words?
    pub(crate) fn is_indexed(self) -> bool {
        Self::CONTENTS.contains(&self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

impl FromStr for Record {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let accepted = "message, copilot, recording, transcript, chat, member, user or team";
        let found = Self::ALL.into_iter().find(|record| record.name() == text);
        found.ok_or_else(|| Error::value("record", text, accepted))
    }
}

impl From<Record> for RecordKind {
    fn from(record: Record) -> Self {
        match record {
            Record::Message => Self::Message,
            Record::Copilot => Self::CopilotInteraction,
            Record::Recording => Self::CallRecording,
            Record::Transcript => Self::CallTranscript,
            Record::Chat => Self::Chat,
            Record::Member => Self::Member,
            Record::User => Self::User,
            Record::Team => Self::Team,
        }
    }
}

impl Kind {
    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 3] = ["message", "system", "other"];

    /// The name of the engine's kind.
    pub fn name_of(kind: chatvault_engine::MessageKind) -> &'static str {
        match kind {
            chatvault_engine::MessageKind::Message => "message",
            chatvault_engine::MessageKind::System => "system",
            _ => "other",
        }
    }
}

impl Versions {
    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 3] = ["latest", "all", "variants"];
}

impl Order {
    /// Every name, for help texts and errors.
    pub const NAMES: [&'static str; 3] = ["conversation", "created", "modified"];
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "message" => Ok(Self::Message),
            "system" => Ok(Self::System),
            "other" => Ok(Self::Other),
            _ => Err(Error::value("kinds", text, "message, system or other")),
        }
    }
}

impl FromStr for Versions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "latest" => Ok(Self::Latest),
            "all" => Ok(Self::All),
            "variants" => Ok(Self::Variants),
            _ => Err(Error::value("versions", text, "latest, all or variants")),
        }
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "conversation" => Ok(Self::Conversation),
            "created" => Ok(Self::Created),
            "modified" => Ok(Self::Modified),
            _ => Err(Error::value("order", text, "conversation, created or modified")),
        }
    }
}

impl From<Kind> for chatvault_engine::MessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Message => Self::Message,
            Kind::System => Self::System,
            Kind::Other => Self::Other,
        }
    }
}

impl From<Order> for chatvault_engine::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Conversation => Self::Conversation,
            Order::Created => Self::Created,
            Order::Modified => Self::Modified,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_listed_name_is_read_and_written_as_it_is() {
        fn check<T: FromStr<Err = Error> + Serialize>(names: &[&str]) {
            for name in names {
                let value: T = name.parse().unwrap();
                assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{name}\""));
            }
        }
        check::<Record>(&Record::NAMES);
        check::<Kind>(&Kind::NAMES);
        check::<Versions>(&Versions::NAMES);
        check::<Order>(&Order::NAMES);
        let all: HashSet<RecordKind> = Record::ALL.into_iter().map(RecordKind::from).collect();
        assert_eq!(all.len(), RecordKind::ALL.len());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = "newest".parse::<Versions>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "versions: \"newest\" is not accepted: latest, all or variants"
        );
    }
}
