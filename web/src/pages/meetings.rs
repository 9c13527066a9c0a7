//! `/a/{org}/meetings` and `/a/{org}/copilot`: what is stored beside messages.

use askama::Template;
use axum::response::Response;
use chatvault_export::entry::{Chat, Person};
use chatvault_query::Record;
use chatvault_query::people::{ConversationKind, Session};

use crate::call::{Call, page};
use crate::failure::Result;
use crate::fields::conversation_step;
use crate::frame::Frame;
use crate::known::Known;
use crate::pages::chat::conversation as show_conversation;
use crate::text::{When, count};

#[derive(Template)]
#[template(path = "meetings.html")]
struct View {
    frame: Frame,
    title: &'static str,
    nothing: &'static str,
    rows: Vec<Row>,
    earlier: Option<String>,
    later: Option<String>,
}

struct Row {
    link: String,
    title: String,
    what: &'static str,
    entries: String,
    first: When,
    last: When,
}

/// Sessions of a page.
const ROWS: usize = 100;

/// `GET /a/{org}/meetings`.
pub(crate) fn recordings(call: &Call) -> Result<Response> {
    let records = [Record::Recording, Record::Transcript];
    let nothing = "The archive has no recordings and no transcripts yet. `chatvault sync --feeds recordings,transcripts` backs them up.";
    list(call, &records, ("Meetings", nothing, "meetings"))
}

/// `GET /a/{org}/copilot`.
pub(crate) fn copilot(call: &Call) -> Result<Response> {
    let nothing = "The archive has no conversations with Copilot yet. `chatvault sync --feeds copilot` backs them up.";
    list(call, &[Record::Copilot], ("Copilot", nothing, "copilot"))
}

fn list(
    call: &Call,
    records: &[Record],
    (title, nothing, section): (&'static str, &'static str, &'static str),
) -> Result<Response> {
    let org = call.organisation()?;
    let snapshot = org.snapshot()?;
    let known = org.known(&snapshot);
    let mut all = Vec::new();
    for record in records {
        all.extend(Session::collect(&snapshot, *record, Vec::new())?);
    }
    all.sort_by_key(|session| std::cmp::Reverse(session.last));
    let from = call.query.number("from").and_then(|from| usize::try_from(from).ok());
    let from = from.unwrap_or_default();
    let row = |session: &Session| -> Result<Row> {
        let about = session.about(&snapshot)?;
        let person = about.person.map(|id| known.name(&id));
        Ok(Row {
            link: format!(
                "{}/meetings/{}/{}",
                org.link(),
                session.record.name(),
                conversation_step(&session.id)
            ),
            title: about.subject.or(person).unwrap_or_else(|| "Calls".to_owned()),
            what: word(session.record),
            entries: count(session.entries),
            first: When::day(call.zone, session.first),
            last: When::new(call.zone, session.last),
        })
    };
    let rows = all.iter().skip(from).take(ROWS).map(row).collect::<Result<_>>()?;
    let at = |from: usize| format!("?{}", call.query.with("from", Some(&from.to_string())));
    page(&View {
        frame: call.frame(title, &org, section),
        title,
        nothing,
        rows,
        earlier: (from > 0).then(|| at(from.saturating_sub(ROWS))),
        later: (from + ROWS < all.len()).then(|| at(from + ROWS)),
    })
}

fn word(record: Record) -> &'static str {
    match record {
        Record::Copilot => "Copilot",
        Record::Recording => "Recordings",
        _ => "Transcripts",
    }
}

/// A session or meeting as renderers see it.
pub(crate) fn chat(known: &Known, record: Record, id: &str) -> Chat {
    let person = Session::user_of(id).map(|id| Person {
        name: Some(known.name(id)),
        id: id.to_owned(),
        ..Person::default()
    });
    let whose = person.as_ref().map(|person| format!(": {}", person.label()));
    Chat {
        kind: match record {
            Record::Copilot => ConversationKind::Copilot,
            _ => ConversationKind::Meeting,
        },
        topic: Some(format!("{}{}", word(record), whose.unwrap_or_default())),
        participants: person.into_iter().collect(),
        ..known.chat_of(id)
    }
}

/// `GET /a/{org}/meetings/{record}/{chat}`.
pub(crate) fn conversation(call: &Call) -> Result<Response> {
    let record: Record = call.step("record").parse()?;
    let section = if record == Record::Copilot { "copilot" } else { "meetings" };
    show_conversation(call, record, section, &format!("meetings/{}", record.name()))
}
