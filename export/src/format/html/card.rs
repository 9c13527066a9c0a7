//! One message as HTML: everything that can be made from the entry alone.
//!
//! A [`Card`] is made without knowing what came before it, so cards of one chat can be made on many
//! threads. What does depend on the others (the page on which a quoted message is, the name of the
//! anchor when an id occurs twice) are holes, which the transcript fills when it places the card.

use chatvault_engine::Timestamp;
use chatvault_query::body::{self, Document};
use chatvault_query::event::{self, Names};
use chatvault_query::message::{Identity, Message};
use chatvault_query::people::ConversationKind;

use super::clock::{self, Shown};
use super::notes::outsider;
use super::tally::Tally;
use super::write::{Html, anchor, encoded};
use super::{colour, history, notes};
use crate::entry::{AttachedState, Context, Entry, SystemEvents, Then, Version};
use crate::zone::UNKNOWN_TIME;

/// What cards of one chat are made with.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The chat, the names and the options.
    pub(super) context: Context<'a>,
    /// The way from a page to the root of the part: `../`.
    pub(super) up: String,
    /// What the address of a message's own page begins with, where it has one.
    opens: Option<String>,
}

/// One message, ready to be placed on a page.
#[derive(Clone, Debug)]
pub struct Card {
    pub(super) id: String,
    /// The root of its thread, for replies in channels.
    pub(super) root: Option<String>,
    pub(super) created: Timestamp,
    /// Is it known when it was sent?
    pub(super) is_dated: bool,
    pub(super) html: Html,
    /// Where something is missing that only the transcript knows, in ascending order.
    pub(super) holes: Vec<(usize, Hole)>,
    pub(super) tally: Tally,
    /// What it is, where a later page has to name it: only for posts that start a thread.
    pub(super) excerpt: Option<Excerpt>,
}

/// What is missing in a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// What makes the card's own anchor unique on its page.
    Suffix,
    /// ` href="…"` to another message, if it is anywhere.
    To(String),
}

/// The start of a post, to be named on later pages.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) sender: String,
    pub(super) text: String,
}

/// A card that is being written.
pub(super) struct Draft<'a> {
    pub(super) html: Html,
    pub(super) holes: Vec<(usize, Hole)>,
    pub(super) scene: &'a Scene<'a>,
    pub(super) entry: &'a Entry,
    /// The images that stand in the text, by their names in the entry: no list names them again.
    pub(super) seen: Vec<String>,
}

/// Room for a usual card, so that it is written without growing.
const CARD_BYTES: usize = 1_024;
/// Of a post that a later page names, this much of its text is shown.
const EXCERPT_CHARS: usize = 100;

impl<'a> Scene<'a> {
    /// For one chat.
    pub fn new(context: Context<'a>) -> Self {
        let depth = context.chat.slug.split('/').count();
        Self { context, up: "../".repeat(depth), opens: None }
    }

    /// For a page on which each message opens: at `start`, its id behind it, and for a reply `?in=` and
    /// the id of its thread. Files are below `root`.
    #[must_use]
    pub fn opening(self, root: &str, start: &str) -> Self {
        Self { up: root.to_owned(), opens: Some(start.to_owned()), ..self }
    }

    /// One message as HTML; a system event that is to be left out is an empty card.
    pub fn card(&self, entry: &Entry) -> Card {
        let mut tally = Tally::default();
        let Some(version) = entry.latest() else {
            return Draft::new(self, entry).done(tally, None);
        };
        let message = version.message();
        count_attached(entry, &mut tally);
        let is_event = message.is_system();
        if is_event && self.context.options.system_events == SystemEvents::Omit {
            tally.events_omitted = 1;
            return Draft::new(self, entry).done(tally, None);
        }
        let mut draft = Draft::new(self, entry);
        if is_event {
            tally.events = 1;
            draft.event(&message, version);
        } else {
            count_message(entry, &message, &mut tally);
            draft.message(&message, version);
        }
        let starts_thread = !is_event && entry.key.reply_to.is_none() && self.is_channel();
        let excerpt = starts_thread.then(|| self.excerpt(entry, &message));
        draft.done(tally, excerpt)
    }

    pub(super) fn is_channel(&self) -> bool {
        self.context.chat.kind == ConversationKind::Channel
    }

    fn excerpt(&self, entry: &Entry, message: &Message<'_>) -> Excerpt {
        let text = match message.subject.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(subject) => subject.to_owned(),
            None => body::plain_text(message).into_owned(),
        };
        let mut words = text.split_whitespace().flat_map(|word| word.chars().chain([' ']));
        let mut text: String = words.by_ref().take(EXCERPT_CHARS).collect();
        text.truncate(text.trim_end().len());
        if words.next().is_some() {
            text.push('…');
        }
        Excerpt { sender: sender_name(message.from.as_ref(), &self.context.names_at(entry)), text }
    }
}

impl<'a> Draft<'a> {
    fn new(scene: &'a Scene<'a>, entry: &'a Entry) -> Self {
        let (html, holes) = (Html::with_capacity(CARD_BYTES), Vec::new());
        Self { html, holes, scene, entry, seen: Vec::new() }
    }

    fn done(self, tally: Tally, excerpt: Option<Excerpt>) -> Card {
        let Self { html, holes, entry, .. } = self;
        let (id, root) = (entry.key.id.clone(), entry.key.reply_to.clone());
        let (created, is_dated) = (entry.created, entry.sent().is_some());
        Card { id, root, created, is_dated, html, holes, tally, excerpt }
    }

    pub(super) fn hole(&mut self, hole: Hole) {
        self.holes.push((self.html.len(), hole));
    }

    pub(super) fn names(&self) -> Then<'a> {
        self.scene.context.names_at(self.entry)
    }

    /// The start tag of the article, with everything that a script would want to find it by.
    fn open(
        &mut self,
        class: &'static str,
        message: Option<&Message<'_>>,
        version: Option<&Version>,
    ) {
        let entry = self.entry;
        self.html.raw("<article class=\"").raw(class);
        self.html.raw(if entry.is_context { " context\" id=\"" } else { "\" id=\"" });
        self.html.text(&anchor(&entry.key.id));
        self.hole(Hole::Suffix);
        self.html.raw("\"").attribute("data-id", &entry.key.id);
        let etag = message.and_then(|message| message.etag.as_deref());
        match (etag, version) {
            (Some(etag), _) => {
                self.html.attribute("data-etag", etag);
            }
            (None, Some(version)) => {
                self.html.raw(" data-etag=\"").number(version.version).raw("\"");
            }
            (None, None) => {}
        }
        if let Some(sent) = entry.sent() {
            self.html.raw(" data-created=\"");
            clock::write_instant(&mut self.html, sent);
            self.html.raw("\"");
        }
        self.html.raw(" data-modified=\"");
        clock::write_instant(&mut self.html, entry.modified);
        let sender = message.and_then(|message| message.from.as_ref()).map_or("", |from| &from.id);
        self.html.raw("\"").attribute("data-sender", sender);
        if let Some(root) = entry.key.reply_to.as_deref() {
            self.html.attribute("data-reply-to", root);
        }
        self.html.raw(" data-versions=\"").number(entry.versions.len() as u64).raw("\"");
        if let Some(version) = version {
            self.html.raw(" data-address=\"").hex(&version.address.0).raw("\"");
        }
        self.html.raw(">");
    }

    /// The time of sending, which is also the link to the message itself.
    fn permalink(&mut self, shown: Shown) {
        let sent = self.entry.sent();
        let key = &self.entry.key;
        self.html.raw(" <a class=\"t\" href=\"");
        if let Some(start) = &self.scene.opens {
            self.html.text(start).text(&encoded(&key.id));
            if let Some(root) = &key.reply_to {
                self.html.raw("?in=").text(&encoded(root));
            }
            if let Some(sent) = sent {
                self.html.raw("\" title=\"");
                clock::write_instant(&mut self.html, sent);
            }
        } else {
            self.html.raw("#").text(&anchor(&key.id));
            self.hole(Hole::Suffix);
        }
        self.html.raw("\">");
        match sent {
            Some(sent) => {
                clock::write_time(&mut self.html, self.scene.context.options.zone, sent, shown);
            }
            None => {
                self.html.raw(UNKNOWN_TIME);
            }
        }
        self.html.raw("</a>");
    }

    fn event(&mut self, message: &Message<'_>, version: &Version) {
        self.open("e", Some(message), Some(version));
        self.permalink(Shown::Clock);
        self.html.raw(" <p dir=\"auto\">");
        match (self.scene.context.options.system_events, &message.event) {
            (SystemEvents::Placeholder, _) => {
                self.html.raw(event::PLACEHOLDER);
            }
            (_, Some(found)) => {
                self.html.text(&event::words(found, &self.names()));
            }
            (_, None) => {
                self.html.raw("System event");
            }
        }
        self.html.raw("</p>");
        self.raw_json(version);
        self.html.raw("</article>\n");
    }

    fn message(&mut self, message: &Message<'_>, version: &Version) {
        self.open("m", Some(message), Some(version));
        self.header(message);
        if let Some(subject) = message.subject.as_deref().filter(|text| !text.trim().is_empty()) {
            self.html.raw("<h4 dir=\"auto\">").text(subject).raw("</h4>");
        }
        notes::write(self, message);
        let is_blank = message.is_deleted() && Document::of(message).is_empty();
        match is_blank.then(|| history::last_text(self.entry)).flatten() {
            Some(earlier) => self.body(&earlier, "<div class=\"b was\" dir=\"auto\" lang=\"\">"),
            None => self.body(message, "<div class=\"b\" dir=\"auto\" lang=\"\">"),
        }
        super::files::write(self);
        super::reactions::write(self, message);
        history::write(self, message);
        self.raw_json(version);
        self.html.raw("</article>\n");
    }

    fn header(&mut self, message: &Message<'_>) {
        let from = message.from.as_ref();
        let name = sender_name(from, &self.names());
        let class = from.map_or("", |from| colour::class(self.scene.context.chat, &from.id));
        self.html.raw("<span class=\"a ").raw(class).raw("\" aria-hidden=\"true\">");
        self.html.text(&colour::initials(&name)).raw("</span><header><h3");
        if !class.is_empty() {
            self.html.raw(" class=\"").raw(class).raw("\"");
        }
        self.html.raw("><bdi>").text(&name).raw("</bdi></h3>");
        if let Some(kind) = from.and_then(outsider) {
            self.html.raw(" <span class=\"f\">").raw(kind).raw("</span>");
        }
        // A reply can be on another day than the post above it.
        let is_reply = self.entry.key.reply_to.is_some();
        self.permalink(if is_reply { Shown::Full } else { Shown::Clock });
        notes::write_flags(self, message);
        self.html.raw("</header>");
    }

    /// The text of a message with what it places, and behind it what it does not place. A message
    /// that says nothing at all says so: else a reader would think that something is missing.
    fn body(&mut self, message: &Message<'_>, open: &'static str) {
        let document = Document::of(message);
        if document.blocks.is_empty() && document.unplaced.is_empty() {
            if !message.is_deleted() && self.entry.attached.is_empty() {
                self.html.raw("<p class=\"q\">No text</p>");
            }
            return;
        }
        let before = self.html.len();
        self.html.raw(open);
        let start = self.html.len();
        super::body::write(self, message, &document);
        if self.html.len() == start {
            self.html.truncate(before);
        } else {
            self.html.raw("</div>");
        }
    }

    fn raw_json(&mut self, version: &Version) {
        if self.scene.context.options.raw_json {
            self.html.raw("<details class=\"raw\"><summary>Stored JSON</summary><pre dir=\"ltr\">");
            self.html
                .text(&String::from_utf8_lossy(version.document.json()))
                .raw("</pre></details>");
        }
    }
}

/// What a sender is called; a message without one says so.
pub(super) fn sender_name(from: Option<&Identity<'_>>, names: &dyn Names) -> String {
    from.map_or_else(|| "Unknown sender".to_owned(), |from| event::who(from, names))
}

fn count_attached(entry: &Entry, tally: &mut Tally) {
    for attached in &entry.attached {
        match attached.state {
            AttachedState::Stored { .. } => tally.files += 1,
            AttachedState::Unavailable { .. } => tally.unavailable += 1,
            AttachedState::Omitted => tally.files_omitted += 1,
        }
    }
}

fn count_message(entry: &Entry, message: &Message<'_>, tally: &mut Tally) {
    if entry.is_context {
        tally.context = 1;
        return;
    }
    tally.messages = 1;
    tally.edited = u64::from(message.is_edited());
    tally.deleted = u64::from(message.is_deleted());
}
