//! Who delivered rows, and when: a sighting names a commit that is known, and none before its row's own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::book::{Book, SegmentRanges};
use super::super::ranges::Sighted;
use crate::manifest::FileEntry;

/// What ledgers and journal say of deliveries.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    /// Commits that ledgers and journal know.
    commits: BTreeSet<u64>,
    /// Commits in which something was delivered, and a file that says so.
    delivered: BTreeMap<u64, String>,
    /// Sightings of rows of segments beside those in the segments.
    ranges: SegmentRanges,
    /// A file that knows some commits cannot be read, or a repair had to do without one.
    pub(super) incomplete: bool,
}

impl Arrivals {
    pub(super) fn know(&mut self, commits: impl IntoIterator<Item = u64>) {
        self.commits.extend(commits);
    }

    pub(super) fn know_book(&mut self, book: &Book) {
        self.know(book.commits.iter().map(|commit| commit.sequence));
    }

    pub(super) fn name(&mut self, commit: u64, path: &str) {
        let _ = self.delivered.entry(commit).or_insert_with(|| path.to_owned());
    }

    /// Adds what one ledger says.
    pub(super) fn join(&mut self, ranges: &SegmentRanges) {
        for (segment, more) in ranges {
            let known = self.ranges.entry(*segment).or_default();
            *known = known.join(more);
        }
    }

    /// Commits in which something was delivered and that nothing knows, and a file that names each.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (u64, &str)> {
        let named = self.delivered.iter().filter(|(commit, _)| !self.is_known(**commit));
        named.map(|(commit, path)| (*commit, &**path))
    }

    fn is_known(&self, commit: u64) -> bool {
        self.incomplete || self.commits.contains(&commit)
    }

    /// What is wrong with the deliveries of a row of a segment. Its set has the custodians beside
    /// those of ledgers, and how many commits behind its own each delivered it.
    pub(super) fn wrong(
        &self,
        (segment, row): (u64, u32),
        sequence: u64,
        set: &[(u32, u64)],
    ) -> Option<String> {
        let at = |(custodian, age): &(u32, u64)| (*custodian, sequence.saturating_add(*age));
        let mut commits: Vec<(u32, u64)> = set.iter().map(at).collect();
        if let Some(ranges) = self.ranges.get(&segment) {
            ranges.of_row(row, &mut commits);
        }
        let is_wrong = |commit: &u64| *commit < sequence || !self.is_known(*commit);
        let mut commits = commits.into_iter().map(|(_, commit)| commit).chain([sequence]);
        let commit = commits.find(is_wrong)?;
        let why = if commit < sequence { "before it was stored" } else { "which nothing knows" };
        Some(format!("row {row} was delivered in commit {commit}, {why}"))
    }
}

/// Was something delivered before any row of its segment was there?
pub(super) fn is_early(range: &Sighted, segment: &FileEntry) -> bool {
    range.sequence < segment.first.0
}
