//! Shapes of contents: what a table of FORMAT.md says, as data, and where its fields are in bytes.

use std::ops::Range;

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// So many bytes.
    Fixed(usize),
    /// A `v`.
    Number,
    /// A `z`.
    Signed,
    /// A `v`: the bytes of the file's next frame.
    Frame,
    /// A *text* or a *block*.
    Block,
    /// A *block* of fields.
    Inside(&'static [Shape]),
    /// A *list*, by its name in FORMAT.md, "Limits", and its items' fields.
    List(&'static str, &'static [Shape]),
    /// A *directory* of a list, by the list's name: a `v` that counts items, and fields for each page of
    /// so many.
    Pages(&'static str, usize, &'static [Shape]),
    /// A byte, what is behind it if it is one of these, and what is behind any other.
    Choice(&'static [(u8, &'static [Shape])], &'static [Shape]),
    /// Fields behind a `v` each, until one is 0.
    Chain(&'static [Shape]),
    /// Fields over and over, to the end.
    Repeat(&'static [Shape]),
    /// Bytes to the end.
    Rest,
}

impl Shape {
    /// A list's name, the fields of an entry, and how many items an entry stands for.
    pub fn listed(self) -> Option<(&'static str, &'static [Self], usize)> {
        match self {
            Self::List(name, item) => Some((name, item, 1)),
            Self::Pages(name, items, page) => Some((name, page, items)),
            _ => None,
        }
    }
}

/// A field that was found.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is; a choice is its byte.
    pub shape: Shape,
    /// Its own bytes: of a block or list those of its length or count.
    pub at: Range<usize>,
    /// The bytes that a block or list counts; empty for others.
    pub body: Range<usize>,
    /// The block of fields that it is in, by its place among the fields.
    pub within: Option<usize>,
}

/// The fields of some contents; `None` if they do not have this shape, to the last byte.
pub fn fields(shapes: &[Shape], bytes: &[u8]) -> Option<Vec<Field>> {
    let mut walk = Walk { bytes, at: 0, within: None, fields: Vec::new() };
    walk.all(shapes)?;
    (walk.at == bytes.len()).then_some(walk.fields)
}

struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    within: Option<usize>,
    fields: Vec<Field>,
}

impl Walk<'_> {
    fn all(&mut self, shapes: &[Shape]) -> Option<()> {
        shapes.iter().try_for_each(|shape| self.one(*shape))
    }

    fn one(&mut self, shape: Shape) -> Option<()> {
        match shape {
            Shape::Fixed(count) => self.take(shape, count),
            Shape::Rest => self.take(shape, self.bytes.len() - self.at),
            Shape::Number | Shape::Signed | Shape::Frame => self.number(shape).map(drop),
            Shape::Block => {
                let (field, length) = self.number(shape)?;
                self.skip(usize::try_from(length).ok()?)?;
                self.close(field);
                Some(())
            }
            Shape::Inside(shapes) => self.inside(shape, shapes),
            Shape::List(_, item) => self.list(shape, item, 1),
            Shape::Pages(_, items, page) => self.list(shape, page, items as u64),
            Shape::Choice(arms, other) => {
                let code = *self.bytes.get(self.at)?;
                self.take(shape, 1)?;
                let arm = arms.iter().find(|(known, _)| *known == code);
                self.all(arm.map_or(other, |(_, shapes)| shapes))
            }
            Shape::Chain(shapes) => {
                while self.number(Shape::Number)?.1 != 0 {
                    self.all(shapes)?;
                }
                Some(())
            }
            Shape::Repeat(shapes) => {
                while self.at < self.bytes.len() {
                    self.all(shapes)?;
                }
                Some(())
            }
        }
    }

    fn list(&mut self, shape: Shape, entry: &[Shape], items: u64) -> Option<()> {
        let (field, count) = self.number(shape)?;
        for _ in 0..count.div_ceil(items) {
            self.all(entry)?;
        }
        self.close(field);
        Some(())
    }

    fn inside(&mut self, shape: Shape, shapes: &[Shape]) -> Option<()> {
        let (field, length) = self.number(shape)?;
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let inner = self.bytes.get(..end)?;
        let (bytes, outer) =
            (std::mem::replace(&mut self.bytes, inner), self.within.replace(field));
        self.all(shapes)?;
        (self.bytes, self.within) = (bytes, outer);
        self.close(field);
        (self.at == end).then_some(())
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|end| *end <= self.bytes.len())?;
        Some(())
    }

    fn take(&mut self, shape: Shape, count: usize) -> Option<()> {
        let start = self.at;
        self.skip(count)?;
        self.add(shape, start);
        Some(())
    }

    fn number(&mut self, shape: Shape) -> Option<(usize, u64)> {
        let start = self.at;
        let (number, bytes) = super::bytes::varint(self.bytes.get(start..)?)?;
        self.skip(bytes)?;
        self.add(shape, start);
        Some((self.fields.len() - 1, number))
    }

    fn add(&mut self, shape: Shape, start: usize) {
        let (at, body, within) = (start..self.at, self.at..self.at, self.within);
        self.fields.push(Field { shape, at, body, within });
    }

    fn close(&mut self, field: usize) {
        self.fields[field].body.end = self.at;
    }
}

/// How items of a forged list look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing but zeros.
    Zeros,
    /// The first number is 1: where numbers are steps, they rise.
    Steps,
    /// The first number, or what has no number: the first block or array, is another in each.
    Distinct,
}

impl Style {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Zeros, Self::Steps, Self::Distinct];
}

/// Appends an item as small as its fields allow.
pub fn put_item(out: &mut Vec<u8>, shapes: &[Shape], style: Style, index: usize) {
    let is_number = |shape: &Shape| matches!(shape, Shape::Number | Shape::Signed);
    let numbered = shapes.iter().any(is_number) && !matches!(shapes.first(), Some(Shape::Block));
    let mut said = style == Style::Zeros;
    for shape in shapes {
        match shape {
            Shape::Number | Shape::Signed if !said && numbered => {
                let number = if style == Style::Steps { 1 } else { index as u64 };
                super::bytes::put_varint(out, number);
                said = true;
            }
            Shape::Block if !said && !numbered && style == Style::Distinct => {
                super::bytes::put_block(out, format!("{index:06x}").as_bytes());
                said = true;
            }
            // The lowest byte last: what ascends by its bytes, ascends.
            Shape::Fixed(bytes @ 4..) if !said && !numbered => {
                let number = (index as u64).to_le_bytes();
                let start = bytes.saturating_sub(number.len());
                out.resize(out.len() + start, 0);
                out.extend(number.iter().take(*bytes).rev());
                said = true;
            }
            Shape::Inside(shapes) => {
                let mut block = Vec::new();
                put_item(&mut block, shapes, style, index);
                super::bytes::put_block(out, &block);
            }
            Shape::Fixed(bytes) => out.resize(out.len() + bytes, 0),
            Shape::Choice(arms, other) => {
                out.push(0);
                let arm = arms.iter().find(|(code, _)| *code == 0);
                put_item(out, arm.map_or(other, |(_, shapes)| shapes), Style::Zeros, index);
            }
            Shape::Frame => out.push(16),
            Shape::Rest | Shape::Repeat(_) => {}
            _ => out.push(0),
        }
    }
}

/// The contents with a field's bytes, its body included, replaced; the blocks around it are as long
/// as they are then.
pub fn with_field(bytes: &[u8], fields: &[Field], field: usize, new: &[u8]) -> Vec<u8> {
    let Field { at, body, within, .. } = &fields[field];
    let mut out = bytes[..at.start].to_vec();
    out.extend_from_slice(new);
    out.extend_from_slice(&bytes[body.end..]);
    let Some(outer) = within else { return out };
    let body = &fields[*outer].body;
    let grown = out.len() + body.len() - bytes.len();
    let mut block = Vec::new();
    super::bytes::put_block(&mut block, &out[body.start..body.start + grown]);
    with_field(bytes, &fields[..=*outer], *outer, &block)
}
