//! Splits pages, arrays and documents that stand one after the other.
//!
//! A small state machine ([`Place`]) walks over the frame; where the frame or an item is broken,
//! [`super::recover`] finds the next item and the walk goes on from there.

use memchr::memmem;

use crate::cut::{Cutter, is_first_key};
use crate::scan::space;
use crate::sink::Sink;
use crate::split::envelope::{self, Envelope, Member, Top};
use crate::split::{Remarks, recover};
use crate::strict;
use crate::window::{Endless, VALUE_BYTES, Window};

/// Where the walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Between documents at the top of the file.
    Top,
    /// In an array, in front of an item or of its end.
    Item,
    /// In an array, behind an item.
    Gap,
    /// Behind the items of a page, among its other members.
    Tail,
    /// At something that cannot be there.
    Broken,
    /// At the end, or told to stop.
    Done,
}

/// The page or array that the walk is in.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Offset of its first byte.
    start: u64,
    /// Its array has not ended yet.
    pub(super) open: bool,
    /// It is an object with members, not a bare array.
    enveloped: bool,
    /// Something was wrong with it: its count proves nothing.
    pub(super) broken: bool,
    count: Option<u64>,
    items: u64,
}

pub(super) struct Splitter<'a, 'r> {
    pub(super) window: &'a mut Window<'r>,
    pub(super) cutter: &'a mut Cutter,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) remarks: Remarks,
    pub(super) page: Page,
    /// Bytes that may still be scanned in vain. Without a limit a hostile file could make every
    /// item start a scan to the end of the file.
    pub(super) patience: usize,
}

impl Page {
    /// What a walk is in that starts in the middle: nobody knows.
    pub(super) fn unknown() -> Self {
        Self { enveloped: true, ..Self::default() }
    }
}

impl<'a, 'r> Splitter<'a, 'r> {
    pub(super) fn new(
        window: &'a mut Window<'r>,
        cutter: &'a mut Cutter,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let (remarks, page) = (Remarks::default(), Page::default());
        Self { window, cutter, sink, remarks, page, patience: 32 * VALUE_BYTES }
    }

    pub(super) fn run(mut self) -> Remarks {
        let mut place = Place::Top;
        while place != Place::Done {
            place = match place {
                Place::Top => self.top(),
                Place::Item => self.item(),
                Place::Gap => self.gap(),
                Place::Tail => self.tail(),
                Place::Broken | Place::Done => self.recover(),
            };
        }
        self.remarks
    }

    fn top(&mut self) -> Place {
        match self.window.next_token() {
            None => Place::Done,
            Some(b'[') => self.enter(1, None, false),
            Some(b'{') => match envelope::top(self.window) {
                Top::Page { bytes, count } => self.enter(bytes, count, true),
                Top::Document { bytes } => self.document(bytes),
                Top::Error { bytes, message } => self.error_answer(bytes, &message),
                Top::Broken => Place::Broken,
            },
            Some(_) => Place::Broken,
        }
    }

    fn enter(&mut self, bytes: usize, count: Option<u64>, enveloped: bool) -> Place {
        let start = self.window.offset();
        self.page = Page { start, open: true, enveloped, count, ..Page::default() };
        self.window.consume(bytes);
        Place::Item
    }

    fn document(&mut self, bytes: usize) -> Place {
        let json = self.window.bytes().get(..bytes).unwrap_or_default();
        if self.reaches_over_an_item(bytes) && !strict::is_valid(json) {
            return self.give_up(bytes);
        }
        self.sink.offer(json, self.window.offset());
        self.window.consume(bytes);
        if self.sink.keep_going() { Place::Top } else { Place::Done }
    }

    fn error_answer(&mut self, bytes: usize, message: &str) -> Place {
        let offset = self.window.offset();
        self.remarks.fail(|| {
            format!(
                "offset {offset}: the service answered with an error ({message}): fetch it again"
            )
        });
        self.window.consume(bytes);
        Place::Top
    }

    fn item(&mut self) -> Place {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b']') => {
                self.window.consume(1);
                self.page.open = false;
                if self.page.enveloped { Place::Tail } else { self.leave() }
            }
            Some(b'{') => self.objects(),
            Some(_) => self.no_object(),
        }
    }

    /// The hot loop: items whose end was guessed and proven, up to one that has to be scanned.
    fn objects(&mut self) -> Place {
        loop {
            let bytes = self.window.bytes();
            let guess = self.cutter.guess(bytes);
            let Some(end) = guess else { return self.scanned_object(None) };
            if !self.sink.offer_if_known(bytes.get(..end).unwrap_or_default()) {
                return self.scanned_object(guess);
            }
            self.page.items += 1;
            self.window.consume(end + self.cutter.separator_bytes());
            if !self.sink.keep_going() {
                return Place::Done;
            }
        }
    }

    fn scanned_object(&mut self, guess: Option<usize>) -> Place {
        let end = match self.window.value_end(0) {
            Ok(end) => end,
            Err(Endless(seen)) => return self.give_up(seen),
        };
        if self.member_follows(end) || self.reaches_over(guess, end) {
            return self.give_up(end);
        }
        let bytes = self.window.bytes();
        self.sink.offer(bytes.get(..end).unwrap_or_default(), self.window.offset());
        self.cutter.see_gap(bytes.get(end..).unwrap_or_default());
        self.passed(end)
    }

    /// A brace too many ends an item too early: then its next member stands where an item should.
    /// An item's first member there is another matter: it lost its own brace.
    fn member_follows(&mut self, end: usize) -> bool {
        let Some((comma, b',')) = self.window.token_at(end) else { return false };
        let Some((key, b'"')) = self.window.token_at(comma + 1) else { return false };
        let Ok(key_end) = self.window.value_end(key) else { return false };
        let rest = self.window.bytes().get(key..).unwrap_or_default();
        !is_first_key(rest) && self.window.token_at(key_end).is_some_and(|(_, byte)| byte == b':')
    }

    /// Is this item broken, with good ones inside? One that may be is looked at closely: if it is
    /// valid, it is whole, and if nothing is inside, the engine says best what is wrong with it.
    fn reaches_over(&mut self, guess: Option<usize>, end: usize) -> bool {
        let json = self.window.bytes().get(..end).unwrap_or_default();
        let familiar = self.cutter.is_familiar(json);
        let may = guess.map_or_else(|| self.cutter.has_cut(json), |guess| guess < end);
        if familiar && !may {
            return false;
        }
        let valid = strict::is_valid(json);
        if valid {
            self.cutter.see_item(json);
            if !self.ends_the_page(end) {
                return false;
            }
        }
        let json = self.window.bytes().get(..end).unwrap_or_default();
        recover::holds_item(json, self.cutter, &mut self.patience)
    }

    /// Did this item, valid as it is, take the end of its page for its own? Where a nested array
    /// lost its end, all items that follow are in it, and nothing is left to close the page. A file
    /// that was cut off behind a message with replies looks the same and is no such case.
    fn ends_the_page(&mut self, end: usize) -> bool {
        if matches!(self.window.token_at(end), Some((_, b',' | b']'))) {
            return false;
        }
        let json = self.window.bytes().get(..end).unwrap_or_default();
        memmem::find(json, b"\"replies\"").is_none()
    }

    fn no_object(&mut self) -> Place {
        let Ok(end) = self.window.value_end(0) else { return Place::Broken };
        let next = self.window.token_at(end).map(|(_, byte)| byte);
        let stands_alone = matches!(next, None | Some(b',' | b']'));
        let value = self.window.bytes().get(..end).unwrap_or_default();
        if !stands_alone || !strict::is_valid(value) {
            return Place::Broken;
        }
        self.sink.quarantine(value, "an item that is no object", self.window.offset());
        self.passed(end)
    }

    fn passed(&mut self, bytes: usize) -> Place {
        self.page.items += 1;
        self.window.consume(bytes);
        if self.sink.keep_going() { Place::Gap } else { Place::Done }
    }

    fn gap(&mut self) -> Place {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b',') => {
                self.window.consume(1);
                Place::Item
            }
            Some(b']') => Place::Item,
            Some(b'{' | b'[') if !self.page.open => Place::Top,
            Some(b'{') => self.missing_comma(),
            Some(_) => Place::Broken,
        }
    }

    fn missing_comma(&mut self) -> Place {
        let offset = self.window.offset();
        self.page.broken = true;
        self.remarks.warn(|| format!("offset {offset}: a comma is missing between two items"));
        Place::Item
    }

    fn tail(&mut self) -> Place {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b'}') => {
                self.window.consume(1);
                self.leave()
            }
            Some(b',') => self.tail_member().unwrap_or(Place::Broken),
            Some(b'{' | b'[') if self.page.broken => Place::Top,
            Some(b'{') if self.cutter.may_start(self.window.bytes()) => self.open_again(),
            Some(_) => Place::Broken,
        }
    }

    fn open_again(&mut self) -> Place {
        let offset = self.window.offset();
        (self.page.open, self.page.broken) = (true, true);
        self.remarks.warn(|| format!("offset {offset}: an item stands behind the page's end"));
        Place::Item
    }

    fn tail_member(&mut self) -> Option<Place> {
        let (key, _) = self.window.token_at(1)?;
        let mut envelope = Envelope::default();
        match envelope.member(self.window, key)? {
            Member::Items(bytes) => {
                self.window.consume(bytes);
                self.page.open = true;
                Some(Place::Item)
            }
            Member::Other(end) => {
                let bytes = self.window.bytes().get(key..end).unwrap_or_default();
                if !bytes.starts_with(b"\"@") && envelope.error.is_none() {
                    self.page.broken = true;
                    let offset = self.window.offset() + key as u64;
                    self.sink.quarantine(bytes, "no member of a page", offset);
                }
                self.window.consume(end);
                self.page.count = envelope.count.or(self.page.count);
                if let Some(message) = envelope.error {
                    self.remarks.fail(|| format!("the page ends in an error ({message})"));
                }
                Some(Place::Tail)
            }
        }
    }

    /// The end of a page: does the service's count agree?
    fn leave(&mut self) -> Place {
        let (page, end) = (&self.page, self.window.offset());
        if let Some(count) = page.count.filter(|count| *count != page.items && !page.broken) {
            let (start, items) = (page.start, page.items);
            self.remarks.warn(|| {
                format!("offset {start} to {end}: @odata.count is {count}, the page has {items}")
            });
        }
        Place::Top
    }

    /// The file ends inside a page. What is broken already was said to be so.
    pub(super) fn cut_short(&mut self) -> Place {
        if self.page.open || !self.page.broken {
            let offset = self.window.offset();
            self.remarks.fail(|| {
                format!("offset {offset}: the file ends in the middle of a page: fetch it again")
            });
        }
        Place::Done
    }

    fn give_up(&mut self, scanned: usize) -> Place {
        self.patience = self.patience.saturating_sub(scanned);
        Place::Broken
    }

    fn reaches_over_an_item(&self, bytes: usize) -> bool {
        let json = self.window.bytes().get(..bytes).unwrap_or_default();
        let mut lines = memchr::memchr_iter(b'\n', json);
        lines.any(|at| {
            let line = json.get(at + 1..).unwrap_or_default();
            self.cutter.may_start(line.get(space(line)..).unwrap_or_default())
        })
    }
}
