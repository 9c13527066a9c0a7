//! PDF transcripts: a conversation's window as pages that people read, cite and search.
//!
//! Each file has a cover, a bookmark for every day, entries with times, ids, edits and deletions, and
//! footers that count pages across files. Fonts are embedded as subsets with the text they show, so
//! every word can be searched and copied. There are no scripts, no forms and no actions but links to
//! `http`, `https` and `mailto`; nothing is ever loaded from elsewhere.
//!
//! Files are tagged: headings, messages, paragraphs, lists, tables and pictures can be read by programs
//! for people who do not see the page (`tag`, `structure`). They are made to the rules of PDF/A-2b
//! (`archival`); no validator of that standard was run over them, the tests hold the rules that such
//! files can break. krilla carries both, too, but holds all pages and elements of a file until its end,
//! so it was not taken.
//!
//! Memory is bounded whatever the conversation holds: entries are laid out in batches, a page is
//! written when it is full, and a file ends at [`Limits`]; the next one goes on with its page numbers.
//! The bytes depend on entries, context, fonts and limits except `threads`, and on nothing else.
//!
//! How it is laid out: `entry` turns a message into lines (`flow`, `paragraph`, `document`),
//! `shape` turns words into glyphs, `pages` and `frame` put lines onto pages and `volume` writes the
//! file.

mod archival;
mod batch;
mod card;
mod content;
mod cover;
mod document;
mod embed;
mod entry;
mod file;
mod fit;
mod flow;
mod font;
mod frame;
mod image;
mod line;
mod pages;
mod paragraph;
mod shape;
mod structure;
mod tag;
mod thread;
mod volume;

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use chatvault_engine::ContentAddress;
use chatvault_query::people::ConversationKind;

use self::pages::Pages;
use self::shape::Shaper;
use self::thread::{Placed, Threads};
use crate::entry::{Context, Entry, Window};
use crate::format::{Item, Renderer, Sink, Tail};

pub(crate) use self::entry::Counts;
pub(crate) use self::font::{FontUsed, Fonts};

/// How large files become, and how many threads make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// A file with so many pages is ended; the next one goes on.
    pub pages_per_file: usize,
    /// About how many bytes a file may have. It is held in memory until it is whole. One picture, one
    /// message or the fonts may lead a little above it.
    pub bytes_per_file: usize,
    /// How many threads lay out. The bytes do not depend on it.
    pub threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pages_per_file: 5_000, bytes_per_file: 64 << 20, threads: 2 }
    }
}

/// What became of a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Files written.
    pub files: u32,
    /// Pages in them.
    pub pages: u64,
    /// What the entries are.
    pub counts: Counts,
    /// The embedded fonts, sorted.
    pub fonts: Vec<FontUsed>,
    /// Characters that no font could show, and how often they stand on the pages.
    pub missing: BTreeMap<char, u64>,
    pages_of_last: usize,
}

impl Summary {
    fn add_fonts(&mut self, fonts: Vec<FontUsed>) {
        self.fonts.extend(fonts);
        self.fonts.sort_unstable();
        self.fonts.dedup();
    }
}

/// Entries laid out together: at most so many, of at most so many bytes. It decides how much memory
/// layout takes, and never what comes out.
const BATCH_ENTRIES: usize = 256;
const BATCH_BYTES: usize = 1 << 20;

/// What transcripts are made with: it remembers how words look, which is the same in all of them.
pub(crate) struct Kit<'f> {
    fonts: &'f Fonts,
    shaper: Shaper<'f>,
    shapers: Vec<Shaper<'f>>,
}

impl<'f> Kit<'f> {
    /// With so many threads.
    pub(crate) fn new(fonts: &'f Fonts, threads: usize) -> Self {
        let shapers = (0..threads.clamp(1, 64)).map(|_| Shaper::new(fonts)).collect();
        Self { fonts, shaper: Shaper::new(fonts), shapers }
    }
}

impl fmt::Debug for Kit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").field("threads", &self.shapers.len()).finish_non_exhaustive()
    }
}

/// A transcript in the making.
///
/// Files are handed to the sink as soon as they are whole, named below the conversation's folder.
pub(crate) struct Transcript<'a> {
    context: Context<'a>,
    pages: Pages<'a>,
    shapers: Vec<Shaper<'a>>,
    /// Of a channel.
    threads: Option<Threads>,
    batch: Vec<Placed>,
    batch_bytes: usize,
}

impl<'a> Renderer<'a> for Transcript<'a> {
    fn push(&mut self, item: Item, sink: &mut Sink<'_>) -> io::Result<()> {
        self.push(item.entry()?, sink)
    }

    fn leave_out_event(&mut self) {
        self.pages.count(Counts { events_omitted: 1, ..Counts::default() });
    }

    fn finish(self: Box<Self>, sink: &mut Sink<'_>) -> io::Result<Tail<'a>> {
        let (summary, kit) = self.finish_with(sink)?;
        let missing_glyphs = summary.missing.values().sum();
        Ok(Tail { missing_glyphs, kit: Some(kit), ..Tail::default() })
    }
}

impl<'a> Transcript<'a> {
    /// Begins the transcript of a window.
    #[cfg(test)]
    pub(crate) fn new(
        fonts: &'a Fonts,
        context: Context<'a>,
        window: Window,
        limits: Limits,
    ) -> Self {
        Self::with(Kit::new(fonts, limits.threads), context, window, limits)
    }

    /// Begins the transcript of a window with the kit of another one, and its threads.
    pub(crate) fn with(kit: Kit<'a>, context: Context<'a>, window: Window, limits: Limits) -> Self {
        let Kit { fonts, shaper, shapers } = kit;
        let pages = Pages::new((fonts, shaper), context, window, limits);
        let is_channel = context.chat.kind == ConversationKind::Channel;
        let threads = is_channel.then(Threads::default);
        Self { context, pages, shapers, threads, batch: Vec::new(), batch_bytes: 0 }
    }

    /// Takes the next entry, in the order of the export.
    pub(crate) fn push(&mut self, entry: Entry, sink: &mut Sink<'_>) -> io::Result<()> {
        let placed = match &mut self.threads {
            Some(threads) => threads.push(entry),
            None => vec![Placed { entry, is_under: false }],
        };
        placed.into_iter().try_for_each(|placed| self.place(placed, sink))
    }

    fn place(&mut self, placed: Placed, sink: &mut Sink<'_>) -> io::Result<()> {
        let versions = placed.entry.versions.iter();
        self.batch_bytes += versions.map(|version| version.document.json().len()).sum::<usize>();
        self.batch.push(placed);
        if self.batch.len() >= BATCH_ENTRIES || self.batch_bytes >= BATCH_BYTES {
            self.flush(sink)?;
        }
        Ok(())
    }

    /// Ends the transcript.
    #[cfg(test)]
    pub(crate) fn finish(self, sink: &mut Sink<'_>) -> io::Result<Summary> {
        self.finish_with(sink).map(|(summary, _kit)| summary)
    }

    /// Ends the transcript, and gives the kit back.
    pub(crate) fn finish_with(mut self, sink: &mut Sink<'_>) -> io::Result<(Summary, Kit<'a>)> {
        let last = self.threads.as_mut().map(Threads::finish).unwrap_or_default();
        last.into_iter().try_for_each(|placed| self.place(placed, sink))?;
        self.flush(sink)?;
        let (summary, fonts, shaper) = self.pages.finish(sink)?;
        Ok((summary, Kit { fonts, shaper, shapers: self.shapers }))
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        let context = self.context;
        let measure = |address: &ContentAddress, size: u64| {
            image::measure(context.objects, address, size).map(as_points)
        };
        let pending = self.pages.pending();
        let laid = batch::work(&mut self.shapers, &batch, pending, (&context, &measure));
        drop(batch);
        self.pages.write_pending();
        for laid in laid {
            self.pages.entry(laid, sink)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Transcript<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").field("waiting", &self.batch.len()).finish_non_exhaustive()
    }
}

#[expect(clippy::cast_precision_loss, reason = "pixels are far below 2^24")]
fn as_points((width, height): (u32, u32)) -> (f32, f32) {
    (width as f32, height as f32)
}

#[cfg(test)]
mod tests;
