//! A commit as people and scripts name it: its number, or its number and hash, `1042-9f3a11c0d2e4b657`.

use std::fmt;
use std::str::FromStr;

use chatvault_engine::{CommitId, Sequence, Snapshot};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// A commit of an archive.
///
/// With its hash it is refused by an archive that does not have this commit, as after the archive was
/// put back from a copy; a bare number is taken at its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Commit {
    /// The commit with this number, or the last one before.
    Number(u64),
    /// Exactly this commit.
    Exact(CommitId),
}

impl Commit {
    /// Its number.
    pub fn sequence(self) -> Sequence {
        match self {
            Self::Number(number) => Sequence(number),
            Self::Exact(id) => id.sequence,
        }
    }

    /// Is it of this archive's past?
    ///
    /// `Commit` if it is of another past, or of another archive.
    pub fn check(self, field: &'static str, snapshot: &Snapshot) -> Result<()> {
        let Self::Exact(id) = self else { return Ok(()) };
        snapshot.check_commit(&id).map_err(|cause| Error::Commit { field, cause })
    }
}

impl From<u64> for Commit {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<CommitId> for Commit {
    fn from(id: CommitId) -> Self {
        Self::Exact(id)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Exact(id) => id.fmt(f),
        }
    }
}

impl FromStr for Commit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits).map(Self::Number);
        number.or_else(|| text.parse().ok().map(Self::Exact)).ok_or_else(|| {
            Error::value("commit", text, "a number, or number and hash: 1042-9f3a11c0d2e4b657")
        })
    }
}

impl Serialize for Commit {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Exact(id) => serializer.collect_str(id),
        }
    }
}

impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self::Number(number)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_whole_id_come_back_from_text_and_json() {
        for (text, json) in [("17", "17"), ("17-00ff00ff00ff00ff", "\"17-00ff00ff00ff00ff\"")] {
            let commit: Commit = text.parse().unwrap();
            assert_eq!((commit.to_string().as_str(), commit.sequence()), (text, Sequence(17)));
            assert_eq!(serde_json::to_string(&commit).unwrap(), json);
            assert_eq!(serde_json::from_str::<Commit>(json).unwrap(), commit);
        }
        for text in ["", "-1", "+1", "1-", "1-00ff", "x", "1-00ff00ff00ff00ffz"] {
            assert!(text.parse::<Commit>().unwrap_err().is_wrong_query(), "{text}");
            assert!(serde_json::from_str::<Commit>(&format!("{text:?}")).is_err(), "{text}");
        }
    }
}
