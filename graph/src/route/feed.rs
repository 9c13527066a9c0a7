//! What of an account is exported, and what each export takes and costs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::filter::{Filter, Sender, TimeField};
use crate::limits::Class;

/// What of an account is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Feed {
    /// Messages of a user's chats, as they are now.
    Chats,
    /// What changed in a user's chats since the last round; reaches back eight months.
    ChatsDelta,
    /// Versions of chat messages that a retention policy kept.
    RetainedChats,
    /// Messages that only one member of a chat was shown.
    Targeted,
    /// Recordings of the meetings that a user organized.
    Recordings,
    /// Recordings that were added since the last round.
    RecordingsDelta,
    /// Recordings of calls without a meeting that a user started.
    AdhocRecordings,
    /// Transcripts of the meetings that a user organized.
    Transcripts,
    /// Transcripts that were added since the last round.
    TranscriptsDelta,
    /// Transcripts of calls without a meeting that a user started.
    AdhocTranscripts,
    /// What a user and Copilot said to each other.
    Copilot,
    /// Messages of a team's channels, shared and private ones too, as they are now.
    Channels,
    /// Versions of channel messages that a retention policy kept.
    RetainedChannels,
}

impl Feed {
    /// All feeds.
    pub const ALL: [Self; 13] = [
        Self::Chats,
        Self::ChatsDelta,
        Self::RetainedChats,
        Self::Targeted,
        Self::Recordings,
        Self::RecordingsDelta,
        Self::AdhocRecordings,
        Self::Transcripts,
        Self::TranscriptsDelta,
        Self::AdhocTranscripts,
        Self::Copilot,
        Self::Channels,
        Self::RetainedChannels,
    ];

    /// Its name, as serde writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chats => "chats",
            Self::ChatsDelta => "chats-delta",
            Self::RetainedChats => "retained-chats",
            Self::Targeted => "targeted",
            Self::Recordings => "recordings",
            Self::RecordingsDelta => "recordings-delta",
            Self::AdhocRecordings => "adhoc-recordings",
            Self::Transcripts => "transcripts",
            Self::TranscriptsDelta => "transcripts-delta",
            Self::AdhocTranscripts => "adhoc-transcripts",
            Self::Copilot => "copilot",
            Self::Channels => "channels",
            Self::RetainedChannels => "retained-channels",
        }
    }

    /// The feed of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feed| feed.name() == name)
    }

    /// Does a team have it?
    pub fn of_team(self) -> bool {
        matches!(self, Self::Channels | Self::RetainedChannels)
    }

    /// Does a user have it?
    pub fn of_user(self) -> bool {
        !self.of_team()
    }

    /// What its items are.
    pub fn items(self) -> Items {
        match self {
            Self::Recordings | Self::RecordingsDelta | Self::AdhocRecordings => Items::Recordings,
            Self::Transcripts | Self::TranscriptsDelta | Self::AdhocTranscripts => {
                Items::Transcripts
            }
            Self::Copilot => Items::Interactions,
            _ => Items::Messages,
        }
    }

    /// The application permission that it needs, with admin consent.
    pub fn permission(self) -> &'static str {
        match self {
            Self::Chats | Self::ChatsDelta | Self::RetainedChats => "Chat.Read.All",
            Self::Targeted => "TeamworkTargetedMessage.Read.All",
            Self::Recordings | Self::RecordingsDelta => "OnlineMeetingRecording.Read.All",
            Self::Transcripts | Self::TranscriptsDelta => "OnlineMeetingTranscript.Read.All",
            Self::AdhocRecordings => "CallRecordings.Read.All",
            Self::AdhocTranscripts => "CallTranscripts.Read.All",
            Self::Copilot => "AiEnterpriseInteraction.Read.All",
            Self::Channels | Self::RetainedChannels => "ChannelMessage.Read.All",
        }
    }

    /// Is it read window by window? A delta goes on from its own link instead.
    pub fn windowed(self) -> bool {
        !matches!(self, Self::ChatsDelta | Self::RecordingsDelta | Self::TranscriptsDelta)
    }

    /// The largest page worth asking for; `None` if asking for a size does harm: with `$top`,
    /// lists of recordings and transcripts can come without their `nextLink`.
    pub fn max_top(self) -> Option<u32> {
        match self {
            Self::ChatsDelta => Some(50),
            Self::Copilot => Some(100),
            _ if self.items() != Items::Messages => None,
            _ => Some(250),
        }
    }

    /// Which limit its requests count against. What the table of limits does not name has the
    /// common one: asking too slowly harms nobody.
    pub fn class(self) -> Class {
        match self {
            Self::Chats => Class::Chats,
            Self::Channels => Class::Channels,
            Self::RetainedChats | Self::RetainedChannels => Class::Retained,
            Self::Copilot => Class::Copilot,
            _ => Class::Other,
        }
    }

    /// The field of its time range, if that is a filter.
    pub fn time_field(self) -> Option<TimeField> {
        match self.items() {
            Items::Messages => Some(TimeField::Modified),
            Items::Interactions => Some(TimeField::Created),
            _ => None,
        }
    }

    /// Is a clause about this sender documented for it?
    pub(crate) fn knows(self, sender: &Sender) -> bool {
        let of_one_app = matches!(sender, Sender::ApplicationId(_));
        match self {
            Self::Chats | Self::RetainedChats => !of_one_app,
            Self::Targeted => of_one_app,
            _ => false,
        }
    }

    /// What of a filter it knows, without a range of time.
    #[must_use]
    pub fn part_of(self, filter: &Filter) -> Filter {
        filter.part(|sender| self.knows(sender), self == Self::Copilot)
    }

    pub(crate) fn takes_model(self) -> bool {
        self.items() == Items::Messages && self != Self::Targeted
    }
}

/// What the items of a feed are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Messages of chats or channels.
    Messages,
    /// What people and Copilot said to each other.
    Interactions,
    /// Recordings of meetings and calls.
    Recordings,
    /// Transcripts of meetings and calls.
    Transcripts,
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How exports were licensed and paid for until August 2025. The service ignores it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Model {
    /// Security and compliance, by licence.
    A,
    /// Everything else, by message.
    B,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
