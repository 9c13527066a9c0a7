//! What a state knows beside its rows: the book up to its manifest, and those of its slabs.
//!
//! Invariants: nothing in here is ahead of the state; no book is copied, so what a snapshot takes does
//! not grow with what commits say, but for eight bytes a custodian that the journal names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Book, Committed, Counts, Run, RunSummary};
use super::state::State;
use crate::error::{Error, Result};
use crate::format::names;
use crate::types::{CommitId, ContentAddress, Custodian, MessageKey, RunId, Sequence};

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Known {
    state: Arc<State>,
    /// Custodians that slabs name, by ascending number, with the last such slab.
    named: Vec<(u32, u32)>,
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
        Self { state: Arc::clone(state), named }
    }

    fn books(&self) -> impl DoubleEndedIterator<Item = &Book> {
        let added = self.state.slabs.iter().map(|slab| &slab.book);
        std::iter::once(&*self.state.base).chain(added)
    }

    pub(crate) fn custodian(&self, number: u32) -> Option<&Custodian> {
        let added = self.named.binary_search_by_key(&number, |(named, _)| *named).ok();
        let slab = added.and_then(|at| self.state.slabs.get(self.named[at].1 as usize));
        slab.map_or(&*self.state.base, |slab| &slab.book).custodians.get(&number)
    }

    /// The name of a custodian; for salvage its number stands for a name that is lost.
    pub(crate) fn name(&self, number: u32) -> Result<Custodian> {
        match self.custodian(number) {
            Some(name) => Ok(name.clone()),
            None if self.state.missing.salvage() => Ok(lost_name(number)),
            None => {
                self.state.need_ledgers()?;
                let place = names::manifest(self.state.manifest.number);
                Err(Error::corrupt(format!("custodian {number} has no name")).in_file(place))
            }
        }
    }

    /// All custodians by number.
    pub(crate) fn names(&self) -> impl Iterator<Item = (u32, &Custodian)> {
        let names = self.books().flat_map(|book| &book.custodians);
        names.map(|(number, name)| (*number, name))
    }

    fn runs(&self) -> impl Iterator<Item = (u32, &Run)> {
        self.books().flat_map(|book| &book.runs).map(|(number, run)| (*number, run))
    }

    /// The highest number of a run.
    pub(crate) fn last_run(&self) -> Option<u32> {
        self.runs().map(|(number, _)| number).max()
    }

    /// Counters by run and custodian, in parts that are summed.
    fn counts(&self) -> impl Iterator<Item = (&(u32, u32), &Counts)> {
        self.books().flat_map(|book| &book.counts)
    }

    pub(crate) fn has_counts(&self, place: (u32, u32)) -> bool {
        self.books().any(|book| book.counts.contains_key(&place))
    }

    pub(crate) fn has_run(&self, run: u32) -> bool {
        self.books().any(|book| book.runs.contains_key(&run))
    }

    /// Quarantined copies by run and custodian.
    pub(crate) fn quarantined(&self) -> BTreeMap<(u32, u32), u64> {
        let mut sums: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (place, counts) in self.counts().filter(|(_, counts)| counts.quarantined > 0) {
            *sums.entry(*place).or_default() += counts.quarantined;
        }
        sums
    }

    /// All runs and custodians together.
    pub(crate) fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.books().for_each(|book| total += book.total());
        total
    }

    /// All runs of each custodian.
    pub(crate) fn by_custodian(&self) -> BTreeMap<Custodian, Counts> {
        let mut sums: BTreeMap<Custodian, Counts> = BTreeMap::new();
        for ((_, custodian), counts) in self.counts() {
            let Some(name) = self.custodian(*custodian) else { continue };
            match sums.get_mut(name) {
                Some(sum) => *sum += *counts,
                None => drop(sums.insert(name.clone(), *counts)),
            }
        }
        sums
    }

    /// Every run, with the counters of all custodians together.
    pub(crate) fn run_summaries(&self) -> Vec<RunSummary> {
        let mut summaries = Vec::with_capacity(self.books().map(|book| book.runs.len()).sum());
        summaries.extend(self.runs().map(|(number, run)| RunSummary {
            run: RunId(number),
            label: run.label.clone(),
            started: run.started,
            counts: Counts::default(),
            last_commit: CommitId::default(),
        }));
        // Of one number the last counts.
        summaries.reverse();
        summaries.sort_by_key(|summary| summary.run);
        summaries.dedup_by_key(|summary| summary.run);
        for ((run, _), counts) in self.counts() {
            if let Ok(at) = summaries.binary_search_by_key(run, |summary| summary.run.0) {
                summaries[at].counts += *counts;
            }
        }
        for commit in self.books().flat_map(|book| &book.commits) {
            if let Ok(at) = summaries.binary_search_by_key(&commit.run, |summary| summary.run.0) {
                let last = &mut summaries[at].last_commit;
                *last = (*last).max(commit.id());
            }
        }
        summaries
    }

    /// Had any message an object as of a commit?
    pub(crate) fn has_links(&self, at: Sequence) -> bool {
        let mut links = self.books().flat_map(|book| book.links.values().flatten());
        links.any(|link| link.sequence <= at.0)
    }

    /// All objects that messages link to.
    pub(crate) fn linked(&self) -> BTreeSet<ContentAddress> {
        let links = self.books().flat_map(|book| book.links.values());
        links.flatten().map(|link| link.object).collect()
    }

    /// The objects that belonged to a message as of a commit: (attachment, object), each once.
    pub(crate) fn links(&self, key: &MessageKey, at: Sequence) -> Vec<(String, ContentAddress)> {
        let links = self.books().filter_map(|book| book.links.get(key)).flatten();
        let links = links.filter(|link| link.sequence <= at.0);
        let mut seen = BTreeSet::new();
        let new = links.filter(|link| seen.insert((&link.attachment, link.object)));
        new.map(|link| (link.attachment.clone(), link.object)).collect()
    }

    /// How many custodians and runs there are.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let there = &self.state.base.custodians;
        let added = self.named.iter().filter(|(number, _)| !there.contains_key(number));
        let mut runs: Vec<u32> = self.runs().map(|(number, _)| number).collect();
        runs.sort_unstable();
        runs.dedup();
        ((there.len() + added.count()) as u64, runs.len() as u64)
    }
}

/// What a custodian is called whose name is lost.
pub(crate) fn lost_name(number: u32) -> Custodian {
    Custodian::parse(&format!("user:lost-name-{number}"))
}

impl State {
    /// The last commit up to a number; none before the first.
    pub(crate) fn commit_at(&self, at: Sequence) -> Option<Committed> {
        let behind = self.slabs.partition_point(|slab| slab.sequence <= at);
        let last = self.slabs[..behind].last().and_then(|slab| slab.book.commits.last());
        last.copied().or_else(|| {
            let commits = &self.base.commits;
            let behind = commits.partition_point(|commit| commit.sequence <= at.0);
            commits[..behind].last().copied()
        })
    }

    /// A checkpoint's value; `None` if there is none or it was taken back.
    pub(crate) fn checkpoint(&self, name: &str) -> Option<Vec<u8>> {
        let newest = self.slabs.iter().rev().find_map(|slab| slab.book.checkpoints.get(name));
        let value = newest.or_else(|| self.base.checkpoints.get(name))?;
        (!value.is_empty()).then(|| value.clone())
    }

    /// The checkpoints whose names start with `prefix`, in name order.
    pub(crate) fn checkpoints(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let mut all: BTreeMap<&String, &Vec<u8>> = self.base.checkpoints_of(prefix).collect();
        self.slabs.iter().for_each(|slab| all.extend(slab.book.checkpoints_of(prefix)));
        let there = all.into_iter().filter(|(_, value)| !value.is_empty());
        there.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
