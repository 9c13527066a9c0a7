//! The senders of a segment that is built.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use super::layout::Strings;

/// The senders of a segment, ascending, and their codes.
#[derive(Debug)]
pub(super) struct Senders {
    pub(super) names: Strings,
    codes: HashMap<Box<str>, u32, RandomState>,
}

impl Senders {
    pub(super) fn of(names: HashSet<Box<str>, RandomState>) -> Self {
        let mut sorted: Vec<Box<str>> = names.into_iter().collect();
        sorted.sort_unstable();
        let mut names = Strings::default();
        for name in &sorted {
            names.push(name.as_bytes());
        }
        Self { names, codes: sorted.into_iter().zip(1..).collect() }
    }

    /// 0 for none.
    pub(super) fn code(&self, sender: Option<&str>) -> u32 {
        sender.and_then(|sender| self.codes.get(sender)).copied().unwrap_or(0)
    }
}
