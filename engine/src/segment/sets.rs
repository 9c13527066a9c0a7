//! The custodian sets of a segment: who delivered a row, and how long behind the row's own commit.
//!
//! All in two allocations: a file has as many sets as it likes. Bytes: FORMAT.md, "Segment".

use crate::format::bytes::Reader;
use crate::format::limits::list;

/// Sets by number, each by ascending custodian.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    members: Vec<(u32, u64)>,
    /// Where each set ends among the members.
    ends: Vec<u32>,
}

impl Sets {
    /// Reads the sets of a segment of so many rows.
    pub(super) fn read(bytes: &[u8], rows: u32) -> Option<Self> {
        let reader = &mut Reader::new(bytes);
        let mut sets = Self::default();
        for _ in 0..reader.count(list::SETS.within(rows as usize))? {
            let mut custodian = 0_u32;
            for _ in 0..reader.count(list::SET_CUSTODIANS)? {
                custodian = custodian.checked_add(reader.varint32()?)?;
                sets.members.push((custodian, reader.varint()?));
            }
            sets.ends.push(u32::try_from(sets.members.len()).ok()?);
        }
        reader.is_empty().then_some(sets)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_come_back_by_number_and_empty_ones_too() {
        let sets = Sets::read(&[3, 2, 1, 0, 4, 9, 0, 1, 7, 1], 3).unwrap();
        let all: Vec<_> = sets.iter().collect();
        assert_eq!(all, [&[(1, 0), (5, 9)][..], &[], &[(7, 1)]]);
        assert_eq!((sets.len(), sets.get(2), sets.get(3)), (3, Some(all[2]), None));
        assert_eq!(sets.custodians().collect::<Vec<_>>(), [1, 5, 7]);
        assert!(Sets::read(&[3, 0, 0, 0], 2).is_none(), "more sets than rows");
        assert!(Sets::read(&[1, 0, 0], 3).is_none(), "something behind the last");
    }
}
