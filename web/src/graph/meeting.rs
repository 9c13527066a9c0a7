//! Recordings and transcripts of one meeting or call.

use axum::response::Response;
use chatvault_engine::{MessageKey, RecordKind, Row, Snapshot};
use chatvault_query::{Query, Record};

use super::Call;
use super::content;
use super::link::{Question, Size};
use super::page::entity;
use super::refusal::{Refusal, Result};
use super::rows::Listing;

/// `GET /users/{id}/onlineMeetings|adhocCalls/{event}/recordings|transcripts…`.
pub(super) fn ask(call: &Call, words: &[&str]) -> Result<Response> {
    let record = match words.get(4) {
        Some(&"recordings") => Record::Recording,
        _ => Record::Transcript,
    };
    let (event, id) = (call.address.step(3), call.address.step(5));
    let snapshot = call.known.snapshot()?;
    match words.get(5..).unwrap_or_default() {
        [] => list(call, &snapshot, record, event),
        [_] => {
            let key = find(&snapshot, record, (event, id))?;
            let json = snapshot.latest_json(&key)?.ok_or_else(missing)?;
            Ok(entity(call, &json))
        }
        [_, part @ ("content" | "metadatacontent")] => {
            let key = find(&snapshot, record, (event, id))?;
            let link = if *part == "content" { "content" } else { "metadataContent" };
            let links = snapshot.links(&key)?;
            let found = links.into_iter().find(|(name, _)| name == link).ok_or_else(missing)?;
            let kind = if record == Record::Recording { "video/mp4" } else { "text/vtt" };
            content::bytes(call, &snapshot, (&found.1, kind))
        }
        _ => Err(missing()),
    }
}

fn missing() -> Refusal {
    Refusal::missing("recording or transcript")
}

fn list(call: &Call, snapshot: &Snapshot, record: Record, event: &str) -> Result<Response> {
    let question = Question::of(call, snapshot, Size { usual: 100, most: 999, is_strict: false })?;
    let query = Query { record, chats: vec![event.to_owned()], ..Query::default() };
    let kind = if record == Record::Recording { "callRecording" } else { "callTranscript" };
    let context = format!("Collection({kind})");
    Listing { context, question, query, keep: None, is_delta: false }.page(call, snapshot)
}

/// An entry by its meeting, or else by its call: entries of calls are kept by a meeting, or by none.
fn find(snapshot: &Snapshot, record: Record, (event, id): (&str, &str)) -> Result<MessageKey> {
    let kind = RecordKind::from(record);
    for conversation in [event, ""] {
        let (conversation, id) = (conversation.to_owned(), id.to_owned());
        let key = MessageKey { record: kind, conversation, reply_to: None, id };
        if snapshot.latest_json(&key)?.is_some() {
            return Ok(key);
        }
    }
    let query = Query { record, ..Query::default() };
    let mut rows = query.run(snapshot)?;
    let is_it = |row: &Row<'_>| row.id() == id;
    while let Some(row) = rows.next()? {
        if is_it(&row) {
            return Ok(row.to_stored()?.key);
        }
    }
    Err(missing())
}
