//! The quarantine as a snapshot shows it: an entry for different bytes, with how often they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::known::Known;
use super::quarantine::{Records, Refused};
use super::state::State;
use crate::error::Result;
use crate::types::{ContentAddress, Custodian, RunId, Sequence};

/// Copies that could not be keyed and are equal, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// BLAKE3 of their bytes.
    pub address: ContentAddress,
    /// How many copies each custodian's exports delivered, in all runs.
    pub copies: BTreeMap<Custodian, u64>,
    /// Whose export delivered the first one.
    pub custodian: Custodian,
    /// In which run.
    pub run: RunId,
    /// Why it could not be keyed.
    pub reason: String,
    /// The file or request it came in.
    pub source: String,
    /// Where in that it stood.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The commit that stored it.
    pub sequence: Sequence,
}

/// What is in quarantine, oldest first.
///
/// Holds a few hundred bytes for each entry, and the copies of about a megabyte at a time.
#[derive(Debug)]
pub struct Quarantine {
    known: Known,
    state: Arc<State>,
    /// What is not given yet, by address and custodian.
    copies: HashMap<ContentAddress, BTreeMap<u32, u64>, RandomState>,
    /// The file that is read next; those behind the last are the journal's commits.
    file: usize,
    open: Option<Records>,
    /// Records of commits.
    left: std::vec::IntoIter<(usize, usize)>,
}

impl Quarantine {
    pub(crate) fn of(known: Known, state: Arc<State>) -> Result<Self> {
        let mut copies: HashMap<ContentAddress, BTreeMap<u32, u64>, RandomState> =
            HashMap::default();
        let mut count = |refused: &Refused| {
            let of = copies.entry(refused.address).or_default();
            *of.entry(refused.custodian).or_default() += refused.copies;
        };
        for file in &state.outcasts {
            let index = state.missing.pass(file.index())?;
            index.iter().flat_map(|(index, _)| index).for_each(&mut count);
        }
        let mut left = Vec::new();
        for (number, slab) in state.slabs.iter().enumerate() {
            slab.refused.iter().for_each(&mut count);
            left.extend((0..slab.refused.len()).map(|record| (number, record)));
        }
        Ok(Self { known, state, copies, file: 0, open: None, left: left.into_iter() })
    }

    /// The next record that has bytes.
    fn record(&mut self) -> Result<Option<Refused>> {
        loop {
            if let Some(records) = &mut self.open {
                match self.state.missing.pass(records.next().transpose())?.flatten() {
                    Some(refused) => return Ok(Some(refused)),
                    None => self.open = None,
                }
            }
            let Some(file) = self.state.outcasts.get(self.file) else { break };
            self.file += 1;
            self.open = self.state.missing.pass(Records::of(Arc::clone(file)))?;
        }
        let next = self.left.next();
        let record = |(slab, record): (usize, usize)| {
            Some(self.state.slabs.get(slab)?.refused.get(record)?.clone())
        };
        Ok(next.and_then(record))
    }

    fn entry(&mut self) -> Result<Option<Quarantined>> {
        while let Some(Refused { address, custodian, run, kept, bytes, .. }) = self.record()? {
            let Some(kept) = kept else { continue };
            // Bytes that are kept twice, because a file could not be read once, are shown once.
            let Some(copies) = self.copies.remove(&address) else { continue };
            let named = copies.into_iter().map(|(number, count)| Ok((self.name(number)?, count)));
            return Ok(Some(Quarantined {
                address,
                copies: named.collect::<Result<_>>()?,
                custodian: self.name(custodian)?,
                run: RunId(run),
                reason: kept.reason,
                source: kept.source,
                offset: kept.offset,
                bytes,
                sequence: Sequence(kept.sequence),
            }));
        }
        Ok(None)
    }

    fn name(&self, number: u32) -> Result<Custodian> {
        self.known.name(number)
    }
}

impl Iterator for Quarantine {
    type Item = Result<Quarantined>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry();
        if entry.is_err() {
            // Nothing comes behind an error.
            (self.file, self.open) = (usize::MAX, None);
            self.left = Vec::new().into_iter();
        }
        entry.transpose()
    }
}
