//! What an archive held at a commit, as a number: how an index knows the archive that it is of.
//!
//! Numbers of commits come again after an archive was put back from a copy, contents do not.

use chatvault_engine::{ContentAddress, RecordKind, Scan, Sequence, Snapshot, Versions};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many rows of all kinds there were, and the sum of their content addresses: as little-endian
/// numbers, modulo 2^256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    rows: u64,
    sum: [u8; 32],
}

impl Contents {
    /// What a snapshot holds.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let (rows, sum) = snapshot.content();
        Self { rows, sum }
    }

    /// What a snapshot holds up to a commit: all of it without what came later.
    pub(super) fn at(snapshot: &Snapshot, sequence: u64) -> Result<Self> {
        let mut contents = Self::of(snapshot);
        if sequence < snapshot.sequence().0 {
            let later = arrived(sequence, snapshot.sequence().0);
            for record in RecordKind::ALL {
                let later = Scan { record, ..later.clone() };
                each(snapshot, &later, &mut |address| contents.take(address))?;
            }
        }
        Ok(contents)
    }

    /// Adds the rows of kinds that are not read for their words.
    pub(super) fn add_others(
        &mut self,
        snapshot: &Snapshot,
        arrived: &Scan,
        read: &[RecordKind],
    ) -> Result<()> {
        for record in RecordKind::ALL.into_iter().filter(|record| !read.contains(record)) {
            let scan = Scan { record, ..arrived.clone() };
            each(snapshot, &scan, &mut |address| self.add(address))?;
        }
        Ok(())
    }

    /// Adds a row.
    pub(super) fn add(&mut self, address: &ContentAddress) {
        self.rows += 1;
        let mut carry = 0;
        for (own, more) in self.sum.iter_mut().zip(address.0) {
            let (sum, first) = own.overflowing_add(more);
            let (sum, second) = sum.overflowing_add(carry);
            (*own, carry) = (sum, u8::from(first || second));
        }
    }

    /// Takes a row away.
    fn take(&mut self, address: &ContentAddress) {
        self.rows = self.rows.saturating_sub(1);
        let mut borrow = 0;
        for (own, less) in self.sum.iter_mut().zip(address.0) {
            let (rest, first) = own.overflowing_sub(less);
            let (rest, second) = rest.overflowing_sub(borrow);
            (*own, borrow) = (rest, u8::from(first || second));
        }
    }
}

/// Every row of messages that arrived after a commit, up to another.
pub(super) fn arrived(since: u64, until: u64) -> Scan {
    Scan {
        versions: Versions::EveryVariant,
        // No commit has the number 0.
        since: (since > 0).then_some(Sequence(since)),
        as_of_sequence: Some(Sequence(until)),
        ..Scan::default()
    }
}

fn each(snapshot: &Snapshot, scan: &Scan, on: &mut dyn FnMut(&ContentAddress)) -> Result<()> {
    let mut rows = snapshot.scan(scan).map_err(Error::Archive)?;
    while let Some(row) = rows.next().map_err(Error::Archive)? {
        on(&row.document().map_err(Error::Archive)?.address());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_can_be_taken_away_whatever_overflows() {
        let mut contents = Contents { rows: 1, sum: [0xff; 32] };
        let before = contents;
        for byte in [0, 1, 0x80, 0xff] {
            contents.add(&ContentAddress([byte; 32]));
        }
        assert_eq!(contents.rows, 5);
        for byte in [0x80, 0, 0xff, 1] {
            contents.take(&ContentAddress([byte; 32]));
        }
        assert_eq!(contents, before);
        contents.add(&ContentAddress([0x01; 32]));
        assert_eq!(contents.sum[..2], [0x00, 0x01], "the carry goes upwards");
    }
}
