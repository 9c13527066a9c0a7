//! A small map: pairs in order of their keys, in one allocation of about their size.
//!
//! There is one for the members of each conversation, and one for the steps of each member: the nodes
//! of a `BTreeMap` have room for eleven, and most of these have one or a few.

use std::borrow::Borrow;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(own, _)| own.borrow().cmp(key))
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a value in the place of the one that the key had.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => {
                if let Some(pair) = self.0.get_mut(place) {
                    pair.1 = value;
                }
            }
            Err(place) => {
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact((self.0.len() / 2).max(1));
                }
                self.0.insert(place, (key, value));
            }
        }
    }

    /// The last pair whose key is no larger.
    pub(super) fn last_up_to(&self, key: &K) -> Option<(&K, &V)> {
        let behind = self.0.partition_point(|(own, _)| own <= key);
        self.0.get(behind.checked_sub(1)?).map(|(key, value)| (key, value))
    }

    /// The first pair whose key is no smaller.
    pub(super) fn first_from(&self, key: &K) -> Option<(&K, &V)> {
        let place = self.0.partition_point(|(own, _)| own < key);
        self.0.get(place).map(|(key, value)| (key, value))
    }
}

impl<K, V> Sorted<K, V> {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Sorted<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut sorted = Self::default();
        pairs.into_iter().for_each(|(key, value)| sorted.insert(key, value));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(pairs in prop::collection::vec((0_u8..20, any::<u8>()), 0..40), key in 0_u8..22) {
            let map: BTreeMap<u8, u8> = pairs.iter().copied().collect();
            let mut sorted: Sorted<u8, u8> = pairs.into_iter().collect();
            prop_assert!(sorted.iter().eq(map.iter()));
            prop_assert_eq!((sorted.len(), sorted.is_empty()), (map.len(), map.is_empty()));
            prop_assert_eq!(sorted.get_mut(&key).copied(), map.get(&key).copied());
            prop_assert_eq!(sorted.last_up_to(&key), map.range(..=key).next_back());
            prop_assert_eq!(sorted.first_from(&key), map.range(key..).next());
        }
    }
}
