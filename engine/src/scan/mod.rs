//! Scans: questions to a snapshot as plain data, and how they are answered.
//!
//! A scan is planned over the directories and zone maps of all sources (`plan`), walked
//! conversation by conversation (`walk`), each row tested (`filter`) and its version chosen
//! (`choose`); rows are merged (`merge`) or the next ones by time selected (`select`), and
//! rendered (`render`) when they are asked for (`rows`).
//!
//! Invariants: a damaged row group is an error, never a shorter answer; memory is bounded by
//! constants here and not by the archive.

mod choose;
mod count;
mod cursor;
mod explain;
mod filter;
mod key;
mod limits;
mod merge;
mod page;
mod parallel;
mod plan;
mod render;
mod rows;
mod select;
mod stretch;
#[cfg(test)]
mod tests;
mod walk;

pub use cursor::Cursor;
pub use explain::RowKeys;
pub(crate) use limits::Limits;
pub use rows::{Row, Rows};
pub use stretch::Stretch;

pub(crate) use choose::{Addresses, SlabSiblings, slab_siblings};
pub(crate) use count::count;
pub(crate) use explain::{explain, keys};
pub(crate) use rows::{document, latest, rows, rows_on, stored};
pub(crate) use stretch::split;

use crate::document::Path;
use crate::types::{Custodian, MessageKind, RecordKind, Sequence, Timestamp};

/// A half-open range of time: `from <= t < to`; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time in the range.
    pub from: Option<Timestamp>,
    /// The first time behind the range.
    pub to: Option<Timestamp>,
}

/// Which versions of a message a scan gives.
///
/// Decided per message over every row that the scan's record kind, custodians and
/// [`Scan::as_of_sequence`] leave, before any other condition is applied to the rows chosen. Of a
/// version's variants the one with the longest canonical form is chosen, ties by the smallest
/// content address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// The newest version.
    #[default]
    Latest,
    /// Every version, one row each.
    All,
    /// The newest version not modified after this time.
    AsOf(Timestamp),
    /// Every stored row, variants too.
    EveryVariant,
}

/// In which order rows come. Ties are always broken, at last by the content address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By conversation, created time, id and version: as segments are laid out, so the fastest.
    #[default]
    Conversation,
    /// By created time, conversation, id and version.
    Created,
    /// By modified time, conversation, id and version.
    Modified,
}

/// A question to a snapshot. Empty lists mean "any". Fields are added: end a literal with
/// `..Scan::default()`.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Rows of this record kind only.
    pub record: RecordKind,
    /// In one of these conversations.
    pub conversations: Vec<String>,
    /// From one of these senders.
    pub senders: Vec<String>,
    /// In these conversations only, by their order.
    pub stretch: Stretch,
    /// Delivered by the export of one of these; also decides which version is the latest. A row
    /// then arrives with the first commit in which one of them delivered it.
    pub custodians: Vec<Custodian>,
    /// Of one of these kinds.
    pub kinds: Vec<MessageKind>,
    /// Created in this range.
    pub created: TimeRange,
    /// Last modified in this range.
    pub modified: TimeRange,
    /// Which versions of each message.
    pub versions: Versions,
    /// Only what had arrived by this commit; also decides which version is the latest.
    pub as_of_sequence: Option<Sequence>,
    /// Only rows that arrived after this commit.
    pub since: Option<Sequence>,
    /// In which order.
    pub order: Order,
    /// In exactly the reverse of the order.
    pub backwards: bool,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Go on behind this row.
    pub cursor: Option<Cursor>,
    /// Of each document only what is at one of these paths, read without the rest of it: columns of
    /// a segment, and texts only if one of them is wanted. [`Rows::complete`] reads the rest of a row.
    pub paths: Vec<Path>,
}

/// What a scan will touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explain {
    /// Segments of the snapshot.
    pub segments: u64,
    /// Segments with a row group that is touched.
    pub segments_touched: u64,
    /// Row groups of the snapshot.
    pub groups: u64,
    /// Row groups whose rows are looked at.
    pub groups_touched: u64,
    /// Rows of the snapshot, journal included.
    pub rows: u64,
    /// Rows that are looked at.
    pub rows_touched: u64,
    /// Rows that are not in a segment yet.
    pub journal_rows: u64,
    /// One line per source: its name, what is touched, and why the rest is not.
    pub lines: Vec<String>,
}
