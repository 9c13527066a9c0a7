//! Guesses where an item of a page ends, from what the items before it looked like.
//!
//! Items of one page open with the same bytes (`{"@odata.type":"#microsoft.graph.chatMessage",
//! "id":"`) and have the same separator between them, so the next `}`, separator and opening is
//! most likely the next item's start. A guess is never trusted: it counts only if the bytes in
//! front of it are a document that was seen whole before. A complete object is no proper prefix of
//! another one, so such a cut is proven.

use memchr::memmem::{self, Finder};

use crate::scan::{end_of_value, space};

/// An opening is at most this long; only what is the same in every item is worth looking for.
const OPENING_BYTES: usize = 128;

/// White space between items is learned up to this length (indented pages).
const SEPARATOR_BYTES: usize = 64;

/// A guess is looked for this far: items that never fit must not make each search a long one.
const SEARCH_BYTES: usize = 64 << 10;

/// An item starts with one of these, with or without the service's annotations.
const FIRST_KEYS: [&[u8]; 2] = [b"\"id\"", b"\"@odata.type\""];

/// Any of these keys is in every message that can be keyed.
const MESSAGE_KEYS: [&[u8]; 4] =
    [b"\"etag\"", b"\"messageType\"", b"\"createdDateTime\"", b"\"lastModifiedDateTime\""];

/// What the items of a page have in common. Kept from page to page: an export's pages look alike.
#[derive(Debug)]
pub(crate) struct Cutter {
    separator: Vec<u8>,
    opening: Vec<u8>,
    finder: Finder<'static>,
}

impl Cutter {
    pub(crate) fn new() -> Self {
        Self {
            separator: b",".to_vec(),
            opening: Vec::new(),
            finder: Finder::new(&[]).into_owned(),
        }
    }

    /// Where the item at the start of `bytes` seems to end, if it opens like those before it.
    pub(crate) fn guess(&self, bytes: &[u8]) -> Option<usize> {
        if !self.is_familiar(bytes) {
            return None;
        }
        let near = bytes.get(1..bytes.len().min(SEARCH_BYTES))?;
        // The pattern's own first byte closes the item.
        self.finder.find(near).map(|found| found + 2)
    }

    /// Does this item open like those before it?
    pub(crate) fn is_familiar(&self, item: &[u8]) -> bool {
        !self.opening.is_empty() && item.starts_with(&self.opening)
    }

    /// Is there a place inside `item` where a guess would cut it?
    pub(crate) fn has_cut(&self, item: &[u8]) -> bool {
        !self.opening.is_empty() && self.finder.find(item).is_some()
    }

    /// Looks at how an item opens. It has to be a valid one: a broken one would teach what makes
    /// its good neighbours hard to find.
    pub(crate) fn see_item(&mut self, item: &[u8]) {
        let Some(opening) = opening(item).and_then(|bytes| item.get(..bytes)) else { return };
        if opening != self.opening {
            self.opening = opening.to_vec();
            self.learn();
        }
    }

    /// Looks at what is between two items; `gap` starts behind the first one.
    pub(crate) fn see_gap(&mut self, gap: &[u8]) {
        let Some(separator) = separator(gap) else { return };
        if separator != self.separator {
            self.separator = separator.to_vec();
            self.learn();
        }
    }

    /// Bytes from the end of an item that was guessed right to the start of the next one.
    pub(crate) fn separator_bytes(&self) -> usize {
        self.separator.len()
    }

    fn learn(&mut self) {
        let pattern = [b"}", self.separator.as_slice(), self.opening.as_slice()].concat();
        self.finder = Finder::new(&pattern).into_owned();
    }

    /// Could an item start here, in a page that is broken?
    pub(crate) fn may_start(&self, bytes: &[u8]) -> bool {
        if self.is_familiar(bytes) {
            return true;
        }
        let Some(inside) = bytes.strip_prefix(b"{") else { return false };
        is_first_key(inside.get(space(inside)..).unwrap_or_default())
    }

    /// Is this whole object an item of its own, and not a part of one?
    pub(crate) fn is_item(&self, object: &[u8]) -> bool {
        let told_by_type = memmem::find(&self.opening, b"\"@odata.type\"").is_some();
        (told_by_type && object.starts_with(&self.opening))
            || MESSAGE_KEYS.iter().any(|key| memmem::find(object, key).is_some())
    }
}

/// Do these bytes start with a key that an item may start with?
pub(crate) fn is_first_key(bytes: &[u8]) -> bool {
    FIRST_KEYS.iter().any(|key| bytes.starts_with(key))
}

/// How many bytes at the start of an item are the same in all of its kind: up to the value of its
/// first key, or of its second if the first is an annotation (`@odata.type`).
fn opening(item: &[u8]) -> Option<usize> {
    let item = item.get(..OPENING_BYTES.min(item.len())).unwrap_or_default();
    let first = value_start(item, 0, b'{')?;
    let annotated = memmem::find(item.get(..first)?, b"\"@").is_some();
    let value = item.get(first..)?;
    if !annotated || value.first() != Some(&b'"') {
        return Some(quoted(item, first));
    }
    let second = end_of_value(value).and_then(|end| value_start(item, first + end, b','));
    Some(second.map_or(first, |second| quoted(item, second)))
}

/// Where the value of the key behind `mark` starts.
fn value_start(item: &[u8], at: usize, mark: u8) -> Option<usize> {
    let key = behind(item, at, mark)?;
    let end = (item.get(key) == Some(&b'"')).then(|| end_of_value(item.get(key..)?))??;
    behind(item, key + end, b':')
}

/// The first byte behind `mark` and the white space around it.
fn behind(item: &[u8], at: usize, mark: u8) -> Option<usize> {
    let at = at + space(item.get(at..)?);
    (item.get(at) == Some(&mark)).then_some(())?;
    Some(at + 1 + space(item.get(at + 1..)?))
}

/// Takes the opening quote in as well: it tells strings from numbers.
fn quoted(item: &[u8], at: usize) -> usize {
    at + usize::from(item.get(at) == Some(&b'"'))
}

/// The comma between two items with the white space around it, if another item follows.
fn separator(gap: &[u8]) -> Option<&[u8]> {
    let gap = gap.get(..SEPARATOR_BYTES.min(gap.len()))?;
    let end = behind(gap, 0, b',')?;
    (gap.get(end) == Some(&b'{')).then(|| gap.get(..end))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_goes_up_to_the_first_value_that_differs() {
        let cases = [
            (r#"{"id":"17","etag":"17"}"#, r#"{"id":""#),
            (
                r##"{"@odata.type":"#microsoft.graph.chatMessage","id":"17"}"##,
                r##"{"@odata.type":"#microsoft.graph.chatMessage","id":""##,
            ),
            ("{\n  \"id\" : \"17\"", "{\n  \"id\" : \""),
            (r#"{"@odata.type":"t"}"#, r#"{"@odata.type":"#),
            (r#"{"@odata.x":12,"id":"17"}"#, r#"{"@odata.x":"#),
            (r#"{"n":12}"#, r#"{"n":"#),
        ];
        for (item, expected) in cases {
            assert_eq!(opening(item.as_bytes()), Some(expected.len()), "{item}");
            assert!(item.starts_with(expected));
        }
        for item in ["{}", "[1]", "{\"a", "{\"a\"", "", "{1:2}"] {
            assert_eq!(opening(item.as_bytes()), None, "{item}");
        }
    }

    #[test]
    fn a_guess_is_the_byte_behind_the_closing_brace() {
        let page = r#"{"id":"1","a":{"id":"2"}},{"id":"3"}]"#;
        let mut cutter = Cutter::new();
        assert_eq!(cutter.guess(page.as_bytes()), None);
        cutter.see_item(br#"{"id":"0"}"#);
        assert_eq!(cutter.guess(page.as_bytes()), page.find(",{"));
    }

    #[test]
    fn the_separator_of_an_indented_page_is_learned() {
        let page = "{\"id\":\"1\"} ,\n    {\"id\":\"3\"}]";
        let mut cutter = Cutter::new();
        cutter.see_item(&page.as_bytes()[..10]);
        assert_eq!(cutter.guess(page.as_bytes()), None);
        cutter.see_gap(&page.as_bytes()[10..]);
        assert_eq!(cutter.guess(page.as_bytes()), Some(10));
        assert_eq!(cutter.separator_bytes(), 7);
    }

    #[test]
    fn only_whole_messages_are_taken_for_items_where_a_page_is_broken() {
        let cutter = Cutter::new();
        assert!(cutter.may_start(b"{ \"id\": \"1\""));
        assert!(!cutter.may_start(b"{\"contentType\":\"html\""));
        assert!(cutter.is_item(br#"{"id":"1","etag":"1"}"#));
        assert!(!cutter.is_item(br#"{"id":"file","contentType":"reference"}"#));
    }
}
