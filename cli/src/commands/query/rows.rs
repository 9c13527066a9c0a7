//! The answers of `query`: exact JSON lines for programs, a table for people.

use std::io::Write;

use chatvault_engine::{Document, Row, Value};
use chatvault_query::body;
use chatvault_query::event::{self, NoNames};
use chatvault_query::message::Message;
use chatvault_query::record::{Cue, Text};
use chatvault_query::search::Search;
use chatvault_query::{Answer, Kind, Order, format_time};

use crate::console::Console;
use crate::table::{Column, Listing};
use crate::text;

/// The rows as JSON lines; how many there were.
pub(super) fn print_lines(rows: &mut Answer, console: &mut Console<'_>) -> anyhow::Result<u64> {
    let mut printed = 0;
    while let Some(row) = rows.next()? {
        console.out.write_all(&text::one_line(row.json()))?;
        console.out.write_all(b"\n")?;
        printed += 1;
    }
    Ok(printed)
}

const CONVERSATION_CELLS: u16 = 21;
const SENDER_CELLS: u16 = 18;
const BY_CREATED: &[Column] = &columns("created (UTC)");
const BY_MODIFIED: &[Column] = &columns("modified (UTC)");

const fn columns(time: &'static str) -> [Column; 5] {
    [
        Column::text(time, 19),
        Column::id("conversation", CONVERSATION_CELLS),
        Column::id("sender", SENDER_CELLS),
        Column::text("kind", 7),
        Column::rest("text"),
    ]
}

/// The rows as a table for people; how many there were. Of a transcript that was searched each line
/// that was spoken and fits is one of the table: who said it, when and what.
pub(in crate::commands) fn print_table(
    rows: &mut Answer,
    (order, search): (Order, Option<&Search>),
    console: &mut Console<'_>,
) -> anyhow::Result<u64> {
    let columns = if order == Order::Modified { BY_MODIFIED } else { BY_CREATED };
    let mut listing = Listing::new(columns, console.width());
    let chat: fn(&str) -> &str = if console.out_is_terminal { short_conversation } else { |id| id };
    let mut printed = 0;
    while let Some(row) = rows.next()? {
        let cells = cells(&row, order, chat)?;
        let said = match (search, rows.text()) {
            (Some(search), Text::Here(text)) => search.said(text),
            _ => Vec::new(),
        };
        for cue in &said {
            console.lines(listing.push(spoken(&cells, cue)))?;
        }
        if said.is_empty() {
            console.lines(listing.push(cells))?;
        }
        printed += 1;
    }
    console.lines(Some(listing.lines()))?;
    Ok(printed)
}

/// The cells of a transcript, with what was said in it.
fn spoken(cells: &[String], cue: &Cue) -> Vec<String> {
    let mut cells = cells.to_vec();
    let words = Cue { speaker: None, ..cue.clone() }.to_string();
    if let [.., sender, kind, text] = cells.as_mut_slice() {
        let speaker = cue.speaker.as_deref().unwrap_or("-");
        speaker.clone_into(sender);
        "spoken".clone_into(kind);
        *text = words;
    }
    cells
}

fn cells(row: &Row<'_>, order: Order, chat: fn(&str) -> &str) -> anyhow::Result<Vec<String>> {
    let time = if order == Order::Modified { row.modified() } else { row.created() };
    let document = row.document()?;
    let message = Message::of(&document);
    let name = message.from.as_ref().and_then(|from| from.name.as_deref());
    let sender = name.or(row.sender()).unwrap_or("-");
    Ok(vec![
        to_seconds(&format_time(time)),
        chat(row.conversation()).to_owned(),
        sender.to_owned(),
        Kind::name_of(row.kind()).to_owned(),
        words(&document, &message),
    ])
}

/// Enough words for the widest terminal.
const MOST_CHARS: usize = 400;

/// What a row says, or what stands for it, in one line.
fn words(document: &Document<'_>, message: &Message<'_>) -> String {
    if message.is_deleted() {
        return "(deleted)".to_owned();
    }
    let root = document.root();
    let said = match &message.event {
        Some(event) => event::words(event, &NoNames),
        None if ["body", "subject", "attachments"].iter().all(|name| root.get(name).is_none()) => {
            return told_of(root);
        }
        None => body::plain_text(message).into_owned(),
    };
    let parts = [message.subject.as_deref().unwrap_or_default(), &said].map(squeezed);
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ")
}

/// What is stored beside messages: when a call was, or how somebody or something is called.
fn told_of(root: Value<'_>) -> String {
    let text = |name| root.get(name).and_then(Value::text).filter(|text| !text.is_empty());
    if root.get("meetingId").or(root.get("callId")).is_some() {
        let [start, end] =
            ["createdDateTime", "endDateTime"].map(|name| text(name).unwrap_or_default());
        return format!("call {start} to {end}");
    }
    let names = ["displayName", "topic", "userPrincipalName", "mail", "email"];
    names.into_iter().filter_map(text).collect::<Vec<_>>().join(", ")
}

/// Runs of white space as one space, none at the ends, at most [`MOST_CHARS`].
fn squeezed(text: &str) -> String {
    let words = text.split_whitespace().take(MOST_CHARS).collect::<Vec<_>>().join(" ");
    words.chars().take(MOST_CHARS).collect()
}

/// `2016-05-01T10:00:00.123Z` is shown as `2016-05-01 10:00:00`.
fn to_seconds(time: &str) -> String {
    let whole = time.split(['.', 'Z']).next().unwrap_or(time);
    whole.replacen('T', " ", 1)
}

/// What tells conversations apart: all of them start with `19:` and end in a few domains.
fn short_conversation(id: &str) -> &str {
    let own = id.split('@').next().unwrap_or(id);
    own.strip_prefix("19:").unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> String {
        let document = Document::parse(json.as_bytes()).unwrap();
        words(&document, &Message::of(&document))
    }

    #[test]
    fn a_row_is_told_by_what_it_has() {
        for (json, text) in [
            (r#"{"deletedDateTime":"2016-05-01T00:00:00Z","body":{"content":"x"}}"#, "(deleted)"),
            (
                r##"{"eventDetail":{"@odata.type":"#microsoft.graph.chatRenamedEventMessageDetail",
                "chatDisplayName":"Tea"},"body":{"content":"<systemEventMessage/>"}}"##,
                "Someone renamed the chat to Tea",
            ),
            (
                r#"{"subject":"Lunch","body":{"contentType":"html","content":"<p>a &lt;b&gt;</p>\n<p>c"}}"#,
                "Lunch: a <b> c",
            ),
            (r#"{"subject":"\ud800","body":null}"#, "\u{fffd}"),
            (r#"{"displayName":"Ann Lee","mail":"ann@contoso.com"}"#, "Ann Lee, ann@contoso.com"),
            (r#"{"callId":"c","createdDateTime":"a","endDateTime":"b"}"#, "call a to b"),
        ] {
            assert_eq!(said(json), text, "{json}");
        }
        let long = format!(r#"{{"body":{{"content":"{}"}}}}"#, "ü ".repeat(100_000));
        assert_eq!(said(&long).chars().count(), MOST_CHARS);
    }

    #[test]
    fn ids_and_times_are_shortened_for_the_table() {
        assert_eq!(to_seconds("2016-05-01T10:00:00.123Z"), "2016-05-01 10:00:00");
        assert_eq!(to_seconds("2016-05-01T10:00:00Z"), "2016-05-01 10:00:00");
        assert_eq!(short_conversation("19:meeting_x@thread.v2"), "meeting_x");
        assert_eq!(
            short_conversation("19:0057ab97-5f88-4a8e_00a1f783-68bc-4202@unq.gbl.spaces"),
            "0057ab97-5f88-4a8e_00a1f783-68bc-4202"
        );
    }
}
