//! Lines onto pages, pages into files.
//!
//! Runs on one thread, in the order of the entries: numbers of pages, glyphs and objects are given
//! out here and nowhere else, so the bytes do not depend on who laid the lines out.

use std::io;

use chatvault_engine::{ContentAddress, Timestamp};
use chrono::NaiveDate;

use super::content::Commands;
use super::entry::{Counts, Laid, PAGE_WIDTH};
use super::file::Id;
use super::fit::{MESSAGE_GAP, block_heights, cut, mark_plain};
use super::flow::Flow;
use super::font::{Fonts, Slot};
use super::frame::{self, Days, Frame, SEAM, date, day_words};
use super::image::{self, Turn};
use super::line::{Area, Ink, Line, Mark, Picture, Reach, Style};
use super::paragraph::{Align, Span};
use super::shape::Shaper;
use super::structure::Drawn;
use super::tag::{Elements, Role, Tag};
use super::volume::{About, Bookmark, Content, Link, Page, Volume};
use super::{Limits, Summary, cover};
use crate::entry::{Content as Bytes, Context, Piece, Window};
use crate::format::Sink;

/// The left edge of the text.
const LEFT: f32 = 56.0;

/// The top and bottom edges of the text; the footer stands below.
const TOP: f32 = 790.0;
const BOTTOM: f32 = 62.0;

/// The tops of head and foot.
const HEAD: f32 = 816.0;
const FOOT: f32 = 50.0;

/// Messages of one sender, each so soon after the one before, stand under one name.
const MOMENT_MS: i64 = 5 * 60 * 1_000;

/// Above a day, and the least room for it and what it announces: a name and two lines.
const DAY_GAP: f32 = 14.0;
const DAY_ROOM: f32 = 80.0;

/// A page that is being filled.
struct Open {
    id: Id,
    commands: Commands,
    y: f32,
    is_empty: bool,
    /// The element of each stretch.
    stretches: Vec<Id>,
    days: Option<Days>,
    links: Vec<Link>,
    pictures: Vec<usize>,
}

impl Open {
    fn new(id: Id) -> Self {
        Self {
            id,
            commands: Commands::default(),
            y: TOP,
            is_empty: true,
            stretches: Vec::new(),
            days: None,
            links: Vec::new(),
            pictures: Vec::new(),
        }
    }
}

/// The transcript so far.
pub(super) struct Pages<'a> {
    pub(super) shaper: Shaper<'a>,
    fonts: &'a Fonts,
    context: Context<'a>,
    window: Window,
    limits: Limits,
    volume: Volume<'a>,
    open: Option<Open>,
    cover: Vec<Id>,
    day: Option<NaiveDate>,
    /// Of the file that is being made.
    counts: Counts,
    /// Messages that begin in it.
    messages: u64,
    /// The number of the file, and of the page before its first.
    number: u32,
    before: usize,
    summary: Summary,
    frame: Frame,
    /// The entry that is being put on pages.
    drawn: Drawn,
    /// Who wrote the entry above, and when.
    above: Option<(String, Timestamp)>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(
        (fonts, shaper): (&'a Fonts, Shaper<'a>),
        context: Context<'a>,
        window: Window,
        limits: Limits,
    ) -> Self {
        let mut pages = Self {
            shaper,
            fonts,
            context,
            window,
            limits,
            volume: Volume::new(fonts),
            open: None,
            cover: Vec::new(),
            day: None,
            counts: Counts::default(),
            messages: 0,
            number: 1,
            before: 0,
            summary: Summary::default(),
            frame: Frame::default(),
            drawn: Drawn::default(),
            above: None,
        };
        pages.reserve_cover();
        pages
    }

    /// Pages whose contents another thread may pack.
    pub(super) fn pending(&mut self) -> &mut Vec<Page> {
        self.volume.pending()
    }

    pub(super) fn write_pending(&mut self) {
        self.volume.write_pending();
    }

    pub(super) fn count(&mut self, counts: Counts) {
        self.counts.add(counts);
        self.summary.counts.add(counts);
    }

    /// Puts an entry on the page, or on as many as it needs.
    pub(super) fn entry(&mut self, mut laid: Laid, sink: &mut Sink<'_>) -> io::Result<()> {
        self.count(laid.counts);
        if laid.lines.is_empty() && laid.head.is_empty() {
            return Ok(());
        }
        self.messages += 1;
        if laid.day != self.day && !(laid.is_under && self.day.is_some()) {
            if self.must_turn(DAY_GAP, DAY_ROOM) {
                self.turn_page(sink)?;
            }
            self.separator(laid.day);
        }
        let lines = self.under_its_name(&mut laid);
        self.drawn = Drawn::new(std::mem::take(&mut laid.elements));
        let heights = block_heights(&lines);
        for (index, (line, height)) in lines.iter().zip(heights).enumerate() {
            if self.must_turn(line.gap, height) {
                self.turn_page(sink)?;
                if self.day.is_none() {
                    self.separator(laid.day);
                }
                if index > 0 {
                    self.continued(&laid.continued);
                }
            }
            if let Some(id) = laid.id.filter(|_| index == 0) {
                let open = self.open();
                let (page, top) = (open.id, open.y);
                self.volume.begin_message(id, page, top);
            }
            self.line(line);
        }
        self.volume.structure.write(&mut self.volume.file, &mut self.drawn);
        Ok(())
    }

    /// The lines of an entry. Who wrote the message above a moment before is not named again, but at
    /// the top of a page: so each page tells by itself who said what.
    fn under_its_name(&mut self, laid: &mut Laid) -> Vec<Line> {
        let above = std::mem::replace(&mut self.above, laid.by.take());
        let mut lines = std::mem::take(&mut laid.lines);
        let goes_on = match (&above, &self.above) {
            (Some((name, before)), Some((same, now))) => {
                name == same && (0..=MOMENT_MS).contains(&(now.ms() - before.ms()))
            }
            _ => false,
        };
        if let Some(marks) = laid.plain.take().filter(|_| goes_on && self.has_room(&lines)) {
            mark_plain((&mut lines, &laid.elements), marks);
            return lines;
        }
        let mut head = std::mem::take(&mut laid.head);
        head.append(&mut lines);
        head
    }

    /// Whether lines can begin below what stands on the page.
    fn has_room(&self, lines: &[Line]) -> bool {
        let height = block_heights(lines).first().copied().unwrap_or(0.0);
        self.open.as_ref().is_some_and(|open| !open.is_empty)
            && !self.must_turn(MESSAGE_GAP, height)
    }

    /// Ends the page, and the file if it is full.
    fn turn_page(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.close_page();
        self.turn_file(sink)
    }

    /// Ends the transcript.
    pub(super) fn finish(
        mut self,
        sink: &mut Sink<'_>,
    ) -> io::Result<(Summary, &'a Fonts, Shaper<'a>)> {
        self.close_page();
        self.end_file(true, sink)?;
        Ok((self.summary, self.fonts, self.shaper))
    }

    fn must_turn(&self, gap: f32, height: f32) -> bool {
        let Some(open) = &self.open else { return false };
        !open.is_empty && open.y - gap - height < BOTTOM
    }

    fn open(&mut self) -> &mut Open {
        let volume = &mut self.volume;
        self.open.get_or_insert_with(|| Open::new(volume.take_page()))
    }

    /// Draws a line below the one before.
    fn line(&mut self, line: &Line) {
        let day = self.day;
        let open = self.open();
        let top = if open.is_empty { open.y } else { open.y - line.gap };
        open.commands.marks(line, (LEFT, top), open.is_empty);
        open.days = match (open.days, day) {
            (Some((first, _)), Some(day)) => Some((first, day)),
            (None, Some(day)) => Some((day, day)),
            (days, None) => days,
        };
        open.y = top - line.height;
        open.is_empty = false;
        self.words(line, top);
        for area in &line.areas {
            self.link(area, (top - line.height, top));
        }
        if let Some(picture) = &line.picture {
            self.show(picture, top);
        }
    }

    /// Draws the words of a line, each stretch for the element that it is of.
    fn words(&mut self, line: &Line, top: f32) {
        for items in line.items.chunk_by(|a, b| a.tag == b.tag) {
            self.stretch(items.first().map(|item| item.tag).unwrap_or_default());
            let Some(open) = &mut self.open else { return };
            let place = (&mut self.volume.file, &mut self.volume.fonts);
            open.commands.items(place, (line, items), (LEFT, top));
        }
    }

    /// What is drawn next is of an element.
    fn stretch(&mut self, tag: Tag) {
        let (Some(open), volume) = (&mut self.open, &mut self.volume) else { return };
        let drawn = &mut self.drawn;
        let Some((id, role)) = volume.structure.attach(&mut volume.file, drawn, tag) else {
            return;
        };
        let (page, stretches) = (open.id, &mut open.stretches);
        open.commands.element(id, role, || drawn.stretch(tag, id, (page, stretches)));
    }

    fn link(&mut self, area: &Area, (bottom, top): (f32, f32)) {
        let (Some(open), volume) = (&mut self.open, &mut self.volume) else { return };
        if !volume.leads(&area.target) {
            return;
        }
        let id = volume.file.take();
        let place = (open.id, id);
        let drawn = (&mut self.drawn, area.tag);
        if let Some(key) = volume.structure.annotation(&mut volume.file, drawn, place) {
            let mut area = area.clone();
            area.x += LEFT;
            open.links.push(Link { id, key, area, bottom, top });
        }
    }

    fn show(&mut self, picture: &Picture, top: f32) {
        self.stretch(picture.tag);
        let Some((name, turn)) = self.picture(&picture.address) else {
            if let Some(mut lost) = self.lost_picture(picture) {
                lost.set_tag(picture.tag);
                self.words(&lost, top);
            }
            return;
        };
        let Some(open) = &mut self.open else { return };
        let (x, y) = (LEFT + picture.x, top - picture.height);
        open.commands.picture(name, turn.matrix([x, y, picture.width, picture.height]));
        if !open.pictures.contains(&name) {
            open.pictures.push(name);
        }
    }

    /// What stands in the place of a picture that turned out to be damaged.
    fn lost_picture(&mut self, lost: &Picture) -> Option<Line> {
        let mut flow = Flow::new(&mut self.shaper, lost.x, PAGE_WIDTH - lost.x);
        let style = Style::new(Slot::Regular, 7.8, Ink::Alert);
        flow.note("[this image is damaged and cannot be shown]", &style);
        flow.lines.into_iter().next()
    }

    /// The name of a picture in this file, and how it is held.
    fn picture(&mut self, address: &ContentAddress) -> Option<(usize, Turn)> {
        if self.volume.knows_picture(address) {
            return self.volume.picture(address);
        }
        let raster = image::load(self.context.objects, address);
        self.volume.add_picture(*address, raster)
    }

    /// Whose words go on at the top of a page.
    fn continued(&mut self, words: &str) {
        let mut flow = Flow::new(&mut self.shaper, 0.0, PAGE_WIDTH);
        flow.note(words, &Style::new(Slot::Italic, 7.8, Ink::Muted));
        let (lines, _elements) = flow.into_parts();
        for mut line in lines {
            line.set_tag(Tag::default());
            self.artifact("Header");
            self.line(&line);
        }
    }

    /// What is drawn next is of no element.
    fn artifact(&mut self, kind: &str) {
        self.open().commands.artifact(kind);
    }

    /// The day, between two rules, and its bookmark.
    fn separator(&mut self, day: Option<NaiveDate>) {
        (self.day, self.above) = (day, None);
        let Some(day) = day else { return };
        let words = day_words(day);
        let mut flow = Flow::new(&mut self.shaper, 0.0, PAGE_WIDTH);
        let style = Style::new(Slot::Bold, 9.5, Ink::Text);
        let span = [Span { text: &words, style }];
        flow.only(Role::Heading, |flow| flow.aligned(&span, Align::Middle));
        let (lines, elements) = flow.into_parts();
        let Some(mut line) = lines.into_iter().next() else { return };
        let (from, to) = (line.items.first(), line.items.last());
        let from = from.map_or(0.0, |item| item.x) - 12.0;
        let to = to.map_or(0.0, |item| item.x + item.width()) + 12.0;
        let reach = Reach::At(line.baseline - 3.2, 0.6);
        for (x, width) in [(0.0, from), (to, PAGE_WIDTH - to)] {
            line.marks.push(Mark { x, width, ink: Ink::Rule, reach });
        }
        line.gap = DAY_GAP;
        line.height = 16.0;
        let open = self.open();
        let (page, top) = (open.id, (open.y - 6.0).min(TOP + 10.0));
        let group = format!("{} {}", date(day).month_name(), date(day).year);
        self.volume.bookmark(Bookmark { group, title: words, page, top });
        self.volume.structure.section(&mut self.volume.file, false);
        let entry = std::mem::replace(&mut self.drawn, Drawn::new(elements));
        self.line(&line);
        self.volume.structure.write(&mut self.volume.file, &mut self.drawn);
        self.drawn = entry;
    }

    fn close_page(&mut self) {
        let Some(open) = self.open.take() else { return };
        let number = self.before + self.volume.len();
        self.hand_over(open, number);
    }

    /// Ends a page with its head and foot.
    fn hand_over(&mut self, mut open: Open, number: usize) {
        let (shaper, context) = (&mut self.shaper, &self.context);
        let head = open.days.map(|days| self.frame.head(shaper, context, days));
        let foot = self.frame.foot(shaper, context, number);
        let volume = &mut self.volume;
        for (kind, line, top) in [("Header", head.as_ref(), HEAD), ("Footer", Some(&foot), FOOT)] {
            let Some(line) = line else { continue };
            open.commands.marks(line, (LEFT, top), true);
            open.commands.artifact(kind);
            let place = (&mut volume.file, &mut volume.fonts);
            open.commands.items(place, (line, &line.items), (LEFT, top));
        }
        open.commands.form("N", (LEFT + SEAM, FOOT - foot.baseline));
        let (bytes, missing) = open.commands.finish();
        for missing in missing {
            *self.summary.missing.entry(missing).or_default() += 1;
        }
        let key = volume.structure.page(&mut volume.file, &open.stretches);
        let (id, links, pictures) = (open.id, open.links, open.pictures);
        volume.push(Page { id, content: Content::Plain(bytes), key, links, pictures });
    }

    /// Begins the next file if this one is full.
    fn turn_file(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let is_full = self.volume.len() >= self.limits.pages_per_file
            || self.volume.estimate() >= self.limits.bytes_per_file;
        let has_entries = self.volume.len() > self.cover.len();
        if !is_full || !has_entries {
            return Ok(());
        }
        self.end_file(false, sink)?;
        self.before += self.summary.pages_of_last;
        self.number += 1;
        self.counts = Counts::default();
        (self.day, self.above) = (None, None);
        self.volume = Volume::new(self.fonts);
        self.reserve_cover();
        Ok(())
    }

    /// Takes the first pages for the cover, which can only be written at the end.
    fn reserve_cover(&mut self) {
        let count = self.cover_pages(false).0.len();
        self.cover = (0..count).map(|_| self.volume.take_page()).collect();
    }

    fn cover_pages(&mut self, is_last: bool) -> (Vec<Vec<Line>>, Elements) {
        let facts = cover::Facts {
            window: self.window,
            number: self.number,
            is_last,
            pages: (self.before + 1, self.before + self.volume.len()),
            counts: self.counts,
            total: self.summary.counts,
            missing: &self.summary.missing,
        };
        let (lines, elements) = cover::lines(&mut self.shaper, &self.context, &facts);
        (cut(lines, TOP - BOTTOM), elements)
    }

    fn end_file(&mut self, is_last: bool, sink: &mut Sink<'_>) -> io::Result<()> {
        self.volume.structure.write(&mut self.volume.file, &mut self.drawn);
        let entry = std::mem::take(&mut self.drawn);
        let (covers, elements) = self.cover_pages(is_last);
        self.volume.structure.section(&mut self.volume.file, true);
        self.drawn = Drawn::new(elements);
        self.day = None;
        for (place, (id, lines)) in self.cover.clone().into_iter().zip(covers).enumerate() {
            self.open = Some(Open::new(id));
            for line in &lines {
                self.line(line);
            }
            let Some(open) = self.open.take() else { continue };
            self.hand_over(open, self.before + place + 1);
        }
        self.volume.structure.write(&mut self.volume.file, &mut self.drawn);
        self.drawn = entry;
        self.total(is_last);
        let about = self.about();
        let name = self.file_name();
        self.summary.pages_of_last = self.volume.len();
        self.summary.pages += self.volume.len() as u64;
        self.summary.files += 1;
        let volume = std::mem::replace(&mut self.volume, Volume::new(self.fonts));
        let (bytes, fonts) = volume.finish(&about).map_err(io::Error::other)?;
        self.summary.add_fonts(fonts);
        let messages = std::mem::take(&mut self.messages);
        sink(Piece { name, content: Bytes::Bytes(bytes), messages })
    }

    /// How many pages there are, behind every page's number: known only now.
    fn total(&mut self, is_last: bool) {
        let line = frame::total(&mut self.shaper, self.before + self.volume.len(), is_last);
        let mut commands = Commands::default();
        let place = (&mut self.volume.file, &mut self.volume.fonts);
        commands.items(place, (&line, &line.items), (0.0, line.baseline));
        self.volume.write_total(&commands.finish().0);
    }

    fn about(&self) -> About {
        let (options, chat) = (self.context.options, self.context.chat);
        let as_of = crate::zone::rfc3339(options.as_of);
        let stamp: String = as_of.chars().take(19).filter(char::is_ascii_digit).collect();
        let instant: String = as_of.chars().take(19).chain(['Z']).collect();
        let seed = [
            options.export_id.as_str(),
            chat.id.as_str(),
            &self.window.start.ticks().to_string(),
            &self.window.end.ticks().to_string(),
            &self.number.to_string(),
        ]
        .join("\0");
        let hash = crate::digest::sha256(seed.as_bytes());
        let mut file_id = [0; 16];
        file_id.copy_from_slice(&hash[..16]);
        let producer = options.made_with.clone();
        let subject = format!("Chat transcript of {}, export {}", chat.id, options.export_id);
        About { title: chat.title(), subject, producer, stamp, instant, file_id }
    }

    /// `{chat}/transcript_20210601-20210630_p002.pdf`
    fn file_name(&self) -> String {
        let day = |time| crate::zone::file_stamp(time).chars().take(8).collect::<String>();
        let part = if self.number == 1 { String::new() } else { format!("_p{:03}", self.number) };
        let (start, end) = (day(self.window.start), day(self.window.end));
        format!("{}/transcript_{start}-{end}{part}.pdf", self.context.chat.slug)
    }
}
