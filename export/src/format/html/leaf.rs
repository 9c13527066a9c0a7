//! The page that is open: sections of cards, with the holes of each filled as it is added.
//!
//! A chat's sections are its days. A channel's are its threads: replies go under their post when that
//! is on the same page, else under a line that names it.

use std::collections::HashMap;

use chatvault_base::time::calendar::Date;
use chatvault_engine::Timestamp;

use super::card::{Card, Hole, Scene};
use super::clock::{self, Local, Shown, day_name, write_day};
use super::index::first_file;
use super::page;
use super::places::Places;
use super::transcript::{Month, PAGE_BYTES, PAGE_CARDS, PageNote};
use super::write::{Html, anchor, relative_link};
use crate::entry::{Window, Zone};

/// What opens a thread on a page of an export.
const THREAD: &str = "<section class=\"thread\" aria-label=\"Thread\">\n";

/// A page that takes cards.
#[derive(Debug)]
pub(super) struct Leaf {
    file: String,
    pub(super) month: Month,
    pub(super) number: u32,
    sections: Vec<Section>,
    /// The section of each thread on this page, by the id of its root.
    threads: HashMap<String, usize>,
    /// The anchors on this page and how often each was wanted.
    anchors: HashMap<String, u64>,
    cards: usize,
    bytes: usize,
    times: Option<(Timestamp, Timestamp)>,
}

/// Cards that stay together.
#[derive(Debug)]
struct Section {
    day: Option<Local>,
    html: Html,
    kind: SectionKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SectionKind {
    /// Cards one behind the other.
    Plain,
    /// A post, or the line that names it, without replies so far.
    Post,
    /// A post with its replies, whose element is open.
    Replies,
}

/// What was placed before, here and on earlier pages.
pub(super) struct Known<'k> {
    pub(super) places: &'k Places,
    /// The pages that are closed; a message on the open page has no note yet.
    pub(super) pages: &'k [PageNote],
    /// The address of a message that is on none of them, where there is one.
    pub(super) elsewhere: Elsewhere<'k>,
}

/// Where messages are that are on no page.
pub type Elsewhere<'k> = &'k dyn Fn(&str) -> Option<String>;

/// What surrounds a page when it closes.
pub(super) struct Around<'p> {
    pub(super) scene: &'p Scene<'p>,
    pub(super) window: &'p Window,
    pub(super) first: Option<&'p str>,
    pub(super) earlier: Option<&'p str>,
    pub(super) later: Option<&'p str>,
}

impl Known<'_> {
    /// The file of a message: empty for one on the open page, `None` for one on no page.
    fn file(&self, id: &str) -> Option<&str> {
        let page = usize::try_from(self.places.page(id)?).ok()?;
        Some(self.pages.get(page).map_or("", PageNote::file))
    }
}

impl Leaf {
    pub(super) fn new(file: String, month: Month, number: u32) -> Self {
        Self {
            file,
            month,
            number,
            sections: Vec::new(),
            threads: HashMap::new(),
            anchors: HashMap::new(),
            cards: 0,
            bytes: 0,
            times: None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.cards >= PAGE_CARDS || self.bytes >= PAGE_BYTES
    }

    /// Adds a card to the section where it belongs.
    pub(super) fn add(&mut self, card: &Card, local: Option<Local>, known: &Known<'_>) {
        let index = match (&card.root, &card.excerpt) {
            (Some(root), _) => self.thread(root, local, known),
            (None, Some(_)) => self.post(card, local),
            (None, None) => self.plain(local),
        };
        let wanted = self.anchors.entry(anchor(&card.id)).or_default();
        *wanted += 1;
        if let Some(section) = self.sections.get_mut(index) {
            fill(&mut section.html, card, *wanted, known);
        }
        self.cards += 1;
        self.bytes += card.html.len();
        let (first, last) = self.times.unwrap_or((card.created, card.created));
        self.times = Some((first.min(card.created), last.max(card.created)));
    }

    fn plain(&mut self, local: Option<Local>) -> usize {
        let day = local.map(|local| local.day);
        let goes_on = self.sections.last().is_some_and(|last| {
            last.kind == SectionKind::Plain && last.day.map(|local| local.day) == day
        });
        if goes_on { self.sections.len() - 1 } else { self.section(local, SectionKind::Plain) }
    }

    fn post(&mut self, card: &Card, local: Option<Local>) -> usize {
        let index = self.section(local, SectionKind::Post);
        let _earlier = self.threads.insert(card.id.clone(), index);
        index
    }

    /// The section for replies to `root`; one that only names it when it is not on this page.
    fn thread(&mut self, root: &str, local: Option<Local>, known: &Known<'_>) -> usize {
        let index = if let Some(&index) = self.threads.get(root) {
            index
        } else {
            let index = self.section(local, SectionKind::Post);
            let _earlier = self.threads.insert(root.to_owned(), index);
            if let Some(section) = self.sections.get_mut(index) {
                name_root(&mut section.html, root, known);
            }
            index
        };
        if let Some(section) = self.sections.get_mut(index) {
            section.open_replies();
        }
        index
    }

    fn section(&mut self, day: Option<Local>, kind: SectionKind) -> usize {
        self.sections.push(Section { day, html: Html::default(), kind });
        self.sections.len() - 1
    }

    /// What is said of it elsewhere.
    pub(super) fn note(&self, folder: &str) -> PageNote {
        let (first, last) = self.times.unwrap_or((Timestamp::MIN, Timestamp::MIN));
        let (name, cards) = (format!("{folder}/{}", self.file), self.cards as u64);
        PageNote { name, title: self.title(), first, last, cards }
    }

    /// `June 2021`, `June 2021, page 2`.
    fn title(&self) -> String {
        let Month { year, month } = self.month;
        let name = Date { year, month, day: 1 }.month_name();
        match self.number {
            1 => format!("{name} {year:04}"),
            number => format!("{name} {year:04}, page {number}"),
        }
    }

    /// The finished page.
    pub(super) fn into_bytes(self, around: &Around<'_>) -> Vec<u8> {
        let mut html = Html::with_capacity(self.bytes + self.bytes / 8 + (32 << 10));
        let scene = around.scene;
        let (chat, options) = (scene.context.chat, scene.context.options);
        let title = chat.title();
        page::begin(&mut html, &format!("{title} · {}", self.title()));
        html.raw("<body>\n<a class=\"skip\" href=\"#messages\">Skip to the messages</a>\n<header class=\"top\">\n");
        write_links(&mut html, around, "Pages");
        html.raw("<h1><bdi>").text(&title).raw("</bdi></h1>\n");
        self.write_facts(&mut html, around);
        match around.first {
            None => page::write_people(&mut html, chat, options),
            Some(first) => write_people_link(&mut html, first),
        }
        self.write_days(&mut html);
        html.raw("</header>\n<main id=\"messages\">\n");
        self.write_sections(&mut html, THREAD);
        html.raw("</main>\n<footer class=\"end\">\n");
        write_links(&mut html, around, "Pages, again");
        html.raw("<dl>\n");
        page::fact(&mut html, "Conversation", &chat.id);
        if let Some(team) = chat.team.as_deref() {
            page::fact(&mut html, "Team", team);
        }
        page::write_window(&mut html, options, around.window);
        page::write_export_facts(&mut html, options, scene.context.tenant);
        html.raw("</dl>\n</footer>\n");
        page::end(&mut html);
        html.into_bytes()
    }

    fn write_facts(&self, html: &mut Html, around: &Around<'_>) {
        let context = &around.scene.context;
        html.raw("<p class=\"facts\">").raw(page::kind(context.chat.kind)).raw(" · ");
        if let Some((first, last)) = self.times {
            write_range(html, context.options.zone, first, last);
            html.raw(" · ");
        }
        html.count(self.cards as u64);
        html.raw(if self.cards == 1 { " entry" } else { " entries" })
            .raw(" on this page · times in ");
        html.text(&context.options.zone.to_string());
        if context.options.mark.is_some() {
            html.raw(" · <strong>a selection, not all messages: see the foot of the page</strong>");
        }
        html.raw("</p>\n");
    }

    /// Links to the days, when there are several.
    fn write_days(&self, html: &mut Html) {
        let mut days: Vec<Date> = Vec::new();
        for day in self.sections.iter().filter_map(|section| section.day).map(|local| local.day) {
            if !days.contains(&day) {
                days.push(day);
            }
        }
        if days.len() < 2 {
            return;
        }
        html.raw("<nav class=\"days\" aria-label=\"Days on this page\">");
        for day in days {
            html.raw("<a href=\"#d").text(&day_name(day)).raw("\">");
            html.digits(day.day, 1).raw(" ").raw(day.month_name()).raw("</a> ");
        }
        html.raw("</nav>\n");
    }

    /// `thread` is the tag that opens one.
    pub(super) fn write_sections(&self, html: &mut Html, thread: &'static str) {
        let mut shown: Option<Date> = None;
        let mut linked: Vec<Date> = Vec::new();
        for section in &self.sections {
            if let Some(local) = section.day.filter(|local| shown != Some(local.day)) {
                shown = Some(local.day);
                html.raw("<h2");
                // A day can come twice on one page; the first one has the name.
                if !linked.contains(&local.day) {
                    linked.push(local.day);
                    html.raw(" id=\"d").text(&day_name(local.day)).raw("\"");
                }
                html.raw("><span>");
                local.write_weekday(html);
                html.raw("</span></h2>\n");
            }
            section.write(html, thread);
        }
    }
}

impl Section {
    fn open_replies(&mut self) {
        if self.kind == SectionKind::Post {
            self.html.raw("<div class=\"replies\">\n");
            self.kind = SectionKind::Replies;
        }
    }

    fn write(&self, html: &mut Html, thread: &'static str) {
        html.raw(match self.kind {
            SectionKind::Plain => "",
            SectionKind::Post | SectionKind::Replies => thread,
        });
        html.append(&self.html);
        html.raw(match self.kind {
            SectionKind::Plain => "",
            SectionKind::Post => "</section>\n",
            SectionKind::Replies => "</div></section>\n",
        });
    }
}

/// The card with what only its place decides.
fn fill(html: &mut Html, card: &Card, wanted: u64, known: &Known<'_>) {
    let mut done = 0;
    for (at, hole) in &card.holes {
        html.append_range(&card.html, done, *at);
        done = *at;
        match hole {
            // No anchor has two underscores in a row, so this one is nobody else's.
            Hole::Suffix if wanted > 1 => {
                html.raw("__").number(wanted);
            }
            Hole::Suffix => {}
            Hole::To(id) => write_target(html, id, known),
        }
    }
    html.append_range(&card.html, done, card.html.len());
}

/// ` href="…"` to a message, if it is anywhere.
fn write_target(html: &mut Html, id: &str, known: &Known<'_>) {
    if let Some(file) = known.file(id) {
        html.raw(" href=\"").text(file).raw("#").text(&anchor(id)).raw("\"");
    } else if let Some(address) = (known.elsewhere)(id) {
        html.attribute("href", &address);
    }
}

/// The line above replies whose post is not on this page.
fn name_root(html: &mut Html, root: &str, known: &Known<'_>) {
    html.raw("<p class=\"stub\">");
    match (known.file(root), known.places.excerpt(root)) {
        (Some(_), Some(excerpt)) => {
            html.raw("Replies to a post on an earlier page: <a");
            write_target(html, root, known);
            html.raw("><bdi>").text(&excerpt.sender).raw("</bdi>: “<bdi>").text(&excerpt.text);
            html.raw("</bdi>”</a>");
        }
        (Some(_), None) => {
            html.raw("Replies to <a");
            write_target(html, root, known);
            html.raw(">a post on an earlier page</a>");
        }
        (None, _) => {
            if let Some(address) = (known.elsewhere)(root) {
                html.raw("Replies to <a").attribute("href", &address);
                html.raw(">a post that is not on this page</a>");
            } else {
                html.raw("Replies to a post that is not on these pages (message <bdi>").text(root);
                html.raw("</bdi>)");
            }
        }
    }
    html.raw("</p>\n");
}

fn write_links(html: &mut Html, around: &Around<'_>, label: &'static str) {
    html.raw("<nav class=\"pages\"").attribute("aria-label", label).raw("><a href=\"");
    html.text(&around.scene.up).text(&first_file(around.window)).raw("\">All chats</a>");
    for (file, open, close) in [
        (around.earlier, "\" rel=\"prev\">", "← Earlier messages"),
        (around.later, "\" rel=\"next\" class=\"later\">", "Later messages →"),
    ] {
        if let Some(link) = file.and_then(|file| relative_link("", file)) {
            html.raw(" <a href=\"").text(&link).raw(open).raw(close).raw("</a>");
        }
    }
    html.raw("</nav>\n");
}

fn write_people_link(html: &mut Html, first: &str) {
    if let Some(link) = relative_link("", first) {
        html.raw("<p class=\"facts\"><a href=\"").text(&link);
        html.raw("\">Participants are listed on the first page</a></p>\n");
    }
}

/// `3 June 2021` or `3 June 2021 to 30 June 2021`.
pub(super) fn write_range(html: &mut Html, zone: Zone, first: Timestamp, last: Timestamp) {
    match (Local::of(zone, first), Local::of(zone, last)) {
        (Some(first), Some(last)) if first.day == last.day => write_day(html, first.day),
        (Some(first), Some(last)) => {
            write_day(html, first.day);
            html.raw(" to ");
            write_day(html, last.day);
        }
        _ => {
            clock::write_time(html, zone, first, Shown::Full);
            html.raw(" to ");
            clock::write_time(html, zone, last, Shown::Full);
        }
    }
}
