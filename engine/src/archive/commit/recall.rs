//! Fingerprints of raw copies seen in this process, to tell most duplicates without reading them.
//!
//! A fingerprint is POLYVAL, a universal hash, under a key drawn at random for this process and
//! never stored, together with the length. Two different copies of n bytes agree with a
//! probability of at most (n / 16 + 1) / 2^128, whoever wrote them: nobody can prepare a
//! collision without the key. An entry is made only when its row has gone into the journal, and
//! goes with the process: it is never older than the row that it stands for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use polyval::universal_hash::UniversalHash;

use super::slab::RowRef;
use crate::types::{ContentAddress, RecordKind};

const SHARDS: usize = 64;
/// What an entry takes in a table, free places included.
const ENTRY_BYTES: usize = 48;

/// The fingerprint of a copy's exact bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u64; 2]);

/// Remembers which row a copy's bytes are, within a bound.
pub(crate) struct Recall {
    hash: polyval::Polyval,
    shards: Vec<Mutex<Shard>>,
    shard_entries: usize,
}

impl std::fmt::Debug for Recall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recall").field("shard_entries", &self.shard_entries).finish_non_exhaustive()
    }
}

type Table = HashTable<(Fingerprint, RowRef)>;

/// When `young` is full it becomes `old` and the old one is forgotten; what is used in `old`
/// moves to `young`.
#[derive(Debug, Default)]
struct Shard {
    young: Table,
    old: Table,
}

impl Recall {
    pub(crate) fn new(key: [u8; 16], bytes: usize) -> Self {
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, Mutex::default);
        let shard_entries = (bytes / SHARDS / ENTRY_BYTES / 2).max(16);
        Self { hash: polyval::Polyval::new(&key.into()), shards, shard_entries }
    }

    pub(crate) fn fingerprint(&self, record: RecordKind, copy: &[u8]) -> Fingerprint {
        let mut hash = self.hash.clone();
        hash.update_padded(copy);
        let mut length = [0; 16];
        length[..8].copy_from_slice(&(copy.len() as u64).to_le_bytes());
        length[8] = record.code();
        hash.update(&[length.into()]);
        let sum: [u8; 16] = hash.finalize().into();
        let (low, high) = sum.split_at(8);
        let half = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, byte| (n << 8) | u64::from(*byte));
        Fingerprint([half(low), half(high)])
    }

    /// The fingerprint of a copy in canonical form, by its content address: finds the row of a
    /// copy whose bytes are other ones.
    pub(crate) fn canonical(&self, record: RecordKind, address: &ContentAddress) -> Fingerprint {
        let Fingerprint([low, high]) = self.fingerprint(record, &address.0);
        // The complement: a document of the address's 32 bytes is another entry.
        Fingerprint([!low, !high])
    }

    pub(crate) fn get(&self, print: Fingerprint) -> Option<RowRef> {
        let shard = &mut *self.shard(print);
        if let Some((_, row)) = shard.young.find(print.0[0], |entry| entry.0 == print) {
            return Some(*row);
        }
        let (_, row) = *shard.old.find(print.0[0], |entry| entry.0 == print)?;
        shard.insert(print, row, self.shard_entries);
        Some(row)
    }

    /// Remembers a copy's row, whose place is asked for when nobody renews places beside.
    pub(crate) fn insert(&self, print: Fingerprint, row: impl FnOnce() -> RowRef) {
        let shard = &mut *self.shard(print);
        shard.insert(print, row(), self.shard_entries);
    }

    /// Replaces all places.
    pub(crate) fn renew(&self, place: impl Fn(RowRef) -> RowRef) {
        for shard in &self.shards {
            let Shard { young, old } = &mut *shard.lock().unwrap_or_else(PoisonError::into_inner);
            young.iter_mut().chain(old).for_each(|(_, row)| *row = place(*row));
        }
    }

    /// Gives back what it remembers, and may remember anew.
    pub(crate) fn forget(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    fn shard(&self, print: Fingerprint) -> MutexGuard<'_, Shard> {
        let place = usize::try_from(print.0[1]).unwrap_or(0) % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn insert(&mut self, print: Fingerprint, row: RowRef, limit: usize) {
        if self.young.len() >= limit {
            self.old = std::mem::take(&mut self.young);
        }
        let found = self.young.entry(print.0[0], |entry| entry.0 == print, |entry| entry.0.0[0]);
        let _ = found.insert((print, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_apart_by_every_byte_and_by_length() {
        let recall = Recall::new([7; 16], 1 << 20);
        let copies: [&[u8]; 5] = [b"", b"\0", b"\0\0", b"{\"a\":1}", b"{\"a\":2}"];
        let prints: Vec<Fingerprint> =
            copies.iter().map(|copy| recall.fingerprint(RecordKind::Message, copy)).collect();
        for (at, print) in prints.iter().enumerate() {
            assert!(!prints[..at].contains(print));
            assert_eq!(*print, recall.fingerprint(RecordKind::Message, copies[at]));
        }
        assert_ne!(
            prints[3],
            Recall::new([8; 16], 1 << 20).fingerprint(RecordKind::Message, copies[3])
        );
    }

    #[test]
    fn what_is_used_survives_and_memory_is_bounded() {
        let recall = Recall::new([7; 16], 1 << 20);
        let print = |n: u64| recall.fingerprint(RecordKind::Message, &n.to_le_bytes());
        for n in 0..100_000 {
            recall.insert(print(n), || RowRef { generation: 1, index: 5 });
            assert!(recall.get(print(0)).is_some(), "used all the time");
        }
        assert!(recall.get(print(1)).is_none());
        let kept: usize = recall
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap())
            .map(|shard| shard.young.len() + shard.old.len())
            .sum();
        assert!(kept * ENTRY_BYTES <= (1 << 20) + SHARDS * 2 * ENTRY_BYTES);
    }
}
