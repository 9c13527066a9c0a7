//! Committing: what is new is told from what is there, written to the journal, acknowledged.
//!
//! Invariants: a copy is called a duplicate only of a row whose whole content address was
//! compared, or whose exact bytes have the fingerprint of a copy of it; numbers (sequences,
//! custodians, files) are given under the writer's lock and never twice.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use hashbrown::{HashMap, HashTable};

use super::batch::{Contents, Fresh, Rejected};
use super::lookup::{Found, Standing, twin};
use super::recall::Fingerprint;
use super::record::{self, Home, HomeSighting};
use super::slab::{Key, RowRef, Seen, Slab, SlabRow};
use crate::archive::accounts::book::{Book, Committed, Counts, Link, Names, Run};
use crate::archive::accounts::known::Known;
use crate::archive::accounts::quarantine::{self, Kept, Refused};
use crate::archive::state::{Live, State};
use crate::archive::{CommitReport, Shared};
use crate::count::narrow;
use crate::error::{Error, ErrorKind, Result};
use crate::format::limits::{self, decoded, list};
use crate::journal::Journal;
use crate::row::{Canonical, Limits, Parser, Shape};
use crate::segment::RowReader;
use crate::types::{ContentAddress, Custodian, RunId, Sequence};

type Fast = foldhash::fast::RandomState;

/// More custodians or runs than this have no place in one ledger.
const LOST_NUMBERS: u32 = 1 << 22;

/// What only the holder of the writer's lock may change.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) journal: Arc<Journal>,
    pub(crate) next_sequence: u64,
    pub(crate) next_file: u64,
    /// Outputs of merges that no manifest names yet: they are in nobody's way.
    pub(crate) outputs: BTreeSet<u64>,
    /// The journal file that this opening began with.
    pub(crate) first_journal: u64,
    pub(crate) names: Names,
    /// Runs that no commit has written down yet.
    pub(crate) new_runs: HashMap<u32, Run, Fast>,
    /// `None` once the last number was given.
    next_run: Option<u32>,
    /// What is in quarantine by its address; `None` until something is refused.
    pub(crate) outcasts: Option<HashMap<ContentAddress, u64, Fast>>,
    pub(crate) active_bytes: usize,
    pub(crate) frozen: Option<crate::archive::maintain::seal::Frozen>,
    /// Something was sealed in this process.
    pub(crate) sealed: bool,
    /// Rows of slabs by their message.
    pub(crate) index: Index,
    pub(crate) homes: HashMap<u32, Home, Fast>,
    /// `close` has begun: nothing more is taken, what is there is sealed.
    pub(crate) closing: bool,
    pub(crate) stopped: Option<Error>,
}

/// Rows of slabs by the hash of their message key.
#[derive(Debug, Default)]
pub(crate) struct Index {
    table: HashTable<(u64, RowRef)>,
    slabs: HashMap<u32, Arc<Slab>, Fast>,
    hasher: Fast,
}

impl Index {
    fn hash(&self, key: &Key<'_>) -> u64 {
        use std::hash::BuildHasher;
        self.hasher.hash_one(key)
    }

    pub(crate) fn add(&mut self, slab: &Arc<Slab>) {
        for (index, row) in slab.rows.iter().enumerate() {
            let hash = self.hash(&row.key());
            let place = RowRef { generation: slab.generation, index: narrow(index) };
            let _ = self.table.insert_unique(hash, (hash, place), |entry| entry.0);
        }
        drop(self.slabs.insert(slab.generation, Arc::clone(slab)));
    }

    /// Forgets slabs that are segments now.
    pub(crate) fn remove(&mut self, generations: &[u32]) {
        self.table.retain(|(_, row)| !generations.contains(&row.generation));
        self.slabs.retain(|generation, _| !generations.contains(generation));
    }

    pub(crate) fn find(&self, key: &Key<'_>) -> Vec<(RowRef, &SlabRow)> {
        let hash = self.hash(key);
        let places = self.table.iter_hash(hash).filter(|(there, _)| *there == hash);
        let rows = places.filter_map(|(_, place)| {
            let slab = self.slabs.get(&place.generation)?;
            Some((*place, slab.rows.get(place.index as usize)?))
        });
        rows.filter(|(_, row)| row.is_of(key)).collect()
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the archive was closed: open it again")
}

impl Writer {
    pub(crate) fn new(journal: Journal, next_file: u64, known: &Known) -> Self {
        let next_run = known.last_run().map_or(Some(1), |last| last.checked_add(1));
        Self {
            next_sequence: journal.base().0.saturating_add(1),
            first_journal: journal.number(),
            journal: Arc::new(journal),
            next_file,
            outputs: BTreeSet::new(),
            names: Names::of(known),
            new_runs: HashMap::default(),
            next_run,
            outcasts: None,
            active_bytes: 0,
            frozen: None,
            sealed: false,
            index: Index::default(),
            homes: HashMap::default(),
            closing: false,
            stopped: None,
        }
    }

    /// A ledger that cannot be read may have given numbers which nothing else knows.
    pub(crate) fn leave_numbers(&mut self) {
        self.names.skip(LOST_NUMBERS);
        self.next_run = self.next_run.and_then(|next| next.checked_add(LOST_NUMBERS));
    }

    /// Remembers why nothing can be written any more.
    pub(crate) fn stop(&mut self, error: &Error) {
        if planted!("go on after a failed sync") {
            return;
        }
        let _ = self.stopped.get_or_insert_with(|| {
            Error::new(ErrorKind::Stopped, "an earlier write or sync failed")
                .caused_by(error.clone())
        });
    }

    /// From now on everything is `Closed`, unless it is stopped already.
    pub(crate) fn close(&mut self) {
        let _ = self.stopped.get_or_insert_with(closed);
    }

    /// Sightings by the durable names of their rows.
    pub(crate) fn put_homes(
        &self,
        first: u64,
        pairs: &[(RowRef, u32)],
        out: &mut Vec<HomeSighting>,
    ) -> Result<()> {
        for (row, custodian) in pairs {
            let home = self.homes.get(&row.generation).copied();
            let home = home.ok_or_else(|| Error::corrupt("sighting of a row that is nowhere"))?;
            out.push((home, first, row.index, *custodian));
        }
        Ok(())
    }

    /// Puts a slab where later commits find it.
    pub(crate) fn remember(&mut self, slab: &Arc<Slab>) {
        self.index.add(slab);
        let _ = self.homes.insert(slab.generation, Home::Slab(slab.sequence.0));
        self.active_bytes += slab.bytes();
    }
}

impl Shared {
    pub(crate) fn begin_run(&self, label: &str) -> Result<RunId> {
        let mut writer = self.taking()?;
        let spent = || Error::invalid("no number is left for another run: begin a new archive");
        let number = writer.next_run.filter(|run| *run <= limits::RUN).ok_or_else(spent)?;
        writer.next_run = number.checked_add(1);
        let run = Run { label: label.to_owned(), started: self.host.clock.now() };
        drop(writer.new_runs.insert(number, run));
        Ok(RunId(number))
    }

    pub(crate) fn commit(self: &Arc<Self>, run: RunId, contents: Contents) -> Result<CommitReport> {
        contents.custodians.iter().try_for_each(Custodian::check)?;
        let bytes = contents.payload_bytes();
        if bytes > decoded::FRAME {
            let message = format!("a commit of {bytes} bytes is over {}", decoded::FRAME);
            return Err(Error::invalid(format!("{message}: commit smaller batches")));
        }
        let mut writer = self.room(bytes)?;
        check_numbers(&writer, contents.custodians.len())?;
        let linked = contents.links.iter().map(|(.., object)| object);
        self.seal_linked(&mut writer, linked)?;
        self.name_journal(&mut writer)?;
        if !contents.fresh.is_empty() {
            self.summarize(&self.state());
        }
        let mut committing = Committing {
            shared: self,
            state: self.state(),
            writer,
            compare: Compare::default(),
            known: contents.known,
        };
        let prepared = Prepared {
            custodians: contents.custodians,
            counts: contents.counts,
            documents: contents.documents,
            links: contents.links,
            checkpoints: contents.checkpoints,
        };
        let (report, journal) = committing.run(run, prepared, contents.fresh, contents.rejected)?;
        drop(committing);
        if let Err(error) = journal.wait(report.sequence) {
            if let Some(writer) = &self.writer {
                writer.lock().unwrap_or_else(PoisonError::into_inner).stop(&error);
            }
            return Err(error);
        }
        Ok(report)
    }

    /// The writer, with room for a commit of so many bytes: waits for the seal that makes it, or does
    /// that itself.
    fn room(self: &Arc<Self>, bytes: usize) -> Result<MutexGuard<'_, Writer>> {
        let mut writer = self.taking()?;
        // The other half is what is being sealed.
        let is_full = |active: usize| {
            active >= self.options.memtable_bytes.div_ceil(2)
                || (active > 0 && active.saturating_add(bytes) > decoded::FRAME)
        };
        while is_full(writer.active_bytes) {
            if writer.frozen.is_none() {
                self.freeze(&mut writer)?;
                self.seal_in_background();
                break;
            }
            drop(writer);
            self.seal_frozen_here();
            writer = self.taking()?;
        }
        Ok(writer)
    }
}

/// Are there numbers for another commit and so many custodians? A hostile file can use them up.
fn check_numbers(writer: &Writer, custodians: usize) -> Result<()> {
    let limit = list::CUSTODIANS.items;
    if custodians > limit {
        return Err(Error::invalid(format!("a commit has at most {limit} custodians")));
    }
    if writer.names.free(custodians) > limits::CUSTODIAN {
        return Err(Error::invalid("the archive has no number for another custodian"));
    }
    if writer.next_sequence > limits::SEQUENCE {
        return Err(Error::invalid("the archive has no number for another commit"));
    }
    Ok(())
}

/// What of a batch goes into the commit as it is.
struct Prepared {
    custodians: Vec<Custodian>,
    counts: Vec<Counts>,
    documents: Vec<u8>,
    links: Vec<(crate::types::MessageKey, String, ContentAddress)>,
    checkpoints: Vec<(String, Vec<u8>)>,
}

pub(crate) struct Committing<'s> {
    pub(crate) shared: &'s Shared,
    pub(crate) state: Arc<State>,
    pub(crate) writer: MutexGuard<'s, Writer>,
    pub(crate) compare: Compare,
    /// (row, custodian index) of copies that are rows already.
    known: Vec<(RowRef, u32)>,
}

impl Committing<'_> {
    fn run(
        &mut self,
        run: RunId,
        mut batch: Prepared,
        fresh: Vec<Fresh>,
        rejected: Vec<Rejected>,
    ) -> Result<(CommitReport, Arc<Journal>)> {
        let sequence = Sequence(self.writer.next_sequence);
        let mut book = Book::default();
        if let Some(started) = self.writer.new_runs.get(&run.0) {
            drop(book.runs.insert(run.0, started.clone()));
        }
        let names = batch.custodians.iter();
        let numbers: Vec<u32> =
            names.map(|name| self.number(name, &mut book)).collect::<Result<_>>()?;
        for (_, custodian) in &self.known {
            batch.counts[*custodian as usize].duplicates += 1;
        }
        let mut new = self.sort_out((run, fresh), &mut batch, &numbers)?;
        new.sort_by(|a, b| a.0.order(&b.0));
        let (rows, prints): (Vec<SlabRow>, Vec<Vec<Fingerprint>>) = new.into_iter().unzip();
        let mut sightings = std::mem::take(&mut self.known);
        for (_, place) in &mut sightings {
            *place = numbers[*place as usize];
        }
        self.shared.moves.resolve_all(&mut sightings);
        let report = report(sequence, &batch, &rows);
        for (name, counts) in numbers.iter().zip(&batch.counts) {
            *book.counts.entry((run.0, *name)).or_default() += *counts;
        }
        book.checkpoints.extend(batch.checkpoints);
        for (key, attachment, object) in batch.links {
            let link = Link { attachment, object, sequence: sequence.0 };
            book.links.entry(key).or_default().push(link);
        }
        let refused = self.refuse(rejected, &numbers, (run, sequence))?;
        let generation = self.shared.moves.generation();
        // They stay until they are sealed: without the room that they grew into.
        let (documents, rows) = (batch.documents.into_boxed_slice(), rows.into_boxed_slice());
        let seen = Seen { sequence: sequence.0, pairs: sightings };
        let sightings = if seen.pairs.is_empty() { Vec::new() } else { vec![seen] };
        let holder = self.shared.moves.holder();
        let slab = Slab { generation, sequence, documents, rows, sightings, refused, book, holder };
        self.write(run, slab, &prints)?;
        Ok((report, Arc::clone(&self.writer.journal)))
    }

    /// The number of a custodian; a new one has it once the book is in the journal.
    fn number(&mut self, name: &Custodian, book: &mut Book) -> Result<u32> {
        let known = self.writer.names.get(name, &self.state)?;
        Ok(known.unwrap_or_else(|| {
            let number = self.writer.names.free(book.custodians.len());
            drop(book.custodians.insert(number, name.clone()));
            number
        }))
    }

    /// What is written of refused copies: their bytes if they are not in quarantine already.
    fn refuse(
        &mut self,
        rejected: Vec<Rejected>,
        numbers: &[u32],
        (run, sequence): (RunId, Sequence),
    ) -> Result<Vec<Refused>> {
        let mut refused = Vec::new();
        if rejected.is_empty() {
            return Ok(refused);
        }
        if self.writer.outcasts.is_none() {
            let slabs = self.state.slabs.iter().flat_map(|slab| kept_in(slab));
            self.writer.outcasts = Some(slabs.collect());
        }
        for mut rejected in rejected {
            let known = self.writer.outcasts.as_ref();
            let is_new = known.is_some_and(|known| !known.contains_key(&rejected.address))
                && !quarantine::is_kept(&self.state.outcasts, &rejected.address)?;
            if planted!("drop counts of refused copies") && !is_new {
                continue;
            }
            for (custodian, copies) in std::mem::take(&mut rejected.copies) {
                let kept = (is_new && custodian == rejected.first).then(|| Kept {
                    sequence: sequence.0,
                    reason: std::mem::take(&mut rejected.reason),
                    source: std::mem::take(&mut rejected.source),
                    offset: rejected.offset,
                    length: rejected.bytes.len() as u64,
                });
                let bytes = kept.as_ref().map(|_| std::mem::take(&mut rejected.bytes));
                refused.push(Refused {
                    address: rejected.address,
                    custodian: numbers[custodian as usize],
                    run: run.0,
                    copies,
                    kept,
                    bytes: bytes.unwrap_or_default(),
                });
            }
        }
        Ok(refused)
    }

    /// From now on copies with these fingerprints are known to be this row.
    fn recall(&self, prints: &[Fingerprint], row: RowRef) {
        for print in prints {
            self.shared.recall.insert(*print, || row);
        }
    }

    /// Tells new rows from copies of rows that are there; counts both.
    fn sort_out(
        &mut self,
        (run, fresh): (RunId, Vec<Fresh>),
        batch: &mut Prepared,
        numbers: &[u32],
    ) -> Result<Vec<(SlabRow, Vec<Fingerprint>)>> {
        let mut new: Vec<(SlabRow, Vec<Fingerprint>)> = Vec::with_capacity(fresh.len());
        let mut keys: HashTable<(u64, u32)> = HashTable::new();
        for Fresh { mut row, prints, copies } in fresh {
            let hash = self.writer.index.hash(&row.key());
            let same = keys.iter_hash(hash).filter(|(there, _)| *there == hash);
            let mut same: Vec<u32> = same.map(|(_, at)| *at).collect();
            same.retain(|at| new[*at as usize].0.is_of(&row.key()));
            if let Some(twin) = twin(&row, &same, &new) {
                let (there, _) = &mut new[twin as usize];
                there.custodians.extend(copies.iter().map(|copy| numbers[*copy as usize]));
                there.custodians.sort_unstable();
                there.custodians.dedup();
                for copy in copies {
                    batch.counts[copy as usize].duplicates += 1;
                }
                continue;
            }
            let newest = same.iter().map(|at| new[*at as usize].0.version).max();
            let document = batch.documents.get(row.document.clone()).unwrap_or_default();
            let mut found = if row.stamped {
                self.look_up_stamped((&mut row, document), (run, newest))?
            } else {
                self.look_up(&row, document)?
            };
            if let Found::New(standing) = &mut found {
                standing.sibling |= !same.is_empty();
                standing.variant |=
                    same.iter().any(|at| new[*at as usize].0.version == row.version);
            }
            match found {
                Found::Duplicate(place) => {
                    self.recall(&prints, place);
                    for custodian in copies {
                        batch.counts[custodian as usize].duplicates += 1;
                        self.known.push((place, custodian));
                    }
                }
                Found::New(Standing { sibling, variant, beside }) => {
                    // Whoever can read the other row one day must know that there are two, and where
                    // the second one is counted.
                    (row.sibling, row.beside) = (sibling || beside, beside);
                    let lowest = (0..copies.len()).min_by_key(|at| numbers[copies[*at] as usize]);
                    let stored = lowest.filter(|_| beside).unwrap_or(0);
                    for (at, copy) in copies.iter().enumerate() {
                        let counts = &mut batch.counts[*copy as usize];
                        *(match (at == stored, variant && !beside) {
                            (true, true) => &mut counts.variants,
                            (true, false) => &mut counts.stored,
                            (false, _) => &mut counts.duplicates,
                        }) += 1;
                    }
                    row.custodians = copies.iter().map(|copy| numbers[*copy as usize]).collect();
                    row.custodians.sort_unstable();
                    row.custodians.dedup();
                    let _ = keys.insert_unique(hash, (hash, narrow(new.len())), |entry| entry.0);
                    new.push((row, prints));
                }
            }
        }
        Ok(new)
    }

    /// Writes the commit to the journal; from here on others see it.
    fn write(&mut self, run: RunId, mut slab: Slab, prints: &[Vec<Fingerprint>]) -> Result<()> {
        let writer = &mut *self.writer;
        let mut sightings = Vec::new();
        for seen in &slab.sightings {
            writer.put_homes(seen.sequence, &seen.pairs, &mut sightings)?;
        }
        let rows = (&slab.documents[..], &slab.rows[..]);
        let stamp = (slab.sequence, run);
        let payload = record::put(stamp, &slab.book, rows, &slab.refused, &mut sightings);
        let held = self.shared.need_lock();
        let chain = match held.and_then(|()| writer.journal.append(slab.sequence, &payload)) {
            Ok(chain) => chain,
            Err(error) => {
                writer.stop(&error);
                return Err(error);
            }
        };
        slab.book.commits.push(Committed::new(slab.sequence, run, chain));
        writer.next_sequence += 1;
        drop(writer.new_runs.remove(&run.0));
        writer.names.learn(&slab.book);
        writer.outcasts.iter_mut().for_each(|known| known.extend(kept_in(&slab)));
        let slab = Arc::new(slab);
        writer.remember(&slab);
        for (index, prints) in prints.iter().enumerate() {
            let row = RowRef { generation: slab.generation, index: narrow(index) };
            self.recall(prints, row);
        }
        let mut state = (*self.state).clone();
        state.sequence = slab.sequence;
        state.slabs.push(slab);
        self.shared.set_state(state);
        Ok(())
    }
}

/// Addresses of refused copies whose bytes a commit keeps, and the commit.
fn kept_in(slab: &Slab) -> impl Iterator<Item = (ContentAddress, u64)> {
    let kept = slab.refused.iter().filter(|refused| refused.kept.is_some());
    kept.map(|refused| (refused.address, slab.sequence.0))
}

fn report(sequence: Sequence, batch: &Prepared, rows: &[SlabRow]) -> CommitReport {
    let stored_beside = rows.iter().filter(|row| row.beside).count() as u64;
    let mut report = CommitReport { sequence, stored_beside, ..CommitReport::default() };
    for (name, counts) in batch.custodians.iter().zip(&batch.counts) {
        report.counts += *counts;
        *report.by_custodian.entry(name.clone()).or_default() += *counts;
    }
    assert!(report.counts.balance(), "every copy offered is accounted for");
    report
}

/// Recomputes content addresses of rows in segments.
#[derive(Debug, Default)]
pub(crate) struct Compare {
    parser: Parser,
    shape: Shape,
    canonical: Canonical,
    document: Vec<u8>,
    reader: Option<(u32, RowReader)>,
}

impl Compare {
    /// The content address of a row, and the length of its canonical form.
    pub(crate) fn row(&mut self, live: &Live, row: u32) -> Result<(ContentAddress, usize)> {
        self.render(live, row)?;
        let document = std::mem::take(&mut self.document);
        let found = self.document(&document);
        self.document = document;
        found.map_err(|error| error.in_file(live.entry.path()))
    }

    /// Is a document with this content address a copy of a row? Mostly it has the row's bytes.
    pub(crate) fn is_copy(
        &mut self,
        (live, row): (&Live, u32),
        document: &[u8],
        address: &ContentAddress,
    ) -> Result<bool> {
        Ok(self.has_bytes((live, row), document)? || self.address(live, row)? == *address)
    }

    /// Are these the bytes of a row?
    pub(crate) fn has_bytes(&mut self, (live, row): (&Live, u32), bytes: &[u8]) -> Result<bool> {
        self.render(live, row)?;
        Ok(self.document == bytes)
    }

    fn render(&mut self, live: &Live, row: u32) -> Result<()> {
        let reader = match self.reader.take() {
            Some((generation, reader)) if generation == live.generation => reader,
            _ => RowReader::new(Arc::clone(live.segment()?))?,
        };
        let (_, reader) = self.reader.insert((live.generation, reader));
        self.document.clear();
        reader.render(row, &mut self.document)
    }

    pub(crate) fn address(&mut self, live: &Live, row: u32) -> Result<ContentAddress> {
        self.row(live, row).map(|(address, _)| address)
    }

    /// The content address of a stored document, and the length of its canonical form.
    pub(crate) fn document(&mut self, document: &[u8]) -> Result<(ContentAddress, usize)> {
        self.parser.relax();
        let limits = Limits::of(usize::MAX);
        self.parser
            .parse(document, limits, &mut self.shape)
            .map_err(|reason| Error::corrupt(format!("stored row is no document: {reason}")))?;
        Ok(self.canonical.address(&self.parser.templates, document, &self.shape))
    }
}
