//! Which names of a folder are taken, where case does not count.

use std::collections::HashMap;

use super::{NAME_BYTES, marked};

/// The names of one folder so far.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Folded name to the number that the next one of that name tries first.
    next: HashMap<String, u32>,
}

impl Taken {
    /// A name for `wanted` that nobody has: itself, or with `-2`, `-3` before its extension.
    ///
    /// `wanted` must be a safe name; the answer is one too.
    pub fn take(&mut self, wanted: &str) -> String {
        let folded = fold(wanted);
        let Some(first) = self.next.get(&folded).copied() else {
            let _ = self.next.insert(folded, 2);
            return wanted.to_owned();
        };
        for number in first..=u32::MAX {
            let name = marked(wanted, &format!("-{number}"), NAME_BYTES);
            let other = fold(&name);
            if !self.next.contains_key(&other) {
                let _ = self.next.insert(other, 2);
                let _ = self.next.insert(folded, number.saturating_add(1));
                return name;
            }
        }
        wanted.to_owned()
    }
}

/// The form in which names that some system takes for one are equal.
///
/// Upper case first: `ß` and `SS` fall together, as do the forms of sigma.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
