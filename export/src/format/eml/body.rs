//! What a mail says: the body of a version, and around it what a reader would miss.
//!
//! In this order: a mark when the message was deleted, the body, the reactions, the list of
//! attachments that are not in the mail, the earlier versions. Everything is in the plain text; the
//! HTML is made only when some body shows more than text can, and then says the same.

use std::borrow::Cow;
use std::fmt::Write as _;

use chatvault_engine::Timestamp;
use chatvault_query::body::{Document, plain_text, text as plain};
use chatvault_query::event::{PLACEHOLDER, words};
use chatvault_query::message::{BodyKind, Message, Reaction};
use memchr::memchr_iter;

use crate::digest::hex;
use crate::entry::{Attached, AttachedState, Context, Entry, SystemEvents, Version};
use crate::format::markup::{Places, escape, is_rich, write_body};

use super::header::clean;

/// One version of an entry, read.
pub(super) struct View<'a> {
    pub(super) entry: &'a Entry,
    pub(super) version: &'a Version,
    /// Which of the entry's versions it is, from 0.
    pub(super) at: usize,
    /// What goes with its mail.
    pub(super) files: Vec<&'a Attached>,
    pub(super) message: Message<'a>,
}

/// A mail's text, and its HTML where that says more.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) html: Option<String>,
}

/// A stretch of a body in both forms.
struct Section {
    /// Stands above it.
    title: String,
    text: String,
    /// `None`: the text is all there is.
    html: Option<String>,
    /// Whether the text is what somebody else than the export wrote: it is set off.
    is_quoted: bool,
}

impl<'a> View<'a> {
    /// `all_versions`: each version has a mail of its own.
    pub(super) fn of(entry: &'a Entry, at: usize, all_versions: bool) -> Option<Self> {
        let version = entry.versions.get(at)?;
        let message = version.message();
        let files = if all_versions {
            entry.files_of(at).collect()
        } else {
            entry.attached.iter().collect()
        };
        Some(Self { entry, version, at, files, message })
    }

    pub(super) fn is_latest(&self) -> bool {
        self.at + 1 == self.entry.versions.len()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.message.is_deleted()
    }

    pub(super) fn is_edited(&self) -> bool {
        self.message.is_edited()
    }

    pub(super) fn is_system(&self) -> bool {
        self.message.is_system()
    }
}

impl Body {
    pub(super) fn of(view: &View<'_>, context: &Context<'_>, places: &dyn Places) -> Self {
        let names = context.names_at(view.entry);
        let context = &Context { names: &names, ..*context };
        let mut sections = Vec::with_capacity(2);
        let message = &view.message;
        if let Some(variant) = view.version.variant_words() {
            let words = format!("[{variant}: other content came under the same version]");
            sections.push(Section::note(words));
        }
        sections.extend(deleted_mark(view, context));
        sections.push(main(view, message, context, places));
        sections.extend(reactions(message, context));
        sections.extend(missing_files(view, message, context));
        if !context.options.versions {
            sections.extend(history(view, context));
        }
        let html = sections.iter().any(|section| section.html.is_some());
        Self { text: in_text(&sections), html: html.then(|| in_html(&sections)) }
    }
}

fn in_text(sections: &[Section]) -> String {
    let [only] = sections else {
        let shown: Vec<String> = sections.iter().map(Section::in_text).collect();
        return shown.join("\n\n");
    };
    only.in_text()
}

fn in_html(sections: &[Section]) -> String {
    let size: usize = sections.iter().map(|section| section.text.len() * 2).sum();
    let mut out = String::with_capacity(size + 64);
    for section in sections {
        section.in_html(&mut out);
    }
    out
}

/// HTML of bodies as a whole document.
pub(super) fn page(html: &str) -> String {
    const START: &str = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n";
    [START, html, "</body></html>\n"].concat()
}

impl Section {
    fn note(text: String) -> Self {
        Self { title: String::new(), text, html: None, is_quoted: false }
    }

    fn in_text(&self) -> String {
        let text = self.text.trim_end_matches('\n');
        let mut out = self.title.clone();
        if !out.is_empty() {
            out.push('\n');
        }
        if !self.is_quoted {
            out.push_str(text);
            return out;
        }
        for (at, line) in text.split('\n').enumerate() {
            out.push_str(if at == 0 { "> " } else { "\n> " });
            out.push_str(line);
        }
        out
    }

    fn in_html(&self, out: &mut String) {
        if !self.title.is_empty() {
            out.push_str("<p><strong>");
            escape(&self.title, out);
            out.push_str("</strong></p>\n");
        }
        out.push_str(if self.is_quoted { "<blockquote>" } else { "<div>" });
        match &self.html {
            Some(html) => out.push_str(html),
            None => text_in_html(&self.text, out),
        }
        out.push_str(if self.is_quoted { "</blockquote>\n" } else { "</div>\n" });
    }
}

/// Plain text as one paragraph with its line ends.
pub(super) fn text_in_html(text: &str, out: &mut String) {
    out.push_str("<p>");
    for (at, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        out.push_str(if at == 0 { "" } else { "<br>\n" });
        escape(line, out);
    }
    out.push_str("</p>\n");
}

fn deleted_mark(view: &View<'_>, context: &Context<'_>) -> Option<Section> {
    let deleted = view.is_deleted().then(|| view.message.deleted.unwrap_or(view.entry.modified))?;
    let time = context.options.zone.show(deleted);
    Some(Section::note(format!("[This message was deleted at {time}]")))
}

/// The body. A deleted message that lost its text shows the last one that was archived.
fn main(
    view: &View<'_>,
    message: &Message<'_>,
    context: &Context<'_>,
    places: &dyn Places,
) -> Section {
    let shown = said(message, context, places);
    if !view.is_deleted() || !shown.text.trim().is_empty() {
        return shown;
    }
    let earlier = view.entry.versions.get(..view.at).unwrap_or_default().iter().rev();
    earlier
        .map(|version| said(&version.message(), context, places))
        .find(|section| !section.text.trim().is_empty())
        .unwrap_or_else(|| Section::note("[message deleted; content not captured]".to_owned()))
}

/// What one version says.
fn said(message: &Message<'_>, context: &Context<'_>, places: &dyn Places) -> Section {
    if message.is_system() {
        return Section::note(event_text(message, context));
    }
    if let Some(text) = simple(message) {
        return Section::note(text);
    }
    let document = Document::of(message);
    let text = plain(&document, message);
    let html = (is_rich(&document) || !document.unplaced.is_empty()).then(|| {
        let mut out = String::with_capacity(text.len() * 2);
        write_body(&document, message, places, &mut out);
        out
    });
    Section { title: String::new(), text, html, is_quoted: false }
}

/// The text of a body without markup, sooner than by way of a document: most are.
fn simple(message: &Message<'_>) -> Option<String> {
    let body = &message.body;
    let is_likely = match body.kind {
        _ if !message.attachments.is_empty() => false,
        BodyKind::Text => true,
        // One element at most.
        BodyKind::Html => memchr_iter(b'<', body.content.as_bytes()).take(3).count() <= 2,
        BodyKind::Markdown => false,
    };
    match is_likely.then(|| plain_text(message))? {
        Cow::Borrowed(text) => Some(text.to_owned()),
        Cow::Owned(text) => (body.kind == BodyKind::Text).then_some(text),
    }
}

fn event_text(message: &Message<'_>, context: &Context<'_>) -> String {
    match (context.options.system_events, &message.event) {
        (SystemEvents::Placeholder, _) => PLACEHOLDER.to_owned(),
        (_, Some(event)) => words(event, context.names),
        (_, None) => "System event".to_owned(),
    }
}

/// `Reactions: like 2 (Ann, Bob); heart 1 (Eve)`
fn reactions(message: &Message<'_>, context: &Context<'_>) -> Option<Section> {
    if message.reactions.is_empty() {
        return None;
    }
    let mut text = "Reactions: ".to_owned();
    for (at, (kind, given)) in grouped(&message.reactions).into_iter().enumerate() {
        text.push_str(if at == 0 { "" } else { "; " });
        push(&mut text, format_args!("{} {}", clean(kind, 64), given.len()));
        let who: Vec<String> = given.iter().filter_map(|reaction| by(reaction, context)).collect();
        if !who.is_empty() {
            push(&mut text, format_args!(" ({})", who.join(", ")));
        }
    }
    Some(Section::note(text))
}

fn by(reaction: &Reaction<'_>, context: &Context<'_>) -> Option<String> {
    let name = chatvault_query::event::who(reaction.who.as_ref()?, context.names);
    Some(clean(&name, 256).into_owned())
}

/// Reactions by their kind, in the order in which the kinds first come.
pub(super) fn grouped<'r, 'a>(
    reactions: &'r [Reaction<'a>],
) -> Vec<(&'r str, Vec<&'r Reaction<'a>>)> {
    let mut groups: Vec<(&str, Vec<&Reaction<'a>>)> = Vec::new();
    for reaction in reactions {
        let kind = match (&*reaction.kind, reaction.display_name.as_deref()) {
            ("custom", Some(name)) => name,
            (kind, _) => kind,
        };
        match groups.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, group)) => group.push(reaction),
            None => groups.push((kind, vec![reaction])),
        }
    }
    groups
}

/// The list of what belongs to the message and is not in the mail.
fn missing_files(view: &View<'_>, message: &Message<'_>, context: &Context<'_>) -> Option<Section> {
    let attached = view.files.iter().filter(|attached| {
        let is_here = matches!(attached.state, AttachedState::Stored { .. });
        context.options.text_only || !is_here || is_taken_away(view, attached, context)
    });
    let mut lines: Vec<String> = attached
        .map(|attached| file_line(attached, message, is_taken_away(view, attached, context)))
        .collect();
    lines.extend(unknown_files(view, message));
    if lines.is_empty() {
        return None;
    }
    let title = "Attachments:".to_owned();
    Some(Section { title, text: lines.join("\n"), html: None, is_quoted: false })
}

/// Is a file that only earlier versions name in the one mail of all?
fn is_taken_away(view: &View<'_>, attached: &Attached, context: &Context<'_>) -> bool {
    !context.options.versions && attached.is_earlier(view.entry.versions.len())
}

/// `- report.pdf (1234 bytes, SHA-256 ab…, not included)`
fn file_line(attached: &Attached, message: &Message<'_>, is_taken_away: bool) -> String {
    let mut line = format!("- {} (", clean(&attached.name, 256));
    if is_taken_away {
        line.push_str("of an earlier version, ");
    }
    match &attached.state {
        AttachedState::Stored { size, sha256, .. } if is_taken_away => {
            push(&mut line, format_args!("{size} bytes, SHA-256 {})", hex(sha256)));
        }
        AttachedState::Stored { size, sha256, .. } => {
            push(&mut line, format_args!("{size} bytes, SHA-256 {}, not included)", hex(sha256)));
        }
        state => {
            let known = attached.index.and_then(|index| message.attachments.get(index));
            if let Some(url) = known.and_then(|known| known.url.as_deref()) {
                push(&mut line, format_args!("{}, ", clean(url, 2_048)));
            }
            push(&mut line, format_args!("{})", clean(&state.words(), 512)));
        }
    }
    line
}

/// Files that the version names, and of which nothing is known here.
fn unknown_files(view: &View<'_>, message: &Message<'_>) -> Vec<String> {
    let is_known = |index: usize| view.files.iter().any(|attached| attached.index == Some(index));
    let files = message.attachments.iter().enumerate().filter_map(|(index, file)| {
        let url = file.url.as_deref().filter(|_| !is_known(index))?;
        let link = file.id.as_deref().map(|id| format!("file:{id}"));
        if view.files.iter().any(|known| Some(&known.attachment) == link.as_ref()) {
            return None;
        }
        let name = file.name.as_deref().unwrap_or("attachment");
        let state = if view.is_latest() { "not archived" } else { "goes with a later version" };
        Some(format!("- {} ({}, {state})", clean(name, 256), clean(url, 2_048)))
    });
    files.collect()
}

/// Every version before this one, with its time and text.
fn history(view: &View<'_>, context: &Context<'_>) -> Vec<Section> {
    let earlier = view.entry.versions.get(..view.at).unwrap_or_default();
    if earlier.is_empty() {
        return Vec::new();
    }
    let mut sections = vec![Section::note(format!("Edit history ({})", earlier.len()))];
    let mut last: Option<String> = None;
    for (at, version) in earlier.iter().enumerate() {
        let section = earlier_version(version, at, view, context);
        let is_new = last.as_deref() != Some(section.text.as_str());
        last = Some(section.text.clone());
        sections.push(if is_new {
            section
        } else {
            Section::note(format!("{} The text is the same.", section.title))
        });
    }
    sections
}

fn earlier_version(
    version: &Version,
    at: usize,
    view: &View<'_>,
    context: &Context<'_>,
) -> Section {
    let message = version.message();
    let time = message.edited.or(message.modified);
    let instead = || if at == 0 { view.entry.sent() } else { Some(number_as_time(version)) };
    let time = context.options.zone.show_known(time.or_else(instead));
    let title = format!("Version {} of {}, {time}:", at + 1, view.entry.versions.len());
    let said = said(&message, context, &crate::format::markup::Nowhere);
    if message.is_deleted() && said.text.trim().is_empty() {
        return Section { title, ..Section::note("[deleted]".to_owned()) };
    }
    Section { title, is_quoted: true, ..said }
}

/// A version's number is the time of its modification in milliseconds.
fn number_as_time(version: &Version) -> Timestamp {
    Timestamp::from_ms(i64::try_from(version.version).unwrap_or(i64::MAX))
}

/// Writing to a string cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}
