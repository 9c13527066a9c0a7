//! What is known already: digests of raw copies and of canonical forms, with their row numbers.
//!
//! Sharded by digest so that workers seldom wait for each other, and unbounded: that is generous to the
//! peers, as chatvault's own memory of copies has a limit. A canonical form that this process has not seen
//! is looked up in the store, so a later import stores nothing twice either.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

/// Digests are as good as chance: their first bytes are the hash.
#[derive(Debug, Default)]
struct Digest(u64);

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    }

    fn write_u128(&mut self, digest: u128) {
        self.write(&digest.to_le_bytes());
    }
}

type Map = HashMap<u128, u32, BuildHasherDefault<Digest>>;

/// Row numbers of digests, and the next one that is free.
#[derive(Debug)]
pub struct Known {
    raw: [Mutex<Map>; SHARDS],
    canonical: [Mutex<Map>; SHARDS],
    next: AtomicU32,
}

impl Known {
    /// Nothing is known; row numbers start at `next`.
    pub fn new(next: u32) -> Self {
        let shards = || std::array::from_fn(|_| Mutex::default());
        Self { raw: shards(), canonical: shards(), next: AtomicU32::new(next) }
    }

    /// The row of a raw copy.
    pub fn raw(&self, digest: u128) -> Option<u32> {
        shard(&self.raw, digest).get(&digest).copied()
    }

    /// Remembers the row of a raw copy.
    pub fn remember(&self, digest: u128, row: u32) {
        let _ = shard(&self.raw, digest).insert(digest, row);
    }

    /// The row of a canonical form, and whether it is a new one that the caller must store.
    ///
    /// Of several who ask at once one is told that it is new.
    pub fn canonical(&self, digest: u128, stored: Option<u32>) -> (u32, bool) {
        let mut shard = shard(&self.canonical, digest);
        if let Some(row) = shard.get(&digest) {
            return (*row, false);
        }
        let row = stored.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed));
        let _ = shard.insert(digest, row);
        (row, stored.is_none())
    }
}

fn shard(shards: &[Mutex<Map>; SHARDS], digest: u128) -> MutexGuard<'_, Map> {
    // The map takes the first bytes for its own places.
    let at = (digest >> 120) as usize % SHARDS;
    shards[at].lock().unwrap_or_else(PoisonError::into_inner)
}
