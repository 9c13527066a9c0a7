//! A conversation's day as one mail: who was there, then everything that was said, in order.
//!
//! For archives that take one mail for each day and conversation. A day with very many messages or
//! very large files has several mails, `part 1 of 3`. They wait until the day is over, since only
//! then it is known how many they are; what waits is bounded: the parts of a day beyond
//! [`WAITING_BYTES`] say `part 7` and leave at once.
//!
//! Days are those of UTC, whatever zone people read times in: two exports never cut differently. The
//! stored JSON is not in these mails.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use chatvault_engine::Timestamp;
use chatvault_query::event::who;

use crate::digest::{hex, sha256};
use crate::entry::{Context, Entry, Person, Piece};
use crate::format::markup::{Nowhere, escape};
use crate::format::{Item, Renderer, Sink, Tail};
use crate::zone::rfc3339;

use super::Mails;
use super::attach;
use super::body::{Body, View, page, text_in_html};
use super::fields::DigestFields;
use super::header::clean;
use super::mime::{self, Leaf, Level, Part};

/// The most messages in one mail.
const MESSAGES: usize = 10_000;
/// The most text in one mail.
const TEXT_BYTES: usize = 8 << 20;
/// The most bytes of files in one mail, unless one file alone has more.
const FILE_BYTES: u64 = 64 << 20;
/// The most text that waits for the end of a day.
const WAITING_BYTES: usize = 64 << 20;
const DAY_MS: i64 = 86_400_000;

/// Writes the digests of one conversation, day by day.
pub(crate) struct Days<'a> {
    mails: Mails<'a>,
    context: Context<'a>,
    /// Days since 1970.
    day: i64,
    /// Finished parts of the day.
    waiting: Vec<Slice>,
    /// How many parts of the day have left.
    gone: usize,
    slice: Slice,
}

/// What one mail says.
struct Slice {
    /// Messages whose versions are in it.
    entries: u64,
    messages: usize,
    sender: Option<String>,
    last: Timestamp,
    /// How many messages each sender has in it.
    sent: BTreeMap<String, Sender>,
    text: String,
    html: String,
    files: Vec<Leaf>,
    file_bytes: u64,
    /// The content addresses: what the boundary is made of.
    addresses: Vec<u8>,
}

#[derive(Clone, Default)]
struct Sender {
    name: String,
    messages: usize,
}

impl Slice {
    fn new() -> Self {
        Self {
            entries: 0,
            messages: 0,
            sender: None,
            last: Timestamp::MIN,
            sent: BTreeMap::new(),
            text: String::new(),
            html: String::new(),
            files: Vec::new(),
            file_bytes: 0,
            addresses: Vec::new(),
        }
    }

    fn text_bytes(&self) -> usize {
        self.text.len() + self.html.len()
    }

    fn is_full(&self) -> bool {
        self.messages >= MESSAGES
            || self.text_bytes() >= TEXT_BYTES
            || self.file_bytes >= FILE_BYTES
    }
}

impl<'a> Renderer<'a> for Days<'a> {
    fn push(&mut self, item: Item, sink: &mut Sink<'_>) -> io::Result<()> {
        self.push(&item.entry()?, sink)
    }

    fn finish(self: Box<Self>, sink: &mut Sink<'_>) -> io::Result<Tail<'a>> {
        (*self).finish(sink).map(|()| Tail::default())
    }
}

impl<'a> Days<'a> {
    /// For one conversation; its messages must come in the order in which they were sent.
    pub(crate) fn new(context: Context<'a>) -> Self {
        Self {
            mails: Mails::new(context),
            context,
            day: i64::MIN,
            waiting: Vec::new(),
            gone: 0,
            slice: Slice::new(),
        }
    }

    /// Takes a message; mails of a day that is over go to `sink`.
    pub(crate) fn push(&mut self, entry: &Entry, sink: &mut Sink<'_>) -> io::Result<()> {
        let views = self.mails.views(entry);
        if views.is_empty() {
            return Ok(());
        }
        let day = entry.created.ms().div_euclid(DAY_MS);
        if day != self.day {
            self.end_day(sink)?;
            self.day = day;
        } else if self.slice.is_full() {
            self.end_slice(sink)?;
        }
        for view in &views {
            self.add(view);
        }
        self.slice.entries += 1;
        Ok(())
    }

    /// Gives the last day to `sink`.
    pub(crate) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.end_day(sink)
    }

    fn add(&mut self, view: &View<'_>) {
        let body = Body::of(view, &self.context, &Nowhere);
        let sender = self.sender_name(view);
        let files = self.files(view);
        let slice = &mut self.slice;
        let head = head(view, &sender, &self.context);
        push(&mut slice.text, &[&head, "\n", body.text.trim_end(), "\n"]);
        slice.html.push_str("<p><strong>");
        escape(&head, &mut slice.html);
        slice.html.push_str("</strong></p>\n");
        match &body.html {
            Some(html) => slice.html.push_str(html),
            None => text_in_html(&body.text, &mut slice.html),
        }
        for (name, file, size) in files {
            push(&mut slice.text, &["Attached: ", &name, "\n"]);
            slice.file_bytes = slice.file_bytes.saturating_add(size);
            slice.files.push(file);
        }
        slice.text.push('\n');
        slice.messages += 1;
        slice.last = slice.last.max(view.entry.created);
        slice.addresses.extend(view.version.address.0);
        if slice.sender.is_none() {
            slice.sender = self.mails.fields.sender_of(view, &self.context);
        }
        if let Some(from) = &view.message.from {
            let counted = slice.sent.entry(from.id.to_string()).or_default();
            counted.name = sender;
            counted.messages += 1;
        }
    }

    fn sender_name(&self, view: &View<'_>) -> String {
        let name = match &view.message.from {
            Some(from) => who(from, &self.context.names_at(view.entry)),
            None if view.is_system() => "Microsoft Teams".to_owned(),
            None => "Unknown sender".to_owned(),
        };
        clean(&name, 256).into_owned()
    }

    fn files(&self, view: &View<'_>) -> Vec<(String, Leaf, u64)> {
        let wanted = view.files.iter().filter(|_| !self.context.options.text_only);
        let leaves = wanted.filter_map(|attached| {
            let (_, size) = attach::stored(attached)?;
            let leaf = attach::file(attached, self.context.objects)?;
            Some((attach::file_name(&attached.name), leaf, size))
        });
        leaves.collect()
    }

    fn end_day(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        if self.slice.messages > 0 {
            self.waiting.push(std::mem::replace(&mut self.slice, Slice::new()));
        }
        let of = self.gone + self.waiting.len();
        for slice in std::mem::take(&mut self.waiting) {
            let part = format!("part {} of {of}", self.gone + 1);
            self.emit(slice, &part, sink)?;
        }
        self.gone = 0;
        Ok(())
    }

    fn end_slice(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.waiting.push(std::mem::replace(&mut self.slice, Slice::new()));
        let waiting: usize = self.waiting.iter().map(Slice::text_bytes).sum();
        if waiting < WAITING_BYTES {
            return Ok(());
        }
        for slice in std::mem::take(&mut self.waiting) {
            let part = format!("part {}", self.gone + 1);
            self.emit(slice, &part, sink)?;
        }
        Ok(())
    }

    fn emit(&mut self, slice: Slice, part: &str, sink: &mut Sink<'_>) -> io::Result<()> {
        self.gone += 1;
        let day = day_name(self.day);
        let compact = day.replace('-', "");
        let mail = DigestFields {
            last: slice.last,
            sender: slice.sender.clone(),
            part: &format!("{day} {part}"),
            id: self.mails.fields.identity.day(&compact, self.gone),
        };
        let was_there =
            |person: &Person| slice.sent.contains_key(&person.id) || self.is_there(person);
        let fields = self.mails.fields.digest(&mail, was_there);
        let (text, html) = self.whole(&slice);
        let texts =
            Part::text("plain", &text).with(Level::Alternative, [Part::text("html", &page(&html))]);
        let tree = texts.with(Level::Mixed, slice.files.into_iter().map(Part::Leaf));
        let address = hex(&sha256(&slice.addresses));
        let name = format!("{}/{compact}_{:03}.eml", self.context.chat.slug, self.gone);
        let content = mime::content(fields, &tree, &address);
        sink(Piece { name, content, messages: slice.entries })
    }

    /// Whether somebody took part at any time of the day.
    fn is_there(&self, person: &Person) -> bool {
        let start = Timestamp::from_ms(self.day.saturating_mul(DAY_MS));
        let end = Timestamp::from_ms(self.day.saturating_add(1).saturating_mul(DAY_MS));
        person.joined.is_none_or(|joined| joined < end)
            && person.left.is_none_or(|left| start < left)
    }

    /// The table of participants and the messages, as text and as HTML.
    fn whole(&self, slice: &Slice) -> (String, String) {
        const HEAD: [&str; 6] = ["Id", "Name", "Address", "Joined", "Left", "Messages"];
        let rows = self.table(slice);
        let mut text = format!("Participants ({})\n{}\n", rows.len(), HEAD.join("\t"));
        let mut html = "<table>\n".to_owned();
        html_row("th", &HEAD.map(str::to_owned), &mut html);
        for row in &rows {
            text.push_str(&row.join("\t"));
            text.push('\n');
            html_row("td", row, &mut html);
        }
        html.push_str("</table>\n");
        let count = format!("Messages ({})", slice.messages);
        push(&mut text, &["\n", &count, "\n\n", &slice.text]);
        push(&mut html, &["<h2>", &count, "</h2>\n", &slice.html]);
        (text, html)
    }

    /// Everybody who was there, by id, then those who wrote without being known as members.
    fn table(&self, slice: &Slice) -> Vec<[String; 6]> {
        let members = self
            .context
            .chat
            .participants
            .iter()
            .filter(|person| slice.sent.contains_key(&person.id) || self.is_there(person));
        let mut rows: Vec<[String; 6]> = members
            .map(|person| {
                let sent = slice.sent.get(&person.id).cloned().unwrap_or_default();
                row(person, &sent)
            })
            .collect();
        let strangers = slice.sent.iter().filter(|(id, _)| self.context.chat.person(id).is_none());
        rows.extend(
            strangers.map(|(id, sent)| row(&Person { id: id.clone(), ..Person::default() }, sent)),
        );
        rows
    }
}

fn row(person: &Person, sent: &Sender) -> [String; 6] {
    let time = |time: Option<Timestamp>| time.map(rfc3339).unwrap_or_default();
    let name = person.name.as_deref().unwrap_or(&sent.name);
    let text = |text: &str| clean(text, 256).into_owned();
    [
        text(&person.id),
        text(name),
        text(person.address.as_deref().unwrap_or_default()),
        time(person.joined),
        time(person.left),
        sent.messages.to_string(),
    ]
}

fn push(out: &mut String, pieces: &[&str]) {
    for piece in pieces {
        out.push_str(piece);
    }
}

fn html_row(cell: &str, cells: &[String; 6], out: &mut String) {
    out.push_str("<tr>");
    for text in cells {
        push(out, &["<", cell, ">"]);
        escape(text, out);
        push(out, &["</", cell, ">"]);
    }
    out.push_str("</tr>\n");
}

/// `1622762567000 | 2021-06-03 23:22:47 UTC | Ann Lee`
fn head(view: &View<'_>, sender: &str, context: &Context<'_>) -> String {
    let id = clean(&view.entry.key.id, 128);
    let time = context.options.zone.show_known(view.entry.sent());
    if view.is_latest() {
        return format!("{id} | {time} | {sender}");
    }
    let of = view.entry.versions.len();
    format!("{id} | {time} | {sender} | version {} of {of}", view.at + 1)
}

fn day_name(day: i64) -> String {
    let time = rfc3339(Timestamp::from_ms(day.saturating_mul(DAY_MS)));
    time.split('T').next().unwrap_or_default().to_owned()
}

impl fmt::Debug for Days<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Days").field("chat", &self.context.chat.id).finish_non_exhaustive()
    }
}
