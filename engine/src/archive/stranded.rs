//! Files that only a lost manifest named: for salvage, those that prove themselves are taken in.
//!
//! An older manifest stands in for the lost one. What the lost one dropped is in the trash, and what it
//! added has numbers that the older one had not given. A pack's objects are named by their hashes. A seal
//! writes segment, ledger and quarantine under numbers in a row, and its ledger says of which commits:
//! if the older manifest knows none of them, they are later. What a merge wrote is left out, because its
//! inputs have the same rows; what proves nothing is named as lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::accounts::ledger::Ledger;
use super::accounts::quarantine::{self, Outcasts};
use super::commit::put_object;
use super::held::Missing;
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::multiset::Multiset;
use crate::format::names::{self, FileKind};
use crate::manifest::{FileEntry, Manifest};
use crate::objects::{Pack, PackSummary};
use crate::segment::{Dictionary, Segment};
use crate::storage::{Storage, whole};
use crate::types::Sequence;

/// For what is looked up in a quarantine.
const CACHE_BYTES: usize = 1 << 20;

/// Adds to an older manifest what one that is lost seems to have named.
pub(super) fn take_in(
    storage: &dyn Storage,
    mut manifest: Manifest,
    missing: &Missing,
) -> Result<Manifest> {
    let found = unnamed(storage, &manifest)?;
    let mut taking = Taking { storage, manifest: &manifest, ledgers: BTreeMap::new() };
    let is_ledger = |file: &&(u64, FileKind)| file.1 == FileKind::Ledger;
    for (number, _) in found.iter().filter(is_ledger) {
        let ledger = missing.pass(taking.ledger(*number))?;
        taking.ledgers.extend(ledger.flatten().map(|last| (*number, last)));
    }
    let mut added = Vec::new();
    for (number, kind) in &found {
        added.extend(missing.pass(taking.file(*number, *kind))?.flatten());
    }
    let last = taking.ledgers.values().max().copied();
    manifest.sequence = manifest.sequence.max(last.unwrap_or_default());
    manifest.next_file = found.last().map_or(manifest.next_file, |(number, _)| number + 1);
    manifest.files.extend(added);
    Ok(manifest)
}

/// Sealed files with numbers that a manifest has not given, in order.
fn unnamed(storage: &dyn Storage, manifest: &Manifest) -> Result<Vec<(u64, FileKind)>> {
    let mut found = Vec::new();
    for folder in ["segments", "objects"] {
        for file in storage.list(folder).map_err(|cause| Error::io("list", folder, cause))? {
            found.extend(names::parse_file(&file.name).map(|(kind, number)| (number, kind)));
        }
    }
    found.retain(|(number, _)| *number >= manifest.next_file);
    found.sort_unstable_by_key(|(number, _)| *number);
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}

struct Taking<'t> {
    storage: &'t dyn Storage,
    manifest: &'t Manifest,
    /// The last commit of each ledger that is a seal's.
    ledgers: BTreeMap<u64, Sequence>,
}

impl Taking<'_> {
    /// The last commit of a ledger, if all of its commits are later than the manifest.
    fn ledger(&self, number: u64) -> Result<Option<Sequence>> {
        let path = FileKind::Ledger.path(number);
        let cache = Arc::new(Cache::new(0));
        let ledger = Ledger::open(self.storage, (self.manifest.archive, number), &path, &cache)?;
        let commits = ledger.meta.commits;
        let later = commits.filter(|(first, _)| Sequence(*first) > self.manifest.sequence);
        Ok(later.map(|(_, last)| Sequence(last.sequence)))
    }

    fn file(&self, number: u64, kind: FileKind) -> Result<Option<FileEntry>> {
        let is_sealed =
            |ledger: Option<u64>| ledger.is_some_and(|ledger| self.ledgers.contains_key(&ledger));
        let archive = self.manifest.archive;
        let path = kind.path(number);
        match kind {
            FileKind::Ledger if is_sealed(Some(number)) => {
                self.entry((number, kind), (0, Multiset::default())).map(Some)
            }
            FileKind::Quarantine if is_sealed(number.checked_sub(1)) => {
                let entry = self.entry((number, kind), (0, Multiset::default()))?;
                let cache = Arc::new(Cache::new(CACHE_BYTES));
                let file = Outcasts::open(self.storage, archive, (&entry, &path), &cache);
                let (rows, multiset) = quarantine::read_through(&file, &mut |_| ())?;
                Ok(Some(FileEntry { rows, multiset, ..entry }))
            }
            FileKind::Segment => {
                let cache = Arc::new(Cache::new(0));
                let segment = Segment::open(self.storage, archive, number, &path, cache)?;
                let commits = segment.meta.sequence;
                let (first, last) = (commits.low.cast_unsigned(), commits.high.cast_unsigned());
                if Sequence(first) <= self.manifest.sequence {
                    return Ok(None);
                }
                if !is_sealed(number.checked_add(1)) {
                    let message = "no manifest that can be read names it, and no ledger proves it";
                    return Err(Error::corrupt(message).in_file(path));
                }
                let rows = (u64::from(segment.meta.rows), Multiset(segment.meta.multiset));
                let entry = self.entry((number, kind), rows)?;
                Ok(Some(FileEntry { first: Sequence(first), last: Sequence(last), ..entry }))
            }
            FileKind::Pack => {
                let pack = Pack::open(self.storage, number, archive)?;
                let bytes = self.storage.open(&path).and_then(|file| file.bytes());
                let bytes = bytes.map_err(|cause| Error::io("measure", &path, cause))?;
                let objects = pack.objects().iter().map(|object| (object.address, object.bytes));
                let (hash, objects) = (pack.hash(), objects.collect());
                Ok(Some(put_object::entry(&PackSummary { number, bytes, hash, objects })))
            }
            FileKind::Dictionary => {
                // For how many rows it was trained nobody says any more.
                let rows = Dictionary::find(self.storage, number).read().map(|_| 0)?;
                self.entry((number, kind), (rows, Multiset::default())).map(Some)
            }
            FileKind::Ledger | FileKind::Quarantine => Ok(None),
        }
    }

    fn entry(
        &self,
        (number, kind): (u64, FileKind),
        (rows, multiset): (u64, Multiset),
    ) -> Result<FileEntry> {
        let bytes = whole::read(self.storage, &kind.path(number), u64::MAX)?;
        Ok(FileEntry {
            kind,
            number,
            level: 0,
            bytes: bytes.len() as u64,
            hash: *blake3::hash(&bytes).as_bytes(),
            rows,
            multiset,
            first: Sequence(0),
            last: Sequence(0),
        })
    }
}
