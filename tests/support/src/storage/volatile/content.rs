//! A file as pages of 4 KiB: what it holds, what of that is durable, what a power cut may leave.
//!
//! The system writes pages and the length back when it likes, in any order, and each page in
//! sectors. So between two syncs every page may be on the disk as it was after any of its writes,
//! or a mix of two such states, and the length may be any that the file had.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Random;

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

type Page = Arc<[u8; PAGE_BYTES]>;

/// What of a file's unsynced part is on the disk after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    /// Nothing.
    Synced,
    /// Everything.
    All,
    /// The length and no page: zeros, or old bytes.
    Length,
    /// Every page and not the length: what lies behind the old one is gone.
    Pages,
    /// Any subset of pages, sectors and lengths.
    Some,
}

/// Bytes by page; a page that is not there is all zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Image {
    bytes: usize,
    pages: BTreeMap<usize, Page>,
}

/// A file. Cloning it shares the pages.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    now: Image,
    durable: Image,
    /// What each unsynced page held after each write to it, oldest first.
    pages: BTreeMap<usize, Vec<Page>>,
    /// Lengths that were not synced, oldest first.
    lengths: Vec<usize>,
}

impl Image {
    /// The parts of a range by page: page, place in it, place in the range, length.
    fn parts(offset: usize, length: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        let mut done = 0;
        std::iter::from_fn(move || {
            let (page, inside) = ((offset + done) / PAGE_BYTES, (offset + done) % PAGE_BYTES);
            let part = (PAGE_BYTES - inside).min(length - done);
            done += part;
            (part > 0).then_some((page, inside, done - part, part))
        })
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        for (page, inside, at, length) in Self::parts(offset, out.len()) {
            let from = self.pages.get(&page).map_or(&ZEROS, |page| &**page);
            out[at..at + length].copy_from_slice(&from[inside..inside + length]);
        }
    }

    /// Writes bytes and grows as needed; gives the pages that changed.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> Vec<usize> {
        let mut changed = Vec::new();
        for (page, inside, at, length) in Self::parts(offset, bytes.len()) {
            let part = &bytes[at..at + length];
            if !self.pages.contains_key(&page) && part == &ZEROS[..length] {
                continue;
            }
            let place = self.pages.entry(page).or_insert_with(|| Arc::new(ZEROS));
            Arc::make_mut(place)[inside..inside + length].copy_from_slice(part);
            changed.push(page);
        }
        self.bytes = self.bytes.max(offset + bytes.len());
        changed
    }

    fn page(&self, page: usize) -> Page {
        self.pages.get(&page).map_or_else(|| Arc::new(ZEROS), Arc::clone)
    }

    /// Cuts or grows to a length; what comes into being is zeros.
    fn set_bytes(&mut self, bytes: usize) {
        let last = bytes / PAGE_BYTES;
        self.pages.retain(|page, _| *page < bytes.div_ceil(PAGE_BYTES));
        if let Some(page) = self.pages.get_mut(&last) {
            Arc::make_mut(page)[bytes % PAGE_BYTES..].fill(0);
        }
        self.bytes = bytes;
    }
}

impl Content {
    /// A file that was synced with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(0, bytes);
        content.sync();
        content
    }

    pub(super) fn bytes(&self) -> usize {
        self.now.bytes
    }

    /// Fills `out`; false if the file is shorter.
    pub(super) fn read(&self, offset: usize, out: &mut [u8]) -> bool {
        let fits = offset.checked_add(out.len()).is_some_and(|end| end <= self.now.bytes);
        if fits {
            self.now.read(offset, out);
        }
        fits
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let before = self.now.bytes;
        for page in self.now.write(offset, bytes) {
            self.pages.entry(page).or_default().push(self.now.page(page));
        }
        if self.now.bytes > before {
            self.lengths.push(self.now.bytes);
        }
    }

    pub(super) fn sync(&mut self) {
        for (page, mut states) in std::mem::take(&mut self.pages) {
            drop(states.pop().and_then(|last| self.durable.pages.insert(page, last)));
        }
        self.durable.bytes = self.lengths.pop().unwrap_or(self.durable.bytes);
        self.lengths.clear();
    }

    /// A failed sync: the system shows what was written and never writes it to the disk.
    pub(super) fn forget_unsynced(&mut self) {
        self.pages.clear();
    }

    /// The same bytes, all of them synced.
    pub(super) fn synced(&self) -> Self {
        Self { now: self.now.clone(), durable: self.now.clone(), ..Self::default() }
    }

    /// What a power cut leaves.
    pub(super) fn after_power_cut(&self, data: Data, random: &mut Random) -> Self {
        let mut image = self.durable.clone();
        if matches!(data, Data::All | Data::Pages | Data::Some) {
            for (page, states) in &self.pages {
                let kept = match data {
                    Data::Some => some_state(&image.page(*page), states, random),
                    _ => states.last().map_or_else(|| image.page(*page), Arc::clone),
                };
                drop(image.pages.insert(*page, kept));
            }
        }
        let newest = self.lengths.last().copied().unwrap_or(self.durable.bytes);
        image.set_bytes(match data {
            Data::Synced | Data::Pages => self.durable.bytes,
            Data::All | Data::Length => newest,
            Data::Some => some_length(self.durable.bytes, &self.lengths, random),
        });
        Self { now: image.clone(), durable: image, ..Self::default() }
    }
}

/// The durable state of a page, a later one, or sectors of two of them.
fn some_state(durable: &Page, later: &[Page], random: &mut Random) -> Page {
    let one = |random: &mut Random| match random.index(later.len() + 1) {
        0 => durable,
        at => &later[at - 1],
    };
    let (first, second) = (one(random), one(random));
    if random.chance(60) {
        return Arc::clone(second);
    }
    let mut torn = **first;
    for (place, sector) in
        torn.chunks_mut(SECTOR_BYTES).zip(second.chunks(SECTOR_BYTES)).filter(|_| random.chance(50))
    {
        place.copy_from_slice(sector);
    }
    Arc::new(torn)
}

/// A length that the file had, or one in between: a file grows in more steps than one.
fn some_length(durable: usize, later: &[usize], random: &mut Random) -> usize {
    let newest = later.last().copied().unwrap_or(durable);
    match random.below(4) {
        0 => durable,
        1 => durable + random.index(newest - durable + 1),
        2 => random.pick(later).copied().unwrap_or(durable),
        _ => newest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A synced page of `a`, then a second page and half of the first in `b`.
    fn overwritten() -> Content {
        let mut content = Content::of(&[b'a'; PAGE_BYTES]);
        content.write(2048, &[b'b'; PAGE_BYTES]);
        content
    }

    fn left(content: &Content, data: Data, seed: u64) -> Vec<u8> {
        let after = content.after_power_cut(data, &mut Random::new(seed));
        let mut bytes = vec![0; after.bytes()];
        assert!(after.read(0, &mut bytes));
        bytes
    }

    #[test]
    fn each_model_leaves_what_it_says() {
        let (a, b) = (vec![b'a'; 2048], vec![b'b'; 2048]);
        let content = overwritten();
        let cases = [
            (Data::Synced, [&a[..], &a].concat()),
            (Data::All, [&a[..], &b, &b].concat()),
            (Data::Length, [&a[..], &a, &[0; 2048]].concat()),
            (Data::Pages, [&a[..], &b].concat()),
        ];
        for (data, expected) in cases {
            assert!(left(&content, data, 1) == expected, "{data:?}");
        }
    }

    #[test]
    fn some_of_the_pages_are_kept_and_some_are_torn_between_sectors() {
        let content = overwritten();
        let states: std::collections::BTreeSet<_> =
            (0..400).map(|seed| left(&content, Data::Some, seed)).collect();
        let torn = |bytes: &Vec<u8>| {
            let mut halves = bytes[2048..PAGE_BYTES].chunks(SECTOR_BYTES);
            halves.clone().any(|sector| sector[0] == b'a') && halves.any(|sector| sector[0] == b'b')
        };
        assert!(states.iter().any(torn), "no torn page");
        assert!(states.iter().any(|bytes| bytes.len() > PAGE_BYTES && bytes[PAGE_BYTES] == 0));
        assert!(states.contains(&left(&content, Data::Synced, 0)));
        assert!(states.contains(&left(&content, Data::All, 0)));
        let sectors = |bytes: &Vec<u8>| {
            let whole = bytes
                .chunks(SECTOR_BYTES)
                .all(|sector| sector.iter().all(|byte| *byte == sector[0] || *byte == 0));
            whole && bytes.len() >= PAGE_BYTES
        };
        assert!(states.iter().all(sectors), "a sector is torn, or what was synced is gone");
    }

    #[test]
    fn a_page_may_be_kept_as_it_was_between_two_writes() {
        let mut content = Content::of(&[b'a'; 10]);
        content.write(0, b"1");
        content.write(1, b"2");
        let states: std::collections::BTreeSet<_> =
            (0..100).map(|seed| left(&content, Data::Some, seed)).collect();
        let expected = ["aaaaaaaaaa", "1aaaaaaaaa", "12aaaaaaaa"];
        assert_eq!(states, expected.map(|state| state.as_bytes().to_vec()).into());
    }

    #[test]
    fn what_a_failed_sync_dropped_is_shown_and_never_written() {
        let mut content = Content::of(b"old");
        content.write(0, b"new");
        content.forget_unsynced();
        content.sync();
        let mut shown = [0; 3];
        assert!(content.read(0, &mut shown));
        assert_eq!((&shown, &left(&content, Data::All, 0)[..]), (b"new", &b"old"[..]));
    }

    #[test]
    fn what_comes_into_being_behind_a_cut_is_zeros() {
        let mut image = Image::default();
        drop(image.write(0, &[b'x'; 5000]));
        image.set_bytes(4100);
        image.set_bytes(5000);
        let mut bytes = [1; 5000];
        image.read(0, &mut bytes);
        assert!(bytes[..4100] == [b'x'; 4100] && bytes[4100..] == [0; 900]);
    }
}
