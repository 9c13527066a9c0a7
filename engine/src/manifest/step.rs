//! From one manifest to the next: no row leaves unless it is accounted for.
//!
//! For every kind of file whose rows must survive, what the dropped files held equals what the
//! added files hold plus what was disposed of, in count and in multiset hash. So merging and
//! sealing new rows are separate steps. Ledgers are summed up when they merge, so their rows need
//! not be the same ones; the conservation law of the counters is checked by `verify`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Disposed, FileEntry, FileKind, Manifest, Record, Replaced, Why, codec};
use crate::error::{Error, Result};
use crate::format::multiset::Multiset;
use crate::format::names;
use crate::types::{Sequence, Timestamp};

/// What the next manifest does differently.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) written: Timestamp,
    pub(crate) sequence: Sequence,
    pub(crate) journal_from: u64,
    pub(crate) journal_to: u64,
    pub(crate) added: Vec<FileEntry>,
    /// Numbers of files that leave.
    pub(crate) removed: Vec<u64>,
    /// Rows that leave for good; `record` counts the current records, then those added here.
    pub(crate) disposed: Vec<Disposed>,
    /// Records to add.
    pub(crate) records: Vec<Record>,
    /// Features that readers must know from now on.
    pub(crate) required: Vec<String>,
}

impl Change {
    /// Changes nothing but the time.
    pub(crate) fn none(current: &Manifest, written: Timestamp) -> Self {
        Self {
            written,
            sequence: current.sequence,
            journal_from: current.journal_from,
            journal_to: current.journal_to,
            added: Vec::new(),
            removed: Vec::new(),
            disposed: Vec::new(),
            records: Vec::new(),
            required: Vec::new(),
        }
    }
}

/// The manifest after `current`, whose hash is given; `Corrupt` if a row would be lost.
pub(crate) fn successor(current: &Manifest, hash: [u8; 32], change: Change) -> Result<Manifest> {
    let replaced = replaced(current, &change)?;
    let mut next = Manifest {
        number: current.number + 1,
        previous: hash,
        written: change.written,
        sequence: change.sequence,
        journal_from: change.journal_from,
        journal_to: change.journal_to,
        replaced,
        disposed: change.disposed,
        ..current.clone()
    };
    next.files.retain(|file| !change.removed.contains(&file.number));
    next.files.extend(change.added);
    next.files.sort_by_key(|file| file.number);
    let above = next.files.last().map_or(0, |file| file.number.saturating_add(1));
    next.next_file = next.next_file.max(above);
    next.records.extend(change.records);
    next.required_features.extend(change.required);
    next.required_features.sort();
    next.required_features.dedup();
    // What it names holds something else than it says.
    let place = names::manifest(current.number);
    check_step(current, hash, &next).map_err(|error| error.in_file(place))?;
    Ok(next)
}

/// What leaves, and where to: the added files of its kind, or nowhere by a disposition.
fn replaced(current: &Manifest, change: &Change) -> Result<Vec<Replaced>> {
    let numbers: BTreeSet<u64> = change.removed.iter().copied().collect();
    let entry = |number: u64| {
        let message = || Error::corrupt(format!("no file {number} to drop"));
        let file = current.file(number).ok_or_else(message)?;
        let why = why(file.kind, change);
        let FileEntry { kind, number, rows, multiset, .. } = *file;
        Ok(Replaced { kind, number, rows, multiset, why })
    };
    numbers.into_iter().map(entry).collect()
}

fn why(kind: FileKind, change: &Change) -> Why {
    let added = change.added.iter().filter(|file| file.kind == kind);
    let into: Vec<u64> = added.map(|file| file.number).collect();
    match change.disposed.iter().find(|disposed| disposed.kind == kind) {
        Some(disposed) if into.is_empty() => Why::Disposed(disposed.record),
        _ => Why::Merged(into),
    }
}

/// May `next` follow `previous`? Asked before a manifest is written and when archives are checked.
pub(crate) fn check_step(previous: &Manifest, hash: [u8; 32], next: &Manifest) -> Result<()> {
    check_chain(previous, hash, next)?;
    check_files(previous, next)?;
    for kind in [FileKind::Segment, FileKind::Pack, FileKind::Quarantine] {
        check_rows(kind, previous, next)?;
    }
    Ok(())
}

fn check_chain(previous: &Manifest, hash: [u8; 32], next: &Manifest) -> Result<()> {
    let follows = next.archive == previous.archive
        && previous.number.checked_add(1) == Some(next.number)
        && next.previous == hash;
    let forward = next.sequence >= previous.sequence
        && next.journal_from >= previous.journal_from
        && next.journal_to >= previous.journal_to
        && next.next_file >= previous.next_file;
    let keeps = next.records.starts_with(&previous.records)
        && previous.required_features.iter().all(|name| next.required_features.contains(name));
    let reasons = next.records.len() as u64;
    let known = next.disposed.iter().all(|disposed| disposed.record < reasons);
    match (follows, forward, keeps && known && codec::is_orderly(next)) {
        (true, true, true) => Ok(()),
        (false, ..) => Err(Error::corrupt("manifest does not follow the one before it")),
        (_, false, _) => Err(Error::corrupt("manifest goes back behind the one before it")),
        (.., false) => Err(Error::corrupt("manifest loses records or is out of order")),
    }
}

/// Files stay as they were or are dropped as what they were, and numbers are never used again.
fn check_files(previous: &Manifest, next: &Manifest) -> Result<()> {
    let dropped: BTreeMap<u64, &Replaced> =
        next.replaced.iter().map(|replaced| (replaced.number, replaced)).collect();
    for file in &previous.files {
        let accounted = match (next.file(file.number), dropped.get(&file.number)) {
            (Some(kept), None) => kept == file,
            (None, Some(gone)) => same_rows(file, gone),
            _ => false,
        };
        if !accounted {
            let message = "file changes or leaves without a word in the next manifest";
            return Err(Error::corrupt(message).in_file(file.path()));
        }
    }
    let is_new = |file: &&FileEntry| previous.file(file.number).is_none();
    // Numbers are given when a file is begun, and a merge takes long: so what is new here may have
    // a lower number than files that were begun later and are named already.
    let gone: BTreeSet<u64> = previous.replaced.iter().map(|gone| gone.number).collect();
    let reused = |file: &&FileEntry| gone.contains(&file.number);
    if let Some(file) = next.files.iter().filter(is_new).find(reused) {
        return Err(Error::corrupt("file has the number of an earlier one").in_file(file.path()));
    }
    if next.replaced.iter().any(|gone| previous.file(gone.number).is_none()) {
        return Err(Error::corrupt("manifest drops a file that was not there"));
    }
    Ok(())
}

fn same_rows(file: &FileEntry, gone: &Replaced) -> bool {
    (file.kind, file.rows, file.multiset) == (gone.kind, gone.rows, gone.multiset)
}

/// Dropped rows are in the added files or were disposed of.
fn check_rows(kind: FileKind, previous: &Manifest, next: &Manifest) -> Result<()> {
    let gone = next.replaced.iter().filter(|gone| gone.kind == kind);
    let gone: Tally = gone.map(|gone| (gone.rows, gone.multiset)).collect();
    let disposed = next.disposed.iter().filter(|disposed| disposed.kind == kind);
    let disposed: Tally = disposed.map(|disposed| (disposed.rows, disposed.multiset)).collect();
    if gone == Tally::default() && disposed == Tally::default() {
        return Ok(());
    }
    let is_new = |file: &&FileEntry| file.kind == kind && previous.file(file.number).is_none();
    let added: Tally =
        next.files.iter().filter(is_new).map(|file| (file.rows, file.multiset)).collect();
    if gone == added.plus(disposed) {
        return Ok(());
    }
    let message = format!(
        "rows would be lost: files with {} rows ({kind:?}) leave, {} rows arrive and {} are \
         disposed of, or they are not the same ones",
        gone.rows, added.rows, disposed.rows
    );
    Err(Error::corrupt(message))
}

/// How many rows, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    rows: u128,
    multiset: Multiset,
}

impl Tally {
    fn plus(mut self, other: Self) -> Self {
        self.rows += other.rows;
        self.multiset += other.multiset;
        self
    }
}

impl FromIterator<(u64, Multiset)> for Tally {
    fn from_iter<I: IntoIterator<Item = (u64, Multiset)>>(parts: I) -> Self {
        let tally = |(rows, multiset): (u64, Multiset)| Self { rows: u128::from(rows), multiset };
        parts.into_iter().map(tally).fold(Self::default(), Self::plus)
    }
}
