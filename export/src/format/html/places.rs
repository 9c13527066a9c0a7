//! On which page a message is, so that a reply can link to what it answers.
//!
//! Memory is bounded: two generations of at most [`GENERATION`] messages are known. A reply to
//! something further back is quoted all the same, without a link.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;

use super::card::Excerpt;

/// So many messages in a generation: two of them take about 64 MB at most.
const GENERATION: usize = 1_000_000;
/// So many posts whose first words are known, twice: about 10 MB at most.
const EXCERPTS: usize = 10_000;

/// Which messages are on which page, for the latest million of a chat or more.
#[derive(Debug, Default)]
pub(super) struct Places {
    young: HashMap<u64, u32>,
    old: HashMap<u64, u32>,
    excerpts: HashMap<String, Excerpt>,
    old_excerpts: HashMap<String, Excerpt>,
}

impl Places {
    /// A message was placed. The first of several with one id is the one that links lead to.
    pub(super) fn put(&mut self, id: &str, page: u32) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        if let Entry::Vacant(place) = self.young.entry(key(id)) {
            let _page = place.insert(page);
        }
    }

    /// A post was placed, to which replies may come on later pages.
    pub(super) fn put_excerpt(&mut self, id: String, excerpt: Excerpt) {
        if self.excerpts.len() >= EXCERPTS {
            self.old_excerpts = mem::take(&mut self.excerpts);
        }
        let _earlier = self.excerpts.insert(id, excerpt);
    }

    /// The first words of a post.
    pub(super) fn excerpt(&self, id: &str) -> Option<&Excerpt> {
        self.excerpts.get(id).or_else(|| self.old_excerpts.get(id))
    }

    /// The page of a message; `None`: it was not seen, or too long ago.
    pub(super) fn page(&self, id: &str) -> Option<u32> {
        let key = key(id);
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }
}

/// Ids are milliseconds in practice and stand for themselves; others are hashed into the upper half.
fn key(id: &str) -> u64 {
    const HASHED: u64 = 1 << 63;
    let plain = !id.starts_with(['0', '+']);
    if let Some(number) = id.parse().ok().filter(|number| plain && *number < HASHED) {
        return number;
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() | HASHED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_on_the_page_where_it_was_put_first() {
        let mut places = Places::default();
        for (id, page) in [("1622762567000", 1), ("abc", 2), ("01", 3), ("1", 4), ("abc", 5)] {
            places.put(id, page);
        }
        let found = ["1622762567000", "abc", "01", "1", "2"].map(|id| places.page(id));
        assert_eq!(found, [Some(1), Some(2), Some(3), Some(4), None]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut places = Places::default();
        for id in 0..=2 * GENERATION {
            places.put(&(id + 1).to_string(), 7);
        }
        assert_eq!(places.page("1"), None);
        assert_eq!(places.page(&(GENERATION + 1).to_string()), Some(7));
        assert!(places.young.len() + places.old.len() <= 2 * GENERATION);
    }
}
