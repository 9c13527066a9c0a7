//! `/a/{org}/chats`: all conversations, the latest first, to be found by name or person.

use askama::Template;
use axum::response::Response;
use chatvault_query::people::ConversationKind;

use crate::call::{Call, page};
use crate::failure::Result;
use crate::fields::step;
use crate::frame::Frame;
use crate::known::{Listed, Wanted};
use crate::text::{When, count, plural};

/// Conversations of a page.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "chats.html")]
struct View {
    frame: Frame,
    /// What is looked for.
    words: String,
    person: Option<String>,
    kind: String,
    kinds: [(&'static str, &'static str); 5],
    found: String,
    rows: Vec<Row>,
    earlier: Option<String>,
    later: Option<String>,
    is_reading: bool,
    problem: Option<String>,
}

struct Row {
    link: String,
    title: String,
    kind: &'static str,
    people: String,
    messages: String,
    last: When,
}

const KINDS: [(&str, &str); 5] = [
    ("one-on-one", "One to one"),
    ("group", "Group"),
    ("meeting", "Meeting"),
    ("channel", "Channel"),
    ("other", "Other"),
];

/// `GET /a/{org}/chats`.
pub(crate) fn list(call: &Call) -> Result<Response> {
    let org = call.organisation()?;
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let words = call.query.get("find").unwrap_or_default();
    let lower = words.to_lowercase();
    let (person, kind) = (call.query.get("person"), call.query.get("kind").unwrap_or_default());
    let found = known.find(&Wanted { person, words: lower.split_whitespace().collect(), kind });
    let from = call.query.number("from").and_then(|from| usize::try_from(from).ok());
    let from = from.unwrap_or_default();
    let row = |one: Listed<'_>| Row {
        link: format!("{}/chats/{}", org.link(), step(one.id)),
        title: one.title.to_owned(),
        kind: kind_words(one.kind),
        people: count(one.people),
        messages: count(one.messages),
        last: When::new(call.zone, one.last),
    };
    let rows = found.iter().skip(from).take(ROWS);
    let rows = rows.filter_map(|row| known.listed(*row)).map(row).collect();
    let at = |from: usize| format!("?{}", call.query.with("from", Some(&from.to_string())));
    let is_reading = known.is_early(snapshot.sequence().0);
    let frame = call.frame("Chats", &org, "chats");
    page(&View {
        frame: Frame { refresh: is_reading.then_some(2), ..frame },
        words: words.to_owned(),
        person: person.map(|id| known.name(id)),
        kind: kind.to_owned(),
        kinds: KINDS,
        found: match (is_reading, plural(found.len() as u64, "conversation")) {
            (true, _) if found.is_empty() => String::new(),
            (true, so_far) => format!("at least {so_far}"),
            (false, all) => all,
        },
        rows,
        earlier: (from > 0).then(|| at(from.saturating_sub(ROWS))),
        later: (from + ROWS < found.len()).then(|| at(from + ROWS)),
        is_reading,
        problem: known.problem.clone(),
    })
}

/// What a kind is called.
pub(crate) fn kind_words(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Copilot => "Copilot",
        kind => {
            KINDS.iter().find(|(name, _)| *name == kind.name()).map_or("Other", |(_, word)| word)
        }
    }
}
