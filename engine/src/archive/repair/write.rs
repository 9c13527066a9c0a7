//! Writing the new archive down: whole files under the new id, what is left of damaged segments
//! anew, then the journal, the manifest, and `FORMAT` last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chatvault_base::{OnProgress, Progress, Unit};

use super::repaired::Repaired;
use super::{RepairReport, Spare};
use crate::archive::accounts::book::{Book, Counts, Run, SegmentRanges};
use crate::archive::accounts::known::{self, Known, lost_name};
use crate::archive::accounts::late::read_blocks;
use crate::archive::accounts::ledger::{self, Ledger, List, place_key, read_counts};
use crate::archive::accounts::quarantine::Copies;
use crate::archive::commit::put_object;
use crate::archive::commit::record::{self, Home, HomeSighting};
use crate::archive::commit::slab::{RowRef, Seen};
use crate::archive::maintain::dictionaries;
use crate::archive::maintain::folded::CopiesMoved;
use crate::archive::maintain::merge::{Cuts, Merge};
use crate::archive::maintain::seal::segment_entry;
use crate::archive::maintain::sum_up::Sum;
use crate::archive::open;
use crate::archive::{Live, Shared, State};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::manifest::{FileEntry, FileKind, Manifest};
use crate::objects::{Pack, PackWriter};
use crate::options::Host;
use crate::segment::{self, Dictionary, Effort};
use crate::storage::whole;
use crate::types::{ContentAddress, RunId, Sequence};

/// Where the archive's id stands in segments, ledgers and quarantines.
const ID: std::ops::Range<usize> = 8..24;

pub(super) struct Writing<'a> {
    source: &'a Shared,
    state: Arc<State>,
    target: &'a Host,
    archive: [u8; 16],
    next_file: u64,
    files: Vec<FileEntry>,
    /// Where the rows of the segments are now.
    homes: BTreeMap<u32, Moved>,
    /// Dictionaries that nothing is left of.
    lost_dictionaries: BTreeSet<u64>,
    /// Rows of damaged segments that are gone.
    lost_rows: u64,
    lost_objects: Vec<(Error, u64)>,
    objects: BTreeSet<ContentAddress>,
    report: RepairReport,
}

/// What became of a segment's rows.
enum Moved {
    /// They are where they were.
    Kept(u64),
    /// By row: the file and the row there; `None` is gone.
    Anew(Vec<Option<(u64, u32)>>),
}

impl<'a> Writing<'a> {
    pub(super) fn new(source: &'a Shared, target: &'a Host) -> Self {
        let state = source.state();
        Self {
            source,
            target,
            archive: target.clock.random(),
            next_file: state.manifest.next_file,
            state,
            files: Vec::new(),
            homes: BTreeMap::new(),
            lost_dictionaries: BTreeSet::new(),
            lost_rows: 0,
            lost_objects: Vec::new(),
            objects: BTreeSet::new(),
            report: RepairReport::default(),
        }
    }

    /// Writes everything; false if it was asked to stop.
    pub(super) fn run(&mut self, spares: &[Spare], progress: OnProgress<'_>) -> Result<bool> {
        let state = Arc::clone(&self.state);
        let total: u64 = state.segments.iter().map(|live| live.entry.rows).sum();
        let mut done = 0;
        for entry in &state.manifest.files {
            if entry.kind == FileKind::Dictionary {
                self.take_dictionary(entry)?;
            }
        }
        for live in &state.segments {
            if progress(&Progress::new(done, total, Unit::Rows)).is_break() {
                return Ok(false);
            }
            self.take_segment(live)?;
            done += live.entry.rows;
        }
        for entry in &state.manifest.files {
            if progress(&Progress::new(done, total, Unit::Rows)).is_break() {
                return Ok(false);
            }
            match entry.kind {
                FileKind::Pack => self.take_pack(entry, spares)?,
                FileKind::Ledger => self.take_ledger(entry)?,
                FileKind::Quarantine => drop(self.take_whole(entry)?),
                FileKind::Segment | FileKind::Dictionary => {}
            }
        }
        self.account()?;
        self.finish()?;
        Ok(true)
    }

    pub(super) fn into_report(mut self) -> RepairReport {
        self.report.archive = self.archive;
        for (error, _) in &self.lost_objects {
            drop(self.state.missing.pass::<()>(Err(error.clone())));
        }
        self.report.lost = self.state.missing.damages();
        self.report
    }

    /// Takes a file as it is, but for the id in its header; false if it is not whole.
    fn take_whole(&mut self, entry: &FileEntry) -> Result<bool> {
        let (storage, path) = (&*self.source.host.storage, self.source.place_of(entry));
        let read = whole::read(storage, &path, u64::MAX).and_then(|bytes| {
            if *blake3::hash(&bytes).as_bytes() == entry.hash && bytes.len() > ID.end {
                return Ok(bytes);
            }
            Err(Error::corrupt("file is not the one that the manifest names").in_file(entry.path()))
        });
        let mut bytes = match read {
            Ok(bytes) => bytes,
            // What is left of a segment is read group by group, and that names the damage.
            Err(_) if entry.kind == FileKind::Segment => return Ok(false),
            Err(error) => {
                let error = error.in_file(entry.path()).touching(entry.touched());
                let lost = Error::corrupt("file cannot be read").in_file(entry.path());
                let _ = self.state.missing.pass::<()>(Err(lost.caused_by(error)))?;
                return Ok(false);
            }
        };
        bytes[ID].copy_from_slice(&self.archive);
        whole::write_new(&*self.target.storage, &entry.path(), &bytes)?;
        let hash = *blake3::hash(&bytes).as_bytes();
        self.files.push(FileEntry { hash, ..entry.clone() });
        Ok(true)
    }

    /// Takes a dictionary, made whole again from what is left of it.
    fn take_dictionary(&mut self, entry: &FileEntry) -> Result<()> {
        let number = entry.number;
        let found = Dictionary::find(&*self.source.host.storage, number).read();
        let Some(bytes) = self.state.missing.pass(found)? else {
            let _ = self.lost_dictionaries.insert(number);
            return Ok(());
        };
        let place = (self.archive, number);
        let storage = &*self.target.storage;
        self.files.push(dictionaries::write(storage, place, &bytes, entry.rows)?);
        Ok(())
    }

    /// Takes a ledger as it is, or what can be read of it.
    fn take_ledger(&mut self, entry: &FileEntry) -> Result<()> {
        if self.take_whole(entry)? {
            return Ok(());
        }
        let state = Arc::clone(&self.state);
        let left = state.ledgers.iter().find(|ledger| ledger.table.number == entry.number);
        let Some(left) = left else { return Ok(()) };
        let ledgers = std::slice::from_ref(left);
        let sum = Sum { ledgers, manifest: &state.manifest, missing: &state.missing };
        let (mut number, next) = (entry.number, &mut self.next_file);
        let mut place = || {
            *next += 1;
            Ok((self.archive, std::mem::replace(&mut number, *next - 1)))
        };
        let files = sum.write(&*self.target.storage, false, &mut place)?;
        self.files.extend(files.into_iter().map(|file| FileEntry { level: entry.level, ..file }));
        Ok(())
    }

    fn take_segment(&mut self, live: &Arc<Live>) -> Result<()> {
        let dictionary = live.segment().map_or(0, |segment| segment.meta.dictionary);
        let is_lost = self.lost_dictionaries.contains(&dictionary);
        if !is_lost && self.take_whole(&live.entry)? {
            self.report.rows += live.entry.rows;
            drop(self.homes.insert(live.generation, Moved::Kept(live.entry.number)));
            return Ok(());
        }
        let missing = Arc::clone(&self.state.missing);
        let merge = missing.pass(Merge::of(std::slice::from_ref(live), &missing))?;
        let mut places = vec![None; usize::try_from(live.entry.rows).unwrap_or(0)];
        let mut rows = 0;
        let cuts = Cuts { rows: u64::MAX, places: Vec::new(), least: 0 };
        let mut outputs = merge.as_ref().map(|merge| merge.outputs(cuts)).transpose()?;
        while let Some(outputs) = &mut outputs
            && let Some(mut merged) = outputs.next(None)?
        {
            let number = self.next_file;
            let built = segment::build(self.archive, number, (Effort::MERGE, None), &mut merged);
            let Some(built) = missing.pass(built)? else { continue };
            self.next_file += 1;
            let entry = segment_entry(&built, live.entry.level);
            whole::write_new(&*self.target.storage, &entry.path(), &built.file)?;
            rows += entry.rows;
            let nowhere = RowRef { generation: 0, index: 0 };
            let mut went = vec![vec![nowhere; places.len()]];
            merged.moves(1, &mut went);
            let moved = went.into_iter().flatten().zip(&mut places);
            moved.filter(|(to, _)| to.generation == 1).for_each(|(to, home)| {
                *home = Some((number, to.index));
            });
            self.files.push(entry);
        }
        self.report.rows += rows;
        self.lost_rows += live.entry.rows.saturating_sub(rows);
        drop(self.homes.insert(live.generation, Moved::Anew(places)));
        Ok(())
    }

    fn take_pack(&mut self, entry: &FileEntry, spares: &[Spare]) -> Result<()> {
        let archive = self.source.archive;
        let place = &*self.source.host.storage;
        let own = put_object::open_pack(place, archive, entry);
        let copies = spares.iter().filter_map(|spare| match spare {
            Spare::Archive(storage) => put_object::open_pack(&**storage, archive, entry).ok(),
            Spare::File(_) => None,
        });
        let mut packs: Vec<Arc<Pack>> = copies.map(Arc::new).collect();
        let failed = own.as_ref().err().cloned();
        let own = own.or_else(|_| Pack::rebuild(place, entry.number));
        if let Ok(own) = own {
            packs.insert(0, Arc::new(own));
        }
        let objects: BTreeSet<ContentAddress> =
            packs.iter().flat_map(|pack| pack.objects()).map(|object| object.address).collect();
        let gone = entry.rows.saturating_sub(objects.len() as u64);
        self.lost_objects.extend(failed.filter(|_| gone > 0).map(|error| (error, gone)));
        let storage = Arc::clone(&self.target.storage);
        let mut writer = PackWriter::start(storage, entry.number, self.archive)?;
        for address in objects {
            self.take_object(&packs, &address, &mut writer)?;
        }
        if writer.count() > 0 {
            self.report.objects += writer.count() as u64;
            self.files.push(put_object::entry(&writer.finish()?));
        }
        Ok(())
    }

    fn take_object(
        &mut self,
        packs: &[Arc<Pack>],
        address: &ContentAddress,
        writer: &mut PackWriter,
    ) -> Result<()> {
        let mut failed = None;
        for pack in packs {
            let whole = pack.read(address).map(|mut reader| reader.read_through());
            match whole {
                Some(Ok(())) => {
                    let Some(mut reader) = pack.read(address) else { continue };
                    let _ = self.objects.insert(*address);
                    return writer.put(&mut reader).map(drop);
                }
                Some(Err(error)) => failed = failed.or(Some(error)),
                None => {}
            }
        }
        let unknown = || Error::corrupt(format!("object {address} cannot be read"));
        self.lost_objects.push((failed.unwrap_or_else(unknown), 1));
        Ok(())
    }

    /// Sets off what is lost against what was counted.
    fn account(&mut self) -> Result<()> {
        let known = Known::of(&self.state);
        let total = known.total()?;
        let counted = total.stored.saturating_add(total.variants);
        self.report.rows += self.state.slabs.iter().map(|slab| slab.rows.len() as u64).sum::<u64>();
        let expected = self.report.rows + self.lost_rows;
        let mut book = self.lost_names(&known)?;
        if let Some(uncounted) = expected.checked_sub(counted).filter(|rows| *rows > 0) {
            self.recount(&known, uncounted, &mut book)?;
            self.report.recounted += uncounted;
        }
        for (place, copies) in self.unfolded()? {
            self.count_again(&known, place, copies, &mut book)?;
            self.report.recounted += copies;
        }
        let (there, mut quarantined_lost) = (self.quarantined()?, known.quarantined()?);
        for (place, copies) in there {
            let counted = quarantined_lost.entry(place).or_default();
            let quarantined = copies.saturating_sub(*counted);
            *counted = counted.saturating_sub(copies);
            if quarantined > 0 {
                self.report.recounted += quarantined;
                let counts = Counts { offered: quarantined, quarantined, ..Counts::default() };
                *book.counts.entry(place).or_default() += counts;
            }
        }
        quarantined_lost.retain(|_, copies| *copies > 0);
        if !book.is_empty() {
            let number = self.next_file;
            self.next_file += 1;
            let said = (&book, &SegmentRanges::new());
            self.files.push(ledger::write(&*self.target.storage, (self.archive, number), said)?);
        }
        self.report.repaired = Repaired {
            archive: self.source.archive,
            commit: self.state.sequence,
            rows_lost: counted.saturating_sub(self.report.rows).max(self.lost_rows),
            objects_lost: self.lost_objects.iter().map(|(_, count)| count).sum(),
            linked_lost: known.linked(&self.objects)?,
            quarantined_lost,
        };
        Ok(())
    }

    /// Names for custodians whose own are lost with a ledger or a commit.
    fn lost_names(&self, known: &Known) -> Result<Book> {
        let mut used: BTreeSet<u32> = BTreeSet::new();
        self.state.all(List::Blocks, &mut |ledger, item| {
            let _ = used.insert(ledger.said(item, read_blocks)?.0.0);
            Ok(())
        })?;
        for live in &self.state.segments {
            let tables = live.segment().and_then(|segment| segment.tables());
            if let Some(tables) = self.state.missing.pass(tables)? {
                used.extend(tables.sets.custodians());
            }
        }
        for slab in &self.state.slabs {
            used.extend(slab.rows.iter().flat_map(|row| &row.custodians));
            let seen = slab.sightings.iter().flat_map(|seen| &seen.pairs);
            used.extend(seen.map(|(_, custodian)| *custodian));
        }
        let mut book = Book::default();
        for number in used {
            if known.custodian(number)?.is_none() {
                drop(book.custodians.insert(number, lost_name(number)));
            }
        }
        Ok(book)
    }

    /// How many rows each run and custodian delivered first.
    fn owners(&self, lost: u32) -> Result<BTreeMap<(u32, u32), u64>> {
        let known = Known::of(&self.state);
        let run_of = |sequence: u64| {
            // What cannot be read is told by who reads it all.
            let commit = known.commit_at(Sequence(sequence)).ok().flatten();
            commit.filter(|commit| commit.sequence == sequence).map_or(lost, |commit| commit.run)
        };
        let mut owners: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for live in &self.state.segments {
            let Ok(segment) = live.segment() else { continue };
            let Some(tables) = self.state.missing.pass(segment.tables())? else { continue };
            for group in 0..segment.meta.groups.len() {
                let Some(keys) = self.state.missing.pass(segment.keys(group))? else { continue };
                let first = |row: usize| {
                    let set = tables.sets.get(keys.set(row))?;
                    let (custodian, age) = set.iter().min_by_key(|(_, age)| *age)?;
                    Some((run_of(keys.sequence(row).saturating_add(*age)), *custodian))
                };
                for owner in (0..keys.rows()).filter_map(first) {
                    *owners.entry(owner).or_default() += 1;
                }
            }
        }
        Ok(owners)
    }

    /// Counts rows whose counters are lost: each under the run and custodian that delivered it first.
    fn recount(&self, known: &Known, mut uncounted: u64, book: &mut Book) -> Result<()> {
        let last = known.last_run().unwrap_or(0).saturating_add(1);
        let owners = self.owners(last)?;
        let unknown = ((last, book.custodians.keys().next().copied().unwrap_or(0)), uncounted);
        for (place, rows) in owners.into_iter().chain([unknown]) {
            let is_counted = place != unknown.0 && known.has_counts(place)?;
            let rows = if is_counted { 0 } else { rows.min(uncounted) };
            uncounted -= rows;
            if rows > 0 {
                self.count_again(known, place, rows, book)?;
            }
        }
        Ok(())
    }

    fn count_again(
        &self,
        known: &Known,
        place: (u32, u32),
        copies: u64,
        book: &mut Book,
    ) -> Result<()> {
        let (number, custodian) = place;
        if !known.has_run(number)? {
            let run = Run { label: "lost".to_owned(), started: self.target.clock.now() };
            let _ = book.runs.entry(number).or_insert(run);
        }
        if known.custodian(custodian)?.is_none() {
            let _ = book.custodians.entry(custodian).or_insert_with(|| lost_name(custodian));
        }
        let counts = Counts { offered: copies, stored: copies, ..Counts::default() };
        *book.counts.entry(place).or_default() += counts;
        Ok(())
    }

    /// Copies that folds moved and that no counter of the new archive has: those are lost, and the
    /// records of the folds stay.
    fn unfolded(&self) -> Result<CopiesMoved> {
        let mut left = known::moved(&self.state);
        if left.is_empty() {
            return Ok(left);
        }
        let (storage, cache) = (&*self.target.storage, Arc::new(Cache::new(0)));
        for entry in self.files.iter().filter(|entry| entry.kind == FileKind::Ledger) {
            let place = (self.archive, entry.number);
            let ledger = Ledger::open(storage, place, &entry.path(), &cache)?;
            for (place, copies) in &mut left {
                let found = ledger.find(List::Counters, &place_key(*place), read_counts)?;
                let stored = found.map_or(0, |(_, counts)| counts.stored);
                *copies = copies.saturating_sub(stored);
            }
        }
        for (place, counts) in self.state.slabs.iter().flat_map(|slab| &slab.book.counts) {
            if let Some(copies) = left.get_mut(place) {
                *copies = copies.saturating_sub(counts.stored);
            }
        }
        left.retain(|_, copies| *copies > 0);
        Ok(left)
    }

    /// Quarantined copies of the new archive, by run and custodian.
    fn quarantined(&self) -> Result<BTreeMap<(u32, u32), u64>> {
        let mut there: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        let mut take = |place: (u32, u32), copies: u64| {
            *there.entry(place).or_default() += copies;
        };
        let sealed = self.files.iter().filter(|entry| entry.kind == FileKind::Quarantine);
        let kept: BTreeSet<u64> = sealed.map(|entry| entry.number).collect();
        for file in self.state.outcasts.iter().filter(|file| kept.contains(&file.entry.number)) {
            let each = &mut |it: &Copies| take((it.run, it.custodian), it.count);
            file.copies(&self.state.missing, each)?;
        }
        let added = self.state.slabs.iter().flat_map(|slab| &slab.refused);
        added.for_each(|refused| take((refused.run, refused.custodian), refused.copies));
        Ok(there)
    }

    /// Makes an archive of what was written.
    fn finish(&mut self) -> Result<()> {
        let old = &self.state.manifest;
        let mut manifest = Manifest::first(self.archive, self.target.clock.now(), 1);
        manifest.sequence = old.sequence;
        manifest.next_file = self.next_file;
        manifest.bytes_written = self.files.iter().map(|file| file.bytes).sum();
        manifest.files.clone_from(&self.files);
        manifest.files.sort_by_key(|file| file.number);
        manifest.required_features.clone_from(&old.required_features);
        manifest.records.clone_from(&old.records);
        manifest.records.push(self.report.repaired.record());
        open::found(self.target, &manifest, &mut |journal| {
            let mut last = Sequence(0);
            for slab in &self.state.slabs {
                let seen = slab.sightings.iter().flat_map(|seen| self.homes_of(seen));
                let mut homes: Vec<HomeSighting> = seen.collect();
                let rows = (&slab.documents[..], &slab.rows[..]);
                let run = slab.book.commits.last().map_or(0, |commit| commit.run);
                let stamp = (slab.sequence, RunId(run));
                let payload = record::put(stamp, &slab.book, rows, &slab.refused, &mut homes);
                let _ = journal.append(slab.sequence, &payload)?;
                last = slab.sequence;
            }
            if last > Sequence(0) { journal.wait(last) } else { Ok(()) }
        })
    }

    fn homes_of<'s>(&'s self, seen: &'s Seen) -> impl Iterator<Item = HomeSighting> + 's {
        seen.pairs.iter().filter_map(|(row, custodian)| {
            let (home, index) = self.home_of(*row)?;
            Some((home, seen.sequence, index, *custodian))
        })
    }

    /// Where a row is in the new archive.
    fn home_of(&self, row: RowRef) -> Option<(Home, u32)> {
        match self.homes.get(&row.generation) {
            Some(Moved::Kept(number)) => Some((Home::Segment(*number), row.index)),
            Some(Moved::Anew(places)) => {
                let (number, index) = places.get(row.index as usize).copied().flatten()?;
                Some((Home::Segment(number), index))
            }
            None => {
                let mut slabs = self.state.slabs.iter();
                let slab = slabs.find(|slab| slab.generation == row.generation)?;
                Some((Home::Slab(slab.sequence.0), row.index))
            }
        }
    }
}
