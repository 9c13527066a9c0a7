//! What the archive reports about itself.

use std::collections::BTreeMap;

use super::accounts::book::Counts;
use super::maintain::folded::Folded;
use super::maintain::health::Health;
use super::repair::repaired::Repaired;
use crate::cache::CacheUse;
use crate::error::{Error, ErrorKind};
use crate::journal::{DroppedTail, Unproven};
use crate::types::{CommitId, Custodian, Sequence, Timestamp};

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitReport {
    /// The commit's number.
    pub sequence: Sequence,
    /// All custodians together.
    pub counts: Counts,
    /// Each custodian.
    pub by_custodian: BTreeMap<Custodian, Counts>,
    /// Of the rows stored, those that may equal one which cannot be read: see [`Stat::stored_beside`].
    pub stored_beside: u64,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactReport {
    /// Segments before.
    pub segments_before: u64,
    /// Segments after.
    pub segments_after: u64,
    /// Of these, left as they are because something in them cannot be read.
    pub segments_unreadable: u64,
    /// Rows rewritten; none if the archive was compact already.
    pub rows: u64,
    /// Bytes of segments and ledgers before.
    pub bytes_before: u64,
    /// Bytes of segments and ledgers after.
    pub bytes_after: u64,
    /// False: it was asked to stop, and the unfinished part changed nothing.
    pub finished: bool,
}

/// How deep to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Names, checksums, chains, counts.
    Structure,
    /// Also renders every row, recomputes every address, reads every object back.
    Deep,
}

/// A part of the archive that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// `Corrupt` if the bytes are wrong or missing, `Io` if the storage does not give them.
    pub kind: ErrorKind,
    /// The file inside the archive.
    pub file: String,
    /// The byte offset in it, where known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// Conversations touched, where known.
    pub conversations: Vec<String>,
    /// Rows touched, where known.
    pub rows: Option<u64>,
    /// The first and the last time at which rows touched were created, where known.
    pub created: Option<(Timestamp, Timestamp)>,
    /// The first and the last commit that rows touched came with, where known.
    pub commits: Option<(Sequence, Sequence)>,
}

impl Damage {
    pub(crate) fn of(error: &Error) -> Self {
        let touched = error.touched();
        let lines: Vec<String> = error.causes().map(ToString::to_string).collect();
        let kind = if error.is_storage_failure() { ErrorKind::Io } else { error.kind() };
        Self {
            kind,
            file: error.file().unwrap_or_default().to_owned(),
            offset: error.offset(),
            message: lines.join(": "),
            conversations: touched.conversations,
            rows: touched.rows,
            created: touched.created,
            commits: touched.commits,
        }
    }
}

/// What verification saw. The archive is sound if `damages` is empty.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Files checked.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows gone through.
    pub rows: u64,
    /// Counters over all runs and custodians.
    pub counts: Counts,
    /// Custodians whose counters were checked.
    pub custodians: u64,
    /// Everything that is wrong.
    pub damages: Vec<Damage>,
    /// Rows that were stored beside one that could not be read.
    pub stored_beside: u64,
    /// Rows of that kind that were folded since: [`Stat::folded`].
    pub folded: u64,
    /// Bytes at the end of the journal that were never acknowledged: no damage.
    pub dropped_tail: Option<DroppedTail>,
    /// Foreign or temporary files: reported, never read.
    pub strangers: Vec<String>,
    /// False: it was asked to stop before the end.
    pub finished: bool,
}

/// Counts and sizes of an archive.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stat {
    /// Counters over all runs.
    pub counts: Counts,
    /// Distinct versions.
    pub versions: u64,
    /// Rows beyond one a version.
    pub variants: u64,
    /// Distinct messages.
    pub messages: u64,
    /// Distinct conversations.
    pub conversations: u64,
    /// Distinct senders.
    pub senders: u64,
    /// Custodians.
    pub custodians: u64,
    /// Segment files.
    pub segments: u64,
    /// Ingest runs.
    pub runs: u64,
    /// Rows not yet in a segment.
    pub journal_rows: u64,
    /// Rows that were stored though they may equal a row that is there: that one could not be read
    /// when they arrived, and a damage never stops a commit. They count as stored, until a compaction
    /// can read both and makes them one: [`Stat::folded`].
    pub stored_beside: u64,
    /// Rows kept whole because no template rendered them back.
    pub raw_rows: u64,
    /// The last commit.
    pub commit: CommitId,
    /// Binary objects.
    pub objects: u64,
    /// The repairs that it came from, the first one first.
    pub repaired: Vec<Repaired>,
    /// Rows that were stored twice and made one again, the first ones first.
    pub folded: Vec<Folded>,
    /// Bytes on disk by part: `segments`, `ledger`, `journal`, `manifest`, `objects`,
    /// `quarantine`, `catalog`, `search`, `trash`, `other`.
    pub bytes_by_part: BTreeMap<String, u64>,
    /// About how many bytes were written to the storage since the archive was made, by all of its
    /// writers, without the catalog: over the bytes that are there, they are the write amplification.
    /// Of what a process wrote that did not close, only what its journal still holds is counted.
    pub bytes_written: u64,
    /// What opening left out behind the last whole commit: [`super::Archive::dropped_tail`].
    pub dropped_tail: Option<DroppedTail>,
    /// Commits that a reader does not show: [`super::Archive::unproven`].
    pub unproven: Option<Unproven>,
    /// Bytes of all stored documents.
    pub raw_bytes: u64,
    /// How the background work goes.
    pub health: Health,
    /// What the cache of the environment holds, for all of its archives.
    pub cache: CacheUse,
}
