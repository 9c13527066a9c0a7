//! The custodian sets of a segment: who delivered a row, and how long behind the row's own commit.
//!
//! All in two allocations: a file has as many sets as it likes. Bytes: FORMAT.md, "Segment".

use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_varint};
use crate::format::limits::{Limit, list};

/// Sets by number, each by ascending custodian.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    members: Vec<(u32, u64)>,
    /// Where each set ends among the members.
    ends: Vec<u32>,
}

impl Sets {
    /// Adds a set as its item says.
    pub(super) fn add(&mut self, item: &[u8]) -> Result<()> {
        self.members.extend(read_set(item)?);
        let end = u32::try_from(self.members.len()).ok();
        self.ends.push(end.ok_or_else(|| Error::corrupt("custodian sets are over their limit"))?);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A set's custodians, each with its age.
    pub(crate) fn get(&self, number: usize) -> Option<&[(u32, u64)]> {
        let end = *self.ends.get(number)? as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.members.get(start..end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[(u32, u64)]> {
        (0..self.len()).map(|number| self.get(number).unwrap_or_default())
    }

    /// The custodians of all sets.
    pub(crate) fn custodians(&self) -> impl Iterator<Item = u32> {
        self.members.iter().map(|(custodian, _)| *custodian)
    }

    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.members.len() * 16 + self.ends.len() * 4
    }
}

/// Custodians and ages of a set, from its item.
pub(super) fn read_set(item: &[u8]) -> Result<Vec<(u32, u64)>> {
    read_pairs(item, list::SET_CUSTODIANS).ok_or_else(|| Error::corrupt("custodian set is damaged"))
}

/// Sets and ages of a custodian, from the part of its item behind its number.
pub(super) fn read_sets_of(item: &[u8]) -> Result<Vec<(u32, u64)>> {
    let pairs = read_pairs(item, list::SETS);
    pairs.ok_or_else(|| Error::corrupt("sets of a custodian are damaged"))
}

/// Pairs whose first number rises from zero, none twice, and an age each.
fn read_pairs(item: &[u8], limit: Limit) -> Option<Vec<(u32, u64)>> {
    let reader = &mut Reader::new(item);
    let mut before = None::<u32>;
    let pairs = reader.list(limit, |reader| {
        let gap = reader.varint32()?;
        let next = before.map_or(Some(gap), |before| before.checked_add(gap))?;
        let rises = before.is_none_or(|before| before < next);
        before = Some(next);
        rises.then_some((next, reader.varint()?))
    })?;
    reader.is_empty().then_some(pairs)
}

/// Appends pairs as their items have them.
pub(super) fn put_pairs(out: &mut Vec<u8>, pairs: &[(u32, u64)]) {
    put_varint(out, pairs.len() as u64);
    let mut before = 0;
    for (number, age) in pairs {
        put_varint(out, u64::from(number - std::mem::replace(&mut before, *number)));
        put_varint(out, *age);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_come_back_by_number_and_empty_ones_too() {
        let mut sets = Sets::default();
        let all: [&[(u32, u64)]; 3] = [&[(1, 0), (5, 9)], &[], &[(7, 1)]];
        for set in all {
            let mut item = Vec::new();
            put_pairs(&mut item, set);
            assert_eq!(read_set(&item).unwrap(), set);
            sets.add(&item).unwrap();
            item.push(0);
            assert!(sets.add(&item).is_err(), "something behind the last");
        }
        assert_eq!(sets.iter().collect::<Vec<_>>(), all);
        assert_eq!((sets.len(), sets.get(2), sets.get(3)), (3, Some(all[2]), None));
        assert_eq!(sets.custodians().collect::<Vec<_>>(), [1, 5, 7]);
        assert!(read_set(&[2, 1, 0, 0, 3]).is_err(), "a custodian twice");
    }
}
