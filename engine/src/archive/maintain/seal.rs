//! Sealing: slabs become a segment, sightings and counters a ledger, refused copies a file.
//!
//! A *freeze* (under the writer's lock, short) starts a new journal file and sets aside what the
//! old ones hold. The segment is built without the lock. *Publishing* (under it again) writes the
//! sightings that arrived meanwhile once more with the rows' new places, then the manifest: from
//! then on the old journal files are not needed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tracing::debug_span;

use super::disposal::TRASH;
use crate::archive::Shared;
use crate::archive::accounts::book::{Book, Committed};
use crate::archive::accounts::late::Late;
use crate::archive::accounts::ledger::{self, Ledger};
use crate::archive::accounts::quarantine::{self, Outcasts};
use crate::archive::accounts::sightings;
use crate::archive::commit::committing::Writer;
use crate::archive::commit::record::{self, Home, HomeSighting};
use crate::archive::commit::slab::{RowRef, Slab};
use crate::archive::held::Held;
use crate::archive::state::{Live, State};
use crate::cache::Cache;
use crate::count::narrow;
use crate::error::{Error, Result};
use crate::format::multiset::Multiset;
use crate::format::names::{self, FileKind};
use crate::manifest::{self, Change, FileEntry};
use crate::segment::{self, Built, Effort, Samples, Segment, Source, Visit};
use crate::storage::{Storage, whole};
use crate::types::{RunId, Sequence};

/// The run of commits that only say where rows are now.
const NO_RUN: RunId = RunId(0);

/// What was set aside to be sealed.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// Commits up to this one.
    through: Sequence,
    /// The journal file that holds what came later.
    journal_from: u64,
    slabs: Vec<Arc<Slab>>,
}

impl Shared {
    /// Sets aside everything that is in the journal; nothing may be set aside already.
    pub(crate) fn freeze(&self, writer: &mut Writer) -> Result<()> {
        assert!(writer.frozen.is_none(), "one freeze at a time");
        let frozen = self.try_freeze(writer);
        if let Err(error) = &frozen {
            writer.stop(error);
        }
        frozen
    }

    fn try_freeze(&self, writer: &mut Writer) -> Result<()> {
        self.need_lock()?;
        let (state, nonce) = (self.state(), self.host.clock.random());
        let manifest = state.recorded();
        writer.journal = Arc::new(writer.journal.go_on(&*self.host.storage, nonce, manifest)?);
        writer.frozen = Some(Frozen {
            through: state.sequence,
            journal_from: writer.journal.number(),
            slabs: state.slabs.clone(),
        });
        writer.active_bytes = 0;
        Ok(())
    }

    /// Seals what is frozen, if something is. See [`Shared::seal_frozen_here`].
    pub(crate) fn seal_frozen(&self) -> Result<bool> {
        let _turn = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.writer()?;
        let Some(frozen) = &writer.frozen else { return Ok(false) };
        let (slabs, through) = (frozen.slabs.clone(), frozen.through);
        let journal_from = frozen.journal_from;
        let number = writer.next_file;
        writer.next_file += 3;
        drop(writer);
        let _span = debug_span!("seal", through = through.0, slabs = slabs.len()).entered();
        let sealed = self
            .build_sealed(number, &slabs)
            .and_then(|sealed| self.publish_sealed(sealed, through, journal_from));
        let mut writer = self
            .writer
            .as_ref()
            .map(|writer| writer.lock().unwrap_or_else(PoisonError::into_inner));
        if let (Err(error), Some(writer)) = (&sealed, writer.as_mut()) {
            writer.stop(error);
        }
        drop(writer);
        sealed.map(|()| true)
    }

    fn build_sealed(&self, number: u64, slabs: &[Arc<Slab>]) -> Result<Sealed> {
        let state = self.state();
        let mut order = Sorted::of(slabs);
        let arrived = sightings::arrived(&self.moves, slabs);
        order.add_sightings(&arrived);
        let mut files = Vec::new();
        let mut live = None;
        if !order.rows.is_empty() {
            let mut sample = |samples: &mut Samples| {
                order.documents().for_each(|document| samples.offer(document));
                1
            };
            let how = (order.rows.len() as u64, Effort::FRESH.text_level);
            let new = &mut || {
                let mut writer = self.writer()?;
                writer.next_file += 1;
                Ok(writer.next_file - 1)
            };
            let chosen = self.dictionary(&state, how, new, &mut sample)?;
            files.extend(chosen.file);
            let how = (Effort::FRESH, chosen.dictionary.as_ref());
            let built = segment::build(self.archive, number, how, &mut order)?;
            let entry = self.write_segment(&built, 0)?;
            live = Some(Arc::new(self.open_live(&entry, Late::default())?));
            files.push(entry);
        }
        let ranges = sightings::new_ranges(&state.segments, &arrived);
        let (mut book, mut ledger) = (Book::default(), None);
        for slab in slabs {
            book.absorb(slab.book.clone());
        }
        if !book.is_empty() || !ranges.is_empty() {
            let place = (self.archive, number + 1);
            let entry = ledger::write(&*self.host.storage, place, (&book, &ranges))?;
            ledger = Some(self.open_ledger(&entry)?);
            files.push(entry);
        }
        let refused = slabs.iter().flat_map(|slab| &slab.refused);
        if refused.clone().next().is_some() {
            let number = number + 2;
            files.push(quarantine::write(&*self.host.storage, (self.archive, number), refused)?);
        }
        let moves = order.moves(live.as_ref().map_or(0, |live| live.generation));
        Ok(Sealed { files, live, ledger, moves })
    }

    fn publish_sealed(&self, sealed: Sealed, through: Sequence, journal_from: u64) -> Result<()> {
        let mut writer = self.writer()?;
        for (generation, to) in sealed.moves {
            self.moves.record(generation, to);
        }
        if let Some(live) = &sealed.live {
            let _ = writer.homes.insert(live.generation, Home::Segment(live.entry.number));
        }
        let state = self.state();
        self.write_again(&mut writer, &state, through)?;
        let state = self.state();
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        change.sequence = through;
        change.journal_from = journal_from;
        let outcasts = self.open_outcasts(&sealed.files);
        change.added = sealed.files;
        let mut next = self.publish(&writer, &state, change)?;
        let gone: Vec<u32> = next
            .slabs
            .iter()
            .filter(|slab| slab.sequence <= through)
            .map(|slab| slab.generation)
            .collect();
        next.slabs.retain(|slab| slab.sequence > through);
        next.segments.extend(sealed.live);
        next.ledgers.extend(sealed.ledger);
        next.settle_ledgers();
        next.outcasts.extend(outcasts);
        writer.index.remove(&gone);
        writer.outcasts.iter_mut().for_each(|known| known.retain(|_, commit| *commit > through.0));
        writer.homes.retain(|generation, _| !gone.contains(generation));
        writer.frozen = None;
        writer.sealed = true;
        self.set_state(next);
        self.moves.give_back(&self.recall);
        self.drop_journals(&writer, journal_from)?;
        drop(writer);
        Ok(())
    }

    /// Writes the sightings of later commits once more, by the present places of their rows: the
    /// places they were written with are about to go.
    pub(crate) fn write_again(
        &self,
        writer: &mut Writer,
        state: &State,
        through: Sequence,
    ) -> Result<()> {
        let mut moved = Vec::new();
        let later = state.slabs.iter().filter(|slab| slab.sequence > through);
        for seen in later.flat_map(|slab| &slab.sightings) {
            let now = seen
                .pairs
                .iter()
                .map(|(row, custodian)| (*row, (self.moves.resolve(*row), *custodian)));
            let now = now.filter(|(row, (now, _))| row != now).map(|(_, pair)| pair);
            let pairs: Vec<(RowRef, u32)> = now.collect();
            writer.put_homes(seen.sequence, &pairs, &mut moved)?;
        }
        if !moved.is_empty() {
            self.write_moved(writer, &mut moved)?;
        }
        let last = self.state().sequence;
        if last > through { writer.journal.wait(last) } else { Ok(()) }
    }

    /// A commit of nobody's run: in memory the sightings stay where they are.
    fn write_moved(&self, writer: &mut Writer, moved: &mut Vec<HomeSighting>) -> Result<()> {
        let (sequence, run) = (Sequence(writer.next_sequence), NO_RUN);
        let mut book = Book::default();
        let payload = record::put((sequence, run), &book, (b"", &[]), &[], moved);
        self.need_lock()?;
        let chain = writer.journal.append(sequence, &payload)?;
        writer.next_sequence += 1;
        book.commits.push(Committed::new(sequence, run, chain));
        let slab = Arc::new(Slab {
            generation: self.moves.generation(),
            sequence,
            documents: Box::default(),
            rows: Box::default(),
            sightings: Vec::new(),
            refused: Vec::new(),
            book,
            holder: self.moves.holder(),
        });
        writer.remember(&slab);
        let mut state = (*self.state()).clone();
        state.sequence = sequence;
        state.slabs.push(slab);
        self.set_state(state);
        Ok(())
    }

    /// Makes the next manifest durable and records it in the journal; gives the state with it.
    ///
    /// The record is durable before the next manifest, and before anything is removed because of
    /// this one: so a newest manifest that goes missing is noticed.
    pub(crate) fn publish(
        &self,
        writer: &Writer,
        state: &State,
        mut change: Change,
    ) -> Result<State> {
        self.need_lock()?;
        writer.journal.settle_records()?;
        change.journal_to = writer.journal.number();
        let mut next = manifest::successor(&state.manifest, state.manifest_hash, change)?;
        next.bytes_written = self.bytes_written.load(Ordering::Relaxed);
        let mut state = state.clone();
        state.manifest_hash = manifest::store(&*self.host.storage, &next)?;
        state.manifest = Arc::new(next);
        writer.journal.record(state.recorded())?;
        let _ = manifest::prune(&*self.host.storage)?;
        Ok(state)
    }

    /// Has a manifest name the journal file of this opening, before the first commit is in it: so
    /// a newest journal file that goes missing is noticed.
    pub(crate) fn name_journal(&self, writer: &mut Writer) -> Result<()> {
        let state = self.state();
        if state.manifest.journal_to >= writer.first_journal {
            return Ok(());
        }
        let change = Change::none(&state.manifest, self.host.clock.now());
        match self.publish(writer, &state, change) {
            Ok(next) => self.set_state(next),
            Err(error) => {
                writer.stop(&error);
                return Err(writer.stopped.clone().unwrap_or(error));
            }
        }
        Ok(())
    }

    /// Drops journal files before the newest, once nothing is in them that is not sealed.
    pub(crate) fn forget_empty_journals(&self, writer: &Writer) -> Result<()> {
        let state = self.state();
        let newest = writer.journal.number();
        if !state.slabs.is_empty() || state.manifest.journal_from == newest {
            return Ok(());
        }
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        change.sequence = state.sequence;
        change.journal_from = newest;
        let next = self.publish(writer, &state, change)?;
        self.set_state(next);
        self.drop_journals(writer, newest)
    }

    fn drop_journals(&self, writer: &Writer, from: u64) -> Result<()> {
        writer.journal.settle_records()?;
        self.need_lock()?;
        let storage = &*self.host.storage;
        for number in crate::journal::numbers(storage)? {
            if number < from {
                whole::discard(storage, &names::journal(number))?;
            }
        }
        let sync = storage.sync_folder(names::JOURNAL);
        sync.map_err(|cause| Error::io("sync folder", names::JOURNAL, cause))
    }

    /// Writes a built segment under its name, durably.
    pub(crate) fn write_segment(&self, built: &Built, level: u8) -> Result<FileEntry> {
        self.need_lock()?;
        let entry = segment_entry(built, level);
        whole::write_new(&*self.host.storage, &entry.path(), &built.file)?;
        Ok(entry)
    }

    /// The quarantine files among some that a manifest names.
    pub(crate) fn open_outcasts(&self, files: &[FileEntry]) -> Vec<Arc<Outcasts>> {
        let files = files.iter().filter(|entry| entry.kind == FileKind::Quarantine);
        let open = |entry: &FileEntry| {
            let place = (entry, &*entry.path());
            Outcasts::open(&*self.host.storage, self.archive, place, &self.cache)
        };
        files.map(|entry| Arc::new(open(entry))).collect()
    }

    /// Opens a segment of the manifest; what is wrong with it waits for whoever asks.
    pub(crate) fn hold_live(&self, entry: &FileEntry, late: Late) -> Live {
        let cache = Arc::clone(&self.cache);
        let path = self.place_of(entry);
        let storage = &*self.host.storage;
        let file = Held::of(open_segment(storage, self.archive, (entry, &path), cache));
        let (generation, summary) = (self.moves.generation(), Arc::default());
        Live { generation, entry: entry.clone(), file, late, summary }
    }

    /// Where a file is. What an older manifest names, which stands in for a damaged one, may have
    /// gone to the trash since.
    pub(crate) fn place_of(&self, entry: &FileEntry) -> String {
        let storage = &*self.host.storage;
        if self.options.salvage && storage.open(&entry.path()).is_err() {
            let suffix = format!(".{}", entry.kind.name(entry.number));
            let files = storage.list(TRASH).unwrap_or_default();
            let kept = files.iter().find(|file| file.name.ends_with(&suffix));
            if let Some(kept) = kept {
                return format!("{TRASH}/{}", kept.name);
            }
        }
        entry.path()
    }

    /// Opens a segment that was written just now.
    pub(crate) fn open_live(&self, entry: &FileEntry, late: Late) -> Result<Live> {
        let live = self.hold_live(entry, late);
        live.segment().map(drop)?;
        Ok(live)
    }
}

/// A built segment as a manifest names it.
pub(crate) fn segment_entry(built: &Built, level: u8) -> FileEntry {
    let meta = &built.meta;
    let sequence = |ticks: i64| Sequence(ticks.cast_unsigned());
    FileEntry {
        kind: FileKind::Segment,
        number: meta.number,
        level,
        bytes: built.file.len() as u64,
        hash: *blake3::hash(&built.file).as_bytes(),
        rows: u64::from(meta.rows),
        multiset: Multiset(meta.multiset),
        first: sequence(meta.sequence.low),
        last: sequence(meta.sequence.high),
    }
}

/// Opens the segment that a manifest names, and no other one in its place.
pub(crate) fn open_segment(
    storage: &dyn Storage,
    archive: [u8; 16],
    (entry, path): (&FileEntry, &str),
    cache: Arc<Cache>,
) -> Result<Segment> {
    let opened = Segment::open(storage, archive, entry.number, path, cache);
    let opened = opened.and_then(|segment| {
        let meta = &segment.meta;
        let commits = [meta.sequence.low, meta.sequence.high].map(i64::cast_unsigned);
        let said = (u64::from(meta.rows), Multiset(meta.multiset), commits);
        if said == (entry.rows, entry.multiset, [entry.first.0, entry.last.0]) {
            return Ok(segment);
        }
        let message = "footer says another thing than the manifest";
        Err(Error::corrupt(message).in_file(segment.path()))
    });
    opened.map_err(|error| error.touching(entry.touched()))
}

/// Files that are written and not yet named by a manifest.
struct Sealed {
    files: Vec<FileEntry>,
    live: Option<Arc<Live>>,
    ledger: Option<Arc<Ledger>>,
    moves: Vec<(u32, Vec<RowRef>)>,
}

/// Rows of slabs in segment order.
struct Sorted<'a> {
    slabs: &'a [Arc<Slab>],
    /// (slab, row in it).
    rows: Vec<(u32, u32)>,
    /// (custodian, sequence) of each row in order; as long as `rows`.
    sightings: Vec<Vec<(u32, u64)>>,
}

impl<'a> Sorted<'a> {
    fn of(slabs: &'a [Arc<Slab>]) -> Self {
        let mut rows = Vec::new();
        for (number, slab) in slabs.iter().enumerate() {
            rows.extend((0..slab.rows.len()).map(|row| (narrow(number), narrow(row))));
        }
        let row = |at: &(u32, u32)| &slabs[at.0 as usize].rows[at.1 as usize];
        rows.sort_by(|a, b| row(a).order(row(b)));
        let sightings = rows.iter().map(|at| {
            let sequence = slabs[at.0 as usize].sequence.0;
            row(at).custodians.iter().map(|custodian| (*custodian, sequence)).collect()
        });
        let sightings = sightings.collect();
        Self { slabs, rows, sightings }
    }

    fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|(slab, row)| {
            let slab = &self.slabs[*slab as usize];
            slab.document(&slab.rows[*row as usize])
        })
    }

    /// Where the rows of each slab end up.
    fn moves(&self, generation: u32) -> Vec<(u32, Vec<RowRef>)> {
        let empty = RowRef { generation: 0, index: 0 };
        let mut moves: Vec<(u32, Vec<RowRef>)> =
            self.slabs.iter().map(|slab| (slab.generation, vec![empty; slab.rows.len()])).collect();
        for (index, (slab, row)) in self.rows.iter().enumerate() {
            let place = RowRef { generation, index: narrow(index) };
            moves[*slab as usize].1[*row as usize] = place;
        }
        moves
    }

    fn add_sightings(&mut self, arrived: &sightings::Arrived) {
        let mut places: BTreeMap<u32, usize> = BTreeMap::new();
        for (number, slab) in self.slabs.iter().enumerate() {
            let _ = places.insert(slab.generation, number);
        }
        let mut back: Vec<Vec<u32>> =
            self.slabs.iter().map(|slab| vec![0; slab.rows.len()]).collect();
        for (index, (slab, row)) in self.rows.iter().enumerate() {
            back[*slab as usize][*row as usize] = narrow(index);
        }
        for (generation, list) in arrived {
            let Some(slab) = places.get(generation) else { continue };
            for (custodian, row, sequence) in list {
                let index = back[*slab][*row as usize];
                self.sightings[index as usize].push((*custodian, *sequence));
            }
        }
        for list in &mut self.sightings {
            list.sort_unstable();
            list.dedup_by_key(|(custodian, _)| *custodian);
        }
    }
}

impl Source for Sorted<'_> {
    fn visit(&mut self, each: &mut Visit<'_>) -> Result<()> {
        for ((slab, row), sightings) in self.rows.iter().zip(&self.sightings) {
            let slab = &self.slabs[*slab as usize];
            each(&slab.new_row(&slab.rows[*row as usize], sightings))?;
        }
        Ok(())
    }
}
