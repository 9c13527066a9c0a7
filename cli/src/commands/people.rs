//! `people`: who is in an archive, and what they were called.

use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::Timestamp;
use chatvault_export::entry::Zone;
use chatvault_query::people::{KnownName, People, Person};
use chatvault_query::{format_time, parse_time};
use clap::Args;
use serde::Serialize;

use super::query::time;
use crate::console::Console;
use crate::failure::Outcome;
use crate::meant::Meant;
use crate::progress::Bar;
use crate::table::{Column, Listing};
use crate::text;
use crate::when::Here;

const EXAMPLES: &str = "\
Examples:
  chatvault people team.cvault
  chatvault people team.cvault lee                      names, addresses and ids with `lee` in them
  chatvault people team.cvault lee --at 2024-05-01      what they were called then
  chatvault people team.cvault --chat 19:abc@thread.v2 --json

Everybody whom messages name: senders, people mentioned, members, who reacted or appears in an event; and \
the users and members that `sync` fetched. Every message is read for that. A name is told with the first and \
the last time that it was seen; the newest one stands first. Addresses are those of users and members, and \
those that messages show. Exit code 1: nobody is found.

JSON fields: people (list of id, kind (such as aadUser or bot, or null), name (the newest one, or with --at \
that of the time; or null), addresses, first, last (when they were seen), names (list of name, first, last, \
times)).";

/// Find people by name, address or id, with the names they had over time
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// A part of a name, an address or an id; everybody if left out
    text: Option<String>,
    /// Only who is named in this chat or channel: its id, the start of it, or its topic (several)
    #[arg(long, value_name = "CHAT")]
    chat: Vec<String>,
    /// Call them as they were called at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    people: Vec<PersonRow<'a>>,
}

#[derive(Serialize)]
struct PersonRow<'a> {
    id: &'a str,
    kind: Option<&'a str>,
    name: Option<&'a str>,
    addresses: Vec<&'a str>,
    first: String,
    last: String,
    names: Vec<Name<'a>>,
}

#[derive(Serialize)]
struct Name<'a> {
    #[serde(rename = "name")]
    text: &'a str,
    first: String,
    last: String,
    times: u64,
}

impl<'a> From<&'a KnownName> for Name<'a> {
    fn from(known: &'a KnownName) -> Self {
        Self {
            text: &known.name,
            first: format_time(known.first),
            last: format_time(known.last),
            times: known.times,
        }
    }
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let at = Here::in_zone(Zone::Utc).option("--at", arguments.at.as_deref())?;
    let at = at.map(|at| parse_time("at", &at)).transpose()?;
    let archive = super::open_to_read(&arguments.archive)?;
    let snapshot = archive.snapshot()?;
    let chats = Meant::of_messages(&archive, &snapshot).chats(&arguments.chat, console)?;
    let progress = Bar::in_words(console);
    let people = People::collect(&snapshot, &chats, &mut progress.count("conversations"))?;
    drop(progress);
    let people = people.context("stopped")?;
    let found = people.search(arguments.text.as_deref().unwrap_or_default());
    let report = Report { people: found.iter().map(|person| entry(person, at)).collect() };
    console.show(arguments.json, &report, |console| print(&found, at, console))?;
    Ok(if found.is_empty() { Outcome::Failed } else { Outcome::Done })
}

/// The newest name, or that of a time.
fn name(person: &Person, at: Option<Timestamp>) -> Option<&str> {
    at.map_or_else(|| person.name(), |at| person.name_at(at))
}

fn entry(person: &Person, at: Option<Timestamp>) -> PersonRow<'_> {
    PersonRow {
        id: &person.id,
        kind: person.kind.as_deref(),
        name: name(person, at),
        addresses: person.addresses.iter().map(String::as_str).collect(),
        first: format_time(person.first),
        last: format_time(person.last),
        names: person.names().iter().map(Name::from).collect(),
    }
}

const COLUMNS: &[Column] = &[
    Column::text("name", 24),
    Column::id("id", 36),
    Column::text("first seen", 10),
    Column::text("last seen", 10),
    Column::rest("addresses and other names"),
];

fn print(
    found: &[&Person],
    at: Option<Timestamp>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    if found.is_empty() {
        return Ok(console.line("nobody is found")?);
    }
    let mut listing = Listing::new(COLUMNS, console.width());
    for person in found {
        console.lines(listing.push(cells(person, at)))?;
    }
    console.lines(Some(listing.lines()))?;
    let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let noun = if count == 1 { "person or app" } else { "people and apps" };
    Ok(console.line(format!("{} {noun}", text::count(count)))?)
}

fn cells(person: &Person, at: Option<Timestamp>) -> Vec<String> {
    let shown = name(person, at);
    let others = person.names().iter().map(|known| known.name.as_str());
    let others = others.filter(|other| Some(*other) != shown);
    let addresses = person.addresses.iter().map(String::as_str);
    let more: Vec<&str> = addresses.filter(|one| Some(*one) != shown).chain(others).collect();
    vec![
        shown.unwrap_or("-").to_owned(),
        person.id.clone(),
        text::day(person.first),
        text::day(person.last),
        more.join(", "),
    ]
}
