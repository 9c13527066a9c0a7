//! Folding: a row that was stored beside an unreadable one is put into the one that it equals, once a
//! merge can read both. A record in the manifests says so.
//!
//! Invariants: a row is folded only into one of the same record kind and whole content address that
//! was stored before it, and its sightings go there; for each, one copy moves from stored to duplicates
//! in the counters of its run and custodian. Ledgers stay as they were written: whoever sums up their
//! counters takes what moved from the records.
//!
//! Bytes: FORMAT.md, "Manifest".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::accounts::known;
use crate::archive::state::State;
use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_varint};
use crate::format::head::FOLDS;
use crate::format::limits::list;
use crate::format::multiset::Multiset;
use crate::format::names;
use crate::manifest::{Change, Disposed, FileKind, Manifest, Record};
use crate::types::{ContentAddress, Sequence};

/// Where a manifest's body begins.
const BODY: u64 = 24;
/// The kind of such a record.
const KIND: u8 = 2;

/// Copies whose count moves from stored to duplicates, by run and custodian.
pub(crate) type CopiesMoved = BTreeMap<(u32, u32), u64>;

/// Rows that were stored twice, because the first one could not be read, and that one merge made one
/// again. A question as of a commit before shows one row where it showed two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// The last commit in segments when they were folded.
    pub commit: Sequence,
    /// How many rows left.
    pub rows: u64,
    /// The first and the last commit that had stored them.
    pub stored: (Sequence, Sequence),
    /// Their content addresses.
    pub(crate) multiset: Multiset,
    pub(crate) moved: CopiesMoved,
}

impl Folded {
    fn record(&self) -> Record {
        let mut bytes = Vec::new();
        for number in [self.commit.0, self.rows, self.stored.0.0, self.stored.1.0] {
            put_varint(&mut bytes, number);
        }
        bytes.extend_from_slice(&self.multiset.0);
        put_varint(&mut bytes, self.moved.len() as u64);
        for ((run, custodian), rows) in &self.moved {
            put_varint(&mut bytes, u64::from(*run));
            put_varint(&mut bytes, u64::from(*custodian));
            put_varint(&mut bytes, *rows);
        }
        Record { kind: KIND, bytes }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let reader = &mut Reader::new(bytes);
        let (commit, rows) = (Sequence(reader.varint()?), reader.varint()?);
        let stored = (Sequence(reader.varint()?), Sequence(reader.varint()?));
        let multiset = Multiset(reader.array()?);
        let (mut moved, mut left) = (CopiesMoved::new(), rows);
        for _ in 0..reader.count(list::MOVED)? {
            let place = (reader.varint32()?, reader.varint32()?);
            let count = reader.varint()?;
            left = left.checked_sub(count)?;
            if moved.insert(place, count).is_some() {
                return None;
            }
        }
        let whole = reader.is_empty() && left == 0;
        whole.then_some(Self { commit, rows, stored, multiset, moved })
    }

    /// All folds of an archive's past, the first one first.
    pub(crate) fn of(manifest: &Manifest) -> Vec<Self> {
        let records = manifest.records.iter().filter(|record| record.kind == KIND);
        records.filter_map(|record| Self::read(&record.bytes)).collect()
    }

    /// `Corrupt` if the record of a fold cannot be read, or says of other rows than the manifest that
    /// brought it.
    pub(crate) fn check(manifest: &Manifest) -> Result<()> {
        let wrong = |message| {
            Err(Error::corrupt(message).in_file(names::manifest(manifest.number)).at(BODY))
        };
        let records = manifest.records.iter().filter(|record| record.kind == KIND).count();
        if Self::of(manifest).len() != records {
            return wrong("record of a fold is damaged or over a limit");
        }
        let told = |disposed: &Disposed| {
            let record = manifest.records.get(usize::try_from(disposed.record).ok()?)?;
            let folded = Self::read(&record.bytes).filter(|_| record.kind == KIND)?;
            let same = (folded.rows, folded.multiset) == (disposed.rows, disposed.multiset);
            (same && disposed.kind == FileKind::Segment).then_some(())
        };
        if manifest.disposed.iter().all(|disposed| told(disposed).is_some()) {
            return Ok(());
        }
        wrong("rows left for which the record of a fold does not account")
    }

    /// Puts it into the manifest that drops the rows.
    pub(crate) fn put_into(&self, change: &mut Change, current: &Manifest) {
        if self.rows > 0 {
            let (rows, multiset) = (self.rows, self.multiset);
            let record = (current.records.len() + change.records.len()) as u64;
            change.disposed.push(Disposed { kind: FileKind::Segment, rows, multiset, record });
            change.records.push(self.record());
            change.required.push(FOLDS.to_owned());
        }
    }
}

/// Decides of rows that equal an earlier one, while a merge is built.
#[derive(Debug)]
pub(crate) struct Folding {
    state: Arc<State>,
    pub(crate) folded: Folded,
    /// Copies that may be moved, by run and custodian.
    stored: CopiesMoved,
}

impl Folding {
    pub(crate) fn of(state: &Arc<State>) -> Self {
        let folded = Folded { commit: state.manifest.sequence, ..Folded::default() };
        Self { state: Arc::clone(state), folded, stored: CopiesMoved::new() }
    }

    /// Folds a marked row, given who delivered it in which commit; false if it stays, because nothing
    /// says where it is counted.
    pub(crate) fn take(
        &mut self,
        address: &ContentAddress,
        sequence: u64,
        deliveries: &[(u32, u64)],
    ) -> bool {
        let with_it = deliveries.iter().filter(|(_, commit)| *commit == sequence);
        let custodian = with_it.map(|(custodian, _)| *custodian).min();
        // What cannot be read says nothing.
        let commit = self.state.commit_at(Sequence(sequence)).ok().flatten();
        let commit = commit.filter(|commit| commit.sequence == sequence);
        let Some((custodian, commit)) = custodian.zip(commit) else { return false };
        let place = (commit.run, custodian);
        let counted = *self.stored.entry(place).or_insert_with(|| {
            let moved = known::moved(&self.state).get(&place).copied().unwrap_or(0);
            self.state.stored(place).unwrap_or(0).saturating_sub(moved)
        });
        let folded = &mut self.folded;
        if folded.moved.get(&place).copied().unwrap_or(0) >= counted {
            return false;
        }
        *folded.moved.entry(place).or_default() += 1;
        let (first, last) = folded.stored;
        let first = if folded.rows == 0 { sequence } else { first.0.min(sequence) };
        folded.stored = (Sequence(first), Sequence(last.0.max(sequence)));
        folded.rows += 1;
        folded.multiset.insert(&address.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Timestamp;

    fn folded() -> Folded {
        Folded {
            commit: Sequence(300),
            rows: 5,
            stored: (Sequence(7), Sequence(9)),
            multiset: Multiset([3; 32]),
            moved: [((1, 0), 2), ((1, 4), 3)].into(),
        }
    }

    #[test]
    fn a_record_comes_back_and_a_part_of_it_or_another_sum_is_none() {
        let record = folded().record();
        assert_eq!(Folded::read(&record.bytes), Some(folded()));
        for cut in 0..record.bytes.len() {
            assert_eq!(Folded::read(&record.bytes[..cut]), None, "cut at {cut}");
        }
        let other = Folded { rows: 6, ..folded() };
        assert_eq!(Folded::read(&other.record().bytes), None);
    }

    #[test]
    fn rows_leave_only_with_a_record_that_accounts_for_them() {
        let first = Manifest::first([1; 16], Timestamp::from_ticks(0), 1);
        let mut change = Change::none(&first, Timestamp::from_ticks(0));
        folded().put_into(&mut change, &first);
        let sound = Manifest { records: change.records, disposed: change.disposed, ..first };
        assert!(Folded::check(&sound).is_ok());
        assert_eq!(Folded::of(&sound), [folded()]);
        let mut others = vec![sound.clone(); 4];
        others[0].disposed[0].rows += 1;
        others[1].disposed[0].multiset = Multiset([4; 32]);
        others[2].disposed[0].record += 1;
        assert!(others[3].records[0].bytes.pop().is_some());
        for other in others {
            let error = Folded::check(&other).unwrap_err();
            assert_eq!(error.file(), Some("manifest/0000000000000001.mft"), "{other:?}");
        }
    }
}
