//! The answers of `query`: exact JSON lines for programs, a table for people.

use std::io::Write;

use chatvault_engine::Row;
use chatvault_query::record::{Cue, Text};
use chatvault_query::search::Search;
use chatvault_query::{Answer, Kind, Order, format_time};
use serde_json::Value;

use crate::console::Console;
use crate::plain;
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
        Column::text("conversation", CONVERSATION_CELLS),
        Column::text("sender", SENDER_CELLS),
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
    let mut printed = 0;
    while let Some(row) = rows.next()? {
        let cells = cells(&row, order);
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
        *sender = text::middle_cut(speaker, usize::from(SENDER_CELLS)).into_owned();
        "spoken".clone_into(kind);
        *text = words;
    }
    cells
}

fn cells(row: &Row<'_>, order: Order) -> Vec<String> {
    let time = if order == Order::Modified { row.modified() } else { row.created() };
    // What is no JSON for this reader, such as a lone surrogate, is shown as it is.
    let message = serde_json::from_slice(row.json()).unwrap_or(Value::Null);
    let text = match &message {
        Value::Null => String::from_utf8_lossy(row.json()).chars().take(200).collect(),
        message => plain::words(message),
    };
    let sender = plain::sender_name(&message).or(row.sender()).unwrap_or("-");
    vec![
        to_seconds(&format_time(time)),
        short_conversation(row.conversation()),
        text::middle_cut(sender, usize::from(SENDER_CELLS)).into_owned(),
        Kind::name_of(row.kind()).to_owned(),
        text,
    ]
}

/// `2016-05-01T10:00:00.123Z` is shown as `2016-05-01 10:00:00`.
fn to_seconds(time: &str) -> String {
    let whole = time.split(['.', 'Z']).next().unwrap_or(time);
    whole.replacen('T', " ", 1)
}

/// What tells conversations apart: all of them start with `19:` and end in a few domains.
fn short_conversation(id: &str) -> String {
    let own = id.split('@').next().unwrap_or(id);
    text::middle_cut(own.strip_prefix("19:").unwrap_or(own), usize::from(CONVERSATION_CELLS))
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_shortened_for_the_table() {
        assert_eq!(to_seconds("2016-05-01T10:00:00.123Z"), "2016-05-01 10:00:00");
        assert_eq!(to_seconds("2016-05-01T10:00:00Z"), "2016-05-01 10:00:00");
        assert_eq!(short_conversation("19:meeting_x@thread.v2"), "meeting_x");
        assert_eq!(
            short_conversation("19:0057ab97-5f88-4a8e_00a1f783-68bc-4202@unq.gbl.spaces"),
            "0057ab97-5…-68bc-4202"
        );
    }
}
