//! What a writer is given: groups that stay together, and the pieces they fall into if they must.

use std::sync::Arc;

use super::accounts::{Listed, Load};
use super::content::{Body, Content, Packed, Pressed, Ready, pack};
use crate::digest::{Hash, Subject, hex};
use crate::error::{Error, Result};
use crate::manifest::{
    Counts, Facts, FileRecord, Key, MANIFEST, SUMS, Slice, Unavailable, file_text, text_of,
};
use crate::name::{PATH_CHARS, fold};
use crate::zip::{is_compressed, member_bytes};

/// What stays together in one part: a message with its attachments, or some of them.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    /// The first and last message, for the index.
    pub keys: Option<(Key, Key)>,
    /// The versions that this group brings, in export order.
    pub subjects: Vec<Subject>,
    /// What to count.
    pub counts: Counts,
    /// Attachments that could not be had.
    pub unavailable: Vec<Unavailable>,
    /// Records for running files, in order.
    pub records: Vec<Record>,
    /// Files, in order.
    pub members: Vec<Member<'a>>,
}

impl Group<'_> {
    /// Takes in what comes behind it, so that both stay together.
    pub(crate) fn join(&mut self, next: Self) {
        self.keys = match (self.keys.take(), next.keys) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (mine, next) => mine.or(next),
        };
        self.subjects.extend(next.subjects);
        self.counts = self.counts.plus(next.counts);
        self.unavailable.extend(next.unavailable);
        self.members.extend(next.members);
        for record in next.records {
            let same = |other: &&mut Record| other.file.path == record.file.path;
            match self.records.iter_mut().find(same) {
                Some(other) => other.bytes.extend_from_slice(&record.bytes),
                None => self.records.push(record),
            }
        }
    }
}

/// A file of a part.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// Its path: safe names with `/` between them, at most 200 characters.
    pub path: String,
    /// What is in it.
    pub content: Content<'a>,
    /// Where that comes from: an address in the archive.
    pub source: Option<String>,
}

impl Member<'_> {
    /// Deflates and hashes bytes at hand now, where the member is made: the writer would have to do
    /// it otherwise. `level` must be the writer's. A path that it will not take is left to it.
    #[must_use]
    pub(crate) fn pressed(self, level: u32) -> Self {
        let Self { path, content, source } = self;
        let bytes = match content {
            Content::Bytes(bytes) if check_path(&path).is_ok() => bytes,
            content => return Self { path, content, source },
        };
        let raw = bytes.len() as u64;
        let packed = Ready::Now(pack(bytes, level, is_compressed(&path)));
        let slot = Box::new(Slot::of(path.clone(), source.clone(), raw, packed));
        Self { path, content: Content::Pressed(Pressed { level, slot }), source }
    }
}

/// A record of a running file. A file never ends inside a record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The file.
    pub file: Arc<RecordFile>,
    /// The record's bytes, with whatever ends it.
    pub bytes: Vec<u8>,
}

/// A file that records are added to: it goes on in the next part under a numbered name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordFile {
    /// The path of the first; `a.csv` goes on as `a_002.csv`.
    pub path: String,
    /// What every one of them begins with.
    pub header: Vec<u8>,
}

/// Where in the row of groups the work is: behind so many pieces of a group, and so many slices of
/// a piece (a note on how to join them counts as the first).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) group: u64,
    pub(super) step: u64,
    pub(super) slice: u64,
}

/// A member that waits for its place.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    pub(super) path: String,
    pub(super) source: Option<String>,
    pub(super) slice: Option<Slice>,
    /// The content's own length.
    pub(super) raw: u64,
    pub(super) content: Ready<'a>,
    /// What it adds to the manifest and the sums.
    pub(super) listed: Listed,
    /// Its entry in the manifest, if its hash is known.
    pub(super) text: Option<String>,
    /// Its path as all file systems see it.
    pub(super) folded: String,
}

impl<'a> Slot<'a> {
    pub(super) fn new(
        path: String,
        source: Option<String>,
        raw: u64,
        content: Ready<'a>,
    ) -> Result<Self> {
        check_path(&path)?;
        Ok(Self::of(path, source, raw, content))
    }

    /// With a path that is good.
    fn of(path: String, source: Option<String>, raw: u64, content: Ready<'a>) -> Self {
        let (folded, listed) = (fold(&path), Listed::default());
        Self { path, source, slice: None, raw, content, listed, text: None, folded }.measured()
    }

    /// Of a member that was made ready: nothing is left to do unless it has got another name.
    pub(super) fn pressed(pressed: Pressed, path: String, source: Option<String>) -> Result<Self> {
        let slot = *pressed.slot;
        if slot.path == path && slot.source == source {
            return Ok(slot);
        }
        Self::new(path, source, slot.raw, slot.content)
    }

    /// As a slice of something larger.
    pub(super) fn slice(path: String, slice: Slice, source: Option<String>, raw: u64) -> Self {
        let packed = Packed {
            method: crate::zip::Method::Stored,
            bytes: raw,
            sums: None,
            body: Body::Elsewhere,
        };
        let content = Ready::Now(packed);
        let (folded, listed, slice) = (fold(&path), Listed::default(), Some(slice));
        Self { path, source, slice, raw, content, listed, text: None, folded }.measured()
    }

    fn measured(mut self) -> Self {
        let sums = match &self.content {
            Ready::Now(packed) => packed.sums,
            Ready::Soon(_) => None,
        };
        let text = self.text_of(&sums.map_or([0; 32], |sums| sums.sha256));
        self.listed = Listed::of(text.len(), &self.path);
        self.text = sums.map(|_| text);
        self
    }

    /// Its entry in the manifest.
    pub(super) fn text_of(&self, sha256: &Hash) -> String {
        file_text(&self.record(sha256))
    }

    fn record(&self, sha256: &Hash) -> FileRecord {
        FileRecord {
            path: self.path.clone(),
            sha256: hex(sha256),
            size: self.raw,
            slice: self.slice.clone(),
            source_blob: self.source.clone(),
        }
    }

    /// What it adds to the container: exactly once it is settled, at most until then.
    pub(super) fn container_bytes(&self) -> u64 {
        let packed = match &self.content {
            Ready::Soon(_) => self.raw,
            Ready::Now(packed) => packed.bytes,
        };
        member_bytes(&self.path, packed)
    }

    /// Waits until its size is exact.
    pub(super) fn settle(self) -> Result<Self> {
        let content = match self.content {
            Ready::Soon(promise) => Ready::Now(promise.wait()?),
            now @ Ready::Now(_) => now,
        };
        Ok(Self { content, ..self })
    }
}

/// What a member costs that is not written yet.
pub(super) fn slot_load(slot: &Slot<'_>) -> Load {
    Load::one(slot.container_bytes(), slot.listed)
}

/// A group, or a piece of one, that is being made ready.
#[derive(Debug, Default)]
pub(super) struct Prepared<'a> {
    pub(super) keys: Option<(Key, Key)>,
    pub(super) subjects: Vec<Subject>,
    pub(super) counts: Counts,
    /// As the manifest will have them.
    pub(super) unavailable: Vec<String>,
    /// At most one for each file.
    pub(super) records: Vec<Record>,
    pub(super) slots: Vec<Slot<'a>>,
}

impl<'a> Prepared<'a> {
    /// Everything of a group but its members.
    pub(super) fn without_members(group: &mut Group<'a>) -> Result<Self> {
        let mut records: Vec<Record> = Vec::new();
        for record in group.records.drain(..) {
            let same = |other: &&mut Record| other.file.path == record.file.path;
            if let Some(other) = records.iter_mut().find(same) {
                other.bytes.extend_from_slice(&record.bytes);
            } else {
                check_path(&record.file.path)?;
                records.push(record);
            }
        }
        Ok(Self {
            keys: group.keys.take(),
            subjects: std::mem::take(&mut group.subjects),
            counts: group.counts,
            unavailable: group.unavailable.iter().map(text_of).collect(),
            records,
            slots: Vec::new(),
        })
    }

    pub(super) fn of_slot(slot: Slot<'a>) -> Self {
        Self { slots: vec![slot], ..Self::default() }
    }

    /// What it adds to the manifest beside its members.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            counts: self.counts,
            subjects: self.subjects.len() as u64,
            unavailable_bytes: self.unavailable.iter().map(|text| text.len() as u64 + 1).sum(),
        }
    }

    pub(super) fn settle(&mut self) -> Result<()> {
        let slots = std::mem::take(&mut self.slots);
        self.slots = slots.into_iter().map(Slot::settle).collect::<Result<_>>()?;
        Ok(())
    }

    /// The pieces that may lie in different parts if all together are too large for one. What is
    /// said about the messages comes first.
    pub(super) fn pieces(self) -> impl Iterator<Item = Self> {
        let Self { keys, subjects, counts, unavailable, records, slots } = self;
        let about = Self { keys, subjects, counts, ..Self::default() };
        let unavailable =
            unavailable.into_iter().map(|text| Self { unavailable: vec![text], ..Self::default() });
        let records =
            records.into_iter().map(|record| Self { records: vec![record], ..Self::default() });
        let slots = slots.into_iter().map(Self::of_slot);
        std::iter::once(about).chain(unavailable).chain(records).chain(slots)
    }
}

/// Is this a path that unpacks everywhere below the folder where it should?
pub(super) fn check_path(path: &str) -> Result<()> {
    match problem_of(path) {
        Some(problem) => Err(Error::MemberName { path: path.to_owned(), problem }),
        None => Ok(()),
    }
}

fn problem_of(path: &str) -> Option<&'static str> {
    let unsafe_step = |step: &str| matches!(step, "" | "." | "..");
    // Only a name without a folder can be one of the writer's own.
    let folded = if path.contains('/') { String::new() } else { fold(path) };
    if path.chars().count() > PATH_CHARS {
        Some("longer than 200 characters")
    } else if path.contains(|c: char| c.is_control() || c == '\\') {
        Some("it has a control character or a backslash")
    } else if path.split('/').any(unsafe_step) || path.as_bytes().get(1) == Some(&b':') {
        Some("it leaves the folder it is unpacked in")
    } else if folded == fold(MANIFEST) || folded == fold(SUMS) {
        Some("the part writer's own")
    } else {
        None
    }
}
