//! What is merged next: decided from what the manifest says of files, and from where inputs lie.
//!
//! Level 0 takes seals as they come. A higher level is a few *runs*: the segments that one merge
//! gave, which do not overlap. Commits tell runs apart, since a merge takes the oldest ones: its
//! outputs share commits with each other and with no other run of their level. Where that fails, a
//! run counts as two and is merged a little earlier.

use crate::manifest::FileEntry;

/// So many runs of a level are merged into one of the next.
pub(crate) const FANOUT: usize = 8;
/// The highest level of merges that nobody asked for.
pub(crate) const TOP_LEVEL: u8 = 8;

/// How many rows a merge takes. A value, so that a test can have a small one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Outputs have about so many rows.
    pub(crate) segment_rows: u64,
    /// Of so many rows it is remembered where they went.
    pub(crate) moved_rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_rows: 128 << 10, moved_rows: 1 << 20 }
    }
}

/// The segments of the oldest runs to merge, by index, and the level that they become.
pub(crate) fn pick(segments: &[&FileEntry]) -> Option<(Vec<usize>, u8)> {
    (0..=TOP_LEVEL).find_map(|level| {
        let runs = runs(segments, level);
        let oldest = runs.get(..FANOUT)?;
        Some((oldest.concat(), (level + 1).min(TOP_LEVEL)))
    })
}

/// The runs of a level, oldest first.
fn runs(segments: &[&FileEntry], level: u8) -> Vec<Vec<usize>> {
    let of_level = (0..segments.len()).filter(|at| segments[*at].level == level);
    let mut order: Vec<usize> = of_level.collect();
    order.sort_by_key(|at| (segments[*at].first, segments[*at].number));
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    for at in order {
        match runs.last_mut() {
            Some(run) if last >= Some(segments[at].first) => run.push(at),
            _ => runs.push(vec![at]),
        }
        last = last.max(Some(segments[at].last));
    }
    runs
}

/// Of files that are added up in order of number: how many of the newest to merge, and the level of
/// what they become. Older ones stay, so the sum of the newest has its place behind them.
pub(crate) fn newest(levels: &[u8]) -> Option<(usize, u8)> {
    (0..=TOP_LEVEL).find_map(|level| {
        let newest = levels.iter().rev().take_while(|there| **there <= level);
        let of_level = newest.clone().filter(|there| **there == level).count();
        (of_level >= FANOUT).then_some((newest.count(), (level + 1).min(TOP_LEVEL)))
    })
}

/// A place in the order of rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) conversation: Vec<u8>,
    pub(crate) created: i64,
}

/// Where an input's rows lie, both ends inclusive.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) first: Place,
    pub(crate) last: Place,
    pub(crate) rows: u64,
}

impl Span {
    /// Are there rows before a place, and others at it or behind?
    pub(crate) fn is_cut_by(&self, place: &Place) -> bool {
        self.first < *place && *place <= self.last
    }
}

/// Inputs that overlap with each other and with no other ones, in order of conversation.
pub(crate) fn groups(spans: &[Span]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by(|a, b| spans[*a].first.cmp(&spans[*b].first));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    for at in order {
        match groups.last_mut() {
            Some(group) if last >= Some(&spans[at].first) => group.push(at),
            _ => groups.push(vec![at]),
        }
        last = last.max(Some(&spans[at].last));
    }
    groups
}

impl Limits {
    /// A step of a merge takes no more rows if it can; what a step did is never done again.
    pub(crate) fn step_rows(self) -> u64 {
        8 * self.segment_rows
    }

    /// The groups that the next step merges: at least one, more as long as they are few rows together.
    /// One that is what it is to become does not count: alone it would be merged again and again.
    pub(crate) fn step(
        self,
        groups: &[Vec<usize>],
        spans: &[Span],
        is_done: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut rows = 0;
        for group in groups {
            rows += group.iter().map(|at| spans[*at].rows).sum::<u64>();
            let goes_on = match chosen[..] {
                [] => true,
                [one] => is_done(one),
                _ => false,
            };
            if !goes_on && rows > self.step_rows() {
                break;
            }
            chosen.extend(group);
        }
        chosen
    }

    /// Is it worth to be put together with what stands beside it?
    pub(crate) fn is_small<'s>(self, group: impl Iterator<Item = &'s Span>) -> bool {
        group.map(|span| span.rows).sum::<u64>() <= self.segment_rows / 2
    }

    /// Rows of each output, given all rows: even, so that no small one is left at the end.
    pub(crate) fn output_rows(self, rows: u64) -> u64 {
        let outputs = rows.div_ceil(self.segment_rows + self.segment_rows / 4).max(1);
        rows.div_ceil(outputs)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::multiset::Multiset;
    use crate::format::names::FileKind;
    use crate::types::Sequence;

    /// So few rows that a test with a few hundred merges several times.
    pub(crate) const SMALL: Limits = Limits { segment_rows: 96, moved_rows: 100 };

    /// A segment of a level with rows of these commits.
    fn segment(number: u64, level: u8, (first, last): (u64, u64)) -> FileEntry {
        FileEntry {
            kind: FileKind::Segment,
            number,
            level,
            bytes: 1,
            hash: [0; 32],
            rows: 1,
            multiset: Multiset::default(),
            first: Sequence(first),
            last: Sequence(last),
        }
    }

    fn picked(files: &[FileEntry]) -> Option<(Vec<u64>, u8)> {
        let (picked, level) = pick(&files.iter().collect::<Vec<_>>())?;
        Some((picked.into_iter().map(|at| files[at].number).collect(), level))
    }

    #[test]
    fn the_oldest_eight_runs_of_the_lowest_full_level_are_merged() {
        let seals = |count: u64| (1..=count).map(|at| segment(at, 0, (at * 10, at * 10 + 9)));
        let seals = |count| seals(count).collect::<Vec<_>>();
        assert_eq!(picked(&seals(7)), None);
        assert_eq!(picked(&seals(8)), Some(((1..=8).collect(), 1)));
        assert_eq!(picked(&seals(60)), Some(((1..=8).collect(), 1)), "never more at once");
        let mut mixed = seals(7);
        // Runs of two segments that share commits.
        mixed.extend(
            (0..16).map(|at| segment(100 + at, 1, (at / 2 * 50 + at % 2, at / 2 * 50 + 40))),
        );
        assert_eq!(picked(&mixed), Some(((100..116).collect(), 2)));
        mixed.push(segment(8, 0, (90, 90)));
        assert_eq!(picked(&mixed), Some(([1, 2, 3, 4, 5, 6, 7, 8].to_vec(), 1)), "lowest first");
        let hard: Vec<_> = (1..40).map(|at| segment(at, 9, (at, at))).collect();
        assert_eq!(picked(&hard), None, "what was packed hard stays");
    }

    #[test]
    fn a_sum_of_files_in_order_takes_the_newest_and_leaves_no_newer_one() {
        for (levels, expected) in [
            (&[0; 7][..], None),
            (&[0; 8], Some((8, 1))),
            (&[0; 11], Some((11, 1))),
            (&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], Some((8, 1))),
            (&[1, 1, 1, 1, 1, 1, 1, 0, 0], None),
            (&[2, 1, 1, 1, 1, 1, 1, 1, 1, 0], Some((9, 2))),
            (&[0, 0, 0, 0, 1, 0, 0, 0, 0], None),
        ] {
            assert_eq!(newest(levels), expected, "{levels:?}");
        }
    }

    fn span(first: u8, last: u8, rows: u64) -> Span {
        let place = |byte| Place { conversation: vec![byte], created: 0 };
        Span { first: place(first), last: place(last), rows }
    }

    #[test]
    fn inputs_that_overlap_are_one_group_and_a_step_takes_whole_groups() {
        let spans = [span(5, 6, 1), span(0, 1, 1), span(1, 3, 1), span(4, 4, 1), span(2, 2, 1)];
        let found = groups(&spans);
        assert_eq!(found, [vec![1, 2, 4], vec![3], vec![0]]);
        assert_eq!(SMALL.step(&found, &spans, |_| false), [1, 2, 4, 3, 0]);
        let rows = SMALL.step_rows();
        let large = [span(0, 1, rows), span(2, 3, 1), span(4, 9, rows)];
        let step = |spans: &[Span], done| SMALL.step(&groups(spans), spans, |at| Some(at) == done);
        assert_eq!(step(&large, None), [0]);
        assert_eq!(step(&large[1..], None), [0], "no more than a step's rows");
        assert_eq!(step(&large[1..], Some(0)), [0, 1], "or nothing would ever be done");
        assert!(large[2].is_cut_by(&large[2].last) && !large[2].is_cut_by(&large[2].first));
    }

    #[test]
    fn outputs_are_even() {
        let (full, rows) = (SMALL.segment_rows, |rows| SMALL.output_rows(rows));
        assert_eq!(rows(1), 1);
        assert_eq!(rows(full + 1), full + 1);
        assert_eq!(rows(2 * full), full);
        assert_eq!(rows(full * 3 / 2), full * 3 / 4);
    }
}
