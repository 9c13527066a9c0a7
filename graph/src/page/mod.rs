//! A page of an answer taken apart without copying its items.
//!
//! The outline is read by `serde_json`; items stay slices of the body, which the archive parses
//! itself. Members that are not needed are skipped without recursion, so nesting costs a byte of
//! memory a level and no stack. The last of equal keys wins, as everywhere in JSON. What would end a
//! chain of pages in silence is an error instead: a link that is no string, a missing `value`, an
//! error that the service reports in the middle of its answer.
//!
//! A body that is not UTF-8 is read all the same if the bad bytes are inside of strings: one broken
//! message must not cost its page. The archive then puts that message into quarantine.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A page taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// The members of `value`: objects, exactly as they came.
    pub items: Vec<&'a [u8]>,
    /// `@odata.nextLink`: there is more. Empty pages can have one.
    pub next: Option<String>,
    /// `@odata.deltaLink`: where the next round of a delta starts.
    pub delta: Option<String>,
    /// `@odata.count`, a number or a string of digits: of this page, not of the whole chain.
    pub count: Option<u64>,
}

/// Why a body is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no page of a list: {message}, at byte {offset}")]
pub struct Broken {
    /// The byte of the body where reading stopped, give or take one.
    pub offset: usize,
    /// What was found there.
    pub message: String,
}

/// Takes the body of an answer apart.
///
/// ```
/// let body = br#"{"@odata.nextLink":"https://graph.microsoft.com/v1.0/users?$skip=2","value":[{"id":"1"}, {}]}"#;
/// let page = chatvault_graph::read_page(body)?;
/// assert_eq!(page.items, [br#"{"id":"1"}"#.as_slice(), b"{}"]);
/// assert!(page.next.is_some() && page.delta.is_none());
/// # Ok::<(), chatvault_graph::Broken>(())
/// ```
///
/// [`Broken`] says what keeps the bytes from being a page, an error of the service in its place too.
pub fn read(body: &[u8]) -> Result<Page<'_>, Broken> {
    let masked;
    let text = if let Ok(text) = str::from_utf8(body) {
        text
    } else {
        masked = mask(body);
        &masked
    };
    let outline = Outline::read(text)?;
    let reader = Reader { body, text };
    reader.check_no_error(outline.error)?;
    let items = outline.items.ok_or_else(|| broken(0, "it has no `value`"))?;
    Ok(Page {
        items: reader.items(&items)?,
        next: reader.link(outline.next)?,
        delta: reader.link(outline.delta)?,
        count: outline.count.and_then(|raw| raw.get().trim_matches('"').parse().ok()),
    })
}

/// The body with a question mark for every byte that is not UTF-8, everything in its place.
fn mask(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// The members that matter, as they are in the text.
#[derive(Default)]
struct Outline<'t> {
    items: Option<Vec<&'t RawValue>>,
    next: Option<&'t RawValue>,
    delta: Option<&'t RawValue>,
    count: Option<&'t RawValue>,
    error: Option<&'t RawValue>,
}

impl<'t> Outline<'t> {
    fn read(text: &'t str) -> Result<Self, Broken> {
        serde_json::from_str(text).map_err(|error| Broken {
            offset: offset(text, error.line(), error.column()),
            message: without_place(&error),
        })
    }
}

impl<'de> Deserialize<'de> for Outline<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `value`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline<'de>, A::Error> {
        let mut outline = Outline::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Value => outline.items = Some(map.next_value::<Items<'_>>()?.0),
                Key::Next => outline.next = Some(map.next_value()?),
                Key::Delta => outline.delta = Some(map.next_value()?),
                Key::Count => outline.count = Some(map.next_value()?),
                Key::Error => outline.error = Some(map.next_value()?),
                Key::Other => {
                    let IgnoredAny = map.next_value()?;
                }
            }
        }
        Ok(outline)
    }
}

enum Key {
    Value,
    Next,
    Delta,
    Count,
    Error,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // As bytes: half a surrogate pair in a key that nobody reads is no reason to stop.
        from.deserialize_bytes(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Key, E> {
        Ok(match key {
            b"value" => Key::Value,
            b"@odata.nextLink" => Key::Next,
            b"@odata.deltaLink" => Key::Delta,
            b"@odata.count" => Key::Count,
            b"error" => Key::Error,
            _ => Key::Other,
        })
    }
}

/// The members of `value`.
struct Items<'t>(Vec<&'t RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array in `value`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Items(items))
    }
}

/// What the service says when it fails in the middle of an answer.
#[derive(Deserialize, Default)]
struct Reported {
    code: Option<String>,
    message: Option<String>,
}

/// Turns parts of the text into parts of the body: both have everything at the same place.
struct Reader<'b, 't> {
    body: &'b [u8],
    text: &'t str,
}

impl<'b> Reader<'b, '_> {
    fn items(&self, items: &[&RawValue]) -> Result<Vec<&'b [u8]>, Broken> {
        let mut slices = Vec::with_capacity(items.len());
        for item in items {
            let place = self.place(item);
            if !item.get().starts_with('{') {
                return Err(broken(place.start, "an item is not an object"));
            }
            slices.push(self.body.get(place).unwrap_or_default());
        }
        Ok(slices)
    }

    fn link(&self, link: Option<&RawValue>) -> Result<Option<String>, Broken> {
        let Some(raw) = link else { return Ok(None) };
        let place = self.place(raw);
        let bytes = self.body.get(place.clone()).unwrap_or_default();
        serde_json::from_slice(bytes)
            .map_err(|_not_a_string| broken(place.start, "a link is not a string"))
    }

    fn check_no_error(&self, error: Option<&RawValue>) -> Result<(), Broken> {
        let Some(raw) = error.filter(|raw| raw.get() != "null") else { return Ok(()) };
        let Reported { code, message } = serde_json::from_str(raw.get()).unwrap_or_default();
        let said = [code, message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let said: String = said.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS).collect();
        let message = format!("the service reports an error instead of the rest: {said}");
        Err(broken(self.place(raw).start, &message))
    }

    /// Where a value, which is a part of the text, is in it.
    fn place(&self, raw: &RawValue) -> Range<usize> {
        let start = raw.get().as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + raw.get().len()
    }
}

fn broken(offset: usize, message: &str) -> Broken {
    Broken { offset, message: message.to_owned() }
}

/// What is kept of an error's text.
const MESSAGE_CHARS: usize = 300;

/// The byte of a line and column: both count from one, and so does the first byte of the text.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut newlines = memchr::memchr_iter(b'\n', text.as_bytes());
    let start = match line.checked_sub(2) {
        Some(skipped) => newlines.nth(skipped).map_or(text.len(), |newline| newline + 1),
        None => 0,
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// A parser's message without its line and column, which say nothing about a body of one line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
