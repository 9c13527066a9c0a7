//! CSV as RFC 4180 has it and spreadsheets take it: one line a message, or one a version.
//!
//! - Comma, CRLF, UTF-8, the same columns in the same order always ([`header`]).
//! - A line feed may be inside a cell, in quotes; a carriage return or another control character
//!   never is.
//! - Whatever people or the service wrote cannot become a formula: see [`Guard`](crate::entry::Guard). The last column,
//!   `guarded`, names the cells that were changed for it, so that a reader can take it back.
//! - `commit` is the number of the commit that stored the version, which `--since` counts by: lines are
//!   made on many threads, and a line number says nothing that its place does not.
//! - The values of a list are joined by `; `; a semicolon inside a value becomes a comma.
//! - The lists of attachments have a value for each attachment, so the n-th belong together.

mod cell;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;

use chatvault_base::time::calendar::write_time;

use self::cell::Cells;
use crate::entry::{Context, Entry, RenderOptions};
use crate::format::table::{COLUMNS, Cell, Items, PARTICIPANTS, Row, Rows};

/// What marks a file as UTF-8 to spreadsheets.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What Excel shows of a cell, in units of UTF-16; it cuts or spreads what is longer.
pub(crate) const MOST_UNITS: usize = 32_767;
/// The last column.
const GUARDED: &str = "guarded";
const END: &[u8] = b"\r\n";

/// The first line of every file, behind the byte order mark if one is wanted.
pub(crate) fn header(options: &RenderOptions) -> Vec<u8> {
    let mut line = if options.bom { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
    for column in COLUMNS {
        line.extend_from_slice(column.name.as_bytes());
        line.push(b',');
    }
    line.extend_from_slice(GUARDED.as_bytes());
    line.extend_from_slice(END);
    line
}

/// Writes the lines of one conversation's messages.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    rows: Rows<'a>,
    cells: RefCell<Cells>,
    participants: RefCell<Participants>,
}

/// The cell that is the same in most neighbouring lines, ready to be copied; whether it was guarded.
#[derive(Debug, Default)]
struct Participants {
    of: Arc<[String]>,
    cell: Vec<u8>,
    is_guarded: bool,
}

impl<'a> Records<'a> {
    /// For the messages of one conversation.
    pub(crate) fn new(context: Context<'a>) -> Self {
        let (rows, cells) = (Rows::new(context), Cells::new(context.options.guard));
        Self { rows, cells: cells.into(), participants: RefCell::default() }
    }

    /// Attachments get lines of their own, behind the message that has them.
    #[must_use]
    pub(crate) fn with_attachment_rows(mut self) -> Self {
        self.rows = self.rows.with_attachments();
        self
    }

    /// Appends the lines of a message: they belong together and are never parted by a new file.
    /// Appends nothing for a system event that is to be left out. Tells how many cells are longer than
    /// [`MOST_UNITS`].
    pub(crate) fn record(&self, entry: &Entry, out: &mut Vec<u8>) -> u64 {
        let mut long = 0;
        let mut cells = self.cells.borrow_mut();
        self.rows.each(entry, &mut |row| long += self.line(row, &mut cells, out));
        long
    }

    fn line(&self, row: &Row<'_>, cells: &mut Cells, out: &mut Vec<u8>) -> u64 {
        let mut guarded = String::new();
        let mut long = 0;
        for (index, (column, cell)) in COLUMNS.iter().zip(row.cells()).enumerate() {
            let start = out.len();
            let is_guarded = if index == PARTICIPANTS {
                self.participants(row, cells, out)
            } else {
                write_cell(cell, cells, out)
            };
            if is_guarded {
                let between = if guarded.is_empty() { "" } else { "; " };
                guarded.push_str(between);
                guarded.push_str(column.name);
            }
            long += u64::from(out.get(start..).is_some_and(is_long));
            out.push(b',');
        }
        out.extend_from_slice(guarded.as_bytes());
        out.extend_from_slice(END);
        long
    }
}

/// Whether a cell, as it is written, holds more than [`MOST_UNITS`].
fn is_long(written: &[u8]) -> bool {
    if written.len() <= MOST_UNITS {
        return false;
    }
    let text = String::from_utf8_lossy(written);
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let doubled = inner.map_or(0, |text| text.bytes().filter(|byte| *byte == b'"').count() / 2);
    inner.unwrap_or(&text).encode_utf16().count() - doubled > MOST_UNITS
}

impl Records<'_> {
    fn participants(&self, row: &Row<'_>, cells: &mut Cells, out: &mut Vec<u8>) -> bool {
        let mut known = self.participants.borrow_mut();
        if !Arc::ptr_eq(&known.of, &row.participants) {
            known.of = Arc::clone(&row.participants);
            known.cell.clear();
            known.is_guarded = cells.list(Items::Shared(&row.participants), &mut known.cell);
        }
        out.extend_from_slice(&known.cell);
        known.is_guarded
    }
}

/// Appends one cell and tells whether it was guarded.
fn write_cell(cell: Cell<'_>, cells: &mut Cells, out: &mut Vec<u8>) -> bool {
    match cell {
        Cell::Words(text) => return cells.text(text, out),
        Cell::List(items) => return cells.list(items, out),
        Cell::Fixed(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Time(time) => time.into_iter().for_each(|time| write_time(time, out)),
        Cell::Number(number) => write_number(number, out),
        Cell::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
    }
    false
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut left = number;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (left % 10) as u8;
        (at, left) = (at - 1, left / 10);
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}
