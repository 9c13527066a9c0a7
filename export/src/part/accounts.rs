//! What everything costs, in bytes of the finished part.

use crate::digest::hex;
use crate::manifest::{Draft, Facts, FileRecord, MANIFEST, SUMS, file_text, sums_line_bytes};
use crate::zip::{END_BYTES, MOST_ENTRIES, member_bytes};

/// What members add to the two lists about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// To the manifest, with a comma each.
    pub(super) manifest: u64,
    /// To the sums.
    pub(super) sums: u64,
}

impl Listed {
    /// What a member adds whose entry in the manifest has so many bytes.
    pub(super) fn of(entry_bytes: usize, path: &str) -> Self {
        Self { manifest: entry_bytes as u64 + 1, sums: sums_line_bytes(path) }
    }

    /// What an empty member adds that is no slice and comes from nowhere else.
    pub(super) fn plain(path: &str) -> Self {
        let (sha256, path) = (hex(&[0; 32]), path.to_owned());
        let file = FileRecord { path, sha256, size: 0, slice: None, source_blob: None };
        Self::of(file_text(&file).len(), &file.path)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { manifest: self.manifest + other.manifest, sums: self.sums + other.sums }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self { manifest: self.manifest - other.manifest, sums: self.sums - other.sums }
    }
}

/// Members that are not in the manifest yet, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) members: u64,
    /// Headers, directory entries and bytes.
    pub(super) container: u64,
    pub(super) listed: Listed,
}

impl Load {
    pub(super) fn one(container: u64, listed: Listed) -> Self {
        Self { members: 1, container, listed }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            members: self.members + other.members,
            container: self.container + other.container,
            listed: self.listed.plus(other.listed),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            members: self.members - other.members,
            container: self.container - other.container,
            listed: self.listed.minus(other.listed),
        }
    }
}

/// A part's size and the limits it has beside the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) bytes: u64,
    pub(super) entries: u64,
    pub(super) manifest: u64,
}

impl Size {
    /// The size of a part whose written members are `sealed` (and in `draft`), with `more` beside
    /// them.
    pub(super) fn of(draft: &Draft, facts: &Facts, sealed: Load, more: Load) -> Self {
        let manifest = draft.bytes_with(facts, more.listed.manifest);
        let sums = sealed.listed.sums + more.listed.sums + sums_line_bytes(MANIFEST);
        let lists = member_bytes(MANIFEST, manifest) + member_bytes(SUMS, sums);
        let bytes = sealed.container + more.container + lists + END_BYTES;
        Self { bytes, entries: sealed.members + more.members + 2, manifest }
    }

    pub(super) fn fits(&self, part_bytes: u64) -> bool {
        self.bytes <= part_bytes
            && self.entries <= u64::from(MOST_ENTRIES)
            && self.manifest <= crate::manifest::MOST_MANIFEST_BYTES
    }
}
