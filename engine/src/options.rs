//! What a caller can choose, and what holds an archive to the world: place, clock, chance.

use std::path::Path;
use std::sync::Arc;

pub use chatvault_base::{Clock, SystemClock};

use crate::archive::MergeLimits;
use crate::environment::Environment;
use crate::scan;
use crate::storage::{Disk, Storage};

/// Bounds of an open archive. Memory stays within these, and those of its environment, whatever the
/// archive's size.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What the archive shares with others of the process. `None`: an environment of its own, with
    /// the defaults of [`EnvironmentOptions`](crate::EnvironmentOptions). Clones of these options
    /// share the environment that they name.
    pub environment: Option<Environment>,
    /// What waits in memory and journal for its segment: when half of this has come it is sealed, while
    /// the other half fills. 64 MiB.
    pub memtable_bytes: usize,
    /// Fingerprints of raw copies remembered to tell duplicates apart fast. 96 MiB.
    pub recall_bytes: usize,
    /// Largest JSON document taken as a row, at most 32 MiB; a larger one is quarantined. 16 MiB.
    pub document_bytes: usize,
    /// Merge segments in the background, and what is due when a process that wrote closes the archive. On.
    pub background_compaction: bool,
    /// How long files that compaction replaced are kept for readers elsewhere. 24 hours.
    pub grace_seconds: u64,
    /// Leave out what is damaged or missing instead of failing, and name it: for reading only. Off.
    pub salvage: bool,
    pub(crate) scan: scan::Limits,
    pub(crate) merge: MergeLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            environment: None,
            memtable_bytes: 64 << 20,
            recall_bytes: 96 << 20,
            document_bytes: 16 << 20,
            background_compaction: true,
            grace_seconds: 24 * 60 * 60,
            salvage: false,
            scan: scan::Limits::default(),
            merge: MergeLimits::default(),
        }
    }
}

/// What an archive needs from the world around it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Where the files are.
    pub storage: Arc<dyn Storage>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

impl Host {
    /// A folder on disk, the system's clock and its randomness.
    pub fn disk(folder: impl AsRef<Path>) -> Self {
        Self { storage: Arc::new(Disk::new(folder)), clock: Arc::new(SystemClock) }
    }

    /// Any storage with the system's clock.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, clock: Arc::new(SystemClock) }
    }
}
