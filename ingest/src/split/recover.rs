//! Goes on behind a broken place: everything up to the next whole item goes to quarantine.

use memchr::memchr_iter;

use crate::cut::Cutter;
use crate::scan::{Scanner, Step, trim_end};
use crate::split::documents::{Page, Splitter, WalkState};
use crate::window::{VALUE_BYTES, WINDOW_BYTES};

/// Quarantined bytes are stored in pieces of at most about this size.
const PIECE_BYTES: usize = 8 * WINDOW_BYTES;

/// As much of a window as an opening may need that its end cuts in two.
const OVERLAP_BYTES: usize = 256;

const REASON: &str = "broken or overlong JSON";

/// The next place where an item starts.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// A whole item starts here.
    Item(usize),
    /// An item seems to start here; its end is not in the window.
    Unsure(usize),
    Nothing,
}

/// Is there a whole item somewhere in these bytes?
pub(super) fn has_item(bytes: &[u8], cutter: &Cutter) -> bool {
    let mut patience = VALUE_BYTES;
    matches!(find(bytes, 0, cutter, &mut patience), Found::Item(_))
}

/// Does an item start inside this one?
pub(super) fn holds_item(item: &[u8], cutter: &Cutter, patience: &mut usize) -> bool {
    find(item, 1, cutter, patience) != Found::Nothing
}

/// The next item at or behind `from`. Whatever is looked at in vain is taken off `patience`.
fn find(bytes: &[u8], from: usize, cutter: &Cutter, patience: &mut usize) -> Found {
    for at in memchr_iter(b'{', bytes.get(from..).unwrap_or_default()) {
        let (before, candidate) = bytes.split_at(from + at);
        if !cutter.may_start(candidate) || is_member(before) {
            continue;
        }
        let at = from + at;
        if *patience == 0 {
            return Found::Nothing;
        }
        match Scanner::new().feed(candidate) {
            Step::End(end) if cutter.is_item(candidate.get(..end).unwrap_or_default()) => {
                return Found::Item(at);
            }
            Step::End(seen) | Step::Bad(seen) => *patience = patience.saturating_sub(seen),
            Step::More => {
                *patience = patience.saturating_sub(candidate.len());
                return Found::Unsure(at);
            }
        }
    }
    Found::Nothing
}

/// What stands behind a key and a colon is a part of a message, however much it looks like one.
fn is_member(before: &[u8]) -> bool {
    let key = trim_end(before).strip_suffix(b":").map(trim_end);
    key.is_some_and(|key| key.ends_with(b"\""))
}

impl Splitter<'_, '_> {
    /// Quarantines from here to the next item, which is not here.
    pub(super) fn recover(&mut self) -> WalkState {
        let offset = self.window.offset();
        if !self.page.open {
            self.page = Page::unknown();
        }
        self.page.broken = true;
        self.remarks.warn(|| format!("offset {offset}: {REASON}, put into quarantine"));
        let mut skip = 1;
        loop {
            match find(self.window.bytes(), skip, self.cutter, &mut self.patience) {
                Found::Item(at) => {
                    self.set_aside(at, without_separator);
                    return WalkState::Item;
                }
                Found::Unsure(at) if self.may_grow() => skip = self.look_closer(at),
                Found::Unsure(at) => skip = at + 1,
                Found::Nothing if self.window.ended() => return self.give_up_the_rest(),
                Found::Nothing => skip = self.search_on(),
            }
        }
    }

    fn may_grow(&self) -> bool {
        !self.window.ended() && self.window.bytes().len() < VALUE_BYTES
    }

    /// Reads on for the candidate at `at`, with little but it in the window, so that most of the
    /// room is for it; where it is now.
    fn look_closer(&mut self, at: usize) -> usize {
        let broken = self.window.bytes().get(..at).unwrap_or_default();
        let count = without_separator(broken).len();
        self.set_aside(count, <[u8]>::as_ref);
        let _grew = self.window.more();
        at - count
    }

    /// Nothing in this window: sets it aside but for its last bytes and reads on.
    fn search_on(&mut self) -> usize {
        let searched = self.window.bytes().len().saturating_sub(OVERLAP_BYTES);
        self.set_aside(searched, <[u8]>::as_ref);
        let _grew = self.window.more();
        0
    }

    fn give_up_the_rest(&mut self) -> WalkState {
        self.set_aside(self.window.bytes().len(), trim_end);
        if self.page.open { self.cut_short() } else { WalkState::Done }
    }

    /// Quarantines what `bare` leaves of the first `count` bytes.
    fn set_aside(&mut self, count: usize, bare: impl Fn(&[u8]) -> &[u8]) {
        let bytes = self.window.bytes().get(..count).unwrap_or_default();
        let mut offset = self.window.offset();
        for piece in bare(bytes).chunks(PIECE_BYTES) {
            self.sink.quarantine(piece, REASON, offset);
            offset += piece.len() as u64;
        }
        self.window.consume(count);
    }
}

/// Without what separates it from the item that follows.
fn without_separator(broken: &[u8]) -> &[u8] {
    let broken = trim_end(broken);
    broken.strip_suffix(b",").map_or(broken, trim_end)
}
