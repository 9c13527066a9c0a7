//! One document a line. A line is a line: no guess is needed, and a broken one cannot reach over
//! its neighbours.

use memchr::memchr_iter;

use crate::scan::{space, trim};
use crate::sink::Sink;
use crate::window::{BYTE_ORDER_MARK, Window};

/// Offers every line of `bytes` that is not empty; false if the sink said stop.
pub(crate) fn offer_lines(bytes: &[u8], offset: u64, sink: &mut dyn Sink) -> bool {
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let line = bytes.get(start..end).unwrap_or_default();
        if !offer_line(line, offset + start as u64, sink) {
            return false;
        }
        start = end + 1;
    }
    true
}

fn offer_line(line: &[u8], offset: u64, sink: &mut dyn Sink) -> bool {
    // Files that start with a byte order mark may have been joined.
    let bare = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let lead = line.len() - bare.len() + space(bare);
    let bare = trim(bare);
    if bare.is_empty() {
        return true;
    }
    sink.offer(bare, offset + lead as u64);
    sink.keep_going()
}

/// Quarantines a line that is longer than a value may be, in pieces; false if the sink said stop.
pub(crate) fn quarantine_overlong(window: &mut Window<'_>, sink: &mut dyn Sink) -> bool {
    loop {
        let end = window.line_end();
        let count = end.unwrap_or(window.bytes().len());
        let piece = window.bytes().get(..count).unwrap_or_default();
        sink.quarantine(piece, "part of a line that is too long", window.offset());
        window.consume(count);
        if !sink.keep_going() {
            return false;
        }
        let read_on = window.more();
        if end.is_some() || !read_on && window.bytes().is_empty() {
            return true;
        }
    }
}
