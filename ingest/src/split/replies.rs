//! Replies that stand in their post, as `$expand=replies` brings them.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::scan::{end_of_value, space};

/// What to do where a post has more replies than came with it.
pub(super) const GOES_ON: &str = "the service has more replies to a post (replies@odata.nextLink): \
                                  fetch and import them, too";

/// Where the replies in a post are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replies {
    pub(super) items: Vec<Range<usize>>,
    /// The service has more of them.
    pub(super) goes_on: bool,
}

/// Made once: making it takes as long as finding nothing in a short document.
static REPLIES: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"replies"));

/// Could a document have replies in it?
pub(super) fn may_have(document: &[u8]) -> bool {
    REPLIES.find(document).is_some()
}

/// The replies in a whole document; none if it is broken.
pub(super) fn of(document: &[u8]) -> Replies {
    if may_have(document) { members(document).unwrap_or_default() } else { Replies::default() }
}

fn members(document: &[u8]) -> Option<Replies> {
    let mut replies = Replies::default();
    let mut at = skip(document, 1)?;
    while document.get(at)? == &b'"' {
        let key = value(document, at)?;
        let colon = skip(document, key.end)?;
        let value = value(document, skip(document, colon + 1)?)?;
        match document.get(key)? {
            b"\"replies\"" if document.get(value.start)? == &b'[' => {
                replies.items = items(document, value.start)?;
            }
            b"\"replies@odata.nextLink\"" => replies.goes_on = true,
            _ => {}
        }
        let comma = skip(document, value.end)?;
        if document.get(comma)? != &b',' {
            break;
        }
        at = skip(document, comma + 1)?;
    }
    Some(replies)
}

/// The objects of an array.
fn items(document: &[u8], array: usize) -> Option<Vec<Range<usize>>> {
    let mut items = Vec::new();
    let mut at = skip(document, array + 1)?;
    while document.get(at)? != &b']' {
        let item = value(document, at)?;
        at = skip(document, item.end)?;
        if document.get(item.start)? == &b'{' {
            items.push(item);
        }
        if document.get(at)? == &b',' {
            at = skip(document, at + 1)?;
        }
    }
    Some(items)
}

fn skip(document: &[u8], at: usize) -> Option<usize> {
    Some(at + space(document.get(at..)?))
}

fn value(document: &[u8], at: usize) -> Option<Range<usize>> {
    let end = at + end_of_value(document.get(at..)?)?;
    (end > at).then_some(at..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str) -> (Vec<&str>, bool) {
        let replies = of(document.as_bytes());
        (replies.items.into_iter().map(|range| &document[range]).collect(), replies.goes_on)
    }

    #[test]
    fn replies_are_found_at_the_top_of_a_post_only() {
        for (document, items, goes_on) in [
            (
                r#"{"id":"1","replies":[{"id":"2"},{"id":"3"}]}"#,
                vec![r#"{"id":"2"}"#, r#"{"id":"3"}"#],
                false,
            ),
            (r#"{ "replies" : [ {"id":"2"} , 7 ] , "id":"1" }"#, vec![r#"{"id":"2"}"#], false),
            (r#"{"replies@odata.nextLink":"x","replies":[]}"#, vec![], true),
            (r#"{"body":{"replies":[{"id":"2"}]}}"#, vec![], false),
            (r#"{"a":"\"replies\":[{}]"}"#, vec![], false),
            (r#"{"replies":null}"#, vec![], false),
            (r#"{"replies":[{"id":"2"}"#, vec![], false),
            (r#"{"replies":[}"#, vec![], false),
            ("{}", vec![], false),
            ("", vec![], false),
        ] {
            assert_eq!(found(document), (items, goes_on), "{document}");
        }
    }
}
