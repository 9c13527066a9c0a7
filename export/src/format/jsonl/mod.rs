//! JSON lines: the stored bytes of each version, one line a version, nothing added and nothing lost.
//!
//! A stored document may be pretty-printed: JSON allows line breaks as white space between tokens, and
//! never inside a string. In a line they become spaces, one for one, so the document keeps its length,
//! its meaning and its content address (which is that of the canonical form). What was there is noted:
//! [`Lines::breaks`] gets a line with the content address and the offsets of the line feeds and
//! carriage returns, and [`restore`] puts them back. So a line with its note is exactly the stored
//! bytes, and a line without a note is them as it stands.

mod attachments;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use chatvault_engine::ContentAddress;
use memchr::{memchr2, memchr2_iter};
use serde::Deserialize;

use crate::entry::{Context, Entry, SystemEvents};

pub use attachments::attachments;

/// Lines and what was changed to make them lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// One line a version.
    pub lines: Vec<u8>,
    /// One line for each version whose line breaks became spaces:
    /// `{"content_address":"…","cr":[…],"lf":[…]}`.
    pub breaks: Vec<u8>,
    /// How many lines there are.
    pub count: u64,
    /// How many of them had line breaks.
    pub changed: u64,
}

/// A line of [`Lines::breaks`].
#[derive(Debug, Deserialize)]
struct Breaks {
    cr: Vec<usize>,
    lf: Vec<usize>,
}

/// Appends the line of a message's latest version, or the lines of all of its versions.
///
/// Appends nothing for a system event that is to be left out. A placeholder for system events is a
/// matter of formats for people: here they are as they were stored.
pub fn record(entry: &Entry, context: &Context<'_>, out: &mut Lines) {
    let Some(latest) = entry.latest() else { return };
    let omits = context.options.system_events == SystemEvents::Omit;
    if omits && latest.flags().is_system {
        return;
    }
    let first = if context.options.versions { 0 } else { entry.versions.len() - 1 };
    for version in entry.versions.iter().skip(first) {
        let json = version.document.json();
        line(json, has_breaks(json).then_some(version.address), out);
    }
}

/// Appends a line; of one with line breaks the address is needed.
pub(crate) fn line(json: &[u8], address: Option<ContentAddress>, out: &mut Lines) {
    let start = out.lines.len();
    out.lines.extend_from_slice(json);
    out.count += 1;
    if let Some(address) = address {
        out.changed += 1;
        note(json, address, &mut out.breaks);
        let line = out.lines.get_mut(start..).unwrap_or_default();
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    }
    out.lines.push(b'\n');
}

/// Will a line be another than the stored bytes, so that a note has to say so?
pub(crate) fn has_breaks(json: &[u8]) -> bool {
    memchr2(b'\n', b'\r', json).is_some()
}

fn note(json: &[u8], address: ContentAddress, breaks: &mut Vec<u8>) {
    let offsets = |wanted: u8| {
        let mut text = String::new();
        for at in memchr2_iter(b'\n', b'\r', json) {
            if json.get(at) == Some(&wanted) {
                let between = if text.is_empty() { "" } else { "," };
                // Writing to a string does not fail.
                let _written = write!(text, "{between}{at}");
            }
        }
        text
    };
    let (cr, lf) = (offsets(b'\r'), offsets(b'\n'));
    let note = format!("{{\"content_address\":\"{address}\",\"cr\":[{cr}],\"lf\":[{lf}]}}\n");
    breaks.extend_from_slice(note.as_bytes());
}

/// The stored bytes again: a line, without its end, and its note. `None` if they do not belong together.
pub fn restore(line: &[u8], note: &[u8]) -> Option<Vec<u8>> {
    let breaks: Breaks = serde_json::from_slice(note).ok()?;
    let mut bytes = line.to_vec();
    for (offsets, byte) in [(breaks.cr, b'\r'), (breaks.lf, b'\n')] {
        for at in offsets {
            let place = bytes.get_mut(at).filter(|place| **place == b' ')?;
            *place = byte;
        }
    }
    Some(bytes)
}
