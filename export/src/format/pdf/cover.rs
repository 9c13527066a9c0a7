//! The first page of a file: what it is, of whom, of when, how much, and how to read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chatvault_query::people::ConversationKind;

use super::entry::{Counts, PAGE_WIDTH, grouped};
use super::flow::{Flow, clean};
use super::font::Slot;
use super::frame::short;
use super::line::{Ink, Line, Style};
use super::paragraph::Span;
use super::shape::Shaper;
use super::tag::{Elements, Role};
use crate::entry::{Context, Person, Window};

/// More people are counted, not listed: the machine-readable formats list everyone.
const MOST_PEOPLE: usize = 2_000;

/// Where the values stand.
const LABEL_WIDTH: f32 = 128.0;

/// What a cover says that only the making of the file tells.
pub(super) struct Facts<'a> {
    pub(super) window: Window,
    /// The number of the file.
    pub(super) number: u32,
    /// It is the last one.
    pub(super) is_last: bool,
    /// Its first and last page.
    pub(super) pages: (usize, usize),
    /// Of this file.
    pub(super) counts: Counts,
    /// Of all files so far.
    pub(super) total: Counts,
    pub(super) missing: &'a BTreeMap<char, u64>,
}

/// The lines of a cover. How many they are does not depend on the counts.
pub(super) fn lines(
    shaper: &mut Shaper<'_>,
    context: &Context<'_>,
    facts: &Facts<'_>,
) -> (Vec<Line>, Elements) {
    let mut flow = Flow::new(shaper, 0.0, PAGE_WIDTH);
    flow.note("CHAT TRANSCRIPT", &Style::new(Slot::Bold, 8.0, Ink::Muted));
    flow.gap(4.0);
    let title = short(&context.chat.title(), 200);
    let style = Style::new(Slot::Bold, 19.0, Ink::Text);
    flow.only(Role::Title, |flow| flow.note(&title, &style));
    flow.rule(10.0, 6.0);
    table(&mut flow, &about(context, facts));
    heading(&mut flow, "What this file holds");
    table(&mut flow, &counted(facts));
    heading(&mut flow, "How to read it");
    for words in NOTES {
        flow.gap(2.0);
        flow.note(words, &Style::new(Slot::Regular, 8.4, Ink::Muted));
    }
    people(&mut flow, context);
    flow.into_parts()
}

const NOTES: [&str; 7] = [
    "Entries stand in the order in which they were sent. Beside each is its time in the zone above, \
     at the right the message's id in the service. What one person sent within five minutes stands \
     under one name, which is said again on the next page.",
    "A quoted message is named with its sender and time; the line leads to it where it is in this \
     file.",
    "An edited message shows its latest archived text, and below it what earlier archived versions \
     said. A deleted message keeps its last archived text, struck through, under a notice.",
    "Events of the service, such as people joining or leaving, are centred and in italics.",
    "A file is listed with its exact size and the first 16 digits of its SHA-256; all of it is in \
     the manifest. What could not be had says UNAVAILABLE and why.",
    "Emoji are printed as outlines in one colour: skin tones and flags can look alike on paper. Copied \
     text has them as they were sent.",
    "Links open in a browser and are not part of the record. [U+XXXX] stands for a character that \
     none of the fonts in use can show; the character itself is kept and can be copied.",
];

fn about(context: &Context<'_>, facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let (options, chat) = (context.options, context.chat);
    let zone = &options.zone;
    let window = facts.window;
    let mut rows =
        vec![("Conversation", chat.id.clone()), ("Kind", kind_words(chat.kind).to_owned())];
    if let Some(team) = &chat.team {
        rows.push(("Team", team.clone()));
    }
    rows.push(("Tenant", context.tenant.to_owned()));
    rows.push(("Period", window.words(*zone)));
    if window.of > 1 {
        rows.push(("Part of a longer period", format!("{} of {}", window.number, window.of)));
    }
    rows.push(("Time zone of this transcript", zone.to_string()));
    rows.extend(options.told.iter().cloned());
    rows.push(("Export made at", zone.show(options.as_of)));
    rows.push(("Export", options.export_id.clone()));
    rows.push(("Made with", options.made_with.clone()));
    rows
}

fn counted(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let (first, last) = (grouped(facts.pages.0 as u64), grouped(facts.pages.1 as u64));
    let file = match (facts.number, facts.is_last) {
        (1, true) => format!("{first} to {last}"),
        (number, true) => format!("{first} to {last}; this is file {number}, the last one"),
        (number, false) => format!("{first} to {last}; this is file {number}, more follow"),
    };
    let (here, total) = (facts.counts, facts.total);
    let of = |here: u64, total: u64| match facts.number {
        1 => grouped(here),
        _ => format!("{} here, {} up to here", grouped(here), grouped(total)),
    };
    vec![
        ("Pages", file),
        ("Messages", of(here.messages, total.messages)),
        ("Events", of(here.events, total.events)),
        ("Edited messages", of(here.edited, total.edited)),
        ("Deleted messages", of(here.deleted, total.deleted)),
        ("Events left out", of(here.events_omitted, total.events_omitted)),
        ("Files and images", of(here.attachments, total.attachments)),
        ("Files that are not to be had", of(here.unavailable, total.unavailable)),
        ("Files left out", of(here.files_omitted, total.files_omitted)),
        ("Shown only for context", of(here.context, total.context)),
        ("Characters without a glyph", missing_words(facts.missing)),
    ]
}

/// On one line, however many they are.
fn missing_words(missing: &BTreeMap<char, u64>) -> String {
    const NAMED: usize = 4;
    let total: u64 = missing.values().sum();
    if total == 0 {
        return "0".to_owned();
    }
    let named: Vec<String> =
        missing.keys().take(NAMED).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    let more = if missing.len() > NAMED { ", \u{2026}" } else { "" };
    format!("{} ({}{more})", grouped(total), named.join(", "))
}

fn heading(flow: &mut Flow<'_, '_>, words: &str) {
    flow.gap(16.0);
    let style = Style::new(Slot::Bold, 10.5, Ink::Text);
    flow.only(Role::Heading, |flow| flow.note(words, &style));
    flow.keep_last();
    flow.rule(3.0, 2.0);
    flow.keep_last();
}

fn table(flow: &mut Flow<'_, '_>, rows: &[(&str, String)]) {
    flow.within(Role::Table, |flow| {
        for (label, value) in rows {
            flow.within(Role::Row, |flow| row(flow, label, value));
        }
    });
}

/// A label and its value, side by side.
fn row(flow: &mut Flow<'_, '_>, label: &str, value: &str) {
    let (left, width) = (flow.left(), flow.width());
    let style = Style::new(Slot::Regular, 8.8, Ink::Muted);
    let label = [Span { text: label, style: style.clone() }];
    let value = clean(value).replace('\n', " ");
    let value = [Span { text: &value, style: Style { ink: Ink::Text, ..style } }];
    let labels = flow.beside(left, LABEL_WIDTH - 8.0, |flow| {
        flow.only(Role::HeaderCell, |flow| flow.label(&label));
    });
    let values = flow.beside(left + LABEL_WIDTH, width - LABEL_WIDTH, |flow| {
        flow.only(Role::Cell, |flow| flow.label(&value));
    });
    flow.gap(2.5);
    flow.extend(side_by_side(vec![labels, values]));
}

fn side_by_side(columns: Vec<Vec<Line>>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for column in columns {
        let mut column = column.into_iter();
        for (line, other) in lines.iter_mut().zip(column.by_ref()) {
            line.join(other);
        }
        lines.extend(column);
    }
    lines
}

fn people(flow: &mut Flow<'_, '_>, context: &Context<'_>) {
    let people = &context.chat.participants;
    heading(flow, &format!("Participants ({})", grouped(people.len() as u64)));
    flow.within(Role::Table, |flow| {
        for person in people.iter().take(MOST_PEOPLE) {
            flow.within(Role::Row, |flow| person_row(flow, person, context));
        }
    });
    let more = people.len().saturating_sub(MOST_PEOPLE);
    if more > 0 {
        let words = format!("and {} more, listed in the manifest.", grouped(more as u64));
        flow.gap(3.0);
        flow.note(&words, &Style::new(Slot::Italic, 8.4, Ink::Muted));
    }
}

/// Name, address and id; below the name what else is known.
fn person_row(flow: &mut Flow<'_, '_>, person: &Person, context: &Context<'_>) {
    const COLUMNS: [(f32, f32); 3] = [(0.0, 158.0), (166.0, 146.0), (320.0, 163.0)];
    let zone = &context.options.zone;
    let name = person.name.as_deref().unwrap_or("(name not known)");
    let mut notes = String::new();
    if !person.other_names.is_empty() {
        notes = format!("also: {}", person.other_names.join(", "));
    }
    for (word, time) in [("joined", person.joined), ("left", person.left)] {
        if let Some(time) = time {
            let comma = if notes.is_empty() { "" } else { "; " };
            // Writing to a `String` cannot fail.
            let _written = write!(notes, "{comma}{word} {}", zone.show(time));
        }
    }
    let style = Style::new(Slot::Regular, 8.4, Ink::Text);
    let small = Style::new(Slot::Regular, 7.4, Ink::Muted);
    let cells = [name, person.address.as_deref().unwrap_or_default(), &person.id];
    let styles = [style.clone(), style, small.clone()];
    let mut columns = Vec::new();
    for (((x, width), cell), style) in COLUMNS.into_iter().zip(cells).zip(styles) {
        let text = clean(cell).replace('\n', " ");
        let role = if x == 0.0 { Role::HeaderCell } else { Role::Cell };
        columns.push(flow.beside(x, width, |flow| {
            flow.only(role, |flow| {
                flow.note(&text, &style);
                if x == 0.0 && !notes.is_empty() {
                    flow.note(&clean(&notes).replace('\n', " "), &small);
                }
            });
        }));
    }
    flow.gap(3.5);
    flow.extend(side_by_side(columns));
}

fn kind_words(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::OneOnOne => "Chat of two",
        ConversationKind::Group => "Group chat",
        ConversationKind::Meeting => "Chat of a meeting",
        ConversationKind::Channel => "Channel of a team",
        ConversationKind::Copilot => "Conversation with Copilot",
        ConversationKind::Other => "Conversation",
    }
}
