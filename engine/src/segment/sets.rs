//! The custodian sets of a segment: who delivered a row, and how long behind the row's own commit.
//!
//! All in two allocations: a file has as many sets as it likes. Bytes: FORMAT.md, "Segment".

use super::layout::{put_rising, read_rising};
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_signed};
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
    try_read_set(item).ok_or_else(|| Error::corrupt("custodian set is damaged"))
}

fn try_read_set(item: &[u8]) -> Option<Vec<(u32, u64)>> {
    let reader = &mut Reader::new(item);
    let custodians = read_strictly_rising(reader, list::SET_CUSTODIANS)?;
    let mut age = 0_u64;
    let pairs = custodians.into_iter().map(|custodian| {
        age = age.checked_add_signed(reader.signed()?)?;
        Some((custodian, age))
    });
    let pairs = pairs.collect::<Option<Vec<(u32, u64)>>>()?;
    reader.is_empty().then_some(pairs)
}

/// Sets of a custodian, from the part of its item behind its number.
pub(super) fn read_sets_of(item: &[u8]) -> Result<Vec<u32>> {
    let reader = &mut Reader::new(item);
    let sets = read_strictly_rising(reader, list::SETS_OF_CUSTODIAN).filter(|_| reader.is_empty());
    sets.ok_or_else(|| Error::corrupt("sets of a custodian are damaged"))
}

fn read_strictly_rising(reader: &mut Reader<'_>, limit: Limit) -> Option<Vec<u32>> {
    let numbers = read_rising(reader, limit)?;
    numbers.is_sorted_by(|one, next| one < next).then_some(numbers)
}

/// Appends a set as its item has it: the ages stand together, because most are alike.
pub(super) fn put_set(out: &mut Vec<u8>, set: &[(u32, u64)]) {
    let custodians: Vec<u32> = set.iter().map(|(custodian, _)| *custodian).collect();
    put_rising(out, &custodians);
    let mut before = 0;
    for (_, age) in set {
        put_signed(out, age.wrapping_sub(std::mem::replace(&mut before, *age)).cast_signed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_come_back_by_number_and_empty_ones_too() {
        let mut sets = Sets::default();
        let all: [&[(u32, u64)]; 3] = [&[(1, 9), (5, 0)], &[], &[(7, 1 << 56)]];
        for set in all {
            let mut item = Vec::new();
            put_set(&mut item, set);
            assert_eq!(read_set(&item).unwrap(), set);
            sets.add(&item).unwrap();
            item.push(0);
            assert!(sets.add(&item).is_err(), "something behind the last");
        }
        assert_eq!(sets.iter().collect::<Vec<_>>(), all);
        assert_eq!((sets.len(), sets.get(2), sets.get(3)), (3, Some(all[2]), None));
        assert_eq!(sets.custodians().collect::<Vec<_>>(), [1, 5, 7]);
        assert!(read_set(&[2, 1, 0, 0, 0]).is_err(), "a custodian twice");
    }
}
