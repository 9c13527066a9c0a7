//! `chats --record`: sessions with Copilot, and the meetings of recordings and transcripts.

use std::collections::BTreeMap;

use chatvault_engine::{Archive, Snapshot};
use chatvault_ingest::sync;
use chatvault_query::people::Session;
use chatvault_query::{Record, format_time};
use serde::Serialize;

use crate::console::Console;
use crate::table::{Column, Listing};
use crate::text;

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    conversations: Vec<SessionRow<'a>>,
}

#[derive(Serialize)]
struct SessionRow<'a> {
    id: &'a str,
    record: &'static str,
    person: Option<&'a str>,
    name: Option<&'a str>,
    entries: u64,
    first: String,
    last: String,
}

/// Prints the sessions or meetings of one kind, those with these ids if any are given.
pub(super) fn print(
    (archive, snapshot): (&Archive, &Snapshot),
    (record, ids): (Record, Vec<String>),
    (json, console): (bool, &mut Console<'_>),
) -> anyhow::Result<()> {
    let all = Session::collect(snapshot, record, ids)?;
    let about = all.iter().map(|session| session.about(snapshot)).collect::<Result<Vec<_>, _>>()?;
    let all: Vec<(Session, Option<String>)> =
        all.into_iter().zip(about).map(|(session, about)| (session, about.person)).collect();
    let accounts = sync::accounts(archive)?.into_iter();
    let people = accounts.filter_map(|one| Some((one.custodian.to_string(), one.name?)));
    let names: BTreeMap<String, String> = people.collect();
    let name = |person: &Option<String>| {
        let person = format!("user:{}", person.as_deref()?);
        names.get(&person).map(String::as_str)
    };
    if json {
        let conversations = all.iter().map(|(session, person)| SessionRow {
            id: &session.id,
            record: record.name(),
            person: person.as_deref(),
            name: name(person),
            entries: session.entries,
            first: format_time(session.first),
            last: format_time(session.last),
        });
        return console.json(&Report { conversations: conversations.collect() });
    }
    let mut listing = Listing::new(COLUMNS, console.width());
    for (session, person) in &all {
        let row = vec![
            record.name().to_owned(),
            text::count(session.entries),
            text::day(session.first),
            text::day(session.last),
            name(person).or(person.as_deref()).unwrap_or("-").to_owned(),
            if session.id.is_empty() { "(calls)".to_owned() } else { session.id.clone() },
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
