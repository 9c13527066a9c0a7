//! Sightings of a segment's rows beside those in the segment: ranges of rows per custodian.

use std::sync::OnceLock;

/// "Custodian's export delivered rows `start..end`, first in this commit."
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sighted {
    pub(crate) custodian: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) sequence: u64,
}

/// Ranges in order of custodian and row; those of one custodian do not overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    list: Vec<Sighted>,
    /// Made when a row is first asked for.
    by_row: OnceLock<Tree>,
}

impl PartialEq for Ranges {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Ranges {}

/// The ranges by their start, and over each half of each half the furthest end: those that hold a
/// row are found without looking at the rest.
#[derive(Clone, Debug, Default)]
struct Tree {
    sorted: Vec<Sighted>,
    /// Of the subtree whose root is in the middle of a stretch of `sorted`, at the root's place.
    furthest: Vec<u32>,
}

impl Tree {
    fn of(list: &[Sighted]) -> Self {
        let mut sorted = list.to_vec();
        sorted.sort_unstable_by_key(|range| (range.start, range.custodian));
        let mut tree = Self { furthest: vec![0; sorted.len()], sorted };
        let _furthest = tree.fill(0, tree.sorted.len());
        tree
    }

    /// As deep as the logarithm of the number of ranges.
    fn fill(&mut self, start: usize, end: usize) -> u32 {
        if start >= end {
            return 0;
        }
        let root = start.midpoint(end);
        let own = self.sorted[root].end;
        let furthest = own.max(self.fill(start, root)).max(self.fill(root + 1, end));
        self.furthest[root] = furthest;
        furthest
    }

    fn visit(&self, row: u32, (start, end): (usize, usize), out: &mut Vec<(u32, u64)>) {
        if start >= end {
            return;
        }
        let root = start.midpoint(end);
        if self.furthest[root] <= row {
            return;
        }
        self.visit(row, (start, root), out);
        let range = self.sorted[root];
        if range.start > row {
            return;
        }
        if row < range.end {
            out.push((range.custodian, range.sequence));
        }
        self.visit(row, (root + 1, end), out);
    }
}

impl Ranges {
    /// From (custodian, row, sequence) in any order; of equal pairs the lowest sequence counts.
    pub(crate) fn of(mut sightings: Vec<(u32, u32, u64)>) -> Self {
        sightings.sort_unstable();
        sightings.dedup_by_key(|(custodian, row, _)| (*custodian, *row));
        let mut list: Vec<Sighted> = Vec::new();
        for (custodian, row, sequence) in sightings {
            let goes_on = |open: &Sighted| {
                (open.custodian, open.end, open.sequence) == (custodian, row, sequence)
            };
            match list.last_mut() {
                Some(open) if goes_on(open) => open.end += 1,
                _ => list.push(Sighted { custodian, start: row, end: row + 1, sequence }),
            }
        }
        Self { list, by_row: OnceLock::new() }
    }

    /// From ranges in any order: what overlaps counts once, as the one that starts first has it.
    pub(crate) fn of_all(mut list: Vec<Sighted>) -> Self {
        list.sort_unstable();
        let mut before = (0, 0);
        list.retain_mut(|range| {
            if range.custodian == before.0 {
                range.start = range.start.max(before.1);
            }
            let some = range.start < range.end;
            if some {
                before = (range.custodian, range.end);
            }
            some
        });
        Self { list, by_row: OnceLock::new() }
    }

    pub(crate) fn all(&self) -> &[Sighted] {
        &self.list
    }

    /// The ranges of one custodian.
    pub(crate) fn of_custodian(&self, custodian: u32) -> &[Sighted] {
        let start = self.list.partition_point(|range| range.custodian < custodian);
        let rest = &self.list[start..];
        &rest[..rest.partition_point(|range| range.custodian == custodian)]
    }

    /// The commit in which a custodian's export delivered a row first.
    pub(crate) fn first(&self, custodian: u32, row: u32) -> Option<u64> {
        let ranges = self.of_custodian(custodian);
        let after = ranges.partition_point(|range| range.start <= row);
        let range = ranges.get(after.checked_sub(1)?)?;
        (row < range.end).then_some(range.sequence)
    }

    /// The ranges of one custodian that hold rows of `start..end`.
    pub(crate) fn within(&self, custodian: u32, (start, end): (u32, u32)) -> &[Sighted] {
        let ranges = self.of_custodian(custodian);
        let rest = &ranges[ranges.partition_point(|range| range.end <= start)..];
        &rest[..rest.partition_point(|range| range.start < end)]
    }

    /// Puts (custodian, sequence) of every range that holds a row into `out`, in no particular order.
    pub(crate) fn of_row(&self, row: u32, out: &mut Vec<(u32, u64)>) {
        let tree = self.by_row.get_or_init(|| Tree::of(&self.list));
        tree.visit(row, (0, tree.sorted.len()), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_join_and_everything_comes_back() {
        let sightings = vec![(1, 5, 1), (1, 6, 1), (1, 7, 2), (0, 9, 1), (1, 5, 2), (2, 0, 1)];
        let ranges = Ranges::of(sightings);
        let list: Vec<_> =
            ranges.all().iter().map(|r| (r.custodian, r.start, r.end, r.sequence)).collect();
        assert_eq!(list, [(0, 9, 10, 1), (1, 5, 7, 1), (1, 7, 8, 2), (2, 0, 1, 1)]);
        let first = |custodian, row| ranges.first(custodian, row);
        assert_eq!(
            [first(1, 6), first(1, 7), first(1, 8), first(3, 0)],
            [Some(1), Some(2), None, None]
        );
        let within = |rows| ranges.within(1, rows).iter().map(|range| range.start).collect();
        let parts: [Vec<u32>; 4] = [within((0, 5)), within((6, 7)), within((6, 9)), within((8, 9))];
        assert_eq!(parts, [vec![], vec![5], vec![5, 7], vec![]]);
        for row in 0..12 {
            let mut found = Vec::new();
            ranges.of_row(row, &mut found);
            found.sort_unstable();
            let holds = ranges.all().iter().filter(|range| (range.start..range.end).contains(&row));
            assert_eq!(
                found,
                holds.map(|r| (r.custodian, r.sequence)).collect::<Vec<_>>(),
                "{row}"
            );
        }
    }
}
