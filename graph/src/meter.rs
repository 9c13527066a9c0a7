//! What requests cost: counted while they run, read when an account is done.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What requests cost, for one account; shared by its tasks.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    throttled_ms: AtomicU64,
}

/// What requests cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Traffic {
    /// Requests sent, repeated and redirected ones included; requests for tokens are not.
    pub requests: u64,
    /// Of these, the ones that asked again after a failure.
    pub retries: u64,
    /// Bytes of the bodies that came, after decompression.
    pub bytes: u64,
    /// Time that requests waited because the service had asked for a pause, summed over requests.
    pub throttled_ms: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.retries = self.retries.saturating_add(other.retries);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.throttled_ms = self.throttled_ms.saturating_add(other.throttled_ms);
    }
}

impl Meter {
    /// What was counted so far.
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: read(&self.requests),
            retries: read(&self.retries),
            bytes: read(&self.bytes),
            throttled_ms: read(&self.throttled_ms),
        }
    }

    pub(crate) fn request(&self) {
        add(&self.requests, 1);
    }

    pub(crate) fn retry(&self) {
        add(&self.retries, 1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        add(&self.bytes, bytes as u64);
    }

    pub(crate) fn throttled(&self, waited: Duration) {
        add(&self.throttled_ms, u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
    }
}

fn add(counter: &AtomicU64, more: u64) {
    // Counters of one account cannot come near the end of u64.
    let _before = counter.fetch_add(more, Ordering::Relaxed);
}
