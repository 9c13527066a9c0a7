//! Ledgers and quarantine files summed up, so that they stay few.
//!
//! Invariant: the order of ledgers counts, so a sum takes the newest ones, without a gap, and gets a
//! higher number than all of them. Nothing is being sealed meanwhile.

use std::sync::{Arc, PoisonError};

use super::ledger::Ledger;
use super::quarantine::{self, Outcasts};
use super::state::State;
use super::{Shared, ledger, merge};
use crate::error::{ErrorKind, Result};
use crate::format::names::FileKind;
use crate::manifest::{Change, FileEntry};

/// Quarantine files of at most so many bytes together are merged.
const MERGED_BYTES: u64 = 64 << 20;

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
        let mut writer = self.writer()?;
        let state = self.state();
        let number = writer.next_file;
        writer.next_file += 2;
        let mut change = Change::none(&state.manifest, self.host.clock.now());
        self.sum_up_ledgers(&state, number, all, &mut change)?;
        self.sum_up_refused(&state, number + 1, all, &mut change)?;
        if change.added.is_empty() {
            return Ok(false);
        }
        let (outcasts, removed) = (self.open_outcasts(&change.added), change.removed.clone());
        match self.publish(&writer, &state, change) {
            Ok(mut next) => {
                next.outcasts.retain(|outcasts| !removed.contains(&outcasts.entry.number));
                next.outcasts.extend(outcasts);
                self.set_state(next);
            }
            Err(error) => {
                writer.stop(&error);
                return Err(error);
            }
        }
        let cleared = self.clear_out(&writer);
        drop(writer);
        cleared.map(|()| true)
    }

    fn sum_up_ledgers(
        &self,
        state: &State,
        number: u64,
        all: bool,
        change: &mut Change,
    ) -> Result<()> {
        let files = ledgers(state);
        let due = if all { Some((files.len(), 0)) } else { merge::newest(&levels(&files)) };
        let Some((count, level)) = due.filter(|(count, _)| *count > 1) else { return Ok(()) };
        let mut sum = Ledger::default();
        for entry in &files[files.len() - count..] {
            let (storage, path) = (&*self.host.storage, entry.path());
            let ledger = match ledger::read(storage, self.archive, entry.number, &path) {
                Ok(ledger) => ledger,
                // The order of ledgers counts: none is summed up around one that is unknown.
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(()),
                Err(error) => return Err(error),
            };
            // What was taken back hides what an older ledger says.
            if count == files.len() {
                sum.book.learn(ledger.book);
            } else {
                sum.book.absorb(ledger.book);
            }
            for (segment, more) in ledger.ranges {
                if state.manifest.file(segment).is_some() {
                    let known = sum.ranges.entry(segment).or_default();
                    *known = known.join(&more);
                }
            }
        }
        // What has no room in one file stays in several.
        if ledger::fits(&sum) {
            let entry = self.write_ledger(number, &sum)?;
            change.added.push(FileEntry { level, ..entry });
            change.removed.extend(files[files.len() - count..].iter().map(|file| file.number));
        }
        Ok(())
    }

    fn sum_up_refused(
        &self,
        state: &State,
        number: u64,
        all: bool,
        change: &mut Change,
    ) -> Result<()> {
        let files = refused(state);
        let due = if all { Some((files.len(), 0)) } else { merge::newest(&levels(&files)) };
        let Some((count, level)) = due else { return Ok(()) };
        let newest = small(&state.outcasts[state.outcasts.len() - count..]);
        let readable = newest.iter().filter(|outcasts| outcasts.index().is_ok());
        let files: Vec<Arc<Outcasts>> = readable.cloned().collect();
        if files.len() > 1 {
            let encoded = quarantine::merge(self.archive, number, &files)?;
            let entry = self.write_refused(number, &encoded)?;
            change.added.push(FileEntry { level, ..entry });
            change.removed.extend(files.iter().map(|outcasts| outcasts.entry.number));
        }
        Ok(())
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

/// The newest quarantine files that are small together: what is merged at once is in memory.
fn small(files: &[Arc<Outcasts>]) -> &[Arc<Outcasts>] {
    let mut bytes = 0;
    let small = files.iter().rev().take_while(|file| {
        bytes += file.entry.bytes;
        bytes <= MERGED_BYTES
    });
    &files[files.len() - small.count()..]
}
