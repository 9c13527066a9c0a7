//! Ids that many conversations name, each kept once and known by its number.

use std::collections::HashMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    all: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Ids {
    /// The one copy of an id, which has a number from now on.
    pub(super) fn keep(&mut self, id: &str) -> Arc<str> {
        if let Some((known, _)) = self.numbers.get_key_value(id) {
            return Arc::clone(known);
        }
        let new: Arc<str> = id.into();
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Arc::clone(&new));
        let _ = self.numbers.insert(Arc::clone(&new), number);
        new
    }

    pub(super) fn number(&self, id: &str) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    pub(super) fn get(&self, number: u32) -> Option<&Arc<str>> {
        self.all.get(number as usize)
    }

    /// In the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|id| &**id)
    }

    pub(super) fn shrink(&mut self) {
        self.all.shrink_to_fit();
        self.numbers.shrink_to_fit();
    }
}
