//! `/a/{org}/messages/{record}/{chat}/{id}`: one message with all that is known of it: each version and
//! what it changed, reactions over time, who received it and in which run, the stored bytes.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use chatvault_engine::{
    ContentAddress, Document, MessageKey, RunSummary, Snapshot, Stored, TimeRange, Timestamp,
};
use chatvault_export::entry::Entry;
use chatvault_export::entry::Viewer;
use chatvault_ingest::sync::Why;
use chatvault_query::Record;
use chatvault_query::change::{Change, Mark, Piece, Side, What, reaction_log, text_change};
use chatvault_query::record::{Text, Texts, cues};

use crate::call::{Call, page};
use crate::failure::{Failure, Result};
use crate::fields::{conversation_step, step};
use crate::files;
use crate::frame::Frame;
use crate::known::Known;
use crate::organisation::Organisation;
use crate::pages::chat::{Shown, messages};
use crate::text::{When, size};

/// The recording and the transcript of a call begin within this time of each other.
const BESIDE_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Template)]
#[template(path = "message.html")]
struct View {
    frame: Frame,
    what: &'static str,
    title: String,
    chat: String,
    thread: Option<String>,
    html: String,
    versions: Vec<Version>,
    reactions: Vec<Reaction>,
    film: Option<String>,
    lines: Vec<Line>,
    json: String,
    id: String,
    conversation: String,
}

/// A stored version, the newest first.
struct Version {
    number: String,
    modified: When,
    what: String,
    pieces: Vec<Piece>,
    address: String,
    raw: String,
    size: String,
    commit: u64,
    deliveries: Vec<Delivery>,
}

struct Delivery {
    who: String,
    run: u32,
    label: String,
    started: Option<When>,
    commit: u64,
}

struct Reaction {
    at: String,
    words: String,
}

/// A line of a transcript, and where in the film it is.
struct Line {
    seconds: Option<i64>,
    clock: String,
    speaker: String,
    words: String,
}

fn key_of(call: &Call) -> Result<(Record, MessageKey)> {
    let record: Record = call.step("record").parse()?;
    let key = MessageKey {
        record: record.into(),
        conversation: call.conversation().to_owned(),
        reply_to: call.query.get("in").map(str::to_owned),
        id: call.step("id").to_owned(),
    };
    Ok((record, key))
}

/// `GET /a/{org}/messages/{record}/{chat}/{id}`, of a reply with `?in=` its thread.
pub(crate) fn show(call: &Call) -> Result<Response> {
    let (org, (record, key)) = (call.organisation()?, key_of(call)?);
    let snapshot = org.snapshot()?;
    let rows = snapshot.history(&key)?;
    let newest = rows.last().ok_or_else(|| Failure::missing("message"))?;
    let known = org.known(&snapshot);
    let archive = org.reader()?;
    let why = Why::of(&archive);
    let reason = |key: &_, content: &str| why.reason(key, content);
    let mut viewer = Viewer::new(&snapshot, &reason);
    let entry = viewer.one(&key, record, newest.created)?;
    let conversation = key.conversation.as_str();
    let shown = Shown { call, org: &org, snapshot: &snapshot, known: &known, record, conversation };
    let chat = shown.chat();
    let html = entry.as_ref().map(|entry| shown.html(&chat, std::slice::from_ref(entry)));
    let runs = runs(&org, call)?;
    let base = format!("{}{}", messages(&org, record, conversation), step(&key.id));
    let mut versions = versions(&rows, (call, &known), (&runs, &base))?;
    versions.reverse();
    let reactions = reactions(&newest.document()?, &known);
    let (film, lines) = meeting(&org, &snapshot, (record, &key), entry.as_ref())?;
    let place = match record {
        Record::Message => "chats".to_owned(),
        record => format!("meetings/{}", record.name()),
    };
    let chat_link = format!("{}/{place}/{}", org.link(), conversation_step(conversation));
    let root = key.reply_to.as_deref().unwrap_or(&key.id);
    let is_channel = chat.kind == chatvault_query::people::ConversationKind::Channel;
    let what = match record {
        Record::Recording => "Recording",
        Record::Transcript => "Transcript",
        Record::Copilot => "Copilot interaction",
        _ => "Message",
    };
    page(&View {
        frame: call.frame(&format!("{what} in {}", chat.title()), &org, section(record)),
        what,
        title: chat.title(),
        thread: is_channel.then(|| format!("{chat_link}/threads/{}", step(root))),
        chat: format!("{chat_link}?after={}", newest.created.ticks()),
        html: html.unwrap_or_default(),
        versions,
        reactions,
        film,
        lines,
        json: pretty(&newest.json),
        id: key.id.clone(),
        conversation: key.conversation.clone(),
    })
}

fn section(record: Record) -> &'static str {
    match record {
        Record::Copilot => "copilot",
        Record::Recording | Record::Transcript => "meetings",
        _ => "chats",
    }
}

/// What ran, as far as it was read: number, label, start.
fn runs(org: &Organisation, call: &Call) -> Result<BTreeMap<u32, (String, When)>> {
    let read = org.runs()?;
    let runs = read.iter().filter_map(|read| read.read.as_ref().as_ref().ok()).flatten();
    let one =
        |run: &RunSummary| (run.run.0, (run.label.clone(), When::new(call.zone, run.started)));
    Ok(runs.map(one).collect())
}

fn versions(
    rows: &[Stored],
    (call, known): (&Call, &Known),
    (runs, base): (&BTreeMap<u32, (String, When)>, &str),
) -> Result<Vec<Version>> {
    let mut before: Option<Document<'static>> = None;
    let mut all = Vec::with_capacity(rows.len());
    let inside = call.query.get("in").map(|root| format!("?in={}", step(root))).unwrap_or_default();
    for row in rows {
        let document = row.document()?.into_owned();
        let change = Change::between(before.as_ref(), &document);
        let is_edit = change.is_edit();
        let old = before.as_ref().filter(|_| is_edit);
        let pieces = old.map(|old| text_change(old, &document)).unwrap_or_default();
        let delivery = |one: &chatvault_engine::Sighting| Delivery {
            who: known.name(one.custodian.as_str()),
            run: one.run.0,
            label: runs.get(&one.run.0).map(|(label, _)| label.clone()).unwrap_or_default(),
            started: runs.get(&one.run.0).map(|(_, when)| when.clone()),
            commit: one.sequence.0,
        };
        all.push(Version {
            number: row.version.to_string(),
            modified: When::new(call.zone, row.modified),
            what: words(&change, known),
            pieces,
            address: row.address.to_string(),
            raw: format!("{base}/{}{inside}", row.address),
            size: size(row.json.len() as u64),
            commit: row.sequence.0,
            deliveries: row.sightings.iter().map(delivery).collect(),
        });
        before = Some(document);
    }
    Ok(all)
}

/// What a version changed.
fn words(change: &Change, known: &Known) -> String {
    let reaction = |one: &chatvault_query::change::ReactionChange| {
        let who = one.who.as_deref().map(|who| format!(" by {}", known.name(who)));
        format!("{}{} {}", one.kind, who.unwrap_or_default(), side(one.side))
    };
    let attachment = |one: &chatvault_query::change::AttachmentChange| {
        format!("{} {}", one.name.as_deref().unwrap_or(&one.id), side(one.side))
    };
    let list = |all: Vec<String>, usual: &str| {
        if all.is_empty() { usual.to_owned() } else { all.join(", ") }
    };
    let one = |what: &What| match what {
        What::Created => "first version that the archive has".to_owned(),
        What::Edited if change.is_edit() => "text edited".to_owned(),
        What::Edited => "edited before it was archived".to_owned(),
        What::Reacted => list(change.reactions.iter().map(reaction).collect(), "reactions"),
        What::Attachments => list(change.attachments.iter().map(attachment).collect(), "files"),
        What::Deleted => "deleted".to_owned(),
        What::Restored => "restored".to_owned(),
        What::Updated => format!("updated {}", list(change.fields.clone(), "nothing that shows")),
    };
    change.what.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Added => "added",
        Side::Removed => "removed",
        Side::Changed => "changed",
    }
}

/// The service's own log of them.
fn reactions(document: &Document<'_>, known: &Known) -> Vec<Reaction> {
    let told = |one: chatvault_query::change::LoggedReaction| {
        let who = one.name.or_else(|| one.who.map(|who| known.name(&who)));
        let did = one.side.map_or(one.action, |done| side(done).to_owned());
        Reaction {
            at: one.at.unwrap_or_else(|| "at an unknown time".to_owned()),
            words: format!(
                "{} by {} {did}",
                one.kind.as_deref().unwrap_or("a reaction"),
                who.as_deref().unwrap_or("somebody")
            ),
        }
    };
    reaction_log(document).into_iter().map(told).collect()
}

/// The film of a recording, and the lines of a transcript. Each looks for the other beside it.
fn meeting(
    org: &Organisation,
    snapshot: &Snapshot,
    (record, key): (Record, &MessageKey),
    entry: Option<&Entry>,
) -> Result<(Option<String>, Vec<Line>)> {
    let film = |key: &MessageKey, name: &str| -> Result<Option<String>> {
        let links = snapshot.links(key)?;
        let content = links.into_iter().find(|(link, _)| link == "content");
        Ok(content.map(|(_, object)| format!("{}/objects/{object}/{name}", org.link())))
    };
    let Some(entry) = entry else { return Ok((None, Vec::new())) };
    let call_id = |entry: &Entry| -> Option<String> {
        Some(entry.latest()?.document.root().get("callId")?.text()?.into_owned())
    };
    let other = match record {
        Record::Recording => Record::Transcript,
        Record::Transcript => Record::Recording,
        _ => return Ok((None, Vec::new())),
    };
    let around = |ms: i64| Some(Timestamp::from_ms(entry.created.ms().saturating_add(ms)));
    let near = TimeRange { from: around(-BESIDE_MS), to: around(BESIDE_MS) };
    let mut viewer = Viewer::new(snapshot, &|_, _| None);
    let beside = viewer.between((other, &key.conversation), near)?;
    let own = call_id(entry);
    let beside = beside.into_iter().find(|one| own.is_some() && call_id(one) == own);
    let beside = beside.map(|one| one.key);
    let (films, texts) = match record {
        Record::Recording => (Some(key.clone()), beside),
        _ => (beside, Some(key.clone())),
    };
    let film = films.map(|key| film(&key, "recording.mp4")).transpose()?.flatten();
    let text = texts.map(|key| Texts::new(snapshot).of(&key)).transpose()?;
    let lines = match text {
        Some(Text::Here(text)) => cues(&text).into_iter().map(line).collect(),
        _ => Vec::new(),
    };
    Ok((film, lines))
}

fn line(cue: chatvault_query::record::Cue) -> Line {
    let seconds = cue.at_ms.map(|ms| ms.max(0) / 1_000);
    let clock = |s: i64| format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60);
    Line {
        seconds,
        clock: seconds.map(clock).unwrap_or_default(),
        speaker: cue.speaker.unwrap_or_default(),
        words: cue.words,
    }
}

/// Indented for reading; the stored bytes can be saved beside it.
fn pretty(json: &[u8]) -> String {
    let value = serde_json::from_slice::<serde_json::Value>(json);
    let pretty = value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| String::from_utf8_lossy(json).into_owned())
}

/// `GET …/{address}`: the exact bytes of a version.
pub(crate) fn raw(call: &Call) -> Result<Response> {
    let (org, (_, key)) = (call.organisation()?, key_of(call)?);
    let missing = || Failure::missing("version");
    let address: ContentAddress = call.step("address").parse().map_err(|_wrong| missing())?;
    let rows = org.snapshot()?.history(&key)?;
    let row = rows.into_iter().find(|row| row.address == address).ok_or_else(missing)?;
    Ok(files::whole(&format!("{}-{}.json", key.id, row.version), "application/json", row.json))
}

/// How a piece of changed text is marked.
pub(crate) fn mark(piece: &Piece) -> &'static str {
    match piece.mark {
        Mark::Kept => "span",
        Mark::Removed => "del",
        Mark::Added => "ins",
    }
}
