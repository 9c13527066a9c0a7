//! The index beside the parts: which are finished, and where the work goes on behind each.

use chatvault_engine::Storage;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

use super::{
    Counts, DigestText, Head, INDEX_SCHEMA, Key, SUMS, WindowText, sums::sums_text, text_of,
};
use crate::digest::{Digest, Hash, add_sums, sha256, unhex};
use crate::error::{Error, Result};

/// The largest index that is read.
pub(crate) const MOST_INDEX_BYTES: u64 = 256 << 20;

/// `{export}.index.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Index {
    /// What is the same in every part.
    #[serde(flatten)]
    pub head: Head,
    /// What is in all parts together.
    pub counts: Counts,
    /// Which messages are in all parts together.
    pub digest: DigestText,
    /// Is the export whole?
    pub finished: bool,
    /// How large a part may be.
    pub part_bytes: u64,
    /// The finished parts, in their order.
    pub parts: Vec<PartRecord>,
    /// [`INDEX_SCHEMA`].
    pub schema: String,
    /// The finished windows, also those without parts.
    pub windows: Vec<WindowRecord>,
}

/// A finished part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartRecord {
    /// Its length.
    pub bytes: u64,
    /// What is in it.
    pub counts: Counts,
    /// Which messages.
    pub digest: DigestText,
    /// The first message.
    pub first: Option<Key>,
    /// Which part of its window it is, from 1.
    pub k: u32,
    /// The last message.
    pub last: Option<Key>,
    /// How many members it has, with the manifest and the sums.
    pub members: u32,
    /// Its file's name.
    pub name: String,
    /// Where the work goes on behind it.
    pub resume: Resume,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its window, from 1.
    pub window: u32,
}

/// Where the work goes on behind a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Resume {
    /// Files of records that go on in the next part.
    pub continued: Vec<Continued>,
    /// The group of which not everything is in this part or one before.
    pub group: u64,
    /// The Merkle tree over all subjects so far.
    pub peaks: Vec<String>,
    /// How many slices of its next piece are, if that is larger than a part.
    pub slice: u64,
    /// How many pieces of that group are.
    pub step: u64,
}

/// A file of records that goes on in the next part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continued {
    /// The number that the next file gets.
    pub next: u32,
    /// The name of the first.
    pub path: String,
}

/// A finished window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowRecord {
    /// What is in it.
    pub counts: Counts,
    /// How many parts it has; a window without messages has none.
    pub parts: u32,
    /// Which it is.
    #[serde(flatten)]
    pub window: WindowText,
}

impl Index {
    /// The index of an export that has nothing yet.
    pub(crate) fn new(head: Head, part_bytes: u64) -> Self {
        Self {
            head,
            counts: Counts::default(),
            digest: DigestText::from(&Digest::default()),
            finished: false,
            part_bytes,
            parts: Vec::new(),
            schema: INDEX_SCHEMA.to_owned(),
            windows: Vec::new(),
        }
    }

    /// The name of an export's index.
    pub fn file_name(export: &str) -> String {
        format!("{export}.index.json")
    }

    /// The name of an export's list of checksums.
    pub fn sums_name(export: &str) -> String {
        format!("{export}.{SUMS}")
    }

    /// Reads the index of an export; `None` if there is none.
    ///
    /// `Index` if it is none that this version understands, `Folder` if it cannot be read.
    pub fn read(storage: &dyn Storage, export: &str) -> Result<Option<Self>> {
        let file = Self::file_name(export);
        let Some(bytes) = read_small(storage, &file, MOST_INDEX_BYTES)? else { return Ok(None) };
        let wrong = |problem: String| Error::Index { file: file.clone(), problem };
        let index: Self =
            serde_json::from_slice(&bytes).map_err(|cause| wrong(cause.to_string()))?;
        if index.schema != INDEX_SCHEMA {
            return Err(wrong(format!("its schema is {:?}", index.schema)));
        }
        Ok(Some(index))
    }

    /// The fingerprint of all parts together, as the parts say it.
    pub(crate) fn total_digest(&self) -> Option<Digest> {
        let Some(last) = self.parts.last() else { return Some(Digest::default()) };
        let mut sum = [0; 32];
        let mut subjects = 0_u64;
        for part in &self.parts {
            sum = add_sums(&sum, &unhex(&part.digest.subject_sum)?);
            subjects = subjects.checked_add(part.digest.subjects)?;
        }
        let peaks: Option<Vec<Hash>> = last.resume.peaks.iter().map(|peak| unhex(peak)).collect();
        Digest::restore(subjects, &sum, peaks?)
    }

    /// What is in all parts together, as the parts say it.
    pub(crate) fn total_counts(&self) -> Counts {
        self.parts.iter().fold(Counts::default(), |sum, part| sum.plus(part.counts))
    }

    /// The index's text.
    pub(crate) fn text(&self) -> String {
        let mut text = text_of(self);
        text.push('\n');
        text
    }

    /// The list of checksums of all parts and, once it is final, of the index.
    pub(crate) fn sums(&self, export: &str) -> String {
        let mut files: Vec<(&str, Hash)> = self
            .parts
            .iter()
            .map(|part| (part.name.as_str(), unhex(&part.sha256).unwrap_or_default()))
            .collect();
        let name = Self::file_name(export);
        if self.finished {
            files.push((&name, sha256(self.text().as_bytes())));
        }
        sums_text(files)
    }
}

/// Reads a file of limited size; `None` if there is none.
pub(crate) fn read_small(storage: &dyn Storage, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
    let file = match storage.open(name) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::folder("open", name))?,
    };
    let bytes = file.bytes().map_err(Error::folder("measure", name))?;
    if bytes > most {
        let problem = format!("it has {bytes} bytes, more than {most}");
        return Err(Error::Index { file: name.to_owned(), problem });
    }
    let mut out = vec![0; usize::try_from(bytes).unwrap_or_default()];
    file.read_at(0, &mut out).map_err(Error::folder("read", name))?;
    Ok(Some(out))
}
