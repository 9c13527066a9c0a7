//! Writes an export as zip parts, none of them larger than a hard cap.
//!
//! A [`Writer`] is given [`Group`]s in export order: a message's files, its records in running
//! files, and what the manifest has to say about it. What always holds:
//!
//! - **No part exceeds the cap.** Before a group is taken, the size that the finished part would
//!   have with it is known: members, directory, manifest and sums. While sizes are still being
//!   computed, upper bounds stand for them; where a bound does not fit, the writer waits for the
//!   exact size. So where parts end never depends on threads or timing.
//! - **A group stays together** in one part, unless it alone exceeds an empty one. Then its pieces
//!   go on over as many parts as they need; a single piece that is larger than a part is cut into
//!   `name.part001`, `name.part002` … with a `name.REJOIN.txt` that says how to join them.
//! - **A running file** (CSV, JSONL, mbox …) ends between two records when its part is full and goes
//!   on as `name_002.csv` with its header in the next one.
//! - **A part appears whole or not at all**: it is written under a temporary name, synced, renamed,
//!   and only then named in the index, which is replaced as a whole. From the index, [`Writer::resume`]
//!   goes on behind the last finished part and comes to the same bytes.
//! - **Memory is bounded**: contents stream from their readers; what has to be deflated before its
//!   size is known lies in a spool file once it is large.
//!
//! The order of the calls: [`Writer::begin_window`], [`Writer::add`] and [`Writer::close_records`]
//! as often as there is something, [`Writer::finish_window`]; the same for the next window; then
//! [`Writer::finish`].

mod accounts;
mod commit;
mod content;
mod cut;
mod file;
mod folder;
mod group;
mod open;
mod running;
#[cfg(test)]
pub(crate) mod tests;
mod twin;
mod writer;

pub(crate) use content::{Content, Stream};
pub(crate) use file::replace;
pub(crate) use folder::{hash_file, lock_name};
pub(crate) use group::{Group, Member, Record, RecordFile};
pub(crate) use twin::Twin;
pub(crate) use writer::{Progress, Writer};

use std::path::Path;

use crate::error::{Error, Result};
use crate::manifest::WindowText;
use crate::zip::{LEAST_PART_BYTES, MOST_PART_BYTES};

/// How parts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The export's name: that of its index and of everything temporary.
    pub export: String,
    /// The cap: no part has more bytes. From 64 KiB to just below 4 GiB.
    pub part_bytes: u64,
    /// How hard to deflate, 2 to 9. Another level makes other bytes.
    pub level: u32,
    /// Threads that deflate and hash ahead. Any number makes the same bytes.
    pub threads: usize,
}

impl Settings {
    /// A billion bytes: below both readings of "1 GB".
    pub(crate) const PART_BYTES: u64 = 1_000_000_000;
    /// Favours speed: texts of messages are short and repeat themselves, so harder levels gain little.
    pub(crate) const LEVEL: u32 = 2;

    /// The usual settings for an export of this name.
    pub(crate) fn new(export: &str) -> Self {
        let export = export.to_owned();
        Self { export, part_bytes: Self::PART_BYTES, level: Self::LEVEL, threads: 0 }
    }

    fn check(&self) -> Result<()> {
        let wrong = |field, value: String, accepted| Err(Error::Setting { field, value, accepted });
        if !(LEAST_PART_BYTES..=MOST_PART_BYTES).contains(&self.part_bytes) {
            let accepted = "65536 to 4294967294 bytes";
            return wrong("part size", self.part_bytes.to_string(), accepted);
        }
        // Level 1 of the compressor stops the program at some small texts.
        if !(2..=9).contains(&self.level) {
            return wrong("deflate level", self.level.to_string(), "2 to 9");
        }
        if self.export.is_empty() || self.export != crate::name::safe(&self.export, "") {
            return wrong("export name", self.export.clone(), "a safe file name");
        }
        Ok(())
    }
}

/// A window of time: its parts are `{name}_part001.zip` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What its parts' names begin with: see [`window_name`].
    pub name: String,
    /// Which it is, and from when to when.
    pub text: WindowText,
}

/// What the names of a window's parts begin with: `{label}_{start}-{end}_{format}`, days as
/// `YYYYMMDD`.
pub(crate) fn window_name(label: &str, days: (&str, &str), format: &str) -> String {
    let label = crate::name::safe(label, "export");
    crate::name::safe(&format!("{label}_{}-{}_{format}", days.0, days.1), "export")
}

/// What the names of all parts of an export begin with: a word for people, and eight digits of the
/// export's id, so that no other export writes a part of that name.
pub(crate) fn label(word: &str, export_id: &str) -> String {
    /// Leaves room for the rest in a name of 120 bytes.
    const WORD_BYTES: usize = 60;
    let word = crate::name::shorten(&crate::name::safe(word, "export"), WORD_BYTES);
    format!("{word}-{}", short_id(export_id))
}

/// The digits of an export's id that stand in its parts' names.
fn short_id(export_id: &str) -> &str {
    export_id.get(..8).unwrap_or(export_id)
}

/// Is this the name of a part of the export with this id?
pub(crate) fn is_named_after(file: &str, export_id: &str) -> bool {
    let id = format!("-{}_", short_id(export_id));
    is_zip(file) && file.contains(&id)
}

/// Is this the name of a zip file?
pub(crate) fn is_zip(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// A part's file name.
pub(crate) fn part_name(window: &str, k: u32) -> String {
    format!("{window}_part{k:03}.zip")
}
