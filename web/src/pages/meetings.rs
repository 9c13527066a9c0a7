//! `/a/{org}/meetings` and `/a/{org}/copilot`: what is stored beside messages.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use chatvault_engine::{Scan, Snapshot, Timestamp};
use chatvault_export::entry::{Chat, Person};
use chatvault_query::Record;
use chatvault_query::people::ConversationKind;
use chatvault_query::record::{Text, message};

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
}

struct Row {
    link: String,
    title: String,
    what: &'static str,
    entries: String,
    first: When,
    last: When,
}

/// A session with Copilot, or a meeting.
struct Session {
    person: Option<String>,
    subject: Option<String>,
    entries: u64,
    first: Timestamp,
    last: Timestamp,
}

/// `GET /a/{org}/meetings`.
pub(crate) fn recordings(call: &Call) -> Result<Response> {
    let records = [Record::Recording, Record::Transcript];
    let nothing = "The archive has neither recordings nor transcripts.";
    list(call, &records, ("Meetings", nothing, "meetings"))
}

/// `GET /a/{org}/copilot`.
pub(crate) fn copilot(call: &Call) -> Result<Response> {
    let nothing = "The archive has no conversations with Copilot.";
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
        let sessions = sessions(&snapshot, *record)?;
        all.extend(sessions.into_iter().map(|(id, session)| (*record, id, session)));
    }
    all.sort_by_key(|(_, _, session)| std::cmp::Reverse(session.last));
    let row = |(record, id, session): (Record, String, Session)| {
        let person = session.person.as_deref().map(|id| known.name(id));
        let about = session.subject.or(person).unwrap_or_else(|| "Calls".to_owned());
        Row {
            link: format!("{}/meetings/{}/{}", org.link(), record.name(), conversation_step(&id)),
            title: about,
            what: word(record),
            entries: count(session.entries),
            first: When::day(call.zone, session.first),
            last: When::new(call.zone, session.last),
        }
    };
    let rows = all.into_iter().map(row).collect();
    page(&View { frame: call.frame(title, &org, section), title, nothing, rows })
}

fn word(record: Record) -> &'static str {
    match record {
        Record::Copilot => "Copilot",
        Record::Recording => "Recordings",
        _ => "Transcripts",
    }
}

/// By id. An id tells whose session it is, the first row whose meeting.
fn sessions(snapshot: &Snapshot, record: Record) -> Result<BTreeMap<String, Session>> {
    let mut all: BTreeMap<String, Session> = BTreeMap::new();
    let scan = Scan { record: record.into(), ..Scan::default() };
    let mut rows = snapshot.scan(&scan)?;
    while let Some(row) = rows.next()? {
        let (id, at) = (row.conversation(), row.created());
        if let Some(session) = all.get_mut(id) {
            session.entries += 1;
            (session.first, session.last) = (session.first.min(at), session.last.max(at));
            continue;
        }
        let document = row.document()?;
        let read = message(scan.record, &document, &Text::None);
        let organizer = || read.from.as_ref().map(|from| from.id.to_string());
        let person = if id.is_empty() { None } else { user_of(id).or_else(organizer) };
        let subject = read.subject.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        let _new =
            all.insert(id.to_owned(), Session { person, subject, entries: 1, first: at, last: at });
    }
    Ok(all)
}

/// Whose session an id is of.
fn user_of(id: &str) -> Option<String> {
    Some(id.strip_prefix("user:")?.split_once('/')?.0.to_owned())
}

/// A session or meeting as renderers see it.
pub(crate) fn chat(known: &Known, record: Record, id: &str) -> Chat {
    let person =
        user_of(id).map(|id| Person { name: Some(known.name(&id)), id, ..Person::default() });
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
