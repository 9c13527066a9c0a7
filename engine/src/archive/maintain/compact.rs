//! Compaction: merges published, in the background or because somebody asked.
//!
//! The outputs are built without any lock. Publishing takes the writer's lock for a moment:
//! sightings that came meanwhile are carried over to the new rows, in the journal (written again)
//! and in a new ledger; then one manifest puts the outputs in the inputs' place.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chatvault_base::threads::{Ended, beside};
use chatvault_base::{Cancel, OnProgress, Progress, Unit};
use tracing::debug_span;

use super::dictionaries::{self, Chosen};
use super::folded::{Folded, Folding};
use super::merge::{self, Cuts, Merge, MergedRows, Span, TOP_LEVEL};
use crate::archive::accounts::book::{Book, SegmentRanges};
use crate::archive::accounts::late::{BLOCK_ROWS, InOrder, Late};
use crate::archive::accounts::ledger;
use crate::archive::accounts::sightings::{Arrived, new_ranges};
use crate::archive::commit::record::Home;
use crate::archive::commit::slab::RowRef;
use crate::archive::state::{Live, State};
use crate::archive::{Archive, CompactReport, Shared};
use crate::error::{Error, ErrorKind, Result};
use crate::format::names::FileKind;
use crate::manifest::{Change, FileEntry};
use crate::segment::{self, Effort, Samples, Trained};
use crate::storage::whole;

impl Archive {
    /// Merges all segments in conversation order and packs them as small as they get, on the worker
    /// threads of the environment.
    ///
    /// Slow on purpose and out of nobody's way: commits and readers go on meanwhile. It goes by steps
    /// of about a million rows. `progress` is told of rows, and a `Break` stops it: what was published
    /// stays, and the next call goes on with what is not packed so yet.
    /// `InvalidInput` on a reader.
    ///
    /// First it frees what is in the trash past its grace. On a disk that has no room for everything
    /// anew it merges as many segments at once as there
    /// is room for; `NoSpace` says that some are left, and the archive goes on as it is.
    pub fn compact(&self, progress: OnProgress<'_>) -> Result<CompactReport> {
        let _span = debug_span!("compact").entered();
        // On a full disk this is the room for what follows.
        self.shared.free_trash()?;
        self.shared.seal_now()?;
        let mut report = CompactReport::default();
        let _turn = self.shared.merging.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.shared.state();
        report.segments_before = state.segments.len() as u64;
        report.bytes_before = bytes(&state);
        let done = self.shared.merge_all(&mut report, progress)?;
        if done {
            let _some = self.shared.sum_up(true)?;
        }
        let state = self.shared.state();
        report.segments_after = state.segments.len() as u64;
        let unreadable = state.segments.len() - self.shared.mergeable(&state).len();
        report.segments_unreadable = unreadable as u64;
        report.bytes_after = bytes(&state);
        report.finished = done;
        Ok(report)
    }
}

/// The level of what cannot be packed smaller.
const HARD_LEVEL: u8 = TOP_LEVEL + 1;
/// So often progress is told, and a thread looks whether it is stopped after so many rows.
const TOLD_EVERY: Duration = Duration::from_millis(50);
const WATCHED_ROWS: u64 = 4096;
/// For what is merged again soon.
const LIGHT: Effort = Effort { group_rows: 256, level: 3, text_level: 6, chunk_bytes: 16 << 10 };

fn bytes(state: &State) -> u64 {
    let kinds = [FileKind::Segment, FileKind::Ledger, FileKind::Dictionary];
    let files = state.manifest.files.iter().filter(|file| kinds.contains(&file.kind));
    files.map(|file| file.bytes).sum()
}

impl Shared {
    /// What to merge next, without the segments of these numbers, and the level that it becomes.
    pub(crate) fn next_merge(&self, without: &BTreeSet<u64>) -> Option<(Vec<Arc<Live>>, u8)> {
        let mut segments = self.mergeable(&self.state());
        segments.retain(|live| !without.contains(&live.entry.number));
        let entries: Vec<&FileEntry> = segments.iter().map(|live| &live.entry).collect();
        let (picked, level) = merge::pick(&entries)?;
        Some((picked.into_iter().map(|at| Arc::clone(&segments[at])).collect(), level))
    }

    /// One step of a merge that was picked; gives the rows that it wrote anew. `None` if it was
    /// stopped: then nothing has changed, but for inputs that were cut.
    pub(crate) fn merge_some(
        &self,
        (inputs, level): (&[Arc<Live>], u8),
        progress: OnProgress<'_>,
    ) -> Result<Option<u64>> {
        let _turn = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers: Vec<u64> = inputs.iter().map(|live| live.entry.number).collect();
        // With the sightings of now, not of when they were picked.
        let mut inputs = self.state().segments.clone();
        inputs.retain(|live| numbers.contains(&live.entry.number));
        if inputs.len() < numbers.len() {
            // Somebody compacted before.
            return Ok(Some(0));
        }
        let effort = if level < 2 { LIGHT } else { Effort::MERGE };
        self.merge_step(&inputs, effort, level, progress)
    }

    /// Merges as many of the inputs as a step takes: those of the first conversations.
    fn merge_step(
        &self,
        inputs: &[Arc<Live>],
        effort: Effort,
        level: u8,
        progress: OnProgress<'_>,
    ) -> Result<Option<u64>> {
        let spans = inputs.iter().map(merge::span).collect::<Result<Vec<Span>>>()?;
        let limits = self.options.merge;
        let is_done = |at: usize| inputs[at].entry.level == level && inputs[at].late.is_empty();
        let chosen = limits.step(&merge::groups(&spans), &spans, is_done);
        let rows: u64 = chosen.iter().map(|at| spans[*at].rows).sum();
        let lives: Vec<Arc<Live>> = chosen.iter().map(|at| Arc::clone(&inputs[*at])).collect();
        if rows > limits.step_rows() && lives.len() > 1 {
            // They overlap all the way: once they are cut alike each part is a step.
            let places = merge::cuts(&lives, rows.div_ceil(limits.step_rows() / 2))?;
            let is_cut = |at: &&usize| places.iter().any(|place| spans[**at].is_cut_by(place));
            let cut: Vec<&usize> = chosen.iter().filter(is_cut).collect();
            for at in &cut {
                let level = inputs[**at].entry.level.min(TOP_LEVEL);
                let cuts = Cuts { rows: u64::MAX, places: places.clone(), least: 1 };
                let one = std::slice::from_ref(&inputs[**at]);
                if !self.merge(one, (Effort::FRESH, level), cuts, progress)? {
                    return Ok(None);
                }
            }
            if !cut.is_empty() {
                return Ok(Some(cut.iter().map(|at| spans[**at].rows).sum()));
            }
        }
        let cuts = self.cuts(rows, level)?;
        let merged = self.merge(&lives, (effort, level), cuts, progress)?;
        Ok(merged.then_some(rows))
    }

    /// Outputs of so many rows in all, cut where the segments of their level begin.
    fn cuts(&self, rows: u64, level: u8) -> Result<Cuts> {
        let rows = self.options.merge.output_rows(rows);
        let state = self.state();
        let of_level = state.segments.iter().filter(|live| live.entry.level == level);
        let mut places = Vec::new();
        for live in of_level.filter(|live| live.file.is_readable() && level < HARD_LEVEL) {
            places.push(merge::span(live)?.first);
        }
        places.sort_unstable();
        Ok(Cuts { rows, places, least: rows / 2 })
    }

    /// Merges segments hard, or halves of them if there is no room for all at once.
    fn merge_in_pieces(
        &self,
        inputs: &[Arc<Live>],
        progress: OnProgress<'_>,
    ) -> Result<Option<u64>> {
        let full = match self.merge_step(inputs, Effort::HARD, HARD_LEVEL, progress) {
            Err(error) if error.kind() == ErrorKind::NoSpace && inputs.len() > 3 => error,
            other => return other,
        };
        let (low, high) = inputs.split_at(inputs.len() / 2);
        for half in [low, high] {
            if self.merge_in_pieces(half, progress)?.is_none() {
                return Ok(None);
            }
        }
        Err(full)
    }

    /// Merges everything that can be read and is not packed hard, step by step; false if it was asked
    /// to stop.
    fn merge_all(&self, report: &mut CompactReport, progress: OnProgress<'_>) -> Result<bool> {
        loop {
            let mergeable = self.mergeable(&self.state());
            let step = unpacked(&mergeable, self.options.merge).and_then(|inputs| {
                if inputs.is_empty() {
                    return Ok(Some(0));
                }
                let before = report.rows;
                let total = before + inputs.iter().map(|live| live.entry.rows).sum::<u64>();
                let mut of_all = |step: &Progress| {
                    progress(&Progress::new(before + step.done, total, Unit::Rows))
                };
                self.merge_in_pieces(&inputs, &mut of_all)
            });
            match step {
                Ok(Some(0)) => return Ok(true),
                Ok(Some(rows)) => report.rows += rows,
                Ok(None) => return Ok(false),
                Err(error) if self.set_aside(&mergeable, &error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Segments that a merge may replace: all of each can be read, as far as is known, and so can
    /// every ledger that has sightings of it. Ledgers have those of smaller numbers only.
    fn mergeable(&self, state: &State) -> Vec<Arc<Live>> {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = state.lost_ledgers.last().map_or(0, |(number, _)| *number);
        let may = |live: &&Arc<Live>| {
            let number = live.entry.number;
            number > lost && live.file.is_readable() && !damaged.contains(&number)
        };
        state.segments.iter().filter(may).cloned().collect()
    }

    /// After a merge met what it cannot read: remembers which of its inputs are damaged, so that the
    /// others can be merged. False if none of them is: then the error is another one.
    fn set_aside(&self, inputs: &[Arc<Live>], error: &Error) -> bool {
        let is_damaged = |live: &&Arc<Live>| match live.segment() {
            Ok(segment) => {
                let blocks = 0..segment.meta.rows.div_ceil(BLOCK_ROWS);
                let late = || blocks.into_iter().any(|block| live.late.block(block).is_err());
                !segment.damaged_frames().is_empty() || (!live.late.is_empty() && late())
            }
            Err(_) => true,
        };
        if !error.is_unreadable() {
            return false;
        }
        let found: Vec<u64> =
            inputs.iter().filter(is_damaged).map(|live| live.entry.number).collect();
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        let before = damaged.len();
        damaged.extend(found);
        damaged.len() > before
    }

    /// Merges segments; false if it was asked to stop. The caller holds `merging`.
    fn merge(
        &self,
        inputs: &[Arc<Live>],
        (effort, level): (Effort, u8),
        cuts: Cuts,
        progress: OnProgress<'_>,
    ) -> Result<bool> {
        let state = self.state().of_files();
        let merge = Merge::of(inputs, &state.missing)?;
        let mut folding = Folding::of(&state);
        let total: u64 = inputs.iter().map(|live| live.entry.rows).sum();
        let nowhere = RowRef { generation: 0, index: 0 };
        let rows = |live: &Arc<Live>| vec![nowhere; usize::try_from(live.entry.rows).unwrap_or(0)];
        let mut merged = Merged {
            inputs: inputs.to_vec(),
            moves: inputs.iter().map(rows).collect(),
            lives: Vec::new(),
            dictionary: None,
            folded: Folded::default(),
        };
        let mut outputs = merge.outputs(cuts)?;
        let (mut numbers, mut done) = (Vec::new(), 0);
        let mut sample = |samples: &mut Samples| dictionaries::sample(inputs, samples);
        let how = (total, effort.text_level);
        let Chosen { dictionary, file } =
            self.dictionary(&state, how, &mut || self.file_number(), &mut sample)?;
        numbers.extend(file.as_ref().map(|file| file.number));
        merged.dictionary = file;
        // What nobody asked for leaves the other cores alone.
        let most = self.environment.options().worker_threads.max(1);
        let threads = if level == HARD_LEVEL { most } else { 1 };
        let mut build = || loop {
            let mut some = Vec::new();
            while some.len() < threads
                && let Some(rows) = outputs.next(Some(&mut folding))?
            {
                numbers.push(self.file_number()?);
                some.push((*numbers.last().unwrap_or(&0), rows));
            }
            if some.is_empty() {
                return Ok(());
            }
            let told =
                &mut |seen: u64| progress(&Progress::new(done + seen / 2, total, Unit::Rows));
            let how = (effort, dictionary.as_ref());
            let lives = self.build_all(&mut some, (how, level), told)?;
            for (live, (_, rows)) in lives.into_iter().zip(&some) {
                rows.moves(live.generation, &mut merged.moves);
                done += rows.count();
                merged.lives.push(Arc::new(live));
            }
        };
        if let Err(error) = build() {
            self.discard(&numbers);
            return if is_stop(&error) { Ok(false) } else { Err(error) };
        }
        merged.folded = folding.folded;
        self.publish_merged(&merged, &numbers)?;
        Ok(true)
    }

    /// Builds and writes outputs, each on a thread of its own. `told` is told now and then how many
    /// rows were gone through, each twice, and stops it by a `Break`.
    fn build_all(
        &self,
        outputs: &mut [(u64, MergedRows<'_>)],
        (how, level): ((Effort, Option<&Trained>), u8),
        told: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Vec<Live>> {
        if told(0).is_break() {
            return Err(stop());
        }
        let (seen, stop) = (&AtomicU64::new(0), &Cancel::default());
        let build = |(number, rows): &mut (u64, MergedRows<'_>)| {
            let mut source = Watched { rows, seen, stop };
            let built = segment::build(self.archive, *number, how, &mut source)?;
            let entry = self.write_segment(&built, level)?;
            drop(built);
            self.open_live(&entry, Late::default())
        };
        let watch = |ended: &Ended| {
            while !ended.wait(TOLD_EVERY) {
                if told(seen.load(Ordering::Relaxed)).is_break() {
                    stop.cancel();
                }
            }
        };
        let ended = beside("chatvault-merge", outputs.iter_mut().collect(), build, watch);
        // All of them end before one that failed is told.
        let (lives, ()) = ended.map_err(|cause| Error::io("start a thread", "", cause))?;
        lives.into_iter().collect()
    }

    pub(crate) fn file_number(&self) -> Result<u64> {
        let mut writer = self.writer()?;
        let number = writer.next_file;
        writer.next_file += 1;
        let _ = writer.outputs.insert(number);
        Ok(number)
    }

    /// Forgets outputs of a merge that was stopped or failed.
    fn discard(&self, numbers: &[u64]) {
        let kinds = [FileKind::Segment, FileKind::Dictionary];
        let paths = numbers.iter().flat_map(|number| kinds.map(|kind| kind.path(*number)));
        for path in paths {
            for path in [whole::temporary(&path), path] {
                // What stays behind is moved to the trash at the next opening.
                drop(self.host.storage.remove(&path));
            }
        }
        if let Ok(mut writer) = self.writer() {
            writer.outputs.retain(|number| !numbers.contains(number));
        }
    }

    fn publish_merged(&self, merged: &Merged, numbers: &[u64]) -> Result<()> {
        // Not while a seal is being built: its sightings are for the segments of before.
        let _turn = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = self.writer()?;
        let published = self.try_publish_merged(&mut writer, merged);
        if let Err(error) = &published {
            writer.stop(error);
        }
        published?;
        for number in numbers {
            let _ = writer.outputs.remove(number);
        }
        // Under the lock: a pack that is being sealed has its name before a manifest names it.
        let cleared = self.clear_out(&writer);
        drop(writer);
        merged.inputs.iter().for_each(|live| self.cache.forget(live.entry.number));
        cleared
    }

    fn try_publish_merged(
        &self,
        writer: &mut crate::archive::commit::committing::Writer,
        merged: &Merged,
    ) -> Result<()> {
        let state = self.state();
        let lost = planted!("lose sightings in a merge");
        let late = if lost { SegmentRanges::default() } else { merged.late_ranges(&state)? };
        for (live, to) in merged.inputs.iter().zip(&merged.moves) {
            self.moves.record(live.generation, to.clone());
        }
        for live in &merged.lives {
            let _ = writer.homes.insert(live.generation, Home::Segment(live.entry.number));
        }
        // Nothing is frozen now, so all slabs are later than what the manifest holds.
        self.write_again(writer, &state, state.manifest.sequence)?;
        let state = self.state();
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        change.added = merged.lives.iter().map(|live| live.entry.clone()).collect();
        change.removed = merged.inputs.iter().map(|live| live.entry.number).collect();
        let stay = |live: &&Arc<Live>| !change.removed.contains(&live.entry.number);
        let stay = state.segments.iter().filter(stay).chain(&merged.lives);
        let dictionary = merged.dictionary.as_ref();
        let unused = dictionaries::unused(&state.manifest, dictionary, stay);
        change.removed.extend(unused);
        change.added.extend(dictionary.cloned());
        merged.folded.put_into(&mut change, &state.manifest);
        let mut ledger = None;
        if !late.is_empty() {
            let place = (self.archive, writer.next_file);
            writer.next_file += 1;
            let entry = ledger::write(&*self.host.storage, place, (&Book::default(), &late))?;
            ledger = Some(self.open_ledger(&entry)?);
            change.added.push(entry);
        }
        let removed = change.removed.clone();
        let mut next = self.publish(writer, &state, change)?;
        next.segments.retain(|live| !removed.contains(&live.entry.number));
        next.segments.extend(merged.lives.iter().cloned());
        next.ledgers.extend(ledger);
        next.settle_ledgers();
        writer.homes.retain(|_, home| !matches!(home, Home::Segment(n) if removed.contains(n)));
        self.set_state(next);
        self.moves.give_back(&self.recall);
        Ok(())
    }
}

/// Segments without those that are packed hard, overlap with no other one and lack no sightings, but
/// for small ones that stand beside another to be merged.
fn unpacked(lives: &[Arc<Live>], limits: merge::Limits) -> Result<Vec<Arc<Live>>> {
    let spans = lives.iter().map(merge::span).collect::<Result<Vec<Span>>>()?;
    let groups = merge::groups(&spans);
    let packed = |group: &Vec<usize>| match group[..] {
        [at] => lives[at].entry.level == HARD_LEVEL && lives[at].late.is_empty(),
        _ => false,
    };
    let is_small = |group: &Vec<usize>| limits.is_small(group.iter().map(|at| &spans[*at]));
    let open = |group: Option<&Vec<usize>>| group.is_some_and(|it| !packed(it) || is_small(it));
    let beside =
        |at: usize| open(at.checked_sub(1).map(|at| &groups[at])) || open(groups.get(at + 1));
    let taken = groups
        .iter()
        .enumerate()
        .filter(|(at, group)| !packed(group) || (is_small(group) && beside(*at)));
    Ok(taken.flat_map(|(_, group)| group).map(|at| Arc::clone(&lives[*at])).collect())
}

/// Segments and what they became.
struct Merged {
    inputs: Vec<Arc<Live>>,
    moves: Vec<Vec<RowRef>>,
    lives: Vec<Arc<Live>>,
    /// A new one that they need.
    dictionary: Option<FileEntry>,
    folded: Folded,
}

impl Merged {
    /// Sightings that ledgers added to the inputs while they were merged, for the outputs.
    fn late_ranges(&self, state: &State) -> Result<SegmentRanges> {
        let mut late = Arrived::new();
        for (input, moves) in self.inputs.iter().zip(&self.moves) {
            let same = |live: &&Arc<Live>| live.generation == input.generation;
            let Some(now) = state.segments.iter().find(same) else { continue };
            late_of((&input.late, &now.late), moves, &mut late)?;
        }
        // A row that another one was folded into may know them already.
        Ok(new_ranges(&self.lives, &late))
    }
}

/// Adds what ledgers say of a segment since a merge of it began, by where its rows went.
fn late_of((before, now): (&Late, &Late), moves: &[RowRef], late: &mut Arrived) -> Result<()> {
    // Ledgers may have been summed up meanwhile: what the merge knew is in there, too.
    let (more, mut known) = (now.since(before), InOrder::of(before));
    let blocks = if more.is_empty() { 0 } else { narrow(moves.len()).div_ceil(BLOCK_ROWS) };
    for block in 0..blocks {
        for range in more.block(block)? {
            // Rows that the segment does not have are damage that `verify` reports.
            let rows = (range.start..range.end).zip(moves.iter().skip(range.start as usize));
            for (row, to) in rows {
                if known.at(row)?.first(range.custodian, row).is_none() {
                    let list = late.entry(to.generation).or_default();
                    list.push((range.custodian, to.index, range.sequence));
                }
            }
        }
    }
    Ok(())
}

/// Rows that count how many were gone through, until they are stopped.
struct Watched<'w, 'm> {
    rows: &'w mut MergedRows<'m>,
    seen: &'w AtomicU64,
    stop: &'w Cancel,
}

impl segment::Source for Watched<'_, '_> {
    fn visit(&mut self, each: &mut segment::Visit<'_>) -> Result<()> {
        let mut seen = 0;
        self.rows.visit(&mut |row| {
            if seen % WATCHED_ROWS == 0 && self.stop.is_cancelled() {
                return Err(stop());
            }
            seen += 1;
            if seen % WATCHED_ROWS == 0 {
                let _before = self.seen.fetch_add(WATCHED_ROWS, Ordering::Relaxed);
            }
            each(row)
        })
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const STOP: &str = "asked to stop";

fn stop() -> Error {
    Error::invalid(STOP)
}

fn is_stop(error: &Error) -> bool {
    error.kind() == ErrorKind::InvalidInput && error.to_string().ends_with(STOP)
}
