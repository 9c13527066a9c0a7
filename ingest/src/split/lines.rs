//! One document a line. A line is a line: no guess is needed, and a broken one cannot reach over
//! its neighbours. Files are joined, though: what follows may be a page, an array or a document
//! over several lines, and that is told before a line is taken for one.

use memchr::{memchr, memchr_iter, memmem};

use crate::scan::{end_of_value, space, trim, trim_end};
use crate::sink::Sink;
use crate::split::{Remarks, replies};
use crate::window::{BYTE_ORDER_MARK, ByteWindow};

/// What whole lines start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// So many bytes of lines with a document each, or with something broken.
    Lines(usize),
    /// Something that is no document on a line.
    Other,
    /// A line that only the next one tells.
    ReadOn,
}

/// How a page, an answer to a `$batch` or an error starts; the first two hold the items.
const PAGE_KEYS: [&[u8]; 6] = [
    b"\"value\"",
    b"\"responses\"",
    b"\"@odata.context\"",
    b"\"@odata.count\"",
    b"\"@odata.nextLink\"",
    b"\"error\"",
];

/// Looks at whole lines; `is_last` if nothing follows them.
pub(crate) fn lead(lines: &[u8], is_last: bool) -> Lead {
    let mut start = 0;
    while start < lines.len() {
        let rest = lines.get(start..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, next) = rest.split_at(end);
        let line = trim(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line));
        let is_other = match (line.first(), trim_end(without_comma(line)).last()) {
            (Some(b'['), _) => Some(true),
            (Some(b'{'), Some(b'}')) => Some(is_page(line)),
            (Some(b'{'), _) => match next.get(space(next)) {
                Some(byte) => Some(*byte != b'{'),
                None => is_last.then_some(is_page(line)),
            },
            _ => Some(false),
        };
        match is_other {
            Some(false) => start += end,
            _ if start > 0 => break,
            Some(true) => return Lead::Other,
            None => return Lead::ReadOn,
        }
    }
    Lead::Lines(start)
}

fn is_page(line: &[u8]) -> bool {
    let has_items = |key: &&[u8]| memmem::find(line, key).is_some();
    may_be_page(line) && PAGE_KEYS[..2].iter().any(has_items)
}

/// Does this object start as a page or an answer may?
pub(super) fn may_be_page(object: &[u8]) -> bool {
    let inside = object.get(1..).unwrap_or_default();
    let inside = inside.get(space(inside)..).unwrap_or_default();
    PAGE_KEYS.iter().any(|key| inside.starts_with(key))
}

/// Lines of an array that has lost its brackets end in commas.
fn without_comma(line: &[u8]) -> &[u8] {
    line.strip_suffix(b",").filter(|line| trim_end(line).ends_with(b"}")).unwrap_or(line)
}

/// Offers every line of `bytes` that is not empty; false if the sink said stop.
pub(crate) fn offer_lines(
    bytes: &[u8],
    offset: u64,
    (sink, remarks): (&mut dyn Sink, &mut Remarks),
) -> bool {
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let line = bytes.get(start..end).unwrap_or_default();
        if !offer_line(line, offset + start as u64, (&mut *sink, &mut *remarks)) {
            return false;
        }
        start = end + 1;
    }
    true
}

fn offer_line(line: &[u8], offset: u64, (sink, remarks): (&mut dyn Sink, &mut Remarks)) -> bool {
    // Files that start with a byte order mark may have been joined.
    let bare = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let mut at = line.len() - bare.len() + space(bare);
    let mut rest = trim_end(without_comma(trim(bare)));
    while !rest.is_empty() {
        let end = first_document(rest);
        let document = rest.get(..end).unwrap_or(rest);
        sink.offer(document, offset + at as u64);
        let replies = replies::of(document);
        for reply in &replies.items {
            let json = document.get(reply.clone()).unwrap_or_default();
            sink.offer(json, offset + (at + reply.start) as u64);
        }
        if replies.goes_on {
            remarks.miss(|| format!("offset {}: {}", offset + at as u64, replies::GOES_ON));
        }
        if !sink.keep_going() {
            return false;
        }
        let behind = rest.get(end..).unwrap_or_default();
        at += end + space(behind);
        rest = behind.get(space(behind)..).unwrap_or_default();
    }
    true
}

/// Where the first document on a line ends, if others follow it.
fn first_document(line: &[u8]) -> usize {
    let may_be_two = [&b"}{"[..], b"} {"].iter().any(|seam| memmem::find(line, seam).is_some());
    let end = if may_be_two { end_of_value(line) } else { None };
    let is_seam = |end: &usize| {
        let behind = line.get(*end..).unwrap_or_default();
        behind.get(space(behind)) == Some(&b'{')
    };
    end.filter(is_seam).unwrap_or(line.len())
}

/// Quarantines a line that is longer than a value may be, in pieces; false if the sink said stop.
pub(crate) fn quarantine_overlong(window: &mut ByteWindow<'_>, sink: &mut dyn Sink) -> bool {
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
