//! The text of the mail: what review platforms index, so every word that anybody wrote is in it.

use std::fmt::{self, Write as _};

use super::manifest::{Edit, Event};
use super::people::People;
use crate::zone::UNKNOWN_TIME;

/// Every event, in order: who and when, an empty line, what was written, what came of it.
pub(super) fn transcript(events: &[Event], people: &People) -> String {
    let mut text = String::new();
    for event in events {
        // Writing to a string does not fail.
        let _written = write_event(event, people, &mut text);
    }
    text
}

fn write_event(event: &Event, people: &People, out: &mut String) -> fmt::Result {
    let who = event.participant.as_deref().map_or("System", |id| people.name(id));
    let mark = if event.deleted { " [deleted]" } else { "" };
    let at = event.timestamp.as_deref().unwrap_or(UNKNOWN_TIME);
    write!(out, "{who} {at}{mark}\r\n\r\n")?;
    for lines in [event.custom("subject"), event.body.as_deref()].into_iter().flatten() {
        write_lines(lines, out)?;
    }
    event.edits.iter().try_for_each(|edit| write_edit(edit, out))?;
    for attachment in &event.attachments {
        // The body says it where it places the file.
        let line = format!("[attachment: {}]", attachment.display);
        if !event.body.as_deref().unwrap_or_default().contains(&line) {
            write!(out, "{line}\r\n")?;
        }
    }
    for reaction in &event.reactions {
        let people: Vec<&str> = reaction.participants.iter().map(|id| people.name(id)).collect();
        write!(out, "{} {} ({})\r\n", reaction.value, reaction.count, people.join(", "))?;
    }
    out.write_str("\r\n")
}

fn write_edit(edit: &Edit, out: &mut String) -> fmt::Result {
    let verb = if edit.new.is_some() { "edited" } else { "deleted" };
    let at = edit.timestamp.as_deref().unwrap_or("at an unknown time");
    write!(out, "[{verb} {at}; before:]\r\n")?;
    write_lines(&edit.previous, out)
}

fn write_lines(text: &str, out: &mut String) -> fmt::Result {
    text.lines().try_for_each(|line| write!(out, "{line}\r\n"))
}
