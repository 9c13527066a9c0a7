//! One walk over page files: which distinct versions there are, where, and of whom.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::page_files;
use crate::document::{Facts, split};
use crate::peer::Result;

/// Documents kept for questions, commits and the dictionary.
const SAMPLES: usize = 8_000;

/// A distinct version.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// The file of its first copy, and where it is there.
    pub file: u32,
    pub start: u32,
    pub length: u32,
    /// One of those who got it, each as likely, by the index of its first file.
    pub custodian: u32,
    /// Its conversation's digest.
    pub conversation: u64,
    copies: u32,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Survey {
    pub files: Vec<(String, PathBuf)>,
    pub versions: Vec<Version>,
    pub copies: u64,
    pub bytes: u64,
    /// Digests of raw copies, sorted.
    pub raw: Vec<u64>,
    /// Distinct versions that each custodian got.
    pub custodians: BTreeMap<String, u64>,
    /// Documents drawn by chance (the smallest addresses), in the order of chance.
    pub samples: Vec<(Facts, Vec<u8>)>,
}

/// What is known on the way.
#[derive(Default)]
struct Walk {
    by_raw: HashMap<[u8; 16], u32>,
    by_address: HashMap<[u8; 32], u32>,
    samples: BTreeMap<[u8; 32], (Facts, Vec<u8>)>,
    scratch: Vec<u8>,
}

impl Survey {
    /// Walks over all page files below a folder.
    pub fn of(pages: &std::path::Path) -> Result<Self> {
        let mut survey = Self { files: page_files(pages)?, ..Self::default() };
        let (mut walk, files) = (Walk::default(), std::mem::take(&mut survey.files));
        let (mut first_file, mut mine) = (0, HashSet::new());
        for (at, (custodian, path)) in (0_u32..).zip(&files) {
            if files[first_file as usize].0 != *custodian {
                (first_file, mine) = (at, HashSet::new());
            }
            let page = std::fs::read(path)?;
            survey.bytes += page.len() as u64;
            for document in split(&page)? {
                let start = u32::try_from(document.as_ptr().addr() - page.as_ptr().addr())?;
                let version = survey.version(&mut walk, (at, start), document)?;
                survey.got(version, first_file);
                let _ = mine.insert(version);
            }
            let _ = survey.custodians.insert(custodian.clone(), mine.len() as u64);
        }
        let digest =
            |raw: [u8; 16]| raw.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        survey.raw = walk.by_raw.into_keys().map(digest).collect();
        survey.raw.sort_unstable();
        survey.samples = walk.samples.into_values().collect();
        survey.files = files;
        Ok(survey)
    }

    /// The index of a copy's version.
    fn version(&mut self, walk: &mut Walk, at: (u32, u32), document: &[u8]) -> Result<u32> {
        self.copies += 1;
        let raw = blake3::hash(document).as_bytes().first_chunk().copied().unwrap_or_default();
        if let Some(version) = walk.by_raw.get(&raw) {
            return Ok(*version);
        }
        let facts = Facts::of(document, &mut walk.scratch)?;
        let next = u32::try_from(self.versions.len())?;
        let version = *walk.by_address.entry(facts.address).or_insert(next);
        let _ = walk.by_raw.insert(raw, version);
        if version == next {
            let digest = blake3::hash(facts.key.conversation.as_bytes());
            let conversation =
                digest.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes);
            let ((file, start), length) = (at, u32::try_from(document.len())?);
            let (custodian, copies) = (0, 0);
            self.versions.push(Version { file, start, length, custodian, conversation, copies });
            drop(walk.samples.insert(facts.address, (facts, document.to_vec())));
            if walk.samples.len() > SAMPLES {
                drop(walk.samples.pop_last());
            }
        }
        Ok(version)
    }

    /// Somebody got a copy: of all who did each is drawn with the same chance.
    fn got(&mut self, version: u32, custodian: u32) {
        let Some(got) = self.versions.get_mut(version as usize) else { return };
        got.copies += 1;
        let seed = [version.to_le_bytes(), got.copies.to_le_bytes()].concat();
        let chance =
            blake3::hash(&seed).as_bytes().first_chunk().copied().map_or(0, u32::from_le_bytes);
        if chance % got.copies == 0 {
            got.custodian = custodian;
        }
    }
}
