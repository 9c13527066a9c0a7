//! What ledgers, quarantine files and the journal say, put together from the files, and the law:
//! `offered = stored + variants + duplicates + quarantined`, for every run and custodian, with as
//! many rows and quarantined copies as are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::accounts::book::{Book, Counts};
use super::super::accounts::ledger::{Ledger, List, place_key, read_counts};
use super::super::accounts::quarantine::{self, Outcasts, Refused};
use super::super::commit::committing::Compare;
use super::super::commit::record::{self, Commit, Home, HomeSighting};
use super::super::commit::slab::SlabRow;
use super::super::held::Missing;
use super::super::maintain::folded::{CopiesMoved, Folded};
use super::super::repair::repaired::Repaired;
use super::super::report::Depth;
use super::arrivals::Arrivals;
use super::{Findings, rows};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::format::names::{self, JOURNAL};
use crate::journal::{self, DroppedTail, Recovery, Wanted};
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::row::Parser;
use crate::storage::Storage;
use crate::table::ordered32;
use crate::types::{ContentAddress, Sequence};

/// For what is looked up in ledgers.
const CACHE_BYTES: usize = 8 << 20;
/// A reader beside a busy writer sees another end of the journal at every look; damage stays.
const MAX_READS: usize = 8;

/// The sums of everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// What the journal adds.
    pub(super) book: Book,
    pub(super) ledgers: Vec<Arc<Ledger>>,
    pub(super) findings: Findings,
    /// Files of the journal, and bytes of them.
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) journal_rows: u64,
    /// Rows of the journal that were stored beside one that could not be read.
    pub(super) stored_beside: u64,
    /// Rows that were folded, and the copies that moved with them.
    pub(super) folded: u64,
    pub(super) moved: CopiesMoved,
    /// All counters together, and whose they are.
    pub(super) total: Counts,
    pub(super) custodians: BTreeSet<u32>,
    /// What of the law is broken.
    broken: Vec<String>,
    pub(super) dropped_tail: Option<DroppedTail>,
    /// Refused copies by run and custodian.
    refused: BTreeMap<(u32, u32), u64>,
    /// Quarantine files, and what the journal adds: is its content kept?
    outcasts: Vec<Arc<Outcasts>>,
    added: BTreeMap<ContentAddress, bool>,
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
        let cache = Arc::new(Cache::new(CACHE_BYTES));
        for entry in manifest.files.iter().filter(|entry| entry.kind == FileKind::Ledger) {
            let place = (manifest.archive, entry.number);
            match Ledger::open(storage, place, &entry.path(), &cache) {
                Ok(ledger) => accounts.ledgers.push(Arc::new(ledger)),
                Err(error) => accounts.miss(&error),
            }
        }
        accounts.arrivals = Arc::new(Arrivals::of(&accounts.ledgers));
        let wanted = Wanted::behind(manifest, hash, false);
        accounts.take_journal(storage, (manifest, wanted), acknowledged, depth);
        for ledger in accounts.ledgers.clone() {
            accounts.incomplete |= !accounts.take_ledger(&ledger, manifest);
        }
        for entry in manifest.files.iter().filter(|entry| entry.kind == FileKind::Quarantine) {
            if let Err(error) = accounts.take_quarantine(storage, manifest, entry) {
                accounts.miss(&error);
            }
        }
        accounts.take_folds(manifest);
        accounts.take_counters(manifest);
        let incomplete = accounts.incomplete || !Repaired::of(manifest).is_empty();
        accounts.arrivals().incomplete = incomplete;
        accounts
    }

    /// Something of the sums cannot be read.
    fn miss(&mut self, error: &Error) {
        self.incomplete = true;
        self.findings.add(error);
    }

    /// Nobody else has it while it is filled.
    pub(super) fn arrivals(&mut self) -> &mut Arrivals {
        Arc::make_mut(&mut self.arrivals)
    }

    fn take_quarantine(
        &mut self,
        storage: &dyn Storage,
        manifest: &Manifest,
        entry: &FileEntry,
    ) -> Result<()> {
        let path = entry.path();
        let cache = Arc::new(Cache::new(CACHE_BYTES));
        let file = Outcasts::open(storage, manifest.archive, (entry, &path), &cache);
        let (copies, multiset) = quarantine::read_through(&file, &mut |copies| {
            self.name(std::iter::once(copies.custodian), &path);
            *self.refused.entry((copies.run, copies.custodian)).or_default() += copies.count;
        })?;
        self.outcasts.push(Arc::new(file));
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
            self.folded = self.folded.saturating_add(folded.rows);
            for (place, copies) in folded.moved {
                let moved = self.moved.entry(place).or_default();
                *moved = moved.saturating_add(copies);
            }
        }
        for (counted, copies) in self.moved.clone() {
            let mut stored = self.book.counts.get(&counted).map_or(0, |counts| counts.stored);
            for ledger in self.ledgers.clone() {
                match ledger.find(List::Counters, &place_key(counted), read_counts) {
                    Ok(found) => stored += found.map_or(0, |(_, counts)| counts.stored),
                    Err(error) => self.miss(&error),
                }
            }
            let left = copies.saturating_sub(stored);
            if left > 0 && !self.incomplete {
                let (run, custodian) = counted;
                let message = format!(
                    "a fold moves {left} copies of run {run} and custodian {custodian} that are \
                     not counted as stored"
                );
                self.findings.add(&Error::corrupt(message).in_file(&*place));
            }
        }
    }

    /// Sums the counters, and checks the law for each run and custodian.
    fn take_counters(&mut self, manifest: &Manifest) {
        let lost = Repaired::of(manifest);
        let mut there = self.refused.clone();
        for (place, copies) in lost.iter().flat_map(|repaired| &repaired.quarantined_lost) {
            *there.entry(*place).or_default() += copies;
        }
        let (mut broken, mut quarantines) = (Vec::new(), Vec::new());
        let (mut total, mut custodians) = (Counts::default(), BTreeSet::new());
        let wrong = |(run, custodian): (u32, u32), counted: u64, there: u64| {
            format!(
                "{counted} copies of run {run} and custodian {custodian} were quarantined, \
                 {there} are there"
            )
        };
        let read = self.counters(&mut |place, counts| {
            if !counts.balance() {
                let (run, custodian) = place;
                broken.push(format!(
                    "counters of run {run} and custodian {custodian} do not balance: {counts:?}"
                ));
            }
            let there = there.remove(&place).unwrap_or(0);
            if counts.quarantined != there {
                quarantines.push(wrong(place, counts.quarantined, there));
            }
            total += counts;
            let _ = custodians.insert(place.1);
        });
        if let Err(error) = read {
            self.miss(&error);
        }
        let there = there.into_iter().filter(|(_, copies)| *copies > 0);
        quarantines.extend(there.map(|(place, there)| wrong(place, 0, there)));
        if !self.incomplete {
            broken.extend(self.broken_rows(total, rows(manifest), &lost));
            broken.extend(quarantines);
        }
        (self.total, self.custodians, self.broken) = (total, custodians, broken);
    }

    /// What a repair lost stays counted as stored.
    fn broken_rows(&self, total: Counts, segment_rows: u64, lost: &[Repaired]) -> Vec<String> {
        let lost_rows: u64 = lost.iter().map(|repaired| repaired.rows_lost).sum();
        let there = segment_rows + self.journal_rows + lost_rows;
        let (counted, mut broken) = (total.stored.saturating_add(total.variants), Vec::new());
        if !total.balance() {
            broken.push(format!("counters do not balance: {total:?}"));
        }
        if counted != there {
            broken.push(format!(
                "{counted} versions and variants were stored, {there} rows are there"
            ));
        }
        broken
    }

    fn take_refused(&mut self, refused: &Refused, path: &str) {
        self.name(std::iter::once(refused.custodian), path);
        *self.refused.entry((refused.run, refused.custodian)).or_default() += refused.copies;
        *self.added.entry(refused.address).or_default() |= refused.kept.is_some();
    }

    /// Something is about these custodians.
    pub(super) fn name(&mut self, custodians: impl Iterator<Item = u32>, path: &str) {
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

    pub(super) fn knows(&self, custodian: u32) -> bool {
        // With a ledger that cannot be read, nobody can be called unknown.
        let named = |ledger: &Arc<Ledger>| {
            let found = ledger.table.get(List::Custodians as u8, &ordered32(custodian));
            // What cannot be read is told by who reads it all.
            found.map_or(true, |item| item.is_some())
        };
        self.incomplete
            || self.book.custodians.contains_key(&custodian)
            || self.ledgers.iter().any(named)
    }

    /// The law, and that every custodian has a name.
    pub(super) fn check(&self, manifest: &Manifest, findings: &mut Findings) {
        let place = names::manifest(manifest.number);
        let records = [Repaired::check(manifest), Folded::check(manifest)];
        records.into_iter().filter_map(Result::err).for_each(|error| findings.add(&error));
        let lost = Repaired::of(manifest);
        for message in &self.broken {
            findings.add(&Error::corrupt(&**message).in_file(&*place));
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
        // What a repair lost is counted there.
        let accounted = lost.iter().any(|repaired| !repaired.quarantined_lost.is_empty());
        if !accounted && !self.incomplete {
            let unkept = |address: ContentAddress, file: &str| {
                let message = format!("counts copies of {address}, whose bytes nothing keeps");
                Error::corrupt(message).in_file(file)
            };
            let is_kept = |address: &ContentAddress| {
                let kept = quarantine::is_kept(&self.outcasts, address);
                self.added.get(address) == Some(&true) || kept.unwrap_or(true)
            };
            for file in &self.outcasts {
                let (mut found, mut before) = (Vec::new(), None);
                drop(file.copies(&Missing::default(), &mut |copies| {
                    let is_next = before.replace(copies.address) != Some(copies.address);
                    let unkept = is_next && copies.kept == 0 && !is_kept(&copies.address);
                    found.extend(unkept.then_some(copies.address));
                }));
                let path = file.entry.path();
                for address in found {
                    findings.add(&unkept(address, &path));
                }
            }
            let added = self.added.keys().filter(|address| !is_kept(address));
            added.for_each(|address| findings.add(&unkept(*address, JOURNAL)));
        }
    }
}

pub(super) fn segment_of(manifest: &Manifest, number: u64) -> Option<&FileEntry> {
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
