//! What `sync` keeps in the archive beside rows: checkpoints with JSON in them.
//!
//! | name | value |
//! |---|---|
//! | `graph/tenant` | whose messages these are |
//! | `graph/connection` | how its tenant is reached: a [`Connection`](super::Connection) |
//! | `graph/private-chats` | is their backup on? |
//! | `graph/account/{custodian}` | an [`Account`](super::Account) |
//! | `graph/at/{custodian}/{feed}` | how far all of that feed is: a [`Position`](super::plan::Position) |
//! | `graph/part/{custodian}/{feed}/{hash}` | how far what passes a filter is, by the filter's hash |
//! | `graph/places/{what}` | up to which commit conversations were asked for their names |
//! | `graph/content` | up to which commit rows were searched for contents |
//! | `graph/missing/…` | a content that could not be had |
//! | `graph/run/{run}` | a run's summary, and where its whole report is |
//!
//! What was asked for is part of a position's name, so no run moves the position of another question.
//! A position is committed with the page that it follows, so that it never says more than is in.

use chatvault_engine::{Archive, Batch, Custodian};
use chatvault_graph::Feed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SyncError;

pub(super) const TENANT: &str = "graph/tenant";
pub(super) const CONNECTION: &str = "graph/connection";
pub(super) const PRIVATE_CHATS: &str = "graph/private-chats";
pub(super) const ACCOUNTS: &str = "graph/account/";
const POSITIONS: &str = "graph/at/";
const PARTS: &str = "graph/part/";
pub(super) const RUNS: &str = "graph/run/";

pub(super) fn account(custodian: &Custodian) -> String {
    format!("{ACCOUNTS}{custodian}")
}

/// Where the position of a feed is kept, or of what of it passes a filter.
pub(super) fn position(custodian: &Custodian, feed: Feed, filter: &str) -> String {
    if filter.is_empty() {
        return format!("{POSITIONS}{custodian}/{}", feed.name());
    }
    let hash = blake3::hash(filter.as_bytes()).to_hex();
    format!("{PARTS}{custodian}/{}/{:.16}", feed.name(), hash.as_str())
}

/// Where it is kept how far the names of conversations are.
pub(super) fn place(what: &str) -> String {
    format!("graph/places/{what}")
}

pub(super) fn run(number: u32) -> String {
    format!("{RUNS}{number:010}")
}

/// The value of a checkpoint.
pub(super) fn get<T: DeserializeOwned>(
    archive: &Archive,
    name: &str,
) -> Result<Option<T>, SyncError> {
    let value = archive.checkpoint(name)?;
    value.map(|value| read(name, &value)).transpose()
}

/// All values whose names start with `prefix`, by the rest of their names.
pub(super) fn list<T: DeserializeOwned>(
    archive: &Archive,
    prefix: &str,
) -> Result<Vec<(String, T)>, SyncError> {
    let values = archive.checkpoints(prefix)?.into_iter();
    let read = |(name, value): (String, Vec<u8>)| {
        let value = read(&name, &value)?;
        Ok((name.strip_prefix(prefix).unwrap_or_default().to_owned(), value))
    };
    values.map(read).collect()
}

/// The positions of all feeds of all accounts, whole and in part.
pub(super) fn positions_of_all<T: DeserializeOwned>(
    archive: &Archive,
) -> Result<Vec<(Custodian, Feed, T)>, SyncError> {
    let mut all = Vec::new();
    for prefix in [POSITIONS, PARTS] {
        for (name, position) in list(archive, prefix)? {
            let whose = if prefix == PARTS {
                name.rsplit_once('/').map(|(whose, _)| whose)
            } else {
                Some(&*name)
            };
            let Some((custodian, feed)) = whose.and_then(|whose| whose.rsplit_once('/')) else {
                continue;
            };
            // A feed that is not known is one of a later version.
            let Some(feed) = Feed::named(feed) else { continue };
            all.push((Custodian::parse(custodian), feed, position));
        }
    }
    Ok(all)
}

fn read<T: DeserializeOwned>(name: &str, value: &[u8]) -> Result<T, SyncError> {
    let kept = |cause| SyncError::Kept { name: name.to_owned(), cause };
    serde_json::from_slice(value).map_err(kept)
}

/// A value as it is kept.
pub(super) fn bytes(name: &str, value: &impl Serialize) -> Result<Vec<u8>, SyncError> {
    let kept = |cause| SyncError::Kept { name: name.to_owned(), cause };
    serde_json::to_vec(value).map_err(kept)
}

/// Puts a value into a batch.
pub(super) fn put(batch: &mut Batch, name: &str, value: &impl Serialize) -> Result<(), SyncError> {
    batch.checkpoint(name, &bytes(name, value)?);
    Ok(())
}
