//! What was read and decoded, kept up to a number of bytes and shared by the archives of an
//! environment.
//!
//! Invariants: an entry weighs what it holds, and together they weigh at most the limit. No lock is
//! held while something is decoded; whoever wants the same waits for it instead of decoding it too, so
//! what makes an entry may ask for lists and forms only, which ask for nothing. Entries of an archive go when its last
//! snapshot goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use quick_cache::sync::{DefaultLifecycle, GuardResult};
use quick_cache::{OptionsBuilder, Weighter};

use crate::error::{Error, Result};
use crate::segment::{Block, Decoder, Forms, Keys, List, ListPage, Tables, Text};
use crate::table::Page;

/// A part of the cache with a lock of its own has at least so many bytes: what is larger than a
/// part is never kept.
const SHARD_BYTES: usize = 16 << 20;
const MAX_SHARDS: usize = 64;
/// What an entry holds on average: sizes the memory of keys that were pushed out lately.
const ENTRY_BYTES: usize = 16 << 10;

/// What an entry is, and of which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) segment: u64,
    pub(crate) part: Part,
}

/// A part of a segment or a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Tables,
    Forms,
    Page(List, u32),
    Tags,
    Keys(u32),
    Block(u32),
    Text(u32, u32),
    Dictionary,
    /// What stands at an offset of the file, as it is there.
    Stored(u64),
    /// Of a table: a list's directory.
    Directory(u8, u32),
    /// Of a table: a page of a list, by its directory and its place there.
    Items(u8, u32, u32),
}

/// A decoded part.
#[derive(Clone, Debug)]
pub(crate) enum Cached {
    Tables(Arc<Tables>),
    Forms(Arc<Forms>),
    Page(Arc<ListPage>),
    Tags(Arc<Vec<(u32, u32)>>),
    Keys(Arc<Keys>),
    Block(Arc<Block>),
    Text(Arc<Text>),
    Dictionary(Arc<Decoder>),
    Stored(Arc<Vec<u8>>),
    Items(Arc<Page>),
}

impl Cached {
    fn bytes(&self) -> usize {
        // With the value's own size, and the counters in front of it.
        let held = |size: usize, heap: usize| size + heap + 2 * size_of::<usize>();
        match self {
            Self::Tables(tables) => held(size_of::<Tables>(), tables.bytes()),
            Self::Forms(forms) => held(size_of::<Forms>(), forms.bytes()),
            Self::Page(page) => held(size_of::<ListPage>(), page.bytes()),
            Self::Tags(tags) => held(size_of::<Vec<(u32, u32)>>(), tags.capacity() * 8),
            Self::Keys(keys) => held(size_of::<Keys>(), keys.bytes()),
            Self::Block(block) => held(size_of::<Block>(), block.bytes()),
            Self::Text(text) => held(size_of::<Text>(), text.bytes()),
            Self::Dictionary(decoder) => held(size_of::<Decoder>(), decoder.bytes()),
            Self::Stored(bytes) => held(size_of::<Vec<u8>>(), bytes.capacity()),
            Self::Items(page) => held(size_of::<Page>(), page.bytes()),
        }
    }
}

/// What a cache holds, and how often it was of use since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheUse {
    /// Bytes of what is held, its management included.
    pub bytes: u64,
    /// Parts of segments that are held.
    pub entries: u64,
    /// Parts that were asked for and there.
    pub hits: u64,
    /// Parts that had to be read and decoded.
    pub misses: u64,
    /// Bytes that were read of segment files for that.
    pub read_bytes: u64,
    /// Bytes of what is held as it is stored, beside what is decoded.
    pub stored_bytes: u64,
    /// Parts that were decoded from what was held so, without a look at a file.
    pub stored_hits: u64,
}

/// An entry's key among those of all archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SharedKey {
    archive: u64,
    key: CacheKey,
}

#[derive(Clone, Debug)]
struct Weighed {
    value: Cached,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<SharedKey, Weighed> for Weight {
    fn weight(&self, _key: &SharedKey, weighed: &Weighed) -> u64 {
        weighed.bytes
    }
}

type Entries = quick_cache::sync::Cache<SharedKey, Weighed, Weight, RandomState>;

/// The bounded cache that archives share.
#[derive(Debug)]
pub(crate) struct SharedCache {
    entries: Entries,
    next_archive: AtomicU64,
    misses: AtomicU64,
    read_bytes: AtomicU64,
}

impl SharedCache {
    #[expect(clippy::expect_used, reason = "options are had once both capacities are given")]
    pub(crate) fn new(bytes: usize) -> Self {
        let options = OptionsBuilder::new()
            .shards(previous_power_of_two(bytes / SHARD_BYTES).min(MAX_SHARDS))
            .estimated_items_capacity((bytes / ENTRY_BYTES).max(1))
            .weight_capacity(bytes as u64)
            .build()
            .expect("both capacities are given");
        let lifecycle = DefaultLifecycle::default();
        let entries = Entries::with_options(options, Weight, RandomState::default(), lifecycle);
        let [next_archive, misses, read_bytes] = [const { AtomicU64::new(0) }; 3];
        Self { entries, next_archive, misses, read_bytes }
    }

    pub(crate) fn usage(&self) -> CacheUse {
        CacheUse {
            bytes: self.entries.weight(),
            entries: self.entries.len() as u64,
            hits: self.entries.hits(),
            misses: self.misses.load(Ordering::Relaxed),
            read_bytes: self.read_bytes.load(Ordering::Relaxed),
            stored_bytes: 0,
            stored_hits: 0,
        }
    }

    /// The same, with that of one beside it for what is held as it is stored.
    pub(crate) fn usage_with(&self, stored: Option<&Self>) -> CacheUse {
        let stored = stored.map(Self::usage).unwrap_or_default();
        CacheUse { stored_bytes: stored.bytes, stored_hits: stored.hits, ..self.usage() }
    }
}

fn previous_power_of_two(number: usize) -> usize {
    number.checked_ilog2().map_or(1, |log| 1 << log)
}

/// One archive's entries in a shared cache.
#[derive(Debug)]
pub(crate) struct Cache {
    shared: Arc<SharedCache>,
    /// Drawn at opening: two handles of one archive have entries of their own.
    archive: u64,
    /// For what is held as it is stored.
    stored: Option<Box<Self>>,
}

impl Cache {
    /// A cache of its own.
    pub(crate) fn new(bytes: usize) -> Self {
        Self::within(&Arc::new(SharedCache::new(bytes)))
    }

    pub(crate) fn within(shared: &Arc<SharedCache>) -> Self {
        let archive = shared.next_archive.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(shared), archive, stored: None }
    }

    /// With another one for what is held as it is stored.
    pub(crate) fn with_stored(mut self, stored: Option<&Arc<SharedCache>>) -> Self {
        self.stored = stored.map(|stored| Box::new(Self::within(stored)));
        self
    }

    /// What stands at an offset of a segment's file, as it is there, or what `read` gives.
    pub(crate) fn stored(
        &self,
        (segment, offset): (u64, u64),
        read: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<Arc<Vec<u8>>> {
        let read = || {
            let bytes = read()?;
            self.was_read(bytes.len());
            Ok(Arc::new(bytes))
        };
        let Some(stored) = &self.stored else { return read() };
        let key = CacheKey { segment, part: Part::Stored(offset) };
        match stored.get(key, || read().map(Cached::Stored))? {
            Cached::Stored(bytes) => Ok(bytes),
            _ => Err(Error::corrupt("the cache has another part there")),
        }
    }

    /// The cached part, or what `make` gives, kept for the next time.
    pub(crate) fn get(
        &self,
        key: CacheKey,
        make: impl FnOnce() -> Result<Cached>,
    ) -> Result<Cached> {
        let (entries, key) = (&self.shared.entries, SharedKey { archive: self.archive, key });
        let place = match entries.get_value_or_guard(&key, None) {
            GuardResult::Value(weighed) => return Ok(weighed.value),
            GuardResult::Guard(place) => Some(place),
            GuardResult::Timeout => None,
        };
        let _ = self.shared.misses.fetch_add(1, Ordering::Relaxed);
        let value = make()?;
        // The map's own share: a slot of its table and one of its list.
        let own = size_of::<(SharedKey, Weighed)>() + 4 * size_of::<u64>();
        let bytes = (own + value.bytes()) as u64;
        // It is not kept if it was forgotten meanwhile.
        let _kept = place.map(|place| place.insert(Weighed { value: value.clone(), bytes }));
        Ok(value)
    }

    /// Takes down that so many bytes of a file were read.
    pub(crate) fn was_read(&self, bytes: usize) {
        let _ = self.shared.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Forgets the parts of a segment that is gone.
    pub(crate) fn forget(&self, segment: u64) {
        self.stored.iter().for_each(|stored| stored.forget(segment));
        self.keep(|key| key.archive != self.archive || key.key.segment != segment);
    }

    fn keep(&self, wanted: impl Fn(&SharedKey) -> bool) {
        self.shared.entries.retain(|key, _| wanted(key));
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // Nothing to do for a cache that goes with its only archive.
        if Arc::strong_count(&self.shared) > 1 {
            self.keep(|key| key.archive != self.archive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 1 << 20;

    fn text(cache: &Cache, segment: u64, number: u32, bytes: usize) -> bool {
        let mut made = false;
        let key = CacheKey { segment, part: Part::Text(0, number) };
        let value = cache
            .get(key, || {
                made = true;
                Ok(Cached::Text(Arc::new(Text::new(vec![1; bytes]))))
            })
            .unwrap();
        drop(value);
        made
    }

    #[test]
    fn what_is_used_stays_and_the_limit_holds() {
        let cache = Cache::new(ROOM);
        assert!(text(&cache, 1, 0, 10_000) && !text(&cache, 1, 0, 10_000));
        for number in 1..500 {
            let _ = text(&cache, 1, number, 10_000);
            assert!(!text(&cache, 1, 0, 10_000), "used before each eviction, after {number}");
            assert!(cache.shared.usage().bytes <= ROOM as u64);
        }
        let held = cache.shared.usage();
        assert!(held.bytes >= held.entries * 10_000 && held.entries > 90, "{held:?}");
        assert_eq!((held.hits, held.misses), (500, 500));
    }

    #[test]
    fn what_is_larger_than_its_part_of_the_cache_is_not_kept() {
        let cache = Cache::new(ROOM);
        assert!(text(&cache, 1, 0, 1_000) && text(&cache, 1, 1, 2 * ROOM));
        assert!(!text(&cache, 1, 0, 1_000) && text(&cache, 1, 1, 2 * ROOM));
        let nothing = Cache::new(0);
        assert!(text(&nothing, 1, 0, 1) && text(&nothing, 1, 0, 1));
    }

    #[test]
    fn who_wants_what_another_thread_decodes_waits_for_it() {
        let cache = Cache::new(ROOM);
        let (begun, go_on) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        let key = CacheKey { segment: 1, part: Part::Text(0, 0) };
        let made = || Ok(Cached::Text(Arc::new(Text::new(vec![1; 10]))));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                cache.get(key, || {
                    let _ = (begun.wait(), go_on.wait());
                    made()
                })
            });
            let _ = begun.wait();
            let second = scope.spawn(|| cache.get(key, || Err(Error::corrupt("decoded twice"))));
            let _ = go_on.wait();
            assert!(first.join().unwrap().is_ok() && second.join().unwrap().is_ok());
        });
        assert_eq!(cache.shared.usage().misses, 1);
        let failed = cache.get(CacheKey { segment: 2, ..key }, || Err(Error::corrupt("no")));
        assert!(failed.is_err() && cache.get(CacheKey { segment: 2, ..key }, made).is_ok());
    }

    #[test]
    fn a_segment_and_an_archive_are_forgotten_alone() {
        let shared = Arc::new(SharedCache::new(ROOM));
        let [first, second] = [(); 2].map(|()| Cache::within(&shared));
        for cache in [&first, &second] {
            assert!(text(cache, 1, 0, 1_000) && text(cache, 2, 0, 1_000), "archives are apart");
        }
        first.forget(1);
        assert!(text(&first, 1, 0, 1_000) && !text(&first, 2, 0, 1_000));
        assert!(!text(&second, 1, 0, 1_000));
        assert_eq!(shared.usage().entries, 4);
        drop(second);
        assert_eq!(shared.usage().entries, 2);
        drop(first);
        assert_eq!((shared.usage().entries, shared.usage().bytes), (0, 0));
    }

    #[test]
    fn what_is_held_as_it_is_stored_is_read_once_within_its_bound() {
        let (decoded, stored) = (Arc::new(SharedCache::new(0)), Arc::new(SharedCache::new(ROOM)));
        let cache = Cache::within(&decoded).with_stored(Some(&stored));
        let mut reads = 0;
        let mut read = |cache: &Cache, number: u64, offset: u64| {
            let bytes = cache.stored((number, offset), || {
                reads += 1;
                Ok(vec![7; 1_000])
            });
            assert_eq!(bytes.unwrap().len(), 1_000);
            reads
        };
        assert_eq!([read(&cache, 1, 0), read(&cache, 1, 0), read(&cache, 1, 9)], [1, 1, 2]);
        cache.forget(1);
        assert_eq!(read(&cache, 1, 0), 3, "its segment is gone");
        for offset in 0..5_000 {
            let _ = read(&cache, 2, offset);
        }
        let held = decoded.usage_with(Some(&stored));
        assert!(held.stored_bytes > 500_000 && held.stored_bytes <= ROOM as u64, "{held:?}");
        assert_eq!((held.read_bytes, held.stored_hits), (5_003_000, 1));
        let none = Cache::new(ROOM);
        assert_eq!(read(&none, 1, 0) + 1, read(&none, 1, 0), "none is held");
    }
}
