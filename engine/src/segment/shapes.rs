//! Shapes of documents, kept between the two passes over a segment's rows: each is parsed once.

use crate::format::bytes::{Reader, put_varint};
use crate::row::{Shape, Span};

/// Bytes of shapes that are kept; the documents behind them are parsed again.
const MOST_BYTES: usize = 16 << 20;

/// Shapes in the order of their rows, some 45 bytes each.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    bytes: Vec<u8>,
    /// Where the next one to be read begins.
    next: usize,
    is_full: bool,
}

impl Shapes {
    /// Keeps the next row's shape, as long as there is room.
    pub(super) fn keep(&mut self, shape: &Shape) {
        self.is_full |= self.bytes.len() >= MOST_BYTES;
        if self.is_full {
            return;
        }
        put_varint(&mut self.bytes, shape.nodes.len() as u64);
        shape.nodes.iter().for_each(|node| put_varint(&mut self.bytes, u64::from(*node)));
        put_varint(&mut self.bytes, shape.values.len() as u64);
        let mut before = 0;
        for Span { start, end } in &shape.values {
            // Values stand in reading order.
            put_varint(&mut self.bytes, u64::from(start - before));
            put_varint(&mut self.bytes, u64::from(end - start));
            before = *end;
        }
    }

    /// Reads the next row's shape; `None` if it was not kept.
    pub(super) fn read(&mut self, shape: &mut Shape) -> Option<()> {
        let rest = self.bytes.get(self.next..).filter(|rest| !rest.is_empty())?;
        let mut reader = Reader::new(rest);
        shape.nodes.clear();
        shape.values.clear();
        for _ in 0..reader.varint32()? {
            shape.nodes.push(reader.varint32()?);
        }
        let mut before = 0;
        for _ in 0..reader.varint32()? {
            let start = before + reader.varint32()?;
            before = start + reader.varint32()?;
            shape.values.push(Span { start, end: before });
        }
        self.next = self.bytes.len() - reader.rest().len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Limits, Parser};

    #[test]
    fn shapes_come_back_in_order_until_there_is_no_room_for_more() {
        let documents = [
            r#"{"id":"1","from":{"user":{"id":"u"}},"list":[{"a":1},{"a":2.5}],"none":null}"#,
            r#"{"id":"","reactions":[]}"#,
        ];
        let (mut parser, mut shape, mut shapes) =
            (Parser::default(), Shape::default(), Shapes::default());
        let mut parsed = Vec::new();
        for document in documents {
            parser.parse(document.as_bytes(), Limits::trusted(), &mut shape).unwrap();
            shapes.keep(&shape);
            parsed.push(shape.clone());
        }
        shapes.keep(&Shape::default());
        shapes.is_full = true;
        shapes.keep(&shape);
        for one in parsed.iter().chain([&Shape::default()]) {
            shapes.read(&mut shape).unwrap();
            assert_eq!((&shape.nodes, &shape.values), (&one.nodes, &one.values));
        }
        assert!(shapes.read(&mut shape).is_none(), "what was not kept is parsed again");
    }
}
