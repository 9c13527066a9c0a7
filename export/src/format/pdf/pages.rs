//! Lines onto pages, pages into files.
//!
//! Runs on one thread, in the order of the entries: numbers of pages, glyphs and objects are given
//! out here and nowhere else, so the bytes do not depend on who laid the lines out.

use std::io;

use chatvault_engine::ContentAddress;
use chrono::{Datelike, NaiveDate};

use super::content::Commands;
use super::entry::{Counts, Laid, PAGE_WIDTH, grouped};
use super::file::Id;
use super::flow::Flow;
use super::font::{Fonts, Slot};
use super::image;
use super::line::{Ink, Item, Line, Mark, Picture, Reach, Style};
use super::paragraph::{Align, Span};
use super::shape::Shaper;
use super::volume::{About, Bookmark, Content, Link, Page, Volume};
use super::{Limits, Summary, cover};
use crate::entry::{Content as Bytes, Context, Piece, Window};
use crate::zone::calendar::Date;

/// The left edge of the text.
const LEFT: f32 = 56.0;

/// The top and bottom edges of the text; the footer stands below.
const TOP: f32 = 790.0;
const BOTTOM: f32 = 62.0;

/// Above a day, and the least room for it and what it announces: a name and two lines.
const DAY_GAP: f32 = 14.0;
const DAY_ROOM: f32 = 80.0;

/// At most so many lines are kept together.
const MOST_KEPT: usize = 8;

/// What goes out.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Piece) -> io::Result<()>;

/// A page that is being filled.
struct Open {
    id: Id,
    commands: Commands,
    y: f32,
    is_empty: bool,
    links: Vec<Link>,
    pictures: Vec<usize>,
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
    /// What all footers share, once one was made.
    footer: Option<Line>,
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
            footer: None,
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
    pub(super) fn entry(&mut self, laid: &Laid, sink: Sink<'_>) -> io::Result<()> {
        self.count(laid.counts);
        if laid.lines.is_empty() {
            return Ok(());
        }
        self.messages += 1;
        if laid.day != self.day && !(laid.is_under && self.day.is_some()) {
            if self.must_turn(DAY_GAP, DAY_ROOM) {
                self.turn_page(sink)?;
            }
            self.separator(laid.day);
        }
        let heights = block_heights(&laid.lines);
        for (index, (line, height)) in laid.lines.iter().zip(heights).enumerate() {
            if self.must_turn(line.gap, height) {
                self.turn_page(sink)?;
                if self.day.is_none() {
                    self.separator(laid.day);
                } else {
                    self.running_head();
                }
                if index > 0 {
                    self.continued(&laid.continued);
                }
            }
            self.line(line);
        }
        Ok(())
    }

    /// Ends the page, and the file if it is full.
    fn turn_page(&mut self, sink: Sink<'_>) -> io::Result<()> {
        self.close_page();
        self.turn_file(sink)
    }

    /// Ends the transcript.
    pub(super) fn finish(mut self, sink: Sink<'_>) -> io::Result<(Summary, &'a Fonts, Shaper<'a>)> {
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
        self.open.get_or_insert_with(|| Open {
            id: volume.take_page(),
            commands: Commands::default(),
            y: TOP,
            is_empty: true,
            links: Vec::new(),
            pictures: Vec::new(),
        })
    }

    /// Draws a line below the one before.
    fn line(&mut self, line: &Line) {
        let _open = self.open();
        let picture = line.picture.as_ref().and_then(|picture| self.picture(&picture.address));
        let lost = match (&line.picture, picture) {
            (Some(lost), None) => self.lost_picture(lost),
            _ => None,
        };
        let (Some(open), volume) = (self.open.as_mut(), &mut self.volume) else { return };
        let top = if open.is_empty { open.y } else { open.y - line.gap };
        let place = (&mut volume.file, &mut volume.fonts);
        open.commands.line(place, line, (LEFT, top), open.is_empty);
        if let Some(lost) = lost {
            let place = (&mut volume.file, &mut volume.fonts);
            open.commands.line(place, &lost, (LEFT, top), true);
        }
        for area in &line.areas {
            let mut area = area.clone();
            area.x += LEFT;
            let (bottom, top) = (top - line.height, top);
            open.links.push(Link { area, bottom, top });
        }
        if let (Some(name), Some(picture)) = (picture, &line.picture) {
            let (x, y) = (LEFT + picture.x, top - picture.height);
            open.commands.picture(name, [x, y, picture.width, picture.height]);
            if !open.pictures.contains(&name) {
                open.pictures.push(name);
            }
        }
        open.y = top - line.height;
        open.is_empty = false;
    }

    /// What stands in the place of a picture that turned out to be damaged.
    fn lost_picture(&mut self, lost: &Picture) -> Option<Line> {
        let mut flow = Flow::new(&mut self.shaper, lost.x, PAGE_WIDTH - lost.x);
        let style = Style::new(Slot::Regular, 7.8, Ink::Alert);
        flow.note("[this image is damaged and cannot be shown]", &style);
        flow.lines.into_iter().next()
    }

    /// The name of a picture in this file.
    fn picture(&mut self, address: &ContentAddress) -> Option<usize> {
        if self.volume.knows_picture(address) {
            return self.volume.picture(address);
        }
        let raster = image::load(self.context.objects, address);
        self.volume.add_picture(*address, raster)
    }

    /// The day that goes on, at the top of a page, and in which zone its times are.
    fn running_head(&mut self) {
        let Some(day) = self.day else { return };
        let words =
            format!("{}, continued; times in {}", day_words(day), self.context.options.zone);
        self.continued(&words);
    }

    fn continued(&mut self, words: &str) {
        let mut flow = Flow::new(&mut self.shaper, 0.0, PAGE_WIDTH);
        flow.note(words, &Style::new(Slot::Italic, 7.8, Ink::Muted));
        let lines = std::mem::take(&mut flow.lines);
        for line in &lines {
            self.line(line);
        }
    }

    /// The day, between two rules, and its bookmark.
    fn separator(&mut self, day: Option<NaiveDate>) {
        self.day = day;
        let Some(day) = day else { return };
        let words = day_words(day);
        let mut flow = Flow::new(&mut self.shaper, 0.0, PAGE_WIDTH);
        let style = Style::new(Slot::Bold, 9.5, Ink::Text);
        flow.aligned(&[Span { text: &words, style }], Align::Middle);
        let Some(mut line) = std::mem::take(&mut flow.lines).into_iter().next() else { return };
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
        let group = format!("{} {}", date(day).month_name(), day.year());
        self.volume.bookmark(Bookmark { group, title: words, page, top });
        self.line(&line);
    }

    fn close_page(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        let number = self.before + self.volume.len();
        self.footer(&mut open.commands, number);
        self.hand_over(open);
    }

    fn hand_over(&mut self, open: Open) {
        for missing in &open.commands.missing {
            *self.summary.missing.entry(*missing).or_default() += 1;
        }
        let content = Content::Plain(open.commands.bytes);
        let (id, links, pictures) = (open.id, open.links, open.pictures);
        self.volume.push(Page { id, content, links, pictures });
    }

    /// Conversation, export and page number below the text.
    fn footer(&mut self, commands: &mut Commands, number: usize) {
        /// Where the page's number ends and the form with the total begins.
        const SEAM: f32 = 440.0;
        const BASE: f32 = 50.0;
        let page = format!("Page {}", grouped(number as u64));
        let mut footer = self.same_footer();
        footer.items.extend(self.fitted(&page, (SEAM - 90.0, 90.0), Align::End));
        let place = (&mut self.volume.file, &mut self.volume.fonts);
        commands.line(place, &footer, (LEFT, BASE), true);
        commands.form("N", (LEFT + SEAM, BASE - footer.baseline));
    }

    /// What the footers of all pages share.
    fn same_footer(&mut self) -> Line {
        if let Some(footer) = &self.footer {
            return footer.clone();
        }
        let mark = self.context.options.mark.map(|mark| format!(" \u{2013} {mark}"));
        let left = short(&self.context.chat.title(), 80) + mark.as_deref().unwrap_or_default();
        let middle = format!("Export {}", short(&self.context.options.export_id, 40));
        let mut footer = Line { height: 12.0, baseline: 9.0, ..Line::default() };
        let reach = Reach::At(0.0, 0.4);
        footer.marks.push(Mark { x: 0.0, width: PAGE_WIDTH, ink: Ink::Rule, reach });
        footer.items.extend(self.fitted(&left, (0.0, 190.0), Align::Left));
        footer.items.extend(self.fitted(&middle, (196.0, 178.0), Align::Middle));
        self.footer = Some(footer.clone());
        footer
    }

    /// A text on one line, shortened until it fits.
    fn fitted(&mut self, text: &str, (x, width): (f32, f32), align: Align) -> Vec<Item> {
        let style = Style::new(Slot::Regular, 7.0, Ink::Muted);
        let mut most = text.chars().count();
        loop {
            let text = short(text, most);
            let span = [Span { text: &text, style: style.clone() }];
            let mut flow = Flow::new(&mut self.shaper, x, width);
            flow.aligned(&span, align);
            let lines = std::mem::take(&mut flow.lines);
            if lines.len() <= 1 || most <= 4 {
                return lines.into_iter().next().map(|line| line.items).unwrap_or_default();
            }
            most -= most / 16 + 1;
        }
    }

    /// Begins the next file if this one is full.
    fn turn_file(&mut self, sink: Sink<'_>) -> io::Result<()> {
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
        self.day = None;
        self.volume = Volume::new(self.fonts);
        self.reserve_cover();
        Ok(())
    }

    /// Takes the first pages for the cover, which can only be written at the end.
    fn reserve_cover(&mut self) {
        let count = self.cover_pages(false).len();
        self.cover = (0..count).map(|_| self.volume.take_page()).collect();
    }

    fn cover_pages(&mut self, is_last: bool) -> Vec<Vec<Line>> {
        let facts = cover::Facts {
            window: self.window,
            number: self.number,
            is_last,
            pages: (self.before + 1, self.before + self.volume.len()),
            counts: self.counts,
            total: self.summary.counts,
            missing: &self.summary.missing,
        };
        let lines = cover::lines(&mut self.shaper, &self.context, &facts);
        cut(lines, TOP - BOTTOM)
    }

    fn end_file(&mut self, is_last: bool, sink: Sink<'_>) -> io::Result<()> {
        let covers = self.cover_pages(is_last);
        for (place, (id, lines)) in self.cover.clone().into_iter().zip(covers).enumerate() {
            let commands = Commands::default();
            let (links, pictures) = (Vec::new(), Vec::new());
            self.open = Some(Open { id, commands, y: TOP, is_empty: true, links, pictures });
            for line in &lines {
                self.line(line);
            }
            let Some(mut open) = self.open.take() else { continue };
            self.footer(&mut open.commands, self.before + place + 1);
            self.hand_over(open);
        }
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

    /// ` of 312` behind every page's number: known only now.
    fn total(&mut self, is_last: bool) {
        let last = grouped((self.before + self.volume.len()) as u64);
        let words = if is_last { format!(" of {last}") } else { format!(" of {last}+") };
        let mut flow = Flow::new(&mut self.shaper, 0.0, PAGE_WIDTH);
        flow.plain(&words, &Style::new(Slot::Regular, 7.0, Ink::Muted));
        let lines = std::mem::take(&mut flow.lines);
        let mut commands = Commands::default();
        if let Some(line) = lines.first() {
            let place = (&mut self.volume.file, &mut self.volume.fonts);
            commands.line(place, line, (0.0, line.baseline), true);
        }
        self.volume.write_total(&commands.bytes);
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

/// For each line, the height of what must stay together from it on.
fn block_heights(lines: &[Line]) -> Vec<f32> {
    let mut heights: Vec<f32> = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let mut height = line.height;
        let mut keeps = line.keep;
        for next in lines.iter().skip(index + 1).take(MOST_KEPT) {
            if !keeps {
                break;
            }
            height += next.gap + next.height;
            keeps = next.keep;
        }
        heights.push(height);
    }
    heights
}

/// Lines in pages of so much height.
fn cut(lines: Vec<Line>, height: f32) -> Vec<Vec<Line>> {
    let heights = block_heights(&lines);
    let mut pages = vec![Vec::new()];
    let mut used = 0.0;
    for (line, block) in lines.into_iter().zip(heights) {
        if used > 0.0 && used + line.gap + block > height {
            pages.push(Vec::new());
            used = 0.0;
        }
        used += line.height + if used > 0.0 { line.gap } else { 0.0 };
        if let Some(page) = pages.last_mut() {
            page.push(line);
        }
    }
    pages
}

/// At most so many characters, with a mark where some were left out.
pub(super) fn short(text: &str, most: usize) -> String {
    let text = super::flow::clean(text).replace('\n', " ");
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}

/// `Thursday, 3 June 2021`
fn day_words(day: NaiveDate) -> String {
    let date = date(day);
    format!("{}, {} {} {}", date.weekday(), date.day, date.month_name(), date.year)
}

fn date(day: NaiveDate) -> Date {
    Date { year: day.year().into(), month: day.month().into(), day: day.day().into() }
}
