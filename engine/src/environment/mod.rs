//! What the archives of a process share: a cache, threads for background work, open files.

use std::sync::Arc;

use crate::cache::{Cache, CacheUse, SharedCache};

/// How much the archives of an environment may use together.
#[derive(Clone, Debug)]
pub struct EnvironmentOptions {
    /// Bytes of decoded row groups, texts and tables kept for reuse. A single one of more than 15 MiB,
    /// or than the whole cache, is never kept. 64 MiB.
    pub cache_bytes: usize,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20 }
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
}

impl Environment {
    /// An environment within these bounds. Costs nothing before archives use it.
    pub fn new(options: EnvironmentOptions) -> Self {
        let cache = Arc::new(SharedCache::new(options.cache_bytes));
        Self(Arc::new(Shared { options, cache }))
    }

    /// The bounds.
    pub fn options(&self) -> &EnvironmentOptions {
        &self.0.options
    }

    /// What the cache holds, and how often it was of use.
    pub fn cache_use(&self) -> CacheUse {
        self.0.cache.usage()
    }

    /// One archive's entries of the cache.
    pub(crate) fn cache(&self) -> Cache {
        Cache::within(&self.0.cache)
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::new(EnvironmentOptions::default())
    }
}
