//! What a repaired archive keeps of where it came from: a record in its manifests.
//!
//! Invariant: what is lost is counted here and stays counted as stored, so that the conservation law
//! holds: rows stored = rows there + rows lost, and likewise for quarantined copies.
//!
//! Bytes: FORMAT.md, "Manifest".

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::format::bytes::{Reader, put_varint};
use crate::format::limits::list;
use crate::format::names;
use crate::manifest::{Manifest, Record};
use crate::types::{ContentAddress, Sequence};

/// Where a manifest's body begins.
const BODY: u64 = 24;
/// The kind of such a record.
const KIND: u8 = 1;

/// Where a repaired archive came from, and what was lost on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// The id of the damaged archive.
    pub archive: [u8; 16],
    /// The last commit of it that could be read.
    pub commit: Sequence,
    /// Rows that were stored and are gone.
    pub rows_lost: u64,
    /// Objects that are gone.
    pub objects_lost: u64,
    /// Objects that messages link to and that are gone.
    pub(crate) linked_lost: BTreeSet<ContentAddress>,
    /// Quarantined copies that are gone, by run and custodian.
    pub(crate) quarantined_lost: BTreeMap<(u32, u32), u64>,
}

impl Repaired {
    pub(crate) fn record(&self) -> Record {
        let mut bytes = self.archive.to_vec();
        for number in [self.commit.0, self.rows_lost, self.objects_lost] {
            put_varint(&mut bytes, number);
        }
        put_varint(&mut bytes, self.linked_lost.len() as u64);
        self.linked_lost.iter().for_each(|object| bytes.extend_from_slice(&object.0));
        put_varint(&mut bytes, self.quarantined_lost.len() as u64);
        for ((run, custodian), count) in &self.quarantined_lost {
            put_varint(&mut bytes, u64::from(*run));
            put_varint(&mut bytes, u64::from(*custodian));
            put_varint(&mut bytes, *count);
        }
        Record { kind: KIND, bytes }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let reader = &mut Reader::new(bytes);
        let mut repaired = Self {
            archive: reader.array()?,
            commit: Sequence(reader.varint()?),
            rows_lost: reader.varint()?,
            objects_lost: reader.varint()?,
            linked_lost: BTreeSet::new(),
            quarantined_lost: BTreeMap::new(),
        };
        for _ in 0..reader.count(list::LOST_OBJECTS)? {
            let _ = repaired.linked_lost.insert(ContentAddress(reader.array()?));
        }
        for _ in 0..reader.count(list::LOST_COPIES)? {
            let place = (reader.varint32()?, reader.varint32()?);
            let _ = repaired.quarantined_lost.insert(place, reader.varint()?);
        }
        reader.is_empty().then_some(repaired)
    }

    /// `Corrupt` if a record of a repair cannot be read.
    pub(crate) fn check(manifest: &Manifest) -> Result<()> {
        let records = manifest.records.iter().filter(|record| record.kind == KIND).count();
        if Self::of(manifest).len() == records {
            return Ok(());
        }
        let message = "record of a repair is damaged or over a limit";
        Err(Error::corrupt(message).in_file(names::manifest(manifest.number)).at(BODY))
    }

    /// All repairs that led to an archive, the first one first.
    pub(crate) fn of(manifest: &Manifest) -> Vec<Self> {
        let records = manifest.records.iter().filter(|record| record.kind == KIND);
        records.filter_map(|record| Self::read(&record.bytes)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_a_part_of_it_is_none() {
        let repaired = Repaired {
            archive: [7; 16],
            commit: Sequence(300),
            rows_lost: 4096,
            objects_lost: 2,
            linked_lost: [ContentAddress([5; 32])].into(),
            quarantined_lost: [((1, 0), 3)].into(),
        };
        let record = repaired.record();
        assert_eq!(Repaired::read(&record.bytes).as_ref(), Some(&repaired));
        for cut in 0..record.bytes.len() {
            assert_eq!(Repaired::read(&record.bytes[..cut]), None, "cut at {cut}");
        }
        let mut manifest = Manifest::first([1; 16], crate::types::Timestamp::from_ticks(0), 1);
        manifest.records = vec![Record { kind: 9, bytes: Vec::new() }, record];
        assert_eq!(Repaired::of(&manifest), [repaired]);
        assert!(Repaired::check(&manifest).is_ok());
        assert!(manifest.records[1].bytes.pop().is_some());
        let error = Repaired::check(&manifest).unwrap_err();
        assert_eq!(error.file(), Some("manifest/0000000000000001.mft"));
    }
}
