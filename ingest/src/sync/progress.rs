//! How far a run is, for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

use chatvault_base::{Progress, Unit};

use super::content::ContentTally;

/// How far a sync is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /// Accounts that had their turn.
    pub accounts: u64,
    /// Accounts that will have one; 0 while the directory is read.
    pub total_accounts: u64,
    /// Pages that are in.
    pub pages: u64,
    /// Copies that are in.
    pub copies: u64,
    /// Versions of them that were new.
    pub stored: u64,
    /// Binary contents that were fetched.
    pub objects: u64,
    /// Bytes of them.
    pub object_bytes: u64,
    /// Contents that could not be had.
    pub missing: u64,
    /// The service has asked for a pause, and some requests wait for its end.
    pub throttled: bool,
}

impl SyncProgress {
    /// The accounts, as every operation tells how far it is.
    pub fn share(&self) -> Progress {
        let of = Some(self.total_accounts).filter(|of| *of > 0);
        Progress::new(self.accounts, of, Unit::Accounts)
    }
}

/// The same while it is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accounts: AtomicU64,
    total_accounts: AtomicU64,
    pages: AtomicU64,
    objects: AtomicU64,
    object_bytes: AtomicU64,
    missing: AtomicU64,
}

impl Counters {
    pub(super) fn set_total(&self, accounts: usize) {
        self.total_accounts.store(accounts as u64, Ordering::Relaxed);
    }

    pub(super) fn add_account(&self) {
        add(&self.accounts, 1);
    }

    pub(super) fn add_page(&self) {
        add(&self.pages, 1);
    }

    pub(super) fn set_contents(&self, contents: &ContentTally) {
        self.objects.store(contents.objects, Ordering::Relaxed);
        self.object_bytes.store(contents.object_bytes, Ordering::Relaxed);
        self.missing.store(contents.failures, Ordering::Relaxed);
    }

    pub(super) fn read(&self, counts: chatvault_engine::Counts) -> SyncProgress {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SyncProgress {
            accounts: read(&self.accounts),
            total_accounts: read(&self.total_accounts),
            pages: read(&self.pages),
            copies: counts.offered,
            stored: counts.stored,
            objects: read(&self.objects),
            object_bytes: read(&self.object_bytes),
            missing: read(&self.missing),
            throttled: false,
        }
    }
}

/// Only sums are read, so no order is needed.
fn add(counter: &AtomicU64, count: u64) {
    let _before = counter.fetch_add(count, Ordering::Relaxed);
}
