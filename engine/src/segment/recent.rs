//! Text that follows from a row's sender and codes of columns, as it was rendered lately: whoever wrote a message mostly wrote another one nearby.
//!
//! Invariant: it holds a bounded number of bytes, and what it gives is what was put under that key.

use super::program::RUN_COLUMNS;

/// What a text follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    /// The run of steps.
    pub(super) run: u32,
    /// The sender's code.
    pub(super) sender: u32,
    /// Codes that the run takes.
    pub(super) codes: [u32; RUN_COLUMNS],
}

/// A power of two.
const SLOTS: usize = 512;
const MAX_BYTES: usize = 128 << 10;
/// So many texts are not kept: whoever reads a row or two would pay for room and gain nothing.
const FIRST: u8 = 8;

/// Texts that were rendered lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Keys, and where their texts are; none for a few rows.
    slots: Vec<Option<(Key, u32, u32)>>,
    bytes: Vec<u8>,
    /// Texts that were put and not kept.
    before: u8,
}

impl Recent {
    pub(super) fn get(&self, key: &Key) -> Option<&[u8]> {
        let (there, start, end) = self.slots.get(slot(key))?.as_ref()?;
        if there == key { self.bytes.get(*start as usize..*end as usize) } else { None }
    }

    pub(super) fn put(&mut self, key: &Key, text: &[u8]) {
        if self.before < FIRST || text.len() > MAX_BYTES / 8 {
            self.before = self.before.saturating_add(1);
            return;
        }
        if self.slots.is_empty() || self.bytes.len() + text.len() > MAX_BYTES {
            self.slots.clear();
            self.slots.resize(SLOTS, None);
            self.bytes.clear();
        }
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = narrow(self.bytes.len());
        self.bytes.extend_from_slice(text);
        self.slots[slot(key)] = Some((*key, start, narrow(self.bytes.len())));
    }
}

fn slot(key: &Key) -> usize {
    let parts = [key.run, key.sender].into_iter().chain(key.codes);
    let mix = |mixed: u32, part: u32| (mixed.rotate_left(5) ^ part).wrapping_mul(0x9e37_79b9);
    (parts.fold(0, mix) >> 20) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_under_its_key_alone_and_memory_is_bounded() {
        let mut recent = Recent::default();
        let (mut state, mut found) = (1_u64, 0);
        for _ in 0..50_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let part = |shift: u32| u32::try_from(state >> shift & 15).unwrap();
            let key = Key { run: part(60), sender: part(50), codes: [part(40); RUN_COLUMNS] };
            let text = format!("{key:?}").repeat(4);
            match recent.get(&key) {
                Some(there) => {
                    assert_eq!(there, text.as_bytes());
                    found += 1;
                }
                None => recent.put(&key, text.as_bytes()),
            }
            assert!(recent.bytes.len() <= MAX_BYTES && recent.slots.len() <= SLOTS);
        }
        assert!(found > 100, "{found}");
        let key = Key { run: 99, ..Key::default() };
        recent.put(&key, &vec![7; MAX_BYTES]);
        assert_eq!(recent.get(&key), None, "a long one is not kept");
    }
}
