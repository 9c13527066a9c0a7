//! `index.html`: which chats there are, with whom, how much, from when to when, and where.
//!
//! Thousands of chats make several pages. Only the first one waits for the end, since it has the
//! totals; the others leave as they fill.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;

use chatvault_engine::Timestamp;

use super::leaf::write_range;
use super::page;
use super::tally::Tally;
use super::transcript::Summary;
use super::write::{Html, relative_link};
use crate::entry::{Chat, Content, Piece, RenderOptions, Window};
use crate::format::Sink;
use crate::zone::file_stamp;

/// Chats on a page of the index.
pub(crate) const INDEX_CHATS: u64 = 2_000;
/// Participants named in the index; the chat's first page lists all.
const NAMED: usize = 8;

/// Chats of more people are not found by person: they would be found by everybody.
const LISTED: usize = 100;

const COLUMNS: &str = "<table class=\"list\"><thead><tr><th scope=\"col\">Chat</th>\
    <th scope=\"col\">Kind</th><th scope=\"col\">Participants</th><th scope=\"col\">Period</th>\
    <th scope=\"col\" class=\"z\">Messages</th><th scope=\"col\" class=\"z\">Edited</th>\
    <th scope=\"col\" class=\"z\">Deleted</th><th scope=\"col\" class=\"z\">Events</th>\
    <th scope=\"col\" class=\"z\">Files</th><th scope=\"col\" class=\"z\">Missing files</th>\
    </tr></thead><tbody>\n";

/// The ways in which a reader can have the chats put, by the class of each: without a script, a style
/// puts each row where its numbers say.
const ORDERS: &str = "<input type=\"radio\" name=\"o\" id=\"o\" checked><label for=\"o\">As exported</label>\
    <input type=\"radio\" name=\"o\" id=\"on\"><label for=\"on\">By name</label>\
    <input type=\"radio\" name=\"o\" id=\"om\"><label for=\"om\">By number of messages</label>\
    <input type=\"radio\" name=\"o\" id=\"ol\"><label for=\"ol\">By last message</label>\n";

/// A row of the table, and what it is ordered and found by.
#[derive(Debug)]
struct Row {
    html: Html,
    title: String,
    link: Option<String>,
    messages: u64,
    last: Option<Timestamp>,
    /// Names and ids of those who take part; none of a chat of very many.
    people: Vec<(String, String)>,
}

/// Writes the index of an export.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    tenant: &'a str,
    options: &'a RenderOptions,
    window: Window,
    /// The rows of the first page, kept for the end.
    first: Vec<Row>,
    rows: Vec<Row>,
    chats: u64,
    page: u64,
    total: Tally,
}

impl<'a> Index<'a> {
    /// Starts with no chat.
    pub(crate) fn new(tenant: &'a str, options: &'a RenderOptions, window: Window) -> Self {
        let (first, rows) = (Vec::new(), Vec::new());
        Self { tenant, options, window, first, rows, chats: 0, page: 1, total: Tally::default() }
    }

    /// Adds a chat whose pages are written. Chats appear in the order in which they are added.
    pub(crate) fn add(
        &mut self,
        chat: &Chat,
        summary: &Summary,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        if self.chats > 0 && self.chats.is_multiple_of(INDEX_CHATS) {
            self.turn(sink)?;
        }
        self.chats += 1;
        self.total.add(&summary.tally);
        self.rows.push(row(chat, summary, self.options));
        Ok(())
    }

    /// Writes what is left, the first page last.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let pages = self.page;
        if pages > 1 {
            sink(self.piece(pages, None))?;
            self.rows = std::mem::take(&mut self.first);
        }
        let next = (pages > 1).then_some(2);
        sink(self.piece(1, next))
    }

    fn turn(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        if self.page == 1 {
            self.first = std::mem::take(&mut self.rows);
        } else {
            sink(self.piece(self.page, Some(self.page + 1)))?;
            self.rows.clear();
        }
        self.page += 1;
        Ok(())
    }

    fn piece(&self, page: u64, next: Option<u64>) -> Piece {
        let length: usize = self.rows.iter().map(|row| row.html.len() + 80).sum();
        let mut html = Html::with_capacity(length + (32 << 10));
        page::begin(&mut html, "Chats");
        html.raw("<body class=\"wide\">\n<header class=\"top\">\n");
        write_links(&mut html, &self.window, page, next);
        html.raw("<h1>Chats</h1>\n");
        html.raw("<dl class=\"about\">\n");
        if page == 1 {
            self.write_totals(&mut html);
        }
        page::write_window(&mut html, self.options, &self.window);
        page::write_export_facts(&mut html, self.options, self.tenant);
        html.raw("</dl>\n</header>\n<main>\n");
        if self.rows.is_empty() {
            html.raw("<p>There are no messages in this period.</p>\n");
        } else {
            write_table(&mut html, &self.rows);
            write_people(&mut html, &self.rows);
        }
        html.raw("</main>\n<footer class=\"end\">\n");
        write_links(&mut html, &self.window, page, next);
        html.raw("</footer>\n");
        page::end(&mut html);
        let (name, content) = (file_name(&self.window, page), Content::Bytes(html.into_bytes()));
        Piece { name, content, messages: 0 }
    }

    fn write_totals(&self, html: &mut Html) {
        let total = &self.total;
        html.raw("<dt>Contents</dt><dd>").count(self.chats);
        html.raw(if self.chats == 1 { " chat" } else { " chats" });
        for (count, one, many) in [
            (total.messages, " message", " messages"),
            (total.edited, " edited", " edited"),
            (total.deleted, " deleted", " deleted"),
            (total.events, " system event", " system events"),
            (total.events_omitted, " system event left out", " system events left out"),
            (total.context, " message for context", " messages for context"),
            (total.files, " file", " files"),
            (total.unavailable, " file missing", " files missing"),
            (total.files_omitted, " file left out", " files left out"),
        ] {
            if count > 0 {
                html.raw(", ").count(count).raw(if count == 1 { one } else { many });
            }
        }
        html.raw("</dd>\n");
    }
}

/// The first page of a window's index. All windows can be unpacked into one folder, so each of several
/// has a name of its own.
pub(super) fn first_file(window: &Window) -> String {
    file_name(window, 1)
}

fn file_name(window: &Window, page: u64) -> String {
    let day = || file_stamp(window.start).chars().take(8).collect::<String>();
    let stem = if window.of > 1 { format!("index_{}", day()) } else { "index".to_owned() };
    if page == 1 { format!("{stem}.html") } else { format!("{stem}_p{page}.html") }
}

fn write_links(html: &mut Html, window: &Window, page: u64, next: Option<u64>) {
    if page == 1 && next.is_none() {
        return;
    }
    html.raw("<nav class=\"pages\" aria-label=\"Pages\">");
    if page > 1 {
        html.raw("<a href=\"")
            .text(&file_name(window, page - 1))
            .raw("\" rel=\"prev\">← Earlier chats</a>");
    }
    if let Some(next) = next {
        html.raw(" <a href=\"").text(&file_name(window, next));
        html.raw("\" rel=\"next\" class=\"later\">More chats →</a>");
    }
    html.raw("</nav>\n");
}

fn row(chat: &Chat, summary: &Summary, options: &RenderOptions) -> Row {
    let mut html = Html::default();
    html.raw("<th scope=\"row\">");
    let link = summary.pages.first().and_then(|page| relative_link("", &page.name));
    let title = chat.title();
    write_link(&mut html, link.as_deref(), &title);
    write_pages(&mut html, summary);
    html.raw("</th><td data-label=\"Kind\">").raw(page::kind(chat.kind));
    html.raw("</td><td data-label=\"Participants\">");
    write_names(&mut html, chat);
    html.raw("</td><td data-label=\"Period\">");
    let first = summary.pages.iter().map(|page| page.first).min();
    let last = summary.pages.iter().map(|page| page.last).max();
    if let (Some(first), Some(last)) = (first, last) {
        write_range(&mut html, options.zone, first, last);
    }
    html.raw("</td>");
    let tally = &summary.tally;
    for (label, count) in [
        ("Messages", tally.messages),
        ("Edited", tally.edited),
        ("Deleted", tally.deleted),
        ("Events", tally.events),
        ("Files", tally.files),
        ("Missing files", tally.unavailable),
    ] {
        html.raw("<td class=\"z\"")
            .attribute("data-label", label)
            .raw(">")
            .count(count)
            .raw("</td>");
    }
    let is_small = chat.participants.len() <= LISTED;
    let people = chat.participants.iter().filter(|_| is_small);
    let people = people.map(|person| (person.label().to_owned(), person.id.clone())).collect();
    Row { html, title, link, messages: tally.messages, last, people }
}

fn write_link(html: &mut Html, link: Option<&str>, title: &str) {
    if let Some(link) = link {
        html.raw("<a").attribute("href", link).raw(">");
    }
    html.raw("<bdi>").text(title).raw("</bdi>");
    html.raw(if link.is_some() { "</a>" } else { "" });
}

fn write_table(html: &mut Html, rows: &[Row]) {
    let places = |before: fn(&Row, &Row) -> Ordering| {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|a, b| before(&rows[*a], &rows[*b]));
        let mut places = vec![0; rows.len()];
        order.into_iter().zip(1..).for_each(|(row, place)| places[row] = place);
        places
    };
    let names = places(|a, b| a.title.to_lowercase().cmp(&b.title.to_lowercase()));
    let messages = places(|a, b| b.messages.cmp(&a.messages));
    let last = places(|a, b| b.last.cmp(&a.last));
    if rows.len() > 1 {
        html.raw(ORDERS);
    }
    html.raw(COLUMNS);
    for (index, row) in rows.iter().enumerate() {
        html.raw("<tr style=\"--n:").number(names[index]).raw(";--m:").number(messages[index]);
        html.raw(";--l:").number(last[index]).raw("\">").append(&row.html).raw("</tr>\n");
    }
    html.raw("</tbody></table>\n");
}

/// Everybody who takes part, with the chats, folded away.
fn write_people(html: &mut Html, rows: &[Row]) {
    let mut people: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        for (name, id) in &row.people {
            people.entry((name, id)).or_default().push(row);
        }
    }
    if people.is_empty() {
        return;
    }
    html.raw("<details class=\"who\"><summary>Chats by person (").count(people.len() as u64);
    html.raw(")</summary>\n");
    if rows.iter().any(|row| row.people.is_empty()) {
        html.raw("<p>Who takes part in a chat of more than ").count(LISTED as u64);
        html.raw(" is listed on its first page only.</p>\n");
    }
    html.raw("<ul>\n");
    for ((name, id), rows) in people {
        html.raw("<li><details><summary><bdi>").text(name).raw("</bdi> (").count(rows.len() as u64);
        html.raw(if rows.len() == 1 { " chat)" } else { " chats)" });
        html.raw("</summary><span class=\"x\"><bdi>").text(id).raw("</bdi></span><ul>");
        for row in rows {
            html.raw("<li>");
            write_link(html, row.link.as_deref(), &row.title);
            html.raw(" (").count(row.messages).raw(")</li>");
        }
        html.raw("</ul></details></li>\n");
    }
    html.raw("</ul></details>\n");
}

/// The pages of a chat that has several, folded away.
fn write_pages(html: &mut Html, summary: &Summary) {
    if summary.pages.len() < 2 {
        return;
    }
    html.raw("<details><summary>").count(summary.pages.len() as u64).raw(" pages</summary><ul>");
    for page in &summary.pages {
        html.raw("<li>");
        if let Some(link) = relative_link("", &page.name) {
            html.raw("<a").attribute("href", &link).raw(">").text(&page.title).raw("</a> (");
            html.count(page.cards).raw(")");
        }
        html.raw("</li>");
    }
    html.raw("</ul></details>");
}

fn write_names(html: &mut Html, chat: &Chat) {
    let count = chat.participants.len();
    if count == 0 {
        return;
    }
    html.count(count as u64).raw(": ");
    for (index, person) in chat.participants.iter().take(NAMED).enumerate() {
        html.raw(if index == 0 { "<bdi>" } else { ", <bdi>" }).text(person.label()).raw("</bdi>");
    }
    if let Some(more @ 1..) = count.checked_sub(NAMED) {
        html.raw(" and ").count(more as u64).raw(" more");
    }
}
