//! Splits pages, arrays, answers to `$batch` and documents that stand one after the other, or in
//! an array that holds them.
//!
//! A small state machine ([`Place`]) walks over the frame; where the frame or an item is broken,
//! [`super::recover`] finds the next item and the walk goes on from there.

use std::ops::Range;

use memchr::memmem;

use crate::cut::{Cutter, is_first_key};
use crate::scan::space;
use crate::sink::Sink;
use crate::split::envelope::{self, Envelope, Member, Top};
use crate::split::{Remarks, may_be_page, recover, replies};
use crate::strict;
use crate::window::{ByteWindow, Endless, VALUE_BYTES};

/// Where the walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WalkState {
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

/// What holds items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// An object with members beside its array.
    #[default]
    Page,
    /// A bare array: of documents, of pages, of arrays.
    Array,
    /// The array in the answer to a `$batch`, with members beside it.
    Batch,
    /// One answer in it, around a body.
    Answer,
}

/// Arrays in arrays are read to this depth; a file has two or three.
const MOST_DEPTH: usize = 16;

/// The page or array that the walk is in.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Offset of its first byte.
    start: u64,
    /// Its array has not ended yet.
    pub(super) open: bool,
    kind: Kind,
    /// Something was wrong with it: its count proves nothing.
    pub(super) broken: bool,
    count: Option<u64>,
    items: u64,
}

pub(super) struct Splitter<'a, 'r> {
    pub(super) window: &'a mut ByteWindow<'r>,
    pub(super) cutter: &'a mut Cutter,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) remarks: Remarks,
    pub(super) page: Page,
    /// What it is in, the innermost last.
    outer: Vec<Page>,
    /// Bytes that may still be scanned in vain. Without a limit a hostile file could make every
    /// item start a scan to the end of the file.
    pub(super) patience: usize,
}

impl Page {
    /// What a walk is in that starts in the middle: nobody knows.
    pub(super) fn unknown() -> Self {
        Self::default()
    }
}

impl<'a, 'r> Splitter<'a, 'r> {
    pub(super) fn new(
        window: &'a mut ByteWindow<'r>,
        cutter: &'a mut Cutter,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let (remarks, page) = (Remarks::default(), Page::default());
        let (outer, patience) = (Vec::new(), 32 * VALUE_BYTES);
        Self { window, cutter, sink, remarks, page, outer, patience }
    }

    pub(super) fn run(mut self) -> Remarks {
        let mut place = WalkState::Top;
        while place != WalkState::Done {
            place = match place {
                WalkState::Top => self.top(),
                WalkState::Item => self.item(),
                WalkState::Gap => self.gap(),
                WalkState::Tail => self.tail(),
                WalkState::Broken | WalkState::Done => self.recover(),
            };
        }
        self.remarks
    }

    fn top(&mut self) -> WalkState {
        match self.window.next_token() {
            None => WalkState::Done,
            Some(b'[') => self.enter(1, Kind::Array),
            Some(b'{') => self.object(),
            Some(b',') if !self.page.broken => {
                self.window.consume(1);
                WalkState::Top
            }
            Some(_) => WalkState::Broken,
        }
    }

    /// An object that is no item of a page.
    fn object(&mut self) -> WalkState {
        match envelope::top(self.window) {
            Top::Page { bytes, count, strangers } => {
                for stranger in &strangers {
                    self.stranger(stranger.clone());
                }
                let place = self.enter_inside(bytes, Kind::Page);
                (self.page.count, self.page.broken) = (count, !strangers.is_empty());
                place
            }
            Top::Batch { bytes } => self.enter_inside(bytes, Kind::Batch),
            Top::Document { bytes } => self.document(bytes),
            Top::Error { bytes, message } => self.error_answer(bytes, &message),
            Top::Broken => WalkState::Broken,
        }
    }

    fn enter(&mut self, bytes: usize, kind: Kind) -> WalkState {
        let start = self.window.offset();
        self.page = Page { start, open: kind != Kind::Answer, kind, ..Page::default() };
        self.window.consume(bytes);
        WalkState::Item
    }

    /// The same, inside of the present one if that goes on.
    fn enter_inside(&mut self, bytes: usize, kind: Kind) -> WalkState {
        let goes_on = self.page.open || self.page.kind == Kind::Answer;
        if goes_on { self.enter_nested(bytes, kind) } else { self.enter(bytes, kind) }
    }

    fn enter_nested(&mut self, bytes: usize, kind: Kind) -> WalkState {
        self.outer.push(std::mem::take(&mut self.page));
        self.enter(bytes, kind)
    }

    /// Behind a document or page that is no item: what follows is told by what it stands in.
    fn behind(&mut self) -> WalkState {
        match self.page.kind {
            Kind::Answer => WalkState::Tail,
            _ if self.page.open => {
                self.page.items += 1;
                WalkState::Gap
            }
            _ => WalkState::Top,
        }
    }

    /// A member of a page that is none of the service's.
    fn stranger(&mut self, bytes: Range<usize>) {
        let offset = self.window.offset() + bytes.start as u64;
        let bytes = self.window.bytes().get(bytes).unwrap_or_default();
        self.sink.quarantine(bytes, "no member of a page", offset);
    }

    fn document(&mut self, bytes: usize) -> WalkState {
        let json = self.window.bytes().get(..bytes).unwrap_or_default();
        if self.reaches_over_an_item(bytes) && !strict::is_valid(json) {
            return self.give_up(bytes);
        }
        self.sink.offer(json, self.window.offset());
        self.offer_replies(bytes);
        self.window.consume(bytes);
        if self.sink.keep_going() { self.behind() } else { WalkState::Done }
    }

    /// Replies that were fetched with their post are messages, too.
    fn offer_replies(&mut self, bytes: usize) {
        let (post, offset) =
            (self.window.bytes().get(..bytes).unwrap_or_default(), self.window.offset());
        let replies = replies::of(post);
        for reply in &replies.items {
            let json = post.get(reply.clone()).unwrap_or_default();
            self.sink.offer(json, offset + reply.start as u64);
        }
        if replies.goes_on {
            self.remarks.miss(|| format!("offset {offset}: {}", replies::GOES_ON));
        }
    }

    fn error_answer(&mut self, bytes: usize, message: &str) -> WalkState {
        let offset = self.window.offset();
        self.remarks.fail(|| {
            format!(
                "offset {offset}: the service answered with an error ({message}): fetch it again"
            )
        });
        self.window.consume(bytes);
        self.behind()
    }

    fn item(&mut self) -> WalkState {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b']') => {
                self.window.consume(1);
                self.page.open = false;
                if self.page.kind == Kind::Array { self.leave() } else { WalkState::Tail }
            }
            Some(b'{') if self.page.kind == Kind::Batch => self.answer(),
            Some(b'{') if self.is_page() => self.object(),
            Some(b'{') => self.objects(),
            Some(b'[') if self.is_array() => self.enter_nested(1, Kind::Array),
            Some(_) => self.no_object(),
        }
    }

    /// An answer of a `$batch`: its body is a page, a document or an error.
    fn answer(&mut self) -> WalkState {
        match envelope::body(self.window) {
            Some(body) if self.outer.len() < MOST_DEPTH => {
                let _item = self.enter_nested(body, Kind::Answer);
                self.object()
            }
            _ => self.no_object(),
        }
    }

    /// Is the object here a page, in an array?
    fn is_page(&mut self) -> bool {
        self.page.kind == Kind::Array
            && self.outer.len() < MOST_DEPTH
            && may_be_page(self.window.bytes())
            && matches!(
                envelope::top(self.window),
                Top::Page { .. } | Top::Batch { .. } | Top::Error { .. }
            )
    }

    /// Is the array here one of items? In an array it is; a page has arrays only where a bracket is
    /// too many.
    fn is_array(&mut self) -> bool {
        let may = self.outer.len() < MOST_DEPTH;
        may && (self.page.kind == Kind::Array || {
            let end = self.window.value_end(0).unwrap_or(0);
            let array = self.window.bytes().get(..end).unwrap_or_default();
            recover::holds_item(array, self.cutter, &mut self.patience)
        })
    }

    /// The hot loop: items whose end was guessed and proven, up to one that has to be scanned.
    fn objects(&mut self) -> WalkState {
        loop {
            let bytes = self.window.bytes();
            let guess = self.cutter.guess(bytes);
            let Some(end) = guess else { return self.scanned_object(None) };
            let item = bytes.get(..end).unwrap_or_default();
            if replies::may_have(item) || !self.sink.offer_if_known(item) {
                return self.scanned_object(guess);
            }
            self.page.items += 1;
            self.window.consume(end + self.cutter.separator_bytes());
            if !self.sink.keep_going() {
                return WalkState::Done;
            }
        }
    }

    fn scanned_object(&mut self, guess: Option<usize>) -> WalkState {
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
        self.offer_replies(end);
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

    fn no_object(&mut self) -> WalkState {
        let Ok(end) = self.window.value_end(0) else { return WalkState::Broken };
        let next = self.window.token_at(end).map(|(_, byte)| byte);
        let stands_alone = matches!(next, None | Some(b',' | b']'));
        let value = self.window.bytes().get(..end).unwrap_or_default();
        if !stands_alone || !strict::is_valid(value) {
            return WalkState::Broken;
        }
        self.sink.quarantine(value, "an item that is no object", self.window.offset());
        self.passed(end)
    }

    fn passed(&mut self, bytes: usize) -> WalkState {
        self.page.items += 1;
        self.window.consume(bytes);
        if self.sink.keep_going() { WalkState::Gap } else { WalkState::Done }
    }

    fn gap(&mut self) -> WalkState {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b',') => {
                self.window.consume(1);
                WalkState::Item
            }
            Some(b']') => WalkState::Item,
            Some(b'{' | b'[') if !self.page.open && self.outer.is_empty() => WalkState::Top,
            Some(b'{') => self.missing_comma(),
            Some(_) => WalkState::Broken,
        }
    }

    fn missing_comma(&mut self) -> WalkState {
        let offset = self.window.offset();
        self.page.broken = true;
        self.remarks.warn(|| format!("offset {offset}: a comma is missing between two items"));
        WalkState::Item
    }

    fn tail(&mut self) -> WalkState {
        match self.window.next_token() {
            None => self.cut_short(),
            Some(b'}') => {
                self.window.consume(1);
                self.leave()
            }
            Some(b',') => self.tail_member().unwrap_or(WalkState::Broken),
            Some(b'{' | b'[') if self.page.broken && self.outer.is_empty() => WalkState::Top,
            Some(b'{') if self.cutter.may_start(self.window.bytes()) => self.open_again(),
            Some(_) => WalkState::Broken,
        }
    }

    fn open_again(&mut self) -> WalkState {
        let offset = self.window.offset();
        (self.page.open, self.page.broken) = (true, true);
        self.remarks.warn(|| format!("offset {offset}: an item stands behind the page's end"));
        WalkState::Item
    }

    fn tail_member(&mut self) -> Option<WalkState> {
        let (key, _) = self.window.token_at(1)?;
        let mut envelope = Envelope::default();
        match envelope.member(self.window, key)? {
            Member::Items(bytes) if self.page.kind != Kind::Answer => {
                self.window.consume(bytes);
                self.page.open = true;
                Some(WalkState::Item)
            }
            Member::Items(start) | Member::Responses(start) | Member::Body(start) => {
                let end = self.window.value_end(start - 1).ok()?;
                self.page.broken = true;
                self.stranger(key..end);
                self.window.consume(end);
                Some(WalkState::Tail)
            }
            Member::Other(end) => {
                let bytes = self.window.bytes().get(key..end).unwrap_or_default();
                let is_strange = !bytes.starts_with(b"\"@") && envelope.error.is_none();
                if is_strange && self.page.kind != Kind::Answer {
                    self.page.broken = true;
                    self.stranger(key..end);
                }
                self.window.consume(end);
                self.page.count = envelope.count.or(self.page.count);
                if let Some(message) = envelope.error {
                    self.remarks.fail(|| format!("the page ends in an error ({message})"));
                }
                Some(WalkState::Tail)
            }
        }
    }

    /// The end of a page: does the service's count agree?
    fn leave(&mut self) -> WalkState {
        let (page, end) = (&self.page, self.window.offset());
        if let Some(count) = page.count.filter(|count| *count != page.items && !page.broken) {
            let (start, items) = (page.start, page.items);
            let told = || {
                format!("offset {start} to {end}: @odata.count is {count}, the page has {items}")
            };
            if count > items { self.remarks.miss(told) } else { self.remarks.warn(told) }
        }
        match self.outer.pop() {
            Some(outer) => {
                self.page = outer;
                self.behind()
            }
            None => WalkState::Top,
        }
    }

    /// The file ends inside a page. What is broken already was said to be so.
    pub(super) fn cut_short(&mut self) -> WalkState {
        if self.page.open || !self.page.broken {
            let offset = self.window.offset();
            self.remarks.fail(|| {
                format!("offset {offset}: the file ends in the middle of a page: fetch it again")
            });
        }
        WalkState::Done
    }

    fn give_up(&mut self, scanned: usize) -> WalkState {
        self.patience = self.patience.saturating_sub(scanned);
        WalkState::Broken
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
