//! Ledgers and quarantine files summed up, so that they stay few.
//!
//! Invariants: the order of ledgers counts, so a sum takes the newest ones, without a gap, and gets
//! higher numbers than all of them; nothing is being sealed meanwhile. A page of each is in memory.

use std::sync::{Arc, PoisonError};

use super::merge;
use crate::archive::accounts::book;
use crate::archive::accounts::late::{join_blocks, join_ranges, read_blocks, read_ranges};
use crate::archive::accounts::ledger::{
    LISTS, Ledger, LedgerWriter, List, put_links, read_counts, read_links,
};
use crate::archive::accounts::quarantine::{self, Outcasts};
use crate::archive::held::Missing;
use crate::archive::state::State;
use crate::archive::{Counts, Shared};
use crate::error::{ErrorKind, Result};
use crate::format::bytes::Reader;
use crate::format::names::FileKind;
use crate::manifest::{Change, FileEntry, Manifest};
use crate::storage::Storage;
use crate::table::{Item, Merge, Table};

/// A sum goes on in another file from here on.
const LEDGER_BYTES: u64 = 1 << 30;

impl Shared {
    /// Are there enough ledgers or quarantine files of a level to be summed up?
    pub(crate) fn sums_are_due(&self) -> bool {
        let state = self.state();
        let due = |files: Vec<&FileEntry>| merge::newest(&levels(&files)).is_some();
        state.lost_ledgers.is_empty() && (due(ledgers(&state)) || due(refused(&state)))
    }

    /// Replaces the newest ledgers by their sum and the newest quarantine files by one: those that are
    /// due, or all. False if nothing could be done.
    pub(crate) fn sum_up(&self, all: bool) -> Result<bool> {
        let _turn = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        let mut sums = Sums::default();
        let built = self.sum_up_ledgers(&state, all, &mut sums);
        let built = built.and_then(|()| self.sum_up_refused(&state, all, &mut sums));
        let published = built.and_then(|()| self.publish_sums(&sums));
        let mut writer = self.writer()?;
        writer.outputs.retain(|number| !sums.numbers.contains(number));
        drop(writer);
        published
    }

    fn publish_sums(&self, sums: &Sums) -> Result<bool> {
        if sums.added.is_empty() {
            return Ok(false);
        }
        let opened = sums.added.iter().filter(|entry| entry.kind == FileKind::Ledger);
        let opened: Vec<Arc<Ledger>> =
            opened.map(|entry| self.open_ledger(entry)).collect::<Result<_>>()?;
        let (outcasts, removed) = (self.open_outcasts(&sums.added), &sums.removed);
        let mut writer = self.writer()?;
        let state = self.state();
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        (change.added, change.removed) = (sums.added.clone(), sums.removed.clone());
        match self.publish(&writer, &state, change) {
            Ok(mut next) => {
                next.outcasts.retain(|outcasts| !removed.contains(&outcasts.entry.number));
                next.outcasts.extend(outcasts);
                next.ledgers.retain(|ledger| !removed.contains(&ledger.table.number));
                next.ledgers.extend(opened);
                next.settle_ledgers();
                self.set_state(next);
            }
            Err(error) => {
                writer.stop(&error);
                return Err(error);
            }
        }
        let cleared = self.clear_out(&writer);
        drop(writer);
        for number in removed {
            self.cache.forget(*number);
        }
        cleared.map(|()| true)
    }

    fn sum_up_ledgers(&self, state: &State, all: bool, sums: &mut Sums) -> Result<()> {
        let files = ledgers(state);
        let due = if all { Some((files.len(), 0)) } else { merge::newest(&levels(&files)) };
        let Some((count, level)) = due.filter(|(count, _)| *count > 1) else { return Ok(()) };
        // The order of ledgers counts: none is summed up around one that is unknown.
        if !state.lost_ledgers.is_empty() {
            return Ok(());
        }
        let ledgers = &state.ledgers[state.ledgers.len() - count..];
        let sum = Sum { ledgers, manifest: &state.manifest, missing: &state.missing };
        let mut place = || Ok((self.archive, sums.number(self.file_number()?)));
        match sum.write(&*self.host.storage, count == files.len(), &mut place) {
            Ok(added) => {
                sums.added.extend(added.into_iter().map(|entry| FileEntry { level, ..entry }));
                sums.removed.extend(ledgers.iter().map(|ledger| ledger.table.number));
                Ok(())
            }
            // Nor where nobody knows what a page said.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sum_up_refused(&self, state: &State, all: bool, sums: &mut Sums) -> Result<()> {
        let files = refused(state);
        let due = if all { Some((files.len(), 0)) } else { merge::newest(&levels(&files)) };
        let Some((count, level)) = due else { return Ok(()) };
        let newest = &state.outcasts[state.outcasts.len() - count..];
        // One that holds other copies than the manifest says is damage, and `verify` tells it.
        let is_whole = |file: &&Arc<Outcasts>| {
            quarantine::read_through(file, &mut |_| ())
                .is_ok_and(|found| found == (file.entry.rows, file.entry.multiset))
        };
        let files: Vec<Arc<Outcasts>> = newest.iter().filter(is_whole).cloned().collect();
        if files.len() > 1 {
            let number = sums.number(self.file_number()?);
            let entry = quarantine::merge(&*self.host.storage, (self.archive, number), &files)?;
            sums.added.push(FileEntry { level, ..entry });
            sums.removed.extend(files.iter().map(|outcasts| outcasts.entry.number));
        }
        Ok(())
    }
}

/// Files that replace others, not yet named by a manifest.
#[derive(Debug, Default)]
struct Sums {
    numbers: Vec<u64>,
    added: Vec<FileEntry>,
    removed: Vec<u64>,
}

impl Sums {
    fn number(&mut self, number: u64) -> u64 {
        self.numbers.push(number);
        number
    }
}

/// Ledgers that follow each other, and what their sum leaves out.
pub(crate) struct Sum<'s> {
    pub(crate) ledgers: &'s [Arc<Ledger>],
    /// Ranges of segments that it does not name go.
    pub(crate) manifest: &'s Manifest,
    pub(crate) missing: &'s Missing,
}

impl Sum<'_> {
    /// Writes the sum into as many files as it takes; `place` gives archive and number of each. If these
    /// are all ledgers then nothing is left that a checkpoint which was taken back would have to hide.
    pub(crate) fn write(
        &self,
        storage: &dyn Storage,
        are_all: bool,
        place: &mut dyn FnMut() -> Result<([u8; 16], u64)>,
    ) -> Result<Vec<FileEntry>> {
        let (mut files, mut items) = (Vec::new(), Vec::new());
        let mut writer = LedgerWriter::start(storage, place()?)?;
        let tables: Vec<&Arc<Table>> = self.ledgers.iter().map(|ledger| &ledger.table).collect();
        for list in LISTS {
            let mut merge = Merge::of(tables.iter().copied(), list as u8);
            loop {
                if self.missing.pass(merge.next(&mut items))?.is_none() {
                    continue;
                }
                let Some(newest) = items.last() else { break };
                let Some(value) = self.missing.pass(self.joined(list, &items))?.flatten() else {
                    continue;
                };
                if are_all && list == List::Checkpoints && value.is_empty() {
                    continue;
                }
                if writer.table.bytes() >= LEDGER_BYTES {
                    let next = LedgerWriter::start(storage, place()?)?;
                    files.push(std::mem::replace(&mut writer, next).finish()?);
                }
                writer.put(list, newest.key(), &value)?;
            }
        }
        files.push(writer.finish()?);
        Ok(files)
    }

    /// What items of one key say together, older ones first; `None` if that is nothing any more.
    fn joined(&self, list: List, items: &[Item]) -> Result<Option<Vec<u8>>> {
        let ledger = &self.ledgers[0];
        let is_there = |segment: u64| self.manifest.file(segment).is_some();
        let mut value = Vec::new();
        match list {
            List::Counters => {
                let mut sum = Counts::default();
                for item in items {
                    sum += ledger.said(item, read_counts)?.1;
                }
                sum.put(&mut value);
            }
            List::Links if items.len() > 1 => {
                let mut links = Vec::new();
                for item in items {
                    let read = |key: &mut Reader<'_>, value: &mut Reader<'_>| {
                        book::read_key(key).and_then(|_| read_links(value))
                    };
                    book::unite(&mut links, ledger.said(item, read)?);
                }
                put_links(&mut value, &links);
            }
            List::Ranges => {
                let mut ranges = Vec::new();
                for item in items {
                    let (segment, more) = ledger.said(item, read_ranges)?;
                    ranges.extend(Some(more).filter(|_| is_there(segment)).into_iter().flatten());
                }
                value = join_ranges(ranges);
                return Ok((value.len() > 1).then_some(value));
            }
            List::Blocks => {
                let mut blocks = Vec::new();
                for item in items {
                    let ((_, segment), more) = ledger.said(item, read_blocks)?;
                    blocks.extend(Some(more).filter(|_| is_there(segment)).into_iter().flatten());
                }
                value = join_blocks(blocks);
                return Ok((value.len() > 1).then_some(value));
            }
            _ => value.extend_from_slice(items.last().map_or(&[][..], Item::value)),
        }
        Ok(Some(value))
    }
}

fn ledgers(state: &State) -> Vec<&FileEntry> {
    state.manifest.files.iter().filter(|file| file.kind == FileKind::Ledger).collect()
}

fn refused(state: &State) -> Vec<&FileEntry> {
    state.outcasts.iter().map(|outcasts| &outcasts.entry).collect()
}

fn levels(files: &[&FileEntry]) -> Vec<u8> {
    files.iter().map(|file| file.level).collect()
}
