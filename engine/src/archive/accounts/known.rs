//! What a state knows beside its rows: what its ledgers hold and what its slabs add.
//!
//! Invariants: nothing in here is ahead of the state; ledgers are read by page, so what a snapshot takes
//! does not grow with them, but for names of custodians that were asked for. For salvage a page that
//! cannot be read costs what is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::book::{self, Committed, Counts, Run, RunSummary};
use super::ledger::{Ledger, List, link_key, name_start, place_key, read_counts, read_links};
use crate::archive::maintain::folded::{CopiesMoved, Folded};
use crate::archive::state::State;
use crate::error::{Error, Result};
use crate::format::bytes::Reader;
use crate::format::limits;
use crate::format::names;
use crate::table::{Cursor, Item, ordered32, take32};
use crate::types::{CommitId, ContentAddress, Custodian, MessageKey, RunId, Sequence, Timestamp};

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Known {
    state: Arc<State>,
    /// Custodians that slabs name, by ascending number, with the last such slab.
    named: Vec<(u32, u32)>,
    names: Mutex<HashMap<u32, Custodian, RandomState>>,
    /// The commit that was asked for last: neighbours mostly came together.
    commit: Mutex<Option<Committed>>,
}

impl Known {
    pub(crate) fn of(state: &Arc<State>) -> Self {
        let slabs = (0..).zip(&state.slabs);
        let named = slabs.flat_map(|(slab, it): (u32, _)| {
            it.book.custodians.keys().map(move |number| (*number, slab))
        });
        let mut named: Vec<(u32, u32)> = named.collect();
        named.sort_unstable_by_key(|(number, slab)| (*number, std::cmp::Reverse(*slab)));
        named.dedup_by_key(|(number, _)| *number);
        let state = Arc::clone(state);
        Self { state, named, names: Mutex::default(), commit: Mutex::default() }
    }

    pub(crate) fn custodian(&self, number: u32) -> Result<Option<Custodian>> {
        let names = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names().get(&number) {
            return Ok(Some(name.clone()));
        }
        let added = self.named.binary_search_by_key(&number, |(named, _)| *named).ok();
        let slab = added.and_then(|at| self.state.slabs.get(self.named[at].1 as usize));
        let name = match slab.and_then(|slab| slab.book.custodians.get(&number)) {
            Some(name) => Some(name.clone()),
            None => self.state.newest(List::Custodians, &ordered32(number), read_name)?,
        };
        names().extend(name.iter().map(|name| (number, name.clone())));
        Ok(name)
    }

    /// The name of a custodian; for salvage its number stands for a name that is lost.
    pub(crate) fn name(&self, number: u32) -> Result<Custodian> {
        match self.custodian(number)? {
            Some(name) => Ok(name),
            None if self.state.missing.salvage() => Ok(lost_name(number)),
            None => {
                self.state.need_ledgers()?;
                let place = names::manifest(self.state.manifest.number);
                Err(Error::corrupt(format!("custodian {number} has no name")).in_file(place))
            }
        }
    }

    /// The commit of a number, or the last one before.
    pub(crate) fn commit_at(&self, at: Sequence) -> Result<Option<Committed>> {
        let memo = || self.commit.lock().unwrap_or_else(PoisonError::into_inner);
        let there = *memo();
        if let Some(commit) = there.filter(|commit| commit.sequence == at.0) {
            return Ok(Some(commit));
        }
        let found = self.state.commit_at(at)?;
        *memo() = found;
        Ok(found)
    }

    /// The number behind the highest custodian's.
    pub(crate) fn next_custodian(&self) -> u32 {
        let sealed = self.state.ledgers.iter().map(|ledger| ledger.meta.next_custodian).max();
        let added = self.named.last().map_or(0, |(number, _)| number.saturating_add(1));
        added.max(sealed.unwrap_or(0))
    }

    /// The highest number of a run.
    pub(crate) fn last_run(&self) -> Option<u32> {
        let sealed = self.state.ledgers.iter().filter_map(|it| it.meta.next_run.checked_sub(1));
        let added = self.state.slabs.iter().filter_map(|slab| slab.book.runs.keys().next_back());
        sealed.chain(added.copied()).max()
    }

    /// Calls `each` with counters by run and custodian, in parts that are summed.
    fn counts(&self, each: &mut dyn FnMut((u32, u32), &Counts)) -> Result<()> {
        self.state.all(List::Counters, &mut |ledger, item| {
            let (place, counts) = ledger.said(item, read_counts)?;
            each(place, &counts);
            Ok(())
        })?;
        let added = self.state.slabs.iter().flat_map(|slab| &slab.book.counts);
        added.for_each(|(place, counts)| each(*place, counts));
        Ok(())
    }

    pub(crate) fn has_counts(&self, place: (u32, u32)) -> Result<bool> {
        Ok(self.state.slabs.iter().any(|slab| slab.book.counts.contains_key(&place))
            || self.state.newest(List::Counters, &place_key(place), read_counts)?.is_some())
    }

    pub(crate) fn has_run(&self, run: u32) -> Result<bool> {
        Ok(self.state.run(run)?.is_some())
    }

    /// Quarantined copies by run and custodian.
    pub(crate) fn quarantined(&self) -> Result<BTreeMap<(u32, u32), u64>> {
        let mut sums: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        self.counts(&mut |place, counts| {
            if counts.quarantined > 0 {
                *sums.entry(place).or_default() += counts.quarantined;
            }
        })?;
        Ok(sums)
    }

    /// All runs and custodians together.
    pub(crate) fn total(&self) -> Result<Counts> {
        let mut total = Counts::default();
        if self.state.missing.salvage() {
            self.counts(&mut |_, counts| total += *counts)?;
        } else {
            self.state.ledgers.iter().for_each(|ledger| total += ledger.meta.total);
            let added = self.state.slabs.iter().flat_map(|slab| slab.book.counts.values());
            added.for_each(|counts| total += *counts);
        }
        self.folded()?.values().for_each(|copies| fold(&mut total, *copies));
        Ok(total)
    }

    /// Copies that folds moved from stored to duplicates, as far as they are counted.
    fn folded(&self) -> Result<CopiesMoved> {
        let mut moved = moved(&self.state);
        for (place, copies) in &mut moved {
            *copies = (*copies).min(self.state.stored(*place)?);
        }
        Ok(moved)
    }

    /// All runs of each custodian.
    pub(crate) fn by_custodian(&self) -> Result<BTreeMap<Custodian, Counts>> {
        let mut by_number: BTreeMap<u32, Counts> = BTreeMap::new();
        self.counts(&mut |(_, custodian), counts| {
            *by_number.entry(custodian).or_default() += *counts;
        })?;
        for ((_, custodian), copies) in self.folded()? {
            by_number.get_mut(&custodian).into_iter().for_each(|counts| fold(counts, copies));
        }
        let mut sums: BTreeMap<Custodian, Counts> = BTreeMap::new();
        for (number, counts) in by_number {
            if let Some(name) = self.custodian(number)? {
                *sums.entry(name).or_default() += counts;
            }
        }
        Ok(sums)
    }

    /// Every run, with the counters of all custodians together.
    pub(crate) fn run_summaries(&self) -> Result<Vec<RunSummary>> {
        let mut all: Vec<RunSummary> = Vec::new();
        let begin = |number: u32, run: Run| RunSummary {
            run: RunId(number),
            label: run.label,
            started: run.started,
            counts: Counts::default(),
            last_commit: CommitId::default(),
        };
        self.state.all(List::Runs, &mut |ledger, item| {
            let (number, run) = ledger.said(item, read_run)?;
            all.push(begin(number, run));
            Ok(())
        })?;
        all.reserve_exact(self.state.slabs.iter().map(|slab| slab.book.runs.len()).sum());
        let added = self.state.slabs.iter().flat_map(|slab| &slab.book.runs);
        all.extend(added.map(|(number, run)| begin(*number, run.clone())));
        // Of one number the last counts.
        all.reverse();
        all.sort_by_key(|summary| summary.run);
        all.dedup_by_key(|summary| summary.run);
        let place = |all: &[RunSummary], run| all.binary_search_by_key(&run, |it| it.run.0).ok();
        self.counts(&mut |(run, _), counts| {
            if let Some(at) = place(&all, run) {
                all[at].counts += *counts;
            }
        })?;
        for ((run, _), copies) in self.folded()? {
            if let Some(at) = place(&all, run) {
                fold(&mut all[at].counts, copies);
            }
        }
        let mut commit = |commit: Committed| {
            if let Some(at) = place(&all, commit.run) {
                all[at].last_commit = all[at].last_commit.max(commit.id());
            }
        };
        self.state.all(List::Commits, &mut |ledger, item| {
            commit(ledger.said(item, super::ledger::read_commit)?);
            Ok(())
        })?;
        let added = self.state.slabs.iter().flat_map(|slab| &slab.book.commits);
        added.for_each(|added| commit(*added));
        Ok(all)
    }

    /// Had any message an object as of a commit?
    pub(crate) fn has_links(&self, at: Sequence) -> bool {
        let sealed = self.state.ledgers.iter().map(|ledger| ledger.meta.first_link);
        let added = self.state.slabs.iter().flat_map(|slab| slab.book.links.values().flatten());
        let added = added.map(|link| link.sequence);
        sealed.chain(added).any(|first| (1..=at.0).contains(&first))
    }

    /// The objects that messages link to, but for those that are `had`.
    pub(crate) fn linked(
        &self,
        had: &BTreeSet<ContentAddress>,
    ) -> Result<BTreeSet<ContentAddress>> {
        let mut linked = BTreeSet::new();
        let mut take = |links: &[book::Link]| {
            let objects = links.iter().map(|link| link.object);
            linked.extend(objects.filter(|object| !had.contains(object)));
        };
        self.state.all(List::Links, &mut |ledger, item| {
            take(
                &ledger
                    .said(item, |key, value| book::read_key(key).and_then(|_| read_links(value)))?,
            );
            Ok(())
        })?;
        let added = self.state.slabs.iter().flat_map(|slab| slab.book.links.values());
        added.for_each(|links| take(links));
        Ok(linked)
    }

    /// The objects that belonged to a message as of a commit: (attachment, object), each once.
    pub(crate) fn links(
        &self,
        key: &MessageKey,
        at: Sequence,
    ) -> Result<Vec<(String, ContentAddress)>> {
        let (name, mut links) = (link_key(key), Vec::new());
        for ledger in self.state.ledgers.iter().filter(|it| it.meta.first_link > 0) {
            let found = ledger.find(List::Links, &name, |key, value| {
                book::read_key(key).and_then(|_| read_links(value))
            });
            links.extend(self.state.missing.pass(found)?.flatten().into_iter().flatten());
        }
        let added = self.state.slabs.iter().filter_map(|slab| slab.book.links.get(key));
        links.extend(added.flatten().cloned());
        let mut seen = BTreeSet::new();
        links.retain(|link| {
            link.sequence <= at.0 && seen.insert((link.attachment.clone(), link.object))
        });
        Ok(links.into_iter().map(|link| (link.attachment, link.object)).collect())
    }

    /// How many custodians and runs there are.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let items = |list: List| {
            self.state.ledgers.iter().map(|it| it.table.items(list as u8)).sum::<u64>()
        };
        let runs = self.state.slabs.iter().map(|slab| slab.book.runs.len() as u64);
        let custodians = items(List::Custodians) + self.named.len() as u64;
        (custodians, items(List::Runs) + runs.sum::<u64>())
    }
}

/// Copies that folds moved, by run and custodian.
pub(crate) fn moved(state: &State) -> CopiesMoved {
    let mut moved = CopiesMoved::new();
    for (place, copies) in Folded::of(&state.manifest).into_iter().flat_map(|it| it.moved) {
        let of = moved.entry(place).or_default();
        *of = of.saturating_add(copies);
    }
    moved
}

fn fold(counts: &mut Counts, copies: u64) {
    counts.stored = counts.stored.saturating_sub(copies);
    counts.duplicates = counts.duplicates.saturating_add(copies);
}

/// What a custodian is called whose name is lost.
pub(crate) fn lost_name(number: u32) -> Custodian {
    Custodian::parse(&format!("user:lost-name-{number}"))
}

pub(crate) fn read_name(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<Custodian> {
    let _number = take32(key).filter(|number| *number < limits::CUSTODIAN)?;
    Custodian::stored(std::str::from_utf8(value.take(value.rest().len())?).ok()?)
}

pub(crate) fn read_run(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Option<(u32, Run)> {
    let number = take32(key).filter(|run| *run <= limits::RUN)?;
    let label = value.text()?.to_owned();
    Some((number, Run { label, started: Timestamp::from_ticks(value.signed()?) }))
}

pub(crate) fn read_checkpoint(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Option<(String, Vec<u8>)> {
    let name = std::str::from_utf8(key.take(key.rest().len())?).ok()?.to_owned();
    Some((name, value.take(value.rest().len())?.to_vec()))
}

impl State {
    /// What the newest ledger that has a key says of it.
    fn newest<T>(
        &self,
        list: List,
        key: &[u8],
        read: impl Fn(&mut Reader<'_>, &mut Reader<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        for ledger in self.ledgers.iter().rev() {
            if let Some(found) = self.missing.pass(ledger.find(list, key, &read))?.flatten() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Calls `each` with the items of a list of every ledger whose keys start so, older ones first.
    fn each(
        &self,
        list: List,
        prefix: &[u8],
        each: &mut dyn FnMut(&Ledger, &Item) -> Result<()>,
    ) -> Result<()> {
        for ledger in &self.ledgers {
            let mut cursor = match prefix {
                b"" => Cursor::once(&ledger.table, list as u8),
                _ => Cursor::kept(&ledger.table, list as u8, prefix),
            };
            loop {
                match self.missing.pass(cursor.next_with(prefix))? {
                    Some(Some(item)) => drop(self.missing.pass(each(ledger, &item))?),
                    Some(None) => break,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// The same of every item.
    pub(crate) fn all(
        &self,
        list: List,
        each: &mut dyn FnMut(&Ledger, &Item) -> Result<()>,
    ) -> Result<()> {
        self.each(list, b"", each)
    }

    /// The last commit up to a number; none before the first.
    pub(crate) fn commit_at(&self, at: Sequence) -> Result<Option<Committed>> {
        let behind = self.slabs.partition_point(|slab| slab.sequence <= at);
        let last = self.slabs[..behind].last().and_then(|slab| slab.book.commits.last());
        if last.is_some() {
            return Ok(last.copied());
        }
        let mut last: Option<Committed> = None;
        for ledger in self.ledgers.iter().rev() {
            let before = last.map_or(0, |commit| commit.sequence);
            if ledger.meta.commits.is_some_and(|(_, last)| last.sequence > before) {
                let found = self.missing.pass(ledger.commit_at(at.0))?.flatten();
                last = found.filter(|commit| commit.sequence > before).or(last);
            }
        }
        Ok(last)
    }

    /// A run by its number.
    pub(crate) fn run(&self, number: u32) -> Result<Option<Run>> {
        let added = self.slabs.iter().rev().find_map(|slab| slab.book.runs.get(&number));
        if let Some(run) = added {
            return Ok(Some(run.clone()));
        }
        Ok(self.newest(List::Runs, &ordered32(number), read_run)?.map(|(_, run)| run))
    }

    /// How many copies of a run and custodian were stored, in ledgers.
    pub(crate) fn stored(&self, place: (u32, u32)) -> Result<u64> {
        let (key, mut stored) = (place_key(place), 0);
        for ledger in &self.ledgers {
            let found = self.missing.pass(ledger.find(List::Counters, &key, read_counts))?;
            let counts = found.flatten().map_or(0, |(_, counts)| counts.stored);
            stored = u64::saturating_add(stored, counts);
        }
        Ok(stored)
    }

    /// The numbers of a custodian, of which a damaged archive can have several.
    pub(crate) fn numbers_of(&self, name: &Custodian) -> Result<Vec<u32>> {
        let (start, mut numbers) = (name_start(name.as_str()), Vec::new());
        self.each(List::Names, &start, &mut |ledger, item| {
            numbers.push(ledger.said(item, |key, _| key.block().and_then(|_| take32(key)))?);
            Ok(())
        })?;
        let added = self.slabs.iter().flat_map(|slab| &slab.book.custodians);
        numbers.extend(added.filter(|(_, there)| *there == name).map(|(number, _)| *number));
        Ok(numbers)
    }

    /// The last number that a custodian was given.
    pub(crate) fn number_of(&self, name: &Custodian) -> Result<Option<u32>> {
        Ok(self.numbers_of(name)?.into_iter().max())
    }

    /// A checkpoint's value; `None` if there is none or it was taken back.
    pub(crate) fn checkpoint(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let added = self.slabs.iter().rev().find_map(|slab| slab.book.checkpoints.get(name));
        let value = if let Some(value) = added {
            Some(value.clone())
        } else {
            let found = self.newest(List::Checkpoints, name.as_bytes(), read_checkpoint)?;
            found.map(|(_, value)| value)
        };
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The checkpoints whose names start with `prefix`, in name order.
    pub(crate) fn checkpoints(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        self.each(List::Checkpoints, prefix.as_bytes(), &mut |ledger, item| {
            let (name, value) = ledger.said(item, read_checkpoint)?;
            drop(all.insert(name, value));
            Ok(())
        })?;
        for (name, value) in self.slabs.iter().flat_map(|slab| slab.book.checkpoints_of(prefix)) {
            drop(all.insert(name.clone(), value.clone()));
        }
        Ok(all.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}
