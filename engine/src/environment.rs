//! What the archives of a process share: a cache, threads for background work, open files.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use chatvault_base::threads::{Jobs, Pool};

use crate::cache::{Cache, CacheUse, SharedCache};
#[cfg(unix)]
use crate::storage::FileTable;

/// How much the archives of an environment may use together.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnvironmentOptions {
    /// Bytes of decoded row groups, texts and tables kept for reuse. A single one of more than 15 MiB,
    /// or than the whole cache, is never kept. 64 MiB.
    pub cache_bytes: usize,
    /// Bytes of parts of segments kept for reuse beside that as they are stored, four to five times
    /// smaller than decoded: for storage that is slow to read, or when the system keeps no files in
    /// memory. They are decoded each time. 0: none are kept.
    pub stored_cache_bytes: usize,
    /// Threads that seal and merge, at least one. They are started when there is work and end when
    /// none is left; commits that need room meanwhile seal on their own thread. 2.
    pub background_threads: usize,
    /// Threads that one compaction or one [`Snapshot::scan_on`](crate::Snapshot::scan_on) takes at most,
    /// at least one. As many as the machine has cores.
    pub worker_threads: usize,
    /// Files that stay open, at least eight, beside the `LOCK` of each writer and what sled opens for the
    /// catalog of an archive of many segments. What is closed is opened again when it is used. Files of a
    /// [`Storage`](crate::Storage) that is no [`Disk`](crate::Disk) do not count, nor does anything where
    /// the system has no small limit of its own, as Windows. 64.
    pub open_files: usize,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        let worker_threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            cache_bytes: 64 << 20,
            stored_cache_bytes: 0,
            background_threads: 2,
            worker_threads,
            open_files: 64,
        }
    }
}

/// What the archives of a process share. Cloning gives another handle of the same environment.
///
/// An archive takes part by [`Options::environment`](crate::Options::environment), and without one has
/// an environment of its own. A process that opens many archives makes one for all of them: an idle
/// archive then costs next to nothing.
#[derive(Clone, Debug)]
pub struct Environment(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: EnvironmentOptions,
    cache: Arc<SharedCache>,
    stored: Option<Arc<SharedCache>>,
    pool: Arc<Pool>,
    #[cfg(unix)]
    files: Arc<FileTable>,
}

impl Environment {
    /// An environment within these bounds. Costs nothing before archives use it.
    pub fn new(options: EnvironmentOptions) -> Self {
        let cache = Arc::new(SharedCache::new(options.cache_bytes));
        let bytes = options.stored_cache_bytes;
        let stored = (bytes > 0).then(|| Arc::new(SharedCache::new(bytes)));
        let pool = Pool::new("chatvault-work", options.background_threads.max(1));
        #[cfg(unix)]
        let files = Arc::new(FileTable::new(options.open_files));
        Self(Arc::new(Shared {
            options,
            cache,
            stored,
            pool,
            #[cfg(unix)]
            files,
        }))
    }

    /// The bounds.
    pub fn options(&self) -> &EnvironmentOptions {
        &self.0.options
    }

    /// What the cache holds, and how often it was of use.
    pub fn cache_use(&self) -> CacheUse {
        self.0.cache.usage_with(self.0.stored.as_deref())
    }

    /// One archive's entries of the cache.
    pub(crate) fn cache(&self) -> Cache {
        Cache::within(&self.0.cache).with_stored(self.0.stored.as_ref())
    }

    #[cfg(unix)]
    pub(crate) fn files(&self) -> Arc<FileTable> {
        Arc::clone(&self.0.files)
    }

    /// One archive's background work.
    pub(crate) fn jobs(&self) -> Jobs {
        self.0.pool.jobs()
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::new(EnvironmentOptions::default())
    }
}
