//! A chat as pages: places cards, turns pages, links replies, and keeps no more than one page.
//!
//! Always holds: a page has at most [`PAGE_CARDS`] messages; every card is on exactly one page; a
//! page's file name is never given twice, neither in this window of the chat nor in another one of the
//! same export; every link that is written leads to something that was written.

use std::io;

use chatvault_base::time::calendar::Date;
use chatvault_engine::Timestamp;

use super::card::{Card, Scene};
use super::clock::{Local, day_name};
use super::leaf::{Around, Known, Leaf};
use super::places::Places;
use super::tally::Tally;
use crate::entry::{Content, Piece, Window};
use crate::format::{Item, Renderer, Sink, Tail};

/// Messages on a page at most.
pub(crate) const PAGE_CARDS: usize = 1_000;
/// A page is turned when it has so many bytes, however few messages these are.
pub(crate) const PAGE_BYTES: usize = 4 << 20;

/// Writes one chat's pages for one window.
///
/// Give it the chat's entries in export order; pages leave through the sink as they close.
#[derive(Debug)]
pub(crate) struct Transcript<'a> {
    scene: &'a Scene<'a>,
    window: Window,
    leaf: Option<Leaf>,
    pages: Vec<PageNote>,
    places: Places,
    tally: Tally,
}

/// What was written of one chat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Its pages, in order.
    pub pages: Vec<PageNote>,
    /// What was counted.
    pub tally: Tally,
}

/// One finished page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageNote {
    /// Its path in the part.
    pub name: String,
    /// What it is called in lists: `June 2021` or `June 2021, page 2`.
    pub title: String,
    /// The times of the first and last message on it.
    pub first: Timestamp,
    /// See [`PageNote::first`].
    pub last: Timestamp,
    /// How many messages and events are on it.
    pub cards: u64,
}

/// What the pages of one month have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    pub(super) year: i64,
    pub(super) month: i64,
}

impl<'a> Renderer<'a> for Transcript<'a> {
    fn push(&mut self, item: Item, sink: &mut Sink<'_>) -> io::Result<()> {
        self.place(item.card()?, sink)
    }

    fn finish(self: Box<Self>, sink: &mut Sink<'_>) -> io::Result<Tail<'a>> {
        Ok(Tail { html: Some((*self).finish(sink)?), ..Tail::default() })
    }
}

impl<'a> Transcript<'a> {
    /// Starts with nothing written.
    pub(crate) fn new(scene: &'a Scene<'a>, window: Window) -> Self {
        let (pages, places) = (Vec::new(), Places::default());
        Self { scene, window, leaf: None, pages, places, tally: Tally::default() }
    }

    /// Makes and places one message.
    #[cfg(test)]
    pub(crate) fn push(
        &mut self,
        entry: &crate::entry::Entry,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        self.place(self.scene.card(entry), sink)
    }

    /// Places a card that was made before, perhaps on another thread. Cards come in export order.
    pub(crate) fn place(&mut self, card: Card, sink: &mut Sink<'_>) -> io::Result<()> {
        self.tally.add(&card.tally);
        if card.html.is_empty() {
            return Ok(());
        }
        let zone = self.scene.context.options.zone;
        let local = card.is_dated.then(|| Local::of(zone, card.created)).flatten();
        let month = self.month_of(local.map(|local| local.day));
        if self.leaf.as_ref().is_none_or(|leaf| leaf.month < month || leaf.is_full()) {
            self.turn(month, sink)?;
        }
        let page = u32::try_from(self.pages.len()).unwrap_or(u32::MAX);
        if let Some(leaf) = &mut self.leaf {
            let (places, pages, elsewhere) = (&self.places, &self.pages[..], &|_: &str| None);
            leaf.add(&card, local, &Known { places, pages, elsewhere });
        }
        self.places.put(&card.id, page);
        if let Some(excerpt) = card.excerpt {
            self.places.put_excerpt(card.id, excerpt);
        }
        Ok(())
    }

    /// Closes the last page.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<Summary> {
        self.close(None, sink)?;
        Ok(Summary { pages: self.pages, tally: self.tally })
    }

    /// Months never go back, whatever the order of the entries and the clocks of the zone: what is
    /// from before the window or the current page (a thread's root, the hour before a clock was set
    /// back) goes on the page that is open.
    fn month_of(&self, day: Option<Date>) -> Month {
        let start = self.window_start().map(Month::of);
        let current = self.leaf.as_ref().map(|leaf| leaf.month);
        let own = day.map(Month::of);
        let latest = own.max(start).max(current);
        latest.unwrap_or(Month { year: 1970, month: 1 })
    }

    fn window_start(&self) -> Option<Date> {
        Local::of(self.scene.context.options.zone, self.window.start).map(|local| local.day)
    }

    fn turn(&mut self, month: Month, sink: &mut Sink<'_>) -> io::Result<()> {
        let number = match &self.leaf {
            Some(leaf) if leaf.month == month => leaf.number + 1,
            _ => 1,
        };
        let file = self.file_name(month, number);
        self.close(Some(&file), sink)?;
        self.leaf = Some(Leaf::new(file, month, number));
        Ok(())
    }

    /// `2021-06.html`, `2021-06_p2.html`; the month in which a window starts has the day as well,
    /// since the window before may end in it and is unpacked into the same folder.
    fn file_name(&self, month: Month, number: u32) -> String {
        let day =
            self.window_start().filter(|day| Month::of(*day) == month && !self.starts_month());
        let name = match day {
            Some(day) => day_name(day),
            None => format!("{:04}-{:02}", month.year, month.month),
        };
        match number {
            1 => format!("{name}.html"),
            _ => format!("{name}_p{number}.html"),
        }
    }

    fn starts_month(&self) -> bool {
        let zone = self.scene.context.options.zone;
        Local::of(zone, self.window.start).is_some_and(|local| local.starts_month())
    }

    fn close(&mut self, next: Option<&str>, sink: &mut Sink<'_>) -> io::Result<()> {
        let Some(leaf) = self.leaf.take() else { return Ok(()) };
        let note = leaf.note(&self.scene.context.chat.slug);
        let around = Around {
            scene: self.scene,
            window: &self.window,
            first: self.pages.first().map(PageNote::file),
            earlier: self.pages.last().map(PageNote::file),
            later: next,
        };
        let bytes = leaf.into_bytes(&around);
        let (name, content, messages) = (note.name.clone(), Content::Bytes(bytes), note.cards);
        let piece = Piece { name, content, messages };
        self.pages.push(note);
        sink(piece)
    }
}

impl PageNote {
    /// The file in the chat's folder.
    pub(super) fn file(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

impl Month {
    pub(super) fn of(day: Date) -> Self {
        Self { year: day.year, month: day.month }
    }
}
