//! `chats --record`: sessions with Copilot, and the meetings of recordings and transcripts.

use std::collections::BTreeMap;

use chatvault_engine::{Archive, Scan, Snapshot, Timestamp};
use chatvault_ingest::sync;
use chatvault_query::record::{Text, message};
use chatvault_query::{Record, format_time};
use serde::Serialize;

use crate::console::Console;
use crate::table::{Column, Listing};
use crate::text;

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    conversations: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    record: &'static str,
    person: Option<&'a str>,
    name: Option<&'a str>,
    entries: u64,
    first: String,
    last: String,
}

/// A session, or a meeting; all calls that were none are one.
struct Session {
    /// Whose it is.
    person: Option<String>,
    entries: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Prints the sessions or meetings of one kind, those with these ids if any are given.
pub(super) fn print(
    (archive, snapshot): (&Archive, &Snapshot),
    (record, ids): (Record, Vec<String>),
    (json, console): (bool, &mut Console<'_>),
) -> anyhow::Result<()> {
    let all =
        collect(snapshot, &Scan { record: record.into(), conversations: ids, ..Scan::default() })?;
    let accounts = sync::accounts(archive)?.into_iter();
    let people = accounts.filter_map(|one| Some((one.custodian.to_string(), one.name?)));
    let names: BTreeMap<String, String> = people.collect();
    let name = |session: &Session| {
        let person = format!("user:{}", session.person.as_deref()?);
        names.get(&person).map(String::as_str)
    };
    if json {
        let conversations = all.iter().map(|(id, session)| Entry {
            id,
            record: record.name(),
            person: session.person.as_deref(),
            name: name(session),
            entries: session.entries,
            first: format_time(session.first),
            last: format_time(session.last),
        });
        return console.json(&Report { conversations: conversations.collect() });
    }
    let mut listing = Listing::new(COLUMNS, console.width());
    for (id, session) in &all {
        let row = vec![
            record.name().to_owned(),
            text::count(session.entries),
            text::day(session.first),
            text::day(session.last),
            name(session).or(session.person.as_deref()).unwrap_or("-").to_owned(),
            if id.is_empty() { "(calls)".to_owned() } else { id.clone() },
        ];
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))?;
    let what = if record == Record::Copilot { "session" } else { "meeting" };
    Ok(console.line(text::plural(all.len() as u64, what))?)
}

const COLUMNS: &[Column] = &[
    Column::text("kind", 10),
    Column::number("entries", 8),
    Column::text("first", 10),
    Column::text("last", 10),
    Column::text("person", 24),
    Column::rest("id"),
];

/// By id. An id tells whose session it is, the first row whose meeting.
fn collect(snapshot: &Snapshot, scan: &Scan) -> anyhow::Result<BTreeMap<String, Session>> {
    let mut all: BTreeMap<String, Session> = BTreeMap::new();
    let mut rows = snapshot.scan(scan)?;
    while let Some(row) = rows.next()? {
        let (id, at) = (row.conversation(), row.created());
        if let Some(session) = all.get_mut(id) {
            session.entries += 1;
            (session.first, session.last) = (session.first.min(at), session.last.max(at));
            continue;
        }
        let user =
            id.strip_prefix("user:").and_then(|rest| Some(rest.split_once('/')?.0.to_owned()));
        let document = row.document()?;
        let organizer = || message(scan.record, &document, &Text::None).from;
        let organizer = || organizer().map(|from| from.id.into_owned());
        // Calls have many organizers.
        let person = if id.is_empty() { None } else { user.or_else(organizer) };
        let _new = all.insert(id.to_owned(), Session { person, entries: 1, first: at, last: at });
    }
    Ok(all)
}
