//! How much of a journal file a copy needs.

use super::walk::{Step, Walk};
use crate::error::Result;
use crate::storage::Storage;
use crate::types::Sequence;

/// The length of a journal file up to a commit, with what stands behind it and before the next
/// commit, and the last commit in there. A file only ever grows, so these bytes stay as they are.
pub(crate) fn prefix(
    storage: &dyn Storage,
    archive: [u8; 16],
    number: u64,
    through: Sequence,
) -> Result<(u64, Sequence)> {
    let mut walk = Walk::open(storage, archive, number)?;
    let mut end = (walk.offset, walk.last);
    loop {
        match walk.step()? {
            // The next file may have come after the files were listed.
            Step::Bad | Step::GoesOn => return Ok(end),
            Step::Commit(header) if header.sequence > through => return Ok(end),
            _ => end = (walk.offset, walk.last),
        }
    }
}
