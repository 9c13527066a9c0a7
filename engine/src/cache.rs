//! What was read and decoded, kept up to a number of bytes and shared by all snapshots.
//!
//! Second-chance order: an entry that was used since the hand last passed is passed once more.
//! One mutex, held for map operations only: decoding happens outside, so two threads may decode
//! the same thing once each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::error::Result;
use crate::segment::{Block, Forms, Keys, List, ListPage, Tables, Text};

/// What an entry is, and of which segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) segment: u64,
    pub(crate) part: Part,
}

/// A part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Tables,
    Forms,
    Page(List, u32),
    Tags,
    Keys(u32),
    Block(u32),
    Text(u32, u32),
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
}

impl Cached {
    fn bytes(&self) -> usize {
        128 + match self {
            Self::Tables(tables) => tables.bytes(),
            Self::Forms(forms) => forms.bytes(),
            Self::Page(page) => page.bytes(),
            Self::Tags(tags) => tags.len() * 8,
            Self::Keys(keys) => keys.bytes(),
            Self::Block(block) => block.bytes(),
            Self::Text(text) => text.bytes(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    value: Cached,
    bytes: usize,
    used: bool,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<CacheKey, Entry, RandomState>,
    order: VecDeque<CacheKey>,
    bytes: usize,
}

/// A bounded cache of decoded parts.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: usize,
    state: Mutex<State>,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// The cached part, or what `make` gives, kept for the next time.
    pub(crate) fn get(
        &self,
        key: CacheKey,
        make: impl FnOnce() -> Result<Cached>,
    ) -> Result<Cached> {
        if let Some(entry) = self.lock().entries.get_mut(&key) {
            entry.used = true;
            return Ok(entry.value.clone());
        }
        let value = make()?;
        let bytes = value.bytes();
        // What fills half of the cache by itself would only push out everything else.
        if bytes <= self.limit / 2 {
            self.lock().insert(key, value.clone(), bytes, self.limit);
        }
        Ok(value)
    }

    /// Forgets the parts of a segment that is gone.
    pub(crate) fn forget(&self, segment: u64) {
        let state = &mut *self.lock();
        let (entries, bytes) = (&mut state.entries, &mut state.bytes);
        entries.retain(|key, entry| {
            let keep = key.segment != segment;
            *bytes -= if keep { 0 } else { entry.bytes };
            keep
        });
        state.order.retain(|key| key.segment != segment);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The map is whole between its operations, also if a thread panicked in one of ours.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, key: CacheKey, value: Cached, bytes: usize, limit: usize) {
        if let Some(before) = self.entries.insert(key, Entry { value, bytes, used: false }) {
            self.bytes -= before.bytes;
        } else {
            self.order.push_back(key);
        }
        self.bytes += bytes;
        while self.bytes > limit {
            let Some(oldest) = self.order.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&oldest) else { continue };
            if std::mem::take(&mut entry.used) {
                self.order.push_back(oldest);
            } else if let Some(gone) = self.entries.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cache: &Cache, number: u32, bytes: usize) -> bool {
        let mut made = false;
        let key = CacheKey { segment: 1, part: Part::Text(0, number) };
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
        let cache = Cache::new(10_000);
        assert!(text(&cache, 0, 1000) && !text(&cache, 0, 1000));
        for number in 1..50 {
            let _ = text(&cache, number, 1000);
            assert!(!text(&cache, 0, 1000), "used before each eviction, after {number}");
            assert!(cache.lock().bytes <= 10_000);
        }
        assert!(text(&cache, 1, 1000), "never used again, so it went");
        cache.forget(1);
        assert_eq!(cache.lock().bytes, 0);
        assert!(text(&cache, 0, 1000));
    }
}
