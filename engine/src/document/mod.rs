//! A stored document, parsed: what a row says, read by names and paths instead of as text.
//!
//! Tolerant reading is decided here, once: of members with equal names the last one counts; half a
//! surrogate pair in a text becomes U+FFFD; a number that no `i64` holds is no whole number; a time is
//! read as leniently as the archive reads one; what is of another type than asked for counts as absent.
//!
//! A document is *nodes*, its root and each element of its lists, and the values in their holes; what
//! nodes of one shape have in common is their template, which documents share. Nothing here but
//! [`Document::json`] needs the text of a document, so one can be made of a segment's columns as well.

mod reduce;
mod value;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::row::{HoleKind, Limits, Parser, Shape, Span, Step, Template, TemplateId, escape};
use crate::types::ContentAddress;

pub(crate) use reduce::Reducer;
pub use value::{Elements, Members, Path, Value};

/// A stored document, parsed once and read by names and [`Path`]s. Cheap to read from any thread.
///
/// ```
/// use chatvault_engine::{Document, Path};
///
/// let document = Document::parse(br#"{"id":"1","from":{"user":{"displayName":"Ada"}}}"#)?;
/// let name = document.get(&Path::new("from/user/displayName"));
/// assert_eq!(name.and_then(|name| name.text()).as_deref(), Some("Ada"));
/// assert_eq!(document.root().get("id").and_then(|id| id.integer()), Some(1));
/// # chatvault_engine::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Document<'a> {
    text: Cow<'a, str>,
    parts: Arc<Parts>,
}

/// A document without its text: nodes in reading order, the root first, and what fills their holes.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    nodes: Vec<Node>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Node {
    template: Arc<Template>,
    /// The slot of its first hole.
    slots: usize,
    /// The node behind it and what is in it.
    next: usize,
}

/// What fills a hole.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Where a text, without its quotes, or a number stands.
    Scalar(Span),
    /// A list's first element, and how many there are.
    Elements(u32, u32),
}

/// Parses documents; knows the templates of those before.
#[derive(Debug, Default)]
struct Reader {
    parser: Parser,
    shape: Shape,
}

thread_local! {
    static READER: RefCell<Reader> = RefCell::default();
}

impl<'a> Document<'a> {
    /// Parses a JSON object, as an archive takes it.
    ///
    /// `InvalidInput` if the bytes are none, or more than one, or nested too deep.
    pub fn parse(json: &'a [u8]) -> Result<Self> {
        Self::of(json, Arc::new(Parts::of(json)?))
    }

    /// A document whose parts are known.
    pub(crate) fn of(json: &'a [u8], parts: Arc<Parts>) -> Result<Self> {
        Ok(Self { text: as_text(json)?.into(), parts })
    }

    /// The same, with its text copied if it was borrowed.
    pub fn into_owned(self) -> Document<'static> {
        Document { text: Cow::Owned(self.text.into_owned()), parts: self.parts }
    }

    /// The exact bytes.
    pub fn json(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The document as a value: an object.
    pub fn root(&self) -> Value<'_> {
        Value::of(self, self.parts.nodes.first())
    }

    /// What is at a path, if anything is.
    pub fn get(&self, path: &Path) -> Option<Value<'_>> {
        self.root().at(path)
    }

    /// Its content address: the same for every spelling of the same document.
    pub fn address(&self) -> ContentAddress {
        let mut form = Vec::with_capacity(self.text.len());
        self.canonical(0, &mut form);
        ContentAddress(*blake3::hash(&form).as_bytes())
    }

    /// Appends the canonical JSON of a node.
    fn canonical(&self, node: usize, out: &mut Vec<u8>) {
        let Some(Node { template, slots, .. }) = self.parts.nodes.get(node) else { return };
        for step in &template.canonical {
            let hole = match step {
                Step::Bytes(bytes) => {
                    out.extend_from_slice(bytes);
                    continue;
                }
                Step::Hole(hole) => *hole,
            };
            match self.parts.slots.get(slots + hole) {
                Some(Slot::Scalar(span)) => {
                    let value = span.of(self.json());
                    match template.holes.get(hole).map(|hole| hole.kind) {
                        Some(HoleKind::Text) => escape::canonical(value, out),
                        _ => out.extend_from_slice(value),
                    }
                }
                Some(Slot::Elements(first, count)) => {
                    self.canonical_elements((*first as usize, *count), out);
                }
                None => {}
            }
        }
    }

    fn canonical_elements(&self, (first, count): (usize, u32), out: &mut Vec<u8>) {
        let mut at = first;
        for element in 0..count {
            if element > 0 {
                out.push(b',');
            }
            self.canonical(at, out);
            at = self.parts.nodes.get(at).map_or(at, |node| node.next);
        }
    }
}

fn as_text(json: &[u8]) -> Result<&str> {
    std::str::from_utf8(json)
        .map_err(|cause| Error::invalid("the document is no text").caused_by(cause))
}

impl Parts {
    /// Takes a document apart.
    pub(crate) fn of(json: &[u8]) -> Result<Self> {
        READER.with_borrow_mut(|Reader { parser, shape }| {
            parser.relax();
            parser
                .parse(json, Limits::trusted(), shape)
                .map_err(|reason| Error::invalid(format!("no document: {reason}")))?;
            Ok(Self::built(parser, shape))
        })
    }

    /// The parts of a document that was taken apart.
    pub(crate) fn built(parser: &Parser, shape: &Shape) -> Self {
        let mut building = Building { parser, shape, parts: Self::default(), at: (0, 0) };
        building.parts.slots.reserve_exact(shape.values.len());
        building.node();
        building.parts
    }
}

/// Puts the values of each node side by side.
struct Building<'s> {
    parser: &'s Parser,
    shape: &'s Shape,
    parts: Parts,
    /// The next of the shape's nodes, and of its values.
    at: (usize, usize),
}

impl Building<'_> {
    /// Takes the next node. Recursion is as deep as the document, which the parser bounds.
    fn node(&mut self) {
        let Some(template) = self.take() else { return };
        let template = Arc::clone(self.parser.templates.get(TemplateId(template)));
        let (place, slots) = (self.parts.nodes.len(), self.parts.slots.len());
        let holes = template.holes.len();
        self.parts.slots.resize(slots + holes, Slot::Elements(0, 0));
        self.parts.nodes.push(Node { template: Arc::clone(&template), slots, next: 0 });
        for (hole, place) in template.holes.iter().zip(slots..) {
            self.parts.slots[place] = match hole.kind {
                HoleKind::Number | HoleKind::Text => self.scalar(),
                HoleKind::Array => self.elements(),
            };
        }
        self.parts.nodes[place].next = self.parts.nodes.len();
    }

    fn scalar(&mut self) -> Slot {
        let span = self.shape.values.get(self.at.1).copied();
        self.at.1 += 1;
        Slot::Scalar(span.unwrap_or(Span { start: 0, end: 0 }))
    }

    fn elements(&mut self) -> Slot {
        let count = self.take().unwrap_or(0);
        let first = u32::try_from(self.parts.nodes.len()).unwrap_or(u32::MAX);
        (0..count).for_each(|_| self.node());
        Slot::Elements(first, count)
    }

    fn take(&mut self) -> Option<u32> {
        let next = self.shape.nodes.get(self.at.0).copied();
        self.at.0 += 1;
        next
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.text).finish()
    }
}

/// The same bytes.
impl PartialEq for Document<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Document<'_> {}

#[cfg(test)]
mod tests;
