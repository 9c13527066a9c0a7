//! Who delivered rows, and when: a sighting names a commit that is known, and none before its row's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::accounts::late::{InOrder, Late};
use super::super::accounts::ledger::Ledger;
use super::super::accounts::ranges::Sighted;
use super::super::held::Missing;
use crate::manifest::FileEntry;

/// What ledgers and journal say of deliveries.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    ledgers: Vec<Arc<Ledger>>,
    /// Commits that the journal knows.
    commits: BTreeSet<u64>,
    /// Commits in which something was delivered and that nothing knows, and a file that says so.
    unknown: BTreeMap<u64, String>,
    /// A file that knows some commits cannot be read, or a repair had to do without one.
    pub(super) incomplete: bool,
}

impl Arrivals {
    pub(super) fn of(ledgers: &[Arc<Ledger>]) -> Self {
        Self { ledgers: ledgers.to_vec(), ..Self::default() }
    }

    pub(super) fn know(&mut self, commits: impl IntoIterator<Item = u64>) {
        self.commits.extend(commits);
    }

    pub(super) fn name(&mut self, commit: u64, path: &str) {
        if !self.is_known(commit) {
            let _ = self.unknown.entry(commit).or_insert_with(|| path.to_owned());
        }
    }

    /// Commits in which something was delivered and that nothing knows, and a file that names each.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (u64, &str)> {
        let unknown = self.unknown.iter().filter(|_| !self.incomplete);
        unknown.map(|(commit, path)| (*commit, &**path))
    }

    fn is_known(&self, commit: u64) -> bool {
        let known = |ledger: &Arc<Ledger>| {
            // What cannot be read is told by who reads it all.
            let found = ledger.commit_at(commit);
            found.map_or(true, |found| found.is_some_and(|found| found.sequence == commit))
        };
        self.incomplete || self.commits.contains(&commit) || self.ledgers.iter().any(known)
    }

    /// What ledgers say of a segment.
    pub(super) fn late(&self, segment: u64) -> Late {
        Late::of(segment, &self.ledgers, &Arc::new(Missing::default()))
    }

    /// What is wrong with the deliveries of a row of a segment. Its set has the custodians beside
    /// those of ledgers, and how many commits behind its own each delivered it.
    pub(super) fn wrong(
        &self,
        (late, row): (&mut InOrder<'_>, u32),
        sequence: u64,
        set: &[(u32, u64)],
    ) -> Option<String> {
        let at = |(custodian, age): &(u32, u64)| (*custodian, sequence.saturating_add(*age));
        let mut commits: Vec<(u32, u64)> = set.iter().map(at).collect();
        // Who went through the ledgers has told what cannot be read.
        if let Ok(ranges) = late.at(row) {
            ranges.of_row(row, &mut commits);
        }
        let mut commits: Vec<u64> = commits.into_iter().map(|(_, commit)| commit).collect();
        commits.push(sequence);
        commits.dedup();
        let is_wrong = |commit: &u64| *commit < sequence || !self.is_known(*commit);
        let commit = commits.into_iter().find(is_wrong)?;
        let why = if commit < sequence { "before it was stored" } else { "which nothing knows" };
        Some(format!("row {row} was delivered in commit {commit}, {why}"))
    }
}

/// Was something delivered before any row of its segment was there?
pub(super) fn is_early(range: &Sighted, segment: &FileEntry) -> bool {
    range.sequence < segment.first.0
}
