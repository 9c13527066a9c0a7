//! Rows of a merge that are one: a row that was stored beside an unreadable one, and the one it equals.
//!
//! Rows of one message and version stand near each other in the order, those of one address together.

use std::collections::BTreeMap;

use super::super::folded::Folding;
use super::{Entry, Input};
use crate::archive::commit::committing::Compare;
use crate::error::Result;
use crate::types::ContentAddress;

/// Finds rows that are one.
pub(super) struct Twins<'t> {
    inputs: &'t [Input],
    folding: &'t mut Folding,
    /// Of each input.
    compare: Vec<Compare>,
}

impl<'t> Twins<'t> {
    pub(super) fn of(inputs: &'t [Input], folding: &'t mut Folding) -> Self {
        let compare = inputs.iter().map(|_| Compare::default()).collect();
        Self { inputs, folding, compare }
    }

    /// Marks what is folded, and puts it behind the row that it is one with.
    pub(super) fn fold(&mut self, order: &mut [Entry]) -> Result<()> {
        let place = |entry: &Entry| (entry.conversation, entry.created, entry.version);
        for near in order.chunk_by_mut(|a, b| place(a) == place(b)) {
            if near.len() > 1 && near.iter().any(|entry| entry.beside) {
                self.fold_near(near)?;
            }
        }
        Ok(())
    }

    /// Rows of one address stand together: it says what their id is.
    fn fold_near(&mut self, near: &mut [Entry]) -> Result<()> {
        let mut addresses = Vec::with_capacity(near.len());
        for entry in near.iter() {
            let (input, compare) =
                (&self.inputs[entry.input as usize], &mut self.compare[entry.input as usize]);
            addresses.push(compare.row(&input.live, entry.row)?.0);
        }
        let mut rest = near;
        for equal in addresses.chunk_by(|a, b| a == b) {
            let (run, behind) = rest.split_at_mut(equal.len());
            if let [address, _, ..] = equal {
                self.fold_equal(address, run)?;
            }
            rest = behind;
        }
        Ok(())
    }

    fn fold_equal(&mut self, address: &ContentAddress, run: &mut [Entry]) -> Result<()> {
        // Of each kind of record the row that was stored first.
        let mut first = BTreeMap::new();
        let mut facts = Vec::with_capacity(run.len());
        for (at, entry) in run.iter().enumerate() {
            let (keys, local) = self.inputs[entry.input as usize].keys(entry.row)?;
            let (record, sequence) = (keys.kind(local).0.code(), keys.sequence(local));
            let stays = first.entry(record).or_insert((sequence, at));
            *stays = (sequence, at).min(*stays);
            facts.push((record, sequence));
        }
        let mut placed = Vec::with_capacity(run.len());
        for (at, (entry, (record, sequence))) in run.iter().zip(facts).enumerate() {
            let stays = first.get(&record).map_or(at, |(_, stays)| *stays);
            let folded = entry.beside && stays != at && self.take(entry, sequence, address)?;
            let after = if folded { stays } else { at };
            placed.push((after, Entry { folded, ..*entry }));
        }
        placed.sort_by_key(|(after, entry)| (*after, entry.folded));
        run.iter_mut().zip(placed).for_each(|(entry, (_, placed))| *entry = placed);
        Ok(())
    }

    fn take(&mut self, entry: &Entry, sequence: u64, address: &ContentAddress) -> Result<bool> {
        let mut deliveries = Vec::new();
        self.inputs[entry.input as usize].deliveries(entry.row, &mut deliveries)?;
        Ok(self.folding.take(address, sequence, &deliveries))
    }
}
