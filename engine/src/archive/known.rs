//! What a state knows beside its rows: the book up to its manifest, and what its slabs add, as one.
//!
//! Invariant: nothing in here is ahead of the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::book::{Book, Committed, Counts, Run, RunSummary};
use super::slab::Slab;
use super::state::State;
use crate::error::{Error, Result};
use crate::format::names;
use crate::types::{ContentAddress, Custodian, MessageKey, RunId, Sequence};

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Known {
    base: Arc<Book>,
    added: Added,
}

/// What the slabs add.
#[derive(Debug)]
enum Added {
    /// That of the only one, as it is: a commit may say much.
    Slab(Arc<Slab>),
    /// Their sum.
    Sum(Book),
}

impl Known {
    pub(crate) fn of(state: &State) -> Self {
        let added = match state.slabs.as_slice() {
            [only] => Added::Slab(Arc::clone(only)),
            slabs => {
                let mut sum = Book::default();
                for slab in slabs {
                    sum.absorb(slab.book.clone());
                }
                Added::Sum(sum)
            }
        };
        Self { base: Arc::clone(&state.base), added }
    }

    fn added(&self) -> &Book {
        match &self.added {
            Added::Slab(slab) => &slab.book,
            Added::Sum(sum) => sum,
        }
    }

    fn books(&self) -> [&Book; 2] {
        [&self.base, self.added()]
    }

    pub(crate) fn custodian(&self, number: u32) -> Option<&Custodian> {
        self.books().into_iter().rev().find_map(|book| book.custodians.get(&number))
    }

    /// The name of a custodian; for salvage its number stands for a name that is lost.
    pub(crate) fn name(&self, state: &State, number: u32) -> Result<Custodian> {
        match self.custodian(number) {
            Some(name) => Ok(name.clone()),
            None if state.missing.salvage() => Ok(lost_name(number)),
            None => {
                state.need_ledgers()?;
                let place = names::manifest(state.manifest.number);
                Err(Error::corrupt(format!("custodian {number} has no name")).in_file(place))
            }
        }
    }

    /// All custodians by number.
    pub(crate) fn names(&self) -> impl Iterator<Item = (u32, &Custodian)> {
        let names = self.books().into_iter().flat_map(|book| &book.custodians);
        names.map(|(number, name)| (*number, name))
    }

    fn runs(&self) -> BTreeMap<u32, &Run> {
        let runs = self.books().into_iter().flat_map(|book| &book.runs);
        runs.map(|(number, run)| (*number, run)).collect()
    }

    /// The highest number of a run.
    pub(crate) fn last_run(&self) -> Option<u32> {
        self.books().into_iter().filter_map(|book| book.runs.keys().next_back().copied()).max()
    }

    /// Counters by run and custodian, in two parts that are summed.
    fn counts(&self) -> impl Iterator<Item = (&(u32, u32), &Counts)> {
        self.books().into_iter().flat_map(|book| &book.counts)
    }

    pub(crate) fn has_counts(&self, place: (u32, u32)) -> bool {
        self.books().into_iter().any(|book| book.counts.contains_key(&place))
    }

    pub(crate) fn has_run(&self, run: u32) -> bool {
        self.books().into_iter().any(|book| book.runs.contains_key(&run))
    }

    /// Quarantined copies by run and custodian.
    pub(crate) fn quarantined(&self) -> BTreeMap<(u32, u32), u64> {
        let mut sums: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (place, counts) in self.counts() {
            *sums.entry(*place).or_default() += counts.quarantined;
        }
        sums
    }

    /// All runs and custodians together.
    pub(crate) fn total(&self) -> Counts {
        let mut total = self.base.total();
        total += self.added().total();
        total
    }

    /// All runs of each custodian.
    pub(crate) fn by_custodian(&self) -> BTreeMap<Custodian, Counts> {
        let mut sums: BTreeMap<Custodian, Counts> = BTreeMap::new();
        for ((_, custodian), counts) in self.counts() {
            if let Some(name) = self.custodian(*custodian) {
                *sums.entry(name.clone()).or_default() += *counts;
            }
        }
        sums
    }

    /// Every run, with the counters of all custodians together.
    pub(crate) fn run_summaries(&self) -> Vec<RunSummary> {
        let mut sums: BTreeMap<u32, Counts> = BTreeMap::new();
        for ((run, _), counts) in self.counts() {
            *sums.entry(*run).or_default() += *counts;
        }
        let runs = self.runs().into_iter().map(|(number, run)| RunSummary {
            run: RunId(number),
            label: run.label.clone(),
            started: run.started,
            counts: sums.remove(&number).unwrap_or_default(),
        });
        runs.collect()
    }

    /// Had any message an object as of a commit?
    pub(crate) fn has_links(&self, at: Sequence) -> bool {
        let mut links = self.books().into_iter().flat_map(|book| book.links.values().flatten());
        links.any(|link| link.sequence <= at.0)
    }

    /// All objects that messages link to.
    pub(crate) fn linked(&self) -> BTreeSet<ContentAddress> {
        let links = self.books().into_iter().flat_map(|book| book.links.values());
        links.flatten().map(|link| link.object).collect()
    }

    /// The objects that belonged to a message as of a commit: (attachment, object), each once.
    pub(crate) fn links(&self, key: &MessageKey, at: Sequence) -> Vec<(String, ContentAddress)> {
        let mut all = Vec::new();
        for link in self.books().into_iter().filter_map(|book| book.links.get(key)).flatten() {
            let pair = (link.attachment.clone(), link.object);
            if link.sequence <= at.0 && !all.contains(&pair) {
                all.push(pair);
            }
        }
        all
    }

    /// The last commit up to a number; none before the first.
    pub(crate) fn commit_at(&self, at: Sequence) -> Option<Committed> {
        self.books().into_iter().rev().find_map(|book| {
            let behind = book.commits.partition_point(|commit| commit.sequence <= at.0);
            book.commits.get(behind.checked_sub(1)?).copied()
        })
    }

    /// How many custodians and runs there are.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        let added =
            self.added().custodians.keys().filter(|at| !self.base.custodians.contains_key(at));
        let custodians = self.base.custodians.len() + added.count();
        (custodians as u64, self.runs().len() as u64)
    }
}

/// What a custodian is called whose name is lost.
pub(crate) fn lost_name(number: u32) -> Custodian {
    Custodian::parse(&format!("user:lost-name-{number}"))
}

impl State {
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
