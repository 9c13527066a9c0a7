//! The quarantine as a snapshot shows it: an entry for different bytes, with how often they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::known::Known;
use super::quarantine::{Copies, Records, Refused};
use crate::archive::state::State;
use crate::error::Result;
use crate::types::{ContentAddress, Custodian, RunId, Sequence};

/// Copies that could not be keyed and are equal, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
/// Holds a page of a file at a time, and what the journal adds.
#[derive(Debug)]
pub struct Quarantine {
    known: Known,
    state: Arc<State>,
    /// What the journal's commits count, by address.
    added: HashMap<ContentAddress, Vec<Copies>, RandomState>,
    /// For salvage, which takes what is kept again for what is lost: what was given.
    given: HashSet<ContentAddress, RandomState>,
    /// The file that is read next; those behind the last are the journal's commits.
    file: usize,
    open: Option<Records>,
    /// Records of commits.
    left: std::vec::IntoIter<(usize, usize)>,
}

impl Quarantine {
    pub(crate) fn of(known: Known, state: Arc<State>) -> Self {
        let mut added: HashMap<ContentAddress, Vec<Copies>, RandomState> = HashMap::default();
        let mut left = Vec::new();
        for (number, slab) in state.slabs.iter().enumerate() {
            for refused in &slab.refused {
                added.entry(refused.address).or_default().push(Copies::of(refused));
            }
            left.extend((0..slab.refused.len()).map(|record| (number, record)));
        }
        let given = HashSet::default();
        Self { known, state, added, given, file: 0, open: None, left: left.into_iter() }
    }

    /// The next record that has bytes.
    fn record(&mut self) -> Result<Option<Refused>> {
        loop {
            if let Some(records) = &mut self.open {
                match self.state.missing.pass(records.next().transpose())? {
                    Some(Some(refused)) => return Ok(Some(refused)),
                    Some(None) => self.open = None,
                    None => {}
                }
                continue;
            }
            let Some(file) = self.state.outcasts.get(self.file) else { break };
            self.file += 1;
            self.open = self.state.missing.pass(Records::of(file))?;
        }
        let record = |(slab, record): (usize, usize)| {
            Some(self.state.slabs.get(slab)?.refused.get(record)?.clone())
        };
        Ok(self.left.find_map(|at| record(at).filter(|refused| refused.kept.is_some())))
    }

    fn entry(&mut self) -> Result<Option<Quarantined>> {
        while let Some(Refused { address, custodian, run, kept, bytes, .. }) = self.record()? {
            let Some(kept) = kept else { continue };
            let mut counted = self.added.get(&address).cloned().unwrap_or_default();
            for file in &self.state.outcasts {
                let found = self.state.missing.pass(file.of(&address))?;
                counted.extend(found.into_iter().flatten());
            }
            // Bytes that are kept twice, because a file could not be read once, are shown once.
            let first = counted.iter().map(|copies| copies.kept).filter(|kept| *kept > 0).min();
            let is_first = if self.state.missing.salvage() {
                self.given.insert(address)
            } else {
                first == Some(kept.sequence)
            };
            if !is_first {
                continue;
            }
            let mut copies = BTreeMap::new();
            for of in counted {
                *copies.entry(self.name(of.custodian)?).or_default() += of.count;
            }
            return Ok(Some(Quarantined {
                address,
                copies,
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
