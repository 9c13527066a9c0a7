//! What rows are ordered by, and a heap that merges sorted lists.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::segment::numeric;

/// A message's id, ordered as its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Id {
    /// A number's shortest decimal form, as nearly all ids are.
    Number(i64),
    /// Any other text.
    Text(Box<str>),
}

impl Id {
    pub(crate) fn of(text: &str) -> Self {
        numeric(text).map_or_else(|| Self::Text(text.into()), Self::Number)
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.cast_unsigned().to_string(),
            Self::Text(text) => text.as_ref().to_owned(),
        }
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        let digits = |number: i64| number.cast_unsigned().checked_ilog10().unwrap_or(0);
        match (self, other) {
            (Self::Number(a), Self::Number(b)) if digits(*a) == digits(*b) => {
                a.cast_unsigned().cmp(&b.cast_unsigned())
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.text().cmp(&other.text()),
        }
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where a row stands in its conversation, up to its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    pub(super) created: i64,
    pub(super) id: Id,
    pub(super) version: u64,
}

/// The next keys of several sorted lists: gives the smallest first, or the largest.
#[derive(Debug)]
pub(super) struct Heads<K: Ord> {
    heap: BinaryHeap<Head<K>>,
    backwards: bool,
}

#[derive(Debug)]
struct Head<K> {
    key: K,
    list: usize,
    backwards: bool,
}

impl<K: Ord> Heads<K> {
    pub(super) fn new(backwards: bool) -> Self {
        Self { heap: BinaryHeap::new(), backwards }
    }

    pub(super) fn push(&mut self, key: K, list: usize) {
        self.heap.push(Head { key, list, backwards: self.backwards });
    }

    /// The key that comes first, and its list.
    pub(super) fn pop(&mut self) -> Option<(K, usize)> {
        self.heap.pop().map(|head| (head.key, head.list))
    }

    /// The next list whose key is this one too.
    pub(super) fn pop_equal(&mut self, key: &K) -> Option<usize> {
        let equal = self.heap.peek().is_some_and(|head| head.key == *key);
        if equal { self.pop().map(|(_, list)| list) } else { None }
    }
}

impl<K: Ord> Ord for Head<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.key.cmp(&other.key).then(self.list.cmp(&other.list));
        // The heap gives its greatest first.
        if self.backwards { order } else { order.reverse() }
    }
}

impl<K: Ord> PartialOrd for Head<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Head<K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<K: Ord> Eq for Head<K> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_their_texts() {
        let texts = ["0", "1", "10", "9", "01", "", "1a", "1417390479613", "999", "a", "+1"];
        for a in texts {
            assert_eq!(Id::of(a).text(), a);
            for b in texts {
                assert_eq!(Id::of(a).cmp(&Id::of(b)), a.cmp(b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn heads_merge_lists_in_both_directions() {
        let lists = [vec![1, 4, 4, 9], vec![], vec![2, 4], vec![0, 10]];
        for backwards in [false, true] {
            let mut rest = lists.clone();
            let mut heads = Heads::new(backwards);
            let next = |list: &mut Vec<i32>| match list.len() {
                0 => None,
                _ if backwards => list.pop(),
                _ => Some(list.remove(0)),
            };
            for (number, list) in rest.iter_mut().enumerate() {
                if let Some(key) = next(list) {
                    heads.push(key, number);
                }
            }
            let mut merged = Vec::new();
            while let Some((key, list)) = heads.pop() {
                merged.push(key);
                if let Some(key) = next(&mut rest[list]) {
                    heads.push(key, list);
                }
            }
            let mut wanted = lists.concat();
            wanted.sort_unstable();
            if backwards {
                wanted.reverse();
            }
            assert_eq!(merged, wanted);
        }
    }

    #[test]
    fn equal_heads_come_together() {
        let mut heads = Heads::new(false);
        for (key, list) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            heads.push(key, list);
        }
        assert_eq!(heads.pop(), Some((3, 1)));
        assert_eq!((heads.pop_equal(&3), heads.pop_equal(&3)), (Some(3), None));
    }
}
