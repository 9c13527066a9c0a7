//! The words of the archive as types: ids, times, keys, addresses.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use chatvault_base::Timestamp;
pub(crate) use chatvault_base::time::TICKS_PER_MS;

use crate::error::{Error, Result};

/// The number of a commit; every row carries the one that stored it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// A commit by its number and a hash of it and of every commit before it.
///
/// After an archive was put back from a copy a number may be given a second time: the hash tells
/// the two pasts apart. Its text is `1042-9f3a11c0d2e4b657`. The archive before its first commit is
/// number 0 with zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId {
    /// The commit's number.
    pub sequence: Sequence,
    /// The first bytes of the hash.
    pub chain: [u8; 8],
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.sequence.0)?;
        self.chain.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CommitId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (number, digits) = text.split_once('-')?;
            let hexadecimal = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
            let whole = digits.len() == 16 && digits.bytes().all(hexadecimal);
            let chain = u64::from_str_radix(digits, 16).ok().filter(|_| whole)?;
            let mut chain = chain.to_le_bytes();
            chain.reverse();
            Some(Self { sequence: Sequence(decimal(number)?), chain })
        };
        let message = "a commit is its number, a hyphen and 16 hexadecimal digits";
        read().ok_or_else(|| Error::invalid(message))
    }
}

/// A number that is written with digits only.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The number of an ingest run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u32);

/// BLAKE3-256 of a message's canonical JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentAddress(pub [u8; 32]);

impl fmt::Display for ContentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for ContentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hash = blake3::Hash::from_hex(text).map_err(|cause| {
            Error::invalid("a content address is 64 hexadecimal digits").caused_by(cause)
        })?;
        Ok(Self(*hash.as_bytes()))
    }
}

/// The user or team whose export delivered a copy, typed inside: `user:…`, `team:…`.
///
/// Its id is not checked before a commit, or by [`Custodian::check`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Custodian(Arc<str>);

impl Custodian {
    /// A user's export.
    pub fn user(id: &str) -> Self {
        Self(format!("user:{id}").into())
    }

    /// A team's export.
    pub fn team(id: &str) -> Self {
        Self(format!("team:{id}").into())
    }

    /// `user:…` and `team:…` as they are; a bare id is a user.
    pub fn parse(text: &str) -> Self {
        if text.starts_with("user:") || text.starts_with("team:") {
            Self(text.into())
        } else {
            Self::user(text)
        }
    }

    /// As it is stored: with what it is the export of.
    pub(crate) fn stored(text: &str) -> Option<Self> {
        let typed = text.starts_with("user:") || text.starts_with("team:");
        typed.then(|| Self(text.into()))
    }

    /// The same as [`Custodian::parse`]; `InvalidInput` for an id that is empty or blank.
    pub fn try_parse(text: &str) -> Result<Self> {
        let custodian = Self::parse(text);
        custodian.check().map(|()| custodian)
    }

    /// `InvalidInput` if the id is empty or blank, as a variable that is not set leaves it: no
    /// batch with such a custodian is committed.
    pub fn check(&self) -> Result<()> {
        let id = self.0.split_once(':').map_or(&*self.0, |(_, id)| id);
        if !id.trim().is_empty() {
            return Ok(());
        }
        let message = format!("the custodian {:?} has no id: say whose export it is", &*self.0);
        Err(Error::invalid(message))
    }

    /// The typed id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Custodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody's export delivered a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// Whose export.
    pub custodian: Custodian,
    /// The run that did so first.
    pub run: RunId,
    /// The commit that did so first.
    pub sequence: Sequence,
}

/// Which of the service's records a row is; part of its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A chat or channel message: what everything is tuned for.
    #[default]
    Message,
    /// A Copilot interaction; its conversation is its user and session.
    CopilotInteraction,
    /// An entry of a call recording.
    CallRecording,
    /// An entry of a call transcript.
    CallTranscript,
    /// A chat's or a channel's own properties; its conversation is itself.
    Chat,
    /// A member of a chat, team or channel: see [`Batch::offer_in`](crate::Batch::offer_in).
    Member,
    /// A directory user; its conversation is itself.
    User,
    /// A team's own properties; its conversation is itself.
    Team,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Message,
        Self::CopilotInteraction,
        Self::CallRecording,
        Self::CallTranscript,
        Self::Chat,
        Self::Member,
        Self::User,
        Self::Team,
    ];

    /// Does a document lack something of its key, so that equal ones may be different rows?
    pub(crate) fn is_keyed_outside(self) -> bool {
        matches!(self, Self::CopilotInteraction | Self::Member)
    }

    /// The number that stands for it on disk.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// What a message is, by its `messageType` and event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// Somebody (or an app) wrote it.
    Message,
    /// The service reports an event: `systemEventMessage`, or an unknown type with an event.
    System,
    /// Any other type, known or not.
    Other,
}

/// Identifies a message across its versions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    /// Which kind of record.
    pub record: RecordKind,
    /// `chatId`, or `channelIdentity.channelId`.
    pub conversation: String,
    /// The root message in a channel's thread.
    pub reply_to: Option<String>,
    /// The message's `id`, unique only inside the other fields.
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_comes_back_from_its_text_and_nothing_else_is_one() {
        let id = CommitId { sequence: Sequence(1042), chain: [0x9f, 0x3a, 0, 1, 2, 3, 4, 0xb7] };
        assert_eq!(id.to_string(), "1042-9f3a0001020304b7");
        assert_eq!(id.to_string().parse::<CommitId>().unwrap(), id);
        assert_eq!(CommitId::default().to_string(), "0-0000000000000000");
        for text in [
            "",
            "1042",
            "1042-",
            "-9f3a0001020304b7",
            "1042-9f3a0001020304b",
            "+1-9f3a0001020304b7",
        ] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
        for text in ["1042-9F3A0001020304B7", "1042-+f3a0001020304b7", "1042-9f3a0001020304b7 "] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
        assert!("99999999999999999999-9f3a0001020304b7".parse::<CommitId>().is_err());
    }
}
