//! Chats, channels, who is in them, and their messages one by one.

use std::collections::BTreeSet;

use axum::response::Response;
use chatvault_engine::{MessageKey, RecordKind, Row, Scan, Snapshot};
use chatvault_query::people::ConversationKind;
use chatvault_query::{Order, Query, Record};
use serde_json::json;

use super::Call;
use super::link::{Question, Size};
use super::page::{Page, entity};
use super::refusal::{Refusal, Result};
use super::rows::{Keep, Listing};

const SIZE: Size = Size { usual: 20, most: 50, is_strict: true };

/// `GET /chats`: all chats that the archive knows the names of.
pub(super) fn chats(call: &Call) -> Result<Response> {
    let is_chat = |row: &Row<'_>| Ok(!is_channel(row.conversation()));
    entries(call, "chats", Some(&is_chat))
}

/// `GET /teams/{id}/channels`: those with messages, and those that say that they are the team's.
pub(super) fn channels(call: &Call) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let directory = call.known.directory(&snapshot)?;
    let team = directory.team(call.address.step(1)).ok_or_else(|| Refusal::missing("team"))?;
    let mut written = BTreeSet::new();
    let scan = Scan { custodians: vec![team.clone()], ..Scan::default() };
    let _rows = snapshot.keys(&scan, &mut |row| {
        if !written.contains(row.conversation()) {
            let _new = written.insert(row.conversation().to_owned());
        }
    })?;
    let group = team.as_str().replacen("team:", "groupId=", 1);
    let is_its = |row: &Row<'_>| {
        let names_it = || String::from_utf8_lossy(row.json()).contains(&group);
        Ok(is_channel(row.conversation()) && (written.contains(row.conversation()) || names_it()))
    };
    entries(call, "channels", Some(&is_its))
}

/// Chats or channels as the service described them.
fn entries(call: &Call, context: &str, keep: Option<Keep<'_>>) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let question = Question::of(call, &snapshot, Size { most: 999, usual: 50, is_strict: false })?;
    let query = Query { record: Record::Chat, ..Query::default() };
    let context = context.to_owned();
    Listing { context, question, query, keep, is_delta: false }.page(call, &snapshot)
}

/// `GET /chats/{id}/members`: everybody who was listed once.
pub(super) fn members(call: &Call) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let question = Question::of(call, &snapshot, Size { most: 999, usual: 100, is_strict: false })?;
    let chats = vec![call.address.step(1).to_owned()];
    let query = Query { record: Record::Member, chats, ..Query::default() };
    let context = "chats/members".to_owned();
    Listing { context, question, query, keep: None, is_delta: false }.page(call, &snapshot)
}

/// `GET /users/{id}/chats`: the chats of which this user's exports delivered something.
pub(super) fn of_user(call: &Call) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let user = call.known.directory(&snapshot)?.user(call.address.step(1));
    let user = user.ok_or_else(|| Refusal::missing("user"))?;
    let question = Question::of(call, &snapshot, SIZE)?;
    let behind = question.behind.clone().unwrap_or_default();
    let mut names: BTreeSet<String> = BTreeSet::new();
    let scan = Scan { custodians: vec![user], ..Scan::default() };
    let _rows = snapshot.keys(&scan, &mut |row| {
        let name = row.conversation();
        let is_new = name > behind.as_str() && !is_channel(name) && !names.contains(name);
        if is_new && names.len() <= question.top {
            let _new = names.insert(name.to_owned());
        }
    })?;
    let mut page = Page::new("chats", question.select()?);
    let mut last = None;
    for name in names {
        if page.is_full(question.top) {
            page.next = last.map(|last| question.next(call, &snapshot, last));
            break;
        }
        page.push(&described(&snapshot, &name)?);
        last = Some(name);
    }
    Ok(page.answer(call, &question.at))
}

/// `GET /chats/{id}` and `GET /teams/{id}/channels/{id}`: as the service described it. One that it did
/// not describe is not there: a copy would keep what we make up as the service's word.
pub(super) fn one(call: &Call, id: &str) -> Result<Response> {
    let json = call.known.snapshot()?.latest_json(&key_of(id))?;
    let json = json.ok_or_else(|| Refusal::missing("conversation with a description"))?;
    Ok(entity(call, &json))
}

fn key_of(id: &str) -> MessageKey {
    let own = id.to_owned();
    MessageKey { record: RecordKind::Chat, conversation: own.clone(), reply_to: None, id: own }
}

/// A conversation as the service described it, or as its id does.
fn described(snapshot: &Snapshot, id: &str) -> Result<Vec<u8>> {
    if let Some(json) = snapshot.latest_json(&key_of(id))? {
        return Ok(json);
    }
    let kind = match ConversationKind::of(id) {
        ConversationKind::OneOnOne => "oneOnOne",
        ConversationKind::Meeting => "meeting",
        _ => "group",
    };
    Ok(json!({"id": id, "topic": null, "chatType": kind}).to_string().into_bytes())
}

fn is_channel(id: &str) -> bool {
    ConversationKind::of(id) == ConversationKind::Channel
}

/// `GET …/messages`: of a channel the roots of its threads.
pub(super) fn messages(call: &Call, conversation: &str) -> Result<Response> {
    let is_root = |row: &Row<'_>| Ok(row.reply_to().is_none());
    let keep: Option<Keep<'_>> = if is_channel(conversation) { Some(&is_root) } else { None };
    list(call, Query { chats: vec![conversation.to_owned()], ..Query::default() }, keep)
}

/// `GET …/messages/{id}/replies`.
pub(super) fn replies(call: &Call, conversation: &str, root: &str) -> Result<Response> {
    let is_reply = |row: &Row<'_>| Ok(row.reply_to() == Some(root));
    list(call, Query { chats: vec![conversation.to_owned()], ..Query::default() }, Some(&is_reply))
}

fn list(call: &Call, query: Query, keep: Option<Keep<'_>>) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let question = Question::of(call, &snapshot, SIZE)?;
    let order = match question.order.as_deref().map(str::trim) {
        None | Some("createdDateTime desc") => Order::Created,
        Some("lastModifiedDateTime desc") => Order::Modified,
        Some(_) => return Err(Refusal::bad("QueryOptions to order by are not supported.")),
    };
    let filter = question.filter.clone();
    let query = Query { order, reverse: true, filter, ..query };
    let context = "Collection(chatMessage)".to_owned();
    Listing { context, question, query, keep, is_delta: false }.page(call, &snapshot)
}

/// `GET …/messages/{id}` and `GET …/messages/{id}/replies/{id}`: as it is now.
pub(super) fn message(call: &Call, key: &MessageKey) -> Result<Response> {
    let snapshot = call.known.snapshot()?;
    let json = snapshot.latest_json(key)?.ok_or_else(|| Refusal::missing("message"))?;
    Ok(entity(call, &json))
}
