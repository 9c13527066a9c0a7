//! Which files make up the archive: numbered, immutable, each naming the hash of the one before.
//!
//! Invariants: a manifest names only files that are synced under their names; a file leaves only
//! with its rows accounted for ([`check_step`]); the newest manifest is the archive, and the last
//! few are kept for people and for readers that are still on them. Its name appears only after the
//! sync, so no crash tears a manifest and an invalid newest one is damage. Nobody falls back to an
//! older one: what only the newest names was acknowledged, and the journal may not have it any more.
//!
//! Bytes: FORMAT.md, "Manifest".

mod codec;
mod step;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use codec::MAX_BYTES;
pub(crate) use step::{Change, check_step, successor};
pub(crate) use store::{check, load, newest_readable, numbers, prune, read, store};

pub(crate) use crate::format::names::FileKind;

use crate::error::Touched;
use crate::format::multiset::Multiset;
use crate::types::{Sequence, Timestamp};

/// The state of the archive's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) archive: [u8; 16],
    pub(crate) number: u64,
    /// The hash of the manifest before.
    pub(crate) previous: [u8; 32],
    pub(crate) written: Timestamp,
    /// Every commit up to it is in the files named here.
    pub(crate) sequence: Sequence,
    /// The first journal file that is still needed.
    pub(crate) journal_from: u64,
    /// The newest journal file that holds, or is about to hold, what was acknowledged. A later one
    /// is announced by the file before it.
    pub(crate) journal_to: u64,
    /// The number that the next file gets.
    pub(crate) next_file: u64,
    /// About how many bytes the archive's writers had written until then: for people only.
    pub(crate) bytes_written: u64,
    /// By ascending number.
    pub(crate) files: Vec<FileEntry>,
    /// Files of the manifest before that this one drops, by ascending number.
    pub(crate) replaced: Vec<Replaced>,
    /// Rows that went with them on purpose.
    pub(crate) disposed: Vec<Disposed>,
    /// Holds and dispositions, carried on by every manifest; an index into it never changes.
    pub(crate) records: Vec<Record>,
    pub(crate) required_features: Vec<String>,
    pub(crate) optional_features: Vec<String>,
}

/// A sealed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    /// How often its rows were merged: compaction's business.
    pub(crate) level: u8,
    pub(crate) bytes: u64,
    /// The file's own hash.
    pub(crate) hash: [u8; 32],
    /// What it holds; of a dictionary for how many it was trained.
    pub(crate) rows: u64,
    pub(crate) multiset: Multiset,
    /// The commits that its rows came with.
    pub(crate) first: Sequence,
    pub(crate) last: Sequence,
}

impl FileEntry {
    /// Where the file is.
    pub(crate) fn path(&self) -> String {
        self.kind.path(self.number)
    }

    /// What is lost with the file, as far as the manifest says it.
    pub(crate) fn touched(&self) -> Touched {
        let commits = (self.kind == FileKind::Segment).then_some((self.first, self.last));
        // What a dictionary takes with it its segments say.
        let rows = (self.kind != FileKind::Dictionary).then_some(self.rows);
        Touched { rows, commits, ..Touched::default() }
    }
}

/// A file that a manifest dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    pub(crate) rows: u64,
    pub(crate) multiset: Multiset,
    pub(crate) why: Why,
}

/// What became of a dropped file's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// They are in these files, but for those disposed of on the way.
    Merged(Vec<u64>),
    /// All are gone; the record at this index says why.
    Disposed(u64),
}

/// Rows that are gone on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disposed {
    pub(crate) kind: FileKind,
    pub(crate) rows: u64,
    pub(crate) multiset: Multiset,
    /// The index of the record that says why.
    pub(crate) record: u64,
}

/// A hold or disposition; its bytes mean something to those who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: u8,
    pub(crate) bytes: Vec<u8>,
}

impl Manifest {
    /// A new archive's first.
    pub(crate) fn first(archive: [u8; 16], written: Timestamp, journal_from: u64) -> Self {
        Self {
            archive,
            number: 1,
            previous: [0; 32],
            written,
            sequence: Sequence(0),
            journal_from,
            journal_to: journal_from,
            next_file: 1,
            bytes_written: 0,
            files: Vec::new(),
            replaced: Vec::new(),
            disposed: Vec::new(),
            records: Vec::new(),
            required_features: Vec::new(),
            optional_features: Vec::new(),
        }
    }

    /// The file with a number.
    pub(crate) fn file(&self, number: u64) -> Option<&FileEntry> {
        let index = self.files.binary_search_by_key(&number, |file| file.number).ok()?;
        self.files.get(index)
    }
}
