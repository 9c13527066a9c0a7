//! What an export says about itself: a manifest in every part, an index beside the parts.
//!
//! Both are canonical JSON (keys sorted, no spaces, UTF-8), so that equal content is equal bytes.
//! The manifest of a part lists every other member with its size and SHA-256, the counts and the
//! fingerprint of the part's messages, what could not be had and why, and the SHA-256 of the part
//! before it: a part that is lost or put in place of another breaks the chain. The index has the
//! finished parts and what is needed to go on behind each of them.

mod canonical;
mod draft;
mod index;
mod sums;
#[cfg(test)]
mod tests;

pub use canonical::canonical;
pub use index::{Continued, Index, PartRecord, Resume, WindowRecord};
pub(crate) use index::{MOST_INDEX_BYTES, read_small};
pub use sums::sums_line;

pub(crate) use draft::{Draft, Facts, Last, file_text, more_digits, text_of};
pub(crate) use sums::{sums_line_bytes, sums_text};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, hex};

/// The schema of part manifests.
pub const SCHEMA: &str = "teams-export/1";
/// The schema of index files.
pub const INDEX_SCHEMA: &str = "teams-export-index/1";
/// The manifest's name in a part.
pub const MANIFEST: &str = "manifest.json";
/// The name of the list of checksums in a part, and the end of its name beside the parts.
pub const SUMS: &str = "SHA256SUMS";
/// The largest manifest that is written or read: what holds it in memory stays bounded.
pub const MOST_MANIFEST_BYTES: u64 = 64 << 20;

/// What is the same in every part of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Head {
    /// The archive that was asked.
    pub archive: ArchiveState,
    /// The time that the export speaks of, RFC 3339; never the clock.
    pub asof: String,
    /// A UUID that is derived from the inputs.
    pub export_id: String,
    /// Who asked, as the host says.
    pub requested_by: Option<String>,
    /// What was asked for.
    pub selection: Selection,
    /// What answered.
    pub tool: Tool,
}

/// The state of the archive that an export was made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArchiveState {
    /// The host's signature of the state, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_signature: Option<String>,
    /// The archive's id.
    pub id: String,
    /// The number of the commit that the export is as of.
    pub log_size: u64,
    /// The hash that stands for this commit and all before it.
    pub root_hash: String,
}

/// What an export was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Selection {
    /// What is done with attachments.
    pub attachments: String,
    /// The chats, or none for all.
    pub chats: Vec<String>,
    /// The end of the range, not included.
    pub end: String,
    /// Its start, included.
    pub start: String,
    /// What is done with system events.
    pub system_events: String,
    /// The tenant.
    pub tenant: String,
    /// `created` or `modified`.
    pub time_field: String,
    /// The users, or none for all.
    pub users: Vec<String>,
    /// `latest`, `all` or `variants`.
    pub versions: String,
    /// Further conditions and options, under their own names.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// The program that made an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The version of what turns messages into files: other bytes only with another one.
    pub renderer_version: String,
    /// The version of the time zone rules.
    pub tz_version: String,
    /// The version of Unicode.
    pub unicode_version: String,
    /// The program's version.
    pub version: String,
    /// What else decides about bytes: fonts and the like, under their own names.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// How many of what. Additive: over groups, parts, windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Attachments that are there.
    pub attachments: u64,
    /// Messages that are only there because others refer to them.
    pub context: u64,
    /// Copilot interactions.
    #[serde(default, skip_serializing_if = "is_none")]
    pub copilot: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Messages that were edited, also those that were deleted later.
    pub edited: u64,
    /// System events.
    pub events: u64,
    /// Cells of a CSV file that are longer than Excel shows.
    #[serde(default)]
    pub long_cells: u64,
    /// Messages that are not system events.
    pub messages: u64,
    /// Code points that no font could show and that stand as their numbers.
    #[serde(default)]
    pub missing_glyphs: u64,
    /// System events and attachments that the options leave out.
    pub omitted: u64,
    /// Recordings.
    #[serde(default, skip_serializing_if = "is_none")]
    pub recordings: u64,
    /// Transcripts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub transcripts: u64,
    /// Attachments that could not be had.
    pub unavailable: u64,
    /// Versions that are there.
    pub versions: u64,
}

impl Counts {
    /// The counts with those of something else added.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let sum = |left: u64, right: u64| left.saturating_add(right);
        Self {
            attachments: sum(self.attachments, other.attachments),
            context: sum(self.context, other.context),
            copilot: sum(self.copilot, other.copilot),
            deleted: sum(self.deleted, other.deleted),
            edited: sum(self.edited, other.edited),
            events: sum(self.events, other.events),
            long_cells: sum(self.long_cells, other.long_cells),
            messages: sum(self.messages, other.messages),
            missing_glyphs: sum(self.missing_glyphs, other.missing_glyphs),
            omitted: sum(self.omitted, other.omitted),
            recordings: sum(self.recordings, other.recordings),
            transcripts: sum(self.transcripts, other.transcripts),
            unavailable: sum(self.unavailable, other.unavailable),
            versions: sum(self.versions, other.versions),
        }
    }

    /// Messages, events and what is stored beside them.
    pub fn entries(&self) -> u64 {
        self.messages + self.events + self.copilot + self.recordings + self.transcripts
    }

    /// Those that stand in a manifest only where there are any.
    fn optional(&self) -> [(&'static str, u64); 3] {
        [
            ("copilot", self.copilot),
            ("recordings", self.recordings),
            ("transcripts", self.transcripts),
        ]
    }

    fn all(&self) -> [u64; 11] {
        [
            self.attachments,
            self.context,
            self.deleted,
            self.edited,
            self.events,
            self.long_cells,
            self.messages,
            self.missing_glyphs,
            self.omitted,
            self.unavailable,
            self.versions,
        ]
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The fingerprint of a selection as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestText {
    /// The Merkle root, in hexadecimal digits.
    pub merkle_root: String,
    /// The sum of the subjects, in hexadecimal digits.
    pub subject_sum: String,
    /// How many there are.
    pub subjects: u64,
}

impl From<&Digest> for DigestText {
    fn from(digest: &Digest) -> Self {
        Self {
            merkle_root: hex(&digest.merkle_root()),
            subject_sum: hex(&digest.subject_sum()),
            subjects: digest.subjects(),
        }
    }
}

/// A window of time: every one begins a new row of parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowText {
    /// Its end, not included, RFC 3339.
    pub end: String,
    /// Which one it is, from 1.
    pub k: u32,
    /// Of how many.
    pub of: u32,
    /// Its start, included.
    pub start: String,
}

/// Which part of its window a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartNumber {
    /// From 1.
    pub k: u32,
    /// Of how many: only the last part of a window knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
}

/// A member of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileRecord {
    /// Its path in the part.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its length.
    pub size: u64,
    /// If it is a slice of a content that is larger than a part: of which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Slice>,
    /// Where its bytes come from: an address in the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_blob: Option<String>,
}

/// A slice of a content that is larger than a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slice {
    /// Which slice it is, from 1.
    pub k: u32,
    /// Of how many.
    pub of: u32,
    /// The path of the whole.
    pub path: String,
    /// SHA-256 of the whole.
    pub sha256: String,
    /// Length of the whole.
    pub size: u64,
}

/// An attachment that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unavailable {
    /// The attachment.
    pub attachment: String,
    /// The message: chat, id.
    pub message: String,
    /// Why.
    pub reason: String,
}

/// A message, as the index names the first and last of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Key {
    /// Its chat.
    pub chat: String,
    /// When it was created, RFC 3339.
    pub created: String,
    /// Its id.
    pub id: String,
}

/// A part's manifest, as it is read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// What is the same in every part.
    #[serde(flatten)]
    pub head: Head,
    /// What is in this part.
    pub counts: Counts,
    /// Which messages.
    pub digest: DigestText,
    /// The members but the manifest and the sums, in their order.
    pub files: Vec<FileRecord>,
    /// Which part of its window it is.
    pub part: PartNumber,
    /// SHA-256 of the part before it, of any window.
    pub previous_part_sha256: Option<String>,
    /// [`SCHEMA`].
    pub schema: String,
    /// What could not be had.
    pub unavailable: Vec<Unavailable>,
    /// Its window.
    pub window: WindowText,
}
