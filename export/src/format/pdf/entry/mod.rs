//! One message as lines: who and when, what was written, what became of it.
//!
//! The page is read by people who have to rely on it: every entry carries its time to the second and
//! the message's id, an edit says when and what it said before, a deletion keeps the last words under
//! a clear mark, and a file that could not be had says why.

mod history;

use std::fmt::Write as _;

use chatvault_engine::{ContentAddress, Timestamp};
use chatvault_query::body::{Block, Document, QuoteOf};
use chatvault_query::event;
use chatvault_query::message::{Importance, Message, Reaction};
use chrono::{Datelike, NaiveDate, Timelike};

use super::document::Writer;
use super::flow::{Flow, SIZE, clean};
use super::font::Slot;
use super::line::{Ink, Line, Style, Target};
use super::paragraph::{Align, Span};
use super::shape::Shaper;
use super::tag::{Elements, Role};
use super::thread::Placed;
use crate::answer::sent_of;
use crate::entry::{Attached, AttachedState, Context, Entry, SystemEvents, Version};

/// The width of a page's text, in points.
pub(super) const PAGE_WIDTH: f32 = 483.0;

/// Where entries begin, right of their time.
const GUTTER: f32 = 50.0;

/// How much further in a reply stands.
const UNDER: f32 = 16.0;

/// The room that the message's id takes at the right of the first line.
const ID_WIDTH: f32 = 64.0;

/// What was counted, for the cover and the manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that somebody or an app wrote, deleted ones included.
    pub messages: u64,
    /// System events that are shown.
    pub events: u64,
    /// System events that were left out on request.
    pub events_omitted: u64,
    /// Messages whose text was edited.
    pub edited: u64,
    /// Messages that were deleted.
    pub deleted: u64,
    /// Files and inline contents that the archive has.
    pub attachments: u64,
    /// Files and inline contents that it has not.
    pub unavailable: u64,
    /// Files and inline contents that were left out on request.
    pub files_omitted: u64,
    /// Entries that are there only because another one needs them.
    pub context: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.events += other.events;
        self.events_omitted += other.events_omitted;
        self.edited += other.edited;
        self.deleted += other.deleted;
        self.attachments += other.attachments;
        self.unavailable += other.unavailable;
        self.files_omitted += other.files_omitted;
        self.context += other.context;
    }
}

/// An entry, laid out.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// The day in the zone of the export; `None` outside the calendar.
    pub(super) day: Option<NaiveDate>,
    /// It stands under its post, whose day goes on.
    pub(super) is_under: bool,
    /// Time, sender and id of a message; left out where it stands under another one of its sender.
    pub(super) head: Vec<Line>,
    pub(super) lines: Vec<Line>,
    /// What head and lines are of.
    pub(super) elements: Elements,
    /// The number that is the message's id.
    pub(super) id: Option<u64>,
    /// Who wrote it and when; `None`: an event.
    pub(super) by: Option<(String, Timestamp)>,
    /// Time and id by themselves, if the message can do without its head.
    pub(super) plain: Option<(Line, Line)>,
    /// What stands at the top of the next page when the entry goes on there.
    pub(super) continued: String,
    pub(super) counts: Counts,
}

/// Finds in which size a stored picture can be shown.
pub(super) type Measure<'a> = &'a (dyn Fn(&ContentAddress, u64) -> Option<(f32, f32)> + Sync);

/// Lays out an entry.
pub(super) fn lay_out(
    shaper: &mut Shaper<'_>,
    placed: &Placed,
    context: &Context<'_>,
    measure: Measure<'_>,
) -> Laid {
    let (entry, is_under) = (&placed.entry, placed.is_under);
    let local = entry.sent().and_then(|sent| context.options.zone.local(sent));
    let day = local.map(|local| local.date_naive());
    let id = entry.key.id.parse().ok();
    let mut laid = Laid { day, is_under, id, ..Laid::default() };
    let names = context.names_at(entry);
    let context = &Context { names: &names, ..*context };
    let clock = clock(context, entry.sent());
    let mark = entry.sent().and_then(|sent| context.options.zone.mark(sent));
    let mark = mark.map(|mark| format!(" {mark}")).unwrap_or_default();
    let Some(latest) = entry.latest() else { return laid };
    let message = latest.message();
    laid.counts = count(entry, &message);
    if message.is_system() {
        let words = format!("{clock}{mark}");
        (laid.lines, laid.elements) = event_lines(shaper, &message, context, &words);
        return laid;
    }
    let sender = sender(&message, context);
    laid.continued = format!("{sender}, {clock}{mark} (continued)");
    if let Some(sent) = entry.sent().filter(|_| !is_under) {
        let id = message.from.as_ref().map_or("", |from| &from.id);
        laid.by = Some((format!("{id} {sender}"), sent));
    }
    let writer = Writer { message: &message, entry, context, measure };
    let left = GUTTER + if is_under { UNDER } else { 0.0 };
    let mut flow = Flow::new(shaper, left, PAGE_WIDTH - left);
    let entries = Entries { writer, clock, mark, sender, is_under };
    flow.within(Role::Article, |flow| {
        let (head, plain) = entries.head(flow);
        entries.write(flow);
        laid.head = head;
        laid.plain = plain.filter(|_| flow.lines.first().is_some_and(Line::is_plain));
    });
    (laid.lines, laid.elements) = flow.into_parts();
    laid
}

fn count(entry: &Entry, message: &Message<'_>) -> Counts {
    let is_event = message.is_system();
    let mut counts = Counts {
        messages: u64::from(!is_event),
        events: u64::from(is_event),
        edited: u64::from(message.is_edited()),
        deleted: u64::from(message.is_deleted()),
        context: u64::from(entry.is_context),
        ..Counts::default()
    };
    for attached in &entry.attached {
        match attached.state {
            AttachedState::Stored { .. } => counts.attachments += 1,
            AttachedState::Unavailable { .. } => counts.unavailable += 1,
            AttachedState::Omitted => counts.files_omitted += 1,
        }
    }
    counts
}

/// Lines, and what they are of.
type Parts = (Vec<Line>, Elements);

fn event_lines(
    shaper: &mut Shaper<'_>,
    message: &Message<'_>,
    context: &Context<'_>,
    clock: &str,
) -> Parts {
    let words = match (context.options.system_events, &message.event) {
        (SystemEvents::Omit, _) => return Parts::default(),
        (SystemEvents::Text, Some(event)) => event::words(event, context.names),
        (SystemEvents::Text, None) | (SystemEvents::Placeholder, _) => {
            event::PLACEHOLDER.to_owned()
        }
    };
    let mut flow = Flow::new(shaper, 36.0, PAGE_WIDTH - 72.0);
    flow.gap(7.0);
    let time = Style::new(Slot::Regular, 7.6, Ink::Muted);
    let style = Style::new(Slot::Italic, 8.8, Ink::Muted);
    let (clock, words) = (format!("{clock}   "), clean(&words).into_owned());
    let spans = [Span { text: &clock, style: time }, Span { text: &words, style }];
    flow.aligned(&spans, Align::Middle);
    flow.into_parts()
}

/// Who a message is from, in words.
fn sender(message: &Message<'_>, context: &Context<'_>) -> String {
    let name = match &message.from {
        Some(from) => event::who(from, context.names),
        None => "Unknown sender".to_owned(),
    };
    let name = clean(&name).replace('\n', " ");
    match &message.on_behalf_of {
        Some(other) => format!("{name} on behalf of {}", event::who(other, context.names)),
        None => name,
    }
}

/// `14:03:22` in the zone of the export.
fn clock(context: &Context<'_>, time: Option<Timestamp>) -> String {
    match time.and_then(|time| context.options.zone.local(time)) {
        Some(at) => format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()),
        None => "--:--:--".to_owned(),
    }
}

/// `14:03` on the same day, else with the date.
fn moment(context: &Context<'_>, time: Timestamp, beside: Timestamp) -> String {
    let zone = &context.options.zone;
    if zone.mark(time).is_some() {
        return zone.show(time);
    }
    match (zone.local(time), zone.local(beside)) {
        (Some(at), Some(day)) if at.date_naive() == day.date_naive() => {
            format!("{:02}:{:02}", at.hour(), at.minute())
        }
        (Some(at), _) => {
            let (year, month, day) = (at.year(), at.month(), at.day());
            format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", at.hour(), at.minute())
        }
        (None, _) => "at an unknown time".to_owned(),
    }
}

/// An entry that somebody wrote.
struct Entries<'a> {
    writer: Writer<'a>,
    clock: String,
    /// The distance from UTC where the clock alone says too little; else empty.
    mark: String,
    sender: String,
    is_under: bool,
}

impl Entries<'_> {
    fn write(&self, flow: &mut Flow<'_, '_>) {
        let document = Document::of(self.writer.message);
        if let Some(subject) =
            self.writer.message.subject.as_deref().filter(|text| !text.is_empty())
        {
            flow.plain(&clean(subject), &text_style().bold());
        }
        self.answered(flow, &document);
        if self.writer.message.is_deleted() {
            self.deleted(flow, &document);
        } else {
            self.body(flow, &document, &text_style());
        }
        self.policy(flow);
        self.files(flow);
        self.reactions(flow);
        self.history(flow);
    }

    /// Time, sender, notes; the message's id at the right. Time and id by themselves where nothing
    /// but the sender would be missing without the rest.
    fn head(&self, flow: &mut Flow<'_, '_>) -> (Vec<Line>, Option<(Line, Line)>) {
        let message = self.writer.message;
        let note = |ink| Style::new(Slot::Regular, 7.6, ink);
        let notes = self.notes();
        let mut spans = vec![Span { text: &self.sender, style: text_style().bold() }];
        let urgency = match message.importance {
            Importance::High => "   IMPORTANT",
            Importance::Urgent => "   URGENT",
            _ => "",
        };
        spans.push(Span { text: urgency, style: note(Ink::Alert).bold() });
        spans.push(Span { text: &notes, style: note(Ink::Muted) });
        let (left, width) = (flow.left(), flow.width());
        let time = [Span { text: &self.clock, style: note(Ink::Muted) }];
        let id = clean(&self.writer.entry.key.id).into_owned();
        let id = [Span { text: &id, style: Style::new(Slot::Regular, 6.4, Ink::Muted) }];
        let (mut head, mut beside) = (Vec::new(), Vec::new());
        let mut far = Vec::new();
        flow.only(Role::Head, |flow| {
            head = flow.beside(left, width - ID_WIDTH, |flow| flow.label(&spans));
            beside = flow.beside(0.0, GUTTER, |flow| flow.label(&time));
            let right = left + width - ID_WIDTH;
            far = flow.beside(right, ID_WIDTH, |flow| flow.aligned(&id, Align::End));
        });
        let plain = match (&beside[..], &far[..]) {
            ([beside], [far]) if urgency.is_empty() && notes.is_empty() => {
                Some((beside.clone(), far.clone()))
            }
            _ => None,
        };
        if let Some(first) = head.first_mut() {
            // Three columns, three sizes: they share the baseline.
            for line in beside.into_iter().take(1).chain(far.into_iter().take(1)) {
                first.join(line);
            }
            first.gap = 8.0;
        }
        // A name is never alone at the foot of a page.
        for line in &mut head {
            line.keep = true;
        }
        (head, plain)
    }

    fn notes(&self) -> String {
        let (message, entry) = (self.writer.message, self.writer.entry);
        let versions = entry.versions.len();
        let mut notes = String::new();
        if let Some(sent) = entry.sent().filter(|_| self.is_under) {
            // It can be of another day than the post above it.
            let day = self.writer.context.options.zone.show(sent);
            notes = format!("   {}", day.get(..10).unwrap_or_default());
        }
        if !self.mark.is_empty() {
            // Writing to a `String` cannot fail.
            let _written = write!(notes, "   (UTC{})", self.mark.trim_start());
        }
        if let Some(edited) = message.edited {
            let at = moment(self.writer.context, edited, entry.created);
            let plural = if versions == 1 { "" } else { "s" };
            // Writing to a `String` cannot fail.
            let _written = write!(notes, "   (edited {at}, {versions} version{plural})");
        }
        if entry.is_context {
            notes.push_str("   (outside the selection, shown for context)");
        }
        notes
    }

    /// What a reply in a channel answers; quotes in the body say it themselves.
    fn answered(&self, flow: &mut Flow<'_, '_>, document: &Document) {
        let quotes = |block: &Block| matches!(block, Block::Quote { of: Some(QuoteOf { .. }), .. });
        let Some(parent) = self.writer.entry.parent.as_ref().filter(|_| !self.is_under) else {
            return;
        };
        if document.blocks.iter().any(quotes) {
            return;
        }
        let by = parent.sender.as_deref().map(|sender| format!(" of {sender}"));
        let mut words = format!("In reply to a post{}", by.unwrap_or_default());
        if let Some(sent) = sent_of(&parent.id) {
            let _written = write!(words, ", {}", self.writer.context.options.zone.show(sent));
        }
        if let Some(subject) = &parent.subject {
            let _written = write!(words, ": {subject}");
        }
        let known = if parent.version.is_none() { ", not in the archive" } else { "" };
        let _written = write!(words, " (message {}{known})", parent.id);
        let link = parent.id.parse().ok().map(Target::Message);
        flow.note(&clean(&words), &Style { link, ..note_style() });
    }

    fn body(&self, flow: &mut Flow<'_, '_>, document: &Document, style: &Style) {
        self.writer.blocks(flow, &document.blocks, style, 0);
        for index in &document.unplaced {
            self.writer.attachment(flow, *index, style);
        }
    }

    /// The last words that the archive has, under a clear mark.
    fn deleted(&self, flow: &mut Flow<'_, '_>, document: &Document) {
        let context = self.writer.context;
        let at =
            self.writer.message.deleted.map(|at| format!(" on {}", context.options.zone.show(at)));
        let at = at.unwrap_or_default();
        let mut earlier = None;
        if document.is_empty() {
            earlier = self.last_words();
        }
        let is_known = !document.is_empty() || earlier.is_some();
        let words = if is_known {
            format!("This message was deleted{at}. Its last archived text:")
        } else {
            format!("This message was deleted{at}. [message deleted; content not captured]")
        };
        flow.gap(2.0);
        flow.grounded(Ink::AlertShade, |flow| {
            flow.note(&words, &Style::new(Slot::Bold, 8.2, Ink::Alert));
        });
        flow.keep_last();
        let struck = Style { is_struck: true, ink: Ink::Muted, ..text_style() };
        match &earlier {
            Some(version) => self.version_body(flow, version, &struck),
            None => self.body(flow, document, &struck),
        }
    }

    /// The newest earlier version that says anything.
    fn last_words(&self) -> Option<&Version> {
        let versions = &self.writer.entry.versions;
        let says = |version: &&Version| !Document::of(&version.message()).is_empty();
        versions.iter().rev().skip(1).take(MOST_VERSIONS).find(says)
    }

    fn version_body(&self, flow: &mut Flow<'_, '_>, version: &Version, style: &Style) {
        let message = version.message();
        let document = Document::of(&message);
        let Writer { entry, context, measure, .. } = self.writer;
        let writer = Writer { message: &message, entry, context, measure };
        writer.blocks(flow, &document.blocks, style, 1);
        for index in &document.unplaced {
            writer.attachment(flow, *index, style);
        }
    }

    fn policy(&self, flow: &mut Flow<'_, '_>) {
        let Some(policy) = &self.writer.message.policy else { return };
        let action = policy.action.as_deref().unwrap_or("noted");
        let tip = policy.tip.as_ref().and_then(|tip| tip.text.as_deref()).unwrap_or_default();
        let words = format!("A data-loss rule applied to this message ({action}). {tip}");
        flow.gap(2.0);
        flow.note(&clean(words.trim_end()), &Style { ink: Ink::Alert, ..note_style() });
    }

    /// One line for each file: name, size, hash and place, or why it is not there.
    fn files(&self, flow: &mut Flow<'_, '_>) {
        for attached in &self.writer.entry.attached {
            flow.gap(2.0);
            let (state, ink) = file_words(attached);
            let is_earlier = attached.is_earlier(self.writer.entry.versions.len());
            let label = match (attached.is_inline(), is_earlier) {
                (false, false) => "Attachment: ",
                (false, true) => "Attachment of an earlier version: ",
                (true, false) => "Inline image: ",
                (true, true) => "Inline image of an earlier version: ",
            };
            let name = clean(&attached.name).replace('\n', " ");
            let small = Style::new(Slot::Regular, 8.2, Ink::Text);
            let muted = Style { ink: Ink::Muted, ..small.clone() };
            let mut spans = vec![
                Span { text: label, style: muted.clone() },
                Span { text: &name, style: small.clone().bold() },
            ];
            if ink == Ink::Alert {
                spans.push(Span { text: "  UNAVAILABLE: ", style: Style { ink, ..small } });
            }
            let state = clean(&state);
            spans.push(Span { text: &state, style: muted });
            flow.label(&spans);
        }
    }

    /// `👍 2 (A, B)`, in the order in which kinds first appear.
    fn reactions(&self, flow: &mut Flow<'_, '_>) {
        let reactions = &self.writer.message.reactions;
        if reactions.is_empty() {
            return;
        }
        let mut kinds: Vec<(&str, Vec<String>)> = Vec::new();
        for reaction in reactions {
            let (kind, name) = (reaction_sign(reaction), self.reactor(reaction));
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, names)) => names.push(name),
                None => kinds.push((kind, vec![name])),
            }
        }
        let words: Vec<String> = kinds
            .iter()
            .map(|(kind, names)| format!("{kind}\u{A0}{} ({})", names.len(), names.join(", ")))
            .collect();
        flow.gap(2.0);
        flow.note(&clean(&words.join("    ")), &Style::new(Slot::Regular, 8.2, Ink::Muted));
    }

    fn reactor(&self, reaction: &Reaction<'_>) -> String {
        match &reaction.who {
            Some(who) => event::who(who, self.writer.context.names),
            None => "unknown".to_owned(),
        }
    }
}

/// A message with more versions shows the newest of them; the others are in the machine formats.
const MOST_VERSIONS: usize = 2_000;

fn text_style() -> Style {
    Style::new(Slot::Regular, SIZE, Ink::Text)
}

fn note_style() -> Style {
    Style::new(Slot::Regular, 7.8, Ink::Muted)
}

/// What is said behind a file's name.
fn file_words(attached: &Attached) -> (String, Ink) {
    match &attached.state {
        AttachedState::Stored { size, sha256, path, .. } => {
            let hash = hex(&sha256[..8]);
            let place = path.as_deref().map(|path| format!(", {path}")).unwrap_or_default();
            (format!(", {}, sha256 {hash}{place}", bytes_words(*size)), Ink::Muted)
        }
        AttachedState::Unavailable { reason } => (reason.clone(), Ink::Alert),
        AttachedState::Omitted => (" (not included: text only)".to_owned(), Ink::Muted),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |byte: u8| char::from_digit(u32::from(byte), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

/// `1,234,567 bytes`: exact, so that it can be compared.
fn bytes_words(size: u64) -> String {
    format!("{} bytes", grouped(size))
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The picture of a reaction: older messages name it in a word.
fn reaction_sign<'a>(reaction: &'a Reaction<'_>) -> &'a str {
    match &*reaction.kind {
        "like" => "\u{1F44D}",
        "heart" => "\u{2764}\u{FE0F}",
        "laugh" => "\u{1F606}",
        "surprised" => "\u{1F62E}",
        "sad" => "\u{1F622}",
        "angry" => "\u{1F621}",
        "custom" => reaction.display_name.as_deref().unwrap_or("custom"),
        other => other,
    }
}

#[cfg(test)]
mod tests;
