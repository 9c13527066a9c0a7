//! Every item of every ledger: can it be read, is it where it is looked for, and what does it name?
//!
//! A page of each ledger is in memory, and what is wrong.

use std::sync::Arc;

use super::super::accounts::book::{self, Counts};
use super::super::accounts::known::{read_checkpoint, read_name, read_run};
use super::super::accounts::late::{BLOCK_ROWS, read_blocks, read_ranges};
use super::super::accounts::ledger::{LISTS, Ledger, List, Meta, name_start, read_commit};
use super::super::accounts::ledger::{read_counts, read_links};
use super::super::accounts::ranges::Sighted;
use super::accounts::{Accounts, segment_of};
use super::arrivals::is_early;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::table::{Cursor, Item, Merge, Table, ordered32, ordered64, take32};

impl Accounts {
    /// Reads a ledger through; false if something of it cannot be read.
    pub(super) fn take_ledger(&mut self, ledger: &Arc<Ledger>, manifest: &Manifest) -> bool {
        let (mut whole, mut meta) = (true, Meta::default());
        for list in LISTS {
            let (mut cursor, mut items) = (Cursor::once(&ledger.table, list as u8), 0);
            loop {
                let taken = match cursor.next() {
                    Ok(None) => break,
                    Ok(Some(item)) => {
                        items += 1;
                        let known = meta.take(list, item.key(), item.value());
                        let damaged = || Error::corrupt("item is damaged or over a limit");
                        let known = known.ok_or_else(|| damaged().in_file(ledger.table.path()));
                        known.and_then(|()| self.take_item(ledger, list, &item, manifest))
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = taken {
                    whole = false;
                    self.findings.add(&error);
                }
            }
            if whole && items != ledger.table.items(list as u8) {
                whole = false;
                let message = format!(
                    "list {} has {items} items, not as many as the footer says",
                    list as u8
                );
                self.findings.add(&Error::corrupt(message).in_file(ledger.table.path()));
            }
        }
        if whole && meta != ledger.meta {
            whole = false;
            let message = "footer says another thing than the lists";
            self.findings.add(&Error::corrupt(message).in_file(ledger.table.path()));
        }
        whole
    }

    fn take_item(
        &mut self,
        ledger: &Ledger,
        list: List,
        item: &Item,
        manifest: &Manifest,
    ) -> Result<()> {
        let path = ledger.table.path();
        match list {
            List::Custodians => {
                let name = ledger.said(item, read_name)?;
                let key = [name_start(name.as_str()), item.key().to_vec()].concat();
                need(ledger, List::Names, &key)
            }
            List::Names => {
                let number = ledger.said(item, |key, _| key.block().and_then(|_| take32(key)))?;
                need(ledger, List::Custodians, &ordered32(number))
            }
            List::Runs => ledger.said(item, read_run).map(drop),
            List::Counters => {
                let ((_, custodian), _) = ledger.said(item, read_counts)?;
                self.name(std::iter::once(custodian), path);
                Ok(())
            }
            List::Checkpoints => ledger.said(item, read_checkpoint).map(drop),
            List::Links => ledger
                .said(item, |key, value| book::read_key(key).and_then(|_| read_links(value)))
                .map(drop),
            List::Commits => ledger.said(item, read_commit).map(drop),
            List::Ranges => {
                let (segment, ranges) = ledger.said(item, read_ranges)?;
                for range in &ranges {
                    self.take_range(segment, range, manifest, path);
                }
                let first =
                    ranges.first().map_or((0, 0), |it| (it.custodian, it.start / BLOCK_ROWS));
                let key = [&ordered32(first.0)[..], &ordered64(segment)].concat();
                let blocks = ledger.find(List::Blocks, &key, read_blocks)?;
                let is_in = |range: &Sighted| {
                    let mut blocks = blocks.iter().flat_map(|(_, blocks)| blocks);
                    blocks.any(|block| {
                        block.number == first.1
                            && (block.first..=block.last).contains(&range.sequence)
                    })
                };
                if ranges.iter().all(is_in) {
                    return Ok(());
                }
                let message =
                    format!("ranges of segment {segment} are in no block of their custodian");
                Err(Error::corrupt(message).in_file(path))
            }
            List::Blocks => ledger.said(item, read_blocks).map(drop),
        }
    }

    fn take_range(&mut self, segment: u64, range: &Sighted, manifest: &Manifest, path: &str) {
        let Some(entry) = segment_of(manifest, segment) else { return };
        self.name(std::iter::once(range.custodian), path);
        self.arrivals().name(range.sequence, path);
        let place = format!("rows {}..{} of segment {segment}", range.start, range.end);
        if u64::from(range.end) > entry.rows {
            let message = format!("sightings of {place}, which has {}", entry.rows);
            self.findings.add(&Error::corrupt(message).in_file(path));
        }
        if is_early(range, entry) {
            let commit = range.sequence;
            let message =
                format!("{place} were delivered in commit {commit}, before any was stored");
            self.findings.add(&Error::corrupt(message).in_file(path));
        }
    }

    /// Calls `each` with the counters of every run and custodian, folds taken into account.
    pub(super) fn counters(&self, each: &mut dyn FnMut((u32, u32), Counts)) -> Result<()> {
        let mut added = self.book.counts.clone();
        let mut one = |place: (u32, u32), mut counts: Counts| {
            let moved = self.moved.get(&place).map_or(0, |copies| counts.stored.min(*copies));
            counts.stored -= moved;
            counts.duplicates += moved;
            each(place, counts);
        };
        let read = self.merged(List::Counters, &mut |ledger, items| {
            let (mut sum, mut place) = (Counts::default(), (0, 0));
            for item in items {
                let (of, counts) = ledger.said(item, read_counts)?;
                (place, sum) = (of, {
                    sum += counts;
                    sum
                });
            }
            sum += added.remove(&place).unwrap_or_default();
            one(place, sum);
            Ok(())
        });
        for (place, counts) in added {
            one(place, counts);
        }
        read
    }

    /// Calls `each` with the items of each key of a list; what cannot be read is left out, and the last
    /// error given.
    pub(super) fn merged(
        &self,
        list: List,
        each: &mut dyn FnMut(&Ledger, &[Item]) -> Result<()>,
    ) -> Result<()> {
        let tables: Vec<&Arc<Table>> = self.ledgers.iter().map(|ledger| &ledger.table).collect();
        let (mut merge, mut items) = (Merge::of(tables, list as u8), Vec::new());
        let mut read = Ok(());
        loop {
            let next = match merge.next(&mut items) {
                Ok(()) if items.is_empty() => return read,
                Ok(()) => each(&self.ledgers[0], &items),
                Err(error) => Err(error),
            };
            read = next.and(read);
        }
    }
}

/// An item with a key must be there.
fn need(ledger: &Ledger, list: List, key: &[u8]) -> Result<()> {
    if ledger.table.get(list as u8, key)?.is_some() {
        return Ok(());
    }
    let message = "a custodian's number and name are not those of each other";
    Err(Error::corrupt(message).in_file(ledger.table.path()))
}
