//! The write-ahead log: every commit is here, synced, before it is acknowledged.
//!
//! Invariants: sequences ascend; a frame carries the hash of the one before it, across files too;
//! only what was never acknowledged may be torn; no byte is written twice, but for zeros written
//! ahead of the frames.
//!
//! Bytes, and what a reader makes of them: FORMAT.md, "Journal".

mod frames;
mod prefix;
mod recover;
mod salvage;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub(crate) use frames::{Chain, FileHeader};
pub(crate) use prefix::prefix;
pub(crate) use recover::{Recovery, Wanted, recover};
pub(crate) use salvage::{salvage, whole_frames};
pub(crate) use writer::Journal;

use crate::error::{Error, Result};
use crate::format::names::{JOURNAL, Name};
use crate::storage::Storage;

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
