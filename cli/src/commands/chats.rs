//! `chats`: the conversations of an archive.

use std::path::PathBuf;

use anyhow::Context;
use chatvault_engine::{Snapshot, Timestamp};
use chatvault_export::entry::Zone;
use chatvault_query::people::{Conversation, Conversations, Participant, People};
use chatvault_query::{Record, format_time, parse_time};
use clap::Args;
use serde::Serialize;

use super::query::{one_of, time};
use super::sessions;
use crate::console::Console;
use crate::failure::Outcome;
use crate::meant::Meant;
use crate::progress::Bar;
use crate::table::{Column, Listing};
use crate::text;
use crate::when::Here;

const EXAMPLES: &str = "\
Examples:
  chatvault chats team.cvault
  chatvault chats team.cvault --chat 19:abc@thread.v2                  its names and who took part
  chatvault chats team.cvault --chat 19:abc@thread.v2 --at 2024-05     as it was at a time
  chatvault chats team.cvault --record recording                       meetings with recordings
  chatvault chats team.cvault --json

Kind by the form of the id: one-on-one, group, meeting, channel, copilot, other. Topics come from rename \
events and from what `sync` fetched of chats and channels; a channel is titled `Team / Channel`. Participants \
come from senders, from fetched members, who may never have written, and from events of who came and left: \
somebody of whom nothing says that they came counts from the start. Messages and senders are answered from the \
index; only events and records are read, and with --chat the messages of that chat, for names. Exit code 1: \
there is no such conversation.

JSON fields: conversations (list of id, kind, team, team_name, topic, messages (events included), events, first, last \
(when the first and the last message were created), participants, and with --chat: topics (list of since, \
topic), members (list of id, name, address, joined, left, first_sent, last_sent); with --at only who took part then, \
and topic and names are those of the time). With --record: conversations (list of id, record, person (whose \
session it is, or who organized the meeting), name, entries, first, last).";

/// List conversations: kind, topic, participants, messages, first and last
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The archive's folder
    archive: PathBuf,
    /// Show this chat or channel in full: its id, the start of it, or its topic (several)
    #[arg(long, value_name = "CHAT")]
    chat: Vec<String>,
    /// Instead of chats and channels, sessions with Copilot, or meetings with recordings or transcripts
    #[arg(long, value_parser = one_of::<Record>(&BESIDE))]
    record: Option<Record>,
    /// As it was at this time
    #[arg(long, value_name = "TIME", value_parser = time, requires = "chat", conflicts_with = "record")]
    at: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What has conversations of its own.
const BESIDE: [&str; 3] = ["copilot", "recording", "transcript"];

/// The documented fields.
#[derive(Serialize)]
struct Report<'a> {
    conversations: Vec<ConversationRow<'a>>,
}

#[derive(Serialize)]
struct ConversationRow<'a> {
    id: &'a str,
    kind: &'static str,
    team: Option<&'a str>,
    team_name: Option<&'a str>,
    topic: Option<&'a str>,
    messages: u64,
    events: u64,
    first: String,
    last: String,
    participants: usize,
    #[serde(flatten)]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    topics: Vec<Topic<'a>>,
    members: Vec<Member<'a>>,
}

#[derive(Serialize)]
struct Topic<'a> {
    since: String,
    topic: &'a str,
}

#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    name: Option<&'a str>,
    address: Option<&'a str>,
    joined: Option<String>,
    left: Option<String>,
    first_sent: Option<String>,
    last_sent: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    let at = Here::in_zone(Zone::Utc).option("--at", arguments.at.as_deref())?;
    let at = at.map(|at| parse_time("at", &at)).transpose()?;
    let archive = super::open_to_read(&arguments.archive)?;
    let snapshot = archive.snapshot()?;
    if let Some(record) = arguments.record {
        let meant = Meant { archive: &archive, snapshot: &snapshot, record };
        let ids = meant.chats(&arguments.chat, console)?;
        let how = (arguments.json, console);
        sessions::print((&archive, &snapshot), (record, ids), how)?;
        return Ok(Outcome::Done);
    }
    let chats = Meant::of_messages(&archive, &snapshot).chats(&arguments.chat, console)?;
    let (conversations, people) = collect(&chats, &snapshot, console)?;
    let view = View { people, at, is_full: !arguments.chat.is_empty() };
    if arguments.json {
        let all: Vec<Conversation> = conversations.iter().collect();
        console.json(&Report { conversations: all.iter().map(|one| view.entry(one)).collect() })?;
    } else if view.is_full {
        for conversation in conversations.iter() {
            view.describe(&conversation, console)?;
        }
    } else {
        list(&conversations, console)?;
    }
    Ok(Outcome::Done)
}

/// Names only where they are shown.
fn collect(
    chats: &[String],
    snapshot: &Snapshot,
    console: &Console<'_>,
) -> anyhow::Result<(Conversations, People)> {
    let progress = Bar::in_words(console);
    let mut on_progress = progress.count("conversations");
    let all = Conversations::collect(snapshot, chats, &mut on_progress)?.context("stopped")?;
    if chats.is_empty() {
        return Ok((all, People::default()));
    }
    let people = People::collect(snapshot, chats, &mut on_progress)?.context("stopped")?;
    Ok((all, people))
}

/// How conversations are shown.
struct View {
    people: People,
    at: Option<Timestamp>,
    is_full: bool,
}

impl View {
    fn entry<'a>(&'a self, one: &'a Conversation) -> ConversationRow<'a> {
        let members: Vec<Participant<'a>> = self.members(one);
        let participants = members.len();
        let topics = one.topics().map(|(at, topic)| Topic { since: format_time(at), topic });
        let details = || Details {
            topics: topics.collect(),
            members: members.into_iter().map(|member| self.member(member)).collect(),
        };
        ConversationRow {
            id: &one.id,
            kind: one.kind.name(),
            team: one.team.as_deref(),
            team_name: one.team_name_at(self.time()),
            topic: one.topic_at(self.time()),
            messages: one.messages,
            events: one.events,
            first: format_time(one.first),
            last: format_time(one.last),
            participants,
            details: self.is_full.then(details),
        }
    }

    /// The time asked for, else the end of all.
    fn time(&self) -> Timestamp {
        self.at.unwrap_or(Timestamp::MAX)
    }

    /// Who takes part: ever, or at the time asked for.
    fn members<'a>(&self, one: &'a Conversation) -> Vec<Participant<'a>> {
        let Some(at) = self.at else { return one.participants().collect() };
        let present = one.members_at(at);
        one.participants().filter(|member| present.binary_search(&member.id).is_ok()).collect()
    }

    fn name(&self, id: &str) -> Option<&str> {
        let person = self.people.get(id)?;
        self.at.map_or_else(|| person.name(), |at| person.name_at(at))
    }

    fn member<'a>(&'a self, member: Participant<'a>) -> Member<'a> {
        Member {
            id: member.id,
            name: self.name(member.id),
            address: self.people.get(member.id).and_then(|one| one.address_at(self.time())),
            joined: member.joined.map(format_time),
            left: member.left.map(format_time),
            first_sent: member.first_sent.map(format_time),
            last_sent: member.last_sent.map(format_time),
        }
    }

    fn describe(&self, one: &Conversation, console: &mut Console<'_>) -> anyhow::Result<()> {
        let events = text::plural(one.events, "event");
        let messages = format!("{}, {events} among them", text::count(one.messages));
        let mut facts = vec![
            ("conversation", one.id.clone()),
            ("kind", one.kind.name().to_owned()),
            ("topic", one.title_at(self.time()).unwrap_or("-".into()).into_owned()),
            ("messages", messages),
            ("first", format_time(one.first)),
            ("last", format_time(one.last)),
        ];
        facts.extend(one.team.clone().map(|team| ("team", team)));
        for (since, topic) in one.topics() {
            let topic = if topic.is_empty() { "(no topic)" } else { topic };
            facts.push(("topic since", format!("{}  {topic}", format_time(since))));
        }
        for line in text::aligned(&facts) {
            console.line(line)?;
        }
        let mut listing = Listing::new(MEMBER_COLUMNS, console.width());
        for member in self.members(one) {
            console.lines(listing.push(self.cells(member)))?;
        }
        console.lines(Some(listing.lines()))
    }

    fn cells(&self, member: Participant<'_>) -> Vec<String> {
        let day = |at: Option<Timestamp>| at.map(text::day).unwrap_or_default();
        vec![
            self.name(member.id).unwrap_or("-").to_owned(),
            day(member.joined),
            day(member.left),
            day(member.first_sent),
            day(member.last_sent),
            member.id.to_owned(),
        ]
    }
}

const MEMBER_COLUMNS: &[Column] = &[
    Column::text("participant", 24),
    Column::text("joined", 10),
    Column::text("left", 10),
    Column::text("wrote from", 10),
    Column::text("to", 10),
    Column::rest("id"),
];

const COLUMNS: &[Column] = &[
    Column::text("kind", 10),
    Column::number("messages", 10),
    Column::number("people", 6),
    Column::text("first", 10),
    Column::text("last", 10),
    Column::text("topic", 20),
    Column::rest("id"),
];

fn list(conversations: &Conversations, console: &mut Console<'_>) -> anyhow::Result<()> {
    let mut listing = Listing::new(COLUMNS, console.width());
    for one in conversations.iter() {
        let people = u64::try_from(one.participant_count()).unwrap_or(u64::MAX);
        let row = vec![
            one.kind.name().to_owned(),
            text::count(one.messages),
            text::count(people),
            text::day(one.first),
            text::day(one.last),
            one.title_at(Timestamp::MAX).unwrap_or("-".into()).into_owned(),
            one.id.clone(),
        ];
        console.lines(listing.push(row))?;
    }
    console.lines(Some(listing.lines()))?;
    let count = u64::try_from(conversations.len()).unwrap_or(u64::MAX);
    Ok(console.line(text::plural(count, "conversation"))?)
}
