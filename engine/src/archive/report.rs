//! What the archive reports about itself.

use std::collections::BTreeMap;

use super::book::Counts;
use super::health::Health;
use crate::types::{CommitId, Custodian, Sequence};

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The commit's number.
    pub sequence: Sequence,
    /// All custodians together.
    pub counts: Counts,
    /// Each custodian.
    pub by_custodian: BTreeMap<Custodian, Counts>,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Segments before.
    pub segments_before: u64,
    /// Segments after.
    pub segments_after: u64,
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

/// One damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file inside the archive.
    pub file: String,
    /// The byte offset in it, where known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub message: String,
    /// Conversations touched, where known.
    pub conversations: Vec<String>,
}

/// What verification saw. The archive is sound if `damages` is empty.
#[derive(Clone, Debug, Default)]
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
    /// Foreign or temporary files: reported, never read.
    pub strangers: Vec<String>,
    /// False: it was asked to stop before the end.
    pub finished: bool,
}

/// Counts and sizes of an archive.
#[derive(Clone, Debug, Default)]
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
    /// Rows kept whole because no template rendered them back.
    pub raw_rows: u64,
    /// The last commit.
    pub commit: CommitId,
    /// Binary objects.
    pub objects: u64,
    /// Bytes on disk by part: `segments`, `ledger`, `journal`, `manifest`, `objects`,
    /// `quarantine`, `catalog`, `search`, `trash`, `other`.
    pub bytes_by_part: BTreeMap<String, u64>,
    /// Bytes of all stored documents.
    pub raw_bytes: u64,
    /// How the background work goes.
    pub health: Health,
}
