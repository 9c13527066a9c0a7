//! The write-ahead log: every commit is here, synced, before it is acknowledged.
//!
//! Invariants: sequences ascend, and a number that anybody may have seen is never given again; a
//! frame carries the hash of the commit before it, across files too; only what was never
//! acknowledged may be torn; no byte is written twice, but for zeros written ahead of the frames.
//! Journal and manifests prove each other: a manifest names the newest journal file that holds
//! acknowledged commits, the journal records every manifest.
//!
//! Bytes, and what a reader makes of them: FORMAT.md, "Journal".

mod frames;
mod prefix;
#[cfg(test)]
mod proofs;
mod recover;
mod salvage;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub(crate) use frames::{Chain, FileHeader, Recorded};
pub(crate) use prefix::prefix;
pub use recover::{DroppedTail, Unproven};
pub(crate) use recover::{Recovery, Wanted, newest_recorded, recover};
pub(crate) use salvage::{salvage, whole_frames};
pub(crate) use writer::Journal;

use crate::error::{Error, Result};
use crate::format::names::{JOURNAL, Name};
use crate::storage::Storage;

/// So many commits at most are written and not durable: after a crash, numbers go on behind them.
pub(crate) const MAX_IN_FLIGHT: u64 = 1000;

/// The numbers of all journal files, ascending.
pub(crate) fn numbers(storage: &dyn Storage) -> Result<Vec<u64>> {
    let files = storage.list(JOURNAL).map_err(|cause| Error::io("list", JOURNAL, cause))?;
    let number = |name: &str| match Name::parse(&format!("{JOURNAL}/{name}")) {
        Name::Journal(number) => Some(number),
        _ => None,
    };
    let mut numbers: Vec<u64> = files.iter().filter_map(|file| number(&file.name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
