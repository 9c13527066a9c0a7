//! Strict RFC 8259 reading of a document into nodes and values.
//!
//! Invariants: what is accepted is valid JSON within the limits; recursion is bounded by
//! `Limits::depth`; memory by the document's size. The result points into the document.

use std::sync::Arc;

use memchr::memchr2;

use super::template::{ARRAY, HoleKind, PathId, SCALAR, Template, TemplateId, Templates};

/// Bounds for a document from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    /// It was read before, so it is UTF-8.
    pub(crate) trusted: bool,
}

impl Limits {
    /// Nested deeper than this no Graph document is; a stack frame per level fits any thread.
    pub(crate) const DEPTH: usize = 128;

    pub(crate) fn of(bytes: usize) -> Self {
        Self { bytes: bytes.min(u32::MAX as usize), depth: Self::DEPTH, trusted: false }
    }

    /// For documents that are rows already.
    pub(crate) fn trusted() -> Self {
        Self { trusted: true, ..Self::of(usize::MAX) }
    }
}

/// A value's place in its document: between the quotes of a string, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, document: &[u8]) -> &[u8] {
        document.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A document taken apart, in reading order.
///
/// `nodes` is the root's template and, at each array hole of a node, the number of elements
/// followed by the elements' nodes. `values` fill the scalar holes of all nodes.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<u32>,
    pub(crate) values: Vec<Span>,
}

/// Takes documents apart; keeps the templates it has met.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    pub(crate) templates: Templates,
    spare: Vec<Vec<u8>>,
    keys: Vec<Span>,
    /// Templates of the last documents: the next one is probably one of them.
    recent: Recent<4>,
    /// Likewise of elements.
    recent_elements: Recent<8>,
}

/// Nodes met lately, by their paths, the last one first.
#[derive(Debug)]
struct Recent<const N: usize>([Option<(PathId, TemplateId)>; N]);

impl<const N: usize> Default for Recent<N> {
    fn default() -> Self {
        Self([None; N])
    }
}

impl<const N: usize> Recent<N> {
    fn add(&mut self, path: PathId, template: TemplateId) {
        self.0.rotate_right(1);
        self.0[0] = Some((path, template));
    }

    fn found(&mut self, place: usize) {
        self.0[..=place].rotate_right(1);
    }
}

/// Why a document was not accepted.
pub(crate) type Refusal = String;

impl Parser {
    /// Forgets all templates once they take too much memory. Only between documents.
    pub(crate) fn relax(&mut self) {
        if self.templates.is_full() {
            *self = Self::default();
        }
    }

    /// Takes a document apart into `shape`; the reason if it is none or breaks a limit.
    pub(crate) fn parse(
        &mut self,
        document: &[u8],
        limits: Limits,
        shape: &mut Shape,
    ) -> Result<(), Refusal> {
        shape.nodes.clear();
        shape.values.clear();
        self.keys.clear();
        if document.len() > limits.bytes {
            let limit = limits.bytes;
            return Err(format!("document of {} bytes is over {limit}", document.len()));
        }
        if !limits.trusted
            && let Err(bad) = std::str::from_utf8(document)
        {
            return Err(format!("not UTF-8 at byte {}", bad.valid_up_to()));
        }
        if document.first() != Some(&b'{') {
            return Err("not a JSON object".into());
        }
        let lowest = || document.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
        let plain = limits.trusted || lowest() >= 0x20;
        let mut reading = Reading { parser: self, document, shape, at: 0, copied: 0, plain };
        if reading.recall(limits.depth) {
            return Ok(());
        }
        reading.parsed_node(PathId::ROOT, limits.depth)?;
        let rest = reading.at;
        if rest != document.len() {
            return Err(format!("more than one JSON value: the second starts at byte {rest}"));
        }
        if let Some(root) = shape.nodes.first() {
            self.recent.add(PathId::ROOT, TemplateId(*root));
        }
        Ok(())
    }
}

struct Reading<'p, 'd> {
    parser: &'p mut Parser,
    document: &'d [u8],
    shape: &'p mut Shape,
    at: usize,
    /// Everything before this is in a skeleton already.
    copied: usize,
    /// No control character anywhere: strings need no check for them.
    plain: bool,
}

impl Reading<'_, '_> {
    /// Is the document one of the recent templates with other values? A skeleton comes from valid
    /// JSON, so valid values in its holes are valid JSON again, taken apart the same way.
    fn recall(&mut self, depth: usize) -> bool {
        for place in 0..self.parser.recent.0.len() {
            let Some((_, template)) = self.parser.recent.0[place] else { return false };
            if self.fits(template, depth) {
                if self.at == self.document.len() {
                    self.parser.recent.found(place);
                    return true;
                }
                self.go_back((0, 0, 0));
            }
        }
        false
    }

    /// Is the element here one of the recent ones of its path?
    fn recall_element(&mut self, path: PathId, depth: usize) -> bool {
        for place in 0..self.parser.recent_elements.0.len() {
            let Some((of, template)) = self.parser.recent_elements.0[place] else { return false };
            if of == path && self.fits(template, depth) {
                self.parser.recent_elements.found(place);
                return true;
            }
        }
        false
    }

    /// Takes a node of this template; takes nothing if it is another one.
    fn fits(&mut self, template: TemplateId, depth: usize) -> bool {
        let before = (self.at, self.shape.nodes.len(), self.shape.values.len());
        let node = Arc::clone(self.parser.templates.get(template));
        self.shape.nodes.push(template.0);
        let fits = self.fits_template(&node, depth).is_some();
        if !fits {
            self.go_back(before);
        }
        fits
    }

    fn go_back(&mut self, (at, nodes, values): (usize, usize, usize)) {
        (self.at, self.copied) = (at, at);
        self.shape.nodes.truncate(nodes);
        self.shape.values.truncate(values);
    }

    fn fits_template(&mut self, node: &Template, depth: usize) -> Option<()> {
        let mut start = 0;
        for hole in &node.holes {
            self.take(node.skeleton.get(start..hole.at)?)?;
            start = hole.at + 1;
            if hole.kind == HoleKind::Array {
                self.elements(hole.elements, depth.checked_sub(hole.depth)?).ok()?;
                continue;
            }
            let value = if hole.kind == HoleKind::Text {
                // Its quotes belong to the pieces around it.
                self.at -= 1;
                let text = self.string();
                self.at -= 1;
                text
            } else {
                let start = self.at;
                self.number().map(|()| span(start, self.at))
            };
            self.shape.values.push(value.ok()?);
        }
        self.take(node.skeleton.get(start..)?)
    }

    fn take(&mut self, piece: &[u8]) -> Option<()> {
        let there = self.document.get(self.at..).is_some_and(|rest| rest.starts_with(piece));
        self.at += piece.len();
        there.then_some(())
    }

    fn element(&mut self, path: PathId, depth: usize) -> Result<(), Refusal> {
        if self.recall_element(path, depth) {
            return Ok(());
        }
        let (slot, keys) = (self.shape.nodes.len(), self.parser.keys.len());
        self.copied = self.at;
        let parsed = self.parsed_node(path, depth);
        self.parser.keys.truncate(keys);
        parsed?;
        let template = TemplateId(self.shape.nodes[slot]);
        // Arrays in arrays are not tried: trying would take more time than bytes.
        if !self.parser.templates.get(template).arrays() {
            self.parser.recent_elements.add(path, template);
        }
        Ok(())
    }

    fn parsed_node(&mut self, path: PathId, depth: usize) -> Result<(), Refusal> {
        let slot = self.shape.nodes.len();
        self.shape.nodes.push(0);
        let mut skeleton = self.parser.spare.pop().unwrap_or_default();
        skeleton.clear();
        let base = self.parser.keys.len();
        self.separator();
        self.value(&mut skeleton, &ValuePlace { path, base, depth })?;
        self.copy_to(self.at, &mut skeleton);
        let template = self.parser.templates.intern(path, &skeleton);
        let TemplateId(id) = template.ok_or("too many different shapes in one document")?;
        self.shape.nodes[slot] = id;
        self.parser.spare.push(skeleton);
        Ok(())
    }

    /// The comma and white space in front of an array element belong to the element's skeleton.
    fn separator(&mut self) {
        while matches!(self.peek(), b',' | b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn value(&mut self, skeleton: &mut Vec<u8>, place: &ValuePlace) -> Result<(), Refusal> {
        match self.peek() {
            b'"' => self.string_hole(skeleton),
            b'{' => self.object(skeleton, &place.deeper()?),
            b'[' => self.array(skeleton, &place.deeper()?),
            b'-' | b'0'..=b'9' => self.number_hole(skeleton),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.refuse("a JSON value"),
        }
    }

    fn object(&mut self, skeleton: &mut Vec<u8>, place: &ValuePlace) -> Result<(), Refusal> {
        self.at += 1;
        self.space();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.parser.keys.push(key);
            self.space();
            self.expect(b':')?;
            self.space();
            self.value(skeleton, place)?;
            let _ = self.parser.keys.pop();
            self.space();
            if self.eat(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn array(&mut self, skeleton: &mut Vec<u8>, place: &ValuePlace) -> Result<(), Refusal> {
        self.at += 1;
        let open = self.at;
        self.space();
        if self.eat(b']') {
            return Ok(());
        }
        self.copy_to(open, skeleton);
        skeleton.push(ARRAY);
        self.at = open;
        let path = self.array_path(place);
        self.elements(path, place.depth)?;
        self.copied = self.at;
        self.space();
        self.expect(b']')
    }

    /// Takes the elements of an array, one at least, and what stands between them.
    fn elements(&mut self, path: PathId, depth: usize) -> Result<(), Refusal> {
        let slot = self.shape.nodes.len();
        self.shape.nodes.push(0);
        let mut count = 0;
        loop {
            let start = self.at;
            self.space();
            if count > 0 {
                if self.peek() == b']' {
                    self.at = start;
                    self.shape.nodes[slot] = count;
                    return Ok(());
                }
                self.expect(b',')?;
                self.space();
            }
            if matches!(self.peek(), b',' | b']') {
                return self.refuse("an array element");
            }
            self.at = start;
            self.element(path, depth)?;
            count += 1;
        }
    }

    fn array_path(&mut self, place: &ValuePlace) -> PathId {
        let keys = self.parser.keys.get(place.base..).unwrap_or_default();
        let mut path = place.path;
        for key in keys {
            path = self.parser.templates.child(path, key.of(self.document));
        }
        self.parser.templates.child(path, b"[]")
    }

    fn string_hole(&mut self, skeleton: &mut Vec<u8>) -> Result<(), Refusal> {
        self.copy_to(self.at + 1, skeleton);
        let content = self.string()?;
        skeleton.push(SCALAR);
        self.copied = content.end as usize;
        self.shape.values.push(content);
        Ok(())
    }

    fn number_hole(&mut self, skeleton: &mut Vec<u8>) -> Result<(), Refusal> {
        let start = self.at;
        self.number()?;
        let end = self.at;
        self.copy_to(start, skeleton);
        skeleton.push(SCALAR);
        self.copied = end;
        self.shape.values.push(span(start, end));
        Ok(())
    }

    /// Reads a string and gives what is between its quotes.
    fn string(&mut self) -> Result<Span, Refusal> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.document.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = self.document.len();
                return self.refuse("the end of a string");
            };
            if !self.plain && rest[..found].iter().any(|byte| *byte < 0x20) {
                return self.refuse("no raw control character in a string");
            }
            self.at += found;
            if rest[found] == b'"' {
                self.at += 1;
                return Ok(span(start, self.at - 1));
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), Refusal> {
        let rest = self.document.get(self.at + 1..).unwrap_or_default();
        match rest {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 2,
            [b'u', digits @ ..]
                if digits.get(..4).is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
            }
            _ => return self.refuse("a valid escape"),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Refusal> {
        let _ = self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Refusal> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { self.refuse("a digit") } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Refusal> {
        let rest = self.document.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.refuse("true, false or null");
        }
        self.at += word.len();
        Ok(())
    }

    fn copy_to(&mut self, end: usize, skeleton: &mut Vec<u8>) {
        skeleton.extend_from_slice(self.document.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// The next byte; 0, which no JSON starts with, at the end.
    fn peek(&self) -> u8 {
        self.document.get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == byte;
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        if self.eat(byte) { Ok(()) } else { self.refuse(&format!("`{}`", char::from(byte))) }
    }

    fn refuse<T>(&self, wanted: &str) -> Result<T, Refusal> {
        Err(format!("not JSON: wanted {wanted} at byte {}", self.at))
    }
}

/// Where a value is: the path of its node, the keys since that node, the levels left.
struct ValuePlace {
    path: PathId,
    base: usize,
    depth: usize,
}

impl ValuePlace {
    fn deeper(&self) -> Result<Self, Refusal> {
        let depth = self.depth.checked_sub(1).ok_or("nested too deep")?;
        Ok(Self { path: self.path, base: self.base, depth })
    }
}

fn span(start: usize, end: usize) -> Span {
    let narrow = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}
