//! One cell of untrusted words: cleaned, made harmless, quoted where RFC 4180 needs it.

use std::borrow::Cow;

use memchr::memchr3;

use crate::entry::Guard;
use crate::format::table::Items;

/// What makes a spreadsheet read a cell as a formula when it comes first, also in full width. A tab
/// or a line break comes first to hide one of the others.
const STARTS: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{FF1D}', '\u{FF0B}', '\u{FF0D}', '\u{FF20}'];

/// Writes cells; keeps what it needs for that between two of them.
#[derive(Debug)]
pub(super) struct Cells {
    guard: Guard,
    joined: String,
    /// The last list that several rows share: neighbours have mostly the same.
    shared: Vec<String>,
    shared_cell: (Vec<u8>, bool),
}

impl Cells {
    pub(super) fn new(guard: Guard) -> Self {
        let (shared, shared_cell) = (Vec::new(), (Vec::new(), false));
        Self { guard, joined: String::new(), shared, shared_cell }
    }

    /// Appends a text. Tells whether it was guarded.
    pub(super) fn text(&self, text: &str, out: &mut Vec<u8>) -> bool {
        if text.is_empty() {
            return false;
        }
        let text = cleaned(text);
        let prefix = match self.guard {
            Guard::Quote if is_formula(&text) => "'",
            Guard::Tab if is_formula(&text) => "\t",
            _ => "",
        };
        quoted(prefix, &text, out);
        !prefix.is_empty()
    }

    /// Appends the values of a list. Tells whether the cell was guarded.
    pub(super) fn list(&mut self, items: Items<'_>, out: &mut Vec<u8>) -> bool {
        let Items::Shared(texts) = items else { return self.joined(items, out) };
        if self.shared != texts {
            let mut cell = std::mem::take(&mut self.shared_cell.0);
            cell.clear();
            let guarded = self.joined(items, &mut cell);
            (self.shared, self.shared_cell) = (texts.to_vec(), (cell, guarded));
        }
        out.extend_from_slice(&self.shared_cell.0);
        self.shared_cell.1
    }

    fn joined(&mut self, items: Items<'_>, out: &mut Vec<u8>) -> bool {
        let mut joined = std::mem::take(&mut self.joined);
        joined.clear();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                joined.push_str("; ");
            }
            let mut pieces = item.split(';');
            joined.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                joined.push(',');
                joined.push_str(piece);
            }
        }
        let guarded = self.text(&joined, out);
        self.joined = joined;
        guarded
    }
}

/// Line breaks become line feeds; other control characters than the tab go.
fn cleaned(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(is_unwanted) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            c if c.is_ascii_control() => {}
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

fn is_unwanted(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\n' && byte != b'\t'
}

/// Whether a spreadsheet could take a text for a formula. Plain numbers are none.
pub(super) fn is_formula(text: &str) -> bool {
    // What nearly all begin with.
    if text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) {
        return false;
    }
    let start = text.trim_start_matches(is_skipped);
    start.starts_with(STARTS) && !is_number(start.trim_end())
}

/// What spreadsheets skip, or do not show, in front of a formula.
fn is_skipped(c: char) -> bool {
    let is_start = STARTS.contains(&c);
    (c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}'))
        && !is_start
}

/// A sign, digits, at most one point between digits.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    is_digits(whole) && is_digits(fraction)
}

fn quoted(prefix: &str, text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let is_plain = prefix != "\t"
        && memchr3(b',', b'"', b'\n', bytes).is_none()
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ');
    if is_plain {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    doubled(bytes, out);
    out.push(b'"');
}

/// Appends a text with its quotes doubled.
fn doubled(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // Every quote becomes two: twice the length is always enough, so one call does it all.
    out.resize(start + 2 * text.len(), 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let (_, _, written) = csv_core::quote(text, room, b'"', b'"', true);
    out.truncate(start + written);
}
