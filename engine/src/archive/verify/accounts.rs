//! What ledgers, quarantine files and the journal say, put together from the files, and the law:
//! `offered = stored + variants + duplicates + quarantined`, for every run and custodian, with as
//! many rows and quarantined copies as are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::book::{Book, SegmentRanges};
use super::super::commit::Compare;
use super::super::folded::Folded;
use super::super::ledger;
use super::super::quarantine::{Outcasts, Records, Refused};
use super::super::record::{self, Commit, Home, HomeSighting};
use super::super::repaired::Repaired;
use super::super::report::Depth;
use super::super::slab::SlabRow;
use super::arrivals::{Arrivals, is_early};
use super::{Findings, rows};
use crate::error::{Error, Result};
use crate::format::multiset::Multiset;
use crate::format::names::{self, JOURNAL};
use crate::journal::{self, DroppedTail, Recovery, Wanted};
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::row::Parser;
use crate::storage::Storage;
use crate::types::{ContentAddress, Sequence};

/// A reader beside a busy writer sees another end of the journal at every look; damage stays.
const MAX_READS: usize = 8;

/// The sums of everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) book: Book,
    pub(super) findings: Findings,
    /// Files of the journal, and bytes of them.
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) journal_rows: u64,
    /// Rows of the journal that were stored beside one that could not be read.
    pub(super) stored_beside: u64,
    /// Rows that were folded.
    pub(super) folded: u64,
    pub(super) dropped_tail: Option<DroppedTail>,
    /// Refused copies by run and custodian.
    refused: BTreeMap<(u32, u32), u64>,
    /// What is refused: is its content kept, and a file that counts copies of it.
    outcasts: BTreeMap<ContentAddress, (bool, String)>,
    /// Custodians that something is about, and a file that says so.
    named: BTreeMap<u32, Arc<str>>,
    pub(super) arrivals: Arc<Arrivals>,
    /// A file of the sums could not be read: then they say nothing.
    incomplete: bool,
}

impl Accounts {
    /// Reads them; the journal must hold everything up to `acknowledged`.
    pub(super) fn read(
        storage: &dyn Storage,
        (manifest, hash): (&Manifest, [u8; 32]),
        acknowledged: Sequence,
        depth: Depth,
    ) -> Self {
        let mut accounts = Self::default();
        for entry in &manifest.files {
            let taken = match entry.kind {
                FileKind::Ledger => accounts.take_ledger(storage, manifest, entry),
                FileKind::Quarantine => accounts.take_quarantine(storage, manifest, entry),
                FileKind::Segment | FileKind::Pack | FileKind::Dictionary => Ok(()),
            };
            if let Err(error) = taken {
                accounts.incomplete = true;
                accounts.findings.add(&error);
            }
        }
        let wanted = Wanted::behind(manifest, hash, false);
        accounts.take_journal(storage, (manifest, wanted), acknowledged, depth);
        accounts.take_folds(manifest);
        let incomplete = accounts.incomplete || !Repaired::of(manifest).is_empty();
        accounts.arrivals().incomplete = incomplete;
        accounts
    }

    fn take_ledger(
        &mut self,
        storage: &dyn Storage,
        manifest: &Manifest,
        entry: &FileEntry,
    ) -> Result<()> {
        let path = entry.path();
        let ledger = ledger::read(storage, manifest.archive, entry.number, &path)?;
        self.arrivals().know_book(&ledger.book);
        self.arrivals().join(&ledger.ranges);
        self.take_book(ledger.book, &path);
        self.take_ranges(&ledger.ranges, manifest, &path);
        Ok(())
    }

    /// Nobody else has it while it is filled.
    fn arrivals(&mut self) -> &mut Arrivals {
        Arc::make_mut(&mut self.arrivals)
    }

    fn take_book(&mut self, book: Book, path: &str) {
        self.name(book.counts.keys().map(|(_, custodian)| *custodian), path);
        self.book.absorb(book);
    }

    fn take_ranges(&mut self, ranges: &SegmentRanges, manifest: &Manifest, path: &str) {
        for (segment, ranges) in ranges {
            let Some(entry) = segment_of(manifest, *segment) else { continue };
            let rows = entry.rows;
            self.name(ranges.all().iter().map(|range| range.custodian), path);
            for range in ranges.all() {
                self.arrivals().name(range.sequence, path);
                let place = format!("rows {}..{} of segment {segment}", range.start, range.end);
                if range.start >= range.end || u64::from(range.end) > rows {
                    let message = format!("sightings of {place}, which has {rows}");
                    self.findings.add(&Error::corrupt(message).in_file(path));
                }
                if is_early(range, entry) {
                    let commit = range.sequence;
                    let message =
                        format!("{place} were delivered in commit {commit}, before any was stored");
                    self.findings.add(&Error::corrupt(message).in_file(path));
                }
            }
        }
    }

    fn take_quarantine(
        &mut self,
        storage: &dyn Storage,
        manifest: &Manifest,
        entry: &FileEntry,
    ) -> Result<()> {
        let (path, mut copies, mut multiset) = (entry.path(), 0, Multiset::default());
        let file = Outcasts::open(storage, manifest.archive, entry);
        for refused in Records::of(Arc::new(file))? {
            let refused = refused?;
            copies += refused.copies;
            multiset += refused.multiset();
            self.take_refused(&refused, &path);
        }
        if (copies, multiset) == (entry.rows, entry.multiset) {
            return Ok(());
        }
        let message =
            format!("{copies} refused copies, the manifest names {} or others", entry.rows);
        Err(Error::corrupt(message).in_file(path))
    }

    /// Moves what folds moved in the counters.
    fn take_folds(&mut self, manifest: &Manifest) {
        let place = names::manifest(manifest.number);
        for folded in Folded::of(manifest) {
            self.folded += folded.rows;
            let left = self.book.fold(&folded.moved);
            for ((run, custodian), copies) in left.into_iter().filter(|_| !self.incomplete) {
                let message = format!(
                    "a fold moves {copies} copies of run {run} and custodian {custodian} that are \
                     not counted as stored"
                );
                self.findings.add(&Error::corrupt(message).in_file(&*place));
            }
        }
    }

    fn take_refused(&mut self, refused: &Refused, path: &str) {
        self.name(std::iter::once(refused.custodian), path);
        *self.refused.entry((refused.run, refused.custodian)).or_default() += refused.copies;
        let known = self.outcasts.entry(refused.address);
        known.or_insert_with(|| (false, path.to_owned())).0 |= refused.kept.is_some();
    }

    /// Something is about these custodians.
    fn name(&mut self, custodians: impl Iterator<Item = u32>, path: &str) {
        let path: Arc<str> = path.into();
        for custodian in custodians {
            let _ = self.named.entry(custodian).or_insert_with(|| Arc::clone(&path));
        }
    }

    /// Reads the journal to its end. What seems lost may be a frame that is being written: then
    /// it is elsewhere, or not there, when looked for again.
    fn take_journal(
        &mut self,
        storage: &dyn Storage,
        (manifest, wanted): (&Manifest, Wanted),
        acknowledged: Sequence,
        depth: Depth,
    ) {
        let mut before: Option<String> = None;
        for _ in 0..MAX_READS {
            let (commits, recovery) = Commits::read(storage, (manifest, wanted), depth);
            let error = match recovery {
                Ok(recovery) => return self.take_commits(commits, &recovery, acknowledged),
                Err(error) => error,
            };
            let now = format!("{error} {:?} {:?}", error.file(), error.offset());
            if before.as_ref() == Some(&now) {
                self.incomplete = true;
                let error = error.in_file(JOURNAL);
                self.findings.add(&error);
                return self.list_journal(storage, wanted, &error);
            }
            before = Some(now);
        }
        // Every look found another end: the writer is fast, and nothing stayed wrong.
        self.incomplete = true;
    }

    /// Lists what else is wrong in a journal that cannot be read to its end.
    fn list_journal(&mut self, storage: &dyn Storage, wanted: Wanted, told: &Error) {
        let place = |error: &Error| (error.file().map(str::to_owned), error.offset());
        match journal::salvage(storage, wanted, &mut |_, _, _| Ok(())) {
            Ok(damages) => {
                let others = damages.iter().filter(|damage| place(damage) != place(told));
                others.for_each(|damage| self.findings.add(damage));
            }
            Err(error) => self.findings.add(&error),
        }
    }

    fn take_commits(&mut self, commits: Commits<'_>, recovery: &Recovery, acknowledged: Sequence) {
        if recovery.last < acknowledged {
            let message = format!(
                "lost acknowledged data: the journal ends behind commit {}, {} was acknowledged",
                recovery.last.0, acknowledged.0
            );
            self.incomplete = true;
            let place = names::journal(recovery.highest);
            self.findings.add(&Error::corrupt(message).in_file(place));
        }
        self.incomplete |= commits.unreadable;
        self.arrivals().know(commits.slabs.keys().copied());
        commits.delivered.iter().for_each(|commit| self.arrivals().name(*commit, JOURNAL));
        self.book.absorb(commits.book);
        commits.refused.iter().for_each(|refused| self.take_refused(refused, JOURNAL));
        self.name(commits.named.iter().copied(), JOURNAL);
        commits.damages.iter().for_each(|damage| self.findings.add(damage));
        self.journal_rows = commits.rows;
        self.stored_beside = commits.beside;
        self.files = commits.files;
        self.bytes = recovery.bytes;
        self.dropped_tail.clone_from(&recovery.torn);
    }

    /// Custodians whose counters were checked.
    pub(super) fn custodians(&self) -> u64 {
        let mut custodians: Vec<u32> = self.book.counts.keys().map(|(_, number)| *number).collect();
        custodians.sort_unstable();
        custodians.dedup();
        custodians.len() as u64
    }

    pub(super) fn knows(&self, custodian: u32) -> bool {
        // With a ledger that cannot be read, nobody can be called unknown.
        self.incomplete || self.book.custodians.contains_key(&custodian)
    }

    /// The law, and that every custodian has a name.
    pub(super) fn check(&self, manifest: &Manifest, findings: &mut Findings) {
        let place = names::manifest(manifest.number);
        let records = [Repaired::check(manifest), Folded::check(manifest)];
        records.into_iter().filter_map(Result::err).for_each(|error| findings.add(&error));
        let lost = Repaired::of(manifest);
        for message in self.broken_laws(rows(manifest), &lost) {
            findings.add(&Error::corrupt(message).in_file(&*place));
        }
        let mut unknown: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
        for (custodian, path) in self.named.iter().filter(|(number, _)| !self.knows(**number)) {
            unknown.entry(path).or_insert((*custodian, 0)).1 += 1;
        }
        for (path, (first, count)) in unknown {
            let more = if count > 1 { format!(" ({} more)", count - 1) } else { String::new() };
            let message = format!("names custodian {first}, who has no name{more}");
            findings.add(&Error::corrupt(message).in_file(path));
        }
        for (commit, path) in self.arrivals.unknown() {
            let message =
                format!("something was delivered in commit {commit}, which nothing knows");
            findings.add(&Error::corrupt(message).in_file(path));
        }
        let known = |(is_kept, _): &(bool, String)| *is_kept || self.incomplete;
        let repaired = Repaired::of(manifest);
        // What a repair lost is counted there.
        let accounted = repaired.iter().any(|repaired| !repaired.quarantined_lost.is_empty());
        for (address, file) in self.outcasts.iter().filter(|(_, file)| !known(file) && !accounted) {
            let message = format!("counts copies of {address}, whose bytes nothing keeps");
            findings.add(&Error::corrupt(message).in_file(&*file.1));
        }
    }

    /// What a repair lost stays counted as stored.
    fn broken_laws(&self, segment_rows: u64, lost: &[Repaired]) -> Vec<String> {
        let mut broken = Vec::new();
        for ((run, custodian), counts) in &self.book.counts {
            if !counts.balance() {
                broken.push(format!(
                    "counters of run {run} and custodian {custodian} do not balance: {counts:?}"
                ));
            }
        }
        if self.incomplete {
            return broken;
        }
        let total = self.book.total();
        let lost_rows: u64 = lost.iter().map(|repaired| repaired.rows_lost).sum();
        let there = segment_rows + self.journal_rows + lost_rows;
        let counted = total.stored + total.variants;
        if !total.balance() {
            broken.push(format!("counters do not balance: {total:?}"));
        }
        if counted != there {
            broken.push(format!(
                "{counted} versions and variants were stored, {there} rows are there"
            ));
        }
        broken.extend(self.broken_quarantine(lost));
        broken
    }

    fn broken_quarantine(&self, lost: &[Repaired]) -> Vec<String> {
        let mut copies: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
        for (place, counts) in &self.book.counts {
            copies.entry(*place).or_default().0 += counts.quarantined;
        }
        let gone = lost.iter().flat_map(|repaired| &repaired.quarantined_lost);
        for (place, there) in self.refused.iter().chain(gone) {
            copies.entry(*place).or_default().1 += there;
        }
        let wrong = copies.into_iter().filter(|(_, (counted, there))| counted != there);
        let wrong = wrong.map(|((run, custodian), (counted, there))| {
            format!(
                "{counted} copies of run {run} and custodian {custodian} were quarantined, \
                 {there} are there"
            )
        });
        wrong.collect()
    }
}

fn segment_of(manifest: &Manifest, number: u64) -> Option<&FileEntry> {
    manifest.file(number).filter(|file| file.kind == FileKind::Segment)
}

/// What the journal holds beyond the manifest.
#[derive(Debug)]
struct Commits<'m> {
    manifest: &'m Manifest,
    depth: Depth,
    parser: Parser,
    compare: Compare,
    book: Book,
    rows: u64,
    beside: u64,
    /// Rows of each commit.
    slabs: BTreeMap<u64, u64>,
    refused: Vec<Refused>,
    named: Vec<u32>,
    /// Commits in which rows were delivered that were there.
    delivered: BTreeSet<u64>,
    damages: Vec<Error>,
    files: u64,
    /// A commit could not be read.
    unreadable: bool,
}

impl<'m> Commits<'m> {
    fn read(
        storage: &dyn Storage,
        (manifest, wanted): (&'m Manifest, Wanted),
        depth: Depth,
    ) -> (Self, Result<Recovery>) {
        let mut commits = Self {
            manifest,
            depth,
            parser: Parser::default(),
            compare: Compare::default(),
            book: Book::default(),
            rows: 0,
            beside: 0,
            slabs: BTreeMap::new(),
            refused: Vec::new(),
            named: Vec::new(),
            delivered: BTreeSet::new(),
            damages: Vec::new(),
            files: 0,
            unreadable: false,
        };
        // Not as a reader beside a writer would: that takes damage at the end for the end.
        let recovery = journal::recover(storage, wanted, &mut |sequence, _chain, payload| {
            commits.take(sequence, payload);
            Ok(())
        });
        let recovery = recovery.and_then(|recovery| {
            let needed =
                journal::numbers(storage)?.into_iter().filter(|number| *number >= wanted.from);
            commits.files = needed.count() as u64;
            Ok(recovery)
        });
        (commits, recovery)
    }

    fn take(&mut self, sequence: Sequence, payload: &[u8]) {
        let commit = match record::read(sequence, payload, &mut self.parser) {
            Ok(commit) => commit,
            Err(error) => {
                self.unreadable = true;
                return self.damage(sequence, "cannot be read", Some(error));
            }
        };
        let in_order = |a: &SlabRow, b: &SlabRow| match a.order(b) {
            std::cmp::Ordering::Equal => a.record != b.record,
            order => order.is_lt(),
        };
        if !commit.rows.is_sorted_by(in_order) {
            self.damage(sequence, "has rows out of order", None);
        }
        if self.depth == Depth::Deep {
            self.check_addresses(sequence, &commit);
        }
        let Commit { book, rows, refused, sightings, .. } = commit;
        self.rows += rows.len() as u64;
        self.beside += rows.iter().filter(|row| row.beside).count() as u64;
        let _ = self.slabs.insert(sequence.0, rows.len() as u64);
        if let Some((.., row, _)) = sightings.iter().find(|sighting| !self.is_there(sighting)) {
            let what = format!("has a sighting of row {row}, which is not there");
            self.damage(sequence, &what, None);
        }
        if let Some((_, first, ..)) = sightings.iter().find(|sighting| self.is_early(sighting)) {
            let what = format!("has a sighting in commit {first}, before its row was stored");
            self.damage(sequence, &what, None);
        }
        self.delivered.extend(sightings.iter().map(|(_, first, ..)| *first));
        self.named.extend(book.counts.keys().map(|(_, custodian)| *custodian));
        self.named.extend(rows.iter().flat_map(|row| &row.custodians));
        self.named.extend(sightings.iter().map(|(.., custodian)| *custodian));
        self.named.sort_unstable();
        self.named.dedup();
        self.book.absorb(book);
        let counted = |refused| Refused { bytes: Vec::new(), ..refused };
        self.refused.extend(refused.into_iter().map(counted));
    }

    fn check_addresses(&mut self, sequence: Sequence, commit: &Commit) {
        for row in &commit.rows {
            let document = commit.documents.get(row.document.clone()).unwrap_or_default();
            let differs = match self.compare.document(document) {
                Ok((address, bytes)) => {
                    (address, u32::try_from(bytes).ok()) != (row.address, Some(row.canonical_bytes))
                }
                Err(error) => {
                    self.damage(sequence, "has a row that is no document", Some(error));
                    continue;
                }
            };
            if differs {
                let what = format!("has a row of {} with another address", row.conversation);
                self.damage(sequence, &what, None);
            }
        }
    }

    /// Is the row of a sighting there? One of a place that is gone is void.
    fn is_there(&self, (home, _, row, _): &HomeSighting) -> bool {
        let rows = match home {
            Home::Slab(sequence) => self.slabs.get(sequence).copied(),
            Home::Segment(number) => segment_of(self.manifest, *number).map(|file| file.rows),
        };
        rows.is_none_or(|rows| u64::from(*row) < rows)
    }

    /// Does a sighting say that a row was delivered before it can have been stored?
    fn is_early(&self, (home, first, ..): &HomeSighting) -> bool {
        let stored = match home {
            Home::Slab(sequence) => Some(*sequence),
            Home::Segment(number) => segment_of(self.manifest, *number).map(|file| file.first.0),
        };
        stored.is_some_and(|stored| *first < stored)
    }

    fn damage(&mut self, sequence: Sequence, what: &str, cause: Option<Error>) {
        let error = Error::corrupt(format!("commit {} {what}", sequence.0)).in_file(JOURNAL);
        self.damages.push(match cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        });
    }
}
