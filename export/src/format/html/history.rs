//! How a message came to be what it is: its archived versions, with the changed words marked.
//!
//! Usually only the versions whose text changed, or that deleted or restored it, folded away; every
//! version, unfolded, when all were asked for.

use chatvault_engine::Timestamp;
use chatvault_query::body::{self, Document};
use chatvault_query::change::{self, Change, Mark, What};
use chatvault_query::message::Message;

use super::card::Draft;
use super::clock::{self, Shown};
use crate::entry::{Entry, Version};

/// One archived version, read.
struct State<'a> {
    version: &'a Version,
    message: Message<'a>,
    text: String,
    what: Vec<What>,
}

/// The latest version before a deletion took the text away.
pub(super) fn last_text(entry: &Entry) -> Option<Message<'_>> {
    let mut newest_first = entry.versions.iter().rev().map(Version::message);
    newest_first.find(|message| !Document::of(message).is_empty())
}

/// Appends the history; nothing for a message that never changed.
pub(super) fn write(draft: &mut Draft<'_>, latest: &Message<'_>) {
    let is_single = draft.entry.versions.len() < 2;
    if is_single && !latest.is_edited() {
        return;
    }
    let is_all = draft.scene.context.options.versions;
    let mut states = if is_single { Vec::new() } else { read(draft.entry) };
    let was_edited = states.first().map_or(latest, |state| &state.message).is_edited();
    if !is_all {
        states.retain(State::is_told);
        // A deletion alone is told by its banner.
        if !states.iter().any(State::has_news) {
            states.clear();
        }
    }
    if states.is_empty() && !was_edited {
        return;
    }
    draft.html.raw(if is_all { "<details class=\"o\" open>" } else { "<details class=\"o\">" });
    write_summary(draft, states.len(), is_all);
    if was_edited {
        draft.html.raw(
            "<p class=\"q\">It had been edited before it was first archived: what it said \
            before that is not in the archive.</p>",
        );
    }
    write_list(draft, &states);
    draft.html.raw("</details>");
}

fn write_summary(draft: &mut Draft<'_>, states: usize, is_all: bool) {
    draft.html.raw("<summary>History");
    if states > 0 {
        draft.html.raw(": ").count(states as u64);
        draft.html.raw(if is_all { " archived versions" } else { " entries" });
    }
    draft.html.raw("</summary>");
}

fn write_list(draft: &mut Draft<'_>, states: &[State<'_>]) {
    if states.is_empty() {
        return;
    }
    draft.html.raw("<ol>");
    let mut before = "";
    for state in states {
        draft.html.raw("<li>");
        let zone = draft.scene.context.options.zone;
        clock::write_time(&mut draft.html, zone, state.time(), Shown::Full);
        for (index, what) in state.shown().iter().enumerate() {
            draft.html.raw(if index == 0 { " " } else { ", " }).raw(words(*what));
        }
        if let Some(variant) = state.version.variant_words() {
            draft.html.raw(", ").text(&variant).raw(" under this version");
        }
        if state.has_text() {
            write_marks(draft, before, &state.text);
        }
        draft.html.raw("</li>");
        // A deletion that blanks the text is compared with nothing: a restored text is whole again.
        before = &state.text;
    }
    draft.html.raw("</ol>");
}

fn write_marks(draft: &mut Draft<'_>, before: &str, after: &str) {
    let html = &mut draft.html;
    html.raw("<div class=\"v\" dir=\"auto\" lang=\"\">");
    if before.is_empty() {
        html.text(after);
    } else {
        for piece in change::words(before, after) {
            match piece.mark {
                Mark::Kept => html.text(&piece.text),
                Mark::Removed => html.raw("<del>").text(&piece.text).raw("</del>"),
                Mark::Added => html.raw("<ins>").text(&piece.text).raw("</ins>"),
            };
        }
    }
    html.raw("</div>");
}

/// Every version, with what it changed.
fn read(entry: &Entry) -> Vec<State<'_>> {
    let mut states: Vec<State<'_>> = Vec::with_capacity(entry.versions.len());
    for version in &entry.versions {
        let message = version.message();
        let text = body::text(&Document::of(&message), &message);
        let before = states.last().map(|state| &state.version.document);
        let what = Change::between(before, &version.document).what;
        states.push(State { version, message, text, what });
    }
    states
}

impl State<'_> {
    fn is(&self, what: What) -> bool {
        self.what.contains(&what)
    }

    /// Whether it is told even when not every version was asked for.
    fn is_told(&self) -> bool {
        self.has_text() || self.is(What::Deleted)
    }

    /// Whether the history says more than the message itself does.
    fn has_news(&self) -> bool {
        self.has_text() && !self.is(What::Created)
    }

    fn has_text(&self) -> bool {
        [What::Created, What::Edited, What::Restored].into_iter().any(|what| self.is(what))
    }

    /// Of a first version only that it is the first: an edit before it is told above the list.
    fn shown(&self) -> &[What] {
        match self.what.as_slice() {
            [What::Created, ..] => &[What::Created],
            what => what,
        }
    }

    fn time(&self) -> Timestamp {
        let message = &self.message;
        let own = match self.what.as_slice() {
            [What::Created, ..] => message.edited.or(message.created),
            _ if self.is(What::Deleted) => message.deleted,
            _ if self.is(What::Edited) => message.edited,
            _ => None,
        };
        let number = || Timestamp::from_ms(i64::try_from(self.version.version).unwrap_or(i64::MAX));
        own.or(message.modified).unwrap_or_else(number)
    }
}

fn words(what: What) -> &'static str {
    match what {
        What::Created => "first archived text",
        What::Edited => "text changed",
        What::Deleted => "deleted",
        What::Restored => "restored",
        What::Reacted => "reactions changed",
        What::Attachments => "attachments changed",
        What::Updated => "other details changed",
    }
}
