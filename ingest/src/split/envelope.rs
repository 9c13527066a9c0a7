//! The object around a page: `{"@odata.count":50,"@odata.nextLink":"…","value":[ … ]}`, and the
//! answer to a `$batch`: `{"responses":[{"id":"1","status":200,"body":{ … }}]}`, in any order and
//! with any white space.

use std::ops::Range;

use crate::scan::end_of_value;
use crate::window::{ByteWindow, VALUE_BYTES};

/// An error's own words are quoted up to this length.
const QUOTE_BYTES: usize = 300;

/// What an object at the top of a file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Top {
    /// A page, whose first item is looked for behind `bytes`.
    Page {
        bytes: usize,
        count: Option<u64>,
        /// Members in front of its items that are none of the service's.
        strangers: Vec<Range<usize>>,
    },
    /// Answers to a `$batch`, whose first one is looked for behind `bytes`.
    Batch { bytes: usize },
    /// A document that is this long.
    Document { bytes: usize },
    /// An answer that reports an error; what it says, and how long it is.
    Error { bytes: usize, message: String },
    /// It has no end, or is no object with members.
    Broken,
}

/// A member of an object.
#[derive(Debug)]
pub(crate) enum Member {
    /// `value` with an array; the array's inside starts here.
    Items(usize),
    /// `responses` with an array; the array's inside starts here.
    Responses(usize),
    /// `body` with an object; the object's inside starts here.
    Body(usize),
    /// Any other member, which ends here.
    Other(usize),
}

/// What was learned from the members seen so far.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) count: Option<u64>,
    pub(crate) error: Option<String>,
    /// It has an `id`: an `error` in it is not the service's answer.
    has_id: bool,
}

/// Looks at the object that starts the window, consuming nothing.
pub(crate) fn top(window: &mut ByteWindow<'_>) -> Top {
    walk(window).unwrap_or(Top::Broken)
}

fn walk(window: &mut ByteWindow<'_>) -> Option<Top> {
    let mut envelope = Envelope::default();
    let mut strangers = Vec::new();
    let (mut at, mut byte) = window.token_at(1)?;
    while byte != b'}' {
        let end = match envelope.member(window, at)? {
            Member::Items(bytes) => {
                return Some(Top::Page { bytes, count: envelope.count, strangers });
            }
            Member::Responses(bytes) if strangers.is_empty() => return Some(Top::Batch { bytes }),
            Member::Responses(start) | Member::Body(start) => value_end(window, start)?,
            Member::Other(end) => end,
        };
        if !window.bytes().get(at..)?.starts_with(b"\"@") {
            strangers.push(at..end);
        }
        (at, byte) = window.token_at(end)?;
        if at > VALUE_BYTES {
            return None;
        }
        match byte {
            b',' => (at, byte) = window.token_at(at + 1)?,
            b'}' => {}
            _ => return None,
        }
    }
    Some(match envelope.error {
        Some(message) if !envelope.has_id => Top::Error { bytes: at + 1, message },
        _ => Top::Document { bytes: at + 1 },
    })
}

/// Where a value ends whose first byte was read before `inside`.
fn value_end(window: &mut ByteWindow<'_>, inside: usize) -> Option<usize> {
    window.value_end(inside.checked_sub(1)?).ok()
}

/// Where the object starts that is the body of an answer in a `$batch`; `None` if it has none.
pub(crate) fn body(window: &mut ByteWindow<'_>) -> Option<usize> {
    let mut envelope = Envelope::default();
    let (mut at, mut byte) = window.token_at(1)?;
    while byte == b'"' {
        let end = match envelope.member(window, at)? {
            Member::Body(start) => return Some(start - 1),
            Member::Items(start) | Member::Responses(start) => value_end(window, start)?,
            Member::Other(end) => end,
        };
        let (comma, b',') = window.token_at(end)? else { return None };
        (at, byte) = window.token_at(comma + 1)?;
    }
    None
}

impl Envelope {
    /// Reads the member whose key starts at `at`; `None` if it is broken.
    pub(crate) fn member(&mut self, window: &mut ByteWindow<'_>, at: usize) -> Option<Member> {
        if window.token_at(at)? != (at, b'"') {
            return None;
        }
        let key_end = window.value_end(at).ok()?;
        let (colon, b':') = window.token_at(key_end)? else { return None };
        let (start, first) = window.token_at(colon + 1)?;
        let key = window.bytes().get(at + 1..key_end - 1)?;
        match (key, first) {
            (b"value", b'[') => return Some(Member::Items(start + 1)),
            (b"responses", b'[') => return Some(Member::Responses(start + 1)),
            (b"body", b'{') => return Some(Member::Body(start + 1)),
            _ => {}
        }
        let name = Name::of(key);
        let end = window.value_end(start).ok()?;
        let value = window.bytes().get(start..end)?;
        match name {
            Name::Count => self.count = number(value),
            Name::Error if first == b'{' => self.error = Some(quote(value)),
            Name::Id => self.has_id = true,
            Name::Error | Name::Other => {}
        }
        Some(Member::Other(end))
    }
}

/// The members that mean something here.
enum Name {
    Count,
    Error,
    Id,
    Other,
}

impl Name {
    fn of(key: &[u8]) -> Self {
        match key {
            b"@odata.count" => Self::Count,
            b"error" => Self::Error,
            b"id" => Self::Id,
            _ => Self::Other,
        }
    }
}

/// A count as a number or, with `IEEE754Compatible=true`, as a string.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    std::str::from_utf8(digits.unwrap_or(value)).ok()?.parse().ok()
}

/// An error's `code` and `message` as written, on one line.
fn quote(error: &[u8]) -> String {
    let parts = [text_of(error, b"\"code\""), text_of(error, b"\"message\"")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let text =
        if parts.is_empty() { String::from_utf8_lossy(error).into() } else { parts.join(": ") };
    text.chars().filter(|character| !character.is_control()).take(QUOTE_BYTES).collect()
}

/// The string behind the first `key`: good enough for an error line.
fn text_of(object: &[u8], key: &[u8]) -> Option<String> {
    let rest = object.get(memchr::memmem::find(object, key)? + key.len()..)?;
    let start = memchr::memchr(b'"', rest)?;
    let text = rest.get(start..start + end_of_value(rest.get(start..)?)?)?;
    Some(String::from_utf8_lossy(text.get(1..text.len() - 1)?).into_owned())
}
